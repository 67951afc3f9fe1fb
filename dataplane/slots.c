// SPDX-License-Identifier: BSD-3-Clause
// dp_slots: mbufs -> packets as a filter is offered them.
//
// Data path 2/7. The first 16 bytes of a descriptor are the receive metadata in the order in which
// drivers keep them in an mbuf: one load, one store. Measured with a header view, burst 32: 4.8 cycles a
// packet, field by field 7.3.
#include "slots.h"

#include "rewrite.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

enum {
	RX_BYTES = 16, // packet_type, pkt_len, data_len, vlan_tci, hash
};
static_assert(offsetof(struct rte_mbuf, packet_type) == 32, "ptype");
static_assert(offsetof(struct rte_mbuf, pkt_len) == 32 + offsetof(struct ws_slot, total_len), "");
static_assert(offsetof(struct rte_mbuf, data_len) == 32 + offsetof(struct ws_slot, len), "");
static_assert(offsetof(struct rte_mbuf, vlan_tci) == 32 + offsetof(struct ws_slot, vlan), "");
static_assert(offsetof(struct rte_mbuf, hash.rss) == 32 + offsetof(struct ws_slot, hash), "");
static_assert(offsetof(struct ws_slot, ptype) == 0, "");
static_assert(offsetof(struct ws_slot, rx_flags) == RX_BYTES, "");

int dp_slots_init(struct dp_slots *slots, uint32_t max_view)
{
	const size_t line = RTE_CACHE_LINE_SIZE;

	slots->gather_bytes = (uint32_t)((max_view + line - 1) / line * line);
	slots->gathered = aligned_alloc(line, (size_t)slots->gather_bytes * WS_BURST_MAX + line);
	return slots->gathered ? 0 : WE_E_NOMEM;
}

void dp_slots_fini(struct dp_slots *slots)
{
	free(slots->gathered);
	slots->gathered = NULL;
}

static inline void describe(
	struct ws_slot *desc, const struct rte_mbuf *m, const struct dp_slot_source *source)
{
	const uint32_t extra = (m->nb_segs > 1 ? WS_RX_MULTI_SEG : 0) |
			       (m->ol_flags & source->fields.short_flag ? WS_RX_SHORT : 0);

	*desc = source->proto;
	memcpy(desc, &m->packet_type, RX_BYTES);
	desc->rx_flags = (uint32_t)(m->ol_flags & WS_RX_FLAGS_MASK) | extra;
	desc->vlan_outer = m->vlan_tci_outer;
}

// The first min(view, length) bytes in one piece.
static inline const uint8_t *show(
	struct dp_slots *slots, uint32_t i, const struct rte_mbuf *m, uint32_t view)
{
	const uint32_t n = view < m->pkt_len ? view : m->pkt_len;

	if (likely(m->data_len >= n))
		return rte_pktmbuf_mtod(m, const uint8_t *);
	assert(n <= slots->gather_bytes);
	uint8_t *piece = slots->gathered + (size_t)slots->gather_bytes * i;
	dp_gather(m, piece, n);
	return piece;
}

uint64_t dp_slots_tstamp(const struct dp_slot_source *source, struct rte_mbuf *m, uint64_t unix_ns)
{
	if (source->tstamp_unit_ns && (m->ol_flags & source->fields.tstamp_flag))
		return *dp_mbuf_tstamp(m, &source->fields) * source->tstamp_unit_ns;
	return unix_ns;
}

void dp_slots_first(struct dp_slots *slots, uint32_t i, struct rte_mbuf *m,
	const struct dp_slot_source *source, uint32_t view, uint64_t unix_ns)
{
	struct ws_packet *p = &slots->packets[i];

	describe(&p->desc, m, source);
	p->desc.tstamp_ns = dp_slots_tstamp(source, m, unix_ns);
	p->data = show(slots, i, m, view);
	p->token = m;
}

void dp_slots_next(struct dp_slots *slots, uint32_t i, struct rte_mbuf *m,
	const struct dp_slot_source *source, uint32_t view)
{
	const struct dp_mbuf_priv *priv = dp_mbuf_priv(m);
	struct ws_packet *p = &slots->packets[i];

	describe(&p->desc, m, source);
	p->desc.tstamp_ns = priv->tstamp_ns;
	p->desc.port_out = priv->port_out;
	p->desc.mark = priv->mark;
	memcpy(p->desc.scratch, priv->scratch, sizeof(priv->scratch));
	p->data = show(slots, i, m, view);
	p->token = m;
}
