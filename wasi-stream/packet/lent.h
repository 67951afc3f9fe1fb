// SPDX-License-Identifier: BSD-3-Clause
// lent: which slots a filter has, whose they are and since when.
//
// Data path 3/7 and 5/7. Slots are lent a burst at a time: one record a burst holds a bit a slot, and the id
// that the guest echoes says record, position and the record's generation. A token leaves the table exactly once.
// Owns:    its arrays; the tokens are the dataplane's.
// Thread:  the filter's.
#pragma once

#include "ws.h"

#include <assert.h>

// Invariant: with_guest != 0 exactly while the record stands in the list of lent ones.
struct ws_lent_burst {
	uint64_t with_guest; // bit i: slot i has not come back
	uint64_t lent_ns;    // when
	uint32_t first_id;   // of slot 0: generation | record << pos_bits
	uint32_t older;      // record, in the list of lent ones
	uint32_t newer;      // record; of a free record: the next free one
};

// Invariant: n_lent is the number of bits set in all records, and <= held.
struct ws_lent {
	struct ws_lent_burst
		*bursts; // [n_bursts + 1]; the last is the list's head: newer of it is the oldest
	void **tokens;   // [n_bursts << pos_bits]
	uint16_t *shown; // [n_bursts << pos_bits] bytes shown of the packet
	uint32_t pos_bits;
	uint32_t at_mask; // bits of an id that say where its token stands
	uint32_t
		n_bursts; // a power of two >= held, so that a record is free while fewer than held slots are lent
	uint32_t free; // first free record; n_bursts: none
	uint32_t n_lent;
	uint32_t held; // bound of n_lent
};

// held: 1..WS_HELD_MAX, burst: 1..WS_BURST_MAX slots. Touches all memory now, so that the data path does not.
// Returns: 0, NOMEM.
WE_MUST_USE int ws_lent_init(
	struct ws_lent *lent, uint32_t held, uint32_t burst, struct we_error *err);
void ws_lent_fini(struct ws_lent *lent); // zeroed is fine

// Open a record for n slots, 0 < n <= burst, n_lent + n <= held. The caller fills tokens and shown from
// ws_lent_at(first id) on. Returns: the id of slot 0; slot i has id + i.
uint32_t ws_lent_lend(struct ws_lent *lent, uint32_t n, uint64_t now_ns);
// Hand every lent token back, oldest first, and forget it.
void ws_lent_reclaim(struct ws_lent *lent, void (*give_back)(void *env, void *token), void *env);

// Where the token of an id stands.
static inline uint32_t ws_lent_at(const struct ws_lent *lent, uint32_t id)
{
	return id & lent->at_mask;
}

// When the oldest slot was lent. Needs: n_lent > 0.
static inline uint64_t ws_lent_oldest_ns(const struct ws_lent *lent)
{
	assert(lent->n_lent > 0);
	return lent->bursts[lent->bursts[lent->n_bursts].newer].lent_ns;
}

// How many slots are outstanding from id on, one after the other in the burst of id. 0: id is not.
static inline uint32_t ws_lent_run(const struct ws_lent *lent, uint32_t id)
{
	const struct ws_lent_burst *burst = &lent->bursts[ws_lent_at(lent, id) >> lent->pos_bits];
	const uint32_t pos =
		id - burst->first_id; // beyond the burst when the generation is another

	if (pos >> lent->pos_bits)
		return 0;
	const uint64_t gone = ~burst->with_guest >> pos;

	return gone == 0 ? 64 - pos : (uint32_t)__builtin_ctzll(gone);
}

// Take n slots back. Needs: 0 < n <= ws_lent_run(lent, id).
void ws_lent_take(struct ws_lent *lent, uint32_t id, uint32_t n);
