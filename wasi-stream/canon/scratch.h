// SPDX-License-Identifier: BSD-3-Clause
// cm_scratch: host memory for the values of calls under way, taken and given back as a stack.
//
// Module path 6. Chunks are kept, so that a call like an earlier one allocates nothing.
// Owns:    its chunks.
// Thread:  one worker; no locks.
#pragma once

#include "we.h"

struct cm_scratch_chunk;

// Invariant: used <= cap of the chunk at; total counts what is taken in all chunks.
struct cm_scratch {
	struct cm_scratch_chunk *first; // lends at the end of the list only
	struct cm_scratch_chunk *at;    // the chunk in use, NULL: none yet
	size_t used;                    // bytes taken from it
	uint64_t total;                 // bytes taken in all chunks
	uint64_t max;                   // bytes for values at one time
};

struct cm_scratch_mark {
	struct cm_scratch_chunk *at;
	size_t used;
	uint64_t total;
};

void cm_scratch_init(struct cm_scratch *scratch, uint64_t max_bytes);
void cm_scratch_fini(struct cm_scratch *scratch);

static inline struct cm_scratch_mark cm_scratch_mark(const struct cm_scratch *scratch)
{
	return (struct cm_scratch_mark){scratch->at, scratch->used, scratch->total};
}
// Give back all that was taken since mark.
static inline void cm_scratch_release(struct cm_scratch *scratch, struct cm_scratch_mark mark)
{
	scratch->at = mark.at;
	scratch->used = mark.used;
	scratch->total = mark.total;
}

// n things of len bytes each, aligned for anything, not cleared. Lends until the release of a mark
// set before. Returns: 0; EXHAUSTED beyond max_bytes; NOMEM.
WE_MUST_USE int cm_scratch_take(
	struct cm_scratch *scratch, uint64_t n, size_t len, void *ret_bytes, struct we_error *err);
