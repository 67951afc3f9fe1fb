// SPDX-License-Identifier: BSD-3-Clause
// dp_telemetry: see telemetry.h.
//
// DPDK 22.11 answers at most 16 KiB, takes keys of letters, digits, '_' and '/' only, and spoils text that is not
// ASCII: so there is a command for each thing, reasons are two arrays side by side and come in portions, and
// texts are escaped.
#include "telemetry.h"

#include "build.h"
#include "stat.h"

#include <rte_telemetry.h>

#include <errno.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
	REASONS_MAX = 100, // in one answer
};

static struct {
	pthread_mutex_t lock;
	struct dp_run *run; // NULL: nothing to tell
	struct dp_stats *stats;
} served = {.lock = PTHREAD_MUTEX_INITIALIZER};

void dp_telemetry_serve(struct dp_run *run, struct dp_stats *stats)
{
	pthread_mutex_lock(&served.lock);
	served.run = run;
	served.stats = stats;
	pthread_mutex_unlock(&served.lock);
}

void dp_telemetry_snapshot(struct dp_stats *ret_stats)
{
	pthread_mutex_lock(&served.lock);
	dp_run_snapshot(served.run, ret_stats);
	pthread_mutex_unlock(&served.lock);
}

// ---- answers ------------------------------------------------------------------------------------

// Text as telemetry can carry it: printable ASCII, the rest as \xHH, cut to what one value holds.
static void plain_text(const char *text, char *buf, size_t cap)
{
	size_t used = 0;

	for (; *text != '\0' && used + 5 < cap; text++) {
		if (*text >= 0x20 && *text < 0x7f)
			buf[used++] = *text;
		else
			used += (size_t)snprintf(buf + used, 5, "\\x%02x", (unsigned char)*text);
	}
	buf[used] = '\0';
}

static void add_text(void *env, const char *key, const char *text)
{
	char plain[RTE_TEL_MAX_STRING_LEN];

	plain_text(text, plain, sizeof(plain));
	rte_tel_data_add_dict_string(env, key, plain);
}

static void add_number(void *env, const char *key, uint64_t value, const char *doc)
{
	(void)doc;
	rte_tel_data_add_dict_u64(env, key, value);
}

static int answer_names(enum dp_stat_scope scope, struct rte_tel_data *d)
{
	char name[DP_STAT_NAME_MAX];
	int rc = rte_tel_data_start_array(d, RTE_TEL_STRING_VAL);

	for (uint32_t i = 0; i < dp_stat_count(scope, served.stats) && rc == 0; i++) {
		dp_stat_name(scope, served.stats, i, name);
		rc = rte_tel_data_add_array_string(d, name);
	}
	return rc;
}

// The thing of that name, or the number of things.
static uint32_t thing_find(enum dp_stat_scope scope, const char *name)
{
	const uint32_t n = dp_stat_count(scope, served.stats);
	char candidate[DP_STAT_NAME_MAX];
	uint32_t i = 0;

	for (; i < n; i++) {
		dp_stat_name(scope, served.stats, i, candidate);
		if (strcmp(candidate, name) == 0)
			break;
	}
	return i;
}

static int answer_thing(enum dp_stat_scope scope, const char *name, struct rte_tel_data *d)
{
	const uint32_t i = thing_find(scope, name);

	if (i == dp_stat_count(scope, served.stats))
		return -EINVAL;
	dp_run_snapshot(served.run, served.stats);
	rte_tel_data_start_dict(d);
	rte_tel_data_add_dict_string(d, "name", name);
	dp_stat_texts(scope, served.stats, i, add_text, d);
	dp_stat_each(scope, dp_stat_at(scope, served.stats, i), add_number, d);
	return 0;
}

static int answer_info(struct rte_tel_data *d)
{
	dp_run_snapshot(served.run, served.stats);
	rte_tel_data_start_dict(d);
	add_text(d, "instance", served.stats->config->instance);
	add_text(d, "version", BUILD_VERSION);
	add_text(d, "configuration",
		served.stats->config->file != NULL ? served.stats->config->file : "");
	rte_tel_data_add_dict_u64(d, "elapsed_ns", served.stats->elapsed_ns);
	rte_tel_data_add_dict_u64(d, "tsc_hz", served.stats->tsc_hz);
	return 0;
}

static int answer_law(struct rte_tel_data *d)
{
	dp_run_snapshot(served.run, served.stats);
	rte_tel_data_start_dict(d);
	dp_stat_each(DP_STAT_LAW, &served.stats->law, add_number, d);
	rte_tel_data_add_dict_u64(d, "holds", dp_law_holds(&served.stats->law) ? 1 : 0);
	return 0;
}

static int answer_drops(struct rte_tel_data *d)
{
	dp_run_snapshot(served.run, served.stats);
	rte_tel_data_start_dict(d);
	for (enum dp_drop drop = 0; drop < DP_DROP_N; drop++)
		rte_tel_data_add_dict_u64(d, dp_drop_name(drop), served.stats->law.drops_by[drop]);
	return 0;
}

// "CHAIN/PLACE" or "CHAIN/PLACE,FROM": names and counts side by side, next: where to go on, 0 at the end.
static int answer_reasons(const char *params, struct rte_tel_data *d)
{
	char name[DP_STAT_NAME_MAX];
	const char *comma = params != NULL ? strchr(params, ',') : NULL;

	if (params == NULL)
		return -EINVAL;
	snprintf(name, sizeof(name), "%.*s",
		comma != NULL ? (int)(comma - params) : (int)strlen(params), params);
	const uint32_t i = thing_find(DP_STAT_FILTER, name);
	if (i == dp_stat_count(DP_STAT_FILTER, served.stats))
		return -EINVAL;
	struct rte_tel_data *names = rte_tel_data_alloc();
	struct rte_tel_data *counts = rte_tel_data_alloc();
	if (names == NULL || counts == NULL) {
		rte_tel_data_free(names);
		rte_tel_data_free(counts);
		return -ENOMEM;
	}
	rte_tel_data_start_array(names, RTE_TEL_STRING_VAL);
	rte_tel_data_start_array(counts, RTE_TEL_U64_VAL);
	dp_run_snapshot(served.run, served.stats);
	const struct dp_filter_stats *filter = dp_stat_at(DP_STAT_FILTER, served.stats, i);
	const uint16_t filter_idx = dp_stat_filter_idx(served.stats, i);
	uint64_t next = comma != NULL ? strtoul(comma + 1, NULL, 10) : 0;
	uint32_t n = 0;
	for (; next <= WS_REASONS_MAX && n < REASONS_MAX; next++) {
		const char *reason =
			next > 0 ? dp_run_reason(served.run, filter_idx, (uint32_t)next) : "";
		char plain[RTE_TEL_MAX_STRING_LEN];

		if (filter->reasons[next] == 0)
			continue;
		plain_text(reason != NULL ? reason : "", plain, sizeof(plain));
		rte_tel_data_add_array_string(names, plain);
		rte_tel_data_add_array_u64(counts, filter->reasons[next]);
		n++;
	}
	rte_tel_data_start_dict(d);
	rte_tel_data_add_dict_container(d, "names", names, 0);
	rte_tel_data_add_dict_container(d, "counts", counts, 0);
	rte_tel_data_add_dict_u64(d, "next", next <= WS_REASONS_MAX ? next : 0);
	return 0;
}

// ---- commands -----------------------------------------------------------------------------------

static const struct command {
	const char *path;
	const char *params; // "" : none
	const char *help;
} commands[] = {
	{"/weir/list", "", "Returns the commands of weir. No parameters"},
	{"/weir/info", "", "Returns what this weir is. No parameters"},
	{"/weir/conservation", "", "Returns both sides of the conservation law. No parameters"},
	{"/weir/drops", "", "Returns packets dropped by reason. No parameters"},
	{"/weir/ports", ",PORT", "Returns the ports, or the counters of one. Parameters: PORT"},
	{"/weir/queues", ",PORT:QUEUE",
		"Returns the queues, or the counters of one. Parameters: PORT:QUEUE"},
	{"/weir/filters", ",CHAIN/PLACE",
		"Returns the filters, or the counters of one. Parameters: CHAIN/PLACE"},
	{"/weir/code", ",FILTER",
		"Returns the filters, or what is known of the native code of one. Parameters: "
		"FILTER"},
	{"/weir/workers", ",NUMBER",
		"Returns the workers, or the counters of one. Parameters: NUMBER"},
	{"/weir/reasons", ",CHAIN/PLACE[,FROM]",
		"Returns drops by a filter's own reasons. Parameters: CHAIN/PLACE[,FROM]"},
};

static int answer_list(struct rte_tel_data *d)
{
	rte_tel_data_start_array(d, RTE_TEL_STRING_VAL);
	for (size_t i = 0; i < sizeof(commands) / sizeof(commands[0]); i++) {
		char line[RTE_TEL_MAX_STRING_LEN];

		snprintf(line, sizeof(line), "%s%s", commands[i].path, commands[i].params);
		rte_tel_data_add_array_string(d, line);
	}
	return 0;
}

static int answer(const char *name, const char *params, struct rte_tel_data *d)
{
	if (strcmp(name, "list") == 0)
		return answer_list(d);
	if (strcmp(name, "info") == 0)
		return answer_info(d);
	if (strcmp(name, "drops") == 0)
		return answer_drops(d);
	if (strcmp(name, "reasons") == 0)
		return answer_reasons(params, d);
	if (strcmp(name, dp_stat_scope_name(DP_STAT_LAW)) == 0)
		return answer_law(d);
	for (enum dp_stat_scope scope = DP_STAT_PORT; scope < DP_STAT_SCOPE_N; scope++) {
		if (strcmp(name, dp_stat_scope_name(scope)) == 0)
			return params == NULL || params[0] == '\0' ? answer_names(scope, d)
								   : answer_thing(scope, params, d);
	}
	return -EINVAL;
}

static int handle(const char *path, const char *params, struct rte_tel_data *d)
{
	int rc = -ENOENT;

	pthread_mutex_lock(&served.lock);
	if (served.run != NULL)
		rc = answer(path + strlen("/weir/"), params, d);
	pthread_mutex_unlock(&served.lock);
	return rc;
}

int dp_telemetry_register(void)
{
	for (size_t i = 0; i < sizeof(commands) / sizeof(commands[0]); i++) {
		if (rte_telemetry_register_cmd(commands[i].path, handle, commands[i].help) != 0)
			return WE_E_HOST;
	}
	return 0;
}
