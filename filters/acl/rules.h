// SPDX-License-Identifier: BSD-3-Clause
// acl's rules: their text, and what one says.
//
//	allow|deny [tcp|udp|icmp|icmp6|ip|ip6|any] from NET|any [port P[-Q]] to NET|any [port P[-Q]]
//	...
//	default allow|deny
//
// One a line, `#` begins a comment, blank lines are nothing; the default is the last line. docs/filters.md says what
// they match.
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "weir_text.h"

enum {
	ACL_RULES_MAX = 16384
};

// Invariant: of addr, the bits behind the first `bits` are 0.
struct acl_net {
	uint8_t version;  // 4, 6; 0: any address of either family
	uint8_t bits;     // length of the prefix
	uint8_t addr[16]; // network order; IPv4 in the first four
};

struct acl_ports {
	bool is_any; // also matches what has no ports
	uint16_t first;
	uint16_t last;
};

enum acl_protocol {
	ACL_ANY,
	ACL_TCP,
	ACL_UDP,
	ACL_ICMP, // of the rule's version
};

struct acl_rule {
	bool allow;
	uint8_t version;  // 4, 6; 0: both
	uint8_t protocol; // enum acl_protocol
	struct acl_net from;
	struct acl_net to;
	struct acl_ports from_ports;
	struct acl_ports to_ports;
};

struct acl_rules {
	struct acl_rule *rule; // [n]
	uint32_t n;
	bool default_allow;
};

// Lines in a text: at least as many as it has rules.
uint32_t acl_rules_count(struct weir_str text);

// Read text into rules->rule, which has room for acl_rules_count(text) or ACL_RULES_MAX, whichever is less.
// Returns: 0; -1 with "line N: found ..., expected ..." appended to *error, printable ASCII.
int acl_rules_parse(struct weir_str text, struct acl_rules *rules, struct weir_text *error);
