// SPDX-License-Identifier: BSD-3-Clause
// Signals of native code: faults in guests' memories, and deadlines.
//
// Module path 3/6. SIGSEGV is shared: a fault that is not a guest's goes to whoever had the signal before. The deadline's is a realtime
// signal of our own. Handlers change nothing but the activation and where the thread goes on.
// Owns:   the two handlers, for the life of the process.
// Thread: any.
#pragma once

#include "we.h"

// Let the calling thread have both signals. Fails: HOST.
WE_MUST_USE int we_signal_unblock(struct we_error *err);
