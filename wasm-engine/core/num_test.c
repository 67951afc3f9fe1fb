// SPDX-License-Identifier: BSD-3-Clause
#include "num.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <math.h>

#define NAN_32  0x7fc00000u
#define SNAN_32 0x7fa00000u // signalling
#define NAN_64  0x7ff8000000000000u
#define SNAN_64 0x7ff4000000000000u
#define N(a)    (sizeof(a) / sizeof((a)[0]))

static bool is_arithmetic_nan(float x)
{
	return (we_f32_bits(x) & 0x7fc00000u) == 0x7fc00000u;
}

static void integer_division_traps_where_it_has_no_result(void **state)
{
	static const struct {
		uint32_t x, y;
		enum we_trap div_s, div_u, rem_s;
		uint32_t quotient_s, quotient_u, rest_s, rest_u;
	} cases[] = {
		{7, 2, 0, 0, 0, 3, 3, 1, 1},
		{0xfffffff9u, 2, 0, 0, 0, 0xfffffffdu, 0x7ffffffcu, 0xffffffffu, 1},
		{0x80000000u, 0xffffffffu, WE_TRAP_INTEGER_OVERFLOW, 0, 0, 0, 0, 0, 0x80000000u},
		{5, 0, WE_TRAP_INTEGER_DIVIDE_BY_ZERO, WE_TRAP_INTEGER_DIVIDE_BY_ZERO,
			WE_TRAP_INTEGER_DIVIDE_BY_ZERO, 0, 0, 0, 0},
	};

	(void)state;
	for (size_t i = 0; i < N(cases); i++) {
		uint32_t r = 0;

		assert_int_equal(we_i32_div_s(cases[i].x, cases[i].y, &r), cases[i].div_s);
		assert_int_equal(r, cases[i].quotient_s);
		r = 0;
		assert_int_equal(we_i32_div_u(cases[i].x, cases[i].y, &r), cases[i].div_u);
		assert_int_equal(r, cases[i].quotient_u);
		r = 0;
		assert_int_equal(we_i32_rem_s(cases[i].x, cases[i].y, &r), cases[i].rem_s);
		assert_int_equal(r, cases[i].rest_s);
		r = 0;
		assert_int_equal(we_i32_rem_u(cases[i].x, cases[i].y, &r), cases[i].div_u);
		assert_int_equal(r, cases[i].rest_u);
	}
}

static void long_division_traps_where_it_has_no_result(void **state)
{
	uint64_t r = 0;

	(void)state;
	assert_int_equal(we_i64_div_s(1ull << 63, UINT64_MAX, &r), WE_TRAP_INTEGER_OVERFLOW);
	assert_int_equal(we_i64_div_s(1, 0, &r), WE_TRAP_INTEGER_DIVIDE_BY_ZERO);
	assert_int_equal(we_i64_div_u(1, 0, &r), WE_TRAP_INTEGER_DIVIDE_BY_ZERO);
	assert_int_equal(we_i64_rem_u(1, 0, &r), WE_TRAP_INTEGER_DIVIDE_BY_ZERO);
	assert_int_equal(we_i64_rem_s(1ull << 63, UINT64_MAX, &r), WE_TRAP_NONE);
	assert_int_equal(r, 0);
	assert_int_equal(we_i64_div_s((uint64_t)-9, 2, &r), WE_TRAP_NONE);
	assert_int_equal(r, (uint64_t)-4);
}

static void counts_of_zero_are_the_width(void **state)
{
	(void)state;
	assert_int_equal(we_i32_clz(0), 32);
	assert_int_equal(we_i32_ctz(0), 32);
	assert_int_equal(we_i64_clz(0), 64);
	assert_int_equal(we_i64_ctz(0), 64);
	assert_int_equal(we_i32_clz(1), 31);
	assert_int_equal(we_i64_ctz(1ull << 63), 63);
	assert_int_equal(we_i32_rotl(0x80000001u, 33), 3);
	assert_int_equal(we_i32_rotr(1, 0), 1);
	assert_int_equal(we_i64_rotr(1, 65), 1ull << 63);
	assert_int_equal(we_i64_rotl(1, 64), 1);
}

static void trunc_traps_outside_the_range_and_saturates(void **state)
{
	static const struct {
		double x;
		enum we_trap s32, u32, s64, u64;
		uint32_t sat_s32, sat_u32;
		uint64_t sat_s64, sat_u64;
	} cases[] = {
		{0.0, 0, 0, 0, 0, 0, 0, 0, 0},
		{-0.9, 0, 0, 0, 0, 0, 0, 0, 0},
		{-1.0, 0, WE_TRAP_INTEGER_OVERFLOW, 0, WE_TRAP_INTEGER_OVERFLOW, UINT32_MAX, 0,
			UINT64_MAX, 0},
		{2147483647.9, 0, 0, 0, 0, 2147483647, 2147483647, 2147483647, 2147483647},
		{2147483648.0, WE_TRAP_INTEGER_OVERFLOW, 0, 0, 0, INT32_MAX, 2147483648u,
			2147483648u, 2147483648u},
		{-2147483648.9, 0, WE_TRAP_INTEGER_OVERFLOW, 0, WE_TRAP_INTEGER_OVERFLOW,
			0x80000000u, 0, (uint64_t)-2147483648ll, 0},
		{-2147483649.0, WE_TRAP_INTEGER_OVERFLOW, WE_TRAP_INTEGER_OVERFLOW, 0,
			WE_TRAP_INTEGER_OVERFLOW, 0x80000000u, 0, (uint64_t)-2147483649ll, 0},
		{4294967296.0, WE_TRAP_INTEGER_OVERFLOW, WE_TRAP_INTEGER_OVERFLOW, 0, 0, INT32_MAX,
			UINT32_MAX, 4294967296u, 4294967296u},
		{9223372036854775808.0, WE_TRAP_INTEGER_OVERFLOW, WE_TRAP_INTEGER_OVERFLOW,
			WE_TRAP_INTEGER_OVERFLOW, 0, INT32_MAX, UINT32_MAX, INT64_MAX, 1ull << 63},
		{18446744073709551616.0, WE_TRAP_INTEGER_OVERFLOW, WE_TRAP_INTEGER_OVERFLOW,
			WE_TRAP_INTEGER_OVERFLOW, WE_TRAP_INTEGER_OVERFLOW, INT32_MAX, UINT32_MAX,
			INT64_MAX, UINT64_MAX},
		{(double)NAN, WE_TRAP_INVALID_CONVERSION, WE_TRAP_INVALID_CONVERSION,
			WE_TRAP_INVALID_CONVERSION, WE_TRAP_INVALID_CONVERSION, 0, 0, 0, 0},
	};

	(void)state;
	for (size_t i = 0; i < N(cases); i++) {
		const double x = cases[i].x;
		uint32_t r;
		uint64_t l;

		assert_int_equal(we_i32_trunc_f64_s(x, &r), cases[i].s32);
		assert_int_equal(we_i32_trunc_f64_u(x, &r), cases[i].u32);
		assert_int_equal(we_i64_trunc_f64_s(x, &l), cases[i].s64);
		assert_int_equal(we_i64_trunc_f64_u(x, &l), cases[i].u64);
		assert_int_equal(we_i32_trunc_sat_f64_s(x), cases[i].sat_s32);
		assert_int_equal(we_i32_trunc_sat_f64_u(x), cases[i].sat_u32);
		assert_int_equal(we_i64_trunc_sat_f64_s(x), cases[i].sat_s64);
		assert_int_equal(we_i64_trunc_sat_f64_u(x), cases[i].sat_u64);
	}
}

static void trunc_of_single_floats_has_its_own_bounds(void **state)
{
	uint32_t r = 0;
	uint64_t l = 0;

	(void)state;
	assert_int_equal(we_i32_trunc_f32_s(2147483520.0f, &r), 0);
	assert_int_equal(r, 2147483520);
	assert_int_equal(we_i32_trunc_f32_s(2147483648.0f, &r), WE_TRAP_INTEGER_OVERFLOW);
	assert_int_equal(we_i32_trunc_f32_s(-2147483648.0f, &r), 0);
	assert_int_equal(r, 0x80000000u);
	assert_int_equal(we_i32_trunc_f32_s(-2147483904.0f, &r), WE_TRAP_INTEGER_OVERFLOW);
	assert_int_equal(we_i32_trunc_f32_u(4294967040.0f, &r), 0);
	assert_int_equal(r, 4294967040u);
	assert_int_equal(we_i32_trunc_f32_u(4294967296.0f, &r), WE_TRAP_INTEGER_OVERFLOW);
	assert_int_equal(we_i64_trunc_f32_s(9223371487098961920.0f, &l), 0);
	assert_int_equal(we_i64_trunc_f32_s(9223372036854775808.0f, &l), WE_TRAP_INTEGER_OVERFLOW);
	assert_int_equal(we_i64_trunc_f32_u(18446742974197923840.0f, &l), 0);
	assert_int_equal(l, 18446742974197923840u);
	assert_int_equal(we_i64_trunc_f32_u(18446744073709551616.0f, &l), WE_TRAP_INTEGER_OVERFLOW);
	assert_int_equal(we_i64_trunc_f32_u(NAN, &l), WE_TRAP_INVALID_CONVERSION);
	assert_int_equal(we_i64_trunc_sat_f32_u(-1.0f), 0);
	assert_int_equal(we_i64_trunc_sat_f32_s(-INFINITY), 1ull << 63);
	assert_int_equal(we_i32_trunc_sat_f32_s(INFINITY), INT32_MAX);
	assert_int_equal(we_i32_trunc_sat_f32_u(NAN), 0);
}

static void nearest_rounds_ties_to_even(void **state)
{
	static const struct {
		float x, nearest, trunc, ceil, floor;
	} cases[] = {
		{0.5f, 0.0f, 0.0f, 1.0f, 0.0f},
		{1.5f, 2.0f, 1.0f, 2.0f, 1.0f},
		{2.5f, 2.0f, 2.0f, 3.0f, 2.0f},
		{-0.5f, -0.0f, -0.0f, -0.0f, -1.0f},
		{-4.2f, -4.0f, -4.0f, -4.0f, -5.0f},
		{8388609.0f, 8388609.0f, 8388609.0f, 8388609.0f, 8388609.0f},
	};

	(void)state;
	for (size_t i = 0; i < N(cases); i++) {
		const float x = cases[i].x;

		assert_int_equal(we_f32_bits(we_f32_nearest(x)), we_f32_bits(cases[i].nearest));
		assert_int_equal(we_f32_bits(we_f32_trunc(x)), we_f32_bits(cases[i].trunc));
		assert_int_equal(we_f32_bits(we_f32_ceil(x)), we_f32_bits(cases[i].ceil));
		assert_int_equal(we_f32_bits(we_f32_floor(x)), we_f32_bits(cases[i].floor));
		assert_int_equal(we_f64_bits(we_f64_nearest((double)x)),
			we_f64_bits((double)cases[i].nearest));
		assert_int_equal(
			we_f64_bits(we_f64_floor((double)x)), we_f64_bits((double)cases[i].floor));
	}
}

static void min_and_max_know_signed_zeros_and_nans(void **state)
{
	const float snan = we_f32_from_bits(SNAN_32);

	(void)state;
	assert_int_equal(we_f32_bits(we_f32_min(0.0f, -0.0f)), 0x80000000u);
	assert_int_equal(we_f32_bits(we_f32_min(-0.0f, 0.0f)), 0x80000000u);
	assert_int_equal(we_f32_bits(we_f32_max(-0.0f, 0.0f)), 0);
	assert_int_equal(we_f64_bits(we_f64_min(0.0, -0.0)), 1ull << 63);
	assert_int_equal(we_f64_bits(we_f64_max(-0.0, 0.0)), 0);
	assert_true(we_f32_min(1.0f, -INFINITY) == -INFINITY);
	assert_true(we_f64_max(1.0, (double)INFINITY) == (double)INFINITY);
	assert_true(is_arithmetic_nan(we_f32_min(snan, 1.0f)));
	assert_true(is_arithmetic_nan(we_f32_max(1.0f, snan)));
	assert_true(is_arithmetic_nan(we_f32_min(we_f32_from_bits(NAN_32), -INFINITY)));
	assert_int_equal(we_f64_bits(we_f64_min(we_f64_from_bits(SNAN_64), 0.0)) & NAN_64, NAN_64);
}

static void signalling_nans_come_out_quiet(void **state)
{
	const float snan = we_f32_from_bits(SNAN_32);
	const double snan_64 = we_f64_from_bits(SNAN_64);

	(void)state;
	assert_true(is_arithmetic_nan(we_f32_ceil(snan)));
	assert_true(is_arithmetic_nan(we_f32_nearest(snan)));
	assert_true(is_arithmetic_nan(we_f32_sqrt(snan)));
	assert_true(is_arithmetic_nan(we_f32_demote(snan_64)));
	assert_int_equal(we_f64_bits(we_f64_promote(snan)) & NAN_64, NAN_64);
	assert_int_equal(we_f64_bits(we_f64_trunc(snan_64)) & NAN_64, NAN_64);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(integer_division_traps_where_it_has_no_result),
		cmocka_unit_test(long_division_traps_where_it_has_no_result),
		cmocka_unit_test(counts_of_zero_are_the_width),
		cmocka_unit_test(trunc_traps_outside_the_range_and_saturates),
		cmocka_unit_test(trunc_of_single_floats_has_its_own_bounds),
		cmocka_unit_test(nearest_rounds_ties_to_even),
		cmocka_unit_test(min_and_max_know_signed_zeros_and_nans),
		cmocka_unit_test(signalling_nans_come_out_quiet),
	};

	return cmocka_run_group_tests_name("we_num", tests, NULL, NULL);
}
