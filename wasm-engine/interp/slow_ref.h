// SPDX-License-Identifier: BSD-3-Clause
// Slow paths of references, structures, arrays and exceptions; each as we_slow_fn of dispatch.h.
//
// Module path 3/6. Owns: nothing. Thread: the store's worker.
#pragma once

#include "dispatch.h"

int we_slow_any_convert_extern(struct we_regs *regs);
int we_slow_extern_convert_any(struct we_regs *regs);
int we_slow_struct_new(struct we_regs *regs);
int we_slow_struct_new_default(struct we_regs *regs);
int we_slow_array_new(struct we_regs *regs);
int we_slow_array_new_default(struct we_regs *regs);
int we_slow_array_new_fixed(struct we_regs *regs);
int we_slow_array_new_data(struct we_regs *regs);
int we_slow_array_new_elem(struct we_regs *regs);
int we_slow_array_fill(struct we_regs *regs);
int we_slow_array_copy(struct we_regs *regs);
int we_slow_array_init_data(struct we_regs *regs);
int we_slow_array_init_elem(struct we_regs *regs);
int we_slow_throw(struct we_regs *regs);
int we_slow_throw_ref(struct we_regs *regs);
