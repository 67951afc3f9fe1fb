// SPDX-License-Identifier: BSD-3-Clause
// text: UTF-8 that is put together piece by piece into room of fixed size.
//
// Owns: nothing. Thread: one.
#pragma once

#include "type.h"

// Invariant: len < cap, and buf[len] is the terminator; what does not fit is dropped.
struct cm_text {
	char *buf;
	size_t cap;
	size_t len;
};

void cm_text_init(struct cm_text *text, char *buf, size_t cap); // cap > 0
void cm_text_put(struct cm_text *text, const char *piece);
void cm_text_put_name(struct cm_text *text, struct cm_name name);
