// SPDX-License-Identifier: BSD-3-Clause
// dp_check: would the filters of a configuration run? What `weir run --check` asks, without DPDK's environment.
//
// Thread:  the caller's, and those of a supervisor while it lasts.
#pragma once

#include "config.h"

// Load every filter, also one that no chain uses, and make an instance of it with its configuration; its
// code runs until it waits for packets. Returns: 0; as dp_run_create, with a message in its form.
WE_MUST_USE int dp_check_filters(const struct dp_config *config, char **ret_message);
