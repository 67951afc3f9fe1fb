// SPDX-License-Identifier: BSD-3-Clause
// cm_val: component values in the host's hands: is one of a type, and copies that outlive a call.
//
// Module path 6.
// Spec:    Explainer.md "Type Definitions".
#pragma once

#include "cm.h"
#include "type.h"

enum {
	CM_STRING_BYTES_MAX = (1 << 28) - 1, // MAX_STRING_BYTE_LENGTH
	CM_LIST_BYTES_MAX = (1 << 28) - 1,   // MAX_LIST_BYTE_LENGTH
};

// The kind that values of a value type have.
enum cm_kind cm_kind_of(const struct cm_type *type);
// Spec: none of the surrogates, at most U+10FFFF.
static inline bool cm_is_char(uint64_t code_point)
{
	return code_point < 0x110000 && (code_point < 0xd800 || code_point > 0xdfff);
}
// Is it a value of that type, all the way down? Streams and futures must be in the host's hands and of
// this store. Returns: 0; INVALID saying what was expected; UNSUPPORTED.
WE_MUST_USE int cm_val_check(const struct cm_store *store, const struct cm_val *val,
	const struct cm_type *type, struct we_error *err);
// The same value, by content; streams, futures and resources by identity.
bool cm_val_equal(const struct cm_val *a, const struct cm_val *b);
// A copy of n values and all below them in one piece of memory, which the caller frees. NULL for n == 0.
// Returns: 0; EXHAUSTED above max_bytes; NOMEM.
WE_MUST_USE int cm_vals_copy(const struct cm_val *vals, uint32_t n, uint64_t max_bytes,
	struct cm_val **ret_vals, struct we_error *err);
