// SPDX-License-Identifier: BSD-3-Clause
// Signals of native code: see signals.h.
//
// Module path 3/6. No deadline is lost. Who asks for it writes the interrupt word, and then signals the thread that the store
// names. The handler of that thread, which sees the word, finds the program counter
//	in native code or in a window of enter.S    and ends the entry there;
//	elsewhere                                   and does nothing, because a look at the word comes before any more native code:
//	  before an entry     the look of we_func_call or we_native_enter, after which a window begins;
//	  in a host function  that of we_native_generic, the same, or of the generated code behind the call: native code;
//	  in the runtime      that of the generated code behind the call, or the last one of we_native_due;
//	  in the interpreter  its own, at back edges; and when it returns, that of we_native_generic.
// When the store names no thread, or another one, that is because this one is on its way to its first entry: it writes its
// number, fences, and then comes to the look before its entry; who asks writes the word, fences, and reads the number. One of
// the two sees what the other has written.
// A signal that comes late finds another number in store->entry than in the word, and does nothing.
#include "signals.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <ucontext.h>
#include <unistd.h>

#include "enter.h"
#include "space.h"
#include "thread.h"

enum {
	RED_ZONE_BYTES = 128 // below the stack pointer, in use
};

// Who has SIGSEGV when it is not ours to handle. Invariant: constant, and never freed: a handler may be at it.
struct we_signal_before {
	struct sigaction action;
	_Atomic bool was_called;
	struct we_signal_before *older;
};

static struct {
	pthread_mutex_t lock; // of installing
	_Atomic int deadline; // the signal; 0: nothing is installed
	_Atomic(struct we_signal_before *) before;
} signals = {.lock = PTHREAD_MUTEX_INITIALIZER};

// ---- handlers -----------------------------------------------------------------------------------

// End the activation: its thread goes on at the landing, below the frames of the guest.
static void land(struct we_activation *activation, ucontext_t *context, enum we_trap trap)
{
	greg_t *regs = context->uc_mcontext.gregs;

	activation->trap = trap;
	activation->pc = (uintptr_t)regs[REG_RIP];
	activation->fp = (uintptr_t)regs[REG_RBP];
	regs[REG_RIP] = (greg_t)(uintptr_t)we_native_landing;
	regs[REG_RSP] = (regs[REG_RSP] - RED_ZONE_BYTES) & ~(greg_t)15;
}

// What would have happened without us, after this handler has returned.
static void die(const siginfo_t *info)
{
	const struct sigaction action = {.sa_handler = SIG_DFL};

	sigaction(SIGSEGV, &action, NULL);
	if (info->si_code <= 0) // somebody sent it: it does not happen again by itself
		tgkill(getpid(), gettid(), SIGSEGV);
}

static void chain(int number, siginfo_t *info, void *context)
{
	const struct we_chained outer = we_thread.chained;
	const uintptr_t frame = (uintptr_t)__builtin_frame_address(0);
	struct we_signal_before *before =
		atomic_load_explicit(&signals.before, memory_order_acquire);

	// Somebody who came after us and whom we came over again may hand the fault back to us, whom he knows: it goes on to who
	// was there before him. He calls from below; a fault that comes after he has left by a jump does not.
	if (outer.context == context && frame < outer.frame)
		before = outer.before->older;
	we_thread.chained = (struct we_chained){context, frame, before};
	if (before == NULL || ((before->action.sa_flags & (int)SA_RESETHAND) != 0 &&
				      atomic_exchange(&before->was_called, true)))
		die(info);
	else if ((before->action.sa_flags & SA_SIGINFO) != 0)
		before->action.sa_sigaction(number, info, context);
	else if (before->action.sa_handler == SIG_DFL ||
		 (before->action.sa_handler == SIG_IGN && info->si_code > 0))
		die(info); // the kernel ignores no fault
	else if (before->action.sa_handler != SIG_IGN)
		before->action.sa_handler(number);
	we_thread.chained = outer;
}

static bool is_in_memory(const struct we_store *store, uintptr_t address)
{
	for (const struct we_memory *m = store->memories; m != NULL; m = m->next) {
		if (we_memory_covers(m, address))
			return true;
	}
	return false;
}

static void on_fault(int number, siginfo_t *info, void *context)
{
	ucontext_t *const at = context;
	struct we_activation *activation = we_thread.activation;

	if (activation != NULL && info->si_code > 0 &&
		we_space_find((uintptr_t)at->uc_mcontext.gregs[REG_RIP]) != NULL &&
		is_in_memory(activation->func->store, (uintptr_t)info->si_addr))
		land(activation, at, WE_TRAP_MEMORY_OUT_OF_BOUNDS);
	else
		chain(number, info, context);
}

static bool is_native(uintptr_t pc)
{
	for (const struct we_native_window *w = we_native_windows; w < we_native_windows_end; w++)
		if (pc >= (uintptr_t)w->begin && pc < (uintptr_t)w->end)
			return true;
	return we_space_find(pc) != NULL;
}

static void on_deadline(int number, siginfo_t *info, void *context)
{
	ucontext_t *const at = context;
	struct we_activation *activation = we_thread.activation;

	(void)number;
	(void)info;
	if (activation != NULL && we_store_is_interrupted(activation->func->store) &&
		is_native((uintptr_t)at->uc_mcontext.gregs[REG_RIP]))
		land(activation, at, WE_TRAP_DEADLINE);
}

// ---- installing ---------------------------------------------------------------------------------

static int refused(struct we_error *err, const char *what, int number)
{
	return we_error_set(err, WE_E_HOST, 0, "signals: %s: %s", what, strerror(number));
}

// The highest realtime signal that nobody has taken, or 0.
static int find_free(void)
{
	struct sigaction now;

	for (int number = SIGRTMAX; number >= SIGRTMIN; number--) {
		if (sigaction(number, NULL, &now) == 0 && (now.sa_flags & SA_SIGINFO) == 0 &&
			now.sa_handler == SIG_DFL)
			return number;
	}
	return 0;
}

// Remember who has the signal now. Returns: 0; NOMEM.
static int note_before(const struct sigaction *now, struct we_error *err)
{
	struct we_signal_before *known = signals.before;
	struct we_signal_before *before;

	if (known != NULL && known->action.sa_sigaction == now->sa_sigaction &&
		known->action.sa_flags == now->sa_flags)
		return 0;
	before = calloc(1, sizeof(*before));
	if (before == NULL)
		return we_error_set(err, WE_E_NOMEM, 0, "no memory for a signal handler");
	before->action = *now;
	before->older = known;
	atomic_store_explicit(&signals.before, before, memory_order_release);
	return 0;
}

// What the handler before expects of the kernel, ours has, too: it may be called from ours.
static int install_fault(struct we_error *err)
{
	struct sigaction action = {.sa_sigaction = on_fault};
	struct sigaction now;
	int rc;

	if (sigaction(SIGSEGV, NULL, &now) != 0)
		return refused(err, "SIGSEGV", errno);
	if ((now.sa_flags & SA_SIGINFO) != 0 && now.sa_sigaction == on_fault)
		return 0;
	rc = note_before(&now, err);
	if (rc < 0)
		return rc;
	action.sa_mask = now.sa_mask;
	action.sa_flags = SA_SIGINFO | SA_ONSTACK | (now.sa_flags & (int)SA_NODEFER);
	if (sigaction(SIGSEGV, &action, NULL) != 0)
		return refused(err, "SIGSEGV", errno);
	return 0;
}

static int install_deadline(struct we_error *err)
{
	struct sigaction action = {
		.sa_sigaction = on_deadline, .sa_flags = SA_SIGINFO | SA_ONSTACK | SA_RESTART};
	const int number = find_free();

	if (number == 0)
		return we_error_set(err, WE_E_HOST, 0, "signals: no realtime signal is free");
	sigemptyset(&action.sa_mask);
	if (sigaction(number, &action, NULL) != 0)
		return refused(err, "the deadline's", errno);
	atomic_store_explicit(&signals.deadline, number, memory_order_release);
	return 0;
}

int we_process_prepare(struct we_error *err)
{
	int rc;

	pthread_mutex_lock(&signals.lock);
	rc = install_fault(err);
	if (rc == 0 && signals.deadline == 0)
		rc = install_deadline(err);
	pthread_mutex_unlock(&signals.lock);
	return rc;
}

int we_signal_unblock(struct we_error *err)
{
	sigset_t set;
	int rc;

	sigemptyset(&set);
	sigaddset(&set, SIGSEGV);
	sigaddset(&set, atomic_load_explicit(&signals.deadline, memory_order_acquire));
	rc = pthread_sigmask(SIG_UNBLOCK, &set, NULL);
	return rc == 0 ? 0 : refused(err, "unblocking", rc);
}

// ---- deadlines ----------------------------------------------------------------------------------

void we_native_interrupt(struct we_store *store)
{
	const int number = atomic_load_explicit(&signals.deadline, memory_order_acquire);
	const int before = errno;
	int32_t tid;

	atomic_thread_fence(memory_order_seq_cst);
	tid = atomic_load_explicit(&store->native.tid, memory_order_relaxed);
	if (number == 0 || tid == 0)
		return;
	// The thread may be gone, and another one have its number: that one's handler does nothing.
	(void)tgkill(getpid(), tid, number);
	errno = before;
}
