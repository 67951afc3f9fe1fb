// SPDX-License-Identifier: BSD-3-Clause
// dp_chain: the filters that the packets of one receive queue go through.
//
// Data path 2/7 to 6/7.
// Thread:  the worker that polls the queue.
#pragma once

#include "tx.h"

struct dp_chain {
	struct dp_ways *ways;         // borrowed: the worker's
	struct dp_queue_stats *stats; // borrowed: the queue's
	uint16_t preset_port;         // port_out of packets that come in, or DP_NO_INDEX
};

// How many packets may enter now, at most burst: 0 when a filter has no room.
uint32_t dp_chain_room(const struct dp_chain *chain, uint32_t burst);
// Take mbufs [n] in, n may be 0, and run what is to be run. Returns: was there anything to do?
bool dp_chain_run(struct dp_chain *chain, struct rte_mbuf **mbufs, uint32_t n);
// The end: the filters' streams end, they drain, what they keep is dropped.
void dp_chain_stop(struct dp_chain *chain);
