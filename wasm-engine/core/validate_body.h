// SPDX-License-Identifier: BSD-3-Clause
// we_body_validate, we_const_validate: instruction sequences against their types.
//
// Module path 2/6. Spec: core "Validation Algorithm", "Constant Expressions".
#pragma once

#include "module.h"
#include "vec.h"

// Scratch that is used again for every body. All zeros is a good start.
struct we_body_scratch {
	struct we_vec vals;   // we_valtype: the value stack
	struct we_vec ctrls;  // struct we_ctrl_frame
	struct we_vec locals; // we_valtype
	struct we_vec unset;  // bool of each local: has no default value and was not set
	struct we_vec inits;  // we_localidx of those that were, in the order of being set
};

void we_body_scratch_fini(struct we_body_scratch *scratch);

// Check the body of one of the module's own functions, and have each instruction translated once it is known to be
// valid. The features that it uses are noted in the module.
WE_MUST_USE int we_body_validate(struct we_module *module, we_funcidx func,
	struct we_body_scratch *scratch, void *translation, struct we_error *err);

// Check a constant expression of type `type` that may use the first n_globals globals; functions
// that it names become declared.
WE_MUST_USE int we_const_validate(struct we_module *module, const struct we_const_expr *expr,
	we_valtype type, uint32_t n_globals, struct we_body_scratch *scratch, struct we_error *err);
