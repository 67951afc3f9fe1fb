// SPDX-License-Identifier: BSD-3-Clause
// we_frames: the guest's frames, walked from the innermost outwards.
//
// Module path 3/6. For traps, for exceptions and for the collector's roots.
// Owns:   nothing.
// Thread: the store's worker.
// Spec:   core "Stack", "Exceptions" (execution).
#pragma once

#include "dispatch.h"

static inline const struct we_code *we_frame_code(const uint64_t *fp)
{
	return (const struct we_code *)(uintptr_t)fp[WE_FRAME_CODE];
}

// End the run with a trap at regs->ip, its frames noted. Returns: the failure.
int we_frames_trap(const struct we_regs *regs, enum we_trap trap);
// Note the frames of this entry, innermost first. Returns: the offset of the innermost in its module.
uint32_t we_frames_note(const struct we_regs *regs);

// Go on where the exception that is under way (store->exception) is caught, its values in the handler's slots; it is then over.
// Returns: 0; or the failure of one that this entry does not catch.
WE_MUST_USE int we_frames_unwind(struct we_regs *regs);

// The guest leaves its code at regs->ip for something that may collect: the store knows its frames from here on.
static inline void we_frames_leave(const struct we_regs *regs)
{
	regs->store->calls.ip = regs->ip;
	regs->store->calls.fp = regs->fp;
}

// As struct we_tier.visit_roots.
void we_frames_visit(struct we_store *store, struct we_root_visitor *v);
