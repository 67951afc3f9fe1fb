// SPDX-License-Identifier: BSD-3-Clause
// Tests of dp_queue_map: who polls and who sends is worked out on paper here.
#include "queue_map.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

// Two ports of two queues, two workers; worker 0 polls 0:0 and 1:1, worker 1 polls 0:1 and 1:0.
static const struct dp_port_config ports[] = {{.n_queues = 2}, {.n_queues = 2}};
static const struct dp_queue_ref first[] = {{0, 0}, {1, 1}};
static const struct dp_queue_ref second[] = {{0, 1}, {1, 0}};
static const struct dp_worker_config workers[] = {
	{.queues = first, .n_queues = 2}, {.queues = second, .n_queues = 2}};
static const struct dp_config two_by_two = {
	.ports = ports, .n_ports = 2, .workers = workers, .n_workers = 2};

// One port of one queue, polled by worker 1 of 3.
static const struct dp_port_config port[] = {{.n_queues = 1}};
static const struct dp_queue_ref only[] = {{0, 0}};
static const struct dp_worker_config three[] = {{0}, {.queues = only, .n_queues = 1}, {0}};
static const struct dp_config one_queue = {
	.ports = port, .n_ports = 1, .workers = three, .n_workers = 3};

static void queues_are_dealt_out_in_turn(void **state)
{
	static const struct {
		uint16_t port, queue;
		uint32_t n_workers, worker;
	} cases[] = {{0, 0, 1, 0}, {5, 3, 1, 0}, {0, 0, 2, 0}, {0, 1, 2, 1}, {1, 0, 2, 1},
		{1, 1, 2, 0}, {2, 0, 3, 2}, {2, 5, 3, 1}};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		assert_int_equal(dp_queue_map(cases[i].port, cases[i].queue, cases[i].n_workers),
			cases[i].worker);
}

static void the_worker_of_a_queue_is_the_one_that_lists_it(void **state)
{
	(void)state;
	assert_int_equal(dp_queue_worker(&two_by_two, 0, 0), 0);
	assert_int_equal(dp_queue_worker(&two_by_two, 0, 1), 1);
	assert_int_equal(dp_queue_worker(&two_by_two, 1, 0), 1);
	assert_int_equal(dp_queue_worker(&one_queue, 0, 0), 1);
	assert_int_equal(dp_queue_worker(&one_queue, 0, 1), 3); // nobody
}

static void who_polls_a_queue_sends_through_it(void **state)
{
	(void)state;
	assert_int_equal(dp_queue_tx_own(&two_by_two, 0, 0), 0);
	assert_int_equal(dp_queue_tx_own(&two_by_two, 0, 1), 1);
	assert_int_equal(dp_queue_tx_own(&two_by_two, 1, 1), 0);
	assert_int_equal(dp_queue_tx_own(&one_queue, 0, 0), DP_NO_INDEX);
	assert_int_equal(dp_queue_tx_own(&one_queue, 1, 0), 0);
}

static void who_has_no_queue_hands_over_to_one_that_has(void **state)
{
	(void)state;
	assert_int_equal(dp_queue_heir(&one_queue, 0, 0), 0);
	assert_int_equal(dp_queue_heir(&one_queue, 2, 0), 0);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(queues_are_dealt_out_in_turn),
		cmocka_unit_test(the_worker_of_a_queue_is_the_one_that_lists_it),
		cmocka_unit_test(who_polls_a_queue_sends_through_it),
		cmocka_unit_test(who_has_no_queue_hands_over_to_one_that_has),
	};

	return cmocka_run_group_tests_name("dp_queue_map", tests, NULL, NULL);
}
