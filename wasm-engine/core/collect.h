// SPDX-License-Identifier: BSD-3-Clause
// we_collector: one collection of a heap: mark what can be reached, slide it together.
//
// Module path 4/6. Private to heap.c and collect.c.
// Owns:   nothing; its tables lie in the heap's reservation.
// Thread: the store's worker.
#pragma once

#include <stdbool.h>
#include <stdint.h>

#define WE_GRANULE_BYTES 8u   // objects are made of these
#define WE_BLOCK_BYTES   512u // whose granules one word of marks stands for
#define WE_LIFT_BYTES    16u

struct we_store;

struct we_collector {
	uint8_t *base;            // the heap's
	uint64_t *marks;          // [space_bytes / WE_BLOCK_BYTES] a bit per granule
	void *scratch;            // objects to trace, then a uint32_t per block: where it goes
	uint64_t scratch_bytes;   // a multiple of 8
	uint64_t space_bytes;     // for objects
	uint64_t soft_end;        // bytes: when top gets here it is time to collect
	uint64_t used_bytes;      // of the space, since free pages were given back
	uint64_t max_waste_bytes; // that may stay free among objects that then need not move
	bool is_lifted; // the first object begins WE_LIFT_BYTES above WE_HEAP_FIRST (gc stress)
};

// Collect the objects below top; they end up lifted if it says so. With one collection lifted and the next one not, every
// object moves each time.
// Returns: the new top, above the old one by at most WE_LIFT_BYTES; 0 when the entry that runs was told to end before anything
// has moved: then the heap is what it was.
uint64_t we_collector_run(
	const struct we_collector *collector, struct we_store *store, uint64_t top);
