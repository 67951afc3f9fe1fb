// SPDX-License-Identifier: BSD-3-Clause
// we_error: filling in the detail of a failure, the words for failures and traps, and the lines that show them.
//
// Owns: constant tables. Thread: any.
#include "we.h"

#include <assert.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h> // snprintf
#include <string.h>

// Names from guests end up in messages: nothing in them may steer a terminal, and a cut must not
// leave half a character.
static void clean(char *msg)
{
	char *at = msg;
	char *lead = msg; // first byte of the last character

	for (; *at != '\0'; at++) {
		if ((unsigned char)*at < 0x20 || *at == 0x7f)
			*at = '?';
		if (((unsigned char)*at & 0xc0) != 0x80)
			lead = at;
	}
	if ((unsigned char)*lead >= 0xc0) {
		const unsigned char byte = (unsigned char)*lead;
		const int n = byte >= 0xf0 ? 4 : byte >= 0xe0 ? 3 : 2;

		if (at - lead < n)
			*lead = '\0';
	}
}

int we_error_set(struct we_error *err, int rc, uint64_t offset, const char *fmt, ...)
{
	va_list ap;

	assert(rc < 0);
	if (err == NULL)
		return rc;
	err->rc = rc;
	err->trap = WE_TRAP_NONE;
	err->offset = offset;
	err->func = WE_NO_FUNC;
	va_start(ap, fmt);
	vsnprintf(err->msg, sizeof(err->msg), fmt, ap);
	va_end(ap);
	clean(err->msg);
	return rc;
}

void we_error_add(struct we_error *err, const char *fmt, ...)
{
	va_list ap;
	size_t used;

	if (err == NULL)
		return;
	used = strlen(err->msg);
	va_start(ap, fmt);
	vsnprintf(err->msg + used, sizeof(err->msg) - used, fmt, ap);
	va_end(ap);
	clean(err->msg);
}

static const struct {
	int rc;
	const char *text;
} traps[WE_TRAP_N] = {
	[WE_TRAP_NONE] = {WE_E_TRAP, "no trap"},
#define WE_TRAP(NAME, rc, text) [WE_TRAP_##NAME] = {WE_E_##rc, text},
#include "trap.def"
#undef WE_TRAP
};

int we_error_trap(struct we_error *err, enum we_trap trap, uint64_t offset, uint32_t func,
	const char *fmt, ...)
{
	va_list ap;
	int used;

	assert(trap > WE_TRAP_NONE && trap < WE_TRAP_N);
	if (err == NULL)
		return traps[trap].rc;
	err->rc = traps[trap].rc;
	err->trap = trap;
	err->offset = offset;
	err->func = func;
	used = snprintf(err->msg, sizeof(err->msg), fmt == NULL ? "%s" : "%s: ", traps[trap].text);
	if (fmt != NULL && used > 0 && (size_t)used < sizeof(err->msg)) {
		va_start(ap, fmt);
		vsnprintf(err->msg + used, sizeof(err->msg) - (size_t)used, fmt, ap);
		va_end(ap);
		clean(err->msg);
	}
	return traps[trap].rc;
}

const char *we_failure_word(int rc)
{
	switch (rc) {
#define WE_FAILURE(NAME, code, word, doc)                                                          \
	case WE_E_##NAME:                                                                          \
		return word;
#include "failure.def"
#undef WE_FAILURE
	default:
		return "done";
	}
}

const char *we_trap_text(enum we_trap trap)
{
	return trap < WE_TRAP_N ? traps[trap].text : "unknown trap";
}

void we_error_print(const struct we_error *err, char *buf, size_t cap)
{
	if (cap == 0)
		return;
	snprintf(
		buf, cap, "0x%" PRIx64 ": %s: %s", err->offset, we_failure_word(err->rc), err->msg);
	clean(buf);
}

void we_frame_print(const struct we_frame *frame, char *buf, size_t cap)
{
	const int len = (int)frame->name.len;

	if (cap == 0)
		return;
	snprintf(buf, cap, "at function %" PRIu32 "%s%.*s (0x%" PRIx64 ")", frame->func,
		len > 0 ? " " : "", len, len > 0 ? (const char *)frame->name.data : "",
		frame->offset);
	clean(buf);
}
