// SPDX-License-Identifier: BSD-3-Clause
// we_jit: see state.h.
//
// Module path 3/6. Owns: see state.h. Thread: any.
#include "state.h"

#include "engine.h"
#include "native.h"

#include <stdlib.h>
#include <string.h>

const char *we_jit_failure_word(enum we_jit_failure failure)
{
	static const char *const words[] = {
		[WE_JIT_REFUSED] = "refused",
		[WE_JIT_ABORTED] = "aborted",
		[WE_JIT_TIMED_OUT] = "timed out",
		[WE_JIT_NO_MEMORY] = "out of memory",
		[WE_JIT_DAMAGED] = "damaged",
		[WE_JIT_LOST] = "lost",
	};

	return (unsigned)failure < WE_JIT_FAILURES ? words[failure] : "unknown";
}

void we_jit_stats_add(struct we_jit_stats *sum, const struct we_jit_stats *more)
{
	sum->n_funcs += more->n_funcs;
	sum->n_funcs_native += more->n_funcs_native;
	sum->n_funcs_cached += more->n_funcs_cached;
	sum->n_funcs_given_up += more->n_funcs_given_up;
	sum->n_requests += more->n_requests;
	sum->n_cache_ignored += more->n_cache_ignored;
	for (unsigned i = 0; i < WE_JIT_FAILURES; i++)
		sum->n_failures[i] += more->n_failures[i];
	sum->code_bytes += more->code_bytes;
	sum->compile_ns += more->compile_ns;
	if (*more->last_failure != '\0')
		memcpy(sum->last_failure, more->last_failure, sizeof(sum->last_failure));
}

void we_jit_count(
	struct we_jit *jit, struct we_module_jit *of_module, const struct we_jit_stats *more)
{
	pthread_mutex_lock(&jit->lock);
	we_jit_stats_add(&jit->stats, more);
	we_jit_stats_add(&of_module->stats, more);
	pthread_mutex_unlock(&jit->lock);
}

struct we_jit *we_jit_of_engine(struct we_engine *engine)
{
	struct we_jit *jit;

	pthread_mutex_lock(&engine->lock);
	jit = engine->jit;
	if (jit == NULL && (jit = calloc(1, sizeof(*jit))) != NULL) {
		we_compiler_init(&jit->compiler);
		pthread_mutex_init(&jit->lock, NULL);
		engine->jit = jit;
	}
	pthread_mutex_unlock(&engine->lock);
	return jit;
}

struct we_module_jit *we_jit_of_module(struct we_module *module, struct we_jit *jit, uint32_t n_own)
{
	struct we_module_jit *of_module;

	pthread_mutex_lock(&jit->lock);
	of_module = module->jit;
	if (of_module == NULL && (of_module = calloc(1, sizeof(*of_module) + n_own)) != NULL) {
		struct we_sha256 sha;

		pthread_mutex_init(&of_module->lock, NULL);
		we_sha256_init(&sha);
		we_sha256_add(&sha, module->bytes.data, module->bytes.len);
		we_sha256_end(&sha, of_module->digest);
		of_module->stats.n_funcs = n_own;
		jit->stats.n_funcs += n_own;
		module->jit = of_module;
	}
	pthread_mutex_unlock(&jit->lock);
	return of_module;
}

void we_module_jit_stats(const struct we_module *module, struct we_jit_stats *ret)
{
	struct we_jit *jit = we_jit_of_engine(module->engine);

	*ret = (struct we_jit_stats){0};
	if (jit == NULL)
		return;
	pthread_mutex_lock(&jit->lock);
	if (module->jit != NULL)
		*ret = module->jit->stats;
	pthread_mutex_unlock(&jit->lock);
}

void we_engine_jit_stats(const struct we_engine *engine, struct we_jit_stats *ret)
{
	struct we_jit *jit = we_jit_of_engine((struct we_engine *)(uintptr_t)engine);

	*ret = (struct we_jit_stats){0};
	if (jit == NULL)
		return;
	pthread_mutex_lock(&jit->lock);
	*ret = jit->stats;
	pthread_mutex_unlock(&jit->lock);
	ret->n_starts = jit->compiler.n_starts;
}

void we_engine_stop_compiling(struct we_engine *engine)
{
	struct we_jit *jit = we_jit_of_engine(engine);

	if (jit != NULL)
		we_compiler_stop(&jit->compiler);
}

void we_jit_destroy(struct we_jit *jit)
{
	if (jit == NULL)
		return;
	we_compiler_fini(&jit->compiler);
	pthread_mutex_destroy(&jit->lock);
	free(jit);
}

void we_jit_release(struct we_module *module)
{
	if (module->jit == NULL)
		return;
	pthread_mutex_destroy(&module->jit->lock);
	free(module->jit);
	module->jit = NULL;
}
