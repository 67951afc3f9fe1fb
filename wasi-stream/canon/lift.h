// SPDX-License-Identifier: BSD-3-Clause
// lift: core values and guest memory -> component values, every pointer, length, discriminant, code
// point and handle checked.
//
// Module path 6. Values are made in the store's scratch memory: whoever lifts sets a mark before.
// Spec:    CanonicalABI.md "Loading", "Flat Lifting", "Lifting and Lowering Values".
#pragma once

#include "options.h"

// Needs: ptr aligned and the whole type inside memory.
WE_MUST_USE int cm_load(const struct cm_cx *cx, uint32_t ptr, const struct cm_type *type,
	struct cm_val *ret_val, struct we_error *err);
// The parameters of a function from flat values; vals has one place for each.
WE_MUST_USE int cm_lift_flat_params(const struct cm_cx *cx, uint32_t max_flat,
	const uint64_t *slots, const struct cm_type *func, struct cm_val *vals,
	struct we_error *err);
// One value.
WE_MUST_USE int cm_lift_flat_result(const struct cm_cx *cx, uint32_t max_flat,
	const uint64_t *slots, const struct cm_type *type, struct cm_val *ret_val,
	struct we_error *err);
