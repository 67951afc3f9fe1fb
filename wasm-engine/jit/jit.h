// SPDX-License-Identifier: BSD-3-Clause
// we_jit: machine code for the functions of a module, through LLVM.
//
// Module path 3/6. Runs in the compiler's process only: what LLVM does to it (abort, endless pass, memory) is no
// other's concern.
// Owns:   nothing but what is given out.
// Thread: one.
#pragma once

#include "cpu.h"
#include "image.h"
#include "module.h"

struct we_jit_options {
	struct we_cpu cpu;
	bool explicit_checks; // compare each address of 32-bit memories, too
	bool deterministic;
	uint32_t
		first_func; // compile [first_func, first_func + n_funcs) of the module's index space
	uint32_t n_funcs;
	bool verify; // run LLVM's verifier after lowering: tests
};

// After target_init (target.h). What cannot be (too large, too deeply nested, too large a frame: see lower.h) has no code in the image.
// Returns: 0 and an image, owned (free). Fails: HOST when LLVM refuses.
WE_MUST_USE int we_jit_compile(const struct we_module *module, const struct we_jit_options *opt,
	void **ret_image, size_t *ret_bytes, struct we_error *err);
