// SPDX-License-Identifier: BSD-3-Clause
// Calls itself for ever, with a frame that cannot be a register.

#include "weir.h"

static volatile uint32_t depth;

__attribute__((noinline)) static uint32_t sink(volatile uint32_t *above)
{
	volatile uint32_t here = *above + 1;

	depth = here;
	return here == UINT32_MAX ? 0 : sink(&here) + here;
}

static void burst(struct weir_burst *b)
{
	volatile uint32_t zero = 0;

	b->n += sink(&zero) * 0;
}

const struct weir_filter weir_filter = {
	.burst = burst,
};
