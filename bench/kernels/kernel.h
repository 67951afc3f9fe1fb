// SPDX-License-Identifier: BSD-3-Clause
// What the kernels of bench/interp share: each exports `run`, which answers a checksum that every engine must give.
#pragma once

#include <stdint.h>

#define KERNEL_EXPORT(name) __attribute__((export_name(name)))

// xorshift64*: the same input for every engine.
static inline uint64_t kernel_random(uint64_t *state)
{
	*state ^= *state >> 12;
	*state ^= *state << 25;
	*state ^= *state >> 27;
	return *state * UINT64_C(0x2545f4914f6cdd1d);
}
