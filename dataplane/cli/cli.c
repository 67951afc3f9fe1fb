// SPDX-License-Identifier: BSD-3-Clause
// cli: arguments by the rows of command.def, messages, exit codes.
#include "cli.h"

#include "config.h"
#include "log.h"
#include "suggest.h"
#include "utf8.h"

#include <math.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

static const struct {
	const char *name;
	const char *operands;
	const char *doc;
} commands[CLI_COMMAND_N] = {
#define CLI_COMMAND(NAME, name, operands, doc) {name, operands, doc},
#include "command.def"
};

static const struct flag {
	enum cli_command command;
	char letter;
	const char *flag;
	const char *value;
	const char *doc;
} flags[CLI_OPERAND] = {
#define CLI_FLAG(NAME, ID, letter, flag, value, doc) {CLI_##NAME, letter, flag, value, doc},
#include "command.def"
};

enum cli_exit cli_exit_of(int rc)
{
	if (rc >= 0)
		return CLI_OK;
	return rc == WE_E_HOST || rc == WE_E_NOMEM ? CLI_MACHINE : CLI_FAULT;
}

// ---- messages -----------------------------------------------------------------------------------

// What a file or a user named may hold anything: a terminal sees no control character but the ends of lines, and nothing
// that is no UTF-8.
static void print_message(const char *fmt, va_list ap)
{
	char *text;

	if (vasprintf(&text, fmt, ap) < 0) {
		fputs("out of memory\n", stderr);
		return;
	}
	for (size_t n, left = strlen(text), i = 0; left > 0; i += n, left -= n) {
		const size_t len = dp_utf8_len(text + i, left);

		n = len > 0 ? len : 1;
		if (len == 0 || (text[i] != '\n' && dp_utf8_is_control(text + i, len)))
			memset(text + i, '?', n);
	}
	fputs(text, stderr);
	free(text);
}

enum cli_exit cli_fail(enum cli_exit code, const char *fmt, ...)
{
	va_list ap;

	fflush(stdout);
	fputs("weir: ", stderr);
	va_start(ap, fmt);
	print_message(fmt, ap);
	va_end(ap);
	fputc('\n', stderr);
	return code;
}

json_t *cli_json_text(const char *text)
{
	json_t *json = json_string(text);
	char *shown;

	if (json != NULL)
		return json;
	shown = dp_utf8_escaped(text);
	if (shown == NULL)
		return NULL;
	json = json_string(shown);
	free(shown);
	return json;
}

enum cli_exit cli_usage(const struct cli_args *args, const char *fmt, ...)
{
	va_list ap;

	fprintf(stderr, "weir: %s: ", commands[args->command].name);
	va_start(ap, fmt);
	print_message(fmt, ap);
	va_end(ap);
	fprintf(stderr, " (see weir help %s)\n", commands[args->command].name);
	return CLI_USAGE;
}

enum cli_exit cli_fail_file(const char *path, const struct we_error *err)
{
	char text[WE_ERROR_TEXT];

	we_error_print(err, text, sizeof(text));
	return cli_fail(cli_exit_of(err->rc), "%s:%s", path, text);
}

enum cli_exit cli_fail_message(int rc, char *message)
{
	const enum cli_exit code =
		cli_fail(cli_exit_of(rc), "%s", message != NULL ? message : "out of memory");

	free(message);
	return code;
}

// ---- commands -----------------------------------------------------------------------------------

int cli_command_find(const char *name, enum cli_command *ret_command, const char **ret_near)
{
	struct dp_suggest near = {.word = name};

	for (enum cli_command c = 0; c < CLI_COMMAND_N; c++) {
		if (strcmp(commands[c].name, name) == 0) {
			*ret_command = c;
			return 0;
		}
		dp_suggest_offer(&near, commands[c].name);
	}
	*ret_near = near.best;
	return 1;
}

const char *cli_command_name(enum cli_command command)
{
	return commands[command].name;
}

void cli_print_overview(FILE *to)
{
	fputs("weir: packets through WebAssembly filters\n\nusage: weir COMMAND [OPTION...] "
	      "...\n\n",
		to);
	for (enum cli_command c = 0; c < CLI_COMMAND_N; c++)
		fprintf(to, "  %-10s %s\n", commands[c].name, commands[c].doc);
	fputs("\nweir help COMMAND explains one; so does its man page, weir-COMMAND(1).\n"
	      "Exit codes: 0 done, 1 the input or the filter was at fault, 2 wrong use, 3 the "
	      "machine refused.\n",
		to);
}

void cli_print_help(enum cli_command command, FILE *to)
{
	fprintf(to, "usage: weir %s [OPTION...]%s%s\n\n%s.\n", commands[command].name,
		commands[command].operands[0] != '\0' ? " " : "", commands[command].operands,
		commands[command].doc);
	fputs("\noptions:\n", to);
	for (size_t i = 0; i < CLI_OPERAND; i++) {
		char head[64];
		char letter[8] = "";

		if (flags[i].command != command)
			continue;
		if (flags[i].letter != 0)
			snprintf(letter, sizeof(letter), "-%c, ", flags[i].letter);
		snprintf(head, sizeof(head), "%s%s%s%s", letter, flags[i].flag,
			flags[i].value != NULL ? " " : "",
			flags[i].value != NULL ? flags[i].value : "");
		fprintf(to, "  %-22s %s\n", head, flags[i].doc);
	}
	fprintf(to, "  %-22s %s\n", "-h, --help", "print this");
}

// ---- arguments ----------------------------------------------------------------------------------

// The flag that the first len bytes of word name, or NULL.
static const struct flag *flag_find(enum cli_command command, const char *word, size_t len)
{
	for (size_t i = 0; i < CLI_OPERAND; i++) {
		if (flags[i].command != command)
			continue;
		if (strlen(flags[i].flag) == len && memcmp(flags[i].flag, word, len) == 0)
			return &flags[i];
		if (flags[i].letter != 0 && len == 2 && word[0] == '-' &&
			word[1] == flags[i].letter)
			return &flags[i];
	}
	return NULL;
}

static enum cli_flag unknown_flag(const struct cli_args *args, const char *word, size_t len)
{
	struct dp_suggest near = {0};
	char name[64];
	char shown[64];

	snprintf(name, sizeof(name), "%.*s", (int)(len < sizeof(name) ? len : sizeof(name) - 1),
		word);
	near.word = name;
	for (size_t i = 0; i < CLI_OPERAND; i++) {
		if (flags[i].command == args->command)
			dp_suggest_offer(&near, flags[i].flag);
	}
	dp_utf8_escape(word, len, shown, sizeof(shown));
	if (near.best != NULL)
		cli_usage(args, "unknown option %s, did you mean %s?", shown, near.best);
	else
		cli_usage(args, "unknown option %s", shown);
	return CLI_WRONG;
}

enum cli_flag cli_next(struct cli_args *args)
{
	if (args->at == args->n)
		return CLI_END;
	const char *word = args->words[args->at++];
	if (args->is_literal || word[0] != '-' || word[1] == '\0') {
		args->value = word;
		return CLI_OPERAND;
	}
	if (strcmp(word, "--") == 0) {
		args->is_literal = true;
		return cli_next(args);
	}
	if (strcmp(word, "--help") == 0 || strcmp(word, "-h") == 0) {
		cli_print_help(args->command, stdout);
		return CLI_HELPED;
	}
	const char *equals = word[1] == '-' ? strchr(word, '=') : NULL;
	const size_t len = equals != NULL ? (size_t)(equals - word) : strlen(word);
	const struct flag *flag = flag_find(args->command, word, len);
	if (flag == NULL)
		return unknown_flag(args, word, len);
	args->value = NULL;
	if (flag->value == NULL) {
		if (equals != NULL) {
			cli_usage(args, "%s takes no value", flag->flag);
			return CLI_WRONG;
		}
	} else if (equals != NULL) {
		args->value = equals + 1;
	} else if (args->at < args->n) {
		args->value = args->words[args->at++];
	} else {
		cli_usage(args, "%s needs a value: %s", flag->flag, flag->value);
		return CLI_WRONG;
	}
	return (enum cli_flag)(flag - flags);
}

bool cli_seconds(const struct cli_args *args, const char *flag, uint64_t *ret_ns)
{
	static const double longest = 1e9; // seconds; 31 years
	char *end;
	const double seconds = strtod(args->value, &end);

	if (args->value[0] < '0' || args->value[0] > '9' || *end != '\0' || !isfinite(seconds) ||
		seconds > longest) {
		char shown[64];

		dp_utf8_escape(args->value, strlen(args->value), shown, sizeof(shown));
		cli_usage(args, "%s: found \"%s\", expected a number of seconds", flag, shown);
		return false;
	}
	*ret_ns = (uint64_t)(seconds * 1e9);
	return true;
}

bool cli_log_level(const struct cli_args *args)
{
	enum dp_log_level level;

	if (dp_log_level_parse(args->value, &level) != 0) {
		cli_usage(args, "--log-level: found \"%s\", expected one of " DP_LOG_LEVELS,
			args->value);
		return false;
	}
	dp_log_set_level(level);
	return true;
}

bool cli_log_format(const struct cli_args *args)
{
	enum dp_log_format format;

	if (dp_log_format_parse(args->value, &format) != 0) {
		cli_usage(args, "--log-format: found \"%s\", expected one of " DP_LOG_FORMATS,
			args->value);
		return false;
	}
	dp_log_set_format(format);
	return true;
}

static bool is_expected(
	const struct cli_args *args, bool is_valid, const char *flag, const char *expected)
{
	char shown[64];

	if (is_valid)
		return true;
	dp_utf8_escape(args->value, strlen(args->value), shown, sizeof(shown));
	cli_usage(args, "%s: found \"%s\", expected %s", flag, shown, expected);
	return false;
}

bool cli_engine(const struct cli_args *args)
{
	enum dp_engine engine;

	return is_expected(
		args, dp_engine_parse(args->value, &engine) == 0, "--engine", DP_ENGINES);
}

bool cli_cpu(const struct cli_args *args)
{
	return is_expected(args, we_cpu_is_known(args->value), "--cpu", DP_CPUS);
}
