// SPDX-License-Identifier: BSD-3-Clause
// Host memory for the values of calls under way, taken and given back as a stack. Module path 6.
#include "scratch.h"

#include "trap.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

enum {
	CHUNK_BYTES = 16 * 1024, // the least size of a chunk
	ALIGN = 16,
};

struct cm_scratch_chunk {
	struct cm_scratch_chunk *next;
	size_t cap; // bytes
	_Alignas(ALIGN) uint8_t bytes[];
};

void cm_scratch_init(struct cm_scratch *scratch, uint64_t max_bytes)
{
	*scratch = (struct cm_scratch){.max = max_bytes};
}

void cm_scratch_fini(struct cm_scratch *scratch)
{
	struct cm_scratch_chunk *chunk = scratch->first;

	while (chunk) {
		struct cm_scratch_chunk *next = chunk->next;
		free(chunk);
		chunk = next;
	}
	*scratch = (struct cm_scratch){0};
}

// Make a chunk with room for len bytes the one in use. Later chunks are too small: they go.
static int advance(struct cm_scratch *scratch, size_t len, struct we_error *err)
{
	struct cm_scratch_chunk **link = scratch->at ? &scratch->at->next : &scratch->first;
	const size_t cap = len < CHUNK_BYTES ? CHUNK_BYTES : len;
	struct cm_scratch_chunk *chunk;

	while (*link && (*link)->cap < len) {
		chunk = *link;
		*link = chunk->next;
		free(chunk);
	}
	if (!*link) {
		chunk = malloc(sizeof(*chunk) + cap);
		if (!chunk)
			return cm_nomem(err);
		chunk->next = NULL;
		chunk->cap = cap;
		*link = chunk;
	}
	scratch->at = *link;
	scratch->used = 0;
	return 0;
}

int cm_scratch_take(
	struct cm_scratch *scratch, uint64_t n, size_t len, void *ret_bytes, struct we_error *err)
{
	void *bytes;
	size_t want;

	assert(len > 0);
	if (n > (scratch->max - scratch->total) / len)
		return cm_exhausted(err, "bytes of values", scratch->max);
	want = ((size_t)n * len + ALIGN - 1) & ~(size_t)(ALIGN - 1);
	if (!scratch->at || want > scratch->at->cap - scratch->used) {
		const int rc = advance(scratch, want, err);
		if (rc < 0)
			return rc;
	}
	bytes = scratch->at->bytes + scratch->used;
	scratch->used += want;
	scratch->total += n * len;
	memcpy(ret_bytes, &bytes, sizeof(bytes));
	return 0;
}
