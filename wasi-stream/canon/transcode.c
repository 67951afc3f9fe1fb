// SPDX-License-Identifier: BSD-3-Clause
// Strings between guest memory and the host. Module path 6.
// Spec: CanonicalABI.md "Loading" (load_string), "Storing" (store_string).
#include "transcode.h"

#include "reader.h"
#include "task.h"
#include "value.h"

#include <string.h>

#define UTF16_TAG ((uint32_t)1 << 31) // a latin1+utf16 string that is UTF-16

// ---- code points --------------------------------------------------------------------------------

// Next code point of valid UTF-8; *at moves behind it.
static uint32_t next_utf8(const uint8_t **at)
{
	const uint8_t *p = *at;

	if (p[0] < 0x80) {
		*at = p + 1;
		return p[0];
	}
	if (p[0] < 0xe0) {
		*at = p + 2;
		return (uint32_t)(p[0] & 0x1f) << 6 | (p[1] & 0x3f);
	}
	if (p[0] < 0xf0) {
		*at = p + 3;
		return (uint32_t)(p[0] & 0x0f) << 12 | (uint32_t)(p[1] & 0x3f) << 6 | (p[2] & 0x3f);
	}
	*at = p + 4;
	return (uint32_t)(p[0] & 0x07) << 18 | (uint32_t)(p[1] & 0x3f) << 12 |
	       (uint32_t)(p[2] & 0x3f) << 6 | (p[3] & 0x3f);
}

static uint8_t *put_utf8(uint8_t *at, uint32_t code_point)
{
	if (code_point < 0x80) {
		*at++ = (uint8_t)code_point;
	} else if (code_point < 0x800) {
		*at++ = (uint8_t)(0xc0 | code_point >> 6);
		*at++ = (uint8_t)(0x80 | (code_point & 0x3f));
	} else if (code_point < 0x10000) {
		*at++ = (uint8_t)(0xe0 | code_point >> 12);
		*at++ = (uint8_t)(0x80 | (code_point >> 6 & 0x3f));
		*at++ = (uint8_t)(0x80 | (code_point & 0x3f));
	} else {
		*at++ = (uint8_t)(0xf0 | code_point >> 18);
		*at++ = (uint8_t)(0x80 | (code_point >> 12 & 0x3f));
		*at++ = (uint8_t)(0x80 | (code_point >> 6 & 0x3f));
		*at++ = (uint8_t)(0x80 | (code_point & 0x3f));
	}
	return at;
}

static uint32_t get_unit(const uint8_t *at)
{
	return (uint32_t)at[0] | (uint32_t)at[1] << 8;
}

static uint8_t *put_unit(uint8_t *at, uint32_t unit)
{
	at[0] = (uint8_t)unit;
	at[1] = (uint8_t)(unit >> 8);
	return at + 2;
}

static uint8_t *put_utf16(uint8_t *at, uint32_t code_point)
{
	if (code_point < 0x10000)
		return put_unit(at, code_point);
	at = put_unit(at, 0xd800 + ((code_point - 0x10000) >> 10));
	return put_unit(at, 0xdc00 + ((code_point - 0x10000) & 0x3ff));
}

// ---- loading ------------------------------------------------------------------------------------

// Does a sequence begin whose end is missing, in bytes that are not valid as a whole?
static bool ends_early(const uint8_t *bytes, uint32_t len)
{
	for (uint32_t back = 1; back <= 3 && back <= len; back++) {
		const uint8_t b = bytes[len - back];
		const uint32_t want = b >= 0xf0 ? 4 : b >= 0xe0 ? 3 : b >= 0xc0 ? 2 : 1;

		if (b >= 0xc2 && b <= 0xf4)
			return want > back && we_utf8_is_valid(bytes, len - back);
		if (b < 0x80 || b > 0xbf)
			return false;
	}
	return false;
}

static int load_utf8(struct cm_scratch *scratch, const uint8_t *src, uint32_t byte_length,
	struct cm_val *ret_val, struct we_error *err)
{
	uint8_t *bytes;
	int rc;

	if (!we_utf8_is_valid(src, byte_length))
		return cm_trap(
			err, ends_early(src, byte_length) ? CM_TRAP_UTF8_INCOMPLETE : CM_TRAP_UTF8);
	rc = cm_scratch_take(scratch, byte_length, 1, &bytes, err);
	if (rc < 0)
		return rc;
	memcpy(bytes, src, byte_length);
	ret_val->n = byte_length;
	ret_val->of.string = (const char *)bytes;
	return 0;
}

static int load_utf16(struct cm_scratch *scratch, const uint8_t *src, uint32_t byte_length,
	struct cm_val *ret_val, struct we_error *err)
{
	const uint8_t *end = src + byte_length;
	uint8_t *bytes;
	uint8_t *at;
	// A unit becomes at most 3 bytes; a pair of surrogates, 4.
	const int rc = cm_scratch_take(scratch, byte_length / 2, 3, &bytes, err);

	if (rc < 0)
		return rc;
	at = bytes;
	while (src < end) {
		uint32_t code_point = get_unit(src);

		src += 2;
		if (code_point >= 0xd800 && code_point <= 0xdfff) {
			const uint32_t low = src < end ? get_unit(src) : 0;

			if (code_point >= 0xdc00 || low < 0xdc00 || low > 0xdfff)
				return cm_trap(err, CM_TRAP_UTF16);
			code_point = 0x10000 + ((code_point - 0xd800) << 10) + (low - 0xdc00);
			src += 2;
		}
		at = put_utf8(at, code_point);
	}
	ret_val->n = (uint32_t)(at - bytes);
	ret_val->of.string = (const char *)bytes;
	return 0;
}

static int load_latin1(struct cm_scratch *scratch, const uint8_t *src, uint32_t byte_length,
	struct cm_val *ret_val, struct we_error *err)
{
	uint8_t *bytes;
	uint8_t *at;
	const int rc = cm_scratch_take(scratch, byte_length, 2, &bytes, err);

	if (rc < 0)
		return rc;
	at = bytes;
	for (uint32_t i = 0; i < byte_length; i++)
		at = put_utf8(at, src[i]);
	ret_val->n = (uint32_t)(at - bytes);
	ret_val->of.string = (const char *)bytes;
	return 0;
}

int cm_load_string_from_range(const struct cm_cx *cx, uint32_t ptr, uint32_t tagged_code_units,
	struct cm_val *ret_val, struct we_error *err)
{
	struct cm_scratch *scratch = &cx->inst->store->scratch;
	uint64_t byte_length = tagged_code_units;
	uint32_t alignment = 2;
	int (*load)(struct cm_scratch *, const uint8_t *, uint32_t, struct cm_val *,
		struct we_error *) = load_utf16;

	if (cx->opts->encoding == CM_ENCODING_UTF8) {
		alignment = 1;
		load = load_utf8;
	} else if (cx->opts->encoding == CM_ENCODING_UTF16) {
		byte_length *= 2;
	} else if (tagged_code_units & UTF16_TAG) {
		byte_length = 2 * (uint64_t)(tagged_code_units ^ UTF16_TAG);
	} else {
		load = load_latin1;
	}
	if (byte_length > CM_STRING_BYTES_MAX)
		return cm_trap(err, CM_TRAP_STRING_LENGTH);
	if (!cm_is_aligned(ptr, alignment))
		return cm_trap(err, CM_TRAP_UNALIGNED);
	if (!cm_cx_has(cx, ptr, byte_length))
		return cm_trap(err, CM_TRAP_STRING_BOUNDS);
	*ret_val = (struct cm_val){.kind = CM_STRING, .of.string = ""};
	if (byte_length == 0)
		return 0;
	return load(scratch, cm_cx_span(cx, ptr, (uint32_t)byte_length), (uint32_t)byte_length,
		ret_val, err);
}

// ---- storing ------------------------------------------------------------------------------------

static int store_string_copy(const struct cm_cx *cx, const struct cm_val *string, uint32_t *ret_ptr,
	uint32_t *ret_units, struct we_error *err)
{
	const int rc = cm_cx_allocate(cx, 1, string->n, ret_ptr, err);

	if (rc < 0)
		return rc;
	if (string->n > 0)
		memcpy(cm_cx_span(cx, *ret_ptr, string->n), string->of.string, string->n);
	*ret_units = string->n;
	return 0;
}

static int store_utf8_to_utf16(const struct cm_cx *cx, const struct cm_val *string,
	uint32_t *ret_ptr, uint32_t *ret_units, struct we_error *err)
{
	const uint8_t *src = (const uint8_t *)string->of.string;
	const uint8_t *end = src + string->n;
	const uint32_t worst_case_size = 2 * string->n;
	uint32_t len = 0;
	int rc = cm_cx_allocate(cx, 2, worst_case_size, ret_ptr, err);

	if (rc < 0)
		return rc;
	if (worst_case_size > 0) {
		uint8_t *bytes = cm_cx_span(cx, *ret_ptr, worst_case_size);
		uint8_t *at = bytes;

		while (src < end)
			at = put_utf16(at, next_utf8(&src));
		len = (uint32_t)(at - bytes);
	}
	if (len < worst_case_size)
		rc = cm_cx_reallocate(cx, *ret_ptr, worst_case_size, 2, len, ret_ptr, err);
	*ret_units = len / 2;
	return rc;
}

// The rest of a string of which n_done code points, all Latin-1, stand at *ptr already, in UTF-16.
static int go_on_in_utf16(const struct cm_cx *cx, const struct cm_val *string, uint32_t n_done,
	const uint8_t *src, uint32_t *ptr, uint32_t *ret_units, struct we_error *err)
{
	const uint8_t *end = (const uint8_t *)string->of.string + string->n;
	const uint32_t worst_case_size = 2 * string->n;
	uint8_t *bytes;
	uint8_t *at;
	uint32_t len;
	int rc = cm_cx_reallocate(cx, *ptr, string->n, 2, worst_case_size, ptr, err);

	if (rc < 0)
		return rc;
	bytes = cm_cx_span(cx, *ptr, worst_case_size);
	for (uint32_t j = n_done; j-- > 0;)
		put_unit(bytes + 2 * (size_t)j, bytes[j]);
	at = bytes + 2 * (size_t)n_done;
	while (src < end)
		at = put_utf16(at, next_utf8(&src));
	len = (uint32_t)(at - bytes);
	if (worst_case_size > len)
		rc = cm_cx_reallocate(cx, *ptr, worst_case_size, 2, len, ptr, err);
	*ret_units = len / 2 | UTF16_TAG;
	return rc;
}

static int store_string_to_latin1_or_utf16(const struct cm_cx *cx, const struct cm_val *string,
	uint32_t *ret_ptr, uint32_t *ret_units, struct we_error *err)
{
	const uint8_t *src = (const uint8_t *)string->of.string;
	const uint8_t *end = src + string->n;
	uint32_t len = 0;
	int rc = cm_cx_allocate(cx, 2, string->n, ret_ptr, err);

	if (rc < 0)
		return rc;
	if (string->n > 0) {
		uint8_t *bytes = cm_cx_span(cx, *ret_ptr, string->n);

		while (src < end) {
			const uint8_t *here = src;
			const uint32_t code_point = next_utf8(&src);

			if (code_point > 0xff)
				return go_on_in_utf16(
					cx, string, len, here, ret_ptr, ret_units, err);
			bytes[len++] = (uint8_t)code_point;
		}
	}
	if (len < string->n)
		rc = cm_cx_reallocate(cx, *ret_ptr, string->n, 2, len, ret_ptr, err);
	*ret_units = len;
	return rc;
}

int cm_store_string_into_range(const struct cm_cx *cx, const struct cm_val *string,
	uint32_t *ret_ptr, uint32_t *ret_tagged_code_units, struct we_error *err)
{
	switch (cx->opts->encoding) {
	case CM_ENCODING_UTF8:
		return store_string_copy(cx, string, ret_ptr, ret_tagged_code_units, err);
	case CM_ENCODING_UTF16:
		return store_utf8_to_utf16(cx, string, ret_ptr, ret_tagged_code_units, err);
	case CM_ENCODING_LATIN1_UTF16:
		break;
	}
	return store_string_to_latin1_or_utf16(cx, string, ret_ptr, ret_tagged_code_units, err);
}
