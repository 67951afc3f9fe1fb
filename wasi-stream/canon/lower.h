// SPDX-License-Identifier: BSD-3-Clause
// lower: component values -> core values and guest memory, with the guest's realloc where room is
// needed.
//
// Module path 6. Values are of their types (cm_val_check); what realloc answers is checked.
// Spec:    CanonicalABI.md "Storing", "Flat Lowering", "Lifting and Lowering Values".
#pragma once

#include "options.h"

// Needs: ptr aligned and the whole type inside memory.
WE_MUST_USE int cm_store_val(const struct cm_cx *cx, const struct cm_val *val,
	const struct cm_type *type, uint32_t ptr, struct we_error *err);
// The arguments of a lifted function: flat, or in memory that realloc gives. slots: CM_MAX_FLAT_PARAMS.
WE_MUST_USE int cm_lower_flat_params(const struct cm_cx *cx, const struct cm_val *args,
	const struct cm_type *func, uint64_t *slots, struct we_error *err);
// The result of a lowered function: flat, or to out_ptr, which is checked.
WE_MUST_USE int cm_lower_flat_result(const struct cm_cx *cx, uint32_t max_flat,
	const struct cm_val *val, const struct cm_type *type, uint32_t out_ptr, uint64_t *slots,
	struct we_error *err);
