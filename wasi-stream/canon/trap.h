// SPDX-License-Identifier: BSD-3-Clause
// cm_trap: how the canonical ABI traps, exhausts and refuses.
//
// Module path 6. The texts stand in trap.def; the engine sees a host function that trapped.
// Spec:    CanonicalABI.md "trap", "trap_if".
#pragma once

#include "we.h"

enum cm_trap {
#define CM_TRAP(NAME, text) CM_TRAP_##NAME,
#include "trap.def"
#undef CM_TRAP
	CM_TRAP_N
};

const char *cm_trap_text(enum cm_trap trap);

// Fill *err and return WE_E_TRAP.
int cm_trap(struct we_error *err, enum cm_trap trap);
// The same; " 17" stands behind the text: the handle index, the discriminant, ... that is to blame.
int cm_trap_at(struct we_error *err, enum cm_trap trap, uint32_t number);

// A limit of cm_limits is used up. what: "handles", ... Returns WE_E_EXHAUSTED.
int cm_exhausted(struct we_error *err, const char *what, uint64_t limit);
// Returns WE_E_UNSUPPORTED.
int cm_unsupported(struct we_error *err, const char *what);
// Returns WE_E_NOMEM.
int cm_nomem(struct we_error *err);
