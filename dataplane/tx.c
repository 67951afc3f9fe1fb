// SPDX-License-Identifier: BSD-3-Clause
// dp_tx: batch -> NIC queue; what does not fit is a named drop.
//
// Data path 7/7.
#include "tx.h"

#include "checksum.h"
#include "rewrite.h"

#include <rte_ether.h>

#include <string.h>

enum {
	MACS_BYTES = 2 * RTE_ETHER_ADDR_LEN,
	TAG_BYTES = 4,
};

// Receive and transmit flags that ask for work before a packet can be sent.
#define NEEDS_WORK                                                                                 \
	(RTE_MBUF_F_RX_VLAN_STRIPPED | RTE_MBUF_F_RX_QINQ_STRIPPED | RTE_MBUF_F_TX_OFFLOAD_MASK |  \
		RTE_MBUF_F_RX_L4_CKSUM_BAD | RTE_MBUF_F_RX_IP_CKSUM_BAD) // a bit of _NONE, too

static uint8_t *put_tag(uint8_t *at, uint16_t tpid, uint16_t tci)
{
	at[0] = (uint8_t)(tpid >> 8);
	at[1] = (uint8_t)tpid;
	at[2] = (uint8_t)(tci >> 8);
	at[3] = (uint8_t)tci;
	return at + TAG_BYTES;
}

// Put stripped tags back: by the port when it can and there is one, else here. Returns: 0; 1: no memory.
static int restore_vlan(const struct dp_out *out, struct dp_ways *ways, struct rte_mbuf **m)
{
	const bool is_double = (*m)->ol_flags & RTE_MBUF_F_RX_QINQ_STRIPPED;
	uint8_t front[MACS_BYTES + 2 * TAG_BYTES];
	uint8_t *end = front + MACS_BYTES;

	if (!is_double && out->can_insert_vlan) {
		(*m)->ol_flags |= RTE_MBUF_F_TX_VLAN;
	} else if ((*m)->pkt_len >= MACS_BYTES) {
		dp_gather(*m, front, MACS_BYTES);
		if (is_double)
			end = put_tag(end, RTE_ETHER_TYPE_QINQ, (*m)->vlan_tci_outer);
		end = put_tag(end, RTE_ETHER_TYPE_VLAN, (*m)->vlan_tci);
		if (dp_rewrite(m, ways->pool, front, (uint16_t)(end - front), MACS_BYTES))
			return 1;
	}
	(*m)->ol_flags &= ~(RTE_MBUF_F_RX_VLAN | RTE_MBUF_F_RX_VLAN_STRIPPED | RTE_MBUF_F_RX_QINQ |
			    RTE_MBUF_F_RX_QINQ_STRIPPED);
	return 0;
}

// One segment for a port that sends no more. Returns: 0; 1: it does not fit, or no memory.
static int make_single(struct dp_ways *ways, struct rte_mbuf **m)
{
	struct rte_mbuf *copy = rte_pktmbuf_copy(*m, ways->pool, 0, UINT32_MAX);

	if (!copy || copy->nb_segs > 1) {
		rte_pktmbuf_free(copy);
		return 1;
	}
	*dp_mbuf_priv(copy) = *dp_mbuf_priv(*m);
	rte_pktmbuf_free(*m);
	*m = copy;
	return 0;
}

// Make *m such that the port sends it truthfully. Returns: 0; 1 when it was dropped.
static int make_ready(struct dp_ways *ways, struct dp_out *out, struct rte_mbuf **m)
{
	enum dp_drop reason = DP_DROP_NO_MEMORY;

	if (dp_checksum_is_open(*m))
		dp_checksum_complete(*m);
	(*m)->ol_flags &= ~RTE_MBUF_F_TX_OFFLOAD_MASK;
	if (((*m)->ol_flags & (RTE_MBUF_F_RX_VLAN_STRIPPED | RTE_MBUF_F_RX_QINQ_STRIPPED)) &&
		restore_vlan(out, ways, m))
		goto drop;
	reason = DP_DROP_TX_TOO_LONG;
	if ((*m)->pkt_len > out->max_len)
		goto drop;
	if ((*m)->nb_segs > out->max_segments && make_single(ways, m))
		goto drop;
	return 0;
drop:
	dp_ways_drop(ways, *m, out->stats.drops, reason);
	return 1;
}

// Keeps in out->mbufs what can be sent. Returns its bytes.
static uint64_t prepare(struct dp_ways *ways, struct dp_out *out)
{
	const uint32_t n = out->n;
	uint64_t bytes = 0;

	out->n = 0;
	for (uint32_t i = 0; i < n; i++) {
		struct rte_mbuf *m = out->mbufs[i];

		if (unlikely((m->ol_flags & NEEDS_WORK) || m->pkt_len > out->max_len ||
			     m->nb_segs > out->max_segments) &&
			make_ready(ways, out, &m))
			continue;
		out->mbufs[out->n++] = m;
		bytes += m->pkt_len;
	}
	return bytes;
}

// Send mbufs [n]; what the port does not take is dropped as tx_full. Takes: all.
static void send(struct dp_ways *ways, struct dp_out *out, struct rte_mbuf **mbufs, uint32_t n,
	uint64_t bytes)
{
	const uint32_t n_sent = out->tx.burst(out->tx.ctx, mbufs, (uint16_t)n);

	for (uint32_t i = n_sent; i < n; i++) {
		bytes -= mbufs[i]->pkt_len;
		dp_ways_drop(ways, mbufs[i], out->stats.drops, DP_DROP_TX_FULL);
	}
	dp_count(&out->sent->packets, n_sent);
	dp_count(&out->sent->bytes, bytes);
}

void dp_ways_flush_out(struct dp_ways *ways, struct dp_out *out)
{
	const uint64_t bytes = prepare(ways, out);

	if (out->n > 0)
		send(ways, out, out->mbufs, out->n, bytes);
	out->n = 0;
	ways->dirty &= ~(UINT64_C(1) << (out - ways->outs));
}

void dp_ways_flush_drops(struct dp_ways *ways)
{
	ways->drop(ways->drop_ctx, ways->dropped, ways->n_dropped);
	ways->n_dropped = 0;
}

void dp_ways_flush(struct dp_ways *ways)
{
	while (ways->dirty)
		dp_ways_flush_out(ways, &ways->outs[__builtin_ctzll(ways->dirty)]);
	if (ways->n_dropped > 0)
		dp_ways_flush_drops(ways);
}

uint32_t dp_ways_drain_handed(struct dp_ways *ways)
{
	struct rte_mbuf *mbufs[WS_BURST_MAX];
	uint32_t total = 0;

	for (uint16_t i = 0; i < ways->n_outs; i++) {
		struct dp_out *out = &ways->outs[i];
		uint64_t bytes = 0;

		if (!out->handed)
			continue;
		const uint32_t n =
			rte_ring_sc_dequeue_burst(out->handed, (void **)mbufs, WS_BURST_MAX, NULL);
		for (uint32_t k = 0; k < n; k++)
			bytes += mbufs[k]->pkt_len;
		if (n > 0)
			send(ways, out, mbufs, n, bytes);
		total += n;
	}
	return total;
}

uint16_t dp_tx_hand_over(void *ctx, struct rte_mbuf **mbufs, uint16_t n)
{
	return (uint16_t)rte_ring_mp_enqueue_burst(ctx, (void *const *)mbufs, n, NULL);
}
