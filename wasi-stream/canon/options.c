// SPDX-License-Identifier: BSD-3-Clause
// Guest memory as lifting and lowering see it. Module path 6.
// Spec: CanonicalABI.md "Lifting and Lowering Context".
#include "options.h"

#include "task.h"

uint8_t *cm_cx_span(const struct cm_cx *cx, uint32_t ptr, uint32_t len)
{
	uint8_t *span = NULL;

	if (we_memory_span(cx->opts->memory, ptr, len, &span) != 0)
		assert(false); // the span was checked, and memories do not shrink
	return span;
}

bool cm_cx_has(const struct cm_cx *cx, uint32_t ptr, uint64_t len)
{
	return cx->opts->memory && ptr + len <= we_memory_size(cx->opts->memory);
}

int cm_cx_reallocate(const struct cm_cx *cx, uint32_t old, uint32_t old_byte_length,
	uint32_t alignment, uint32_t new_byte_length, uint32_t *ret_ptr, struct we_error *err)
{
	uint64_t slots[4] = {old, old_byte_length, alignment, new_byte_length};
	struct cm_task task;
	struct cm_task *previous;
	int rc;

	// Validation demands a realloc where one is needed.
	assert(cx->opts->realloc && cx->inst->may_leave);
	cx->inst->may_leave = false;
	cm_task_enter_core(&task, cx->inst, &previous);
	rc = we_func_call(cx->opts->realloc, slots, err);
	cm_task_leave_core(&task, previous);
	if (rc < 0)
		return rc;
	cx->inst->may_leave = true;
	if (!cm_is_aligned((uint32_t)slots[0], alignment))
		return cm_trap(err, CM_TRAP_REALLOC_UNALIGNED);
	if (!cm_cx_has(cx, (uint32_t)slots[0], new_byte_length))
		return cm_trap(err, CM_TRAP_REALLOC_BOUNDS);
	*ret_ptr = (uint32_t)slots[0];
	return 0;
}
