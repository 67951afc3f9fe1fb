// SPDX-License-Identifier: BSD-3-Clause
// dp_stats: names of drop reasons, and the storage of a snapshot.
#include "stats.h"

#include <stdlib.h>

static const struct {
	const char *name;
	const char *doc;
} drop_info[] = {
#define DP_DROP(NAME, name, doc) {name, doc},
#include "drop.def"
#undef DP_DROP
};

const char *dp_drop_name(enum dp_drop drop)
{
	return drop_info[drop].name;
}

const char *dp_drop_doc(enum dp_drop drop)
{
	return drop_info[drop].doc;
}

void dp_stats_destroy(struct dp_stats *stats)
{
	if (!stats)
		return;
	for (uint32_t i = 0; stats->queues && i < stats->config->n_ports; i++)
		free(stats->queues[i]);
	for (uint32_t i = 0; stats->filters && i < stats->config->n_chains; i++)
		free(stats->filters[i]);
	free(stats->ports);
	free(stats->queues);
	free(stats->filters);
	free(stats->workers);
	free(stats->codes);
	free(stats);
}

// A zeroed array that is there even when n is 0, so that NULL means: no memory.
static void *rows(size_t n, size_t size)
{
	return calloc(n ? n : 1, size);
}

int dp_stats_create(const struct dp_config *config, struct dp_stats **ret_stats)
{
	struct dp_stats *stats = calloc(1, sizeof(*stats));

	if (!stats)
		return WE_E_NOMEM;
	stats->config = config;
	stats->ports = rows(config->n_ports, sizeof(*stats->ports));
	stats->queues = rows(config->n_ports, sizeof(*stats->queues));
	stats->filters = rows(config->n_chains, sizeof(*stats->filters));
	stats->workers = rows(config->n_workers, sizeof(*stats->workers));
	stats->codes = rows(config->n_filters, sizeof(*stats->codes));
	if (!stats->ports || !stats->queues || !stats->filters || !stats->workers || !stats->codes)
		goto fail;
	for (uint32_t i = 0; i < config->n_ports; i++) {
		stats->queues[i] = rows(config->ports[i].n_queues, sizeof(**stats->queues));
		if (!stats->queues[i])
			goto fail;
	}
	for (uint32_t i = 0; i < config->n_chains; i++) {
		stats->filters[i] = rows(config->chains[i].n_filters, sizeof(**stats->filters));
		if (!stats->filters[i])
			goto fail;
	}
	*ret_stats = stats;
	return 0;
fail:
	dp_stats_destroy(stats);
	return WE_E_NOMEM;
}

void dp_stats_add(uint64_t *sum, const uint64_t *live, size_t n_fields)
{
	for (size_t i = 0; i < n_fields; i++)
		sum[i] += __atomic_load_n(&live[i], __ATOMIC_RELAXED);
}
