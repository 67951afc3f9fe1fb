// SPDX-License-Identifier: BSD-3-Clause
// weir inspect --asm: a function's machine code beside its wasm.
#include "inspect.h"

#include "cm.h"

#include <stdlib.h>

// " 3 to 17 of core module 0, 0 to 2 of core module 1", as far as there is room.
static void describe_funcs(struct we_module *const *modules, char *ret, size_t cap)
{
	size_t at = 0;

	for (uint32_t i = 0; modules[i] != NULL && at < cap; i++) {
		uint32_t first;
		const uint32_t n = we_module_own_funcs(modules[i], &first);

		if (n > 0)
			at += (size_t)snprintf(ret + at, cap - at, "%s %u to %u of core module %u",
				at > 0 ? "," : "", first, first + n - 1, i);
	}
	if (at == 0)
		snprintf(ret, cap, " nothing: it has none");
}

// Returns: CLI_OK and where the function is, in the modules of a file (NULL at the end): "NAME", "5", or "1:NAME" for
// that of the second one.
static enum cli_exit find_func(const char *path, struct we_module *const *modules, const char *text,
	uint32_t *ret_module, uint32_t *ret_func)
{
	char *colon;
	const unsigned long wanted = strtoul(text, &colon, 10);
	const bool is_one = *text >= '0' && *text <= '9' && *colon == ':';
	const char *func = is_one ? colon + 1 : text;
	char there[256] = "";
	uint32_t n_found = 0;
	uint32_t n = 0;

	for (; modules[n] != NULL; n++) {
		uint32_t idx;

		if ((is_one && n != wanted) || !we_module_find_func(modules[n], func, &idx))
			continue;
		if (n_found++ > 0)
			return cli_fail(CLI_FAULT,
				"%s: core modules %u and %u have a function \"%s\": expected %u:%s "
				"or %u:%s",
				path, *ret_module, n, func, *ret_module, func, n, func);
		*ret_module = n;
		*ret_func = idx;
	}
	if (n_found > 0)
		return CLI_OK;
	if (is_one && wanted >= n)
		return cli_fail(CLI_FAULT, "%s: found core module %.*s, expected one below %u",
			path, (int)(colon - text), text, n);
	describe_funcs(modules, there, sizeof(there));
	return cli_fail(CLI_FAULT, "%s: found no function \"%s\", expected a name, or%s", path,
		text, there);
}

enum cli_exit inspect_func(
	const char *path, struct we_module *const *modules, const char *text, bool is_json)
{
	struct we_error err;
	uint32_t module = 0;
	uint32_t func = 0;
	char *listing;
	int rc;
	enum cli_exit code = find_func(path, modules, text, &module, &func);

	if (code != CLI_OK)
		return code;
	rc = we_module_listing(modules[module], func, &listing, &err);
	if (rc != 0)
		return cli_fail(cli_exit_of(rc), "%s: function %u of core module %u: %s", path,
			func, module, err.msg);
	if (is_json)
		code = inspect_show_json(json_pack("{s:o, s:I, s:I, s:s}", "file",
			cli_json_text(path), "core_module", (json_int_t)module, "function",
			(json_int_t)func, "asm", listing));
	else
		fputs(listing, stdout);
	free(listing);
	return code;
}

enum cli_exit inspect_func_of_component(
	const char *path, const struct cm_component *component, const char *text, bool is_json)
{
	struct we_module **modules;
	uint32_t n = 0;
	enum cli_exit code;

	while (cm_component_core_module(component, n) != NULL)
		n++;
	modules = calloc(n + 1, sizeof(struct we_module *));
	if (modules == NULL)
		return cli_fail(CLI_MACHINE, "out of memory");
	for (uint32_t i = 0; i < n; i++)
		modules[i] = cm_component_core_module(component, i);
	code = inspect_func(path, modules, text, is_json);
	free(modules);
	return code;
}

enum cli_exit inspect_show_json(json_t *all)
{
	enum cli_exit code = CLI_OK;

	if (all == NULL || json_dumpf(all, stdout, JSON_INDENT(2)) != 0)
		code = cli_fail(CLI_MACHINE, "out of memory");
	else
		putchar('\n');
	json_decref(all);
	return code;
}
