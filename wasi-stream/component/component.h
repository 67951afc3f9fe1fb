// SPDX-License-Identifier: BSD-3-Clause
// component: a decoded and valid component, as the instantiator executes it.
//
// Module path 5/6. A component is a flat list of definitions. Each appends one item to one index space
// (of the sort in `sort`), in order, so that an instantiator that runs the list from the first to the last
// finds every index it meets already filled. Everything is type-checked: only the imports of the
// outermost component remain to be checked when it is instantiated.
// Owns:   core modules (a reference each) and the arena with all else; nested components belong to the root.
// Thread: immutable after creation, shared; the root is counted atomically.
// Spec:   Binary.md.
#pragma once

#include "cm.h"
#include "type.h"

enum cm_feature {
#define CM_FEATURE(NAME, text, refused) CM_FEATURE_##NAME,
#include "feature.def"
#undef CM_FEATURE
	CM_FEATURE_N,
	CM_FEATURE_BASE = CM_FEATURE_N, // no gate
};
const char *cm_feature_name(enum cm_feature feature); // "cooperative threads"

// Canonical built-ins, in the order of canon.def.
enum cm_canon {
#define CM_CANON(code, NAME, text, gate, immediates, params, results, handler) CM_CANON_##NAME,
#include "../canon/canon.def"
#undef CM_CANON
	CM_CANON_N
};
const char *cm_canon_name(enum cm_canon canon); // "waitable-set.wait"

enum cm_encoding {
	CM_ENCODING_UTF8,
	CM_ENCODING_UTF16,
	CM_ENCODING_LATIN1_UTF16,
};

#define CM_NO_IDX UINT32_MAX

// canonopts.
struct cm_canon_opts {
	enum cm_encoding encoding;
	uint32_t memory_idx;      // core memory, or CM_NO_IDX
	uint32_t realloc_idx;     // core func, or CM_NO_IDX
	uint32_t post_return_idx; // core func, or CM_NO_IDX
	uint32_t callback_idx;    // core func, or CM_NO_IDX
	bool is_async;
};

// A with-argument, or an inline export.
struct cm_arg {
	struct cm_name name;
	enum cm_sort sort; // core with-arguments: CORE_INSTANCE
	uint32_t idx;      // in that sort's index space
};

enum cm_defkind {
	CM_DEF_CORE_MODULE,      // -> core module: of.module
	CM_DEF_CORE_INSTANTIATE, // -> core instance: of.instantiate, idx is a core module
	CM_DEF_CORE_INSTANCE,    // -> core instance: of.instantiate, args are inline exports
	CM_DEF_CORE_TYPE,        // -> core type: nothing to do
	CM_DEF_COMPONENT,    // -> component: of.component, closed over the instance that defines it
	CM_DEF_INSTANTIATE,  // -> instance: of.instantiate, idx is a component
	CM_DEF_INSTANCE,     // -> instance: of.instantiate, args are inline exports
	CM_DEF_ALIAS_EXPORT, // -> sort: of.alias, idx is an instance
	CM_DEF_ALIAS_CORE_EXPORT, // -> core sort: of.alias, idx is a core instance
	CM_DEF_ALIAS_OUTER,       // -> sort: of.outer
	CM_DEF_TYPE,              // -> type: of.type
	CM_DEF_LIFT,              // -> func: of.lift
	CM_DEF_LOWER,             // -> core func: of.lower
	CM_DEF_CANON,             // -> core func: of.canon
	CM_DEF_IMPORT,            // -> sort: of.import
	CM_DEF_EXPORT,            // -> sort: of.export; appends what it exports once more
};

struct cm_def {
	enum cm_defkind kind;
	enum cm_sort sort; // the index space that it appends to
	uint32_t idx;      // the index that it gets there
	uint64_t offset;   // bytes from the start of the file
	union {
		struct we_module *module; // borrowed from the component
		struct cm_component *component;
		const struct cm_type *type;
		struct {
			uint32_t idx;
			const struct cm_arg *args; // [n_args]
			uint32_t n_args;
		} instantiate;
		struct {
			uint32_t idx;
			struct cm_name name;
		} alias;
		struct {
			uint32_t n_out; // enclosing components to step out of
			uint32_t idx;   // in the index space `sort` there
		} outer;
		struct {
			uint32_t core_func_idx;
			const struct cm_type *type; // FUNC
			struct cm_canon_opts opts;
		} lift;
		struct {
			uint32_t func_idx;
			const struct cm_type *type; // FUNC
			struct cm_canon_opts opts;
			const struct we_functype *core_type;
		} lower;
		struct {
			enum cm_canon op;
			bool is_async;       // immediate async?
			bool is_cancellable; // immediate cancellable?
			uint32_t slot;       // SLOT
			const struct cm_type
				*type; // STREAM, FUTURE, RESOURCE; TASK_RETURN: the result, or NULL
			struct cm_canon_opts opts; // CANCEL_MEMORY too: memory_idx
			uint32_t core_type_idx;    // START, SHARED_*
			uint32_t core_table_idx;
			const struct we_functype *core_type;
		} canon;
		const struct cm_extern *import;
		struct {
			const struct cm_extern *decl; // name and type as seen from outside
			uint32_t idx;                 // what is exported, in the index space `sort`
		} export;
	} of;
};

struct cm_component {
	const struct cm_component *parent; // the component that defines this one; NULL: the root
	const struct cm_type *type;        // COMPONENT: imports and exports
	const struct cm_def *defs;         // [n_defs]
	uint32_t n_defs;
	uint32_t n_items[CM_SORT_N];    // what each index space holds in the end
	uint64_t offset;                // bytes from the start of the file
	uint64_t len_bytes;             // of its binary
	struct cm_component_root *root; // shared by all nested ones: arena, modules, count
};

// The first feature that only instantiation refuses, and where it is used; CM_FEATURE_BASE: none.
enum cm_feature cm_component_refused(const struct cm_component *component, uint64_t *ret_offset);
