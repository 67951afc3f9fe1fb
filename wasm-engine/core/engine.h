// SPDX-License-Identifier: BSD-3-Clause
// we_engine: what all modules and stores share: canonical types and options.
//
// Module path 1/6. Owns: the defined types. Thread: any; making types takes the lock, reading one by
// its id does not: ids come from modules, which are published after their types.
#pragma once

#include <pthread.h>
#include <stdatomic.h>

#include "arena.h"
#include "cpu.h"
#include "type.h"

enum {
	WE_TYPE_CHUNK_BITS = 12, // types of one chunk of the table: 2^12
	WE_TYPE_CHUNKS = 4096
};

struct we_jit;
struct we_rectype;

struct we_engine {
	struct we_engine_config config; // defaults filled in, strings owned
	const struct we_tier *tier;
	_Atomic uint64_t native_generation; // counts images that were published for any module
	uint64_t hash_seed;          // secret, so that no module can choose types that collide
	pthread_mutex_t lock;        // of all below
	struct we_arena arena;       // of the types
	struct we_rectype **buckets; // [n_buckets], by hash
	uint32_t n_buckets;          // a power of two
	uint32_t n_groups;
	uint32_t n_types; // ids given out
	// Types by id, in chunks so that none ever moves.
	const struct we_deftype **types[WE_TYPE_CHUNKS];
	struct we_jit *jit; // NULL: nothing was to be compiled yet; set once, under lock
	// Of native code; the interpreter chooses like it (spec: Relaxed Operations). Nothing in it: there is no native code.
	struct we_cpu cpu;
};

static inline const struct we_deftype *we_engine_type(const struct we_engine *engine, uint32_t id)
{
	return engine->types[id >> WE_TYPE_CHUNK_BITS][id & ((1u << WE_TYPE_CHUNK_BITS) - 1)];
}
