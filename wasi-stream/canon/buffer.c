// SPDX-License-Identifier: BSD-3-Clause
// A place in guest memory that a stream or future operation reads from or writes to. Module path 6.
// Spec: CanonicalABI.md "Buffer State".
#include "buffer.h"

#include "lift.h"
#include "lower.h"
#include "stream.h"
#include "task.h"

#include <string.h>

// Elements that must be looked at on their way: through values of the host, one after the other.
static int copy_values(struct cm_buffer *dst, struct cm_buffer *src, const struct cm_type *elem,
	uint32_t n, struct we_error *err)
{
	struct cm_scratch *scratch = &src->cx->inst->store->scratch;
	const uint32_t size = elem->layout32.size;
	int rc = 0;

	for (uint32_t i = 0; i < n && rc == 0; i++) {
		const struct cm_scratch_mark mark = cm_scratch_mark(scratch);
		struct cm_val val;

		rc = cm_load(src->cx, src->ptr + i * size, elem, &val, err);
		if (rc == 0)
			rc = cm_store_val(dst->cx, &val, elem, dst->ptr + i * size, err);
		cm_scratch_release(scratch, mark);
	}
	return rc;
}

int cm_buffer_copy(struct cm_buffer *dst, struct cm_buffer *src, const struct cm_type *elem,
	uint32_t n, struct we_error *err)
{
	int rc = 0;

	if (elem && n > 0) {
		if (cm_is_none_or_number(elem)) {
			const uint32_t len = n * elem->layout32.size;

			memmove(cm_cx_span(dst->cx, dst->ptr, len),
				cm_cx_span(src->cx, src->ptr, len), len);
		} else {
			rc = copy_values(dst, src, elem, n, err);
		}
	}
	if (rc < 0)
		return rc;
	cm_buffer_advance(dst, elem, n);
	cm_buffer_advance(src, elem, n);
	return 0;
}
