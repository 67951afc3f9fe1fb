// SPDX-License-Identifier: BSD-3-Clause
// Tests of structures, arrays and i31 in the hands of the host.
#include "we.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

// clang-format off
// (module
//   (rec (type $node (struct (field $x i32) (field $tag (mut i8)) (field $name (mut externref)) (field $next (mut (ref null $node))) (field $wide v128))))
//   (type $bytes (array (mut i8)))
//   (type $nodes (array (ref $node)))
//   (func $node (export "node") (param i32 (ref null $node)) (result (ref $node))
//     (struct.new $node (local.get 0) (i32.const 0xfe) (ref.null extern) (local.get 1) (v128.const i64x2 1 2)))
//   (func (export "bytes") (param i32) (result (ref $bytes)) (array.new $bytes (i32.const 0xff) (local.get 0)))
//   (func (export "nodes") (param (ref $node)) (result (ref $nodes)) (array.new_fixed $nodes 2 (local.get 0) (local.get 0)))
//   (func (export "sum") (param $n (ref null $node)) (result i32) (local $sum i32)
//     (block $end
//       (loop $next
//         (br_if $end (ref.is_null (local.get $n)))
//         (local.set $sum (i32.add (local.get $sum) (struct.get $node $x (local.get $n))))
//         (local.set $n (struct.get $node $next (local.get $n)))
//         (br $next)))
//     (local.get $sum))
//   (func (export "wrap") (param anyref) (result externref) (extern.convert_any (local.get 0))))
static const uint8_t objects_module[] = {0x00, 0x61, 0x73, 0x6d, 0x01, 0x00, 0x00, 0x00, 0x01, 0x37, 0x08, 0x4e, 0x01, 0x5f, 0x05, 0x7f, 0x00, 0x78, 0x01, 0x6f, 0x01, 0x63, 0x00, 0x01, 0x7b, 0x00, 0x5e, 0x78, 0x01, 0x5e, 0x64, 0x00, 0x00, 0x60, 0x02, 0x7f, 0x63, 0x00, 0x01, 0x64, 0x00, 0x60, 0x01, 0x7f, 0x01, 0x64, 0x01, 0x60, 0x01, 0x64, 0x00, 0x01, 0x64, 0x02, 0x60, 0x01, 0x63, 0x00, 0x01, 0x7f, 0x60, 0x01, 0x6e, 0x01, 0x6f, 0x03, 0x06, 0x05, 0x03, 0x04, 0x05, 0x06, 0x07, 0x07, 0x25, 0x05, 0x04, 0x6e, 0x6f, 0x64, 0x65, 0x00, 0x00, 0x05, 0x62, 0x79, 0x74, 0x65, 0x73, 0x00, 0x01, 0x05, 0x6e, 0x6f, 0x64, 0x65, 0x73, 0x00, 0x02, 0x03, 0x73, 0x75, 0x6d, 0x00, 0x03, 0x04, 0x77, 0x72, 0x61, 0x70, 0x00, 0x04, 0x0a, 0x66, 0x05, 0x20, 0x00, 0x20, 0x00, 0x41, 0xfe, 0x01, 0xd0, 0x6f, 0x20, 0x01, 0xfd, 0x0c, 0x01, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x02, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0xfb, 0x00, 0x00, 0x0b, 0x0a, 0x00, 0x41, 0xff, 0x01, 0x20, 0x00, 0xfb, 0x06, 0x01, 0x0b, 0x0a, 0x00, 0x20, 0x00, 0x20, 0x00, 0xfb, 0x08, 0x02, 0x02, 0x0b, 0x26, 0x01, 0x01, 0x7f, 0x02, 0x40, 0x03, 0x40, 0x20, 0x00, 0xd1, 0x0d, 0x01, 0x20, 0x01, 0x20, 0x00, 0xfb, 0x02, 0x00, 0x00, 0x6a, 0x21, 0x01, 0x20, 0x00, 0xfb, 0x02, 0x00, 0x03, 0x21, 0x00, 0x0c, 0x00, 0x0b, 0x0b, 0x20, 0x01, 0x0b, 0x06, 0x00, 0x20, 0x00, 0xfb, 0x1b, 0x0b, 0x00, 0x42, 0x04, 0x6e, 0x61, 0x6d, 0x65, 0x01, 0x07, 0x01, 0x00, 0x04, 0x6e, 0x6f, 0x64, 0x65, 0x02, 0x0b, 0x01, 0x03, 0x02, 0x00, 0x01, 0x6e, 0x01, 0x03, 0x73, 0x75, 0x6d, 0x03, 0x0e, 0x01, 0x03, 0x02, 0x00, 0x03, 0x65, 0x6e, 0x64, 0x01, 0x04, 0x6e, 0x65, 0x78, 0x74, 0x04, 0x15, 0x03, 0x00, 0x04, 0x6e, 0x6f, 0x64, 0x65, 0x01, 0x05, 0x62, 0x79, 0x74, 0x65, 0x73, 0x02, 0x05, 0x6e, 0x6f, 0x64, 0x65, 0x73};
// clang-format on

static struct we_engine *engine;
static struct we_store *store;
static struct we_instance *inst;
static struct we_error err;

static int make(bool gc_stress)
{
	const struct we_engine_config config = {.gc_stress = gc_stress};
	struct we_module *module;
	int rc;

	if (we_engine_create(&config, &engine, &err) < 0 ||
		we_store_create(engine, NULL, &store, &err) < 0 ||
		we_module_create(engine, (struct we_bytes){objects_module, sizeof(objects_module)},
			0, &module, &err) < 0)
		return -1;
	rc = we_instance_create(store, module, NULL, 0, &inst, &err);
	we_module_unref(module);
	return rc;
}

static int make_store(void **state)
{
	(void)state;
	return make(false);
}

static int make_stressed_store(void **state)
{
	(void)state;
	return make(true);
}

static int end_store(void **state)
{
	(void)state;
	we_store_destroy(store);
	we_engine_destroy(engine);
	return 0;
}

static struct we_func *export_func(const char *name)
{
	struct we_extern ext;

	assert_int_equal(we_instance_export(inst, name, strlen(name), &ext), 0);
	return ext.of.func;
}

static struct we_value call(const char *name, const struct we_value *args, uint32_t n_args)
{
	struct we_value result;

	if (we_func_call_values(export_func(name), args, n_args, &result, 1, &err) < 0)
		fail_msg("%s: %s", name, err.msg);
	return result;
}

static const struct we_deftype *type_of(const char *maker)
{
	const struct we_functype *type = we_func_type(export_func(maker));

	return we_functype_result_deftype(type, 0);
}

// A node of the host's making.
static struct we_value make_node(int32_t x, struct we_value next)
{
	const struct we_value fields[5] = {we_value_i32(x), we_value_i32(0x1ff),
		we_value_ref(WE_EXTERNREF, 12), next, {.kind = WE_V128, .of.v128 = {1}}};
	struct we_value node;

	if (we_struct_create(store, type_of("node"), fields, 5, &node, &err) < 0)
		fail_msg("%s", err.msg);
	return node;
}

static void fields_of_a_structure_are_read_by_index(void **state)
{
	const struct we_value args[2] = {we_value_i32(7), we_value_ref(WE_ANYREF, 0)};
	const struct we_value node = call("node", args, 2);
	struct we_value field;

	(void)state;
	assert_ptr_equal(we_ref_deftype(store, &node), type_of("node"));
	assert_ptr_equal(
		we_functype_param_deftype(we_func_type(export_func("node")), 1), type_of("node"));
	assert_null(we_functype_param_deftype(we_func_type(export_func("node")), 0));
	assert_int_equal(we_deftype_n_fields(type_of("node")), 5);
	assert_ptr_equal(we_deftype_field(type_of("node"), 3), type_of("node"));
	assert_null(we_deftype_field(type_of("node"), 0));
	assert_null(we_deftype_field(type_of("node"), 5));
	assert_int_equal(we_struct_get(store, &node, 0, &field), 0);
	assert_int_equal(field.kind, WE_I32);
	assert_int_equal(field.of.i32, 7);
	assert_int_equal(we_struct_get(store, &node, 1, &field), 0);
	assert_int_equal(field.of.i32, 0xfe); // packed: without sign
	assert_int_equal(we_struct_get(store, &node, 2, &field), 0);
	assert_int_equal(field.kind, WE_EXTERNREF);
	assert_int_equal(field.of.ref, 0);
	assert_int_equal(we_struct_get(store, &node, 4, &field), 0);
	assert_int_equal(field.of.v128[8], 2);
	assert_int_equal(we_struct_get(store, &node, 5, &field), 1);
	assert_int_equal(we_array_get(store, &node, 0, &field), 1);
}

static void fields_are_written_only_when_they_may_be(void **state)
{
	const struct we_value args[2] = {we_value_i32(7), we_value_ref(WE_ANYREF, 0)};
	const struct we_value node = call("node", args, 2);
	struct we_value value = we_value_i32(0x123);

	(void)state;
	assert_int_equal(we_struct_set(store, &node, 0, &value, &err), WE_E_INVALID);
	assert_string_equal(err.msg, "immutable field");
	assert_int_equal(we_struct_set(store, &node, 1, &value, &err), 0);
	assert_int_equal(we_struct_get(store, &node, 1, &value), 0);
	assert_int_equal(value.of.i32, 0x23);
	assert_int_equal(we_struct_set(store, &node, 2, &value, &err), WE_E_INVALID);
	assert_string_equal(err.msg, "type mismatch: expected externref, found i32");
	value = we_value_i31(4);
	assert_int_equal(we_struct_set(store, &node, 3, &value, &err), WE_E_INVALID);
	assert_int_equal(we_struct_set(store, &node, 3, &node, &err), 0);
	assert_int_equal(we_struct_set(store, &node, 5, &node, &err), 1);
	value = we_value_ref(WE_ANYREF, 0);
	assert_int_equal(we_struct_set(store, &value, 0, &node, &err), 1);
}

static void elements_of_an_array_are_read_and_written(void **state)
{
	const struct we_value three = we_value_i32(3);
	const struct we_value bytes = call("bytes", &three, 1);
	struct we_value elem = we_value_i32(5);
	uint32_t len;

	(void)state;
	assert_int_equal(we_array_len(store, &bytes, &len), 0);
	assert_int_equal(len, 3);
	assert_int_equal(we_array_set(store, &bytes, 2, &elem, &err), 0);
	assert_int_equal(we_array_set(store, &bytes, 3, &elem, &err), 1);
	assert_int_equal(we_array_get(store, &bytes, 2, &elem), 0);
	assert_int_equal(elem.of.i32, 5);
	assert_int_equal(we_array_get(store, &bytes, 1, &elem), 0);
	assert_int_equal(elem.of.i32, 0xff);
	assert_int_equal(we_array_get(store, &bytes, 3, &elem), 1);
	assert_int_equal(we_struct_get(store, &bytes, 0, &elem), 1);
	elem = we_value_i31(1);
	assert_int_equal(we_array_set(store, &bytes, 0, &elem, &err), WE_E_INVALID);
	assert_int_equal(we_array_len(store, &elem, &len), 1);
	assert_null(we_ref_deftype(store, &elem));
}

static void object_is_seen_through_an_extern_reference(void **state)
{
	const struct we_value three = we_value_i32(3);
	const struct we_value bytes = call("bytes", &three, 1);
	const struct we_value wrapped = call("wrap", &bytes, 1);
	const struct we_value host = we_value_ref(WE_EXTERNREF, 16);
	uint32_t len;

	(void)state;
	assert_int_equal(wrapped.kind, WE_EXTERNREF);
	assert_int_equal(we_ref_kind(store, WE_EXTERNREF, wrapped.of.ref), WE_REFKIND_ARRAY);
	assert_int_equal(we_array_len(store, &wrapped, &len), 0);
	assert_int_equal(len, 3);
	assert_int_equal(we_array_len(store, &host, &len), 1);
}

static void structures_of_the_host_are_those_of_the_guest(void **state)
{
	struct we_value list = we_value_ref(WE_ANYREF, 0);
	struct we_value field;

	(void)state;
	for (int32_t i = 1; i <= 100; i++) // each may move the one before
		list = make_node(i, list);
	assert_int_equal(we_ref_kind(store, WE_ANYREF, list.of.ref), WE_REFKIND_STRUCT);
	assert_int_equal(we_struct_get(store, &list, 1, &field), 0);
	assert_int_equal(field.of.i32, 0xff);
	assert_int_equal(we_struct_get(store, &list, 2, &field), 0);
	assert_int_equal(field.of.ref, 12);
	assert_int_equal(call("sum", &list, 1).of.i32, 5050);
}

static void arrays_of_the_host_hold_what_they_were_given(void **state)
{
	struct we_value nodes[3];
	struct we_value array;
	struct we_value elem;
	struct we_value field;
	struct we_ref_root *roots[2];

	(void)state;
	for (int32_t i = 0; i < 2; i++) {
		nodes[i] = make_node(i, we_value_ref(WE_ANYREF, 0));
		assert_int_equal(
			we_ref_hold(store, WE_ANYREF, nodes[i].of.ref, &roots[i], &err), 0);
	}
	nodes[0].of.ref = we_ref_held(roots[0]);
	nodes[1].of.ref = we_ref_held(roots[1]);
	nodes[2] = nodes[0];
	assert_int_equal(we_array_create(store, type_of("nodes"), nodes, 3, &array, &err), 0);
	we_ref_drop(roots[0]);
	we_ref_drop(roots[1]);
	assert_int_equal(we_array_get(store, &array, 1, &elem), 0);
	assert_int_equal(we_struct_get(store, &elem, 0, &field), 0);
	assert_int_equal(field.of.i32, 1);
	assert_int_equal(we_array_get(store, &array, 2, &elem), 0);
	assert_int_equal(we_struct_get(store, &elem, 0, &field), 0);
	assert_int_equal(field.of.i32, 0);
	assert_int_equal(we_array_set(store, &array, 0, &elem, &err), WE_E_INVALID);
}

static void object_of_the_wrong_values_is_invalid(void **state)
{
	struct we_value values[5] = {we_value_i32(1), we_value_i64(2),
		we_value_ref(WE_EXTERNREF, 0), we_value_ref(WE_ANYREF, 0), {.kind = WE_V128}};
	struct we_value ref;

	(void)state;
	assert_int_equal(
		we_struct_create(store, type_of("node"), values, 5, &ref, &err), WE_E_INVALID);
	assert_string_equal(err.msg, "type mismatch: expected i8, found i64, in field 1");
	assert_int_equal(
		we_struct_create(store, type_of("node"), values, 4, &ref, &err), WE_E_INVALID);
	assert_string_equal(err.msg, "fields: expected 5, found 4");
	assert_int_equal(
		we_struct_create(store, type_of("bytes"), values, 1, &ref, &err), WE_E_INVALID);
	assert_int_equal(
		we_array_create(store, type_of("node"), values, 1, &ref, &err), WE_E_INVALID);
	assert_int_equal(
		we_array_create(store, type_of("nodes"), values + 3, 1, &ref, &err), WE_E_INVALID);
	assert_non_null(strstr(err.msg, "found null, in element 0"));
	assert_int_equal(we_array_create(store, type_of("nodes"), NULL, 0, &ref, &err), 0);
}

static void type_of_another_engine_is_invalid(void **state)
{
	struct we_engine *other_engine;
	struct we_store *other;
	struct we_value ref;

	(void)state;
	assert_int_equal(we_engine_create(NULL, &other_engine, &err), 0);
	assert_int_equal(we_store_create(other_engine, NULL, &other, &err), 0);
	assert_int_equal(
		we_array_create(other, type_of("bytes"), NULL, 0, &ref, &err), WE_E_INVALID);
	we_store_destroy(other);
	we_engine_destroy(other_engine);
}

static void heap_that_is_full_is_exhausted(void **state)
{
	const struct we_store_limits limits = {.heap_bytes = 1 << 16};
	struct we_value bytes[1000];
	struct we_heap_stats stats;
	struct we_ref_root *root;
	struct we_value ref;
	struct we_store *small;
	int rc = 0;

	(void)state;
	for (int i = 0; i < 1000; i++)
		bytes[i] = we_value_i32(i);
	assert_int_equal(we_store_create(engine, &limits, &small, &err), 0);
	we_store_heap_stats(small, &stats);
	assert_int_equal(stats.limit_bytes, 0);
	for (int i = 0; i < 1000 && rc == 0; i++) {
		rc = we_array_create(small, type_of("bytes"), bytes, 1000, &ref, &err);
		if (rc == 0)
			rc = we_ref_hold(small, WE_ANYREF, ref.of.ref, &root, &err);
	}
	assert_int_equal(rc, WE_E_EXHAUSTED);
	assert_int_equal(err.trap, WE_TRAP_HEAP_EXHAUSTED);
	we_store_heap_stats(small, &stats);
	assert_true(stats.n_collections > 0);
	we_store_destroy(small);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(
			fields_of_a_structure_are_read_by_index, make_store, end_store),
		cmocka_unit_test_setup_teardown(
			fields_are_written_only_when_they_may_be, make_store, end_store),
		cmocka_unit_test_setup_teardown(
			elements_of_an_array_are_read_and_written, make_store, end_store),
		cmocka_unit_test_setup_teardown(
			object_is_seen_through_an_extern_reference, make_store, end_store),
		cmocka_unit_test_setup_teardown(
			structures_of_the_host_are_those_of_the_guest, make_store, end_store),
		cmocka_unit_test_setup_teardown(
			arrays_of_the_host_hold_what_they_were_given, make_store, end_store),
		cmocka_unit_test_setup_teardown(
			object_of_the_wrong_values_is_invalid, make_store, end_store),
		cmocka_unit_test_setup_teardown(
			type_of_another_engine_is_invalid, make_store, end_store),
		cmocka_unit_test_setup_teardown(
			heap_that_is_full_is_exhausted, make_store, end_store),
		// Again, with every object moved at every allocation.
		cmocka_unit_test_setup_teardown(structures_of_the_host_are_those_of_the_guest,
			make_stressed_store, end_store),
		cmocka_unit_test_setup_teardown(arrays_of_the_host_hold_what_they_were_given,
			make_stressed_store, end_store),
	};

	return cmocka_run_group_tests_name("we_object", tests, NULL, NULL);
}
