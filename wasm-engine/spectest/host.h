// SPDX-License-Identifier: BSD-3-Clause
// spec_host: the module "spectest" that every script may import.
//
// Spec: interpreter "Scripts" (spectest host module).
#pragma once

#include "we.h"

// Define it in a linker of the store. Returns: 0, or a failure.
WE_MUST_USE int spec_host_define(
	struct we_linker *linker, struct we_store *store, struct we_error *err);
