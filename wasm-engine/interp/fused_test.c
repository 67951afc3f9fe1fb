// SPDX-License-Identifier: BSD-3-Clause
// Operations that do several instructions at once answer what the instructions answer one by one.
//
// Each case is code in which `^` or, after an i32, `~`, after a vector, `|` stands between instructions that may become
// one operation. It runs as it stands, and with a call of an identity function or two inversions in place of each, which
// keep them apart: results, memory and
// traps must be the same, for many operands. The code that stands as it is must contain the operation that the case is about.
#include "icode.h"
#include "runtime.h"
#include "test_draft.h"
#include "test_guest.h"
#include "xlate.h"

#include <stdio.h>

#define N(a) (sizeof(a) / sizeof((a)[0]))

enum {
	WINDOW = 96 // bytes of memory that the guests touch
};

static const uint64_t values[] = {0, 1, 2, 8, 31, 33, 40, 64, 255, 256, 65535, 65536, 0x7fffffff,
	0x80000000, 0xffffffff, 0xffff8000, 0x12345678, 0x7fffffffffffffff, 0x8000000000000000,
	0xffffffffffffff80};

// Memory before each call: bytes, words and pointers of all sizes.
static void fill(uint8_t *memory)
{
	for (uint32_t i = 0; i < WINDOW; i++)
		memory[i] = (uint8_t)(i % 3 == 0 ? 0xf0 + i : i % 4 == 1 ? 0 : i);
}

// A module with the code, apart or not.
static struct we_instance *make(struct guest *g, const char *code, char letter, bool is_apart)
{
	static struct draft d;
	static struct bytes b;
	const char *const type = letter == 'i'   ? "i32"
				 : letter == 'l' ? "i64"
				 : letter == 'f' ? "f32"
						 : "f64";
	char text[1024];
	char line[64];
	size_t len = 0;
	uint32_t identity;

	for (const char *c = code; *c != '\0'; c++) {
		assert_true(len + 32 < sizeof(text));
		if (*c != '^' && *c != '~' && *c != '|')
			text[len++] = *c;
		else if (is_apart)
			len += (size_t)sprintf(text + len, *c == '^'   ? "call 0"
							   : *c == '~' ? "call 1"
								       : "v128.not v128.not");
	}
	text[len] = '\0';
	draft_begin(&d);
	snprintf(line, sizeof(line), "func %s -> %s", type, type);
	identity = draft_type(&d, line);
	(void)draft_func(&d, identity, "", "local.get 0", NULL);
	(void)draft_func(&d, draft_type(&d, "func i32 -> i32"), "", "local.get 0", NULL);
	snprintf(line, sizeof(line), "func %s %s %s -> i64", type, type, type);
	snprintf(line + 32, sizeof(line) - 32, "%s i32 i32 v128", type); // locals 3 to 6
	(void)draft_func(&d, draft_type(&d, line), line + 32, text, "run");
	(void)draft_memory(&d, 1);
	(void)draft_global(&d, "mut:i32", "i32.const 77");
	draft_export(&d, "memory", WE_EXTERN_MEMORY, 0);
	draft_end(&d, &b);
	return guest_instance(g, &b);
}

static bool has_operation(const struct we_instance *inst, enum we_icode icode)
{
	const struct we_code *code = guest_export(inst, "run").of.func->code;
	const void *const handler = we_loop_handlers()[icode];

	for (const uint64_t *word = code->words; word < (const uint64_t *)(const void *)code->exit;
		word++)
		if (*word == (uintptr_t)handler)
			return true;
	return false;
}

struct answer {
	int rc;
	uint32_t trap;
	uint64_t offset;
	uint64_t result;
	uint8_t memory[WINDOW];
};

static struct answer ask(struct guest *g, struct we_instance *inst, const uint64_t *arguments)
{
	struct we_extern memory = guest_export(inst, "memory");
	struct answer a = {0};
	uint64_t slots[4];
	uint8_t *span;

	assert_int_equal(we_memory_span(memory.of.memory, 0, WINDOW, &span), 0);
	fill(span);
	memcpy(slots, arguments, 3 * sizeof(slots[0]));
	a.rc = guest_call(g, inst, "run", slots);
	a.trap = a.rc == 0 ? 0 : g->err.trap;
	a.result = a.rc == 0 ? slots[0] : 0;
	memcpy(a.memory, span, WINDOW);
	return a;
}

// Which of two NaNs a sum or product answers is open. Spec: core "NaN Propagation".
static bool is_nan(char letter, uint64_t bits)
{
	return letter == 'f'   ? (bits & 0x7fffffff) > 0x7f800000
	       : letter == 'd' ? (bits & 0x7fffffffffffffff) > 0x7ff0000000000000
			       : false;
}

static void compare(char letter, const char *code, const struct answer *fused,
	const struct answer *apart, const uint64_t *arguments)
{
	const bool is_same = fused->result == apart->result ||
			     (is_nan(letter, fused->result) && is_nan(letter, apart->result));

	if (fused->rc == apart->rc && fused->trap == apart->trap && is_same &&
		memcmp(fused->memory, apart->memory, WINDOW) == 0)
		return;
	fail_msg("%s\n of 0x%llx 0x%llx 0x%llx: 0x%llx, trap %u; apart 0x%llx, trap %u", code,
		(unsigned long long)arguments[0], (unsigned long long)arguments[1],
		(unsigned long long)arguments[2], (unsigned long long)fused->result, fused->trap,
		(unsigned long long)apart->result, apart->trap);
}

// letter: the type of the three parameters and of local 3; of 4 and 5 it is i32. icode: WE_I_N when the case is about
// none.
static void check(char letter, enum we_icode icode, const char *code)
{
	struct guest g;
	struct we_instance *fused;
	struct we_instance *apart;

	guest_open(&g, NULL, NULL);
	fused = make(&g, code, letter, false);
	apart = make(&g, code, letter, true);
	if (icode != WE_I_N && !has_operation(fused, icode))
		fail_msg("%s: not the operation", code);
	for (size_t i = 0; i < N(values); i++) {
		for (size_t k = 0; k < N(values); k++) {
			const uint64_t arguments[] = {
				values[i], values[k], values[(i + 3 * k) % N(values)]};
			const struct answer a = ask(&g, fused, arguments);
			const struct answer b = ask(&g, apart, arguments);

			compare(letter, code, &a, &b, arguments);
		}
	}
	guest_close(&g);
}

// The mnemonic of an icode's name, "I32_SHR_U" or, with a constant, "I32_SHR_U_I": i32.shr_u.
static const char *mnemonic(char *to, const char *name, bool has_imm)
{
	const size_t len = strlen(name) - (has_imm ? 2 : 0);

	for (size_t i = 0; i < len; i++)
		to[i] = name[i] == '_' && i == 3           ? '.'
			: name[i] >= 'A' && name[i] <= 'Z' ? (char)(name[i] + 32)
							   : name[i];
	to[len] = '\0';
	return to;
}

static const char *const constants[] = {"1", "-1", "13", "255", "0x7fff", "-32769", "0x12345678"};

// ---- pairs of instructions -----------------------------------------------------------------------

static const struct pair {
	const char *first;
	const char *second;
	char y; // S a slot, I a constant
	char z;
	enum we_icode icode;
} pairs[] = {
// clang-format off
#define I_NAME(NAME, FORM)
#define I_PAIR(FIRST, SECOND, T, Y, Z, e1, e2) {#FIRST, #SECOND, #Y[0], #Z[0], WE_I_##FIRST##__##SECOND},
#include "icode.def"
#undef I_NAME
	// clang-format on
};

static void pair_answers_what_its_instructions_do(void **state)
{
	(void)state;
	for (size_t i = 0; i < N(pairs); i++) {
		const struct pair *p = &pairs[i];
		const bool is_32 = p->first[1] == '3';
		const char *const type = is_32 ? "i32" : "i64";
		char first[32];
		char second[32];
		char y[48] = "local.get 1";
		char z[48] = "local.get 2";
		char code[256];

		if (p->y == 'I')
			snprintf(y, sizeof(y), "%s.const %s", type, constants[i % N(constants)]);
		if (p->z == 'I')
			snprintf(z, sizeof(z), "%s.const %s", type,
				constants[(i + 3) % N(constants)]);
		mnemonic(first, p->first, p->y == 'I');
		mnemonic(second, p->second, p->z == 'I');
		snprintf(code, sizeof(code), "local.get 0 %s %s ^ %s %s ^ %s", y, first, z, second,
			is_32 ? "i64.extend_i32_u" : "");
		check(is_32 ? 'i' : 'l', WE_I_N, code);
	}
}

// The vector operand is made of two parameters.
static void check_vector_load(const char *name, enum we_icode icode)
{
	char second[32];
	char code[320];
	size_t n;

	mnemonic(second, name, false);
	n = strcspn(name, "_");
	second[n] = '.';
	if (second[4] == '_')
		second[4] = '.';
	snprintf(code, sizeof(code),
		"local.get 0 i64x2.splat local.get 1 i64x2.replace_lane 1 local.get 2 i32.wrap_i64 "
		"v128.load 5 | %s local.tee 6 i64x2.extract_lane 0 i64.const 31 i64.mul "
		"local.get 6 i64x2.extract_lane 1 i64.add",
		second);
	check('l', icode, code);
	snprintf(code, sizeof(code),
		"local.get 0 i64x2.splat local.set 6 local.get 2 i32.wrap_i64 v128.load 5 | "
		"local.get 6 "
		"%s local.tee 6 i64x2.extract_lane 0 i64.const 31 i64.mul "
		"local.get 6 i64x2.extract_lane 1 i64.add",
		second);
	check('l', icode, code);
}

static void load_and_instruction_answer_what_they_do_apart(void **state)
{
	static const struct load_pair {
		const char *load;
		const char *second;
		enum we_icode icode;
	} rows[] = {
	// clang-format off
#define I_NAME(NAME, FORM)
#define I_LOAD_ALU(LOAD, ALU, R, M, load, expr) {#LOAD, #ALU, WE_I_##LOAD##__##ALU},
#include "icode.def"
#undef I_NAME
		// clang-format on
	};

	(void)state;
	for (size_t i = 0; i < N(rows); i++) {
		if (rows[i].load[0] == 'V') {
			check_vector_load(rows[i].second, rows[i].icode);
			continue;
		}
		const bool is_float = rows[i].load[0] == 'F';
		const bool is_32 = rows[i].load[1] == '3';
		const char letter = is_float ? (is_32 ? 'f' : 'd') : is_32 ? 'i' : 'l';
		const char *const bits =
			is_float ? (is_32 ? "i32.reinterpret_f32" : "i64.reinterpret_f64") : "";
		const char *const address =
			letter == 'i'   ? "local.get 1"
			: letter == 'l' ? "local.get 1 i32.wrap_i64"
			: is_32         ? "local.get 1 i32.reinterpret_f32"
					: "local.get 1 i64.reinterpret_f64 i32.wrap_i64";
		char load[32];
		char second[32];
		char code[256];

		mnemonic(load, rows[i].load, false);
		mnemonic(second, rows[i].second, false);
		snprintf(code, sizeof(code), "local.get 0 %s %s 3 ^ %s ^ %s %s", address, load,
			second, bits, is_32 ? "i64.extend_i32_u" : "");
		check(letter, rows[i].icode, code);
	}
}

// ---- comparisons ---------------------------------------------------------------------------------

struct comparison {
	const char *name;
	enum we_icode icode;
};

static const struct comparison comparisons[] = {
// clang-format off
#define I_NAME(NAME, FORM)
#define I_CMP(NAME, INVERSE, T, expr) {#NAME, WE_I_##NAME},
#include "icode.def"
#undef I_NAME
	// clang-format on
};

// What the locals are after a branch.
#define LOCALS_32                                                                                  \
	" local.get 3 i64.extend_i32_u i64.const 1000003 i64.mul local.get 4 i64.extend_i32_u "    \
	"i64.add"
#define LOCALS_64 " local.get 3 i64.const 1000003 i64.mul local.get 4 i64.extend_i32_u i64.add"
// A loop of at most five turns.
#define LOOP_BEGIN                                                                                 \
	"block void loop void local.get 4 i32.const 1 i32.add local.tee 4 i32.const 5 i32.gt_u "   \
	"br_if 1 "
#define LOOP_END " br_if 0 end end"

// How a comparison is used; `=` stands for the type, `?` for the comparison, `#` for a constant.
static const struct use {
	const char *code;
	int form;
	bool is_32; // of i32 only
} uses[] = {
	{"block void local.get 0 local.get 1 ? ~ br_if 0 i32.const 1 local.set 4 end", 2, false},
	{"block void local.get 0 =.const # ? ~ br_if 0 i32.const 1 local.set 4 end", -1, false},
	{"local.get 0 local.get 1 ? ~ if void i32.const 1 local.set 4 end", -1, false},
	{"block void local.get 0 =.const 3 =.add local.tee 3 ^ =.const # ? ~ br_if 0 i32.const 1 "
	 "local.set 4 end",
		-1, false},
	{"block void local.get 0 =.const -7 =.add ^ =.const # ? ~ br_if 0 i32.const 1 local.set 4 "
	 "end",
		-1, false},
	{"block void local.get 0 =.const -7 =.add ^ =.const 100 ? ~ br_if 0 i32.const 1 local.set "
	 "4 "
	 "end",
		WE_X_BR_ADD_I, false},
	{"block void local.get 0 i32.const 255 i32.and ^ i32.const # ? ~ br_if 0 i32.const 1 "
	 "local.set 4 end",
		WE_X_BR_AND_I, true},
	{"block void local.get 0 i32.const -48 i32.add ^ i32.const 65535 i32.and ^ i32.const 9 ? "
	 "br_if 0 i32.const 1 local.set 4 end",
		WE_X_BR_AND_I, true},
	{LOOP_BEGIN "local.get 3 =.const 3 =.add local.tee 3 ^ local.get 1 ? ~" LOOP_END,
		WE_X_LOOP_ADD, false},
	{LOOP_BEGIN
		"local.get 3 =.const -3 =.add local.set 3 local.get 1 local.get 3 ^ ? ~" LOOP_END,
		-1, false},
	{LOOP_BEGIN
		"local.get 3 =.const 0x12345678 =.add local.tee 3 ^ =.const 0x7654321 ? ~" LOOP_END,
		WE_X_LOOP_ADD_I, false},
	{LOOP_BEGIN "local.get 3 =.const 3 =.add local.set 3 local.get 3 i32.const 7 i32.and ^ "
		    "i32.const 3 ? ~" LOOP_END,
		WE_X_LOOP_AND_I, true},
	{LOOP_BEGIN "local.get 0 local.set 3 local.get 1 local.get 0 ? ~" LOOP_END, -1, false},
	{"i32.const 5 i32.const -6 local.get 0 local.get 1 ? ~ select local.set 4", WE_X_SELECT,
		false},
	{"i32.const 5 local.get 4 local.get 0 =.const # ? ~ select local.set 4", WE_X_SELECT_I,
		false},
	{"local.get 0 local.get 1 ? ~ i32.eqz i32.eqz local.set 4", -1, false},
};

static void check_use(const struct use *use, const struct comparison *c, const char *constant)
{
	const bool is_32 = c->name[1] == '3';
	char code[640];
	char name[32];
	size_t len = 0;

	mnemonic(name, c->name, false);
	for (const char *at = use->code; *at != '\0'; at++) {
		const char *const by = *at == '='   ? (is_32 ? "i32" : "i64")
				       : *at == '?' ? name
				       : *at == '#' ? constant
						    : NULL;

		if (by == NULL)
			code[len++] = *at;
		else
			len += (size_t)sprintf(code + len, "%s", by);
	}
	snprintf(code + len, sizeof(code) - len, "%s", is_32 ? LOCALS_32 : LOCALS_64);
	// An equality takes a sum's constant into its own.
	check(is_32 ? 'i' : 'l',
		use->form < 0 || (use->form == WE_X_BR_ADD_I &&
					 (c->icode == WE_I_I32_EQ || c->icode == WE_I_I32_NE))
			? WE_I_N
			: (enum we_icode)((int)c->icode + use->form),
		code);
}

static void comparison_in_a_branch_or_select_decides_as_apart(void **state)
{
	(void)state;
	for (size_t i = 0; i < N(comparisons); i++)
		for (size_t k = 0; k < N(uses); k++)
			if (!uses[k].is_32 || comparisons[i].name[1] == '3')
				check_use(&uses[k], &comparisons[i],
					constants[(i + k) % N(constants)]);
}

static void load_in_a_branch_decides_as_apart(void **state)
{
	static const struct load_cmp {
		const char *load;
		const char *compare;
		enum we_icode icode;
	} rows[] = {
	// clang-format off
#define I_NAME(NAME, FORM)
#define I_LOAD_CMP(LOAD, CMP, R, M, T, load, expr) {#LOAD, #CMP, WE_I_BR_##LOAD##__##CMP},
#include "icode.def"
#undef I_NAME
		// clang-format on
	};
	// `=` stands for the type, `<` for its value as an address, `%` for load and comparison.
	static const char *const codes[] = {
		"block void local.get 1 < % 2 ^ local.get 0 % ~ br_if 0 i32.const 1 local.set 4 "
		"end",
		LOOP_BEGIN "local.get 1 < local.get 4 i32.add ~ local.set 5 local.get 5 % 0 ^ "
			   "local.get 0 % ~" LOOP_END,
		"block void local.get 1 < % 65530 local.tee 3 ^ =.const 0x78 % ~ br_if 0 "
		"i32.const 1 local.set 4 end",
		LOOP_BEGIN "local.get 4 % 1 local.tee 3 ^ =.const 0xf6 % ~" LOOP_END,
	};

	(void)state;
	for (size_t i = 0; i < N(rows); i++) {
		const bool is_32 = rows[i].load[1] == '3';

		for (size_t k = 0; k < N(codes); k++) {
			char names[2][32];
			char code[640];
			size_t len = 0;
			uint32_t n = 0;

			mnemonic(names[0], rows[i].load, false);
			mnemonic(names[1], rows[i].compare, false);
			for (const char *at = codes[k]; *at != '\0'; at++) {
				const char *const by = *at == '='   ? (is_32 ? "i32" : "i64")
						       : *at == '<' ? (is_32 ? "" : "i32.wrap_i64")
						       : *at == '%' ? names[n++ % 2]
								    : NULL;

				if (by == NULL)
					code[len++] = *at;
				else
					len += (size_t)sprintf(code + len, "%s", by);
			}
			snprintf(code + len, sizeof(code) - len, "%s",
				is_32 ? LOCALS_32 : LOCALS_64);
			check(is_32 ? 'i' : 'l', (enum we_icode)((int)rows[i].icode + (int)k),
				code);
		}
	}
}

// ---- the others ----------------------------------------------------------------------------------

#define RESULT_32 " i64.extend_i32_u"

static void operation_answers_what_its_instructions_do(void **state)
{
	static const struct one {
		char letter;
		enum we_icode icode;
		const char *code;
	} cases[] = {
		{'i', WE_I_SELECT_TEST,
			"local.get 0 local.get 1 local.get 2 i32.const 0x10100 i32.and ^ "
			"select" RESULT_32},
		{'i', WE_I_I32_MUL_ADD,
			"local.get 0 local.get 1 i32.mul ^ local.get 2 i32.add" RESULT_32},
		{'i', WE_I_I32_SHL_I_ADD,
			"local.get 2 local.get 0 i32.const 35 i32.shl ^ i32.add" RESULT_32},
		{'i', WE_I_I32_ADD_ADD_I,
			"local.get 0 local.get 1 i32.add ^ i32.const -5 i32.add ^ local.set 3 "
			"local.get 3" RESULT_32},
		{'i', WE_I_I32_ADD_ADD_I,
			"local.get 0 i32.const 7 i32.add ^ local.get 1 i32.const -300 i32.add ^ "
			"i32.add ^ local.set 3 local.get 3" RESULT_32},
		{'i', WE_I_I32_SUB,
			"local.get 0 i32.const 7 i32.add ^ local.get 1 i32.const 300 i32.add ^ "
			"i32.sub ^ local.set 3 local.get 3" RESULT_32},
		{'i', WE_I_I32_SHL_I,
			"local.get 0 i32.const 7 i32.add ^ i32.const 3 i32.shl ^ local.set 3 "
			"local.get 3" RESULT_32},
		{'i', WE_I_I32_MUL_I,
			"local.get 0 i32.const -7 i32.add ^ i32.const 33 i32.mul ^ local.set 3 "
			"local.get 3" RESULT_32},
		{'i', WE_I_N,
			"local.get 0 i32.const 7 i32.add local.get 0 i32.const 9 i32.add local.set "
			"0 local.get 0 i32.mul" RESULT_32},
		{'i', WE_I_I32_ADD_I_TWICE,
			"local.get 3 local.get 0 i32.add local.set 3 local.get 3 i32.const 5 "
			"i32.add ^ local.set 3 local.get 0 i32.const -9 i32.add ^ local.set 0 "
			"local.get 3 local.get 0 i32.xor" RESULT_32},
		{'i', WE_I_I32_ADD_I_TWICE,
			"local.get 0 i32.const 5 i32.add ^ local.set 0 local.get 0 i32.const -9 "
			"i32.add ^ local.set 0 local.get 0" RESULT_32},
		{'i', WE_I_I32_RMW_ADD_I,
			"local.get 0 local.get 0 i32.load 5 ^ i32.const -3 i32.add ^ i32.store 5 "
			"i64.const 1"},
		{'i', WE_I_I32_RMW_ADD,
			"local.get 0 local.get 0 i32.load 5 ^ local.get 1 i32.add ^ i32.store 5 "
			"i64.const 1"},
		{'i', WE_I_I32_RMW_ADD,
			"local.get 0 local.get 1 local.get 0 i32.load 0 ^ i32.add ^ i32.store 0 "
			"i64.const 1"},
		{'i', WE_I_N,
			"local.get 0 local.get 0 i32.load 4 ^ local.get 1 i32.add ^ i32.store 5 "
			"i64.const 1"},
		{'i', WE_I_N,
			"local.get 0 local.get 1 i32.load 4 ^ local.get 1 i32.add ^ i32.store 4 "
			"i64.const 1"},
		{'i', WE_I_N,
			"local.get 0 local.get 0 i32.load 4 local.tee 3 local.get 3 i32.add ^ "
			"i32.store 4 local.get 3" RESULT_32},
		{'i', WE_I_GLOBAL_ADD_32,
			"global.get 0 ^ i32.const -5 i32.add ^ global.set 0 global.get "
			"0" RESULT_32},
		{'i', WE_I_GLOBAL_ADD_32,
			"global.get 0 ^ i32.const 16 i32.add ^ local.tee 3 ^ global.set 0 "
			"global.get 0 local.get 3 i32.mul" RESULT_32},
		{'i', WE_I_N,
			"global.get 0 ^ i32.const 0x12345 i32.add ^ global.set 0 global.get "
			"0" RESULT_32},
		{'i', WE_I_COPY_8,
			"local.get 0 local.get 1 i32.load8_u 3 ~ i32.store8 1 i64.const 1"},
		{'i', WE_I_COPY_16,
			"local.get 0 local.get 1 i32.load16_u 3 ~ i32.store16 1 i64.const 1"},
		{'i', WE_I_COPY_32, "local.get 0 local.get 1 i32.load 0 ~ i32.store 7 i64.const 1"},
		{'i', WE_I_COPY_64,
			"local.get 0 local.get 1 i64.load 0 i64.store 65528 i64.const 1"},
		{'i', WE_I_COPY_128,
			"local.get 0 local.get 1 v128.load 0 v128.store 16 i64.const 1"},
		{'i', WE_I_N, "local.get 0 local.get 1 i32.load8_s 3 ~ i32.store8 1 i64.const 1"},
		{'i', WE_I_N, "local.get 0 local.get 1 i32.load8_u 3 ~ i32.store16 1 i64.const 1"},
		{'i', WE_I_LOOP_I32_ADD2_NZ,
			"i32.const 6 local.set 4 loop void local.get 0 local.get 3 i32.add "
			"local.set 3 "
			"local.get 0 i32.const -9 i32.add ^ local.set 0 "
			"local.get 4 i32.const -2 i32.add ^ local.tee 4 br_if 0 end" LOCALS_32},
		{'i', WE_I_LOOP_I32_ADD3_NZ,
			"i32.const 6 local.set 4 loop void local.get 0 local.get 1 i32.xor "
			"local.get 3 i32.add local.set 3 "
			"local.get 0 i32.const -9 i32.add ^ local.set 0 local.get 1 i32.const 3 "
			"i32.add ^ local.set 1 "
			"local.get 4 i32.const -1 i32.add ^ local.tee 4 br_if 0 end" LOCALS_32},
		{'i', WE_I_LOOP_I32_ADD3_NZ,
			"i32.const 6 local.set 4 loop void local.get 4 local.get 3 i32.add "
			"local.set 3 "
			"local.get 4 i32.const 1 i32.add ^ local.set 4 local.get 1 i32.const 3 "
			"i32.add ^ local.set 1 "
			"local.get 4 i32.const -2 i32.add ^ local.tee 4 br_if 0 end" LOCALS_32},
		{'i', WE_I_N,
			"i32.const 6 local.set 4 loop void local.get 4 i32.const -1 i32.add ^ "
			"local.set 4 "
			"local.get 3 i32.const 3 i32.add ^ local.set 3 local.get 4 br_if 0 "
			"end" LOCALS_32},
		{'i', WE_I_LOOP_MOV2_32_ADD32_NZ,
			"i32.const 6 local.set 4 loop void local.get 0 i32.const 3 i32.mul "
			"local.set 5 local.get 1 local.set 0 "
			"local.get 5 local.set 1 local.get 4 i32.const -2 i32.add ~ local.tee 4 "
			"br_if 0 end "
			"local.get 0 local.get 1 i32.sub local.set 3" LOCALS_32},
		{'i', WE_I_LOOP_MOV2_32_ADD32_NZ,
			"i32.const 6 local.set 4 loop void local.get 0 i32.const 3 i32.mul "
			"local.set 5 "
			"local.get 5 local.set 0 local.get 4 i32.const -2 i32.add ~ local.tee 4 "
			"br_if 0 end "
			"local.get 0 local.get 1 i32.sub local.set 3" LOCALS_32},
		{'l', WE_I_LOOP_MOV2_64_ADD32_NZ,
			"i32.const 6 local.set 4 loop void local.get 0 i64.const 3 i64.mul "
			"local.set 3 local.get 1 local.set 0 "
			"local.get 3 local.set 1 local.get 4 i32.const -2 i32.add ~ local.tee 4 "
			"br_if 0 end "
			"local.get 0 local.get 1 i64.sub local.set 3" LOCALS_64},
		{'l', WE_I_LOOP_MOV2_64_ADD64_NZ,
			"i64.const 6 local.set 2 loop void local.get 0 i64.const 3 i64.mul "
			"local.set 3 local.get 1 local.set 0 "
			"local.get 3 local.set 1 local.get 2 i64.const -1 i64.add ^ local.tee 2 "
			"i64.const 0 i64.ne br_if 0 end "
			"local.get 0 local.get 1 i64.sub local.set 3" LOCALS_64},
		{'l', WE_I_LOOP_MOV2_32_ADD64_NZ,
			"i64.const 6 local.set 2 loop void local.get 4 i32.const 3 i32.sub "
			"local.set 5 local.get 5 local.set 4 "
			"local.get 2 i64.const -1 i64.add ^ local.tee 2 i64.const 0 i64.ne br_if 0 "
			"end" LOCALS_64},
		{'f', WE_I_F32_MUL_ADD,
			"local.get 0 local.get 1 f32.mul ^ local.get 2 f32.add "
			"i32.reinterpret_f32" RESULT_32},
		{'f', WE_I_F32_ADD_MUL,
			"local.get 2 local.get 0 local.get 1 f32.mul ^ f32.add "
			"i32.reinterpret_f32" RESULT_32},
		{'d', WE_I_F64_MUL_ADD,
			"local.get 0 local.get 1 f64.mul ^ local.get 2 f64.add "
			"i64.reinterpret_f64"},
		{'d', WE_I_F64_ADD_MUL,
			"local.get 2 local.get 0 local.get 1 f64.mul ^ f64.add "
			"i64.reinterpret_f64"},
		{'l', WE_I_I32_EQ_I,
			"local.get 0 i32.wrap_i64 i32.const -8 i32.add ~ i32.eqz" RESULT_32},
		{'f', WE_I_I32_EQ_I,
			"local.get 0 i32.reinterpret_f32 i32.const -8 i32.add ~ i32.eqz" RESULT_32},
		{'l', WE_I_RET_ADD_64, "local.get 0 local.get 1 i64.add ^"},
		{'i', WE_I_BR_MOV_32,
			"block void block void local.get 1 br_if 0 local.get 0 local.set 3 br 1 "
			"end local.get 2 local.set 3 end local.get 3" RESULT_32},
		{'l', WE_I_BR_MOV_64,
			"block void block void local.get 1 i64.eqz br_if 0 local.get 0 local.set 3 "
			"br 1 end local.get 2 local.set 3 end local.get 3"},
		{'i', WE_I_BR_CONST_32,
			"block void block void local.get 1 br_if 0 i32.const 0x12345678 local.set "
			"3 br 1 end local.get 2 local.set 3 end local.get 3" RESULT_32},
		{'i', WE_I_LOOP_MOV_32,
			"loop void local.get 4 i32.const 3 i32.gt_u if void else local.get 4 "
			"i32.const 1 i32.add local.set 4 local.get 0 local.set 3 br 1 end "
			"end" LOCALS_32},
		{'l', WE_I_LOOP_MOV_64,
			"loop void local.get 4 i32.const 3 i32.gt_u if void else local.get 4 "
			"i32.const 1 i32.add local.set 4 local.get 0 local.set 3 br 1 end "
			"end" LOCALS_64},
		{'i', WE_I_LOOP_MOV_32_NZ,
			LOOP_BEGIN "local.get 4 i32.const 3 i32.lt_u local.set 5 local.get 4 "
				   "local.set 3 local.get 5" LOOP_END LOCALS_32},
		{'i', WE_I_LOOP_MOV_32_NZ,
			LOOP_BEGIN "local.get 4 i32.const 3 i32.lt_u local.set 5 local.get 5 "
				   "local.tee 3" LOOP_END LOCALS_32},
		{'i', WE_I_LOOP_MOV_32_NZ,
			"i32.const 6 local.set 4 local.get 0 loop 0 i32.const 3 i32.mul local.set "
			"5 "
			"local.get 4 i32.const -1 i32.add ^ local.set 4 local.get 5 local.get 4 "
			"br_if 0 end local.set 3" LOCALS_32},
		{'f', WE_I_LOOP_MOV_32_NZ,
			"i32.const 6 local.set 4 local.get 0 loop 0 local.get 1 f32.add local.set "
			"3 "
			"local.get 4 i32.const -1 i32.add ~ local.set 4 local.get 3 local.get 4 "
			"br_if 0 end i32.reinterpret_f32" RESULT_32},
		{'i', WE_I_LOOP_I32_ADD_MOV_NZ,
			"local.get 0 i32.const 7 i32.and i32.const 1 i32.add loop 0 i32.const -1 "
			"i32.add ^ local.tee 4 local.get 4 br_if 0 end local.set 3" LOCALS_32},
		{'i', WE_I_LOOP_I32_ADD_MOV_NZ,
			"i32.const -0x38000 loop 0 i32.const 0x7000 i32.add ^ local.tee 4 "
			"local.get "
			"4 br_if 0 end local.set 3" LOCALS_32},
		{'i', WE_I_N,
			"i32.const -0x38000 loop 0 i32.const 0x8000 i32.add ^ local.tee 4 "
			"local.get "
			"4 br_if 0 end local.set 3" LOCALS_32},
		{'i', WE_I_N,
			"i32.const 6 loop 0 i32.const -1 i32.add ^ local.set 4 local.get 0 "
			"local.get "
			"4 local.get 4 br_if 0 i32.add end local.set 3" LOCALS_32},
	};

	(void)state;
	for (size_t i = 0; i < N(cases); i++)
		check(cases[i].letter, cases[i].icode, cases[i].code);
}

// Addresses computed on the way, as sums of several kinds.
static void access_takes_its_address_as_computed_apart(void **state)
{
	static const char *const addresses[] = {
		"local.get 0 i32.const 3 i32.add",
		"local.get 0 i32.const -60 i32.add",
		"local.get 0 local.get 1 i32.add",
		"local.get 0 local.get 1 i32.add ^ i32.const -2 i32.add",
		"local.get 0 i32.const 2 i32.shl",
		"local.get 0 i32.const 34 i32.shl ^ i32.const -5 i32.add",
		"local.get 0 i32.const 3 i32.shl ^ local.get 1 i32.add",
		"local.get 1 local.get 0 i32.const 1 i32.shl ^ i32.add ^ i32.const 0x10000 i32.sub",
		"local.get 0 i32.load 1",
		"local.get 0 i32.load 1 ^ i32.const 1 i32.add",
	};
	static const char *const accesses[] = {
		"%s ^ i32.load 0" RESULT_32,
		"%s ^ i32.load8_s 65535" RESULT_32,
		"%s ^ i64.load 4",
		"%s ^ f32.load 4 i32.reinterpret_f32" RESULT_32,
		"%s ^ v128.load 1 i64x2.extract_lane 1",
		"%s ^ v128.load32_splat 0 i64x2.extract_lane 0",
		"%s ^ local.get 2 i32.store 0 i64.const 1",
		"%s ^ local.get 2 i32.store8 4 i64.const 1",
		"%s ^ i32.const 300 i32.store 0 i64.const 1",
		"%s ^ i32.const 0x12345678 i32.store 0 i64.const 1",
		"%s ^ local.get 2 i32.const 4 i32.add ^ i32.store16 1 i64.const 1",
		"%s ^ i64.const -2 i64.store32 0 i64.const 1",
	};
	char code[512];

	(void)state;
	for (size_t i = 0; i < N(addresses); i++) {
		for (size_t k = 0; k < N(accesses); k++) {
			snprintf(code, sizeof(code), accesses[k], addresses[i]);
			check('i', WE_I_N, code);
		}
	}
}

// ---- calls ---------------------------------------------------------------------------------------

static void call_passes_the_argument_that_it_makes(void **state)
{
	static struct draft d;
	static struct bytes b;
	struct guest g;
	struct we_instance *inst;
	uint32_t type_32;
	uint32_t type_64;

	(void)state;
	guest_open(&g, NULL, NULL);
	draft_begin(&d);
	type_32 = draft_type(&d, "func i32 i32 -> i32");
	type_64 = draft_type(&d, "func i64 i64 -> i64");
	(void)draft_func(
		&d, type_32, "", "local.get 0 i32.const 3 i32.mul local.get 1 i32.sub", NULL);
	(void)draft_func(
		&d, type_64, "", "local.get 0 i64.const 3 i64.mul local.get 1 i64.sub", NULL);
	(void)draft_func(&d, type_32, "", "local.get 1 local.get 0 call 0", "mov_32");
	(void)draft_func(
		&d, type_32, "", "local.get 1 local.get 0 i32.const -7 i32.add call 0", "add_32");
	(void)draft_func(&d, type_64, "", "local.get 1 local.get 0 call 1", "mov_64");
	(void)draft_func(
		&d, type_64, "", "local.get 1 local.get 0 i64.const -7 i64.add call 1", "add_64");
	(void)draft_func(
		&d, type_32, "", "local.get 0 local.get 1 call 0 local.get 1 i32.add", "ret_32");
	draft_end(&d, &b);
	inst = guest_instance(&g, &b);
	for (size_t i = 0; i < N(values); i++) {
		for (size_t k = 0; k < N(values); k++) {
			const uint64_t x = values[i];
			const uint64_t y = values[k];
			uint64_t slots[2];

#define EXPECT(name, type, value)                                                                  \
	slots[0] = x;                                                                              \
	slots[1] = y;                                                                              \
	assert_int_equal(guest_call(&g, inst, name, slots), 0);                                    \
	assert_true((type)slots[0] == (type)(value))
			EXPECT("mov_32", uint32_t, 3 * y - x);
			EXPECT("add_32", uint32_t, 3 * y - (x - 7));
			EXPECT("mov_64", uint64_t, 3 * y - x);
			EXPECT("add_64", uint64_t, 3 * y - (x - 7));
			EXPECT("ret_32", uint32_t, 3 * x - y + y);
#undef EXPECT
		}
	}
	guest_close(&g);
}

// What was dropped before a call lay where the callee's frame is: what the call does, too, must not be written there.
static void call_leaves_the_frame_of_its_callee_alone(void **state)
{
	static const char *const dropped[] = {
		"local.get 0 i32.const 31 i32.sub drop",
		"local.get 0 i64.extend_i32_u i64.const 31 i64.sub drop",
		"local.get 0 local.get 0 i32.const 31 i32.sub drop drop",
		"i32.const 1 i32.const 2 i32.const 3 i32.const 4 i32.const 5 local.get 0 i32.const "
		"31 "
		"i32.sub drop drop drop drop drop drop",
		"local.get 0 local.tee 1 drop",
		"local.get 0 local.get 1 local.get 0 local.set 1 drop drop",
		"i64.const 65535 i64.const 31 i64.sub drop",
		"block i32 local.get 0 end drop",
		"local.get 0 if i32 local.get 0 else local.get 1 end drop",
	};

	(void)state;
	for (size_t i = 0; i < N(dropped); i++) {
		static struct draft d;
		static struct bytes b;
		char code[256];
		struct guest g;
		struct we_instance *inst;
		uint64_t slots[2] = {0xffe0, 0};

		guest_open(&g, NULL, NULL);
		draft_begin(&d);
		draft_type(&d, "func i32 -> i32");
		draft_global(&d, "mut:i32", "i32.const 0");
		(void)draft_func(&d, draft_type(&d, "func ->"), "i32 i32 i32",
			"local.get 0 local.get 1 i32.or local.get 2 i32.or i32.const 5 i32.add "
			"global.set 0",
			NULL);
		snprintf(code, sizeof(code), "%s call 0 global.get 0", dropped[i]);
		(void)draft_func(&d, 0, "i32", code, "run");
		draft_end(&d, &b);
		inst = guest_instance(&g, &b);
		assert_int_equal(guest_call(&g, inst, "run", slots), 0);
		if ((uint32_t)slots[0] != 5)
			fail_msg("%s: %u, not 5", code, (uint32_t)slots[0]);
		guest_close(&g);
	}
}

// A tail call of the same function: parameters change places, other locals are zero again.
static void tail_call_of_itself_starts_the_function_anew(void **state)
{
	static const struct {
		const char *type;
		const char *local;
		const char *code;
		enum we_icode icode;
		uint64_t arguments[4];
		uint64_t result;
	} cases[] = {
		{"func i32 -> i32", "i32",
			"local.get 0 i32.eqz if void local.get 1 return end local.get 1 i32.const "
			"5 i32.add local.set 1 local.get 0 i32.const 1 i32.sub return_call 0",
			WE_I_TAIL_SELF_1, {1000}, 0},
		{"func i32 i32 -> i32", "",
			"local.get 1 i32.eqz if void local.get 0 return end local.get 1 local.get "
			"0 local.get 1 i32.rem_u return_call 0",
			WE_I_TAIL_SELF_2, {252, 105}, 21},
		{"func i32 i32 -> i32", "",
			"local.get 0 i32.eqz if void local.get 1 return end local.get 0 i32.const "
			"1 i32.sub i32.const 70000 return_call 0",
			WE_I_TAIL_SELF_2, {3, 5}, 70000},
		{"func i64 i64 i64 -> i64", "i64",
			"local.get 0 i64.eqz if void local.get 1 i64.const 10 i64.mul local.get 2 "
			"i64.add local.get 3 i64.add return end local.get 3 i64.const 5 i64.add "
			"local.set 3 local.get 0 i64.const 1 i64.sub local.get 2 local.get 1 "
			"return_call 0",
			WE_I_TAIL_SELF_3, {1000, 3, 4}, 34},
		{"func i64 i64 i64 -> i64", "",
			"local.get 0 i64.eqz if void local.get 1 return end local.get 0 i64.const "
			"1 i64.sub local.get 2 local.get 1 local.get 2 i64.add return_call 0",
			WE_I_TAIL_SELF_3, {50, 0, 1}, 12586269025},
		{"func i64 i64 i64 i64 -> i64", "",
			"local.get 0 i64.eqz if void local.get 1 return end local.get 0 i64.const "
			"1 i64.sub local.get 2 local.get 3 local.get 1 return_call 0",
			WE_I_TAIL_SELF, {1000, 3, 4, 5}, 4},
		{"func i32 v128 -> i32", "",
			"local.get 0 i32.eqz if void local.get 1 i32x4.extract_lane 0 return end "
			"local.get 0 i32.const 1 i32.sub local.get 1 local.get 1 i32x4.add "
			"return_call 0",
			WE_I_TAIL_SELF, {10, 3}, 3072},
	};
	static struct draft d;
	static struct bytes b;

	(void)state;
	for (size_t i = 0; i < N(cases); i++) {
		struct guest g;
		struct we_instance *inst;
		uint64_t slots[4];
		const bool is_32 = strstr(cases[i].type, "-> i32") != NULL;

		memcpy(slots, cases[i].arguments, sizeof(slots));
		guest_open(&g, NULL, NULL);
		draft_begin(&d);
		(void)draft_func(
			&d, draft_type(&d, cases[i].type), cases[i].local, cases[i].code, "run");
		draft_end(&d, &b);
		inst = guest_instance(&g, &b);
		assert_true(has_operation(inst, cases[i].icode));
		assert_int_equal(guest_call(&g, inst, "run", slots), 0);
		assert_true(is_32 ? (uint32_t)slots[0] == cases[i].result
				  : slots[0] == cases[i].result);
		guest_close(&g);
	}
}

// Which instruction of an operation with two accesses has trapped is told by its offset.
static void trap_names_the_access_that_failed(void **state)
{
	static struct draft d;
	static struct bytes b;
	struct guest g;
	struct we_instance *inst;
	uint64_t first;
	uint64_t second;
	uint64_t slots[2];

	(void)state;
	guest_open(&g, NULL, NULL);
	draft_begin(&d);
	(void)draft_func(&d, draft_type(&d, "func i32 -> i32"), "",
		"local.get 0 i32.load 0 i32.load8_u 1", "run");
	(void)draft_memory(&d, 1);
	draft_end(&d, &b);
	inst = guest_instance(&g, &b);
	assert_true(has_operation(inst, WE_I_I32_LOAD8_U_L));
	we_memory_span(inst->mem0, 0, 4, &(uint8_t *){NULL}) == 0 ? (void)0 : fail();
	memcpy(inst->mem0->base, "\xff\xff\xff\xff", 4);
	assert_int_equal(guest_trap(&g, inst, "run", 65536), WE_TRAP_MEMORY_OUT_OF_BOUNDS);
	first = g.err.offset;
	assert_int_equal(guest_trap(&g, inst, "run", 0), WE_TRAP_MEMORY_OUT_OF_BOUNDS);
	second = g.err.offset;
	assert_int_equal(second, first + 3);
	draft_begin(&d);
	(void)draft_func(&d, draft_type(&d, "func i32 i32 -> i32"), "",
		"local.get 0 local.get 1 i64.load 0 i64.store 0 i32.const 1", "run");
	(void)draft_memory(&d, 1);
	draft_end(&d, &b);
	inst = guest_instance(&g, &b);
	assert_true(has_operation(inst, WE_I_COPY_64));
	memset(slots, 0, sizeof(slots));
	slots[1] = 65536;
	assert_int_equal(guest_call(&g, inst, "run", slots), WE_E_TRAP);
	first = g.err.offset;
	slots[0] = 65529;
	slots[1] = 0;
	assert_int_equal(guest_call(&g, inst, "run", slots), WE_E_TRAP);
	assert_int_equal(g.err.offset, first + 3);
	guest_close(&g);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(pair_answers_what_its_instructions_do),
		cmocka_unit_test(load_and_instruction_answer_what_they_do_apart),
		cmocka_unit_test(comparison_in_a_branch_or_select_decides_as_apart),
		cmocka_unit_test(load_in_a_branch_decides_as_apart),
		cmocka_unit_test(operation_answers_what_its_instructions_do),
		cmocka_unit_test(access_takes_its_address_as_computed_apart),
		cmocka_unit_test(call_passes_the_argument_that_it_makes),
		cmocka_unit_test(call_leaves_the_frame_of_its_callee_alone),
		cmocka_unit_test(tail_call_of_itself_starts_the_function_anew),
		cmocka_unit_test(trap_names_the_access_that_failed),
	};

	return cmocka_run_group_tests_name("we_fused", tests, NULL, NULL);
}
