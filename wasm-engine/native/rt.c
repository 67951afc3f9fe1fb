// SPDX-License-Identifier: BSD-3-Clause
// we_native_rt: what generated code calls. The work is done by core; a trap is raised at the place that has called.
//
// Module path 3/6. Owns: nothing. Thread: the store's worker.
#include "aggregate.h"
#include "backtrace.h"
#include "enter.h"

#define LIKELY(x)   __builtin_expect(!!(x), 1)
#define UNLIKELY(x) __builtin_expect(!!(x), 0)

static void check(struct we_instance *inst, enum we_trap found)
{
	if (UNLIKELY(found != WE_TRAP_NONE))
		we_native_raise(inst->store, found, 0);
}

static const struct we_deftype *type_of(const struct we_instance *inst, we_typeidx type)
{
	return inst->defs[type];
}

static enum we_storage storage_of(const struct we_instance *inst, we_typeidx type)
{
	return (enum we_storage)inst->defs[type]->fields[0].storage;
}

// ---- leaving ------------------------------------------------------------------------------------

static void rt_trap(struct we_instance *inst, uint32_t trap, uint32_t at)
{
	we_native_raise(inst->store, (enum we_trap)trap, at);
}

#define rt_due we_native_due // its last look is in a window

static uint32_t rt_host_failed(struct we_instance *inst, uint32_t rc)
{
	struct we_store *store = inst->store;

	if (!we_store_has_thrown(store, (int)rc))
		we_native_fail(store, (int)rc);
	if (store->n_frames == 0)
		we_native_note_place(store);
	return 1;
}

// ---- memories and tables ------------------------------------------------------------------------

static uint64_t rt_memory_grow(struct we_instance *inst, uint32_t mem, uint64_t delta)
{
	uint64_t old;

	return we_memory_grow(inst->mems[mem], delta, &old) == 0 ? old : UINT64_MAX;
}

static void rt_memory_init(
	struct we_instance *inst, uint32_t mem, uint32_t data, uint64_t d, uint64_t s, uint64_t n)
{
	check(inst, we_memory_init(inst, mem, data, d, s, n));
}

static void rt_memory_copy(
	struct we_instance *inst, uint32_t dst, uint32_t src, uint64_t d, uint64_t s, uint64_t n)
{
	check(inst, we_memory_copy(inst->mems[dst], inst->mems[src], d, s, n));
}

static void rt_memory_fill(
	struct we_instance *inst, uint32_t mem, uint64_t d, uint32_t value, uint64_t n)
{
	check(inst, we_memory_fill(inst->mems[mem], d, (uint8_t)value, n));
}

static void rt_data_drop(struct we_instance *inst, uint32_t data)
{
	we_data_drop(inst, data);
}

static void rt_elem_drop(struct we_instance *inst, uint32_t elem)
{
	we_elem_drop(inst, elem);
}

static uint64_t rt_table_grow(
	struct we_instance *inst, uint32_t table, uint64_t delta, uint64_t ref)
{
	return we_table_grow(inst->tables[table], delta, (void *)(uintptr_t)ref);
}

static void rt_table_init(
	struct we_instance *inst, uint32_t table, uint32_t elem, uint64_t d, uint64_t s, uint64_t n)
{
	check(inst, we_table_init(inst, table, elem, d, s, n));
}

static void rt_table_copy(
	struct we_instance *inst, uint32_t dst, uint32_t src, uint64_t d, uint64_t s, uint64_t n)
{
	check(inst, we_table_copy(inst->tables[dst], inst->tables[src], d, s, n));
}

static void rt_table_fill(
	struct we_instance *inst, uint32_t table, uint64_t i, uint64_t ref, uint64_t n)
{
	check(inst, we_table_fill(inst->tables[table], i, (void *)(uintptr_t)ref, n));
}

// ---- objects ------------------------------------------------------------------------------------

static uint32_t rt_alloc(struct we_instance *inst, uint64_t n)
{
	we_ref ref = 0;

	check(inst, we_heap_alloc(inst->store, inst->store->heap, n, &ref));
	return ref;
}

static uint32_t rt_array_new(struct we_instance *inst, uint32_t type, void *slots, uint32_t len)
{
	we_ref ref = 0;

	check(inst, we_array_new(inst->store, type_of(inst, type), slots, len, &ref));
	return ref;
}

static uint32_t rt_array_new_data(
	struct we_instance *inst, uint32_t type, uint32_t data, uint32_t s, uint32_t len)
{
	we_ref ref = 0;

	check(inst, we_array_new_data(inst, type_of(inst, type), data, s, len, &ref));
	return ref;
}

static uint32_t rt_array_new_elem(
	struct we_instance *inst, uint32_t type, uint32_t elem, uint32_t s, uint32_t len)
{
	we_ref ref = 0;

	check(inst, we_array_new_elem(inst, type_of(inst, type), elem, s, len, &ref));
	return ref;
}

static uint32_t rt_any_convert_extern(struct we_instance *inst, uint64_t external)
{
	uint64_t any = 0;

	check(inst, we_any_convert_extern(inst->store, external, &any));
	return (uint32_t)any;
}

static uint64_t rt_extern_convert_any(struct we_instance *inst, uint32_t any)
{
	return we_extern_convert_any(inst->store, any);
}

static void rt_array_fill(struct we_instance *inst, uint32_t type, uint32_t array, uint32_t i,
	void *slots, uint32_t n)
{
	check(inst, we_array_fill(inst->store, storage_of(inst, type), array, i, slots, n));
}

static void rt_array_copy(struct we_instance *inst, uint32_t type, uint32_t dst, uint32_t d,
	uint32_t src, uint32_t s, uint32_t n)
{
	check(inst, we_array_copy(inst->store, storage_of(inst, type), dst, d, src, s, n));
}

static void rt_array_init_data(struct we_instance *inst, uint32_t type, uint32_t array, uint32_t d,
	uint32_t data, uint32_t s, uint32_t n)
{
	check(inst, we_array_init_data(inst, storage_of(inst, type), array, d, data, s, n));
}

static void rt_array_init_elem(struct we_instance *inst, uint32_t type, uint32_t array, uint32_t d,
	uint32_t elem, uint32_t s, uint32_t n)
{
	check(inst, we_array_init_elem(inst, storage_of(inst, type), array, d, elem, s, n));
}

static uint32_t rt_ref_test(struct we_instance *inst, uint64_t value, uint32_t what, uint32_t type)
{
	return we_ref_test(
		inst->store, value, what, (what & 0xff) == 0 ? type_of(inst, type) : NULL);
}

const struct we_native_rt we_native_rt = {
#define WE_RT(name, ret, ...) .name = rt_##name,
#include "native_rt.def"
#undef WE_RT
};
