// SPDX-License-Identifier: BSD-3-Clause
// dp_queue_map: who polls and who sends, in a configuration whose workers have their queues.
#include "queue_map.h"

uint32_t dp_queue_worker(const struct dp_config *config, uint16_t port, uint16_t queue)
{
	for (uint32_t w = 0; w < config->n_workers; w++) {
		const struct dp_worker_config *worker = &config->workers[w];

		for (uint32_t i = 0; i < worker->n_queues; i++) {
			if (worker->queues[i].port_idx == port &&
				worker->queues[i].queue_idx == queue)
				return w;
		}
	}
	return config->n_workers;
}

uint16_t dp_queue_tx_own(const struct dp_config *config, uint32_t worker, uint16_t port)
{
	for (uint16_t q = 0; q < config->ports[port].n_queues; q++) {
		if (dp_queue_worker(config, port, q) == worker)
			return q;
	}
	return DP_NO_INDEX;
}

// Queues that nobody polls are left out: nobody would send from them. The configuration promises that
// every queue is polled; queue 0 is the answer when it does not.
uint16_t dp_queue_heir(const struct dp_config *config, uint32_t worker, uint16_t port)
{
	const uint16_t n_queues = config->ports[port].n_queues;

	for (uint16_t i = 0; i < n_queues; i++) {
		const uint16_t q = (uint16_t)((worker + i) % n_queues);
		const uint32_t owner = dp_queue_worker(config, port, q);

		if (owner < config->n_workers && dp_queue_tx_own(config, owner, port) == q)
			return q;
	}
	return 0;
}
