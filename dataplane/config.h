// SPDX-License-Identifier: BSD-3-Clause
// dp_config: what a configuration says, checked and with every name resolved to an index.
//
// Built by dp_config_load (YAML, config.c) and by `weir replay` (command line). Immutable afterwards.
// Keys, types, ranges and defaults stand in option.def; docs/configuration.md is written from it.
// Owns:    all strings and arrays in it (one arena).
// Thread:  any, read-only.
#pragma once

#include "ws.h"

#define DP_NAME_MAX    32 // bytes of a port's, chain's or filter's name, with the terminator
#define DP_PORTS_MAX   64
#define DP_WORKERS_MAX 64
#define DP_QUEUES_MAX  16 // per port and direction
#define DP_CHAIN_MAX   16 // filters in a chain
#define DP_NO_INDEX    UINT16_MAX
#define DP_LCORE_ANY   UINT32_MAX // any processor that the process may use

// Where in the configuration file a thing was said, for messages that come late (a missing device).
struct dp_place {
	uint32_t line;   // from 1; 0: not from a file
	uint32_t column; // from 1
};

enum dp_idle {
	DP_IDLE_SPIN,
	DP_IDLE_SLEEP
};
// Of a worker: how it runs filters.
enum dp_engine {
	DP_ENGINE_AUTO, // natively as far as there is native code
	DP_ENGINE_JIT, // natively or not at all: a function without native code is an error at the start
	DP_ENGINE_INTERP, // never natively
	DP_ENGINE_N
};
enum dp_on_fault {
	DP_ON_FAULT_CLOSED,
	DP_ON_FAULT_OPEN,
	DP_ON_FAULT_BYPASS
};

struct dp_port_config {
	char name[DP_NAME_MAX];
	const char *device; // DPDK device string, e.g. "net_tap0,iface=weir0"
	uint16_t n_queues;  // rx and tx
	uint16_t n_rx_desc;
	uint16_t n_tx_desc;
	uint16_t mtu; // bytes; 0: as the driver has it
	bool has_mac;
	uint8_t mac[6];
	bool promiscuous;
	uint16_t chain_idx; // chain for packets received here; DP_NO_INDEX: none, straight to `to`
	uint16_t
		to_port_idx; // preset port_out; DP_NO_INDEX: none (what is not redirected drops as no_route)
	struct dp_place place;
};

// One receive queue that a worker polls.
struct dp_queue_ref {
	uint16_t port_idx;
	uint16_t queue_idx;
};

struct dp_worker_config {
	uint32_t lcore; // processor it runs on, or DP_LCORE_ANY
	enum dp_idle idle;
	enum dp_engine engine;
	bool has_engine;                   // of its own; else it was given the configuration's
	const struct dp_queue_ref *queues; // [n_queues]; from the file, or from dp_queue_map
	uint32_t n_queues;
	struct dp_place place;
};

struct dp_filter_config {
	char name[DP_NAME_MAX];
	const char *file; // path as given, resolved against the configuration's folder
	uint32_t view;    // bytes; 0: the filter's own; WS_VIEW_FULL
	const struct ws_config_entry *entries; // [n_entries]
	uint32_t n_entries;
	struct ws_limits limits;
	uint64_t deadline_ns; // of the worker's CPU time for one run
	enum dp_on_fault on_fault;
	uint64_t restart_min_ns; // back-off
	uint64_t restart_max_ns;
	struct dp_place place;
};

struct dp_chain_config {
	char name[DP_NAME_MAX];
	const uint16_t *filter_idx; // [n_filters]
	uint32_t n_filters;
	struct dp_place place;
};

// 0: the engine's own.
struct dp_jit_limits {
	uint64_t memory_bytes; // of a compilation
	uint64_t cache_bytes;  // in all
	uint32_t cpu_ms;       // of a compilation
	uint32_t wall_ms;
};

struct dp_config {
	const char *file;            // for messages; NULL: there is none
	const char *instance;        // --instance, EAL file prefix
	const char *const *eal_args; // [n_eal_args] as given under eal:
	uint32_t n_eal_args;
	struct dp_place eal_place;   // of the list
	uint32_t burst;              // packets in a burst, <= WS_BURST_MAX
	uint32_t n_mbufs;            // per pool and worker socket
	uint32_t mbuf_data_bytes;    // data room of an mbuf, without headroom
	uint16_t exception_port_idx; // DP_NO_INDEX: verdict 3 drops as no_exception_port
	enum dp_engine engine;       // of workers that do not say
	const char *cpu; // what native code may use, as it was given; NULL: all of this machine
	const char *jit_cache;   // folder; NULL: none
	const char *jit_program; // NULL: the engine looks for it
	struct dp_jit_limits jit_limits;
	const struct dp_port_config *ports;
	uint32_t n_ports;
	const struct dp_worker_config *workers;
	uint32_t n_workers;
	const struct dp_chain_config *chains;
	uint32_t n_chains;
	const struct dp_filter_config *filters;
	uint32_t n_filters;
};

// What the command line says in the place of the file. Borrowed for dp_config_load; NULL: nothing.
struct dp_config_given {
	const char *instance;
	const char *engine; // also of workers that say something themselves; valid: dp_engine_parse
	const char *cpu;    // valid: we_cpu_is_known
	const char *jit_cache;
};

// Load and check a file. given: NULL is fine. On failure, *ret_message is "FILE:LINE:COLUMN: ..." (malloc'd, the caller frees it).
// Returns: 0; INVALID (what is wrong in the file), HOST (it cannot be read), NOMEM.
WE_MUST_USE int dp_config_load(const char *path, const struct dp_config_given *given,
	struct dp_config **ret_config, char **ret_message);
void dp_config_destroy(struct dp_config *config); // NULL is fine
// May a port, chain, filter or instance be called that? Letters, digits, ".", "_" and "-", a letter first,
// shorter than DP_NAME_MAX.
bool dp_config_name_is_valid(const char *name);

#define DP_ENGINES "auto, jit or interp"
#define DP_CPUS    "native, v2, v3, v4 or v1"
// Returns: 0; 1 for any other word.
WE_MUST_USE int dp_engine_parse(const char *word, enum dp_engine *ret_engine);
const char *dp_engine_name(enum dp_engine engine);
bool dp_config_chain_has(const struct dp_chain_config *chain, uint16_t filter_idx);
// Does a worker with that engine run the filter?
bool dp_config_filter_has_engine(
	const struct dp_config *config, uint16_t filter_idx, enum dp_engine engine);
