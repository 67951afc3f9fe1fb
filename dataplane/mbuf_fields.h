// SPDX-License-Identifier: BSD-3-Clause
// dp_mbuf_fields: what weir keeps in an mbuf beyond DPDK's own fields.
//
// Two places: dynamic fields and flags, for what a receiver says of a packet (time stamp, original
// length), and the private area of weir's pools, for what goes along a chain.
// Thread:  registered once, before the first worker starts; then the mbuf's owner.
#pragma once

#include "we.h"

#include <rte_mbuf.h>
#include <rte_mbuf_dyn.h>

#include <assert.h>

// Private area of every mbuf of a weir pool. Not cleared at allocation.
struct dp_mbuf_priv {
	uint64_t tstamp_ns;  // reception, Unix time; written when the packet enters a chain
	uint32_t wire_len;   // bytes it had on the wire, valid with flag dp_mbuf_fields.short_flag
	uint32_t mark;       // \.
	uint8_t scratch[16]; //  > as the last filter left them
	uint16_t port_out;   // /
	uint16_t queue_in;
	uint8_t reserved[28]; // keeps the packet's first byte on a cache line
};
static_assert(sizeof(struct dp_mbuf_priv) == 64, "one cache line");

struct dp_mbuf_fields {
	uintptr_t
		tstamp_offset; // of the standard receive timestamp, RTE_MBUF_DYNFIELD_TIMESTAMP_NAME
	uint64_t tstamp_flag;  // in ol_flags: the timestamp is valid
	uint64_t short_flag;   // in ol_flags: captured short, wire_len is valid
};

// Register them with DPDK; again is fine. Returns: 0; HOST.
WE_MUST_USE int dp_mbuf_fields_register(struct dp_mbuf_fields *ret_fields, struct we_error *err);

static inline struct dp_mbuf_priv *dp_mbuf_priv(struct rte_mbuf *m)
{
	return (struct dp_mbuf_priv *)rte_mbuf_to_priv(m);
}

// The receive timestamp, in the unit of its port (dp_port_io.tstamp_unit_ns).
static inline uint64_t *dp_mbuf_tstamp(struct rte_mbuf *m, const struct dp_mbuf_fields *f)
{
	return RTE_MBUF_DYNFIELD(m, f->tstamp_offset, rte_mbuf_timestamp_t *);
}

// For receivers: the packet was longer on the wire than what was captured.
static inline void dp_mbuf_set_short(
	struct rte_mbuf *m, const struct dp_mbuf_fields *f, uint32_t wire_len)
{
	m->ol_flags |= f->short_flag;
	dp_mbuf_priv(m)->wire_len = wire_len;
}

// Bytes that the packet had on the wire, as far as known.
static inline uint32_t dp_mbuf_wire_len(struct rte_mbuf *m, const struct dp_mbuf_fields *f)
{
	return m->ol_flags & f->short_flag ? dp_mbuf_priv(m)->wire_len : m->pkt_len;
}
