// SPDX-License-Identifier: BSD-3-Clause
// Vectors: plain LLVM instructions where they become one of the machine's, else intrinsics of x86.
//
// Module path 3/6. What a level gives is in simd_level.def. LLVM aborts on an intrinsic that the machine lacks: those
// beyond x86-64-v2 stand behind u->opt->cpu.
// Spec: core "Numerics" (vector instructions), "Relaxed Operations".
#include "lower.h"

#include "lower_float.h"

#include <assert.h>
#include <string.h>

// How a v128 is seen.
enum shape {
	I8X16,
	I16X8,
	I32X4,
	I64X2,
	F32X4,
	F64X2,
};

struct simd_row;
// v: operands as they come. Returns: the result, a vector of any shape or a scalar.
typedef LLVMValueRef simd_fn(
	struct unit *u, const struct simd_row *row, const struct we_instr *in, LLVMValueRef *v);

struct simd_row {
	simd_fn *lower;
	enum shape shape;
	int arg;           // LLVMOpcode, predicate, or flags of that function
	const char *name;  // of an intrinsic
	enum we_op strict; // what a deterministic engine does instead
};

enum {
	IS_UNSIGNED = 1,
	IS_HIGH = 2, // of the upper half
};

static LLVMTypeRef type_of(const struct unit *u, enum shape shape)
{
	const LLVMTypeRef types[] = {
		u->t_i8x16, u->t_i16x8, u->t_i32x4, u->t_i64x2, u->t_f32x4, u->t_f64x2};

	return types[shape];
}

static LLVMTypeRef lane_of(const struct unit *u, enum shape shape)
{
	return LLVMGetElementType(type_of(u, shape));
}

static unsigned n_lanes(enum shape shape)
{
	static const uint8_t n[] = {16, 8, 4, 2, 4, 2};

	return n[shape];
}

// The integers of half as many bits.
static enum shape narrower(enum shape shape)
{
	assert(shape >= I16X8 && shape <= I64X2);
	return (enum shape)(shape - 1);
}

// The lanes of a constant: the builder, which does not know the order of bytes, would leave an expression.
static LLVMValueRef constant_as(struct unit *u, enum shape shape, const uint64_t *halves)
{
	const unsigned bits = 128 / n_lanes(shape);
	const LLVMTypeRef t_int = LLVMIntTypeInContext(u->cx, bits);
	const uint64_t all = UINT64_MAX >> (64 - bits);
	LLVMValueRef lanes[16];

	for (unsigned i = 0; i < n_lanes(shape); i++) {
		const unsigned at = i * bits;

		lanes[i] = LLVMConstInt(t_int, halves[at / 64] >> at % 64 & all, false);
		lanes[i] = LLVMConstBitCast(lanes[i], lane_of(u, shape));
	}
	return LLVMConstVector(lanes, n_lanes(shape));
}

static LLVMValueRef as(struct unit *u, enum shape shape, LLVMValueRef v)
{
	uint64_t halves[2];

	if (!LLVMIsConstant(v) || LLVMTypeOf(v) != u->t_v128)
		return LLVMBuildBitCast(u->b, v, type_of(u, shape), "");
	for (unsigned i = 0; i < 2; i++) {
		const LLVMValueRef half = LLVMGetAggregateElement(v, i);

		if (half == NULL || !LLVMIsAConstantInt(half))
			return LLVMBuildBitCast(u->b, v, type_of(u, shape), "");
		halves[i] = LLVMConstIntGetZExtValue(half);
	}
	return constant_as(u, shape, halves);
}

static LLVMValueRef splat_i(struct unit *u, enum shape shape, uint64_t x)
{
	const LLVMValueRef lane = LLVMConstInt(lane_of(u, shape), x, false);
	LLVMValueRef lanes[16];

	for (unsigned i = 0; i < n_lanes(shape); i++)
		lanes[i] = lane;
	return LLVMConstVector(lanes, n_lanes(shape));
}

// x in every lane.
static LLVMValueRef broadcast(struct unit *u, enum shape shape, LLVMValueRef x)
{
	const LLVMTypeRef t = type_of(u, shape);
	const LLVMValueRef none = LLVMGetPoison(t);
	const LLVMTypeRef t_mask = LLVMVectorType(u->t_i32, n_lanes(shape));

	return LLVMBuildShuffleVector(u->b,
		LLVMBuildInsertElement(u->b, none, x, unit_i32(u, 0), ""), none,
		LLVMConstNull(t_mask), "");
}

// Lanes first, first + step, ... of x, n of them.
static LLVMValueRef pick_lanes(
	struct unit *u, LLVMValueRef x, unsigned first, unsigned step, unsigned n)
{
	LLVMValueRef lanes[16];

	for (unsigned i = 0; i < n; i++)
		lanes[i] = unit_i32(u, first + i * step);
	return LLVMBuildShuffleVector(
		u->b, x, LLVMGetPoison(LLVMTypeOf(x)), LLVMConstVector(lanes, n), "");
}

static LLVMValueRef half_of(struct unit *u, enum shape shape, bool is_high, LLVMValueRef x)
{
	const unsigned n = n_lanes(shape) / 2;

	return pick_lanes(u, as(u, shape, x), is_high ? n : 0, 1, n);
}

// Lanes of 1 bit become all ones or zeros.
static LLVMValueRef mask(struct unit *u, enum shape shape, LLVMValueRef cond)
{
	static const enum shape ints[] = {I8X16, I16X8, I32X4, I64X2, I32X4, I64X2};

	return LLVMBuildSExt(u->b, cond, type_of(u, ints[shape]), "");
}

// An intrinsic of x86: vectors are bitcast to what it takes.
static LLVMValueRef x86(struct unit *u, const char *name, const LLVMValueRef *v, unsigned n)
{
	const unsigned id = LLVMLookupIntrinsicID(name, strlen(name));
	LLVMTypeRef types[4];
	LLVMValueRef args[4];

	assert(id != 0 && n <= 4);
	LLVMGetParamTypes(LLVMIntrinsicGetType(u->cx, id, NULL, 0), types);
	for (unsigned i = 0; i < n; i++)
		args[i] = LLVMBuildBitCast(u->b, v[i], types[i], "");
	return unit_intrinsic(u, name, NULL, 0, args, n);
}

static LLVMValueRef x86_1(struct unit *u, const char *name, LLVMValueRef x)
{
	return x86(u, name, &x, 1);
}

static LLVMValueRef x86_2(struct unit *u, const char *name, LLVMValueRef x, LLVMValueRef y)
{
	const LLVMValueRef v[] = {x, y};

	return x86(u, name, v, 2);
}

// ---- whole vectors ------------------------------------------------------------------------------

static LLVMValueRef constant(
	struct unit *u, const struct simd_row *row, const struct we_instr *in, LLVMValueRef *v)
{
	LLVMValueRef halves[2];

	(void)row, (void)v;
	for (unsigned i = 0; i < 2; i++) {
		uint64_t bits;

		memcpy(&bits, in->of.v128 + 8 * i, sizeof(bits));
		halves[i] = unit_i64(u, bits);
	}
	return LLVMConstVector(halves, 2);
}

static LLVMValueRef not(
	struct unit *u, const struct simd_row *row, const struct we_instr *in, LLVMValueRef *v)
{
	(void)row, (void)in;
	return LLVMBuildNot(u->b, v[0], "");
}

static LLVMValueRef andnot(
	struct unit *u, const struct simd_row *row, const struct we_instr *in, LLVMValueRef *v)
{
	(void)row, (void)in;
	return LLVMBuildAnd(u->b, v[0], LLVMBuildNot(u->b, v[1], ""), "");
}

static LLVMValueRef bitselect(
	struct unit *u, const struct simd_row *row, const struct we_instr *in, LLVMValueRef *v)
{
	const LLVMValueRef x = LLVMBuildAnd(u->b, v[0], v[2], "");
	const LLVMValueRef y = LLVMBuildAnd(u->b, v[1], LLVMBuildNot(u->b, v[2], ""), "");

	(void)row, (void)in;
	return LLVMBuildOr(u->b, x, y, "");
}

static LLVMValueRef any_true(
	struct unit *u, const struct simd_row *row, const struct we_instr *in, LLVMValueRef *v)
{
	const LLVMTypeRef t = LLVMIntTypeInContext(u->cx, 128);
	const LLVMValueRef bits = LLVMBuildBitCast(u->b, v[0], t, "");

	(void)row, (void)in;
	return LLVMBuildZExt(
		u->b, LLVMBuildICmp(u->b, LLVMIntNE, bits, LLVMConstNull(t), ""), u->t_i32, "");
}

// No lane is zero: no bit is set in the comparison with it.
static LLVMValueRef all_true(
	struct unit *u, const struct simd_row *row, const struct we_instr *in, LLVMValueRef *v)
{
	const LLVMTypeRef t = type_of(u, row->shape);
	const LLVMTypeRef t_bits = LLVMIntTypeInContext(u->cx, n_lanes(row->shape));
	LLVMValueRef zero_lanes =
		LLVMBuildICmp(u->b, LLVMIntEQ, as(u, row->shape, v[0]), LLVMConstNull(t), "");

	(void)in;
	zero_lanes = LLVMBuildBitCast(u->b, zero_lanes, t_bits, "");
	return LLVMBuildZExt(u->b,
		LLVMBuildICmp(u->b, LLVMIntEQ, zero_lanes, LLVMConstNull(t_bits), ""), u->t_i32,
		"");
}

static LLVMValueRef bitmask(
	struct unit *u, const struct simd_row *row, const struct we_instr *in, LLVMValueRef *v)
{
	(void)in;
	return x86_1(u, row->name, v[0]);
}

// The sign of each lane survives the saturation to 8 bits.
static LLVMValueRef bitmask16(
	struct unit *u, const struct simd_row *row, const struct we_instr *in, LLVMValueRef *v)
{
	const LLVMValueRef bytes =
		x86_2(u, "llvm.x86.sse2.packsswb.128", v[0], LLVMConstNull(u->t_i16x8));

	(void)row, (void)in;
	return x86_1(u, "llvm.x86.sse2.pmovmskb.128", bytes);
}

// ---- lanes --------------------------------------------------------------------------------------

static LLVMValueRef splat(
	struct unit *u, const struct simd_row *row, const struct we_instr *in, LLVMValueRef *v)
{
	const bool is_wider = row->shape == I8X16 || row->shape == I16X8;
	const LLVMTypeRef t = lane_of(u, row->shape);

	(void)in;
	return broadcast(u, row->shape, is_wider ? LLVMBuildTrunc(u->b, v[0], t, "") : v[0]);
}

static LLVMValueRef extract_lane(
	struct unit *u, const struct simd_row *row, const struct we_instr *in, LLVMValueRef *v)
{
	const LLVMValueRef x = LLVMBuildExtractElement(
		u->b, as(u, row->shape, v[0]), unit_i32(u, in->of.lane), "");

	if (row->shape != I8X16 && row->shape != I16X8)
		return x;
	return row->arg & IS_UNSIGNED ? LLVMBuildZExt(u->b, x, u->t_i32, "")
				      : LLVMBuildSExt(u->b, x, u->t_i32, "");
}

static LLVMValueRef replace_lane(
	struct unit *u, const struct simd_row *row, const struct we_instr *in, LLVMValueRef *v)
{
	const bool is_wider = row->shape == I8X16 || row->shape == I16X8;
	const LLVMTypeRef t = lane_of(u, row->shape);

	return LLVMBuildInsertElement(u->b, as(u, row->shape, v[0]),
		is_wider ? LLVMBuildTrunc(u->b, v[1], t, "") : v[1], unit_i32(u, in->of.lane), "");
}

static LLVMValueRef shuffle(
	struct unit *u, const struct simd_row *row, const struct we_instr *in, LLVMValueRef *v)
{
	LLVMValueRef lanes[16];

	(void)row;
	for (unsigned i = 0; i < 16; i++)
		lanes[i] = unit_i32(u, in->of.v128[i]);
	return LLVMBuildShuffleVector(
		u->b, as(u, I8X16, v[0]), as(u, I8X16, v[1]), LLVMConstVector(lanes, 16), "");
}

// An index of 16 or more gives 0: the saturating addition sets its top bit, which pshufb answers with 0.
static LLVMValueRef swizzle(
	struct unit *u, const struct simd_row *row, const struct we_instr *in, LLVMValueRef *v)
{
	LLVMValueRef args[] = {as(u, I8X16, v[1]), splat_i(u, I8X16, 0x70)};
	LLVMTypeRef t = u->t_i8x16;

	(void)row, (void)in;
	return x86_2(u, "llvm.x86.ssse3.pshuf.b.128", v[0],
		unit_intrinsic(u, "llvm.uadd.sat", &t, 1, args, 2));
}

// ---- integers -----------------------------------------------------------------------------------

static LLVMValueRef binary(
	struct unit *u, const struct simd_row *row, const struct we_instr *in, LLVMValueRef *v)
{
	(void)in;
	return LLVMBuildBinOp(
		u->b, (LLVMOpcode)row->arg, as(u, row->shape, v[0]), as(u, row->shape, v[1]), "");
}

static LLVMValueRef neg(
	struct unit *u, const struct simd_row *row, const struct we_instr *in, LLVMValueRef *v)
{
	(void)in;
	return LLVMBuildNeg(u->b, as(u, row->shape, v[0]), "");
}

static LLVMValueRef abs_int(
	struct unit *u, const struct simd_row *row, const struct we_instr *in, LLVMValueRef *v)
{
	LLVMValueRef args[] = {as(u, row->shape, v[0]), LLVMConstNull(u->t_i1)};
	LLVMTypeRef t = type_of(u, row->shape);

	(void)in;
	return unit_intrinsic(u, "llvm.abs", &t, 1, args, 2);
}

static LLVMValueRef compare(
	struct unit *u, const struct simd_row *row, const struct we_instr *in, LLVMValueRef *v)
{
	(void)in;
	return mask(u, row->shape,
		LLVMBuildICmp(u->b, (LLVMIntPredicate)row->arg, as(u, row->shape, v[0]),
			as(u, row->shape, v[1]), ""));
}

static LLVMValueRef shift(
	struct unit *u, const struct simd_row *row, const struct we_instr *in, LLVMValueRef *v)
{
	const LLVMTypeRef t = lane_of(u, row->shape);
	LLVMValueRef n = LLVMBuildAnd(u->b, v[1], unit_i32(u, LLVMGetIntTypeWidth(t) - 1), "");

	(void)in;
	n = LLVMBuildIntCast2(u->b, n, t, false, "");
	return LLVMBuildBinOp(u->b, (LLVMOpcode)row->arg, as(u, row->shape, v[0]),
		broadcast(u, row->shape, n), "");
}

// Of bytes: each in the upper half of 16 bits, so that its sign is shifted in. LLVM has a shorter way for constants.
static LLVMValueRef shr8_s(
	struct unit *u, const struct simd_row *row, const struct we_instr *in, LLVMValueRef *v)
{
	LLVMValueRef n, halves[2];

	if (LLVMIsConstant(v[1]))
		return shift(u, row, in, v);
	n = LLVMBuildOr(u->b, LLVMBuildAnd(u->b, v[1], unit_i32(u, 7), ""), unit_i32(u, 8), "");
	n = broadcast(u, I16X8, LLVMBuildTrunc(u->b, n, u->t_i16, ""));
	for (unsigned half = 0; half < 2; half++) {
		const LLVMValueRef x = as(u, I8X16, v[0]);
		LLVMValueRef lanes[16];

		for (unsigned i = 0; i < 16; i++)
			lanes[i] = unit_i32(u, half * 8 + i / 2);
		halves[half] = LLVMBuildShuffleVector(
			u->b, x, LLVMGetPoison(u->t_i8x16), LLVMConstVector(lanes, 16), "");
		halves[half] = LLVMBuildAShr(u->b, as(u, I16X8, halves[half]), n, "");
	}
	return x86_2(u, "llvm.x86.sse2.packsswb.128", halves[0], halves[1]);
}

// Overloaded intrinsics of one and two operands.
static LLVMValueRef unary_intrinsic(
	struct unit *u, const struct simd_row *row, const struct we_instr *in, LLVMValueRef *v)
{
	LLVMTypeRef t = type_of(u, row->shape);
	LLVMValueRef x = as(u, row->shape, v[0]);

	(void)in;
	return unit_intrinsic(u, row->name, &t, 1, &x, 1);
}

static LLVMValueRef binary_intrinsic(
	struct unit *u, const struct simd_row *row, const struct we_instr *in, LLVMValueRef *v)
{
	LLVMTypeRef t = type_of(u, row->shape);
	LLVMValueRef args[] = {as(u, row->shape, v[0]), as(u, row->shape, v[1])};

	(void)in;
	return unit_intrinsic(u, row->name, &t, 1, args, 2);
}

static LLVMValueRef x86_unary(
	struct unit *u, const struct simd_row *row, const struct we_instr *in, LLVMValueRef *v)
{
	(void)in;
	return x86_1(u, row->name, v[0]);
}

static LLVMValueRef x86_binary(
	struct unit *u, const struct simd_row *row, const struct we_instr *in, LLVMValueRef *v)
{
	(void)in;
	return x86_2(u, row->name, v[0], v[1]);
}

// ---- integers of another width ------------------------------------------------------------------

// Half of the lanes of x, in twice the bits: row->shape.
static LLVMValueRef widen(struct unit *u, const struct simd_row *row, LLVMValueRef x)
{
	const LLVMTypeRef t = type_of(u, row->shape);
	const LLVMValueRef half = half_of(u, narrower(row->shape), row->arg & IS_HIGH, x);

	return row->arg & IS_UNSIGNED ? LLVMBuildZExt(u->b, half, t, "")
				      : LLVMBuildSExt(u->b, half, t, "");
}

static LLVMValueRef extend(
	struct unit *u, const struct simd_row *row, const struct we_instr *in, LLVMValueRef *v)
{
	(void)in;
	return widen(u, row, v[0]);
}

static LLVMValueRef extmul(
	struct unit *u, const struct simd_row *row, const struct we_instr *in, LLVMValueRef *v)
{
	(void)in;
	return LLVMBuildMul(u->b, widen(u, row, v[0]), widen(u, row, v[1]), "");
}

// The halves of 32-bit products, interleaved. Low and high products of the same operands share them.
static LLVMValueRef extmul16(
	struct unit *u, const struct simd_row *row, const struct we_instr *in, LLVMValueRef *v)
{
	const LLVMValueRef low = LLVMBuildMul(u->b, as(u, I16X8, v[0]), as(u, I16X8, v[1]), "");
	const LLVMValueRef high = x86_2(u,
		row->arg & IS_UNSIGNED ? "llvm.x86.sse2.pmulhu.w" : "llvm.x86.sse2.pmulh.w", v[0],
		v[1]);
	LLVMValueRef lanes[8];

	(void)in;
	for (unsigned i = 0; i < 8; i++)
		lanes[i] = unit_i32(u, (row->arg & IS_HIGH ? 4 : 0) + i / 2 + i % 2 * 8);
	return LLVMBuildShuffleVector(u->b, low, high, LLVMConstVector(lanes, 8), "");
}

// Products with 1, summed by twos. pmaddubsw takes its first operand as unsigned.
static LLVMValueRef extadd8(
	struct unit *u, const struct simd_row *row, const struct we_instr *in, LLVMValueRef *v)
{
	const LLVMValueRef ones = splat_i(u, I8X16, 1);
	const bool is_unsigned = row->arg & IS_UNSIGNED;

	(void)in;
	return x86_2(u, "llvm.x86.ssse3.pmadd.ub.sw.128", is_unsigned ? v[0] : ones,
		is_unsigned ? ones : v[0]);
}

static LLVMValueRef sum_pairs(struct unit *u, LLVMValueRef x)
{
	return x86_2(u, "llvm.x86.sse2.pmadd.wd", x, splat_i(u, I16X8, 1));
}

static LLVMValueRef extadd16(
	struct unit *u, const struct simd_row *row, const struct we_instr *in, LLVMValueRef *v)
{
	const LLVMValueRef x = as(u, I32X4, v[0]);
	LLVMValueRef low, high;

	(void)in;
	if (!(row->arg & IS_UNSIGNED))
		return sum_pairs(u, v[0]);
	low = LLVMBuildAnd(u->b, x, splat_i(u, I32X4, 0xffff), "");
	high = LLVMBuildLShr(u->b, x, splat_i(u, I32X4, 16), "");
	return LLVMBuildAdd(u->b, low, high, "");
}

// pmulhrsw gives 0x8000 only for 0x8000 * 0x8000, where 0x7fff is wanted.
static LLVMValueRef q15mulr_sat(
	struct unit *u, const struct simd_row *row, const struct we_instr *in, LLVMValueRef *v)
{
	const LLVMValueRef r = as(u, I16X8, x86_2(u, "llvm.x86.ssse3.pmul.hr.sw.128", v[0], v[1]));
	const LLVMValueRef is_over =
		LLVMBuildICmp(u->b, LLVMIntEQ, r, splat_i(u, I16X8, 0x8000), "");

	(void)row, (void)in;
	return LLVMBuildXor(u->b, r, mask(u, I16X8, is_over), "");
}

// ---- floats -------------------------------------------------------------------------------------

static LLVMValueRef float_op(
	struct unit *u, const struct simd_row *row, const struct we_instr *in, LLVMValueRef *v)
{
	(void)in;
	return float_binary(
		u, (LLVMOpcode)row->arg, as(u, row->shape, v[0]), as(u, row->shape, v[1]));
}

static LLVMValueRef float_neg(
	struct unit *u, const struct simd_row *row, const struct we_instr *in, LLVMValueRef *v)
{
	(void)in;
	return LLVMBuildFNeg(u->b, as(u, row->shape, v[0]), "");
}

static LLVMValueRef float_root(
	struct unit *u, const struct simd_row *row, const struct we_instr *in, LLVMValueRef *v)
{
	(void)in;
	return float_sqrt(u, as(u, row->shape, v[0]));
}

static LLVMValueRef float_compare(
	struct unit *u, const struct simd_row *row, const struct we_instr *in, LLVMValueRef *v)
{
	(void)in;
	return mask(u, row->shape,
		LLVMBuildFCmp(u->b, (LLVMRealPredicate)row->arg, as(u, row->shape, v[0]),
			as(u, row->shape, v[1]), ""));
}

static LLVMValueRef min(
	struct unit *u, const struct simd_row *row, const struct we_instr *in, LLVMValueRef *v)
{
	(void)in;
	return float_min(u, as(u, row->shape, v[0]), as(u, row->shape, v[1]));
}

static LLVMValueRef max(
	struct unit *u, const struct simd_row *row, const struct we_instr *in, LLVMValueRef *v)
{
	(void)in;
	return float_max(u, as(u, row->shape, v[0]), as(u, row->shape, v[1]));
}

// pmin and pmax: minps and maxps with the operands the other way round.
static LLVMValueRef pseudo(
	struct unit *u, const struct simd_row *row, const struct we_instr *in, LLVMValueRef *v)
{
	(void)in;
	return float_pick(
		u, (LLVMRealPredicate)row->arg, as(u, row->shape, v[1]), as(u, row->shape, v[0]));
}

// minps and maxps.
static LLVMValueRef relaxed_pick(
	struct unit *u, const struct simd_row *row, const struct we_instr *in, LLVMValueRef *v)
{
	(void)in;
	return float_pick(
		u, (LLVMRealPredicate)row->arg, as(u, row->shape, v[0]), as(u, row->shape, v[1]));
}

// v[0] * v[1] + v[2], or v[2] - v[0] * v[1] with LLVMFSub. Rounded twice where the machine has no fused one, or where
// all machines are to agree.
static LLVMValueRef madd(
	struct unit *u, const struct simd_row *row, const struct we_instr *in, LLVMValueRef *v)
{
	const bool is_neg = row->arg == LLVMFSub;
	LLVMTypeRef t = type_of(u, row->shape);
	LLVMValueRef x[3];

	(void)in;
	for (unsigned i = 0; i < 3; i++)
		x[i] = as(u, row->shape, v[i]);
	if (u->opt->cpu.has_fma && !u->opt->deterministic) {
		const unsigned n_constants = (unsigned)LLVMIsConstant(x[0]) +
					     (unsigned)LLVMIsConstant(x[1]) +
					     (unsigned)LLVMIsConstant(x[2]);
		LLVMValueRef r;

		for (unsigned i = 0; i < 3; i++)
			x[i] = float_opaque(u, x[i]);
		if (is_neg)
			x[0] = LLVMBuildFNeg(u->b, x[0], "");
		r = unit_intrinsic(u, "llvm.fma", &t, 1, x, 3);
		// Of two constants, LLVM may make the third operand the result as it is.
		return n_constants >= 2 ? float_quiet(u, r) : r;
	}
	x[0] = float_binary(u, LLVMFMul, x[0], x[1]);
	return is_neg ? float_binary(u, LLVMFSub, x[2], x[0])
		      : float_binary(u, LLVMFAdd, x[0], x[2]);
}

// ---- conversions --------------------------------------------------------------------------------

// The same number of lanes.
static LLVMValueRef convert(
	struct unit *u, const struct simd_row *row, const struct we_instr *in, LLVMValueRef *v)
{
	(void)in;
	return LLVMBuildCast(
		u->b, (LLVMOpcode)row->arg, as(u, I32X4, v[0]), type_of(u, row->shape), "");
}

// The lower two of four lanes.
static LLVMValueRef convert_low(
	struct unit *u, const struct simd_row *row, const struct we_instr *in, LLVMValueRef *v)
{
	const LLVMValueRef low = half_of(u, row->shape, false, v[0]);

	(void)in;
	return LLVMBuildCast(u->b, (LLVMOpcode)row->arg, low, u->t_f64x2, "");
}

// All ones where the comparison holds, as bits of an integer vector.
static LLVMValueRef float_mask(
	struct unit *u, LLVMRealPredicate op, enum shape shape, LLVMValueRef x, LLVMValueRef y)
{
	return mask(u, shape, LLVMBuildFCmp(u->b, op, x, y, ""));
}

// 0 where x is a NaN.
static LLVMValueRef numbers(struct unit *u, LLVMValueRef x)
{
	return LLVMBuildSelect(u->b, LLVMBuildFCmp(u->b, LLVMRealORD, x, x, ""), x,
		LLVMConstNull(LLVMTypeOf(x)), "");
}

// max(x, 0); 0 for a NaN.
static LLVMValueRef positives(struct unit *u, LLVMValueRef x)
{
	return float_pick(u, LLVMRealOGT, x, LLVMConstNull(LLVMTypeOf(x)));
}

// cvttps2dq answers 0x80000000 for what it cannot convert: right below the range, all bits flipped above it.
static LLVMValueRef trunc_sat32_s(
	struct unit *u, const struct simd_row *row, const struct we_instr *in, LLVMValueRef *v)
{
	const LLVMValueRef x = as(u, F32X4, v[0]);
	const LLVMValueRef limit = float_const(u->t_f32x4, 2147483648.0);
	const LLVMValueRef above = float_mask(u, LLVMRealOGE, I32X4, x, limit);

	(void)row, (void)in;
	return LLVMBuildXor(u->b, x86_1(u, "llvm.x86.sse2.cvttps2dq", numbers(u, x)), above, "");
}

static LLVMValueRef cvttps2udq(struct unit *u, LLVMValueRef x)
{
	const LLVMValueRef v[] = {x, LLVMGetUndef(u->t_i32x4), LLVMConstAllOnes(u->t_i8)};

	return x86(u, "llvm.x86.avx512.mask.cvttps2udq.128", v, 3);
}

static LLVMValueRef cvttpd2udq(struct unit *u, LLVMValueRef x)
{
	const LLVMValueRef v[] = {x, LLVMConstNull(u->t_i32x4), LLVMConstAllOnes(u->t_i8)};

	return x86(u, "llvm.x86.avx512.mask.cvttpd2udq.128", v, 3);
}

// The sum of what is below 2^31, or 0x80000000, and of what is above it.
static LLVMValueRef trunc_sat32_u(
	struct unit *u, const struct simd_row *row, const struct we_instr *in, LLVMValueRef *v)
{
	const LLVMValueRef limit = float_const(u->t_f32x4, 2147483648.0);
	const LLVMValueRef x = positives(u, as(u, F32X4, v[0]));
	LLVMTypeRef t = u->t_i32x4;
	LLVMValueRef rest, above, args[2];

	(void)row, (void)in;
	if (u->opt->cpu.has_avx512)
		return cvttps2udq(u, x);
	rest = LLVMBuildFSub(u->b, x, limit, "");
	above = float_mask(u, LLVMRealOGE, I32X4, rest, limit);
	args[0] = LLVMBuildXor(u->b, x86_1(u, "llvm.x86.sse2.cvttps2dq", rest), above, "");
	args[1] = LLVMConstNull(t);
	rest = unit_intrinsic(u, "llvm.smax", &t, 1, args, 2);
	return LLVMBuildAdd(u->b, x86_1(u, "llvm.x86.sse2.cvttps2dq", x), rest, "");
}

static LLVMValueRef trunc_sat64_s_zero(
	struct unit *u, const struct simd_row *row, const struct we_instr *in, LLVMValueRef *v)
{
	const LLVMValueRef x = numbers(u, as(u, F64X2, v[0]));
	const LLVMValueRef limit = float_const(u->t_f64x2, 2147483647.0);

	(void)row, (void)in;
	return x86_1(u, "llvm.x86.sse2.cvttpd2dq", float_pick(u, LLVMRealOLT, x, limit));
}

// The integer is the low half of the bits of x + 2^52.
static LLVMValueRef trunc_sat64_u_zero(
	struct unit *u, const struct simd_row *row, const struct we_instr *in, LLVMValueRef *v)
{
	static const unsigned low_halves[] = {0, 2, 4, 5};
	LLVMValueRef x = positives(u, as(u, F64X2, v[0])), lanes[4];
	LLVMTypeRef t = u->t_f64x2;

	(void)row, (void)in;
	if (u->opt->cpu.has_avx512)
		return cvttpd2udq(u, x);
	x = float_pick(u, LLVMRealOLT, x, float_const(t, 4294967295.0));
	x = unit_intrinsic(u, "llvm.trunc", &t, 1, &x, 1);
	x = LLVMBuildFAdd(u->b, x, float_const(t, 4503599627370496.0), "");
	for (unsigned i = 0; i < 4; i++)
		lanes[i] = unit_i32(u, low_halves[i]);
	return LLVMBuildShuffleVector(
		u->b, as(u, I32X4, x), LLVMConstNull(u->t_i32x4), LLVMConstVector(lanes, 4), "");
}

// ---- relaxed ------------------------------------------------------------------------------------

static LLVMValueRef relaxed_trunc32_u(
	struct unit *u, const struct simd_row *row, const struct we_instr *in, LLVMValueRef *v)
{
	if (u->opt->cpu.has_avx512)
		return cvttps2udq(u, as(u, F32X4, v[0]));
	return trunc_sat32_u(u, row, in, v);
}

static LLVMValueRef relaxed_trunc64_u(
	struct unit *u, const struct simd_row *row, const struct we_instr *in, LLVMValueRef *v)
{
	if (u->opt->cpu.has_avx512)
		return cvttpd2udq(u, as(u, F64X2, v[0]));
	return trunc_sat64_u_zero(u, row, in, v);
}

// A blend by the sign of each lane.
static LLVMValueRef laneselect(
	struct unit *u, const struct simd_row *row, const struct we_instr *in, LLVMValueRef *v)
{
	const LLVMValueRef args[] = {v[1], v[0], v[2]};

	(void)in;
	return x86(u, row->name, args, 3);
}

// The lower or the upper byte of each lane, with its sign.
static LLVMValueRef signed_byte(struct unit *u, LLVMValueRef v, bool is_upper)
{
	const LLVMValueRef eight = splat_i(u, I16X8, 8);
	LLVMValueRef x = as(u, I16X8, v);

	if (!is_upper)
		x = LLVMBuildShl(u->b, x, eight, "");
	return LLVMBuildAShr(u->b, x, eight, "");
}

// 16 pairs of 8 by 7 bits, summed by two: pmaddubsw takes the 7-bit operand as its unsigned one. Both are signed where all
// machines are to agree.
static LLVMValueRef dot(
	struct unit *u, const struct simd_row *row, const struct we_instr *in, LLVMValueRef *v)
{
	(void)row, (void)in;
	if (u->opt->deterministic) {
		LLVMValueRef products[2];

		for (unsigned i = 0; i < 2; i++)
			products[i] = LLVMBuildMul(
				u->b, signed_byte(u, v[0], i > 0), signed_byte(u, v[1], i > 0), "");
		return LLVMBuildAdd(u->b, products[0], products[1], "");
	}
	return x86_2(u, "llvm.x86.ssse3.pmadd.ub.sw.128", v[1], v[0]);
}

static LLVMValueRef dot_add(
	struct unit *u, const struct simd_row *row, const struct we_instr *in, LLVMValueRef *v)
{
	const struct we_cpu *cpu = &u->opt->cpu;
	const LLVMValueRef args[] = {v[2], v[1], v[0]};

	if ((cpu->has_avx_vnni || cpu->has_avx512_vnni) && !u->opt->deterministic)
		return x86(u, "llvm.x86.avx512.vpdpbusd.128", args, 3);
	return LLVMBuildAdd(u->b, sum_pairs(u, dot(u, row, in, v)), as(u, I32X4, v[2]), "");
}

// ---- the table ----------------------------------------------------------------------------------

// clang-format off
#define ROW(NAME, ...) [WE_OP_##NAME] = {__VA_ARGS__},
#define RELAXED(NAME, STRICT, fn, shape, arg, name) \
	[WE_OP_##NAME] = {fn, shape, arg, name, WE_OP_##STRICT},
#define INTEGER(T) \
	ROW(T##_SPLAT, splat, T, 0, NULL, 0) \
	ROW(T##_REPLACE_LANE, replace_lane, T, 0, NULL, 0) \
	ROW(T##_EQ, compare, T, LLVMIntEQ, NULL, 0) \
	ROW(T##_NE, compare, T, LLVMIntNE, NULL, 0) \
	ROW(T##_LT_S, compare, T, LLVMIntSLT, NULL, 0) \
	ROW(T##_GT_S, compare, T, LLVMIntSGT, NULL, 0) \
	ROW(T##_LE_S, compare, T, LLVMIntSLE, NULL, 0) \
	ROW(T##_GE_S, compare, T, LLVMIntSGE, NULL, 0) \
	ROW(T##_ABS, abs_int, T, 0, NULL, 0) \
	ROW(T##_NEG, neg, T, 0, NULL, 0) \
	ROW(T##_ALL_TRUE, all_true, T, 0, NULL, 0) \
	ROW(T##_SHL, shift, T, LLVMShl, NULL, 0) \
	ROW(T##_SHR_U, shift, T, LLVMLShr, NULL, 0) \
	ROW(T##_ADD, binary, T, LLVMAdd, NULL, 0) \
	ROW(T##_SUB, binary, T, LLVMSub, NULL, 0)
#define UP_TO_32_BITS(T) \
	ROW(T##_LT_U, compare, T, LLVMIntULT, NULL, 0) \
	ROW(T##_GT_U, compare, T, LLVMIntUGT, NULL, 0) \
	ROW(T##_LE_U, compare, T, LLVMIntULE, NULL, 0) \
	ROW(T##_GE_U, compare, T, LLVMIntUGE, NULL, 0) \
	ROW(T##_MIN_S, binary_intrinsic, T, 0, "llvm.smin", 0) \
	ROW(T##_MIN_U, binary_intrinsic, T, 0, "llvm.umin", 0) \
	ROW(T##_MAX_S, binary_intrinsic, T, 0, "llvm.smax", 0) \
	ROW(T##_MAX_U, binary_intrinsic, T, 0, "llvm.umax", 0)
#define UP_TO_16_BITS(T) \
	ROW(T##_EXTRACT_LANE_S, extract_lane, T, 0, NULL, 0) \
	ROW(T##_EXTRACT_LANE_U, extract_lane, T, IS_UNSIGNED, NULL, 0) \
	ROW(T##_ADD_SAT_S, binary_intrinsic, T, 0, "llvm.sadd.sat", 0) \
	ROW(T##_ADD_SAT_U, binary_intrinsic, T, 0, "llvm.uadd.sat", 0) \
	ROW(T##_SUB_SAT_S, binary_intrinsic, T, 0, "llvm.ssub.sat", 0) \
	ROW(T##_SUB_SAT_U, binary_intrinsic, T, 0, "llvm.usub.sat", 0)
#define WIDENING(T, N, mul) \
	ROW(T##_EXTEND_LOW_##N##_S, extend, T, 0, NULL, 0) \
	ROW(T##_EXTEND_HIGH_##N##_S, extend, T, IS_HIGH, NULL, 0) \
	ROW(T##_EXTEND_LOW_##N##_U, extend, T, IS_UNSIGNED, NULL, 0) \
	ROW(T##_EXTEND_HIGH_##N##_U, extend, T, IS_HIGH | IS_UNSIGNED, NULL, 0) \
	ROW(T##_EXTMUL_LOW_##N##_S, mul, T, 0, NULL, 0) \
	ROW(T##_EXTMUL_HIGH_##N##_S, mul, T, IS_HIGH, NULL, 0) \
	ROW(T##_EXTMUL_LOW_##N##_U, mul, T, IS_UNSIGNED, NULL, 0) \
	ROW(T##_EXTMUL_HIGH_##N##_U, mul, T, IS_HIGH | IS_UNSIGNED, NULL, 0)
#define FLOAT(T) \
	ROW(T##_SPLAT, splat, T, 0, NULL, 0) \
	ROW(T##_EXTRACT_LANE, extract_lane, T, 0, NULL, 0) \
	ROW(T##_REPLACE_LANE, replace_lane, T, 0, NULL, 0) \
	ROW(T##_EQ, float_compare, T, LLVMRealOEQ, NULL, 0) \
	ROW(T##_NE, float_compare, T, LLVMRealUNE, NULL, 0) \
	ROW(T##_LT, float_compare, T, LLVMRealOLT, NULL, 0) \
	ROW(T##_GT, float_compare, T, LLVMRealOGT, NULL, 0) \
	ROW(T##_LE, float_compare, T, LLVMRealOLE, NULL, 0) \
	ROW(T##_GE, float_compare, T, LLVMRealOGE, NULL, 0) \
	ROW(T##_CEIL, unary_intrinsic, T, 0, "llvm.ceil", 0) \
	ROW(T##_FLOOR, unary_intrinsic, T, 0, "llvm.floor", 0) \
	ROW(T##_TRUNC, unary_intrinsic, T, 0, "llvm.trunc", 0) \
	ROW(T##_NEAREST, unary_intrinsic, T, 0, "llvm.roundeven", 0) \
	ROW(T##_ABS, unary_intrinsic, T, 0, "llvm.fabs", 0) \
	ROW(T##_NEG, float_neg, T, 0, NULL, 0) \
	ROW(T##_SQRT, float_root, T, 0, NULL, 0) \
	ROW(T##_ADD, float_op, T, LLVMFAdd, NULL, 0) \
	ROW(T##_SUB, float_op, T, LLVMFSub, NULL, 0) \
	ROW(T##_MUL, float_op, T, LLVMFMul, NULL, 0) \
	ROW(T##_DIV, float_op, T, LLVMFDiv, NULL, 0) \
	ROW(T##_MIN, min, T, 0, NULL, 0) \
	ROW(T##_MAX, max, T, 0, NULL, 0) \
	ROW(T##_PMIN, pseudo, T, LLVMRealOLT, NULL, 0) \
	ROW(T##_PMAX, pseudo, T, LLVMRealOGT, NULL, 0) \
	ROW(T##_RELAXED_MADD, madd, T, LLVMFAdd, NULL, 0) \
	ROW(T##_RELAXED_NMADD, madd, T, LLVMFSub, NULL, 0) \
	RELAXED(T##_RELAXED_MIN, T##_MIN, relaxed_pick, T, LLVMRealOLT, NULL) \
	RELAXED(T##_RELAXED_MAX, T##_MAX, relaxed_pick, T, LLVMRealOGT, NULL)

static const struct simd_row rows[WE_OP_N] = {
	INTEGER(I8X16)
	INTEGER(I16X8)
	INTEGER(I32X4)
	INTEGER(I64X2)
	UP_TO_32_BITS(I8X16)
	UP_TO_32_BITS(I16X8)
	UP_TO_32_BITS(I32X4)
	UP_TO_16_BITS(I8X16)
	UP_TO_16_BITS(I16X8)
	WIDENING(I16X8, I8X16, extmul)
	WIDENING(I32X4, I16X8, extmul16)
	WIDENING(I64X2, I32X4, extmul)
	FLOAT(F32X4)
	FLOAT(F64X2)
	ROW(V128_CONST, constant, I64X2, 0, NULL, 0)
	ROW(V128_NOT, not, I64X2, 0, NULL, 0)
	ROW(V128_AND, binary, I64X2, LLVMAnd, NULL, 0)
	ROW(V128_ANDNOT, andnot, I64X2, 0, NULL, 0)
	ROW(V128_OR, binary, I64X2, LLVMOr, NULL, 0)
	ROW(V128_XOR, binary, I64X2, LLVMXor, NULL, 0)
	ROW(V128_BITSELECT, bitselect, I64X2, 0, NULL, 0)
	ROW(V128_ANY_TRUE, any_true, I64X2, 0, NULL, 0)
	ROW(I8X16_SHUFFLE, shuffle, I8X16, 0, NULL, 0)
	ROW(I8X16_SWIZZLE, swizzle, I8X16, 0, NULL, 0)
	ROW(I32X4_EXTRACT_LANE, extract_lane, I32X4, 0, NULL, 0)
	ROW(I64X2_EXTRACT_LANE, extract_lane, I64X2, 0, NULL, 0)
	ROW(I8X16_BITMASK, bitmask, I8X16, 0, "llvm.x86.sse2.pmovmskb.128", 0)
	ROW(I16X8_BITMASK, bitmask16, I16X8, 0, NULL, 0)
	ROW(I32X4_BITMASK, bitmask, I32X4, 0, "llvm.x86.sse.movmsk.ps", 0)
	ROW(I64X2_BITMASK, bitmask, I64X2, 0, "llvm.x86.sse2.movmsk.pd", 0)
	ROW(I8X16_SHR_S, shr8_s, I8X16, LLVMAShr, NULL, 0)
	ROW(I8X16_POPCNT, unary_intrinsic, I8X16, 0, "llvm.ctpop", 0)
	ROW(I8X16_AVGR_U, x86_binary, I8X16, 0, "llvm.x86.sse2.pavg.b", 0)
	ROW(I16X8_AVGR_U, x86_binary, I16X8, 0, "llvm.x86.sse2.pavg.w", 0)
	ROW(I8X16_NARROW_I16X8_S, x86_binary, I8X16, 0, "llvm.x86.sse2.packsswb.128", 0)
	ROW(I8X16_NARROW_I16X8_U, x86_binary, I8X16, 0, "llvm.x86.sse2.packuswb.128", 0)
	ROW(I16X8_NARROW_I32X4_S, x86_binary, I16X8, 0, "llvm.x86.sse2.packssdw.128", 0)
	ROW(I16X8_NARROW_I32X4_U, x86_binary, I16X8, 0, "llvm.x86.sse41.packusdw", 0)
	ROW(I16X8_EXTADD_PAIRWISE_I8X16_S, extadd8, I16X8, 0, NULL, 0)
	ROW(I16X8_EXTADD_PAIRWISE_I8X16_U, extadd8, I16X8, IS_UNSIGNED, NULL, 0)
	ROW(I32X4_EXTADD_PAIRWISE_I16X8_S, extadd16, I32X4, 0, NULL, 0)
	ROW(I32X4_EXTADD_PAIRWISE_I16X8_U, extadd16, I32X4, IS_UNSIGNED, NULL, 0)
	ROW(I16X8_SHR_S, shift, I16X8, LLVMAShr, NULL, 0)
	ROW(I16X8_MUL, binary, I16X8, LLVMMul, NULL, 0)
	ROW(I32X4_SHR_S, shift, I32X4, LLVMAShr, NULL, 0)
	ROW(I32X4_MUL, binary, I32X4, LLVMMul, NULL, 0)
	ROW(I64X2_SHR_S, shift, I64X2, LLVMAShr, NULL, 0)
	ROW(I64X2_MUL, binary, I64X2, LLVMMul, NULL, 0)
	ROW(I16X8_Q15MULR_SAT_S, q15mulr_sat, I16X8, 0, NULL, 0)
	ROW(I32X4_DOT_I16X8_S, x86_binary, I32X4, 0, "llvm.x86.sse2.pmadd.wd", 0)
	ROW(F32X4_CONVERT_I32X4_S, convert, F32X4, LLVMSIToFP, NULL, 0)
	ROW(F32X4_CONVERT_I32X4_U, convert, F32X4, LLVMUIToFP, NULL, 0)
	ROW(F64X2_CONVERT_LOW_I32X4_S, convert_low, I32X4, LLVMSIToFP, NULL, 0)
	ROW(F64X2_CONVERT_LOW_I32X4_U, convert_low, I32X4, LLVMUIToFP, NULL, 0)
	ROW(F64X2_PROMOTE_LOW_F32X4, convert_low, F32X4, LLVMFPExt, NULL, 0)
	ROW(F32X4_DEMOTE_F64X2_ZERO, x86_unary, F64X2, 0, "llvm.x86.sse2.cvtpd2ps", 0)
	ROW(I32X4_TRUNC_SAT_F32X4_S, trunc_sat32_s, I32X4, 0, NULL, 0)
	ROW(I32X4_TRUNC_SAT_F32X4_U, trunc_sat32_u, I32X4, 0, NULL, 0)
	ROW(I32X4_TRUNC_SAT_F64X2_S_ZERO, trunc_sat64_s_zero, I32X4, 0, NULL, 0)
	ROW(I32X4_TRUNC_SAT_F64X2_U_ZERO, trunc_sat64_u_zero, I32X4, 0, NULL, 0)
	RELAXED(I8X16_RELAXED_SWIZZLE, I8X16_SWIZZLE, x86_binary, I8X16, 0, "llvm.x86.ssse3.pshuf.b.128")
	RELAXED(I32X4_RELAXED_TRUNC_F32X4_S, I32X4_TRUNC_SAT_F32X4_S, x86_unary, I32X4, 0, "llvm.x86.sse2.cvttps2dq")
	RELAXED(I32X4_RELAXED_TRUNC_F32X4_U, I32X4_TRUNC_SAT_F32X4_U, relaxed_trunc32_u, I32X4, 0, NULL)
	RELAXED(I32X4_RELAXED_TRUNC_F64X2_S_ZERO, I32X4_TRUNC_SAT_F64X2_S_ZERO, x86_unary, I32X4, 0, "llvm.x86.sse2.cvttpd2dq")
	RELAXED(I32X4_RELAXED_TRUNC_F64X2_U_ZERO, I32X4_TRUNC_SAT_F64X2_U_ZERO, relaxed_trunc64_u, I32X4, 0, NULL)
	RELAXED(I8X16_RELAXED_LANESELECT, V128_BITSELECT, laneselect, I8X16, 0, "llvm.x86.sse41.pblendvb")
	RELAXED(I16X8_RELAXED_LANESELECT, V128_BITSELECT, laneselect, I16X8, 0, "llvm.x86.sse41.pblendvb")
	RELAXED(I32X4_RELAXED_LANESELECT, V128_BITSELECT, laneselect, I32X4, 0, "llvm.x86.sse41.blendvps")
	RELAXED(I64X2_RELAXED_LANESELECT, V128_BITSELECT, laneselect, I64X2, 0, "llvm.x86.sse41.blendvpd")
	RELAXED(I16X8_RELAXED_Q15MULR_S, I16X8_Q15MULR_SAT_S, x86_binary, I16X8, 0, "llvm.x86.ssse3.pmul.hr.sw.128")
	ROW(I16X8_RELAXED_DOT_I8X16_I7X16_S, dot, I16X8, 0, NULL, 0)
	ROW(I32X4_RELAXED_DOT_I8X16_I7X16_ADD_S, dot_add, I32X4, 0, NULL, 0)
};
#undef ROW
#undef RELAXED
#undef INTEGER
#undef UP_TO_32_BITS
#undef UP_TO_16_BITS
#undef WIDENING
#undef FLOAT
// clang-format on

LLVMValueRef lower_simd(struct unit *u, struct func *f, const struct we_instr *in, LLVMValueRef *v)
{
	const struct simd_row *row = &rows[in->op];
	LLVMValueRef r;

	(void)f;
	if (u->opt->deterministic && row->strict != WE_OP_NONE)
		row = &rows[row->strict];
	assert(row->lower != NULL);
	r = row->lower(u, row, in, v);
	if (LLVMGetTypeKind(LLVMTypeOf(r)) == LLVMVectorTypeKind)
		r = LLVMBuildBitCast(u->b, r, u->t_v128, "");
	return r;
}
