// SPDX-License-Identifier: BSD-3-Clause
// dp_log: lines for the operator, on stderr: time, level, place, text.
//
// What it does not do: the data path never calls it (STYLE.md "Never" 8). What a command has to say of
// wrong input ("weir: FILE:LINE:COLUMN: ...") is not a log line either and has no level.
// Owns:    the level and the format, one of each for the process.
// Thread:  any; a line is one write, so lines never mix.
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "we.h"

enum dp_log_level {
	DP_LOG_ERROR,
	DP_LOG_WARN,
	DP_LOG_INFO,
	DP_LOG_DEBUG,
	DP_LOG_TRACE,
};

enum dp_log_format {
	DP_LOG_TEXT,    // 2026-11-20T11:30:00.123456Z info port.c:88 text
	DP_LOG_JSON,    // one object a line: time, level, place, message
	DP_LOG_JOURNAL, // <6>port.c:88 text: the prefix of sd-daemon(3); the journal has its own clock
};

#define DP_LOG_LEVELS  "error|warn|info|debug|trace"
#define DP_LOG_FORMATS "text|json|journal"

// Lines above this level are not written. Before the first call: info, and text or, when stderr is
// the journal's (JOURNAL_STREAM), journal.
void dp_log_set_level(enum dp_log_level level);
void dp_log_set_format(enum dp_log_format format);
enum dp_log_level dp_log_level(void);
// Returns: 0, or 1 when there is no level (format) of that name.
int dp_log_level_parse(const char *name, enum dp_log_level *ret_level);
int dp_log_format_parse(const char *name, enum dp_log_format *ret_format);

// While the last line on the terminal is one that will be written over (progress), lines begin by erasing it.
void dp_log_set_transient(bool is_transient);

// place: where the line comes from, "port.c:88" or "filter acl". Bytes that are no printable UTF-8 are
// escaped, a line longer than 1 KiB is cut.
void dp_log_write(enum dp_log_level level, const char *place, const char *fmt, ...) WE_PRINTF(3, 4);
// The same for text that is not ours (a guest's line): len bytes, not terminated.
void dp_log_text(enum dp_log_level level, const char *place, const char *text, size_t len);

#define DP_LOG_STRING_(x) #x
#define DP_LOG_STRING(x)  DP_LOG_STRING_(x)
#define DP_LOG_PLACE      __FILE_NAME__ ":" DP_LOG_STRING(__LINE__)

#define dp_log_error(...) dp_log_write(DP_LOG_ERROR, DP_LOG_PLACE, __VA_ARGS__)
#define dp_log_warn(...)  dp_log_write(DP_LOG_WARN, DP_LOG_PLACE, __VA_ARGS__)
#define dp_log_info(...)  dp_log_write(DP_LOG_INFO, DP_LOG_PLACE, __VA_ARGS__)
#define dp_log_debug(...) dp_log_write(DP_LOG_DEBUG, DP_LOG_PLACE, __VA_ARGS__)
