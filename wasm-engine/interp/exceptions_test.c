// SPDX-License-Identifier: BSD-3-Clause
// Exceptions of the interpreter: which clause catches, what it gets, what the frame holds then; across calls, tail
// calls, instances and the host.
#include "test_draft.h"
#include "test_guest.h"

#include <stdio.h>

#define N(a) (sizeof(a) / sizeof((a)[0]))

static struct draft d;
static struct bytes b;
static struct guest g;

static int setup(void **state)
{
	(void)state;
	guest_open(&g, NULL, NULL);
	draft_begin(&d);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	guest_close(&g);
	return 0;
}

static struct we_instance *link(const struct we_extern *imports, uint32_t n)
{
	draft_end(&d, &b);
	draft_begin(&d);
	return guest_link(&g, &b, imports, n);
}

// ---- which clause --------------------------------------------------------------------------------

enum {
	TO_A = 1000,
	TO_B = 2000,
	TO_C = 3000,
	NOWHERE = 0
};

// Clauses "0A", "1B", "*C": a tag or any, and where to: A and B get the value, C nothing. 0 and 1 are the same tag, 2 is
// another one of the same type.
static const struct choice {
	const char *inner;
	const char *outer;
	uint32_t thrown; // tag
	uint32_t wanted;
} choices[] = {
	{"", "", 0, NOWHERE},
	{"0A", "", 0, TO_A},
	{"0A0B", "", 0, TO_A},
	{"2A0B", "", 0, TO_B},
	{"*C0A", "", 0, TO_C},
	{"0A*C", "", 0, TO_A},
	{"2A*C", "", 0, TO_C},
	{"1A", "", 0, TO_A}, // the same tag, imported twice
	{"0A", "", 1, TO_A},
	{"2A", "0B", 0, TO_B},
	{"2A", "0B", 2, TO_A},
	{"*C", "0A", 0, TO_C},
	{"0A", "*C", 0, TO_A},
	{"", "0A", 0, TO_A},
	{"", "*C", 2, TO_C},
	{"2B2A", "2A", 2, TO_B},
	{"2A", "2B", 0, NOWHERE},
};

// depth: blocks between the try_table and C.
static void put_clauses(char *text, size_t cap, const char *clauses, uint32_t depth)
{
	size_t len = strlen(text);

	len += (size_t)snprintf(text + len, cap - len, " try_table void %zu", strlen(clauses) / 2);
	for (; *clauses != '\0'; clauses += 2) {
		const uint32_t label = depth + (uint32_t)('C' - clauses[1]);

		if (clauses[0] == '*')
			len += (size_t)snprintf(text + len, cap - len, " catch_all %u", label);
		else
			len += (size_t)snprintf(
				text + len, cap - len, " catch %c %u", clauses[0], label);
	}
}

static void draft_choice(const struct choice *choice, uint32_t type, const char *name)
{
	char text[1024] = "block i32 block i32 block void";
	const size_t cap = sizeof(text);

	put_clauses(text, cap, choice->outer, 0);
	put_clauses(text, cap, choice->inner, 1);
	snprintf(text + strlen(text), cap - strlen(text),
		" i32.const 7 throw %u end end"
		" i32.const 9 return end i32.const 3000 return end i32.const 2000 i32.add return "
		"end"
		" i32.const 1000 i32.add",
		choice->thrown);
	draft_func(&d, type, "", text, name);
}

static void the_first_clause_of_the_innermost_block_catches(void **state)
{
	const enum we_kind param = WE_I32;
	const struct we_functype *type;
	struct we_extern tags[3] = {{.kind = WE_EXTERN_TAG}, {0}, {.kind = WE_EXTERN_TAG}};
	const struct we_instance *inst;

	(void)state;
	assert_int_equal(we_functype_create(g.engine, &param, 1, NULL, 0, &type, &g.err), 0);
	assert_int_equal(we_tag_create(g.store, type, &tags[0].of.tag, &g.err), 0);
	assert_int_equal(we_tag_create(g.store, type, &tags[2].of.tag, &g.err), 0);
	tags[1] = tags[0];
	draft_type(&d, "func i32 ->");
	draft_type(&d, "func -> i32");
	for (uint32_t i = 0; i < 3; i++)
		draft_import_tag(&d, 0);
	for (size_t i = 0; i < N(choices); i++) {
		char name[8];

		snprintf(name, sizeof(name), "%zu", i);
		draft_choice(&choices[i], 1, name);
	}
	inst = link(tags, 3);
	for (size_t i = 0; i < N(choices); i++) {
		const uint32_t wanted = choices[i].wanted;
		uint64_t slots[1] = {0};
		char name[8];
		int rc;

		snprintf(name, sizeof(name), "%zu", i);
		rc = guest_call(&g, inst, name, slots);
		if (wanted == NOWHERE && rc != 0 && g.err.trap == WE_TRAP_UNCAUGHT_EXCEPTION)
			continue;
		if (rc != 0 || (uint32_t)slots[0] != wanted + (wanted == TO_C ? 0 : 7))
			fail_msg("inner %s, outer %s, tag %u: %d %s %u", choices[i].inner,
				choices[i].outer, choices[i].thrown, rc, rc != 0 ? g.err.msg : "",
				(uint32_t)slots[0]);
	}
}

// ---- what is there after the catch ---------------------------------------------------------------

// Numbers, vectors and the exception itself, more than fit the operands below; they are at home behind a constant, a
// local, a sum and what a call has given.
static void many_arguments_come_whole_and_operands_below_stay(void **state)
{
	static const uint64_t wanted[] = {0x1111222233334444, 0x5555666677778888, 5, 6, 7, 8,
		0x4045000000000000, 0xaaaabbbbccccdddd, 0xeeeeffff00001111};
	const struct we_instance *inst;
	uint64_t slots[16] = {40};

	(void)state;
	draft_type(&d, "func v128 i32 i64 i64 i64 f64 v128 ->");
	draft_type(&d, "func i32 -> i32 i32 i32 i32 v128 i32 i64 i64 i64 f64 v128 i32");
	draft_type(&d, "func -> v128 i32 i64 i64 i64 f64 v128 exnref");
	draft_type(&d, "func i32 -> i32");
	draft_tag(&d, 0);
	draft_func(&d, 3, "", "local.get 0 i32.const 2 i32.mul", NULL);
	draft_func(&d, 1, "exnref",
		"i32.const 77 local.get 0 local.get 0 i32.const 100 i32.add local.get 0 call 0"
		" block 2"
		"  try_table void 1 catch_ref 0 0"
		"   i32.const 1 local.set 0"
		"   v128.const 0x1111222233334444 0x5555666677778888"
		"   i32.const 5 i64.const 6 i64.const 7 i64.const 8 f64.const 42"
		"   v128.const 0xaaaabbbbccccdddd 0xeeeeffff00001111 throw 0"
		"  end unreachable"
		" end"
		" local.set 1 local.get 1 ref.is_null local.get 0 i32.sub",
		"f");
	inst = link(NULL, 0);
	assert_int_equal(guest_call(&g, inst, "f", slots), 0);
	assert_int_equal((uint32_t)slots[0], 77);
	assert_int_equal((uint32_t)slots[1], 40); // as it was below the block
	assert_int_equal((uint32_t)slots[2], 140);
	assert_int_equal((uint32_t)slots[3], 80);
	slots[6] = (uint32_t)slots[6];
	assert_memory_equal(slots + 4, wanted, sizeof(wanted));
	assert_int_equal((uint32_t)slots[13], UINT32_MAX); // the local as it was set in the block
}

// Sums, comparisons and counters that the translation may put off or take into a branch, around the bounds of a block.
static void operations_do_not_grow_across_the_bounds_of_a_try(void **state)
{
	const struct we_instance *inst;

	(void)state;
	draft_type(&d, "func i32 -> i32");
	draft_type(&d, "func i32 ->");
	draft_tag(&d, 1);
	draft_memory(&d, 1);
	// x + 16, where x becomes 0 in the block, + what is thrown, 3
	draft_func(&d, 0, "",
		"local.get 0 i32.const 16 i32.add"
		" block i32 try_table void 1 catch 0 0 i32.const 0 local.set 0 i32.const 3 throw 0 "
		"end"
		" unreachable end i32.add local.get 0 i32.add",
		"sum");
	// x < 10, taken by a branch in the block
	draft_func(&d, 0, "",
		"block i32 block void"
		" local.get 0 i32.const 10 i32.lt_s"
		" try_table 1 1 catch 0 1 br_if 1 i32.const 5 throw 0 end unreachable"
		" end i32.const 1 end",
		"compare");
	// a sum inside, its store outside
	draft_func(&d, 0, "i32",
		"local.get 0 i32.const 8 i32.add"
		" block i32 try_table i32 1 catch 0 0 local.get 0 i32.const 4 i32.add end end"
		" i32.store 0 local.get 0 i32.load 8",
		"store");
	// the counter of a loop is added to outside of the block and compared inside, which ends by a throw
	draft_func(&d, 0, "i32 i32",
		"loop void"
		" local.get 1 i32.const 1 i32.add local.set 1"
		" block i32 try_table void 1 catch 0 0"
		"  local.get 1 local.get 0 i32.lt_u br_if 2"
		"  local.get 1 throw 0"
		" end unreachable end local.set 2"
		" end local.get 2",
		"count");
	inst = link(NULL, 0);
	assert_int_equal((uint32_t)guest_ask(&g, inst, "sum", 100), 119);
	assert_int_equal((uint32_t)guest_ask(&g, inst, "compare", 9), 1);
	assert_int_equal((uint32_t)guest_ask(&g, inst, "compare", 10), 5);
	assert_int_equal((uint32_t)guest_ask(&g, inst, "store", 16), 20);
	assert_int_equal((uint32_t)guest_ask(&g, inst, "count", 1000), 1000);
}

// In a loop constants live in the frame, between locals and operands; without locals and constants a function has no
// ENTER. The places of clauses follow both.
static void a_loop_throws_in_each_round_and_sums_what_it_catches(void **state)
{
	const struct we_instance *inst;

	(void)state;
	draft_type(&d, "func i32 -> i32");
	draft_type(&d, "func i32 ->");
	draft_tag(&d, 1);
	draft_func(&d, 1, "", "local.get 0 throw 0", NULL);
	draft_func(&d, 0, "i32 i64",
		"loop void"
		" block i32 try_table void 1 catch 0 0"
		"  local.get 0 i32.const 3 i32.rem_u if void local.get 0 call 0"
		"  else local.get 0 i64.extend_i32_u i64.const 0x100000000 i64.or local.set 2"
		"   local.get 0 throw 0 end"
		" end unreachable end"
		" local.get 1 i32.add local.set 1"
		" local.get 0 i32.const 1 i32.sub local.tee 0 br_if 0"
		" end local.get 1 local.get 2 i32.wrap_i64 i32.sub",
		"sum");
	draft_func(&d, 0, "",
		"block i32 try_table void 1 catch 0 0 local.get 0 throw 0 end unreachable end",
		"bare");
	inst = link(NULL, 0);
	assert_int_equal((uint32_t)guest_ask(&g, inst, "sum", 2000), 2001000 - 3);
	assert_int_equal((uint32_t)guest_ask(&g, inst, "bare", 31), 31);
}

// Ways out of the block that are no throw; afterwards its clauses are not in force.
static void leaving_a_try_by_a_branch_ends_it(void **state)
{
	static const struct {
		const char *way;
		uint32_t wanted;
	} ways[] = {
		{"br 1", 1},
		{"i32.const 1 br_if 1", 1},
		{"i32.const 0 br_table 2 1 1 1", 1},
		{"i32.const 7 br_table 1 0 1", 1},
		{"i32.const 55 return", 55},
		{"nop", 2},
		{"br 0", 2},
		{"ref.null func br_on_null 1 drop", 1},
		{"block void br 2 end", 1},
	};
	const struct we_instance *inst;

	(void)state;
	draft_type(&d, "func -> i32");
	draft_type(&d, "func i32 ->");
	draft_tag(&d, 1);
	for (size_t i = 0; i < N(ways); i++) {
		char text[512];
		char name[8];

		snprintf(name, sizeof(name), "%zu", i);
		snprintf(text, sizeof(text),
			"block i32" // what is thrown after the inner try is caught here
			" try_table void 1 catch 0 0"
			"  block i32" // what is thrown in the inner try is caught here
			"   block void"
			"    try_table void 1 catch 0 1 %s end"
			"    i32.const 2 throw 0"
			"   end"
			"   i32.const 1 throw 0"
			"  end"
			"  i32.const 1000 i32.add return"
			" end unreachable"
			" end",
			ways[i].way);
		draft_func(&d, 0, "", text, name);
	}
	inst = link(NULL, 0);
	for (size_t i = 0; i < N(ways); i++) {
		char name[8];
		uint32_t got;

		snprintf(name, sizeof(name), "%zu", i);
		got = (uint32_t)guest_ask(&g, inst, name, 0);
		if (got != ways[i].wanted)
			fail_msg("%s: %u", ways[i].way, got);
	}
}

// Rounds that throw, go on with the next one, come to the end, and branch out with a value.
static void a_try_in_a_loop_is_entered_again_after_each_way_out(void **state)
{
	const struct we_instance *inst;

	(void)state;
	draft_type(&d, "func i32 -> i32");
	draft_type(&d, "func i32 ->");
	draft_tag(&d, 1);
	draft_func(&d, 0, "i32 i32",
		"loop void"
		" local.get 0 i32.eqz if void local.get 1 return end"
		" block i32"
		"  try_table void 1 catch 0 0"
		"   local.get 0 i32.const 1 i32.sub local.tee 0 i32.const 3 i32.and local.set 2"
		"   local.get 2 i32.eqz if void i32.const 1 throw 0 end"
		"   local.get 2 i32.const 1 i32.eq br_if 2"
		"   local.get 2 i32.const 2 i32.eq br_if 0"
		"   i32.const 10000 br 1"
		"  end"
		"  i32.const 100"
		" end"
		" local.get 1 i32.add local.set 1 br 0"
		" end unreachable",
		"f");
	inst = link(NULL, 0);
	assert_int_equal((uint32_t)guest_ask(&g, inst, "f", 8), 20202);
}

// ---- through calls -------------------------------------------------------------------------------

// The depth of calls and the value stack are what they were when the block was entered.
static void a_catch_gives_back_the_depth_of_calls(void **state)
{
	const struct we_store_limits limits = {.call_depth = 100, .stack_bytes = 8192};
	const struct we_instance *inst;

	(void)state;
	guest_close(&g);
	guest_open(&g, NULL, &limits);
	draft_type(&d, "func i32 -> i32");
	draft_type(&d, "func i32 ->");
	draft_tag(&d, 1);
	draft_func(&d, 1, "",
		"local.get 0 i32.eqz if void i32.const 1 throw 0 end"
		" local.get 0 i32.const 1 i32.sub call 0",
		NULL);
	draft_func(&d, 0, "i32",
		"loop void"
		" block i32 try_table void 1 catch 0 0 i32.const 90 call 0 end unreachable end"
		" local.get 1 i32.add local.set 1"
		" local.get 0 i32.const 1 i32.sub local.tee 0 br_if 0"
		" end local.get 1",
		"f");
	inst = link(NULL, 0);
	assert_int_equal((uint32_t)guest_ask(&g, inst, "f", 1000), 1000);
}

// The frame that tail-calls is over: its clauses do not see what the callee throws.
static void a_tail_call_leaves_its_try(void **state)
{
	static const char *const tails[] = {
		"return_call 0",
		"i32.const 0 return_call_indirect 0 0",
		"ref.func 0 return_call_ref 0",
	};
	const struct we_instance *inst;

	(void)state;
	draft_type(&d, "func -> i32");
	draft_type(&d, "func i32 ->");
	draft_tag(&d, 1);
	draft_table(&d, "funcref", 1);
	draft_elem_funcs(&d, true, 0, 1);
	draft_func(&d, 0, "", "i32.const 7 throw 0", NULL);
	for (uint32_t i = 0; i < 3; i++) {
		char text[256];

		snprintf(text, sizeof(text),
			"block void try_table i32 1 catch_all 0 %s end return end"
			" i32.const 1",
			tails[i]);
		draft_func(&d, 0, "i64 i64", text, NULL);
	}
	for (uint32_t i = 0; i < 3; i++) {
		char text[256];
		char name[8];

		snprintf(name, sizeof(name), "%u", i);
		snprintf(text, sizeof(text),
			"block i32 try_table i32 1 catch 0 0 call %u end return end"
			" i32.const 100 i32.add",
			i + 1);
		draft_func(&d, 0, "", text, name);
	}
	inst = link(NULL, 0);
	for (uint32_t i = 0; i < 3; i++) {
		char name[8];

		snprintf(name, sizeof(name), "%u", i);
		assert_int_equal((uint32_t)guest_ask(&g, inst, name, 0), 107);
	}
}

// ---- through instances ---------------------------------------------------------------------------

// Two instances, A with a memory of 1 page and 222 at its start, B with 3 pages and 111: A calls B, which grows its memory
// and throws, or calls A back, which throws. B's ways go through its own tail calls.
static struct we_instance *make_thrower(const struct we_tag *tag)
{
	const struct we_extern imports[] = {
		{WE_EXTERN_TAG, {.tag = (struct we_tag *)(uintptr_t)tag}}};
	const uint32_t n = 5;

	draft_type(&d, "func i32 ->");
	draft_type(&d, "func -> i32");
	draft_type(&d, "func funcref -> i32");
	draft_import_tag(&d, 0);
	draft_memory(&d, 3);
	draft_table(&d, "funcref", 1);
	draft_elem_funcs(&d, false, 0, n);
	draft_func(&d, 1, "",
		"i32.const 0 i32.const 111 i32.store 0 i32.const 1 memory.grow 0 drop"
		" i32.const 0 i32.load 0 throw 0",
		"throw");
	draft_func(&d, 1, "", "return_call 0", "tail");
	draft_func(&d, 1, "", "ref.func 0 return_call_ref 1", "tail_ref");
	draft_func(&d, 1, "", "call 1 i32.const 1 i32.add", "nested");
	draft_func(&d, 2, "", "i32.const 0 local.get 0 table.set 0 i32.const 0 call_indirect 1 0",
		"back");
	return link(imports, 1);
}

// How A calls function i of B.
static const char *const crossings[] = {
	"call %u",
	"i32.const %u call_indirect 1 0",
	"ref.func %u call_ref 1",
	"i32.const %u table.get 0 ref.cast 1 call_ref 1",
};

static void draft_catchers(uint32_t n_throwers)
{
	for (uint32_t i = 0; i < N(crossings); i++) {
		for (uint32_t k = 0; k < n_throwers; k++) {
			char call[128];
			char text[512];
			char name[8];

			snprintf(name, sizeof(name), "%u", i * n_throwers + k);
			snprintf(call, sizeof(call), crossings[i], k);
			snprintf(text, sizeof(text),
				"i32.const 0 i32.const 222 i32.store 0"
				" block i32 try_table i32 1 catch 0 0 %s end unreachable end"
				" i32.const 1000 i32.mul i32.const 0 i32.load 0 i32.add"
				" memory.size 0 i32.add global.get 0 i32.add",
				call);
			draft_func(&d, 1, "", text, name);
		}
	}
}

static void registers_after_a_catch_are_those_of_the_instance(void **state)
{
	static const char *const names[] = {"throw", "tail", "tail_ref", "nested"};
	const enum we_kind param = WE_I32;
	const struct we_functype *type;
	struct we_extern imports[6] = {{.kind = WE_EXTERN_TAG}};
	struct we_instance *thrower;
	const struct we_instance *inst;
	uint64_t slots[4];

	(void)state;
	assert_int_equal(we_functype_create(g.engine, &param, 1, NULL, 0, &type, &g.err), 0);
	assert_int_equal(we_tag_create(g.store, type, &imports[0].of.tag, &g.err), 0);
	thrower = make_thrower(imports[0].of.tag);
	for (uint32_t i = 0; i < N(names); i++)
		imports[i + 1] = guest_export(thrower, names[i]);
	imports[5] = guest_export(thrower, "back");
	draft_type(&d, "func i32 ->");
	draft_type(&d, "func -> i32");
	draft_type(&d, "func funcref -> i32");
	draft_import_tag(&d, 0);
	for (uint32_t i = 0; i < N(names); i++)
		draft_import_func(&d, 1);
	draft_import_func(&d, 2);
	draft_memory(&d, 1);
	draft_global(&d, "mut:i32", "i32.const 50");
	draft_table(&d, "funcref", 30);
	draft_elem_funcs(&d, true, 0, 7);
	draft_func(&d, 1, "", "i32.const 333 throw 0", NULL); // 5
	draft_catchers(N(names));
	draft_func(&d, 1, "",
		"i32.const 0 i32.const 222 i32.store 0"
		" block i32 try_table i32 1 catch 0 0 ref.func 5 call 4 end unreachable end"
		" i32.const 0 i32.load 0 i32.add",
		"back");
	// beyond its own memory, inside B's
	draft_func(&d, 1, "",
		"block i32 try_table i32 1 catch 0 0 call 0 end unreachable end drop"
		" i32.const 131072 i32.load 0",
		"bounds");
	inst = link(imports, 6);
	for (uint32_t i = 0; i < N(crossings) * N(names); i++) {
		char name[8];
		uint32_t got;

		snprintf(name, sizeof(name), "%u", i);
		got = (uint32_t)guest_ask(&g, inst, name, 0);
		if (got != 111000 + 222 + 1 + 50)
			fail_msg("%s of %s: %u", crossings[i / N(names)], names[i % N(names)], got);
	}
	assert_int_equal((uint32_t)guest_ask(&g, inst, "back", 0), 333 + 222);
	assert_int_equal(guest_call(&g, inst, "bounds", slots), WE_E_TRAP);
	assert_int_equal(g.err.trap, WE_TRAP_MEMORY_OUT_OF_BOUNDS);
}

// ---- exceptions as values ------------------------------------------------------------------------

static void an_exception_is_kept_and_thrown_again(void **state)
{
	const struct we_instance *inst;
	uint64_t slots[2] = {0};

	(void)state;
	draft_type(&d, "func i32 -> i32");
	draft_type(&d, "func i32 ->");
	draft_type(&d, "func -> i32 exnref");
	draft_type(&d, "func exnref -> i32");
	draft_tag(&d, 1);
	draft_table(&d, "exnref", 4);
	draft_global(&d, "mut:exnref", "ref.null exn");
	draft_func(&d, 0, "exnref",
		"block exnref try_table void 1 catch_all_ref 0 local.get 0 throw 0 end unreachable "
		"end"
		" local.tee 1 global.set 0 i32.const 2 local.get 1 table.set 0"
		" block i32 try_table void 1 catch 0 0 global.get 0 throw_ref end unreachable end"
		" block 2 try_table void 1 catch_ref 0 0 i32.const 2 table.get 0 throw_ref end"
		" unreachable end"
		" call 1 i32.add i32.add",
		"keep");
	draft_func(&d, 3, "", // catches what its argument is
		"block i32 try_table void 1 catch 0 0 local.get 0 throw_ref end unreachable end",
		"again");
	draft_func(&d, 0, "", "ref.null exn throw_ref", "null");
	draft_func(&d, 0, "", // the handler throws on, to the outer block
		"block i32 try_table void 1 catch 0 0"
		" block exnref try_table void 1 catch_all_ref 0 local.get 0 throw 0 end "
		"unreachable end"
		" throw_ref end unreachable end",
		"on");
	inst = link(NULL, 0);
	assert_int_equal((uint32_t)guest_ask(&g, inst, "keep", 5), 15);
	assert_int_equal((uint32_t)guest_ask(&g, inst, "on", 8), 8);
	assert_int_equal(guest_call(&g, inst, "null", slots), WE_E_TRAP);
	assert_int_equal(g.err.trap, WE_TRAP_NULL_EXCEPTION_REFERENCE);
}

// ---- traps ---------------------------------------------------------------------------------------

static int host_traps(void *env, uint64_t *slots, struct we_error *err)
{
	(void)env;
	(void)slots;
	return we_error_trap(err, WE_TRAP_HOST, 0, WE_NO_FUNC, "on purpose");
}

static int host_ends_the_entry(void *env, uint64_t *slots, struct we_error *err)
{
	const struct guest *guest = env;

	(void)slots;
	(void)err;
	we_store_interrupt(guest->store, we_store_entry(guest->store));
	return 0;
}

static void no_clause_catches_a_trap(void **state)
{
	static const struct {
		const char *code;
		enum we_trap trap;
	} traps[] = {
		{"unreachable", WE_TRAP_UNREACHABLE},
		{"i32.const 1 i32.const 0 i32.div_u drop", WE_TRAP_INTEGER_DIVIDE_BY_ZERO},
		{"i32.const 65533 i32.load 0 drop", WE_TRAP_MEMORY_OUT_OF_BOUNDS},
		{"i32.const 9 call_indirect 0 0", WE_TRAP_UNDEFINED_ELEMENT},
		{"ref.null exn throw_ref", WE_TRAP_NULL_EXCEPTION_REFERENCE},
		{"call 0", WE_TRAP_HOST},
		{"call 2", WE_TRAP_STACK_OVERFLOW},
		{"call 1 loop void br 0 end", WE_TRAP_DEADLINE},
		{"call 1 call 3", WE_TRAP_DEADLINE},
	};
	const struct we_functype *type;
	struct we_extern imports[2] = {{.kind = WE_EXTERN_FUNC}, {.kind = WE_EXTERN_FUNC}};
	const struct we_instance *inst;

	(void)state;
	assert_int_equal(we_functype_create(g.engine, NULL, 0, NULL, 0, &type, &g.err), 0);
	assert_int_equal(
		we_func_create_host(g.store, type, host_traps, NULL, &imports[0].of.func, &g.err),
		0);
	assert_int_equal(we_func_create_host(g.store, type, host_ends_the_entry, &g,
				 &imports[1].of.func, &g.err),
		0);
	draft_type(&d, "func ->");
	draft_import_func(&d, 0);
	draft_import_func(&d, 0);
	draft_memory(&d, 1);
	draft_table(&d, "funcref", 1);
	draft_func(&d, 0, "", "block void try_table void 1 catch_all 0 call 2 end end", NULL);
	draft_func(&d, 0, "", "", NULL);
	for (size_t i = 0; i < N(traps); i++) {
		char text[256];
		char name[8];

		snprintf(name, sizeof(name), "%zu", i);
		snprintf(text, sizeof(text),
			"block void try_table void 1 catch_all 0 try_table void 1 catch_all 1 %s "
			"end end"
			" end",
			traps[i].code);
		draft_func(&d, 0, "", text, name);
	}
	inst = link(imports, 2);
	for (size_t i = 0; i < N(traps); i++) {
		char name[8];

		snprintf(name, sizeof(name), "%zu", i);
		if (guest_trap(&g, inst, name, 0) != traps[i].trap)
			fail_msg("%s: %s", traps[i].code, g.err.msg);
	}
}

static void a_handler_that_spins_ends_at_the_deadline(void **state)
{
	const struct we_functype *type;
	struct we_extern import = {.kind = WE_EXTERN_FUNC};
	const struct we_instance *inst;

	(void)state;
	assert_int_equal(we_functype_create(g.engine, NULL, 0, NULL, 0, &type, &g.err), 0);
	assert_int_equal(we_func_create_host(
				 g.store, type, host_ends_the_entry, &g, &import.of.func, &g.err),
		0);
	draft_type(&d, "func ->");
	draft_import_func(&d, 0);
	draft_tag(&d, 0);
	draft_func(&d, 0, "",
		"block void try_table void 1 catch_all 0 throw 0 end end"
		" block void try_table void 1 catch_all 0 call 0 throw 0 end end"
		" loop void br 0 end",
		"f");
	inst = link(&import, 1);
	assert_int_equal(guest_trap(&g, inst, "f", 0), WE_TRAP_DEADLINE);
}

// ---- the host ------------------------------------------------------------------------------------

// What a host function does with the guest function that it calls back.
struct host {
	struct we_tag *tag;
	struct we_tag *other;
	struct we_func *back;
	enum {
		HOST_THROWS,
		HOST_LETS_GO_ON, // returns the failure of the callback
		HOST_SWALLOWS,   // returns the argument of what it has caught
		HOST_THROWS_AGAIN,
		HOST_THROWS_ANOTHER,
		HOST_TRAPS,
	} what;
	uint32_t n_caught;
};

static int host_rescues(struct host *host, uint64_t *slots, struct we_error *err)
{
	const uint64_t exn = we_catch(g.store);
	uint64_t args[1];

	assert_true(exn != 0);
	assert_int_equal(we_catch(g.store), 0);
	assert_int_equal(we_ref_kind(g.store, WE_EXNREF, exn), WE_REFKIND_EXN);
	assert_ptr_equal(we_exn_tag(g.store, exn), host->tag);
	we_exn_args(g.store, exn, args);
	host->n_caught++;
	if (host->what == HOST_THROWS_AGAIN)
		return we_throw_ref(g.store, exn, err);
	args[0]++;
	if (host->what == HOST_THROWS_ANOTHER)
		return we_throw(g.store, host->other, args, err);
	if (host->what == HOST_TRAPS)
		return we_error_trap(err, WE_TRAP_HOST, 0, WE_NO_FUNC, NULL);
	slots[0] = args[0];
	return 0;
}

static int host_calls_back(void *env, uint64_t *slots, struct we_error *err)
{
	struct host *host = env;
	uint64_t own[1] = {slots[0]};
	int rc;

	if (host->what == HOST_THROWS)
		return we_throw(g.store, host->tag, own, err);
	rc = we_func_call(host->back, own, err);
	if (rc == 0)
		slots[0] = own[0];
	if (rc == 0 || host->what == HOST_LETS_GO_ON)
		return rc;
	assert_int_equal(rc, WE_E_TRAP);
	assert_int_equal(err->trap, WE_TRAP_UNCAUGHT_EXCEPTION);
	return host_rescues(host, slots, err);
}

// The guest's ways of calling the host, each in a try; "back" throws its argument + 10, "bare" does not catch.
static const struct we_instance *make_host_and_guest(struct host *host)
{
	const enum we_kind i32 = WE_I32;
	const struct we_functype *tag_type;
	const struct we_functype *type;
	struct we_extern imports[3] = {
		{.kind = WE_EXTERN_TAG}, {.kind = WE_EXTERN_TAG}, {.kind = WE_EXTERN_FUNC}};
	const struct we_instance *inst;

	assert_int_equal(we_functype_create(g.engine, &i32, 1, NULL, 0, &tag_type, &g.err), 0);
	assert_int_equal(we_functype_create(g.engine, &i32, 1, &i32, 1, &type, &g.err), 0);
	assert_int_equal(we_tag_create(g.store, tag_type, &host->tag, &g.err), 0);
	assert_int_equal(we_tag_create(g.store, tag_type, &host->other, &g.err), 0);
	imports[0].of.tag = host->tag;
	imports[1].of.tag = host->other;
	assert_int_equal(we_func_create_host(
				 g.store, type, host_calls_back, host, &imports[2].of.func, &g.err),
		0);
	draft_type(&d, "func i32 ->");
	draft_type(&d, "func i32 -> i32");
	draft_import_tag(&d, 0);
	draft_import_tag(&d, 0);
	draft_import_func(&d, 1);
	draft_table(&d, "funcref", 1);
	draft_elem_funcs(&d, true, 0, 1);
#define IN_TRY(call)                                                                               \
	"block i32 block i32 try_table i32 2 catch 0 0 catch 1 1 local.get 0 " call                \
	" end return end i32.const 100 i32.add return end i32.const 200 i32.add"
	draft_func(&d, 1, "", IN_TRY("call 0"), "0");
	draft_func(&d, 1, "", IN_TRY("i32.const 0 call_indirect 1 0"), "1");
	draft_func(&d, 1, "", IN_TRY("ref.func 0 call_ref 1"), "2");
	draft_func(&d, 1, "", "local.get 0 return_call 0", NULL);
	draft_func(&d, 1, "", IN_TRY("call 4"), "3");
	draft_func(&d, 1, "", "local.get 0 i32.const 0 return_call_indirect 1 0", NULL);
	draft_func(&d, 1, "", IN_TRY("call 6"), "4");
	draft_func(&d, 1, "", "local.get 0 ref.func 0 return_call_ref 1", NULL);
	draft_func(&d, 1, "", IN_TRY("call 8"), "5");
	// a tail call of the host leaves this try
	draft_func(&d, 1, "",
		"block void try_table i32 1 catch_all 0 local.get 0 return_call 0 end return end"
		" unreachable",
		NULL);
	draft_func(&d, 1, "", IN_TRY("call 10"), "6");
#undef IN_TRY
	draft_func(&d, 1, "", "local.get 0 i32.const 10 i32.add throw 0", "back");
	draft_func(&d, 1, "", "local.get 0 call 0", "bare");
	draft_func(&d, 1, "", "local.get 0 return_call 0", "bare_tail");
	inst = link(imports, 3);
	host->back = guest_export(inst, "back").of.func;
	return inst;
}

static void what_the_host_throws_or_lets_pass_is_caught_by_the_guest(void **state)
{
	static const struct {
		uint32_t what;
		uint32_t wanted; // of 1
		uint32_t n_caught;
	} rows[] = {
		{HOST_THROWS, 101, 0},
		{HOST_LETS_GO_ON, 111, 0},
		{HOST_SWALLOWS, 12, 1},
		{HOST_THROWS_AGAIN, 111, 1},
		{HOST_THROWS_ANOTHER, 212, 1},
	};
	struct host host = {0};
	const struct we_instance *inst;

	(void)state;
	inst = make_host_and_guest(&host);
	for (size_t i = 0; i < N(rows); i++) {
		for (uint32_t way = 0; way < 7; way++) {
			const char name[2] = {(char)('0' + way), '\0'};
			uint32_t got;

			host.what = rows[i].what;
			host.n_caught = 0;
			got = (uint32_t)guest_ask(&g, inst, name, 1);
			if (got != rows[i].wanted || host.n_caught != rows[i].n_caught)
				fail_msg("the host's %u, way %u: %u", rows[i].what, way, got);
			assert_int_equal(we_catch(g.store), 0);
		}
	}
	host.what = HOST_TRAPS;
	for (uint32_t way = 0; way < 7; way++) {
		const char name[2] = {(char)('0' + way), '\0'};

		assert_int_equal(guest_trap(&g, inst, name, 1), WE_TRAP_HOST);
	}
}

static void an_exception_that_nothing_catches_is_a_trap_with_its_frames(void **state)
{
	struct host host = {.what = HOST_LETS_GO_ON};
	const struct we_instance *inst;
	struct we_frame frames[8];
	uint64_t exn;
	uint64_t args[1];

	(void)state;
	inst = make_host_and_guest(&host);
	assert_int_equal(guest_trap(&g, inst, "bare", 5), WE_TRAP_UNCAUGHT_EXCEPTION);
	assert_memory_equal(g.err.msg, "uncaught exception", strlen("uncaught exception"));
	assert_int_equal(we_store_backtrace(g.store, frames, 8), 2);
	assert_int_equal(frames[0].func, 12); // back
	assert_int_equal(frames[1].func, 13); // bare
	exn = we_catch(g.store);
	assert_ptr_equal(we_exn_tag(g.store, exn), host.tag);
	we_exn_args(g.store, exn, args);
	assert_int_equal((uint32_t)args[0], 15);
	host.what = HOST_THROWS;
	assert_int_equal(guest_trap(&g, inst, "bare_tail", 5), WE_TRAP_UNCAUGHT_EXCEPTION);
	assert_int_equal((uint32_t)guest_ask(&g, inst, "0", 1), 101); // the store goes on
}

// The frames of a trap that the host has swallowed are no part of the next one, nor are those that an exception has
// passed before it was caught.
static void a_backtrace_has_the_frames_of_the_last_trap_only(void **state)
{
	struct host host = {.what = HOST_SWALLOWS};
	const struct we_instance *inst;
	struct we_frame frames[8];
	const enum we_kind i32 = WE_I32;
	const struct we_functype *type;
	struct we_extern import = {.kind = WE_EXTERN_FUNC};
	uint64_t slots[1] = {0};

	(void)state;
	inst = make_host_and_guest(&host);
	assert_int_equal(we_functype_create(g.engine, &i32, 1, &i32, 1, &type, &g.err), 0);
	assert_int_equal(
		we_func_create_host(g.store, type, host_calls_back, &host, &import.of.func, &g.err),
		0);
	draft_type(&d, "func i32 -> i32");
	draft_import_func(&d, 0);
	draft_func(&d, 0, "", "local.get 0 call 0 drop unreachable", "swallow");
	draft_func(&d, 0, "",
		"block void try_table void 1 catch_all 0 local.get 0 call 0 drop end end "
		"unreachable",
		"catch");
	inst = link(&import, 1);
	assert_int_equal(guest_call(&g, inst, "swallow", slots), WE_E_TRAP);
	assert_int_equal(g.err.trap, WE_TRAP_UNREACHABLE);
	assert_int_equal(we_store_backtrace(g.store, frames, 8), 1);
	assert_int_equal(frames[0].func, 1);
	host.what = HOST_LETS_GO_ON;
	assert_int_equal(guest_call(&g, inst, "catch", slots), WE_E_TRAP);
	assert_int_equal(g.err.trap, WE_TRAP_UNREACHABLE);
	assert_int_equal(we_store_backtrace(g.store, frames, 8), 1);
	assert_int_equal(frames[0].func, 2);
}

#define EACH(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		EACH(the_first_clause_of_the_innermost_block_catches),
		EACH(many_arguments_come_whole_and_operands_below_stay),
		EACH(operations_do_not_grow_across_the_bounds_of_a_try),
		EACH(a_loop_throws_in_each_round_and_sums_what_it_catches),
		EACH(leaving_a_try_by_a_branch_ends_it),
		EACH(a_try_in_a_loop_is_entered_again_after_each_way_out),
		EACH(a_catch_gives_back_the_depth_of_calls),
		EACH(a_tail_call_leaves_its_try),
		EACH(registers_after_a_catch_are_those_of_the_instance),
		EACH(an_exception_is_kept_and_thrown_again),
		EACH(no_clause_catches_a_trap),
		EACH(a_handler_that_spins_ends_at_the_deadline),
		EACH(what_the_host_throws_or_lets_pass_is_caught_by_the_guest),
		EACH(an_exception_that_nothing_catches_is_a_trap_with_its_frames),
		EACH(a_backtrace_has_the_frames_of_the_last_trap_only),
	};

	return cmocka_run_group_tests_name("we_exceptions", tests, NULL, NULL);
}
