// SPDX-License-Identifier: BSD-3-Clause
// dp_slots: mbufs -> packets as a filter is offered them.
//
// Data path 2/7.
// Owns:    room for one burst of descriptors, and for the first bytes of packets whose segments are short.
// Thread:  one worker.
#pragma once

#include "mbuf_fields.h"
#include "ws.h"

struct dp_slots {
	uint8_t *gathered;     // [WS_BURST_MAX][gather_bytes]
	uint32_t gather_bytes; // the largest view of the worker's filters
	struct ws_packet packets[WS_BURST_MAX];
};

WE_MUST_USE int dp_slots_init(struct dp_slots *slots, uint32_t max_view); // 0; NOMEM
void dp_slots_fini(struct dp_slots *slots);

// What is the same for all packets of a queue.
struct dp_slot_source {
	struct ws_slot proto; // port_in, queue_in and the preset port_out; zero elsewhere
	struct dp_mbuf_fields fields;
	uint32_t tstamp_unit_ns; // dp_port_io
};

// When a packet was received, Unix time: its own time stamp, or else the burst's.
uint64_t dp_slots_tstamp(const struct dp_slot_source *source, struct rte_mbuf *m, uint64_t unix_ns);
// Packet i of the burst, as received.
void dp_slots_first(struct dp_slots *slots, uint32_t i, struct rte_mbuf *m,
	const struct dp_slot_source *source, uint32_t view, uint64_t unix_ns);
// Packet i of the burst, as dp_mbuf_priv has it: received, or left so by an earlier filter.
void dp_slots_next(struct dp_slots *slots, uint32_t i, struct rte_mbuf *m,
	const struct dp_slot_source *source, uint32_t view);
