// SPDX-License-Identifier: BSD-3-Clause
// we_engine: see engine.h.
//
// Module path 1/6. Owns: the defined types. Thread: any.
#include "engine.h"

#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "limits.h"
#include "module.h"
#include "native.h"
#include "tier.h"

enum {
	FIRST_BUCKETS = 64
};

// Returns: false without memory.
static bool keep_string(const char **string)
{
	if (*string == NULL)
		return true;
	*string = strdup(*string);
	return *string != NULL;
}

// A copy of the config, with defaults. Returns: false without memory; what was copied then has to be freed, too.
static bool fill_config(struct we_engine_config *config, const struct we_engine_config *from)
{
	bool has_strings;

	if (from != NULL)
		*config = *from;
	if (config->max_func_bytes == 0 || config->max_func_bytes > WE_LIMIT_FUNC_BYTES)
		config->max_func_bytes = WE_LIMIT_FUNC_BYTES;
	if (config->jit_cpu_ms == 0)
		config->jit_cpu_ms = WE_DEFAULT_JIT_CPU_MS;
	if (config->jit_wall_ms == 0)
		config->jit_wall_ms = WE_DEFAULT_JIT_WALL_MS;
	if (config->jit_memory_bytes == 0)
		config->jit_memory_bytes = WE_DEFAULT_JIT_MEMORY_BYTES;
	if (config->jit_cache_bytes == 0)
		config->jit_cache_bytes = WE_DEFAULT_JIT_CACHE_BYTES;
	has_strings = keep_string(&config->jit_program);
	has_strings = keep_string(&config->jit_cache) && has_strings;
	has_strings = keep_string(&config->jit_cpu) && has_strings;
	return keep_string(&config->jit_perf) && has_strings;
}

static void free_strings(struct we_engine_config *config)
{
	free((void *)(uintptr_t)config->jit_program);
	free((void *)(uintptr_t)config->jit_cache);
	free((void *)(uintptr_t)config->jit_cpu);
	free((void *)(uintptr_t)config->jit_perf);
}

int we_engine_create(
	const struct we_engine_config *config, struct we_engine **ret_engine, struct we_error *err)
{
	struct we_engine *engine = calloc(1, sizeof(*engine));
	int rc = 0;

	if (engine == NULL)
		return we_error_set(err, WE_E_NOMEM, 0, "no memory for an engine");
	engine->tier = &we_interp_tier;
	if (getrandom(&engine->hash_seed, sizeof(engine->hash_seed), GRND_NONBLOCK) < 0)
		engine->hash_seed = (uintptr_t)engine; // early in the machine's life
	engine->buckets = calloc(FIRST_BUCKETS, sizeof(struct we_rectype *));
	if (!fill_config(&engine->config, config) || engine->buckets == NULL)
		rc = we_error_set(err, WE_E_NOMEM, 0, "no memory for an engine");
	else
		rc = we_perf_check(&engine->config, err);
	if (rc < 0) {
		free_strings(&engine->config);
		free(engine->buckets);
		free(engine);
		return rc;
	}
	if (we_cpu_choose(engine->config.jit_cpu, &engine->cpu, NULL) < 0)
		engine->cpu = (struct we_cpu){0};
	engine->n_buckets = FIRST_BUCKETS;
	pthread_mutex_init(&engine->lock, NULL);
	*ret_engine = engine;
	return 0;
}

void we_engine_destroy(struct we_engine *engine)
{
	if (engine == NULL)
		return;
	we_jit_destroy(engine->jit);
	we_arena_fini(&engine->arena);
	pthread_mutex_destroy(&engine->lock);
	free_strings(&engine->config);
	free(engine->buckets);
	free(engine);
}

int we_functype_create(struct we_engine *engine, const enum we_kind *params, uint32_t n_params,
	const enum we_kind *results, uint32_t n_results, const struct we_functype **ret_type,
	struct we_error *err)
{
	const size_t n = (size_t)n_params + n_results;
	struct we_subtype type;
	we_valtype *types;
	int rc;

	if (n_params > WE_LIMIT_PARAMS || n_results > WE_LIMIT_RESULTS)
		return we_error_set(err, WE_E_INVALID, 0,
			"function type with %u parameters and %u results", n_params, n_results);
	types = malloc((n > 0 ? n : 1) * sizeof(*types));
	if (types == NULL)
		return we_error_set(err, WE_E_NOMEM, 0, "no memory for a function type");
	for (uint32_t i = 0; i < n_params; i++)
		types[i] = we_kind_valtype(params[i]);
	for (uint32_t i = 0; i < n_results; i++)
		types[n_params + i] = we_kind_valtype(results[i]);
	type = (struct we_subtype){.kind = WE_COMP_FUNC,
		.is_final = true,
		.params = types,
		.results = types + n_params,
		.n_params = n_params,
		.n_results = n_results};
	rc = we_rectype_intern(engine, &type, 0, 1, err);
	free(types);
	if (rc == 0)
		*ret_type = type.def->func;
	return rc;
}
