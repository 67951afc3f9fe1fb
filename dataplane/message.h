// SPDX-License-Identifier: BSD-3-Clause
// dp_message: one-line messages for what fails before the first packet.
#pragma once

#include "config.h"

#include <stdarg.h>

// Put a line into *ret_message (malloc'd; NULL when there is no memory) and return rc. Control characters become \xHH.
int dp_fail(char **ret_message, int rc, const char *fmt, ...) WE_PRINTF(3, 4);
// The same with "FILE:LINE:COLUMN: " in front, when the place is in a file.
int dp_fail_at(char **ret_message, const struct dp_config *config, struct dp_place place, int rc,
	const char *fmt, ...) WE_PRINTF(5, 6);
int dp_vfail_at(char **ret_message, const struct dp_config *config, struct dp_place place, int rc,
	const char *fmt, va_list ap) WE_PRINTF(5, 0);
