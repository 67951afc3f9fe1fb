// SPDX-License-Identifier: BSD-3-Clause
// Tests of dp_eal: what is refused before DPDK starts, and the threads' signal masks after it.
#include "eal.h"

#include "log.h"
#include "plane_rig.h"

#include <rte_launch.h>
#include <rte_lcore.h>

#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static void a_processor_that_may_not_be_used_is_refused_with_its_place(void **state)
{
	char *message = NULL;
	struct rig rig;

	(void)state;
	rig_config(&rig);
	rig.config.file = "w.yaml";
	rig.workers[0].lcore = 1000;
	rig.workers[0].place = (struct dp_place){.line = 4, .column = 12};
	assert_int_equal(dp_eal_init(&rig.config, &message), WE_E_HOST);
	assert_non_null(strstr(message, "w.yaml:4:12: lcore 1000: "));
	free(message);
}

static int look_at_mask(void *arg)
{
	pthread_sigmask(SIG_BLOCK, NULL, arg);
	return 0;
}

static void worker_threads_block_signals_and_the_caller_does_not(void **state)
{
	sigset_t worker, own;

	(void)state;
	assert_int_equal(rig_start_eal(), 0);
	pthread_sigmask(SIG_BLOCK, NULL, &own);
	assert_int_equal(rte_eal_remote_launch(look_at_mask, &worker, 0), 0);
	rte_eal_mp_wait_lcore();
	assert_true(sigismember(&worker, SIGINT) && sigismember(&worker, SIGTERM));
	assert_true(sigismember(&worker, SIGHUP) && sigismember(&worker, SIGRTMIN + 5));
	assert_false(sigismember(&own, SIGINT) || sigismember(&own, SIGRTMIN + 5));
	rig_stop_eal();
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_processor_that_may_not_be_used_is_refused_with_its_place),
		cmocka_unit_test(worker_threads_block_signals_and_the_caller_does_not),
	};

	dp_log_set_level(DP_LOG_WARN);
	return cmocka_run_group_tests_name("dp_eal", tests, NULL, NULL);
}
