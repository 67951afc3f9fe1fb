// SPDX-License-Identifier: BSD-3-Clause
// weir inspect: what a component or module is, how large, what it uses, and what it may do.
#include "cli.h"

#include "cm.h"
#include "file.h"
#include "ws.h"

#include <jansson.h>

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

static const struct {
	const char *interface;
	const char *words;
} permissions[] = {
#define CLI_PERMISSION(interface, words) {interface, words},
#include "permission.def"
#undef CLI_PERMISSION
};

// What an import lets a filter do; NULL: weir does not offer it.
static const char *permission_of(const char *import)
{
	const size_t len = strcspn(import, "@");

	for (size_t i = 0; i < sizeof(permissions) / sizeof(permissions[0]); i++) {
		if (strlen(permissions[i].interface) == len &&
			memcmp(permissions[i].interface, import, len) == 0)
			return permissions[i].words;
	}
	return NULL;
}

static bool is_offered(const char *import)
{
	const char *name;

	for (uint32_t i = 0; (name = ws_offered_interface(i)) != NULL; i++) {
		if (strcmp(name, import) == 0)
			return true;
	}
	return false;
}

// Names of the features in a set, in the order of their bits.
static json_t *features_json(uint64_t features)
{
	json_t *names = json_array();
	const char *name;

	for (uint32_t bit = 0; bit < 64 && (name = we_feature_name(bit)) != NULL; bit++) {
		if ((features >> bit & 1) != 0)
			json_array_append_new(names, json_string(name));
	}
	return names;
}

static void print_features(uint64_t features)
{
	const char *name;
	bool has_any = false;

	printf("features:");
	for (uint32_t bit = 0; bit < 64 && (name = we_feature_name(bit)) != NULL; bit++) {
		if ((features >> bit & 1) != 0) {
			printf("%s %s", has_any ? "," : "", name);
			has_any = true;
		}
	}
	printf("%s\n", has_any ? "" : " none beyond WebAssembly 1.0");
}

// ---- components ---------------------------------------------------------------------------------

// WIT text, collected.
struct text {
	FILE *to;
};

static void emit(void *env, const char *text, size_t len)
{
	struct text *t = env;

	fwrite(text, 1, len, t->to);
}

static bool is_filter(const struct cm_component *component)
{
	const char *name;

	for (uint32_t i = 0; (name = cm_component_export_name(component, i)) != NULL; i++) {
		if (strncmp(name, "weir:packet/filter@", strlen("weir:packet/filter@")) == 0)
			return true;
	}
	return false;
}

static void print_permissions(const struct cm_component *component)
{
	const char *import;
	uint32_t i = 0;

	puts("\nit may:");
	while ((import = cm_component_import_name(component, i)) != NULL) {
		const char *words = permission_of(import);

		i++;
		if (words == NULL)
			printf("  %s: unknown to weir, it will not be loaded\n", import);
		else if (!is_offered(import))
			printf("  %s (%s: not this version, it will not be loaded)\n", words,
				import);
		else
			printf("  %s (%s)\n", words, import);
	}
	if (is_filter(component))
		printf("%s read and change the packets of its chain, drop them, and send packets\n",
			i == 0 ? " " : "  and");
	else if (i == 0)
		puts("  compute, nothing else");
	puts("and nothing else: no files, no network of its own, no processes, no environment");
}

static json_t *component_json(const struct cm_component *component, const char *wit)
{
	struct cm_component_stats stats;
	json_t *imports = json_array();
	json_t *exports = json_array();
	const char *name;

	cm_component_stats(component, &stats);
	for (uint32_t i = 0; (name = cm_component_import_name(component, i)) != NULL; i++) {
		const char *words = permission_of(name);
		json_t *may = words != NULL ? json_string(words) : json_null();

		json_array_append_new(imports, json_pack("{s:s, s:b, s:o}", "name", name, "offered",
						       is_offered(name), "may", may));
	}
	for (uint32_t i = 0; (name = cm_component_export_name(component, i)) != NULL; i++)
		json_array_append_new(exports, json_string(name));
	return json_pack("{s:s, s:b, s:I, s:I, s:I, s:I, s:o, s:o, s:o, s:s}", "kind", "component",
		"is_filter", is_filter(component), "core_modules", (json_int_t)stats.n_core_modules,
		"components", (json_int_t)stats.n_components, "code_bytes",
		(json_int_t)stats.core_code_bytes, "min_memory_pages",
		(json_int_t)stats.min_memory_pages, "features", features_json(stats.features),
		"imports", imports, "exports", exports, "wit", wit);
}

static enum cli_exit show_json(json_t *all, const char *path, size_t file_bytes)
{
	enum cli_exit code = CLI_OK;

	if (all == NULL || json_object_set_new(all, "file", json_string(path)) != 0 ||
		json_object_set_new(all, "file_bytes", json_integer((json_int_t)file_bytes)) != 0 ||
		json_dumpf(all, stdout, JSON_INDENT(2)) != 0)
		code = cli_fail(CLI_MACHINE, "out of memory");
	else
		putchar('\n');
	json_decref(all);
	return code;
}

static enum cli_exit show_component(
	const struct cm_component *component, const char *path, size_t file_bytes, bool is_json)
{
	struct cm_component_stats stats;
	char *wit = NULL;
	size_t wit_len = 0;
	struct text text = {open_memstream(&wit, &wit_len)};

	if (text.to == NULL)
		return cli_fail(CLI_MACHINE, "out of memory");
	cm_component_print_wit(component, emit, &text);
	if (fclose(text.to) != 0) {
		free(wit);
		return cli_fail(CLI_MACHINE, "out of memory");
	}
	if (is_json) {
		const enum cli_exit code =
			show_json(component_json(component, wit), path, file_bytes);

		free(wit);
		return code;
	}
	cm_component_stats(component, &stats);
	printf("%s: component%s, %zu bytes\n", path, is_filter(component) ? " and weir filter" : "",
		file_bytes);
	printf("core modules: %u, nested components: %u, code: %" PRIu64
	       " bytes, memory at the start: %" PRIu64 " pages of 64 KiB\n",
		stats.n_core_modules, stats.n_components, stats.core_code_bytes,
		stats.min_memory_pages);
	print_features(stats.features);
	printf("\n%s", wit);
	free(wit);
	print_permissions(component);
	return CLI_OK;
}

// ---- core modules -------------------------------------------------------------------------------

static void import_name(const struct we_import *import, char *buf, size_t cap)
{
	snprintf(buf, cap, "%.*s %.*s", (int)import->module.len, (const char *)import->module.data,
		(int)import->name.len, (const char *)import->name.data);
}

static json_t *named_json(const char *name, size_t len, const struct we_externtype *type)
{
	char text[512];

	we_externtype_print(type, text, sizeof(text));
	return json_pack("{s:s%, s:s}", "name", name, len, "type", text);
}

static json_t *module_json(const struct we_module *module)
{
	json_t *imports = json_array();
	json_t *exports = json_array();

	for (uint32_t i = 0; i < we_module_n_imports(module); i++) {
		struct we_import import;
		char name[512];

		we_module_import(module, i, &import);
		import_name(&import, name, sizeof(name));
		json_array_append_new(imports, named_json(name, strlen(name), &import.type));
	}
	for (uint32_t i = 0; i < we_module_n_exports(module); i++) {
		struct we_export export;

		we_module_export(module, i, &export);
		json_array_append_new(exports,
			named_json((const char *)export.name.data, export.name.len, &export.type));
	}
	return json_pack("{s:s, s:o, s:o, s:o}", "kind", "module", "features",
		features_json(we_module_features(module)), "imports", imports, "exports", exports);
}

static enum cli_exit show_module(
	const struct we_module *module, const char *path, size_t file_bytes, bool is_json)
{
	char type[512];

	if (is_json)
		return show_json(module_json(module), path, file_bytes);
	printf("%s: core module, %zu bytes\n", path, file_bytes);
	print_features(we_module_features(module));
	for (uint32_t i = 0; i < we_module_n_imports(module); i++) {
		struct we_import import;
		char name[512];

		we_module_import(module, i, &import);
		import_name(&import, name, sizeof(name));
		we_externtype_print(&import.type, type, sizeof(type));
		printf("import %s %s\n", name, type);
	}
	for (uint32_t i = 0; i < we_module_n_exports(module); i++) {
		struct we_export export;

		we_module_export(module, i, &export);
		we_externtype_print(&export.type, type, sizeof(type));
		printf("export %.*s %s\n", (int)export.name.len, (const char *)export.name.data,
			type);
	}
	return CLI_OK;
}

static enum cli_exit inspect(
	struct we_engine *engine, const char *path, struct we_bytes bytes, bool is_json)
{
	struct cm_component *component;
	struct we_module *module;
	struct we_error err;
	enum cli_exit code;

	if (cm_is_component(bytes)) {
		if (cm_component_create(engine, bytes, &component, &err) != 0)
			return cli_fail_file(path, &err);
		code = show_component(component, path, bytes.len, is_json);
		cm_component_unref(component);
	} else {
		if (we_module_create(engine, bytes, 0, &module, &err) != 0)
			return cli_fail_file(path, &err);
		code = show_module(module, path, bytes.len, is_json);
		we_module_unref(module);
	}
	return code;
}

enum cli_exit cli_main_INSPECT(struct cli_args *args)
{
	const char *path = NULL;
	bool is_json = false;
	struct we_engine *engine;
	struct we_error err;
	enum cli_flag flag;
	uint8_t *data;
	size_t len;

	while ((flag = cli_next(args)) != CLI_END) {
		if (flag == CLI_INSPECT_JSON)
			is_json = true;
		else if (flag == CLI_OPERAND && path == NULL)
			path = args->value;
		else if (flag == CLI_OPERAND)
			return cli_usage(
				args, "found a second file, \"%s\", expected one", args->value);
		else
			return flag == CLI_HELPED ? CLI_OK : CLI_USAGE;
	}
	if (path == NULL)
		return cli_usage(args, "found no file, expected FILE.wasm");
	if (dp_file_read(path, DP_FILE_MAX, &data, &len, &err) != 0)
		return cli_fail(CLI_FAULT, "%s: cannot read it: %s", path, err.msg);
	enum cli_exit code = CLI_MACHINE;
	if (we_engine_create(NULL, &engine, &err) != 0) {
		cli_fail(CLI_MACHINE, "%s", err.msg);
	} else {
		code = inspect(engine, path, (struct we_bytes){data, len}, is_json);
		we_engine_destroy(engine);
	}
	free(data);
	return code;
}
