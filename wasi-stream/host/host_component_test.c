// SPDX-License-Identifier: BSD-3-Clause
// Tests of the host's interfaces through the canonical ABI: ../guest/hosts.c calls what a packet's mark asks for. Twice:
// as `weir wrap` made it, and as wasm-tools did, whose imports name their types.
#include "../guest/hosts.h"
#include "ws.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static struct we_engine *engine;
static struct ws_program *program;
static struct ws_filter *filter;
static struct we_error err;
static struct ws_verdict last;
static uint32_t n_verdicts;
static char log_line[200];
static uint64_t clock_ns;

static void keep_verdict(void *env, const struct ws_verdict *v, uint32_t n)
{
	(void)env;
	n_verdicts += n;
	last = v[0];
}

static void keep_line(void *env, enum ws_log_level level, const char *context, size_t context_len,
	const char *message, size_t message_len)
{
	(void)env;
	snprintf(log_line, sizeof(log_line), "%d %.*s: %.*s", (int)level, (int)context_len, context,
		(int)message_len, message);
}

static uint64_t tell_ns(void *env)
{
	(void)env;
	return clock_ns;
}

static int start(const char *path)
{
	static const struct ws_config_entry entries[] = {
		{"key", "value of key", 12}, {"last", "\xe2\x82\xac", 3}};
	static const struct ws_filter_ops ops = {
		.verdicts = keep_verdict, .log = keep_line, .now_ns = tell_ns};
	const struct ws_filter_config config = {.view_full = 1518,
		.burst = 4,
		.n_ports = 1,
		.entries = entries,
		.n_entries = 2,
		.limits = {.hold_ns = 100000},
		.random_seed = {1, 2}};
	static uint8_t bytes[1 << 16];
	FILE *in = fopen(path, "rb");

	assert_non_null(in);
	const size_t len = fread(bytes, 1, sizeof(bytes), in);

	fclose(in);
	clock_ns = 1000;
	n_verdicts = 0;
	assert_int_equal(we_engine_create(NULL, &engine, &err), 0);
	if (ws_program_create(engine, "hosts", (struct we_bytes){bytes, len}, &program, &err) < 0 ||
		ws_filter_create(program, &config, &ops, NULL, &filter, &err) < 0)
		fail_msg("%s: %s", path, err.msg);
	return 0;
}

static int start_wrapped(void **state)
{
	(void)state;
	return start(GUEST "/hosts.wasm");
}

static int start_new(void **state)
{
	(void)state;
	return start(GUEST "/hosts_new.wasm");
}

static int stop(void **state)
{
	(void)state;
	assert_int_equal(ws_filter_stop(filter, clock_ns, &err), 0);
	assert_int_equal(ws_filter_state(filter), WS_FILTER_STOPPED);
	assert_int_equal(ws_filter_status(filter), WS_STATUS_OK);
	ws_filter_destroy(filter);
	ws_program_unref(program);
	we_engine_destroy(engine);
	return 0;
}

static void ask_later(enum ask what)
{
	const struct ws_packet packet = {.desc = {.mark = what}, .token = &last};

	assert_int_equal(ws_filter_offer(filter, &packet, 1, clock_ns, &err), 0);
	if (ws_filter_run(filter, clock_ns, &err) < 0)
		fail_msg("ask %d: %s", (int)what, err.msg);
}

static void ask(enum ask what)
{
	const uint32_t before = n_verdicts;

	ask_later(what);
	assert_int_equal(n_verdicts, before + 1);
}

static uint64_t number(void)
{
	uint64_t n;

	memcpy(&n, last.scratch, sizeof(n));
	return n;
}

static void host_clock_tells_the_time_of_the_poll_loop(void **state)
{
	(void)state;
	clock_ns = 123456789012345;
	ask(ASK_NOW);
	assert_int_equal(number(), 123456789012345);
	ask(ASK_RESOLUTION);
	assert_int_equal(number(), 1);
}

static void host_random_numbers_are_fresh_and_of_the_seed(void **state)
{
	uint8_t first[16];

	(void)state;
	ask(ASK_U64);
	const uint64_t a = number();

	ask(ASK_U64);
	assert_true(number() != a);
	ask(ASK_BYTES);
	assert_int_equal(last.mark, 16);
	memcpy(first, last.scratch, 16);
	ask(ASK_BYTES);
	assert_memory_not_equal(last.scratch, first, 16);
}

static void host_logging_gets_level_context_and_message(void **state)
{
	(void)state;
	ask(ASK_LOG);
	assert_string_equal(log_line, "3 hosts: asked");
}

static void host_config_store_answers_one_and_all(void **state)
{
	(void)state;
	ask(ASK_GET);
	assert_int_equal(last.mark, 12);
	assert_memory_equal(last.scratch, "value of key", 12);
	ask(ASK_GET_ALL);
	assert_int_equal(last.mark, 2);
	assert_memory_equal(last.scratch, "\xe2\x82\xac", 3);
}

static void host_wait_ends_when_its_time_has_come(void **state)
{
	static const struct {
		enum ask what;
		uint64_t due_ns;
	} cases[] = {{ASK_WAIT_FOR, 2000}, {ASK_WAIT_UNTIL, 5000}, {ASK_WAIT_FOR, 6000}};

	(void)state;
	for (uint32_t i = 0; i < 3; i++) {
		ask_later(cases[i].what);
		assert_int_equal(n_verdicts, i);
		assert_int_equal(ws_filter_n_lent(filter), 1);
		assert_int_equal(ws_filter_next_ns(filter), cases[i].due_ns);
		clock_ns = cases[i].due_ns - 1;
		assert_false(ws_filter_wants_run(filter, clock_ns));
		assert_int_equal(ws_filter_run(filter, clock_ns, &err), 0);
		assert_int_equal(n_verdicts, i);
		clock_ns++;
		assert_true(ws_filter_wants_run(filter, clock_ns));
		assert_int_equal(ws_filter_run(filter, clock_ns, &err), 0);
		assert_int_equal(n_verdicts, i + 1);
	}
}

static void host_wait_for_the_past_is_over_at_once(void **state)
{
	(void)state;
	ask(ASK_WAIT_UNTIL_PAST);
	assert_int_equal(last.mark, 2); // RETURNED, no subtask
}

#define BOTH(test)                                                                                 \
	cmocka_unit_test_setup_teardown(test, start_wrapped, stop),                                \
		cmocka_unit_test_setup_teardown(test, start_new, stop)

int main(void)
{
	const struct CMUnitTest tests[] = {
		BOTH(host_clock_tells_the_time_of_the_poll_loop),
		BOTH(host_random_numbers_are_fresh_and_of_the_seed),
		BOTH(host_logging_gets_level_context_and_message),
		BOTH(host_config_store_answers_one_and_all),
		BOTH(host_wait_ends_when_its_time_has_come),
		BOTH(host_wait_for_the_past_is_over_at_once),
	};

	return cmocka_run_group_tests_name("ws_host", tests, NULL, NULL);
}
