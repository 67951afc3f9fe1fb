// SPDX-License-Identifier: BSD-3-Clause
// we_valtype, we_functype: value types as numbers, function types as interned records.
//
// Module path 1/6 and 2/6. Function types of one engine are interned: equal ones are the same
// pointer, in every module and store, so that an indirect call compares two pointers.
// Owns:   the engine owns functypes; they live as long as it.
// Thread: interning is locked; reading is free.
// Spec:   core "Types", "Matching".
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
// WE_T_INDEX and a type index. Equal types are equal numbers.
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

// Is `sub` a subtype of `super`? The one place that knows. Spec: core "Matching", "Value Types".
bool we_valtype_matches(we_valtype sub, we_valtype super);
// "i32", "funcref", "(ref null 3)": into buf, cut to cap bytes with the terminator. Returns: buf.
const char *we_valtype_print(we_valtype type, char *buf, size_t cap);
// The type that a letter of opcode.def stands for; WE_T_BOT for those that depend on the instruction.
we_valtype we_letter_valtype(char letter);
enum we_kind we_valtype_kind(we_valtype type);
// The type of a kind; WE_REF has none and gives WE_T_BOT.
we_valtype we_kind_valtype(enum we_kind kind);

// Invariant: immutable; one per distinct (params, results) of an engine.
struct we_functype {
	const struct we_engine *engine;
	struct we_functype *next; // of the same hash
	uint32_t id;              // dense, in the order of creation
	uint32_t hash;
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

// The interned type. Borrows: params and results for the call. Returns: 0; NOMEM.
WE_MUST_USE int we_functype_intern(struct we_engine *engine, const we_valtype *params,
	uint32_t n_params, const we_valtype *results, uint32_t n_results,
	const struct we_functype **ret_type, struct we_error *err);
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
