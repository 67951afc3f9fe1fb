// SPDX-License-Identifier: BSD-3-Clause
// Kernel: CRC-32C (Castagnoli) of 1500 bytes, by tables of 256 words, eight bytes a turn (slicing-by-8).
#include "kernel.h"

enum {
	LEN = 1500, // bytes
	TABLES = 8,
};

#define POLYNOMIAL UINT32_C(0x82f63b78) // bit-reversed

static uint32_t table[TABLES][256];
static uint8_t packet[LEN + 4];

static void fill(void)
{
	uint64_t state = 6;

	for (uint32_t i = 0; i < 256; i++) {
		uint32_t crc = i;

		for (uint32_t k = 0; k < 8; k++)
			crc = crc >> 1 ^ (POLYNOMIAL & (0 - (crc & 1)));
		table[0][i] = crc;
	}
	for (uint32_t k = 1; k < TABLES; k++)
		for (uint32_t i = 0; i < 256; i++)
			table[k][i] = table[k - 1][i] >> 8 ^ table[0][table[k - 1][i] & 0xff];
	for (uint32_t i = 0; i < sizeof(packet); i++)
		packet[i] = (uint8_t)(kernel_random(&state) >> 56);
}

static uint32_t crc32c(const uint8_t *at, uint32_t len, uint32_t crc)
{
	crc = ~crc;
	for (; len >= 8; at += 8, len -= 8) {
		uint64_t x;

		__builtin_memcpy(&x, at, sizeof(x));
		x ^= crc;
		crc = table[7][x & 0xff] ^ table[6][x >> 8 & 0xff] ^ table[5][x >> 16 & 0xff] ^
		      table[4][x >> 24 & 0xff] ^ table[3][x >> 32 & 0xff] ^
		      table[2][x >> 40 & 0xff] ^ table[1][x >> 48 & 0xff] ^ table[0][x >> 56];
	}
	for (; len > 0; at++, len--)
		crc = crc >> 8 ^ table[0][(crc ^ *at) & 0xff];
	return ~crc;
}

// n packets, each behind the sum of the one before.
KERNEL_EXPORT("run") int64_t run(int64_t n)
{
	uint32_t crc = 0;

	fill();
	if (crc32c((const uint8_t *)"123456789", 9, 0) != 0xe3069283)
		__builtin_trap();
	for (int64_t i = 0; i < n; i++)
		crc = crc32c(packet + (i & 3), LEN, crc);
	return crc;
}
