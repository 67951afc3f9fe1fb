// SPDX-License-Identifier: BSD-3-Clause
// Tests of weir:packet/setup: which shape a filter gets, and which calls trap.
#include "setup.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum {
	BURST = 32,
	FULL = 1518,
};

static struct ws_setup setup;
static struct we_error err;
static struct cm_val result;

// A filter that may call configure, under this operator's view.
static void begin(uint32_t operator_view)
{
	ws_setup_fini(&setup);
	ws_setup_init(&setup, operator_view, FULL, BURST);
	setup.phase = WS_SETUP_OPEN;
}

static int configure(uint32_t view, uint32_t room, const char *const *names, uint32_t n_names)
{
	struct cm_val *elems = calloc(n_names + 1, sizeof(*elems));

	for (uint32_t i = 0; i < n_names; i++)
		elems[i] = (struct cm_val){
			.kind = CM_STRING,
			.n = (uint32_t)strlen(names[i]),
			.of.string = names[i],
		};
	const struct cm_val args[3] = {
		{.kind = CM_U32, .of.bits = view},
		{.kind = CM_U32, .of.bits = room},
		{.kind = CM_LIST, .n = n_names, .of.elems = elems},
	};
	const int rc = ws_setup_configure(&setup, NULL, args, 3, &result, &err);

	free(elems);
	return rc;
}

static void expect_shape(uint32_t stride, uint32_t view, uint32_t room)
{
	const uint32_t shape[4] = {stride, view, room, BURST};

	assert_int_equal(result.kind, CM_RECORD);
	assert_int_equal(result.n, 4);
	for (uint32_t i = 0; i < 4; i++) {
		assert_int_equal(result.of.elems[i].kind, CM_U32);
		assert_int_equal(result.of.elems[i].of.bits, shape[i]);
	}
	assert_int_equal(setup.shape.stride, stride);
}

static void setup_shape_is_what_was_asked_for(void **state)
{
	static const struct {
		uint32_t operator_view, view, room, stride, got;
	} cases[] = {
		{0, 192, 0, 256, 192},
		{0, 64, 0, 128, 64},
		{0, 65, 0, 192, 65},
		{0, 0, 0, 64, 0},
		{0, 9000, 64, 9152, 9000}, // beyond the port's frames, as asked for
		{0, WS_VIEW_MAX, 0, 1600, FULL},
		{0, UINT32_MAX, 32, 1664, FULL},
		{128, 9000, 0, 192, 128},
		{WS_VIEW_FULL, 10, 0, 1600, FULL},
		{0, 192, WS_ROOM_MAX, 1280, 192},
	};

	(void)state;
	for (uint32_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		begin(cases[i].operator_view);
		assert_int_equal(configure(cases[i].view, cases[i].room, NULL, 0), 0);
		expect_shape(cases[i].stride, cases[i].got, cases[i].room);
	}
}

static void setup_shape_of_a_filter_that_does_not_ask_is_the_default(void **state)
{
	(void)state;
	begin(0);
	assert_int_equal(setup.shape.stride, WS_STRIDE_DEFAULT);
	assert_int_equal(setup.shape.view, WS_VIEW_DEFAULT);
	assert_int_equal(setup.shape.room, 0);
	begin(500);
	assert_int_equal(setup.shape.stride, 576);
	assert_int_equal(setup.shape.view, 500);
}

static void setup_configure_twice_traps(void **state)
{
	(void)state;
	begin(0);
	assert_int_equal(configure(192, 0, NULL, 0), 0);
	assert_int_equal(configure(192, 0, NULL, 0), WE_E_TRAP);
	assert_non_null(strstr(err.msg, "called twice"));
}

static void setup_configure_outside_process_traps(void **state)
{
	(void)state;
	begin(0);
	setup.phase = WS_SETUP_EARLY;
	assert_int_equal(configure(192, 0, NULL, 0), WE_E_TRAP);
	assert_non_null(strstr(err.msg, "called outside process"));
}

static void setup_configure_after_the_first_read_traps(void **state)
{
	(void)state;
	begin(0);
	setup.phase = WS_SETUP_LATE;
	assert_int_equal(configure(192, 0, NULL, 0), WE_E_TRAP);
	assert_non_null(strstr(err.msg, "called after the first read or write"));
}

static void setup_room_beyond_the_limit_traps(void **state)
{
	(void)state;
	begin(0);
	assert_int_equal(configure(192, WS_ROOM_MAX + 1, NULL, 0), WE_E_TRAP);
	assert_non_null(strstr(err.msg, "room 1025, expected at most 1024"));
	assert_int_equal(configure(192, UINT32_MAX, NULL, 0), WE_E_TRAP);
}

static void setup_reasons_are_kept_up_to_255(void **state)
{
	const char *names[256];

	(void)state;
	for (uint32_t i = 0; i < 256; i++)
		names[i] = i % 2 ? "denied" : "zu groß";
	begin(0);
	assert_int_equal(configure(192, 0, names, 256), WE_E_TRAP);
	assert_non_null(strstr(err.msg, "reasons 256, expected at most 255"));
	assert_int_equal(configure(192, 0, names, 255), 0);
	assert_int_equal(setup.n_reasons, 255);
	assert_string_equal(setup.reasons[0], "zu groß");
	assert_string_equal(setup.reasons[253], "denied");
}

static void setup_reason_that_is_no_name_traps(void **state)
{
	static const struct {
		const char *name, *message;
	} cases[] = {
		{"", "reason 2 is 0 bytes, expected 1 to 64"},
		{"12345678901234567890123456789012345678901234567890123456789012345",
			"reason 2 is 65 bytes, expected 1 to 64"},
		{"two\nlines", "reason 2 has a control character"},
		{"\x7f", "reason 2 has a control character"},
	};

	(void)state;
	for (uint32_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		const char *names[2] = {"good", cases[i].name};

		begin(0);
		assert_int_equal(configure(192, 0, names, 2), WE_E_TRAP);
		assert_non_null(strstr(err.msg, cases[i].message));
		assert_int_equal(setup.n_reasons, 0);
	}
}

static int teardown(void **state)
{
	(void)state;
	ws_setup_fini(&setup);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(setup_shape_is_what_was_asked_for),
		cmocka_unit_test(setup_shape_of_a_filter_that_does_not_ask_is_the_default),
		cmocka_unit_test(setup_configure_twice_traps),
		cmocka_unit_test(setup_configure_outside_process_traps),
		cmocka_unit_test(setup_configure_after_the_first_read_traps),
		cmocka_unit_test(setup_room_beyond_the_limit_traps),
		cmocka_unit_test(setup_reasons_are_kept_up_to_255),
		cmocka_unit_test(setup_reason_that_is_no_name_traps),
	};

	return cmocka_run_group_tests_name("ws_setup", tests, NULL, teardown);
}
