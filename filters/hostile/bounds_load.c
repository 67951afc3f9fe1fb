// SPDX-License-Identifier: BSD-3-Clause
// Reads beyond its memory.

#include "weir.h"

static volatile uint32_t seen;

static void burst(struct weir_burst *b)
{
	const volatile uint32_t *far = (const volatile uint32_t *)(uintptr_t)0xfffffff0;

	(void)b;
	seen = *far;
}

const struct weir_filter weir_filter = {
	.burst = burst,
};
