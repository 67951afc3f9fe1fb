// SPDX-License-Identifier: BSD-3-Clause
// plane_rig: what the tests of the data path share: an EAL without hugepages, a configuration in code.
#pragma once

#include "run.h"

struct rte_mbuf;

enum {
	RIG_WORKERS = 2,
	RIG_QUEUES = 4, // of one worker
};

// A configuration that tests fill in. rig_config gives every field a sensible value.
struct rig {
	struct dp_config config;
	struct dp_port_config ports[4];
	struct dp_worker_config workers[RIG_WORKERS];
	struct dp_queue_ref queues[RIG_WORKERS][RIG_QUEUES];
	struct dp_chain_config chains[2];
	uint16_t chain_filters[2][4];
	struct dp_filter_config filters[4];
	struct ws_config_entry entries[4];
};

// EAL for the whole program, once. Returns: 0, or < 0: it does not start here.
int rig_start_eal(void);
void rig_stop_eal(void);

// No port, one worker that sleeps when idle.
void rig_config(struct rig *rig);
// One more port, polled by the given worker, all queues. Returns its index.
uint16_t rig_port(
	struct rig *rig, const char *device, uint16_t n_queues, uint32_t worker, uint16_t to_port);
// Create and start, with the hooks or without; fails the test when it does not work.
struct dp_run *rig_run(struct rig *rig, const struct dp_hooks *hooks);
// One more filter at the end of a port's chain; script is its configuration entry "do" (ws_fake.h).
struct dp_filter_config *rig_filter(struct rig *rig, uint16_t port, const char *script);
// Stop, wait, check that the law holds with nothing held, close, check that no buffer is missing,
// destroy. ret_stats may be NULL; else the caller destroys it.
void rig_end(struct rig *rig, struct dp_run *run, struct dp_stats **ret_stats);
// The same for a run whose queues end.
void rig_end_by_itself(struct rig *rig, struct dp_run *run, struct dp_stats **ret_stats);
// Wait until a port has received n packets. Fails the test after five seconds.
void rig_wait_rx(struct rig *rig, struct dp_run *run, uint16_t port, uint64_t n);

struct rte_mempool *rig_pool(uint32_t n);
// A packet whose bytes count up from `first`, split into segments of at most seg_bytes (0: one).
struct rte_mbuf *rig_packet(
	struct rte_mempool *pool, uint8_t first, uint32_t len, uint32_t seg_bytes);
// Its bytes, in a buffer that is overwritten by the next call.
const uint8_t *rig_bytes(const struct rte_mbuf *m);
