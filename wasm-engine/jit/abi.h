// SPDX-License-Identifier: BSD-3-Clause
// The calling convention of native_abi.h in LLVM's terms.
//
// Module path 3/6. Every wasm function has the same LLVM type (unit.t_wasm) in the C convention: the context, WE_ABI_INTS - 1 i64,
// WE_ABI_FLOATS <2 x i64>; what a signature does not use is poison and costs nothing. Equal types make every tail call a legal
// musttail without arguments on the stack (tailcc would pop 8 bytes in every return).
// Owns: nothing. Thread: one.
#pragma once

#include "lower.h"

enum {
	ABI_N_PARAMS = WE_ABI_INTS + WE_ABI_FLOATS
};

struct abi_place {
	bool is_register;
	uint32_t at; // parameter or field of the LLVM type; else slot of native.buf
};

struct abi_walk {
	uint32_t n_ints;
	uint32_t n_floats;
	uint32_t max_ints; // floats come after them
	uint32_t max_floats;
	uint32_t slot;
};

static inline struct abi_walk abi_params(void)
{
	return (struct abi_walk){.n_ints = 1, .max_ints = WE_ABI_INTS, .max_floats = WE_ABI_FLOATS};
}

static inline struct abi_walk abi_results(void)
{
	return (struct abi_walk){.max_ints = WE_ABI_RET_INTS, .max_floats = WE_ABI_RET_FLOATS};
}

// Where the next parameter or result is.
static inline struct abi_place abi_next(struct abi_walk *w, enum we_kind kind)
{
	const bool is_float = kind == WE_F32 || kind == WE_F64 || kind == WE_V128;
	const struct abi_place in_buf = {.at = w->slot};

	w->slot += kind == WE_V128 ? 2 : 1;
	if (is_float && w->n_floats < w->max_floats)
		return (struct abi_place){true, w->max_ints + w->n_floats++};
	if (!is_float && w->n_ints < w->max_ints)
		return (struct abi_place){true, w->n_ints++};
	return in_buf;
}

// A call of a body or an entry; args [n_params].
LLVMValueRef abi_call(struct unit *u, LLVMValueRef callee, LLVMValueRef context, LLVMValueRef store,
	const struct we_functype *type, const LLVMValueRef *args);
// What it returned: ret [n_results].
void abi_get_results(struct unit *u, LLVMValueRef result, LLVMValueRef store,
	const struct we_functype *type, LLVMValueRef *ret);
void abi_return(struct unit *u, LLVMValueRef store, const struct we_functype *type,
	const LLVMValueRef *results);
// Does a signature need store->native.buf?
bool abi_needs_buf(struct unit *u, const struct we_functype *type);
