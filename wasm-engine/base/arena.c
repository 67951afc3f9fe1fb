// SPDX-License-Identifier: BSD-3-Clause
// we_arena: see arena.h.
#include "arena.h"

#include <stdalign.h>
#include <stdint.h>
#include <stdlib.h>

enum {
	FIRST_CHUNK = 4096,
	LAST_CHUNK = 1 << 20,
	ALIGN = 16
}; // bytes

struct we_arena_chunk {
	alignas(ALIGN) struct we_arena_chunk *next;
	alignas(ALIGN) uint8_t data[];
};

void we_arena_fini(struct we_arena *arena)
{
	struct we_arena_chunk *chunk = arena->chunks;

	while (chunk != NULL) {
		struct we_arena_chunk *next = chunk->next;

		free(chunk);
		chunk = next;
	}
	*arena = (struct we_arena){0};
}

void *we_arena_alloc(struct we_arena *arena, size_t len)
{
	void *piece;

	if (len > SIZE_MAX / 2)
		return NULL;
	len = (len + ALIGN - 1) & ~(size_t)(ALIGN - 1);
	if (arena->cap - arena->used < len) {
		// Chunks double, so that a large module costs few allocations and a small one
		// little memory.
		size_t cap = arena->cap < FIRST_CHUNK  ? FIRST_CHUNK
			     : arena->cap < LAST_CHUNK ? arena->cap * 2
						       : LAST_CHUNK;
		struct we_arena_chunk *chunk;

		if (cap < len)
			cap = len;
		chunk = calloc(1, sizeof(*chunk) + cap);
		if (chunk == NULL)
			return NULL;
		chunk->next = arena->chunks;
		arena->chunks = chunk;
		arena->used = 0;
		arena->cap = cap;
	}
	piece = arena->chunks == NULL ? NULL : arena->chunks->data + arena->used;
	arena->used += len;
	return piece;
}

void *we_arena_array(struct we_arena *arena, size_t n, size_t elem_bytes)
{
	size_t len;

	if (__builtin_mul_overflow(n, elem_bytes, &len))
		return NULL;
	return we_arena_alloc(arena, len > 0 ? len : 1);
}
