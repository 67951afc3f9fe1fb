// SPDX-License-Identifier: BSD-3-Clause
// we_loop: runs translated code.
//
// Module path 3/6. Thread: the store's worker.
#pragma once

#include "icode.h"
#include "runtime.h"

// As struct we_tier.call.
WE_MUST_USE int we_loop_call(struct we_func *func, uint64_t *slots, struct we_error *err);
