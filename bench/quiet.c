// SPDX-License-Identifier: BSD-3-Clause
// quiet_moment: see quiet.h.
#include "quiet.h"

#if defined(__x86_64__)

#include <stdint.h>
#include <x86intrin.h>

enum {
	TURNS = 20000,
	TICKS_MAX = TURNS + TURNS / 20,
};

bool quiet_moment(void)
{
	const uint64_t begin = __rdtsc();
	uint32_t turns = TURNS;

	__asm__ volatile("1: decl %0\n\tjnz 1b" : "+r"(turns) : : "cc");
	return __rdtsc() - begin <= TICKS_MAX;
}

#else

bool quiet_moment(void)
{
	return false;
}

#endif
