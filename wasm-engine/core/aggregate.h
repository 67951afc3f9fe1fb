// SPDX-License-Identifier: BSD-3-Clause
// we_struct, we_array, we_exn: the instructions on objects, for every execution tier.
//
// Module path 4/6. What may collect says so: references that are in no root are stale after it. Long work looks at
// the interrupt word after every chunk of limits.h.
// Owns:   nothing. Thread: the store's worker.
// Spec:   core "Aggregate Instructions", "Reference Instructions" (execution).
#pragma once

#include "engine.h"
#include "runtime.h"

#define WE_TEST_NULL 0x100u // with the heap type: null passes the test

// Is a reference of the type? what: the byte of an abstract heap type, or 0 for the defined type def; WE_TEST_NULL. The
// value is of the same hierarchy, in the form of its slot.
static inline bool we_ref_test(
	const struct we_store *store, uint64_t value, uint32_t what, const struct we_deftype *def)
{
	const struct we_object *object;
	const struct we_deftype *type;

	if (value == 0)
		return (what & WE_TEST_NULL) != 0;
	switch (what & 0xff) {
	case 0:
		if (def->kind == WE_COMP_FUNC)
			return we_deftype_matches(
				((const struct we_func *)(uintptr_t)value)->type->def, def);
		break;
	case WE_HEAP_I31:
		return (value & 1) != 0;
	case WE_HEAP_EQ:
	case WE_HEAP_STRUCT:
	case WE_HEAP_ARRAY:
		break;
	case WE_HEAP_ANY:
	case WE_HEAP_EXTERN:
	case WE_HEAP_FUNC:
	case WE_HEAP_EXN:
		return true;
	default: // the bottom types have no value but null
		return false;
	}
	if (value & 1)
		return (what & 0xff) == WE_HEAP_EQ;
	object = we_heap_object(store->heap, (we_ref)value);
	if (object->type >= WE_LIMIT_ENGINE_TYPES) // a host's value
		return false;
	if ((what & 0xff) == WE_HEAP_EQ || ((what & 0xff) == 0 && object->type == def->id))
		return true;
	type = we_engine_type(store->engine, object->type);
	if ((what & 0xff) == 0)
		return we_deftype_matches(type, def);
	return type->kind == ((what & 0xff) == WE_HEAP_STRUCT ? WE_COMP_STRUCT : WE_COMP_ARRAY);
}

// The null trap of an operand of a reference type's hierarchy or below: "null structure reference", ...
enum we_trap we_null_trap(const struct we_engine *engine, we_valtype type);

// Make a structure of fresh room: header, and the fields from their slots behind each other.
static inline void we_struct_init(
	struct we_heap *heap, we_ref ref, const struct we_deftype *def, const uint64_t *slots)
{
	uint8_t *p = heap->base + ref;

	*(struct we_object *)(void *)p = (struct we_object){.type = def->id};
	for (uint32_t i = 0; i < def->n_fields; i++) {
		const struct we_field *field = &def->fields[i];

		switch ((enum we_storage)field->storage) {
		case WE_STORE_8:
			memcpy(p + field->offset, slots, 1);
			break;
		case WE_STORE_16:
			memcpy(p + field->offset, slots, 2);
			break;
		case WE_STORE_32:
			memcpy(p + field->offset, slots, 4);
			break;
		case WE_STORE_64:
			memcpy(p + field->offset, slots, 8);
			break;
		case WE_STORE_128:
			memcpy(p + field->offset, slots, 16);
			slots++;
			break;
		}
		slots++;
	}
}

// ---- these may collect --------------------------------------------------------------------------

// slots: of the fields, behind each other and in roots; NULL: every field its default.
enum we_trap we_struct_new(
	struct we_store *store, const struct we_deftype *def, const uint64_t *slots, we_ref *ret);
// len elements, all of the value in slots, which is in a root; NULL: the default.
enum we_trap we_array_new(struct we_store *store, const struct we_deftype *def,
	const uint64_t *slots, uint32_t len, we_ref *ret);
// len elements from their slots, behind each other and in roots.
enum we_trap we_array_new_fixed(struct we_store *store, const struct we_deftype *def,
	const uint64_t *slots, uint32_t len, we_ref *ret);
enum we_trap we_array_new_data(struct we_instance *inst, const struct we_deftype *def,
	we_dataidx data, uint32_t s, uint32_t len, we_ref *ret);
enum we_trap we_array_new_elem(struct we_instance *inst, const struct we_deftype *def,
	we_elemidx elem, uint32_t s, uint32_t len, we_ref *ret);
// args: len slots in roots.
enum we_trap we_exn_new(
	struct we_store *store, const struct we_tag *tag, const uint64_t *args, we_ref *ret);
// external: an extern reference as in a slot. *ret: as an any reference in a slot.
enum we_trap we_any_convert_extern(struct we_store *store, uint64_t external, uint64_t *ret);

// ---- these do not -------------------------------------------------------------------------------

uint64_t we_extern_convert_any(const struct we_store *store, uint64_t any);
// Arrays are references in slots: null traps. storage: of the elements.
enum we_trap we_array_fill(struct we_store *store, enum we_storage storage, uint64_t array,
	uint32_t i, const uint64_t *slots, uint32_t n);
enum we_trap we_array_copy(struct we_store *store, enum we_storage storage, uint64_t dst,
	uint32_t d, uint64_t src, uint32_t s, uint32_t n);
enum we_trap we_array_init_data(struct we_instance *inst, enum we_storage storage, uint64_t array,
	uint32_t d, we_dataidx data, uint32_t s, uint32_t n);
enum we_trap we_array_init_elem(struct we_instance *inst, enum we_storage storage, uint64_t array,
	uint32_t d, we_elemidx elem, uint32_t s, uint32_t n);
