// SPDX-License-Identifier: BSD-3-Clause
// we_instance: linking, instantiation, exports.
//
// Module path 4/6. Owns: the arrays of the instance; memories, tables and globals go to the store.
// Thread: the store's worker.
// Spec: core "External Typing", "Import Matching", "Instantiation".
#include "instance.h"

#include <stdlib.h>

#include "const_expr.h"
#include "feature.h"
#include "native.h"
#include "validate.h"

// Modules that use these may make objects.
#define NEEDS_HEAP (UINT64_C(1) << WE_FEATURE_GC | UINT64_C(1) << WE_FEATURE_EXCEPTIONS)

const struct we_store *we_extern_store(const struct we_extern *ext)
{
	switch (ext->kind) {
	case WE_EXTERN_FUNC:
		return ext->of.func->store;
	case WE_EXTERN_TABLE:
		return ext->of.table->store;
	case WE_EXTERN_MEMORY:
		return ext->of.memory->store;
	case WE_EXTERN_GLOBAL:
		return ext->of.global->store;
	case WE_EXTERN_TAG:
		return ext->of.tag->store;
	}
	return NULL;
}

void we_extern_type(const struct we_extern *ext, struct we_externtype *ret)
{
	*ret = (struct we_externtype){.kind = ext->kind, .engine = we_extern_store(ext)->engine};
	switch (ext->kind) {
	case WE_EXTERN_FUNC:
		ret->func = ext->of.func->type;
		break;
	case WE_EXTERN_TABLE:
		ret->val = ext->of.table->type.elem;
		ret->is_64 = ext->of.table->type.limits.is_64;
		ret->has_max = ext->of.table->type.limits.has_max;
		ret->min = ext->of.table->size;
		ret->max = ext->of.table->type.limits.max;
		break;
	case WE_EXTERN_MEMORY:
		ret->is_64 = ext->of.memory->type.limits.is_64;
		ret->has_max = ext->of.memory->type.limits.has_max;
		ret->min = ext->of.memory->size_bytes / WE_PAGE_BYTES;
		ret->max = ext->of.memory->type.limits.max;
		break;
	case WE_EXTERN_GLOBAL:
		ret->val = ext->of.global->type.val;
		ret->mut = ext->of.global->type.mut;
		break;
	case WE_EXTERN_TAG:
		ret->func = ext->of.tag->type;
		break;
	}
}

// ---- linking ------------------------------------------------------------------------------------

static int check_import(const struct we_store *store, const struct we_module *module, uint32_t i,
	const struct we_extern *ext, struct we_error *err)
{
	const uint64_t at = module->file_offset + module->imports[i].at;
	struct we_externtype have;
	struct we_import want;
	char have_text[80];
	char want_text[80];

	we_module_import(module, i, &want);
	if (ext == NULL || ext->of.func == NULL)
		return we_error_set(err, WE_E_UNLINKABLE, at, "unknown import \"%.*s\" \"%.*s\"",
			(int)want.module.len, (const char *)want.module.data, (int)want.name.len,
			(const char *)want.name.data);
	if (we_extern_store(ext) != store)
		return we_error_set(err, WE_E_UNLINKABLE, at,
			"import \"%.*s\" \"%.*s\" lives in another store", (int)want.module.len,
			(const char *)want.module.data, (int)want.name.len,
			(const char *)want.name.data);
	we_extern_type(ext, &have);
	if (we_externtype_matches(&have, &want.type))
		return 0;
	we_externtype_print(&have, have_text, sizeof(have_text));
	we_externtype_print(&want.type, want_text, sizeof(want_text));
	return we_error_set(err, WE_E_UNLINKABLE, at,
		"incompatible import type: \"%.*s\" \"%.*s\": expected %s, found %s",
		(int)want.module.len, (const char *)want.module.data, (int)want.name.len,
		(const char *)want.name.data, want_text, have_text);
}

static int check_imports(const struct we_store *store, const struct we_module *module,
	const struct we_extern *imports, uint32_t n_imports, struct we_error *err)
{
	int rc = 0;

	for (uint32_t i = 0; rc == 0 && i < module->n_imports; i++)
		rc = check_import(store, module, i, i < n_imports ? &imports[i] : NULL, err);
	return rc;
}

static void take_imports(struct we_instance *inst, const struct we_extern *imports)
{
	const struct we_module *module = inst->module;

	for (uint32_t i = 0; i < module->n_imports; i++) {
		const uint32_t idx = module->imports[i].idx;

		switch (module->imports[i].kind) {
		case WE_EXTERN_FUNC:
			inst->funcs[idx] = imports[i].of.func;
			break;
		case WE_EXTERN_TABLE:
			inst->tables[idx] = imports[i].of.table;
			break;
		case WE_EXTERN_MEMORY:
			inst->mems[idx] = imports[i].of.memory;
			break;
		case WE_EXTERN_GLOBAL:
			inst->globals[idx] = imports[i].of.global;
			break;
		case WE_EXTERN_TAG:
			inst->tags[idx] = imports[i].of.tag;
			break;
		}
	}
}

// ---- allocation: nothing that a guest could see happens here ------------------------------------

static int alloc_instance(struct we_store *store, struct we_module *module,
	struct we_instance **ret, struct we_error *err)
{
	const struct we_module_spaces *is = &module->is;
	const uint32_t n_own = is->n_funcs - is->n_imported_funcs;
	struct we_instance *inst = calloc(1, sizeof(*inst));

	if (inst == NULL)
		return we_error_set(err, WE_E_NOMEM, 0, "no memory for an instance");
	inst->funcs = we_arena_array(&inst->arena, is->n_funcs, sizeof(*inst->funcs));
	inst->own_funcs = we_arena_array(&inst->arena, n_own, sizeof(*inst->own_funcs));
	inst->tables = we_arena_array(&inst->arena, is->n_tables, sizeof(*inst->tables));
	inst->mems = we_arena_array(&inst->arena, is->n_mems, sizeof(*inst->mems));
	inst->globals = we_arena_array(&inst->arena, is->n_globals, sizeof(*inst->globals));
	inst->tags = we_arena_array(&inst->arena, is->n_tags, sizeof(*inst->tags));
	inst->elems = we_arena_array(&inst->arena, is->n_elems, sizeof(*inst->elems));
	inst->datas = we_arena_array(&inst->arena, is->n_datas, sizeof(*inst->datas));
	if (inst->funcs == NULL || inst->own_funcs == NULL || inst->tables == NULL ||
		inst->mems == NULL || inst->globals == NULL || inst->tags == NULL ||
		inst->elems == NULL || inst->datas == NULL) {
		we_arena_fini(&inst->arena);
		free(inst);
		return we_error_set(err, WE_E_NOMEM, 0, "no memory for an instance");
	}
	inst->store = store;
	inst->module = we_module_ref(module);
	inst->mem0 = &we_memory_none;
	inst->defs = module->defs;
	inst->next = store->instances;
	store->instances = inst;
	store->n_instances++;
	*ret = inst;
	return 0;
}

void we_instance_delete_newest(struct we_store *store)
{
	struct we_instance *inst = store->instances;

	store->instances = inst->next;
	store->n_instances--;
	we_module_unref(inst->module);
	we_arena_fini(&inst->arena);
	free(inst);
}

static void make_funcs(struct we_instance *inst)
{
	const struct we_module_spaces *is = &inst->module->is;

	for (we_funcidx i = is->n_imported_funcs; i < is->n_funcs; i++) {
		struct we_func *func = &inst->own_funcs[i - is->n_imported_funcs];

		func->kind = WE_FUNC_WASM;
		func->idx = i;
		func->type = is->funcs[i].type;
		func->code = is->funcs[i].code;
		func->instance = inst;
		func->store = inst->store;
		func->entry = (void *)(uintptr_t)we_native_generic;
		inst->funcs[i] = func;
	}
}

static int make_globals(struct we_instance *inst, struct we_vec *stack, struct we_error *err)
{
	const struct we_module_spaces *is = &inst->module->is;
	int rc = 0;

	for (we_globalidx i = is->n_imported_globals; rc == 0 && i < is->n_globals; i++) {
		struct we_cell cell;

		rc = we_const_eval(inst, &is->globals[i].init, stack, &cell, err);
		if (rc == 0)
			rc = we_global_new(inst->store, &is->globals[i].type, cell.slot,
				&inst->globals[i], err);
	}
	return rc;
}

static int make_table(
	struct we_instance *inst, we_tableidx i, struct we_vec *stack, struct we_error *err)
{
	const struct we_table_def *table = &inst->module->is.tables[i];
	struct we_cell cell = {{0, 0}, WE_TRACE_NONE};
	int rc = 0;

	if (table->has_init)
		rc = we_const_eval(inst, &table->init, stack, &cell, err);
	if (rc == 0)
		rc = we_table_new(inst->store, &table->type, (void *)(uintptr_t)cell.slot[0],
			&inst->tables[i], err);
	return rc;
}

static int make_tags(struct we_instance *inst, struct we_error *err)
{
	const struct we_module_spaces *is = &inst->module->is;
	int rc = 0;

	for (we_tagidx i = is->n_imported_tags; rc == 0 && i < is->n_tags; i++)
		rc = we_tag_create(inst->store, is->tags[i].type, &inst->tags[i], err);
	return rc;
}

static int make_elem(struct we_instance *inst, const struct we_elem_def *elem,
	struct we_elem_inst *ret, struct we_vec *stack, struct we_error *err)
{
	int rc = 0;

	if (elem->mode == WE_ELEM_DECLARATIVE)
		return 0;
	ret->refs = we_arena_array(&inst->arena, elem->n, sizeof(*ret->refs));
	if (ret->refs == NULL)
		return we_error_set(err, WE_E_NOMEM, 0, "no memory for an element segment");
	ret->n = elem->n; // null so far, and among the roots
	for (uint32_t i = 0; rc == 0 && i < elem->n; i++) {
		struct we_cell cell;

		if (elem->funcs != NULL) {
			ret->refs[i] = inst->funcs[elem->funcs[i]];
			continue;
		}
		rc = we_const_eval(inst, &elem->exprs[i], stack, &cell, err);
		if (rc == 0)
			ret->refs[i] = (void *)(uintptr_t)cell.slot[0];
	}
	return rc;
}

static int make_all(struct we_instance *inst, struct we_vec *stack, struct we_error *err)
{
	const struct we_module_spaces *is = &inst->module->is;
	struct we_store *store = inst->store;
	int rc = 0;

	make_funcs(inst);
	rc = make_tags(inst, err);
	for (we_memidx i = is->n_imported_mems; rc == 0 && i < is->n_mems; i++)
		rc = we_memory_new(store, &is->mems[i].type, &inst->mems[i], err);
	rc = rc == 0 ? make_globals(inst, stack, err) : rc;
	for (we_tableidx i = is->n_imported_tables; rc == 0 && i < is->n_tables; i++)
		rc = make_table(inst, i, stack, err);
	for (we_elemidx i = 0; rc == 0 && i < is->n_elems; i++)
		rc = make_elem(inst, &is->elems[i], &inst->elems[i], stack, err);
	for (we_dataidx i = 0; rc == 0 && i < is->n_datas; i++) {
		inst->datas[i].data = is->datas[i].bytes.data;
		inst->datas[i].len = (uint32_t)is->datas[i].bytes.len;
	}
	if (rc == 0 && is->n_mems > 0) {
		inst->mem0 = inst->mems[0];
		inst->mem0_base = inst->mem0->base;
	}
	if (rc == 0)
		we_native_bind(inst);
	return rc;
}

// ---- initialization: from here on, what is done stays done --------------------------------------

static int run_elem(
	struct we_instance *inst, we_elemidx i, struct we_vec *stack, struct we_error *err)
{
	const struct we_elem_def *elem = &inst->module->is.elems[i];
	struct we_cell offset;
	enum we_trap trap;
	int rc;

	if (elem->mode != WE_ELEM_ACTIVE)
		return 0;
	rc = we_const_eval(inst, &elem->offset, stack, &offset, err);
	if (rc < 0)
		return rc;
	trap = we_table_init(inst, elem->table, i, offset.slot[0], 0, elem->n);
	we_elem_drop(inst, i);
	if (trap == WE_TRAP_NONE)
		return 0;
	return we_error_trap(err, trap, inst->module->file_offset + elem->at, WE_NO_FUNC,
		"element segment %u", i);
}

static int run_data(
	struct we_instance *inst, we_dataidx i, struct we_vec *stack, struct we_error *err)
{
	const struct we_data_def *data = &inst->module->is.datas[i];
	struct we_cell offset;
	enum we_trap trap;
	int rc;

	if (data->mode != WE_DATA_ACTIVE)
		return 0;
	rc = we_const_eval(inst, &data->offset, stack, &offset, err);
	if (rc < 0)
		return rc;
	trap = we_memory_init(inst, data->mem, i, offset.slot[0], 0, data->bytes.len);
	we_data_drop(inst, i);
	if (trap == WE_TRAP_NONE)
		return 0;
	return we_error_trap(
		err, trap, inst->module->file_offset + data->at, WE_NO_FUNC, "data segment %u", i);
}

static int run_all(struct we_instance *inst, struct we_vec *stack, struct we_error *err)
{
	const struct we_module *module = inst->module;
	uint64_t none[1];
	int rc = 0;

	for (we_elemidx i = 0; rc == 0 && i < module->is.n_elems; i++)
		rc = run_elem(inst, i, stack, err);
	for (we_dataidx i = 0; rc == 0 && i < module->is.n_datas; i++)
		rc = run_data(inst, i, stack, err);
	if (rc == 0 && module->has_start)
		rc = we_func_call(inst->funcs[module->start], none, err);
	return rc;
}

int we_instance_create(struct we_store *store, struct we_module *module,
	const struct we_extern *imports, uint32_t n_imports, struct we_instance **ret_instance,
	struct we_error *err)
{
	const struct we_memory *memories = store->memories; // to come back to
	const struct we_table *tables = store->tables;
	const struct we_global *globals = store->globals;
	const struct we_tag *tags = store->tags;
	struct we_vec stack = {0};
	struct we_instance *inst = NULL;
	int rc = check_imports(store, module, imports, n_imports, err);

	if (rc == 0 && store->n_instances >= store->limits.instances)
		rc = we_error_set(err, WE_E_EXHAUSTED, 0, "more than %u instances in a store",
			store->limits.instances);
	if (rc == 0 && (module->features & NEEDS_HEAP) != 0)
		rc = we_store_make_heap(store, err);
	if (rc == 0)
		rc = alloc_instance(store, module, &inst, err);
	if (rc < 0)
		return rc;
	take_imports(inst, imports);
	rc = make_all(inst, &stack, err);
	if (rc < 0) {
		while (store->memories != memories)
			we_memory_delete_newest(store);
		while (store->tables != tables)
			we_table_delete_newest(store);
		while (store->globals != globals)
			we_global_delete_newest(store);
		while (store->tags != tags)
			we_tag_delete_newest(store);
		we_instance_delete_newest(store);
	} else {
		rc = run_all(inst, &stack, err);
	}
	we_vec_fini(&stack);
	if (rc == 0)
		*ret_instance = inst;
	return rc;
}

void we_instance_extern(
	const struct we_instance *inst, const struct we_export_def *export, struct we_extern *ret)
{
	ret->kind = export->kind;
	switch (export->kind) {
	case WE_EXTERN_FUNC:
		ret->of.func = inst->funcs[export->idx];
		break;
	case WE_EXTERN_TABLE:
		ret->of.table = inst->tables[export->idx];
		break;
	case WE_EXTERN_MEMORY:
		ret->of.memory = inst->mems[export->idx];
		break;
	case WE_EXTERN_GLOBAL:
		ret->of.global = inst->globals[export->idx];
		break;
	case WE_EXTERN_TAG:
		ret->of.tag = inst->tags[export->idx];
		break;
	}
}

int we_instance_export(const struct we_instance *inst, const char *name, size_t name_len,
	struct we_extern *ret_extern)
{
	const struct we_export_def *export = we_module_find_export(inst->module, name, name_len);

	if (export == NULL)
		return 1;
	we_instance_extern(inst, export, ret_extern);
	return 0;
}
