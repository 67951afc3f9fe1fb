// SPDX-License-Identifier: BSD-3-Clause
// One converted component script from its first command to its last.
//
// Owns: the last component and instance, and the components that the script names.
#include "run_component.h"

#include "cm.h"
#include "script_value.h"
#include "task.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
	MAX_NAMED = 64,
	MAX_ARGS = 64,
	MAX_RUNS = 1000, // cm_store_run calls before a function counts as one that never returns
	TEXT_CAP = 512,
	PATH_CAP = 4096,
};

struct named {
	const char *name; // "$Tester"; borrowed from the script
	struct cm_component *component;
};

struct script {
	struct we_engine *engine;
	const char *dir; // of the JSON file, with the slash
	int dir_len;
	char name[TEXT_CAP]; // "async/deadlock"
	struct named named[MAX_NAMED];
	uint32_t n_named;
	struct cm_component *component; // the last one, a reference; NULL: it was refused
	struct cm_store *store;         // of the last instance
	struct cm_instance *inst;       // NULL: it was refused
	char found[TEXT_CAP];
};

static const char *string_of(const json_t *object, const char *key)
{
	return json_string_value(json_object_get(object, key));
}

// ---- components and instances -------------------------------------------------------------------

static int found_error(struct script *s, int rc, const struct we_error *err)
{
	snprintf(s->found, sizeof(s->found), "%s: %s", we_failure_word(rc), err->msg);
	return rc;
}

static uint8_t *read_file(const struct script *s, const char *filename, size_t *ret_len)
{
	char path[PATH_CAP];
	uint8_t *bytes = NULL;
	FILE *file;
	long len;

	snprintf(path, sizeof(path), "%.*s%s", s->dir_len, s->dir, filename);
	file = fopen(path, "rb");
	if (!file)
		return NULL;
	fseek(file, 0, SEEK_END);
	len = ftell(file);
	rewind(file);
	if (len >= 0)
		bytes = malloc((size_t)len + 1);
	if (bytes)
		*ret_len = fread(bytes, 1, (size_t)len, file);
	fclose(file);
	return bytes;
}

// Decode and validate what node names. Returns: as cm_component_create.
static int load(struct script *s, const json_t *node, struct cm_component **ret_component)
{
	const char *filename = string_of(node, "filename");
	struct we_error err = {0};
	size_t len = 0;
	uint8_t *bytes = filename ? read_file(s, filename, &len) : NULL;
	int rc;

	*ret_component = NULL;
	if (!bytes) {
		snprintf(s->found, sizeof(s->found), "file cannot be read");
		return WE_E_HOST;
	}
	rc = cm_component_create(
		s->engine, (struct we_bytes){.data = bytes, .len = len}, ret_component, &err);
	free(bytes);
	snprintf(s->found, sizeof(s->found), "a valid component");
	return rc < 0 ? found_error(s, rc, &err) : 0;
}

static void forget_instance(struct script *s)
{
	cm_store_destroy(s->store);
	s->store = NULL;
	s->inst = NULL;
}

static int instantiate(struct script *s, struct cm_component *component)
{
	struct we_error err = {0};
	int rc;

	forget_instance(s);
	rc = cm_store_create(s->engine, NULL, &s->store, &err);
	if (rc == 0)
		rc = cm_instance_create(s->store, component, NULL, NULL, NULL, &s->inst, &err);
	snprintf(s->found, sizeof(s->found), "an instance");
	return rc < 0 ? found_error(s, rc, &err) : 0;
}

static void define(struct script *s, const json_t *command, struct cm_component *component)
{
	const char *name = string_of(command, "name");

	cm_component_unref(s->component);
	s->component = component;
	if (name && component && s->n_named < MAX_NAMED)
		s->named[s->n_named++] =
			(struct named){.name = name, .component = cm_component_ref(component)};
}

static struct cm_component *find(const struct script *s, const char *name)
{
	for (uint32_t i = s->n_named; name && i-- > 0;) { // the newest one counts
		if (strcmp(s->named[i].name, name) == 0)
			return s->named[i].component;
	}
	return name ? NULL : s->component;
}

static int run_module(struct script *s, const json_t *command, bool instantiates)
{
	struct cm_component *component;
	int rc = load(s, command, &component);

	if (instantiates)
		forget_instance(s);
	define(s, command, component);
	return rc == 0 && instantiates ? instantiate(s, component) : rc;
}

static int run_instance(struct script *s, const json_t *command)
{
	struct cm_component *component = find(s, string_of(command, "of"));

	forget_instance(s);
	if (component)
		return instantiate(s, component);
	snprintf(s->found, sizeof(s->found), "no such component");
	return WE_E_HOST;
}

// ---- calls --------------------------------------------------------------------------------------

// What a call has returned, compared where the result lives.
struct outcome {
	const struct cm_type *type; // of the result, NULL: none
	const json_t *expected;     // NULL: any
	bool has_returned;
	bool is_expected;
};

static int on_return(void *env, const struct cm_val *result, struct we_error *err)
{
	struct outcome *out = env;
	const size_t n = json_array_size(out->expected);

	(void)err;
	out->has_returned = true;
	if (!out->expected || n == 0)
		out->is_expected = !out->expected || !out->type;
	else
		out->is_expected = result && out->type &&
				   script_value_is(result, out->type,
					   json_object_get(json_array_get(out->expected, 0), "cm"));
	return 0;
}

static int parse_args(struct script_values *values, const json_t *action,
	const struct cm_type *type, struct cm_val *args)
{
	const json_t *trees = json_object_get(action, "args");
	int rc = 0;

	if (json_array_size(trees) != type->n_fields || type->n_fields > MAX_ARGS)
		return -1;
	for (uint32_t i = 0; i < type->n_fields && rc == 0; i++)
		rc = script_value_parse(values, json_object_get(json_array_get(trees, i), "cm"),
			type->fields[i].type, &args[i]);
	return rc;
}

static int call(struct script *s, struct cm_func *func, const struct cm_val *args, uint32_t n_args,
	struct outcome *out)
{
	const struct cm_on_return ret = {.returned = on_return, .env = out};
	struct we_error err = {0};
	int rc = cm_func_start(func, args, n_args, &ret, NULL, &err);

	for (uint32_t i = 0; i < MAX_RUNS && rc >= 0 && !out->has_returned; i++) {
		rc = cm_store_run(s->store, &err);
		if (rc == 0)
			break;
	}
	snprintf(s->found, sizeof(s->found), "%s",
		!out->has_returned ? "no result: nothing is left to run"
		: out->is_expected ? "the result"
				   : "another result");
	return rc < 0 ? found_error(s, rc, &err) : 0;
}

static int invoke(
	struct script *s, const json_t *action, const json_t *expected, struct outcome *ret_out)
{
	const char *field = string_of(action, "field");
	struct script_values values = {0};
	struct cm_val args[MAX_ARGS];
	struct cm_func *func;
	int rc;

	if (!s->inst) {
		snprintf(s->found, sizeof(s->found), "no instance");
		return WE_E_HOST;
	}
	if (!field || cm_instance_func(s->inst, NULL, field, &func) != 0) {
		snprintf(s->found, sizeof(s->found), "no such function");
		return WE_E_HOST;
	}
	*ret_out = (struct outcome){.type = func->type->elem, .expected = expected};
	rc = parse_args(&values, action, func->type, args);
	if (rc < 0)
		snprintf(s->found, sizeof(s->found), "arguments of other types");
	else
		rc = call(s, func, args, func->type->n_fields, ret_out);
	script_values_free(&values);
	return rc;
}

// ---- commands -----------------------------------------------------------------------------------

enum verdict {
	PASSED,
	FAILED,
	NOT_BINARY, // malformed text: not ours to judge
};

static enum verdict passed_if(bool is_good)
{
	return is_good ? PASSED : FAILED;
}

static enum verdict assert_refused(struct script *s, const json_t *command, int wanted)
{
	const json_t *module = json_object_get(command, "module");
	const char *form = string_of(module, "form");
	struct cm_component *component;
	int rc;

	if (form && strcmp(form, "text-rejected") == 0)
		return NOT_BINARY;
	rc = load(s, module, &component);
	cm_component_unref(component);
	return passed_if(rc == wanted);
}

static enum verdict assert_uninstantiable(struct script *s, const json_t *command)
{
	struct cm_component *component;
	int rc = load(s, json_object_get(command, "module"), &component);

	if (rc == 0)
		rc = instantiate(s, component);
	cm_component_unref(component);
	forget_instance(s);
	return passed_if(rc == WE_E_TRAP);
}

static enum verdict assert_return(struct script *s, const json_t *command, const json_t *expected)
{
	struct outcome out = {0};
	const int rc = invoke(s, json_object_get(command, "action"), expected, &out);

	return passed_if(rc == 0 && out.has_returned && out.is_expected);
}

static enum verdict assert_trap(struct script *s, const json_t *command)
{
	struct outcome out = {0};

	return passed_if(invoke(s, json_object_get(command, "action"), NULL, &out) == WE_E_TRAP);
}

static enum verdict run_command(struct script *s, const char *type, const json_t *command)
{
	if (strcmp(type, "module") == 0)
		return passed_if(run_module(s, command, true) == 0);
	if (strcmp(type, "module_definition") == 0)
		return passed_if(run_module(s, command, false) == 0);
	if (strcmp(type, "module_instance") == 0)
		return passed_if(run_instance(s, command) == 0);
	if (strcmp(type, "assert_invalid") == 0)
		return assert_refused(s, command, WE_E_INVALID);
	if (strcmp(type, "assert_malformed") == 0)
		return assert_refused(s, command, WE_E_MALFORMED);
	if (strcmp(type, "assert_uninstantiable") == 0)
		return assert_uninstantiable(s, command);
	if (strcmp(type, "assert_return") == 0)
		return assert_return(s, command, json_object_get(command, "expected"));
	if (strcmp(type, "assert_trap") == 0)
		return assert_trap(s, command);
	if (strcmp(type, "action") == 0)
		return assert_return(s, command, NULL);
	snprintf(s->found, sizeof(s->found), "a command that this runner does not know");
	return FAILED;
}

static void run_line(struct script *s, const struct spec_skip *skip, const json_t *command,
	struct spec_totals *totals)
{
	const char *type = string_of(command, "type");
	const uint32_t line = (uint32_t)json_integer_value(json_object_get(command, "line"));
	const bool is_listed = spec_skip_has(skip, s->name, line);
	const bool is_assertion = type && strncmp(type, "module", strlen("module")) != 0;
	const enum verdict verdict = run_command(s, type ? type : "", command);
	const char *text = string_of(command, "text");

	if (verdict == NOT_BINARY || (verdict == FAILED && is_listed)) {
		totals->n_skipped += is_assertion;
	} else if (verdict == PASSED && !(is_listed && is_assertion)) {
		totals->n_passed += is_assertion;
	} else {
		printf("%s:%u: %s %s: %s%s\n", s->name, line, type ? type : "?", text ? text : "",
			verdict == PASSED ? "passed, but is on the skip list" : "found ",
			verdict == PASSED ? "" : s->found);
		totals->n_failed++;
	}
}

static void script_fini(struct script *s)
{
	forget_instance(s);
	cm_component_unref(s->component);
	for (uint32_t i = 0; i < s->n_named; i++)
		cm_component_unref(s->named[i].component);
}

// "async/deadlock" of ".../async/deadlock.json".
static void name_script(struct script *s, const char *json_path)
{
	const char *slash = strrchr(json_path, '/');
	const char *at = slash;
	size_t len;

	s->dir = json_path;
	s->dir_len = slash ? (int)(slash - json_path) + 1 : 0;
	while (at && at > json_path && at[-1] != '/')
		at--;
	at = at ? at : json_path;
	len = strlen(at) - strlen(".json");
	snprintf(s->name, sizeof(s->name), "%.*s", (int)len, at);
}

int cm_spec_run(struct we_engine *engine, const struct spec_skip *skip, const char *json_path,
	struct spec_totals *totals)
{
	struct script s = {.engine = engine};
	json_error_t why;
	json_t *root = json_load_file(json_path, 0, &why);
	const json_t *commands = json_object_get(root, "commands");

	if (!root) {
		fprintf(stderr, "cm-spec: %s:%d: %s\n", json_path, why.line, why.text);
		return -1;
	}
	name_script(&s, json_path);
	for (size_t i = 0; i < json_array_size(commands); i++)
		run_line(&s, skip, json_array_get(commands, i), totals);
	script_fini(&s);
	json_decref(root);
	return 0;
}
