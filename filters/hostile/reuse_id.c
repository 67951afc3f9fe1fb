// SPDX-License-Identifier: BSD-3-Clause
// Gives the first packet of a burst back once for every packet in it.

#include "weir.h"

static void burst(struct weir_burst *b)
{
	for (uint32_t i = 1; i < b->n; i++) {
		struct weir_slot *slot = weir_slot(b, i);

		slot->id = weir_slot(b, 0)->id;
	}
}

const struct weir_filter weir_filter = {
	.burst = burst,
};
