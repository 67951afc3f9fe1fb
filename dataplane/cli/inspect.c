// SPDX-License-Identifier: BSD-3-Clause
// weir inspect: what a component or module is, how large, what it uses, and what it may do.
#include "cli.h"

#include "cm.h"
#include "config.h"
#include "file.h"
#include "inspect.h"
#include "utf8.h"
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

struct options {
	const char *path;
	enum dp_engine engine;
	struct we_engine_config config;
	const char *func; // NULL: not asked for
	bool is_json;
};

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

// ---- native code --------------------------------------------------------------------------------

// What compiling came to. Invariant: rc < 0 and why, or stats.
struct native {
	bool is_tried;
	int rc;
	char why[WE_ERROR_TEXT];
	struct we_jit_stats stats;
};

static void note_native(struct native *native, int rc, const struct we_error *err)
{
	native->rc = rc;
	if (rc < 0)
		snprintf(native->why, sizeof(native->why), "%s", err->msg);
	else
		snprintf(native->why, sizeof(native->why), "%s", native->stats.last_failure);
}

static void print_native(const struct native *native)
{
	const struct we_jit_stats *stats = &native->stats;

	if (!native->is_tried)
		return;
	if (native->rc == 0)
		printf("native code: all of %u functions, %" PRIu64 " bytes%s%s\n", stats->n_funcs,
			stats->code_bytes, *native->why != '\0' ? "; " : "", native->why);
	else if (stats->n_funcs_native > 0)
		printf("native code: %u of %u functions, %" PRIu64
		       " bytes; the others stay in the interpreter: %s\n",
			stats->n_funcs_native, stats->n_funcs, stats->code_bytes, native->why);
	else
		printf("native code: none: %s\n", native->why);
}

static void add_native(json_t *all, const struct native *native)
{
	const struct we_jit_stats *stats = &native->stats;

	if (!native->is_tried)
		return;
	json_object_set_new(all, "native",
		json_pack("{s:I, s:I, s:I, s:I, s:s}", "functions", (json_int_t)stats->n_funcs,
			"native", (json_int_t)stats->n_funcs_native, "code_bytes",
			(json_int_t)stats->code_bytes, "compile_ns", (json_int_t)stats->compile_ns,
			"message", native->why));
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

static void add_file(json_t *all, const char *path, size_t file_bytes)
{
	json_object_set_new(all, "file", cli_json_text(path));
	json_object_set_new(all, "file_bytes", json_integer((json_int_t)file_bytes));
}

static enum cli_exit show_component(const struct cm_component *component,
	const struct native *native, const char *path, size_t file_bytes, bool is_json)
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
		json_t *all = component_json(component, wit);

		free(wit);
		add_file(all, path, file_bytes);
		add_native(all, native);
		return inspect_show_json(all);
	}
	cm_component_stats(component, &stats);
	printf("%s: component%s, %zu bytes\n", path, is_filter(component) ? " and weir filter" : "",
		file_bytes);
	printf("core modules: %u, nested components: %u, code: %" PRIu64
	       " bytes, memory at the start: %" PRIu64 " pages of 64 KiB\n",
		stats.n_core_modules, stats.n_components, stats.core_code_bytes,
		stats.min_memory_pages);
	print_features(stats.features);
	print_native(native);
	printf("\n%s", wit);
	free(wit);
	print_permissions(component);
	return CLI_OK;
}

// ---- core modules -------------------------------------------------------------------------------

// A name as a terminal may see it.
static void print_name(struct we_bytes name)
{
	char text[1024];

	dp_utf8_escape((const char *)name.data, name.len, text, sizeof(text));
	fputs(text, stdout);
}

// Takes: name.
static json_t *named_json(json_t *name, const struct we_externtype *type)
{
	char text[512];

	we_externtype_print(type, text, sizeof(text));
	return json_pack("{s:o, s:s}", "name", name, "type", text);
}

// "module name"; either may have a NUL in it.
static json_t *import_name_json(struct we_bytes module, struct we_bytes name)
{
	const size_t len = module.len + 1 + name.len;
	char *text = malloc(len);
	json_t *json;

	if (text == NULL)
		return NULL;
	memcpy(text, module.data, module.len);
	text[module.len] = ' ';
	memcpy(text + module.len + 1, name.data, name.len);
	json = json_stringn(text, len);
	free(text);
	return json;
}

static json_t *module_json(const struct we_module *module)
{
	json_t *imports = json_array();
	json_t *exports = json_array();

	for (uint32_t i = 0; i < we_module_n_imports(module); i++) {
		struct we_import import;
		json_t *name;

		we_module_import(module, i, &import);
		name = import_name_json(import.module, import.name);
		json_array_append_new(imports, named_json(name, &import.type));
	}
	for (uint32_t i = 0; i < we_module_n_exports(module); i++) {
		struct we_export export;

		we_module_export(module, i, &export);
		json_array_append_new(exports,
			named_json(json_stringn((const char *)export.name.data, export.name.len),
				&export.type));
	}
	return json_pack("{s:s, s:o, s:o, s:o}", "kind", "module", "features",
		features_json(we_module_features(module)), "imports", imports, "exports", exports);
}

static enum cli_exit show_module(const struct we_module *module, const struct native *native,
	const char *path, size_t file_bytes, bool is_json)
{
	char type[512];

	if (is_json) {
		json_t *all = module_json(module);

		add_file(all, path, file_bytes);
		add_native(all, native);
		return inspect_show_json(all);
	}
	printf("%s: core module, %zu bytes\n", path, file_bytes);
	print_features(we_module_features(module));
	print_native(native);
	for (uint32_t i = 0; i < we_module_n_imports(module); i++) {
		struct we_import import;

		we_module_import(module, i, &import);
		we_externtype_print(&import.type, type, sizeof(type));
		fputs("import ", stdout);
		print_name(import.module);
		putchar(' ');
		print_name(import.name);
		printf(" %s\n", type);
	}
	for (uint32_t i = 0; i < we_module_n_exports(module); i++) {
		struct we_export export;

		we_module_export(module, i, &export);
		we_externtype_print(&export.type, type, sizeof(type));
		fputs("export ", stdout);
		print_name(export.name);
		printf(" %s\n", type);
	}
	return CLI_OK;
}

static enum cli_exit inspect_component(const struct options *o, struct we_engine *engine,
	struct we_bytes bytes, struct native *native)
{
	struct cm_component *component;
	struct we_error err;
	enum cli_exit code;

	if (cm_component_create(engine, bytes, &component, &err) != 0)
		return cli_fail_file(o->path, &err);
	if (native->is_tried) {
		const int rc = cm_component_compile(component, &err);

		cm_component_jit_stats(component, &native->stats);
		note_native(native, rc, &err);
	}
	code = o->func != NULL ? inspect_func_of_component(o->path, component, o->func, o->is_json)
			       : show_component(component, native, o->path, bytes.len, o->is_json);
	cm_component_unref(component);
	return code;
}

static enum cli_exit inspect_module(const struct options *o, struct we_engine *engine,
	struct we_bytes bytes, struct native *native)
{
	struct we_module *module;
	struct we_error err;
	enum cli_exit code;

	if (we_module_create(engine, bytes, 0, &module, &err) != 0)
		return cli_fail_file(o->path, &err);
	if (native->is_tried) {
		const int rc = we_module_compile(module, &err);

		we_module_jit_stats(module, &native->stats);
		note_native(native, rc, &err);
	}
	code = o->func != NULL ? inspect_func(o->path, (struct we_module *[]){module, NULL},
					 o->func, o->is_json)
			       : show_module(module, native, o->path, bytes.len, o->is_json);
	we_module_unref(module);
	return code;
}

// ---- the command --------------------------------------------------------------------------------

// Returns: CLI_OK; another code with *ret_is_done when there is nothing left to do.
static enum cli_exit parse(struct cli_args *args, struct options *o, bool *ret_is_done)
{
	enum cli_flag flag;

	*ret_is_done = true;
	while ((flag = cli_next(args)) != CLI_END) {
		switch (flag) {
		case CLI_INSPECT_JSON:
			o->is_json = true;
			break;
		case CLI_INSPECT_ASM:
			o->func = args->value;
			break;
		case CLI_INSPECT_ENGINE:
			if (!cli_engine(args) || dp_engine_parse(args->value, &o->engine) != 0)
				return CLI_USAGE;
			break;
		case CLI_INSPECT_CPU:
			if (!cli_cpu(args))
				return CLI_USAGE;
			o->config.jit_cpu = args->value;
			break;
		case CLI_INSPECT_JIT_CACHE:
			o->config.jit_cache = args->value;
			break;
		case CLI_OPERAND:
			if (o->path != NULL)
				return cli_usage(args, "found a second file, \"%s\", expected one",
					args->value);
			o->path = args->value;
			break;
		default:
			return flag == CLI_HELPED ? CLI_OK : CLI_USAGE;
		}
	}
	if (o->path == NULL)
		return cli_usage(args, "found no file, expected FILE.wasm");
	*ret_is_done = false;
	return CLI_OK;
}

static enum cli_exit inspect(const struct options *o, struct we_bytes bytes)
{
	struct native native = {.is_tried = o->engine != DP_ENGINE_INTERP && o->func == NULL};
	struct we_engine *engine;
	struct we_error err;

	if (we_engine_create(&o->config, &engine, &err) != 0)
		return cli_fail(CLI_MACHINE, "%s", err.msg);
	enum cli_exit code = cm_is_component(bytes) ? inspect_component(o, engine, bytes, &native)
						    : inspect_module(o, engine, bytes, &native);
	we_engine_destroy(engine);
	if (code == CLI_OK && native.is_tried && o->engine == DP_ENGINE_JIT && native.rc != 0)
		code = cli_fail(CLI_FAULT, "%s: engine jit: %u of %u functions have native code",
			o->path, native.stats.n_funcs_native, native.stats.n_funcs);
	return code;
}

enum cli_exit cli_main_INSPECT(struct cli_args *args)
{
	struct options o = {.path = NULL};
	struct we_error err;
	bool is_done;
	uint8_t *data;
	size_t len;
	enum cli_exit code = parse(args, &o, &is_done);

	if (is_done)
		return code;
	if (dp_file_read(o.path, DP_FILE_MAX, &data, &len, &err) != 0)
		return cli_fail(CLI_FAULT, "%s: cannot read it: %s", o.path, err.msg);
	code = inspect(&o, (struct we_bytes){data, len});
	free(data);
	return code;
}
