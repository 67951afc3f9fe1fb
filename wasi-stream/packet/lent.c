// SPDX-License-Identifier: BSD-3-Clause
// lent: the table of what a filter has. Data path 3/7 and 5/7.
#include "lent.h"

#include <stdlib.h>
#include <string.h>

// The least b with 1 << b >= n, n > 0.
static uint32_t bits_for(uint32_t n)
{
	return n == 1 ? 0 : 32 - (uint32_t)__builtin_clz(n - 1);
}

int ws_lent_init(struct ws_lent *lent, uint32_t held, uint32_t burst, struct we_error *err)
{
	assert(held > 0 && held <= WS_HELD_MAX);
	assert(burst > 0 && burst <= WS_BURST_MAX);
	const uint32_t n_bursts = 1u << bits_for(held);
	const uint32_t pos_bits = bits_for(burst);
	const size_t n_slots = (size_t)n_bursts << pos_bits;

	*lent = (struct ws_lent){
		.bursts = malloc((n_bursts + (size_t)1) * sizeof(*lent->bursts)),
		.tokens = malloc(n_slots * sizeof(*lent->tokens)),
		.shown = malloc(n_slots * sizeof(*lent->shown)),
		.pos_bits = pos_bits,
		.at_mask = (uint32_t)n_slots - 1,
		.n_bursts = n_bursts,
		.held = held,
	};
	if (lent->bursts == NULL || lent->tokens == NULL || lent->shown == NULL) {
		ws_lent_fini(lent);
		return we_error_set(err, WE_E_NOMEM, 0, "no memory for %u held slots", held);
	}
	memset(lent->tokens, 0, n_slots * sizeof(*lent->tokens));
	memset(lent->shown, 0, n_slots * sizeof(*lent->shown));
	for (uint32_t i = 0; i < n_bursts; i++)
		lent->bursts[i] = (struct ws_lent_burst){
			.first_id = i << pos_bits,
			.newer = i + 1,
		};
	lent->bursts[n_bursts] = (struct ws_lent_burst){
		.older = n_bursts,
		.newer = n_bursts,
	};
	return 0;
}

void ws_lent_fini(struct ws_lent *lent)
{
	free(lent->bursts);
	free(lent->tokens);
	free(lent->shown);
	*lent = (struct ws_lent){0};
}

uint32_t ws_lent_lend(struct ws_lent *lent, uint32_t n, uint64_t now_ns)
{
	assert(n > 0 && n <= 1u << lent->pos_bits);
	assert(n <= lent->held - lent->n_lent);
	// Every record in the list has at least one of fewer than held slots: one is free.
	assert(lent->free < lent->n_bursts);
	struct ws_lent_burst *head = &lent->bursts[lent->n_bursts];
	const uint32_t record = lent->free;
	struct ws_lent_burst *burst = &lent->bursts[record];

	lent->free = burst->newer;
	burst->with_guest = UINT64_MAX >> (64 - n);
	burst->lent_ns = now_ns;
	burst->older = head->older;
	burst->newer = lent->n_bursts;
	lent->bursts[head->older].newer = record;
	head->older = record;
	lent->n_lent += n;
	return burst->first_id;
}

// All of its slots are back: out of the list, and ids of the old generation mean nothing any more.
static void retire(struct ws_lent *lent, struct ws_lent_burst *burst)
{
	lent->bursts[burst->older].newer = burst->newer;
	lent->bursts[burst->newer].older = burst->older;
	burst->first_id += lent->n_bursts << lent->pos_bits;
	burst->newer = lent->free;
	lent->free = (uint32_t)(burst - lent->bursts);
}

void ws_lent_take(struct ws_lent *lent, uint32_t id, uint32_t n)
{
	assert(n > 0 && n <= ws_lent_run(lent, id));
	struct ws_lent_burst *burst = &lent->bursts[ws_lent_at(lent, id) >> lent->pos_bits];

	burst->with_guest &= ~(UINT64_MAX >> (64 - n) << (id - burst->first_id));
	lent->n_lent -= n;
	if (burst->with_guest == 0)
		retire(lent, burst);
}

void ws_lent_reclaim(struct ws_lent *lent, void (*give_back)(void *env, void *token), void *env)
{
	struct ws_lent_burst *head = &lent->bursts[lent->n_bursts];

	while (head->newer != lent->n_bursts) {
		struct ws_lent_burst *burst = &lent->bursts[head->newer];
		void **tokens = &lent->tokens[ws_lent_at(lent, burst->first_id)];

		for (uint64_t left = burst->with_guest; left != 0; left &= left - 1) {
			lent->n_lent--;
			give_back(env, tokens[__builtin_ctzll(left)]);
		}
		burst->with_guest = 0;
		retire(lent, burst);
	}
	assert(lent->n_lent == 0);
}
