// SPDX-License-Identifier: BSD-3-Clause
// dp_verdict: what a filter said of its packets: to the next filter, to a port, or to a drop counter.
//
// Data path 6/7. The functions here are the ops of every instance (dp_stage_ops).
// Spec: ARCHITECTURE.md section 4
#include "rewrite.h"
#include "stage.h"

#include <string.h>

// The guest's bytes take the place of those it was shown. What the receiver said of checksums is over.
// Returns: 0; 1 when no buffer was left.
static int change(struct dp_stage *stage, struct rte_mbuf **m, const struct ws_verdict *v)
{
	struct dp_chain *chain = stage->chain;
	const uint32_t before = (*m)->pkt_len;

	if (dp_rewrite(m, chain->kit->ways.pool, v->data, v->len, v->shown))
		return 1;
	(*m)->ol_flags &= ~(RTE_MBUF_F_RX_IP_CKSUM_MASK | RTE_MBUF_F_RX_L4_CKSUM_MASK |
			    RTE_MBUF_F_TX_OFFLOAD_MASK);
	if ((*m)->ol_flags & chain->source.fields.short_flag)
		dp_mbuf_priv(*m)->wire_len += (*m)->pkt_len - before;
	return 0;
}

static void pass_along(struct rte_mbuf *m, const struct ws_verdict *v)
{
	struct dp_mbuf_priv *priv = dp_mbuf_priv(m);

	priv->port_out = v->port_out;
	priv->mark = v->mark;
	memcpy(priv->scratch, v->scratch, sizeof(priv->scratch));
}

// The packet of a verdict, with its bytes as the guest wants them. NULL: it is dropped for lack of memory.
static struct rte_mbuf *packet_of(struct dp_stage *stage, const struct ws_verdict *v)
{
	struct dp_chain *chain = stage->chain;
	struct dp_ways *ways = &chain->kit->ways;
	struct rte_mbuf *m = v->token;

	if (!m) {
		dp_count(&stage->stats.originated, 1);
		dp_count(&chain->stats->originated, 1);
		m = dp_originate(ways->pool, v->data, v->len);
		if (!m) {
			dp_count(&chain->stats->drops[DP_DROP_NO_MEMORY], 1);
			return NULL;
		}
		dp_mbuf_priv(m)->tstamp_ns = dp_clock_unix(chain->kit->clock, chain->kit->now_ns);
	} else if (v->changed) {
		dp_count(&stage->stats.changed, 1);
		if (change(stage, &m, v)) {
			dp_ways_drop(ways, m, chain->stats->drops, DP_DROP_NO_MEMORY);
			return NULL;
		}
	}
	return m;
}

static void on_verdicts(void *env, const struct ws_verdict *v, uint32_t n)
{
	struct dp_stage *stage = ((struct dp_owner *)env)->stage;
	struct rte_mbuf *on[WS_BURST_MAX]; // to the next stage
	uint32_t n_on = 0;
	uint64_t codes[4] = {0};

	if (!stage) // what a filter originates before it has a place has nowhere to go
		return;
	struct dp_chain *chain = stage->chain;
	struct dp_ways *ways = &chain->kit->ways;

	for (uint32_t i = 0; i < n; i++, v++) {
		struct rte_mbuf *m = packet_of(stage, v);

		codes[v->code]++;
		if (!m)
			continue;
		if (v->code == WS_VERDICT_DROP) {
			dp_count(&stage->stats.reasons[v->reason], 1);
			dp_ways_drop(ways, m, chain->stats->drops, DP_DROP_FILTER);
		} else if (v->code == WS_VERDICT_EXCEPTION) {
			dp_ways_except(ways, m, chain->stats->drops);
		} else if (stage->next) {
			pass_along(m, v);
			on[n_on++] = m;
		} else {
			dp_ways_forward(ways, m, v->port_out, chain->stats->drops);
		}
	}
	for (uint32_t code = 0; code < 4; code++)
		dp_count(&stage->stats.out[code], codes[code]);
	if (n_on > 0)
		dp_stage_enter(stage->next, on, n_on);
}

static void on_log(void *env, enum ws_log_level level, const char *context, size_t context_len,
	const char *message, size_t message_len)
{
	const struct dp_owner *owner = env;
	struct dp_stage *stage = owner->stage;
	char line[DP_LOG_BYTES];
	size_t len = 0;

	if (context_len > 0 && context_len < sizeof(line) / 2) {
		memcpy(line, context, context_len);
		memcpy(line + context_len, ": ", 2);
		len = context_len + 2;
	}
	if (message_len > sizeof(line) - len)
		message_len = sizeof(line) - len;
	memcpy(line + len, message, message_len);
	len += message_len;
	if (!stage) {
		dp_seat_say(owner->seat, level, line, len);
		return;
	}
	dp_count(&stage->stats.log_lines, 1);
	if (dp_log_push(&stage->chain->kit->log, stage->config, level, line, len))
		dp_count(&stage->stats.log_lost, 1);
}

static void on_starting(void *env, struct we_store *core)
{
	dp_seat_starting(((struct dp_owner *)env)->seat, core);
}

static uint64_t on_now_ns(void *env)
{
	const struct dp_owner *owner = env;

	return owner->stage ? owner->stage->chain->kit->now_ns : dp_seat_now_ns(owner->seat);
}

const struct ws_filter_ops dp_stage_ops = {
	.verdicts = on_verdicts,
	.log = on_log,
	.starting = on_starting,
	.now_ns = on_now_ns,
};
