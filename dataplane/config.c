// SPDX-License-Identifier: BSD-3-Clause
// dp_config: a YAML file becomes a struct dp_config, or one message with its place.
//
// Three steps: the tree (yaml_tree.c), values by the rows of option.def (config_scope.c and the parsers that it
// calls), then what only the whole can tell: names that refer, queues, devices.
// Thread:  one at a time.
#include "config_loader.h"

#include "message.h"
#include "queue_map.h"
#include "utf8.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
	FILE_MAX = 1 << 20, // bytes of a configuration
};

// ---- what only the whole can tell ---------------------------------------------------------------

static int resolve_chains(struct config_loader *ld)
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
				found = config_name_find(config->filters, sizeof(*config->filters),
					config->n_filters, n->text);
			else
				return config_fail(ld, n->place,
					"%s: found a %s, expected the name of a filter", where,
					n->kind == DP_YAML_MAP ? "mapping" : "list");
			if (found == DP_NO_INDEX)
				return config_unknown_name(ld, n->place, where, "filter", n->text,
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

static int poll_queue(struct config_loader *ld, struct pollers *pollers, uint32_t worker_idx,
	uint16_t port_idx, uint16_t queue_idx, struct dp_place place)
{
	uint32_t *poller = &pollers->worker[port_idx][queue_idx];

	if (*poller != 0)
		return config_fail(ld, place,
			"workers[%u].queues: found queue %s:%u again, expected it once "
			"(workers[%u] polls it)",
			worker_idx, ld->owned->config.ports[port_idx].name, queue_idx, *poller - 1);
	*poller = worker_idx + 1;
	return 0;
}

// One text of a worker's list: PORT or PORT:QUEUE.
static int poll_named(struct config_loader *ld, struct pollers *pollers, uint32_t worker_idx,
	const struct dp_yaml_node *node)
{
	const struct dp_config *config = &ld->owned->config;
	const char *colon = strchr(node->text, ':');
	const size_t name_len = colon != NULL ? (size_t)(colon - node->text) : strlen(node->text);
	char *name = config_copy_text(ld, node->text, name_len);
	char where[48];
	uint64_t queue;

	if (name == NULL)
		return WE_E_NOMEM;
	snprintf(where, sizeof(where), "workers[%u].queues", worker_idx);
	const uint16_t port_idx =
		config_name_find(config->ports, sizeof(*config->ports), config->n_ports, name);
	if (port_idx == DP_NO_INDEX)
		return config_unknown_name(ld, node->place, where, "port", name, config->ports,
			sizeof(*config->ports), config->n_ports);
	const uint16_t n_queues = config->ports[port_idx].n_queues;
	if (colon == NULL) {
		int rc = 0;

		for (uint16_t q = 0; q < n_queues && rc == 0; q++)
			rc = poll_queue(ld, pollers, worker_idx, port_idx, q, node->place);
		return rc;
	}
	if (!config_read_number(colon + 1, &queue) || queue >= n_queues) {
		char shown[CONFIG_SHOWN_MAX];

		dp_utf8_escape(colon + 1, strlen(colon + 1), shown, sizeof(shown));
		return config_fail(ld, node->place,
			"%s: found queue \"%s\" of port %s, expected a number from 0 to %u", where,
			shown, name, n_queues - 1u);
	}
	return poll_queue(ld, pollers, worker_idx, port_idx, (uint16_t)queue, node->place);
}

static int fill_pollers(struct config_loader *ld, struct pollers *pollers)
{
	const struct dp_config *config = &ld->owned->config;
	uint32_t n_given = 0;

	for (uint32_t w = 0; w < config->n_workers; w++)
		n_given += ld->worker_queues[w] != NULL;
	for (uint32_t w = 0; w < config->n_workers && n_given > 0; w++) {
		if (ld->worker_queues[w] == NULL)
			return config_fail(ld, config->workers[w].place,
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
				return config_fail(ld, config->ports[p].place,
					"ports.%s: queue %u is polled by nobody, expected it under "
					"workers",
					config->ports[p].name, q);
		}
	}
	return 0;
}

static int resolve_queues(struct config_loader *ld)
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
			return config_fail(ld, config->workers[w].place,
				"workers[%u]: it polls no queue, expected at least one", w);
		for (uint32_t other = 0; other < w; other++) {
			if (config->workers[w].lcore != DP_LCORE_ANY &&
				config->workers[other].lcore == config->workers[w].lcore)
				return config_fail(ld, config->workers[w].place,
					"workers[%u].lcore: found lcore %u again, expected one "
					"worker a core (workers[%u] has it)",
					w, config->workers[w].lcore, other);
		}
	}
	return 0;
}

static int check_devices(struct config_loader *ld)
{
	const struct dp_config *config = &ld->owned->config;

	for (uint32_t p = 0; p < config->n_ports; p++) {
		const char *device = config->ports[p].device;

		for (uint32_t other = 0; other < p; other++) {
			const char *taken = config->ports[other].device;
			const size_t len = strcspn(device, ",");

			if (len == strcspn(taken, ",") && strncmp(device, taken, len) == 0)
				return config_fail(ld, config->ports[p].place,
					"ports.%s.device: found the device %.*s again, expected it "
					"once (ports.%s has it)",
					config->ports[p].name, (int)len, device,
					config->ports[other].name);
		}
	}
	return 0;
}

static int load_tree(struct config_loader *ld, const struct dp_yaml_node *root)
{
	struct dp_config *config = &ld->owned->config;
	int rc;

	if (root->kind != DP_YAML_MAP) {
		char found[CONFIG_SHOWN_MAX + 16];

		config_describe(root, found, sizeof(found));
		return config_fail(ld, root->place,
			"found %s, expected a mapping with \"ports\" and \"workers\"", found);
	}
	config->exception_port_idx = DP_NO_INDEX;
	rc = config_parse_scope(ld, DP_SCOPE_CONFIG, root, config);
	if (rc == 0)
		rc = config_resolve_references(ld);
	if (rc == 0)
		rc = resolve_chains(ld);
	if (rc == 0)
		rc = resolve_queues(ld);
	if (rc == 0)
		rc = check_devices(ld);
	return rc;
}

static int load_file(struct config_loader *ld, const char *path)
{
	const char *slash = strrchr(path, '/');
	struct dp_yaml_node *root;
	struct we_error err;
	const char *text;
	size_t len;

	ld->folder = slash == NULL   ? config_copy_text(ld, ".", 1)
		     : slash == path ? config_copy_text(ld, "/", 1)
				     : config_copy_text(ld, path, (size_t)(slash - path));
	ld->owned->config.file = config_copy_text(ld, path, strlen(path));
	if (ld->folder == NULL || ld->owned->config.file == NULL)
		return WE_E_NOMEM;
	int rc = config_read_file(ld, path, FILE_MAX, &text, &len, &err);
	if (rc == WE_E_HOST)
		return dp_fail(ld->ret_message, rc, "%s: cannot read it: %s", path, err.msg);
	if (rc == 0)
		rc = dp_yaml_parse(
			&ld->owned->arena, &ld->owned->config, ld->ret_message, text, len, &root);
	if (rc == 0)
		rc = load_tree(ld, root);
	return rc;
}

bool dp_config_chain_has(const struct dp_chain_config *chain, uint16_t filter_idx)
{
	for (uint32_t i = 0; i < chain->n_filters; i++) {
		if (chain->filter_idx[i] == filter_idx)
			return true;
	}
	return false;
}

bool dp_config_filter_has_engine(
	const struct dp_config *config, uint16_t filter_idx, enum dp_engine engine)
{
	for (uint32_t w = 0; w < config->n_workers; w++) {
		const struct dp_worker_config *worker = &config->workers[w];

		for (uint32_t q = 0; q < worker->n_queues && worker->engine == engine; q++) {
			const uint16_t idx = config->ports[worker->queues[q].port_idx].chain_idx;

			if (idx != DP_NO_INDEX &&
				dp_config_chain_has(&config->chains[idx], filter_idx))
				return true;
		}
	}
	return false;
}

// ---- what the command line says -----------------------------------------------------------------

static int give_text(struct config_loader *ld, const char *given, const char **field)
{
	if (given == NULL)
		return 0;
	*field = config_copy_text(ld, given, strlen(given));
	return *field != NULL ? 0 : WE_E_NOMEM;
}

// Each worker gets its engine: the command line's, its own, the configuration's.
static void give_engines(struct config_loader *ld, const char *given)
{
	struct dp_config *config = &ld->owned->config;

	if (given != NULL && dp_engine_parse(given, &config->engine) != 0)
		assert(false); // the command line was checked
	for (uint32_t w = 0; w < config->n_workers; w++) {
		if (given != NULL || !ld->workers[w].has_engine)
			ld->workers[w].engine = config->engine;
	}
}

static int give(struct config_loader *ld, const struct dp_config_given *given)
{
	struct dp_config *config = &ld->owned->config;
	int rc = give_text(ld, given->instance, &config->instance);

	if (rc == 0)
		rc = give_text(ld, given->cpu, &config->cpu);
	if (rc == 0)
		rc = give_text(ld, given->jit_cache, &config->jit_cache);
	give_engines(ld, given->engine);
	return rc;
}

int dp_config_load(const char *path, const struct dp_config_given *given,
	struct dp_config **ret_config, char **ret_message)
{
	static const struct dp_config_given nothing;
	struct we_arena arena = {0};
	char *message = NULL;
	struct config_loader ld = {
		.owned = we_arena_alloc(&arena, sizeof(*ld.owned)),
		.ret_message = &message,
	};
	int rc;

	if (ld.owned == NULL)
		return WE_E_NOMEM;
	ld.references_tail = &ld.references;
	ld.owned->arena = arena; // which now holds itself
	rc = load_file(&ld, path);
	if (rc == 0)
		rc = give(&ld, given != NULL ? given : &nothing);
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
	struct we_arena arena = ((struct config_owned *)config)->arena;
	we_arena_fini(&arena);
}
