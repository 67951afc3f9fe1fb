// SPDX-License-Identifier: BSD-3-Clause
// dp_native: see native.h.
#include "native.h"

#include "log.h"
#include "message.h"

#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

enum {
	NICE = 10, // where the compiler has no processor that is not a worker's
};

// ---- before the start -----------------------------------------------------------------------------

static bool has_engine(const struct dp_config *config, enum dp_engine engine)
{
	for (uint32_t w = 0; w < config->n_workers; w++) {
		if (config->workers[w].engine == engine)
			return true;
	}
	return false;
}

int dp_native_prepare(const struct dp_config *config, char **ret_message)
{
	struct we_error err;

	if (!has_engine(config, DP_ENGINE_AUTO) && !has_engine(config, DP_ENGINE_JIT))
		return 0;
	const int rc = we_process_prepare(&err);
	if (rc == 0)
		return 0;
	if (has_engine(config, DP_ENGINE_JIT))
		return dp_fail(ret_message, rc, "engine jit: no native code: %s", err.msg);
	dp_log_warn("no native code, filters stay in the interpreter: %s", err.msg);
	return 0;
}

// A memory with pages ahead of its size stops no access by itself.
static bool has_precommit(const struct dp_config *config)
{
	for (uint32_t i = 0; i < config->n_filters; i++) {
		if (config->filters[i].limits.cm.core.memory_pages_precommit > 0)
			return true;
	}
	return false;
}

struct we_engine_config dp_native_engine_config(const struct dp_config *config)
{
	return (struct we_engine_config){
		.explicit_checks = has_precommit(config),
		.jit_program = config->jit_program,
		.jit_cache = config->jit_cache,
		.jit_cpu = config->cpu,
		.jit_cpu_ms = config->jit_limits.cpu_ms,
		.jit_wall_ms = config->jit_limits.wall_ms,
		.jit_memory_bytes = config->jit_limits.memory_bytes,
		.jit_cache_bytes = config->jit_limits.cache_bytes,
	};
}

// ---- the thread -----------------------------------------------------------------------------------

// The compiler's process inherits where this thread may run: beside the workers, or, where they have all
// processors, behind them.
static void leave_workers_alone(const struct dp_config *config)
{
	cpu_set_t cpus;

	if (sched_getaffinity(0, sizeof(cpus), &cpus) < 0)
		return;
	for (uint32_t w = 0; w < config->n_workers; w++) {
		const uint32_t lcore = config->workers[w].lcore;

		if (lcore < CPU_SETSIZE)
			CPU_CLR(lcore, &cpus);
	}
	if (CPU_COUNT(&cpus) > 0)
		(void)sched_setaffinity(0, sizeof(cpus), &cpus);
	else
		(void)setpriority(PRIO_PROCESS, (id_t)gettid(), NICE);
}

// Why some functions have no native code. The compiler leaves out what is beyond its measure, which is no failure.
static const char *why_not(const struct dp_native_job *job, const struct we_jit_stats *stats)
{
	if (job->message[0] != '\0')
		return job->message;
	return stats->last_failure[0] != '\0' ? stats->last_failure
					      : "the compiler leaves them out";
}

static void say(const struct dp_native *native, uint32_t idx, const struct we_jit_stats *stats)
{
	const struct dp_native_job *job = &native->jobs[idx];
	char place[DP_NAME_MAX + 8];

	snprintf(place, sizeof(place), "filter %s", native->config->filters[idx].name);
	if (job->rc == 0)
		dp_log_write(DP_LOG_INFO, place,
			"native code for all of %u functions, %u of them from the cache (%" PRIu64
			" ms)",
			stats->n_funcs, stats->n_funcs_cached, stats->compile_ns / 1000000);
	else
		dp_log_write(DP_LOG_WARN, place,
			"native code for %u of %u functions, the others stay in the interpreter: "
			"%s",
			stats->n_funcs_native, stats->n_funcs, why_not(job, stats));
}

// There is no native code at all: told once. It is worth a warning where somebody asked for more.
static void say_unsupported(const struct dp_native *native, const char *why)
{
	const char *cpu = native->config->cpu;

	if (cpu == NULL || strcmp(cpu, "native") == 0)
		dp_log_info("filters run in the interpreter: %s", why);
	else
		dp_log_warn("filters run in the interpreter: %s", why);
}

// What the machine prevented (a process that was killed when it started) may succeed a moment later.
static int try_compile(struct dp_native *native, struct ws_program *program, struct we_error *err)
{
	static const long pauses_ms[] = {50, 250, 1250};
	int rc = ws_program_compile(program, err);

	for (size_t i = 0; i < sizeof(pauses_ms) / sizeof(pauses_ms[0]) && rc == WE_E_HOST; i++) {
		for (long ms = 0; ms < pauses_ms[i] && !atomic_load(&native->stop); ms += 10)
			nanosleep(&(struct timespec){.tv_nsec = 10000000}, NULL);
		rc = ws_program_compile(program, err);
	}
	return rc;
}

// Is there nothing to be had for other filters either?
static bool compile(struct dp_native *native, uint32_t idx)
{
	struct dp_native_job *job = &native->jobs[idx];
	struct we_jit_stats stats;
	struct we_error err;

	atomic_store(&job->state, DP_CODE_COMPILING);
	job->rc = try_compile(native, job->program, &err);
	if (atomic_load(
		    &native->stop)) // it may have come to that by itself, but nobody asks any more
		return false;
	if (job->rc < 0)
		snprintf(job->message, sizeof(job->message), "%s", err.msg);
	ws_program_jit_stats(job->program, &stats);
	if (job->rc != 0 && job->is_wanted)
		; // it becomes an error: dp_native_await
	else if (job->rc == WE_E_UNSUPPORTED)
		say_unsupported(native, err.msg);
	else
		say(native, idx, &stats);
	atomic_store(&job->state, DP_CODE_DONE);
	return job->rc == WE_E_UNSUPPORTED;
}

static void give_up(struct dp_native *native, const struct dp_native_job *because)
{
	for (uint32_t i = 0; i < native->config->n_filters; i++) {
		struct dp_native_job *job = &native->jobs[i];

		if (atomic_load(&job->state) != DP_CODE_WAITING)
			continue;
		job->rc = because->rc;
		memcpy(job->message, because->message, sizeof(job->message));
		atomic_store(&job->state, DP_CODE_DONE);
	}
}

static void *compiler_main(void *arg)
{
	struct dp_native *native = arg;
	sigset_t set;

	sigfillset(&set);
	pthread_sigmask(SIG_SETMASK, &set, NULL);
	leave_workers_alone(native->config);
	for (uint32_t pass = 0; pass < 2; pass++) {
		for (uint32_t i = 0; i < native->config->n_filters; i++) {
			struct dp_native_job *job = &native->jobs[i];

			if (atomic_load(&native->stop))
				return NULL;
			if (atomic_load(&job->state) == DP_CODE_WAITING &&
				job->is_wanted == (pass == 0) && compile(native, i)) {
				give_up(native, job);
				return NULL;
			}
		}
	}
	return NULL;
}

// ---- the control side -----------------------------------------------------------------------------

int dp_native_init(
	struct dp_native *native, const struct dp_config *config, struct we_engine *engine)
{
	native->config = config;
	native->engine = engine;
	native->jobs = calloc(config->n_filters + 1, sizeof(*native->jobs));
	return native->jobs != NULL ? 0 : WE_E_NOMEM;
}

void dp_native_add(struct dp_native *native, uint16_t filter_idx, struct ws_program *program)
{
	struct dp_native_job *job = &native->jobs[filter_idx];
	const bool is_wanted =
		dp_config_filter_has_engine(native->config, filter_idx, DP_ENGINE_JIT);

	if (!is_wanted && !dp_config_filter_has_engine(native->config, filter_idx, DP_ENGINE_AUTO))
		return;
	job->program = program;
	job->is_wanted = is_wanted;
	atomic_store(&job->state, DP_CODE_WAITING);
}

int dp_native_start(struct dp_native *native)
{
	bool has_any = false;

	for (uint32_t i = 0; i < native->config->n_filters; i++)
		has_any |= atomic_load(&native->jobs[i].state) == DP_CODE_WAITING;
	if (!has_any)
		return 0;
	if (pthread_create(&native->thread, NULL, compiler_main, native))
		return WE_E_HOST;
	native->has_thread = true;
	return 0;
}

static int refuse(const struct dp_native *native, uint32_t idx, char **ret_message)
{
	const struct dp_native_job *job = &native->jobs[idx];
	const struct dp_filter_config *filter = &native->config->filters[idx];
	struct we_jit_stats stats;

	if (job->rc < 0)
		return dp_fail_at(ret_message, native->config, filter->place, job->rc,
			"filter %s: engine jit: %s: %s", filter->name, we_failure_word(job->rc),
			job->message);
	ws_program_jit_stats(job->program, &stats);
	return dp_fail_at(ret_message, native->config, filter->place, WE_E_UNSUPPORTED,
		"filter %s: engine jit: %u of %u functions have no native code: %s", filter->name,
		stats.n_funcs - stats.n_funcs_native, stats.n_funcs, why_not(job, &stats));
}

int dp_native_await(struct dp_native *native, const atomic_bool *stop, char **ret_message)
{
	const struct timespec pause = {.tv_nsec = 2000000};

	for (uint32_t i = 0; i < native->config->n_filters; i++) {
		const struct dp_native_job *job = &native->jobs[i];

		if (!job->is_wanted)
			continue;
		while (atomic_load(&job->state) != DP_CODE_DONE) {
			if (stop != NULL && atomic_load(stop))
				return dp_fail(
					ret_message, WE_E_HOST, "asked to end before it started");
			nanosleep(&pause, NULL);
		}
		if (job->rc != 0)
			return refuse(native, i, ret_message);
	}
	return 0;
}

void dp_native_stop(struct dp_native *native)
{
	if (!native->has_thread)
		return;
	atomic_store(&native->stop, true);
	we_engine_stop_compiling(native->engine);
	pthread_join(native->thread, NULL);
	native->has_thread = false;
}

void dp_native_fini(struct dp_native *native)
{
	dp_native_stop(native);
	free(native->jobs);
	native->jobs = NULL;
}

void dp_native_stats(
	const struct dp_native *native, uint16_t filter_idx, struct dp_code_stats *ret_stats)
{
	const struct dp_native_job *job = &native->jobs[filter_idx];
	const int state = atomic_load(&job->state);
	struct we_jit_stats jit;

	*ret_stats = (struct dp_code_stats){.state = (uint64_t)state};
	if (state == DP_CODE_OFF)
		return;
	ws_program_jit_stats(job->program, &jit);
	ret_stats->functions = jit.n_funcs;
	ret_stats->native = jit.n_funcs_native;
	ret_stats->cached = jit.n_funcs_cached;
	ret_stats->interpreted = jit.n_funcs - jit.n_funcs_native;
	ret_stats->code_bytes = jit.code_bytes;
	ret_stats->compile_ns = jit.compile_ns;
	ret_stats->requests = jit.n_requests;
	ret_stats->cache_ignored = jit.n_cache_ignored;
	for (uint32_t i = 0; i < WE_JIT_FAILURES; i++)
		ret_stats->failures[i] = jit.n_failures[i];
	snprintf(ret_stats->message, sizeof(ret_stats->message), "%s",
		state == DP_CODE_DONE && job->message[0] != '\0' ? job->message : jit.last_failure);
}
