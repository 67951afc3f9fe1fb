// SPDX-License-Identifier: BSD-3-Clause
// we_engine: see engine.h.
//
// Module path 1/6. Owns: the function types. Thread: any.
#include "engine.h"

#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "limits.h"
#include "tier.h"

enum {
	FIRST_BUCKETS = 64
};

int we_engine_create(
	const struct we_engine_config *config, struct we_engine **ret_engine, struct we_error *err)
{
	struct we_engine *engine = calloc(1, sizeof(*engine));

	if (engine == NULL)
		return we_error_set(err, WE_E_NOMEM, 0, "no memory for an engine");
	if (config != NULL)
		engine->config = *config;
	if (engine->config.max_func_bytes == 0 ||
		engine->config.max_func_bytes > WE_LIMIT_FUNC_BYTES)
		engine->config.max_func_bytes = WE_LIMIT_FUNC_BYTES;
	engine->tier = &we_interp_tier;
	if (getrandom(&engine->hash_seed, sizeof(engine->hash_seed), GRND_NONBLOCK) < 0)
		engine->hash_seed = (uintptr_t)engine; // early in the machine's life
	engine->buckets = calloc(FIRST_BUCKETS, sizeof(struct we_functype *));
	if (engine->buckets == NULL) {
		free(engine);
		return we_error_set(err, WE_E_NOMEM, 0, "no memory for an engine");
	}
	engine->n_buckets = FIRST_BUCKETS;
	pthread_mutex_init(&engine->lock, NULL);
	*ret_engine = engine;
	return 0;
}

void we_engine_destroy(struct we_engine *engine)
{
	if (engine == NULL)
		return;
	for (uint32_t i = 0; i < engine->n_buckets; i++) {
		struct we_functype *type = engine->buckets[i];

		while (type != NULL) {
			struct we_functype *next = type->next;

			free(type);
			type = next;
		}
	}
	pthread_mutex_destroy(&engine->lock);
	free(engine->buckets);
	free(engine);
}

// Multiplicative hash over the type numbers, from the secret seed on.
static uint64_t hash_types(uint64_t hash, const we_valtype *types, uint32_t n)
{
	hash = (hash ^ n) * UINT64_C(0x9e3779b97f4a7c15);
	for (uint32_t i = 0; i < n; i++) {
		hash = (hash ^ types[i]) * UINT64_C(0x9e3779b97f4a7c15);
		hash ^= hash >> 32;
	}
	return hash;
}

static uint32_t count_slots(const we_valtype *types, uint32_t n)
{
	uint32_t slots = 0;

	for (uint32_t i = 0; i < n; i++)
		slots += we_valtype_n_slots(types[i]);
	return slots;
}

// Keep chains short. A table that cannot grow stays as it is.
static void grow_buckets(struct we_engine *engine)
{
	const uint32_t n = engine->n_buckets * 2;
	struct we_functype **buckets = calloc(n, sizeof(struct we_functype *));

	if (buckets == NULL)
		return;
	for (uint32_t i = 0; i < engine->n_buckets; i++) {
		struct we_functype *type = engine->buckets[i];

		while (type != NULL) {
			struct we_functype *next = type->next;

			type->next = buckets[type->hash & (n - 1)];
			buckets[type->hash & (n - 1)] = type;
			type = next;
		}
	}
	free(engine->buckets);
	engine->buckets = buckets;
	engine->n_buckets = n;
}

static bool same_types(const we_valtype *a, const we_valtype *b, uint32_t n)
{
	return n == 0 || memcmp(a, b, n * sizeof(*a)) == 0;
}

static struct we_functype *find_type(const struct we_engine *engine, uint32_t hash,
	const we_valtype *params, uint32_t n_params, const we_valtype *results, uint32_t n_results)
{
	struct we_functype *type = engine->buckets[hash & (engine->n_buckets - 1)];

	for (; type != NULL; type = type->next) {
		if (type->n_params == n_params && type->n_results == n_results &&
			same_types(we_functype_params(type), params, n_params) &&
			same_types(we_functype_results(type), results, n_results))
			return type;
	}
	return NULL;
}

static struct we_functype *add_type(struct we_engine *engine, uint32_t hash,
	const we_valtype *params, uint32_t n_params, const we_valtype *results, uint32_t n_results)
{
	const size_t n = (size_t)n_params + n_results;
	struct we_functype *type = malloc(sizeof(*type) + n * sizeof(type->types[0]));

	if (type == NULL)
		return NULL;
	if (engine->n_types >= engine->n_buckets)
		grow_buckets(engine);
	type->engine = engine;
	type->id = engine->n_types++;
	type->hash = hash;
	type->n_params = n_params;
	type->n_results = n_results;
	type->n_param_slots = count_slots(params, n_params);
	type->n_result_slots = count_slots(results, n_results);
	if (n_params > 0)
		memcpy(type->types, params, n_params * sizeof(*params));
	if (n_results > 0)
		memcpy(type->types + n_params, results, n_results * sizeof(*results));
	type->next = engine->buckets[hash & (engine->n_buckets - 1)];
	engine->buckets[hash & (engine->n_buckets - 1)] = type;
	return type;
}

int we_functype_intern(struct we_engine *engine, const we_valtype *params, uint32_t n_params,
	const we_valtype *results, uint32_t n_results, const struct we_functype **ret_type,
	struct we_error *err)
{
	const uint32_t hash = (uint32_t)hash_types(
		hash_types(engine->hash_seed, params, n_params), results, n_results);
	struct we_functype *type;

	pthread_mutex_lock(&engine->lock);
	type = find_type(engine, hash, params, n_params, results, n_results);
	if (type == NULL)
		type = add_type(engine, hash, params, n_params, results, n_results);
	pthread_mutex_unlock(&engine->lock);
	if (type == NULL)
		return we_error_set(err, WE_E_NOMEM, 0, "no memory for a function type");
	*ret_type = type;
	return 0;
}

int we_functype_create(struct we_engine *engine, const enum we_kind *params, uint32_t n_params,
	const enum we_kind *results, uint32_t n_results, const struct we_functype **ret_type,
	struct we_error *err)
{
	const size_t n = (size_t)n_params + n_results;
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
	rc = we_functype_intern(
		engine, types, n_params, types + n_params, n_results, ret_type, err);
	free(types);
	return rc;
}
