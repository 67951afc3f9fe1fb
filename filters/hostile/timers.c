// SPDX-License-Identifier: BSD-3-Clause
// Starts timers of an hour until there are no more.

#include "weir.h"

static void burst(struct weir_burst *b)
{
	(void)b;
	for (;;)
		weir_wait_for(UINT64_C(3600000000000));
}

const struct weir_filter weir_filter = {
	.burst = burst,
};
