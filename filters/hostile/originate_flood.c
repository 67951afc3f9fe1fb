// SPDX-License-Identifier: BSD-3-Clause
// Originates 4,096 packets for every burst.

#include "weir.h"

static void burst(struct weir_burst *b)
{
	while (b->n < b->cap) {
		struct weir_slot *slot = weir_originate(b);

		slot->len = 60;
		slot->port_out = 0;
	}
}

const struct weir_filter weir_filter = {
	.burst = burst,
	.originate = 4096,
};
