// SPDX-License-Identifier: BSD-3-Clause
// test_module: core modules made by hand, for tests.
//
// Sections are appended in the order of the binary format; bytes come as string literals or arrays.
// Owns:   a fixed buffer; a module that does not fit fails the test.
#pragma once

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "we.h"

struct bytes {
	uint8_t data[16384];
	size_t len;
};

static inline void put_bytes(struct bytes *b, const void *data, size_t len)
{
	assert_true(b->len + len <= sizeof(b->data));
	memcpy(b->data + b->len, data, len);
	b->len += len;
}

static inline void put_byte(struct bytes *b, uint8_t x)
{
	put_bytes(b, &x, 1);
}

// LEB128, unsigned.
static inline void put_u(struct bytes *b, uint64_t x)
{
	for (; x >= 0x80; x >>= 7)
		put_byte(b, (uint8_t)(x | 0x80));
	put_byte(b, (uint8_t)x);
}

// LEB128, signed.
static inline void put_s(struct bytes *b, int64_t x)
{
	for (; x < -64 || x > 63; x >>= 7)
		put_byte(b, (uint8_t)(0x80 | (x & 0x7f)));
	put_byte(b, (uint8_t)(x & 0x7f));
}

static inline void put_name(struct bytes *b, const char *name)
{
	put_u(b, strlen(name));
	put_bytes(b, name, strlen(name));
}

static inline void begin_module(struct bytes *b)
{
	b->len = 0;
	put_bytes(b, "\0asm\1\0\0\0", 8);
}

// A section of n items that lie in `items`.
static inline void put_section(struct bytes *b, uint8_t id, uint32_t n, const struct bytes *items)
{
	struct bytes count = {.len = 0};

	put_u(&count, n);
	put_byte(b, id);
	put_u(b, count.len + items->len);
	put_bytes(b, count.data, count.len);
	put_bytes(b, items->data, items->len);
}

// The same with items as a string literal.
#define PUT_SECTION(b, id, n, literal)                                                             \
	do {                                                                                       \
		struct bytes items_ = {.len = 0};                                                  \
		put_bytes(&items_, (literal), sizeof(literal) - 1);                                \
		put_section((b), (id), (n), &items_);                                              \
	} while (0)

// A function body as an item of section 10: locals and instructions, `end` included.
static inline void put_body(struct bytes *items, const struct bytes *body)
{
	put_u(items, body->len);
	put_bytes(items, body->data, body->len);
}

#define PUT_BODY(items, literal)                                                                   \
	do {                                                                                       \
		put_u((items), sizeof(literal) - 1);                                               \
		put_bytes((items), (literal), sizeof(literal) - 1);                                \
	} while (0)

// An export of function idx.
static inline void put_export(struct bytes *items, const char *name, uint32_t idx)
{
	put_name(items, name);
	put_byte(items, 0);
	put_u(items, idx);
}
