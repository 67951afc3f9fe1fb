// SPDX-License-Identifier: BSD-3-Clause
// Tests of we_arena and we_vec.
#include "arena.h"
#include "vec.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

static void arena_pieces_are_zeroed_aligned_and_apart(void **state)
{
	struct we_arena arena = {0};
	uint8_t *last = NULL;

	(void)state;
	for (size_t len = 1; len < 3000; len += 7) {
		uint8_t *piece = we_arena_alloc(&arena, len);

		assert_non_null(piece);
		assert_int_equal((uintptr_t)piece % 16, 0);
		for (size_t i = 0; i < len; i++)
			assert_int_equal(piece[i], 0);
		memset(piece, 0xff, len);
		assert_ptr_not_equal(piece, last);
		last = piece;
	}
	we_arena_fini(&arena);
}

static void arena_array_of_nothing_is_something(void **state)
{
	struct we_arena arena = {0};

	(void)state;
	assert_non_null(we_arena_array(&arena, 0, 8));
	we_arena_fini(&arena);
}

static void arena_array_that_overflows_is_refused(void **state)
{
	struct we_arena arena = {0};

	(void)state;
	assert_null(we_arena_array(&arena, SIZE_MAX / 4, 8));
	assert_null(we_arena_array(&arena, SIZE_MAX, 1));
	we_arena_fini(&arena);
}

static void vec_keeps_what_was_added(void **state)
{
	struct we_vec vec = {0};

	(void)state;
	for (uint32_t i = 0; i < 1000; i++) {
		uint32_t *elem = we_vec_add(&vec, sizeof(*elem));

		assert_non_null(elem);
		assert_int_equal(*elem, 0);
		*elem = i;
	}
	for (uint32_t i = 0; i < 1000; i++)
		assert_int_equal(((uint32_t *)vec.data)[i], i);
	we_vec_fini(&vec);
	assert_int_equal(vec.len, 0);
}

static void vec_that_overflows_is_refused(void **state)
{
	struct we_vec vec = {0};

	(void)state;
	assert_int_equal(we_vec_reserve(&vec, SIZE_MAX / 2, 16), WE_E_NOMEM);
	assert_int_equal(vec.cap, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(arena_pieces_are_zeroed_aligned_and_apart),
		cmocka_unit_test(arena_array_of_nothing_is_something),
		cmocka_unit_test(arena_array_that_overflows_is_refused),
		cmocka_unit_test(vec_keeps_what_was_added),
		cmocka_unit_test(vec_that_overflows_is_refused),
	};

	return cmocka_run_group_tests_name("we_arena", tests, NULL, NULL);
}
