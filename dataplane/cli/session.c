// SPDX-License-Identifier: BSD-3-Clause
// cli_session: see session.h.
#include "session.h"

#include "eal.h"
#include "log.h"
#include "native.h"
#include "notify.h"
#include "report.h"
#include "table.h"
#include "telemetry.h"

#include <inttypes.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <unistd.h>

enum {
	LOOK_NS = 100000000,        // pause between two looks at the run
	PROGRESS_TERMINAL_MS = 500, // a line that is written over
	PROGRESS_PLAIN_MS = 10000,  // a line of its own
	NS_PER_MS = 1000000,
};

// ---- signals ------------------------------------------------------------------------------------

static atomic_int end_signal; // 0: none came
static atomic_bool is_ending; // end_signal is not 0
static atomic_int n_hangups;
static _Atomic(struct dp_run *) stoppable;

static void on_end(int signal)
{
	struct dp_run *run = atomic_load(&stoppable);

	atomic_store(&end_signal, signal);
	atomic_store(&is_ending, true);
	if (run != NULL)
		dp_run_request_stop(run);
}

static void on_hangup(int signal)
{
	(void)signal;
	atomic_fetch_add(&n_hangups, 1);
}

static void take_signal(int signal, void (*handler)(int))
{
	struct sigaction action = {.sa_handler = handler, .sa_flags = SA_RESTART};

	sigfillset(&action.sa_mask);
	sigaction(signal, &action, NULL);
}

void cli_session_prepare(void)
{
	take_signal(SIGINT, on_end);
	take_signal(SIGTERM, on_end);
	take_signal(SIGHUP, on_hangup);
	take_signal(SIGPIPE, SIG_IGN);
}

// ---- progress -----------------------------------------------------------------------------------

// What the loop has seen so far. Times are of dp_stats.elapsed_ns.
struct watch {
	const struct cli_session_options *options;
	bool is_terminal;
	uint64_t shown_ns; // when progress was last shown
	uint64_t shown_rx; // packets then
	uint64_t moved_ns; // when a packet last came
	uint64_t moved;    // packets received and originated then
	int hangups_told;
};

static void show_progress(struct watch *watch, const struct dp_stats *stats)
{
	const struct dp_law *law = &stats->law;
	const uint64_t pause_ns =
		(uint64_t)(watch->is_terminal ? PROGRESS_TERMINAL_MS : PROGRESS_PLAIN_MS) *
		NS_PER_MS;
	const uint64_t passed_ns = stats->elapsed_ns - watch->shown_ns;
	char rx[32];
	char tx[32];
	char drops[32];
	char held[32];
	char rate[32];

	if (!watch->options->has_progress || passed_ns < pause_ns)
		return;
	const double per_s = (double)(law->rx - watch->shown_rx) * 1e9 / (double)passed_ns;
	cli_number(law->rx, rx);
	cli_number(law->tx, tx);
	cli_number(law->drops, drops);
	cli_number(law->held, held);
	cli_number((uint64_t)per_s, rate);
	if (watch->is_terminal)
		fprintf(stderr, "\r\033[K%" PRIu64 " s  rx %s (%s/s)  tx %s  drops %s  held %s",
			stats->elapsed_ns / 1000000000, rx, rate, tx, drops, held);
	else
		dp_log_info("rx %s (%s/s) tx %s drops %s held %s", rx, rate, tx, drops, held);
	watch->shown_ns = stats->elapsed_ns;
	watch->shown_rx = law->rx;
}

static void show_hangups(struct watch *watch)
{
	const int n = atomic_load(&n_hangups);

	if (n == watch->hangups_told)
		return;
	watch->hangups_told = n;
	dp_log_warn("SIGHUP: there is no reload yet; the run goes on unchanged");
}

// Has the run come to the end that the options name?
static bool is_over(struct watch *watch, const struct dp_stats *stats)
{
	const uint64_t moved = stats->law.rx + stats->law.originated;

	if (moved != watch->moved || stats->law.held != 0) {
		watch->moved = moved;
		watch->moved_ns = stats->elapsed_ns;
	}
	if (watch->options->has_duration && stats->elapsed_ns >= watch->options->duration_ns)
		return true;
	return watch->options->is_until_idle &&
	       stats->elapsed_ns - watch->moved_ns >= watch->options->idle_ns;
}

// ---- the run ------------------------------------------------------------------------------------

static void watch_run(
	struct dp_run *run, struct dp_stats *stats, const struct cli_session_options *options)
{
	struct watch watch = {
		.options = options,
		.is_terminal = options->has_progress && isatty(STDERR_FILENO) == 1,
	};

	dp_log_set_transient(watch.is_terminal);
	for (;;) {
		uint64_t pause_ns = LOOK_NS;

		if (options->has_duration && options->duration_ns < stats->elapsed_ns + pause_ns)
			pause_ns = options->duration_ns > stats->elapsed_ns
					   ? options->duration_ns - stats->elapsed_ns
					   : 1;
		if (dp_run_wait(run, pause_ns) != DP_RUN_GOES_ON)
			break;
		dp_telemetry_snapshot(stats);
		show_hangups(&watch);
		show_progress(&watch, stats);
		if (is_over(&watch, stats))
			dp_run_request_stop(run);
	}
	dp_log_set_transient(false);
	if (watch.is_terminal)
		fputs("\r\033[K", stderr);
	show_hangups(&watch);
}

const atomic_bool *cli_session_ending(void)
{
	return &is_ending;
}

const char *cli_session_signal(void)
{
	const int signal = atomic_load(&end_signal);

	if (signal == 0)
		return NULL;
	return signal == SIGINT ? "SIGINT" : "SIGTERM";
}

static void log_end(void)
{
	if (cli_session_signal() != NULL)
		dp_log_info("ended by %s", cli_session_signal());
}

static enum cli_exit run_started(struct dp_run *run, const struct dp_config *config,
	const struct cli_session_options *options, struct dp_stats *stats, json_t **ret_report)
{
	char *message = NULL;
	const int rc = dp_run_start(run, &message);

	if (rc != 0)
		return cli_fail_message(rc, message);
	dp_log_info("%s runs: %u ports, %u workers, %u filters", config->instance, config->n_ports,
		config->n_workers, config->n_filters);
	dp_notify("READY=1\nSTATUS=running");
	watch_run(run, stats, options);
	dp_notify("STOPPING=1");
	log_end();
	dp_telemetry_snapshot(stats);
	json_t *report = dp_report_create(run, stats);
	dp_telemetry_serve(NULL, NULL);
	const uint32_t missing = dp_run_close(run);
	if (report == NULL)
		return cli_fail(CLI_MACHINE, "out of memory");
	json_object_set_new(report, "mbufs_missing", json_integer(missing));
	*ret_report = report;
	return CLI_OK;
}

static enum cli_exit run_opened(struct dp_run *run, const struct dp_config *config,
	const struct cli_session_options *options, struct dp_stats *stats, json_t **ret_report)
{
	char *message = NULL;
	const int rc = dp_run_open(run, &message);

	if (rc != 0 && atomic_load(&end_signal) != 0) {
		log_end();
		free(message);
		return CLI_OK;
	}
	if (rc != 0)
		return cli_fail_message(rc, message);
	dp_telemetry_serve(run, stats);
	const enum cli_exit code = run_started(run, config, options, stats, ret_report);
	dp_telemetry_serve(NULL, NULL);
	return code;
}

static enum cli_exit run_created(const struct dp_config *config, const struct dp_hooks *hooks,
	const struct cli_session_options *options, json_t **ret_report)
{
	struct dp_run *run = NULL;
	struct dp_stats *stats = NULL;
	enum cli_exit code;

	if (dp_run_create(config, hooks, &run) != 0)
		return cli_fail(CLI_MACHINE, "out of memory");
	*ret_report = NULL;
	atomic_store(&stoppable, run);
	if (atomic_load(&end_signal) != 0) // it came before there was a run
		dp_run_request_stop(run);
	if (dp_stats_create(config, &stats) != 0 ||
		(options->has_telemetry && dp_telemetry_register() != 0))
		code = cli_fail(CLI_MACHINE, "out of memory");
	else
		code = run_opened(run, config, options, stats, ret_report);
	atomic_store(&stoppable, NULL);
	dp_run_destroy(run);
	dp_stats_destroy(stats);
	return code;
}

enum cli_exit cli_session_run(const struct dp_config *config, const struct dp_hooks *hooks,
	const struct cli_session_options *options, json_t **ret_report)
{
	char *message = NULL;
	int rc = dp_native_prepare(config, &message);

	if (rc == 0)
		rc = dp_eal_init(config, &message);
	if (rc != 0)
		return cli_fail_message(rc, message);
	const enum cli_exit code = run_created(config, hooks, options, ret_report);
	dp_eal_fini();
	return code;
}

enum cli_exit cli_session_verdict(const json_t *report)
{
	const json_t *law = json_object_get(report, "conservation");
	const json_int_t missing = json_integer_value(json_object_get(report, "mbufs_missing"));
	enum cli_exit code = CLI_OK;

	if (!json_is_true(json_object_get(law, "holds")))
		code = cli_fail(
			CLI_FAULT, "the conservation law does not hold: a mistake of weir's");
	if (missing != 0)
		code = cli_fail(CLI_FAULT,
			"%lld packet buffers did not come back: a mistake of weir's",
			(long long)missing);
	return code;
}
