// SPDX-License-Identifier: BSD-3-Clause
// dp_file: whole files, in and out.
//
// Thread:  any.
#pragma once

#include "we.h"

#include <stdio.h>

enum {
	DP_FILE_MAX = 1 << 30, // bytes of a component or module
};

// Read a whole file; also a pipe. Returns owned: *ret_data (free it), with a terminator after *ret_len.
// Returns: 0; HOST (it cannot be read, or is longer than cap), NOMEM; err->msg says why, without the path.
WE_MUST_USE int dp_file_read(
	const char *path, size_t cap, uint8_t **ret_data, size_t *ret_len, struct we_error *err);
// A file being written: it gets its name when it is complete, so that it has either all of its new
// contents or what it had before. What is no ordinary file (a pipe, /dev/stdout; "-" is stdout) is written directly.
struct dp_file_out {
	FILE *to;     // write here; NULL: closed
	char *path;   // owned
	char *beside; // owned: the name until then; NULL: written directly
	int error;    // errno of the first write that failed, as dp_file_out_note saw it
};
// Returns: 0; HOST, NOMEM; err->msg says why, without the path. Then there is nothing to commit or abort.
WE_MUST_USE int dp_file_out_open(
	const char *path, struct dp_file_out *ret_out, struct we_error *err);
// After writing: remember why it failed, if it did, for dp_file_out_commit.
void dp_file_out_note(struct dp_file_out *out);
// Close it and give it its name. Returns: 0; HOST: it could not be written to its end, and was removed.
WE_MUST_USE int dp_file_out_commit(struct dp_file_out *out, struct we_error *err);
// Close and remove it. Closed already: nothing happens.
void dp_file_out_abort(struct dp_file_out *out);
// All of that for bytes that are there.
WE_MUST_USE int dp_file_write(
	const char *path, const uint8_t *data, size_t len, struct we_error *err);
// Is it an ordinary file, that can be read twice?
bool dp_file_is_regular(const char *path);
// Do both paths lead to the same file? One that does not exist is the same as no other.
bool dp_file_is_same(const char *a, const char *b);
