// SPDX-License-Identifier: BSD-3-Clause
// dp_worker: the poll loop: a packet from the NIC to the NIC.
//
// No malloc, lock, log or syscall of ours between rx and tx; no_alloc_on_data_path_test.c holds us to it.
#include "worker.h"

#include "log.h"
#include "rx.h"
#include "unmap.h"

#include <rte_lcore.h>
#include <rte_pause.h>

#include <pthread.h>
#include <signal.h>
#include <sys/prctl.h>
#include <time.h>

enum {
	IDLE_PASSES = 64,    // that do nothing before a worker sleeps
	IDLE_MIN_NS = 10000, // first sleep; doubles
	IDLE_MAX_SHIFT = 4,  // to 160 us at most
	TIMER_SLACK_NS = 1000,
	DRAIN_NS = 500000000, // for all filters of a worker to finish
};

static bool worker_pass(struct dp_worker *w, struct dp_rxq *q)
{
	const uint32_t room = q->has_ended ? 0 : dp_chain_room(&q->chain, w->burst);
	uint32_t n = 0;

	if (room == 0)
		dp_count(&q->stats.polls_skipped, !q->has_ended);
	else
		n = dp_rx_burst(&q->rx, w->mbufs, room, &q->stats, &q->has_ended); // 1 NIC -> mbufs
	const bool was_busy = dp_chain_run(
		&q->chain, w->mbufs, n); // 2 slots, 3 source, 4 filter, 5 sink, 6 verdict
	dp_ways_flush(&w->kit.ways);     // 7 batches -> NIC; what does not fit is a drop
	return was_busy;
}

// One pass over all queues. Returns: was there anything to do?
static bool poll_all(struct dp_worker *w)
{
	bool was_busy = dp_ways_drain_handed(&w->kit.ways) > 0;

	for (uint32_t i = 0; i < w->n_rxqs; i++)
		was_busy |= worker_pass(w, &w->rxqs[i]);
	return was_busy;
}

// Charge the pass that ends now, and read the clock for the next one.
static void next_pass(struct dp_worker *w, bool was_busy)
{
	const uint64_t tsc = rte_rdtsc();

	dp_count(was_busy ? &w->stats.cycles_busy : &w->stats.cycles_idle, tsc - w->pass_tsc);
	dp_count(&w->stats.passes, 1);
	if (!was_busy)
		dp_count(&w->stats.passes_idle, 1);
	w->pass_tsc = tsc;
	w->kit.now_ns = dp_clock_at(&w->crew->clock, tsc);
}

static bool all_ended(const struct dp_worker *w)
{
	for (uint32_t i = 0; i < w->n_rxqs; i++) {
		if (!w->rxqs[i].has_ended)
			return false;
	}
	return w->n_rxqs > 0;
}

// Chains first, then what other workers still hand over: until all of them are empty too.
static void drain(struct dp_worker *w)
{
	const uint64_t until_ns = dp_clock_now(&w->crew->clock) + DRAIN_NS;

	for (uint32_t i = 0; i < w->n_rxqs; i++)
		dp_chain_stop(&w->rxqs[i].chain, until_ns);
	dp_ways_flush(&w->kit.ways);
	atomic_fetch_add(&w->crew->n_drained, 1);
	while (atomic_load(&w->crew->n_drained) < w->crew->n_workers) {
		dp_ways_drain_handed(&w->kit.ways);
		dp_ways_flush(&w->kit.ways);
		dp_unmap_worker_is_out(rte_lcore_id());
		dp_idle_sleep(w);
	}
	while (dp_ways_drain_handed(&w->kit.ways) > 0)
		continue;
	dp_ways_flush(&w->kit.ways);
}

// Signals are the control side's. What the kernel raises for this thread's own faults stays open.
static void block_signals(void)
{
	static const int of_this_thread[] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP, SIGSYS};
	sigset_t set;

	sigfillset(&set);
	for (size_t i = 0; i < sizeof(of_this_thread) / sizeof(of_this_thread[0]); i++)
		sigdelset(&set, of_this_thread[i]);
	pthread_sigmask(SIG_SETMASK, &set, NULL);
}

// Last: it opens the two signals that native code needs. Without it the guests stay in the interpreter.
static void prepare_native(struct dp_worker *w)
{
	struct we_error err;

	if (w->is_interp)
		return;
	if (we_thread_prepare(&err) < 0)
		dp_log_warn("a worker cannot run native code, its filters stay in the "
			    "interpreter: %s",
			err.msg);
	else
		atomic_store_explicit(&w->is_native, true, memory_order_relaxed);
}

int dp_worker_main(void *arg)
{
	struct dp_worker *w = arg;

	block_signals();
	prepare_native(w);
	prctl(PR_SET_TIMERSLACK, TIMER_SLACK_NS);
	dp_watch_bind(&w->kit.watch);
	dp_unmap_worker_begins(rte_lcore_id());
	w->pass_tsc = rte_rdtsc();
	w->kit.now_ns = dp_clock_at(&w->crew->clock, w->pass_tsc);
	while (!atomic_load_explicit(&w->crew->stop, memory_order_relaxed) && !all_ended(w)) {
		const bool was_busy = poll_all(w);

		next_pass(w, was_busy);
		dp_unmap_worker_is_out(rte_lcore_id());
		w->n_idle = was_busy ? 0 : w->n_idle + 1;
		if (!was_busy)
			w->idle(w);
	}
	drain(w);
	dp_unmap_worker_ends(rte_lcore_id());
	sem_post(&w->crew->ended);
	return 0;
}

void dp_idle_spin(struct dp_worker *worker)
{
	(void)worker;
	rte_pause();
}

void dp_idle_sleep(struct dp_worker *worker)
{
	if (worker->n_idle < IDLE_PASSES) {
		rte_pause();
		return;
	}
	const uint32_t steps = worker->n_idle - IDLE_PASSES;
	const struct timespec ts = {
		.tv_nsec = IDLE_MIN_NS << (steps < IDLE_MAX_SHIFT ? steps : IDLE_MAX_SHIFT),
	};
	dp_count(&worker->stats.sleeps, 1);
	nanosleep(&ts, NULL);
}
