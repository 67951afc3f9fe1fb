// SPDX-License-Identifier: BSD-3-Clause
// Divides by zero: by a length field of what came in, less itself.

#include "weir.h"

static void burst(struct weir_burst *b)
{
	for (uint32_t i = 0; i < b->n; i++) {
		struct weir_slot *slot = weir_slot(b, i);

		volatile uint32_t len = slot->len;

		slot->mark = 1000 / (len - slot->len);
	}
}

const struct weir_filter weir_filter = {
	.burst = burst,
};
