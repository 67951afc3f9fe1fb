// SPDX-License-Identifier: BSD-3-Clause
// macswap: Ethernet source and destination change places, as testpmd's forwarding mode of that name does. A packet
// too short for both addresses is dropped as "short".

#include "weir.h"

enum {
	MACS_LEN = 12, // bytes: destination, source
	REASON_SHORT = 1,
};

static void burst(struct weir_burst *b)
{
	// Bytes 6-11, then 0-5, the rest as it is.
	const weir_u8x16 swapped = {6, 7, 8, 9, 10, 11, 0, 1, 2, 3, 4, 5, 12, 13, 14, 15};

	for (uint32_t i = 0; i < b->n; i++) {
		struct weir_slot *slot = weir_slot(b, i);
		uint8_t *packet = weir_data(slot);

		if (slot->len < MACS_LEN) {
			weir_drop(slot, REASON_SHORT);
			continue;
		}
		weir_lanes_store(packet, weir_lanes_gather(weir_lanes_load(packet), swapped));
		weir_changed(slot);
	}
}

static const struct weir_str reasons[] = {WEIR_STR("short")};

const struct weir_filter weir_filter = {
	.burst = burst,
	.reasons = reasons,
	.n_reasons = 1,
};
