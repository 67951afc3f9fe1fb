// SPDX-License-Identifier: BSD-3-Clause
// Where the test's code finds things: offsets in bytes, compared with the structures in test_code.h.
#pragma once

#include "offsets.h"

#define INST_MEM0_BASE 8
#define INST_FUNCS     40
#define INST_STORE     WE_INSTANCE_STORE
#define FUNC_INSTANCE  24
#define FUNC_HOST      64
#define FUNC_ENV       72

#define STORE_CALLS_SP    64
#define STORE_CALLS_ERR   104
#define STORE_EXCEPTION   352
#define STORE_STACK_LIMIT 368
#define STORE_RT          376
#define STORE_BUF         416

#define RT_TRAP        0
#define RT_DUE         8
#define RT_HOST_FAILED 16

#define ERROR_TRAP 4
