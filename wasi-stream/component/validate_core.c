// SPDX-License-Identifier: BSD-3-Clause
// validate_core: core modules, their types and their instances inside a component.
//
// Module path 5/6. All that is core is decoded and checked by wasm-engine alone: a module type is turned
// into a small core module which imports everything that the type imports and exports, and the answer is
// read off that module's imports.
// Spec: Binary.md "Instance Definitions", "Type Definitions" (core:moduletype).
#include "validate.h"

#include "arena.h"
#include "reader.h"

#include <stdlib.h>
#include <string.h>

static int add_module(struct cm_validator *v, struct we_module *module, uint64_t offset)
{
	struct we_module **slot = we_vec_add(&v->root->modules, sizeof(struct we_module *));

	if (slot == NULL) {
		we_module_unref(module);
		return cm_nomem(v, offset);
	}
	*slot = module;
	return 0;
}

static bool bytes_equal(struct cm_name a, struct cm_name b)
{
	return a.len == b.len && (a.len == 0 || memcmp(a.text, b.text, a.len) == 0);
}

// ---- types of modules ---------------------------------------------------------------------------

// Imports are unique by both names together: the key is the length of the first, the first, the second.
static int check_unique_imports(
	struct cm_validator *v, const struct cm_coreextern *imports, uint32_t n, uint64_t offset)
{
	struct cm_name_set set = {0};
	int rc = 0;

	for (uint32_t i = 0; rc == 0 && i < n; i++) {
		const struct cm_name a = imports[i].module;
		const struct cm_name b = imports[i].name;
		struct cm_name earlier;
		char *key = we_arena_alloc(v->arena, sizeof(a.len) + a.len + b.len + 1);

		if (key == NULL) {
			rc = cm_nomem(v, offset);
			break;
		}
		memcpy(key, &a.len, sizeof(a.len));
		memcpy(key + sizeof(a.len), a.text, a.len);
		memcpy(key + sizeof(a.len) + a.len, b.text, b.len);
		rc = cm_name_set_add_exact(&set,
			(struct cm_name){key, (uint32_t)sizeof(a.len) + a.len + b.len}, &earlier);
		if (rc == CM_NAME_TAKEN)
			rc = cm_invalid(v, offset, "duplicate import name `%s:%s`", a.text, b.text);
		else if (rc < 0)
			rc = cm_nomem(v, offset);
	}
	cm_name_set_fini(&set);
	return rc;
}

static int check_unique_exports(
	struct cm_validator *v, const struct cm_coreextern *exports, uint32_t n, uint64_t offset)
{
	struct cm_name_set set = {0};
	int rc = 0;

	for (uint32_t i = 0; rc == 0 && i < n; i++) {
		struct cm_name earlier;

		rc = cm_name_set_add_exact(&set, exports[i].name, &earlier);
		if (rc == CM_NAME_TAKEN)
			rc = cm_invalid(v, offset, "export name `%s` already defined",
				exports[i].name.text);
		else if (rc < 0)
			rc = cm_nomem(v, offset);
	}
	cm_name_set_fini(&set);
	return rc;
}

// Read imports [from, from + n) of a core module.
static int read_imports(struct cm_validator *v, const struct we_module *module, uint32_t from,
	uint32_t n, uint64_t offset, const struct cm_coreextern **ret_list)
{
	struct cm_coreextern *list = we_arena_array(v->arena, n, sizeof(*list));
	int rc = 0;

	if (list == NULL)
		return cm_nomem(v, offset);
	for (uint32_t i = 0; rc == 0 && i < n; i++) {
		struct we_import import;

		we_module_import(module, from + i, &import);
		list[i].type = import.type;
		rc = cm_name_dup(v, import.module, offset, &list[i].module);
		if (rc == 0)
			rc = cm_name_dup(v, import.name, offset, &list[i].name);
	}
	*ret_list = list;
	return rc;
}

static int type_of_module(struct cm_validator *v, const struct we_module *module, uint64_t offset,
	const struct cm_moduletype **ret_type)
{
	struct cm_moduletype *type = we_arena_alloc(v->arena, sizeof(*type));
	struct cm_coreextern *exports;
	int rc;

	if (type == NULL)
		return cm_nomem(v, offset);
	type->n_imports = we_module_n_imports(module);
	type->n_exports = we_module_n_exports(module);
	exports = we_arena_array(v->arena, type->n_exports, sizeof(*exports));
	if (exports == NULL)
		return cm_nomem(v, offset);
	rc = read_imports(v, module, 0, type->n_imports, offset, &type->imports);
	for (uint32_t i = 0; rc == 0 && i < type->n_exports; i++) {
		struct we_export export;

		we_module_export(module, i, &export);
		exports[i].type = export.type;
		rc = cm_name_dup(v, export.name, offset, &exports[i].name);
	}
	type->exports = exports;
	*ret_type = type;
	return rc < 0 ? rc : check_unique_imports(v, type->imports, type->n_imports, offset);
}

// What the sections of a valid module say of its size: pages that its memories start with, bytes of code.
static int measure_module(struct cm_validator *v, const struct cm_syntax_item *item)
{
	enum {
		PREAMBLE_BYTES = 8,
		SECTION_MEMORY = 5,
		SECTION_CODE = 10
	};
	struct we_bytes preamble;
	struct we_reader section;
	struct we_reader r;
	int rc;

	we_reader_init(&r, item->of.module, item->offset, v->err);
	rc = we_reader_bytes(&r, PREAMBLE_BYTES, &preamble);
	while (rc == 0 && !we_reader_at_end(&r)) {
		uint8_t id = 0;
		uint32_t len = 0;
		uint32_t n = 0;

		rc = we_reader_u8(&r, &id);
		if (rc == 0)
			rc = we_reader_u32(&r, &len);
		if (rc == 0)
			rc = we_reader_sub(&r, len, &section);
		if (rc == 0 && id == SECTION_CODE)
			v->root->stats.core_code_bytes += len;
		if (rc == 0 && id == SECTION_MEMORY)
			rc = we_reader_u32(&section, &n);
		for (uint32_t i = 0; rc == 0 && i < n; i++) {
			uint64_t bound = 0;
			uint8_t flags = 0;

			rc = we_reader_u8(&section, &flags);
			if (rc == 0)
				rc = we_reader_u64(&section, &bound);
			v->root->stats.min_memory_pages += bound;
			if (rc == 0 && (flags & 1) != 0)
				rc = we_reader_u64(&section, &bound);
		}
	}
	return rc;
}

int cm_validate_core_module(
	struct cm_validator *v, struct cm_scope *scope, const struct cm_syntax_item *item)
{
	struct cm_item module_item = {0};
	struct we_module *module = NULL;
	struct cm_def *def;
	int rc;

	rc = we_module_create(v->engine, item->of.module, item->offset, &module, v->err);
	if (rc < 0)
		return rc;
	rc = add_module(v, module, item->offset);
	if (rc == 0)
		rc = type_of_module(v, module, item->offset, &module_item.module);
	if (rc == 0)
		rc = cm_scope_define(
			v, scope, CM_DEF_CORE_MODULE, CM_SORT_CORE_MODULE, item->offset, &def);
	if (rc < 0)
		return rc;
	def->of.module = module;
	v->root->stats.n_core_modules++;
	v->root->stats.features |= we_module_features(module);
	rc = measure_module(v, item);
	return rc < 0 ? rc
		      : cm_scope_push(v, scope, CM_SORT_CORE_MODULE, &module_item, item->offset);
}

// ---- module types and core types ----------------------------------------------------------------

// A core module under construction.
struct module_writer {
	struct we_vec bytes;
	bool is_out_of_memory;
};

static void put(struct module_writer *w, const void *data, size_t len)
{
	if (w->is_out_of_memory || we_vec_reserve(&w->bytes, len, 1) < 0) {
		w->is_out_of_memory = true;
		return;
	}
	if (len > 0)
		memcpy((uint8_t *)w->bytes.data + w->bytes.len, data, len);
	w->bytes.len += len;
}

static void put_byte(struct module_writer *w, uint8_t byte)
{
	put(w, &byte, 1);
}

static void put_u32(struct module_writer *w, uint32_t value)
{
	do {
		put_byte(w, (uint8_t)((value & 0x7f) | (value > 0x7f ? 0x80 : 0)));
		value >>= 7;
	} while (value > 0);
}

static void put_name(struct module_writer *w, struct cm_name name)
{
	put_u32(w, name.len);
	put(w, name.text, name.len);
}

static void put_section(struct module_writer *w, uint8_t id, uint32_t n, struct module_writer *body)
{
	struct module_writer count = {0};

	put_u32(&count, n);
	put_byte(w, id);
	put_u32(w, (uint32_t)(count.bytes.len + body->bytes.len));
	put(w, count.bytes.data, count.bytes.len);
	put(w, body->bytes.data, body->bytes.len);
	w->is_out_of_memory |= count.is_out_of_memory || body->is_out_of_memory;
	we_vec_fini(&count.bytes);
}

// Let wasm-engine read n_types types and n_imports imports.
static int read_core(struct cm_validator *v, uint64_t offset, uint32_t n_types,
	struct module_writer *types, uint32_t n_imports, struct module_writer *imports,
	struct we_module **ret_module)
{
	static const uint8_t preamble[] = {0x00, 0x61, 0x73, 0x6d, 0x01, 0x00, 0x00, 0x00};
	struct module_writer w = {0};
	char msg[sizeof(v->err->msg)];
	int rc;

	put(&w, preamble, sizeof(preamble));
	put_section(&w, 1, n_types, types);
	put_section(&w, 2, n_imports, imports);
	if (w.is_out_of_memory) {
		we_vec_fini(&w.bytes);
		return cm_nomem(v, offset);
	}
	rc = we_module_create(v->engine, (struct we_bytes){w.bytes.data, w.bytes.len}, offset,
		ret_module, v->err);
	we_vec_fini(&w.bytes);
	if (rc == 0)
		return add_module(v, *ret_module, offset);
	// Offsets inside the module made here mean nothing to anybody.
	memcpy(msg, v->err->msg, sizeof(msg));
	msg[sizeof(msg) - 1] = '\0';
	return we_error_set(v->err, rc, offset, "core type: %s", msg);
}

// Append the type that an alias declarator of a module type means.
static int put_alias(struct cm_validator *v, struct cm_scope *scope,
	const struct cm_syntax_moduledecl *decl, struct module_writer *types)
{
	const struct cm_item *item = NULL;
	const struct cm_scope *target;
	int rc;

	if (decl->n_out == 0)
		return cm_invalid(v, decl->offset, "a module type cannot alias a type of its own");
	target = cm_scope_out(scope, decl->n_out - 1);
	if (target == NULL)
		return cm_invalid(v, decl->offset, "invalid outer alias count of %u", decl->n_out);
	rc = cm_scope_item(v, target, CM_SORT_CORE_TYPE, decl->idx, decl->offset, &item);
	if (rc < 0)
		return rc;
	if (item->module != NULL)
		return cm_invalid(v, decl->offset,
			"core type index %u is a module type, expected another core type",
			decl->idx);
	put(types, item->rectype.data, item->rectype.len);
	return 0;
}

static int check_type_idx(
	struct cm_validator *v, const struct cm_syntax_moduledecl *decl, uint32_t n)
{
	struct we_reader r;
	struct we_error ignored;
	uint32_t idx = 0;
	uint8_t kind = 0;

	we_reader_init(&r, decl->type, decl->offset, &ignored);
	if (we_reader_u8(&r, &kind) < 0 || kind != 0x00 || we_reader_u32(&r, &idx) < 0 || idx < n)
		return 0;
	return cm_invalid(v, decl->offset, "type index out of bounds: %u, there are %u", idx, n);
}

struct moduletype_parts {
	struct module_writer types;
	struct module_writer imports; // imports first, then exports as imports of module ""
	struct module_writer exports;
	uint32_t n_types;
	uint32_t n_imports;
	uint32_t n_exports;
};

static int write_moduledecl(struct cm_validator *v, struct cm_scope *scope,
	const struct cm_syntax_moduledecl *decl, struct moduletype_parts *parts)
{
	static const struct cm_name none = {"", 0};
	const bool is_import = decl->kind == CM_MODULEDECL_IMPORT;
	struct module_writer *w = is_import ? &parts->imports : &parts->exports;
	int rc;

	switch (decl->kind) {
	case CM_MODULEDECL_TYPE:
		if (decl->is_module)
			return cm_invalid(v, decl->offset,
				"invalid leading byte: a module type inside a module type");
		put(&parts->types, decl->type.data, decl->type.len);
		parts->n_types++;
		return 0;
	case CM_MODULEDECL_ALIAS:
		parts->n_types++;
		return put_alias(v, scope, decl, &parts->types);
	case CM_MODULEDECL_IMPORT:
	case CM_MODULEDECL_EXPORT:
		break;
	}
	rc = check_type_idx(v, decl, parts->n_types);
	if (rc < 0)
		return rc;
	put_name(w, is_import ? decl->module : none);
	put_name(w, decl->name);
	put(w, decl->type.data, decl->type.len);
	*(is_import ? &parts->n_imports : &parts->n_exports) += 1;
	return 0;
}

static int validate_moduletype(struct cm_validator *v, struct cm_scope *scope,
	const struct cm_syntax_coretype *syntax, uint64_t offset,
	const struct cm_moduletype **ret_type)
{
	struct cm_moduletype *type = we_arena_alloc(v->arena, sizeof(*type));
	struct moduletype_parts parts = {0};
	struct we_module *module = NULL;
	int rc = 0;

	if (type == NULL)
		return cm_nomem(v, offset);
	for (uint32_t i = 0; rc == 0 && i < syntax->n_decls; i++)
		rc = write_moduledecl(v, scope, &syntax->decls[i], &parts);
	if (rc < 0)
		goto out;
	type->n_imports = parts.n_imports;
	type->n_exports = parts.n_exports;
	put(&parts.imports, parts.exports.bytes.data, parts.exports.bytes.len);
	parts.imports.is_out_of_memory |= parts.exports.is_out_of_memory;
	rc = read_core(v, offset, parts.n_types, &parts.types, parts.n_imports + parts.n_exports,
		&parts.imports, &module);
	if (rc == 0)
		rc = read_imports(v, module, 0, parts.n_imports, offset, &type->imports);
	if (rc == 0)
		rc = read_imports(
			v, module, parts.n_imports, parts.n_exports, offset, &type->exports);
	if (rc == 0)
		rc = check_unique_imports(v, type->imports, type->n_imports, offset);
	if (rc == 0)
		rc = check_unique_exports(v, type->exports, type->n_exports, offset);
	*ret_type = type;
out:
	we_vec_fini(&parts.types.bytes);
	we_vec_fini(&parts.imports.bytes);
	we_vec_fini(&parts.exports.bytes);
	return rc;
}

// A core type on its own: a function's, or one of a later proposal.
static int validate_rectype(
	struct cm_validator *v, struct we_bytes rectype, uint64_t offset, struct cm_item *ret_item)
{
	static const uint8_t import[] = {0x00, 0x00, 0x00, 0x00}; // "" "" (func (type 0))
	const bool is_func = rectype.len > 0 && rectype.data[0] == 0x60;
	struct module_writer types = {0};
	struct module_writer imports = {0};
	struct we_module *module = NULL;
	struct we_import read;
	int rc;

	put(&types, rectype.data, rectype.len);
	put(&imports, import, is_func ? sizeof(import) : 0);
	rc = read_core(v, offset, 1, &types, is_func ? 1 : 0, &imports, &module);
	if (rc == 0 && is_func) {
		we_module_import(module, 0, &read);
		ret_item->core = read.type;
	}
	ret_item->rectype = rectype;
	we_vec_fini(&types.bytes);
	we_vec_fini(&imports.bytes);
	return rc;
}

int cm_validate_core_type(
	struct cm_validator *v, struct cm_scope *scope, const struct cm_syntax_item *item)
{
	const struct cm_syntax_coretype *syntax = &item->of.core_type;
	struct cm_item type_item = {0};
	struct cm_def *def;
	int rc;

	if (syntax->is_module)
		rc = validate_moduletype(v, scope, syntax, item->offset, &type_item.module);
	else
		rc = validate_rectype(v, syntax->rectype, item->offset, &type_item);
	if (rc == 0)
		rc = cm_scope_define(
			v, scope, CM_DEF_CORE_TYPE, CM_SORT_CORE_TYPE, item->offset, &def);
	return rc < 0 ? rc : cm_scope_push(v, scope, CM_SORT_CORE_TYPE, &type_item, item->offset);
}

// ---- core instances -----------------------------------------------------------------------------

const struct cm_coreextern *cm_core_export(const struct cm_item *instance, struct cm_name name)
{
	for (uint32_t i = 0; i < instance->module->n_exports; i++)
		if (bytes_equal(instance->module->exports[i].name, name))
			return &instance->module->exports[i];
	return NULL;
}

// The with-argument of that name; NULL: none.
static int find_arg(struct cm_validator *v, const struct cm_scope *scope,
	const struct cm_syntax_item *item, struct cm_name name, const struct cm_item **ret_instance)
{
	for (uint32_t i = 0; i < item->of.instance.n_args; i++)
		if (bytes_equal(item->of.instance.args[i].name, name))
			return cm_scope_item(v, scope, CM_SORT_CORE_INSTANCE,
				item->of.instance.args[i].idx, item->offset, ret_instance);
	return cm_invalid(
		v, item->offset, "missing module instantiation argument named `%s`", name.text);
}

static int check_core_import(struct cm_validator *v, const struct cm_scope *scope,
	const struct cm_syntax_item *item, const struct cm_coreextern *import)
{
	const struct cm_item *instance = NULL;
	const struct cm_coreextern *given;
	struct cm_matcher m;
	char detail[100];
	int rc;

	rc = find_arg(v, scope, item, import->module, &instance);
	if (rc < 0)
		return rc;
	given = cm_core_export(instance, import->name);
	if (given == NULL)
		return cm_invalid(v, item->offset,
			"module instantiation argument `%s` does not export an item named `%s`",
			import->module.text, import->name.text);
	cm_matcher_init(&m, 1, detail, sizeof(detail));
	rc = cm_matcher_core(&m, &given->type, &import->type);
	cm_matcher_fini(&m);
	if (rc == CM_TYPE_DIFFERS)
		return cm_invalid(v, item->offset, "%s: %s: %s", import->module.text,
			import->name.text, detail);
	return rc;
}

static int instantiate_module(struct cm_validator *v, const struct cm_scope *scope,
	const struct cm_syntax_item *item, struct cm_item *ret_instance)
{
	const struct cm_item *module = NULL;
	struct cm_name_set names = {0};
	uint64_t work = 0;
	int rc;

	rc = cm_scope_item(
		v, scope, CM_SORT_CORE_MODULE, item->of.instance.idx, item->offset, &module);
	for (uint32_t i = 0; rc == 0 && i < item->of.instance.n_args; i++) {
		const struct cm_arg *arg = &item->of.instance.args[i];
		const struct cm_item *instance = NULL;
		struct cm_name earlier;

		rc = cm_name_set_add_exact(&names, arg->name, &earlier);
		if (rc == CM_NAME_TAKEN)
			rc = cm_invalid(v, item->offset,
				"duplicate module instantiation argument named `%s`",
				arg->name.text);
		else if (rc < 0)
			rc = cm_nomem(v, item->offset);
		if (rc == 0)
			rc = cm_scope_item(
				v, scope, CM_SORT_CORE_INSTANCE, arg->idx, item->offset, &instance);
		if (rc == 0)
			work += UINT64_C(1) + instance->module->n_exports;
	}
	cm_name_set_fini(&names);
	if (rc == 0)
		rc = cm_spend_steps(v, (work / 16 + 1) * module->module->n_imports, item->offset);
	for (uint32_t i = 0; rc == 0 && i < module->module->n_imports; i++)
		rc = check_core_import(v, scope, item, &module->module->imports[i]);
	if (rc == 0)
		ret_instance->module = module->module;
	return rc;
}

// A core instance made of inline exports has the type of a module that exports them.
static int bundle_exports(struct cm_validator *v, const struct cm_scope *scope,
	const struct cm_syntax_item *item, struct cm_item *ret_instance)
{
	const uint32_t n = item->of.instance.n_args;
	struct cm_coreextern *exports = we_arena_array(v->arena, n, sizeof(*exports));
	struct cm_moduletype *type = we_arena_alloc(v->arena, sizeof(*type));
	int rc = 0;

	if (exports == NULL || type == NULL)
		return cm_nomem(v, item->offset);
	for (uint32_t i = 0; rc == 0 && i < n; i++) {
		const struct cm_arg *arg = &item->of.instance.args[i];
		const struct cm_item *exported = NULL;

		if (arg->sort > CM_SORT_CORE_TAG)
			return cm_invalid(v, item->offset, "a core instance cannot export a %s",
				cm_sort_name(arg->sort));
		rc = cm_scope_item(v, scope, arg->sort, arg->idx, item->offset, &exported);
		exports[i].name = arg->name;
		if (rc == 0)
			exports[i].type = exported->core;
	}
	type->exports = exports;
	type->n_exports = n;
	ret_instance->module = type;
	return rc < 0 ? rc : check_unique_exports(v, exports, n, item->offset);
}

int cm_validate_core_instance(
	struct cm_validator *v, struct cm_scope *scope, const struct cm_syntax_item *item)
{
	const bool is_inline = item->of.instance.is_inline;
	struct cm_item instance = {0};
	struct cm_def *def = NULL;
	int rc;

	rc = is_inline ? bundle_exports(v, scope, item, &instance)
		       : instantiate_module(v, scope, item, &instance);
	if (rc == 0)
		rc = cm_scope_define(v, scope,
			is_inline ? CM_DEF_CORE_INSTANCE : CM_DEF_CORE_INSTANTIATE,
			CM_SORT_CORE_INSTANCE, item->offset, &def);
	if (rc < 0)
		return rc;
	def->of.instantiate.idx = item->of.instance.idx;
	def->of.instantiate.args = item->of.instance.args;
	def->of.instantiate.n_args = item->of.instance.n_args;
	return cm_scope_push(v, scope, CM_SORT_CORE_INSTANCE, &instance, item->offset);
}
