// SPDX-License-Identifier: BSD-3-Clause
// canon lift: how the host calls a function of a component, and how its task goes on.
//
// Module path 6.
// Owns:    nothing.
// Thread:  one worker; no locks.
// Spec:    CanonicalABI.md "canon lift", "Embedding API" (Store.tick).
#pragma once

#include "task.h"

// Give the next event to a task that waits, and run it until it waits again or has exited. Needs: the task
// is in no list.
WE_MUST_USE int cm_task_resume(struct cm_task *task, struct cm_event event, struct we_error *err);
// Let the first task that waits to enter try again.
WE_MUST_USE int cm_instance_admit(struct cm_instance *inst, struct we_error *err);
