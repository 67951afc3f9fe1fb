// SPDX-License-Identifier: BSD-3-Clause
// Tests of we_reader: every read at its bounds, and strict LEB128.
#include "reader.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

enum {
	MAX_BYTES = 16
};

struct leb_case {
	uint8_t bytes[MAX_BYTES];
	size_t len;
	uint64_t value;      // when message is NULL
	const char *message; // start of it
	uint64_t offset;     // of the failure
};

static struct we_error err;

static struct we_reader reader_of(const void *data, size_t len)
{
	struct we_reader r;

	we_reader_init(&r, (struct we_bytes){data, len}, 0, &err);
	return r;
}

typedef int (*read_fn)(struct we_reader *r, uint64_t *ret);

static void check_cases(const struct leb_case *cases, size_t n, read_fn read)
{
	for (size_t i = 0; i < n; i++) {
		const struct leb_case *c = &cases[i];
		struct we_reader r = reader_of(c->bytes, c->len);
		uint64_t value = 0;
		const int rc = read(&r, &value);

		if (c->message == NULL) {
			if (rc != 0 || value != c->value || !we_reader_at_end(&r))
				fail_msg("case %zu: rc %d value %llx", i, rc,
					(unsigned long long)value);
		} else if (rc != WE_E_MALFORMED || err.offset != c->offset ||
			   strncmp(err.msg, c->message, strlen(c->message)) != 0) {
			fail_msg("case %zu: rc %d at %llu: %s", i, rc,
				(unsigned long long)err.offset, err.msg);
		}
	}
}

static int read_u32(struct we_reader *r, uint64_t *ret)
{
	uint32_t value = 0;
	const int rc = we_reader_u32(r, &value);

	*ret = value;
	return rc;
}

static int read_s32(struct we_reader *r, uint64_t *ret)
{
	int32_t value = 0;
	const int rc = we_reader_s32(r, &value);

	*ret = (uint64_t)(int64_t)value;
	return rc;
}

static int read_s33(struct we_reader *r, uint64_t *ret)
{
	int64_t value = 0;
	const int rc = we_reader_s33(r, &value);

	*ret = (uint64_t)value;
	return rc;
}

static int read_s64(struct we_reader *r, uint64_t *ret)
{
	int64_t value = 0;
	const int rc = we_reader_s64(r, &value);

	*ret = (uint64_t)value;
	return rc;
}

static void reader_u32_is_strict(void **state)
{
	static const struct leb_case cases[] = {
		{{0x00}, 1, 0, NULL, 0},
		{{0x7f}, 1, 127, NULL, 0},
		{{0x80, 0x01}, 2, 128, NULL, 0},
		{{0x80, 0x80, 0x80, 0x80, 0x00}, 5, 0, NULL, 0},
		{{0xff, 0xff, 0xff, 0xff, 0x0f}, 5, UINT32_MAX, NULL, 0},
		{{0xff, 0xff, 0xff, 0xff, 0x1f}, 5, 0, "integer too large", 4},
		{{0xff, 0xff, 0xff, 0xff, 0x7f}, 5, 0, "integer too large", 4},
		{{0x80, 0x80, 0x80, 0x80, 0x80, 0x00}, 6, 0, "integer representation too long", 4},
		{{0x80}, 1, 0, "unexpected end", 1},
		{{0}, 0, 0, "unexpected end", 0},
	};

	(void)state;
	check_cases(cases, sizeof(cases) / sizeof(cases[0]), read_u32);
}

static void reader_s32_is_strict(void **state)
{
	static const struct leb_case cases[] = {
		{{0x7f}, 1, UINT64_MAX, NULL, 0},
		{{0x40}, 1, (uint64_t)-64, NULL, 0},
		{{0x80, 0x80, 0x80, 0x80, 0x78}, 5, (uint64_t)INT32_MIN, NULL, 0},
		{{0xff, 0xff, 0xff, 0xff, 0x07}, 5, INT32_MAX, NULL, 0},
		{{0xff, 0xff, 0xff, 0xff, 0x7f}, 5, UINT64_MAX, NULL, 0},
		{{0xff, 0xff, 0xff, 0xff, 0x0f}, 5, 0, "integer too large", 4},
		{{0x80, 0x80, 0x80, 0x80, 0x70}, 5, 0, "integer too large", 4},
		{{0xff, 0xff, 0xff, 0xff, 0xff, 0x7f}, 6, 0, "integer representation too long", 4},
	};

	(void)state;
	check_cases(cases, sizeof(cases) / sizeof(cases[0]), read_s32);
}

static void reader_s33_is_strict(void **state)
{
	static const struct leb_case cases[] = {
		{{0x40}, 1, (uint64_t)-64, NULL, 0},
		{{0xff, 0xff, 0xff, 0xff, 0x0f}, 5, UINT32_MAX, NULL, 0},
		{{0x80, 0x80, 0x80, 0x80, 0x70}, 5, (uint64_t)-4294967296, NULL, 0},
		{{0xff, 0xff, 0xff, 0xff, 0x1f}, 5, 0, "integer too large", 4},
		{{0xff, 0xff, 0xff, 0xff, 0xef, 0x00}, 6, 0, "integer representation too long", 4},
	};

	(void)state;
	check_cases(cases, sizeof(cases) / sizeof(cases[0]), read_s33);
}

static void reader_64_bit_is_strict(void **state)
{
	static const struct leb_case s64_cases[] = {
		{{0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x7f}, 10,
			(uint64_t)INT64_MIN, NULL, 0},
		{{0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x00}, 10, INT64_MAX, NULL,
			0},
		{{0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01}, 10, 0,
			"integer too large", 9},
		{{0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x00}, 11, 0,
			"integer representation too long", 9},
	};
	static const struct leb_case u64_cases[] = {
		{{0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01}, 10, UINT64_MAX, NULL,
			0},
		{{0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x02}, 10, 0,
			"integer too large", 9},
	};

	(void)state;
	check_cases(s64_cases, sizeof(s64_cases) / sizeof(s64_cases[0]), read_s64);
	check_cases(u64_cases, sizeof(u64_cases) / sizeof(u64_cases[0]), we_reader_u64);
}

static void reader_fixed_reads_are_little_endian_and_bounded(void **state)
{
	static const uint8_t bytes[] = {1, 2, 3, 4, 5, 6, 7, 8, 9};
	struct we_reader r = reader_of(bytes, sizeof(bytes));
	uint64_t wide;
	uint32_t narrow;

	(void)state;
	assert_int_equal(we_reader_fixed64(&r, &wide), 0);
	assert_int_equal(wide, 0x0807060504030201);
	assert_int_equal(we_reader_fixed32(&r, &narrow), WE_E_MALFORMED);
	assert_int_equal(we_reader_fixed64(&r, &wide), WE_E_MALFORMED);
	assert_int_equal(we_reader_left(&r), 1);
}

static void reader_sub_keeps_positions(void **state)
{
	static const uint8_t bytes[] = {0, 1, 2, 3};
	struct we_reader r;
	struct we_reader sub;
	uint8_t byte;

	(void)state;
	we_reader_init(&r, (struct we_bytes){bytes, sizeof(bytes)}, 100, &err);
	assert_int_equal(we_reader_u8(&r, &byte), 0);
	assert_int_equal(we_reader_sub(&r, 2, &sub), 0);
	assert_int_equal(we_reader_offset(&sub), 101);
	assert_int_equal(we_reader_left(&sub), 2);
	assert_int_equal(we_reader_offset(&r), 103);
	assert_int_equal(we_reader_sub(&r, 2, &sub), WE_E_MALFORMED);
	assert_string_equal(err.msg, "length out of bounds: 2 bytes, 1 are left");
	assert_int_equal(err.offset, 103);
}

static void utf8_takes_what_unicode_allows(void **state)
{
	static const struct {
		const char *text;
		bool valid;
	} cases[] = {
		{"", true},
		{"plain", true},
		{"\xc2\x80", true},
		{"\xdf\xbf", true},
		{"\xe0\xa0\x80", true},
		{"\xed\x9f\xbf", true},
		{"\xee\x80\x80", true},
		{"\xf4\x8f\xbf\xbf", true},
		{"\x80", false},
		{"\xc0\x80", false},         // overlong
		{"\xc1\xbf", false},         // overlong
		{"\xe0\x9f\xbf", false},     // overlong
		{"\xf0\x8f\xbf\xbf", false}, // overlong
		{"\xed\xa0\x80", false},     // surrogate
		{"\xf4\x90\x80\x80", false}, // beyond U+10FFFF
		{"\xf8\x88\x80\x80\x80", false},
		{"\xc2", false},
		{"\xe2\x82", false},
		{"\xc2x", false},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		const char *text = cases[i].text;

		if (we_utf8_is_valid((const uint8_t *)text, strlen(text)) != cases[i].valid)
			fail_msg("case %zu", i);
	}
}

static void name_with_bad_utf8_is_malformed_at_its_text(void **state)
{
	static const uint8_t bytes[] = {2, 0xc0, 0x80};
	struct we_reader r = reader_of(bytes, sizeof(bytes));
	struct we_bytes name;

	(void)state;
	assert_int_equal(we_reader_name(&r, &name), WE_E_MALFORMED);
	assert_string_equal(err.msg, "malformed UTF-8 encoding");
	assert_int_equal(err.offset, 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(reader_u32_is_strict),
		cmocka_unit_test(reader_s32_is_strict),
		cmocka_unit_test(reader_s33_is_strict),
		cmocka_unit_test(reader_64_bit_is_strict),
		cmocka_unit_test(reader_fixed_reads_are_little_endian_and_bounded),
		cmocka_unit_test(reader_sub_keeps_positions),
		cmocka_unit_test(utf8_takes_what_unicode_allows),
		cmocka_unit_test(name_with_bad_utf8_is_malformed_at_its_text),
	};

	return cmocka_run_group_tests_name("we_reader", tests, NULL, NULL);
}
