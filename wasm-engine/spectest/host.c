// SPDX-License-Identifier: BSD-3-Clause
// spec_host: see host.h.
#include "host.h"

// The print functions say nothing: a test run is read by programs.
static int print_nothing(void *env, uint64_t *slots, struct we_error *err)
{
	(void)env;
	(void)slots;
	(void)err;
	return 0;
}

static int define_funcs(struct we_linker *linker, struct we_engine *engine, struct we_error *err)
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
	int rc = 0;

	for (size_t i = 0; rc == 0 && i < sizeof(rows) / sizeof(rows[0]); i++) {
		const struct we_functype *type;

		rc = we_functype_create(
			engine, rows[i].params, rows[i].n_params, NULL, 0, &type, err);
		if (rc == 0)
			rc = we_linker_define_func(
				linker, "spectest", rows[i].name, type, print_nothing, NULL, err);
	}
	return rc;
}

static int define_globals(struct we_linker *linker, struct we_store *store, struct we_error *err)
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
	int rc = 0;

	for (size_t i = 0; rc == 0 && i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct we_extern global = {.kind = WE_EXTERN_GLOBAL};

		rc = we_global_create(
			store, rows[i].kind, false, &rows[i].bits, &global.of.global, err);
		if (rc == 0)
			rc = we_linker_define(linker, "spectest", rows[i].name, &global, err);
	}
	return rc;
}

static int define_table(struct we_linker *linker, struct we_store *store, const char *name,
	enum we_kind address, struct we_error *err)
{
	struct we_extern table = {.kind = WE_EXTERN_TABLE};
	const int rc = we_table_create(store, WE_FUNCREF, address, 10, 20, &table.of.table, err);

	return rc < 0 ? rc : we_linker_define(linker, "spectest", name, &table, err);
}

int spec_host_define(struct we_linker *linker, struct we_store *store, struct we_error *err)
{
	struct we_extern memory = {.kind = WE_EXTERN_MEMORY};
	int rc = define_funcs(linker, we_store_engine(store), err);

	if (rc == 0)
		rc = define_globals(linker, store, err);
	if (rc == 0)
		rc = define_table(linker, store, "table", WE_I32, err);
	if (rc == 0)
		rc = define_table(linker, store, "table64", WE_I64, err);
	if (rc == 0)
		rc = we_memory_create(store, WE_I32, 1, 2, &memory.of.memory, err);
	return rc < 0 ? rc : we_linker_define(linker, "spectest", "memory", &memory, err);
}
