// SPDX-License-Identifier: BSD-3-Clause
// setup: weir:packet/setup, where a filter asks for its shape and names its drop reasons.
//
// It answers once, inside process, before the first read; an operator's view wins over the filter's.
// Owns:    the names of the reasons.
// Thread:  the filter's.
// Spec:    ARCHITECTURE.md section 4
#pragma once

#include "ws.h"

enum ws_setup_phase {
	WS_SETUP_EARLY, // process has not been called
	WS_SETUP_OPEN,  // configure may be called
	WS_SETUP_DONE,  // it was
	WS_SETUP_LATE,  // the first read or write has fixed the shape
};

struct ws_setup {
	enum ws_setup_phase phase;
	uint32_t operator_view; // bytes; 0: none; WS_VIEW_FULL
	uint32_t view_full;     // bytes that full means
	struct ws_shape shape;
	struct cm_val fields[4]; // the shape as configure answers it
	uint32_t n_reasons;
	char (*reasons)[WS_REASON_BYTES + 1]; // [n_reasons] terminated
};

// The shape of a filter that asks for nothing, under the operator's view.
void ws_setup_init(
	struct ws_setup *setup, uint32_t operator_view, uint32_t view_full, uint32_t burst);
void ws_setup_fini(struct ws_setup *setup); // zeroed is fine

// configure: func(view: u32, room: u32, reasons: list<string>) -> shape. env: struct ws_setup.
// A view of WS_VIEW_MAX or more means full; 0 shows descriptors alone.
int ws_setup_configure(void *env, struct cm_call *call, const struct cm_val *args, uint32_t n_args,
	struct cm_val *result, struct we_error *err);
