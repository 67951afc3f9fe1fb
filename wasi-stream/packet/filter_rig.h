// SPDX-License-Identifier: BSD-3-Clause
// filter_rig: one filter of a guest written in C (cm_fake.h), and packets for it. Each is handed back once.
#pragma once

#include "cm_fake.h"
#include "slot.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#define CLOCK  "wasi:clocks/monotonic-clock@0.3.0"
#define FILTER "weir:packet/filter@0.1.0"

enum {
	BURST = 4,
	STRIDE = WS_STRIDE_DEFAULT,
	N_TOKENS = 4096,
	HELD = 16,
	HOLD_NS = 1000,
};

static struct ws_program *program;
static struct ws_filter *filter;
static struct we_error err;
static struct ws_filter_config config;
static int token[N_TOKENS]; // times handed back
static uint32_t n_offered;
static uint32_t n_verdicts;
static struct ws_verdict last;
static uint32_t n_starting; // calls with a store, minus calls with NULL
static bool was_starting;

static inline void count_verdicts(void *env, const struct ws_verdict *v, uint32_t n)
{
	assert_ptr_equal(env, token);
	for (uint32_t i = 0; i < n; i++, n_verdicts++)
		if (v[i].token != NULL)
			++*(int *)v[i].token;
	last = v[n - 1];
}

static inline void watch_start(void *env, struct we_store *core)
{
	(void)env;
	n_starting += core != NULL ? 1 : UINT32_MAX;
	was_starting = true;
}

static const struct ws_filter_ops ops = {.verdicts = count_verdicts, .starting = watch_start};

static inline void give_back(void *env, void *tok)
{
	uint32_t *n = env;

	++*(int *)tok;
	++*n;
}

static inline int setup(void **state)
{
	(void)state;
	memset(token, 0, sizeof(token));
	n_offered = n_verdicts = n_starting = 0;
	was_starting = false;
	config = (struct ws_filter_config){
		.view_full = 1518,
		.burst = BURST,
		.n_ports = 2,
		.limits = {.held = HELD, .hold_ns = HOLD_NS},
	};
	return 0;
}

// Everything ends here: no filter is left with slots, and every token was handed back once.
static inline int teardown(void **state)
{
	(void)state;
	if (filter != NULL) {
		uint32_t n = 0;
		const uint32_t n_lent = ws_filter_n_lent(filter);

		ws_filter_reclaim(filter, give_back, &n);
		assert_int_equal(n, n_lent);
		assert_int_equal(ws_filter_n_lent(filter), 0);
	}
	for (uint32_t i = 0; i < n_offered; i++)
		assert_int_equal(token[i], 1);
	ws_filter_destroy(filter);
	ws_program_unref(program);
	filter = NULL;
	program = NULL;
	assert_int_equal(n_starting, 0);
	return 0;
}

static inline int load(const struct fake_guest *guest)
{
	static const uint8_t bytes[8] = {0, 'a', 's', 'm', 13, 0, 1, 0};

	fake_begin(guest);
	return ws_program_create(
		NULL, "f.wasm", (struct we_bytes){bytes, sizeof(bytes)}, &program, &err);
}

static inline int start(const struct fake_guest *guest)
{
	const int rc = load(guest);

	return rc < 0 ? rc : ws_filter_create(program, &config, &ops, token, &filter, &err);
}

static inline int offer(uint32_t n, uint64_t now_ns)
{
	static const uint8_t data[64] = {1, 2, 3};
	struct ws_packet packets[WS_BURST_MAX] = {0};

	for (uint32_t i = 0; i < n; i++) {
		packets[i].desc.total_len = sizeof(data);
		packets[i].desc.port_out = 1;
		packets[i].data = data;
		packets[i].token = &token[n_offered++];
	}
	return ws_filter_offer(filter, packets, n, now_ns, &err);
}

static inline int pass(uint32_t n, uint64_t now_ns)
{
	const int rc = offer(n, now_ns);

	return rc < 0 ? rc : ws_filter_run(filter, now_ns, &err);
}

// ---- guests -------------------------------------------------------------------------------------

static uint32_t read_bytes = BURST * STRIDE;

static inline void finish(void)
{
	fake_drop_rx();
	fake_drop_tx();
	fake_resolve(0, 0, "");
	fake_exit();
}

// Reads, writes back what came, reads again.
static inline void echo_on_read(uint32_t n, bool is_dropped)
{
	int64_t got = n;

	while (got != FAKE_BLOCKED) {
		if (got > 0)
			assert_int_equal(fake_write(0, (uint32_t)got), got);
		if (is_dropped) {
			finish();
			return;
		}
		got = fake_read(0, read_bytes);
	}
}

static inline void echo_process(void)
{
	fake_return(false);
	fake_read(0, read_bytes);
}

static const struct fake_guest echo = {
	.process = echo_process,
	.on_read = echo_on_read,
	.exports = {FILTER},
};

static inline void waiting_process(void)
{
	fake_return(false);
	fake_wait_for(0, 100);
}

static inline void nothing_on_read(uint32_t n, bool is_dropped)
{
	(void)n;
	(void)is_dropped;
}

#define LIFE(test) cmocka_unit_test_setup_teardown(test, setup, teardown)
