// SPDX-License-Identifier: BSD-3-Clause
// A call that a guest made and that was not finished at once. Module path 6.
// Spec: CanonicalABI.md "Subtask State".
#include "subtask.h"

#include <stdlib.h>

struct cm_call_piece {
	struct cm_call_piece *next;
	_Alignas(16) uint8_t bytes[];
};

int cm_subtask_create(struct cm_store *store, struct cm_subtask **ret_subtask, struct we_error *err)
{
	struct cm_subtask *subtask;
	const int rc = cm_store_may_start(store, err);

	if (rc < 0)
		return rc;
	subtask = cm_pool_take(&store->subtasks, sizeof(*subtask));
	if (!subtask)
		return cm_nomem(err);
	cm_waitable_init(&subtask->waitable, CM_HANDLE_SUBTASK);
	cm_link_append(&store->live_subtasks, &subtask->all);
	subtask->state = CM_SUBTASK_STARTING;
	subtask->cancellation_requested = false;
	subtask->resolve_delivered = false;
	subtask->call = (struct cm_call){.can_defer = true};
	*ret_subtask = subtask;
	return 0;
}

void cm_subtask_destroy(struct cm_store *store, struct cm_subtask *subtask)
{
	cm_call_free_pieces(&subtask->call);
	cm_link_remove(&subtask->all);
	cm_pool_give(&store->subtasks, subtask);
}

struct cm_event cm_subtask_event(struct cm_waitable *w)
{
	struct cm_subtask *subtask = (struct cm_subtask *)w;

	if (cm_subtask_resolved(subtask))
		subtask->resolve_delivered = true;
	return (struct cm_event){
		.code = CM_EVENT_SUBTASK,
		.p1 = w->idx,
		.p2 = (uint32_t)subtask->state,
	};
}

static void resolve(struct cm_subtask *subtask, enum cm_subtask_state state)
{
	assert(!cm_subtask_resolved(subtask));
	subtask->state = state;
	subtask->call.lowered->inst->store->n_deferred--;
	cm_call_free_pieces(&subtask->call);
	cm_waitable_set_pending_event(&subtask->waitable);
}

void cm_subtask_request_cancellation(struct cm_subtask *subtask)
{
	struct cm_call *call = &subtask->call;

	subtask->cancellation_requested = true;
	if (call->cancelled)
		call->cancelled(call->env);
	resolve(subtask, CM_SUBTASK_CANCELLED_BEFORE_RETURNED);
}

// ---- the host's side ----------------------------------------------------------------------------

void cm_call_free_pieces(struct cm_call *call)
{
	while (call->pieces) {
		struct cm_call_piece *piece = call->pieces;
		call->pieces = piece->next;
		free(piece);
	}
}

void *cm_call_alloc(struct cm_call *call, size_t len)
{
	struct cm_call_piece *piece;
	void *bytes;

	if (len == 0)
		len = 1;
	if (!call->is_deferred) {
		struct cm_scratch *scratch = &call->lowered->inst->store->scratch;
		return cm_scratch_take(scratch, 1, len, &bytes, NULL) == 0 ? bytes : NULL;
	}
	if (len > SIZE_MAX - sizeof(*piece))
		return NULL;
	piece = malloc(sizeof(*piece) + len);
	if (!piece)
		return NULL;
	piece->next = call->pieces;
	call->pieces = piece;
	return piece->bytes;
}

void cm_call_defer(struct cm_call *call, void (*cancelled)(void *env), void *env)
{
	assert(call->can_defer && !call->is_deferred);
	call->is_deferred = true;
	call->cancelled = cancelled;
	call->env = env;
}

int cm_call_resolve(struct cm_call *call, const struct cm_val *result, struct we_error *err)
{
	struct cm_subtask *subtask = cm_of_link(call, struct cm_subtask, call);
	struct cm_store *store = call->lowered->inst->store;
	int rc = cm_store_check(store, err);

	if (rc < 0)
		return rc;
	assert(call->is_deferred && subtask->waitable.idx != 0);
	rc = cm_lower_result_to_memory(call, result, &store->dead);
	if (rc < 0)
		return cm_store_end(store, rc, err);
	resolve(subtask, CM_SUBTASK_RETURNED);
	return 0;
}
