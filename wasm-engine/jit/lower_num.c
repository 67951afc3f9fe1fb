// SPDX-License-Identifier: BSD-3-Clause
// Scalar numerics: what core/num.h says, as LLVM instructions.
//
// Module path 3/6. No fast-math flags: an operation is the one of IEEE 754, and stays where its operands put it.
// Spec: core "Numerics".
#include "lower.h"

#include "lower_float.h"

#include <assert.h>
#include <math.h>

struct num_row;
// Returns: the result, of type t.
typedef LLVMValueRef num_fn(
	struct unit *u, struct func *f, const struct num_row *row, LLVMTypeRef t, LLVMValueRef *v);

struct num_row {
	num_fn *lower;
	int arg;          // LLVMOpcode, predicate, bits, or flags of that function
	const char *name; // of an intrinsic
};

enum {
	TO_SIGNED = 1,
	TO_SATURATED = 2, // else trap
};

static LLVMTypeRef type_of_letter(const struct unit *u, char letter)
{
	switch (letter) {
	case 'i':
		return u->t_i32;
	case 'l':
		return u->t_i64;
	case 'f':
		return u->t_f32;
	default:
		assert(letter == 'd');
		return u->t_f64;
	}
}

static unsigned bits_of(LLVMTypeRef t)
{
	return LLVMGetIntTypeWidth(t);
}

// The smallest signed integer.
static LLVMValueRef smallest(LLVMTypeRef t)
{
	return LLVMConstInt(t, UINT64_C(1) << (bits_of(t) - 1), false);
}

// ---- integers -----------------------------------------------------------------------------------

static LLVMValueRef binary(
	struct unit *u, struct func *f, const struct num_row *row, LLVMTypeRef t, LLVMValueRef *v)
{
	(void)f, (void)t;
	return LLVMBuildBinOp(u->b, (LLVMOpcode)row->arg, v[0], v[1], "");
}

static LLVMValueRef compare(
	struct unit *u, struct func *f, const struct num_row *row, LLVMTypeRef t, LLVMValueRef *v)
{
	(void)f;
	return LLVMBuildZExt(
		u->b, LLVMBuildICmp(u->b, (LLVMIntPredicate)row->arg, v[0], v[1], ""), t, "");
}

static LLVMValueRef eqz(
	struct unit *u, struct func *f, const struct num_row *row, LLVMTypeRef t, LLVMValueRef *v)
{
	const LLVMValueRef zero = LLVMConstNull(LLVMTypeOf(v[0]));

	(void)f, (void)row;
	return LLVMBuildZExt(u->b, LLVMBuildICmp(u->b, LLVMIntEQ, v[0], zero, ""), t, "");
}

static LLVMValueRef shift(
	struct unit *u, struct func *f, const struct num_row *row, LLVMTypeRef t, LLVMValueRef *v)
{
	const LLVMValueRef n = LLVMBuildAnd(u->b, v[1], LLVMConstInt(t, bits_of(t) - 1, false), "");

	(void)f;
	return LLVMBuildBinOp(u->b, (LLVMOpcode)row->arg, v[0], n, "");
}

static LLVMValueRef rotate(
	struct unit *u, struct func *f, const struct num_row *row, LLVMTypeRef t, LLVMValueRef *v)
{
	LLVMValueRef args[] = {v[0], v[0], v[1]};

	(void)f;
	return unit_intrinsic(u, row->name, &t, 1, args, 3);
}

// llvm.ctlz and llvm.cttz: of 0, too.
static LLVMValueRef count_zeros(
	struct unit *u, struct func *f, const struct num_row *row, LLVMTypeRef t, LLVMValueRef *v)
{
	LLVMValueRef args[] = {v[0], LLVMConstNull(u->t_i1)};

	(void)f;
	return unit_intrinsic(u, row->name, &t, 1, args, 2);
}

static LLVMValueRef trap_if_zero(struct unit *u, struct func *f, LLVMTypeRef t, LLVMValueRef y)
{
	func_trap_if(f, LLVMBuildICmp(u->b, LLVMIntEQ, y, LLVMConstNull(t), ""),
		WE_TRAP_INTEGER_DIVIDE_BY_ZERO);
	return y;
}

static LLVMValueRef divide_u(
	struct unit *u, struct func *f, const struct num_row *row, LLVMTypeRef t, LLVMValueRef *v)
{
	return LLVMBuildBinOp(u->b, (LLVMOpcode)row->arg, v[0], trap_if_zero(u, f, t, v[1]), "");
}

static LLVMValueRef div_s(
	struct unit *u, struct func *f, const struct num_row *row, LLVMTypeRef t, LLVMValueRef *v)
{
	const LLVMValueRef y = trap_if_zero(u, f, t, v[1]);
	const LLVMValueRef is_minus_one =
		LLVMBuildICmp(u->b, LLVMIntEQ, y, LLVMConstAllOnes(t), "");
	const LLVMValueRef is_min = LLVMBuildICmp(u->b, LLVMIntEQ, v[0], smallest(t), "");

	(void)row;
	func_trap_if(f, LLVMBuildAnd(u->b, is_minus_one, is_min, ""), WE_TRAP_INTEGER_OVERFLOW);
	return LLVMBuildSDiv(u->b, v[0], y, "");
}

// The remainder by -1 is that by 1, without the overflow of the division.
static LLVMValueRef rem_s(
	struct unit *u, struct func *f, const struct num_row *row, LLVMTypeRef t, LLVMValueRef *v)
{
	const LLVMValueRef y = trap_if_zero(u, f, t, v[1]);
	const LLVMValueRef is_minus_one =
		LLVMBuildICmp(u->b, LLVMIntEQ, y, LLVMConstAllOnes(t), "");

	(void)row;
	return LLVMBuildSRem(u->b, v[0],
		LLVMBuildSelect(u->b, is_minus_one, LLVMConstInt(t, 1, false), y, ""), "");
}

static LLVMValueRef extend_in_place(
	struct unit *u, struct func *f, const struct num_row *row, LLVMTypeRef t, LLVMValueRef *v)
{
	const LLVMTypeRef narrow = LLVMIntTypeInContext(u->cx, (unsigned)row->arg);

	(void)f;
	return LLVMBuildSExt(u->b, LLVMBuildTrunc(u->b, v[0], narrow, ""), t, "");
}

// ---- floats -------------------------------------------------------------------------------------

static LLVMValueRef float_op(
	struct unit *u, struct func *f, const struct num_row *row, LLVMTypeRef t, LLVMValueRef *v)
{
	(void)f, (void)t;
	return float_binary(u, (LLVMOpcode)row->arg, v[0], v[1]);
}

static LLVMValueRef float_compare(
	struct unit *u, struct func *f, const struct num_row *row, LLVMTypeRef t, LLVMValueRef *v)
{
	(void)f;
	return LLVMBuildZExt(
		u->b, LLVMBuildFCmp(u->b, (LLVMRealPredicate)row->arg, v[0], v[1], ""), t, "");
}

static LLVMValueRef min(
	struct unit *u, struct func *f, const struct num_row *row, LLVMTypeRef t, LLVMValueRef *v)
{
	(void)f, (void)row, (void)t;
	return float_min(u, v[0], v[1]);
}

static LLVMValueRef max(
	struct unit *u, struct func *f, const struct num_row *row, LLVMTypeRef t, LLVMValueRef *v)
{
	(void)f, (void)row, (void)t;
	return float_max(u, v[0], v[1]);
}

static LLVMValueRef neg(
	struct unit *u, struct func *f, const struct num_row *row, LLVMTypeRef t, LLVMValueRef *v)
{
	(void)f, (void)row, (void)t;
	return LLVMBuildFNeg(u->b, v[0], "");
}

static LLVMValueRef root(
	struct unit *u, struct func *f, const struct num_row *row, LLVMTypeRef t, LLVMValueRef *v)
{
	(void)f, (void)row, (void)t;
	return float_sqrt(u, v[0]);
}

// An intrinsic of one or two operands of the type of the result.
static LLVMValueRef intrinsic(
	struct unit *u, struct func *f, const struct num_row *row, LLVMTypeRef t, LLVMValueRef *v)
{
	(void)f;
	return unit_intrinsic(u, row->name, &t, 1, v, row->arg == 0 ? 1 : (unsigned)row->arg);
}

// ---- conversions --------------------------------------------------------------------------------

static LLVMValueRef cast(
	struct unit *u, struct func *f, const struct num_row *row, LLVMTypeRef t, LLVMValueRef *v)
{
	(void)f;
	return LLVMBuildCast(u->b, (LLVMOpcode)row->arg, v[0], t, "");
}

static LLVMValueRef demote(
	struct unit *u, struct func *f, const struct num_row *row, LLVMTypeRef t, LLVMValueRef *v)
{
	(void)f, (void)row;
	return float_demote(u, v[0], t);
}

// cvttss2si and its kin: what does not fit the integer is its smallest value.
static LLVMValueRef convert(struct unit *u, LLVMValueRef x, LLVMTypeRef t)
{
	const bool is_f32 = LLVMTypeOf(x) == u->t_f32;
	LLVMValueRef lanes = LLVMGetUndef(is_f32 ? u->t_f32x4 : u->t_f64x2);
	const char *name;

	if (t == u->t_i32)
		name = is_f32 ? "llvm.x86.sse.cvttss2si" : "llvm.x86.sse2.cvttsd2si";
	else
		name = is_f32 ? "llvm.x86.sse.cvttss2si64" : "llvm.x86.sse2.cvttsd2si64";
	lanes = LLVMBuildInsertElement(u->b, lanes, x, unit_i32(u, 0), "");
	return unit_intrinsic(u, name, NULL, 0, &lanes, 1);
}

// A detour that is seldom taken, from `from` through blocks that end where the builder is, back to `to`.
struct detour {
	LLVMBasicBlockRef from;
	LLVMBasicBlockRef to;
};

static struct detour detour_begin(struct unit *u, LLVMValueRef cond)
{
	const LLVMBasicBlockRef from = LLVMGetInsertBlock(u->b);
	const LLVMValueRef fn = LLVMGetBasicBlockParent(from);
	const LLVMBasicBlockRef slow = LLVMAppendBasicBlockInContext(u->cx, fn, "");
	const struct detour d = {from, LLVMAppendBasicBlockInContext(u->cx, fn, "")};
	LLVMMetadataRef weights[] = {
		LLVMMDStringInContext2(u->cx, "branch_weights", 14),
		LLVMValueAsMetadata(unit_i32(u, 1)),
		LLVMValueAsMetadata(unit_i32(u, 10000)),
	};
	const LLVMValueRef br = LLVMBuildCondBr(u->b, cond, slow, d.to);

	LLVMSetMetadata(br, LLVMGetMDKindIDInContext(u->cx, "prof", 4),
		LLVMMetadataAsValue(u->cx, LLVMMDNodeInContext2(u->cx, weights, 3)));
	LLVMPositionBuilderAtEnd(u->b, slow);
	return d;
}

// The value there: `fast` when the detour was not taken.
static LLVMValueRef detour_end(
	struct unit *u, const struct detour *d, LLVMValueRef fast, LLVMValueRef slow)
{
	LLVMBasicBlockRef blocks[] = {d->from, LLVMGetInsertBlock(u->b)};
	LLVMValueRef values[] = {fast, slow};
	LLVMValueRef phi;

	LLVMBuildBr(u->b, d->to);
	LLVMPositionBuilderAtEnd(u->b, d->to);
	phi = LLVMBuildPhi(u->b, LLVMTypeOf(fast), "");
	LLVMAddIncoming(phi, values, blocks, 2);
	return phi;
}

static LLVMValueRef test(struct unit *u, LLVMValueRef x, LLVMRealPredicate op, double bound)
{
	return LLVMBuildFCmp(u->b, op, x, LLVMConstReal(LLVMTypeOf(x), bound), "");
}

static void trap_if_nan(struct unit *u, struct func *f, LLVMValueRef x)
{
	func_trap_if(f, LLVMBuildFCmp(u->b, LLVMRealUNO, x, x, ""), WE_TRAP_INVALID_CONVERSION);
}

// To a signed integer of type t: its smallest value may be a real result.
static LLVMValueRef trunc_s(
	struct unit *u, struct func *f, bool is_sat, LLVMTypeRef t, LLVMValueRef x)
{
	const double limit = ldexp(1, (int)bits_of(t) - 1);
	const bool has_fraction_below = t == u->t_i32 && LLVMTypeOf(x) == u->t_f64;
	const LLVMValueRef min = smallest(t);
	const LLVMValueRef r = convert(u, x, t);
	const struct detour d = detour_begin(u, LLVMBuildICmp(u->b, LLVMIntEQ, r, min, ""));
	LLVMValueRef slow = min;

	if (is_sat) {
		slow = LLVMBuildSelect(u->b, test(u, x, LLVMRealOLT, 0), min,
			LLVMBuildSelect(u->b, test(u, x, LLVMRealUNO, 0), LLVMConstNull(t),
				LLVMBuildNot(u->b, min, ""), ""),
			"");
	} else {
		trap_if_nan(u, f, x);
		func_trap_if(f,
			LLVMBuildOr(u->b, test(u, x, LLVMRealUGE, limit),
				has_fraction_below ? test(u, x, LLVMRealULE, -limit - 1)
						   : test(u, x, LLVMRealULT, -limit),
				""),
			WE_TRAP_INTEGER_OVERFLOW);
	}
	return detour_end(u, &d, r, slow);
}

// By 64 bits: what fits 32 has no bit above them.
static LLVMValueRef trunc_u32(struct unit *u, struct func *f, bool is_sat, LLVMValueRef x)
{
	const LLVMValueRef wide = convert(u, x, u->t_i64);
	const LLVMValueRef r = LLVMBuildTrunc(u->b, wide, u->t_i32, "");
	const struct detour d =
		detour_begin(u, LLVMBuildICmp(u->b, LLVMIntUGT, wide, unit_i64(u, UINT32_MAX), ""));

	if (!is_sat) {
		trap_if_nan(u, f, x);
		func_trap_if(f, LLVMConstInt(u->t_i1, 1, false), WE_TRAP_INTEGER_OVERFLOW);
	}
	return detour_end(u, &d, r,
		LLVMBuildSelect(u->b, test(u, x, LLVMRealOGT, 0), unit_i32(u, UINT32_MAX),
			unit_i32(u, 0), ""));
}

// From 2^63 on: what is left above it is converted.
static LLVMValueRef trunc_u64(struct unit *u, struct func *f, bool is_sat, LLVMValueRef x)
{
	const double half = ldexp(1, 63);
	const LLVMValueRef half_x = LLVMConstReal(LLVMTypeOf(x), half);
	const LLVMValueRef r = convert(u, x, u->t_i64);
	const struct detour d =
		detour_begin(u, LLVMBuildICmp(u->b, LLVMIntSLT, r, unit_i64(u, 0), ""));
	LLVMValueRef slow;

	if (!is_sat) {
		trap_if_nan(u, f, x);
		func_trap_if(f,
			LLVMBuildOr(u->b, test(u, x, LLVMRealULT, half),
				test(u, x, LLVMRealUGE, 2 * half), ""),
			WE_TRAP_INTEGER_OVERFLOW);
	}
	slow = LLVMBuildXor(u->b, convert(u, LLVMBuildFSub(u->b, x, half_x, ""), u->t_i64),
		smallest(u->t_i64), "");
	if (is_sat) {
		slow = LLVMBuildSelect(
			u->b, test(u, x, LLVMRealOGE, 2 * half), unit_i64(u, UINT64_MAX), slow, "");
		slow = LLVMBuildSelect(u->b, test(u, x, LLVMRealOGT, 0), slow, unit_i64(u, 0), "");
	}
	return detour_end(u, &d, r, slow);
}

static LLVMValueRef to_integer(
	struct unit *u, struct func *f, const struct num_row *row, LLVMTypeRef t, LLVMValueRef *v)
{
	const bool is_sat = row->arg & TO_SATURATED;

	if (row->arg & TO_SIGNED)
		return trunc_s(u, f, is_sat, t, v[0]);
	if (t == u->t_i32)
		return trunc_u32(u, f, is_sat, v[0]);
	return trunc_u64(u, f, is_sat, v[0]);
}

// ---- the table ----------------------------------------------------------------------------------

// clang-format off
#define INTEGER(T) \
	[WE_OP_##T##_EQZ] = {.lower = eqz}, \
	[WE_OP_##T##_EQ] = {compare, LLVMIntEQ, NULL}, \
	[WE_OP_##T##_NE] = {compare, LLVMIntNE, NULL}, \
	[WE_OP_##T##_LT_S] = {compare, LLVMIntSLT, NULL}, \
	[WE_OP_##T##_LT_U] = {compare, LLVMIntULT, NULL}, \
	[WE_OP_##T##_GT_S] = {compare, LLVMIntSGT, NULL}, \
	[WE_OP_##T##_GT_U] = {compare, LLVMIntUGT, NULL}, \
	[WE_OP_##T##_LE_S] = {compare, LLVMIntSLE, NULL}, \
	[WE_OP_##T##_LE_U] = {compare, LLVMIntULE, NULL}, \
	[WE_OP_##T##_GE_S] = {compare, LLVMIntSGE, NULL}, \
	[WE_OP_##T##_GE_U] = {compare, LLVMIntUGE, NULL}, \
	[WE_OP_##T##_CLZ] = {count_zeros, 0, "llvm.ctlz"}, \
	[WE_OP_##T##_CTZ] = {count_zeros, 0, "llvm.cttz"}, \
	[WE_OP_##T##_POPCNT] = {intrinsic, 1, "llvm.ctpop"}, \
	[WE_OP_##T##_ADD] = {binary, LLVMAdd, NULL}, \
	[WE_OP_##T##_SUB] = {binary, LLVMSub, NULL}, \
	[WE_OP_##T##_MUL] = {binary, LLVMMul, NULL}, \
	[WE_OP_##T##_DIV_S] = {.lower = div_s}, \
	[WE_OP_##T##_DIV_U] = {divide_u, LLVMUDiv, NULL}, \
	[WE_OP_##T##_REM_S] = {.lower = rem_s}, \
	[WE_OP_##T##_REM_U] = {divide_u, LLVMURem, NULL}, \
	[WE_OP_##T##_AND] = {binary, LLVMAnd, NULL}, \
	[WE_OP_##T##_OR] = {binary, LLVMOr, NULL}, \
	[WE_OP_##T##_XOR] = {binary, LLVMXor, NULL}, \
	[WE_OP_##T##_SHL] = {shift, LLVMShl, NULL}, \
	[WE_OP_##T##_SHR_S] = {shift, LLVMAShr, NULL}, \
	[WE_OP_##T##_SHR_U] = {shift, LLVMLShr, NULL}, \
	[WE_OP_##T##_ROTL] = {rotate, 0, "llvm.fshl"}, \
	[WE_OP_##T##_ROTR] = {rotate, 0, "llvm.fshr"}, \
	[WE_OP_##T##_TRUNC_F32_S] = {to_integer, TO_SIGNED, NULL}, \
	[WE_OP_##T##_TRUNC_F32_U] = {to_integer, 0, NULL}, \
	[WE_OP_##T##_TRUNC_F64_S] = {to_integer, TO_SIGNED, NULL}, \
	[WE_OP_##T##_TRUNC_F64_U] = {to_integer, 0, NULL}, \
	[WE_OP_##T##_TRUNC_SAT_F32_S] = {to_integer, TO_SIGNED | TO_SATURATED, NULL}, \
	[WE_OP_##T##_TRUNC_SAT_F32_U] = {to_integer, TO_SATURATED, NULL}, \
	[WE_OP_##T##_TRUNC_SAT_F64_S] = {to_integer, TO_SIGNED | TO_SATURATED, NULL}, \
	[WE_OP_##T##_TRUNC_SAT_F64_U] = {to_integer, TO_SATURATED, NULL}, \
	[WE_OP_##T##_EXTEND8_S] = {extend_in_place, 8, NULL}, \
	[WE_OP_##T##_EXTEND16_S] = {extend_in_place, 16, NULL},
#define FLOAT(T) \
	[WE_OP_##T##_EQ] = {float_compare, LLVMRealOEQ, NULL}, \
	[WE_OP_##T##_NE] = {float_compare, LLVMRealUNE, NULL}, \
	[WE_OP_##T##_LT] = {float_compare, LLVMRealOLT, NULL}, \
	[WE_OP_##T##_GT] = {float_compare, LLVMRealOGT, NULL}, \
	[WE_OP_##T##_LE] = {float_compare, LLVMRealOLE, NULL}, \
	[WE_OP_##T##_GE] = {float_compare, LLVMRealOGE, NULL}, \
	[WE_OP_##T##_ABS] = {intrinsic, 1, "llvm.fabs"}, \
	[WE_OP_##T##_NEG] = {.lower = neg}, \
	[WE_OP_##T##_CEIL] = {intrinsic, 1, "llvm.ceil"}, \
	[WE_OP_##T##_FLOOR] = {intrinsic, 1, "llvm.floor"}, \
	[WE_OP_##T##_TRUNC] = {intrinsic, 1, "llvm.trunc"}, \
	[WE_OP_##T##_NEAREST] = {intrinsic, 1, "llvm.roundeven"}, \
	[WE_OP_##T##_SQRT] = {.lower = root}, \
	[WE_OP_##T##_ADD] = {float_op, LLVMFAdd, NULL}, \
	[WE_OP_##T##_SUB] = {float_op, LLVMFSub, NULL}, \
	[WE_OP_##T##_MUL] = {float_op, LLVMFMul, NULL}, \
	[WE_OP_##T##_DIV] = {float_op, LLVMFDiv, NULL}, \
	[WE_OP_##T##_MIN] = {.lower = min}, \
	[WE_OP_##T##_MAX] = {.lower = max}, \
	[WE_OP_##T##_COPYSIGN] = {intrinsic, 2, "llvm.copysign"}, \
	[WE_OP_##T##_CONVERT_I32_S] = {cast, LLVMSIToFP, NULL}, \
	[WE_OP_##T##_CONVERT_I32_U] = {cast, LLVMUIToFP, NULL}, \
	[WE_OP_##T##_CONVERT_I64_S] = {cast, LLVMSIToFP, NULL}, \
	[WE_OP_##T##_CONVERT_I64_U] = {cast, LLVMUIToFP, NULL},

static const struct num_row rows[WE_OP_N] = {
	INTEGER(I32)
	INTEGER(I64)
	FLOAT(F32)
	FLOAT(F64)
	[WE_OP_I64_EXTEND32_S] = {extend_in_place, 32, NULL},
	[WE_OP_I32_WRAP_I64] = {cast, LLVMTrunc, NULL},
	[WE_OP_I64_EXTEND_I32_S] = {cast, LLVMSExt, NULL},
	[WE_OP_I64_EXTEND_I32_U] = {cast, LLVMZExt, NULL},
	[WE_OP_F32_DEMOTE_F64] = {.lower = demote},
	[WE_OP_F64_PROMOTE_F32] = {cast, LLVMFPExt, NULL},
	[WE_OP_I32_REINTERPRET_F32] = {cast, LLVMBitCast, NULL},
	[WE_OP_I64_REINTERPRET_F64] = {cast, LLVMBitCast, NULL},
	[WE_OP_F32_REINTERPRET_I32] = {cast, LLVMBitCast, NULL},
	[WE_OP_F64_REINTERPRET_I64] = {cast, LLVMBitCast, NULL},
};
#undef INTEGER
#undef FLOAT
// clang-format on

LLVMValueRef lower_num(struct unit *u, struct func *f, const struct we_instr *in, LLVMValueRef *v)
{
	const struct num_row *row = &rows[in->op];

	switch (we_op_info[in->op].imm) {
	case WE_IMM_I32:
		return unit_i32(u, (uint32_t)in->of.i32);
	case WE_IMM_I64:
		return unit_i64(u, (uint64_t)in->of.i64);
	case WE_IMM_F32: // by its bits: a NaN keeps its payload
		return LLVMConstBitCast(unit_i32(u, in->of.f32), u->t_f32);
	case WE_IMM_F64:
		return LLVMConstBitCast(unit_i64(u, in->of.f64), u->t_f64);
	default:
		assert(row->lower != NULL);
		return row->lower(u, f, row, type_of_letter(u, we_op_info[in->op].results[0]), v);
	}
}
