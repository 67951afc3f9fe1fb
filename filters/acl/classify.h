// SPDX-License-Identifier: BSD-3-Clause
// acl's answer for one packet.
//
// The fields of a packet are gathered by i8x16.relaxed_swizzle: one load and one swizzle bring eight big-endian 16-bit
// fields into host order, against four operations a field with scalar loads. docs/filters.md says what that pays.
#pragma once

#include "table.h"
#include "weir_packet.h"

struct acl {
	struct acl_rules rules;
	struct acl_table tables[2]; // IPv4, IPv6
	uint8_t class4[256]; // enum acl_class of an IPv4 protocol, unless it is a later fragment
};

enum acl_answer {
	ACL_ALLOW = 0,
	ACL_DENY_RULE = 1, // drop reasons of the filter
	ACL_DENY_DEFAULT = 2,
};

static inline void acl_classes_init(struct acl *acl)
{
	for (uint32_t protocol = 0; protocol < 256; protocol++)
		acl->class4[protocol] = ACL_CLASS_OTHER;
	acl->class4[WEIR_PROTO_TCP] = ACL_CLASS_TCP;
	acl->class4[WEIR_PROTO_UDP] = ACL_CLASS_UDP;
	acl->class4[WEIR_PROTO_ICMP] = ACL_CLASS_ICMP;
}

static inline enum acl_class acl_class(const struct acl *acl, const struct weir_headers *h)
{
	if (h->version == 6 && h->protocol == WEIR_PROTO_ICMP6)
		return ACL_CLASS_ICMP;
	if (h->version == 6 && h->protocol == WEIR_PROTO_ICMP)
		return ACL_CLASS_OTHER;
	if (h->is_later_fragment && h->protocol == WEIR_PROTO_TCP)
		return ACL_CLASS_TCP_FRAGMENT;
	if (h->is_later_fragment && h->protocol == WEIR_PROTO_UDP)
		return ACL_CLASS_UDP_FRAGMENT;
	return (enum acl_class)acl->class4[h->protocol];
}

// The fields in host order. Ports are whatever lies at l4: their class says whether they are ports.
static inline void acl_gather(const uint8_t *packet, const struct weir_headers *h, uint16_t *keys)
{
	const weir_u8x16 swap = {1, 0, 3, 2, 5, 4, 7, 6, 9, 8, 11, 10, 13, 12, 15, 14};
	const uint8_t *ip = packet + h->l3;

	if (h->version == 6) {
		weir_lanes_store(keys, weir_lanes_gather(weir_lanes_load(ip + 8), swap));
		weir_lanes_store(keys + 8, weir_lanes_gather(weir_lanes_load(ip + 24), swap));
		weir_lanes_store(
			keys + 16, weir_lanes_gather(weir_lanes_load(packet + h->l4), swap));
		return;
	}
	weir_lanes_store(keys, weir_lanes_gather(weir_lanes_load(ip + 12), swap));
	if (h->l4 - h->l3 != WEIR_IP4_LEN) { // options stand between the addresses and the ports
		keys[4] = (uint16_t)weir_be16(packet + h->l4);
		keys[5] = (uint16_t)weir_be16(packet + h->l4 + 2);
	}
}

static inline enum acl_answer acl_classify(const struct acl *acl, const struct weir_slot *slot)
{
	enum {
		PORTS_LEN = 4
	}; // bytes
	const enum acl_answer otherwise = acl->rules.default_allow ? ACL_ALLOW : ACL_DENY_DEFAULT;
	const uint8_t *packet = (const uint8_t *)slot + slot->data_off;
	const struct acl_table *table;
	_Alignas(16) uint16_t keys[ACL_KEYS];
	struct weir_headers h;
	enum acl_class class;
	int32_t rule;

	if (weir_parse(slot, &h) != WEIR_IP)
		return otherwise;
	class = acl_class(acl, &h);
	if (class <= ACL_CLASS_UDP && h.end - h.l4 < PORTS_LEN)
		return otherwise;
	acl_gather(packet, &h, keys);
	table = &acl->tables[h.version == 6];
	rule = acl_table_match(table, keys, class);
	if (rule < 0)
		return otherwise;
	return table->allow[rule] ? ACL_ALLOW : ACL_DENY_RULE;
}
