// SPDX-License-Identifier: BSD-3-Clause
// Every numeric instruction, compiled for each level that this machine has, against the interpreter.
//
// Results are equal bit for bit. Where they are NaNs, another one that the specification allows will do: which operand's
// payload it has is up to the compiler that built the interpreter, and to LLVM.
// With the argument "constants": operands that are known at compile time, which takes longer.
#include "test_unit.h"

#include "../interp/test_guest.h"
#include "feature.h"

#include <stdio.h>

enum {
	MAX_SUBJECTS = 1024,
	MAX_VALUES = 128,
};

// An instruction with its immediate.
struct subject {
	struct we_instr in;
	const struct we_op_info *info;
	char name[16]; // of its function
};

// Values of one operand.
struct pool {
	uint32_t n;
	uint64_t of[MAX_VALUES][2];
};

struct machine {
	const char *level;
	bool deterministic;
	bool has_vnni;
	bool is_fused; // relaxed_madd rounds once
	struct we_cpu cpu;
	struct test_code code;
};

struct state {
	uint32_t n;
	struct subject subjects[MAX_SUBJECTS];
};

// ---- values --------------------------------------------------------------------------------------

static const uint64_t int_edges[] = {0, 1, 2, 3, 7, 8, 15, 16, 31, 32, 33, 63, 64, 0x7f, 0x80, 0x81,
	0xfe, 0xff, 0x100, 0x7fff, 0x8000, 0x8001, 0xffff, 0x10000, 0x7fffffff, 0x80000000,
	0x80000001, 0xfffffffe, 0xffffffff, 0x100000000, 0x1fffffffffffff, 0x20000000000001,
	0x7fffffffffffffff, 0x8000000000000000, 0x8000000000000001, 0xfffffffffffffffe,
	0xffffffffffffffff, 0xffffffff80000000, 0xffffffff7fffffff, 0x7fffff8000000000,
	0x8000008000000001, 0xfffffe8000000001, 0x123456789abcdef0, 0xfedcba9876543210};

static const uint8_t i8_edges[] = {
	0, 1, 2, 0x0f, 0x10, 0x11, 0x1f, 0x40, 0x55, 0x70, 0x7f, 0x80, 0x81, 0xaa, 0xfe, 0xff};

static const uint16_t i16_edges[] = {0, 1, 2, 0x7f, 0x80, 0xff, 0x100, 0x5555, 0x7ffe, 0x7fff,
	0x8000, 0x8001, 0xaaaa, 0xff80, 0xff7f, 0xffff};

static const uint32_t i32_edges[] = {0, 1, 2, 0x7fff, 0x8000, 0xffff, 0x10000, 0x1000001,
	0x55555555, 0x7fffffff, 0x80000000, 0x80000001, 0xaaaaaaaa, 0xffff8000, 0xffff7fff,
	0xffffffff};

static const uint64_t i64_edges[] = {0, 1, 2, 0x7fffffff, 0x80000000, 0xffffffff, 0x100000000,
	0x20000000000001, 0x5555555555555555, 0x7fffffffffffffff, 0x8000000000000000,
	0x8000000000000001, 0xaaaaaaaaaaaaaaaa, 0xffffffff80000000, 0xffffffff7fffffff,
	0xffffffffffffffff};

static const uint32_t f32_edges[] = {0, 0x80000000, 0x00000001, 0x80000001, 0x007fffff, 0x00800000,
	0x3f000000, 0xbf000000, 0x3effffff, 0xbf7fffff, 0x3f800000, 0xbf800000, 0x3fc00000,
	0xc0200000, 0x40200000, 0x4b000000, 0x4b7fffff, 0xcb000001, 0x4effffff, 0x4f000000,
	0xcf000000, 0xcf000001, 0x4f7fffff, 0x4f800000, 0x5effffff, 0x5f000000, 0xdf000000,
	0xdf000001, 0x5f7fffff, 0x5f800000, 0x7f7fffff, 0xff7fffff, 0x7f800000, 0xff800000,
	0x7fc00000, 0xffc00000, 0x7fa00000, 0xff800001, 0x7fc12345, 0xffffffff};

static const uint64_t f64_edges[] = {0, 0x8000000000000000, 1, 0x8000000000000001,
	0x000fffffffffffff, 0x0010000000000000, 0x3fe0000000000000, 0xbfe0000000000000,
	0x3fdfffffffffffff, 0xbfefffffffffffff, 0x3ff0000000000000, 0xbff0000000000000,
	0x3ff8000000000000, 0xc004000000000000, 0x4004000000000000, 0x3690000000000000,
	0x380fffffe0000000, 0x36a0000000000000, 0x47efffffefffffff, 0x47effffff0000000,
	0x41dfffffffc00000, 0x41dfffffffffffff, 0x41e0000000000000, 0xc1e0000000000000,
	0xc1e00000001fffff, 0xc1e0000000200000, 0x41efffffffe00000, 0x41efffffffffffff,
	0x41f0000000000000, 0x4330000000000000, 0x4330000000000001, 0xc33fffffffffffff,
	0x43dfffffffffffff, 0x43e0000000000000, 0xc3e0000000000000, 0xc3e0000000000001,
	0x43efffffffffffff, 0x43f0000000000000, 0x7fefffffffffffff, 0xffefffffffffffff,
	0x7ff0000000000000, 0xfff0000000000000, 0x7ff8000000000000, 0xfff8000000000000,
	0x7ff4000000000000, 0xfff0000000000001, 0x7ff8123456789abc, 0xffffffffffffffff};

static uint64_t next_random(void)
{
	static uint64_t x = 0x9e3779b97f4a7c15;

	x ^= x << 13;
	x ^= x >> 7;
	x ^= x << 17;
	return x;
}

static void *pool_next(struct pool *p)
{
	assert_in_range(p->n, 0, MAX_VALUES - 1);
	memset(p->of[p->n], 0, sizeof(p->of[p->n]));
	return p->of[p->n++];
}

static void pool_scalars(struct pool *p, const void *edges, size_t n, size_t bytes)
{
	for (size_t i = 0; i < n; i++)
		memcpy(pool_next(p), (const uint8_t *)edges + i * bytes, bytes);
}

// Vectors of which each lane goes through all edges, each lane from another one on.
static void pool_lanes(struct pool *p, const void *edges, size_t n, size_t bytes)
{
	const size_t n_lanes = 16 / bytes;

	for (size_t i = 0; i < n; i++) {
		uint8_t *lanes = pool_next(p);

		for (size_t j = 0; j < n_lanes; j++)
			memcpy(lanes + j * bytes,
				(const uint8_t *)edges + (i + j * n / n_lanes) % n * bytes, bytes);
	}
}

#define POOL(fn, p, edges) fn((p), (edges), sizeof(edges) / sizeof((edges)[0]), sizeof((edges)[0]))

static void pool_vectors(struct pool *p, const char *mnemonic)
{
	if (strstr(mnemonic, "i8x16") != NULL)
		POOL(pool_lanes, p, i8_edges);
	if (strstr(mnemonic, "i16x8") != NULL)
		POOL(pool_lanes, p, i16_edges);
	if (strstr(mnemonic, "i32x4") != NULL)
		POOL(pool_lanes, p, i32_edges);
	if (strstr(mnemonic, "i64x2") != NULL || strstr(mnemonic, "v128") != NULL)
		POOL(pool_lanes, p, i64_edges);
	if (strstr(mnemonic, "f32x4") != NULL)
		POOL(pool_lanes, p, f32_edges);
	if (strstr(mnemonic, "f64x2") != NULL)
		POOL(pool_lanes, p, f64_edges);
}

static void pool_fill(struct pool *p, char letter, const char *mnemonic)
{
	p->n = 0;
	if (letter == 'v')
		pool_vectors(p, mnemonic);
	else if (letter == 'f')
		POOL(pool_scalars, p, f32_edges);
	else if (letter == 'd')
		POOL(pool_scalars, p, f64_edges);
	else
		POOL(pool_scalars, p, int_edges);
	for (uint32_t i = 0; i < 12; i++) {
		uint64_t *x = pool_next(p);

		x[0] = next_random();
		x[1] = next_random();
	}
}

// ---- subjects ------------------------------------------------------------------------------------

static struct subject *next_subject(struct state *s, enum we_op op)
{
	struct subject *subject = &s->subjects[s->n];

	assert_in_range(s->n, 0, MAX_SUBJECTS - 1);
	subject->in.op = op;
	subject->info = &we_op_info[op];
	snprintf(subject->name, sizeof(subject->name), "f%u", s->n++);
	return subject;
}

static void list_shuffles(struct state *s)
{
	static const uint8_t patterns[][16] = {
		{0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15},
		{16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30, 31},
		{0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23},
		{8, 9, 10, 11, 12, 13, 14, 15, 0, 1, 2, 3, 4, 5, 6, 7},
		{3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18},
		{15, 14, 13, 12, 11, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1, 0},
		{5, 5, 5, 5, 5, 5, 5, 5, 5, 5, 5, 5, 5, 5, 5, 5},
		{31, 0, 30, 1, 29, 2, 28, 3, 27, 4, 26, 5, 25, 6, 24, 7},
	};

	for (size_t i = 0; i < sizeof(patterns) / sizeof(patterns[0]); i++)
		memcpy(next_subject(s, WE_OP_I8X16_SHUFFLE)->in.of.v128, patterns[i], 16);
}

static void list_lanes(struct state *s, enum we_op op)
{
	const unsigned flags = we_op_info[op].flags;
	const unsigned bytes = flags & WE_OP_FLAG_W1   ? 1
			       : flags & WE_OP_FLAG_W2 ? 2
			       : flags & WE_OP_FLAG_W4 ? 4
						       : 8;

	for (unsigned lane = 0; lane < 16 / bytes; lane++)
		next_subject(s, op)->in.of.lane = (uint8_t)lane;
}

// Those with operands.
static int list_subjects(void **state)
{
	struct state *s = calloc(1, sizeof(*s));

	assert_non_null(s);
	for (enum we_op op = 1; op < WE_OP_N; op++) {
		if (!test_is_numeric(op) || we_op_info[op].n_params == 0)
			continue;
		if (we_op_info[op].imm == WE_IMM_SHUFFLE)
			list_shuffles(s);
		else if (we_op_info[op].imm == WE_IMM_LANE)
			list_lanes(s, op);
		else
			(void)next_subject(s, op);
	}
	*state = s;
	return 0;
}

static int free_subjects(void **state)
{
	free(*state);
	return 0;
}

// ---- the interpreter -----------------------------------------------------------------------------

static void put_letters(struct bytes *b, const char *letters)
{
	static const struct {
		char letter;
		uint8_t type;
	} types[] = {{'i', 0x7f}, {'l', 0x7e}, {'f', 0x7d}, {'d', 0x7c}, {'v', 0x7b}};

	put_u(b, strlen(letters));
	for (; *letters != '\0'; letters++)
		for (size_t i = 0; i < 5; i++)
			if (types[i].letter == *letters)
				put_byte(b, types[i].type);
}

static void put_opcode(struct bytes *b, enum we_op op)
{
	static const struct {
		uint8_t prefix;
		uint32_t code;
	} codes[WE_OP_N] = {
#define WE_OP(feature, prefix, code, NAME, mnemonic, imm, params, results, flags)                  \
	[WE_OP_##NAME] = {prefix, code},
#include "opcode.def"
#undef WE_OP
	};

	if (codes[op].prefix == 0) {
		put_byte(b, (uint8_t)codes[op].code);
		return;
	}
	put_byte(b, codes[op].prefix);
	put_u(b, codes[op].code);
}

// (func (export "f") (param ...) (result ...) local.get 0 ... the instruction)
static struct we_func *interp_func(struct guest *g, const struct subject *s)
{
	static struct bytes module, items, body;

	begin_module(&module);
	items.len = 0;
	put_byte(&items, 0x60);
	put_letters(&items, s->info->params);
	put_letters(&items, s->info->results);
	put_section(&module, 1, 1, &items);
	PUT_SECTION(&module, 3, 1, "\0");
	items.len = 0;
	put_export(&items, "f", 0);
	put_section(&module, 7, 1, &items);
	body.len = 0;
	put_byte(&body, 0);
	for (uint8_t i = 0; i < s->info->n_params; i++) {
		put_byte(&body, 0x20);
		put_byte(&body, i);
	}
	put_opcode(&body, s->in.op);
	if (s->info->imm == WE_IMM_LANE)
		put_byte(&body, s->in.of.lane);
	else if (s->info->imm == WE_IMM_SHUFFLE)
		put_bytes(&body, s->in.of.v128, 16);
	put_byte(&body, 0x0b);
	items.len = 0;
	put_body(&items, &body);
	put_section(&module, 10, 1, &items);
	return guest_export(guest_instance(g, &module), "f").of.func;
}

// ---- comparison ----------------------------------------------------------------------------------

static bool is_nan(uint64_t x, bool is_64)
{
	return is_64 ? (x & INT64_MAX) > 0x7ff0000000000000 : (x & INT32_MAX) > 0x7f800000;
}

// Canonical, or a NaN among the operands' lanes made quiet, with any sign: LLVM writes -0 - x as a change of sign.
static bool is_allowed_nan(
	const struct subject *s, const uint64_t *operands, unsigned lane, uint64_t x, bool is_64)
{
	const uint64_t quiet = is_64 ? 0x0008000000000000 : 0x00400000;
	const uint64_t payload = is_64 ? 0x000fffffffffffff : 0x007fffff;
	const size_t bytes = is_64 ? 8 : 4;
	const uint8_t *at = (const uint8_t *)operands + lane * bytes;

	if (is_nan(x, is_64) && (x & payload) == quiet)
		return true;
	for (uint32_t i = 0; i < s->info->n_params; i++) {
		uint64_t operand = 0;

		memcpy(&operand, at, bytes);
		at += 8 * test_slots(s->info->params[i]);
		if (is_nan(operand, is_64) && (x & payload) == ((operand & payload) | quiet))
			return true;
	}
	return false;
}

// How many lanes of which width the result has, when they are floats: else 0.
static unsigned n_float_lanes(const struct subject *s, bool deterministic, bool *ret_is_64)
{
	static const char *const exact[] = {"abs", "neg", "copysign", "splat", "replace", "extract",
		"eq", "ne", "lt", "gt", "le", "ge", "reinterpret", "pmin", "pmax", "select",
		"relaxed_min", "relaxed_max"}; // the last two are min and max when deterministic
	const size_t n_exact = sizeof(exact) / sizeof(exact[0]) - (deterministic ? 2 : 0);
	const char *name = s->info->mnemonic;
	const char *verb = strchr(name, '.') + 1;

	*ret_is_64 = strncmp(name, "f64", 3) == 0;
	if (name[0] != 'f')
		return 0;
	for (size_t i = 0; i < n_exact; i++)
		if (strncmp(verb, exact[i], strlen(exact[i])) == 0)
			return 0;
	if (s->info->results[0] != 'v')
		return 1;
	return *ret_is_64 ? 2 : 4;
}

static bool same_result(const struct subject *s, bool deterministic, const uint64_t *operands,
	const uint64_t *x, const uint64_t *y)
{
	const char letter = s->info->results[0];
	bool is_64;
	const unsigned n = n_float_lanes(s, deterministic, &is_64);
	const size_t bytes = letter == 'v' ? 16 : letter == 'i' || letter == 'f' ? 4 : 8;
	const size_t lane_bytes = is_64 ? 8 : 4;

	if (memcmp(x, y, bytes) == 0)
		return true;
	if (n == 0)
		return false;
	for (unsigned i = 0; i < n; i++) {
		uint64_t a = 0, b = 0;

		memcpy(&a, (const uint8_t *)x + i * lane_bytes, lane_bytes);
		memcpy(&b, (const uint8_t *)y + i * lane_bytes, lane_bytes);
		if (a != b && !(is_nan(a, is_64) && is_allowed_nan(s, operands, i, b, is_64)))
			return false;
	}
	return true;
}

// Relaxed instructions whose result is the machine's choice: of a lower level than the interpreter's here, which is native.
static bool may_differ(const struct subject *s, const struct machine *m)
{
	struct we_cpu host;

	if (m->deterministic)
		return false;
	switch (s->in.op) {
	case WE_OP_F32X4_RELAXED_MADD:
	case WE_OP_F32X4_RELAXED_NMADD:
	case WE_OP_F64X2_RELAXED_MADD:
	case WE_OP_F64X2_RELAXED_NMADD:
		we_cpu_detect(&host);
		return m->is_fused != host.has_fma;
	case WE_OP_I32X4_RELAXED_DOT_I8X16_I7X16_ADD_S:
		we_cpu_detect(&host);
		return m->has_vnni != (host.has_avx_vnni || host.has_avx512_vnni);
	case WE_OP_I32X4_RELAXED_TRUNC_F32X4_U:
	case WE_OP_I32X4_RELAXED_TRUNC_F64X2_U_ZERO:
		we_cpu_detect(&host);
		return m->cpu.has_avx512 != host.has_avx512;
	default:
		return false;
	}
}

typedef uint32_t native_fn(const uint64_t *in, uint64_t *out);

struct comparison {
	const struct subject *subject;
	struct we_func *func;
	uint32_t n_machines;
	const struct machine *machines;
	native_fn *native[4];
	uint64_t n_nan_choices; // equal by the rule for NaNs only
};

static void compare(struct comparison *c, const uint64_t *operands)
{
	const struct subject *s = c->subject;
	struct we_error err = {0};
	const bool deterministic = c->machines[0].deterministic;
	uint64_t expected[8];
	uint32_t trap;

	memcpy(expected, operands, 6 * sizeof(uint64_t));
	trap = we_func_call(c->func, expected, &err) == 0 ? WE_TRAP_NONE : err.trap;
	for (uint32_t i = 0; i < c->n_machines; i++) {
		uint64_t got[2] = {0};
		const uint32_t got_trap = c->native[i](operands, got);

		if (got_trap == trap &&
			(trap != WE_TRAP_NONE ||
				same_result(s, deterministic, operands, expected, got))) {
			c->n_nan_choices += trap == WE_TRAP_NONE &&
					    n_float_lanes(s, deterministic, &(bool){0}) > 0 &&
					    memcmp(expected, got,
						    s->info->results[0] == 'v'   ? 16
						    : s->info->results[0] == 'f' ? 4
										 : 8) != 0;
			continue;
		}
		if (may_differ(s, &c->machines[i]))
			continue;
		fail_msg("%s at %s: operands %016llx %016llx  %016llx %016llx  %016llx %016llx: "
			 "%016llx %016llx (trap %u), not %016llx %016llx (trap %u)",
			s->info->mnemonic, c->machines[i].level, (unsigned long long)operands[0],
			(unsigned long long)operands[1], (unsigned long long)operands[2],
			(unsigned long long)operands[3], (unsigned long long)operands[4],
			(unsigned long long)operands[5], (unsigned long long)got[0],
			(unsigned long long)got[1], got_trap, (unsigned long long)expected[0],
			(unsigned long long)expected[1], trap);
	}
}

// All combinations; of three operands, a part of the values each.
static void compare_all(struct comparison *c)
{
	static struct pool pools[3];
	const struct we_op_info *info = c->subject->info;
	uint32_t at[3] = {0};
	uint32_t step[3];

	for (uint32_t i = 0; i < info->n_params; i++) {
		pool_fill(&pools[i], info->params[i], info->mnemonic);
		step[i] = info->n_params == 3 ? pools[i].n / 18 + 1 : 1;
	}
	for (;;) {
		uint64_t operands[6] = {0};
		uint32_t slot = 0, i;

		for (i = 0; i < info->n_params; i++) {
			memcpy(operands + slot, pools[i].of[at[i]], 16);
			slot += test_slots(info->params[i]);
		}
		compare(c, operands);
		for (i = 0; i < info->n_params; i++) {
			at[i] += step[i];
			if (at[i] < pools[i].n)
				break;
			at[i] -= pools[i].n;
		}
		if (i == info->n_params)
			return;
	}
}

static void machine_open(struct machine *m, const struct state *s)
{
	static struct test_unit t;

	test_unit_open(&t, &m->cpu, m->deterministic);
	for (uint32_t i = 0; i < s->n; i++)
		test_unit_add(&t, s->subjects[i].name, &s->subjects[i].in, 0, NULL);
	test_code_open(&m->code, test_unit_object(&t));
	test_unit_close(&t);
}

static void compare_machines(const struct state *s, struct machine *machines, uint32_t n)
{
	const struct we_engine_config config = {.deterministic = machines[0].deterministic};
	struct guest g;

	guest_open(&g, &config, NULL);
	for (uint32_t i = 0; i < n; i++)
		machine_open(&machines[i], s);
	for (uint32_t i = 0; i < s->n; i++) {
		struct comparison c = {.subject = &s->subjects[i],
			.func = interp_func(&g, &s->subjects[i]),
			.n_machines = n,
			.machines = machines};

		for (uint32_t j = 0; j < n; j++) {
			size_t bytes;
			uint8_t *at =
				test_code_find(&machines[j].code, s->subjects[i].name, &bytes);

			memcpy(&c.native[j], &at, sizeof(at));
		}
		compare_all(&c);
		if (c.n_nan_choices > 0)
			print_message("# %s: %llu NaNs of another payload\n",
				s->subjects[i].info->mnemonic, (unsigned long long)c.n_nan_choices);
	}
	for (uint32_t i = 0; i < n; i++)
		test_code_close(&machines[i].code);
	guest_close(&g);
}

// ---- constants -----------------------------------------------------------------------------------

enum {
	MAX_FOLDS = 16384,
	FOLDS_PER_OPERAND = 10,
};

// An instruction of which some operands are known at compile time.
struct fold {
	const struct subject *subject;
	unsigned constant; // bit per operand
	uint64_t operands[6];
	char name[16];
};

// Constants that LLVM has rules for come first, then others.
static const uint64_t folding_ints[] = {
	0, 1, UINT64_MAX, 0x80000000, 0x8000000000000000, 7, 31, 0x7fffffff};
static const uint32_t folding_f32[] = {
	0, 0x80000000, 0x3f800000, 0xbf800000, 0x7fa00000, 0xffc00000, 0x7f800000, 0x40000000};
static const uint64_t folding_f64[] = {0, 0x8000000000000000, 0x3ff0000000000000,
	0xbff0000000000000, 0x7ff4000000000000, 0xfff8000000000000, 0x7ff0000000000000,
	0x4000000000000000};

static void constant_of(uint64_t *ret, char letter, const char *mnemonic, unsigned k)
{
	static struct pool p;
	const unsigned kind = k % 8;

	ret[0] = folding_ints[kind];
	if (letter == 'f' || (letter == 'v' && strstr(mnemonic, "f32x4") != NULL))
		ret[0] = folding_f32[kind] * (letter == 'v' ? 0x100000001u : 1u);
	else if (letter == 'd' || (letter == 'v' && strstr(mnemonic, "f64x2") != NULL))
		ret[0] = folding_f64[kind];
	if (letter == 'v')
		ret[1] = ret[0];
	if (k < 8)
		return;
	pool_fill(&p, letter, mnemonic);
	memcpy(ret, p.of[next_random() % p.n], 8 * test_slots(letter));
}

// All pairs of the special ones for two floats; elsewhere each with one other.
static unsigned choice_of(bool is_pair, unsigned k, uint32_t operand)
{
	return is_pair ? k >> 3 * operand & 7 : (k + 3 * operand) % FOLDS_PER_OPERAND;
}

static uint32_t list_folds(const struct state *s, struct fold *folds)
{
	uint32_t n = 0;

	for (uint32_t i = 0; i < s->n; i++) {
		const struct we_op_info *info = s->subjects[i].info;

		for (unsigned constant = 1; constant < 1u << info->n_params; constant++) {
			const bool is_pair = info->n_params == 2 && constant == 3 &&
					     n_float_lanes(&s->subjects[i], false, &(bool){0}) > 0;

			for (unsigned k = 0; k < (is_pair ? 64 : FOLDS_PER_OPERAND); k++) {
				struct fold *fold = &folds[n];
				uint32_t slot = 0;

				assert_in_range(n, 0, MAX_FOLDS - 1);
				*fold = (struct fold){
					.subject = &s->subjects[i], .constant = constant};
				for (uint32_t j = 0; j < info->n_params; j++) {
					constant_of(fold->operands + slot, info->params[j],
						info->mnemonic, choice_of(is_pair, k, j));
					slot += test_slots(info->params[j]);
				}
				snprintf(fold->name, sizeof(fold->name), "c%u", n++);
			}
		}
	}
	return n;
}

// The other operands go through all of their values.
static void compare_fold(struct comparison *c, const struct fold *fold)
{
	static struct pool p;
	const struct we_op_info *info = c->subject->info;
	uint32_t slot = 0;

	compare(c, fold->operands);
	for (uint32_t i = 0; i < info->n_params; slot += test_slots(info->params[i++])) {
		if (fold->constant & 1u << i)
			continue;
		pool_fill(&p, info->params[i], info->mnemonic);
		for (uint32_t k = 0; k < p.n; k++) {
			uint64_t operands[6];

			memcpy(operands, fold->operands, sizeof(operands));
			memcpy(operands + slot, p.of[k], 8 * test_slots(info->params[i]));
			compare(c, operands);
		}
	}
}

static void compare_folds(const struct state *s, struct machine *m)
{
	static struct test_unit t;
	struct fold *folds = calloc(MAX_FOLDS, sizeof(*folds));
	const uint32_t n = list_folds(s, folds);
	struct guest g;
	struct we_func *func = NULL;

	test_unit_open(&t, &m->cpu, false);
	for (uint32_t i = 0; i < n; i++)
		test_unit_add(&t, folds[i].name, &folds[i].subject->in, folds[i].constant,
			folds[i].operands);
	test_code_open(&m->code, test_unit_object(&t));
	test_unit_close(&t);
	guest_open(&g, NULL, NULL);
	for (uint32_t i = 0; i < n; i++) {
		struct comparison c = {.subject = folds[i].subject, .n_machines = 1, .machines = m};
		size_t bytes;
		uint8_t *at = test_code_find(&m->code, folds[i].name, &bytes);

		if (i == 0 || folds[i].subject != folds[i - 1].subject)
			func = interp_func(&g, folds[i].subject);
		c.func = func;
		memcpy(&c.native[0], &at, sizeof(at));
		compare_fold(&c, &folds[i]);
	}
	test_code_close(&m->code);
	guest_close(&g);
	free(folds);
}

// Those of the levels that this machine has.
static uint32_t list_machines(struct machine *machines, bool deterministic)
{
	static const char *const levels[] = {"v2", "v3", "v4", "native"};
	struct we_cpu host;
	uint32_t n = 0;

	we_cpu_detect(&host);
	for (size_t i = 0; i < sizeof(levels) / sizeof(levels[0]); i++) {
		struct machine *m = &machines[n];

		*m = (struct machine){.level = levels[i], .deterministic = deterministic};
		assert_true(we_cpu_by_name(levels[i], &m->cpu));
		m->has_vnni = m->cpu.has_avx_vnni || m->cpu.has_avx512_vnni;
		m->is_fused = m->cpu.has_fma;
		n += we_cpu_covers(&host, &m->cpu) && (i < 3 || m->has_vnni);
	}
	return n;
}

static void numeric_instructions_compute_what_the_interpreter_does(void **state)
{
	struct machine machines[4];

	compare_machines(*state, machines, list_machines(machines, false));
}

static void deterministic_instructions_compute_what_the_interpreter_does(void **state)
{
	struct machine machines[4];

	compare_machines(*state, machines, list_machines(machines, true));
}

static void constant_operands_change_no_result(void **state)
{
	struct machine machines[4];
	const uint32_t n = list_machines(machines, false);

	compare_folds(*state, &machines[n - 1]);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(numeric_instructions_compute_what_the_interpreter_does),
		cmocka_unit_test(deterministic_instructions_compute_what_the_interpreter_does),
	};
	const struct CMUnitTest long_tests[] = {
		cmocka_unit_test(constant_operands_change_no_result),
	};

	if (argc == 2 && strcmp(argv[1], "constants") == 0)
		return cmocka_run_group_tests_name(
			"jit_lower_constants", long_tests, list_subjects, free_subjects);

	return cmocka_run_group_tests_name("jit_lower", tests, list_subjects, free_subjects);
}
