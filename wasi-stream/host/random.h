// SPDX-License-Identifier: BSD-3-Clause
// random: wasi:random/random from a generator of the filter's own, which a control thread seeded: the poll core
// makes no system call for it.
//
// ChaCha with 20 rounds and a key of 128 bits, a block of 64 bytes at a time; each block's last 16 bytes become
// the next key, so that what was given out cannot be computed from the state.
// Thread:  the filter's.
// Spec:    D. J. Bernstein, "ChaCha, a variant of Salsa20"
#pragma once

#include "ws.h"

enum {
	WS_RANDOM_BYTES_MAX = 4096, // of one call; a guest that wants more calls again
	WS_RANDOM_BLOCK_BYTES = 48, // given out of each block
};

struct ws_random {
	uint32_t key[4];
	uint8_t block[64];
	uint32_t used; // bytes of block, <= WS_RANDOM_BLOCK_BYTES
};

void ws_random_init(struct ws_random *random, const uint64_t seed[2]);
void ws_random_fill(struct ws_random *random, uint8_t *dst, size_t len);
// One block of key stream at counter and nonce 0.
void ws_random_block(const uint32_t key[4], uint8_t ret_block[64]);

// get-random-bytes: func(max-len: u64) -> list<u8>. env: struct ws_random.
int ws_random_get_bytes(void *env, struct cm_call *call, const struct cm_val *args, uint32_t n_args,
	struct cm_val *result, struct we_error *err);
// get-random-u64: func() -> u64
int ws_random_get_u64(void *env, struct cm_call *call, const struct cm_val *args, uint32_t n_args,
	struct cm_val *result, struct we_error *err);
