// SPDX-License-Identifier: BSD-3-Clause
// Kernel: XXH64 of a buffer of some 64 KiB, the digest of one turn being the seed of the next.
//
// Spec: xxHash fast digest algorithm, "XXH64 Algorithm Description".
#include "kernel.h"

enum {
	BUFFER_LEN = 64 * 1024, // bytes
	STRIPE_LEN = 32,
};

static const uint64_t prime_1 = UINT64_C(0x9e3779b185ebca87);
static const uint64_t prime_2 = UINT64_C(0xc2b2ae3d27d4eb4f);
static const uint64_t prime_3 = UINT64_C(0x165667b19e3779f9);
static const uint64_t prime_4 = UINT64_C(0x85ebca77c2b2ae63);
static const uint64_t prime_5 = UINT64_C(0x27d4eb2f165667c5);

static uint8_t buffer[BUFFER_LEN];

static uint64_t load_64(const uint8_t *at)
{
	uint64_t value;

	__builtin_memcpy(&value, at, sizeof(value));
	return value;
}

static uint32_t load_32(const uint8_t *at)
{
	uint32_t value;

	__builtin_memcpy(&value, at, sizeof(value));
	return value;
}

static uint64_t rotate(uint64_t value, int bits)
{
	return value << bits | value >> (64 - bits);
}

static uint64_t mix(uint64_t acc, uint64_t lane)
{
	return rotate(acc + lane * prime_2, 31) * prime_1;
}

static uint64_t merge(uint64_t acc, uint64_t lane)
{
	return (acc ^ mix(0, lane)) * prime_1 + prime_4;
}

static uint64_t avalanche(uint64_t acc)
{
	acc = (acc ^ acc >> 33) * prime_2;
	acc = (acc ^ acc >> 29) * prime_3;
	return acc ^ acc >> 32;
}

static uint64_t digest(const uint8_t *at, uint32_t len, uint64_t seed)
{
	const uint8_t *end = at + len;
	uint64_t acc = seed + prime_5;

	if (len >= STRIPE_LEN) {
		uint64_t lane_1 = seed + prime_1 + prime_2;
		uint64_t lane_2 = seed + prime_2;
		uint64_t lane_3 = seed;
		uint64_t lane_4 = seed - prime_1;

		for (; end - at >= STRIPE_LEN; at += STRIPE_LEN) {
			lane_1 = mix(lane_1, load_64(at));
			lane_2 = mix(lane_2, load_64(at + 8));
			lane_3 = mix(lane_3, load_64(at + 16));
			lane_4 = mix(lane_4, load_64(at + 24));
		}
		acc = rotate(lane_1, 1) + rotate(lane_2, 7) + rotate(lane_3, 12) +
		      rotate(lane_4, 18);
		acc = merge(acc, lane_1);
		acc = merge(acc, lane_2);
		acc = merge(acc, lane_3);
		acc = merge(acc, lane_4);
	}
	acc += len;
	for (; end - at >= 8; at += 8)
		acc = rotate(acc ^ mix(0, load_64(at)), 27) * prime_1 + prime_4;
	for (; end - at >= 4; at += 4)
		acc = rotate(acc ^ load_32(at) * prime_1, 23) * prime_2 + prime_3;
	for (; at < end; at++)
		acc = rotate(acc ^ *at * prime_5, 11) * prime_1;
	return avalanche(acc);
}

KERNEL_EXPORT("run") int64_t run(int64_t n)
{
	uint64_t state = 1;
	uint64_t acc = 0;

	for (uint32_t i = 0; i < BUFFER_LEN; i++)
		buffer[i] = (uint8_t)(kernel_random(&state) >> 56);
	// Every length of a tail comes up.
	for (int64_t i = 0; i < n; i++)
		acc = digest(buffer, BUFFER_LEN - (uint32_t)(i % STRIPE_LEN), acc);
	return (int64_t)acc;
}
