// SPDX-License-Identifier: BSD-3-Clause
// The machine instructions of each vector instruction at each level, read back from its code, against simd_level.def.
//
// With the argument "print" it writes the table instead.
#include "test_unit.h"

#include <llvm-c/Disassembler.h>

#include <stdio.h>

struct level {
	const char *name;
	const char *const *expected; // of each enum we_op
	struct we_cpu cpu;
	struct test_code code;
};

#define SIMD_LEVEL(NAME, v2, v3, v4) [WE_OP_##NAME] = v2,
static const char *const expected_v2[WE_OP_N] = {
#include "simd_level.def"
};
#undef SIMD_LEVEL

#define SIMD_LEVEL(NAME, v2, v3, v4) [WE_OP_##NAME] = v3,
static const char *const expected_v3[WE_OP_N] = {
#include "simd_level.def"
};
#undef SIMD_LEVEL

#define SIMD_LEVEL(NAME, v2, v3, v4) [WE_OP_##NAME] = v4,
static const char *const expected_v4[WE_OP_N] = {
#include "simd_level.def"
};
#undef SIMD_LEVEL

static const char *const op_names[WE_OP_N] = {
#define WE_OP(feature, prefix, code, NAME, mnemonic, imm, params, results, flags)                  \
	[WE_OP_##NAME] = #NAME,
#include "opcode.def"
#undef WE_OP
};

static bool is_listed(enum we_op op)
{
	const struct we_op_info *info = &we_op_info[op];

	return test_is_numeric(op) && op != WE_OP_V128_CONST &&
	       (strchr(info->params, 'v') != NULL || strchr(info->results, 'v') != NULL);
}

// The instruction as it is listed: lane 1, a shuffle without a pattern.
static struct we_instr listed(enum we_op op)
{
	static const uint8_t lanes[16] = {31, 0, 28, 1, 2, 17, 3, 3, 20, 9, 8, 30, 15, 14, 2, 16};
	struct we_instr in = {.op = op};

	if (we_op_info[op].imm == WE_IMM_LANE)
		in.of.lane = 1;
	else if (we_op_info[op].imm == WE_IMM_SHUFFLE)
		memcpy(in.of.v128, lanes, sizeof(lanes));
	return in;
}

// A function with operands and result in registers.
static void add_function(struct test_unit *t, const char *name, const struct we_instr *in)
{
	struct unit *u = &t->u;
	const char *letters = we_op_info[in->op].params;
	LLVMTypeRef params[3];
	LLVMValueRef v[3];
	struct func f = {.u = u};
	unsigned n = 0;

	for (; letters[n] != '\0'; n++)
		params[n] = test_type(u, letters[n]);
	f.fn = LLVMAddFunction(u->m, name,
		LLVMFunctionType(test_type(u, we_op_info[in->op].results[0]), params, n, false));
	LLVMGetParams(f.fn, v);
	LLVMPositionBuilderAtEnd(u->b, LLVMAppendBasicBlockInContext(u->cx, f.fn, ""));
	LLVMBuildRet(u->b, test_lower(&f, in, v));
}

// ---- reading back --------------------------------------------------------------------------------

// Moves between registers of a kind, and what belongs to the function, are not part of the instruction.
static bool is_counted(const char *mnemonic)
{
	static const char *const skipped[] = {"ret", "movdqa", "movaps", "movapd", "mov", "movl"};

	for (size_t i = 0; i < sizeof(skipped) / sizeof(skipped[0]); i++)
		if (strcmp(mnemonic, skipped[i]) == 0)
			return false;
	return true;
}

// "\tvpaddb\t%xmm1, ..." -> "paddb"; "{vex}" may stand before it.
static void mnemonic_of(const char *line, char ret[32])
{
	size_t len;

	line += strspn(line, " \t");
	if (line[0] == '{')
		line += strcspn(line, "}") + 1;
	line += strspn(line, " \t");
	line += line[0] == 'v';
	len = strcspn(line, " \t\n");
	assert_in_range(len, 1, 31);
	memcpy(ret, line, len);
	ret[len] = '\0';
	if (strcmp(ret, "retq") == 0)
		strcpy(ret, "ret");
}

// Mnemonics with a space between.
static void read_back(struct level *l, LLVMDisasmContextRef disasm, const char *name, char ret[256])
{
	size_t bytes = 0;
	uint8_t *at = test_code_find(&l->code, name, &bytes);

	ret[0] = '\0';
	while (bytes > 0) {
		char line[160], mnemonic[32];
		const size_t n = LLVMDisasmInstruction(disasm, at, bytes, 0, line, sizeof(line));

		assert_in_range(n, 1, bytes);
		at += n;
		bytes -= n;
		mnemonic_of(line, mnemonic);
		if (!is_counted(mnemonic))
			continue;
		if (ret[0] != '\0')
			strcat(ret, " ");
		assert_in_range(strlen(ret) + strlen(mnemonic), 0, 254);
		strcat(ret, mnemonic);
	}
}

static void level_open(struct level *l)
{
	struct test_unit t;

	test_unit_open(&t, &l->cpu, false);
	for (enum we_op op = 1; op < WE_OP_N; op++) {
		const struct we_instr in = listed(op);

		if (is_listed(op))
			add_function(&t, op_names[op], &in);
	}
	test_code_open(&l->code, test_unit_object(&t));
	test_unit_close(&t);
	LLVMInitializeX86Disassembler();
}

static void check_level(const char *name, const char *const *expected)
{
	struct level l = {.name = name};
	LLVMDisasmContextRef disasm;
	unsigned n_wrong = 0;

	assert_true(we_cpu_by_name(name, &l.cpu));
	level_open(&l);
	disasm = LLVMCreateDisasm(TARGET_TRIPLE, NULL, 0, NULL, NULL);
	for (enum we_op op = 1; op < WE_OP_N; op++) {
		char got[256];

		if (!is_listed(op))
			continue;
		read_back(&l, disasm, op_names[op], got);
		if (expected[op] != NULL && strcmp(expected[op], got) == 0)
			continue;
		n_wrong++;
		print_message("# %s at %s: %s, not %s\n", op_names[op], name, got,
			expected[op] == NULL ? "listed" : expected[op]);
	}
	LLVMDisasmDispose(disasm);
	test_code_close(&l.code);
	assert_int_equal(n_wrong, 0);
}

static void v2_gives_the_listed_instructions(void **state)
{
	(void)state;
	check_level("v2", expected_v2);
}

static void v3_gives_the_listed_instructions(void **state)
{
	(void)state;
	check_level("v3", expected_v3);
}

static void v4_gives_the_listed_instructions(void **state)
{
	(void)state;
	check_level("v4", expected_v4);
}

// The one instruction that gains from a feature beyond the levels.
static void vnni_gives_the_dot_product_in_one_instruction(void **state)
{
	struct we_cpu cpus[2];

	(void)state;
	assert_true(we_cpu_by_name("v3", &cpus[0]));
	cpus[0].has_avx_vnni = true;
	assert_true(we_cpu_by_name("v4", &cpus[1]));
	cpus[1].has_avx512_vnni = true;
	for (int i = 0; i < 2; i++) {
		const enum we_op op = WE_OP_I32X4_RELAXED_DOT_I8X16_I7X16_ADD_S;
		struct level l = {.cpu = cpus[i]};
		LLVMDisasmContextRef disasm;
		char got[256];

		level_open(&l);
		disasm = LLVMCreateDisasm(TARGET_TRIPLE, NULL, 0, NULL, NULL);
		read_back(&l, disasm, op_names[op], got);
		assert_string_equal(got, "pdpbusd");
		LLVMDisasmDispose(disasm);
		test_code_close(&l.code);
	}
}

static void print_table(void)
{
	static const char *const names[] = {"v2", "v3", "v4"};
	struct level levels[3];
	LLVMDisasmContextRef disasm;

	for (int i = 0; i < 3; i++) {
		levels[i] = (struct level){.name = names[i]};
		(void)we_cpu_by_name(names[i], &levels[i].cpu);
		level_open(&levels[i]);
	}
	disasm = LLVMCreateDisasm(TARGET_TRIPLE, NULL, 0, NULL, NULL);
	for (enum we_op op = 1; op < WE_OP_N; op++) {
		char got[3][256];

		if (!is_listed(op))
			continue;
		for (int i = 0; i < 3; i++)
			read_back(&levels[i], disasm, op_names[op], got[i]);
		printf("SIMD_LEVEL(%s, \"%s\", \"%s\", \"%s\")\n", op_names[op], got[0], got[1],
			got[2]);
	}
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(v2_gives_the_listed_instructions),
		cmocka_unit_test(v3_gives_the_listed_instructions),
		cmocka_unit_test(v4_gives_the_listed_instructions),
		cmocka_unit_test(vnni_gives_the_dot_product_in_one_instruction),
	};

	if (argc == 2 && strcmp(argv[1], "print") == 0) {
		print_table();
		return 0;
	}
	return cmocka_run_group_tests_name("jit_simd_level", tests, NULL, NULL);
}
