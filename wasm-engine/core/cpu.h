// SPDX-License-Identifier: BSD-3-Clause
// we_cpu: what a machine can execute, as far as generated code asks.
//
// Module path 3/6. Known without LLVM: whoever loads native code asks here, too.
// Thread: any.
#pragma once

#include <stdbool.h>

struct we_error;

// x86-64 levels. v1 has no native code here.
enum we_cpu_level {
	WE_CPU_V1 = 1,
	WE_CPU_V2,
	WE_CPU_V3,
	WE_CPU_V4,
};

// What may be used: a level, and single features beyond it that the machine has.
struct we_cpu {
	enum we_cpu_level level;
	bool has_fma;      // part of v3
	bool has_avx;      // part of v3
	bool has_avx2;     // part of v3
	bool has_avx512;   // F, BW, CD, DQ, VL: v4
	bool has_avx_vnni; // VEX-encoded
	bool has_avx512_vnni;
};

// This machine, as CPUID and the operating system (XGETBV) have it.
void we_cpu_detect(struct we_cpu *ret_cpu);

// "v1" to "v4": the level and nothing beyond it; "native": this machine.
// Returns: false for another name, *ret_cpu untouched.
bool we_cpu_by_name(const char *name, struct we_cpu *ret_cpu);

// Does everything that code for `wanted` may use exist on `machine`?
bool we_cpu_covers(const struct we_cpu *machine, const struct we_cpu *wanted);

// What native code may use of this machine when that name was asked for; NULL: native.
// Fails: INVALID, UNSUPPORTED; *ret_cpu is then anything.
int we_cpu_choose(const char *wanted, struct we_cpu *ret_cpu, struct we_error *err);
