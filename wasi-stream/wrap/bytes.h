// SPDX-License-Identifier: BSD-3-Clause
// ws_bytes: a binary being written, in the encodings of the core and component formats.
//
// Owns:   its storage.
// Thread: one at a time.
// Spec:   core "Values" (binary format).
#pragma once

#include "we.h"

// All zeros is empty. A failed allocation is remembered: later puts do nothing, the last step tests has_failed.
struct ws_bytes {
	uint8_t *data;
	size_t len; // bytes
	size_t cap; // bytes
	bool has_failed;
};

void ws_bytes_fini(struct ws_bytes *b);
void ws_bytes_put(struct ws_bytes *b, const void *data, size_t len);
void ws_bytes_u8(struct ws_bytes *b, uint8_t value);
void ws_bytes_u32(struct ws_bytes *b, uint32_t value);                // LEB128, unsigned
void ws_bytes_s32(struct ws_bytes *b, int32_t value);                 // LEB128, signed
void ws_bytes_name(struct ws_bytes *b, const char *name, size_t len); // a length and the bytes
void ws_bytes_str(struct ws_bytes *b, const char *name); // the same of a terminated string
// id, a length, the bytes of body; body is emptied for the next section.
void ws_bytes_section(struct ws_bytes *b, uint8_t id, struct ws_bytes *body);
