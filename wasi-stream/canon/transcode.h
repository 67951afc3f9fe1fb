// SPDX-License-Identifier: BSD-3-Clause
// transcode: strings between guest memory (UTF-8, UTF-16, Latin-1 or UTF-16) and the host (UTF-8).
//
// Module path 6.
// Spec:    CanonicalABI.md "Loading" (load_string), "Storing" (store_string).
#pragma once

#include "options.h"

// The string is copied to scratch memory as UTF-8.
WE_MUST_USE int cm_load_string_from_range(const struct cm_cx *cx, uint32_t ptr,
	uint32_t tagged_code_units, struct cm_val *ret_val, struct we_error *err);
// Needs: valid UTF-8 of at most CM_STRING_BYTES_MAX bytes.
WE_MUST_USE int cm_store_string_into_range(const struct cm_cx *cx, const struct cm_val *string,
	uint32_t *ret_ptr, uint32_t *ret_tagged_code_units, struct we_error *err);
