// SPDX-License-Identifier: BSD-3-Clause
// Between the return of a receive call and the call that sends, nothing of ours allocates, locks, logs or
// enters the kernel: the linker puts our functions in the place of libc's, and they count.
#include "fake_port.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

enum {
	N = 2000,
};

static atomic_uint n_seen;              // calls on the path
static _Atomic(const char *) last_seen; // name
static atomic_uint n_watched;           // calls off the path: does the test see anything at all?

static void see(const char *name)
{
	if (!fake_is_on_path) {
		atomic_fetch_add(&n_watched, 1);
		return;
	}
	atomic_fetch_add(&n_seen, 1);
	atomic_store(&last_seen, name);
}

// clang-format off
#define WATCH(ret, name, params, args) \
	ret __real_##name params; \
	ret __wrap_##name params; \
	ret __wrap_##name params { see(#name); return __real_##name args; }
WATCH(void *,  malloc,             (size_t n),                                  (n))
WATCH(void *,  calloc,             (size_t n, size_t size),                     (n, size))
WATCH(void *,  realloc,            (void *p, size_t n),                         (p, n))
WATCH(void *,  aligned_alloc,      (size_t align, size_t n),                    (align, n))
WATCH(int,     posix_memalign,     (void **p, size_t align, size_t n),          (p, align, n))
WATCH(char *,  strdup,             (const char *s),                             (s))
WATCH(void *,  mmap,               (void *a, size_t n, int p, int f, int d, off_t o), (a, n, p, f, d, o))
WATCH(void *,  mmap64,             (void *a, size_t n, int p, int f, int d, off_t o), (a, n, p, f, d, o))
WATCH(int,     munmap,             (void *a, size_t n),                         (a, n))
WATCH(int,     mprotect,           (void *a, size_t n, int p),                  (a, n, p))
WATCH(int,     madvise,            (void *a, size_t n, int advice),             (a, n, advice))
WATCH(int,     pthread_mutex_lock, (pthread_mutex_t *m),                        (m))
WATCH(int,     nanosleep,          (const struct timespec *a, struct timespec *b), (a, b))
WATCH(int,     clock_gettime,      (clockid_t c, struct timespec *ts),          (c, ts))
WATCH(ssize_t, write,              (int fd, const void *p, size_t n),           (fd, p, n))
WATCH(ssize_t, getrandom,          (void *p, size_t n, unsigned flags),         (p, n, flags))
// clang-format on

void __real_free(void *p);
void __wrap_free(void *p);
void __wrap_free(void *p)
{
	see("free");
	__real_free(p);
}

static void fill(struct fake *fake, uint16_t port, struct rte_mempool *pool)
{
	for (uint32_t i = 0; port == 0 && i < N; i++)
		fake_receive(fake, 0, rig_packet(pool, (uint8_t)i, 60 + i % 1400, i % 3 ? 0 : 700));
}

static struct fake fake;
static struct rig rig;

// pause_ms: between two bursts.
static void run_on(enum dp_engine engine, long pause_ms, const char *const *files, uint32_t n_files,
	struct dp_stats **ret_stats)
{
	static char paths[4][256];

	fake_init(&fake, fill);
	fake.pause_ms = pause_ms;
	rig_config(&rig);
	rig.workers[0].engine = engine;
	rig.config.n_mbufs = 8192;
	rig_port(&rig, NULL, 1, 0, 1);
	rig_port(&rig, NULL, 1, 0, DP_NO_INDEX);
	for (uint32_t i = 0; i < n_files; i++) {
		snprintf(paths[i], sizeof(paths[i]), "%s/%s.wasm", PREBUILT_FILTERS, files[i]);
		rig_filter(&rig, 0, "nothing")->file = paths[i];
	}
	atomic_store(&n_seen, 0);
	fake_run(&rig, &fake, ret_stats);
	if (atomic_load(&n_seen) > 0)
		fail_msg("%u calls on the data path, the last one: %s", atomic_load(&n_seen),
			atomic_load(&last_seen));
	assert_true(atomic_load(&n_watched) > 0);
}

static void run_with(const char *const *files, uint32_t n_files, struct dp_stats **ret_stats)
{
	run_on(DP_ENGINE_INTERP, 0, files, n_files, ret_stats);
}

static void forwarding_without_filters_calls_nothing(void **state)
{
	(void)state;
	run_with(NULL, 0, NULL);
	assert_int_equal(fake.ports[1].n_out, N);
}

static void filters_that_pass_rewrite_and_count_call_nothing(void **state)
{
	static const char *const files[] = {"pass", "macswap", "count"};
	struct dp_stats *stats;

	(void)state;
	run_with(files, 3, &stats);
	assert_int_equal(fake.ports[1].n_out, N);
	assert_int_equal(stats->filters[0][0].in.packets, N);
	assert_int_equal(stats->filters[0][1].changed, N);
	dp_stats_destroy(stats);
}

static void a_filter_that_drops_calls_nothing(void **state)
{
	static const char *const files[] = {"drop"};
	struct dp_stats *stats;

	(void)state;
	run_with(files, 1, &stats);
	assert_int_equal(stats->law.drops_by[DP_DROP_FILTER], N);
	dp_stats_destroy(stats);
}

static void native_filters_call_nothing(void **state)
{
	static const char *const files[] = {"pass", "macswap", "count"};
	struct dp_stats *stats;

	(void)state;
	if (!HAS_COMPILER)
		skip();
	run_on(DP_ENGINE_JIT, 0, files, 3, &stats);
	assert_int_equal(fake.ports[1].n_out, N);
	for (uint32_t i = 0; i < 3; i++)
		assert_int_equal(stats->filters[0][i].queues_native, 1);
	dp_stats_destroy(stats);
}

// Bursts come from before the compiler starts until after native code is there, or nearly so: it takes what it takes.
static void filters_that_are_compiled_meanwhile_call_nothing(void **state)
{
	static const char *const files[] = {"pass", "macswap", "count"};
	struct dp_stats *stats;

	(void)state;
	if (!HAS_COMPILER)
		skip();
	run_on(DP_ENGINE_AUTO, 30, files, 3, &stats);
	assert_int_equal(fake.ports[1].n_out, N);
	print_message("# native at the end: %d of 3 filters\n",
		(int)(stats->filters[0][0].queues_native + stats->filters[0][1].queues_native +
			stats->filters[0][2].queues_native));
	dp_stats_destroy(stats);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(forwarding_without_filters_calls_nothing),
		cmocka_unit_test(filters_that_pass_rewrite_and_count_call_nothing),
		cmocka_unit_test(a_filter_that_drops_calls_nothing),
		cmocka_unit_test(native_filters_call_nothing),
		cmocka_unit_test(filters_that_are_compiled_meanwhile_call_nothing),
	};

	if (rig_start_eal())
		return 1;
	const int n_failed =
		cmocka_run_group_tests_name("no_alloc_on_data_path", tests, NULL, NULL);
	rig_stop_eal();
	return n_failed;
}
