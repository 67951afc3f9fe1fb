// SPDX-License-Identifier: BSD-3-Clause
// source: the bytes of a filter's rx stream: packets laid as slots, straight into the guest's posted read or
// into a ring of one burst that waits for the next read.
//
// Data path 3/7. Bytes go to the guest in order, each exactly once. A read of at least one stride gets
// whole slots; a smaller one gets its bytes and the next goes on. It never calls the engine: what the guest has
// posted is an argument.
// Owns:    the ring.
// Thread:  the filter's.
// Spec:    ARCHITECTURE.md section 4
#pragma once

#include "lent.h"
#include "slot.h"

// Invariant: n <= cap; off < stride, and off > 0 only with n > 0.
struct ws_source {
	struct ws_layout layout;
	uint8_t *
		ring; // [cap][stride] slots as the guest will see them, but what a packet leaves unused is garbage
	uint32_t cap;     // slots
	uint32_t head;    // first slot that has not gone out wholly
	uint32_t n;       // slots waiting
	uint32_t off;     // bytes of the head slot that have gone out
	bool takes_whole; // the posted read was of at least one stride
};

// Returns: 0, NOMEM.
WE_MUST_USE int ws_source_init(struct ws_source *source, const struct ws_layout *layout,
	uint32_t burst, struct we_error *err);
void ws_source_fini(struct ws_source *source); // zeroed is fine

// The guest begins a read of n bytes.
static inline void ws_source_begin(struct ws_source *source, uint32_t n)
{
	source->takes_whole = n >= source->layout.stride;
}

// Move waiting bytes into [buf, buf + n), what is left of the read that was begun. Returns: bytes moved.
uint32_t ws_source_read(struct ws_source *source, uint8_t *buf, uint32_t n);

// Slots that can wait.
static inline uint32_t ws_source_room(const struct ws_source *source)
{
	return source->cap - source->n;
}

// Lend packets [n] as ids first_id, first_id + 1, ...: into [buf, buf + n_buf), what is left of a posted read
// (n_buf 0: none), as far as they go, the others into the ring. Needs: n <= ws_source_room.
// Returns: bytes of buf that were used.
uint32_t ws_source_offer(struct ws_source *source, struct ws_lent *lent, uint32_t first_id,
	const struct ws_packet *packets, uint32_t n, uint8_t *buf, uint32_t n_buf);
// Whole slots that stand one after the other and wait: to be taken back as they are. Needs: nothing has been read.
uint32_t ws_source_peek(const struct ws_source *source, const uint8_t **ret_slots);
void ws_source_skip(struct ws_source *source, uint32_t n); // n <= what was peeked
// Forget what waits: after a fault, or with nobody left to read.
void ws_source_clear(struct ws_source *source);
