// SPDX-License-Identifier: BSD-3-Clause
// Where assembly finds things: offsets in bytes, compared with the structures in enter.c.
//
// Module path 3/6. Included by assembly and C.
#pragma once

#define WE_STORE_INTERRUPT       0
#define WE_STORE_ENTRY           8
#define WE_STORE_N_ENTRIES       16
#define WE_STORE_ERR             104
#define WE_STORE_ENGINE          152
#define WE_STORE_STACK_BYTES     204
#define WE_STORE_HAS_HEAP_BUDGET 240
#define WE_STORE_EXCEPTION       352
#define WE_STORE_N_FRAMES        364
#define WE_STORE_STACK_LIMIT     368
#define WE_STORE_FIRST_SP        384
#define WE_STORE_TID             392
#define WE_STORE_GENERATION      400

#define WE_INSTANCE_STORE 80

#define WE_FUNC_STORE         32
#define WE_FUNC_ENTRY         40
#define WE_FUNC_ENTER         48
#define WE_FUNC_DIRECT_END    56
#define WE_FUNC_DIRECT_MORE   58
#define WE_FUNC_DIRECT_RESULT 59

#define WE_ENGINE_GENERATION 96

// Of the host's memory, at least.
#define WE_HOST_PAGE_BYTES 4096

#define WE_THREAD_ACTIVATION  0
#define WE_THREAD_STACK_HIGH  16
#define WE_THREAD_STACK_LIMIT 24
#define WE_THREAD_TID         32

#define WE_ACT_OUTER 0
#define WE_ACT_FUNC  8
#define WE_ACT_TRAP  16
#define WE_ACT_PC    24
#define WE_ACT_FP    32
#define WE_ACT_BYTES 40
// Up to the frame pointer of the entry; between are five registers.
#define WE_ACT_TO_FRAME 80

#define WE_REGS_INTS   0
#define WE_REGS_FLOATS 48
#define WE_REGS_BYTES  176

#define WE_TRAP_DEADLINE_NUMBER 21
