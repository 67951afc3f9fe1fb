// SPDX-License-Identifier: BSD-3-Clause
// we_const_eval: the value of a constant expression in an instance.
//
// Module path 4/6. Spec: core "Constant Expressions".
#pragma once

#include "runtime.h"
#include "vec.h"

// Evaluate a valid expression; the globals and functions that it names are there.
// stack: scratch of struct we_cell. *ret is in no root. Returns: 0; NOMEM; EXHAUSTED when the heap is.
WE_MUST_USE int we_const_eval(struct we_instance *inst, const struct we_const_expr *expr,
	struct we_vec *stack, struct we_cell *ret, struct we_error *err);
