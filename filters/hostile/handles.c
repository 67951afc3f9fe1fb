// SPDX-License-Identifier: BSD-3-Clause
// Makes waitable sets until there are no more.

#include "weir.h"

static void burst(struct weir_burst *b)
{
	(void)b;
	for (;;)
		weir_set_new();
}

const struct weir_filter weir_filter = {
	.burst = burst,
};
