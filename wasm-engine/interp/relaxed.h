// SPDX-License-Identifier: BSD-3-Clause
// Relaxed instructions as native code does them with what a processor has beyond x86-64-v2, so that both tiers of an engine
// choose alike.
//
// Module path 3/6. Thread: any; pure functions.
// Spec: core "Relaxed Operations": what an instruction chooses stays the same during an execution.
#pragma once

#include "simd.h"

// x * y + z and z - x * y, rounded once. The processor has FMA.
f32x4 v_fused_madd32(f32x4 x, f32x4 y, f32x4 z);
f32x4 v_fused_nmadd32(f32x4 x, f32x4 y, f32x4 z);
f64x2 v_fused_madd64(f64x2 x, f64x2 y, f64x2 z);
f64x2 v_fused_nmadd64(f64x2 x, f64x2 y, f64x2 z);
// cvttps2udq, cvttpd2udq: 2^32 - 1 of what they cannot convert.
__m128i v_cvttps2udq(__m128 x);
__m128i v_cvttpd2udq(__m128d x);
// vpdpbusd: the bytes of y are unsigned, and nothing saturates.
__m128i v_vpdpbusd(__m128i x, __m128i y, __m128i z);
