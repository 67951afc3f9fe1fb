// SPDX-License-Identifier: BSD-3-Clause
// Tests of ws_source: what a guest finds in its buffer, whatever the sizes of its reads.
#include "source.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

enum {
	BURST = 4,
	VIEW = 40,
	ROOM = 8, // stride 128
	STRIDE = 128,
	PAINT = 0xa5, // what guest memory holds before
};

static struct ws_source source;
static struct ws_lent lent;
static struct ws_packet packets[BURST];
static uint8_t bytes[BURST][100];
static uint8_t guest[BURST * STRIDE + 64];
static uint32_t first_id;

// Packet i has length lens[i] and bytes i * 16, i * 16 + 1, ...
static void setup(const uint32_t lens[BURST])
{
	const struct ws_layout layout = slot_layout(ROOM, VIEW);
	struct we_error err;

	assert_int_equal(layout.stride, STRIDE);
	assert_int_equal(ws_source_init(&source, &layout, BURST, &err), 0);
	assert_int_equal(ws_lent_init(&lent, 2 * BURST, BURST, &err), 0);
	for (uint32_t i = 0; i < BURST; i++) {
		for (uint32_t j = 0; j < sizeof(bytes[i]); j++)
			bytes[i][j] = (uint8_t)(i * 16 + j);
		packets[i] = (struct ws_packet){
			.desc = {.total_len = lens[i], .port_in = (uint16_t)i, .mark = 77 + i},
			.data = bytes[i],
			.token = &bytes[i],
		};
	}
	memset(guest, PAINT, sizeof(guest));
	first_id = ws_lent_lend(&lent, BURST, 0);
}

static void ignore(void *env, void *token)
{
	(void)env;
	(void)token;
}

static void teardown(void)
{
	ws_lent_reclaim(&lent, ignore, NULL);
	ws_lent_fini(&lent);
	ws_source_fini(&source);
}

// Slot i as a guest must see it, over what its memory held.
static void expect_slot(const uint8_t *slot, uint32_t i)
{
	const uint32_t shown = packets[i].desc.total_len < VIEW ? packets[i].desc.total_len : VIEW;
	struct ws_slot desc = packets[i].desc;

	desc.len = (uint16_t)shown;
	desc.data_off = 64 + ROOM;
	desc.id = first_id + i;
	assert_memory_equal(slot, &desc, sizeof(desc));
	assert_memory_equal(slot + 64 + ROOM, bytes[i], shown);
	for (uint32_t j = 64; j < STRIDE; j++)
		if (j < 64 + ROOM || j >= 64 + ROOM + shown)
			assert_int_equal(slot[j], PAINT);
}

static const uint32_t mixed[BURST] = {100, 20, 0, 40};

static void source_lays_slots_straight_into_a_posted_read(void **state)
{
	(void)state;
	setup(mixed);
	ws_source_begin(&source, BURST * STRIDE);
	assert_int_equal(
		ws_source_offer(&source, &lent, first_id, packets, BURST, guest, BURST * STRIDE),
		BURST * STRIDE);
	assert_int_equal(source.n, 0);
	for (uint32_t i = 0; i < BURST; i++) {
		expect_slot(guest + i * STRIDE, i);
		assert_ptr_equal(lent.tokens[ws_lent_at(&lent, first_id) + i], &bytes[i]);
	}
	teardown();
}

static void source_large_read_takes_whole_slots_only(void **state)
{
	(void)state;
	setup(mixed);
	ws_source_begin(&source, 2 * STRIDE + 63);
	assert_int_equal(
		ws_source_offer(&source, &lent, first_id, packets, BURST, guest, 2 * STRIDE + 63),
		2 * STRIDE);
	assert_int_equal(source.n, 2);
	// what is left of that read is smaller than a slot and gets nothing
	assert_int_equal(ws_source_read(&source, guest + 2 * STRIDE, 63), 0);
	expect_slot(guest + STRIDE, 1);
	assert_int_equal(guest[2 * STRIDE], PAINT);
	teardown();
}

static void source_ring_gives_the_rest_to_the_next_read(void **state)
{
	(void)state;
	setup(mixed);
	ws_source_begin(&source, STRIDE);
	assert_int_equal(
		ws_source_offer(&source, &lent, first_id, packets, BURST, guest, STRIDE), STRIDE);
	assert_int_equal(ws_source_room(&source), 1);
	ws_source_begin(&source, BURST * STRIDE);
	assert_int_equal(ws_source_read(&source, guest + STRIDE, (BURST - 1) * STRIDE), 3 * STRIDE);
	for (uint32_t i = 0; i < BURST; i++)
		expect_slot(guest + i * STRIDE, i);
	assert_int_equal(ws_source_room(&source), BURST);
	teardown();
}

static void source_ring_wraps_round(void **state)
{
	(void)state;
	setup(mixed);
	for (uint32_t round = 0; round < 7; round++) {
		memset(guest, PAINT, sizeof(guest));
		assert_int_equal(ws_source_offer(&source, &lent, first_id, packets, 3, NULL, 0), 0);
		ws_source_begin(&source, 3 * STRIDE);
		assert_int_equal(ws_source_read(&source, guest, 3 * STRIDE), 3 * STRIDE);
		for (uint32_t i = 0; i < 3; i++)
			expect_slot(guest + i * STRIDE, i);
	}
	teardown();
}

static void source_small_reads_of_any_size_go_on_where_the_last_ended(void **state)
{
	(void)state;
	for (uint32_t size = 1; size < STRIDE; size++) {
		uint32_t at = 0;

		setup(mixed);
		assert_int_equal(
			ws_source_offer(&source, &lent, first_id, packets, BURST, NULL, 0), 0);
		while (source.n > 0) {
			const uint32_t left = BURST * STRIDE - at;

			ws_source_begin(&source, size);
			assert_int_equal(ws_source_read(&source, guest + at, size),
				size < left ? size : left);
			at += size < left ? size : left;
		}
		assert_int_equal(at, BURST * STRIDE);
		for (uint32_t i = 0; i < BURST; i++)
			expect_slot(guest + i * STRIDE, i);
		teardown();
	}
}

static void source_large_read_first_ends_the_slot_that_a_small_one_began(void **state)
{
	(void)state;
	setup(mixed);
	assert_int_equal(ws_source_offer(&source, &lent, first_id, packets, BURST, NULL, 0), 0);
	ws_source_begin(&source, 10);
	assert_int_equal(ws_source_read(&source, guest, 10), 10);
	ws_source_begin(&source, 2 * STRIDE);
	assert_int_equal(ws_source_read(&source, guest + 10, 2 * STRIDE), 2 * STRIDE - 10);
	assert_int_equal(source.n, 2);
	assert_int_equal(source.off, 0);
	expect_slot(guest, 0);
	expect_slot(guest + STRIDE, 1);
	teardown();
}

static void source_posted_small_read_is_served_by_an_offer(void **state)
{
	(void)state;
	setup(mixed);
	ws_source_begin(&source, 10);
	assert_int_equal(ws_source_offer(&source, &lent, first_id, packets, BURST, guest, 10), 10);
	assert_int_equal(source.n, BURST);
	assert_int_equal(source.off, 10);
	teardown();
}

static void source_never_shows_what_the_ring_held_before(void **state)
{
	static const uint32_t full[BURST] = {40, 40, 40, 40};
	static const uint32_t empty[BURST] = {0, 0, 0, 0};

	(void)state;
	setup(full);
	assert_int_equal(ws_source_offer(&source, &lent, first_id, packets, BURST, NULL, 0), 0);
	ws_source_begin(&source, BURST * STRIDE);
	assert_int_equal(ws_source_read(&source, guest, BURST * STRIDE), BURST * STRIDE);
	for (uint32_t i = 0; i < BURST; i++)
		packets[i].desc.total_len = empty[i];
	memset(guest, PAINT, sizeof(guest));
	assert_int_equal(ws_source_offer(&source, &lent, first_id, packets, BURST, NULL, 0), 0);
	ws_source_begin(&source, 1);
	for (uint32_t at = 0; at < BURST * STRIDE; at++)
		assert_int_equal(ws_source_read(&source, guest + at, 1), 1);
	for (uint32_t i = 0; i < BURST; i++)
		expect_slot(guest + i * STRIDE, i);
	teardown();
}

static void source_reads_no_byte_beyond_a_packet(void **state)
{
	// The packet ends where its allocation ends: AddressSanitizer sees a byte more.
	(void)state;
	for (uint32_t len = 0; len <= 600; len += len < 70 ? 1 : 53) {
		const struct ws_layout layout = slot_layout(0, 600);
		uint8_t *exact = malloc(len);
		uint8_t *slot = malloc(64 + len);
		const struct ws_packet packet = {.desc.total_len = len, .data = exact};

		for (uint32_t i = 0; i < len; i++)
			exact[i] = (uint8_t)(i * 7);
		assert_int_equal(slot_lay(slot, &layout, &packet, 5), len);
		if (len > 0)
			assert_memory_equal(slot + 64, exact, len);
		free(slot);
		free(exact);
	}
}

static void slot_layout_is_round_and_bounded(void **state)
{
	static const struct {
		uint32_t room, view, stride;
	} cases[] = {
		{0, 0, 64},
		{0, 64, 128},
		{0, 192, 256},
		{1, 192, 320},
		{64, 1518, 1664},
		{0, WS_VIEW_MAX, 65472},
		{WS_ROOM_MAX, WS_VIEW_MAX, WS_STRIDE_MAX},
	};

	(void)state;
	for (uint32_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		const struct ws_layout layout = slot_layout(cases[i].room, cases[i].view);

		if (layout.stride != cases[i].stride)
			fail_msg("case %u: stride %u", i, layout.stride);
		assert_int_equal(layout.data_off, 64 + cases[i].room);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(source_lays_slots_straight_into_a_posted_read),
		cmocka_unit_test(source_large_read_takes_whole_slots_only),
		cmocka_unit_test(source_ring_gives_the_rest_to_the_next_read),
		cmocka_unit_test(source_ring_wraps_round),
		cmocka_unit_test(source_small_reads_of_any_size_go_on_where_the_last_ended),
		cmocka_unit_test(source_large_read_first_ends_the_slot_that_a_small_one_began),
		cmocka_unit_test(source_posted_small_read_is_served_by_an_offer),
		cmocka_unit_test(source_never_shows_what_the_ring_held_before),
		cmocka_unit_test(source_reads_no_byte_beyond_a_packet),
		cmocka_unit_test(slot_layout_is_round_and_bounded),
	};

	return cmocka_run_group_tests_name("ws_source", tests, NULL, NULL);
}
