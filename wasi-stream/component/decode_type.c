// SPDX-License-Identifier: BSD-3-Clause
// decode_type: aliases, types, and the names and types of imports and exports.
//
// Module path 5/6.
// Spec: Binary.md "Alias Definitions", "Type Definitions", "Import and Export Definitions".
#include "decoder.h"
#include "limits.h"

int cm_decode_alias(struct decoder *d, struct we_reader *r, struct cm_syntax_item *ret)
{
	static const char *const what = "component outer alias kind";
	const uint8_t *from = r->at;
	enum cm_sort sort = CM_SORT_N;
	uint8_t byte = 0;
	int rc;

	rc = cm_decode_sort(r, what, &sort);
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
		return cm_decode_bad_byte(r, byte, "alias");
	}
	rc = we_reader_u32(r, &ret->of.alias.idx);
	return rc < 0 ? rc : cm_decode_name(d, r, &ret->of.alias.name);
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

int cm_decode_valtype(struct we_reader *r, struct cm_syntax_valtype *ret)
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

	rc = cm_decode_bool(r, "optional component value type", &is_present);
	if (rc < 0 || !is_present)
		return rc;
	return cm_decode_valtype(r, ret);
}

int cm_decode_resultlist(struct we_reader *r, struct cm_syntax_valtype *ret)
{
	uint8_t byte = 0;
	int rc;

	rc = we_reader_u8(r, &byte);
	if (rc < 0)
		return rc;
	if (byte == 0x00)
		return cm_decode_valtype(r, ret);
	if (byte == 0x01)
		return cm_decode_zero(r, "number of results");
	return cm_decode_bad_byte(r, byte, "component function results");
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

	rc = cm_decode_array(d, r, 1, sizeof(*fields), "fields", &fields, &n);
	if (rc < 0)
		return rc;
	for (uint32_t i = 0; rc == 0 && i < n; i++) {
		fields[i].offset = we_reader_offset(r);
		if (form != FIELD_TYPE)
			rc = cm_decode_name(d, r, &fields[i].name);
		if (rc < 0)
			break;
		if (form == FIELD_LABELLED || form == FIELD_TYPE)
			rc = cm_decode_valtype(r, &fields[i].type);
		else if (form == FIELD_CASE)
			rc = decode_opt_valtype(r, &fields[i].type);
		if (rc == 0 && form == FIELD_CASE)
			rc = cm_decode_zero(r, "zero byte required");
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
		rc = cm_decode_bad_byte(r, rep, "resource representation");
	if (rc == 0)
		rc = cm_decode_bool(r, "resource destructor", &ret->has_dtor);
	ret->is_rep_i32 = rep == 0x7f;
	return rc < 0 || !ret->has_dtor ? rc : we_reader_u32(r, &ret->dtor_idx);
}

static int decode_func(struct decoder *d, struct we_reader *r, struct cm_syntax_type *ret)
{
	const int rc = decode_fields(d, r, FIELD_LABELLED, ret);

	return rc < 0 ? rc : cm_decode_resultlist(r, &ret->elem);
}

// deftype
int cm_decode_type(struct decoder *d, struct we_reader *r, struct cm_syntax_type *ret)
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
		return cm_decode_valtype(r, &ret->elem);
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
		return cm_decode_valtype(r, &ret->elem);
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
		rc = cm_decode_valtype(r, &ret->elem);
		return rc < 0 ? rc : we_reader_u32(r, &ret->length);
	case 0x66:
	case 0x65:
		ret->kind = code == 0x66 ? CM_TYPE_STREAM : CM_TYPE_FUTURE;
		return decode_opt_valtype(r, &ret->elem);
	case 0x63:
		ret->kind = CM_TYPE_MAP;
		rc = cm_decode_valtype(r, &ret->elem);
		return rc < 0 ? rc : cm_decode_valtype(r, &ret->second);
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
		return cm_decode_bad_byte(r, code, "component defined type");
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
		rc = cm_decode_name(d, r, &ret->implements);
		break;
	case 0x01:
		has = &ret->has_version_suffix;
		rc = cm_decode_name(d, r, &ret->version_suffix);
		break;
	case 0x02:
		has = &ret->has_external_id;
		rc = cm_decode_name(d, r, &external_id);
		break;
	default:
		return cm_decode_bad_byte(r, byte, "name option");
	}
	if (*has)
		ret->has_duplicate = true;
	*has = true;
	return rc;
}

int cm_decode_nameattributes(struct decoder *d, struct we_reader *r, struct cm_syntax_name *ret)
{
	uint8_t byte = 0;
	uint32_t n = 0;
	int rc;

	rc = we_reader_u8(r, &byte);
	if (rc == 0 && byte > 2)
		rc = cm_decode_bad_byte(r, byte, "component name");
	if (rc == 0)
		rc = cm_decode_name(d, r, &ret->name);
	if (rc < 0 || byte != 2)
		return rc;
	rc = cm_decode_count(r, 2, CM_MAX_ITEMS, "name options", &n);
	for (uint32_t i = 0; rc == 0 && i < n; i++)
		rc = decode_attribute(d, r, ret);
	return rc;
}

// externtype
int cm_decode_extern(struct we_reader *r, struct cm_syntax_extern *ret)
{
	struct cm_syntax_valtype value = {0};
	uint8_t byte = 0;
	int rc;

	rc = cm_decode_sort(r, "component external kind", &ret->sort);
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
			return cm_decode_bad_byte(r, byte, "type bound");
		ret->is_abstract = byte == 1;
		return byte == 1 ? 0 : we_reader_u32(r, &ret->idx);
	case CM_SORT_VALUE:
		rc = we_reader_u8(r, &byte);
		if (rc < 0)
			return rc;
		if (byte > 1)
			return cm_decode_bad_byte(r, byte, "value bound");
		return byte == 0 ? we_reader_u32(r, &ret->idx) : cm_decode_valtype(r, &value);
	default: // the core sorts that are no core module
		return we_error_set(r->err, WE_E_MALFORMED, we_reader_offset(r) - 1,
			"invalid leading byte (0x%x) for component external kind", r->at[-1]);
	}
}

int cm_decode_import(struct decoder *d, struct we_reader *r, struct cm_syntax_item *ret)
{
	const int rc = cm_decode_nameattributes(d, r, &ret->of.extrn.name);

	ret->kind = CM_ITEM_IMPORT;
	return rc < 0 ? rc : cm_decode_extern(r, &ret->of.extrn.type);
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
		return cm_decode_core_type(d, r, &ret->of.core_type);
	case 0x01:
		ret->kind = CM_ITEM_TYPE;
		return cm_decode_type(d, r, &ret->of.type);
	case 0x02:
		return cm_decode_alias(d, r, ret);
	case 0x03:
		if (kind != CM_TYPE_COMPONENT)
			break;
		return cm_decode_import(d, r, ret);
	case 0x04:
		ret->kind = CM_ITEM_EXPORT_DECL;
		rc = cm_decode_nameattributes(d, r, &ret->of.extrn.name);
		return rc < 0 ? rc : cm_decode_extern(r, &ret->of.extrn.type);
	default:
		break;
	}
	return cm_decode_bad_byte(r, byte, "component or instance type declaration");
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
	rc = cm_decode_array(d, r, 2, sizeof(*items), "declarations", &items, &n);
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
