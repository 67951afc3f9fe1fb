// SPDX-License-Identifier: BSD-3-Clause
// embed: a whole program around the engine; docs/embedding.md goes through it.
//
//	embed                            the module below
//	embed FILE.wasm [NAME [ARG...]]  another one that imports no more than the one below
//
// Owns: all it makes. Thread: the main one; a watchdog that only interrupts.
#include "we.h"

#include <inttypes.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

// clang-format off
// (module $demo
//   (import "host" "print" (func $print (param i32 i32)))
//   (import "host" "price" (func $price (param i32) (result i32)))
//   (import "host" "unknown" (tag $unknown (param i32)))
//   (tag $refused (export "refused") (param i32))
//   (memory (export "memory") 1)
//   (data (i32.const 8) "hello from the guest")
//   (func $hello (export "hello")
//     (call $print (i32.const 8) (i32.const 20)))
//   (func $divide (param i32 i32) (result i32)
//     (i32.div_s (local.get 0) (local.get 1)))
//   (func $share (export "share") (param i32 i32) (result i32)
//     (call $divide (local.get 0) (local.get 1)))
//   (func $order (export "order") (param $item i32) (param $n i32) (result i32)
//     (block $caught (result i32)
//       (try_table (catch $unknown $caught)
//         (if (i32.gt_s (local.get $n) (i32.const 100))
//           (then (throw $refused (local.get $n))))
//         (return (i32.mul (local.get $n) (call $price (local.get $item)))))
//       (unreachable))
//     (drop)
//     (i32.const -1))
//   (func $spin (export "spin")
//     (loop $again (br $again))))
static const uint8_t demo_module[] = {0x00, 0x61, 0x73, 0x6d, 0x01, 0x00, 0x00, 0x00, 0x01, 0x18, 0x05, 0x60, 0x02, 0x7f, 0x7f, 0x00, 0x60, 0x01, 0x7f, 0x01, 0x7f, 0x60, 0x01, 0x7f, 0x00, 0x60, 0x00, 0x00, 0x60, 0x02, 0x7f, 0x7f, 0x01, 0x7f, 0x02, 0x2b, 0x03, 0x04, 0x68, 0x6f, 0x73, 0x74, 0x05, 0x70, 0x72, 0x69, 0x6e, 0x74, 0x00, 0x00, 0x04, 0x68, 0x6f, 0x73, 0x74, 0x05, 0x70, 0x72, 0x69, 0x63, 0x65, 0x00, 0x01, 0x04, 0x68, 0x6f, 0x73, 0x74, 0x07, 0x75, 0x6e, 0x6b, 0x6e, 0x6f, 0x77, 0x6e, 0x04, 0x00, 0x02, 0x03, 0x06, 0x05, 0x03, 0x04, 0x04, 0x04, 0x03, 0x05, 0x03, 0x01, 0x00, 0x01, 0x0d, 0x03, 0x01, 0x00, 0x02, 0x07, 0x33, 0x06, 0x07, 0x72, 0x65, 0x66, 0x75, 0x73, 0x65, 0x64, 0x04, 0x01, 0x06, 0x6d, 0x65, 0x6d, 0x6f, 0x72, 0x79, 0x02, 0x00, 0x05, 0x68, 0x65, 0x6c, 0x6c, 0x6f, 0x00, 0x02, 0x05, 0x73, 0x68, 0x61, 0x72, 0x65, 0x00, 0x04, 0x05, 0x6f, 0x72, 0x64, 0x65, 0x72, 0x00, 0x05, 0x04, 0x73, 0x70, 0x69, 0x6e, 0x00, 0x06, 0x0a, 0x49, 0x05, 0x08, 0x00, 0x41, 0x08, 0x41, 0x14, 0x10, 0x00, 0x0b, 0x07, 0x00, 0x20, 0x00, 0x20, 0x01, 0x6d, 0x0b, 0x08, 0x00, 0x20, 0x00, 0x20, 0x01, 0x10, 0x03, 0x0b, 0x25, 0x00, 0x02, 0x7f, 0x1f, 0x40, 0x01, 0x00, 0x00, 0x00, 0x20, 0x01, 0x41, 0xe4, 0x00, 0x4a, 0x04, 0x40, 0x20, 0x01, 0x08, 0x01, 0x0b, 0x20, 0x01, 0x20, 0x00, 0x10, 0x01, 0x6c, 0x0f, 0x0b, 0x00, 0x0b, 0x1a, 0x41, 0x7f, 0x0b, 0x07, 0x00, 0x03, 0x40, 0x0c, 0x00, 0x0b, 0x0b, 0x0b, 0x1a, 0x01, 0x00, 0x41, 0x08, 0x0b, 0x14, 0x68, 0x65, 0x6c, 0x6c, 0x6f, 0x20, 0x66, 0x72, 0x6f, 0x6d, 0x20, 0x74, 0x68, 0x65, 0x20, 0x67, 0x75, 0x65, 0x73, 0x74, 0x00, 0x79, 0x04, 0x6e, 0x61, 0x6d, 0x65, 0x00, 0x05, 0x04, 0x64, 0x65, 0x6d, 0x6f, 0x01, 0x32, 0x07, 0x00, 0x05, 0x70, 0x72, 0x69, 0x6e, 0x74, 0x01, 0x05, 0x70, 0x72, 0x69, 0x63, 0x65, 0x02, 0x05, 0x68, 0x65, 0x6c, 0x6c, 0x6f, 0x03, 0x06, 0x64, 0x69, 0x76, 0x69, 0x64, 0x65, 0x04, 0x05, 0x73, 0x68, 0x61, 0x72, 0x65, 0x05, 0x05, 0x6f, 0x72, 0x64, 0x65, 0x72, 0x06, 0x04, 0x73, 0x70, 0x69, 0x6e, 0x02, 0x0c, 0x01, 0x05, 0x02, 0x00, 0x04, 0x69, 0x74, 0x65, 0x6d, 0x01, 0x01, 0x6e, 0x03, 0x14, 0x02, 0x05, 0x01, 0x00, 0x06, 0x63, 0x61, 0x75, 0x67, 0x68, 0x74, 0x06, 0x01, 0x00, 0x05, 0x61, 0x67, 0x61, 0x69, 0x6e, 0x0b, 0x13, 0x02, 0x00, 0x07, 0x75, 0x6e, 0x6b, 0x6e, 0x6f, 0x77, 0x6e, 0x01, 0x07, 0x72, 0x65, 0x66, 0x75, 0x73, 0x65, 0x64};
// clang-format on

#define MAX_VALUES  16
#define TICK_MS     10
#define DEADLINE_MS 50 // of one call

struct host {
	const char *file; // for messages
	struct we_engine *engine;
	struct we_module *module;
	struct we_store *store;
	struct we_linker *linker;
	struct we_instance *instance;
	struct we_memory *memory; // of the instance, NULL: none
	struct we_tag *unknown;   // what price raises
	struct we_error err;
	pthread_t watchdog;
	atomic_bool is_over;
};

// ---- what the guest may import ------------------------------------------------------------------

// host.print: (offset, length) -> (). By slots: the fast way.
static int print(void *env, uint64_t *slots, struct we_error *err)
{
	const struct host *host = env;
	const uint32_t offset = (uint32_t)slots[0];
	const uint32_t len = (uint32_t)slots[1];
	uint8_t *text;

	if (host->memory == NULL || we_memory_span(host->memory, offset, len, &text) != 0)
		return we_error_trap(err, WE_TRAP_HOST, 0, WE_NO_FUNC, "text out of bounds");
	printf("%.*s\n", (int)len, (const char *)text);
	return 0;
}

// host.price: (item) -> price, or the exception host.unknown. By values: the checked way.
static int price(
	void *env, const struct we_value *args, struct we_value *results, struct we_error *err)
{
	static const int32_t prices[] = {250, 120, 999};
	const struct host *host = env;
	const int32_t item = args[0].of.i32;

	if (item < 0 || item >= (int32_t)(sizeof(prices) / sizeof(prices[0])))
		return we_throw_values(host->store, host->unknown, args, 1, err);
	results[0].of.i32 = prices[item];
	return 0;
}

static int define_imports(struct host *host)
{
	static const enum we_kind i32s[] = {WE_I32, WE_I32};
	const struct we_functype *print_type;
	const struct we_functype *price_type;
	const struct we_functype *unknown_type;
	struct we_extern func = {.kind = WE_EXTERN_FUNC};
	struct we_extern tag = {.kind = WE_EXTERN_TAG};
	struct we_error *err = &host->err;
	int rc;

	rc = we_functype_create(host->engine, i32s, 2, NULL, 0, &print_type, err);
	if (rc == 0)
		rc = we_functype_create(host->engine, i32s, 1, i32s, 1, &price_type, err);
	if (rc == 0)
		rc = we_functype_create(host->engine, i32s, 1, NULL, 0, &unknown_type, err);
	if (rc == 0)
		rc = we_linker_define_func(
			host->linker, "host", "print", print_type, print, host, err);
	if (rc == 0)
		rc = we_func_create_host_values(
			host->store, price_type, price, host, &func.of.func, err);
	if (rc == 0)
		rc = we_linker_define(host->linker, "host", "price", &func, err);
	if (rc == 0)
		rc = we_tag_create(host->store, unknown_type, &host->unknown, err);
	if (rc < 0)
		return rc;
	tag.of.tag = host->unknown;
	return we_linker_define(host->linker, "host", "unknown", &tag, err);
}

// ---- the deadline -------------------------------------------------------------------------------

// Every call from the host has a number: one that is still there after DEADLINE_MS is told to end.
static void *watch(void *arg)
{
	const struct timespec tick = {.tv_nsec = TICK_MS * 1000000L};
	struct host *host = arg;
	uint64_t seen = 0;
	unsigned age_ms = 0;

	while (!atomic_load(&host->is_over)) {
		const uint64_t entry = we_store_entry(host->store);

		age_ms = entry != 0 && entry == seen ? age_ms + TICK_MS : 0;
		seen = entry;
		if (age_ms >= DEADLINE_MS)
			we_store_interrupt(host->store, entry);
		nanosleep(&tick, NULL);
	}
	return NULL;
}

// ---- failures -----------------------------------------------------------------------------------

static void print_failure(const struct host *host)
{
	struct we_frame frames[8];
	char text[WE_ERROR_TEXT];
	uint32_t n = 0;

	we_error_print(&host->err, text, sizeof(text));
	printf("%s:%s\n", host->file, text);
	if (host->err.trap != WE_TRAP_NONE)
		n = we_store_backtrace(host->store, frames, 8);
	for (uint32_t i = 0; i < n; i++) {
		we_frame_print(&frames[i], text, sizeof(text));
		printf("  %s\n", text);
	}
}

// The exception under way, if it is the guest's "refused".
static bool catch_refused(struct host *host, int32_t *ret_n)
{
	const uint64_t exn = we_catch(host->store);
	struct we_extern tag;
	struct we_value arg;

	if (exn == 0 || we_instance_export(host->instance, "refused", 7, &tag) != 0 ||
		tag.kind != WE_EXTERN_TAG || we_exn_tag(host->store, exn) != tag.of.tag ||
		we_exn_arg(host->store, exn, 0, &arg) != 0 || arg.kind != WE_I32)
		return false;
	*ret_n = arg.of.i32;
	return true;
}

// ---- calls --------------------------------------------------------------------------------------

static void print_value(const struct we_value *value)
{
	switch (value->kind) {
	case WE_I32:
		printf(" %" PRId32, value->of.i32);
		break;
	case WE_I64:
		printf(" %" PRId64, value->of.i64);
		break;
	case WE_F32:
		printf(" %.9g", (double)value->of.f32);
		break;
	case WE_F64:
		printf(" %.17g", value->of.f64);
		break;
	default:
		printf(" (something else)");
		break;
	}
}

static bool parse_value(const char *text, enum we_kind kind, struct we_value *ret)
{
	char *end;

	switch (kind) {
	case WE_I32:
		*ret = we_value_i32((int32_t)strtoll(text, &end, 0));
		break;
	case WE_I64:
		*ret = we_value_i64(strtoll(text, &end, 0));
		break;
	case WE_F32:
		*ret = we_value_f32(strtof(text, &end));
		break;
	case WE_F64:
		*ret = we_value_f64(strtod(text, &end));
		break;
	default:
		return false;
	}
	return *text != '\0' && *end == '\0';
}

// Find the export and turn the text of its arguments into values.
static int prepare(struct host *host, const char *name, char *const *texts, uint32_t n,
	struct we_func **ret_func, struct we_value *ret_args)
{
	const struct we_functype *type;
	struct we_extern ext;

	if (we_instance_export(host->instance, name, strlen(name), &ext) != 0 ||
		ext.kind != WE_EXTERN_FUNC)
		return we_error_set(&host->err, WE_E_INVALID, 0, "no such function");
	type = we_func_type(ext.of.func);
	if (n > MAX_VALUES || we_functype_n_results(type) > MAX_VALUES)
		return we_error_set(&host->err, WE_E_INVALID, 0, "more than %d values", MAX_VALUES);
	for (uint32_t i = 0; i < n && i < we_functype_n_params(type); i++) {
		if (!parse_value(texts[i], we_functype_param(type, i), &ret_args[i]))
			return we_error_set(&host->err, WE_E_INVALID, 0,
				"argument %" PRIu32 " is not of its type", i);
	}
	*ret_func = ext.of.func;
	return 0;
}

// Call an export with arguments as text and print what comes of it. Returns: 0, or the failure.
static int call(struct host *host, const char *name, char *const *texts, uint32_t n)
{
	struct we_value args[MAX_VALUES];
	struct we_value results[MAX_VALUES];
	struct we_func *func = NULL;
	uint32_t n_results = 0;
	int32_t refused;
	int rc = prepare(host, name, texts, n, &func, args);

	if (rc == 0) {
		n_results = we_functype_n_results(we_func_type(func));
		rc = we_func_call_values(func, args, n, results, n_results, &host->err);
	}
	printf("%s", name);
	for (uint32_t i = 0; i < n; i++)
		printf(" %s", texts[i]);
	if (rc == 0) {
		printf(n_results > 0 ? " =" : ": done");
		for (uint32_t i = 0; i < n_results; i++)
			print_value(&results[i]);
		printf("\n");
	} else if (host->err.trap == WE_TRAP_UNCAUGHT_EXCEPTION && catch_refused(host, &refused)) {
		printf(": refused %" PRId32 "\n", refused);
	} else {
		printf(": ");
		print_failure(host);
	}
	return rc;
}

// ---- the whole ----------------------------------------------------------------------------------

static int load(struct host *host, struct we_bytes bytes)
{
	const struct we_store_limits limits = {
		.memory_pages = 16, // 1 MiB
		.call_depth = 1000,
		.heap_bytes = 1 << 20,
	};
	int rc;

	rc = we_engine_create(NULL, &host->engine, &host->err);
	if (rc == 0)
		rc = we_module_create(host->engine, bytes, 0, &host->module, &host->err);
	if (rc == 0)
		rc = we_store_create(host->engine, &limits, &host->store, &host->err);
	return rc;
}

// Runs the module's start function, so the watchdog must watch.
static int link_and_instantiate(struct host *host)
{
	struct we_extern memory;
	int rc;

	rc = we_linker_create(host->store, &host->linker, &host->err);
	if (rc == 0)
		rc = define_imports(host);
	if (rc == 0)
		rc = we_linker_instantiate(host->linker, host->module, &host->instance, &host->err);
	if (rc == 0 && we_instance_export(host->instance, "memory", 6, &memory) == 0 &&
		memory.kind == WE_EXTERN_MEMORY)
		host->memory = memory.of.memory;
	return rc;
}

static void unload(struct host *host)
{
	we_linker_destroy(host->linker);
	we_store_destroy(host->store);
	we_module_unref(host->module);
	we_engine_destroy(host->engine);
}

// What the module above can do, and what becomes of it.
static bool run_demo(struct host *host)
{
	char *const two[] = {"84", "2"};
	char *const none[] = {"84", "0"};
	char *const known[] = {"1", "3"};
	char *const unknown[] = {"7", "3"};
	char *const too_many[] = {"1", "500"};

	return call(host, "hello", NULL, 0) == 0 && call(host, "share", two, 2) == 0 &&
	       call(host, "share", two, 1) == WE_E_INVALID &&
	       call(host, "share", none, 2) == WE_E_TRAP && call(host, "order", known, 2) == 0 &&
	       call(host, "order", unknown, 2) == 0 &&
	       call(host, "order", too_many, 2) == WE_E_TRAP &&
	       call(host, "spin", NULL, 0) == WE_E_EXHAUSTED;
}

// With the watchdog around it. Returns: did all go as it should?
static bool run(struct host *host, int argc, char **argv)
{
	bool is_good = false;

	if (pthread_create(&host->watchdog, NULL, watch, host) != 0) {
		fprintf(stderr, "embed: no thread for the deadline\n");
		return false;
	}
	if (link_and_instantiate(host) < 0)
		print_failure(host);
	else if (argc <= 1)
		is_good = run_demo(host);
	else
		is_good = argc == 2 || call(host, argv[2], argv + 3, (uint32_t)argc - 3) == 0;
	atomic_store(&host->is_over, true);
	pthread_join(host->watchdog, NULL);
	return is_good;
}

static bool read_file(const char *path, uint8_t **ret_data, size_t *ret_len)
{
	FILE *file = fopen(path, "rb");
	uint8_t *data = NULL;
	long len = -1;

	if (file == NULL)
		return false;
	if (fseek(file, 0, SEEK_END) == 0)
		len = ftell(file);
	if (len >= 0 && fseek(file, 0, SEEK_SET) == 0)
		data = malloc(len > 0 ? (size_t)len : 1);
	if (data != NULL && fread(data, 1, (size_t)len, file) != (size_t)len) {
		free(data);
		data = NULL;
	}
	fclose(file);
	*ret_data = data;
	*ret_len = (size_t)len;
	return data != NULL;
}

int main(int argc, char **argv)
{
	struct host host = {.file = argc > 1 ? argv[1] : "demo.wasm"};
	struct we_bytes bytes = {demo_module, sizeof(demo_module)};
	uint8_t *data = NULL;
	bool is_good = false;

	if (argc > 1) {
		if (!read_file(argv[1], &data, &bytes.len)) {
			fprintf(stderr, "embed: cannot read %s\n", argv[1]);
			return 1;
		}
		bytes.data = data;
	}
	if (load(&host, bytes) < 0)
		print_failure(&host);
	else
		is_good = run(&host, argc, argv);
	unload(&host);
	free(data);
	return is_good ? 0 : 1;
}
