// SPDX-License-Identifier: BSD-3-Clause
// dp_watch: which guest a thread is running, for the thread that enforces deadlines.
//
// The deadline counts the CPU time of the watched thread, so that a busy machine kills nobody.
// Thread:  enter and leave on the watched thread: two stores each; dp_watch_check on the watching one.
#pragma once

#include "we.h"

#include <time.h>

// Invariant: seq is odd while a guest may be running; core and deadline_ns are valid then.
struct dp_watch {
	uint64_t seq;          // relaxed stores in the order that enter and leave give
	struct we_store *core; // borrowed by the watching thread under its lock
	uint64_t deadline_ns;  // of CPU time
	clockid_t cpu_clock;   // of the watched thread
	// The watching thread's own:
	uint64_t seen_seq;
	uint64_t seen_ns; // CPU time when seq was first seen
	struct dp_watch *next;
};

// Once, on the thread to be watched.
void dp_watch_bind(struct dp_watch *watch);

static inline void dp_watch_enter(
	struct dp_watch *watch, struct we_store *core, uint64_t deadline_ns)
{
	__atomic_store_n(&watch->core, core, __ATOMIC_RELAXED);
	__atomic_store_n(&watch->deadline_ns, deadline_ns, __ATOMIC_RELAXED);
	__atomic_store_n(&watch->seq, watch->seq + 1, __ATOMIC_RELEASE);
}

static inline void dp_watch_leave(struct dp_watch *watch)
{
	__atomic_store_n(&watch->seq, watch->seq + 1, __ATOMIC_RELEASE);
}

// Interrupt the guest if it has used up its deadline, or limit_ns when that is less. Needs: no store that was ever entered is destroyed
// meanwhile, but after its leave was seen (the watching thread holds the lock that destroyers take).
// Returns: ns after which the guest that runs now may have used it up; UINT64_MAX: none does, or it was interrupted.
uint64_t dp_watch_check(struct dp_watch *watch, uint64_t limit_ns);
