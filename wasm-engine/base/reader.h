// SPDX-License-Identifier: BSD-3-Clause
// we_reader: a cursor over untrusted bytes.
//
// Module path 1/6 and 5/6. Every read is bounds-checked; a failed one leaves *ret untouched, puts
// MALFORMED with the offset of the offending byte in *err, and returns it.
// Owns:   nothing; borrows the bytes and the error for its life.
// Spec:   core "Values" (binary format): LEB128 is strict, unused bits of the last byte are the
// sign or zero.
#pragma once

#include "we.h"

// Invariant: base <= at <= end.
struct we_reader {
	const uint8_t *base;
	const uint8_t *at;
	const uint8_t *end;
	uint64_t file_offset; // of base, for messages
	struct we_error *err;
};

void we_reader_init(
	struct we_reader *r, struct we_bytes bytes, uint64_t file_offset, struct we_error *err);

static inline size_t we_reader_left(const struct we_reader *r)
{
	return (size_t)(r->end - r->at);
}

static inline bool we_reader_at_end(const struct we_reader *r)
{
	return r->at == r->end;
}

// Position of the cursor: bytes from base.
static inline uint32_t we_reader_pos(const struct we_reader *r)
{
	return (uint32_t)(r->at - r->base);
}

// Offset of the cursor in the file, as in messages.
static inline uint64_t we_reader_offset(const struct we_reader *r)
{
	return r->file_offset + (uint64_t)(r->at - r->base);
}

// Returns: MALFORMED at the cursor, with the message.
int we_reader_fail(const struct we_reader *r, const char *fmt, ...) WE_PRINTF(2, 3);
// The same at an earlier position, base <= at <= end.
int we_reader_fail_at(const struct we_reader *r, const uint8_t *at, const char *fmt, ...)
	WE_PRINTF(3, 4);

static inline WE_MUST_USE int we_reader_u8(struct we_reader *r, uint8_t *ret)
{
	if (r->at == r->end) {
		const int rc = we_reader_fail(r, "unexpected end");

		if (rc >= 0) // gcc cannot see that a failure is negative
			__builtin_unreachable();
		return rc;
	}
	*ret = *r->at++;
	return 0;
}

// LEB128 of any length; we_reader_u32 is what one calls.
WE_MUST_USE int we_reader_u32_long(struct we_reader *r, uint32_t *ret);

static inline WE_MUST_USE int we_reader_u32(struct we_reader *r, uint32_t *ret) // LEB128
{
	if (r->at < r->end && *r->at < 0x80) { // most indices and lengths
		*ret = *r->at++;
		return 0;
	}
	return we_reader_u32_long(r, ret);
}

WE_MUST_USE int we_reader_u64_long(struct we_reader *r, uint64_t *ret);
WE_MUST_USE int we_reader_s32_long(struct we_reader *r, int32_t *ret);

static inline WE_MUST_USE int we_reader_u64(struct we_reader *r, uint64_t *ret) // LEB128
{
	if (r->at < r->end && *r->at < 0x80) {
		*ret = *r->at++;
		return 0;
	}
	return we_reader_u64_long(r, ret);
}

static inline WE_MUST_USE int we_reader_s32(struct we_reader *r, int32_t *ret) // LEB128
{
	if (r->at < r->end && *r->at < 0x80) { // 7 bits with their sign
		*ret = (int32_t)(*r->at++ ^ 0x40) - 0x40;
		return 0;
	}
	return we_reader_s32_long(r, ret);
}

WE_MUST_USE int we_reader_s33(struct we_reader *r, int64_t *ret);      // LEB128
WE_MUST_USE int we_reader_s64(struct we_reader *r, int64_t *ret);      // LEB128
WE_MUST_USE int we_reader_fixed32(struct we_reader *r, uint32_t *ret); // little-endian
WE_MUST_USE int we_reader_fixed64(struct we_reader *r, uint64_t *ret); // little-endian
// n raw bytes, lent from what the reader borrows.
WE_MUST_USE int we_reader_bytes(struct we_reader *r, size_t n, struct we_bytes *ret);
// A length in LEB128 and as many bytes of UTF-8.
WE_MUST_USE int we_reader_name(struct we_reader *r, struct we_bytes *ret);
// A reader of its own over the next n bytes, which this one steps over; it keeps base, so that
// positions stay comparable. Fails: "length out of bounds".
WE_MUST_USE int we_reader_sub(struct we_reader *r, size_t n, struct we_reader *ret);

// Spec: Unicode "UTF-8"; no surrogates, no overlong forms, at most U+10FFFF.
bool we_utf8_is_valid(const uint8_t *data, size_t len);
