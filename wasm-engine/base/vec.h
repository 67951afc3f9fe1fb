// SPDX-License-Identifier: BSD-3-Clause
// we_vec: an array that grows at its end.
//
// Owns:   its storage; element pointers are valid until the next growth.
// Thread: one at a time.
#pragma once

#include "we.h"

#include <string.h>

// All zeros is an empty vec. Invariant: len <= cap; every element has the same size.
struct we_vec {
	void *data;
	size_t len; // elements
	size_t cap; // elements
};

void we_vec_fini(struct we_vec *vec);
// Make room for n more elements. Returns: 0; NOMEM.
WE_MUST_USE int we_vec_reserve(struct we_vec *vec, size_t n, size_t elem_bytes);
// Append one zeroed element. Returns: it, or NULL when the host is out of memory.
static inline void *we_vec_add(struct we_vec *vec, size_t elem_bytes)
{
	uint8_t *elem;

	if (vec->len == vec->cap && we_vec_reserve(vec, 1, elem_bytes) < 0)
		return NULL;
	elem = (uint8_t *)vec->data + vec->len * elem_bytes;
	vec->len++;
	memset(elem, 0, elem_bytes);
	return elem;
}
