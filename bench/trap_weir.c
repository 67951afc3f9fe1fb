// SPDX-License-Identifier: BSD-3-Clause
// What a trap costs, for bench/jit: CPU nanoseconds of a trap and the recovery from it, a figure a thread.
//
//	trap_weir [TIER] weir THREADS COUNT    a guest reads outside its memory, COUNT times in each thread
//	trap_weir bare THREADS COUNT           without an engine: SIGSEGV, and a handler that only rewrites the program counter
//	    cpu NS...
//
// Both use an alternate stack for the signal. Each thread has a store of its own; all run at once.
// Thread: the worker threads share the module and the barrier, nothing else.
#include "guest.h"

#include "../wasm-engine/interp/test_draft.h"

#include <inttypes.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <ucontext.h>

enum {
	PAGE = 65536, // bytes
	WARM_TRAPS = 100,
	ALTERNATE_STACK = 65536, // bytes
};

struct trial {
	const struct guest *guest; // NULL: bare
	pthread_barrier_t *all_ready;
	uint32_t count;
	uint64_t ns; // of CPU time, each
};

static uint64_t cpu_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &ts);
	return (uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec;
}

// ---- without an engine --------------------------------------------------------------------------

// int bare_load(const void *at): 0, or -1 by bare_landing, where the handler sends it.
__asm__(".text\n"
	"bare_load:\n"
	"	movl (%rdi), %ecx\n"
	"	xorl %eax, %eax\n"
	"	ret\n"
	"bare_landing:\n"
	"	movl $-1, %eax\n"
	"	ret\n");
int bare_load(const void *at) __asm__("bare_load");
extern const char bare_landing[] __asm__("bare_landing");

static void to_landing(int signal, siginfo_t *info, void *context)
{
	ucontext_t *user = context;

	(void)signal;
	(void)info;
	user->uc_mcontext.gregs[REG_RIP] = (greg_t)(uintptr_t)bare_landing;
}

static void bare_traps(const void *outside, uint32_t count)
{
	for (uint32_t i = 0; i < count; i++)
		if (bare_load(outside) != -1)
			exit(1);
}

static void run_bare(struct trial *trial)
{
	void *outside = mmap(NULL, PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	const stack_t stack = {.ss_sp = must_alloc(ALTERNATE_STACK, 1), .ss_size = ALTERNATE_STACK};
	uint64_t begin_ns;

	if (outside == MAP_FAILED || sigaltstack(&stack, NULL) != 0)
		exit(1);
	bare_traps(outside, WARM_TRAPS);
	pthread_barrier_wait(trial->all_ready);
	begin_ns = cpu_ns();
	bare_traps(outside, trial->count);
	trial->ns = (cpu_ns() - begin_ns) / trial->count;
	// The thread ends: its stack for signals goes with it.
	if (sigaltstack(&(stack_t){.ss_flags = SS_DISABLE}, NULL) == 0)
		free(stack.ss_sp);
	munmap(outside, PAGE);
}

// ---- weir ---------------------------------------------------------------------------------------

static struct we_bytes trap_module(void)
{
	static struct bytes b;
	static struct draft d;

	draft_begin(&d);
	draft_type(&d, "func i32 -> i32");
	draft_memory(&d, 1);
	draft_func(&d, 0, "", "local.get 0 i32.load 0", "read");
	draft_end(&d, &b);
	return (struct we_bytes){b.data, b.len};
}

static void weir_traps(struct we_func *read, uint32_t count)
{
	uint64_t slots[1];
	struct we_error err;

	for (uint32_t i = 0; i < count; i++) {
		slots[0] = PAGE;
		if (we_func_call(read, slots, &err) != WE_E_TRAP) {
			fputs("trap_weir: no trap\n", stderr);
			exit(1);
		}
	}
}

static void run_weir(struct trial *trial)
{
	struct guest g = *trial->guest;
	struct we_func *read;
	uint64_t begin_ns;

	guest_instantiate(&g);
	read = guest_export(&g, "read");
	weir_traps(read, WARM_TRAPS);
	pthread_barrier_wait(trial->all_ready);
	begin_ns = cpu_ns();
	weir_traps(read, trial->count);
	trial->ns = (cpu_ns() - begin_ns) / trial->count;
	we_store_destroy(g.store);
}

static void *run_trial(void *arg)
{
	struct trial *trial = arg;

	if (trial->guest != NULL)
		run_weir(trial);
	else
		run_bare(trial);
	return NULL;
}

static void run_all(const struct guest *guest, uint32_t n_threads, uint32_t count)
{
	struct trial *trials = must_alloc(n_threads, sizeof(*trials));
	pthread_t *threads = must_alloc(n_threads, sizeof(*threads));
	pthread_barrier_t all_ready;

	pthread_barrier_init(&all_ready, NULL, n_threads);
	for (uint32_t i = 0; i < n_threads; i++) {
		trials[i] = (struct trial){guest, &all_ready, count, 0};
		if (pthread_create(&threads[i], NULL, run_trial, &trials[i]) != 0)
			exit(1);
	}
	for (uint32_t i = 0; i < n_threads; i++)
		pthread_join(threads[i], NULL);
	fputs("cpu", stdout);
	for (uint32_t i = 0; i < n_threads; i++)
		printf(" %" PRIu64, trials[i].ns);
	putchar('\n');
	pthread_barrier_destroy(&all_ready);
	free(threads);
	free(trials);
}

int main(int argc, char **argv)
{
	struct guest g = {0};
	const int taken = guest_tier_parse(&g.tier, argc - 1, argv + 1);
	char **words = argv + 1 + taken;
	const bool is_bare = argc - 1 - taken == 3 && strcmp(words[0], "bare") == 0;

	if (argc - 1 - taken != 3 || (!is_bare && strcmp(words[0], "weir") != 0) ||
		number(words[1]) == 0 || number(words[2]) == 0) {
		fputs("usage: trap_weir [--tier interp|jit] weir|bare THREADS COUNT\n", stderr);
		return 2;
	}
	if (is_bare) {
		struct sigaction action = {
			.sa_sigaction = to_landing, .sa_flags = SA_SIGINFO | SA_ONSTACK};

		sigaction(SIGSEGV, &action, NULL);
		run_all(NULL, number(words[1]), number(words[2]));
		return 0;
	}
	guest_load(&g, trap_module());
	run_all(&g, number(words[1]), number(words[2]));
	guest_unload(&g);
	return 0;
}
