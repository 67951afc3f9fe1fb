// SPDX-License-Identifier: BSD-3-Clause
// syntax: a component as it stands in the binary, indices and all, before any rule has been checked.
//
// Module path 5/6, between decode (malformed) and validate (invalid). A component, a component type and an
// instance type are all a list of items.
// Owns:   nothing; items live in the arena of the component, bytes in the caller's buffer.
// Thread: one, while the component is created.
// Spec:   Binary.md; the names are its nonterminals.
#pragma once

#include "component.h"
#include "we.h"

// valtype: absent, a primitive, or a typeidx.
struct cm_syntax_valtype {
	bool is_present;
	bool is_idx;
	uint32_t of; // typeidx, or enum cm_typekind
};

struct cm_syntax_field {
	struct cm_name name;
	uint64_t offset;
	struct cm_syntax_valtype type;
};

struct cm_syntax_items {
	const struct cm_syntax_item *items; // [n]
	uint32_t n;
};

// deftype
struct cm_syntax_type {
	enum cm_typekind kind; // a primitive: an alias of it
	const struct cm_syntax_field *fields;
	uint32_t n_fields;
	struct cm_syntax_valtype
		elem; // list, option, stream, future, own, borrow, map key, func result, ok
	struct cm_syntax_valtype second; // map value, error
	uint32_t length;                 // FIXED_LIST
	bool is_async;                   // FUNC
	bool has_dtor;                   // RESOURCE
	bool is_rep_i32;                 // RESOURCE
	uint32_t dtor_idx;               // RESOURCE: core funcidx
	struct cm_syntax_items body;     // INSTANCE, COMPONENT
};

// core:moduledecl
enum cm_moduledecl {
	CM_MODULEDECL_TYPE,
	CM_MODULEDECL_ALIAS,
	CM_MODULEDECL_IMPORT,
	CM_MODULEDECL_EXPORT,
};
struct cm_syntax_moduledecl {
	enum cm_moduledecl kind;
	uint64_t offset;
	bool is_module;        // TYPE: a module type, which validation refuses
	struct cm_name module; // IMPORT
	struct cm_name name;   // IMPORT, EXPORT
	struct we_bytes type;  // TYPE: a core rectype; IMPORT, EXPORT: a core externtype
	uint32_t n_out, idx;   // ALIAS
};

// core:type
struct cm_syntax_coretype {
	bool is_module;
	struct we_bytes rectype; // !is_module
	const struct cm_syntax_moduledecl *decls;
	uint32_t n_decls;
};

// externtype
struct cm_syntax_extern {
	enum cm_sort sort;
	bool is_abstract; // TYPE: (sub resource)
	uint32_t idx;     // typeidx, or core typeidx of a module
};

// nameattributes
struct cm_syntax_name {
	struct cm_name name;
	struct cm_name implements;
	struct cm_name version_suffix;
	bool has_implements, has_version_suffix, has_external_id;
	bool has_duplicate; // one kind of attribute twice
};

enum cm_itemkind {
	CM_ITEM_CORE_MODULE,
	CM_ITEM_CORE_INSTANCE,
	CM_ITEM_CORE_TYPE,
	CM_ITEM_COMPONENT,
	CM_ITEM_INSTANCE,
	CM_ITEM_ALIAS_EXPORT,
	CM_ITEM_ALIAS_CORE_EXPORT,
	CM_ITEM_ALIAS_OUTER,
	CM_ITEM_TYPE,
	CM_ITEM_LIFT,
	CM_ITEM_LOWER,
	CM_ITEM_CANON,
	CM_ITEM_START,
	CM_ITEM_VALUE,
	CM_ITEM_IMPORT,      // definition or declarator
	CM_ITEM_EXPORT,      // definition
	CM_ITEM_EXPORT_DECL, // declarator
};

struct cm_syntax_item {
	enum cm_itemkind kind;
	uint64_t offset; // bytes from the start of the file
	union {
		struct we_bytes module;
		struct {
			struct we_bytes bytes;
			struct cm_syntax_items body;
		} component;
		struct {                // CORE_INSTANCE, INSTANCE
			bool is_inline; // inline exports, else instantiate
			uint32_t idx;
			const struct cm_arg *args;
			const struct cm_syntax_name *names; // [n_args] of INSTANCE, is_inline
			uint32_t n_args;
		} instance;
		struct { // ALIAS_*
			enum cm_sort sort;
			uint32_t idx; // instance, or item outside
			uint32_t n_out;
			struct cm_name name;
		} alias;
		struct cm_syntax_type type;
		struct cm_syntax_coretype core_type;
		struct { // LIFT, LOWER, CANON
			enum cm_canon op;
			uint32_t idx; // function, or typeidx of a stream, future, resource
			uint32_t type_idx;
			bool is_async, is_cancellable, is_shared;
			bool is_slot_i32;
			uint32_t slot;
			uint32_t core_type_idx, core_table_idx;
			struct cm_syntax_valtype result;
			struct cm_canon_opts opts;
			uint8_t n_encoding, n_memory, n_realloc, n_post_return, n_async,
				n_callback; // saturating
		} canon;
		struct { // IMPORT, EXPORT, EXPORT_DECL
			struct cm_syntax_name name;
			struct cm_syntax_extern type;
			bool has_type;     // EXPORT: ascribed
			enum cm_sort sort; // EXPORT
			uint32_t idx;      // EXPORT
		} extrn;
	} of;
};
