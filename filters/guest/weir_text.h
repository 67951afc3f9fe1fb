// SPDX-License-Identifier: BSD-3-Clause
// Text for messages, without libc: strings with a length, and a writer that never overruns.
#pragma once

#include <stdbool.h>
#include <stdint.h>

// UTF-8, not terminated. In the canonical ABI's layout on wasm32.
struct weir_str {
	const char *ptr;
	uint32_t len; // bytes
};

// A string literal, as an initialiser.
#define WEIR_STR(text) {(text), sizeof(text) - 1}

static inline bool weir_str_equal(struct weir_str a, struct weir_str b)
{
	uint32_t i = 0;

	if (a.len != b.len)
		return false;
	while (i < a.len && a.ptr[i] == b.ptr[i])
		i++;
	return i == a.len;
}

// A line being written into buf [cap]; what does not fit is cut.
struct weir_text {
	char *buf;
	uint32_t cap; // bytes
	uint32_t len; // bytes
};

static inline void weir_text_put(struct weir_text *text, struct weir_str str)
{
	for (uint32_t i = 0; i < str.len && text->len < text->cap; i++)
		text->buf[text->len++] = str.ptr[i];
}

static inline void weir_text_put_u64(struct weir_text *text, uint64_t value)
{
	char digits[20];
	uint32_t at = sizeof(digits);

	do {
		digits[--at] = (char)('0' + value % 10);
		value /= 10;
	} while (value > 0);
	weir_text_put(text, (struct weir_str){digits + at, (uint32_t)sizeof(digits) - at});
}

static inline struct weir_str weir_text_str(const struct weir_text *text)
{
	return (struct weir_str){text->buf, text->len};
}
