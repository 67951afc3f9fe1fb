// SPDX-License-Identifier: BSD-3-Clause
// What a core module of world weir:packet/sdk imports, by the names of wit-component. A module imports what it calls.
//
// Spec: CanonicalABI.md "Canonical Built-ins"; filters/wit
#pragma once

#include "weir_text.h"
#include "weir_world.h"

#include <stdint.h>

#define WEIR_IMPORT(module, name) __attribute__((import_module(module), import_name(name))) extern
#define WEIR_EXPORT(name)         __attribute__((export_name(name), used))

// ---- interfaces of the host ---------------------------------------------------------------------

// wasi:config/store: result<option<string>, error> in memory.
struct weir_config_result {
	uint8_t is_err;
	uint32_t is_some; // low byte; of an error: which
	struct weir_str text;
};
_Static_assert(sizeof(struct weir_config_result) == 4 * sizeof(uint32_t), "canonical layout");

WEIR_IMPORT("wasi:config/store@0.2.0-rc.1", "get")
void weir_config_get(const char *key, uint32_t key_len, struct weir_config_result *ret);

// Value of a key of the filter's `config:` map. Returns: 0 and *ret_value, 1 when there is no such key, -1 when
// the host failed.
static inline int weir_config(struct weir_str key, struct weir_str *ret_value)
{
	struct weir_config_result result;

	weir_config_get(key.ptr, key.len, &result);
	if (result.is_err)
		return -1;
	if ((result.is_some & 0xff) == 0)
		return 1;
	*ret_value = result.text;
	return 0;
}

enum weir_log_level {
	WEIR_LOG_TRACE,
	WEIR_LOG_DEBUG,
	WEIR_LOG_INFO,
	WEIR_LOG_WARN,
	WEIR_LOG_ERROR,
	WEIR_LOG_CRITICAL,
};

WEIR_IMPORT("wasi:logging/logging@0.1.0-draft", "log")
void weir_logging_log(uint32_t level, const char *context, uint32_t context_len,
	const char *message, uint32_t message_len);

static inline void weir_log(
	enum weir_log_level level, struct weir_str context, struct weir_str message)
{
	weir_logging_log((uint32_t)level, context.ptr, context.len, message.ptr, message.len);
}

// Nanoseconds of the poll loop's monotonic clock.
WEIR_IMPORT("wasi:clocks/monotonic-clock@0.3.0", "now") uint64_t weir_now_ns(void);

// Asynchronous: answers the state in the low 4 bits (2: it is over already) and a subtask above.
WEIR_IMPORT("wasi:clocks/monotonic-clock@0.3.0", "[async-lower]wait-for")
uint32_t weir_wait_for(uint64_t ns);

WEIR_IMPORT("wasi:random/random@0.3.0", "get-random-u64") uint64_t weir_random_u64(void);

// ---- streams, futures, waitable sets ------------------------------------------------------------

#define WEIR_FILTER_IFACE "[export]weir:packet/filter@0.1.0"

WEIR_IMPORT("$root", "[waitable-set-new]") uint32_t weir_set_new(void);
WEIR_IMPORT("$root", "[waitable-set-drop]") void weir_set_drop(uint32_t set);
WEIR_IMPORT("$root", "[waitable-join]") void weir_join(uint32_t waitable, uint32_t set);
WEIR_IMPORT("$root", "[context-get-0]") uint32_t weir_context_get(void);
WEIR_IMPORT("$root", "[context-set-0]") void weir_context_set(uint32_t value);
WEIR_IMPORT(WEIR_FILTER_IFACE, "[async-lower][stream-read-0]process")
uint32_t weir_rx_read(uint32_t rx, void *data, uint32_t len);
WEIR_IMPORT(WEIR_FILTER_IFACE, "[stream-drop-readable-0]process") void weir_rx_drop(uint32_t rx);
WEIR_IMPORT(WEIR_FILTER_IFACE, "[stream-new-1]process") uint64_t weir_tx_new(void);
WEIR_IMPORT(WEIR_FILTER_IFACE, "[async-lower][stream-write-1]process")
uint32_t weir_tx_write(uint32_t tx, const void *data, uint32_t len);
WEIR_IMPORT(WEIR_FILTER_IFACE, "[stream-drop-writable-1]process") void weir_tx_drop(uint32_t tx);
WEIR_IMPORT(WEIR_FILTER_IFACE, "[future-new-2]process") uint64_t weir_status_new(void);
WEIR_IMPORT(WEIR_FILTER_IFACE, "[async-lower][future-write-2]process")
uint32_t weir_status_write(uint32_t status, const void *value);
WEIR_IMPORT(WEIR_FILTER_IFACE, "[future-drop-writable-2]process")
void weir_status_drop(uint32_t status);
WEIR_IMPORT(WEIR_FILTER_IFACE, "[task-return]process")
void weir_return(uint32_t rx, uint32_t status);

struct weir_shape {
	uint32_t stride;
	uint32_t view;
	uint32_t room;
	uint32_t burst;
};
WEIR_IMPORT("weir:packet/setup@0.1.0", "configure")
void weir_configure(uint32_t view, uint32_t room, const struct weir_str *reasons,
	uint32_t n_reasons, struct weir_shape *ret);

#define WEIR_PROCESS  "[async-lift]weir:packet/filter@0.1.0#process"
#define WEIR_CALLBACK "[callback]" WEIR_PROCESS

enum weir_event {
	WEIR_EVENT_NONE = 0,
	WEIR_EVENT_SUBTASK = 1,
	WEIR_EVENT_STREAM_READ = 2,
	WEIR_EVENT_STREAM_WRITE = 3,
	WEIR_EVENT_FUTURE_READ = 4,
	WEIR_EVENT_FUTURE_WRITE = 5,
	WEIR_EVENT_TASK_CANCELLED = 6,
};

// What process and its callback answer.
enum weir_callback_code {
	WEIR_CALLBACK_EXIT = 0,
	WEIR_CALLBACK_YIELD = 1,
	WEIR_CALLBACK_WAIT = 2, // | set << 4
};

// What a copy came to: this, or its result in the low 4 bits (0: the other end is still there) and a count above.
#define WEIR_BLOCKED 0xffffffffU

// The status, result<_, error>, as it lies in memory.
struct weir_status_value {
	uint32_t is_err;
	uint32_t is_internal; // error: 0 malformed, 1 internal(text)
	struct weir_str text;
};
