// SPDX-License-Identifier: BSD-3-Clause
// validate: syntax -> a component that is fit to be instantiated.
//
// Module path 5/6. Walks the items once, in order, with one scope for each component, component type and
// instance type that is open. What fails here is invalid. A gated feature is noted and the walk goes on, so
// that a binary which is invalid in any case is called so.
// Owns:   scopes, until they are closed. Thread: one, while the component is created.
// Spec:   Binary.md (the notes under each grammar), Explainer.md, CanonicalABI.md "canonopt Validation".
#pragma once

#include "component_root.h"
#include "name.h"
#include "ptr_map.h"
#include "syntax.h"
#include "type_match.h"
#include "type_subst.h"
#include "vec.h"

// What an index space says about an index.
struct cm_item {
	struct we_externtype core; // CORE_FUNC .. CORE_TAG; CORE_TYPE of a function
	const struct cm_moduletype
		*module;         // CORE_MODULE; CORE_TYPE of a module; CORE_INSTANCE: its exports
	struct we_bytes rectype; // CORE_TYPE of anything else
	const struct cm_type *type; // FUNC, TYPE, COMPONENT, INSTANCE
};

// The names of a scope's imports, or of its exports.
struct cm_namespace {
	struct cm_name_set names;
	struct cm_ptr_map resources;       // resource -> text of its name
	struct cm_name_set resource_names; // the same names, to be found by text
};

// Invariant: component is NULL for a type; kind is COMPONENT or INSTANCE.
struct cm_scope {
	struct cm_scope *parent;
	enum cm_typekind kind;
	struct cm_component *component;
	struct we_vec spaces[CM_SORT_N]; // struct cm_item
	struct we_vec defs;              // struct cm_def
	struct we_vec imports;           // struct cm_extern
	struct we_vec exports;           // struct cm_extern
	struct cm_namespace import_names;
	struct cm_namespace export_names;
	struct cm_ptr_map
		import_visible; // types that imports may mention; Spec: "External Visibility of Types"
	struct cm_ptr_map export_visible; // types that exports may mention
	struct we_vec bound_imports; // const struct cm_type *: resources that imports introduce
	struct we_vec
		bound_exports; // const struct cm_type *: those that exports, definitions, instances do
	struct cm_ptr_map local_resources; // those that this component itself defines
};

struct cm_validator {
	struct we_engine *engine;
	struct we_arena *arena;
	struct cm_component_root *root;
	struct we_error *err;
	uint32_t nodes_left;     // CM_MAX_TYPE_NODES
	uint32_t steps_left;     // CM_MAX_TYPE_STEPS
	enum cm_feature refused; // the first feature that is refused here; CM_FEATURE_BASE: none
	uint64_t refused_offset;
};

// Fills root->component and what it owns. Borrows: bytes behind the syntax, for the call.
// Returns: 0; INVALID, UNSUPPORTED, NOMEM; what core modules fail with.
WE_MUST_USE int cm_validate(struct we_engine *engine, struct cm_component_root *root,
	const struct cm_syntax_items *body, struct we_error *err);

// ---- shared by the files of the validator -------------------------------------------------------

int cm_invalid(const struct cm_validator *v, uint64_t offset, const char *fmt, ...) WE_PRINTF(3, 4);
int cm_nomem(const struct cm_validator *v, uint64_t offset);
// A failure of type.h, type_subst.h: INVALID gets the text that it did not bring.
int cm_type_failed(
	const struct cm_validator *v, int rc, const struct cm_type *type, uint64_t offset);
// Note that a gated feature is used.
void cm_use(struct cm_validator *v, enum cm_feature feature, uint64_t offset);
WE_MUST_USE int cm_spend_steps(struct cm_validator *v, uint64_t n, uint64_t offset);
WE_MUST_USE int cm_name_dup(
	struct cm_validator *v, struct we_bytes bytes, uint64_t offset, struct cm_name *ret_name);

// Returns: 0; INVALID when the index space has no such index.
WE_MUST_USE int cm_scope_item(const struct cm_validator *v, const struct cm_scope *scope,
	enum cm_sort sort, uint32_t idx, uint64_t offset, const struct cm_item **ret_item);
WE_MUST_USE int cm_scope_push(struct cm_validator *v, struct cm_scope *scope, enum cm_sort sort,
	const struct cm_item *item, uint64_t offset);
// Append a definition that will get the next index of its sort. Nothing in a scope that is a type.
WE_MUST_USE int cm_scope_define(struct cm_validator *v, struct cm_scope *scope,
	enum cm_defkind kind, enum cm_sort sort, uint64_t offset, struct cm_def **ret_def);
WE_MUST_USE int cm_validate_items(
	struct cm_validator *v, struct cm_scope *scope, const struct cm_syntax_items *body);
void cm_scope_fini(struct cm_scope *scope);
// What the items of a closed scope are, seen from outside.
WE_MUST_USE int cm_scope_type(struct cm_validator *v, struct cm_scope *scope, uint64_t offset,
	const struct cm_type **ret_type);
struct cm_scope *cm_scope_out(struct cm_scope *scope, uint32_t n_out); // NULL: not so many

// core modules and instances: validate_core.c
WE_MUST_USE int cm_validate_core_module(
	struct cm_validator *v, struct cm_scope *scope, const struct cm_syntax_item *item);
WE_MUST_USE int cm_validate_core_type(
	struct cm_validator *v, struct cm_scope *scope, const struct cm_syntax_item *item);
WE_MUST_USE int cm_validate_core_instance(
	struct cm_validator *v, struct cm_scope *scope, const struct cm_syntax_item *item);
// Returns: the export of a core instance, or NULL.
const struct cm_coreextern *cm_core_export(const struct cm_item *instance, struct cm_name name);

// types: validate_type.c
WE_MUST_USE int cm_validate_type(
	struct cm_validator *v, struct cm_scope *scope, const struct cm_syntax_item *item);
WE_MUST_USE int cm_validate_valtype(struct cm_validator *v, const struct cm_scope *scope,
	const struct cm_syntax_valtype *syntax, uint64_t offset, const struct cm_type **ret_type);

// imports and exports: validate_extern.c
WE_MUST_USE int cm_validate_import(
	struct cm_validator *v, struct cm_scope *scope, const struct cm_syntax_item *item);
WE_MUST_USE int cm_validate_export_decl(
	struct cm_validator *v, struct cm_scope *scope, const struct cm_syntax_item *item);
WE_MUST_USE int cm_validate_export(
	struct cm_validator *v, struct cm_scope *scope, const struct cm_syntax_item *item);
// Check a name for itself, against the names before it and against what it names.
WE_MUST_USE int cm_validate_extern_name(struct cm_validator *v, const struct cm_syntax_name *name,
	const struct cm_extern *ext, const char *what, struct cm_namespace *space, uint64_t offset);
void cm_namespace_fini(struct cm_namespace *space);
// The item of a sort as an extern without name. Fails for sorts that components do not trade in.
WE_MUST_USE int cm_extern_of_item(struct cm_validator *v, const struct cm_scope *scope,
	enum cm_sort sort, uint32_t idx, uint64_t offset, struct cm_extern *ret_ext);

// canonical definitions: validate_canon.c
WE_MUST_USE int cm_validate_canon(
	struct cm_validator *v, struct cm_scope *scope, const struct cm_syntax_item *item);
