// SPDX-License-Identifier: BSD-3-Clause
// we_module_validate: module -> valid module.
//
// Module path 2/6. Never skipped; a tier gets an instruction only after its check, and checks nothing again.
// Spec: core "Validation".
#pragma once

#include "module.h"

// Check a decoded module; resolves type indices to types of the engine, sorts the exports by name, and gives the
// instructions of each body to the translation, so that is.funcs[i].code is set.
// Returns: 0; MALFORMED, in a body; INVALID with the offset and function; NOMEM.
WE_MUST_USE int we_module_validate(
	struct we_module *module, void *translation, struct we_error *err);

// The export of that name, or NULL.
const struct we_export_def *we_module_find_export(
	const struct we_module *module, const char *name, size_t name_len);
