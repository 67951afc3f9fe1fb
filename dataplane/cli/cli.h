// SPDX-License-Identifier: BSD-3-Clause
// cli: what the commands of weir share: arguments, messages, exit codes.
//
// Messages go to stderr and begin with "weir: ", results go to stdout.
// Thread:  the process's first.
#pragma once

#include "we.h"

#include <jansson.h>

#include <stdio.h>

enum cli_exit {
	CLI_OK = 0,
	CLI_FAULT = 1,   // the input or the guest was at fault
	CLI_USAGE = 2,   // wrong use of the command
	CLI_MACHINE = 3, // the machine refused
};
// The exit code for a library's return code.
enum cli_exit cli_exit_of(int rc);

enum cli_command {
#define CLI_COMMAND(NAME, name, operands, doc) CLI_##NAME,
#include "command.def"
	CLI_COMMAND_N
};

// The flags of all commands have numbers of their own: CLI_RUN_CHECK, ...
enum cli_flag {
#define CLI_FLAG(NAME, ID, letter, flag, value, doc) CLI_##NAME##_##ID,
#include "command.def"
	CLI_OPERAND, // not a flag: the word is in value
	CLI_END,
	CLI_WRONG,  // a message has been printed: exit with CLI_USAGE
	CLI_HELPED, // --help has been answered: exit with CLI_OK
};

// The words after the command. Invariant: at <= n.
struct cli_args {
	enum cli_command command;
	char *const *words; // [n], borrowed
	int n;
	int at;            // next word
	bool is_literal;   // after "--": every word is an operand
	const char *value; // of the flag or operand that cli_next answered
};

// The next flag or operand in the order of the command line.
enum cli_flag cli_next(struct cli_args *args);
// Print "weir: COMMAND: text" and where help is; Returns: CLI_USAGE.
enum cli_exit cli_usage(const struct cli_args *args, const char *fmt, ...) WE_PRINTF(2, 3);
// Print "weir: text". Returns: code.
enum cli_exit cli_fail(enum cli_exit code, const char *fmt, ...) WE_PRINTF(2, 3);
// A file name or the like: what is no UTF-8 stands as \xHH. NULL: no memory.
json_t *cli_json_text(const char *text);
// Print "weir: FILE:0xOFFSET: word: text" for what a library said of a file. Returns: the exit code of err->rc.
enum cli_exit cli_fail_file(const char *path, const struct we_error *err);
// Print "weir: message" for what the dataplane said (message NULL: out of memory). Takes: message.
// Returns: the exit code of rc.
enum cli_exit cli_fail_message(int rc, char *message);
// Flags that several commands have. Each prints its message when the value is wrong and returns false.
bool cli_seconds(const struct cli_args *args, const char *flag, uint64_t *ret_ns);
bool cli_log_level(const struct cli_args *args);
bool cli_log_format(const struct cli_args *args);
bool cli_engine(const struct cli_args *args);
bool cli_cpu(const struct cli_args *args);

// Look a command up. Returns: 0, or 1 with *ret_near the name it may have been (NULL: none).
int cli_command_find(const char *name, enum cli_command *ret_command, const char **ret_near);
const char *cli_command_name(enum cli_command command);
void cli_print_help(enum cli_command command, FILE *to);
void cli_print_overview(FILE *to);

// The commands, one in each file.
#define CLI_COMMAND(NAME, name, operands, doc) enum cli_exit cli_main_##NAME(struct cli_args *args);
#include "command.def"
