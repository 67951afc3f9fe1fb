// SPDX-License-Identifier: BSD-3-Clause
// we_server: the compiler's process: one child a request, limited and watched.
//
// Module path 3/6. Keeps nothing from a request to the next, whatever the child did.
// Owns:   the connection.
// Thread: one, the process's only.
// Spec:   none; native/protocol.h.
#pragma once

#include "protocol.h"

// Compile, in a child that has its limits. Returns: 0 and an image; or a failure with its message.
typedef int (*we_server_compile_fn)(const struct we_protocol_request *request,
	struct we_bytes module, void **ret_image, size_t *ret_bytes, struct we_error *err);

// Say hello and answer requests until the other end is closed. Returns: the exit code of the process.
int we_server_run(int sock, const char *llvm, we_server_compile_fn compile);
