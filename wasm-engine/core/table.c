// SPDX-License-Identifier: BSD-3-Clause
// we_table: tables of references.
//
// Module path 4/6. Owns: the elements. Thread: the store's worker.
// Spec: core "Table Instances", "Table Instructions".
#include <stdlib.h>
#include <string.h>

#include "runtime.h"

int we_table_new(struct we_store *store, const struct we_tabletype *type, void *init,
	struct we_table **ret_table, struct we_error *err)
{
	const uint64_t limit = store->limits.table_elements;
	const uint64_t min = type->limits.min;
	struct we_table *table;

	if (min > limit)
		return we_error_set(err, WE_E_EXHAUSTED, 0,
			"table of %llu elements: the limit is %llu", (unsigned long long)min,
			(unsigned long long)limit);
	table = calloc(1, sizeof(*table));
	if (table == NULL)
		return we_error_set(err, WE_E_NOMEM, 0, "no memory for a table");
	table->elems = calloc(min > 0 ? min : 1, sizeof(void *));
	if (table->elems == NULL) {
		free(table);
		return we_error_set(err, WE_E_NOMEM, 0, "no memory for a table of %llu elements",
			(unsigned long long)min);
	}
	for (uint64_t i = 0; init != NULL && i < min; i++)
		table->elems[i] = init;
	table->size = min;
	table->cap = min > 0 ? min : 1;
	table->max = type->limits.max < limit ? type->limits.max : limit;
	table->type = *type;
	table->trace = we_valtype_trace(store->engine, type->elem);
	table->store = store;
	table->next = store->tables;
	store->tables = table;
	*ret_table = table;
	return 0;
}

void we_table_delete_newest(struct we_store *store)
{
	struct we_table *table = store->tables;

	store->tables = table->next;
	free(table->elems);
	free(table);
}

int we_table_create(struct we_store *store, enum we_kind elem, enum we_kind address, uint64_t min,
	uint64_t max, struct we_table **ret_table, struct we_error *err)
{
	const struct we_tabletype type = {.elem = we_kind_valtype(elem),
		.limits = {.min = min,
			.max = max,
			.has_max = max != UINT64_MAX,
			.is_64 = address == WE_I64}};

	return we_table_new(store, &type, NULL, ret_table, err);
}

uint64_t we_table_size(const struct we_table *table)
{
	return table->size;
}

int we_table_get(const struct we_table *table, uint64_t i, void **ret_ref)
{
	if (i >= table->size)
		return 1;
	*ret_ref = table->elems[i];
	return 0;
}

int we_table_set(struct we_table *table, uint64_t i, void *ref)
{
	if (i >= table->size)
		return 1;
	table->elems[i] = ref;
	return 0;
}

// Room for `size` elements, size <= max. Returns: 0, or 1 when the host is out of memory.
static int make_room(struct we_table *table, uint64_t size)
{
	uint64_t cap = table->cap * 2;
	void **elems;

	if (size <= table->cap)
		return 0;
	if (cap < size)
		cap = size;
	if (cap > table->max)
		cap = table->max;
	elems = realloc(table->elems, cap * sizeof(*elems));
	if (elems == NULL)
		return 1;
	table->elems = elems;
	table->cap = cap;
	return 0;
}

uint64_t we_table_grow(struct we_table *table, uint64_t delta, void *ref)
{
	const uint64_t old = table->size;

	if (old > table->max || delta > table->max - old || make_room(table, old + delta) != 0)
		return UINT64_MAX;
	for (uint64_t i = old; i < old + delta; i++)
		table->elems[i] = ref;
	table->size = old + delta;
	return old;
}

// Is [i, i + n) inside size?
static bool is_inside(uint64_t i, uint64_t n, uint64_t size)
{
	return n <= size && i <= size - n;
}

// Move elements in chunks, between which the interrupt word is looked at; from_end when the places
// overlap that way.
static enum we_trap move(
	struct we_table *dst, uint64_t d, void *const *src, uint64_t n, bool from_end)
{
	uint64_t done = 0;

	while (done < n) {
		const uint64_t left = n - done;
		const uint64_t chunk =
			left < WE_BULK_CHUNK_ELEMENTS ? left : WE_BULK_CHUNK_ELEMENTS;
		const uint64_t at = from_end ? left - chunk : done;

		if (we_store_is_interrupted(dst->store))
			return WE_TRAP_DEADLINE;
		memmove(dst->elems + d + at, src + at, chunk * sizeof(*src));
		done += chunk;
	}
	return WE_TRAP_NONE;
}

enum we_trap we_table_init(struct we_instance *inst, we_tableidx table, we_elemidx elem, uint64_t d,
	uint64_t s, uint64_t n)
{
	struct we_table *dst = inst->tables[table];
	const struct we_elem_inst *segment = &inst->elems[elem];

	if (!is_inside(s, n, segment->n) || !is_inside(d, n, dst->size))
		return WE_TRAP_TABLE_OUT_OF_BOUNDS;
	return n == 0 ? WE_TRAP_NONE : move(dst, d, segment->refs + s, n, false);
}

enum we_trap we_table_copy(
	struct we_table *dst, const struct we_table *src, uint64_t d, uint64_t s, uint64_t n)
{
	if (!is_inside(s, n, src->size) || !is_inside(d, n, dst->size))
		return WE_TRAP_TABLE_OUT_OF_BOUNDS;
	return move(dst, d, src->elems + s, n, dst == src && d > s);
}

enum we_trap we_table_fill(struct we_table *table, uint64_t i, void *ref, uint64_t n)
{
	if (!is_inside(i, n, table->size))
		return WE_TRAP_TABLE_OUT_OF_BOUNDS;
	for (uint64_t k = 0; k < n; k++) {
		if (k % WE_BULK_CHUNK_ELEMENTS == 0 && we_store_is_interrupted(table->store))
			return WE_TRAP_DEADLINE;
		table->elems[i + k] = ref;
	}
	return WE_TRAP_NONE;
}

void we_elem_drop(struct we_instance *inst, we_elemidx elem)
{
	inst->elems[elem].n = 0;
}
