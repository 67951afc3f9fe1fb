// SPDX-License-Identifier: BSD-3-Clause
// Kernel: is a text UTF-8, and how many characters has it; 16 bytes at a time, by the lookup algorithm of Keiser and Lemire,
// "Validating UTF-8 In Less Than One Instruction Per Byte" (2021), section 6.
#include "kernel.h"

#include <stdbool.h>
#include <wasm_simd128.h>

enum {
	TEXT_LEN = 64 * 1024, // bytes
	LANES = sizeof(v128_t),
};

// What two bytes in a row may be wrong about: a bit that all three lookups share.
enum {
	TOO_SHORT = 1 << 0, // a leading byte, or ASCII, in place of a continuation
	TOO_LONG = 1 << 1,  // ASCII and a continuation
	OVERLONG_3 = 1 << 2,
	TOO_LARGE = 1 << 3, // above 0x10ffff
	SURROGATE = 1 << 4,
	OVERLONG_2 = 1 << 5,
	TOO_LARGE_2 = 1 << 6, // 0xf5 and above
	OVERLONG_4 = 1 << 6,
	TWO_CONTS = 1 << 7, // right where the byte before the two says so
	CARRY = TOO_SHORT | TOO_LONG | TWO_CONTS,
};

static uint8_t text[TEXT_LEN];

// What is wrong with the 16 bytes of now, behind those of before.
static v128_t check(v128_t now, v128_t before)
{
	const v128_t by_high_1 = wasm_u8x16_const(TOO_LONG, TOO_LONG, TOO_LONG, TOO_LONG, TOO_LONG,
		TOO_LONG, TOO_LONG, TOO_LONG, TWO_CONTS, TWO_CONTS, TWO_CONTS, TWO_CONTS,
		TOO_SHORT | OVERLONG_2, TOO_SHORT, TOO_SHORT | OVERLONG_3 | SURROGATE,
		TOO_SHORT | TOO_LARGE | TOO_LARGE_2 | OVERLONG_4);
	const v128_t by_low_1 = wasm_u8x16_const(CARRY | OVERLONG_3 | OVERLONG_2 | OVERLONG_4,
		CARRY | OVERLONG_2, CARRY, CARRY, CARRY | TOO_LARGE,
		CARRY | TOO_LARGE | TOO_LARGE_2, CARRY | TOO_LARGE | TOO_LARGE_2,
		CARRY | TOO_LARGE | TOO_LARGE_2, CARRY | TOO_LARGE | TOO_LARGE_2,
		CARRY | TOO_LARGE | TOO_LARGE_2, CARRY | TOO_LARGE | TOO_LARGE_2,
		CARRY | TOO_LARGE | TOO_LARGE_2, CARRY | TOO_LARGE | TOO_LARGE_2,
		CARRY | TOO_LARGE | TOO_LARGE_2 | SURROGATE, CARRY | TOO_LARGE | TOO_LARGE_2,
		CARRY | TOO_LARGE | TOO_LARGE_2);
	const v128_t by_high_2 = wasm_u8x16_const(TOO_SHORT, TOO_SHORT, TOO_SHORT, TOO_SHORT,
		TOO_SHORT, TOO_SHORT, TOO_SHORT, TOO_SHORT,
		TOO_LONG | OVERLONG_2 | TWO_CONTS | OVERLONG_3 | TOO_LARGE_2 | OVERLONG_4,
		TOO_LONG | OVERLONG_2 | TWO_CONTS | OVERLONG_3 | TOO_LARGE,
		TOO_LONG | OVERLONG_2 | TWO_CONTS | SURROGATE | TOO_LARGE,
		TOO_LONG | OVERLONG_2 | TWO_CONTS | SURROGATE | TOO_LARGE, TOO_SHORT, TOO_SHORT,
		TOO_SHORT, TOO_SHORT);
	const v128_t back_1 = wasm_i8x16_shuffle(
		before, now, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30);
	const v128_t back_2 = wasm_i8x16_shuffle(
		before, now, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29);
	const v128_t back_3 = wasm_i8x16_shuffle(
		before, now, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28);
	const v128_t nibble = wasm_u8x16_const_splat(15);
	const v128_t pairs = wasm_v128_and(
		wasm_v128_and(wasm_i8x16_swizzle(by_high_1, wasm_u8x16_shr(back_1, 4)),
			wasm_i8x16_swizzle(by_low_1, wasm_v128_and(back_1, nibble))),
		wasm_i8x16_swizzle(by_high_2, wasm_u8x16_shr(now, 4)));
	// The third of three or four bytes, the fourth of four: their high bit, as TWO_CONTS.
	const v128_t is_third = wasm_u8x16_sub_sat(back_2, wasm_u8x16_const_splat(0xe0 - 0x80));
	const v128_t is_fourth = wasm_u8x16_sub_sat(back_3, wasm_u8x16_const_splat(0xf0 - 0x80));
	const v128_t must =
		wasm_v128_and(wasm_v128_or(is_third, is_fourth), wasm_u8x16_const_splat(TWO_CONTS));

	return wasm_v128_xor(must, pairs);
}

// Returns: how many characters, or -1.
static int64_t count_characters(const uint8_t *at, uint32_t len)
{
	const v128_t zero = wasm_u8x16_const_splat(0);
	const v128_t last_continuation = wasm_i8x16_const_splat((int8_t)0xbf);
	v128_t before = zero;
	v128_t wrong = zero;
	int64_t n = 0;

	for (uint32_t i = 0; i < len; i += LANES) {
		const v128_t now = wasm_v128_load(at + i);

		if (wasm_i8x16_bitmask(wasm_v128_or(now, before)) == 0) {
			n += LANES; // ASCII
		} else {
			wrong = wasm_v128_or(wrong, check(now, before));
			n += __builtin_popcount(
				wasm_i8x16_bitmask(wasm_i8x16_gt(now, last_continuation)));
		}
		before = now;
	}
	wrong = wasm_v128_or(wrong, check(zero, before)); // one that is not whole
	return wasm_v128_any_true(wrong) ? -1 : n;
}

// Words of one to four bytes a character, and spaces. Returns the bytes written, at most 32.
static uint32_t put_word(uint8_t *at, uint64_t random)
{
	const uint32_t n = 1 + (uint32_t)(random >> 8 & 7);
	uint32_t len = 0;

	for (uint32_t i = 0; i < n; i++) {
		const uint8_t low = (uint8_t)(random >> (16 + 4 * i) & 15);

		switch (random & 7) {
		case 0:
			at[len++] = 0xc3;
			at[len++] = (uint8_t)(0xa0 | low);
			break;
		case 1:
			at[len++] = 0xe4;
			at[len++] = (uint8_t)(0xb8 | (low & 7));
			at[len++] = (uint8_t)(0x80 | low);
			break;
		case 2:
			at[len++] = 0xf0;
			at[len++] = 0x9f;
			at[len++] = 0x98;
			at[len++] = (uint8_t)(0x80 | low);
			break;
		default:
			at[len++] = (uint8_t)('a' + low);
		}
	}
	return len;
}

static void fill(void)
{
	static uint8_t word[32];
	uint64_t state = 3;
	uint32_t len = 0;

	while (len < TEXT_LEN) {
		const uint32_t n = put_word(word, kernel_random(&state));

		if (len + n > TEXT_LEN - 1)
			break;
		__builtin_memcpy(text + len, word, n);
		len += n;
		text[len++] = ' ';
	}
	while (len < TEXT_LEN)
		text[len++] = ' ';
}

KERNEL_EXPORT("run") int64_t run(int64_t n)
{
	uint64_t state = 4;
	uint64_t sum = 0;

	fill();
	// One byte is spoilt in every other turn; what a text has of one byte a character may stay right.
	for (int64_t i = 0; i < n; i++) {
		const uint32_t at = (uint32_t)(kernel_random(&state) % TEXT_LEN);
		const uint8_t kept = text[at];

		if ((i & 1) != 0)
			text[at] = (uint8_t)(kept + 0x30);
		sum = sum * 31 + (uint64_t)count_characters(text, TEXT_LEN);
		text[at] = kept;
	}
	return (int64_t)sum;
}
