// SPDX-License-Identifier: BSD-3-Clause
// we_struct, we_array, we_exn: see aggregate.h.
//
// Module path 4/6.
#include "aggregate.h"

enum we_trap we_null_trap(const struct we_engine *engine, we_valtype type)
{
	const uint32_t heap = type & WE_T_INDEX_MASK;

	if (type & WE_T_INDEX) {
		switch (we_engine_type(engine, heap)->kind) {
		case WE_COMP_FUNC:
			return WE_TRAP_NULL_FUNCTION_REFERENCE;
		case WE_COMP_STRUCT:
			return WE_TRAP_NULL_STRUCT_REFERENCE;
		case WE_COMP_ARRAY:
			return WE_TRAP_NULL_ARRAY_REFERENCE;
		}
	}
	return WE_TRAP_NULL_REFERENCE;
}

// Is [i, i + n) inside len?
static bool is_inside(uint64_t i, uint64_t n, uint64_t len)
{
	return n <= len && i <= len - n;
}

// ---- objects ------------------------------------------------------------------------------------

static uint8_t *object_at(const struct we_store *store, we_ref ref)
{
	return store->heap->base + ref;
}

static uint8_t *elements_of(const struct we_store *store, uint64_t array)
{
	return object_at(store, (we_ref)array) + WE_OBJECT_HEADER_BYTES;
}

static uint32_t array_len(const struct we_store *store, uint64_t array)
{
	return we_heap_object(store->heap, (we_ref)array)->len;
}

enum we_trap we_struct_new(
	struct we_store *store, const struct we_deftype *def, const uint64_t *slots, we_ref *ret)
{
	const enum we_trap trap = we_heap_alloc(store, store->heap, def->size_bytes, ret);

	if (trap != WE_TRAP_NONE)
		return trap;
	if (slots != NULL) {
		we_struct_init(store->heap, *ret, def, slots);
		return WE_TRAP_NONE;
	}
	memset(object_at(store, *ret), 0, def->size_bytes);
	we_heap_object(store->heap, *ret)->type = def->id;
	return WE_TRAP_NONE;
}

static enum we_storage storage_of(const struct we_deftype *array)
{
	return (enum we_storage)array->fields[0].storage;
}

// Room for an array, its header written.
static enum we_trap alloc_array(
	struct we_store *store, const struct we_deftype *def, uint32_t len, we_ref *ret)
{
	const enum we_trap trap = we_heap_alloc(store, store->heap, we_array_bytes(def, len), ret);

	if (trap == WE_TRAP_NONE)
		*we_heap_object(store->heap, *ret) =
			(struct we_object){.type = def->id, .len = len};
	return trap;
}

// The newest object could not be filled: it has never been.
static enum we_trap take_back(struct we_store *store, we_ref ref, enum we_trap trap)
{
	if (trap != WE_TRAP_NONE)
		store->heap->top = ref;
	return trap;
}

// n elements of one value.
static enum we_trap fill(struct we_store *store, uint8_t *to, enum we_storage storage,
	const uint64_t *slots, uint64_t n)
{
	const size_t size = (size_t)1 << storage;

	for (uint64_t i = 0; i < n; i++) {
		if (i % WE_BULK_CHUNK_ELEMENTS == 0 && we_store_is_interrupted(store))
			return WE_TRAP_DEADLINE;
		memcpy(to + i * size, slots, size);
	}
	return WE_TRAP_NONE;
}

// n bytes, which may overlap what they are moved over.
static enum we_trap move(struct we_store *store, uint8_t *to, const uint8_t *from, uint64_t n)
{
	const bool from_end = to > from;

	for (uint64_t done = 0; done < n;) {
		const uint64_t left = n - done;
		const uint64_t chunk = left < WE_BULK_CHUNK_BYTES ? left : WE_BULK_CHUNK_BYTES;
		const uint64_t at = from_end ? left - chunk : done;

		if (we_store_is_interrupted(store))
			return WE_TRAP_DEADLINE;
		memmove(to + at, from + at, chunk);
		done += chunk;
	}
	return WE_TRAP_NONE;
}

// n references of a segment as elements.
static enum we_trap put_refs(
	struct we_store *store, uint8_t *to, enum we_storage storage, void *const *refs, uint64_t n)
{
	const size_t size = (size_t)1 << storage;

	for (uint64_t i = 0; i < n; i++) {
		const uint64_t cell = (uintptr_t)refs[i];

		if (i % WE_BULK_CHUNK_ELEMENTS == 0 && we_store_is_interrupted(store))
			return WE_TRAP_DEADLINE;
		memcpy(to + i * size, &cell, size);
	}
	return WE_TRAP_NONE;
}

enum we_trap we_array_new(struct we_store *store, const struct we_deftype *def,
	const uint64_t *slots, uint32_t len, we_ref *ret)
{
	static const uint64_t zero[2];
	const enum we_trap trap = alloc_array(store, def, len, ret);

	if (trap != WE_TRAP_NONE)
		return trap;
	return take_back(store, *ret,
		fill(store, elements_of(store, *ret), storage_of(def), slots != NULL ? slots : zero,
			len));
}

enum we_trap we_array_new_fixed(struct we_store *store, const struct we_deftype *def,
	const uint64_t *slots, uint32_t len, we_ref *ret)
{
	const enum we_storage storage = storage_of(def);
	const enum we_trap trap = alloc_array(store, def, len, ret);
	uint8_t *to;

	if (trap != WE_TRAP_NONE)
		return trap;
	to = elements_of(store, *ret);
	for (uint32_t i = 0; i < len; i++) {
		memcpy(to, slots, (size_t)1 << storage);
		to += (size_t)1 << storage;
		slots += storage == WE_STORE_128 ? 2 : 1;
	}
	return WE_TRAP_NONE;
}

enum we_trap we_array_new_data(struct we_instance *inst, const struct we_deftype *def,
	we_dataidx data, uint32_t s, uint32_t len, we_ref *ret)
{
	struct we_store *store = inst->store;
	const uint64_t n = (uint64_t)len << storage_of(def);
	enum we_trap trap;

	if (!is_inside(s, n, inst->datas[data].len))
		return WE_TRAP_MEMORY_OUT_OF_BOUNDS;
	trap = alloc_array(store, def, len, ret);
	if (trap != WE_TRAP_NONE || n == 0)
		return trap;
	return take_back(
		store, *ret, move(store, elements_of(store, *ret), inst->datas[data].data + s, n));
}

enum we_trap we_array_new_elem(struct we_instance *inst, const struct we_deftype *def,
	we_elemidx elem, uint32_t s, uint32_t len, we_ref *ret)
{
	struct we_store *store = inst->store;
	enum we_trap trap;

	if (!is_inside(s, len, inst->elems[elem].n))
		return WE_TRAP_TABLE_OUT_OF_BOUNDS;
	trap = alloc_array(store, def, len, ret);
	if (trap != WE_TRAP_NONE)
		return trap;
	return take_back(store, *ret,
		put_refs(store, elements_of(store, *ret), storage_of(def),
			inst->elems[elem].refs + s, len));
}

enum we_trap we_exn_new(
	struct we_store *store, const struct we_tag *tag, const uint64_t *args, we_ref *ret)
{
	const uint32_t n = tag->type->n_param_slots;
	struct we_exn *exn;
	const enum we_trap trap = we_heap_alloc(store, store->heap, we_exn_bytes(n), ret);

	if (trap != WE_TRAP_NONE)
		return trap;
	exn = (struct we_exn *)(void *)object_at(store, *ret);
	exn->object = (struct we_object){.type = WE_OBJECT_EXN, .len = n};
	exn->tag = tag;
	if (n > 0)
		memcpy(exn->args, args, n * sizeof(exn->args[0]));
	return WE_TRAP_NONE;
}

// ---- any and extern -----------------------------------------------------------------------------

enum we_trap we_any_convert_extern(struct we_store *store, uint64_t external, uint64_t *ret)
{
	struct we_box *box;
	enum we_trap trap;
	we_ref ref;

	if (external == 0 || (external & WE_EXTERN_INTERNAL) != 0) {
		*ret = (uint32_t)external;
		return WE_TRAP_NONE;
	}
	trap = we_heap_alloc(store, store->heap, sizeof(*box), &ref);
	if (trap != WE_TRAP_NONE)
		return trap;
	box = (struct we_box *)(void *)object_at(store, ref);
	*box = (struct we_box){.object = {.type = WE_OBJECT_BOX}, .host = external};
	*ret = ref;
	return WE_TRAP_NONE;
}

uint64_t we_extern_convert_any(const struct we_store *store, uint64_t any)
{
	const struct we_box *box;

	if (any == 0)
		return 0;
	if (we_ref_is_i31((we_ref)any) ||
		we_heap_object(store->heap, (we_ref)any)->type != WE_OBJECT_BOX)
		return WE_EXTERN_INTERNAL | any;
	box = (const struct we_box *)(const void *)we_heap_object(store->heap, (we_ref)any);
	return box->host;
}

// ---- bulk ---------------------------------------------------------------------------------------

// Elements [i, i + n) of an array that is not null.
static enum we_trap find_elements(const struct we_store *store, enum we_storage storage,
	uint64_t array, uint32_t i, uint32_t n, uint8_t **ret)
{
	if (array == 0)
		return WE_TRAP_NULL_ARRAY_REFERENCE;
	if (!is_inside(i, n, array_len(store, array)))
		return WE_TRAP_ARRAY_OUT_OF_BOUNDS;
	*ret = elements_of(store, array) + ((uint64_t)i << storage);
	return WE_TRAP_NONE;
}

enum we_trap we_array_fill(struct we_store *store, enum we_storage storage, uint64_t array,
	uint32_t i, const uint64_t *slots, uint32_t n)
{
	uint8_t *to;
	const enum we_trap trap = find_elements(store, storage, array, i, n, &to);

	return trap != WE_TRAP_NONE ? trap : fill(store, to, storage, slots, n);
}

enum we_trap we_array_copy(struct we_store *store, enum we_storage storage, uint64_t dst,
	uint32_t d, uint64_t src, uint32_t s, uint32_t n)
{
	uint8_t *to;
	uint8_t *from;
	enum we_trap trap;

	if (dst == 0 || src == 0)
		return WE_TRAP_NULL_ARRAY_REFERENCE;
	trap = find_elements(store, storage, dst, d, n, &to);
	if (trap == WE_TRAP_NONE)
		trap = find_elements(store, storage, src, s, n, &from);
	return trap != WE_TRAP_NONE ? trap : move(store, to, from, (uint64_t)n << storage);
}

enum we_trap we_array_init_data(struct we_instance *inst, enum we_storage storage, uint64_t array,
	uint32_t d, we_dataidx data, uint32_t s, uint32_t n)
{
	const uint64_t bytes = (uint64_t)n << storage;
	uint8_t *to;
	const enum we_trap trap = find_elements(inst->store, storage, array, d, n, &to);

	if (trap != WE_TRAP_NONE)
		return trap;
	if (!is_inside(s, bytes, inst->datas[data].len))
		return WE_TRAP_MEMORY_OUT_OF_BOUNDS;
	return bytes == 0 ? WE_TRAP_NONE : move(inst->store, to, inst->datas[data].data + s, bytes);
}

enum we_trap we_array_init_elem(struct we_instance *inst, enum we_storage storage, uint64_t array,
	uint32_t d, we_elemidx elem, uint32_t s, uint32_t n)
{
	uint8_t *to;
	const enum we_trap trap = find_elements(inst->store, storage, array, d, n, &to);

	if (trap != WE_TRAP_NONE)
		return trap;
	if (!is_inside(s, n, inst->elems[elem].n))
		return WE_TRAP_TABLE_OUT_OF_BOUNDS;
	return put_refs(inst->store, to, storage, inst->elems[elem].refs + s, n);
}
