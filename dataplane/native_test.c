// SPDX-License-Identifier: BSD-3-Clause
// Tests of dp_native: which filters are compiled, and what follows when that does not succeed. The compiler is
// ws_fake's.
#include "native.h"

#include "fake_port.h"
#include "ws_fake.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static struct fake fake;
static struct rig rig;

enum {
	N = 1000, // packets of 60 bytes that arrive on port 0
};

static void fill(struct fake *f, uint16_t port, struct rte_mempool *pool)
{
	for (uint32_t i = 0; port == 0 && i < N; i++)
		fake_receive(f, 0, rig_packet(pool, (uint8_t)i, 60, 0));
}

// Port 0 -> port 1 through one filter, a worker with that engine; the compiler answers compile_rc.
static void set_up(enum dp_engine engine, int compile_rc)
{
	fake_init(&fake, fill);
	rig_config(&rig);
	rig_port(&rig, NULL, 1, 0, 1);
	rig_port(&rig, NULL, 1, 0, DP_NO_INDEX);
	rig_filter(&rig, 0, "pass");
	rig.workers[0].engine = engine;
	ws_fake_seen = (struct ws_fake_seen){.compile_rc = compile_rc};
}

static void run_all(struct dp_stats **ret_stats)
{
	fake_run(&rig, &fake, ret_stats);
	assert_int_equal(fake.ports[1].n_out, N);
	assert_int_equal(ws_fake_seen.n_created, ws_fake_seen.n_destroyed);
}

// The run does not open; what it says.
static char *refusal(int rc)
{
	struct dp_run *run = NULL;
	char *message = NULL;

	fake_use(&fake);
	assert_int_equal(dp_run_create(&rig.config, &fake.hooks, &run), 0);
	assert_int_equal(dp_run_open(run, &message), rc);
	dp_run_destroy(run);
	assert_int_equal(ws_fake_seen.n_created, 0); // no guest code has run
	return message;
}

static void a_filter_is_native_before_the_first_packet_when_its_worker_insists(void **state)
{
	struct dp_stats *stats;

	(void)state;
	set_up(DP_ENGINE_JIT, 0);
	run_all(&stats);
	assert_int_equal(stats->codes[0].state, DP_CODE_DONE);
	assert_int_equal(stats->codes[0].functions, 2);
	assert_int_equal(stats->codes[0].interpreted, 0);
	assert_int_equal(stats->filters[0][0].queues_native, 1);
	assert_int_equal(stats->filters[0][0].queues_interp, 0);
	dp_stats_destroy(stats);
}

static void a_function_without_native_code_is_an_error_when_a_worker_insists(void **state)
{
	(void)state;
	set_up(DP_ENGINE_JIT, 1);
	char *message = refusal(WE_E_UNSUPPORTED);
	assert_string_equal(
		message, "filter f0: engine jit: 1 of 2 functions have no native code: it is hard");
	free(message);
}

static void a_compiler_that_fails_is_an_error_when_a_worker_insists(void **state)
{
	(void)state;
	set_up(DP_ENGINE_JIT, WE_E_HOST);
	char *message = refusal(WE_E_HOST);
	assert_string_equal(message, "filter f0: engine jit: host: the compiler is ill");
	free(message);
}

static void a_compiler_that_fails_leaves_the_filter_in_the_interpreter(void **state)
{
	static const int codes[] = {1, WE_E_HOST, WE_E_UNSUPPORTED};

	(void)state;
	for (size_t i = 0; i < sizeof(codes) / sizeof(codes[0]); i++) {
		struct dp_stats *stats;

		set_up(DP_ENGINE_AUTO, codes[i]);
		run_all(&stats);
		assert_int_equal(stats->filters[0][0].queues_native, 0);
		dp_stats_destroy(stats);
	}
}

static void a_worker_that_interprets_has_nothing_compiled(void **state)
{
	struct dp_stats *stats;

	(void)state;
	set_up(DP_ENGINE_INTERP, WE_E_HOST);
	run_all(&stats);
	assert_int_equal(stats->codes[0].state, DP_CODE_OFF);
	assert_int_equal(stats->filters[0][0].queues_interp, 1);
	assert_int_equal(stats->filters[0][0].queues_native, 0);
	dp_stats_destroy(stats);
}

static void addresses_are_compared_when_a_memory_has_pages_ahead(void **state)
{
	(void)state;
	set_up(DP_ENGINE_AUTO, 0);
	assert_false(dp_native_engine_config(&rig.config).explicit_checks);
	rig.filters[0].limits.cm.core.memory_pages_precommit = 4;
	assert_true(dp_native_engine_config(&rig.config).explicit_checks);
}

static void both_tiers_stand_side_by_side_in_one_run(void **state)
{
	struct dp_stats *stats;

	(void)state;
	set_up(DP_ENGINE_JIT, 0);
	// The same chain once more, on another worker.
	rig_port(&rig, NULL, 1, 1, 1);
	rig.ports[2].chain_idx = 0;
	rig.workers[1].engine = DP_ENGINE_INTERP;
	run_all(&stats);
	assert_int_equal(stats->filters[0][0].queues_native, 1);
	assert_int_equal(stats->filters[0][0].queues_interp, 1);
	dp_stats_destroy(stats);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(
			a_filter_is_native_before_the_first_packet_when_its_worker_insists),
		cmocka_unit_test(a_function_without_native_code_is_an_error_when_a_worker_insists),
		cmocka_unit_test(a_compiler_that_fails_is_an_error_when_a_worker_insists),
		cmocka_unit_test(a_compiler_that_fails_leaves_the_filter_in_the_interpreter),
		cmocka_unit_test(a_worker_that_interprets_has_nothing_compiled),
		cmocka_unit_test(addresses_are_compared_when_a_memory_has_pages_ahead),
		cmocka_unit_test(both_tiers_stand_side_by_side_in_one_run),
	};

	if (rig_start_eal())
		return 1;
	const int n_failed = cmocka_run_group_tests_name("dp_native", tests, NULL, NULL);
	rig_stop_eal();
	return n_failed;
}
