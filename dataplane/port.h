// SPDX-License-Identifier: BSD-3-Clause
// dp_port: a DPDK device: probed by its device string, configured, started, closed.
//
// Data path 1/7 and 7/7, the DPDK ends of rxtx.h.
// Thread:  control side only; workers see struct dp_port_io.
#pragma once

#include "rxtx.h"
#include "stats.h"

struct dp_eth_queue {
	uint16_t port_id; // DPDK's
	uint16_t queue_id;
};

struct dp_port {
	const struct dp_port_config *config; // borrowed
	uint16_t id;                         // DPDK's
	bool is_open;
	bool is_started;
	bool is_probed_here; // then it is removed when closed; a port that was there before stays
	bool link_up;
	uint64_t link_changes;
	struct dp_eth_queue queues[DP_QUEUES_MAX]; // contexts of the io functions
};

// Probe and configure. pools: [n_queues], for the receive queues; borrowed until dp_port_close.
// A device of that name that exists already (rte_eth_from_rings) is taken as it is.
// Returns: 0; INVALID (more queues than it has, ...), HOST.
WE_MUST_USE int dp_port_open(struct dp_port *port, const struct dp_port_config *config,
	struct rte_mempool *const *pools, struct dp_port_io *ret_io, struct we_error *err);
WE_MUST_USE int dp_port_start(struct dp_port *port, struct we_error *err);
// Free what waits in its receive queues, stop, close, remove. Not opened: nothing happens.
void dp_port_close(struct dp_port *port);

// In which order to open: the device behind net_virtio_user must stand before it.
enum {
	DP_PORT_RANK_LAST = 2,
};
int dp_port_rank(const struct dp_port_config *config);
// Look at the link; counts and logs a change.
void dp_port_watch_link(struct dp_port *port);
// Fill the fields that are the port's own: link, MTU, MAC.
void dp_port_info(const struct dp_port *port, struct dp_port_stats *ret_stats);
