// SPDX-License-Identifier: BSD-3-Clause
// canon lower: how core code calls a function of the host. Module path 6.
// Spec: CanonicalABI.md "canon lower".
#include "canon_lower.h"

#include "lift.h"
#include "lower.h"
#include "subtask.h"
#include "value.h"

static struct cm_cx cx_of(const struct cm_lowered *lowered)
{
	return (struct cm_cx){.inst = lowered->inst, .opts = &lowered->opts};
}

// The host answers with a value of another type: its fault, not the guest's.
static int check_result(
	const struct cm_lowered *lowered, const struct cm_val *result, struct we_error *err)
{
	const struct cm_type *type = lowered->func->type->elem;
	struct we_error why;

	if (type && cm_val_check(lowered->inst->store, result, type, &why) < 0)
		return we_error_set(err, WE_E_HOST, 0, "result of a host function: %s", why.msg);
	return 0;
}

int cm_lower_result_to_memory(
	struct cm_call *call, const struct cm_val *result, struct we_error *err)
{
	const struct cm_lowered *lowered = call->lowered;
	const struct cm_type *type = lowered->func->type->elem;
	const struct cm_cx cx = cx_of(lowered);
	const int rc = check_result(lowered, result, err);

	if (rc < 0 || !type)
		return rc;
	return cm_lower_flat_result(&cx, 0, result, type, call->result_ptr, NULL, err);
}

// A synchronous call: the result goes back at once, flat or where the last parameter points to.
static int call_sync(const struct cm_lowered *lowered, const struct cm_val *args, uint64_t *slots,
	struct we_error *err)
{
	const struct cm_func *func = lowered->func;
	const struct cm_type *type = func->type->elem;
	const struct cm_cx cx = cx_of(lowered);
	struct cm_call call = {.lowered = lowered};
	struct cm_val result = {.kind = CM_TUPLE};
	int rc = func->host(func->host_env, &call, args, func->type->n_fields, &result, err);

	if (rc < 0)
		return rc;
	if (rc == CM_PENDING)
		return we_error_set(err, WE_E_HOST, 0, "a synchronous host function is pending");
	rc = check_result(lowered, &result, err);
	if (rc < 0 || !type)
		return rc;
	return cm_lower_flat_result(&cx, CM_MAX_FLAT_RESULTS, &result, type,
		lowered->sig.result_in_memory ? (uint32_t)slots[lowered->sig.n_params - 1] : 0,
		slots, err);
}

// The call goes on without the caller, who gets a handle. Spec: the end of canon_lower.
static int keep(struct cm_subtask *subtask, uint64_t *slots, struct we_error *err)
{
	struct cm_instance *inst = subtask->call.lowered->inst;
	uint32_t subtaski;
	int rc;

	if (!subtask->call.is_deferred)
		return we_error_set(
			err, WE_E_HOST, 0, "a host function is pending without cm_call_defer");
	rc = cm_handles_add(&inst->handles, CM_HANDLE_SUBTASK, subtask, &subtaski, err);
	if (rc < 0)
		return rc;
	subtask->waitable.idx = subtaski;
	inst->store->n_deferred++;
	slots[0] = (uint32_t)subtask->state | subtaski << 4;
	return 0;
}

// A call of an async function: it may go on after the host function has returned.
static int call_async(const struct cm_lowered *lowered, const struct cm_val *args, uint64_t *slots,
	struct we_error *err)
{
	const struct cm_func *func = lowered->func;
	const struct cm_type *type = func->type->elem;
	struct cm_store *store = lowered->inst->store;
	const struct cm_cx cx = cx_of(lowered);
	struct cm_val result = {.kind = CM_TUPLE};
	const uint32_t max_flat = lowered->opts.is_async ? 0 : CM_MAX_FLAT_RESULTS;
	struct cm_subtask *subtask;
	int rc = cm_subtask_create(store, &subtask, err);

	if (rc < 0)
		return rc;
	subtask->state = CM_SUBTASK_STARTED;
	subtask->call.lowered = lowered;
	if (lowered->sig.result_in_memory)
		subtask->call.result_ptr = (uint32_t)slots[lowered->sig.n_params - 1];
	rc = func->host(func->host_env, &subtask->call, args, func->type->n_fields, &result, err);
	if (rc < 0)
		return rc;
	if (rc == CM_PENDING) {
		if (!lowered->opts.is_async)
			return cm_task_block(store, "synchronous call of an async function", err);
		return keep(subtask, slots, err);
	}
	rc = check_result(lowered, &result, err);
	if (rc == 0 && type)
		rc = cm_lower_flat_result(
			&cx, max_flat, &result, type, subtask->call.result_ptr, slots, err);
	cm_subtask_destroy(store, subtask);
	if (rc == 0 && lowered->opts.is_async)
		slots[0] = CM_SUBTASK_RETURNED;
	return rc;
}

int cm_canon_lower(void *env, uint64_t *slots, struct we_error *err)
{
	const struct cm_lowered *lowered = env;
	const struct cm_type *type = lowered->func->type;
	struct cm_scratch *scratch = &lowered->inst->store->scratch;
	const struct cm_scratch_mark mark = cm_scratch_mark(scratch);
	const struct cm_cx cx = cx_of(lowered);
	struct cm_val *args = NULL;
	int rc = 0;

	if (!lowered->inst->may_leave)
		return cm_trap(err, CM_TRAP_CANNOT_LEAVE);
	if (type->n_fields > 0)
		rc = cm_scratch_take(scratch, type->n_fields, sizeof(*args), &args, err);
	if (rc == 0)
		rc = cm_lift_flat_params(&cx,
			lowered->opts.is_async ? CM_MAX_FLAT_ASYNC_PARAMS : CM_MAX_FLAT_PARAMS,
			slots, type, args, err);
	if (rc == 0)
		rc = type->is_async ? call_async(lowered, args, slots, err)
				    : call_sync(lowered, args, slots, err);
	cm_scratch_release(scratch, mark);
	return rc;
}
