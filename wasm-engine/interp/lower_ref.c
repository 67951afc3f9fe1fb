// SPDX-License-Identifier: BSD-3-Clause
// Instructions -> operations: references, structures, arrays, exceptions.
//
// Module path 3/6. What can collect has its references in the homes of its operands, which it still takes to be on
// the stack: the map of the operation names them.
// Owns:   nothing. Thread: any.
// Spec:   core "Reference Instructions", "Aggregate Instructions", "Control Instructions".
#include "xlate.h"

#include "aggregate.h"

static const struct we_deftype *type_at(const struct we_xlate *t, we_typeidx idx)
{
	return t->module->is.types[idx].def;
}

static we_valtype ref_to(const struct we_deftype *def)
{
	return WE_T_REF | WE_T_INDEX | def->id;
}

static we_valtype unpacked(we_valtype type)
{
	return type == WE_T_I8 || type == WE_T_I16 ? WE_T_I32 : type;
}

// What we_ref_test takes for a type.
static uint32_t test_of(we_valtype type, const struct we_xlate *t, uint64_t *ret_def)
{
	const uint32_t null = type & WE_T_NULL ? WE_TEST_NULL : 0;

	*ret_def = 0;
	if (!(type & WE_T_INDEX))
		return null | (type & WE_T_INDEX_MASK);
	*ret_def = (uintptr_t)we_engine_type(t->module->engine, type & WE_T_INDEX_MASK);
	return null;
}

// ---- references ----------------------------------------------------------------------------------

// The operand, just popped and tested, is back on the stack where it was, with a type of its own.
static void push_again(struct we_xlate *t, const struct we_x_operand *o, we_valtype type)
{
	if (o->where == CONSTANT)
		we_x_push_constant(t, type, o->bits[0]);
	else if (o->where == IN_LOCAL)
		we_x_push_local(t, o->local);
	else
		(void)we_x_push(t, type);
	if (t->rc == 0)
		operand_at(t, n_operands(t) - 1)->type = type;
}

// ref.as_non_null, ref.cast: a trap, or nothing.
void we_lower_ref_check(
	struct we_xlate *t, const struct we_instr *in, const struct we_lowering *how)
{
	const struct we_x_operand x = we_x_pop(t);
	const uint32_t a = we_x_slot_of(t, &x);
	const bool is_cast = how->icode == WE_I_REF_CAST;
	const we_valtype type = is_cast ? in->of.heap : x.type & ~WE_T_NULL;
	uint64_t def = 0;

	if (is_cast) {
		const uint32_t test = test_of(type, t, &def);

		we_x_emit_imm(t, how->icode, a, 0, test, def);
	} else {
		we_x_emit_imm(t, how->icode, a, 0, WE_TRAP_NULL_REFERENCE, 0);
	}
	push_again(t, &x, type);
}

void we_lower_ref_test(struct we_xlate *t, const struct we_instr *in, const struct we_lowering *how)
{
	const struct we_x_operand x = we_x_pop(t);
	const uint32_t b = we_x_slot_of(t, &x);
	const uint32_t a = we_x_push_result(t, WE_T_I32);
	uint64_t def;
	const uint32_t test = test_of(in->of.heap, t, &def);
	const uint32_t word = here(t);

	we_x_emit_imm(t, how->icode, a, b, test, def);
	we_x_mark_result(t, word);
}

// arg: the heap type of the result.
void we_lower_ref_unary(
	struct we_xlate *t, const struct we_instr *in, const struct we_lowering *how)
{
	const bool can_collect = how->icode == WE_I_ANY_CONVERT_EXTERN;
	struct we_x_operand x;
	uint32_t a;
	uint32_t b;
	uint32_t word;

	(void)in;
	if (can_collect) {
		we_x_top_home(t, 1);
		we_x_note_map(t);
	}
	x = we_x_pop(t);
	b = we_x_slot_of(t, &x);
	a = we_x_push_result(t, WE_T_REF | (x.type & WE_T_NULL) | how->arg);
	word = here(t);
	we_x_emit(t, how->icode, a, b, 0, 0);
	we_x_mark_result(t, word);
}

// An i32 of a reference.
void we_lower_i31_get(struct we_xlate *t, const struct we_instr *in, const struct we_lowering *how)
{
	const struct we_x_operand x = we_x_pop(t);
	const uint32_t b = we_x_slot_of(t, &x);
	const uint32_t a = we_x_push_result(t, WE_T_I32);
	const uint32_t word = here(t);

	(void)in;
	we_x_emit(t, how->icode, a, b, 0, 0);
	we_x_mark_result(t, word);
}

// A slot beyond the operand stack.
static uint32_t scratch_slot(struct we_xlate *t)
{
	we_x_need_slots(t, t->top + 1);
	return t->top;
}

// arg: the branch takes what is not null.
void we_lower_br_on_null(
	struct we_xlate *t, const struct we_instr *in, const struct we_lowering *how)
{
	struct we_x_operand x;
	uint32_t flag;

	we_x_top_home(t, 1);
	flag = scratch_slot(t);
	x = we_x_pop(t);
	we_x_emit_imm(t, how->icode, flag, x.home, 0, 0);
	we_x_forget_last(t);
	if (how->arg != 0)
		(void)we_x_push(t, x.type & ~WE_T_NULL);
	we_x_branch_if(t, in->of.idx, flag);
	if (how->arg != 0)
		(void)we_x_pop(t);
	else
		(void)we_x_push(t, x.type & ~WE_T_NULL);
}

// arg: the branch takes what fails.
void we_lower_br_on_cast(
	struct we_xlate *t, const struct we_instr *in, const struct we_lowering *how)
{
	const we_valtype from = in->of.cast.from;
	const we_valtype to = in->of.cast.to;
	const we_valtype rest = to & WE_T_NULL ? from & ~WE_T_NULL : from;
	const bool is_fail = how->arg != 0;
	uint64_t def;
	const uint32_t test = test_of(to, t, &def);
	uint32_t flag;

	we_x_top_home(t, 1);
	flag = scratch_slot(t);
	if (t->rc != 0)
		return;
	we_x_emit_imm(t, how->icode, flag, operand_at(t, n_operands(t) - 1)->home, test, def);
	if (is_fail)
		we_x_emit_imm(t, WE_I_I32_EQ_I, flag, flag, 0, 0);
	we_x_forget_last(t);
	if (t->rc != 0)
		return;
	operand_at(t, n_operands(t) - 1)->type = is_fail ? rest : to;
	we_x_branch_if(t, in->of.cast.label, flag);
	if (t->rc == 0)
		operand_at(t, n_operands(t) - 1)->type = is_fail ? to : rest;
}

// arg: a tail call.
void we_lower_call_ref(struct we_xlate *t, const struct we_instr *in, const struct we_lowering *how)
{
	const struct we_functype *type = type_at(t, in->of.idx)->func;
	const struct we_x_operand func = we_x_pop(t);
	const uint32_t b = we_x_slot_of(t, &func);
	const uint32_t callee = we_x_pop_arguments(t, type);

	we_x_emit(t, how->icode, callee, b, 0, 0);
	if (how->arg != 0)
		we_x_die(t);
	else
		we_x_push_types(t, we_functype_results(type), type->n_results);
}

// ---- structures ----------------------------------------------------------------------------------

// The topmost n operands at home, where a collection finds them, and then popped. Returns: the slot of the first.
static uint32_t pop_at_home(struct we_xlate *t, uint32_t n)
{
	we_x_top_home(t, n);
	we_x_note_map(t);
	we_x_pop_n(t, n);
	return t->top;
}

void we_lower_struct_new(
	struct we_xlate *t, const struct we_instr *in, const struct we_lowering *how)
{
	const struct we_deftype *def = type_at(t, in->of.idx);
	const bool is_default = in->op == WE_OP_STRUCT_NEW_DEFAULT;
	const uint32_t b = pop_at_home(t, is_default ? 0 : def->n_fields);
	const uint32_t a = we_x_push_result(t, ref_to(def));
	const uint32_t word = here(t);

	we_x_emit_imm(t, how->icode, a, b, 0, (uintptr_t)def);
	we_x_mark_result(t, word);
}

// The operation that reads from a place of that storage. The forms of structures and arrays stand in the same order.
static enum we_icode get_icode(enum we_icode first, enum we_storage storage, bool is_unsigned)
{
	switch (storage) {
	case WE_STORE_8:
		return (enum we_icode)(first + (is_unsigned ? 1 : 0));
	case WE_STORE_16:
		return (enum we_icode)(first + 2 + (is_unsigned ? 1 : 0));
	default:
		return (enum we_icode)((unsigned)first + 4 + (unsigned)storage - WE_STORE_32);
	}
}

static enum we_icode set_icode(enum we_icode first, enum we_storage storage)
{
	return (enum we_icode)((unsigned)first + (unsigned)storage);
}

_Static_assert(WE_I_STRUCT_GET_128 == WE_I_STRUCT_GET_8_S + 6 &&
		       WE_I_ARRAY_GET_128 == WE_I_ARRAY_GET_8_S + 6 &&
		       WE_I_STRUCT_SET_128 == WE_I_STRUCT_SET_8 + 4 &&
		       WE_I_ARRAY_SET_128 == WE_I_ARRAY_SET_8 + 4,
	"forms by storage");

// arg: a packed field is zero-extended.
void we_lower_struct_get(
	struct we_xlate *t, const struct we_instr *in, const struct we_lowering *how)
{
	const struct we_field *field = &type_at(t, in->of.pair.a)->fields[in->of.pair.b];
	const struct we_x_operand x = we_x_pop(t);
	const uint32_t b = we_x_slot_of(t, &x);
	const uint32_t a = we_x_push_result(t, unpacked(field->type));
	const uint32_t word = here(t);

	we_x_emit_imm(t,
		get_icode(WE_I_STRUCT_GET_8_S, (enum we_storage)field->storage, how->arg != 0), a,
		b, field->offset, 0);
	we_x_mark_result(t, word);
}

void we_lower_struct_set(
	struct we_xlate *t, const struct we_instr *in, const struct we_lowering *how)
{
	const struct we_field *field = &type_at(t, in->of.pair.a)->fields[in->of.pair.b];
	const struct we_x_operand value = we_x_pop(t);
	const struct we_x_operand x = we_x_pop(t);
	const uint32_t a = we_x_slot_of(t, &x);
	const uint32_t b = we_x_slot_of(t, &value);

	(void)how;
	we_x_emit_imm(t, set_icode(WE_I_STRUCT_SET_8, (enum we_storage)field->storage), a, b,
		field->offset, 0);
}

// ---- arrays --------------------------------------------------------------------------------------

static enum we_storage storage_of(const struct we_deftype *array)
{
	return (enum we_storage)array->fields[0].storage;
}

void we_lower_array_new(
	struct we_xlate *t, const struct we_instr *in, const struct we_lowering *how)
{
	const bool is_single = in->op == WE_OP_ARRAY_NEW || in->op == WE_OP_ARRAY_NEW_DEFAULT;
	const we_typeidx idx = is_single ? in->of.idx : in->of.pair.a;
	const struct we_deftype *def = type_at(t, idx);
	const uint32_t n_fixed = in->op == WE_OP_ARRAY_NEW_FIXED ? in->of.pair.b : 0;
	const uint32_t n = in->op == WE_OP_ARRAY_NEW_FIXED     ? n_fixed
			   : in->op == WE_OP_ARRAY_NEW_DEFAULT ? 1
							       : 2;
	const uint32_t n_first = in->op == WE_OP_ARRAY_NEW ? // slots of b
					 we_valtype_n_slots(def->fields[0].type)
							   : 1;
	const uint32_t b = pop_at_home(t, n);
	const uint32_t a = we_x_push_result(t, ref_to(def));
	const uint32_t word = here(t);

	if (n_fixed > 0 || in->op == WE_OP_ARRAY_NEW_FIXED || n == 1) {
		we_x_emit_imm(t, how->icode, a, b, n_fixed, (uintptr_t)def);
	} else {
		we_x_emit(t, how->icode, a, b, b + n_first, 0);
		if (t->rc == 0)
			op_at(t, word)->x[0] =
				is_single ? (uintptr_t)def : we_x_pair(idx, in->of.pair.b);
	}
	we_x_mark_result(t, word);
}

// arg: a packed element is zero-extended.
void we_lower_array_get(
	struct we_xlate *t, const struct we_instr *in, const struct we_lowering *how)
{
	const struct we_deftype *def = type_at(t, in->of.idx);
	const struct we_x_operand i = we_x_pop(t);
	const struct we_x_operand x = we_x_pop(t);
	const uint32_t b = we_x_slot_of(t, &x);
	const uint32_t c = we_x_slot_of(t, &i);
	const uint32_t a = we_x_push_result(t, unpacked(def->fields[0].type));
	const uint32_t word = here(t);

	we_x_emit(t, get_icode(WE_I_ARRAY_GET_8_S, storage_of(def), how->arg != 0), a, b, c, 0);
	we_x_mark_result(t, word);
}

void we_lower_array_set(
	struct we_xlate *t, const struct we_instr *in, const struct we_lowering *how)
{
	const struct we_deftype *def = type_at(t, in->of.idx);
	const struct we_x_operand value = we_x_pop(t);
	const struct we_x_operand i = we_x_pop(t);
	const struct we_x_operand x = we_x_pop(t);
	const uint32_t a = we_x_slot_of(t, &x);
	const uint32_t b = we_x_slot_of(t, &i);
	const uint32_t c = we_x_slot_of(t, &value);

	(void)how;
	we_x_emit(t, set_icode(WE_I_ARRAY_SET_8, storage_of(def)), a, b, c, 0);
}

// Four operands and no result. arg: a segment is named.
void we_lower_array_bulk(
	struct we_xlate *t, const struct we_instr *in, const struct we_lowering *how)
{
	const bool has_segment = how->arg != 0;
	const struct we_deftype *def = type_at(t, has_segment ? in->of.pair.a : in->of.idx);
	struct we_x_operand o[4];
	uint32_t slots[4];
	uint32_t word;

	for (uint32_t i = 4; i > 0; i--)
		o[i - 1] = we_x_pop(t);
	for (uint32_t i = 0; i < 4; i++)
		slots[i] = we_x_slot_of(t, &o[i]);
	word = here(t);
	we_x_emit(t, how->icode, slots[0], slots[1], slots[2], slots[3]);
	if (t->rc == 0)
		op_at(t, word)->x[0] =
			has_segment ? we_x_pair(storage_of(def), in->of.pair.b) : storage_of(def);
}

void we_lower_array_copy(
	struct we_xlate *t, const struct we_instr *in, const struct we_lowering *how)
{
	we_x_top_home(t, 5);
	we_x_pop_n(t, 5);
	we_x_emit_imm(t, how->icode, t->top, 0, storage_of(type_at(t, in->of.pair.a)), 0);
}

// ---- exceptions ----------------------------------------------------------------------------------

void we_lower_throw(struct we_xlate *t, const struct we_instr *in, const struct we_lowering *how)
{
	const bool is_ref = in->op == WE_OP_THROW_REF;
	const uint32_t n = is_ref ? 1 : t->module->is.tags[in->of.idx].type->n_params;
	const uint32_t a = pop_at_home(t, n);

	we_x_emit_imm(t, how->icode, a, 0, is_ref ? 0 : in->of.idx, 0);
	we_x_die(t);
}
