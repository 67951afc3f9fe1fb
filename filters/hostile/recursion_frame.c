// SPDX-License-Identifier: BSD-3-Clause
// Calls itself for ever, with a frame in memory: its own stack runs out first.

#include "weir.h"

__attribute__((noinline)) static uint32_t sink(volatile uint32_t *above)
{
	volatile uint32_t here[64] = {*above + 1};

	return here[0] == UINT32_MAX ? 0 : sink(here) + here[0];
}

static void burst(struct weir_burst *b)
{
	volatile uint32_t zero = 0;

	b->n += sink(&zero) * 0;
}

const struct weir_filter weir_filter = {
	.burst = burst,
};
