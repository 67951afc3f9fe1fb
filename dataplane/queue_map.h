// SPDX-License-Identifier: BSD-3-Clause
// dp_queue_map: which worker polls a queue when the configuration does not say.
//
// A pure function of the configuration: the same file gives the same map on every run and machine.
// Neighbouring queues of one port go to neighbouring workers, and each port starts one worker further,
// so that one-queue ports spread too.
#pragma once

#include "config.h"

static inline uint32_t dp_queue_map(uint16_t port_idx, uint16_t queue_idx, uint32_t n_workers)
{
	return ((uint32_t)port_idx + queue_idx) % n_workers;
}

// The worker that polls (port, queue) in config, or config->n_workers when none does.
uint32_t dp_queue_worker(const struct dp_config *config, uint16_t port_idx, uint16_t queue_idx);
// The transmit queue of a port that a worker owns: that of the first of the port's queues that it polls.
// DP_NO_INDEX: it owns none, and hands its packets to the owner of queue dp_queue_heir.
uint16_t dp_queue_tx_own(const struct dp_config *config, uint32_t worker, uint16_t port_idx);
uint16_t dp_queue_heir(const struct dp_config *config, uint32_t worker, uint16_t port_idx);
