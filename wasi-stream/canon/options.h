// SPDX-License-Identifier: BSD-3-Clause
// cm_options: the canonical options of a definition with their indices resolved, and what lifting and
// lowering need besides the value.
//
// Module path 6.
// Owns:    nothing; memories and functions belong to the core store.
// Spec:    CanonicalABI.md "Canonical ABI Options", "Lifting and Lowering Context".
#pragma once

#include "component.h"
#include "store.h"

struct cm_instance;

struct cm_options {
	enum cm_encoding encoding;
	bool is_async;
	struct we_memory *memory;    // NULL: none
	struct we_func *realloc;     // NULL: none
	struct we_func *post_return; // NULL: none
	struct we_func *callback;    // NULL: none
};

// LiftLowerContext. Without borrow_scope: there are no resources yet.
struct cm_cx {
	struct cm_instance *inst;
	const struct cm_options *opts;
};

// LiftOptions.equal: do task.return and its lift agree?
// Deviates: a task.return without memory may stand beside a lift with one, because validation lets it have none only
// when its result needs none, and because other engines take such components.
static inline bool cm_options_lift_equal(
	const struct cm_options *task_return, const struct cm_options *lift)
{
	return task_return->encoding == lift->encoding &&
	       (!task_return->memory || task_return->memory == lift->memory);
}

// A span of guest memory that was checked when its pointer was lifted; memories do not shrink.
uint8_t *cm_cx_span(const struct cm_cx *cx, uint32_t ptr, uint32_t len);
// Is [ptr, ptr + len) inside the memory?
bool cm_cx_has(const struct cm_cx *cx, uint32_t ptr, uint64_t len);

static inline bool cm_is_aligned(uint32_t ptr, uint32_t align)
{
	return (ptr & (align - 1)) == 0;
}

// Call the guest's realloc, as a synchronous task of its own that may not leave the instance. The
// result is checked against alignment and memory.
WE_MUST_USE int cm_cx_reallocate(const struct cm_cx *cx, uint32_t old, uint32_t old_byte_length,
	uint32_t alignment, uint32_t new_byte_length, uint32_t *ret_ptr, struct we_error *err);
static inline int cm_cx_allocate(const struct cm_cx *cx, uint32_t alignment, uint32_t byte_length,
	uint32_t *ret_ptr, struct we_error *err)
{
	return cm_cx_reallocate(cx, 0, 0, alignment, byte_length, ret_ptr, err);
}
