// SPDX-License-Identifier: BSD-3-Clause
// Structures, arrays and references of the interpreter at their edges; what constants, the host and exceptions hold while
// everything moves; a heap that is full and entries that are over their budget.
#include "test_draft.h"
#include "test_guest.h"

#include <stdio.h>

#define N(a)    (sizeof(a) / sizeof((a)[0]))
#define U32(x)  ((uint32_t)(x))
#define I31_MAX 0x3fffffff

static struct draft d;
static struct bytes b;
static struct guest g;

// A collection at every allocation, at which every object moves.
static int setup(void **state)
{
	const struct we_engine_config config = {.gc_stress = true};

	(void)state;
	guest_open(&g, &config, NULL);
	draft_begin(&d);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	guest_close(&g);
	return 0;
}

static struct we_instance *link(void)
{
	draft_end(&d, &b);
	draft_begin(&d);
	return guest_instance(&g, &b);
}

// ---- fields and elements -------------------------------------------------------------------------

static void packed_fields_and_elements_extend_as_asked(void **state)
{
	static const struct {
		const char *name;
		uint32_t in;
		uint32_t out;
	} rows[] = {
		{"8s", 0x80, 0xffffff80},
		{"8u", 0x80, 0x80},
		{"8s", 0x17f, 0x7f},
		{"8u", 0xfff, 0xff},
		{"16s", 0x8000, 0xffff8000},
		{"16u", 0x8000, 0x8000},
		{"16s", 0x17fff, 0x7fff},
		{"16u", 0xfffff, 0xffff},
	};
	const struct we_instance *inst;

	(void)state;
	draft_type(&d, "struct i8 mut:i8 mut:i16 i16");
	draft_type(&d, "array mut:i8");
	draft_type(&d, "array mut:i16");
	draft_type(&d, "func i32 -> i32");
	// through a field that is made, a field that is set, an element that is made, one that is filled, one that is set
	for (uint32_t i = 0; i < 4; i++) {
		const uint32_t width = i < 2 ? 8 : 16;
		const char sign = i % 2 == 0 ? 's' : 'u';
		char text[1024];
		char name[8];

		snprintf(name, sizeof(name), "%u%c", width, sign);
		snprintf(text, sizeof(text),
			"local.get 0 local.get 0 local.get 0 local.get 0 struct.new 0 local.tee 1"
			" struct.get_%c 0 %u local.set 3"
			" local.get 1 local.get 3 struct.set 0 %u local.get 1 struct.get_%c 0 %u"
			" local.get 3 i32.ne if void unreachable end"
			" local.get 0 i32.const 9 array.new %u local.tee 2 i32.const 8 "
			"array.get_%c %u"
			" local.get 3 i32.ne if void unreachable end"
			" local.get 2 i32.const 1 i32.const 0 i32.const 2 array.fill %u"
			" local.get 2 i32.const 2 array.get_%c %u if void unreachable end"
			" local.get 2 i32.const 3 array.get_%c %u local.get 3 i32.ne if void "
			"unreachable end"
			" local.get 2 i32.const 1 local.get 0 array.set %u"
			" local.get 2 i32.const 1 array.get_%c %u",
			sign, width == 8 ? 0 : 3, width == 8 ? 1 : 2, sign, width == 8 ? 1 : 2,
			width / 8, sign, width / 8, width / 8, sign, width / 8, sign, width / 8,
			width / 8, sign, width / 8);
		draft_func(
			&d, 3, width == 8 ? "ref?:0 ref?:1 i32" : "ref?:0 ref?:2 i32", text, name);
	}
	inst = link();
	for (size_t i = 0; i < N(rows); i++) {
		const uint32_t got = U32(guest_ask(&g, inst, rows[i].name, rows[i].in));

		if (got != rows[i].out)
			fail_msg("%s of 0x%x: 0x%x", rows[i].name, rows[i].in, got);
	}
}

// Fields of every storage between fields of another, and arrays of each: the values come back after everything has moved.
static void every_storage_holds_what_is_put_there(void **state)
{
	static const struct {
		const char *type;
		const char *x;    // a value that is not the default
		const char *is_x; // consumes a value: 1 if it is x
	} rows[] = {
		{"i32", "i32.const 0x81828384", "i32.const 0x81828384 i32.eq"},
		{"i64", "i64.const 0x8182838485868788", "i64.const 0x8182838485868788 i64.eq"},
		{"f32", "f32.const 1.5", "f32.const 1.5 f32.eq"},
		{"f64", "f64.const -2.25", "f64.const -2.25 f64.eq"},
		{"v128", "v128.const 0x1112131415161718 0x8182838485868788",
			"v128.const 0x1112131415161718 0x8182838485868788 i8x16.eq i8x16.all_true"},
		{"anyref", "i32.const 5 struct.new 0",
			"ref.cast 0 struct.get 0 0 i32.const 5 i32.eq"},
		{"eqref", "i32.const -7 ref.i31", "ref.cast i31 i31.get_s i32.const -7 i32.eq"},
		{"externref", "i32.const 6 struct.new 0 extern.convert_any",
			"any.convert_extern ref.cast 0 struct.get 0 0 i32.const 6 i32.eq"},
		{"funcref", "ref.func 0", "ref.test 1"},
		{"ref?:1", "ref.func 0", "call_ref 1 i32.const 77 i32.eq"},
		{"exnref",
			"block exnref try_table void 1 catch_all_ref 0 i32.const 8 throw 0 end"
			" unreachable end",
			"call 1 i32.const 8 i32.eq"},
		{"ref?:0", "i32.const 9 struct.new 0", "struct.get 0 0 i32.const 9 i32.eq"},
	};
	const struct we_instance *inst;

	(void)state;
	draft_type(&d, "struct i32");
	draft_type(&d, "func -> i32");
	draft_type(&d, "func i32 ->");
	draft_type(&d, "func exnref -> i32");
	draft_tag(&d, 2);
	draft_elem_funcs(&d, false, 0, 1);
	draft_func(&d, 1, "", "i32.const 77", NULL);
	draft_func(&d, 3, "",
		"block i32 try_table void 1 catch 0 0 local.get 0 throw_ref end unreachable end",
		NULL);
	for (size_t i = 0; i < N(rows); i++) {
		char text[2400];
		char name[8];
		const uint32_t s = d.n_types;

		snprintf(text, sizeof(text), "struct mut:i8 mut:%s mut:i8 mut:anyref mut:%s",
			rows[i].type, rows[i].type);
		draft_type(&d, text);
		snprintf(text, sizeof(text), "array mut:%s", rows[i].type);
		draft_type(&d, text);
		snprintf(name, sizeof(name), "%zu", i);
		snprintf(text, sizeof(text),
			"i32.const 1 %s i32.const 2 i32.const 3 ref.i31 %s struct.new %u local.set "
			"0"
			" %s i32.const 5 array.new %u local.set 1"
			" %s %s array.new_fixed %u 2 local.set 2"
			" struct.new_default %u local.set 3"
			" local.get 3 %s struct.set %u 4"
			" local.get 2 i32.const 1 %s array.set %u"
			" struct.new_default 0 drop"
			" local.get 0 struct.get %u 1 %s"
			" local.get 0 struct.get %u 4 %s i32.and"
			" local.get 1 i32.const 4 array.get %u %s i32.and"
			" local.get 2 i32.const 0 array.get %u %s i32.and"
			" local.get 2 i32.const 1 array.get %u %s i32.and"
			" local.get 3 struct.get %u 4 %s i32.and"
			" local.get 0 struct.get_u %u 0 i32.const 1 i32.eq i32.and"
			" local.get 0 struct.get_u %u 2 i32.const 2 i32.eq i32.and",
			rows[i].x, rows[i].x, s, rows[i].x, s + 1, rows[i].x, rows[i].x, s + 1, s,
			rows[i].x, s, rows[i].x, s + 1, s, rows[i].is_x, s, rows[i].is_x, s + 1,
			rows[i].is_x, s + 1, rows[i].is_x, s + 1, rows[i].is_x, s, rows[i].is_x, s,
			s);
		{
			char locals[80];

			snprintf(locals, sizeof(locals), "ref?:%u ref?:%u ref?:%u ref?:%u", s,
				s + 1, s + 1, s);
			draft_func(&d, 1, locals, text, name);
		}
	}
	inst = link();
	for (size_t i = 0; i < N(rows); i++) {
		char name[8];

		snprintf(name, sizeof(name), "%zu", i);
		if (U32(guest_ask(&g, inst, name, 0)) != 1)
			fail_msg("a %s is another one", rows[i].type);
	}
}

static void i31_keeps_31_bits(void **state)
{
	static const struct {
		uint32_t in;
		uint32_t s;
		uint32_t u;
	} rows[] = {
		{0, 0, 0},
		{UINT32_MAX, UINT32_MAX, 0x7fffffff},
		{I31_MAX, I31_MAX, I31_MAX},
		{I31_MAX + 1, 0xc0000000, 0x40000000},
		{0x80000000, 0, 0},
		{0xc0000000, 0xc0000000, 0x40000000},
		{0xbfffffff, I31_MAX, I31_MAX},
	};
	const struct we_instance *inst;

	(void)state;
	draft_type(&d, "func i32 -> i32");
	draft_func(&d, 0, "", "local.get 0 ref.i31 i31.get_s", "s");
	draft_func(&d, 0, "", "local.get 0 ref.i31 i31.get_u", "u");
	draft_func(&d, 0, "",
		"local.get 0 ref.i31 i32.const -1 i32.const 1 i32.shr_u local.get 0"
		" i32.and ref.i31 ref.eq",
		"same");
	inst = link();
	for (size_t i = 0; i < N(rows); i++) {
		if (U32(guest_ask(&g, inst, "s", rows[i].in)) != rows[i].s ||
			U32(guest_ask(&g, inst, "u", rows[i].in)) != rows[i].u ||
			U32(guest_ask(&g, inst, "same", rows[i].in)) != 1)
			fail_msg("i31 of 0x%x", rows[i].in);
	}
}

// ---- arrays in bulk ------------------------------------------------------------------------------

// Local 1 is an array 0 to 9 of bytes, 2 one of v128, 3 null; segments have 8 bytes and 4 functions; 4 is an array of funcref of
// length 3.
static const struct bulk {
	const char *code;
	enum we_trap trap;
} bulks[] = {
	{"local.get 1 i32.const 10 i32.const 0 i32.const 0 array.fill 0", WE_TRAP_NONE},
	{"local.get 1 i32.const 11 i32.const 0 i32.const 0 array.fill 0",
		WE_TRAP_ARRAY_OUT_OF_BOUNDS},
	{"local.get 1 i32.const 9 i32.const 0 i32.const 2 array.fill 0",
		WE_TRAP_ARRAY_OUT_OF_BOUNDS},
	{"local.get 1 i32.const 1 i32.const 0 i32.const -1 array.fill 0",
		WE_TRAP_ARRAY_OUT_OF_BOUNDS},
	{"local.get 1 i32.const -1 i32.const 0 i32.const 2 array.fill 0",
		WE_TRAP_ARRAY_OUT_OF_BOUNDS},
	{"local.get 3 i32.const 0 i32.const 0 i32.const 0 array.fill 0",
		WE_TRAP_NULL_ARRAY_REFERENCE},
	{"local.get 1 i32.const 10 local.get 1 i32.const 10 i32.const 0 array.copy 0 0",
		WE_TRAP_NONE},
	{"local.get 1 i32.const 1 local.get 1 i32.const 0 i32.const 10 array.copy 0 0",
		WE_TRAP_ARRAY_OUT_OF_BOUNDS},
	{"local.get 1 i32.const 0 local.get 1 i32.const 1 i32.const 10 array.copy 0 0",
		WE_TRAP_ARRAY_OUT_OF_BOUNDS},
	{"local.get 1 i32.const 0 local.get 1 i32.const -1 i32.const 1 array.copy 0 0",
		WE_TRAP_ARRAY_OUT_OF_BOUNDS},
	{"local.get 3 i32.const 0 local.get 1 i32.const 0 i32.const 0 array.copy 0 0",
		WE_TRAP_NULL_ARRAY_REFERENCE},
	{"local.get 1 i32.const 0 local.get 3 i32.const 0 i32.const 0 array.copy 0 0",
		WE_TRAP_NULL_ARRAY_REFERENCE},
	{"local.get 1 i32.const 2 i32.const 8 i32.const 0 array.init_data 0 0", WE_TRAP_NONE},
	{"local.get 1 i32.const 2 i32.const 0 i32.const 8 array.init_data 0 0", WE_TRAP_NONE},
	{"local.get 1 i32.const 3 i32.const 0 i32.const 8 array.init_data 0 0",
		WE_TRAP_ARRAY_OUT_OF_BOUNDS},
	{"local.get 1 i32.const 0 i32.const 1 i32.const 8 array.init_data 0 0",
		WE_TRAP_MEMORY_OUT_OF_BOUNDS},
	{"local.get 1 i32.const 0 i32.const -1 i32.const 2 array.init_data 0 0",
		WE_TRAP_MEMORY_OUT_OF_BOUNDS},
	{"local.get 2 i32.const 0 i32.const 0 i32.const 1 array.init_data 1 0",
		WE_TRAP_MEMORY_OUT_OF_BOUNDS}, // 16 bytes
	{"local.get 3 i32.const 0 i32.const 0 i32.const 0 array.init_data 0 0",
		WE_TRAP_NULL_ARRAY_REFERENCE},
	{"data.drop 0 local.get 1 i32.const 0 i32.const 0 i32.const 0 array.init_data 0 0",
		WE_TRAP_NONE},
	{"i32.const 0 i32.const 8 array.new_data 0 1 drop", WE_TRAP_NONE},
	{"i32.const 1 i32.const 8 array.new_data 0 1 drop", WE_TRAP_MEMORY_OUT_OF_BOUNDS},
	{"i32.const 0 i32.const 0x10000001 array.new_data 1 1 drop",
		WE_TRAP_MEMORY_OUT_OF_BOUNDS}, // 16 bytes, if 32 bits were kept
	{"i32.const 0 i32.const -1 array.new_data 1 1 drop", WE_TRAP_MEMORY_OUT_OF_BOUNDS},
	{"i32.const 1 i32.const 3 array.new_elem 2 0 drop", WE_TRAP_NONE},
	{"i32.const 1 i32.const 4 array.new_elem 2 0 drop", WE_TRAP_TABLE_OUT_OF_BOUNDS},
	{"i32.const 4 i32.const 0 array.new_elem 2 0 drop", WE_TRAP_NONE},
	{"i32.const -1 i32.const 2 array.new_elem 2 0 drop", WE_TRAP_TABLE_OUT_OF_BOUNDS},
	{"local.get 4 i32.const 1 i32.const 2 i32.const 2 array.init_elem 2 0", WE_TRAP_NONE},
	{"local.get 4 i32.const 2 i32.const 2 i32.const 2 array.init_elem 2 0",
		WE_TRAP_ARRAY_OUT_OF_BOUNDS},
	{"local.get 4 i32.const 1 i32.const 3 i32.const 2 array.init_elem 2 0",
		WE_TRAP_TABLE_OUT_OF_BOUNDS},
	{"i32.const 0x0fffffff array.new_default 1 drop", WE_TRAP_HEAP_EXHAUSTED},
	{"i32.const -1 array.new_default 1 drop", WE_TRAP_HEAP_EXHAUSTED}, // 64 GiB
	{"i32.const 1 i32.const -1 array.new 0 drop", WE_TRAP_HEAP_EXHAUSTED},
	{"local.get 1 i32.const 10 array.get_u 0 drop", WE_TRAP_ARRAY_OUT_OF_BOUNDS},
	{"local.get 1 i32.const -1 i32.const 0 array.set 0", WE_TRAP_ARRAY_OUT_OF_BOUNDS},
	{"local.get 3 array.len drop", WE_TRAP_NULL_ARRAY_REFERENCE},
};

static void array_operations_are_exact_at_their_bounds(void **state)
{
	const struct we_instance *inst;

	(void)state;
	draft_type(&d, "array mut:i8");
	draft_type(&d, "array mut:v128");
	draft_type(&d, "array mut:funcref");
	draft_type(&d, "func ->");
	put_bytes(&d.items[DRAFT_ELEMS], "\1\0\4\0\0\0\0", 7); // passive
	d.n[DRAFT_ELEMS]++;
	draft_data(&d, "01234567");
	draft_data(&d, "01234567");
	draft_func(&d, 3, "", "", NULL);
	for (size_t i = 0; i < N(bulks); i++) {
		char text[512];
		char name[8];

		snprintf(name, sizeof(name), "%zu", i);
		snprintf(text, sizeof(text),
			"i32.const 10 array.new_default 0 local.set 1"
			" i32.const 2 array.new_default 1 local.set 2"
			" i32.const 3 array.new_default 2 local.set 4 %s",
			bulks[i].code);
		draft_func(&d, 3, "i32 ref?:0 ref?:1 ref?:0 ref?:2", text, name);
	}
	inst = link();
	for (size_t i = 0; i < N(bulks); i++) {
		uint64_t slots[2];
		char name[8];
		int rc;

		snprintf(name, sizeof(name), "%zu", i);
		rc = guest_call(&g, inst, name, slots);
		if ((rc == 0 ? WE_TRAP_NONE : g.err.trap) != bulks[i].trap)
			fail_msg("%s: %s", bulks[i].code, rc == 0 ? "no trap" : g.err.msg);
	}
}

// Copies within one array, up and down, of bytes and of references: as if through a third one.
static void copies_that_overlap_move_as_one(void **state)
{
	static const struct {
		uint32_t to, from, n;
		uint64_t wanted; // decimal digits are the elements
	} rows[] = {
		{0, 0, 8, 12345678},
		{2, 0, 6, 12123456},
		{0, 2, 6, 34567878},
		{1, 0, 7, 11234567},
		{0, 1, 7, 23456788},
		{4, 0, 4, 12341234},
	};
	const struct we_instance *inst;

	(void)state;
	draft_type(&d, "array mut:i8");
	draft_type(&d, "array mut:anyref");
	draft_type(&d, "func i32 i32 i32 -> i32");
	draft_func(&d, 2, "ref?:0 i32 i32",
		"i32.const 1 i32.const 2 i32.const 3 i32.const 4 i32.const 5 i32.const 6 i32.const "
		"7"
		" i32.const 8 array.new_fixed 0 8 local.set 3"
		" local.get 3 local.get 0 local.get 3 local.get 1 local.get 2 array.copy 0 0"
		" loop void local.get 4 i32.const 10 i32.mul local.get 3 local.get 5 array.get_u 0 "
		"i32.add"
		" local.set 4 local.get 5 i32.const 1 i32.add local.tee 5 i32.const 8 i32.lt_u "
		"br_if 0 end"
		" local.get 4",
		"bytes");
	draft_func(&d, 2, "ref?:1 i32 i32",
		"i32.const 8 array.new_default 1 local.set 3"
		" loop void local.get 3 local.get 5 local.get 5 i32.const 1 i32.add ref.i31 "
		"array.set 1"
		" local.get 5 i32.const 1 i32.add local.tee 5 i32.const 8 i32.lt_u br_if 0 end"
		" i32.const 0 local.set 5"
		" local.get 3 local.get 0 local.get 3 local.get 1 local.get 2 array.copy 1 1"
		" loop void local.get 4 i32.const 10 i32.mul local.get 3 local.get 5 array.get 1"
		" ref.cast i31 i31.get_u i32.add local.set 4"
		" local.get 5 i32.const 1 i32.add local.tee 5 i32.const 8 i32.lt_u br_if 0 end"
		" local.get 4",
		"refs");
	inst = link();
	for (size_t i = 0; i < N(rows); i++) {
		for (uint32_t k = 0; k < 2; k++) {
			uint64_t slots[3] = {rows[i].to, rows[i].from, rows[i].n};

			assert_int_equal(guest_call(&g, inst, k == 0 ? "bytes" : "refs", slots), 0);
			if (U32(slots[0]) != rows[i].wanted)
				fail_msg("row %zu: %u", i, U32(slots[0]));
		}
	}
}

// ---- types ---------------------------------------------------------------------------------------

// A chain as deep as is allowed: an object is of its own type and of those above it.
static void casts_are_right_in_a_chain_of_63_supertypes(void **state)
{
	enum {
		DEPTH = 64
	};
	const struct we_instance *inst;

	(void)state;
	for (uint32_t i = 0; i < DEPTH; i++) {
		char text[64];

		snprintf(
			text, sizeof(text), i == 0 ? "sub struct i32" : "sub %u struct i32", i - 1);
		draft_type(&d, text);
	}
	draft_type(&d, "func i32 -> i32"); // 64
	draft_table(&d, "anyref", DEPTH);
	{
		static char text[8192];
		size_t len = 0;

		for (uint32_t i = 0; i < DEPTH; i++)
			len += (size_t)snprintf(text + len, sizeof(text) - len,
				" i32.const %u i32.const %u struct.new %u table.set 0", i, i, i);
		snprintf(text + len, sizeof(text) - len, " i32.const 0");
		draft_func(&d, 64, "", text, "make");
	}
	for (uint32_t i = 0; i < DEPTH; i++) {
		char text[256];
		char name[8];

		snprintf(name, sizeof(name), "%u", i);
		// ref.test and br_on_cast agree
		snprintf(text, sizeof(text),
			"block anyref local.get 0 table.get 0 br_on_cast_fail 1 0 any %u "
			"struct.get %u 0"
			" drop i32.const 1 local.get 0 table.get 0 ref.test %u i32.and return end "
			"drop"
			" i32.const 0 local.get 0 table.get 0 ref.test %u i32.sub",
			i, i, i, i);
		draft_func(&d, 64, "", text, name);
	}
	inst = link();
	(void)guest_ask(&g, inst, "make", 0);
	for (uint32_t i = 0; i < DEPTH; i++) {
		for (uint32_t object = 0; object < DEPTH; object++) {
			char name[8];
			uint32_t got;

			snprintf(name, sizeof(name), "%u", i);
			got = U32(guest_ask(&g, inst, name, object));
			if (got != (object >= i))
				fail_msg("an object of type %u, cast to %u: %u", object, i, got);
		}
	}
}

// What branches, with which value, for each kind of reference. Letters: n null, i an i31, s a structure, a an array.
static void br_on_cast_takes_what_it_says(void **state)
{
	static const struct {
		const char *code;
		const char *taken;
	} rows[] = {
		{"br_on_cast 1 0 any i31", "i"},
		{"br_on_cast 3 0 any i31", "in"},
		{"br_on_cast 1 0 any struct", "s"},
		{"br_on_cast 3 0 any array", "an"},
		{"br_on_cast 1 0 any eq", "isa"},
		{"br_on_cast 3 0 any none", "n"},
		{"br_on_cast 1 0 any none", ""},
		{"br_on_cast 1 0 any 0", "s"},
		{"br_on_cast 3 0 any 1", "an"},
		{"br_on_cast_fail 1 0 any i31", "nsa"},
		{"br_on_cast_fail 3 0 any i31", "sa"},
		{"br_on_cast_fail 1 0 any 0", "nia"},
		{"br_on_cast_fail 3 0 any 0", "ia"},
		{"br_on_cast_fail 3 0 any any", ""},
		{"br_on_non_null 0 ref.null any", "isa"},
	};
	static const char objects[] = "nisa";
	const struct we_instance *inst;

	(void)state;
	draft_type(&d, "struct i32");
	draft_type(&d, "array i8");
	draft_type(&d, "func i32 -> i32");
	draft_type(&d, "func i32 -> anyref");
	draft_func(&d, 3, "",
		"block void block void block void local.get 0 br_table 3 0 1 2 2 end"
		" ref.null none return end i32.const 3 ref.i31 return end"
		" local.get 0 i32.const 2 i32.eq if void i32.const 4 struct.new 0 return end"
		" i32.const 5 array.new_default 1",
		NULL);
	for (size_t i = 0; i < N(rows); i++) {
		char text[256];
		char name[8];

		snprintf(name, sizeof(name), "%zu", i);
		// the value is the same on either way
		snprintf(text, sizeof(text),
			"block anyref local.get 0 call 0 %s local.set 1 i32.const 0 return end"
			" ref.is_null local.get 0 i32.eqz i32.eq",
			rows[i].code);
		draft_func(&d, 2, "anyref", text, name);
	}
	inst = link();
	for (size_t i = 0; i < N(rows); i++) {
		for (uint32_t k = 0; k < 4; k++) {
			const bool is_taken = strchr(rows[i].taken, objects[k]) != NULL;
			char name[8];

			snprintf(name, sizeof(name), "%zu", i);
			if (U32(guest_ask(&g, inst, name, k)) != is_taken)
				fail_msg("%s of %c", rows[i].code, objects[k]);
		}
	}
}

// Two modules write the same recursion group with other indices: a function, a global and an object of one are of the type
// of the other. A group of another order is another one.
static void equal_recursion_groups_of_two_modules_are_one(void **state)
{
	const struct we_instance *inst;
	struct we_extern imports[2];
	struct we_module *module;
	struct we_instance *never;

	(void)state;
	draft_group(&d, 2);
	draft_type(&d, "sub struct mut:ref?:1 i32");
	draft_type(&d, "sub struct mut:ref?:0");
	draft_type(&d, "func -> ref?:0");
	draft_global(&d, "mut:ref?:0", "ref.null 1 i32.const 41 struct.new 0");
	draft_func(&d, 2, "", "ref.null 1 i32.const 42 struct.new 0", "make");
	draft_export(&d, "global", WE_EXTERN_GLOBAL, 0);
	inst = link();
	imports[0] = guest_export(inst, "make");
	imports[1] = guest_export(inst, "global");

	draft_type(&d, "struct i64");
	draft_group(&d, 2);
	draft_type(&d, "sub struct mut:ref?:2 i32"); // 1
	draft_type(&d, "sub struct mut:ref?:1");
	draft_type(&d, "func -> ref?:1"); // 3
	draft_type(&d, "func -> i32");
	draft_import_func(&d, 3);
	put_bytes(&d.items[DRAFT_IMPORTS], "\0\0\3\x63\1\1", 6); // (global (mut (ref null 1)))
	d.n[DRAFT_IMPORTS]++;
	draft_func(&d, 4, "anyref",
		"call 0 local.tee 0 ref.cast 1 struct.get 1 1"
		" global.get 0 struct.get 1 1 i32.add"
		" local.get 0 ref.test 2 i32.add local.get 0 ref.test 0 i32.add",
		"sum");
	draft_end(&d, &b);
	draft_begin(&d);
	inst = guest_link(&g, &b, imports, 2);
	assert_int_equal(U32(guest_ask(&g, inst, "sum", 0)), 83);

	draft_group(&d, 2);
	draft_type(&d, "sub struct mut:ref?:1");
	draft_type(&d, "sub struct mut:ref?:0 i32");
	draft_type(&d, "func -> ref?:1");
	draft_import_func(&d, 2);
	draft_end(&d, &b);
	module = guest_module(&g, &b);
	assert_int_equal(
		we_instance_create(g.store, module, imports, 1, &never, &g.err), WE_E_UNLINKABLE);
	we_module_unref(module);
}

// ---- any and extern ------------------------------------------------------------------------------

static void host_values_come_back_from_any(void **state)
{
	static const uint64_t values[] = {1, 2, 3, 8, 16, 24, UINT32_MAX, 1ull << 32,
		(1ull << 32) + 9, 0x7ffffffffffffffe, 0x7fffffffffffffff};
	const struct we_instance *inst;

	(void)state;
	draft_type(&d, "func externref -> externref");
	draft_type(&d, "struct mut:anyref mut:externref");
	draft_type(&d, "func externref -> anyref");
	draft_type(&d, "func i32 -> externref");
	draft_func(&d, 0, "ref?:1",
		"local.get 0 any.convert_extern local.get 0 struct.new 1 local.set 1"
		" i32.const 0 ref.i31 local.get 0 struct.new 1 drop"
		" local.get 1 local.get 1 struct.get 1 0 extern.convert_any any.convert_extern"
		" struct.set 1 0"
		" struct.new_default 1 drop"
		" local.get 1 struct.get 1 0 extern.convert_any",
		"any");
	draft_func(&d, 0, "ref?:1",
		"local.get 0 any.convert_extern local.get 0 struct.new 1 local.set 1"
		" struct.new_default 1 drop local.get 1 struct.get 1 1",
		"field");
	draft_func(&d, 2, "", "local.get 0 any.convert_extern", "box");
	draft_func(&d, 3, "", "local.get 0 ref.i31 extern.convert_any", "i31");
	draft_func(&d, 3, "", "struct.new_default 1 extern.convert_any", "struct");
	inst = link();
	for (size_t i = 0; i < N(values); i++) {
		uint64_t slots[2] = {values[i]};

		assert_true(guest_ask(&g, inst, "any", values[i]) == values[i]);
		assert_true(guest_ask(&g, inst, "field", values[i]) == values[i]);
		assert_int_equal(guest_call(&g, inst, "box", slots), 0);
		assert_int_equal(we_ref_kind(g.store, WE_ANYREF, slots[0]), WE_REFKIND_HOST);
		assert_true(we_ref_host(g.store, WE_ANYREF, slots[0]) == values[i]);
		assert_int_equal(we_ref_from_host(g.store, values[i], slots, &g.err), 0);
		assert_true(we_ref_host(g.store, WE_ANYREF, slots[0]) == values[i]);
	}
	assert_int_equal(guest_ask(&g, inst, "any", 0), 0);
	assert_int_equal(
		we_ref_kind(g.store, WE_EXTERNREF, guest_ask(&g, inst, "i31", 5)), WE_REFKIND_I31);
	assert_int_equal(we_ref_kind(g.store, WE_EXTERNREF, guest_ask(&g, inst, "struct", 0)),
		WE_REFKIND_STRUCT);
	// an internal one goes through the guest and back as it was
	assert_int_equal(we_ref_kind(g.store, WE_EXTERNREF,
				 guest_ask(&g, inst, "any", guest_ask(&g, inst, "struct", 0))),
		WE_REFKIND_STRUCT);
}

// ---- constants -----------------------------------------------------------------------------------

// Globals, tables and segments are made of objects of objects, each allocation of which moves those before it.
static void constants_hold_objects_while_more_are_made(void **state)
{
	const struct we_instance *inst;

	(void)state;
	draft_type(&d, "struct i32 anyref");                      // 0
	draft_type(&d, "array mut:ref?:0");                       // 1
	draft_type(&d, "func i32 -> i32");                        // 2
	draft_type(&d, "struct externref i64 ref:1 v128 anyref"); // 3
	draft_global(&d, "ref:0",
		"i32.const 1 i32.const 2 i32.const 5 ref.i31 struct.new 0 struct.new 0");
	draft_global(&d, "ref:1",
		"global.get 0 i32.const 3 global.get 0 struct.new 0"
		" i32.const 4 i32.const 6 ref.null any struct.new 0 struct.new 0 array.new_fixed 1 "
		"3");
	draft_global(&d, "anyref",
		"i32.const 7 ref.null none struct.new 0 extern.convert_any i64.const -1"
		" i32.const 8 global.get 1 struct.new 0 i32.const 4 array.new 1 v128.const 1 2"
		" i32.const 2 array.new_default 1 struct.new 3");
	draft_global(&d, "externref", "i32.const 9 ref.i31 extern.convert_any");
	draft_global(&d, "anyref", "global.get 3 any.convert_extern");
	put_bytes(&d.items[DRAFT_TABLES], "\x40\0\x63\0\0\3", 6); // 3 times a structure
	draft_put_code(
		&d.items[DRAFT_TABLES], "i32.const 10 i32.const 15 ref.i31 struct.new 0 end");
	d.n[DRAFT_TABLES]++;
	put_bytes(&d.items[DRAFT_ELEMS], "\6\0\x41\1\x0b\x63\0\2", 8); // elements 1, 2
	draft_put_code(&d.items[DRAFT_ELEMS],
		"i32.const 11 ref.null none struct.new 0 end"
		" i32.const 12 i32.const 13 ref.null none struct.new 0 struct.new 0 end");
	d.n[DRAFT_ELEMS]++;
	put_bytes(&d.items[DRAFT_ELEMS], "\5\x63\0\1", 4); // passive
	draft_put_code(&d.items[DRAFT_ELEMS], "i32.const 14 global.get 0 struct.new 0 end");
	d.n[DRAFT_ELEMS]++;
	draft_func(&d, 2, "i32 anyref ref?:3",
		"loop void struct.new_default 0 drop local.get 0 i32.const 1 i32.sub local.tee 0 "
		"br_if 0 end"
		" global.get 0 struct.get 0 0"                                   // 1
		" global.get 0 struct.get 0 1 ref.cast 0 struct.get 0 0 i32.add" // 2
		" global.get 0 struct.get 0 1 ref.cast 0 struct.get 0 1 ref.cast i31 i31.get_u "
		"i32.add"                                                      // 5
		" global.get 1 i32.const 1 array.get 1 struct.get 0 0 i32.add" // 3
		" global.get 1 i32.const 2 array.get 1 struct.get 0 1 ref.cast 0 struct.get 0 0 "
		"i32.add"                                                           // 6
		" global.get 1 i32.const 0 array.get 1 global.get 0 ref.eq i32.add" // 1
		" global.get 2 ref.cast 3 local.tee 3 struct.get 3 0 any.convert_extern ref.cast 0"
		" struct.get 0 0 i32.add"                                                    // 7
		" local.get 3 struct.get 3 2 i32.const 3 array.get 1 struct.get 0 0 i32.add" // 8
		" local.get 3 struct.get 3 2 i32.const 2 array.get 1 struct.get 0 1 ref.cast eq "
		"global.get 1 ref.eq i32.add"                                               // 1
		" global.get 4 ref.cast i31 i31.get_u i32.add"                              // 9
		" i32.const 0 table.get 0 struct.get 0 0 i32.add"                           // 10
		" i32.const 0 table.get 0 struct.get 0 1 ref.cast i31 i31.get_u i32.add"    // 1
		" i32.const 1 table.get 0 struct.get 0 0 i32.add"                           // 11
		" i32.const 2 table.get 0 struct.get 0 1 ref.cast 0 struct.get 0 0 i32.add" // 13
		" i32.const 0 i32.const 1 array.new_elem 1 1 i32.const 0 array.get 1 struct.get 0 "
		"0 i32.add" // 14
		" i32.const 1 i32.const 0 i32.const 1 table.init 1 0"
		" i32.const 1 table.get 0 struct.get 0 1 ref.cast eq global.get 0 ref.eq i32.add", // 1
		"sum");
	inst = link();
	assert_int_equal(U32(guest_ask(&g, inst, "sum", 3)), 107);
}

// ---- the host ------------------------------------------------------------------------------------

static void what_the_host_holds_is_kept_and_followed(void **state)
{
	struct we_ref_root *roots[4];
	const struct we_instance *inst;
	struct we_heap_stats stats;

	(void)state;
	draft_type(&d, "struct mut:i32");
	draft_type(&d, "func i32 -> anyref");
	draft_type(&d, "func i32 -> externref");
	draft_type(&d, "func anyref -> i32");
	draft_type(&d, "func externref -> i32");
	draft_func(&d, 1, "", "local.get 0 struct.new 0", "make");
	draft_func(&d, 2, "", "local.get 0 struct.new 0 extern.convert_any", "make_extern");
	draft_func(&d, 3, "", "local.get 0 ref.cast 0 struct.get 0 0", "value");
	draft_func(&d, 4, "", "local.get 0 any.convert_extern ref.cast 0 struct.get 0 0",
		"value_extern");
	inst = link();
	for (uint32_t i = 0; i < 4; i++)
		assert_int_equal(
			we_ref_hold(g.store, i < 2 ? WE_ANYREF : WE_EXTERNREF,
				guest_ask(&g, inst, i < 2 ? "make" : "make_extern", 10 + i),
				&roots[i], &g.err),
			0);
	for (uint32_t i = 0; i < 10; i++)
		(void)guest_ask(&g, inst, "make", i);
	we_ref_drop(roots[1]);
	we_store_collect(g.store);
	assert_int_equal(U32(guest_ask(&g, inst, "value", we_ref_held(roots[0]))), 10);
	assert_int_equal(U32(guest_ask(&g, inst, "value_extern", we_ref_held(roots[2]))), 12);
	assert_int_equal(U32(guest_ask(&g, inst, "value_extern", we_ref_held(roots[3]))), 13);
	we_ref_drop(roots[0]);
	we_ref_drop(roots[3]);
	we_ref_drop(NULL);
	we_store_collect(g.store);
	we_store_heap_stats(g.store, &stats);
	assert_in_range(
		stats.live_bytes, 16, 16 + 4096); // one structure, and what stress puts in front
	assert_int_equal(stats.live_bytes, stats.used_bytes);
	// the last one dies with the store
}

// References among the arguments, in frames that are left, and in the one that catches.
static void exceptions_carry_references_through_collections(void **state)
{
	const struct we_instance *inst;

	(void)state;
	draft_type(&d, "struct mut:i32");
	draft_type(&d, "func anyref i64 externref ref?:0 ->");
	draft_type(&d, "func i32 -> i32");
	draft_type(&d, "func -> anyref i64 externref ref?:0 exnref");
	draft_tag(&d, 1);
	draft_func(&d, 2, "anyref",
		"local.get 0 struct.new 0 local.set 1"
		" local.get 0 i32.eqz if void"
		"  i32.const 1 struct.new 0 i64.const 9 i32.const 2 struct.new 0 extern.convert_any"
		"  i32.const 3 struct.new 0 throw 0 end"
		" local.get 0 i32.const 1 i32.sub call 0 drop"
		" local.get 1 ref.cast 0 struct.get 0 0",
		NULL);
	draft_func(&d, 2, "anyref exnref externref ref?:0",
		"i32.const 100 struct.new 0"
		" block 3 try_table void 1 catch_ref 0 0 local.get 0 call 0 drop end unreachable "
		"end"
		" struct.new_default 0 drop local.set 2 local.set 4 local.set 3 drop local.set 1"
		" struct.new_default 0 drop"
		" struct.get 0 0" // 100
		" local.get 1 ref.cast 0 struct.get 0 0 i32.add"
		" local.get 3 any.convert_extern ref.cast 0 struct.get 0 0 i32.add"
		" local.get 4 struct.get 0 0 i32.add"
		" block 3 try_table void 1 catch_ref 0 0 struct.new_default 0 drop local.get 2 "
		"throw_ref end"
		" unreachable end"
		" struct.new_default 0 drop"
		" local.set 2 struct.get 0 0 local.set 0 any.convert_extern ref.cast 0 struct.get "
		"0 0"
		" i32.const 10 i32.mul local.get 0 i32.const 100 i32.mul i32.add local.set 0 drop "
		"drop"
		" local.get 0 i32.add",
		"f");
	inst = link();
	assert_int_equal(U32(guest_ask(&g, inst, "f", 5)), 100 + 1 + 2 + 3 + 20 + 300);
}

// ---- full ----------------------------------------------------------------------------------------

static struct we_instance *make_list(void)
{
	draft_type(&d, "struct ref?:0 i64 i64");
	draft_type(&d, "func i32 -> i32");
	draft_global(&d, "mut:ref?:0", "ref.null 0");
	draft_func(&d, 1, "", // so many more elements in front
		"loop void global.get 0 i64.const 1 i64.const 2 struct.new 0 global.set 0"
		" local.get 0 i32.const 1 i32.sub local.tee 0 br_if 0 end i32.const 1",
		"grow");
	draft_func(&d, 1, "", "ref.null 0 global.set 0 i32.const 1", "clear");
	draft_func(&d, 1, "", // so many that are garbage
		"loop void ref.null 0 i64.const 1 i64.const 2 struct.new 0 drop"
		" local.get 0 i32.const 1 i32.sub local.tee 0 br_if 0 end i32.const 1",
		"waste");
	return link();
}

static void a_full_heap_traps_and_goes_on_when_there_is_room(void **state)
{
	const struct we_store_limits limits = {.heap_bytes = 1 << 20};
	struct we_heap_stats stats;
	const struct we_instance *inst;

	(void)state;
	guest_close(&g);
	guest_open(&g, NULL, &limits);
	inst = make_list();
	for (uint32_t round = 0; round < 3; round++) {
		assert_int_equal(guest_trap(&g, inst, "grow", 1000000), WE_TRAP_HEAP_EXHAUSTED);
		assert_int_equal(g.err.rc, WE_E_EXHAUSTED);
		assert_string_equal(g.err.msg, "heap exhausted, in function 0");
		assert_int_equal(guest_trap(&g, inst, "waste", 1000000), WE_TRAP_HEAP_EXHAUSTED);
		(void)guest_ask(&g, inst, "clear", 0);
		(void)guest_ask(&g, inst, "waste", 100000);
		(void)guest_ask(&g, inst, "grow", 20000);
	}
	we_store_heap_stats(g.store, &stats);
	assert_int_equal(stats.limit_bytes, 1 << 20);
	assert_in_range(stats.used_bytes, 20000 * 32, 1 << 20);
	assert_true(stats.n_collections > 3);
}

static void an_entry_over_its_budget_traps_and_the_next_has_a_whole_one(void **state)
{
	const struct we_store_limits limits = {.heap_entry_bytes = 320000};
	const struct we_instance *inst;

	(void)state;
	guest_close(&g);
	guest_open(&g, NULL, &limits);
	inst = make_list();
	for (uint32_t round = 0; round < 3; round++) {
		(void)guest_ask(&g, inst, "waste", 10000);
		assert_int_equal(guest_trap(&g, inst, "waste", 10001), WE_TRAP_HEAP_EXHAUSTED);
		(void)guest_ask(&g, inst, "grow", 5000);
	}
}

static void an_entry_that_collects_too_long_traps(void **state)
{
	const struct we_engine_config config = {.gc_stress = true};
	const struct we_store_limits limits = {.heap_entry_us = 2000};
	const struct we_instance *inst;

	(void)state;
	guest_close(&g);
	guest_open(&g, &config, &limits);
	inst = make_list();
	(void)guest_ask(&g, inst, "waste", 2);
	assert_int_equal(guest_trap(&g, inst, "waste", 10000000), WE_TRAP_HEAP_EXHAUSTED);
	(void)guest_ask(&g, inst, "waste", 2);
}

#define EACH(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		EACH(packed_fields_and_elements_extend_as_asked),
		EACH(every_storage_holds_what_is_put_there),
		EACH(i31_keeps_31_bits),
		EACH(array_operations_are_exact_at_their_bounds),
		EACH(copies_that_overlap_move_as_one),
		EACH(casts_are_right_in_a_chain_of_63_supertypes),
		EACH(br_on_cast_takes_what_it_says),
		EACH(equal_recursion_groups_of_two_modules_are_one),
		EACH(host_values_come_back_from_any),
		EACH(constants_hold_objects_while_more_are_made),
		EACH(what_the_host_holds_is_kept_and_followed),
		EACH(exceptions_carry_references_through_collections),
		EACH(a_full_heap_traps_and_goes_on_when_there_is_room),
		EACH(an_entry_over_its_budget_traps_and_the_next_has_a_whole_one),
		EACH(an_entry_that_collects_too_long_traps),
	};

	return cmocka_run_group_tests_name("we_gc", tests, NULL, NULL);
}
