// SPDX-License-Identifier: BSD-3-Clause
// cm_instance: a component instance: what its tasks share, and what it exports.
//
// Module path 5/6.
// Owns:    its handle table and the arena with all that instantiation made for it.
// Thread:  one worker; no locks.
// Spec:    CanonicalABI.md "Component Instances"; Explainer.md "Instance Definitions".
#pragma once

#include "handle.h"
#include "store.h"

struct cm_func;
struct cm_items;

// Invariant: !may_enter while a task of this instance, or of a child called through it, runs.
struct cm_instance {
	struct cm_store *store;
	struct cm_instance
		*parent; // the instance whose component instantiated this one; NULL: the host did
	struct cm_instance *next; // in the store's instances
	struct cm_handles handles;
	bool may_enter;
	bool may_leave;
	uint32_t backpressure;            // < 2^16
	uint32_t num_waiting_to_enter;    // tasks
	struct cm_task *exclusive_thread; // the task that runs core code, if it needs to be alone
	struct cm_link waiting_to_enter;  // tasks, oldest first
	struct cm_ready entry;            // in the store's list when the first of them may try
	struct cm_items *items;           // index spaces, and exports
};

// Can the host call into the instance? Its ancestors are entered with it.
static inline bool cm_instance_may_enter(const struct cm_instance *inst)
{
	for (; inst; inst = inst->parent) {
		if (!inst->may_enter)
			return false;
	}
	return true;
}

static inline void cm_instance_set_may_enter(struct cm_instance *inst, bool may_enter)
{
	for (; inst; inst = inst->parent)
		inst->may_enter = may_enter;
}

// An instance without definitions, which belongs to the store and cannot be entered yet.
WE_MUST_USE int cm_instance_create_empty(struct cm_store *store, struct cm_instance *parent,
	struct cm_instance **ret_inst, struct we_error *err);
// Frees the instance alone, not what it exports through the store.
void cm_instance_destroy(struct cm_instance *inst);
