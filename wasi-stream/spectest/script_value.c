// SPDX-License-Identifier: BSD-3-Clause
// Component values as the scripts write them.
#include "script_value.h"

#include "value.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

static void *keep(struct script_values *values, size_t n, size_t len)
{
	void **pieces = realloc(values->pieces, (values->n_pieces + 1) * sizeof(*pieces));
	void *piece;

	if (!pieces)
		return NULL;
	values->pieces = pieces;
	piece = calloc(n ? n : 1, len);
	if (piece)
		pieces[values->n_pieces++] = piece;
	return piece;
}

void script_values_free(struct script_values *values)
{
	for (size_t i = 0; i < values->n_pieces; i++)
		free(values->pieces[i]);
	free(values->pieces);
	*values = (struct script_values){0};
}

// {"str": "..."} or a plain string.
static const char *text_of(const json_t *node, size_t *ret_len)
{
	if (json_is_object(node))
		node = json_object_get(node, "str");
	if (!json_is_string(node))
		return NULL;
	*ret_len = json_string_length(node);
	return json_string_value(node);
}

static uint32_t code_point(const char *text)
{
	const uint8_t *p = (const uint8_t *)text;

	if (p[0] < 0x80)
		return p[0];
	if (p[0] < 0xe0)
		return (uint32_t)(p[0] & 0x1f) << 6 | (p[1] & 0x3f);
	if (p[0] < 0xf0)
		return (uint32_t)(p[0] & 0x0f) << 12 | (uint32_t)(p[1] & 0x3f) << 6 | (p[2] & 0x3f);
	return (uint32_t)(p[0] & 0x07) << 18 | (uint32_t)(p[1] & 0x3f) << 12 |
	       (uint32_t)(p[2] & 0x3f) << 6 | (p[3] & 0x3f);
}

static int parse_float(const char *text, const struct cm_type *type, uint64_t *ret_bits)
{
	const double wide = strtod(text, NULL);
	const float narrow = strtof(text, NULL);
	uint32_t bits32;

	if (type->kind == CM_TYPE_F64) {
		memcpy(ret_bits, &wide, sizeof(wide));
		if (isnan(wide))
			*ret_bits = 0x7ff8000000000000;
		return 0;
	}
	memcpy(&bits32, &narrow, sizeof(narrow));
	*ret_bits = isnan(narrow) ? 0x7fc00000 : bits32;
	return 0;
}

static int parse_scalar(const json_t *node, const struct cm_type *type, uint64_t *ret_bits)
{
	size_t len = 0;
	const char *text = text_of(node, &len);
	const uint32_t n_bits = 8 * type->layout32.size;
	uint64_t bits;

	if (!text)
		return -1;
	if (type->kind == CM_TYPE_BOOL) {
		*ret_bits = strcmp(text, "true") == 0;
		return 0;
	}
	if (type->kind == CM_TYPE_CHAR) {
		*ret_bits = code_point(text);
		return 0;
	}
	if (type->kind == CM_TYPE_F32 || type->kind == CM_TYPE_F64)
		return parse_float(text, type, ret_bits);
	errno = 0;
	bits = text[0] == '-' ? (uint64_t)strtoll(text, NULL, 0) : strtoull(text, NULL, 0);
	if (errno)
		return -1;
	*ret_bits = n_bits < 64 ? bits & (((uint64_t)1 << n_bits) - 1) : bits;
	return 0;
}

static const struct cm_field *field_named(
	const struct cm_type *type, const char *name, size_t len, uint32_t *ret_i)
{
	for (uint32_t i = 0; i < type->n_fields; i++) {
		const struct cm_name have = type->fields[i].name;

		if (have.len == len && memcmp(have.text, name, len) == 0) {
			*ret_i = i;
			return &type->fields[i];
		}
	}
	return NULL;
}

static int parse_flags(const json_t *tree, const struct cm_type *type, struct cm_val *ret_val)
{
	for (size_t i = 1; i < json_array_size(tree); i++) {
		size_t len = 0;
		const char *label = text_of(json_array_get(tree, i), &len);
		uint32_t bit;

		if (!label || !field_named(type, label, len, &bit))
			return -1;
		ret_val->of.bits |= (uint64_t)1 << bit;
	}
	return 0;
}

// ["list.const", v, ...], ["tuple.const", v, ...]
static int parse_sequence(struct script_values *values, const json_t *tree,
	const struct cm_type *type, struct cm_val *ret_val)
{
	const uint32_t n = (uint32_t)json_array_size(tree) - 1;
	struct cm_val *elems = keep(values, n, sizeof(*elems));
	int rc = elems ? 0 : -1;

	if (type->kind == CM_TYPE_TUPLE && n != type->n_fields)
		return -1;
	for (uint32_t i = 0; i < n && rc == 0; i++)
		rc = script_value_parse(values, json_array_get(tree, i + 1),
			type->kind == CM_TYPE_TUPLE ? type->fields[i].type : type->elem, &elems[i]);
	ret_val->n = n;
	ret_val->of.elems = elems;
	return rc;
}

// ["record.const", ["field", name, head, ...], ...]: the value's own tree begins at its head.
static int parse_record(struct script_values *values, const json_t *tree,
	const struct cm_type *type, struct cm_val *ret_val)
{
	struct cm_val *elems = keep(values, type->n_fields, sizeof(*elems));
	int rc = elems && json_array_size(tree) == type->n_fields + 1 ? 0 : -1;

	for (size_t i = 1; i < json_array_size(tree) && rc == 0; i++) {
		const json_t *field = json_array_get(tree, i);
		json_t *inner = json_array();
		size_t len = 0;
		const char *name = text_of(json_array_get(field, 1), &len);
		uint32_t at = 0;

		for (size_t j = 2; j < json_array_size(field); j++)
			json_array_append(inner, json_array_get(field, j));
		if (!name || !field_named(type, name, len, &at))
			rc = -1;
		else
			rc = script_value_parse(values, inner, type->fields[at].type, &elems[at]);
		json_decref(inner);
	}
	ret_val->n = type->n_fields;
	ret_val->of.elems = elems;
	return rc;
}

static int parse_payload(struct script_values *values, const json_t *tree,
	const struct cm_type *type, struct cm_val *ret_val)
{
	const struct cm_type *payload = type->fields[ret_val->n].type;
	struct cm_val *val;

	if (!payload)
		return tree ? -1 : 0;
	val = keep(values, 1, sizeof(*val));
	if (!tree || !val)
		return -1;
	ret_val->of.payload = val;
	return script_value_parse(values, tree, payload, val);
}

// ["variant.const", case, v?], ["enum.const", case], ["option.some", v], ["result.err", v?]
static int parse_variant(struct script_values *values, const char *head, const json_t *tree,
	const struct cm_type *type, struct cm_val *ret_val)
{
	size_t len = 0;
	const char *name;

	if (strcmp(head, "variant.const") == 0 || strcmp(head, "enum.const") == 0) {
		name = text_of(json_array_get(tree, 1), &len);
		if (!name || !field_named(type, name, len, &ret_val->n))
			return -1;
		return parse_payload(values, json_array_get(tree, 2), type, ret_val);
	}
	ret_val->n = strcmp(head, "option.some") == 0 || strcmp(head, "result.err") == 0;
	return parse_payload(values, json_array_get(tree, 1), type, ret_val);
}

static int parse_string(const json_t *tree, struct cm_val *ret_val)
{
	size_t len = 0;
	const char *text = text_of(json_array_get(tree, 1), &len);

	ret_val->n = (uint32_t)len;
	ret_val->of.string = text;
	return text ? 0 : -1;
}

int script_value_parse(struct script_values *values, const json_t *tree, const struct cm_type *type,
	struct cm_val *ret_val)
{
	const char *head = json_string_value(json_array_get(tree, 0));

	if (!head)
		return -1;
	*ret_val = (struct cm_val){0};
	switch (type->kind) {
	case CM_TYPE_STRING:
		ret_val->kind = CM_STRING;
		return parse_string(tree, ret_val);
	case CM_TYPE_LIST:
	case CM_TYPE_MAP:
		ret_val->kind = type->kind == CM_TYPE_MAP ? CM_MAP : CM_LIST;
		return parse_sequence(values, tree, type, ret_val);
	case CM_TYPE_TUPLE:
		ret_val->kind = CM_TUPLE;
		return parse_sequence(values, tree, type, ret_val);
	case CM_TYPE_RECORD:
		ret_val->kind = CM_RECORD;
		return parse_record(values, tree, type, ret_val);
	case CM_TYPE_VARIANT:
	case CM_TYPE_ENUM:
	case CM_TYPE_OPTION:
	case CM_TYPE_RESULT:
		ret_val->kind = CM_VARIANT;
		return parse_variant(values, head, tree, type, ret_val);
	case CM_TYPE_FLAGS:
		ret_val->kind = CM_FLAGS;
		return parse_flags(tree, type, ret_val);
	default:
		if (type->kind > CM_TYPE_CHAR)
			return -1;
		ret_val->kind = (enum cm_kind)type->kind;
		return parse_scalar(json_array_get(tree, 1), type, &ret_val->of.bits);
	}
}

bool script_value_is(const struct cm_val *val, const struct cm_type *type, const json_t *tree)
{
	struct script_values values = {0};
	struct cm_val wanted;
	const bool is =
		script_value_parse(&values, tree, type, &wanted) == 0 && cm_val_equal(val, &wanted);

	script_values_free(&values);
	return is;
}
