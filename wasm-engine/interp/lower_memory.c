// SPDX-License-Identifier: BSD-3-Clause
// Instructions -> operations: memories, tables, and references to functions.
//
// Module path 3/6. A load or store takes in how its address is computed, as far as that still stands ahead of it. Owns:
// nothing. Thread: any.
// Spec:   core "Memory Instructions", "Table Instructions".
#include "xlate.h"

#include <assert.h>
#include <string.h>

// ---- memory --------------------------------------------------------------------------------------

// The forms of a load or store follow it in the table.
enum {
	FORM_CONST_ADDRESS = 1,
	FORM_ANY_MEMORY = 2,
	FORM_SUM = 3,
	FORM_INDEXED = 4,
	FORM_SCALED = 5, // loads
	FORM_SCALED_INDEXED = 6,
	FORM_THROUGH_POINTER = 7,
	FORM_CONST_VALUE = 5, // stores
	FORM_SUM_CONST_VALUE = 6
};
static_assert(WE_I_I32_LOAD_K == WE_I_I32_LOAD + FORM_CONST_ADDRESS &&
		      WE_I_I32_LOAD_M == WE_I_I32_LOAD + FORM_ANY_MEMORY &&
		      WE_I_I32_LOAD_W == WE_I_I32_LOAD + FORM_SUM &&
		      WE_I_I32_LOAD_X == WE_I_I32_LOAD + FORM_INDEXED &&
		      WE_I_I32_LOAD_S == WE_I_I32_LOAD + FORM_SCALED &&
		      WE_I_I32_LOAD_SX == WE_I_I32_LOAD + FORM_SCALED_INDEXED &&
		      WE_I_I32_LOAD_L == WE_I_I32_LOAD + FORM_THROUGH_POINTER,
	"load forms");
static_assert(WE_I_I32_STORE_K == WE_I_I32_STORE + FORM_CONST_ADDRESS &&
		      WE_I_I32_STORE_M == WE_I_I32_STORE + FORM_ANY_MEMORY &&
		      WE_I_I32_STORE_W == WE_I_I32_STORE + FORM_SUM &&
		      WE_I_I32_STORE_X == WE_I_I32_STORE + FORM_INDEXED &&
		      WE_I_I32_STORE_C == WE_I_I32_STORE + FORM_CONST_VALUE &&
		      WE_I_I32_STORE_CW == WE_I_I32_STORE + FORM_SUM_CONST_VALUE,
	"store forms");

static enum we_icode form(enum we_icode icode, uint32_t n)
{
	return (enum we_icode)(icode + n);
}

static bool is_memory_64(const struct we_xlate *t, we_memidx mem)
{
	return t->module->is.mems[mem].type.limits.is_64;
}

// Is it the memory that the registers hold, with 32-bit addresses?
static bool is_memory_0(const struct we_xlate *t, const struct we_memarg *arg)
{
	return arg->mem == 0 && !is_memory_64(t, 0);
}

// Is the whole address known, and in 32 bits?
static bool is_const_address(
	const struct we_xlate *t, const struct we_x_operand *address, const struct we_memarg *arg)
{
	return address->where == CONSTANT && is_memory_0(t, arg) &&
	       address->bits[0] + arg->offset <= UINT32_MAX;
}

// A constant of 16 bits as one of 32.
static uint32_t sign_extended(uint16_t x)
{
	const int32_t value = (int16_t)x;

	return (uint32_t)value;
}

// What an access needs to compute its address on the way.
struct address {
	uint32_t form; // 0: none of these; the address is in a slot
	uint16_t b;    // as in the load's form
	uint16_t c;
	uint16_t d;
	uint32_t sum;   // constant to be added in 32 bits
	uint32_t first; // THROUGH_POINTER: where the first load stands in the module
};

// Is the address of an access at offset computed by the last operation, whose result is used up, or a sum with a
// constant? Takes that operation back. last: of the forms that the access has.
static struct address take_address(struct we_xlate *t, const struct we_x_operand *o,
	const struct we_memarg *arg, uint32_t last)
{
	struct address at = {.sum = o->addend};
	const struct we_iop *op;

	if (t->rc != 0 || !is_memory_0(t, arg) || o->where == CONSTANT)
		return at;
	if (last > FORM_SUM && we_x_is_last_base(t, o)) {
		op = op_at(t, t->last);
		at.b = op->b;
		at.c = op->c;
		at.d = op->d;
		switch (icode_at(t, t->last)) {
		case WE_I_I32_ADD:
			at.form = FORM_INDEXED;
			break;
		case WE_I_I32_ADD_ADD_I:
			at.form = FORM_INDEXED;
			at.sum += sign_extended(op->d);
			break;
		case WE_I_I32_SHL_I:
			at.form = FORM_SCALED;
			at.c = (uint16_t)(op->imm & 31);
			break;
		case WE_I_I32_SHL_I_ADD:
			at.form = FORM_SCALED_INDEXED;
			break;
		case WE_I_I32_LOAD:
			if (at.sum == 0 && op->imm <= UINT16_MAX && arg->offset <= UINT16_MAX) {
				at.form = FORM_THROUGH_POINTER;
				at.c = (uint16_t)op->imm;
			}
			break;
		default: // another one: its result is in a slot
			break;
		}
	}
	if (at.form > last)
		at.form = 0;
	if (at.form != 0) {
		at.first = we_x_take_back(t);
	} else if (at.sum != 0 && arg->offset == 0) {
		at.form = FORM_SUM;
		at.b = (uint16_t)we_x_base_of(t, o);
	}
	return at;
}

// A load whose address the operation computes.
static void emit_load_at(struct we_xlate *t, enum we_icode icode, uint32_t a,
	const struct address *at, uint32_t offset)
{
	const uint32_t word = here(t);

	if (at->form == FORM_SUM) {
		we_x_emit_imm(t, form(icode, FORM_SUM), a, at->b, at->sum, 0);
		return;
	}
	if (at->form == FORM_THROUGH_POINTER) {
		we_x_emit_two(
			t, form(icode, FORM_THROUGH_POINTER), a, at->b, at->c, offset, at->first);
		return;
	}
	we_x_emit(t, form(icode, at->form), a, at->b, at->c, at->d);
	if (t->rc == 0)
		op_at(t, word)->x[0] = we_x_pair(offset, at->sum);
}

void we_lower_load(struct we_xlate *t, const struct we_instr *in, const struct we_lowering *how)
{
	const struct we_memarg *arg = &in->of.mem.arg;
	const struct we_x_operand address = we_x_pop(t);
	const bool is_const = is_const_address(t, &address, arg);
	const struct address at = take_address(t, &address, arg, FORM_THROUGH_POINTER);
	const uint32_t b = is_const || at.form != 0 ? 0 : we_x_slot_of(t, &address);
	const uint32_t a = we_x_push_result(t, we_x_result_type(in));
	const uint32_t word = here(t);

	if (is_const)
		we_x_emit_imm(t, form(how->icode, FORM_CONST_ADDRESS), a, 0,
			(uint32_t)(address.bits[0] + arg->offset), 0);
	else if (at.form != 0)
		emit_load_at(t, how->icode, a, &at, (uint32_t)arg->offset);
	else if (is_memory_0(t, arg))
		we_x_emit_imm(t, how->icode, a, b, (uint32_t)arg->offset, 0);
	else
		we_x_emit_imm(t, form(how->icode, FORM_ANY_MEMORY), a, b, arg->mem, arg->offset);
	we_x_mark_result(t, word);
}

// Is the value a sum with what was loaded from the same place just before?
static bool fuse_update(struct we_xlate *t, const struct we_x_operand *address,
	const struct we_x_operand *value, const struct we_memarg *arg)
{
	const bool has_imm = value->addend != 0;
	const enum we_icode load = has_imm ? WE_I_I32_LOAD : WE_I_I32_LOAD__I32_ADD;
	struct we_iop op;

	if (t->rc != 0 || !is_memory_0(t, arg) || address->where != IN_LOCAL ||
		address->addend != 0 || !we_x_is_last_base(t, value) ||
		!fits_16((int32_t)value->addend) || icode_at(t, t->last) != load)
		return false;
	op = *op_at(t, t->last);
	if (op.b != we_x_base_of(t, address) ||
		arg->offset != (has_imm ? op.imm : op_at(t, t->last)->x[0]))
		return false;
	we_x_emit_at(t, has_imm ? WE_I_I32_RMW_ADD_I : WE_I_I32_RMW_ADD, op.b,
		has_imm ? (uint16_t)value->addend : op.c, (uint32_t)arg->offset, 0,
		we_x_take_back(t));
	return true;
}

static const struct copy {
	enum we_icode load;
	enum we_icode store;
	enum we_icode both;
} copies[] = {
#define I_NAME(NAME, FORM)
#define I_COPY(NAME, LOAD, STORE, M) {WE_I_##LOAD, WE_I_##STORE, WE_I_##NAME},
#include "icode.def"
#undef I_NAME
};

// Is what is stored at a local's address what was loaded just before, as wide?
static bool fuse_copy(struct we_xlate *t, enum we_icode store, const struct we_x_operand *address,
	const struct we_x_operand *value, const struct we_memarg *arg)
{
	struct we_iop op;

	if (t->rc != 0 || !is_memory_0(t, arg) || address->where != IN_LOCAL ||
		address->addend != 0 || !we_x_is_last_result(t, value))
		return false;
	for (uint32_t i = 0; i < sizeof(copies) / sizeof(copies[0]); i++) {
		if (copies[i].store != store || copies[i].load != icode_at(t, t->last))
			continue;
		op = *op_at(t, t->last);
		we_x_emit_at(t, copies[i].both, we_x_base_of(t, address), op.b, 0,
			we_x_pair((uint32_t)arg->offset, op.imm), we_x_take_back(t));
		we_x_mark_two(t);
		return true;
	}
	return false;
}

// arg: there is a form for a constant value.
void we_lower_store(struct we_xlate *t, const struct we_instr *in, const struct we_lowering *how)
{
	const struct we_memarg *arg = &in->of.mem.arg;
	const struct we_x_operand value = we_x_pop(t);
	const struct we_x_operand address = we_x_pop(t);
	const bool is_small = how->arg != 0 && value.where == CONSTANT && fits_16(constant(&value));
	// A value that is computed now may go to where the address's operands are.
	const bool is_local = value.where == IN_LOCAL && value.addend == 0;
	struct address at;
	uint32_t word;

	if (how->icode == WE_I_I32_STORE && fuse_update(t, &address, &value, arg))
		return;
	if (fuse_copy(t, how->icode, &address, &value, arg))
		return;
	at = take_address(t, &address, arg, is_local ? FORM_INDEXED : FORM_SUM);
	word = here(t);

	if (at.form == FORM_INDEXED) {
		we_x_emit(
			t, form(how->icode, FORM_INDEXED), at.b, we_x_base_of(t, &value), at.c, 0);
		if (t->rc == 0)
			op_at(t, word)->x[0] = we_x_pair((uint32_t)arg->offset, at.sum);
	} else if (at.form == FORM_SUM && is_small) {
		we_x_emit_imm(t, form(how->icode, FORM_SUM_CONST_VALUE), at.b,
			(uint16_t)constant(&value), at.sum, 0);
	} else if (at.form == FORM_SUM) {
		const uint32_t b = we_x_slot_of(t, &value);

		we_x_emit_imm(t, form(how->icode, FORM_SUM), at.b, b, at.sum, 0);
	} else if (is_const_address(t, &address, arg)) {
		const uint32_t a = we_x_slot_of(t, &value);

		we_x_emit_imm(t, form(how->icode, FORM_CONST_ADDRESS), a, 0,
			(uint32_t)(address.bits[0] + arg->offset), 0);
	} else if (is_memory_0(t, arg) && is_small) {
		const uint32_t a = we_x_slot_of(t, &address);

		we_x_emit_imm(t, form(how->icode, FORM_CONST_VALUE), a, (uint16_t)constant(&value),
			(uint32_t)arg->offset, 0);
	} else {
		const uint32_t a = we_x_slot_of(t, &address);
		const uint32_t b = we_x_slot_of(t, &value);

		if (is_memory_0(t, arg))
			we_x_emit_imm(t, how->icode, a, b, (uint32_t)arg->offset, 0);
		else
			we_x_emit_imm(
				t, form(how->icode, FORM_ANY_MEMORY), a, b, arg->mem, arg->offset);
	}
}

static void put_memarg(struct we_xlate *t, uint32_t word, const struct we_memarg *arg)
{
	if (t->rc != 0)
		return;
	op_at(t, word)->x[0] = arg->offset;
	op_at(t, word)->x[1] = arg->mem;
}

void we_lower_load_lane(
	struct we_xlate *t, const struct we_instr *in, const struct we_lowering *how)
{
	const struct we_x_operand v = we_x_pop(t);
	const struct we_x_operand address = we_x_pop(t);
	const uint32_t b = we_x_slot_of(t, &address);
	const uint32_t c = we_x_slot_of(t, &v);
	const uint32_t a = we_x_push_result(t, WE_T_V128);
	const uint32_t word = here(t);

	we_x_emit(t, how->icode, a, b, c, in->of.mem.lane);
	put_memarg(t, word, &in->of.mem.arg);
	we_x_mark_result(t, word);
}

void we_lower_store_lane(
	struct we_xlate *t, const struct we_instr *in, const struct we_lowering *how)
{
	const struct we_x_operand v = we_x_pop(t);
	const struct we_x_operand address = we_x_pop(t);
	const uint32_t a = we_x_slot_of(t, &address);
	const uint32_t b = we_x_slot_of(t, &v);
	const uint32_t word = here(t);

	we_x_emit(t, how->icode, a, b, in->of.mem.lane, 0);
	put_memarg(t, word, &in->of.mem.arg);
}

static bool is_table_64(const struct we_xlate *t, we_tableidx table)
{
	return t->module->is.tables[table].type.limits.is_64;
}

// An index or a length of a 64-bit table, popped, as one of 32 bits in its home: no table reaches what is cut off.
static void clamp(struct we_xlate *t, struct we_x_operand *o)
{
	const uint32_t b = we_x_slot_of(t, o);

	we_x_emit(t, WE_I_CLAMP_64, o->home, b, 0, 0);
	*o = (struct we_x_operand){.where = AT_HOME, .type = WE_T_I32, .home = o->home};
}

static struct we_x_operand pop_index(struct we_xlate *t, we_tableidx table)
{
	struct we_x_operand o = we_x_pop(t);

	if (t->rc == 0 && is_table_64(t, table))
		clamp(t, &o);
	return o;
}

// Which of three operands of a bulk instruction on tables are 64 bits wide, and to be clamped: bits 0 to 2.
static uint32_t wide_operands(const struct we_xlate *t, const struct we_instr *in)
{
	bool dst;
	bool src;

	switch (in->op) {
	case WE_OP_TABLE_INIT:
		return is_table_64(t, in->of.pair.b) ? 1 : 0;
	case WE_OP_TABLE_FILL:
		return is_table_64(t, in->of.idx) ? 1 | 4 : 0;
	case WE_OP_TABLE_COPY:
		dst = is_table_64(t, in->of.pair.a);
		src = is_table_64(t, in->of.pair.b);
		return (dst ? 1 : 0) | (src ? 2 : 0) | (dst && src ? 4 : 0);
	default: // memories see to it when they are run
		return 0;
	}
}

// Three operands in a, b, c and no result.
void we_lower_bulk(struct we_xlate *t, const struct we_instr *in, const struct we_lowering *how)
{
	struct we_x_operand o[3];
	const uint32_t wide = wide_operands(t, in);
	uint32_t slots[3];
	uint32_t word;

	for (uint32_t i = 3; i > 0; i--)
		o[i - 1] = we_x_pop(t);
	for (uint32_t i = 0; i < 3; i++) {
		if (wide >> i & 1)
			clamp(t, &o[i]);
		slots[i] = we_x_slot_of(t, &o[i]);
	}
	word = here(t);
	we_x_emit(t, how->icode, slots[0], slots[1], slots[2], 0);
	if (t->rc != 0)
		return;
	op_at(t, word)->x[0] = how->arg == WE_X_BULK_ONE ? in->of.idx
			       : how->arg == WE_X_BULK_TARGET_FIRST
				       ? we_x_pair(in->of.pair.a, in->of.pair.b)
				       : we_x_pair(in->of.pair.b, in->of.pair.a);
}

// An operation with an index, arg operands (0 or 1) in b, and a result.
static void emit_indexed(struct we_xlate *t, const struct we_instr *in,
	const struct we_lowering *how, we_valtype result)
{
	struct we_x_operand x;
	uint32_t b = 0;
	uint32_t a;
	uint32_t word;

	if (how->arg > 0) {
		x = we_x_pop(t);
		b = we_x_slot_of(t, &x);
	}
	a = we_x_push_result(t, result);
	word = here(t);
	we_x_emit_imm(t, how->icode, a, b, in->of.idx, 0);
	we_x_mark_result(t, word);
}

// The size of a memory in pages, before and after growth: an address.
void we_lower_memory_size(
	struct we_xlate *t, const struct we_instr *in, const struct we_lowering *how)
{
	struct we_lowering wide = *how;

	if (!is_memory_64(t, in->of.idx)) {
		emit_indexed(t, in, how, WE_T_I32);
		return;
	}
	if (how->icode == WE_I_MEMORY_SIZE)
		wide.icode = WE_I_MEMORY_SIZE_64;
	emit_indexed(t, in, &wide, WE_T_I64);
}

// The size of a table as the type that its indices have; -1 stays -1.
static void push_size(struct we_xlate *t, we_tableidx table)
{
	uint32_t word;
	uint32_t a;

	if (!is_table_64(t, table) || t->rc != 0)
		return;
	(void)we_x_pop(t);
	a = we_x_push_result(t, WE_T_I64);
	word = here(t);
	we_x_emit(t, WE_I_I64_EXTEND_I32_S, a, a, 0, 0);
	we_x_mark_result(t, word);
}

void we_lower_table_size(
	struct we_xlate *t, const struct we_instr *in, const struct we_lowering *how)
{
	emit_indexed(t, in, how, WE_T_I32);
	push_size(t, in->of.idx);
}

void we_lower_table_get(
	struct we_xlate *t, const struct we_instr *in, const struct we_lowering *how)
{
	const struct we_x_operand i = pop_index(t, in->of.idx);
	const uint32_t b = we_x_slot_of(t, &i);
	const uint32_t a = we_x_push_result(t, t->module->is.tables[in->of.idx].type.elem);
	const uint32_t word = here(t);

	we_x_emit_imm(t, how->icode, a, b, in->of.idx, 0);
	we_x_mark_result(t, word);
}

void we_lower_ref_func(struct we_xlate *t, const struct we_instr *in, const struct we_lowering *how)
{
	emit_indexed(t, in, how, WE_T_FUNCREF); // of whatever type: it is not traced
}

void we_lower_table_set(
	struct we_xlate *t, const struct we_instr *in, const struct we_lowering *how)
{
	const struct we_x_operand value = we_x_pop(t);
	const struct we_x_operand i = pop_index(t, in->of.idx);
	const uint32_t a = we_x_slot_of(t, &i);
	const uint32_t b = we_x_slot_of(t, &value);

	we_x_emit_imm(t, how->icode, a, b, in->of.idx, 0);
}

void we_lower_table_grow(
	struct we_xlate *t, const struct we_instr *in, const struct we_lowering *how)
{
	const struct we_x_operand delta = pop_index(t, in->of.idx);
	const struct we_x_operand value = we_x_pop(t);
	const uint32_t b = we_x_slot_of(t, &value);
	const uint32_t c = we_x_slot_of(t, &delta);
	const uint32_t a = we_x_push_result(t, WE_T_I32);
	const uint32_t word = here(t);

	we_x_emit(t, how->icode, a, b, c, 0);
	if (t->rc == 0)
		op_at(t, word)->x[0] = in->of.idx;
	we_x_mark_result(t, word);
	push_size(t, in->of.idx);
}

void we_lower_drop_segment(
	struct we_xlate *t, const struct we_instr *in, const struct we_lowering *how)
{
	we_x_emit_imm(t, how->icode, 0, 0, in->of.idx, 0);
}
