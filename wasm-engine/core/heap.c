// SPDX-License-Identifier: BSD-3-Clause
// we_heap: see heap.h. The reservation, when to collect, limits and budgets.
//
// Module path 4/6. The reservation holds the space for objects from base on, then the collector's marks, one bit per
// 8 bytes of space, then its scratch, one byte per 128. All are untouched, and so cost
// nothing, above what the objects need.
// The heap is full when top reaches the soft end: a small multiple of what was alive at the last
// collection, so that collecting costs in proportion to allocating, and a small heap stays in the cache.
// Owns:   the reservation.
// Thread: the store's worker.
// Spec:   core "Aggregate Instances", "Exception Instances".
#include "heap.h"

#include <assert.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <time.h>

#include "collect.h"
#include "runtime.h"

enum {
	PAGE_BYTES = 4096,
	MIN_GROWTH_BYTES = 1 << 20, // between two collections, where the limit allows it
	FREE_PARTS = 64,            // a collection must leave one of so many parts free
	WASTE_PARTS = 128,          // and may leave one of so many where it is
	// Every byte of a stale reference: as one it is misaligned and far above a heap of any usual
	// size, as a header it is no type.
	POISON = 0xda
};

static uint64_t min_u64(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

static uint64_t max_u64(uint64_t a, uint64_t b)
{
	return a > b ? a : b;
}

static uint64_t round_up(uint64_t bytes)
{
	return (bytes + PAGE_BYTES - 1) / PAGE_BYTES * PAGE_BYTES;
}

static uint64_t marks_bytes(uint64_t space_bytes)
{
	return round_up(space_bytes / WE_BLOCK_BYTES * sizeof(uint64_t));
}

static uint64_t scratch_bytes(uint64_t space_bytes)
{
	return round_up(space_bytes / WE_BLOCK_BYTES * sizeof(uint32_t));
}

// What objects can have of a limit for everything.
static uint64_t space_within(uint64_t limit_bytes)
{
	uint64_t space = limit_bytes / PAGE_BYTES * PAGE_BYTES;

	while (space + marks_bytes(space) + scratch_bytes(space) > limit_bytes)
		space -= PAGE_BYTES;
	return space;
}

// ---- when to collect ----------------------------------------------------------------------------

// Set the soft end for bytes of objects that are alive.
static void set_soft_end(struct we_collector *c, uint64_t bytes)
{
	c->soft_end = min_u64(c->space_bytes, bytes + max_u64(MIN_GROWTH_BYTES, bytes + bytes / 2));
}

// Bytes that the entry may still allocate.
static uint64_t budget_left(const struct we_heap *heap)
{
	const uint64_t used = we_heap_allocated_bytes(heap) - heap->entry_floor;

	if (heap->entry == 0 || heap->max_entry_bytes == UINT64_MAX)
		return UINT64_MAX;
	return used < heap->max_entry_bytes ? heap->max_entry_bytes - used : 0;
}

// Allocation is slow from where something must be decided.
static void set_end(struct we_heap *heap)
{
	const uint64_t soft_end = heap->collector->soft_end;

	heap->end =
		heap->is_stress ? 0 : heap->top + min_u64(soft_end - heap->top, budget_left(heap));
}

// ---- making it ----------------------------------------------------------------------------------

static int reserve(struct we_heap *heap)
{
	const int flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE;
	struct we_collector *c = heap->collector;
	void *map = mmap(NULL, heap->limit_bytes, PROT_READ | PROT_WRITE, flags, -1, 0);

	if (map == MAP_FAILED)
		return 1;
	heap->base = map;
	heap->mapped_bytes = heap->limit_bytes;
	c->base = heap->base;
	c->space_bytes = space_within(heap->limit_bytes);
	c->marks = (uint64_t *)(void *)(c->base + c->space_bytes);
	c->scratch = c->base + c->space_bytes + marks_bytes(c->space_bytes);
	c->scratch_bytes = scratch_bytes(c->space_bytes);
	return 0;
}

static uint64_t or_no_budget(uint64_t budget)
{
	return budget != 0 ? budget : UINT64_MAX;
}

int we_heap_create(const struct we_store_limits *limits, bool is_stress, struct we_heap **ret_heap,
	struct we_error *err)
{
	const uint64_t limit_bytes =
		min_u64(max_u64(limits->heap_bytes, WE_HEAP_MIN_BYTES), WE_HEAP_MAX_BYTES);
	struct we_heap *heap = calloc(1, sizeof(*heap));
	struct we_collector *collector = calloc(1, sizeof(*collector));

	if (heap == NULL || collector == NULL) {
		free(heap);
		free(collector);
		return we_error_set(err, WE_E_NOMEM, 0, "no memory for a heap");
	}
	heap->collector = collector;
	heap->limit_bytes = limit_bytes / PAGE_BYTES * PAGE_BYTES;
	if (reserve(heap) != 0) {
		we_heap_destroy(heap);
		return we_error_set(err, WE_E_NOMEM, 0, "no address space for a heap of %llu bytes",
			(unsigned long long)limit_bytes);
	}
	heap->top = WE_HEAP_FIRST;
	heap->n_allocated = -(uint64_t)WE_HEAP_FIRST;
	heap->is_stress = is_stress;
	heap->max_entry_bytes = or_no_budget(limits->heap_entry_bytes);
	heap->max_entry_ns = or_no_budget(limits->heap_entry_us);
	if (heap->max_entry_ns < UINT64_MAX / 1000)
		heap->max_entry_ns *= 1000;
	set_soft_end(collector, heap->top);
	set_end(heap);
	*ret_heap = heap;
	return 0;
}

void we_heap_destroy(struct we_heap *heap)
{
	if (heap == NULL)
		return;
	if (heap->base != NULL)
		munmap(heap->base, heap->mapped_bytes);
	free(heap->collector);
	free(heap);
}

// ---- collecting ---------------------------------------------------------------------------------

static uint64_t now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * UINT64_C(1000000000) + (uint64_t)now.tv_nsec;
}

static void poison(const struct we_heap *heap, uint64_t old_top)
{
	if (heap->collector->is_lifted)
		memset(heap->base + WE_HEAP_FIRST, POISON, WE_LIFT_BYTES);
	if (heap->top < old_top)
		memset(heap->base + heap->top, POISON, old_top - heap->top);
}

// Collect, with room for n bytes more in mind; what would cost more to move than it is worth may stay. Or not, when the entry
// shall end.
// Returns: nanoseconds that it took.
static uint64_t collect(struct we_store *store, uint64_t n, uint64_t max_waste_bytes)
{
	struct we_heap *heap = store->heap;
	struct we_collector *c = heap->collector;
	const uint64_t began_ns = now_ns();
	const uint64_t old_top = heap->top;
	const bool was_lifted = c->is_lifted;
	uint64_t new_top;
	uint64_t took_ns;

	c->used_bytes = max_u64(c->used_bytes, old_top);
	c->max_waste_bytes = max_waste_bytes;
	c->is_lifted = heap->is_stress && !c->is_lifted;
	new_top = we_collector_run(c, store, old_top);
	if (new_top == 0) {
		c->is_lifted = was_lifted;
		return now_ns() - began_ns;
	}
	heap->top = new_top;
	heap->n_allocated += old_top - heap->top;
	heap->live_bytes = heap->top;
	if (heap->is_stress)
		poison(heap, old_top);
	set_soft_end(c, heap->top + n);
	took_ns = now_ns() - began_ns;
	heap->n_collections++;
	heap->total_ns += took_ns;
	heap->longest_ns = max_u64(heap->longest_ns, took_ns);
	return took_ns;
}

// Collect for the entry that runs. n: what it wants to allocate, not more than the space.
static enum we_trap collect_within_entry(struct we_store *store, uint64_t n)
{
	struct we_heap *heap = store->heap;
	const struct we_collector *c = heap->collector;
	const uint64_t want_free = n + c->space_bytes / FREE_PARTS;

	heap->entry_ns += collect(store, n, heap->is_stress ? 0 : heap->top / WASTE_PARTS);
	if (we_store_is_interrupted(store))
		return WE_TRAP_DEADLINE;
	if (heap->entry != 0 && heap->entry_ns > heap->max_entry_ns)
		return WE_TRAP_HEAP_EXHAUSTED;
	if (c->space_bytes - heap->top < want_free)
		return WE_TRAP_HEAP_EXHAUSTED;
	return WE_TRAP_NONE;
}

static enum we_trap make_room(struct we_store *store, uint64_t n)
{
	struct we_heap *heap = store->heap;
	const struct we_collector *c = heap->collector;
	const uint64_t entry = atomic_load_explicit(&store->entry, memory_order_relaxed);

	if (heap->entry != entry)
		we_heap_enter(heap, entry);
	if (n > budget_left(heap) || n > c->space_bytes)
		return WE_TRAP_HEAP_EXHAUSTED;
	if (heap->is_stress || n > c->soft_end - heap->top)
		return collect_within_entry(store, n);
	return WE_TRAP_NONE;
}

enum we_trap we_heap_alloc_slow(struct we_store *store, uint64_t n, we_ref *ret_ref)
{
	struct we_heap *heap = store->heap;
	enum we_trap trap;

	assert(n > 0 && n % WE_GRANULE_BYTES == 0);
	trap = make_room(store, n);
	if (trap == WE_TRAP_NONE) {
		*ret_ref = (we_ref)heap->top;
		heap->top += n;
	}
	set_end(heap);
	return trap;
}

void we_heap_enter(struct we_heap *heap, uint64_t entry)
{
	heap->entry = entry;
	heap->entry_floor = we_heap_allocated_bytes(heap);
	heap->entry_ns = 0;
	set_end(heap);
}

// The pages of [from, to) that no other byte shares.
static void give_back(uint8_t *base, uint64_t from, uint64_t to)
{
	from = round_up(from);
	to = round_up(to);
	if (from < to)
		madvise(base + from, to - from, MADV_DONTNEED);
}

void we_heap_collect(struct we_store *store)
{
	struct we_heap *heap = store->heap;
	struct we_collector *c;

	if (heap == NULL)
		return;
	collect(store, 0, 0);
	set_end(heap);
	c = heap->collector;
	give_back(c->base, heap->top, c->used_bytes);
	give_back((uint8_t *)c->marks, marks_bytes(c->soft_end), marks_bytes(c->used_bytes));
	give_back(c->scratch, scratch_bytes(c->soft_end), scratch_bytes(c->used_bytes));
	c->used_bytes = heap->top;
}
