// SPDX-License-Identifier: BSD-3-Clause
// Logs a hundred lines for every burst.

#include "weir.h"

static void burst(struct weir_burst *b)
{
	(void)b;
	for (uint32_t i = 0; i < 100; i++)
		weir_log(WEIR_LOG_CRITICAL, (struct weir_str)WEIR_STR("hostile"),
			(struct weir_str)WEIR_STR("look at me"));
}

const struct weir_filter weir_filter = {
	.burst = burst,
};
