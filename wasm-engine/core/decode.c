// SPDX-License-Identifier: BSD-3-Clause
// we_module_decode: see decode.h.
//
// Module path 1/6. One function per section, in the order of the specification.
// Owns: nothing; what it makes goes to the module's arena.
// Spec: core "Modules" (binary format).
#include "decode.h"

#include <string.h>

#include "engine.h"
#include "instr.h"
#include "limits.h"
#include "vec.h"

enum section {
	SECTION_CUSTOM,
	SECTION_TYPE,
	SECTION_IMPORT,
	SECTION_FUNCTION,
	SECTION_TABLE,
	SECTION_MEMORY,
	SECTION_GLOBAL,
	SECTION_EXPORT,
	SECTION_START,
	SECTION_ELEM,
	SECTION_CODE,
	SECTION_DATA,
	SECTION_DATA_COUNT,
	SECTION_TAG,
	SECTION_N,
};

// Place of each section in the file.
static const uint8_t section_order[SECTION_N] = {
	[SECTION_TYPE] = 1,
	[SECTION_IMPORT] = 2,
	[SECTION_FUNCTION] = 3,
	[SECTION_TABLE] = 4,
	[SECTION_MEMORY] = 5,
	[SECTION_TAG] = 6,
	[SECTION_GLOBAL] = 7,
	[SECTION_EXPORT] = 8,
	[SECTION_START] = 9,
	[SECTION_ELEM] = 10,
	[SECTION_DATA_COUNT] = 11,
	[SECTION_CODE] = 12,
	[SECTION_DATA] = 13,
};

static const char *const section_name[SECTION_N] = {"custom", "type", "import", "function", "table",
	"memory", "global", "export", "start", "element", "code", "data", "data count", "tag"};

// Codes of the type section.
enum {
	TYPE_REC = 0x4e,
	TYPE_SUB_FINAL = 0x4f,
	TYPE_SUB = 0x50,
	TYPE_ARRAY = 0x5e,
	TYPE_STRUCT = 0x5f,
	TYPE_FUNC = 0x60,
};

struct decoder {
	struct we_module *module;
	struct we_module_spaces *is; // module->is
	struct we_error *err;
	struct we_vec types;    // struct we_subtype: groups make the number unknown beforehand
	struct we_vec customs;  // struct we_custom_def
	struct we_vec ifs;      // uint8_t per open block of a body: may an else follow?
	bool needs_data_count;  // a body names a data segment
	uint32_t needs_data_at; // where
	uint32_t n_own_funcs;   // of the function section
	bool is_const;          // the expression being read is a constant one
	bool has_code;          // the code section was there
};

static int no_memory(const struct decoder *d, const struct we_reader *r)
{
	return we_error_set(d->err, WE_E_NOMEM, we_reader_offset(r), "no memory to decode");
}

static int over_limit(
	const struct decoder *d, const struct we_reader *r, const char *what, uint32_t limit)
{
	return we_error_set(d->err, WE_E_INVALID, we_reader_offset(r),
		"more than the implementation limit of %u %s", limit, what);
}

static void note_feature(struct decoder *d, enum we_feature feature)
{
	d->module->features |= UINT64_C(1) << feature;
}

static void note_valtype(struct decoder *d, we_valtype type)
{
	d->module->features |= we_valtype_features(type);
}

// The number of items of a list whose items take at least one byte each.
static int read_count(struct decoder *d, struct we_reader *r, const char *what, uint32_t limit,
	uint32_t already, uint32_t *ret)
{
	const struct we_reader start = *r;
	uint32_t n;
	const int rc = we_reader_u32(r, &n);

	if (rc < 0)
		return rc;
	if (n > we_reader_left(r))
		return we_reader_fail(
			&start, "unexpected end: %u %s in %zu bytes", n, what, we_reader_left(r));
	if (n > limit || already > limit - n)
		return over_limit(d, &start, what, limit);
	*ret = n;
	return 0;
}

static void *alloc_array(struct decoder *d, size_t n, size_t elem_bytes)
{
	return we_arena_array(&d->module->arena, n, elem_bytes);
}

// Room for `more` entries behind the `n` that an index space has.
static void *grow_space(
	struct decoder *d, const void *old, uint32_t n, uint32_t more, size_t elem_bytes)
{
	uint8_t *space;

	if (more == 0 && old != NULL)
		return (void *)(uintptr_t)old;
	space = alloc_array(d, (size_t)n + more, elem_bytes);
	if (space != NULL && n > 0)
		memcpy(space, old, n * elem_bytes);
	return space;
}

// ---- types --------------------------------------------------------------------------------------

static int read_valtype(struct decoder *d, struct we_reader *r, we_valtype *ret)
{
	const int rc = we_valtype_read(r, ret);

	if (rc == 0)
		note_valtype(d, *ret);
	return rc;
}

static int read_reftype(struct decoder *d, struct we_reader *r, we_valtype *ret)
{
	const int rc = we_reftype_read(r, ret);

	if (rc == 0)
		note_valtype(d, *ret);
	return rc;
}

static int read_valtypes(struct decoder *d, struct we_reader *r, const char *what, uint32_t limit,
	const we_valtype **ret_types, uint32_t *ret_n)
{
	uint32_t n = 0;
	we_valtype *types;
	int rc = read_count(d, r, what, limit, 0, &n);

	if (rc < 0)
		return rc;
	types = alloc_array(d, n, sizeof(*types));
	if (types == NULL)
		return no_memory(d, r);
	for (uint32_t i = 0; rc == 0 && i < n; i++)
		rc = read_valtype(d, r, &types[i]);
	*ret_types = types;
	*ret_n = n;
	return rc;
}

static int read_mut(struct we_reader *r, bool *ret)
{
	const uint8_t *at = r->at;
	uint8_t byte;
	const int rc = we_reader_u8(r, &byte);

	if (rc < 0)
		return rc;
	if (byte > 1)
		return we_reader_fail_at(r, at, "malformed mutability 0x%02x", byte);
	*ret = byte == 1;
	return 0;
}

static int read_fieldtype(struct decoder *d, struct we_reader *r, struct we_fieldtype *ret)
{
	int rc = 0;

	if (!we_reader_at_end(r) && (*r->at == WE_T_I8 || *r->at == WE_T_I16))
		ret->type = *r->at++;
	else
		rc = read_valtype(d, r, &ret->type);
	return rc < 0 ? rc : read_mut(r, &ret->mut);
}

static int read_fields(struct decoder *d, struct we_reader *r, uint32_t n, struct we_subtype *type)
{
	struct we_fieldtype *fields = alloc_array(d, n, sizeof(*fields));
	int rc = 0;

	if (fields == NULL)
		return no_memory(d, r);
	for (uint32_t i = 0; rc == 0 && i < n; i++)
		rc = read_fieldtype(d, r, &fields[i]);
	type->fields = fields;
	type->n_fields = n;
	return rc;
}

static int read_comptype(struct decoder *d, struct we_reader *r, struct we_subtype *type)
{
	const uint8_t *at = r->at;
	uint8_t code;
	int rc = we_reader_u8(r, &code);

	if (rc < 0)
		return rc;
	switch (code) {
	case TYPE_FUNC:
		type->kind = WE_COMP_FUNC;
		rc = read_valtypes(
			d, r, "parameters", WE_LIMIT_PARAMS, &type->params, &type->n_params);
		if (rc == 0)
			rc = read_valtypes(d, r, "results", WE_LIMIT_RESULTS, &type->results,
				&type->n_results);
		if (rc == 0 && type->n_results > 1)
			note_feature(d, WE_FEATURE_MULTI_VALUE);
		return rc;
	case TYPE_STRUCT:
		type->kind = WE_COMP_STRUCT;
		note_feature(d, WE_FEATURE_GC);
		rc = read_count(d, r, "fields", WE_LIMIT_FIELDS, 0, &type->n_fields);
		return rc < 0 ? rc : read_fields(d, r, type->n_fields, type);
	case TYPE_ARRAY:
		type->kind = WE_COMP_ARRAY;
		note_feature(d, WE_FEATURE_GC);
		return read_fields(d, r, 1, type);
	default:
		return we_reader_fail_at(r, at, "malformed type 0x%02x", code);
	}
}

static int read_subtype(struct decoder *d, struct we_reader *r, we_typeidx group, uint32_t n_group)
{
	struct we_subtype *type;
	uint32_t n = 0;
	int rc = 0;

	if (d->types.len >= WE_LIMIT_TYPES)
		return over_limit(d, r, "types", WE_LIMIT_TYPES);
	type = we_vec_add(&d->types, sizeof(*type));
	if (type == NULL)
		return no_memory(d, r);
	type->at = we_reader_pos(r);
	type->group = group;
	type->n_group = n_group;
	type->is_final = true;
	if (!we_reader_at_end(r) && (*r->at == TYPE_SUB || *r->at == TYPE_SUB_FINAL)) {
		type->is_final = *r->at++ == TYPE_SUB_FINAL;
		rc = read_count(d, r, "supertypes", UINT32_MAX, 0, &n);
		for (uint32_t i = 0; rc == 0 && i < n; i++)
			rc = we_reader_u32(r, &type->super);
		if (rc < 0)
			return rc;
		type->n_supers = n;
		if (!type->is_final || n > 0)
			note_feature(d, WE_FEATURE_GC);
	}
	return read_comptype(d, r, type);
}

static int read_rectype(struct decoder *d, struct we_reader *r)
{
	const we_typeidx group = (we_typeidx)d->types.len;
	uint32_t n = 1;
	int rc = 0;

	if (!we_reader_at_end(r) && *r->at == TYPE_REC) {
		r->at++;
		rc = read_count(d, r, "types of a group", WE_LIMIT_RECURSION_GROUP, 0, &n);
		if (rc == 0 && n != 1)
			note_feature(d, WE_FEATURE_GC);
	}
	for (uint32_t i = 0; rc == 0 && i < n; i++)
		rc = read_subtype(d, r, group, n);
	return rc;
}

static int decode_types(struct decoder *d, struct we_reader *r)
{
	uint32_t n = 0;
	int rc = read_count(d, r, "types", WE_LIMIT_TYPES, 0, &n);

	for (uint32_t i = 0; rc == 0 && i < n; i++)
		rc = read_rectype(d, r);
	if (rc < 0)
		return rc;
	d->is->types = alloc_array(d, d->types.len, sizeof(*d->is->types));
	if (d->is->types == NULL)
		return no_memory(d, r);
	if (d->types.len > 0)
		memcpy(d->is->types, d->types.data, d->types.len * sizeof(*d->is->types));
	d->is->n_types = (uint32_t)d->types.len;
	return 0;
}

static int read_limits(struct decoder *d, struct we_reader *r, struct we_limits *ret)
{
	enum {
		HAS_MAX = 1,
		IS_64 = 4
	};
	const uint8_t *at = r->at;
	uint8_t flags;
	int rc = we_reader_u8(r, &flags);

	if (rc < 0)
		return rc;
	if (flags & ~(HAS_MAX | IS_64))
		return we_reader_fail_at(r, at, "malformed limits flags 0x%02x", flags);
	ret->has_max = (flags & HAS_MAX) != 0;
	ret->is_64 = (flags & IS_64) != 0;
	ret->max = UINT64_MAX;
	if (ret->is_64)
		note_feature(d, WE_FEATURE_MEMORY64);
	rc = we_reader_u64(r, &ret->min);
	if (rc == 0 && ret->has_max)
		rc = we_reader_u64(r, &ret->max);
	return rc;
}

static int read_tabletype(struct decoder *d, struct we_reader *r, struct we_table_def *table)
{
	int rc;

	table->at = we_reader_pos(r);
	rc = we_reftype_read(r, &table->type.elem);
	if (rc < 0)
		return rc;
	if (table->type.elem != WE_T_FUNCREF) // which tables always could hold
		note_valtype(d, table->type.elem);
	return read_limits(d, r, &table->type.limits);
}

static int read_memtype(struct decoder *d, struct we_reader *r)
{
	struct we_mem_def *mem = &d->is->mems[d->is->n_mems++];

	mem->at = we_reader_pos(r);
	return read_limits(d, r, &mem->type.limits);
}

static int read_func(struct decoder *d, struct we_reader *r)
{
	struct we_func_def *func = &d->is->funcs[d->is->n_funcs++];

	func->at = we_reader_pos(r);
	return we_reader_u32(r, &func->type_idx);
}

static int read_globaltype(struct decoder *d, struct we_reader *r, struct we_global_def *ret)
{
	int rc;

	ret->at = we_reader_pos(r);
	rc = read_valtype(d, r, &ret->type.val);
	return rc < 0 ? rc : read_mut(r, &ret->type.mut);
}

static int read_tagtype(struct decoder *d, struct we_reader *r, struct we_tag_def *ret)
{
	const uint8_t *at = r->at;
	uint8_t attribute;
	const int rc = we_reader_u8(r, &attribute);

	if (rc < 0)
		return rc;
	if (attribute != 0)
		return we_reader_fail_at(r, at, "malformed tag attribute 0x%02x", attribute);
	note_feature(d, WE_FEATURE_EXCEPTIONS);
	ret->at = (uint32_t)(at - r->base);
	return we_reader_u32(r, &ret->type_idx);
}

// ---- expressions --------------------------------------------------------------------------------

// What one instruction tells about features.
static void note_instr(struct decoder *d, const struct we_instr *in)
{
	const struct we_op_info *info = &we_op_info[in->op];

	note_feature(d, (enum we_feature)info->feature);
	if (d->is_const && info->imm == WE_IMM_NONE && (info->flags & WE_OP_FLAG_CONST) &&
		in->op != WE_OP_END)
		note_feature(d, WE_FEATURE_EXTENDED_CONST);
	switch ((enum we_imm)info->imm) {
	case WE_IMM_BLOCK:
		if (in->of.block.kind == WE_BLOCK_VAL)
			note_valtype(d, in->of.block.val);
		if (in->of.block.kind == WE_BLOCK_TYPE)
			note_feature(d, WE_FEATURE_MULTI_VALUE);
		break;
	case WE_IMM_SELECT:
		note_valtype(d, in->of.select);
		break;
	case WE_IMM_HEAPTYPE:
		note_valtype(d, in->of.heap | WE_T_NULL);
		break;
	case WE_IMM_MEMARG:
	case WE_IMM_MEMARG_LANE:
		if (in->of.mem.arg.mem > 0)
			note_feature(d, WE_FEATURE_MULTI_MEMORY);
		break;
	case WE_IMM_MEMORY:
		if (in->of.idx > 0)
			note_feature(d, WE_FEATURE_MULTI_MEMORY);
		break;
	case WE_IMM_DATA:
	case WE_IMM_DATA_MEM:
	case WE_IMM_TYPE_DATA:
		if (!d->needs_data_count) {
			d->needs_data_count = true;
			d->needs_data_at = in->at;
		}
		break;
	default: // nothing more to learn
		break;
	}
}

static int open_block(struct decoder *d, const struct we_reader *r, enum we_op op)
{
	uint8_t *is_if;

	if (d->ifs.len >= WE_LIMIT_CONTROL_DEPTH)
		return over_limit(d, r, "nested blocks", WE_LIMIT_CONTROL_DEPTH);
	is_if = we_vec_add(&d->ifs, sizeof(*is_if));
	if (is_if == NULL)
		return no_memory(d, r);
	*is_if = op == WE_OP_IF;
	return 0;
}

// Instructions up to the `end` that closes the expression.
static int scan_expr(struct decoder *d, struct we_reader *r, struct we_span *ret)
{
	int rc = 0;

	ret->at = we_reader_pos(r);
	d->ifs.len = 0;
	for (;;) {
		struct we_instr in;

		rc = we_instr_read(r, &in);
		if (rc < 0)
			return rc;
		note_instr(d, &in);
		switch (in.op) {
		case WE_OP_BLOCK:
		case WE_OP_LOOP:
		case WE_OP_IF:
		case WE_OP_TRY_TABLE:
			rc = open_block(d, r, in.op);
			if (rc < 0)
				return rc;
			break;
		case WE_OP_ELSE:
			if (d->ifs.len == 0 || !((uint8_t *)d->ifs.data)[d->ifs.len - 1])
				return we_reader_fail_at(r, r->base + in.at, "misplaced else");
			((uint8_t *)d->ifs.data)[d->ifs.len - 1] = false;
			break;
		case WE_OP_END:
			if (d->ifs.len == 0) {
				ret->end = we_reader_pos(r);
				return 0;
			}
			d->ifs.len--;
			break;
		default: // not a matter of structure
			break;
		}
	}
}

static int scan_const(struct decoder *d, struct we_reader *r, struct we_const_expr *ret)
{
	const bool needed = d->needs_data_count;
	int rc;

	d->is_const = true;
	rc = scan_expr(d, r, &ret->body);
	d->is_const = false;
	d->needs_data_count =
		needed; // such an instruction is not constant: for the validator to say
	return rc;
}

// ---- sections -----------------------------------------------------------------------------------

static int add_import(struct decoder *d, struct we_reader *r, struct we_import_def *import)
{
	struct we_module_spaces *is = d->is;
	const uint8_t *at;
	uint8_t kind = 0;
	int rc = we_reader_name(r, &import->module);

	if (rc == 0)
		rc = we_reader_name(r, &import->name);
	at = r->at;
	if (rc == 0)
		rc = we_reader_u8(r, &kind);
	if (rc < 0)
		return rc;
	switch (kind) {
	case WE_EXTERN_FUNC:
		import->idx = is->n_funcs;
		rc = read_func(d, r);
		break;
	case WE_EXTERN_TABLE:
		import->idx = is->n_tables;
		rc = read_tabletype(d, r, &is->tables[is->n_tables++]);
		break;
	case WE_EXTERN_MEMORY:
		import->idx = is->n_mems;
		rc = read_memtype(d, r);
		break;
	case WE_EXTERN_GLOBAL:
		import->idx = is->n_globals;
		rc = read_globaltype(d, r, &is->globals[is->n_globals++]);
		break;
	case WE_EXTERN_TAG:
		import->idx = is->n_tags;
		rc = read_tagtype(d, r, &is->tags[is->n_tags++]);
		break;
	default:
		return we_reader_fail_at(r, at, "malformed import kind 0x%02x", kind);
	}
	import->kind = (enum we_externkind)kind;
	return rc;
}

static int decode_imports(struct decoder *d, struct we_reader *r)
{
	struct we_module_spaces *is = d->is;
	uint32_t n = 0;
	int rc = read_count(d, r, "imports", WE_LIMIT_IMPORTS, 0, &n);

	if (rc < 0)
		return rc;
	// Each space could hold all of them; what is left over is used by the module's own.
	d->module->imports = alloc_array(d, n, sizeof(*d->module->imports));
	is->funcs = alloc_array(d, n, sizeof(*is->funcs));
	is->tables = alloc_array(d, n, sizeof(*is->tables));
	is->mems = alloc_array(d, n, sizeof(*is->mems));
	is->globals = alloc_array(d, n, sizeof(*is->globals));
	is->tags = alloc_array(d, n, sizeof(*is->tags));
	if (d->module->imports == NULL || is->funcs == NULL || is->tables == NULL ||
		is->mems == NULL || is->globals == NULL || is->tags == NULL)
		return no_memory(d, r);
	for (uint32_t i = 0; rc == 0 && i < n; i++) {
		d->module->imports[i].at = we_reader_pos(r);
		rc = add_import(d, r, &d->module->imports[i]);
	}
	d->module->n_imports = n;
	is->n_imported_funcs = is->n_funcs;
	is->n_imported_tables = is->n_tables;
	is->n_imported_mems = is->n_mems;
	is->n_imported_globals = is->n_globals;
	is->n_imported_tags = is->n_tags;
	return rc;
}

static int decode_functions(struct decoder *d, struct we_reader *r)
{
	struct we_module_spaces *is = d->is;
	uint32_t n = 0;
	int rc = read_count(d, r, "functions", WE_LIMIT_FUNCS, is->n_funcs, &n);

	if (rc < 0)
		return rc;
	is->funcs = grow_space(d, is->funcs, is->n_funcs, n, sizeof(*is->funcs));
	if (is->funcs == NULL)
		return no_memory(d, r);
	for (uint32_t i = 0; rc == 0 && i < n; i++)
		rc = read_func(d, r);
	d->n_own_funcs = n;
	return rc;
}

static int decode_tables(struct decoder *d, struct we_reader *r)
{
	enum {
		HAS_INIT = 0x40
	};
	struct we_module_spaces *is = d->is;
	uint32_t n = 0;
	int rc = read_count(d, r, "tables", WE_LIMIT_TABLES, is->n_tables, &n);

	if (rc < 0)
		return rc;
	is->tables = grow_space(d, is->tables, is->n_tables, n, sizeof(*is->tables));
	if (is->tables == NULL)
		return no_memory(d, r);
	for (uint32_t i = 0; rc == 0 && i < n; i++) {
		struct we_table_def *table = &is->tables[is->n_tables++];
		uint8_t reserved;

		if (!we_reader_at_end(r) && *r->at == HAS_INIT) {
			note_feature(d, WE_FEATURE_FUNC_REFS);
			table->has_init = true;
			r->at++;
			rc = we_reader_u8(r, &reserved);
			if (rc == 0 && reserved != 0)
				rc = we_reader_fail_at(r, r->at - 1, "malformed table");
		}
		if (rc == 0)
			rc = read_tabletype(d, r, table);
		if (rc == 0 && table->has_init)
			rc = scan_const(d, r, &table->init);
	}
	return rc;
}

static int decode_memories(struct decoder *d, struct we_reader *r)
{
	struct we_module_spaces *is = d->is;
	uint32_t n = 0;
	int rc = read_count(d, r, "memories", WE_LIMIT_MEMORIES, is->n_mems, &n);

	if (rc < 0)
		return rc;
	is->mems = grow_space(d, is->mems, is->n_mems, n, sizeof(*is->mems));
	if (is->mems == NULL)
		return no_memory(d, r);
	for (uint32_t i = 0; rc == 0 && i < n; i++)
		rc = read_memtype(d, r);
	return rc;
}

static int decode_tags(struct decoder *d, struct we_reader *r)
{
	struct we_module_spaces *is = d->is;
	uint32_t n = 0;
	int rc = read_count(d, r, "tags", WE_LIMIT_TAGS, is->n_tags, &n);

	if (rc < 0)
		return rc;
	note_feature(d, WE_FEATURE_EXCEPTIONS);
	is->tags = grow_space(d, is->tags, is->n_tags, n, sizeof(*is->tags));
	if (is->tags == NULL)
		return no_memory(d, r);
	for (uint32_t i = 0; rc == 0 && i < n; i++)
		rc = read_tagtype(d, r, &is->tags[is->n_tags++]);
	return rc;
}

static int decode_globals(struct decoder *d, struct we_reader *r)
{
	struct we_module_spaces *is = d->is;
	uint32_t n = 0;
	int rc = read_count(d, r, "globals", WE_LIMIT_GLOBALS, is->n_globals, &n);

	if (rc < 0)
		return rc;
	is->globals = grow_space(d, is->globals, is->n_globals, n, sizeof(*is->globals));
	if (is->globals == NULL)
		return no_memory(d, r);
	for (uint32_t i = 0; rc == 0 && i < n; i++) {
		struct we_global_def *global = &is->globals[is->n_globals++];

		rc = read_globaltype(d, r, global);
		if (rc == 0)
			rc = scan_const(d, r, &global->init);
	}
	return rc;
}

static int decode_exports(struct decoder *d, struct we_reader *r)
{
	uint32_t n = 0;
	int rc = read_count(d, r, "exports", WE_LIMIT_EXPORTS, 0, &n);

	if (rc < 0)
		return rc;
	d->module->exports = alloc_array(d, n, sizeof(*d->module->exports));
	if (d->module->exports == NULL)
		return no_memory(d, r);
	for (uint32_t i = 0; rc == 0 && i < n; i++) {
		struct we_export_def *export = &d->module->exports[i];
		uint8_t kind = 0;

		export->at = we_reader_pos(r);
		rc = we_reader_name(r, &export->name);
		if (rc == 0)
			rc = we_reader_u8(r, &kind);
		if (rc == 0 && kind > WE_EXTERN_TAG)
			rc = we_reader_fail_at(r, r->at - 1, "malformed export kind 0x%02x", kind);
		if (rc == 0)
			rc = we_reader_u32(r, &export->idx);
		export->kind = (enum we_externkind)kind;
	}
	d->module->n_exports = n;
	return rc;
}

static int decode_start(struct decoder *d, struct we_reader *r)
{
	d->module->has_start = true;
	d->module->start_at = we_reader_pos(r);
	return we_reader_u32(r, &d->module->start);
}

static int read_elem_items(
	struct decoder *d, struct we_reader *r, bool has_exprs, struct we_elem_def *elem)
{
	uint32_t n = 0;
	struct we_const_expr *exprs = NULL;
	we_funcidx *funcs = NULL;
	int rc = read_count(d, r, "element items", WE_LIMIT_ELEM_ITEMS, 0, &n);

	if (rc < 0)
		return rc;
	if (has_exprs)
		exprs = alloc_array(d, n, sizeof(*exprs));
	else
		funcs = alloc_array(d, n, sizeof(*funcs));
	if (exprs == NULL && funcs == NULL)
		return no_memory(d, r);
	for (uint32_t i = 0; rc == 0 && i < n; i++)
		rc = has_exprs ? scan_const(d, r, &exprs[i]) : we_reader_u32(r, &funcs[i]);
	elem->n = n;
	elem->exprs = exprs;
	elem->funcs = funcs;
	return rc;
}

// Bits of the first field: 0 passive or declarative, 1 explicit table or declarative, 2
// expressions.
static int read_elem(struct decoder *d, struct we_reader *r, struct we_elem_def *elem)
{
	enum {
		NOT_ACTIVE = 1,
		EXPLICIT = 2,
		EXPRS = 4
	};
	const uint8_t *at = r->at;
	uint32_t flags;
	uint8_t kind;
	int rc = we_reader_u32(r, &flags);

	if (rc < 0)
		return rc;
	if (flags > (NOT_ACTIVE | EXPLICIT | EXPRS))
		return we_reader_fail_at(r, at, "malformed elements segment kind %u", flags);
	if (flags != 0)
		note_feature(d, WE_FEATURE_BULK_MEMORY);
	elem->type = WE_T_FUNCREF;
	if (flags & NOT_ACTIVE) {
		elem->mode = flags & EXPLICIT ? WE_ELEM_DECLARATIVE : WE_ELEM_PASSIVE;
	} else {
		elem->mode = WE_ELEM_ACTIVE;
		if (flags & EXPLICIT)
			rc = we_reader_u32(r, &elem->table);
		if (rc == 0)
			rc = scan_const(d, r, &elem->offset);
	}
	if (rc == 0 && (flags & (NOT_ACTIVE | EXPLICIT))) {
		if (flags & EXPRS) {
			rc = read_reftype(d, r, &elem->type);
		} else {
			rc = we_reader_u8(r, &kind);
			if (rc == 0 && kind != 0)
				rc = we_reader_fail_at(
					r, r->at - 1, "malformed element kind 0x%02x", kind);
			// A list of functions never holds null.
			elem->type = WE_T_REF | WE_HEAP_FUNC;
		}
	} else if (!(flags & EXPRS)) {
		elem->type = WE_T_REF | WE_HEAP_FUNC;
	}
	return rc < 0 ? rc : read_elem_items(d, r, (flags & EXPRS) != 0, elem);
}

static int decode_elems(struct decoder *d, struct we_reader *r)
{
	uint32_t n = 0;
	int rc = read_count(d, r, "element segments", WE_LIMIT_ELEMS, 0, &n);

	if (rc < 0)
		return rc;
	d->is->elems = alloc_array(d, n, sizeof(*d->is->elems));
	if (d->is->elems == NULL)
		return no_memory(d, r);
	for (uint32_t i = 0; rc == 0 && i < n; i++) {
		d->is->elems[i].at = we_reader_pos(r);
		rc = read_elem(d, r, &d->is->elems[i]);
	}
	d->is->n_elems = n;
	return rc;
}

static int decode_data_count(struct decoder *d, struct we_reader *r)
{
	note_feature(d, WE_FEATURE_BULK_MEMORY);
	d->module->has_data_count = true;
	return we_reader_u32(r, &d->module->data_count);
}

static int read_locals(struct decoder *d, struct we_reader *r, struct we_func_def *func)
{
	struct we_local_run *runs;
	uint64_t n_locals = 0;
	uint32_t n = 0;
	int rc = read_count(d, r, "local declarations", UINT32_MAX, 0, &n);

	if (rc < 0)
		return rc;
	if (n > WE_LIMIT_LOCALS)
		return over_limit(d, r, "local declarations", WE_LIMIT_LOCALS);
	runs = alloc_array(d, n, sizeof(*runs));
	if (runs == NULL)
		return no_memory(d, r);
	for (uint32_t i = 0; rc == 0 && i < n; i++) {
		rc = we_reader_u32(r, &runs[i].n);
		if (rc < 0)
			return rc;
		n_locals += runs[i].n;
		if (n_locals > UINT32_MAX)
			return we_reader_fail(r, "too many locals");
		rc = read_valtype(d, r, &runs[i].type);
	}
	if (rc == 0 && n_locals > WE_LIMIT_LOCALS)
		return over_limit(d, r, "locals", WE_LIMIT_LOCALS);
	func->runs = runs;
	func->n_runs = n;
	func->n_locals = (uint32_t)n_locals; // the validator adds the parameters
	return rc;
}

static int read_code(struct decoder *d, struct we_reader *r, struct we_func_def *func)
{
	const uint64_t max = d->module->engine->config.max_func_bytes;
	struct we_reader body;
	uint32_t len;
	int rc = we_reader_u32(r, &len);

	if (rc == 0)
		rc = we_reader_sub(r, len, &body);
	if (rc < 0)
		return rc;
	if (len > max)
		return over_limit(d, &body, "bytes of one function", (uint32_t)max);
	rc = read_locals(d, &body, func);
	func->body.at = we_reader_pos(&body);
	func->body.end = func->body.at + (uint32_t)we_reader_left(&body);
	return rc;
}

static int decode_code(struct decoder *d, struct we_reader *r)
{
	struct we_module_spaces *is = d->is;
	const struct we_reader start = *r;
	uint32_t n = 0;
	int rc = we_reader_u32(r, &n);

	if (rc < 0)
		return rc;
	if (n != d->n_own_funcs)
		return we_reader_fail(&start,
			"function and code section have inconsistent lengths: %u and %u",
			d->n_own_funcs, n);
	for (uint32_t i = 0; rc == 0 && i < n; i++) {
		const we_funcidx idx = is->n_imported_funcs + i;

		rc = read_code(d, r, &is->funcs[idx]);
		if (rc < 0) {
			d->err->func = idx;
			we_error_add(d->err, ", in function %u", idx);
		}
	}
	d->has_code = true;
	return rc;
}

static int read_data(struct decoder *d, struct we_reader *r, struct we_data_def *data)
{
	enum {
		ACTIVE,
		PASSIVE,
		EXPLICIT
	};
	const uint8_t *at = r->at;
	struct we_reader bytes;
	uint32_t flags;
	uint32_t len = 0;
	int rc = we_reader_u32(r, &flags);

	if (rc < 0)
		return rc;
	if (flags > EXPLICIT)
		return we_reader_fail_at(r, at, "malformed data segment kind %u", flags);
	data->mode = flags == PASSIVE ? WE_DATA_PASSIVE : WE_DATA_ACTIVE;
	if (flags == PASSIVE)
		note_feature(d, WE_FEATURE_BULK_MEMORY);
	if (flags == EXPLICIT)
		rc = we_reader_u32(r, &data->mem);
	if (rc == 0 && flags != PASSIVE)
		rc = scan_const(d, r, &data->offset);
	if (rc == 0)
		rc = we_reader_u32(r, &len);
	if (rc == 0)
		rc = we_reader_sub(r, len, &bytes);
	if (rc < 0)
		return rc;
	data->bytes.data = bytes.at;
	data->bytes.len = len;
	return 0;
}

static int decode_datas(struct decoder *d, struct we_reader *r)
{
	const struct we_reader start = *r;
	uint32_t n = 0;
	int rc = read_count(d, r, "data segments", WE_LIMIT_DATAS, 0, &n);

	if (rc < 0)
		return rc;
	if (d->module->has_data_count && n != d->module->data_count)
		return we_reader_fail(&start,
			"data count and data section have inconsistent lengths: %u and %u",
			d->module->data_count, n);
	d->is->datas = alloc_array(d, n, sizeof(*d->is->datas));
	if (d->is->datas == NULL)
		return no_memory(d, r);
	for (uint32_t i = 0; rc == 0 && i < n; i++) {
		d->is->datas[i].at = we_reader_pos(r);
		rc = read_data(d, r, &d->is->datas[i]);
	}
	d->is->n_datas = n;
	return rc;
}

static int decode_custom(struct decoder *d, struct we_reader *r)
{
	struct we_custom_def *custom = we_vec_add(&d->customs, sizeof(*custom));
	int rc;

	if (custom == NULL)
		return no_memory(d, r);
	rc = we_reader_name(r, &custom->name);
	if (rc < 0)
		return rc;
	custom->at = we_reader_pos(r);
	return we_reader_bytes(r, we_reader_left(r), &custom->payload);
}

static int decode_section(struct decoder *d, enum section id, struct we_reader *r)
{
	switch (id) {
	case SECTION_CUSTOM:
		return decode_custom(d, r);
	case SECTION_TYPE:
		return decode_types(d, r);
	case SECTION_IMPORT:
		return decode_imports(d, r);
	case SECTION_FUNCTION:
		return decode_functions(d, r);
	case SECTION_TABLE:
		return decode_tables(d, r);
	case SECTION_MEMORY:
		return decode_memories(d, r);
	case SECTION_GLOBAL:
		return decode_globals(d, r);
	case SECTION_EXPORT:
		return decode_exports(d, r);
	case SECTION_START:
		return decode_start(d, r);
	case SECTION_ELEM:
		return decode_elems(d, r);
	case SECTION_CODE:
		return decode_code(d, r);
	case SECTION_DATA:
		return decode_datas(d, r);
	case SECTION_DATA_COUNT:
		return decode_data_count(d, r);
	case SECTION_TAG:
		return decode_tags(d, r);
	case SECTION_N:
		break;
	}
	__builtin_unreachable();
}

static const uint8_t magic[4] = {0x00, 'a', 's', 'm'};
static const uint8_t version[4] = {0x01, 0x00, 0x00, 0x00};

static int decode_header(struct we_reader *r)
{
	const size_t left = we_reader_left(r);

	if (left < sizeof(magic))
		return we_reader_fail(r, "unexpected end: no magic header");
	if (memcmp(r->at, magic, sizeof(magic)) != 0)
		return we_reader_fail(r,
			"magic header not detected: found %02x %02x %02x %02x, expected 00 61 73 "
			"6d",
			r->at[0], r->at[1], r->at[2], r->at[3]);
	r->at += sizeof(magic);
	if (left < sizeof(magic) + sizeof(version))
		return we_reader_fail(r, "unexpected end: no version");
	if (memcmp(r->at, version, sizeof(version)) != 0)
		return we_reader_fail(r,
			"unknown binary version %02x %02x %02x %02x, expected 01 00 00 00",
			r->at[0], r->at[1], r->at[2], r->at[3]);
	r->at += sizeof(version);
	return 0;
}

// Say in the message where it happened.
static void name_section(struct we_error *err, enum section id)
{
	we_error_add(err, ", in the %s section", section_name[id]);
}

static int decode_sections(struct decoder *d, struct we_reader *r)
{
	unsigned last = 0; // place of the last section that was not custom

	while (!we_reader_at_end(r)) {
		const uint8_t *at = r->at;
		struct we_reader section;
		uint32_t len = 0;
		uint8_t id;
		int rc = we_reader_u8(r, &id);

		if (rc < 0)
			return rc;
		if (id >= SECTION_N)
			return we_reader_fail_at(r, at, "malformed section id %u", id);
		rc = we_reader_u32(r, &len);
		if (rc == 0)
			rc = we_reader_sub(r, len, &section);
		if (rc < 0)
			return rc;
		if (id != SECTION_CUSTOM) {
			if (section_order[id] <= last)
				return we_reader_fail_at(r, at,
					"unexpected content after last section: %s section out of "
					"order",
					section_name[id]);
			last = section_order[id];
		}
		rc = decode_section(d, (enum section)id, &section);
		if (rc < 0) {
			name_section(d->err, (enum section)id);
			return rc;
		}
		if (!we_reader_at_end(&section))
			return we_reader_fail(&section,
				"section size mismatch: %zu bytes left in the %s section",
				we_reader_left(&section), section_name[id]);
	}
	return 0;
}

// What only the end of the file tells.
static int check_whole(struct decoder *d, const struct we_reader *r)
{
	const struct we_module *module = d->module;

	if (!d->has_code && d->n_own_funcs > 0)
		return we_reader_fail(r,
			"function and code section have inconsistent lengths: %u and 0",
			d->n_own_funcs);
	if (module->has_data_count && module->data_count != d->is->n_datas)
		return we_reader_fail(r,
			"data count and data section have inconsistent lengths: %u and %u",
			module->data_count, d->is->n_datas);
	return 0;
}

// One body, up to its `end`, which must be its last byte.
static int scan_body(struct decoder *d, const struct we_func_def *func)
{
	struct we_reader r;
	struct we_span span;
	int rc;

	we_module_reader(d->module, func->body, &r, d->err);
	rc = scan_expr(d, &r, &span);
	if (rc == 0 && !we_reader_at_end(&r))
		rc = we_reader_fail(&r, "END opcode expected: section size mismatch");
	if (rc == 0 && d->needs_data_count && !d->module->has_data_count)
		rc = we_reader_fail_at(
			&r, r.base + d->needs_data_at, "data count section required");
	return rc;
}

int we_module_scan(struct we_module *module, struct we_error *err)
{
	struct decoder d = {.module = module, .is = &module->is, .err = err};
	int rc = 0;

	for (we_funcidx i = d.is->n_imported_funcs; rc == 0 && i < d.is->n_funcs; i++) {
		rc = scan_body(&d, &d.is->funcs[i]);
		if (rc < 0)
			err->func = i;
	}
	we_vec_fini(&d.ifs);
	return rc;
}

int we_module_decode(struct we_module *module, struct we_error *err)
{
	struct decoder d = {.module = module, .is = &module->is, .err = err};
	struct we_reader r;
	int rc;

	we_reader_init(&r, module->bytes, module->file_offset, err);
	module->features = UINT64_C(1) << WE_FEATURE_MVP;
	rc = decode_header(&r);
	if (rc == 0)
		rc = decode_sections(&d, &r);
	if (rc == 0)
		rc = check_whole(&d, &r);
	if (rc == 0 && module->is.n_tables > 1)
		note_feature(&d, WE_FEATURE_REF_TYPES);
	if (rc == 0 && module->is.n_mems > 1)
		note_feature(&d, WE_FEATURE_MULTI_MEMORY);
	if (rc == 0 && d.customs.len > 0) {
		module->customs = alloc_array(&d, d.customs.len, sizeof(*module->customs));
		if (module->customs == NULL)
			rc = no_memory(&d, &r);
		else
			memcpy(module->customs, d.customs.data,
				d.customs.len * sizeof(*module->customs));
	}
	if (rc == 0)
		module->n_customs = (uint32_t)d.customs.len;
	we_vec_fini(&d.types);
	we_vec_fini(&d.customs);
	we_vec_fini(&d.ifs);
	return rc;
}

void we_module_name_section(const struct we_module *module, struct we_error *err)
{
	const uint64_t at = err->offset - module->file_offset;
	struct we_error ignored;
	struct we_reader r;
	int rc = 0;

	we_reader_init(&r, module->bytes, 0, &ignored);
	r.at += sizeof(magic) + sizeof(version);
	while (rc == 0 && !we_reader_at_end(&r)) {
		struct we_reader section;
		uint8_t id;
		uint32_t len = 0;

		rc = we_reader_u8(&r, &id);
		if (rc == 0)
			rc = we_reader_u32(&r, &len);
		if (rc == 0)
			rc = we_reader_sub(&r, len, &section);
		if (rc == 0 && at < we_reader_offset(&r)) {
			if (at >= we_reader_offset(&section))
				name_section(err, (enum section)id);
			return;
		}
	}
}
