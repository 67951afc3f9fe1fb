// SPDX-License-Identifier: BSD-3-Clause
// type_print: types as WIT, on one line, for messages.
#include "text.h"

#include <stdio.h>
#include <string.h>

void cm_text_put(struct cm_text *text, const char *piece)
{
	if (!text->is_full)
		text->emit(text->env, piece, strlen(piece));
}

void cm_text_put_name(struct cm_text *text, struct cm_name name)
{
	if (!text->is_full && name.len > 0)
		text->emit(text->env, name.text, name.len);
}

void cm_text_put_id(struct cm_text *text, struct cm_name label)
{
	// Spec: WIT.md "Keywords"
	static const char *const keywords[] = {"as", "async", "bool", "borrow", "char",
		"constructor", "enum", "error-context", "export", "f32", "f64", "flags", "from",
		"func", "future", "import", "include", "interface", "list", "map", "option", "own",
		"package", "record", "resource", "result", "s16", "s32", "s64", "s8", "static",
		"stream", "string", "tuple", "type", "u16", "u32", "u64", "u8", "use", "variant",
		"with", "world"};

	for (size_t i = 0; i < sizeof(keywords) / sizeof(keywords[0]); i++)
		if (label.len == strlen(keywords[i]) &&
			memcmp(label.text, keywords[i], label.len) == 0)
			cm_text_put(text, "%");
	cm_text_put_name(text, label);
}

// "(a, b)": types, each with its name in front where it has one.
static void put_fields(
	struct cm_text *text, const struct cm_type *type, const char *open, const char *close)
{
	cm_text_put(text, open);
	for (uint32_t i = 0; i < type->n_fields && !text->is_full; i++) {
		const struct cm_field *field = &type->fields[i];

		cm_text_put(text, i == 0 ? "" : ", ");
		cm_text_put_id(text, field->name);
		if (field->type == NULL)
			continue;
		if (cm_type_is_variant(type)) {
			cm_text_put(text, "(");
			cm_text_put_type(text, field->type);
			cm_text_put(text, ")");
		} else {
			cm_text_put(text, field->name.len > 0 ? ": " : "");
			cm_text_put_type(text, field->type);
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
	cm_text_put_type(text, elem);
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
		cm_text_put_type(text, ok);
	else
		cm_text_put(text, "_");
	if (error != NULL) {
		cm_text_put(text, ", ");
		cm_text_put_type(text, error);
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
	cm_text_put_type(text, type->elem);
}

static void put_length(struct cm_text *text, const struct cm_type *type)
{
	char length[16];

	snprintf(length, sizeof(length), ", %u>", type->length);
	cm_text_put(text, "list<");
	cm_text_put_type(text, type->elem);
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

void cm_text_put_type(struct cm_text *text, const struct cm_type *type)
{
	if (type->name.len > 0)
		cm_text_put_id(text, type->name);
	else
		cm_text_put_definition(text, type);
}

void cm_text_put_definition(struct cm_text *text, const struct cm_type *type)
{
	if (text->is_full)
		return;
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
		cm_text_put_type(text, type->elem);
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

// Room of fixed size. Invariant: len < cap, buf[len] is the terminator; what does not fit is dropped.
struct room {
	struct cm_text text;
	char *buf;
	size_t cap;
	size_t len;
};

static void emit_into_room(void *env, const char *piece, size_t len)
{
	struct room *room = env;
	const size_t left = room->cap - 1 - room->len;

	if (len >= left)
		room->text.is_full = true;
	if (len > left)
		len = left;
	memcpy(room->buf + room->len, piece, len);
	room->len += len;
	room->buf[room->len] = '\0';
}

char *cm_type_print(const struct cm_type *type, char *buf, size_t cap)
{
	struct room room = {.text = {.emit = emit_into_room}, .buf = buf, .cap = cap};

	room.text.env = &room;
	buf[0] = '\0';
	cm_text_put_type(&room.text, type);
	return buf;
}
