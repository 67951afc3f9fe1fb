// SPDX-License-Identifier: BSD-3-Clause
// name: the grammar of labels and of import and export names, and when two of them are too much alike.
//
// Thread: any.
// Spec:   Explainer.md "Import and Export Definitions", "Name Uniqueness".
#pragma once

#include "type.h"
#include "vec.h"

enum cm_namekind {
	CM_NAME_LABEL,       // run
	CM_NAME_CONSTRUCTOR, // [constructor]resource
	CM_NAME_METHOD,      // [method]resource.label
	CM_NAME_STATIC,      // [static]resource.label
	CM_NAME_INTERFACE,   // wasi:config/store@0.2.0-rc.1
};

struct cm_externname {
	enum cm_namekind kind;
	struct cm_name resource;    // CONSTRUCTOR, METHOD, STATIC; not terminated
	struct cm_name label;       // METHOD, STATIC: the function; not terminated
	struct cm_name interface;   // INTERFACE: without package and version; not terminated
	struct cm_name package;     // INTERFACE: "wasi:config"; not terminated
	struct cm_name version;     // INTERFACE: "0.2.0-rc.1" or empty; not terminated
	bool is_nested;             // of more than one namespace or projection
	bool has_canonical_version; // "0.2" instead of a whole version
};

bool cm_name_is_label(struct cm_name name);
bool cm_name_is_semver(struct cm_name version);
// Parse. Returns: 0; 1 when it is no name, with the reason in why, cut to cap bytes.
int cm_name_parse(struct cm_name name, struct cm_externname *ret_name, char *why, size_t cap);

// A set of names that are strongly unique. All zeros is an empty set; it must not be moved.
struct cm_name_set {
	struct we_vec names; // struct cm_name, as they came
	uint32_t *slots;     // [cap]: index into names + 1, or 0
	uint32_t cap;
};

void cm_name_set_fini(struct cm_name_set *set);
enum {
	CM_NAME_TAKEN = 1
};
// Borrows: name, for the life of the set. Returns: 0; CM_NAME_TAKEN with the name in the way; NOMEM.
WE_MUST_USE int cm_name_set_add(
	struct cm_name_set *set, struct cm_name name, struct cm_name *ret_earlier);
// The same for names that differ when one byte differs.
WE_MUST_USE int cm_name_set_add_exact(
	struct cm_name_set *set, struct cm_name name, struct cm_name *ret_earlier);
bool cm_name_set_has_exact(const struct cm_name_set *set, struct cm_name name);
