// SPDX-License-Identifier: BSD-3-Clause
// decode: untrusted bytes -> the syntax of a component.
//
// Module path 5/6. Knows the grammar and no rule beyond it: what fails here is malformed, and everything is
// decoded before the first rule is checked.
// Owns:   nothing. Thread: one.
// Spec:   Binary.md.
#pragma once

#include "syntax.h"

struct we_arena;

// Borrows: bytes, until validation is over (core modules and core types stay in them).
// Returns: 0; MALFORMED; INVALID for a limit; UNSUPPORTED; NOMEM.
WE_MUST_USE int cm_decode(struct we_arena *arena, struct we_bytes bytes,
	struct cm_syntax_items *ret_body, struct we_error *err);
