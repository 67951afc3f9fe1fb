// SPDX-License-Identifier: BSD-3-Clause
// Writes on behind its buffer until its memory ends.

#include "weir.h"

static void burst(struct weir_burst *b)
{
	for (volatile uint8_t *at = b->slots;; at++)
		*at = 0xaa;
}

const struct weir_filter weir_filter = {
	.burst = burst,
};
