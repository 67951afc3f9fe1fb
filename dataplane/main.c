// SPDX-License-Identifier: BSD-3-Clause
// weir: the program. Finds the command; everything else is in cli/.
#include "cli/cli.h"

#include <errno.h>
#include <string.h>

typedef enum cli_exit (*main_fn)(struct cli_args *args);

static const main_fn mains[CLI_COMMAND_N] = {
#define CLI_COMMAND(NAME, name, operands, doc) cli_main_##NAME,
#include "cli/command.def"
};

// Results that could not be written are no results.
static int finish(enum cli_exit code)
{
	if (fflush(stdout) != 0 || ferror(stdout))
		return code == CLI_OK ? (int)cli_fail(CLI_MACHINE, "cannot write the result: %s",
						strerror(errno))
				      : (int)code;
	return (int)code;
}

int main(int argc, char **argv)
{
	struct cli_args args = {0};
	const char *near;
	const char *name = argc > 1 ? argv[1] : NULL;

	if (name == NULL) {
		cli_print_overview(stderr);
		return CLI_USAGE;
	}
	if (strcmp(name, "--help") == 0 || strcmp(name, "-h") == 0)
		name = "help";
	else if (strcmp(name, "--version") == 0)
		name = "version";
	if (cli_command_find(name, &args.command, &near) != 0) {
		if (near != NULL)
			return (int)cli_fail(CLI_USAGE,
				"unknown command \"%s\", did you mean \"%s\"? (see weir help)",
				name, near);
		return (int)cli_fail(CLI_USAGE, "unknown command \"%s\" (see weir help)", name);
	}
	args.words = argv + 2;
	args.n = argc - 2;
	return (int)finish(mains[args.command](&args));
}
