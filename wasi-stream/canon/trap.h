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

// Fill *err. The functions below do so and return the failure, which the compiler can see.
void cm_trap_set(struct we_error *err, enum cm_trap trap);
void cm_trap_set_at(struct we_error *err, enum cm_trap trap, uint32_t number);
void cm_exhausted_set(struct we_error *err, const char *what, uint64_t limit);
void cm_unsupported_set(struct we_error *err, const char *what);
void cm_nomem_set(struct we_error *err);

static inline int cm_trap(struct we_error *err, enum cm_trap trap)
{
	cm_trap_set(err, trap);
	return WE_E_TRAP;
}
// " 17" stands behind the text: the handle index, the discriminant, ... that is to blame.
static inline int cm_trap_at(struct we_error *err, enum cm_trap trap, uint32_t number)
{
	cm_trap_set_at(err, trap, number);
	return WE_E_TRAP;
}
// A limit of cm_limits is used up. what: "handles", ...
static inline int cm_exhausted(struct we_error *err, const char *what, uint64_t limit)
{
	cm_exhausted_set(err, what, limit);
	return WE_E_EXHAUSTED;
}
static inline int cm_unsupported(struct we_error *err, const char *what)
{
	cm_unsupported_set(err, what);
	return WE_E_UNSUPPORTED;
}
static inline int cm_nomem(struct we_error *err)
{
	cm_nomem_set(err);
	return WE_E_NOMEM;
}
