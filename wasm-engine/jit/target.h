// SPDX-License-Identifier: BSD-3-Clause
// A struct we_cpu in LLVM's words.
//
// Module path 3/6. Owns: nothing. Thread: any.
#pragma once

#include "cpu.h"

#define TARGET_TRIPLE "x86_64-pc-linux-gnu"

// Before anything else of LLVM's; again, from any thread, is nothing.
void target_init(void);

// "x86-64-v3"
const char *target_cpu(const struct we_cpu *cpu);

// "+avx,+fma": what the machine has beyond its level; "" when that is nothing. At most TARGET_FEATURES_BYTES with
// the zero at the end.
enum {
	TARGET_FEATURES_BYTES = 96,
};
void target_features(const struct we_cpu *cpu, char ret[TARGET_FEATURES_BYTES]);
