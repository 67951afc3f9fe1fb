// SPDX-License-Identifier: BSD-3-Clause
// Where assembly finds things: offsets in bytes, compared with the structures in enter.c.
//
// Module path 3/6. Included by assembly and C.
#pragma once

#define WE_STORE_INTERRUPT 0
#define WE_STORE_ENTRY     8

#define WE_FUNC_STORE 32
#define WE_FUNC_ENTRY 40
#define WE_FUNC_ENTER 48

#define WE_ACT_EXIT_SP 0
#define WE_ACT_RC      32
#define WE_ACT_TRAP    36
#define WE_ACT_PC      40
#define WE_ACT_FP      48

#define WE_REGS_INTS   0
#define WE_REGS_FLOATS 48
#define WE_REGS_BYTES  176

// From exit_sp up to the frame pointer of we_native_enter.
#define WE_EXIT_TO_FRAME 48

#define WE_TRAP_DEADLINE_NUMBER 21
