// SPDX-License-Identifier: BSD-3-Clause
// dp_run: one run of a configuration: pools, ports, filters, workers. `weir run` and `weir replay`
// both call this and nothing below it.
//
//	dp_eal_init(config, &message);                       // once a process (eal.h)
//	dp_run_create(config, NULL, &run);                   // from here on it can be asked to end
//	dp_run_open(run, &message);                          // loads filters, opens ports, makes instances
//	dp_run_start(run, &message);                         // links up, workers go
//	while (dp_run_wait(run, 100000000) == DP_RUN_GOES_ON)
//		dp_run_snapshot(run, stats);                 // as often as one likes
//	dp_run_snapshot(run, stats);                         // the end: the law must hold with held 0
//	leaked = dp_run_close(run);                          // closes ports, counts what the pools miss
//	dp_run_destroy(run); dp_eal_fini();
//
// What it does not do: parse configurations, print, listen. It logs (log.h) at start and stop, and, from a
// thread of its own, what became of filters.
// Returns: 0 done; INVALID, MALFORMED, UNLINKABLE, UNSUPPORTED, TRAP, EXHAUSTED: the configuration or
// a filter is at fault; HOST: the machine refused; NOMEM. On failure *ret_message is one line,
// "FILE:LINE:COLUMN: ..." where a line of the configuration is to blame (malloc'd, the caller frees it).
// Thread:  the one that called dp_eal_init, but where another is named.
#pragma once

#include "rxtx.h"
#include "stats.h"

struct dp_run;

// What a command puts in the place of DPDK's parts. Borrowed until dp_run_destroy; all may be NULL.
struct dp_hooks {
	void *env;
	// Opens port port_idx in the place of a DPDK device; pool is where its mbufs come from.
	// Returns: 0; a failure, with *err filled. NULL: DPDK devices.
	int (*open_port)(void *env, uint16_t port_idx, struct rte_mempool *pool,
		struct dp_port_io *ret_io, struct we_error *err);
	// Takes every dropped mbuf, on the worker. NULL: they are freed.
	dp_drop_fn drop;
};

// hooks may be NULL.
WE_MUST_USE int dp_run_create(
	const struct dp_config *config, const struct dp_hooks *hooks, struct dp_run **ret_run);
// Once. When it fails, dp_run_destroy is what is left to do. Once asked to end, it fails soon: a filter's
// start, which is guest code, has a tenth of a second left.
WE_MUST_USE int dp_run_open(struct dp_run *run, char **ret_message);
WE_MUST_USE int dp_run_start(struct dp_run *run, char **ret_message);
// Ask the workers to end: no more packets are received, filters drain. Any thread, async-signal-safe.
void dp_run_request_stop(struct dp_run *run);

enum {
	DP_RUN_GOES_ON = 1
};
// Wait until every worker has ended, by request or because all its queues have (DP_RX_END).
// Returns: 0; DP_RUN_GOES_ON after timeout_ns.
WE_MUST_USE int dp_run_wait(struct dp_run *run, uint64_t timeout_ns);

// Any one thread at a time, between dp_run_open and dp_run_destroy. stats: of the same configuration.
void dp_run_snapshot(struct dp_run *run, struct dp_stats *stats);
// Name of drop reason i in 1..255 of filter filter_idx. Borrowed from the run; NULL: it has no name.
const char *dp_run_reason(const struct dp_run *run, uint16_t filter_idx, uint32_t i);

// Close all ports, after dp_run_wait returned 0. Returns the number of mbufs that did not come back.
WE_MUST_USE uint32_t dp_run_close(struct dp_run *run);
void dp_run_destroy(struct dp_run *run); // stops and closes what still runs; NULL is fine
