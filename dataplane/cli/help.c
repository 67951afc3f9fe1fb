// SPDX-License-Identifier: BSD-3-Clause
// weir help: a command by its rows of command.def, or the configuration by the rows of option.def.
#include "cli.h"

#include "option.h"

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
	if (cli_command_find(topic, &command, &near) != 0)
		return near != NULL
			       ? cli_usage(args, "unknown command \"%s\", did you mean \"%s\"?",
					 topic, near)
			       : cli_usage(args, "unknown command \"%s\"", topic);
	cli_print_help(command, stdout);
	return CLI_OK;
}
