// SPDX-License-Identifier: BSD-3-Clause
// dp_yaml: see yaml.h.
#include "yaml_tree.h"

#include "message.h"
#include "utf8.h"

#include <yaml.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
	DEPTH_MAX = 16,      // mappings and lists in each other; a configuration needs 5
	CHILDREN_MAX = 4096, // of one mapping or list, so that looking for a key twice stays cheap
};

// What one parse needs everywhere.
struct reader {
	struct we_arena *arena;
	const struct dp_config *config; // for messages: its file
	char **ret_message;
	const char *text; // [len]
	size_t len;
	yaml_parser_t parser;
};

static int fail(const struct reader *r, struct dp_place place, const char *fmt, ...)
	WE_PRINTF(3, 4);
static int fail(const struct reader *r, struct dp_place place, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	dp_vfail_at(r->ret_message, r->config, place, WE_E_INVALID, fmt, ap);
	va_end(ap);
	return WE_E_INVALID;
}

static struct dp_place place_of(yaml_mark_t mark)
{
	return (struct dp_place){(uint32_t)mark.line + 1, (uint32_t)mark.column + 1};
}

// The place of a byte; columns count characters, as libyaml's do.
static struct dp_place place_of_byte(const struct reader *r, size_t offset)
{
	struct dp_place place = {1, 1};

	for (size_t i = 0; i < offset && i < r->len; i++) {
		if (r->text[i] == '\n') {
			place.line++;
			place.column = 1;
		} else if (((unsigned char)r->text[i] & 0xc0) != 0x80) {
			place.column++;
		}
	}
	return place;
}

// libyaml says what it met in its own words and where; the byte there makes the commonest mistakes plain.
static int complain_of_syntax(struct reader *r)
{
	const yaml_parser_t *p = &r->parser;
	const struct dp_place place = place_of(p->problem_mark);
	const size_t at = p->problem_mark.index;

	if (p->error == YAML_MEMORY_ERROR)
		return WE_E_NOMEM;
	if (p->error == YAML_READER_ERROR)
		return fail(r, place_of_byte(r, p->problem_offset),
			"found the byte 0x%02x, expected text without control characters",
			(unsigned)p->problem_value);
	// The index counts characters; it is only used where everything before it is ASCII.
	if (p->error == YAML_SCANNER_ERROR && at < r->len && r->text[at] == '\t')
		return fail(
			r, place, "found a tab, expected spaces: YAML does not indent with tabs");
	if (p->error == YAML_SCANNER_ERROR && at < r->len && strchr("@`%", r->text[at]) != NULL)
		return fail(r, place, "found text that begins with '%c', expected quotes around it",
			r->text[at]);
	if (p->context != NULL)
		return fail(r, place, "not YAML: %s (%s that began at %zu:%zu)", p->problem,
			p->context, p->context_mark.line + 1, p->context_mark.column + 1);
	return fail(r, place, "not YAML: %s", p->problem);
}

// The next event. Owned by the caller: yaml_event_delete.
static int next_event(struct reader *r, yaml_event_t *ret_event)
{
	if (!yaml_parser_parse(&r->parser, ret_event))
		return complain_of_syntax(r);
	return 0;
}

static int refuse_anchor_and_tag(const struct reader *r, const yaml_event_t *event,
	const yaml_char_t *anchor, const yaml_char_t *tag)
{
	if (anchor != NULL)
		return fail(r, place_of(event->start_mark),
			"unsupported: the anchor \"&%s\"; write the value where it is meant",
			(const char *)anchor);
	if (tag != NULL)
		return fail(r, place_of(event->start_mark),
			"unsupported: the tag \"%s\"; types are given by the keys",
			(const char *)tag);
	return 0;
}

static int read_scalar(struct reader *r, const yaml_event_t *event, const char **ret_text)
{
	const char *text = (const char *)event->data.scalar.value;
	const size_t len = event->data.scalar.length;
	const int rc =
		refuse_anchor_and_tag(r, event, event->data.scalar.anchor, event->data.scalar.tag);

	if (rc != 0)
		return rc;
	if (memchr(text, '\0', len) != NULL)
		return fail(r, place_of(event->start_mark),
			"found a NUL character, expected text without it");
	char *copy = we_arena_alloc(r->arena, len + 1);
	if (copy == NULL)
		return WE_E_NOMEM;
	memcpy(copy, text, len);
	*ret_text = copy;
	return 0;
}

// The key of a MAP's next value; *ret_key is NULL at the MAP's end.
static int read_key(struct reader *r, const struct dp_yaml_node *map, const char **ret_key,
	struct dp_place *ret_place)
{
	yaml_event_t event;
	int rc = next_event(r, &event);

	if (rc != 0)
		return rc;
	*ret_key = NULL;
	*ret_place = place_of(event.start_mark);
	switch (event.type) {
	case YAML_MAPPING_END_EVENT:
		break;
	case YAML_SCALAR_EVENT:
		rc = read_scalar(r, &event, ret_key);
		if (rc != 0)
			break;
		if (strcmp(*ret_key, "<<") == 0 &&
			event.data.scalar.style == YAML_PLAIN_SCALAR_STYLE)
			rc = fail(r, *ret_place,
				"unsupported: the merge key \"<<\"; write the values where they "
				"are meant");
		for (const struct dp_yaml_node *n = map->first; n != NULL && rc == 0; n = n->next) {
			char shown[64];

			if (strcmp(n->key, *ret_key) != 0)
				continue;
			dp_utf8_escape(*ret_key, strlen(*ret_key), shown, sizeof(shown));
			rc = fail(r, *ret_place,
				"found the key \"%s\" again, expected it once (first in line %u)",
				shown, n->key_place.line);
		}
		break;
	case YAML_ALIAS_EVENT:
		rc = fail(r, *ret_place, "unsupported: the alias \"*%s\"",
			(const char *)event.data.alias.anchor);
		break;
	default:
		rc = fail(r, *ret_place, "found a %s as key, expected text",
			event.type == YAML_MAPPING_START_EVENT ? "mapping" : "list");
		break;
	}
	yaml_event_delete(&event);
	return rc;
}

static int read_node(
	struct reader *r, yaml_event_t *event, uint32_t depth, struct dp_yaml_node **ret_node);

// The nodes of a LIST or MAP until its end.
static int read_children(struct reader *r, struct dp_yaml_node *parent, uint32_t depth)
{
	struct dp_yaml_node **tail = &parent->first;

	for (;;) {
		const char *key = NULL;
		struct dp_place key_place = {0, 0};
		struct dp_yaml_node *node;
		yaml_event_t event;
		int rc;

		if (parent->kind == DP_YAML_MAP) {
			rc = read_key(r, parent, &key, &key_place);
			if (rc != 0 || key == NULL)
				return rc;
		}
		rc = next_event(r, &event);
		if (rc != 0)
			return rc;
		if (event.type == YAML_SEQUENCE_END_EVENT) {
			yaml_event_delete(&event);
			return 0;
		}
		rc = read_node(r, &event, depth, &node);
		yaml_event_delete(&event);
		if (rc != 0)
			return rc;
		if (parent->n == CHILDREN_MAX)
			return fail(r, node->place, "found more than %d values in one %s",
				CHILDREN_MAX, parent->kind == DP_YAML_MAP ? "mapping" : "list");
		node->key = key;
		node->key_place = key_place;
		*tail = node;
		tail = &node->next;
		parent->n++;
	}
}

static int read_node(
	struct reader *r, yaml_event_t *event, uint32_t depth, struct dp_yaml_node **ret_node)
{
	struct dp_yaml_node *node = we_arena_alloc(r->arena, sizeof(*node));
	int rc;

	if (node == NULL)
		return WE_E_NOMEM;
	node->place = place_of(event->start_mark);
	*ret_node = node;
	if (depth == DEPTH_MAX)
		return fail(r, node->place, "found a value %d levels deep, expected at most %d",
			DEPTH_MAX + 1, DEPTH_MAX);
	switch (event->type) {
	case YAML_SCALAR_EVENT:
		node->kind = DP_YAML_SCALAR;
		node->is_plain = event->data.scalar.style == YAML_PLAIN_SCALAR_STYLE;
		return read_scalar(r, event, &node->text);
	case YAML_SEQUENCE_START_EVENT:
		node->kind = DP_YAML_LIST;
		rc = refuse_anchor_and_tag(r, event, event->data.sequence_start.anchor,
			event->data.sequence_start.tag);
		break;
	case YAML_MAPPING_START_EVENT:
		node->kind = DP_YAML_MAP;
		rc = refuse_anchor_and_tag(
			r, event, event->data.mapping_start.anchor, event->data.mapping_start.tag);
		break;
	default: // only an alias is left where a value may stand
		return fail(r, node->place,
			"unsupported: the alias \"*%s\"; write the value where it is meant",
			(const char *)event->data.alias.anchor);
	}
	if (rc != 0)
		return rc;
	return read_children(r, node, depth + 1);
}

// Consume one event that must come now (start of stream, end of document).
static int skip_event(struct reader *r)
{
	yaml_event_t event;
	const int rc = next_event(r, &event);

	if (rc == 0)
		yaml_event_delete(&event);
	return rc;
}

static int read_document(struct reader *r, struct dp_yaml_node **ret_root)
{
	yaml_event_t event;
	int rc = skip_event(r); // start of stream

	if (rc == 0)
		rc = next_event(r, &event);
	if (rc != 0)
		return rc;
	if (event.type == YAML_STREAM_END_EVENT)
		rc = fail(r, (struct dp_place){1, 1},
			"found nothing in the file, expected a mapping with \"ports\" and "
			"\"workers\"");
	else if (event.data.document_start.tag_directives.start !=
		 event.data.document_start.tag_directives.end)
		rc = fail(r, place_of(event.start_mark), "unsupported: the directive %%TAG");
	yaml_event_delete(&event);
	if (rc == 0)
		rc = next_event(r, &event);
	if (rc != 0)
		return rc;
	rc = read_node(r, &event, 0, ret_root);
	yaml_event_delete(&event);
	if (rc == 0)
		rc = skip_event(r); // end of document
	if (rc == 0)
		rc = next_event(r, &event);
	if (rc != 0)
		return rc;
	if (event.type != YAML_STREAM_END_EVENT)
		rc = fail(r, place_of(event.start_mark),
			"found a second document, expected the end of the file");
	yaml_event_delete(&event);
	return rc;
}

static int check_utf8(const struct reader *r)
{
	for (size_t i = 0; i < r->len;) {
		const size_t n = dp_utf8_len(r->text + i, r->len - i);

		if (n == 0)
			return fail(r, place_of_byte(r, i), "found the byte 0x%02x, expected UTF-8",
				(unsigned char)r->text[i]);
		i += n;
	}
	return 0;
}

int dp_yaml_parse(struct we_arena *arena, const struct dp_config *config, char **ret_message,
	const char *text, size_t len, struct dp_yaml_node **ret_root)
{
	struct reader r = {.arena = arena,
		.config = config,
		.ret_message = ret_message,
		.text = text,
		.len = len};
	struct dp_yaml_node *root = NULL;
	int rc = check_utf8(&r);

	if (rc != 0)
		return rc;
	if (!yaml_parser_initialize(&r.parser))
		return WE_E_NOMEM;
	yaml_parser_set_encoding(&r.parser, YAML_UTF8_ENCODING);
	yaml_parser_set_input_string(&r.parser, (const unsigned char *)text, len);
	rc = read_document(&r, &root);
	yaml_parser_delete(&r.parser);
	if (rc == 0)
		*ret_root = root;
	return rc;
}
