// SPDX-License-Identifier: BSD-3-Clause
// Builds acl's tables. See table.h.
//
// Per field: each rule's range begins at one value and ends behind another. A sweep over the 65,536 values keeps the row
// of rules whose range is open; values between two events share a row, and equal rows are kept once. Two events a rule,
// one pass a field: 4,096 rules take some ten milliseconds in the interpreter.

#include "table.h"

enum {
	VALUES = 65536, // of a field
	EVENT_NONE = 0, // events are numbered from 1: 1 + 2 * rule begins, 2 + 2 * rule ends
	PORT_FIELDS = 2,
};

// Scratch for one field after the other.
struct build {
	const struct acl_rules *rules;
	struct acl_table *table;
	const struct acl_memory *memory;
	uint32_t version;
	uint16_t *rule_of;  // [n] index in rules, by index in the table
	uint16_t *next;     // [2n + 1] next event at the same value
	uint8_t *open;      // row of the rules whose range is open
	uint64_t open_hash; // of that set
	uint64_t *row_hash; // [2n + 1] by row
	uint16_t *buckets;  // [n_buckets] 1 + row, by hash; 0: empty
	uint32_t n_buckets; // a power of two
};

static bool rule_can_match(const struct acl_rule *rule, uint32_t version)
{
	return (rule->version == 0 || rule->version == version) &&
	       (rule->from.version == 0 || rule->from.version == version) &&
	       (rule->to.version == 0 || rule->to.version == version);
}

struct range {
	uint32_t first;
	uint32_t last;
};

// 16 bits of an address, the part-th.
static struct range net_range(const struct acl_net *net, uint32_t part)
{
	const uint32_t value = (uint32_t)net->addr[2 * part] << 8 | net->addr[2 * part + 1];
	uint32_t fixed = 0; // bits of this part

	if (net->version != 0 && net->bits > part * 16)
		fixed = net->bits - part * 16 < 16 ? net->bits - part * 16 : 16;
	return (struct range){value, value | 0xffffU >> fixed};
}

static struct range field_range(const struct acl_rule *rule, uint32_t version, uint32_t key)
{
	const uint32_t parts = version == 4 ? 2 : 8;

	if (key < parts)
		return net_range(&rule->from, key);
	if (key < 2 * parts)
		return net_range(&rule->to, key - parts);
	if (key == 2 * parts)
		return (struct range){rule->from_ports.first, rule->from_ports.last};
	return (struct range){rule->to_ports.first, rule->to_ports.last};
}

static const struct acl_rule *rule_at(const struct build *b, uint32_t i)
{
	return &b->rules->rule[b->rule_of[i]];
}

static void row_toggle(uint8_t *row, uint32_t summary_bytes, uint32_t rule)
{
	const uint32_t chunk = rule / ACL_CHUNK;
	uint8_t *vector = row + summary_bytes + chunk * sizeof(weir_u8x16);
	const uint8_t bit = (uint8_t)(1U << (chunk % 8));

	vector[rule % ACL_CHUNK / 8] ^= (uint8_t)(1U << (rule % 8));
	if (summary_bytes == 0)
		return;
	if (weir_lanes_any(weir_lanes_load(vector)))
		row[chunk / 8] |= bit;
	else
		row[chunk / 8] &= (uint8_t)~bit;
}

// A set's hash is the exclusive or of its members'.
static uint64_t rule_hash(uint32_t rule)
{
	uint64_t x = (rule + 1) * UINT64_C(0x9e3779b97f4a7c15);

	x = (x ^ x >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
	x = (x ^ x >> 27) * UINT64_C(0x94d049bb133111eb);
	return x ^ x >> 31;
}

static bool row_equal(const uint8_t *a, const uint8_t *b, uint32_t len)
{
	for (uint32_t i = 0; i < len; i += sizeof(weir_u8x16))
		if (weir_lanes_any(weir_lanes_load(a + i) ^ weir_lanes_load(b + i)))
			return false;
	return true;
}

// The row that is equal to the open one, from rows or added behind the *n there are.
static uint32_t row_intern(struct build *b, uint8_t *rows, uint32_t *n)
{
	const uint32_t row_bytes = b->table->row_bytes;
	uint32_t bucket = (uint32_t)b->open_hash & (b->n_buckets - 1);

	for (; b->buckets[bucket] != 0; bucket = (bucket + 1) & (b->n_buckets - 1)) {
		const uint32_t row = b->buckets[bucket] - 1U;

		if (b->row_hash[row] == b->open_hash &&
			row_equal(rows + (size_t)row * row_bytes, b->open, row_bytes))
			return row;
	}
	__builtin_memcpy(rows + (size_t)*n * row_bytes, b->open, row_bytes);
	b->row_hash[*n] = b->open_hash;
	b->buckets[bucket] = (uint16_t)(*n + 1);
	return (*n)++;
}

// Put every rule's events of this field into lists by value, whose heads stand in heads [VALUES].
// Returns the number of values that have one, an upper bound of rows less one.
static uint32_t events_collect(struct build *b, uint32_t key, uint32_t *heads)
{
	uint32_t n = 0;

	for (uint32_t i = 0; i < b->table->n; i++) {
		const struct range range = field_range(rule_at(b, i), b->version, key);

		n += heads[range.first] == EVENT_NONE;
		b->next[1 + 2 * i] = (uint16_t)heads[range.first];
		heads[range.first] = 1 + 2 * i;
		if (range.last == VALUES - 1)
			continue;
		n += heads[range.last + 1] == EVENT_NONE;
		b->next[2 + 2 * i] = (uint16_t)heads[range.last + 1];
		heads[range.last + 1] = 2 + 2 * i;
	}
	return n;
}

static bool field_is_used(const struct build *b, uint32_t key)
{
	for (uint32_t i = 0; i < b->table->n; i++) {
		const struct range range = field_range(rule_at(b, i), b->version, key);

		if (range.first != 0 || range.last != VALUES - 1)
			return true;
	}
	return false;
}

static int field_build(struct build *b, uint32_t key)
{
	struct acl_table *table = b->table;
	uint32_t *row_of = b->memory->alloc(VALUES * sizeof(*row_of), 64);
	uint32_t n_rows = 0, row = 0, max_rows;
	uint8_t *rows;

	if (row_of == NULL)
		return -1;
	max_rows = events_collect(b, key, row_of) +
		   1; // the lists' heads make room for rows as we pass
	rows = b->memory->alloc((size_t)max_rows * table->row_bytes, 64);
	if (rows == NULL)
		return -1;
	__builtin_memset(b->open, 0, table->row_bytes);
	__builtin_memset(b->buckets, 0, b->n_buckets * sizeof(*b->buckets));
	b->open_hash = 0;
	row = row_intern(b, rows, &n_rows);
	for (uint32_t value = 0; value < VALUES; value++) {
		if (row_of[value] != EVENT_NONE) {
			for (uint32_t event = row_of[value]; event != EVENT_NONE;
				event = b->next[event]) {
				row_toggle(b->open, table->summary_bytes, (event - 1) / 2);
				b->open_hash ^= rule_hash((event - 1) / 2);
			}
			row = row_intern(b, rows, &n_rows);
		}
		row_of[value] = (uint32_t)(rows - table->rows) + row * table->row_bytes;
	}
	b->memory->trim(rows + (size_t)n_rows * table->row_bytes);
	table->fields[table->n_fields++] = (struct acl_field){key, row_of};
	return 0;
}

static bool class_fits(const struct acl_rule *rule, enum acl_class class)
{
	const bool has_ports = class == ACL_CLASS_TCP || class == ACL_CLASS_UDP;

	if (!has_ports && (!rule->from_ports.is_any || !rule->to_ports.is_any))
		return false;
	switch ((enum acl_protocol)rule->protocol) {
	case ACL_ANY:
		return true;
	case ACL_TCP:
		return class == ACL_CLASS_TCP || class == ACL_CLASS_TCP_FRAGMENT;
	case ACL_UDP:
		return class == ACL_CLASS_UDP || class == ACL_CLASS_UDP_FRAGMENT;
	case ACL_ICMP:
		return class == ACL_CLASS_ICMP;
	}
	return false;
}

static int classes_build(struct build *b)
{
	struct acl_table *table = b->table;
	uint8_t *rows = b->memory->alloc((size_t)ACL_CLASSES * table->row_bytes, 64);

	if (rows == NULL)
		return -1;
	for (uint32_t class = 0; class < ACL_CLASSES; class++)
		for (uint32_t i = 0; i < table->n; i++)
			if (class_fits(rule_at(b, i), (enum acl_class)class))
				row_toggle(
					rows + class * table->row_bytes, table->summary_bytes, i);
	table->rows = rows;
	return 0;
}

// The rules of this version, in order, and what each says.
static int rules_select(struct build *b)
{
	struct acl_table *table = b->table;
	uint8_t *allow = b->memory->alloc(b->rules->n + 1, 16);

	b->rule_of = b->memory->alloc((b->rules->n + 1) * sizeof(*b->rule_of), 16);
	if (allow == NULL || b->rule_of == NULL)
		return -1;
	for (uint32_t i = 0; i < b->rules->n; i++) {
		if (!rule_can_match(&b->rules->rule[i], b->version))
			continue;
		allow[table->n] = b->rules->rule[i].allow;
		b->rule_of[table->n++] = (uint16_t)i;
	}
	table->allow = allow;
	return 0;
}

static int scratch_alloc(struct build *b)
{
	const uint32_t max_rows = 2 * b->table->n + 1;

	b->n_buckets = 4;
	while (b->n_buckets < 2 * max_rows)
		b->n_buckets *= 2;
	b->next = b->memory->alloc((max_rows + 1) * sizeof(*b->next), 16);
	b->open = b->memory->alloc(b->table->row_bytes, 16);
	b->row_hash = b->memory->alloc((max_rows + 1) * sizeof(*b->row_hash), 16);
	b->buckets = b->memory->alloc(b->n_buckets * sizeof(*b->buckets), 16);
	return b->next == NULL || b->open == NULL || b->row_hash == NULL || b->buckets == NULL ? -1
											       : 0;
}

int acl_table_build(struct acl_table *table, const struct acl_rules *rules, uint32_t version,
	const struct acl_memory *memory)
{
	const uint32_t n_addresses = version == 4 ? 4 : 16;
	struct build b = {
		.rules = rules,
		.table = table,
		.memory = memory,
		.version = version,
	};
	uint32_t n_chunks;

	*table = (struct acl_table){0};
	if (rules_select(&b) != 0)
		return -1;
	n_chunks = table->n <= ACL_CHUNK ? 1 : (table->n + ACL_CHUNK - 1) / ACL_CHUNK;
	table->summary_bytes = n_chunks == 1 ? 0 : (uint32_t)sizeof(weir_u8x16);
	table->row_bytes = table->summary_bytes + n_chunks * (uint32_t)sizeof(weir_u8x16);
	if (scratch_alloc(&b) != 0 || classes_build(&b) != 0)
		return -1;
	for (uint32_t key = 0; key < n_addresses + PORT_FIELDS; key++) {
		if (key == n_addresses)
			table->n_no_ports = table->n_fields;
		if (field_is_used(&b, key) && field_build(&b, key) != 0)
			return -1;
	}
	return 0;
}
