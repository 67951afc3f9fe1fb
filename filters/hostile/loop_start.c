// SPDX-License-Identifier: BSD-3-Clause
// Never comes back from its start, so it never reads.

#include "weir.h"

static volatile uint32_t turns;

static void start(struct weir_burst *b)
{
	(void)b;
	for (;;)
		turns++;
}

static void burst(struct weir_burst *b)
{
	(void)b;
}

const struct weir_filter weir_filter = {
	.burst = burst,
	.start = start,
};
