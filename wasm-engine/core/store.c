// SPDX-License-Identifier: BSD-3-Clause
// we_store: creation and destruction, backtraces, deadlines.
//
// Module path 4/6. Owns: all that lives in it. Thread: the worker; we_store_entry and
// we_store_interrupt: any.
// Spec: core "Store".
#include <assert.h>
#include <stdlib.h>

#include "engine.h"
#include "instance.h"
#include "native.h"
#include "runtime.h"
#include "tier.h"

static uint64_t or_default(uint64_t value, uint64_t otherwise)
{
	return value != 0 ? value : otherwise;
}

static void fill_limits(struct we_store_limits *ret, const struct we_store_limits *asked)
{
	static const struct we_store_limits none;
	const struct we_store_limits *from = asked != NULL ? asked : &none;

	ret->memory_pages = or_default(from->memory_pages, WE_DEFAULT_MEMORY_PAGES);
	ret->memory_pages_precommit = from->memory_pages_precommit;
	ret->total_memory_pages =
		or_default(from->total_memory_pages, WE_DEFAULT_TOTAL_MEMORY_PAGES);
	ret->table_elements = or_default(from->table_elements, WE_DEFAULT_TABLE_ELEMENTS);
	if (ret->table_elements > WE_TABLE_HOST_MAX)
		ret->table_elements = WE_TABLE_HOST_MAX;
	ret->instances = (uint32_t)or_default(from->instances, WE_DEFAULT_INSTANCES);
	ret->stack_bytes = (uint32_t)or_default(from->stack_bytes, WE_DEFAULT_STACK_BYTES);
	ret->call_depth = (uint32_t)or_default(from->call_depth, WE_DEFAULT_CALL_DEPTH);
	ret->heap_bytes = or_default(from->heap_bytes, WE_DEFAULT_HEAP_BYTES);
	ret->heap_entry_bytes = from->heap_entry_bytes;
	ret->heap_entry_us = from->heap_entry_us;
}

int we_store_create(struct we_engine *engine, const struct we_store_limits *limits,
	struct we_store **ret_store, struct we_error *err)
{
	struct we_store *store = aligned_alloc(alignof(struct we_store), sizeof(*store));
	size_t n_slots;

	if (store == NULL)
		return we_error_set(err, WE_E_NOMEM, 0, "no memory for a store");
	*store = (struct we_store){.interrupt = UINT64_MAX, .tier = engine->tier, .engine = engine};
	store->native.rt = &we_native_rt;
	fill_limits(&store->limits, limits);
	store->has_heap_budget =
		store->limits.heap_entry_bytes > 0 || store->limits.heap_entry_us > 0;
	n_slots = store->limits.stack_bytes / sizeof(uint64_t);
	store->calls.stack = malloc((n_slots + 1) * sizeof(uint64_t));
	if (store->calls.stack == NULL) {
		free(store);
		return we_error_set(
			err, WE_E_NOMEM, 0, "no memory for a stack of %zu slots", n_slots);
	}
	store->calls.sp = store->calls.stack;
	store->calls.floor = store->calls.stack;
	store->calls.stack_end = store->calls.stack + n_slots;
	store->calls.max_depth = store->limits.call_depth;
	*ret_store = store;
	return 0;
}

// All that lives in the store but its memories.
static void let_go(struct we_store *store)
{
	while (store->instances != NULL)
		we_instance_delete_newest(store);
	while (store->tables != NULL)
		we_table_delete_newest(store);
	while (store->globals != NULL)
		we_global_delete_newest(store);
	while (store->tags != NULL)
		we_tag_delete_newest(store);
	while (store->roots != NULL)
		we_ref_drop(store->roots);
	we_heap_destroy(store->heap);
	store->heap = NULL;
	while (store->host_funcs != NULL) {
		struct we_func *next = store->host_funcs->next;

		free(store->host_funcs);
		store->host_funcs = next;
	}
}

void we_store_destroy(struct we_store *store)
{
	if (store == NULL)
		return;
	let_go(store);
	while (store->memories != NULL)
		we_memory_delete_newest(store);
	we_memory_delete_spare(store);
	free(store->calls.stack);
	free(store);
}

void we_store_reset(struct we_store *store)
{
	assert(store->entry == 0 && store->calls.n_entered == 0);
	let_go(store);
	while (store->memories != NULL)
		we_memory_spare_newest(store);
	store->exception = 0;
	store->n_frames = 0; // they name modules that may go
}

void we_store_set_interp(struct we_store *store, bool is_interp)
{
	assert(store->entry == 0 && store->calls.n_entered == 0);
	store->is_interp = is_interp;
	for (struct we_instance *inst = store->instances; inst != NULL; inst = inst->next) {
		if (is_interp)
			we_native_unbind(inst);
		else
			we_native_bind(inst);
	}
}

int we_store_make_heap(struct we_store *store, struct we_error *err)
{
	if (store->heap != NULL)
		return 0;
	return we_heap_create(&store->limits, store->engine->config.gc_stress, &store->heap, err);
}

struct we_engine *we_store_engine(const struct we_store *store)
{
	return store->engine;
}

uint64_t we_store_memory_bytes(const struct we_store *store)
{
	return store->total_pages * WE_PAGE_BYTES;
}

void we_store_add_frame(
	struct we_store *store, const struct we_module *module, we_funcidx func, uint32_t at)
{
	if (store->n_frames < WE_BACKTRACE_FRAMES)
		store->frames[store->n_frames++] = (struct we_trap_frame){module, func, at};
}

uint32_t we_store_backtrace(const struct we_store *store, struct we_frame *frames, uint32_t cap)
{
	const uint32_t n = store->n_frames < cap ? store->n_frames : cap;

	for (uint32_t i = 0; i < n; i++) {
		const struct we_trap_frame *from = &store->frames[i];

		frames[i] = (struct we_frame){.module = from->module,
			.func = from->func,
			.offset = from->module->file_offset + from->at,
			.name = from->module->is.funcs[from->func].name};
	}
	return n;
}

uint64_t we_store_entry(const struct we_store *store)
{
	return atomic_load_explicit(&store->entry, memory_order_relaxed);
}

void we_store_interrupt(struct we_store *store, uint64_t entry)
{
	if (entry == 0)
		return;
	atomic_store_explicit(&store->interrupt, entry, memory_order_relaxed);
	we_native_interrupt(store);
}

void we_store_collect(struct we_store *store)
{
	we_heap_collect(store);
}

void we_store_heap_stats(const struct we_store *store, struct we_heap_stats *ret)
{
	const struct we_heap *heap = store->heap;

	*ret = (struct we_heap_stats){0};
	if (heap == NULL)
		return;
	ret->live_bytes = heap->live_bytes;
	ret->used_bytes = heap->top;
	ret->limit_bytes = heap->limit_bytes;
	ret->allocated_bytes = we_heap_allocated_bytes(heap);
	ret->n_collections = heap->n_collections;
	ret->total_ns = heap->total_ns;
	ret->longest_ns = heap->longest_ns;
}
