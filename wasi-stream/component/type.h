// SPDX-License-Identifier: BSD-3-Clause
// type: the types of the Component Model as a graph of immutable nodes.
//
// Module path 5/6. Value types, functions, instances, components and resources are all nodes. Indices are
// gone: whoever holds a node can walk it. A node is made once, with its layout and its flattening, so
// that lifting and lowering only read. Specialised types stand ready despecialised: a tuple is a record
// whose fields have no names; enum, option and result are variants; a map is a list of pairs.
// Owns:   nothing; nodes live in the arena of the component, or of the linker, that made them.
// Thread: immutable after creation, shared.
// Spec:   Explainer.md "Type Definitions", "Type Checking"; CanonicalABI.md "Despecialization", "Alignment",
//         "Element Size", "Flattening".
#pragma once

#include "we.h"

struct we_arena;

// UTF-8, terminated with a zero byte that len does not count. Borrowed from an arena.
struct cm_name {
	const char *text;
	uint32_t len; // bytes
};

enum cm_typekind {
	CM_TYPE_BOOL, // primitives first
	CM_TYPE_S8,
	CM_TYPE_U8,
	CM_TYPE_S16,
	CM_TYPE_U16,
	CM_TYPE_S32,
	CM_TYPE_U32,
	CM_TYPE_S64,
	CM_TYPE_U64,
	CM_TYPE_F32,
	CM_TYPE_F64,
	CM_TYPE_CHAR,
	CM_TYPE_STRING,
	CM_TYPE_ERROR_CONTEXT,
	CM_TYPE_N_PRIMITIVE,
	CM_TYPE_RECORD = CM_TYPE_N_PRIMITIVE, // fields
	CM_TYPE_TUPLE,                        // fields without names
	CM_TYPE_VARIANT,                      // fields are cases
	CM_TYPE_ENUM,                         // fields are cases without payload
	CM_TYPE_OPTION,                       // fields are the cases none, some
	CM_TYPE_RESULT,                       // fields are the cases ok, error
	CM_TYPE_FLAGS,                        // fields are labels
	CM_TYPE_LIST,                         // elem
	CM_TYPE_FIXED_LIST,                   // elem, length
	CM_TYPE_MAP,                          // elem is tuple<key, value>
	CM_TYPE_OWN,                          // elem is the resource
	CM_TYPE_BORROW,                       // elem is the resource
	CM_TYPE_STREAM,                       // elem, or NULL
	CM_TYPE_FUTURE,                       // elem, or NULL
	CM_TYPE_N_VALUE,
	CM_TYPE_FUNC = CM_TYPE_N_VALUE, // fields are parameters, elem is the result or NULL
	CM_TYPE_INSTANCE,               // face->exports
	CM_TYPE_COMPONENT,              // face->imports, face->exports
	CM_TYPE_RESOURCE,               // equal to itself only
};

// Index spaces. Core ones first; an import or export has one of the sorts from CORE_MODULE on.
enum cm_sort {
	CM_SORT_CORE_FUNC,
	CM_SORT_CORE_TABLE,
	CM_SORT_CORE_MEMORY,
	CM_SORT_CORE_GLOBAL,
	CM_SORT_CORE_TAG,
	CM_SORT_CORE_TYPE,
	CM_SORT_CORE_INSTANCE,
	CM_SORT_CORE_MODULE,
	CM_SORT_FUNC,
	CM_SORT_VALUE,
	CM_SORT_TYPE,
	CM_SORT_COMPONENT,
	CM_SORT_INSTANCE,
	CM_SORT_N,
};
const char *cm_sort_name(enum cm_sort sort); // "core func", "instance", ...

struct cm_type;

// A record's field, a tuple's element, a case, a label, a parameter.
struct cm_field {
	struct cm_name name;        // {NULL, 0}: none
	const struct cm_type *type; // NULL: a label, or a case without payload
	uint32_t offset;            // bytes in a record, 32-bit addresses
};

// An import or export of an instance type, a component type, or a component.
struct cm_extern {
	struct cm_name name;       // "run", "wasi:config/store@0.2.0-rc.1", "[method]r.f"
	struct cm_name implements; // of attribute implements; {NULL, 0}: none
	enum cm_sort sort;
	const struct cm_type *type; // FUNC, INSTANCE, COMPONENT; TYPE: the type that it names
	const struct cm_moduletype *module; // CORE_MODULE
	bool is_abstract;                   // TYPE: bound (sub resource); otherwise bound (eq ...)
	uint64_t decl_offset;               // bytes from the start of the file
};

struct cm_interface {
	const struct cm_extern *imports; // [n_imports], COMPONENT only
	uint32_t n_imports;
	const struct cm_extern *exports; // [n_exports]
	uint32_t n_exports;
	// Resources that the type itself introduces: by its imports, and by its exports (an instance, or an
	// instantiated component, brings fresh ones).
	const struct cm_type *const *bound_imports; // [n_bound_imports]
	uint32_t n_bound_imports;
	const struct cm_type *const *bound_exports; // [n_bound_exports]
	uint32_t n_bound_exports;
};

struct cm_coreextern {
	struct cm_name module; // of an import
	struct cm_name name;
	struct we_externtype type;
};

// The type of a core module.
struct cm_moduletype {
	const struct cm_coreextern *imports; // [n_imports]
	uint32_t n_imports;
	const struct cm_coreextern *exports; // [n_exports]
	uint32_t n_exports;
};

enum {
	CM_MAX_FLAT_PARAMS = 16,
	CM_MAX_FLAT_ASYNC_PARAMS = 4,
	CM_MAX_FLAT_RESULTS = 1,
	CM_FLAT_SPILLED = CM_MAX_FLAT_PARAMS + 1, // n_flat: more than CM_MAX_FLAT_PARAMS
};

// Size and alignment in linear memory, bytes.
struct cm_layout {
	uint32_t size;
	uint32_t align;
};

enum cm_trait {
	CM_TRAIT_POINTERS = 1 << 0, // has a string, a list or a map
	CM_TRAIT_BORROW = 1 << 1,   // has a borrow
	CM_TRAIT_RESOURCE = 1 << 2, // mentions a resource
	CM_TRAIT_ASYNC = 1 << 3,    // has a stream or a future
	CM_TRAIT_NAMED = 1 << 4,    // mentions a type that an import or export named
};

// Invariant: n_flat <= CM_FLAT_SPILLED; flat[i] is set for i < min(n_flat, CM_MAX_FLAT_PARAMS).
struct cm_type {
	enum cm_typekind kind;
	uint32_t traits;               // enum cm_trait bits, of the whole type
	const struct cm_field *fields; // [n_fields]
	uint32_t n_fields;
	uint32_t length;            // FIXED_LIST elements
	const struct cm_type *elem; // see enum cm_typekind
	bool is_async;              // FUNC
	uint8_t disc_bytes;         // RECORD.. variants: bytes of the discriminant; 0 otherwise
	uint8_t n_flat;             // core values when flattened
	uint8_t flat[CM_MAX_FLAT_PARAMS]; // enum we_kind
	uint32_t payload_offset;          // variants: bytes from the start to the payload
	struct cm_layout layout32;        // in a memory of 32-bit addresses
	struct cm_layout layout64;        // in a memory of 64-bit addresses
	uint32_t weight;                  // nodes when written as a tree, itself included
	uint32_t depth;                   // nodes down to the deepest leaf, itself included
	const struct cm_interface *face;  // INSTANCE, COMPONENT
	struct cm_name name;              // that an import or export gave it; {NULL, 0}: none
	const struct cm_type *named;      // the type that was given that name; NULL without name
	const struct cm_type *root;       // the type behind all names; NULL without name
};

// The type behind all its names. Two resources are equal when these are the same node.
static inline const struct cm_type *cm_type_root(const struct cm_type *type)
{
	return type->root == NULL ? type : type->root;
}

// The one node of a primitive, kind < CM_TYPE_N_PRIMITIVE.
const struct cm_type *cm_type_primitive(enum cm_typekind kind);
static inline bool cm_type_is_value(const struct cm_type *type)
{
	return type->kind < CM_TYPE_N_VALUE;
}
static inline bool cm_type_is_variant(const struct cm_type *type)
{
	return type->kind >= CM_TYPE_VARIANT && type->kind <= CM_TYPE_RESULT;
}

// Is a value one number, whole in one core value?
static inline bool cm_type_is_scalar(const struct cm_type *type)
{
	return type->kind <= CM_TYPE_CHAR || type->kind == CM_TYPE_FLAGS;
}

// ---- making types -------------------------------------------------------------------------------
//
// Arguments are borrowed and must live as long as the arena. The rules on names and uses are the
// validator's; what these check is size alone.
// Returns: 0; INVALID, with the type in *ret_type all the same, when it is larger than limits.h allows
// (cm_type_excess says how); NOMEM.

WE_MUST_USE int cm_type_create_fields(struct we_arena *arena, enum cm_typekind kind,
	struct cm_field *fields, uint32_t n_fields, const struct cm_type **ret_type);
// none/some and ok/error; either may be NULL for a result.
WE_MUST_USE int cm_type_create_option(
	struct we_arena *arena, const struct cm_type *some, const struct cm_type **ret_type);
WE_MUST_USE int cm_type_create_result(struct we_arena *arena, const struct cm_type *ok,
	const struct cm_type *error, const struct cm_type **ret_type);
// LIST, FIXED_LIST (length), OWN, BORROW, STREAM, FUTURE.
WE_MUST_USE int cm_type_create_elem(struct we_arena *arena, enum cm_typekind kind,
	const struct cm_type *elem, uint32_t length, const struct cm_type **ret_type);
WE_MUST_USE int cm_type_create_map(struct we_arena *arena, const struct cm_type *key,
	const struct cm_type *value, const struct cm_type **ret_type);
WE_MUST_USE int cm_type_create_func(struct we_arena *arena, bool is_async, struct cm_field *params,
	uint32_t n_params, const struct cm_type *result, const struct cm_type **ret_type);
// INSTANCE or COMPONENT.
WE_MUST_USE int cm_type_create_interface(struct we_arena *arena, enum cm_typekind kind,
	const struct cm_interface *face, const struct cm_type **ret_type);
// name: {NULL, 0} when it has none yet.
WE_MUST_USE int cm_type_create_resource(
	struct we_arena *arena, struct cm_name name, const struct cm_type **ret_type);
// The same type under a name: equal to type, but with an identity of its own.
WE_MUST_USE int cm_type_create_named(struct we_arena *arena, const struct cm_type *type,
	struct cm_name name, const struct cm_type **ret_type);

// What of the limits a type exceeds, as text; NULL: nothing.
const char *cm_type_excess(const struct cm_type *type);

// ---- comparing ----------------------------------------------------------------------------------

enum {
	CM_TYPE_DIFFERS = 1
};

// Can a thing of type have stand where one of type want is asked for? Value and function types must be
// equal; an instance may export more, a component may export more and import less.
// Returns: 0; CM_TYPE_DIFFERS with the place and both types in detail ("get: expected u32, found string"),
// cut to cap bytes; NOMEM; INVALID when it takes more work than the limits allow.
WE_MUST_USE int cm_type_matches(
	const struct cm_type *have, const struct cm_type *want, char *detail, size_t cap);
// The same, as yes or no, for two value types without resources: what task.return asks.
bool cm_type_equal(const struct cm_type *a, const struct cm_type *b);
// The export called name, or NULL.
const struct cm_extern *cm_interface_export(
	const struct cm_interface *face, const char *name, size_t name_len);

// ---- the core side ------------------------------------------------------------------------------

enum cm_abi {
	CM_ABI_LIFT,
	CM_ABI_LOWER
};

// A core function's type; enum we_kind.
struct cm_coresig {
	uint8_t params[CM_FLAT_SPILLED + 1]; // [n_params]
	uint8_t n_params;
	uint8_t results[CM_MAX_FLAT_RESULTS]; // [n_results]
	uint8_t n_results;
	bool params_in_memory; // one pointer instead of the parameters
	bool result_in_memory; // LIFT: a pointer is returned; LOWER: the last parameter points to it
};
// flatten_functype of the specification, 32-bit addresses. has_callback counts for an async LIFT.
void cm_functype_flatten(const struct cm_type *func, enum cm_abi abi, bool is_async,
	bool has_callback, struct cm_coresig *ret_sig);
// task.return: the parameters are the result (NULL: none).
void cm_task_return_flatten(const struct cm_type *result, struct cm_coresig *ret_sig);

// ---- text ---------------------------------------------------------------------------------------

// As WIT, named types by their names: "func(key: string) -> result<option<string>, error>". Cut to cap
// bytes with the terminator. Returns buf.
char *cm_type_print(const struct cm_type *type, char *buf, size_t cap);
const char *cm_primitive_word(enum cm_typekind kind); // "u8", kind < CM_TYPE_N_PRIMITIVE

// ---- WIT text -----------------------------------------------------------------------------------

// Parse the body of a WIT interface (types and functions) into an INSTANCE type.
// Returns: 0; INVALID with line and column in the message; NOMEM.
WE_MUST_USE int cm_wit_parse(struct we_arena *arena, const char *wit,
	const struct cm_type **ret_type, struct we_error *err);
