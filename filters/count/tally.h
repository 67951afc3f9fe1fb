// SPDX-License-Identifier: BSD-3-Clause
// Packets by protocol.
#pragma once

#include "weir_packet.h"
#include "weir_text.h"

enum tally_row {
#define TALLY(NAME, word) TALLY_##NAME,
#include "tally.def"
#undef TALLY
	TALLY_ROWS
};

struct tally {
	uint64_t packets[TALLY_ROWS];
	uint64_t bytes; // of whole packets, shown or not
};

static inline enum tally_row tally_row(const struct weir_slot *slot)
{
	enum {
		ETHER_ARP = 0x0806
	};
	struct weir_headers h;

	switch (weir_parse(slot, &h)) {
	case WEIR_NOT_IP:
		return h.ether_type == ETHER_ARP ? TALLY_ARP : TALLY_OTHER;
	case WEIR_CUT:
		return TALLY_CUT;
	case WEIR_IP:
		break;
	}
	if (h.is_later_fragment)
		return TALLY_FRAGMENT;
	if (h.protocol == WEIR_PROTO_TCP)
		return TALLY_TCP;
	if (h.protocol == WEIR_PROTO_UDP)
		return TALLY_UDP;
	if (h.protocol == WEIR_PROTO_ICMP && h.version == 4)
		return TALLY_ICMP;
	if (h.protocol == WEIR_PROTO_ICMP6 && h.version == 6)
		return TALLY_ICMP6;
	return TALLY_OTHER_IP;
}

static inline void tally_add(struct tally *tally, const struct weir_slot *slot)
{
	tally->packets[tally_row(slot)]++;
	tally->bytes += slot->total_len;
}

// "packets=12 bytes=3456 tcp=7 udp=5": rows of 0 are left out.
static inline void tally_print(const struct tally *tally, struct weir_text *text)
{
	static const struct weir_str words[] = {
#define TALLY(NAME, word) WEIR_STR(" " word "="),
#include "tally.def"
#undef TALLY
	};
	uint64_t packets = 0;

	for (uint32_t i = 0; i < TALLY_ROWS; i++)
		packets += tally->packets[i];
	weir_text_put(text, (struct weir_str)WEIR_STR("packets="));
	weir_text_put_u64(text, packets);
	weir_text_put(text, (struct weir_str)WEIR_STR(" bytes="));
	weir_text_put_u64(text, tally->bytes);
	for (uint32_t i = 0; i < TALLY_ROWS; i++) {
		if (tally->packets[i] == 0)
			continue;
		weir_text_put(text, words[i]);
		weir_text_put_u64(text, tally->packets[i]);
	}
}
