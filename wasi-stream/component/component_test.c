// SPDX-License-Identifier: BSD-3-Clause
// Tests of decoding and validating whole components. Argument: the sample component (fuzz/seeds/sample.wat).
#include "alloc_trial.h"
#include "component.h"
#include "limits.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static struct we_engine *engine;
static uint8_t sample[4096];
static size_t sample_len;

// ---- binaries -----------------------------------------------------------------------------------

static int create(const uint8_t *data, size_t len, struct we_error *err)
{
	struct cm_component *component = NULL;
	uint8_t *exact = malloc(len > 0 ? len : 1); // so that a read beyond it is seen
	int rc;

	assert_non_null(exact);
	memcpy(exact, data, len);
	*err = (struct we_error){0};
	rc = cm_component_create(engine, (struct we_bytes){exact, len}, &component, err);
	free(exact);
	if (rc == 0)
		cm_component_unref(component);
	return rc;
}

struct text {
	char buf[2000];
	size_t len;
};

static void collect(void *env, const char *piece, size_t len)
{
	struct text *text = env;

	assert_true(text->len + len < sizeof(text->buf));
	memcpy(text->buf + text->len, piece, len);
	text->len += len;
	text->buf[text->len] = '\0';
}

static void component_tells_its_imports_and_exports(void **state)
{
	struct cm_component *component = NULL;
	struct cm_component_stats stats;
	struct we_error err = {0};
	uint64_t offset;

	(void)state;
	if (cm_component_create(engine, (struct we_bytes){sample, sample_len}, &component, &err) <
		0)
		fail_msg("%s", err.msg);
	assert_string_equal(cm_component_import_name(component, 0), "wasi:config/store@0.2.0-rc.1");
	assert_null(cm_component_import_name(component, 1));
	assert_string_equal(cm_component_export_name(component, 0), "test:sample/iface@1.0.0");
	assert_null(cm_component_export_name(component, 1));
	cm_component_stats(component, &stats);
	assert_int_equal(stats.n_core_modules, 2);
	assert_int_equal(stats.n_components, 1);
	assert_int_equal(stats.n_imports, 1);
	assert_int_equal(stats.n_exports, 1);
	assert_int_equal(stats.min_memory_pages, 1);
	assert_int_equal(cm_component_refused(component, &offset), CM_FEATURE_BASE);
	cm_component_unref(cm_component_ref(component));
	cm_component_unref(component);
	cm_component_unref(NULL);
}

static void component_prints_its_world(void **state)
{
	struct cm_component *component = NULL;
	struct we_error err = {0};
	struct text text = {0};

	(void)state;
	assert_int_equal(cm_component_create(
				 engine, (struct we_bytes){sample, sample_len}, &component, &err),
		0);
	cm_component_print_wit(component, collect, &text);
	assert_string_equal(text.buf,
		"package root:component;\n"
		"\n"
		"world root {\n"
		"  import wasi:config/store@0.2.0-rc.1;\n"
		"\n"
		"  export test:sample/iface@1.0.0;\n"
		"}\n"
		"\n"
		"package wasi:config@0.2.0-rc.1 {\n"
		"  interface store {\n"
		"    variant error {\n"
		"      upstream(string),\n"
		"      io(string),\n"
		"    }\n"
		"\n"
		"    get: func(key: string) -> result<option<string>, error>;\n"
		"  }\n"
		"}\n"
		"\n"
		"package test:sample@1.0.0 {\n"
		"  interface iface {\n"
		"    enum color {\n"
		"      red,\n"
		"      green,\n"
		"    }\n"
		"\n"
		"    run: async func(rx: stream<u8>) -> stream<u8>;\n"
		"  }\n"
		"}\n");
	cm_component_unref(component);
}

// Each index that a definition gets is the next one of its space, so that the list can be executed blindly.
static void definitions_fill_their_index_spaces_in_order(void **state)
{
	uint32_t n_items[CM_SORT_N] = {0};
	struct cm_component *component = NULL;
	struct we_error err = {0};

	(void)state;
	assert_int_equal(cm_component_create(
				 engine, (struct we_bytes){sample, sample_len}, &component, &err),
		0);
	for (uint32_t i = 0; i < component->n_defs; i++)
		assert_int_equal(component->defs[i].idx, n_items[component->defs[i].sort]++);
	for (int sort = 0; sort < CM_SORT_N; sort++)
		assert_int_equal(component->n_items[sort], n_items[sort]);
	cm_component_unref(component);
}

static void truncated_component_never_passes_as_whole(void **state)
{
	struct we_error err;

	(void)state;
	for (size_t len = 0; len < 8; len++)
		assert_int_equal(create(sample, len, &err), WE_E_MALFORMED);
	for (size_t len = 8; len < sample_len; len++) // may end where a section ends
		(void)create(sample, len, &err);
}

static void damaged_component_never_crashes(void **state)
{
	static const uint8_t masks[] = {0x01, 0x10, 0x80, 0xff};
	struct we_error err;

	(void)state;
	for (size_t at = 0; at < sample_len; at++) {
		for (size_t i = 0; i < sizeof(masks); i++) {
			sample[at] ^= masks[i];
			(void)create(sample, sample_len, &err);
			sample[at] ^= masks[i];
		}
	}
	assert_int_equal(create(sample, sample_len, &err), 0);
}

static void creation_without_memory_fails_cleanly(void **state)
{
	struct cm_component *component = NULL;
	struct we_error err = {0};
	unsigned long n;
	int rc;

	(void)state;
	alloc_trial.n = 0;
	assert_int_equal(cm_component_create(
				 engine, (struct we_bytes){sample, sample_len}, &component, &err),
		0);
	cm_component_unref(component);
	n = alloc_trial.n;
	for (unsigned long i = 1; i <= n; i++) {
		alloc_trial.n = 0;
		alloc_trial.fails_on = true;
		alloc_trial.fail_at = i;
		rc = cm_component_create(
			engine, (struct we_bytes){sample, sample_len}, &component, &err);
		alloc_trial.fail_at = 0;
		if (rc == 0) { // an engine keeps what earlier rounds interned: it needs less
			cm_component_unref(component);
			continue;
		}
		assert_int_equal(rc, WE_E_NOMEM);
	}
}

// ---- small binaries -----------------------------------------------------------------------------

static const uint8_t preamble[] = {0x00, 0x61, 0x73, 0x6d, 0x0d, 0x00, 0x01, 0x00};

struct small {
	const char *sections; // without the preamble
	size_t len;
	int rc;
	const char *msg; // part of the message
};
#define SECTIONS(text) text, sizeof(text) - 1

static void check_small(const struct small *cases, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		uint8_t binary[100];
		struct we_error err;
		int rc;

		memcpy(binary, preamble, sizeof(preamble));
		memcpy(binary + sizeof(preamble), cases[i].sections, cases[i].len);
		rc = create(binary, sizeof(preamble) + cases[i].len, &err);
		if (rc != cases[i].rc || (rc < 0 && strstr(err.msg, cases[i].msg) == NULL))
			fail_msg("case %zu: %d: %s", i, rc, err.msg);
	}
}

static void small_components_get_their_class_and_message(void **state)
{
	static const struct small cases[] = {
		{SECTIONS(""), 0, ""},
		{SECTIONS("\x0d\x00"), WE_E_MALFORMED, "malformed section id: 13"},
		{SECTIONS("\x07\x05\x01\x73"), WE_E_MALFORMED, ""},
		{SECTIONS("\x07\x03\x01\x73\x00"), WE_E_MALFORMED, "section size mismatch"},
		{SECTIONS("\x07\x02\x01\x62"), WE_E_MALFORMED, "invalid leading byte (0x62)"},
		{SECTIONS("\x07\x06\x81\x80\x80\x80\x70\x73"), WE_E_MALFORMED, ""},
		{SECTIONS("\x07\x02\x7f\x73"), WE_E_MALFORMED, "unexpected end"},
		{SECTIONS("\x07\x03\x01\x72\x00"), WE_E_INVALID, "at least one field"},
		{SECTIONS("\x07\x03\x01\x71\x00"), WE_E_INVALID, "at least one case"},
		{SECTIONS("\x07\x07\x01\x72\x01\x02\x61\x42\x7d"), WE_E_INVALID,
			"`aB` is not in kebab case"},
		{SECTIONS("\x07\x09\x01\x72\x02\x01\x61\x7d\x01\x41\x7d"), WE_E_INVALID,
			"`A` conflicts with previous field name `a`"},
		{SECTIONS("\x07\x04\x01\x66\x01\x74"), WE_E_INVALID, "`stream<char>`"},
		{SECTIONS("\x07\x03\x01\x70\x05"), WE_E_INVALID, "type index out of bounds"},
		{SECTIONS("\x07\x05\x02\x42\x00\x70\x00"), WE_E_INVALID, "is not a defined type"},
		{SECTIONS("\x07\x08\x01\x67\x77\xff\xff\xff\xff\x0f"), WE_E_INVALID,
			"exceeds maximum byte size"},
		{SECTIONS("\x07\x04\x01\x67\x7d\x00"), WE_E_INVALID, "length above 0"},
		{SECTIONS("\x07\x04\x01\x67\x7d\x04"), 0, ""},
		{SECTIONS("\x06\x05\x01\x03\x02\x02\x00"), WE_E_INVALID,
			"invalid outer alias count of 2"},
		{SECTIONS("\x07\x03\x01\x42\x00\x0a\x0c\x01\x00\x07"
			  "a:b:c/d\x05\x00"),
			WE_E_UNSUPPORTED, "nested namespaces"},
		{SECTIONS("\x07\x03\x01\x42\x00\x0a\x0c\x01\x00\x07"
			  "a:b:c/d\x05\x01"),
			WE_E_INVALID, "type index out of bounds"},
		{SECTIONS("\x09\x03\x00\x00\x00"), WE_E_UNSUPPORTED, "start functions"},
		{SECTIONS("\x09\x03\x00\x00\x00\x07\x02\x01\x62"), WE_E_MALFORMED, "0x62"},
		{SECTIONS("\x08\x04\x01\x0a\x7f\x02"), WE_E_INVALID, "context slot 2"},
		{SECTIONS("\x08\x02\x01\x07"), WE_E_MALFORMED,
			"invalid leading byte (0x7) for canonical function"},
		{SECTIONS("\x08\x04\x01\x20\x00\x00"), WE_E_INVALID,
			"core memory index out of bounds"},
		{SECTIONS("\x07\x02\x01\x7d\x08\x03\x01\x0e\x00"), WE_E_INVALID,
			"is not a stream type"},
		{SECTIONS("\x07\x03\x01\x66\x00\x08\x08\x02\x0f\x00\x00\x0f\x00\x01\x06"), 0, ""},
	};

	(void)state;
	check_small(cases, sizeof(cases) / sizeof(cases[0]));
}

// Each from the text above it, by `wasm-tools parse` and `wasm-tools strip --all`.
static void composed_components_get_their_class_and_message(void **state)
{
	static const struct small cases[] = {
		// (component (import "f" (func $f (param "a" string))) (core func (canon lower (func
		// $f))))
		{SECTIONS("\x07\x08\x01\x40\x01\x01\x61\x73\x01\x00\x0a\x06\x01\x00\x01\x66\x01\x00"
			  "\x08\x05\x01\x01"
			  "\x00\x00\x00"),
			WE_E_INVALID, "`memory` is required"},
		// (component (core module $m (memory (export "m") 1)) (core instance $i (instantiate
		// $m)) (alias core export $i "m" (core memory $mem)) (import "f" (func $f (result
		// string))) (core func (canon lower (func $f) (memory $mem))))
		{SECTIONS("\x01\x14\x00\x61\x73\x6d\x01\x00\x00\x00\x05\x03\x01\x00\x01\x07\x05\x01"
			  "\x01\x6d\x02\x00"
			  "\x02\x04\x01\x00\x00\x00\x06\x07\x01\x00\x02\x01\x00\x01\x6d\x07\x05\x01"
			  "\x40\x00\x00\x73"
			  "\x0a\x06\x01\x00\x01\x66\x01\x00\x08\x07\x01\x01\x00\x00\x01\x03\x00"),
			WE_E_INVALID, "`realloc` is required"},
		// (component (core module $m (func (export "f"))) (core instance $i (instantiate $m))
		// (alias core export $i "f" (core func $f)) (func (param "a" u32) (canon lift (core
		// func $f))))
		{SECTIONS("\x01\x1f\x00\x61\x73\x6d\x01\x00\x00\x00\x01\x04\x01\x60\x00\x00\x03\x02"
			  "\x01\x00\x07\x05"
			  "\x01\x01\x66\x00\x00\x0a\x04\x01\x02\x00\x0b\x02\x04\x01\x00\x00\x00\x06"
			  "\x07\x01\x00\x00"
			  "\x01\x00\x01\x66\x07\x08\x01\x40\x01\x01\x61\x79\x01\x00\x08\x06\x01\x00"
			  "\x00\x00\x00\x00"),
			WE_E_INVALID, "expected (func (param i32)"},
		// (component (import "f" (func $f)) (core func (canon lower (func $f) async)))
		{SECTIONS("\x07\x05\x01\x40\x00\x01\x00\x0a\x06\x01\x00\x01\x66\x01\x00\x08\x06\x01"
			  "\x01\x00\x00\x01"
			  "\x06"),
			WE_E_INVALID, "requires an async function type"},
		// (component (type $s (stream u8)) (core func (canon stream.read $s async)))
		{SECTIONS("\x07\x04\x01\x66\x01\x7d\x08\x05\x01\x0f\x00\x01\x06"), WE_E_INVALID,
			"`memory` is required"},
		// (component (component $c (import "a" (func))) (instance (instantiate $c)))
		{SECTIONS("\x04\x17\x00\x61\x73\x6d\x0d\x00\x01\x00\x07\x05\x01\x40\x00\x01\x00\x0a"
			  "\x06\x01\x00\x01"
			  "\x61\x01\x00\x05\x04\x01\x00\x00\x00"),
			WE_E_INVALID, "missing import named `a`"},
		// (component (import "f" (func $f (param "a" string))) (component $c (import "a" (func
		// (param "a" u32)))) (instance (instantiate $c (with "a" (func $f)))))
		{SECTIONS("\x07\x08\x01\x40\x01\x01\x61\x73\x01\x00\x0a\x06\x01\x00\x01\x66\x01\x00"
			  "\x04\x1a\x00\x61"
			  "\x73\x6d\x0d\x00\x01\x00\x07\x08\x01\x40\x01\x01\x61\x79\x01\x00\x0a\x06"
			  "\x01\x00\x01\x61"
			  "\x01\x00\x05\x08\x01\x00\x00\x01\x01\x61\x01\x00"),
			WE_E_INVALID, "import `a`: expected func(a: u32), found func(a: string)"},
		// (component (type $r (record (field "x" u8))) (import "f" (func (result $r))))
		{SECTIONS("\x07\x0a\x02\x72\x01\x01\x78\x7d\x40\x00\x00\x00\x0a\x06\x01\x00\x01\x66"
			  "\x01\x01"),
			WE_E_INVALID, "mentions a type without a name"},
		// (component (instance $i) (export "a" (instance $i)) (export "A" (instance $i)))
		{SECTIONS("\x05\x03\x01\x01\x00\x0b\x0d\x02\x00\x01\x61\x05\x00\x00\x00\x01\x41\x05"
			  "\x00\x00"),
			WE_E_INVALID, "`A` conflicts with previous name `a`"},
		// (component (core module $m (import "a" "b" (func))) (core instance (instantiate $m)))
		{SECTIONS("\x01\x17\x00\x61\x73\x6d\x01\x00\x00\x00\x01\x04\x01\x60\x00\x00\x02\x07"
			  "\x01\x01\x61\x01"
			  "\x62\x00\x00\x02\x04\x01\x00\x00\x00"),
			WE_E_INVALID, "argument named `a`"},
		// (component (core module $m) (core instance $i (instantiate $m)) (alias core export $i
		// "f" (core func)))
		{SECTIONS("\x01\x08\x00\x61\x73\x6d\x01\x00\x00\x00\x02\x04\x01\x00\x00\x00\x06\x07"
			  "\x01\x00\x00\x01"
			  "\x00\x01\x66"),
			WE_E_INVALID, "has no export named `f`"},
		// (component (type $R (resource (rep i32))) (import "b" (type (eq $R))))
		{SECTIONS("\x07\x04\x01\x3f\x7f\x00\x0a\x07\x01\x00\x01\x62\x03\x00\x00"),
			WE_E_INVALID, "local resource type found in imports"},
		// (component (type $R (resource (rep i32))) (type (func (result (borrow $R)))))
		{SECTIONS("\x07\x0a\x03\x3f\x7f\x00\x68\x00\x40\x00\x00\x01"), WE_E_INVALID,
			"cannot contain a `borrow`"},
		// (component (core type (module (import "" "" (memory 70000)))))
		{SECTIONS("\x03\x0b\x01\x50\x01\x00\x00\x00\x02\x00\xf0\xa2\x04"), WE_E_INVALID,
			"core type: "},
		// (component (type $i (instance (export "r" (type (sub resource))))) (import "a"
		// (instance $a (type $i))) (import "b" (instance $b (type $i))) (alias export $a "r"
		// (type $ra)) (alias export $b "r" (type $rb)) (component $c (import "x" (type $x (sub
		// resource))) (import "y" (type (eq $x)))) (instance (instantiate $c (with "x" (type
		// $ra)) (with "y" (type $rb)))))
		{SECTIONS("\x07\x09\x01\x42\x01\x04\x00\x01\x72\x03\x01\x0a\x0b\x02\x00\x01\x61\x05"
			  "\x00\x00\x01\x62"
			  "\x05\x00\x06\x0b\x02\x03\x00\x00\x01\x72\x03\x00\x01\x01\x72\x04\x16\x00"
			  "\x61\x73\x6d\x0d"
			  "\x00\x01\x00\x0a\x0c\x02\x00\x01\x78\x03\x01\x00\x01\x79\x03\x00\x00\x05"
			  "\x0c\x01\x00\x00"
			  "\x02\x01\x78\x03\x01\x01\x79\x03\x02"),
			WE_E_INVALID, "resource types are not the same"},
		// (component (import "f" (func $f)) (component $c (import "g" (func $g)) (export "h"
		// (func $g))) (instance $i (instantiate $c (with "g" (func $f)))) (alias export $i "h"
		// (func $h)) (export "k" (func $h)))
		{SECTIONS("\x07\x05\x01\x40\x00\x01\x00\x0a\x06\x01\x00\x01\x66\x01\x00\x04\x20\x00"
			  "\x61\x73\x6d\x0d"
			  "\x00\x01\x00\x07\x05\x01\x40\x00\x01\x00\x0a\x06\x01\x00\x01\x67\x01\x00"
			  "\x0b\x07\x01\x00"
			  "\x01\x68\x01\x00\x00\x05\x08\x01\x00\x00\x01\x01\x67\x01\x00\x06\x06\x01"
			  "\x01\x00\x00\x01"
			  "\x68\x0b\x07\x01\x00\x01\x6b\x01\x01\x00"),
			0, ""},
	};

	(void)state;
	check_small(cases, sizeof(cases) / sizeof(cases[0]));
}

static void names_in_messages_carry_no_control_bytes(void **state)
{
	static const struct small hostile[] = {
		{SECTIONS("\x07\x03\x01\x42\x00\x0a\x08\x01\x00\x03"
			  "\x1b[m\x05\x00"),
			WE_E_INVALID, "`?[m`"},
	};

	(void)state;
	check_small(hostile, 1);
}

static void feature_left_to_instantiation_is_named(void **state)
{
	static const char sections[] = "\x07\x04\x01\x67\x7d\x04"; // (type (list u8 4))
	struct cm_component *component = NULL;
	uint8_t binary[sizeof(preamble) + sizeof(sections) - 1];
	struct we_error err;
	uint64_t offset = 0;

	(void)state;
	memcpy(binary, preamble, sizeof(preamble));
	memcpy(binary + sizeof(preamble), sections, sizeof(sections) - 1);
	assert_int_equal(cm_component_create(engine, (struct we_bytes){binary, sizeof(binary)},
				 &component, &err),
		0);
	assert_int_equal(cm_component_refused(component, &offset), CM_FEATURE_FIXED_LISTS);
	assert_int_equal(offset, 11);
	cm_component_unref(component);
}

static void core_module_is_told_from_a_component(void **state)
{
	static const uint8_t module[] = {0x00, 0x61, 0x73, 0x6d, 0x01, 0x00, 0x00, 0x00};
	struct we_error err;

	(void)state;
	assert_true(cm_is_component((struct we_bytes){preamble, sizeof(preamble)}));
	assert_false(cm_is_component((struct we_bytes){module, sizeof(module)}));
	assert_false(cm_is_component((struct we_bytes){preamble, 7}));
	assert_false(cm_is_component((struct we_bytes){NULL, 0}));
	assert_int_equal(create(module, sizeof(module), &err), WE_E_MALFORMED);
	assert_non_null(strstr(err.msg, "core module"));
}

// Components inside each other, each with a section for the next, written from the inside.
static void nesting_beyond_the_limit_is_refused(void **state)
{
	static uint8_t binary[4096];
	size_t at = sizeof(binary);
	struct we_error err;

	(void)state;
	for (int depth = 0; depth <= CM_MAX_NESTING; depth++) {
		const size_t len = sizeof(binary) - at;

		if (depth > 0) {
			binary[--at] = (uint8_t)(len >> 7);
			binary[--at] = (uint8_t)(len | 0x80);
			binary[--at] = 0x04;
		}
		at -= sizeof(preamble);
		memcpy(binary + at, preamble, sizeof(preamble));
		if (depth < CM_MAX_NESTING)
			assert_int_equal(create(binary + at, sizeof(binary) - at, &err), 0);
	}
	assert_int_equal(create(binary + at, sizeof(binary) - at, &err), WE_E_INVALID);
	assert_non_null(strstr(err.msg, "nested"));
}

// Each type is a tuple of the one before, twice: comparing the last as trees would take for ever.
static void types_that_double_are_refused(void **state)
{
	uint8_t binary[300];
	size_t at = sizeof(preamble);
	struct we_error err;

	(void)state;
	memcpy(binary, preamble, sizeof(preamble));
	binary[at++] = 0x07;
	binary[at++] = 2 + 40 * 4; // 2-byte length below 0x80 is not enough: see the next byte
	binary[at - 1] |= 0x80;
	binary[at++] = (2 + 40 * 4) >> 7;
	binary[at++] = 41;
	binary[at++] = 0x73;
	for (uint8_t i = 0; i < 40; i++) {
		binary[at++] = 0x6f;
		binary[at++] = 2;
		binary[at++] = i;
		binary[at++] = i;
	}
	assert_int_equal(create(binary, at, &err), WE_E_INVALID);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(component_tells_its_imports_and_exports),
		cmocka_unit_test(component_prints_its_world),
		cmocka_unit_test(definitions_fill_their_index_spaces_in_order),
		cmocka_unit_test(truncated_component_never_passes_as_whole),
		cmocka_unit_test(damaged_component_never_crashes),
		cmocka_unit_test(creation_without_memory_fails_cleanly),
		cmocka_unit_test(small_components_get_their_class_and_message),
		cmocka_unit_test(composed_components_get_their_class_and_message),
		cmocka_unit_test(names_in_messages_carry_no_control_bytes),
		cmocka_unit_test(feature_left_to_instantiation_is_named),
		cmocka_unit_test(core_module_is_told_from_a_component),
		cmocka_unit_test(nesting_beyond_the_limit_is_refused),
		cmocka_unit_test(types_that_double_are_refused),
	};
	FILE *file = argc > 1 ? fopen(argv[1], "rb") : NULL;
	int rc;

	if (file == NULL)
		return 1;
	sample_len = fread(sample, 1, sizeof(sample), file);
	fclose(file);
	if (we_engine_create(NULL, &engine, NULL) < 0)
		return 1;
	rc = cmocka_run_group_tests_name("cm_component", tests, NULL, NULL);
	we_engine_destroy(engine);
	return rc;
}
