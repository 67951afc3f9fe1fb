// SPDX-License-Identifier: BSD-3-Clause
// dp_utf8: is this text, and may a terminal see it?
//
// Thread:  any.
// Spec:    Unicode, table 3-7 "Well-Formed UTF-8 Byte Sequences".
#pragma once

#include <stdbool.h>
#include <stddef.h>

// Bytes of the well-formed sequence at text, len > 0; 0: it is not well-formed.
size_t dp_utf8_len(const char *text, size_t len);
// Is the sequence of dp_utf8_len n a control character (C0, DEL, C1)?
bool dp_utf8_is_control(const char *text, size_t n);
// text as printable UTF-8: what is malformed or a control character becomes \xHH. Cut to cap bytes, with
// the terminator, between two characters; "..." at the end says that it was. Needs: cap >= 8.
void dp_utf8_escape(const char *text, size_t len, char *buf, size_t cap);
// The same of a terminated text, whole. Returns: owned (free); NULL: no memory.
char *dp_utf8_escaped(const char *text);
