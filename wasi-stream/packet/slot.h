// SPDX-License-Identifier: BSD-3-Clause
// slot: where the 64 bytes of struct ws_slot stand, how far apart slots are, how one is laid and read.
//
// Data path 3/7 and 5/7. Everything that depends on the layout is here; ws.h says what the fields mean.
// The bytes are little-endian and so is every host that weir runs on.
#pragma once

#include "ws.h"

#include <assert.h>
#include <string.h>

static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "slots are copied as they stand");
static_assert(sizeof(struct ws_slot) == 64 && WS_SLOT_ALIGN == 64, "one cache line");
static_assert(offsetof(struct ws_slot, ptype) == 0, "layout");
static_assert(offsetof(struct ws_slot, total_len) == 4, "layout");
static_assert(offsetof(struct ws_slot, len) == 8, "layout");
static_assert(offsetof(struct ws_slot, vlan) == 10, "layout");
static_assert(offsetof(struct ws_slot, hash) == 12, "layout");
static_assert(offsetof(struct ws_slot, rx_flags) == 16, "layout");
static_assert(offsetof(struct ws_slot, data_off) == 20, "layout");
static_assert(offsetof(struct ws_slot, vlan_outer) == 22, "layout");
static_assert(offsetof(struct ws_slot, port_in) == 24, "layout");
static_assert(offsetof(struct ws_slot, queue_in) == 26, "layout");
static_assert(offsetof(struct ws_slot, port_out) == 28, "layout");
static_assert(offsetof(struct ws_slot, verdict) == 30, "layout");
static_assert(offsetof(struct ws_slot, reason) == 31, "layout");
static_assert(offsetof(struct ws_slot, tstamp_ns) == 32, "layout");
static_assert(offsetof(struct ws_slot, id) == 40, "layout");
static_assert(offsetof(struct ws_slot, mark) == 44, "layout");
static_assert(offsetof(struct ws_slot, scratch) == 48, "layout");
static_assert(64 + WS_ROOM_MAX <= UINT16_MAX, "data_off holds the largest room");
static_assert(WS_VIEW_MAX <= UINT16_MAX, "len holds the largest view");

enum {
	WS_SLOT_BYTES = sizeof(struct ws_slot),
	// A stride never exceeds this, in bytes.
	WS_STRIDE_MAX = (64 + WS_ROOM_MAX + WS_VIEW_MAX + 63) / 64 * 64,
	// Bits of the verdict byte that mean nothing: a guest that sets one is at fault.
	WS_VERDICT_UNDEFINED = (uint8_t)~(WS_VERDICT_MASK | WS_CHANGED),
};
static_assert(WS_STRIDE_DEFAULT == WS_SLOT_BYTES + WS_VIEW_DEFAULT, "the shape without setup");

// What of the shape the data path needs.
struct ws_layout {
	uint32_t stride;   // bytes, a multiple of WS_SLOT_ALIGN
	uint32_t view;     // bytes of a packet shown at most
	uint32_t data_off; // bytes from the slot's start to the packet, at reception
};

// room <= WS_ROOM_MAX, view <= WS_VIEW_MAX: nothing here overflows.
static inline struct ws_layout slot_layout(uint32_t room, uint32_t view)
{
	const uint32_t bytes = WS_SLOT_BYTES + room + view;

	return (struct ws_layout){
		.stride = (bytes + WS_SLOT_ALIGN - 1) / WS_SLOT_ALIGN * WS_SLOT_ALIGN,
		.view = view,
		.data_off = WS_SLOT_BYTES + room,
	};
}

// The first and the last k of len bytes, k <= len <= 2 * k: all of them, in moves of constant size.
static inline __attribute__((always_inline)) void slot_copy_ends(
	uint8_t *dst, const uint8_t *src, uint32_t len, uint32_t k)
{
	memcpy(dst, src, k);
	memcpy(dst + (len - k), src + (len - k), k);
}

// Copy len bytes, any len; a header in a few moves. Reads and writes nothing beyond.
static inline void slot_copy(uint8_t *dst, const uint8_t *src, uint32_t len)
{
	if (len > 128)
		memcpy(dst, src, len);
	else if (len > 64)
		slot_copy_ends(dst, src, len, 64);
	else if (len > 32)
		slot_copy_ends(dst, src, len, 32);
	else if (len >= 16)
		slot_copy_ends(dst, src, len, 16);
	else if (len >= 8)
		slot_copy_ends(dst, src, len, 8);
	else if (len >= 4)
		slot_copy_ends(dst, src, len, 4);
	else
		for (uint32_t i = 0; i < len; i++)
			dst[i] = src[i];
}

// Lay a packet into [dst, dst + stride): the descriptor as one block, then the three fields that are the
// host's to set, then the shown bytes. The rest of the slot stays as it is: it is the guest's own memory.
// Returns: bytes shown, min(view, total_len).
static inline uint16_t slot_lay(
	uint8_t *dst, const struct ws_layout *layout, const struct ws_packet *packet, uint32_t id)
{
	const uint32_t total = packet->desc.total_len;
	const uint16_t shown = (uint16_t)(total < layout->view ? total : layout->view);
	const uint16_t data_off = (uint16_t)layout->data_off;

	memcpy(dst, &packet->desc, sizeof(packet->desc));
	memcpy(dst + offsetof(struct ws_slot, len), &shown, sizeof(shown));
	memcpy(dst + offsetof(struct ws_slot, data_off), &data_off, sizeof(data_off));
	memcpy(dst + offsetof(struct ws_slot, id), &id, sizeof(id));
	slot_copy(dst + layout->data_off, packet->data, shown);
	return shown;
}

// A slot at any address, of guest memory too: fields are read one at a time.
typedef struct ws_slot slot_at __attribute__((aligned(1)));
