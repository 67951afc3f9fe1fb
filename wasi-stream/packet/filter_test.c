// SPDX-License-Identifier: BSD-3-Clause
// Tests of a filter while packets come: who reads, writes, holds and waits.
#include "filter_rig.h"

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

int main(void)
{
	const struct CMUnitTest tests[] = {
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
	};

	return cmocka_run_group_tests_name("ws_filter", tests, NULL, NULL);
}
