// SPDX-License-Identifier: BSD-3-Clause
// dp_queue_map: which worker polls a queue when the configuration does not say.
//
// A pure function of the configuration: the same file gives the same map on every run and machine.
// Neighbouring queues of one port go to neighbouring workers, and each port starts one worker further,
// so that one-queue ports spread too.
#pragma once

#include <stdint.h>

static inline uint32_t dp_queue_map(uint16_t port_idx, uint16_t queue_idx, uint32_t n_workers)
{
	return ((uint32_t)port_idx + queue_idx) % n_workers;
}
