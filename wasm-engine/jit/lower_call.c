// SPDX-License-Identifier: BSD-3-Clause
// Lowering of calls, and the entries and wrappers by which others call: see lower.h.
//
// Module path 3/6. Spec: core "Control Instructions" (calls).
#include <assert.h>
#include <stddef.h>
#include <stdlib.h>

#include "abi.h"

enum {
	// Calls of imports that a function has in line: they are long. The others go by the import's entry.
	MAX_HOST_CALLS = 64,
	// Calls by a table that a function has as direct ones of either candidate. The others go by the function's entry.
	MAX_DIRECT_CALLS = 64,
	MAX_CANDIDATES = 2,
	MAX_KNOWN_ELEMENTS = 256, // of a table, among which candidates are looked for
	// Locals of a function whose tail call of itself is a loop: each turn sets all of them.
	MAX_LOOP_LOCALS = 256,
};

// Something to call: a body with the instance as context, or an entry with the function.
struct callee {
	LLVMValueRef code;
	LLVMValueRef context;
	const struct we_functype *type;
	bool may_throw;
	bool is_body; // may be inlined: its last stores then stand before what comes after the call
	bool is_last; // of the turns of a function: not inlined
};

static LLVMValueRef *call_values(uint32_t n)
{
	LLVMValueRef *values = calloc((size_t)n + 1, sizeof(*values));

	if (values == NULL)
		abort();
	return values;
}

static LLVMValueRef *pop_args(struct func *f, const struct we_functype *type)
{
	LLVMValueRef *args = call_values(type->n_params);

	for (uint32_t i = type->n_params; i-- > 0;)
		args[i] = func_pop(f);
	return args;
}

static void push_results(struct func *f, const struct we_functype *type, LLVMValueRef *results)
{
	for (uint32_t i = 0; i < type->n_results; i++)
		func_push(f, results[i], func_kind(f, we_functype_results(type)[i]));
}

// Guests see what was stored before a call.
static void before_call(struct func *f)
{
	func_before_fault(f);
}

static LLVMValueRef store_for(struct func *f, const struct we_functype *type)
{
	return abi_needs_buf(f->u, type) || f->uses_cells ? func_store(f) : NULL;
}

// results: [n_results], for the caller to fill.
static void emit_call(struct func *f, const struct callee *callee, const LLVMValueRef *args,
	LLVMValueRef *results)
{
	LLVMValueRef store = store_for(f, callee->type);
	LLVMValueRef result =
		abi_call(f->u, callee->code, callee->context, store, callee->type, args);

	if (callee->is_last)
		unit_mark(result, f->u->a_noinline);
	abi_get_results(f->u, result, store, callee->type, results);
}

static void call(struct func *f, const struct callee *callee)
{
	LLVMValueRef *args = pop_args(f, callee->type);
	LLVMValueRef *results = call_values(callee->type->n_results);

	before_call(f);
	func_spill(f);
	emit_call(f, callee, args, results);
	func_reload(f);
	if (callee->may_throw)
		lower_check_exception(f);
	push_results(f, callee->type, results);
	f->is_dirty = f->has_faulting = callee->is_body;
	free(args);
	free(results);
}

// Where two ways meet, the builder's block: the results of either, which end in these blocks. into: [n].
static void join_results(struct func *f, uint32_t n, LLVMValueRef *into, LLVMBasicBlockRef end,
	LLVMValueRef *others, LLVMBasicBlockRef others_end)
{
	for (uint32_t i = 0; i < n; i++) {
		LLVMValueRef phi = LLVMBuildPhi(f->u->b, LLVMTypeOf(into[i]), "");

		LLVMAddIncoming(phi, &into[i], &end, 1);
		LLVMAddIncoming(phi, &others[i], &others_end, 1);
		into[i] = phi;
	}
}

static void call_either(struct func *f, LLVMValueRef is_first, const struct callee pair[2])
{
	struct unit *u = f->u;
	const struct we_functype *type = pair[0].type;
	LLVMValueRef *args = pop_args(f, type);
	LLVMBasicBlockRef done = func_block(f);
	LLVMBasicBlockRef ways[2];
	LLVMBasicBlockRef ends[2];
	LLVMValueRef *results[2];

	before_call(f);
	func_spill(f);
	for (unsigned i = 0; i < 2; i++)
		ways[i] = func_block(f);
	LLVMBuildCondBr(u->b, is_first, ways[0], ways[1]);
	for (unsigned i = 0; i < 2; i++) {
		results[i] = call_values(type->n_results);
		func_go_on(f, ways[i]);
		emit_call(f, &pair[i], args, results[i]);
		ends[i] = LLVMGetInsertBlock(u->b);
		LLVMBuildBr(u->b, done);
	}
	func_go_on(f, done);
	join_results(f, type->n_results, results[0], ends[0], results[1], ends[1]);
	func_reload(f);
	if (pair[0].may_throw || pair[1].may_throw)
		lower_check_exception(f);
	push_results(f, type, results[0]);
	f->is_dirty = f->has_faulting = true; // bodies
	free(args);
	free(results[0]);
	free(results[1]);
}

static void tail_call(struct func *f, const struct callee *callee)
{
	LLVMValueRef *args = pop_args(f, callee->type);
	LLVMValueRef result;

	before_call(f);
	func_leave(f);
	result = abi_call(f->u, callee->code, callee->context, store_for(f, callee->type),
		callee->type, args);
	LLVMSetTailCallKind(result, LLVMTailCallKindMustTail);
	LLVMBuildRet(f->u->b, result);
	func_end_block(f);
	free(args);
}

// A function's tail call of itself is a loop.
static void begin_again(struct func *f)
{
	LLVMValueRef *args = pop_args(f, f->def->type);

	before_call(f);
	func_leave(f);
	func_begin_again(f, args);
	free(args);
}

// ---- what is called -----------------------------------------------------------------------------

static struct callee by_entry(struct func *f, LLVMValueRef func, const struct we_functype *type)
{
	return (struct callee){
		.code = unit_load(f->u, f->u->t_ptr,
			unit_at(f->u, func, offsetof(struct we_func, entry)), PLACE_RUNTIME),
		.context = func,
		.type = type,
		.may_throw = true,
	};
}

static struct callee by_index(struct func *f, we_funcidx idx)
{
	const struct we_functype *type = f->u->module->is.funcs[idx].type;
	const bool is_turn = idx == f->idx && f->u->n_turns[idx] > 0;
	const bool is_last = is_turn && f->turn == f->u->n_turns[idx];

	if (f->u->bodies[idx] == NULL) // imported, or of another batch
		return by_entry(f, func_funcref(f, idx), type);
	return (struct callee){.code = unit_turn(f->u, idx, is_turn && !is_last ? f->turn + 1 : 0),
		.context = f->inst,
		.type = type,
		.may_throw = f->u->may_throw[idx],
		.is_body = true,
		.is_last = is_last};
}

// The element that the operand names, which is not null.
static LLVMValueRef pop_element(struct func *f, we_tableidx table)
{
	struct unit *u = f->u;
	const bool is_64 = u->module->is.tables[table].type.limits.is_64;
	LLVMValueRef i = func_pop(f);
	LLVMValueRef at = func_table(f, table);
	LLVMValueRef size = unit_load(
		u, u->t_i64, unit_at(u, at, offsetof(struct we_table, size)), PLACE_TABLE);
	LLVMValueRef elems;
	LLVMValueRef func;

	if (!is_64)
		i = LLVMBuildZExt(u->b, i, u->t_i64, "");
	func_trap_if(f, LLVMBuildICmp(u->b, LLVMIntUGE, i, size, ""), WE_TRAP_UNDEFINED_ELEMENT);
	elems = unit_load(
		u, u->t_ptr, unit_at(u, at, offsetof(struct we_table, elems)), PLACE_TABLE);
	func = unit_load(
		u, u->t_ptr, LLVMBuildInBoundsGEP2(u->b, u->t_ptr, elems, &i, 1, ""), PLACE_TABLE);
	func_trap_if(f, LLVMBuildIsNull(u->b, func, ""), WE_TRAP_INDIRECT_CALL_TO_NULL);
	return func;
}

static struct callee by_table(struct func *f, we_tableidx table, we_typeidx type_idx)
{
	struct unit *u = f->u;
	const struct we_subtype *type = &u->module->is.types[type_idx];
	// Before what may trap: loaded without a condition, it leaves loops.
	LLVMValueRef want = unit_load_invariant(
		u, u->t_ptr, func_def(f, type_idx), offsetof(struct we_deftype, func));
	LLVMValueRef func = pop_element(f, table);
	LLVMValueRef have = unit_load(
		u, u->t_ptr, unit_at(u, func, offsetof(struct we_func, type)), PLACE_RUNTIME);
	LLVMValueRef is_other = LLVMBuildICmp(u->b, LLVMIntNE, have, want, "");
	struct callee callee;

	if (type->is_final) {
		func_trap_if(f, is_other, WE_TRAP_BAD_SIGNATURE);
	} else {
		LLVMBasicBlockRef next = func_cold_if(f, is_other);
		LLVMValueRef args[] = {LLVMBuildPtrToInt(u->b, func, u->t_i64, ""), unit_i32(u, 0),
			unit_i32(u, type_idx)};
		LLVMValueRef matches = func_rt(f, RT_ref_test, args, 3);

		func_trap_if(f, LLVMBuildICmp(u->b, LLVMIntEQ, matches, unit_i32(u, 0), ""),
			WE_TRAP_BAD_SIGNATURE);
		LLVMBuildBr(u->b, next);
		func_go_on(f, next);
		func_forget(f);
	}
	callee = by_entry(f, func, type->def->func);
	callee.may_throw = u->may_throw[unit_table_node(u, table)];
	return callee;
}

// Of a table whose elements are known, those of the type, bodies of the batch, when they are few.
static uint32_t candidates(const struct unit *u, we_tableidx table, we_typeidx type_idx,
	we_funcidx ret[MAX_CANDIDATES])
{
	const struct we_module_spaces *is = &u->module->is;
	const struct elements *elements = &u->elements[table];
	const we_funcidx *funcs = elements->funcs.data;
	uint32_t n = 0;

	if (elements->is_open || elements->funcs.len > MAX_KNOWN_ELEMENTS ||
		!is->types[type_idx].is_final)
		return 0;
	for (size_t i = 0; i < elements->funcs.len; i++) {
		if (is->types[is->funcs[funcs[i]].type_idx].def != is->types[type_idx].def)
			continue;
		if (n == MAX_CANDIDATES || u->bodies[funcs[i]] == NULL)
			return 0;
		ret[n++] = funcs[i];
	}
	return n;
}

// A call of one of n candidates: direct, so that it may be inlined.
static void call_candidate(
	struct func *f, we_tableidx table, const we_funcidx funcs[MAX_CANDIDATES], uint32_t n)
{
	struct unit *u = f->u;
	LLVMValueRef refs[MAX_CANDIDATES];
	struct callee callees[MAX_CANDIDATES];
	LLVMValueRef func;
	LLVMValueRef is_first;
	LLVMValueRef is_other;

	// Before what may trap: see by_table.
	for (uint32_t i = 0; i < n; i++) {
		refs[i] = func_funcref(f, funcs[i]);
		callees[i] = by_index(f, funcs[i]);
	}
	func = pop_element(f, table);
	is_first = LLVMBuildICmp(u->b, LLVMIntEQ, func, refs[0], "");
	is_other = LLVMBuildNot(u->b, is_first, "");
	if (n == 2)
		is_other = LLVMBuildAnd(
			u->b, is_other, LLVMBuildICmp(u->b, LLVMIntNE, func, refs[1], ""), "");
	func_trap_if(f, is_other, WE_TRAP_BAD_SIGNATURE);
	if (n == 1)
		call(f, &callees[0]);
	else
		call_either(f, is_first, callees);
}

static void call_indirect(struct func *f, we_tableidx table, we_typeidx type)
{
	we_funcidx funcs[MAX_CANDIDATES];
	const uint32_t n = candidates(f->u, table, type, funcs);

	if (n > 0 && f->n_direct_calls < MAX_DIRECT_CALLS) {
		f->n_direct_calls++;
		call_candidate(f, table, funcs, n);
	} else {
		const struct callee callee = by_table(f, table, type);

		call(f, &callee);
	}
}

static struct callee by_ref(struct func *f, we_typeidx type)
{
	LLVMValueRef func = func_pop(f);

	func_trap_if(f, LLVMBuildIsNull(f->u->b, func, ""), WE_TRAP_NULL_FUNCTION_REFERENCE);
	return by_entry(f, func, f->u->module->is.types[type].def->func);
}

// ---- functions of the host ----------------------------------------------------------------------

// Call the host's function by slots: results [n_results].
static void call_host(struct func *f, LLVMValueRef func, const struct we_functype *type,
	const LLVMValueRef *args, LLVMValueRef *results)
{
	struct unit *u = f->u;
	LLVMValueRef slots = func_slots(f, we_functype_n_slots(type) + 1);
	LLVMValueRef store = func_store(f);
	LLVMTypeRef params[] = {u->t_ptr, u->t_ptr, u->t_ptr};
	LLVMTypeRef fn = LLVMFunctionType(u->t_i32, params, 3, false);
	LLVMValueRef host_args[3];
	LLVMBasicBlockRef next;
	LLVMValueRef rc;
	uint64_t slot = 0;

	for (uint32_t i = 0; i < type->n_params; i++) {
		const we_valtype param = we_functype_params(type)[i];

		unit_put_slot(u, args[i], func_kind(f, param), unit_at(u, slots, slot * 8));
		slot += we_valtype_n_slots(param);
	}
	// Of a trap that somebody has swallowed.
	unit_store(u, unit_i32(u, 0), unit_at(u, store, offsetof(struct we_store, n_frames)),
		PLACE_RUNTIME);
	host_args[0] = unit_load_invariant(u, u->t_ptr, func, offsetof(struct we_func, env));
	host_args[1] = slots;
	host_args[2] = unit_load(u, u->t_ptr,
		unit_at(u, store, offsetof(struct we_store, calls.err)), PLACE_RUNTIME);
	rc = LLVMBuildCall2(u->b, fn,
		unit_load_invariant(u, u->t_ptr, func, offsetof(struct we_func, host)), host_args,
		3, "");
	next = func_cold_if(f, LLVMBuildICmp(u->b, LLVMIntSLT, rc, unit_i32(u, 0), ""));
	(void)func_rt(f, RT_host_failed, &rc, 1);
	func_reload(f);
	lower_exception(f); // it has thrown
	func_go_on(f, next);
	// If there is an exception, it was swallowed.
	unit_store(u, unit_i64(u, 0), unit_at(u, store, offsetof(struct we_store, exception)),
		PLACE_RUNTIME);
	func_check_due(f);
	slot = 0;
	for (uint32_t i = 0; i < type->n_results; i++) {
		const we_valtype res = we_functype_results(type)[i];

		results[i] = unit_get_slot(u, func_kind(f, res), unit_at(u, slots, slot * 8));
		slot += we_valtype_n_slots(res);
	}
}

// A call of an import: mostly the host's.
static void call_import(struct func *f, we_funcidx idx)
{
	struct unit *u = f->u;
	const struct we_functype *type = u->module->is.funcs[idx].type;
	LLVMValueRef func = func_funcref(f, idx);
	LLVMValueRef store = func_store(f);
	LLVMValueRef *args = pop_args(f, type);
	LLVMValueRef *mine = call_values(type->n_results);
	LLVMValueRef *theirs = call_values(type->n_results);
	LLVMBasicBlockRef host = func_block(f);
	LLVMBasicBlockRef wasm = func_block(f);
	LLVMBasicBlockRef done = func_block(f);
	LLVMBasicBlockRef next;
	LLVMBasicBlockRef host_end;
	LLVMBasicBlockRef wasm_end;
	struct callee callee;
	LLVMValueRef kind;
	LLVMValueRef result;
	LLVMValueRef br;

	before_call(f);
	func_spill(f);
	kind = unit_load_invariant(u, u->t_i32, func, offsetof(struct we_func, kind));
	br = LLVMBuildCondBr(u->b,
		LLVMBuildICmp(u->b, LLVMIntNE, kind, unit_i32(u, WE_FUNC_HOST), ""), wasm, host);
	LLVMSetMetadata(br, u->md_prof, u->unlikely);

	func_go_on(f, host);
	call_host(f, func, type, args, mine);
	host_end = LLVMGetInsertBlock(u->b);
	LLVMBuildBr(u->b, done);

	func_go_on(f, wasm);
	callee = by_entry(f, func, type);
	result = abi_call(u, callee.code, callee.context, store, type, args);
	abi_get_results(u, result, store, type, theirs);
	next = func_cold_if(f, lower_has_exception(f));
	func_reload(f);
	lower_exception(f);
	func_go_on(f, next);
	wasm_end = LLVMGetInsertBlock(u->b);
	LLVMBuildBr(u->b, done);

	func_go_on(f, done);
	join_results(f, type->n_results, mine, host_end, theirs, wasm_end);
	func_reload(f);
	push_results(f, type, mine);
	f->is_dirty = f->has_faulting = false;
	free(args);
	free(mine);
	free(theirs);
}

bool lower_call(struct func *f, const struct we_instr *in)
{
	struct callee callee;

	switch (in->op) {
	case WE_OP_CALL:
		if (in->of.idx < f->u->module->is.n_imported_funcs &&
			f->n_host_calls < MAX_HOST_CALLS) {
			f->n_host_calls++;
			call_import(f, in->of.idx);
			return true;
		}
		callee = by_index(f, in->of.idx);
		break;
	case WE_OP_RETURN_CALL:
		if (in->of.idx == f->idx && f->n_locals <= MAX_LOOP_LOCALS) {
			begin_again(f);
			return true;
		}
		callee = by_index(f, in->of.idx);
		break;
	case WE_OP_CALL_INDIRECT:
		call_indirect(f, in->of.pair.b, in->of.pair.a);
		return true;
	case WE_OP_RETURN_CALL_INDIRECT:
		callee = by_table(f, in->of.pair.b, in->of.pair.a);
		break;
	case WE_OP_CALL_REF:
	case WE_OP_RETURN_CALL_REF:
		callee = by_ref(f, in->of.idx);
		break;
	default:
		return false;
	}
	if (in->op == WE_OP_CALL || in->op == WE_OP_CALL_REF)
		call(f, &callee);
	else
		tail_call(f, &callee);
	return true;
}

// ---- how others call ----------------------------------------------------------------------------

// By somebody who has a reference to it, what is exported is declared; or from another batch.
bool unit_has_entry(const struct unit *u, we_funcidx idx)
{
	return u->module->is.funcs[idx].is_declared || u->is_called_outside[idx] ||
	       (u->module->has_start && u->module->start == idx);
}

static_assert(offsetof(struct we_func, instance) < 128, "one byte");
const uint8_t unit_entry_code[UNIT_ENTRY_BYTES] = {
	0x48, 0x8b, 0x7f, offsetof(struct we_func, instance)}; // movq instance(%rdi), %rdi

void unit_entry(struct unit *u, LLVMValueRef body)
{
	LLVMValueRef bytes[UNIT_ENTRY_BYTES];

	for (unsigned i = 0; i < UNIT_ENTRY_BYTES; i++)
		bytes[i] = LLVMConstInt(u->t_i8, unit_entry_code[i], false);
	LLVMSetPrefixData(body, LLVMConstArray2(u->t_i8, bytes, UNIT_ENTRY_BYTES));
	LLVMSetLinkage(body, LLVMExternalLinkage); // nobody else seems to use it
	LLVMSetVisibility(body, LLVMHiddenVisibility);
}

// (func, slots): arguments from slots, results to them.
static void wrapper(struct unit *u, const struct sig *sig)
{
	const struct we_functype *type = sig->type;
	LLVMValueRef func = LLVMGetParam(sig->enter, 0);
	LLVMValueRef slots = LLVMGetParam(sig->enter, 1);
	LLVMValueRef entry;
	LLVMValueRef *values =
		call_values(type->n_params > type->n_results ? type->n_params : type->n_results);
	LLVMValueRef store = NULL;
	LLVMValueRef result;
	uint64_t slot = 0;

	LLVMPositionBuilderAtEnd(u->b, LLVMAppendBasicBlockInContext(u->cx, sig->enter, ""));
	if (abi_needs_buf(u, type))
		store = unit_load_invariant(u, u->t_ptr, func, offsetof(struct we_func, store));
	for (uint32_t i = 0; i < type->n_params; i++) {
		const we_valtype param = we_functype_params(type)[i];

		values[i] = unit_get_slot(
			u, we_valtype_kind(u->module->engine, param), unit_at(u, slots, slot * 8));
		slot += we_valtype_n_slots(param);
	}
	entry = unit_load(
		u, u->t_ptr, unit_at(u, func, offsetof(struct we_func, entry)), PLACE_RUNTIME);
	result = abi_call(u, entry, func, store, type, values);
	abi_get_results(u, result, store, type, values);
	slot = 0;
	for (uint32_t i = 0; i < type->n_results; i++) {
		const we_valtype res = we_functype_results(type)[i];

		unit_put_slot(u, values[i], we_valtype_kind(u->module->engine, res),
			unit_at(u, slots, slot * 8));
		slot += we_valtype_n_slots(res);
	}
	LLVMBuildRetVoid(u->b);
	free(values);
}

void unit_wrappers(struct unit *u)
{
	for (size_t i = 0; i < u->n_sigs; i++)
		wrapper(u, &u->sigs[i]);
}
