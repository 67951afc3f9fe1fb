// SPDX-License-Identifier: BSD-3-Clause
// Kernel: ChaCha20 (RFC 8439) of 256 bytes: four blocks at once, a block a lane.
#include "kernel.h"
#include "lanes.h"

enum {
	BLOCKS = 4,
	WORDS = 16,
	LEN = BLOCKS * WORDS * 4, // bytes
};

static uint8_t text[LEN];

static u32x4 rotate_16(u32x4 x)
{
	return (u32x4)__builtin_shufflevector(
		(u8x16)x, (u8x16)x, 2, 3, 0, 1, 6, 7, 4, 5, 10, 11, 8, 9, 14, 15, 12, 13);
}

static u32x4 rotate_8(u32x4 x)
{
	return (u32x4)__builtin_shufflevector(
		(u8x16)x, (u8x16)x, 3, 0, 1, 2, 7, 4, 5, 6, 11, 8, 9, 10, 15, 12, 13, 14);
}

static void quarter(u32x4 *x, int a, int b, int c, int d)
{
	x[a] += x[b];
	x[d] = rotate_16(x[d] ^ x[a]);
	x[c] += x[d];
	x[b] ^= x[c];
	x[b] = x[b] << 12 | x[b] >> 20;
	x[a] += x[b];
	x[d] = rotate_8(x[d] ^ x[a]);
	x[c] += x[d];
	x[b] ^= x[c];
	x[b] = x[b] << 7 | x[b] >> 25;
}

// Words 4 row to 4 row + 3 of the four blocks, from a block a lane to a block a row of memory, onto the text.
static void put_row(uint8_t *at, const u32x4 *x, uint32_t row)
{
	const u32x4 ab_low = __builtin_shufflevector(x[0], x[1], 0, 4, 1, 5);
	const u32x4 ab_high = __builtin_shufflevector(x[0], x[1], 2, 6, 3, 7);
	const u32x4 cd_low = __builtin_shufflevector(x[2], x[3], 0, 4, 1, 5);
	const u32x4 cd_high = __builtin_shufflevector(x[2], x[3], 2, 6, 3, 7);
	const u8x16 block[BLOCKS] = {
		(u8x16)__builtin_shufflevector(ab_low, cd_low, 0, 1, 4, 5),
		(u8x16)__builtin_shufflevector(ab_low, cd_low, 2, 3, 6, 7),
		(u8x16)__builtin_shufflevector(ab_high, cd_high, 0, 1, 4, 5),
		(u8x16)__builtin_shufflevector(ab_high, cd_high, 2, 3, 6, 7),
	};

	for (uint32_t i = 0; i < BLOCKS; i++) {
		uint8_t *to = at + i * WORDS * 4 + row * 16;

		lanes_store(to, lanes_load(to) ^ block[i]);
	}
}

static u32x4 splat(uint32_t x)
{
	return (u32x4){x, x, x, x};
}

static void chacha20(uint8_t *at, const uint32_t *key, uint32_t counter, const uint32_t *nonce)
{
	u32x4 start[WORDS] = {
		splat(0x61707865), splat(0x3320646e), splat(0x79622d32), splat(0x6b206574)};
	u32x4 x[WORDS];

	for (uint32_t i = 0; i < 8; i++)
		start[4 + i] = splat(key[i]);
	start[12] = splat(counter) + (u32x4){0, 1, 2, 3};
	for (uint32_t i = 0; i < 3; i++)
		start[13 + i] = splat(nonce[i]);
	for (uint32_t i = 0; i < WORDS; i++)
		x[i] = start[i];
	for (uint32_t round = 0; round < 20; round += 2) {
		quarter(x, 0, 4, 8, 12);
		quarter(x, 1, 5, 9, 13);
		quarter(x, 2, 6, 10, 14);
		quarter(x, 3, 7, 11, 15);
		quarter(x, 0, 5, 10, 15);
		quarter(x, 1, 6, 11, 12);
		quarter(x, 2, 7, 8, 13);
		quarter(x, 3, 4, 9, 14);
	}
	for (uint32_t i = 0; i < WORDS; i++)
		x[i] += start[i];
	for (uint32_t row = 0; row < WORDS / 4; row++)
		put_row(at, x + 4 * row, row);
}

// n times four blocks, one over the other.
KERNEL_EXPORT("run") int64_t run(int64_t n)
{
	static const uint32_t key[8] = {0x03020100, 0x07060504, 0x0b0a0908, 0x0f0e0d0c, 0x13121110,
		0x17161514, 0x1b1a1918, 0x1f1e1d1c};
	static const uint32_t nonce[3] = {0x09000000, 0x4a000000, 0};
	uint64_t sum = 0;

	__builtin_memset(text, 0, sizeof(text));
	// RFC 8439, 2.3.2: the first word of the block of counter 1.
	chacha20(text, key, 1, nonce);
	if (text[0] != 0x10 || text[1] != 0xf1 || text[2] != 0xe7 || text[3] != 0xe4)
		__builtin_trap();
	for (int64_t i = 0; i < n; i++)
		chacha20(text, key, (uint32_t)i * BLOCKS, nonce);
	for (uint32_t i = 0; i < LEN; i++)
		sum = sum * 31 + text[i];
	return (int64_t)sum;
}
