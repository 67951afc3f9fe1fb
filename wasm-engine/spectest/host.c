// SPDX-License-Identifier: BSD-3-Clause
// spec_host: see host.h.
#include "host.h"

#include <string.h>

// The print functions say nothing: a test run is read by programs.
static int print_nothing(void *env, uint64_t *slots, struct we_error *err)
{
	(void)env;
	(void)slots;
	(void)err;
	return 0;
}

static void add(struct spec_host *host, const char *name, struct we_extern thing)
{
	host->names[host->n] = name;
	host->things[host->n] = thing;
	host->n++;
}

static int add_funcs(struct spec_host *host, struct we_engine *engine, struct we_store *store,
	struct we_error *err)
{
	static const struct {
		const char *name;
		uint32_t n_params;
		enum we_kind params[2];
	} rows[] = {
		{"print", 0, {0}},
		{"print_i32", 1, {WE_I32}},
		{"print_i64", 1, {WE_I64}},
		{"print_f32", 1, {WE_F32}},
		{"print_f64", 1, {WE_F64}},
		{"print_i32_f32", 2, {WE_I32, WE_F32}},
		{"print_f64_f64", 2, {WE_F64, WE_F64}},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		const struct we_functype *type;
		struct we_extern thing = {.kind = WE_EXTERN_FUNC};
		int rc = we_functype_create(
			engine, rows[i].params, rows[i].n_params, NULL, 0, &type, err);

		if (rc == 0)
			rc = we_func_create_host(
				store, type, print_nothing, NULL, &thing.of.func, err);
		if (rc < 0)
			return rc;
		add(host, rows[i].name, thing);
	}
	return 0;
}

static int add_globals(struct spec_host *host, struct we_store *store, struct we_error *err)
{
	static const struct {
		const char *name;
		enum we_kind kind;
		uint64_t bits;
	} rows[] = {
		{"global_i32", WE_I32, 666},
		{"global_i64", WE_I64, 666},
		{"global_f32", WE_F32, 0x4426a666},         // 666.6
		{"global_f64", WE_F64, 0x4084d4cccccccccd}, // 666.6
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct we_extern thing = {.kind = WE_EXTERN_GLOBAL};
		const int rc = we_global_create(
			store, rows[i].kind, false, &rows[i].bits, &thing.of.global, err);

		if (rc < 0)
			return rc;
		add(host, rows[i].name, thing);
	}
	return 0;
}

int spec_host_init(struct spec_host *host, struct we_engine *engine, struct we_store *store,
	struct we_error *err)
{
	struct we_extern table = {.kind = WE_EXTERN_TABLE};
	struct we_extern table64 = {.kind = WE_EXTERN_TABLE};
	struct we_extern memory = {.kind = WE_EXTERN_MEMORY};
	int rc;

	host->n = 0;
	rc = add_funcs(host, engine, store, err);
	if (rc == 0)
		rc = add_globals(host, store, err);
	if (rc == 0)
		rc = we_table_create(store, WE_FUNCREF, WE_I32, 10, 20, &table.of.table, err);
	if (rc == 0)
		rc = we_table_create(store, WE_FUNCREF, WE_I64, 10, 20, &table64.of.table, err);
	if (rc == 0)
		rc = we_memory_create(store, WE_I32, 1, 2, &memory.of.memory, err);
	if (rc < 0)
		return rc;
	add(host, "table", table);
	add(host, "table64", table64);
	add(host, "memory", memory);
	return 0;
}

const struct we_extern *spec_host_find(const struct spec_host *host, struct we_bytes name)
{
	for (uint32_t i = 0; i < host->n; i++) {
		if (strlen(host->names[i]) == name.len &&
			memcmp(host->names[i], name.data, name.len) == 0)
			return &host->things[i];
	}
	return NULL;
}
