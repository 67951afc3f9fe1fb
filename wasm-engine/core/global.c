// SPDX-License-Identifier: BSD-3-Clause
// we_global: global variables.
//
// Module path 4/6. Owns: the cell. Thread: the store's worker.
// Spec: core "Global Instances".
#include <stdlib.h>
#include <string.h>

#include "runtime.h"

int we_global_new(struct we_store *store, const struct we_globaltype *type, const uint64_t cell[2],
	struct we_global **ret_global, struct we_error *err)
{
	struct we_global *global = aligned_alloc(alignof(struct we_global), sizeof(*global));

	if (global == NULL)
		return we_error_set(err, WE_E_NOMEM, 0, "no memory for a global");
	global->cell[0] = cell[0];
	global->cell[1] = cell[1];
	global->type = *type;
	global->trace = we_valtype_trace(store->engine, type->val);
	global->store = store;
	global->next = store->globals;
	store->globals = global;
	*ret_global = global;
	return 0;
}

void we_global_delete_newest(struct we_store *store)
{
	struct we_global *global = store->globals;

	store->globals = global->next;
	free(global);
}

int we_global_create(struct we_store *store, enum we_kind kind, bool mut, const uint64_t *slots,
	struct we_global **ret_global, struct we_error *err)
{
	const struct we_globaltype type = {.val = we_kind_valtype(kind), .mut = mut};
	const uint64_t cell[2] = {slots[0], kind == WE_V128 ? slots[1] : 0};

	return we_global_new(store, &type, cell, ret_global, err);
}

void we_global_get(const struct we_global *global, uint64_t *slots)
{
	memcpy(slots, global->cell, we_valtype_n_slots(global->type.val) * sizeof(global->cell[0]));
}

void we_global_set(struct we_global *global, const uint64_t *slots)
{
	memcpy(global->cell, slots, we_valtype_n_slots(global->type.val) * sizeof(global->cell[0]));
}
