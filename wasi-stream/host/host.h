// SPDX-License-Identifier: BSD-3-Clause
// host: the interfaces that a filter may import, as one table (host.def) and one set of states a filter.
//
// Owns:    the states. Thread: the filter's; the table is constant.
#pragma once

#include "config_store.h"
#include "logging.h"
#include "monotonic_clock.h"
#include "random.h"
#include "setup.h"

struct ws_hosts {
	struct ws_setup setup;
	struct ws_config_store config_store;
	struct ws_clock clock;
	struct ws_random random;
	struct ws_logging logging;
};

// limits: none is 0 any more. owner: borrowed for the life of the hosts. Returns: 0, INVALID, NOMEM; then
// ws_hosts_fini is due all the same.
WE_MUST_USE int ws_hosts_init(struct ws_hosts *hosts, const struct ws_filter_config *config,
	const struct ws_limits *limits, struct ws_owner *owner, struct we_error *err);
void ws_hosts_fini(struct ws_hosts *hosts); // zeroed is fine

// A linker that offers all of host.def. Returns: 0, or what cm_linker_define failed with.
WE_MUST_USE int ws_hosts_linker(
	struct we_engine *engine, struct cm_linker **ret_linker, struct we_error *err);
// cm_env_fn; ctx: struct ws_hosts.
void *ws_hosts_env(void *ctx, const char *interface_name);

bool ws_hosts_offer(const char *interface_name);
// Returns: UNLINKABLE with a message that says what is offered instead of this import.
int ws_hosts_refuse(const char *import_name, struct we_error *err);
