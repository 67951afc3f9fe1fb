// SPDX-License-Identifier: BSD-3-Clause
#undef NDEBUG // a fake that does not look lets everything pass
#include "cm_fake.h"

#include "../host/host.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

struct cm_component {
	uint32_t n_refs;
};
struct cm_linker {
	uint32_t n_defined;
};
struct cm_store {
	uint32_t n_deferred;
};
struct cm_instance {
	int dummy;
};
struct cm_func {
	int dummy;
};
struct cm_stream {
	const struct cm_stream_ops *ops;
	void *env;
	bool is_host_gone;
	bool is_guest_gone;
};
struct cm_call {
	void (*cancelled)(void *env);
	void *env;
	uint32_t nth;
	bool is_deferred;
	bool has_fired;
};

uint8_t fake_memory[FAKE_MEMORY];
uint32_t fake_n_events;
int fake_instance_rc;

static struct {
	struct fake_guest guest;
	struct cm_store *store;
	struct cm_stream rx, tx;
	cm_future_fn status_fn;
	void *status_env;
	struct cm_on_return on_return;
	void *setup; // envs of the interfaces
	void *clock;
	struct cm_call calls[FAKE_TIMERS];
	uint8_t *posted;   // the guest's read
	uint32_t posted_n; // bytes of it that are free
	uint32_t read_n;   // bytes that came
	bool is_posted;
	bool has_event;
	bool has_yielded;
	bool may_go_on; // it yielded in an earlier run
	int rc;
	struct we_error err;
} fake;

void fake_begin(const struct fake_guest *guest)
{
	memset(&fake, 0, sizeof(fake));
	fake.guest = *guest;
	fake_n_events = 0;
	fake_instance_rc = 0;
}

static void trapped(int rc)
{
	if (rc < 0 && fake.rc == 0)
		fake.rc = rc;
}

int64_t fake_read(uint32_t at, uint32_t n)
{
	uint32_t moved = 0;

	assert(!fake.is_posted && !fake.rx.is_guest_gone);
	if (fake.rx.is_host_gone)
		return 0;
	const int rc = fake.rx.ops->copy(fake.rx.env, fake_memory + at, n, &moved, &fake.err);

	trapped(rc);
	if (rc == 0)
		return moved;
	fake.is_posted = true;
	fake.posted = fake_memory + at;
	fake.posted_n = n;
	fake.read_n = 0;
	return FAKE_BLOCKED;
}

int64_t fake_write(uint32_t at, uint32_t n)
{
	uint32_t moved = 0;

	assert(!fake.tx.is_guest_gone && fake.tx.ops != NULL);
	const int rc = fake.tx.ops->copy(fake.tx.env, fake_memory + at, n, &moved, &fake.err);

	trapped(rc);
	return rc == 0 ? (int64_t)moved : FAKE_BLOCKED;
}

static void drop(struct cm_stream *stream)
{
	assert(!stream->is_guest_gone);
	stream->is_guest_gone = true;
	if (!stream->is_host_gone && stream->ops != NULL && stream->ops->dropped != NULL)
		stream->ops->dropped(stream->env);
}

void fake_drop_rx(void)
{
	fake.is_posted = false;
	drop(&fake.rx);
}

void fake_drop_tx(void)
{
	drop(&fake.tx);
}

void fake_return(bool is_own_rx)
{
	const struct cm_val pair[2] = {
		{.kind = CM_STREAM, .of.stream = is_own_rx ? &fake.rx : &fake.tx},
		{.kind = CM_FUTURE, .of.future = (struct cm_future *)&fake},
	};
	const struct cm_val result = {.kind = CM_TUPLE, .n = 2, .of.elems = pair};

	trapped(fake.on_return.returned(fake.on_return.env, &result, &fake.err));
}

void fake_resolve(uint32_t result_case, uint32_t error_case, const char *text)
{
	const struct cm_val string = {
		.kind = CM_STRING, .n = (uint32_t)strlen(text), .of.string = text};
	const struct cm_val error = {.kind = CM_VARIANT,
		.n = error_case,
		.of.payload = error_case == 1 ? &string : NULL};
	const struct cm_val result = {.kind = CM_VARIANT,
		.n = result_case,
		.of.payload = result_case == 1 ? &error : NULL};

	trapped(fake.status_fn(fake.status_env, &result, &fake.err));
}

void fake_drop_status(void)
{
	trapped(fake.status_fn(fake.status_env, NULL, &fake.err));
}

void fake_exit(void)
{
	fake.on_return.exited(fake.on_return.env);
}

void fake_yield(void)
{
	fake.has_yielded = true;
}

void fake_configure(uint32_t view, uint32_t room, const char *reason)
{
	const struct cm_val name = {
		.kind = CM_STRING, .n = (uint32_t)strlen(reason), .of.string = reason};
	const struct cm_val args[3] = {
		{.kind = CM_U32, .of.bits = view},
		{.kind = CM_U32, .of.bits = room},
		{.kind = CM_LIST, .n = 1, .of.elems = &name},
	};
	struct cm_val result;

	trapped(ws_setup_configure(fake.setup, NULL, args, 3, &result, &fake.err));
}

void fake_wait_for(uint32_t i, uint64_t duration_ns)
{
	const struct cm_val arg = {.kind = CM_U64, .of.bits = duration_ns};

	fake.calls[i].nth = i;
	trapped(ws_clock_wait_for(fake.clock, &fake.calls[i], &arg, 1, NULL, &fake.err));
}

void fake_trap(void)
{
	trapped(we_error_trap(&fake.err, WE_TRAP_UNREACHABLE, 0, 7, NULL));
}

// ---- cm.h ---------------------------------------------------------------------------------------

int cm_component_create(struct we_engine *engine, struct we_bytes bytes,
	struct cm_component **ret_component, struct we_error *err)
{
	(void)engine;
	(void)bytes;
	*ret_component = calloc(1, sizeof(**ret_component));
	return *ret_component == NULL ? we_error_set(err, WE_E_NOMEM, 0, "fake") : 0;
}

int cm_component_compile(struct cm_component *component, struct we_error *err)
{
	(void)component;
	(void)err;
	return 0;
}

void cm_component_jit_stats(const struct cm_component *component, struct we_jit_stats *ret_stats)
{
	(void)component;
	*ret_stats = (struct we_jit_stats){0};
}

void cm_component_unref(struct cm_component *component)
{
	free(component);
}

const char *cm_component_import_name(const struct cm_component *component, uint32_t i)
{
	(void)component;
	return i < 8 ? fake.guest.imports[i] : NULL;
}

const char *cm_component_export_name(const struct cm_component *component, uint32_t i)
{
	(void)component;
	return i < 4 ? fake.guest.exports[i] : NULL;
}

int cm_linker_create(struct we_engine *engine, struct cm_linker **ret_linker, struct we_error *err)
{
	(void)engine;
	*ret_linker = calloc(1, sizeof(**ret_linker));
	return *ret_linker == NULL ? we_error_set(err, WE_E_NOMEM, 0, "fake") : 0;
}

void cm_linker_destroy(struct cm_linker *linker)
{
	free(linker);
}

int cm_linker_define(struct cm_linker *linker, const char *interface_name, const char *wit,
	const struct cm_host_func *funcs, uint32_t n_funcs, struct we_error *err)
{
	(void)err;
	for (uint32_t i = 0; i < n_funcs; i++) // each function stands in the body
		assert(strstr(wit, funcs[i].name) != NULL && funcs[i].fn != NULL);
	assert(strchr(interface_name, '@') != NULL);
	linker->n_defined++;
	return 0;
}

int cm_store_create(struct we_engine *engine, const struct cm_limits *limits,
	struct cm_store **ret_store, struct we_error *err)
{
	(void)engine;
	(void)limits;
	*ret_store = calloc(1, sizeof(**ret_store));
	fake.store = *ret_store;
	return *ret_store == NULL ? we_error_set(err, WE_E_NOMEM, 0, "fake") : 0;
}

void cm_store_destroy(struct cm_store *store)
{
	free(store);
}

struct we_store *cm_store_core(struct cm_store *store)
{
	return (struct we_store *)store;
}

uint32_t cm_store_n_deferred(const struct cm_store *store)
{
	return store->n_deferred;
}

int cm_instance_create(struct cm_store *store, struct cm_component *component,
	const struct cm_linker *linker, cm_env_fn env_of, void *ctx,
	struct cm_instance **ret_instance, struct we_error *err)
{
	static struct cm_instance instance;

	(void)store;
	(void)component;
	assert(linker->n_defined > 0);
	if (fake_instance_rc < 0)
		return we_error_set(err, fake_instance_rc, 0, "fake instance");
	for (uint32_t i = 0; fake.guest.imports[i] != NULL; i++) {
		void *env = env_of(ctx, fake.guest.imports[i]);

		assert(env != NULL);
		if (strstr(fake.guest.imports[i], "setup") != NULL)
			fake.setup = env;
		if (strstr(fake.guest.imports[i], "monotonic") != NULL)
			fake.clock = env;
	}
	*ret_instance = &instance;
	return 0;
}

int cm_instance_func(struct cm_instance *inst, const char *interface_name, const char *name,
	struct cm_func **ret_func)
{
	static struct cm_func func;

	(void)inst;
	assert(strcmp(interface_name, "weir:packet/filter@0.1.0") == 0);
	assert(strcmp(name, "process") == 0);
	*ret_func = &func;
	return 0;
}

static int result_of_run(struct we_error *err)
{
	if (fake.rc < 0)
		*err = fake.err;
	return fake.rc;
}

int cm_func_start(struct cm_func *func, const struct cm_val *args, uint32_t n_args,
	const struct cm_on_return *on_return, struct cm_task **ret_task, struct we_error *err)
{
	(void)func;
	assert(n_args == 1 && args[0].kind == CM_STREAM && args[0].of.stream == &fake.rx);
	fake.on_return = *on_return;
	*ret_task = NULL;
	fake.guest.process();
	return result_of_run(err);
}

int cm_store_run(struct cm_store *store, struct we_error *err)
{
	bool is_idle = false;

	if (fake.may_go_on) {
		fake.may_go_on = false;
		fake.guest.on_yield();
	}
	while (!is_idle && fake.rc == 0) {
		is_idle = true;
		for (uint32_t i = 0; i < FAKE_TIMERS; i++)
			if (fake.calls[i].has_fired) {
				fake.calls[i].has_fired = false;
				is_idle = false;
				fake.guest.on_timer(i);
			}
		if (fake.has_event) {
			fake.has_event = false;
			fake.is_posted = false;
			fake_n_events++;
			is_idle = false;
			fake.guest.on_read(fake.read_n, fake.rx.is_host_gone);
		}
	}
	(void)store;
	if (fake.rc == 0 && fake.has_yielded) {
		fake.has_yielded = false;
		fake.may_go_on = true;
		return CM_MORE;
	}
	return result_of_run(err);
}

int cm_stream_create_source(struct cm_store *store, const struct cm_stream_ops *ops, void *env,
	struct cm_stream **ret_stream, struct we_error *err)
{
	(void)store;
	(void)err;
	fake.rx = (struct cm_stream){.ops = ops, .env = env};
	*ret_stream = &fake.rx;
	return 0;
}

int cm_stream_attach_sink(struct cm_stream *stream, const struct cm_stream_ops *ops, void *env,
	void **ret_source_env, struct we_error *err)
{
	(void)err;
	if (stream == &fake.rx) {
		*ret_source_env = fake.rx.env;
		return CM_OWN_SOURCE;
	}
	stream->ops = ops;
	stream->env = env;
	return 0;
}

int cm_stream_posted(struct cm_stream *stream, uint8_t **ret_buf, uint32_t *ret_n)
{
	assert(stream == &fake.rx && !stream->is_host_gone);
	if (!fake.is_posted || (fake.read_n > 0 && fake.posted_n == 0))
		return 1;
	*ret_buf = fake.posted;
	*ret_n = fake.posted_n;
	return 0;
}

void cm_stream_progress(struct cm_stream *stream, uint32_t n)
{
	assert(stream == &fake.rx && fake.is_posted && n <= fake.posted_n);
	fake.posted += n;
	fake.posted_n -= n;
	fake.read_n += n;
	fake.has_event = true;
}

void cm_stream_close(struct cm_stream *stream)
{
	assert(stream == &fake.rx && !stream->is_host_gone && !stream->is_guest_gone);
	stream->is_host_gone = true;
	if (fake.is_posted)
		fake.has_event = true;
}

int cm_future_attach(struct cm_future *future, cm_future_fn fn, void *env, struct we_error *err)
{
	(void)future;
	(void)err;
	fake.status_fn = fn;
	fake.status_env = env;
	return 0;
}

void cm_call_defer(struct cm_call *call, void (*cancelled)(void *env), void *env)
{
	call->cancelled = cancelled;
	call->env = env;
	call->is_deferred = true;
	fake.store->n_deferred++;
}

int cm_call_resolve(struct cm_call *call, const struct cm_val *result, struct we_error *err)
{
	(void)result;
	(void)err;
	assert(call->is_deferred);
	call->is_deferred = false;
	call->has_fired = true;
	fake.store->n_deferred--;
	return 0;
}

void *cm_call_alloc(struct cm_call *call, size_t len)
{
	(void)call;
	(void)len;
	return NULL;
}
