// SPDX-License-Identifier: BSD-3-Clause
// All that instances which may be linked with each other share. Module path 6.
// Spec: CanonicalABI.md "Embedding API" (Store).
#include "store.h"

#include "canon_lift.h"
#include "future.h"
#include "instance.h"
#include "stream.h"
#include "subtask.h"

#include <stdlib.h>
#include <string.h>

void *cm_pool_take(struct cm_pool *pool, size_t len)
{
	void *object = pool->free;

	assert(len >= sizeof(void *));
	if (object) {
		memcpy(&pool->free, object, sizeof(pool->free));
	} else {
		object = malloc(len);
		if (!object)
			return NULL;
	}
	pool->live++;
	return object;
}

void cm_pool_give(struct cm_pool *pool, void *object)
{
	assert(pool->live > 0);
	memcpy(object, &pool->free, sizeof(pool->free));
	pool->free = object;
	pool->live--;
}

static void pool_fini(struct cm_pool *pool)
{
	assert(pool->live == 0);
	while (pool->free) {
		void *object = pool->free;
		memcpy(&pool->free, object, sizeof(pool->free));
		free(object);
	}
}

static uint32_t or_default(uint32_t value, uint32_t otherwise)
{
	return value ? value : otherwise;
}

static struct cm_limits effective(const struct cm_limits *limits)
{
	struct cm_limits l = limits ? *limits : (struct cm_limits){0};

	l.handles = or_default(l.handles, CM_HANDLES_DEFAULT);
	if (l.handles > CM_HANDLES_MAX)
		l.handles = CM_HANDLES_MAX;
	l.tasks = or_default(l.tasks, CM_TASKS_DEFAULT);
	l.turns = or_default(l.turns, CM_TURNS_DEFAULT);
	if (l.value_bytes == 0)
		l.value_bytes = CM_VALUE_BYTES_DEFAULT;
	return l;
}

int cm_store_create(struct we_engine *engine, const struct cm_limits *limits,
	struct cm_store **ret_store, struct we_error *err)
{
	struct cm_store *store = calloc(1, sizeof(*store));
	int rc;

	if (!store)
		return cm_nomem(err);
	store->engine = engine;
	store->limits = effective(limits);
	cm_link_init(&store->ready);
	cm_link_init(&store->live_tasks);
	cm_link_init(&store->live_subtasks);
	cm_link_init(&store->live_shared);
	cm_link_init(&store->live_sets);
	cm_scratch_init(&store->scratch, store->limits.value_bytes);
	rc = we_store_create(engine, &store->limits.core, &store->core, err);
	if (rc < 0) {
		free(store);
		return rc;
	}
	*ret_store = store;
	return 0;
}

static void destroy_calls(struct cm_store *store)
{
	while (!cm_link_is_alone(&store->live_subtasks))
		cm_subtask_destroy(
			store, cm_of_link(store->live_subtasks.next, struct cm_subtask, all));
	while (!cm_link_is_alone(&store->live_tasks))
		cm_task_destroy(cm_of_link(store->live_tasks.next, struct cm_task, all));
}

static void destroy_shared(struct cm_store *store)
{
	while (!cm_link_is_alone(&store->live_shared))
		cm_shared_destroy(cm_of_link(store->live_shared.next, struct cm_shared, all));
	while (!cm_link_is_alone(&store->live_sets))
		cm_waitable_set_destroy(
			cm_of_link(store->live_sets.next, struct cm_waitable_set, all));
}

void cm_store_destroy(struct cm_store *store)
{
	if (!store)
		return;
	destroy_calls(store);
	destroy_shared(store);
	while (store->instances) {
		struct cm_instance *inst = store->instances;
		store->instances = inst->next;
		cm_instance_destroy(inst);
	}
	pool_fini(&store->tasks);
	pool_fini(&store->subtasks);
	pool_fini(&store->streams);
	pool_fini(&store->futures);
	pool_fini(&store->sets);
	cm_scratch_fini(&store->scratch);
	we_store_destroy(store->core);
	free(store);
}

struct we_store *cm_store_core(struct cm_store *store)
{
	return store->core;
}

uint32_t cm_store_n_deferred(const struct cm_store *store)
{
	return store->n_deferred;
}

int cm_store_check(const struct cm_store *store, struct we_error *err)
{
	if (store->rc < 0 && err)
		*err = store->dead;
	return store->rc;
}

int cm_store_end(struct cm_store *store, int rc, struct we_error *err)
{
	assert(rc < 0);
	if (store->rc == 0)
		store->rc = rc;
	if (err)
		*err = store->dead;
	return store->rc;
}

int cm_store_may_start(const struct cm_store *store, struct we_error *err)
{
	if (store->tasks.live + store->subtasks.live >= store->limits.tasks)
		return cm_exhausted(err, "tasks", store->limits.tasks);
	return 0;
}

// One turn of what is first in the ready list. Spec: Store.tick.
static int tick(struct cm_store *store, struct we_error *err)
{
	struct cm_ready *ready = cm_of_link(store->ready.next, struct cm_ready, link);
	struct cm_waitable_set *wset;
	struct cm_task *task;

	cm_link_remove(&ready->link);
	switch (ready->kind) {
	case CM_READY_TASK:
		task = cm_of_link(ready, struct cm_task, ready);
		return cm_task_resume(task, (struct cm_event){.code = CM_EVENT_NONE}, err);
	case CM_READY_SET:
		wset = cm_of_link(ready, struct cm_waitable_set, ready);
		task = cm_of_link(wset->waiters.next, struct cm_task, waiting);
		cm_link_remove(&task->waiting);
		return cm_task_resume(task, cm_waitable_set_get_pending_event(wset), err);
	case CM_READY_ENTRY:
		break;
	}
	return cm_instance_admit(cm_of_link(ready, struct cm_instance, entry), err);
}

int cm_store_run(struct cm_store *store, struct we_error *err)
{
	uint32_t turns = store->limits.turns;
	int rc;

	if (store->rc < 0)
		return cm_store_check(store, err);
	if (store->nesting_depth > 0)
		return we_error_set(err, WE_E_HOST, 0, "cm_store_run inside a host function");
	while (!cm_link_is_alone(&store->ready)) {
		if (turns-- == 0)
			return CM_MORE;
		rc = tick(store, &store->dead);
		if (rc < 0)
			return cm_store_end(store, rc, err);
	}
	return 0;
}
