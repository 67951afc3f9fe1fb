// SPDX-License-Identifier: BSD-3-Clause
// ws: packet filters: components of world weir:packet/packet-filter, fed with bursts of slots.
//
// What it does not do: mbufs, ports, chains, policies. It never sees an mbuf and never logs.
//
//	ws_program_create(engine, "acl.wasm", bytes, &program, &err);       // once, any thread
//	ws_filter_create(program, &config, &ops, env, &filter, &err);      // control thread; runs until process reads
//	ws_filter_offer(filter, packets, n, now_ns, &n_taken, &err);        // data path 3
//	ws_filter_run(filter, now_ns, &err);                                // data path 4 and 5: ops.verdicts is called
//	ws_filter_stop(filter, now_ns, &err);                               // the stream ends, the filter drains
//	ws_filter_reclaim(filter, give_back, env);                          // after a failure: what is still lent
//	ws_filter_destroy(filter); ws_program_unref(program);
//
// Lifetimes: a program is immutable, ref-counted and shared. A filter belongs to one thread at a time.
// Packets stay the dataplane's: a token stands for one from ws_filter_offer until ops.verdicts or
// ws_filter_reclaim hands it back, each exactly once.
//
// Returns and failures: as in we.h. After any failure a filter is FAULTED: only _reclaim, the inspecting
// functions and _destroy are left.
#pragma once

#include "cm.h"

#ifdef __cplusplus
extern "C" {
#endif

// ---- slots --------------------------------------------------------------------------------------

enum {
	WS_BURST_MAX = 64,         // slots in one offer
	WS_SLOT_ALIGN = 64,        // stride is a multiple
	WS_VIEW_DEFAULT = 192,     // bytes, for a filter that does not ask
	WS_STRIDE_DEFAULT = 256,   // 64 + room 0 + view 192
	WS_VIEW_MAX = 65408,       // bytes
	WS_ROOM_MAX = 1024,        // bytes in front of the packet that a filter may ask for
	WS_REASONS_MAX = 255,      // names a filter may give to its drop reasons
	WS_REASON_BYTES = 64,      // of one such name, without a terminator
	WS_HELD_MAX = 65536,       // largest ws_limits.held
	WS_PORT_NONE = UINT16_MAX, // port_out preset: no port; a guest may echo it
};

// The 64-byte descriptor at the start of every slot, little-endian. The one place that says what the
// bytes are; filters/guest/weir.h mirrors it and a test compares both.
struct ws_slot {
	uint32_t ptype;      //  0 RTE_PTYPE_* as the driver set them
	uint32_t total_len;  //  4 captured bytes of the whole packet
	uint16_t len;        //  8 bytes shown at data_off; the guest may change it
	uint16_t vlan;       // 10 stripped tag, valid by flag
	uint32_t hash;       // 12 RSS hash, valid by flag
	uint32_t rx_flags;   // 16 RTE_MBUF_F_RX_* bits 0-22, WS_RX_* above
	uint16_t data_off;   // 20 from the slot's start; the guest may change it
	uint16_t vlan_outer; // 22
	uint16_t port_in;    // 24
	uint16_t queue_in;   // 26
	uint16_t port_out;   // 28 preset by configuration; the guest may change it
	uint8_t verdict;     // 30 low nibble enum ws_verdict_code, bit 7 WS_CHANGED; the guest's
	uint8_t reason;      // 31 the filter's own drop reason, 1..n
	uint64_t tstamp_ns;  // 32 Unix time
	uint32_t id;         // 40 the host's, echoed
	uint32_t mark;       // 44 passes along the chain; the guest's
	uint8_t scratch[16]; // 48 passes along the chain; the guest's
};

enum {
	WS_RX_FLAGS_MASK = (1 << 23) - 1, // RTE_MBUF_F_RX_* bits 0-22
	WS_RX_MULTI_SEG = 1 << 24,
	WS_RX_SHORT = 1 << 25,      // captured short: the original packet was longer
	WS_RX_ORIGINATED = 1 << 26, // made by the guest
};

enum ws_verdict_code {
	WS_VERDICT_PRESET = 0,
	WS_VERDICT_FORWARD = 1,
	WS_VERDICT_DROP = 2,
	WS_VERDICT_EXCEPTION = 3,
	WS_VERDICT_MASK = 15,
	WS_CHANGED = 128, // bit 7: bytes changed, copy them back
};

// A packet as offered. desc: all host fields filled but id, data_off and len, which the source sets
// (len = min(view, total_len)); verdict 0, reason 0; port_out, mark and scratch as the chain has them.
struct ws_packet {
	struct ws_slot desc;
	const uint8_t *
		data; // the packet's first min(view, total_len) bytes, contiguous; borrowed for the call
	void *token; // the dataplane's, handed back with the verdict
};

// What the filter said of one packet. All fields are checked.
struct ws_verdict {
	void *token; // NULL: originated by the guest
	const uint8_t *
		data; // the shown bytes, when changed or originated; in guest memory, valid for the call
	uint16_t len;   // bytes at data: they replace the `shown` first bytes of the packet
	uint16_t shown; // bytes that had been shown; 0 when originated
	uint16_t port_out;
	uint8_t code;   // enum ws_verdict_code, without WS_CHANGED
	uint8_t reason; // 0, or 1..n of ws_filter_reason
	bool changed;   // bytes, length or place changed
	uint32_t mark;
	uint8_t scratch[16];
};

// ---- programs -----------------------------------------------------------------------------------

struct ws_program; // a loaded filter component

// name is what messages call it. Borrows: bytes for the call. Returns: 0; MALFORMED, INVALID, UNSUPPORTED;
// UNLINKABLE when it does not export weir:packet/filter, or imports what is not offered (the message says what is).
WE_PUBLIC WE_MUST_USE int ws_program_create(struct we_engine *engine, const char *name,
	struct we_bytes bytes, struct ws_program **ret_program, struct we_error *err);
WE_PUBLIC struct ws_program *ws_program_ref(struct ws_program *program);
WE_PUBLIC void ws_program_unref(struct ws_program *program); // NULL is fine
WE_PUBLIC const char *ws_program_name(const struct ws_program *program);
WE_PUBLIC const struct cm_component *ws_program_component(const struct ws_program *program);
// Native code for all its functions: cm_component_compile. Filters of it that live take it up when they are next run.
WE_PUBLIC WE_MUST_USE int ws_program_compile(struct ws_program *program, struct we_error *err);
WE_PUBLIC void ws_program_jit_stats(
	const struct ws_program *program, struct we_jit_stats *ret_stats); // cm_component_jit_stats
// Does it import weir:packet/setup? Without it an operator's view is an error.
WE_PUBLIC bool ws_program_has_setup(const struct ws_program *program);
// The interfaces that ws offers, with versions, one a call, NULL beyond the last.
WE_PUBLIC const char *ws_offered_interface(uint32_t i);

// ---- filters ------------------------------------------------------------------------------------

struct ws_config_entry {
	const char *key;   // UTF-8, terminated
	const char *value; // UTF-8, value_len bytes
	size_t value_len;
};

enum ws_log_level {
	WS_LOG_TRACE,
	WS_LOG_DEBUG,
	WS_LOG_INFO,
	WS_LOG_WARN,
	WS_LOG_ERROR,
	WS_LOG_CRITICAL,
};

struct ws_limits {
	struct cm_limits cm;
	uint32_t held;    // slots lent at one time, over all bursts; 0: 1024; <= WS_HELD_MAX
	uint64_t hold_ns; // a slot lent for longer faults the filter as stalled; 0: 1 s
	uint32_t originated_per_run; // packets a filter may originate in one run; 0: 64
	uint32_t log_per_s;          // log lines a second and filter; 0: 10
	uint32_t timers;             // host calls waited for at one time; 0: 64
};

// Borrowed for ws_filter_create and copied.
struct ws_filter_config {
	uint32_t view;      // operator's view in bytes; 0: the filter's; WS_VIEW_FULL
	uint32_t view_full; // what full means here: the largest frame, <= WS_VIEW_MAX
	uint32_t burst;     // largest offer, <= WS_BURST_MAX
	uint16_t n_ports;   // port_out must be below, or WS_PORT_NONE
	const struct ws_config_entry *entries;
	uint32_t n_entries;
	struct ws_limits limits;
	uint64_t random_seed[2]; // of this filter's generator, from the control thread
};
#define WS_VIEW_FULL UINT32_MAX // ws_filter_config.view: the largest frame

struct ws_filter_ops {
	// One call for each of the guest's writes that completed whole slots, in the guest's order, at most
	// WS_BURST_MAX at a time. Takes: the tokens. Borrows: v for the call.
	void (*verdicts)(void *env, const struct ws_verdict *v, uint32_t n);
	// A line from wasi:logging, already rate-limited. The dataplane queues it; it must not block.
	void (*log)(void *env, enum ws_log_level level, const char *context, size_t context_len,
		const char *message, size_t message_len);
	// Inside ws_filter_create: the core store before guest code runs in it for the first time, so that
	// another thread may interrupt a start that does not end (we_store_entry, we_store_interrupt); then
	// NULL when the start is over, before anything is freed. May be NULL itself.
	void (*starting)(void *env, struct we_store *core);
	// Guest-visible clock for wasi:clocks: nanoseconds of the poll loop's monotonic clock.
	uint64_t (*now_ns)(void *env);
};

struct ws_filter;

// What is lent stays lent in every state but READY until ws_filter_reclaim: an ended filter may have died with
// packets in its hands. An ended one may want one more run for its status.
enum ws_filter_state {
	WS_FILTER_READY,   // takes offers; after ws_filter_stop it only drains
	WS_FILTER_ENDED,   // process ended by itself: its output is closed, or its status has come
	WS_FILTER_STOPPED, // the same, after ws_filter_stop
	WS_FILTER_FAULTED, // a failure was returned; the error says which
};

// Instantiate, call process and run until it blocks; the shape is fixed then. env: of the ops.
// A filter that gave up by itself (bad rules in its configuration) is created too: its state is ENDED,
// its status says why.
// Returns: 0; TRAP, EXHAUSTED (stalled: it waits for nothing), UNLINKABLE, NOMEM; INVALID: a view for a
// filter without setup, an entry that is not UTF-8, a limit out of range.
WE_PUBLIC WE_MUST_USE int ws_filter_create(struct ws_program *program,
	const struct ws_filter_config *config, const struct ws_filter_ops *ops, void *env,
	struct ws_filter **ret_filter, struct we_error *err);
// Frees the instance. Needs: nothing lent (ws_filter_reclaim first). NULL is fine.
WE_PUBLIC void ws_filter_destroy(struct ws_filter *filter);
// Moving a ready filter to another owner: the env of its ops.
WE_PUBLIC void ws_filter_set_env(struct ws_filter *filter, void *env);

struct ws_shape {
	uint32_t stride;
	uint32_t view;
	uint32_t room;
	uint32_t burst;
};
WE_PUBLIC struct ws_shape ws_filter_shape(const struct ws_filter *filter);
WE_PUBLIC uint32_t ws_filter_n_reasons(const struct ws_filter *filter);
// Name of drop reason i in 1..n, borrowed from the filter. NULL otherwise.
WE_PUBLIC const char *ws_filter_reason(const struct ws_filter *filter, uint32_t i);

// How many more packets may be lent now: min(burst room in the source, held bound).
WE_PUBLIC uint32_t ws_filter_room(const struct ws_filter *filter);
// Data path 3/7: lend packets [n], 0 < n <= ws_filter_room; those that fit go straight into the guest's
// posted read, the rest is copied and waits in the source. One event, whatever n is.
WE_PUBLIC WE_MUST_USE int ws_filter_offer(struct ws_filter *filter, const struct ws_packet *packets,
	uint32_t n, uint64_t now_ns, struct we_error *err);
// Data path 4/7 and 5/7: run the guest until it blocks; timers that are due fire first.
// Returns: 0; a failure: the filter is FAULTED (WS stalled too, as EXHAUSTED "stalled").
WE_PUBLIC WE_MUST_USE int ws_filter_run(
	struct ws_filter *filter, uint64_t now_ns, struct we_error *err);
// Is there anything to run without a new offer? (a timer due at now_ns, a pending event, a slot too old)
WE_PUBLIC bool ws_filter_wants_run(const struct ws_filter *filter, uint64_t now_ns);
// When ws_filter_wants_run may become true by time alone; UINT64_MAX: never.
WE_PUBLIC uint64_t ws_filter_next_ns(const struct ws_filter *filter);
// End the input stream and run: the guest sees DROPPED, writes what it holds, resolves its status. It may take
// runs and time for that (limits.hold_ns) and is READY, without room, until it has STOPPED; then it is stalled.
WE_PUBLIC WE_MUST_USE int ws_filter_stop(
	struct ws_filter *filter, uint64_t now_ns, struct we_error *err);
WE_PUBLIC uint32_t ws_filter_n_lent(const struct ws_filter *filter);
// Hand back every token still lent, oldest first, after a fault or a stop. Each goes to give_back once.
WE_PUBLIC void ws_filter_reclaim(
	struct ws_filter *filter, void (*give_back)(void *env, void *token), void *env);

WE_PUBLIC enum ws_filter_state ws_filter_state(const struct ws_filter *filter);
// The status future of process: resolved in every case.
enum ws_status {
	WS_STATUS_OPEN,      // still running
	WS_STATUS_OK,        // result ok
	WS_STATUS_MALFORMED, // error malformed
	WS_STATUS_INTERNAL,  // error internal(text)
	WS_STATUS_DROPPED,   // the filter dropped or never wrote its end
	WS_STATUS_TRAPPED,   // trap, deadline, stalled, contract broken
	WS_STATUS_STOPPED,   // the port stopped and the filter had not answered
};
WE_PUBLIC enum ws_status ws_filter_status(const struct ws_filter *filter);
WE_PUBLIC const char *ws_status_name(enum ws_status status);
// Text of error internal, or of the failure; "" when there is none. Borrowed from the filter.
WE_PUBLIC const char *ws_filter_status_text(const struct ws_filter *filter);
// The core store, for deadlines (we_store_entry, we_store_interrupt) and memory figures.
WE_PUBLIC struct we_store *ws_filter_core(struct ws_filter *filter);

// ---- weir wrap ----------------------------------------------------------------------------------

// Make a component from a core module built against the guest SDK. *ret_data: malloc'd, the caller frees it.
// Returns: 0; MALFORMED, INVALID; UNLINKABLE (an import or export that the SDK's world does not have, an exported memory).
WE_PUBLIC WE_MUST_USE int ws_wrap(struct we_engine *engine, struct we_bytes core_module,
	uint8_t **ret_data, size_t *ret_len, struct we_error *err);

#ifdef __cplusplus
}
#endif
