// SPDX-License-Identifier: BSD-3-Clause
// dp_checksum: finishes checksums that somebody left to an offload.
#include "checksum.h"

#include <rte_ip.h>
#include <rte_net.h>
#include <rte_tcp.h>
#include <rte_udp.h>

static bool ip_is_open(const struct rte_mbuf *m)
{
	return (m->ol_flags & RTE_MBUF_F_RX_IP_CKSUM_MASK) == RTE_MBUF_F_RX_IP_CKSUM_NONE ||
	       (m->ol_flags & RTE_MBUF_F_TX_IP_CKSUM);
}

static bool l4_is_open(const struct rte_mbuf *m)
{
	return (m->ol_flags & RTE_MBUF_F_RX_L4_CKSUM_MASK) == RTE_MBUF_F_RX_L4_CKSUM_NONE ||
	       (m->ol_flags & (RTE_MBUF_F_TX_L4_MASK | RTE_MBUF_F_TX_TCP_SEG));
}

bool dp_checksum_is_open(const struct rte_mbuf *m)
{
	return ip_is_open(m) || l4_is_open(m);
}

// Where the checksum of TCP or UDP lies in the layer-4 header; 0 for others.
static uint32_t l4_checksum_at(uint32_t ptype)
{
	switch (ptype & RTE_PTYPE_L4_MASK) {
	case RTE_PTYPE_L4_TCP:
		return offsetof(struct rte_tcp_hdr, cksum);
	case RTE_PTYPE_L4_UDP:
		return offsetof(struct rte_udp_hdr, dgram_cksum);
	default:
		return 0;
	}
}

// The sum over pseudo header and layer 4 of a packet whose layer-4 checksum field is zero.
// Returns: 0, or 1 when the lengths in the headers do not fit the packet.
static int l4_sum(const struct rte_mbuf *m, uint32_t ptype, const struct rte_net_hdr_lens *len,
	uint16_t *ret_sum)
{
	const void *l3 = rte_pktmbuf_mtod_offset(m, const void *, len->l2_len);
	const uint32_t l4_at = len->l2_len + len->l3_len;
	uint16_t raw;
	uint32_t sum;
	uint32_t l4_bytes;

	if (RTE_ETH_IS_IPV4_HDR(ptype)) {
		const struct rte_ipv4_hdr *ip = l3;

		l4_bytes = (uint32_t)rte_be_to_cpu_16(ip->total_length) - len->l3_len;
		sum = rte_ipv4_phdr_cksum(ip, 0);
	} else {
		const struct rte_ipv6_hdr *ip = l3;

		if (len->l3_len != sizeof(*ip))
			return 1;
		l4_bytes = rte_be_to_cpu_16(ip->payload_len);
		sum = rte_ipv6_phdr_cksum(ip, 0);
	}
	if (l4_bytes > m->pkt_len - l4_at || rte_raw_cksum_mbuf(m, l4_at, l4_bytes, &raw) < 0)
		return 1;
	sum += raw;
	sum = ((sum & 0xffff0000) >> 16) + (sum & 0xffff);
	*ret_sum = (uint16_t)~sum;
	return 0;
}

void dp_checksum_complete(struct rte_mbuf *m)
{
	struct rte_net_hdr_lens len = {0};
	const uint32_t ptype = rte_net_get_ptype(
		m, &len, RTE_PTYPE_L2_MASK | RTE_PTYPE_L3_MASK | RTE_PTYPE_L4_MASK);
	const uint32_t l3_at = len.l2_len;
	const uint32_t l4_at = l3_at + len.l3_len;
	const uint32_t sum_at = l4_checksum_at(ptype);
	uint16_t sum;
	uint16_t before;

	if (m->data_len < l4_at + sum_at + sizeof(sum))
		return;
	if (RTE_ETH_IS_IPV4_HDR(ptype) && ip_is_open(m)) {
		struct rte_ipv4_hdr *ip = rte_pktmbuf_mtod_offset(m, struct rte_ipv4_hdr *, l3_at);

		ip->hdr_checksum = 0;
		ip->hdr_checksum = rte_ipv4_cksum(ip);
	}
	if (sum_at == 0 || !l4_is_open(m))
		return;
	void *at = rte_pktmbuf_mtod_offset(m, void *, l4_at + sum_at);
	memcpy(&before, at, sizeof(before));
	memset(at, 0, sizeof(sum));
	if (l4_sum(m, ptype, &len, &sum))
		sum = before;
	else if (sum == 0 && (ptype & RTE_PTYPE_L4_MASK) == RTE_PTYPE_L4_UDP)
		sum = 0xffff; // in UDP, 0 says: no checksum
	memcpy(at, &sum, sizeof(sum));
}
