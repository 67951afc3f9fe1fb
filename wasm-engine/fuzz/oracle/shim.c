// SPDX-License-Identifier: BSD-3-Clause
// oracle_shim: pins for engine.rs, the mirror of we.h by hand: signatures when this is compiled, layouts when the oracle
// starts. And what is awkward to mirror.
#include <stddef.h>

#include "jit.h"
#include "native_draw.h"

#define PIN(function, ...)                                                                         \
	_Static_assert(__builtin_types_compatible_p(__typeof__(function), __VA_ARGS__), #function)

PIN(we_failure_word, const char *(int));
PIN(we_trap_text, const char *(enum we_trap));
PIN(we_functype_create,
	int(struct we_engine *, const enum we_kind *, uint32_t, const enum we_kind *, uint32_t,
		const struct we_functype **, struct we_error *));
PIN(we_functype_n_slots, uint32_t(const struct we_functype *));
PIN(we_module_create,
	int(struct we_engine *, struct we_bytes, uint64_t, struct we_module **, struct we_error *));
PIN(we_store_entry, uint64_t(const struct we_store *));
PIN(we_store_interrupt, void(struct we_store *, uint64_t));
PIN(we_instance_create, int(struct we_store *, struct we_module *, const struct we_extern *,
				uint32_t, struct we_instance **, struct we_error *));
PIN(we_instance_export, int(const struct we_instance *, const char *, size_t, struct we_extern *));
PIN(we_func_create_host, int(struct we_store *, const struct we_functype *, we_host_fn, void *,
				 struct we_func **, struct we_error *));
PIN(we_func_type, const struct we_functype *(const struct we_func *));
PIN(we_func_call, int(struct we_func *, uint64_t *, struct we_error *));
PIN(we_memory_size, uint64_t(const struct we_memory *));
PIN(we_memory_span, int(const struct we_memory *, uint64_t, uint64_t, uint8_t **));
PIN(we_memory_create, int(struct we_store *, enum we_kind, uint64_t, uint64_t, struct we_memory **,
			      struct we_error *));
PIN(we_table_size, uint64_t(const struct we_table *));
PIN(we_table_get, int(const struct we_table *, uint64_t, void **));
PIN(we_table_create, int(struct we_store *, enum we_kind, enum we_kind, uint64_t, uint64_t,
			     struct we_table **, struct we_error *));
PIN(we_global_get, void(const struct we_global *, uint64_t *));
PIN(we_global_set, void(struct we_global *, const uint64_t *));
PIN(we_global_create, int(struct we_store *, enum we_kind, bool, const uint64_t *,
			      struct we_global **, struct we_error *));
PIN(we_ref_kind, enum we_refkind(const struct we_store *, enum we_kind, uint64_t));
PIN(we_ref_host, uint64_t(const struct we_store *, enum we_kind, uint64_t));
PIN(we_ref_from_host, int(struct we_store *, uint64_t, uint64_t *, struct we_error *));
PIN(we_catch, uint64_t(struct we_store *));
PIN(we_exn_args, void(const struct we_store *, uint64_t, uint64_t *));

extern const size_t oracle_pins[];
int oracle_engine_create(bool gc_stress, struct we_engine **ret_engine, struct we_error *err);
bool oracle_is_deterministic(uint64_t number);
int oracle_publish(struct we_module *module, uint64_t number, struct we_error *err);
int oracle_store_create(struct we_engine *engine, bool is_interp, struct we_store **ret_store,
	struct we_error *err);

const size_t oracle_pins[] = {
	sizeof(struct we_bytes),
	sizeof(struct we_error),
	offsetof(struct we_error, msg),
	sizeof(struct we_extern),
	offsetof(struct we_extern, of),
	WE_EXNREF,
	WE_REFKIND_EXN,
	WE_EXTERN_GLOBAL,
};

int oracle_engine_create(bool gc_stress, struct we_engine **ret_engine, struct we_error *err)
{
	const struct we_engine_config config = {.deterministic = true, .gc_stress = gc_stress};

	return we_engine_create(&config, ret_engine, err);
}

bool oracle_is_deterministic(uint64_t number)
{
	return fuzz_native_draw(number).deterministic;
}

int oracle_publish(struct we_module *module, uint64_t number, struct we_error *err)
{
	const struct fuzz_native how = fuzz_native_draw(number);

	return fuzz_native_publish(module, &how, err);
}

int oracle_store_create(
	struct we_engine *engine, bool is_interp, struct we_store **ret_store, struct we_error *err)
{
	const struct we_store_limits limits = {
		.stack_bytes = 16u << 20,
		.call_depth = 4000,
	};
	const int rc = we_store_create(engine, &limits, ret_store, err);

	if (rc == 0)
		we_store_set_interp(*ret_store, is_interp);
	return rc;
}
