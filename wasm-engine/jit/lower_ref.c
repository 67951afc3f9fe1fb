// SPDX-License-Identifier: BSD-3-Clause
// Lowering of references, structures, arrays and exceptions: see lower.h.
//
// Module path 3/6. A reference to an object is an offset from the heap's base; objects move when something is allocated. Allocation
// is a bump in line, the collector a cold call.
// Spec: core "Reference Instructions", "Aggregate Instructions".
#include <stddef.h>
#include <stdlib.h>

#include "abi.h"
#include "aggregate.h"

static LLVMValueRef is_null(struct func *f, LLVMValueRef v)
{
	return LLVMBuildICmp(f->u->b, LLVMIntEQ, v, LLVMConstNull(LLVMTypeOf(v)), "");
}

// Address of a byte of an object.
static LLVMValueRef object_at(struct func *f, LLVMValueRef ref, uint64_t offset)
{
	struct unit *u = f->u;
	LLVMValueRef wide = LLVMBuildZExt(u->b, ref, u->t_i64, "");

	return unit_at(
		u, LLVMBuildInBoundsGEP2(u->b, u->t_i8, func_heap_base(f), &wide, 1, ""), offset);
}

static const struct we_deftype *def_of(struct func *f, we_typeidx type)
{
	return f->u->module->is.types[type].def;
}

// ---- allocation ---------------------------------------------------------------------------------

// Room for an object of n bytes (i64). References among operands and locals are good after it.
static LLVMValueRef allocate(struct func *f, LLVMValueRef n)
{
	struct unit *u = f->u;
	const uint32_t height = func_height(f);
	LLVMValueRef *before = calloc((size_t)height + 1, sizeof(*before));
	LLVMValueRef top_at = unit_at(u, func_heap(f), offsetof(struct we_heap, top));
	LLVMValueRef top = unit_load(u, u->t_i64, top_at, PLACE_RUNTIME);
	LLVMValueRef end = unit_load(u, u->t_i64,
		unit_at(u, func_heap(f), offsetof(struct we_heap, end)), PLACE_RUNTIME);
	LLVMValueRef after = LLVMBuildAdd(u->b, top, n, "");
	LLVMBasicBlockRef done = func_block(f);
	LLVMBasicBlockRef from[2];
	LLVMBasicBlockRef fast;
	LLVMValueRef refs[2];
	LLVMValueRef ref;

	if (before == NULL)
		abort();
	for (uint32_t i = 0; i < height; i++)
		before[i] = ((struct value *)f->values.data)[i].v;
	fast = func_cold_if(f, LLVMBuildICmp(u->b, LLVMIntUGT, after, end, ""));
	func_spill(f);
	refs[1] = func_rt(f, RT_alloc, &n, 1);
	func_reload(f);
	from[1] = LLVMGetInsertBlock(u->b);
	LLVMBuildBr(u->b, done);

	func_go_on(f, fast);
	unit_store(u, after, top_at, PLACE_RUNTIME);
	refs[0] = LLVMBuildTrunc(u->b, top, u->t_i32, "");
	from[0] = fast;
	LLVMBuildBr(u->b, done);

	func_go_on(f, done);
	ref = LLVMBuildPhi(u->b, u->t_i32, "");
	LLVMAddIncoming(ref, refs, from, 2);
	for (uint32_t i = 0; i < height; i++) {
		struct value *value = &((struct value *)f->values.data)[i];
		LLVMValueRef both[] = {before[i], value->v};

		if (value->home != NULL || value->v == before[i])
			continue;
		value->v = LLVMBuildPhi(u->b, LLVMTypeOf(before[i]), "");
		LLVMAddIncoming(value->v, both, from, 2);
	}
	free(before);
	func_forget(f);
	return ref;
}

// A fresh object's header. type: i32.
static void put_header(struct func *f, LLVMValueRef ref, LLVMValueRef type, LLVMValueRef len)
{
	struct unit *u = f->u;

	unit_store(u, type, object_at(f, ref, offsetof(struct we_object, type)), PLACE_HEAP);
	unit_store(u, len, object_at(f, ref, offsetof(struct we_object, len)), PLACE_HEAP);
}

static LLVMValueRef type_id(struct func *f, we_typeidx type)
{
	return unit_load_invariant(
		f->u, f->u->t_i32, func_def(f, type), offsetof(struct we_deftype, id));
}

// ---- fields and elements ------------------------------------------------------------------------

static enum we_kind field_kind(struct func *f, const struct we_field *field)
{
	if (field->type == WE_T_I8 || field->type == WE_T_I16)
		return WE_I32;
	return func_kind(f, field->type);
}

static LLVMTypeRef stored_type(struct func *f, const struct we_field *field)
{
	if (field->type == WE_T_I8)
		return f->u->t_i8;
	if (field->type == WE_T_I16)
		return f->u->t_i16;
	return unit_type(f->u, func_kind(f, field->type));
}

static void put_field(struct func *f, const struct we_field *field, LLVMValueRef at, LLVMValueRef v)
{
	struct unit *u = f->u;

	if (field->type == WE_T_I8 || field->type == WE_T_I16)
		v = LLVMBuildTrunc(u->b, v, stored_type(f, field), "");
	unit_store(u, v, at, PLACE_HEAP);
	LLVMSetAlignment(LLVMGetLastInstruction(LLVMGetInsertBlock(u->b)), 1);
}

static void push_field(
	struct func *f, const struct we_field *field, LLVMValueRef at, bool is_signed)
{
	struct unit *u = f->u;
	LLVMValueRef v = unit_load(u, stored_type(f, field), at, PLACE_HEAP);

	LLVMSetAlignment(v, 1);
	if (field->type == WE_T_I8 || field->type == WE_T_I16)
		v = is_signed ? LLVMBuildSExt(u->b, v, u->t_i32, "")
			      : LLVMBuildZExt(u->b, v, u->t_i32, "");
	func_push(f, v, field_kind(f, field));
}

static LLVMValueRef default_of(struct func *f, const struct we_field *field)
{
	return LLVMConstNull(unit_type(f->u, field_kind(f, field)));
}

// ---- structures ---------------------------------------------------------------------------------

static void struct_new(struct func *f, we_typeidx type, bool is_default)
{
	const struct we_deftype *def = def_of(f, type);
	LLVMValueRef ref = allocate(f, unit_i64(f->u, def->size_bytes));

	put_header(f, ref, type_id(f, type), unit_i32(f->u, 0));
	for (uint32_t i = def->n_fields; i-- > 0;) {
		const struct we_field *field = &def->fields[i];

		put_field(f, field, object_at(f, ref, field->offset),
			is_default ? default_of(f, field) : func_pop(f));
	}
	func_push(f, ref, WE_ANYREF);
}

static void struct_get(struct func *f, const struct we_instr *in)
{
	const struct we_field *field = &def_of(f, in->of.pair.a)->fields[in->of.pair.b];
	LLVMValueRef ref = func_pop(f);

	func_trap_if(f, is_null(f, ref), WE_TRAP_NULL_STRUCT_REFERENCE);
	push_field(f, field, object_at(f, ref, field->offset), in->op == WE_OP_STRUCT_GET_S);
}

static void struct_set(struct func *f, const struct we_instr *in)
{
	const struct we_field *field = &def_of(f, in->of.pair.a)->fields[in->of.pair.b];
	LLVMValueRef v = func_pop(f);
	LLVMValueRef ref = func_pop(f);

	func_trap_if(f, is_null(f, ref), WE_TRAP_NULL_STRUCT_REFERENCE);
	func_before_store(f, false);
	put_field(f, field, object_at(f, ref, field->offset), v);
}

// ---- arrays -------------------------------------------------------------------------------------

static LLVMValueRef array_len(struct func *f, LLVMValueRef ref)
{
	func_trap_if(f, is_null(f, ref), WE_TRAP_NULL_ARRAY_REFERENCE);
	return unit_load(
		f->u, f->u->t_i32, object_at(f, ref, offsetof(struct we_object, len)), PLACE_HEAP);
}

// Address of an element, checked.
static LLVMValueRef array_element(
	struct func *f, const struct we_deftype *def, LLVMValueRef ref, LLVMValueRef i)
{
	struct unit *u = f->u;
	LLVMValueRef len = array_len(f, ref);
	LLVMValueRef by;

	func_trap_if(f, LLVMBuildICmp(u->b, LLVMIntUGE, i, len, ""), WE_TRAP_ARRAY_OUT_OF_BOUNDS);
	by = LLVMBuildShl(u->b, LLVMBuildZExt(u->b, i, u->t_i64, ""),
		unit_i64(u, def->fields[0].storage), "");
	return LLVMBuildInBoundsGEP2(
		u->b, u->t_i8, object_at(f, ref, def->fields[0].offset), &by, 1, "");
}

static void array_get(struct func *f, const struct we_instr *in)
{
	const struct we_deftype *def = def_of(f, in->of.idx);
	LLVMValueRef i = func_pop(f);
	LLVMValueRef at = array_element(f, def, func_pop(f), i);

	push_field(f, &def->fields[0], at, in->op == WE_OP_ARRAY_GET_S);
}

static void array_set(struct func *f, const struct we_instr *in)
{
	const struct we_deftype *def = def_of(f, in->of.idx);
	LLVMValueRef v = func_pop(f);
	LLVMValueRef i = func_pop(f);
	LLVMValueRef at = array_element(f, def, func_pop(f), i);

	func_before_store(f, false);
	put_field(f, &def->fields[0], at, v);
}

// Where the runtime reads an operand that lies height operands from below: its cell, if a collection may move it.
static LLVMValueRef operand_slot(struct func *f, const struct value *v, uint32_t height)
{
	LLVMValueRef slots;

	if (v->kind == WE_ANYREF || v->kind == WE_EXNREF || v->kind == WE_EXTERNREF)
		return func_cell_of(f, height);
	slots = func_slots(f, 2);
	unit_put_slot(f->u, v->v, v->kind, slots);
	return slots;
}

static void array_new(struct func *f, we_typeidx type, bool is_default)
{
	struct unit *u = f->u;
	LLVMValueRef args[3];

	args[0] = unit_i32(u, type);
	args[2] = func_pop(f);
	func_spill(f);
	args[1] = is_default ? LLVMConstNull(u->t_ptr)
			     : operand_slot(f, func_top(f, 0), func_height(f) - 1);
	args[0] = func_rt(f, RT_array_new, args, 3);
	func_reload(f);
	if (!is_default)
		(void)func_pop(f);
	func_push(f, args[0], WE_ANYREF);
}

static void array_new_fixed(struct func *f, we_typeidx type, uint32_t n)
{
	const struct we_deftype *def = def_of(f, type);
	const struct we_field *field = &def->fields[0];
	LLVMValueRef ref = allocate(f, unit_i64(f->u, we_array_bytes(def, n)));

	put_header(f, ref, type_id(f, type), unit_i32(f->u, n));
	for (uint32_t i = n; i-- > 0;) {
		LLVMValueRef at =
			object_at(f, ref, field->offset + ((uint64_t)i << field->storage));

		put_field(f, field, at, func_pop(f));
	}
	func_push(f, ref, WE_ANYREF);
}

static void array_new_segment(struct func *f, const struct we_instr *in)
{
	struct unit *u = f->u;
	LLVMValueRef args[4];

	args[0] = unit_i32(u, in->of.pair.a);
	args[1] = unit_i32(u, in->of.pair.b);
	args[3] = func_pop(f);
	args[2] = func_pop(f);
	func_spill(f);
	args[0] = func_rt(
		f, in->op == WE_OP_ARRAY_NEW_DATA ? RT_array_new_data : RT_array_new_elem, args, 4);
	func_reload(f);
	func_push(f, args[0], WE_ANYREF);
}

static void array_fill(struct func *f, we_typeidx type)
{
	struct unit *u = f->u;
	LLVMValueRef slots = func_slots(f, 2);
	LLVMValueRef args[5];
	struct value v;

	args[0] = unit_i32(u, type);
	args[4] = func_pop(f);
	v = func_pop_value(f);
	args[2] = func_pop(f);
	args[1] = func_pop(f);
	unit_put_slot(u, v.v, v.kind, slots);
	args[3] = slots;
	(void)func_rt(f, RT_array_fill, args, 5);
}

static void array_copy(struct func *f, we_typeidx type)
{
	LLVMValueRef args[6];

	args[0] = unit_i32(f->u, type);
	for (unsigned i = 6; i-- > 1;)
		args[i] = func_pop(f);
	(void)func_rt(f, RT_array_copy, args, 6);
}

static void array_init(struct func *f, const struct we_instr *in)
{
	LLVMValueRef args[6];

	args[0] = unit_i32(f->u, in->of.pair.a);
	args[5] = func_pop(f);
	args[4] = func_pop(f);
	args[3] = unit_i32(f->u, in->of.pair.b);
	args[2] = func_pop(f);
	args[1] = func_pop(f);
	(void)func_rt(f, in->op == WE_OP_ARRAY_INIT_DATA ? RT_array_init_data : RT_array_init_elem,
		args, 6);
}

// ---- casts --------------------------------------------------------------------------------------

static LLVMValueRef by_runtime(struct func *f, struct value v, uint32_t what, we_typeidx type)
{
	LLVMValueRef args[] = {func_to_slot(f, v), unit_i32(f->u, what), unit_i32(f->u, type)};

	return LLVMBuildICmp(
		f->u->b, LLVMIntNE, func_rt(f, RT_ref_test, args, 3), unit_i32(f->u, 0), "");
}

// Is an object that is no null of exactly that structure or array type, or below it?
static LLVMValueRef is_object_of(struct func *f, struct value v, we_typeidx type)
{
	struct unit *u = f->u;
	const bool is_final = u->module->is.types[type].is_final;
	LLVMBasicBlockRef from[3];
	LLVMValueRef results[3];
	LLVMBasicBlockRef done = func_block(f);
	LLVMBasicBlockRef object = func_block(f);
	LLVMValueRef is_i31;
	LLVMValueRef is_same;
	LLVMValueRef phi;
	unsigned n = 0;

	is_i31 = LLVMBuildICmp(
		u->b, LLVMIntNE, LLVMBuildAnd(u->b, v.v, unit_i32(u, 1), ""), unit_i32(u, 0), "");
	results[n] = LLVMConstInt(u->t_i1, 0, false);
	from[n++] = LLVMGetInsertBlock(u->b);
	LLVMBuildCondBr(u->b, is_i31, done, object);
	func_go_on(f, object);
	is_same = LLVMBuildICmp(u->b, LLVMIntEQ,
		unit_load(u, u->t_i32, object_at(f, v.v, offsetof(struct we_object, type)),
			PLACE_HEAP),
		type_id(f, type), "");
	results[n] = is_same;
	from[n++] = object;
	if (is_final) {
		LLVMBuildBr(u->b, done);
	} else {
		LLVMBasicBlockRef other = func_block(f);

		LLVMBuildCondBr(u->b, is_same, done, other);
		func_go_on(f, other);
		results[n] = by_runtime(f, v, 0, type);
		from[n++] = LLVMGetInsertBlock(u->b);
		LLVMBuildBr(u->b, done);
	}
	func_go_on(f, done);
	phi = LLVMBuildPhi(u->b, u->t_i1, "");
	LLVMAddIncoming(phi, results, from, n);
	func_forget(f);
	return phi;
}

// Is the reference of the type? as it stands in the instruction: a type index of the module, or abstract.
static LLVMValueRef test(struct func *f, struct value v, we_valtype type)
{
	struct unit *u = f->u;
	const bool is_nullable = (type & WE_T_NULL) != 0;
	const uint32_t heap = type & 0xff;
	LLVMBasicBlockRef from[2];
	LLVMValueRef results[2];
	LLVMBasicBlockRef some;
	LLVMBasicBlockRef done;
	LLVMValueRef phi;

	if (!(type & WE_T_INDEX) && heap == WE_HEAP_I31) {
		LLVMValueRef is_i31 = LLVMBuildTrunc(u->b, v.v, u->t_i1, "");

		return is_nullable ? LLVMBuildOr(u->b, is_i31, is_null(f, v.v), "") : is_i31;
	}
	if (!(type & WE_T_INDEX))
		return by_runtime(f, v, heap | (is_nullable ? WE_TEST_NULL : 0), 0);
	if (v.kind != WE_ANYREF)
		return by_runtime(f, v, is_nullable ? WE_TEST_NULL : 0, type & WE_T_INDEX_MASK);
	some = func_block(f);
	done = func_block(f);
	results[0] = LLVMConstInt(u->t_i1, is_nullable, false);
	from[0] = LLVMGetInsertBlock(u->b);
	LLVMBuildCondBr(u->b, is_null(f, v.v), done, some);
	func_go_on(f, some);
	results[1] = is_object_of(f, v, type & WE_T_INDEX_MASK);
	from[1] = LLVMGetInsertBlock(u->b);
	LLVMBuildBr(u->b, done);
	func_go_on(f, done);
	phi = LLVMBuildPhi(u->b, u->t_i1, "");
	LLVMAddIncoming(phi, results, from, 2);
	func_forget(f);
	return phi;
}

static LLVMValueRef not(struct func *f, LLVMValueRef v)
{
	return LLVMBuildNot(f->u->b, v, "");
}

// ---- exceptions ---------------------------------------------------------------------------------

// The place of the throw is the backtrace of an exception that nobody catches.
static void note_place(struct func *f)
{
	struct unit *u = f->u;
	LLVMValueRef store = func_store(f);
	LLVMValueRef module =
		unit_load_invariant(u, u->t_ptr, f->inst, offsetof(struct we_instance, module));

	unit_store(u, module, unit_at(u, store, offsetof(struct we_store, frames[0].module)),
		PLACE_RUNTIME);
	unit_store(u, unit_i32(u, f->idx),
		unit_at(u, store, offsetof(struct we_store, frames[0].func)), PLACE_RUNTIME);
	unit_store(u, unit_i32(u, f->at),
		unit_at(u, store, offsetof(struct we_store, frames[0].at)), PLACE_RUNTIME);
	unit_store(u, unit_i32(u, 1), unit_at(u, store, offsetof(struct we_store, n_frames)),
		PLACE_RUNTIME);
}

static void throw_exception(struct func *f, LLVMValueRef ref)
{
	func_before_fault(f);
	note_place(f);
	unit_store(f->u, LLVMBuildZExt(f->u->b, ref, f->u->t_i64, ""), func_exception_at(f),
		PLACE_RUNTIME);
	lower_exception(f);
	func_end_block(f);
}

static void throw_tag(struct func *f, we_tagidx tag)
{
	struct unit *u = f->u;
	const struct we_functype *type = u->module->is.tags[tag].type;
	LLVMValueRef ref = allocate(f, unit_i64(u, we_exn_bytes(type->n_param_slots)));
	uint64_t offset = offsetof(struct we_exn, args) + 8 * (uint64_t)type->n_param_slots;

	put_header(f, ref, unit_i32(u, WE_OBJECT_EXN), unit_i32(u, type->n_param_slots));
	unit_store(
		u, func_tag(f, tag), object_at(f, ref, offsetof(struct we_exn, tag)), PLACE_HEAP);
	for (uint32_t i = type->n_params; i-- > 0;) {
		struct value v = func_pop_value(f);

		offset -= v.kind == WE_V128 ? 16 : 8;
		if (v.kind == WE_ANYREF || v.kind == WE_EXNREF) // the whole slot counts
			v.v = LLVMBuildZExt(u->b, v.v, u->t_i64, "");
		unit_store(u, v.v, object_at(f, ref, offset), PLACE_HEAP);
		LLVMSetAlignment(LLVMGetLastInstruction(LLVMGetInsertBlock(u->b)), 8);
	}
	throw_exception(f, ref);
}

// ---- the instructions ---------------------------------------------------------------------------

static void push_null(struct func *f, we_valtype heap)
{
	enum we_kind kind;

	(void)we_module_resolve_type(f->u->module, &heap);
	kind = func_kind(f, heap);
	func_push(f, LLVMConstNull(unit_type(f->u, kind)), kind);
}

static void push_bool(struct func *f, LLVMValueRef v)
{
	func_push(f, LLVMBuildZExt(f->u->b, v, f->u->t_i32, ""), WE_I32);
}

static void get_i31(struct func *f, bool is_signed)
{
	struct unit *u = f->u;
	LLVMValueRef ref = func_pop(f);

	func_trap_if(f, is_null(f, ref), WE_TRAP_NULL_I31_REFERENCE);
	func_push(f,
		is_signed ? LLVMBuildAShr(u->b, ref, unit_i32(u, 1), "")
			  : LLVMBuildLShr(u->b, ref, unit_i32(u, 1), ""),
		WE_I32);
}

static bool lower_aggregate(struct func *f, const struct we_instr *in)
{
	switch (in->op) {
	case WE_OP_STRUCT_NEW:
	case WE_OP_STRUCT_NEW_DEFAULT:
		struct_new(f, in->of.idx, in->op == WE_OP_STRUCT_NEW_DEFAULT);
		return true;
	case WE_OP_STRUCT_GET:
	case WE_OP_STRUCT_GET_S:
	case WE_OP_STRUCT_GET_U:
		struct_get(f, in);
		return true;
	case WE_OP_STRUCT_SET:
		struct_set(f, in);
		return true;
	case WE_OP_ARRAY_NEW:
	case WE_OP_ARRAY_NEW_DEFAULT:
		array_new(f, in->of.idx, in->op == WE_OP_ARRAY_NEW_DEFAULT);
		return true;
	case WE_OP_ARRAY_NEW_FIXED:
		array_new_fixed(f, in->of.pair.a, in->of.pair.b);
		return true;
	case WE_OP_ARRAY_NEW_DATA:
	case WE_OP_ARRAY_NEW_ELEM:
		array_new_segment(f, in);
		return true;
	case WE_OP_ARRAY_GET:
	case WE_OP_ARRAY_GET_S:
	case WE_OP_ARRAY_GET_U:
		array_get(f, in);
		return true;
	case WE_OP_ARRAY_SET:
		array_set(f, in);
		return true;
	case WE_OP_ARRAY_LEN:
		func_push(f, array_len(f, func_pop(f)), WE_I32);
		return true;
	case WE_OP_ARRAY_FILL:
		array_fill(f, in->of.idx);
		return true;
	case WE_OP_ARRAY_COPY:
		array_copy(f, in->of.pair.a);
		return true;
	case WE_OP_ARRAY_INIT_DATA:
	case WE_OP_ARRAY_INIT_ELEM:
		array_init(f, in);
		return true;
	default:
		return false;
	}
}

static void cast(struct func *f, we_valtype type)
{
	const struct value v = *func_top(f, 0);

	func_trap_if(f, not(f, test(f, v, type)), WE_TRAP_CAST_FAILURE);
}

static bool lower_test(struct func *f, const struct we_instr *in)
{
	struct value v;

	switch (in->op) {
	case WE_OP_REF_IS_NULL:
		push_bool(f, is_null(f, func_pop(f)));
		return true;
	case WE_OP_REF_AS_NON_NULL:
		func_trap_if(f, is_null(f, func_top(f, 0)->v), WE_TRAP_NULL_REFERENCE);
		return true;
	case WE_OP_REF_TEST:
	case WE_OP_REF_TEST_NULL:
		v = func_pop_value(f);
		push_bool(f, test(f, v, in->of.heap));
		return true;
	case WE_OP_REF_CAST:
	case WE_OP_REF_CAST_NULL:
		cast(f, in->of.heap);
		return true;
	case WE_OP_BR_ON_NULL:
		v = func_pop_value(f);
		lower_branch_if(f, is_null(f, v.v), in->of.idx);
		func_push(f, v.v, v.kind);
		return true;
	case WE_OP_BR_ON_NON_NULL:
		lower_branch_if(f, not(f, is_null(f, func_top(f, 0)->v)), in->of.idx);
		(void)func_pop(f);
		return true;
	case WE_OP_BR_ON_CAST:
		lower_branch_if(f, test(f, *func_top(f, 0), in->of.cast.to), in->of.cast.label);
		return true;
	case WE_OP_BR_ON_CAST_FAIL:
		lower_branch_if(
			f, not(f, test(f, *func_top(f, 0), in->of.cast.to)), in->of.cast.label);
		return true;
	default:
		return false;
	}
}

bool lower_ref(struct func *f, const struct we_instr *in)
{
	struct unit *u = f->u;
	struct value v;
	LLVMValueRef arg;

	if (lower_aggregate(f, in) || lower_test(f, in))
		return true;
	switch (in->op) {
	case WE_OP_REF_NULL:
		push_null(f, in->of.heap);
		return true;
	case WE_OP_REF_FUNC:
		func_push(f, func_funcref(f, in->of.idx), WE_FUNCREF);
		return true;
	case WE_OP_REF_EQ:
		arg = func_pop(f);
		push_bool(f, LLVMBuildICmp(u->b, LLVMIntEQ, func_pop(f), arg, ""));
		return true;
	case WE_OP_REF_I31:
		arg = LLVMBuildShl(u->b, func_pop(f), unit_i32(u, 1), "");
		func_push(f, LLVMBuildOr(u->b, arg, unit_i32(u, 1), ""), WE_ANYREF);
		return true;
	case WE_OP_I31_GET_S:
	case WE_OP_I31_GET_U:
		get_i31(f, in->op == WE_OP_I31_GET_S);
		return true;
	case WE_OP_ANY_CONVERT_EXTERN:
		arg = func_pop(f);
		func_spill(f);
		arg = func_rt(f, RT_any_convert_extern, &arg, 1);
		func_reload(f);
		func_push(f, arg, WE_ANYREF);
		return true;
	case WE_OP_EXTERN_CONVERT_ANY:
		arg = func_pop(f);
		func_push(f, func_rt(f, RT_extern_convert_any, &arg, 1), WE_EXTERNREF);
		return true;
	case WE_OP_THROW:
		throw_tag(f, in->of.idx);
		return true;
	case WE_OP_THROW_REF:
		v = func_pop_value(f);
		func_trap_if(f, is_null(f, v.v), WE_TRAP_NULL_EXCEPTION_REFERENCE);
		throw_exception(f, v.v);
		return true;
	default:
		return false;
	}
}
