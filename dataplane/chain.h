// SPDX-License-Identifier: BSD-3-Clause
// dp_chain: the filters that the packets of one receive queue go through, each in its own instance.
//
// Data path 2/7 to 6/7.
// Thread:  the worker that polls the queue; set up and taken down on the control side.
#pragma once

#include "slots.h"
#include "supervise.h"
#include "tx.h"

// Packets in front of a filter that had no room for them: because an earlier one let many go at once, or
// because the instance is a new one with less room than the burst that it met.
// Invariant: n <= cap. While packets wait in front of a filter, those before it do not run and the queue
// is not polled, so that a cap of all that these may let go at once is enough.
struct dp_waiting {
	struct rte_mbuf **mbufs; // [cap], a ring
	uint32_t cap;
	uint32_t head;
	uint32_t n;
};

// When a lost instance may be replaced.
struct dp_backoff {
	uint64_t ready_at_ns;
	uint64_t pause_ns; // next one
	uint64_t since_ns; // the instance came at
};

// One filter of the chain.
struct dp_stage {
	struct ws_filter *filter; // owned; NULL: no instance is ready
	const struct dp_filter_config *config;
	struct dp_chain *chain;
	struct dp_stage *next; // NULL: the last
	uint32_t view;         // bytes, of the instance
	struct dp_waiting waiting;
	struct dp_backoff backoff;
	struct dp_filter_stats stats;
	struct dp_owner owner;
	struct dp_seat seat;
};

// What a worker lends to its chains.
struct dp_kit {
	struct dp_ways ways;
	struct dp_slots slots;
	struct dp_watch watch;
	struct dp_log_ring log;
	const struct dp_clock *clock;
	uint64_t now_ns; // of the pass, on that clock
};

struct dp_chain {
	struct dp_stage *stages; // [n_stages], owned
	uint32_t n_stages;
	uint32_t n_waiting;   // over all stages
	uint16_t preset_port; // port_out of packets that come in, or DP_NO_INDEX
	bool is_stopping;     // instances are no longer replaced
	struct dp_slot_source source;
	struct dp_kit *kit;           // borrowed: the worker's
	struct dp_queue_stats *stats; // borrowed: the queue's
};

// ops of every instance; env is a struct dp_owner.
extern const struct ws_filter_ops dp_stage_ops;

// Room for n stages, without instances. Returns: 0; NOMEM.
WE_MUST_USE int dp_chain_init(struct dp_chain *chain, uint32_t n_stages);
// Put an instance (owned from now on) into stage i; its seat is initialised. Returns: 0; NOMEM.
WE_MUST_USE int dp_chain_seat(struct dp_chain *chain, uint32_t i, struct ws_filter *filter);
void dp_chain_fini(struct dp_chain *chain);

// How many packets may enter now, at most burst: 0 when a filter has no room.
uint32_t dp_chain_room(const struct dp_chain *chain, uint32_t burst);
// Take mbufs [n] in, n may be 0, and run what is to be run. Returns: was there anything to do?
bool dp_chain_run(struct dp_chain *chain, struct rte_mbuf **mbufs, uint32_t n);
// The end: the filters' streams end, they drain until until_ns, what they keep is dropped.
void dp_chain_stop(struct dp_chain *chain, uint64_t until_ns);
