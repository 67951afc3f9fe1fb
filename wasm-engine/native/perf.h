// SPDX-License-Identifier: BSD-3-Clause
// we_perf: profilers and debuggers are told of native code, if that is wanted.
//
//	map   /tmp/perf-PID.map, a line for each function: perf report names them
//	dump  jit-PID.dump in $JITDUMPDIR or /tmp: with the code and its places, for perf inject --jit (record with -k mono)
//	gdb   its JIT interface: symbols, and frames that it can walk
//
// What cannot be written is left out: nobody's work depends on it.
// Owns:   the files and what gdb reads, to the process's end.
// Thread: any.
#pragma once

#include "image.h"

// An image of the module was mapped.
void we_perf_add(const struct we_module *module, const struct we_image *image);
// It goes.
void we_perf_remove(const struct we_image *image);
