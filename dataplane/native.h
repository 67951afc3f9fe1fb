// SPDX-License-Identifier: BSD-3-Clause
// dp_native: native code for filters, made by a thread of its own while they run in the interpreter.
//
// Whatever becomes of it, packets flow: what has no native code is interpreted. Workers take native code up by themselves,
// when they enter a filter the next time.
// Owns:    its thread.
// Thread:  functions: the control side.
#pragma once

#include "stats.h"

#include <pthread.h>
#include <stdatomic.h>

// A filter.
struct dp_native_job {
	struct ws_program *program; // borrowed
	bool is_wanted;             // somebody's engine is jit
	atomic_int state;           // enum dp_code_state; the rest is constant once it is DONE
	int rc;                     // of ws_program_compile
	char message[DP_CODE_MESSAGE_MAX]; // rc < 0: why; else empty
};

struct dp_native {
	const struct dp_config *config; // borrowed
	struct we_engine *engine;       // borrowed
	struct dp_native_job *jobs;     // [config->n_filters]
	pthread_t thread;
	bool has_thread;
	atomic_bool stop;
};

// What native code needs of the process, before DPDK starts: both take a signal. When the machine refuses, filters stay in
// the interpreter, and a log line says why. Returns: 0; HOST: it refuses, and the engine of a worker is jit.
WE_MUST_USE int dp_native_prepare(const struct dp_config *config, char **ret_message);
// What an engine for the configuration's filters is made with. Borrows: config's strings.
struct we_engine_config dp_native_engine_config(const struct dp_config *config);

// Returns: 0; NOMEM.
WE_MUST_USE int dp_native_init(
	struct dp_native *native, const struct dp_config *config, struct we_engine *engine);
// A filter to be compiled: used by a worker whose engine is not interp. Before dp_native_start. Borrows: program, until
// dp_native_stop.
void dp_native_add(struct dp_native *native, uint16_t filter_idx, struct ws_program *program);
// Begin. Those that a worker with the engine jit runs come first.
// Returns: 0, also when there is nothing to do; HOST.
WE_MUST_USE int dp_native_start(struct dp_native *native);
// Wait for those, at most until *stop is true (NULL: never). Returns: 0: all of them are native;
// UNSUPPORTED, HOST: the message says which is not, and why; HOST when it was stopped.
WE_MUST_USE int dp_native_await(
	struct dp_native *native, const atomic_bool *stop, char **ret_message);
// End the thread; a compilation that is under way ends soon. Again is fine.
void dp_native_stop(struct dp_native *native);
void dp_native_fini(struct dp_native *native);

// What has become of a filter so far. Before dp_native_fini.
void dp_native_stats(
	const struct dp_native *native, uint16_t filter_idx, struct dp_code_stats *ret_stats);
