// SPDX-License-Identifier: BSD-3-Clause
// we_sha256: the name of what native code is made from. Names must not collide even if whoever writes modules wants them to.
//
// Own code, because libc has none, AF_ALG is not in every kernel, and libcrypto would be a library of 6 MB for this.
// Owns: nothing. Thread: any.
// Spec: FIPS 180-4 "SHA-256".
#pragma once

#include <stddef.h>
#include <stdint.h>

enum {
	WE_SHA256_BYTES = 32,
	WE_SHA256_BLOCK = 64
};

struct we_sha256 {
	uint32_t h[8];
	uint64_t n_bytes;               // taken so far
	uint8_t block[WE_SHA256_BLOCK]; // [n_bytes % WE_SHA256_BLOCK] of it are waiting
};

void we_sha256_init(struct we_sha256 *sha);
void we_sha256_add(struct we_sha256 *sha, const void *bytes, size_t n);
void we_sha256_end(struct we_sha256 *sha, uint8_t ret_digest[WE_SHA256_BYTES]);
