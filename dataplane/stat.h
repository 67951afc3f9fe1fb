// SPDX-License-Identifier: BSD-3-Clause
// dp_stat: the rows of stat.def: one walk for everything that shows counters.
//
// Thread:  any.
#pragma once

#include "stats.h"

enum dp_stat_scope {
#define DP_STAT_SCOPE(SCOPE, name, type, drops, names) DP_STAT_##SCOPE,
#include "stat.def"
	DP_STAT_SCOPE_N
};

const char *dp_stat_scope_name(enum dp_stat_scope scope);  // "ports"
const char *dp_stat_scope_names(enum dp_stat_scope scope); // "PORT"

// Calls fn with each counter of a scope's struct, in order: rows, then drops as "drop_NAME".
typedef void (*dp_stat_fn)(void *env, const char *key, uint64_t value, const char *doc);
void dp_stat_each(enum dp_stat_scope scope, const void *stats, dp_stat_fn fn, void *env);

// How many things a snapshot has in a scope, and the i-th of them, 0 <= i < that.
uint32_t dp_stat_count(enum dp_stat_scope scope, const struct dp_stats *stats);
const void *dp_stat_at(enum dp_stat_scope scope, const struct dp_stats *stats, uint32_t i);
enum {
	DP_STAT_NAME_MAX = 2 * DP_NAME_MAX,
};
// Its name, "left:0", into buf [DP_STAT_NAME_MAX].
void dp_stat_name(enum dp_stat_scope scope, const struct dp_stats *stats, uint32_t i, char *buf);
// What it is, beside its numbers: calls fn with "device", "filter", "lcore", ...
typedef void (*dp_stat_text_fn)(void *env, const char *key, const char *text);
void dp_stat_texts(enum dp_stat_scope scope, const struct dp_stats *stats, uint32_t i,
	dp_stat_text_fn fn, void *env);
// For DP_STAT_FILTER: the index of thing i among config->filters.
uint16_t dp_stat_filter_idx(const struct dp_stats *stats, uint32_t i);
