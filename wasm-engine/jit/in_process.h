// SPDX-License-Identifier: BSD-3-Clause
// Compiling in this very process: for tests, fuzzers and measurements of the compiler, not for programs.
//
// Module path 3/6. Owns: nothing. Thread: one.
#pragma once

#include "jit.h"

// Compile and publish the functions that opt says. Fails as we_jit_compile and we_native_publish.
WE_MUST_USE int we_jit_publish_range(
	struct we_module *module, const struct we_jit_options *opt, struct we_error *err);
// What opt says of the range is not read: all functions of the module are compiled and published.
// Returns: 0; 1 when there was nothing to compile. Fails as we_jit_compile and we_native_publish.
WE_MUST_USE int we_jit_publish_here(
	struct we_module *module, const struct we_jit_options *opt, struct we_error *err);
