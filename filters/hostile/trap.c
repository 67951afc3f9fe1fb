// SPDX-License-Identifier: BSD-3-Clause
// Traps in the middle of a burst, after it has said a verdict for the first half.

#include "weir.h"

static void burst(struct weir_burst *b)
{
	for (uint32_t i = 0; i < b->n / 2; i++)
		weir_drop(weir_slot(b, i), 0);
	__builtin_trap();
}

const struct weir_filter weir_filter = {
	.burst = burst,
};
