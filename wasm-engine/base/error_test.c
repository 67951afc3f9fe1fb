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

static void message_grows_up_to_its_room(void **state)
{
	struct we_error err;
	char text[WE_ERROR_TEXT];

	(void)state;
	we_error_add(NULL, "nothing");
	(void)we_error_set(&err, WE_E_MALFORMED, 28, "unexpected end");
	we_error_add(&err, ", in function %u \"%s\"", 3u, "a\n");
	assert_string_equal(err.msg, "unexpected end, in function 3 \"a?\"");
	we_error_print(&err, text, sizeof(text));
	assert_string_equal(text, "0x1c: malformed: unexpected end, in function 3 \"a?\"");
	we_error_print(&err, text, 6);
	assert_string_equal(text, "0x1c:");
	we_error_print(&err, NULL, 0);
	for (int i = 0; i < 100; i++)
		we_error_add(&err, "\xc3\xa4%d", i);
	assert_true(strlen(err.msg) >= sizeof(err.msg) - 4);
	we_error_print(&err, text, sizeof(text));
	assert_string_equal(text + strlen("0x1c: malformed: "), err.msg);
}

static void frame_is_a_line_with_and_without_a_name(void **state)
{
	struct we_frame frame = {.func = 3, .offset = 28};
	char text[64];

	(void)state;
	we_frame_print(&frame, text, sizeof(text));
	assert_string_equal(text, "at function 3 (0x1c)");
	frame.name = (struct we_bytes){(const uint8_t *)"na\x1bme", 5};
	we_frame_print(&frame, text, sizeof(text));
	assert_string_equal(text, "at function 3 na?me (0x1c)");
	we_frame_print(&frame, text, 9);
	assert_string_equal(text, "at funct");
	we_frame_print(&frame, NULL, 0);
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
		cmocka_unit_test(message_grows_up_to_its_room),
		cmocka_unit_test(frame_is_a_line_with_and_without_a_name),
		cmocka_unit_test(every_failure_has_its_word),
	};

	return cmocka_run_group_tests_name("we_error", tests, NULL, NULL);
}
