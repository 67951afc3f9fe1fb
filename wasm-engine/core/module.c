// SPDX-License-Identifier: BSD-3-Clause
// we_module: creation, inspection and destruction of modules.
//
// Module path 1/6 to 3/6: decode, validate, translate. Owns: see module.h. Thread: any.
#include "module.h"

#include <stdlib.h>
#include <string.h>

#include "decode.h"
#include "engine.h"
#include "instr.h"
#include "limits.h"
#include "native.h"
#include "tier.h"
#include "validate.h"

void we_module_reader(const struct we_module *module, struct we_span span, struct we_reader *ret,
	struct we_error *err)
{
	we_reader_init(ret, module->bytes, module->file_offset, err);
	ret->at = ret->base + span.at;
	ret->end = ret->base + span.end;
}

void we_blocktype_types(const struct we_module *module, const struct we_blocktype *block,
	const we_valtype **ret_params, uint32_t *ret_n_params, const we_valtype **ret_results,
	uint32_t *ret_n_results)
{
	const struct we_functype *type;

	switch (block->kind) {
	case WE_BLOCK_EMPTY:
	case WE_BLOCK_VAL:
		*ret_params = NULL;
		*ret_n_params = 0;
		*ret_results = &block->val;
		*ret_n_results = block->kind == WE_BLOCK_VAL ? 1 : 0;
		return;
	case WE_BLOCK_TYPE:
		type = module->is.types[block->type].def->func;
		*ret_params = we_functype_params(type);
		*ret_n_params = type->n_params;
		*ret_results = we_functype_results(type);
		*ret_n_results = type->n_results;
		return;
	}
}

bool we_module_resolve_type(const struct we_module *module, we_valtype *type)
{
	const we_typeidx idx = *type & WE_T_INDEX_MASK;

	if (!we_valtype_is_ref(*type) || !(*type & WE_T_INDEX))
		return true;
	if (idx >= module->is.n_types)
		return false;
	*type = (*type & ~WE_T_INDEX_MASK) | module->is.types[idx].def->id;
	return true;
}

we_valtype we_func_def_local(const struct we_func_def *func, we_localidx i)
{
	uint32_t left = i;

	if (i < func->type->n_params)
		return we_functype_params(func->type)[i];
	left -= func->type->n_params;
	for (uint32_t k = 0; k < func->n_runs; k++) {
		if (left < func->runs[k].n)
			return func->runs[k].type;
		left -= func->runs[k].n;
	}
	return WE_T_BOT;
}

void we_module_name_func(const struct we_module *module, we_funcidx func, struct we_error *err)
{
	const struct we_bytes name = module->is.funcs[func].name;

	we_error_add(err, ", in function %u", func);
	if (name.len > 0)
		we_error_add(err, " \"%.*s\"", (int)name.len, (const char *)name.data);
}

// Say in the message where in a module it is that was decoded.
static void name_place(const struct we_module *module, struct we_error *err)
{
	if (err->func != WE_NO_FUNC)
		we_module_name_func(module, err->func, err);
	if (err->rc == WE_E_MALFORMED || (err->rc != WE_E_NOMEM && err->func == WE_NO_FUNC))
		we_module_name_section(module, err);
}

// Module path 2/6 and 3/6: every body is checked and translated, then the links between them are made.
static int validate(struct we_module *module, struct we_error *err)
{
	const struct we_tier *tier = module->engine->tier;
	struct we_error malformed;
	void *translation = NULL;
	int rc = tier->open(module, &translation, err);

	if (rc == 0)
		rc = we_module_validate(module, translation, err);
	tier->close(translation);
	// A module that is also malformed, further on, is called malformed.
	if (rc == WE_E_INVALID && we_module_scan(module, &malformed) == WE_E_MALFORMED) {
		*err = malformed;
		return malformed.rc;
	}
	for (we_funcidx i = module->is.n_imported_funcs; rc == 0 && i < module->is.n_funcs; i++)
		tier->link(module->is.funcs[i].code);
	return rc;
}

// The types as native code finds them.
static int collect_defs(struct we_module *module, struct we_error *err)
{
	const uint32_t n = module->is.n_types;

	module->defs = we_arena_array(&module->arena, n, sizeof(*module->defs));
	if (module->defs == NULL)
		return we_error_set(
			err, WE_E_NOMEM, module->file_offset, "no memory for a module's types");
	for (we_typeidx i = 0; i < n; i++)
		module->defs[i] = module->is.types[i].def;
	return 0;
}

static void destroy(struct we_module *module)
{
	we_jit_release(module);
	we_native_release(module);
	for (we_funcidx i = module->is.n_imported_funcs; i < module->is.n_funcs; i++)
		module->engine->tier->release(module->is.funcs[i].code);
	we_arena_fini(&module->arena);
	free((void *)(uintptr_t)module->bytes.data);
	free(module);
}

int we_module_create(struct we_engine *engine, struct we_bytes bytes, uint64_t file_offset,
	struct we_module **ret_module, struct we_error *err)
{
	struct we_error local; // decoding needs a place for its messages
	struct we_module *module;
	uint8_t *copy;
	int rc;

	if (err == NULL)
		err = &local;
	if (bytes.len > WE_LIMIT_MODULE_BYTES)
		return we_error_set(err, WE_E_INVALID, file_offset,
			"module of %zu bytes: the implementation limit is %u", bytes.len,
			WE_LIMIT_MODULE_BYTES);
	module = calloc(1, sizeof(*module));
	copy = malloc(bytes.len > 0 ? bytes.len : 1);
	if (module == NULL || copy == NULL) {
		free(module);
		free(copy);
		return we_error_set(err, WE_E_NOMEM, file_offset, "no memory for a module");
	}
	if (bytes.len > 0)
		memcpy(copy, bytes.data, bytes.len);
	module->engine = engine;
	module->refs = 1;
	module->bytes = (struct we_bytes){copy, bytes.len};
	module->file_offset = file_offset;

	rc = we_module_decode(module, err);
	if (rc == 0) {
		we_module_decode_names(module);
		rc = validate(module, err);
		if (rc == 0)
			rc = collect_defs(module, err);
		if (rc < 0)
			name_place(module, err);
	}
	if (rc < 0) {
		destroy(module);
		return rc;
	}
	if (engine->config.jit_at_once)
		rc = we_module_compile(module, NULL); // the stats know what came of it
	*ret_module = module;
	return 0;
}

struct we_module *we_module_ref(struct we_module *module)
{
	atomic_fetch_add_explicit(&module->refs, 1, memory_order_relaxed);
	return module;
}

void we_module_unref(struct we_module *module)
{
	if (module != NULL &&
		atomic_fetch_sub_explicit(&module->refs, 1, memory_order_acq_rel) == 1)
		destroy(module);
}

static void limits_type(const struct we_limits *limits, struct we_externtype *ret)
{
	ret->is_64 = limits->is_64;
	ret->has_max = limits->has_max;
	ret->min = limits->min;
	ret->max = limits->max;
}

static void extern_type(const struct we_module *module, enum we_externkind kind, uint32_t idx,
	struct we_externtype *ret)
{
	*ret = (struct we_externtype){.kind = kind, .engine = module->engine};
	switch (kind) {
	case WE_EXTERN_FUNC:
		ret->func = module->is.funcs[idx].type;
		break;
	case WE_EXTERN_TABLE:
		ret->val = module->is.tables[idx].type.elem;
		limits_type(&module->is.tables[idx].type.limits, ret);
		break;
	case WE_EXTERN_MEMORY:
		limits_type(&module->is.mems[idx].type.limits, ret);
		break;
	case WE_EXTERN_GLOBAL:
		ret->val = module->is.globals[idx].type.val;
		ret->mut = module->is.globals[idx].type.mut;
		break;
	case WE_EXTERN_TAG:
		ret->func = module->is.tags[idx].type;
		break;
	}
}

uint32_t we_module_n_imports(const struct we_module *module)
{
	return module->n_imports;
}

void we_module_import(const struct we_module *module, uint32_t i, struct we_import *ret)
{
	const struct we_import_def *import = &module->imports[i];

	ret->module = import->module;
	ret->name = import->name;
	extern_type(module, import->kind, import->idx, &ret->type);
}

uint32_t we_module_n_exports(const struct we_module *module)
{
	return module->n_exports;
}

void we_module_export(const struct we_module *module, uint32_t i, struct we_export *ret)
{
	const struct we_export_def *export = &module->exports[i];

	ret->name = export->name;
	extern_type(module, export->kind, export->idx, &ret->type);
}

static bool is_text(struct we_bytes name, const char *text)
{
	return name.len == strlen(text) && memcmp(name.data, text, name.len) == 0;
}

static bool find_named(const struct we_module *module, const char *text, we_funcidx *ret)
{
	const we_funcidx n_imported = module->is.n_imported_funcs;

	for (we_funcidx i = n_imported; i < module->is.n_funcs; i++) {
		const struct we_bytes name = module->is.funcs[i].name; // empty: it has none

		if (name.len > 0 && is_text(name, text)) {
			*ret = i;
			return true;
		}
	}
	for (uint32_t i = 0; i < module->n_exports; i++) {
		const struct we_export_def *export = &module->exports[i];

		if (export->kind == WE_EXTERN_FUNC && export->idx >= n_imported &&
			is_text(export->name, text)) {
			*ret = export->idx;
			return true;
		}
	}
	return false;
}

uint32_t we_module_own_funcs(const struct we_module *module, uint32_t *ret_first)
{
	*ret_first = module->is.n_imported_funcs;
	return module->is.n_funcs - module->is.n_imported_funcs;
}

bool we_module_find_func(const struct we_module *module, const char *text, uint32_t *ret_func)
{
	char *end;
	const unsigned long i = strtoul(text, &end, 10);

	if (*text < '0' || *text > '9' || *end != '\0')
		return find_named(module, text, ret_func);
	*ret_func = (we_funcidx)i;
	return i >= module->is.n_imported_funcs && i < module->is.n_funcs;
}

uint64_t we_module_features(const struct we_module *module)
{
	return module->features;
}

int we_module_custom(
	const struct we_module *module, const char *name, uint32_t i, struct we_bytes *ret_payload)
{
	const size_t len = strlen(name);

	for (uint32_t k = 0; k < module->n_customs; k++) {
		const struct we_custom_def *custom = &module->customs[k];

		if (custom->name.len != len || memcmp(custom->name.data, name, len) != 0)
			continue;
		if (i-- == 0) {
			*ret_payload = custom->payload;
			return 0;
		}
	}
	return 1;
}
