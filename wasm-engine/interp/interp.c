// SPDX-License-Identifier: BSD-3-Clause
// The interpreter as an execution tier.
//
// Module path 3/6. Owns: nothing. Thread: as tier.h says.
#include "tier.h"

#include "code.h"
#include "frames.h"
#include "loop.h"

const struct we_tier we_interp_tier = {
	.name = "interp",
	.open = we_code_open,
	.begin = we_code_begin,
	.lower = we_code_lower,
	.end = we_code_end,
	.close = we_code_close,
	.link = we_code_link,
	.release = we_code_destroy,
	.call = we_loop_call,
	.visit_roots = we_frames_visit,
};
