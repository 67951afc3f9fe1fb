// SPDX-License-Identifier: BSD-3-Clause
// we_heap: the garbage-collected objects of a store: structures, arrays, exceptions, boxed host values.
//
// Module path 4/6. One reservation of at most 4 GiB, filled from below by a bump pointer. When it is full, what can be
// reached from the store's roots is marked and slid together (mark-compact): what can be allocated is
// always one piece. Collections happen only inside we_heap_alloc and we_heap_collect: a reference that is in no
// root is stale after them.
// A reference is 32 bits: 0 is null; bit 0 set is an i31, its value in the upper 31 bits; else the byte offset of an
// object from base, a multiple of 8.
// Owns:   the reservation.
// Thread: the store's worker.
// Spec:   core "Aggregate Instances", "Exception Instances".
#pragma once

#include <string.h>

#include "type.h"

typedef uint32_t we_ref;

#define WE_OBJECT_HEADER_BYTES 8u
#define WE_HEAP_FIRST          16u // offset of the first object: 0 is null

// Types of objects that are no defined type; ids of those are below WE_LIMIT_ENGINE_TYPES.
#define WE_OBJECT_EXN UINT32_MAX       // struct we_tag *, then its arguments as in slots
#define WE_OBJECT_BOX (UINT32_MAX - 1) // u64: a host's value as an any reference

// What every object begins with.
struct we_object {
	uint32_t type; // id of a defined type, or WE_OBJECT_*
	uint32_t len;  // ARRAY: elements; EXN: slots of arguments; else 0
};

// An exception. Its arguments lie as in slots: 8 bytes each, v128 two of them.
struct we_exn {
	struct we_object object;
	const struct we_tag *tag;
	uint64_t args[]; // [object.len]
};

// A host's value that is no object, as an any reference.
struct we_box {
	struct we_object object;
	uint64_t host;
};

// What an array of len elements takes, whatever len: as much as 64 GiB.
static inline uint64_t we_array_bytes(const struct we_deftype *def, uint32_t len)
{
	return (def->fields[0].offset + ((uint64_t)len << def->fields[0].storage) + 7) &
	       ~UINT64_C(7);
}

// What an exception with len slots of arguments takes.
static inline uint64_t we_exn_bytes(uint32_t len)
{
	return sizeof(struct we_exn) + sizeof(uint64_t) * (uint64_t)len;
}

struct we_store;
struct we_store_limits;

// Invariant: WE_HEAP_FIRST <= top <= end <= limit_bytes; in every object that can be reached, every traced field holds null,
// an i31 or an object below top. Unreachable ones may lie among them. end is 0 while every allocation must
// go the slow way (gc stress).
struct we_heap {
	uint8_t *base;         // never moves
	uint64_t top;          // bytes: where the next object begins
	uint64_t end;          // bytes: allocation up to here needs no thought
	uint64_t limit_bytes;  // of everything, side tables included
	uint64_t mapped_bytes; // of the reservation
	uint64_t n_allocated;  // bytes since the heap was made, less top, modulo 2^64
	uint64_t live_bytes;   // where the last collection left top
	uint64_t n_collections;
	uint64_t total_ns;   // of all collections
	uint64_t longest_ns; // of one
	bool is_stress;      // collect at every allocation, poison what is freed
	// Of the entry that runs; see struct we_store_limits.
	uint64_t entry;                 // its number
	uint64_t entry_floor;           // we_heap_allocated_bytes when it began
	uint64_t entry_ns;              // of its collections
	uint64_t max_entry_bytes;       // UINT64_MAX: no budget
	uint64_t max_entry_ns;          // UINT64_MAX: no budget
	struct we_collector *collector; // side tables
};

static inline struct we_object *we_heap_object(const struct we_heap *heap, we_ref ref)
{
	return (struct we_object *)(void *)(heap->base + ref);
}

static inline bool we_ref_is_i31(we_ref ref)
{
	return (ref & 1) != 0;
}

// The host's view of an extern reference that holds an object or an i31: WE_EXTERN_INTERNAL | we_ref. A host's own
// values are below it.
#define WE_EXTERN_INTERNAL (UINT64_C(1) << 63)

// Bytes allocated since the heap was made.
static inline uint64_t we_heap_allocated_bytes(const struct we_heap *heap)
{
	return heap->n_allocated + heap->top;
}

// Make the heap of a store, at most limits->heap_bytes in all, between WE_HEAP_MIN_BYTES and WE_HEAP_MAX_BYTES.
// Nothing is mapped after this. Returns: 0; NOMEM.
WE_MUST_USE int we_heap_create(const struct we_store_limits *limits, bool is_stress,
	struct we_heap **ret_heap, struct we_error *err);
void we_heap_destroy(struct we_heap *heap); // NULL is fine

// Room for an object of n bytes, a multiple of 8 and at least 16 unless it is a structure without fields; may collect. The caller
// writes the header and every field before anything else can be allocated.
// Returns: WE_TRAP_NONE; WE_TRAP_HEAP_EXHAUSTED beyond the entry's budget, or when a collection leaves less than 1/64
// of the limit free (more work would be collecting than computing); WE_TRAP_DEADLINE.
enum we_trap we_heap_alloc_slow(struct we_store *store, uint64_t n, we_ref *ret_ref);

static inline enum we_trap we_heap_alloc(
	struct we_store *store, struct we_heap *heap, uint64_t n, we_ref *ret_ref)
{
	if (__builtin_expect(n > heap->end || heap->top > heap->end - n, 0))
		return we_heap_alloc_slow(store, n, ret_ref);
	*ret_ref = (we_ref)heap->top;
	heap->top += n;
	return WE_TRAP_NONE;
}

// A call from the host begins: its budget is whole. Needed when there is a budget, before the guest runs; entry is
// that of the store, or 0: no entry, no budget.
void we_heap_enter(struct we_heap *heap, uint64_t entry);

// Collect now, outside every budget, and give back to the system what is free. No heap: nothing to do. Makes system
// calls: not for the data path.
void we_heap_collect(struct we_store *store);

// ---- roots --------------------------------------------------------------------------------------

// What the collector does with n roots that lie behind each other, 8 bytes each, all of one kind. It may change them.
// WE_TRACE_ANY: the low 4 bytes are the reference. WE_TRACE_EXTERN: all 8, see WE_EXTERN_INTERNAL.
struct we_root_visitor {
	void (*visit)(struct we_root_visitor *v, uint64_t *cells, size_t n, enum we_trace trace);
};

// Show v every root of the store: frames, globals, tables, element segments, exceptions under way, what the host
// holds. Cells are shown once each, in the same order each time nothing has run in between.
void we_store_visit_roots(struct we_store *store, struct we_root_visitor *v);
