// SPDX-License-Identifier: BSD-3-Clause
// A function's machine code beside its wasm.
//
// Module path 3/6. Owns: nothing. Thread: one.
#pragma once

#include <stdio.h>

#include "jit.h"

// Print the function that an image has, in the order of the machine code, each piece below the wasm instruction that
// it belongs to. Returns: 0; INVALID when the image does not have it.
WE_MUST_USE int listing_print(const struct we_module *module, const struct we_cpu *cpu,
	const void *image, we_funcidx func, FILE *to, struct we_error *err);
