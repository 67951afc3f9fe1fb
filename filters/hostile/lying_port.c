// SPDX-License-Identifier: BSD-3-Clause
// Sends to a port that there is not.

#include "weir.h"

static void burst(struct weir_burst *b)
{
	for (uint32_t i = 0; i < b->n; i++) {
		struct weir_slot *slot = weir_slot(b, i);

		weir_forward(slot, 60000);
	}
}

const struct weir_filter weir_filter = {
	.burst = burst,
};
