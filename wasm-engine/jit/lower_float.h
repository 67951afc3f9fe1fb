// SPDX-License-Identifier: BSD-3-Clause
// Float arithmetic for lower_num.c and lower_simd.c: operands are floats or vectors of them.
//
// Module path 3/6. Every result that is a NaN is quiet, as the specification wants it. LLVM does not promise that: it
// folds x * 1, x - 0 and the like to x, and so keeps a signalling NaN. What it would fold becomes llvm.canonicalize here,
// which is one multiplication; what it might once it has inlined functions or followed a local is hidden from it.
// Spec: core "Numerics" (NaN propagation).
#pragma once

#include "lower.h"

// LLVMFAdd, LLVMFSub, LLVMFMul, LLVMFDiv
LLVMValueRef float_binary(struct unit *u, LLVMOpcode op, LLVMValueRef x, LLVMValueRef y);
LLVMValueRef float_sqrt(struct unit *u, LLVMValueRef x);
// -0 is smaller than +0; a NaN if either is one, that of x + y.
LLVMValueRef float_min(struct unit *u, LLVMValueRef x, LLVMValueRef y);
LLVMValueRef float_max(struct unit *u, LLVMValueRef x, LLVMValueRef y);
// To the narrower type t.
LLVMValueRef float_demote(struct unit *u, LLVMValueRef x, LLVMTypeRef t);
// x in a float type, in each lane of a vector type.
LLVMValueRef float_const(LLVMTypeRef t, double x);
// x where x OP y holds, else y. minss with LLVMRealOLT, maxss with LLVMRealOGT: no other.
LLVMValueRef float_pick(struct unit *u, LLVMRealPredicate op, LLVMValueRef x, LLVMValueRef y);
// x, of which LLVM does not learn more. It is no instruction.
LLVMValueRef float_opaque(struct unit *u, LLVMValueRef x);
// x, but quiet if it is a NaN.
LLVMValueRef float_quiet(struct unit *u, LLVMValueRef x);
// One with the bits of x: integers of the same width.
LLVMValueRef float_bits(struct unit *u, LLVMValueRef x);
