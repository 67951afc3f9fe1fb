// SPDX-License-Identifier: BSD-3-Clause
// we_jit: what an engine and its modules know of their native code.
//
// Module path 3/6. Made at the first we_module_compile: most engines never need one.
// Owns:   the compiler's process; counters.
// Thread: any.
#pragma once

#include "compiler.h"
#include "module.h"
#include "sha256.h"

// Of an engine.
struct we_jit {
	struct we_compiler compiler;
	pthread_mutex_t lock; // of stats, the modules' too
	struct we_jit_stats stats;
};

// Of a function of a module's own.
enum we_jit_state {
	WE_JIT_STATE_PENDING,
	WE_JIT_STATE_NATIVE,
	WE_JIT_STATE_GIVEN_UP
};

// Of a module.
struct we_module_jit {
	pthread_mutex_t lock;            // of states; held while the module is compiled
	struct we_jit_stats stats;       // under the engine's lock
	uint8_t digest[WE_SHA256_BYTES]; // of the module
	uint8_t states[];                // enum we_jit_state, of its own functions
};

// Returns: NULL without memory.
struct we_jit *we_jit_of_engine(struct we_engine *engine);
struct we_module_jit *we_jit_of_module(
	struct we_module *module, struct we_jit *jit, uint32_t n_own);
// Add to the counters of a module and of its engine.
void we_jit_count(
	struct we_jit *jit, struct we_module_jit *of_module, const struct we_jit_stats *more);
