// SPDX-License-Identifier: BSD-3-Clause
// we_space: see space.h.
//
// Module path 3/6.
#include "space.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define SPACE_BYTES (UINT64_C(1) << 30)
#define PAGE_BYTES  ((uint64_t)WE_IMAGE_PAGE_BYTES)
#define N_PAGES     (SPACE_BYTES / PAGE_BYTES)
#define NEAR_BYTES  (UINT64_C(1) << 31)
#define GAP_BYTES   (UINT64_C(256) << 20) // to the program, which may grow

#ifndef MFD_EXEC
#define MFD_EXEC 0x0010U // of Linux 6.3
#endif

// Invariant: pages[i] is the image that the i-th page from base on belongs to, or NULL. It never goes away.
static struct {
	pthread_mutex_t lock;                        // of mapping and unmapping
	_Atomic uintptr_t base;                      // 0: not reserved yet
	_Atomic(_Atomic(struct we_image *) *) pages; // [N_PAGES]
	uint64_t hint;                               // page to look from
} space = {.lock = PTHREAD_MUTEX_INITIALIZER};

static int refused(struct we_error *err, const char *what)
{
	return we_error_set(err, WE_E_HOST, 0, "native code: %s: %s", what, strerror(errno));
}

static uint64_t n_pages_of(uint64_t bytes)
{
	return (bytes + PAGE_BYTES - 1) / PAGE_BYTES;
}

// Address space, at hint if it is free.
static void *map_nothing(uintptr_t hint)
{
	return mmap((void *)hint, SPACE_BYTES, PROT_NONE,
		MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
}

// Address space, near our own code where there is some: a call that goes further than NEAR_BYTES takes Zen 3 half as long again
// as one that does not. Below us first: a program's heap grows upwards.
static void *map_near(void)
{
	const uintptr_t here = (uintptr_t)we_space_map & ~(uintptr_t)(PAGE_BYTES - 1);
	const uintptr_t hints[] = {here - GAP_BYTES - SPACE_BYTES, here + GAP_BYTES};

	for (uint32_t i = 0; i < sizeof(hints) / sizeof(hints[0]); i++) {
		void *base = map_nothing(hints[i]);

		if (base == MAP_FAILED || base == (void *)hints[i])
			return base;
		munmap(base, SPACE_BYTES);
	}
	return map_nothing(0);
}
static_assert(GAP_BYTES + SPACE_BYTES <= NEAR_BYTES, "near");

static int reserve(struct we_error *err)
{
	void *pages;
	void *base;

	if (space.base != 0)
		return 0;
	pages = mmap(NULL, N_PAGES * sizeof(*space.pages), PROT_READ | PROT_WRITE,
		MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (pages == MAP_FAILED)
		return refused(err, "no memory for its index");
	base = map_near();
	if (base == MAP_FAILED) {
		munmap(pages, N_PAGES * sizeof(*space.pages));
		return refused(err, "no address space");
	}
	atomic_store_explicit(&space.pages, pages, memory_order_relaxed);
	atomic_store_explicit(&space.base, (uintptr_t)base, memory_order_release);
	return 0;
}

// n free pages behind each other in [from, end). Returns: the first, or end.
static uint64_t find_free(uint64_t from, uint64_t end, uint64_t n)
{
	uint64_t free = 0;

	for (uint64_t i = from; i < end; i++) {
		free = atomic_load_explicit(&space.pages[i], memory_order_relaxed) == NULL
			       ? free + 1
			       : 0;
		if (free == n)
			return i + 1 - n;
	}
	return end;
}

static int take_pages(uint64_t n, uint64_t *ret_page, struct we_error *err)
{
	uint64_t page = find_free(space.hint, N_PAGES, n);

	if (page == N_PAGES)
		page = find_free(0, N_PAGES, n);
	if (page == N_PAGES)
		return we_error_set(err, WE_E_EXHAUSTED, 0,
			"native code: no %llu bytes left of %llu",
			(unsigned long long)(n * PAGE_BYTES), (unsigned long long)SPACE_BYTES);
	space.hint = page + n;
	*ret_page = page;
	return 0;
}

static void index_pages(uint64_t page, uint64_t n, struct we_image *image)
{
	for (uint64_t i = page; i < page + n; i++)
		atomic_store_explicit(&space.pages[i], image, memory_order_release);
}

// A sealed file of the bytes. Returns: 0 and *ret_fd; HOST.
static int make_file(const uint8_t *bytes, uint64_t n, int *ret_fd, struct we_error *err)
{
	const unsigned int flags = MFD_CLOEXEC | MFD_ALLOW_SEALING;
	int fd = memfd_create("weir-code", flags | MFD_EXEC);

	if (fd < 0 && errno == EINVAL)
		fd = memfd_create("weir-code", flags);
	if (fd < 0)
		return refused(err, "memfd_create");
	for (uint64_t done = 0; done < n;) {
		const ssize_t wrote = pwrite(fd, bytes + done, n - done, (off_t)done);

		if (wrote < 0 && errno == EINTR)
			continue;
		if (wrote <= 0) {
			const int rc = refused(err, "pwrite");

			close(fd);
			return rc;
		}
		done += (uint64_t)wrote;
	}
	if (fcntl(fd, F_ADD_SEALS, F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE) != 0) {
		const int rc = refused(err, "F_ADD_SEALS");

		close(fd);
		return rc;
	}
	*ret_fd = fd;
	return 0;
}

static void unmap(uintptr_t base, uint64_t bytes)
{
	// Whatever it does, nothing can be executed there: an address that has no image is not run.
	(void)mmap((void *)base, bytes, PROT_NONE,
		MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED, -1, 0);
}

// Instructions at base, constants after them. Returns: 0; HOST.
static int map_file(uintptr_t base, int fd, const struct we_image_header *h, struct we_error *err)
{
	const uint64_t exec_bytes =
		h->n_exec_bytes % PAGE_BYTES == 0 ? h->n_exec_bytes : h->code_bytes;
	const int flags = MAP_PRIVATE | MAP_FIXED;

	if (exec_bytes > 0 &&
		mmap((void *)base, exec_bytes, PROT_READ | PROT_EXEC, flags, fd, 0) == MAP_FAILED)
		return refused(err, "mmap of instructions");
	if (exec_bytes < h->code_bytes &&
		mmap((void *)(base + exec_bytes), h->code_bytes - exec_bytes, PROT_READ, flags, fd,
			(off_t)exec_bytes) == MAP_FAILED)
		return refused(err, "mmap of constants");
	return 0;
}

static int map(struct we_image *image, int fd, struct we_error *err)
{
	const uint64_t n = n_pages_of(image->header.code_bytes);
	uint64_t page = 0;
	uintptr_t base;
	int rc = reserve(err);

	if (rc == 0)
		rc = take_pages(n, &page, err);
	if (rc < 0)
		return rc;
	base = space.base + page * PAGE_BYTES;
	rc = map_file(base, fd, &image->header, err);
	if (rc < 0) {
		unmap(base, n * PAGE_BYTES);
		return rc;
	}
	image->code = (const uint8_t *)base;
	index_pages(page, n, image);
	return 0;
}

int we_space_map(struct we_image *image, const void *code, struct we_error *err)
{
	int fd = -1;
	int rc = make_file(code, image->header.code_bytes, &fd, err);

	if (rc < 0)
		return rc;
	pthread_mutex_lock(&space.lock);
	rc = map(image, fd, err);
	pthread_mutex_unlock(&space.lock);
	close(fd);
	return rc;
}

void we_space_unmap(const struct we_image *image)
{
	const uint64_t n = n_pages_of(image->header.code_bytes);
	const uintptr_t base = (uintptr_t)image->code;

	pthread_mutex_lock(&space.lock);
	index_pages((base - space.base) / PAGE_BYTES, n, NULL);
	unmap(base, n * PAGE_BYTES);
	pthread_mutex_unlock(&space.lock);
}

const struct we_image *we_space_find(uintptr_t pc)
{
	const uintptr_t base = atomic_load_explicit(&space.base, memory_order_acquire);

	if (base == 0 || pc - base >= SPACE_BYTES)
		return NULL;
	return atomic_load_explicit(&space.pages[(pc - base) / PAGE_BYTES], memory_order_acquire);
}
