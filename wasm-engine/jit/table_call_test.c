// SPDX-License-Identifier: BSD-3-Clause
// Calls by a table whose elements the compiler knows, or must not think that it knows: the interpreter beside native code.
#include "test_native.h"

enum {
	ELEMENTS = 5,
	MAX_CANDIDATES = 2,
};

struct rig {
	struct pair pair;
	struct draft draft;
	uint32_t plus;
	uint32_t late;    // in no element at first
	uint32_t passive; // a segment of it
};

// Table 0: plus, one of its type that throws of odd numbers, one of another type, nulls; table 1: nulls. Types 0: of plus,
// 1: of the other, 3: index and argument. The function 4 calls by table 0.
static void begin(struct rig *rig)
{
	struct draft *d = &rig->draft;
	struct bytes *elems = &d->items[DRAFT_ELEMS];

	draft_begin(d);
	draft_type(d, "func i32 -> i32");
	draft_type(d, "func i64 -> i64");
	draft_tag(d, draft_type(d, "func ->"));
	draft_type(d, "func i32 i32 -> i32");
	draft_table(d, "funcref", ELEMENTS);
	draft_table(d, "funcref", ELEMENTS);
	rig->plus = draft_func(d, 0, "", "local.get 0 i32.const 10 i32.add", NULL);
	draft_func(d, 0, "",
		"local.get 0 i32.const 1 i32.and if void throw 0 end local.get 0 i32.const 20 "
		"i32.add",
		NULL);
	draft_func(d, 1, "", "local.get 0", NULL);
	draft_elem_funcs(d, true, rig->plus, 3);
	rig->late = draft_func(d, 0, "", "local.get 0 i32.const 30 i32.add", "late");
	put_bytes(elems, "\1\0\1", 3);
	put_u(elems, rig->late);
	rig->passive = d->n[DRAFT_ELEMS]++;
	draft_func(d, 3, "", "local.get 1 local.get 0 return_call_indirect 0 0", NULL);
}

static struct twins end(struct rig *rig)
{
	const struct we_jit_options opt = test_options();
	static struct bytes b;

	draft_end(&rig->draft, &b);
	return pair_instance(&rig->pair, &b, &opt);
}

// f(index, x) on both sides.
static void expect_alike(const struct twins *twins, const char *what, uint32_t i, uint32_t x)
{
	uint64_t slots[SIDES][2] = {{i, x}, {i, x}};
	struct outcome got[SIDES];

	for (unsigned side = 0; side < SIDES; side++)
		call_side(twins, (enum side)side, "f", slots[side], &got[side]);
	if (got[INTERP].rc != got[NATIVE].rc || got[INTERP].err.trap != got[NATIVE].err.trap ||
		(got[INTERP].rc == 0 && (uint32_t)slots[INTERP][0] != (uint32_t)slots[NATIVE][0]))
		fail_msg("%s, element %u of %u: %d %s %u, not %d %s %u", what, i, x, got[NATIVE].rc,
			got[NATIVE].err.msg, (uint32_t)slots[NATIVE][0], got[INTERP].rc,
			got[INTERP].err.msg, (uint32_t)slots[INTERP][0]);
}

static void calls_by_a_table_are_the_interpreters(void **state)
{
	static const struct {
		const char *name;
		const char *code;
	} cases[] = {
		{"a call", "local.get 1 local.get 0 call_indirect 0 0"},
		{"a call of another type",
			"local.get 1 i64.extend_i32_u local.get 0 call_indirect 1 0 i32.wrap_i64"},
		{"a call of a type that no element has",
			"local.get 0 local.get 1 local.get 0 call_indirect 3 0"},
		{"a tail call", "local.get 1 local.get 0 return_call_indirect 0 0"},
		{"a call that is caught",
			"block void try_table void 1 catch_all 0 local.get 1 local.get 0 "
			"call_indirect 0 0 return end end i32.const 77"},
		{"a call through another function that is caught",
			"block void try_table void 1 catch_all 0 local.get 0 local.get 1 "
			"call 4 return end end i32.const 77"},
		{"a call by a written table that is caught",
			"i32.const 0 i32.const 0 i32.const 3 table.copy 1 0 block void try_table "
			"void "
			"1 catch_all 0 local.get 1 local.get 0 call_indirect 0 1 return end end "
			"i32.const 77"},
		{"calls in a loop",
			"loop i32 local.get 1 local.get 0 call_indirect 0 0 local.tee 1 "
			"i32.const 100 i32.lt_u br_if 0 local.get 1 end"},
		{"an argument that is used again",
			"local.get 1 local.get 0 call_indirect 0 0 local.get 1 i32.mul"},
		// Then an element is none of those that the segments name.
		{"table.set", "i32.const 0 ref.func 3 table.set 0 local.get 1 local.get 0 "
			      "call_indirect 0 0"},
		{"table.fill", "i32.const 1 ref.func 3 i32.const 2 table.fill 0 local.get 1 "
			       "local.get 0 call_indirect 0 0"},
		{"table.grow", "ref.func 3 i32.const 1 table.grow 0 drop local.get 1 local.get 0 "
			       "call_indirect 0 0"},
		{"table.init", "i32.const 1 i32.const 0 i32.const 1 table.init 1 0 local.get 1 "
			       "local.get 0 call_indirect 0 0"},
		{"table.copy",
			"i32.const 0 ref.func 3 table.set 1 i32.const 1 i32.const 0 i32.const "
			"1 table.copy 0 1 local.get 1 local.get 0 call_indirect 0 0"},
		{"a copy out of the table", "i32.const 0 i32.const 0 i32.const 3 table.copy 1 0 "
					    "local.get 1 local.get 0 call_indirect 0 1"},
	};

	(void)state;
	for (size_t k = 0; k < sizeof(cases) / sizeof(cases[0]); k++) {
		static struct rig rig;
		struct twins twins;

		pair_open(&rig.pair, NULL, NULL);
		begin(&rig);
		assert_int_equal(rig.late, 3);
		assert_int_equal(rig.passive, 1);
		draft_func(&rig.draft, 3, "", cases[k].code, "f");
		twins = end(&rig);
		assert_true(is_native(&twins, "f"));
		for (uint32_t i = 0; i < ELEMENTS + 2; i++)
			for (uint32_t x = 0; x < 4; x++)
				expect_alike(&twins, cases[k].name, i, x);
		pair_close(&rig.pair);
	}
}

static void what_the_host_writes_in_an_exported_table_is_called(void **state)
{
	static struct rig rig;
	struct twins twins;

	(void)state;
	pair_open(&rig.pair, NULL, NULL);
	begin(&rig);
	draft_func(&rig.draft, 3, "", "local.get 1 local.get 0 call_indirect 0 0", "f");
	draft_export(&rig.draft, "table", WE_EXTERN_TABLE, 0);
	twins = end(&rig);
	for (unsigned side = 0; side < SIDES; side++) {
		struct we_func *late = twin_func(&twins, (enum side)side, "late");
		uint64_t slots[2] = {1, 5};
		struct we_table *table = twin_export(&twins, (enum side)side, "table").of.table;
		struct outcome got;

		assert_int_equal(we_table_set(table, 1, late), 0);
		call_side(&twins, (enum side)side, "f", slots, &got);
		assert_int_equal(got.rc, 0);
		assert_int_equal((uint32_t)slots[0], 35);
	}
	pair_close(&rig.pair);
}

// As often as a call itself is in line and beyond.
static void a_function_may_call_itself_by_a_table(void **state)
{
	static struct draft d;
	static struct bytes b;
	const struct we_jit_options opt = test_options();
	struct pair p;
	struct twins twins;

	(void)state;
	pair_open(&p, NULL, NULL);
	draft_begin(&d);
	draft_type(&d, "func i32 -> i32");
	draft_table(&d, "funcref", 1);
	draft_func(&d, 0, "",
		"local.get 0 i32.eqz if i32 i32.const 1 else local.get 0 local.get 0 i32.const 1 "
		"i32.sub i32.const 0 call_indirect 0 0 i32.mul end",
		"factorial");
	draft_elem_funcs(&d, true, 0, 1);
	draft_end(&d, &b);
	twins = pair_instance(&p, &b, &opt);
	for (unsigned side = 0; side < SIDES; side++) {
		uint64_t slots[1] = {10};
		struct outcome got;

		call_side(&twins, (enum side)side, "factorial", slots, &got);
		assert_int_equal(got.rc, 0);
		assert_int_equal((uint32_t)slots[0], 3628800);
		slots[0] = 0xffffffff;
		call_side(&twins, (enum side)side, "factorial", slots, &got);
		assert_int_equal(got.err.trap, WE_TRAP_STACK_OVERFLOW);
	}
	pair_close(&p);
}

static void references_across_calls_by_a_table_are_the_interpreters(void **state)
{
	static struct draft d;
	static struct bytes b;
	const struct we_engine_config config = {.gc_stress = true};
	const struct we_jit_options opt = test_options();
	struct pair p;
	struct twins twins;

	(void)state;
	pair_open(&p, &config, NULL);
	draft_begin(&d);
	draft_type(&d, "struct mut:i32");
	draft_type(&d, "func i32 -> ref?:0");
	draft_type(&d, "func i32 i32 -> i32");
	draft_table(&d, "funcref", ELEMENTS);
	draft_func(&d, 1, "", "local.get 0 struct.new 0", NULL);
	draft_func(&d, 1, "", "local.get 0 i32.const 7 i32.mul struct.new 0", NULL);
	draft_elem_funcs(&d, true, 0, MAX_CANDIDATES);
	draft_func(&d, 2, "ref?:0",
		"i32.const 100 struct.new 0 local.set 2 "
		"local.get 1 local.get 0 call_indirect 1 0 "
		"local.get 1 i32.const 1 i32.add local.get 0 call_indirect 1 0 "
		"struct.get 0 0 local.get 2 struct.get 0 0 i32.add local.set 0 "
		"struct.get 0 0 local.get 0 i32.add",
		"f");
	draft_end(&d, &b);
	twins = pair_instance(&p, &b, &opt);
	for (uint32_t i = 0; i < ELEMENTS + 1; i++)
		for (uint32_t x = 0; x < 4; x++)
			expect_alike(&twins, "references", i, x);
	pair_close(&p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(calls_by_a_table_are_the_interpreters),
		cmocka_unit_test(what_the_host_writes_in_an_exported_table_is_called),
		cmocka_unit_test(a_function_may_call_itself_by_a_table),
		cmocka_unit_test(references_across_calls_by_a_table_are_the_interpreters),
	};

	return cmocka_run_group_tests_name("jit_table_call", tests, NULL, NULL);
}
