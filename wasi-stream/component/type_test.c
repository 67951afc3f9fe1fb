// SPDX-License-Identifier: BSD-3-Clause
// Tests of types: layout, flattening, limits, comparing, text; and of the WIT that makes them.
#include "arena.h"
#include "limits.h"
#include "type.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static struct we_arena arena;

static int setup(void **state)
{
	(void)state;
	arena = (struct we_arena){0};
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	we_arena_fini(&arena);
	return 0;
}

// An interface from its WIT.
static const struct cm_type *interface_of(const char *wit)
{
	const struct cm_type *type = NULL;
	struct we_error err = {0};

	if (cm_wit_parse(&arena, wit, &type, &err) < 0)
		fail_msg("%s", err.msg);
	return type;
}

// A value type from its WIT.
static const struct cm_type *type_of(const char *wit)
{
	char body[300];

	snprintf(body, sizeof(body), "type x = %s;", wit);
	return cm_type_root(interface_of(body)->face->exports[0].type);
}

// The type of the function f of an interface.
static const struct cm_type *func_of(const char *wit)
{
	const struct cm_extern *f = cm_interface_export(interface_of(wit)->face, "f", 1);

	assert_non_null(f);
	return f->type;
}

static void layout_follows_the_specification(void **state)
{
	static const struct {
		const char *wit;
		uint32_t size32, align32, size64, align64;
	} cases[] = {
		{"bool", 1, 1, 1, 1},
		{"char", 4, 4, 4, 4},
		{"string", 8, 4, 16, 8},
		{"list<u64>", 8, 4, 16, 8},
		{"map<u8, u64>", 8, 4, 16, 8},
		{"tuple<u8, u64>", 16, 8, 16, 8},
		{"tuple<u8, u16, u8>", 6, 2, 6, 2},
		{"tuple<u8, string>", 12, 4, 24, 8},
		{"option<u8>", 2, 1, 2, 1},
		{"option<u64>", 16, 8, 16, 8},
		{"result", 1, 1, 1, 1},
		{"result<u32, u8>", 8, 4, 8, 4},
		{"result<_, string>", 12, 4, 24, 8},
		{"stream<u64>", 4, 4, 4, 4},
		{"future", 4, 4, 4, 4},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		const struct cm_type *type = type_of(cases[i].wit);

		if (type->layout32.size != cases[i].size32 ||
			type->layout32.align != cases[i].align32 ||
			type->layout64.size != cases[i].size64 ||
			type->layout64.align != cases[i].align64)
			fail_msg("case %zu: %s: %u/%u %u/%u", i, cases[i].wit, type->layout32.size,
				type->layout32.align, type->layout64.size, type->layout64.align);
	}
}

static void flags_and_discriminants_take_the_fewest_bytes(void **state)
{
	static struct cm_field labels[65537];
	static const struct {
		enum cm_typekind kind;
		uint32_t n, bytes;
	} cases[] = {
		{CM_TYPE_FLAGS, 1, 1},
		{CM_TYPE_FLAGS, 8, 1},
		{CM_TYPE_FLAGS, 9, 2},
		{CM_TYPE_FLAGS, 17, 4},
		{CM_TYPE_FLAGS, 32, 4},
		{CM_TYPE_ENUM, 256, 1},
		{CM_TYPE_ENUM, 257, 2},
		{CM_TYPE_ENUM, 65536, 2},
		{CM_TYPE_ENUM, 65537, 4},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		const struct cm_type *type = NULL;

		assert_int_equal(
			cm_type_create_fields(&arena, cases[i].kind, labels, cases[i].n, &type), 0);
		assert_int_equal(type->layout32.size, cases[i].bytes);
	}
}

static void field_and_payload_offsets_are_ready(void **state)
{
	const struct cm_type *tuple = type_of("tuple<u8, u64, u16>");
	const struct cm_type *result = type_of("result<u64, u8>");

	(void)state;
	assert_int_equal(tuple->fields[0].offset, 0);
	assert_int_equal(tuple->fields[1].offset, 8);
	assert_int_equal(tuple->fields[2].offset, 16);
	assert_int_equal(result->payload_offset, 8);
	assert_int_equal(result->disc_bytes, 1);
}

static void flattening_joins_the_cases_of_variants(void **state)
{
	static const struct {
		const char *wit;
		const char *flat; // i, l, f, d
	} cases[] = {
		{"tuple<u8, s64, f32, f64>", "ilfd"},
		{"string", "ii"},
		{"option<f32>", "if"},
		{"result<u32, f32>", "ii"},
		{"result<u64, f32>", "il"},
		{"result<f64, f32>", "il"},
		{"result<string, u64>", "ili"},
		{"tuple<stream<u8>, future<result>>", "ii"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		const struct cm_type *type = type_of(cases[i].wit);
		char flat[CM_FLAT_SPILLED] = "";

		for (uint32_t k = 0; k < type->n_flat; k++)
			flat[k] = "ilfd"[type->flat[k]];
		if (strcmp(flat, cases[i].flat) != 0)
			fail_msg("case %zu: %s: %s", i, cases[i].wit, flat);
	}
}

static void flattening_spills_beyond_sixteen_values(void **state)
{
	const struct cm_type *type =
		type_of("tuple<u8,u8,u8,u8,u8,u8,u8,u8,u8,u8,u8,u8,u8,u8,u8,u8>");

	(void)state;
	assert_int_equal(type->n_flat, 16);
	type = type_of("option<tuple<u8,u8,u8,u8,u8,u8,u8,u8,u8,u8,u8,u8,u8,u8,u8,u8>>");
	assert_int_equal(type->n_flat, CM_FLAT_SPILLED);
}

static void function_signatures_follow_flatten_functype(void **state)
{
	static const struct {
		const char *wit;
		enum cm_abi abi;
		bool is_async;
		bool has_callback;
		uint8_t n_params;
		uint8_t n_results;
		bool params_in_memory;
		bool result_in_memory;
	} cases[] = {
		{"f: func(a: u8) -> u32;", CM_ABI_LIFT, false, false, 1, 1, false, false},
		{"f: func() -> string;", CM_ABI_LIFT, false, false, 0, 1, false, true},
		{"f: func() -> string;", CM_ABI_LOWER, false, false, 1, 0, false, true},
		{"f: func();", CM_ABI_LOWER, false, false, 0, 0, false, false},
		{"f: async func(a: string, b: u8) -> u8;", CM_ABI_LIFT, true, true, 3, 1, false,
			false},
		{"f: async func(a: string) -> u8;", CM_ABI_LIFT, true, false, 2, 0, false, false},
		{"f: async func(a: string) -> u8;", CM_ABI_LOWER, true, false, 3, 1, false, true},
		{"f: async func(a: string, b: string);", CM_ABI_LOWER, true, false, 4, 1, false,
			false},
		{"f: async func(a: string, b: string, c: u8);", CM_ABI_LOWER, true, false, 1, 1,
			true, false},
		{"f: func(a: tuple<string, string, string, string, string, string, string, string, "
		 "u8>);",
			CM_ABI_LIFT, false, false, 1, 0, true, false},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct cm_coresig sig;

		cm_functype_flatten(func_of(cases[i].wit), cases[i].abi, cases[i].is_async,
			cases[i].has_callback, &sig);
		if (sig.n_params != cases[i].n_params || sig.n_results != cases[i].n_results ||
			sig.params_in_memory != cases[i].params_in_memory ||
			sig.result_in_memory != cases[i].result_in_memory)
			fail_msg("case %zu: %s: %u -> %u", i, cases[i].wit, sig.n_params,
				sig.n_results);
	}
}

static void types_beyond_the_limits_are_refused(void **state)
{
	const struct cm_type *type = cm_type_primitive(CM_TYPE_U8);
	int rc = 0;

	(void)state;
	for (int i = 0; rc == 0 && i <= CM_MAX_TYPE_DEPTH; i++)
		rc = cm_type_create_elem(&arena, CM_TYPE_LIST, type, 0, &type);
	assert_int_equal(rc, WE_E_INVALID);
	assert_non_null(strstr(cm_type_excess(type), "inside each other"));
	type = cm_type_primitive(CM_TYPE_U8);
	rc = 0;
	for (int i = 0; rc == 0 && i < 30; i++) { // doubles each time
		struct cm_field *pair = we_arena_array(&arena, 2, sizeof(*pair));
		const struct cm_type *list = NULL;

		assert_int_equal(cm_type_create_elem(&arena, CM_TYPE_LIST, type, 0, &list), 0);
		pair[0].type = list;
		pair[1].type = list;
		rc = cm_type_create_fields(&arena, CM_TYPE_TUPLE, pair, 2, &type);
	}
	assert_int_equal(rc, WE_E_INVALID);
	assert_non_null(strstr(cm_type_excess(type), "1000000"));
	rc = cm_type_create_elem(
		&arena, CM_TYPE_FIXED_LIST, cm_type_primitive(CM_TYPE_U64), UINT32_MAX, &type);
	assert_int_equal(rc, WE_E_INVALID);
	assert_non_null(strstr(cm_type_excess(type), "byte size"));
}

static const char *const store_wit =
	"variant error { upstream(string), io(string) }\n"
	"get: func(key: string) -> result<option<string>, error>;\n"
	"get-all: func() -> result<list<tuple<string, string>>, error>;";

static void instance_with_more_exports_matches(void **state)
{
	const struct cm_type *have = interface_of(store_wit);
	const struct cm_type *want =
		interface_of("variant error { upstream(string), io(string) }\n"
			     "get: func(key: string) -> result<option<string>, error>;");
	char detail[200];

	(void)state;
	assert_int_equal(cm_type_matches(have, want, detail, sizeof(detail)), 0);
	assert_int_equal(cm_type_matches(want, have, detail, sizeof(detail)), CM_TYPE_DIFFERS);
	assert_string_equal(detail, "missing expected export get-all");
}

static void mismatch_names_the_place_and_both_types(void **state)
{
	const struct cm_type *have = interface_of(store_wit);
	const struct cm_type *want = interface_of("variant error { upstream(string), io(string) }\n"
						  "get: func(key: string) -> option<string>;");
	char detail[200];

	(void)state;
	assert_int_equal(cm_type_matches(have, want, detail, sizeof(detail)), CM_TYPE_DIFFERS);
	assert_string_equal(detail, "get: expected func(key: string) -> option<string>, found "
				    "func(key: string) -> result<option<string>, error>");
	char cut[20];

	assert_int_equal(cm_type_matches(have, want, cut, sizeof(cut)), CM_TYPE_DIFFERS);
	assert_int_equal(strlen(cut), sizeof(cut) - 1);
	assert_int_equal(cm_type_matches(have, want, NULL, 0), CM_TYPE_DIFFERS);
}

static void types_are_equal_by_structure(void **state)
{
	static const struct {
		const char *a, *b;
		bool are_equal;
	} cases[] = {
		{"list<u8>", "list<u8>", true},
		{"list<u8>", "list<s8>", false},
		{"list<u8>", "option<u8>", false},
		{"tuple<u8, string>", "tuple<u8, string>", true},
		{"tuple<u8, string>", "tuple<u8>", false},
		{"result<u8>", "result<u8>", true},
		{"result<u8>", "result<_, u8>", false},
		{"result<u8>", "result", false},
		{"stream<u8>", "stream<u8>", true},
		{"stream<u8>", "stream", false},
		{"stream<u8>", "future<u8>", false},
		{"map<u8, string>", "list<tuple<u8, string>>", false},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		if (cm_type_equal(type_of(cases[i].a), type_of(cases[i].b)) != cases[i].are_equal)
			fail_msg("case %zu: %s and %s", i, cases[i].a, cases[i].b);
}

static void sync_and_async_functions_differ(void **state)
{
	(void)state;
	assert_false(cm_type_equal(func_of("f: func();"), func_of("f: async func();")));
	assert_false(cm_type_equal(func_of("f: func(a: u8);"), func_of("f: func(b: u8);")));
}

static void types_print_as_wit(void **state)
{
	static const char *const types[] = {"u8", "list<string>", "tuple<u8, f64>", "option<char>",
		"result", "result<u8>", "result<_, string>", "result<u8, string>", "stream",
		"stream<u8>", "future<result<_, string>>", "map<string, bool>"};
	char text[100];

	(void)state;
	for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++)
		assert_string_equal(cm_type_print(type_of(types[i]), text, sizeof(text)), types[i]);
	assert_string_equal(cm_type_print(func_of("f: async func(%type: list<u8>) -> bool;"), text,
				    sizeof(text)),
		"async func(%type: list<u8>) -> bool");
	assert_string_equal(cm_type_print(type_of("list<string>"), text, 6), "list<");
}

static void wit_body_makes_named_types(void **state)
{
	const struct cm_type *type =
		interface_of("/// what went wrong\n"
			     "variant error { a, b(string), }\n"
			     "record shape { stride: u32, view: u32 } /* two */ enum e { x }\n"
			     "flags fl { r, w } type bytes = list<u8>;\n"
			     "run: async func(s: shape, d: bytes) -> result<fl, error>;");

	(void)state;
	assert_int_equal(type->face->n_exports, 6);
	assert_int_equal(type->face->exports[0].type->kind, CM_TYPE_VARIANT);
	assert_string_equal(type->face->exports[0].type->name.text, "error");
	assert_int_equal(type->face->exports[1].type->kind, CM_TYPE_RECORD);
	assert_int_equal(type->face->exports[4].type->kind, CM_TYPE_LIST);
	assert_true(type->face->exports[5].type->is_async);
	assert_ptr_equal(type->face->exports[5].type->fields[0].type, type->face->exports[1].type);
}

static void wrong_wit_is_told_with_its_place(void **state)
{
	static const struct {
		const char *wit;
		const char *msg;
	} cases[] = {
		{"f: func(", "WIT 1:9: expected an identifier"},
		{"f: func()", "WIT 1:10: expected `;`, found the end"},
		{"f: func();\n g: fun();", "WIT 2:5: expected `func`, found `fun`"},
		{"f: func(a: unknown);", "WIT 1:12: expected a type, found `unknown`"},
		{"type x = list;", "WIT 1:14: expected `<`, found `;`"},
		{"record r { }", "is empty"},
		{"enum e { a, A }", "the name `A` is taken"},
		{"f: func(); f: func();", "the name `f` is taken"},
		{"type x = tuple<>;", "at least one type"},
		{"F_x: func();", "expected an identifier, found `F_x`"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		const struct cm_type *type = NULL;
		struct we_error err = {0};

		if (cm_wit_parse(&arena, cases[i].wit, &type, &err) != WE_E_INVALID ||
			strstr(err.msg, cases[i].msg) == NULL)
			fail_msg("case %zu: %s: %s", i, cases[i].wit, err.msg);
	}
}

static void wit_nested_too_deep_is_refused(void **state)
{
	static char wit[4096] = "type x = ";
	const struct cm_type *type = NULL;
	struct we_error err = {0};

	(void)state;
	for (int i = 0; i < 500; i++)
		strcat(wit, "list<");
	assert_int_equal(cm_wit_parse(&arena, wit, &type, &err), WE_E_INVALID);
	assert_non_null(strstr(err.msg, "nested"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(layout_follows_the_specification, setup, teardown),
		cmocka_unit_test_setup_teardown(
			flags_and_discriminants_take_the_fewest_bytes, setup, teardown),
		cmocka_unit_test_setup_teardown(
			field_and_payload_offsets_are_ready, setup, teardown),
		cmocka_unit_test_setup_teardown(
			flattening_joins_the_cases_of_variants, setup, teardown),
		cmocka_unit_test_setup_teardown(
			flattening_spills_beyond_sixteen_values, setup, teardown),
		cmocka_unit_test_setup_teardown(
			function_signatures_follow_flatten_functype, setup, teardown),
		cmocka_unit_test_setup_teardown(
			types_beyond_the_limits_are_refused, setup, teardown),
		cmocka_unit_test_setup_teardown(
			instance_with_more_exports_matches, setup, teardown),
		cmocka_unit_test_setup_teardown(
			mismatch_names_the_place_and_both_types, setup, teardown),
		cmocka_unit_test_setup_teardown(types_are_equal_by_structure, setup, teardown),
		cmocka_unit_test_setup_teardown(sync_and_async_functions_differ, setup, teardown),
		cmocka_unit_test_setup_teardown(types_print_as_wit, setup, teardown),
		cmocka_unit_test_setup_teardown(wit_body_makes_named_types, setup, teardown),
		cmocka_unit_test_setup_teardown(wrong_wit_is_told_with_its_place, setup, teardown),
		cmocka_unit_test_setup_teardown(wit_nested_too_deep_is_refused, setup, teardown),
	};

	return cmocka_run_group_tests_name("cm_type", tests, NULL, NULL);
}
