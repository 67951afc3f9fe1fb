// SPDX-License-Identifier: BSD-3-Clause
// Internet checksums: whole sums over bytes, and the change of a sum when a field changes.
//
// A descriptor carries no wish for transmit offload: a filter that rewrites a packet leaves a valid checksum behind,
// made here in software. What the driver found about checksums (rx_flags) holds for the bytes that came in, so
// weir_l4_state and weir_ip_state answer UNKNOWN once the filter has changed the packet.
// All checksum fields are taken and given as they lie in the packet (network order, read by a plain load).
//
// Spec: RFC 1071; RFC 1624 eqn. 3.
#pragma once

#include "weir_packet.h"

enum weir_checksum_state {
	WEIR_CHECKSUM_UNKNOWN, // the driver did not look, or the packet is not what it saw
	WEIR_CHECKSUM_BAD,
	WEIR_CHECKSUM_GOOD,
	WEIR_CHECKSUM_NONE, // the field holds no checksum yet, the data is known to be whole (virtio)
};

static inline enum weir_checksum_state weir_checksum_state(
	const struct weir_slot *slot, uint32_t bad, uint32_t good)
{
	const uint32_t found = slot->rx_flags & (bad | good);

	if ((slot->verdict & WEIR_CHANGED) != 0 || found == 0)
		return WEIR_CHECKSUM_UNKNOWN;
	if (found == (bad | good))
		return WEIR_CHECKSUM_NONE;
	return found == good ? WEIR_CHECKSUM_GOOD : WEIR_CHECKSUM_BAD;
}

static inline enum weir_checksum_state weir_ip_state(const struct weir_slot *slot)
{
	return weir_checksum_state(slot, WEIR_RX_IP_BAD, WEIR_RX_IP_GOOD);
}

static inline enum weir_checksum_state weir_l4_state(const struct weir_slot *slot)
{
	return weir_checksum_state(slot, WEIR_RX_L4_BAD, WEIR_RX_L4_GOOD);
}

static inline uint32_t weir_load16(const uint8_t *at)
{
	uint16_t value;

	__builtin_memcpy(&value, at, sizeof(value));
	return value;
}

static inline void weir_store16(uint8_t *at, uint16_t value)
{
	__builtin_memcpy(at, &value, sizeof(value));
}

// Ones' complement sum of 16-bit words, not folded; len bytes, an odd last one padded with zero. Add sums of parts
// that begin at even places with +.
static inline uint64_t weir_sum(const uint8_t *data, uint32_t len)
{
	uint64_t sum = 0;
	weir_u32x4 lanes = {0};
	uint32_t i = 0;

	for (; i + 16 <= len;
		i += 16) { // less than 2^32 in a lane: a packet has less than 2^17 words
		const weir_u32x4 words = (weir_u32x4)weir_lanes_load(data + i);

		lanes += (words & 0xffff) + (words >> 16);
	}
	sum = (uint64_t)lanes[0] + lanes[1] + lanes[2] + lanes[3];
	for (; i + 2 <= len; i += 2)
		sum += weir_load16(data + i);
	if (i < len)
		sum += data[i];
	return sum;
}

static inline uint16_t weir_sum_fold(uint64_t sum)
{
	sum = (sum >> 32) + (sum & 0xffffffff);
	sum = (sum >> 32) + (sum & 0xffffffff);
	sum = (sum >> 16) + (sum & 0xffff);
	sum = (sum >> 16) + (sum & 0xffff);
	sum = (sum >> 16) + (sum & 0xffff);
	return (uint16_t)sum;
}

// The checksum field for bytes whose sum this is.
static inline uint16_t weir_checksum(uint64_t sum)
{
	return (uint16_t)~weir_sum_fold(sum);
}

// The checksum field after one 16-bit word of what it covers went from old to new: HC' = ~(~HC + ~m + m').
static inline uint16_t weir_checksum_update16(uint16_t checksum, uint16_t old, uint16_t new)
{
	return weir_checksum((uint64_t)(uint16_t)~checksum + (uint16_t)~old + new);
}

// The same for a 32-bit word, an IPv4 address for instance.
static inline uint16_t weir_checksum_update32(uint16_t checksum, uint32_t old, uint32_t new)
{
	return weir_checksum((uint64_t)(uint16_t)~checksum + (uint32_t)~old + new);
}

// The same for len bytes, len even, at an even place; an IPv6 address for instance.
static inline uint16_t weir_checksum_update(
	uint16_t checksum, const uint8_t *old, const uint8_t *new, uint32_t len)
{
	uint64_t sum = (uint16_t)~checksum;

	for (uint32_t i = 0; i + 2 <= len; i += 2)
		sum += (uint64_t)(uint16_t)~weir_load16(old + i) + weir_load16(new + i);
	return weir_checksum(sum);
}

// A UDP checksum of 0 means that there is none: what was computed as 0 is sent as 0xffff.
static inline uint16_t weir_checksum_udp(uint16_t checksum)
{
	return checksum == 0 ? 0xffff : checksum;
}

// Write the IPv4 header checksum of a packet that weir_parse found. Returns: false, nothing done, for IPv6.
static inline bool weir_ip4_fill(struct weir_slot *slot, const struct weir_headers *h)
{
	enum {
		CHECKSUM_AT = 10
	}; // bytes into the header
	uint8_t *ip = weir_data(slot) + h->l3;

	if (h->version != 4)
		return false;
	weir_store16(ip + CHECKSUM_AT, 0);
	weir_store16(ip + CHECKSUM_AT, weir_checksum(weir_sum(ip, (weir_be16(ip) >> 8 & 15) * 4)));
	weir_changed(slot);
	return true;
}

// Bytes from the transport header to its checksum, 0 when the protocol has none here.
static inline uint32_t weir_l4_checksum_at(const struct weir_headers *h)
{
	if (h->protocol == WEIR_PROTO_TCP)
		return 16;
	if (h->protocol == WEIR_PROTO_UDP)
		return 6;
	return h->version == 6 && h->protocol == WEIR_PROTO_ICMP6 ? 2 : 0;
}

// Is the packet a fragment, the first one too? Its checksum is over bytes that are not here.
static inline bool weir_is_fragment(const uint8_t *ip, const struct weir_headers *h)
{
	if (h->is_later_fragment)
		return true;
	if (h->version == 4)
		return (weir_be16(ip + 6) & 0x3fff) != 0;
	for (uint32_t at = WEIR_IP6_LEN, protocol = ip[6]; at + 8 <= h->l4 - h->l3;) {
		const uint32_t len = weir_ip6_extension_len(protocol, ip[at + 1]);

		if (protocol == WEIR_PROTO_FRAGMENT)
			return true;
		if (len == 0)
			break;
		protocol = ip[at];
		at += len;
	}
	return false;
}

// Write the checksum of TCP, UDP or ICMPv6, over the whole packet with its pseudo header: after a rewrite, or where the
// driver left the work to whoever sends the packet (WEIR_CHECKSUM_NONE). Returns: false, nothing done, when not all of
// the packet is shown, for a fragment and for other protocols. Needs the addresses of the final destination in the
// header: not for packets with a routing header.
static inline bool weir_l4_fill(struct weir_slot *slot, const struct weir_headers *h)
{
	uint8_t *ip = weir_data(slot) + h->l3;
	uint8_t *l4 = weir_data(slot) + h->l4;
	const uint32_t len = h->end - h->l4;
	const uint32_t total = weir_be16(ip + (h->version == 4 ? 2 : 4)) +
			       (h->version == 4 ? 0U : (uint32_t)WEIR_IP6_LEN);
	const uint32_t at = weir_l4_checksum_at(h);
	uint64_t sum;
	uint16_t checksum;

	if (at == 0 || len < at + 2 || total != h->end - h->l3 || weir_is_fragment(ip, h))
		return false;
	weir_store16(l4 + at, 0);
	sum = h->version == 4 ? weir_sum(ip + 12, 8) : weir_sum(ip + 8, 32);
	sum += (uint64_t)h->protocol << 8; // big-endian 16-bit words, as weir_sum reads them
	sum += (len >> 8 & 0xff) | (len & 0xff) << 8;
	checksum = weir_checksum(sum + weir_sum(l4, len));
	weir_store16(
		l4 + at, h->protocol == WEIR_PROTO_UDP ? weir_checksum_udp(checksum) : checksum);
	weir_changed(slot);
	return true;
}
