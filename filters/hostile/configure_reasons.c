// SPDX-License-Identifier: BSD-3-Clause
// Names 256 drop reasons.

#include "weir.h"

static const struct weir_str reasons[256] = {[0 ... 255] = WEIR_STR("many")};

static void burst(struct weir_burst *b)
{
	(void)b;
}

const struct weir_filter weir_filter = {
	.burst = burst,
	.reasons = reasons,
	.n_reasons = 256,
};
