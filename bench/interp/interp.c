// SPDX-License-Identifier: BSD-3-Clause
// The interpreter's speed: public kernels, and what a call between host and guest costs.
//
//	bench/interp/interp [FOLDER [RUNS]]
//
// FOLDER holds the .wasm files of wasmi-benchmarks (default ../shared/bench); CoreMark runs once, the others RUNS
// times (default 9), of which the median counts. One line a kernel: name, median, what it is.
#include "we.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define CALLS 2000000u // of a call's cost

static const struct kernel {
	const char *file;
	uint64_t argument;
} kernels[] = {
	{"counter-local.wasm", 1000000},
	{"counter-global.wasm", 1000000},
	{"counter-param.wasm", 1000000},
	{"fibonacci-iter.wasm", 2000000},
	{"fibonacci-rec.wasm", 30},
	{"fibonacci-tail.wasm", 1000000},
	{"bulk-ops.wasm", 5000},
};

static uint64_t now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec;
}

static int clock_ms(void *env, uint64_t *slots, struct we_error *err)
{
	(void)env;
	(void)err;
	slots[0] = (uint32_t)(now_ns() / 1000000u);
	return 0;
}

static int nothing(void *env, uint64_t *slots, struct we_error *err)
{
	(void)env;
	(void)slots;
	(void)err;
	return 0;
}

// One module instantiated in a store of its own. Exits on a failure: this is a benchmark.
struct guest {
	struct we_engine *engine;
	struct we_module *module;
	struct we_store *store;
	struct we_instance *inst;
};

static void must(int rc, const struct we_error *err, const char *what)
{
	if (rc == 0)
		return;
	fprintf(stderr, "interp: %s: %s: %s\n", what, we_failure_word(err->rc), err->msg);
	exit(1);
}

static void open_guest(
	struct guest *g, const char *name, struct we_bytes bytes, we_host_fn import, bool gives_i32)
{
	static const enum we_kind i32 = WE_I32;
	const struct we_functype *type;
	struct we_extern ext = {.kind = WE_EXTERN_FUNC};
	struct we_error err;

	must(we_engine_create(NULL, &g->engine, &err), &err, name);
	must(we_module_create(g->engine, bytes, 0, &g->module, &err), &err, name);
	must(we_store_create(g->engine, NULL, &g->store, &err), &err, name);
	must(we_functype_create(g->engine, NULL, 0, &i32, gives_i32, &type, &err), &err, name);
	must(we_func_create_host(g->store, type, import, NULL, &ext.of.func, &err), &err, name);
	must(we_instance_create(
		     g->store, g->module, &ext, we_module_n_imports(g->module), &g->inst, &err),
		&err, name);
}

static void close_guest(struct guest *g)
{
	we_store_destroy(g->store);
	we_module_unref(g->module);
	we_engine_destroy(g->engine);
}

static struct we_func *export_of(const struct guest *g, const char *name)
{
	struct we_extern ext;

	if (we_instance_export(g->inst, name, strlen(name), &ext) != 0) {
		fprintf(stderr, "interp: no export %s\n", name);
		exit(1);
	}
	return ext.of.func;
}

static int compare(const void *a, const void *b)
{
	const uint64_t x = *(const uint64_t *)a;
	const uint64_t y = *(const uint64_t *)b;

	return (x > y) - (x < y);
}

// Time of one call, nanoseconds: the median of runs.
static uint64_t time_call(struct we_func *func, uint64_t argument, uint32_t runs, uint64_t *slots)
{
	uint64_t *ns = calloc(runs, sizeof(*ns));
	struct we_error err;
	uint64_t median;

	if (ns == NULL)
		exit(3);
	for (uint32_t i = 0; i < runs; i++) {
		slots[0] = argument;
		ns[i] = now_ns();
		must(we_func_call(func, slots, &err), &err, "call");
		ns[i] = now_ns() - ns[i];
	}
	qsort(ns, runs, sizeof(*ns), compare);
	median = ns[runs / 2];
	free(ns);
	return median;
}

static void *read_file(const char *folder, const char *name, size_t *ret_len)
{
	char path[4096];
	static uint8_t bytes[1 << 20];
	FILE *file;

	snprintf(path, sizeof(path), "%s/%s", folder, name);
	file = fopen(path, "rb");
	if (file == NULL)
		return NULL;
	*ret_len = fread(bytes, 1, sizeof(bytes), file);
	fclose(file);
	return bytes;
}

static void run_kernels(const char *folder, uint32_t runs)
{
	uint64_t slots[2];
	struct guest g;
	size_t len;
	void *data;

	for (size_t i = 0; i < sizeof(kernels) / sizeof(kernels[0]); i++) {
		uint64_t ns;

		data = read_file(folder, kernels[i].file, &len);
		if (data == NULL) {
			fprintf(stderr, "interp: no %s in %s\n", kernels[i].file, folder);
			continue;
		}
		open_guest(&g, kernels[i].file, (struct we_bytes){data, len}, clock_ms, true);
		ns = time_call(export_of(&g, "run"), kernels[i].argument, runs, slots);
		printf("%-22s %10.3f ms   run(%" PRIu64 ")\n", kernels[i].file, (double)ns / 1e6,
			kernels[i].argument);
		close_guest(&g);
	}
	data = read_file(folder, "coremark.wasm", &len);
	if (data != NULL) {
		uint32_t bits;
		float score;

		open_guest(&g, "coremark.wasm", (struct we_bytes){data, len}, clock_ms, true);
		(void)time_call(export_of(&g, "run"), 0, 1, slots);
		bits = (uint32_t)slots[0];
		memcpy(&score, &bits, sizeof(score));
		printf("%-22s %10.0f      score, higher is better\n", "coremark.wasm",
			(double)score);
		close_guest(&g);
	}
}

// (import "m" "h" (func)) (func (export "nop")) (func (export "empty") (param i32) loop n times)
// (func (export "calls") (param i32) loop n times: call the import)
static const uint8_t calls_wasm[] = "\0asm\1\0\0\0"
				    "\1\x08\2\x60\0\0\x60\1\x7f\0"
				    "\2\x07\1\1m\1h\0\0"
				    "\3\4\3\0\1\1"
				    "\7\x17\3\3nop\0\1\5empty\0\2\5calls\0\3"
				    "\x0a\x24\3\2\0\x0b"
				    "\x0e\0\3\x40\x20\0\x41\1\x6b\x22\0\x0d\0\x0b\x0b"
				    "\x10\0\3\x40\x10\0\x20\0\x41\1\x6b\x22\0\x0d\0\x0b\x0b";

static void run_calls(uint32_t runs)
{
	struct guest g;
	struct we_func *nop;
	struct we_error err;
	uint64_t slots[2] = {0};
	uint64_t begin_ns;
	uint64_t empty_ns;
	uint64_t calls_ns;

	open_guest(
		&g, "calls", (struct we_bytes){calls_wasm, sizeof(calls_wasm) - 1}, nothing, false);
	nop = export_of(&g, "nop");
	begin_ns = now_ns();
	for (uint32_t i = 0; i < CALLS; i++)
		must(we_func_call(nop, slots, &err), &err, "nop");
	printf("%-22s %10.2f ns   a call of an empty function\n", "host to guest",
		(double)(now_ns() - begin_ns) / CALLS);
	empty_ns = time_call(export_of(&g, "empty"), CALLS, runs, slots);
	calls_ns = time_call(export_of(&g, "calls"), CALLS, runs, slots);
	printf("%-22s %10.2f ns   a call of an empty function, its loop's turn taken off\n",
		"guest to host", ((double)calls_ns - (double)empty_ns) / CALLS);
	close_guest(&g);
}

int main(int argc, char **argv)
{
	const char *folder = argc > 1 ? argv[1] : "../shared/bench";
	const uint32_t runs = argc > 2 ? (uint32_t)strtoul(argv[2], NULL, 10) : 9;

	run_calls(runs > 0 ? runs : 1);
	run_kernels(folder, runs > 0 ? runs : 1);
	return 0;
}
