// SPDX-License-Identifier: BSD-3-Clause
// Gives every packet back twice.

#include "weir.h"

static void burst(struct weir_burst *b)
{
	const uint32_t n = b->n;

	for (uint32_t i = 0; i < n; i++)
		weir_put(b, weir_slot(b, i));
}

const struct weir_filter weir_filter = {
	.burst = burst,
	.originate = 64,
};
