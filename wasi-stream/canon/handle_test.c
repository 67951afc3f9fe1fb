// SPDX-License-Identifier: BSD-3-Clause
// The handle table: indices, kinds, reuse, limits. Spec: CanonicalABI.md "Table State".
#include "handle.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static int things[64];

static uint32_t add(struct cm_handles *handles, enum cm_handle_kind kind, void *thing)
{
	struct we_error err;
	uint32_t idx = 0;

	assert_int_equal(cm_handles_add(handles, kind, thing, &idx, &err), 0);
	return idx;
}

static void first_handle_has_index_one(void **state)
{
	struct cm_handles handles;

	(void)state;
	cm_handles_init(&handles, 10);
	assert_int_equal(add(&handles, CM_HANDLE_SUBTASK, &things[0]), 1);
	assert_null(cm_handles_get(&handles, 0, CM_HANDLE_SUBTASK));
	assert_ptr_equal(cm_handles_get(&handles, 1, CM_HANDLE_SUBTASK), &things[0]);
	cm_handles_fini(&handles);
}

static void freed_index_is_the_next_one_used(void **state)
{
	struct cm_handles handles;

	(void)state;
	cm_handles_init(&handles, 10);
	for (int i = 0; i < 4; i++)
		add(&handles, CM_HANDLE_SUBTASK, &things[i]);
	cm_handles_remove(&handles, 2);
	cm_handles_remove(&handles, 3);
	assert_int_equal(add(&handles, CM_HANDLE_SUBTASK, &things[8]), 3);
	assert_int_equal(add(&handles, CM_HANDLE_SUBTASK, &things[9]), 2);
	assert_int_equal(add(&handles, CM_HANDLE_SUBTASK, &things[10]), 5);
	cm_handles_fini(&handles);
}

static void unknown_and_wrong_handles_trap_with_their_index(void **state)
{
	static const struct {
		uint32_t idx;
		const char *text;
	} cases[] = {
		{0, "unknown handle index 0"},
		{1, "handle index used with the wrong type 1"},
		{2, "unknown handle index 2"},
		{3, "unknown handle index 3"},
		{UINT32_MAX, "unknown handle index 4294967295"},
	};
	struct cm_handles handles;
	struct we_error err;

	(void)state;
	cm_handles_init(&handles, 10);
	add(&handles, CM_HANDLE_WAITABLE_SET, &things[0]);
	add(&handles, CM_HANDLE_WAITABLE_SET, &things[1]);
	cm_handles_remove(&handles, 2);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		assert_null(cm_handles_get(&handles, cases[i].idx, CM_HANDLE_SUBTASK));
		assert_null(cm_handles_get_waitable(&handles, cases[i].idx));
		assert_int_equal(cm_handles_blame(&handles, cases[i].idx, &err), WE_E_TRAP);
		assert_string_equal(err.msg, cases[i].text);
	}
	cm_handles_fini(&handles);
}

static void every_waitable_kind_is_a_waitable(void **state)
{
	struct cm_handles handles;

	(void)state;
	cm_handles_init(&handles, 10);
	for (int kind = CM_HANDLE_SUBTASK; kind <= CM_HANDLE_FUTURE_WRITABLE; kind++) {
		const uint32_t idx = add(&handles, (enum cm_handle_kind)kind, &things[kind]);
		assert_ptr_equal(cm_handles_get_waitable(&handles, idx), &things[kind]);
	}
	cm_handles_fini(&handles);
}

static void limit_is_exhausted_and_a_removal_makes_room(void **state)
{
	struct cm_handles handles;
	struct we_error err;
	uint32_t idx;

	(void)state;
	for (uint32_t max = 0; max < 40; max += 13) {
		cm_handles_init(&handles, max);
		for (uint32_t i = 0; i < max; i++)
			assert_int_equal(add(&handles, CM_HANDLE_SUBTASK, &things[i]), i + 1);
		assert_int_equal(
			cm_handles_add(&handles, CM_HANDLE_SUBTASK, &things[0], &idx, &err),
			WE_E_EXHAUSTED);
		if (max > 0) {
			cm_handles_remove(&handles, max);
			assert_int_equal(add(&handles, CM_HANDLE_SUBTASK, &things[0]), max);
		}
		cm_handles_fini(&handles);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(first_handle_has_index_one),
		cmocka_unit_test(freed_index_is_the_next_one_used),
		cmocka_unit_test(unknown_and_wrong_handles_trap_with_their_index),
		cmocka_unit_test(every_waitable_kind_is_a_waitable),
		cmocka_unit_test(limit_is_exhausted_and_a_removal_makes_room),
	};

	return cmocka_run_group_tests_name("cm_handle", tests, NULL, NULL);
}
