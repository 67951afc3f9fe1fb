// SPDX-License-Identifier: BSD-3-Clause
// layout: where parameters stand that are passed through memory, as the fields of a tuple.
//
// Module path 6. The layout of every value type is in its node (type.h); a parameter list has none.
// Spec:    CanonicalABI.md "Alignment", "Element Size", "Lifting and Lowering Values".
#pragma once

#include "type.h"

static inline uint64_t cm_align_to(uint64_t ptr, uint32_t align)
{
	return (ptr + align - 1) & ~(uint64_t)(align - 1);
}

// What parameters [0, n) of a function take as a tuple; size not yet rounded up to the alignment.
static inline uint64_t cm_params_size(const struct cm_type *func, uint32_t n, uint32_t *ret_align)
{
	uint64_t size = 0;
	uint32_t align = 1;

	for (uint32_t i = 0; i < n; i++) {
		const struct cm_layout layout = func->fields[i].type->layout32;

		size = cm_align_to(size, layout.align) + layout.size;
		if (layout.align > align)
			align = layout.align;
	}
	*ret_align = align;
	return size;
}

// Core values that the parameters flatten to; more than CM_MAX_FLAT_PARAMS when they do not fit.
static inline uint32_t cm_params_n_flat(const struct cm_type *func)
{
	uint32_t n_flat = 0;

	for (uint32_t i = 0; i < func->n_fields && n_flat <= CM_MAX_FLAT_PARAMS; i++)
		n_flat += func->fields[i].type->n_flat;
	return n_flat;
}
