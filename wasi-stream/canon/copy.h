// SPDX-License-Identifier: BSD-3-Clause
// The built-ins of streams and futures: new, read, write, cancel, drop.
//
// Module path 6, data path 3/7 and 5/7. Environment: a struct cm_builtin.
// Owns:    nothing.
// Thread:  one worker; no locks.
// Spec:    CanonicalABI.md "canon {stream,future}.new" and the headings after it.
#pragma once

#include "we.h"

int canon_stream_new(void *env, uint64_t *slots, struct we_error *err);
int canon_stream_read(void *env, uint64_t *slots, struct we_error *err);
int canon_stream_write(void *env, uint64_t *slots, struct we_error *err);
int canon_stream_cancel_read(void *env, uint64_t *slots, struct we_error *err);
int canon_stream_cancel_write(void *env, uint64_t *slots, struct we_error *err);
int canon_stream_drop_readable(void *env, uint64_t *slots, struct we_error *err);
int canon_stream_drop_writable(void *env, uint64_t *slots, struct we_error *err);
int canon_future_new(void *env, uint64_t *slots, struct we_error *err);
int canon_future_read(void *env, uint64_t *slots, struct we_error *err);
int canon_future_write(void *env, uint64_t *slots, struct we_error *err);
int canon_future_cancel_read(void *env, uint64_t *slots, struct we_error *err);
int canon_future_cancel_write(void *env, uint64_t *slots, struct we_error *err);
int canon_future_drop_readable(void *env, uint64_t *slots, struct we_error *err);
int canon_future_drop_writable(void *env, uint64_t *slots, struct we_error *err);
