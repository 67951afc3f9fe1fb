// SPDX-License-Identifier: BSD-3-Clause
// weir validate: decode and validate each file; the first error of each is printed. Of a configuration: what it says, not
// the filters that it names (weir run --check does that).
#include "cli.h"

#include "cm.h"
#include "config.h"
#include "file.h"

#include <stdlib.h>
#include <string.h>

static int validate_bytes(struct we_engine *engine, struct we_bytes bytes, struct we_error *err)
{
	int rc;

	if (cm_is_component(bytes)) {
		struct cm_component *component;

		rc = cm_component_create(engine, bytes, &component, err);
		if (rc == 0)
			cm_component_unref(component);
	} else {
		struct we_module *module;

		rc = we_module_create(engine, bytes, 0, &module, err);
		if (rc == 0)
			we_module_unref(module);
	}
	return rc;
}

static bool is_configuration(const char *path)
{
	const char *dot = strrchr(path, '.');

	return dot != NULL && (strcmp(dot, ".yaml") == 0 || strcmp(dot, ".yml") == 0);
}

static enum cli_exit validate_configuration(const char *path)
{
	struct dp_config *config;
	char *message = NULL;
	const int rc = dp_config_load(path, NULL, &config, &message);

	if (rc != 0)
		return cli_fail_message(rc == WE_E_HOST ? WE_E_INVALID : rc, message);
	dp_config_destroy(config);
	printf("%s: valid configuration\n", path);
	return CLI_OK;
}

static enum cli_exit validate_file(struct we_engine *engine, const char *path)
{
	struct we_error err;
	uint8_t *data;
	size_t len;

	if (dp_file_read(path, DP_FILE_MAX, &data, &len, &err) != 0)
		return cli_fail(CLI_FAULT, "%s: cannot read it: %s", path, err.msg);
	const int rc = validate_bytes(engine, (struct we_bytes){data, len}, &err);
	const char *kind = cm_is_component((struct we_bytes){data, len}) ? "component" : "module";
	free(data);
	if (rc != 0)
		return cli_fail_file(path, &err);
	printf("%s: valid %s\n", path, kind);
	return CLI_OK;
}

enum cli_exit cli_main_VALIDATE(struct cli_args *args)
{
	enum cli_exit worst = CLI_OK;
	struct we_engine *engine;
	struct we_error err;
	enum cli_flag flag;
	int n = 0;

	if (we_engine_create(NULL, &engine, &err) != 0)
		return cli_fail(CLI_MACHINE, "%s", err.msg);
	while ((flag = cli_next(args)) == CLI_OPERAND) {
		const enum cli_exit code = is_configuration(args->value)
						   ? validate_configuration(args->value)
						   : validate_file(engine, args->value);

		if (code > worst)
			worst = code;
		n++;
	}
	we_engine_destroy(engine);
	if (flag != CLI_END)
		return flag == CLI_HELPED ? CLI_OK : CLI_USAGE;
	if (n == 0)
		return cli_usage(args, "found no file, expected FILE...");
	return worst;
}
