// SPDX-License-Identifier: BSD-3-Clause
// dp_file: whole files, in and out.
//
// Thread:  any.
#pragma once

#include "we.h"

enum {
	DP_FILE_MAX = 1 << 30, // bytes of a component or module
};

// Read a whole file; also a pipe. Returns owned: *ret_data (free it), with a terminator after *ret_len.
// Returns: 0; HOST (it cannot be read, or is longer than cap), NOMEM; err->msg says why, without the path.
WE_MUST_USE int dp_file_read(
	const char *path, size_t cap, uint8_t **ret_data, size_t *ret_len, struct we_error *err);
// Write a file so that it has either all of its new contents or what it had before.
// Returns: 0; HOST; err->msg says why, without the path.
WE_MUST_USE int dp_file_write(
	const char *path, const uint8_t *data, size_t len, struct we_error *err);
