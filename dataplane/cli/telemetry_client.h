// SPDX-License-Identifier: BSD-3-Clause
// cli_telemetry: asks a running weir for its counters, over DPDK's telemetry socket.
//
// Spec:    DPDK "Telemetry Library", protocol version 2: SOCK_SEQPACKET, a greeting, then a JSON object for each
//          command, with the command as its key.
// Thread:  one.
#pragma once

#include "cli.h"

#include <jansson.h>

struct cli_telemetry {
	const char *instance; // borrowed
	int fd;
	size_t answer_max; // bytes, as the greeting says
};

// Connect to the weir called instance. Returns: CLI_OK; CLI_MACHINE, printed.
enum cli_exit cli_telemetry_open(struct cli_telemetry *t, const char *instance);
void cli_telemetry_close(struct cli_telemetry *t);
// Ask for everything. Returns owned: a report (report.h); NULL: it did not answer, printed.
json_t *cli_telemetry_report(struct cli_telemetry *t);
