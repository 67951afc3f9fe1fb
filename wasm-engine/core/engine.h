// SPDX-License-Identifier: BSD-3-Clause
// we_engine: what all modules and stores share: interned types and options.
//
// Module path 1/6. Owns: the function types. Thread: any; interning takes the lock.
#pragma once

#include <pthread.h>

#include "type.h"

struct we_engine {
	struct we_engine_config config; // defaults filled in
	const struct we_tier *tier;
	uint64_t hash_seed;           // secret, so that no module can choose types that collide
	pthread_mutex_t lock;         // of all below
	struct we_functype **buckets; // [n_buckets], by hash
	uint32_t n_buckets;           // a power of two
	uint32_t n_types;
};
