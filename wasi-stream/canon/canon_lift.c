// SPDX-License-Identifier: BSD-3-Clause
// canon lift: how the host calls a function of a component. Module path 6, data path 4/7.
// Spec: CanonicalABI.md "canon lift".
#include "canon_lift.h"

#include "lift.h"
#include "lower.h"
#include "value.h"

#include <stdlib.h>

enum {
	CODE_EXIT = 0,
	CODE_YIELD = 1,
	CODE_WAIT = 2,
	CODE_MASK = 15,
	CODE_BITS = 4,
};

static struct cm_cx cx_of(const struct cm_task *task)
{
	return (struct cm_cx){.inst = task->inst, .opts = &task->func->opts};
}

// Run core code as the task: its instance cannot be entered meanwhile, and it alone runs there.
static int call_core(
	struct cm_task *task, struct we_func *callee, uint64_t *slots, struct we_error *err)
{
	struct cm_instance *inst = task->inst;
	struct cm_store *store = inst->store;
	struct cm_task *previous = store->current;
	int rc;

	store->current = task;
	rc = we_func_call(callee, slots, err);
	store->current = previous;
	return rc;
}

static void enter(struct cm_task *task)
{
	struct cm_instance *inst = task->inst;

	assert(cm_instance_may_enter(inst) && !inst->exclusive_thread);
	cm_instance_set_may_enter(inst, false);
	inst->exclusive_thread = task;
	inst->store->nesting_depth++;
	task->wait = CM_TASK_RUNNING;
}

static void leave(struct cm_instance *inst)
{
	inst->store->nesting_depth--;
	inst->exclusive_thread = NULL;
	cm_instance_set_may_enter(inst, true);
}

// Spec: Task.exit_implicit_thread, unregister_thread.
static int exit_thread(struct cm_task *task, struct we_error *err)
{
	const struct cm_on_return on_return = task->on_return;

	if (task->state != CM_TASK_RESOLVED)
		return cm_trap(err, CM_TRAP_NOT_RESOLVED);
	cm_task_destroy(task);
	if (on_return.exited)
		on_return.exited(on_return.env);
	return 0;
}

static int call_callback(
	struct cm_task *task, struct cm_event event, uint32_t *ret_packed, struct we_error *err)
{
	uint64_t slots[3] = {event.code, event.p1, event.p2};
	const int rc = call_core(task, task->func->opts.callback, slots, err);

	*ret_packed = (uint32_t)slots[0];
	return rc;
}

static void yield(struct cm_task *task)
{
	task->wait = CM_TASK_WAITS_YIELDED;
	cm_store_make_ready(task->inst->store, &task->ready);
}

static void wait(struct cm_task *task, struct cm_waitable_set *wset)
{
	task->wait = CM_TASK_WAITS_SET;
	task->wset = wset;
	cm_link_append(&wset->waiters, &task->waiting);
	cm_waitable_set_update(wset);
}

// What core code answered: exit, or wait for the next event. A cancellation that could not be delivered
// until now is the next event. Spec: the loop of canon_lift.
static int go_on(struct cm_task *task, uint32_t packed, struct we_error *err)
{
	struct cm_instance *inst = task->inst;
	struct cm_waitable_set *wset = NULL;
	int rc;

	for (;;) {
		const uint32_t code = packed & CODE_MASK;
		const uint32_t si = packed >> CODE_BITS;

		switch (code) {
		case CODE_EXIT:
			leave(inst);
			return exit_thread(task, err);
		case CODE_YIELD:
			break;
		case CODE_WAIT:
			wset = cm_handles_get(&inst->handles, si, CM_HANDLE_WAITABLE_SET);
			if (!wset)
				return cm_handles_blame(&inst->handles, si, err);
			break;
		default:
			return cm_trap_at(err, CM_TRAP_CALLBACK_CODE, code);
		}
		if (!cm_task_deliver_pending_cancel(task, true)) {
			leave(inst);
			if (code == CODE_YIELD)
				yield(task);
			else
				wait(task, wset);
			return 0;
		}
		rc = call_callback(
			task, (struct cm_event){.code = CM_EVENT_TASK_CANCELLED}, &packed, err);
		if (rc < 0)
			return rc;
	}
}

int cm_task_resume(struct cm_task *task, struct cm_event event, struct we_error *err)
{
	uint32_t packed;
	int rc;

	enter(task);
	rc = call_callback(task, event, &packed, err);
	if (rc < 0)
		return rc;
	return go_on(task, packed, err);
}

// ---- the call itself ----------------------------------------------------------------------------

// Lift the result of a synchronous callee, return it, and let post-return free what it used.
static int return_sync(struct cm_task *task, uint64_t *slots, struct we_error *err)
{
	const struct cm_func *func = task->func;
	struct cm_instance *inst = task->inst;
	struct cm_scratch *scratch = &inst->store->scratch;
	const struct cm_scratch_mark mark = cm_scratch_mark(scratch);
	const struct cm_cx cx = cx_of(task);
	struct cm_val result = {.kind = CM_TUPLE};
	int rc = 0;

	if (func->type->elem)
		rc = cm_lift_flat_result(
			&cx, CM_MAX_FLAT_RESULTS, slots, func->type->elem, &result, err);
	if (rc == 0)
		rc = cm_task_return(task, &result, err);
	cm_scratch_release(scratch, mark);
	if (rc < 0 || !func->opts.post_return)
		return rc;
	inst->may_leave = false;
	rc = call_core(task, func->opts.post_return, slots, err);
	inst->may_leave = true;
	return rc;
}

// Lower the arguments and call. Needs: the instance has been entered.
static int call(struct cm_task *task, const struct cm_val *args, struct we_error *err)
{
	const struct cm_func *func = task->func;
	const struct cm_cx cx = cx_of(task);
	uint64_t slots[CM_FLAT_SPILLED] = {0};
	int rc;

	task->state = CM_TASK_STARTED;
	rc = cm_lower_flat_params(&cx, args, func->type, slots, err);
	if (rc < 0)
		return rc;
	rc = call_core(task, func->callee, slots, err);
	if (rc < 0)
		return rc;
	if (func->opts.is_async)
		return go_on(task, (uint32_t)slots[0], err);
	rc = return_sync(task, slots, err);
	if (rc < 0)
		return rc;
	leave(task->inst);
	return exit_thread(task, err);
}

static bool has_backpressure(const struct cm_instance *inst)
{
	return inst->backpressure > 0 || inst->exclusive_thread;
}

// Spec: the waiting half of Task.enter_implicit_thread.
static int wait_to_enter(struct cm_task *task, const struct cm_val *args, struct we_error *err)
{
	struct cm_instance *inst = task->inst;
	const int rc = cm_vals_copy(args, task->func->type->n_fields,
		inst->store->limits.value_bytes, &task->args, err);

	if (rc < 0)
		return rc;
	task->wait = CM_TASK_WAITS_ENTRY;
	cm_link_append(&inst->waiting_to_enter, &task->waiting);
	inst->num_waiting_to_enter++;
	return 0;
}

int cm_instance_admit(struct cm_instance *inst, struct we_error *err)
{
	struct cm_task *task;
	struct cm_val *args;
	int rc;

	if (inst->num_waiting_to_enter == 0 || has_backpressure(inst))
		return 0; // backpressure came back, or the task was cancelled: the next end of it tries again
	task = cm_of_link(inst->waiting_to_enter.next, struct cm_task, waiting);
	cm_link_remove(&task->waiting);
	if (--inst->num_waiting_to_enter > 0)
		cm_store_make_ready(inst->store, &inst->entry);
	args = task->args;
	task->args = NULL;
	enter(task);
	rc = call(task, args, err);
	free(args);
	return rc;
}

static int check_args(const struct cm_func *func, const struct cm_val *args, uint32_t n_args,
	struct we_error *err)
{
	if (n_args != func->type->n_fields)
		return we_error_set(err, WE_E_INVALID, 0, "%u arguments for %u parameters", n_args,
			func->type->n_fields);
	for (uint32_t i = 0; i < n_args; i++) {
		const int rc =
			cm_val_check(func->inst->store, &args[i], func->type->fields[i].type, err);
		if (rc < 0)
			return rc;
	}
	return 0;
}

int cm_func_start(struct cm_func *func, const struct cm_val *args, uint32_t n_args,
	const struct cm_on_return *on_return, struct cm_task **ret_task, struct we_error *err)
{
	struct cm_store *store;
	struct cm_task *task;
	int rc;

	if (!func->inst)
		return cm_unsupported(err, "call of an import that is exported again");
	store = func->inst->store;
	rc = cm_store_check(store, err);
	if (rc == 0)
		rc = check_args(func, args, n_args, err);
	if (rc < 0)
		return rc;
	if (!cm_instance_may_enter(func->inst))
		return cm_store_end(store, cm_trap(&store->dead, CM_TRAP_CANNOT_ENTER), err);
	rc = cm_task_create(func, on_return, &task, &store->dead);
	if (rc < 0)
		return cm_store_end(store, rc, err);
	if (ret_task)
		*ret_task = task;
	if (func->type->is_async &&
		(has_backpressure(func->inst) || func->inst->num_waiting_to_enter > 0)) {
		rc = wait_to_enter(task, args, &store->dead);
	} else {
		enter(task);
		rc = call(task, args, &store->dead);
	}
	return rc < 0 ? cm_store_end(store, rc, err) : 0;
}

// Spec: Task.request_cancellation.
int cm_task_cancel(struct cm_task *task, struct we_error *err)
{
	struct cm_instance *inst = task->inst;
	struct cm_store *store = inst->store;
	int rc = cm_store_check(store, err);

	if (rc < 0)
		return rc;
	if (task->wait == CM_TASK_WAITS_ENTRY) {
		task->state = CM_TASK_CANCEL_DELIVERED;
		inst->num_waiting_to_enter--;
		rc = cm_task_cancelled(task, &store->dead);
		if (rc == 0)
			rc = exit_thread(task, &store->dead);
		return rc < 0 ? cm_store_end(store, rc, err) : 0;
	}
	if (task->state != CM_TASK_STARTED)
		return 0; // resolved, or already asked
	if (task->wait == CM_TASK_RUNNING || !cm_instance_may_enter(inst)) {
		task->state = CM_TASK_PENDING_CANCEL;
		return 0;
	}
	task->state = CM_TASK_CANCEL_DELIVERED;
	cm_link_remove(&task->ready.link);
	cm_link_remove(&task->waiting);
	if (task->wait == CM_TASK_WAITS_SET)
		cm_waitable_set_update(task->wset);
	rc = cm_task_resume(task, (struct cm_event){.code = CM_EVENT_TASK_CANCELLED}, &store->dead);
	return rc < 0 ? cm_store_end(store, rc, err) : 0;
}
