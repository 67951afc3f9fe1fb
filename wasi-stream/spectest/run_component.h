// SPDX-License-Identifier: BSD-3-Clause
// cm_spec_run: one converted component script from its first command to its last.
//
// Each kind of assertion is one failure class. Failures go to stdout, one line each: script, line, wanted,
// found. Every instance lives in a store of its own: a trap ends no other.
// Spec: Component Model "test/README.md".
#pragma once

#include "suite.h"

// Returns: 0, or -1 with a message on stderr when the script cannot be read.
int cm_spec_run(struct we_engine *engine, const struct spec_skip *skip, const char *json_path,
	struct spec_totals *totals);
