// SPDX-License-Identifier: BSD-3-Clause
// Logs a text that lies beyond its memory.

#include "weir.h"

static void burst(struct weir_burst *b)
{
	(void)b;
	weir_log(WEIR_LOG_INFO, (struct weir_str)WEIR_STR("hostile"),
		(struct weir_str){(const char *)(uintptr_t)0xfffff000, 0xfff});
}

const struct weir_filter weir_filter = {
	.burst = burst,
};
