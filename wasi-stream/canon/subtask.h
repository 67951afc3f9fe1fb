// SPDX-License-Identifier: BSD-3-Clause
// cm_subtask: a call that a guest made and that was not finished at once, seen from the caller.
//
// Module path 6. The callee is the host: it started the call at once and resolves it later.
// Owns:    memory that the host took with cm_call_alloc after cm_call_defer.
// Thread:  one worker; no locks.
// Spec:    CanonicalABI.md "Subtask State".
#pragma once

#include "canon_lower.h"
#include "waitable.h"

enum cm_subtask_state {
	CM_SUBTASK_STARTING = 0,
	CM_SUBTASK_STARTED = 1,
	CM_SUBTASK_RETURNED = 2,
	CM_SUBTASK_CANCELLED_BEFORE_STARTED = 3,
	CM_SUBTASK_CANCELLED_BEFORE_RETURNED = 4,
};

// A piece of memory that a deferred call needs until it is resolved.
struct cm_call_piece;

// What the host sees of a call of one of its functions.
struct cm_call {
	const struct cm_lowered *lowered;
	bool can_defer;      // an async function
	bool is_deferred;    // by cm_call_defer
	uint32_t result_ptr; // where the result goes, if it goes to memory
	void (*cancelled)(void *env);
	void *env;
	struct cm_call_piece *pieces;
};

struct cm_subtask {
	struct cm_waitable waitable; // first: a handle leads here
	struct cm_link all;          // in the store's subtasks
	enum cm_subtask_state state;
	bool cancellation_requested;
	bool resolve_delivered;
	struct cm_call call;
};

static inline bool cm_subtask_resolved(const struct cm_subtask *subtask)
{
	return subtask->state >= CM_SUBTASK_RETURNED;
}

WE_MUST_USE int cm_subtask_create(
	struct cm_store *store, struct cm_subtask **ret_subtask, struct we_error *err);
// Its handle is gone, or never was.
void cm_subtask_destroy(struct cm_store *store, struct cm_subtask *subtask);
struct cm_event cm_subtask_event(struct cm_waitable *w);
// Ask the callee to stop. A host function stops at once.
void cm_subtask_request_cancellation(struct cm_subtask *subtask);
void cm_call_free_pieces(struct cm_call *call);
