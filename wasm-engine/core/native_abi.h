// SPDX-License-Identifier: BSD-3-Clause
// we_native: what generated code and the runtime agree on.
//
// Module path 3/6. Included by the compiler (jit/), which takes offsets from these structures, and by the runtime, which
// is built with them: an image of another build is never loaded.
//
// Calling convention of wasm functions, the C convention with everything in registers: first the context, then the
// parameters in order. Integer class (i32, i64, references): WE_ABI_INTS registers with the context; float class (f32, f64,
// v128): WE_ABI_FLOATS. A parameter that finds no register of its class lies in store->native.buf, at the slot that
// it has in the parameters' slots (we_host_fn). Results the same: WE_ABI_RET_INTS and WE_ABI_RET_FLOATS of them in registers,
// the others in buf at their slots. References travel as: func a pointer, extern 64 bits, any and exn 32 bits.
//
// On x86-64: rdi rsi rdx rcx r8 r9, xmm0 to xmm7; results, the members of a structure in any mix and order, in rax rdx rcx, xmm0 xmm1;
// what is above the value in a register is undefined; rbx, rbp and r12 to r15 are kept. LLVM's tailcc has the same registers, but
// returns by `ret $8` even without stack arguments; one prototype for all functions makes every tail call legal without it (jit/abi.h).
//
// A function has two forms: the body, whose context is the instance, called within a module; and the
// entry, whose context is the struct we_func, called through func->entry by everybody else. What has no native code has the
// entry we_native_generic, which takes any signature.
//
// An exception on its way out: a function returns, its results undefined, with store->exception set. Whoever calls
// something that may throw looks there; whoever catches it sets exception and n_frames to 0.
//
// Every function keeps a frame pointer (rbp), so that frames can be walked from any place.
//
// Shadow stack: references that the collector may move and that are needed after a call or an allocation lie in
// cells from the store's value stack: a function takes calls.sp when it begins, writes its cells and calls.sp = the end
// of them before each call, reads them back after it, and puts calls.sp back before it returns or tail-calls.
// Every cell is an extern reference: an any or exn reference r is WE_EXTERN_INTERNAL | r, also null.
// Owns: nothing. Thread: the store's worker.
#pragma once

#include <stdint.h>

enum {
	WE_ABI_INTS = 6,
	WE_ABI_FLOATS = 8,
	WE_ABI_RET_INTS = 3,
	WE_ABI_RET_FLOATS = 2,
	WE_ABI_BUF_SLOTS = 2048, // more than parameters or results have
	// Bytes below stack_limit: the frame of the function that looked and of one that did not, runtime functions, a signal's frame.
	WE_ABI_STACK_MARGIN = 65536,
	WE_ABI_MAX_FRAME =
		16384, // bytes of a generated function's frame; larger ones stay in the interpreter
};

// In struct we_store.
struct we_native {
	uintptr_t stack_limit;         // a frame pointer below this is a stack overflow
	const struct we_native_rt *rt; // the runtime's functions
	uintptr_t first_sp; // of a call that left nothing over, its stack looked at; 0: none
	_Atomic int32_t
		tid; // thread that ran native code of this store last, 0: none; for the deadline's signal
	uint64_t generation; // of the engine's native code when functions were bound last
	_Alignas(16) uint64_t buf[WE_ABI_BUF_SLOTS];
};

// The runtime's functions, C calling convention; each takes the instance first.
// Those that trap do not return; those that are long look at the interrupt word inside, and generated code does after
// all of them that return.
struct we_instance;
struct we_func;
struct we_native_rt {
#define WE_RT(name, ret, ...) ret (*name)(__VA_ARGS__);
#include "native_rt.def"
#undef WE_RT
};
