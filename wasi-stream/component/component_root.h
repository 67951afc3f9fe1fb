// SPDX-License-Identifier: BSD-3-Clause
// component_root: the outermost component and all that it and its nested ones live in.
//
// Owns:   the arena, and a reference to each core module.
// Thread: immutable after creation, shared; the count is atomic.
#pragma once

#include "arena.h"
#include "component.h"
#include "vec.h"

#include <stdatomic.h>

// Invariant: component is first, so that the public pointer is the root's.
struct cm_component_root {
	struct cm_component component;
	atomic_uint n_refs;
	struct we_arena arena;
	struct we_vec modules; // struct we_module *
	enum cm_feature
		refused; // the first feature that instantiation refuses; CM_FEATURE_BASE: none
	uint64_t refused_offset;
	struct cm_component_stats stats;
};
