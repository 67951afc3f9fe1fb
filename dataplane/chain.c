// SPDX-License-Identifier: BSD-3-Clause
// dp_chain: the filters that the packets of one receive queue go through, in their order.
//
// Data path 2/7 to 6/7: packets enter a stage (2 slots, 3 source), the stage runs (4 filter, 5 sink), its
// verdicts (6) send them to the next stage, to a port, or to a drop counter.
// Spec: ARCHITECTURE.md section 4 "Chains"
#include "stage.h"

#include <rte_pause.h>

#include <stdlib.h>
#include <string.h>

enum {
	HELD_DEFAULT = 1024, // as ws_limits has it
	ORIGINATED_DEFAULT = 64,
};

static void count_held(struct dp_chain *chain)
{
	uint64_t held = chain->n_waiting;

	for (uint32_t i = 0; i < chain->n_stages; i++) {
		const struct ws_filter *filter = chain->stages[i].filter;
		const uint32_t n = filter ? ws_filter_n_lent(filter) : 0;

		dp_gauge(&chain->stages[i].stats.held, n);
		held += n;
	}
	dp_gauge(&chain->stats->held, held);
}

uint32_t dp_chain_room(const struct dp_chain *chain, uint32_t burst)
{
	if (chain->n_waiting > 0)
		return 0;
	for (uint32_t i = 0; i < chain->n_stages; i++) {
		const struct ws_filter *filter = chain->stages[i].filter;

		if (filter) {
			const uint32_t room = ws_filter_room(filter);

			return room < burst ? room : burst;
		}
	}
	return burst;
}

// Several filters: what goes along the chain stands in dp_mbuf_priv from here on.
static void note_arrival(struct dp_chain *chain, struct rte_mbuf **mbufs, uint32_t n)
{
	const uint64_t unix_ns = dp_clock_unix(chain->kit->clock, chain->kit->now_ns);

	for (uint32_t i = 0; i < n; i++) {
		struct dp_mbuf_priv *priv = dp_mbuf_priv(mbufs[i]);

		priv->tstamp_ns = dp_slots_tstamp(&chain->source, mbufs[i], unix_ns);
		priv->port_out = chain->preset_port;
		priv->mark = 0;
		memset(priv->scratch, 0, sizeof(priv->scratch));
	}
}

bool dp_chain_run(struct dp_chain *chain, struct rte_mbuf **mbufs, uint32_t n)
{
	bool was_busy = n > 0;

	if (chain->n_stages == 0) {
		for (uint32_t i = 0; i < n; i++)
			dp_ways_forward(&chain->kit->ways, mbufs[i], chain->preset_port,
				chain->stats->drops);
		return was_busy;
	}
	if (n > 0) {
		if (chain->n_stages > 1)
			note_arrival(chain, mbufs, n);
		dp_stage_enter(&chain->stages[0], mbufs, n);
	}
	for (uint32_t i = 0; i < chain->n_stages; i++)
		was_busy |= dp_stage_turn(&chain->stages[i]);
	if (was_busy)
		count_held(chain);
	return was_busy;
}

// ---- the end ----------------------------------------------------------------------------------------

static void give_back_stopped(void *env, void *token)
{
	struct dp_chain *chain = env;

	dp_ways_drop(&chain->kit->ways, token, chain->stats->drops, DP_DROP_STOPPED);
}

// The stage is through, or its time is up: what it still has is dropped.
static void dismiss(struct dp_stage *stage)
{
	struct dp_chain *chain = stage->chain;
	struct dp_waiting *waiting = &stage->waiting;
	struct we_error err;

	for (; waiting->n > 0; waiting->n--, chain->n_waiting--) {
		dp_ways_drop(&chain->kit->ways, waiting->mbufs[waiting->head], chain->stats->drops,
			DP_DROP_STOPPED);
		waiting->head = (waiting->head + 1) % waiting->cap;
	}
	if (!stage->filter)
		return;
	if (ws_filter_state(stage->filter) == WS_FILTER_STOPPED &&
		ws_filter_wants_run(stage->filter, chain->kit->now_ns) &&
		dp_stage_run(stage, ws_filter_run, &err) < 0) { // for its status
		dp_stage_lose(stage, &err);
		return;
	}
	ws_filter_reclaim(stage->filter, give_back_stopped, chain);
	dp_seat_give_up(&stage->seat, stage->filter, NULL);
	stage->filter = NULL;
	dp_gauge(&stage->stats.instances, 0);
	dp_gauge(&stage->stats.memory_bytes, 0);
}

// Let the stage finish. Later stages take their turns meanwhile, so that what comes out of this one
// finds room.
static void drain(struct dp_chain *chain, uint32_t i, uint64_t until_ns)
{
	struct dp_stage *stage = &chain->stages[i];
	bool was_asked = false;
	struct we_error err;

	while ((stage->filter || stage->waiting.n > 0) && chain->kit->now_ns < until_ns) {
		for (uint32_t k = i; k < chain->n_stages; k++)
			dp_stage_turn(&chain->stages[k]);
		if (stage->filter && !was_asked && chain->n_waiting == 0) {
			was_asked = true;
			if (dp_stage_run(stage, ws_filter_stop, &err) < 0)
				dp_stage_lose(stage, &err);
		}
		dp_ways_flush(&chain->kit->ways);
		if (stage->filter && ws_filter_state(stage->filter) != WS_FILTER_READY)
			return;
		rte_pause();
		chain->kit->now_ns = dp_clock_now(chain->kit->clock);
	}
}

void dp_chain_stop(struct dp_chain *chain, uint64_t until_ns)
{
	chain->is_stopping = true;
	for (uint32_t i = 0; i < chain->n_stages; i++) {
		drain(chain, i, until_ns);
		dismiss(&chain->stages[i]);
	}
	if (chain->n_stages > 0)
		count_held(chain);
}

// ---- set up and take down ---------------------------------------------------------------------------

int dp_chain_init(struct dp_chain *chain, uint32_t n_stages)
{
	chain->stages = calloc(n_stages + 1, sizeof(*chain->stages));
	if (!chain->stages)
		return WE_E_NOMEM;
	chain->n_stages = n_stages;
	for (uint32_t i = 0; i < n_stages; i++) {
		struct dp_stage *stage = &chain->stages[i];

		stage->chain = chain;
		stage->next = i + 1 < n_stages ? &chain->stages[i + 1] : NULL;
		stage->owner = (struct dp_owner){.stage = stage, .seat = &stage->seat};
	}
	return 0;
}

static uint32_t most_out(const struct dp_filter_config *config)
{
	const struct ws_limits *limits = &config->limits;

	return (limits->held ? limits->held : HELD_DEFAULT) +
	       (limits->originated_per_run ? limits->originated_per_run : ORIGINATED_DEFAULT);
}

int dp_chain_seat(struct dp_chain *chain, uint32_t i, struct ws_filter *filter)
{
	struct dp_stage *stage = &chain->stages[i];

	stage->config = stage->seat.filter;
	dp_stage_adopt(stage, filter);
	// Everything that the stages in front may let go, and a burst.
	for (uint32_t k = 0; k < i; k++)
		stage->waiting.cap += most_out(chain->stages[k].config);
	stage->waiting.cap += WS_BURST_MAX;
	stage->waiting.mbufs = calloc(stage->waiting.cap, sizeof(*stage->waiting.mbufs));
	return stage->waiting.mbufs ? 0 : WE_E_NOMEM;
}

void dp_chain_fini(struct dp_chain *chain)
{
	for (uint32_t i = 0; chain->stages && i < chain->n_stages; i++) {
		ws_filter_destroy(chain->stages[i].filter);
		free(chain->stages[i].waiting.mbufs);
	}
	free(chain->stages);
	chain->stages = NULL;
}
