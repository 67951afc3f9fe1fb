// SPDX-License-Identifier: BSD-3-Clause
// Tests of wasi:random/random.
#include "random.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

struct cm_call {
	struct cm_val vals[WS_RANDOM_BYTES_MAX];
	size_t room; // bytes of vals that may be had
};

static struct cm_call call;
static struct we_error err;

void *cm_call_alloc(struct cm_call *c, size_t len)
{
	return len <= c->room ? c->vals : NULL;
}

static void random_block_is_chacha20(void **state)
{
	// draft-strombergson-chacha-test-vectors, TC1: 128-bit key of zeros, 20 rounds
	static const uint8_t expected[32] = {0x89, 0x67, 0x09, 0x52, 0x60, 0x83, 0x64, 0xfd, 0x00,
		0xb2, 0xf9, 0x09, 0x36, 0xf0, 0x31, 0xc8, 0xe7, 0x56, 0xe1, 0x5d, 0xba, 0x04, 0xb8,
		0x49, 0x3d, 0x00, 0x42, 0x92, 0x59, 0xb2, 0x0f, 0x46};
	const uint32_t key[4] = {0};
	uint8_t block[64];

	(void)state;
	ws_random_block(key, block);
	assert_memory_equal(block, expected, sizeof(expected));
}

static void random_bytes_do_not_depend_on_how_they_are_asked_for(void **state)
{
	const uint64_t seed[2] = {1, 2};
	struct ws_random whole, pieces;
	uint8_t a[500], b[500];
	size_t at = 0;

	(void)state;
	ws_random_init(&whole, seed);
	ws_random_init(&pieces, seed);
	ws_random_fill(&whole, a, sizeof(a));
	for (size_t n = 1; at + n <= sizeof(b); at += n++)
		ws_random_fill(&pieces, b + at, n);
	assert_memory_equal(a, b, at);
}

static void random_seeds_give_different_streams(void **state)
{
	struct ws_random a, b;
	uint64_t x = 0;
	uint64_t y = 0;

	(void)state;
	ws_random_init(&a, (const uint64_t[2]){1, 2});
	ws_random_init(&b, (const uint64_t[2]){1, 3});
	ws_random_fill(&a, (uint8_t *)&x, sizeof(x));
	ws_random_fill(&b, (uint8_t *)&y, sizeof(y));
	assert_true(x != y);
}

static void random_state_keeps_nothing_of_what_was_given_out(void **state)
{
	struct ws_random random;
	uint8_t out[48];

	(void)state;
	ws_random_init(&random, (const uint64_t[2]){3, 4});
	ws_random_fill(&random, out, sizeof(out));
	for (uint32_t i = 0; i < WS_RANDOM_BLOCK_BYTES; i++)
		assert_int_equal(random.block[i], 0);
}

static void random_bytes_of_any_length_are_bounded(void **state)
{
	static const struct {
		uint64_t max;
		uint32_t n;
	} cases[] = {{0, 0}, {1, 1}, {100, 100}, {4096, 4096}, {4097, 4096}, {UINT64_MAX, 4096}};
	struct ws_random random;

	(void)state;
	ws_random_init(&random, (const uint64_t[2]){3, 4});
	call.room = sizeof(call.vals);
	for (uint32_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		const struct cm_val arg = {.kind = CM_U64, .of.bits = cases[i].max};
		struct cm_val result;

		assert_int_equal(ws_random_get_bytes(&random, &call, &arg, 1, &result, &err), 0);
		assert_int_equal(result.kind, CM_LIST);
		assert_int_equal(result.n, cases[i].n);
		for (uint32_t j = 0; j < result.n; j++) {
			assert_int_equal(result.of.elems[j].kind, CM_U8);
			assert_true(result.of.elems[j].of.bits < 256);
		}
	}
}

static void random_bytes_without_room_are_exhaustion(void **state)
{
	const struct cm_val arg = {.kind = CM_U64, .of.bits = 1000};
	struct ws_random random;
	struct cm_val result;

	(void)state;
	ws_random_init(&random, (const uint64_t[2]){3, 4});
	call.room = 10;
	assert_int_equal(
		ws_random_get_bytes(&random, &call, &arg, 1, &result, &err), WE_E_EXHAUSTED);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(random_block_is_chacha20),
		cmocka_unit_test(random_bytes_do_not_depend_on_how_they_are_asked_for),
		cmocka_unit_test(random_seeds_give_different_streams),
		cmocka_unit_test(random_state_keeps_nothing_of_what_was_given_out),
		cmocka_unit_test(random_bytes_of_any_length_are_bounded),
		cmocka_unit_test(random_bytes_without_room_are_exhaustion),
	};

	return cmocka_run_group_tests_name("ws_random", tests, NULL, NULL);
}
