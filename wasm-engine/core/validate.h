// SPDX-License-Identifier: BSD-3-Clause
// we_module_validate: module -> valid module.
//
// Module path 2/6. A pass of its own, never skipped; no tier checks anything again.
// Spec: core "Validation".
#pragma once

#include "module.h"

// Check a decoded module whose features are all built; resolves type indices to function types and
// sorts the exports by name.
// Returns: 0; INVALID with the offset and function; NOMEM.
WE_MUST_USE int we_module_validate(struct we_module *module, struct we_error *err);

// The export of that name, or NULL.
const struct we_export_def *we_module_find_export(
	const struct we_module *module, const char *name, size_t name_len);
