// SPDX-License-Identifier: BSD-3-Clause
// type_match: comparing types, with resources that are still to be bound.
//
// A type that asks (an import, an ascription, a bound) may introduce resources of its own. They begin as
// unbound variables, and the first type export or import of such a name binds one to what is given.
// Owns:   its bindings. Thread: one.
// Spec:   Explainer.md "Type Checking".
#pragma once

#include "type.h"
#include "vec.h"

// Invariant: all zeros but detail, cap and steps is a matcher without bindings.
struct cm_matcher {
	struct we_vec bindings; // struct cm_binding
	uint32_t steps;         // nodes that may still be visited
	char *detail;           // [cap]: where and how the types differ
	size_t cap;
};

struct cm_binding {
	const struct cm_type *variable; // a root
	const struct cm_type *to;       // NULL: unbound
};

void cm_matcher_init(struct cm_matcher *m, uint32_t steps, char *detail, size_t cap);
void cm_matcher_fini(struct cm_matcher *m);
// Introduce variables [n], unbound. Returns: 0; NOMEM.
WE_MUST_USE int cm_matcher_introduce(
	struct cm_matcher *m, const struct cm_type *const *variables, uint32_t n);
// What is bound to the variable; NULL: nothing.
const struct cm_type *cm_matcher_bound(const struct cm_matcher *m, const struct cm_type *variable);

// Returns: as cm_type_matches. have need not carry the name of want.
WE_MUST_USE int cm_matcher_extern(
	struct cm_matcher *m, const struct cm_extern *have, const struct cm_extern *want);
WE_MUST_USE int cm_matcher_type(
	struct cm_matcher *m, const struct cm_type *have, const struct cm_type *want);
// Does a core thing of type have satisfy want? Returns: 0; CM_TYPE_DIFFERS.
WE_MUST_USE int cm_matcher_core(
	struct cm_matcher *m, const struct we_externtype *have, const struct we_externtype *want);
