// SPDX-License-Identifier: BSD-3-Clause
// we_value: see value.h. Calls, globals and tables by values.
//
// Module path 4/6.
#include "value.h"

#include <stdlib.h>
#include <string.h>

#include "aggregate.h"

enum {
	FEW_SLOTS = 64, // that need no allocation
	FEW_VALUES = 32
};

static bool is_packed(we_valtype type)
{
	return type == WE_T_I8 || type == WE_T_I16;
}

// ---- references ---------------------------------------------------------------------------------

// Can it be a reference of this store? Only what is plainly none is found out.
static bool is_of_heap(const struct we_store *store, uint64_t ref)
{
	if (ref > UINT32_MAX)
		return false;
	if (we_ref_is_i31((we_ref)ref))
		return true;
	return store->heap != NULL && ref >= WE_HEAP_FIRST && ref < store->heap->top &&
	       ref % 8 == 0;
}

struct we_object *we_value_object(const struct we_store *store, const struct we_value *ref)
{
	uint64_t cell = ref->of.ref;

	if (ref->kind == WE_EXTERNREF && (cell & WE_EXTERN_INTERNAL) != 0)
		cell &= ~WE_EXTERN_INTERNAL;
	else if (ref->kind != WE_ANYREF)
		return NULL;
	if (cell == 0 || we_ref_is_i31((we_ref)cell) || !is_of_heap(store, cell))
		return NULL;
	return we_heap_object(store->heap, (we_ref)cell);
}

// Is it a reference of its kind's hierarchy?
static bool is_of_kind(const struct we_store *store, const struct we_value *value)
{
	const uint64_t ref = value->of.ref;

	switch (value->kind) {
	case WE_EXTERNREF:
		return (ref & WE_EXTERN_INTERNAL) == 0 ||
		       is_of_heap(store, ref & ~WE_EXTERN_INTERNAL);
	case WE_ANYREF:
	case WE_EXNREF:
		if (!is_of_heap(store, ref))
			return false;
		return (we_ref_kind(store, value->kind, ref) == WE_REFKIND_EXN) ==
		       (value->kind == WE_EXNREF);
	default:
		return true;
	}
}

// What stands in a message for a reference that is not of the type.
static const char *describe(
	const struct we_store *store, const struct we_value *value, char *buf, size_t cap)
{
	const struct we_object *object;

	if (value->kind == WE_FUNCREF) {
		we_functype_print(value->of.func->type, buf, cap);
		return buf;
	}
	switch (we_ref_kind(store, value->kind, value->of.ref)) {
	case WE_REFKIND_HOST:
		return "a host's value";
	case WE_REFKIND_I31:
		return "an i31";
	case WE_REFKIND_EXN:
		return "an exception";
	default:
		object = we_value_object(store, value);
		return we_valtype_print(WE_T_REF | WE_T_INDEX | object->type, buf, cap);
	}
}

static int check_ref(const struct we_store *store, we_valtype type, const struct we_value *value,
	struct we_error *err)
{
	const bool is_null =
		value->kind == WE_FUNCREF ? value->of.func == NULL : value->of.ref == 0;
	const struct we_deftype *def = we_valtype_deftype(store->engine, type);
	const uint32_t what =
		(def != NULL ? 0 : type & 0xff) | (type & WE_T_NULL ? WE_TEST_NULL : 0);
	char want[32];
	char have[120];

	if (!is_null && value->kind == WE_FUNCREF && value->of.func->store != store)
		return we_error_set(err, WE_E_INVALID, 0, "a function of another store");
	if (!is_null && !is_of_kind(store, value))
		return we_error_set(err, WE_E_INVALID, 0, "no reference of this store");
	if (we_ref_test(store,
		    value->kind == WE_FUNCREF ? (uintptr_t)value->of.func : value->of.ref, what,
		    def))
		return 0;
	return we_error_set(err, WE_E_INVALID, 0, "type mismatch: expected %s, found %s",
		we_valtype_print(type, want, sizeof(want)),
		is_null ? "null" : describe(store, value, have, sizeof(have)));
}

// ---- values and slots ---------------------------------------------------------------------------

int we_value_to_slots(struct we_store *store, we_valtype type, const struct we_value *value,
	uint64_t *slots, struct we_error *err)
{
	const enum we_kind kind = is_packed(type) ? WE_I32 : we_valtype_kind(store->engine, type);
	uint32_t bits;
	char want[32];
	char have[32];
	int rc;

	if (value->kind != kind)
		return we_error_set(err, WE_E_INVALID, 0, "type mismatch: expected %s, found %s",
			we_valtype_print(type, want, sizeof(want)),
			we_valtype_print(we_kind_valtype(value->kind), have, sizeof(have)));
	switch (kind) {
	case WE_I32:
		slots[0] = (uint32_t)value->of.i32;
		return 0;
	case WE_I64:
		slots[0] = (uint64_t)value->of.i64;
		return 0;
	case WE_F32:
		memcpy(&bits, &value->of.f32, sizeof(bits));
		slots[0] = bits;
		return 0;
	case WE_F64:
		memcpy(slots, &value->of.f64, sizeof(value->of.f64));
		return 0;
	case WE_V128:
		memcpy(slots, value->of.v128, sizeof(value->of.v128));
		return 0;
	case WE_FUNCREF:
		rc = check_ref(store, type, value, err);
		if (rc == 0)
			slots[0] = (uintptr_t)value->of.func;
		return rc;
	case WE_EXTERNREF:
	case WE_ANYREF:
	case WE_EXNREF:
		rc = check_ref(store, type, value, err);
		if (rc == 0)
			slots[0] = value->of.ref;
		return rc;
	}
	return we_error_set(err, WE_E_INVALID, 0, "no kind of value: %u", (unsigned)kind);
}

void we_value_from_slots(const struct we_engine *engine, we_valtype type, const uint64_t *slots,
	struct we_value *ret)
{
	const uint32_t bits = (uint32_t)slots[0];

	ret->kind = is_packed(type) ? WE_I32 : we_valtype_kind(engine, type);
	switch (ret->kind) {
	case WE_I32:
		ret->of.i32 = (int32_t)bits;
		break;
	case WE_I64:
		ret->of.i64 = (int64_t)slots[0];
		break;
	case WE_F32:
		memcpy(&ret->of.f32, &bits, sizeof(bits));
		break;
	case WE_F64:
		memcpy(&ret->of.f64, slots, sizeof(ret->of.f64));
		break;
	case WE_V128:
		memcpy(ret->of.v128, slots, sizeof(ret->of.v128));
		break;
	case WE_FUNCREF:
		ret->of.func = (struct we_func *)(uintptr_t)slots[0];
		break;
	case WE_EXTERNREF:
	case WE_ANYREF:
	case WE_EXNREF:
		ret->of.ref = slots[0];
		break;
	}
}

int we_values_to_slots(struct we_store *store, const we_valtype *types, uint32_t n_types,
	const struct we_value *values, uint32_t n, const char *what, uint64_t *slots,
	struct we_error *err)
{
	if (n != n_types)
		return we_error_set(
			err, WE_E_INVALID, 0, "%ss: expected %u, found %u", what, n_types, n);
	for (uint32_t i = 0; i < n; i++) {
		const int rc = we_value_to_slots(store, types[i], &values[i], slots, err);

		if (rc < 0) {
			we_error_add(err, ", in %s %u", what, i);
			return rc;
		}
		slots += we_valtype_n_slots(types[i]);
	}
	return 0;
}

void we_values_from_slots(const struct we_engine *engine, const we_valtype *types, uint32_t n,
	const uint64_t *slots, struct we_value *ret)
{
	for (uint32_t i = 0; i < n; i++) {
		we_value_from_slots(engine, types[i], slots, &ret[i]);
		slots += we_valtype_n_slots(types[i]);
	}
}

// ---- calls --------------------------------------------------------------------------------------

int we_func_call_values(struct we_func *func, const struct we_value *args, uint32_t n_args,
	struct we_value *results, uint32_t n_results, struct we_error *err)
{
	const struct we_functype *type = func->type;
	const uint32_t n_slots = we_functype_n_slots(type);
	uint64_t few[FEW_SLOTS];
	uint64_t *slots = few;
	int rc;

	if (n_results != type->n_results)
		return we_error_set(err, WE_E_INVALID, 0, "results: expected %u, found %u",
			type->n_results, n_results);
	if (n_slots > FEW_SLOTS)
		slots = malloc(n_slots * sizeof(*slots));
	if (slots == NULL)
		return we_error_set(err, WE_E_NOMEM, 0, "no memory for a call");
	rc = we_values_to_slots(func->store, we_functype_params(type), type->n_params, args, n_args,
		"argument", slots, err);
	if (rc == 0)
		rc = we_func_call(func, slots, err);
	if (rc == 0)
		we_values_from_slots(func->store->engine, we_functype_results(type),
			type->n_results, slots, results);
	if (slots != few)
		free(slots);
	return rc;
}

// A function of the host that is called by values. Invariant: func.env is this structure.
struct values_func {
	struct we_func func; // first: the store frees it
	we_host_values_fn fn;
	void *env;
};

static int call_host(void *env, uint64_t *slots, struct we_error *err)
{
	static const uint64_t zero[2];
	struct values_func *f = env;
	const struct we_functype *type = f->func.type;
	const struct we_engine *engine = f->func.store->engine;
	const size_t n = (size_t)type->n_params + type->n_results;
	struct we_value few[FEW_VALUES];
	struct we_value *args = few;
	struct we_value *results;
	int rc;

	if (n > FEW_VALUES)
		args = malloc(n * sizeof(*args));
	if (args == NULL)
		return we_error_set(err, WE_E_NOMEM, 0, "no memory for a call");
	results = args + type->n_params;
	we_values_from_slots(engine, we_functype_params(type), type->n_params, slots, args);
	for (uint32_t i = 0; i < type->n_results; i++)
		we_value_from_slots(engine, we_functype_results(type)[i], zero, &results[i]);
	rc = f->fn(f->env, args, results, err);
	if (rc >= 0)
		rc = we_values_to_slots(f->func.store, we_functype_results(type), type->n_results,
			results, type->n_results, "result", slots, err);
	if (args != few)
		free(args);
	return rc;
}

int we_func_create_host_values(struct we_store *store, const struct we_functype *type,
	we_host_values_fn fn, void *env, struct we_func **ret_func, struct we_error *err)
{
	struct values_func *f = calloc(1, sizeof(*f));

	if (f == NULL)
		return we_error_set(err, WE_E_NOMEM, 0, "no memory for a host function");
	f->fn = fn;
	f->env = env;
	we_func_init_host(&f->func, store, type, call_host, f);
	*ret_func = &f->func;
	return 0;
}

// ---- globals and tables -------------------------------------------------------------------------

void we_global_get_value(const struct we_global *global, struct we_value *ret_value)
{
	we_value_from_slots(global->store->engine, global->type.val, global->cell, ret_value);
}

int we_global_set_value(
	struct we_global *global, const struct we_value *value, struct we_error *err)
{
	if (!global->type.mut)
		return we_error_set(err, WE_E_INVALID, 0, "immutable global");
	return we_value_to_slots(global->store, global->type.val, value, global->cell, err);
}

// An element as it lies in a table.
static int to_elem(
	struct we_table *table, const struct we_value *value, void **ret_elem, struct we_error *err)
{
	uint64_t slot;
	const int rc = we_value_to_slots(table->store, table->type.elem, value, &slot, err);

	if (rc == 0)
		*ret_elem = (void *)(uintptr_t)slot;
	return rc;
}

int we_table_get_value(const struct we_table *table, uint64_t i, struct we_value *ret_value)
{
	uint64_t slots[2] = {0}; // no vector is in a table, which gcc cannot see

	if (i >= table->size)
		return 1;
	slots[0] = (uintptr_t)table->elems[i];
	we_value_from_slots(table->store->engine, table->type.elem, slots, ret_value);
	return 0;
}

int we_table_set_value(
	struct we_table *table, uint64_t i, const struct we_value *value, struct we_error *err)
{
	void *elem = NULL;
	const int rc = to_elem(table, value, &elem, err);

	return rc < 0 ? rc : we_table_set(table, i, elem);
}

int we_table_grow_value(struct we_table *table, uint64_t delta, const struct we_value *value,
	uint64_t *ret_old_size, struct we_error *err)
{
	uint64_t old;
	void *elem = NULL;
	const int rc = to_elem(table, value, &elem, err);

	if (rc < 0)
		return rc;
	old = we_table_grow(table, delta, elem);
	if (old == UINT64_MAX)
		return 1;
	*ret_old_size = old;
	return 0;
}

// ---- exceptions ---------------------------------------------------------------------------------

int we_throw_values(struct we_store *store, const struct we_tag *tag, const struct we_value *args,
	uint32_t n_args, struct we_error *err)
{
	const struct we_functype *type = tag->type;
	uint64_t few[FEW_SLOTS];
	uint64_t *slots = few;
	int rc;

	if (type->n_param_slots > FEW_SLOTS)
		slots = malloc(type->n_param_slots * sizeof(*slots));
	if (slots == NULL)
		return we_error_set(err, WE_E_NOMEM, 0, "no memory for an exception");
	rc = we_values_to_slots(store, we_functype_params(type), type->n_params, args, n_args,
		"argument", slots, err);
	if (rc == 0)
		rc = we_throw(store, tag, slots, err);
	if (slots != few)
		free(slots);
	return rc;
}

int we_exn_arg(const struct we_store *store, uint64_t exn, uint32_t i, struct we_value *ret_value)
{
	const struct we_exn *object =
		(const struct we_exn *)(const void *)we_heap_object(store->heap, (we_ref)exn);
	const struct we_functype *type = object->tag->type;
	const uint64_t *slots = object->args;

	if (i >= type->n_params)
		return 1;
	for (uint32_t k = 0; k < i; k++)
		slots += we_valtype_n_slots(we_functype_params(type)[k]);
	we_value_from_slots(store->engine, we_functype_params(type)[i], slots, ret_value);
	return 0;
}
