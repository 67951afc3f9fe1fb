// SPDX-License-Identifier: BSD-3-Clause
// Tests of we_module_compile against a compiler that fails in every way it can.
//
//	client_test FAKE-JIT
//
// What would be published is noted (-Wl,--wrap); the interpreter runs the modules.
#include "engine.h"
#include "image.h"
#include "publish.h"
#include "state.h"

#include <dirent.h>
#include <errno.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

enum {
	N_FUNCS = 8,
	SMALL_MS = 300 // a limit that a fault exhausts
};

static const char *fake;
static struct we_engine *engine;
static struct we_module *module;
static struct we_error err;
static struct we_jit_stats stats;
static uint32_t n_published;
static uint32_t n_published_funcs;

int __wrap_we_native_publish(
	struct we_module *of, struct we_image *image, struct we_error *ret_err);
int __wrap_we_native_publish(struct we_module *of, struct we_image *image, struct we_error *ret_err)
{
	(void)ret_err;
	assert_ptr_equal(of, module);
	n_published++;
	n_published_funcs += image->header.n_funcs;
	we_image_release(image);
	return 0;
}

// ---- modules ----------------------------------------------------------------------------------------

struct bytes {
	uint8_t data[1 << 20];
	size_t n;
};

static struct bytes file;

static void put(const void *data, size_t n)
{
	assert_true(file.n + n <= sizeof(file.data));
	memcpy(file.data + file.n, data, n);
	file.n += n;
}

static void put_u32(uint32_t x)
{
	const uint8_t leb[5] = {(uint8_t)(x | 0x80), (uint8_t)(x >> 7 | 0x80),
		(uint8_t)(x >> 14 | 0x80), (uint8_t)(x >> 21 | 0x80), (uint8_t)(x >> 28)};

	put(leb, sizeof(leb));
}

static void put_section(uint8_t id, size_t n)
{
	put(&id, 1);
	put_u32((uint32_t)n);
}

// n functions that return their index, each of n_nops + 8 bytes; the last is exported as "last". fault: see jit_fake.c.
static void make_file(uint32_t n, uint32_t n_nops, const char *fault)
{
	static const uint8_t head[] = {0x00, 0x61, 0x73, 0x6d, 1, 0, 0, 0, //
		1, 5, 1, 0x60, 0, 1, 0x7f};                                // type: -> i32
	const uint32_t body = 1 + n_nops + 1 + 5 + 1;

	file.n = 0;
	put(head, sizeof(head));
	put_section(3, 5 + n);
	put_u32(n);
	for (uint32_t i = 0; i < n; i++)
		put("\0", 1);
	put_section(7, 1 + 1 + 4 + 1 + 5);
	put("\1\4last\0", 7);
	put_u32(n - 1);
	put_section(10, 5 + n * (5 + body));
	put_u32(n);
	for (uint32_t i = 0; i < n; i++) {
		put_u32(body);
		put("\0", 1);
		for (uint32_t k = 0; k < n_nops; k++)
			put("\1", 1);
		put("\x41", 1);
		put_u32(i);
		put("\x0b", 1);
	}
	if (fault != NULL) {
		put_section(0, 1 + 5 + strlen(fault));
		put("\5fault", 6);
		put(fault, strlen(fault));
	}
}

static void start_with(const struct we_engine_config *config)
{
	assert_int_equal(we_engine_create(config, &engine, &err), 0);
	assert_int_equal(
		we_module_create(engine, (struct we_bytes){file.data, file.n}, 0, &module, &err),
		0);
	n_published = 0;
	n_published_funcs = 0;
}

// An engine with little memory and a module of N_FUNCS functions.
static void start(const char *fault)
{
	const struct we_engine_config config = {.jit_program = fake, .jit_memory_bytes = 64 << 20};

	make_file(N_FUNCS, 0, fault);
	start_with(&config);
}

static int compile(void)
{
	int rc;

	memset(&err, 0, sizeof(err));
	rc = we_module_compile(module, &err);
	we_module_jit_stats(module, &stats);
	return rc;
}

// The module runs in the interpreter whatever happened.
static void expect_it_runs(void)
{
	struct we_store *store;
	struct we_linker *linker;
	struct we_instance *inst;
	struct we_extern ext;
	struct we_value result;

	assert_int_equal(we_store_create(engine, NULL, &store, &err), 0);
	assert_int_equal(we_linker_create(store, &linker, &err), 0);
	assert_int_equal(we_linker_instantiate(linker, module, &inst, &err), 0);
	assert_int_equal(we_instance_export(inst, "last", 4, &ext), 0);
	assert_int_equal(we_func_call_values(ext.of.func, NULL, 0, &result, 1, &err), 0);
	assert_int_equal(result.of.i32, module->is.n_funcs - 1);
	we_linker_destroy(linker);
	we_store_destroy(store);
}

// ---- what may be left behind --------------------------------------------------------------------------

static int count_fds(void)
{
	DIR *dir = opendir("/proc/self/fd");
	int n = 0;

	assert_non_null(dir);
	while (readdir(dir) != NULL)
		n++;
	closedir(dir);
	return n;
}

static int count_threads(void)
{
	DIR *dir = opendir("/proc/self/task");
	int n = 0;

	assert_non_null(dir);
	while (readdir(dir) != NULL)
		n++;
	closedir(dir);
	return n;
}

// Processes of the fake that run, ours or given up by their parents.
static int count_compilers(void)
{
	char path[300];
	char target[512];
	DIR *dir = opendir("/proc");
	const struct dirent *entry;
	int n = 0;

	assert_non_null(dir);
	while ((entry = readdir(dir)) != NULL) {
		ssize_t len;

		snprintf(path, sizeof(path), "/proc/%s/exe", entry->d_name);
		len = readlink(path, target, sizeof(target) - 1);
		if (len < 0)
			continue;
		target[len] = '\0';
		n += strcmp(target, fake) == 0;
	}
	closedir(dir);
	return n;
}

static int n_fds;
static int n_threads;

static int note_what_there_is(void **state)
{
	(void)state;
	unsetenv("FAKE_JIT");
	n_fds = count_fds();
	n_threads = count_threads();
	return 0;
}

// No process, zombie, descriptor or thread is left.
static int expect_nothing_left(void **state)
{
	(void)state;
	we_module_unref(module);
	we_engine_destroy(engine);
	module = NULL;
	engine = NULL;
	// A child of the server dies with it, but not before it.
	for (int i = 0; i < 1000 && count_compilers() > 0; i++)
		nanosleep(&(struct timespec){.tv_nsec = 10000000}, NULL);
	assert_int_equal(count_compilers(), 0);
	assert_int_equal(waitpid(-1, NULL, WNOHANG), -1);
	assert_int_equal(errno, ECHILD);
	assert_int_equal(count_fds(), n_fds);
	assert_int_equal(count_threads(), n_threads);
	return 0;
}

// ---- without faults -----------------------------------------------------------------------------------

static void module_compile_publishes_all_functions_in_one_image(void **state)
{
	(void)state;
	start(NULL);
	assert_int_equal(compile(), 0);
	assert_int_equal(n_published, 1);
	assert_int_equal(n_published_funcs, N_FUNCS);
	assert_int_equal(stats.n_funcs, N_FUNCS);
	assert_int_equal(stats.n_funcs_native, N_FUNCS);
	assert_int_equal(stats.n_requests, 1);
	assert_true(stats.code_bytes > 0 && stats.compile_ns > 0);
	assert_string_equal(stats.last_failure, "");
	expect_it_runs();
}

static void module_compile_again_asks_nobody(void **state)
{
	(void)state;
	start(NULL);
	assert_int_equal(compile(), 0);
	assert_int_equal(compile(), 0);
	assert_int_equal(stats.n_requests, 1);
	assert_int_equal(n_published, 1);
}

static void module_compile_of_a_large_module_goes_in_batches(void **state)
{
	(void)state;
	make_file(20, 20000, NULL); // three in 64 KiB
	start_with(&(struct we_engine_config){.jit_program = fake});
	assert_int_equal(compile(), 0);
	assert_int_equal(stats.n_requests, 7);
	assert_int_equal(n_published_funcs, 20);
	expect_it_runs();
}

static void module_compile_a_hundred_times_uses_one_process(void **state)
{
	struct we_jit_stats sum;

	(void)state;
	start(NULL);
	for (unsigned i = 0; i < 100; i++) {
		we_module_unref(module);
		assert_int_equal(we_module_create(engine, (struct we_bytes){file.data, file.n}, 0,
					 &module, &err),
			0);
		assert_int_equal(compile(), 0);
	}
	we_engine_jit_stats(engine, &sum);
	assert_int_equal(sum.n_requests, 100);
	assert_int_equal(sum.n_starts, 1);
	assert_int_equal(sum.n_funcs_native, 100 * N_FUNCS);
}

static void module_compile_inherits_nothing(void **state)
{
	sigset_t mask;
	int fd = dup(STDERR_FILENO); // not close-on-exec

	(void)state;
	sigfillset(&mask);
	pthread_sigmask(SIG_BLOCK, &mask, NULL);
	start("inherit");
	assert_int_equal(compile(), 0);
	assert_string_equal(stats.last_failure, "");
	sigemptyset(&mask);
	pthread_sigmask(SIG_SETMASK, &mask, NULL);
	close(fd);
}

static void *compile_in_thread(void *arg)
{
	(void)arg;
	return we_module_compile(module, NULL) == 0 ? arg : NULL;
}

static void module_compile_in_four_threads_compiles_once(void **state)
{
	pthread_t threads[4];
	void *result;

	(void)state;
	start("slow");
	for (unsigned i = 0; i < 4; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, compile_in_thread, &module), 0);
	for (unsigned i = 0; i < 4; i++) {
		pthread_join(threads[i], &result);
		assert_non_null(result);
	}
	assert_int_equal(compile(), 0);
	assert_int_equal(stats.n_requests, 1);
}

// ---- the cache ----------------------------------------------------------------------------------------

static char cache[] = "/tmp/we-client-cache-XXXXXX";

static void start_cached(const char *program, const char *fault)
{
	make_file(N_FUNCS, 0, fault);
	start_with(&(struct we_engine_config){.jit_program = program, .jit_cache = cache});
}

static void end_process(void)
{
	we_module_unref(module);
	we_engine_destroy(engine);
}

static void make_cache(void)
{
	strcpy(cache + strlen(cache) - 6, "XXXXXX");
	assert_non_null(mkdtemp(cache));
}

static void remove_cache(void)
{
	char command[64];

	snprintf(command, sizeof(command), "rm -rf %s", cache);
	assert_int_equal(system(command), 0);
}

static void cached_module_needs_no_compiler(void **state)
{
	(void)state;
	make_cache();
	start_cached(fake, NULL);
	assert_int_equal(compile(), 0);
	assert_int_equal(stats.n_funcs_cached, 0);
	end_process();
	start_cached("/nonexistent/we-jit", NULL);
	assert_int_equal(compile(), 0);
	assert_int_equal(stats.n_requests, 0);
	assert_int_equal(stats.n_funcs_cached, N_FUNCS);
	assert_int_equal(n_published_funcs, N_FUNCS);
	remove_cache();
}

static void cached_failure_is_not_tried_again(void **state)
{
	(void)state;
	make_cache();
	start_cached(fake, "abort 5");
	assert_int_equal(compile(), 1);
	assert_int_equal(stats.n_requests, 7);
	end_process();
	start_cached("/nonexistent/we-jit", "abort 5");
	assert_int_equal(compile(), 1);
	assert_int_equal(stats.n_funcs_cached, N_FUNCS - 1);
	assert_int_equal(stats.n_funcs_given_up, 1);
	assert_non_null(strstr(stats.last_failure, "function 5: aborted: SIGABRT"));
	end_process();
	// But when there is more to be had, it is.
	start_with(&(struct we_engine_config){
		.jit_program = fake, .jit_cache = cache, .jit_cpu_ms = 30000});
	assert_int_equal(compile(), 1);
	assert_int_equal(stats.n_requests, 4);
	remove_cache();
}

// The kernel may have wanted its memory.
static void failure_that_may_be_the_machines_is_not_cached(void **state)
{
	(void)state;
	make_cache();
	for (unsigned i = 0; i < 2; i++) {
		start_cached(fake, "kill 5");
		assert_int_equal(compile(), 1);
		assert_int_equal(stats.n_requests, i == 0 ? 7 : 4);
		assert_non_null(strstr(stats.last_failure, "function 5: aborted: SIGKILL"));
		if (i == 0)
			end_process();
	}
	remove_cache();
}

static void cached_image_that_is_damaged_is_replaced(void **state)
{
	char command[128];

	(void)state;
	make_cache();
	start_cached(fake, NULL);
	assert_int_equal(compile(), 0);
	end_process();
	snprintf(command, sizeof(command),
		"for f in %s/*; do printf x | dd of=$f bs=1 seek=4400 conv=notrunc status=none; "
		"done",
		cache);
	assert_int_equal(system(command), 0);
	start_cached(fake, NULL);
	assert_int_equal(compile(), 0);
	assert_int_equal(stats.n_cache_ignored, 1);
	assert_int_equal(stats.n_requests, 1);
	assert_non_null(strstr(stats.last_failure, "checksum"));
	end_process();
	start_cached(fake, NULL);
	assert_int_equal(compile(), 0);
	assert_int_equal(stats.n_requests, 0);
	remove_cache();
}

static void cached_image_is_of_one_processor_and_one_kind(void **state)
{
	static const struct we_engine_config configs[] = {{.jit_cpu = "v2"},
		{.deterministic = true}, {.explicit_checks = true},
		{.deterministic = true, .explicit_checks = true}};

	(void)state;
	make_cache();
	start_cached(fake, NULL);
	assert_int_equal(compile(), 0);
	for (size_t i = 0; i < sizeof(configs) / sizeof(configs[0]); i++) {
		struct we_engine_config config = configs[i];

		end_process();
		config.jit_program = fake;
		config.jit_cache = cache;
		start_with(&config);
		assert_int_equal(compile(), 0);
		assert_int_equal(stats.n_requests, 1);
	}
	remove_cache();
}

static void cache_that_cannot_be_used_costs_only_time(void **state)
{
	(void)state;
	make_cache();
	assert_int_equal(chmod(cache, 0777), 0);
	start_cached(fake, NULL);
	assert_int_equal(compile(), 0);
	assert_int_equal(stats.n_cache_ignored, 1);
	assert_non_null(strstr(stats.last_failure, "open to other users"));
	remove_cache();
}

// ---- faults of the compiler -----------------------------------------------------------------------------

// One function of N_FUNCS fails, and it alone stays in the interpreter.
struct fault_case {
	const char *fault;
	enum we_jit_failure failure;
	const char *text; // in the last failure
};

static const struct fault_case fault_cases[] = {
	{"abort 5", WE_JIT_ABORTED, "SIGABRT: LLVM ERROR: Cannot select"},
	{"exit 5", WE_JIT_ABORTED, "exit 3"},
	{"segv 5", WE_JIT_ABORTED, "SIGSEGV"},
	{"stack 5", WE_JIT_ABORTED, "SIGSEGV"},
	{"flood 5", WE_JIT_ABORTED, "SIGXFSZ: remark: the same again"},
	{"bomb 5", WE_JIT_NO_MEMORY, "MiB resident"},
	{"nomem 5", WE_JIT_NO_MEMORY, "MiB resident"},
	{"refuse 5", WE_JIT_REFUSED, "no register for a thing"},
	{"large 5", WE_JIT_REFUSED, "the limit is"},
	{"garbage 5", WE_JIT_DAMAGED, "the image is none"},
	{"truncated 5", WE_JIT_DAMAGED, "size"},
	{"empty 5", WE_JIT_DAMAGED, "shorter"},
	{"checksum 5", WE_JIT_DAMAGED, "checksum"},
	{"key 5", WE_JIT_DAMAGED, "another key"},
	{"range 5", WE_JIT_DAMAGED, "other functions"},
};

static void module_compile_with_one_bad_function_compiles_the_others(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(fault_cases) / sizeof(fault_cases[0]); i++) {
		const struct fault_case *c = &fault_cases[i];

		start(c->fault);
		print_message("# %s\n", c->fault);
		assert_int_equal(compile(), 1);
		print_message("# %s, %llu ms\n", stats.last_failure,
			(unsigned long long)stats.compile_ns / 1000000);
		assert_int_equal(stats.n_funcs_native, N_FUNCS - 1);
		assert_int_equal(stats.n_funcs_given_up, 1);
		assert_int_equal(stats.n_failures[c->failure], 4); // of 8, 4, 2, 1
		assert_int_equal(stats.n_requests, 7);
		assert_int_equal(n_published_funcs, N_FUNCS - 1);
		assert_non_null(strstr(stats.last_failure, "function 5: "));
		assert_non_null(strstr(stats.last_failure, c->text));
		expect_it_runs();
		assert_int_equal(compile(), 1); // it is not tried again
		assert_int_equal(stats.n_requests, 7);
		expect_nothing_left(NULL);
	}
}

static void listing_is_of_the_batch_or_else_of_the_function_alone(void **state)
{
	char *text;

	(void)state;
	start(NULL);
	assert_int_equal(we_module_listing(module, 3, &text, &err), 0);
	assert_string_equal(text, "function 3 of 8 from 0\n");
	free(text);
	assert_int_equal(we_module_listing(module, N_FUNCS, &text, &err), WE_E_INVALID);
	assert_string_equal(err.msg, "function 8 is none of the module's own");
	expect_nothing_left(NULL);

	start("abort 5");
	assert_int_equal(we_module_listing(module, 3, &text, &err), 0);
	assert_string_equal(text, "function 3 of 1 from 3\n");
	free(text);
	assert_int_equal(we_module_listing(module, 5, &text, &err), WE_E_HOST);
	assert_non_null(strstr(err.msg, "aborted: SIGABRT: LLVM ERROR: Cannot select"));
	expect_nothing_left(NULL);

	start("refuse 5");
	assert_int_equal(we_module_listing(module, 5, &text, &err), WE_E_HOST);
	assert_string_equal(err.msg, "no register for a thing");
	assert_int_equal(n_published_funcs, 0);
	expect_nothing_left(NULL);

	setenv("FAKE_JIT", "no-code", 1);
	start(NULL);
	text = NULL;
	assert_int_equal(we_module_listing(module, 5, &text, &err), WE_E_HOST);
	assert_string_equal(err.msg, "without a reason");
	assert_null(text);
}

static void module_compile_with_a_function_left_out_gives_it_up(void **state)
{
	(void)state;
	start("left-out 2");
	assert_int_equal(compile(), 1);
	assert_int_equal(stats.n_requests, 1);
	assert_int_equal(stats.n_funcs_native, N_FUNCS - 1);
	assert_int_equal(stats.n_funcs_given_up, 1);
	expect_it_runs();
}

static void module_compile_that_is_unsupported_is_not_tried_in_parts(void **state)
{
	(void)state;
	start("unsupported");
	assert_int_equal(compile(), 1);
	assert_int_equal(stats.n_requests, 1);
	assert_int_equal(stats.n_funcs_given_up, N_FUNCS);
	assert_int_equal(stats.n_failures[WE_JIT_REFUSED], 1);
	expect_it_runs();
}

static void module_compile_that_never_ends_ends_at_its_processor_time(void **state)
{
	(void)state;
	make_file(N_FUNCS, 0, "loop 7");
	start_with(&(struct we_engine_config){.jit_program = fake, .jit_cpu_ms = SMALL_MS});
	assert_int_equal(compile(), 1);
	assert_int_equal(stats.n_funcs_native, N_FUNCS - 1);
	assert_int_equal(stats.n_failures[WE_JIT_TIMED_OUT], 4);
	assert_non_null(strstr(stats.last_failure, "of processor time"));
	expect_it_runs();
}

static void module_compile_that_waits_ends_at_the_wall(void **state)
{
	(void)state;
	make_file(1, 0, "sleep");
	start_with(&(struct we_engine_config){.jit_program = fake, .jit_wall_ms = SMALL_MS});
	assert_int_equal(compile(), 1);
	assert_int_equal(stats.n_failures[WE_JIT_TIMED_OUT], 1);
	assert_non_null(strstr(stats.last_failure, "on the wall"));
	expect_it_runs();
}

static void module_compile_that_ignores_signals_ends_all_the_same(void **state)
{
	(void)state;
	make_file(1, 0, "stubborn");
	start_with(&(struct we_engine_config){
		.jit_program = fake, .jit_cpu_ms = SMALL_MS, .jit_wall_ms = 2 * SMALL_MS});
	assert_int_equal(compile(), 1);
	assert_int_equal(stats.n_failures[WE_JIT_TIMED_OUT], 1);
	expect_it_runs();
}

static void module_compile_of_bad_functions_only_gives_up_in_bounded_time(void **state)
{
	(void)state;
	make_file(500, 0, "abort");
	start_with(&(struct we_engine_config){.jit_program = fake});
	assert_int_equal(compile(), 1);
	assert_int_equal(stats.n_requests, 64);
	assert_int_equal(stats.n_funcs_given_up, 500);
	expect_it_runs();
}

// ---- faults of its process ------------------------------------------------------------------------------

static void server_killed_between_requests_is_started_again(void **state)
{
	struct we_jit_stats sum;

	(void)state;
	start(NULL);
	for (unsigned i = 0; i < 10; i++) {
		we_module_unref(module);
		assert_int_equal(we_module_create(engine, (struct we_bytes){file.data, file.n}, 0,
					 &module, &err),
			0);
		assert_int_equal(compile(), 0);
		kill(engine->jit->compiler.pid, SIGKILL);
	}
	we_engine_jit_stats(engine, &sum);
	assert_true(sum.n_starts >= 9);
	assert_int_equal(sum.n_funcs_native, 10 * N_FUNCS);
	expect_it_runs();
}

static void server_that_dies_when_asked_costs_the_function_that_does_it(void **state)
{
	(void)state;
	start("kill-server 0");
	assert_int_equal(compile(), 1);
	assert_int_equal(stats.n_funcs_native, N_FUNCS - 1);
	assert_int_equal(stats.n_failures[WE_JIT_LOST], 5); // of 8, 4, 2, 1, 1
	assert_non_null(strstr(stats.last_failure, "SIGKILL"));
	expect_it_runs();
}

static void server_that_does_not_answer_is_killed(void **state)
{
	(void)state;
	make_file(1, 0, "stop-server");
	start_with(&(struct we_engine_config){.jit_program = fake, .jit_wall_ms = SMALL_MS});
	assert_int_equal(compile(), 1);
	assert_int_equal(stats.n_failures[WE_JIT_LOST], 2);
	assert_non_null(strstr(stats.last_failure, "does not answer"));
	expect_it_runs();
}

static const struct {
	const char *how;
	enum we_jit_failure failure;
} server_cases[] = {
	{"short-answer", WE_JIT_LOST},
	{"other-id", WE_JIT_LOST},
	{"other-kind", WE_JIT_DAMAGED},
	{"liar", WE_JIT_DAMAGED},
	{"braggart", WE_JIT_DAMAGED},
	{"long-text", WE_JIT_REFUSED},
};

static void server_that_breaks_the_protocol_is_not_believed(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(server_cases) / sizeof(server_cases[0]); i++) {
		print_message("# %s\n", server_cases[i].how);
		make_file(1, 0, NULL);
		start_with(&(struct we_engine_config){.jit_program = fake});
		setenv("FAKE_JIT", server_cases[i].how, 1);
		assert_int_equal(compile(), 1);
		assert_true(stats.n_failures[server_cases[i].failure] > 0);
		assert_int_equal(n_published, 0);
		expect_it_runs();
		expect_nothing_left(NULL);
	}
}

static void server_of_another_build_is_refused(void **state)
{
	(void)state;
	setenv("FAKE_JIT", "other-build", 1);
	start(NULL);
	assert_int_equal(compile(), WE_E_UNSUPPORTED);
	assert_non_null(strstr(err.msg, "another build"));
	assert_int_equal(stats.n_funcs_given_up, 0);
	unsetenv("FAKE_JIT");
	assert_int_equal(compile(), 0); // what the machine prevented is tried again
	expect_it_runs();
}

static void server_that_cannot_begin_costs_no_function(void **state)
{
	(void)state;
	setenv("FAKE_JIT", "unable", 1);
	start(NULL);
	assert_int_equal(compile(), WE_E_HOST);
	assert_string_equal(err.msg, "the compiler's process cannot compile: it cannot fork");
	assert_int_equal(stats.n_funcs_given_up, 0);
	unsetenv("FAKE_JIT");
	assert_int_equal(compile(), 0);
	expect_it_runs();
}

static void server_that_cannot_load_its_libraries_says_so(void **state)
{
	(void)state;
	setenv("FAKE_JIT", "exit", 1);
	start(NULL);
	for (unsigned i = 0; i < 10; i++)
		assert_int_equal(compile(), WE_E_HOST);
	assert_non_null(strstr(err.msg, "it rests"));
	expect_it_runs();
	we_engine_destroy(NULL);
}

static void server_that_does_not_exist_is_unsupported(void **state)
{
	(void)state;
	make_file(1, 0, NULL);
	start_with(&(struct we_engine_config){.jit_program = "/nonexistent/we-jit"});
	assert_int_equal(compile(), WE_E_UNSUPPORTED);
	assert_non_null(strstr(err.msg, "/nonexistent/we-jit"));
	expect_it_runs();
}

static void server_that_is_no_program_is_a_failure_of_the_host(void **state)
{
	char path[] = "/tmp/we-client-test-XXXXXX";
	const int fd = mkstemp(path);

	(void)state;
	assert_true(fd >= 0 && fchmod(fd, 0700) == 0 && write(fd, "\0", 1) == 1);
	close(fd);
	make_file(1, 0, NULL);
	start_with(&(struct we_engine_config){.jit_program = path});
	assert_int_equal(compile(), WE_E_HOST);
	assert_non_null(strstr(err.msg, "does not start"));
	unlink(path);
	expect_it_runs();
}

static void module_compile_below_the_floor_is_unsupported(void **state)
{
	(void)state;
	make_file(1, 0, NULL);
	start_with(&(struct we_engine_config){.jit_program = fake, .jit_cpu = "v1"});
	assert_int_equal(compile(), WE_E_UNSUPPORTED);
	assert_non_null(strstr(err.msg, "v1 was asked for"));
	expect_it_runs();
}

// The process ends while its compiler works: nobody is left to work for.
static void process_that_exits_while_it_compiles_leaves_no_compiler(void **state)
{
	pid_t pid;
	int status;
	pthread_t thread;

	(void)state;
	pid = fork();
	if (pid == 0) {
		make_file(1, 0, "loop");
		start_with(&(struct we_engine_config){.jit_program = fake});
		pthread_create(&thread, NULL, compile_in_thread, NULL);
		for (int i = 0; i < 500 && count_compilers() < 2; i++)
			nanosleep(&(struct timespec){.tv_nsec = 10000000}, NULL);
		_exit(count_compilers() == 2 ? 0 : 1);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
}

int main(int argc, char **argv)
{
#define LEAVES_NOTHING(test)                                                                       \
	cmocka_unit_test_setup_teardown(test, note_what_there_is, expect_nothing_left)
	const struct CMUnitTest tests[] = {
		LEAVES_NOTHING(module_compile_publishes_all_functions_in_one_image),
		LEAVES_NOTHING(module_compile_again_asks_nobody),
		LEAVES_NOTHING(module_compile_of_a_large_module_goes_in_batches),
		LEAVES_NOTHING(module_compile_a_hundred_times_uses_one_process),
		LEAVES_NOTHING(module_compile_inherits_nothing),
		LEAVES_NOTHING(module_compile_in_four_threads_compiles_once),
		LEAVES_NOTHING(cached_module_needs_no_compiler),
		LEAVES_NOTHING(cached_failure_is_not_tried_again),
		LEAVES_NOTHING(failure_that_may_be_the_machines_is_not_cached),
		LEAVES_NOTHING(cached_image_that_is_damaged_is_replaced),
		LEAVES_NOTHING(cached_image_is_of_one_processor_and_one_kind),
		LEAVES_NOTHING(cache_that_cannot_be_used_costs_only_time),
		LEAVES_NOTHING(module_compile_with_one_bad_function_compiles_the_others),
		LEAVES_NOTHING(listing_is_of_the_batch_or_else_of_the_function_alone),
		LEAVES_NOTHING(module_compile_with_a_function_left_out_gives_it_up),
		LEAVES_NOTHING(module_compile_that_is_unsupported_is_not_tried_in_parts),
		LEAVES_NOTHING(module_compile_that_never_ends_ends_at_its_processor_time),
		LEAVES_NOTHING(module_compile_that_waits_ends_at_the_wall),
		LEAVES_NOTHING(module_compile_that_ignores_signals_ends_all_the_same),
		LEAVES_NOTHING(module_compile_of_bad_functions_only_gives_up_in_bounded_time),
		LEAVES_NOTHING(server_killed_between_requests_is_started_again),
		LEAVES_NOTHING(server_that_dies_when_asked_costs_the_function_that_does_it),
		LEAVES_NOTHING(server_that_does_not_answer_is_killed),
		LEAVES_NOTHING(server_that_breaks_the_protocol_is_not_believed),
		LEAVES_NOTHING(server_of_another_build_is_refused),
		LEAVES_NOTHING(server_that_cannot_begin_costs_no_function),
		LEAVES_NOTHING(server_that_cannot_load_its_libraries_says_so),
		LEAVES_NOTHING(server_that_does_not_exist_is_unsupported),
		LEAVES_NOTHING(server_that_is_no_program_is_a_failure_of_the_host),
		LEAVES_NOTHING(module_compile_below_the_floor_is_unsupported),
		LEAVES_NOTHING(process_that_exits_while_it_compiles_leaves_no_compiler),
	};

	if (argc != 2)
		return 2;
	fake = realpath(argv[1], NULL);
	return cmocka_run_group_tests_name("we_module_compile", tests, NULL, NULL);
}
