// SPDX-License-Identifier: BSD-3-Clause
// A component instance for tests, without a component.
#include "rig.h"

#include "instance.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

// A bump allocator, or a liar. slots: old, old size, alignment, new size.
static int run_realloc(void *env, uint64_t *slots, struct we_error *err)
{
	struct rig *rig = env;
	const uint32_t align = (uint32_t)slots[2];
	const uint32_t size = (uint32_t)slots[3];
	uint32_t old_size = (uint32_t)slots[1];
	uint32_t ptr;
	uint8_t *from;
	uint8_t *to;

	if (rig->in_realloc) {
		const int rc = rig->in_realloc(rig, slots, err);
		if (rc < 0)
			return rc;
	}
	if (rig->realloc_lies) {
		slots[0] = rig->realloc_answer;
		return 0;
	}
	ptr = (rig->heap + align - 1) & ~(align - 1);
	rig->heap = ptr + size;
	if (old_size > size)
		old_size = size;
	if (old_size > 0 && we_memory_span(rig->memory, slots[0], old_size, &from) == 0 &&
		we_memory_span(rig->memory, ptr, old_size, &to) == 0)
		memmove(to, from, old_size);
	slots[0] = ptr;
	return 0;
}

static struct we_func *host_func(
	struct rig *rig, uint32_t n_params, uint32_t n_results, we_host_fn fn, void *env)
{
	enum we_kind kinds[CM_FLAT_SPILLED] = {WE_I32};
	const struct we_functype *type;
	struct we_func *func;

	if (we_functype_create(rig->engine, kinds, n_params, kinds, n_results, &type, &rig->err) <
			0 ||
		we_func_create_host(rig->store->core, type, fn, env, &func, &rig->err) < 0)
		return NULL;
	return func;
}

struct cm_instance *rig_instance(struct rig *rig)
{
	struct cm_instance *inst;

	if (cm_instance_create_empty(rig->store, NULL, &inst, &rig->err) < 0)
		return NULL;
	inst->may_enter = true;
	return inst;
}

int rig_init(struct rig *rig, const struct cm_limits *limits)
{
	*rig = (struct rig){.heap = RIG_HEAP};
	if (we_engine_create(NULL, &rig->engine, &rig->err) < 0 ||
		cm_store_create(rig->engine, limits, &rig->store, &rig->err) < 0 ||
		we_memory_create(rig->store->core, WE_I32, 1, 1, &rig->memory, &rig->err) < 0)
		return -1;
	rig->realloc = host_func(rig, 4, 1, run_realloc, rig);
	rig->inst = rig_instance(rig);
	return rig->realloc && rig->inst ? 0 : -1;
}

void rig_fini(struct rig *rig)
{
	cm_store_destroy(rig->store);
	we_engine_destroy(rig->engine);
	we_arena_fini(&rig->arena);
}

int rig_setup(void **state)
{
	struct rig *rig = calloc(1, sizeof(*rig));

	*state = rig;
	return rig ? rig_init(rig, NULL) : -1;
}

int rig_teardown(void **state)
{
	rig_fini(*state);
	free(*state);
	return 0;
}

uint8_t *rig_bytes(struct rig *rig, uint32_t ptr, uint32_t len)
{
	uint8_t *span = NULL;

	return we_memory_span(rig->memory, ptr, len, &span) == 0 ? span : NULL;
}

uint32_t rig_u32(struct rig *rig, uint32_t ptr)
{
	uint32_t value;

	memcpy(&value, rig_bytes(rig, ptr, sizeof(value)), sizeof(value));
	return value;
}

const struct cm_type *rig_functype(struct rig *rig, const char *wit)
{
	const struct cm_type *type = NULL;
	char text[640];

	snprintf(text, sizeof(text), "f: %s;", wit);
	if (cm_wit_parse(&rig->arena, text, &type, &rig->err) < 0) {
		fprintf(stderr, "%s: %s\n", text, rig->err.msg);
		return NULL;
	}
	return cm_interface_export(type->face, "f", 1)->type;
}

const struct cm_type *rig_type(struct rig *rig, const char *wit)
{
	const struct cm_type *func;
	char text[512];

	if (wit[0] == '\0')
		return NULL;
	snprintf(text, sizeof(text), "func() -> %s", wit);
	func = rig_functype(rig, text);
	return func ? func->elem : NULL;
}

struct cm_options rig_options(struct rig *rig, enum cm_encoding encoding, bool is_async)
{
	return (struct cm_options){
		.encoding = encoding,
		.is_async = is_async,
		.memory = rig->memory,
		.realloc = rig->realloc,
	};
}

static int run_guest(void *env, uint64_t *slots, struct we_error *err)
{
	struct rig_guest *guest = env;

	return guest->fn(guest->rig, slots, err);
}

struct we_func *rig_guest(struct rig *rig, rig_guest_fn fn, uint32_t n_params, uint32_t n_results)
{
	struct rig_guest *guest = we_arena_alloc(&rig->arena, sizeof(*guest));

	guest->rig = rig;
	guest->fn = fn;
	return host_func(rig, n_params, n_results, run_guest, guest);
}

static struct cm_func *make_func(
	struct rig *rig, const char *wit, rig_guest_fn fn, rig_guest_fn callback)
{
	struct cm_func *func = we_arena_alloc(&rig->arena, sizeof(*func));
	struct cm_coresig sig;

	func->type = rig_functype(rig, wit);
	func->inst = rig->inst;
	func->opts = rig_options(rig, CM_ENCODING_UTF8, callback != NULL);
	cm_functype_flatten(func->type, CM_ABI_LIFT, func->opts.is_async, callback != NULL, &sig);
	func->callee = rig_guest(rig, fn, sig.n_params, sig.n_results);
	if (callback)
		func->opts.callback = rig_guest(rig, callback, 3, 1);
	return func;
}

struct cm_func *rig_async_func(
	struct rig *rig, const char *wit, rig_guest_fn fn, rig_guest_fn callback)
{
	return make_func(rig, wit, fn, callback);
}

struct cm_func *rig_sync_func(struct rig *rig, const char *wit, rig_guest_fn fn)
{
	return make_func(rig, wit, fn, NULL);
}

struct cm_builtin *rig_builtin(struct rig *rig, const char *type, bool is_async)
{
	struct cm_builtin *builtin = we_arena_alloc(&rig->arena, sizeof(*builtin));

	builtin->type = rig_type(rig, type);
	builtin->opts = rig_options(rig, CM_ENCODING_UTF8, is_async);
	builtin->is_async = is_async;
	builtin->cx = (struct cm_cx){.inst = rig->inst, .opts = &builtin->opts};
	return builtin;
}

int rig_call(struct rig *rig, enum cm_canon op, const struct cm_builtin *builtin, uint64_t *slots)
{
	return cm_builtin_fn(op)((void *)(uintptr_t)builtin, slots, &rig->err);
}

int rig_call3(struct rig *rig, enum cm_canon op, const struct cm_builtin *builtin, uint32_t a,
	uint32_t b, uint32_t c, uint64_t *ret_result)
{
	uint64_t slots[3] = {a, b, c};
	const int rc = rig_call(rig, op, builtin, slots);

	if (ret_result)
		*ret_result = slots[0];
	return rc;
}
