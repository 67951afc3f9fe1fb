// SPDX-License-Identifier: BSD-3-Clause
// Places that LLVM dropped are put back: see places.c.
//
// Module path 3/6.
#pragma once

#include "lower.h"

// To be run on a function after all passes.
void restore_places(LLVMValueRef fn);
