// SPDX-License-Identifier: BSD-3-Clause
// The 64-byte descriptor in front of every packet, as a filter sees it, and what a filter may say of a packet.
//
// Mirrors struct ws_slot of wasi-stream/include/ws.h; guest_slot_test.c compares both.
// A slot is `stride` bytes: the descriptor, `room` bytes, the shown bytes of the packet.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct weir_slot {
	uint32_t ptype;      //  0 RTE_PTYPE_* as the driver set them
	uint32_t total_len;  //  4 captured bytes of the whole packet
	uint16_t len;        //  8 bytes shown at data_off; may be changed
	uint16_t vlan;       // 10 stripped tag, valid by WEIR_RX_VLAN_STRIPPED
	uint32_t hash;       // 12 RSS hash, valid by WEIR_RX_HASH
	uint32_t rx_flags;   // 16 enum weir_rx
	uint16_t data_off;   // 20 bytes from the slot's start to the packet; may be changed
	uint16_t vlan_outer; // 22 valid by WEIR_RX_QINQ_STRIPPED
	uint16_t port_in;    // 24
	uint16_t queue_in;   // 26
	uint16_t port_out;   // 28 preset by configuration; may be changed
	uint8_t verdict;     // 30 enum weir_verdict, with WEIR_CHANGED
	uint8_t reason;      // 31 the filter's drop reason, 1..n; 0: "filter"
	uint64_t tstamp_ns;  // 32 Unix time
	uint32_t id;         // 40 the host's; keep it
	uint32_t mark;       // 44 passes along the chain
	uint8_t scratch[16]; // 48 passes along the chain
};

_Static_assert(sizeof(struct weir_slot) == 64, "one cache line");
_Static_assert(offsetof(struct weir_slot, len) == 8, "layout");
_Static_assert(offsetof(struct weir_slot, rx_flags) == 16, "layout");
_Static_assert(offsetof(struct weir_slot, data_off) == 20, "layout");
_Static_assert(offsetof(struct weir_slot, port_out) == 28, "layout");
_Static_assert(offsetof(struct weir_slot, verdict) == 30, "layout");
_Static_assert(offsetof(struct weir_slot, tstamp_ns) == 32, "layout");
_Static_assert(offsetof(struct weir_slot, id) == 40, "layout");
_Static_assert(offsetof(struct weir_slot, scratch) == 48, "layout");

enum {
	WEIR_VIEW_DEFAULT = 192, // bytes
	WEIR_VIEW_FULL = 65408,  // bytes: whole packets, whatever their size
	WEIR_REASONS_MAX = 255,  // drop reasons a filter may name
};

// Bits of rx_flags: 0 to 22 are DPDK's (RTE_MBUF_F_RX_*), as the driver found them.
enum weir_rx {
	WEIR_RX_VLAN = 1 << 0,
	WEIR_RX_HASH = 1 << 1,
	WEIR_RX_L4_BAD = 1 << 3,
	WEIR_RX_IP_BAD = 1 << 4,
	WEIR_RX_VLAN_STRIPPED = 1 << 6,
	WEIR_RX_IP_GOOD = 1 << 7,
	WEIR_RX_L4_GOOD = 1 << 8,
	WEIR_RX_QINQ_STRIPPED = 1 << 15,
	WEIR_RX_MULTI_SEG = 1 << 24,
	WEIR_RX_SHORT = 1 << 25,      // the packet was longer than what was captured
	WEIR_RX_ORIGINATED = 1 << 26, // made by a filter
};

enum weir_verdict {
	WEIR_PRESET = 0,    // as the chain has it: nothing to do
	WEIR_FORWARD = 1,   // to port_out
	WEIR_DROP = 2,      // counted under `reason`
	WEIR_EXCEPTION = 3, // to the exception port
	WEIR_VERDICT_MASK = 15,
	WEIR_CHANGED = 128, // bytes, len or data_off changed: copy them back
};

static inline uint8_t *weir_data(struct weir_slot *slot)
{
	return (uint8_t *)slot + slot->data_off;
}

static inline void weir_say(struct weir_slot *slot, enum weir_verdict verdict)
{
	slot->verdict = (uint8_t)((slot->verdict & WEIR_CHANGED) | verdict);
}

static inline void weir_drop(struct weir_slot *slot, uint8_t reason)
{
	weir_say(slot, WEIR_DROP);
	slot->reason = reason;
}

static inline void weir_forward(struct weir_slot *slot, uint16_t port_out)
{
	weir_say(slot, WEIR_FORWARD);
	slot->port_out = port_out;
}

// After writing to the packet's bytes. What the driver found about checksums is about other bytes now.
static inline void weir_changed(struct weir_slot *slot)
{
	slot->verdict |= WEIR_CHANGED;
}

// Move the start of the packet by delta bytes (negative: forward in front of it, into the room) and mark it
// changed. Returns: false, nothing done, when there is no room or the packet is shorter.
static inline bool weir_move_head(struct weir_slot *slot, int32_t delta)
{
	const int32_t off = slot->data_off + delta;
	const int32_t len = slot->len - delta;

	if (off < (int32_t)sizeof(struct weir_slot) || len < 0)
		return false;
	slot->data_off = (uint16_t)off;
	slot->len = (uint16_t)len;
	weir_changed(slot);
	return true;
}
