// SPDX-License-Identifier: BSD-3-Clause
// we_space: the address space of the process where native code lies.
//
// Module path 3/6. One reservation for all images, made when the first is mapped and near the engine's own code, so that a
// program counter is told apart by two compares and a look into an array, and calls between the two are short. What is
// mapped comes from a memory file that was filled by writing and is then sealed: no page of it is or becomes writable,
// instructions can be executed, constants cannot.
// Owns:   the reservation.
// Thread: any; mapping takes a lock, finding takes none and may be done in a signal handler.
#pragma once

#include "image.h"

// Map the code of an image: image->code is set. Borrows: code for the call.
// Fails: EXHAUSTED when the space is full; HOST when the machine refuses.
WE_MUST_USE int we_space_map(struct we_image *image, const void *code, struct we_error *err);
// No thread runs it.
void we_space_unmap(const struct we_image *image);

// The image whose code the address is in, or NULL.
const struct we_image *we_space_find(uintptr_t pc);
