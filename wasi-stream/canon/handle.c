// SPDX-License-Identifier: BSD-3-Clause
// The handle table of a component instance. Module path 6.
// Spec: CanonicalABI.md "Table State".
#include "handle.h"

#include <stdlib.h>

enum {
	FIRST_CAP = 16, // entries
};

void cm_handles_init(struct cm_handles *handles, uint32_t max)
{
	assert(max <= CM_HANDLES_MAX);
	*handles = (struct cm_handles){.max = max};
}

void cm_handles_fini(struct cm_handles *handles)
{
	free(handles->array);
	*handles = (struct cm_handles){0};
}

static int grow(struct cm_handles *handles, struct we_error *err)
{
	const uint32_t most = handles->max + 1; // entry 0 is not a handle
	const uint32_t twice = handles->cap ? 2 * handles->cap : FIRST_CAP;
	const uint32_t cap = twice < most ? twice : most;
	struct cm_handle *array;

	if (handles->len >= most)
		return cm_exhausted(err, "handles", handles->max);
	array = realloc(handles->array, cap * sizeof(*array));
	if (!array)
		return cm_nomem(err);
	if (!handles->array) {
		array[0] = (struct cm_handle){0};
		handles->len = 1;
	}
	handles->array = array;
	handles->cap = cap;
	return 0;
}

int cm_handles_add(struct cm_handles *handles, enum cm_handle_kind kind, void *thing,
	uint32_t *ret_idx, struct we_error *err)
{
	uint32_t idx = handles->free_idx;

	assert(thing && kind != CM_HANDLE_NONE);
	if (idx) {
		handles->free_idx = handles->array[idx].next_free_idx;
	} else {
		if (handles->len >= handles->cap) {
			const int rc = grow(handles, err);
			if (rc < 0)
				return rc;
			if (handles->len >= handles->cap) // max is 0
				return cm_exhausted(err, "handles", handles->max);
		}
		idx = handles->len++;
	}
	handles->array[idx] = (struct cm_handle){.thing = thing, .kind = kind};
	*ret_idx = idx;
	return 0;
}

void *cm_handles_get_waitable(const struct cm_handles *handles, uint32_t idx)
{
	if (idx >= handles->len || handles->array[idx].kind < CM_HANDLE_SUBTASK)
		return NULL;
	return handles->array[idx].thing;
}

int cm_handles_blame(const struct cm_handles *handles, uint32_t idx, struct we_error *err)
{
	if (idx >= handles->len || handles->array[idx].kind == CM_HANDLE_NONE)
		return cm_trap_at(err, CM_TRAP_UNKNOWN_HANDLE, idx);
	return cm_trap_at(err, CM_TRAP_HANDLE_KIND, idx);
}

void cm_handles_remove(struct cm_handles *handles, uint32_t idx)
{
	assert(idx > 0 && idx < handles->len && handles->array[idx].kind != CM_HANDLE_NONE);
	handles->array[idx] = (struct cm_handle){.next_free_idx = handles->free_idx};
	handles->free_idx = idx;
}
