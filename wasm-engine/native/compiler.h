// SPDX-License-Identifier: BSD-3-Clause
// we_compiler: the compiler's process as weir sees it: found, started, asked, and started again when it dies.
//
// Module path 3/6.
// Owns:   the process and the connection to it.
// Thread: any control thread; the lock is held during a request.
#pragma once

#include "protocol.h"

#include <pthread.h>
#include <sys/types.h>

struct we_engine;

// Invariant: sock >= 0 if and only if there is a process, and it has said hello.
struct we_compiler {
	pthread_mutex_t lock; // a request at a time
	int sock;
	int pidfd;
	pid_t pid;
	int err_fd;             // its standard error
	uint32_t n_lost;        // deaths since the last answer
	uint64_t not_before_ns; // when it may be started again
	uint64_t id;            // of the last request
	struct we_protocol_hello hello;
	_Atomic uint32_t n_starts; // in all
	_Atomic bool is_stopped;   // nobody waits for it any more
};

void we_compiler_init(struct we_compiler *compiler);
// End the process. No request is under way.
void we_compiler_fini(struct we_compiler *compiler);

// Let requests fail, as HOST, the one that is under way too. Any thread.
void we_compiler_stop(struct we_compiler *compiler);

// Outcome of a request: the process died before it answered, or did not answer.
enum {
	WE_COMPILER_LOST = 1
};

// Ask for an image; magic, version and id are filled in. program: NULL: look for it. Blocks for the request's wall_ms, and
// as long as the process takes to start.
// Returns: 0 and an answer, its image owned (free) if it is OK and else NULL; WE_COMPILER_LOST with its message in *err.
// Fails: UNSUPPORTED when there is no compiler; HOST when it does not start.
WE_MUST_USE int we_compiler_ask(struct we_compiler *compiler, const char *program,
	struct we_protocol_request *request, int module_fd, struct we_protocol_answer *ret_answer,
	void **ret_image, struct we_error *err);
// The version of LLVM that the process has; it is started for that. Fails as above.
WE_MUST_USE int we_compiler_llvm(
	struct we_compiler *compiler, const char *program, char ret_llvm[24], struct we_error *err);

// A sealed copy of bytes for other processes. Returns: a descriptor, or -1 with errno.
int we_compiler_share(struct we_bytes bytes);
