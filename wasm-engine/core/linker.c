// SPDX-License-Identifier: BSD-3-Clause
// we_linker: what the modules of a store may import, by module and name.
//
// Module path 4/6. Owns: the names; what they name is the store's. Thread: the store's worker.
// Spec: core "Instantiation" (imports).
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "engine.h"
#include "instance.h"
#include "vec.h"

enum {
	FIRST_BUCKETS = 16
};

struct definition {
	struct we_bytes module;
	struct we_bytes name;
	uint64_t hash; // of both
	struct we_extern ext;
};

// Invariant: at most half of the buckets are taken; each definition lies in the first bucket from its hash on that was
// free when it came. So the newest can be taken out again, and only the newest.
struct we_linker {
	struct we_store *store;
	struct we_arena arena;     // of the names
	struct we_vec definitions; // struct definition, in the order in which they came
	uint32_t *buckets;         // [n_buckets]: index of a definition + 1, 0 free
	size_t n_buckets;          // a power of two
};

// ---- the table ----------------------------------------------------------------------------------

// Multiplicative hash from the secret seed on: names are the guests' to choose.
static uint64_t hash_bytes(uint64_t hash, struct we_bytes bytes)
{
	for (size_t i = 0; i < bytes.len; i++) {
		hash = (hash ^ bytes.data[i]) * UINT64_C(0x9e3779b97f4a7c15);
		hash ^= hash >> 32;
	}
	return (hash ^ bytes.len) * UINT64_C(0x9e3779b97f4a7c15);
}

static uint64_t hash_of(
	const struct we_linker *linker, struct we_bytes module, struct we_bytes name)
{
	const uint64_t hash =
		hash_bytes(hash_bytes(linker->store->engine->hash_seed, module), name);

	return hash ^ hash >> 32;
}

static bool same(struct we_bytes a, struct we_bytes b)
{
	return a.len == b.len && (a.len == 0 || memcmp(a.data, b.data, a.len) == 0);
}

static struct definition *definition_at(const struct we_linker *linker, size_t i)
{
	return (struct definition *)linker->definitions.data + i;
}

// The bucket of the definition of these names, or the free one where it would go.
static uint32_t *find_bucket(
	const struct we_linker *linker, uint64_t hash, struct we_bytes module, struct we_bytes name)
{
	const size_t mask = linker->n_buckets - 1;

	for (size_t i = hash & mask;; i = (i + 1) & mask) {
		const uint32_t taken = linker->buckets[i];
		const struct definition *d;

		if (taken == 0)
			return &linker->buckets[i];
		d = definition_at(linker, taken - 1);
		if (d->hash == hash && same(d->module, module) && same(d->name, name))
			return &linker->buckets[i];
	}
}

static const struct we_extern *find(
	const struct we_linker *linker, struct we_bytes module, struct we_bytes name)
{
	const uint32_t taken = *find_bucket(linker, hash_of(linker, module, name), module, name);

	return taken == 0 ? NULL : &definition_at(linker, taken - 1)->ext;
}

static int set_buckets(struct we_linker *linker, size_t n)
{
	uint32_t *buckets = calloc(n, sizeof(*buckets));

	if (buckets == NULL)
		return WE_E_NOMEM;
	free(linker->buckets);
	linker->buckets = buckets;
	linker->n_buckets = n;
	for (size_t i = 0; i < linker->definitions.len; i++) {
		const struct definition *d = definition_at(linker, i);

		*find_bucket(linker, d->hash, d->module, d->name) = (uint32_t)i + 1;
	}
	return 0;
}

// ---- definitions --------------------------------------------------------------------------------

static struct we_bytes bytes_of(const char *text)
{
	return (struct we_bytes){(const uint8_t *)text, strlen(text)};
}

static int no_memory(struct we_error *err)
{
	return we_error_set(err, WE_E_NOMEM, 0, "no memory for a definition");
}

static int copy_bytes(struct we_linker *linker, struct we_bytes *bytes, struct we_error *err)
{
	uint8_t *copy = we_arena_alloc(&linker->arena, bytes->len > 0 ? bytes->len : 1);

	if (copy == NULL)
		return no_memory(err);
	if (bytes->len > 0)
		memcpy(copy, bytes->data, bytes->len);
	bytes->data = copy;
	return 0;
}

// Make a definition of names that nothing has; module is a copy already. After that add cannot fail.
static int prepare(struct we_linker *linker, struct we_bytes module, struct we_bytes name,
	struct definition *ret, struct we_error *err)
{
	const size_t n = linker->definitions.len;
	int rc = 0;

	if (find(linker, module, name) != NULL)
		return we_error_set(err, WE_E_INVALID, 0, "\"%.*s\" \"%.*s\": defined twice",
			(int)module.len, (const char *)module.data, (int)name.len,
			(const char *)name.data);
	if (2 * (n + 1) > linker->n_buckets)
		rc = set_buckets(linker, 2 * linker->n_buckets);
	if (rc < 0 || we_vec_reserve(&linker->definitions, 1, sizeof(*ret)) < 0)
		return no_memory(err);
	*ret = (struct definition){
		.module = module, .name = name, .hash = hash_of(linker, module, name)};
	return copy_bytes(linker, &ret->name, err);
}

static void add(struct we_linker *linker, const struct definition *d)
{
	struct definition *last = we_vec_add(&linker->definitions, sizeof(*d));

	assert(last != NULL);
	*last = *d;
	*find_bucket(linker, d->hash, d->module, d->name) = (uint32_t)linker->definitions.len;
}

static void take_back(struct we_linker *linker, size_t n)
{
	while (linker->definitions.len > n) {
		const struct definition *d = definition_at(linker, linker->definitions.len - 1);

		*find_bucket(linker, d->hash, d->module, d->name) = 0;
		linker->definitions.len--;
	}
}

int we_linker_create(struct we_store *store, struct we_linker **ret_linker, struct we_error *err)
{
	struct we_linker *linker = calloc(1, sizeof(*linker));

	if (linker == NULL)
		return we_error_set(err, WE_E_NOMEM, 0, "no memory for a linker");
	linker->store = store;
	if (set_buckets(linker, FIRST_BUCKETS) < 0) {
		free(linker);
		return we_error_set(err, WE_E_NOMEM, 0, "no memory for a linker");
	}
	*ret_linker = linker;
	return 0;
}

void we_linker_destroy(struct we_linker *linker)
{
	if (linker == NULL)
		return;
	we_arena_fini(&linker->arena);
	we_vec_fini(&linker->definitions);
	free(linker->buckets);
	free(linker);
}

int we_linker_define(struct we_linker *linker, const char *module, const char *name,
	const struct we_extern *ext, struct we_error *err)
{
	struct we_bytes module_bytes = bytes_of(module);
	struct definition d;
	int rc;

	if (we_extern_store(ext) != linker->store)
		return we_error_set(
			err, WE_E_INVALID, 0, "\"%s\" \"%s\" lives in another store", module, name);
	rc = prepare(linker, module_bytes, bytes_of(name), &d, err);
	if (rc == 0)
		rc = copy_bytes(linker, &d.module, err);
	if (rc < 0)
		return rc;
	d.ext = *ext;
	add(linker, &d);
	return 0;
}

int we_linker_define_func(struct we_linker *linker, const char *module, const char *name,
	const struct we_functype *type, we_host_fn fn, void *env, struct we_error *err)
{
	struct definition d;
	int rc = prepare(linker, bytes_of(module), bytes_of(name), &d, err);

	if (rc == 0)
		rc = copy_bytes(linker, &d.module, err);
	if (rc == 0)
		rc = we_func_create_host(linker->store, type, fn, env, &d.ext.of.func, err);
	if (rc < 0)
		return rc;
	d.ext.kind = WE_EXTERN_FUNC;
	add(linker, &d);
	return 0;
}

int we_linker_define_instance(struct we_linker *linker, const char *module,
	const struct we_instance *inst, struct we_error *err)
{
	const size_t n_before = linker->definitions.len;
	struct we_bytes module_bytes = bytes_of(module);
	int rc;

	if (inst->store != linker->store)
		return we_error_set(
			err, WE_E_INVALID, 0, "instance \"%s\" lives in another store", module);
	rc = copy_bytes(linker, &module_bytes, err);
	for (uint32_t i = 0; rc == 0 && i < inst->module->n_exports; i++) {
		const struct we_export_def *export = &inst->module->exports[i];
		struct definition d;

		rc = prepare(linker, module_bytes, export->name, &d, err);
		if (rc < 0)
			break;
		we_instance_extern(inst, export, &d.ext);
		add(linker, &d);
	}
	if (rc < 0)
		take_back(linker, n_before);
	return rc;
}

// ---- instantiation ------------------------------------------------------------------------------

int we_linker_instantiate(struct we_linker *linker, struct we_module *module,
	struct we_instance **ret_instance, struct we_error *err)
{
	const uint32_t n = module->n_imports;
	struct we_extern *imports = calloc(n > 0 ? n : 1, sizeof(*imports));
	int rc;

	if (imports == NULL)
		return we_error_set(err, WE_E_NOMEM, 0, "no memory for imports");
	for (uint32_t i = 0; i < n; i++) {
		const struct we_import_def *import = &module->imports[i];
		const struct we_extern *ext = find(linker, import->module, import->name);

		if (ext != NULL) // a missing one is refused below, by name
			imports[i] = *ext;
	}
	rc = we_instance_create(linker->store, module, imports, n, ret_instance, err);
	free(imports);
	return rc;
}
