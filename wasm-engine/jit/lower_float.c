// SPDX-License-Identifier: BSD-3-Clause
#include "lower_float.h"

#include <math.h>

static bool is_vector(LLVMTypeRef t)
{
	return LLVMGetTypeKind(t) == LLVMVectorTypeKind;
}

static bool is_f32(LLVMTypeRef t)
{
	return LLVMGetTypeKind(is_vector(t) ? LLVMGetElementType(t) : t) == LLVMFloatTypeKind;
}

LLVMValueRef float_const(LLVMTypeRef t, double x)
{
	LLVMValueRef lanes[4];

	if (!is_vector(t))
		return LLVMConstReal(t, x);
	for (unsigned i = 0; i < LLVMGetVectorSize(t); i++)
		lanes[i] = LLVMConstReal(LLVMGetElementType(t), x);
	return LLVMConstVector(lanes, LLVMGetVectorSize(t));
}

LLVMValueRef float_bits(struct unit *u, LLVMValueRef x)
{
	const LLVMTypeRef t = LLVMTypeOf(x);
	LLVMTypeRef bits = is_f32(t) ? u->t_i32 : u->t_i64;

	if (is_vector(t))
		bits = LLVMVectorType(bits, LLVMGetVectorSize(t));
	return LLVMBuildBitCast(u->b, x, bits, "");
}

// LLVM sees through the bitcasts of two lanes, makes it a choice of integers, and no longer finds minpd.
LLVMValueRef float_pick(struct unit *u, LLVMRealPredicate op, LLVMValueRef x, LLVMValueRef y)
{
	LLVMValueRef args[] = {x, y};

	if (LLVMTypeOf(x) == u->t_f64x2 && !(LLVMIsConstant(x) && LLVMIsConstant(y)))
		return unit_intrinsic(u,
			op == LLVMRealOLT ? "llvm.x86.sse2.min.pd" : "llvm.x86.sse2.max.pd", NULL,
			0, args, 2);
	return LLVMBuildSelect(u->b, LLVMBuildFCmp(u->b, op, x, y, ""), x, y, "");
}

LLVMValueRef float_quiet(struct unit *u, LLVMValueRef x)
{
	LLVMTypeRef t = LLVMTypeOf(x);

	return unit_intrinsic(u, "llvm.canonicalize", &t, 1, &x, 1);
}

// Constants are unique: equal ones are the same pointer.
static bool is_const(LLVMValueRef v, double x)
{
	return v == float_const(LLVMTypeOf(v), x);
}

// The operand that LLVM would take for the result, or for its negation: NULL if there is none.
static LLVMValueRef fold_of(LLVMOpcode op, LLVMValueRef x, LLVMValueRef y, bool *ret_negated)
{
	*ret_negated = false;
	switch (op) {
	case LLVMFAdd:
		return is_const(y, -0.0) ? x : is_const(x, -0.0) ? y : NULL;
	case LLVMFSub:
		if (is_const(y, 0.0))
			return x;
		*ret_negated = is_const(x, -0.0);
		return *ret_negated ? y : NULL;
	case LLVMFMul:
		*ret_negated = is_const(y, -1.0);
		if (is_const(y, 1.0) || *ret_negated)
			return x;
		*ret_negated = is_const(x, -1.0);
		return is_const(x, 1.0) || *ret_negated ? y : NULL;
	default:
		*ret_negated = is_const(y, -1.0);
		return is_const(y, 1.0) || *ret_negated ? x : NULL;
	}
}

LLVMValueRef float_opaque(struct unit *u, LLVMValueRef x)
{
	LLVMTypeRef t = LLVMTypeOf(x);

	return LLVMIsConstant(x) ? x : unit_intrinsic(u, "llvm.arithmetic.fence", &t, 1, &x, 1);
}

LLVMValueRef float_binary(struct unit *u, LLVMOpcode op, LLVMValueRef x, LLVMValueRef y)
{
	bool is_negated;
	const LLVMValueRef folded = fold_of(op, x, y, &is_negated);

	// The sum with +0 is an operand, too, of which LLVM knows that it is not -0.
	if ((op == LLVMFAdd && is_const(y, 0.0)) || (op == LLVMFSub && is_const(y, -0.0)))
		x = float_quiet(u, x);
	else if (op == LLVMFAdd && is_const(x, 0.0))
		y = float_quiet(u, y);
	if (folded == NULL && !LLVMIsConstant(x) && !LLVMIsConstant(y)) {
		x = float_opaque(u, x);
		y = float_opaque(u, y);
	}
	if (folded == NULL)
		return LLVMBuildBinOp(u->b, op, x, y, "");
	return float_quiet(u, is_negated ? LLVMBuildFNeg(u->b, folded, "") : folded);
}

// Opaque: LLVM takes `x < 0 ? NaN : sqrt(x)`, and a choice by the root's comparison with itself, for the root alone,
// whatever the NaN.
LLVMValueRef float_sqrt(struct unit *u, LLVMValueRef x)
{
	LLVMTypeRef t = LLVMTypeOf(x);

	return float_opaque(u, unit_intrinsic(u, "llvm.sqrt", &t, 1, &x, 1));
}

LLVMValueRef float_demote(struct unit *u, LLVMValueRef x, LLVMTypeRef t)
{
	return LLVMBuildFPTrunc(u->b, float_opaque(u, x), t, "");
}

// ---- min and max --------------------------------------------------------------------------------

// Numbers in all lanes, and no zero of that sign.
static bool is_number_but_zero(LLVMValueRef v, bool zero_sign)
{
	const bool is_vec = is_vector(LLVMTypeOf(v));
	const unsigned n = is_vec ? LLVMGetVectorSize(LLVMTypeOf(v)) : 1;

	if (!LLVMIsConstant(v))
		return false;
	for (unsigned i = 0; i < n; i++) {
		const LLVMValueRef lane = is_vec ? LLVMGetAggregateElement(v, i) : v;
		LLVMBool is_inexact;
		double x;

		if (lane == NULL || !LLVMIsAConstantFP(lane))
			return false;
		x = LLVMConstRealGetDouble(lane, &is_inexact);
		if (isnan(x) || (x == 0 && !!signbit(x) == zero_sign))
			return false;
	}
	return true;
}

// vrangeps: the smaller or greater one, with the sign of zero in mind; not for NaN.
static LLVMValueRef range(struct unit *u, bool is_max, LLVMValueRef x, LLVMValueRef y)
{
	const LLVMTypeRef t = LLVMTypeOf(x);
	const LLVMTypeRef t_vec = is_f32(t) ? u->t_f32x4 : u->t_f64x2;
	const LLVMValueRef control =
		unit_i32(u, is_max ? 5 : 4); // the sign is that of what is picked
	const LLVMValueRef all = LLVMConstAllOnes(u->t_i8);
	const LLVMValueRef none = LLVMGetUndef(t_vec);
	const LLVMValueRef zero = unit_i32(u, 0);
	LLVMValueRef r;

	if (is_vector(t)) {
		LLVMValueRef args[] = {x, y, control, none, all};

		return unit_intrinsic(u,
			is_f32(t) ? "llvm.x86.avx512.mask.range.ps.128"
				  : "llvm.x86.avx512.mask.range.pd.128",
			NULL, 0, args, 5);
	}
	{
		LLVMValueRef args[] = {LLVMBuildInsertElement(u->b, none, x, zero, ""),
			LLVMBuildInsertElement(u->b, none, y, zero, ""), none, all, control,
			unit_i32(u, 4)}; // the rounding of MXCSR

		r = unit_intrinsic(u,
			is_f32(t) ? "llvm.x86.avx512.mask.range.ss"
				  : "llvm.x86.avx512.mask.range.sd",
			NULL, 0, args, 6);
	}
	return LLVMBuildExtractElement(u->b, r, zero, "");
}

// minss answers its second operand for a NaN or two zeros: both orders together have every sign bit.
static LLVMValueRef both_orders(struct unit *u, bool is_max, LLVMValueRef x, LLVMValueRef y)
{
	const LLVMRealPredicate op = is_max ? LLVMRealOGT : LLVMRealOLT;
	const LLVMValueRef xy = float_bits(u, float_pick(u, op, x, y));
	const LLVMValueRef yx = float_bits(u, float_pick(u, op, y, x));
	const LLVMValueRef r =
		is_max ? LLVMBuildAnd(u->b, xy, yx, "") : LLVMBuildOr(u->b, xy, yx, "");

	return LLVMBuildBitCast(u->b, r, LLVMTypeOf(x), "");
}

// max(x, +0): the sum makes +0 of the -0 that maxss may answer.
static LLVMValueRef max_zero(struct unit *u, LLVMValueRef x)
{
	const LLVMValueRef zero = float_const(LLVMTypeOf(x), 0.0);
	const LLVMValueRef r = float_pick(u, LLVMRealOGT, zero, x);

	return float_binary(u, LLVMFAdd, r, zero);
}

static LLVMValueRef min_or_max(struct unit *u, bool is_max, LLVMValueRef x, LLVMValueRef y)
{
	const LLVMRealPredicate op = is_max ? LLVMRealOGT : LLVMRealOLT;
	LLVMValueRef number, nan, is_nan;

	// Against a constant: minss(constant, x) is x for a NaN and for zeros.
	if (is_number_but_zero(x, !is_max))
		return float_quiet(u, float_pick(u, op, x, y));
	if (is_number_but_zero(y, !is_max))
		return float_quiet(u, float_pick(u, op, y, x));
	if (is_max && is_const(x, 0.0))
		return max_zero(u, y);
	if (is_max && is_const(y, 0.0))
		return max_zero(u, x);
	number = u->opt->cpu.has_avx512 ? range(u, is_max, x, y) : both_orders(u, is_max, x, y);
	nan = float_binary(u, LLVMFAdd, x, y);
	is_nan = LLVMBuildFCmp(u->b, LLVMRealUNO, x, y, "");
	return LLVMBuildSelect(u->b, is_nan, nan, number, "");
}

LLVMValueRef float_min(struct unit *u, LLVMValueRef x, LLVMValueRef y)
{
	return min_or_max(u, false, x, y);
}

LLVMValueRef float_max(struct unit *u, LLVMValueRef x, LLVMValueRef y)
{
	return min_or_max(u, true, x, y);
}
