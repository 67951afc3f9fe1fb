// SPDX-License-Identifier: BSD-3-Clause
// Gives back packets that it was not lent.

#include "weir.h"

static void burst(struct weir_burst *b)
{
	for (uint32_t i = 0; i < b->n; i++) {
		struct weir_slot *slot = weir_slot(b, i);

		slot->id += 1000000;
	}
}

const struct weir_filter weir_filter = {
	.burst = burst,
};
