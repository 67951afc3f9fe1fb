// SPDX-License-Identifier: BSD-3-Clause
// test_draft: a module under construction, its types and code as text.
//
//	draft_begin(&d);
//	type = draft_type(&d, "func i32 -> i32");
//	draft_func(&d, type, "i64", "local.get 0 i32.const 1 i32.add", "next");
//	draft_end(&d, &b);
//
// Code is the mnemonics of opcode.def and their immediates as numbers, in the order of the binary format, parted by
// spaces; the body's last `end` is added. Lists say their length first: "br_table 2 0 1 2", "try_table void 2 catch 0 1
// catch_all 0". A block type is void, a value type or the number of a type. A memory access has one number, its
// offset, and "@1" with it for memory 1. A value type is i32, ..., funcref, ..., "ref:T" or "ref?:T" of a heap type: any, eq, ... or the number of a type.
// Owns: fixed buffers; what does not fit fails the test.
#pragma once

#include "opcode.h"
#include "test_module.h"

#include <stdbool.h>
#include <stdlib.h>

// Sections that are lists, by their number; 13 is that of tags.
enum {
	DRAFT_TYPES = 1,
	DRAFT_IMPORTS = 2,
	DRAFT_FUNCS = 3,
	DRAFT_TABLES = 4,
	DRAFT_MEMS = 5,
	DRAFT_GLOBALS = 6,
	DRAFT_EXPORTS = 7,
	DRAFT_ELEMS = 9,
	DRAFT_CODE = 10,
	DRAFT_DATAS = 11,
	DRAFT_TAGS = 13,
	DRAFT_SECTIONS
};

struct draft {
	struct bytes items[DRAFT_SECTIONS];
	uint32_t n[DRAFT_SECTIONS];
	uint32_t n_imported[5]; // by enum we_externkind
	uint32_t n_types;
	uint32_t n_in_group; // types that the open recursion group still waits for
};

// ---- words ---------------------------------------------------------------------------------------

// The next word of the text. Returns: false at its end.
static inline bool draft_word(const char **text, char word[48])
{
	const char *from = *text + strspn(*text, " \t\n");
	const size_t len = strcspn(from, " \t\n");

	assert_in_range(len, 0, 47);
	memcpy(word, from, len);
	word[len] = '\0';
	*text = from + len;
	return len > 0;
}

static inline uint64_t draft_number(const char **text)
{
	char word[48];
	char *end;
	unsigned long long x;

	if (!draft_word(text, word))
		fail_msg("a number is missing at the end");
	x = strtoull(word, &end, 0);
	if (*end != '\0')
		fail_msg("%s is no number", word);
	return x;
}

static inline uint32_t draft_u(struct bytes *b, const char **text)
{
	const uint32_t x = (uint32_t)draft_number(text);

	put_u(b, x);
	return x;
}

// ---- types ---------------------------------------------------------------------------------------

struct draft_name {
	const char *name;
	uint8_t byte;
};

// Returns: 0 when there is no such name.
static inline uint8_t draft_find(const struct draft_name *names, size_t n, const char *word)
{
	for (size_t i = 0; i < n; i++)
		if (strcmp(names[i].name, word) == 0)
			return names[i].byte;
	return 0;
}

static inline void draft_put_heap(struct bytes *b, const char *word)
{
	static const struct draft_name names[] = {{"noexn", 0x74}, {"nofunc", 0x73},
		{"noextern", 0x72}, {"none", 0x71}, {"func", 0x70}, {"extern", 0x6f}, {"any", 0x6e},
		{"eq", 0x6d}, {"i31", 0x6c}, {"struct", 0x6b}, {"array", 0x6a}, {"exn", 0x69}};
	const uint8_t byte = draft_find(names, sizeof(names) / sizeof(names[0]), word);
	char *end;

	if (byte != 0) {
		put_byte(b, byte);
		return;
	}
	put_s(b, strtol(word, &end, 10));
	if (*end != '\0')
		fail_msg("%s is no heap type", word);
}

static inline void draft_put_type(struct bytes *b, const char *word)
{
	static const struct draft_name names[] = {{"i32", 0x7f}, {"i64", 0x7e}, {"f32", 0x7d},
		{"f64", 0x7c}, {"v128", 0x7b}, {"i8", 0x78}, {"i16", 0x77}, {"funcref", 0x70},
		{"externref", 0x6f}, {"anyref", 0x6e}, {"eqref", 0x6d}, {"i31ref", 0x6c},
		{"structref", 0x6b}, {"arrayref", 0x6a}, {"exnref", 0x69}};
	const uint8_t byte = draft_find(names, sizeof(names) / sizeof(names[0]), word);

	if (byte != 0) {
		put_byte(b, byte);
	} else if (strncmp(word, "ref:", 4) == 0) {
		put_byte(b, 0x64);
		draft_put_heap(b, word + 4);
	} else if (strncmp(word, "ref?:", 5) == 0) {
		put_byte(b, 0x63);
		draft_put_heap(b, word + 5);
	} else {
		fail_msg("%s is no value type", word);
	}
}

// Value types up to the word `until` or the end.
static inline void draft_put_types(struct bytes *b, const char **text, const char *until)
{
	struct bytes types = {.len = 0};
	uint32_t n = 0;
	char word[48];

	while (draft_word(text, word) && strcmp(word, until) != 0) {
		draft_put_type(&types, word);
		n++;
	}
	put_u(b, n);
	put_bytes(b, types.data, types.len);
}

// "mut:i32" or "i32".
static inline void draft_put_field(struct bytes *b, const char *word)
{
	const bool is_mut = strncmp(word, "mut:", 4) == 0;

	draft_put_type(b, is_mut ? word + 4 : word);
	put_byte(b, is_mut);
}

// "func i32 -> i32", "struct mut:i32 i8", "array mut:i8"; in front of it "sub" for a type that is not final, "sub 3" or
// "final 3" for one below type 3.
static inline void draft_put_comp(struct bytes *b, const char *text)
{
	struct bytes fields = {.len = 0};
	uint32_t n = 0;
	char word[48];

	(void)draft_word(&text, word);
	if (strcmp(word, "sub") == 0 || strcmp(word, "final") == 0) {
		put_byte(b, word[0] == 's' ? 0x50 : 0x4f);
		(void)draft_word(&text, word);
		if (word[0] >= '0' && word[0] <= '9') {
			put_byte(b, 1);
			put_u(b, strtoul(word, NULL, 10));
			(void)draft_word(&text, word);
		} else {
			put_byte(b, 0);
		}
	}
	if (strcmp(word, "func") == 0) {
		put_byte(b, 0x60);
		draft_put_types(b, &text, "->");
		draft_put_types(b, &text, "->");
		return;
	}
	put_byte(b, strcmp(word, "struct") == 0 ? 0x5f : 0x5e);
	if (strcmp(word, "array") == 0) {
		(void)draft_word(&text, word);
		draft_put_field(b, word);
		return;
	}
	while (draft_word(&text, word)) {
		draft_put_field(&fields, word);
		n++;
	}
	put_u(b, n);
	put_bytes(b, fields.data, fields.len);
}

// ---- code ----------------------------------------------------------------------------------------

static inline void draft_put_blocktype(struct bytes *b, const char **text)
{
	char word[48];

	(void)draft_word(text, word);
	if (strcmp(word, "void") == 0)
		put_byte(b, 0x40);
	else if (word[0] >= '0' && word[0] <= '9')
		put_s(b, strtol(word, NULL, 10));
	else
		draft_put_type(b, word);
}

static inline void draft_put_catches(struct bytes *b, const char **text)
{
	static const char *const kinds[] = {"catch", "catch_ref", "catch_all", "catch_all_ref"};
	char word[48];

	for (uint32_t n = draft_u(b, text); n > 0; n--) {
		uint8_t kind = 0;

		(void)draft_word(text, word);
		while (kind < 4 && strcmp(word, kinds[kind]) != 0)
			kind++;
		if (kind == 4)
			fail_msg("%s is no clause", word);
		put_byte(b, kind);
		if (kind < 2)
			(void)draft_u(b, text);
		(void)draft_u(b, text);
	}
}

static inline void draft_put_float(struct bytes *b, const char **text, bool is_64)
{
	char word[48];
	double d;
	float f;

	(void)draft_word(text, word);
	d = strtod(word, NULL);
	f = (float)d;
	if (is_64)
		put_bytes(b, &d, sizeof(d));
	else
		put_bytes(b, &f, sizeof(f));
}

static inline void draft_put_cast(struct bytes *b, const char **text)
{
	char word[48];

	(void)draft_u(b, text); // bit 0: the first type is nullable, bit 1: the second
	(void)draft_u(b, text);
	(void)draft_word(text, word);
	draft_put_heap(b, word);
	(void)draft_word(text, word);
	draft_put_heap(b, word);
}

// "8": an offset in memory 0, "8@1" in memory 1.
static inline void draft_put_memarg(struct bytes *b, const char **text)
{
	unsigned long long offset;
	char word[48];
	char *end;

	(void)draft_word(text, word);
	offset = strtoull(word, &end, 0);
	if (*end == '@') {
		put_byte(b, 0x40);
		put_u(b, strtoul(end + 1, &end, 10));
	} else {
		put_byte(b, 0);
	}
	if (*end != '\0')
		fail_msg("%s is no offset", word);
	put_u(b, offset);
}

static inline void draft_put_immediates(struct bytes *b, enum we_imm imm, const char **text)
{
	uint64_t halves[2];
	char word[48];

	switch (imm) {
	case WE_IMM_NONE:
		break;
	case WE_IMM_BLOCK:
		draft_put_blocktype(b, text);
		break;
	case WE_IMM_TRY_TABLE:
		draft_put_blocktype(b, text);
		draft_put_catches(b, text);
		break;
	case WE_IMM_LABELS:
		for (uint32_t n = draft_u(b, text) + 1; n > 0; n--)
			(void)draft_u(b, text);
		break;
	case WE_IMM_MEMARG:
		draft_put_memarg(b, text);
		break;
	case WE_IMM_MEMARG_LANE:
		draft_put_memarg(b, text);
		put_byte(b, (uint8_t)draft_number(text));
		break;
	case WE_IMM_I32:
		put_s(b, (int32_t)draft_number(text));
		break;
	case WE_IMM_I64:
		put_s(b, (int64_t)draft_number(text));
		break;
	case WE_IMM_F32:
	case WE_IMM_F64:
		draft_put_float(b, text, imm == WE_IMM_F64);
		break;
	case WE_IMM_V128:
		halves[0] = draft_number(text);
		halves[1] = draft_number(text);
		put_bytes(b, halves, sizeof(halves));
		break;
	case WE_IMM_HEAPTYPE:
		(void)draft_word(text, word);
		draft_put_heap(b, word);
		break;
	case WE_IMM_CAST:
		draft_put_cast(b, text);
		break;
	case WE_IMM_LANE:
		put_byte(b, (uint8_t)draft_number(text));
		break;
	case WE_IMM_SELECT:
		put_byte(b, 1);
		(void)draft_word(text, word);
		draft_put_type(b, word);
		break;
	case WE_IMM_TYPE_TABLE:
	case WE_IMM_DATA_MEM:
	case WE_IMM_ELEM_TABLE:
	case WE_IMM_MEM_MEM:
	case WE_IMM_TABLE_TABLE:
	case WE_IMM_TYPE_FIELD:
	case WE_IMM_TYPE_N:
	case WE_IMM_TYPE_DATA:
	case WE_IMM_TYPE_ELEM:
	case WE_IMM_TYPE_TYPE:
		(void)draft_u(b, text);
		(void)draft_u(b, text);
		break;
	default:
		if (imm > WE_IMM_LAST_INDEX)
			fail_msg("no text for immediates of kind %d", (int)imm);
		(void)draft_u(b, text);
		break;
	}
}

static inline enum we_op draft_op(const char *word)
{
	if (strcmp(word, "select_t") == 0)
		return WE_OP_SELECT_T;
	for (enum we_op op = 1; op < WE_OP_N; op++)
		if (we_op_info[op].mnemonic[0] == word[0] &&
			strcmp(we_op_info[op].mnemonic, word) == 0)
			return op;
	fail_msg("%s is no instruction", word);
	return WE_OP_NONE;
}

static inline void draft_put_code(struct bytes *b, const char *text)
{
	static const struct {
		uint8_t prefix;
		uint32_t code;
	} codes[WE_OP_N] = {
#define WE_OP(feature, prefix, code, NAME, mnemonic, imm, params, results, flags)                  \
	[WE_OP_##NAME] = {prefix, code},
#include "opcode.def"
#undef WE_OP
	};
	char word[48];

	while (draft_word(&text, word)) {
		const char *rest = text;
		char next[48];
		enum we_op op;

		if ((strcmp(word, "ref.test") == 0 || strcmp(word, "ref.cast") == 0) &&
			draft_word(&rest, next) && strcmp(next, "null") == 0) {
			strcat(word, " null");
			text = rest;
		}
		op = draft_op(word);
		if (codes[op].prefix == 0) {
			put_byte(b, (uint8_t)codes[op].code);
		} else {
			put_byte(b, codes[op].prefix);
			put_u(b, codes[op].code);
		}
		draft_put_immediates(b, (enum we_imm)we_op_info[op].imm, &text);
	}
}

// ---- sections ------------------------------------------------------------------------------------

static inline void draft_begin(struct draft *d)
{
	for (uint32_t i = 0; i < DRAFT_SECTIONS; i++)
		d->items[i].len = 0;
	memset(d->n, 0, sizeof(d->n));
	memset(d->n_imported, 0, sizeof(d->n_imported));
	d->n_types = 0;
	d->n_in_group = 0;
}

// The next n types are one recursion group.
static inline void draft_group(struct draft *d, uint32_t n)
{
	put_byte(&d->items[DRAFT_TYPES], 0x4e);
	put_u(&d->items[DRAFT_TYPES], n);
	d->n[DRAFT_TYPES]++;
	d->n_in_group = n;
}

// Returns: the index of the type, which is a recursion group of its own unless one is open.
static inline uint32_t draft_type(struct draft *d, const char *text)
{
	draft_put_comp(&d->items[DRAFT_TYPES], text);
	if (d->n_in_group > 0)
		d->n_in_group--;
	else
		d->n[DRAFT_TYPES]++;
	return d->n_types++;
}

static inline void draft_export(struct draft *d, const char *name, uint8_t kind, uint32_t idx)
{
	struct bytes *b = &d->items[DRAFT_EXPORTS];

	put_name(b, name);
	put_byte(b, kind);
	put_u(b, idx);
	d->n[DRAFT_EXPORTS]++;
}

// What follows the names of an import, as bytes; imports come before what the module defines.
static inline uint32_t draft_import(struct draft *d, uint8_t kind, const void *desc, size_t len)
{
	struct bytes *b = &d->items[DRAFT_IMPORTS];

	put_name(b, "");
	put_name(b, "");
	put_byte(b, kind);
	put_bytes(b, desc, len);
	d->n[DRAFT_IMPORTS]++;
	return d->n_imported[kind]++;
}

static inline uint32_t draft_import_func(struct draft *d, uint32_t type)
{
	struct bytes desc = {.len = 0};

	put_u(&desc, type);
	return draft_import(d, WE_EXTERN_FUNC, desc.data, desc.len);
}

static inline uint32_t draft_import_tag(struct draft *d, uint32_t type)
{
	struct bytes desc = {.len = 0};

	put_byte(&desc, 0);
	put_u(&desc, type);
	return draft_import(d, WE_EXTERN_TAG, desc.data, desc.len);
}

// locals: "i32 anyref"; name: of its export, or NULL. Returns: the function's index.
static inline uint32_t draft_func(
	struct draft *d, uint32_t type, const char *locals, const char *text, const char *name)
{
	struct bytes body = {.len = 0}, runs = {.len = 0};
	const uint32_t idx = d->n_imported[WE_EXTERN_FUNC] + d->n[DRAFT_FUNCS]++;
	uint32_t n = 0;
	char word[48];

	for (; draft_word(&locals, word); n++) {
		put_byte(&runs, 1);
		draft_put_type(&runs, word);
	}
	put_u(&body, n);
	put_bytes(&body, runs.data, runs.len);
	draft_put_code(&body, text);
	put_byte(&body, 0x0b);
	put_body(&d->items[DRAFT_CODE], &body);
	put_u(&d->items[DRAFT_FUNCS], type);
	d->n[DRAFT_CODE]++;
	if (name != NULL)
		draft_export(d, name, WE_EXTERN_FUNC, idx);
	return idx;
}

static inline uint32_t draft_tag(struct draft *d, uint32_t type)
{
	put_byte(&d->items[DRAFT_TAGS], 0);
	put_u(&d->items[DRAFT_TAGS], type);
	return d->n_imported[WE_EXTERN_TAG] + d->n[DRAFT_TAGS]++;
}

// A memory of 32-bit addresses without a maximum.
static inline uint32_t draft_memory(struct draft *d, uint32_t pages)
{
	put_byte(&d->items[DRAFT_MEMS], 0);
	put_u(&d->items[DRAFT_MEMS], pages);
	return d->n_imported[WE_EXTERN_MEMORY] + d->n[DRAFT_MEMS]++;
}

// The same of 64-bit addresses.
static inline uint32_t draft_memory64(struct draft *d, uint32_t pages)
{
	put_byte(&d->items[DRAFT_MEMS], 4);
	put_u(&d->items[DRAFT_MEMS], pages);
	return d->n_imported[WE_EXTERN_MEMORY] + d->n[DRAFT_MEMS]++;
}

static inline uint32_t draft_table(struct draft *d, const char *type, uint32_t min)
{
	draft_put_type(&d->items[DRAFT_TABLES], type);
	put_byte(&d->items[DRAFT_TABLES], 0);
	put_u(&d->items[DRAFT_TABLES], min);
	return d->n_imported[WE_EXTERN_TABLE] + d->n[DRAFT_TABLES]++;
}

// field: "mut:i32"; init: a constant expression without its end.
static inline uint32_t draft_global(struct draft *d, const char *field, const char *init)
{
	draft_put_field(&d->items[DRAFT_GLOBALS], field);
	draft_put_code(&d->items[DRAFT_GLOBALS], init);
	put_byte(&d->items[DRAFT_GLOBALS], 0x0b);
	return d->n_imported[WE_EXTERN_GLOBAL] + d->n[DRAFT_GLOBALS]++;
}

// A segment of n functions from `first` on: active in table 0 at element 0, or declarative.
static inline uint32_t draft_elem_funcs(struct draft *d, bool is_active, uint32_t first, uint32_t n)
{
	struct bytes *b = &d->items[DRAFT_ELEMS];

	if (is_active)
		put_bytes(b, "\0\x41\0\x0b", 4);
	else
		put_bytes(b, "\3\0", 2);
	put_u(b, n);
	for (uint32_t i = 0; i < n; i++)
		put_u(b, first + i);
	return d->n[DRAFT_ELEMS]++;
}

static inline uint32_t draft_data(struct draft *d, const char *text)
{
	put_byte(&d->items[DRAFT_DATAS], 1); // passive
	put_name(&d->items[DRAFT_DATAS], text);
	return d->n[DRAFT_DATAS]++;
}

static inline void draft_put_section(const struct draft *d, struct bytes *b, uint8_t id)
{
	if (d->n[id] > 0)
		put_section(b, id, d->n[id], &d->items[id]);
}

static inline void draft_end(const struct draft *d, struct bytes *b)
{
	struct bytes none = {.len = 0};

	begin_module(b);
	for (uint8_t id = DRAFT_TYPES; id <= DRAFT_MEMS; id++)
		draft_put_section(d, b, id);
	draft_put_section(d, b, DRAFT_TAGS);
	draft_put_section(d, b, DRAFT_GLOBALS);
	draft_put_section(d, b, DRAFT_EXPORTS);
	draft_put_section(d, b, DRAFT_ELEMS);
	if (d->n[DRAFT_DATAS] > 0)
		put_section(b, 12, d->n[DRAFT_DATAS], &none);
	draft_put_section(d, b, DRAFT_CODE);
	draft_put_section(d, b, DRAFT_DATAS);
}
