// SPDX-License-Identifier: BSD-3-Clause
// Tests of dp_log: what a line looks like, and what it never contains.
#include "log.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

static char got[16384];

// Run one log call with stderr going to a pipe; the line ends up in got.
static void capture(enum dp_log_format format, const char *text, size_t len)
{
	int fds[2];
	const int saved = dup(STDERR_FILENO);

	assert_int_equal(pipe(fds), 0);
	assert_true(dup2(fds[1], STDERR_FILENO) >= 0);
	dp_log_set_format(format);
	dp_log_text(DP_LOG_WARN, "port.c:88", text, len);
	assert_true(dup2(saved, STDERR_FILENO) >= 0);
	close(saved);
	close(fds[1]);
	const ssize_t n = read(fds[0], got, sizeof(got) - 1);
	got[n < 0 ? 0 : n] = '\0';
	close(fds[0]);
}

static void log_line_has_time_level_place_and_text(void **state)
{
	(void)state;
	capture(DP_LOG_TEXT, "link down", 9);
	assert_int_equal(
		strlen(got), strlen("2026-11-20T11:30:00.123456Z warn  port.c:88 link down\n"));
	assert_int_equal(got[10], 'T');
	assert_int_equal(got[26], 'Z');
	assert_string_equal(got + 27, " warn  port.c:88 link down\n");
}

static void log_line_for_the_journal_has_its_priority(void **state)
{
	(void)state;
	capture(DP_LOG_JOURNAL, "link down", 9);
	assert_string_equal(got, "<4>port.c:88 link down\n");
}

static void log_line_as_json_escapes_what_json_must(void **state)
{
	(void)state;
	capture(DP_LOG_JSON, "a\"b\\c\n", 6);
	assert_non_null(strstr(got, "\"level\":\"warn\",\"place\":\"port.c:88\","));
	assert_non_null(strstr(got, "\"message\":\"a\\\"b\\\\c\\u000a\"}\n"));
	capture(DP_LOG_JSON, "\xc2\x9bm", 3); // one character, U+009B
	assert_non_null(strstr(got, "\"message\":\"\\u009bm\"}\n"));
}

static void log_line_of_a_guest_cannot_move_the_cursor(void **state)
{
	static const struct {
		const char *in;
		const char *out;
	} rows[] = {
		{"a\x1b[2Jb", "a\\x1b[2Jb"},
		{"a\nb", "a\\x0ab"},
		{"\xc2\x9b"
		 "31m",
			"\\xc2\\x9b31m"}, // CSI as one C1 character
		{"gr\xc3\xbc\xc3\x9f", "gr\xc3\xbc\xc3\x9f"},
		{"\xc0\xaf", "\\xc0\\xaf"},                   // overlong
		{"\xed\xa0\x80", "\\xed\\xa0\\x80"},          // a surrogate
		{"\xf4\x90\x80\x80", "\\xf4\\x90\\x80\\x80"}, // beyond U+10FFFF
		{"\xe2\x82", "\\xe2\\x82"},                   // cut off
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		char want[128];

		capture(DP_LOG_JOURNAL, rows[i].in, strlen(rows[i].in));
		snprintf(want, sizeof(want), "<4>port.c:88 %s\n", rows[i].out);
		assert_string_equal(got, want);
	}
}

static void log_line_that_is_too_long_is_cut_and_says_so(void **state)
{
	static char text[5000];

	(void)state;
	memset(text, 'x', sizeof(text));
	capture(DP_LOG_JOURNAL, text, sizeof(text));
	assert_int_equal(strlen(got), strlen("<4>port.c:88 ") + 1024 + strlen(" [cut]\n"));
	assert_string_equal(got + strlen(got) - 7, " [cut]\n");
}

static void log_line_above_the_level_is_not_written(void **state)
{
	(void)state;
	dp_log_set_level(DP_LOG_ERROR);
	capture(DP_LOG_TEXT, "x", 1);
	dp_log_set_level(DP_LOG_INFO);
	assert_string_equal(got, "");
}

static void log_level_names_are_the_ones_documented(void **state)
{
	enum dp_log_level level;
	enum dp_log_format format;

	(void)state;
	assert_int_equal(dp_log_level_parse("trace", &level), 0);
	assert_int_equal(level, DP_LOG_TRACE);
	assert_int_equal(dp_log_level_parse("loud", &level), 1);
	assert_int_equal(dp_log_format_parse("journal", &format), 0);
	assert_int_equal(format, DP_LOG_JOURNAL);
	assert_int_equal(dp_log_format_parse("", &format), 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(log_line_has_time_level_place_and_text),
		cmocka_unit_test(log_line_for_the_journal_has_its_priority),
		cmocka_unit_test(log_line_as_json_escapes_what_json_must),
		cmocka_unit_test(log_line_of_a_guest_cannot_move_the_cursor),
		cmocka_unit_test(log_line_that_is_too_long_is_cut_and_says_so),
		cmocka_unit_test(log_line_above_the_level_is_not_written),
		cmocka_unit_test(log_level_names_are_the_ones_documented),
	};

	return cmocka_run_group_tests_name("dp_log", tests, NULL, NULL);
}
