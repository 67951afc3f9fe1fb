// SPDX-License-Identifier: BSD-3-Clause
// we_memory: linear memories.
//
// Module path 4/6. A memory is a reservation of address space whose base never moves: what guests
// may touch is accessible, the rest is not. A reservation holds every address that a 32-bit index
// plus a 32-bit offset can form, with a guard in front, so that generated code may leave checks
// out; where address space is short it is just large enough for the memory's maximum, or smaller,
// and growth ends there.
// Owns:   the mapping.
// Thread: the store's worker.
// Spec:   core "Memory Instances", "Memory Instructions".
#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h> // sysconf

#include "runtime.h"

#define GUARD_BYTES     ((uint64_t)WE_PAGE_BYTES) // in front, and behind a small reservation
#define REACH_BYTES     (UINT64_C(1) << 33)       // of a 32-bit index plus a 32-bit offset
#define MEMORY32_BYTES  (UINT64_C(1) << 32)
#define HOST_PAGE_BYTES 4096u // at least

struct we_memory we_memory_none;

// A compiler that knows how short a chunk is puts the slow `rep stos` in the place of the call.
static void *(*const volatile fill_chunk)(void *, int, size_t) = memset;

static uint64_t min_u64(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

// Map the memory's reservation and guards: with 32-bit addresses the full reach, or else a smaller one
// on the way from max_bytes down to min_bytes. Returns: 0, or 1 when the machine refuses.
static int reserve(struct we_memory *memory, uint64_t max_bytes, uint64_t min_bytes)
{
	const int flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE;
	uint64_t mapped = GUARD_BYTES + REACH_BYTES;
	uint64_t reserved = MEMORY32_BYTES;
	void *map = memory->type.limits.is_64 ? MAP_FAILED
					      : mmap(NULL, mapped, PROT_NONE, flags, -1, 0);

	for (uint64_t bytes = max_bytes; map == MAP_FAILED;) {
		mapped = GUARD_BYTES + bytes + GUARD_BYTES;
		reserved = bytes;
		map = mmap(NULL, mapped, PROT_NONE, flags, -1, 0);
		if (map == MAP_FAILED && bytes <= min_bytes)
			return 1;
		bytes = bytes / 2 > min_bytes ? bytes / 2 / WE_PAGE_BYTES * WE_PAGE_BYTES
					      : min_bytes;
	}
	memory->base = (uint8_t *)map + GUARD_BYTES;
	memory->reserved_bytes = reserved;
	memory->mapped_bytes = mapped;
	return 0;
}

// Make [0, bytes) accessible. Returns: 0, or 1 when the machine refuses.
static int commit(struct we_memory *memory, uint64_t bytes)
{
	if (bytes <= memory->committed_bytes)
		return 0;
	if (bytes > memory->reserved_bytes)
		return 1;
	if (mprotect(memory->base + memory->committed_bytes, bytes - memory->committed_bytes,
		    PROT_READ | PROT_WRITE) != 0)
		return 1;
	memory->committed_bytes = bytes;
	return 0;
}

bool we_memory_has_reach(const struct we_memory *memory)
{
	return memory->reserved_bytes == MEMORY32_BYTES &&
	       memory->mapped_bytes == GUARD_BYTES + REACH_BYTES;
}

bool we_memory_covers(const struct we_memory *memory, uintptr_t address)
{
	return address - (uintptr_t)(memory->base - GUARD_BYTES) < memory->mapped_bytes + 16;
}

// May a memory of this type, of at most max_bytes, live in the address space?
static bool suits(const struct we_memory *spare, const struct we_memtype *type, uint64_t max_bytes)
{
	if (!type->limits.is_64 && we_memory_has_reach(spare))
		return true;
	return type->limits.is_64 == spare->type.limits.is_64 && spare->reserved_bytes >= max_bytes;
}

// A memory of the store in address space that was used before, of which no more than `bytes` are accessible; one with as
// many is taken first. Returns: NULL when there is none.
static struct we_memory *take_spare(
	struct we_store *store, const struct we_memtype *type, uint64_t max_bytes, uint64_t bytes)
{
	struct we_memory **best = NULL;
	struct we_memory *memory;

	for (struct we_memory **at = &store->spare; *at != NULL; at = &(*at)->next) {
		if (!suits(*at, type, max_bytes))
			continue;
		if (best == NULL || (*at)->committed_bytes == bytes)
			best = at;
		if ((*at)->committed_bytes == bytes)
			break;
	}
	if (best == NULL)
		return NULL;
	memory = *best;
	if (memory->committed_bytes > bytes) {
		if (mprotect(memory->base + bytes, memory->committed_bytes - bytes, PROT_NONE) != 0)
			return NULL;
		memory->committed_bytes = bytes;
	}
	*best = memory->next;
	return memory;
}

int we_memory_new(struct we_store *store, const struct we_memtype *type,
	struct we_memory **ret_memory, struct we_error *err)
{
	const struct we_store_limits *limits = &store->limits;
	const uint64_t min = type->limits.min;
	const uint64_t bound = type->limits.is_64 ? WE_MEMORY64_HOST_PAGES : WE_MEMORY32_MAX_PAGES;
	const uint64_t max = min_u64(min_u64(type->limits.max, bound), limits->memory_pages);
	const uint64_t ahead = min_u64(limits->memory_pages_precommit, max);
	struct we_memory *memory;
	bool is_new;

	if (min > max)
		return we_error_set(err, WE_E_EXHAUSTED, 0,
			"memory of %llu pages: the limit is %llu", (unsigned long long)min,
			(unsigned long long)max);
	if (min > limits->total_memory_pages - store->total_pages)
		return we_error_set(err, WE_E_EXHAUSTED, 0,
			"memory of %llu pages: all memories together are limited to %llu",
			(unsigned long long)min, (unsigned long long)limits->total_memory_pages);
	memory = take_spare(
		store, type, max * WE_PAGE_BYTES, (ahead > min ? ahead : min) * WE_PAGE_BYTES);
	is_new = memory == NULL;
	if (is_new)
		memory = calloc(1, sizeof(*memory));
	if (memory == NULL)
		return we_error_set(err, WE_E_NOMEM, 0, "no memory for a memory");
	memory->type = *type;
	memory->store = store;
	memory->max_pages = max;
	if (is_new && reserve(memory, max * WE_PAGE_BYTES, min * WE_PAGE_BYTES) != 0) {
		free(memory);
		return we_error_set(err, WE_E_NOMEM, 0,
			"no address space for a memory of %llu pages", (unsigned long long)min);
	}
	memory->next = store->memories;
	store->memories = memory;
	store->total_pages += min;
	memory->size_bytes = min * WE_PAGE_BYTES;
	// What is accessible ahead is a favour: without it, growth pays for itself.
	if ((ahead <= min || commit(memory, ahead * WE_PAGE_BYTES) != 0) &&
		commit(memory, min * WE_PAGE_BYTES) != 0) {
		we_memory_delete_newest(store);
		return we_error_set(err, WE_E_NOMEM, 0, "no memory for a memory of %llu pages",
			(unsigned long long)min);
	}
	*ret_memory = memory;
	return 0;
}

static void destroy(struct we_memory *memory)
{
	munmap(memory->base - GUARD_BYTES, memory->mapped_bytes);
	free(memory);
}

void we_memory_delete_newest(struct we_store *store)
{
	struct we_memory *memory = store->memories;

	store->memories = memory->next;
	store->total_pages -= memory->size_bytes / WE_PAGE_BYTES;
	destroy(memory);
}

// Zero the first n bytes, but leave holes, where the kernel has no page: either it never had one, or what it held lies in
// swap space, and to drop that is to zero it. A hole smaller than a page of WebAssembly is filled: that costs no more than
// the call that drops, so that no pattern costs much more than zeroing everything.
static void zero(struct we_memory *memory, uint64_t n)
{
	const uint64_t page = (uint64_t)sysconf(_SC_PAGESIZE);
	const uint64_t n_pages = n / page;
	uint8_t present[WE_MEMORY_ZERO_BYTES / HOST_PAGE_BYTES]; // bit 0 of each page
	bool has_holes = false;

	assert(n <= WE_MEMORY_ZERO_BYTES && page >= HOST_PAGE_BYTES && n % page == 0);
	if (n <= WE_MEMORY_BLIND_BYTES || n <= memory->filled_bytes ||
		mincore(memory->base, n, present) != 0) {
		memset(memory->base, 0, n);
		return;
	}
	for (uint64_t first = 0, next; first < n_pages; first = next) {
		const bool is_present = (present[first] & 1) != 0;
		uint8_t *start = memory->base + first * page;
		uint64_t len;

		for (next = first + 1; next < n_pages; next++)
			if (((present[next] & 1) != 0) != is_present)
				break;
		len = (next - first) * page;
		if (is_present || len < WE_PAGE_BYTES || madvise(start, len, MADV_DONTNEED) != 0)
			memset(start, 0, len);
		else
			has_holes = true;
	}
	memory->filled_bytes = has_holes ? 0 : n;
}

void we_memory_spare_newest(struct we_store *store)
{
	struct we_memory *memory = store->memories;
	const uint64_t used = memory->size_bytes;

	store->memories = memory->next;
	store->total_pages -= used / WE_PAGE_BYTES;
	// The kernel gives zeros back, one page fault a page: dearer than zeroing a few of them.
	if (used <= WE_MEMORY_ZERO_BYTES) {
		zero(memory, used);
	} else {
		memory->filled_bytes = 0;
		if (madvise(memory->base, used, MADV_DONTNEED) != 0) {
			destroy(memory);
			return;
		}
	}
	memory->next = store->spare;
	store->spare = memory;
}

void we_memory_delete_spare(struct we_store *store)
{
	while (store->spare != NULL) {
		struct we_memory *memory = store->spare;

		store->spare = memory->next;
		destroy(memory);
	}
}

int we_memory_create(struct we_store *store, enum we_kind address, uint64_t min_pages,
	uint64_t max_pages, struct we_memory **ret_memory, struct we_error *err)
{
	const struct we_memtype type = {.limits = {.min = min_pages,
						.max = max_pages,
						.has_max = max_pages != UINT64_MAX,
						.is_64 = address == WE_I64}};

	return we_memory_new(store, &type, ret_memory, err);
}

uint64_t we_memory_size(const struct we_memory *memory)
{
	return memory->size_bytes;
}

int we_memory_grow(struct we_memory *memory, uint64_t delta, uint64_t *ret_old_pages)
{
	struct we_store *store = memory->store;
	const uint64_t old = memory->size_bytes / WE_PAGE_BYTES;

	if (delta > memory->max_pages - old ||
		delta > store->limits.total_memory_pages - store->total_pages)
		return 1;
	if (commit(memory, (old + delta) * WE_PAGE_BYTES) != 0)
		return 1;
	memory->size_bytes = (old + delta) * WE_PAGE_BYTES;
	store->total_pages += delta;
	*ret_old_pages = old;
	return 0;
}

// Is [offset, offset + len) inside size?
static bool is_inside(uint64_t offset, uint64_t len, uint64_t size)
{
	return len <= size && offset <= size - len;
}

int we_memory_span(
	const struct we_memory *memory, uint64_t offset, uint64_t len, uint8_t **ret_span)
{
	if (!is_inside(offset, len, memory->size_bytes))
		return 1;
	*ret_span = memory->base + offset;
	return 0;
}

enum we_trap we_memory_init(struct we_instance *inst, we_memidx mem, we_dataidx data, uint64_t d,
	uint64_t s, uint64_t n)
{
	struct we_memory *memory = inst->mems[mem];
	const struct we_data_inst *segment = &inst->datas[data];

	if (!is_inside(s, n, segment->len) || !is_inside(d, n, memory->size_bytes))
		return WE_TRAP_MEMORY_OUT_OF_BOUNDS;
	while (n > 0) {
		const uint64_t chunk = min_u64(n, WE_BULK_CHUNK_BYTES);

		if (we_store_is_interrupted(inst->store))
			return WE_TRAP_DEADLINE;
		memcpy(memory->base + d, segment->data + s, chunk);
		d += chunk;
		s += chunk;
		n -= chunk;
	}
	return WE_TRAP_NONE;
}

enum we_trap we_memory_copy(
	struct we_memory *dst, const struct we_memory *src, uint64_t d, uint64_t s, uint64_t n)
{
	// Chunks from the end when the regions overlap that way, as memmove would.
	const bool from_end = dst == src && d > s;

	if (!is_inside(s, n, src->size_bytes) || !is_inside(d, n, dst->size_bytes))
		return WE_TRAP_MEMORY_OUT_OF_BOUNDS;
	while (n > 0) {
		const uint64_t chunk = min_u64(n, WE_BULK_CHUNK_BYTES);
		const uint64_t skip = from_end ? n - chunk : 0;

		if (we_store_is_interrupted(dst->store))
			return WE_TRAP_DEADLINE;
		memmove(dst->base + d + skip, src->base + s + skip, chunk);
		n -= chunk;
		if (!from_end) {
			d += chunk;
			s += chunk;
		}
	}
	return WE_TRAP_NONE;
}

enum we_trap we_memory_fill(struct we_memory *memory, uint64_t d, uint8_t value, uint64_t n)
{
	if (!is_inside(d, n, memory->size_bytes))
		return WE_TRAP_MEMORY_OUT_OF_BOUNDS;
	while (n > 0) {
		const uint64_t chunk = min_u64(n, WE_FILL_CHUNK_BYTES);

		if (we_store_is_interrupted(memory->store))
			return WE_TRAP_DEADLINE;
		fill_chunk(memory->base + d, value, chunk);
		d += chunk;
		n -= chunk;
	}
	return WE_TRAP_NONE;
}

void we_data_drop(struct we_instance *inst, we_dataidx data)
{
	inst->datas[data].len = 0;
}
