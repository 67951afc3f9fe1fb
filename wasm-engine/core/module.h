// SPDX-License-Identifier: BSD-3-Clause
// we_module: a module as it was decoded, checked, and translated.
//
// Module path 1/6 to 3/6. Index spaces are whole: imported things come first, then the module's
// own.
// Owns:   all it points to, in its arena; its own copy of the binary.
// Thread: immutable once we_module_create returns; the reference count and the list of images are atomic.
// Spec:   core "Modules".
#pragma once

#include <stdatomic.h>

#include "arena.h"
#include "type.h"

struct we_blocktype;
struct we_image;
struct we_module_jit;
struct we_reader;

// Spec: core "Recursive Types", "Composite Types".
struct we_fieldtype {
	we_valtype type; // value type, WE_T_I8 or WE_T_I16
	bool mut;
};

struct we_subtype {
	enum we_comp kind;
	bool is_final;
	uint32_t n_supers;            // 0 or 1
	we_typeidx super;             // when n_supers is 1
	we_typeidx group;             // first type of the recursion group
	uint32_t n_group;             // types in the group
	uint32_t at;                  // bytes from the start of the module
	const struct we_deftype *def; // made by the validator
	const we_valtype *params;     // FUNC [n_params]
	const we_valtype *results;    // FUNC [n_results]
	uint32_t n_params;
	uint32_t n_results;
	const struct we_fieldtype *fields; // STRUCT [n_fields], ARRAY [1]
	uint32_t n_fields;
};

// Bytes of the module from at up to end.
struct we_span {
	uint32_t at;
	uint32_t end;
};

struct we_local_run {
	uint32_t n; // locals
	we_valtype type;
};

// A function of the index space.
struct we_func_def {
	uint32_t at; // of its type index, bytes from the start of the module
	const struct we_functype *type;
	we_typeidx type_idx;
	struct we_span body;       // the instructions, `end` included; empty for an import
	struct we_local_run *runs; // declared locals, parameters not included
	uint32_t n_runs;
	uint32_t n_locals;    // parameters included
	bool is_declared;     // may be named by ref.func in a body
	struct we_bytes name; // from the name section, or empty
	void *code;           // of the execution tier
};

// An expression of `end`-terminated constant instructions.
struct we_const_expr {
	struct we_span body; // `end` included
};

struct we_table_def {
	uint32_t at; // bytes from the start of the module
	struct we_tabletype type;
	bool has_init;
	struct we_const_expr init;
};

struct we_mem_def {
	uint32_t at; // bytes from the start of the module
	struct we_memtype type;
};

struct we_global_def {
	uint32_t at; // bytes from the start of the module
	struct we_globaltype type;
	struct we_const_expr init;
};

struct we_tag_def {
	uint32_t at; // bytes from the start of the module
	const struct we_functype *type;
	we_typeidx type_idx;
};

struct we_elem_def {
	enum {
		WE_ELEM_ACTIVE,
		WE_ELEM_PASSIVE,
		WE_ELEM_DECLARATIVE
	} mode;
	uint32_t at; // bytes from the start of the module
	we_valtype type;
	we_tableidx table;                 // ACTIVE
	struct we_const_expr offset;       // ACTIVE
	uint32_t n;                        // items
	const we_funcidx *funcs;           // [n], or NULL when items are expressions
	const struct we_const_expr *exprs; // [n], or NULL
};

struct we_data_def {
	enum {
		WE_DATA_ACTIVE,
		WE_DATA_PASSIVE
	} mode;
	uint32_t at;                 // bytes from the start of the module
	we_memidx mem;               // ACTIVE
	struct we_const_expr offset; // ACTIVE
	struct we_bytes bytes;       // lent from the module's copy
};

struct we_import_def {
	struct we_bytes module;
	struct we_bytes name;
	enum we_externkind kind;
	uint32_t idx; // in the index space of its kind
	uint32_t at;  // bytes from the start of the module
};

struct we_export_def {
	struct we_bytes name;
	enum we_externkind kind;
	uint32_t idx;
	uint32_t at;
};

struct we_custom_def {
	struct we_bytes name;
	struct we_bytes payload;
	uint32_t at; // of the payload
};

// The parts of a module, one array per index space.
struct we_module_spaces {
	struct we_subtype *types;
	struct we_func_def *funcs;
	struct we_table_def *tables;
	struct we_mem_def *mems;
	struct we_global_def *globals;
	struct we_tag_def *tags;
	struct we_elem_def *elems;
	struct we_data_def *datas;
	uint32_t n_types;
	uint32_t n_funcs;
	uint32_t n_tables;
	uint32_t n_mems;
	uint32_t n_globals;
	uint32_t n_tags;
	uint32_t n_elems;
	uint32_t n_datas;
	uint32_t n_imported_funcs;
	uint32_t n_imported_tables;
	uint32_t n_imported_mems;
	uint32_t n_imported_globals;
	uint32_t n_imported_tags;
};

struct we_module {
	struct we_engine *engine;
	_Atomic uint32_t refs;
	struct we_arena arena;
	struct we_bytes bytes;          // the whole binary, this module's copy
	uint64_t file_offset;           // of bytes[0], added to offsets in messages
	uint64_t features;              // bits of enum we_feature: what the module uses
	struct we_module_spaces is;     // index spaces
	const struct we_deftype **defs; // of is.types: [n_types], for native code
	_Atomic(struct we_image *)
		images; // native code, in the order of publication; NULL: none yet
	struct we_import_def *imports;
	struct we_export_def *exports;
	const struct we_export_def **exports_by_name; // sorted by the validator: [n_exports]
	struct we_custom_def *customs;
	uint32_t n_imports;
	uint32_t n_exports;
	uint32_t n_customs;
	bool has_start;
	we_funcidx start;
	uint32_t start_at; // bytes from the start of the module
	bool has_data_count;
	uint32_t data_count;
	struct we_bytes name;      // from the name section, or empty
	struct we_module_jit *jit; // NULL: was not to be compiled yet; under a lock of the engine
};

// A reader over part of the module, whose offsets are the file's.
void we_module_reader(const struct we_module *module, struct we_span span, struct we_reader *ret,
	struct we_error *err);
// The block type's function type in terms of value types: *ret_params [0..n), *ret_results
// likewise, lent from the module or from `block`. The block must be valid.
void we_blocktype_types(const struct we_module *module, const struct we_blocktype *block,
	const we_valtype **ret_params, uint32_t *ret_n_params, const we_valtype **ret_results,
	uint32_t *ret_n_results);
// Make a type one of the engine. Returns: false when it names a type that the module does not have.
bool we_module_resolve_type(const struct we_module *module, we_valtype *type);
// Type of local i (parameters first), i < n_locals.
we_valtype we_func_def_local(const struct we_func_def *func, we_localidx i);
// Add to the message which function is to blame: its index, and its name if it has one. NULL is fine.
void we_module_name_func(const struct we_module *module, we_funcidx func, struct we_error *err);
