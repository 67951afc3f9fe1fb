// SPDX-License-Identifier: BSD-3-Clause
// dp_run: puts pools, ports, chains and workers together, and takes them apart.
//
// Thread:  control side. Workers touch only what worker.h gives them.
#include "run.h"

#include "log.h"
#include "mbuf_fields.h"
#include "message.h"
#include "pool.h"
#include "port.h"
#include "queue_map.h"
#include "worker.h"

#include <rte_errno.h>
#include <rte_launch.h>
#include <rte_lcore.h>

#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
	HANDED_MAX = 1024, // packets on their way to a queue of another worker
	LINK_WATCH_NS = 200000000,
};

struct dp_run {
	const struct dp_config *config;
	struct dp_hooks hooks;
	struct dp_crew crew;
	struct dp_mbuf_fields fields;
	struct rte_mempool *pools[RTE_MAX_NUMA_NODES]; // by memory node; NULL: no worker there
	struct dp_port *ports;                         // [config->n_ports]
	struct dp_port_io *ios;                        // [config->n_ports]
	struct dp_worker **workers;                    // [config->n_workers]
	struct dp_supervisor *supervisor;              // of filters
	struct rte_ring *rings[DP_PORTS_MAX][DP_QUEUES_MAX]; // handed over; NULL: nobody does
	uint64_t start_ns;                                   // on the crew's clock
	uint64_t link_seen_ns;                               // when the links were looked at
	uint32_t n_ended;                                    // workers
	bool is_started;
};

// ---- memory and ports -----------------------------------------------------------------------------

static unsigned socket_of(uint32_t worker)
{
	const unsigned socket = rte_lcore_to_socket_id(worker);

	return socket < RTE_MAX_NUMA_NODES ? socket : 0;
}

static int make_pools(struct dp_run *run, char **ret_message)
{
	struct we_error err;
	int rc;

	for (uint32_t w = 0; w < run->config->n_workers; w++) {
		const unsigned socket = socket_of(w);

		if (run->pools[socket])
			continue;
		rc = dp_pool_create(run->config, (int)socket, &run->pools[socket], &err);
		if (rc)
			return dp_fail(ret_message, rc, "%s", err.msg);
	}
	return 0;
}

// The pool of the worker that polls (port, queue).
static struct rte_mempool *pool_of(const struct dp_run *run, uint16_t port, uint16_t queue)
{
	const uint32_t worker = dp_queue_worker(run->config, port, queue);

	return run->pools[socket_of(worker < run->config->n_workers ? worker : 0)];
}

static int open_port(struct dp_run *run, uint16_t idx, char **ret_message)
{
	const struct dp_port_config *config = &run->config->ports[idx];
	struct rte_mempool *pools[DP_QUEUES_MAX];
	struct we_error err = {0};
	int rc;

	for (uint16_t q = 0; q < config->n_queues; q++)
		pools[q] = pool_of(run, idx, q);
	if (run->hooks.open_port)
		rc = run->hooks.open_port(run->hooks.env, idx, pools[0], &run->ios[idx], &err);
	else
		rc = dp_port_open(&run->ports[idx], config, pools, &run->ios[idx], &err);
	if (rc)
		return dp_fail_at(ret_message, run->config, config->place, rc, "port %s: %s",
			config->name, err.msg);
	return 0;
}

static int open_ports(struct dp_run *run, char **ret_message)
{
	int rc;

	for (int rank = 0; rank <= DP_PORT_RANK_LAST; rank++) {
		for (uint16_t i = 0; i < run->config->n_ports; i++) {
			if (dp_port_rank(&run->config->ports[i]) == rank &&
				(rc = open_port(run, i, ret_message)))
				return rc;
		}
	}
	return 0;
}

// A queue that somebody besides its owner sends through gets a ring.
static int make_rings(struct dp_run *run, char **ret_message)
{
	const struct dp_config *config = run->config;
	char name[RTE_RING_NAMESIZE];

	for (uint32_t w = 0; w < config->n_workers; w++) {
		for (uint16_t p = 0; p < config->n_ports; p++) {
			if (dp_queue_tx_own(config, w, p) != DP_NO_INDEX)
				continue;
			const uint16_t q = dp_queue_heir(config, w, p);
			if (run->rings[p][q])
				continue;
			snprintf(name, sizeof(name), "weir_%p_%u_%u", (void *)run, p, q);
			run->rings[p][q] =
				rte_ring_create(name, HANDED_MAX, SOCKET_ID_ANY, RING_F_SC_DEQ);
			if (!run->rings[p][q])
				return dp_fail(ret_message, WE_E_HOST, "ring %s: %s", name,
					rte_strerror(rte_errno));
		}
	}
	return 0;
}

// ---- workers --------------------------------------------------------------------------------------

static void free_dropped(void *ctx, struct rte_mbuf **mbufs, uint32_t n)
{
	(void)ctx;
	rte_pktmbuf_free_bulk(mbufs, n);
}

static void set_up_out(struct dp_run *run, uint32_t worker, uint16_t port, struct dp_out *out)
{
	const struct dp_port_io *io = &run->ios[port];
	const uint16_t own = dp_queue_tx_own(run->config, worker, port);

	out->max_len = io->max_tx_len;
	out->max_segments = io->can_send_segments ? RTE_MBUF_MAX_NB_SEGS : 1;
	out->can_insert_vlan = io->can_insert_vlan;
	if (own != DP_NO_INDEX) {
		out->queue_idx = own;
		out->tx = io->tx[own];
		out->handed = run->rings[port][own];
		out->sent = &out->stats.tx;
	} else {
		out->queue_idx = dp_queue_heir(run->config, worker, port);
		out->tx = (struct dp_tx){
			.burst = dp_tx_hand_over, .ctx = run->rings[port][out->queue_idx]};
		out->sent = &out->handed_over;
	}
}

static void set_up_ways(struct dp_run *run, uint32_t worker, struct dp_ways *ways)
{
	ways->n_outs = (uint16_t)run->config->n_ports;
	ways->exception_port = run->config->exception_port_idx;
	ways->pool = run->pools[socket_of(worker)];
	ways->drop = run->hooks.drop ? run->hooks.drop : free_dropped;
	ways->drop_ctx = run->hooks.env;
	for (uint16_t p = 0; p < ways->n_outs; p++)
		set_up_out(run, worker, p, &ways->outs[p]);
}

static void set_up_rxq(
	struct dp_run *run, struct dp_worker *w, const struct dp_queue_ref *ref, struct dp_rxq *q)
{
	const struct dp_port_config *port = &run->config->ports[ref->port_idx];

	q->rx = run->ios[ref->port_idx].rx[ref->queue_idx];
	q->port_idx = ref->port_idx;
	q->queue_idx = ref->queue_idx;
	q->chain.kit = &w->kit;
	q->chain.stats = &q->stats;
	q->chain.preset_port = port->to_port_idx;
	q->chain.source = (struct dp_slot_source){
		.proto = {.port_in = ref->port_idx,
			.queue_in = ref->queue_idx,
			.port_out = port->to_port_idx},
		.fields = run->fields,
		.tstamp_unit_ns = run->ios[ref->port_idx].tstamp_unit_ns,
	};
}

// Every filter of the queue's chain gets its first instance. Returns: 0, and the largest view.
static int seat_filters(struct dp_run *run, struct dp_rxq *q, bool is_interp, uint32_t *max_view,
	char **ret_message)
{
	const struct dp_port_config *port = &run->config->ports[q->port_idx];
	struct ws_filter *filter;
	int rc;

	if (port->chain_idx == DP_NO_INDEX)
		return 0;
	const struct dp_chain_config *chain = &run->config->chains[port->chain_idx];
	if (dp_chain_init(&q->chain, chain->n_filters))
		return dp_fail(ret_message, WE_E_NOMEM, "chain %s: no memory", chain->name);
	for (uint32_t i = 0; i < chain->n_filters; i++) {
		struct dp_seat *seat = &q->chain.stages[i].seat;

		if (atomic_load(&run->crew.stop))
			return dp_fail(ret_message, WE_E_HOST, "asked to end before it started");
		seat->port_name = port->name;
		seat->queue_idx = q->queue_idx;
		seat->view_full = run->ios[q->port_idx].view_full;
		seat->is_interp = is_interp;
		rc = dp_seat_init(
			seat, run->supervisor, chain->filter_idx[i], &filter, ret_message);
		if (rc)
			return rc;
		if (seat->max_view > *max_view)
			*max_view = seat->max_view;
		if (dp_chain_seat(&q->chain, i, filter))
			return dp_fail(ret_message, WE_E_NOMEM, "chain %s: no memory", chain->name);
	}
	return 0;
}

static int seat_all(struct dp_run *run, struct dp_worker *w, char **ret_message)
{
	uint32_t max_view = 0;
	int rc;

	for (uint32_t i = 0; i < w->n_rxqs; i++) {
		if ((rc = seat_filters(run, &w->rxqs[i], w->is_interp, &max_view, ret_message)))
			return rc;
	}
	if (dp_slots_init(&w->kit.slots, max_view))
		return dp_fail(
			ret_message, WE_E_NOMEM, "no memory for views of %u bytes", max_view);
	dp_supervisor_watch(run->supervisor, &w->kit.watch);
	dp_supervisor_listen(run->supervisor, &w->kit.log);
	return 0;
}

// Whole cache lines, so that no two workers write to the same one.
static void *lines(size_t size)
{
	const size_t line = RTE_CACHE_LINE_SIZE;
	void *p = aligned_alloc(line, (size + line) / line * line);

	if (p)
		memset(p, 0, (size + line) / line * line);
	return p;
}

static void destroy_worker(struct dp_worker *w)
{
	if (!w)
		return;
	for (uint32_t i = 0; w->rxqs && i < w->n_rxqs; i++)
		dp_chain_fini(&w->rxqs[i].chain);
	dp_slots_fini(&w->kit.slots);
	free(w->kit.ways.outs);
	free(w->rxqs);
	free(w);
}

static int create_worker(struct dp_run *run, uint32_t idx)
{
	const struct dp_worker_config *config = &run->config->workers[idx];
	struct dp_worker *w = lines(sizeof(*w));

	if (!w)
		return WE_E_NOMEM;
	run->workers[idx] = w;
	w->rxqs = lines(config->n_queues * sizeof(*w->rxqs));
	w->kit.ways.outs = lines(run->config->n_ports * sizeof(*w->kit.ways.outs));
	if (!w->rxqs || !w->kit.ways.outs)
		return WE_E_NOMEM;
	w->crew = &run->crew;
	w->kit.clock = &run->crew.clock;
	w->n_rxqs = config->n_queues;
	w->burst = run->config->burst;
	w->is_interp = config->engine == DP_ENGINE_INTERP;
	w->idle = config->idle == DP_IDLE_SPIN ? dp_idle_spin : dp_idle_sleep;
	set_up_ways(run, idx, &w->kit.ways);
	for (uint32_t i = 0; i < config->n_queues; i++)
		set_up_rxq(run, w, &config->queues[i], &w->rxqs[i]);
	return 0;
}

static int create_workers(struct dp_run *run, char **ret_message)
{
	int rc;

	for (uint32_t w = 0; w < run->config->n_workers; w++) {
		if (create_worker(run, w))
			return dp_fail(ret_message, WE_E_NOMEM, "worker %u: no memory", w);
		if ((rc = seat_all(run, run->workers[w], ret_message)))
			return rc;
	}
	return 0;
}

// ---- the life of a run ----------------------------------------------------------------------------

int dp_run_create(
	const struct dp_config *config, const struct dp_hooks *hooks, struct dp_run **ret_run)
{
	struct dp_run *run = calloc(1, sizeof(*run));

	if (!run)
		return WE_E_NOMEM;
	run->config = config;
	run->crew.n_workers = config->n_workers;
	sem_init(&run->crew.ended, 0, 0);
	if (hooks)
		run->hooks = *hooks;
	dp_clock_init(&run->crew.clock);
	run->ports = calloc(config->n_ports + 1, sizeof(*run->ports));
	run->ios = calloc(config->n_ports + 1, sizeof(*run->ios));
	run->workers = calloc(config->n_workers + 1, sizeof(struct dp_worker *));
	if (!run->ports || !run->ios || !run->workers) {
		dp_run_destroy(run);
		return WE_E_NOMEM;
	}
	*ret_run = run;
	return 0;
}

int dp_run_open(struct dp_run *run, char **ret_message)
{
	struct we_error err;
	int rc;

	if ((rc = dp_mbuf_fields_register(&run->fields, &err)))
		return dp_fail(ret_message, rc, "%s", err.msg);
	// Filters first: their faults are found before a port is touched.
	if ((rc = dp_supervisor_create(run->config, &dp_stage_ops, &run->crew.clock,
		     &run->crew.stop, &run->supervisor, ret_message)) ||
		(rc = dp_supervisor_compile(run->supervisor, ret_message)) ||
		(rc = make_pools(run, ret_message)) || (rc = open_ports(run, ret_message)) ||
		(rc = make_rings(run, ret_message)))
		return rc;
	return create_workers(run, ret_message);
}

static int start_ports(struct dp_run *run, char **ret_message)
{
	struct we_error err;
	int rc;

	for (uint16_t i = 0; !run->hooks.open_port && i < run->config->n_ports; i++) {
		if ((rc = dp_port_start(&run->ports[i], &err)))
			return dp_fail_at(ret_message, run->config, run->config->ports[i].place, rc,
				"port %s: %s", run->config->ports[i].name, err.msg);
	}
	return 0;
}

int dp_run_start(struct dp_run *run, char **ret_message)
{
	int rc = start_ports(run, ret_message);

	if (rc)
		return rc;
	if ((rc = dp_supervisor_start(run->supervisor)))
		return dp_fail(ret_message, rc, "no thread for the filters");
	run->start_ns = dp_clock_now(&run->crew.clock);
	run->is_started = true;
	for (uint32_t w = 0; w < run->config->n_workers; w++) {
		rc = rte_eal_remote_launch(dp_worker_main, run->workers[w], w);
		assert(rc == 0); // lcore w exists and waits
	}
	return 0;
}

void dp_run_request_stop(struct dp_run *run)
{
	atomic_store(&run->crew.stop, true);
}

static void watch_links(struct dp_run *run)
{
	const uint64_t now_ns = dp_clock_now(&run->crew.clock);

	if (now_ns - run->link_seen_ns < LINK_WATCH_NS)
		return;
	run->link_seen_ns = now_ns;
	for (uint16_t i = 0; !run->hooks.open_port && i < run->config->n_ports; i++)
		dp_port_watch_link(&run->ports[i]);
}

int dp_run_wait(struct dp_run *run, uint64_t timeout_ns)
{
	struct timespec until;

	watch_links(run);
	clock_gettime(CLOCK_MONOTONIC, &until);
	const uint64_t at_ns = (uint64_t)until.tv_nsec + timeout_ns;
	until.tv_sec += (time_t)(at_ns / 1000000000);
	until.tv_nsec = (long)(at_ns % 1000000000);
	while (run->n_ended < run->config->n_workers) {
		if (sem_clockwait(&run->crew.ended, CLOCK_MONOTONIC, &until) < 0)
			return DP_RUN_GOES_ON;
		run->n_ended++;
	}
	rte_eal_mp_wait_lcore();
	dp_supervisor_stop(run->supervisor);
	return 0;
}

uint32_t dp_run_close(struct dp_run *run)
{
	uint32_t n_missing = 0;

	// virtio_user before the vhost device behind it.
	for (int rank = DP_PORT_RANK_LAST; rank >= 0; rank--) {
		for (uint16_t i = 0; i < run->config->n_ports; i++) {
			if (dp_port_rank(&run->config->ports[i]) == rank)
				dp_port_close(&run->ports[i]);
		}
	}
	for (unsigned s = 0; s < RTE_MAX_NUMA_NODES; s++) {
		if (run->pools[s])
			n_missing += dp_pool_missing(run->pools[s]);
	}
	return n_missing;
}

void dp_run_destroy(struct dp_run *run)
{
	if (!run)
		return;
	if (run->is_started) {
		dp_run_request_stop(run);
		rte_eal_mp_wait_lcore();
	}
	if (run->ports && dp_run_close(run) > 0)
		dp_log_warn("buffers are missing at the end of the run");
	// Seats live in the workers, the engine of their instances in the supervisor.
	if (run->supervisor)
		dp_supervisor_stop(run->supervisor);
	for (uint32_t w = 0; run->workers && w < run->config->n_workers; w++)
		destroy_worker(run->workers[w]);
	dp_supervisor_destroy(run->supervisor);
	for (uint16_t p = 0; p < DP_PORTS_MAX; p++) {
		for (uint16_t q = 0; q < DP_QUEUES_MAX; q++)
			rte_ring_free(run->rings[p][q]);
	}
	for (unsigned s = 0; s < RTE_MAX_NUMA_NODES; s++)
		dp_pool_destroy(run->pools[s]);
	sem_destroy(&run->crew.ended);
	free(run->workers);
	free(run->ios);
	free(run->ports);
	free(run);
}

// ---- statistics -----------------------------------------------------------------------------------

static void add_queue(
	struct dp_stats *stats, uint16_t port, uint16_t queue, const struct dp_queue_stats *live)
{
	dp_stats_add((uint64_t *)&stats->queues[port][queue], (const uint64_t *)live,
		sizeof(*live) / sizeof(uint64_t));
}

// Of one queue: what has native code is run natively where that may be.
static void add_tier(
	struct dp_filter_stats *sum, const struct dp_code_stats *code, bool may_be_native)
{
	if (!may_be_native || code->native == 0)
		sum->queues_interp++;
	else if (code->state == DP_CODE_DONE && code->interpreted == 0)
		sum->queues_native++;
	else
		sum->queues_partly++;
}

static void add_filters(struct dp_stats *stats, uint16_t chain_idx, const struct dp_chain *chain,
	bool may_be_native)
{
	for (uint32_t i = 0; i < chain->n_stages; i++) {
		const uint16_t filter_idx = stats->config->chains[chain_idx].filter_idx[i];
		struct dp_filter_stats *sum = &stats->filters[chain_idx][i];

		dp_stats_add((uint64_t *)sum, (const uint64_t *)&chain->stages[i].stats,
			sizeof(struct dp_filter_stats) / sizeof(uint64_t));
		add_tier(sum, &stats->codes[filter_idx], may_be_native);
	}
}

static void add_worker(struct dp_stats *stats, uint32_t idx, const struct dp_worker *w)
{
	const struct dp_config *config = stats->config;

	dp_stats_add((uint64_t *)&stats->workers[idx], (const uint64_t *)&w->stats,
		sizeof(w->stats) / sizeof(uint64_t));
	for (uint32_t i = 0; i < w->n_rxqs; i++) {
		const struct dp_rxq *q = &w->rxqs[i];

		add_queue(stats, q->port_idx, q->queue_idx, &q->stats);
		add_filters(stats, config->ports[q->port_idx].chain_idx, &q->chain,
			atomic_load_explicit(&w->is_native, memory_order_relaxed));
	}
	for (uint16_t p = 0; p < w->kit.ways.n_outs; p++)
		add_queue(stats, p, w->kit.ways.outs[p].queue_idx, &w->kit.ways.outs[p].stats);
}

static void sum_traffic(struct dp_traffic *sum, const struct dp_traffic *part)
{
	sum->packets += part->packets;
	sum->bytes += part->bytes;
}

static void sum_port(struct dp_run *run, struct dp_stats *stats, uint16_t port)
{
	struct dp_port_stats *sum = &stats->ports[port];
	struct dp_law *law = &stats->law;

	for (uint16_t q = 0; q < run->config->ports[port].n_queues; q++) {
		const struct dp_queue_stats *part = &stats->queues[port][q];

		sum_traffic(&sum->rx, &part->rx);
		sum_traffic(&sum->tx, &part->tx);
		law->originated += part->originated;
		law->held += part->held;
		if (run->rings[port][q])
			law->held += rte_ring_count(run->rings[port][q]);
		for (uint32_t d = 0; d < DP_DROP_N; d++) {
			sum->drops[d] += part->drops[d];
			law->drops_by[d] += part->drops[d];
			law->drops += part->drops[d];
		}
	}
	law->rx += sum->rx.packets;
	law->tx += sum->tx.packets;
	if (!run->hooks.open_port)
		dp_port_info(&run->ports[port], sum);
}

static void clear(struct dp_stats *stats)
{
	const struct dp_config *config = stats->config;

	stats->law = (struct dp_law){0};
	memset(stats->ports, 0, config->n_ports * sizeof(*stats->ports));
	memset(stats->workers, 0, config->n_workers * sizeof(*stats->workers));
	for (uint32_t p = 0; p < config->n_ports; p++)
		memset(stats->queues[p], 0, config->ports[p].n_queues * sizeof(**stats->queues));
	for (uint32_t c = 0; c < config->n_chains; c++)
		memset(stats->filters[c], 0,
			config->chains[c].n_filters * sizeof(**stats->filters));
}

void dp_run_snapshot(struct dp_run *run, struct dp_stats *stats)
{
	assert(stats->config == run->config);
	clear(stats);
	stats->tsc_hz = rte_get_tsc_hz();
	if (run->is_started)
		stats->elapsed_ns = dp_clock_now(&run->crew.clock) - run->start_ns;
	for (uint32_t i = 0; i < run->config->n_filters; i++)
		dp_supervisor_code(run->supervisor, (uint16_t)i, &stats->codes[i]);
	for (uint32_t w = 0; w < run->config->n_workers; w++)
		add_worker(stats, w, run->workers[w]);
	for (uint16_t p = 0; p < run->config->n_ports; p++)
		sum_port(run, stats, p);
}

const char *dp_run_reason(const struct dp_run *run, uint16_t filter_idx, uint32_t i)
{
	return dp_supervisor_reason(run->supervisor, filter_idx, i);
}
