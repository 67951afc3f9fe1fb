// SPDX-License-Identifier: BSD-3-Clause
// Tests of what a terminal gets to see of any bytes.
#include "utf8.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

// The text escaped into no more bytes than cap, so that a sanitizer sees one too many.
static char *escape(const char *text, size_t len, size_t cap)
{
	char *buf = malloc(cap);

	assert_non_null(buf);
	dp_utf8_escape(text, len, buf, cap);
	assert_true(strlen(buf) < cap);
	return buf;
}

static void control_characters_and_malformed_bytes_are_escaped(void **state)
{
	static const struct {
		const char *in;
		const char *out;
	} rows[] = {
		{"", ""},
		{"a\tb\x7f\n", "a\\x09b\\x7f\\x0a"},
		{"\xc2\x85", "\\xc2\\x85"}, // NEL, a control character of two bytes
		{"\xc2\x9b"
		 "31m",
			"\\xc2\\x9b31m"},
		{"\xc2\xa0", "\xc2\xa0"}, // no control character
		{"gr\xc3\xbc\xc3\x9f \xe2\x82\xac \xf0\x9f\x98\x80",
			"gr\xc3\xbc\xc3\x9f \xe2\x82\xac \xf0\x9f\x98\x80"},
		{"\xf4\x90\x80\x80", "\\xf4\\x90\\x80\\x80"}, // beyond U+10FFFF
		{"\xe2\x82", "\\xe2\\x82"},                   // cut off
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		char *whole = dp_utf8_escaped(rows[i].in);
		char *just = escape(rows[i].in, strlen(rows[i].in), strlen(rows[i].out) + 8);

		assert_string_equal(whole, rows[i].out);
		assert_string_equal(just, rows[i].out);
		free(just);
		free(whole);
	}
}

static void what_does_not_fit_is_cut_between_characters_and_says_so(void **state)
{
	static const char text[] = "\xc2\x85\xe2\x82\xac\x01gr\xc3\xbc\xf0\x9f\x98\x80 end";
	char *whole = dp_utf8_escaped(text);

	(void)state;
	for (size_t cap = 8; cap <= strlen(whole); cap++) {
		char *cut = escape(text, strlen(text), cap);
		const size_t kept = strlen(cut) - 3;

		assert_string_equal(cut + kept, "...");
		assert_memory_equal(cut, whole, kept);
		for (size_t i = 0, n; i < kept; i += n) {
			n = dp_utf8_len(cut + i, kept - i);
			assert_int_not_equal(n, 0);
		}
		free(cut);
	}
	free(whole);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(control_characters_and_malformed_bytes_are_escaped),
		cmocka_unit_test(what_does_not_fit_is_cut_between_characters_and_says_so),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
