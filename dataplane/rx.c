// SPDX-License-Identifier: BSD-3-Clause
// dp_rx: NIC queue -> mbuf burst.
//
// Data path 1/7.
#include "rx.h"

#include <rte_mbuf.h>
#include <rte_prefetch.h>

// Do the segments add up to the packet? net_pcap makes some that do not, out of records of more than
// 65,535 bytes, and sending such a packet crashes the process.
static bool adds_up(const struct rte_mbuf *m)
{
	const struct rte_mbuf *seg = m;
	uint32_t n_segs = 0;
	uint64_t len = 0; // bytes

	for (; seg && n_segs < m->nb_segs; seg = seg->next, n_segs++) {
		if (seg->data_off + seg->data_len > seg->buf_len)
			return false;
		len += seg->data_len;
	}
	return !seg && n_segs == m->nb_segs && len == m->pkt_len;
}

static bool is_sound(const struct rte_mbuf *m)
{
	if (likely(m->nb_segs == 1))
		return m->data_len == m->pkt_len && m->data_off + m->data_len <= m->buf_len;
	return adds_up(m);
}

uint32_t dp_rx_burst(const struct dp_rx *rx, struct rte_mbuf **mbufs, uint32_t budget,
	struct dp_queue_stats *stats, bool *has_ended)
{
	const uint16_t n = rx->burst(rx->ctx, mbufs, (uint16_t)budget);
	uint32_t n_sound = 0;
	uint64_t bytes = 0;

	dp_count(&stats->polls, 1);
	if (n == 0 || n == DP_RX_END) {
		dp_count(&stats->polls_empty, 1);
		*has_ended |= n == DP_RX_END;
		return 0;
	}
	for (uint16_t i = 0; i < n; i++) {
		struct rte_mbuf *m = mbufs[i];

		bytes += m->pkt_len;
		if (unlikely(!is_sound(m))) {
			dp_count(&stats->drops[DP_DROP_RX_MALFORMED], 1);
			rte_pktmbuf_free(m);
			continue;
		}
		rte_prefetch0(rte_pktmbuf_mtod(m, void *));
		mbufs[n_sound++] = m;
	}
	dp_count(&stats->rx.packets, n);
	dp_count(&stats->rx.bytes, bytes);
	return n_sound;
}
