// SPDX-License-Identifier: BSD-3-Clause
// validate_type: type definitions: from syntax to nodes of the type graph.
//
// Module path 5/6.
// Spec: Binary.md "Type Definitions" and its notes.
#include "validate.h"

#include "arena.h"
#include "limits.h"

#include <string.h>

int cm_validate_valtype(struct cm_validator *v, const struct cm_scope *scope,
	const struct cm_syntax_valtype *syntax, uint64_t offset, const struct cm_type **ret_type)
{
	const struct cm_item *item = NULL;
	int rc;

	*ret_type = NULL;
	if (!syntax->is_present)
		return 0;
	if (!syntax->is_idx) {
		if (syntax->of == CM_TYPE_ERROR_CONTEXT)
			cm_use(v, CM_FEATURE_ERROR_CONTEXT, offset);
		*ret_type = cm_type_primitive((enum cm_typekind)syntax->of);
		return 0;
	}
	rc = cm_scope_item(v, scope, CM_SORT_TYPE, syntax->of, offset, &item);
	if (rc < 0)
		return rc;
	if (!cm_type_is_value(item->type))
		return cm_invalid(v, offset, "type index %u is not a defined type", syntax->of);
	*ret_type = item->type;
	return 0;
}

// ---- fields -------------------------------------------------------------------------------------

static const struct {
	const char *whole; // "record field name"
	const char *part;  // "field name"
	const char *none;
} field_words[CM_TYPE_FUNC + 1] = {
	[CM_TYPE_RECORD] = {"record field name", "field name",
		"record type must have at least one field"},
	[CM_TYPE_TUPLE] = {"tuple element", "element", "tuple type must have at least one type"},
	[CM_TYPE_VARIANT] = {"variant case name", "case name",
		"variant type must have at least one case"},
	[CM_TYPE_ENUM] = {"enum tag name", "tag name", "enum type must have at least one variant"},
	[CM_TYPE_FLAGS] = {"flag name", "flag name", "flags must have at least one entry"},
	[CM_TYPE_FUNC] = {"function parameter name", "parameter name", NULL},
};

static int check_label(struct cm_validator *v, enum cm_typekind kind,
	const struct cm_syntax_field *field, struct cm_name_set *labels)
{
	const char *whole = field_words[kind].whole;
	struct cm_name earlier;
	int rc;

	if (field->name.len == 0)
		return cm_invalid(v, field->offset, "%s cannot be empty", whole);
	if (!cm_name_is_label(field->name))
		return cm_invalid(
			v, field->offset, "%s `%s` is not in kebab case", whole, field->name.text);
	rc = cm_name_set_add(labels, field->name, &earlier);
	if (rc == CM_NAME_TAKEN)
		return cm_invalid(v, field->offset, "%s `%s` conflicts with previous %s `%s`",
			whole, field->name.text, field_words[kind].part, earlier.text);
	return rc < 0 ? cm_nomem(v, field->offset) : 0;
}

static int validate_fields(struct cm_validator *v, const struct cm_scope *scope,
	const struct cm_syntax_type *syntax, uint64_t offset, struct cm_field **ret_fields)
{
	struct cm_field *fields = we_arena_array(v->arena, syntax->n_fields, sizeof(*fields));
	struct cm_name_set labels = {0};
	int rc = 0;

	if (fields == NULL)
		return cm_nomem(v, offset);
	if (syntax->n_fields == 0 && field_words[syntax->kind].none != NULL)
		return cm_invalid(v, offset, "%s", field_words[syntax->kind].none);
	if (syntax->kind == CM_TYPE_FLAGS && syntax->n_fields > CM_MAX_FLAGS)
		return cm_invalid(v, offset, "cannot have more than %d flags, found %u",
			CM_MAX_FLAGS, syntax->n_fields);
	for (uint32_t i = 0; rc == 0 && i < syntax->n_fields; i++) {
		const struct cm_syntax_field *field = &syntax->fields[i];

		fields[i].name = field->name;
		rc = cm_validate_valtype(v, scope, &field->type, field->offset, &fields[i].type);
		if (rc == 0 && syntax->kind != CM_TYPE_TUPLE)
			rc = check_label(v, syntax->kind, field, &labels);
	}
	cm_name_set_fini(&labels);
	*ret_fields = fields;
	return rc;
}

// ---- defvaltype, functype -----------------------------------------------------------------------

static int validate_handle(struct cm_validator *v, const struct cm_scope *scope,
	const struct cm_syntax_type *syntax, uint64_t offset, const struct cm_type **ret_type)
{
	const struct cm_item *item = NULL;
	int rc;

	rc = cm_scope_item(v, scope, CM_SORT_TYPE, syntax->elem.of, offset, &item);
	if (rc < 0)
		return rc;
	if (item->type->kind != CM_TYPE_RESOURCE)
		return cm_invalid(
			v, offset, "type index %u is not a resource type", syntax->elem.of);
	cm_use(v, CM_FEATURE_RESOURCES, offset);
	return cm_type_create_elem(v->arena, syntax->kind, item->type, 0, ret_type);
}

static int validate_copy_elem(struct cm_validator *v, const struct cm_syntax_type *syntax,
	const struct cm_type *elem, uint64_t offset)
{
	const char *what = syntax->kind == CM_TYPE_STREAM ? "stream" : "future";

	if (elem == NULL)
		return 0;
	if ((elem->traits & CM_TRAIT_BORROW) != 0)
		return cm_invalid(v, offset, "a %s cannot contain a `borrow` type", what);
	if (syntax->kind == CM_TYPE_STREAM && elem->kind == CM_TYPE_CHAR)
		return cm_invalid(v, offset, "`stream<char>` is not valid at this time");
	return 0;
}

static bool is_keytype(const struct cm_type *type)
{
	return type->kind <= CM_TYPE_U64 || type->kind == CM_TYPE_CHAR ||
	       type->kind == CM_TYPE_STRING;
}

static int create_elem(struct cm_validator *v, const struct cm_syntax_type *syntax,
	const struct cm_type *elem, const struct cm_type *second, uint64_t offset,
	const struct cm_type **ret_type)
{
	int rc = 0;

	switch (syntax->kind) {
	case CM_TYPE_OPTION:
		return cm_type_create_option(v->arena, elem, ret_type);
	case CM_TYPE_RESULT:
		return cm_type_create_result(v->arena, elem, second, ret_type);
	case CM_TYPE_MAP:
		if (!is_keytype(elem))
			return cm_invalid(v, offset, "type is not valid as the key of a map");
		return cm_type_create_map(v->arena, elem, second, ret_type);
	case CM_TYPE_FIXED_LIST:
		if (syntax->length == 0)
			return cm_invalid(
				v, offset, "fixed-length lists must have a length above 0");
		cm_use(v, CM_FEATURE_FIXED_LISTS, offset);
		break;
	default: // LIST, STREAM, FUTURE
		rc = syntax->kind == CM_TYPE_LIST ? 0 : validate_copy_elem(v, syntax, elem, offset);
		break;
	}
	return rc < 0 ? rc
		      : cm_type_create_elem(v->arena, syntax->kind, elem, syntax->length, ret_type);
}

static int validate_func(struct cm_validator *v, const struct cm_scope *scope,
	const struct cm_syntax_type *syntax, uint64_t offset, const struct cm_type **ret_type)
{
	const struct cm_type *result = NULL;
	struct cm_field *params = NULL;
	int rc;

	rc = validate_fields(v, scope, syntax, offset, &params);
	if (rc == 0)
		rc = cm_validate_valtype(v, scope, &syntax->elem, offset, &result);
	if (rc < 0)
		return rc;
	if (result != NULL && (result->traits & CM_TRAIT_BORROW) != 0)
		return cm_invalid(v, offset, "function result cannot contain a `borrow` type");
	return cm_type_create_func(
		v->arena, syntax->is_async, params, syntax->n_fields, result, ret_type);
}

// ---- resourcetype -------------------------------------------------------------------------------

static int check_dtor(struct cm_validator *v, const struct cm_scope *scope,
	const struct cm_syntax_type *syntax, uint64_t offset)
{
	static const enum we_kind param = WE_I32;
	const struct we_functype *want = NULL;
	const struct cm_item *item = NULL;
	int rc;

	if (!syntax->has_dtor)
		return 0;
	rc = cm_scope_item(v, scope, CM_SORT_CORE_FUNC, syntax->dtor_idx, offset, &item);
	if (rc == 0)
		rc = we_functype_create(v->engine, &param, 1, NULL, 0, &want, v->err);
	if (rc == 0 && item->core.func != want)
		rc = cm_invalid(v, offset, "core function %u has wrong signature for a destructor",
			syntax->dtor_idx);
	return rc;
}

static int validate_resource(struct cm_validator *v, struct cm_scope *scope,
	const struct cm_syntax_type *syntax, uint64_t offset, const struct cm_type **ret_type)
{
	const struct cm_type **bound;
	int rc;

	if (scope->component == NULL)
		return cm_invalid(
			v, offset, "resources can only be defined within a concrete component");
	rc = check_dtor(v, scope, syntax, offset);
	if (rc < 0)
		return rc;
	cm_use(v, CM_FEATURE_RESOURCES, offset);
	if (!syntax->is_rep_i32)
		cm_use(v, CM_FEATURE_MEMORY64, offset);
	rc = cm_type_create_resource(v->arena, (struct cm_name){NULL, 0}, ret_type);
	if (rc < 0)
		return rc;
	bound = we_vec_add(&scope->bound_exports, sizeof(struct cm_type *));
	if (bound == NULL)
		return WE_E_NOMEM;
	*bound = *ret_type;
	return cm_ptr_map_put(&scope->local_resources, *ret_type, *ret_type);
}

// ---- instancetype, componenttype ----------------------------------------------------------------

static int validate_body(struct cm_validator *v, struct cm_scope *scope,
	const struct cm_syntax_type *syntax, uint64_t offset, const struct cm_type **ret_type)
{
	struct cm_scope body = {.parent = scope, .kind = syntax->kind};
	int rc;

	rc = cm_validate_items(v, &body, &syntax->body);
	if (rc == 0)
		rc = cm_scope_type(v, &body, offset, ret_type);
	cm_scope_fini(&body);
	return rc;
}

// deftype
static int validate_deftype(struct cm_validator *v, struct cm_scope *scope,
	const struct cm_syntax_type *syntax, uint64_t offset, const struct cm_type **ret_type)
{
	const struct cm_type *elem = NULL;
	const struct cm_type *second = NULL;
	struct cm_field *fields = NULL;
	int rc;

	switch (syntax->kind) {
	case CM_TYPE_RECORD:
	case CM_TYPE_TUPLE:
	case CM_TYPE_VARIANT:
	case CM_TYPE_ENUM:
	case CM_TYPE_FLAGS:
		rc = validate_fields(v, scope, syntax, offset, &fields);
		if (rc < 0)
			return rc;
		return cm_type_create_fields(
			v->arena, syntax->kind, fields, syntax->n_fields, ret_type);
	case CM_TYPE_OWN:
	case CM_TYPE_BORROW:
		return validate_handle(v, scope, syntax, offset, ret_type);
	case CM_TYPE_FUNC:
		return validate_func(v, scope, syntax, offset, ret_type);
	case CM_TYPE_INSTANCE:
	case CM_TYPE_COMPONENT:
		return validate_body(v, scope, syntax, offset, ret_type);
	case CM_TYPE_RESOURCE:
		return validate_resource(v, scope, syntax, offset, ret_type);
	case CM_TYPE_ERROR_CONTEXT:
		cm_use(v, CM_FEATURE_ERROR_CONTEXT, offset);
		break;
	default:
		break;
	}
	if (syntax->kind < CM_TYPE_N_PRIMITIVE) {
		*ret_type = cm_type_primitive(syntax->kind);
		return 0;
	}
	rc = cm_validate_valtype(v, scope, &syntax->elem, offset, &elem);
	if (rc == 0)
		rc = cm_validate_valtype(v, scope, &syntax->second, offset, &second);
	return rc < 0 ? rc : create_elem(v, syntax, elem, second, offset, ret_type);
}

int cm_validate_type(
	struct cm_validator *v, struct cm_scope *scope, const struct cm_syntax_item *item)
{
	struct cm_item type_item = {0};
	struct cm_def *def = NULL;
	int rc;

	rc = validate_deftype(v, scope, &item->of.type, item->offset, &type_item.type);
	if (rc < 0)
		return cm_type_failed(v, rc, type_item.type, item->offset);
	rc = cm_scope_define(v, scope, CM_DEF_TYPE, CM_SORT_TYPE, item->offset, &def);
	if (rc < 0)
		return rc;
	if (def != NULL)
		def->of.type = type_item.type;
	return cm_scope_push(v, scope, CM_SORT_TYPE, &type_item, item->offset);
}
