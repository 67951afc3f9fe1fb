// SPDX-License-Identifier: BSD-3-Clause
// weir stats: the counters of a weir that runs, once or again and again.
#include "cli.h"
#include "print.h"
#include "telemetry_client.h"

#include "config.h"

#include <signal.h>
#include <time.h>
#include <unistd.h>

static volatile sig_atomic_t is_ended;

static void on_end(int signal)
{
	(void)signal;
	is_ended = 1;
}

static enum cli_exit show(struct cli_telemetry *t, bool is_json, bool is_again)
{
	json_t *report = cli_telemetry_report(t);

	if (report == NULL)
		return is_ended ? CLI_OK : CLI_MACHINE;
	if (is_json) {
		json_dumpf(report, stdout, is_again ? JSON_COMPACT : JSON_INDENT(2));
		putchar('\n');
	} else {
		if (is_again && isatty(STDOUT_FILENO))
			fputs("\033[H\033[2J", stdout);
		printf("%s: %.1f s\n\n", json_string_value(json_object_get(report, "instance")),
			(double)json_integer_value(json_object_get(report, "elapsed_ns")) / 1e9);
		cli_print_report(report, true, stdout);
		if (is_again && !isatty(STDOUT_FILENO))
			putchar('\n');
	}
	fflush(stdout);
	json_decref(report);
	return CLI_OK;
}

static enum cli_exit show_until_ended(struct cli_telemetry *t, bool is_json, uint64_t pause_ns)
{
	const struct sigaction action = {.sa_handler = on_end};
	const struct timespec pause = {
		.tv_sec = (time_t)(pause_ns / 1000000000),
		.tv_nsec = (long)(pause_ns % 1000000000),
	};
	enum cli_exit code = CLI_OK;

	sigaction(SIGINT, &action, NULL);
	sigaction(SIGTERM, &action, NULL);
	while (code == CLI_OK && !is_ended && !ferror(stdout)) {
		code = show(t, is_json, true);
		if (code == CLI_OK && !is_ended)
			nanosleep(&pause, NULL);
	}
	return code;
}

enum cli_exit cli_main_STATS(struct cli_args *args)
{
	const char *instance = "weir";
	bool is_json = false;
	bool is_watch = false;
	uint64_t pause_ns = 0;
	struct cli_telemetry t;
	enum cli_flag flag;

	while ((flag = cli_next(args)) != CLI_END) {
		switch (flag) {
		case CLI_STATS_INSTANCE:
			if (!dp_config_name_is_valid(args->value))
				return cli_usage(args,
					"--instance: found \"%s\", which is no instance's name",
					args->value);
			instance = args->value;
			break;
		case CLI_STATS_JSON:
			is_json = true;
			break;
		case CLI_STATS_WATCH:
			if (!cli_seconds(args, "--watch", &pause_ns))
				return CLI_USAGE;
			is_watch = true;
			break;
		case CLI_OPERAND:
			return cli_usage(args, "found \"%s\", expected no operand", args->value);
		default:
			return flag == CLI_HELPED ? CLI_OK : CLI_USAGE;
		}
	}
	enum cli_exit code = cli_telemetry_open(&t, instance);
	if (code != CLI_OK)
		return code;
	code = is_watch ? show_until_ended(&t, is_json, pause_ns) : show(&t, is_json, false);
	cli_telemetry_close(&t);
	return code;
}
