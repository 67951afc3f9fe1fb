// SPDX-License-Identifier: BSD-3-Clause
// cm_task: a call of a lifted function, from its start until its implicit thread has exited.
//
// Module path 6. A task has one thread, the implicit one: core code runs on the worker's own stack and
// comes back to wait, so "suspended inside core code" does not exist.
// Owns:    arguments that wait for backpressure to end.
// Thread:  one worker; no locks.
// Spec:    CanonicalABI.md "Threads", "Tasks".
#pragma once

#include "instance.h"
#include "options.h"
#include "waitable.h"

enum cm_task_state {
	CM_TASK_INITIAL,
	CM_TASK_STARTED,
	CM_TASK_PENDING_CANCEL,
	CM_TASK_CANCEL_DELIVERED,
	CM_TASK_RESOLVED,
};

// Where the implicit thread is.
enum cm_task_wait {
	CM_TASK_RUNNING,       // in core code, or in what it called
	CM_TASK_WAITS_ENTRY,   // for backpressure to end
	CM_TASK_WAITS_YIELDED, // for its next turn
	CM_TASK_WAITS_SET,     // for an event in wset
};

enum {
	CM_CONTEXT_SLOTS = 2
};

// A function that a host can call, or that a guest can import.
struct cm_func {
	const struct cm_type *type; // FUNC
	struct cm_instance *inst;   // where it was lifted; NULL: a function of the host
	struct we_func *callee;     // lifted: the core function
	struct cm_options opts;     // lifted
	cm_host_fn host;            // of the host, and its environment
	void *host_env;
};

// Invariant: waiting stands in a list if and only if wait is WAITS_ENTRY or WAITS_SET; ready only if WAITS_YIELDED.
struct cm_task {
	struct cm_ready ready;
	struct cm_link waiting;     // in inst->waiting_to_enter or wset->waiters
	struct cm_link all;         // in the store's tasks
	const struct cm_func *func; // NULL: instantiation, or a realloc; synchronous
	struct cm_instance *inst;
	struct cm_waitable_set *wset; // while WAITS_SET
	enum cm_task_state state;
	enum cm_task_wait wait;
	uint64_t storage[CM_CONTEXT_SLOTS]; // context.get, context.set
	struct cm_on_return on_return;
	struct cm_val *args; // owned, one for each parameter, while WAITS_ENTRY
};

// A task for core code that is called synchronously and has no component function: a core start function, a
// realloc. Needs: cm_task_leave_core with the same task afterwards, whatever happens.
void cm_task_enter_core(
	struct cm_task *task, struct cm_instance *inst, struct cm_task **ret_previous);
void cm_task_leave_core(struct cm_task *task, struct cm_task *previous);

static inline bool cm_task_is_async(const struct cm_task *task)
{
	return task->func && task->func->type->is_async;
}
// Tells a task of its cancellation if that waits to be told. Spec: Task.deliver_pending_cancel.
static inline bool cm_task_deliver_pending_cancel(struct cm_task *task, bool cancellable)
{
	if (!cancellable || task->state != CM_TASK_PENDING_CANCEL)
		return false;
	task->state = CM_TASK_CANCEL_DELIVERED;
	return true;
}

// Counts against limits.tasks. Returns: 0; EXHAUSTED; NOMEM.
WE_MUST_USE int cm_task_create(const struct cm_func *func, const struct cm_on_return *on_return,
	struct cm_task **ret_task, struct we_error *err);
void cm_task_destroy(struct cm_task *task);

// Task.return_ and Task.cancel.
WE_MUST_USE int cm_task_return(
	struct cm_task *task, const struct cm_val *result, struct we_error *err);
WE_MUST_USE int cm_task_cancelled(struct cm_task *task, struct we_error *err);

// The current task would have to wait inside core code, for `what`. A synchronous task that nothing
// could wake traps; anything else is refused by name.
int cm_task_block(struct cm_store *store, const char *what, struct we_error *err);
