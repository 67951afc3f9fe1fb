// SPDX-License-Identifier: BSD-3-Clause
// Tests of filters as they are used: components run by the engine, those of filters/prebuilt, and the examples
// beside the project where they can be had.
#include "alloc_trial.h"
#include "ws.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum {
	BURST = 32,
	N_TOKENS = 100000,
	PACKET_MAX = 1518,
};

static struct we_engine *engine;
static struct ws_program *program;
static struct ws_filter *filter;
static struct we_error err;
static struct ws_filter_config config;
static uint8_t packet_bytes[BURST][PACKET_MAX];
static struct {
	uint32_t n_back;
	uint32_t len;
} token[N_TOKENS];
static uint32_t n_offered;
static uint32_t n_verdicts;
static uint32_t n_drops;
static void (*inspect)(const struct ws_verdict *v);
static char log_line[2000];

static void take_verdicts(void *env, const struct ws_verdict *v, uint32_t n)
{
	(void)env;
	for (uint32_t i = 0; i < n; i++, n_verdicts++) {
		token[(uintptr_t)v[i].token - 1].n_back++;
		n_drops += v[i].code == WS_VERDICT_DROP;
		if (inspect != NULL)
			inspect(&v[i]);
	}
}

static void keep_line(void *env, enum ws_log_level level, const char *context, size_t context_len,
	const char *message, size_t message_len)
{
	(void)env;
	snprintf(log_line, sizeof(log_line), "%d %.*s: %.*s", (int)level, (int)context_len, context,
		(int)message_len, message);
}

static const struct ws_filter_ops ops = {.verdicts = take_verdicts, .log = keep_line};

static void give_back(void *env, void *tok)
{
	(void)env;
	token[(uintptr_t)tok - 1].n_back++;
}

static int setup(void **state)
{
	(void)state;
	memset(token, 0, sizeof(token));
	n_offered = n_verdicts = n_drops = 0;
	inspect = NULL;
	log_line[0] = '\0';
	config = (struct ws_filter_config){.view_full = PACKET_MAX, .burst = BURST, .n_ports = 2};
	return we_engine_create(NULL, &engine, &err);
}

static int teardown(void **state)
{
	(void)state;
	if (filter != NULL)
		ws_filter_reclaim(filter, give_back, NULL);
	for (uint32_t i = 0; i < n_offered; i++)
		assert_int_equal(token[i].n_back, 1);
	ws_filter_destroy(filter);
	ws_program_unref(program);
	we_engine_destroy(engine);
	filter = NULL;
	program = NULL;
	return 0;
}

// Returns: false when there is no such file.
static bool load(const char *folder, const char *name)
{
	static uint8_t bytes[1 << 20];
	char path[4096];

	snprintf(path, sizeof(path), "%s/%s", folder, name);
	FILE *in = fopen(path, "rb");

	if (in == NULL)
		return false;
	const size_t len = fread(bytes, 1, sizeof(bytes), in);

	fclose(in);
	if (ws_program_create(engine, name, (struct we_bytes){bytes, len}, &program, &err) < 0)
		fail_msg("%s: %s", path, err.msg);
	return true;
}

static void start(const char *folder, const char *name)
{
	if (!load(folder, name)) {
		print_message("%s/%s is not there: skipped\n", folder, name);
		skip();
	}
	if (ws_filter_create(program, &config, &ops, NULL, &filter, &err) < 0)
		fail_msg("%s: %s", name, err.msg);
}

// A UDP packet of the given length, each with a different last byte.
static void make_packet(uint8_t *bytes, uint32_t len, uint8_t last)
{
	static const uint8_t head[42] = {2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2, 8, 0, 0x45, 0, 0, 28,
		0, 0, 0, 0, 64, 17, 0, 0, 192, 0, 2, 1, 198, 51, 100, 1, 0x30, 0x39, 0, 53, 0, 8};

	memset(bytes, 0x55, PACKET_MAX);
	memcpy(bytes, head, sizeof(head));
	if (len > 0)
		bytes[len - 1] = last;
}

static int pass(uint32_t n, uint64_t now_ns)
{
	struct ws_packet packets[BURST] = {0};
	int rc;

	for (uint32_t i = 0; i < n; i++) {
		const uint32_t len = n_offered * 37 % PACKET_MAX;

		make_packet(packet_bytes[i], len, (uint8_t)n_offered);
		token[n_offered].len = len;
		packets[i].desc.total_len = len;
		packets[i].desc.port_out = 1;
		packets[i].data = packet_bytes[i];
		packets[i].token = (void *)(uintptr_t)++n_offered;
	}
	rc = ws_filter_offer(filter, packets, n, now_ns, &err);
	return rc < 0 ? rc : ws_filter_run(filter, now_ns, &err);
}

// Bursts of every size, each of which comes back in its own run, then a stop.
static void run_through(void)
{
	for (uint32_t i = 0; i < 500; i++) {
		if (pass(1 + i % BURST, i) < 0)
			fail_msg("burst %u: %s", i, err.msg);
		assert_int_equal(ws_filter_n_lent(filter), 0);
	}
	assert_int_equal(n_verdicts, n_offered);
	if (ws_filter_stop(filter, 1000, &err) < 0)
		fail_msg("stop: %s", err.msg);
	assert_int_equal(ws_filter_state(filter), WS_FILTER_STOPPED);
	assert_int_equal(ws_filter_status(filter), WS_STATUS_OK);
}

static void expect_untouched(const struct ws_verdict *v)
{
	const uint32_t len = token[(uintptr_t)v->token - 1].len;

	assert_int_equal(v->shown, len < 192 ? len : 192);
	assert_int_equal(v->len, v->shown);
	assert_int_equal(v->port_out, 1);
	assert_int_equal(v->code, WS_VERDICT_PRESET);
	assert_false(v->changed);
}

static void component_pass_hands_every_packet_back_untouched(void **state)
{
	(void)state;
	start(PREBUILT, "pass.wasm");
	assert_true(ws_program_has_setup(program));
	assert_int_equal(ws_filter_shape(filter).stride, 256);
	inspect = expect_untouched;
	run_through();
}

static void component_pass_has_the_operators_view(void **state)
{
	(void)state;
	config.view = WS_VIEW_FULL;
	start(PREBUILT, "pass.wasm");
	assert_int_equal(ws_filter_shape(filter).view, PACKET_MAX);
	assert_int_equal(ws_filter_shape(filter).stride, 1600);
	run_through();
}

static void component_drop_drops_every_packet(void **state)
{
	(void)state;
	start(PREBUILT, "drop.wasm");
	run_through();
	assert_int_equal(n_drops, n_offered);
}

static void expect_swapped(const struct ws_verdict *v)
{
	if (v->shown <= 12) // its last byte is one of those
		return;
	assert_true(v->changed);
	assert_memory_equal(v->data, "\2\0\0\0\0\2\2\0\0\0\0\1", 12);
	if (v->len > 42 && v->len == token[(uintptr_t)v->token - 1].len)
		assert_int_equal(v->data[v->len - 1], (uint8_t)((uintptr_t)v->token - 1));
}

static void component_macswap_changes_the_bytes_of_each(void **state)
{
	(void)state;
	start(PREBUILT, "macswap.wasm");
	inspect = expect_swapped;
	run_through();
}

static void component_count_logs_at_its_end(void **state)
{
	(void)state;
	start(PREBUILT, "count.wasm");
	run_through();
	assert_non_null(strstr(log_line, "2 count: "));
}

static void component_acl_reads_its_rules_from_the_config(void **state)
{
	static const char rules[] = "deny udp from any to any port 53\ndefault allow";
	const struct ws_config_entry entry = {"rules", rules, sizeof(rules) - 1};

	(void)state;
	config.entries = &entry;
	config.n_entries = 1;
	start(PREBUILT, "acl.wasm");
	run_through();
	assert_true(n_drops > n_offered / 2);
	assert_true(n_drops < n_offered); // those that are too short to be UDP
}

static void component_acl_with_bad_rules_has_ended_and_says_why(void **state)
{
	static const char rules[] = "default allow\nperhaps";
	const struct ws_config_entry entry = {"rules", rules, sizeof(rules) - 1};

	(void)state;
	config.entries = &entry;
	config.n_entries = 1;
	start(PREBUILT, "acl.wasm");
	assert_int_equal(ws_filter_state(filter), WS_FILTER_ENDED);
	assert_int_equal(ws_filter_status(filter), WS_STATUS_INTERNAL);
	assert_true(strlen(ws_filter_status_text(filter)) > 0);
	assert_int_equal(ws_filter_room(filter), 0);
}

static void component_without_shim_or_fixup_runs(void **state)
{
	(void)state;
	start(EXAMPLES, "wrapped-filter/pass.wasm");
	inspect = expect_untouched;
	run_through();
}

static void component_that_returns_its_own_rx_passes_everything(void **state)
{
	(void)state;
	start(GUEST, "own.wasm");
	inspect = expect_untouched;
	run_through();
}

static void component_made_by_the_rust_toolchain_runs(void **state)
{
	(void)state;
	start(EXAMPLES, "rust-filter/filter.component.wasm");
	assert_false(ws_program_has_setup(program));
	inspect = expect_untouched; // it changes a byte that is the host's
	run_through();
}

static void component_without_setup_refuses_an_operators_view(void **state)
{
	(void)state;
	if (!load(EXAMPLES, "rust-filter/filter.component.wasm"))
		skip();
	config.view = 64;
	assert_int_equal(
		ws_filter_create(program, &config, &ops, NULL, &filter, &err), WE_E_INVALID);
	filter = NULL;
}

static void component_of_one_program_has_instances_of_its_own(void **state)
{
	struct ws_filter *second;

	(void)state;
	start(PREBUILT, "pass.wasm");
	assert_int_equal(ws_filter_create(program, &config, &ops, NULL, &second, &err), 0);
	ws_filter_destroy(second);
	run_through();
}

// ---- allocations --------------------------------------------------------------------------------

static void component_data_path_allocates_nothing(void **state)
{
	static const struct {
		const char *folder, *name;
	} filters[] = {
		{PREBUILT, "pass.wasm"},
		{PREBUILT, "macswap.wasm"},
		{PREBUILT, "count.wasm"},
		{EXAMPLES, "wrapped-filter/pass.wasm"},
		{EXAMPLES, "rust-filter/filter.component.wasm"},
	};

	for (uint32_t i = 0; i < sizeof(filters) / sizeof(filters[0]); i++) {
		if (!load(filters[i].folder, filters[i].name)) {
			print_message("%s is not there\n", filters[i].name);
			continue;
		}
		assert_int_equal(ws_filter_create(program, &config, &ops, NULL, &filter, &err), 0);
		for (uint32_t n = 0; n < 100; n++) {
			if (n == 2) { // pools have been filled
				assert_true(alloc_trial.n > 0);
				alloc_trial.n = 0;
			}
			assert_int_equal(pass(1 + n % BURST, n), 0);
		}
		if (alloc_trial.n > 0)
			fail_msg("%s: %lu allocations", filters[i].name, alloc_trial.n);
		teardown(state);
		setup(state);
	}
}

#define LIFE(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		LIFE(component_pass_hands_every_packet_back_untouched),
		LIFE(component_pass_has_the_operators_view),
		LIFE(component_drop_drops_every_packet),
		LIFE(component_macswap_changes_the_bytes_of_each),
		LIFE(component_count_logs_at_its_end),
		LIFE(component_acl_reads_its_rules_from_the_config),
		LIFE(component_acl_with_bad_rules_has_ended_and_says_why),
		LIFE(component_without_shim_or_fixup_runs),
		LIFE(component_that_returns_its_own_rx_passes_everything),
		LIFE(component_made_by_the_rust_toolchain_runs),
		LIFE(component_without_setup_refuses_an_operators_view),
		LIFE(component_data_path_allocates_nothing),
		LIFE(component_of_one_program_has_instances_of_its_own),
	};

	return cmocka_run_group_tests_name("ws_component", tests, NULL, NULL);
}
