// SPDX-License-Identifier: BSD-3-Clause
// cm_handles: the handle table of a component instance: small indices for waitables and waitable sets.
//
// Module path 6. Index 0 is never used, so that guests can take it for none.
// Owns:    the array; the things in it belong to the store.
// Thread:  one worker; no locks.
// Spec:    CanonicalABI.md "Table State".
#pragma once

#include "trap.h"

#include <assert.h>

enum {
	CM_HANDLES_MAX = (1 << 28) - 1, // Table.MAX_LENGTH
};

enum cm_handle_kind {
	CM_HANDLE_NONE, // a free entry
	CM_HANDLE_WAITABLE_SET,
	CM_HANDLE_SUBTASK, // from here on: waitables
	CM_HANDLE_STREAM_READABLE,
	CM_HANDLE_STREAM_WRITABLE,
	CM_HANDLE_FUTURE_READABLE,
	CM_HANDLE_FUTURE_WRITABLE,
};

struct cm_handle {
	void *thing;            // NULL when free
	uint32_t kind;          // enum cm_handle_kind
	uint32_t next_free_idx; // when free; 0: the last
};

// Invariant: len <= cap <= max + 1; entries [1, len) are in use or on the free list, each once.
struct cm_handles {
	struct cm_handle *array; // [cap]
	uint32_t len;
	uint32_t cap;
	uint32_t free_idx; // first free entry, 0: none
	uint32_t max;      // most handles at one time, <= CM_HANDLES_MAX
};

void cm_handles_init(struct cm_handles *handles, uint32_t max);
void cm_handles_fini(struct cm_handles *handles);

// Returns: 0; EXHAUSTED beyond max; NOMEM.
WE_MUST_USE int cm_handles_add(struct cm_handles *handles, enum cm_handle_kind kind, void *thing,
	uint32_t *ret_idx, struct we_error *err);

// The thing at idx if it is of that kind, else NULL: then cm_handles_blame says how to trap.
static inline void *cm_handles_get(
	const struct cm_handles *handles, uint32_t idx, enum cm_handle_kind kind)
{
	assert(kind != CM_HANDLE_NONE);
	if (idx >= handles->len || handles->array[idx].kind != (uint32_t)kind)
		return NULL;
	return handles->array[idx].thing;
}

// Any kind of waitable, else NULL.
void *cm_handles_get_waitable(const struct cm_handles *handles, uint32_t idx);

// Trap for an index at which no thing of the wanted kind stands.
int cm_handles_blame(const struct cm_handles *handles, uint32_t idx, struct we_error *err);

// Needs: idx in use.
void cm_handles_remove(struct cm_handles *handles, uint32_t idx);
