// SPDX-License-Identifier: BSD-3-Clause
// ws_bytes: see bytes.h.

#include "bytes.h"

#include <stdlib.h>
#include <string.h>

void ws_bytes_fini(struct ws_bytes *b)
{
	free(b->data);
	*b = (struct ws_bytes){0};
}

void ws_bytes_put(struct ws_bytes *b, const void *data, size_t len)
{
	if (b->has_failed || len == 0)
		return;
	if (len > b->cap - b->len) {
		const size_t cap = (b->len + len) * 2;
		uint8_t *grown = len < SIZE_MAX / 4 ? realloc(b->data, cap) : NULL;

		if (grown == NULL) {
			b->has_failed = true;
			return;
		}
		b->data = grown;
		b->cap = cap;
	}
	memcpy(b->data + b->len, data, len);
	b->len += len;
}

void ws_bytes_u8(struct ws_bytes *b, uint8_t value)
{
	ws_bytes_put(b, &value, 1);
}

void ws_bytes_u32(struct ws_bytes *b, uint32_t value)
{
	for (; value > 0x7f; value >>= 7)
		ws_bytes_u8(b, (uint8_t)(value | 0x80));
	ws_bytes_u8(b, (uint8_t)value);
}

void ws_bytes_s32(struct ws_bytes *b, int32_t value)
{
	for (; value < -64 || value > 63; value >>= 7)
		ws_bytes_u8(b, (uint8_t)(value | 0x80));
	ws_bytes_u8(b, (uint8_t)(value & 0x7f));
}

void ws_bytes_name(struct ws_bytes *b, const char *name, size_t len)
{
	ws_bytes_u32(b, (uint32_t)len);
	ws_bytes_put(b, name, len);
}

void ws_bytes_str(struct ws_bytes *b, const char *name)
{
	ws_bytes_name(b, name, strlen(name));
}

void ws_bytes_section(struct ws_bytes *b, uint8_t id, struct ws_bytes *body)
{
	ws_bytes_u8(b, id);
	ws_bytes_u32(b, (uint32_t)body->len);
	ws_bytes_put(b, body->data, body->len);
	b->has_failed |= body->has_failed;
	body->len = 0;
}
