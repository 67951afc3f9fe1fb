// SPDX-License-Identifier: BSD-3-Clause
// dp_chain: the filters that the packets of one receive queue go through.
//
// Data path 2/7 to 6/7.
#include "chain.h"

uint32_t dp_chain_room(const struct dp_chain *chain, uint32_t burst)
{
	(void)chain;
	return burst;
}

bool dp_chain_run(struct dp_chain *chain, struct rte_mbuf **mbufs, uint32_t n)
{
	for (uint32_t i = 0; i < n; i++)
		dp_ways_forward(chain->ways, mbufs[i], chain->preset_port, chain->stats->drops);
	return n > 0;
}

void dp_chain_stop(struct dp_chain *chain)
{
	(void)chain;
}
