// SPDX-License-Identifier: BSD-3-Clause
// Where the headers of a packet are: Ethernet, up to two VLAN tags, IPv4 with options, IPv6 with extension headers.
//
// Loads of 16 bytes may read beyond the shown bytes of a packet, never beyond the burst's memory; nothing is believed
// of bytes beyond slot->len. A tag that the NIC has stripped counts as one of the two.
//
// Spec: IEEE 802.1Q; RFC 791; RFC 8200 section 4.
#pragma once

#include "weir_lanes.h"
#include "weir_slot.h"

enum {
	WEIR_ETHER_LEN = 14, // bytes
	WEIR_TAG_LEN = 4,
	WEIR_TAGS_MAX = 2,
	WEIR_IP4_LEN = 20,
	WEIR_IP6_LEN = 40,

	WEIR_ETHER_IP4 = 0x0800,
	WEIR_ETHER_IP6 = 0x86dd,
	WEIR_ETHER_TAG = 0x8100,
	WEIR_ETHER_TAG_AD = 0x88a8,
	WEIR_ETHER_TAG_OLD = 0x9100,

	WEIR_PROTO_HOP_BY_HOP = 0,
	WEIR_PROTO_ICMP = 1,
	WEIR_PROTO_TCP = 6,
	WEIR_PROTO_UDP = 17,
	WEIR_PROTO_ROUTING = 43,
	WEIR_PROTO_FRAGMENT = 44,
	WEIR_PROTO_AH = 51,
	WEIR_PROTO_ICMP6 = 58,
	WEIR_PROTO_DEST_OPTIONS = 60,
	WEIR_PROTO_MOBILITY = 135,
	WEIR_PROTO_HIP = 139,
	WEIR_PROTO_SHIM6 = 140,
};

struct weir_headers {
	uint32_t l3;            // bytes from the packet's start to the IP header
	uint32_t l4;            // to what follows it and its extension headers
	uint32_t end;           // end of the IP packet, or of what is shown of it
	uint16_t ether_type;    // behind the tags; also when the packet is not IP
	uint8_t version;        // 4 or 6
	uint8_t protocol;       // of what is at l4
	bool is_later_fragment; // what is at l4 is not the start of the protocol's data
};

enum weir_parsed {
	WEIR_IP,     // all of *ret is valid and l3 <= l4 <= end <= len
	WEIR_NOT_IP, // ether_type, 0 when cut short before it or when there is a third tag
	WEIR_CUT,    // IP, but the version is wrong or a header does not lie wholly in the bytes
};

static inline uint32_t weir_be16(const uint8_t *at)
{
	return (uint32_t)at[0] << 8 | at[1];
}

static inline bool weir_is_tag(uint32_t ether_type)
{
	return ether_type == WEIR_ETHER_TAG || ether_type == WEIR_ETHER_TAG_AD ||
	       ether_type == WEIR_ETHER_TAG_OLD;
}

// Length of an IPv6 extension header whose second byte is len, 0 when protocol is none that is stepped over.
static inline uint32_t weir_ip6_extension_len(uint32_t protocol, uint32_t len)
{
	switch (protocol) {
	case WEIR_PROTO_HOP_BY_HOP:
	case WEIR_PROTO_ROUTING:
	case WEIR_PROTO_DEST_OPTIONS:
	case WEIR_PROTO_MOBILITY:
	case WEIR_PROTO_HIP:
	case WEIR_PROTO_SHIM6:
		return (len + 1) * 8;
	case WEIR_PROTO_FRAGMENT:
		return 8;
	case WEIR_PROTO_AH:
		return (len + 2) * 4;
	default:
		return 0;
	}
}

static inline enum weir_parsed weir_parse_ip4(
	const uint8_t *packet, uint32_t len, struct weir_headers *ret)
{
	const uint8_t *ip = packet + ret->l3;
	uint32_t header, total;

	if (ret->l3 + WEIR_IP4_LEN > len || ip[0] >> 4 != 4)
		return WEIR_CUT;
	header = (ip[0] & 15U) * 4;
	total = weir_be16(ip + 2);
	ret->end = total == 0 || ret->l3 + total > len ? len : ret->l3 + total;
	ret->l4 = ret->l3 + header;
	if (header < WEIR_IP4_LEN || ret->l4 > ret->end)
		return WEIR_CUT;
	ret->version = 4;
	ret->protocol = ip[9];
	ret->is_later_fragment = (weir_be16(ip + 6) & 0x1fff) != 0;
	return WEIR_IP;
}

static inline enum weir_parsed weir_parse_ip6(
	const uint8_t *packet, uint32_t len, struct weir_headers *ret)
{
	const uint8_t *ip = packet + ret->l3;
	uint32_t payload;

	if (ret->l3 + WEIR_IP6_LEN > len || ip[0] >> 4 != 6)
		return WEIR_CUT;
	payload = weir_be16(ip + 4);
	ret->l4 = ret->l3 + WEIR_IP6_LEN;
	ret->end = payload == 0 || ret->l4 + payload > len ? len : ret->l4 + payload;
	ret->version = 6;
	ret->protocol = ip[6];
	while (!ret->is_later_fragment && weir_ip6_extension_len(ret->protocol, 0) != 0) {
		const uint8_t *header = packet + ret->l4;
		const uint32_t left = ret->end - ret->l4;

		if (left < 8 || left < weir_ip6_extension_len(ret->protocol, header[1]))
			return WEIR_CUT;
		ret->l4 += weir_ip6_extension_len(ret->protocol, header[1]);
		if (ret->protocol == WEIR_PROTO_FRAGMENT)
			ret->is_later_fragment = (weir_be16(header + 2) & 0xfff8) != 0;
		ret->protocol = header[0];
	}
	return WEIR_IP;
}

// All that weir_parse does not do at once.
static enum weir_parsed weir_parse_any(const struct weir_slot *slot, struct weir_headers *ret)
{
	const uint8_t *packet = (const uint8_t *)slot + slot->data_off;
	const uint32_t len = slot->len;
	uint32_t n_tags = (slot->rx_flags & WEIR_RX_VLAN_STRIPPED) != 0;
	uint32_t at = WEIR_ETHER_LEN - 2;

	*ret = (struct weir_headers){0};
	n_tags += (slot->rx_flags & WEIR_RX_QINQ_STRIPPED) != 0;
	while (at + 2 <= len && weir_is_tag(weir_be16(packet + at))) {
		if (n_tags++ == WEIR_TAGS_MAX)
			return WEIR_NOT_IP;
		at += WEIR_TAG_LEN;
	}
	if (at + 2 > len)
		return WEIR_NOT_IP;
	ret->ether_type = (uint16_t)weir_be16(packet + at);
	ret->l3 = at + 2;
	if (ret->ether_type == WEIR_ETHER_IP4)
		return weir_parse_ip4(packet, len, ret);
	if (ret->ether_type == WEIR_ETHER_IP6)
		return weir_parse_ip6(packet, len, ret);
	return WEIR_NOT_IP;
}

// Find the headers of a packet. One 16-byte compare tells the common case, IPv4 behind Ethernet without tags, options
// or a later fragment.
static inline enum weir_parsed weir_parse(const struct weir_slot *slot, struct weir_headers *ret)
{
	// Bytes 12 to 27: Ethernet type, version and IHL, flags and fragment offset.
	const weir_u8x16 mask = {0xff, 0xff, 0xff, 0, 0, 0, 0, 0, 0x1f, 0xff};
	const weir_u8x16 plain = {0x08, 0x00, 0x45};
	const uint8_t *packet = (const uint8_t *)slot + slot->data_off;
	const uint32_t len = slot->len;
	uint32_t total;

	if (len < WEIR_ETHER_LEN + WEIR_IP4_LEN ||
		weir_lanes_any((weir_lanes_load(packet + 12) & mask) ^ plain))
		return weir_parse_any(slot, ret);
	total = weir_be16(packet + WEIR_ETHER_LEN + 2);
	ret->l3 = WEIR_ETHER_LEN;
	ret->l4 = WEIR_ETHER_LEN + WEIR_IP4_LEN;
	ret->end = total == 0 || WEIR_ETHER_LEN + total > len ? len : WEIR_ETHER_LEN + total;
	ret->ether_type = WEIR_ETHER_IP4;
	ret->version = 4;
	ret->protocol = packet[WEIR_ETHER_LEN + 9];
	ret->is_later_fragment = false;
	return ret->l4 <= ret->end ? WEIR_IP : WEIR_CUT;
}
