// SPDX-License-Identifier: BSD-3-Clause
// spec_skip: commands of the suite that wait for a proposal.
//
// A list has one entry a line: "SCRIPT:FIRST REASON" or "SCRIPT:FIRST-LAST REASON". SCRIPT is the
// path of the script below core/ or component/ without its ending, FIRST and LAST are lines of the
// script, REASON names the proposal or feature. '#' begins a comment. A listed command is run all
// the same: if it does what it should, the entry is wrong.
#pragma once

#include <stdbool.h>
#include <stdint.h>

struct spec_skip_entry {
	char *script;
	uint32_t first; // line
	uint32_t last;  // line
};

struct spec_skip {
	struct spec_skip_entry *entries;
	uint32_t n;
};

// The list that is compiled in. Returns: 0, or -1 with a message on stderr.
int spec_skip_init_default(struct spec_skip *skip);
// The list of a file. Returns: as above.
int spec_skip_init_file(struct spec_skip *skip, const char *path);
void spec_skip_fini(struct spec_skip *skip);
bool spec_skip_has(const struct spec_skip *skip, const char *script, uint32_t line);
