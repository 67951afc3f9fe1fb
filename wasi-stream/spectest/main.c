// SPDX-License-Identifier: BSD-3-Clause
// cm-spec: runs converted component scripts; its command line is that of suite.h.
#include "run_component.h"

int main(int argc, char **argv)
{
	static const char *const folders[] = {"component/async", "component/binary",
		"component/linking", "component/resources", "component/validation",
		"component/values"};
	static const struct spec_suite suite = {
		.program = "cm-spec",
		.folders = folders,
		.n_folders = sizeof(folders) / sizeof(folders[0]),
		.run = cm_spec_run,
	};

	return spec_suite_main(&suite, argc, argv);
}
