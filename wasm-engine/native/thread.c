// SPDX-License-Identifier: BSD-3-Clause
// we_thread: see thread.h.
//
// Module path 3/6.
#include "thread.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stddef.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/mman.h>
#include <unistd.h>

#include "signals.h"
#include "we.h"

#ifndef AT_MINSIGSTKSZ
#define AT_MINSIGSTKSZ 51
#endif

enum {
	FRAME_BYTES = 4096,          // of the kernel, when it does not say
	GUARD_BYTES = 4096,          // below the alternate stack
	HANDLER_BYTES = 8 * 1024,    // what our handlers need beside the kernel's frame
	CHAINED_BYTES = 64 * 1024,   // what those of others may want
	HOST_MAX_BYTES = 256 * 1024, // of a large stack, for functions of the host called by guests
};

_Thread_local struct we_thread we_thread = {.tid = WE_THREAD_NEW};

static pthread_once_t once = PTHREAD_ONCE_INIT;
static pthread_key_t key; // of the alternate stack
static int key_errno;

static size_t frame_bytes(void)
{
	const size_t asked = getauxval(AT_MINSIGSTKSZ);

	return asked > FRAME_BYTES ? asked : FRAME_BYTES;
}

// One handler may interrupt the other.
static size_t least_bytes(void)
{
	return 2 * frame_bytes() + HANDLER_BYTES;
}

static size_t own_bytes(void)
{
	return (2 * frame_bytes() + CHAINED_BYTES + GUARD_BYTES + 4095) & ~(size_t)4095;
}

static void free_stack(void *map)
{
	stack_t now;
	const stack_t off = {.ss_flags = SS_DISABLE};

	if (sigaltstack(NULL, &now) == 0 && now.ss_sp == (uint8_t *)map + GUARD_BYTES)
		sigaltstack(&off, NULL);
	munmap(map, own_bytes());
	we_thread.tid = WE_THREAD_NEW; // for what runs after this in the thread
}

// The process is the child of a fork: its thread has another number.
static void forget_number(void)
{
	we_thread.tid = WE_THREAD_NEW;
}

static void make_key(void)
{
	key_errno = pthread_key_create(&key, free_stack);
	if (key_errno == 0)
		key_errno = pthread_atfork(NULL, NULL, forget_number);
}

static int refused(struct we_error *err, const char *what, int number)
{
	return we_error_set(err, WE_E_HOST, 0, "thread: %s: %s", what, strerror(number));
}

static int make_stack(struct we_error *err)
{
	stack_t stack;
	uint8_t *map;
	int rc;

	if (sigaltstack(NULL, &stack) == 0 && (stack.ss_flags & SS_DISABLE) == 0 &&
		stack.ss_size >= least_bytes())
		return 0;
	map = mmap(NULL, own_bytes(), PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (map == MAP_FAILED)
		return refused(err, "no stack for signals", errno);
	stack = (stack_t){.ss_sp = map + GUARD_BYTES, .ss_size = own_bytes() - GUARD_BYTES};
	if (mprotect(stack.ss_sp, stack.ss_size, PROT_READ | PROT_WRITE) != 0 ||
		sigaltstack(&stack, NULL) != 0)
		rc = refused(err, "no stack for signals", errno);
	else
		rc = pthread_setspecific(key, map);
	if (rc == 0)
		return 0;
	if (rc > 0) // it is the thread's already
		(void)sigaltstack(&(stack_t){.ss_flags = SS_DISABLE}, NULL);
	munmap(map, own_bytes());
	return rc > 0 ? refused(err, "no stack for signals", rc) : rc;
}

// Where the thread's stack lies; the first thread's grows down to what RLIMIT_STACK was when it is asked.
static int find_stack(struct we_thread *t, struct we_error *err)
{
	pthread_attr_t attr;
	void *low = NULL;
	size_t bytes = 0;
	size_t guard = 0;
	size_t host;
	int rc = pthread_getattr_np(pthread_self(), &attr);

	if (rc != 0)
		return refused(err, "where is its stack", rc);
	pthread_attr_getstack(&attr, &low, &bytes);
	pthread_attr_getguardsize(&attr, &guard);
	pthread_attr_destroy(&attr);
	t->stack_low = (uintptr_t)low;
	t->stack_high = t->stack_low + bytes;
	host = bytes / 8 < HOST_MAX_BYTES ? bytes / 8 : HOST_MAX_BYTES;
	if (bytes < 2 * (guard + WE_ABI_STACK_MARGIN + host))
		return we_error_set(
			err, WE_E_HOST, 0, "thread: a stack of %zu bytes is too small", bytes);
	t->stack_limit = t->stack_low + guard + WE_ABI_STACK_MARGIN + host;
	return 0;
}

static int prepare(struct we_thread *t, struct we_error *err)
{
	int rc = we_process_prepare(err);

	pthread_once(&once, make_key);
	if (key_errno != 0)
		return refused(err, "no key for its stack of signals", key_errno);
	rc = rc == 0 ? find_stack(t, err) : rc;
	rc = rc == 0 ? make_stack(err) : rc;
	return rc == 0 ? we_signal_unblock(err) : rc;
}

int we_thread_prepare(struct we_error *err)
{
	struct we_thread *t = &we_thread;
	int rc;

	if (t->tid >= 0)
		return 0;
	rc = prepare(t, err);
	t->tid = rc == 0 ? gettid() : WE_THREAD_UNFIT;
	return rc;
}
