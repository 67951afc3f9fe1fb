// SPDX-License-Identifier: BSD-3-Clause
// monotonic_clock: wasi:clocks/monotonic-clock; its timers fire from the poll loop's own clock.
//
// A heap of the waits under way, as many as the limits allow, allocated beforehand.
// Owns:    the timers; the calls are the canonical ABI's.
// Thread:  the filter's.
#pragma once

#include "owner.h"

struct ws_timer;

// Invariant: heap[0, n) is a binary heap by due time, heap[n, max) are the free timers.
struct ws_clock {
	struct ws_owner *owner;  // borrowed from the filter
	struct ws_timer *timers; // [max]
	struct ws_timer **heap;  // [max]
	uint32_t n;              // waits under way
	uint32_t max;
	uint64_t next_ns; // due time of heap[0]; UINT64_MAX when n is 0
};

// Returns: 0, NOMEM.
WE_MUST_USE int ws_clock_init(
	struct ws_clock *clock, struct ws_owner *owner, uint32_t max, struct we_error *err);
void ws_clock_fini(struct ws_clock *clock); // zeroed is fine
// Resolve the waits that are due. Returns: 0, or what cm_call_resolve failed with.
WE_MUST_USE int ws_clock_fire(struct ws_clock *clock, uint64_t now_ns, struct we_error *err);

// now: func() -> mark. env of all: struct ws_clock.
int ws_clock_now(void *env, struct cm_call *call, const struct cm_val *args, uint32_t n_args,
	struct cm_val *result, struct we_error *err);
// get-resolution: func() -> duration
int ws_clock_get_resolution(void *env, struct cm_call *call, const struct cm_val *args,
	uint32_t n_args, struct cm_val *result, struct we_error *err);
// wait-until: async func(when: mark)
int ws_clock_wait_until(void *env, struct cm_call *call, const struct cm_val *args, uint32_t n_args,
	struct cm_val *result, struct we_error *err);
// wait-for: async func(how-long: duration)
int ws_clock_wait_for(void *env, struct cm_call *call, const struct cm_val *args, uint32_t n_args,
	struct cm_val *result, struct we_error *err);
