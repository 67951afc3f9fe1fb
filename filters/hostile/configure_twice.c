// SPDX-License-Identifier: BSD-3-Clause
// Configures its stream a second time.

#include "weir.h"

static void start(struct weir_burst *b)
{
	struct weir_shape shape;

	(void)b;
	weir_configure(WEIR_VIEW_DEFAULT, 0, NULL, 0, &shape);
}

static void burst(struct weir_burst *b)
{
	(void)b;
}

const struct weir_filter weir_filter = {
	.burst = burst,
	.start = start,
};
