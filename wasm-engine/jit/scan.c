// SPDX-License-Identifier: BSD-3-Clause
// What a batch must know of all bodies before one is lowered.
//
// Module path 3/6. What the tables may hold, which functions may end with an exception (a fixed point over calls), which
// have references that the collector moves, which are called from another batch, how many turns they get, and which are too large or too deeply
// nested for the optimizer.
#include "scan.h"

#include <stdlib.h>

// Of functions, and of tables by their nodes.
struct call {
	uint32_t from;
	uint32_t to;
};

struct scan {
	struct unit *u;
	struct we_vec calls; // struct call
};

static bool is_traced(const struct unit *u, we_valtype type)
{
	return we_valtype_trace(u->module->engine, type) != WE_TRACE_NONE;
}

static bool returns_refs(const struct unit *u, const struct we_functype *type)
{
	for (uint32_t i = 0; i < type->n_results; i++) {
		if (is_traced(u, we_functype_results(type)[i]))
			return true;
	}
	return false;
}

static bool has_ref_locals(const struct unit *u, const struct we_func_def *def)
{
	for (uint32_t i = 0; i < def->type->n_params; i++) {
		if (is_traced(u, we_functype_params(def->type)[i]))
			return true;
	}
	for (uint32_t i = 0; i < def->n_runs; i++) {
		if (is_traced(u, def->runs[i].type))
			return true;
	}
	return false;
}

static bool catches_refs(const struct we_instr *in)
{
	struct we_reader r = in->of.try_table.catches;

	for (uint32_t i = 0; i < in->of.try_table.n; i++) {
		struct we_catch clause;

		if (we_catch_read(&r, &clause) < 0)
			abort();                      // it was valid
		if (clause.has_ref || clause.has_tag) // its arguments may be references
			return true;
	}
	return false;
}

// May a reference that moves come to be an operand by this?
static bool makes_refs(const struct unit *u, const struct we_instr *in)
{
	const struct we_module_spaces *is = &u->module->is;

	switch (in->op) {
	case WE_OP_CALL:
		return returns_refs(u, is->funcs[in->of.idx].type);
	case WE_OP_CALL_INDIRECT:
		return returns_refs(u, is->types[in->of.pair.a].def->func);
	case WE_OP_CALL_REF:
		return returns_refs(u, is->types[in->of.idx].def->func);
	case WE_OP_GLOBAL_GET:
		return is_traced(u, is->globals[in->of.idx].type.val);
	case WE_OP_TABLE_GET:
		return is_traced(u, is->tables[in->of.idx].type.elem);
	case WE_OP_TRY_TABLE:
		return catches_refs(in);
	case WE_OP_REF_NULL:
	case WE_OP_REF_I31:
		return true;
	default:
		return in->op >= WE_OP_STRUCT_NEW && in->op <= WE_OP_I31_GET_U;
	}
}

static void add_call(struct scan *s, uint32_t from, uint32_t to)
{
	struct call *call = func_add(&s->calls, sizeof(*call));

	*call = (struct call){.from = from, .to = to};
}

static void note_call(struct scan *s, we_funcidx from, const struct we_instr *in)
{
	switch (in->op) {
	case WE_OP_THROW:
	case WE_OP_THROW_REF:
	case WE_OP_CALL_REF:
	case WE_OP_RETURN_CALL_REF:
		s->u->may_throw[from] = true;
		return;
	case WE_OP_CALL:
	case WE_OP_RETURN_CALL:
		add_call(s, from, in->of.idx);
		return;
	case WE_OP_CALL_INDIRECT:
	case WE_OP_RETURN_CALL_INDIRECT:
		add_call(s, from, unit_table_node(s->u, in->of.pair.b));
		return;
	default:
		return;
	}
}

// ---- tables -------------------------------------------------------------------------------------

static void note_table(struct unit *u, const struct we_instr *in)
{
	switch (in->op) {
	case WE_OP_TABLE_SET:
	case WE_OP_TABLE_GROW:
	case WE_OP_TABLE_FILL:
		u->elements[in->of.idx].is_open = true;
		return;
	case WE_OP_TABLE_INIT:
		u->elements[in->of.pair.b].is_open = true;
		return;
	case WE_OP_TABLE_COPY:
		u->elements[in->of.pair.a].is_open = true;
		return;
	default:
		return;
	}
}

static void add_element(struct elements *elements, we_funcidx func)
{
	we_funcidx *added = func_add(&elements->funcs, sizeof(*added));

	*added = func;
}

static void add_const(
	const struct unit *u, struct elements *elements, const struct we_const_expr *expr)
{
	struct we_instr in;
	struct we_instr next;
	struct we_reader r;

	we_module_reader(u->module, expr->body, &r, NULL);
	if (we_instr_read(&r, &in) < 0 || we_instr_read(&r, &next) < 0)
		abort(); // it was valid
	if (in.op == WE_OP_REF_FUNC)
		add_element(elements, in.of.idx);
	else if (in.op != WE_OP_REF_NULL)
		elements->is_open = true;
	if (next.op != WE_OP_END)
		elements->is_open = true;
}

static int compare_funcs(const void *a, const void *b)
{
	const we_funcidx x = *(const we_funcidx *)a;
	const we_funcidx y = *(const we_funcidx *)b;

	return (x > y) - (x < y);
}

static void sort_elements(struct elements *elements)
{
	we_funcidx *funcs = elements->funcs.data;
	size_t n = 0;

	if (elements->funcs.len == 0)
		return;
	qsort(funcs, elements->funcs.len, sizeof(*funcs), compare_funcs);
	for (size_t i = 0; i < elements->funcs.len; i++)
		if (n == 0 || funcs[n - 1] != funcs[i])
			funcs[n++] = funcs[i];
	elements->funcs.len = n;
}

// What they begin with.
static void scan_tables(struct unit *u)
{
	const struct we_module_spaces *is = &u->module->is;

	for (we_tableidx i = 0; i < is->n_tables; i++) {
		u->elements[i].is_open = i < is->n_imported_tables;
		if (is->tables[i].has_init)
			add_const(u, &u->elements[i], &is->tables[i].init);
	}
	for (uint32_t i = 0; i < u->module->n_exports; i++)
		if (u->module->exports[i].kind == WE_EXTERN_TABLE)
			u->elements[u->module->exports[i].idx].is_open = true;
	for (we_elemidx i = 0; i < is->n_elems; i++) {
		const struct we_elem_def *elem = &is->elems[i];
		struct elements *elements = &u->elements[elem->table];

		if (elem->mode != WE_ELEM_ACTIVE)
			continue;
		for (uint32_t j = 0; j < elem->n; j++) {
			if (elem->exprs != NULL)
				add_const(u, elements, &elem->exprs[j]);
			else
				add_element(elements, elem->funcs[j]);
		}
	}
	for (we_tableidx i = 0; i < is->n_tables; i++)
		sort_elements(&u->elements[i]);
}

// A call by a table is one of all that it may hold.
static void note_elements(struct scan *s)
{
	struct unit *u = s->u;

	for (we_tableidx i = 0; i < u->module->is.n_tables; i++) {
		const struct elements *elements = &u->elements[i];
		const we_funcidx *funcs = elements->funcs.data;
		const uint32_t node = unit_table_node(u, i);

		u->may_throw[node] = elements->is_open;
		for (size_t j = 0; j < elements->funcs.len; j++)
			add_call(s, node, funcs[j]);
	}
}

// ---- functions ----------------------------------------------------------------------------------

// Slots of what a call hands over and gets back; 0: it is no call.
static uint32_t call_slots(const struct unit *u, const struct we_instr *in)
{
	const struct we_module_spaces *is = &u->module->is;

	switch (in->op) {
	case WE_OP_CALL:
	case WE_OP_RETURN_CALL:
		return we_functype_n_slots(is->funcs[in->of.idx].type);
	case WE_OP_CALL_INDIRECT:
	case WE_OP_RETURN_CALL_INDIRECT:
		return we_functype_n_slots(is->types[in->of.pair.a].def->func);
	case WE_OP_CALL_REF:
	case WE_OP_RETURN_CALL_REF:
		return we_functype_n_slots(is->types[in->of.idx].def->func);
	default:
		return 0;
	}
}

// How many fit; weight: of one body.
static uint32_t turns(uint32_t n_self_calls, uint64_t weight)
{
	uint64_t n_inlined = 1;
	uint64_t n_bodies = 1;
	uint32_t n = 0;

	while (n_self_calls > 0 && n < JIT_MAX_TURNS) {
		n_inlined *= n_self_calls;
		n_bodies += n_inlined;
		if (n_bodies * weight > JIT_MAX_TURNS_WEIGHT)
			break;
		n++;
	}
	return n;
}

struct nesting {
	uint32_t now;
	uint32_t deepest;
};

static void nest(struct nesting *n, enum we_op op)
{
	if (op == WE_OP_BLOCK || op == WE_OP_LOOP || op == WE_OP_IF || op == WE_OP_TRY_TABLE) {
		n->now++;
		n->deepest = n->now > n->deepest ? n->now : n->deepest;
	} else if (op == WE_OP_END && n->now > 0) {
		n->now--;
	}
}

static void scan_func(struct scan *s, we_funcidx idx)
{
	struct unit *u = s->u;
	const struct we_func_def *def = &u->module->is.funcs[idx];
	const uint64_t n_bytes = def->body.end - def->body.at;
	struct nesting nesting = {0, 0};
	uint32_t n_self_calls = 0;
	uint64_t weight = n_bytes + we_functype_n_slots(def->type);
	struct we_reader r;

	u->uses_cells[idx] = has_ref_locals(u, def);
	we_module_reader(u->module, def->body, &r, NULL);
	while (we_reader_left(&r) > 0) {
		struct we_instr in;

		if (we_instr_read(&r, &in) < 0)
			abort(); // it was valid
		note_call(s, idx, &in);
		note_table(u, &in);
		nest(&nesting, in.op);
		n_self_calls += in.op == WE_OP_CALL && in.of.idx == idx;
		weight += call_slots(u, &in);
		if (!u->uses_cells[idx] && makes_refs(u, &in))
			u->uses_cells[idx] = true;
	}
	if (!u->uses_cells[idx]) // of those bodies the most are longer than they look
		u->n_turns[idx] = turns(n_self_calls, weight);
	u->is_skipped[idx] = nesting.deepest > JIT_MAX_NESTING || n_bytes > JIT_MAX_BODY_BYTES;
}

static bool is_of_batch(const struct unit *u, we_funcidx idx)
{
	return idx >= u->opt->first_func && idx - u->opt->first_func < u->opt->n_funcs;
}

static void note_callers(struct scan *s)
{
	const struct call *calls = s->calls.data;

	for (size_t i = 0; i < s->calls.len; i++)
		if (calls[i].to < s->u->module->is.n_funcs && !is_of_batch(s->u, calls[i].from))
			s->u->is_called_outside[calls[i].to] = true;
}

void unit_scan(struct unit *u)
{
	const struct we_module_spaces *is = &u->module->is;
	struct scan s = {.u = u};
	bool is_stable = false;

	for (we_funcidx i = 0; i < is->n_imported_funcs; i++)
		u->may_throw[i] = true;
	scan_tables(u);
	for (we_funcidx i = is->n_imported_funcs; i < is->n_funcs; i++)
		scan_func(&s, i);
	note_callers(&s);
	note_elements(&s);
	while (!is_stable) {
		const struct call *calls = s.calls.data;

		is_stable = true;
		for (size_t i = s.calls.len; i-- > 0;) {
			if (u->may_throw[calls[i].to] && !u->may_throw[calls[i].from]) {
				u->may_throw[calls[i].from] = true;
				is_stable = false;
			}
		}
	}
	we_vec_fini(&s.calls);
}
