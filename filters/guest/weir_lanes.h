// SPDX-License-Identifier: BSD-3-Clause
// The few 16-byte vector operations that parsing needs: Wasm SIMD in a filter, plain C where a unit test of a
// filter's logic is built for the host.
#pragma once

#include <stdbool.h>
#include <stdint.h>

typedef uint8_t weir_u8x16 __attribute__((vector_size(16)));
typedef uint16_t weir_u16x8 __attribute__((vector_size(16)));
typedef uint32_t weir_u32x4 __attribute__((vector_size(16)));
typedef uint64_t weir_u64x2 __attribute__((vector_size(16)));

// 16 bytes at any address. All of them are read: what they mean may end before.
static inline weir_u8x16 weir_lanes_load(const void *at)
{
	weir_u8x16 lanes;

	__builtin_memcpy(&lanes, at, sizeof(lanes));
	return lanes;
}

static inline void weir_lanes_store(void *at, weir_u8x16 lanes)
{
	__builtin_memcpy(at, &lanes, sizeof(lanes));
}

#ifdef __wasm__

#include <wasm_simd128.h>

// Lane i of the result is lane pick[i] of lanes; pick[i] < 16, or 128 and above for 0. Relaxed: what 16 to 127
// give depends on the machine, so that one pshufb does it. The empty asm keeps the compiler from making i8x16.shuffle of
// a constant pick: that takes two vectors, so an interpreter does twice the work for it.
static inline weir_u8x16 weir_lanes_gather(weir_u8x16 lanes, weir_u8x16 pick)
{
	__asm__("" : "+r"(pick));
	return (weir_u8x16)wasm_i8x16_relaxed_swizzle((v128_t)lanes, (v128_t)pick);
}

static inline bool weir_lanes_any(weir_u8x16 lanes)
{
	return wasm_v128_any_true((v128_t)lanes);
}

static inline uint32_t weir_lanes_nonzero(weir_u8x16 lanes)
{
	return wasm_i8x16_bitmask(wasm_i8x16_ne((v128_t)lanes, wasm_i8x16_const_splat(0)));
}

#else

static inline weir_u8x16 weir_lanes_gather(weir_u8x16 lanes, weir_u8x16 pick)
{
	weir_u8x16 out;

	for (int i = 0; i < 16; i++)
		out[i] = pick[i] < 16 ? lanes[pick[i]] : 0;
	return out;
}

static inline bool weir_lanes_any(weir_u8x16 lanes)
{
	const weir_u64x2 halves = (weir_u64x2)lanes;

	return (halves[0] | halves[1]) != 0;
}

// Bit i: byte i is not 0.
static inline uint32_t weir_lanes_nonzero(weir_u8x16 lanes)
{
	uint32_t bits = 0;

	for (uint32_t i = 0; i < 16; i++)
		bits |= (uint32_t)(lanes[i] != 0) << i;
	return bits;
}

#endif
