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
	const struct cm_cx *cx; // of the built-in that posted it; lives as long as the instance
	uint32_t ptr;           // of the first element not yet moved
	uint32_t progress;      // elements moved
	uint32_t length;        // elements
};

// length elements at ptr, checked. *ret_span: the place, for use before guest code runs; NULL when there are
// no bytes. Spec: BufferGuestImpl.
WE_MUST_USE static inline int cm_buffer_init(struct cm_buffer *buffer, const struct cm_cx *cx,
	const struct cm_type *elem, uint32_t ptr, uint32_t length, uint8_t **ret_span,
	struct we_error *err)
{
	*ret_span = NULL;
	if (length > CM_BUFFER_MAX)
		return cm_trap(err, CM_TRAP_COPY_LENGTH);
	if (elem && length > 0) {
		if (!cm_is_aligned(ptr, elem->layout32.align))
			return cm_trap(err, CM_TRAP_UNALIGNED);
		if (!cx->opts->memory ||
			we_memory_span(cx->opts->memory, ptr,
				(uint64_t)length * elem->layout32.size, ret_span) != 0)
			return cm_trap(err, CM_TRAP_OUT_OF_BOUNDS);
	}
	buffer->cx = cx;
	buffer->ptr = ptr;
	buffer->progress = 0;
	buffer->length = length;
	return 0;
}
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
