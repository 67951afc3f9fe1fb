// SPDX-License-Identifier: BSD-3-Clause
// dp_log: see log.h. A line is put together in a buffer of its own and written by one write(2).
#include "log.h"

#include "utf8.h"

#include <stdarg.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum {
	TEXT_MAX = 1024, // bytes of a line's own text
};

static const struct {
	const char *name;
	int priority; // of syslog(3)
} levels[] = {
	[DP_LOG_ERROR] = {"error", 3},
	[DP_LOG_WARN] = {"warn", 4},
	[DP_LOG_INFO] = {"info", 6},
	[DP_LOG_DEBUG] = {"debug", 7},
	[DP_LOG_TRACE] = {"trace", 7},
};

static const char *const formats[] = {
	[DP_LOG_TEXT] = "text",
	[DP_LOG_JSON] = "json",
	[DP_LOG_JOURNAL] = "journal",
};

static atomic_int log_level = DP_LOG_INFO;
static atomic_int log_format = -1; // -1: not chosen yet
static atomic_bool is_line_transient;

void dp_log_set_level(enum dp_log_level level)
{
	atomic_store_explicit(&log_level, (int)level, memory_order_relaxed);
}

void dp_log_set_format(enum dp_log_format format)
{
	atomic_store_explicit(&log_format, (int)format, memory_order_relaxed);
}

void dp_log_set_transient(bool is_transient)
{
	atomic_store_explicit(&is_line_transient, is_transient, memory_order_relaxed);
}

enum dp_log_level dp_log_level(void)
{
	return (enum dp_log_level)atomic_load_explicit(&log_level, memory_order_relaxed);
}

static enum dp_log_format format_now(void)
{
	int format = atomic_load_explicit(&log_format, memory_order_relaxed);

	if (format < 0) {
		format = getenv("JOURNAL_STREAM") != NULL ? DP_LOG_JOURNAL : DP_LOG_TEXT;
		atomic_store_explicit(&log_format, format, memory_order_relaxed);
	}
	return (enum dp_log_format)format;
}

int dp_log_level_parse(const char *name, enum dp_log_level *ret_level)
{
	for (size_t i = 0; i < sizeof(levels) / sizeof(levels[0]); i++) {
		if (strcmp(levels[i].name, name) == 0) {
			*ret_level = (enum dp_log_level)i;
			return 0;
		}
	}
	return 1;
}

int dp_log_format_parse(const char *name, enum dp_log_format *ret_format)
{
	for (size_t i = 0; i < sizeof(formats) / sizeof(formats[0]); i++) {
		if (strcmp(formats[i], name) == 0) {
			*ret_format = (enum dp_log_format)i;
			return 0;
		}
	}
	return 1;
}

// A line under construction; what does not fit is cut.
struct line {
	char data[TEXT_MAX * 6 + 256];
	size_t len;
};

static void line_add(struct line *line, const char *text, size_t len)
{
	const size_t room = sizeof(line->data) - 1 - line->len; // 1: the newline

	if (len > room)
		len = room;
	memcpy(line->data + line->len, text, len);
	line->len += len;
}

static void line_print(struct line *line, const char *fmt, ...) WE_PRINTF(2, 3);
static void line_print(struct line *line, const char *fmt, ...)
{
	char buf[192];
	va_list ap;

	va_start(ap, fmt);
	const int n = vsnprintf(buf, sizeof(buf), fmt, ap);
	va_end(ap);
	if (n > 0)
		line_add(line, buf, (size_t)n < sizeof(buf) ? (size_t)n : sizeof(buf) - 1);
}

// Text as it came, but nothing that could move a terminal's cursor or end the line or the JSON string.
static void line_add_escaped(struct line *line, const char *text, size_t len, bool is_json)
{
	const bool is_cut = len > TEXT_MAX;

	if (is_cut)
		len = TEXT_MAX;
	for (size_t i = 0; i < len;) {
		const size_t n = dp_utf8_len(text + i, len - i);
		const size_t step = n == 0 ? 1 : n;

		if (n == 0 || dp_utf8_is_control(text + i, n)) {
			// A control character's last byte is its code point.
			for (size_t k = is_json ? step - 1 : 0; k < step; k++)
				line_print(line, is_json ? "\\u%04x" : "\\x%02x",
					(uint8_t)text[i + k]);
		} else if (is_json && (text[i] == '"' || text[i] == '\\')) {
			line_print(line, "\\%c", text[i]);
		} else {
			line_add(line, text + i, n);
		}
		i += step;
	}
	if (is_cut)
		line_add(line, " [cut]", 6);
}

static void line_add_time(struct line *line)
{
	struct timespec now;
	struct tm tm;
	char buf[32];

	clock_gettime(CLOCK_REALTIME, &now);
	gmtime_r(&now.tv_sec, &tm);
	strftime(buf, sizeof(buf), "%Y-%m-%dT%H:%M:%S", &tm);
	line_print(line, "%s.%06ldZ", buf, now.tv_nsec / 1000);
}

void dp_log_text(enum dp_log_level level, const char *place, const char *text, size_t len)
{
	struct line line;

	if (level > dp_log_level())
		return;
	line.len = 0;
	if (atomic_load_explicit(&is_line_transient, memory_order_relaxed))
		line_add(&line, "\r\033[K", 4);
	switch (format_now()) {
	case DP_LOG_TEXT:
		line_add_time(&line);
		line_print(&line, " %-5s ", levels[level].name);
		line_add_escaped(&line, place, strlen(place), false);
		line_add(&line, " ", 1);
		line_add_escaped(&line, text, len, false);
		break;
	case DP_LOG_JSON:
		line_add(&line, "{\"time\":\"", 9);
		line_add_time(&line);
		line_print(&line, "\",\"level\":\"%s\",\"place\":\"", levels[level].name);
		line_add_escaped(&line, place, strlen(place), true);
		line_add(&line, "\",\"message\":\"", 13);
		line_add_escaped(&line, text, len, true);
		line_add(&line, "\"}", 2);
		break;
	case DP_LOG_JOURNAL:
		line_print(&line, "<%d>", levels[level].priority);
		line_add_escaped(&line, place, strlen(place), false);
		line_add(&line, " ", 1);
		line_add_escaped(&line, text, len, false);
		break;
	}
	line.data[line.len++] = '\n';
	// Nothing better can be done when stderr is gone.
	if (write(STDERR_FILENO, line.data, line.len) < 0)
		return;
}

void dp_log_write(enum dp_log_level level, const char *place, const char *fmt, ...)
{
	char text[TEXT_MAX + 2]; // one byte more than is kept, so that cutting is seen
	va_list ap;

	if (level > dp_log_level())
		return;
	va_start(ap, fmt);
	const int n = vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	if (n < 0)
		return;
	dp_log_text(level, place, text, (size_t)n < sizeof(text) ? (size_t)n : sizeof(text) - 1);
}
