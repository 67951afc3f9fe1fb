// SPDX-License-Identifier: BSD-3-Clause
// we_arena: memory that is given out piece by piece and freed all at once.
//
// Owns:   its chunks.
// Thread: one at a time.
#pragma once

#include <stddef.h>

struct we_arena_chunk;

// All zeros is an empty arena.
struct we_arena {
	struct we_arena_chunk *chunks; // newest first
	size_t used;                   // bytes of the newest chunk
	size_t cap;                    // bytes of the newest chunk
};

void we_arena_fini(struct we_arena *arena);
// Zeroed, aligned to 16. Returns: NULL when the host is out of memory.
void *we_arena_alloc(struct we_arena *arena, size_t len);
// n elements of elem_bytes each; also NULL when the product overflows. Never NULL for n == 0.
void *we_arena_array(struct we_arena *arena, size_t n, size_t elem_bytes);
