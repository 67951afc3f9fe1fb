// SPDX-License-Identifier: BSD-3-Clause
// we_code: a valid body becomes threaded code, in one pass.
//
// Module path 3/6. Owns: nothing. Thread: any; one translation touches only what it makes.
#pragma once

#include "icode.h"
#include "instr.h"

// As in struct we_tier: a translation is a struct we_xlate, *ret_code a struct we_code. Fail: INVALID when a frame
// needs more than WE_LIMIT_CODE_SLOTS; NOMEM.
WE_MUST_USE int we_code_open(
	const struct we_module *module, void **ret_translation, struct we_error *err);
WE_MUST_USE int we_code_begin(void *translation, we_funcidx func, struct we_error *err);
void we_code_lower(void *translation, const struct we_instr *in);
WE_MUST_USE int we_code_end(void *translation, void **ret_code, struct we_error *err);
void we_code_close(void *translation); // NULL is fine
// As struct we_tier.link.
void we_code_link(void *code);
void we_code_destroy(void *code); // NULL is fine
