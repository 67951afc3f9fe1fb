// SPDX-License-Identifier: BSD-3-Clause
// dp_worker: a poll loop on one core, with the queues, chains and counters that are its own.
//
// Thread:  dp_worker_main runs on the worker's lcore; all else on the control side, before and after.
#pragma once

#include "chain.h"
#include "clock.h"

#include <semaphore.h>
#include <stdatomic.h>

// A receive queue that the worker polls.
struct dp_rxq {
	struct dp_rx rx;
	uint16_t port_idx;
	uint16_t queue_idx;
	bool has_ended; // it will give no more packets
	struct dp_chain chain;
	struct dp_queue_stats stats; // of receiving
};

// What the workers of a run share.
struct dp_crew {
	uint32_t n_workers;
	atomic_bool stop;      // asked to end
	atomic_uint n_drained; // workers whose chains are empty: they hand nothing over any more
	sem_t ended;           // posted by each worker at its end
	struct dp_clock clock;
};

struct dp_worker;
typedef void (*dp_idle_fn)(struct dp_worker *worker);

struct dp_worker {
	struct dp_crew *crew; // borrowed
	struct dp_rxq *rxqs;  // [n_rxqs], owned by the run
	uint32_t n_rxqs;
	uint32_t burst;
	bool is_interp;        // its filters are not to run native code
	atomic_bool is_native; // its thread is ready to
	dp_idle_fn idle;       // dp_idle_spin or dp_idle_sleep
	uint32_t n_idle;       // passes in a row that did nothing
	uint64_t pass_tsc;     // when the pass began
	struct dp_kit kit;
	struct dp_worker_stats stats;
	struct rte_mbuf *mbufs[WS_BURST_MAX];
};

// The life of a worker: poll until asked to end or until every queue has ended, then drain. arg: the
// worker. For rte_eal_remote_launch.
int dp_worker_main(void *arg);

void dp_idle_spin(struct dp_worker *worker);
void dp_idle_sleep(struct dp_worker *worker);
