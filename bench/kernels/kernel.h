// SPDX-License-Identifier: BSD-3-Clause
// What the kernels of bench/interp and bench/jit share: each exports `run`, which takes a count and answers a checksum that
// every engine must give. Those of bench/jit are built for the host as well, where native.c calls them.
#pragma once

#include <stdint.h>

#ifdef __wasm__
#define KERNEL_EXPORT(name) __attribute__((export_name(name)))
#else
#define KERNEL_EXPORT(name)
int64_t run(int64_t n);
#endif

// xorshift64*: the same input for every engine.
static inline uint64_t kernel_random(uint64_t *state)
{
	*state ^= *state >> 12;
	*state ^= *state << 25;
	*state ^= *state >> 27;
	return *state * UINT64_C(0x2545f4914f6cdd1d);
}
