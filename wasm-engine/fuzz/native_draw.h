// SPDX-License-Identifier: BSD-3-Clause
// fuzz_native: native code for a module, made in this process in a way that a number chooses.
//
// Owns: nothing. Thread: any.
#pragma once

#include "we.h"

// What a number chooses.
struct fuzz_native {
	const char *cpu; // as in we_engine_config.jit_cpu
	bool explicit_checks;
	bool deterministic;
	enum {
		FUZZ_NATIVE_WHOLE, // one image of all functions
		FUZZ_NATIVE_PARTS, // two images
		FUZZ_NATIVE_HALF   // one image; the other functions stay in the interpreter
	} images;
};

struct fuzz_native fuzz_native_draw(uint64_t number);
// Publish it: stores made before take it up when they are between calls.
// Returns: 0; 1 when there was nothing to compile. Fails: UNSUPPORTED when all of it is beyond the compiler's limits; INVALID
// and HOST are findings.
WE_MUST_USE int fuzz_native_publish(
	struct we_module *module, const struct fuzz_native *how, struct we_error *err);
