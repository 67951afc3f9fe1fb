// SPDX-License-Identifier: BSD-3-Clause
// drop: every packet is dropped, counted under the reason "drop".

#include "weir.h"

enum {
	REASON_DROP = 1
};

static void burst(struct weir_burst *b)
{
	for (uint32_t i = 0; i < b->n; i++)
		weir_drop(weir_slot(b, i), REASON_DROP);
}

static const struct weir_str reasons[] = {WEIR_STR("drop")};

const struct weir_filter weir_filter = {
	.burst = burst,
	.reasons = reasons,
	.n_reasons = 1,
};
