// SPDX-License-Identifier: BSD-3-Clause
// decoder: what the files of the decoder share.
//
// Module path 5/6. Each function reads one nonterminal of Binary.md, and fails as we_reader does.
// Owns: nothing. Thread: one.
#pragma once

#include "arena.h"
#include "reader.h"
#include "syntax.h"

struct decoder {
	struct we_arena *arena;
	struct we_error *err;
	uint32_t nesting; // components and types that are open
	uint32_t n_items; // items, fields and arguments so far
};

int cm_decode_nomem(struct decoder *d, const struct we_reader *r);
// The byte just read opens nothing here.
int cm_decode_bad_byte(const struct we_reader *r, uint8_t byte, const char *what);
// The length of a vec whose elements take at least min_bytes each.
WE_MUST_USE int cm_decode_count(
	struct we_reader *r, uint32_t min_bytes, uint32_t limit, const char *what, uint32_t *ret_n);
// The length of a vec and room for its elements; ret_array is a pointer to a pointer to them.
WE_MUST_USE int cm_decode_array(struct decoder *d, struct we_reader *r, uint32_t min_bytes,
	size_t elem_bytes, const char *what, void *ret_array, uint32_t *ret_n);
WE_MUST_USE int cm_decode_name(struct decoder *d, struct we_reader *r, struct cm_name *ret_name);
// <T>? and flags: 0x00 or 0x01.
WE_MUST_USE int cm_decode_bool(struct we_reader *r, const char *what, bool *ret_is);
WE_MUST_USE int cm_decode_zero(struct we_reader *r, const char *what);
WE_MUST_USE int cm_decode_sort(struct we_reader *r, const char *what, enum cm_sort *ret_sort);

// decode_core.c
WE_MUST_USE int cm_decode_core_type(
	struct decoder *d, struct we_reader *r, struct cm_syntax_coretype *ret);

// decode_type.c
WE_MUST_USE int cm_decode_alias(struct decoder *d, struct we_reader *r, struct cm_syntax_item *ret);
WE_MUST_USE int cm_decode_valtype(struct we_reader *r, struct cm_syntax_valtype *ret);
WE_MUST_USE int cm_decode_resultlist(struct we_reader *r, struct cm_syntax_valtype *ret);
WE_MUST_USE int cm_decode_type(struct decoder *d, struct we_reader *r, struct cm_syntax_type *ret);
WE_MUST_USE int cm_decode_nameattributes(
	struct decoder *d, struct we_reader *r, struct cm_syntax_name *ret);
WE_MUST_USE int cm_decode_extern(struct we_reader *r, struct cm_syntax_extern *ret);
WE_MUST_USE int cm_decode_import(
	struct decoder *d, struct we_reader *r, struct cm_syntax_item *ret);

// decode_canon.c
WE_MUST_USE int cm_decode_canon(struct decoder *d, struct we_reader *r, struct cm_syntax_item *ret);
