// SPDX-License-Identifier: BSD-3-Clause
// we_sha256: see sha256.h.
//
// Owns: the constants. Thread: any.
// Spec: FIPS 180-4 "SHA-256".
#include "sha256.h"

#include <string.h>

// clang-format off
static const uint32_t k[64] = {
	0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4, 0xab1c5ed5,
	0xd807aa98, 0x12835b01, 0x243185be, 0x550c7dc3, 0x72be5d74, 0x80deb1fe, 0x9bdc06a7, 0xc19bf174,
	0xe49b69c1, 0xefbe4786, 0x0fc19dc6, 0x240ca1cc, 0x2de92c6f, 0x4a7484aa, 0x5cb0a9dc, 0x76f988da,
	0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7, 0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967,
	0x27b70a85, 0x2e1b2138, 0x4d2c6dfc, 0x53380d13, 0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85,
	0xa2bfe8a1, 0xa81a664b, 0xc24b8b70, 0xc76c51a3, 0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070,
	0x19a4c116, 0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a, 0x5b9cca4f, 0x682e6ff3,
	0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208, 0x90befffa, 0xa4506ceb, 0xbef9a3f7, 0xc67178f2,
};
static const uint32_t h0[8] = {
	0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a, 0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19,
};
// clang-format on

static uint32_t rotr(uint32_t x, unsigned n)
{
	return x >> n | x << (32 - n);
}

static uint32_t load_be32(const uint8_t *at)
{
	return (uint32_t)at[0] << 24 | (uint32_t)at[1] << 16 | (uint32_t)at[2] << 8 | at[3];
}

static void store_be32(uint8_t *at, uint32_t x)
{
	at[0] = (uint8_t)(x >> 24);
	at[1] = (uint8_t)(x >> 16);
	at[2] = (uint8_t)(x >> 8);
	at[3] = (uint8_t)x;
}

// The variables a to h of a round; the next round's are the same, one place on.
static inline void round_step(uint32_t s[8], uint32_t kw, unsigned t)
{
	uint32_t *const v[8] = {&s[-t & 7], &s[(1 - t) & 7], &s[(2 - t) & 7], &s[(3 - t) & 7],
		&s[(4 - t) & 7], &s[(5 - t) & 7], &s[(6 - t) & 7], &s[(7 - t) & 7]};
	const uint32_t a = *v[0];
	const uint32_t e = *v[4];
	const uint32_t t1 = *v[7] + (rotr(e, 6) ^ rotr(e, 11) ^ rotr(e, 25)) +
			    ((e & *v[5]) ^ (~e & *v[6])) + kw;
	const uint32_t t2 = (rotr(a, 2) ^ rotr(a, 13) ^ rotr(a, 22)) +
			    ((a & *v[1]) ^ (a & *v[2]) ^ (*v[1] & *v[2]));

	*v[3] += t1;
	*v[7] = t1 + t2;
}

// Spec: "SHA-256 Hash Computation": steps 1 to 4 for one block.
static void take_block(uint32_t h[8], const uint8_t *block)
{
	uint32_t w[64];
	uint32_t s[8];

	for (unsigned t = 0; t < 16; t++)
		w[t] = load_be32(block + 4 * t);
	for (unsigned t = 16; t < 64; t++) {
		const uint32_t a = w[t - 15];
		const uint32_t b = w[t - 2];

		w[t] = w[t - 16] + w[t - 7] + (rotr(a, 7) ^ rotr(a, 18) ^ a >> 3) +
		       (rotr(b, 17) ^ rotr(b, 19) ^ b >> 10);
	}
	memcpy(s, h, sizeof(s));
	for (unsigned t = 0; t < 64; t += 8) {
		// Eight rounds, so that no variable has to be moved.
		round_step(s, k[t] + w[t], 0);
		round_step(s, k[t + 1] + w[t + 1], 1);
		round_step(s, k[t + 2] + w[t + 2], 2);
		round_step(s, k[t + 3] + w[t + 3], 3);
		round_step(s, k[t + 4] + w[t + 4], 4);
		round_step(s, k[t + 5] + w[t + 5], 5);
		round_step(s, k[t + 6] + w[t + 6], 6);
		round_step(s, k[t + 7] + w[t + 7], 7);
	}
	for (unsigned i = 0; i < 8; i++)
		h[i] += s[i];
}

void we_sha256_init(struct we_sha256 *sha)
{
	memcpy(sha->h, h0, sizeof(sha->h));
	sha->n_bytes = 0;
}

void we_sha256_add(struct we_sha256 *sha, const void *bytes, size_t n)
{
	const uint8_t *at = bytes;
	size_t waiting = sha->n_bytes % WE_SHA256_BLOCK;

	sha->n_bytes += n;
	while (n > 0) {
		const size_t room = WE_SHA256_BLOCK - waiting;
		const size_t take = n < room ? n : room;

		if (take == WE_SHA256_BLOCK) {
			take_block(sha->h, at);
		} else {
			memcpy(sha->block + waiting, at, take);
			if (take == room)
				take_block(sha->h, sha->block);
			waiting = (waiting + take) % WE_SHA256_BLOCK;
		}
		at += take;
		n -= take;
	}
}

void we_sha256_end(struct we_sha256 *sha, uint8_t ret_digest[WE_SHA256_BYTES])
{
	static const uint8_t padding[WE_SHA256_BLOCK] = {0x80};
	const uint64_t n_bits = sha->n_bytes * 8;
	const size_t waiting = sha->n_bytes % WE_SHA256_BLOCK;
	uint8_t length[8];

	store_be32(length, (uint32_t)(n_bits >> 32));
	store_be32(length + 4, (uint32_t)n_bits);
	we_sha256_add(sha, padding, waiting < 56 ? 56 - waiting : 120 - waiting);
	we_sha256_add(sha, length, sizeof(length));
	for (unsigned i = 0; i < 8; i++)
		store_be32(ret_digest + 4 * i, sha->h[i]);
}
