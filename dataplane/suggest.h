// SPDX-License-Identifier: BSD-3-Clause
// dp_suggest: "did you mean" for keys, names and options that do not exist.
//
// Thread:  any.
#pragma once

#include <stddef.h>

// A round of candidates: begin with all zero but `word`, offer each, then read `best`.
struct dp_suggest {
	const char *word;
	const char *best;  // borrowed from an offer; NULL: nothing is near enough
	size_t best_edits; // insertions, deletions, replacements and swaps of neighbours
};
void dp_suggest_offer(struct dp_suggest *s, const char *candidate);
