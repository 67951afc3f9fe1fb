// SPDX-License-Identifier: BSD-3-Clause
// dp_option: the rows of option.def for who prints them: `weir help configuration`.
//
// Thread:  any; constant.
#pragma once

#include <stdint.h>
#include <stdio.h>

enum dp_option_scope {
#define DP_OPTION_SCOPE(SCOPE, type, title, where) DP_SCOPE_##SCOPE,
#include "option.def"
	DP_SCOPE_N
};

struct dp_option_doc {
	enum dp_option_scope scope;
	const char *key;
	const char *expected; // "a number from 1 to 64"
	const char *def;      // as in the file; NULL: no value; "": it must be given
	const char *doc;
};

const char *dp_option_scope_title(enum dp_option_scope scope);
const char *dp_option_scope_where(enum dp_option_scope scope);
// Row i in the order of option.def; buf [cap] takes `expected`. Returns: 0, or 1 beyond the last.
int dp_option_row(uint32_t i, char *buf, size_t cap, struct dp_option_doc *ret_doc);
