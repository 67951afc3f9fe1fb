// SPDX-License-Identifier: BSD-3-Clause
// A call of a lifted function. Module path 6.
// Spec: CanonicalABI.md "Threads", "Tasks".
#include "task.h"

#include <stdlib.h>

static void task_init(struct cm_task *task, const struct cm_func *func, struct cm_instance *inst)
{
	*task = (struct cm_task){.func = func, .inst = inst};
	cm_ready_init(&task->ready, CM_READY_TASK);
	cm_link_init(&task->waiting);
	cm_link_init(&task->all);
}

int cm_task_create(const struct cm_func *func, const struct cm_on_return *on_return,
	struct cm_task **ret_task, struct we_error *err)
{
	struct cm_store *store = func->inst->store;
	struct cm_task *task;
	const int rc = cm_store_may_start(store, err);

	if (rc < 0)
		return rc;
	task = cm_pool_take(&store->tasks, sizeof(*task));
	if (!task)
		return cm_nomem(err);
	task_init(task, func, func->inst);
	if (on_return)
		task->on_return = *on_return;
	cm_link_append(&store->live_tasks, &task->all);
	*ret_task = task;
	return 0;
}

void cm_task_destroy(struct cm_task *task)
{
	cm_link_remove(&task->ready.link);
	cm_link_remove(&task->waiting);
	cm_link_remove(&task->all);
	free(task->args);
	cm_pool_give(&task->inst->store->tasks, task);
}

void cm_task_enter_core(
	struct cm_task *task, struct cm_instance *inst, struct cm_task **ret_previous)
{
	struct cm_store *store = inst->store;

	task_init(task, NULL, inst);
	task->state = CM_TASK_STARTED;
	*ret_previous = store->current;
	store->current = task;
	store->nesting_depth++;
}

void cm_task_leave_core(struct cm_task *task, struct cm_task *previous)
{
	struct cm_store *store = task->inst->store;

	assert(store->current == task);
	store->current = previous;
	store->nesting_depth--;
}

int cm_task_return(struct cm_task *task, const struct cm_val *result, struct we_error *err)
{
	int rc = 0;

	if (task->state == CM_TASK_RESOLVED)
		return cm_trap(err, CM_TRAP_ALREADY_RESOLVED);
	if (task->on_return.returned)
		rc = task->on_return.returned(task->on_return.env, result, err);
	task->state = CM_TASK_RESOLVED;
	return rc;
}

int cm_task_cancelled(struct cm_task *task, struct we_error *err)
{
	int rc = 0;

	if (task->state != CM_TASK_CANCEL_DELIVERED)
		return cm_trap(err, CM_TRAP_CANCEL_NOT_ASKED);
	if (task->on_return.returned)
		rc = task->on_return.returned(task->on_return.env, NULL, err);
	task->state = CM_TASK_RESOLVED;
	return rc;
}

// Could a thread of the instance other than the current one run now? Those that wait to enter are not
// threads of it yet.
static bool has_ready_thread(const struct cm_store *store, const struct cm_instance *inst)
{
	const struct cm_link *link;

	for (link = store->ready.next; link != &store->ready; link = link->next) {
		const struct cm_ready *ready = cm_of_link(link, const struct cm_ready, link);
		const struct cm_task *task = NULL;

		if (ready->kind == CM_READY_TASK)
			task = cm_of_link(ready, const struct cm_task, ready);
		else if (ready->kind == CM_READY_SET)
			task = cm_of_link(cm_of_link(ready, const struct cm_waitable_set, ready)
						  ->waiters.next,
				const struct cm_task, waiting);
		if (task && task->inst == inst)
			return true;
	}
	return false;
}

int cm_task_block(struct cm_store *store, const char *what, struct we_error *err)
{
	const struct cm_task *task = store->current;

	// Spec: the loop at the end of canon_lift for a function that is not async.
	if (!cm_task_is_async(task) && !has_ready_thread(store, task->inst))
		return cm_trap(err, CM_TRAP_CANNOT_BLOCK);
	return we_error_set(err, WE_E_UNSUPPORTED, 0, "%s that must block inside core code", what);
}
