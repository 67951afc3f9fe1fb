// SPDX-License-Identifier: BSD-3-Clause
// we_value: the embedder's values, checked on their way into the store.
//
// Module path 4/6. Between these functions and the next collection slots are as good as values: whatever allocates
// comes before or after, never between.
// Owns:   nothing. Thread: the store's worker.
// Spec:   core "Values" (execution), "Value Types" (matching).
#pragma once

#include "runtime.h"

// Write a value of the type to its slots. A packed type takes an i32.
// Returns: 0; INVALID: "type mismatch: expected i32, found f64".
WE_MUST_USE int we_value_to_slots(struct we_store *store, we_valtype type,
	const struct we_value *value, uint64_t *slots, struct we_error *err);
// n values behind each other, what ("argument") naming one of them in the message. They must be as many as the types.
WE_MUST_USE int we_values_to_slots(struct we_store *store, const we_valtype *types,
	uint32_t n_types, const struct we_value *values, uint32_t n, const char *what,
	uint64_t *slots, struct we_error *err);
void we_value_from_slots(const struct we_engine *engine, we_valtype type, const uint64_t *slots,
	struct we_value *ret);
void we_values_from_slots(const struct we_engine *engine, const we_valtype *types, uint32_t n,
	const uint64_t *slots, struct we_value *ret);
// The object that a value refers to, or NULL when it refers to none of the store's.
struct we_object *we_value_object(const struct we_store *store, const struct we_value *ref);
