// SPDX-License-Identifier: BSD-3-Clause
// logging: wasi:logging/logging, a bounded number of bounded lines a second; what was suppressed is told.
//
// Thread: the filter's.
#pragma once

#include "owner.h"

enum {
	WS_LOG_CONTEXT_BYTES = 64,
	WS_LOG_MESSAGE_BYTES = 1024,
};

struct ws_logging {
	struct ws_owner *owner; // borrowed from the filter
	uint32_t per_s;         // lines
	uint32_t n;             // lines since since_ns
	uint32_t suppressed;    // lines not told yet
	uint64_t since_ns;      // start of this second
};

void ws_logging_init(struct ws_logging *logging, struct ws_owner *owner, uint32_t per_s);
// Tell how many lines were suppressed, if any: before the next line, and when the filter is over.
void ws_logging_flush(struct ws_logging *logging);

// log: func(level: level, context: string, message: string). env: struct ws_logging.
// A longer context or message is cut between characters.
int ws_logging_log(void *env, struct cm_call *call, const struct cm_val *args, uint32_t n_args,
	struct cm_val *result, struct we_error *err);
