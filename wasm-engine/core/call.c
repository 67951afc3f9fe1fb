// SPDX-License-Identifier: BSD-3-Clause
// we_func: functions of the host, and calls from the host that are not the short way of native/enter.S.
//
// Module path 4/6. Thread: the store's worker. Spec: core "Invocation".
#include <stdlib.h>

#include "engine.h"
#include "native.h"
#include "runtime.h"
#include "tier.h"

void we_func_init_host(struct we_func *func, struct we_store *store, const struct we_functype *type,
	we_host_fn fn, void *env)
{
	func->kind = WE_FUNC_HOST;
	func->type = type;
	func->store = store;
	func->entry = (void *)(uintptr_t)we_native_generic;
	func->host = fn;
	func->env = env;
	func->next = store->host_funcs;
	store->host_funcs = func;
}

int we_func_create_host(struct we_store *store, const struct we_functype *type, we_host_fn fn,
	void *env, struct we_func **ret_func, struct we_error *err)
{
	struct we_func *func = calloc(1, sizeof(*func));

	if (func == NULL)
		return we_error_set(err, WE_E_NOMEM, 0, "no memory for a host function");
	we_func_init_host(func, store, type, fn, env);
	*ret_func = func;
	return 0;
}

const struct we_functype *we_func_type(const struct we_func *func)
{
	return func->type;
}

void we_store_name_func(const struct we_store *store, struct we_error *err)
{
	if (err != NULL && err->trap != WE_TRAP_NONE && store->n_frames > 0 &&
		err->func == store->frames[0].func)
		we_module_name_func(store->frames[0].module, err->func, err);
}

static int call(struct we_func *func, uint64_t *slots, struct we_error *err)
{
	return func->enter != NULL ? we_native_call(func, slots, err)
				   : func->store->tier->call(func, slots, err);
}

// Has the engine got native code that the functions of the store do not know yet?
static bool is_behind(const struct we_store *store)
{
	return atomic_load_explicit(&store->engine->native_generation, memory_order_relaxed) !=
	       store->native.generation;
}

int we_func_call_slow(struct we_func *func, uint64_t *slots, struct we_error *err)
{
	struct we_store *store = func->store;
	uint64_t entry;
	int rc;

	if (func->kind == WE_FUNC_HOST)
		return func->host(func->env, slots, err);
	store->n_frames = 0;
	entry = atomic_load_explicit(&store->entry, memory_order_relaxed);
	if (entry != 0) { // a host function calls back: still the same entry
		rc = call(func, slots, err);
		if (rc < 0)
			we_store_look_again(store);
		return rc;
	}
	we_store_begin(store);
	if (is_behind(store))
		we_native_bind_store(store);
	rc = call(func, slots, err);
	we_store_end(store);
	if (rc < 0)
		we_store_name_func(store, err);
	return rc;
}
