// SPDX-License-Identifier: BSD-3-Clause
// Memory for values: a stack in chunks, with a limit.
#include "scratch.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static uint8_t *take(struct cm_scratch *scratch, uint64_t n, size_t len)
{
	struct we_error err;
	uint8_t *bytes = NULL;

	assert_int_equal(cm_scratch_take(scratch, n, len, &bytes, &err), 0);
	assert_non_null(bytes);
	assert_int_equal((uintptr_t)bytes % 16, 0);
	memset(bytes, 0x5a, n * len);
	return bytes;
}

static void released_memory_is_given_again(void **state)
{
	struct cm_scratch scratch;
	struct cm_scratch_mark mark;
	uint8_t *first;

	(void)state;
	cm_scratch_init(&scratch, 1 << 20);
	take(&scratch, 3, 5);
	mark = cm_scratch_mark(&scratch);
	first = take(&scratch, 1, 100);
	take(&scratch, 1, 40000);
	cm_scratch_release(&scratch, mark);
	assert_ptr_equal(take(&scratch, 1, 50), first);
	cm_scratch_fini(&scratch);
}

static void sizes_that_grow_and_shrink_stay_apart(void **state)
{
	struct cm_scratch scratch;
	uint8_t *pieces[40];

	(void)state;
	cm_scratch_init(&scratch, 1 << 24);
	for (int round = 0; round < 3; round++) {
		const struct cm_scratch_mark mark = cm_scratch_mark(&scratch);

		for (uint32_t i = 0; i < 40; i++) {
			pieces[i] = take(&scratch, 1, 1 + 997 * ((i * 7 + (uint32_t)round) % 40));
			pieces[i][0] = (uint8_t)i;
		}
		for (uint32_t i = 0; i < 40; i++)
			assert_int_equal(pieces[i][0], i);
		cm_scratch_release(&scratch, mark);
	}
	cm_scratch_fini(&scratch);
}

static void limit_counts_bytes_and_cannot_overflow(void **state)
{
	struct cm_scratch scratch;
	struct we_error err;
	void *bytes;

	(void)state;
	cm_scratch_init(&scratch, 1000);
	take(&scratch, 10, 60);
	assert_int_equal(cm_scratch_take(&scratch, 401, 1, &bytes, &err), WE_E_EXHAUSTED);
	assert_int_equal(cm_scratch_take(&scratch, UINT64_MAX, 16, &bytes, &err), WE_E_EXHAUSTED);
	take(&scratch, 400, 1);
	take(&scratch, 0, 16);
	assert_int_equal(cm_scratch_take(&scratch, 1, 1, &bytes, &err), WE_E_EXHAUSTED);
	cm_scratch_fini(&scratch);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(released_memory_is_given_again),
		cmocka_unit_test(sizes_that_grow_and_shrink_stay_apart),
		cmocka_unit_test(limit_counts_bytes_and_cannot_overflow),
	};

	return cmocka_run_group_tests_name("cm_scratch", tests, NULL, NULL);
}
