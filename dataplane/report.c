// SPDX-License-Identifier: BSD-3-Clause
// dp_report: see report.h.
#include "report.h"

#include "stat.h"

static void add_number(void *env, const char *key, uint64_t value, const char *doc)
{
	(void)doc;
	json_object_set_new(env, key, json_integer((json_int_t)value));
}

static void add_text(void *env, const char *key, const char *text)
{
	json_object_set_new(env, key, json_string(text));
}

static json_t *reasons_json(const struct dp_run *run, uint16_t filter_idx, const uint64_t *counts)
{
	json_t *reasons = json_object();

	for (uint32_t i = 1; i <= WS_REASONS_MAX; i++) {
		const char *name = dp_run_reason(run, filter_idx, i);

		if (name == NULL)
			continue;
		const json_t *before =
			json_object_get(reasons, name); // two reasons may share a name
		json_object_set_new(reasons, name,
			json_integer(json_integer_value(before) + (json_int_t)counts[i]));
	}
	if (counts[0] > 0)
		json_object_set_new(reasons, "", json_integer((json_int_t)counts[0]));
	return reasons;
}

static json_t *scope_json(
	const struct dp_run *run, enum dp_stat_scope scope, const struct dp_stats *stats)
{
	json_t *things = json_array();

	for (uint32_t i = 0; i < dp_stat_count(scope, stats); i++) {
		json_t *thing = json_object();
		char name[DP_STAT_NAME_MAX];

		dp_stat_name(scope, stats, i, name);
		json_object_set_new(thing, "name", json_string(name));
		dp_stat_texts(scope, stats, i, add_text, thing);
		dp_stat_each(scope, dp_stat_at(scope, stats, i), add_number, thing);
		if (scope == DP_STAT_FILTER) {
			const struct dp_filter_stats *filter = dp_stat_at(scope, stats, i);

			json_object_set_new(thing, "reasons",
				reasons_json(run, dp_stat_filter_idx(stats, i), filter->reasons));
		}
		json_array_append_new(things, thing);
	}
	return things;
}

json_t *dp_report_create(const struct dp_run *run, const struct dp_stats *stats)
{
	json_t *report = json_object();
	json_t *law = json_object();

	json_object_set_new(report, "instance", json_string(stats->config->instance));
	json_object_set_new(report, "elapsed_ns", json_integer((json_int_t)stats->elapsed_ns));
	json_object_set_new(report, "tsc_hz", json_integer((json_int_t)stats->tsc_hz));
	dp_stat_each(DP_STAT_LAW, &stats->law, add_number, law);
	json_object_set_new(law, "holds", json_boolean(dp_law_holds(&stats->law)));
	json_object_set_new(report, dp_stat_scope_name(DP_STAT_LAW), law);
	for (enum dp_stat_scope scope = DP_STAT_PORT; scope < DP_STAT_SCOPE_N; scope++)
		json_object_set_new(
			report, dp_stat_scope_name(scope), scope_json(run, scope, stats));
	return report;
}
