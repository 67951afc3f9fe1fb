// SPDX-License-Identifier: BSD-3-Clause
// Addresses that are phis are kept wide: see widen.c.
//
// Module path 3/6.
#pragma once

#include "lower.h"

// To be run on a function after all passes.
void widen_addresses(struct unit *u, LLVMValueRef fn);
