// SPDX-License-Identifier: BSD-3-Clause
// Tests of we_module: what a module shows, and what it is refused for.
#include "engine.h"
#include "feature.h"
#include "limits.h"
#include "type.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

// clang-format off
// (module $m
//   (import "env" "f" (func $f (param i32) (result i32)))
//   (import "env" "mem" (memory 1 2))
//   (table (export "t") 1 10 funcref)
//   (global (export "g") (mut i64) (i64.const 7))
//   (func $run (export "run") (param i32) (result i32) local.get 0 call $f)
//   (elem (i32.const 0) $run)
//   (data (i32.const 8) "data")
//   (@custom "note" "one")
//   (@custom "note" "two"))
static const uint8_t full_module[] = {0x00, 0x61, 0x73, 0x6d, 0x01, 0x00, 0x00, 0x00, 0x01, 0x06, 0x01, 0x60, 0x01, 0x7f, 0x01, 0x7f, 0x02, 0x15, 0x02, 0x03, 0x65, 0x6e, 0x76, 0x01, 0x66, 0x00, 0x00, 0x03, 0x65, 0x6e, 0x76, 0x03, 0x6d, 0x65, 0x6d, 0x02, 0x01, 0x01, 0x02, 0x03, 0x02, 0x01, 0x00, 0x04, 0x05, 0x01, 0x70, 0x01, 0x01, 0x0a, 0x06, 0x06, 0x01, 0x7e, 0x01, 0x42, 0x07, 0x0b, 0x07, 0x0f, 0x03, 0x01, 0x74, 0x01, 0x00, 0x01, 0x67, 0x03, 0x00, 0x03, 0x72, 0x75, 0x6e, 0x00, 0x01, 0x09, 0x07, 0x01, 0x00, 0x41, 0x00, 0x0b, 0x01, 0x01, 0x0a, 0x08, 0x01, 0x06, 0x00, 0x20, 0x00, 0x10, 0x00, 0x0b, 0x0b, 0x0a, 0x01, 0x00, 0x41, 0x08, 0x0b, 0x04, 0x64, 0x61, 0x74, 0x61, 0x00, 0x08, 0x04, 0x6e, 0x6f, 0x74, 0x65, 0x6f, 0x6e, 0x65, 0x00, 0x08, 0x04, 0x6e, 0x6f, 0x74, 0x65, 0x74, 0x77, 0x6f, 0x00, 0x14, 0x04, 0x6e, 0x61, 0x6d, 0x65, 0x00, 0x02, 0x01, 0x6d, 0x01, 0x09, 0x02, 0x00, 0x01, 0x66, 0x01, 0x03, 0x72, 0x75, 0x6e};

// (module
//   (func $good)
//   (func $bad (export "x") (drop)))
static const uint8_t bad_body_module[] = {0x00, 0x61, 0x73, 0x6d, 0x01, 0x00, 0x00, 0x00, 0x01, 0x04, 0x01, 0x60, 0x00, 0x00, 0x03, 0x03, 0x02, 0x00, 0x00, 0x07, 0x05, 0x01, 0x01, 0x78, 0x00, 0x01, 0x0a, 0x08, 0x02, 0x02, 0x00, 0x0b, 0x03, 0x00, 0x1a, 0x0b, 0x00, 0x13, 0x04, 0x6e, 0x61, 0x6d, 0x65, 0x01, 0x0c, 0x02, 0x00, 0x04, 0x67, 0x6f, 0x6f, 0x64, 0x01, 0x03, 0x62, 0x61, 0x64};

// clang-format on

static struct we_engine *engine;
static struct we_error err;

static int make_engine(void **state)
{
	(void)state;
	return we_engine_create(NULL, &engine, NULL);
}

static int end_engine(void **state)
{
	(void)state;
	we_engine_destroy(engine);
	return 0;
}

static int load(const void *data, size_t len, struct we_module **ret)
{
	return we_module_create(engine, (struct we_bytes){data, len}, 0, ret, &err);
}

static bool bytes_are(struct we_bytes bytes, const char *text)
{
	return bytes.len == strlen(text) && memcmp(bytes.data, text, bytes.len) == 0;
}

static void module_shows_imports_exports_and_custom_sections(void **state)
{
	struct we_module *module;
	struct we_import import;
	struct we_export export;
	struct we_bytes payload;
	char text[64];

	(void)state;
	assert_int_equal(load(full_module, sizeof(full_module), &module), 0);
	assert_int_equal(we_module_n_imports(module), 2);
	we_module_import(module, 0, &import);
	assert_true(bytes_are(import.module, "env") && bytes_are(import.name, "f"));
	we_externtype_print(&import.type, text, sizeof(text));
	assert_string_equal(text, "(func (param i32) (result i32))");
	we_module_import(module, 1, &import);
	we_externtype_print(&import.type, text, sizeof(text));
	assert_string_equal(text, "(memory 1 2)");
	assert_int_equal(we_module_n_exports(module), 3);
	we_module_export(module, 0, &export);
	we_externtype_print(&export.type, text, sizeof(text));
	assert_string_equal(text, "(table 1 10 funcref)");
	we_module_export(module, 1, &export);
	we_externtype_print(&export.type, text, sizeof(text));
	assert_string_equal(text, "(global (mut i64))");
	assert_int_equal(we_externtype_val_kind(&export.type), WE_I64);
	assert_int_equal(we_module_custom(module, "note", 1, &payload), 0);
	assert_true(bytes_are(payload, "two"));
	assert_int_equal(we_module_custom(module, "note", 2, &payload), 1);
	assert_int_equal(we_module_features(module), UINT64_C(1) << WE_FEATURE_MVP);
	we_module_unref(module);
}

static void function_is_found_by_index_and_name_if_it_is_the_modules_own(void **state)
{
	static const char *const none[] = {"0", "2", "f", "t", "", "-1", "1x", "4294967297"};
	struct we_module *module;
	uint32_t func = 0;

	(void)state;
	assert_int_equal(load(full_module, sizeof(full_module), &module), 0);
	assert_int_equal(we_module_own_funcs(module, &func), 1);
	assert_int_equal(func, 1);
	for (size_t i = 0; i < sizeof(none) / sizeof(none[0]); i++)
		if (we_module_find_func(module, none[i], &func))
			fail_msg("\"%s\" is found", none[i]);
	assert_true(we_module_find_func(module, "1", &func) && func == 1);
	func = 0;
	assert_true(we_module_find_func(module, "run", &func) && func == 1);
	we_module_unref(module);
}

static void module_outlives_the_bytes_it_was_made_of(void **state)
{
	uint8_t *bytes = malloc(sizeof(full_module));
	struct we_module *module;
	struct we_import import;

	(void)state;
	assert_non_null(bytes);
	memcpy(bytes, full_module, sizeof(full_module));
	assert_int_equal(load(bytes, sizeof(full_module), &module), 0);
	memset(bytes, 0xff, sizeof(full_module));
	free(bytes);
	we_module_import(module, 0, &import);
	assert_true(bytes_are(import.module, "env"));
	we_module_unref(we_module_ref(module));
	we_module_unref(module);
}

static void module_cut_anywhere_is_no_crash(void **state)
{
	(void)state;
	for (size_t len = 0; len < sizeof(full_module); len++) {
		uint8_t *cut =
			malloc(len > 0 ? len : 1); // exact, so that the sanitizer sees overreads
		struct we_module *module;
		int rc;

		assert_non_null(cut);
		memcpy(cut, full_module, len);
		rc = load(cut, len, &module);
		if (rc == 0)
			we_module_unref(module);
		else
			assert_true(rc == WE_E_MALFORMED || rc == WE_E_INVALID);
		free(cut);
	}
}

static void module_with_any_byte_changed_is_no_crash(void **state)
{
	static const uint8_t values[] = {0x00, 0x01, 0x0b, 0x40, 0x60, 0x7f, 0x80, 0xfd, 0xff};
	uint8_t bytes[sizeof(full_module)];

	(void)state;
	for (size_t i = 0; i < sizeof(bytes); i++) {
		for (size_t k = 0; k < sizeof(values); k++) {
			struct we_module *module;

			memcpy(bytes, full_module, sizeof(bytes));
			bytes[i] = values[k];
			if (load(bytes, sizeof(bytes), &module) == 0)
				we_module_unref(module);
		}
	}
}

// One section, or two, with what is wrong with them.
struct refusal_case {
	const char *what;
	uint8_t bytes[40];
	size_t len;
	int rc;
	const char *message; // start of it
	uint64_t offset;
};

#define HEADER 0x00, 'a', 's', 'm', 0x01, 0x00, 0x00, 0x00

static void refusals_name_what_and_where(void **state)
{
	static const struct refusal_case cases[] = {
		{"nothing", {0}, 0, WE_E_MALFORMED, "unexpected end", 0},
		{"magic", {0x00, 'a', 's', 'n', 1, 0, 0, 0}, 8, WE_E_MALFORMED,
			"magic header not detected", 0},
		{"a component", {0x00, 'a', 's', 'm', 0x0d, 0, 1, 0}, 8, WE_E_MALFORMED,
			"unknown binary version", 4},
		{"section id", {HEADER, 0x0e, 0x00}, 10, WE_E_MALFORMED, "malformed section id", 8},
		{"section twice", {HEADER, 0x01, 0x01, 0x00, 0x01, 0x01, 0x00}, 14, WE_E_MALFORMED,
			"unexpected content after last section", 11},
		{"section too long", {HEADER, 0x01, 0x02, 0x00}, 11, WE_E_MALFORMED,
			"length out of bounds", 10},
		{"section size", {HEADER, 0x01, 0x02, 0x00, 0x00}, 12, WE_E_MALFORMED,
			"section size mismatch", 11},
		{"huge list", {HEADER, 0x03, 0x05, 0xff, 0xff, 0xff, 0xff, 0x0f}, 15,
			WE_E_MALFORMED, "unexpected end", 10},
		{"tag with a result",
			{HEADER, 0x01, 0x05, 0x01, 0x60, 0x00, 0x01, 0x7f, 0x0d, 0x03, 0x01, 0x00,
				0x00},
			20, WE_E_INVALID, "non-empty tag result type", 18},
		{"shared memory", {HEADER, 0x05, 0x04, 0x01, 0x03, 0x01, 0x01}, 14, WE_E_MALFORMED,
			"malformed limits flags 0x03", 11},
		{"custom page size", {HEADER, 0x05, 0x04, 0x01, 0x08, 0x01, 0x00}, 14,
			WE_E_MALFORMED, "malformed limits flags 0x08", 11},
		{"legacy exceptions", // try, catch_all
			{HEADER, 0x01, 0x04, 0x01, 0x60, 0x00, 0x00, 0x03, 0x02, 0x01, 0x00, 0x0a,
				0x08, 0x01, 0x06, 0x00, 0x06, 0x40, 0x19, 0x0b, 0x0b},
			28, WE_E_MALFORMED, "illegal opcode 06", 23},
		{"wide arithmetic", // i64.add128
			{HEADER, 0x01, 0x04, 0x01, 0x60, 0x00, 0x00, 0x03, 0x02, 0x01, 0x00, 0x0a,
				0x06, 0x01, 0x04, 0x00, 0xfc, 0x13, 0x0b},
			26, WE_E_MALFORMED, "illegal opcode fc 13", 23},
		{"struct type, then rubbish", {HEADER, 0x01, 0x03, 0x01, 0x5f, 0x00, 0x0e}, 14,
			WE_E_MALFORMED, "malformed section id", 13},
		{"unknown type", {HEADER, 0x02, 0x05, 0x01, 0x00, 0x00, 0x00, 0x09}, 15,
			WE_E_INVALID, "unknown type 9", 14},
		{"memory of 65537 pages", {HEADER, 0x05, 0x05, 0x01, 0x00, 0x81, 0x80, 0x04}, 15,
			WE_E_INVALID,
			"memory size must be at most 65536 pages (4 GiB): found 65537", 11},
		{"body ends early",
			{HEADER, 0x01, 0x04, 0x01, 0x60, 0x00, 0x00, 0x03, 0x02, 0x01, 0x00, 0x0a,
				0x05, 0x01, 0x03, 0x00, 0x01, 0x01},
			25, WE_E_MALFORMED, "unexpected end", 25},
		{"operand missing",
			{HEADER, 0x01, 0x04, 0x01, 0x60, 0x00, 0x00, 0x03, 0x02, 0x01, 0x00, 0x0a,
				0x05, 0x01, 0x03, 0x00, 0x1a, 0x0b},
			25, WE_E_INVALID, "drop: type mismatch", 23},
		{"operand of the first instruction missing", // i32.eqz
			{HEADER, 0x01, 0x04, 0x01, 0x60, 0x00, 0x00, 0x03, 0x02, 0x01, 0x00, 0x0a,
				0x05, 0x01, 0x03, 0x00, 0x45, 0x0b},
			25, WE_E_INVALID, "i32.eqz: type mismatch: expected i32", 23},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		const struct refusal_case *c = &cases[i];
		struct we_module *module;
		const int rc = load(c->bytes, c->len, &module);

		if (rc != c->rc || strncmp(err.msg, c->message, strlen(c->message)) != 0 ||
			(c->offset != 0 && err.offset != c->offset))
			fail_msg("%s: %s: %s at %llu", c->what, we_failure_word(rc),
				rc < 0 ? err.msg : "", (unsigned long long)err.offset);
	}
}

static void invalid_body_is_named_by_its_function(void **state)
{
	struct we_module *module;

	(void)state;
	assert_int_equal(load(bad_body_module, sizeof(bad_body_module), &module), WE_E_INVALID);
	assert_string_equal(err.msg,
		"drop: type mismatch: expected anything, found an empty stack, "
		"in function 1 \"bad\"");
	assert_int_equal(err.func, 1);
}

static void invalid_definition_is_named_by_its_section(void **state)
{
	static const struct {
		uint8_t bytes[16];
		size_t len;
		const char *message;
	} rows[] = {
		{{HEADER, 0x02, 0x05, 0x01, 0x00, 0x00, 0x00, 0x09}, 15,
			"unknown type 9: there are 0, in the import section"},
		{{HEADER, 0x06, 0x05, 0x01, 0x7f, 0x00, 0x42, 0x00}, 15, "in the global section"},
		{{HEADER, 0x07, 0x04, 0x01, 0x00, 0x02, 0x03}, 14, "in the export section"},
		{{HEADER, 0x08, 0x01, 0x07}, 11,
			"unknown function 7: there are 0, in the start section"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct we_module *module;
		const int rc = load(rows[i].bytes, rows[i].len, &module);

		if (rc >= 0 || strstr(err.msg, rows[i].message) == NULL)
			fail_msg("row %zu: %s", i, rc < 0 ? err.msg : "no failure");
	}
}

static void offsets_count_from_the_start_of_the_file(void **state)
{
	static const uint8_t bytes[] = {HEADER, 0x0e, 0x00};
	struct we_module *module;

	(void)state;
	assert_int_equal(we_module_create(engine, (struct we_bytes){bytes, sizeof(bytes)}, 1000,
				 &module, &err),
		WE_E_MALFORMED);
	assert_int_equal(err.offset, 1008);
}

// A module of one function of type [] -> [] with this body; the code section's lengths have 5
// bytes.
static int load_body(const uint8_t *body, uint32_t len, struct we_module **ret)
{
	static const uint8_t start[] = {
		HEADER, 0x01, 0x04, 0x01, 0x60, 0x00, 0x00, 0x03, 0x02, 0x01, 0x00, 0x0a};
	uint8_t *bytes = malloc(sizeof(start) + 11 + len);
	uint8_t *at = bytes;
	int rc;

	assert_non_null(bytes);
	memcpy(at, start, sizeof(start));
	at += sizeof(start);
	for (int pass = 0; pass < 2; pass++) {
		const uint32_t n = pass == 0 ? len + 6 : len;

		for (unsigned i = 0; i < 5; i++)
			*at++ = (uint8_t)((n >> (7 * i) & 0x7f) | (i < 4 ? 0x80 : 0));
		if (pass == 0)
			*at++ = 0x01; // one body
	}
	memcpy(at, body, len);
	rc = load(bytes, sizeof(start) + 11 + len, ret);
	free(bytes);
	return rc;
}

static void too_many_locals_are_refused(void **state)
{
	static const uint8_t fits[] = {0x01, 0xd0, 0x86, 0x03, 0x7f, 0x0b}; // 50,000
	static const uint8_t over[] = {0x01, 0xd1, 0x86, 0x03, 0x7f, 0x0b}; // 50,001
	static const uint8_t wraps[] = {0x02, 0xff, 0xff, 0xff, 0xff, 0x0f, 0x7f, 0x01, 0x7f, 0x0b};
	struct we_module *module;

	(void)state;
	assert_int_equal(load_body(fits, sizeof(fits), &module), 0);
	we_module_unref(module);
	assert_int_equal(load_body(over, sizeof(over), &module), WE_E_INVALID);
	assert_int_equal(load_body(wraps, sizeof(wraps), &module), WE_E_MALFORMED);
	assert_string_equal(err.msg, "too many locals, in function 0, in the code section");
	assert_int_equal(err.func, 0);
}

static void run_of_no_locals_needs_no_default(void **state)
{
	static const uint8_t bytes[] = {HEADER, 0x01, 0x04, 0x01, 0x60, 0x00, 0x00, 0x03, 0x02,
		0x01, 0x00, 0x0a, 0x07, 0x01, 0x05, 0x01, 0x00, 0x64, 0x70, 0x0b};
	struct we_module *module;

	(void)state;
	assert_int_equal(load(bytes, sizeof(bytes), &module), 0);
	we_module_unref(module);
}

static void nesting_is_bounded(void **state)
{
	const uint32_t n = WE_LIMIT_CONTROL_DEPTH + 1;
	uint8_t *body = malloc(3 * n + 2);
	struct we_module *module;

	(void)state;
	assert_non_null(body);
	body[0] = 0; // no locals
	for (uint32_t i = 0; i < n; i++) {
		body[1 + 2 * i] = 0x02; // block
		body[2 + 2 * i] = 0x40;
	}
	memset(body + 1 + 2 * n, 0x0b, n + 1);
	assert_int_equal(load_body(body, 3 * n + 2, &module), WE_E_INVALID);
	free(body);
}

static void operands_are_bounded(void **state)
{
	const uint32_t n = WE_LIMIT_OPERANDS + 1;
	uint8_t *body = malloc(2 * n + 3);
	struct we_module *module;

	(void)state;
	assert_non_null(body);
	body[0] = 0; // no locals
	for (uint32_t i = 0; i < n; i++) {
		body[1 + 2 * i] = 0x41; // i32.const 0
		body[2 + 2 * i] = 0x00;
	}
	body[1 + 2 * n] = 0x00; // unreachable
	body[2 + 2 * n] = 0x0b;
	assert_int_equal(load_body(body, 2 * n + 3, &module), WE_E_INVALID);
	free(body);
}

static void function_types_are_interned(void **state)
{
	static const enum we_kind kinds[] = {WE_I32, WE_V128, WE_EXTERNREF};
	const struct we_functype *first;
	const struct we_functype *again;
	const struct we_functype *other;

	(void)state;
	assert_int_equal(we_functype_create(engine, kinds, 3, kinds, 1, &first, &err), 0);
	assert_int_equal(we_functype_create(engine, kinds, 3, kinds, 1, &again, &err), 0);
	assert_int_equal(we_functype_create(engine, kinds, 3, kinds, 2, &other, &err), 0);
	assert_ptr_equal(first, again);
	assert_ptr_not_equal(first, other);
	assert_int_equal(we_functype_n_slots(first), 4);
	assert_int_equal(we_functype_param(first, 1), WE_V128);
	assert_int_equal(we_functype_result(first, 0), WE_I32);
}

static void many_function_types_stay_apart(void **state)
{
	const struct we_functype *types[600];
	enum we_kind kinds[600];

	(void)state;
	for (uint32_t i = 0; i < 600; i++) {
		kinds[i] = i % 2 == 0 ? WE_I32 : WE_F64;
		assert_int_equal(we_functype_create(engine, kinds, i, NULL, 0, &types[i], &err), 0);
	}
	for (uint32_t i = 0; i < 600; i++) {
		const struct we_functype *again;

		assert_int_equal(we_functype_create(engine, kinds, i, NULL, 0, &again, &err), 0);
		assert_ptr_equal(again, types[i]);
	}
}

static void *load_often(void *ret_failed)
{
	for (int i = 0; i < 50; i++) {
		struct we_error thread_err;
		struct we_module *module;
		const struct we_functype *type;

		if (we_module_create(engine, (struct we_bytes){full_module, sizeof(full_module)}, 0,
			    &module, &thread_err) < 0 ||
			we_functype_create(engine, NULL, 0, NULL, 0, &type, &thread_err) < 0) {
			*(bool *)ret_failed = true;
			return NULL;
		}
		we_module_unref(module);
	}
	return NULL;
}

static void engine_is_shared_by_threads(void **state)
{
	bool failed[4] = {false};
	pthread_t threads[4];

	(void)state;
	for (int i = 0; i < 4; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, load_often, &failed[i]), 0);
	for (int i = 0; i < 4; i++) {
		assert_int_equal(pthread_join(threads[i], NULL), 0);
		assert_false(failed[i]);
	}
}

static void value_types_match_by_subtyping(void **state)
{
	const we_valtype null = WE_T_REF | WE_T_NULL;
	const struct {
		we_valtype sub;
		we_valtype super;
		bool matches;
	} cases[] = {
		{WE_T_I32, WE_T_I32, true},
		{WE_T_I32, WE_T_I64, false},
		{WE_T_BOT, WE_T_V128, true},
		{WE_T_V128, WE_T_BOT, false},
		{WE_T_REF | WE_HEAP_FUNC, WE_T_FUNCREF, true},
		{WE_T_FUNCREF, WE_T_REF | WE_HEAP_FUNC, false},
		{WE_T_FUNCREF, WE_T_EXTERNREF, false},
		{null | WE_HEAP_NOFUNC, WE_T_FUNCREF, true},
		{null | WE_HEAP_NONE, null | WE_HEAP_ANY, true},
		{null | WE_HEAP_I31, null | WE_HEAP_EQ, true},
		{null | WE_HEAP_STRUCT, null | WE_HEAP_ARRAY, false},
		{null | WE_HEAP_EQ, null | WE_HEAP_I31, false},
		{null | WE_HEAP_NOEXTERN, null | WE_HEAP_ANY, false},
	};

	(void)state; // abstract types need no engine
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		if (we_valtype_matches(NULL, cases[i].sub, cases[i].super) != cases[i].matches)
			fail_msg("case %zu", i);
	}
}

static void printed_type_is_cut_to_its_buffer(void **state)
{
	static const enum we_kind kinds[] = {WE_I32, WE_I32, WE_I32, WE_I32};
	struct we_externtype type = {.kind = WE_EXTERN_FUNC};
	char text[12];

	(void)state;
	assert_int_equal(we_functype_create(engine, kinds, 4, NULL, 0, &type.func, &err), 0);
	we_externtype_print(&type, text, sizeof(text));
	assert_string_equal(text, "(func (para");
	we_externtype_print(&type, text, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(module_shows_imports_exports_and_custom_sections),
		cmocka_unit_test(function_is_found_by_index_and_name_if_it_is_the_modules_own),
		cmocka_unit_test(module_outlives_the_bytes_it_was_made_of),
		cmocka_unit_test(module_cut_anywhere_is_no_crash),
		cmocka_unit_test(module_with_any_byte_changed_is_no_crash),
		cmocka_unit_test(refusals_name_what_and_where),
		cmocka_unit_test(invalid_body_is_named_by_its_function),
		cmocka_unit_test(invalid_definition_is_named_by_its_section),
		cmocka_unit_test(offsets_count_from_the_start_of_the_file),
		cmocka_unit_test(too_many_locals_are_refused),
		cmocka_unit_test(run_of_no_locals_needs_no_default),
		cmocka_unit_test(nesting_is_bounded),
		cmocka_unit_test(operands_are_bounded),
		cmocka_unit_test(function_types_are_interned),
		cmocka_unit_test(many_function_types_stay_apart),
		cmocka_unit_test(engine_is_shared_by_threads),
		cmocka_unit_test(value_types_match_by_subtyping),
		cmocka_unit_test(printed_type_is_cut_to_its_buffer),
	};

	return cmocka_run_group_tests_name("we_module", tests, make_engine, end_engine);
}
