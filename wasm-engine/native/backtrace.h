// SPDX-License-Identifier: BSD-3-Clause
// we_native_raise and its like: ends of an entry, with the guest's frames.
//
// Module path 3/6. Native frames are walked by their frame pointers from any place below them to the activation's; what lies
// between that is no native code is passed over.
// Owns:   nothing.
// Thread: the store's worker, in native code or what it has called.
#pragma once

#include <stdnoreturn.h>

#include "runtime.h"
#include "thread.h"

// Raise a trap at the place of native code that has called; at: of its instruction when that is known, else 0.
noreturn void we_native_raise(struct we_store *store, enum we_trap trap, uint32_t at);
// Let a failure go on outwards from the place that has called, its error already told and frames perhaps noted.
noreturn void we_native_fail(struct we_store *store, int rc);
// Raise the activation's trap at the interrupted place.
noreturn void we_native_raise_interrupted(struct we_activation *activation);
// Note, as the only frame, the place of native code that has called.
void we_native_note_place(struct we_store *store);
