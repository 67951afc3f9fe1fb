// SPDX-License-Identifier: BSD-3-Clause
// we_module_validate: see validate.h.
//
// Module path 2/6. One function per kind of definition, in the order of the specification.
// Spec: core "Modules" (validation).
#include "validate.h"

#include <stdlib.h>
#include <string.h>

#include "engine.h"
#include "limits.h"
#include "validate_body.h"

struct validator {
	struct we_module *module;
	struct we_module_spaces *is; // module->is
	struct we_body_scratch scratch;
	struct we_error *err;
};

// Offset in the file of a position in the module.
static uint64_t file_at(const struct validator *v, uint32_t at)
{
	return v->module->file_offset + at;
}

static int unknown(
	const struct validator *v, uint32_t at, const char *what, uint32_t idx, uint32_t n)
{
	return we_error_set(
		v->err, WE_E_INVALID, file_at(v, at), "unknown %s %u: there are %u", what, idx, n);
}

static int check_types(struct validator *v)
{
	for (we_typeidx i = 0; i < v->is->n_types; i++) {
		struct we_subtype *type = &v->is->types[i];
		const int rc = we_functype_intern(v->module->engine, type->params, type->n_params,
			type->results, type->n_results, &type->func, v->err);

		if (rc < 0)
			return rc;
	}
	return 0;
}

static int check_limits(const struct validator *v, uint32_t at, const struct we_limits *limits,
	uint64_t bound, const char *message)
{
	const uint64_t max = limits->has_max ? limits->max : limits->min;

	if (limits->min > bound || max > bound)
		return we_error_set(v->err, WE_E_INVALID, file_at(v, at), "%s: found %llu", message,
			(unsigned long long)(limits->min > max ? limits->min : max));
	if (limits->min > max)
		return we_error_set(v->err, WE_E_INVALID, file_at(v, at),
			"size minimum must not be greater than maximum: %llu and %llu",
			(unsigned long long)limits->min, (unsigned long long)max);
	return 0;
}

static int check_functypes(struct validator *v)
{
	for (we_funcidx i = 0; i < v->is->n_funcs; i++) {
		struct we_func_def *func = &v->is->funcs[i];
		const uint32_t n_declared = func->n_locals;

		if (func->type_idx >= v->is->n_types)
			return unknown(v, func->at, "type", func->type_idx, v->is->n_types);
		func->type = v->is->types[func->type_idx].func;
		func->n_locals = n_declared + func->type->n_params;
		if (func->n_locals > WE_LIMIT_LOCALS)
			return we_error_set(v->err, WE_E_INVALID, file_at(v, func->at),
				"more than the implementation limit of %u locals", WE_LIMIT_LOCALS);
	}
	return 0;
}

static int check_tabletypes(struct validator *v)
{
	int rc = 0;

	for (we_tableidx i = 0; rc == 0 && i < v->is->n_tables; i++)
		rc = check_limits(v, v->is->tables[i].at, &v->is->tables[i].type.limits,
			WE_TABLE32_MAX, "table size must be at most 2^32-1");
	return rc;
}

static int check_memtypes(struct validator *v)
{
	int rc = 0;

	for (we_memidx i = 0; rc == 0 && i < v->is->n_mems; i++)
		rc = check_limits(v, v->is->mems[i].at, &v->is->mems[i].type.limits,
			WE_MEMORY32_MAX_PAGES, "memory size must be at most 65536 pages (4 GiB)");
	return rc;
}

static int check_globals(struct validator *v)
{
	int rc = 0;

	// Each may use those before it.
	for (we_globalidx i = v->is->n_imported_globals; rc == 0 && i < v->is->n_globals; i++) {
		const struct we_global_def *global = &v->is->globals[i];

		rc = we_const_validate(
			v->module, &global->init, global->type.val, i, &v->scratch, v->err);
	}
	return rc;
}

static int check_export(struct validator *v, const struct we_export_def *export)
{
	switch (export->kind) {
	case WE_EXTERN_FUNC:
		if (export->idx >= v->is->n_funcs)
			return unknown(v, export->at, "function", export->idx, v->is->n_funcs);
		v->is->funcs[export->idx].is_declared = true;
		return 0;
	case WE_EXTERN_TABLE:
		if (export->idx >= v->is->n_tables)
			return unknown(v, export->at, "table", export->idx, v->is->n_tables);
		return 0;
	case WE_EXTERN_MEMORY:
		if (export->idx >= v->is->n_mems)
			return unknown(v, export->at, "memory", export->idx, v->is->n_mems);
		return 0;
	case WE_EXTERN_GLOBAL:
		if (export->idx >= v->is->n_globals)
			return unknown(v, export->at, "global", export->idx, v->is->n_globals);
		return 0;
	case WE_EXTERN_TAG:
		if (export->idx >= v->is->n_tags)
			return unknown(v, export->at, "tag", export->idx, v->is->n_tags);
		return 0;
	}
	__builtin_unreachable();
}

// Any total order will do.
static int compare_names(const void *a, size_t a_len, const void *b, size_t b_len)
{
	if (a_len != b_len)
		return a_len < b_len ? -1 : 1;
	return a_len == 0 ? 0 : memcmp(a, b, a_len);
}

static int compare_exports(const void *a, const void *b)
{
	const struct we_export_def *x = *(const struct we_export_def *const *)a;
	const struct we_export_def *y = *(const struct we_export_def *const *)b;

	return compare_names(x->name.data, x->name.len, y->name.data, y->name.len);
}

static int check_exports(struct validator *v)
{
	struct we_module *module = v->module;
	const struct we_export_def **sorted =
		we_arena_array(&module->arena, module->n_exports, sizeof(*sorted));
	int rc = 0;

	if (sorted == NULL)
		return we_error_set(v->err, WE_E_NOMEM, 0, "no memory to validate");
	for (uint32_t i = 0; rc == 0 && i < module->n_exports; i++) {
		sorted[i] = &module->exports[i];
		rc = check_export(v, &module->exports[i]);
	}
	if (rc < 0)
		return rc;
	qsort(sorted, module->n_exports, sizeof(struct we_export_def *), compare_exports);
	for (uint32_t i = 1; i < module->n_exports; i++) {
		if (compare_exports(&sorted[i - 1], &sorted[i]) == 0)
			return we_error_set(v->err, WE_E_INVALID, file_at(v, sorted[i]->at),
				"duplicate export name \"%.*s\"", (int)sorted[i]->name.len,
				(const char *)sorted[i]->name.data);
	}
	module->exports_by_name = sorted;
	return 0;
}

const struct we_export_def *we_module_find_export(
	const struct we_module *module, const char *name, size_t name_len)
{
	uint32_t low = 0;
	uint32_t high = module->n_exports;

	while (low < high) {
		const uint32_t mid = low + (high - low) / 2;
		const struct we_export_def *export = module->exports_by_name[mid];
		const int order =
			compare_names(name, name_len, export->name.data, export->name.len);

		if (order == 0)
			return export;
		if (order < 0)
			high = mid;
		else
			low = mid + 1;
	}
	return NULL;
}

static int check_start(struct validator *v)
{
	const struct we_module *module = v->module;
	const struct we_functype *type;

	if (!module->has_start)
		return 0;
	if (module->start >= v->is->n_funcs)
		return unknown(v, module->start_at, "function", module->start, v->is->n_funcs);
	type = v->is->funcs[module->start].type;
	if (type->n_params != 0 || type->n_results != 0)
		return we_error_set(v->err, WE_E_INVALID, file_at(v, module->start_at),
			"start function must have no parameters and no results");
	return 0;
}

static we_valtype address_type(const struct we_limits *limits)
{
	return limits->is_64 ? WE_T_I64 : WE_T_I32;
}

static int check_elem(struct validator *v, const struct we_elem_def *elem)
{
	int rc = 0;

	if (elem->mode == WE_ELEM_ACTIVE) {
		const struct we_tabletype *table;

		if (elem->table >= v->is->n_tables)
			return unknown(v, elem->at, "table", elem->table, v->is->n_tables);
		table = &v->is->tables[elem->table].type;
		if (!we_valtype_matches(elem->type, table->elem)) {
			char have[32];
			char want[32];

			return we_error_set(v->err, WE_E_INVALID, file_at(v, elem->at),
				"type mismatch: element segment of %s for a table of %s",
				we_valtype_print(elem->type, have, sizeof(have)),
				we_valtype_print(table->elem, want, sizeof(want)));
		}
		rc = we_const_validate(v->module, &elem->offset, address_type(&table->limits),
			v->is->n_globals, &v->scratch, v->err);
	}
	for (uint32_t i = 0; rc == 0 && i < elem->n; i++) {
		if (elem->exprs != NULL) {
			rc = we_const_validate(v->module, &elem->exprs[i], elem->type,
				v->is->n_globals, &v->scratch, v->err);
		} else if (elem->funcs[i] >= v->is->n_funcs) {
			rc = unknown(v, elem->at, "function", elem->funcs[i], v->is->n_funcs);
		} else {
			v->is->funcs[elem->funcs[i]].is_declared = true;
		}
	}
	return rc;
}

static int check_elems(struct validator *v)
{
	int rc = 0;

	for (we_elemidx i = 0; rc == 0 && i < v->is->n_elems; i++)
		rc = check_elem(v, &v->is->elems[i]);
	return rc;
}

static int check_datas(struct validator *v)
{
	int rc = 0;

	for (we_dataidx i = 0; rc == 0 && i < v->is->n_datas; i++) {
		const struct we_data_def *data = &v->is->datas[i];

		if (data->mode != WE_DATA_ACTIVE)
			continue;
		if (data->mem >= v->is->n_mems)
			return unknown(v, data->at, "memory", data->mem, v->is->n_mems);
		rc = we_const_validate(v->module, &data->offset,
			address_type(&v->is->mems[data->mem].type.limits), v->is->n_globals,
			&v->scratch, v->err);
	}
	return rc;
}

static int check_bodies(struct validator *v)
{
	int rc = 0;

	for (we_funcidx i = v->is->n_imported_funcs; rc == 0 && i < v->is->n_funcs; i++)
		rc = we_body_validate(v->module, i, &v->scratch, v->err);
	return rc;
}

int we_module_validate(struct we_module *module, struct we_error *err)
{
	struct validator v = {.module = module, .is = &module->is, .err = err};
	int (*const steps[])(struct validator *) = {check_types, check_functypes, check_tabletypes,
		check_memtypes, check_globals, check_exports, check_start, check_elems, check_datas,
		check_bodies};
	int rc = 0;

	for (size_t i = 0; rc == 0 && i < sizeof(steps) / sizeof(steps[0]); i++)
		rc = steps[i](&v);
	we_body_scratch_fini(&v.scratch);
	return rc;
}
