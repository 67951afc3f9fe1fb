// SPDX-License-Identifier: BSD-3-Clause
// cm_buffer: a place in guest memory that a stream or future operation reads from or writes to.
//
// Module path 6.
// Owns:    nothing; the memory is found anew at each use.
// Spec:    CanonicalABI.md "Buffer State".
#pragma once

#include "options.h"
#include "trap.h"
#include "type.h"

#include <assert.h>

enum {
	CM_BUFFER_MAX = (1 << 28) - 1, // Buffer.MAX_LENGTH
};

// Invariant: progress <= length; [ptr, ptr + (length - progress) elements) lies in the memory.
struct cm_buffer {
	struct cm_cx cx;
	uint32_t ptr;      // of the first element not yet moved
	uint32_t progress; // elements moved
	uint32_t length;   // elements
};

// Spec: BufferGuestImpl.
WE_MUST_USE int cm_buffer_init(struct cm_buffer *buffer, struct cm_cx cx,
	const struct cm_type *elem, uint32_t ptr, uint32_t length, struct we_error *err);
static inline uint32_t cm_buffer_remain(const struct cm_buffer *buffer)
{
	return buffer->length - buffer->progress;
}
// n elements were moved by whoever did it.
static inline void cm_buffer_advance(
	struct cm_buffer *buffer, const struct cm_type *elem, uint32_t n)
{
	assert(n <= cm_buffer_remain(buffer));
	buffer->progress += n;
	if (elem)
		buffer->ptr += n * elem->layout32.size;
}
// Move n elements, n <= what remains in both.
WE_MUST_USE int cm_buffer_copy(struct cm_buffer *dst, struct cm_buffer *src,
	const struct cm_type *elem, uint32_t n, struct we_error *err);
