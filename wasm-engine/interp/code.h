// SPDX-License-Identifier: BSD-3-Clause
// we_code: a valid body becomes threaded code, in one pass.
//
// Module path 3/6. Owns: nothing. Thread: any; one translation touches only what it makes.
#pragma once

#include "icode.h"

// As struct we_tier.translate: *ret_code is a struct we_code.
// Returns: 0; INVALID when a frame needs more than WE_LIMIT_CODE_SLOTS; NOMEM.
WE_MUST_USE int we_code_create(
	const struct we_module *module, we_funcidx func, void **ret_code, struct we_error *err);
// As struct we_tier.link.
void we_code_link(void *code);
void we_code_destroy(void *code); // NULL is fine
