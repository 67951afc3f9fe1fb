// SPDX-License-Identifier: BSD-3-Clause
// Never comes back from a burst.

#include "weir.h"

static volatile uint32_t turns;

static void burst(struct weir_burst *b)
{
	(void)b;
	for (;;)
		turns++;
}

const struct weir_filter weir_filter = {
	.burst = burst,
};
