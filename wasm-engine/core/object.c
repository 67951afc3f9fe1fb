// SPDX-License-Identifier: BSD-3-Clause
// Structures, arrays and i31 as the host sees them.
//
// Module path 4/6. Owns: nothing. Thread: the store's worker.
// Spec: core "Aggregate Instances".
#include <stdlib.h>
#include <string.h>

#include "aggregate.h"
#include "value.h"

struct we_value we_value_i31(int32_t x)
{
	return we_value_ref(WE_ANYREF, (uint32_t)x << 1 | 1);
}

int we_i31_get(const struct we_value *ref, int32_t *ret_x)
{
	const bool is_internal =
		ref->kind == WE_ANYREF ||
		(ref->kind == WE_EXTERNREF && (ref->of.ref & WE_EXTERN_INTERNAL) != 0);

	if (!is_internal || !we_ref_is_i31((we_ref)ref->of.ref))
		return 1;
	*ret_x = (int32_t)(uint32_t)ref->of.ref >> 1;
	return 0;
}

// ---- types --------------------------------------------------------------------------------------

const struct we_deftype *we_ref_deftype(const struct we_store *store, const struct we_value *ref)
{
	const struct we_object *object = we_value_object(store, ref);

	if (object == NULL || object->type >= WE_LIMIT_ENGINE_TYPES)
		return NULL;
	return we_engine_type(store->engine, object->type);
}

uint32_t we_deftype_n_fields(const struct we_deftype *type)
{
	return type->n_fields;
}

const struct we_deftype *we_deftype_field(const struct we_deftype *type, uint32_t i)
{
	return i < type->n_fields ? we_valtype_deftype(type->engine, type->fields[i].type) : NULL;
}

// ---- fields and elements ------------------------------------------------------------------------

static void read_place(const struct we_store *store, const struct we_field *field,
	const uint8_t *from, struct we_value *ret)
{
	uint64_t slots[2] = {0, 0};

	memcpy(slots, from, (size_t)1 << field->storage);
	we_value_from_slots(store->engine, field->type, slots, ret);
}

static int write_place(struct we_store *store, const struct we_field *field, uint8_t *to,
	const struct we_value *value, struct we_error *err)
{
	uint64_t slots[2];
	int rc;

	if (!field->mut)
		return we_error_set(err, WE_E_INVALID, 0, "immutable field");
	rc = we_value_to_slots(store, field->type, value, slots, err);
	if (rc == 0)
		memcpy(to, slots, (size_t)1 << field->storage);
	return rc;
}

// Where field i lies and how. Returns: NULL when ref is no structure or has no such field.
static uint8_t *find_field(const struct we_store *store, const struct we_value *ref, uint32_t i,
	const struct we_field **ret)
{
	const struct we_deftype *type = we_ref_deftype(store, ref);

	if (type == NULL || type->kind != WE_COMP_STRUCT || i >= type->n_fields)
		return NULL;
	*ret = &type->fields[i];
	return (uint8_t *)we_value_object(store, ref) + type->fields[i].offset;
}

// The same for an array's elements.
static uint8_t *find_elem(const struct we_store *store, const struct we_value *ref, uint32_t i,
	const struct we_field **ret)
{
	const struct we_deftype *type = we_ref_deftype(store, ref);
	struct we_object *object = we_value_object(store, ref);

	if (type == NULL || type->kind != WE_COMP_ARRAY || i >= object->len)
		return NULL;
	*ret = &type->fields[0];
	return (uint8_t *)object + type->fields[0].offset +
	       ((uint64_t)i << type->fields[0].storage);
}

int we_struct_get(const struct we_store *store, const struct we_value *ref, uint32_t field,
	struct we_value *ret_value)
{
	const struct we_field *place;
	const uint8_t *at = find_field(store, ref, field, &place);

	if (at == NULL)
		return 1;
	read_place(store, place, at, ret_value);
	return 0;
}

int we_struct_set(struct we_store *store, const struct we_value *ref, uint32_t field,
	const struct we_value *value, struct we_error *err)
{
	const struct we_field *place;
	uint8_t *at = find_field(store, ref, field, &place);

	return at == NULL ? 1 : write_place(store, place, at, value, err);
}

int we_array_len(const struct we_store *store, const struct we_value *ref, uint32_t *ret_len)
{
	const struct we_deftype *type = we_ref_deftype(store, ref);

	if (type == NULL || type->kind != WE_COMP_ARRAY)
		return 1;
	*ret_len = we_value_object(store, ref)->len;
	return 0;
}

int we_array_get(const struct we_store *store, const struct we_value *ref, uint32_t i,
	struct we_value *ret_value)
{
	const struct we_field *place;
	const uint8_t *at = find_elem(store, ref, i, &place);

	if (at == NULL)
		return 1;
	read_place(store, place, at, ret_value);
	return 0;
}

int we_array_set(struct we_store *store, const struct we_value *ref, uint32_t i,
	const struct we_value *value, struct we_error *err)
{
	const struct we_field *place;
	uint8_t *at = find_elem(store, ref, i, &place);

	return at == NULL ? 1 : write_place(store, place, at, value, err);
}

// ---- making them --------------------------------------------------------------------------------

static const struct we_field *field_of(const struct we_deftype *type, uint32_t i)
{
	return &type->fields[type->kind == WE_COMP_ARRAY ? 0 : i];
}

static int check_fields(struct we_store *store, const struct we_deftype *type,
	const struct we_value *values, uint32_t n, struct we_cell *cells, struct we_error *err)
{
	for (uint32_t i = 0; i < n; i++) {
		const struct we_field *field = field_of(type, i);
		const int rc =
			we_value_to_slots(store, field->type, &values[i], cells[i].slot, err);

		if (rc < 0) {
			we_error_add(err, ", in %s %u",
				type->kind == WE_COMP_ARRAY ? "element" : "field", i);
			return rc;
		}
		cells[i].trace = (enum we_trace)field->trace;
	}
	return 0;
}

// Room for n values, all zero.
static enum we_trap alloc_object(
	struct we_store *store, const struct we_deftype *type, uint32_t n, we_ref *ret)
{
	return type->kind == WE_COMP_ARRAY ? we_array_new(store, type, NULL, n, ret)
					   : we_struct_new(store, type, NULL, ret);
}

static void write_object(const struct we_store *store, const struct we_deftype *type, we_ref ref,
	const struct we_cell *cells, uint32_t n)
{
	uint8_t *object = (uint8_t *)we_heap_object(store->heap, ref);

	for (uint32_t i = 0; i < n; i++) {
		const struct we_field *field = field_of(type, i);
		const uint64_t offset = type->kind == WE_COMP_ARRAY
						? field->offset + ((uint64_t)i << field->storage)
						: field->offset;

		memcpy(object + offset, cells[i].slot, (size_t)1 << field->storage);
	}
}

// What the values refer to is a root while there is being made room.
static int make(struct we_store *store, const struct we_deftype *type,
	const struct we_value *values, uint32_t n, struct we_value *ret_ref, struct we_error *err)
{
	struct we_cell *cells = calloc(n > 0 ? n : 1, sizeof(*cells));
	struct we_const_stack roots = {.cells = cells, .n = n, .outer = store->const_stack};
	enum we_trap trap;
	we_ref ref;
	int rc;

	if (cells == NULL)
		return we_error_set(err, WE_E_NOMEM, 0, "no memory for an object's fields");
	rc = type->engine == store->engine
		     ? we_store_make_heap(store, err)
		     : we_error_set(err, WE_E_INVALID, 0, "a type of another engine");
	if (rc == 0)
		rc = check_fields(store, type, values, n, cells, err);
	if (rc == 0) {
		store->const_stack = &roots;
		trap = alloc_object(store, type, n, &ref);
		store->const_stack = roots.outer;
		if (trap != WE_TRAP_NONE)
			rc = we_error_trap(err, trap, 0, WE_NO_FUNC, NULL);
	}
	if (rc == 0) {
		write_object(store, type, ref, cells, n);
		*ret_ref = we_value_ref(WE_ANYREF, ref);
	}
	free(cells);
	return rc;
}

int we_struct_create(struct we_store *store, const struct we_deftype *type,
	const struct we_value *fields, uint32_t n_fields, struct we_value *ret_ref,
	struct we_error *err)
{
	if (type->kind != WE_COMP_STRUCT)
		return we_error_set(err, WE_E_INVALID, 0, "not a type of structures");
	if (n_fields != type->n_fields)
		return we_error_set(err, WE_E_INVALID, 0, "fields: expected %u, found %u",
			type->n_fields, n_fields);
	return make(store, type, fields, n_fields, ret_ref, err);
}

int we_array_create(struct we_store *store, const struct we_deftype *type,
	const struct we_value *elems, uint32_t len, struct we_value *ret_ref, struct we_error *err)
{
	if (type->kind != WE_COMP_ARRAY)
		return we_error_set(err, WE_E_INVALID, 0, "not a type of arrays");
	return make(store, type, elems, len, ret_ref, err);
}
