// SPDX-License-Identifier: BSD-3-Clause
// Lanes: the vector types of the interpreter's table, and those SIMD instructions that are not one C
// expression over them.
//
// Module path 3/6. A v128 is one SSE register; x86-64-v2 (SSE4.2) is the floor of the project.
// Thread: any; pure functions.
// Spec: core "Numerics" (vector instructions), "Relaxed Operations".
#pragma once

#include <nmmintrin.h>
#include <stdint.h>

typedef uint8_t u8;
typedef uint16_t u16;
typedef uint32_t u32;
typedef uint64_t u64;
typedef int8_t i8;
typedef int16_t i16;
typedef int32_t i32;
typedef int64_t i64;
typedef float f32;
typedef double f64;

typedef uint8_t u8x16 __attribute__((vector_size(16)));
typedef uint16_t u16x8 __attribute__((vector_size(16)));
typedef uint32_t u32x4 __attribute__((vector_size(16)));
typedef uint64_t u64x2 __attribute__((vector_size(16)));
typedef int8_t i8x16 __attribute__((vector_size(16)));
typedef int16_t i16x8 __attribute__((vector_size(16)));
typedef int32_t i32x4 __attribute__((vector_size(16)));
typedef int64_t i64x2 __attribute__((vector_size(16)));
typedef float f32x4 __attribute__((vector_size(16)));
typedef double f64x2 __attribute__((vector_size(16)));

// Lanes from 8 on, moved to 0.
static inline __m128i v_high(__m128i x)
{
	return _mm_srli_si128(x, 8);
}

// x where the mask's bits are 0, y where they are 1.
static inline __m128i v_blend(__m128i x, __m128i y, __m128i mask)
{
	return _mm_or_si128(_mm_and_si128(mask, y), _mm_andnot_si128(mask, x));
}

// An index of 16 or more gives 0: the saturating addition sets its top bit, which pshufb answers with 0.
static inline __m128i v_swizzle(__m128i x, __m128i index)
{
	return _mm_shuffle_epi8(x, _mm_adds_epu8(index, _mm_set1_epi8(0x70)));
}

static inline __m128i v_shuffle(__m128i x, __m128i y, __m128i index)
{
	const __m128i from_y = _mm_sub_epi8(index, _mm_set1_epi8(16));

	return _mm_or_si128(v_swizzle(x, index), v_swizzle(y, from_y));
}

static inline __m128i v_popcnt8(__m128i x)
{
	const __m128i low = _mm_set1_epi8(15);
	const __m128i bits = _mm_setr_epi8(0, 1, 1, 2, 1, 2, 2, 3, 1, 2, 2, 3, 2, 3, 3, 4);

	return _mm_add_epi8(_mm_shuffle_epi8(bits, _mm_and_si128(x, low)),
		_mm_shuffle_epi8(bits, _mm_and_si128(_mm_srli_epi16(x, 4), low)));
}

static inline __m128i v_shl8(__m128i x, uint32_t n)
{
	const __m128i count = _mm_cvtsi32_si128((int)(n & 7));

	return _mm_and_si128(_mm_sll_epi16(x, count), _mm_set1_epi8((char)(0xff << (n & 7))));
}

static inline __m128i v_shr8_u(__m128i x, uint32_t n)
{
	const __m128i count = _mm_cvtsi32_si128((int)(n & 7));

	return _mm_and_si128(_mm_srl_epi16(x, count), _mm_set1_epi8((char)(0xff >> (n & 7))));
}

// Each byte in the upper half of 16 bits, so that its sign is shifted in.
static inline __m128i v_shr8_s(__m128i x, uint32_t n)
{
	const __m128i count = _mm_cvtsi32_si128((int)(n & 7) + 8);

	return _mm_packs_epi16(_mm_sra_epi16(_mm_unpacklo_epi8(x, x), count),
		_mm_sra_epi16(_mm_unpackhi_epi8(x, x), count));
}

// (x >> n) with the sign filled in: the sign's place m after a logical shift, then (y ^ m) - m.
static inline __m128i v_shr64_s(__m128i x, uint32_t n)
{
	const __m128i count = _mm_cvtsi32_si128((int)(n & 63));
	const __m128i m = _mm_srl_epi64(_mm_set1_epi64x(INT64_MIN), count);

	return _mm_sub_epi64(_mm_xor_si128(_mm_srl_epi64(x, count), m), m);
}

static inline __m128i v_abs64(__m128i x)
{
	const __m128i sign = _mm_cmpgt_epi64(_mm_setzero_si128(), x);

	return _mm_sub_epi64(_mm_xor_si128(x, sign), sign);
}

static inline __m128i v_extadd16_s(__m128i x)
{
	return _mm_maddubs_epi16(_mm_set1_epi8(1), x);
}

static inline __m128i v_extadd16_u(__m128i x)
{
	return _mm_maddubs_epi16(x, _mm_set1_epi8(1));
}

static inline __m128i v_extadd32_s(__m128i x)
{
	return _mm_madd_epi16(x, _mm_set1_epi16(1));
}

static inline __m128i v_extadd32_u(__m128i x)
{
	return _mm_add_epi32(_mm_and_si128(x, _mm_set1_epi32(0xffff)), _mm_srli_epi32(x, 16));
}

// mulhrs gives 0x8000 only for 0x8000 * 0x8000, where 0x7fff is wanted.
static inline __m128i v_q15mulr_sat(__m128i x, __m128i y)
{
	const __m128i r = _mm_mulhrs_epi16(x, y);

	return _mm_xor_si128(r, _mm_cmpeq_epi16(r, _mm_set1_epi16(INT16_MIN)));
}

static inline __m128i v_extmul64_s(__m128i x, __m128i y)
{
	return _mm_mul_epi32(_mm_cvtepi32_epi64(x), _mm_cvtepi32_epi64(y));
}

static inline __m128i v_extmul64_u(__m128i x, __m128i y)
{
	return _mm_mul_epu32(_mm_cvtepu32_epi64(x), _mm_cvtepu32_epi64(y));
}

static inline __m128i v_extmul32_s(__m128i x, __m128i y)
{
	return _mm_mullo_epi32(_mm_cvtepi16_epi32(x), _mm_cvtepi16_epi32(y));
}

static inline __m128i v_extmul32_u(__m128i x, __m128i y)
{
	return _mm_mullo_epi32(_mm_cvtepu16_epi32(x), _mm_cvtepu16_epi32(y));
}

static inline __m128i v_extmul16_s(__m128i x, __m128i y)
{
	return _mm_mullo_epi16(_mm_cvtepi8_epi16(x), _mm_cvtepi8_epi16(y));
}

static inline __m128i v_extmul16_u(__m128i x, __m128i y)
{
	return _mm_mullo_epi16(_mm_cvtepu8_epi16(x), _mm_cvtepu8_epi16(y));
}

// minps answers its second operand for a NaN or two zeros: both orders together have every sign bit, and
// where either operand is a NaN, their sum is the quiet one.
static inline __m128 v_min32(__m128 x, __m128 y)
{
	const __m128 r = _mm_or_ps(_mm_min_ps(x, y), _mm_min_ps(y, x));

	return _mm_blendv_ps(r, _mm_add_ps(x, y), _mm_cmpunord_ps(x, y));
}

static inline __m128 v_max32(__m128 x, __m128 y)
{
	const __m128 r = _mm_and_ps(_mm_max_ps(x, y), _mm_max_ps(y, x));

	return _mm_blendv_ps(r, _mm_add_ps(x, y), _mm_cmpunord_ps(x, y));
}

static inline __m128d v_min64(__m128d x, __m128d y)
{
	const __m128d r = _mm_or_pd(_mm_min_pd(x, y), _mm_min_pd(y, x));

	return _mm_blendv_pd(r, _mm_add_pd(x, y), _mm_cmpunord_pd(x, y));
}

static inline __m128d v_max64(__m128d x, __m128d y)
{
	const __m128d r = _mm_and_pd(_mm_max_pd(x, y), _mm_max_pd(y, x));

	return _mm_blendv_pd(r, _mm_add_pd(x, y), _mm_cmpunord_pd(x, y));
}

// cvttps2dq answers 0x80000000 for what it cannot convert: right below the range, all bits flipped above it.
static inline __m128i v_trunc_sat32_s(__m128 x)
{
	const __m128i above = _mm_castps_si128(_mm_cmpge_ps(x, _mm_set1_ps(2147483648.0f)));
	const __m128 number = _mm_and_ps(x, _mm_cmpord_ps(x, x));

	return _mm_xor_si128(_mm_cvttps_epi32(number), above);
}

// Lanes from 2^31 on are converted less 2^31.
static inline __m128i v_trunc_sat32_u(__m128 x)
{
	const __m128 half = _mm_set1_ps(2147483648.0f);
	const __m128 positive = _mm_max_ps(x, _mm_setzero_ps()); // a NaN too becomes 0
	const __m128 upper = _mm_cmpge_ps(positive, half);
	const __m128 above = _mm_cmpge_ps(positive, _mm_set1_ps(4294967296.0f));
	const __m128i r = _mm_cvttps_epi32(_mm_sub_ps(positive, _mm_and_ps(upper, half)));

	return _mm_or_si128(_mm_xor_si128(r, _mm_slli_epi32(_mm_castps_si128(upper), 31)),
		_mm_castps_si128(above));
}

static inline __m128i v_trunc_sat64_s_zero(__m128d x)
{
	const __m128d number = _mm_and_pd(x, _mm_cmpord_pd(x, x));

	return _mm_cvttpd_epi32(_mm_min_pd(number, _mm_set1_pd(2147483647.0)));
}

// The integer is the low half of the bits of x + 2^52.
static inline __m128i v_trunc_sat64_u_zero(__m128d x)
{
	const __m128d clamped =
		_mm_min_pd(_mm_max_pd(x, _mm_setzero_pd()), _mm_set1_pd(4294967295.0));
	const __m128d whole = _mm_round_pd(clamped, _MM_FROUND_TO_ZERO | _MM_FROUND_NO_EXC);
	const __m128d shifted = _mm_add_pd(whole, _mm_set1_pd(4503599627370496.0));

	return _mm_castps_si128(
		_mm_shuffle_ps(_mm_castpd_ps(shifted), _mm_setzero_ps(), _MM_SHUFFLE(0, 0, 2, 0)));
}

static inline __m128d v_convert_low32_u(__m128i x)
{
	const __m128i exponent = _mm_set1_epi32(0x43300000); // 2^52

	return _mm_sub_pd(
		_mm_castsi128_pd(_mm_unpacklo_epi32(x, exponent)), _mm_set1_pd(4503599627370496.0));
}

// 16 pairs of signed bytes, summed by two: what a deterministic engine does.
static inline __m128i v_signed_dot(__m128i x, __m128i y)
{
	const __m128i even = _mm_mullo_epi16(
		_mm_srai_epi16(_mm_slli_epi16(x, 8), 8), _mm_srai_epi16(_mm_slli_epi16(y, 8), 8));

	return _mm_add_epi16(even, _mm_mullo_epi16(_mm_srai_epi16(x, 8), _mm_srai_epi16(y, 8)));
}

// 16 pairs of 8 by 7 bits, summed by two: pmaddubsw takes the 7-bit operand as its unsigned one.
static inline __m128i v_relaxed_dot(__m128i x, __m128i y)
{
	return _mm_maddubs_epi16(y, x);
}
