// SPDX-License-Identifier: BSD-3-Clause
// See relaxed.h.
#include "relaxed.h"

#include <immintrin.h>

#define WITH_FMA __attribute__((target("fma")))

WITH_FMA f32x4 v_fused_madd32(f32x4 x, f32x4 y, f32x4 z)
{
	return (f32x4)_mm_fmadd_ps((__m128)x, (__m128)y, (__m128)z);
}

WITH_FMA f32x4 v_fused_nmadd32(f32x4 x, f32x4 y, f32x4 z)
{
	return (f32x4)_mm_fnmadd_ps((__m128)x, (__m128)y, (__m128)z);
}

WITH_FMA f64x2 v_fused_madd64(f64x2 x, f64x2 y, f64x2 z)
{
	return (f64x2)_mm_fmadd_pd((__m128d)x, (__m128d)y, (__m128d)z);
}

WITH_FMA f64x2 v_fused_nmadd64(f64x2 x, f64x2 y, f64x2 z)
{
	return (f64x2)_mm_fnmadd_pd((__m128d)x, (__m128d)y, (__m128d)z);
}

static uint32_t to_u32(double x)
{
	return x > -1.0 && x < 4294967296.0 ? (uint32_t)(int64_t)x : UINT32_MAX;
}

__m128i v_cvttps2udq(__m128 x)
{
	const f32x4 v = (f32x4)x;
	const u32x4 r = {to_u32((double)v[0]), to_u32((double)v[1]), to_u32((double)v[2]),
		to_u32((double)v[3])};

	return (__m128i)r;
}

__m128i v_cvttpd2udq(__m128d x)
{
	const f64x2 v = (f64x2)x;
	const u32x4 r = {to_u32(v[0]), to_u32(v[1]), 0, 0};

	return (__m128i)r;
}

__m128i v_vpdpbusd(__m128i x, __m128i y, __m128i z)
{
	const i8x16 s = (i8x16)x;
	const u8x16 u = (u8x16)y;
	u32x4 r = (u32x4)z;

	for (int i = 0; i < 16; i++)
		r[i / 4] += (uint32_t)(s[i] * u[i]);
	return (__m128i)r;
}
