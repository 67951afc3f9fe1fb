// SPDX-License-Identifier: BSD-3-Clause
// dp_suggest: see suggest.h. Optimal string alignment distance over three rows.
#include "suggest.h"

#include <stdint.h>
#include <string.h>

enum {
	WORD_MAX = 48, // bytes; longer words get no suggestion
};

static size_t min3(size_t a, size_t b, size_t c)
{
	const size_t ab = a < b ? a : b;

	return ab < c ? ab : c;
}

static size_t edits(const char *a, size_t a_len, const char *b, size_t b_len)
{
	size_t rows[3][WORD_MAX + 1];
	size_t *before = rows[0];
	size_t *above = rows[1];
	size_t *row = rows[2];

	for (size_t k = 0; k <= b_len; k++)
		above[k] = k;
	for (size_t i = 1; i <= a_len; i++) {
		row[0] = i;
		for (size_t k = 1; k <= b_len; k++) {
			row[k] = min3(above[k] + 1, row[k - 1] + 1,
				above[k - 1] + (a[i - 1] != b[k - 1]));
			if (i > 1 && k > 1 && a[i - 1] == b[k - 2] && a[i - 2] == b[k - 1] &&
				before[k - 2] + 1 < row[k])
				row[k] = before[k - 2] + 1;
		}
		size_t *const oldest = before;
		before = above;
		above = row;
		row = oldest;
	}
	return above[b_len];
}

void dp_suggest_offer(struct dp_suggest *s, const char *candidate)
{
	const size_t word_len = strlen(s->word);
	const size_t len = strlen(candidate);
	const size_t most = len < 4 ? 1 : len < 8 ? 2 : 3; // edits that still look like a slip

	if (word_len == 0 || word_len > WORD_MAX || len > WORD_MAX)
		return;
	const size_t n = edits(s->word, word_len, candidate, len);
	if (n <= most && n < len && (s->best == NULL || n < s->best_edits)) {
		s->best = candidate;
		s->best_edits = n;
	}
}
