// SPDX-License-Identifier: BSD-3-Clause
// Makes streams until there are no more.

#include "weir.h"

static void burst(struct weir_burst *b)
{
	(void)b;
	for (;;)
		weir_tx_new();
}

const struct weir_filter weir_filter = {
	.burst = burst,
};
