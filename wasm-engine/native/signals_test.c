// SPDX-License-Identifier: BSD-3-Clause
// Tests of faults and deadlines: who gets a signal, and when nothing happens.
#include "test_rig.h"
#include "thread.h"

#include <pthread.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

// ---- deadlines ----------------------------------------------------------------------------------

// Interrupts the first entry of the store that it sees.
static void *interrupt_soon(void *store)
{
	uint64_t entry;

	do
		entry = we_store_entry(store);
	while (entry == 0);
	usleep(2000);
	we_store_interrupt(store, entry);
	return NULL;
}

static void expect_deadline(struct rig *rig, enum test_func func)
{
	uint64_t slots[1] = {0};
	pthread_t thread;

	for (int i = 0; i < 5; i++) {
		assert_int_equal(pthread_create(&thread, NULL, interrupt_soon, rig->g.store), 0);
		assert_int_equal(rig_call(rig, func, slots), WE_E_EXHAUSTED);
		assert_int_equal(rig->g.err.trap, WE_TRAP_DEADLINE);
		pthread_join(thread, NULL);
	}
	rig->host = NULL;
	assert_int_equal((uint32_t)rig_ask(rig, TEST_TWICE, 4), 8);
}

static void endless_loop_ends_at_its_deadline(void **state)
{
	struct rig *rig = *state;

	expect_deadline(rig, TEST_SPIN);
}

static void endless_loop_around_a_host_call_ends_at_its_deadline(void **state)
{
	expect_deadline(*state, TEST_SPIN_HOST);
}

static void endless_loop_around_a_call_by_reference_ends_at_its_deadline(void **state)
{
	expect_deadline(*state, TEST_SPIN_BYREF);
}

static int spin_inside(struct rig *rig, uint64_t *slots, struct we_error *err)
{
	return we_func_call(guest_export(rig->inst, "j").of.func, slots, err);
}

static void deadline_of_a_nested_entry_ends_both(void **state)
{
	struct rig *rig = *state;

	rig->host = spin_inside;
	expect_deadline(rig, TEST_HOST);
}

static int interrupt_itself(struct rig *rig, uint64_t *slots, struct we_error *err)
{
	(void)slots;
	(void)err;
	if (rig->n_host == 10)
		we_store_interrupt(rig->g.store, we_store_entry(rig->g.store));
	assert_true(rig->n_host <= 10);
	return 0;
}

static void deadline_within_the_host_is_seen_when_it_returns(void **state)
{
	static const enum test_func loops[] = {TEST_SPIN_HOST, TEST_SPIN_BYREF};
	struct rig *rig = *state;
	uint64_t slots[1] = {0};

	rig->host = interrupt_itself;
	for (int i = 0; i < 2; i++) {
		rig->n_host = 0;
		assert_int_equal(rig_call(rig, loops[i], slots), WE_E_EXHAUSTED);
		assert_int_equal(rig->g.err.trap, WE_TRAP_DEADLINE);
	}
	rig->n_host = 9; // the interpreter looks at back edges and calls: this one has none
	assert_int_equal(rig_call(rig, TEST_CALL_PLAIN, slots), WE_E_EXHAUSTED);
	assert_int_equal(rig->g.err.trap, WE_TRAP_DEADLINE);
}

static void deadline_before_the_entry_ends_it_at_once(void **state)
{
	struct rig *rig = *state;
	uint64_t slots[1] = {0};

	we_store_interrupt(rig->g.store, rig->g.store->n_entries + 1);
	assert_int_equal(rig_call(rig, TEST_SPIN, slots), WE_E_EXHAUSTED);
	assert_int_equal(rig->g.err.trap, WE_TRAP_DEADLINE);
	assert_int_equal(rig->g.err.func, TEST_IMPORTS + TEST_SPIN);
	assert_int_equal((uint32_t)rig_ask(rig, TEST_TWICE, 4), 8);
}

enum {
	N_ENTRIES = 100000
};

struct late {
	struct we_store *store;
	_Atomic bool is_over;
	_Atomic uint8_t asked[N_ENTRIES + 2]; // entries that shall end
};

// Interrupts entries that run or have run, as fast as it can.
static void *interrupt_all(void *arg)
{
	struct late *late = arg;

	for (uint64_t i = 0; !late->is_over; i++) {
		const uint64_t entry = we_store_entry(late->store);

		if (entry < 2 || entry > N_ENTRIES)
			continue;
		if (i % 2 == 0)
			late->asked[entry] = 1;
		we_store_interrupt(late->store, i % 2 == 0 ? entry : entry - 1);
		for (uint64_t k = i % 512; k > 0; k--)
			__builtin_ia32_pause();
	}
	return NULL;
}

static void late_signal_never_ends_another_entry(void **state)
{
	static const enum test_func funcs[] = {TEST_TWICE, TEST_HOST, TEST_BYREF, TEST_RECURSE};
	struct rig *rig = *state;
	struct late *late = calloc(1, sizeof(*late));
	struct we_func *func[4];
	uint32_t n_ended = 0;
	pthread_t thread;

	assert_non_null(late);
	late->store = rig->g.store;
	assert_int_equal((uint32_t)rig_ask(rig, TEST_TWICE, 4), 8);
	for (int i = 0; i < 4; i++)
		func[i] = rig->inst->funcs[TEST_IMPORTS + funcs[i]];
	assert_int_equal(pthread_create(&thread, NULL, interrupt_all, late), 0);
	while (rig->g.store->n_entries < N_ENTRIES) {
		uint64_t slots[1] = {500};
		const int rc = we_func_call(func[rig->g.store->n_entries % 4], slots, &rig->g.err);

		if (rc == 0)
			continue;
		assert_int_equal(rc, WE_E_EXHAUSTED);
		assert_int_equal(rig->g.err.trap, WE_TRAP_DEADLINE);
		assert_int_equal(late->asked[rig->g.store->n_entries], 1);
		n_ended++;
	}
	late->is_over = true;
	pthread_join(thread, NULL);
	print_message("%u entries of %u ended\n", n_ended, N_ENTRIES);
	free(late);
}

// ---- one instruction after the other ---------------------------------------------------------------

enum {
	TRAP_FLAG = 0x100,
};

// Of the thread: from the host function on it is stopped at each instruction; at the n-th the entry is told to end.
static struct {
	struct we_store *store;
	uint32_t left;
	bool was_asked;
	bool is_returning; // native code had returned to we_func_call
} step;

static void step_on(int number, siginfo_t *info, void *context)
{
	greg_t *regs = ((ucontext_t *)context)->uc_mcontext.gregs;
	const uintptr_t pc = (uintptr_t)regs[REG_RIP];
	const uint64_t entry = we_store_entry(step.store);

	(void)number;
	(void)info;
	if (entry != 0 && --step.left > 0)
		return;
	regs[REG_EFL] &= ~TRAP_FLAG;
	step.was_asked = entry != 0;
	step.is_returning = pc - (uintptr_t)we_native_direct_window_end < 64;
	if (entry != 0)
		we_store_interrupt(step.store, entry);
}

static int begin_to_step(struct rig *rig, uint64_t *slots, struct we_error *err)
{
	(void)rig;
	(void)slots;
	(void)err;
	// Below what a leaf function may use without moving the stack pointer.
	__asm__ volatile(
		"leaq -128(%%rsp), %%rsp; pushfq; orq %0, (%%rsp); popfq; leaq 128(%%rsp), %%rsp"
		:
		: "i"(TRAP_FLAG)
		: "cc", "memory");
	return 0;
}

// Wherever the thread is between the host function and the end of native code. The word is set by an earlier entry, so that
// generated code does not pass it.
static void deadline_is_not_lost_at_any_instruction(void **state)
{
	static const enum test_func funcs[] = {TEST_HOST, TEST_BYREF};
	struct rig *rig = *state;
	struct sigaction on = {.sa_sigaction = step_on, .sa_flags = SA_SIGINFO | SA_ONSTACK};
	struct sigaction before;

	sigfillset(&on.sa_mask); // the deadline's comes when the thread goes on
	rig->host = begin_to_step;
	step.store = rig->g.store;
	assert_int_equal((uint32_t)rig_ask(rig, TEST_TWICE, 4), 8);
	for (size_t i = 0; i < sizeof(funcs) / sizeof(*funcs); i++) {
		uint32_t n = 0;

		do {
			// A call after one that failed goes the long way.
			struct we_func *const both[] = {rig->inst->funcs[TEST_IMPORTS + TEST_TWICE],
				rig->inst->funcs[TEST_IMPORTS + funcs[i]]};
			int rc = 0;

			step.left = ++n;
			assert_int_equal(we_process_prepare(&rig->g.err), 0);
			we_store_interrupt(rig->g.store, 1); // over long ago
			assert_int_equal(sigaction(SIGTRAP, &on, &before), 0);
			for (size_t k = 0; k < 2 && rc == 0; k++) {
				uint64_t slots[1] = {3};

				rc = we_func_call(both[k], slots, &rig->g.err);
			}
			assert_int_equal(sigaction(SIGTRAP, &before, NULL), 0);
			if (rc == 0 && step.was_asked && !step.is_returning)
				fail_msg(
					"%s: lost at instruction %u", i == 0 ? "host" : "byref", n);
			if (rc != 0)
				assert_int_equal(rig->g.err.trap, WE_TRAP_DEADLINE);
		} while (step.was_asked);
		print_message("%u instructions\n", n - 1);
		assert_true(n > 20);
	}
}

static int spin_in_another_store(struct rig *rig, uint64_t *slots, struct we_error *err)
{
	struct rig *other = (struct rig *)(uintptr_t)slots[0];

	(void)rig;
	(void)err;
	expect_deadline(other, TEST_SPIN);
	slots[0] = 5;
	return 0;
}

static void deadline_of_another_store_in_the_thread_is_its_own(void **state)
{
	struct rig *rig = *state;
	void *other;

	assert_int_equal(rig_set_up(&other), 0);
	rig->host = spin_in_another_store;
	assert_int_equal(rig_ask(rig, TEST_HOST, (uintptr_t)other), 5);
	assert_int_equal(rig_ask(rig, TEST_BYREF, (uintptr_t)other), 5);
	rig_tear_down(&other);
}

// ---- threads ------------------------------------------------------------------------------------

static void *trap_often(void *arg)
{
	struct rig *rig = arg;

	for (int i = 0; i < 200; i++) {
		uint64_t slots[1] = {1u << 31};

		if (we_func_call(rig->inst->funcs[TEST_IMPORTS + TEST_OUTER], slots, &rig->g.err) !=
				WE_E_TRAP ||
			rig->g.err.trap != WE_TRAP_MEMORY_OUT_OF_BOUNDS)
			return "no trap";
		slots[0] = 0;
		if (we_func_call(rig->inst->funcs[TEST_IMPORTS + TEST_OUTER], slots, &rig->g.err) !=
				0 ||
			(uint32_t)slots[0] != 8)
			return "no result";
	}
	return NULL;
}

static void sixteen_threads_trap_at_once(void **state)
{
	void *rigs[16];
	pthread_t threads[16];

	(void)state;
	for (int i = 0; i < 16; i++)
		assert_int_equal(rig_set_up(&rigs[i]), 0);
	assert_int_equal(we_process_prepare(NULL), 0);
	for (int i = 0; i < 16; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, trap_often, rigs[i]), 0);
	for (int i = 0; i < 16; i++) {
		void *found;

		pthread_join(threads[i], &found);
		assert_ptr_equal(found, NULL);
		rig_tear_down(&rigs[i]);
	}
}

static void *recurse(void *arg)
{
	struct rig *rig = arg;
	uint64_t slots[1] = {UINT32_MAX};

	return (void *)(intptr_t)we_func_call(
		rig->inst->funcs[TEST_IMPORTS + TEST_RECURSE], slots, &rig->g.err);
}

static int run_on_stack(struct rig *rig, void *(*main)(void *), size_t bytes)
{
	pthread_attr_t attr;
	pthread_t thread;
	void *stack = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	void *rc;

	assert_ptr_not_equal(stack, MAP_FAILED);
	assert_int_equal(we_process_prepare(&rig->g.err), 0);
	pthread_attr_init(&attr);
	assert_int_equal(pthread_attr_setstack(&attr, stack, bytes), 0);
	assert_int_equal(pthread_create(&thread, &attr, main, rig), 0);
	pthread_join(thread, &rc);
	pthread_attr_destroy(&attr);
	munmap(stack, bytes);
	return (int)(intptr_t)rc;
}

static void stack_of_a_thread_bounds_its_guests(void **state)
{
	struct rig *rig = *state;

	assert_int_equal(run_on_stack(rig, recurse, 512 * 1024), WE_E_EXHAUSTED);
	assert_int_equal(rig->g.err.trap, WE_TRAP_STACK_OVERFLOW);
	assert_int_equal((uint32_t)rig_ask(rig, TEST_TWICE, 4), 8); // in this thread again
}

static void thread_with_too_small_a_stack_runs_the_interpreter(void **state)
{
	struct rig *rig = *state;

	assert_int_equal(run_on_stack(rig, recurse, 144 * 1024), WE_E_TRAP);
	assert_int_equal(rig->g.err.trap, WE_TRAP_UNREACHABLE);
}

static void *prepare_with_own_stack(void *arg)
{
	struct rig *rig = arg;
	uint64_t slots[1] = {1u << 31};
	const stack_t mine = {.ss_sp = malloc(65536), .ss_size = 65536};
	const stack_t off = {.ss_flags = SS_DISABLE};
	stack_t found = {0};
	int rc;

	sigaltstack(&mine, NULL);
	rc = we_thread_prepare(&rig->g.err);
	sigaltstack(NULL, &found);
	if (rc == 0 && found.ss_sp != mine.ss_sp)
		rc = 1;
	if (rc == 0)
		rc = we_func_call(rig->inst->funcs[TEST_IMPORTS + TEST_LOAD], slots, &rig->g.err);
	sigaltstack(&off, NULL);
	free(mine.ss_sp);
	return (void *)(intptr_t)rc;
}

static void alternate_stack_of_a_thread_is_kept(void **state)
{
	assert_int_equal(run_on_stack(*state, prepare_with_own_stack, 512 * 1024), WE_E_TRAP);
}

// ---- the faults of others -----------------------------------------------------------------------

static sigjmp_buf back;
static volatile int n_foreign;

static void foreign_info(int number, siginfo_t *info, void *context)
{
	(void)context;
	assert_int_equal(number, SIGSEGV);
	n_foreign += info->si_addr == (void *)16;
	siglongjmp(back, 1);
}

static void foreign_plain(int number)
{
	n_foreign += number == SIGSEGV;
	siglongjmp(back, 1);
}

static __attribute__((no_sanitize("address", "undefined"))) void fault(void)
{
	volatile int *volatile nowhere = (volatile int *)16;

	*nowhere = 1;
}

static void expect_foreign(struct rig *rig, const struct sigaction *action)
{
	struct sigaction before;
	uint64_t slots[1] = {1u << 31};

	n_foreign = 0;
	assert_int_equal(sigaction(SIGSEGV, action, &before), 0);
	for (int i = 1; i <= 2; i++) {
		assert_int_equal(rig_call(rig, TEST_LOAD, slots), WE_E_TRAP);
		assert_int_equal(n_foreign, i - 1);
		if (sigsetjmp(back, 1) == 0)
			fault();
		assert_int_equal(n_foreign, i);
	}
	assert_int_equal(sigaction(SIGSEGV, &before, NULL), 0);
}

static void foreign_fault_goes_to_the_handler_before(void **state)
{
	const struct sigaction info = {.sa_sigaction = foreign_info, .sa_flags = SA_SIGINFO};
	const struct sigaction plain = {.sa_handler = foreign_plain, .sa_flags = SA_NODEFER};

	expect_foreign(*state, &info);
	expect_foreign(*state, &plain);
}

static int fault_here(struct rig *rig, uint64_t *slots, struct we_error *err)
{
	(void)rig;
	(void)slots;
	(void)err;
	fault();
	return 0;
}

static int raise_here(struct rig *rig, uint64_t *slots, struct we_error *err)
{
	(void)rig;
	(void)slots;
	(void)err;
	raise(SIGSEGV);
	return 0;
}

enum crime {
	FAULT_OUTSIDE,
	FAULT_IN_HOST,
	FAULT_ELSEWHERE, // in native code, in no memory
	RAISE_IN_HOST,
};

// How a process ends that does it with this action of SIGSEGV before ours: as of waitpid.
static int commit(struct rig *rig, enum crime crime, void (*handler)(int))
{
	const struct sigaction action = {.sa_handler = handler};
	const pid_t child = fork();
	int status = 0;

	assert_true(child >= 0);
	if (child == 0) {
		sigaction(SIGSEGV, &action, NULL);
		alarm(10);
		rig->host = crime == RAISE_IN_HOST ? raise_here : fault_here;
		if (crime == FAULT_ELSEWHERE)
			rig->inst->mem0_base = (uint8_t *)16;
		(void)rig_ask(rig, TEST_TWICE, 0);
		if (crime == FAULT_OUTSIDE)
			fault();
		(void)rig_ask(rig, crime == FAULT_ELSEWHERE ? TEST_LOAD : TEST_HOST, 0);
		_exit(0);
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	return status;
}

static void fault_that_is_nobodys_ends_the_process(void **state)
{
	for (enum crime crime = FAULT_OUTSIDE; crime <= RAISE_IN_HOST; crime++) {
		const int status = commit(*state, crime, SIG_DFL);

		assert_true(WIFSIGNALED(status));
		assert_int_equal(WTERMSIG(status), SIGSEGV);
	}
}

static void ignored_signal_is_ignored_and_a_fault_is_not(void **state)
{
	assert_int_equal(commit(*state, RAISE_IN_HOST, SIG_IGN), 0);
	assert_int_equal(WTERMSIG(commit(*state, FAULT_IN_HOST, SIG_IGN)), SIGSEGV);
}

static struct sigaction handed_on; // of whom hand_on replaced
static void *page;

static void repair(int number, siginfo_t *info, void *context)
{
	(void)number;
	(void)context;
	if (info->si_addr != page || mprotect(page, 1, PROT_READ | PROT_WRITE) != 0)
		_exit(1);
	n_foreign++;
}

static void hand_on(int number, siginfo_t *info, void *context)
{
	n_foreign += 10;
	handed_on.sa_sigaction(number, info, context);
}

static int repair_by_who_was_first(void)
{
	struct sigaction action = {.sa_sigaction = repair, .sa_flags = SA_SIGINFO | SA_ONSTACK};

	page = mmap(NULL, 1, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (page == MAP_FAILED || sigaction(SIGSEGV, &action, NULL) != 0 ||
		we_process_prepare(NULL) != 0)
		return 1;
	action.sa_sigaction = hand_on;
	if (sigaction(SIGSEGV, &action, &handed_on) != 0 || we_process_prepare(NULL) != 0)
		return 1;
	for (int i = 1; i <= 2; i++) {
		*(volatile char *)page = 1;
		if (n_foreign != 11 * i || mprotect(page, 1, PROT_NONE) != 0)
			return 1;
	}
	return 0;
}

static void fault_that_is_handed_back_goes_to_who_was_there_first(void **state)
{
	const pid_t child = fork();
	int status = 0;

	(void)state;
	assert_true(child >= 0);
	if (child == 0) {
		alarm(10);
		n_foreign = 0;
		_exit(repair_by_who_was_first());
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_int_equal(status, 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, rig_set_up, rig_tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(endless_loop_ends_at_its_deadline),
		TEST(endless_loop_around_a_host_call_ends_at_its_deadline),
		TEST(endless_loop_around_a_call_by_reference_ends_at_its_deadline),
		TEST(deadline_of_a_nested_entry_ends_both),
		TEST(deadline_within_the_host_is_seen_when_it_returns),
		TEST(deadline_before_the_entry_ends_it_at_once),
		TEST(late_signal_never_ends_another_entry),
		TEST(deadline_is_not_lost_at_any_instruction),
		TEST(deadline_of_another_store_in_the_thread_is_its_own),
		TEST(sixteen_threads_trap_at_once),
		TEST(stack_of_a_thread_bounds_its_guests),
		TEST(thread_with_too_small_a_stack_runs_the_interpreter),
		TEST(alternate_stack_of_a_thread_is_kept),
		TEST(foreign_fault_goes_to_the_handler_before),
		TEST(fault_that_is_handed_back_goes_to_who_was_there_first),
		TEST(fault_that_is_nobodys_ends_the_process),
		TEST(ignored_signal_is_ignored_and_a_fault_is_not),
	};

	return cmocka_run_group_tests_name("native_signals", tests, NULL, NULL);
}
