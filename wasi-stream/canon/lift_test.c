// SPDX-License-Identifier: BSD-3-Clause
// Values from and to guests: every type in both directions, and everything that a hostile guest can put in
// their place. Spec: CanonicalABI.md "Loading", "Storing", "Flat Lifting", "Flat Lowering".
#include "lift.h"
#include "lower.h"
#include "rig.h"
#include "value.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

enum {
	AT = 256, // where values are laid
};

static struct cm_cx cx_of(struct rig *rig, const struct cm_options *opts)
{
	return (struct cm_cx){.inst = rig->inst, .opts = opts};
}

static struct cm_val bits(enum cm_kind kind, uint64_t value)
{
	return (struct cm_val){.kind = kind, .of.bits = value};
}

static struct cm_val text(const char *string)
{
	return (struct cm_val){
		.kind = CM_STRING, .n = (uint32_t)strlen(string), .of.string = string};
}

// To guest memory and back, and to core values and back.
static void assert_round_trip(
	struct rig *rig, enum cm_encoding encoding, const char *wit, const struct cm_val *val)
{
	const struct cm_options opts = rig_options(rig, encoding, false);
	const struct cm_cx cx = cx_of(rig, &opts);
	const struct cm_type *type = rig_type(rig, wit);
	uint64_t slots[CM_MAX_FLAT_PARAMS];
	struct cm_val back;

	assert_int_equal(cm_val_check(rig->store, val, type, &rig->err), 0);
	assert_int_equal(cm_store_val(&cx, val, type, AT, &rig->err), 0);
	assert_int_equal(cm_load(&cx, AT, type, &back, &rig->err), 0);
	if (!cm_val_equal(val, &back))
		fail_msg("%s differs through memory", wit);
	assert_int_equal(
		cm_lower_flat_result(&cx, CM_MAX_FLAT_PARAMS, val, type, AT, slots, &rig->err), 0);
	slots[0] = type->n_flat > CM_MAX_FLAT_PARAMS ? AT : slots[0];
	assert_int_equal(
		cm_lift_flat_result(&cx, CM_MAX_FLAT_PARAMS, slots, type, &back, &rig->err), 0);
	if (!cm_val_equal(val, &back))
		fail_msg("%s differs through core values", wit);
}

// ---- every type ---------------------------------------------------------------------------------

static void scalars_keep_their_bits(void **state)
{
	static const struct {
		const char *wit;
		enum cm_kind kind;
		uint64_t bits;
	} cases[] = {
		{"bool", CM_BOOL, 1},
		{"s8", CM_S8, 0x80},
		{"u8", CM_U8, 0xff},
		{"s16", CM_S16, 0x8001},
		{"u16", CM_U16, 0xffff},
		{"s32", CM_S32, 0x80000001},
		{"u32", CM_U32, UINT32_MAX},
		{"s64", CM_S64, UINT64_MAX},
		{"u64", CM_U64, UINT64_MAX - 1},
		{"f32", CM_F32, 0x80000000},
		{"f32", CM_F32, 0x7f800000},
		{"f64", CM_F64, 0x8000000000000000},
		{"f64", CM_F64, 0xfff0000000000000},
		{"char", CM_CHAR, 0x10ffff},
		{"char", CM_CHAR, 0xd7ff},
		{"char", CM_CHAR, 0xe000},
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		const struct cm_val val = bits(cases[i].kind, cases[i].bits);
		assert_round_trip(*state, CM_ENCODING_UTF8, cases[i].wit, &val);
	}
}

static void compounds_keep_their_parts(void **state)
{
	const struct cm_val strings[2] = {text("one"), text("")};
	const struct cm_val list = {.kind = CM_LIST, .n = 2, .of.elems = strings};
	const struct cm_val some = {.kind = CM_VARIANT, .n = 1, .of.payload = &list};
	const struct cm_val none = {.kind = CM_VARIANT};
	const struct cm_val f = bits(CM_F32, 0x40490fdb);
	const struct cm_val ok = {.kind = CM_VARIANT, .n = 0, .of.payload = &f};
	const struct cm_val wide = bits(CM_U64, UINT64_MAX);
	const struct cm_val error = {.kind = CM_VARIANT, .n = 1, .of.payload = &wide};
	const struct cm_val parts[5] = {
		bits(CM_U8, 7), bits(CM_U64, 8), bits(CM_BOOL, 1), text("t"), bits(CM_U16, 9)};
	const struct cm_val tuple = {.kind = CM_TUPLE, .n = 5, .of.elems = parts};
	const struct cm_val tuples[3] = {tuple, tuple, tuple};
	const struct cm_val list_of_tuples = {.kind = CM_LIST, .n = 3, .of.elems = tuples};
	const struct cm_val empty = {.kind = CM_LIST, .of.elems = NULL};
	const struct cm_val bytes[3] = {bits(CM_U8, 1), bits(CM_U8, 0), bits(CM_U8, 255)};
	const struct cm_val blob = {.kind = CM_LIST, .n = 3, .of.elems = bytes};

	assert_round_trip(*state, CM_ENCODING_UTF8, "list<string>", &list);
	assert_round_trip(*state, CM_ENCODING_UTF8, "option<list<string>>", &some);
	assert_round_trip(*state, CM_ENCODING_UTF8, "option<list<string>>", &none);
	assert_round_trip(*state, CM_ENCODING_UTF8, "result<f32, u64>", &ok);
	assert_round_trip(*state, CM_ENCODING_UTF8, "result<f32, u64>", &error);
	assert_round_trip(*state, CM_ENCODING_UTF8, "tuple<u8, u64, bool, string, u16>", &tuple);
	assert_round_trip(*state, CM_ENCODING_UTF8, "list<tuple<u8, u64, bool, string, u16>>",
		&list_of_tuples);
	assert_round_trip(*state, CM_ENCODING_UTF8, "list<u64>", &empty);
	assert_round_trip(*state, CM_ENCODING_UTF8, "list<u8>", &blob);
}

static void strings_pass_in_every_encoding(void **state)
{
	static const char *const strings[] = {"", "a", "abc", "\u00e9", "na\u00efve \u00ff",
		"\u0100", "\u00e9\u20ac", "\u20ac\u00e9", "\U0001f370", "a\U0001f370b\U00010000",
		"\u07ff\u0800\uffff\ufffd", "x\u00e9\u20ac\U0010ffff"};

	for (size_t i = 0; i < sizeof(strings) / sizeof(strings[0]); i++) {
		const struct cm_val val = text(strings[i]);

		assert_round_trip(*state, CM_ENCODING_UTF8, "string", &val);
		assert_round_trip(*state, CM_ENCODING_UTF16, "string", &val);
		assert_round_trip(*state, CM_ENCODING_LATIN1_UTF16, "string", &val);
	}
}

static void latin1_is_used_while_it_can(void **state)
{
	static const struct {
		const char *string;
		uint32_t units;
		const char *bytes;
		uint32_t len;
	} cases[] = {
		{"na\u00efve", 5, "na\xefve", 5},
		{"a\u20ac", 2 | 1u << 31, "a\0\xac\x20", 4},
		{"\u00e9\u00e9\u0101", 3 | 1u << 31, "\xe9\0\xe9\0\x01\x01", 6},
	};
	struct rig *rig = *state;
	const struct cm_options opts = rig_options(rig, CM_ENCODING_LATIN1_UTF16, false);
	const struct cm_cx cx = cx_of(rig, &opts);

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		const struct cm_val val = text(cases[i].string);

		assert_int_equal(
			cm_store_val(&cx, &val, rig_type(rig, "string"), AT, &rig->err), 0);
		assert_int_equal(rig_u32(rig, AT + 4), cases[i].units);
		assert_memory_equal(rig_bytes(rig, rig_u32(rig, AT), cases[i].len), cases[i].bytes,
			cases[i].len);
	}
}

static void core_values_are_cut_to_the_type(void **state)
{
	static const struct {
		const char *wit;
		uint64_t slot;
		uint64_t bits;
	} cases[] = {
		{"bool", 0x100, 1},
		{"bool", 0xffffffff00000000, 0}, // the upper half of an i32 slot is not looked at
		{"u8", 0x1ff, 0xff},
		{"s8", 0xffffff80, 0x80},
		{"u16", 0x12345, 0x2345},
		{"u32", 0xdeadbeef00000001, 1},
		{"f32", 0xffffffffff800001, 0x7fc00000}, // NaNs are made canonical
		{"f64", 0xfff0000000000001, 0x7ff8000000000000},
	};
	struct rig *rig = *state;
	const struct cm_options opts = rig_options(rig, CM_ENCODING_UTF8, false);
	const struct cm_cx cx = cx_of(rig, &opts);

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct cm_val val;

		assert_int_equal(cm_lift_flat_result(&cx, 1, &cases[i].slot,
					 rig_type(rig, cases[i].wit), &val, &rig->err),
			0);
		if (val.of.bits != cases[i].bits)
			fail_msg("case %zu: %#lx", i, (unsigned long)val.of.bits);
	}
}

static void signed_values_are_extended_to_the_core_value(void **state)
{
	struct rig *rig = *state;
	const struct cm_options opts = rig_options(rig, CM_ENCODING_UTF8, false);
	const struct cm_cx cx = cx_of(rig, &opts);
	const struct cm_val s8 = bits(CM_S8, 0x80);
	const struct cm_val s16 = bits(CM_S16, 0x8000);
	uint64_t slot;

	assert_int_equal(
		cm_lower_flat_result(&cx, 1, &s8, rig_type(rig, "s8"), 0, &slot, &rig->err), 0);
	assert_int_equal(slot, 0xffffff80);
	assert_int_equal(
		cm_lower_flat_result(&cx, 1, &s16, rig_type(rig, "s16"), 0, &slot, &rig->err), 0);
	assert_int_equal(slot, 0xffff8000);
}

static void unused_flat_values_of_a_case_are_zero(void **state)
{
	struct rig *rig = *state;
	const struct cm_options opts = rig_options(rig, CM_ENCODING_UTF8, false);
	const struct cm_cx cx = cx_of(rig, &opts);
	const struct cm_val byte = bits(CM_U8, 5);
	const struct cm_val ok = {.kind = CM_VARIANT, .n = 0, .of.payload = &byte};
	uint64_t slots[4] = {9, 9, 9, 9};

	assert_int_equal(cm_lower_flat_result(&cx, 16, &ok, rig_type(rig, "result<u8, string>"), 0,
				 slots, &rig->err),
		0);
	assert_int_equal(slots[0], 0);
	assert_int_equal(slots[1], 5);
	assert_int_equal(slots[2], 0);
	assert_int_equal(slots[3], 9); // not its own
}

// ---- hostile values in memory -------------------------------------------------------------------

// Lift a value that lies at AT as these words.
static void lifting_traps(struct rig *rig, enum cm_encoding encoding, const char *wit,
	const char *why, const uint32_t *words, uint32_t n_words)
{
	const struct cm_options opts = rig_options(rig, encoding, false);
	const struct cm_cx cx = cx_of(rig, &opts);
	struct cm_val val;

	memcpy(rig_bytes(rig, AT, n_words * 4), words, n_words * 4);
	assert_int_equal(cm_load(&cx, AT, rig_type(rig, wit), &val, &rig->err), WE_E_TRAP);
	if (memcmp(rig->err.msg, why, strlen(why)) != 0)
		fail_msg("%s: wanted %s, found %s", wit, why, rig->err.msg);
}

static void hostile_pointers_and_lengths_trap(void **state)
{
	static const struct {
		const char *wit;
		enum cm_encoding encoding;
		uint32_t ptr;
		uint32_t len;
		const char *why;
	} cases[] = {
		{"string", CM_ENCODING_UTF8, RIG_MEMORY, 1, "string content out-of-bounds"},
		{"string", CM_ENCODING_UTF8, RIG_MEMORY - 1, 2, "string content out-of-bounds"},
		{"string", CM_ENCODING_UTF8, UINT32_MAX, 2, "string content out-of-bounds"},
		{"string", CM_ENCODING_UTF8, UINT32_MAX, 0, "string content out-of-bounds"},
		{"string", CM_ENCODING_UTF8, 0, 1 << 28, "string of more than"},
		{"string", CM_ENCODING_UTF8, 0, UINT32_MAX, "string of more than"},
		{"string", CM_ENCODING_UTF16, 1, 0, "unaligned pointer"},
		{"string", CM_ENCODING_UTF16, RIG_MEMORY - 2, 2, "string content out-of-bounds"},
		{"string", CM_ENCODING_UTF16, 0, 1 << 27, "string of more than"},
		{"string", CM_ENCODING_UTF16, 0, 1u << 31, "string of more than"},
		{"string", CM_ENCODING_LATIN1_UTF16, 1, 0, "unaligned pointer"},
		{"string", CM_ENCODING_LATIN1_UTF16, 1, 1u << 31, "unaligned pointer"},
		{"string", CM_ENCODING_LATIN1_UTF16, RIG_MEMORY - 2, 2 | 1u << 31,
			"string content out-of-bounds"},
		{"string", CM_ENCODING_LATIN1_UTF16, 0, UINT32_MAX, "string of more than"},
		{"list<u32>", CM_ENCODING_UTF8, 2, 0, "unaligned pointer"},
		{"list<u32>", CM_ENCODING_UTF8, RIG_MEMORY - 4, 2, "list content out-of-bounds"},
		{"list<u32>", CM_ENCODING_UTF8, 0, 1 << 26, "list of more than"},
		{"list<u32>", CM_ENCODING_UTF8, 4, 0x40000000, "list of more than"}, // * 4 is 0
		{"list<u8>", CM_ENCODING_UTF8, 1, UINT32_MAX, "list of more than"},
		{"list<u8>", CM_ENCODING_UTF8, UINT32_MAX, 1, "list content out-of-bounds"},
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		const uint32_t words[2] = {cases[i].ptr, cases[i].len};
		lifting_traps(*state, cases[i].encoding, cases[i].wit, cases[i].why, words, 2);
	}
}

static void hostile_discriminants_and_code_points_trap(void **state)
{
	static const struct {
		const char *wit;
		uint32_t word;
		const char *why;
	} cases[] = {
		{"option<u32>", 2, "invalid variant discriminant 2"},
		{"option<u32>", 0xff, "invalid variant discriminant 255"},
		{"result<u8, u8>", 3, "invalid variant discriminant 3"},
		{"char", 0xd800, "invalid `char` bit pattern"},
		{"char", 0xdfff, "invalid `char` bit pattern"},
		{"char", 0x110000, "invalid `char` bit pattern"},
		{"char", UINT32_MAX, "invalid `char` bit pattern"},
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		lifting_traps(
			*state, CM_ENCODING_UTF8, cases[i].wit, cases[i].why, &cases[i].word, 1);
}

static void broken_strings_trap(void **state)
{
	static const struct {
		enum cm_encoding encoding;
		char bytes[5];
		uint32_t units;
		const char *why;
	} cases[] = {
		{CM_ENCODING_UTF8, "\xff", 1, "invalid utf-8"},
		{CM_ENCODING_UTF8, "a\x80", 2, "invalid utf-8"},
		{CM_ENCODING_UTF8, "\xc0\x80", 2, "invalid utf-8"},
		{CM_ENCODING_UTF8, "\xed\xa0\x80", 3, "invalid utf-8"},
		{CM_ENCODING_UTF8, "\xf4\x90\x80\x80", 4, "invalid utf-8"},
		{CM_ENCODING_UTF8, "a\xe2\x82", 3, "incomplete utf-8 byte sequence"},
		{CM_ENCODING_UTF8, "\xf0\x9f\x8d", 3, "incomplete utf-8 byte sequence"},
		{CM_ENCODING_UTF16, "\x00\xd8", 1, "invalid utf-16"},
		{CM_ENCODING_UTF16, "\x00\xdc", 1, "invalid utf-16"},
		{CM_ENCODING_UTF16, "\x00\xd8\x41\x00", 2, "invalid utf-16"},
		{CM_ENCODING_LATIN1_UTF16, "\x00\xd8", 1 | 1u << 31, "invalid utf-16"},
	};
	struct rig *rig = *state;

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		const uint32_t words[2] = {1024, cases[i].units};

		memcpy(rig_bytes(rig, 1024, 4), cases[i].bytes, 4);
		lifting_traps(rig, cases[i].encoding, "string", cases[i].why, words, 2);
	}
}

static void values_that_grow_in_the_host_are_limited(void **state)
{
	const struct cm_limits limits = {.value_bytes = 4096};
	const uint32_t words[2] = {4096, 60000};
	struct cm_options opts;
	struct cm_val val;
	struct rig rig;
	struct cm_cx cx;

	(void)state;
	assert_int_equal(rig_init(&rig, &limits), 0);
	opts = rig_options(&rig, CM_ENCODING_UTF8, false);
	cx = cx_of(&rig, &opts);
	memcpy(rig_bytes(&rig, AT, 8), words, 8);
	assert_int_equal(
		cm_load(&cx, AT, rig_type(&rig, "list<u8>"), &val, &rig.err), WE_E_EXHAUSTED);
	assert_int_equal(
		cm_load(&cx, AT, rig_type(&rig, "string"), &val, &rig.err), WE_E_EXHAUSTED);
	rig_fini(&rig);
}

// ---- parameters in memory -----------------------------------------------------------------------

static void parameters_beyond_sixteen_go_through_memory(void **state)
{
	struct rig *rig = *state;
	const struct cm_options opts = rig_options(rig, CM_ENCODING_UTF8, false);
	const struct cm_cx cx = cx_of(rig, &opts);
	const struct cm_type *func =
		rig_functype(rig, "func(a: u8, b: tuple<u64, u64, u64, u64, u64, u64, u64, u64>, "
				  "c: tuple<u8, u8, u8, u8, u8, u8, u8, u8>, d: u32)");
	struct cm_val wide[8];
	struct cm_val narrow[8];
	struct cm_val args[4];
	struct cm_val back[4];
	uint64_t slots[CM_FLAT_SPILLED];

	for (uint32_t i = 0; i < 8; i++) {
		wide[i] = bits(CM_U64, i << 20);
		narrow[i] = bits(CM_U8, i);
	}
	args[0] = bits(CM_U8, 77);
	args[1] = (struct cm_val){.kind = CM_TUPLE, .n = 8, .of.elems = wide};
	args[2] = (struct cm_val){.kind = CM_TUPLE, .n = 8, .of.elems = narrow};
	args[3] = bits(CM_U32, 0x12345678);
	assert_int_equal(cm_lower_flat_params(&cx, args, func, slots, &rig->err), 0);
	assert_int_equal(slots[0] % 8, 0);
	assert_int_equal(
		cm_lift_flat_params(&cx, CM_MAX_FLAT_PARAMS, slots, func, back, &rig->err), 0);
	for (int i = 0; i < 4; i++)
		assert_true(cm_val_equal(&args[i], &back[i]));
	slots[0] += 4;
	assert_int_equal(cm_lift_flat_params(&cx, CM_MAX_FLAT_PARAMS, slots, func, back, &rig->err),
		WE_E_TRAP);
	slots[0] = RIG_MEMORY - 80;
	assert_int_equal(cm_lift_flat_params(&cx, CM_MAX_FLAT_PARAMS, slots, func, back, &rig->err),
		WE_E_TRAP);
}

// ---- realloc that lies --------------------------------------------------------------------------

static void every_bad_answer_of_realloc_traps(void **state)
{
	static const struct {
		const char *wit;
		enum cm_encoding encoding;
		uint32_t answer;
		const char *why;
	} cases[] = {
		{"string", CM_ENCODING_UTF8, RIG_MEMORY - 4, "realloc return: beyond end"},
		{"string", CM_ENCODING_UTF8, RIG_MEMORY, "realloc return: beyond end"},
		{"string", CM_ENCODING_UTF8, UINT32_MAX, "realloc return: beyond end"},
		{"string", CM_ENCODING_UTF16, 1, "realloc return: result not aligned"},
		{"string", CM_ENCODING_UTF16, RIG_MEMORY - 2, "realloc return: beyond end"},
		{"string", CM_ENCODING_UTF16, UINT32_MAX - 1, "realloc return: beyond end"},
		{"string", CM_ENCODING_LATIN1_UTF16, 1, "realloc return: result not aligned"},
		{"string", CM_ENCODING_LATIN1_UTF16, RIG_MEMORY - 2, "realloc return: beyond end"},
		{"list<u64>", CM_ENCODING_UTF8, 4, "realloc return: result not aligned"},
		{"list<u64>", CM_ENCODING_UTF8, RIG_MEMORY - 8, "realloc return: beyond end"},
		{"list<u64>", CM_ENCODING_UTF8, UINT32_MAX - 7, "realloc return: beyond end"},
	};
	struct rig *rig = *state;
	const struct cm_val numbers[2] = {bits(CM_U64, 1), bits(CM_U64, 2)};
	const struct cm_val list = {.kind = CM_LIST, .n = 2, .of.elems = numbers};
	const struct cm_val string = text("hello \u20ac");

	rig->realloc_lies = true;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		const struct cm_options opts = rig_options(rig, cases[i].encoding, false);
		const struct cm_cx cx = cx_of(rig, &opts);
		const struct cm_type *type = rig_type(rig, cases[i].wit);

		rig->realloc_answer = cases[i].answer;
		assert_int_equal(cm_store_val(&cx, type->kind == CM_TYPE_STRING ? &string : &list,
					 type, AT, &rig->err),
			WE_E_TRAP);
		if (memcmp(rig->err.msg, cases[i].why, strlen(cases[i].why)) != 0)
			fail_msg("case %zu: %s", i, rig->err.msg);
		rig->inst->may_leave = true;
	}
}

// Second answers, when a string turns out not to be Latin-1, and when it is shrunk.
static int lie_from_the_second_call_on(struct rig *rig, uint64_t *slots, struct we_error *err)
{
	(void)slots;
	(void)err;
	rig->realloc_lies = rig->test != NULL;
	rig->test = rig;
	return 0;
}

static void later_answers_of_realloc_are_checked_too(void **state)
{
	static const struct {
		enum cm_encoding encoding;
		const char *string;
		uint32_t answer;
	} cases[] = {
		{CM_ENCODING_LATIN1_UTF16, "a\u20ac", 1},
		{CM_ENCODING_LATIN1_UTF16, "a\u20ac", RIG_MEMORY - 2},
		{CM_ENCODING_LATIN1_UTF16, "\u00e9", 3},
		{CM_ENCODING_LATIN1_UTF16, "\u00e9", RIG_MEMORY},
		{CM_ENCODING_UTF16, "\u00e9", 3},
		{CM_ENCODING_UTF16, "\u00e9", RIG_MEMORY},
	};
	struct rig *rig = *state;

	rig->in_realloc = lie_from_the_second_call_on;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		const struct cm_options opts = rig_options(rig, cases[i].encoding, false);
		const struct cm_cx cx = cx_of(rig, &opts);
		const struct cm_val val = text(cases[i].string);

		rig->realloc_lies = false;
		rig->test = NULL;
		rig->realloc_answer = cases[i].answer;
		assert_int_equal(
			cm_store_val(&cx, &val, rig_type(rig, "string"), AT, &rig->err), WE_E_TRAP);
		rig->inst->may_leave = true;
	}
}

static int trap_at_once(struct rig *rig, uint64_t *slots, struct we_error *err)
{
	(void)rig;
	(void)slots;
	return we_error_trap(err, WE_TRAP_UNREACHABLE, 0, WE_NO_FUNC, NULL);
}

static void trap_in_realloc_comes_through(void **state)
{
	struct rig *rig = *state;
	const struct cm_options opts = rig_options(rig, CM_ENCODING_UTF8, false);
	const struct cm_cx cx = cx_of(rig, &opts);
	const struct cm_val val = text("x");

	rig->in_realloc = trap_at_once;
	assert_int_equal(
		cm_store_val(&cx, &val, rig_type(rig, "string"), AT, &rig->err), WE_E_TRAP);
	assert_int_equal(rig->err.trap, WE_TRAP_UNREACHABLE);
}

// ---- values of the host -------------------------------------------------------------------------

static void values_of_other_types_are_found(void **state)
{
	struct rig *rig = *state;
	const struct cm_val u8 = bits(CM_U8, 1);
	const struct cm_val u32 = bits(CM_U32, 1);
	const struct {
		const char *wit;
		struct cm_val val;
	} cases[] = {
		{"bool", bits(CM_BOOL, 2)},
		{"u8", bits(CM_U8, 256)},
		{"s8", bits(CM_S8, UINT64_MAX)},
		{"u32", bits(CM_S32, 1)},
		{"char", bits(CM_CHAR, 0xd800)},
		{"f32", bits(CM_F32, 1ull << 32)},
		{"string", text("\xff")},
		{"string", {.kind = CM_STRING, .n = UINT32_MAX, .of.string = ""}},
		{"list<u32>", {.kind = CM_LIST, .n = 1, .of.elems = &u8}},
		{"list<u32>", {.kind = CM_LIST, .n = UINT32_MAX, .of.elems = &u32}},
		{"tuple<u32, u32>", {.kind = CM_TUPLE, .n = 1, .of.elems = &u32}},
		{"option<u32>", {.kind = CM_VARIANT, .n = 2}},
		{"option<u32>", {.kind = CM_VARIANT, .n = 1}},
		{"option<u32>", {.kind = CM_VARIANT, .n = 1, .of.payload = &u8}},
		{"stream<u8>", {.kind = CM_STREAM}},
		{"future<u8>", {.kind = CM_FUTURE}},
		{"stream<u8>", {.kind = CM_FUTURE}},
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		if (cm_val_check(rig->store, &cases[i].val, rig_type(rig, cases[i].wit),
			    &rig->err) != WE_E_INVALID)
			fail_msg("case %zu", i);
	}
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, rig_setup, rig_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(scalars_keep_their_bits),
		TEST(compounds_keep_their_parts),
		TEST(strings_pass_in_every_encoding),
		TEST(latin1_is_used_while_it_can),
		TEST(core_values_are_cut_to_the_type),
		TEST(signed_values_are_extended_to_the_core_value),
		TEST(unused_flat_values_of_a_case_are_zero),
		TEST(hostile_pointers_and_lengths_trap),
		TEST(hostile_discriminants_and_code_points_trap),
		TEST(broken_strings_trap),
		TEST(values_that_grow_in_the_host_are_limited),
		TEST(parameters_beyond_sixteen_go_through_memory),
		TEST(every_bad_answer_of_realloc_traps),
		TEST(later_answers_of_realloc_are_checked_too),
		TEST(trap_in_realloc_comes_through),
		TEST(values_of_other_types_are_found),
	};

	return cmocka_run_group_tests_name("cm_lift", tests, NULL, NULL);
}
