// SPDX-License-Identifier: BSD-3-Clause
// dp_report: a snapshot as JSON: what `weir run --json` prints, what the tables are printed from, and the
// shape in which `weir stats` puts together what telemetry answers.
//
//	{"instance": "weir", "elapsed_ns": 1, "tsc_hz": 1,
//	 "conservation": {"rx": 1, ..., "drop_filter": 0, ..., "holds": true},
//	 "ports": [{"name": "left", "device": "...", "rx_packets": 1, ...}], "queues": [...],
//	 "filters": [{"name": "main/0", "filter": "acl", ..., "reasons": {"denied": 1}}], "workers": [...]}
//
// Thread:  that of dp_run_snapshot.
#pragma once

#include "run.h"

#include <jansson.h>

// Returns owned: json_decref; NULL: out of memory. Borrows: run for the names of drop reasons.
json_t *dp_report_create(const struct dp_run *run, const struct dp_stats *stats);
