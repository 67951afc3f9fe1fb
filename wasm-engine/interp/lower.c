// SPDX-License-Identifier: BSD-3-Clause
// Instructions -> operations: those that go straight on, and the table of all.
//
// Module path 3/6. Owns: nothing. Thread: any.
// Spec:   core "Instructions".
#include "xlate.h"

#include "engine.h"

#include <assert.h>
#include <string.h>

// ---- instructions that compute -------------------------------------------------------------------

static const enum we_icode strict_twins[WE_I_N] = {
	[WE_I_I8X16_RELAXED_SWIZZLE] = WE_I_I8X16_SWIZZLE,
	[WE_I_I32X4_RELAXED_TRUNC_F32X4_S] = WE_I_I32X4_TRUNC_SAT_F32X4_S,
	[WE_I_I32X4_RELAXED_TRUNC_F32X4_U] = WE_I_I32X4_TRUNC_SAT_F32X4_U,
	[WE_I_I32X4_RELAXED_TRUNC_F64X2_S_ZERO] = WE_I_I32X4_TRUNC_SAT_F64X2_S_ZERO,
	[WE_I_I32X4_RELAXED_TRUNC_F64X2_U_ZERO] = WE_I_I32X4_TRUNC_SAT_F64X2_U_ZERO,
	[WE_I_I8X16_RELAXED_LANESELECT] = WE_I_V128_BITSELECT,
	[WE_I_I16X8_RELAXED_LANESELECT] = WE_I_V128_BITSELECT,
	[WE_I_I32X4_RELAXED_LANESELECT] = WE_I_V128_BITSELECT,
	[WE_I_I64X2_RELAXED_LANESELECT] = WE_I_V128_BITSELECT,
	[WE_I_F32X4_RELAXED_MIN] = WE_I_F32X4_MIN,
	[WE_I_F32X4_RELAXED_MAX] = WE_I_F32X4_MAX,
	[WE_I_F64X2_RELAXED_MIN] = WE_I_F64X2_MIN,
	[WE_I_F64X2_RELAXED_MAX] = WE_I_F64X2_MAX,
	[WE_I_I16X8_RELAXED_Q15MULR_S] = WE_I_I16X8_Q15MULR_SAT_S,
	[WE_I_I16X8_RELAXED_DOT_I8X16_I7X16_S] = WE_I_I16X8_SIGNED_DOT,
	[WE_I_I32X4_RELAXED_DOT_I8X16_I7X16_ADD_S] = WE_I_I32X4_SIGNED_DOT_ADD,
};

// The operation of a relaxed instruction: what native code of the engine chooses.
static enum we_icode choose(const struct we_xlate *t, enum we_icode icode)
{
	const struct we_cpu *cpu = &t->module->engine->cpu;

	if (t->deterministic)
		return strict_twins[icode] != 0 ? strict_twins[icode] : icode;
	switch (icode) {
	case WE_I_F32X4_RELAXED_MADD:
		return cpu->has_fma ? WE_I_F32X4_FUSED_MADD : icode;
	case WE_I_F32X4_RELAXED_NMADD:
		return cpu->has_fma ? WE_I_F32X4_FUSED_NMADD : icode;
	case WE_I_F64X2_RELAXED_MADD:
		return cpu->has_fma ? WE_I_F64X2_FUSED_MADD : icode;
	case WE_I_F64X2_RELAXED_NMADD:
		return cpu->has_fma ? WE_I_F64X2_FUSED_NMADD : icode;
	case WE_I_I32X4_RELAXED_TRUNC_F32X4_U:
		return cpu->has_avx512 ? WE_I_I32X4_CVTTPS2UDQ : icode;
	case WE_I_I32X4_RELAXED_TRUNC_F64X2_U_ZERO:
		return cpu->has_avx512 ? WE_I_I32X4_CVTTPD2UDQ : icode;
	case WE_I_I32X4_RELAXED_DOT_I8X16_I7X16_ADD_S:
		return cpu->has_avx_vnni || cpu->has_avx512_vnni ? WE_I_I32X4_VPDPBUSD : icode;
	default:
		return icode;
	}
}

// arg operands from slots b on, a result in a.
static void lower_plain(
	struct we_xlate *t, const struct we_instr *in, const struct we_lowering *how)
{
	struct we_x_operand o[3] = {0};
	uint32_t slots[3] = {0};
	const enum we_icode icode = choose(t, how->icode);
	uint32_t word;

	for (uint32_t i = how->arg; i > 0; i--)
		o[i - 1] = we_x_pop(t);
	for (uint32_t i = 0; i < how->arg; i++)
		slots[i] = we_x_slot_of(t, &o[i]);
	word = here(t);
	we_x_emit(
		t, icode, we_x_push_result(t, we_x_result_type(in)), slots[0], slots[1], slots[2]);
	we_x_mark_result(t, word);
}

// Can the operand be read later, without another operation?
static bool is_ready(const struct we_x_operand *o)
{
	return o->where != CONSTANT && o->addend == 0;
}

static const struct load_pair {
	uint16_t load;
	uint16_t icode;
	uint16_t both;
} load_pairs[] = {
#define I_NAME(NAME, FORM)
#define I_LOAD_ALU(LOAD, ALU, R, M, load, expr) {WE_I_##LOAD, WE_I_##ALU, WE_I_##LOAD##__##ALU},
#include "icode.def"
#undef I_NAME
};

static uint16_t load_pair_of(enum we_icode load, enum we_icode icode)
{
	for (uint32_t i = 0; i < sizeof(load_pairs) / sizeof(load_pairs[0]); i++)
		if (load_pairs[i].load == load && load_pairs[i].icode == icode)
			return load_pairs[i].both;
	return 0;
}

// Turn the last operation, if it is a load, and `icode` of x, which is ready, and its result into one.
static bool fuse_load(struct we_xlate *t, enum we_icode icode, const struct we_x_operand *x)
{
	struct we_iop op;
	uint16_t both;
	uint32_t at;

	switch (icode_at(t, t->last)) {
	case WE_I_I32_LOAD:
	case WE_I_I32_LOAD8_U:
	case WE_I_I32_LOAD16_S:
	case WE_I_I32_LOAD16_U:
	case WE_I_I64_LOAD:
	case WE_I_F32_LOAD:
	case WE_I_F64_LOAD:
	case WE_I_V128_LOAD:
		break;
	default: // no pair of it
		return false;
	}
	both = load_pair_of(icode_at(t, t->last), icode);
	if (both == 0)
		return false;
	op = *op_at(t, t->last);
	at = we_x_take_back(t);
	we_x_emit_at(t, both, op.a, op.b, we_x_base_of(t, x), op.imm, at);
	we_x_mark_result(t, t->newest);
	return true;
}

// The same for the two operands on top, floats or vectors.
static bool fuse_load_on_top(struct we_xlate *t, const struct we_instr *in, enum we_icode icode)
{
	struct we_x_operand x;
	struct we_x_operand y;

	if (t->rc != 0)
		return false;
	y = *operand_at(t, n_operands(t) - 1);
	x = *operand_at(t, n_operands(t) - 2);
	// All that have a row of I_LOAD_ALU commute.
	if ((!is_ready(&x) || !we_x_is_last_result(t, &y) || !fuse_load(t, icode, &x)) &&
		(!is_ready(&y) || !we_x_is_last_result(t, &x) || !fuse_load(t, icode, &y)))
		return false;
	we_x_pop_n(t, 2);
	op_at(t, t->newest)->a = (uint16_t)we_x_push_result(t, we_x_result_type(in));
	return true;
}

// Two operands of floats or vectors, of which one may have been loaded last.
static void lower_binary(
	struct we_xlate *t, const struct we_instr *in, const struct we_lowering *how)
{
	if (!fuse_load_on_top(t, in, how->icode))
		lower_plain(t, in, how);
}

// A sum of floats, with the product that was computed last.
static void lower_float_add(
	struct we_xlate *t, const struct we_instr *in, const struct we_lowering *how)
{
	const bool is_32 = how->icode == WE_I_F32_ADD;
	const struct we_x_operand *x;
	const struct we_x_operand *y;
	const struct we_x_operand *product;
	struct we_iop *op;

	if (t->rc == 0) {
		y = operand_at(t, n_operands(t) - 1);
		x = operand_at(t, n_operands(t) - 2);
		product = we_x_is_last_result(t, y) ? y : we_x_is_last_result(t, x) ? x : NULL;
		if (product != NULL &&
			icode_at(t, t->last) == (is_32 ? WE_I_F32_MUL : WE_I_F64_MUL) &&
			(product == x ? y : x)->where != CONSTANT) {
			op = op_at(t, t->last);
			op->d = (uint16_t)we_x_base_of(t, product == x ? y : x);
			if (product == x)
				we_x_set_icode(
					t, t->last, is_32 ? WE_I_F32_MUL_ADD : WE_I_F64_MUL_ADD);
			else
				we_x_set_icode(
					t, t->last, is_32 ? WE_I_F32_ADD_MUL : WE_I_F64_ADD_MUL);
			we_x_pop_n(t, 2);
			op->a = (uint16_t)we_x_push_result(t, we_x_result_type(in));
			return;
		}
	}
	if (!fuse_load_on_top(t, in, how->icode))
		lower_plain(t, in, how);
}

static enum we_icode imm_form(enum we_icode icode)
{
	return (enum we_icode)(icode + 1);
}

#define N_PAIRED (WE_I_I32_ROTL_I - WE_I_I32_ADD + 1)

// What two integer instructions of one type become, by their distances from its addition.
// clang-format off
static const uint16_t pairs[2][N_PAIRED][N_PAIRED] = {
#define I_NAME(NAME, FORM)
#define BASE_u32 WE_I_I32_ADD
#define BASE_u64 WE_I_I64_ADD
#define TYPE_u32 0
#define TYPE_u64 1
#define I_PAIR(FIRST, SECOND, T, Y, Z, e1, e2) \
	[TYPE_##T][WE_I_##FIRST - BASE_##T][WE_I_##SECOND - BASE_##T] = WE_I_##FIRST##__##SECOND,
#include "icode.def"
#undef I_NAME
};
// clang-format on
static_assert(WE_I_N <= UINT16_MAX, "operations fit the table");
static_assert(
	WE_I_I64_ROTL_I - WE_I_I64_ADD + 1 == N_PAIRED, "both types have the same operations");

static uint16_t pair_of(enum we_icode first, enum we_icode second)
{
	const uint32_t i32 = WE_I_I32_ADD;
	const uint32_t i64 = WE_I_I64_ADD;

	if (first - i32 < N_PAIRED && second - i32 < N_PAIRED)
		return pairs[0][first - i32][second - i32];
	if (first - i64 < N_PAIRED && second - i64 < N_PAIRED)
		return pairs[1][first - i64][second - i64];
	return 0;
}

// Turn the last operation and `icode` of its result and y into one. y: a constant of 32 bits (has_imm) or ready.
static bool fuse_pair(
	struct we_xlate *t, enum we_icode icode, const struct we_x_operand *y, bool has_imm)
{
	const enum we_icode second = has_imm ? imm_form(icode) : icode;
	struct we_iop op;
	enum we_icode first;
	uint16_t both;
	uint32_t word;

	first = icode_at(t, t->last);
	both = pair_of(first, second);
	if (both == 0)
		return false;
	op = *op_at(t, t->last);
	(void)we_x_take_back(t);
	word = here(t);
	if (we_icode_forms[first] == WE_FORM_ABI)
		we_x_emit(t, both, op.a, op.b, 0, has_imm ? 0 : we_x_base_of(t, y));
	else
		we_x_emit(t, both, op.a, op.b, op.c, has_imm ? 0 : we_x_base_of(t, y));
	if (t->rc == 0)
		op_at(t, word)->x[0] = we_x_pair(has_imm ? (uint32_t)y->bits[0] : 0,
			we_icode_forms[first] == WE_FORM_ABI ? op.imm : 0);
	we_x_mark_result(t, word);
	return true;
}

static bool is_commutative(enum we_icode icode)
{
	switch (icode) {
	case WE_I_I32_ADD:
	case WE_I_I32_MUL:
	case WE_I_I32_AND:
	case WE_I_I32_OR:
	case WE_I_I32_XOR:
	case WE_I_I64_ADD:
	case WE_I_I64_MUL:
	case WE_I_I64_AND:
	case WE_I_I64_OR:
	case WE_I_I64_XOR:
		return true;
	default: // the others
		return false;
	}
}

// Turn the last operation and `icode` of its result and a constant into one operation.
static bool fuse_constant(struct we_xlate *t, enum we_icode icode, uint32_t constant_bits)
{
	struct we_iop *op;

	if (icode == WE_I_I32_AND && constant_bits <= UINT16_MAX &&
		icode_at(t, t->last) == WE_I_I32_SHR_U_I) {
		op = op_at(t, t->last);
		we_x_set_icode(t, t->last, WE_I_I32_SHR_U_I_AND);
		op->c = (uint16_t)(op->imm & 31);
		op->d = (uint16_t)constant_bits;
		return true;
	}
	return false;
}

// The same for an addition, of whose operands one is the last result; y_slot is the other.
static bool fuse_addition(struct we_xlate *t, uint32_t y_slot)
{
	struct we_iop *op = op_at(t, t->last);
	const int32_t imm = op->simm;

	switch (icode_at(t, t->last)) {
	case WE_I_I32_MUL:
		we_x_set_icode(t, t->last, WE_I_I32_MUL_ADD);
		op->d = (uint16_t)y_slot;
		return true;
	case WE_I_I32_SHL_I:
		we_x_set_icode(t, t->last, WE_I_I32_SHL_I_ADD);
		op->c = (uint16_t)y_slot;
		op->d = (uint16_t)(imm & 31);
		return true;
	case WE_I_I32_ADD_I:
		if (!fits_16(imm))
			return false;
		we_x_set_icode(t, t->last, WE_I_I32_ADD_ADD_I);
		op->c = (uint16_t)y_slot;
		op->d = (uint16_t)imm;
		return true;
	default: // no pair of it
		return false;
	}
}

// Does the last operation already compute icode of x and y, taken together with what it did? It then has its result
// where x or y had its home, and that becomes the home of the new operand.
static bool fuse(struct we_xlate *t, enum we_icode icode, const struct we_x_operand *x,
	const struct we_x_operand *y)
{
	const bool has_imm = y->where == CONSTANT && fits_32(constant(y));
	const bool x_is_last = we_x_is_last_result(t, x);
	const bool y_is_last = we_x_is_last_result(t, y);

	if (t->rc != 0 || (!x_is_last && !y_is_last))
		return false;
	if (x_is_last && y->where == CONSTANT && x->type == WE_T_I32 &&
		fuse_constant(t, icode, (uint32_t)y->bits[0]))
		return true;
	if (icode == WE_I_I32_ADD && is_ready(x) && is_ready(y) &&
		((x_is_last && fuse_addition(t, we_x_base_of(t, y))) ||
			(y_is_last && fuse_addition(t, we_x_base_of(t, x)))))
		return true;
	if (x_is_last && (has_imm || is_ready(y)) && fuse_pair(t, icode, y, has_imm))
		return true;
	if (y_is_last && is_ready(x) && fuse_load(t, icode, x))
		return true;
	if (!is_commutative(icode))
		return false;
	return (x_is_last && is_ready(y) && fuse_load(t, icode, y)) ||
	       (y_is_last && is_ready(x) && fuse_pair(t, icode, x, false));
}

// Two integer operands, the second of which may be a constant in the operation itself.
static void emit_alu(struct we_xlate *t, enum we_icode icode, enum we_icode icode_i,
	we_valtype result, struct we_x_operand *x, struct we_x_operand *y)
{
	const bool has_imm = y->where == CONSTANT && fits_32(constant(y));
	uint32_t x_slot;
	uint32_t y_slot;
	uint32_t a;
	uint32_t word;

	if (fuse(t, icode, x, y)) {
		op_at(t, t->last)->a = (uint16_t)we_x_push_result(t, result);
		return;
	}
	x_slot = we_x_slot_of(t, x);
	if (x->addend != 0 && t->rc == 0 && (has_imm || is_ready(y))) {
		const struct we_x_operand sum = {.where = AT_HOME, .home = x->home};

		if (we_x_is_last_result(t, &sum) && fuse_pair(t, icode, y, has_imm)) {
			op_at(t, t->last)->a = (uint16_t)we_x_push_result(t, result);
			return;
		}
	}
	y_slot = has_imm ? 0 : we_x_slot_of(t, y);
	a = we_x_push_result(t, result);
	word = here(t);
	if (has_imm)
		we_x_emit_imm(t, icode_i, a, x_slot, (uint32_t)y->bits[0], 0);
	else
		we_x_emit(t, icode, a, x_slot, y_slot, 0);
	we_x_mark_result(t, word);
}

static_assert(WE_I_I32_ADD_I == WE_I_I32_ADD + 1 && WE_I_I32_EQ_I == WE_I_I32_EQ + 1, "imm_form");

// Push x + a constant as it is. Returns: false when x is not where the new operand can be.
static bool push_sum(struct we_xlate *t, const struct we_x_operand *x, uint32_t constant_bits)
{
	if (x->where == IN_LOCAL)
		we_x_push_local(t, x->local);
	else if (x->where == AT_HOME && x->home == t->top)
		(void)we_x_push(t, WE_T_I32);
	else
		return false;
	if (t->rc == 0) {
		operand_at(t, n_operands(t) - 1)->type = WE_T_I32; // the local's may be another
		operand_at(t, n_operands(t) - 1)->addend = x->addend + constant_bits;
	}
	return true;
}

// What x's and y's addends come to in the result of icode; 0 when they stay where they are.
static uint32_t take_addends(enum we_icode icode, struct we_x_operand *x, struct we_x_operand *y)
{
	const uint32_t by = (uint32_t)y->bits[0];
	uint32_t sum;

	if (icode == WE_I_I32_ADD && y->where != CONSTANT)
		sum = x->addend + y->addend;
	else if (icode == WE_I_I32_SUB && x->where != CONSTANT && y->where != CONSTANT)
		sum = x->addend - y->addend;
	else if (icode == WE_I_I32_SHL && y->where == CONSTANT)
		sum = x->addend << (by & 31);
	else if (icode == WE_I_I32_MUL && y->where == CONSTANT)
		sum = x->addend * by;
	else
		return 0;
	x->addend = 0;
	y->addend = 0;
	return sum;
}

// arg: the operands may change places. Subtraction of a constant is addition.
static void lower_alu(struct we_xlate *t, const struct we_instr *in, const struct we_lowering *how)
{
	enum we_icode icode = how->icode;
	struct we_x_operand y = we_x_pop(t);
	struct we_x_operand x = we_x_pop(t);
	uint32_t sum;

	if (how->arg != 0 && x.where == CONSTANT) {
		const struct we_x_operand was = x;

		// Only the values change places: a constant's home is that of its own place.
		x = y;
		y = was;
	}
	if ((icode == WE_I_I32_SUB || icode == WE_I_I64_SUB) && y.where == CONSTANT &&
		fits_32(constant(&y)) && constant(&y) != INT32_MIN) {
		icode = icode == WE_I_I32_SUB ? WE_I_I32_ADD : WE_I_I64_ADD;
		y.bits[0] = y.type == WE_T_I32 ? (uint32_t)-(uint32_t)y.bits[0] : -y.bits[0];
	}
	if (icode == WE_I_I32_ADD && y.where == CONSTANT && x.where != CONSTANT &&
		push_sum(t, &x, (uint32_t)y.bits[0]))
		return;
	sum = take_addends(icode, &x, &y);
	emit_alu(t, icode, imm_form(icode), we_x_result_type(in), &x, &y);
	if (sum != 0 && t->rc == 0)
		operand_at(t, n_operands(t) - 1)->addend = sum;
}

static void lower_cmp(struct we_xlate *t, const struct we_instr *in, const struct we_lowering *how)
{
	struct we_x_operand y = we_x_pop(t);
	struct we_x_operand x = we_x_pop(t);

	(void)in;
	if ((how->icode == WE_I_I32_EQ || how->icode == WE_I_I32_NE) && y.where == CONSTANT) {
		y.bits[0] = (uint32_t)y.bits[0] - x.addend;
		x.addend = 0;
	}
	emit_alu(t, how->icode, imm_form(how->icode), WE_T_I32, &x, &y);
}

// arg: the comparison with a constant that it is.
static void lower_eqz(struct we_xlate *t, const struct we_instr *in, const struct we_lowering *how)
{
	struct we_x_operand x = we_x_pop(t);
	struct we_x_operand zero = {.where = CONSTANT,
		.type = x.type,
		.home = t->top,
		.bits = {x.type == WE_T_I32 ? (uint32_t)-x.addend : 0}};

	(void)in;
	if (t->rc == 0 && we_x_is_last_result(t, &x) && x.type == WE_T_I32 &&
		we_branch_forms[icode_at(t, t->last)].inverse != 0) {
		((uint64_t *)t->words.data)[t->last] =
			we_branch_forms[icode_at(t, t->last)].inverse;
		(void)we_x_push(t, WE_T_I32); // at the home where the comparison puts it
		return;
	}
	x.addend = 0;
	emit_alu(t, how->icode, imm_form(how->icode), WE_T_I32, &x, &zero);
}

// The bits stay, the type changes.
static void lower_retype(
	struct we_xlate *t, const struct we_instr *in, const struct we_lowering *how)
{
	const struct we_x_operand x = we_x_pop(t);
	const we_valtype type = we_x_result_type(in);

	(void)how;
	if (x.where == CONSTANT) {
		we_x_push_constant(t, type, type == WE_T_I32 ? (uint32_t)x.bits[0] : x.bits[0]);
	} else if (x.where == IN_LOCAL && x.addend == 0) {
		we_x_push_local(t, x.local);
		if (t->rc == 0)
			operand_at(t, n_operands(t) - 1)->type = type;
	} else {
		(void)we_x_slot_of(t, &x);
		(void)we_x_push(t, type);
	}
}

static void lower_constant(
	struct we_xlate *t, const struct we_instr *in, const struct we_lowering *how)
{
	(void)how;
	switch (in->op) {
	case WE_OP_I32_CONST:
		we_x_push_constant(t, WE_T_I32, (uint32_t)in->of.i32);
		break;
	case WE_OP_I64_CONST:
		we_x_push_constant(t, WE_T_I64, (uint64_t)in->of.i64);
		break;
	case WE_OP_F32_CONST:
		we_x_push_constant(t, WE_T_F32, in->of.f32);
		break;
	case WE_OP_F64_CONST:
		we_x_push_constant(t, WE_T_F64, in->of.f64);
		break;
	case WE_OP_REF_NULL:
		we_x_push_constant(t, in->of.heap, 0);
		break;
	default: // V128_CONST
		we_x_push_constant(t, WE_T_V128, 0);
		if (t->rc == 0)
			memcpy(operand_at(t, n_operands(t) - 1)->bits, in->of.v128, 16);
		break;
	}
}

static void lower_shuffle(
	struct we_xlate *t, const struct we_instr *in, const struct we_lowering *how)
{
	struct we_lowering plain = *how;
	struct we_iop *op;

	plain.arg = 2;
	lower_plain(t, in, &plain);
	if (t->rc != 0)
		return;
	op = op_at(t, t->last);
	memcpy(op->x, in->of.v128, 16);
}

static void lower_lane(struct we_xlate *t, const struct we_instr *in, const struct we_lowering *how)
{
	const struct we_x_operand x = we_x_pop(t);
	const uint32_t b = we_x_slot_of(t, &x);
	const uint32_t a = we_x_push_result(t, we_x_result_type(in));
	const uint32_t word = here(t);

	we_x_emit_imm(t, how->icode, a, b, in->of.lane, 0);
	we_x_mark_result(t, word);
}

static void lower_replace(
	struct we_xlate *t, const struct we_instr *in, const struct we_lowering *how)
{
	const struct we_x_operand y = we_x_pop(t);
	const struct we_x_operand x = we_x_pop(t);
	const uint32_t b = we_x_slot_of(t, &x);
	const uint32_t c = we_x_slot_of(t, &y);
	const uint32_t a = we_x_push_result(t, WE_T_V128);
	const uint32_t word = here(t);

	we_x_emit(t, how->icode, a, b, c, in->of.lane);
	we_x_mark_result(t, word);
}

// What decides a select of 32 bits: a comparison or a test.
struct choice {
	enum we_icode icode;
	uint32_t d;
	uint64_t x;
};

// Is the condition the result of the last operation, a comparison or a test? Takes that operation back.
static bool take_choice(struct we_xlate *t, const struct we_x_operand *o, struct choice *ret)
{
	const struct we_iop *op;
	enum we_icode icode;

	if (t->rc != 0 || !we_x_is_last_result(t, o))
		return false;
	op = op_at(t, t->last);
	icode = icode_at(t, t->last);
	ret->d = op->b;
	if (icode == WE_I_I32_AND_I) {
		ret->icode = WE_I_SELECT_TEST;
		ret->x = op->imm;
	} else if (we_branch_forms[icode].inverse == 0) {
		return false;
	} else if (we_icode_forms[icode] == WE_FORM_ABI) {
		ret->icode = (enum we_icode)(icode - WE_X_CMP_I + WE_X_SELECT_I);
		ret->x = op->imm;
	} else {
		ret->icode = (enum we_icode)(icode + WE_X_SELECT);
		ret->x = op->c;
	}
	(void)we_x_take_back(t);
	return true;
}

static void lower_select(
	struct we_xlate *t, const struct we_instr *in, const struct we_lowering *how)
{
	const struct we_x_operand cond = we_x_pop(t);
	const struct we_x_operand y = we_x_pop(t);
	const struct we_x_operand x = we_x_pop(t);
	struct choice by = {.icode = we_x_by_width(how->icode, x.type)};
	const bool is_fused = by.icode == WE_I_SELECT_32 && take_choice(t, &cond, &by);
	const uint32_t b = we_x_slot_of(t, &x);
	const uint32_t c = we_x_slot_of(t, &y);
	const uint32_t d = is_fused ? by.d : we_x_slot_of(t, &cond);
	const uint32_t a = we_x_push_result(t, x.type);
	const uint32_t word = here(t);

	(void)in;
	we_x_emit(t, by.icode, a, b, c, d);
	if (is_fused && t->rc == 0)
		op_at(t, word)->x[0] = by.x;
	we_x_mark_result(t, word);
}

// ---- variables -----------------------------------------------------------------------------------

static void lower_local_get(
	struct we_xlate *t, const struct we_instr *in, const struct we_lowering *how)
{
	(void)how;
	we_x_push_local(t, in->of.idx);
}

static void set_local(struct we_xlate *t, we_localidx local, const struct we_x_operand *value)
{
	const uint32_t slot = t->slots[local];

	we_x_preserve(t, local);
	if (t->rc != 0)
		return;
	if (we_x_is_last_result(t, value))
		op_at(t, t->last)->a = (uint16_t)slot;
	else if (value->where == CONSTANT)
		we_x_emit_constant(t, slot, value);
	else if (value->addend != 0)
		we_x_emit_sum(t, slot, value);
	else
		we_x_emit_move(t, t->types[local], slot, we_x_base_of(t, value));
}

static void lower_local_set(
	struct we_xlate *t, const struct we_instr *in, const struct we_lowering *how)
{
	const struct we_x_operand value = we_x_pop(t);

	(void)how;
	set_local(t, in->of.idx, &value);
}

static void lower_local_tee(
	struct we_xlate *t, const struct we_instr *in, const struct we_lowering *how)
{
	const struct we_x_operand value = we_x_pop(t);

	(void)how;
	set_local(t, in->of.idx, &value);
	if (value.where == CONSTANT && t->rc == 0) {
		struct we_x_operand *o = we_x_push(t, value.type);

		o->where = CONSTANT;
		memcpy(o->bits, value.bits, sizeof(o->bits));
		return;
	}
	we_x_push_local(t, in->of.idx);
}

static void lower_global_get(
	struct we_xlate *t, const struct we_instr *in, const struct we_lowering *how)
{
	const we_valtype type = t->module->is.globals[in->of.idx].type.val;
	const uint32_t a = we_x_push_result(t, type);
	const uint32_t word = here(t);

	// What was just written and still lies there is not read again.
	if (t->rc == 0 && t->last != WE_X_NONE && icode_at(t, t->last) == WE_I_GLOBAL_ADD_32 &&
		op_at(t, t->last)->a == a && op_at(t, t->last)->imm == in->of.idx)
		return;
	we_x_emit_imm(t, we_x_by_width(how->icode, type), a, 0, in->of.idx, 0);
	we_x_mark_result(t, word);
}

// Is the value the sum of a constant and what was read of the same global just before?
static bool fuse_global_update(
	struct we_xlate *t, const struct we_x_operand *value, we_globalidx global)
{
	struct we_iop op;
	enum we_icode icode;
	uint32_t step = value->addend;

	if (t->rc != 0 || t->last == WE_X_NONE || value->where == CONSTANT ||
		value->type != WE_T_I32)
		return false;
	op = *op_at(t, t->last);
	icode = icode_at(t, t->last);
	if (op.a != we_x_base_of(t, value))
		return false;
	if (icode == WE_I_I32_ADD_I && step == 0 && t->earlier != WE_X_NONE) {
		// The sum has gone to a local.
		const struct we_iop get = *op_at(t, t->earlier);

		step = op.imm;
		if (icode_at(t, t->earlier) != WE_I_GLOBAL_GET_32 || get.a != op.b ||
			get.a < t->stack || get.imm != global || !fits_16((int32_t)step))
			return false;
		(void)we_x_take_back(t);
	} else if (icode != WE_I_GLOBAL_GET_32 || op.imm != global || step == 0 ||
		   op.a < t->stack || !fits_16((int32_t)step)) {
		return false;
	}
	(void)we_x_take_back(t);
	we_x_emit_imm(t, WE_I_GLOBAL_ADD_32, op.a, (uint16_t)step, global, 0);
	we_x_mark_result(t, t->newest);
	return true;
}

static void lower_global_set(
	struct we_xlate *t, const struct we_instr *in, const struct we_lowering *how)
{
	const struct we_x_operand value = we_x_pop(t);
	uint32_t a;

	if (fuse_global_update(t, &value, in->of.idx))
		return;
	a = we_x_slot_of(t, &value);
	we_x_emit_imm(t, we_x_by_width(how->icode, value.type), a, 0, in->of.idx, 0);
}

static void lower_drop(struct we_xlate *t, const struct we_instr *in, const struct we_lowering *how)
{
	(void)in;
	(void)how;
	(void)we_x_pop(t);
}

static void lower_nop(struct we_xlate *t, const struct we_instr *in, const struct we_lowering *how)
{
	(void)t;
	(void)in;
	(void)how;
}

// ---- the table -----------------------------------------------------------------------------------

// One lowering for each instruction: those that are rows of icode.def by their family, the others here.
#define LOWER(NAME, fn, ICODE, arg)                                                                \
	static const struct we_lowering lower_of_##NAME = {fn, WE_I_##ICODE, arg};

// clang-format off
#define I_NAME(NAME, FORM)
#define I_UN(NAME, R, T, expr)        LOWER(NAME, lower_plain, NAME, 1)
#define I_BIN(NAME, R, T, U, expr)    LOWER(NAME, lower_binary, NAME, 2)
#define I_FADD(NAME, T)               LOWER(NAME, lower_float_add, NAME, 2)
#define I_TER(NAME, R, T, expr)       LOWER(NAME, lower_plain, NAME, 3)
#define I_ALU(NAME, T, COMM, expr)    LOWER(NAME, lower_alu, NAME, COMM)
#define I_CMP(NAME, INVERSE, T, expr) LOWER(NAME, lower_cmp, NAME, 0)
#define I_FCMP(NAME, T, expr)         LOWER(NAME, lower_plain, NAME, 2)
#define I_TRY1(NAME, R, T, fn)        LOWER(NAME, lower_plain, NAME, 1)
#define I_TRY2(NAME, T, fn)           LOWER(NAME, lower_plain, NAME, 2)
#define I_LANE(NAME, R, V, expr)      LOWER(NAME, lower_lane, NAME, 0)
#define I_REPLACE(NAME, V, S)         LOWER(NAME, lower_replace, NAME, 0)
#define I_LOAD(NAME, R, M, expr)      LOWER(NAME, we_lower_load, NAME, 0)
#define I_STORE(NAME, M, T, expr)     LOWER(NAME, we_lower_store, NAME, 0)
#define I_ISTORE(NAME, M, T, expr)    LOWER(NAME, we_lower_store, NAME, 1)
#define I_LOAD_LANE(NAME, V, M)       LOWER(NAME, we_lower_load_lane, NAME, 0)
#define I_STORE_LANE(NAME, V, M)      LOWER(NAME, we_lower_store_lane, NAME, 0)
#include "icode.def"
#undef I_NAME

LOWER(UNREACHABLE,          we_lower_unreachable,   UNREACHABLE,   0)
LOWER(NOP,                  lower_nop,           N,             0)
LOWER(BLOCK,                we_lower_block,         N,             0)
LOWER(LOOP,                 we_lower_loop,          N,             0)
LOWER(IF,                   we_lower_if,            N,             0)
LOWER(ELSE,                 we_lower_else,          N,             0)
LOWER(END,                  we_lower_end,           N,             0)
LOWER(BR,                   we_lower_br,            N,             0)
LOWER(BR_IF,                we_lower_br_if,         N,             0)
LOWER(BR_TABLE,             we_lower_br_table,      BR_TABLE,      0)
LOWER(RETURN,               we_lower_return,        N,             0)
LOWER(CALL,                 we_lower_call,          CALL,          0)
LOWER(CALL_INDIRECT,        we_lower_call_indirect, CALL_INDIRECT, 0)
LOWER(RETURN_CALL,          we_lower_call,          TAIL_CALL,     1)
LOWER(RETURN_CALL_INDIRECT, we_lower_call_indirect, TAIL_INDIRECT, 1)
LOWER(DROP,                 lower_drop,          N,             0)
LOWER(SELECT,               lower_select,        SELECT_32,     0)
LOWER(SELECT_T,             lower_select,        SELECT_32,     0)
LOWER(LOCAL_GET,            lower_local_get,     N,             0)
LOWER(LOCAL_SET,            lower_local_set,     N,             0)
LOWER(LOCAL_TEE,            lower_local_tee,     N,             0)
LOWER(GLOBAL_GET,           lower_global_get,    GLOBAL_GET_32, 0)
LOWER(GLOBAL_SET,           lower_global_set,    GLOBAL_SET_32, 0)
LOWER(I32_CONST,            lower_constant,      N,             0)
LOWER(I64_CONST,            lower_constant,      N,             0)
LOWER(F32_CONST,            lower_constant,      N,             0)
LOWER(F64_CONST,            lower_constant,      N,             0)
LOWER(V128_CONST,           lower_constant,      N,             0)
LOWER(REF_NULL,             lower_constant,      N,             0)
LOWER(I32_EQZ,              lower_eqz,           I32_EQ,        0)
LOWER(I64_EQZ,              lower_eqz,           I64_EQ,        0)
LOWER(I32_WRAP_I64,         lower_retype,        N,             0)
LOWER(I32_REINTERPRET_F32,  lower_retype,        N,             0)
LOWER(I64_REINTERPRET_F64,  lower_retype,        N,             0)
LOWER(F32_REINTERPRET_I32,  lower_retype,        N,             0)
LOWER(F64_REINTERPRET_I64,  lower_retype,        N,             0)
LOWER(I8X16_SHUFFLE,        lower_shuffle,       I8X16_SHUFFLE, 0)
LOWER(MEMORY_SIZE,          we_lower_memory_size,   MEMORY_SIZE,   0)
LOWER(MEMORY_GROW,          we_lower_memory_size,   MEMORY_GROW,   1)
LOWER(MEMORY_INIT,          we_lower_bulk,          MEMORY_INIT,   WE_X_BULK_SEGMENT_FIRST)
LOWER(MEMORY_COPY,          we_lower_bulk,          MEMORY_COPY,   WE_X_BULK_TARGET_FIRST)
LOWER(MEMORY_FILL,          we_lower_bulk,          MEMORY_FILL,   WE_X_BULK_ONE)
LOWER(DATA_DROP,            we_lower_drop_segment,  DATA_DROP,     0)
LOWER(TABLE_GET,            we_lower_table_get,     TABLE_GET,     1)
LOWER(TABLE_SET,            we_lower_table_set,     TABLE_SET,     0)
LOWER(TABLE_SIZE,           we_lower_table_size,    TABLE_SIZE,    0)
LOWER(TABLE_GROW,           we_lower_table_grow,    TABLE_GROW,    0)
LOWER(TABLE_INIT,           we_lower_bulk,          TABLE_INIT,    WE_X_BULK_SEGMENT_FIRST)
LOWER(TABLE_COPY,           we_lower_bulk,          TABLE_COPY,    WE_X_BULK_TARGET_FIRST)
LOWER(TABLE_FILL,           we_lower_bulk,          TABLE_FILL,    WE_X_BULK_ONE)
LOWER(ELEM_DROP,            we_lower_drop_segment,  ELEM_DROP,     0)
LOWER(REF_FUNC,             we_lower_ref_func,      REF_FUNC,      0)
LOWER(TRY_TABLE,            we_lower_try_table,  N,             0)
LOWER(THROW,                we_lower_throw,      THROW,         0)
LOWER(THROW_REF,            we_lower_throw,      THROW_REF,     0)
LOWER(CALL_REF,             we_lower_call_ref,   CALL_REF,      0)
LOWER(RETURN_CALL_REF,      we_lower_call_ref,   TAIL_REF,      1)
LOWER(REF_AS_NON_NULL,      we_lower_ref_check,  TRAP_NULL,     0)
LOWER(BR_ON_NULL,           we_lower_br_on_null, I64_EQ_I,      0)
LOWER(BR_ON_NON_NULL,       we_lower_br_on_null, I64_NE_I,      1)
LOWER(BR_ON_CAST,           we_lower_br_on_cast, REF_TEST,      0)
LOWER(BR_ON_CAST_FAIL,      we_lower_br_on_cast, REF_TEST,      1)
LOWER(REF_TEST,             we_lower_ref_test,   REF_TEST,      0)
LOWER(REF_TEST_NULL,        we_lower_ref_test,   REF_TEST,      0)
LOWER(REF_CAST,             we_lower_ref_check,  REF_CAST,      0)
LOWER(REF_CAST_NULL,        we_lower_ref_check,  REF_CAST,      0)
LOWER(ANY_CONVERT_EXTERN,   we_lower_ref_unary,  ANY_CONVERT_EXTERN, WE_HEAP_ANY)
LOWER(EXTERN_CONVERT_ANY,   we_lower_ref_unary,  EXTERN_CONVERT_ANY, WE_HEAP_EXTERN)
LOWER(REF_I31,              we_lower_ref_unary,  REF_I31,       WE_HEAP_I31)
LOWER(I31_GET_S,            we_lower_i31_get,    I31_GET_S,     0)
LOWER(I31_GET_U,            we_lower_i31_get,    I31_GET_U,     0)
LOWER(ARRAY_LEN,            we_lower_i31_get,    ARRAY_LEN,     0)
LOWER(STRUCT_NEW,           we_lower_struct_new, STRUCT_NEW,    0)
LOWER(STRUCT_NEW_DEFAULT,   we_lower_struct_new, STRUCT_NEW_DEFAULT, 0)
LOWER(STRUCT_GET,           we_lower_struct_get, N,             0)
LOWER(STRUCT_GET_S,         we_lower_struct_get, N,             0)
LOWER(STRUCT_GET_U,         we_lower_struct_get, N,             1)
LOWER(STRUCT_SET,           we_lower_struct_set, N,             0)
LOWER(ARRAY_NEW,            we_lower_array_new,  ARRAY_NEW,     0)
LOWER(ARRAY_NEW_DEFAULT,    we_lower_array_new,  ARRAY_NEW_DEFAULT, 0)
LOWER(ARRAY_NEW_FIXED,      we_lower_array_new,  ARRAY_NEW_FIXED, 0)
LOWER(ARRAY_NEW_DATA,       we_lower_array_new,  ARRAY_NEW_DATA, 0)
LOWER(ARRAY_NEW_ELEM,       we_lower_array_new,  ARRAY_NEW_ELEM, 0)
LOWER(ARRAY_GET,            we_lower_array_get,  N,             0)
LOWER(ARRAY_GET_S,          we_lower_array_get,  N,             0)
LOWER(ARRAY_GET_U,          we_lower_array_get,  N,             1)
LOWER(ARRAY_SET,            we_lower_array_set,  N,             0)
LOWER(ARRAY_FILL,           we_lower_array_bulk, ARRAY_FILL,    0)
LOWER(ARRAY_COPY,           we_lower_array_copy, ARRAY_COPY,    0)
LOWER(ARRAY_INIT_DATA,      we_lower_array_bulk, ARRAY_INIT_DATA, 1)
LOWER(ARRAY_INIT_ELEM,      we_lower_array_bulk, ARRAY_INIT_ELEM, 1)

const struct we_lowering *const we_lowerings[WE_OP_N] = {
#define WE_OP(feature, prefix, code, NAME, ...) [WE_OP_##NAME] = &lower_of_##NAME,
#include "opcode.def"
#undef WE_OP
};
// clang-format on
