// SPDX-License-Identifier: BSD-3-Clause
// Logs bytes that are not UTF-8.

#include "weir.h"

static void burst(struct weir_burst *b)
{
	(void)b;
	weir_log(WEIR_LOG_INFO, (struct weir_str)WEIR_STR("hostile"),
		(struct weir_str)WEIR_STR("\xc3\x28"));
}

const struct weir_filter weir_filter = {
	.burst = burst,
};
