// SPDX-License-Identifier: BSD-3-Clause
// dp_pool: mbuf pools.
#include "pool.h"

#include "mbuf_fields.h"

#include <rte_errno.h>
#include <rte_mempool.h>

#include <inttypes.h>
#include <stdio.h>

enum {
	CACHE_MAX = 256, // mbufs kept by each lcore
};

int dp_pool_create(const struct dp_config *config, int socket, struct rte_mempool **ret_pool,
	struct we_error *err)
{
	static unsigned n_made; // names must differ
	const unsigned cache = config->n_mbufs / 8 < CACHE_MAX ? config->n_mbufs / 8 : CACHE_MAX;
	char name[RTE_MEMPOOL_NAMESIZE];

	snprintf(name, sizeof(name), "weir_%d_%u", socket, n_made++);
	*ret_pool =
		rte_pktmbuf_pool_create(name, config->n_mbufs, cache, sizeof(struct dp_mbuf_priv),
			(uint16_t)(config->mbuf_data_bytes + RTE_PKTMBUF_HEADROOM), socket);
	if (!*ret_pool)
		return we_error_set(err, WE_E_HOST, 0,
			"a pool of %u buffers of %u bytes: %s (mbufs, and -m under eal)",
			config->n_mbufs, config->mbuf_data_bytes, rte_strerror(rte_errno));
	return 0;
}

uint32_t dp_pool_missing(const struct rte_mempool *pool)
{
	return pool->size - rte_mempool_avail_count(pool);
}

void dp_pool_destroy(struct rte_mempool *pool)
{
	rte_mempool_free(pool);
}

uint64_t dp_pool_bytes(const struct dp_config *config)
{
	const uint64_t object = sizeof(struct rte_mempool_objhdr) + sizeof(struct rte_mbuf) +
				sizeof(struct dp_mbuf_priv) + RTE_PKTMBUF_HEADROOM +
				config->mbuf_data_bytes;

	// An object starts on a cache line and may not lie across pages of 4 KiB when memory is not
	// contiguous; a quarter more covers both.
	return (object + RTE_CACHE_LINE_SIZE) * config->n_mbufs * 5 / 4;
}
