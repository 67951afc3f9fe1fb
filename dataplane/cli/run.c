// SPDX-License-Identifier: BSD-3-Clause
// weir run: a configuration, until a signal, a time or the packets end it.
#include "cli.h"
#include "print.h"
#include "session.h"

#include "check.h"
#include "config.h"

#include <stdlib.h>

struct options {
	const char *path;
	struct dp_config_given given;
	bool is_check;
	bool is_json;
	struct cli_session_options session;
};

// Returns: CLI_OK; another code with *ret_is_done when there is nothing left to do.
static enum cli_exit parse(struct cli_args *args, struct options *o, bool *ret_is_done)
{
	enum cli_flag flag;

	*ret_is_done = true;
	while ((flag = cli_next(args)) != CLI_END) {
		switch (flag) {
		case CLI_RUN_CHECK:
			o->is_check = true;
			break;
		case CLI_RUN_INSTANCE:
			if (!dp_config_name_is_valid(args->value))
				return cli_usage(args,
					"--instance: found \"%s\", expected a name of at most %d "
					"letters, digits, '.', '_' and '-' that begins with a "
					"letter",
					args->value, DP_NAME_MAX - 1);
			o->given.instance = args->value;
			break;
		case CLI_RUN_ENGINE:
			if (!cli_engine(args))
				return CLI_USAGE;
			o->given.engine = args->value;
			break;
		case CLI_RUN_CPU:
			if (!cli_cpu(args))
				return CLI_USAGE;
			o->given.cpu = args->value;
			break;
		case CLI_RUN_JIT_CACHE:
			o->given.jit_cache = args->value;
			break;
		case CLI_RUN_DURATION:
			if (!cli_seconds(args, "--duration", &o->session.duration_ns))
				return CLI_USAGE;
			o->session.has_duration = true;
			break;
		case CLI_RUN_UNTIL_IDLE:
			if (!cli_seconds(args, "--until-idle", &o->session.idle_ns))
				return CLI_USAGE;
			o->session.is_until_idle = true;
			break;
		case CLI_RUN_JSON:
			o->is_json = true;
			break;
		case CLI_RUN_LOG_LEVEL:
			if (!cli_log_level(args))
				return CLI_USAGE;
			break;
		case CLI_RUN_LOG_FORMAT:
			if (!cli_log_format(args))
				return CLI_USAGE;
			break;
		case CLI_OPERAND:
			if (o->path != NULL)
				return cli_usage(args,
					"found a second configuration, \"%s\", expected one",
					args->value);
			o->path = args->value;
			break;
		default:
			return flag == CLI_HELPED ? CLI_OK : CLI_USAGE;
		}
	}
	if (o->path == NULL)
		return cli_usage(args, "found no configuration, expected CONF.yaml");
	*ret_is_done = false;
	return CLI_OK;
}

static enum cli_exit check(const struct dp_config *config)
{
	char *message = NULL;
	const int rc = dp_check_filters(config, &message);

	if (rc != 0)
		return cli_fail_message(rc, message);
	printf("%s: ok: %u ports, %u workers, %u chains, %u filters\n", config->file,
		config->n_ports, config->n_workers, config->n_chains, config->n_filters);
	return CLI_OK;
}

static enum cli_exit run(const struct dp_config *config, const struct options *o)
{
	json_t *report;
	enum cli_exit code = cli_session_run(config, NULL, &o->session, &report);

	if (code != CLI_OK || report == NULL)
		return code;
	if (o->is_json) {
		json_dumpf(report, stdout, JSON_INDENT(2));
		putchar('\n');
	} else {
		cli_print_report(report, false, stdout);
	}
	code = cli_session_verdict(report);
	json_decref(report);
	return code;
}

enum cli_exit cli_main_RUN(struct cli_args *args)
{
	struct options o = {.session = {.has_telemetry = true}};
	struct dp_config *config;
	char *message = NULL;
	bool is_done;
	enum cli_exit code = parse(args, &o, &is_done);

	if (is_done)
		return code;
	if (!o.is_check) // which has nothing to put in order when a signal ends it
		cli_session_prepare();
	o.session.has_progress = !o.is_json;
	const int rc = dp_config_load(o.path, &o.given, &config, &message);
	if (rc != 0) {
		// A configuration that cannot be read is the input's fault, as one that is wrong.
		return cli_fail_message(rc == WE_E_HOST ? WE_E_INVALID : rc, message);
	}
	code = o.is_check ? check(config) : run(config, &o);
	dp_config_destroy(config);
	return code;
}
