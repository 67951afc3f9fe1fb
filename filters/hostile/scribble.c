// SPDX-License-Identifier: BSD-3-Clause
// Overwrites every field of the descriptor that is the host's.

#include "weir.h"

static void burst(struct weir_burst *b)
{
	for (uint32_t i = 0; i < b->n; i++) {
		struct weir_slot *slot = weir_slot(b, i);

		slot->ptype = ~slot->ptype;
		slot->total_len = 0xffffffff;
		slot->vlan = 0xffff;
		slot->hash = 0xffffffff;
		slot->rx_flags = ~slot->rx_flags & ~(uint32_t)WEIR_RX_ORIGINATED;
		slot->vlan_outer = 0xffff;
		slot->port_in = 0xffff;
		slot->queue_in = 0xffff;
		slot->tstamp_ns = UINT64_MAX;
	}
}

const struct weir_filter weir_filter = {
	.burst = burst,
};
