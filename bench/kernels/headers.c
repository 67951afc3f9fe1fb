// SPDX-License-Identifier: BSD-3-Clause
// Kernel: the headers of a burst of 32 packets, into a structure of fields each: Ethernet, up to two VLAN tags, IPv4 with
// options, IPv6 with extension headers, TCP and UDP.
#include "kernel.h"
#include "lanes.h"

#include <stdbool.h>

enum {
	SLOTS = 32,
	STRIDE = 128, // bytes
	ROOM = 160,   // behind the last slot, for vectors that reach beyond a packet
	BURSTS = 4,   // a power of two: the branches are not the same in every burst
	MAX_EXTENSIONS = 4,
};

enum {
	ETHER_IPV4 = 0x0800,
	ETHER_IPV6 = 0x86dd,
	ETHER_VLAN = 0x8100,
	ETHER_QINQ = 0x88a8,
	PROTO_HOP_BY_HOP = 0,
	PROTO_TCP = 6,
	PROTO_UDP = 17,
	PROTO_ROUTING = 43,
	PROTO_FRAGMENT = 44,
	PROTO_OPTIONS = 60,
};

enum verdict {
	WHOLE,       // up to the ports
	NO_PORTS,    // another protocol, or a later fragment
	NOT_IP,      // another EtherType
	TOO_SHORT,   // a header ends after the packet
	BAD_VERSION, // or a length that cannot be
};

struct fields {
	u8x16 source; // IPv4: in the first four bytes, as on the wire
	u8x16 target;
	uint32_t source_port;
	uint32_t target_port;
	uint16_t ether_type; // behind the tags
	uint16_t tag;        // the outer one, 0 for none
	uint16_t l3_off;     // bytes
	uint16_t l4_off;
	uint16_t payload_off;
	uint16_t total_len; // as IP has it, bytes
	uint8_t proto;
	uint8_t hops; // TTL or hop limit
	uint8_t tos;
	uint8_t tcp_flags;
	uint8_t verdict; // enum verdict
	uint8_t rest[9];
};

static uint8_t slots[BURSTS * SLOTS * STRIDE + ROOM];
static uint16_t lens[BURSTS * SLOTS]; // bytes
static struct fields parsed[SLOTS];

static uint16_t load_be16(const uint8_t *at)
{
	uint16_t x;

	__builtin_memcpy(&x, at, sizeof(x));
	return __builtin_bswap16(x);
}

static enum verdict parse_l4(const uint8_t *packet, uint32_t len, struct fields *f)
{
	const uint8_t *at = packet + f->l4_off;

	if (f->proto == PROTO_UDP) {
		if (f->l4_off + 8u > len)
			return TOO_SHORT;
		f->payload_off = (uint16_t)(f->l4_off + 8);
	} else if (f->proto == PROTO_TCP) {
		const uint32_t tcp_len = (at[12] >> 4) * 4u;

		if (f->l4_off + 20u > len || f->l4_off + tcp_len > len)
			return TOO_SHORT;
		if (tcp_len < 20)
			return BAD_VERSION;
		f->tcp_flags = at[13];
		f->payload_off = (uint16_t)(f->l4_off + tcp_len);
	} else {
		return NO_PORTS;
	}
	f->source_port = load_be16(at);
	f->target_port = load_be16(at + 2);
	return WHOLE;
}

static enum verdict parse_ipv4(const uint8_t *packet, uint32_t len, struct fields *f)
{
	static const u8x16 pick_source = {
		8, 9, 10, 11, 128, 128, 128, 128, 128, 128, 128, 128, 128, 128, 128, 128};
	static const u8x16 pick_target = {
		12, 13, 14, 15, 128, 128, 128, 128, 128, 128, 128, 128, 128, 128, 128, 128};
	const uint8_t *at = packet + f->l3_off;
	const uint32_t header_len = (at[0] & 15) * 4u;
	u8x16 tail;

	if (f->l3_off + 20u > len || f->l3_off + header_len > len)
		return TOO_SHORT;
	if (at[0] >> 4 != 4 || header_len < 20)
		return BAD_VERSION;
	tail = lanes_load(at + 4); // from the identification to the target
	f->source = lanes_pick(tail, pick_source);
	f->target = lanes_pick(tail, pick_target);
	f->tos = at[1];
	f->total_len = load_be16(at + 2);
	f->hops = tail[4];
	f->proto = tail[5];
	f->l4_off = (uint16_t)(f->l3_off + header_len);
	if ((load_be16(at + 6) & 0x1fff) != 0)
		return NO_PORTS;
	return parse_l4(packet, len, f);
}

static bool is_extension(uint8_t proto)
{
	return proto == PROTO_HOP_BY_HOP || proto == PROTO_ROUTING || proto == PROTO_FRAGMENT ||
	       proto == PROTO_OPTIONS;
}

static enum verdict parse_ipv6(const uint8_t *packet, uint32_t len, struct fields *f)
{
	const uint8_t *at = packet + f->l3_off;
	uint32_t off = f->l3_off + 40u;
	uint8_t proto = at[6];

	if (off > len)
		return TOO_SHORT;
	if (at[0] >> 4 != 6)
		return BAD_VERSION;
	f->source = lanes_load(at + 8);
	f->target = lanes_load(at + 24);
	f->tos = (uint8_t)(load_be16(at) >> 4);
	f->total_len = (uint16_t)(load_be16(at + 4) + 40);
	f->hops = at[7];
	for (uint32_t n = 0; n < MAX_EXTENSIONS && is_extension(proto); n++) {
		const uint8_t *ext = packet + off;

		if (off + 8 > len)
			return TOO_SHORT;
		if (proto == PROTO_FRAGMENT && (load_be16(ext + 2) & 0xfff8) != 0) {
			f->proto = ext[0];
			f->l4_off = (uint16_t)(off + 8);
			return NO_PORTS;
		}
		off += proto == PROTO_FRAGMENT ? 8 : (ext[1] + 1u) * 8;
		proto = ext[0];
	}
	if (off > len)
		return TOO_SHORT;
	f->proto = proto;
	f->l4_off = (uint16_t)off;
	return parse_l4(packet, len, f);
}

static enum verdict parse(const uint8_t *packet, uint32_t len, struct fields *f)
{
	uint32_t off = 12;
	uint16_t type;

	*f = (struct fields){.ether_type = 0};
	if (len < 14)
		return TOO_SHORT;
	type = load_be16(packet + off);
	for (uint32_t n = 0; n < 2 && (type == ETHER_VLAN || type == ETHER_QINQ); n++) {
		if (off + 6 > len)
			return TOO_SHORT;
		if (n == 0)
			f->tag = load_be16(packet + off + 2);
		off += 4;
		type = load_be16(packet + off);
	}
	f->ether_type = type;
	f->l3_off = (uint16_t)(off + 2);
	switch (type) {
	case ETHER_IPV4:
		return parse_ipv4(packet, len, f);
	case ETHER_IPV6:
		return parse_ipv6(packet, len, f);
	default:
		return NOT_IP;
	}
}

static void parse_burst(const uint8_t *burst, const uint16_t *burst_lens)
{
	for (uint32_t i = 0; i < SLOTS; i++)
		parsed[i].verdict = (uint8_t)parse(burst + i * STRIDE, burst_lens[i], &parsed[i]);
}

// ---- packets ------------------------------------------------------------------------------------

static void put_be16(uint8_t *at, uint32_t x)
{
	at[0] = (uint8_t)(x >> 8);
	at[1] = (uint8_t)x;
}

// Returns: its length, bytes.
static uint16_t lay_packet(uint8_t *packet, uint64_t random)
{
	const bool is_6 = (random >> 8 & 7) < 2;
	const bool is_tcp = (random >> 11 & 1) != 0;
	const uint32_t n_tags = (random >> 12 & 7) < 2 ? (uint32_t)(random >> 15 & 1) + 1 : 0;
	const uint32_t n_options = !is_6 && (random >> 16 & 15) == 0 ? 2 : 0; // of four bytes
	uint8_t *at = packet + 12;

	for (uint32_t i = 0; i < n_tags; i++, at += 4) {
		put_be16(at, n_tags == 2 && i == 0 ? ETHER_QINQ : ETHER_VLAN);
		put_be16(at + 2, random >> 20 & 0xfff);
	}
	put_be16(at, (random >> 32 & 31) == 0 ? 0x0806 : is_6 ? ETHER_IPV6 : ETHER_IPV4);
	at += 2;
	if (is_6) {
		const bool has_options = (random >> 37 & 3) == 0;

		at[0] = 0x60;
		at[5] = 40;
		at[6] = has_options ? PROTO_OPTIONS : is_tcp ? PROTO_TCP : PROTO_UDP;
		at[7] = 64;
		at += 40;
		if (has_options) {
			at[0] = is_tcp ? PROTO_TCP : PROTO_UDP;
			at[1] = 0;
			at += 8;
		}
	} else {
		at[0] = (uint8_t)(0x45 + n_options);
		put_be16(at + 2, 46);
		put_be16(at + 6, (random >> 39 & 31) == 0 ? 100 : 0x4000);
		at[8] = 64;
		at[9] = is_tcp ? PROTO_TCP : PROTO_UDP;
		at += 20 + 4 * n_options;
	}
	if (is_tcp)
		at[12] = 0x50;
	at += is_tcp ? 20 : 8;
	return (uint16_t)(at - packet - ((random >> 44 & 63) == 0 ? 9 : 0)); // some are cut
}

static void fill(void)
{
	uint64_t state = 5;

	for (uint32_t i = 0; i < BURSTS * SLOTS * STRIDE; i++)
		slots[i] = (uint8_t)(kernel_random(&state) >> 56);
	for (uint32_t i = 0; i < BURSTS * SLOTS; i++)
		lens[i] = lay_packet(slots + i * STRIDE, kernel_random(&state));
}

// n bursts.
KERNEL_EXPORT("run") int64_t run(int64_t n)
{
	uint64_t sum = 0;

	fill();
	for (int64_t i = 0; i < n; i++) {
		const uint32_t first = ((uint32_t)i % BURSTS) * SLOTS;

		parse_burst(slots + first * STRIDE, lens + first);
		// Looks at one of them, in turn, so that none can be left out.
		{
			const struct fields *f = &parsed[(i >> 2) % SLOTS];
			const u64x2 halves = (u64x2)(f->source ^ f->target);

			sum = sum * 31 + (halves[0] ^ halves[1]) + f->source_port + f->target_port +
			      f->payload_off + f->l3_off + f->tag + f->verdict + f->tcp_flags;
		}
	}
	for (uint32_t i = 0; i < SLOTS; i++) {
		const uint8_t *bytes = (const uint8_t *)&parsed[i];

		for (uint32_t k = 0; k < sizeof(parsed[i]); k++)
			sum = sum * 31 + bytes[k];
	}
	return (int64_t)sum;
}
