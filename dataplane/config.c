// SPDX-License-Identifier: BSD-3-Clause
// dp_config: a YAML file becomes a struct dp_config, or one message with its place.
//
// Three steps: the tree (yaml.c), values by the rows of option.def (here: scopes, sections and each
// type's parser), then what only the whole can tell (names that refer, queues, files).
// Thread:  one at a time.
#include "config.h"

#include "arena.h"
#include "file.h"
#include "option.h"
#include "queue_map.h"
#include "suggest.h"
#include "utf8.h"
#include "yaml_tree.h"

#include <assert.h>
#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
	FILE_MAX = 1 << 20,       // bytes of a configuration
	VALUE_FILE_MAX = 1 << 26, // bytes of a file that a filter's config names
	SHOWN_MAX = 64,           // bytes of a value in a message
};

// Invariant: the config comes first, so that dp_config_destroy finds the arena.
struct owned {
	struct dp_config config;
	struct we_arena arena; // this struct is in it too
};

// A name that is looked up when all names are known.
struct reference {
	struct reference *next;
	const struct dp_yaml_node *node;
	const char *where; // the path of the key, for messages
	bool is_chain;     // else a port
	uint16_t *target;
};

struct loader {
	struct owned *owned;
	struct dp_complaint to;
	const char *folder; // of the file, "." when its path has none
	char path[160];     // the path of the mapping that is being read, "filters.acl"
	struct reference *references;
	struct reference **references_tail;
	const struct dp_yaml_node *chains;         // the section
	struct dp_worker_config *workers;          // config.workers, still to be completed
	const struct dp_yaml_node **worker_queues; // [config.n_workers]; NULL: not given
};

struct option;
typedef int (*parse_fn)(struct loader *ld, const struct option *option,
	const struct dp_yaml_node *node, void *base);

// One parser a type: reads node into option->offset of base, the struct of the option's scope.
#define DP_OPTION_TYPE(TYPE, scale, words)                                                         \
	static int parse_##TYPE(struct loader *ld, const struct option *option,                    \
		const struct dp_yaml_node *node, void *base);
#include "option.def"

enum type {
#define DP_OPTION_TYPE(TYPE, scale, words) TYPE_##TYPE,
#include "option.def"
	TYPE_N
};

static const struct {
	parse_fn parse;
	uint64_t scale;
	const char *words;
} types[TYPE_N] = {
#define DP_OPTION_TYPE(TYPE, scale, words) {parse_##TYPE, scale, words},
#include "option.def"
};

#define REQUIRED ""
#define NOTHING  NULL
// The structs of the scopes, under names that a row can spell.
#define DP_OPTION_SCOPE(SCOPE, type, title, where) typedef type scope_##SCOPE;
#include "option.def"

static const struct option {
	enum dp_option_scope scope;
	const char *key;
	enum type type;
	size_t offset; // of the field in the scope's struct
	size_t size;   // of the field
	uint64_t min, max;
	const char *def; // as in the file; NULL: no value; "": the key is required
	const char *doc;
} options[] = {
#define DP_OPTION(SCOPE, key, TYPE, field, min, max, def, doc)                                     \
	{DP_SCOPE_##SCOPE, key, TYPE_##TYPE, offsetof(scope_##SCOPE, field),                       \
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

static void option_expected(const struct option *option, char *buf, size_t cap)
{
	const char *words = types[option->type].words;

	if (option->type == TYPE_VIEW || option->type == TYPE_LCORE)
		snprintf(buf, cap, "a number from %" PRIu64 " to %" PRIu64 ", or %s", option->min,
			option->max, words);
	else if (option->type == TYPE_NUMBER || types[option->type].scale > 1)
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

// ---- messages -----------------------------------------------------------------------------------

// What a node is, for "found ...".
static void describe(const struct dp_yaml_node *node, char *buf, size_t cap)
{
	char shown[SHOWN_MAX];

	if (node->kind != DP_YAML_SCALAR) {
		snprintf(buf, cap, "%s", node->kind == DP_YAML_MAP ? "a mapping" : "a list");
		return;
	}
	dp_utf8_escape(node->text, strlen(node->text), shown, sizeof(shown));
	if (node->is_plain &&
		(shown[0] == '\0' || strcmp(shown, "~") == 0 || strcmp(shown, "null") == 0))
		snprintf(buf, cap, "nothing");
	else
		snprintf(buf, cap, "%s\"%s\"", node->is_plain ? "" : "the text ", shown);
}

static bool is_nothing(const struct dp_yaml_node *node)
{
	return node->kind == DP_YAML_SCALAR && node->is_plain &&
	       (node->text[0] == '\0' || strcmp(node->text, "~") == 0 ||
		       strcmp(node->text, "null") == 0);
}

static const char *path_separator(const struct loader *ld)
{
	return ld->path[0] == '\0' ? "" : ".";
}

// "filters.acl.view: found "32abc", expected a number from 1 to 65408".
static int unexpected(
	struct loader *ld, const struct option *option, const struct dp_yaml_node *node)
{
	char found[SHOWN_MAX + 16];
	char expected[160];

	describe(node, found, sizeof(found));
	option_expected(option, expected, sizeof(expected));
	return dp_complain(&ld->to, WE_E_INVALID, node->place, "%s%s%s: found %s, expected %s",
		ld->path, path_separator(ld), option->key, found, expected);
}

// The same for what stands in a list or mapping of texts.
static int not_text(struct loader *ld, const struct option *option, const struct dp_yaml_node *node)
{
	char found[SHOWN_MAX + 16];

	describe(node, found, sizeof(found));
	return dp_complain(&ld->to, WE_E_INVALID, node->place, "%s%s%s: found %s, expected text",
		ld->path, path_separator(ld), option->key, found);
}

// Add a part to ld->path; the length before is given back for path_leave.
static size_t path_enter(struct loader *ld, const char *part)
{
	const size_t len = strlen(ld->path);
	char shown[SHOWN_MAX];

	dp_utf8_escape(part, strlen(part), shown, sizeof(shown));
	snprintf(ld->path + len, sizeof(ld->path) - len, "%s%s", path_separator(ld), shown);
	return len;
}

static void path_leave(struct loader *ld, size_t len)
{
	ld->path[len] = '\0';
}

// ---- memory -------------------------------------------------------------------------------------

static char *copy_text(struct loader *ld, const char *text, size_t len)
{
	char *copy = we_arena_alloc(&ld->owned->arena, len + 1);

	if (copy != NULL)
		memcpy(copy, text, len);
	return copy;
}

// A path as given, or below the configuration's folder. NULL: out of memory.
static char *resolve_path(struct loader *ld, const char *path)
{
	if (path[0] == '/' || strcmp(ld->folder, ".") == 0)
		return copy_text(ld, path, strlen(path));
	const size_t len = strlen(ld->folder) + 1 + strlen(path);
	char *resolved = we_arena_alloc(&ld->owned->arena, len + 1);
	if (resolved != NULL)
		snprintf(resolved, len + 1, "%s/%s", ld->folder, path);
	return resolved;
}

// ---- scopes -------------------------------------------------------------------------------------

static const struct option *option_find(enum dp_option_scope scope, const char *key)
{
	for (size_t i = 0; i < sizeof(options) / sizeof(options[0]); i++) {
		if (options[i].scope == scope && strcmp(options[i].key, key) == 0)
			return &options[i];
	}
	return NULL;
}

static int unknown_key(
	struct loader *ld, enum dp_option_scope scope, const struct dp_yaml_node *node)
{
	struct dp_suggest near = {.word = node->key};
	char shown[SHOWN_MAX];
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
		return dp_complain(&ld->to, WE_E_INVALID, node->key_place,
			"%s%sfound the unknown key \"%s\", did you mean \"%s\"?", ld->path,
			ld->path[0] == '\0' ? "" : ": ", shown, near.best);
	return dp_complain(&ld->to, WE_E_INVALID, node->key_place,
		"%s%sfound the unknown key \"%s\", expected one of %s", ld->path,
		ld->path[0] == '\0' ? "" : ": ", shown, all);
}

static int parse_option(
	struct loader *ld, const struct option *option, const struct dp_yaml_node *node, void *base)
{
	return types[option->type].parse(ld, option, node, base);
}

// A default is read as if it stood in the file.
static int parse_default(
	struct loader *ld, const struct option *option, const struct dp_yaml_node *map, void *base)
{
	const struct dp_yaml_node node = {
		.kind = strcmp(option->def, "{}") == 0 ? DP_YAML_MAP : DP_YAML_SCALAR,
		.place = map->place,
		.text = option->def,
		.is_plain = true,
	};

	return parse_option(ld, option, &node, base);
}

static bool map_has(const struct dp_yaml_node *map, const char *key)
{
	for (const struct dp_yaml_node *n = map->first; n != NULL; n = n->next) {
		if (strcmp(n->key, key) == 0)
			return true;
	}
	return false;
}

// Read a mapping of one scope into base: what is there in the file's order, then the defaults.
static int parse_scope(
	struct loader *ld, enum dp_option_scope scope, const struct dp_yaml_node *map, void *base)
{
	for (const struct dp_yaml_node *n = map->first; n != NULL; n = n->next) {
		const struct option *option = option_find(scope, n->key);
		const int rc = option == NULL ? unknown_key(ld, scope, n)
					      : parse_option(ld, option, n, base);

		if (rc != 0)
			return rc;
	}
	for (size_t i = 0; i < sizeof(options) / sizeof(options[0]); i++) {
		const struct option *option = &options[i];

		if (option->scope != scope || option->def == NOTHING || map_has(map, option->key))
			continue;
		if (option->def[0] == '\0')
			return dp_complain(&ld->to, WE_E_INVALID, map->place,
				"%s%sthe key \"%s\" is missing", ld->path,
				ld->path[0] == '\0' ? "" : ": ", option->key);
		const int rc = parse_default(ld, option, map, base);
		if (rc != 0)
			return rc;
	}
	return 0;
}

// ---- values -------------------------------------------------------------------------------------

static void *field_of(const struct option *option, void *base)
{
	return (char *)base + option->offset;
}

// Digits only: no sign, no space, no leading zero (YAML 1.1 reads those as octal), no 32abc.
static bool read_number(const char *text, uint64_t *ret_value)
{
	uint64_t value = 0;

	if (text[0] == '\0' || (text[0] == '0' && text[1] != '\0'))
		return false;
	for (; *text != '\0'; text++) {
		if (*text < '0' || *text > '9' || __builtin_mul_overflow(value, 10, &value) ||
			__builtin_add_overflow(value, (uint64_t)(*text - '0'), &value))
			return false;
	}
	*ret_value = value;
	return true;
}

static void store_number(const struct option *option, void *base, uint64_t value)
{
	void *field = field_of(option, base);

	switch (option->size) {
	case sizeof(uint16_t):
		assert(value <= UINT16_MAX);
		*(uint16_t *)field = (uint16_t)value;
		break;
	case sizeof(uint32_t):
		assert(value <= UINT32_MAX);
		*(uint32_t *)field = (uint32_t)value;
		break;
	default:
		assert(option->size == sizeof(uint64_t));
		*(uint64_t *)field = value;
		break;
	}
}

static int parse_NUMBER(
	struct loader *ld, const struct option *option, const struct dp_yaml_node *node, void *base)
{
	uint64_t value;

	if (node->kind != DP_YAML_SCALAR || !node->is_plain || !read_number(node->text, &value) ||
		value < option->min || value > option->max)
		return unexpected(ld, option, node);
	store_number(option, base, value * types[option->type].scale);
	return 0;
}

static int parse_MS(
	struct loader *ld, const struct option *option, const struct dp_yaml_node *node, void *base)
{
	return parse_NUMBER(ld, option, node, base);
}

static int parse_US(
	struct loader *ld, const struct option *option, const struct dp_yaml_node *node, void *base)
{
	return parse_NUMBER(ld, option, node, base);
}

static int parse_VIEW(
	struct loader *ld, const struct option *option, const struct dp_yaml_node *node, void *base)
{
	if (node->kind == DP_YAML_SCALAR && strcmp(node->text, "full") == 0) {
		store_number(option, base, WS_VIEW_FULL);
		return 0;
	}
	return parse_NUMBER(ld, option, node, base);
}

static int parse_LCORE(
	struct loader *ld, const struct option *option, const struct dp_yaml_node *node, void *base)
{
	if (node->kind == DP_YAML_SCALAR && strcmp(node->text, "any") == 0) {
		store_number(option, base, DP_LCORE_ANY);
		return 0;
	}
	return parse_NUMBER(ld, option, node, base);
}

// Which of the words [n] the node says, or n.
static uint32_t word_index(const struct dp_yaml_node *node, const char *const *words, uint32_t n)
{
	uint32_t i = 0;

	if (node->kind != DP_YAML_SCALAR)
		return n;
	while (i < n && strcmp(words[i], node->text) != 0)
		i++;
	return i;
}

static int parse_BOOL(
	struct loader *ld, const struct option *option, const struct dp_yaml_node *node, void *base)
{
	static const char *const words[] = {"false", "true"};
	const uint32_t i = word_index(node, words, 2);

	if (i == 2 || !node->is_plain)
		return unexpected(ld, option, node);
	*(bool *)field_of(option, base) = i == 1;
	return 0;
}

static int parse_IDLE(
	struct loader *ld, const struct option *option, const struct dp_yaml_node *node, void *base)
{
	static const char *const words[] = {[DP_IDLE_SPIN] = "spin", [DP_IDLE_SLEEP] = "sleep"};
	const uint32_t i = word_index(node, words, 2);

	if (i == 2)
		return unexpected(ld, option, node);
	*(enum dp_idle *)field_of(option, base) = (enum dp_idle)i;
	return 0;
}

static int parse_ON_FAULT(
	struct loader *ld, const struct option *option, const struct dp_yaml_node *node, void *base)
{
	static const char *const words[] = {
		[DP_ON_FAULT_CLOSED] = "closed",
		[DP_ON_FAULT_OPEN] = "open",
		[DP_ON_FAULT_BYPASS] = "bypass",
	};
	const uint32_t i = word_index(node, words, 3);

	if (i == 3)
		return unexpected(ld, option, node);
	*(enum dp_on_fault *)field_of(option, base) = (enum dp_on_fault)i;
	return 0;
}

static int parse_TEXT(
	struct loader *ld, const struct option *option, const struct dp_yaml_node *node, void *base)
{
	if (node->kind != DP_YAML_SCALAR || is_nothing(node) || node->text[0] == '\0')
		return unexpected(ld, option, node);
	char *copy = copy_text(ld, node->text, strlen(node->text));
	if (copy == NULL)
		return WE_E_NOMEM;
	*(const char **)field_of(option, base) = copy;
	return 0;
}

bool dp_config_name_is_valid(const char *name)
{
	if (!isalpha((unsigned char)name[0]) || strlen(name) >= DP_NAME_MAX)
		return false;
	for (const char *p = name; *p != '\0'; p++) {
		if (!isalnum((unsigned char)*p) && strchr("._-", *p) == NULL)
			return false;
	}
	return true;
}

static int parse_INSTANCE(
	struct loader *ld, const struct option *option, const struct dp_yaml_node *node, void *base)
{
	if (node->kind != DP_YAML_SCALAR || !dp_config_name_is_valid(node->text))
		return unexpected(ld, option, node);
	return parse_TEXT(ld, option, node, base);
}

// Text in which ${conf} stands for the configuration's folder.
static int expand(struct loader *ld, const struct option *option, const struct dp_yaml_node *node,
	const char **ret_text)
{
	static const char variable[] = "${conf}";
	size_t cap = strlen(node->text) + 1;

	for (const char *p = node->text; (p = strstr(p, "${")) != NULL; p += 2) {
		if (strncmp(p, variable, strlen(variable)) != 0)
			return dp_complain(&ld->to, WE_E_INVALID, node->place,
				"%s%s%s: found \"%.*s\", expected no variable but ${conf}",
				ld->path, path_separator(ld), option->key,
				(int)strcspn(p, "}") + (strchr(p, '}') != NULL), p);
		cap += strlen(ld->folder);
	}
	char *text = we_arena_alloc(&ld->owned->arena, cap);
	if (text == NULL)
		return WE_E_NOMEM;
	char *to = text;
	for (const char *p = node->text; *p != '\0';) {
		if (strncmp(p, variable, strlen(variable)) == 0) {
			to = stpcpy(to, ld->folder);
			p += strlen(variable);
		} else {
			*to++ = *p++;
		}
	}
	*ret_text = text;
	return 0;
}

static int parse_DEVICE(
	struct loader *ld, const struct option *option, const struct dp_yaml_node *node, void *base)
{
	if (node->kind != DP_YAML_SCALAR || is_nothing(node) || node->text[0] == '\0')
		return unexpected(ld, option, node);
	return expand(ld, option, node, (const char **)field_of(option, base));
}

// Is it an argument of EAL that weir gives itself, from what the configuration says elsewhere?
static bool is_weirs_own(const char *arg)
{
	static const char *const own[] = {
		"-c", "-l", "-s", "-S", "--lcores", "--main-lcore", "--file-prefix", "--proc-type"};
	const size_t len = strcspn(arg, "=");

	for (size_t i = 0; i < sizeof(own) / sizeof(own[0]); i++) {
		if (strlen(own[i]) == len && memcmp(own[i], arg, len) == 0)
			return true;
	}
	return false;
}

static int parse_TEXTS(
	struct loader *ld, const struct option *option, const struct dp_yaml_node *node, void *base)
{
	struct dp_config *config = base;

	if (node->kind != DP_YAML_LIST)
		return unexpected(ld, option, node);
	const char **texts = we_arena_array(&ld->owned->arena, node->n, sizeof(*texts));
	if (texts == NULL)
		return WE_E_NOMEM;
	uint32_t n_texts = 0;
	for (const struct dp_yaml_node *n = node->first; n != NULL; n = n->next) {
		if (n->kind != DP_YAML_SCALAR || is_nothing(n))
			return not_text(ld, option, n);
		if (is_weirs_own(n->text))
			return dp_complain(&ld->to, WE_E_INVALID, n->place,
				"eal: found \"%s\", which weir says itself: see workers and "
				"instance",
				n->text);
		const int rc = expand(ld, option, n, &texts[n_texts++]);
		if (rc != 0)
			return rc;
	}
	config->eal_args = texts;
	config->n_eal_args = n_texts;
	return 0;
}

static int parse_MAC(
	struct loader *ld, const struct option *option, const struct dp_yaml_node *node, void *base)
{
	struct dp_port_config *port = base;
	static const uint8_t none[6];
	int end = 0;
	uint8_t *m = port->mac;

	if (node->kind != DP_YAML_SCALAR || strlen(node->text) != 17 ||
		strspn(node->text, "0123456789abcdefABCDEF:") != 17 ||
		sscanf(node->text, "%2hhx:%2hhx:%2hhx:%2hhx:%2hhx:%2hhx%n", &m[0], &m[1], &m[2],
			&m[3], &m[4], &m[5], &end) != 6 ||
		end != 17 || (m[0] & 1) != 0 || memcmp(m, none, 6) == 0)
		return unexpected(ld, option, node);
	port->has_mac = true;
	return 0;
}

// Why a file cannot be read, or NULL.
static const char *file_problem(const char *path)
{
	struct stat st;

	if (stat(path, &st) != 0)
		return strerror(errno);
	if (S_ISDIR(st.st_mode))
		return "it is a folder";
	if (access(path, R_OK) != 0)
		return strerror(errno);
	return NULL;
}

static int parse_FILE(
	struct loader *ld, const struct option *option, const struct dp_yaml_node *node, void *base)
{
	if (node->kind != DP_YAML_SCALAR || is_nothing(node) || node->text[0] == '\0')
		return unexpected(ld, option, node);
	char *path = resolve_path(ld, node->text);
	if (path == NULL)
		return WE_E_NOMEM;
	const char *problem = file_problem(path);
	if (problem != NULL)
		return dp_complain(&ld->to, WE_E_INVALID, node->place, "%s.%s: cannot read %s: %s",
			ld->path, option->key, path, problem);
	*(const char **)field_of(option, base) = path;
	return 0;
}

// ---- a filter's config map ----------------------------------------------------------------------

// A whole file into the arena, terminated. Returns: 0; HOST with err->msg; NOMEM.
static int read_file(struct loader *ld, const char *path, size_t cap, const char **ret_text,
	size_t *ret_len, struct we_error *err)
{
	uint8_t *data;
	size_t len;
	const int rc = dp_file_read(path, cap, &data, &len, err);

	if (rc != 0)
		return rc;
	*ret_text = copy_text(ld, (const char *)data, len);
	*ret_len = len;
	free(data);
	return *ret_text != NULL ? 0 : WE_E_NOMEM;
}

static int read_entry(struct loader *ld, const struct option *option,
	const struct dp_yaml_node *node, struct ws_config_entry *entry)
{
	const char *text = node->text;
	size_t len;

	if (node->kind != DP_YAML_SCALAR)
		return not_text(ld, option, node);
	entry->key = node->key;
	len = strlen(text);
	if (text[0] == '@' && text[1] != '@') {
		const char *path = resolve_path(ld, text + 1);
		struct we_error err;

		if (path == NULL)
			return WE_E_NOMEM;
		const int rc = read_file(ld, path, VALUE_FILE_MAX, &text, &len, &err);
		if (rc == WE_E_HOST)
			return dp_complain(&ld->to, WE_E_INVALID, node->place,
				"%s.config: cannot read %s: %s", ld->path, path, err.msg);
		if (rc != 0)
			return rc;
		for (size_t i = 0, n; i < len; i += n) {
			n = dp_utf8_len(text + i, len - i);
			if (n == 0)
				return dp_complain(&ld->to, WE_E_INVALID, node->place,
					"%s.config: %s:0x%zx: found the byte 0x%02x, expected "
					"UTF-8",
					ld->path, path, i, (unsigned char)text[i]);
		}
	} else if (text[0] == '@') {
		text++;
		len--;
	}
	entry->value = text;
	entry->value_len = len;
	return 0;
}

static int parse_ENTRIES(
	struct loader *ld, const struct option *option, const struct dp_yaml_node *node, void *base)
{
	struct dp_filter_config *filter = base;

	if (node->kind != DP_YAML_MAP)
		return unexpected(ld, option, node);
	struct ws_config_entry *entries =
		we_arena_array(&ld->owned->arena, node->n, sizeof(*entries));
	if (entries == NULL)
		return WE_E_NOMEM;
	uint32_t n_entries = 0;
	for (const struct dp_yaml_node *n = node->first; n != NULL; n = n->next) {
		const int rc = read_entry(ld, option, n, &entries[n_entries++]);

		if (rc != 0)
			return rc;
	}
	filter->entries = entries;
	filter->n_entries = n_entries;
	return 0;
}

// ---- references, resolved when all names are known ----------------------------------------------

static int refer(struct loader *ld, const struct option *option, const struct dp_yaml_node *node,
	uint16_t *target, bool is_chain)
{
	struct reference *ref = we_arena_alloc(&ld->owned->arena, sizeof(*ref));
	char where[sizeof(ld->path) + 32];

	if (node->kind != DP_YAML_SCALAR || is_nothing(node))
		return unexpected(ld, option, node);
	snprintf(where, sizeof(where), "%s%s%s", ld->path, path_separator(ld), option->key);
	if (ref == NULL || (ref->where = copy_text(ld, where, strlen(where))) == NULL)
		return WE_E_NOMEM;
	ref->node = node;
	ref->target = target;
	ref->is_chain = is_chain;
	*ld->references_tail = ref;
	ld->references_tail = &ref->next;
	return 0;
}

static int parse_PORT(
	struct loader *ld, const struct option *option, const struct dp_yaml_node *node, void *base)
{
	return refer(ld, option, node, field_of(option, base), false);
}

static int parse_CHAIN(
	struct loader *ld, const struct option *option, const struct dp_yaml_node *node, void *base)
{
	return refer(ld, option, node, field_of(option, base), true);
}

// Names of ports, chains and filters begin their structs; stride is the struct's size.
static uint16_t name_find(const void *things, size_t stride, uint32_t n, const char *name)
{
	for (uint32_t i = 0; i < n; i++) {
		if (strcmp((const char *)things + i * stride, name) == 0)
			return (uint16_t)i;
	}
	return DP_NO_INDEX;
}

// "ports.left.to: found the unknown port "rihgt", did you mean "right"?"
static int unknown_name(struct loader *ld, struct dp_place place, const char *where,
	const char *what, const char *name, const void *things, size_t stride, uint32_t n)
{
	struct dp_suggest near = {.word = name};
	char shown[SHOWN_MAX];

	dp_utf8_escape(name, strlen(name), shown, sizeof(shown));
	for (uint32_t i = 0; i < n; i++)
		dp_suggest_offer(&near, (const char *)things + i * stride);
	if (near.best != NULL)
		return dp_complain(&ld->to, WE_E_INVALID, place,
			"%s: found the unknown %s \"%s\", did you mean \"%s\"?", where, what, shown,
			near.best);
	return dp_complain(&ld->to, WE_E_INVALID, place,
		"%s: found the unknown %s \"%s\", expected one of the %u under %ss", where, what,
		shown, n, what);
}

static int resolve_references(struct loader *ld)
{
	const struct dp_config *config = &ld->owned->config;

	for (const struct reference *ref = ld->references; ref != NULL; ref = ref->next) {
		const void *things = ref->is_chain ? (const void *)config->chains : config->ports;
		const size_t stride = ref->is_chain ? sizeof(struct dp_chain_config)
						    : sizeof(struct dp_port_config);
		const uint32_t n = ref->is_chain ? config->n_chains : config->n_ports;

		*ref->target = name_find(things, stride, n, ref->node->text);
		if (*ref->target == DP_NO_INDEX)
			return unknown_name(ld, ref->node->place, ref->where,
				ref->is_chain ? "chain" : "port", ref->node->text, things, stride,
				n);
	}
	return 0;
}

// ---- sections -----------------------------------------------------------------------------------

// Is this a mapping (or list) with an allowed number of things in it?
static int check_section(struct loader *ld, const struct option *option,
	const struct dp_yaml_node *node, enum dp_yaml_kind kind)
{
	if (node->kind != kind)
		return unexpected(ld, option, node);
	if (node->n < option->min || node->n > option->max)
		return dp_complain(&ld->to, WE_E_INVALID, node->place,
			"%s: found %u entries, expected %" PRIu64 " to %" PRIu64, option->key,
			node->n, option->min, option->max);
	return 0;
}

// Take the name of a thing in a section: valid, and copied to where it goes [DP_NAME_MAX].
static int take_name(struct loader *ld, const struct option *option,
	const struct dp_yaml_node *node, char *ret_name)
{
	char shown[SHOWN_MAX];

	if (!dp_config_name_is_valid(node->key)) {
		dp_utf8_escape(node->key, strlen(node->key), shown, sizeof(shown));
		return dp_complain(&ld->to, WE_E_INVALID, node->key_place,
			"%s: found the name \"%s\", expected %s", option->key, shown,
			types[TYPE_INSTANCE].words);
	}
	strcpy(ret_name, node->key);
	return 0;
}

// A named mapping of one scope: name, then its keys, with the path for messages.
static int parse_named(struct loader *ld, const struct option *option,
	const struct dp_yaml_node *node, enum dp_option_scope scope, void *base)
{
	int rc = take_name(ld, option, node, base); // the name begins the struct
	const size_t outer = path_enter(ld, option->key);

	path_enter(ld, node->key);
	if (rc == 0 && node->kind != DP_YAML_MAP) {
		char found[SHOWN_MAX + 16];

		describe(node, found, sizeof(found));
		rc = dp_complain(&ld->to, WE_E_INVALID, node->place,
			"%s: found %s, expected a mapping", ld->path, found);
	}
	if (rc == 0)
		rc = parse_scope(ld, scope, node, base);
	path_leave(ld, outer);
	return rc;
}

static int parse_PORTS(
	struct loader *ld, const struct option *option, const struct dp_yaml_node *node, void *base)
{
	struct dp_config *config = base;
	int rc = check_section(ld, option, node, DP_YAML_MAP);

	if (rc != 0)
		return rc;
	struct dp_port_config *ports = we_arena_array(&ld->owned->arena, node->n, sizeof(*ports));
	if (ports == NULL)
		return WE_E_NOMEM;
	config->ports = ports;
	for (const struct dp_yaml_node *n = node->first; n != NULL && rc == 0; n = n->next) {
		struct dp_port_config *port = &ports[config->n_ports++];

		port->chain_idx = DP_NO_INDEX;
		port->to_port_idx = DP_NO_INDEX;
		port->place = n->key_place;
		rc = parse_named(ld, option, n, DP_SCOPE_PORT, port);
	}
	return rc;
}

static int parse_FILTERS(
	struct loader *ld, const struct option *option, const struct dp_yaml_node *node, void *base)
{
	struct dp_config *config = base;
	int rc = check_section(ld, option, node, DP_YAML_MAP);

	if (rc != 0)
		return rc;
	struct dp_filter_config *filters =
		we_arena_array(&ld->owned->arena, node->n, sizeof(*filters));
	if (filters == NULL)
		return WE_E_NOMEM;
	config->filters = filters;
	for (const struct dp_yaml_node *n = node->first; n != NULL && rc == 0; n = n->next) {
		struct dp_filter_config *filter = &filters[config->n_filters++];

		filter->place = n->key_place;
		rc = parse_named(ld, option, n, DP_SCOPE_FILTER, filter);
	}
	return rc;
}

// The chain's filters stay names in the tree until all filters are known: see resolve_chains.
static int parse_CHAINS(
	struct loader *ld, const struct option *option, const struct dp_yaml_node *node, void *base)
{
	struct dp_config *config = base;
	int rc = check_section(ld, option, node, DP_YAML_MAP);

	if (rc != 0)
		return rc;
	struct dp_chain_config *chains =
		we_arena_array(&ld->owned->arena, node->n, sizeof(*chains));
	if (chains == NULL)
		return WE_E_NOMEM;
	config->chains = chains;
	ld->chains = node;
	for (const struct dp_yaml_node *n = node->first; n != NULL && rc == 0; n = n->next) {
		struct dp_chain_config *chain = &chains[config->n_chains++];

		chain->place = n->key_place;
		rc = take_name(ld, option, n, chain->name);
		if (rc != 0)
			break;
		if (n->kind != DP_YAML_LIST || n->n == 0 || n->n > DP_CHAIN_MAX) {
			char found[SHOWN_MAX + 16];

			describe(n, found, sizeof(found));
			if (n->kind == DP_YAML_LIST)
				snprintf(found, sizeof(found), "a list of %u", n->n);
			rc = dp_complain(&ld->to, WE_E_INVALID, n->place,
				"chains.%s: found %s, expected a list of 1 to %d filters' names",
				chain->name, found, DP_CHAIN_MAX);
		}
	}
	return rc;
}

static int parse_WORKERS(
	struct loader *ld, const struct option *option, const struct dp_yaml_node *node, void *base)
{
	struct dp_config *config = base;
	int rc = check_section(ld, option, node, DP_YAML_LIST);

	if (rc != 0)
		return rc;
	ld->workers = we_arena_array(&ld->owned->arena, node->n, sizeof(*ld->workers));
	ld->worker_queues = we_arena_array(&ld->owned->arena, node->n, sizeof(*ld->worker_queues));
	if (ld->workers == NULL || ld->worker_queues == NULL)
		return WE_E_NOMEM;
	config->workers = ld->workers;
	for (const struct dp_yaml_node *n = node->first; n != NULL && rc == 0; n = n->next) {
		struct dp_worker_config *worker = &ld->workers[config->n_workers];
		char part[32];
		const size_t outer = strlen(ld->path);

		worker->place = n->place;
		snprintf(part, sizeof(part), "workers[%u]", config->n_workers++);
		path_enter(ld, part);
		if (n->kind == DP_YAML_MAP) {
			rc = parse_scope(ld, DP_SCOPE_WORKER, n, worker);
		} else {
			char found[SHOWN_MAX + 16];

			describe(n, found, sizeof(found));
			rc = dp_complain(&ld->to, WE_E_INVALID, n->place,
				"%s: found %s, expected a mapping", ld->path, found);
		}
		path_leave(ld, outer);
	}
	return rc;
}

// The worker's queues stay names until all ports are known: see resolve_queues.
static int parse_QUEUES(
	struct loader *ld, const struct option *option, const struct dp_yaml_node *node, void *base)
{
	const struct dp_worker_config *worker = base;

	if (node->kind != DP_YAML_LIST)
		return unexpected(ld, option, node);
	for (const struct dp_yaml_node *n = node->first; n != NULL; n = n->next) {
		if (n->kind != DP_YAML_SCALAR || is_nothing(n))
			return not_text(ld, option, n);
	}
	ld->worker_queues[worker - ld->workers] = node;
	return 0;
}

static int parse_LIMITS(
	struct loader *ld, const struct option *option, const struct dp_yaml_node *node, void *base)
{
	if (node->kind != DP_YAML_MAP)
		return unexpected(ld, option, node);
	struct ws_limits *limits = field_of(option, base);
	const size_t outer = path_enter(ld, option->key);
	int rc = parse_scope(ld, DP_SCOPE_LIMITS, node, limits);

	if (rc == 0 && limits->cm.core.memory_pages_precommit > limits->cm.core.memory_pages)
		rc = dp_complain(&ld->to, WE_E_INVALID, node->place,
			"%s: found memory_precommit %" PRIu64
			", expected at most memory_pages, %" PRIu64,
			ld->path, limits->cm.core.memory_pages_precommit,
			limits->cm.core.memory_pages);
	path_leave(ld, outer);
	return rc;
}

static int parse_RESTART(
	struct loader *ld, const struct option *option, const struct dp_yaml_node *node, void *base)
{
	struct dp_filter_config *filter = base;

	if (node->kind != DP_YAML_MAP)
		return unexpected(ld, option, node);
	const size_t outer = path_enter(ld, option->key);
	int rc = parse_scope(ld, DP_SCOPE_RESTART, node, base);

	if (rc == 0 && !map_has(node, "max_ms") && filter->restart_max_ns < filter->restart_min_ns)
		filter->restart_max_ns = filter->restart_min_ns;
	if (rc == 0 && filter->restart_min_ns > filter->restart_max_ns)
		rc = dp_complain(&ld->to, WE_E_INVALID, node->place,
			"%s: found min_ms %" PRIu64 ", expected at most max_ms, %" PRIu64, ld->path,
			filter->restart_min_ns / types[TYPE_MS].scale,
			filter->restart_max_ns / types[TYPE_MS].scale);
	path_leave(ld, outer);
	return rc;
}

// ---- what only the whole can tell ---------------------------------------------------------------

static int resolve_chains(struct loader *ld)
{
	const struct dp_config *config = &ld->owned->config;
	struct dp_chain_config *chain = (struct dp_chain_config *)config->chains;

	if (config->n_chains == 0)
		return 0;
	for (const struct dp_yaml_node *node = ld->chains->first; node != NULL;
		node = node->next, chain++) {
		uint16_t *idx = we_arena_array(&ld->owned->arena, node->n, sizeof(*idx));

		if (idx == NULL)
			return WE_E_NOMEM;
		for (const struct dp_yaml_node *n = node->first; n != NULL; n = n->next) {
			char where[DP_NAME_MAX + 16];
			uint16_t found = DP_NO_INDEX;

			snprintf(where, sizeof(where), "chains.%s", chain->name);
			if (n->kind == DP_YAML_SCALAR)
				found = name_find(config->filters, sizeof(*config->filters),
					config->n_filters, n->text);
			else
				return dp_complain(&ld->to, WE_E_INVALID, n->place,
					"%s: found a %s, expected the name of a filter", where,
					n->kind == DP_YAML_MAP ? "mapping" : "list");
			if (found == DP_NO_INDEX)
				return unknown_name(ld, n->place, where, "filter", n->text,
					config->filters, sizeof(*config->filters),
					config->n_filters);
			idx[chain->n_filters++] = found;
		}
		chain->filter_idx = idx;
	}
	return 0;
}

// Who polls each queue, while the map is being made: [n_ports][DP_QUEUES_MAX], worker + 1, 0: nobody.
struct pollers {
	uint32_t worker[DP_PORTS_MAX][DP_QUEUES_MAX];
};

static int poll_queue(struct loader *ld, struct pollers *pollers, uint32_t worker_idx,
	uint16_t port_idx, uint16_t queue_idx, struct dp_place place)
{
	uint32_t *poller = &pollers->worker[port_idx][queue_idx];

	if (*poller != 0)
		return dp_complain(&ld->to, WE_E_INVALID, place,
			"workers[%u].queues: found queue %s:%u again, expected it once "
			"(workers[%u] polls it)",
			worker_idx, ld->owned->config.ports[port_idx].name, queue_idx, *poller - 1);
	*poller = worker_idx + 1;
	return 0;
}

// One text of a worker's list: PORT or PORT:QUEUE.
static int poll_named(struct loader *ld, struct pollers *pollers, uint32_t worker_idx,
	const struct dp_yaml_node *node)
{
	const struct dp_config *config = &ld->owned->config;
	const char *colon = strchr(node->text, ':');
	const size_t name_len = colon != NULL ? (size_t)(colon - node->text) : strlen(node->text);
	char *name = copy_text(ld, node->text, name_len);
	char where[48];
	uint64_t queue;

	if (name == NULL)
		return WE_E_NOMEM;
	snprintf(where, sizeof(where), "workers[%u].queues", worker_idx);
	const uint16_t port_idx =
		name_find(config->ports, sizeof(*config->ports), config->n_ports, name);
	if (port_idx == DP_NO_INDEX)
		return unknown_name(ld, node->place, where, "port", name, config->ports,
			sizeof(*config->ports), config->n_ports);
	const uint16_t n_queues = config->ports[port_idx].n_queues;
	if (colon == NULL) {
		int rc = 0;

		for (uint16_t q = 0; q < n_queues && rc == 0; q++)
			rc = poll_queue(ld, pollers, worker_idx, port_idx, q, node->place);
		return rc;
	}
	if (!read_number(colon + 1, &queue) || queue >= n_queues) {
		char shown[SHOWN_MAX];

		dp_utf8_escape(colon + 1, strlen(colon + 1), shown, sizeof(shown));
		return dp_complain(&ld->to, WE_E_INVALID, node->place,
			"%s: found queue \"%s\" of port %s, expected a number from 0 to %u", where,
			shown, name, n_queues - 1u);
	}
	return poll_queue(ld, pollers, worker_idx, port_idx, (uint16_t)queue, node->place);
}

static int fill_pollers(struct loader *ld, struct pollers *pollers)
{
	const struct dp_config *config = &ld->owned->config;
	uint32_t n_given = 0;

	for (uint32_t w = 0; w < config->n_workers; w++)
		n_given += ld->worker_queues[w] != NULL;
	for (uint32_t w = 0; w < config->n_workers && n_given > 0; w++) {
		if (ld->worker_queues[w] == NULL)
			return dp_complain(&ld->to, WE_E_INVALID, config->workers[w].place,
				"workers[%u]: the key \"queues\" is missing, expected it at all "
				"workers or at none",
				w);
		for (const struct dp_yaml_node *n = ld->worker_queues[w]->first; n != NULL;
			n = n->next) {
			const int rc = poll_named(ld, pollers, w, n);

			if (rc != 0)
				return rc;
		}
	}
	for (uint16_t p = 0; p < config->n_ports; p++) {
		for (uint16_t q = 0; q < config->ports[p].n_queues; q++) {
			if (n_given == 0)
				pollers->worker[p][q] = dp_queue_map(p, q, config->n_workers) + 1;
			else if (pollers->worker[p][q] == 0)
				return dp_complain(&ld->to, WE_E_INVALID, config->ports[p].place,
					"ports.%s: queue %u is polled by nobody, expected it under "
					"workers",
					config->ports[p].name, q);
		}
	}
	return 0;
}

static int resolve_queues(struct loader *ld)
{
	const struct dp_config *config = &ld->owned->config;
	struct pollers pollers = {0};
	const int rc = fill_pollers(ld, &pollers);

	if (rc != 0)
		return rc;
	for (uint32_t w = 0; w < config->n_workers; w++) {
		struct dp_queue_ref *queues = we_arena_array(
			&ld->owned->arena, (size_t)DP_PORTS_MAX * DP_QUEUES_MAX, sizeof(*queues));

		if (queues == NULL)
			return WE_E_NOMEM;
		ld->workers[w].queues = queues;
		for (uint16_t p = 0; p < config->n_ports; p++) {
			for (uint16_t q = 0; q < config->ports[p].n_queues; q++) {
				if (pollers.worker[p][q] == w + 1)
					queues[ld->workers[w].n_queues++] =
						(struct dp_queue_ref){p, q};
			}
		}
		if (ld->workers[w].n_queues == 0)
			return dp_complain(&ld->to, WE_E_INVALID, config->workers[w].place,
				"workers[%u]: it polls no queue, expected at least one", w);
		for (uint32_t other = 0; other < w; other++) {
			if (config->workers[w].lcore != DP_LCORE_ANY &&
				config->workers[other].lcore == config->workers[w].lcore)
				return dp_complain(&ld->to, WE_E_INVALID, config->workers[w].place,
					"workers[%u].lcore: found lcore %u again, expected one "
					"worker a core (workers[%u] has it)",
					w, config->workers[w].lcore, other);
		}
	}
	return 0;
}

static int check_devices(struct loader *ld)
{
	const struct dp_config *config = &ld->owned->config;

	for (uint32_t p = 0; p < config->n_ports; p++) {
		const char *device = config->ports[p].device;

		for (uint32_t other = 0; other < p; other++) {
			const char *taken = config->ports[other].device;
			const size_t len = strcspn(device, ",");

			if (len == strcspn(taken, ",") && strncmp(device, taken, len) == 0)
				return dp_complain(&ld->to, WE_E_INVALID, config->ports[p].place,
					"ports.%s.device: found the device %.*s again, expected it "
					"once (ports.%s has it)",
					config->ports[p].name, (int)len, device,
					config->ports[other].name);
		}
	}
	return 0;
}

static int load_tree(struct loader *ld, const struct dp_yaml_node *root)
{
	struct dp_config *config = &ld->owned->config;
	int rc;

	if (root->kind != DP_YAML_MAP) {
		char found[SHOWN_MAX + 16];

		describe(root, found, sizeof(found));
		return dp_complain(&ld->to, WE_E_INVALID, root->place,
			"found %s, expected a mapping with \"ports\" and \"workers\"", found);
	}
	config->exception_port_idx = DP_NO_INDEX;
	rc = parse_scope(ld, DP_SCOPE_CONFIG, root, config);
	if (rc == 0)
		rc = resolve_references(ld);
	if (rc == 0)
		rc = resolve_chains(ld);
	if (rc == 0)
		rc = resolve_queues(ld);
	if (rc == 0)
		rc = check_devices(ld);
	return rc;
}

static int load_file(struct loader *ld, const char *path)
{
	const struct dp_place nowhere = {0, 0};
	const char *slash = strrchr(path, '/');
	struct dp_yaml_node *root;
	struct we_error err;
	const char *text;
	size_t len;

	ld->folder = slash == NULL   ? copy_text(ld, ".", 1)
		     : slash == path ? copy_text(ld, "/", 1)
				     : copy_text(ld, path, (size_t)(slash - path));
	ld->owned->config.file = copy_text(ld, path, strlen(path));
	if (ld->folder == NULL || ld->owned->config.file == NULL)
		return WE_E_NOMEM;
	int rc = read_file(ld, path, FILE_MAX, &text, &len, &err);
	if (rc == WE_E_HOST)
		return dp_complain(&ld->to, WE_E_HOST, nowhere, "cannot read it: %s", err.msg);
	if (rc == 0)
		rc = dp_yaml_parse(&ld->owned->arena, &ld->to, text, len, &root);
	if (rc == 0)
		rc = load_tree(ld, root);
	return rc;
}

int dp_config_load(
	const char *path, const char *instance, struct dp_config **ret_config, char **ret_message)
{
	struct we_arena arena = {0};
	char *message = NULL;
	struct loader ld = {
		.owned = we_arena_alloc(&arena, sizeof(*ld.owned)),
		.to = {.file = path, .ret_message = &message},
	};
	int rc;

	if (ld.owned == NULL)
		return WE_E_NOMEM;
	ld.references_tail = &ld.references;
	ld.owned->arena = arena; // which now holds itself
	rc = load_file(&ld, path);
	if (rc == 0 && instance != NULL) {
		ld.owned->config.instance = copy_text(&ld, instance, strlen(instance));
		if (ld.owned->config.instance == NULL)
			rc = WE_E_NOMEM;
	}
	if (rc == 0) {
		*ret_config = &ld.owned->config;
		return 0;
	}
	if (message == NULL)
		message = strdup("out of memory");
	*ret_message = message;
	dp_config_destroy(&ld.owned->config);
	return rc;
}

void dp_config_destroy(struct dp_config *config)
{
	if (config == NULL)
		return;
	// The arena holds the struct that holds it: it is copied out first.
	struct we_arena arena = ((struct owned *)config)->arena;
	we_arena_fini(&arena);
}
