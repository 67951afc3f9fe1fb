// SPDX-License-Identifier: BSD-3-Clause
// Tests of a filter's start: what a program must be, what its configuration says, memory that runs out.
#include "filter_rig.h"

#define SETUP "weir:packet/setup@0.1.0"

// ---- programs -----------------------------------------------------------------------------------

static void program_core_module_is_refused_pointing_to_weir_wrap(void **state)
{
	static const uint8_t core[8] = {0, 'a', 's', 'm', 1, 0, 0, 0};

	(void)state;
	assert_int_equal(ws_program_create(NULL, "f.wasm", (struct we_bytes){core, sizeof(core)},
				 &program, &err),
		WE_E_INVALID);
	assert_non_null(strstr(err.msg, "weir wrap"));
}

static void program_without_the_export_is_unlinkable(void **state)
{
	static const struct fake_guest none = {.exports = {"wasi:cli/run@0.3.0"}};
	static const struct fake_guest other = {.exports = {"weir:packet/filter@0.2.0"}};

	(void)state;
	assert_int_equal(load(&none), WE_E_UNLINKABLE);
	assert_string_equal(err.msg, "exports no filter, expected weir:packet/filter@0.1.0");
	assert_int_equal(load(&other), WE_E_UNLINKABLE);
	assert_string_equal(
		err.msg, "exports weir:packet/filter@0.2.0, expected weir:packet/filter@0.1.0");
}

static void program_import_in_another_version_is_refused_naming_ours(void **state)
{
	static const struct fake_guest guest = {
		.exports = {FILTER}, .imports = {SETUP, "wasi:config/store@0.2.0"}};

	(void)state;
	assert_int_equal(load(&guest), WE_E_UNLINKABLE);
	assert_string_equal(err.msg,
		"imports wasi:config/store@0.2.0, offered is wasi:config/store@0.2.0-rc.1");
}

static void program_import_of_another_interface_is_refused_naming_all(void **state)
{
	static const struct fake_guest guest = {
		.exports = {FILTER}, .imports = {"wasi:filesystem/preopens@0.3.0-draft"}};
	const char *name;

	(void)state;
	assert_int_equal(load(&guest), WE_E_UNLINKABLE);
	assert_ptr_equal(
		strstr(err.msg, "imports wasi:filesystem/preopens@0.3.0-draft, offered are "),
		err.msg);
	for (uint32_t i = 0; (name = ws_offered_interface(i)) != NULL; i++)
		if (strstr(err.msg, name) == NULL)
			fail_msg("%s stands not in: %s", name, err.msg);
}

static void program_knows_whether_setup_is_imported(void **state)
{
	static const struct fake_guest with = {.exports = {FILTER}, .imports = {CLOCK, SETUP}};

	(void)state;
	assert_int_equal(load(&echo), 0);
	assert_false(ws_program_has_setup(program));
	ws_program_unref(program);
	assert_int_equal(load(&with), 0);
	assert_true(ws_program_has_setup(program));
	assert_string_equal(ws_program_name(program), "f.wasm");
}

// ---- start --------------------------------------------------------------------------------------

static void filter_without_setup_has_the_default_shape(void **state)
{
	(void)state;
	assert_int_equal(start(&echo), 0);
	const struct ws_shape shape = ws_filter_shape(filter);

	assert_int_equal(shape.stride, 256);
	assert_int_equal(shape.view, 192);
	assert_int_equal(shape.room, 0);
	assert_int_equal(shape.burst, BURST);
	assert_int_equal(ws_filter_n_reasons(filter), 0);
	assert_int_equal(ws_filter_state(filter), WS_FILTER_READY);
	assert_int_equal(ws_filter_status(filter), WS_STATUS_OPEN);
	assert_true(was_starting);
}

static void filter_without_setup_refuses_an_operators_view(void **state)
{
	(void)state;
	config.view = 64;
	assert_int_equal(start(&echo), WE_E_INVALID);
	assert_non_null(strstr(err.msg, "does not import weir:packet/setup"));
	filter = NULL;
}

static void asking_process(void)
{
	fake_configure(64, 10, "denied");
	echo_process();
}

static void filter_with_setup_has_the_shape_that_configure_answered(void **state)
{
	static const struct fake_guest guest = {.process = asking_process,
		.on_read = echo_on_read,
		.exports = {FILTER},
		.imports = {SETUP}};

	(void)state;
	assert_int_equal(start(&guest), 0);
	assert_int_equal(ws_filter_shape(filter).stride, 192);
	assert_int_equal(ws_filter_shape(filter).room, 10);
	assert_int_equal(ws_filter_n_reasons(filter), 1);
	assert_string_equal(ws_filter_reason(filter, 1), "denied");
	assert_null(ws_filter_reason(filter, 0));
	assert_null(ws_filter_reason(filter, 2));
	assert_int_equal(pass(4, 1), 0);
	assert_int_equal(n_verdicts, 4);
	assert_int_equal(((struct ws_slot *)fake_memory)->data_off, 74);
	assert_memory_equal(fake_memory + 74, "\1\2\3", 3);
}

static void late_process(void)
{
	fake_return(false);
	fake_read(0, 0); // a probe is a read, too
	fake_configure(64, 0, "late");
}

static void filter_configure_after_a_read_traps(void **state)
{
	static const struct fake_guest guest = {.process = late_process,
		.on_read = nothing_on_read,
		.exports = {FILTER},
		.imports = {SETUP}};

	(void)state;
	assert_int_equal(start(&guest), WE_E_TRAP);
	assert_non_null(strstr(err.msg, "called after the first read or write"));
	assert_true(was_starting);
	filter = NULL;
}

static void late_on_timer(uint32_t i)
{
	(void)i;
	fake_configure(64, 0, "late");
}

static void filter_configure_after_the_start_traps(void **state)
{
	static const struct fake_guest guest = {.process = waiting_process,
		.on_timer = late_on_timer,
		.exports = {FILTER},
		.imports = {SETUP, CLOCK}};

	(void)state;
	assert_int_equal(start(&guest), 0);
	assert_int_equal(ws_filter_run(filter, 100, &err), WE_E_TRAP);
	assert_int_equal(ws_filter_state(filter), WS_FILTER_FAULTED);
}

static void filter_limits_out_of_range_are_invalid(void **state)
{
	static const struct {
		uint32_t view_full, burst, held, timers;
		const char *message;
	} cases[] = {
		{WS_VIEW_MAX + 1, 1, 1, 1, "full view 65409, expected at most 65408"},
		{1, 0, 1, 1, "burst 0, expected 1 to 64"},
		{1, 65, 1, 1, "burst 65, expected at most 64"},
		{1, 1, 65537, 1, "held 65537, expected at most 65536"},
		{1, 1, 1, 65537, "timers 65537, expected at most 65536"},
	};

	(void)state;
	assert_int_equal(load(&echo), 0);
	for (uint32_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		config.view_full = cases[i].view_full;
		config.burst = cases[i].burst;
		config.limits.held = cases[i].held;
		config.limits.timers = cases[i].timers;
		assert_int_equal(ws_filter_create(program, &config, &ops, token, &filter, &err),
			WE_E_INVALID);
		assert_string_equal(err.msg, cases[i].message);
	}
	filter = NULL;
}

static void filter_config_that_is_not_utf8_is_invalid(void **state)
{
	static const struct ws_config_entry entry = {"rules", "\xff", 1};

	(void)state;
	config.entries = &entry;
	config.n_entries = 1;
	assert_int_equal(start(&echo), WE_E_INVALID);
	assert_string_equal(err.msg, "config: value of 'rules' is not UTF-8");
	filter = NULL;
}

static void idle_process(void)
{
	fake_return(false);
}

static void filter_that_waits_for_nothing_does_not_start(void **state)
{
	static const struct fake_guest guest = {.process = idle_process, .exports = {FILTER}};

	(void)state;
	assert_int_equal(start(&guest), WE_E_EXHAUSTED);
	assert_string_equal(err.msg, "stalled: it waits for nothing that can happen, 0 slots held");
	filter = NULL;
}

static void failing_process(void)
{
	fake_return(false);
	fake_resolve(1, 1, "rules:3: no such protocol");
	fake_drop_rx();
	fake_drop_tx();
	fake_exit();
}

static void filter_that_gives_up_at_once_has_ended_and_says_why(void **state)
{
	static const struct fake_guest guest = {.process = failing_process, .exports = {FILTER}};

	(void)state;
	assert_int_equal(start(&guest), 0);
	assert_int_equal(ws_filter_state(filter), WS_FILTER_ENDED);
	assert_int_equal(ws_filter_status(filter), WS_STATUS_INTERNAL);
	assert_string_equal(ws_filter_status_text(filter), "rules:3: no such protocol");
	assert_int_equal(ws_filter_room(filter), 0);
	assert_false(ws_filter_wants_run(filter, UINT64_MAX - 1));
}

static void long_process(void)
{
	static char text[3 * 200 + 1];

	for (uint32_t i = 0; i < 200; i++)
		memcpy(text + (size_t)3 * i, "\xe2\x82\xac", 3);
	fake_return(false);
	fake_resolve(1, 1, text);
}

static void filter_long_status_text_is_cut_between_characters(void **state)
{
	static const struct fake_guest guest = {.process = long_process, .exports = {FILTER}};

	(void)state;
	assert_int_equal(start(&guest), 0);
	assert_int_equal(strlen(ws_filter_status_text(filter)), 255); // 85 whole ones
}

static void trapping_process(void)
{
	fake_trap();
}

static void filter_that_traps_at_the_start_is_not_created(void **state)
{
	static const struct fake_guest guest = {.process = trapping_process, .exports = {FILTER}};

	(void)state;
	assert_int_equal(start(&guest), WE_E_TRAP);
	assert_int_equal(err.trap, WE_TRAP_UNREACHABLE);
	assert_true(was_starting);
	filter = NULL;
}

// ---- out of memory ------------------------------------------------------------------------------

static int64_t allocations_left = INT64_MAX;

static bool may_allocate(void)
{
	return allocations_left-- > 0;
}

void *__real_malloc(size_t len);
void *__real_calloc(size_t n, size_t len);
char *__real_strdup(const char *text);
void *__wrap_malloc(size_t len);
void *__wrap_calloc(size_t n, size_t len);
char *__wrap_strdup(const char *text);

void *__wrap_malloc(size_t len)
{
	return may_allocate() ? __real_malloc(len) : NULL;
}

void *__wrap_calloc(size_t n, size_t len)
{
	return may_allocate() ? __real_calloc(n, len) : NULL;
}

char *__wrap_strdup(const char *text)
{
	return may_allocate() ? __real_strdup(text) : NULL;
}

static void filter_start_fails_cleanly_at_every_allocation(void **state)
{
	static const struct ws_config_entry entry = {"rules", "default deny", 12};
	static const struct fake_guest guest = {.process = asking_process,
		.on_read = echo_on_read,
		.exports = {FILTER},
		.imports = {SETUP}};
	int64_t n = 0;
	int rc;

	(void)state;
	config.entries = &entry;
	config.n_entries = 1;
	do {
		allocations_left = n++;
		rc = start(&guest);
		allocations_left = INT64_MAX;
		if (rc < 0) {
			assert_int_equal(rc, WE_E_NOMEM);
			ws_program_unref(program);
			program = NULL;
			filter = NULL;
		}
		assert_true(n < 100);
	} while (rc < 0);
	assert_true(n > 10); // each of them failed once
	for (uint32_t i = 0; i < 100; i++) {
		allocations_left = 0; // the data path needs none
		rc = pass(BURST, i);
		allocations_left = INT64_MAX;
		assert_int_equal(rc, 0);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		LIFE(program_core_module_is_refused_pointing_to_weir_wrap),
		LIFE(program_without_the_export_is_unlinkable),
		LIFE(program_import_in_another_version_is_refused_naming_ours),
		LIFE(program_import_of_another_interface_is_refused_naming_all),
		LIFE(program_knows_whether_setup_is_imported),
		LIFE(filter_without_setup_has_the_default_shape),
		LIFE(filter_without_setup_refuses_an_operators_view),
		LIFE(filter_with_setup_has_the_shape_that_configure_answered),
		LIFE(filter_configure_after_a_read_traps),
		LIFE(filter_configure_after_the_start_traps),
		LIFE(filter_limits_out_of_range_are_invalid),
		LIFE(filter_config_that_is_not_utf8_is_invalid),
		LIFE(filter_that_waits_for_nothing_does_not_start),
		LIFE(filter_that_gives_up_at_once_has_ended_and_says_why),
		LIFE(filter_long_status_text_is_cut_between_characters),
		LIFE(filter_that_traps_at_the_start_is_not_created),
		LIFE(filter_start_fails_cleanly_at_every_allocation),
	};

	return cmocka_run_group_tests_name("ws_filter_start", tests, NULL, NULL);
}
