// SPDX-License-Identifier: BSD-3-Clause
// we_gdb: gdb's JIT interface: an ELF file in memory for each image.
//
// Module path 3/6. It has a symbol for each function, and one rule by which all frames are walked: each begins by pushing rbp.
// Owns:   the files.
// Thread: one at a time: perf.c has the lock.
// Spec:   gdb manual "JIT Interface"; ELF-64 object file format.
#pragma once

#include "image.h"

void we_gdb_add(const struct we_module *module, const struct we_image *image);
void we_gdb_remove(const struct we_image *image); // nothing when it was not added
// "wasm[3]::name", cut to cap bytes with the terminator, without spaces; perf.c.
void we_perf_name(const struct we_module *module, we_funcidx func, char *name, size_t cap);
