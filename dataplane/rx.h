// SPDX-License-Identifier: BSD-3-Clause
// dp_rx: one receive queue, as its worker sees it.
//
// Data path 1/7. NIC queue -> mbuf burst; what is not what it says it is goes no further.
// Thread:  the worker that polls the queue.
#pragma once

#include "rxtx.h"
#include "stats.h"

// Fill mbufs [budget], budget > 0. has_ended is set for good when the queue will give no more.
// Returns owned: the number of packets that are sound; the others are freed and counted.
uint32_t dp_rx_burst(const struct dp_rx *rx, struct rte_mbuf **mbufs, uint32_t budget,
	struct dp_queue_stats *stats, bool *has_ended);
