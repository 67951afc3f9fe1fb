// SPDX-License-Identifier: BSD-3-Clause
// Tests of we_value: what the host hands over by value is checked, in every place where it can.
#include "we.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

// clang-format off
// (module
//   (type $pair (struct (field i32)))
//   (type $sig (func (param i32) (result i32)))
//   (import "env" "make" (func $make (param i32) (result (ref $pair))))
//   (import "env" "echo" (func $echo (param i32 i64 f32 f64 v128 funcref) (result i32 i64 f32 f64 v128 funcref)))
//   (func $id (export "id") (type $sig) (local.get 0))
//   (func (export "all") (param i32 i64 f32 f64 v128 funcref) (result i32 i64 f32 f64 v128 funcref)
//     (call $echo (local.get 0) (local.get 1) (local.get 2) (local.get 3) (local.get 4) (local.get 5)))
//   (func (export "func") (param (ref func)))
//   (func (export "sig") (param (ref $sig)) (result i32) (call_ref $sig (i32.const 7) (local.get 0)))
//   (func (export "refs") (param externref anyref exnref) (result externref anyref exnref)
//     (local.get 0) (local.get 1) (local.get 2))
//   (func (export "new") (param i32) (result (ref $pair)) (struct.new $pair (local.get 0)))
//   (func (export "get") (param (ref $pair)) (result i32) (struct.get $pair 0 (local.get 0)))
//   (func (export "array") (result anyref) (array.new_fixed $bytes 0))
//   (type $bytes (array i8))
//   (func (export "i31") (param (ref i31)) (result i32) (i31.get_s (local.get 0)))
//   (func (export "extern") (param (ref extern)))
//   (func (export "wrap") (param anyref) (result externref) (extern.convert_any (local.get 0)))
//   (func (export "made") (param i32) (result i32) (struct.get $pair 0 (call $make (local.get 0))))
//   (global (export "count") (mut i64) (i64.const 5))
//   (global (export "wide") (mut v128) (v128.const i64x2 1 2))
//   (global (export "const") i32 (i32.const 3))
//   (global (export "callee") (mut (ref $sig)) (ref.func $id))
//   (table (export "table") 2 4 (ref null $sig)))
static const uint8_t values_module[] = {0x00, 0x61, 0x73, 0x6d, 0x01, 0x00, 0x00, 0x00, 0x01, 0x50, 0x0d, 0x5f, 0x01, 0x7f, 0x00, 0x60, 0x01, 0x7f, 0x01, 0x7f, 0x5e, 0x78, 0x00, 0x60, 0x01, 0x7f, 0x01, 0x64, 0x00, 0x60, 0x06, 0x7f, 0x7e, 0x7d, 0x7c, 0x7b, 0x70, 0x06, 0x7f, 0x7e, 0x7d, 0x7c, 0x7b, 0x70, 0x60, 0x01, 0x64, 0x70, 0x00, 0x60, 0x01, 0x64, 0x01, 0x01, 0x7f, 0x60, 0x03, 0x6f, 0x6e, 0x69, 0x03, 0x6f, 0x6e, 0x69, 0x60, 0x01, 0x64, 0x00, 0x01, 0x7f, 0x60, 0x00, 0x01, 0x6e, 0x60, 0x01, 0x64, 0x6c, 0x01, 0x7f, 0x60, 0x01, 0x64, 0x6f, 0x00, 0x60, 0x01, 0x6e, 0x01, 0x6f, 0x02, 0x17, 0x02, 0x03, 0x65, 0x6e, 0x76, 0x04, 0x6d, 0x61, 0x6b, 0x65, 0x00, 0x03, 0x03, 0x65, 0x6e, 0x76, 0x04, 0x65, 0x63, 0x68, 0x6f, 0x00, 0x04, 0x03, 0x0d, 0x0c, 0x01, 0x04, 0x05, 0x06, 0x07, 0x03, 0x08, 0x09, 0x0a, 0x0b, 0x0c, 0x01, 0x04, 0x06, 0x01, 0x63, 0x01, 0x01, 0x02, 0x04, 0x06, 0x26, 0x04, 0x7e, 0x01, 0x42, 0x05, 0x0b, 0x7b, 0x01, 0xfd, 0x0c, 0x01, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x02, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x0b, 0x7f, 0x00, 0x41, 0x03, 0x0b, 0x64, 0x01, 0x01, 0xd2, 0x02, 0x0b, 0x07, 0x79, 0x11, 0x02, 0x69, 0x64, 0x00, 0x02, 0x03, 0x61, 0x6c, 0x6c, 0x00, 0x03, 0x04, 0x66, 0x75, 0x6e, 0x63, 0x00, 0x04, 0x03, 0x73, 0x69, 0x67, 0x00, 0x05, 0x04, 0x72, 0x65, 0x66, 0x73, 0x00, 0x06, 0x03, 0x6e, 0x65, 0x77, 0x00, 0x07, 0x03, 0x67, 0x65, 0x74, 0x00, 0x08, 0x05, 0x61, 0x72, 0x72, 0x61, 0x79, 0x00, 0x09, 0x03, 0x69, 0x33, 0x31, 0x00, 0x0a, 0x06, 0x65, 0x78, 0x74, 0x65, 0x72, 0x6e, 0x00, 0x0b, 0x04, 0x77, 0x72, 0x61, 0x70, 0x00, 0x0c, 0x04, 0x6d, 0x61, 0x64, 0x65, 0x00, 0x0d, 0x05, 0x63, 0x6f, 0x75, 0x6e, 0x74, 0x03, 0x00, 0x04, 0x77, 0x69, 0x64, 0x65, 0x03, 0x01, 0x05, 0x63, 0x6f, 0x6e, 0x73, 0x74, 0x03, 0x02, 0x06, 0x63, 0x61, 0x6c, 0x6c, 0x65, 0x65, 0x03, 0x03, 0x05, 0x74, 0x61, 0x62, 0x6c, 0x65, 0x01, 0x00, 0x0a, 0x60, 0x0c, 0x04, 0x00, 0x20, 0x00, 0x0b, 0x10, 0x00, 0x20, 0x00, 0x20, 0x01, 0x20, 0x02, 0x20, 0x03, 0x20, 0x04, 0x20, 0x05, 0x10, 0x01, 0x0b, 0x02, 0x00, 0x0b, 0x08, 0x00, 0x41, 0x07, 0x20, 0x00, 0x14, 0x01, 0x0b, 0x08, 0x00, 0x20, 0x00, 0x20, 0x01, 0x20, 0x02, 0x0b, 0x07, 0x00, 0x20, 0x00, 0xfb, 0x00, 0x00, 0x0b, 0x08, 0x00, 0x20, 0x00, 0xfb, 0x02, 0x00, 0x00, 0x0b, 0x06, 0x00, 0xfb, 0x08, 0x02, 0x00, 0x0b, 0x06, 0x00, 0x20, 0x00, 0xfb, 0x1d, 0x0b, 0x02, 0x00, 0x0b, 0x06, 0x00, 0x20, 0x00, 0xfb, 0x1b, 0x0b, 0x0a, 0x00, 0x20, 0x00, 0x10, 0x00, 0xfb, 0x02, 0x00, 0x00, 0x0b, 0x00, 0x2d, 0x04, 0x6e, 0x61, 0x6d, 0x65, 0x01, 0x11, 0x03, 0x00, 0x04, 0x6d, 0x61, 0x6b, 0x65, 0x01, 0x04, 0x65, 0x63, 0x68, 0x6f, 0x02, 0x02, 0x69, 0x64, 0x04, 0x13, 0x03, 0x00, 0x04, 0x70, 0x61, 0x69, 0x72, 0x01, 0x03, 0x73, 0x69, 0x67, 0x02, 0x05, 0x62, 0x79, 0x74, 0x65, 0x73};
// (module
//   (import "env" "raise" (func $raise (param i32)))
//   (tag $oops (export "oops") (param i32 v128 externref))
//   (func $deep (param i32) (throw $oops (local.get 0) (v128.const i64x2 3 4) (ref.null extern)))
//   (func (export "throw") (param i32) (call $deep (local.get 0)))
//   (func (export "catch") (param i32) (result i32)
//     (block $caught (result i32 v128 externref)
//       (try_table (catch $oops $caught) (call $raise (local.get 0)))
//       (return (i32.const -1)))
//     (drop) (drop)))
static const uint8_t throws_module[] = {0x00, 0x61, 0x73, 0x6d, 0x01, 0x00, 0x00, 0x00, 0x01, 0x16, 0x04, 0x60, 0x01, 0x7f, 0x00, 0x60, 0x03, 0x7f, 0x7b, 0x6f, 0x00, 0x60, 0x01, 0x7f, 0x01, 0x7f, 0x60, 0x00, 0x03, 0x7f, 0x7b, 0x6f, 0x02, 0x0d, 0x01, 0x03, 0x65, 0x6e, 0x76, 0x05, 0x72, 0x61, 0x69, 0x73, 0x65, 0x00, 0x00, 0x03, 0x04, 0x03, 0x00, 0x00, 0x02, 0x0d, 0x03, 0x01, 0x00, 0x01, 0x07, 0x18, 0x03, 0x04, 0x6f, 0x6f, 0x70, 0x73, 0x04, 0x00, 0x05, 0x74, 0x68, 0x72, 0x6f, 0x77, 0x00, 0x02, 0x05, 0x63, 0x61, 0x74, 0x63, 0x68, 0x00, 0x03, 0x0a, 0x39, 0x03, 0x1a, 0x00, 0x20, 0x00, 0xfd, 0x0c, 0x03, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x04, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0xd0, 0x6f, 0x08, 0x00, 0x0b, 0x06, 0x00, 0x20, 0x00, 0x10, 0x01, 0x0b, 0x15, 0x00, 0x02, 0x03, 0x1f, 0x40, 0x01, 0x00, 0x00, 0x00, 0x20, 0x00, 0x10, 0x00, 0x0b, 0x41, 0x7f, 0x0f, 0x0b, 0x1a, 0x1a, 0x0b, 0x00, 0x2b, 0x04, 0x6e, 0x61, 0x6d, 0x65, 0x01, 0x0e, 0x02, 0x00, 0x05, 0x72, 0x61, 0x69, 0x73, 0x65, 0x01, 0x04, 0x64, 0x65, 0x65, 0x70, 0x03, 0x0b, 0x01, 0x03, 0x01, 0x00, 0x06, 0x63, 0x61, 0x75, 0x67, 0x68, 0x74, 0x0b, 0x07, 0x01, 0x00, 0x04, 0x6f, 0x6f, 0x70, 0x73};
// clang-format on

static struct we_engine *engine;
static struct we_store *store;
static struct we_linker *linker;
static struct we_instance *inst;
static struct we_error err;

static struct we_extern export_of(const struct we_instance *of, const char *name)
{
	struct we_extern ext;

	assert_int_equal(we_instance_export(of, name, strlen(name), &ext), 0);
	return ext;
}

static int call(const char *name, const struct we_value *args, uint32_t n_args,
	struct we_value *results, uint32_t n_results)
{
	return we_func_call_values(
		export_of(inst, name).of.func, args, n_args, results, n_results, &err);
}

// ---- functions of the host ----------------------------------------------------------------------

static int echo(
	void *env, const struct we_value *args, struct we_value *results, struct we_error *host_err)
{
	(void)env;
	(void)host_err;
	memcpy(results, args, 6 * sizeof(*args));
	return 0;
}

// What make gives for an argument.
enum {
	MAKE_PAIR,
	MAKE_NOTHING,
	MAKE_ARRAY,
	MAKE_NUMBER,
	MAKE_TRAP
};

static int make(
	void *env, const struct we_value *args, struct we_value *results, struct we_error *host_err)
{
	const struct we_value seven = we_value_i32(7);

	assert_ptr_equal(env, &engine);
	assert_int_equal(results[0].kind, WE_ANYREF);
	assert_int_equal(results[0].of.ref, 0);
	switch (args[0].of.i32) {
	case MAKE_PAIR:
		return call("new", &seven, 1, results, 1);
	case MAKE_ARRAY:
		return call("array", NULL, 0, results, 1);
	case MAKE_NUMBER:
		results[0] = seven;
		return 0;
	case MAKE_TRAP:
		return we_error_trap(host_err, WE_TRAP_HOST, 0, WE_NO_FUNC, "no");
	default:
		return 0;
	}
}

// A function of the host of the type that an import of the module has.
static void define(const struct we_module *module, uint32_t i, we_host_values_fn fn, void *env)
{
	struct we_extern func = {.kind = WE_EXTERN_FUNC};
	struct we_import import;
	char name[16];

	we_module_import(module, i, &import);
	assert_true(import.name.len < sizeof(name));
	memcpy(name, import.name.data, import.name.len);
	name[import.name.len] = '\0';
	assert_int_equal(
		we_func_create_host_values(store, import.type.func, fn, env, &func.of.func, &err),
		0);
	assert_int_equal(we_linker_define(linker, "env", name, &func, &err), 0);
}

static struct we_module *load(const uint8_t *bytes, size_t len)
{
	struct we_module *module;

	assert_int_equal(
		we_module_create(engine, (struct we_bytes){bytes, len}, 0, &module, &err), 0);
	return module;
}

static int make_store(void **state)
{
	struct we_module *module;

	(void)state;
	assert_int_equal(we_engine_create(NULL, &engine, &err), 0);
	assert_int_equal(we_store_create(engine, NULL, &store, &err), 0);
	assert_int_equal(we_linker_create(store, &linker, &err), 0);
	module = load(values_module, sizeof(values_module));
	define(module, 0, make, &engine);
	define(module, 1, echo, NULL);
	assert_int_equal(we_linker_instantiate(linker, module, &inst, &err), 0);
	we_module_unref(module);
	return 0;
}

static int end_store(void **state)
{
	(void)state;
	we_store_destroy(store);
	we_linker_destroy(linker); // it may outlive its store
	we_engine_destroy(engine);
	return 0;
}

// ---- numbers ------------------------------------------------------------------------------------

static void values_of_every_kind_go_in_and_out_whole(void **state)
{
	struct we_func *id = export_of(inst, "id").of.func;
	struct we_value args[6] = {we_value_i32(-1), we_value_i64(INT64_MIN), we_value_f32(-0.5f),
		we_value_f64(1e300), {.kind = WE_V128}, we_value_func(id)};
	struct we_value results[6];

	(void)state;
	for (uint8_t i = 0; i < 16; i++)
		args[4].of.v128[i] = i;
	assert_int_equal(call("all", args, 6, results, 6), 0);
	for (int i = 0; i < 6; i++)
		assert_int_equal(results[i].kind, args[i].kind);
	assert_int_equal(results[0].of.i32, -1);
	assert_true(results[1].of.i64 == INT64_MIN);
	assert_true(results[2].of.f32 == -0.5f);
	assert_true(results[3].of.f64 == 1e300);
	assert_memory_equal(results[4].of.v128, args[4].of.v128, 16);
	assert_ptr_equal(results[5].of.func, id);
}

static void type_of_a_function_tells_what_it_takes(void **state)
{
	const struct we_functype *type = we_func_type(export_of(inst, "refs").of.func);

	(void)state;
	assert_int_equal(we_functype_n_params(type), 3);
	assert_int_equal(we_functype_n_results(type), 3);
	assert_int_equal(we_functype_param(type, 2), WE_EXNREF);
	assert_int_equal(we_functype_result(type, 0), WE_EXTERNREF);
	assert_null(we_functype_result_deftype(type, 1));
	assert_ptr_equal(we_store_engine(store), engine);
}

static void wrong_counts_and_kinds_are_invalid_by_place(void **state)
{
	struct we_value args[2] = {we_value_i32(1), we_value_i32(2)};
	struct we_value result;

	(void)state;
	assert_int_equal(call("id", args, 2, &result, 1), WE_E_INVALID);
	assert_string_equal(err.msg, "arguments: expected 1, found 2");
	assert_int_equal(call("id", args, 1, NULL, 0), WE_E_INVALID);
	assert_string_equal(err.msg, "results: expected 1, found 0");
	args[0] = we_value_f64(1);
	assert_int_equal(call("id", args, 1, &result, 1), WE_E_INVALID);
	assert_string_equal(err.msg, "type mismatch: expected i32, found f64, in argument 0");
	args[0].kind = (enum we_kind)99;
	assert_int_equal(call("id", args, 1, &result, 1), WE_E_INVALID);
}

static void call_of_many_values_is_the_same(void **state)
{
	enum we_kind kinds[200];
	struct we_value args[200];
	struct we_value results[200];
	const struct we_functype *type;
	struct we_func *func;

	(void)state;
	for (int i = 0; i < 200; i++) {
		kinds[i] = WE_I32;
		args[i] = we_value_i32(i);
	}
	assert_int_equal(we_functype_create(engine, kinds, 200, kinds, 6, &type, &err), 0);
	assert_int_equal(we_func_create_host_values(store, type, echo, NULL, &func, &err), 0);
	assert_int_equal(we_func_call_values(func, args, 200, results, 6, &err), 0);
	assert_int_equal(results[5].of.i32, 5);
}

// ---- references ---------------------------------------------------------------------------------

static void null_does_not_pass_for_a_function(void **state)
{
	struct we_value arg = we_value_func(NULL);

	(void)state;
	assert_int_equal(call("func", &arg, 1, NULL, 0), WE_E_INVALID);
	assert_string_equal(
		err.msg, "type mismatch: expected (ref func), found null, in argument 0");
	arg = we_value_func(export_of(inst, "func").of.func);
	assert_int_equal(call("func", &arg, 1, NULL, 0), 0);
}

static void function_of_another_type_does_not_pass(void **state)
{
	struct we_value arg = we_value_func(export_of(inst, "func").of.func);
	struct we_value result;

	(void)state;
	assert_int_equal(call("sig", &arg, 1, &result, 1), WE_E_INVALID);
	assert_non_null(strstr(err.msg, "found (func (param (ref func)))"));
	arg = we_value_func(export_of(inst, "id").of.func);
	assert_int_equal(call("sig", &arg, 1, &result, 1), 0);
	assert_int_equal(result.of.i32, 7);
}

static void function_of_another_store_does_not_pass(void **state)
{
	const struct we_functype *type;
	struct we_store *other;
	struct we_value arg;
	struct we_func *func;

	(void)state;
	assert_int_equal(we_store_create(engine, NULL, &other, &err), 0);
	assert_int_equal(we_functype_create(engine, NULL, 0, NULL, 0, &type, &err), 0);
	assert_int_equal(we_func_create_host_values(other, type, echo, NULL, &func, &err), 0);
	arg = we_value_func(func);
	assert_int_equal(call("func", &arg, 1, NULL, 0), WE_E_INVALID);
	assert_string_equal(err.msg, "a function of another store, in argument 0");
	we_store_destroy(other);
}

static void structure_of_another_type_does_not_pass(void **state)
{
	const struct we_value five = we_value_i32(5);
	struct we_value ref;
	struct we_value result;

	(void)state;
	assert_int_equal(call("new", &five, 1, &ref, 1), 0);
	assert_int_equal(call("get", &ref, 1, &result, 1), 0);
	assert_int_equal(result.of.i32, 5);
	assert_int_equal(call("array", NULL, 0, &ref, 1), 0);
	assert_int_equal(call("get", &ref, 1, &result, 1), WE_E_INVALID);
	ref = we_value_i31(5);
	assert_int_equal(call("get", &ref, 1, &result, 1), WE_E_INVALID);
	assert_non_null(strstr(err.msg, "found an i31"));
	assert_int_equal(we_ref_from_host(store, 5, &ref.of.ref, &err), 0);
	assert_int_equal(call("get", &ref, 1, &result, 1), WE_E_INVALID);
	assert_non_null(strstr(err.msg, "found a host's value"));
	ref = we_value_ref(WE_ANYREF, 0);
	assert_int_equal(call("get", &ref, 1, &result, 1), WE_E_INVALID);
	assert_non_null(strstr(err.msg, "found null"));
}

static void number_that_is_no_reference_does_not_pass(void **state)
{
	static const uint64_t wild[] = {
		8, 24 + 4, UINT32_MAX - 7, UINT64_C(1) << 32, UINT64_C(1) << 63 | (UINT32_MAX - 7)};

	(void)state;
	for (size_t i = 0; i < sizeof(wild) / sizeof(wild[0]); i++) {
		struct we_value args[3] = {we_value_ref(WE_EXTERNREF, 0),
			we_value_ref(WE_ANYREF, wild[i]), we_value_ref(WE_EXNREF, 0)};
		struct we_value results[3];

		if (wild[i] >> 63 != 0) {
			args[0].of.ref = wild[i];
			args[1].of.ref = 0;
		}
		assert_int_equal(call("refs", args, 3, results, 3), WE_E_INVALID);
		assert_non_null(strstr(err.msg, "no reference of this store"));
	}
}

static void references_of_all_hierarchies_come_back(void **state)
{
	struct we_value args[3] = {
		we_value_ref(WE_EXTERNREF, 1234), we_value_i31(-3), we_value_ref(WE_EXNREF, 0)};
	struct we_value results[3];
	struct we_value number;
	int32_t x;

	(void)state;
	assert_int_equal(call("refs", args, 3, results, 3), 0);
	assert_int_equal(we_ref_kind(store, WE_EXTERNREF, results[0].of.ref), WE_REFKIND_HOST);
	assert_int_equal(we_ref_host(store, WE_EXTERNREF, results[0].of.ref), 1234);
	assert_int_equal(we_i31_get(&results[1], &x), 0);
	assert_int_equal(x, -3);
	assert_int_equal(we_i31_get(&results[0], &x), 1);
	assert_int_equal(we_i31_get(&results[2], &x), 1);
	assert_int_equal(call("i31", &results[1], 1, &number, 1), 0);
	assert_int_equal(number.of.i32, -3);
	assert_int_equal(call("wrap", &args[1], 1, &results[0], 1), 0);
	assert_int_equal(we_i31_get(&results[0], &x), 0);
	assert_int_equal(x, -3);
	results[0] = we_value_ref(WE_EXTERNREF, 0);
	assert_int_equal(call("extern", &results[0], 1, NULL, 0), WE_E_INVALID);
}

static void results_of_the_host_are_checked(void **state)
{
	static const struct {
		int32_t what;
		int rc;
		const char *message;
	} rows[] = {
		{MAKE_PAIR, 0, ""},
		{MAKE_NOTHING, WE_E_INVALID, "found null, in result 0"},
		{MAKE_ARRAY, WE_E_INVALID, "in result 0"},
		{MAKE_NUMBER, WE_E_INVALID, "found i32, in result 0"},
		{MAKE_TRAP, WE_E_TRAP, "host function trapped: no"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		const struct we_value arg = we_value_i32(rows[i].what);
		struct we_value result;
		const int rc = call("made", &arg, 1, &result, 1);

		if (rc != rows[i].rc || (rc < 0 && strstr(err.msg, rows[i].message) == NULL))
			fail_msg("row %zu: %d %s", i, rc, rc < 0 ? err.msg : "");
		if (rc == 0)
			assert_int_equal(result.of.i32, 7);
	}
}

// ---- globals and tables -------------------------------------------------------------------------

static void global_takes_only_what_is_of_its_type(void **state)
{
	struct we_global *count = export_of(inst, "count").of.global;
	struct we_global *wide = export_of(inst, "wide").of.global;
	struct we_global *callee = export_of(inst, "callee").of.global;
	struct we_value value = we_value_i64(-9);
	uint64_t slots[2];

	(void)state;
	assert_int_equal(we_global_set_value(count, &value, &err), 0);
	we_global_get(count, slots);
	assert_true((int64_t)slots[0] == -9);
	slots[0] = 10;
	we_global_set(count, slots);
	we_global_get_value(count, &value);
	assert_int_equal(value.kind, WE_I64);
	assert_int_equal(value.of.i64, 10);
	assert_int_equal(we_global_set_value(wide, &value, &err), WE_E_INVALID);
	we_global_get_value(wide, &value);
	assert_int_equal(value.of.v128[0], 1);
	assert_int_equal(value.of.v128[8], 2);
	value.of.v128[0] = 9;
	assert_int_equal(we_global_set_value(wide, &value, &err), 0);
	value = we_value_i32(1);
	assert_int_equal(we_global_set_value(export_of(inst, "const").of.global, &value, &err),
		WE_E_INVALID);
	assert_string_equal(err.msg, "immutable global");
	value = we_value_func(NULL);
	assert_int_equal(we_global_set_value(callee, &value, &err), WE_E_INVALID);
	we_global_get_value(callee, &value);
	assert_ptr_equal(value.of.func, export_of(inst, "id").of.func);
}

static void table_takes_only_what_is_of_its_type(void **state)
{
	struct we_table *table = export_of(inst, "table").of.table;
	struct we_value value = we_value_func(export_of(inst, "id").of.func);
	const struct we_extern ext = export_of(inst, "table");
	struct we_externtype type;
	uint64_t old;

	(void)state;
	we_extern_type(&ext, &type);
	assert_int_equal(we_externtype_val_kind(&type), WE_FUNCREF);
	assert_ptr_equal(we_externtype_val_deftype(&type),
		we_functype_param_deftype(we_func_type(export_of(inst, "sig").of.func), 0));
	assert_int_equal(we_table_set_value(table, 1, &value, &err), 0);
	assert_int_equal(we_table_set_value(table, 2, &value, &err), 1);
	assert_int_equal(we_table_get_value(table, 2, &value), 1);
	assert_int_equal(we_table_get_value(table, 0, &value), 0);
	assert_null(value.of.func);
	assert_int_equal(we_table_get_value(table, 1, &value), 0);
	assert_ptr_equal(value.of.func, export_of(inst, "id").of.func);
	value = we_value_func(export_of(inst, "func").of.func);
	assert_int_equal(we_table_set_value(table, 0, &value, &err), WE_E_INVALID);
	assert_int_equal(we_table_grow_value(table, 1, &value, &old, &err), WE_E_INVALID);
	assert_int_equal(we_table_size(table), 2);
	value = we_value_func(NULL);
	assert_int_equal(we_table_grow_value(table, 2, &value, &old, &err), 0);
	assert_int_equal(old, 2);
	assert_int_equal(we_table_size(table), 4);
	assert_int_equal(we_table_grow_value(table, 1, &value, &old, &err), 1);
}

// ---- exceptions ---------------------------------------------------------------------------------

static const struct we_tag *oops;

// Raises by values what the module catches.
static int raise(
	void *env, const struct we_value *args, struct we_value *results, struct we_error *host_err)
{
	struct we_value values[3] = {args[0], {.kind = WE_V128}, we_value_ref(WE_EXTERNREF, 77)};

	(void)env;
	(void)results;
	return we_throw_values(store, oops, values, args[0].of.i32 < 0 ? 2 : 3, host_err);
}

static struct we_instance *make_thrower(void)
{
	struct we_module *module = load(throws_module, sizeof(throws_module));
	struct we_instance *thrower;

	define(module, 0, raise, NULL);
	assert_int_equal(we_linker_instantiate(linker, module, &thrower, &err), 0);
	we_module_unref(module);
	oops = export_of(thrower, "oops").of.tag;
	return thrower;
}

static void exception_of_the_guest_is_caught_with_its_arguments(void **state)
{
	const struct we_value five = we_value_i32(5);
	struct we_instance *thrower = make_thrower();
	struct we_func *throw = export_of(thrower, "throw").of.func;
	struct we_value value;
	struct we_func *catch = export_of(thrower, "catch").of.func;
	uint64_t exn;

	(void)state;
	assert_int_equal(we_func_call_values(throw, &five, 1, NULL, 0, &err), WE_E_TRAP);
	assert_int_equal(err.trap, WE_TRAP_UNCAUGHT_EXCEPTION);
	exn = we_catch(store);
	assert_int_equal(we_ref_kind(store, WE_EXNREF, exn), WE_REFKIND_EXN);
	assert_ptr_equal(we_exn_tag(store, exn), oops);
	assert_int_equal(we_exn_arg(store, exn, 0, &value), 0);
	assert_int_equal(value.of.i32, 5);
	assert_int_equal(we_exn_arg(store, exn, 1, &value), 0);
	assert_int_equal(value.of.v128[8], 4);
	assert_int_equal(we_exn_arg(store, exn, 2, &value), 0);
	assert_int_equal(value.kind, WE_EXTERNREF);
	assert_int_equal(we_exn_arg(store, exn, 3, &value), 1);
	assert_int_equal(we_catch(store), 0);

	// The same exception as an argument, in its place and out of it.
	value = we_value_ref(WE_ANYREF, exn);
	assert_int_equal(we_func_call_values(catch, &value, 1, &value, 1, &err), WE_E_INVALID);
}

static void exception_is_no_structure(void **state)
{
	const struct we_value five = we_value_i32(5);
	struct we_instance *thrower = make_thrower();
	struct we_value args[3] = {we_value_ref(WE_EXTERNREF, 0), we_value_ref(WE_ANYREF, 0),
		we_value_ref(WE_EXNREF, 0)};
	struct we_value results[3];

	(void)state;
	assert_int_equal(
		we_func_call_values(export_of(thrower, "throw").of.func, &five, 1, NULL, 0, &err),
		WE_E_TRAP);
	args[2].of.ref = we_catch(store);
	assert_int_equal(call("refs", args, 3, results, 3), 0);
	args[1].of.ref = results[2].of.ref;
	args[2].of.ref = 0;
	assert_int_equal(call("refs", args, 3, results, 3), WE_E_INVALID);
	assert_int_equal(call("new", &five, 1, &args[1], 1), 0);
	args[2].of.ref = args[1].of.ref;
	assert_int_equal(call("refs", args, 3, results, 3), WE_E_INVALID);
	assert_string_equal(err.msg, "no reference of this store, in argument 2");
}

static void exception_of_the_host_is_caught_by_the_guest(void **state)
{
	struct we_instance *thrower = make_thrower();
	struct we_func *catch = export_of(thrower, "catch").of.func;
	struct we_value value = we_value_i32(41);

	(void)state;
	assert_int_equal(we_func_call_values(catch, &value, 1, &value, 1, &err), 0);
	assert_int_equal(value.of.i32, 41);
	value = we_value_i32(-1);
	assert_int_equal(we_func_call_values(catch, &value, 1, &value, 1, &err), WE_E_INVALID);
	assert_string_equal(err.msg, "arguments: expected 3, found 2");
}

static void exception_that_is_held_can_be_thrown_again(void **state)
{
	const struct we_value five = we_value_i32(5);
	struct we_func *throw = export_of(make_thrower(), "throw").of.func;
	struct we_ref_root *root;
	uint64_t slots[4];
	uint64_t exn;

	(void)state;
	assert_int_equal(we_func_call_values(throw, &five, 1, NULL, 0, &err), WE_E_TRAP);
	exn = we_catch(store);
	assert_int_equal(we_ref_hold(store, WE_EXNREF, exn, &root, &err), 0);
	we_store_collect(store);
	assert_int_equal(we_throw_ref(store, we_ref_held(root), &err), WE_E_TRAP);
	exn = we_catch(store);
	we_exn_args(store, exn, slots);
	assert_int_equal((uint32_t)slots[0], 5);
	we_ref_drop(root);
	we_ref_drop(NULL);
	assert_int_equal(we_throw_ref(store, 0, &err), WE_E_TRAP);
	assert_int_equal(err.trap, WE_TRAP_NULL_EXCEPTION_REFERENCE);
}

static void tag_of_the_host_is_an_import_like_others(void **state)
{
	static const enum we_kind i32[] = {WE_I32};
	const struct we_functype *type;
	struct we_extern ext = {.kind = WE_EXTERN_TAG};
	struct we_externtype is;
	uint64_t slots[1] = {3};

	(void)state;
	assert_int_equal(we_functype_create(engine, i32, 1, NULL, 0, &type, &err), 0);
	assert_int_equal(we_tag_create(store, type, &ext.of.tag, &err), 0);
	assert_ptr_equal(we_tag_type(ext.of.tag), type);
	we_extern_type(&ext, &is);
	assert_ptr_equal(is.func, type);
	assert_true(we_externtype_matches(&is, &is));
	assert_int_equal(we_throw(store, ext.of.tag, slots, &err), WE_E_TRAP);
	assert_ptr_equal(we_exn_tag(store, we_catch(store)), ext.of.tag);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(
			values_of_every_kind_go_in_and_out_whole, make_store, end_store),
		cmocka_unit_test_setup_teardown(
			type_of_a_function_tells_what_it_takes, make_store, end_store),
		cmocka_unit_test_setup_teardown(
			wrong_counts_and_kinds_are_invalid_by_place, make_store, end_store),
		cmocka_unit_test_setup_teardown(
			call_of_many_values_is_the_same, make_store, end_store),
		cmocka_unit_test_setup_teardown(
			null_does_not_pass_for_a_function, make_store, end_store),
		cmocka_unit_test_setup_teardown(
			function_of_another_type_does_not_pass, make_store, end_store),
		cmocka_unit_test_setup_teardown(
			function_of_another_store_does_not_pass, make_store, end_store),
		cmocka_unit_test_setup_teardown(
			structure_of_another_type_does_not_pass, make_store, end_store),
		cmocka_unit_test_setup_teardown(
			number_that_is_no_reference_does_not_pass, make_store, end_store),
		cmocka_unit_test_setup_teardown(
			references_of_all_hierarchies_come_back, make_store, end_store),
		cmocka_unit_test_setup_teardown(
			results_of_the_host_are_checked, make_store, end_store),
		cmocka_unit_test_setup_teardown(
			global_takes_only_what_is_of_its_type, make_store, end_store),
		cmocka_unit_test_setup_teardown(
			table_takes_only_what_is_of_its_type, make_store, end_store),
		cmocka_unit_test_setup_teardown(
			exception_of_the_guest_is_caught_with_its_arguments, make_store, end_store),
		cmocka_unit_test_setup_teardown(exception_is_no_structure, make_store, end_store),
		cmocka_unit_test_setup_teardown(
			exception_of_the_host_is_caught_by_the_guest, make_store, end_store),
		cmocka_unit_test_setup_teardown(
			exception_that_is_held_can_be_thrown_again, make_store, end_store),
		cmocka_unit_test_setup_teardown(
			tag_of_the_host_is_an_import_like_others, make_store, end_store),
	};

	return cmocka_run_group_tests_name("we_value", tests, NULL, NULL);
}
