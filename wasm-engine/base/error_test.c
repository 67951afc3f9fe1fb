// SPDX-License-Identifier: BSD-3-Clause
// Tests of we_error: what a failure tells.
#include "we.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

static void error_without_a_place_still_gives_the_code(void **state)
{
	(void)state;
	assert_int_equal(we_error_set(NULL, WE_E_HOST, 0, "x"), WE_E_HOST);
	assert_int_equal(we_error_trap(NULL, WE_TRAP_DEADLINE, 0, 0, NULL), WE_E_EXHAUSTED);
}

static void trap_text_is_that_of_the_specification(void **state)
{
	struct we_error err;

	(void)state;
	assert_int_equal(we_error_trap(&err, WE_TRAP_UNREACHABLE, 7, 3, NULL), WE_E_TRAP);
	assert_string_equal(err.msg, "unreachable");
	assert_int_equal(err.func, 3);
	assert_int_equal(err.offset, 7);
	assert_int_equal(
		we_error_trap(&err, WE_TRAP_STACK_OVERFLOW, 7, 3, "%u frames", 5u), WE_E_EXHAUSTED);
	assert_string_equal(err.msg, "call stack exhausted: 5 frames");
}

static void control_characters_do_not_reach_the_message(void **state)
{
	struct we_error err;

	(void)state;
	(void)we_error_set(&err, WE_E_INVALID, 0, "%s", "a\x1b[2Jb\n\x7f\xc3\xa4");
	assert_string_equal(err.msg, "a?[2Jb??\xc3\xa4");
}

static void cut_message_ends_with_a_whole_character(void **state)
{
	char text[2 * sizeof(((struct we_error *)NULL)->msg) + 1];
	struct we_error err;
	size_t len;

	(void)state;
	for (size_t i = 0; i + 2 < sizeof(text); i += 2)
		memcpy(text + i, "\xc3\xa4", 3);
	(void)we_error_set(&err, WE_E_INVALID, 0, "%s", text);
	len = strlen(err.msg);
	assert_int_equal(len % 2, 0);
	assert_true(len >= sizeof(err.msg) - 3);
}

static void every_failure_has_its_word(void **state)
{
	(void)state;
#define WE_FAILURE(NAME, code, word, doc) assert_string_equal(we_failure_word(WE_E_##NAME), word);
#include "failure.def"
#undef WE_FAILURE
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(error_without_a_place_still_gives_the_code),
		cmocka_unit_test(trap_text_is_that_of_the_specification),
		cmocka_unit_test(control_characters_do_not_reach_the_message),
		cmocka_unit_test(cut_message_ends_with_a_whole_character),
		cmocka_unit_test(every_failure_has_its_word),
	};

	return cmocka_run_group_tests_name("we_error", tests, NULL, NULL);
}
