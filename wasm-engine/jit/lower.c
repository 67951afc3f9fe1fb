// SPDX-License-Identifier: BSD-3-Clause
// A function being lowered: operands, locals, blocks, traps, pins, safepoints, the runtime: see lower.h.
//
// Module path 3/6.
#include "lower.h"

#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "abi.h"
#include "heap.h"

// ---- operands -----------------------------------------------------------------------------------

void *func_add(struct we_vec *vec, size_t elem_bytes)
{
	void *elem = we_vec_add(vec, elem_bytes);

	if (elem == NULL)
		abort(); // the process is for this alone
	return elem;
}

void func_push(struct func *f, LLVMValueRef v, enum we_kind kind)
{
	struct value *value = func_add(&f->values, sizeof(*value));

	*value = (struct value){.v = v, .kind = kind};
}

// Operand i from below.
static struct value *operand(struct func *f, size_t i)
{
	struct value *value = &((struct value *)f->values.data)[i];

	if (value->home != NULL)
		value->v = LLVMBuildLoad2(f->u->b, unit_type(f->u, value->kind), value->home, "");
	return value;
}

struct value func_pop_value(struct func *f)
{
	struct value value = *operand(f, f->values.len - 1);

	value.home = NULL;
	f->values.len--;
	return value;
}

LLVMValueRef func_pop(struct func *f)
{
	return func_pop_value(f).v;
}

struct value *func_top(struct func *f, uint32_t n)
{
	return operand(f, f->values.len - 1 - n);
}

uint32_t func_height(const struct func *f)
{
	return (uint32_t)f->values.len;
}

enum we_kind func_kind(const struct func *f, we_valtype type)
{
	return we_valtype_kind(f->u->module->engine, type);
}

// ---- blocks -------------------------------------------------------------------------------------

LLVMBasicBlockRef func_block(struct func *f)
{
	return LLVMAppendBasicBlockInContext(f->u->cx, f->fn, "");
}

void func_go_on(struct func *f, LLVMBasicBlockRef block)
{
	LLVMPositionBuilderAtEnd(f->u->b, block);
}

LLVMBasicBlockRef func_cold_if(struct func *f, LLVMValueRef cond)
{
	LLVMBasicBlockRef cold = func_block(f);
	LLVMBasicBlockRef next = func_block(f);
	LLVMValueRef br = LLVMBuildCondBr(f->u->b, cond, cold, next);

	LLVMSetMetadata(br, f->u->md_prof, f->u->unlikely);
	func_go_on(f, cold);
	return next;
}

void func_end_block(struct func *f)
{
	f->is_dead = true;
	f->dead = 0;
}

void func_forget(struct func *f)
{
	f->is_dirty = true;
	f->has_faulting = true;
	f->generation++;
}

// ---- traps and pins -----------------------------------------------------------------------------

static LLVMValueRef rt_call(struct func *f, enum rt fn, LLVMValueRef *args, unsigned n_args)
{
	struct unit *u = f->u;
	LLVMValueRef all[10];
	LLVMValueRef rt = unit_load_invariant(
		u, u->t_ptr, func_store(f), offsetof(struct we_store, native.rt));
	LLVMValueRef at = unit_load_invariant(u, u->t_ptr, rt, fn * sizeof(void *));

	all[0] = f->inst;
	for (unsigned i = 0; i < n_args; i++)
		all[i + 1] = args[i];
	return LLVMBuildCall2(u->b, u->t_rt[fn], at, all, n_args + 1, "");
}

void func_trap(struct func *f, enum we_trap trap)
{
	struct unit *u = f->u;
	LLVMValueRef args[] = {unit_i32(u, trap), unit_i32(u, f->at)};
	LLVMValueRef call = rt_call(f, RT_trap, args, 2);

	unit_mark(call, u->a_noreturn);
	unit_mark(call, u->a_cold);
	LLVMBuildUnreachable(u->b);
}

void func_trap_if(struct func *f, LLVMValueRef cond, enum we_trap trap)
{
	LLVMBasicBlockRef next = func_cold_if(f, cond);

	func_trap(f, trap);
	func_go_on(f, next);
}

void func_pin(struct func *f, LLVMValueRef v)
{
	struct unit *u = f->u;
	LLVMValueRef call;

	f->is_dirty = false;
	f->has_faulting = false;
	if (v == NULL) {
		LLVMTypeRef none = LLVMFunctionType(u->t_void, NULL, 0, false);

		call = LLVMBuildCall2(u->b, none, u->pin_none, NULL, 0, "");
	} else {
		LLVMTypeRef type = LLVMTypeOf(v);
		const LLVMTypeKind kind = LLVMGetTypeKind(type);
		const bool is_int = kind == LLVMIntegerTypeKind || kind == LLVMPointerTypeKind;
		LLVMTypeRef fn = LLVMFunctionType(u->t_void, &type, 1, false);
		LLVMValueRef pin = LLVMGetInlineAsm(fn, "", 0, is_int ? "r" : "x", 1, true, false,
			LLVMInlineAsmDialectATT, true);

		call = LLVMBuildCall2(u->b, fn, pin, &v, 1, "");
	}
	unit_mark(call, u->a_pin);
}

void func_before_fault(struct func *f)
{
	if (f->is_dirty)
		func_pin(f, NULL);
}

void func_before_store(struct func *f, bool may_fault)
{
	if (f->has_faulting || (may_fault && f->is_dirty))
		func_pin(f, NULL);
	f->is_dirty = true;
	f->has_faulting = may_fault;
}

// ---- what all of a function may use -------------------------------------------------------------

// The block to come back to.
static LLVMBasicBlockRef to_prologue(struct func *f)
{
	LLVMBasicBlockRef back = LLVMGetInsertBlock(f->u->b);

	LLVMPositionBuilderAtEnd(f->u->b, f->prologue);
	return back;
}

// A pointer that never changes, loaded once: *cell, base + offset bytes.
static LLVMValueRef load_once(
	struct func *f, LLVMValueRef *cell, LLVMValueRef base, uint64_t offset)
{
	if (*cell == NULL) {
		LLVMBasicBlockRef back = to_prologue(f);

		*cell = unit_load_invariant(f->u, f->u->t_ptr, base, offset);
		func_go_on(f, back);
	}
	return *cell;
}

LLVMValueRef func_store(struct func *f)
{
	return load_once(f, &f->store, f->inst, offsetof(struct we_instance, store));
}

LLVMValueRef func_exception_at(struct func *f)
{
	return unit_at(f->u, func_store(f), offsetof(struct we_store, exception));
}

LLVMValueRef func_cells(struct func *f)
{
	if (f->cells == NULL) {
		LLVMValueRef store = func_store(f);
		LLVMBasicBlockRef back = to_prologue(f);

		f->cells = unit_load(f->u, f->u->t_ptr,
			unit_at(f->u, store, offsetof(struct we_store, calls.sp)), PLACE_RUNTIME);
		func_go_on(f, back);
	}
	return f->cells;
}

LLVMValueRef func_heap(struct func *f)
{
	return load_once(f, &f->heap, func_store(f), offsetof(struct we_store, heap));
}

LLVMValueRef func_heap_base(struct func *f)
{
	return load_once(f, &f->heap_base, func_heap(f), offsetof(struct we_heap, base));
}

LLVMValueRef func_mem(struct func *f, we_memidx mem)
{
	LLVMValueRef *cell = &f->mem_structs[mem];

	if (mem == 0)
		return load_once(f, cell, f->inst, offsetof(struct we_instance, mem0));
	return load_once(f, cell,
		load_once(f, &f->mems, f->inst, offsetof(struct we_instance, mems)),
		mem * sizeof(void *));
}

LLVMValueRef func_mem_base(struct func *f, we_memidx mem)
{
	LLVMValueRef *cell = &f->mem_bases[mem];

	if (mem == 0)
		return load_once(f, cell, f->inst, offsetof(struct we_instance, mem0_base));
	return load_once(f, cell, func_mem(f, mem), offsetof(struct we_memory, base));
}

LLVMValueRef func_part(struct func *f, uint64_t offset, uint32_t i, uint64_t points_to)
{
	const uint64_t at = i * sizeof(void *);
	LLVMValueRef parts = unit_load_pointer(f->u, f->inst, offset, at + sizeof(void *));

	return unit_load_pointer(f->u, parts, at, points_to);
}

LLVMValueRef func_funcref(struct func *f, we_funcidx idx)
{
	return func_part(f, offsetof(struct we_instance, funcs), idx, sizeof(struct we_func));
}

LLVMValueRef func_tag(struct func *f, we_tagidx tag)
{
	return func_part(f, offsetof(struct we_instance, tags), tag, sizeof(struct we_tag));
}

LLVMValueRef func_table(struct func *f, we_tableidx table)
{
	return func_part(f, offsetof(struct we_instance, tables), table, sizeof(struct we_table));
}

LLVMValueRef func_def(struct func *f, we_typeidx type)
{
	return func_part(f, offsetof(struct we_instance, defs), type, sizeof(struct we_deftype));
}

LLVMValueRef func_slots(struct func *f, uint32_t n)
{
	if (f->slots == NULL) {
		LLVMBasicBlockRef back = to_prologue(f);

		// Resized when the function is done: what is known of its size then.
		f->slots =
			LLVMBuildAlloca(f->u->b, LLVMArrayType2(f->u->t_i64, WE_ABI_BUF_SLOTS), "");
		func_go_on(f, back);
	}
	if (n > f->n_slots)
		f->n_slots = n;
	return f->slots;
}

void func_check_due(struct func *f)
{
	struct unit *u = f->u;
	LLVMBasicBlockRef next;
	LLVMValueRef asked;

	asked = unit_load(u, u->t_i64,
		unit_at(u, func_store(f), offsetof(struct we_store, interrupt)), PLACE_RUNTIME);
	LLVMSetOrdering(asked, LLVMAtomicOrderingMonotonic);
	LLVMSetAlignment(asked, 8);
	next = func_cold_if(f, LLVMBuildICmp(u->b, LLVMIntNE, asked, unit_i64(u, UINT64_MAX), ""));
	rt_call(f, RT_due, NULL, 0);
	LLVMBuildBr(u->b, next);
	func_go_on(f, next);
	f->is_dirty = f->has_faulting = false;
}

LLVMValueRef func_rt(struct func *f, enum rt fn, LLVMValueRef *args, unsigned n_args)
{
	LLVMValueRef result;

	func_before_fault(f);
	result = rt_call(f, fn, args, n_args);
	func_check_due(f);
	return result;
}

// ---- values in slots ----------------------------------------------------------------------------

LLVMValueRef func_to_slot(struct func *f, struct value v)
{
	struct unit *u = f->u;

	switch (v.kind) {
	case WE_I32:
	case WE_ANYREF:
	case WE_EXNREF:
		return LLVMBuildZExt(u->b, v.v, u->t_i64, "");
	case WE_F32:
		return LLVMBuildZExt(u->b, LLVMBuildBitCast(u->b, v.v, u->t_i32, ""), u->t_i64, "");
	case WE_F64:
		return LLVMBuildBitCast(u->b, v.v, u->t_i64, "");
	case WE_FUNCREF:
		return LLVMBuildPtrToInt(u->b, v.v, u->t_i64, "");
	default:
		return v.v;
	}
}

void unit_put_slot(struct unit *u, LLVMValueRef v, enum we_kind kind, LLVMValueRef at)
{
	if (kind == WE_ANYREF || kind == WE_EXNREF) // the whole slot counts
		v = LLVMBuildZExt(u->b, v, u->t_i64, "");
	unit_store(u, v, at, PLACE_CELLS);
	LLVMSetAlignment(LLVMGetLastInstruction(LLVMGetInsertBlock(u->b)), 8);
}

LLVMValueRef unit_get_slot(struct unit *u, enum we_kind kind, LLVMValueRef at)
{
	LLVMValueRef v = unit_load(u, unit_type(u, kind), at, PLACE_CELLS);

	LLVMSetAlignment(v, 8);
	return v;
}

// ---- calls --------------------------------------------------------------------------------------

// As it travels in a register.
static LLVMValueRef to_register(struct unit *u, LLVMValueRef v, enum we_kind kind)
{
	LLVMValueRef zero = LLVMConstInt(u->t_i32, 0, false);

	switch (kind) {
	case WE_I32:
	case WE_ANYREF:
	case WE_EXNREF:
		return LLVMBuildZExt(u->b, v, u->t_i64, "");
	case WE_F32:
		v = LLVMBuildInsertElement(u->b, LLVMGetPoison(u->t_f32x4), v, zero, "");
		return LLVMBuildBitCast(u->b, v, u->t_v128, "");
	case WE_F64:
		v = LLVMBuildInsertElement(u->b, LLVMGetPoison(u->t_f64x2), v, zero, "");
		return LLVMBuildBitCast(u->b, v, u->t_v128, "");
	case WE_FUNCREF:
		return LLVMBuildPtrToInt(u->b, v, u->t_i64, "");
	default:
		return v;
	}
}

static LLVMValueRef from_register(struct unit *u, LLVMValueRef v, enum we_kind kind)
{
	LLVMValueRef zero = LLVMConstInt(u->t_i32, 0, false);

	switch (kind) {
	case WE_I32:
	case WE_ANYREF:
	case WE_EXNREF:
		return LLVMBuildTrunc(u->b, v, u->t_i32, "");
	case WE_F32:
		return LLVMBuildExtractElement(
			u->b, LLVMBuildBitCast(u->b, v, u->t_f32x4, ""), zero, "");
	case WE_F64:
		return LLVMBuildExtractElement(
			u->b, LLVMBuildBitCast(u->b, v, u->t_f64x2, ""), zero, "");
	case WE_FUNCREF:
		return LLVMBuildIntToPtr(u->b, v, u->t_ptr, "");
	default:
		return v;
	}
}

static LLVMValueRef buf_of(struct unit *u, LLVMValueRef store)
{
	return unit_at(u, store, offsetof(struct we_store, native.buf));
}

static enum we_kind kind_of(struct unit *u, we_valtype type)
{
	return we_valtype_kind(u->module->engine, type);
}

LLVMValueRef abi_call(struct unit *u, LLVMValueRef callee, LLVMValueRef context, LLVMValueRef store,
	const struct we_functype *type, const LLVMValueRef *args)
{
	LLVMValueRef all[1 + ABI_N_PARAMS];
	struct abi_walk w = abi_params();

	all[0] = context;
	for (unsigned i = 1; i < ABI_N_PARAMS; i++)
		all[i] = LLVMGetPoison(i < WE_ABI_INTS ? u->t_i64 : u->t_v128);
	for (uint32_t i = 0; i < type->n_params; i++) {
		const enum we_kind kind = kind_of(u, we_functype_params(type)[i]);
		const struct abi_place place = abi_next(&w, kind);

		if (place.is_register)
			all[place.at] = to_register(u, args[i], kind);
		else
			unit_put_slot(u, args[i], kind, unit_at(u, buf_of(u, store), place.at * 8));
	}
	return LLVMBuildCall2(u->b, u->t_wasm, callee, all, ABI_N_PARAMS, "");
}

void abi_get_results(struct unit *u, LLVMValueRef result, LLVMValueRef store,
	const struct we_functype *type, LLVMValueRef *ret)
{
	struct abi_walk w = abi_results();

	for (uint32_t i = 0; i < type->n_results; i++) {
		const enum we_kind kind = kind_of(u, we_functype_results(type)[i]);
		const struct abi_place place = abi_next(&w, kind);

		if (place.is_register)
			ret[i] = from_register(
				u, LLVMBuildExtractValue(u->b, result, place.at, ""), kind);
		else
			ret[i] = unit_get_slot(u, kind, unit_at(u, buf_of(u, store), place.at * 8));
	}
}

void abi_return(struct unit *u, LLVMValueRef store, const struct we_functype *type,
	const LLVMValueRef *results)
{
	struct abi_walk w = abi_results();
	LLVMValueRef all = LLVMGetPoison(u->t_ret);

	for (uint32_t i = 0; i < type->n_results; i++) {
		const enum we_kind kind = kind_of(u, we_functype_results(type)[i]);
		const struct abi_place place = abi_next(&w, kind);

		if (place.is_register)
			all = LLVMBuildInsertValue(
				u->b, all, to_register(u, results[i], kind), place.at, "");
		else
			unit_put_slot(
				u, results[i], kind, unit_at(u, buf_of(u, store), place.at * 8));
	}
	LLVMBuildRet(u->b, all);
}

bool abi_needs_buf(struct unit *u, const struct we_functype *type)
{
	struct abi_walk p = abi_params();
	struct abi_walk r = abi_results();

	for (uint32_t i = 0; i < type->n_params; i++) {
		if (!abi_next(&p, kind_of(u, we_functype_params(type)[i])).is_register)
			return true;
	}
	for (uint32_t i = 0; i < type->n_results; i++) {
		if (!abi_next(&r, kind_of(u, we_functype_results(type)[i])).is_register)
			return true;
	}
	return false;
}

// ---- safepoints ---------------------------------------------------------------------------------

static bool is_traced(enum we_kind kind)
{
	return kind == WE_ANYREF || kind == WE_EXNREF || kind == WE_EXTERNREF;
}

static LLVMValueRef cell_at(struct func *f, uint32_t i)
{
	return unit_at(f->u, func_cells(f), (uint64_t)i * 8);
}

static void put_cell(struct func *f, uint32_t i, LLVMValueRef v, enum we_kind kind)
{
	struct unit *u = f->u;

	if (kind != WE_EXTERNREF)
		v = LLVMBuildOr(u->b, LLVMBuildZExt(u->b, v, u->t_i64, ""),
			unit_i64(u, WE_EXTERN_INTERNAL), "");
	unit_put_slot(u, v, WE_I64, cell_at(f, i));
}

static LLVMValueRef get_cell(struct func *f, uint32_t i, enum we_kind kind)
{
	return unit_get_slot(f->u, kind, cell_at(f, i));
}

LLVMValueRef func_cell_of(struct func *f, uint32_t value)
{
	uint32_t n = 0;

	for (uint32_t i = 0; i < f->n_locals; i++)
		n += is_traced(f->locals[i].kind);
	for (uint32_t i = 0; i < value; i++)
		n += is_traced(((struct value *)f->values.data)[i].kind);
	return cell_at(f, n);
}

static void set_sp(struct func *f, uint32_t n_cells)
{
	unit_store(f->u, cell_at(f, n_cells),
		unit_at(f->u, func_store(f), offsetof(struct we_store, calls.sp)), PLACE_RUNTIME);
}

void func_spill(struct func *f)
{
	uint32_t n = 0;

	if (!f->uses_cells)
		return;
	for (uint32_t i = 0; i < f->n_locals; i++) {
		if (is_traced(f->locals[i].kind))
			put_cell(f, n++,
				LLVMBuildLoad2(f->u->b, unit_type(f->u, f->locals[i].kind),
					f->locals[i].at, ""),
				f->locals[i].kind);
	}
	for (uint32_t i = 0; i < f->values.len; i++) {
		const struct value *value = operand(f, i);

		if (is_traced(value->kind))
			put_cell(f, n++, value->v, value->kind);
	}
	if (n > f->n_cells)
		f->n_cells = n;
	set_sp(f, n);
}

void func_reload(struct func *f)
{
	uint32_t n = 0;

	if (!f->uses_cells)
		return;
	for (uint32_t i = 0; i < f->n_locals; i++) {
		if (is_traced(f->locals[i].kind))
			LLVMBuildStore(
				f->u->b, get_cell(f, n++, f->locals[i].kind), f->locals[i].at);
	}
	for (uint32_t i = 0; i < f->values.len; i++) {
		struct value *value = &((struct value *)f->values.data)[i];

		if (!is_traced(value->kind))
			continue;
		value->v = get_cell(f, n++, value->kind);
		if (value->home != NULL)
			LLVMBuildStore(f->u->b, value->v, value->home);
	}
	f->generation++;
}

void func_settle(struct func *f, uint32_t height)
{
	if (!f->uses_cells)
		return;
	for (uint32_t i = 0; i < height; i++) {
		struct value *value = &((struct value *)f->values.data)[i];
		LLVMBasicBlockRef back;

		if (value->home != NULL || !is_traced(value->kind))
			continue;
		back = to_prologue(f);
		value->home = LLVMBuildAlloca(f->u->b, unit_type(f->u, value->kind), "");
		func_go_on(f, back);
		LLVMBuildStore(f->u->b, value->v, value->home);
	}
}

void func_leave(struct func *f)
{
	if (f->uses_cells)
		set_sp(f, 0);
}

// ---- locals -------------------------------------------------------------------------------------

LLVMValueRef func_local_get(struct func *f, we_localidx i)
{
	struct local *local = &f->locals[i];

	if (local->known == NULL || local->generation != f->generation) {
		local->known = LLVMBuildLoad2(f->u->b, unit_type(f->u, local->kind), local->at, "");
		local->generation = f->generation;
	}
	return local->known;
}

void func_local_set(struct func *f, we_localidx i, LLVMValueRef v)
{
	struct local *local = &f->locals[i];

	LLVMBuildStore(f->u->b, v, local->at);
	local->known = v;
	local->generation = f->generation;
}

// ---- a whole function ---------------------------------------------------------------------------

static void init_locals(struct func *f)
{
	struct unit *u = f->u;
	const struct we_functype *type = f->def->type;
	struct abi_walk w = abi_params();
	uint32_t n = type->n_params;

	for (uint32_t i = 0; i < type->n_params; i++)
		f->locals[i].kind = func_kind(f, we_functype_params(type)[i]);
	for (uint32_t r = 0; r < f->def->n_runs; r++) {
		for (uint32_t k = 0; k < f->def->runs[r].n; k++)
			f->locals[n++].kind = func_kind(f, f->def->runs[r].type);
	}
	for (uint32_t i = 0; i < f->n_locals; i++)
		f->locals[i].at = LLVMBuildAlloca(u->b, unit_type(u, f->locals[i].kind), "");
	for (uint32_t i = 0; i < f->n_locals; i++) {
		const enum we_kind kind = f->locals[i].kind;
		LLVMValueRef v = LLVMConstNull(unit_type(u, kind));

		if (i < type->n_params) {
			const struct abi_place place = abi_next(&w, kind);

			v = place.is_register
				    ? from_register(u, LLVMGetParam(f->fn, place.at), kind)
				    : unit_get_slot(u, kind,
					      unit_at(u, buf_of(u, func_store(f)), place.at * 8));
		}
		LLVMBuildStore(u->b, v, f->locals[i].at);
	}
}

void func_begin_again(struct func *f, LLVMValueRef *args)
{
	for (uint32_t i = 0; i < f->n_locals; i++) {
		const struct local *local = &f->locals[i];

		LLVMBuildStore(f->u->b,
			i < f->def->type->n_params ? args[i]
						   : LLVMConstNull(unit_type(f->u, local->kind)),
			local->at);
	}
	LLVMBuildBr(f->u->b, f->start);
	func_end_block(f);
}

static void begin(struct func *f)
{
	struct unit *u = f->u;
	const struct we_functype *type = f->def->type;
	struct label *body;

	f->prologue = func_block(f);
	f->start = func_block(f);
	func_go_on(f, f->prologue);
	f->scope = LLVMDIBuilderCreateFunction(u->di, u->di_file, "f", 1, "", 0, u->di_file, f->at,
		u->di_subroutine, true, true, f->at, LLVMDIFlagZero, true);
	LLVMSetSubprogram(f->fn, f->scope);
	func_set_place(f);
	init_locals(f);
	func_go_on(f, f->start);
	body = func_add(&f->labels, sizeof(*body));
	body->op = WE_OP_NONE;
	body->results = we_functype_results(type);
	body->n_results = type->n_results;
	lower_make_label(f, body);
}

// What is known of the frame only now.
static void finish(struct func *f)
{
	struct unit *u = f->u;

	LLVMPositionBuilderAtEnd(u->b, f->prologue);
	if (f->slots != NULL) {
		LLVMValueRef slots;

		LLVMPositionBuilderBefore(u->b, f->slots);
		slots = LLVMBuildAlloca(u->b, LLVMArrayType2(u->t_i64, f->n_slots), "");
		LLVMSetAlignment(slots, 16);
		LLVMReplaceAllUsesWith(f->slots, slots);
		LLVMInstructionEraseFromParent(f->slots);
		LLVMPositionBuilderAtEnd(u->b, f->prologue);
	}
	if (f->n_cells > 0) {
		LLVMValueRef end = unit_load_invariant(
			u, u->t_ptr, func_store(f), offsetof(struct we_store, calls.stack_end));
		LLVMValueRef over = LLVMBuildICmp(u->b, LLVMIntUGT,
			unit_at(u, func_cells(f), (uint64_t)f->n_cells * 8), end, "");

		func_trap_if(f, over, WE_TRAP_STACK_OVERFLOW);
	}
	LLVMBuildBr(u->b, f->start);
}

void lower_func(struct unit *u, we_funcidx idx, uint32_t turn)
{
	const struct we_func_def *def = &u->module->is.funcs[idx];
	struct func f = {
		.u = u, .idx = idx, .turn = turn, .def = def, .fn = unit_turn(u, idx, turn)};
	struct we_reader r;

	f.at = def->body.at;
	f.inst = LLVMGetParam(f.fn, 0);
	f.n_locals = def->n_locals;
	f.uses_cells = u->uses_cells[idx];
	f.locals = we_arena_array(&f.arena, def->n_locals, sizeof(*f.locals));
	f.mem_bases = we_arena_array(&f.arena, u->module->is.n_mems, sizeof(LLVMValueRef));
	f.mem_structs = we_arena_array(&f.arena, u->module->is.n_mems, sizeof(LLVMValueRef));
	if (f.locals == NULL || f.mem_bases == NULL || f.mem_structs == NULL)
		abort();
	f.generation = 1;
	begin(&f);
	we_module_reader(u->module, def->body, &r, NULL);
	while (f.labels.len > 0) {
		struct we_instr in;

		if (we_instr_read(&r, &in) < 0)
			abort(); // it was valid
		f.at = in.at;
		func_set_place(&f);
		lower_instr(&f, &in);
	}
	finish(&f);
	LLVMSetCurrentDebugLocation2(u->b, NULL);
	we_vec_fini(&f.values);
	we_vec_fini(&f.labels);
	we_vec_fini(&f.proofs);
	we_arena_fini(&f.arena);
}

void func_set_place(struct func *f)
{
	LLVMSetCurrentDebugLocation2(
		f->u->b, LLVMDIBuilderCreateDebugLocation(f->u->cx, f->at, 0, f->scope, NULL));
}
