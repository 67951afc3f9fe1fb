// SPDX-License-Identifier: BSD-3-Clause
// dp_pool: mbuf pools: one for each memory node on which a worker runs.
#pragma once

#include "config.h"

struct rte_mempool;

// A pool of config->n_mbufs, with the private area of mbuf_fields.h. Returns owned: *ret_pool; 0; HOST.
WE_MUST_USE int dp_pool_create(const struct dp_config *config, int socket,
	struct rte_mempool **ret_pool, struct we_error *err);
// mbufs that are not in the pool.
uint32_t dp_pool_missing(const struct rte_mempool *pool);
void dp_pool_destroy(struct rte_mempool *pool); // NULL is fine
// Bytes of memory that one pool of this configuration takes, for the EAL's arguments.
uint64_t dp_pool_bytes(const struct dp_config *config);
