// SPDX-License-Identifier: BSD-3-Clause
// dp_clock: nanoseconds out of the time-stamp counter, for poll loops: one multiplication, no call.
//
// Thread:  any reads; one thread (control) keeps the offset to Unix time right.
#pragma once

#include <rte_cycles.h>

#include <stdint.h>
#include <time.h>

__extension__ typedef unsigned __int128 dp_u128;

// Invariant: ns(tsc) = (tsc - tsc_base) * mult / 2^32, since dp_clock_init.
struct dp_clock {
	uint64_t tsc_base;
	uint64_t mult;           // nanoseconds a cycle, 32 bits after the point
	uint64_t unix_offset_ns; // Unix time minus ns(tsc); relaxed
};

static inline uint64_t dp_clock_at(const struct dp_clock *clock, uint64_t tsc)
{
	return (uint64_t)(((dp_u128)(tsc - clock->tsc_base) * clock->mult) >> 32);
}

// Nanoseconds since dp_clock_init; never goes back on machines with an invariant TSC.
static inline uint64_t dp_clock_now(const struct dp_clock *clock)
{
	return dp_clock_at(clock, rte_rdtsc());
}

static inline uint64_t dp_clock_unix(const struct dp_clock *clock, uint64_t now_ns)
{
	return now_ns + __atomic_load_n(&clock->unix_offset_ns, __ATOMIC_RELAXED);
}

// Follow the system's clock. The caller does so about once a second.
static inline void dp_clock_follow(struct dp_clock *clock)
{
	struct timespec ts;

	clock_gettime(CLOCK_REALTIME, &ts);
	const uint64_t unix_ns = (uint64_t)ts.tv_sec * 1000000000 + (uint64_t)ts.tv_nsec;
	__atomic_store_n(&clock->unix_offset_ns, unix_ns - dp_clock_now(clock), __ATOMIC_RELAXED);
}

static inline void dp_clock_init(struct dp_clock *clock)
{
	clock->tsc_base = rte_rdtsc();
	clock->mult = (UINT64_C(1000000000) << 32) / rte_get_tsc_hz();
	dp_clock_follow(clock);
}
