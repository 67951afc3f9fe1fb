// SPDX-License-Identifier: BSD-3-Clause
// Two filter components that were not made by weir, between a source and a sink of the host: one by hand,
// one by the ordinary Rust toolchain. Argument: the folder of the examples; where it is absent all tests are skipped.
#include "alloc_trial.h"
#include "cm.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum {
	BINARY_CAP = 1 << 20, // bytes
	BURST_CAP = 8192,     // bytes that both examples read at a time
	SLOT = 256,           // bytes
	STATUS_OPEN = -1,
};

static const char *folder;
static struct we_engine *engine;

// ---- the host -----------------------------------------------------------------------------------

struct host {
	struct cm_component *component;
	struct cm_linker *linker;
	struct cm_store *store;
	struct cm_instance *inst;
	struct cm_stream *source;
	struct cm_stream *sink;
	struct cm_future *done;
	int status; // STATUS_OPEN, or the case of the result
	bool sink_is_dropped;
	bool has_exited;
	uint8_t written[BURST_CAP];
	uint32_t n_written;
	uint32_t sink_room; // bytes that the sink takes in a write
	struct we_error err;
};

static int source_copy(void *env, uint8_t *buf, uint32_t n, uint32_t *ret_n, struct we_error *err)
{
	(void)env;
	(void)buf;
	(void)n;
	(void)ret_n;
	(void)err;
	return CM_BLOCKED; // the test fills what is posted
}

static int sink_copy(void *env, uint8_t *buf, uint32_t n, uint32_t *ret_n, struct we_error *err)
{
	struct host *host = env;
	const uint32_t room = BURST_CAP - host->n_written;
	uint32_t take = n < host->sink_room ? n : host->sink_room;

	(void)err;
	take = take < room ? take : room;
	if (n > 0 && take == 0)
		return CM_BLOCKED;
	if (take > 0)
		memcpy(host->written + host->n_written, buf, take);
	host->n_written += take;
	*ret_n = take;
	return 0;
}

static void sink_dropped(void *env)
{
	((struct host *)env)->sink_is_dropped = true;
}

static const struct cm_stream_ops source_ops = {.copy = source_copy};
static const struct cm_stream_ops sink_ops = {.copy = sink_copy, .dropped = sink_dropped};

static int on_status(void *env, const struct cm_val *val, struct we_error *err)
{
	(void)err;
	((struct host *)env)->status = (int)val->n;
	return 0;
}

static int on_return(void *env, const struct cm_val *result, struct we_error *err)
{
	struct host *host = env;
	void *source;
	int rc;

	host->sink = result->of.elems[0].of.stream;
	host->done = result->of.elems[1].of.future;
	rc = cm_stream_attach_sink(host->sink, &sink_ops, host, &source, err);
	return rc < 0 ? rc : cm_future_attach(host->done, on_status, host, err);
}

static void on_exit_of_task(void *env)
{
	((struct host *)env)->has_exited = true;
}

static int configure(void *env, struct cm_call *call, const struct cm_val *args, uint32_t n_args,
	struct cm_val *result, struct we_error *err)
{
	struct cm_val *shape = cm_call_alloc(call, 4 * sizeof(*shape));
	const uint32_t values[4] = {SLOT, 192, 0, BURST_CAP / SLOT};

	(void)env;
	(void)args;
	(void)n_args;
	if (!shape)
		return we_error_set(err, WE_E_NOMEM, 0, "out of memory");
	for (int i = 0; i < 4; i++)
		shape[i] = (struct cm_val){.kind = CM_U32, .of.bits = values[i]};
	*result = (struct cm_val){.kind = CM_RECORD, .n = 4, .of.elems = shape};
	return 0;
}

static int get(void *env, struct cm_call *call, const struct cm_val *args, uint32_t n_args,
	struct cm_val *result, struct we_error *err)
{
	static const struct cm_val none = {.kind = CM_VARIANT};

	(void)env;
	(void)call;
	(void)args;
	(void)n_args;
	(void)err;
	*result = (struct cm_val){.kind = CM_VARIANT, .of.payload = &none};
	return 0;
}

static void define(struct host *host)
{
	static const struct cm_host_func setup[] = {{"configure", configure}};
	static const struct cm_host_func store[] = {{"get", get}};

	assert_int_equal(cm_linker_create(engine, &host->linker, &host->err), 0);
	assert_int_equal(
		cm_linker_define(host->linker, "weir:packet/setup@0.1.0",
			"record shape { stride: u32, view: u32, room: u32, burst: u32 }\n"
			"configure: func(view: u32, room: u32, reasons: list<string>) -> shape;",
			setup, 1, &host->err),
		0);
	assert_int_equal(cm_linker_define(host->linker, "wasi:config/store@0.2.0-rc.1",
				 "variant error { upstream(string), io(string) }\n"
				 "get: func(key: string) -> result<option<string>, error>;",
				 store, 1, &host->err),
		0);
}

// Start the filter of that file, up to its first read.
static void begin(struct host *host, const char *name)
{
	const struct cm_on_return ret = {
		.returned = on_return, .exited = on_exit_of_task, .env = host};
	static uint8_t bytes[BINARY_CAP];
	struct cm_val arg = {.kind = CM_STREAM};
	struct cm_func *process = NULL;
	char path[4096];
	size_t len;
	FILE *file;

	snprintf(path, sizeof(path), "%s/%s", folder, name);
	file = fopen(path, "rb");
	if (!file) {
		print_message("SKIPPED: %s is not there\n", path);
		skip();
	}
	len = fread(bytes, 1, sizeof(bytes), file);
	fclose(file);
	*host = (struct host){.status = STATUS_OPEN, .sink_room = UINT32_MAX};
	assert_int_equal(cm_component_create(engine, (struct we_bytes){bytes, len},
				 &host->component, &host->err),
		0);
	define(host);
	assert_int_equal(cm_store_create(engine, NULL, &host->store, &host->err), 0);
	assert_int_equal(cm_instance_create(host->store, host->component, host->linker, NULL, NULL,
				 &host->inst, &host->err),
		0);
	assert_int_equal(
		cm_instance_func(host->inst, "weir:packet/filter@0.1.0", "process", &process), 0);
	assert_int_equal(
		cm_stream_create_source(host->store, &source_ops, host, &host->source, &host->err),
		0);
	arg.of.stream = host->source;
	assert_int_equal(cm_func_start(process, &arg, 1, &ret, NULL, &host->err), 0);
	while (cm_store_run(host->store, &host->err) == CM_MORE)
		;
	assert_non_null(host->sink);
}

static void run(struct host *host)
{
	const int rc = cm_store_run(host->store, &host->err);

	if (rc < 0)
		fail_msg("%s", host->err.msg);
}

static void burst(struct host *host, uint32_t n_slots, uint8_t seed)
{
	uint8_t *buf = NULL;
	uint32_t n = 0;

	assert_int_equal(cm_stream_posted(host->source, &buf, &n), 0);
	assert_true(n >= n_slots * SLOT);
	for (uint32_t i = 0; i < n_slots * SLOT; i++)
		buf[i] = (uint8_t)(seed + i * 7);
	cm_stream_progress(host->source, n_slots * SLOT);
	run(host);
}

// What came out is what went in, but for the first byte of each slot, which the Rust filter counts up.
static void assert_burst(const struct host *host, uint32_t n_slots, uint8_t seed)
{
	assert_int_equal(host->n_written, n_slots * SLOT);
	for (uint32_t i = 0; i < host->n_written; i++) {
		if (i % SLOT != 0)
			assert_int_equal(host->written[i], (uint8_t)(seed + i * 7));
	}
}

static void end(struct host *host)
{
	cm_stream_close(host->source);
	run(host);
	assert_int_equal(host->status, 0);
	assert_true(host->sink_is_dropped);
	assert_true(host->has_exited);
	cm_stream_close(host->sink);
	cm_future_close(host->done);
	cm_store_destroy(host->store);
	cm_linker_destroy(host->linker);
	cm_component_unref(host->component);
}

static void carry_bursts(const char *name)
{
	struct host host;
	unsigned long before = 0;

	begin(&host, name);
	for (uint32_t i = 0; i < 100; i++) {
		if (i == 50)
			before = alloc_trial.n;
		host.n_written = 0;
		burst(&host, 1 + i % 32, (uint8_t)i);
		assert_burst(&host, 1 + i % 32, (uint8_t)i);
	}
	assert_int_equal(alloc_trial.n, before); // a burst allocates nothing
	end(&host);
}

static void carry_bursts_to_a_slow_sink(const char *name)
{
	struct host host;

	begin(&host, name);
	host.sink_room = 100;
	burst(&host, 8, 3);
	for (int i = 0; i < 100 && host.n_written < 8 * SLOT; i++)
		run(&host);
	assert_burst(&host, 8, 3);
	end(&host);
}

static void hand_made_filter_carries_bursts(void **state)
{
	(void)state;
	carry_bursts("wrapped-filter/pass.wasm");
}

static void hand_made_filter_carries_bursts_to_a_slow_sink(void **state)
{
	(void)state;
	carry_bursts_to_a_slow_sink("wrapped-filter/pass.wasm");
}

static void rust_filter_carries_bursts(void **state)
{
	(void)state;
	carry_bursts("rust-filter/filter.component.wasm");
}

static void rust_filter_carries_bursts_to_a_slow_sink(void **state)
{
	(void)state;
	carry_bursts_to_a_slow_sink("rust-filter/filter.component.wasm");
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(hand_made_filter_carries_bursts),
		cmocka_unit_test(hand_made_filter_carries_bursts_to_a_slow_sink),
		cmocka_unit_test(rust_filter_carries_bursts),
		cmocka_unit_test(rust_filter_carries_bursts_to_a_slow_sink),
	};
	struct we_error err;
	int failed;

	if (argc != 2 || we_engine_create(NULL, &engine, &err) < 0)
		return 2;
	folder = argv[1];
	failed = cmocka_run_group_tests_name("cm_examples", tests, NULL, NULL);
	we_engine_destroy(engine);
	return failed;
}
