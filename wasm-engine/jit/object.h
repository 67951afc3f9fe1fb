// SPDX-License-Identifier: BSD-3-Clause
// From LLVM's ELF object to an image: sections laid out, relocations resolved, lines read.
//
// Module path 3/6. Owns: nothing. Thread: one.
#pragma once

#include "lower.h"

// Undefined symbols, and relocations of other kinds than those that position-independent code needs, are refused by name.
// Returns: 0 and an image, owned (free); HOST.
WE_MUST_USE int object_to_image(struct unit *u, const struct we_jit_options *opt,
	const void *object, size_t object_bytes, void **ret_image, size_t *ret_bytes,
	struct we_error *err);

// What an ELF object's .debug_line says: called for each row, in ascending order within a sequence.
// line: 0 none; is_end: the sequence ends before offset. Offsets are of the section that the address belongs to.
typedef void (*line_fn)(void *env, uint64_t offset, uint32_t line, bool is_end);
// program: of DWARF 4, its addresses already relocated. Returns: false when it is not well-formed.
bool lines_read(const uint8_t *program, size_t n, line_fn fn, void *env);
