// SPDX-License-Identifier: BSD-3-Clause
// dp_unmap: no memory goes away under a worker.
//
// When the peer of a memif leaves, DPDK's interrupt thread unmaps the shared rings and buffers, whatever a
// worker is doing in them: a burst that had begun ends in SIGSEGV (seen with 22.11 under load, in testpmd too).
// The driver has marked the port as down by then, so it is enough that every worker has come out of it once.
// Thread:  each worker says where it is; the interrupt thread waits in munmap.
#pragma once

#include "config.h"

// The worker begins to poll. i < DP_WORKERS_MAX.
void dp_unmap_worker_begins(uint32_t i);
// It holds no pointer into memory of a driver: once a pass.
void dp_unmap_worker_is_out(uint32_t i);
void dp_unmap_worker_ends(uint32_t i);
