// SPDX-License-Identifier: BSD-3-Clause
// dp_check: see check.h.
#include "check.h"

#include "message.h"
#include "stage.h"
#include "supervise.h"

#include <stdlib.h>

enum {
	VIEW_FULL = 1518, // bytes: what `full` means to a filter that is not behind a port yet
};

static int check_filter(struct dp_supervisor *supervisor, uint16_t idx, char **ret_message)
{
	struct dp_seat seat = {.port_name = "(none)", .view_full = VIEW_FULL};
	struct ws_filter *filter = NULL;
	const int rc = dp_seat_init(&seat, supervisor, idx, &filter, ret_message);

	if (rc == 0) {
		ws_filter_destroy(filter);
		dp_supervisor_stop(supervisor); // forgets the seat
	}
	return rc;
}

// One filter behind a supervisor of its own, as a configuration with one chain.
static int check_alone(const struct dp_config *config, uint16_t idx, char **ret_message)
{
	const struct dp_chain_config chain = {.name = "check", .filter_idx = &idx, .n_filters = 1};
	struct dp_port_config ports[DP_PORTS_MAX];
	struct dp_config alone = *config;
	// There is no environment that knows the counter's rate; a filter's start may take it for 1 GHz.
	struct dp_clock clock = {.tsc_base = rte_rdtsc(), .mult = UINT64_C(1) << 32};
	struct dp_supervisor *supervisor = NULL;

	dp_clock_follow(&clock);
	alone.chains = &chain;
	alone.n_chains = 1;
	for (uint32_t p = 0; p < config->n_ports; p++) {
		const uint16_t chain_idx = config->ports[p].chain_idx;

		ports[p] = config->ports[p];
		if (chain_idx != DP_NO_INDEX)
			ports[p].chain_idx = dp_config_chain_has(&config->chains[chain_idx], idx)
						     ? 0
						     : DP_NO_INDEX;
	}
	alone.ports = ports;
	int rc =
		dp_supervisor_create(&alone, &dp_stage_ops, &clock, NULL, &supervisor, ret_message);
	if (rc == 0)
		rc = check_filter(supervisor, idx, ret_message);
	// What can have no native code is no error for the others.
	if (rc == 0 && dp_config_filter_has_engine(&alone, idx, DP_ENGINE_JIT))
		rc = dp_supervisor_compile(supervisor, ret_message);
	dp_supervisor_destroy(supervisor);
	return rc;
}

int dp_check_filters(const struct dp_config *config, char **ret_message)
{
	int rc = 0;

	for (uint32_t i = 0; i < config->n_filters && rc == 0; i++)
		rc = check_alone(config, (uint16_t)i, ret_message);
	return rc;
}
