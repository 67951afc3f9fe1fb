// SPDX-License-Identifier: BSD-3-Clause
// What the machine code is made of, read back: nothing that polls, one instruction for a load, a look at the stack only
// where something may come back.
#include "test_native.h"

#include "image.h"

#include <llvm-c/Disassembler.h>
#include <llvm-c/Target.h>

enum {
	MAX_LINES = 400,
	LINE_BYTES = 96,
};

struct listing {
	uint32_t n;
	uint32_t body; // where the code begins in the image
	char lines[MAX_LINES][LINE_BYTES];
};

struct rig {
	struct pair pair;
	struct twins twins;
	LLVMDisasmContextRef disasm;
};

// Functions: see each test. Type 0 is i32 -> i32.
static void open_rig(struct rig *rig, const struct draft *d, const char *cpu)
{
	static struct bytes b;
	struct we_jit_options opt = test_options();

	if (cpu != NULL)
		assert_true(we_cpu_by_name(cpu, &opt.cpu));
	draft_end(d, &b);
	pair_open(&rig->pair, NULL, NULL);
	rig->twins = pair_instance(&rig->pair, &b, &opt);
	LLVMInitializeX86Disassembler();
	rig->disasm = LLVMCreateDisasm("x86_64-unknown-linux-gnu", NULL, 0, NULL, NULL);
	assert_non_null(rig->disasm);
}

static void close_rig(struct rig *rig)
{
	LLVMDisasmDispose(rig->disasm);
	pair_close(&rig->pair);
}

static const struct we_image *image_of(const struct rig *rig)
{
	return rig->twins.of[NATIVE]->module->images;
}

static void read_code(const struct rig *rig, uint32_t begin, uint32_t end, struct listing *ret)
{
	const struct we_image *image = image_of(rig);

	ret->n = 0;
	ret->body = begin;
	while (begin < end) {
		uint8_t bytes[16] = {0};
		const size_t left = end - begin < sizeof(bytes) ? end - begin : sizeof(bytes);
		size_t n;

		assert_in_range(ret->n, 0, MAX_LINES - 1);
		memcpy(bytes, image->code + begin, left);
		n = LLVMDisasmInstruction(
			rig->disasm, bytes, left, begin, ret->lines[ret->n], LINE_BYTES);
		if (n == 0)
			fail_msg("no instruction at 0x%x", begin);
		begin += (uint32_t)n;
		ret->n += strstr(ret->lines[ret->n], "nop") == NULL; // between blocks
	}
}

// The function's body.
static void read_func(const struct rig *rig, uint32_t func, struct listing *ret)
{
	const struct we_image *image = image_of(rig);

	for (uint32_t i = 0; i < image->header.n_ranges; i++)
		if (image->ranges[i].func == func) {
			read_code(rig, image->ranges[i].begin, image->ranges[i].end, ret);
			return;
		}
	fail_msg("function %u has no code", func);
}

static void print_listing(const struct listing *l)
{
	for (uint32_t i = 0; i < l->n; i++)
		print_message("#%s\n", l->lines[i]);
}

// Lines that contain both words.
static uint32_t count(const struct listing *l, const char *word, const char *other)
{
	uint32_t n = 0;

	for (uint32_t i = 0; i < l->n; i++)
		n += strstr(l->lines[i], word) != NULL && strstr(l->lines[i], other) != NULL;
	return n;
}

static void expect(const struct listing *l, const char *word, const char *other, uint32_t n)
{
	if (count(l, word, other) == n)
		return;
	print_listing(l);
	fail_msg("%u instructions with %s and %s, not %u", count(l, word, other), word, other, n);
}

static void begin(struct draft *d)
{
	draft_begin(d);
	draft_type(d, "func i32 -> i32");
	draft_memory(d, 1);
}

// ---- tests ---------------------------------------------------------------------------------------

static void loops_do_not_poll(void **state)
{
	static struct draft d;
	static struct listing l;
	struct rig rig;

	(void)state;
	begin(&d);
	draft_func(&d, 0, "", "loop void br 0 end unreachable", "a");
	draft_func(&d, 0, "",
		"loop void local.get 0 i32.const 1 i32.add local.tee 0 br_if 0 end local.get 0",
		"b");
	draft_func(&d, 0, "",
		"loop void local.get 0 local.get 0 i32.store 0 local.get 0 i32.const 4 i32.add "
		"local.set 0 br 0 end unreachable",
		"c");
	open_rig(&rig, &d, NULL);
	read_func(&rig, 0, &l);
	expect(&l, "cmp", "", 0);
	expect(&l, "test", "", 0);
	expect(&l, "(", "", 0);
	read_func(&rig, 1, &l);
	expect(&l, "(", "", 0);
	read_func(&rig, 2, &l);
	expect(&l, "cmp", "", 0);
	expect(&l, "test", "", 0);
	expect(&l, "(", "", 2); // the memory's base and the store
	expect(&l, "j", "", 1);
	close_rig(&rig);
}

static void access_is_one_instruction_with_base_index_and_offset(void **state)
{
	static struct draft d;
	static struct listing l;
	struct rig rig;

	(void)state;
	begin(&d);
	draft_func(&d, 0, "", "local.get 0 i32.load 16", "a");
	draft_func(&d, 0, "", "local.get 0 i32.load16_u 100000", "b");
	draft_func(&d, 0, "", "local.get 0 local.get 0 i32.store 8 i32.const 0", "c");
	draft_func(&d, 0, "", "local.get 0 i64.load 0 i32.wrap_i64", "d");
	draft_func(&d, 0, "", "local.get 0 i32.load 4 local.get 0 i32.load 8 i32.add", "e");
	open_rig(&rig, &d, NULL);
	read_func(&rig, 0, &l);
	expect(&l, "(", "", 2);
	expect(&l, "movl\t16(%r", ",%r", 1);
	expect(&l, "cmp", "", 0);
	expect(&l, "lea", "", 0);
	read_func(&rig, 1, &l);
	expect(&l, "movzwl\t100000(%r", ",%r", 1);
	read_func(&rig, 2, &l);
	expect(&l, "movl\t%e", "8(%r", 1);
	expect(&l, "(", "", 2);
	read_func(&rig, 3, &l);
	expect(&l, "movq\t(%r", ",%r", 1);
	read_func(&rig, 4, &l);
	expect(&l, "4(%r", "(", 1);
	expect(&l, "8(%r", ",%r", 1);
	close_rig(&rig);
}

static const char *const checked = "), %rbp"; // cmpq stack_limit(store), %rbp

static void only_functions_that_call_look_at_the_stack(void **state)
{
	static struct draft d;
	static struct listing l;
	struct rig rig;

	(void)state;
	begin(&d);
	draft_table(&d, "funcref", 1);
	draft_func(&d, 0, "", "local.get 0 i32.load 0 i32.const 3 i32.div_u", "leaf");
	draft_func(&d, 0, "", "local.get 0 local.get 0 i32.load 0 i32.div_u", "traps");
	draft_func(&d, 0, "",
		"local.get 0 i32.eqz if i32 i32.const 1 else local.get 0 i32.const 1 "
		"i32.sub call 2 local.get 0 i32.mul end",
		"recursive");
	draft_func(&d, 0, "", "local.get 0 local.get 0 call_indirect 0 0 i32.const 1 i32.add",
		"indirect");
	draft_func(&d, 0, "", "local.get 0 local.get 0 return_call_indirect 0 0", "tail");
	draft_func(&d, 0, "", "local.get 0 call 0", "inlines");
	open_rig(&rig, &d, NULL);
	for (uint32_t i = 0; i < 6; i++) {
		read_func(&rig, i, &l);
		expect(&l, "cmp", checked, i == 2 || i == 3);
	}
	read_func(&rig, 4, &l);
	expect(&l, "jmp", "*", 1);
	close_rig(&rig);
}

// Nobody else can write in table 0, so that its elements are known; table 1 is written.
static void calls_by_a_table_of_few_candidates_are_direct(void **state)
{
	static struct draft d;
	static struct listing l;
	struct rig rig;
	char entry[16];

	(void)state;
	(void)snprintf(entry, sizeof(entry), "*%zu(", offsetof(struct we_func, entry));
	begin(&d);
	draft_table(&d, "funcref", 3);
	draft_table(&d, "funcref", 3);
	draft_func(&d, 0, "", "local.get 0 i32.const 3 i32.mul", "a");
	draft_func(&d, 0, "", "local.get 0 i32.const 5 i32.shr_u", "b");
	draft_elem_funcs(&d, true, 0, 2);
	draft_func(&d, 0, "", "local.get 0 local.get 0 call_indirect 0 0 i32.const 1 i32.add",
		"known");
	draft_func(&d, 0, "", "local.get 0 local.get 0 call_indirect 0 1 i32.const 1 i32.add",
		"unknown");
	draft_func(&d, 0, "",
		"i32.const 0 i32.const 0 i32.const 2 table.copy 1 0 local.get 0 call 2", "writes");
	open_rig(&rig, &d, NULL);
	read_func(&rig, 2, &l);
	expect(&l, "call", entry, 0);
	expect(&l, "shr", "", 1);
	read_func(&rig, 3, &l);
	expect(&l, "call", entry, 1);
	close_rig(&rig);
}

// Small ones only: those that would become long, and those with references that move, call themselves as they say.
static void calls_of_a_function_by_itself_are_inlined_in_each_other(void **state)
{
	static const struct {
		const char *code;
		uint32_t n_calls;
	} cases[] = {
		{"local.get 0 i32.const 2 i32.lt_u if i32 local.get 0 else local.get 0 i32.const 1 "
		 "i32.sub call 0 local.get 0 i32.const 2 i32.sub call 0 i32.add end",
			8},
		{"local.get 0 i32.eqz if i32 i32.const 1 else local.get 0 i32.const 1 i32.sub "
		 "call 0 local.get 0 i32.mul end",
			1},
		{"local.get 0 i32.const 100 i32.lt_u if i32 i32.const 1 else "
		 "local.get 0 i32.const 0x1000001 i32.div_u call 0 local.get 0 i32.const "
		 "0x1000002 i32.div_u call 0 i32.add local.get 0 i32.const 0x1000003 "
		 "i32.div_u call 0 i32.add local.get 0 i32.const 0x1000004 i32.div_u call 0 "
		 "i32.add local.get 0 i32.const 0x1000005 i32.div_u call 0 i32.add end",
			5},
		{"ref.null any drop local.get 0 i32.eqz if i32 i32.const 1 else local.get 0 "
		 "i32.const 1 i32.sub call 0 local.get 0 i32.mul end",
			1},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		static struct draft d;
		static struct listing l;
		struct rig rig;

		begin(&d);
		draft_func(&d, 0, "", cases[i].code, "f");
		open_rig(&rig, &d, NULL);
		read_func(&rig, 0, &l);
		expect(&l, "call", "-", cases[i].n_calls); // of what stands before it
		close_rig(&rig);
	}
}

// Small in bytes, but each call hands much over: for the compiler that is as long as many instructions.
static void function_of_many_results_is_not_inlined_in_itself(void **state)
{
	static const char code[] = "local.get 0 i32.eqz if void unreachable end local.get 0 "
				   "i32.const 1 i32.sub call ";
	static struct draft d;
	static struct listing l;
	struct writer type = {.random = 1};
	char text[128];
	struct rig rig;

	(void)state;
	begin(&d);
	put_text(&type, "func i32 ->");
	for (uint32_t i = 0; i < 200; i++)
		put_text(&type, " i64");
	snprintf(text, sizeof(text), "%s0", code);
	draft_func(&d, draft_type(&d, type.text), "", text, "many");
	snprintf(text, sizeof(text), "%s1", code);
	draft_func(&d, draft_type(&d, "func i32 -> i64"), "", text, "one");
	open_rig(&rig, &d, NULL);
	read_func(&rig, 0, &l);
	expect(&l, "\tcmpl\t$", "", 0);
	read_func(&rig, 1, &l);
	expect(&l, "\tcmpl\t$", "", 3); // with 1, 2, 3
	close_rig(&rig);
}

// Who is only called by another batch has code for it, and what is reported as native is.
static void callee_of_another_batch_has_an_entry(void **state)
{
	struct we_jit_options opt = test_options();
	struct we_instance *inst;
	struct we_module *module;
	static struct draft d;
	static struct bytes b;
	struct we_error err;
	struct pair p;
	uint64_t slots[1] = {5};

	(void)state;
	begin(&d);
	draft_func(&d, 0, "", "local.get 0 call 1", "f");
	draft_func(&d, 0, "", "local.get 0 i32.const 3 i32.mul", NULL);
	draft_func(&d, 0, "", "local.get 0 call 3", "g");
	draft_func(&d, 0, "", "local.get 0 i32.const 5 i32.mul", NULL);
	draft_end(&d, &b);
	pair_open(&p, NULL, NULL);
	assert_int_equal(
		we_module_create(p.engine, (struct we_bytes){b.data, b.len}, 0, &module, &err), 0);
	for (opt.first_func = 0; opt.first_func < 4; opt.first_func += opt.n_funcs) {
		opt.n_funcs = opt.first_func == 0 ? 1 : 3;
		if (we_jit_publish_range(module, &opt, &err) != 0)
			fail_msg("%s", err.msg);
	}
	assert_int_equal(we_instance_create(p.store[NATIVE], module, NULL, 0, &inst, &err), 0);
	assert_int_equal(we_func_call(&inst->own_funcs[0], slots, &err), 0);
	assert_int_equal((uint32_t)slots[0], 15);
	for (uint32_t i = 0; i < 3; i++)
		assert_non_null(inst->own_funcs[i].enter);
	assert_null(inst->own_funcs[3].enter); // it is in g, and nobody else calls it
	assert_int_equal(module->images->next->funcs[2].body, WE_IMAGE_INLINED);
	we_module_unref(module);
	pair_close(&p);
}

static int count_up(void *env, uint64_t *slots, struct we_error *err)
{
	uint32_t *n = env;

	(void)err;
	slots[0] = (uint32_t)slots[0] + ++*n % 3;
	return 0;
}

// The first calls of the host stand in line, each some two hundred bytes, the others are short.
static void many_calls_of_an_import_become_short(void **state)
{
	const enum we_kind letter[] = {WE_I32};
	const struct we_jit_options opt = test_options();
	struct we_extern imports[SIDES];
	uint32_t n[SIDES] = {0, 0};
	static struct draft d;
	static struct bytes b;
	struct writer code = {.random = 1};
	struct twins twins;
	struct pair p;
	uint64_t slots[SIDES][1] = {{7}, {7}};

	(void)state;
	begin(&d);
	draft_import_func(&d, 0);
	put_text(&code, "local.get 0");
	for (uint32_t i = 0; i < 600; i++)
		put_text(&code, " call 0");
	draft_func(&d, 0, "", code.text, "f");
	draft_end(&d, &b);
	pair_open(&p, NULL, NULL);
	for (unsigned side = 0; side < SIDES; side++) {
		const struct we_functype *type = NULL;

		imports[side].kind = WE_EXTERN_FUNC;
		assert_int_equal(
			we_functype_create(p.engine, letter, 1, letter, 1, &type, NULL), 0);
		assert_int_equal(we_func_create_host(p.store[side], type, count_up, &n[side],
					 &imports[side].of.func, NULL),
			0);
	}
	twins = pair_link(
		&p, &b, &opt, (const struct we_extern *const[SIDES]){&imports[0], &imports[1]}, 1);
	assert_true(is_native(&twins, "f"));
	for (unsigned side = 0; side < SIDES; side++) {
		struct outcome got;

		call_side(&twins, (enum side)side, "f", slots[side], &got);
		assert_int_equal(got.rc, 0);
		assert_int_equal((uint32_t)slots[side][0], 607);
		assert_int_equal(n[side], 600);
	}
	assert_in_range(twins.of[NATIVE]->module->images->header.n_exec_bytes, 1, 600 * 80);
	pair_close(&p);
}

static void nothing_pops_arguments_and_calls_stay_in_the_image(void **state)
{
	static const char *const cpus[] = {"v2", NULL};
	static struct draft d;
	static struct listing l;
	struct rig rig;
	uint32_t type;

	(void)state;
	for (unsigned k = 0; k < 2; k++) {
		const struct we_image *image;

		begin(&d);
		draft_memory(&d, 1);
		draft_table(&d, "funcref", 4);
		type = draft_type(&d,
			"func v128 v128 v128 v128 v128 v128 v128 v128 v128 v128 i32 -> "
			"v128 v128 v128 i32");
		draft_func(&d, 0, "",
			"local.get 0 i32.const 7 i32.const 100 memory.fill 0 local.get 0 local.get "
			"0 "
			"i32.const 9 memory.copy 0 1 local.get 0 memory.grow 0",
			"bulk");
		draft_func(&d, 0, "v128 f64 f32",
			"local.get 0 f64.convert_i32_u local.tee 2 f64.ceil f64.floor f64.nearest "
			"f64.trunc "
			"f64.sqrt local.get 2 f64.copysign f64.const 2 f64.min f32.demote_f64 "
			"local.tee 3 "
			"local.get 3 f32.nearest f32.max local.set 3 local.get 1 local.get 1 "
			"local.get 1 "
			"f32x4.relaxed_madd local.get 1 local.get 1 f64x2.relaxed_nmadd f64x2.ceil "
			"f64x2.nearest local.set 1 local.get 3 i32.trunc_sat_f32_u local.get 2 "
			"i64.trunc_sat_f64_u i64.popcnt i32.wrap_i64 i32.add local.get 2 "
			"i64.trunc_f64_u "
			"i64.clz i32.wrap_i64 i32.add local.get 1 i8x16.popcnt i8x16.bitmask "
			"i32.add",
			"floats");
		draft_func(&d, 0, "i32",
			"loop void local.get 0 i32.const 0 i32.store8 0 local.get 0 i32.const 1 "
			"i32.add "
			"local.set 0 local.get 1 i32.const 1 i32.add local.tee 1 i32.const 1000 "
			"i32.lt_u "
			"br_if 0 end local.get 0",
			"memset");
		draft_func(&d, 0, "i32",
			"loop void local.get 0 local.get 0 i32.load8_u 0@1 i32.store8 0 local.get "
			"0 "
			"i32.const 1 i32.add local.set 0 local.get 1 i32.const 1 i32.add local.tee "
			"1 "
			"i32.const 1000 i32.lt_u br_if 0 end local.get 0",
			"memcpy");
		draft_func(&d, type, "",
			"local.get 9 local.get 8 local.get 7 local.get 6 local.get 5 local.get 4 "
			"local.get 3 "
			"local.get 2 local.get 1 local.get 0 local.get 10 local.get 10 "
			"return_call_indirect 1 0",
			"many");
		open_rig(&rig, &d, cpus[k]);
		image = image_of(&rig);
		for (uint32_t i = 0; i < image->header.n_ranges; i++) {
			read_code(&rig, image->ranges[i].begin, image->ranges[i].end, &l);
			expect(&l, "ret", "$", 0);
			expect(&l, "syscall", "", 0);
			for (uint32_t n = 0; n < l.n; n++) {
				const char *to = strstr(l.lines[n], "call");

				if (to == NULL || strchr(to, '*') != NULL)
					continue;
				print_listing(&l);
				fail_msg("a call of no function of the module");
			}
		}
		close_rig(&rig);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(loops_do_not_poll),
		cmocka_unit_test(access_is_one_instruction_with_base_index_and_offset),
		cmocka_unit_test(only_functions_that_call_look_at_the_stack),
		cmocka_unit_test(calls_by_a_table_of_few_candidates_are_direct),
		cmocka_unit_test(calls_of_a_function_by_itself_are_inlined_in_each_other),
		cmocka_unit_test(function_of_many_results_is_not_inlined_in_itself),
		cmocka_unit_test(callee_of_another_batch_has_an_entry),
		cmocka_unit_test(many_calls_of_an_import_become_short),
		cmocka_unit_test(nothing_pops_arguments_and_calls_stay_in_the_image),
	};

	return cmocka_run_group_tests_name("jit_code", tests, NULL, NULL);
}
