// SPDX-License-Identifier: BSD-3-Clause
// we_module_decode: bytes -> module.
//
// Module path 1/6. Reads everything of WebAssembly 3.0 but the instructions of the bodies, which the validator reads
// when it checks them; meaning is for the validator.
// Spec: core "Binary Format".
#pragma once

#include "module.h"

// Fill in the module from module->bytes; engine, file_offset and bytes are set before.
// err: not NULL.
// Returns: 0; MALFORMED; INVALID beyond an implementation limit; NOMEM.
WE_MUST_USE int we_module_decode(struct we_module *module, struct we_error *err);

// Read all bodies for their form alone, as far as they are well-formed. err: not NULL.
// Returns: 0; MALFORMED; INVALID beyond an implementation limit; NOMEM.
WE_MUST_USE int we_module_scan(struct we_module *module, struct we_error *err);

// Take the names of the module and its functions from the name section, if there is a good one.
void we_module_decode_names(struct we_module *module);

// Add to the message the section that the offset lies in, if it lies in one. The module is decoded.
void we_module_name_section(const struct we_module *module, struct we_error *err);
