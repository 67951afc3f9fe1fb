// SPDX-License-Identifier: BSD-3-Clause
// test_native: the same modules in two stores, run by the interpreter in one and as native code in the other.
//
// Code is made in this process: in_process.h.
// Owns: the engine and the stores, from pair_open to pair_close.
#pragma once

#include "../interp/test_draft.h"
#include "in_process.h"
#include "runtime.h"

#include <pthread.h>
#include <stdio.h>

enum side {
	INTERP,
	NATIVE,
	SIDES
};

struct pair {
	struct we_engine *engine;
	struct we_store *store[SIDES];
};

// An instance of the module in either store.
struct twins {
	struct we_instance *of[SIDES];
};

// How a call ended.
struct outcome {
	int rc;
	struct we_error err; // when rc < 0
	uint32_t n_frames;
	struct we_frame frames[WE_BACKTRACE_FRAMES];
};

// config and limits may be NULL.
static inline void pair_open(
	struct pair *p, const struct we_engine_config *config, const struct we_store_limits *limits)
{
	struct we_error err;

	if (we_engine_create(config, &p->engine, &err) != 0)
		fail_msg("engine: %s", err.msg);
	for (unsigned i = 0; i < SIDES; i++)
		if (we_store_create(p->engine, limits, &p->store[i], &err) != 0)
			fail_msg("store: %s", err.msg);
	we_store_set_interp(p->store[INTERP], true);
}

static inline void pair_close(struct pair *p)
{
	for (unsigned i = 0; i < SIDES; i++)
		we_store_destroy(p->store[i]);
	we_engine_destroy(p->engine);
}

static inline struct we_jit_options test_options(void)
{
	struct we_jit_options opt = {.verify = true};

	we_cpu_detect(&opt.cpu);
	return opt;
}

// opt: how to compile it; NULL: not at all. imports [SIDES][n]: or NULL.
static inline struct twins pair_link(struct pair *p, const struct bytes *b,
	const struct we_jit_options *opt, const struct we_extern *const imports[SIDES], uint32_t n)
{
	struct we_module *module = NULL;
	struct we_error err;
	struct twins twins = {{NULL}};

	if (we_module_create(p->engine, (struct we_bytes){b->data, b->len}, 0, &module, &err) != 0)
		fail_msg("module: %s at 0x%llx", err.msg, (unsigned long long)err.offset);
	if (opt != NULL && we_jit_publish_here(module, opt, &err) != 0)
		fail_msg("compiler: %s", err.msg);
	for (unsigned i = 0; i < SIDES; i++)
		if (we_instance_create(p->store[i], module, imports != NULL ? imports[i] : NULL, n,
			    &twins.of[i], &err) != 0)
			fail_msg("instance: %s", err.msg);
	we_module_unref(module);
	return twins;
}

static inline struct twins pair_instance(
	struct pair *p, const struct bytes *b, const struct we_jit_options *opt)
{
	return pair_link(p, b, opt, NULL, 0);
}

static inline struct we_extern twin_export(
	const struct twins *twins, enum side side, const char *name)
{
	struct we_extern ext;

	if (we_instance_export(twins->of[side], name, strlen(name), &ext) != 0)
		fail_msg("nothing is exported as %s", name);
	return ext;
}

static inline struct we_func *twin_func(const struct twins *twins, enum side side, const char *name)
{
	return twin_export(twins, side, name).of.func;
}

static inline void call_side(const struct twins *twins, enum side side, const char *name,
	uint64_t *slots, struct outcome *ret)
{
	struct we_func *func = twin_func(twins, side, name);

	memset(ret, 0, sizeof(*ret));
	ret->rc = we_func_call(func, slots, &ret->err);
	ret->n_frames = ret->rc == 0 ? 0
				     : we_store_backtrace(twins->of[side]->store, ret->frames,
					       WE_BACKTRACE_FRAMES);
}

// Does the function run as native code?
static inline bool is_native(const struct twins *twins, const char *name)
{
	return twin_func(twins, NATIVE, name)->enter != NULL;
}

// ---- text at random ------------------------------------------------------------------------------

struct writer {
	uint64_t random; // state, not 0
	size_t len;
	char text[40000];
};

static inline uint64_t next_random(uint64_t *x)
{
	*x ^= *x << 13;
	*x ^= *x >> 7;
	*x ^= *x << 17;
	return *x;
}

static inline uint32_t any(struct writer *w, uint32_t n)
{
	return (uint32_t)(next_random(&w->random) >> 20) % n;
}

static inline WE_PRINTF(2, 3) void put_text(struct writer *w, const char *format, ...)
{
	va_list args;
	int n;

	va_start(args, format);
	n = vsnprintf(w->text + w->len, sizeof(w->text) - w->len, format, args);
	va_end(args);
	w->len += (size_t)n;
	assert_true(w->len < sizeof(w->text));
}

// A number from the environment.
static inline uint64_t asked(const char *name, uint64_t otherwise)
{
	const char *text = getenv(name);

	return text != NULL ? strtoull(text, NULL, 0) : otherwise;
}

// ---- stacks --------------------------------------------------------------------------------------

// Run it in a thread with that much stack. It may not fail a test.
static inline void run_on_stack(size_t bytes, void *(*fn)(void *env), void *env)
{
	pthread_attr_t attr;
	pthread_t thread;

	assert_int_equal(pthread_attr_init(&attr), 0);
	assert_int_equal(pthread_attr_setstacksize(&attr, bytes), 0);
	assert_int_equal(pthread_create(&thread, &attr, fn, env), 0);
	assert_int_equal(pthread_join(thread, NULL), 0);
	pthread_attr_destroy(&attr);
}
