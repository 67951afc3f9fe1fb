// SPDX-License-Identifier: BSD-3-Clause
// we_store_visit_roots: every reference that a store holds outside its heap.
//
// Module path 4/6. Owns: nothing. Thread: the store's worker.
#include "heap.h"
#include "native.h"
#include "runtime.h"
#include "tier.h"

// Functions and host values do not move.
static void visit(struct we_root_visitor *v, uint64_t *cells, size_t n, enum we_trace trace)
{
	if (trace != WE_TRACE_NONE && n > 0)
		v->visit(v, cells, n, trace);
}

static void visit_refs(struct we_root_visitor *v, void **refs, size_t n, enum we_trace trace)
{
	visit(v, (uint64_t *)(void *)refs, n, trace);
}

static void visit_segments(const struct we_instance *inst, struct we_root_visitor *v)
{
	const struct we_module *module = inst->module;

	for (we_elemidx i = 0; i < module->is.n_elems; i++)
		visit_refs(v, inst->elems[i].refs, inst->elems[i].n,
			we_valtype_trace(module->engine, module->is.elems[i].type));
}

// The arguments of an exception that the host is about to throw.
static void visit_args(struct we_store *store, struct we_root_visitor *v)
{
	const struct we_functype *type = store->throw_type;
	uint64_t *slot = store->throw_args;

	for (uint32_t i = 0; type != NULL && i < type->n_params; i++) {
		const we_valtype param = we_functype_params(type)[i];

		visit(v, slot, 1, we_valtype_trace(store->engine, param));
		slot += we_valtype_n_slots(param);
	}
}

void we_store_visit_roots(struct we_store *store, struct we_root_visitor *v)
{
	store->tier->visit_roots(store, v);
	we_native_visit_roots(store, v);
	for (struct we_const_stack *s = store->const_stack; s != NULL; s = s->outer) {
		for (size_t i = 0; i < s->n; i++)
			visit(v, s->cells[i].slot, 1, s->cells[i].trace);
	}
	visit_args(store, v);
	visit(v, &store->exception, 1, WE_TRACE_ANY);
	for (struct we_ref_root *root = store->roots; root != NULL; root = root->next)
		visit(v, &root->cell, 1, root->trace);
	for (struct we_global *global = store->globals; global != NULL; global = global->next)
		visit(v, global->cell, 1, global->trace);
	for (struct we_table *table = store->tables; table != NULL; table = table->next)
		visit_refs(v, table->elems, table->size, table->trace);
	for (const struct we_instance *inst = store->instances; inst != NULL; inst = inst->next)
		visit_segments(inst, v);
}
