// SPDX-License-Identifier: BSD-3-Clause
// we_cache: see cache.h.
//
// Module path 3/6. Owns: see cache.h. Thread: any.
#include "cache.h"

#include "image.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdio.h> // snprintf
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

#define MAGIC       "wecache1"
#define SUFFIX      ".image"
#define TEMPORARY   ".new-"
#define NAME_BYTES  (2 * WE_SHA256_BYTES + sizeof(SUFFIX)) // with the terminator
#define MAX_BYTES   (UINT64_C(1) << 30)                    // of a file
#define MAX_TRIES   1000                                   // names of a temporary file
#define LEFT_OVER_S 3600 // a temporary file of this age is one that nobody will rename

// Not of time(), which is that of the last tick: a file may be newer than that, and a second on.
static int64_t age_s(const struct stat *st)
{
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	return (int64_t)(now.tv_sec - st->st_mtime);
}

// A file: this, then the image.
struct header {
	char magic[8];
	uint64_t checksum; // of all that follows in this header: we_image_sum
	uint8_t key[WE_SHA256_BYTES];
	uint64_t image_bytes;
	uint64_t memory_bytes;
	uint32_t failure;
	uint32_t is_final;
	uint32_t cpu_ms;
	uint32_t wall_ms;
	char llvm[WE_CACHE_VERSION_TEXT];
	char note[WE_CACHE_NOTE_TEXT];
};

static uint64_t header_sum(const struct header *h)
{
	const size_t from = offsetof(struct header, checksum) + sizeof(h->checksum);

	return we_image_sum((const uint8_t *)h + from, sizeof(*h) - from);
}

static void name_of(const uint8_t key[WE_SHA256_BYTES], char name[NAME_BYTES])
{
	for (size_t i = 0; i < WE_SHA256_BYTES; i++)
		snprintf(name + 2 * i, 3, "%02x", key[i]);
	memcpy(name + 2 * WE_SHA256_BYTES, SUFFIX, sizeof(SUFFIX));
}

// Is it ours alone?
static const char *why_not_private(const struct stat *st)
{
	if (st->st_uid != geteuid())
		return "belongs to another user";
	if ((st->st_mode & 077) != 0)
		return "is open to other users";
	return NULL;
}

// ---- the directory ----------------------------------------------------------------------------------

int we_cache_open(
	struct we_cache *cache, const char *path, uint64_t max_bytes, struct we_error *err)
{
	const char *why = NULL;
	struct stat st;
	int dir;

	if (mkdir(path, 0700) < 0 && errno != EEXIST)
		return we_error_set(
			err, WE_E_HOST, 0, "cache %s cannot be made: %s", path, strerror(errno));
	dir = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (dir < 0)
		return we_error_set(err, WE_E_HOST, 0, "cache %s: %s", path,
			errno == ELOOP || errno == ENOTDIR ? "is no directory, or a link"
							   : strerror(errno));
	if (fstat(dir, &st) < 0)
		why = "cannot be looked at";
	else
		why = why_not_private(&st);
	if (why != NULL) {
		close(dir);
		return we_error_set(err, WE_E_HOST, 0, "cache %s %s: it is not used", path, why);
	}
	*cache = (struct we_cache){.dir = dir, .max_bytes = max_bytes};
	return 0;
}

void we_cache_close(struct we_cache *cache)
{
	if (cache->dir >= 0)
		close(cache->dir);
	cache->dir = -1;
}

// ---- loading ----------------------------------------------------------------------------------------

// Returns: whether all n bytes were there.
static bool read_all(int fd, void *to, size_t n)
{
	uint8_t *at = to;

	while (n > 0) {
		const ssize_t got = read(fd, at, n);

		if (got < 0 && errno == EINTR)
			continue;
		if (got <= 0)
			return false;
		at += got;
		n -= (size_t)got;
	}
	return true;
}

static const char *why_not_sound(
	const struct header *h, const uint8_t key[WE_SHA256_BYTES], uint64_t size)
{
	if (memcmp(h->magic, MAGIC, sizeof(h->magic)) != 0)
		return "is of another kind";
	if (h->checksum != header_sum(h))
		return "is damaged";
	if (memcmp(h->key, key, sizeof(h->key)) != 0)
		return "is of another key";
	if (size - sizeof(*h) != h->image_bytes)
		return "is cut";
	if (h->llvm[sizeof(h->llvm) - 1] != '\0' || h->note[sizeof(h->note) - 1] != '\0')
		return "is damaged";
	return NULL;
}

static const char *read_entry(
	int fd, const uint8_t key[WE_SHA256_BYTES], struct we_cache_entry *ret)
{
	struct header h;
	struct stat st;
	const char *why;

	if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode))
		return "is no file";
	why = why_not_private(&st);
	if (why != NULL)
		return why;
	if ((uint64_t)st.st_size < sizeof(h) || (uint64_t)st.st_size > MAX_BYTES ||
		!read_all(fd, &h, sizeof(h)))
		return "is cut";
	why = why_not_sound(&h, key, (uint64_t)st.st_size);
	if (why != NULL)
		return why;
	*ret = (struct we_cache_entry){.image_bytes = h.image_bytes,
		.failure = h.failure,
		.is_final = h.is_final != 0,
		.cpu_ms = h.cpu_ms,
		.wall_ms = h.wall_ms,
		.memory_bytes = h.memory_bytes,
		.age_s = age_s(&st)};
	memcpy(ret->llvm, h.llvm, sizeof(ret->llvm));
	memcpy(ret->note, h.note, sizeof(ret->note));
	if (h.image_bytes == 0)
		return NULL;
	ret->image = malloc(h.image_bytes);
	if (ret->image == NULL)
		return "is too large for the memory that is left";
	if (!read_all(fd, ret->image, h.image_bytes)) {
		free(ret->image);
		return "is cut";
	}
	futimens(fd, NULL); // used now: others go first
	return NULL;
}

int we_cache_load(const struct we_cache *cache, const uint8_t key[WE_SHA256_BYTES],
	struct we_cache_entry *ret_entry, struct we_error *err)
{
	char name[NAME_BYTES];
	const char *why;
	int fd;

	name_of(key, name);
	// Not blocking, as what is there may be no file.
	fd = openat(cache->dir, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	if (fd < 0 && errno == ENOENT)
		return WE_CACHE_NONE;
	why = fd < 0 ? strerror(errno) : read_entry(fd, key, ret_entry);
	if (fd >= 0)
		close(fd);
	if (why == NULL)
		return 0;
	we_error_set(err, WE_E_HOST, 0, "cached %.16s... %s", name, why);
	return WE_CACHE_IGNORED;
}

// ---- storing ----------------------------------------------------------------------------------------

static bool write_entry(int fd, const struct header *h, const struct we_cache_entry *entry)
{
	struct iovec parts[] = {{(void *)(uintptr_t)h, sizeof(*h)},
		{entry->image, entry->image != NULL ? entry->image_bytes : 0}};
	size_t i = 0;

	while (i < 2) {
		const ssize_t n = writev(fd, parts + i, (int)(2 - i));
		size_t done = n > 0 ? (size_t)n : 0;

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return false;
		for (; i < 2 && done >= parts[i].iov_len; i++)
			done -= parts[i].iov_len;
		if (i < 2) {
			parts[i].iov_base = (uint8_t *)parts[i].iov_base + done;
			parts[i].iov_len -= done;
		}
	}
	return true;
}

struct file {
	char name[NAME_BYTES];
	uint64_t bytes;
	struct timespec used;
};

struct files {
	struct file *at; // [n]
	size_t n;
	size_t cap;
	uint64_t bytes; // of all
};

static int by_use(const void *a, const void *b)
{
	const struct timespec *x = &((const struct file *)a)->used;
	const struct timespec *y = &((const struct file *)b)->used;

	if (x->tv_sec != y->tv_sec)
		return x->tv_sec < y->tv_sec ? -1 : 1;
	return x->tv_nsec < y->tv_nsec ? -1 : x->tv_nsec > y->tv_nsec;
}

static bool add_file(struct files *files, const char *name, const struct stat *st)
{
	struct file *file;

	if (files->n == files->cap) {
		const size_t cap = files->cap > 0 ? 2 * files->cap : 64;
		struct file *more = realloc(files->at, cap * sizeof(*more));

		if (more == NULL)
			return false;
		files->at = more;
		files->cap = cap;
	}
	file = &files->at[files->n++];
	snprintf(file->name, sizeof(file->name), "%s", name);
	file->bytes = (uint64_t)st->st_size;
	file->used = st->st_mtim;
	files->bytes += file->bytes;
	return true;
}

static bool is_entry(const char *name)
{
	return strlen(name) == NAME_BYTES - 1 && strcmp(name + 2 * WE_SHA256_BYTES, SUFFIX) == 0;
}

// All entries of the directory. Others' left-overs go.
static void list_files(const struct we_cache *cache, struct files *files)
{
	const int fd = openat(cache->dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *dir = fd < 0 ? NULL : fdopendir(fd);
	const struct dirent *entry;
	struct stat st;

	if (dir == NULL) {
		if (fd >= 0)
			close(fd);
		return;
	}
	while ((entry = readdir(dir)) != NULL) {
		const bool is_temporary =
			strncmp(entry->d_name, TEMPORARY, sizeof(TEMPORARY) - 1) == 0;

		if (!is_temporary && !is_entry(entry->d_name))
			continue;
		if (fstatat(cache->dir, entry->d_name, &st, AT_SYMLINK_NOFOLLOW) < 0)
			continue;
		if (is_temporary && age_s(&st) > LEFT_OVER_S)
			unlinkat(cache->dir, entry->d_name, 0);
		if (!is_temporary && !add_file(files, entry->d_name, &st))
			break;
	}
	closedir(dir);
}

// What was used longest ago goes first; the newest stays, whatever its size.
static void evict(const struct we_cache *cache)
{
	struct files files = {0};

	list_files(cache, &files);
	if (files.bytes > cache->max_bytes)
		qsort(files.at, files.n, sizeof(*files.at), by_use);
	for (size_t i = 0; i + 1 < files.n && files.bytes > cache->max_bytes; i++) {
		unlinkat(cache->dir, files.at[i].name, 0);
		files.bytes -= files.at[i].bytes;
	}
	free(files.at);
}

int we_cache_store(const struct we_cache *cache, const uint8_t key[WE_SHA256_BYTES],
	const struct we_cache_entry *entry, struct we_error *err)
{
	static _Atomic unsigned n_temporary;
	struct header h = {.image_bytes = entry->image != NULL ? entry->image_bytes : 0,
		.memory_bytes = entry->memory_bytes,
		.failure = entry->failure,
		.is_final = entry->is_final,
		.cpu_ms = entry->cpu_ms,
		.wall_ms = entry->wall_ms};
	char temporary[64];
	char name[NAME_BYTES];
	unsigned n_tries = 0;
	bool is_written;
	int cause;
	int fd;

	memcpy(h.magic, MAGIC, sizeof(h.magic));
	memcpy(h.key, key, sizeof(h.key));
	snprintf(h.llvm, sizeof(h.llvm), "%s", entry->llvm);
	snprintf(h.note, sizeof(h.note), "%s", entry->note);
	h.checksum = header_sum(&h);
	name_of(key, name);
	do { // another process of this number, of another container or long gone, may have been here
		snprintf(temporary, sizeof(temporary), TEMPORARY "%d-%u", (int)getpid(),
			atomic_fetch_add(&n_temporary, 1));
		fd = openat(cache->dir, temporary,
			O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	} while (fd < 0 && errno == EEXIST && n_tries++ < MAX_TRIES);
	is_written = fd >= 0 && write_entry(fd, &h, entry);
	cause = errno;
	if (fd >= 0)
		close(fd);
	if (is_written && renameat(cache->dir, temporary, cache->dir, name) == 0) {
		evict(cache);
		return 0;
	}
	if (is_written)
		cause = errno;
	if (fd >= 0)
		unlinkat(cache->dir, temporary, 0);
	return we_error_set(
		err, WE_E_HOST, 0, "cached %.16s... cannot be written: %s", name, strerror(cause));
}
