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
	void *translation;
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

// ---- types ---------------------------------------------------------------------------------------

// A type that the group at [.., end) may name.
static int check_named(const struct validator *v, uint32_t at, we_valtype type, we_typeidx end)
{
	if (!we_valtype_is_ref(type) || !(type & WE_T_INDEX) || (type & WE_T_INDEX_MASK) < end)
		return 0;
	return unknown(v, at, "type", type & WE_T_INDEX_MASK, end);
}

static int check_subtype(const struct validator *v, we_typeidx idx)
{
	const struct we_subtype *type = &v->is->types[idx];
	const we_typeidx end = type->group + type->n_group;
	int rc = 0;

	if (type->n_supers > 1)
		return we_error_set(v->err, WE_E_INVALID, file_at(v, type->at),
			"sub type %u has %u supertypes: there may be one", idx, type->n_supers);
	if (type->n_supers == 1 && type->super >= idx)
		return unknown(v, type->at, "type", type->super, idx);
	for (uint32_t i = 0; rc == 0 && i < type->n_params; i++)
		rc = check_named(v, type->at, type->params[i], end);
	for (uint32_t i = 0; rc == 0 && i < type->n_results; i++)
		rc = check_named(v, type->at, type->results[i], end);
	for (uint32_t i = 0; rc == 0 && i < type->n_fields; i++)
		rc = check_named(v, type->at, type->fields[i].type, end);
	return rc;
}

// Spec: core "Field Types" (matching).
static bool field_matches(
	const struct we_deftype *in, const struct we_field *sub, const struct we_field *super)
{
	if (sub->mut != super->mut)
		return false;
	if (sub->mut || !we_valtype_is_ref(sub->type))
		return sub->type == super->type;
	return we_valtype_matches(in->engine, sub->type, super->type);
}

static bool types_match(
	const struct we_engine *engine, const we_valtype *sub, const we_valtype *super, uint32_t n)
{
	for (uint32_t i = 0; i < n; i++) {
		if (!we_valtype_matches(engine, sub[i], super[i]))
			return false;
	}
	return true;
}

// Spec: core "Composite Types" (matching).
static bool comp_matches(const struct we_deftype *sub, const struct we_deftype *super)
{
	const struct we_functype *f = sub->func;
	const struct we_functype *g = super->func;

	if (sub->kind != super->kind)
		return false;
	if (sub->kind == WE_COMP_FUNC)
		return f->n_params == g->n_params && f->n_results == g->n_results &&
		       types_match(sub->engine, we_functype_params(g), we_functype_params(f),
			       f->n_params) &&
		       types_match(sub->engine, we_functype_results(f), we_functype_results(g),
			       f->n_results);
	if (sub->n_fields < super->n_fields)
		return false;
	for (uint32_t i = 0; i < super->n_fields; i++) {
		if (!field_matches(sub, &sub->fields[i], &super->fields[i]))
			return false;
	}
	return true;
}

static int check_super(const struct validator *v, we_typeidx idx)
{
	const struct we_subtype *type = &v->is->types[idx];
	const struct we_deftype *def = type->def;

	if (type->n_supers == 0)
		return 0;
	if (def->depth > WE_LIMIT_SUBTYPE_DEPTH)
		return we_error_set(v->err, WE_E_INVALID, file_at(v, type->at),
			"more than the implementation limit of %u supertypes above a type",
			WE_LIMIT_SUBTYPE_DEPTH);
	if (def->super->is_final || !comp_matches(def, def->super))
		return we_error_set(v->err, WE_E_INVALID, file_at(v, type->at),
			"sub type %u does not match super type %u%s", idx, type->super,
			def->super->is_final ? ", which is final" : "");
	return 0;
}

static int check_types(struct validator *v)
{
	for (we_typeidx first = 0; first < v->is->n_types;) {
		const uint32_t n = v->is->types[first].n_group;
		int rc = 0;

		for (we_typeidx i = first; rc == 0 && i < first + n; i++)
			rc = check_subtype(v, i);
		if (rc == 0)
			rc = we_rectype_intern(v->module->engine, v->is->types, first, n, v->err);
		for (we_typeidx i = first; rc == 0 && i < first + n; i++)
			rc = check_super(v, i);
		if (rc < 0)
			return rc;
		first += n;
	}
	return 0;
}

// Make a type of a definition one of the engine.
static int resolve(const struct validator *v, uint32_t at, we_valtype *type)
{
	if (we_module_resolve_type(v->module, type))
		return 0;
	return unknown(v, at, "type", *type & WE_T_INDEX_MASK, v->is->n_types);
}

// The function type of that index.
static int find_functype(
	const struct validator *v, uint32_t at, we_typeidx idx, const struct we_functype **ret)
{
	if (idx >= v->is->n_types)
		return unknown(v, at, "type", idx, v->is->n_types);
	if (v->is->types[idx].kind != WE_COMP_FUNC)
		return we_error_set(v->err, WE_E_INVALID, file_at(v, at),
			"type mismatch: type %u is not a function", idx);
	*ret = v->is->types[idx].def->func;
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
	int rc = 0;

	for (we_funcidx i = 0; rc == 0 && i < v->is->n_funcs; i++) {
		struct we_func_def *func = &v->is->funcs[i];
		const uint32_t n_declared = func->n_locals;

		rc = find_functype(v, func->at, func->type_idx, &func->type);
		if (rc < 0)
			return rc;
		func->n_locals = n_declared + func->type->n_params;
		if (func->n_locals > WE_LIMIT_LOCALS)
			return we_error_set(v->err, WE_E_INVALID, file_at(v, func->at),
				"more than the implementation limit of %u locals", WE_LIMIT_LOCALS);
		for (uint32_t k = 0; rc == 0 && k < func->n_runs; k++)
			rc = resolve(v, func->body.at, &func->runs[k].type);
	}
	return rc;
}

static int check_tagtypes(struct validator *v)
{
	int rc = 0;

	for (we_tagidx i = 0; rc == 0 && i < v->is->n_tags; i++) {
		struct we_tag_def *tag = &v->is->tags[i];

		rc = find_functype(v, tag->at, tag->type_idx, &tag->type);
		if (rc == 0 && tag->type->n_results > 0)
			rc = we_error_set(v->err, WE_E_INVALID, file_at(v, tag->at),
				"non-empty tag result type");
	}
	return rc;
}

static bool is_defaultable(we_valtype type)
{
	return !we_valtype_is_ref(type) || (type & WE_T_NULL);
}

static int check_tabletypes(struct validator *v)
{
	int rc = 0;

	for (we_tableidx i = 0; rc == 0 && i < v->is->n_tables; i++) {
		struct we_table_def *table = &v->is->tables[i];

		rc = resolve(v, table->at, &table->type.elem);
		if (rc == 0)
			rc = check_limits(v, table->at, &table->type.limits,
				table->type.limits.is_64 ? UINT64_MAX : WE_TABLE32_MAX,
				"table size must be at most 2^32-1");
		if (rc == 0 && i >= v->is->n_imported_tables && !table->has_init &&
			!is_defaultable(table->type.elem))
			rc = we_error_set(v->err, WE_E_INVALID, file_at(v, table->at),
				"type mismatch: non-defaultable elements need an initializer");
	}
	return rc;
}

static int check_table_inits(struct validator *v)
{
	int rc = 0;

	for (we_tableidx i = 0; rc == 0 && i < v->is->n_tables; i++) {
		const struct we_table_def *table = &v->is->tables[i];

		if (table->has_init)
			rc = we_const_validate(v->module, &table->init, table->type.elem,
				v->is->n_imported_globals, &v->scratch, v->err);
	}
	return rc;
}

static int check_memtypes(struct validator *v)
{
	int rc = 0;

	for (we_memidx i = 0; rc == 0 && i < v->is->n_mems; i++) {
		const struct we_mem_def *mem = &v->is->mems[i];

		rc = mem->type.limits.is_64
			     ? check_limits(v, mem->at, &mem->type.limits, WE_MEMORY64_MAX_PAGES,
				       "memory size must be at most 2^48 pages")
			     : check_limits(v, mem->at, &mem->type.limits, WE_MEMORY32_MAX_PAGES,
				       "memory size must be at most 65536 pages (4 GiB)");
	}
	return rc;
}

static int check_globaltypes(struct validator *v)
{
	int rc = 0;

	for (we_globalidx i = 0; rc == 0 && i < v->is->n_globals; i++)
		rc = resolve(v, v->is->globals[i].at, &v->is->globals[i].type.val);
	return rc;
}

static int check_elemtypes(struct validator *v)
{
	int rc = 0;

	for (we_elemidx i = 0; rc == 0 && i < v->is->n_elems; i++)
		rc = resolve(v, v->is->elems[i].at, &v->is->elems[i].type);
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
		if (!we_valtype_matches(v->module->engine, elem->type, table->elem)) {
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
		rc = we_body_validate(v->module, i, &v->scratch, v->translation, v->err);
	return rc;
}

int we_module_validate(struct we_module *module, void *translation, struct we_error *err)
{
	struct validator v = {
		.module = module, .is = &module->is, .translation = translation, .err = err};
	int (*const steps[])(struct validator *) = {check_types, check_functypes, check_tagtypes,
		check_tabletypes, check_memtypes, check_globaltypes, check_elemtypes, check_globals,
		check_table_inits, check_exports, check_start, check_elems, check_datas,
		check_bodies};
	int rc = 0;

	for (size_t i = 0; rc == 0 && i < sizeof(steps) / sizeof(steps[0]); i++)
		rc = steps[i](&v);
	we_body_scratch_fini(&v.scratch);
	return rc;
}
