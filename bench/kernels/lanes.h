// SPDX-License-Identifier: BSD-3-Clause
// Vectors of 16 bytes for the kernels that are built for wasm and for the host from one source: the compiler's vector types
// for whatever C has an operator for, and a name for the few instructions that it has not.
#pragma once

#include <stdint.h>

typedef uint8_t u8x16 __attribute__((vector_size(16)));
typedef uint16_t u16x8 __attribute__((vector_size(16)));
typedef uint32_t u32x4 __attribute__((vector_size(16)));
typedef uint64_t u64x2 __attribute__((vector_size(16)));

// 16 bytes at any address.
static inline u8x16 lanes_load(const void *at)
{
	u8x16 lanes;

	__builtin_memcpy(&lanes, at, sizeof(lanes));
	return lanes;
}

static inline void lanes_store(void *at, u8x16 lanes)
{
	__builtin_memcpy(at, &lanes, sizeof(lanes));
}

#ifdef __wasm__

#include <wasm_simd128.h>

// Lane i of the result is lane pick[i] of lanes; pick[i] < 16, or 128 and above for 0.
static inline u8x16 lanes_pick(u8x16 lanes, u8x16 pick)
{
	return (u8x16)wasm_i8x16_relaxed_swizzle((v128_t)lanes, (v128_t)pick);
}

// Bit i: the highest of byte i.
static inline uint32_t lanes_bits(u8x16 lanes)
{
	return wasm_i8x16_bitmask((v128_t)lanes);
}

#else

#include <smmintrin.h>

static inline u8x16 lanes_pick(u8x16 lanes, u8x16 pick)
{
	return (u8x16)_mm_shuffle_epi8((__m128i)lanes, (__m128i)pick);
}

static inline uint32_t lanes_bits(u8x16 lanes)
{
	return (uint32_t)_mm_movemask_epi8((__m128i)lanes);
}

#endif
