// SPDX-License-Identifier: BSD-3-Clause
// cli_check: would the filters of a configuration load? `weir run --check`, without DPDK.
#pragma once

#include "cli.h"

#include "config.h"

// Decode, validate and link each filter; prints what is wrong with the first that would not load.
enum cli_exit cli_check_filters(const struct dp_config *config);
