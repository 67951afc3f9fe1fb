// SPDX-License-Identifier: BSD-3-Clause
// Tests of ws_sink: what a guest may say of a packet, and what faults it.
#include "sink.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

enum {
	BURST = 8,
	STRIDE = 256,
	N_PORTS = 3,
	N_REASONS = 2,
	SHOWN = 60,
};

static struct ws_sink sink;
static struct ws_lent lent;
static struct we_error err;
static uint8_t slots[BURST * STRIDE];
static uint32_t first_id;
static struct ws_verdict got[4 * WS_BURST_MAX];
static uint32_t n_got;   // verdicts
static uint32_t n_calls; // of the operation

static void keep(void *env, const struct ws_verdict *v, uint32_t n)
{
	(void)env;
	assert_in_range(n, 1, WS_BURST_MAX);
	n_calls++;
	for (uint32_t i = 0; i < n; i++)
		got[n_got++] = v[i];
}

static const struct ws_sink_ops ops = {.verdicts = keep};

static void ignore(void *env, void *token)
{
	(void)env;
	(void)token;
}

static struct ws_slot *slot(uint32_t i)
{
	return (struct ws_slot *)(slots + (size_t)i * STRIDE);
}

// BURST slots of SHOWN bytes are with the guest; token i is &slots[i].
static int setup(void **state)
{
	const struct ws_layout layout = slot_layout(0, WS_VIEW_DEFAULT);

	(void)state;
	n_got = 0;
	n_calls = 0;
	sink = (struct ws_sink){.n_ports = N_PORTS, .n_reasons = N_REASONS, .originated_max = 2};
	assert_int_equal(ws_lent_init(&lent, 4 * BURST, BURST, &err), 0);
	assert_int_equal(ws_sink_init(&sink, &layout, &lent, &err), 0);
	first_id = ws_lent_lend(&lent, BURST, 0);
	for (uint32_t i = 0; i < BURST; i++) {
		lent.tokens[ws_lent_at(&lent, first_id) + i] = slot(i);
		lent.shown[ws_lent_at(&lent, first_id) + i] = SHOWN;
		*slot(i) = (struct ws_slot){
			.total_len = SHOWN,
			.len = SHOWN,
			.data_off = 64,
			.port_out = 1,
			.id = first_id + i,
		};
	}
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	ws_lent_reclaim(&lent, ignore, NULL);
	ws_lent_fini(&lent);
	ws_sink_fini(&sink);
	return 0;
}

static int write_bytes(const void *bytes, uint32_t n)
{
	return ws_sink_write(&sink, &ops, bytes, n, &err);
}

static void sink_echoed_burst_is_preset_verdicts_in_one_call(void **state)
{
	(void)state;
	assert_int_equal(write_bytes(slots, sizeof(slots)), 0);
	assert_int_equal(n_calls, 1);
	assert_int_equal(n_got, BURST);
	for (uint32_t i = 0; i < BURST; i++) {
		assert_ptr_equal(got[i].token, slot(i));
		assert_int_equal(got[i].code, WS_VERDICT_PRESET);
		assert_int_equal(got[i].port_out, 1);
		assert_int_equal(got[i].shown, SHOWN);
		assert_false(got[i].changed);
	}
	assert_int_equal(lent.n_lent, 0);
}

static void sink_reads_back_only_what_the_guest_may_write(void **state)
{
	struct ws_slot *s = slot(0);

	(void)state;
	s->verdict = WS_VERDICT_DROP;
	s->reason = 2;
	s->port_out = 2;
	s->mark = 0x11223344;
	memset(s->scratch, 0x5a, sizeof(s->scratch));
	// the host's fields: changing them has no effect
	s->ptype = s->total_len = s->hash = UINT32_MAX;
	s->rx_flags = ~(uint32_t)WS_RX_ORIGINATED;
	s->vlan = s->vlan_outer = s->port_in = s->queue_in = UINT16_MAX;
	s->tstamp_ns = UINT64_MAX;
	assert_int_equal(write_bytes(s, STRIDE), 0);
	assert_int_equal(got[0].code, WS_VERDICT_DROP);
	assert_int_equal(got[0].reason, 2);
	assert_int_equal(got[0].port_out, 2);
	assert_int_equal(got[0].mark, 0x11223344);
	for (uint32_t i = 0; i < 16; i++)
		assert_int_equal(got[0].scratch[i], 0x5a);
	assert_int_equal(got[0].shown, SHOWN);
	assert_int_equal(got[0].len, SHOWN);
	assert_false(got[0].changed);
}

static void sink_unnamed_reason_counts_as_none(void **state)
{
	(void)state;
	slot(0)->verdict = WS_VERDICT_DROP;
	slot(0)->reason = N_REASONS + 1;
	assert_int_equal(write_bytes(slots, STRIDE), 0);
	assert_int_equal(got[0].reason, 0);
}

static void sink_changed_bytes_length_or_place_are_told(void **state)
{
	(void)state;
	slot(0)->verdict = WS_CHANGED | WS_VERDICT_FORWARD;
	slot(1)->len = SHOWN - 1;
	slot(2)->data_off = 68;
	slot(3)->len = STRIDE - 64;
	slot(4)->len = 0;
	slot(4)->data_off = STRIDE;
	assert_int_equal(write_bytes(slots, 6 * STRIDE), 0);
	for (uint32_t i = 0; i < 5; i++)
		assert_true(got[i].changed);
	assert_false(got[5].changed);
	assert_int_equal(got[0].code, WS_VERDICT_FORWARD);
	assert_ptr_equal(got[2].data, slots + 2 * STRIDE + 68);
	assert_int_equal(got[3].len, STRIDE - 64);
}

static void sink_gathers_partial_writes_of_any_size(void **state)
{
	(void)state;
	for (uint32_t size = 1; size < 2 * STRIDE; size += size < 20 ? 1 : 17) {
		uint32_t at = 0;

		setup(NULL);
		slot(3)->verdict = WS_VERDICT_EXCEPTION;
		slot(5)->verdict = WS_CHANGED;
		slots[5 * STRIDE + 64] = (uint8_t)size;
		while (at < sizeof(slots)) {
			const uint32_t left = (uint32_t)sizeof(slots) - at;
			const uint32_t n = size < left ? size : left;
			uint8_t *exact = malloc(n); // so that AddressSanitizer sees a byte more

			memcpy(exact, slots + at, n);
			const uint32_t before = n_got;

			assert_int_equal(write_bytes(exact, n), 0);
			at += n;
			assert_int_equal(n_got, at / STRIDE);
			for (uint32_t i = before; i < n_got; i++)
				got[i].data = NULL; // valid for the call only
			free(exact);
		}
		assert_int_equal(ws_sink_end(&sink, &err), 0);
		for (uint32_t i = 0; i < BURST; i++)
			assert_ptr_equal(got[i].token, slot(i));
		assert_int_equal(got[3].code, WS_VERDICT_EXCEPTION);
		assert_true(got[5].changed);
		assert_int_equal(lent.n_lent, 0);
		teardown(NULL);
	}
}

static void sink_slot_at_an_odd_address_is_read_where_it_stands(void **state)
{
	uint8_t *odd = malloc(sizeof(slots) + 1);

	(void)state;
	memcpy(odd + 1, slots, sizeof(slots));
	assert_int_equal(write_bytes(odd + 1, sizeof(slots)), 0);
	assert_int_equal(n_got, BURST);
	assert_ptr_equal(got[1].data, odd + 1 + STRIDE + 64);
	free(odd);
}

static void sink_end_inside_a_slot_faults(void **state)
{
	(void)state;
	assert_int_equal(write_bytes(slots, STRIDE + 10), 0);
	assert_int_equal(ws_sink_end(&sink, &err), WE_E_TRAP);
	assert_string_equal(
		err.msg, "the stream ends inside a slot: 10 bytes, expected a multiple of 256");
}

static void sink_port_none_is_legal(void **state)
{
	(void)state;
	slot(0)->port_out = WS_PORT_NONE;
	slot(1)->port_out = N_PORTS - 1;
	assert_int_equal(write_bytes(slots, 2 * STRIDE), 0);
	assert_int_equal(got[0].port_out, WS_PORT_NONE);
}

// What is wrong with slot 2, and what is said of it.
static const struct lie {
	const char *message;
	uint32_t id_change;
	uint16_t len, data_off, port_out;
	uint8_t verdict;
} lies[] = {
	{"slot 2 of a write: data_off 63, expected 64 to 256", 0, 60, 63, 0, 0},
	{"slot 2 of a write: data_off 0, expected 64 to 256", 0, 60, 0, 0, 0},
	{"slot 2 of a write: data_off 257, expected 64 to 256", 0, 0, 257, 0, 0},
	{"slot 2 of a write: data_off 65535, expected 64 to 256", 0, 65535, 65535, 0, 0},
	{"slot 2 of a write: len 193 at data_off 64, expected at most 192", 0, 193, 64, 0, 0},
	{"slot 2 of a write: len 65535 at data_off 64, expected at most 192", 0, 65535, 64, 0, 0},
	{"slot 2 of a write: len 1 at data_off 256, expected at most 0", 0, 1, 256, 0, 0},
	{"slot 2 of a write: port_out 3, expected below 3", 0, 60, 64, 3, 0},
	{"slot 2 of a write: port_out 65534, expected below 3", 0, 60, 64, 65534, 0},
	{"slot 2 of a write: verdict 0x04, expected 0 to 3, or that with 0x80", 0, 60, 64, 0, 4},
	{"slot 2 of a write: verdict 0x0f, expected 0 to 3, or that with 0x80", 0, 60, 64, 0, 15},
	{"slot 2 of a write: verdict 0x41, expected 0 to 3, or that with 0x80", 0, 60, 64, 0, 0x41},
	{"slot 2 of a write: verdict 0x10, expected 0 to 3, or that with 0x80", 0, 60, 64, 0, 0x10},
	{"slot 2 of a write: verdict 0xa2, expected 0 to 3, or that with 0x80", 0, 60, 64, 0, 0xa2},
};

static void sink_lie_in_a_slot_faults_naming_slot_field_found_and_expected(void **state)
{
	(void)state;
	for (uint32_t i = 0; i < sizeof(lies) / sizeof(lies[0]); i++) {
		setup(NULL);
		slot(2)->len = lies[i].len;
		slot(2)->data_off = lies[i].data_off;
		slot(2)->port_out = lies[i].port_out;
		slot(2)->verdict = lies[i].verdict;
		assert_int_equal(write_bytes(slots, sizeof(slots)), WE_E_TRAP);
		assert_string_equal(err.msg, lies[i].message);
		// the slots before it were written back well and keep their verdicts
		assert_int_equal(n_got, 2);
		assert_int_equal(lent.n_lent, BURST - 2);
		teardown(NULL);
	}
}

static void sink_id_written_twice_faults(void **state)
{
	(void)state;
	slot(2)->id = first_id + 1;
	assert_int_equal(write_bytes(slots, sizeof(slots)), WE_E_TRAP);
	assert_non_null(strstr(err.msg, "slot 2 of a write: id 0x"));
	assert_non_null(strstr(err.msg, "expected one that is outstanding"));
	assert_int_equal(n_got, 2);
	assert_int_equal(write_bytes(slots, STRIDE), WE_E_TRAP); // and in another write
}

static void sink_id_never_lent_faults(void **state)
{
	static const uint32_t changes[] = {BURST, 1 << 10, UINT32_MAX / 2, UINT32_MAX};

	(void)state;
	for (uint32_t i = 0; i < sizeof(changes) / sizeof(changes[0]); i++) {
		slot(0)->id = first_id + changes[i];
		assert_int_equal(write_bytes(slots, STRIDE), WE_E_TRAP);
	}
	assert_int_equal(n_got, 0);
	assert_int_equal(lent.n_lent, BURST);
}

static void sink_originated_packet_needs_no_id(void **state)
{
	(void)state;
	slot(0)->rx_flags = WS_RX_ORIGINATED;
	slot(0)->id = 0xdeadbeef;
	slot(0)->len = 100;
	slot(0)->verdict = WS_VERDICT_FORWARD;
	assert_int_equal(write_bytes(slots, 2 * STRIDE), 0);
	assert_int_equal(n_got, 2);
	assert_null(got[0].token);
	assert_true(got[0].changed);
	assert_int_equal(got[0].shown, 0);
	assert_int_equal(got[0].len, 100);
	assert_ptr_equal(got[0].data, slots + 64);
	assert_ptr_equal(got[1].token, slot(1));
	assert_int_equal(lent.n_lent, BURST - 1);
}

static void sink_originated_packet_is_checked_as_any_other(void **state)
{
	(void)state;
	slot(0)->rx_flags = WS_RX_ORIGINATED;
	slot(0)->port_out = N_PORTS;
	assert_int_equal(write_bytes(slots, STRIDE), WE_E_TRAP);
	assert_string_equal(err.msg, "slot 0 of a write: port_out 3, expected below 3");
}

static void sink_too_many_originated_packets_in_a_run_are_exhaustion(void **state)
{
	(void)state;
	for (uint32_t i = 0; i < 3; i++)
		slot(i)->rx_flags = WS_RX_ORIGINATED;
	assert_int_equal(write_bytes(slots, 3 * STRIDE), WE_E_EXHAUSTED);
	assert_string_equal(
		err.msg, "slot 2 of a write: originated packet 3 of one run, expected at most 2");
	assert_int_equal(n_got, 2);
}

static void sink_long_write_gives_at_most_a_burst_a_call(void **state)
{
	enum {
		N = 2 * WS_BURST_MAX + 5
	};
	uint8_t *many = calloc(N, STRIDE);

	(void)state;
	sink.originated_max = N;
	for (uint32_t i = 0; i < N; i++) {
		struct ws_slot *s = (struct ws_slot *)(many + (size_t)i * STRIDE);

		*s = (struct ws_slot){.rx_flags = WS_RX_ORIGINATED, .data_off = 64, .mark = i};
	}
	assert_int_equal(write_bytes(many, N * STRIDE), 0);
	assert_int_equal(n_calls, 3);
	assert_int_equal(n_got, N);
	for (uint32_t i = 0; i < N; i++)
		assert_int_equal(got[i].mark, i);
	free(many);
}

static void sink_survives_random_bytes(void **state)
{
	// Whatever is written, each call ends with 0 or a failure, and no token comes twice.
	uint32_t x = 1;

	(void)state;
	sink.originated_max = UINT32_MAX;
	for (uint32_t round = 0; round < 20000; round++) {
		uint8_t noise[STRIDE];

		for (uint32_t i = 0; i < STRIDE; i++) {
			x = x * 1664525 + 1013904223;
			noise[i] = (uint8_t)(x >> 24);
		}
		n_got = 0;
		if (write_bytes(noise, STRIDE) == 0)
			assert_int_equal(n_got, 1);
		else
			assert_int_equal(n_got, 0);
	}
}

#define WITH_BURST(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		WITH_BURST(sink_echoed_burst_is_preset_verdicts_in_one_call),
		WITH_BURST(sink_reads_back_only_what_the_guest_may_write),
		WITH_BURST(sink_unnamed_reason_counts_as_none),
		WITH_BURST(sink_changed_bytes_length_or_place_are_told),
		cmocka_unit_test(sink_gathers_partial_writes_of_any_size),
		WITH_BURST(sink_slot_at_an_odd_address_is_read_where_it_stands),
		WITH_BURST(sink_end_inside_a_slot_faults),
		WITH_BURST(sink_port_none_is_legal),
		cmocka_unit_test(sink_lie_in_a_slot_faults_naming_slot_field_found_and_expected),
		WITH_BURST(sink_id_written_twice_faults),
		WITH_BURST(sink_id_never_lent_faults),
		WITH_BURST(sink_originated_packet_needs_no_id),
		WITH_BURST(sink_originated_packet_is_checked_as_any_other),
		WITH_BURST(sink_too_many_originated_packets_in_a_run_are_exhaustion),
		WITH_BURST(sink_long_write_gives_at_most_a_burst_a_call),
		WITH_BURST(sink_survives_random_bytes),
	};

	return cmocka_run_group_tests_name("ws_sink", tests, NULL, NULL);
}
