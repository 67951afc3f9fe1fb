// SPDX-License-Identifier: BSD-3-Clause
// spec_run: see run_core.h.
//
// Owns: a store per script and the modules that it names.
#include "run_core.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "host.h"
#include "value.h"

enum {
	MAX_NAMED = 512,
	MAX_SLOTS = 2048,
	TEXT_CAP = 512
};

// What a command gives back: a failure class, or a value that was not wanted.
enum verdict {
	PASSED,
	FAILED,
	NOT_RUN
};

// A module definition or an instance under a name of the script ("$M").
struct named {
	char *name;
	struct we_module *module; // definition
	struct we_instance *inst; // instance
};

struct script {
	struct we_engine *engine;
	struct we_store *store;
	struct we_linker *linker; // "spectest" and what is registered
	const char *dir;          // of the JSON file, with the slash
	size_t dir_len;
	const char *name; // below core/, without ending
	struct named named[MAX_NAMED];
	uint32_t n_named;
	struct we_module *definition; // the last one; a reference
	struct we_instance *inst;     // the last one, or NULL when it could not be made
	const char *text;             // of the assertion
	char wanted[TEXT_CAP];
	char found[TEXT_CAP];
};

static const char *string_of(const json_t *object, const char *key)
{
	return json_string_value(json_object_get(object, key));
}

// ---- names --------------------------------------------------------------------------------------

static struct named *find_named(struct script *s, const char *name)
{
	for (uint32_t i = s->n_named; i-- > 0;) { // the newest one counts
		if (strcmp(s->named[i].name, name) == 0)
			return &s->named[i];
	}
	return NULL;
}

static void add_named(
	struct script *s, const char *name, struct we_module *module, struct we_instance *inst)
{
	struct named *named = find_named(s, name);

	if (named == NULL || (module != NULL) != (named->module != NULL)) {
		if (s->n_named == MAX_NAMED)
			return;
		named = &s->named[s->n_named++];
		named->name = strdup(name);
		named->module = NULL;
	}
	we_module_unref(named->module);
	named->module = module != NULL ? we_module_ref(module) : NULL;
	named->inst = inst;
}

static struct we_instance *find_instance(struct script *s, const char *name)
{
	const struct named *named = name == NULL ? NULL : find_named(s, name);

	if (name == NULL)
		return s->inst;
	return named == NULL ? NULL : named->inst;
}

// ---- modules ------------------------------------------------------------------------------------

static int read_file(const char *path, struct we_bytes *ret)
{
	FILE *file = fopen(path, "rb");
	uint8_t *data = NULL;
	long len;

	if (file == NULL)
		return -1;
	if (fseek(file, 0, SEEK_END) == 0 && (len = ftell(file)) >= 0 &&
		fseek(file, 0, SEEK_SET) == 0) {
		data = malloc(len > 0 ? (size_t)len : 1);
		if (data != NULL && fread(data, 1, (size_t)len, file) == (size_t)len) {
			*ret = (struct we_bytes){data, (size_t)len};
			fclose(file);
			return 0;
		}
	}
	free(data);
	fclose(file);
	return -1;
}

static int load_module(
	struct script *s, const json_t *command, struct we_module **ret, struct we_error *err)
{
	const char *filename = string_of(command, "filename");
	struct we_bytes bytes;
	char path[4096];
	int rc;

	snprintf(path, sizeof(path), "%.*s%s", (int)s->dir_len, s->dir,
		filename != NULL ? filename : "");
	if (read_file(path, &bytes) < 0)
		return we_error_set(err, WE_E_HOST, 0, "cannot read %s", path);
	rc = we_module_create(s->engine, bytes, 0, ret, err);
	free((void *)(uintptr_t)bytes.data);
	return rc;
}

static enum verdict fail_with(struct script *s, const char *wanted, const struct we_error *err)
{
	snprintf(s->wanted, sizeof(s->wanted), "%s", wanted);
	snprintf(s->found, sizeof(s->found), "%s: %s (at 0x%llx)", we_failure_word(err->rc),
		err->msg, (unsigned long long)err->offset);
	return FAILED;
}

static enum verdict fail_text(struct script *s, const char *wanted, const char *found)
{
	snprintf(s->wanted, sizeof(s->wanted), "%s", wanted);
	snprintf(s->found, sizeof(s->found), "%s", found);
	return FAILED;
}

static bool is_text_rejected(const json_t *command)
{
	const char *form = string_of(command, "form");

	return form != NULL && strcmp(form, "text-rejected") == 0;
}

static enum verdict run_module(struct script *s, const json_t *command)
{
	const char *name = string_of(command, "name");
	struct we_module *module;
	struct we_error err;

	s->inst = NULL; // commands that follow a module that failed must fail, too
	if (name != NULL)
		add_named(s, name, NULL, NULL);
	if (is_text_rejected(command))
		return NOT_RUN;
	if (load_module(s, command, &module, &err) < 0)
		return fail_with(s, "a module", &err);
	if (we_linker_instantiate(s->linker, module, &s->inst, &err) < 0) {
		s->inst = NULL;
		we_module_unref(module);
		return fail_with(s, "an instance", &err);
	}
	we_module_unref(module);
	if (name != NULL)
		add_named(s, name, NULL, s->inst);
	return PASSED;
}

static enum verdict run_definition(struct script *s, const json_t *command)
{
	const char *name = string_of(command, "name");
	struct we_module *module;
	struct we_error err;

	we_module_unref(s->definition);
	s->definition = NULL;
	if (load_module(s, command, &module, &err) < 0)
		return fail_with(s, "a module", &err);
	s->definition = module;
	if (name != NULL)
		add_named(s, name, module, NULL);
	return PASSED;
}

static enum verdict run_instance(struct script *s, const json_t *command)
{
	const char *name = string_of(command, "name");
	const char *of = string_of(command, "of");
	const struct named *named = of == NULL ? NULL : find_named(s, of);
	struct we_module *module = of == NULL      ? s->definition
				   : named == NULL ? NULL
						   : named->module;
	struct we_error err;

	s->inst = NULL;
	if (module == NULL)
		return fail_text(s, "a module definition", "none of that name");
	if (we_linker_instantiate(s->linker, module, &s->inst, &err) < 0) {
		s->inst = NULL;
		return fail_with(s, "an instance", &err);
	}
	if (name != NULL)
		add_named(s, name, NULL, s->inst);
	return PASSED;
}

static enum verdict run_register(struct script *s, const json_t *command)
{
	struct we_instance *inst = find_instance(s, string_of(command, "name"));
	const char *as = string_of(command, "as");

	struct we_error err;

	if (as == NULL)
		return fail_text(s, "a name", "none");
	if (inst == NULL)
		return fail_text(s, "an instance", "none");
	if (we_linker_define_instance(s->linker, as, inst, &err) < 0)
		return fail_with(s, "a name that is free", &err);
	return PASSED;
}

// ---- actions ------------------------------------------------------------------------------------

// Results of an action.
struct outcome {
	int rc;
	struct we_error err;
	uint32_t n;
	enum we_kind kinds[MAX_SLOTS];
	uint64_t slots[MAX_SLOTS];
};

// Names of exports may hold any byte, so that the script has them in hexadecimal.
static size_t unhex(const char *hex, char *ret, size_t cap)
{
	size_t n = 0;
	unsigned byte;

	while (n < cap && hex[2 * n] != '\0' && sscanf(hex + 2 * n, "%2x", &byte) == 1)
		ret[n++] = (char)byte;
	return n;
}

static bool find_field(struct script *s, const json_t *action, struct we_extern *ret)
{
	struct we_instance *inst = find_instance(s, string_of(action, "module"));
	const char *hex = string_of(action, "field_hex");
	char name[TEXT_CAP];
	size_t len;

	if (inst == NULL || hex == NULL)
		return false;
	len = unhex(hex, name, sizeof(name));
	return we_instance_export(inst, name, len, ret) == 0;
}

static bool put_args(
	struct we_store *store, const json_t *args, const struct we_functype *type, uint64_t *slots)
{
	uint32_t used = 0;

	if (json_array_size(args) != we_functype_n_params(type) ||
		we_functype_n_slots(type) > MAX_SLOTS)
		return false;
	for (uint32_t i = 0; i < we_functype_n_params(type); i++) {
		const uint32_t n = spec_value_arg(
			store, json_array_get(args, i), we_functype_param(type, i), slots + used);

		if (n == 0)
			return false;
		used += n;
	}
	return true;
}

// Returns: false when there is nothing to do it with; s->found says what is missing.
static bool run_action(struct script *s, const json_t *action, struct outcome *ret)
{
	const char *type = string_of(action, "type");
	struct we_externtype global_type;
	const struct we_functype *functype;
	struct we_extern ext;

	snprintf(s->found, sizeof(s->found), "no such export, or other arguments");
	if (type == NULL || !find_field(s, action, &ext))
		return false;
	ret->rc = 0;
	if (strcmp(type, "get") == 0) {
		if (ext.kind != WE_EXTERN_GLOBAL)
			return false;
		we_extern_type(&ext, &global_type);
		we_global_get(ext.of.global, ret->slots);
		ret->n = 1;
		ret->kinds[0] = we_externtype_val_kind(&global_type);
		return true;
	}
	if (ext.kind != WE_EXTERN_FUNC)
		return false;
	functype = we_func_type(ext.of.func);
	if (!put_args(s->store, json_object_get(action, "args"), functype, ret->slots))
		return false;
	ret->n = we_functype_n_results(functype);
	for (uint32_t i = 0; i < ret->n; i++)
		ret->kinds[i] = we_functype_result(functype, i);
	ret->rc = we_func_call(ext.of.func, ret->slots, &ret->err);
	return true;
}

static void describe_results(
	const struct we_store *store, const struct outcome *got, char *buf, size_t cap)
{
	const uint64_t *slots = got->slots;
	size_t len = 0;

	buf[0] = '\0';
	for (uint32_t i = 0; i < got->n && len + 1 < cap; i++) {
		if (i > 0)
			buf[len++] = ' ';
		spec_value_print(store, got->kinds[i], slots, buf + len, cap - len);
		len += strlen(buf + len);
		slots += spec_kind_n_slots(got->kinds[i]);
	}
}

static enum verdict check_results(struct script *s, const json_t *expected, struct outcome *got)
{
	const uint64_t *slots = got->slots;
	bool matches = json_array_size(expected) == got->n;

	for (uint32_t i = 0; matches && i < got->n; i++) {
		matches = spec_value_matches(
			s->store, json_array_get(expected, i), got->kinds[i], slots);
		slots += spec_kind_n_slots(got->kinds[i]);
	}
	if (matches)
		return PASSED;
	spec_pattern_print(expected, s->wanted, sizeof(s->wanted));
	describe_results(s->store, got, s->found, sizeof(s->found));
	return FAILED;
}

static enum verdict run_return(struct script *s, const json_t *command)
{
	static struct outcome got;
	const json_t *expected = json_object_get(command, "expected");

	if (!run_action(s, json_object_get(command, "action"), &got)) {
		snprintf(s->wanted, sizeof(s->wanted), "a return");
		return FAILED;
	}
	if (got.rc != 0)
		return fail_with(s, "a return", &got.err);
	return expected == NULL ? PASSED : check_results(s, expected, &got);
}

// ---- assertions of failure ----------------------------------------------------------------------

// Texts of the suite begin with the text of the trap, or the other way round ("uninitialized
// element 2").
static bool same_trap(const char *wanted, const struct we_error *err)
{
	const char *text = we_trap_text((enum we_trap)err->trap);

	return wanted != NULL && (strncmp(wanted, text, strlen(text)) == 0 ||
					 strncmp(text, wanted, strlen(wanted)) == 0);
}

// The text counts where it is part of the contract: for traps, and for what is wrong with an
// import.
static bool same_text(int rc, const char *wanted, const struct we_error *err)
{
	switch (rc) {
	case WE_E_TRAP:
	case WE_E_EXHAUSTED:
		return same_trap(wanted, err);
	case WE_E_UNLINKABLE:
		return wanted != NULL && strncmp(wanted, err->msg, strlen(wanted)) == 0;
	default:
		return true;
	}
}

static enum verdict check_failure(struct script *s, int wanted, int rc, const struct we_error *err)
{
	char text[TEXT_CAP];

	snprintf(text, sizeof(text), "%s: %s", we_failure_word(wanted),
		s->text != NULL ? s->text : "");
	if (rc >= 0)
		return fail_text(s, text, "no failure");
	if (rc != wanted || !same_text(rc, s->text, err))
		return fail_with(s, text, err);
	return PASSED;
}

static enum verdict run_failing_action(struct script *s, const json_t *command, int wanted)
{
	static struct outcome got;

	if (!run_action(s, json_object_get(command, "action"), &got)) {
		snprintf(s->wanted, sizeof(s->wanted), "%s", we_failure_word(wanted));
		return FAILED;
	}
	return check_failure(s, wanted, got.rc, &got.err);
}

static enum verdict run_failing_module(struct script *s, const json_t *command, int wanted)
{
	const json_t *module = json_object_get(command, "module");
	struct we_module *loaded = NULL;
	struct we_error err = {0};
	int rc;

	if (is_text_rejected(module))
		return NOT_RUN;
	rc = load_module(s, module, &loaded, &err);
	if (rc == 0)
		we_module_unref(loaded);
	return check_failure(s, wanted, rc, &err);
}

static enum verdict run_failing_instance(struct script *s, const json_t *command, int wanted)
{
	const json_t *module = json_object_get(command, "module");
	struct we_instance *inst;
	struct we_module *loaded;
	struct we_error err = {0};
	int rc;

	if (is_text_rejected(module))
		return NOT_RUN;
	rc = load_module(s, module, &loaded, &err);
	if (rc < 0)
		return fail_with(s, "a module", &err);
	rc = we_linker_instantiate(s->linker, loaded, &inst, &err);
	we_module_unref(loaded);
	return check_failure(s, wanted, rc, &err);
}

static enum verdict run_exception(struct script *s, const json_t *command)
{
	static struct outcome got;

	if (!run_action(s, json_object_get(command, "action"), &got)) {
		snprintf(s->wanted, sizeof(s->wanted), "an exception");
		return FAILED;
	}
	if (got.rc >= 0)
		return fail_text(s, "an exception", "no failure");
	if (got.err.trap != WE_TRAP_UNCAUGHT_EXCEPTION || we_catch(s->store) == 0)
		return fail_with(s, "an exception", &got.err);
	return PASSED;
}

// ---- commands -----------------------------------------------------------------------------------

static enum verdict run_command(struct script *s, const char *type, const json_t *command)
{
	s->text = string_of(command, "text");
	if (strcmp(type, "assert_return") == 0 || strcmp(type, "action") == 0)
		return run_return(s, command);
	if (strcmp(type, "assert_trap") == 0)
		return run_failing_action(s, command, WE_E_TRAP);
	if (strcmp(type, "assert_exhaustion") == 0)
		return run_failing_action(s, command, WE_E_EXHAUSTED);
	if (strcmp(type, "assert_exception") == 0)
		return run_exception(s, command);
	if (strcmp(type, "assert_invalid") == 0)
		return run_failing_module(s, command, WE_E_INVALID);
	if (strcmp(type, "assert_malformed") == 0)
		return run_failing_module(s, command, WE_E_MALFORMED);
	if (strcmp(type, "assert_unlinkable") == 0)
		return run_failing_instance(s, command, WE_E_UNLINKABLE);
	if (strcmp(type, "assert_uninstantiable") == 0)
		return run_failing_instance(s, command, WE_E_TRAP);
	if (strcmp(type, "module") == 0)
		return run_module(s, command);
	if (strcmp(type, "module_definition") == 0)
		return run_definition(s, command);
	if (strcmp(type, "module_instance") == 0)
		return run_instance(s, command);
	if (strcmp(type, "register") == 0)
		return run_register(s, command);
	return fail_text(s, "a command", type);
}

static void count(struct script *s, const struct spec_skip *skip, const json_t *command,
	struct spec_totals *totals)
{
	const char *type = string_of(command, "type");
	const uint32_t line = (uint32_t)json_integer_value(json_object_get(command, "line"));
	const bool is_assertion = type != NULL && strncmp(type, "assert_", 7) == 0;
	const bool is_listed = spec_skip_has(skip, s->name, line);
	enum verdict verdict;

	if (type == NULL)
		return;
	verdict = run_command(s, type, command);
	if (verdict == PASSED && is_listed && is_assertion) {
		verdict = FAILED;
		fail_text(s, "a failure, as the skip list says", "it passes");
	} else if (verdict == FAILED && is_listed) {
		verdict = NOT_RUN;
	}
	switch (verdict) {
	case PASSED:
		totals->n_passed += is_assertion;
		break;
	case NOT_RUN:
		totals->n_skipped += is_assertion;
		break;
	case FAILED:
		totals->n_failed++;
		printf("%s.wast:%u: %s: wanted %s, found %s\n", s->name, line, type, s->wanted,
			s->found);
		break;
	}
}

// "elem" of ".../core/elem.json", "simd/simd_lane" of ".../core/simd/simd_lane.json".
static void script_name(const char *path, char *ret, size_t cap)
{
	const char *start = strrchr(path, '/');
	const char *core = NULL;

	for (const char *at = path; (at = strstr(at, "core/")) != NULL; at++)
		core = at + strlen("core/");
	snprintf(ret, cap, "%s", core != NULL ? core : start != NULL ? start + 1 : path);
	if (strlen(ret) > 5 && strcmp(ret + strlen(ret) - 5, ".json") == 0)
		ret[strlen(ret) - 5] = '\0';
}

static void fini_script(struct script *s)
{
	for (uint32_t i = 0; i < s->n_named; i++) {
		free(s->named[i].name);
		we_module_unref(s->named[i].module);
	}
	we_module_unref(s->definition);
	we_linker_destroy(s->linker);
	we_store_destroy(s->store);
}

int spec_run(struct we_engine *engine, const struct spec_skip *skip, const char *json_path,
	struct spec_totals *totals)
{
	const struct we_store_limits limits = {.total_memory_pages = 1u << 24};
	const char *slash = strrchr(json_path, '/');
	char name[TEXT_CAP];
	json_error_t json_err;
	json_t *root = json_load_file(json_path, JSON_ALLOW_NUL, &json_err);
	struct script s = {.engine = engine, .name = name};
	struct we_error err;
	size_t i;
	json_t *command;

	if (root == NULL) {
		fprintf(stderr, "we-spec: %s:%d:%d: %s\n", json_path, json_err.line,
			json_err.column, json_err.text);
		return -1;
	}
	script_name(json_path, name, sizeof(name));
	s.dir = json_path;
	s.dir_len = slash == NULL ? 0 : (size_t)(slash - json_path) + 1;
	if (we_store_create(engine, &limits, &s.store, &err) < 0 ||
		we_linker_create(s.store, &s.linker, &err) < 0 ||
		spec_host_define(s.linker, s.store, &err) < 0) {
		fprintf(stderr, "we-spec: %s: %s\n", we_failure_word(err.rc), err.msg);
		fini_script(&s);
		json_decref(root);
		return -1;
	}
	json_array_foreach(json_object_get(root, "commands"), i, command)
		count(&s, skip, command, totals);
	fini_script(&s);
	json_decref(root);
	return 0;
}
