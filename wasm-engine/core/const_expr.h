// SPDX-License-Identifier: BSD-3-Clause
// we_const_eval: the value of a constant expression in an instance.
//
// Module path 4/6. Spec: core "Constant Expressions".
#pragma once

#include "runtime.h"
#include "vec.h"

// A value as in slots; v128 takes both.
struct we_cell {
	uint64_t slot[2];
};

// Evaluate a valid expression; the globals and functions that it names are there.
// stack: scratch of struct we_cell. Returns: 0; NOMEM.
WE_MUST_USE int we_const_eval(const struct we_instance *inst, const struct we_const_expr *expr,
	struct we_vec *stack, struct we_cell *ret, struct we_error *err);
