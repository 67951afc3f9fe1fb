// SPDX-License-Identifier: BSD-3-Clause
// dp_message: one-line messages for what fails before the first packet.
#include "message.h"

#include "utf8.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

// A name or a value in it may have been anything: it stays one line, and a terminal may see it. Returns: owned, or NULL.
static char *vprint_line(const char *fmt, va_list ap)
{
	char *text = NULL;
	char *line;

	if (vasprintf(&text, fmt, ap) < 0)
		return NULL;
	line = dp_utf8_escaped(text);
	free(text);
	return line;
}

int dp_fail(char **ret_message, int rc, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	*ret_message = vprint_line(fmt, ap);
	va_end(ap);
	return rc;
}

int dp_vfail_at(char **ret_message, const struct dp_config *config, struct dp_place place, int rc,
	const char *fmt, va_list ap)
{
	char *text = vprint_line(fmt, ap);

	if (!text || place.line == 0) {
		*ret_message = text;
		return rc;
	}
	dp_fail(ret_message, rc, "%s:%u:%u: %s", config->file, place.line, place.column, text);
	free(text);
	return rc;
}

int dp_fail_at(char **ret_message, const struct dp_config *config, struct dp_place place, int rc,
	const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	dp_vfail_at(ret_message, config, place, rc, fmt, ap);
	va_end(ap);
	return rc;
}
