// SPDX-License-Identifier: BSD-3-Clause
// cm_future: a value that one end writes once and the other, which may be the host's, reads.
//
// Module path 6.
// Owns:    nothing but its state.
// Thread:  one worker; no locks.
// Spec:    CanonicalABI.md "Future State".
#pragma once

#include "stream.h"

struct cm_future {
	struct cm_shared shared;
	cm_future_fn fn; // of a readable end that is HOST_PEER
	void *env;
};

WE_MUST_USE int cm_future_create(struct cm_store *store, const struct cm_type *elem,
	struct cm_future **ret_future, struct we_error *err);
static inline struct cm_future *cm_future_of(struct cm_shared *shared)
{
	assert(shared->is_future);
	return cm_of_link(shared, struct cm_future, shared);
}
struct cm_event cm_future_event(struct cm_waitable *w);
// Spec: SharedFutureImpl.read, write.
WE_MUST_USE int cm_future_copy(struct cm_copy_end *end, struct we_error *err);
