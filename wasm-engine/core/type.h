// SPDX-License-Identifier: BSD-3-Clause
// we_valtype, we_deftype: value types as numbers, defined types as canonical records.
//
// Module path 1/6 and 2/6. The defined types of one engine are canonical: equivalent ones (core "Defined
// Types", equivalence of recursion groups) are the same record, in every module and store, so that
// an indirect call compares two pointers and a cast two numbers.
// Owns:   the engine owns the records; they live as long as it.
// Thread: making them is locked; reading is free.
// Spec:   core "Types", "Matching", "Defined Types".
#pragma once

#include "we.h"

// Index spaces. Each is a distinct name so that a signature says which space it means.
typedef uint32_t we_typeidx;
typedef uint32_t we_funcidx;
typedef uint32_t we_tableidx;
typedef uint32_t we_memidx;
typedef uint32_t we_globalidx;
typedef uint32_t we_tagidx;
typedef uint32_t we_elemidx;
typedef uint32_t we_dataidx;
typedef uint32_t we_localidx;
typedef uint32_t we_labelidx;

// A value type. Number and vector types are their byte of the binary format. A reference type is
// WE_T_REF, with WE_T_NULL when it is nullable, and a heap type: the byte of an abstract one, or
// WE_T_INDEX and a number: as decoded, a type index of the module; once validated, the id of a
// defined type of the engine. Equal types are then equal numbers.
typedef uint32_t we_valtype;

enum {
	WE_T_BOT = 0, // the type of what unreachable code leaves; below every type
	WE_T_I32 = 0x7f,
	WE_T_I64 = 0x7e,
	WE_T_F32 = 0x7d,
	WE_T_F64 = 0x7c,
	WE_T_V128 = 0x7b,
	WE_T_I8 = 0x78, // packed: fields only
	WE_T_I16 = 0x77,
	WE_T_HEAP_BOT = 0x01, // with WE_T_REF: a reference that unreachable code leaves
};

// Abstract heap types, their byte in the binary format.
enum {
	WE_HEAP_NOEXN = 0x74,
	WE_HEAP_NOFUNC = 0x73,
	WE_HEAP_NOEXTERN = 0x72,
	WE_HEAP_NONE = 0x71,
	WE_HEAP_FUNC = 0x70,
	WE_HEAP_EXTERN = 0x6f,
	WE_HEAP_ANY = 0x6e,
	WE_HEAP_EQ = 0x6d,
	WE_HEAP_I31 = 0x6c,
	WE_HEAP_STRUCT = 0x6b,
	WE_HEAP_ARRAY = 0x6a,
	WE_HEAP_EXN = 0x69,
};

#define WE_T_REF        0x80000000u
#define WE_T_NULL       0x40000000u
#define WE_T_INDEX      0x20000000u
#define WE_T_REC        0x10000000u // with WE_T_INDEX: a place in the recursion group being made
#define WE_T_INDEX_MASK 0x00ffffffu
#define WE_T_FUNCREF    (WE_T_REF | WE_T_NULL | WE_HEAP_FUNC)
#define WE_T_EXTERNREF  (WE_T_REF | WE_T_NULL | WE_HEAP_EXTERN)

static inline bool we_valtype_is_ref(we_valtype type)
{
	return (type & WE_T_REF) != 0;
}

// Slots of 8 bytes that a value takes on the value stack.
static inline uint32_t we_valtype_n_slots(we_valtype type)
{
	return type == WE_T_V128 ? 2 : 1;
}

// Is `sub` a subtype of `super`? The one place that knows; both of defined types of the engine.
// Spec: core "Matching", "Value Types".
bool we_valtype_matches(const struct we_engine *engine, we_valtype sub, we_valtype super);
// "i32", "funcref", "(ref null 3)": into buf, cut to cap bytes with the terminator. Returns: buf.
const char *we_valtype_print(we_valtype type, char *buf, size_t cap);
enum we_kind we_valtype_kind(const struct we_engine *engine, we_valtype type);
// The type of a kind; of references the nullable top type of the hierarchy.
we_valtype we_kind_valtype(enum we_kind kind);

// The features that a type as decoded belongs to, bits of enum we_feature.
uint64_t we_valtype_features(we_valtype type);

// Which of the disjoint hierarchies a reference type belongs to: its top type, WE_HEAP_FUNC, WE_HEAP_EXTERN,
// WE_HEAP_ANY or WE_HEAP_EXN; 0 for other types.
uint32_t we_valtype_top(const struct we_engine *engine, we_valtype type);

// How a slot, a field or an element holds a reference; docs/ARCHITECTURE.md "References".
enum we_trace {
	WE_TRACE_NONE,   // nothing that the collector moves
	WE_TRACE_ANY,    // 32 bits: null, an i31 or an object
	WE_TRACE_EXTERN, // 64 bits: a host's value, or an object by WE_EXTERN_INTERNAL
};
enum we_trace we_valtype_trace(const struct we_engine *engine, we_valtype type);

// ---- defined types ------------------------------------------------------------------------------

enum we_comp {
	WE_COMP_FUNC,
	WE_COMP_STRUCT,
	WE_COMP_ARRAY
};

// How a field or element lies in an object.
enum we_storage {
	WE_STORE_8,
	WE_STORE_16,
	WE_STORE_32,
	WE_STORE_64,
	WE_STORE_128,
};

// Spec: core "Field Types".
struct we_field {
	we_valtype type; // value type, WE_T_I8 or WE_T_I16
	uint32_t offset; // from the start of the object, bytes; ARRAY: of element 0
	uint8_t storage; // enum we_storage; 1 << storage bytes
	uint8_t trace;   // enum we_trace
	bool mut;
};

// Invariant: immutable; one per equivalence class of defined types of an engine.
struct we_deftype {
	const struct we_engine *engine;
	const struct we_deftype *super; // NULL: none
	const struct we_functype *func; // FUNC
	const struct we_field *fields;  // STRUCT [n_fields], ARRAY [1]
	// Ids of the types above it, the topmost first, and its own: [depth + 1].
	const uint32_t *display;
	// STRUCT: offsets of traced fields, the n_any_refs of WE_TRACE_ANY first: [n_refs].
	const uint32_t *refs;
	uint32_t n_refs;
	uint32_t n_any_refs;
	uint32_t n_fields;
	uint32_t size_bytes; // STRUCT: of an object, header included, a multiple of 8
	uint32_t id;
	uint32_t depth; // supertypes above it
	enum we_comp kind;
	bool is_final;
	bool has_refs; // some field is traced
};

// A function type as it is called. Invariant: one per defined type of kind FUNC.
struct we_functype {
	const struct we_deftype *def;
	uint32_t n_params;
	uint32_t n_results;
	uint32_t n_param_slots;  // slots of 8 bytes
	uint32_t n_result_slots; // slots of 8 bytes
	we_valtype types[];      // [n_params], then [n_results]
};

static inline const we_valtype *we_functype_params(const struct we_functype *type)
{
	return type->types;
}

static inline const we_valtype *we_functype_results(const struct we_functype *type)
{
	return type->types + type->n_params;
}

// The defined type that a reference type names, or NULL.
const struct we_deftype *we_valtype_deftype(const struct we_engine *engine, we_valtype type);

// Is `sub` the type `super` or declared below it? O(1). Spec: core "Defined Types" (matching).
static inline bool we_deftype_matches(const struct we_deftype *sub, const struct we_deftype *super)
{
	return sub == super ||
	       (super->depth < sub->depth && sub->display[super->depth] == super->id);
}

struct we_subtype;

// Make the n types of a recursion group canonical: types[i].def is set. Types above the group have theirs. first: index
// of types[0] in its module. The group must be valid but for its supertypes' shapes.
// Returns: 0; NOMEM; EXHAUSTED when the engine has too many types.
WE_MUST_USE int we_rectype_intern(struct we_engine *engine, struct we_subtype *all,
	we_typeidx first, uint32_t n, struct we_error *err);
// "(func (param i32) (result i32))", cut to cap bytes with the terminator.
void we_functype_print(const struct we_functype *type, char *buf, size_t cap);

// Spec: core "Limits".
struct we_limits {
	uint64_t min;
	uint64_t max; // UINT64_MAX when has_max is false
	bool has_max;
	bool is_64;
};

struct we_tabletype {
	we_valtype elem;
	struct we_limits limits; // elements
};

struct we_memtype {
	struct we_limits limits; // pages of 64 KiB
};

struct we_globaltype {
	we_valtype val;
	bool mut;
};
