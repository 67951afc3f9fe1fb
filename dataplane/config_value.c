// SPDX-License-Identifier: BSD-3-Clause
// config_value: one parser for each type of value in option.def.
#include "config_loader.h"

#include "file.h"
#include "utf8.h"

#include <assert.h>
#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
	VALUE_FILE_MAX = 1 << 26, // bytes of a file that a filter's config names
};

void *config_field(const struct config_option *option, void *base)
{
	return (char *)base + option->offset;
}

// Digits only: no sign, no space, no leading zero (YAML 1.1 reads those as octal), no 32abc.
bool config_read_number(const char *text, uint64_t *ret_value)
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

static void store_number(const struct config_option *option, void *base, uint64_t value)
{
	void *field = config_field(option, base);

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

int config_parse_NUMBER(struct config_loader *ld, const struct config_option *option,
	const struct dp_yaml_node *node, void *base)
{
	uint64_t value;

	if (node->kind != DP_YAML_SCALAR || !node->is_plain ||
		!config_read_number(node->text, &value) || value < option->min ||
		value > option->max)
		return config_unexpected(ld, option, node);
	store_number(option, base, value * config_type_scale(option->type));
	return 0;
}

int config_parse_MS(struct config_loader *ld, const struct config_option *option,
	const struct dp_yaml_node *node, void *base)
{
	return config_parse_NUMBER(ld, option, node, base);
}

int config_parse_US(struct config_loader *ld, const struct config_option *option,
	const struct dp_yaml_node *node, void *base)
{
	return config_parse_NUMBER(ld, option, node, base);
}

int config_parse_VIEW(struct config_loader *ld, const struct config_option *option,
	const struct dp_yaml_node *node, void *base)
{
	if (node->kind == DP_YAML_SCALAR && strcmp(node->text, "full") == 0) {
		store_number(option, base, WS_VIEW_FULL);
		return 0;
	}
	return config_parse_NUMBER(ld, option, node, base);
}

int config_parse_LCORE(struct config_loader *ld, const struct config_option *option,
	const struct dp_yaml_node *node, void *base)
{
	if (node->kind == DP_YAML_SCALAR && strcmp(node->text, "any") == 0) {
		store_number(option, base, DP_LCORE_ANY);
		return 0;
	}
	return config_parse_NUMBER(ld, option, node, base);
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

int config_parse_BOOL(struct config_loader *ld, const struct config_option *option,
	const struct dp_yaml_node *node, void *base)
{
	static const char *const words[] = {"false", "true"};
	const uint32_t i = word_index(node, words, 2);

	if (i == 2 || !node->is_plain)
		return config_unexpected(ld, option, node);
	*(bool *)config_field(option, base) = i == 1;
	return 0;
}

int config_parse_IDLE(struct config_loader *ld, const struct config_option *option,
	const struct dp_yaml_node *node, void *base)
{
	static const char *const words[] = {[DP_IDLE_SPIN] = "spin", [DP_IDLE_SLEEP] = "sleep"};
	const uint32_t i = word_index(node, words, 2);

	if (i == 2)
		return config_unexpected(ld, option, node);
	*(enum dp_idle *)config_field(option, base) = (enum dp_idle)i;
	return 0;
}

static const char *const engines[DP_ENGINE_N] = {
	[DP_ENGINE_AUTO] = "auto",
	[DP_ENGINE_JIT] = "jit",
	[DP_ENGINE_INTERP] = "interp",
};

int dp_engine_parse(const char *word, enum dp_engine *ret_engine)
{
	for (uint32_t i = 0; i < DP_ENGINE_N; i++) {
		if (strcmp(engines[i], word) == 0) {
			*ret_engine = (enum dp_engine)i;
			return 0;
		}
	}
	return 1;
}

const char *dp_engine_name(enum dp_engine engine)
{
	return engines[engine];
}

int config_parse_ENGINE(struct config_loader *ld, const struct config_option *option,
	const struct dp_yaml_node *node, void *base)
{
	const uint32_t i = word_index(node, engines, DP_ENGINE_N);

	if (i == DP_ENGINE_N)
		return config_unexpected(ld, option, node);
	*(enum dp_engine *)config_field(option, base) = (enum dp_engine)i;
	if (option->scope == DP_SCOPE_WORKER)
		((struct dp_worker_config *)base)->has_engine = true;
	return 0;
}

static const char *const cpus[] = {"native", "v1", "v2", "v3", "v4"};

int config_parse_CPU(struct config_loader *ld, const struct config_option *option,
	const struct dp_yaml_node *node, void *base)
{
	const uint32_t n = sizeof(cpus) / sizeof(cpus[0]);
	const uint32_t i = word_index(node, cpus, n);

	if (i == n)
		return config_unexpected(ld, option, node);
	*(const char **)config_field(option, base) = cpus[i];
	return 0;
}

int config_parse_ON_FAULT(struct config_loader *ld, const struct config_option *option,
	const struct dp_yaml_node *node, void *base)
{
	static const char *const words[] = {
		[DP_ON_FAULT_CLOSED] = "closed",
		[DP_ON_FAULT_OPEN] = "open",
		[DP_ON_FAULT_BYPASS] = "bypass",
	};
	const uint32_t i = word_index(node, words, 3);

	if (i == 3)
		return config_unexpected(ld, option, node);
	*(enum dp_on_fault *)config_field(option, base) = (enum dp_on_fault)i;
	return 0;
}

int config_parse_TEXT(struct config_loader *ld, const struct config_option *option,
	const struct dp_yaml_node *node, void *base)
{
	if (node->kind != DP_YAML_SCALAR || config_is_nothing(node) || node->text[0] == '\0')
		return config_unexpected(ld, option, node);
	char *copy = config_copy_text(ld, node->text, strlen(node->text));
	if (copy == NULL)
		return WE_E_NOMEM;
	*(const char **)config_field(option, base) = copy;
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

int config_parse_INSTANCE(struct config_loader *ld, const struct config_option *option,
	const struct dp_yaml_node *node, void *base)
{
	if (node->kind != DP_YAML_SCALAR || !dp_config_name_is_valid(node->text))
		return config_unexpected(ld, option, node);
	return config_parse_TEXT(ld, option, node, base);
}

// Text in which ${conf} stands for the configuration's folder.
static int expand(struct config_loader *ld, const struct config_option *option,
	const struct dp_yaml_node *node, const char **ret_text)
{
	static const char variable[] = "${conf}";
	size_t cap = strlen(node->text) + 1;

	for (const char *p = node->text; (p = strstr(p, "${")) != NULL; p += 2) {
		if (strncmp(p, variable, strlen(variable)) != 0)
			return config_fail(ld, node->place,
				"%s%s%s: found \"%.*s\", expected no variable but ${conf}",
				ld->path, config_separator(ld), option->key,
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

int config_parse_DEVICE(struct config_loader *ld, const struct config_option *option,
	const struct dp_yaml_node *node, void *base)
{
	if (node->kind != DP_YAML_SCALAR || config_is_nothing(node) || node->text[0] == '\0')
		return config_unexpected(ld, option, node);
	return expand(ld, option, node, (const char **)config_field(option, base));
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

int config_parse_TEXTS(struct config_loader *ld, const struct config_option *option,
	const struct dp_yaml_node *node, void *base)
{
	struct dp_config *config = base;

	if (node->kind != DP_YAML_LIST)
		return config_unexpected(ld, option, node);
	const char **texts = we_arena_array(&ld->owned->arena, node->n, sizeof(*texts));
	if (texts == NULL)
		return WE_E_NOMEM;
	uint32_t n_texts = 0;
	for (const struct dp_yaml_node *n = node->first; n != NULL; n = n->next) {
		if (n->kind != DP_YAML_SCALAR || config_is_nothing(n))
			return config_not_text(ld, option, n);
		if (is_weirs_own(n->text))
			return config_fail(ld, n->place,
				"eal: found \"%s\", which weir says itself: see workers and "
				"instance",
				n->text);
		const int rc = expand(ld, option, n, &texts[n_texts++]);
		if (rc != 0)
			return rc;
	}
	config->eal_args = texts;
	config->n_eal_args = n_texts;
	config->eal_place = node->place;
	return 0;
}

int config_parse_MAC(struct config_loader *ld, const struct config_option *option,
	const struct dp_yaml_node *node, void *base)
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
		return config_unexpected(ld, option, node);
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

int config_parse_FILE(struct config_loader *ld, const struct config_option *option,
	const struct dp_yaml_node *node, void *base)
{
	if (node->kind != DP_YAML_SCALAR || config_is_nothing(node) || node->text[0] == '\0')
		return config_unexpected(ld, option, node);
	char *path = config_resolve_path(ld, node->text);
	if (path == NULL)
		return WE_E_NOMEM;
	const char *problem = file_problem(path);
	if (problem != NULL)
		return config_fail(ld, node->place, "%s%s%s: cannot read %s: %s", ld->path,
			config_separator(ld), option->key, path, problem);
	*(const char **)config_field(option, base) = path;
	return 0;
}

// One that is not there yet will be made.
int config_parse_FOLDER(struct config_loader *ld, const struct config_option *option,
	const struct dp_yaml_node *node, void *base)
{
	struct stat st;

	if (node->kind != DP_YAML_SCALAR || config_is_nothing(node) || node->text[0] == '\0')
		return config_unexpected(ld, option, node);
	char *path = config_resolve_path(ld, node->text);
	if (path == NULL)
		return WE_E_NOMEM;
	if (stat(path, &st) == 0 && !S_ISDIR(st.st_mode))
		return config_fail(ld, node->place, "%s%s%s: %s is a file, expected a folder",
			ld->path, config_separator(ld), option->key, path);
	*(const char **)config_field(option, base) = path;
	return 0;
}

// ---- a filter's config map ----------------------------------------------------------------------

int config_read_file(struct config_loader *ld, const char *path, size_t cap, const char **ret_text,
	size_t *ret_len, struct we_error *err)
{
	uint8_t *data;
	size_t len;
	const int rc = dp_file_read(path, cap, &data, &len, err);

	if (rc != 0)
		return rc;
	*ret_text = config_copy_text(ld, (const char *)data, len);
	*ret_len = len;
	free(data);
	return *ret_text != NULL ? 0 : WE_E_NOMEM;
}

static int read_entry(struct config_loader *ld, const struct config_option *option,
	const struct dp_yaml_node *node, struct ws_config_entry *entry)
{
	const char *text = node->text;
	size_t len;

	if (node->kind != DP_YAML_SCALAR)
		return config_not_text(ld, option, node);
	entry->key = node->key;
	len = strlen(text);
	if (text[0] == '@' && text[1] != '@') {
		const char *path = config_resolve_path(ld, text + 1);
		struct we_error err;

		if (path == NULL)
			return WE_E_NOMEM;
		const int rc = config_read_file(ld, path, VALUE_FILE_MAX, &text, &len, &err);
		if (rc == WE_E_HOST)
			return config_fail(ld, node->place, "%s.config: cannot read %s: %s",
				ld->path, path, err.msg);
		if (rc != 0)
			return rc;
		for (size_t i = 0, n; i < len; i += n) {
			n = dp_utf8_len(text + i, len - i);
			if (n == 0)
				return config_fail(ld, node->place,
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

int config_parse_ENTRIES(struct config_loader *ld, const struct config_option *option,
	const struct dp_yaml_node *node, void *base)
{
	struct dp_filter_config *filter = base;

	if (node->kind != DP_YAML_MAP)
		return config_unexpected(ld, option, node);
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
