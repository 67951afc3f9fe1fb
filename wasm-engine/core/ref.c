// SPDX-License-Identifier: BSD-3-Clause
// References as the host sees them: what they are, how the host keeps them, exceptions that it throws and catches.
//
// Module path 4/6. Thread: the store's worker. Spec: core "Embedding" (references, exceptions).
#include <assert.h>
#include <stdlib.h>

#include "aggregate.h"

// How a reference of this kind lies in a slot.
static enum we_trace kind_trace(enum we_kind kind)
{
	switch (kind) {
	case WE_EXTERNREF:
		return WE_TRACE_EXTERN;
	case WE_ANYREF:
	case WE_EXNREF:
		return WE_TRACE_ANY;
	default:
		return WE_TRACE_NONE;
	}
}

int we_ref_hold(struct we_store *store, enum we_kind kind, uint64_t slot,
	struct we_ref_root **ret_root, struct we_error *err)
{
	struct we_ref_root *root = calloc(1, sizeof(*root));

	if (root == NULL)
		return we_error_set(err, WE_E_NOMEM, 0, "no memory to hold a reference");
	root->cell = slot;
	root->trace = kind_trace(kind);
	root->store = store;
	root->next = store->roots;
	root->at = &store->roots;
	if (root->next != NULL)
		root->next->at = &root->next;
	store->roots = root;
	*ret_root = root;
	return 0;
}

uint64_t we_ref_held(const struct we_ref_root *root)
{
	return root->cell;
}

void we_ref_drop(struct we_ref_root *root)
{
	if (root == NULL)
		return;
	*root->at = root->next;
	if (root->next != NULL)
		root->next->at = root->at;
	free(root);
}

enum we_refkind we_ref_kind(const struct we_store *store, enum we_kind kind, uint64_t slot)
{
	const struct we_object *object;

	if (slot == 0)
		return WE_REFKIND_NULL;
	switch (kind_trace(kind)) {
	case WE_TRACE_NONE:
		return WE_REFKIND_FUNC;
	case WE_TRACE_EXTERN:
		if ((slot & WE_EXTERN_INTERNAL) == 0)
			return WE_REFKIND_HOST;
		break;
	case WE_TRACE_ANY:
		break;
	}
	if (we_ref_is_i31((we_ref)slot))
		return WE_REFKIND_I31;
	object = we_heap_object(store->heap, (we_ref)slot);
	if (object->type == WE_OBJECT_BOX)
		return WE_REFKIND_HOST;
	if (object->type == WE_OBJECT_EXN)
		return WE_REFKIND_EXN;
	return we_engine_type(store->engine, object->type)->kind == WE_COMP_STRUCT
		       ? WE_REFKIND_STRUCT
		       : WE_REFKIND_ARRAY;
}

uint64_t we_ref_host(const struct we_store *store, enum we_kind kind, uint64_t slot)
{
	assert(we_ref_kind(store, kind, slot) == WE_REFKIND_HOST);
	return kind == WE_EXTERNREF ? slot : we_extern_convert_any(store, slot);
}

int we_ref_from_host(
	struct we_store *store, uint64_t host, uint64_t *ret_slot, struct we_error *err)
{
	enum we_trap trap;
	const int rc = we_store_make_heap(store, err);

	if (rc < 0)
		return rc;
	trap = we_any_convert_extern(store, host & ~WE_EXTERN_INTERNAL, ret_slot);
	return trap == WE_TRAP_NONE ? 0 : we_error_trap(err, trap, 0, WE_NO_FUNC, NULL);
}

// ---- exceptions ---------------------------------------------------------------------------------

int we_throw(
	struct we_store *store, const struct we_tag *tag, uint64_t *slots, struct we_error *err)
{
	enum we_trap trap;
	we_ref ref;
	const int rc = we_store_make_heap(store, err);

	if (rc < 0)
		return rc;
	store->throw_type = tag->type;
	store->throw_args = slots;
	trap = we_exn_new(store, tag, slots, &ref);
	store->throw_type = NULL;
	if (trap != WE_TRAP_NONE)
		return we_error_trap(err, trap, 0, WE_NO_FUNC, NULL);
	return we_throw_ref(store, ref, err);
}

int we_throw_ref(struct we_store *store, uint64_t exn, struct we_error *err)
{
	if (exn == 0)
		return we_error_trap(err, WE_TRAP_NULL_EXCEPTION_REFERENCE, 0, WE_NO_FUNC, NULL);
	store->exception = exn;
	we_store_look_again(store);
	return we_error_trap(err, WE_TRAP_UNCAUGHT_EXCEPTION, 0, WE_NO_FUNC, NULL);
}

uint64_t we_catch(struct we_store *store)
{
	const uint64_t exn = store->exception;

	store->exception = 0;
	return exn;
}

const struct we_tag *we_exn_tag(const struct we_store *store, uint64_t exn)
{
	return ((const struct we_exn *)(const void *)we_heap_object(store->heap, (we_ref)exn))->tag;
}

void we_exn_args(const struct we_store *store, uint64_t exn, uint64_t *slots)
{
	const struct we_exn *object =
		(const struct we_exn *)(const void *)we_heap_object(store->heap, (we_ref)exn);

	memcpy(slots, object->args, object->object.len * sizeof(*slots));
}
