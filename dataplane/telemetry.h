// SPDX-License-Identifier: BSD-3-Clause
// dp_telemetry: the counters of a run as rte_telemetry commands, for dpdk-telemetry.py, its exporters and
// `weir stats`:
//
//	/weir/list             what there is: the commands with their parameters' names
//	/weir/info             instance, version, time, clock rate
//	/weir/conservation     the law's sides, and drops by reason
//	/weir/drops            packets dropped by reason
//	/weir/ports[,PORT]     without a parameter the names, with one its counters; so do
//	/weir/queues[,PORT:QUEUE]  /weir/filters[,CHAIN/PLACE]  /weir/workers[,NUMBER]
//	/weir/reasons,CHAIN/PLACE[,FROM]  a filter's own drop reasons, those that counted
//
// Owns:    a lock: the commands run on telemetry's thread, dp_telemetry_snapshot on the caller's.
#pragma once

#include "run.h"

// Register the commands; once a process, after dp_eal_init. Returns: 0; HOST.
WE_MUST_USE int dp_telemetry_register(void);
// Answer for this run from now on, with snapshots into stats; NULL, NULL: no run. Borrows: both, until
// the next call.
void dp_telemetry_serve(struct dp_run *run, struct dp_stats *stats);
// dp_run_snapshot of the run served, without disturbing an answer. Needs: a run.
void dp_telemetry_snapshot(struct dp_stats *ret_stats);
