// SPDX-License-Identifier: BSD-3-Clause
// The guest's descriptor is the host's, field by field and bit by bit.

#include "weir_slot.h"
#include "ws.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#define FIELDS(X)                                                                                  \
	X(ptype)                                                                                   \
	X(total_len)                                                                               \
	X(len)                                                                                     \
	X(vlan)                                                                                    \
	X(hash)                                                                                    \
	X(rx_flags)                                                                                \
	X(data_off)                                                                                \
	X(vlan_outer)                                                                              \
	X(port_in)                                                                                 \
	X(queue_in)                                                                                \
	X(port_out)                                                                                \
	X(verdict)                                                                                 \
	X(reason)                                                                                  \
	X(tstamp_ns)                                                                               \
	X(id)                                                                                      \
	X(mark)                                                                                    \
	X(scratch)

static void guest_slot_has_the_fields_of_the_host(void **state)
{
	(void)state;
	assert_int_equal(sizeof(struct weir_slot), sizeof(struct ws_slot));
#define FIELD(name)                                                                                \
	assert_int_equal(offsetof(struct weir_slot, name), offsetof(struct ws_slot, name));        \
	assert_int_equal(                                                                          \
		sizeof(((struct weir_slot *)0)->name), sizeof(((struct ws_slot *)0)->name));
	FIELDS(FIELD)
#undef FIELD
}

static void guest_slot_has_the_bits_of_the_host(void **state)
{
	(void)state;
	assert_int_equal((int)WEIR_RX_MULTI_SEG, (int)WS_RX_MULTI_SEG);
	assert_int_equal((int)WEIR_RX_SHORT, (int)WS_RX_SHORT);
	assert_int_equal((int)WEIR_RX_ORIGINATED, (int)WS_RX_ORIGINATED);
	assert_int_equal((int)WEIR_PRESET, (int)WS_VERDICT_PRESET);
	assert_int_equal((int)WEIR_FORWARD, (int)WS_VERDICT_FORWARD);
	assert_int_equal((int)WEIR_DROP, (int)WS_VERDICT_DROP);
	assert_int_equal((int)WEIR_EXCEPTION, (int)WS_VERDICT_EXCEPTION);
	assert_int_equal((int)WEIR_VERDICT_MASK, (int)WS_VERDICT_MASK);
	assert_int_equal((int)WEIR_CHANGED, (int)WS_CHANGED);
	assert_int_equal((int)WEIR_VIEW_DEFAULT, (int)WS_VIEW_DEFAULT);
	assert_int_equal((int)WEIR_VIEW_FULL, (int)WS_VIEW_MAX);
	assert_int_equal((int)WEIR_REASONS_MAX, (int)WS_REASONS_MAX);
}

static void guest_slot_keeps_changed_when_a_verdict_is_said(void **state)
{
	struct weir_slot slot = {.len = 60, .data_off = 64};

	(void)state;
	weir_changed(&slot);
	weir_drop(&slot, 3);
	assert_int_equal(slot.verdict, WEIR_CHANGED | WEIR_DROP);
	assert_int_equal(slot.reason, 3);
	weir_forward(&slot, 9);
	assert_int_equal(slot.verdict, WEIR_CHANGED | WEIR_FORWARD);
	assert_int_equal(slot.port_out, 9);
}

static void guest_slot_head_moves_inside_the_slot_only(void **state)
{
	struct weir_slot slot = {.len = 60, .data_off = 64 + 16};

	(void)state;
	assert_false(weir_move_head(&slot, -17));
	assert_false(weir_move_head(&slot, 61));
	assert_int_equal(slot.verdict, 0);
	assert_true(weir_move_head(&slot, -16));
	assert_int_equal(slot.data_off, 64);
	assert_int_equal(slot.len, 76);
	assert_true(weir_move_head(&slot, 76));
	assert_int_equal(slot.len, 0);
	assert_int_equal(slot.verdict, WEIR_CHANGED);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(guest_slot_has_the_fields_of_the_host),
		cmocka_unit_test(guest_slot_has_the_bits_of_the_host),
		cmocka_unit_test(guest_slot_keeps_changed_when_a_verdict_is_said),
		cmocka_unit_test(guest_slot_head_moves_inside_the_slot_only),
	};

	return cmocka_run_group_tests_name("guest_slot", tests, NULL, NULL);
}
