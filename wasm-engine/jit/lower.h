// SPDX-License-Identifier: BSD-3-Clause
// Lowering: from valid bodies to LLVM's SSA form.
//
// Module path 3/6. One LLVM module for a batch of functions. Values of locals and of the operand stack are SSA values from
// the start; a loop's header has a phi for each local that the loop sets (lower_scan.c).
//
// LLVM types: i32, i64, float, double; v128 is <2 x i64>; references: func ptr, extern i64, any and exn i32.
//
// What may trap must not move across what can be seen after a trap. A load or store that may fault is followed by
// an empty asm (u_pin) that may unwind as far as LLVM knows: stores stay on their side of it and stay at all; loads
// may be merged across it.
#pragma once

#include <llvm-c/Core.h>

#include "instr.h"
#include "jit.h"
#include "runtime.h"

enum {
	JIT_MAX_BODY_BYTES = 256 * 1024, // larger functions stay in the interpreter
	JIT_MAX_NESTING = 500,           // the optimizer is quadratic in nested blocks
};

// The types and declarations of one LLVM module.
struct unit {
	LLVMContextRef cx;
	LLVMModuleRef m;
	LLVMBuilderRef b; // at the end of the block being filled
	const struct we_module *module;
	const struct we_jit_options *opt;
	LLVMTypeRef t_void;
	LLVMTypeRef t_i1;
	LLVMTypeRef t_i8;
	LLVMTypeRef t_i16;
	LLVMTypeRef t_i32;
	LLVMTypeRef t_i64;
	LLVMTypeRef t_f32;
	LLVMTypeRef t_f64;
	LLVMTypeRef t_ptr;
	LLVMTypeRef t_v128; // <2 x i64>
	LLVMTypeRef t_i8x16;
	LLVMTypeRef t_i16x8;
	LLVMTypeRef t_i32x4;
	LLVMTypeRef t_i64x2;
	LLVMTypeRef t_f32x4;
	LLVMTypeRef t_f64x2;
	struct unit_private *p; // lower.c
};

struct func; // a function being lowered

// An overloaded or plain intrinsic of LLVM, called: "llvm.ctpop" with types {i32}. n_types 0 for plain ones.
LLVMValueRef unit_intrinsic(struct unit *u, const char *name, LLVMTypeRef *types, unsigned n_types,
	LLVMValueRef *args, unsigned n_args);
LLVMValueRef unit_i32(struct unit *u, uint32_t x);
LLVMValueRef unit_i64(struct unit *u, uint64_t x);
// v is used here, whatever becomes of it, and what is before stays before. NULL: only that.
void unit_pin(struct unit *u, LLVMValueRef v);

// Trap if the i1 holds, unlikely. Goes on in a new block.
void func_trap_if(struct func *f, LLVMValueRef cond, enum we_trap trap);

// lower_num.c: scalar instructions with params and results in letters that touch no memory (opcode.def): v are
// the operands in order. Returns the result. Conversions and divisions trap by func_trap_if.
LLVMValueRef lower_num(struct unit *u, struct func *f, const struct we_instr *in, LLVMValueRef *v);
// lower_simd.c: the same for vectors; also splat, lanes, shuffle, const (in->of.v128, in->of.lane).
LLVMValueRef lower_simd(struct unit *u, struct func *f, const struct we_instr *in, LLVMValueRef *v);
