// SPDX-License-Identifier: BSD-3-Clause
// we_mutator: libFuzzer's mutations inside a section or a function body, with the lengths kept right.
//
// A blind edit of a module nearly always breaks a length and ends in the decoder.
#pragma once

#include <stddef.h>
#include <stdint.h>

// libFuzzer's own mutation.
size_t LLVMFuzzerMutate(uint8_t *data, size_t len, size_t cap);

// Mutate the module in data[0..len), room for cap bytes. Returns the new length.
size_t we_mutator_module(uint8_t *data, size_t len, size_t cap, unsigned int seed);

// Into out: module a with one section taken from module b.
// Returns the length, or 0 when the two have no such section or cap is too small.
size_t we_mutator_cross(const uint8_t *a, size_t len_a, const uint8_t *b, size_t len_b,
	uint8_t *out, size_t cap, unsigned int seed);
