// SPDX-License-Identifier: BSD-3-Clause
// The canonical built-ins but for streams and futures, and the table of all. Module path 6.
// Spec: CanonicalABI.md "Canonical Definitions", one heading a function.
#include "builtins.h"

#include "copy.h"
#include "lift.h"
#include "stream.h"
#include "subtask.h"

#include <string.h>

static int may_leave(const struct cm_builtin *b, struct we_error *err)
{
	return b->cx.inst->may_leave ? 0 : cm_trap(err, CM_TRAP_CANNOT_LEAVE);
}

// ---- task ---------------------------------------------------------------------------------------

static int canon_context_get(void *env, uint64_t *slots, struct we_error *err)
{
	const struct cm_builtin *b = env;

	(void)err;
	slots[0] = b->cx.inst->store->current->storage[b->slot];
	return 0;
}

static int canon_context_set(void *env, uint64_t *slots, struct we_error *err)
{
	const struct cm_builtin *b = env;

	(void)err;
	b->cx.inst->store->current->storage[b->slot] = (uint32_t)slots[0];
	return 0;
}

static int canon_backpressure_inc(void *env, uint64_t *slots, struct we_error *err)
{
	const struct cm_builtin *b = env;

	(void)slots;
	if (++b->cx.inst->backpressure > UINT16_MAX)
		return cm_trap(err, CM_TRAP_BACKPRESSURE);
	return 0;
}

static int canon_backpressure_dec(void *env, uint64_t *slots, struct we_error *err)
{
	const struct cm_builtin *b = env;
	struct cm_instance *inst = b->cx.inst;

	(void)slots;
	if (inst->backpressure == 0)
		return cm_trap(err, CM_TRAP_BACKPRESSURE);
	if (--inst->backpressure == 0 && inst->num_waiting_to_enter > 0)
		cm_store_make_ready(inst->store, &inst->entry);
	return 0;
}

static int canon_task_return(void *env, uint64_t *slots, struct we_error *err)
{
	const struct cm_builtin *b = env;
	struct cm_store *store = b->cx.inst->store;
	struct cm_task *task = store->current;
	const struct cm_scratch_mark mark = cm_scratch_mark(&store->scratch);
	struct cm_val result = {.kind = CM_TUPLE};
	int rc = may_leave(b, err);

	if (rc < 0)
		return rc;
	if (!task->func || !task->func->opts.is_async)
		return cm_trap(err, CM_TRAP_NOT_ASYNC_TASK);
	if (!cm_elem_equal(b->type, task->func->type->elem) ||
		!cm_options_lift_equal(&b->opts, &task->func->opts))
		return cm_trap(err, CM_TRAP_RETURN_TYPE);
	if (b->type)
		rc = cm_lift_flat_result(&b->cx, CM_MAX_FLAT_PARAMS, slots, b->type, &result, err);
	if (rc == 0)
		rc = cm_task_return(task, &result, err);
	cm_scratch_release(&store->scratch, mark);
	return rc;
}

static int canon_task_cancel(void *env, uint64_t *slots, struct we_error *err)
{
	const struct cm_builtin *b = env;
	struct cm_task *task = b->cx.inst->store->current;
	const int rc = may_leave(b, err);

	(void)slots;
	if (rc < 0)
		return rc;
	if (!task->func || !task->func->opts.is_async)
		return cm_trap(err, CM_TRAP_NOT_ASYNC_TASK);
	return cm_task_cancelled(task, err);
}

// Whether to let others run first is open: this thread is ready, and goes on. Spec: Thread.wait_until.
static int canon_thread_yield(void *env, uint64_t *slots, struct we_error *err)
{
	const struct cm_builtin *b = env;
	const int rc = may_leave(b, err);

	if (rc < 0)
		return rc;
	slots[0] = cm_task_deliver_pending_cancel(b->cx.inst->store->current, b->is_cancellable);
	return 0;
}

// ---- waitable sets ------------------------------------------------------------------------------

static int canon_waitable_set_new(void *env, uint64_t *slots, struct we_error *err)
{
	const struct cm_builtin *b = env;
	struct cm_waitable_set *wset;
	uint32_t i = 0;
	int rc = may_leave(b, err);

	if (rc == 0)
		rc = cm_waitable_set_create(b->cx.inst->store, &wset, err);
	if (rc < 0)
		return rc;
	rc = cm_handles_add(&b->cx.inst->handles, CM_HANDLE_WAITABLE_SET, wset, &i, err);
	if (rc < 0)
		cm_waitable_set_destroy(wset);
	slots[0] = i;
	return rc;
}

// Spec: unpack_event.
static int unpack_event(const struct cm_builtin *b, uint32_t ptr, struct cm_event event,
	uint64_t *slots, struct we_error *err)
{
	const uint32_t payload[2] = {event.p1, event.p2};

	if (!cm_is_aligned(ptr, sizeof(payload[0])))
		return cm_trap(err, CM_TRAP_UNALIGNED);
	if (!cm_cx_has(&b->cx, ptr, sizeof(payload)))
		return cm_trap(err, CM_TRAP_OUT_OF_BOUNDS);
	memcpy(cm_cx_span(&b->cx, ptr, sizeof(payload)), payload, sizeof(payload));
	slots[0] = event.code;
	return 0;
}

// Spec: the first checks of waitable-set.wait, poll, drop.
static int get_set(const struct cm_builtin *b, uint32_t si, struct cm_waitable_set **ret_wset,
	struct we_error *err)
{
	if (!b->cx.inst->may_leave)
		return cm_trap(err, CM_TRAP_CANNOT_LEAVE);
	*ret_wset = cm_handles_get(&b->cx.inst->handles, si, CM_HANDLE_WAITABLE_SET);
	return *ret_wset ? 0 : cm_handles_blame(&b->cx.inst->handles, si, err);
}

static int canon_waitable_set_wait(void *env, uint64_t *slots, struct we_error *err)
{
	const struct cm_builtin *b = env;
	struct cm_store *store = b->cx.inst->store;
	struct cm_event event = {.code = CM_EVENT_TASK_CANCELLED};
	struct cm_waitable_set *wset;
	const int rc = get_set(b, (uint32_t)slots[0], &wset, err);

	if (rc < 0)
		return rc;
	if (!cm_task_deliver_pending_cancel(store->current, b->is_cancellable)) {
		if (!cm_waitable_set_has_pending_event(wset))
			return cm_task_block(store, "waitable-set.wait", err);
		event = cm_waitable_set_get_pending_event(wset);
	}
	return unpack_event(b, (uint32_t)slots[1], event, slots, err);
}

static int canon_waitable_set_poll(void *env, uint64_t *slots, struct we_error *err)
{
	const struct cm_builtin *b = env;
	struct cm_event event = {.code = CM_EVENT_NONE};
	struct cm_waitable_set *wset;
	const int rc = get_set(b, (uint32_t)slots[0], &wset, err);

	if (rc < 0)
		return rc;
	if (cm_task_deliver_pending_cancel(b->cx.inst->store->current, b->is_cancellable))
		event.code = CM_EVENT_TASK_CANCELLED;
	else if (cm_waitable_set_has_pending_event(wset))
		event = cm_waitable_set_get_pending_event(wset);
	return unpack_event(b, (uint32_t)slots[1], event, slots, err);
}

static int canon_waitable_set_drop(void *env, uint64_t *slots, struct we_error *err)
{
	const struct cm_builtin *b = env;
	struct cm_waitable_set *wset;
	const int rc = get_set(b, (uint32_t)slots[0], &wset, err);

	if (rc < 0)
		return rc;
	if (wset->n_elems > 0)
		return cm_trap(err, CM_TRAP_SET_NOT_EMPTY);
	if (!cm_link_is_alone(&wset->waiters))
		return cm_trap(err, CM_TRAP_SET_HAS_WAITERS);
	cm_handles_remove(&b->cx.inst->handles, (uint32_t)slots[0]);
	cm_waitable_set_destroy(wset);
	return 0;
}

static int canon_waitable_join(void *env, uint64_t *slots, struct we_error *err)
{
	const struct cm_builtin *b = env;
	const uint32_t wi = (uint32_t)slots[0];
	const uint32_t si = (uint32_t)slots[1];
	struct cm_waitable_set *wset = NULL;
	struct cm_waitable *w;
	int rc = may_leave(b, err);

	if (rc < 0)
		return rc;
	w = cm_handles_get_waitable(&b->cx.inst->handles, wi);
	if (!w)
		return cm_handles_blame(&b->cx.inst->handles, wi, err);
	if (si != 0)
		rc = get_set(b, si, &wset, err);
	if (rc == 0)
		cm_waitable_join(w, wset);
	return rc;
}

// ---- subtasks -----------------------------------------------------------------------------------

// Spec: the first checks of subtask.cancel, drop.
static int get_subtask(const struct cm_builtin *b, uint32_t i, struct cm_subtask **ret_subtask,
	struct we_error *err)
{
	if (!b->cx.inst->may_leave)
		return cm_trap(err, CM_TRAP_CANNOT_LEAVE);
	*ret_subtask = cm_handles_get(&b->cx.inst->handles, i, CM_HANDLE_SUBTASK);
	return *ret_subtask ? 0 : cm_handles_blame(&b->cx.inst->handles, i, err);
}

static int canon_subtask_cancel(void *env, uint64_t *slots, struct we_error *err)
{
	const struct cm_builtin *b = env;
	struct cm_subtask *subtask;
	const int rc = get_subtask(b, (uint32_t)slots[0], &subtask, err);

	if (rc < 0)
		return rc;
	if (subtask->resolve_delivered)
		return cm_trap(err, CM_TRAP_SUBTASK_DELIVERED);
	if (subtask->cancellation_requested)
		return cm_trap(err, CM_TRAP_SUBTASK_CANCELLED);
	if (subtask->waitable.wset && !b->is_async)
		return cm_trap(err, CM_TRAP_SYNC_IN_SET);
	if (!cm_subtask_resolved(subtask)) {
		cm_subtask_request_cancellation(subtask);
		if (!cm_subtask_resolved(subtask)) {
			if (!b->is_async)
				return cm_task_block(b->cx.inst->store, "subtask.cancel", err);
			slots[0] = CM_CORE_BLOCKED;
			return 0;
		}
	}
	slots[0] = cm_waitable_get_pending_event(&subtask->waitable).p2;
	return 0;
}

static int canon_subtask_drop(void *env, uint64_t *slots, struct we_error *err)
{
	const struct cm_builtin *b = env;
	struct cm_subtask *subtask;
	const int rc = get_subtask(b, (uint32_t)slots[0], &subtask, err);

	if (rc < 0)
		return rc;
	if (!subtask->resolve_delivered)
		return cm_trap(err, CM_TRAP_SUBTASK_BUSY);
	cm_handles_remove(&b->cx.inst->handles, (uint32_t)slots[0]);
	cm_waitable_drop(&subtask->waitable);
	cm_subtask_destroy(b->cx.inst->store, subtask);
	return 0;
}

// ---- the table ----------------------------------------------------------------------------------

// Rows behind a gate that is closed have no function.
#define FN_BASE(handler)           handler
#define FN_RESOURCES(handler)      NULL
#define FN_ERROR_CONTEXT(handler)  NULL
#define FN_THREADS(handler)        NULL
#define FN_SHARED_THREADS(handler) NULL

we_host_fn cm_builtin_fn(enum cm_canon op)
{
	static const we_host_fn fns[CM_CANON_N] = {
#define CM_CANON(code, NAME, text, gate, immediates, params, results, handler)                     \
	[CM_CANON_##NAME] = FN_##gate(handler),
#include "canon.def"
#undef CM_CANON
	};
	return fns[op];
}
