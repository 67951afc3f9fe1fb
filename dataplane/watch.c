// SPDX-License-Identifier: BSD-3-Clause
// dp_watch: which guest a thread is running.
#include "watch.h"

#include <pthread.h>

void dp_watch_bind(struct dp_watch *watch)
{
	clockid_t clock = CLOCK_THREAD_CPUTIME_ID;

	pthread_getcpuclockid(pthread_self(), &clock);
	watch->cpu_clock = clock;
}

static uint64_t cpu_ns(clockid_t clock)
{
	struct timespec ts = {0};

	clock_gettime(clock, &ts);
	return (uint64_t)ts.tv_sec * 1000000000 + (uint64_t)ts.tv_nsec;
}

uint64_t dp_watch_check(struct dp_watch *watch, uint64_t limit_ns)
{
	const uint64_t seq = __atomic_load_n(&watch->seq, __ATOMIC_ACQUIRE);

	if (!(seq & 1))
		return UINT64_MAX;
	const uint64_t now_ns = cpu_ns(watch->cpu_clock);
	if (seq != watch->seen_seq) {
		watch->seen_seq = seq;
		watch->seen_ns = now_ns;
	}
	struct we_store *core = __atomic_load_n(&watch->core, __ATOMIC_RELAXED);
	const uint64_t deadline_ns = __atomic_load_n(&watch->deadline_ns, __ATOMIC_RELAXED);
	const uint64_t may_ns = deadline_ns < limit_ns ? deadline_ns : limit_ns;
	const uint64_t used_ns = now_ns - watch->seen_ns;
	if (used_ns <= may_ns)
		return may_ns - used_ns;
	// Still the same run: what was read belongs to it. A run that ends just now ignores the entry.
	const uint64_t entry = we_store_entry(core);
	if (__atomic_load_n(&watch->seq, __ATOMIC_ACQUIRE) == seq)
		we_store_interrupt(core, entry);
	return UINT64_MAX;
}
