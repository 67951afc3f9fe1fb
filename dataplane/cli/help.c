// SPDX-License-Identifier: BSD-3-Clause
// weir help: a command by its rows of command.def, the configuration by the rows of option.def, the counters
// by the rows of stat.def and drop.def.
#include "cli.h"

#include "option.h"
#include "stat.h"

#include <string.h>

static void print_scope_markdown(enum dp_option_scope scope)
{
	struct dp_option_doc row;
	char expected[192];

	printf("### %s: `%s`\n\n| key | expects | default | is |\n|---|---|---|---|\n",
		dp_option_scope_title(scope), dp_option_scope_where(scope));
	for (uint32_t i = 0; dp_option_row(i, expected, sizeof(expected), &row) == 0; i++) {
		if (row.scope != scope)
			continue;
		if (row.def == NULL)
			printf("| `%s` | %s | | %s |\n", row.key, row.expected, row.doc);
		else if (row.def[0] == '\0')
			printf("| `%s` | %s | must be given | %s |\n", row.key, row.expected,
				row.doc);
		else
			printf("| `%s` | %s | `%s` | %s |\n", row.key, row.expected, row.def,
				row.doc);
	}
}

static void print_scope(enum dp_option_scope scope)
{
	struct dp_option_doc row;
	char expected[192];

	printf("%s (%s)\n", dp_option_scope_title(scope), dp_option_scope_where(scope));
	for (uint32_t i = 0; dp_option_row(i, expected, sizeof(expected), &row) == 0; i++) {
		if (row.scope != scope)
			continue;
		printf("  %-20s %s", row.key, row.expected);
		if (row.def != NULL && row.def[0] == '\0')
			printf("; must be given");
		else if (row.def != NULL)
			printf("; default %s", row.def);
		printf("\n  %-20s %s\n", "", row.doc);
	}
}

static void print_configuration(bool is_markdown)
{
	for (enum dp_option_scope scope = 0; scope < DP_SCOPE_N; scope++) {
		if (scope > 0)
			putchar('\n');
		if (is_markdown)
			print_scope_markdown(scope);
		else
			print_scope(scope);
	}
}

static void print_counter_markdown(void *env, const char *key, uint64_t value, const char *doc)
{
	(void)env;
	(void)value;
	printf("| `%s` | %s |\n", key, doc);
}

static void print_counter(void *env, const char *key, uint64_t value, const char *doc)
{
	(void)env;
	(void)value;
	printf("  %-24s %s\n", key, doc);
}

static void print_statistics(bool is_markdown)
{
	static const union {
		struct dp_law law;
		struct dp_port_stats port;
		struct dp_queue_stats queue;
		struct dp_filter_stats filter;
		struct dp_worker_stats worker;
	} zero;

	for (enum dp_stat_scope scope = 0; scope < DP_STAT_SCOPE_N; scope++) {
		printf(is_markdown ? "%s### `/weir/%s`: %s\n\n| counter | counts |\n|---|---|\n"
				   : "%s/weir/%s (%s)\n",
			scope > 0 ? "\n" : "", dp_stat_scope_name(scope),
			dp_stat_scope_names(scope));
		dp_stat_each(
			scope, &zero, is_markdown ? print_counter_markdown : print_counter, NULL);
	}
}

enum cli_exit cli_main_HELP(struct cli_args *args)
{
	const char *topic = NULL;
	bool is_markdown = false;
	enum cli_command command;
	const char *near;
	enum cli_flag flag;

	while ((flag = cli_next(args)) != CLI_END) {
		if (flag == CLI_HELP_MARKDOWN)
			is_markdown = true;
		else if (flag == CLI_OPERAND && topic == NULL)
			topic = args->value;
		else if (flag == CLI_OPERAND)
			return cli_usage(
				args, "found \"%s\", expected at most one command", args->value);
		else
			return flag == CLI_HELPED ? CLI_OK : CLI_USAGE;
	}
	if (topic == NULL) {
		cli_print_overview(stdout);
		return CLI_OK;
	}
	if (strcmp(topic, "configuration") == 0) {
		print_configuration(is_markdown);
		return CLI_OK;
	}
	if (strcmp(topic, "statistics") == 0) {
		print_statistics(is_markdown);
		return CLI_OK;
	}
	if (cli_command_find(topic, &command, &near) != 0)
		return near != NULL
			       ? cli_usage(args, "unknown command \"%s\", did you mean \"%s\"?",
					 topic, near)
			       : cli_usage(args, "unknown command \"%s\"", topic);
	cli_print_help(command, stdout);
	return CLI_OK;
}
