// SPDX-License-Identifier: BSD-3-Clause
// Tests of we_linker: names, types, refusals.
#include "we.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

// clang-format off
// (module
//   (func (export "f") (param i32) (result i32) (i32.add (local.get 0) (i32.const 1)))
//   (memory (export "mem") 1)
//   (table (export "tab") 1 funcref)
//   (global (export "g") i32 (i32.const 30))
//   (tag (export "t")))
static const uint8_t exporter_module[] = {0x00, 0x61, 0x73, 0x6d, 0x01, 0x00, 0x00, 0x00, 0x01, 0x09, 0x02, 0x60, 0x01, 0x7f, 0x01, 0x7f, 0x60, 0x00, 0x00, 0x03, 0x02, 0x01, 0x00, 0x04, 0x04, 0x01, 0x70, 0x00, 0x01, 0x05, 0x03, 0x01, 0x00, 0x01, 0x0d, 0x03, 0x01, 0x00, 0x01, 0x06, 0x06, 0x01, 0x7f, 0x00, 0x41, 0x1e, 0x0b, 0x07, 0x19, 0x05, 0x01, 0x66, 0x00, 0x00, 0x03, 0x6d, 0x65, 0x6d, 0x02, 0x00, 0x03, 0x74, 0x61, 0x62, 0x01, 0x00, 0x01, 0x67, 0x03, 0x00, 0x01, 0x74, 0x04, 0x00, 0x0a, 0x09, 0x01, 0x07, 0x00, 0x20, 0x00, 0x41, 0x01, 0x6a, 0x0b};
// (module
//   (import "lib" "f" (func $f (param i32) (result i32)))
//   (import "lib" "mem" (memory 1))
//   (import "lib" "tab" (table 1 funcref))
//   (import "lib" "g" (global $g i32))
//   (import "lib" "t" (tag))
//   (import "" "" (func $h (param i32) (result i32)))
//   (func (export "run") (result i32) (call $h (call $f (global.get $g)))))
static const uint8_t importer_module[] = {0x00, 0x61, 0x73, 0x6d, 0x01, 0x00, 0x00, 0x00, 0x01, 0x0d, 0x03, 0x60, 0x01, 0x7f, 0x01, 0x7f, 0x60, 0x00, 0x00, 0x60, 0x00, 0x01, 0x7f, 0x02, 0x36, 0x06, 0x03, 0x6c, 0x69, 0x62, 0x01, 0x66, 0x00, 0x00, 0x03, 0x6c, 0x69, 0x62, 0x03, 0x6d, 0x65, 0x6d, 0x02, 0x00, 0x01, 0x03, 0x6c, 0x69, 0x62, 0x03, 0x74, 0x61, 0x62, 0x01, 0x70, 0x00, 0x01, 0x03, 0x6c, 0x69, 0x62, 0x01, 0x67, 0x03, 0x7f, 0x00, 0x03, 0x6c, 0x69, 0x62, 0x01, 0x74, 0x04, 0x00, 0x01, 0x00, 0x00, 0x00, 0x00, 0x03, 0x02, 0x01, 0x02, 0x07, 0x07, 0x01, 0x03, 0x72, 0x75, 0x6e, 0x00, 0x02, 0x0a, 0x0a, 0x01, 0x08, 0x00, 0x23, 0x00, 0x10, 0x00, 0x10, 0x01, 0x0b, 0x00, 0x14, 0x04, 0x6e, 0x61, 0x6d, 0x65, 0x01, 0x07, 0x02, 0x00, 0x01, 0x66, 0x01, 0x01, 0x68, 0x07, 0x04, 0x01, 0x00, 0x01, 0x67};
// clang-format on

static struct we_engine *engine;
static struct we_store *store;
static struct we_linker *linker;
static const struct we_functype *i32_to_i32;
static struct we_error err;

static int make_linker(void **state)
{
	static const enum we_kind i32[] = {WE_I32};

	(void)state;
	return we_engine_create(NULL, &engine, &err) < 0 ||
			       we_store_create(engine, NULL, &store, &err) < 0 ||
			       we_functype_create(engine, i32, 1, i32, 1, &i32_to_i32, &err) < 0 ||
			       we_linker_create(store, &linker, &err) < 0
		       ? -1
		       : 0;
}

static int end_linker(void **state)
{
	(void)state;
	we_linker_destroy(linker);
	we_store_destroy(store);
	we_engine_destroy(engine);
	return 0;
}

static int twice(void *env, uint64_t *slots, struct we_error *host_err)
{
	(void)host_err;
	++*(uint32_t *)env; // calls
	slots[0] = 2 * (uint32_t)slots[0];
	return 0;
}

static int instantiate(const uint8_t *bytes, size_t len, struct we_instance **ret)
{
	struct we_module *module;
	int rc = we_module_create(engine, (struct we_bytes){bytes, len}, 0, &module, &err);

	assert_int_equal(rc, 0);
	rc = we_linker_instantiate(linker, module, ret, &err);
	we_module_unref(module);
	return rc;
}

static struct we_instance *make_exporter(void)
{
	struct we_instance *inst;

	assert_int_equal(instantiate(exporter_module, sizeof(exporter_module), &inst), 0);
	return inst;
}

static int run_importer(uint32_t *n_calls, int32_t *ret)
{
	struct we_instance *inst;
	struct we_extern run;
	struct we_value result;
	int rc = we_linker_define_func(linker, "", "", i32_to_i32, twice, n_calls, &err);

	if (rc == 0)
		rc = instantiate(importer_module, sizeof(importer_module), &inst);
	if (rc < 0)
		return rc;
	assert_int_equal(we_instance_export(inst, "run", 3, &run), 0);
	assert_int_equal(we_func_call_values(run.of.func, NULL, 0, &result, 1, &err), 0);
	*ret = result.of.i32;
	return 0;
}

static void imports_are_found_by_module_and_name(void **state)
{
	uint32_t n_calls = 0;
	int32_t result;

	(void)state;
	assert_int_equal(we_linker_define_instance(linker, "lib", make_exporter(), &err), 0);
	assert_int_equal(run_importer(&n_calls, &result), 0);
	assert_int_equal(result, 62);
	assert_int_equal(n_calls, 1);
}

static void single_things_are_imports_like_whole_instances(void **state)
{
	static const char *const names[] = {"f", "mem", "tab", "g", "t"};
	struct we_instance *exporter = make_exporter();
	uint32_t n_calls = 0;
	int32_t result;

	(void)state;
	for (int i = 0; i < 5; i++) {
		char name[8]; // the linker keeps a copy
		struct we_extern ext;

		snprintf(name, sizeof(name), "%s", names[i]);
		assert_int_equal(we_instance_export(exporter, name, strlen(name), &ext), 0);
		assert_int_equal(we_linker_define(linker, "lib", name, &ext, &err), 0);
	}
	assert_int_equal(run_importer(&n_calls, &result), 0);
	assert_int_equal(result, 62);
}

static void missing_import_is_unknown_by_name(void **state)
{
	struct we_instance *inst;

	(void)state;
	assert_int_equal(
		instantiate(importer_module, sizeof(importer_module), &inst), WE_E_UNLINKABLE);
	assert_string_equal(err.msg, "unknown import \"lib\" \"f\"");
	assert_true(err.offset > 0);
}

static void names_do_not_run_together(void **state)
{
	uint32_t n_calls = 0;
	struct we_instance *inst;

	(void)state;
	assert_int_equal(
		we_linker_define_func(linker, "li", "bf", i32_to_i32, twice, &n_calls, &err), 0);
	assert_int_equal(
		we_linker_define_func(linker, "libf", "", i32_to_i32, twice, &n_calls, &err), 0);
	assert_int_equal(
		instantiate(importer_module, sizeof(importer_module), &inst), WE_E_UNLINKABLE);
	assert_string_equal(err.msg, "unknown import \"lib\" \"f\"");
}

static void import_of_another_type_is_incompatible(void **state)
{
	struct we_extern global = {.kind = WE_EXTERN_GLOBAL};
	const uint64_t zero[1] = {0};
	struct we_instance *inst;

	(void)state;
	assert_int_equal(we_global_create(store, WE_I64, false, zero, &global.of.global, &err), 0);
	assert_int_equal(we_linker_define(linker, "lib", "f", &global, &err), 0);
	assert_int_equal(
		instantiate(importer_module, sizeof(importer_module), &inst), WE_E_UNLINKABLE);
	assert_string_equal(err.msg,
		"incompatible import type: \"lib\" \"f\": "
		"expected (func (param i32) (result i32)), found (global i64)");
}

static void name_that_is_taken_is_invalid(void **state)
{
	uint32_t n_calls = 0;

	(void)state;
	assert_int_equal(
		we_linker_define_func(linker, "lib", "g", i32_to_i32, twice, &n_calls, &err), 0);
	assert_int_equal(
		we_linker_define_func(linker, "lib", "g", i32_to_i32, twice, &n_calls, &err),
		WE_E_INVALID);
	assert_string_equal(err.msg, "\"lib\" \"g\": defined twice");
}

static void instance_is_defined_whole_or_not_at_all(void **state)
{
	struct we_instance *exporter = make_exporter();
	struct we_instance *inst;
	uint32_t n_calls = 0;
	int32_t result;

	(void)state;
	assert_int_equal(
		we_linker_define_func(linker, "lib", "g", i32_to_i32, twice, &n_calls, &err), 0);
	assert_int_equal(we_linker_define_instance(linker, "lib", exporter, &err), WE_E_INVALID);
	assert_int_equal(
		instantiate(importer_module, sizeof(importer_module), &inst), WE_E_UNLINKABLE);
	assert_string_equal(err.msg, "unknown import \"lib\" \"f\"");
	assert_int_equal(we_linker_define_instance(linker, "other", exporter, &err), 0);
	assert_int_equal(run_importer(&n_calls, &result), WE_E_UNLINKABLE);
}

static void thing_of_another_store_is_invalid(void **state)
{
	struct we_extern memory = {.kind = WE_EXTERN_MEMORY};
	struct we_linker *other_linker;
	struct we_store *other;

	(void)state;
	assert_int_equal(we_store_create(engine, NULL, &other, &err), 0);
	assert_int_equal(we_memory_create(other, WE_I32, 1, 1, &memory.of.memory, &err), 0);
	assert_int_equal(we_linker_define(linker, "lib", "mem", &memory, &err), WE_E_INVALID);
	assert_string_equal(err.msg, "\"lib\" \"mem\" lives in another store");
	assert_int_equal(we_linker_create(other, &other_linker, &err), 0);
	assert_int_equal(we_linker_define_instance(other_linker, "lib", make_exporter(), &err),
		WE_E_INVALID);
	assert_string_equal(err.msg, "instance \"lib\" lives in another store");
	we_linker_destroy(other_linker);
	we_linker_destroy(NULL);
	we_store_destroy(other);
}

static void many_definitions_are_all_found(void **state)
{
	struct we_extern memory = {.kind = WE_EXTERN_MEMORY};
	uint32_t n_calls = 0;
	int32_t result;
	char name[16];

	(void)state;
	assert_int_equal(we_memory_create(store, WE_I32, 1, 1, &memory.of.memory, &err), 0);
	for (int i = 0; i < 5000; i++) {
		snprintf(name, sizeof(name), "%d", i);
		assert_int_equal(we_linker_define(linker, "lib", name, &memory, &err), 0);
	}
	for (int i = 0; i < 5000; i++) {
		snprintf(name, sizeof(name), "%d", i);
		assert_int_equal(
			we_linker_define(linker, "lib", name, &memory, &err), WE_E_INVALID);
	}
	assert_int_equal(we_linker_define_instance(linker, "lib", make_exporter(), &err), 0);
	assert_int_equal(run_importer(&n_calls, &result), 0);
	assert_int_equal(result, 62);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(
			imports_are_found_by_module_and_name, make_linker, end_linker),
		cmocka_unit_test_setup_teardown(
			single_things_are_imports_like_whole_instances, make_linker, end_linker),
		cmocka_unit_test_setup_teardown(
			missing_import_is_unknown_by_name, make_linker, end_linker),
		cmocka_unit_test_setup_teardown(names_do_not_run_together, make_linker, end_linker),
		cmocka_unit_test_setup_teardown(
			import_of_another_type_is_incompatible, make_linker, end_linker),
		cmocka_unit_test_setup_teardown(
			name_that_is_taken_is_invalid, make_linker, end_linker),
		cmocka_unit_test_setup_teardown(
			instance_is_defined_whole_or_not_at_all, make_linker, end_linker),
		cmocka_unit_test_setup_teardown(
			thing_of_another_store_is_invalid, make_linker, end_linker),
		cmocka_unit_test_setup_teardown(
			many_definitions_are_all_found, make_linker, end_linker),
	};

	return cmocka_run_group_tests_name("we_linker", tests, NULL, NULL);
}
