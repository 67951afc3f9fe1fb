// SPDX-License-Identifier: BSD-3-Clause
// Tests of the life of a filter, from the program to the last token, with guests written in C (cm_fake.h).
#include "cm_fake.h"
#include "slot.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#define SETUP  "weir:packet/setup@0.1.0"
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

static void count_verdicts(void *env, const struct ws_verdict *v, uint32_t n)
{
	assert_ptr_equal(env, token);
	for (uint32_t i = 0; i < n; i++, n_verdicts++)
		if (v[i].token != NULL)
			++*(int *)v[i].token;
	last = v[n - 1];
}

static void watch_start(void *env, struct we_store *core)
{
	(void)env;
	n_starting += core != NULL ? 1 : UINT32_MAX;
	was_starting = true;
}

static const struct ws_filter_ops ops = {.verdicts = count_verdicts, .starting = watch_start};

static void give_back(void *env, void *tok)
{
	uint32_t *n = env;

	++*(int *)tok;
	++*n;
}

static int setup(void **state)
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
static int teardown(void **state)
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

static int load(const struct fake_guest *guest)
{
	static const uint8_t bytes[8] = {0, 'a', 's', 'm', 13, 0, 1, 0};

	fake_begin(guest);
	return ws_program_create(
		NULL, "f.wasm", (struct we_bytes){bytes, sizeof(bytes)}, &program, &err);
}

static int start(const struct fake_guest *guest)
{
	const int rc = load(guest);

	return rc < 0 ? rc : ws_filter_create(program, &config, &ops, token, &filter, &err);
}

static int offer(uint32_t n, uint64_t now_ns)
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

static int pass(uint32_t n, uint64_t now_ns)
{
	const int rc = offer(n, now_ns);

	return rc < 0 ? rc : ws_filter_run(filter, now_ns, &err);
}

// ---- guests -------------------------------------------------------------------------------------

static uint32_t read_bytes = BURST * STRIDE;

static void finish(void)
{
	fake_drop_rx();
	fake_drop_tx();
	fake_resolve(0, 0, "");
	fake_exit();
}

// Reads, writes back what came, reads again.
static void echo_on_read(uint32_t n, bool is_dropped)
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

static void echo_process(void)
{
	fake_return(false);
	fake_read(0, read_bytes);
}

static const struct fake_guest echo = {
	.process = echo_process,
	.on_read = echo_on_read,
	.exports = {FILTER},
};

static void echo_process_again(void)
{
	echo_on_read(0, false);
}

// Reads and keeps what it read.
static void hoard_on_read(uint32_t n, bool is_dropped)
{
	(void)n;
	if (!is_dropped)
		while (fake_read(0, read_bytes) != FAKE_BLOCKED)
			;
}

static const struct fake_guest hoard = {
	.process = echo_process,
	.on_read = hoard_on_read,
	.exports = {FILTER},
};

static void nothing_on_read(uint32_t n, bool is_dropped)
{
	(void)n;
	(void)is_dropped;
}

static void nothing_on_timer(uint32_t i)
{
	(void)i;
}

// ---- programs -----------------------------------------------------------------------------------

static void program_core_module_is_refused_pointing_to_weir_wrap(void **state)
{
	static const uint8_t core[8] = {0, 'a', 's', 'm', 1, 0, 0, 0};

	(void)state;
	assert_int_equal(ws_program_create(NULL, "f.wasm", (struct we_bytes){core, sizeof(core)},
				 &program, &err),
		WE_E_INVALID);
	assert_non_null(strstr(err.msg, "weir wrap"));
}

static void program_without_the_export_is_unlinkable(void **state)
{
	static const struct fake_guest none = {.exports = {"wasi:cli/run@0.3.0"}};
	static const struct fake_guest other = {.exports = {"weir:packet/filter@0.2.0"}};

	(void)state;
	assert_int_equal(load(&none), WE_E_UNLINKABLE);
	assert_string_equal(err.msg, "exports no filter, expected weir:packet/filter@0.1.0");
	assert_int_equal(load(&other), WE_E_UNLINKABLE);
	assert_string_equal(
		err.msg, "exports weir:packet/filter@0.2.0, expected weir:packet/filter@0.1.0");
}

static void program_import_in_another_version_is_refused_naming_ours(void **state)
{
	static const struct fake_guest guest = {
		.exports = {FILTER}, .imports = {SETUP, "wasi:config/store@0.2.0"}};

	(void)state;
	assert_int_equal(load(&guest), WE_E_UNLINKABLE);
	assert_string_equal(err.msg,
		"imports wasi:config/store@0.2.0, offered is wasi:config/store@0.2.0-rc.1");
}

static void program_import_of_another_interface_is_refused_naming_all(void **state)
{
	static const struct fake_guest guest = {
		.exports = {FILTER}, .imports = {"wasi:filesystem/preopens@0.3.0-draft"}};
	const char *name;

	(void)state;
	assert_int_equal(load(&guest), WE_E_UNLINKABLE);
	assert_ptr_equal(
		strstr(err.msg, "imports wasi:filesystem/preopens@0.3.0-draft, offered are "),
		err.msg);
	for (uint32_t i = 0; (name = ws_offered_interface(i)) != NULL; i++)
		if (strstr(err.msg, name) == NULL)
			fail_msg("%s stands not in: %s", name, err.msg);
}

static void program_knows_whether_setup_is_imported(void **state)
{
	static const struct fake_guest with = {.exports = {FILTER}, .imports = {CLOCK, SETUP}};

	(void)state;
	assert_int_equal(load(&echo), 0);
	assert_false(ws_program_has_setup(program));
	ws_program_unref(program);
	assert_int_equal(load(&with), 0);
	assert_true(ws_program_has_setup(program));
	assert_string_equal(ws_program_name(program), "f.wasm");
}

// ---- start --------------------------------------------------------------------------------------

static void filter_without_setup_has_the_default_shape(void **state)
{
	(void)state;
	assert_int_equal(start(&echo), 0);
	const struct ws_shape shape = ws_filter_shape(filter);

	assert_int_equal(shape.stride, 256);
	assert_int_equal(shape.view, 192);
	assert_int_equal(shape.room, 0);
	assert_int_equal(shape.burst, BURST);
	assert_int_equal(ws_filter_n_reasons(filter), 0);
	assert_int_equal(ws_filter_state(filter), WS_FILTER_READY);
	assert_int_equal(ws_filter_status(filter), WS_STATUS_OPEN);
	assert_true(was_starting);
}

static void filter_without_setup_refuses_an_operators_view(void **state)
{
	(void)state;
	config.view = 64;
	assert_int_equal(start(&echo), WE_E_INVALID);
	assert_non_null(strstr(err.msg, "does not import weir:packet/setup"));
	filter = NULL;
}

static void asking_process(void)
{
	fake_configure(64, 10, "denied");
	echo_process();
}

static void filter_with_setup_has_the_shape_that_configure_answered(void **state)
{
	static const struct fake_guest guest = {.process = asking_process,
		.on_read = echo_on_read,
		.exports = {FILTER},
		.imports = {SETUP}};

	(void)state;
	assert_int_equal(start(&guest), 0);
	assert_int_equal(ws_filter_shape(filter).stride, 192);
	assert_int_equal(ws_filter_shape(filter).room, 10);
	assert_int_equal(ws_filter_n_reasons(filter), 1);
	assert_string_equal(ws_filter_reason(filter, 1), "denied");
	assert_null(ws_filter_reason(filter, 0));
	assert_null(ws_filter_reason(filter, 2));
	assert_int_equal(pass(4, 1), 0);
	assert_int_equal(n_verdicts, 4);
	assert_int_equal(((struct ws_slot *)fake_memory)->data_off, 74);
	assert_memory_equal(fake_memory + 74, "\1\2\3", 3);
}

static void late_process(void)
{
	fake_return(false);
	fake_read(0, 0); // a probe is a read, too
	fake_configure(64, 0, "late");
}

static void filter_configure_after_a_read_traps(void **state)
{
	static const struct fake_guest guest = {.process = late_process,
		.on_read = nothing_on_read,
		.exports = {FILTER},
		.imports = {SETUP}};

	(void)state;
	assert_int_equal(start(&guest), WE_E_TRAP);
	assert_non_null(strstr(err.msg, "called after the first read or write"));
	assert_true(was_starting);
	filter = NULL;
}

static void waiting_process(void)
{
	fake_return(false);
	fake_wait_for(0, 100);
}

static void late_on_timer(uint32_t i)
{
	(void)i;
	fake_configure(64, 0, "late");
}

static void filter_configure_after_the_start_traps(void **state)
{
	static const struct fake_guest guest = {.process = waiting_process,
		.on_timer = late_on_timer,
		.exports = {FILTER},
		.imports = {SETUP, CLOCK}};

	(void)state;
	assert_int_equal(start(&guest), 0);
	assert_int_equal(ws_filter_run(filter, 100, &err), WE_E_TRAP);
	assert_int_equal(ws_filter_state(filter), WS_FILTER_FAULTED);
}

static void filter_limits_out_of_range_are_invalid(void **state)
{
	static const struct {
		uint32_t view_full, burst, held, timers;
		const char *message;
	} cases[] = {
		{WS_VIEW_MAX + 1, 1, 1, 1, "full view 65409, expected at most 65408"},
		{1, 0, 1, 1, "burst 0, expected 1 to 64"},
		{1, 65, 1, 1, "burst 65, expected at most 64"},
		{1, 1, 65537, 1, "held 65537, expected at most 65536"},
		{1, 1, 1, 65537, "timers 65537, expected at most 65536"},
	};

	(void)state;
	assert_int_equal(load(&echo), 0);
	for (uint32_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		config.view_full = cases[i].view_full;
		config.burst = cases[i].burst;
		config.limits.held = cases[i].held;
		config.limits.timers = cases[i].timers;
		assert_int_equal(ws_filter_create(program, &config, &ops, token, &filter, &err),
			WE_E_INVALID);
		assert_string_equal(err.msg, cases[i].message);
	}
	filter = NULL;
}

static void filter_config_that_is_not_utf8_is_invalid(void **state)
{
	static const struct ws_config_entry entry = {"rules", "\xff", 1};

	(void)state;
	config.entries = &entry;
	config.n_entries = 1;
	assert_int_equal(start(&echo), WE_E_INVALID);
	assert_string_equal(err.msg, "config: value of 'rules' is not UTF-8");
	filter = NULL;
}

static void idle_process(void)
{
	fake_return(false);
}

static void filter_that_waits_for_nothing_does_not_start(void **state)
{
	static const struct fake_guest guest = {.process = idle_process, .exports = {FILTER}};

	(void)state;
	assert_int_equal(start(&guest), WE_E_EXHAUSTED);
	assert_string_equal(err.msg, "stalled: it waits for nothing that can happen, 0 slots held");
	filter = NULL;
}

static void failing_process(void)
{
	fake_return(false);
	fake_resolve(1, 1, "rules:3: no such protocol");
	fake_drop_rx();
	fake_drop_tx();
	fake_exit();
}

static void filter_that_gives_up_at_once_has_ended_and_says_why(void **state)
{
	static const struct fake_guest guest = {.process = failing_process, .exports = {FILTER}};

	(void)state;
	assert_int_equal(start(&guest), 0);
	assert_int_equal(ws_filter_state(filter), WS_FILTER_ENDED);
	assert_int_equal(ws_filter_status(filter), WS_STATUS_INTERNAL);
	assert_string_equal(ws_filter_status_text(filter), "rules:3: no such protocol");
	assert_int_equal(ws_filter_room(filter), 0);
	assert_false(ws_filter_wants_run(filter, UINT64_MAX - 1));
}

static void long_process(void)
{
	static char text[3 * 200 + 1];

	for (uint32_t i = 0; i < 200; i++)
		memcpy(text + (size_t)3 * i, "\xe2\x82\xac", 3);
	fake_return(false);
	fake_resolve(1, 1, text);
}

static void filter_long_status_text_is_cut_between_characters(void **state)
{
	static const struct fake_guest guest = {.process = long_process, .exports = {FILTER}};

	(void)state;
	assert_int_equal(start(&guest), 0);
	assert_int_equal(strlen(ws_filter_status_text(filter)), 255); // 85 whole ones
}

static void trapping_process(void)
{
	fake_trap();
}

static void filter_that_traps_at_the_start_is_not_created(void **state)
{
	static const struct fake_guest guest = {.process = trapping_process, .exports = {FILTER}};

	(void)state;
	assert_int_equal(start(&guest), WE_E_TRAP);
	assert_int_equal(err.trap, WE_TRAP_UNREACHABLE);
	assert_true(was_starting);
	filter = NULL;
}

// ---- data path ----------------------------------------------------------------------------------

static void filter_burst_costs_one_event_and_hands_every_token_back(void **state)
{
	(void)state;
	assert_int_equal(start(&echo), 0);
	for (uint32_t i = 0; i < 200; i++) {
		assert_false(ws_filter_wants_run(filter, i));
		assert_int_equal(offer(1 + i % BURST, i), 0);
		assert_true(ws_filter_wants_run(filter, i));
		assert_int_equal(ws_filter_run(filter, i, &err), 0);
		assert_int_equal(ws_filter_n_lent(filter), 0);
		assert_int_equal(fake_n_events, i + 1);
	}
	assert_int_equal(n_verdicts, n_offered);
	assert_int_equal(last.code, WS_VERDICT_PRESET);
	assert_int_equal(last.port_out, 1);
}

static void filter_offers_before_a_run_join_one_event(void **state)
{
	(void)state;
	assert_int_equal(start(&echo), 0);
	assert_int_equal(offer(1, 0), 0);
	assert_int_equal(offer(2, 0), 0);
	assert_int_equal(ws_filter_run(filter, 0, &err), 0);
	assert_int_equal(fake_n_events, 1);
	assert_int_equal(n_verdicts, 3);
}

static void filter_smaller_buffer_is_filled_again_in_the_same_run(void **state)
{
	(void)state;
	read_bytes = 2 * STRIDE + 10;
	assert_int_equal(start(&echo), 0);
	for (uint32_t i = 0; i < 50; i++) {
		assert_int_equal(pass(BURST, i), 0);
		assert_int_equal(ws_filter_n_lent(filter), 0);
	}
	read_bytes = BURST * STRIDE;
}

static void filter_reads_smaller_than_a_slot_are_served(void **state)
{
	(void)state;
	for (read_bytes = 1; read_bytes < STRIDE; read_bytes += 37) {
		setup(NULL);
		assert_int_equal(start(&echo), 0);
		for (uint32_t i = 0; i < 5; i++) {
			assert_int_equal(pass(BURST, i), 0);
			assert_int_equal(ws_filter_n_lent(filter), 0);
		}
		teardown(NULL);
	}
	read_bytes = BURST * STRIDE;
}

static uint32_t n_probes;

static void probe_on_read(uint32_t n, bool is_dropped)
{
	assert_int_equal(n, 0);
	assert_false(is_dropped);
	n_probes++;
	assert_int_equal(fake_read(0, 0), 0); // still ready
	const int64_t got = fake_read(0, read_bytes);

	assert_int_equal(got, BURST * STRIDE);
	assert_int_equal(fake_write(0, 0), 0); // a write is always taken
	assert_int_equal(fake_write(0, (uint32_t)got), got);
	assert_int_equal(fake_read(0, 0), FAKE_BLOCKED);
}

static void probe_process(void)
{
	fake_return(false);
	assert_int_equal(fake_read(0, 0), FAKE_BLOCKED);
}

static void filter_zero_length_read_is_a_readiness_probe(void **state)
{
	static const struct fake_guest guest = {
		.process = probe_process, .on_read = probe_on_read, .exports = {FILTER}};

	(void)state;
	n_probes = 0;
	assert_int_equal(start(&guest), 0);
	for (uint32_t i = 0; i < 3; i++)
		assert_int_equal(pass(BURST, i), 0);
	assert_int_equal(n_probes, 3);
	assert_int_equal(n_verdicts, 3 * BURST);
}

static void filter_room_shrinks_to_the_held_bound(void **state)
{
	(void)state;
	assert_int_equal(start(&hoard), 0);
	for (uint32_t i = 0; i < HELD / BURST; i++) {
		assert_int_equal(ws_filter_room(filter), BURST);
		assert_int_equal(pass(BURST, 0), 0);
	}
	assert_int_equal(ws_filter_room(filter), 0);
	assert_int_equal(ws_filter_n_lent(filter), HELD);
	assert_int_equal(ws_filter_state(filter), WS_FILTER_READY);
}

static void filter_that_holds_a_slot_for_too_long_is_stalled(void **state)
{
	(void)state;
	assert_int_equal(start(&hoard), 0);
	assert_int_equal(ws_filter_next_ns(filter), UINT64_MAX);
	assert_int_equal(pass(2, 500), 0);
	assert_int_equal(ws_filter_next_ns(filter), 500 + HOLD_NS);
	assert_int_equal(pass(1, 1000), 0);
	assert_false(ws_filter_wants_run(filter, 1499));
	assert_true(ws_filter_wants_run(filter, 1500));
	assert_int_equal(ws_filter_run(filter, 1499, &err), 0);
	assert_int_equal(ws_filter_run(filter, 1500, &err), WE_E_EXHAUSTED);
	assert_string_equal(err.msg, "stalled: a slot was held for too long, 3 slots held");
	assert_int_equal(ws_filter_state(filter), WS_FILTER_FAULTED);
	assert_int_equal(ws_filter_status(filter), WS_STATUS_TRAPPED);
	assert_string_equal(ws_filter_status_text(filter), err.msg);
	assert_int_equal(ws_filter_next_ns(filter), UINT64_MAX);
	assert_false(ws_filter_wants_run(filter, UINT64_MAX - 1));
	// the failure stays
	assert_int_equal(ws_filter_run(filter, 1501, &err), WE_E_EXHAUSTED);
	assert_int_equal(ws_filter_stop(filter, 1501, &err), WE_E_EXHAUSTED);
}

static void filter_that_reads_no_more_with_slots_held_is_stalled(void **state)
{
	static const struct fake_guest guest = {
		.process = echo_process, .on_read = nothing_on_read, .exports = {FILTER}};

	(void)state;
	assert_int_equal(start(&guest), 0);
	assert_int_equal(pass(3, 0), WE_E_EXHAUSTED);
	assert_string_equal(err.msg, "stalled: it waits for nothing that can happen, 3 slots held");
}

static void exiting_on_read(uint32_t n, bool is_dropped)
{
	(void)n;
	(void)is_dropped;
	fake_read(0, read_bytes);
	fake_exit();
}

static void filter_whose_task_has_exited_is_stalled_though_a_read_is_posted(void **state)
{
	static const struct fake_guest guest = {
		.process = echo_process, .on_read = exiting_on_read, .exports = {FILTER}};

	(void)state;
	assert_int_equal(start(&guest), 0);
	assert_int_equal(pass(3, 0), WE_E_EXHAUSTED);
}

// Holds what it reads until its timer rings.
static uint32_t n_batched;

static void batch_on_read(uint32_t n, bool is_dropped)
{
	assert_false(is_dropped);
	n_batched += n;
	fake_wait_for(0, 100);
}

static void batch_on_timer(uint32_t i)
{
	(void)i;
	assert_int_equal(fake_write(0, n_batched), n_batched);
	n_batched = 0;
	fake_read(0, read_bytes);
}

static void filter_that_waits_for_a_timer_may_hold_slots(void **state)
{
	static const struct fake_guest guest = {.process = echo_process,
		.on_read = batch_on_read,
		.on_timer = batch_on_timer,
		.exports = {FILTER},
		.imports = {CLOCK}};

	(void)state;
	n_batched = 0;
	assert_int_equal(start(&guest), 0);
	assert_int_equal(pass(3, 10), 0);
	assert_int_equal(ws_filter_n_lent(filter), 3);
	assert_int_equal(ws_filter_next_ns(filter), 110);
	assert_false(ws_filter_wants_run(filter, 109));
	assert_true(ws_filter_wants_run(filter, 110));
	assert_int_equal(ws_filter_run(filter, 110, &err), 0);
	assert_int_equal(n_verdicts, 3);
	assert_int_equal(ws_filter_n_lent(filter), 0);
}

static void filter_that_does_not_read_is_offered_a_burst_and_no_more(void **state)
{
	static const struct fake_guest guest = {.process = waiting_process,
		.on_timer = batch_on_timer,
		.on_read = echo_on_read,
		.exports = {FILTER},
		.imports = {CLOCK}};

	(void)state;
	n_batched = 0;
	assert_int_equal(start(&guest), 0);
	assert_int_equal(pass(BURST, 10), 0);
	assert_int_equal(ws_filter_room(filter), 0);
	assert_int_equal(ws_filter_n_lent(filter), BURST);
}

static void half_on_read(uint32_t n, bool is_dropped)
{
	(void)is_dropped;
	assert_int_equal(n, 3 * STRIDE);
	assert_int_equal(fake_write(0, STRIDE), STRIDE);
	fake_trap();
}

static void filter_trap_leaves_what_was_not_written_back_to_reclaim(void **state)
{
	static const struct fake_guest guest = {
		.process = echo_process, .on_read = half_on_read, .exports = {FILTER}};
	uint32_t n = 0;

	(void)state;
	assert_int_equal(start(&guest), 0);
	assert_int_equal(pass(3, 0), WE_E_TRAP);
	assert_int_equal(err.trap, WE_TRAP_UNREACHABLE);
	assert_int_equal(n_verdicts, 1);
	assert_int_equal(ws_filter_n_lent(filter), 2);
	assert_int_equal(ws_filter_room(filter), 0);
	ws_filter_reclaim(filter, give_back, &n);
	assert_int_equal(n, 2);
}

static void lying_on_read(uint32_t n, bool is_dropped)
{
	(void)n;
	(void)is_dropped;
	((struct ws_slot *)(fake_memory + STRIDE))->port_out = 9;
	fake_write(0, 3 * STRIDE);
}

static void filter_lie_in_a_slot_faults_it(void **state)
{
	static const struct fake_guest guest = {
		.process = echo_process, .on_read = lying_on_read, .exports = {FILTER}};

	(void)state;
	assert_int_equal(start(&guest), 0);
	assert_int_equal(pass(3, 0), WE_E_TRAP);
	assert_string_equal(err.msg, "slot 1 of a write: port_out 9, expected below 2");
	assert_int_equal(n_verdicts, 1);
	assert_int_equal(ws_filter_n_lent(filter), 2);
}

static void originate_process(void)
{
	struct ws_slot *slot = (struct ws_slot *)fake_memory;

	fake_return(false);
	*slot = (struct ws_slot){.rx_flags = WS_RX_ORIGINATED, .data_off = 64, .len = 5};
	assert_int_equal(fake_write(0, STRIDE), STRIDE);
	fake_read(0, read_bytes);
}

static void filter_may_originate_before_it_reads(void **state)
{
	static const struct fake_guest guest = {
		.process = originate_process, .on_read = echo_on_read, .exports = {FILTER}};

	(void)state;
	assert_int_equal(start(&guest), 0);
	assert_int_equal(n_verdicts, 1);
	assert_null(last.token);
	assert_int_equal(last.len, 5);
}

static void flooding_on_read(uint32_t n, bool is_dropped)
{
	struct ws_slot *slot = (struct ws_slot *)(fake_memory + n);

	(void)is_dropped;
	*slot = (struct ws_slot){.rx_flags = WS_RX_ORIGINATED, .data_off = 64};
	fake_write(0, n + STRIDE);
	fake_read(0, read_bytes);
}

static void filter_originated_packets_are_bounded_in_each_run(void **state)
{
	static const struct fake_guest guest = {
		.process = echo_process, .on_read = flooding_on_read, .exports = {FILTER}};

	(void)state;
	config.limits.originated_per_run = 1;
	assert_int_equal(start(&guest), 0);
	for (uint32_t i = 0; i < 5; i++) // the bound begins anew with each
		assert_int_equal(pass(2, i), 0);
	assert_int_equal(n_verdicts, 15);
}

// Reads into one end of its memory and writes from the other, in pieces of any size, always in order.
static struct {
	uint32_t x;    // random
	uint32_t from; // [from, to) of its memory waits to be written
	uint32_t to;
} chaos;

static uint32_t chance(uint32_t below)
{
	chaos.x = chaos.x * 1664525 + 1013904223;
	return (chaos.x >> 8) % below;
}

static void chaos_write(uint32_t n)
{
	assert_int_equal(fake_write(chaos.from, n), n);
	chaos.from += n;
}

static void chaos_on_read(uint32_t n, bool is_dropped)
{
	int64_t got = n;

	while (got != FAKE_BLOCKED) {
		chaos.to += (uint32_t)got;
		while (chaos.to > chaos.from && chance(4) > 0)
			chaos_write(chance(chaos.to - chaos.from + 1));
		if (chaos.from == chaos.to)
			chaos.from = chaos.to = 0;
		if (is_dropped) {
			chaos_write(chaos.to - chaos.from);
			finish();
			return;
		}
		got = fake_read(chaos.to, chance(3) == 0 ? chance(50) : chance(3 * STRIDE));
	}
}

static void chaos_process(void)
{
	fake_return(false);
	fake_read(0, chance(2 * STRIDE));
}

static void filter_that_reads_and_writes_in_any_pieces_loses_nothing(void **state)
{
	static const struct fake_guest guest = {
		.process = chaos_process, .on_read = chaos_on_read, .exports = {FILTER}};

	(void)state;
	for (uint32_t seed = 0; seed < 200; seed++) {
		setup(NULL);
		chaos.x = seed;
		chaos.from = chaos.to = 0;
		assert_int_equal(start(&guest), 0);
		for (uint32_t i = 0; i < 100; i++) {
			const uint32_t room = ws_filter_room(filter);
			const uint32_t n = room == 0 ? 0 : chance(room + 1);

			if (n > 0 && offer(n, 1) < 0)
				fail_msg("seed %u: %s", seed, err.msg);
			if (chance(3) > 0 && ws_filter_run(filter, 1, &err) < 0)
				fail_msg("seed %u: %s", seed, err.msg);
		}
		if (ws_filter_stop(filter, 1, &err) < 0)
			fail_msg("seed %u: %s", seed, err.msg);
		assert_int_equal(ws_filter_state(filter), WS_FILTER_STOPPED);
		assert_int_equal(n_verdicts, n_offered);
		teardown(NULL);
	}
}

// ---- the end ------------------------------------------------------------------------------------

static void filter_stop_ends_the_stream_after_what_waits(void **state)
{
	(void)state;
	assert_int_equal(start(&echo), 0);
	assert_int_equal(offer(BURST, 0), 0);
	assert_int_equal(ws_filter_stop(filter, 1, &err), 0);
	assert_int_equal(n_verdicts, BURST);
	assert_int_equal(ws_filter_state(filter), WS_FILTER_STOPPED);
	assert_int_equal(ws_filter_status(filter), WS_STATUS_OK);
	assert_int_equal(ws_filter_room(filter), 0);
	assert_int_equal(ws_filter_stop(filter, 2, &err), 0);
}

static void mute_on_read(uint32_t n, bool is_dropped)
{
	(void)n;
	assert_true(is_dropped);
	fake_drop_rx();
	fake_drop_tx();
	fake_exit();
}

static void filter_stop_without_an_answer_resolves_the_status(void **state)
{
	static const struct fake_guest guest = {
		.process = echo_process, .on_read = mute_on_read, .exports = {FILTER}};

	(void)state;
	assert_int_equal(start(&guest), 0);
	assert_int_equal(ws_filter_stop(filter, 1, &err), 0);
	assert_int_equal(ws_filter_state(filter), WS_FILTER_STOPPED);
	assert_int_equal(ws_filter_status(filter), WS_STATUS_STOPPED);
}

static void filter_that_goes_on_after_the_stop_is_stalled(void **state)
{
	static const struct fake_guest guest = {
		.process = echo_process, .on_read = nothing_on_read, .exports = {FILTER}};

	(void)state;
	assert_int_equal(start(&guest), 0);
	assert_int_equal(ws_filter_stop(filter, 1, &err), WE_E_EXHAUSTED);
	assert_string_equal(
		err.msg, "stalled: it goes on after the end of its input, 0 slots held");
}

static void lingering_on_read(uint32_t n, bool is_dropped)
{
	(void)n;
	assert_true(is_dropped);
	fake_wait_for(1, 50);
}

static void lingering_on_timer(uint32_t i)
{
	(void)i;
	finish();
}

static void filter_may_take_its_time_to_drain(void **state)
{
	static const struct fake_guest guest = {.process = echo_process,
		.on_read = lingering_on_read,
		.on_timer = lingering_on_timer,
		.exports = {FILTER},
		.imports = {CLOCK}};

	(void)state;
	assert_int_equal(start(&guest), 0);
	assert_int_equal(ws_filter_stop(filter, 100, &err), 0);
	assert_int_equal(ws_filter_state(filter), WS_FILTER_READY);
	assert_int_equal(ws_filter_room(filter), 0);
	assert_int_equal(ws_filter_next_ns(filter), 150);
	assert_int_equal(ws_filter_run(filter, 150, &err), 0);
	assert_int_equal(ws_filter_state(filter), WS_FILTER_STOPPED);
	assert_int_equal(ws_filter_status(filter), WS_STATUS_OK);
}

static void filter_that_drains_for_too_long_is_stalled(void **state)
{
	static const struct fake_guest guest = {.process = echo_process,
		.on_read = lingering_on_read,
		.on_timer = nothing_on_timer,
		.exports = {FILTER},
		.imports = {CLOCK}};

	(void)state;
	config.limits.hold_ns = 40;
	assert_int_equal(start(&guest), 0);
	assert_int_equal(ws_filter_stop(filter, 100, &err), 0);
	assert_int_equal(ws_filter_next_ns(filter), 140);
	assert_int_equal(ws_filter_stop(filter, 139, &err), 0); // not a new beginning
	assert_int_equal(ws_filter_run(filter, 140, &err), WE_E_EXHAUSTED);
	assert_string_equal(
		err.msg, "stalled: it goes on after the end of its input, 0 slots held");
}

static void yielding_process(void)
{
	fake_return(false);
	fake_yield();
}

static void filter_that_yields_is_run_again_and_not_stalled(void **state)
{
	static const struct fake_guest guest = {.process = yielding_process,
		.on_yield = echo_process_again,
		.on_read = echo_on_read,
		.exports = {FILTER}};

	(void)state;
	assert_int_equal(start(&guest), 0);
	assert_true(ws_filter_wants_run(filter, 0));
	assert_int_equal(ws_filter_state(filter), WS_FILTER_READY);
	assert_int_equal(pass(2, 1), 0);
	assert_int_equal(n_verdicts, 2);
	assert_false(ws_filter_wants_run(filter, 1));
}

static void leaving_on_read(uint32_t n, bool is_dropped)
{
	(void)is_dropped;
	fake_write(0, n - STRIDE);
	finish();
}

static void filter_that_ends_by_itself_leaves_what_it_holds_to_reclaim(void **state)
{
	static const struct fake_guest guest = {
		.process = echo_process, .on_read = leaving_on_read, .exports = {FILTER}};

	(void)state;
	assert_int_equal(start(&guest), 0);
	assert_int_equal(pass(3, 0), 0);
	assert_int_equal(ws_filter_state(filter), WS_FILTER_ENDED);
	assert_int_equal(ws_filter_status(filter), WS_STATUS_OK);
	assert_int_equal(n_verdicts, 2);
	assert_int_equal(ws_filter_n_lent(filter), 1);
	assert_int_equal(ws_filter_room(filter), 0);
}

static void closing_on_read(uint32_t n, bool is_dropped)
{
	if (!is_dropped) {
		fake_write(0, n);
		fake_drop_tx();
		fake_read(0, read_bytes);
	} else { // the end of its input lets it answer
		fake_drop_rx();
		fake_resolve(1, 0, "");
		fake_exit();
	}
}

static void filter_that_closes_its_output_first_still_resolves_its_status(void **state)
{
	static const struct fake_guest guest = {
		.process = echo_process, .on_read = closing_on_read, .exports = {FILTER}};

	(void)state;
	assert_int_equal(start(&guest), 0);
	assert_int_equal(pass(3, 0), 0);
	assert_int_equal(ws_filter_state(filter), WS_FILTER_ENDED);
	assert_int_equal(ws_filter_status(filter), WS_STATUS_OPEN);
	assert_true(ws_filter_wants_run(filter, 0));
	assert_int_equal(ws_filter_run(filter, 0, &err), 0);
	assert_int_equal(ws_filter_status(filter), WS_STATUS_MALFORMED);
	assert_int_equal(ws_filter_state(filter), WS_FILTER_ENDED);
}

static void answering_on_read(uint32_t n, bool is_dropped)
{
	(void)is_dropped;
	fake_resolve(0, 0, "");
	fake_write(0, n);
	fake_read(0, read_bytes);
}

// Another run would let it see the end of its input and answer again, which is a trap.
static void filter_that_goes_on_after_its_status_is_not_run_again(void **state)
{
	static const struct fake_guest guest = {
		.process = echo_process, .on_read = answering_on_read, .exports = {FILTER}};

	(void)state;
	assert_int_equal(start(&guest), 0);
	assert_int_equal(pass(3, 0), 0);
	assert_int_equal(n_verdicts, 3);
	assert_int_equal(ws_filter_state(filter), WS_FILTER_ENDED);
	assert_int_equal(ws_filter_status(filter), WS_STATUS_OK);
	assert_false(ws_filter_wants_run(filter, UINT64_MAX));
}

static void silent_on_read(uint32_t n, bool is_dropped)
{
	(void)is_dropped;
	fake_write(0, n);
	fake_drop_rx();
	fake_drop_tx();
	fake_exit();
}

static void filter_that_never_resolves_its_status_has_dropped_it(void **state)
{
	static const struct fake_guest guest = {
		.process = echo_process, .on_read = silent_on_read, .exports = {FILTER}};

	(void)state;
	assert_int_equal(start(&guest), 0);
	assert_int_equal(pass(1, 0), 0);
	assert_int_equal(ws_filter_state(filter), WS_FILTER_ENDED);
	assert_int_equal(ws_filter_status(filter), WS_STATUS_DROPPED);
}

static void early_on_read(uint32_t n, bool is_dropped)
{
	(void)is_dropped;
	fake_write(0, n - STRIDE);
	fake_drop_status();
	fake_read(0, read_bytes);
}

static void filter_that_drops_its_status_while_running_has_ended(void **state)
{
	static const struct fake_guest guest = {
		.process = echo_process, .on_read = early_on_read, .exports = {FILTER}};

	(void)state;
	assert_int_equal(start(&guest), 0);
	assert_int_equal(pass(2, 0), 0);
	assert_int_equal(ws_filter_state(filter), WS_FILTER_ENDED);
	assert_int_equal(ws_filter_status(filter), WS_STATUS_DROPPED);
	assert_int_equal(ws_filter_n_lent(filter), 1);
}

static void partial_on_read(uint32_t n, bool is_dropped)
{
	(void)is_dropped;
	fake_write(0, n - 1);
	finish();
}

static void filter_stream_that_ends_inside_a_slot_faults(void **state)
{
	static const struct fake_guest guest = {
		.process = echo_process, .on_read = partial_on_read, .exports = {FILTER}};

	(void)state;
	assert_int_equal(start(&guest), 0);
	assert_int_equal(pass(2, 0), WE_E_TRAP);
	assert_string_equal(
		err.msg, "the stream ends inside a slot: 255 bytes, expected a multiple of 256");
	assert_int_equal(ws_filter_state(filter), WS_FILTER_FAULTED);
	assert_int_equal(ws_filter_status(filter), WS_STATUS_OK); // it had come
}

static void own_process(void)
{
	fake_return(true);
	fake_resolve(0, 0, "");
	fake_exit();
}

static void filter_that_returns_its_own_rx_passes_every_slot_as_preset(void **state)
{
	static const struct fake_guest guest = {.process = own_process, .exports = {FILTER}};

	(void)state;
	assert_int_equal(start(&guest), 0);
	assert_int_equal(ws_filter_state(filter), WS_FILTER_READY);
	for (uint32_t i = 0; i < 10; i++) {
		assert_int_equal(ws_filter_room(filter), BURST);
		assert_int_equal(pass(3, i), 0);
		assert_int_equal(ws_filter_n_lent(filter), 0);
	}
	assert_int_equal(n_verdicts, 30);
	assert_int_equal(last.code, WS_VERDICT_PRESET);
	assert_int_equal(last.port_out, 1);
	assert_false(last.changed);
	assert_int_equal(offer(2, 11), 0);
	assert_int_equal(ws_filter_stop(filter, 11, &err), 0);
	assert_int_equal(n_verdicts, 32);
	assert_int_equal(ws_filter_state(filter), WS_FILTER_STOPPED);
	assert_int_equal(ws_filter_status(filter), WS_STATUS_OK);
}

// Reads before it returns.
static void deciding_process(void)
{
	fake_read(0, read_bytes);
}

static void deciding_on_read(uint32_t n, bool is_dropped)
{
	(void)n;
	(void)is_dropped;
	fake_return(true);
}

static const struct fake_guest deciding = {
	.process = deciding_process, .on_read = deciding_on_read, .exports = {FILTER}};

static void filter_that_returns_its_own_rx_keeps_what_it_had_read(void **state)
{
	(void)state;
	assert_int_equal(start(&deciding), 0);
	assert_int_equal(pass(2, 10), 0);
	assert_int_equal(pass(3, 20), 0);
	assert_int_equal(n_verdicts, 3);
	assert_int_equal(ws_filter_n_lent(filter), 2);
	assert_int_equal(ws_filter_next_ns(filter), 10 + HOLD_NS);
	assert_int_equal(ws_filter_run(filter, 10 + HOLD_NS, &err), WE_E_EXHAUSTED);
}

static void filter_that_returns_its_own_rx_inside_a_slot_faults(void **state)
{
	(void)state;
	read_bytes = 10;
	assert_int_equal(start(&deciding), 0);
	assert_int_equal(pass(2, 10), WE_E_TRAP);
	assert_string_equal(err.msg,
		"process returns its own rx with 10 bytes of a slot read, expected whole slots");
	read_bytes = BURST * STRIDE;
}

static void own_failing_process(void)
{
	fake_return(true);
	fake_resolve(1, 0, "");
	fake_exit();
}

static void filter_that_returns_its_own_rx_with_an_error_has_ended(void **state)
{
	static const struct fake_guest guest = {
		.process = own_failing_process, .exports = {FILTER}};

	(void)state;
	assert_int_equal(start(&guest), 0);
	assert_int_equal(ws_filter_state(filter), WS_FILTER_ENDED);
	assert_int_equal(ws_filter_status(filter), WS_STATUS_MALFORMED);
}

static void filter_status_has_a_name(void **state)
{
	(void)state;
	for (enum ws_status i = WS_STATUS_OPEN; i <= WS_STATUS_STOPPED; i++)
		assert_true(strlen(ws_status_name(i)) > 0);
	assert_string_equal(ws_status_name(WS_STATUS_STOPPED), "stopped");
	assert_string_equal(ws_status_name((enum ws_status)99), "unknown");
}

// ---- out of memory ------------------------------------------------------------------------------

static int64_t allocations_left = INT64_MAX;

static bool may_allocate(void)
{
	return allocations_left-- > 0;
}

void *__real_malloc(size_t len);
void *__real_calloc(size_t n, size_t len);
char *__real_strdup(const char *text);
void *__wrap_malloc(size_t len);
void *__wrap_calloc(size_t n, size_t len);
char *__wrap_strdup(const char *text);

void *__wrap_malloc(size_t len)
{
	return may_allocate() ? __real_malloc(len) : NULL;
}

void *__wrap_calloc(size_t n, size_t len)
{
	return may_allocate() ? __real_calloc(n, len) : NULL;
}

char *__wrap_strdup(const char *text)
{
	return may_allocate() ? __real_strdup(text) : NULL;
}

static void filter_start_fails_cleanly_at_every_allocation(void **state)
{
	static const struct ws_config_entry entry = {"rules", "default deny", 12};
	static const struct fake_guest guest = {.process = asking_process,
		.on_read = echo_on_read,
		.exports = {FILTER},
		.imports = {SETUP}};
	int64_t n = 0;
	int rc;

	(void)state;
	config.entries = &entry;
	config.n_entries = 1;
	do {
		allocations_left = n++;
		rc = start(&guest);
		allocations_left = INT64_MAX;
		if (rc < 0) {
			assert_int_equal(rc, WE_E_NOMEM);
			ws_program_unref(program);
			program = NULL;
			filter = NULL;
		}
		assert_true(n < 100);
	} while (rc < 0);
	assert_true(n > 10); // each of them failed once
	for (uint32_t i = 0; i < 100; i++) {
		allocations_left = 0; // the data path needs none
		rc = pass(BURST, i);
		allocations_left = INT64_MAX;
		assert_int_equal(rc, 0);
	}
}

#define LIFE(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		LIFE(program_core_module_is_refused_pointing_to_weir_wrap),
		LIFE(program_without_the_export_is_unlinkable),
		LIFE(program_import_in_another_version_is_refused_naming_ours),
		LIFE(program_import_of_another_interface_is_refused_naming_all),
		LIFE(program_knows_whether_setup_is_imported),
		LIFE(filter_without_setup_has_the_default_shape),
		LIFE(filter_without_setup_refuses_an_operators_view),
		LIFE(filter_with_setup_has_the_shape_that_configure_answered),
		LIFE(filter_configure_after_a_read_traps),
		LIFE(filter_configure_after_the_start_traps),
		LIFE(filter_limits_out_of_range_are_invalid),
		LIFE(filter_config_that_is_not_utf8_is_invalid),
		LIFE(filter_that_waits_for_nothing_does_not_start),
		LIFE(filter_that_gives_up_at_once_has_ended_and_says_why),
		LIFE(filter_long_status_text_is_cut_between_characters),
		LIFE(filter_that_traps_at_the_start_is_not_created),
		LIFE(filter_burst_costs_one_event_and_hands_every_token_back),
		LIFE(filter_offers_before_a_run_join_one_event),
		LIFE(filter_smaller_buffer_is_filled_again_in_the_same_run),
		LIFE(filter_reads_smaller_than_a_slot_are_served),
		LIFE(filter_zero_length_read_is_a_readiness_probe),
		LIFE(filter_room_shrinks_to_the_held_bound),
		LIFE(filter_that_holds_a_slot_for_too_long_is_stalled),
		LIFE(filter_that_reads_no_more_with_slots_held_is_stalled),
		LIFE(filter_whose_task_has_exited_is_stalled_though_a_read_is_posted),
		LIFE(filter_that_waits_for_a_timer_may_hold_slots),
		LIFE(filter_that_does_not_read_is_offered_a_burst_and_no_more),
		LIFE(filter_trap_leaves_what_was_not_written_back_to_reclaim),
		LIFE(filter_lie_in_a_slot_faults_it),
		LIFE(filter_may_originate_before_it_reads),
		LIFE(filter_originated_packets_are_bounded_in_each_run),
		cmocka_unit_test(filter_that_reads_and_writes_in_any_pieces_loses_nothing),
		LIFE(filter_stop_ends_the_stream_after_what_waits),
		LIFE(filter_stop_without_an_answer_resolves_the_status),
		LIFE(filter_that_goes_on_after_the_stop_is_stalled),
		LIFE(filter_may_take_its_time_to_drain),
		LIFE(filter_that_drains_for_too_long_is_stalled),
		LIFE(filter_that_yields_is_run_again_and_not_stalled),
		LIFE(filter_that_ends_by_itself_leaves_what_it_holds_to_reclaim),
		LIFE(filter_that_closes_its_output_first_still_resolves_its_status),
		LIFE(filter_that_goes_on_after_its_status_is_not_run_again),
		LIFE(filter_that_never_resolves_its_status_has_dropped_it),
		LIFE(filter_that_drops_its_status_while_running_has_ended),
		LIFE(filter_stream_that_ends_inside_a_slot_faults),
		LIFE(filter_that_returns_its_own_rx_passes_every_slot_as_preset),
		LIFE(filter_that_returns_its_own_rx_keeps_what_it_had_read),
		LIFE(filter_that_returns_its_own_rx_inside_a_slot_faults),
		LIFE(filter_that_returns_its_own_rx_with_an_error_has_ended),
		LIFE(filter_status_has_a_name),
		LIFE(filter_start_fails_cleanly_at_every_allocation),
	};

	return cmocka_run_group_tests_name("ws_filter", tests, NULL, NULL);
}
