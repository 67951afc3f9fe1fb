// SPDX-License-Identifier: BSD-3-Clause
// dp_stats: what is counted, and a snapshot of it.
//
// The same structs serve twice: live, where one worker writes each of them (dp_count), and in a
// snapshot, where dp_run_snapshot has copied them. All fields are uint64_t, so that a copy is a row of
// relaxed loads. Counters only grow, but where "now" is said.
// Thread:  one writer each, any reader.
#pragma once

#include "config.h"

enum dp_drop {
#define DP_DROP(NAME, name, doc) DP_DROP_##NAME,
#include "drop.def"
#undef DP_DROP
	DP_DROP_N
};
const char *dp_drop_name(enum dp_drop drop);
const char *dp_drop_doc(enum dp_drop drop);

struct dp_traffic {
	uint64_t packets;
	uint64_t bytes;
};

// One queue pair of a port. rx and drops: of the packets received here, until they are handed to an
// output queue. tx: sent here, and the drops of sending.
struct dp_queue_stats {
	struct dp_traffic rx;
	struct dp_traffic tx;
	uint64_t drops[DP_DROP_N];
	uint64_t originated; // packets that filters of its chain made
	uint64_t held;       // now: lent to filters of its chain, or waiting between them
	uint64_t polls;      // calls of the receive function
	uint64_t polls_empty;
	uint64_t polls_skipped; // not polled, because a filter of its chain had no room
};

// One filter in one chain, over all workers.
struct dp_filter_stats {
	struct dp_traffic in;                 // offered
	uint64_t out[4];                      // verdicts, by enum ws_verdict_code
	uint64_t changed;                     // packets whose bytes it changed
	uint64_t originated;                  // packets it made
	uint64_t held;                        // now: lent to it
	uint64_t reasons[WS_REASONS_MAX + 1]; // drops by its own reasons; [0]: without a name
	uint64_t faulted;                     // packets that were lent to it when it faulted
	uint64_t missed;                      // packets that came while no instance was ready
	uint64_t runs;                        // times it was entered
	uint64_t cycles;                      // TSC cycles spent in it, host and guest
	uint64_t traps;                       // faults, deadlines included
	uint64_t deadlines;                   // faults for using up its deadline
	uint64_t ended;                       // times it ended by itself
	uint64_t restarts;                    // instances that took the place of one that was lost
	uint64_t instances;                   // now: ready
	uint64_t memory_bytes;                // now: linear memory of its instances
	uint64_t log_lines;                   // that it wrote
	uint64_t log_lost;                    // of them, for lack of room
	uint64_t queues_native;               // now: on which all of it is native
	uint64_t queues_partly;               // now: some of its functions
	uint64_t queues_interp;               // now: on which it is interpreted
};

enum {
	DP_CODE_MESSAGE_MAX = 240
};

enum dp_code_state {
	DP_CODE_OFF, // no worker would run it
	DP_CODE_WAITING,
	DP_CODE_COMPILING,
	DP_CODE_DONE
};

// Native code of one filter, of all its instances. Written by the control side alone.
struct dp_code_stats {
	uint64_t state;       // enum dp_code_state
	uint64_t functions;   // that it has; 0 before its compilation begins
	uint64_t native;      // of them, with native code
	uint64_t cached;      // of these, from the cache
	uint64_t interpreted; // of functions, without
	uint64_t code_bytes;
	uint64_t compile_ns;    // of the compiler
	uint64_t requests;      // to it
	uint64_t cache_ignored; // files that were damaged or foreign
	uint64_t failures[WE_JIT_FAILURES];
	char message[DP_CODE_MESSAGE_MAX]; // the last failure; "": none
};

struct dp_worker_stats {
	uint64_t passes;      // over all its queues
	uint64_t passes_idle; // in which nothing was done
	uint64_t sleeps;
	uint64_t cycles_busy; // TSC cycles of passes that did something
	uint64_t cycles_idle;
};

// Conservation law: rx + originated == tx + sum(drops) + held.
struct dp_law {
	uint64_t rx;
	uint64_t originated;
	uint64_t tx;
	uint64_t drops; // the sum
	uint64_t held;  // lent, or waiting between filters or workers
	uint64_t drops_by[DP_DROP_N];
};
static inline bool dp_law_holds(const struct dp_law *law)
{
	return law->rx + law->originated == law->tx + law->drops + law->held;
}

struct dp_port_stats {
	struct dp_traffic rx; // sums over its queues
	struct dp_traffic tx;
	uint64_t drops[DP_DROP_N];
	uint64_t link_up; // now: 0 or 1
	uint64_t link_mbps;
	uint64_t link_changes;
	uint64_t mtu;
	uint8_t mac[8]; // 6 used
};

// A snapshot. Its arrays stand in the order of the configuration.
struct dp_stats {
	const struct dp_config *config; // borrowed
	uint64_t elapsed_ns;            // since dp_run_start
	uint64_t tsc_hz;
	struct dp_law law;
	struct dp_port_stats *ports;      // [config->n_ports]
	struct dp_queue_stats **queues;   // [config->n_ports][n_queues]
	struct dp_filter_stats **filters; // [config->n_chains][n_filters]: by place in the chain
	struct dp_worker_stats *workers;  // [config->n_workers]
	struct dp_code_stats *codes;      // [config->n_filters]
};

// Zeroed, for dp_run_snapshot. Borrows: config, until destroyed. Returns: 0; NOMEM.
WE_MUST_USE int dp_stats_create(const struct dp_config *config, struct dp_stats **ret_stats);
void dp_stats_destroy(struct dp_stats *stats); // NULL is fine

// The writer's side of a counter.
static inline void dp_count(uint64_t *counter, uint64_t n)
{
	__atomic_store_n(counter, __atomic_load_n(counter, __ATOMIC_RELAXED) + n, __ATOMIC_RELAXED);
}
static inline void dp_gauge(uint64_t *gauge, uint64_t value)
{
	__atomic_store_n(gauge, value, __ATOMIC_RELAXED);
}
// The reader's side: *sum += *live, field by field.
void dp_stats_add(uint64_t *sum, const uint64_t *live, size_t n_fields);
