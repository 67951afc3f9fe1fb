// SPDX-License-Identifier: BSD-3-Clause
// cli_check: see check.h.
#include "check.h"

#include "file.h"

#include <stdlib.h>

static enum cli_exit check_filter(struct we_engine *engine, const struct dp_config *config,
	const struct dp_filter_config *filter)
{
	struct ws_program *program;
	struct we_error err;
	uint8_t *data;
	size_t len;

	if (dp_file_read(filter->file, DP_FILE_MAX, &data, &len, &err) != 0)
		return cli_fail(CLI_FAULT, "%s: cannot read it: %s", filter->file, err.msg);
	const int rc = ws_program_create(
		engine, filter->file, (struct we_bytes){data, len}, &program, &err);
	free(data);
	if (rc != 0)
		return cli_fail_file(filter->file, &err);
	const bool has_setup = ws_program_has_setup(program);
	ws_program_unref(program);
	if (filter->view != 0 && !has_setup)
		return cli_fail(CLI_FAULT,
			"%s:%u:%u: filters.%s: found a view, expected none: %s does not import "
			"weir:packet/setup",
			config->file, filter->place.line, filter->place.column, filter->name,
			filter->file);
	return CLI_OK;
}

enum cli_exit cli_check_filters(const struct dp_config *config)
{
	enum cli_exit code = CLI_OK;
	struct we_engine *engine;
	struct we_error err;

	if (we_engine_create(NULL, &engine, &err) != 0)
		return cli_fail(CLI_MACHINE, "%s", err.msg);
	for (uint32_t i = 0; i < config->n_filters && code == CLI_OK; i++)
		code = check_filter(engine, config, &config->filters[i]);
	we_engine_destroy(engine);
	return code;
}
