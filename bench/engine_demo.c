// SPDX-License-Identifier: BSD-3-Clause
// engine_demo: what the core engine promises of large and deep things, shown: a row each with the result, seconds and
// peak resident memory.
//
//	engine_demo [--small] [--gigabytes N] [ROW...]
//
// Each row runs in a process of its own, so that its memory is its own. Exit: 0 when all rows hold, else 1. --small
// is for the tests. --gigabytes: what the row "gc" allocates, 100 if not given.
// Owns: nothing that outlives a row. Thread: the main one.
#include "../wasm-engine/interp/test_draft.h"

#include <inttypes.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define PAGE UINT64_C(65536)
#define MIB  (UINT64_C(1) << 20)
#define GIB4 (UINT64_C(1) << 32)

// What a row is told, and what it answers; the answer comes through a pipe.
struct task {
	bool is_small;
	uint64_t gigabytes; // 10^9 bytes
};

struct answer {
	bool holds;
	char text[400];
	double seconds;
};

// One engine with a store, and the error of what failed.
struct engine {
	struct we_engine *engine;
	struct we_store *store;
	struct we_error err;
};

static double now_s(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

static double peak_mib(const struct rusage *usage)
{
	return (double)usage->ru_maxrss / 1024;
}

static void stop(const char *what, const struct we_error *err)
{
	fprintf(stderr, "engine_demo: %s: %s\n", what, err->msg);
	exit(1);
}

static void open_engine(struct engine *e, const struct we_store_limits *limits)
{
	if (we_engine_create(NULL, &e->engine, &e->err) != 0 ||
		we_store_create(e->engine, limits, &e->store, &e->err) != 0)
		stop("store", &e->err);
}

static struct we_instance *instantiate(
	struct engine *e, const struct draft *d, const struct we_extern *imports, uint32_t n)
{
	static struct bytes b;
	struct we_module *module;
	struct we_instance *inst;

	draft_end(d, &b);
	if (we_module_create(e->engine, (struct we_bytes){b.data, b.len}, 0, &module, &e->err) != 0)
		stop("module", &e->err);
	if (we_instance_create(e->store, module, imports, n, &inst, &e->err) != 0)
		stop("instance", &e->err);
	we_module_unref(module);
	return inst;
}

static struct we_func *function(const struct we_instance *inst, const char *name)
{
	struct we_extern ext = {0};

	if (we_instance_export(inst, name, strlen(name), &ext) != 0)
		exit(1);
	return ext.of.func;
}

// The result of a call with one argument.
static uint64_t ask(struct engine *e, const struct we_instance *inst, const char *name, uint64_t x)
{
	uint64_t slots[4] = {x};

	if (we_func_call(function(inst, name), slots, &e->err) != 0)
		stop(name, &e->err);
	return slots[0];
}

// ---- 64-bit memory -------------------------------------------------------------------------------

static void row_memory64(const struct task *task, struct answer *answer)
{
	const uint64_t last = GIB4 + PAGE - 8;
	static struct draft d;
	struct engine e;
	const struct we_instance *inst;
	uint64_t slots[2];

	(void)task;
	open_engine(&e, NULL);
	draft_begin(&d);
	draft_type(&d, "func i64 -> i64");
	put_byte(&d.items[DRAFT_MEMS], 4);
	put_u(&d.items[DRAFT_MEMS], GIB4 / PAGE + 1);
	d.n[DRAFT_MEMS]++;
	draft_func(&d, 0, "",
		"i64.const 0 i64.const 0x1122334455667788 i64.store 0"
		" local.get 0 i64.const 0x99aabbccddeeff00 i64.store 0"
		" i64.const 0 i64.load 0 local.get 0 i64.load 0 i64.add",
		"touch");
	inst = instantiate(&e, &d, NULL, 0);
	answer->holds = ask(&e, inst, "touch", last) == 0x1122334455667788 + 0x99aabbccddeeff00;
	slots[0] = last + 1;
	answer->holds &= we_func_call(function(inst, "touch"), slots, &e.err) == WE_E_TRAP;
	snprintf(answer->text, sizeof(answer->text),
		"%" PRIu64 " bytes; 8 bytes at 0 and at %" PRIu64 "; one further: %s",
		we_store_memory_bytes(e.store), last, e.err.msg);
}

// ---- tail calls ----------------------------------------------------------------------------------

// even and odd, each of which calls the other by the instruction that the row names, in a store with room for four
// frames.
static void run_tail_calls(
	const struct task *task, struct answer *answer, const char *to_odd, const char *to_even)
{
	const struct we_store_limits limits = {.stack_bytes = 512, .call_depth = 4};
	const uint64_t n = task->is_small ? 1000000 : 10000000;
	static struct draft d;
	struct engine e;
	const struct we_instance *inst;
	char text[256];

	open_engine(&e, &limits);
	draft_begin(&d);
	draft_type(&d, "func i32 -> i32");
	draft_table(&d, "funcref", 2);
	draft_elem_funcs(&d, true, 0, 2);
	for (uint32_t i = 0; i < 2; i++) {
		snprintf(text, sizeof(text),
			"local.get 0 i32.eqz if void i32.const %u return end"
			" local.get 0 i32.const 1 i32.sub %s",
			i == 0, i == 0 ? to_odd : to_even);
		draft_func(&d, 0, "", text, i == 0 ? "even" : "odd");
	}
	inst = instantiate(&e, &d, NULL, 0);
	answer->holds = (uint32_t)ask(&e, inst, "even", n) == 1 &&
			(uint32_t)ask(&e, inst, "even", n - 1) == 0;
	snprintf(answer->text, sizeof(answer->text), "%" PRIu64 " calls in a stack of %u bytes",
		2 * n - 1, limits.stack_bytes);
}

static void row_tail_direct(const struct task *task, struct answer *answer)
{
	run_tail_calls(task, answer, "return_call 1", "return_call 0");
}

static void row_tail_indirect(const struct task *task, struct answer *answer)
{
	run_tail_calls(task, answer, "i32.const 1 return_call_indirect 0 0",
		"i32.const 0 return_call_indirect 0 0");
}

static void row_tail_ref(const struct task *task, struct answer *answer)
{
	run_tail_calls(
		task, answer, "ref.func 1 return_call_ref 0", "ref.func 0 return_call_ref 0");
}

// Two instances of one module, which call each other through tables.
static void row_tail_modules(const struct task *task, struct answer *answer)
{
	const struct we_store_limits limits = {.stack_bytes = 512, .call_depth = 4};
	const uint64_t n = task->is_small ? 1000000 : 10000000;
	static struct draft d;
	struct we_extern tables[2];
	struct engine e;
	const struct we_instance *inst[2];

	open_engine(&e, &limits);
	draft_begin(&d);
	draft_type(&d, "func i32 -> i32");
	draft_table(&d, "funcref", 1);
	draft_global(&d, "mut:i32", "i32.const 0");
	draft_export(&d, "t", WE_EXTERN_TABLE, 0);
	draft_func(&d, 0, "", // counts its calls
		"global.get 0 i32.const 1 i32.add global.set 0"
		" local.get 0 i32.eqz if void global.get 0 return end"
		" local.get 0 i32.const 1 i32.sub i32.const 0 return_call_indirect 0 0",
		"f");
	draft_func(&d, 0, "", "global.get 0", "count");
	for (uint32_t i = 0; i < 2; i++) {
		inst[i] = instantiate(&e, &d, NULL, 0);
		if (we_instance_export(inst[i], "t", 1, &tables[i]) != 0)
			exit(1);
	}
	for (uint32_t i = 0; i < 2; i++)
		if (we_table_set(tables[i].of.table, 0, function(inst[1 - i], "f")) != 0)
			exit(1);
	(void)ask(&e, inst[0], "f", n);
	answer->holds = (uint32_t)ask(&e, inst[0], "count", 0) == n / 2 + 1 &&
			(uint32_t)ask(&e, inst[1], "count", 0) == n / 2;
	snprintf(answer->text, sizeof(answer->text), "%" PRIu64 " calls in a stack of %u bytes", n,
		limits.stack_bytes);
}

// ---- exceptions ----------------------------------------------------------------------------------

// f(n) calls itself n times and throws; every frame has a clause for another tag.
static void row_exception(const struct task *task, struct answer *answer)
{
	const uint64_t n = 100000;
	const struct we_store_limits limits = {.stack_bytes = 16 << 20, .call_depth = 100100};
	const uint32_t n_rounds = task->is_small ? 2 : 20;
	static struct draft d;
	struct engine e;
	const struct we_instance *inst;
	double begin;

	open_engine(&e, &limits);
	draft_begin(&d);
	draft_type(&d, "func i32 ->");
	draft_type(&d, "func i32 -> i32");
	draft_tag(&d, 0);
	draft_tag(&d, 0);
	draft_func(&d, 0, "",
		"local.get 0 i32.eqz if void i32.const 77 throw 0 end"
		" block i32 try_table void 1 catch 1 0"
		"  local.get 0 i32.const 1 i32.sub call 0"
		" end return end drop",
		NULL);
	draft_func(&d, 1, "",
		"block i32 try_table void 1 catch 0 0 local.get 0 call 0 end unreachable end", "f");
	inst = instantiate(&e, &d, NULL, 0);
	answer->holds = true;
	begin = now_s();
	for (uint32_t i = 0; i < n_rounds; i++)
		answer->holds &= (uint32_t)ask(&e, inst, "f", n) == 77;
	snprintf(answer->text, sizeof(answer->text),
		"through %" PRIu64 " frames with a clause of another tag, %u times: %.1f ms each",
		n, n_rounds, 1e3 * (now_s() - begin) / n_rounds);
}

// ---- the collector -------------------------------------------------------------------------------

// A tree of 2^depth - 1 nodes of 24 bytes. Each round of `churn` makes 30 KiB in objects of 16 to 64 bytes, of which nothing
// is kept, and puts a new tree of 127 nodes in the place of one of the lowest.
static const struct we_instance *make_tree(struct engine *e)
{
	static struct draft d;
	static char text[8192];
	size_t len;

	draft_begin(&d);
	draft_type(&d, "struct mut:ref?:0 mut:ref?:0 i64"); // 24 bytes
	draft_type(&d, "struct i64 v128 v128 v128");        // 64
	draft_type(&d, "struct i64 v128");                  // 32
	draft_type(&d, "struct i32");                       // 16
	draft_type(&d, "func i32 -> ref?:0");
	draft_type(&d, "func ref?:0 -> i32");
	draft_type(&d, "func i32 -> i32");
	draft_type(&d, "func ref?:0 -> i64");
	draft_global(&d, "mut:ref?:0", "ref.null 0");
	draft_global(&d, "mut:i32", "i32.const 12345");
	draft_global(&d, "mut:i32", "i32.const 0"); // levels above the trees that are replaced
	draft_func(&d, 4, "",                       // 0: a tree of that depth
		"local.get 0 i32.eqz if void ref.null 0 return end"
		" local.get 0 i32.const 1 i32.sub call 0 local.get 0 i32.const 1 i32.sub call 0"
		" local.get 0 i64.extend_i32_u struct.new 0",
		NULL);
	draft_func(&d, 5, "", // 1: nodes of a tree
		"local.get 0 ref.is_null if void i32.const 0 return end"
		" local.get 0 struct.get 0 0 call 1 local.get 0 struct.get 0 1 call 1 i32.add"
		" i32.const 1 i32.add",
		NULL);
	draft_func(&d, 7, "", // 2: their sum
		"local.get 0 ref.is_null if void i64.const 0 return end"
		" local.get 0 struct.get 0 0 call 2 local.get 0 struct.get 0 1 call 2 i64.add"
		" local.get 0 struct.get 0 2 i64.add",
		NULL);
	draft_func(&d, 6, "",
		"local.get 0 i32.const 8 i32.sub global.set 2 local.get 0 call 0 global.set 0 "
		"i32.const 1",
		"plant");
	draft_func(&d, 6, "", "global.get 0 call 1", "count");
	draft_func(&d, 6, "", "global.get 0 call 2 i32.wrap_i64", "sum");
	len = (size_t)snprintf(text, sizeof(text),
		"loop void i32.const 43 local.set 3"
		" loop void");
	for (uint32_t i = 0; i < 8; i++)
		len += (size_t)snprintf(text + len, sizeof(text) - len,
			" local.get 4 local.get 5 local.get 5 local.get 5 struct.new 1 drop%s",
			i % 4 != 0 ? ""
				   : " local.get 4 local.get 5 struct.new 2 drop local.get 3 "
				     "struct.new 3"
				     " drop ref.null 0 ref.null 0 local.get 4 struct.new 0 drop");
	len += (size_t)snprintf(text + len, sizeof(text) - len,
		" local.get 3 i32.const 1 i32.sub local.tee 3 br_if 0 end"
		// down those levels, left or right by bits of a random number
		" global.get 1 i32.const 1664525 i32.mul i32.const 1013904223 i32.add global.set 1"
		" global.get 1 i32.const 8 i32.shr_u local.set 2 global.get 2 local.set 3"
		" global.get 0 local.set 1"
		" loop void local.get 1 struct.get 0 0 local.get 1 struct.get 0 1"
		"  local.get 2 i32.const 1 i32.and select_t ref?:0 local.set 1"
		"  local.get 2 i32.const 1 i32.shr_u local.set 2"
		"  local.get 3 i32.const 1 i32.sub local.tee 3 br_if 0 end"
		" local.get 2 i32.const 1 i32.and"
		" if void local.get 1 i32.const 7 call 0 struct.set 0 0"
		" else local.get 1 i32.const 7 call 0 struct.set 0 1 end"
		" local.get 0 i32.const 1 i32.sub local.tee 0 br_if 0 end i32.const 1");
	draft_func(&d, 6, "ref?:0 i32 i32 i64 v128", text, "churn");
	return instantiate(e, &d, NULL, 0);
}

static void row_gc(const struct task *task, struct answer *answer)
{
	const uint32_t depth = task->is_small ? 17 : 20;
	const uint64_t heap_mib = task->is_small ? 8 : 64;
	const struct we_store_limits limits = {.heap_bytes = heap_mib * MIB, .call_depth = 100};
	const uint64_t wanted = task->is_small ? 100 * MIB : task->gigabytes * 1000000000;
	struct we_heap_stats stats;
	struct rusage before;
	struct rusage after;
	struct engine e;
	const struct we_instance *inst;
	uint32_t sum;

	open_engine(&e, &limits);
	inst = make_tree(&e);
	getrusage(RUSAGE_SELF, &before);
	(void)ask(&e, inst, "plant", depth);
	sum = (uint32_t)ask(&e, inst, "sum", 0);
	do {
		(void)ask(&e, inst, "churn", 100);
		we_store_heap_stats(e.store, &stats);
	} while (stats.allocated_bytes < wanted);
	getrusage(RUSAGE_SELF, &after);
	answer->holds = (uint32_t)ask(&e, inst, "count", 0) == (1u << depth) - 1 &&
			(uint32_t)ask(&e, inst, "sum", 0) == sum &&
			peak_mib(&after) - peak_mib(&before) <= 64;
	snprintf(answer->text, sizeof(answer->text),
		"%.1f GB allocated, %.1f MiB alive of %" PRIu64 ", +%.1f MiB resident; %" PRIu64
		" collections, longest %.1f ms, all %.1f s",
		(double)stats.allocated_bytes / 1e9, (double)stats.live_bytes / (double)MIB,
		heap_mib, peak_mib(&after) - peak_mib(&before), stats.n_collections,
		(double)stats.longest_ns / 1e6, (double)stats.total_ns / 1e9);
}

// ---- the table -----------------------------------------------------------------------------------

static const struct row {
	const char *name;
	void (*run)(const struct task *task, struct answer *answer);
} rows[] = {
	{"memory64", row_memory64},
	{"tail calls, direct", row_tail_direct},
	{"tail calls, indirect", row_tail_indirect},
	{"tail calls, by reference", row_tail_ref},
	{"tail calls between modules", row_tail_modules},
	{"exception", row_exception},
	{"gc", row_gc},
};

// In a process of its own. Returns: does the row hold?
static bool run_row(const struct row *row, const struct task *task)
{
	struct answer answer = {0};
	struct rusage usage;
	int ends[2];
	int status;
	pid_t child;

	fflush(stdout);
	if (pipe(ends) != 0)
		return false;
	child = fork();
	if (child == 0) {
		const double begin = now_s();

		row->run(task, &answer);
		answer.seconds = now_s() - begin;
		_exit(write(ends[1], &answer, sizeof(answer)) != sizeof(answer));
	}
	close(ends[1]);
	if (child < 0 || read(ends[0], &answer, sizeof(answer)) != sizeof(answer))
		snprintf(answer.text, sizeof(answer.text), "the process ended");
	close(ends[0]);
	if (child < 0 || wait4(child, &status, 0, &usage) < 0)
		return false;
	printf("%-27s %-4s %8.2f %9.1f  %s\n", row->name, answer.holds ? "ok" : "FAIL",
		answer.seconds, peak_mib(&usage), answer.text);
	return answer.holds;
}

static bool is_chosen(const struct row *row, char **names, int n)
{
	for (int i = 0; i < n; i++)
		if (strncmp(row->name, names[i], strlen(names[i])) == 0)
			return true;
	return n == 0;
}

int main(int argc, char **argv)
{
	struct task task = {.gigabytes = 100};
	bool all_hold = true;
	int i = 1;

	for (; i < argc && argv[i][0] == '-'; i++) {
		if (strcmp(argv[i], "--small") == 0) {
			task.is_small = true;
		} else if (strcmp(argv[i], "--gigabytes") == 0 && i + 1 < argc) {
			task.gigabytes = strtoull(argv[++i], NULL, 10);
		} else {
			fprintf(stderr, "usage: engine_demo [--small] [--gigabytes N] [ROW...]\n");
			return 2;
		}
	}
	printf("%-27s %-4s %8s %9s  %s\n", "row", "", "seconds", "peak MiB", "");
	for (size_t k = 0; k < sizeof(rows) / sizeof(rows[0]); k++)
		if (is_chosen(&rows[k], argv + i, argc - i))
			all_hold &= run_row(&rows[k], &task);
	return all_hold ? 0 : 1;
}
