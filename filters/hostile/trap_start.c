// SPDX-License-Identifier: BSD-3-Clause
// Traps in its start.

#include "weir.h"

static void start(struct weir_burst *b)
{
	(void)b;
	__builtin_trap();
}

static void burst(struct weir_burst *b)
{
	(void)b;
}

const struct weir_filter weir_filter = {
	.burst = burst,
	.start = start,
};
