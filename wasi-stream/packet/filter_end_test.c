// SPDX-License-Identifier: BSD-3-Clause
// Tests of how a filter ends: told to, by itself, and what becomes of its packets and its status.
#include "filter_rig.h"

static void echo_process_again(void)
{
	echo_on_read(0, false);
}

static void nothing_on_timer(uint32_t i)
{
	(void)i;
}

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

int main(void)
{
	const struct CMUnitTest tests[] = {
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
	};

	return cmocka_run_group_tests_name("ws_filter_end", tests, NULL, NULL);
}
