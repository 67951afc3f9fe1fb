// SPDX-License-Identifier: BSD-3-Clause
// weir wrap: a core module built against the guest SDK becomes a filter component.
#include "cli.h"

#include "file.h"
#include "ws.h"

#include <stdlib.h>

static enum cli_exit wrap(struct we_engine *engine, const char *in, const char *out)
{
	struct we_error err;
	uint8_t *core;
	uint8_t *component;
	size_t core_len;
	size_t len;

	if (dp_file_read(in, DP_FILE_MAX, &core, &core_len, &err) != 0)
		return cli_fail(CLI_FAULT, "%s: cannot read it: %s", in, err.msg);
	int rc = ws_wrap(engine, (struct we_bytes){core, core_len}, &component, &len, &err);
	free(core);
	if (rc != 0)
		return cli_fail_file(in, &err);
	rc = dp_file_write(out, component, len, &err);
	free(component);
	if (rc != 0)
		return cli_fail(CLI_MACHINE, "%s: cannot write it: %s", out, err.msg);
	return CLI_OK;
}

enum cli_exit cli_main_WRAP(struct cli_args *args)
{
	const char *in = NULL;
	const char *out = NULL;
	struct we_engine *engine;
	struct we_error err;
	enum cli_flag flag;

	while ((flag = cli_next(args)) != CLI_END) {
		if (flag == CLI_WRAP_OUTPUT)
			out = args->value;
		else if (flag == CLI_OPERAND && in == NULL)
			in = args->value;
		else if (flag == CLI_OPERAND)
			return cli_usage(
				args, "found a second module, \"%s\", expected one", args->value);
		else
			return flag == CLI_HELPED ? CLI_OK : CLI_USAGE;
	}
	if (in == NULL)
		return cli_usage(args, "found no file, expected CORE.wasm");
	if (out == NULL)
		return cli_usage(args, "--output is missing: where should the component go?");
	if (we_engine_create(NULL, &engine, &err) != 0)
		return cli_fail(CLI_MACHINE, "%s", err.msg);
	const enum cli_exit code = wrap(engine, in, out);
	we_engine_destroy(engine);
	return code;
}
