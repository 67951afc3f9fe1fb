// SPDX-License-Identifier: BSD-3-Clause
// type_print: types as WIT, on one line, for messages.
#include "text.h"

#include <stdio.h>
#include <string.h>

void cm_text_init(struct cm_text *text, char *buf, size_t cap)
{
	*text = (struct cm_text){.buf = buf, .cap = cap};
	buf[0] = '\0';
}

static void put_bytes(struct cm_text *text, const char *piece, size_t len)
{
	const size_t room = text->cap - 1 - text->len;

	if (len > room)
		len = room;
	if (len > 0)
		memcpy(text->buf + text->len, piece, len);
	text->len += len;
	text->buf[text->len] = '\0';
}

void cm_text_put(struct cm_text *text, const char *piece)
{
	put_bytes(text, piece, strlen(piece));
}

void cm_text_put_name(struct cm_text *text, struct cm_name name)
{
	put_bytes(text, name.text, name.len);
}

static bool is_full(const struct cm_text *text)
{
	return text->len + 1 == text->cap;
}

static void put_type(struct cm_text *text, const struct cm_type *type);

// "(a, b)": types, each with its name in front where it has one.
static void put_fields(
	struct cm_text *text, const struct cm_type *type, const char *open, const char *close)
{
	cm_text_put(text, open);
	for (uint32_t i = 0; i < type->n_fields && !is_full(text); i++) {
		const struct cm_field *field = &type->fields[i];

		cm_text_put(text, i == 0 ? "" : ", ");
		cm_text_put_name(text, field->name);
		if (field->type == NULL)
			continue;
		if (cm_type_is_variant(type)) {
			cm_text_put(text, "(");
			put_type(text, field->type);
			cm_text_put(text, ")");
		} else {
			cm_text_put(text, field->name.len > 0 ? ": " : "");
			put_type(text, field->type);
		}
	}
	cm_text_put(text, close);
}

static void put_elem(struct cm_text *text, const char *word, const struct cm_type *elem)
{
	cm_text_put(text, word);
	if (elem == NULL)
		return;
	cm_text_put(text, "<");
	put_type(text, elem);
	cm_text_put(text, ">");
}

static void put_result(struct cm_text *text, const struct cm_type *type)
{
	const struct cm_type *ok = type->fields[0].type;
	const struct cm_type *error = type->fields[1].type;

	cm_text_put(text, "result");
	if (ok == NULL && error == NULL)
		return;
	cm_text_put(text, "<");
	if (ok != NULL)
		put_type(text, ok);
	else
		cm_text_put(text, "_");
	if (error != NULL) {
		cm_text_put(text, ", ");
		put_type(text, error);
	}
	cm_text_put(text, ">");
}

static void put_func(struct cm_text *text, const struct cm_type *type)
{
	cm_text_put(text, type->is_async ? "async func" : "func");
	put_fields(text, type, "(", ")");
	if (type->elem == NULL)
		return;
	cm_text_put(text, " -> ");
	put_type(text, type->elem);
}

static void put_length(struct cm_text *text, const struct cm_type *type)
{
	char length[16];

	snprintf(length, sizeof(length), ", %u>", type->length);
	cm_text_put(text, "list<");
	put_type(text, type->elem);
	cm_text_put(text, length);
}

static const char *const primitive_words[CM_TYPE_N_PRIMITIVE] = {
	[CM_TYPE_BOOL] = "bool",
	[CM_TYPE_S8] = "s8",
	[CM_TYPE_U8] = "u8",
	[CM_TYPE_S16] = "s16",
	[CM_TYPE_U16] = "u16",
	[CM_TYPE_S32] = "s32",
	[CM_TYPE_U32] = "u32",
	[CM_TYPE_S64] = "s64",
	[CM_TYPE_U64] = "u64",
	[CM_TYPE_F32] = "f32",
	[CM_TYPE_F64] = "f64",
	[CM_TYPE_CHAR] = "char",
	[CM_TYPE_STRING] = "string",
	[CM_TYPE_ERROR_CONTEXT] = "error-context",
};

const char *cm_primitive_word(enum cm_typekind kind)
{
	return primitive_words[kind];
}

static void put_type(struct cm_text *text, const struct cm_type *type)
{
	if (is_full(text))
		return;
	if (type->name.len > 0) {
		cm_text_put_name(text, type->name);
		return;
	}
	switch (type->kind) {
	case CM_TYPE_RECORD:
		put_fields(text, type, "record { ", " }");
		break;
	case CM_TYPE_VARIANT:
		put_fields(text, type, "variant { ", " }");
		break;
	case CM_TYPE_ENUM:
		put_fields(text, type, "enum { ", " }");
		break;
	case CM_TYPE_FLAGS:
		put_fields(text, type, "flags { ", " }");
		break;
	case CM_TYPE_TUPLE:
		put_fields(text, type, "tuple<", ">");
		break;
	case CM_TYPE_MAP:
		put_fields(text, type->elem, "map<", ">");
		break;
	case CM_TYPE_OPTION:
		put_elem(text, "option", type->fields[1].type);
		break;
	case CM_TYPE_RESULT:
		put_result(text, type);
		break;
	case CM_TYPE_LIST:
		put_elem(text, "list", type->elem);
		break;
	case CM_TYPE_FIXED_LIST:
		put_length(text, type);
		break;
	case CM_TYPE_OWN: // in WIT a resource's name alone is an owned handle
		if (type->elem->name.len > 0)
			cm_text_put_name(text, type->elem->name);
		else
			cm_text_put(text, "own<resource>");
		break;
	case CM_TYPE_BORROW:
		put_elem(text, "borrow", type->elem);
		break;
	case CM_TYPE_STREAM:
		put_elem(text, "stream", type->elem);
		break;
	case CM_TYPE_FUTURE:
		put_elem(text, "future", type->elem);
		break;
	case CM_TYPE_FUNC:
		put_func(text, type);
		break;
	case CM_TYPE_INSTANCE:
		cm_text_put(text, "interface");
		break;
	case CM_TYPE_COMPONENT:
		cm_text_put(text, "component");
		break;
	case CM_TYPE_RESOURCE:
		cm_text_put(text, "resource");
		break;
	default:
		cm_text_put(text, cm_primitive_word(type->kind));
		break;
	}
}

char *cm_type_print(const struct cm_type *type, char *buf, size_t cap)
{
	struct cm_text text;

	cm_text_init(&text, buf, cap);
	put_type(&text, type);
	return buf;
}
