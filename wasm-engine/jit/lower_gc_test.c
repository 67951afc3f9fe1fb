// SPDX-License-Identifier: BSD-3-Clause
// References that are needed after something that collects, wherever they are meanwhile; and values that find no register,
// natively as in the interpreter, while the collector runs at every allocation.
#include "test_native.h"

// Of type i32 anyref -> i32, with locals 2 and 3 of anyref, 4 of i32. Type 1 is a structure of an i32 and an anyref. Function 0
// allocates: i32 -> (ref 1); 1 tells the i32 of a structure, 2 throws one with tag 0, 3 gives two of them, 4 tells the i32 of
// the last of the structures that it allocates and calls itself last with.
struct shape {
	const char *name;
	const char *code;
};

static const struct shape shapes[] = {
	{"a local across a call",
		"local.get 0 call 0 local.set 2 local.get 0 call 0 drop local.get 2 call 1"},
	{"an operand across a call", "local.get 0 call 0 local.get 0 call 0 drop call 1"},
	{"an operand across a branch that allocates",
		"local.get 0 call 0 local.get 0 i32.const 1 i32.and if void i32.const 5 call 0 "
		"drop end call 1"},
	{"an operand across a branch that does not", "local.get 0 call 0 local.get 0 i32.const 1 "
						     "i32.and if void i32.const 5 call 0 drop else "
						     "i32.const 5 local.set 4 end call 1"},
	{"an operand across an else that allocates", "local.get 0 call 0 local.get 0 i32.const 1 "
						     "i32.and if void i32.const 5 local.set 4 else "
						     "i32.const 5 call 0 drop end call 1"},
	{"an operand across both branches",
		"local.get 0 call 0 local.get 0 i32.const 1 i32.and if i32 i32.const 5 call 0 call "
		"1 else "
		"i32.const 6 call 0 drop i32.const 5 call 0 call 1 end local.set 4 call 1"},
	{"operands across a block that is left early",
		"local.get 0 call 0 i32.const 3 call 0 block void local.get 0 i32.const 1 i32.and "
		"br_if 0 "
		"i32.const 5 call 0 drop end call 1 local.set 4 call 1 local.get 4 i32.add"},
	{"an operand across a loop",
		"local.get 0 call 0 loop void local.get 4 i32.const 1 i32.add local.tee 4 call 0 "
		"drop "
		"local.get 4 local.get 0 i32.const 7 i32.and i32.lt_u br_if 0 end call 1"},
	{"an operand across a loop that allocates sometimes",
		"local.get 0 call 0 loop void local.get 4 i32.const 1 i32.and if void local.get 4 "
		"call 0 drop "
		"end local.get 4 i32.const 1 i32.add local.tee 4 i32.const 6 i32.lt_u br_if 0 end "
		"call 1"},
	{"a loop's parameter", "local.get 0 call 0 loop 3 local.get 4 call 0 drop local.get 4 "
			       "i32.const 1 i32.add local.tee 4 "
			       "i32.const 5 i32.lt_u br_if 0 end call 1"},
	{"an operand across a switch", "local.get 0 call 0 block void block void block void "
				       "local.get 0 i32.const 3 i32.and "
				       "br_table 2 0 1 2 end i32.const 5 call 0 drop end i32.const "
				       "6 call 0 local.set 2 end call 1"},
	{"values of a switch",
		"block 4 local.get 0 call 0 i32.const 9 call 0 local.get 0 i32.const 3 i32.and "
		"br_table 1 0 0 "
		"end i32.const 5 call 0 drop call 1 local.set 4 call 1 local.get 4 i32.sub"},
	{"an operand that a switch gives to two places",
		"block 5 block 5 local.get 0 call 0 local.get 0 i32.const 1 i32.and if void "
		"i32.const 9 call 0 drop end "
		"local.get 0 i32.const 3 i32.and br_table 3 0 1 0 1 end i32.const 5 call 0 drop "
		"end call 1"},
	{"a function that calls itself last",
		"local.get 0 i32.const 7 i32.and i32.const 1 i32.add ref.null any call 4"},
	{"several results",
		"local.get 0 call 3 i32.const 5 call 0 drop call 1 local.set 4 call 1 local.get 4 "
		"i32.sub"},
	{"an operand across a try_table that catches",
		"local.get 0 call 0 block void try_table void 1 catch_all 0 local.get 0 i32.const "
		"1 i32.and if void "
		"i32.const 8 call 2 end i32.const 5 call 0 drop end end call 1"},
	{"an operand across a catch with its value",
		"local.get 0 call 0 block 5 try_table void 1 catch 0 0 local.get 0 i32.const 1 "
		"i32.and if void "
		"i32.const 8 call 2 end end i32.const 4 call 0 end i32.const 5 call 0 drop call 1 "
		"local.set 4 "
		"call 1 local.get 4 i32.sub"},
	{"a local that changes before a throw",
		"local.get 0 call 0 local.set 2 block void try_table void 1 catch_all 0 i32.const "
		"50 call 0 "
		"local.set 2 local.get 0 i32.const 1 i32.and if void i32.const 8 call 2 end "
		"i32.const 60 call 0 "
		"local.set 2 end end i32.const 5 call 0 drop local.get 2 call 1"},
	{"an exception in a local", "i32.const 3 call 0 local.set 2 block void block 6 try_table "
				    "void 1 catch_ref 0 0 local.get 0 call 2 "
				    "end unreachable end local.set 5 local.set 3 end i32.const 5 "
				    "call 0 drop block 5 try_table void 1 "
				    "catch 0 0 local.get 5 throw_ref end unreachable end call 1 "
				    "local.get 2 call 1 i32.add local.get 3 "
				    "ref.cast 1 call 1 i32.add"},
	{"a rethrown exception as an operand",
		"block 5 try_table void 1 catch 0 0 block 6 try_table void 1 catch_ref 0 0 "
		"local.get 0 call 2 end "
		"unreachable end i32.const 5 call 0 drop throw_ref end unreachable end call 1"},
	{"operands of an allocation",
		"local.get 0 local.get 0 call 0 struct.new 1 struct.get 1 1 ref.cast 1 call 1"},
	{"a chain", "local.get 0 call 0 local.set 2 loop void local.get 4 local.get 2 struct.new 1 "
		    "local.set 2 "
		    "local.get 4 i32.const 1 i32.add local.tee 4 i32.const 6 i32.lt_u br_if 0 end "
		    "local.get 2 "
		    "ref.cast 1 struct.get 1 1 ref.cast 1 struct.get 1 1 ref.cast 1 call 1"},
	{"elements of an array",
		"local.get 0 call 0 local.get 0 call 0 i32.const 4 call 0 array.new_fixed 2 3 "
		"local.set 2 i32.const 5 "
		"call 0 drop local.get 2 ref.cast 2 i32.const 1 array.get 2 ref.cast 1 call 1"},
	{"an array filled with a fresh object", "i32.const 7 call 0 i32.const 5 array.new 2 "
						"i32.const 9 call 0 drop i32.const 3 array.get 2 "
						"ref.cast 1 call 1"},
	{"a selected reference", "local.get 0 call 0 i32.const 77 call 0 local.get 0 i32.const 1 "
				 "i32.and select_t anyref i32.const 5 "
				 "call 0 drop ref.cast 1 call 1"},
	{"a reference that went to extern and back",
		"local.get 0 call 0 extern.convert_any i32.const 5 call 0 drop any.convert_extern "
		"i32.const 5 "
		"call 0 drop ref.cast 1 call 1"},
	{"a parameter across calls",
		"local.get 0 call 0 drop local.get 1 ref.is_null local.get 0 call 0 drop "
		"local.get 1 ref.is_null i32.add"},
	{"a reference beside a trap", "local.get 0 call 0 local.set 2 i32.const 90 local.get 0 "
				      "i32.const 1 i32.and i32.div_u drop "
				      "local.get 2 call 1"},
};

enum {
	N_SHAPES = sizeof(shapes) / sizeof(shapes[0])
};

static void put_gc_module(struct bytes *b)
{
	static struct draft d;
	uint32_t throws;

	draft_begin(&d);
	draft_type(&d, "func i32 anyref -> i32");
	draft_type(&d, "struct mut:i32 mut:anyref");
	draft_type(&d, "array mut:anyref");
	draft_type(&d, "func ref:1 -> ref:1");
	draft_type(&d, "func -> ref:1 ref:1");
	draft_type(&d, "func -> ref:1");
	draft_type(&d, "func -> ref:1 ref:exn");
	throws = draft_type(&d, "func ref:1 ->");
	draft_tag(&d, throws);
	draft_func(&d, draft_type(&d, "func i32 -> ref:1"), "",
		"local.get 0 ref.null any struct.new 1", NULL);
	draft_func(&d, draft_type(&d, "func anyref -> i32"), "",
		"local.get 0 ref.cast 1 struct.get 1 0", NULL);
	draft_func(&d, draft_type(&d, "func i32 ->"), "", "local.get 0 call 0 throw 0", NULL);
	draft_func(&d, draft_type(&d, "func i32 -> ref:1 ref:1"), "",
		"local.get 0 call 0 local.get 0 i32.const 1 i32.add call 0", NULL);
	draft_func(&d, 0, "anyref",
		"local.get 2 ref.is_null i32.eqz if void unreachable end "
		"local.get 0 i32.eqz if void local.get 1 call 1 return end "
		"local.get 0 call 0 local.set 2 local.get 0 i32.const 1 i32.sub local.get 2 "
		"return_call 4",
		NULL);
	for (uint32_t i = 0; i < N_SHAPES; i++) {
		char name[16];

		snprintf(name, sizeof(name), "s%u", i);
		draft_func(&d, 0, "anyref anyref i32 exnref", shapes[i].code, name);
	}
	draft_end(&d, b);
}

static void references_across_collections_are_the_interpreters(void **state)
{
	const struct we_engine_config config = {.gc_stress = true};
	const struct we_jit_options opt = test_options();
	static struct bytes b;
	struct pair p;
	struct twins twins;

	(void)state;
	put_gc_module(&b);
	pair_open(&p, &config, NULL);
	twins = pair_instance(&p, &b, &opt);
	for (uint32_t i = 0; i < N_SHAPES; i++) {
		char name[16];

		snprintf(name, sizeof(name), "s%u", i);
		assert_true(is_native(&twins, name));
		for (uint32_t x = 0; x < 8; x++) {
			uint64_t slots[SIDES][4] = {{x}, {x}};
			struct outcome got[SIDES];

			for (unsigned side = 0; side < SIDES; side++)
				call_side(&twins, (enum side)side, name, slots[side], &got[side]);
			if (got[0].rc != got[1].rc || got[0].err.trap != got[1].err.trap ||
				(got[0].rc == 0 && (uint32_t)slots[0][0] != (uint32_t)slots[1][0]))
				fail_msg("%s (%u): %d %s %x, not %d %s %x", shapes[i].name, x,
					got[1].rc, got[1].err.msg, (uint32_t)slots[1][0], got[0].rc,
					got[0].err.msg, (uint32_t)slots[0][0]);
		}
	}
	pair_close(&p);
}

// The importer's references are where they were when what it called has thrown, and when it has not.
static void references_across_an_import_that_throws_are_the_interpreters(void **state)
{
	const struct we_engine_config config = {.gc_stress = true};
	const struct we_jit_options opt = test_options();
	struct we_extern imports[SIDES];
	static struct draft d;
	static struct bytes b;
	struct pair p;
	struct twins thrower;
	struct twins twins;

	(void)state;
	pair_open(&p, &config, NULL);
	draft_begin(&d);
	draft_type(&d, "func i32 -> i32");
	draft_type(&d, "struct mut:i32 mut:anyref");
	draft_tag(&d, draft_type(&d, "func ->"));
	draft_func(&d, 0, "",
		"local.get 0 ref.null any struct.new 1 drop local.get 0 i32.const 1 i32.and "
		"if void throw 0 end local.get 0",
		"may_throw");
	draft_end(&d, &b);
	thrower = pair_instance(&p, &b, &opt);
	for (unsigned side = 0; side < SIDES; side++)
		imports[side] = twin_export(&thrower, (enum side)side, "may_throw");

	draft_begin(&d);
	draft_type(&d, "func i32 -> i32");
	draft_type(&d, "struct mut:i32 mut:anyref");
	draft_import_func(&d, 0);
	draft_func(&d, 0, "ref?:1 i32",
		"local.get 0 ref.null any struct.new 1 local.set 1 "
		"local.get 0 i32.const 100 i32.add ref.null any struct.new 1 "
		"block void try_table void 1 catch_all 0 local.get 0 call 0 local.set 2 end end "
		"struct.get 1 0 local.get 1 struct.get 1 0 i32.add local.get 2 i32.add",
		"catches");
	draft_func(&d, 0, "ref?:1",
		"local.get 0 ref.null any struct.new 1 local.set 1 "
		"local.get 0 call 0 local.get 1 struct.get 1 0 i32.add",
		"passes");
	draft_end(&d, &b);
	twins = pair_link(
		&p, &b, &opt, (const struct we_extern *const[SIDES]){&imports[0], &imports[1]}, 1);
	for (uint32_t x = 0; x < 4; x++) {
		struct outcome got[SIDES];

		for (unsigned side = 0; side < SIDES; side++) {
			uint64_t slots[1] = {x};

			call_side(&twins, (enum side)side, "catches", slots, &got[side]);
			assert_int_equal(got[side].rc, 0);
			assert_int_equal((uint32_t)slots[0], 2 * x + 100 + (x % 2 == 0 ? x : 0));
			slots[0] = x;
			call_side(&twins, (enum side)side, "passes", slots, &got[side]);
			assert_int_equal(
				got[side].err.trap, x % 2 == 0 ? 0 : WE_TRAP_UNCAUGHT_EXCEPTION);
			assert_int_equal(got[side].rc, x % 2 == 0 ? 0 : WE_E_TRAP);
			if (x % 2 == 0)
				assert_int_equal((uint32_t)slots[0], 2 * x);
		}
	}
	pair_close(&p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(references_across_collections_are_the_interpreters),
		cmocka_unit_test(references_across_an_import_that_throws_are_the_interpreters),
	};

	return cmocka_run_group_tests_name("jit_lower_gc", tests, NULL, NULL);
}
