// SPDX-License-Identifier: BSD-3-Clause
// dp_stat: see stat.h.
#include "stat.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

// The structs of the scopes, under names that a row can spell; NONE stands for "no drops".
#define DP_STAT_SCOPE(SCOPE, name, type, drops, names) typedef type scope_##SCOPE;
#include "stat.def"

#define NONE_OFFSET        SIZE_MAX
#define OFFSET_drops(t)    offsetof(t, drops)
#define OFFSET_drops_by(t) offsetof(t, drops_by)
#define OFFSET_NONE(t)     NONE_OFFSET

static const struct {
	const char *name;
	const char *names;
	size_t drops; // offset of the drops by reason, or NONE_OFFSET
} scopes[DP_STAT_SCOPE_N] = {
#define DP_STAT_SCOPE(SCOPE, name, type, drops, names) {name, names, OFFSET_##drops(type)},
#include "stat.def"
};

static const struct {
	enum dp_stat_scope scope;
	const char *key;
	size_t offset;
	const char *doc;
} rows[] = {
#define DP_STAT(SCOPE, key, field, doc) {DP_STAT_##SCOPE, key, offsetof(scope_##SCOPE, field), doc},
#include "stat.def"
};

static const char *const drop_keys[DP_DROP_N] = {
#define DP_DROP(NAME, name, doc) "drop_" name,
#include "drop.def"
#undef DP_DROP
};

const char *dp_stat_scope_name(enum dp_stat_scope scope)
{
	return scopes[scope].name;
}

const char *dp_stat_scope_names(enum dp_stat_scope scope)
{
	return scopes[scope].names;
}

void dp_stat_each(enum dp_stat_scope scope, const void *stats, dp_stat_fn fn, void *env)
{
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		if (rows[i].scope == scope)
			fn(env, rows[i].key,
				*(const uint64_t *)((const char *)stats + rows[i].offset),
				rows[i].doc);
	}
	if (scopes[scope].drops == NONE_OFFSET)
		return;
	const uint64_t *drops = (const uint64_t *)((const char *)stats + scopes[scope].drops);
	for (enum dp_drop d = 0; d < DP_DROP_N; d++)
		fn(env, drop_keys[d], drops[d], dp_drop_doc(d));
}

uint32_t dp_stat_count(enum dp_stat_scope scope, const struct dp_stats *stats)
{
	const struct dp_config *config = stats->config;
	uint32_t n = 0;

	switch (scope) {
	case DP_STAT_LAW:
		return 1;
	case DP_STAT_PORT:
		return config->n_ports;
	case DP_STAT_QUEUE:
		for (uint32_t p = 0; p < config->n_ports; p++)
			n += config->ports[p].n_queues;
		return n;
	case DP_STAT_FILTER:
		for (uint32_t c = 0; c < config->n_chains; c++)
			n += config->chains[c].n_filters;
		return n;
	case DP_STAT_CODE:
		return config->n_filters;
	case DP_STAT_WORKER:
		return config->n_workers;
	case DP_STAT_SCOPE_N:
		break;
	}
	assert(false);
	return 0;
}

// Thing i of a scope that is counted in groups (queues of ports, filters of chains).
struct member {
	uint32_t group;
	uint32_t idx; // in the group
};

static struct member queue_at(const struct dp_config *config, uint32_t i)
{
	struct member at = {0, i};

	while (at.idx >= config->ports[at.group].n_queues)
		at.idx -= config->ports[at.group++].n_queues;
	return at;
}

static struct member filter_at(const struct dp_config *config, uint32_t i)
{
	struct member at = {0, i};

	while (at.idx >= config->chains[at.group].n_filters)
		at.idx -= config->chains[at.group++].n_filters;
	return at;
}

const void *dp_stat_at(enum dp_stat_scope scope, const struct dp_stats *stats, uint32_t i)
{
	struct member at;

	switch (scope) {
	case DP_STAT_LAW:
		return &stats->law;
	case DP_STAT_PORT:
		return &stats->ports[i];
	case DP_STAT_QUEUE:
		at = queue_at(stats->config, i);
		return &stats->queues[at.group][at.idx];
	case DP_STAT_FILTER:
		at = filter_at(stats->config, i);
		return &stats->filters[at.group][at.idx];
	case DP_STAT_CODE:
		return &stats->codes[i];
	case DP_STAT_WORKER:
		return &stats->workers[i];
	case DP_STAT_SCOPE_N:
		break;
	}
	assert(false);
	return NULL;
}

void dp_stat_name(enum dp_stat_scope scope, const struct dp_stats *stats, uint32_t i, char *buf)
{
	const struct dp_config *config = stats->config;
	struct member at;

	buf[0] = '\0';
	switch (scope) {
	case DP_STAT_LAW:
	case DP_STAT_SCOPE_N:
		break;
	case DP_STAT_PORT:
		snprintf(buf, DP_STAT_NAME_MAX, "%s", config->ports[i].name);
		break;
	case DP_STAT_QUEUE:
		at = queue_at(config, i);
		snprintf(buf, DP_STAT_NAME_MAX, "%s:%u", config->ports[at.group].name, at.idx);
		break;
	case DP_STAT_FILTER:
		at = filter_at(config, i);
		snprintf(buf, DP_STAT_NAME_MAX, "%s/%u", config->chains[at.group].name, at.idx);
		break;
	case DP_STAT_CODE:
		snprintf(buf, DP_STAT_NAME_MAX, "%s", config->filters[i].name);
		break;
	case DP_STAT_WORKER:
		snprintf(buf, DP_STAT_NAME_MAX, "%u", i);
		break;
	}
}

uint16_t dp_stat_filter_idx(const struct dp_stats *stats, uint32_t i)
{
	const struct member at = filter_at(stats->config, i);

	return stats->config->chains[at.group].filter_idx[at.idx];
}

// How it runs now: the same on all its queues, or "mixed".
static const char *tier(const struct dp_filter_stats *filter)
{
	const uint64_t n = filter->queues_native + filter->queues_partly + filter->queues_interp;

	if (filter->queues_native == n)
		return n > 0 ? "native" : "none";
	if (filter->queues_partly == n)
		return "partly";
	return filter->queues_interp == n ? "interp" : "mixed";
}

static const char *state_word(uint64_t state)
{
	static const char *const words[] = {
		[DP_CODE_OFF] = "off",
		[DP_CODE_WAITING] = "waiting",
		[DP_CODE_COMPILING] = "compiling",
		[DP_CODE_DONE] = "done",
	};

	return words[state];
}

void dp_stat_texts(enum dp_stat_scope scope, const struct dp_stats *stats, uint32_t i,
	dp_stat_text_fn fn, void *env)
{
	const struct dp_config *config = stats->config;
	char text[32];

	if (scope == DP_STAT_PORT) {
		const uint8_t *m = stats->ports[i].mac;

		snprintf(text, sizeof(text), "%02x:%02x:%02x:%02x:%02x:%02x", m[0], m[1], m[2],
			m[3], m[4], m[5]);
		fn(env, "device", config->ports[i].device != NULL ? config->ports[i].device : "");
		fn(env, "mac", text);
	} else if (scope == DP_STAT_FILTER) {
		const struct dp_filter_config *filter =
			&config->filters[dp_stat_filter_idx(stats, i)];

		fn(env, "filter", filter->name);
		fn(env, "file", filter->file);
		fn(env, "tier", tier(dp_stat_at(scope, stats, i)));
	} else if (scope == DP_STAT_CODE) {
		fn(env, "state", state_word(stats->codes[i].state));
		fn(env, "message", stats->codes[i].message);
	} else if (scope == DP_STAT_WORKER) {
		if (config->workers[i].lcore == DP_LCORE_ANY)
			snprintf(text, sizeof(text), "any");
		else
			snprintf(text, sizeof(text), "%u", config->workers[i].lcore);
		fn(env, "lcore", text);
		fn(env, "engine", dp_engine_name(config->workers[i].engine));
	}
}
