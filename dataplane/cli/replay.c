// SPDX-License-Identifier: BSD-3-Clause
// weir replay: a capture through a chain of filters into a capture, without root, hugepages or devices.
//
// It is `weir run` with a configuration made here: one worker, one chain, and captures in the place of
// ports (replay.h). Filters may forward to any of the DP_PORTS_MAX ports; all of them are the output.
#include "cli.h"
#include "print.h"
#include "session.h"
#include "table.h"

#include "file.h"
#include "log.h"
#include "replay.h"
#include "utf8.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
	ENTRIES_MAX = 256,        // --config options, all filters together
	VALUE_FILE_MAX = 1 << 26, // bytes of a file that --config names
	MBUFS = 8192,
	MBUF_BYTES = 2048,
	VIEW_FULL_MIN = 64, // of a capture with small packets only
};

// Everything that the command line gave, and the configuration that is made of it.
struct replay {
	const char *in;
	const char *out;
	const char *drops;
	uint32_t view;
	enum dp_engine engine;
	const char *cpu;       // NULL: not given
	const char *jit_cache; // NULL: none
	bool is_json;
	struct dp_filter_config filters[DP_CHAIN_MAX];
	uint32_t n_filters;
	struct ws_config_entry entries[ENTRIES_MAX];
	char *owned[ENTRIES_MAX][2]; // key and file contents of an entry, to be freed
	uint32_t n_entries;
	uint32_t first_entry; // of the newest filter

	struct dp_port_config ports[DP_PORTS_MAX];
	struct dp_queue_ref queues[DP_PORTS_MAX];
	struct dp_worker_config worker;
	struct dp_chain_config chain;
	uint16_t filter_idx[DP_CHAIN_MAX];
	char instance[DP_NAME_MAX];
	struct dp_config config;
};

// ---- the command line ---------------------------------------------------------------------------

// "acl" for "some/where/acl.wasm"; a second one becomes "acl-2". What no name may have becomes '_'.
static void name_filter(struct replay *r, const char *path, char *ret_name)
{
	const char *slash = strrchr(path, '/');
	const char *base = slash != NULL ? slash + 1 : path;
	char stem[DP_NAME_MAX - 4]; // room for "-16"

	snprintf(stem, sizeof(stem), "%.*s", (int)strcspn(base, "."), base);
	for (char *p = stem; *p != '\0'; p++) {
		const char one[] = {'a', *p, '\0'};

		if (!dp_config_name_is_valid(one))
			*p = '_';
	}
	if (!dp_config_name_is_valid(stem))
		snprintf(stem, sizeof(stem), "filter");
	snprintf(ret_name, DP_NAME_MAX, "%s", stem);
	uint32_t n = 1;
	for (uint32_t i = 0; i < r->n_filters; i++) {
		if (strcmp(r->filters[i].name, ret_name) != 0)
			continue;
		snprintf(ret_name, DP_NAME_MAX, "%s-%u", stem, ++n);
		i = UINT32_MAX; // from the start with the new name
	}
}

static bool add_filter(struct cli_args *args, struct replay *r)
{
	if (r->n_filters == DP_CHAIN_MAX) {
		cli_usage(args, "--filter: found more than %d filters", DP_CHAIN_MAX);
		return false;
	}
	struct dp_filter_config *filter = &r->filters[r->n_filters];
	name_filter(r, args->value, filter->name);
	filter->file = args->value;
	filter->entries = &r->entries[r->n_entries];
	r->first_entry = r->n_entries;
	r->n_filters++;
	return true;
}

// The value of K=V or K=@FILE; "@@..." is text that begins with '@'.
static bool read_value(const char *text, struct ws_config_entry *entry, char **ret_owned)
{
	struct we_error err;
	uint8_t *data;
	size_t len;

	entry->value = text + (text[0] == '@' ? 1 : 0);
	entry->value_len = strlen(entry->value);
	if (text[0] == '@' && text[1] != '@') {
		if (dp_file_read(text + 1, VALUE_FILE_MAX, &data, &len, &err) != 0) {
			cli_fail(CLI_FAULT, "%s: cannot read it: %s", text + 1, err.msg);
			return false;
		}
		*ret_owned = (char *)data;
		entry->value = *ret_owned;
		entry->value_len = len;
	}
	for (size_t i = 0, n; i < entry->value_len; i += n) {
		n = dp_utf8_len(entry->value + i, entry->value_len - i);
		if (n != 0)
			continue;
		cli_fail(CLI_FAULT, "%s:0x%zx: found the byte 0x%02x, expected UTF-8",
			*ret_owned != NULL ? text + 1 : "--config", i,
			(unsigned char)entry->value[i]);
		return false;
	}
	return true;
}

// Returns: CLI_OK; the code of a message that was printed.
static enum cli_exit add_entry(struct cli_args *args, struct replay *r)
{
	const char *equals = strchr(args->value, '=');

	if (r->n_filters == 0)
		return cli_usage(args, "--config %s: found no --filter before it", args->value);
	if (equals == NULL || equals == args->value)
		return cli_usage(args, "--config: found \"%s\", expected KEY=VALUE or KEY=@FILE",
			args->value);
	if (r->n_entries == ENTRIES_MAX)
		return cli_usage(args, "--config: found more than %d entries", ENTRIES_MAX);
	struct ws_config_entry *entry = &r->entries[r->n_entries];
	char **owned = r->owned[r->n_entries];
	owned[0] = strndup(args->value, (size_t)(equals - args->value));
	if (owned[0] == NULL)
		return cli_fail(CLI_MACHINE, "out of memory");
	r->n_entries++;
	entry->key = owned[0];
	for (uint32_t i = r->first_entry; i + 1 < r->n_entries; i++) {
		if (strcmp(r->entries[i].key, entry->key) == 0)
			return cli_usage(args,
				"--config: found the key \"%s\" again, expected it once a filter",
				entry->key);
	}
	r->filters[r->n_filters - 1].n_entries++;
	return read_value(equals + 1, entry, &owned[1]) ? CLI_OK : CLI_FAULT;
}

static enum cli_exit set_view(struct cli_args *args, struct replay *r)
{
	char *end;

	if (strcmp(args->value, "full") == 0) {
		r->view = WS_VIEW_FULL;
		return CLI_OK;
	}
	const unsigned long view = strtoul(args->value, &end, 10);
	if (args->value[0] < '1' || args->value[0] > '9' || *end != '\0' || view > WS_VIEW_MAX)
		return cli_usage(args,
			"--view: found \"%s\", expected a number from 1 to %d, or full",
			args->value, WS_VIEW_MAX);
	r->view = (uint32_t)view;
	return CLI_OK;
}

static enum cli_exit take_operand(struct cli_args *args, struct replay *r)
{
	if (r->in == NULL)
		r->in = args->value;
	else if (r->out == NULL)
		r->out = args->value;
	else
		return cli_usage(args, "found a third capture, \"%s\", expected IN.pcap OUT.pcap",
			args->value);
	return CLI_OK;
}

static enum cli_exit take(struct cli_args *args, enum cli_flag flag, struct replay *r)
{
	switch (flag) {
	case CLI_REPLAY_FILTER:
		return add_filter(args, r) ? CLI_OK : CLI_USAGE;
	case CLI_REPLAY_CONFIG:
		return add_entry(args, r);
	case CLI_REPLAY_VIEW:
		return set_view(args, r);
	case CLI_REPLAY_ENGINE:
		return cli_engine(args) && dp_engine_parse(args->value, &r->engine) == 0
			       ? CLI_OK
			       : CLI_USAGE;
	case CLI_REPLAY_CPU:
		r->cpu = args->value;
		return cli_cpu(args) ? CLI_OK : CLI_USAGE;
	case CLI_REPLAY_JIT_CACHE:
		r->jit_cache = args->value;
		return CLI_OK;
	case CLI_REPLAY_DROPS:
		r->drops = args->value;
		return CLI_OK;
	case CLI_REPLAY_JSON:
		r->is_json = true;
		return CLI_OK;
	case CLI_REPLAY_LOG_LEVEL:
		return cli_log_level(args) ? CLI_OK : CLI_USAGE;
	case CLI_REPLAY_LOG_FORMAT:
		return cli_log_format(args) ? CLI_OK : CLI_USAGE;
	case CLI_OPERAND:
		return take_operand(args, r);
	default:
		return CLI_USAGE;
	}
}

// Two files that would be read and written at once, or written twice.
static enum cli_exit check_paths(const struct cli_args *args, const struct replay *r)
{
	if (r->out == NULL)
		return cli_usage(args, "found %s, expected IN.pcap OUT.pcap",
			r->in == NULL ? "no capture" : "one capture");
	if (dp_file_is_same(r->in, r->out))
		return cli_usage(args, "%s and %s are the same file", r->in, r->out);
	if (r->drops != NULL && dp_file_is_same(r->in, r->drops))
		return cli_usage(args, "%s and %s are the same file", r->in, r->drops);
	if (r->drops != NULL &&
		(strcmp(r->out, r->drops) == 0 || dp_file_is_same(r->out, r->drops)))
		return cli_usage(args, "%s and %s are the same file", r->out, r->drops);
	return CLI_OK;
}

// ---- the configuration --------------------------------------------------------------------------

static void make_filters(struct replay *r)
{
	for (uint32_t i = 0; i < r->n_filters; i++) {
		struct dp_filter_config *filter = &r->filters[i];

		filter->view = r->view;
		filter->limits.cm.core.memory_pages = 4096; // 256 MiB
		filter->deadline_ns = 1000000000;           // nobody waits behind it
		filter->on_fault = DP_ON_FAULT_CLOSED;
		filter->restart_min_ns = 1000000;
		filter->restart_max_ns = 1000000000;
		r->filter_idx[i] = (uint16_t)i;
	}
	snprintf(r->chain.name, sizeof(r->chain.name), "replay");
	r->chain.filter_idx = r->filter_idx;
	r->chain.n_filters = r->n_filters;
}

static void make_ports(struct replay *r)
{
	for (uint16_t p = 0; p < DP_PORTS_MAX; p++) {
		r->ports[p] = (struct dp_port_config){
			.device = "",
			.n_queues = 1,
			.chain_idx = DP_NO_INDEX,
			.to_port_idx = 0,
		};
		snprintf(r->ports[p].name, sizeof(r->ports[p].name),
			p == 0 ? "capture" : "output%u", p);
		r->queues[p] = (struct dp_queue_ref){.port_idx = p};
	}
	if (r->n_filters > 0)
		r->ports[0].chain_idx = 0;
}

static void make_config(struct replay *r)
{
	static const char *const eal_args[] = {
		"--no-huge", "--no-shconf", "--no-pci", "--no-telemetry", "-m", "192"};

	make_filters(r);
	make_ports(r);
	r->worker = (struct dp_worker_config){
		.lcore = DP_LCORE_ANY,
		.idle = DP_IDLE_SPIN,
		.engine = r->engine,
		.queues = r->queues,
		.n_queues = DP_PORTS_MAX,
	};
	snprintf(r->instance, sizeof(r->instance), "weir-replay-%d", (int)getpid());
	r->config = (struct dp_config){
		.instance = r->instance,
		.eal_args = eal_args,
		.n_eal_args = sizeof(eal_args) / sizeof(eal_args[0]),
		.burst = 32,
		.n_mbufs = MBUFS,
		.mbuf_data_bytes = MBUF_BYTES,
		.exception_port_idx = 0,
		.engine = r->engine,
		.cpu = r->cpu,
		.jit_cache = r->jit_cache,
		.ports = r->ports,
		.n_ports = DP_PORTS_MAX,
		.workers = &r->worker,
		.n_workers = 1,
		.chains = &r->chain,
		.n_chains = r->n_filters > 0 ? 1 : 0,
		.filters = r->filters,
		.n_filters = r->n_filters,
	};
}

// ---- the run ------------------------------------------------------------------------------------

// What a library said of a capture: "weir: FILE: malformed: ..."; the machine's refusals have no class.
static enum cli_exit fail_capture(const char *path, const struct we_error *err)
{
	if (err->rc == WE_E_HOST || err->rc == WE_E_NOMEM)
		return cli_fail(CLI_FAULT, "%s: cannot read it: %s", path, err->msg);
	return cli_fail(CLI_FAULT, "%s: %s: %s", path, we_failure_word(err->rc), err->msg);
}

static enum cli_exit fail_interrupted(const struct replay *r, uint64_t n_read)
{
	return cli_fail(CLI_FAULT,
		"%s: ended by %s after %" PRIu64 " packets: the result is not whole", r->in,
		cli_session_signal(), n_read);
}

// Bytes of `full`: of the input's largest packet. A pipe can be read once only: the most there is.
static int view_full(const char *path, uint32_t *ret_view, struct we_error *err)
{
	uint32_t largest = WS_VIEW_MAX;
	const int rc = dp_file_is_regular(path) ? dp_capture_largest(path, &largest, err) : 0;

	*ret_view = largest > WS_VIEW_MAX     ? WS_VIEW_MAX
		    : largest < VIEW_FULL_MIN ? VIEW_FULL_MIN
					      : largest;
	return rc;
}

static enum cli_exit create(const struct replay *r, struct dp_replay **ret_replay)
{
	struct dp_capture_in *in = NULL;
	struct dp_capture_out *out = NULL;
	struct dp_capture_out *drops = NULL;
	struct we_error err;
	uint32_t full;
	enum cli_exit code = CLI_OK;

	if (view_full(r->in, &full, &err) != 0 ||
		dp_capture_open(r->in, cli_session_ending(), &in, &err) != 0)
		code = cli_session_signal() != NULL ? fail_interrupted(r, 0)
						    : fail_capture(r->in, &err);
	else if (dp_capture_create(r->out, dp_capture_is_nano(in), &out, &err) != 0)
		code = cli_fail(CLI_MACHINE, "%s: cannot write it: %s", r->out, err.msg);
	else if (r->drops != NULL &&
		 dp_capture_create(r->drops, dp_capture_is_nano(in), &drops, &err) != 0)
		code = cli_fail(CLI_MACHINE, "%s: cannot write it: %s", r->drops, err.msg);
	else if (dp_replay_create(in, out, drops, full, ret_replay) != 0)
		code = cli_fail(CLI_MACHINE, "out of memory");
	if (code == CLI_OK)
		return CLI_OK;
	dp_capture_close(in);
	dp_capture_abort(out);
	dp_capture_abort(drops);
	return code;
}

static json_t *traffic_json(const char *path, const struct dp_traffic *t)
{
	return json_pack("{s:o, s:I, s:I}", "file",
		path != NULL ? cli_json_text(path) : json_null(), "packets", (json_int_t)t->packets,
		"bytes", (json_int_t)t->bytes);
}

static void print_json(const struct replay *r, const struct dp_replay_counts *counts,
	const json_t *report, FILE *to)
{
	json_t *all = json_object();

	json_object_set_new(all, "in", traffic_json(r->in, &counts->in));
	json_object_set_new(all, "out", traffic_json(r->out, &counts->out));
	json_object_set_new(all, "dropped", traffic_json(r->drops, &counts->dropped));
	json_object_set(all, "elapsed_ns", json_object_get(report, "elapsed_ns"));
	json_object_set(all, "tsc_hz", json_object_get(report, "tsc_hz"));
	json_object_set(all, "conservation", json_object_get(report, "conservation"));
	json_object_set(all, "filters", json_object_get(report, "filters"));
	json_object_set(all, "code", json_object_get(report, "code"));
	json_object_set(all, "mbufs_missing", json_object_get(report, "mbufs_missing"));
	json_dumpf(all, to, JSON_INDENT(2));
	fputc('\n', to);
	json_decref(all);
}

static void print_traffic(const char *what, const char *path, const struct dp_traffic *t, FILE *to)
{
	char packets[32];
	char bytes[32];

	cli_number(t->packets, packets);
	cli_number(t->bytes, bytes);
	fprintf(to, "%-7s  %s: %s packets, %s bytes\n", what, path, packets, bytes);
}

static void print_text(const struct replay *r, const struct dp_replay_counts *counts,
	const json_t *report, FILE *to)
{
	print_traffic("in", r->in, &counts->in, to);
	print_traffic("out", r->out, &counts->out, to);
	print_traffic("dropped", r->drops != NULL ? r->drops : "(not kept)", &counts->dropped, to);
	fputc('\n', to);
	cli_print_filters(report, to);
	if (r->n_filters > 0)
		fputc('\n', to);
	cli_print_law(report, false, to);
}

// A filter that failed answered for no packet that it had, and one that ended by itself for none that came
// later: say so, and that the result is not whole.
static enum cli_exit filters_verdict(const json_t *report)
{
	enum cli_exit code = CLI_OK;
	const json_t *filter;
	size_t i;

	json_array_foreach(json_object_get(report, "filters"), i, filter)
	{
		const json_int_t traps = json_integer_value(json_object_get(filter, "traps"));
		const json_int_t ended = json_integer_value(json_object_get(filter, "ended"));
		const char *file = json_string_value(json_object_get(filter, "file"));

		if (traps > 0)
			code = cli_fail(CLI_FAULT, "%s: failures: %lld; the log says why", file,
				(long long)traps);
		if (ended > 0)
			code = cli_fail(CLI_FAULT,
				"%s: ended before its input: %lld; the log says why", file,
				(long long)ended);
	}
	return code;
}

static void worsen(enum cli_exit *code, enum cli_exit with)
{
	if (with > *code)
		*code = with;
}

static enum cli_exit finish(const struct replay *r, struct dp_replay *replay, const json_t *report)
{
	const struct dp_replay_counts counts = dp_replay_counts(replay);
	FILE *to = strcmp(r->out, "-") == 0 ? stderr : stdout;
	struct we_error err;
	uint32_t path_idx;
	enum cli_exit code = CLI_OK;

	if (dp_replay_commit(replay, &path_idx, &err) != 0)
		return cli_fail(CLI_MACHINE, "%s: cannot write it: %s",
			path_idx == 0 ? r->out : r->drops, err.msg);
	if (r->is_json)
		print_json(r, &counts, report, to);
	else
		print_text(r, &counts, report, to);
	if (dp_replay_input(replay, &err) != 0)
		code = cli_fail(CLI_FAULT, "%s: packet %" PRIu64 ": %s: %s", r->in, err.offset,
			we_failure_word(err.rc), err.msg);
	if (cli_session_signal() != NULL && !dp_replay_has_ended(replay))
		code = fail_interrupted(r, counts.in.packets);
	worsen(&code, filters_verdict(report));
	worsen(&code, cli_session_verdict(report));
	return code;
}

static enum cli_exit run(struct replay *r)
{
	const struct cli_session_options options = {.has_progress = !r->is_json};
	struct dp_replay *replay;
	json_t *report;
	enum cli_exit code = create(r, &replay);

	if (code != CLI_OK)
		return code;
	make_config(r);
	const struct dp_hooks hooks = dp_replay_hooks(replay);
	code = cli_session_run(&r->config, &hooks, &options, &report);
	if (code == CLI_OK) {
		code = report != NULL ? finish(r, replay, report) : fail_interrupted(r, 0);
		json_decref(report);
	}
	dp_replay_destroy(replay);
	return code;
}

enum cli_exit cli_main_REPLAY(struct cli_args *args)
{
	struct replay *r = calloc(1, sizeof(*r));
	enum cli_exit code = CLI_OK;
	enum cli_flag flag;

	if (r == NULL)
		return cli_fail(CLI_MACHINE, "out of memory");
	dp_log_set_level(DP_LOG_WARN);
	while (code == CLI_OK && (flag = cli_next(args)) != CLI_END) {
		if (flag == CLI_HELPED) {
			free(r);
			return CLI_OK;
		}
		code = take(args, flag, r);
	}
	if (code == CLI_OK)
		code = check_paths(args, r);
	if (code == CLI_OK) {
		cli_session_prepare();
		code = run(r);
	}
	for (uint32_t i = 0; i < r->n_entries; i++) {
		free(r->owned[i][0]);
		free(r->owned[i][1]);
	}
	free(r);
	return code;
}
