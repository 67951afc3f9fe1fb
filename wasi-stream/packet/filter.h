// SPDX-License-Identifier: BSD-3-Clause
// filter: one instance of a filter program: its call of process, the two streams, what it has been lent.
//
// start.c brings it to its first wait, filter.c is its life from then on.
// Thread: one at a time.
#pragma once

#include "../host/host.h"
#include "sink.h"
#include "source.h"

enum {
	WS_STATUS_TEXT_BYTES = 256, // with the terminator; a longer one is cut
};

// Which ends of process are gone.
struct ws_filter_ends {
	bool rx_dropped;  // the guest reads no more
	bool tx_dropped;  // the guest writes no more
	bool has_exited;  // its task is over: nothing of it will run again
	bool is_own_rx;   // it gave its own rx back as the result: every slot passes as preset
	bool is_stopping; // ws_filter_stop was called
};

// Invariant: state is FAULTED exactly when error.rc < 0.
struct ws_filter {
	struct ws_program *program;
	struct cm_store *store;
	struct cm_stream *rx; // the writable end; NULL: closed by us, or not usable any more
	struct ws_filter_ends ends;
	bool is_pending; // something was offered since the last run, or the guest yielded in it
	bool is_shaped;  // the layout stands in source and sink
	enum ws_filter_state state;
	enum ws_status status;
	uint64_t hold_ns;    // a slot may be lent
	uint64_t drained_ns; // when a stopped filter must be done; UINT64_MAX: not stopped
	struct ws_owner owner;
	struct ws_hosts hosts;
	struct ws_lent lent;
	struct ws_source source;
	struct ws_sink sink;
	struct we_error error;           // rc 0: none
	char text[WS_STATUS_TEXT_BYTES]; // of error internal
};

// The shape is what setup has now, and stays. Safe to call again. Returns: 0, NOMEM.
WE_MUST_USE int ws_filter_fix_shape(struct ws_filter *filter, struct we_error *err);
// A failure: the filter is FAULTED with filter->error. Returns: its rc, *err a copy.
int ws_filter_fault(struct ws_filter *filter, struct we_error *err);
// What is the filter's state after its guest has run? Returns: 0; EXHAUSTED: stalled; TRAP. On failure it is FAULTED.
WE_MUST_USE int ws_filter_settle(struct ws_filter *filter, struct we_error *err);
