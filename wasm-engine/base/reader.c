// SPDX-License-Identifier: BSD-3-Clause
// we_reader: see reader.h.
//
// Module path 1/6 and 5/6.
#include "reader.h"

#include <stdarg.h>
#include <stdio.h> // snprintf
#include <string.h>

void we_reader_init(
	struct we_reader *r, struct we_bytes bytes, uint64_t file_offset, struct we_error *err)
{
	static const uint8_t none[1];

	r->base = bytes.len > 0 ? bytes.data : none;
	r->at = r->base;
	r->end = r->base + bytes.len;
	r->file_offset = file_offset;
	r->err = err;
}

static int fail_at(const struct we_reader *r, const uint8_t *at, const char *fmt, va_list ap)
{
	char msg[sizeof(r->err->msg)];

	vsnprintf(msg, sizeof(msg), fmt, ap);
	return we_error_set(
		r->err, WE_E_MALFORMED, r->file_offset + (uint64_t)(at - r->base), "%s", msg);
}

int we_reader_fail(const struct we_reader *r, const char *fmt, ...)
{
	va_list ap;
	int rc;

	va_start(ap, fmt);
	rc = fail_at(r, r->at, fmt, ap);
	va_end(ap);
	return rc;
}

int we_reader_fail_at(const struct we_reader *r, const uint8_t *at, const char *fmt, ...)
{
	va_list ap;
	int rc;

	va_start(ap, fmt);
	rc = fail_at(r, at, fmt, ap);
	va_end(ap);
	return rc;
}

// LEB128 of at most `bits` bits. The last byte allowed carries bits % 7 of them; the rest of it
// must repeat the sign (or be zero), and its continuation bit must be clear.
static inline int read_leb(struct we_reader *r, unsigned bits, bool is_signed, uint64_t *ret)
{
	const uint8_t *at = r->at;
	uint64_t value = 0;
	unsigned shift = 0; // bits already read

	for (;; shift += 7) {
		uint8_t byte;

		if (at == r->end) {
			r->at = at;
			return we_reader_fail(r, "unexpected end");
		}
		byte = *at;
		if (bits - shift <= 7) {                    // the last byte allowed
			const unsigned used = bits - shift; // 1 to 7
			const unsigned sign = is_signed ? used - 1 : used;
			const uint8_t top = (uint8_t)((byte & 0x7f) >> sign);
			const uint8_t ones = (uint8_t)(0x7f >> sign);

			if (byte & 0x80) {
				r->at = at;
				return we_reader_fail(r, "integer representation too long");
			}
			if (top != 0 && !(is_signed && top == ones)) {
				r->at = at;
				return we_reader_fail(r, "integer too large");
			}
		}
		at++;
		value |= (uint64_t)(byte & 0x7f) << shift;
		if (!(byte & 0x80)) {
			if (is_signed && (byte & 0x40) && shift + 7 < 64)
				value |= UINT64_MAX << (shift + 7);
			break;
		}
	}
	r->at = at;
	*ret = value;
	return 0;
}

int we_reader_u32_long(struct we_reader *r, uint32_t *ret)
{
	uint64_t value = 0;
	const int rc = read_leb(r, 32, false, &value);

	if (rc < 0)
		return rc;
	*ret = (uint32_t)value;
	return 0;
}

int we_reader_u64_long(struct we_reader *r, uint64_t *ret)
{
	return read_leb(r, 64, false, ret);
}

int we_reader_s32_long(struct we_reader *r, int32_t *ret)
{
	uint64_t value = 0;
	const int rc = read_leb(r, 32, true, &value);

	if (rc < 0)
		return rc;
	*ret = (int32_t)(uint32_t)value;
	return 0;
}

int we_reader_s33(struct we_reader *r, int64_t *ret)
{
	uint64_t value = 0;
	const int rc = read_leb(r, 33, true, &value);

	if (rc < 0)
		return rc;
	*ret = (int64_t)value;
	return 0;
}

int we_reader_s64(struct we_reader *r, int64_t *ret)
{
	uint64_t value = 0;
	const int rc = read_leb(r, 64, true, &value);

	if (rc < 0)
		return rc;
	*ret = (int64_t)value;
	return 0;
}

int we_reader_fixed32(struct we_reader *r, uint32_t *ret)
{
	struct we_bytes raw = {0};
	const int rc = we_reader_bytes(r, sizeof(*ret), &raw);

	if (rc < 0)
		return rc;
	*ret = (uint32_t)raw.data[0] | (uint32_t)raw.data[1] << 8 | (uint32_t)raw.data[2] << 16 |
	       (uint32_t)raw.data[3] << 24;
	return 0;
}

int we_reader_fixed64(struct we_reader *r, uint64_t *ret)
{
	uint32_t low;
	uint32_t high;
	int rc = 0;

	if (we_reader_left(r) < sizeof(*ret)) // consume nothing of a short one
		return we_reader_fail(r, "unexpected end");
	rc = we_reader_fixed32(r, &low);
	if (rc == 0)
		rc = we_reader_fixed32(r, &high);
	if (rc < 0)
		return rc;
	*ret = (uint64_t)high << 32 | low;
	return 0;
}

int we_reader_bytes(struct we_reader *r, size_t n, struct we_bytes *ret)
{
	if (we_reader_left(r) < n)
		return we_reader_fail(r, "unexpected end");
	ret->data = r->at;
	ret->len = n;
	r->at += n;
	return 0;
}

int we_reader_name(struct we_reader *r, struct we_bytes *ret)
{
	struct we_reader name;
	uint32_t len;
	int rc = we_reader_u32(r, &len);

	if (rc == 0)
		rc = we_reader_sub(r, len, &name);
	if (rc < 0)
		return rc;
	if (!we_utf8_is_valid(name.at, len))
		return we_reader_fail(&name, "malformed UTF-8 encoding");
	ret->data = name.at;
	ret->len = len;
	return 0;
}

int we_reader_sub(struct we_reader *r, size_t n, struct we_reader *ret)
{
	if (we_reader_left(r) < n)
		return we_reader_fail(
			r, "length out of bounds: %zu bytes, %zu are left", n, we_reader_left(r));
	*ret = *r;
	ret->end = r->at + n;
	r->at += n;
	return 0;
}

bool we_utf8_is_valid(const uint8_t *data, size_t len)
{
	size_t i = 0;

	while (i < len) {
		const uint8_t lead = data[i];
		uint32_t point;
		uint32_t least; // smallest code point that needs this many bytes
		size_t n;       // continuation bytes

		if (lead < 0x80) {
			i++;
			continue;
		}
		if ((lead & 0xe0) == 0xc0) {
			n = 1, least = 0x80, point = lead & 0x1fu;
		} else if ((lead & 0xf0) == 0xe0) {
			n = 2, least = 0x800, point = lead & 0x0fu;
		} else if ((lead & 0xf8) == 0xf0) {
			n = 3, least = 0x10000, point = lead & 0x07u;
		} else {
			return false;
		}
		if (len - i <= n)
			return false;
		for (size_t k = 1; k <= n; k++) {
			if ((data[i + k] & 0xc0) != 0x80)
				return false;
			point = point << 6 | (data[i + k] & 0x3fu);
		}
		if (point < least || point > 0x10ffff || (point >= 0xd800 && point < 0xe000))
			return false;
		i += n + 1;
	}
	return true;
}
