// SPDX-License-Identifier: BSD-3-Clause
// Tests of instances: linking, initialization, calls both ways, deadlines, limits.
#include "runtime.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

// clang-format off
// (module $caller
//   (import "env" "f" (func $f (param i32) (result i32)))
//   (memory (export "mem") 1)
//   (func $inner (param i32) (result i32) local.get 0 call $f)
//   (func $run (export "run") (param i32) (result i32) local.get 0 call $inner i32.const 1 i32.add)
//   (func (export "spin") (loop $l (drop (call $f (i32.const 1))) (br $l)))
//   (func $deep (export "deep") (call $deep)))
static const uint8_t caller_module[] = {0x00, 0x61, 0x73, 0x6d, 0x01, 0x00, 0x00, 0x00, 0x01, 0x09, 0x02, 0x60, 0x01, 0x7f, 0x01, 0x7f, 0x60, 0x00, 0x00, 0x02, 0x09, 0x01, 0x03, 0x65, 0x6e, 0x76, 0x01, 0x66, 0x00, 0x00, 0x03, 0x05, 0x04, 0x00, 0x00, 0x01, 0x01, 0x05, 0x03, 0x01, 0x00, 0x01, 0x07, 0x1b, 0x04, 0x03, 0x6d, 0x65, 0x6d, 0x02, 0x00, 0x03, 0x72, 0x75, 0x6e, 0x00, 0x02, 0x04, 0x73, 0x70, 0x69, 0x6e, 0x00, 0x03, 0x04, 0x64, 0x65, 0x65, 0x70, 0x00, 0x04, 0x0a, 0x24, 0x04, 0x06, 0x00, 0x20, 0x00, 0x10, 0x00, 0x0b, 0x09, 0x00, 0x20, 0x00, 0x10, 0x01, 0x41, 0x01, 0x6a, 0x0b, 0x0c, 0x00, 0x03, 0x40, 0x41, 0x01, 0x10, 0x00, 0x1a, 0x0c, 0x00, 0x0b, 0x0b, 0x04, 0x00, 0x10, 0x04, 0x0b, 0x00, 0x2e, 0x04, 0x6e, 0x61, 0x6d, 0x65, 0x00, 0x07, 0x06, 0x63, 0x61, 0x6c, 0x6c, 0x65, 0x72, 0x01, 0x16, 0x04, 0x00, 0x01, 0x66, 0x01, 0x05, 0x69, 0x6e, 0x6e, 0x65, 0x72, 0x02, 0x03, 0x72, 0x75, 0x6e, 0x04, 0x04, 0x64, 0x65, 0x65, 0x70, 0x03, 0x06, 0x01, 0x03, 0x01, 0x00, 0x01, 0x6c};

// (module
//   (import "env" "mem" (memory 1))
//   (import "env" "g" (global $g i32))
//   (global (export "twice") i32 (i32.mul (global.get $g) (i32.const 2)))
//   (data (global.get $g) "xy"))
static const uint8_t user_module[] = {0x00, 0x61, 0x73, 0x6d, 0x01, 0x00, 0x00, 0x00, 0x02, 0x15, 0x02, 0x03, 0x65, 0x6e, 0x76, 0x03, 0x6d, 0x65, 0x6d, 0x02, 0x00, 0x01, 0x03, 0x65, 0x6e, 0x76, 0x01, 0x67, 0x03, 0x7f, 0x00, 0x06, 0x09, 0x01, 0x7f, 0x00, 0x23, 0x00, 0x41, 0x02, 0x6c, 0x0b, 0x07, 0x09, 0x01, 0x05, 0x74, 0x77, 0x69, 0x63, 0x65, 0x03, 0x01, 0x0b, 0x08, 0x01, 0x00, 0x23, 0x00, 0x0b, 0x02, 0x78, 0x79, 0x00, 0x0b, 0x04, 0x6e, 0x61, 0x6d, 0x65, 0x07, 0x04, 0x01, 0x00, 0x01, 0x67};

// (module
//   (import "env" "t" (table 4 funcref))
//   (func $a) (func $b)
//   (elem (i32.const 0) $a)
//   (elem (i32.const 3) $a $b))
static const uint8_t bad_elem_module[] = {0x00, 0x61, 0x73, 0x6d, 0x01, 0x00, 0x00, 0x00, 0x01, 0x04, 0x01, 0x60, 0x00, 0x00, 0x02, 0x0b, 0x01, 0x03, 0x65, 0x6e, 0x76, 0x01, 0x74, 0x01, 0x70, 0x00, 0x04, 0x03, 0x03, 0x02, 0x00, 0x00, 0x09, 0x0e, 0x02, 0x00, 0x41, 0x00, 0x0b, 0x01, 0x00, 0x00, 0x41, 0x03, 0x0b, 0x02, 0x00, 0x01, 0x0a, 0x07, 0x02, 0x02, 0x00, 0x0b, 0x02, 0x00, 0x0b, 0x00, 0x0e, 0x04, 0x6e, 0x61, 0x6d, 0x65, 0x01, 0x07, 0x02, 0x00, 0x01, 0x61, 0x01, 0x01, 0x62};

// (module (memory 1) (table 2 funcref) (func $s unreachable) (start $s))
static const uint8_t bad_start_module[] = {0x00, 0x61, 0x73, 0x6d, 0x01, 0x00, 0x00, 0x00, 0x01, 0x04, 0x01, 0x60, 0x00, 0x00, 0x03, 0x02, 0x01, 0x00, 0x04, 0x04, 0x01, 0x70, 0x00, 0x02, 0x05, 0x03, 0x01, 0x00, 0x01, 0x08, 0x01, 0x00, 0x0a, 0x05, 0x01, 0x03, 0x00, 0x00, 0x0b, 0x00, 0x0b, 0x04, 0x6e, 0x61, 0x6d, 0x65, 0x01, 0x04, 0x01, 0x00, 0x01, 0x73};

// (module (memory 3) (memory 1 1) (global i32 (i32.const 0)))
static const uint8_t memories_module[] = {0x00, 0x61, 0x73, 0x6d, 0x01, 0x00, 0x00, 0x00, 0x05, 0x06, 0x02, 0x00, 0x03, 0x01, 0x01, 0x01, 0x06, 0x06, 0x01, 0x7f, 0x00, 0x41, 0x00, 0x0b};

// clang-format on

static struct we_engine *engine;
static struct we_store *store;
static struct we_error err;

static int make_store(void **state)
{
	(void)state;
	return we_engine_create(NULL, &engine, NULL) < 0 ||
			       we_store_create(engine, NULL, &store, NULL) < 0
		       ? -1
		       : 0;
}

static int end_store(void **state)
{
	(void)state;
	we_store_destroy(store);
	we_engine_destroy(engine);
	return 0;
}

static int instantiate(const uint8_t *bytes, size_t len, const struct we_extern *imports,
	uint32_t n, struct we_instance **ret)
{
	struct we_module *module;
	int rc = we_module_create(engine, (struct we_bytes){bytes, len}, 0, &module, &err);

	if (rc < 0)
		return rc;
	rc = we_instance_create(store, module, imports, n, ret, &err);
	we_module_unref(module); // the instance keeps it
	return rc;
}

static struct we_func *export_func(const struct we_instance *inst, const char *name)
{
	struct we_extern ext;

	assert_int_equal(we_instance_export(inst, name, strlen(name), &ext), 0);
	assert_int_equal(ext.kind, WE_EXTERN_FUNC);
	return ext.of.func;
}

static int double_it(void *env, uint64_t *slots, struct we_error *host_err)
{
	(void)host_err;
	++*(uint32_t *)env; // calls
	slots[0] = (uint32_t)slots[0] * 2;
	return 0;
}

static int refuse(void *env, uint64_t *slots, struct we_error *host_err)
{
	(void)env;
	(void)slots;
	return we_error_trap(host_err, WE_TRAP_HOST, 0, WE_NO_FUNC, "no");
}

// Ends the entry that runs, as another thread would.
static int interrupt_now(void *env, uint64_t *slots, struct we_error *host_err)
{
	(void)env;
	(void)slots;
	(void)host_err;
	we_store_interrupt(store, we_store_entry(store));
	return 0;
}

static struct we_instance *make_caller(we_host_fn fn, void *env)
{
	static const enum we_kind i32[] = {WE_I32};
	const struct we_functype *type;
	struct we_extern f = {.kind = WE_EXTERN_FUNC};
	struct we_instance *inst;

	assert_int_equal(we_functype_create(engine, i32, 1, i32, 1, &type, &err), 0);
	assert_int_equal(we_func_create_host(store, type, fn, env, &f.of.func, &err), 0);
	assert_int_equal(instantiate(caller_module, sizeof(caller_module), &f, 1, &inst), 0);
	return inst;
}

static void call_goes_to_the_host_and_back(void **state)
{
	uint32_t n_calls = 0;
	struct we_instance *inst = make_caller(double_it, &n_calls);
	uint64_t slots[1] = {20};

	(void)state;
	assert_int_equal(we_func_call(export_func(inst, "run"), slots, &err), 0);
	assert_int_equal((uint32_t)slots[0], 41);
	assert_int_equal(n_calls, 1);
	assert_int_equal(we_store_entry(store), 0);
}

static void trap_of_the_host_unwinds_with_names(void **state)
{
	struct we_instance *inst = make_caller(refuse, NULL);
	struct we_frame frames[8];
	uint64_t slots[1] = {20};
	uint32_t n;

	(void)state;
	assert_int_equal(we_func_call(export_func(inst, "run"), slots, &err), WE_E_TRAP);
	assert_int_equal(err.trap, WE_TRAP_HOST);
	n = we_store_backtrace(store, frames, 8);
	assert_int_equal(n, 2);
	assert_int_equal(frames[0].func, 1);
	assert_memory_equal(frames[0].name.data, "inner", 5);
	assert_int_equal(frames[1].func, 2);
	assert_memory_equal(frames[1].name.data, "run", 3);
	assert_int_equal(caller_module[frames[0].offset], 0x10); // call
}

static void interrupted_loop_ends_with_a_deadline(void **state)
{
	struct we_instance *inst = make_caller(interrupt_now, NULL);
	uint64_t slots[1] = {0};

	(void)state;
	assert_int_equal(we_func_call(export_func(inst, "spin"), slots, &err), WE_E_EXHAUSTED);
	assert_int_equal(err.trap, WE_TRAP_DEADLINE);
	assert_string_equal(err.msg, "deadline exceeded, in function 3");
}

static void interrupt_of_an_entry_that_is_over_is_ignored(void **state)
{
	uint32_t n_calls = 0;
	struct we_instance *inst = make_caller(double_it, &n_calls);
	uint64_t slots[1] = {1};

	(void)state;
	assert_int_equal(we_func_call(export_func(inst, "run"), slots, &err), 0);
	we_store_interrupt(store, store->n_entries); // the entry that has just ended
	we_store_interrupt(store, 0);
	slots[0] = 1;
	assert_int_equal(we_func_call(export_func(inst, "run"), slots, &err), 0);
}

static void endless_recursion_is_exhausted_and_the_store_goes_on(void **state)
{
	uint32_t n_calls = 0;
	struct we_instance *inst = make_caller(double_it, &n_calls);
	uint64_t slots[1] = {0};

	(void)state;
	for (int i = 0; i < 3; i++) {
		assert_int_equal(
			we_func_call(export_func(inst, "deep"), slots, &err), WE_E_EXHAUSTED);
		assert_int_equal(err.trap, WE_TRAP_STACK_OVERFLOW);
		assert_string_equal(err.msg, "call stack exhausted, in function 4 \"deep\"");
		assert_int_equal(we_store_backtrace(store, NULL, 0), 0);
		slots[0] = 3;
		assert_int_equal(we_func_call(export_func(inst, "run"), slots, &err), 0);
		assert_int_equal((uint32_t)slots[0], 7);
	}
}

static void missing_import_is_unlinkable_by_name(void **state)
{
	struct we_instance *inst;

	(void)state;
	assert_int_equal(
		instantiate(caller_module, sizeof(caller_module), NULL, 0, &inst), WE_E_UNLINKABLE);
	assert_string_equal(err.msg, "unknown import \"env\" \"f\"");
}

static void import_of_another_type_is_unlinkable_with_both_types(void **state)
{
	const struct we_functype *type;
	struct we_extern f = {.kind = WE_EXTERN_FUNC};
	struct we_instance *inst;

	(void)state;
	assert_int_equal(we_functype_create(engine, NULL, 0, NULL, 0, &type, &err), 0);
	assert_int_equal(we_func_create_host(store, type, double_it, NULL, &f.of.func, &err), 0);
	assert_int_equal(
		instantiate(caller_module, sizeof(caller_module), &f, 1, &inst), WE_E_UNLINKABLE);
	assert_string_equal(err.msg, "incompatible import type: \"env\" \"f\": "
				     "expected (func (param i32) (result i32)), found (func)");
}

static void import_from_another_store_is_unlinkable(void **state)
{
	static const enum we_kind i32[] = {WE_I32};
	const struct we_functype *type;
	struct we_extern f = {.kind = WE_EXTERN_FUNC};
	struct we_instance *inst;
	struct we_store *other;

	(void)state;
	assert_int_equal(we_store_create(engine, NULL, &other, &err), 0);
	assert_int_equal(we_functype_create(engine, i32, 1, i32, 1, &type, &err), 0);
	assert_int_equal(we_func_create_host(other, type, double_it, NULL, &f.of.func, &err), 0);
	assert_int_equal(
		instantiate(caller_module, sizeof(caller_module), &f, 1, &inst), WE_E_UNLINKABLE);
	we_store_destroy(other);
}

static void imported_memory_and_global_are_shared(void **state)
{
	const uint64_t five[1] = {5};
	struct we_extern imports[2] = {{.kind = WE_EXTERN_MEMORY}, {.kind = WE_EXTERN_GLOBAL}};
	struct we_extern twice;
	struct we_instance *inst;
	uint64_t slots[1];
	uint8_t *span;

	(void)state;
	assert_int_equal(we_memory_create(store, WE_I32, 1, 1, &imports[0].of.memory, &err), 0);
	assert_int_equal(
		we_global_create(store, WE_I32, false, five, &imports[1].of.global, &err), 0);
	assert_int_equal(instantiate(user_module, sizeof(user_module), imports, 2, &inst), 0);
	assert_int_equal(we_memory_span(imports[0].of.memory, 5, 2, &span), 0);
	assert_memory_equal(span, "xy", 2);
	assert_int_equal(we_instance_export(inst, "twice", 5, &twice), 0);
	we_global_get(twice.of.global, slots);
	assert_int_equal((uint32_t)slots[0], 10);
}

static void failed_segment_keeps_what_came_before(void **state)
{
	struct we_extern table = {.kind = WE_EXTERN_TABLE};
	struct we_instance *inst;
	void *ref = NULL;

	(void)state;
	assert_int_equal(
		we_table_create(store, WE_FUNCREF, WE_I32, 4, 4, &table.of.table, &err), 0);
	assert_int_equal(
		instantiate(bad_elem_module, sizeof(bad_elem_module), &table, 1, &inst), WE_E_TRAP);
	assert_int_equal(err.trap, WE_TRAP_TABLE_OUT_OF_BOUNDS);
	assert_int_equal(we_table_get(table.of.table, 0, &ref), 0);
	assert_non_null(ref); // a function of the instance that failed: still callable
	assert_int_equal(we_func_call(ref, NULL, &err), 0);
	assert_int_equal(we_table_get(table.of.table, 3, &ref), 0);
	assert_null(ref);
}

static void trap_in_the_start_function_fails_the_instantiation(void **state)
{
	struct we_instance *inst;

	(void)state;
	assert_int_equal(
		instantiate(bad_start_module, sizeof(bad_start_module), NULL, 0, &inst), WE_E_TRAP);
	assert_int_equal(err.trap, WE_TRAP_UNREACHABLE);
	assert_int_equal(err.func, 0);
}

static void instance_beyond_the_limits_leaves_nothing_behind(void **state)
{
	const struct we_store_limits limits = {.total_memory_pages = 3, .instances = 1};
	struct we_instance *inst;
	struct we_store *small;
	struct we_module *module;

	(void)state;
	assert_int_equal(we_store_create(engine, &limits, &small, &err), 0);
	assert_int_equal(we_module_create(engine,
				 (struct we_bytes){memories_module, sizeof(memories_module)}, 0,
				 &module, &err),
		0);
	assert_int_equal(we_instance_create(small, module, NULL, 0, &inst, &err), WE_E_EXHAUSTED);
	assert_int_equal(we_store_memory_bytes(small), 0);
	assert_null(small->memories);
	assert_null(small->instances);
	we_module_unref(module);
	we_store_destroy(small);
}

static void reset_store_is_as_new(void **state)
{
	struct we_frame frame;
	uint32_t n_calls = 0;
	uint64_t slots[1];

	(void)state;
	we_store_reset(store); // of what other tests made
	for (uint32_t i = 1; i <= 3; i++) {
		struct we_instance *inst = make_caller(double_it, &n_calls);

		assert_int_equal(store->n_instances, 1);
		slots[0] = 20;
		assert_int_equal(we_func_call(export_func(inst, "run"), slots, &err), 0);
		assert_int_equal((uint32_t)slots[0], 41);
		assert_int_equal(n_calls, i);
		assert_int_equal(
			we_func_call(export_func(inst, "deep"), slots, &err), WE_E_EXHAUSTED);
		assert_int_equal(we_store_backtrace(store, &frame, 1), 1);
		we_store_reset(store);
		assert_null(store->instances);
		assert_null(store->host_funcs);
		assert_int_equal(we_store_memory_bytes(store), 0);
		assert_int_equal(we_store_backtrace(store, &frame, 1), 0);
	}
}

static void instances_of_a_store_are_limited(void **state)
{
	const struct we_store_limits limits = {.instances = 1};
	struct we_instance *inst;
	struct we_store *small;
	struct we_module *module;

	(void)state;
	assert_int_equal(we_store_create(engine, &limits, &small, &err), 0);
	assert_int_equal(we_module_create(engine,
				 (struct we_bytes){memories_module, sizeof(memories_module)}, 0,
				 &module, &err),
		0);
	assert_int_equal(we_instance_create(small, module, NULL, 0, &inst, &err), 0);
	assert_int_equal(we_store_memory_bytes(small), 4 * 65536);
	assert_int_equal(we_instance_create(small, module, NULL, 0, &inst, &err), WE_E_EXHAUSTED);
	we_module_unref(module);
	we_store_destroy(small);
}

static void unknown_export_is_an_outcome(void **state)
{
	uint32_t n_calls = 0;
	struct we_instance *inst = make_caller(double_it, &n_calls);
	struct we_extern ext;

	(void)state;
	assert_int_equal(we_instance_export(inst, "ru", 2, &ext), 1);
	assert_int_equal(we_instance_export(inst, "", 0, &ext), 1);
	assert_int_equal(we_instance_export(inst, "mem", 3, &ext), 0);
	assert_int_equal(ext.kind, WE_EXTERN_MEMORY);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(call_goes_to_the_host_and_back),
		cmocka_unit_test(trap_of_the_host_unwinds_with_names),
		cmocka_unit_test(interrupted_loop_ends_with_a_deadline),
		cmocka_unit_test(interrupt_of_an_entry_that_is_over_is_ignored),
		cmocka_unit_test(endless_recursion_is_exhausted_and_the_store_goes_on),
		cmocka_unit_test(missing_import_is_unlinkable_by_name),
		cmocka_unit_test(import_of_another_type_is_unlinkable_with_both_types),
		cmocka_unit_test(import_from_another_store_is_unlinkable),
		cmocka_unit_test(imported_memory_and_global_are_shared),
		cmocka_unit_test(failed_segment_keeps_what_came_before),
		cmocka_unit_test(trap_in_the_start_function_fails_the_instantiation),
		cmocka_unit_test(instance_beyond_the_limits_leaves_nothing_behind),
		cmocka_unit_test(reset_store_is_as_new),
		cmocka_unit_test(instances_of_a_store_are_limited),
		cmocka_unit_test(unknown_export_is_an_outcome),
	};

	return cmocka_run_group_tests_name("we_instance", tests, make_store, end_store);
}
