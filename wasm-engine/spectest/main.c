// SPDX-License-Identifier: BSD-3-Clause
// we-spec: runs converted core scripts; its command line is that of suite.h.
#include "run_core.h"

int main(int argc, char **argv)
{
	static const char *const folders[] = {"core", "core/bulk-memory", "core/simd",
		"core/relaxed-simd", "core/multi-memory", "core/memory64", "core/exceptions",
		"core/gc"};
	static const struct spec_suite suite = {
		.program = "we-spec",
		.folders = folders,
		.n_folders = sizeof(folders) / sizeof(folders[0]),
		.run = spec_run,
	};

	return spec_suite_main(&suite, argc, argv);
}
