// SPDX-License-Identifier: BSD-3-Clause
// forward_steps: cycles per packet of each step of the data path, of a run as `weir run` makes it.
//
//	forward_steps CONF.yaml SECONDS
//
// The functions at which one step ends and the next begins are wrapped at link time (meson.build) and timed
// with the TSC; each pair of reads costs about as much as a packet, once a burst. One worker. Prints
// "step NAME cycles N.N" lines; bench/forward makes the table.
#include "chain.h"
#include "eal.h"
#include "run.h"
#include "rx.h"
#include "sink.h"

#include <rte_cycles.h>

#include <stdio.h>
#include <stdlib.h>

// Each is timed with all that is called from it.
enum span {
	SPAN_RX,
	SPAN_CHAIN,
	SPAN_OFFER,
	SPAN_RUN,
	SPAN_SINK,
	SPAN_VERDICT,
	SPAN_TX,
	SPAN_N
};

// Written by the worker, read after it has ended.
static uint64_t cycles[SPAN_N];
static uint64_t n_packets;
static bool is_busy; // the pass has packets: an empty poll is nobody's cost

static void charge(enum span span, uint64_t t0)
{
	if (is_busy)
		cycles[span] += rte_rdtsc() - t0;
}

// The names are the linker's (--wrap).
#define WRAPPED(type, name, ...)                                                                   \
	type __real_##name(__VA_ARGS__);                                                           \
	type __wrap_##name(__VA_ARGS__);                                                           \
	type __wrap_##name(__VA_ARGS__)

WRAPPED(uint32_t, dp_rx_burst, const struct dp_rx *rx, struct rte_mbuf **mbufs, uint32_t budget,
	struct dp_queue_stats *stats, bool *has_ended)
{
	const uint64_t t0 = rte_rdtsc();
	const uint32_t n = __real_dp_rx_burst(rx, mbufs, budget, stats, has_ended);

	is_busy = n > 0;
	n_packets += n;
	charge(SPAN_RX, t0);
	return n;
}

WRAPPED(bool, dp_chain_run, struct dp_chain *chain, struct rte_mbuf **mbufs, uint32_t n)
{
	const uint64_t t0 = rte_rdtsc();
	const bool was_busy = __real_dp_chain_run(chain, mbufs, n);

	charge(SPAN_CHAIN, t0);
	return was_busy;
}

WRAPPED(int, ws_filter_offer, struct ws_filter *filter, const struct ws_packet *packets, uint32_t n,
	uint64_t now_ns, struct we_error *err)
{
	const uint64_t t0 = rte_rdtsc();
	const int rc = __real_ws_filter_offer(filter, packets, n, now_ns, err);

	charge(SPAN_OFFER, t0);
	return rc;
}

WRAPPED(int, ws_filter_run, struct ws_filter *filter, uint64_t now_ns, struct we_error *err)
{
	const uint64_t t0 = rte_rdtsc();
	const int rc = __real_ws_filter_run(filter, now_ns, err);

	charge(SPAN_RUN, t0);
	return rc;
}

static void timed_verdicts(void *env, const struct ws_verdict *v, uint32_t n)
{
	const struct ws_sink_ops *ops = env;
	const uint64_t t0 = rte_rdtsc();

	ops->verdicts(ops->env, v, n);
	charge(SPAN_VERDICT, t0);
}

WRAPPED(int, ws_sink_write, struct ws_sink *sink, const struct ws_sink_ops *ops, const uint8_t *buf,
	uint32_t n, struct we_error *err)
{
	struct ws_sink_ops inner = *ops;
	const struct ws_sink_ops outer = {timed_verdicts, &inner};
	const uint64_t t0 = rte_rdtsc();
	const int rc = __real_ws_sink_write(sink, &outer, buf, n, err);

	charge(SPAN_SINK, t0);
	return rc;
}

WRAPPED(void, dp_ways_flush, struct dp_ways *ways)
{
	const uint64_t t0 = rte_rdtsc();

	__real_dp_ways_flush(ways);
	charge(SPAN_TX, t0);
}

static void print_steps(void)
{
	const struct {
		const char *name;
		enum span span;
		enum span without[2]; // what is another step's; SPAN_N: nothing
	} steps[] = {
		{"1 rx", SPAN_RX, {SPAN_N, SPAN_N}},
		{"2 slots", SPAN_CHAIN, {SPAN_OFFER, SPAN_RUN}},
		{"3 source", SPAN_OFFER, {SPAN_N, SPAN_N}},
		{"4 filter", SPAN_RUN, {SPAN_SINK, SPAN_N}},
		{"5 sink", SPAN_SINK, {SPAN_VERDICT, SPAN_N}},
		{"6 verdict", SPAN_VERDICT, {SPAN_N, SPAN_N}},
		{"7 tx", SPAN_TX, {SPAN_N, SPAN_N}},
	};

	for (size_t i = 0; i < sizeof(steps) / sizeof(steps[0]); i++) {
		uint64_t own = cycles[steps[i].span];

		for (size_t k = 0; k < 2; k++)
			own -= steps[i].without[k] < SPAN_N ? cycles[steps[i].without[k]] : 0;
		printf("step %s cycles %.1f\n", steps[i].name,
			n_packets ? (double)own / (double)n_packets : 0.0);
	}
}

static int run(const struct dp_config *config, uint64_t time_ns, char **ret_message)
{
	struct dp_run *dp;
	int rc = dp_run_create(config, NULL, &dp);

	if (rc < 0)
		return rc;
	if ((rc = dp_run_open(dp, ret_message)) == 0 && (rc = dp_run_start(dp, ret_message)) == 0) {
		if (dp_run_wait(dp, time_ns) == DP_RUN_GOES_ON)
			dp_run_request_stop(dp);
		while (dp_run_wait(dp, UINT64_C(100000000)) == DP_RUN_GOES_ON)
			continue;
		print_steps();
	}
	dp_run_destroy(dp);
	return rc;
}

int main(int argc, char **argv)
{
	const struct dp_config_given given = {.instance = "steps"};
	struct dp_config *config = NULL;
	char *message = NULL;
	int rc = -1;

	if (argc != 3) {
		fprintf(stderr, "usage: forward_steps CONF.yaml SECONDS\n");
		return 2;
	}
	if (dp_config_load(argv[1], &given, &config, &message) == 0 &&
		dp_eal_init(config, &message) == 0) {
		rc = run(config, (uint64_t)(strtod(argv[2], NULL) * 1e9), &message);
		dp_eal_fini();
	}
	if (message)
		fprintf(stderr, "forward_steps: %s\n", message);
	free(message);
	dp_config_destroy(config);
	return rc < 0;
}
