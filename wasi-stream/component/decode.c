// SPDX-License-Identifier: BSD-3-Clause
// decode: see decode.h. One function a nonterminal of Binary.md, in its order and with its names.
#include "decode.h"

#include "arena.h"
#include "limits.h"
#include "reader.h"
#include "vec.h"

#include <string.h>

struct decoder {
	struct we_arena *arena;
	struct we_error *err;
	uint32_t nesting; // components and types that are open
	uint32_t n_items; // items, fields and arguments so far
};

static int decode_nomem(struct decoder *d, const struct we_reader *r)
{
	return we_error_set(d->err, WE_E_NOMEM, we_reader_offset(r), "out of memory");
}

// The byte just read opens nothing here.
static int decode_bad_byte(const struct we_reader *r, uint8_t byte, const char *what)
{
	return we_error_set(r->err, WE_E_MALFORMED, we_reader_offset(r) - 1,
		"invalid leading byte (0x%x) for %s", byte, what);
}

// The length of a vec whose elements take at least min_bytes each.
static int decode_count(
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
static int decode_array(struct decoder *d, struct we_reader *r, uint32_t min_bytes,
	size_t elem_bytes, const char *what, void *ret_array, uint32_t *ret_n)
{
	void *array;
	int rc;

	rc = decode_count(r, min_bytes, CM_MAX_ITEMS, what, ret_n);
	if (rc == 0)
		rc = decode_spend(d, r, *ret_n);
	if (rc < 0)
		return rc;
	array = we_arena_array(d->arena, *ret_n, elem_bytes);
	if (array == NULL)
		return decode_nomem(d, r);
	memcpy(ret_array, &array, sizeof(array)); // the caller's pointer has a type of its own
	return 0;
}

static int decode_name(struct decoder *d, struct we_reader *r, struct cm_name *ret_name)
{
	struct we_bytes bytes = {0};
	char *text;
	int rc;

	rc = we_reader_name(r, &bytes);
	if (rc < 0)
		return rc;
	text = we_arena_alloc(d->arena, bytes.len + 1);
	if (text == NULL)
		return decode_nomem(d, r);
	if (bytes.len > 0)
		memcpy(text, bytes.data, bytes.len);
	ret_name->text = text;
	ret_name->len = (uint32_t)bytes.len;
	return 0;
}

// <T>? and flags: 0x00 or 0x01.
static int decode_bool(struct we_reader *r, const char *what, bool *ret_is)
{
	uint8_t byte = 0;
	int rc;

	rc = we_reader_u8(r, &byte);
	if (rc < 0)
		return rc;
	if (byte > 1)
		return decode_bad_byte(r, byte, what);
	*ret_is = byte == 1;
	return 0;
}

static int decode_zero(struct we_reader *r, const char *what)
{
	uint8_t byte = 0;
	int rc;

	rc = we_reader_u8(r, &byte);
	if (rc < 0)
		return rc;
	return byte == 0 ? 0 : decode_bad_byte(r, byte, what);
}

// ---- sorts --------------------------------------------------------------------------------------

static int decode_core_sort(struct we_reader *r, const char *what, enum cm_sort *ret_sort)
{
	uint8_t byte = 0;
	int rc;

	rc = we_reader_u8(r, &byte);
	if (rc < 0)
		return rc;
	switch (byte) {
	case 0x00:
		*ret_sort = CM_SORT_CORE_FUNC;
		return 0;
	case 0x01:
		*ret_sort = CM_SORT_CORE_TABLE;
		return 0;
	case 0x02:
		*ret_sort = CM_SORT_CORE_MEMORY;
		return 0;
	case 0x03:
		*ret_sort = CM_SORT_CORE_GLOBAL;
		return 0;
	case 0x04:
		*ret_sort = CM_SORT_CORE_TAG;
		return 0;
	case 0x10:
		*ret_sort = CM_SORT_CORE_TYPE;
		return 0;
	case 0x11:
		*ret_sort = CM_SORT_CORE_MODULE;
		return 0;
	case 0x12:
		*ret_sort = CM_SORT_CORE_INSTANCE;
		return 0;
	default:
		return decode_bad_byte(r, byte, what);
	}
}

static int decode_sort(struct we_reader *r, const char *what, enum cm_sort *ret_sort)
{
	uint8_t byte = 0;
	int rc;

	rc = we_reader_u8(r, &byte);
	if (rc < 0)
		return rc;
	switch (byte) {
	case 0x00:
		return decode_core_sort(r, what, ret_sort);
	case 0x01:
		*ret_sort = CM_SORT_FUNC;
		return 0;
	case 0x02:
		*ret_sort = CM_SORT_VALUE;
		return 0;
	case 0x03:
		*ret_sort = CM_SORT_TYPE;
		return 0;
	case 0x04:
		*ret_sort = CM_SORT_COMPONENT;
		return 0;
	case 0x05:
		*ret_sort = CM_SORT_INSTANCE;
		return 0;
	default:
		return decode_bad_byte(r, byte, what);
	}
}

// ---- core types ---------------------------------------------------------------------------------
//
// Core types are not decoded here: wasm-engine does that when a module type is checked. Only where they
// end is found.

static int skip_core_heaptype(struct we_reader *r)
{
	int64_t type = 0;

	return we_reader_s33(r, &type);
}

static int skip_core_valtype(struct we_reader *r)
{
	uint8_t byte = 0;
	int rc;

	rc = we_reader_u8(r, &byte);
	if (rc < 0)
		return rc;
	if (byte == 0x63 || byte == 0x64)
		return skip_core_heaptype(r);
	if ((byte >= 0x7b && byte <= 0x7f) || (byte >= 0x69 && byte <= 0x74))
		return 0;
	return decode_bad_byte(r, byte, "core value type");
}

static int skip_core_fieldtype(struct we_reader *r)
{
	bool is_mut;
	int rc;

	if (!we_reader_at_end(r) && (*r->at == 0x77 || *r->at == 0x78)) {
		uint8_t packed;

		rc = we_reader_u8(r, &packed);
	} else {
		rc = skip_core_valtype(r);
	}
	return rc < 0 ? rc : decode_bool(r, "core mutability", &is_mut);
}

static int skip_core_comptype(struct we_reader *r)
{
	uint8_t byte = 0;
	uint32_t n = 0;
	int rc;

	rc = we_reader_u8(r, &byte);
	if (rc < 0)
		return rc;
	switch (byte) {
	case 0x60:
		for (int list = 0; list < 2; list++) { // parameters, results
			rc = decode_count(r, 1, CM_MAX_ITEMS, "core value types", &n);
			for (uint32_t i = 0; rc == 0 && i < n; i++)
				rc = skip_core_valtype(r);
			if (rc < 0)
				return rc;
		}
		return 0;
	case 0x5f:
		rc = decode_count(r, 2, CM_MAX_ITEMS, "core fields", &n);
		for (uint32_t i = 0; rc == 0 && i < n; i++)
			rc = skip_core_fieldtype(r);
		return rc;
	case 0x5e:
		return skip_core_fieldtype(r);
	default:
		return decode_bad_byte(r, byte, "type definition");
	}
}

static int skip_core_subtype(struct we_reader *r)
{
	uint32_t n = 0;
	uint32_t super = 0;
	uint8_t prefix;
	int rc;

	if (we_reader_at_end(r) || (*r->at != 0x50 && *r->at != 0x4f))
		return skip_core_comptype(r);
	rc = we_reader_u8(r, &prefix);
	if (rc == 0)
		rc = decode_count(r, 1, CM_MAX_ITEMS, "core supertypes", &n);
	for (uint32_t i = 0; rc == 0 && i < n; i++)
		rc = we_reader_u32(r, &super);
	return rc < 0 ? rc : skip_core_comptype(r);
}

static int skip_core_rectype(struct we_reader *r)
{
	uint32_t n = 0;
	uint8_t prefix;
	int rc;

	if (we_reader_at_end(r) || *r->at != 0x4e)
		return skip_core_subtype(r);
	rc = we_reader_u8(r, &prefix);
	if (rc == 0)
		rc = decode_count(r, 3, CM_MAX_ITEMS, "core types", &n);
	for (uint32_t i = 0; rc == 0 && i < n; i++)
		rc = skip_core_subtype(r);
	return rc;
}

static int skip_core_limits(struct we_reader *r)
{
	uint8_t flags = 0;
	uint64_t bound = 0;
	int rc;

	rc = we_reader_u8(r, &flags);
	if (rc < 0)
		return rc;
	if (flags > 0x07)
		return decode_bad_byte(r, flags, "core limits");
	rc = we_reader_u64(r, &bound);
	if (rc == 0 && (flags & 1) != 0)
		rc = we_reader_u64(r, &bound);
	return rc;
}

static int skip_core_externtype(struct we_reader *r)
{
	uint8_t byte = 0;
	uint32_t idx = 0;
	bool is_mut;
	int rc;

	rc = we_reader_u8(r, &byte);
	if (rc < 0)
		return rc;
	switch (byte) {
	case 0x00:
		return we_reader_u32(r, &idx);
	case 0x01:
		rc = skip_core_valtype(r);
		return rc < 0 ? rc : skip_core_limits(r);
	case 0x02:
		return skip_core_limits(r);
	case 0x03:
		rc = skip_core_valtype(r);
		return rc < 0 ? rc : decode_bool(r, "core mutability", &is_mut);
	case 0x04:
		rc = decode_zero(r, "core tag attribute");
		return rc < 0 ? rc : we_reader_u32(r, &idx);
	default:
		return decode_bad_byte(r, byte, "core external kind");
	}
}

static struct we_bytes bytes_between(const uint8_t *from, const struct we_reader *r)
{
	return (struct we_bytes){from, (size_t)(r->at - from)};
}

static int decode_core_type(struct decoder *d, struct we_reader *r, struct cm_syntax_coretype *ret);

static int decode_core_moduledecl(
	struct decoder *d, struct we_reader *r, struct cm_syntax_moduledecl *ret)
{
	uint8_t byte = 0;
	const uint8_t *from;
	int rc;

	ret->offset = we_reader_offset(r);
	rc = we_reader_u8(r, &byte);
	if (rc < 0)
		return rc;
	switch (byte) {
	case 0x00:
		ret->kind = CM_MODULEDECL_IMPORT;
		rc = decode_name(d, r, &ret->module);
		break;
	case 0x01: {
		struct cm_syntax_coretype type = {0};

		ret->kind = CM_MODULEDECL_TYPE;
		rc = decode_core_type(d, r, &type);
		ret->is_module = type.is_module;
		ret->type = type.rectype;
		return rc;
	}
	case 0x02:
		ret->kind = CM_MODULEDECL_ALIAS;
		rc = we_reader_u8(r, &byte);
		if (rc == 0 && byte != 0x10)
			rc = decode_bad_byte(r, byte, "outer alias kind");
		if (rc == 0)
			rc = we_reader_u8(r, &byte);
		if (rc == 0 && byte != 0x01)
			rc = decode_bad_byte(r, byte, "outer alias target");
		if (rc == 0)
			rc = we_reader_u32(r, &ret->n_out);
		return rc < 0 ? rc : we_reader_u32(r, &ret->idx);
	case 0x03:
		ret->kind = CM_MODULEDECL_EXPORT;
		break;
	default:
		return decode_bad_byte(r, byte, "type definition");
	}
	if (rc == 0)
		rc = decode_name(d, r, &ret->name);
	if (rc < 0)
		return rc;
	from = r->at;
	rc = skip_core_externtype(r);
	ret->type = bytes_between(from, r);
	return rc;
}

// core:deftype
static int decode_core_type(struct decoder *d, struct we_reader *r, struct cm_syntax_coretype *ret)
{
	struct cm_syntax_moduledecl *decls = NULL;
	const uint8_t *from = r->at;
	uint8_t prefix;
	uint32_t n = 0;
	int rc;

	if (we_reader_at_end(r) || *r->at != 0x50) {
		// 0x00 0x50 stands for a non-final sub, since 0x50 alone opens a module type.
		if (we_reader_left(r) >= 2 && r->at[0] == 0x00 && r->at[1] == 0x50) {
			rc = we_reader_u8(r, &prefix);
			if (rc < 0)
				return rc;
			from = r->at;
		}
		rc = skip_core_rectype(r);
		ret->rectype = bytes_between(from, r);
		return rc;
	}
	if (d->nesting == CM_MAX_NESTING)
		return we_error_set(d->err, WE_E_INVALID, we_reader_offset(r),
			"types are nested more than %d deep", CM_MAX_NESTING);
	rc = we_reader_u8(r, &prefix);
	if (rc == 0)
		rc = decode_array(d, r, 2, sizeof(*decls), "module declarations", &decls, &n);
	if (rc < 0)
		return rc;
	d->nesting++;
	for (uint32_t i = 0; rc == 0 && i < n; i++)
		rc = decode_core_moduledecl(d, r, &decls[i]);
	d->nesting--;
	ret->is_module = true;
	ret->decls = decls;
	ret->n_decls = n;
	return rc;
}

// ---- instances and aliases ----------------------------------------------------------------------

// core:instantiatearg, core:inlineexport: a name and a core sortidx.
static int decode_core_args(struct decoder *d, struct we_reader *r, bool is_inline,
	const struct cm_arg **ret_args, uint32_t *ret_n)
{
	struct cm_arg *args = NULL;
	uint8_t byte = 0;
	uint32_t n = 0;
	int rc;

	rc = decode_array(d, r, 3, sizeof(*args), "arguments", &args, &n);
	if (rc < 0)
		return rc;
	for (uint32_t i = 0; rc == 0 && i < n; i++) {
		rc = decode_name(d, r, &args[i].name);
		if (rc == 0 && is_inline) {
			rc = decode_core_sort(r, "core export kind", &args[i].sort);
		} else if (rc == 0) {
			rc = we_reader_u8(r, &byte);
			if (rc == 0 && byte != 0x12)
				rc = decode_bad_byte(r, byte, "instantiation arg kind");
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
		rc = decode_bad_byte(r, byte, "core instance");
	if (rc == 0 && byte == 0)
		rc = we_reader_u32(r, &ret->of.instance.idx);
	if (rc < 0)
		return rc;
	ret->of.instance.is_inline = byte == 1;
	return decode_core_args(d, r, byte == 1, &ret->of.instance.args, &ret->of.instance.n_args);
}

static int decode_nameattributes(
	struct decoder *d, struct we_reader *r, struct cm_syntax_name *ret);

// instantiatearg: only the name is like an export's.
static int decode_arg(struct decoder *d, struct we_reader *r, struct cm_arg *arg)
{
	int rc;

	rc = decode_name(d, r, &arg->name);
	if (rc == 0)
		rc = decode_sort(r, "component external kind", &arg->sort);
	return rc < 0 ? rc : we_reader_u32(r, &arg->idx);
}

// inlineexport
static int decode_inline_export(
	struct decoder *d, struct we_reader *r, struct cm_arg *arg, struct cm_syntax_name *name)
{
	int rc;

	rc = decode_nameattributes(d, r, name);
	arg->name = name->name;
	if (rc == 0)
		rc = decode_sort(r, "component external kind", &arg->sort);
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
		rc = decode_bad_byte(r, byte, "instance");
	if (rc == 0 && byte == 0)
		rc = we_reader_u32(r, &ret->of.instance.idx);
	if (rc == 0)
		rc = decode_array(d, r, 3, sizeof(*args), "arguments", &args, &n);
	if (rc < 0)
		return rc;
	if (byte == 1) {
		names = we_arena_array(d->arena, n, sizeof(*names));
		if (names == NULL)
			return decode_nomem(d, r);
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

static int decode_alias(struct decoder *d, struct we_reader *r, struct cm_syntax_item *ret)
{
	static const char *const what = "component outer alias kind";
	const uint8_t *from = r->at;
	enum cm_sort sort = CM_SORT_N;
	uint8_t byte = 0;
	int rc;

	rc = decode_sort(r, what, &sort);
	if (rc == 0)
		rc = we_reader_u8(r, &byte);
	if (rc < 0)
		return rc;
	ret->of.alias.sort = sort;
	switch (byte) {
	case 0x00:
		ret->kind = CM_ITEM_ALIAS_EXPORT;
		break;
	case 0x01:
		ret->kind = CM_ITEM_ALIAS_CORE_EXPORT;
		if (sort > CM_SORT_CORE_INSTANCE)
			return we_error_set(r->err, WE_E_MALFORMED, ret->offset,
				"invalid leading byte (0x%x) for alias of a core export", *from);
		break;
	case 0x02:
		ret->kind = CM_ITEM_ALIAS_OUTER;
		if (sort != CM_SORT_CORE_MODULE && sort != CM_SORT_CORE_TYPE &&
			sort != CM_SORT_TYPE && sort != CM_SORT_COMPONENT)
			return we_error_set(r->err, WE_E_MALFORMED, ret->offset,
				"invalid leading byte (0x%x) for %s", *from, what);
		rc = we_reader_u32(r, &ret->of.alias.n_out);
		return rc < 0 ? rc : we_reader_u32(r, &ret->of.alias.idx);
	default:
		return decode_bad_byte(r, byte, "alias");
	}
	rc = we_reader_u32(r, &ret->of.alias.idx);
	return rc < 0 ? rc : decode_name(d, r, &ret->of.alias.name);
}

// ---- types --------------------------------------------------------------------------------------

// Returns the primitive of a type code, or CM_TYPE_N_PRIMITIVE.
static enum cm_typekind primitive_of(uint8_t code)
{
	static const enum cm_typekind kinds[] = {// from 0x7f downwards
		CM_TYPE_BOOL, CM_TYPE_S8, CM_TYPE_U8, CM_TYPE_S16, CM_TYPE_U16, CM_TYPE_S32,
		CM_TYPE_U32, CM_TYPE_S64, CM_TYPE_U64, CM_TYPE_F32, CM_TYPE_F64, CM_TYPE_CHAR,
		CM_TYPE_STRING};

	if (code == 0x64)
		return CM_TYPE_ERROR_CONTEXT;
	if (code > 0x7f || code < 0x73)
		return CM_TYPE_N_PRIMITIVE;
	return kinds[0x7f - code];
}

static int decode_valtype(struct we_reader *r, struct cm_syntax_valtype *ret)
{
	const uint64_t offset = we_reader_offset(r);
	const uint8_t code = we_reader_at_end(r) ? 0 : *r->at;
	int64_t value = 0;
	int rc;

	rc = we_reader_s33(r, &value);
	if (rc < 0)
		return rc;
	ret->is_present = true;
	ret->is_idx = value >= 0;
	if (value >= 0) {
		ret->of = (uint32_t)value;
		return 0;
	}
	// A negative number is one byte: longer forms of it are not type codes.
	ret->of = (code & 0x80) == 0 ? primitive_of(code) : CM_TYPE_N_PRIMITIVE;
	if (ret->of == CM_TYPE_N_PRIMITIVE)
		return we_error_set(r->err, WE_E_MALFORMED, offset,
			"invalid leading byte (0x%x) for component value type", code);
	return 0;
}

static int decode_opt_valtype(struct we_reader *r, struct cm_syntax_valtype *ret)
{
	bool is_present = false;
	int rc;

	rc = decode_bool(r, "optional component value type", &is_present);
	if (rc < 0 || !is_present)
		return rc;
	return decode_valtype(r, ret);
}

static int decode_resultlist(struct we_reader *r, struct cm_syntax_valtype *ret)
{
	uint8_t byte = 0;
	int rc;

	rc = we_reader_u8(r, &byte);
	if (rc < 0)
		return rc;
	if (byte == 0x00)
		return decode_valtype(r, ret);
	if (byte == 0x01)
		return decode_zero(r, "number of results");
	return decode_bad_byte(r, byte, "component function results");
}

enum field_form {
	FIELD_LABELLED, // labelvaltype
	FIELD_CASE,
	FIELD_LABEL, // labellit
	FIELD_TYPE,  // valtype
};

static int decode_fields(
	struct decoder *d, struct we_reader *r, enum field_form form, struct cm_syntax_type *ret)
{
	struct cm_syntax_field *fields = NULL;
	uint32_t n = 0;
	int rc;

	rc = decode_array(d, r, 1, sizeof(*fields), "fields", &fields, &n);
	if (rc < 0)
		return rc;
	for (uint32_t i = 0; rc == 0 && i < n; i++) {
		fields[i].offset = we_reader_offset(r);
		if (form != FIELD_TYPE)
			rc = decode_name(d, r, &fields[i].name);
		if (rc < 0)
			break;
		if (form == FIELD_LABELLED || form == FIELD_TYPE)
			rc = decode_valtype(r, &fields[i].type);
		else if (form == FIELD_CASE)
			rc = decode_opt_valtype(r, &fields[i].type);
		if (rc == 0 && form == FIELD_CASE)
			rc = decode_zero(r, "zero byte required");
	}
	ret->fields = fields;
	ret->n_fields = n;
	return rc;
}

static int decode_body(
	struct decoder *d, struct we_reader *r, enum cm_typekind kind, struct cm_syntax_items *ret);

static int decode_resource(struct we_reader *r, struct cm_syntax_type *ret)
{
	uint8_t rep = 0;
	int rc;

	rc = we_reader_u8(r, &rep);
	if (rc == 0 && rep != 0x7f && rep != 0x7e)
		rc = decode_bad_byte(r, rep, "resource representation");
	if (rc == 0)
		rc = decode_bool(r, "resource destructor", &ret->has_dtor);
	ret->is_rep_i32 = rep == 0x7f;
	return rc < 0 || !ret->has_dtor ? rc : we_reader_u32(r, &ret->dtor_idx);
}

static int decode_func(struct decoder *d, struct we_reader *r, struct cm_syntax_type *ret)
{
	const int rc = decode_fields(d, r, FIELD_LABELLED, ret);

	return rc < 0 ? rc : decode_resultlist(r, &ret->elem);
}

// deftype
static int decode_type(struct decoder *d, struct we_reader *r, struct cm_syntax_type *ret)
{
	uint8_t code = 0;
	int rc;

	rc = we_reader_u8(r, &code);
	if (rc < 0)
		return rc;
	ret->kind = primitive_of(code);
	if (ret->kind != CM_TYPE_N_PRIMITIVE)
		return 0;
	switch (code) {
	case 0x72:
		ret->kind = CM_TYPE_RECORD;
		return decode_fields(d, r, FIELD_LABELLED, ret);
	case 0x71:
		ret->kind = CM_TYPE_VARIANT;
		return decode_fields(d, r, FIELD_CASE, ret);
	case 0x70:
		ret->kind = CM_TYPE_LIST;
		return decode_valtype(r, &ret->elem);
	case 0x6f:
		ret->kind = CM_TYPE_TUPLE;
		return decode_fields(d, r, FIELD_TYPE, ret);
	case 0x6e:
		ret->kind = CM_TYPE_FLAGS;
		return decode_fields(d, r, FIELD_LABEL, ret);
	case 0x6d:
		ret->kind = CM_TYPE_ENUM;
		return decode_fields(d, r, FIELD_LABEL, ret);
	case 0x6b:
		ret->kind = CM_TYPE_OPTION;
		return decode_valtype(r, &ret->elem);
	case 0x6a:
		ret->kind = CM_TYPE_RESULT;
		rc = decode_opt_valtype(r, &ret->elem);
		return rc < 0 ? rc : decode_opt_valtype(r, &ret->second);
	case 0x69:
	case 0x68:
		ret->kind = code == 0x69 ? CM_TYPE_OWN : CM_TYPE_BORROW;
		ret->elem.is_present = true;
		ret->elem.is_idx = true;
		return we_reader_u32(r, &ret->elem.of);
	case 0x67:
		ret->kind = CM_TYPE_FIXED_LIST;
		rc = decode_valtype(r, &ret->elem);
		return rc < 0 ? rc : we_reader_u32(r, &ret->length);
	case 0x66:
	case 0x65:
		ret->kind = code == 0x66 ? CM_TYPE_STREAM : CM_TYPE_FUTURE;
		return decode_opt_valtype(r, &ret->elem);
	case 0x63:
		ret->kind = CM_TYPE_MAP;
		rc = decode_valtype(r, &ret->elem);
		return rc < 0 ? rc : decode_valtype(r, &ret->second);
	case 0x43:
	case 0x40:
		ret->kind = CM_TYPE_FUNC;
		ret->is_async = code == 0x43;
		return decode_func(d, r, ret);
	case 0x42:
	case 0x41:
		ret->kind = code == 0x42 ? CM_TYPE_INSTANCE : CM_TYPE_COMPONENT;
		return decode_body(d, r, ret->kind, &ret->body);
	case 0x3f:
		ret->kind = CM_TYPE_RESOURCE;
		return decode_resource(r, ret);
	default:
		return decode_bad_byte(r, code, "component defined type");
	}
}

// ---- imports and exports ------------------------------------------------------------------------

static int decode_attribute(struct decoder *d, struct we_reader *r, struct cm_syntax_name *ret)
{
	struct cm_name external_id = {0};
	uint8_t byte = 0;
	bool *has;
	int rc;

	rc = we_reader_u8(r, &byte);
	if (rc < 0)
		return rc;
	switch (byte) {
	case 0x00:
		has = &ret->has_implements;
		rc = decode_name(d, r, &ret->implements);
		break;
	case 0x01:
		has = &ret->has_version_suffix;
		rc = decode_name(d, r, &ret->version_suffix);
		break;
	case 0x02:
		has = &ret->has_external_id;
		rc = decode_name(d, r, &external_id);
		break;
	default:
		return decode_bad_byte(r, byte, "name option");
	}
	if (*has)
		ret->has_duplicate = true;
	*has = true;
	return rc;
}

static int decode_nameattributes(struct decoder *d, struct we_reader *r, struct cm_syntax_name *ret)
{
	uint8_t byte = 0;
	uint32_t n = 0;
	int rc;

	rc = we_reader_u8(r, &byte);
	if (rc == 0 && byte > 2)
		rc = decode_bad_byte(r, byte, "component name");
	if (rc == 0)
		rc = decode_name(d, r, &ret->name);
	if (rc < 0 || byte != 2)
		return rc;
	rc = decode_count(r, 2, CM_MAX_ITEMS, "name options", &n);
	for (uint32_t i = 0; rc == 0 && i < n; i++)
		rc = decode_attribute(d, r, ret);
	return rc;
}

// externtype
static int decode_extern(struct we_reader *r, struct cm_syntax_extern *ret)
{
	struct cm_syntax_valtype value = {0};
	uint8_t byte = 0;
	int rc;

	rc = decode_sort(r, "component external kind", &ret->sort);
	if (rc < 0)
		return rc;
	switch (ret->sort) {
	case CM_SORT_CORE_MODULE:
	case CM_SORT_FUNC:
	case CM_SORT_COMPONENT:
	case CM_SORT_INSTANCE:
		return we_reader_u32(r, &ret->idx);
	case CM_SORT_TYPE:
		rc = we_reader_u8(r, &byte);
		if (rc < 0)
			return rc;
		if (byte > 1)
			return decode_bad_byte(r, byte, "type bound");
		ret->is_abstract = byte == 1;
		return byte == 1 ? 0 : we_reader_u32(r, &ret->idx);
	case CM_SORT_VALUE:
		rc = we_reader_u8(r, &byte);
		if (rc < 0)
			return rc;
		if (byte > 1)
			return decode_bad_byte(r, byte, "value bound");
		return byte == 0 ? we_reader_u32(r, &ret->idx) : decode_valtype(r, &value);
	default: // the core sorts that are no core module
		return we_error_set(r->err, WE_E_MALFORMED, we_reader_offset(r) - 1,
			"invalid leading byte (0x%x) for component external kind", r->at[-1]);
	}
}

static int decode_import(struct decoder *d, struct we_reader *r, struct cm_syntax_item *ret)
{
	const int rc = decode_nameattributes(d, r, &ret->of.extrn.name);

	ret->kind = CM_ITEM_IMPORT;
	return rc < 0 ? rc : decode_extern(r, &ret->of.extrn.type);
}

static int decode_export(struct decoder *d, struct we_reader *r, struct cm_syntax_item *ret)
{
	int rc;

	ret->kind = CM_ITEM_EXPORT;
	rc = decode_nameattributes(d, r, &ret->of.extrn.name);
	if (rc == 0)
		rc = decode_sort(r, "component external kind", &ret->of.extrn.sort);
	if (rc == 0)
		rc = we_reader_u32(r, &ret->of.extrn.idx);
	if (rc == 0)
		rc = decode_bool(r, "optional component export type", &ret->of.extrn.has_type);
	if (rc < 0 || !ret->of.extrn.has_type)
		return rc;
	return decode_extern(r, &ret->of.extrn.type);
}

// componentdecl, instancedecl
static int decode_decl(
	struct decoder *d, struct we_reader *r, enum cm_typekind kind, struct cm_syntax_item *ret)
{
	uint8_t byte = 0;
	int rc;

	rc = we_reader_u8(r, &byte);
	if (rc < 0)
		return rc;
	switch (byte) {
	case 0x00:
		ret->kind = CM_ITEM_CORE_TYPE;
		return decode_core_type(d, r, &ret->of.core_type);
	case 0x01:
		ret->kind = CM_ITEM_TYPE;
		return decode_type(d, r, &ret->of.type);
	case 0x02:
		return decode_alias(d, r, ret);
	case 0x03:
		if (kind != CM_TYPE_COMPONENT)
			break;
		return decode_import(d, r, ret);
	case 0x04:
		ret->kind = CM_ITEM_EXPORT_DECL;
		rc = decode_nameattributes(d, r, &ret->of.extrn.name);
		return rc < 0 ? rc : decode_extern(r, &ret->of.extrn.type);
	default:
		break;
	}
	return decode_bad_byte(r, byte, "component or instance type declaration");
}

static int decode_body(
	struct decoder *d, struct we_reader *r, enum cm_typekind kind, struct cm_syntax_items *ret)
{
	struct cm_syntax_item *items = NULL;
	uint32_t n = 0;
	int rc;

	if (d->nesting == CM_MAX_NESTING)
		return we_error_set(d->err, WE_E_INVALID, we_reader_offset(r),
			"types are nested more than %d deep", CM_MAX_NESTING);
	rc = decode_array(d, r, 2, sizeof(*items), "declarations", &items, &n);
	if (rc < 0)
		return rc;
	d->nesting++;
	for (uint32_t i = 0; rc == 0 && i < n; i++) {
		items[i].offset = we_reader_offset(r);
		rc = decode_decl(d, r, kind, &items[i]);
	}
	d->nesting--;
	ret->items = items;
	ret->n = n;
	return rc;
}

// ---- canonical definitions ----------------------------------------------------------------------

static void count(uint8_t *n)
{
	if (*n < UINT8_MAX)
		(*n)++;
}

static int decode_canonopts(struct we_reader *r, struct cm_syntax_item *ret)
{
	struct cm_canon_opts *opts = &ret->of.canon.opts;
	uint8_t byte = 0;
	uint32_t n = 0;
	int rc;

	rc = decode_count(r, 1, CM_MAX_ITEMS, "canonical options", &n);
	for (uint32_t i = 0; rc == 0 && i < n; i++) {
		rc = we_reader_u8(r, &byte);
		if (rc < 0)
			return rc;
		switch (byte) {
		case 0x00:
		case 0x01:
		case 0x02:
			count(&ret->of.canon.n_encoding);
			opts->encoding = (enum cm_encoding)byte;
			break;
		case 0x03:
			count(&ret->of.canon.n_memory);
			rc = we_reader_u32(r, &opts->memory_idx);
			break;
		case 0x04:
			count(&ret->of.canon.n_realloc);
			rc = we_reader_u32(r, &opts->realloc_idx);
			break;
		case 0x05:
			count(&ret->of.canon.n_post_return);
			rc = we_reader_u32(r, &opts->post_return_idx);
			break;
		case 0x06:
			count(&ret->of.canon.n_async);
			opts->is_async = true;
			break;
		case 0x07:
			count(&ret->of.canon.n_callback);
			rc = we_reader_u32(r, &opts->callback_idx);
			break;
		default:
			return decode_bad_byte(r, byte, "canonical option");
		}
	}
	return rc;
}

static int decode_flag(struct we_reader *r, bool *ret_is)
{
	uint8_t byte = 0;
	int rc;

	rc = we_reader_u8(r, &byte);
	if (rc < 0)
		return rc;
	if (byte > 1)
		return we_error_set(r->err, WE_E_MALFORMED, we_reader_offset(r) - 1,
			"invalid boolean value (0x%x)", byte);
	*ret_is = byte == 1;
	return 0;
}

static int decode_slot(struct we_reader *r, struct cm_syntax_item *ret)
{
	uint8_t type = 0;
	int rc;

	rc = we_reader_u8(r, &type);
	if (rc == 0 && type != 0x7f && type != 0x7e)
		rc = decode_bad_byte(r, type, "core value type of a context slot");
	ret->of.canon.is_slot_i32 = type == 0x7f;
	return rc < 0 ? rc : we_reader_u32(r, &ret->of.canon.slot);
}

// The immediates of canon.def, one function each, so that a new word there does not compile without one.
#define IMMEDIATES(NAME)                                                                           \
	static int immediates_##NAME(struct we_reader *r, struct cm_syntax_item *ret)

IMMEDIATES(NONE)
{
	(void)r;
	(void)ret;
	return 0;
}

IMMEDIATES(OPTS)
{
	return decode_canonopts(r, ret);
}

IMMEDIATES(RESULT_OPTS)
{
	const int rc = decode_resultlist(r, &ret->of.canon.result);

	return rc < 0 ? rc : decode_canonopts(r, ret);
}

IMMEDIATES(SLOT)
{
	return decode_slot(r, ret);
}

IMMEDIATES(ASYNC)
{
	return decode_flag(r, &ret->of.canon.is_async);
}

IMMEDIATES(CANCEL)
{
	return decode_flag(r, &ret->of.canon.is_cancellable);
}

IMMEDIATES(CANCEL_MEMORY)
{
	const int rc = decode_flag(r, &ret->of.canon.is_cancellable);

	count(&ret->of.canon.n_memory);
	return rc < 0 ? rc : we_reader_u32(r, &ret->of.canon.opts.memory_idx);
}

IMMEDIATES(STREAM)
{
	return we_reader_u32(r, &ret->of.canon.idx);
}

IMMEDIATES(STREAM_OPTS)
{
	const int rc = we_reader_u32(r, &ret->of.canon.idx);

	return rc < 0 ? rc : decode_canonopts(r, ret);
}

IMMEDIATES(STREAM_ASYNC)
{
	const int rc = we_reader_u32(r, &ret->of.canon.idx);

	return rc < 0 ? rc : decode_flag(r, &ret->of.canon.is_async);
}

IMMEDIATES(START)
{
	const int rc = we_reader_u32(r, &ret->of.canon.core_type_idx);

	return rc < 0 ? rc : we_reader_u32(r, &ret->of.canon.core_table_idx);
}

IMMEDIATES(SHARED)
{
	return decode_flag(r, &ret->of.canon.is_shared);
}

IMMEDIATES(SHARED_TYPE)
{
	const int rc = decode_flag(r, &ret->of.canon.is_shared);

	return rc < 0 ? rc : we_reader_u32(r, &ret->of.canon.core_type_idx);
}

IMMEDIATES(SHARED_START)
{
	const int rc = decode_flag(r, &ret->of.canon.is_shared);

	return rc < 0 ? rc : immediates_START(r, ret);
}

#undef IMMEDIATES
#define immediates_RESOURCE     immediates_STREAM
#define immediates_FUTURE       immediates_STREAM
#define immediates_FUTURE_OPTS  immediates_STREAM_OPTS
#define immediates_FUTURE_ASYNC immediates_STREAM_ASYNC

typedef int (*immediates_fn)(struct we_reader *r, struct cm_syntax_item *ret);

static const struct {
	uint8_t code;
	immediates_fn immediates;
} builtins[CM_CANON_N] = {
#define CM_CANON(code, NAME, text, gate, immediates, params, results, handler)                     \
	{code, immediates_##immediates},
#include "../canon/canon.def"
#undef CM_CANON
};

static int decode_canon(struct decoder *d, struct we_reader *r, struct cm_syntax_item *ret)
{
	uint8_t byte = 0;
	int rc;

	(void)d;
	ret->of.canon.opts = (struct cm_canon_opts){
		.memory_idx = CM_NO_IDX,
		.realloc_idx = CM_NO_IDX,
		.post_return_idx = CM_NO_IDX,
		.callback_idx = CM_NO_IDX,
	};
	rc = we_reader_u8(r, &byte);
	if (rc < 0)
		return rc;
	if (byte <= 0x01) {
		ret->kind = byte == 0x00 ? CM_ITEM_LIFT : CM_ITEM_LOWER;
		rc = decode_zero(
			r, byte == 0x00 ? "canonical function lift" : "canonical function lower");
		if (rc == 0)
			rc = we_reader_u32(r, &ret->of.canon.idx);
		if (rc == 0)
			rc = decode_canonopts(r, ret);
		return rc < 0 || byte == 0x01 ? rc : we_reader_u32(r, &ret->of.canon.type_idx);
	}
	ret->kind = CM_ITEM_CANON;
	for (uint32_t op = 0; op < CM_CANON_N; op++) {
		if (builtins[op].code != byte)
			continue;
		ret->of.canon.op = (enum cm_canon)op;
		return builtins[op].immediates(r, ret);
	}
	return decode_bad_byte(r, byte, "canonical function");
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
		rc = decode_count(r, 1, CM_MAX_ITEMS, "start arguments", &n);
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
	rc = decode_valtype(r, &type);
	if (rc == 0)
		rc = we_reader_u32(r, &len);
	return rc < 0 ? rc : we_reader_bytes(r, len, &literal);
}

static int decode_core_type_item(struct decoder *d, struct we_reader *r, struct cm_syntax_item *ret)
{
	ret->kind = CM_ITEM_CORE_TYPE;
	return decode_core_type(d, r, &ret->of.core_type);
}

static int decode_type_item(struct decoder *d, struct we_reader *r, struct cm_syntax_item *ret)
{
	ret->kind = CM_ITEM_TYPE;
	return decode_type(d, r, &ret->of.type);
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
	[6] = {"alias", decode_alias},
	[7] = {"type", decode_type_item},
	[8] = {"canon", decode_canon},
	[10] = {"import", decode_import},
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
			"magic header not detected: found %02x %02x %02x %02x", found.data[0],
			found.data[1], found.data[2], found.data[3]);
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
		return decode_nomem(d, r);
	(*ret_item)->offset = we_reader_offset(r);
	return 0;
}

static int decode_vec_section(
	struct decoder *d, struct we_reader *r, uint8_t id, struct we_vec *items)
{
	struct cm_syntax_item *item;
	uint32_t n = 0;
	int rc;

	rc = decode_count(r, 1, CM_MAX_ITEMS, "definitions", &n);
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
		rc = decode_name(d, r, &name);
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
		rc = decode_nomem(d, r);
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
