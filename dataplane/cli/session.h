// SPDX-License-Identifier: BSD-3-Clause
// cli_session: a run from DPDK's start to its end, as `weir run` and `weir replay` have it: signals,
// progress, the service manager, telemetry, the last snapshot.
//
// Owns:    the process's signal handlers, once cli_session_prepare was called.
// Thread:  the process's first.
#pragma once

#include "cli.h"

#include "run.h"

#include <jansson.h>

#include <stdatomic.h>

struct cli_session_options {
	uint64_t duration_ns; // with has_duration: the run ends after that
	uint64_t idle_ns;     // with is_until_idle: it ends when nothing came for that long
	bool has_duration;
	bool is_until_idle;
	bool has_progress;  // lines that say how far it is
	bool has_telemetry; // serve /weir/...
};

// Take SIGINT, SIGTERM (end), SIGHUP (says that there is no reload) and SIGPIPE (nothing). From here on a
// signal ends the run, also one that has not begun.
void cli_session_prepare(void);
// Run config to its end. hooks may be NULL. *ret_report: the last snapshot (report.h) with "mbufs_missing",
// the buffers that did not come back; owned by the caller.
// Returns: CLI_OK, *ret_report NULL when a signal ended the run before it started; or the code of a failure
// that has been printed, without a report.
enum cli_exit cli_session_run(const struct dp_config *config, const struct dp_hooks *hooks,
	const struct cli_session_options *options, json_t **ret_report);
// True from the moment on at which a signal asks to end.
const atomic_bool *cli_session_ending(void);
// The name of the signal that ended the run; NULL: none did.
const char *cli_session_signal(void);
// Print what is wrong with the end of a run: the law, buffers. Returns: CLI_OK when nothing is.
enum cli_exit cli_session_verdict(const json_t *report);
