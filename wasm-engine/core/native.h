// SPDX-License-Identifier: BSD-3-Clause
// we_native: how core reaches native code without knowing it.
//
// Module path 3/6. Core links against these names and includes nothing of the folder.
#pragma once

#include "runtime.h"

struct we_jit;

// The entry of every function that has no native code: takes any signature. Not to be called from C.
extern const char we_native_generic[];
// The runtime's functions, for struct we_native.
extern const struct we_native_rt we_native_rt;

// As struct we_tier.call, for a function whose enter is set.
int we_native_call(struct we_func *func, uint64_t *slots, struct we_error *err);
// we_func_call is in enter.S. This is what it does where anything is to be done before, or is not as it was the last time.
int we_func_call_slow(struct we_func *func, uint64_t *slots, struct we_error *err);
// Give the functions of an instance the native code that its module has got since the last time, if it can run here. Called by
// the worker when it makes an instance, and for all of a store when the engine has got more code since (burst boundary).
void we_native_bind(struct we_instance *inst);
void we_native_bind_store(struct we_store *store);
// Take it from the functions of an instance; no call of the store is under way.
void we_native_unbind(struct we_instance *inst);
// The entry that runs shall end: signal its thread if it runs native code. Any thread; after store->interrupt was set.
void we_native_interrupt(struct we_store *store);
// Show the collector the shadow stacks of all native entries of the store.
void we_native_visit_roots(struct we_store *store, struct we_root_visitor *v);
// Take back what a module has got. No thread runs it.
void we_native_release(struct we_module *module);

// native/perf.c: is the list of who is told of native code well-formed? Returns: 0; INVALID.
WE_MUST_USE int we_perf_check(const struct we_engine_config *config, struct we_error *err);

// native/state.c: what an engine and its modules know of their native code.
void we_jit_destroy(struct we_jit *jit); // NULL is fine
void we_jit_release(struct we_module *module);
