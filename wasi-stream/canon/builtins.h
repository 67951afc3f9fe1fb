// SPDX-License-Identifier: BSD-3-Clause
// The canonical built-ins as functions that the engine calls: one row of canon.def each.
//
// Module path 6, data path 4/7.
// Owns:    nothing.
// Thread:  one worker; no locks.
// Spec:    CanonicalABI.md "Canonical Definitions", one heading a function.
#pragma once

#include "task.h"

#define CM_CORE_BLOCKED 0xffffffffu // what a built-in that did not finish answers. Spec: BLOCKED

// One for each definition in each instance: the environment of the core function.
struct cm_builtin {
	struct cm_cx cx;            // the instance whose core code calls, and opts below
	const struct cm_type *type; // STREAM or FUTURE; task.return: the result, NULL for none
	struct cm_options opts;
	uint32_t slot; // context.get, context.set
	bool is_async; // immediate of subtask.cancel, *.cancel-*; option of the copies
	bool is_cancellable;
};

// The function of a built-in, NULL for one that this build refuses.
we_host_fn cm_builtin_fn(enum cm_canon op);
