// SPDX-License-Identifier: BSD-3-Clause
// dp_stage: one filter of a chain: packets enter it, it runs, its instances come and go.
//
// Data path 2/7 to 5/7.
#include "stage.h"

enum {
	MEMORY_EVERY = 1024, // runs between two looks at an instance's memory
};
#define HEALTHY_NS UINT64_C(1000000000) // an instance that lived so long is replaced without delay

// ---- packets that a filter does not judge -----------------------------------------------------------

// Port of a packet that goes past the filter and the rest of the chain: as it came to this filter.
static uint16_t preset_port(const struct dp_stage *stage, struct rte_mbuf *m)
{
	return stage->chain->n_stages > 1 ? dp_mbuf_priv(m)->port_out : stage->chain->preset_port;
}

// Packets that were lent to a filter that is lost, or that find none: as the policy says.
static void divert(struct dp_stage *stage, struct rte_mbuf **mbufs, uint32_t n, enum dp_drop reason)
{
	struct dp_ways *ways = &stage->chain->kit->ways;
	uint64_t *drops = stage->chain->stats->drops;

	if (stage->config->on_fault == DP_ON_FAULT_BYPASS && stage->next) {
		dp_stage_enter(stage->next, mbufs, n);
		return;
	}
	for (uint32_t i = 0; i < n; i++) {
		if (stage->config->on_fault == DP_ON_FAULT_CLOSED)
			dp_ways_drop(ways, mbufs[i], drops, reason);
		else
			dp_ways_forward(ways, mbufs[i], preset_port(stage, mbufs[i]), drops);
	}
}

static void give_back(void *env, void *token)
{
	struct rte_mbuf *m = token;

	divert(env, &m, 1, DP_DROP_FILTER_FAULT);
}

// ---- 4 filter, 5 sink: a stage runs -----------------------------------------------------------------

static void count_run(struct dp_stage *stage, uint64_t cycles)
{
	dp_count(&stage->stats.cycles, cycles);
	dp_count(&stage->stats.runs, 1);
	if (stage->stats.runs % MEMORY_EVERY == 0)
		dp_gauge(&stage->stats.memory_bytes,
			we_store_memory_bytes(ws_filter_core(stage->filter)));
}

int dp_stage_run(struct dp_stage *stage, dp_stage_fn fn, struct we_error *err)
{
	struct dp_kit *kit = stage->chain->kit;
	const uint64_t t0 = rte_rdtsc();

	dp_watch_enter(&kit->watch, ws_filter_core(stage->filter), stage->config->deadline_ns);
	const int rc = fn(stage->filter, kit->now_ns, err);
	dp_watch_leave(&kit->watch);
	count_run(stage, rte_rdtsc() - t0);
	return rc;
}

// ---- instances that come and go ---------------------------------------------------------------------

void dp_stage_adopt(struct dp_stage *stage, struct ws_filter *filter)
{
	ws_filter_set_env(filter, &stage->owner);
	stage->filter = filter;
	stage->view = ws_filter_shape(filter).view;
	stage->backoff.since_ns = stage->chain->kit->now_ns;
	dp_gauge(&stage->stats.instances, 1);
	dp_gauge(&stage->stats.memory_bytes, we_store_memory_bytes(ws_filter_core(filter)));
}

// The next pause is twice as long, unless the instance had proved itself.
static void back_off(struct dp_stage *stage)
{
	const uint64_t min_ns = stage->config->restart_min_ns;
	const uint64_t max_ns = stage->config->restart_max_ns;
	const uint64_t now_ns = stage->chain->kit->now_ns;
	struct dp_backoff *backoff = &stage->backoff;

	if (now_ns - backoff->since_ns >= HEALTHY_NS || backoff->pause_ns < min_ns)
		backoff->pause_ns = min_ns;
	backoff->ready_at_ns = now_ns + backoff->pause_ns;
	backoff->pause_ns = 2 * backoff->pause_ns < max_ns ? 2 * backoff->pause_ns : max_ns;
}

void dp_stage_lose(struct dp_stage *stage, const struct we_error *err)
{
	struct ws_filter *filter = stage->filter;

	stage->filter = NULL;
	dp_gauge(&stage->stats.instances, 0);
	dp_gauge(&stage->stats.memory_bytes, 0);
	dp_count(&stage->stats.faulted, ws_filter_n_lent(filter));
	if (err) {
		dp_count(&stage->stats.traps, 1);
		if (err->trap == WE_TRAP_DEADLINE)
			dp_count(&stage->stats.deadlines, 1);
	} else {
		dp_count(&stage->stats.ended, 1);
	}
	ws_filter_reclaim(filter, give_back, stage);
	back_off(stage);
	dp_seat_give_up(&stage->seat, filter, err);
}

// Put the spare in, when there is one and the pause is over. Returns: is there an instance now?
static bool revive(struct dp_stage *stage)
{
	struct ws_filter *filter;

	if (stage->chain->is_stopping || stage->chain->kit->now_ns < stage->backoff.ready_at_ns ||
		!(filter = dp_seat_take(&stage->seat)))
		return false;
	dp_stage_adopt(stage, filter);
	dp_count(&stage->stats.restarts, 1);
	return true;
}

void dp_stage_end(struct dp_stage *stage)
{
	struct we_error err;

	// Its status may still be on its way.
	if (ws_filter_wants_run(stage->filter, stage->chain->kit->now_ns) &&
		dp_stage_run(stage, ws_filter_run, &err) < 0)
		dp_stage_lose(stage, &err);
	else
		dp_stage_lose(stage, NULL);
}

// ---- 2 slots, 3 source: packets enter a stage -------------------------------------------------------

// There is room for all that can come; but should a guest prove us wrong, it costs packets and no more.
static void wait_in_front(struct dp_stage *stage, struct rte_mbuf **mbufs, uint32_t n)
{
	struct dp_waiting *waiting = &stage->waiting;
	struct dp_chain *chain = stage->chain;

	for (uint32_t i = 0; i < n; i++) {
		if (unlikely(waiting->n == waiting->cap)) {
			dp_ways_drop(&chain->kit->ways, mbufs[i], chain->stats->drops,
				DP_DROP_NO_MEMORY);
			continue;
		}
		waiting->mbufs[(waiting->head + waiting->n++) % waiting->cap] = mbufs[i];
		chain->n_waiting++;
	}
}

// Lend mbufs [n], 0 < n <= ws_filter_room.
static void offer(struct dp_stage *stage, struct rte_mbuf **mbufs, uint32_t n)
{
	struct dp_chain *chain = stage->chain;
	struct dp_kit *kit = chain->kit;
	struct dp_slots *slots = &kit->slots;
	struct we_error err;
	const uint64_t unix_ns = dp_clock_unix(kit->clock, kit->now_ns);
	uint64_t bytes = 0;

	for (uint32_t i = 0; i < n; i++) {
		if (chain->n_stages > 1)
			dp_slots_next(slots, i, mbufs[i], &chain->source, stage->view);
		else
			dp_slots_first(slots, i, mbufs[i], &chain->source, stage->view, unix_ns);
		bytes += mbufs[i]->pkt_len;
	}
	dp_count(&stage->stats.in.packets, n);
	dp_count(&stage->stats.in.bytes, bytes);
	if (ws_filter_offer(stage->filter, slots->packets, n, kit->now_ns, &err) < 0) {
		dp_stage_lose(stage, &err);
		divert(stage, mbufs, n, DP_DROP_FILTER_FAULT);
	}
}

void dp_stage_enter(struct dp_stage *stage, struct rte_mbuf **mbufs, uint32_t n)
{
	if (!stage->filter && !revive(stage)) {
		dp_count(&stage->stats.missed, n);
		divert(stage, mbufs, n, DP_DROP_NO_INSTANCE);
		return;
	}
	const uint32_t room = stage->waiting.n > 0 ? 0 : ws_filter_room(stage->filter);
	const uint32_t now = n < room ? n : room;
	if (now > 0)
		offer(stage, mbufs, now);
	if (now < n)
		wait_in_front(stage, mbufs + now, n - now);
}

// What waits in front of a stage enters it, as far as there is room.
static void let_in(struct dp_stage *stage)
{
	struct dp_waiting *waiting = &stage->waiting;
	struct rte_mbuf *mbufs[WS_BURST_MAX];

	while (waiting->n > 0) {
		uint32_t n = stage->filter ? ws_filter_room(stage->filter) : WS_BURST_MAX;

		n = n < waiting->n ? n : waiting->n;
		n = n < WS_BURST_MAX ? n : WS_BURST_MAX;
		if (n == 0)
			return;
		for (uint32_t i = 0; i < n; i++)
			mbufs[i] = waiting->mbufs[(waiting->head + i) % waiting->cap];
		waiting->head = (waiting->head + n) % waiting->cap;
		waiting->n -= n;
		stage->chain->n_waiting -= n;
		if (stage->filter) {
			offer(stage, mbufs, n);
		} else {
			dp_count(&stage->stats.missed, n);
			divert(stage, mbufs, n, DP_DROP_NO_INSTANCE);
		}
	}
}

// ---- its turn ---------------------------------------------------------------------------------------

// Do packets wait in front of a later filter? Then nothing more may come out of this one.
static bool is_blocked(const struct dp_stage *stage)
{
	if (stage->chain->n_waiting == 0)
		return false;
	for (const struct dp_stage *later = stage->next; later; later = later->next) {
		if (later->waiting.n > 0)
			return true;
	}
	return false;
}

bool dp_stage_turn(struct dp_stage *stage)
{
	const uint64_t now_ns = stage->chain->kit->now_ns;
	const uint32_t n_waiting = stage->waiting.n;
	struct we_error err;

	if (stage->filter || revive(stage) || n_waiting > 0)
		let_in(stage);
	if (!stage->filter || is_blocked(stage) || !ws_filter_wants_run(stage->filter, now_ns))
		return n_waiting != stage->waiting.n;
	if (dp_stage_run(stage, ws_filter_run, &err) < 0)
		dp_stage_lose(stage, &err);
	else if (ws_filter_state(stage->filter) == WS_FILTER_ENDED)
		dp_stage_end(stage);
	return true;
}
