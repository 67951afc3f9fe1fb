// SPDX-License-Identifier: BSD-3-Clause
// plane_rig: what the tests of the data path share.
#include "plane_rig.h"

#include "eal.h"
#include "log.h"
#include "mbuf_fields.h"
#include "pool.h"

#include <rte_mbuf.h>

#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

enum {
	POLL_NS = 2000000,
	WAIT_POLLS = 2500, // of POLL_NS: five seconds
	STOP_NS = 1000000000,
};

void rig_config(struct rig *rig)
{
	*rig = (struct rig){
		.config =
			{
				.instance = "weir-test",
				.burst = 32,
				.n_mbufs = 4096,
				.mbuf_data_bytes = 2048,
				.exception_port_idx = DP_NO_INDEX,
				.n_workers = 1,
			},
	};
	rig->config.ports = rig->ports;
	rig->config.workers = rig->workers;
	rig->config.chains = rig->chains;
	rig->config.filters = rig->filters;
	for (uint32_t w = 0; w < RIG_WORKERS; w++) {
		rig->workers[w] = (struct dp_worker_config){
			.lcore = DP_LCORE_ANY,
			.idle = DP_IDLE_SLEEP,
			.queues = rig->queues[w],
		};
	}
}

uint16_t rig_port(
	struct rig *rig, const char *device, uint16_t n_queues, uint32_t worker, uint16_t to_port)
{
	const uint16_t idx = (uint16_t)rig->config.n_ports++;
	struct dp_port_config *port = &rig->ports[idx];
	struct dp_worker_config *w = &rig->workers[worker];

	*port = (struct dp_port_config){
		.device = device,
		.n_queues = n_queues,
		.n_rx_desc = 256,
		.n_tx_desc = 256,
		.promiscuous = true,
		.chain_idx = DP_NO_INDEX,
		.to_port_idx = to_port,
	};
	snprintf(port->name, sizeof(port->name), "p%u", idx);
	for (uint16_t q = 0; q < n_queues; q++)
		rig->queues[worker][w->n_queues++] =
			(struct dp_queue_ref){.port_idx = idx, .queue_idx = q};
	if (rig->config.n_workers <= worker)
		rig->config.n_workers = worker + 1;
	return idx;
}

struct dp_filter_config *rig_filter(struct rig *rig, uint16_t port, const char *script)
{
	const uint32_t i = rig->config.n_filters++;
	struct dp_filter_config *filter = &rig->filters[i];

	if (rig->ports[port].chain_idx == DP_NO_INDEX) {
		rig->ports[port].chain_idx = (uint16_t)rig->config.n_chains++;
		rig->chains[rig->ports[port].chain_idx] = (struct dp_chain_config){
			.name = "chain",
			.filter_idx = rig->chain_filters[rig->ports[port].chain_idx],
		};
	}
	struct dp_chain_config *chain = &rig->chains[rig->ports[port].chain_idx];
	rig->chain_filters[rig->ports[port].chain_idx][chain->n_filters++] = (uint16_t)i;
	rig->entries[i] =
		(struct ws_config_entry){.key = "do", .value = script, .value_len = strlen(script)};
	*filter = (struct dp_filter_config){
		.file = "/dev/null",
		.entries = &rig->entries[i],
		.n_entries = 1,
		.deadline_ns = 50000000,
		.on_fault = DP_ON_FAULT_CLOSED,
	};
	snprintf(filter->name, sizeof(filter->name), "f%u", i);
	return filter;
}

int rig_start_eal(void)
{
	static char instance[32];
	static const char *const args[] = {
		"--no-huge", "--no-shconf", "--no-telemetry", "-m", "256"};
	char *message = NULL;
	struct rig rig;

	dp_log_set_level(DP_LOG_WARN);
	snprintf(instance, sizeof(instance), "weir-test-%d", (int)getpid());
	rig_config(&rig);
	rig.config.instance = instance;
	rig.config.n_workers = RIG_WORKERS;
	rig.config.eal_args = args;
	rig.config.n_eal_args = sizeof(args) / sizeof(args[0]);
	const int rc = dp_eal_init(&rig.config, &message);
	if (rc)
		print_message("# %s\n", message);
	free(message);
	return rc;
}

void rig_stop_eal(void)
{
	dp_eal_fini();
}

struct dp_run *rig_run(struct rig *rig, const struct dp_hooks *hooks)
{
	char *message = NULL;
	struct dp_run *run = NULL;

	if (dp_run_create(&rig->config, hooks, &run))
		fail_msg("no memory");
	if (dp_run_open(run, &message) || dp_run_start(run, &message))
		fail_msg("%s", message);
	return run;
}

void rig_wait_rx(struct rig *rig, struct dp_run *run, uint16_t port, uint64_t n)
{
	const struct timespec pause = {.tv_nsec = POLL_NS};
	struct dp_stats *stats;

	assert_int_equal(dp_stats_create(&rig->config, &stats), 0);
	for (int i = 0; i < WAIT_POLLS; i++) {
		dp_run_snapshot(run, stats);
		if (stats->ports[port].rx.packets >= n)
			break;
		nanosleep(&pause, NULL);
	}
	const uint64_t got = stats->ports[port].rx.packets;
	dp_stats_destroy(stats);
	if (got < n)
		fail_msg("port %u: %" PRIu64 " packets received, %" PRIu64 " wanted", port, got, n);
}

void rig_end(struct rig *rig, struct dp_run *run, struct dp_stats **ret_stats)
{
	dp_run_request_stop(run);
	rig_end_by_itself(rig, run, ret_stats);
}

void rig_end_by_itself(struct rig *rig, struct dp_run *run, struct dp_stats **ret_stats)
{
	struct dp_stats *stats;
	int n_waits = 0;

	assert_int_equal(dp_stats_create(&rig->config, &stats), 0);
	while (dp_run_wait(run, STOP_NS) == DP_RUN_GOES_ON && n_waits < 5)
		n_waits++;
	assert_in_range(n_waits, 0, 4);
	dp_run_snapshot(run, stats);
	assert_true(dp_law_holds(&stats->law));
	assert_int_equal(stats->law.held, 0);
	assert_int_equal(dp_run_close(run), 0);
	dp_run_destroy(run);
	if (ret_stats)
		*ret_stats = stats;
	else
		dp_stats_destroy(stats);
}

struct rte_mempool *rig_pool(uint32_t n)
{
	struct rte_mempool *pool = NULL;
	struct rig rig;

	rig_config(&rig);
	rig.config.n_mbufs = n;
	assert_int_equal(dp_pool_create(&rig.config, 0, &pool, NULL), 0);
	return pool;
}

struct rte_mbuf *rig_packet(
	struct rte_mempool *pool, uint8_t first, uint32_t len, uint32_t seg_bytes)
{
	struct rte_mbuf *head = NULL;
	struct rte_mbuf **link = &head;
	uint32_t at = 0;

	do {
		struct rte_mbuf *seg = rte_pktmbuf_alloc(pool);
		const uint32_t left = len - at;

		assert_non_null(seg);
		seg->data_len = (uint16_t)(seg_bytes && seg_bytes < left ? seg_bytes : left);
		for (uint32_t i = 0; i < seg->data_len; i++)
			*rte_pktmbuf_mtod_offset(seg, uint8_t *, i) = (uint8_t)(first + at + i);
		at += seg->data_len;
		*link = seg;
		link = &seg->next;
		if (seg != head)
			head->nb_segs++;
	} while (at < len);
	head->pkt_len = len;
	return head;
}

const uint8_t *rig_bytes(const struct rte_mbuf *m)
{
	static uint8_t bytes[1 << 18];
	uint32_t at = 0;

	for (; m; m = m->next) {
		memcpy(bytes + at, rte_pktmbuf_mtod(m, const uint8_t *), m->data_len);
		at += m->data_len;
	}
	return bytes;
}
