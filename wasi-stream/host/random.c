// SPDX-License-Identifier: BSD-3-Clause
// random: ChaCha20 with a key that each block replaces.
#include "random.h"

#include <string.h>

void ws_random_init(struct ws_random *random, const uint64_t seed[2])
{
	*random = (struct ws_random){
		.key = {(uint32_t)seed[0], (uint32_t)(seed[0] >> 32), (uint32_t)seed[1],
			(uint32_t)(seed[1] >> 32)},
		.used = WS_RANDOM_BLOCK_BYTES,
	};
}

static uint32_t rotate(uint32_t x, uint32_t n)
{
	return x << n | x >> (32 - n);
}

static void quarter_round(uint32_t x[16], uint32_t a, uint32_t b, uint32_t c, uint32_t d)
{
	x[a] += x[b];
	x[d] = rotate(x[d] ^ x[a], 16);
	x[c] += x[d];
	x[b] = rotate(x[b] ^ x[c], 12);
	x[a] += x[b];
	x[d] = rotate(x[d] ^ x[a], 8);
	x[c] += x[d];
	x[b] = rotate(x[b] ^ x[c], 7);
}

void ws_random_block(const uint32_t key[4], uint8_t ret_block[64])
{
	// "expand 16-byte k", the key twice, counter and nonce 0
	const uint32_t start[16] = {0x61707865, 0x3120646e, 0x79622d36, 0x6b206574, key[0], key[1],
		key[2], key[3], key[0], key[1], key[2], key[3], 0, 0, 0, 0};
	uint32_t x[16];

	memcpy(x, start, sizeof(x));
	for (uint32_t i = 0; i < 20; i += 2) {
		for (uint32_t j = 0; j < 4; j++)
			quarter_round(x, j, 4 + j, 8 + j, 12 + j);
		for (uint32_t j = 0; j < 4; j++)
			quarter_round(x, j, 4 + (j + 1) % 4, 8 + (j + 2) % 4, 12 + (j + 3) % 4);
	}
	for (uint32_t i = 0; i < 16; i++)
		x[i] += start[i];
	memcpy(ret_block, x, sizeof(x));
}

void ws_random_fill(struct ws_random *random, uint8_t *dst, size_t len)
{
	while (len > 0) {
		if (random->used == WS_RANDOM_BLOCK_BYTES) {
			ws_random_block(random->key, random->block);
			memcpy(random->key, random->block + WS_RANDOM_BLOCK_BYTES,
				sizeof(random->key));
			random->used = 0;
		}
		const size_t left = WS_RANDOM_BLOCK_BYTES - random->used;
		const size_t take = len < left ? len : left;
		uint8_t *from = random->block + random->used;

		memcpy(dst, from, take);
		memset(from, 0, take);
		random->used += (uint32_t)take;
		dst += take;
		len -= take;
	}
}

int ws_random_get_bytes(void *env, struct cm_call *call, const struct cm_val *args, uint32_t n_args,
	struct cm_val *result, struct we_error *err)
{
	const uint64_t max = args[0].of.bits;
	const uint32_t n = max < WS_RANDOM_BYTES_MAX ? (uint32_t)max : WS_RANDOM_BYTES_MAX;
	uint8_t bytes[WS_RANDOM_BYTES_MAX];
	struct cm_val *elems = NULL;

	(void)n_args;
	if (n > 0) {
		elems = cm_call_alloc(call, n * sizeof(*elems));
		if (elems == NULL)
			return we_error_set(err, WE_E_EXHAUSTED, 0,
				"get-random-bytes: no room for %u bytes", n);
	}
	ws_random_fill(env, bytes, n);
	for (uint32_t i = 0; i < n; i++)
		elems[i] = (struct cm_val){.kind = CM_U8, .of.bits = bytes[i]};
	*result = (struct cm_val){.kind = CM_LIST, .n = n, .of.elems = elems};
	return 0;
}

int ws_random_get_u64(void *env, struct cm_call *call, const struct cm_val *args, uint32_t n_args,
	struct cm_val *result, struct we_error *err)
{
	uint64_t bits;

	(void)call;
	(void)args;
	(void)n_args;
	(void)err;
	ws_random_fill(env, (uint8_t *)&bits, sizeof(bits));
	*result = (struct cm_val){.kind = CM_U64, .of.bits = bits};
	return 0;
}
