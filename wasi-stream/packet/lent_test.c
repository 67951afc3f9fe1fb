// SPDX-License-Identifier: BSD-3-Clause
// Tests of ws_lent: every token comes back once, whatever a guest does with the ids.
#include "lent.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

static struct ws_lent lent;
static struct we_error err;

static void *token(uintptr_t i)
{
	return (void *)(i + 1);
}

// Lend n slots whose tokens are first, first + 1, ...; returns the id of the first.
static uint32_t lend(uint32_t n, uintptr_t first, uint64_t now_ns)
{
	const uint32_t id = ws_lent_lend(&lent, n, now_ns);

	for (uint32_t i = 0; i < n; i++)
		lent.tokens[ws_lent_at(&lent, id) + i] = token(first + i);
	return id;
}

static bool take(uint32_t id)
{
	if (ws_lent_run(&lent, id) == 0)
		return false;
	ws_lent_take(&lent, id, 1);
	return true;
}

struct given {
	void *tokens[256];
	uint32_t n;
};

static void give_back(void *env, void *tok)
{
	struct given *given = env;

	given->tokens[given->n++] = tok;
}

static void lent_burst_comes_back_in_one_sweep(void **state)
{
	(void)state;
	assert_int_equal(ws_lent_init(&lent, 64, 32, &err), 0);
	for (uint32_t round = 0; round < 1000; round++) {
		const uint32_t id = lend(32, 0, round);

		assert_int_equal(lent.n_lent, 32);
		assert_int_equal(ws_lent_run(&lent, id), 32);
		assert_int_equal(ws_lent_run(&lent, id + 31), 1);
		ws_lent_take(&lent, id, 32);
		assert_int_equal(lent.n_lent, 0);
	}
	ws_lent_fini(&lent);
}

static void lent_id_counts_once(void **state)
{
	(void)state;
	assert_int_equal(ws_lent_init(&lent, 64, 32, &err), 0);
	const uint32_t id = lend(3, 0, 0);

	assert_true(take(id + 1));
	assert_false(take(id + 1));
	assert_true(take(id));
	assert_true(take(id + 2));
	assert_false(take(id)); // the burst is over
	assert_int_equal(lent.n_lent, 0);
	ws_lent_fini(&lent);
}

static void lent_id_beyond_the_burst_is_not_outstanding(void **state)
{
	(void)state;
	assert_int_equal(ws_lent_init(&lent, 64, 32, &err), 0);
	const uint32_t id = lend(3, 0, 0);

	assert_false(take(id + 3));
	assert_false(take(id + 32));
	assert_false(take(id - 1));
	assert_false(take(UINT32_MAX));
	assert_int_equal(lent.n_lent, 3);
	ws_lent_reclaim(&lent, give_back, &(struct given){0});
	ws_lent_fini(&lent);
}

static void lent_id_of_an_earlier_generation_is_not_outstanding(void **state)
{
	// One slot at a time and a table of one record: only the generation tells ids apart.
	(void)state;
	assert_int_equal(ws_lent_init(&lent, 1, 1, &err), 0);
	const uint32_t old = lend(1, 0, 0);

	assert_true(take(old));
	const uint32_t id = lend(1, 1, 0);

	assert_int_not_equal(id, old);
	assert_false(take(old));
	assert_true(take(id));
	ws_lent_fini(&lent);
}

static void lent_sweep_over_interleaved_bursts_takes_each(void **state)
{
	(void)state;
	assert_int_equal(ws_lent_init(&lent, 128, 64, &err), 0);
	const uint32_t a = lend(64, 0, 1);
	const uint32_t b = lend(64, 64, 2);

	for (uint32_t i = 0; i < 64; i++) {
		assert_int_equal(ws_lent_run(&lent, b), 64 - i);
		assert_int_equal(ws_lent_run(&lent, a + i), 64 - i);
		assert_true(take(b + 63 - i));
		assert_true(take(a + i));
		assert_false(take(a + i));
	}
	assert_int_equal(lent.n_lent, 0);
	ws_lent_fini(&lent);
}

static void lent_reclaim_gives_the_oldest_first_and_each_once(void **state)
{
	struct given given = {0};

	(void)state;
	assert_int_equal(ws_lent_init(&lent, 16, 4, &err), 0);
	const uint32_t a = lend(4, 0, 10);
	const uint32_t b = lend(2, 4, 20);

	lend(3, 6, 30);
	assert_int_equal(ws_lent_oldest_ns(&lent), 10);
	for (uint32_t i = 0; i < 4; i++)
		assert_true(take(a + i));
	assert_int_equal(ws_lent_oldest_ns(&lent), 20);
	lend(4, 9, 40); // in the record that came back
	assert_true(take(b));
	ws_lent_reclaim(&lent, give_back, &given);
	assert_int_equal(given.n, 8);
	for (uint32_t i = 0; i < 8; i++)
		assert_ptr_equal(given.tokens[i], token(5 + i));
	assert_int_equal(lent.n_lent, 0);
	assert_false(take(b + 1)); // reclaimed: no longer outstanding
	given.n = 0;
	ws_lent_reclaim(&lent, give_back, &given);
	assert_int_equal(given.n, 0);
	ws_lent_fini(&lent);
}

static void lent_bound_is_reachable_with_one_slot_held_of_each_burst(void **state)
{
	struct given given = {0};

	(void)state;
	assert_int_equal(ws_lent_init(&lent, 100, 64, &err), 0);
	for (uint32_t i = 0; i < 99; i++) {
		const uint32_t n = 100 - lent.n_lent < 64 ? 100 - lent.n_lent : 64;
		const uint32_t id = lend(n, i, i);

		for (uint32_t j = 1; j < n; j++)
			assert_true(take(id + j));
	}
	assert_int_equal(lent.n_lent, 99);
	lend(1, 99, 99);
	ws_lent_reclaim(&lent, give_back, &given);
	assert_int_equal(given.n, 100);
	for (uint32_t i = 0; i < 100; i++)
		assert_ptr_equal(given.tokens[i], token(i));
	ws_lent_fini(&lent);
}

static void lent_random_ids_never_take_what_is_not_lent(void **state)
{
	uint32_t id = 0;
	uint32_t n_taken = 0;

	(void)state;
	assert_int_equal(ws_lent_init(&lent, 8, 8, &err), 0);
	lend(8, 0, 0);
	for (uint32_t i = 0; i < 1000000; i++) {
		id = id * 1664525 + 1013904223;
		n_taken += take(id);
	}
	assert_int_equal(n_taken + lent.n_lent, 8);
	ws_lent_reclaim(&lent, give_back, &(struct given){0});
	ws_lent_fini(&lent);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(lent_burst_comes_back_in_one_sweep),
		cmocka_unit_test(lent_id_counts_once),
		cmocka_unit_test(lent_id_beyond_the_burst_is_not_outstanding),
		cmocka_unit_test(lent_id_of_an_earlier_generation_is_not_outstanding),
		cmocka_unit_test(lent_sweep_over_interleaved_bursts_takes_each),
		cmocka_unit_test(lent_reclaim_gives_the_oldest_first_and_each_once),
		cmocka_unit_test(lent_bound_is_reachable_with_one_slot_held_of_each_burst),
		cmocka_unit_test(lent_random_ids_never_take_what_is_not_lent),
	};

	return cmocka_run_group_tests_name("ws_lent", tests, NULL, NULL);
}
