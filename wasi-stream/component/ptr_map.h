// SPDX-License-Identifier: BSD-3-Clause
// ptr_map: a hash table from pointers to pointers.
//
// Owns:   its slots, nothing that they point to. Thread: one.
#pragma once

#include "we.h"

// All zeros is an empty map. Invariant: n < cap, and cap is 0 or a power of two.
struct cm_ptr_map {
	struct cm_ptr_slot *slots; // [cap]
	size_t cap;
	size_t n;
};

void cm_ptr_map_fini(struct cm_ptr_map *map);
// key != NULL; what key led to before is forgotten. Returns: 0; NOMEM.
WE_MUST_USE int cm_ptr_map_put(struct cm_ptr_map *map, const void *key, const void *value);
// Returns: the value, or NULL.
const void *cm_ptr_map_get(const struct cm_ptr_map *map, const void *key);
// The key in slot i < cap, or NULL: to walk over all keys.
const void *cm_ptr_map_key(const struct cm_ptr_map *map, size_t i);
