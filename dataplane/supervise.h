// SPDX-License-Identifier: BSD-3-Clause
// dp_supervise: makes instances of filters, keeps a spare for each place that has one, takes lost ones
// away, enforces deadlines, writes what filters log.
//
// A seat is the place of a filter in the chain of one queue, as supervisor and worker share it: a spare
// one way, lost instances the other way, without locks.
// Owns:    programs, spares, instances that were given up.
// Thread:  of its own: control (makes and destroys instances), watch (deadlines), and that of native.h.
//          Functions that a worker may call say so.
#pragma once

#include "clock.h"
#include "stats.h"
#include "watch.h"

#include <stdatomic.h>

struct dp_supervisor;
struct dp_stage;

enum {
	DP_GONE_MAX = 2, // at one time: no spare is made before all that were lost are collected
	DP_LOG_RECORDS = 64,
	DP_LOG_BYTES = 232,
};

// An instance that a worker lost.
struct dp_gone {
	struct ws_filter *filter;
	struct we_error err; // rc 0: it ended or was stopped
};

// A line of a guest, on its way to the log.
struct dp_log_record {
	const struct dp_filter_config *filter;
	enum ws_log_level level;
	uint32_t len;
	char text[DP_LOG_BYTES];
};

// From one worker to the control thread. What does not fit is counted by the writer.
struct dp_log_ring {
	atomic_uint head; // written by the worker
	atomic_uint tail; // written by the control thread
	struct dp_log_record records[DP_LOG_RECORDS];
	struct dp_log_ring *next; // the supervisor's
};

struct dp_seat;

// The env of an instance's ws_filter_ops.
struct dp_owner {
	struct dp_stage *stage; // NULL: it is being made
	struct dp_seat *seat;
};

struct dp_seat {
	struct dp_supervisor *supervisor;
	const struct dp_filter_config *filter;
	const char *port_name; // of the queue, for messages
	uint16_t queue_idx;
	uint32_t view_full;
	bool is_interp; // instances are not to run native code
	_Atomic(struct ws_filter *) spare;
	struct dp_gone gone[DP_GONE_MAX];
	atomic_uint n_given_up;  // written by the worker
	atomic_uint n_collected; // written by the control thread
	// The control thread's own:
	struct dp_owner maker; // env of instances that are being made
	uint32_t max_view;     // what the worker has room for
	uint64_t retry_at_ns;  // after a spare could not be made
	uint64_t retry_pause_ns;
	uint64_t said_ns; // start of the second in which n_said lines were logged
	uint32_t n_said;
	uint32_t n_unsaid; // losses that were not logged
	struct dp_seat *next;
};

// Loads every filter that a chain uses. ops: of all instances; env is a struct dp_owner. clock, stop:
// borrowed; once *stop is true (NULL: never), no run of a filter may take longer than a tenth of a second.
// Returns: 0; what ws_program_create returns, INVALID (a file cannot be read); *ret_message as in run.h.
WE_MUST_USE int dp_supervisor_create(const struct dp_config *config,
	const struct ws_filter_ops *ops, struct dp_clock *clock, const atomic_bool *stop,
	struct dp_supervisor **ret_supervisor, char **ret_message);
// Start the control thread. Needs: all seats are there. Returns: 0; HOST.
WE_MUST_USE int dp_supervisor_start(struct dp_supervisor *supervisor);
// End its threads, after all that was given up has been logged and taken away; destroy spares. It
// touches no seat afterwards. Again is fine. Needs: workers have ended.
void dp_supervisor_stop(struct dp_supervisor *supervisor);
// Stops, unloads. Needs: no instance is left. NULL is fine.
void dp_supervisor_destroy(struct dp_supervisor *supervisor);

// Begin to make native code for the filters, and wait for those of workers whose engine is jit.
// Returns: 0; UNSUPPORTED, HOST: such a one has none; HOST: *stop came.
WE_MUST_USE int dp_supervisor_compile(struct dp_supervisor *supervisor, char **ret_message);
// Any thread. What has become of it.
void dp_supervisor_code(const struct dp_supervisor *supervisor, uint16_t filter_idx,
	struct dp_code_stats *ret_stats);

// A seat and its first instance, which is the caller's. seat: zero but for port_name, queue_idx, view_full, is_interp.
// A filter that gave up by itself during its start is INVALID.
WE_MUST_USE int dp_seat_init(struct dp_seat *seat, struct dp_supervisor *supervisor,
	uint16_t filter_idx, struct ws_filter **ret_filter, char **ret_message);
void dp_supervisor_watch(struct dp_supervisor *supervisor, struct dp_watch *watch);
void dp_supervisor_listen(struct dp_supervisor *supervisor, struct dp_log_ring *ring);

// Any thread. Name of drop reason i of a filter, as its first instance gave it; NULL: none.
const char *dp_supervisor_reason(
	const struct dp_supervisor *supervisor, uint16_t filter_idx, uint32_t i);

// For an instance that is being made, from its ws_filter_ops.
void dp_seat_starting(struct dp_seat *seat, struct we_store *core);
void dp_seat_say(struct dp_seat *seat, enum ws_log_level level, const char *text, size_t len);
uint64_t dp_seat_now_ns(const struct dp_seat *seat);

// Worker. The spare, or NULL when there is none yet. Returns owned.
struct ws_filter *dp_seat_take(struct dp_seat *seat);
// Worker. Takes: filter, with nothing lent. err: why it was lost; NULL: it ended.
void dp_seat_give_up(struct dp_seat *seat, struct ws_filter *filter, const struct we_error *err);
// Worker. A line of a guest. Returns: 0, or 1 when there was no room.
int dp_log_push(struct dp_log_ring *ring, const struct dp_filter_config *filter,
	enum ws_log_level level, const char *text, size_t len);
