// SPDX-License-Identifier: BSD-3-Clause
// Tests of wasi:clocks/monotonic-clock with a call of the canonical ABI that only notes what happens to it.
#include "monotonic_clock.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum {
	MAX = 16
};

struct cm_call {
	void (*cancelled)(void *env);
	void *env;
	bool is_deferred;
	uint32_t fired; // its place among the resolved ones, from 1
};

static struct cm_call calls[1000];
static uint32_t n_fired;
static struct ws_owner owner;
static struct ws_clock clock_state;
static struct we_error err;

void cm_call_defer(struct cm_call *call, void (*cancelled)(void *env), void *env)
{
	assert_false(call->is_deferred);
	*call = (struct cm_call){.cancelled = cancelled, .env = env, .is_deferred = true};
}

int cm_call_resolve(struct cm_call *call, const struct cm_val *result, struct we_error *e)
{
	(void)e;
	assert_true(call->is_deferred);
	assert_null(result);
	call->is_deferred = false;
	call->fired = ++n_fired;
	return 0;
}

static int setup(void **state)
{
	(void)state;
	memset(calls, 0, sizeof(calls));
	n_fired = 0;
	owner = (struct ws_owner){.now_ns = 1000};
	return ws_clock_init(&clock_state, &owner, MAX, &err);
}

static int teardown(void **state)
{
	(void)state;
	ws_clock_fini(&clock_state);
	return 0;
}

static int wait_until(uint32_t i, uint64_t mark)
{
	const struct cm_val arg = {.kind = CM_U64, .of.bits = mark};

	return ws_clock_wait_until(&clock_state, &calls[i], &arg, 1, NULL, &err);
}

static int wait_for(uint32_t i, uint64_t duration)
{
	const struct cm_val arg = {.kind = CM_U64, .of.bits = duration};

	return ws_clock_wait_for(&clock_state, &calls[i], &arg, 1, NULL, &err);
}

static void clock_timer_fires_when_due_and_not_before(void **state)
{
	(void)state;
	assert_int_equal(clock_state.next_ns, UINT64_MAX);
	assert_int_equal(wait_for(0, 500), CM_PENDING);
	assert_int_equal(clock_state.next_ns, 1500);
	assert_int_equal(ws_clock_fire(&clock_state, 1499, &err), 0);
	assert_int_equal(n_fired, 0);
	assert_int_equal(ws_clock_fire(&clock_state, 1500, &err), 0);
	assert_int_equal(calls[0].fired, 1);
	assert_int_equal(clock_state.next_ns, UINT64_MAX);
}

static void clock_mark_that_has_passed_is_reached_at_once(void **state)
{
	(void)state;
	assert_int_equal(wait_until(0, 0), 0);
	assert_int_equal(wait_until(0, 1000), 0);
	assert_int_equal(wait_for(0, 0), 0);
	assert_int_equal(clock_state.n, 0);
	assert_int_equal(wait_until(0, 1001), CM_PENDING);
}

static void clock_far_duration_does_not_wrap(void **state)
{
	(void)state;
	assert_int_equal(wait_for(0, UINT64_MAX), CM_PENDING);
	assert_int_equal(clock_state.next_ns, UINT64_MAX);
	assert_int_equal(ws_clock_fire(&clock_state, UINT64_MAX - 1, &err), 0);
	assert_int_equal(n_fired, 0);
}

static void clock_timers_fire_in_the_order_of_their_times(void **state)
{
	static const uint32_t due[MAX] = {
		50, 20, 90, 10, 60, 30, 30, 80, 70, 5, 40, 15, 95, 1, 2, 3};

	(void)state;
	for (uint32_t i = 0; i < MAX; i++)
		assert_int_equal(wait_for(i, due[i]), CM_PENDING);
	assert_int_equal(ws_clock_fire(&clock_state, 2000, &err), 0);
	assert_int_equal(n_fired, MAX);
	for (uint32_t i = 0; i < MAX; i++)
		for (uint32_t j = 0; j < MAX; j++)
			if (due[i] < due[j])
				assert_true(calls[i].fired < calls[j].fired);
}

static void clock_more_waits_than_allowed_are_exhaustion(void **state)
{
	(void)state;
	for (uint32_t i = 0; i < MAX; i++)
		assert_int_equal(wait_for(i, 10 + i), CM_PENDING);
	assert_int_equal(wait_for(MAX, 1), WE_E_EXHAUSTED);
	assert_string_equal(err.msg, "monotonic-clock: more than 16 waits at one time");
	assert_int_equal(ws_clock_fire(&clock_state, 1010, &err), 0);
	assert_int_equal(wait_for(MAX, 1), CM_PENDING);
}

static void clock_cancelled_wait_never_fires(void **state)
{
	uint32_t x = 7;
	uint64_t now = 1000;
	uint32_t n_cancelled = 0;
	uint32_t n = 0;

	(void)state;
	for (; n < 1000; n++) {
		x = x * 1664525 + 1013904223;
		owner.now_ns = now;
		assert_int_equal(wait_for(n, 1 + (x >> 16) % 100), CM_PENDING);
		if (x % 3 == 0 && calls[n / 2].is_deferred) {
			calls[n / 2].cancelled(calls[n / 2].env);
			calls[n / 2].is_deferred = false;
			n_cancelled++;
		}
		if (clock_state.n == MAX) {
			now = clock_state.next_ns;
			assert_int_equal(ws_clock_fire(&clock_state, now, &err), 0);
		}
		for (uint32_t i = 1; i < clock_state.n; i++)
			assert_true(clock_state.next_ns >= now);
	}
	assert_int_equal(ws_clock_fire(&clock_state, now + 1000, &err), 0);
	assert_int_equal(n_fired + n_cancelled, n);
	assert_int_equal(clock_state.n, 0);
}

static uint64_t told = 5;

static uint64_t tell(void *env)
{
	(void)env;
	return told;
}

static void clock_now_never_goes_back(void **state)
{
	struct cm_val result;

	(void)state;
	owner.ops.now_ns = tell;
	told = 2000;
	assert_int_equal(ws_clock_now(&clock_state, NULL, NULL, 0, &result, &err), 0);
	assert_int_equal(result.of.bits, 2000);
	told = 1990;
	assert_int_equal(ws_clock_now(&clock_state, NULL, NULL, 0, &result, &err), 0);
	assert_int_equal(result.of.bits, 2000);
	assert_int_equal(ws_clock_get_resolution(&clock_state, NULL, NULL, 0, &result, &err), 0);
	assert_int_equal(result.of.bits, 1);
}

#define WITH_CLOCK(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		WITH_CLOCK(clock_timer_fires_when_due_and_not_before),
		WITH_CLOCK(clock_mark_that_has_passed_is_reached_at_once),
		WITH_CLOCK(clock_far_duration_does_not_wrap),
		WITH_CLOCK(clock_timers_fire_in_the_order_of_their_times),
		WITH_CLOCK(clock_more_waits_than_allowed_are_exhaustion),
		WITH_CLOCK(clock_cancelled_wait_never_fires),
		WITH_CLOCK(clock_now_never_goes_back),
	};

	return cmocka_run_group_tests_name("ws_clock", tests, NULL, NULL);
}
