// SPDX-License-Identifier: BSD-3-Clause
// Calls itself for ever, without a frame in memory.

#include "weir.h"

static volatile uint32_t bottom = UINT32_MAX;

__attribute__((noinline)) static uint32_t sink(uint32_t depth)
{
	return depth == bottom ? 0 : sink(depth + 1) * 3 + bottom;
}

static void burst(struct weir_burst *b)
{
	b->n += sink(0) * 0;
}

const struct weir_filter weir_filter = {
	.burst = burst,
};
