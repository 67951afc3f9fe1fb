// SPDX-License-Identifier: BSD-3-Clause
// spec_value: values of a converted script: arguments into slots, results against patterns.
//
// Spec: interpreter "Scripts" (assertions, nan patterns, either).
#pragma once

#include <jansson.h>

#include "we.h"

// Write an argument to slots[0..2). Returns: slots it takes, 0 when it is not of the type.
uint32_t spec_value_arg(
	struct we_store *store, const json_t *arg, enum we_kind kind, uint64_t *slots);
// Does the result match the pattern?
bool spec_value_matches(const struct we_store *store, const json_t *pattern, enum we_kind kind,
	const uint64_t *slots);
// "i32:5", cut to cap bytes with the terminator.
void spec_value_print(const struct we_store *store, enum we_kind kind, const uint64_t *slots,
	char *buf, size_t cap);
// The pattern as the script has it.
void spec_pattern_print(const json_t *pattern, char *buf, size_t cap);
uint32_t spec_kind_n_slots(enum we_kind kind);
