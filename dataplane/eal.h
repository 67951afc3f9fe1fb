// SPDX-License-Identifier: BSD-3-Clause
// dp_eal: starts DPDK's environment for a configuration: arguments, memory, threads, signals.
//
// Thread:  the process's first; it becomes the main lcore. Worker i is lcore i.
#pragma once

#include "config.h"

// Start EAL: hugepages when they can be had, else once a line in the log and --no-huge --no-shconf.
// EAL's threads, workers among them, block every signal. The caller's signal mask is left as it was:
// the caller must not block real-time signals, for net_tap wakes itself with one.
// Returns: 0; INVALID (EAL does not take the arguments of the configuration), HOST; *ret_message as in run.h.
WE_MUST_USE int dp_eal_init(const struct dp_config *config, char **ret_message);
void dp_eal_fini(void);

// DPDK's first log line at level error since dp_eal_clear_error, "" when there is none: drivers say
// there what a return code cannot.
const char *dp_eal_error(void);
void dp_eal_clear_error(void);
