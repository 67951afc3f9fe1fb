// SPDX-License-Identifier: BSD-3-Clause
// dp_unmap: see unmap.h.
#include "unmap.h"

#include <rte_rcu_qsbr.h>

#include <assert.h>
#include <pthread.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

enum {
	QSBR_BYTES = 8192, // for DP_WORKERS_MAX threads
	THREAD_NAME_MAX = 16,
};

// For the whole process: the interrupt thread may be in munmap at any time, after the last run too.
static _Alignas(RTE_CACHE_LINE_SIZE) uint8_t qsbr_bytes[QSBR_BYTES];
static pthread_once_t qsbr_once = PTHREAD_ONCE_INIT;

static void qsbr_init(void)
{
	assert(rte_rcu_qsbr_get_memsize(DP_WORKERS_MAX) <= QSBR_BYTES);
	rte_rcu_qsbr_init((struct rte_rcu_qsbr *)(void *)qsbr_bytes, DP_WORKERS_MAX);
}

static inline struct rte_rcu_qsbr *qsbr(void)
{
	return (struct rte_rcu_qsbr *)(void *)qsbr_bytes;
}

void dp_unmap_worker_begins(uint32_t i)
{
	assert(i < DP_WORKERS_MAX);
	pthread_once(&qsbr_once, qsbr_init);
	rte_rcu_qsbr_thread_register(qsbr(), i);
	rte_rcu_qsbr_thread_online(qsbr(), i);
}

void dp_unmap_worker_is_out(uint32_t i)
{
	rte_rcu_qsbr_quiescent(qsbr(), i);
}

void dp_unmap_worker_ends(uint32_t i)
{
	rte_rcu_qsbr_thread_offline(qsbr(), i);
	rte_rcu_qsbr_thread_unregister(qsbr(), i);
}

static bool is_interrupt_thread(void)
{
	char name[THREAD_NAME_MAX];

	return pthread_getname_np(pthread_self(), name, sizeof(name)) == 0 &&
	       strcmp(name, "eal-intr-thread") == 0;
}

// In the place of libc's, for drivers too: they look the name up in the program first.
WE_PUBLIC int munmap(void *addr, size_t len)
{
	if (is_interrupt_thread()) {
		pthread_once(&qsbr_once, qsbr_init);
		rte_rcu_qsbr_synchronize(qsbr(), RTE_QSBR_THRID_INVALID);
	}
	return (int)syscall(SYS_munmap, addr, len);
}
