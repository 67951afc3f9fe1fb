// SPDX-License-Identifier: BSD-3-Clause
// dp_replay: capture files in the place of ports, so that `weir replay` takes the path of `weir run`.
//
// Data path 1/7 and 7/7, the capture ends of rxtx.h. Port 0 receives the input capture; all ports, and so
// the exception port, send into the output capture; drops go into a third one, or nowhere. Both are in the
// order of the input, whatever the filters kept back: a packet is written when all before it are written or
// dropped. A packet that a filter made stands after the packets that had been read by then, with the last one's time.
// Owns:    the captures.
// Thread:  one worker during the run, else the caller.
#pragma once

#include "capture.h"
#include "run.h"

struct dp_replay;

struct dp_replay_counts {
	struct dp_traffic in;
	struct dp_traffic out;
	struct dp_traffic dropped;
};

// Takes: in, out, drops (NULL: dropped packets go nowhere). view_full: bytes, what `full` means.
// Returns: 0; NOMEM, and then nothing was taken.
WE_MUST_USE int dp_replay_create(struct dp_capture_in *in, struct dp_capture_out *out,
	struct dp_capture_out *drops, uint32_t view_full, struct dp_replay **ret_replay);
// What dp_run_create needs. Borrows: replay, for the run.
struct dp_hooks dp_replay_hooks(struct dp_replay *replay);
struct dp_replay_counts dp_replay_counts(const struct dp_replay *replay);
// Where the input broke off. Returns: 0 when it did not; MALFORMED with *ret_err as dp_capture_next has it.
int dp_replay_input(const struct dp_replay *replay, struct we_error *ret_err);
bool dp_replay_has_ended(
	const struct dp_replay *replay); // was the input read to its end, or to a break?
// After the run: complete the captures. *ret_path_idx of a failure: 0 the output, 1 the drops.
// Returns: 0; HOST.
WE_MUST_USE int dp_replay_commit(
	struct dp_replay *replay, uint32_t *ret_path_idx, struct we_error *err);
// Removes what was not committed. NULL is fine.
void dp_replay_destroy(struct dp_replay *replay);
