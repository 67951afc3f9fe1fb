// SPDX-License-Identifier: BSD-3-Clause
// The SDK's process, step by step: the core module inside prebuilt/pass.wasm, and a host that answers from a list.
//
// Every call of the guest becomes a word in a log; a test says which answers reads, writes and the status get, and
// what the log must be.

#include "reader.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define PROCESS  "[async-lift]weir:packet/filter@0.1.0#process"
#define CALLBACK "[callback]" PROCESS
#define BLOCKED  UINT32_MAX

enum {
	STRIDE = 256,
	BURST = 4, // slots
	RX = 11,   // handles
	TX = 12,
	STATUS = 13,
	SET = 14,
	WAIT = 2 | SET << 4,
	EXIT = 0,
	DROPPED = 1,
	EVENT_SUBTASK = 1,
	EVENT_READ = 2,
	EVENT_WRITE = 3,
	EVENT_STATUS = 5,
	ANSWERS_MAX = 8,
};

struct answers {
	uint32_t of[ANSWERS_MAX]; // BLOCKED when they are used up
	uint32_t n;
	uint32_t next;
};

struct host {
	struct we_engine *engine;
	struct we_module *module;
	struct we_store *store;
	struct we_memory *memory;
	struct we_func *process;
	struct we_func *callback;
	struct we_error err;
	struct answers reads, writes, statuses;
	char log[1024];
	uint32_t buf; // where the first read goes
	uint32_t context;
	uint8_t status[16]; // what was written to the status future
};

// ---- the host's side ----------------------------------------------------------------------------

static void note(struct host *h, const char *fmt, ...) WE_PRINTF(2, 3);

static void note(struct host *h, const char *fmt, ...)
{
	const size_t len = strlen(h->log);
	va_list args;

	va_start(args, fmt);
	vsnprintf(h->log + len, sizeof(h->log) - len, fmt, args);
	va_end(args);
}

static uint32_t answer(struct answers *a)
{
	return a->next < a->n ? a->of[a->next++] : BLOCKED;
}

static int on_configure(void *env, uint64_t *slots, struct we_error *err)
{
	static const uint32_t shape[4] = {STRIDE, STRIDE - 64, 0, BURST};
	struct host *h = env;
	uint8_t *span;

	note(h, "configure(%u,%u,%u) ", (uint32_t)slots[0], (uint32_t)slots[1], (uint32_t)slots[3]);
	if (we_memory_span(h->memory, (uint32_t)slots[4], sizeof(shape), &span) != 0)
		return we_error_set(err, WE_E_TRAP, 0, "shape");
	memcpy(span, shape, sizeof(shape));
	return 0;
}

static int on_tx_new(void *env, uint64_t *slots, struct we_error *err)
{
	(void)err;
	(void)env;
	slots[0] = (uint64_t)TX << 32 | 112;
	return 0;
}

static int on_status_new(void *env, uint64_t *slots, struct we_error *err)
{
	(void)err;
	(void)env;
	slots[0] = (uint64_t)STATUS << 32 | 113;
	return 0;
}

static int on_set_new(void *env, uint64_t *slots, struct we_error *err)
{
	(void)err;
	(void)env;
	slots[0] = SET;
	return 0;
}

static int on_join(void *env, uint64_t *slots, struct we_error *err)
{
	(void)err;
	note(env, "join(%u) ", (uint32_t)slots[0]);
	return 0;
}

static int on_context_set(void *env, uint64_t *slots, struct we_error *err)
{
	(void)err;
	((struct host *)env)->context = (uint32_t)slots[0];
	return 0;
}

static int on_context_get(void *env, uint64_t *slots, struct we_error *err)
{
	(void)err;
	note(env, "context ");
	slots[0] = ((struct host *)env)->context;
	return 0;
}

static int on_return(void *env, uint64_t *slots, struct we_error *err)
{
	(void)err;
	note(env, "return(%u,%u) ", (uint32_t)slots[0], (uint32_t)slots[1]);
	return 0;
}

static int on_read(void *env, uint64_t *slots, struct we_error *err)
{
	struct host *h = env;

	(void)err;
	if (h->buf == 0)
		h->buf = (uint32_t)slots[1];
	note(h, "read(%u,%u) ", (uint32_t)slots[1] - h->buf, (uint32_t)slots[2]);
	slots[0] = answer(&h->reads);
	return 0;
}

static int on_write(void *env, uint64_t *slots, struct we_error *err)
{
	struct host *h = env;

	(void)err;
	note(h, "write(%u,%u) ", (uint32_t)slots[1] - h->buf, (uint32_t)slots[2]);
	slots[0] = answer(&h->writes);
	return 0;
}

static int on_status_write(void *env, uint64_t *slots, struct we_error *err)
{
	struct host *h = env;
	uint8_t *span;

	if (we_memory_span(h->memory, (uint32_t)slots[1], sizeof(h->status), &span) != 0)
		return we_error_set(err, WE_E_TRAP, 0, "status");
	memcpy(h->status, span, sizeof(h->status));
	note(h, "status(%u) ", h->status[0]);
	slots[0] = answer(&h->statuses);
	return 0;
}

static int on_drop(void *env, uint64_t *slots, struct we_error *err)
{
	(void)err;
	note(env, "drop(%u) ", (uint32_t)slots[0]);
	return 0;
}

static const struct {
	const char *name;
	we_host_fn fn;
} host_funcs[] = {
	{"configure", on_configure},
	{"[stream-new-1]process", on_tx_new},
	{"[future-new-2]process", on_status_new},
	{"[waitable-set-new]", on_set_new},
	{"[waitable-join]", on_join},
	{"[context-set-0]", on_context_set},
	{"[context-get-0]", on_context_get},
	{"[task-return]process", on_return},
	{"[async-lower][stream-read-0]process", on_read},
	{"[async-lower][stream-write-1]process", on_write},
	{"[async-lower][future-write-2]process", on_status_write},
	{"[stream-drop-readable-0]process", on_drop},
	{"[stream-drop-writable-1]process", on_drop},
	{"[future-drop-writable-2]process", on_drop},
	{"[waitable-set-drop]", on_drop},
};

static we_host_fn host_func(struct we_bytes name)
{
	for (size_t i = 0; i < sizeof(host_funcs) / sizeof(host_funcs[0]); i++)
		if (strlen(host_funcs[i].name) == name.len &&
			memcmp(host_funcs[i].name, name.data, name.len) == 0)
			return host_funcs[i].fn;
	fail_msg("import %.*s", (int)name.len, name.data);
	return NULL;
}

// ---- the guest ----------------------------------------------------------------------------------

// The second core module of a component: the guest, behind the module with its memory.
static struct we_bytes guest_of(struct we_bytes component, struct we_error *err)
{
	enum {
		CORE_MODULE = 1
	};
	struct we_reader r, section;
	struct we_bytes head;
	uint32_t n = 0;

	we_reader_init(&r, component, 0, err);
	assert_int_equal(we_reader_bytes(&r, 8, &head), 0);
	while (!we_reader_at_end(&r)) {
		uint8_t id;
		uint32_t len;

		assert_int_equal(we_reader_u8(&r, &id), 0);
		assert_int_equal(we_reader_u32(&r, &len), 0);
		assert_int_equal(we_reader_sub(&r, len, &section), 0);
		if (id == CORE_MODULE && n++ == 1)
			return (struct we_bytes){section.at, len};
	}
	fail_msg("no guest in the component");
	return head;
}

static uint8_t *file_read(const char *path, size_t *ret_len)
{
	enum {
		MAX = 1 << 20
	};
	uint8_t *data = malloc(MAX);
	FILE *file = fopen(path, "rb");

	assert_non_null(data);
	assert_non_null(file);
	*ret_len = fread(data, 1, MAX, file);
	fclose(file);
	return data;
}

static int setup(void **state)
{
	struct host *h = calloc(1, sizeof(*h));
	struct we_extern imports[32];
	struct we_instance *instance;
	struct we_extern ext;
	size_t len = 0;
	uint8_t *data = file_read(WEIR_PREBUILT "/pass.wasm", &len);

	assert_non_null(h);
	assert_int_equal(we_engine_create(NULL, &h->engine, &h->err), 0);
	if (we_module_create(h->engine, guest_of((struct we_bytes){data, len}, &h->err), 0,
		    &h->module, &h->err) != 0)
		fail_msg("%s", h->err.msg);
	free(data);
	assert_int_equal(we_store_create(h->engine, NULL, &h->store, &h->err), 0);
	assert_true(we_module_n_imports(h->module) <= 32);
	for (uint32_t i = 0; i < we_module_n_imports(h->module); i++) {
		struct we_import import;

		we_module_import(h->module, i, &import);
		imports[i].kind = import.type.kind;
		if (import.type.kind == WE_EXTERN_MEMORY) {
			assert_int_equal(
				we_memory_create(h->store, WE_I32, 4, 16, &h->memory, &h->err), 0);
			imports[i].of.memory = h->memory;
		} else {
			assert_int_equal(
				we_func_create_host(h->store, import.type.func,
					host_func(import.name), h, &imports[i].of.func, &h->err),
				0);
		}
	}
	if (we_instance_create(h->store, h->module, imports, we_module_n_imports(h->module),
		    &instance, &h->err) != 0)
		fail_msg("%s", h->err.msg);
	assert_int_equal(we_instance_export(instance, PROCESS, strlen(PROCESS), &ext), 0);
	h->process = ext.of.func;
	assert_int_equal(we_instance_export(instance, CALLBACK, strlen(CALLBACK), &ext), 0);
	h->callback = ext.of.func;
	*state = h;
	return 0;
}

static int teardown(void **state)
{
	struct host *h = *state;

	we_store_destroy(h->store);
	we_module_unref(h->module);
	we_engine_destroy(h->engine);
	free(h);
	return 0;
}

static uint32_t process(struct host *h)
{
	uint64_t slots[1] = {RX};

	h->log[0] = '\0';
	if (we_func_call(h->process, slots, &h->err) != 0)
		fail_msg("%s", h->err.msg);
	return (uint32_t)slots[0];
}

// To where the first read waits.
static void begin(struct host *h)
{
	assert_int_equal(process(h), WAIT);
	h->log[0] = '\0';
}

static uint32_t callback(struct host *h, uint32_t event, uint32_t handle, uint32_t copied)
{
	uint64_t slots[3] = {event, handle, copied};

	h->log[0] = '\0';
	if (we_func_call(h->callback, slots, &h->err) != 0)
		fail_msg("%s", h->err.msg);
	return (uint32_t)slots[0];
}

// ---- tests --------------------------------------------------------------------------------------

static void process_sets_up_returns_and_reads(void **state)
{
	struct host *h = *state;

	assert_int_equal(process(h), WAIT);
	assert_string_equal(h->log,
		"configure(192,0,0) join(11) join(12) join(13) return(112,113) read(0,1024) ");
}

static void burst_is_one_write_and_one_read(void **state)
{
	struct host *h = *state;

	begin(h);
	h->writes = (struct answers){.of = {512 << 4}, .n = 1};
	assert_int_equal(callback(h, EVENT_READ, RX, 512 << 4), WAIT);
	assert_string_equal(h->log, "write(0,512) read(0,1024) ");
}

static void blocked_write_is_waited_for(void **state)
{
	struct host *h = *state;

	begin(h);
	assert_int_equal(callback(h, EVENT_READ, RX, 1024 << 4), WAIT);
	assert_string_equal(h->log, "write(0,1024) ");
	assert_int_equal(callback(h, EVENT_WRITE, TX, 1024 << 4), WAIT);
	assert_string_equal(h->log, "read(0,1024) ");
}

static void partial_write_is_continued(void **state)
{
	struct host *h = *state;

	begin(h);
	h->writes = (struct answers){.of = {100 << 4, 0, 412 << 4}, .n = 3};
	assert_int_equal(callback(h, EVENT_READ, RX, 512 << 4), WAIT);
	assert_string_equal(h->log, "write(0,512) write(100,412) write(100,412) read(0,1024) ");
	assert_int_equal(callback(h, EVENT_READ, RX, 512 << 4), WAIT);
	assert_int_equal(
		callback(h, EVENT_WRITE, TX, 256 << 4), WAIT); // partial when it comes late
	assert_string_equal(h->log, "write(256,256) ");
}

static void reads_that_are_done_at_once_go_on(void **state)
{
	struct host *h = *state;

	h->reads = (struct answers){.of = {256 << 4, 0, 512 << 4}, .n = 3};
	h->writes = (struct answers){.of = {256 << 4, 512 << 4}, .n = 2};
	assert_int_equal(process(h), WAIT);
	assert_non_null(strstr(h->log, "read(0,1024) write(0,256) read(0,1024) read(0,1024) "
				       "write(0,512) read(0,1024) "));
}

static void part_of_a_slot_waits_for_the_rest(void **state)
{
	struct host *h = *state;

	begin(h);
	h->writes = (struct answers){.of = {256 << 4, 256 << 4}, .n = 2};
	assert_int_equal(callback(h, EVENT_READ, RX, 300 << 4), WAIT);
	assert_string_equal(h->log, "write(0,256) read(44,980) ");
	assert_int_equal(callback(h, EVENT_READ, RX, 212 << 4), WAIT);
	assert_string_equal(h->log, "write(0,256) read(0,1024) ");
	assert_int_equal(callback(h, EVENT_READ, RX, 10 << 4), WAIT);
	assert_string_equal(h->log, "read(10,1014) ");
}

static void end_of_input_ends_with_ok(void **state)
{
	struct host *h = *state;

	begin(h);
	h->statuses = (struct answers){.of = {0}, .n = 1};
	assert_int_equal(callback(h, EVENT_READ, RX, DROPPED), EXIT);
	assert_string_equal(h->log, "drop(11) drop(12) status(0) drop(13) drop(14) ");
}

static void last_burst_is_written_before_the_end(void **state)
{
	struct host *h = *state;

	begin(h);
	h->writes = (struct answers){.of = {256 << 4}, .n = 1};
	assert_int_equal(callback(h, EVENT_READ, RX, 256 << 4 | DROPPED), WAIT);
	assert_string_equal(h->log, "drop(11) write(0,256) drop(12) status(0) ");
	assert_int_equal(callback(h, EVENT_STATUS, STATUS, 0), EXIT);
	assert_string_equal(h->log, "drop(13) drop(14) ");
}

static void input_that_ends_inside_a_slot_is_malformed(void **state)
{
	static const uint8_t malformed[8] = {1, [4] = 0};
	struct host *h = *state;

	begin(h);
	h->statuses = (struct answers){.of = {DROPPED}, .n = 1};
	assert_int_equal(callback(h, EVENT_READ, RX, 44 << 4 | DROPPED), EXIT);
	assert_string_equal(h->log, "drop(11) drop(12) status(1) drop(13) drop(14) ");
	assert_memory_equal(h->status, malformed, sizeof(malformed));
}

static void reader_that_is_gone_ends_the_run(void **state)
{
	struct host *h = *state;

	begin(h);
	h->writes = (struct answers){.of = {256 << 4 | DROPPED}, .n = 1};
	h->statuses = (struct answers){.of = {0}, .n = 1};
	assert_int_equal(callback(h, EVENT_READ, RX, 512 << 4), EXIT);
	assert_string_equal(h->log, "write(0,512) drop(11) drop(12) status(0) drop(13) drop(14) ");
}

static void second_process_asks_the_context(void **state)
{
	struct host *h = *state;
	uint32_t first;

	begin(h);
	first = h->context;
	assert_int_equal(process(h), WAIT);
	assert_int_not_equal(h->context, first);
	h->context = first;
	h->writes = (struct answers){.of = {256 << 4}, .n = 1};
	assert_int_equal(callback(h, EVENT_READ, RX, 256 << 4), WAIT);
	assert_string_equal(h->log, "context write(0,256) read(0,1024) ");
}

static void task_that_ended_is_used_again(void **state)
{
	struct host *h = *state;
	uint32_t first;

	begin(h);
	first = h->context;
	h->statuses = (struct answers){.of = {0}, .n = 1};
	assert_int_equal(callback(h, EVENT_READ, RX, DROPPED), EXIT);
	assert_int_equal(h->context, 0);
	begin(h);
	assert_int_equal(h->context, first);
	h->writes = (struct answers){.of = {256 << 4}, .n = 1};
	assert_int_equal(callback(h, EVENT_READ, RX, 256 << 4), WAIT);
	assert_string_equal(h->log, "write(0,256) read(0,1024) ");
}

static void event_that_is_not_waited_for_traps(void **state)
{
	struct host *h = *state;
	uint64_t slots[3] = {EVENT_SUBTASK, 1, 2};

	begin(h);
	assert_int_equal(we_func_call(h->callback, slots, &h->err), WE_E_TRAP);
	assert_int_equal(h->err.trap, WE_TRAP_UNREACHABLE);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(process_sets_up_returns_and_reads, setup, teardown),
		cmocka_unit_test_setup_teardown(burst_is_one_write_and_one_read, setup, teardown),
		cmocka_unit_test_setup_teardown(blocked_write_is_waited_for, setup, teardown),
		cmocka_unit_test_setup_teardown(partial_write_is_continued, setup, teardown),
		cmocka_unit_test_setup_teardown(reads_that_are_done_at_once_go_on, setup, teardown),
		cmocka_unit_test_setup_teardown(part_of_a_slot_waits_for_the_rest, setup, teardown),
		cmocka_unit_test_setup_teardown(end_of_input_ends_with_ok, setup, teardown),
		cmocka_unit_test_setup_teardown(
			last_burst_is_written_before_the_end, setup, teardown),
		cmocka_unit_test_setup_teardown(
			input_that_ends_inside_a_slot_is_malformed, setup, teardown),
		cmocka_unit_test_setup_teardown(reader_that_is_gone_ends_the_run, setup, teardown),
		cmocka_unit_test_setup_teardown(second_process_asks_the_context, setup, teardown),
		cmocka_unit_test_setup_teardown(task_that_ended_is_used_again, setup, teardown),
		cmocka_unit_test_setup_teardown(
			event_that_is_not_waited_for_traps, setup, teardown),
	};

	return cmocka_run_group_tests_name("guest_task", tests, NULL, NULL);
}
