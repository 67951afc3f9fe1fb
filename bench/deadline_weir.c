// SPDX-License-Identifier: BSD-3-Clause
// How late an endless guest ends, for bench/jit: a watcher thread interrupts it at its deadline.
//
//	deadline_weir [TIER] SHAPE COUNT free|busy    nanoseconds from the deadline to the return of the call
//	    late NS...
//	    noticed NS...                              of these until the watcher had the deadline pass: the machine's part
//	deadline_weir shapes                          a line each
//
// The guest runs on the last core that is allowed, the watcher on the others, where it sleeps until shortly before the deadline and
// then looks at the clock: a sleeper wakes when the machine likes. busy: on each of these there is a process, too, that does nothing else.
// Owns:   two threads, and the processes that keep cores busy.
// Thread: the worker is the main one; the watcher touches struct watch and, by its two calls, the store.
#include "guest.h"

#include "../wasm-engine/interp/test_draft.h"

#include <pthread.h>
#include <sched.h>
#include <semaphore.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum {
	BUDGET_NS = 1000000,
	LOOKING_NS = 500000, // of a budget
	WARM_OVERRUNS = 5,
	PAGES = 4096, // of 64 KiB: a fill of them takes several budgets
	MAX_CORES = 64,
};

// ---- shapes -------------------------------------------------------------------------------------

// A module with one function `run`: () -> (), which does not end, or not before its deadline. Function 0 is the host's, 1 and
// 2 do little; types: see draft_shape.
struct shape {
	const char *name;
	const char *locals;
	const char *code;
};

static const struct shape shapes[] = {
	{"empty", "", "loop void br 0 end"},
	{"arithmetic", "i64 i64",
		"loop void local.get 0 i64.const 3 i64.mul i64.const 1 i64.add local.tee 0"
		" i64.const 7 i64.rotl local.get 1 i64.xor local.set 1 br 0 end"},
	{"calls", "i32", "loop void local.get 0 call 1 local.set 0 br 0 end"},
	{"tail-calls", "", "i32.const 1 call 3 drop"},
	{"call_indirect", "i32",
		"loop void local.get 0 local.get 0 i32.const 1 i32.and call_indirect 1 0 local.set "
		"0"
		" br 0 end"},
	{"import", "", "loop void call 0 br 0 end"},
	{"bulk", "",
		"loop void i32.const 0 i32.const 7 i32.const 4096 memory.fill 0"
		" i32.const 8192 i32.const 0 i32.const 4096 memory.copy 0 0 br 0 end"},
	{"fill", "", "i32.const 0 i32.const 7 i32.const 0x10000000 memory.fill 0"},
	{"copy", "", "i32.const 65536 i32.const 0 i32.const 0xfff0000 memory.copy 0 0"},
	{"allocation", "", "loop void ref.null 2 i64.const 1 struct.new 2 drop br 0 end"},
	{"exceptions", "",
		"loop void block void try_table void 1 catch 0 0 throw 0 end end br 0 end"},
};

static struct we_bytes draft_shape(const struct shape *shape)
{
	static struct bytes b;
	static struct draft d;

	draft_begin(&d);
	draft_type(&d, "func ->");
	draft_type(&d, "func i32 -> i32");
	draft_type(&d, "struct mut:ref?:2 i64"); // of a list that stays alive
	draft_import_func(&d, 0);
	draft_table(&d, "funcref", 2);
	draft_tag(&d, 0);
	draft_global(&d, "mut:ref?:2", "ref.null 2");
	draft_memory(&d, PAGES);
	draft_func(&d, 1, "", "local.get 0 i32.const 1 i32.add", NULL); // 1
	draft_func(&d, 1, "", "local.get 0 i32.const 3 i32.mul", NULL); // 2
	draft_elem_funcs(&d, true, 1, 2);
	draft_func(&d, 1, "", "local.get 0 i32.const 5 i32.rotl return_call 4", NULL); // 3
	draft_func(&d, 1, "", "local.get 0 i32.const 9 i32.xor return_call 3", NULL);  // 4
	draft_func(&d, 0, "i32",
		"i32.const 20000 local.set 0 loop void"
		" global.get 0 i64.const 2 struct.new 2 global.set 0"
		" local.get 0 i32.const 1 i32.sub local.tee 0 br_if 0 end",
		"prepare");
	draft_func(&d, 0, shape->locals, shape->code, "run");
	draft_end(&d, &b);
	return (struct we_bytes){b.data, b.len};
}

static const struct shape *find_shape(const char *name)
{
	for (size_t i = 0; i < sizeof(shapes) / sizeof(shapes[0]); i++)
		if (strcmp(shapes[i].name, name) == 0)
			return &shapes[i];
	fprintf(stderr, "deadline_weir: no shape %s\n", name);
	exit(2);
}

static int nothing(void *env, uint64_t *slots, struct we_error *err)
{
	(void)env;
	(void)slots;
	(void)err;
	return 0;
}

// ---- cores --------------------------------------------------------------------------------------

// The cores that are allowed. Returns: how many.
static int list_cores(int cores[MAX_CORES])
{
	cpu_set_t allowed;
	int n = 0;

	sched_getaffinity(0, sizeof(allowed), &allowed);
	for (int i = 0; i < CPU_SETSIZE && n < MAX_CORES; i++)
		if (CPU_ISSET((size_t)i, &allowed))
			cores[n++] = i;
	return n;
}

static void stay_on(const int *cores, int n)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	for (int i = 0; i < n; i++)
		CPU_SET((size_t)cores[i], &set);
	sched_setaffinity(0, sizeof(set), &set);
}

// A process that keeps a core busy until this one ends.
static pid_t keep_busy(const int *core)
{
	const pid_t parent = getpid();
	const pid_t child = fork();

	if (child != 0)
		return child;
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	stay_on(core, 1);
	while (getppid() == parent)
		for (volatile int i = 0; i < 10000000; i++)
			;
	_exit(0);
}

// ---- the watcher --------------------------------------------------------------------------------

struct watch {
	struct we_store *store;
	sem_t armed;              // worker to watcher: deadline_ns is set, the call begins
	sem_t over;               // watcher to worker: it has done its part
	uint64_t deadline_ns;     // CLOCK_MONOTONIC
	uint64_t noticed_ns;      // the watcher, after it
	atomic_bool has_returned; // the call; set by the worker
	bool is_last;             // no deadline comes any more
	const int *cores;         // that the watcher may use [n_cores]
	int n_cores;
};

// CLOCK_MONOTONIC
static void sleep_until(uint64_t ns)
{
	const struct timespec until = {(time_t)(ns / 1000000000u), (long)(ns % 1000000000u)};

	clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &until, NULL);
}

static void *watch(void *arg)
{
	struct watch *w = arg;

	stay_on(w->cores, w->n_cores);
	prctl(PR_SET_TIMERSLACK, 1);
	for (;;) {
		uint64_t entry;

		sem_wait(&w->armed);
		if (w->is_last)
			return NULL;
		sleep_until(w->deadline_ns - LOOKING_NS);
		while (now_ns() < w->deadline_ns)
			__builtin_ia32_pause();
		w->noticed_ns = now_ns() - w->deadline_ns;
		// It has long begun, unless the machine was elsewhere for a whole budget.
		do
			entry = we_store_entry(w->store);
		while (entry == 0 && !atomic_load(&w->has_returned));
		we_store_interrupt(w->store, entry);
		sem_post(&w->over);
	}
}

static uint64_t overrun(struct watch *w, struct we_func *run)
{
	struct we_error err;
	uint64_t late_ns;
	int rc;

	atomic_store(&w->has_returned, false);
	w->deadline_ns = now_ns() + BUDGET_NS;
	sem_post(&w->armed);
	rc = we_func_call(run, NULL, &err);
	late_ns = now_ns() - w->deadline_ns;
	atomic_store(&w->has_returned, true);
	sem_wait(&w->over);
	if (rc == 0 || err.trap != WE_TRAP_DEADLINE) {
		fprintf(stderr, "deadline_weir: the guest ended otherwise: %s\n",
			rc == 0 ? "it returned" : err.msg);
		exit(1);
	}
	return late_ns;
}

static void measure(const struct guest_tier *tier, const struct shape *shape, uint32_t count,
	const int *cores, int n_cores)
{
	const struct we_store_limits limits = {.heap_bytes = 8 << 20};
	struct guest g = {.tier = *tier, .limits = &limits, .import = nothing};
	struct watch w = {.cores = cores, .n_cores = n_cores - 1};
	uint64_t *ns = must_alloc(count, sizeof(*ns));
	uint64_t *noticed_ns = must_alloc(count, sizeof(*noticed_ns));
	struct we_func *run;
	pthread_t watcher;

	guest_load(&g, draft_shape(shape));
	guest_instantiate(&g);
	(void)guest_time_call(guest_export(&g, "prepare"), NULL);
	run = guest_export(&g, "run");
	w.store = g.store;
	sem_init(&w.armed, 0, 0);
	sem_init(&w.over, 0, 0);
	if (pthread_create(&watcher, NULL, watch, &w) != 0)
		exit(1);
	stay_on(cores + n_cores - 1, 1);
	for (uint32_t i = 0; i < WARM_OVERRUNS; i++)
		(void)overrun(&w, run);
	for (uint32_t i = 0; i < count; i++) {
		ns[i] = overrun(&w, run);
		noticed_ns[i] = w.noticed_ns;
	}
	w.is_last = true;
	sem_post(&w.armed);
	pthread_join(watcher, NULL);
	print_ns("late", ns, count);
	print_ns("noticed", noticed_ns, count);
	guest_unload(&g);
	free(noticed_ns);
	free(ns);
}

int main(int argc, char **argv)
{
	struct guest_tier tier = {0};
	const int taken = guest_tier_parse(&tier, argc - 1, argv + 1);
	char **words = argv + 1 + taken;
	const int n = argc - 1 - taken;
	int cores[MAX_CORES];
	const int n_cores = list_cores(cores);
	pid_t busy[MAX_CORES];
	int n_busy = 0;

	if (n == 1 && strcmp(words[0], "shapes") == 0) {
		for (size_t i = 0; i < sizeof(shapes) / sizeof(shapes[0]); i++)
			puts(shapes[i].name);
		return 0;
	}
	if (n != 3 || (strcmp(words[2], "free") != 0 && strcmp(words[2], "busy") != 0)) {
		fputs("usage: deadline_weir [--tier interp|jit] SHAPE COUNT free|busy | shapes\n",
			stderr);
		return 2;
	}
	if (n_cores < 2) {
		fputs("deadline_weir: needs two cores\n", stderr);
		return 1;
	}
	if (strcmp(words[2], "busy") == 0)
		for (; n_busy < n_cores - 1; n_busy++)
			busy[n_busy] = keep_busy(&cores[n_busy]);
	measure(&tier, find_shape(words[0]), number(words[1]), cores, n_cores);
	for (int i = 0; i < n_busy; i++) {
		kill(busy[i], SIGKILL);
		waitpid(busy[i], NULL, 0);
	}
	return 0;
}
