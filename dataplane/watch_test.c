// SPDX-License-Identifier: BSD-3-Clause
// Tests of dp_watch: how long a run may go on, in CPU time of the thread.
#include "watch.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <time.h>

#include <cmocka.h>

#define MS UINT64_C(1000000)

// The guest that is watched: what was interrupted of it.
static struct we_store *const guest = (struct we_store *)1;
static uint64_t interrupted;

uint64_t we_store_entry(const struct we_store *store)
{
	assert_ptr_equal(store, guest);
	return 7;
}

void we_store_interrupt(struct we_store *store, uint64_t entry)
{
	assert_ptr_equal(store, guest);
	interrupted = entry;
}

static void burn(uint64_t ns)
{
	struct timespec ts;
	uint64_t begin = 0;
	uint64_t now;

	do {
		clock_gettime(CLOCK_THREAD_CPUTIME_ID, &ts);
		now = (uint64_t)ts.tv_sec * 1000000000 + (uint64_t)ts.tv_nsec;
		begin = begin == 0 ? now : begin;
	} while (now - begin < ns);
}

static void nothing_is_due_while_nothing_runs(void **state)
{
	struct dp_watch watch = {0};

	(void)state;
	dp_watch_bind(&watch);
	assert_true(dp_watch_check(&watch, UINT64_MAX) == UINT64_MAX);
	dp_watch_enter(&watch, guest, 5 * MS);
	dp_watch_leave(&watch);
	assert_true(dp_watch_check(&watch, UINT64_MAX) == UINT64_MAX);
}

static void what_is_left_of_a_deadline_shrinks_as_the_thread_computes(void **state)
{
	struct dp_watch watch = {0};
	uint64_t left_ns;

	(void)state;
	dp_watch_bind(&watch);
	dp_watch_enter(&watch, guest, 10000 * MS);
	assert_true(dp_watch_check(&watch, UINT64_MAX) == 10000 * MS);
	burn(2 * MS);
	left_ns = dp_watch_check(&watch, UINT64_MAX);
	assert_true(left_ns <= 9998 * MS);
	nanosleep(&(struct timespec){.tv_nsec = 20 * MS}, NULL); // not its CPU time
	assert_true(left_ns - dp_watch_check(&watch, UINT64_MAX) < 20 * MS);
	assert_true(dp_watch_check(&watch, 100 * MS) < 98 * MS); // of a limit that is less
	dp_watch_leave(&watch);
}

static void next_run_has_its_own_deadline(void **state)
{
	struct dp_watch watch = {0};

	(void)state;
	dp_watch_bind(&watch);
	dp_watch_enter(&watch, guest, 10000 * MS);
	assert_true(dp_watch_check(&watch, UINT64_MAX) == 10000 * MS);
	burn(MS);
	dp_watch_leave(&watch);
	dp_watch_enter(&watch, guest, 20000 * MS);
	assert_true(dp_watch_check(&watch, UINT64_MAX) == 20000 * MS);
}

static void run_over_its_deadline_is_interrupted(void **state)
{
	struct dp_watch watch = {0};

	(void)state;
	dp_watch_bind(&watch);
	dp_watch_enter(&watch, guest, MS);
	assert_true(dp_watch_check(&watch, UINT64_MAX) == MS);
	assert_int_equal(interrupted, 0);
	burn(2 * MS);
	assert_true(dp_watch_check(&watch, UINT64_MAX) == UINT64_MAX);
	assert_int_equal(interrupted, 7);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(nothing_is_due_while_nothing_runs),
		cmocka_unit_test(what_is_left_of_a_deadline_shrinks_as_the_thread_computes),
		cmocka_unit_test(next_run_has_its_own_deadline),
		cmocka_unit_test(run_over_its_deadline_is_interrupted),
	};

	return cmocka_run_group_tests_name("dp_watch", tests, NULL, NULL);
}
