// SPDX-License-Identifier: BSD-3-Clause
// canon lower: how core code calls a function of the host.
//
// Module path 6.
// Owns:    nothing.
// Thread:  one worker; no locks.
// Spec:    CanonicalABI.md "canon lower".
#pragma once

#include "task.h"

// One for each definition in each instance: the environment of the core function.
struct cm_call;

struct cm_lowered {
	struct cm_instance *inst;   // whose core code calls
	const struct cm_func *func; // of the host
	struct cm_options opts;
	struct cm_coresig sig;
};

// A we_host_fn; env is a struct cm_lowered.
int cm_canon_lower(void *env, uint64_t *slots, struct we_error *err);

// The result of a deferred call goes where the caller asked for it. Fails with HOST when the host's result
// has another type.
WE_MUST_USE int cm_lower_result_to_memory(
	struct cm_call *call, const struct cm_val *result, struct we_error *err);
