// SPDX-License-Identifier: BSD-3-Clause
// acl's rules, made ready for lookup: one table for IPv4 and one for IPv6.
//
// A rule is a range in each of a few 16-bit fields: the halves of IPv4 addresses, the eighths of IPv6 addresses, the
// ports. For each field that any rule looks at, a table of 65,536 entries says which row a value has, and the row says
// which rules that value fits, one bit a rule. The first bit that all rows of a packet share is the first rule that
// matches. Rows of more than 128 rules begin with a summary, one bit for each 128, so that looking costs nearly the same
// for one rule and for 4,096: two loads a field, whatever the rules are.
#pragma once

#include "rules.h"
#include "weir_lanes.h"

#include <stddef.h>

enum {
	ACL_FIELDS_MAX = 18, // of IPv6: source 8, destination 8, ports 2
	ACL_KEYS = 24,       // the same, in whole vectors
	ACL_CHUNK = 128,     // rules a vector
};

// What a packet's protocol is to rules. Only the first two have ports.
enum acl_class {
	ACL_CLASS_TCP,
	ACL_CLASS_UDP,
	ACL_CLASS_TCP_FRAGMENT, // not the first fragment
	ACL_CLASS_UDP_FRAGMENT,
	ACL_CLASS_ICMP, // of the table's version
	ACL_CLASS_OTHER,
	ACL_CLASSES
};

struct acl_field {
	uint32_t key;           // index of its value among a packet's keys
	const uint32_t *row_of; // [65536] where the row of each value is: bytes from acl_table.rows
};

// Invariant: fields of addresses stand before those of ports.
struct acl_table {
	uint32_t n;             // rules that can match this version
	uint32_t summary_bytes; // at the start of a row; 0 up to ACL_CHUNK rules
	uint32_t row_bytes;     // summary and ceil(n / ACL_CHUNK) vectors
	uint32_t n_fields;      // that a rule looks at
	uint32_t n_no_ports;    // of these, how many are not ports
	struct acl_field fields[ACL_FIELDS_MAX];
	const uint8_t *rows;  // those of [ACL_CLASSES] first
	const uint8_t *allow; // [n]
};

// Where tables are put. alloc answers ascending addresses; trim gives back what the last alloc gave from `end` on.
struct acl_memory {
	void *(*alloc)(size_t size, size_t align); // zeroed; NULL: no more
	void (*trim)(void *end);
};

// Returns: 0; -1 when the memory does not suffice.
int acl_table_build(struct acl_table *table, const struct acl_rules *rules, uint32_t version,
	const struct acl_memory *memory);

// Index of the lowest bit; one is set.
static inline uint32_t acl_first_bit(weir_u8x16 lanes)
{
	const weir_u64x2 halves = (weir_u64x2)lanes;

	if (halves[0] != 0)
		return (uint32_t)__builtin_ctzll(halves[0]);
	return 64 + (uint32_t)__builtin_ctzll(halves[1]);
}

// keys: the packet's fields in host order: source, destination, source port, destination port; ports are not looked at
// for a class without. Returns: index in table->allow of the first rule that matches, or -1.
static inline int32_t acl_table_match(
	const struct acl_table *table, const uint16_t keys[ACL_KEYS], enum acl_class class)
{
	const uint8_t *rows[ACL_FIELDS_MAX + 1];
	const uint32_t n = class <= ACL_CLASS_UDP ? table->n_fields : table->n_no_ports;
	weir_u8x16 shared; // of summaries, or of all that there is

	rows[n] = table->rows + (uint32_t)class * table->row_bytes;
	shared = weir_lanes_load(rows[n]);
	for (uint32_t i = 0; i < n; i++) {
		rows[i] = table->rows + table->fields[i].row_of[keys[table->fields[i].key]];
		shared &= weir_lanes_load(rows[i]);
	}
	if (!weir_lanes_any(shared))
		return -1;
	if (table->summary_bytes == 0)
		return (int32_t)acl_first_bit(shared);
	do {
		const uint32_t chunk = acl_first_bit(shared);
		const uint32_t at = table->summary_bytes + chunk * (uint32_t)sizeof(weir_u8x16);
		weir_u8x16 fits = weir_lanes_load(rows[n] + at);

		for (uint32_t i = 0; i < n; i++)
			fits &= weir_lanes_load(rows[i] + at);
		if (weir_lanes_any(fits))
			return (int32_t)(chunk * ACL_CHUNK + acl_first_bit(fits));
		if (chunk < 64)
			shared = (weir_u8x16)((weir_u64x2)shared &
					      ~(weir_u64x2){UINT64_C(1) << chunk, 0});
		else
			shared = (weir_u8x16)((weir_u64x2)shared &
					      ~(weir_u64x2){0, UINT64_C(1) << (chunk - 64)});
	} while (weir_lanes_any(shared));
	return -1;
}
