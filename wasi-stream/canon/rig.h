// SPDX-License-Identifier: BSD-3-Clause
// rig: a component instance for tests, without a component: its memory, its realloc, and guests that are
// functions in C.
//
// Owns: all in it, until rig_teardown.
#pragma once

#include "arena.h"
#include "builtins.h"
#include "task.h"

enum {
	RIG_MEMORY = 65536, // bytes
	RIG_HEAP = 4096,    // where realloc begins
};

struct rig;

// A guest's core function. Returns as a we_host_fn.
typedef int (*rig_guest_fn)(struct rig *rig, uint64_t *slots, struct we_error *err);

struct rig_guest {
	struct rig *rig;
	rig_guest_fn fn;
};

struct rig {
	struct we_engine *engine;
	struct cm_store *store;
	struct cm_instance *inst;
	struct we_memory *memory;
	struct we_func *realloc;
	struct we_arena arena; // types, guests, built-ins
	struct we_error err;   // of the last failure
	uint32_t heap;         // next byte that realloc gives
	bool realloc_lies;     // realloc answers realloc_answer
	uint32_t realloc_answer;
	rig_guest_fn in_realloc; // called by realloc, may be NULL
	void *test;              // the test's own
};

// cmocka set-up and tear-down: *state is the rig.
int rig_setup(void **state);
int rig_teardown(void **state);
// With limits.
int rig_init(struct rig *rig, const struct cm_limits *limits);
void rig_fini(struct rig *rig);
// Another instance of the same store, with the same memory.
struct cm_instance *rig_instance(struct rig *rig);

uint8_t *rig_bytes(struct rig *rig, uint32_t ptr, uint32_t len);
uint32_t rig_u32(struct rig *rig, uint32_t ptr);

// The type "stream<u8>", "list<string>", "tuple<u8, u64>", ...; NULL for "".
const struct cm_type *rig_type(struct rig *rig, const char *wit);
// The function type "func(a: u32) -> string", "async func()", ...
const struct cm_type *rig_functype(struct rig *rig, const char *wit);
struct cm_options rig_options(struct rig *rig, enum cm_encoding encoding, bool is_async);

struct we_func *rig_guest(struct rig *rig, rig_guest_fn fn, uint32_t n_params, uint32_t n_results);
// An async function that is lifted with a callback.
struct cm_func *rig_async_func(
	struct rig *rig, const char *wit, rig_guest_fn fn, rig_guest_fn callback);
struct cm_func *rig_sync_func(struct rig *rig, const char *wit, rig_guest_fn fn);

// A built-in of the instance; type as for rig_type.
struct cm_builtin *rig_builtin(struct rig *rig, const char *type, bool is_async);
// Call it. Returns: what it returns; a result is in slots[0].
int rig_call(struct rig *rig, enum cm_canon op, const struct cm_builtin *builtin, uint64_t *slots);
// The same with up to three parameters, and the result.
int rig_call3(struct rig *rig, enum cm_canon op, const struct cm_builtin *builtin, uint32_t a,
	uint32_t b, uint32_t c, uint64_t *ret_result);
