// SPDX-License-Identifier: BSD-3-Clause
// The scalar numerics of the specification, where they are not those of C: every function is exact.
//
// Integers are unsigned; a signed interpretation is in the name. Floats keep their bits: nothing here
// depends on the rounding mode being other than to nearest, and a signalling NaN comes out quiet where
// the specification asks for an arithmetic NaN.
// Thread: any; pure functions.
// Spec: core "Numerics".
#pragma once

#include "we.h"

#include <smmintrin.h>
#include <string.h>

// ---- bits ---------------------------------------------------------------------------------------

static inline uint32_t we_f32_bits(float x)
{
	uint32_t bits;

	memcpy(&bits, &x, sizeof(bits));
	return bits;
}

static inline float we_f32_from_bits(uint32_t bits)
{
	float x;

	memcpy(&x, &bits, sizeof(x));
	return x;
}

static inline uint64_t we_f64_bits(double x)
{
	uint64_t bits;

	memcpy(&bits, &x, sizeof(bits));
	return bits;
}

static inline double we_f64_from_bits(uint64_t bits)
{
	double x;

	memcpy(&x, &bits, sizeof(x));
	return x;
}

// ---- integers -----------------------------------------------------------------------------------

static inline uint32_t we_i32_clz(uint32_t x)
{
	return x == 0 ? 32 : (uint32_t)__builtin_clz(x);
}

static inline uint32_t we_i32_ctz(uint32_t x)
{
	return x == 0 ? 32 : (uint32_t)__builtin_ctz(x);
}

static inline uint64_t we_i64_clz(uint64_t x)
{
	return x == 0 ? 64 : (uint64_t)__builtin_clzll(x);
}

static inline uint64_t we_i64_ctz(uint64_t x)
{
	return x == 0 ? 64 : (uint64_t)__builtin_ctzll(x);
}

static inline uint32_t we_i32_rotl(uint32_t x, uint32_t n)
{
	return x << (n & 31) | x >> (-n & 31);
}

static inline uint32_t we_i32_rotr(uint32_t x, uint32_t n)
{
	return x >> (n & 31) | x << (-n & 31);
}

static inline uint64_t we_i64_rotl(uint64_t x, uint64_t n)
{
	return x << (n & 63) | x >> (-n & 63);
}

static inline uint64_t we_i64_rotr(uint64_t x, uint64_t n)
{
	return x >> (n & 63) | x << (-n & 63);
}

// The trapping ones return WE_TRAP_NONE and *ret, or the trap.

static inline enum we_trap we_i32_div_s(uint32_t x, uint32_t y, uint32_t *ret)
{
	if (y == 0)
		return WE_TRAP_INTEGER_DIVIDE_BY_ZERO;
	if (x == 0x80000000u && y == UINT32_MAX)
		return WE_TRAP_INTEGER_OVERFLOW;
	*ret = (uint32_t)((int32_t)x / (int32_t)y);
	return WE_TRAP_NONE;
}

static inline enum we_trap we_i32_div_u(uint32_t x, uint32_t y, uint32_t *ret)
{
	if (y == 0)
		return WE_TRAP_INTEGER_DIVIDE_BY_ZERO;
	*ret = x / y;
	return WE_TRAP_NONE;
}

static inline enum we_trap we_i32_rem_s(uint32_t x, uint32_t y, uint32_t *ret)
{
	if (y == 0)
		return WE_TRAP_INTEGER_DIVIDE_BY_ZERO;
	*ret = y == UINT32_MAX ? 0 : (uint32_t)((int32_t)x % (int32_t)y);
	return WE_TRAP_NONE;
}

static inline enum we_trap we_i32_rem_u(uint32_t x, uint32_t y, uint32_t *ret)
{
	if (y == 0)
		return WE_TRAP_INTEGER_DIVIDE_BY_ZERO;
	*ret = x % y;
	return WE_TRAP_NONE;
}

static inline enum we_trap we_i64_div_s(uint64_t x, uint64_t y, uint64_t *ret)
{
	if (y == 0)
		return WE_TRAP_INTEGER_DIVIDE_BY_ZERO;
	if (x == 0x8000000000000000u && y == UINT64_MAX)
		return WE_TRAP_INTEGER_OVERFLOW;
	*ret = (uint64_t)((int64_t)x / (int64_t)y);
	return WE_TRAP_NONE;
}

static inline enum we_trap we_i64_div_u(uint64_t x, uint64_t y, uint64_t *ret)
{
	if (y == 0)
		return WE_TRAP_INTEGER_DIVIDE_BY_ZERO;
	*ret = x / y;
	return WE_TRAP_NONE;
}

static inline enum we_trap we_i64_rem_s(uint64_t x, uint64_t y, uint64_t *ret)
{
	if (y == 0)
		return WE_TRAP_INTEGER_DIVIDE_BY_ZERO;
	*ret = y == UINT64_MAX ? 0 : (uint64_t)((int64_t)x % (int64_t)y);
	return WE_TRAP_NONE;
}

static inline enum we_trap we_i64_rem_u(uint64_t x, uint64_t y, uint64_t *ret)
{
	if (y == 0)
		return WE_TRAP_INTEGER_DIVIDE_BY_ZERO;
	*ret = x % y;
	return WE_TRAP_NONE;
}

// ---- floats -------------------------------------------------------------------------------------

static inline float we_f32_ceil(float x)
{
	const __m128 v = _mm_set_ss(x);

	return _mm_cvtss_f32(_mm_round_ss(v, v, _MM_FROUND_TO_POS_INF | _MM_FROUND_NO_EXC));
}

static inline float we_f32_floor(float x)
{
	const __m128 v = _mm_set_ss(x);

	return _mm_cvtss_f32(_mm_round_ss(v, v, _MM_FROUND_TO_NEG_INF | _MM_FROUND_NO_EXC));
}

static inline float we_f32_trunc(float x)
{
	const __m128 v = _mm_set_ss(x);

	return _mm_cvtss_f32(_mm_round_ss(v, v, _MM_FROUND_TO_ZERO | _MM_FROUND_NO_EXC));
}

// To the nearest integer, ties to even.
static inline float we_f32_nearest(float x)
{
	const __m128 v = _mm_set_ss(x);

	return _mm_cvtss_f32(_mm_round_ss(v, v, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC));
}

static inline float we_f32_sqrt(float x)
{
	return _mm_cvtss_f32(_mm_sqrt_ss(_mm_set_ss(x)));
}

// The smaller one; -0 is smaller than +0; a NaN if either is one.
static inline float we_f32_min(float x, float y)
{
	if (x < y)
		return x;
	if (y < x)
		return y;
	if (x == y) // the same bits, or zeros: a sign wins
		return we_f32_from_bits(we_f32_bits(x) | we_f32_bits(y));
	return x + y;
}

static inline float we_f32_max(float x, float y)
{
	if (x < y)
		return y;
	if (y < x)
		return x;
	if (x == y)
		return we_f32_from_bits(we_f32_bits(x) & we_f32_bits(y));
	return x + y;
}

static inline double we_f64_ceil(double x)
{
	const __m128d v = _mm_set_sd(x);

	return _mm_cvtsd_f64(_mm_round_sd(v, v, _MM_FROUND_TO_POS_INF | _MM_FROUND_NO_EXC));
}

static inline double we_f64_floor(double x)
{
	const __m128d v = _mm_set_sd(x);

	return _mm_cvtsd_f64(_mm_round_sd(v, v, _MM_FROUND_TO_NEG_INF | _MM_FROUND_NO_EXC));
}

static inline double we_f64_trunc(double x)
{
	const __m128d v = _mm_set_sd(x);

	return _mm_cvtsd_f64(_mm_round_sd(v, v, _MM_FROUND_TO_ZERO | _MM_FROUND_NO_EXC));
}

static inline double we_f64_nearest(double x)
{
	const __m128d v = _mm_set_sd(x);

	return _mm_cvtsd_f64(_mm_round_sd(v, v, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC));
}

static inline double we_f64_sqrt(double x)
{
	const __m128d v = _mm_set_sd(x);

	return _mm_cvtsd_f64(_mm_sqrt_sd(v, v));
}

static inline double we_f64_min(double x, double y)
{
	if (x < y)
		return x;
	if (y < x)
		return y;
	if (x == y)
		return we_f64_from_bits(we_f64_bits(x) | we_f64_bits(y));
	return x + y;
}

static inline double we_f64_max(double x, double y)
{
	if (x < y)
		return y;
	if (y < x)
		return x;
	if (x == y)
		return we_f64_from_bits(we_f64_bits(x) & we_f64_bits(y));
	return x + y;
}

// ---- conversions --------------------------------------------------------------------------------

static inline float we_f32_demote(double x)
{
	return (float)x; // cvtsd2ss makes a NaN quiet
}

static inline double we_f64_promote(float x)
{
	return (double)x;
}

// Why a float outside the range of the integer type cannot be converted.
static inline enum we_trap we_trunc_trap(bool is_nan)
{
	return is_nan ? WE_TRAP_INVALID_CONVERSION : WE_TRAP_INTEGER_OVERFLOW;
}

// The bounds are those floats nearest to the limits of the integer type that are still outside (or, where
// the limit is a float itself, the limit): exact comparisons in the type of the operand.

static inline enum we_trap we_i32_trunc_f32_s(float x, uint32_t *ret)
{
	if (!(x >= -2147483648.0f && x < 2147483648.0f))
		return we_trunc_trap(x != x);
	*ret = (uint32_t)(int32_t)x;
	return WE_TRAP_NONE;
}

static inline enum we_trap we_i32_trunc_f32_u(float x, uint32_t *ret)
{
	if (!(x > -1.0f && x < 4294967296.0f))
		return we_trunc_trap(x != x);
	*ret = (uint32_t)(int64_t)x;
	return WE_TRAP_NONE;
}

static inline enum we_trap we_i32_trunc_f64_s(double x, uint32_t *ret)
{
	if (!(x > -2147483649.0 && x < 2147483648.0))
		return we_trunc_trap(x != x);
	*ret = (uint32_t)(int32_t)x;
	return WE_TRAP_NONE;
}

static inline enum we_trap we_i32_trunc_f64_u(double x, uint32_t *ret)
{
	if (!(x > -1.0 && x < 4294967296.0))
		return we_trunc_trap(x != x);
	*ret = (uint32_t)(int64_t)x;
	return WE_TRAP_NONE;
}

static inline enum we_trap we_i64_trunc_f32_s(float x, uint64_t *ret)
{
	if (!(x >= -9223372036854775808.0f && x < 9223372036854775808.0f))
		return we_trunc_trap(x != x);
	*ret = (uint64_t)(int64_t)x;
	return WE_TRAP_NONE;
}

static inline enum we_trap we_i64_trunc_f32_u(float x, uint64_t *ret)
{
	if (!(x > -1.0f && x < 18446744073709551616.0f))
		return we_trunc_trap(x != x);
	*ret = x < 0 ? 0 : (uint64_t)x;
	return WE_TRAP_NONE;
}

static inline enum we_trap we_i64_trunc_f64_s(double x, uint64_t *ret)
{
	if (!(x >= -9223372036854775808.0 && x < 9223372036854775808.0))
		return we_trunc_trap(x != x);
	*ret = (uint64_t)(int64_t)x;
	return WE_TRAP_NONE;
}

static inline enum we_trap we_i64_trunc_f64_u(double x, uint64_t *ret)
{
	if (!(x > -1.0 && x < 18446744073709551616.0))
		return we_trunc_trap(x != x);
	*ret = x < 0 ? 0 : (uint64_t)x;
	return WE_TRAP_NONE;
}

// Saturating: NaN is 0, what lies outside is the nearer limit.

static inline uint32_t we_i32_trunc_sat_f32_s(float x)
{
	uint32_t r;

	if (we_i32_trunc_f32_s(x, &r) == WE_TRAP_NONE)
		return r;
	return x != x ? 0 : x < 0 ? 0x80000000u : 0x7fffffffu;
}

static inline uint32_t we_i32_trunc_sat_f32_u(float x)
{
	uint32_t r;

	if (we_i32_trunc_f32_u(x, &r) == WE_TRAP_NONE)
		return r;
	return x > 0 ? UINT32_MAX : 0;
}

static inline uint32_t we_i32_trunc_sat_f64_s(double x)
{
	uint32_t r;

	if (we_i32_trunc_f64_s(x, &r) == WE_TRAP_NONE)
		return r;
	return x != x ? 0 : x < 0 ? 0x80000000u : 0x7fffffffu;
}

static inline uint32_t we_i32_trunc_sat_f64_u(double x)
{
	uint32_t r;

	if (we_i32_trunc_f64_u(x, &r) == WE_TRAP_NONE)
		return r;
	return x > 0 ? UINT32_MAX : 0;
}

static inline uint64_t we_i64_trunc_sat_f32_s(float x)
{
	uint64_t r;

	if (we_i64_trunc_f32_s(x, &r) == WE_TRAP_NONE)
		return r;
	return x != x ? 0 : x < 0 ? 0x8000000000000000u : 0x7fffffffffffffffu;
}

static inline uint64_t we_i64_trunc_sat_f32_u(float x)
{
	uint64_t r;

	if (we_i64_trunc_f32_u(x, &r) == WE_TRAP_NONE)
		return r;
	return x > 0 ? UINT64_MAX : 0;
}

static inline uint64_t we_i64_trunc_sat_f64_s(double x)
{
	uint64_t r;

	if (we_i64_trunc_f64_s(x, &r) == WE_TRAP_NONE)
		return r;
	return x != x ? 0 : x < 0 ? 0x8000000000000000u : 0x7fffffffffffffffu;
}

static inline uint64_t we_i64_trunc_sat_f64_u(double x)
{
	uint64_t r;

	if (we_i64_trunc_f64_u(x, &r) == WE_TRAP_NONE)
		return r;
	return x > 0 ? UINT64_MAX : 0;
}
