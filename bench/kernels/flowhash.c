// SPDX-License-Identifier: BSD-3-Clause
// Kernel: XXH64 of a packet of 60 bytes.
#include "kernel.h"

enum {
	PACKETS = 128, // a power of two
	LEN = 60,      // bytes
	STRIDE = 64,
};

#define P1 UINT64_C(0x9e3779b185ebca87)
#define P2 UINT64_C(0xc2b2ae3d27d4eb4f)
#define P3 UINT64_C(0x165667b19e3779f9)
#define P4 UINT64_C(0x85ebca77c2b2ae63)
#define P5 UINT64_C(0x27d4eb2f165667c5)

static uint8_t packets[PACKETS * STRIDE];

static uint64_t load_8(const uint8_t *at)
{
	uint64_t x;

	__builtin_memcpy(&x, at, sizeof(x));
	return x;
}

static uint32_t load_4(const uint8_t *at)
{
	uint32_t x;

	__builtin_memcpy(&x, at, sizeof(x));
	return x;
}

static uint64_t rotate(uint64_t x, int n)
{
	return x << n | x >> (64 - n);
}

static uint64_t mix(uint64_t sum, uint64_t x)
{
	return rotate(sum + x * P2, 31) * P1;
}

static uint64_t merge(uint64_t hash, uint64_t sum)
{
	return (hash ^ mix(0, sum)) * P1 + P4;
}

static uint64_t xxh64(const uint8_t *at, uint32_t len, uint64_t seed)
{
	const uint8_t *const end = at + len;
	uint64_t hash = seed + P5;

	if (len >= 32) {
		uint64_t a = seed + P1 + P2;
		uint64_t b = seed + P2;
		uint64_t c = seed;
		uint64_t d = seed - P1;

		for (; end - at >= 32; at += 32) {
			a = mix(a, load_8(at));
			b = mix(b, load_8(at + 8));
			c = mix(c, load_8(at + 16));
			d = mix(d, load_8(at + 24));
		}
		hash = rotate(a, 1) + rotate(b, 7) + rotate(c, 12) + rotate(d, 18);
		hash = merge(merge(merge(merge(hash, a), b), c), d);
	}
	hash += len;
	for (; end - at >= 8; at += 8)
		hash = rotate(hash ^ mix(0, load_8(at)), 27) * P1 + P4;
	if (end - at >= 4) {
		hash = rotate(hash ^ load_4(at) * P1, 23) * P2 + P3;
		at += 4;
	}
	for (; at < end; at++)
		hash = rotate(hash ^ *at * P5, 11) * P1;
	hash = (hash ^ hash >> 33) * P2;
	hash = (hash ^ hash >> 29) * P3;
	return hash ^ hash >> 32;
}

static void fill(void)
{
	uint64_t state = 2;

	for (uint32_t i = 0; i < sizeof(packets); i++)
		packets[i] = (uint8_t)(kernel_random(&state) >> 56);
}

// n packets.
KERNEL_EXPORT("run") int64_t run(int64_t n)
{
	uint64_t sum = 0;

	fill();
	for (int64_t i = 0; i < n; i++)
		sum += xxh64(packets + ((uint32_t)i % PACKETS) * STRIDE, LEN, (uint64_t)i);
	return (int64_t)sum;
}
