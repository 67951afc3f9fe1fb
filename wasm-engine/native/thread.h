// SPDX-License-Identifier: BSD-3-Clause
// we_thread: what native code needs of the thread that runs it: a stack with known ends, another one for signals.
//
// Module path 3/6. Prepared once in a thread, by we_thread_prepare or by the first entry.
// Owns:   the alternate stack, unless the thread had one; it goes when the thread ends.
// Thread: each its own; `activation` is read by its signal handlers.
#pragma once

#include <stdint.h>

#include "native_abi.h"

enum {
	WE_THREAD_NEW = -1,
	WE_THREAD_UNFIT = -2, // it was tried: the thread's guests run in the interpreter
};

// An entry from the host that runs native code; in the frame of we_native_enter or we_func_call.
struct we_activation {
	struct we_activation *outer; // of this thread; NULL: none
	const struct we_func *func;  // that was entered
	uint32_t trap;               // SIGSEGV and deadline: enum we_trap to raise at (pc, fp)
	uintptr_t pc;                // of the interrupted instruction
	uintptr_t fp;                // its rbp
};

// The fault that a handler of others was given; it may have left by a jump since.
struct we_chained {
	const void *context;             // of its signal; NULL: none
	uintptr_t frame;                 // that the handler was called from
	struct we_signal_before *before; // who that is
};

// Invariant: stack_low < stack_limit < stack_high once prepared.
struct we_thread {
	struct we_activation *activation; // innermost of this thread, NULL: no native code runs
	uintptr_t stack_low;              // addresses of its stack: [stack_low, stack_high)
	uintptr_t stack_high;
	uintptr_t stack_limit; // guests do not go below
	int32_t tid;           // or enum below
	struct we_chained chained;
};

// A signal handler may look without a call.
extern __attribute__((tls_model("initial-exec"))) _Thread_local struct we_thread we_thread;
