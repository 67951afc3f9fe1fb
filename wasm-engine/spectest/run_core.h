// SPDX-License-Identifier: BSD-3-Clause
// spec_run: one converted core script from its first command to its last.
//
// Each kind of assertion is one failure class. Failures go to stdout, one line each: file, line,
// wanted, found.
// Spec: interpreter "Scripts".
#pragma once

#include "suite.h"

// Returns: 0, or -1 with a message on stderr when the script cannot be read.
int spec_run(struct we_engine *engine, const struct spec_skip *skip, const char *json_path,
	struct spec_totals *totals);
