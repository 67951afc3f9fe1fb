// SPDX-License-Identifier: BSD-3-Clause
// dp_stage: one filter of a chain: packets enter it, it runs, its instances come and go.
//
// Data path 2/7 to 5/7. The struct stands in chain.h.
// Thread:  the worker that polls the chain's queue.
#pragma once

#include "chain.h"

typedef int (*dp_stage_fn)(struct ws_filter *filter, uint64_t now_ns, struct we_error *err);

// Offer mbufs [n], n <= WS_BURST_MAX, to the filter; what it has no room for waits; without an instance
// they go where the policy says. Takes: all.
void dp_stage_enter(struct dp_stage *stage, struct rte_mbuf **mbufs, uint32_t n);
// Let in what waits, and run when there is something to run. Returns: was there anything to do?
bool dp_stage_turn(struct dp_stage *stage);

// Run the instance by fn (ws_filter_run, ws_filter_stop) under its deadline; counts time and runs.
WE_MUST_USE int dp_stage_run(struct dp_stage *stage, dp_stage_fn fn, struct we_error *err);
// Takes: filter, ready, nothing lent.
void dp_stage_adopt(struct dp_stage *stage, struct ws_filter *filter);
// The instance is gone. err: why; NULL: it ended by itself. What was lent to it goes where the policy says.
void dp_stage_lose(struct dp_stage *stage, const struct we_error *err);
// The instance has ended: learn its status, then the same.
void dp_stage_end(struct dp_stage *stage);
