// SPDX-License-Identifier: BSD-3-Clause
// cm_store: all that instances which may be linked with each other share: the core store, what is ready
// to run, memory for values, and the failure that ended it.
//
// Module path 6.
// Owns:    the core store, instances, tasks, subtasks, waitable sets, streams and futures.
// Thread:  one worker; no locks.
// Spec:    CanonicalABI.md "Embedding API" (Store).
#pragma once

#include "cm.h"
#include "list.h"
#include "scratch.h"

struct cm_task;

// What can stand in the ready list.
enum cm_ready_kind {
	CM_READY_TASK,  // a task that yielded
	CM_READY_SET,   // a waitable set with an event and a waiting task
	CM_READY_ENTRY, // an instance without backpressure at which tasks wait to enter
};

struct cm_ready {
	struct cm_link link;
	enum cm_ready_kind kind;
};

static inline void cm_ready_init(struct cm_ready *ready, enum cm_ready_kind kind)
{
	cm_link_init(&ready->link);
	ready->kind = kind;
}

// Objects that come and go while packets flow: freed ones are kept for the next.
struct cm_pool {
	void *free;    // singly linked through the first word
	uint32_t live; // lent now
};

enum {
	CM_HANDLES_DEFAULT = 65536,
	CM_TASKS_DEFAULT = 4096,
	CM_VALUE_BYTES_DEFAULT = 16 * 1024 * 1024,
	CM_TURNS_DEFAULT = 1024,
};

// Invariant: rc < 0 once and for ever after a failure; dead says what it was.
struct cm_store {
	struct we_engine *engine;
	struct we_store *core;
	struct cm_limits limits; // without zeros
	struct cm_link ready;    // struct cm_ready, oldest first
	struct cm_task *current; // the task whose core code runs; NULL: none
	uint32_t nesting_depth;  // calls into guests under way
	uint32_t n_deferred;     // host calls that guests wait for
	struct cm_scratch scratch;
	struct cm_pool tasks;
	struct cm_pool subtasks;
	struct cm_pool streams;
	struct cm_pool futures;
	struct cm_pool sets;
	struct cm_link live_tasks;
	struct cm_link live_subtasks;
	struct cm_link live_shared; // streams and futures
	struct cm_link live_sets;
	struct cm_instance *instances; // newest first
	uint32_t n_instances;
	int rc;
	struct we_error dead;
};

// An object of len bytes, not cleared. Counts it. Returns NULL when there is no memory.
void *cm_pool_take(struct cm_pool *pool, size_t len);
void cm_pool_give(struct cm_pool *pool, void *object);

// Fails with what ended the store, if something did.
WE_MUST_USE int cm_store_check(const struct cm_store *store, struct we_error *err);
// The store is dead with what stands in store->dead; copies it out. Returns rc.
int cm_store_end(struct cm_store *store, int rc, struct we_error *err);

// A task or subtask more. Returns: 0; EXHAUSTED.
WE_MUST_USE int cm_store_may_start(const struct cm_store *store, struct we_error *err);

static inline void cm_store_make_ready(struct cm_store *store, struct cm_ready *ready)
{
	if (cm_link_is_alone(&ready->link))
		cm_link_append(&store->ready, &ready->link);
}
