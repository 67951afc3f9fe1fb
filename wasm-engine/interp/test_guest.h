// SPDX-License-Identifier: BSD-3-Clause
// test_guest: a store for one test, instances of hand-made modules in it, and calls of what they export.
//
// Owns: the engine and the store, from guest_open to guest_close.
#pragma once

#include "test_module.h"

#include <stdlib.h>

struct guest {
	struct we_engine *engine;
	struct we_store *store;
	struct we_error err; // of the last thing that failed
};

static inline bool guest_is_native(void)
{
	const char *tier = getenv("WEIR_TEST_TIER");

	return tier != NULL && strcmp(tier, "jit") == 0;
}

// config and limits may be NULL. With WEIR_TEST_TIER=jit, all code is native.
static inline void guest_open(struct guest *g, const struct we_engine_config *config,
	const struct we_store_limits *limits)
{
	struct we_engine_config mine = config != NULL ? *config : (struct we_engine_config){0};

	memset(g, 0, sizeof(*g));
	mine.jit_at_once = mine.jit_at_once || guest_is_native();
	assert_int_equal(we_engine_create(&mine, &g->engine, &g->err), 0);
	assert_int_equal(we_store_create(g->engine, limits, &g->store, &g->err), 0);
}

static inline void guest_close(struct guest *g)
{
	we_store_destroy(g->store);
	we_engine_destroy(g->engine);
}

static inline struct we_module *guest_module(struct guest *g, const struct bytes *b)
{
	struct we_module *module = NULL;

	if (we_module_create(g->engine, (struct we_bytes){b->data, b->len}, 0, &module, &g->err) !=
		0)
		fail_msg("module: %s at 0x%llx", g->err.msg, (unsigned long long)g->err.offset);
	if (guest_is_native()) {
		struct we_jit_stats stats;

		we_module_jit_stats(module, &stats);
		if (stats.n_funcs_native + stats.n_funcs_given_up != stats.n_funcs)
			fail_msg("compiler: %s", stats.last_failure);
	}
	return module;
}

static inline struct we_instance *guest_link(
	struct guest *g, const struct bytes *b, const struct we_extern *imports, uint32_t n)
{
	struct we_module *module = guest_module(g, b);
	struct we_instance *inst = NULL;

	if (we_instance_create(g->store, module, imports, n, &inst, &g->err) != 0)
		fail_msg("instance: %s", g->err.msg);
	we_module_unref(module);
	return inst;
}

static inline struct we_instance *guest_instance(struct guest *g, const struct bytes *b)
{
	return guest_link(g, b, NULL, 0);
}

static inline struct we_extern guest_export(const struct we_instance *inst, const char *name)
{
	struct we_extern ext;

	if (we_instance_export(inst, name, strlen(name), &ext) != 0)
		fail_msg("nothing is exported as %s", name);
	return ext;
}

// Returns: as we_func_call; g->err is of this call.
static inline int guest_call(
	struct guest *g, const struct we_instance *inst, const char *name, uint64_t *slots)
{
	memset(&g->err, 0, sizeof(g->err));
	return we_func_call(guest_export(inst, name).of.func, slots, &g->err);
}

// The first result, of 64 bits, of a call with one argument that must return.
static inline uint64_t guest_ask(
	struct guest *g, const struct we_instance *inst, const char *name, uint64_t argument)
{
	uint64_t slots[16] = {argument};

	if (guest_call(g, inst, name, slots) != 0)
		fail_msg("%s: %s", name, g->err.msg);
	return slots[0];
}

// The trap of a call with one argument, which must trap.
static inline enum we_trap guest_trap(
	struct guest *g, const struct we_instance *inst, const char *name, uint64_t argument)
{
	uint64_t slots[16] = {argument};

	if (guest_call(g, inst, name, slots) == 0)
		fail_msg("%s(%llu): no trap", name, (unsigned long long)argument);
	return (enum we_trap)g->err.trap;
}
