// SPDX-License-Identifier: BSD-3-Clause
#include "cpu.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static void cpu_of_this_machine_covers_itself_and_the_floor(void **state)
{
	struct we_cpu machine, v2;

	(void)state;
	we_cpu_detect(&machine);
	assert_true(we_cpu_by_name("v2", &v2));
	assert_true(we_cpu_covers(&machine, &machine));
	assert_true(we_cpu_covers(&machine, &v2)); // or this test would not run
}

static void cpu_level_covers_those_below_only(void **state)
{
	static const char *const names[] = {"v1", "v2", "v3", "v4"};

	(void)state;
	for (int i = 0; i < 4; i++)
		for (int j = 0; j < 4; j++) {
			struct we_cpu x, y;

			assert_true(we_cpu_by_name(names[i], &x));
			assert_true(we_cpu_by_name(names[j], &y));
			assert_int_equal(x.level, WE_CPU_V1 + i);
			assert_int_equal(we_cpu_covers(&x, &y), i >= j);
		}
}

static void cpu_single_features_are_not_covered_by_a_level(void **state)
{
	struct we_cpu v3, with_vnni;

	(void)state;
	assert_true(we_cpu_by_name("v3", &v3));
	with_vnni = v3;
	with_vnni.has_avx_vnni = true;
	assert_true(we_cpu_covers(&with_vnni, &v3));
	assert_false(we_cpu_covers(&v3, &with_vnni));
}

static void cpu_of_unknown_name_is_refused(void **state)
{
	struct we_cpu cpu = {.level = WE_CPU_V1};

	(void)state;
	assert_false(we_cpu_by_name("v5", &cpu));
	assert_false(we_cpu_by_name("", &cpu));
	assert_int_equal(cpu.level, WE_CPU_V1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(cpu_of_this_machine_covers_itself_and_the_floor),
		cmocka_unit_test(cpu_level_covers_those_below_only),
		cmocka_unit_test(cpu_single_features_are_not_covered_by_a_level),
		cmocka_unit_test(cpu_of_unknown_name_is_refused),
	};

	return cmocka_run_group_tests_name("we_cpu", tests, NULL, NULL);
}
