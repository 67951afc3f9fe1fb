// SPDX-License-Identifier: BSD-3-Clause
// we_mutator: see mutator.h.
#include "mutator.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

enum {
	HEADER_BYTES = 8,
	SECTION_CODE = 10,
	GROWTH_BYTES = 64 // room that one mutation gets
};

// Bytes with a length before them: a section or a body.
struct chunk {
	size_t len_at; // where the length stands
	size_t start;
	size_t end;
};

static bool read_u32(const uint8_t *data, size_t len, size_t *at, uint32_t *ret)
{
	uint32_t value = 0;

	for (unsigned int shift = 0; shift < 35 && *at < len; shift += 7) {
		const uint8_t byte = data[(*at)++];

		value |= (uint32_t)(byte & 0x7f) << shift;
		if ((byte & 0x80) == 0) {
			*ret = value;
			return true;
		}
	}
	return false;
}

static bool read_chunk(const uint8_t *data, size_t len, size_t at, struct chunk *ret)
{
	uint32_t n;

	ret->len_at = at;
	if (!read_u32(data, len, &at, &n) || n > len - at)
		return false;
	ret->start = at;
	ret->end = at + n;
	return true;
}

// The section number `which`, counted round. is_code may be NULL.
static bool find_section(
	const uint8_t *data, size_t len, unsigned int which, struct chunk *ret, bool *is_code)
{
	struct chunk section;
	unsigned int n = 0;

	for (size_t at = HEADER_BYTES; at < len && read_chunk(data, len, at + 1, &section);
		at = section.end)
		n++;
	if (n == 0)
		return false;
	which %= n;
	for (size_t at = HEADER_BYTES; read_chunk(data, len, at + 1, ret); at = ret->end) {
		if (which-- == 0) {
			if (is_code != NULL)
				*is_code = data[at] == SECTION_CODE;
			return true;
		}
	}
	return false;
}

// A body in the contents of a code section.
static bool find_body(const uint8_t *code, size_t len, unsigned int which, struct chunk *ret)
{
	size_t at = 0;
	uint32_t n;

	if (!read_u32(code, len, &at, &n) || n == 0)
		return false;
	for (which %= n; read_chunk(code, len, at, ret); at = ret->end) {
		if (which-- == 0)
			return true;
	}
	return false;
}

// Put n bytes in the place of a chunk. Returns the new length of data, 0 when cap is too small.
static size_t replace(uint8_t *data, size_t len, size_t cap, const struct chunk *old,
	const uint8_t *with, size_t n)
{
	const size_t tail = len - old->end;
	uint8_t prefix[5];
	size_t n_prefix = 0;

	for (size_t left = n; n_prefix == 0 || left > 0; left >>= 7)
		prefix[n_prefix++] = (uint8_t)((left & 0x7f) | (left > 0x7f ? 0x80 : 0));
	if (old->len_at + n_prefix + n + tail > cap)
		return 0;
	memmove(data + old->len_at + n_prefix + n, data + old->end, tail);
	memcpy(data + old->len_at, prefix, n_prefix);
	if (n > 0)
		memcpy(data + old->len_at + n_prefix, with, n);
	return old->len_at + n_prefix + n + tail;
}

// Mutate the bytes of a chunk: libFuzzer's way, or inside one body when it is the code section's.
// Returns the new length of data, 0 when that fails.
static size_t mutate_chunk(uint8_t *data, size_t len, size_t cap, const struct chunk *chunk,
	bool is_code, unsigned int seed)
{
	const size_t n = chunk->end - chunk->start;
	uint8_t *copy = malloc(n + GROWTH_BYTES);
	struct chunk body;
	size_t n_new;

	if (copy == NULL)
		return 0;
	if (n > 0)
		memcpy(copy, data + chunk->start, n);
	if (is_code && find_body(copy, n, seed, &body))
		n_new = mutate_chunk(copy, n, n + GROWTH_BYTES, &body, false, 0);
	else
		n_new = LLVMFuzzerMutate(copy, n, n + GROWTH_BYTES);
	n_new = n_new == 0 ? 0 : replace(data, len, cap, chunk, copy, n_new);
	free(copy);
	return n_new;
}

size_t we_mutator_module(uint8_t *data, size_t len, size_t cap, unsigned int seed)
{
	struct chunk section;
	bool is_code;
	size_t n = 0;

	// One in 16 is blind, so that lengths are mutated too.
	if (seed % 16 != 0 && len >= HEADER_BYTES &&
		find_section(data, len, seed / 16, &section, &is_code))
		n = mutate_chunk(data, len, cap, &section, is_code && seed % 64 > 15, seed / 1024);
	return n > 0 ? n : LLVMFuzzerMutate(data, len, cap);
}

size_t we_mutator_cross(const uint8_t *a, size_t len_a, const uint8_t *b, size_t len_b,
	uint8_t *out, size_t cap, unsigned int seed)
{
	struct chunk from;
	struct chunk to;

	if (len_a > cap || !find_section(b, len_b, seed, &from, NULL))
		return 0;
	for (size_t at = HEADER_BYTES; at < len_a && read_chunk(a, len_a, at + 1, &to);
		at = to.end) {
		if (a[at] == b[from.len_at - 1]) {
			memcpy(out, a, len_a);
			return replace(out, len_a, cap, &to, b + from.start, from.end - from.start);
		}
	}
	return 0;
}
