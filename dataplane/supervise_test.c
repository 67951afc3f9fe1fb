// SPDX-License-Identifier: BSD-3-Clause
// Tests of dp_supervise: instances that a worker loses faster than they are taken away.
#include "supervise.h"

#include "fake_port.h"
#include "ws_fake.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

static struct dp_seat seat;
static bool was_made_early; // while a lost one was left

static void starting(void *env, struct we_store *core)
{
	const struct dp_owner *owner = env;

	if (core && atomic_load(&seat.n_given_up) != atomic_load(&seat.n_collected))
		was_made_early = true;
	dp_seat_starting(owner->seat, core);
}

static void lose(struct ws_filter *filter)
{
	const struct we_error trap = {.rc = WE_E_TRAP, .trap = WE_TRAP_UNREACHABLE};

	if (filter)
		dp_seat_give_up(&seat, filter, &trap);
}

// What a worker does that is quick: the spare is lost before the one that it replaces is gone.
static void lose_spare(void)
{
	lose(dp_seat_take(&seat));
}

// Until there is a spare, and nothing that was lost is left.
static void await_quiet(void)
{
	for (unsigned ms = 0; !atomic_load(&seat.spare) ||
			      atomic_load(&seat.n_given_up) != atomic_load(&seat.n_collected);
		ms++) {
		assert_true(ms < 20000);
		usleep(1000);
	}
}

static void no_spare_is_made_before_all_that_were_lost_are_gone(void **state)
{
	static struct rig rig;
	const struct ws_filter_ops ops = {.starting = starting};
	struct dp_supervisor *s = NULL;
	struct ws_filter *first = NULL;
	struct dp_clock clock = {
		.mult = UINT64_C(1) << 31}; // two cycles a nanosecond, roughly; EAL knows better
	char *message = NULL;

	(void)state;
	rig_config(&rig);
	rig_port(&rig, NULL, 1, 0, DP_NO_INDEX);
	rig_filter(&rig, 0, "pass");
	ws_fake_seen = (struct ws_fake_seen){.destroying = lose_spare};
	assert_int_equal(dp_supervisor_create(&rig.config, &ops, &clock, NULL, &s, &message), 0);
	seat = (struct dp_seat){.port_name = "p"};
	assert_int_equal(dp_seat_init(&seat, s, 0, &first, &message), 0);
	assert_int_equal(dp_supervisor_start(s), 0);
	for (unsigned i = 0; i < 20; i++) {
		struct ws_filter *mine = i == 0 ? first : dp_seat_take(&seat);

		await_quiet();
		lose(mine);
		await_quiet();
	}
	dp_supervisor_stop(s);
	assert_false(was_made_early);
	assert_int_equal(ws_fake_seen.n_created, ws_fake_seen.n_destroyed);
	dp_supervisor_destroy(s);
	free(message);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(no_spare_is_made_before_all_that_were_lost_are_gone),
	};

	return cmocka_run_group_tests_name("dp_supervise", tests, NULL, NULL);
}
