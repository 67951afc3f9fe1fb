// SPDX-License-Identifier: BSD-3-Clause
// decode: see decode.h. Sections and the definitions in them; one function a nonterminal of Binary.md.
#include "decode.h"

#include "decoder.h"
#include "limits.h"
#include "vec.h"

#include <string.h>

int cm_decode_nomem(struct decoder *d, const struct we_reader *r)
{
	return we_error_set(d->err, WE_E_NOMEM, we_reader_offset(r), "out of memory");
}

// The byte just read opens nothing here.
int cm_decode_bad_byte(const struct we_reader *r, uint8_t byte, const char *what)
{
	return we_error_set(r->err, WE_E_MALFORMED, we_reader_offset(r) - 1,
		"invalid leading byte (0x%x) for %s", byte, what);
}

// The length of a vec whose elements take at least min_bytes each.
int cm_decode_count(
	struct we_reader *r, uint32_t min_bytes, uint32_t limit, const char *what, uint32_t *ret_n)
{
	const uint64_t offset = we_reader_offset(r);
	uint32_t n = 0;
	int rc;

	rc = we_reader_u32(r, &n);
	if (rc < 0)
		return rc;
	if (n > we_reader_left(r) / min_bytes)
		return we_error_set(r->err, WE_E_MALFORMED, offset,
			"unexpected end: %u %s do not fit in the %zu bytes left", n, what,
			we_reader_left(r));
	if (n > limit)
		return we_error_set(
			r->err, WE_E_INVALID, offset, "%u %s, the limit is %u", n, what, limit);
	*ret_n = n;
	return 0;
}

// n more items of syntax: what a small binary can make this program allocate is bounded.
static int decode_spend(struct decoder *d, const struct we_reader *r, uint32_t n)
{
	if (n > CM_MAX_ITEMS - d->n_items)
		return we_error_set(d->err, WE_E_INVALID, we_reader_offset(r),
			"more than %d definitions, fields and arguments", CM_MAX_ITEMS);
	d->n_items += n;
	return 0;
}

// The length of a vec and room for its elements.
int cm_decode_array(struct decoder *d, struct we_reader *r, uint32_t min_bytes, size_t elem_bytes,
	const char *what, void *ret_array, uint32_t *ret_n)
{
	void *array;
	int rc;

	rc = cm_decode_count(r, min_bytes, CM_MAX_ITEMS, what, ret_n);
	if (rc == 0)
		rc = decode_spend(d, r, *ret_n);
	if (rc < 0)
		return rc;
	array = we_arena_array(d->arena, *ret_n, elem_bytes);
	if (array == NULL)
		return cm_decode_nomem(d, r);
	memcpy(ret_array, &array, sizeof(array)); // the caller's pointer has a type of its own
	return 0;
}

int cm_decode_name(struct decoder *d, struct we_reader *r, struct cm_name *ret_name)
{
	struct we_bytes bytes = {0};
	char *text;
	int rc;

	rc = we_reader_name(r, &bytes);
	if (rc < 0)
		return rc;
	text = we_arena_alloc(d->arena, bytes.len + 1);
	if (text == NULL)
		return cm_decode_nomem(d, r);
	if (bytes.len > 0)
		memcpy(text, bytes.data, bytes.len);
	ret_name->text = text;
	ret_name->len = (uint32_t)bytes.len;
	return 0;
}

// <T>? and flags: 0x00 or 0x01.
int cm_decode_bool(struct we_reader *r, const char *what, bool *ret_is)
{
	uint8_t byte = 0;
	int rc;

	rc = we_reader_u8(r, &byte);
	if (rc < 0)
		return rc;
	if (byte > 1)
		return cm_decode_bad_byte(r, byte, what);
	*ret_is = byte == 1;
	return 0;
}

int cm_decode_zero(struct we_reader *r, const char *what)
{
	uint8_t byte = 0;
	int rc;

	rc = we_reader_u8(r, &byte);
	if (rc < 0)
		return rc;
	return byte == 0 ? 0 : cm_decode_bad_byte(r, byte, what);
}

// ---- sorts --------------------------------------------------------------------------------------

struct sort_code {
	uint8_t code;
	enum cm_sort sort;
};

static const struct sort_code core_sorts[] = {
	{0x00, CM_SORT_CORE_FUNC},
	{0x01, CM_SORT_CORE_TABLE},
	{0x02, CM_SORT_CORE_MEMORY},
	{0x03, CM_SORT_CORE_GLOBAL},
	{0x04, CM_SORT_CORE_TAG},
	{0x10, CM_SORT_CORE_TYPE},
	{0x11, CM_SORT_CORE_MODULE},
	{0x12, CM_SORT_CORE_INSTANCE},
};

static const struct sort_code sorts[] = {
	// 0x00: a core sort follows
	{0x01, CM_SORT_FUNC},
	{0x02, CM_SORT_VALUE},
	{0x03, CM_SORT_TYPE},
	{0x04, CM_SORT_COMPONENT},
	{0x05, CM_SORT_INSTANCE},
};

static int find_sort(struct we_reader *r, const struct sort_code *codes, size_t n, uint8_t byte,
	const char *what, enum cm_sort *ret_sort)
{
	for (size_t i = 0; i < n; i++) {
		if (codes[i].code != byte)
			continue;
		*ret_sort = codes[i].sort;
		return 0;
	}
	return cm_decode_bad_byte(r, byte, what);
}

static int decode_core_sort(struct we_reader *r, const char *what, enum cm_sort *ret_sort)
{
	uint8_t byte = 0;
	const int rc = we_reader_u8(r, &byte);

	return rc < 0 ? rc
		      : find_sort(r, core_sorts, sizeof(core_sorts) / sizeof(core_sorts[0]), byte,
				what, ret_sort);
}

int cm_decode_sort(struct we_reader *r, const char *what, enum cm_sort *ret_sort)
{
	uint8_t byte = 0;
	const int rc = we_reader_u8(r, &byte);

	if (rc < 0)
		return rc;
	if (byte == 0x00)
		return decode_core_sort(r, what, ret_sort);
	return find_sort(r, sorts, sizeof(sorts) / sizeof(sorts[0]), byte, what, ret_sort);
}

// ---- instances ------------------------------------------------------------------------------------

// core:instantiatearg, core:inlineexport: a name and a core sortidx.
static int decode_core_args(struct decoder *d, struct we_reader *r, bool is_inline,
	const struct cm_arg **ret_args, uint32_t *ret_n)
{
	struct cm_arg *args = NULL;
	uint8_t byte = 0;
	uint32_t n = 0;
	int rc;

	rc = cm_decode_array(d, r, 3, sizeof(*args), "arguments", &args, &n);
	if (rc < 0)
		return rc;
	for (uint32_t i = 0; rc == 0 && i < n; i++) {
		rc = cm_decode_name(d, r, &args[i].name);
		if (rc == 0 && is_inline) {
			rc = decode_core_sort(r, "core export kind", &args[i].sort);
		} else if (rc == 0) {
			rc = we_reader_u8(r, &byte);
			if (rc == 0 && byte != 0x12)
				rc = cm_decode_bad_byte(r, byte, "instantiation arg kind");
			args[i].sort = CM_SORT_CORE_INSTANCE;
		}
		if (rc == 0)
			rc = we_reader_u32(r, &args[i].idx);
	}
	*ret_args = args;
	*ret_n = n;
	return rc;
}

static int decode_core_instance(struct decoder *d, struct we_reader *r, struct cm_syntax_item *ret)
{
	uint8_t byte = 0;
	int rc;

	ret->kind = CM_ITEM_CORE_INSTANCE;
	rc = we_reader_u8(r, &byte);
	if (rc == 0 && byte > 1)
		rc = cm_decode_bad_byte(r, byte, "core instance");
	if (rc == 0 && byte == 0)
		rc = we_reader_u32(r, &ret->of.instance.idx);
	if (rc < 0)
		return rc;
	ret->of.instance.is_inline = byte == 1;
	return decode_core_args(d, r, byte == 1, &ret->of.instance.args, &ret->of.instance.n_args);
}

// instantiatearg: only the name is like an export's.
static int decode_arg(struct decoder *d, struct we_reader *r, struct cm_arg *arg)
{
	int rc;

	rc = cm_decode_name(d, r, &arg->name);
	if (rc == 0)
		rc = cm_decode_sort(r, "component external kind", &arg->sort);
	return rc < 0 ? rc : we_reader_u32(r, &arg->idx);
}

// inlineexport
static int decode_inline_export(
	struct decoder *d, struct we_reader *r, struct cm_arg *arg, struct cm_syntax_name *name)
{
	int rc;

	rc = cm_decode_nameattributes(d, r, name);
	arg->name = name->name;
	if (rc == 0)
		rc = cm_decode_sort(r, "component external kind", &arg->sort);
	return rc < 0 ? rc : we_reader_u32(r, &arg->idx);
}

static int decode_instance(struct decoder *d, struct we_reader *r, struct cm_syntax_item *ret)
{
	struct cm_syntax_name *names = NULL;
	struct cm_arg *args = NULL;
	uint8_t byte = 0;
	uint32_t n = 0;
	int rc;

	ret->kind = CM_ITEM_INSTANCE;
	rc = we_reader_u8(r, &byte);
	if (rc == 0 && byte > 1)
		rc = cm_decode_bad_byte(r, byte, "instance");
	if (rc == 0 && byte == 0)
		rc = we_reader_u32(r, &ret->of.instance.idx);
	if (rc == 0)
		rc = cm_decode_array(d, r, 3, sizeof(*args), "arguments", &args, &n);
	if (rc < 0)
		return rc;
	if (byte == 1) {
		names = we_arena_array(d->arena, n, sizeof(*names));
		if (names == NULL)
			return cm_decode_nomem(d, r);
	}
	for (uint32_t i = 0; rc == 0 && i < n; i++)
		rc = byte == 0 ? decode_arg(d, r, &args[i])
			       : decode_inline_export(d, r, &args[i], &names[i]);
	ret->of.instance.is_inline = byte == 1;
	ret->of.instance.names = names;
	ret->of.instance.args = args;
	ret->of.instance.n_args = n;
	return rc;
}

// ---- exports ------------------------------------------------------------------------------------

static int decode_export(struct decoder *d, struct we_reader *r, struct cm_syntax_item *ret)
{
	int rc;

	ret->kind = CM_ITEM_EXPORT;
	rc = cm_decode_nameattributes(d, r, &ret->of.extrn.name);
	if (rc == 0)
		rc = cm_decode_sort(r, "component external kind", &ret->of.extrn.sort);
	if (rc == 0)
		rc = we_reader_u32(r, &ret->of.extrn.idx);
	if (rc == 0)
		rc = cm_decode_bool(r, "optional component export type", &ret->of.extrn.has_type);
	if (rc < 0 || !ret->of.extrn.has_type)
		return rc;
	return cm_decode_extern(r, &ret->of.extrn.type);
}

// ---- values and start ---------------------------------------------------------------------------

static int decode_start(struct decoder *d, struct we_reader *r, struct cm_syntax_item *ret)
{
	uint32_t n = 0;
	uint32_t idx = 0;
	int rc;

	(void)d;
	ret->kind = CM_ITEM_START;
	rc = we_reader_u32(r, &idx);
	if (rc == 0)
		rc = cm_decode_count(r, 1, CM_MAX_ITEMS, "start arguments", &n);
	for (uint32_t i = 0; rc == 0 && i < n; i++)
		rc = we_reader_u32(r, &idx);
	return rc < 0 ? rc : we_reader_u32(r, &n);
}

static int decode_value(struct decoder *d, struct we_reader *r, struct cm_syntax_item *ret)
{
	struct cm_syntax_valtype type = {0};
	struct we_bytes literal;
	uint32_t len = 0;
	int rc;

	(void)d;
	ret->kind = CM_ITEM_VALUE;
	rc = cm_decode_valtype(r, &type);
	if (rc == 0)
		rc = we_reader_u32(r, &len);
	return rc < 0 ? rc : we_reader_bytes(r, len, &literal);
}

static int decode_core_type_item(struct decoder *d, struct we_reader *r, struct cm_syntax_item *ret)
{
	ret->kind = CM_ITEM_CORE_TYPE;
	return cm_decode_core_type(d, r, &ret->of.core_type);
}

static int decode_type_item(struct decoder *d, struct we_reader *r, struct cm_syntax_item *ret)
{
	ret->kind = CM_ITEM_TYPE;
	return cm_decode_type(d, r, &ret->of.type);
}

// ---- components ---------------------------------------------------------------------------------

enum {
	SECTION_CUSTOM,
	SECTION_CORE_MODULE,
	SECTION_COMPONENT = 4,
	SECTION_START = 9,
	SECTION_N = 13
};

typedef int (*item_fn)(struct decoder *d, struct we_reader *r, struct cm_syntax_item *ret);

// The sections that are a vec of one nonterminal.
static const struct {
	const char *name;
	item_fn decode;
} sections[SECTION_N] = {
	[2] = {"core instance", decode_core_instance},
	[3] = {"core type", decode_core_type_item},
	[5] = {"instance", decode_instance},
	[6] = {"alias", cm_decode_alias},
	[7] = {"type", decode_type_item},
	[8] = {"canon", cm_decode_canon},
	[10] = {"import", cm_decode_import},
	[11] = {"export", decode_export},
	[12] = {"value", decode_value},
};

static const uint8_t module_preamble[8] = {0x00, 0x61, 0x73, 0x6d, 0x01, 0x00, 0x00, 0x00};
static const uint8_t component_preamble[8] = {0x00, 0x61, 0x73, 0x6d, 0x0d, 0x00, 0x01, 0x00};

static int decode_preamble(struct we_reader *r)
{
	const uint64_t offset = we_reader_offset(r);
	struct we_bytes found = {0};
	int rc;

	rc = we_reader_bytes(r, sizeof(component_preamble), &found);
	if (rc < 0)
		return rc;
	if (memcmp(found.data, component_preamble, 4) != 0)
		return we_error_set(r->err, WE_E_MALFORMED, offset,
			"magic header not detected: found %02x %02x %02x %02x, expected 00 61 73 "
			"6d",
			found.data[0], found.data[1], found.data[2], found.data[3]);
	if (memcmp(found.data, module_preamble, sizeof(module_preamble)) == 0)
		return we_error_set(r->err, WE_E_MALFORMED, offset + 4,
			"expected a version header for a component, found a core module");
	if (memcmp(found.data, component_preamble, sizeof(component_preamble)) != 0)
		return we_error_set(r->err, WE_E_MALFORMED, offset + 4,
			"unknown binary version and encoding: found %02x %02x %02x %02x, expected "
			"0d 00 01 00",
			found.data[4], found.data[5], found.data[6], found.data[7]);
	return 0;
}

static int decode_component(struct decoder *d, struct we_reader *r, struct cm_syntax_items *ret);

static int add_item(struct decoder *d, const struct we_reader *r, struct we_vec *items,
	struct cm_syntax_item **ret_item)
{
	const int rc = decode_spend(d, r, 1);

	if (rc < 0)
		return rc;
	*ret_item = we_vec_add(items, sizeof(**ret_item));
	if (*ret_item == NULL)
		return cm_decode_nomem(d, r);
	(*ret_item)->offset = we_reader_offset(r);
	return 0;
}

static int decode_vec_section(
	struct decoder *d, struct we_reader *r, uint8_t id, struct we_vec *items)
{
	struct cm_syntax_item *item;
	uint32_t n = 0;
	int rc;

	rc = cm_decode_count(r, 1, CM_MAX_ITEMS, "definitions", &n);
	for (uint32_t i = 0; rc == 0 && i < n; i++) {
		rc = add_item(d, r, items, &item);
		if (rc == 0)
			rc = sections[id].decode(d, r, item);
	}
	return rc;
}

static int decode_section(struct decoder *d, struct we_reader *r, uint8_t id, struct we_vec *items)
{
	struct cm_syntax_item *item = NULL;
	struct cm_name name;
	int rc;

	switch (id) {
	case SECTION_CUSTOM:
		rc = cm_decode_name(d, r, &name);
		r->at = r->end;
		return rc;
	case SECTION_CORE_MODULE:
		if (we_reader_left(r) >= sizeof(component_preamble) &&
			memcmp(r->at, component_preamble, sizeof(component_preamble)) == 0)
			return we_error_set(d->err, WE_E_MALFORMED, we_reader_offset(r) + 4,
				"expected a version header for a module, found a component");
		rc = add_item(d, r, items, &item);
		if (rc < 0)
			return rc;
		item->kind = CM_ITEM_CORE_MODULE;
		return we_reader_bytes(r, we_reader_left(r), &item->of.module);
	case SECTION_COMPONENT:
		rc = add_item(d, r, items, &item);
		if (rc < 0)
			return rc;
		item->kind = CM_ITEM_COMPONENT;
		item->of.component.bytes = (struct we_bytes){r->at, we_reader_left(r)};
		return decode_component(d, r, &item->of.component.body);
	case SECTION_START:
		rc = add_item(d, r, items, &item);
		return rc < 0 ? rc : decode_start(d, r, item);
	default:
		return decode_vec_section(d, r, id, items);
	}
}

static int decode_sections(struct decoder *d, struct we_reader *r, struct we_vec *items)
{
	while (!we_reader_at_end(r)) {
		const uint64_t offset = we_reader_offset(r);
		struct we_reader section;
		uint32_t len = 0;
		uint8_t id = 0;
		int rc;

		rc = we_reader_u8(r, &id);
		if (rc < 0)
			return rc;
		if (id >= SECTION_N)
			return we_error_set(
				d->err, WE_E_MALFORMED, offset, "malformed section id: %u", id);
		rc = we_reader_u32(r, &len);
		if (rc == 0)
			rc = we_reader_sub(r, len, &section);
		if (rc == 0)
			rc = decode_section(d, &section, id, items);
		if (rc < 0)
			return rc;
		if (!we_reader_at_end(&section))
			return we_error_set(d->err, WE_E_MALFORMED, we_reader_offset(&section),
				"section size mismatch: %zu bytes left at the end of section %u",
				we_reader_left(&section), id);
	}
	return 0;
}

static int decode_component(struct decoder *d, struct we_reader *r, struct cm_syntax_items *ret)
{
	struct we_vec items = {0};
	struct cm_syntax_item *copy;
	int rc;

	if (d->nesting == CM_MAX_NESTING)
		return we_error_set(d->err, WE_E_INVALID, we_reader_offset(r),
			"components are nested more than %d deep", CM_MAX_NESTING);
	rc = decode_preamble(r);
	if (rc < 0)
		return rc;
	d->nesting++;
	rc = decode_sections(d, r, &items);
	d->nesting--;
	if (rc < 0)
		goto out;
	copy = we_arena_array(d->arena, items.len, sizeof(*copy));
	if (copy == NULL) {
		rc = cm_decode_nomem(d, r);
		goto out;
	}
	if (items.len > 0)
		memcpy(copy, items.data, items.len * sizeof(*copy));
	ret->items = copy;
	ret->n = (uint32_t)items.len;
out:
	we_vec_fini(&items);
	return rc;
}

int cm_decode(struct we_arena *arena, struct we_bytes bytes, struct cm_syntax_items *ret_body,
	struct we_error *err)
{
	struct decoder d = {.arena = arena, .err = err};
	struct we_reader r;

	we_reader_init(&r, bytes, 0, err);
	return decode_component(&d, &r, ret_body);
}

bool cm_is_component(struct we_bytes bytes)
{
	return bytes.len >= sizeof(component_preamble) &&
	       memcmp(bytes.data, component_preamble, sizeof(component_preamble)) == 0;
}
