// SPDX-License-Identifier: BSD-3-Clause
// script_value: component values as the scripts write them: ["u32.const", "42"], ["list.const", ...].
//
// Owns:    what script_value_parse made, until script_values_free.
#pragma once

#include "cm.h"
#include "type.h"

#include <jansson.h>

struct script_values {
	void **pieces; // [n_pieces]
	size_t n_pieces;
};

// The value of that type that tree says. Returns: 0, or -1 when the tree is no such value.
int script_value_parse(struct script_values *values, const json_t *tree, const struct cm_type *type,
	struct cm_val *ret_val);
void script_values_free(struct script_values *values);

// Is val, of that type, what tree says?
bool script_value_is(const struct cm_val *val, const struct cm_type *type, const json_t *tree);
