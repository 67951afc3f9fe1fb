// SPDX-License-Identifier: BSD-3-Clause
// spec_suite: the command line of a program that runs converted scripts: we-spec, cm-spec.
//
//	PROGRAM [--tier interp|jit] [--cpu LEVEL] [--explicit-checks] [--deterministic] [--gc-stress]
//	        [--skip LIST] [--conformance DIR] [FILE.json | FOLDER]...
//
// A folder stands for the scripts in it. What does not exist as given is looked for below
// WEIR_CONFORMANCE, or else DIR. Without a file: the folders of the suite.
// With --tier jit the line before the last says how many functions had native code.
// Last line: "N passed, N failed, N skipped". Exit: 0 none failed, 1 some did, 2 wrong use, 77 the
// suite is not there.
#pragma once

#include "skip.h"
#include "we.h"

// Assertions; a command that is no assertion counts only when it fails.
struct spec_totals {
	uint64_t n_passed;
	uint64_t n_failed;
	uint64_t n_skipped; // malformed text, and what the skip list has
};

struct spec_suite {
	const char *program;        // "we-spec"
	const char *const *folders; // [n_folders], below the conformance folder
	uint32_t n_folders;
	// Run one script. Returns: 0, or -1 with a message on stderr when it cannot be read.
	int (*run)(struct we_engine *engine, const struct spec_skip *skip, const char *json_path,
		struct spec_totals *totals);
};

// Returns: the exit status.
int spec_suite_main(const struct spec_suite *suite, int argc, char **argv);
