// SPDX-License-Identifier: BSD-3-Clause
// Fails the first allocation of a run's creation, then the second, and so on, until none is left to fail:
// each time creation says so, gives everything back, and the next one works.
#include "fake_port.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static _Thread_local uint32_t countdown; // the allocation that fails; 0: none
static _Thread_local bool has_failed;

static bool fails(void)
{
	if (countdown == 0 || --countdown > 0)
		return false;
	has_failed = true;
	return true;
}

// clang-format off
#define MAY_FAIL(name, params, args) \
	void *__real_##name params; \
	void *__wrap_##name params; \
	void *__wrap_##name params { return fails() ? NULL : __real_##name args; }
MAY_FAIL(malloc,        (size_t n),               (n))
MAY_FAIL(calloc,        (size_t n, size_t size),  (n, size))
MAY_FAIL(realloc,       (void *p, size_t n),      (p, n))
MAY_FAIL(aligned_alloc, (size_t align, size_t n), (align, n))
// clang-format on

static struct fake fake;
static struct rig rig;

static void fill(struct fake *f, uint16_t port, struct rte_mempool *pool)
{
	for (uint32_t i = 0; port == 0 && i < 100; i++)
		fake_receive(f, 0, rig_packet(pool, (uint8_t)i, 60, 0));
}

static void every_allocation_that_fails_is_survived(void **state)
{
	struct dp_run *run = NULL;
	char *message = NULL;
	uint32_t n = 0;

	(void)state;
	fake_init(&fake, NULL);
	rig_config(&rig);
	rig.config.n_mbufs = 512;
	rig_port(&rig, NULL, 1, 0, 1);
	rig_port(&rig, NULL, 1, 0, DP_NO_INDEX);
	rig_filter(&rig, 0, "nothing")->file = PREBUILT_FILTERS "/pass.wasm";
	rig_filter(&rig, 0, "nothing")->file = PREBUILT_FILTERS "/count.wasm";
	do {
		has_failed = false;
		countdown = ++n;
		int rc = dp_run_create(&rig.config, &fake.hooks, &run);
		if (rc == 0) {
			rc = dp_run_open(run, &message);
			countdown = 0;
			dp_run_destroy(run);
			assert_true(rc == 0 || message != NULL);
			free(message);
			message = NULL;
		}
		countdown = 0;
		// 0: a thing that one can do without
		assert_true(rc == 0 || has_failed);
	} while (has_failed);
	print_message("# %u allocations failed\n", n - 1);
	assert_true(n > 50);

	fake_init(&fake, fill);
	fake_run(&rig, &fake, NULL);
	assert_int_equal(fake.ports[1].n_out, 100);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_allocation_that_fails_is_survived),
	};

	if (rig_start_eal())
		return 1;
	const int n_failed = cmocka_run_group_tests_name("dp_run_nomem", tests, NULL, NULL);
	rig_stop_eal();
	return n_failed;
}
