// SPDX-License-Identifier: BSD-3-Clause
// we_native_publish: see publish.h. Binding, which is the other end of it.
//
// Module path 3/6.
#include "publish.h"

#include "engine.h"
#include "native.h"
#include "offsets.h"
#include "perf.h"
#include "runtime.h"

#include <stddef.h>

static int check_fit(
	const struct we_module *module, const struct we_image *image, struct we_error *err)
{
	const struct we_image_header *h = &image->header;
	const struct we_module_spaces *is = &module->is;

	if (h->first_func < is->n_imported_funcs || h->first_func > is->n_funcs ||
		h->n_funcs > is->n_funcs - h->first_func)
		return we_error_set(err, WE_E_INVALID, offsetof(struct we_image_header, first_func),
			"image: functions: expected within %u to %u, found %u to %u",
			is->n_imported_funcs, is->n_funcs, h->first_func,
			h->first_func + h->n_funcs);
	return 0;
}

int we_native_publish(struct we_module *module, struct we_image *image, struct we_error *err)
{
	struct we_engine *engine = module->engine;
	_Atomic(struct we_image *) *at;
	int rc = check_fit(module, image, err);

	if (rc == 0)
		rc = we_process_prepare(err);
	if (rc < 0)
		return rc;
	image->module = module;
	we_perf_add(module, image);
	pthread_mutex_lock(&engine->lock); // of those who publish
	for (at = &module->images; *at != NULL; at = &(*at)->next)
		;
	atomic_store_explicit(at, image, memory_order_release);
	atomic_fetch_add_explicit(&engine->native_generation, 1, memory_order_release);
	pthread_mutex_unlock(&engine->lock);
	return 0;
}

void we_native_release(struct we_module *module)
{
	struct we_image *image = module->images;

	while (image != NULL) {
		struct we_image *next = image->next;

		we_perf_remove(image);
		we_image_release(image);
		image = next;
	}
	module->images = NULL;
}

// ---- binding ------------------------------------------------------------------------------------

// Does whatever a 32-bit address reaches beyond a memory fault? Not what was made accessible ahead.
static bool has_reach(const struct we_instance *inst)
{
	for (we_memidx i = 0; i < inst->module->is.n_mems; i++) {
		const struct we_memory *memory = inst->mems[i];

		if (!memory->type.limits.is_64 &&
			(!we_memory_has_reach(memory) ||
				memory->committed_bytes > memory->size_bytes))
			return false;
	}
	return true;
}

static void *code_at(const struct we_image *image, uint32_t offset)
{
	return (void *)(uintptr_t)(image->code + offset);
}

// Where in a page the slots of a call may begin so that all integer registers can be loaded from them, however few they are;
// 0: a call takes more than loading these and storing one result.
static uint16_t direct_end(const struct we_functype *type)
{
	const uint32_t n = type->n_params + type->n_results;

	if (n == 0 || type->n_params > WE_ABI_INTS - 1 || type->n_results > 1)
		return 0;
	for (uint32_t i = 0; i < n; i++) {
		if (type->types[i] != WE_T_I32 && type->types[i] != WE_T_I64)
			return 0;
	}
	return WE_HOST_PAGE_BYTES - (WE_ABI_INTS - 1) * 8 + 1;
}

static void bind_image(struct we_instance *inst, const struct we_image *image)
{
	const uint32_t first = image->header.first_func - inst->module->is.n_imported_funcs;

	for (uint32_t i = 0; i < image->header.n_funcs; i++) {
		const struct we_image_func *from = &image->funcs[i];
		struct we_func *func = &inst->own_funcs[first + i];

		if (from->entry == 0)
			continue;
		func->entry = code_at(image, from->entry);
		func->enter = from->enter != 0 ? code_at(image, from->enter) : NULL;
		func->direct_end = func->enter != NULL ? direct_end(func->type) : 0;
		func->direct_more = func->type->n_params > 2;
		func->direct_result = func->type->n_results > 0;
	}
}

void we_native_bind(struct we_instance *inst)
{
	const struct we_image *image;

	if (inst->store->is_interp)
		return;
	image = atomic_load_explicit(
		inst->image != NULL ? &inst->image->next : &inst->module->images,
		memory_order_acquire);
	for (; image != NULL; image = atomic_load_explicit(&image->next, memory_order_acquire)) {
		if (image->header.needs_reach == 0 || has_reach(inst))
			bind_image(inst, image);
		inst->image = image;
	}
}

void we_native_unbind(struct we_instance *inst)
{
	const uint32_t n = inst->module->is.n_funcs - inst->module->is.n_imported_funcs;

	for (uint32_t i = 0; i < n; i++) {
		inst->own_funcs[i].entry = (void *)(uintptr_t)we_native_generic;
		inst->own_funcs[i].enter = NULL;
		inst->own_funcs[i].direct_end = 0;
	}
	inst->image = NULL;
}

void we_native_bind_store(struct we_store *store)
{
	// First: what is published while this runs is taken up the next time.
	store->native.generation =
		atomic_load_explicit(&store->engine->native_generation, memory_order_acquire);
	for (struct we_instance *inst = store->instances; inst != NULL; inst = inst->next)
		we_native_bind(inst);
}
