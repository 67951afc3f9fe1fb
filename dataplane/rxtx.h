// SPDX-License-Identifier: BSD-3-Clause
// dp_rxtx: how a worker receives and sends: two functions and a context for each end.
//
// Data path 1/7 and 7/7. DPDK ports stand behind it (port.c), and `weir replay` puts capture files
// there, so that both take the same path.
// Thread:  the functions run on the worker that owns the queue; no locks.
#pragma once

#include "config.h"

struct rte_mbuf;
struct rte_mempool;

enum {
	DP_RX_END = UINT16_MAX, // this queue has ended and will never give a packet again
};

// Fill mbufs [n] with packets. Returns owned: the first r of them, r <= n; or DP_RX_END.
typedef uint16_t (*dp_rx_fn)(void *ctx, struct rte_mbuf **ret_mbufs, uint16_t n);
// Send mbufs [n]. Takes: the first r, which is returned; the rest stays the caller's.
typedef uint16_t (*dp_tx_fn)(void *ctx, struct rte_mbuf **mbufs, uint16_t n);
// Dispose of dropped mbufs [n]. Takes: all.
typedef void (*dp_drop_fn)(void *ctx, struct rte_mbuf **mbufs, uint32_t n);

struct dp_rx {
	dp_rx_fn burst;
	void *ctx; // borrowed until the port is closed
};
struct dp_tx {
	dp_tx_fn burst;
	void *ctx;
};

// A port, opened. Filled by dp_port_open, or by dp_hooks.open_port.
struct dp_port_io {
	struct dp_rx rx[DP_QUEUES_MAX]; // [n_queues] of its dp_port_config
	struct dp_tx tx[DP_QUEUES_MAX]; // [n_queues]
	uint32_t view_full;             // bytes: what a view `full` means for packets received here
	uint32_t max_tx_len;            // bytes: longer packets drop as tx_too_long
	uint32_t tstamp_unit_ns; // unit of the mbufs' timestamp field; 0: this port sets none
	bool can_insert_vlan;    // of transmitted mbufs with RTE_MBUF_F_TX_VLAN
	bool can_send_segments;  // of multi-segment mbufs
};
