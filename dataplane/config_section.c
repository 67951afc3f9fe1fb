// SPDX-License-Identifier: BSD-3-Clause
// config_section: ports, workers, chains and filters, and the names by which they refer to each other.
#include "config_loader.h"

#include "suggest.h"
#include "utf8.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

// ---- references, resolved when all names are known ----------------------------------------------

static int refer(struct config_loader *ld, const struct config_option *option,
	const struct dp_yaml_node *node, uint16_t *target, bool is_chain)
{
	struct config_reference *ref = we_arena_alloc(&ld->owned->arena, sizeof(*ref));
	char where[sizeof(ld->path) + 32];

	if (node->kind != DP_YAML_SCALAR || config_is_nothing(node))
		return config_unexpected(ld, option, node);
	snprintf(where, sizeof(where), "%s%s%s", ld->path, config_separator(ld), option->key);
	if (ref == NULL || (ref->where = config_copy_text(ld, where, strlen(where))) == NULL)
		return WE_E_NOMEM;
	ref->node = node;
	ref->target = target;
	ref->is_chain = is_chain;
	*ld->references_tail = ref;
	ld->references_tail = &ref->next;
	return 0;
}

int config_parse_PORT(struct config_loader *ld, const struct config_option *option,
	const struct dp_yaml_node *node, void *base)
{
	return refer(ld, option, node, config_field(option, base), false);
}

int config_parse_CHAIN(struct config_loader *ld, const struct config_option *option,
	const struct dp_yaml_node *node, void *base)
{
	return refer(ld, option, node, config_field(option, base), true);
}

uint16_t config_name_find(const void *things, size_t stride, uint32_t n, const char *name)
{
	for (uint32_t i = 0; i < n; i++) {
		if (strcmp((const char *)things + i * stride, name) == 0)
			return (uint16_t)i;
	}
	return DP_NO_INDEX;
}

int config_unknown_name(struct config_loader *ld, struct dp_place place, const char *where,
	const char *what, const char *name, const void *things, size_t stride, uint32_t n)
{
	struct dp_suggest near = {.word = name};
	char shown[CONFIG_SHOWN_MAX];

	dp_utf8_escape(name, strlen(name), shown, sizeof(shown));
	for (uint32_t i = 0; i < n; i++)
		dp_suggest_offer(&near, (const char *)things + i * stride);
	if (near.best != NULL)
		return config_fail(ld, place,
			"%s: found the unknown %s \"%s\", did you mean \"%s\"?", where, what, shown,
			near.best);
	return config_fail(ld, place,
		"%s: found the unknown %s \"%s\", expected one of the %u under %ss", where, what,
		shown, n, what);
}

int config_resolve_references(struct config_loader *ld)
{
	const struct dp_config *config = &ld->owned->config;

	for (const struct config_reference *ref = ld->references; ref != NULL; ref = ref->next) {
		const void *things = ref->is_chain ? (const void *)config->chains : config->ports;
		const size_t stride = ref->is_chain ? sizeof(struct dp_chain_config)
						    : sizeof(struct dp_port_config);
		const uint32_t n = ref->is_chain ? config->n_chains : config->n_ports;

		*ref->target = config_name_find(things, stride, n, ref->node->text);
		if (*ref->target == DP_NO_INDEX)
			return config_unknown_name(ld, ref->node->place, ref->where,
				ref->is_chain ? "chain" : "port", ref->node->text, things, stride,
				n);
	}
	return 0;
}

// ---- sections -----------------------------------------------------------------------------------

// Is this a mapping (or list) with an allowed number of things in it?
static int check_section(struct config_loader *ld, const struct config_option *option,
	const struct dp_yaml_node *node, enum dp_yaml_kind kind)
{
	if (node->kind != kind)
		return config_unexpected(ld, option, node);
	if (node->n < option->min || node->n > option->max)
		return config_fail(ld, node->place,
			"%s: found %u entries, expected %" PRIu64 " to %" PRIu64, option->key,
			node->n, option->min, option->max);
	return 0;
}

// Take the name of a thing in a section: valid, and copied to where it goes [DP_NAME_MAX].
static int take_name(struct config_loader *ld, const struct config_option *option,
	const struct dp_yaml_node *node, char *ret_name)
{
	char shown[CONFIG_SHOWN_MAX];

	if (!dp_config_name_is_valid(node->key)) {
		dp_utf8_escape(node->key, strlen(node->key), shown, sizeof(shown));
		return config_fail(ld, node->key_place, "%s: found the name \"%s\", expected %s",
			option->key, shown, config_type_words(CONFIG_INSTANCE));
	}
	strcpy(ret_name, node->key);
	return 0;
}

// A named mapping of one scope: name, then its keys, with the path for messages.
static int parse_named(struct config_loader *ld, const struct config_option *option,
	const struct dp_yaml_node *node, enum dp_option_scope scope, void *base)
{
	int rc = take_name(ld, option, node, base); // the name begins the struct
	const size_t outer = config_path_enter(ld, option->key);

	config_path_enter(ld, node->key);
	if (rc == 0 && node->kind != DP_YAML_MAP) {
		char found[CONFIG_SHOWN_MAX + 16];

		config_describe(node, found, sizeof(found));
		rc = config_fail(
			ld, node->place, "%s: found %s, expected a mapping", ld->path, found);
	}
	if (rc == 0)
		rc = config_parse_scope(ld, scope, node, base);
	config_path_leave(ld, outer);
	return rc;
}

int config_parse_PORTS(struct config_loader *ld, const struct config_option *option,
	const struct dp_yaml_node *node, void *base)
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

int config_parse_FILTERS(struct config_loader *ld, const struct config_option *option,
	const struct dp_yaml_node *node, void *base)
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
int config_parse_CHAINS(struct config_loader *ld, const struct config_option *option,
	const struct dp_yaml_node *node, void *base)
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
			char found[CONFIG_SHOWN_MAX + 16];

			config_describe(n, found, sizeof(found));
			if (n->kind == DP_YAML_LIST)
				snprintf(found, sizeof(found), "a list of %u", n->n);
			rc = config_fail(ld, n->place,
				"chains.%s: found %s, expected a list of 1 to %d filters' names",
				chain->name, found, DP_CHAIN_MAX);
		}
	}
	return rc;
}

int config_parse_WORKERS(struct config_loader *ld, const struct config_option *option,
	const struct dp_yaml_node *node, void *base)
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
		config_path_enter(ld, part);
		if (n->kind == DP_YAML_MAP) {
			rc = config_parse_scope(ld, DP_SCOPE_WORKER, n, worker);
		} else {
			char found[CONFIG_SHOWN_MAX + 16];

			config_describe(n, found, sizeof(found));
			rc = config_fail(
				ld, n->place, "%s: found %s, expected a mapping", ld->path, found);
		}
		config_path_leave(ld, outer);
	}
	return rc;
}

// The worker's queues stay names until all ports are known: see resolve_queues.
int config_parse_QUEUES(struct config_loader *ld, const struct config_option *option,
	const struct dp_yaml_node *node, void *base)
{
	const struct dp_worker_config *worker = base;

	if (node->kind != DP_YAML_LIST)
		return config_unexpected(ld, option, node);
	for (const struct dp_yaml_node *n = node->first; n != NULL; n = n->next) {
		if (n->kind != DP_YAML_SCALAR || config_is_nothing(n))
			return config_not_text(ld, option, n);
	}
	ld->worker_queues[worker - ld->workers] = node;
	return 0;
}

int config_parse_LIMITS(struct config_loader *ld, const struct config_option *option,
	const struct dp_yaml_node *node, void *base)
{
	if (node->kind != DP_YAML_MAP)
		return config_unexpected(ld, option, node);
	struct ws_limits *limits = config_field(option, base);
	const size_t outer = config_path_enter(ld, option->key);
	int rc = config_parse_scope(ld, DP_SCOPE_LIMITS, node, limits);

	if (rc == 0 && limits->cm.core.memory_pages_precommit > limits->cm.core.memory_pages)
		rc = config_fail(ld, node->place,
			"%s: found memory_precommit %" PRIu64
			", expected at most memory_pages, %" PRIu64,
			ld->path, limits->cm.core.memory_pages_precommit,
			limits->cm.core.memory_pages);
	config_path_leave(ld, outer);
	return rc;
}

int config_parse_RESTART(struct config_loader *ld, const struct config_option *option,
	const struct dp_yaml_node *node, void *base)
{
	struct dp_filter_config *filter = base;

	if (node->kind != DP_YAML_MAP)
		return config_unexpected(ld, option, node);
	const size_t outer = config_path_enter(ld, option->key);
	int rc = config_parse_scope(ld, DP_SCOPE_RESTART, node, base);

	if (rc == 0 && !config_map_has(node, "max_ms") &&
		filter->restart_max_ns < filter->restart_min_ns)
		filter->restart_max_ns = filter->restart_min_ns;
	if (rc == 0 && filter->restart_min_ns > filter->restart_max_ns)
		rc = config_fail(ld, node->place,
			"%s: found min_ms %" PRIu64 ", expected at most max_ms, %" PRIu64, ld->path,
			filter->restart_min_ns / config_type_scale(CONFIG_MS),
			filter->restart_max_ns / config_type_scale(CONFIG_MS));
	config_path_leave(ld, outer);
	return rc;
}

int config_parse_COMPILER(struct config_loader *ld, const struct config_option *option,
	const struct dp_yaml_node *node, void *base)
{
	if (node->kind != DP_YAML_MAP)
		return config_unexpected(ld, option, node);
	const size_t outer = config_path_enter(ld, option->key);
	const int rc = config_parse_scope(ld, DP_SCOPE_COMPILER, node, base);

	config_path_leave(ld, outer);
	return rc;
}
