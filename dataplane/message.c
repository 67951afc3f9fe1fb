// SPDX-License-Identifier: BSD-3-Clause
// dp_message: one-line messages for what fails before the first packet.
#include "message.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

int dp_fail(char **ret_message, int rc, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	if (vasprintf(ret_message, fmt, ap) < 0)
		*ret_message = NULL;
	va_end(ap);
	return rc;
}

int dp_vfail_at(char **ret_message, const struct dp_config *config, struct dp_place place, int rc,
	const char *fmt, va_list ap)
{
	char *text = NULL;

	if (vasprintf(&text, fmt, ap) < 0)
		text = NULL;
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
