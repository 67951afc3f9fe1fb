// SPDX-License-Identifier: BSD-3-Clause
// wit_parse: the body of a WIT interface, as a host writes it down, to an instance type.
//
// Types and functions, no `use` and no resources; a type stands before its uses. This text is the host's own:
// what is wrong in it is a mistake of the program, told with line and column.
// Owns:   its lists while it parses. Thread: one.
// Spec:   WIT.md "Item: type", "Item: func", "Types".
#include "arena.h"
#include "limits.h"
#include "name.h"
#include "type.h"
#include "vec.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

struct parser {
	struct we_arena *arena;
	struct we_error *err;
	const char *text;
	const char *at;        // first byte not yet read
	struct cm_name token;  // the token to be read next; not terminated; empty at the end
	struct we_vec exports; // struct cm_extern
	struct cm_name_set names;
	uint32_t depth; // types inside each other
};

static int fail(const struct parser *p, const char *fmt, ...) WE_PRINTF(2, 3);

static int fail(const struct parser *p, const char *fmt, ...)
{
	char msg[96];
	va_list ap;
	int line = 1;
	int column = 1;

	va_start(ap, fmt);
	vsnprintf(msg, sizeof(msg), fmt, ap);
	va_end(ap);
	for (const char *c = p->text; c < p->token.text; c++) {
		column = *c == '\n' ? 1 : column + 1;
		line += *c == '\n';
	}
	return we_error_set(p->err, WE_E_INVALID, 0, "WIT %d:%d: %s", line, column, msg);
}

static int nomem(const struct parser *p)
{
	return we_error_set(p->err, WE_E_NOMEM, 0, "out of memory");
}

// ---- tokens -------------------------------------------------------------------------------------

static bool is_word_byte(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
	       c == '-' || c == '_' || c == '%';
}

static void skip_space(struct parser *p)
{
	for (;;) {
		p->at += strspn(p->at, " \t\r\n");
		if (strncmp(p->at, "//", 2) == 0) {
			p->at += strcspn(p->at, "\n");
		} else if (strncmp(p->at, "/*", 2) == 0) {
			const char *end = strstr(p->at + 2, "*/");

			p->at = end == NULL ? p->at + strlen(p->at) : end + 2;
		} else {
			return;
		}
	}
}

// Read the next token: a word, "->", or one other byte.
static void advance(struct parser *p)
{
	uint32_t len = 0;

	skip_space(p);
	if (strncmp(p->at, "->", 2) == 0)
		len = 2;
	else
		while (is_word_byte(p->at[len]))
			len++;
	if (len == 0 && *p->at != '\0')
		len = 1;
	p->token = (struct cm_name){p->at, len};
	p->at += len;
}

static bool is_token(const struct parser *p, const char *word)
{
	return p->token.len == strlen(word) && memcmp(p->token.text, word, p->token.len) == 0;
}

static bool accept(struct parser *p, const char *word)
{
	if (!is_token(p, word))
		return false;
	advance(p);
	return true;
}

static int expect(struct parser *p, const char *word)
{
	if (accept(p, word))
		return 0;
	if (p->token.len == 0)
		return fail(p, "expected `%s`, found the end", word);
	return fail(p, "expected `%s`, found `%.*s`", word, (int)p->token.len, p->token.text);
}

// An identifier, copied and terminated; a % in front only says that it is no keyword.
static int parse_id(struct parser *p, struct cm_name *ret_name)
{
	struct cm_name id = p->token;
	char *text;

	if (id.len > 0 && id.text[0] == '%')
		id = (struct cm_name){id.text + 1, id.len - 1};
	if (!cm_name_is_label(id))
		return fail(p, "expected an identifier, found `%.*s`", (int)p->token.len,
			p->token.text);
	text = we_arena_alloc(p->arena, id.len + 1);
	if (text == NULL)
		return nomem(p);
	memcpy(text, id.text, id.len);
	*ret_name = (struct cm_name){text, id.len};
	advance(p);
	return 0;
}

// ---- types --------------------------------------------------------------------------------------

static int parse_type(struct parser *p, const struct cm_type **ret_type);

static int made(const struct parser *p, int rc, const struct cm_type *type)
{
	if (rc == WE_E_INVALID)
		return fail(p, "type %s", cm_type_excess(type));
	return rc == WE_E_NOMEM ? nomem(p) : rc;
}

// "<T>", or nothing where that is allowed.
static int parse_elem(struct parser *p, bool may_be_absent, const struct cm_type **ret_elem)
{
	int rc;

	*ret_elem = NULL;
	if (may_be_absent && !is_token(p, "<"))
		return 0;
	rc = expect(p, "<");
	if (rc == 0)
		rc = parse_type(p, ret_elem);
	return rc < 0 ? rc : expect(p, ">");
}

static int keep_fields(const struct parser *p, const struct we_vec *fields, struct cm_field **ret)
{
	*ret = we_arena_array(p->arena, fields->len, sizeof(**ret));
	if (*ret == NULL)
		return nomem(p);
	if (fields->len > 0)
		memcpy(*ret, fields->data, fields->len * sizeof(**ret));
	return 0;
}

static int parse_tuple(struct parser *p, const struct cm_type **ret_type)
{
	struct cm_field *kept = NULL;
	struct we_vec fields = {0};
	int rc;

	rc = expect(p, "<");
	while (rc == 0 && !is_token(p, ">")) {
		struct cm_field *field = we_vec_add(&fields, sizeof(*field));

		rc = field == NULL ? nomem(p) : parse_type(p, &field->type);
		if (rc == 0 && !accept(p, ","))
			break;
	}
	if (rc == 0)
		rc = expect(p, ">");
	if (rc == 0 && fields.len == 0)
		rc = fail(p, "a tuple has at least one type");
	if (rc == 0)
		rc = keep_fields(p, &fields, &kept);
	if (rc == 0)
		rc = made(p,
			cm_type_create_fields(
				p->arena, CM_TYPE_TUPLE, kept, (uint32_t)fields.len, ret_type),
			*ret_type);
	we_vec_fini(&fields);
	return rc;
}

static int parse_result(struct parser *p, const struct cm_type **ret_type)
{
	const struct cm_type *ok = NULL;
	const struct cm_type *error = NULL;
	int rc = 0;

	if (accept(p, "<")) {
		if (!accept(p, "_"))
			rc = parse_type(p, &ok);
		if (rc == 0 && accept(p, ","))
			rc = parse_type(p, &error);
		if (rc == 0)
			rc = expect(p, ">");
	}
	return rc < 0 ? rc
		      : made(p, cm_type_create_result(p->arena, ok, error, ret_type), *ret_type);
}

static int parse_map(struct parser *p, const struct cm_type **ret_type)
{
	const struct cm_type *key = NULL;
	const struct cm_type *value = NULL;
	int rc;

	rc = expect(p, "<");
	if (rc == 0)
		rc = parse_type(p, &key);
	if (rc == 0)
		rc = expect(p, ",");
	if (rc == 0)
		rc = parse_type(p, &value);
	if (rc == 0)
		rc = expect(p, ">");
	return rc < 0 ? rc : made(p, cm_type_create_map(p->arena, key, value, ret_type), *ret_type);
}

// The type that an earlier item of this interface defines.
static int parse_named(struct parser *p, const struct cm_type **ret_type)
{
	const struct cm_extern *exports = p->exports.data;
	struct cm_name id = p->token;

	if (id.len > 0 && id.text[0] == '%')
		id = (struct cm_name){id.text + 1, id.len - 1};
	for (size_t i = 0; i < p->exports.len; i++) {
		if (exports[i].sort != CM_SORT_TYPE || exports[i].name.len != id.len ||
			memcmp(exports[i].name.text, id.text, id.len) != 0)
			continue;
		*ret_type = exports[i].type;
		advance(p);
		return 0;
	}
	return fail(p, "expected a type, found `%.*s`", (int)p->token.len, p->token.text);
}

static int parse_constructed(struct parser *p, const struct cm_type **ret_type)
{
	const struct cm_type *elem = NULL;
	int rc;

	if (accept(p, "tuple"))
		return parse_tuple(p, ret_type);
	if (accept(p, "result"))
		return parse_result(p, ret_type);
	if (accept(p, "map"))
		return parse_map(p, ret_type);
	if (accept(p, "option")) {
		rc = parse_elem(p, false, &elem);
		return rc < 0 ? rc
			      : made(p, cm_type_create_option(p->arena, elem, ret_type), *ret_type);
	}
	if (is_token(p, "list") || is_token(p, "stream") || is_token(p, "future")) {
		const enum cm_typekind kind = is_token(p, "list")     ? CM_TYPE_LIST
					      : is_token(p, "stream") ? CM_TYPE_STREAM
								      : CM_TYPE_FUTURE;

		advance(p);
		rc = parse_elem(p, kind != CM_TYPE_LIST, &elem);
		return rc < 0 ? rc
			      : made(p, cm_type_create_elem(p->arena, kind, elem, 0, ret_type),
					*ret_type);
	}
	return parse_named(p, ret_type);
}

static int parse_type(struct parser *p, const struct cm_type **ret_type)
{
	int rc;

	for (int kind = 0; kind < CM_TYPE_N_PRIMITIVE; kind++) {
		if (!is_token(p, cm_primitive_word((enum cm_typekind)kind)))
			continue;
		advance(p);
		*ret_type = cm_type_primitive((enum cm_typekind)kind);
		return 0;
	}
	if (p->depth == CM_MAX_TYPE_DEPTH)
		return fail(p, "types are nested more than %d deep", CM_MAX_TYPE_DEPTH);
	p->depth++;
	rc = parse_constructed(p, ret_type);
	p->depth--;
	return rc;
}

// ---- items --------------------------------------------------------------------------------------

// Fields, cases, labels or parameters up to `close`; what follows each name depends on kind.
static int parse_fields(struct parser *p, enum cm_typekind kind, const char *close,
	struct cm_field **ret_fields, uint32_t *ret_n)
{
	const bool has_types = kind == CM_TYPE_RECORD || kind == CM_TYPE_FUNC;
	struct cm_name_set names = {0};
	struct we_vec fields = {0};
	int rc = 0;

	while (rc == 0 && !is_token(p, close)) {
		struct cm_field *field = we_vec_add(&fields, sizeof(*field));
		struct cm_name earlier;

		rc = field == NULL ? nomem(p) : parse_id(p, &field->name);
		if (rc == 0)
			rc = cm_name_set_add(&names, field->name, &earlier);
		if (rc == CM_NAME_TAKEN)
			rc = fail(p, "the name `%s` is taken", field->name.text);
		if (rc == 0 && has_types)
			rc = expect(p, ":");
		if (rc == 0 && has_types)
			rc = parse_type(p, &field->type);
		if (rc == 0 && kind == CM_TYPE_VARIANT && accept(p, "(")) {
			rc = parse_type(p, &field->type);
			if (rc == 0)
				rc = expect(p, ")");
		}
		if (rc == 0 && !accept(p, ","))
			break;
	}
	if (rc == 0)
		rc = expect(p, close);
	if (rc == 0)
		rc = keep_fields(p, &fields, ret_fields);
	*ret_n = (uint32_t)fields.len;
	cm_name_set_fini(&names);
	we_vec_fini(&fields);
	return rc;
}

static int add_export(
	struct parser *p, enum cm_sort sort, struct cm_name name, const struct cm_type *type)
{
	struct cm_name earlier;
	struct cm_extern *export;
	int rc;

	rc = cm_name_set_add(&p->names, name, &earlier);
	if (rc == CM_NAME_TAKEN)
		return fail(p, "the name `%s` is taken", name.text);
	export = rc < 0 ? NULL : we_vec_add(&p->exports, sizeof(*export));
	if (export == NULL)
		return nomem(p);
	*export = (struct cm_extern){.name = name, .sort = sort, .type = type};
	return 0;
}

static int define(struct parser *p, struct cm_name name, const struct cm_type *type)
{
	const struct cm_type *named = NULL;
	const int rc = cm_type_create_named(p->arena, type, name, &named);

	return rc < 0 ? nomem(p) : add_export(p, CM_SORT_TYPE, name, named);
}

// record, variant, enum, flags
static int parse_definition(struct parser *p, enum cm_typekind kind)
{
	const struct cm_type *type = NULL;
	struct cm_field *fields = NULL;
	struct cm_name name = {0};
	uint32_t n = 0;
	int rc;

	advance(p);
	rc = parse_id(p, &name);
	if (rc == 0)
		rc = expect(p, "{");
	if (rc == 0)
		rc = parse_fields(p, kind, "}", &fields, &n);
	if (rc == 0 && n == 0)
		rc = fail(p, "`%s` is empty", name.text);
	if (rc == 0 && kind == CM_TYPE_FLAGS && n > CM_MAX_FLAGS)
		rc = fail(p, "`%s` has more than %d flags", name.text, CM_MAX_FLAGS);
	if (rc == 0)
		rc = made(p, cm_type_create_fields(p->arena, kind, fields, n, &type), type);
	return rc < 0 ? rc : define(p, name, type);
}

static int parse_alias(struct parser *p)
{
	const struct cm_type *type = NULL;
	struct cm_name name = {0};
	int rc;

	advance(p);
	rc = parse_id(p, &name);
	if (rc == 0)
		rc = expect(p, "=");
	if (rc == 0)
		rc = parse_type(p, &type);
	if (rc == 0)
		rc = expect(p, ";");
	return rc < 0 ? rc : define(p, name, type);
}

static int parse_func(struct parser *p)
{
	const struct cm_type *result = NULL;
	const struct cm_type *type = NULL;
	struct cm_field *params = NULL;
	struct cm_name name = {0};
	bool is_async = false;
	uint32_t n = 0;
	int rc;

	rc = parse_id(p, &name);
	if (rc == 0)
		rc = expect(p, ":");
	if (rc == 0) {
		is_async = accept(p, "async");
		rc = expect(p, "func");
	}
	if (rc == 0)
		rc = expect(p, "(");
	if (rc == 0)
		rc = parse_fields(p, CM_TYPE_FUNC, ")", &params, &n);
	if (rc == 0 && accept(p, "->"))
		rc = parse_type(p, &result);
	if (rc == 0)
		rc = expect(p, ";");
	if (rc == 0)
		rc = made(
			p, cm_type_create_func(p->arena, is_async, params, n, result, &type), type);
	return rc < 0 ? rc : add_export(p, CM_SORT_FUNC, name, type);
}

static int parse_item(struct parser *p)
{
	if (is_token(p, "record"))
		return parse_definition(p, CM_TYPE_RECORD);
	if (is_token(p, "variant"))
		return parse_definition(p, CM_TYPE_VARIANT);
	if (is_token(p, "enum"))
		return parse_definition(p, CM_TYPE_ENUM);
	if (is_token(p, "flags"))
		return parse_definition(p, CM_TYPE_FLAGS);
	if (is_token(p, "type"))
		return parse_alias(p);
	return parse_func(p);
}

int cm_wit_parse(struct we_arena *arena, const char *wit, const struct cm_type **ret_type,
	struct we_error *err)
{
	struct parser p = {.arena = arena, .err = err, .text = wit, .at = wit};
	struct cm_interface *face;
	struct cm_extern *exports;
	int rc = 0;

	advance(&p);
	while (rc == 0 && p.token.len > 0)
		rc = parse_item(&p);
	if (rc < 0)
		goto out;
	face = we_arena_alloc(arena, sizeof(*face));
	exports = we_arena_array(arena, p.exports.len, sizeof(*exports));
	if (face == NULL || exports == NULL) {
		rc = nomem(&p);
		goto out;
	}
	if (p.exports.len > 0)
		memcpy(exports, p.exports.data, p.exports.len * sizeof(*exports));
	face->exports = exports;
	face->n_exports = (uint32_t)p.exports.len;
	rc = cm_type_create_interface(arena, CM_TYPE_INSTANCE, face, ret_type);
	rc = made(&p, rc, *ret_type);
out:
	we_vec_fini(&p.exports);
	cm_name_set_fini(&p.names);
	return rc;
}
