// SPDX-License-Identifier: BSD-3-Clause
// Says after its first burst that what came in was malformed.

#include "weir.h"

static void burst(struct weir_burst *b)
{
	weir_fail_malformed(b);
}

const struct weir_filter weir_filter = {
	.burst = burst,
};
