// SPDX-License-Identifier: BSD-3-Clause
// we_const_eval: see const_expr.h.
//
// Module path 4/6.
#include "const_expr.h"

#include <assert.h>
#include <string.h>

#include "aggregate.h"
#include "instr.h"

static uint64_t apply(enum we_op op, uint64_t a, uint64_t b)
{
	switch (op) {
	case WE_OP_I32_ADD:
		return (uint32_t)(a + b);
	case WE_OP_I32_SUB:
		return (uint32_t)(a - b);
	case WE_OP_I32_MUL:
		return (uint32_t)(a * b);
	case WE_OP_I64_ADD:
		return a + b;
	case WE_OP_I64_SUB:
		return a - b;
	default:
		assert(op == WE_OP_I64_MUL);
		return a * b;
	}
}

// What an instruction without operands gives.
static struct we_cell value_of(const struct we_instance *inst, const struct we_instr *in)
{
	struct we_cell cell = {{0, 0}, WE_TRACE_NONE};

	switch (in->op) {
	case WE_OP_I32_CONST:
		cell.slot[0] = (uint32_t)in->of.i32;
		break;
	case WE_OP_I64_CONST:
		cell.slot[0] = (uint64_t)in->of.i64;
		break;
	case WE_OP_F32_CONST:
		cell.slot[0] = in->of.f32;
		break;
	case WE_OP_F64_CONST:
		cell.slot[0] = in->of.f64;
		break;
	case WE_OP_V128_CONST:
		memcpy(cell.slot, in->of.v128, sizeof(cell.slot));
		break;
	case WE_OP_GLOBAL_GET:
		memcpy(cell.slot, inst->globals[in->of.idx]->cell, sizeof(cell.slot));
		cell.trace = inst->globals[in->of.idx]->trace;
		break;
	case WE_OP_REF_FUNC:
		cell.slot[0] = (uintptr_t)inst->funcs[in->of.idx];
		break;
	default:
		assert(in->op == WE_OP_REF_NULL);
		break;
	}
	return cell;
}

// An evaluation. Invariant: stack holds struct we_cell, and is among the store's roots.
struct eval {
	struct we_instance *inst;
	struct we_vec *stack;
	struct we_const_stack roots;
};

static struct we_cell *cell_at(const struct eval *e, size_t from_top)
{
	assert(from_top < e->stack->len);
	return (struct we_cell *)e->stack->data + (e->stack->len - 1 - from_top);
}

static bool push(struct eval *e, struct we_cell cell)
{
	struct we_cell *top = we_vec_add(e->stack, sizeof(*top));

	if (top == NULL)
		return false;
	*top = cell;
	e->roots.cells = e->stack->data;
	e->roots.n = e->stack->len;
	return true;
}

static void pop(struct eval *e, size_t n)
{
	e->stack->len -= n;
	e->roots.n = e->stack->len;
}

static struct we_cell object_cell(we_ref ref)
{
	return (struct we_cell){{ref, 0}, WE_TRACE_ANY};
}

// The n topmost cells become fields or elements; the object is new and holds defaults.
static void put_cells(
	const struct eval *e, we_ref ref, const struct we_field *fields, bool is_array, size_t n)
{
	uint8_t *p = e->inst->store->heap->base + ref;

	for (size_t i = 0; i < n; i++) {
		const struct we_field *field = is_array ? fields : &fields[i];
		const size_t size = (size_t)1 << field->storage;

		memcpy(p + field->offset + (is_array ? i * size : 0), cell_at(e, n - 1 - i)->slot,
			size);
	}
}

// Make the object of an instruction; what it takes stays on the stack, which has *ret_n of it.
static enum we_trap make_object(
	const struct eval *e, const struct we_instr *in, we_ref *ret, size_t *ret_n)
{
	const bool is_pair = in->op == WE_OP_ARRAY_NEW_FIXED;
	const struct we_deftype *def =
		e->inst->module->is.types[is_pair ? in->of.pair.a : in->of.idx].def;
	struct we_store *store = e->inst->store;
	enum we_trap trap;

	*ret_n = 0;
	switch (in->op) {
	case WE_OP_STRUCT_NEW_DEFAULT:
		return we_struct_new(store, def, NULL, ret);
	case WE_OP_STRUCT_NEW:
		*ret_n = def->n_fields;
		trap = we_struct_new(store, def, NULL, ret);
		if (trap == WE_TRAP_NONE)
			put_cells(e, *ret, def->fields, false, *ret_n);
		return trap;
	case WE_OP_ARRAY_NEW_FIXED:
		*ret_n = in->of.pair.b;
		trap = we_array_new(store, def, NULL, in->of.pair.b, ret);
		if (trap == WE_TRAP_NONE)
			put_cells(e, *ret, def->fields, true, *ret_n);
		return trap;
	case WE_OP_ARRAY_NEW_DEFAULT:
		*ret_n = 1;
		return we_array_new(store, def, NULL, (uint32_t)cell_at(e, 0)->slot[0], ret);
	default:
		assert(in->op == WE_OP_ARRAY_NEW);
		*ret_n = 2;
		return we_array_new(
			store, def, cell_at(e, 1)->slot, (uint32_t)cell_at(e, 0)->slot[0], ret);
	}
}

static enum we_trap convert(const struct eval *e, enum we_op op)
{
	struct we_cell *top = cell_at(e, 0);
	uint64_t any;
	enum we_trap trap;

	if (op == WE_OP_EXTERN_CONVERT_ANY) {
		top->slot[0] = we_extern_convert_any(e->inst->store, top->slot[0]);
		top->trace = WE_TRACE_EXTERN;
		return WE_TRAP_NONE;
	}
	if (op == WE_OP_REF_I31) {
		*top = object_cell((uint32_t)top->slot[0] << 1 | 1);
		return WE_TRAP_NONE;
	}
	trap = we_any_convert_extern(e->inst->store, top->slot[0], &any);
	if (trap == WE_TRAP_NONE)
		*top = object_cell((we_ref)any);
	return trap;
}

// Returns: the trap; *ret_is_full when the host is out of memory.
static enum we_trap step(struct eval *e, const struct we_instr *in, bool *ret_is_full)
{
	enum we_trap trap;
	struct we_cell *y;
	we_ref ref;
	size_t n;

	switch (in->op) {
	case WE_OP_I32_ADD:
	case WE_OP_I32_SUB:
	case WE_OP_I32_MUL:
	case WE_OP_I64_ADD:
	case WE_OP_I64_SUB:
	case WE_OP_I64_MUL:
		y = cell_at(e, 0);
		y[-1].slot[0] = apply(in->op, y[-1].slot[0], y[0].slot[0]);
		pop(e, 1);
		return WE_TRAP_NONE;
	case WE_OP_STRUCT_NEW:
	case WE_OP_STRUCT_NEW_DEFAULT:
	case WE_OP_ARRAY_NEW:
	case WE_OP_ARRAY_NEW_DEFAULT:
	case WE_OP_ARRAY_NEW_FIXED:
		trap = make_object(e, in, &ref, &n);
		if (trap != WE_TRAP_NONE)
			return trap;
		pop(e, n);
		*ret_is_full = !push(e, object_cell(ref));
		return WE_TRAP_NONE;
	case WE_OP_REF_I31:
	case WE_OP_ANY_CONVERT_EXTERN:
	case WE_OP_EXTERN_CONVERT_ANY:
		return convert(e, in->op);
	default:
		*ret_is_full = !push(e, value_of(e->inst, in));
		return WE_TRAP_NONE;
	}
}

static int eval_all(struct eval *e, const struct we_const_expr *expr, struct we_error *err)
{
	const struct we_module *module = e->inst->module;
	struct we_instr in;
	struct we_reader r;
	int rc;

	we_module_reader(module, expr->body, &r, err);
	for (;;) {
		bool is_full = false;
		enum we_trap trap;

		rc = we_instr_read(&r, &in);
		if (rc < 0)
			return rc;
		if (in.op == WE_OP_END)
			return 0;
		trap = step(e, &in, &is_full);
		if (trap != WE_TRAP_NONE)
			return we_error_trap(
				err, trap, module->file_offset + in.at, WE_NO_FUNC, NULL);
		if (is_full)
			return we_error_set(err, WE_E_NOMEM, 0, "no memory for a constant");
	}
}

int we_const_eval(struct we_instance *inst, const struct we_const_expr *expr, struct we_vec *stack,
	struct we_cell *ret, struct we_error *err)
{
	struct we_store *store = inst->store;
	struct eval e = {.inst = inst, .stack = stack, .roots = {.outer = store->const_stack}};
	int rc;

	stack->len = 0;
	store->const_stack = &e.roots;
	rc = eval_all(&e, expr, err);
	store->const_stack = e.roots.outer;
	if (rc < 0)
		return rc;
	assert(stack->len == 1);
	*ret = *(struct we_cell *)stack->data;
	return 0;
}
