// SPDX-License-Identifier: BSD-3-Clause
// dp_utf8: see utf8.h.
#include "utf8.h"

#include <assert.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

size_t dp_utf8_len(const char *text, size_t len)
{
	const uint8_t *s = (const uint8_t *)text;

	if (s[0] < 0x80)
		return 1;
	if (s[0] < 0xc2 || s[0] > 0xf4)
		return 0;
	const size_t n = s[0] < 0xe0 ? 2 : s[0] < 0xf0 ? 3 : 4;
	if (n > len)
		return 0;
	for (size_t i = 1; i < n; i++) {
		if ((s[i] & 0xc0) != 0x80)
			return 0;
	}
	if ((s[0] == 0xe0 && s[1] < 0xa0) || (s[0] == 0xf0 && s[1] < 0x90)) // overlong
		return 0;
	if (s[0] == 0xed && s[1] >= 0xa0) // a surrogate
		return 0;
	if (s[0] == 0xf4 && s[1] >= 0x90) // beyond U+10FFFF
		return 0;
	return n;
}

bool dp_utf8_is_control(const char *text, size_t n)
{
	const uint8_t *s = (const uint8_t *)text;

	if (n == 1)
		return s[0] < 0x20 || s[0] == 0x7f;
	return n == 2 && s[0] == 0xc2 && s[1] < 0xa0;
}

void dp_utf8_escape(const char *text, size_t len, char *buf, size_t cap)
{
	size_t used = 0;

	assert(cap >= 8);
	for (size_t i = 0; i < len;) {
		size_t n = dp_utf8_len(text + i, len - i);
		char piece[2 * 4 + 1]; // of a control character of two bytes
		size_t piece_len;

		if (n == 0 || dp_utf8_is_control(text + i, n)) {
			n = n == 0 ? 1 : n;
			piece_len = 0;
			for (size_t k = 0; k < n; k++, piece_len += 4)
				snprintf(piece + piece_len, 5, "\\x%02x", (uint8_t)text[i + k]);
		} else {
			memcpy(piece, text + i, n);
			piece_len = n;
		}
		// 4: "..." and the terminator must still fit, unless this is the end.
		if (used + piece_len + (i + n < len ? 4 : 1) > cap) {
			memcpy(buf + used, "...", 3);
			used += 3;
			break;
		}
		memcpy(buf + used, piece, piece_len);
		used += piece_len;
		i += n;
	}
	buf[used] = '\0';
}

char *dp_utf8_escaped(const char *text)
{
	const size_t len = strlen(text);
	const size_t cap = 4 * len + 8;
	char *escaped = malloc(cap);

	if (escaped != NULL)
		dp_utf8_escape(text, len, escaped, cap);
	return escaped;
}
