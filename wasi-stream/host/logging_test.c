// SPDX-License-Identifier: BSD-3-Clause
// Tests of wasi:logging/logging: lines are bounded in number and in length.
#include "logging.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static struct {
	enum ws_log_level level;
	size_t context_len;
	char message[WS_LOG_MESSAGE_BYTES + 1];
} lines[100];
static uint32_t n_lines;
static struct ws_owner owner;
static struct ws_logging logging;

static void keep(void *env, enum ws_log_level level, const char *context, size_t context_len,
	const char *message, size_t message_len)
{
	(void)env;
	(void)context;
	assert_true(message_len <= WS_LOG_MESSAGE_BYTES);
	lines[n_lines].level = level;
	lines[n_lines].context_len = context_len;
	memcpy(lines[n_lines].message, message, message_len);
	lines[n_lines++].message[message_len] = '\0';
}

static int setup(void **state)
{
	(void)state;
	n_lines = 0;
	owner = (struct ws_owner){.ops.log = keep, .now_ns = UINT64_C(5000000000)};
	ws_logging_init(&logging, &owner, 3);
	return 0;
}

static void say(enum ws_log_level level, const char *context, const char *message)
{
	const struct cm_val args[3] = {
		{.kind = CM_VARIANT, .n = level},
		{.kind = CM_STRING, .n = (uint32_t)strlen(context), .of.string = context},
		{.kind = CM_STRING, .n = (uint32_t)strlen(message), .of.string = message},
	};

	assert_int_equal(ws_logging_log(&logging, NULL, args, 3, NULL, NULL), 0);
}

static void logging_line_has_level_context_and_message(void **state)
{
	(void)state;
	say(WS_LOG_ERROR, "acl", "no rules");
	assert_int_equal(n_lines, 1);
	assert_int_equal(lines[0].level, WS_LOG_ERROR);
	assert_int_equal(lines[0].context_len, 3);
	assert_string_equal(lines[0].message, "no rules");
}

static void logging_suppressed_lines_are_told_before_the_next(void **state)
{
	(void)state;
	for (uint32_t i = 0; i < 10; i++)
		say(WS_LOG_INFO, "", "again");
	assert_int_equal(n_lines, 3);
	owner.now_ns += 999999999;
	say(WS_LOG_INFO, "", "again");
	assert_int_equal(n_lines, 3);
	owner.now_ns += 1;
	say(WS_LOG_INFO, "", "later");
	assert_int_equal(n_lines, 5);
	assert_string_equal(lines[3].message, "8 log lines suppressed");
	assert_int_equal(lines[3].level, WS_LOG_WARN);
	assert_string_equal(lines[4].message, "later");
}

static void logging_flush_tells_what_no_line_came_after(void **state)
{
	(void)state;
	ws_logging_flush(&logging);
	assert_int_equal(n_lines, 0);
	for (uint32_t i = 0; i < 5; i++)
		say(WS_LOG_INFO, "", "again");
	ws_logging_flush(&logging);
	assert_string_equal(lines[3].message, "2 log lines suppressed");
	ws_logging_flush(&logging);
	assert_int_equal(n_lines, 4);
}

static void logging_long_line_is_cut_between_characters(void **state)
{
	char message[3 * WS_LOG_MESSAGE_BYTES + 1];
	char context[100];

	(void)state;
	for (uint32_t i = 0; i < WS_LOG_MESSAGE_BYTES; i++)
		memcpy(message + (size_t)3 * i, "\xe2\x82\xac", 3); // a euro sign
	message[sizeof(message) - 1] = '\0';
	memset(context, 'c', sizeof(context) - 1);
	context[sizeof(context) - 1] = '\0';
	say(WS_LOG_INFO, context, message);
	assert_int_equal(strlen(lines[0].message), 1023); // 341 whole ones
	assert_int_equal(lines[0].context_len, WS_LOG_CONTEXT_BYTES);
}

static void logging_without_an_operation_is_silent(void **state)
{
	(void)state;
	owner.ops.log = NULL;
	for (uint32_t i = 0; i < 5; i++)
		say(WS_LOG_INFO, "", "again");
	ws_logging_flush(&logging);
	assert_int_equal(n_lines, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(logging_line_has_level_context_and_message, setup),
		cmocka_unit_test_setup(logging_suppressed_lines_are_told_before_the_next, setup),
		cmocka_unit_test_setup(logging_flush_tells_what_no_line_came_after, setup),
		cmocka_unit_test_setup(logging_long_line_is_cut_between_characters, setup),
		cmocka_unit_test_setup(logging_without_an_operation_is_silent, setup),
	};

	return cmocka_run_group_tests_name("ws_logging", tests, NULL, NULL);
}
