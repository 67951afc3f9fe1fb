// SPDX-License-Identifier: BSD-3-Clause
// type_subst: a type with some of its parts replaced by others, and the resources a type mentions.
//
// Instantiating a component replaces the types that it imports by those given to it, and the resources that it
// defines by fresh ones. Within one substitution a node has one image, so names keep their identity; a node
// with nothing to replace is its own image.
// Owns:   its memory of images; the new types go to the arena. Thread: one.
// Spec:   Explainer.md "Type Checking" (substitution, generativity).
#pragma once

#include "ptr_map.h"
#include "type.h"

struct cm_subst {
	struct we_arena *arena;
	struct cm_ptr_map images; // node -> its image
	uint32_t *nodes_left;     // nodes that may still be made
};

void cm_subst_init(struct cm_subst *s, struct we_arena *arena, uint32_t *nodes_left);
void cm_subst_fini(struct cm_subst *s);
// Replace from, a resource or a named type, by to. Returns: 0; NOMEM.
WE_MUST_USE int cm_subst_replace(
	struct cm_subst *s, const struct cm_type *from, const struct cm_type *to);
// Replace from by a fresh resource of the same name. Returns: 0; NOMEM.
WE_MUST_USE int cm_subst_refresh(
	struct cm_subst *s, const struct cm_type *from, const struct cm_type **ret_fresh);
// Returns: 0; INVALID when too many nodes were made; NOMEM.
WE_MUST_USE int cm_subst_type(
	struct cm_subst *s, const struct cm_type *type, const struct cm_type **ret_type);
WE_MUST_USE int cm_subst_externs(struct cm_subst *s, const struct cm_extern *externs, uint32_t n,
	const struct cm_extern **ret_externs);

// Collect the resources (roots) that type mentions without introducing them: keys of *mentioned.
// seen: scratch, shared by the calls that collect into one map.
WE_MUST_USE int cm_type_free_resources(const struct cm_type *type, struct cm_ptr_map *mentioned,
	struct cm_ptr_map *bound, struct cm_ptr_map *seen);
