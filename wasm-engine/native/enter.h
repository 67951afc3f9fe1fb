// SPDX-License-Identifier: BSD-3-Clause
// we_native_enter and its like: what enter.S has, and what it calls.
//
// Module path 3/6. Every way between C and native code leads through enter.S. A deadline's signal that comes between a
// look at the interrupt word and native code must not be lost: those instructions are the windows.
// Owns:   nothing.
// Thread: the store's worker.
#pragma once

#include <stdnoreturn.h>

#include "native.h"
#include "thread.h"

// The argument registers of the convention, in its order; then the results.
struct we_native_regs {
	uint64_t ints[WE_ABI_INTS]; // [0] is the context; results: [WE_ABI_RET_INTS]
	_Alignas(16) uint64_t floats[WE_ABI_FLOATS][2]; // results: [WE_ABI_RET_FLOATS]
};

// Run func->enter in an activation of its own. Returns: 0, or what we_native_leave was given.
int we_native_enter(const struct we_func *func, uint64_t *slots);
// Return rc from the we_native_enter or we_func_call of the activation, whatever has been called since.
noreturn void we_native_leave(const struct we_activation *activation, int rc);
// Not a function: where a signal handler points the program counter, the stack pointer a multiple of 16.
extern const char we_native_landing[];
// Instructions [begin, end) that have looked at the interrupt word, or are about to, and go on to native code.
struct we_native_window {
	const char *begin;
	const char *end;
};
extern const struct we_native_window we_native_windows[]; // up to we_native_windows_end
extern const struct we_native_window we_native_windows_end[];
extern const char
	we_native_direct_window_end[]; // where we_func_call goes on after native code: for tests

// Called by enter.S. The work of we_native_generic: arguments in, results out. Returns: func->store.
const struct we_store *we_native_generic_call(struct we_func *func, struct we_native_regs *regs);
// The interrupt word was seen set after one of these two.
noreturn void we_native_overdue(struct we_store *store);
// The work of we_native_due. Returns: inst->store.
struct we_store *we_native_due_call(struct we_instance *inst);
// Of native_rt.def: the word is set. Raises when it is about this entry, else takes it away.
void we_native_due(struct we_instance *inst);
// The entry that we_func_call began is over. Returns: rc.
int we_native_first_failed(const struct we_func *func, int rc);
// It has left an exception. Returns: what the call does.
int we_native_first_threw(const struct we_func *func);
// After landing: raise the activation's trap at its pc and fp.
noreturn void we_native_landed(void);
