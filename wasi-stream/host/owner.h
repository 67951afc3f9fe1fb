// SPDX-License-Identifier: BSD-3-Clause
// owner: who a filter works for: the operations it was given, their env, and the time of the poll loop.
//
// Thread: the filter's.
#pragma once

#include "ws.h"

struct ws_owner {
	struct ws_filter_ops ops;
	void *env;
	uint64_t now_ns; // as the poll loop last said; never goes back
};

// The time that a guest is told: of the clock when there is one, else of the last pass.
static inline uint64_t ws_owner_now(struct ws_owner *owner)
{
	if (owner->ops.now_ns != NULL) {
		const uint64_t now = owner->ops.now_ns(owner->env);

		if (now > owner->now_ns)
			owner->now_ns = now;
	}
	return owner->now_ns;
}
