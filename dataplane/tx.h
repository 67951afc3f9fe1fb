// SPDX-License-Identifier: BSD-3-Clause
// dp_tx: the ways out of a worker: a batch for each port, and one for what is dropped.
//
// Data path 6/7 (a packet is put into a batch) and 7/7 (the batch goes out).
// Owns:    the mbufs in its batches.
// Thread:  one worker; the control side sets it up before and reads the counters.
#pragma once

#include "rxtx.h"
#include "stats.h"

#include <rte_mbuf.h>
#include <rte_ring.h>

// One port, as one worker sends to it.
struct dp_out {
	struct dp_tx tx;         // its own queue, or the ring of the worker that has one
	struct rte_ring *handed; // what other workers hand over for this queue; NULL: nobody does
	uint32_t max_len;        // bytes
	uint16_t max_segments;
	bool can_insert_vlan;
	uint16_t queue_idx; // of the port; whose statistics these are
	uint32_t n;         // in mbufs
	struct dp_traffic
		*sent; // &stats.tx; &handed_over when a ring is behind tx: its owner counts
	struct rte_mbuf *mbufs[WS_BURST_MAX];
	struct dp_queue_stats stats; // of sending
	struct dp_traffic handed_over;
};

struct dp_ways {
	struct dp_out *outs;      // [n_outs], by port index
	uint16_t n_outs;          // <= DP_PORTS_MAX
	uint16_t exception_port;  // DP_NO_INDEX: none
	uint64_t dirty;           // bit i: outs[i] has packets
	struct rte_mempool *pool; // for what transmission adds
	dp_drop_fn drop;          // takes what is dropped
	void *drop_ctx;
	uint32_t n_dropped;
	struct rte_mbuf *dropped[WS_BURST_MAX];
};

void dp_ways_flush_drops(struct dp_ways *ways);
void dp_ways_flush_out(struct dp_ways *ways, struct dp_out *out);
// Data path 7/7: send and free everything that the pass has put into a batch.
void dp_ways_flush(struct dp_ways *ways);
// Send what other workers handed over. Returns the number of packets taken from rings.
uint32_t dp_ways_drain_handed(struct dp_ways *ways);

// The tx function of a worker without a queue of its own; ctx is the owner's ring.
uint16_t dp_tx_hand_over(void *ctx, struct rte_mbuf **mbufs, uint16_t n);

// Takes: m. drops: where the reason is counted, [DP_DROP_N].
static inline void dp_ways_drop(
	struct dp_ways *ways, struct rte_mbuf *m, uint64_t *drops, enum dp_drop reason)
{
	dp_count(&drops[reason], 1);
	ways->dropped[ways->n_dropped++] = m;
	if (ways->n_dropped == WS_BURST_MAX)
		dp_ways_flush_drops(ways);
}

// Data path 6/7: to a port. Takes: m. drops: of the queue it was received on.
static inline void dp_ways_forward(
	struct dp_ways *ways, struct rte_mbuf *m, uint16_t port, uint64_t *drops)
{
	if (unlikely(port >= ways->n_outs)) {
		dp_ways_drop(ways, m, drops, DP_DROP_NO_ROUTE);
		return;
	}
	struct dp_out *out = &ways->outs[port];
	out->mbufs[out->n++] = m;
	ways->dirty |= UINT64_C(1) << port;
	if (out->n == WS_BURST_MAX)
		dp_ways_flush_out(ways, out);
}

// To the exception port. Takes: m.
static inline void dp_ways_except(struct dp_ways *ways, struct rte_mbuf *m, uint64_t *drops)
{
	if (ways->exception_port == DP_NO_INDEX)
		dp_ways_drop(ways, m, drops, DP_DROP_NO_EXCEPTION_PORT);
	else
		dp_ways_forward(ways, m, ways->exception_port, drops);
}
