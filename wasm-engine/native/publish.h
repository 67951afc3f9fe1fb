// SPDX-License-Identifier: BSD-3-Clause
// we_native_publish: native code becomes code of a module.
//
// Module path 3/6. Stores take it up when they are between calls, each in its own thread: native.h, we_native_bind.
// Owns:   images that are published: the module's, to its end.
// Thread: any.
#pragma once

#include "image.h"

// Give a module an image of some of its functions. Nobody who runs code waits for it.
// Takes: image, when it returns 0. Fails: INVALID when the module does not have such functions; HOST when the process cannot
// be made ready for native code.
WE_MUST_USE int we_native_publish(
	struct we_module *module, struct we_image *image, struct we_error *err);
