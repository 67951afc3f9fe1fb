// SPDX-License-Identifier: BSD-3-Clause
// config_scope: the rows of option.def at work: which keys may stand where, their defaults, messages.
#include "config_loader.h"

#include "message.h"
#include "suggest.h"
#include "utf8.h"

#include <assert.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

typedef int (*parse_fn)(struct config_loader *ld, const struct config_option *option,
	const struct dp_yaml_node *node, void *base);

static const struct {
	parse_fn parse;
	uint64_t scale;
	const char *words;
} types[CONFIG_TYPE_N] = {
#define DP_OPTION_TYPE(TYPE, scale, words) {config_parse_##TYPE, scale, words},
#include "option.def"
};

#define REQUIRED ""
#define NOTHING  NULL
// The structs of the scopes, under names that a row can spell.
#define DP_OPTION_SCOPE(SCOPE, type, title, where) typedef type scope_##SCOPE;
#include "option.def"

static const struct config_option options[] = {
#define DP_OPTION(SCOPE, key, TYPE, field, min, max, def, doc)                                     \
	{DP_SCOPE_##SCOPE, key, CONFIG_##TYPE, offsetof(scope_##SCOPE, field),                     \
		sizeof(((scope_##SCOPE *)NULL)->field), min, max, def, doc},
#include "option.def"
};

static const struct {
	const char *title;
	const char *where;
} scopes[DP_SCOPE_N] = {
#define DP_OPTION_SCOPE(SCOPE, type, title, where) {title, where},
#include "option.def"
};

// ---- what the rows say --------------------------------------------------------------------------

static void option_expected(const struct config_option *option, char *buf, size_t cap)
{
	const char *words = types[option->type].words;

	if (option->type == CONFIG_VIEW || option->type == CONFIG_LCORE)
		snprintf(buf, cap, "a number from %" PRIu64 " to %" PRIu64 ", or %s", option->min,
			option->max, words);
	else if (option->type == CONFIG_NUMBER || types[option->type].scale > 1)
		snprintf(buf, cap, "%s from %" PRIu64 " to %" PRIu64, words, option->min,
			option->max);
	else
		snprintf(buf, cap, "%s", words);
}

const char *dp_option_scope_title(enum dp_option_scope scope)
{
	return scopes[scope].title;
}

const char *dp_option_scope_where(enum dp_option_scope scope)
{
	return scopes[scope].where;
}

int dp_option_row(uint32_t i, char *buf, size_t cap, struct dp_option_doc *ret_doc)
{
	if (i >= sizeof(options) / sizeof(options[0]))
		return 1;
	option_expected(&options[i], buf, cap);
	*ret_doc = (struct dp_option_doc){
		options[i].scope, options[i].key, buf, options[i].def, options[i].doc};
	return 0;
}

uint64_t config_type_scale(enum config_type type)
{
	return types[type].scale;
}

const char *config_type_words(enum config_type type)
{
	return types[type].words;
}

// ---- messages -----------------------------------------------------------------------------------

int config_fail(struct config_loader *ld, struct dp_place place, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	dp_vfail_at(ld->ret_message, &ld->owned->config, place, WE_E_INVALID, fmt, ap);
	va_end(ap);
	return WE_E_INVALID;
}

bool config_is_nothing(const struct dp_yaml_node *node)
{
	return node->kind == DP_YAML_SCALAR && node->is_plain &&
	       (node->text[0] == '\0' || strcmp(node->text, "~") == 0 ||
		       strcmp(node->text, "null") == 0);
}

void config_describe(const struct dp_yaml_node *node, char *buf, size_t cap)
{
	char shown[CONFIG_SHOWN_MAX];

	if (node->kind != DP_YAML_SCALAR) {
		snprintf(buf, cap, "%s", node->kind == DP_YAML_MAP ? "a mapping" : "a list");
		return;
	}
	dp_utf8_escape(node->text, strlen(node->text), shown, sizeof(shown));
	if (config_is_nothing(node))
		snprintf(buf, cap, "nothing");
	else
		snprintf(buf, cap, "%s\"%s\"", node->is_plain ? "" : "the text ", shown);
}

const char *config_separator(const struct config_loader *ld)
{
	return ld->path[0] == '\0' ? "" : ".";
}

int config_unexpected(struct config_loader *ld, const struct config_option *option,
	const struct dp_yaml_node *node)
{
	char found[CONFIG_SHOWN_MAX + 16];
	char expected[160];

	config_describe(node, found, sizeof(found));
	option_expected(option, expected, sizeof(expected));
	return config_fail(ld, node->place, "%s%s%s: found %s, expected %s", ld->path,
		config_separator(ld), option->key, found, expected);
}

int config_not_text(struct config_loader *ld, const struct config_option *option,
	const struct dp_yaml_node *node)
{
	char found[CONFIG_SHOWN_MAX + 16];

	config_describe(node, found, sizeof(found));
	return config_fail(ld, node->place, "%s%s%s: found %s, expected text", ld->path,
		config_separator(ld), option->key, found);
}

size_t config_path_enter(struct config_loader *ld, const char *part)
{
	const size_t len = strlen(ld->path);
	char shown[CONFIG_SHOWN_MAX];

	dp_utf8_escape(part, strlen(part), shown, sizeof(shown));
	snprintf(ld->path + len, sizeof(ld->path) - len, "%s%s", config_separator(ld), shown);
	return len;
}

void config_path_leave(struct config_loader *ld, size_t len)
{
	ld->path[len] = '\0';
}

// ---- memory -------------------------------------------------------------------------------------

char *config_copy_text(struct config_loader *ld, const char *text, size_t len)
{
	char *copy = we_arena_alloc(&ld->owned->arena, len + 1);

	if (copy != NULL)
		memcpy(copy, text, len);
	return copy;
}

char *config_resolve_path(struct config_loader *ld, const char *path)
{
	if (path[0] == '/' || strcmp(ld->folder, ".") == 0)
		return config_copy_text(ld, path, strlen(path));
	const size_t len = strlen(ld->folder) + 1 + strlen(path);
	char *resolved = we_arena_alloc(&ld->owned->arena, len + 1);
	if (resolved != NULL)
		snprintf(resolved, len + 1, "%s/%s", ld->folder, path);
	return resolved;
}

// ---- scopes -------------------------------------------------------------------------------------

static const struct config_option *option_find(enum dp_option_scope scope, const char *key)
{
	for (size_t i = 0; i < sizeof(options) / sizeof(options[0]); i++) {
		if (options[i].scope == scope && strcmp(options[i].key, key) == 0)
			return &options[i];
	}
	return NULL;
}

static int unknown_key(
	struct config_loader *ld, enum dp_option_scope scope, const struct dp_yaml_node *node)
{
	struct dp_suggest near = {.word = node->key};
	char shown[CONFIG_SHOWN_MAX];
	char all[512];
	size_t used = 0;

	dp_utf8_escape(node->key, strlen(node->key), shown, sizeof(shown));
	for (size_t i = 0; i < sizeof(options) / sizeof(options[0]); i++) {
		if (options[i].scope != scope)
			continue;
		dp_suggest_offer(&near, options[i].key);
		used += (size_t)snprintf(all + used, sizeof(all) - used, "%s%s",
			used == 0 ? "" : ", ", options[i].key);
		assert(used < sizeof(all));
	}
	if (near.best != NULL)
		return config_fail(ld, node->key_place,
			"%s%sfound the unknown key \"%s\", did you mean \"%s\"?", ld->path,
			ld->path[0] == '\0' ? "" : ": ", shown, near.best);
	return config_fail(ld, node->key_place,
		"%s%sfound the unknown key \"%s\", expected one of %s", ld->path,
		ld->path[0] == '\0' ? "" : ": ", shown, all);
}

static int parse_option(struct config_loader *ld, const struct config_option *option,
	const struct dp_yaml_node *node, void *base)
{
	return types[option->type].parse(ld, option, node, base);
}

// A default is read as if it stood in the file.
static int parse_default(struct config_loader *ld, const struct config_option *option,
	const struct dp_yaml_node *map, void *base)
{
	const struct dp_yaml_node node = {
		.kind = strcmp(option->def, "{}") == 0 ? DP_YAML_MAP : DP_YAML_SCALAR,
		.place = map->place,
		.text = option->def,
		.is_plain = true,
	};

	return parse_option(ld, option, &node, base);
}

bool config_map_has(const struct dp_yaml_node *map, const char *key)
{
	for (const struct dp_yaml_node *n = map->first; n != NULL; n = n->next) {
		if (strcmp(n->key, key) == 0)
			return true;
	}
	return false;
}

int config_parse_scope(struct config_loader *ld, enum dp_option_scope scope,
	const struct dp_yaml_node *map, void *base)
{
	for (const struct dp_yaml_node *n = map->first; n != NULL; n = n->next) {
		const struct config_option *option = option_find(scope, n->key);
		const int rc = option == NULL ? unknown_key(ld, scope, n)
					      : parse_option(ld, option, n, base);

		if (rc != 0)
			return rc;
	}
	for (size_t i = 0; i < sizeof(options) / sizeof(options[0]); i++) {
		const struct config_option *option = &options[i];

		if (option->scope != scope || option->def == NOTHING ||
			config_map_has(map, option->key))
			continue;
		if (option->def[0] == '\0')
			return config_fail(ld, map->place, "%s%sthe key \"%s\" is missing",
				ld->path, ld->path[0] == '\0' ? "" : ": ", option->key);
		const int rc = parse_default(ld, option, map, base);
		if (rc != 0)
			return rc;
	}
	return 0;
}
