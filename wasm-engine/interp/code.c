// SPDX-License-Identifier: BSD-3-Clause
// Body -> threaded code: the operand stack is simulated, and what is left of it are slots.
//
// Module path 3/6. An operand is a value in its home (the slot that its place on the operand stack has in the frame), a
// local not yet read, or a constant. Reading the latter two where they are is what saves most moves; they go
// to their homes when the local is about to change, at the start of a block, and where homes are wanted: arguments,
// and what a branch or the end of a block carries. Code that cannot be reached is not translated.
// Owns:   its state, for one body.
// Thread: any.
// Spec:   core "Instructions", "Validation Algorithm" (the shape of the stacks).
#include "code.h"

#include "engine.h"
#include "instr.h"
#include "num.h"
#include "reader.h"
#include "vec.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#define NONE      UINT32_MAX
#define POOL_CODE 0xf000u // slots from here on stand for constants until the stack's start is known

static_assert(WE_FRAME_MAX_SLOTS <= POOL_CODE, "a stack slot is not taken for a constant");
static_assert(WE_FRAME_MAX_SLOTS + WE_FRAME_POOL_MAX <= UINT16_MAX, "slots fit their 16 bits");

// Invariant: a LOCAL operand is linked in t->refs[local]; `prev` is a lower operand of the same local.
struct operand {
	enum {
		AT_HOME,
		IN_LOCAL,
		CONSTANT
	} where;
	we_valtype type;
	uint32_t home; // slot
	we_localidx local;
	uint32_t prev;
	uint64_t bits[2]; // CONSTANT; an i32 or f32 is zero-extended
};

// A jump that waits for its target: the distance is the 32-bit word at32 of the code, from operation op on.
struct patch {
	uint32_t next; // index, NONE ends the list
	uint32_t at32;
	uint32_t op; // word
};

struct label {
	enum we_op kind; // BLOCK LOOP IF ELSE, or NONE for the function
	uint32_t height; // operands below the parameters
	uint32_t slot;   // home of the first of them
	const we_valtype *params;
	const we_valtype *results;
	uint32_t n_params;
	uint32_t n_results;
	uint32_t start;     // LOOP: word
	uint32_t patches;   // to the end
	uint32_t otherwise; // IF: patch to the else branch
	uint32_t stub;      // of the br_table being translated
	bool is_dead;       // the code that follows cannot be reached
	we_valtype val;     // storage of a block type's one result
};

struct xlate {
	const struct we_module *module;
	const struct we_func_def *def;
	bool deterministic;
	int rc;               // first failure; checked once an instruction
	uint32_t dead_blocks; // blocks opened in dead code
	uint32_t n_loops;     // that enclose the instruction
	uint32_t at;          // of the instruction, bytes from the start of the module
	uint32_t room;
	uint32_t stack;         // slot where the operand stack begins
	uint32_t top;           // slot after the top of the operand stack
	uint32_t max;           // highest slot + 1 that a frame needs
	uint32_t last;          // word of the last operation if its slot a is its result, else NONE
	uint32_t earlier;       // the same of the one before it
	uint32_t homely;        // operands below this one are not IN_LOCAL
	struct we_vec words;    // uint64_t
	struct we_vec offsets;  // struct we_code_offset
	struct we_vec operands; // struct operand
	struct we_vec labels;   // struct label
	struct we_vec patches;  // struct patch
	struct we_vec pool;     // uint64_t
	struct we_vec calls;    // uint32_t, words
	uint16_t *slots;        // [n_locals]
	we_valtype *types;      // [n_locals]
	uint32_t *refs;         // [n_locals] topmost operand IN_LOCAL, or NONE
};

struct lowering {
	void (*lower)(struct xlate *t, const struct we_instr *in, const struct lowering *how);
	enum we_icode icode;
	uint32_t arg; // what the function says
};

static void fail(struct xlate *t, int rc)
{
	if (t->rc == 0)
		t->rc = rc;
}

// ---- emission ------------------------------------------------------------------------------------

static uint32_t here(const struct xlate *t)
{
	return (uint32_t)t->words.len;
}

static struct we_iop *op_at(const struct xlate *t, uint32_t word)
{
	return (struct we_iop *)(void *)((uint64_t *)t->words.data + word);
}

static enum we_icode icode_at(const struct xlate *t, uint32_t word)
{
	return (enum we_icode)((uint64_t *)t->words.data)[word];
}

static void set_icode(struct xlate *t, uint32_t word, enum we_icode icode)
{
	((uint64_t *)t->words.data)[word] = icode;
}

static void note_offset(struct xlate *t)
{
	struct we_code_offset *last =
		t->offsets.len == 0
			? NULL
			: (struct we_code_offset *)t->offsets.data + (t->offsets.len - 1);

	if (last != NULL && last->at == t->at && last->word <= here(t))
		return;
	if (last == NULL || last->word != here(t))
		last = we_vec_add(&t->offsets, sizeof(*last));
	if (last == NULL) {
		fail(t, WE_E_NOMEM);
		return;
	}
	*last = (struct we_code_offset){.word = here(t), .at = t->at};
}

// Append an operation of n words, all but the first zero. Returns: it, NULL when t has failed.
static struct we_iop *emit_words(struct xlate *t, enum we_icode icode, uint32_t n_words)
{
	const uint32_t word = here(t);
	uint64_t *data;

	note_offset(t);
	if (t->rc != 0 || we_vec_reserve(&t->words, n_words, sizeof(uint64_t)) != 0) {
		fail(t, WE_E_NOMEM);
		return NULL;
	}
	data = (uint64_t *)t->words.data + word;
	memset(data, 0, n_words * sizeof(*data));
	data[0] = icode;
	t->words.len += n_words;
	t->earlier = t->last;
	t->last = NONE;
	return op_at(t, word);
}

static void emit(
	struct xlate *t, enum we_icode icode, uint32_t a, uint32_t b, uint32_t c, uint32_t d)
{
	struct we_iop *op = emit_words(t, icode, WE_FORM_WORDS(we_icode_forms[icode]));

	if (op == NULL || we_icode_forms[icode] == WE_FORM_NONE)
		return;
	op->a = (uint16_t)a;
	op->b = (uint16_t)b;
	op->c = (uint16_t)c;
	op->d = (uint16_t)d;
}

static void emit_imm(
	struct xlate *t, enum we_icode icode, uint32_t a, uint32_t b, uint32_t imm, uint64_t x)
{
	const uint32_t n_words = WE_FORM_WORDS(we_icode_forms[icode]);
	struct we_iop *op = emit_words(t, icode, n_words);

	if (op == NULL)
		return;
	op->a = (uint16_t)a;
	op->b = (uint16_t)b;
	op->imm = imm;
	if (n_words > 2)
		op->x[0] = x;
}

// The operation just emitted, at word, has its result in slot a.
static void mark_result(struct xlate *t, uint32_t word)
{
	t->last = t->rc == 0 ? word : NONE;
}

static uint32_t type_slots(we_valtype type)
{
	return we_valtype_n_slots(type);
}

// One of three operations by the width of a type: those for 32, 64 and 128 bits stand in this order.
static enum we_icode by_width(enum we_icode icode_32, we_valtype type)
{
	const uint32_t width = type == WE_T_V128 ? 2 : type == WE_T_I32 || type == WE_T_F32 ? 0 : 1;

	return (enum we_icode)(icode_32 + width);
}

static_assert(WE_I_MOV_64 == WE_I_MOV_32 + 1 && WE_I_MOV_128 == WE_I_MOV_32 + 2, "by_width");
static_assert(WE_I_RET_64 == WE_I_RET_32 + 1 && WE_I_RET_128 == WE_I_RET_32 + 2, "by_width");
static_assert(
	WE_I_SELECT_64 == WE_I_SELECT_32 + 1 && WE_I_SELECT_128 == WE_I_SELECT_32 + 2, "by_width");
static_assert(WE_I_GLOBAL_GET_64 == WE_I_GLOBAL_GET_32 + 1 &&
		      WE_I_GLOBAL_GET_128 == WE_I_GLOBAL_GET_32 + 2,
	"by_width");
static_assert(WE_I_GLOBAL_SET_64 == WE_I_GLOBAL_SET_32 + 1 &&
		      WE_I_GLOBAL_SET_128 == WE_I_GLOBAL_SET_32 + 2,
	"by_width");

static bool fits_16(int64_t x)
{
	return x >= INT16_MIN && x <= INT16_MAX;
}

static bool fits_32(int64_t x)
{
	return x >= INT32_MIN && x <= INT32_MAX;
}

// The constant as a signed number of its type.
static int64_t constant(const struct operand *o)
{
	return o->type == WE_T_I32 || o->type == WE_T_F32 ? (int32_t)o->bits[0]
							  : (int64_t)o->bits[0];
}

static void emit_constant(struct xlate *t, uint32_t slot, const struct operand *o)
{
	const uint32_t word = here(t);

	if (o->type == WE_T_V128) {
		emit(t, WE_I_CONST_128, slot, 0, 0, 0);
		if (t->rc == 0)
			memcpy(op_at(t, word)->x, o->bits, sizeof(o->bits));
	} else if (o->type == WE_T_I32 || o->type == WE_T_F32) {
		emit_imm(t, WE_I_CONST_32, slot, 0, (uint32_t)o->bits[0], 0);
	} else if (fits_32(constant(o))) {
		emit_imm(t, WE_I_CONST_64I, slot, 0, (uint32_t)o->bits[0], 0);
	} else {
		emit_imm(t, WE_I_CONST_64, slot, 0, 0, o->bits[0]);
	}
	mark_result(t, word);
}

static void emit_move(struct xlate *t, we_valtype type, uint32_t to, uint32_t from)
{
	const uint32_t word = here(t);

	const enum we_icode icode = by_width(WE_I_MOV_32, type);

	if (to == from)
		return;
	if (t->last != NONE && icode_at(t, t->last) == icode && icode != WE_I_MOV_128) {
		struct we_iop *op = op_at(t, t->last);

		set_icode(t, t->last, icode == WE_I_MOV_32 ? WE_I_MOV2_32 : WE_I_MOV2_64);
		op->c = (uint16_t)to;
		op->d = (uint16_t)from;
		t->last = NONE;
		return;
	}
	emit(t, icode, to, from, 0, 0);
	mark_result(t, word);
}

// ---- the operand stack ---------------------------------------------------------------------------

static struct operand *operand_at(const struct xlate *t, uint32_t i)
{
	return (struct operand *)t->operands.data + i;
}

static uint32_t n_operands(const struct xlate *t)
{
	return (uint32_t)t->operands.len;
}

static void need_slots(struct xlate *t, uint32_t end)
{
	if (end > t->max)
		t->max = end;
	if (end > WE_FRAME_MAX_SLOTS)
		fail(t, WE_E_UNSUPPORTED);
}

// Push an operand at home. Returns: it, or NULL when t has failed.
static struct operand *push(struct xlate *t, we_valtype type)
{
	struct operand *o = t->rc == 0 ? we_vec_add(&t->operands, sizeof(*o)) : NULL;

	if (o == NULL) {
		fail(t, WE_E_NOMEM);
		return NULL;
	}
	*o = (struct operand){.where = AT_HOME, .type = type, .home = t->top};
	t->top += type_slots(type);
	need_slots(t, t->top);
	return o;
}

static void push_constant(struct xlate *t, we_valtype type, uint64_t bits)
{
	struct operand *o = push(t, type);

	if (o == NULL)
		return;
	o->where = CONSTANT;
	o->bits[0] = bits;
}

static void push_local(struct xlate *t, we_localidx local)
{
	struct operand *o = push(t, t->types[local]);

	if (o == NULL)
		return;
	o->where = IN_LOCAL;
	o->local = local;
	o->prev = t->refs[local];
	t->refs[local] = n_operands(t) - 1;
}

// Pop an operand; its home keeps what it holds until something is pushed and written.
static struct operand pop(struct xlate *t)
{
	struct operand o = {.where = CONSTANT, .type = WE_T_I32};

	if (t->rc != 0)
		return o;
	assert(t->operands.len > 0); // the body is valid
	o = *operand_at(t, n_operands(t) - 1);
	t->operands.len--;
	t->top = o.home;
	if (o.where == IN_LOCAL)
		t->refs[o.local] = o.prev;
	if (t->homely > n_operands(t))
		t->homely = n_operands(t);
	return o;
}

// Give the slot where o can be read; o has just been popped, so that its home is free.
static uint32_t slot_of(struct xlate *t, const struct operand *o)
{
	const uint32_t n = type_slots(o->type);

	if (o->where == AT_HOME)
		return o->home;
	if (o->where == IN_LOCAL)
		return t->slots[o->local];
	if (t->n_loops == 0 || t->pool.len + n > WE_FRAME_POOL_MAX) {
		emit_constant(t, o->home, o);
		return o->home;
	}
	for (uint32_t i = 0; i + n <= t->pool.len && i < 64; i++) // the first ones are shared
		if (memcmp((uint64_t *)t->pool.data + i, o->bits, n * sizeof(uint64_t)) == 0)
			return POOL_CODE + i;
	for (uint32_t i = 0; i < n; i++) {
		uint64_t *word = we_vec_add(&t->pool, sizeof(*word));

		if (word == NULL) {
			fail(t, WE_E_NOMEM);
			return o->home;
		}
		*word = o->bits[i];
	}
	return POOL_CODE + (uint32_t)t->pool.len - n;
}

// Move operand i, which stays on the stack, to its home; the caller takes it out of its local's list.
static void send_home(struct xlate *t, uint32_t i)
{
	struct operand *o = operand_at(t, i);

	if (o->where == IN_LOCAL)
		emit_move(t, o->type, o->home, t->slots[o->local]);
	else if (o->where == CONSTANT)
		emit_constant(t, o->home, o);
	o->where = AT_HOME;
}

// The local is about to change: who still means its old value takes it home.
static void preserve(struct xlate *t, we_localidx local)
{
	for (uint32_t i = t->refs[local]; i != NONE; i = operand_at(t, i)->prev)
		send_home(t, i);
	t->refs[local] = NONE;
}

// No operand is IN_LOCAL: a block may change locals on one way and not on another.
static void leave_locals(struct xlate *t)
{
	for (uint32_t i = t->homely; i < n_operands(t) && t->rc == 0; i++)
		if (operand_at(t, i)->where == IN_LOCAL)
			preserve(t, operand_at(t, i)->local);
	t->homely = n_operands(t);
}

// The topmost n operands are at home. From the top down, so that each one IN_LOCAL is the first of its list.
static void top_home(struct xlate *t, uint32_t n)
{
	for (uint32_t i = n_operands(t); n > 0 && t->rc == 0; n--) {
		const struct operand *o = operand_at(t, --i);

		if (o->where == IN_LOCAL)
			t->refs[o->local] = o->prev;
		send_home(t, i);
	}
}

static void push_types(struct xlate *t, const we_valtype *types, uint32_t n)
{
	for (uint32_t i = 0; i < n; i++)
		(void)push(t, types[i]);
}

static void pop_n(struct xlate *t, uint32_t n)
{
	for (uint32_t i = 0; i < n; i++)
		(void)pop(t);
}

// Push the result of the operation that comes next. Returns: its slot.
static uint32_t push_result(struct xlate *t, we_valtype type)
{
	const struct operand *o = push(t, type);

	return o == NULL ? t->stack : o->home;
}

static we_valtype type_of_letter(char letter)
{
	switch (letter) {
	case 'l':
		return WE_T_I64;
	case 'f':
		return WE_T_F32;
	case 'd':
		return WE_T_F64;
	case 'v':
		return WE_T_V128;
	default:
		return WE_T_I32; // i, and a: addresses of 32-bit memories
	}
}

static we_valtype result_type(const struct we_instr *in)
{
	return type_of_letter(we_op_info[in->op].results[0]);
}

// ---- instructions that compute -------------------------------------------------------------------

static const enum we_icode strict_twins[WE_I_N] = {
	[WE_I_I8X16_RELAXED_SWIZZLE] = WE_I_I8X16_SWIZZLE,
	[WE_I_I32X4_RELAXED_TRUNC_F32X4_S] = WE_I_I32X4_TRUNC_SAT_F32X4_S,
	[WE_I_I32X4_RELAXED_TRUNC_F32X4_U] = WE_I_I32X4_TRUNC_SAT_F32X4_U,
	[WE_I_I32X4_RELAXED_TRUNC_F64X2_S_ZERO] = WE_I_I32X4_TRUNC_SAT_F64X2_S_ZERO,
	[WE_I_I32X4_RELAXED_TRUNC_F64X2_U_ZERO] = WE_I_I32X4_TRUNC_SAT_F64X2_U_ZERO,
	[WE_I_I8X16_RELAXED_LANESELECT] = WE_I_V128_BITSELECT,
	[WE_I_I16X8_RELAXED_LANESELECT] = WE_I_V128_BITSELECT,
	[WE_I_I32X4_RELAXED_LANESELECT] = WE_I_V128_BITSELECT,
	[WE_I_I64X2_RELAXED_LANESELECT] = WE_I_V128_BITSELECT,
	[WE_I_F32X4_RELAXED_MIN] = WE_I_F32X4_MIN,
	[WE_I_F32X4_RELAXED_MAX] = WE_I_F32X4_MAX,
	[WE_I_F64X2_RELAXED_MIN] = WE_I_F64X2_MIN,
	[WE_I_F64X2_RELAXED_MAX] = WE_I_F64X2_MAX,
	[WE_I_I16X8_RELAXED_Q15MULR_S] = WE_I_I16X8_Q15MULR_SAT_S,
};

// arg operands from slots b on, a result in a.
static void lower_plain(struct xlate *t, const struct we_instr *in, const struct lowering *how)
{
	struct operand o[3] = {0};
	uint32_t slots[3] = {0};
	enum we_icode icode = how->icode;
	uint32_t word;

	if (t->deterministic && strict_twins[icode] != 0)
		icode = strict_twins[icode];
	for (uint32_t i = how->arg; i > 0; i--)
		o[i - 1] = pop(t);
	for (uint32_t i = 0; i < how->arg; i++)
		slots[i] = slot_of(t, &o[i]);
	word = here(t);
	emit(t, icode, push_result(t, result_type(in)), slots[0], slots[1], slots[2]);
	mark_result(t, word);
}

// Is o the result of the last operation?
static bool is_last_result(const struct xlate *t, const struct operand *o)
{
	return t->last != NONE && o->where == AT_HOME && op_at(t, t->last)->a == o->home;
}

// Is o the result of the last operation, and that an icode?
static bool is_last(const struct xlate *t, const struct operand *o, enum we_icode icode)
{
	return is_last_result(t, o) && icode_at(t, t->last) == icode;
}

// Turn the last operation, whose result is used up, and `icode` of it into one operation.
static bool fuse_constant(
	struct xlate *t, enum we_icode icode, const struct operand *x, uint32_t constant_bits)
{
	struct we_iop *op;

	if (icode == WE_I_I32_AND && constant_bits <= UINT16_MAX &&
		is_last(t, x, WE_I_I32_SHR_U_I)) {
		op = op_at(t, t->last);
		set_icode(t, t->last, WE_I_I32_SHR_U_I_AND);
		op->c = (uint16_t)(op->imm & 31);
		op->d = (uint16_t)constant_bits;
		return true;
	}
	if (icode == WE_I_I32_ADD && fits_16((int32_t)constant_bits) &&
		is_last(t, x, WE_I_I32_ADD)) {
		op = op_at(t, t->last);
		set_icode(t, t->last, WE_I_I32_ADD_ADD_I);
		op->d = (uint16_t)constant_bits;
		return true;
	}
	return false;
}

// The same for an addition, of whose operands one is the last result; y_slot is the other.
static bool fuse_addition(struct xlate *t, const struct operand *x, uint32_t y_slot)
{
	struct we_iop *op;
	int32_t imm;

	if (!is_last_result(t, x))
		return false;
	op = op_at(t, t->last);
	imm = op->simm;
	switch (icode_at(t, t->last)) {
	case WE_I_I32_MUL:
		set_icode(t, t->last, WE_I_I32_MUL_ADD);
		op->d = (uint16_t)y_slot;
		return true;
	case WE_I_I32_SHL_I:
		set_icode(t, t->last, WE_I_I32_SHL_I_ADD);
		op->c = (uint16_t)y_slot;
		op->d = (uint16_t)(imm & 31);
		return true;
	case WE_I_I32_ADD_I:
		if (!fits_16(imm))
			return false;
		set_icode(t, t->last, WE_I_I32_ADD_ADD_I);
		op->c = (uint16_t)y_slot;
		op->d = (uint16_t)imm;
		return true;
	default: // no pair of it
		return false;
	}
}

// Does the last operation already compute icode of x and y, taken together with what it did? It then has its result
// where x or y had its home, and that becomes the home of the new operand.
static bool fuse(
	struct xlate *t, enum we_icode icode, const struct operand *x, const struct operand *y)
{
	if (t->last == NONE || t->rc != 0)
		return false;
	if (y->where == CONSTANT)
		return x->type == WE_T_I32 && fuse_constant(t, icode, x, (uint32_t)y->bits[0]);
	if (icode != WE_I_I32_ADD || x->where == CONSTANT)
		return false;
	return fuse_addition(t, x, y->where == AT_HOME ? y->home : t->slots[y->local]) ||
	       fuse_addition(t, y, x->where == AT_HOME ? x->home : t->slots[x->local]);
}

// Two integer operands, the second of which may be a constant in the operation itself.
static void emit_alu(struct xlate *t, enum we_icode icode, enum we_icode icode_i, we_valtype result,
	struct operand *x, struct operand *y)
{
	const bool has_imm = y->where == CONSTANT && fits_32(constant(y));
	uint32_t x_slot;
	uint32_t y_slot;
	uint32_t a;
	uint32_t word;

	if (fuse(t, icode, x, y)) {
		op_at(t, t->last)->a = (uint16_t)push_result(t, result);
		return;
	}
	x_slot = slot_of(t, x);
	y_slot = has_imm ? 0 : slot_of(t, y);
	a = push_result(t, result);
	word = here(t);
	if (has_imm)
		emit_imm(t, icode_i, a, x_slot, (uint32_t)y->bits[0], 0);
	else
		emit(t, icode, a, x_slot, y_slot, 0);
	mark_result(t, word);
}

static enum we_icode imm_form(enum we_icode icode)
{
	return (enum we_icode)(icode + 1);
}

static_assert(WE_I_I32_ADD_I == WE_I_I32_ADD + 1 && WE_I_I32_EQ_I == WE_I_I32_EQ + 1, "imm_form");

// arg: the operands may change places. Subtraction of a constant is addition.
static void lower_alu(struct xlate *t, const struct we_instr *in, const struct lowering *how)
{
	enum we_icode icode = how->icode;
	struct operand y = pop(t);
	struct operand x = pop(t);

	if (how->arg != 0 && x.where == CONSTANT) {
		const struct operand was = x;

		// Only the values change places: a constant's home is that of its own place.
		x = y;
		y = was;
	}
	if ((icode == WE_I_I32_SUB || icode == WE_I_I64_SUB) && y.where == CONSTANT &&
		fits_32(constant(&y)) && constant(&y) != INT32_MIN) {
		icode = icode == WE_I_I32_SUB ? WE_I_I32_ADD : WE_I_I64_ADD;
		y.bits[0] = y.type == WE_T_I32 ? (uint32_t)-(uint32_t)y.bits[0] : -y.bits[0];
	}
	emit_alu(t, icode, imm_form(icode), result_type(in), &x, &y);
}

static void lower_cmp(struct xlate *t, const struct we_instr *in, const struct lowering *how)
{
	struct operand y = pop(t);
	struct operand x = pop(t);

	(void)in;
	emit_alu(t, how->icode, imm_form(how->icode), WE_T_I32, &x, &y);
}

// What a comparison that stands last in the code becomes in a branch; 0: it is none. A backward branch is never taken
// for what does not hold: lower_eqz has turned the comparison round.
struct branch_forms {
	enum we_icode inverse; // a comparison
	enum we_icode br;
	enum we_icode br_not;
	enum we_icode loop; // backwards
};

// clang-format off
static const struct branch_forms branch_forms[WE_I_N] = {
#define I_NAME(NAME, FORM)
#define I_CMP(NAME, INVERSE, T, expr) \
	[WE_I_##NAME] = {WE_I_##INVERSE, WE_I_BR_##NAME, WE_I_BR_##INVERSE, WE_I_LOOP_##NAME}, \
	[WE_I_##NAME##_I] = {WE_I_##INVERSE##_I, WE_I_BR_##NAME##_I, WE_I_BR_##INVERSE##_I, \
		WE_I_LOOP_##NAME##_I},
#define I_FCMP(NAME, T, expr) \
	[WE_I_##NAME] = {0, WE_I_BR_##NAME, WE_I_BRN_##NAME, WE_I_LOOP_##NAME},
#include "icode.def"
#undef I_NAME
};
// clang-format on

// arg: the comparison with a constant that it is.
static void lower_eqz(struct xlate *t, const struct we_instr *in, const struct lowering *how)
{
	struct operand x = pop(t);
	struct operand zero = {.where = CONSTANT, .type = x.type, .home = t->top};

	(void)in;
	if (t->rc == 0 && is_last_result(t, &x) && x.type == WE_T_I32 &&
		branch_forms[icode_at(t, t->last)].inverse != 0) {
		((uint64_t *)t->words.data)[t->last] = branch_forms[icode_at(t, t->last)].inverse;
		(void)push(t, WE_T_I32); // at the home where the comparison puts it
		return;
	}
	emit_alu(t, how->icode, imm_form(how->icode), WE_T_I32, &x, &zero);
}

// The bits stay, the type changes.
static void lower_retype(struct xlate *t, const struct we_instr *in, const struct lowering *how)
{
	const struct operand x = pop(t);
	const we_valtype type = result_type(in);

	(void)how;
	if (x.where == CONSTANT) {
		push_constant(t, type, type == WE_T_I32 ? (uint32_t)x.bits[0] : x.bits[0]);
	} else if (x.where == IN_LOCAL) {
		push_local(t, x.local);
		if (t->rc == 0)
			operand_at(t, n_operands(t) - 1)->type = type;
	} else {
		(void)push(t, type);
	}
}

static void lower_constant(struct xlate *t, const struct we_instr *in, const struct lowering *how)
{
	(void)how;
	switch (in->op) {
	case WE_OP_I32_CONST:
		push_constant(t, WE_T_I32, (uint32_t)in->of.i32);
		break;
	case WE_OP_I64_CONST:
		push_constant(t, WE_T_I64, (uint64_t)in->of.i64);
		break;
	case WE_OP_F32_CONST:
		push_constant(t, WE_T_F32, in->of.f32);
		break;
	case WE_OP_F64_CONST:
		push_constant(t, WE_T_F64, in->of.f64);
		break;
	case WE_OP_REF_NULL:
		push_constant(t, in->of.heap, 0);
		break;
	default: // V128_CONST
		push_constant(t, WE_T_V128, 0);
		if (t->rc == 0)
			memcpy(operand_at(t, n_operands(t) - 1)->bits, in->of.v128, 16);
		break;
	}
}

static void lower_shuffle(struct xlate *t, const struct we_instr *in, const struct lowering *how)
{
	struct lowering plain = *how;
	struct we_iop *op;

	plain.arg = 2;
	lower_plain(t, in, &plain);
	if (t->rc != 0)
		return;
	op = op_at(t, t->last);
	memcpy(op->x, in->of.v128, 16);
}

static void lower_lane(struct xlate *t, const struct we_instr *in, const struct lowering *how)
{
	const struct operand x = pop(t);
	const uint32_t b = slot_of(t, &x);
	const uint32_t a = push_result(t, result_type(in));
	const uint32_t word = here(t);

	emit_imm(t, how->icode, a, b, in->of.lane, 0);
	mark_result(t, word);
}

static void lower_replace(struct xlate *t, const struct we_instr *in, const struct lowering *how)
{
	const struct operand y = pop(t);
	const struct operand x = pop(t);
	const uint32_t b = slot_of(t, &x);
	const uint32_t c = slot_of(t, &y);
	const uint32_t a = push_result(t, WE_T_V128);
	const uint32_t word = here(t);

	emit(t, how->icode, a, b, c, in->of.lane);
	mark_result(t, word);
}

static void lower_select(struct xlate *t, const struct we_instr *in, const struct lowering *how)
{
	const struct operand cond = pop(t);
	const struct operand y = pop(t);
	const struct operand x = pop(t);
	const uint32_t b = slot_of(t, &x);
	const uint32_t c = slot_of(t, &y);
	const uint32_t d = slot_of(t, &cond);
	const uint32_t a = push_result(t, x.type);
	const uint32_t word = here(t);

	(void)in;
	emit(t, by_width(how->icode, x.type), a, b, c, d);
	mark_result(t, word);
}

// ---- memory --------------------------------------------------------------------------------------

// The forms of a load or store follow it in the table.
enum {
	FORM_CONST_ADDRESS = 1,
	FORM_ANY_MEMORY = 2,
	FORM_CONST_VALUE = 3
};
static_assert(WE_I_I32_LOAD_K == WE_I_I32_LOAD + FORM_CONST_ADDRESS &&
		      WE_I_I32_LOAD_M == WE_I_I32_LOAD + FORM_ANY_MEMORY,
	"load forms");
static_assert(WE_I_I32_STORE_K == WE_I_I32_STORE + FORM_CONST_ADDRESS &&
		      WE_I_I32_STORE_M == WE_I_I32_STORE + FORM_ANY_MEMORY &&
		      WE_I_I32_STORE_C == WE_I_I32_STORE + FORM_CONST_VALUE,
	"store forms");

static enum we_icode form(enum we_icode icode, uint32_t n)
{
	return (enum we_icode)(icode + n);
}

// Is the whole address known, and in 32 bits?
static bool is_const_address(const struct operand *address, const struct we_memarg *arg)
{
	return address->where == CONSTANT && arg->mem == 0 &&
	       address->bits[0] + arg->offset <= UINT32_MAX;
}

static void lower_load(struct xlate *t, const struct we_instr *in, const struct lowering *how)
{
	const struct we_memarg *arg = &in->of.mem.arg;
	const struct operand address = pop(t);
	const bool is_const = is_const_address(&address, arg);
	const uint32_t b = is_const ? 0 : slot_of(t, &address);
	const uint32_t a = push_result(t, result_type(in));
	const uint32_t word = here(t);

	if (is_const)
		emit_imm(t, form(how->icode, FORM_CONST_ADDRESS), a, 0,
			(uint32_t)(address.bits[0] + arg->offset), 0);
	else if (arg->mem == 0)
		emit_imm(t, how->icode, a, b, (uint32_t)arg->offset, 0);
	else
		emit_imm(t, form(how->icode, FORM_ANY_MEMORY), a, b, arg->mem, arg->offset);
	mark_result(t, word);
}

// arg: there is a form for a constant value.
static void lower_store(struct xlate *t, const struct we_instr *in, const struct lowering *how)
{
	const struct we_memarg *arg = &in->of.mem.arg;
	const struct operand value = pop(t);
	const struct operand address = pop(t);

	if (is_const_address(&address, arg)) {
		const uint32_t a = slot_of(t, &value);

		emit_imm(t, form(how->icode, FORM_CONST_ADDRESS), a, 0,
			(uint32_t)(address.bits[0] + arg->offset), 0);
	} else if (arg->mem == 0 && how->arg != 0 && value.where == CONSTANT &&
		   fits_16(constant(&value))) {
		const uint32_t a = slot_of(t, &address);

		emit_imm(t, form(how->icode, FORM_CONST_VALUE), a, (uint16_t)constant(&value),
			(uint32_t)arg->offset, 0);
	} else {
		const uint32_t a = slot_of(t, &address);
		const uint32_t b = slot_of(t, &value);

		if (arg->mem == 0)
			emit_imm(t, how->icode, a, b, (uint32_t)arg->offset, 0);
		else
			emit_imm(t, form(how->icode, FORM_ANY_MEMORY), a, b, arg->mem, arg->offset);
	}
}

static void put_memarg(struct xlate *t, uint32_t word, const struct we_memarg *arg)
{
	if (t->rc != 0)
		return;
	op_at(t, word)->x[0] = arg->offset;
	op_at(t, word)->x[1] = arg->mem;
}

static void lower_load_lane(struct xlate *t, const struct we_instr *in, const struct lowering *how)
{
	const struct operand v = pop(t);
	const struct operand address = pop(t);
	const uint32_t b = slot_of(t, &address);
	const uint32_t c = slot_of(t, &v);
	const uint32_t a = push_result(t, WE_T_V128);
	const uint32_t word = here(t);

	emit(t, how->icode, a, b, c, in->of.mem.lane);
	put_memarg(t, word, &in->of.mem.arg);
	mark_result(t, word);
}

static void lower_store_lane(struct xlate *t, const struct we_instr *in, const struct lowering *how)
{
	const struct operand v = pop(t);
	const struct operand address = pop(t);
	const uint32_t a = slot_of(t, &address);
	const uint32_t b = slot_of(t, &v);
	const uint32_t word = here(t);

	emit(t, how->icode, a, b, in->of.mem.lane, 0);
	put_memarg(t, word, &in->of.mem.arg);
}

// Three operands in a, b, c and no result; arg: how the two indices make the word.
enum {
	BULK_ONE,
	BULK_TARGET_FIRST, // memory.copy, table.copy: written, read
	BULK_SEGMENT_FIRST // memory.init, table.init: segment, written
};

static uint64_t pair(uint32_t high, uint32_t low)
{
	return (uint64_t)high << 32 | low;
}

static void lower_bulk(struct xlate *t, const struct we_instr *in, const struct lowering *how)
{
	const struct operand z = pop(t);
	const struct operand y = pop(t);
	const struct operand x = pop(t);
	const uint32_t a = slot_of(t, &x);
	const uint32_t b = slot_of(t, &y);
	const uint32_t c = slot_of(t, &z);
	const uint32_t word = here(t);

	emit(t, how->icode, a, b, c, 0);
	if (t->rc != 0)
		return;
	op_at(t, word)->x[0] = how->arg == BULK_ONE            ? in->of.idx
			       : how->arg == BULK_TARGET_FIRST ? pair(in->of.pair.a, in->of.pair.b)
							       : pair(in->of.pair.b, in->of.pair.a);
}

// An operation with an index, arg operands (0 or 1) in b, and a result.
static void emit_indexed(
	struct xlate *t, const struct we_instr *in, const struct lowering *how, we_valtype result)
{
	struct operand x;
	uint32_t b = 0;
	uint32_t a;
	uint32_t word;

	if (how->arg > 0) {
		x = pop(t);
		b = slot_of(t, &x);
	}
	a = push_result(t, result);
	word = here(t);
	emit_imm(t, how->icode, a, b, in->of.idx, 0);
	mark_result(t, word);
}

static void lower_indexed(struct xlate *t, const struct we_instr *in, const struct lowering *how)
{
	emit_indexed(t, in, how, WE_T_I32);
}

static void lower_table_get(struct xlate *t, const struct we_instr *in, const struct lowering *how)
{
	emit_indexed(t, in, how, t->module->is.tables[in->of.idx].type.elem);
}

static void lower_ref_func(struct xlate *t, const struct we_instr *in, const struct lowering *how)
{
	emit_indexed(t, in, how, WE_T_FUNCREF);
}

static void lower_table_set(struct xlate *t, const struct we_instr *in, const struct lowering *how)
{
	const struct operand value = pop(t);
	const struct operand i = pop(t);
	const uint32_t a = slot_of(t, &i);
	const uint32_t b = slot_of(t, &value);

	emit_imm(t, how->icode, a, b, in->of.idx, 0);
}

static void lower_table_grow(struct xlate *t, const struct we_instr *in, const struct lowering *how)
{
	const struct operand delta = pop(t);
	const struct operand value = pop(t);
	const uint32_t b = slot_of(t, &value);
	const uint32_t c = slot_of(t, &delta);
	const uint32_t a = push_result(t, WE_T_I32);
	const uint32_t word = here(t);

	emit(t, how->icode, a, b, c, 0);
	if (t->rc == 0)
		op_at(t, word)->x[0] = in->of.idx;
	mark_result(t, word);
}

static void lower_drop_segment(
	struct xlate *t, const struct we_instr *in, const struct lowering *how)
{
	emit_imm(t, how->icode, 0, 0, in->of.idx, 0);
}

// ---- variables -----------------------------------------------------------------------------------

static void lower_local_get(struct xlate *t, const struct we_instr *in, const struct lowering *how)
{
	(void)how;
	push_local(t, in->of.idx);
}

static void set_local(struct xlate *t, we_localidx local, const struct operand *value)
{
	const uint32_t slot = t->slots[local];

	preserve(t, local);
	if (t->rc != 0)
		return;
	if (is_last_result(t, value))
		op_at(t, t->last)->a = (uint16_t)slot;
	else if (value->where == CONSTANT)
		emit_constant(t, slot, value);
	else
		emit_move(t, t->types[local], slot,
			value->where == IN_LOCAL ? t->slots[value->local] : value->home);
}

static void lower_local_set(struct xlate *t, const struct we_instr *in, const struct lowering *how)
{
	const struct operand value = pop(t);

	(void)how;
	set_local(t, in->of.idx, &value);
}

static void lower_local_tee(struct xlate *t, const struct we_instr *in, const struct lowering *how)
{
	const struct operand value = pop(t);

	(void)how;
	set_local(t, in->of.idx, &value);
	if (value.where == CONSTANT && t->rc == 0) {
		struct operand *o = push(t, value.type);

		if (o != NULL) {
			o->where = CONSTANT;
			memcpy(o->bits, value.bits, sizeof(o->bits));
		}
		return;
	}
	push_local(t, in->of.idx);
}

static void lower_global_get(struct xlate *t, const struct we_instr *in, const struct lowering *how)
{
	const we_valtype type = t->module->is.globals[in->of.idx].type.val;
	const uint32_t a = push_result(t, type);
	const uint32_t word = here(t);

	emit_imm(t, by_width(how->icode, type), a, 0, in->of.idx, 0);
	mark_result(t, word);
}

static void lower_global_set(struct xlate *t, const struct we_instr *in, const struct lowering *how)
{
	const struct operand value = pop(t);
	const uint32_t a = slot_of(t, &value);

	emit_imm(t, by_width(how->icode, value.type), a, 0, in->of.idx, 0);
}

static void lower_drop(struct xlate *t, const struct we_instr *in, const struct lowering *how)
{
	(void)in;
	(void)how;
	(void)pop(t);
}

static void lower_nop(struct xlate *t, const struct we_instr *in, const struct lowering *how)
{
	(void)t;
	(void)in;
	(void)how;
}

// ---- control -------------------------------------------------------------------------------------

static struct label *label_at(const struct xlate *t, uint32_t depth)
{
	return (struct label *)t->labels.data + (t->labels.len - 1 - depth);
}

// What a branch to the label carries.
static uint32_t label_arity(const struct label *label)
{
	return label->kind == WE_OP_LOOP ? label->n_params : label->n_results;
}

static void bind_here(struct xlate *t, uint32_t at32, uint32_t op)
{
	((int32_t *)t->words.data)[at32] = (int32_t)(here(t) - op);
	t->last = NONE;
	t->earlier = NONE;
}

// The distance of operation op is known when the list is bound.
static void add_patch(struct xlate *t, uint32_t *list, uint32_t at32, uint32_t op)
{
	struct patch *patch = t->rc == 0 ? we_vec_add(&t->patches, sizeof(*patch)) : NULL;

	if (patch == NULL) {
		fail(t, WE_E_NOMEM);
		return;
	}
	*patch = (struct patch){.next = *list, .at32 = at32, .op = op};
	*list = (uint32_t)t->patches.len - 1;
}

static void bind_patches(struct xlate *t, uint32_t list)
{
	for (; list != NONE && t->rc == 0; list = ((struct patch *)t->patches.data)[list].next) {
		const struct patch *patch = (struct patch *)t->patches.data + list;

		bind_here(t, patch->at32, patch->op);
	}
}

// The place of an operation's 32-bit operand, in units of 32 bits.
static uint32_t distance_of(uint32_t op)
{
	return 2 * op + 3;
}

static void open_label(struct xlate *t, enum we_op kind, const struct we_blocktype *block)
{
	struct label *label = t->rc == 0 ? we_vec_add(&t->labels, sizeof(*label)) : NULL;
	struct we_blocktype type = *block;

	if (label == NULL) {
		fail(t, WE_E_NOMEM);
		return;
	}
	*label = (struct label){
		.kind = kind, .patches = NONE, .otherwise = NONE, .stub = NONE, .val = block->val};
	// A block of one result lends its type from the block type; kept here, re-read when needed.
	we_blocktype_types(t->module, &type, &label->params, &label->n_params, &label->results,
		&label->n_results);
	if (block->kind == WE_BLOCK_VAL)
		label->results = NULL;
	top_home(t, label->n_params);
	label->height = n_operands(t) - label->n_params;
	label->slot = label->n_params == 0 ? t->top : operand_at(t, label->height)->home;
}

static const we_valtype *results_of(const struct label *label)
{
	return label->results != NULL || label->n_results == 0 ? label->results : &label->val;
}

// A condition: an operation's comparison that is taken back into the branch, or a slot.
struct condition {
	enum we_icode compare; // 0: slot a is compared with 0
	bool is_not;           // jump if it does not hold
	uint16_t a;
	uint16_t b;
	int32_t imm; // of the compare's constant form
	bool has_imm;
};

static bool is_imm_form(enum we_icode icode)
{
	return we_icode_forms[icode] == WE_FORM_ABI;
}

// Pop the condition of a branch; a comparison that stands last leaves the code.
static struct condition pop_condition(struct xlate *t)
{
	const struct operand o = pop(t);
	struct condition c = {0};
	const struct we_iop *op;
	enum we_icode icode;

	if (t->rc != 0)
		return c;
	op = t->last == NONE ? NULL : op_at(t, t->last);
	icode = t->last == NONE ? WE_I_N : icode_at(t, t->last);
	if (!is_last_result(t, &o) || branch_forms[icode].br == 0 ||
		(is_imm_form(icode) && !fits_16(op->simm))) {
		c.a = (uint16_t)slot_of(t, &o);
		return c;
	}
	c.compare = icode;
	c.has_imm = is_imm_form(icode);
	c.a = op->b;
	c.b = c.has_imm ? 0 : op->c;
	c.imm = c.has_imm ? op->simm : 0;
	t->words.len = t->last;
	t->last = t->earlier;
	t->earlier = NONE;
	if (c.has_imm && c.imm == 0 && (icode == WE_I_I32_EQ_I || icode == WE_I_I32_NE_I)) {
		c.compare = 0;
		c.is_not = icode == WE_I_I32_EQ_I;
	}
	return c;
}

// The last operation, an addition to the slot that it adds to, goes into the backward branch that looks at its result.
// Returns: what they become, or WE_I_N.
static enum we_icode fuse_counter(struct xlate *t, struct condition *c, int32_t *ret_step)
{
	const struct we_iop *op;
	enum we_icode icode;

	if (t->last == NONE || t->rc != 0)
		return WE_I_N;
	op = op_at(t, t->last);
	icode = icode_at(t, t->last);
	if ((icode != WE_I_I32_ADD_I && icode != WE_I_I64_ADD_I) || op->a != op->b)
		return WE_I_N;
	*ret_step = op->simm;
	if (c->compare == WE_I_I32_NE && c->b == op->a && c->a != op->a) {
		c->b = c->a; // the counter stands first
		c->a = op->a;
	}
	if (c->a != op->a)
		return WE_I_N;
	if (c->compare == 0 && icode == WE_I_I32_ADD_I && fits_16(*ret_step))
		return WE_I_LOOP_I32_ADD_NZ;
	if (c->compare == WE_I_I64_NE_I && c->imm == 0 && icode == WE_I_I64_ADD_I &&
		fits_16(*ret_step))
		return WE_I_LOOP_I64_ADD_NZ;
	if (c->compare == WE_I_I32_NE && icode == WE_I_I32_ADD_I && c->b != op->a)
		return WE_I_LOOP_I32_ADD_NE;
	return WE_I_N;
}

// Emit the branch, its distance still open, backwards or not. Returns: its word.
static uint32_t emit_condition(struct xlate *t, struct condition *c, bool is_not, bool is_back)
{
	const bool negate = c->is_not != is_not;
	const struct branch_forms *forms = &branch_forms[c->compare];
	int32_t step = 0;
	enum we_icode icode = is_back && !negate ? fuse_counter(t, c, &step) : WE_I_N;
	uint32_t word;

	if (icode != WE_I_N) {
		t->words.len = t->last;
		word = here(t);
		if (icode == WE_I_LOOP_I32_ADD_NE)
			emit_imm(t, icode, c->a, c->b, 0, (uint32_t)step);
		else
			emit(t, icode, c->a, (uint16_t)step, 0, 0);
		return word;
	}
	word = here(t);
	if (c->compare == 0)
		icode = negate ? (is_back ? WE_I_LOOP_Z : WE_I_BR_Z)
			       : (is_back ? WE_I_LOOP_NZ : WE_I_BR_NZ);
	else
		icode = negate ? forms->br_not : is_back ? forms->loop : forms->br;
	emit(t, icode, c->a, c->has_imm ? (uint16_t)c->imm : c->b, 0, 0);
	return word;
}

// The distance of operation op leads to the label.
static void aim(struct xlate *t, struct label *label, uint32_t at32, uint32_t op)
{
	if (t->rc != 0)
		return;
	if (label->kind == WE_OP_LOOP)
		((int32_t *)t->words.data)[at32] = (int32_t)label->start - (int32_t)op;
	else
		add_patch(t, &label->patches, at32, op);
}

// Would a branch to the label have to move what it carries?
static bool has_moves(const struct xlate *t, const struct label *label)
{
	const uint32_t n = label_arity(label);

	if (n == 0 || t->rc != 0)
		return false;
	for (uint32_t i = 0; i < n; i++)
		if (operand_at(t, n_operands(t) - n + i)->where != AT_HOME)
			return true;
	return operand_at(t, n_operands(t) - n)->home != label->slot;
}

// Before the branch: several values are at home, so that they move as one block.
static void gather(struct xlate *t, const struct label *label)
{
	if (label_arity(label) > 1 && t->rc == 0)
		top_home(t, label_arity(label));
}

// Move what a branch to the label carries from the top of the operand stack to where the label wants it; the
// operand stack stays.
static void carry(struct xlate *t, const struct label *label, uint32_t slot)
{
	const uint32_t n = label_arity(label);
	const struct operand *o;

	if (n == 0 || t->rc != 0)
		return;
	o = operand_at(t, n_operands(t) - n);
	if (n > 1)
		emit_imm(t, WE_I_MOV_N, slot, o->home, t->top - o->home, 0);
	else if (o->where == CONSTANT)
		emit_constant(t, slot, o);
	else
		emit_move(t, o->type, slot, o->where == IN_LOCAL ? t->slots[o->local] : o->home);
}

// Return what lies on top of the operand stack, which stays.
static void emit_return(struct xlate *t, const struct label *function)
{
	const struct operand *o;

	if (t->rc != 0)
		return;
	if (function->n_results == 1) {
		o = operand_at(t, n_operands(t) - 1);
		if (o->where == CONSTANT && o->type != WE_T_V128 && fits_32(constant(o))) {
			emit_imm(t, WE_I_RET_I, function->slot, 0, (uint32_t)o->bits[0], 0);
			return;
		}
		if (o->where == CONSTANT)
			send_home(t, n_operands(t) - 1);
		if (t->rc != 0)
			return;
		o = operand_at(t, n_operands(t) - 1);
		emit(t, by_width(WE_I_RET_32, o->type), function->slot,
			o->where == IN_LOCAL ? t->slots[o->local] : o->home, 0, 0);
		return;
	}
	carry(t, function, function->slot);
	emit(t, WE_I_RET, 0, 0, 0, 0);
}

// The way to a label whose values may have to move: moves and a jump, or a return.
static void emit_jump(struct xlate *t, struct label *label)
{
	uint32_t word;

	if (label->kind == WE_OP_NONE) {
		emit_return(t, label);
		return;
	}
	if (has_moves(t, label))
		carry(t, label, label->slot);
	word = here(t);
	emit(t, label->kind == WE_OP_LOOP ? WE_I_LOOP_BR : WE_I_BR, 0, 0, 0, 0);
	aim(t, label, distance_of(word), word);
}

// What follows until the end of the block cannot be reached.
static void die(struct xlate *t)
{
	struct label *label = label_at(t, 0);

	label->is_dead = true;
	if (t->rc == 0 && n_operands(t) > label->height)
		pop_n(t, n_operands(t) - label->height);
}

static void lower_unreachable(
	struct xlate *t, const struct we_instr *in, const struct lowering *how)
{
	(void)in;
	emit(t, how->icode, 0, 0, 0, 0);
	die(t);
}

static void lower_block(struct xlate *t, const struct we_instr *in, const struct lowering *how)
{
	(void)how;
	leave_locals(t);
	open_label(t, WE_OP_BLOCK, &in->of.block);
}

static void lower_loop(struct xlate *t, const struct we_instr *in, const struct lowering *how)
{
	(void)how;
	leave_locals(t);
	open_label(t, WE_OP_LOOP, &in->of.block);
	label_at(t, 0)->start = here(t);
	t->last = NONE;
	t->earlier = NONE;
	t->n_loops++;
}

static void lower_if(struct xlate *t, const struct we_instr *in, const struct lowering *how)
{
	struct condition c = pop_condition(t);
	uint32_t word;

	(void)how;
	leave_locals(t);
	open_label(t, WE_OP_IF, &in->of.block);
	word = emit_condition(t, &c, true, false);
	if (t->rc == 0)
		add_patch(t, &label_at(t, 0)->otherwise, distance_of(word), word);
}

static void lower_else(struct xlate *t, const struct we_instr *in, const struct lowering *how)
{
	struct label *label = label_at(t, 0);

	(void)in;
	(void)how;
	if (!label->is_dead) {
		uint32_t word;

		top_home(t, label->n_results);
		word = here(t);
		emit(t, WE_I_BR, 0, 0, 0, 0);
		if (t->rc == 0)
			add_patch(t, &label->patches, distance_of(word), word);
	}
	bind_patches(t, label->otherwise);
	label->otherwise = NONE;
	label->kind = WE_OP_ELSE;
	label->is_dead = false;
	if (t->rc != 0)
		return;
	pop_n(t, n_operands(t) - label->height);
	push_types(t, label->params, label->n_params);
}

static void lower_end(struct xlate *t, const struct we_instr *in, const struct lowering *how)
{
	struct label label = *label_at(t, 0);
	const bool is_reached = !label.is_dead || label.patches != NONE || label.otherwise != NONE;

	(void)in;
	(void)how;
	if (label.kind == WE_OP_NONE) {
		if (!label.is_dead) {
			gather(t, &label);
			emit_return(t, &label);
		}
		t->labels.len--;
		return;
	}
	if (!label.is_dead)
		top_home(t, label.n_results);
	if (label.kind == WE_OP_LOOP)
		t->n_loops--;
	bind_patches(t, label.otherwise);
	bind_patches(t, label.patches);
	t->labels.len--;
	if (t->rc != 0)
		return;
	pop_n(t, n_operands(t) - label.height);
	if (is_reached)
		push_types(t, results_of(&label), label.n_results);
	else
		die(t);
}

static void lower_br(struct xlate *t, const struct we_instr *in, const struct lowering *how)
{
	struct label *label = label_at(t, in->of.idx);

	(void)how;
	gather(t, label);
	emit_jump(t, label);
	die(t);
}

static void lower_br_if(struct xlate *t, const struct we_instr *in, const struct lowering *how)
{
	struct condition c = pop_condition(t);
	struct label *label = label_at(t, in->of.idx);
	const uint32_t before = here(t);
	uint32_t word;

	(void)how;
	gather(t, label);
	if (here(t) != before)
		t->last = NONE;
	if (label->kind != WE_OP_NONE && !has_moves(t, label)) {
		word = emit_condition(t, &c, false, label->kind == WE_OP_LOOP);
		aim(t, label, distance_of(word), word);
		return;
	}
	word = emit_condition(t, &c, true, false);
	emit_jump(t, label);
	if (t->rc == 0)
		bind_here(t, distance_of(word), word);
}

static void lower_br_table(struct xlate *t, const struct we_instr *in, const struct lowering *how)
{
	const struct operand o = pop(t);
	const uint32_t slot = slot_of(t, &o);
	const uint32_t n = in->of.labels.n;
	struct we_reader targets = in->of.labels.targets;
	uint32_t depth = 0;
	uint32_t word;

	// All labels have the same arity. The list has been read before: reading it cannot fail.
	if (we_reader_u32(&targets, &depth) == 0 && t->rc == 0)
		top_home(t, label_arity(label_at(t, depth)));
	word = here(t);
	if (emit_words(t, how->icode, 2 + (n + 2) / 2) == NULL)
		return;
	op_at(t, word)->a = (uint16_t)slot;
	op_at(t, word)->imm = n;
	targets = in->of.labels.targets;
	for (uint32_t i = 0; i <= n && t->rc == 0; i++) {
		const uint32_t at32 = 2 * (word + 2) + i;
		struct label *label;

		if (we_reader_u32(&targets, &depth) != 0)
			break;
		label = label_at(t, depth);
		if (label->kind != WE_OP_NONE && label->kind != WE_OP_LOOP &&
			!has_moves(t, label)) {
			aim(t, label, at32, word);
			continue;
		}
		if (label->stub == NONE || label->stub < word) { // none, or of an earlier table
			label->stub = here(t);
			emit_jump(t, label);
		}
		if (t->rc == 0)
			((int32_t *)t->words.data)[at32] = (int32_t)(label->stub - word);
	}
	die(t);
}

static void lower_return(struct xlate *t, const struct we_instr *in, const struct lowering *how)
{
	struct label *function = label_at(t, (uint32_t)t->labels.len - 1);

	(void)in;
	(void)how;
	gather(t, function);
	emit_return(t, function);
	die(t);
}

static uint32_t room_of(const struct we_functype *type)
{
	return type->n_param_slots > type->n_result_slots ? type->n_param_slots
							  : type->n_result_slots;
}

// The arguments on top of the operand stack are at home and popped. Returns: the slot where the callee's frame has its
// header.
static uint32_t pop_arguments(struct xlate *t, const struct we_functype *type)
{
	uint32_t callee;

	if (t->rc != 0)
		return 0;
	top_home(t, type->n_params);
	pop_n(t, type->n_params);
	callee = t->top + room_of(type);
	need_slots(t, callee);
	return callee;
}

// A call of a function of this module, whose code may not stand yet.
static void emit_call(
	struct xlate *t, enum we_icode icode, uint32_t callee, const struct we_func_def *def)
{
	uint32_t *word = t->rc == 0 ? we_vec_add(&t->calls, sizeof(*word)) : NULL;

	if (word == NULL) {
		fail(t, WE_E_NOMEM);
		return;
	}
	*word = here(t);
	emit_imm(t, icode, callee, 0, 0, (uintptr_t)&def->code);
}

// arg: a tail call.
static void lower_call(struct xlate *t, const struct we_instr *in, const struct lowering *how)
{
	const struct we_func_def *def = &t->module->is.funcs[in->of.idx];
	const bool is_tail = how->arg != 0;
	const uint32_t callee = pop_arguments(t, def->type);

	if (in->of.idx < t->module->is.n_imported_funcs)
		emit_imm(
			t, is_tail ? WE_I_TAIL_IMPORT : WE_I_CALL_IMPORT, callee, 0, in->of.idx, 0);
	else
		emit_call(t, how->icode, callee, def);
	if (is_tail)
		die(t);
	else
		push_types(t, we_functype_results(def->type), def->type->n_results);
}

static void lower_call_indirect(
	struct xlate *t, const struct we_instr *in, const struct lowering *how)
{
	const struct we_functype *type = t->module->is.types[in->of.pair.a].func;
	const struct operand index = pop(t);
	const uint32_t b = slot_of(t, &index);
	const uint32_t callee = pop_arguments(t, type);

	emit_imm(t, how->icode, callee, b, in->of.pair.b, (uintptr_t)type);
	if (how->arg != 0)
		die(t);
	else
		push_types(t, we_functype_results(type), type->n_results);
}

// ---- the table -----------------------------------------------------------------------------------

// One lowering for each instruction: those that are rows of icode.def by their family, the others here.
#define LOWER(NAME, fn, ICODE, arg)                                                                \
	static const struct lowering lower_of_##NAME = {fn, WE_I_##ICODE, arg};

// clang-format off
#define I_NAME(NAME, FORM)
#define I_UN(NAME, R, T, expr)        LOWER(NAME, lower_plain, NAME, 1)
#define I_BIN(NAME, R, T, U, expr)    LOWER(NAME, lower_plain, NAME, 2)
#define I_TER(NAME, R, T, expr)       LOWER(NAME, lower_plain, NAME, 3)
#define I_ALU(NAME, T, COMM, expr)    LOWER(NAME, lower_alu, NAME, COMM)
#define I_CMP(NAME, INVERSE, T, expr) LOWER(NAME, lower_cmp, NAME, 0)
#define I_FCMP(NAME, T, expr)         LOWER(NAME, lower_plain, NAME, 2)
#define I_TRY1(NAME, R, T, fn)        LOWER(NAME, lower_plain, NAME, 1)
#define I_TRY2(NAME, T, fn)           LOWER(NAME, lower_plain, NAME, 2)
#define I_LANE(NAME, R, V, expr)      LOWER(NAME, lower_lane, NAME, 0)
#define I_REPLACE(NAME, V, S)         LOWER(NAME, lower_replace, NAME, 0)
#define I_LOAD(NAME, R, M, expr)      LOWER(NAME, lower_load, NAME, 0)
#define I_STORE(NAME, M, T, expr)     LOWER(NAME, lower_store, NAME, 0)
#define I_ISTORE(NAME, M, T, expr)    LOWER(NAME, lower_store, NAME, 1)
#define I_LOAD_LANE(NAME, V, M)       LOWER(NAME, lower_load_lane, NAME, 0)
#define I_STORE_LANE(NAME, V, M)      LOWER(NAME, lower_store_lane, NAME, 0)
#include "icode.def"
#undef I_NAME

LOWER(UNREACHABLE,          lower_unreachable,   UNREACHABLE,   0)
LOWER(NOP,                  lower_nop,           N,             0)
LOWER(BLOCK,                lower_block,         N,             0)
LOWER(LOOP,                 lower_loop,          N,             0)
LOWER(IF,                   lower_if,            N,             0)
LOWER(ELSE,                 lower_else,          N,             0)
LOWER(END,                  lower_end,           N,             0)
LOWER(BR,                   lower_br,            N,             0)
LOWER(BR_IF,                lower_br_if,         N,             0)
LOWER(BR_TABLE,             lower_br_table,      BR_TABLE,      0)
LOWER(RETURN,               lower_return,        N,             0)
LOWER(CALL,                 lower_call,          CALL,          0)
LOWER(CALL_INDIRECT,        lower_call_indirect, CALL_INDIRECT, 0)
LOWER(RETURN_CALL,          lower_call,          TAIL_CALL,     1)
LOWER(RETURN_CALL_INDIRECT, lower_call_indirect, TAIL_INDIRECT, 1)
LOWER(DROP,                 lower_drop,          N,             0)
LOWER(SELECT,               lower_select,        SELECT_32,     0)
LOWER(SELECT_T,             lower_select,        SELECT_32,     0)
LOWER(LOCAL_GET,            lower_local_get,     N,             0)
LOWER(LOCAL_SET,            lower_local_set,     N,             0)
LOWER(LOCAL_TEE,            lower_local_tee,     N,             0)
LOWER(GLOBAL_GET,           lower_global_get,    GLOBAL_GET_32, 0)
LOWER(GLOBAL_SET,           lower_global_set,    GLOBAL_SET_32, 0)
LOWER(I32_CONST,            lower_constant,      N,             0)
LOWER(I64_CONST,            lower_constant,      N,             0)
LOWER(F32_CONST,            lower_constant,      N,             0)
LOWER(F64_CONST,            lower_constant,      N,             0)
LOWER(V128_CONST,           lower_constant,      N,             0)
LOWER(REF_NULL,             lower_constant,      N,             0)
LOWER(I32_EQZ,              lower_eqz,           I32_EQ,        0)
LOWER(I64_EQZ,              lower_eqz,           I64_EQ,        0)
LOWER(I32_WRAP_I64,         lower_retype,        N,             0)
LOWER(I32_REINTERPRET_F32,  lower_retype,        N,             0)
LOWER(I64_REINTERPRET_F64,  lower_retype,        N,             0)
LOWER(F32_REINTERPRET_I32,  lower_retype,        N,             0)
LOWER(F64_REINTERPRET_I64,  lower_retype,        N,             0)
LOWER(I8X16_SHUFFLE,        lower_shuffle,       I8X16_SHUFFLE, 0)
LOWER(MEMORY_SIZE,          lower_indexed,       MEMORY_SIZE,   0)
LOWER(MEMORY_GROW,          lower_indexed,       MEMORY_GROW,   1)
LOWER(MEMORY_INIT,          lower_bulk,          MEMORY_INIT,   BULK_SEGMENT_FIRST)
LOWER(MEMORY_COPY,          lower_bulk,          MEMORY_COPY,   BULK_TARGET_FIRST)
LOWER(MEMORY_FILL,          lower_bulk,          MEMORY_FILL,   BULK_ONE)
LOWER(DATA_DROP,            lower_drop_segment,  DATA_DROP,     0)
LOWER(TABLE_GET,            lower_table_get,     TABLE_GET,     1)
LOWER(TABLE_SET,            lower_table_set,     TABLE_SET,     0)
LOWER(TABLE_SIZE,           lower_indexed,       TABLE_SIZE,    0)
LOWER(TABLE_GROW,           lower_table_grow,    TABLE_GROW,    0)
LOWER(TABLE_INIT,           lower_bulk,          TABLE_INIT,    BULK_SEGMENT_FIRST)
LOWER(TABLE_COPY,           lower_bulk,          TABLE_COPY,    BULK_TARGET_FIRST)
LOWER(TABLE_FILL,           lower_bulk,          TABLE_FILL,    BULK_ONE)
LOWER(ELEM_DROP,            lower_drop_segment,  ELEM_DROP,     0)
LOWER(REF_FUNC,             lower_ref_func,      REF_FUNC,      0)

static const struct lowering *const lowerings[WE_OP_N] = {
#define WE_OP(feature, prefix, code, NAME, ...) \
	WE_IF_BUILT(feature, [WE_OP_##NAME] = &lower_of_##NAME,)
#include "opcode.def"
#undef WE_OP
};
// clang-format on

// ---- a body --------------------------------------------------------------------------------------

static bool opens_block(enum we_op op)
{
	return op == WE_OP_BLOCK || op == WE_OP_LOOP || op == WE_OP_IF || op == WE_OP_TRY_TABLE;
}

// Is the instruction in code that cannot be reached? Keeps count of the blocks there.
static bool is_dead(struct xlate *t, enum we_op op)
{
	if (!label_at(t, 0)->is_dead)
		return false;
	if (opens_block(op)) {
		t->dead_blocks++;
		return true;
	}
	if (op == WE_OP_END && t->dead_blocks > 0) {
		t->dead_blocks--;
		return true;
	}
	return t->dead_blocks > 0 || (op != WE_OP_END && op != WE_OP_ELSE);
}

static int lower_body(struct xlate *t, struct we_reader *r)
{
	struct we_instr in;
	int rc;

	while (t->labels.len > 0) {
		rc = we_instr_read(r, &in);
		if (rc != 0)
			return rc;
		if (is_dead(t, in.op))
			continue;
		t->at = in.at;
		lowerings[in.op]->lower(t, &in, lowerings[in.op]);
		if (t->rc != 0)
			return t->rc;
	}
	return 0;
}

// Slots of the locals: parameters before the header, the others after it.
static int place_locals(struct xlate *t)
{
	const struct we_func_def *def = t->def;
	const struct we_functype *type = def->type;
	const size_t n = def->n_locals > 0 ? def->n_locals : 1;
	uint32_t slot = WE_FRAME_BIAS - t->room;
	uint32_t i = 0;

	t->slots = calloc(n, sizeof(*t->slots));
	t->types = calloc(n, sizeof(*t->types));
	t->refs = malloc(n * sizeof(*t->refs));
	if (t->slots == NULL || t->types == NULL || t->refs == NULL)
		return WE_E_NOMEM;
	memset(t->refs, 0xff, n * sizeof(*t->refs));
	for (; i < type->n_params; i++) {
		t->types[i] = we_functype_params(type)[i];
		t->slots[i] = (uint16_t)slot;
		slot += type_slots(t->types[i]);
	}
	slot = WE_FRAME_BIAS + WE_FRAME_HEADER;
	for (uint32_t run = 0; run < def->n_runs; run++) {
		for (uint32_t j = 0; j < def->runs[run].n; j++, i++) {
			if (slot > WE_FRAME_MAX_SLOTS)
				return WE_E_UNSUPPORTED;
			t->types[i] = def->runs[run].type;
			t->slots[i] = (uint16_t)slot;
			slot += type_slots(t->types[i]);
		}
	}
	t->stack = slot;
	t->top = slot;
	need_slots(t, slot);
	return t->rc;
}

// Operation numbers become handlers, and stack slots step over the constants.
static void link_words(const struct xlate *t, uint64_t *words, uint32_t n_words)
{
	const void *const *handlers = we_loop_handlers();
	const uint32_t n_pool = (uint32_t)t->pool.len;
	uint32_t n;

	for (uint32_t w = 0; w < n_words; w += n) {
		struct we_iop *op = (struct we_iop *)(void *)(words + w);
		const enum we_icode icode = (enum we_icode)words[w];
		const uint32_t form = we_icode_forms[icode];

		n = WE_FORM_WORDS(form);
		if (form == WE_FORM_TABLE)
			n += (op->imm + 2) / 2;
		for (uint32_t i = 0; i < 4; i++) {
			if ((WE_FORM_SLOTS(form) >> i & 1) == 0 || op->slots[i] < t->stack)
				continue;
			op->slots[i] = (uint16_t)(op->slots[i] >= POOL_CODE
							  ? op->slots[i] - POOL_CODE + t->stack
							  : op->slots[i] + n_pool);
		}
		op->handler = handlers[icode];
	}
}

// The translation as one piece of memory, without the ENTER at its start if there is nothing for it to do.
static struct we_code *finish(const struct xlate *t, we_funcidx func)
{
	const uint32_t n_zero = t->stack - WE_FRAME_BIAS - WE_FRAME_HEADER;
	const uint32_t n_pool = (uint32_t)t->pool.len;
	const uint32_t skipped = n_zero + n_pool > 0 ? 0 : WE_FORM_WORDS(WE_FORM_ENTER);
	const uint32_t n_words = here(t) - skipped;
	const uint32_t n_offsets = (uint32_t)t->offsets.len;
	const uint32_t n_calls = (uint32_t)t->calls.len;
	struct we_code *code =
		malloc(sizeof(*code) + (n_words + n_pool) * sizeof(uint64_t) +
			n_offsets * sizeof(struct we_code_offset) + n_calls * sizeof(uint32_t));
	uint64_t *pool;

	if (code == NULL)
		return NULL;
	*code = (struct we_code){
		.n_frame = t->max + n_pool - WE_FRAME_BIAS,
		.room = t->room,
		.n_param_slots = t->def->type->n_param_slots,
		.n_offsets = n_offsets,
		.n_calls = n_calls,
		.func = func,
		.module = t->module,
	};
	memcpy(code->words, (uint64_t *)t->words.data + skipped, n_words * sizeof(uint64_t));
	link_words(t, code->words, n_words);
	pool = code->words + n_words;
	for (uint32_t i = 0; i < n_pool; i++)
		pool[i] = ((uint64_t *)t->pool.data)[i];
	code->offsets = (struct we_code_offset *)(void *)(pool + n_pool);
	for (uint32_t i = 0; i < n_offsets; i++) {
		code->offsets[i] = ((struct we_code_offset *)t->offsets.data)[i];
		code->offsets[i].word -= i == 0 ? 0 : skipped;
	}
	code->calls = (uint32_t *)(code->offsets + n_offsets);
	for (uint32_t i = 0; i < n_calls; i++)
		code->calls[i] = ((uint32_t *)t->calls.data)[i] - skipped;
	if (skipped == 0) {
		struct we_iop *enter = (struct we_iop *)(void *)code->words;

		enter->a = (uint16_t)(t->stack - n_zero);
		enter->b = (uint16_t)n_zero;
		enter->imm = n_pool;
		enter->x[0] = (uintptr_t)pool;
	}
	code->exit = (const struct we_iop *)(const void *)(code->words + n_words -
							   WE_FORM_WORDS(WE_FORM_NONE));
	return code;
}

// A call names its callee by where its code will stand, until all of them stand.
void we_code_link(void *code)
{
	struct we_code *caller = code;

	for (uint32_t i = 0; i < caller->n_calls; i++) {
		struct we_iop *op = (struct we_iop *)(void *)(caller->words + caller->calls[i]);
		void *const *callee = (void *const *)(uintptr_t)op->x[0];

		op->x[0] = (uintptr_t)*callee;
	}
}

static int translate(struct xlate *t, struct we_reader *r)
{
	const struct we_functype *type = t->def->type;
	struct label *function;
	int rc;

	rc = place_locals(t);
	if (rc != 0)
		return rc;
	function = we_vec_add(&t->labels, sizeof(*function));
	if (function == NULL)
		return WE_E_NOMEM;
	*function = (struct label){
		.kind = WE_OP_NONE,
		.slot = WE_FRAME_BIAS - t->room,
		.results = we_functype_results(type),
		.n_results = type->n_results,
		.patches = NONE,
		.otherwise = NONE,
		.stub = NONE,
	};
	t->at = t->def->body.at;
	emit(t, WE_I_ENTER, 0, 0, 0, 0);
	rc = lower_body(t, r);
	if (rc != 0)
		return rc;
	emit(t, WE_I_EXIT, 0, 0, 0, 0);
	return t->rc;
}

int we_code_create(
	const struct we_module *module, we_funcidx func, void **ret_code, struct we_error *err)
{
	const struct we_func_def *def = &module->is.funcs[func];
	struct xlate t = {
		.module = module,
		.def = def,
		.deterministic = module->engine->config.deterministic,
		.room = room_of(def->type),
		.last = NONE,
	};
	struct we_reader r;
	struct we_code *code = NULL;
	int rc;

	we_module_reader(module, def->body, &r, err);
	rc = translate(&t, &r);
	if (rc == 0) {
		code = finish(&t, func);
		if (code == NULL)
			rc = WE_E_NOMEM;
	}
	free(t.slots);
	free(t.types);
	free(t.refs);
	we_vec_fini(&t.words);
	we_vec_fini(&t.offsets);
	we_vec_fini(&t.operands);
	we_vec_fini(&t.labels);
	we_vec_fini(&t.patches);
	we_vec_fini(&t.pool);
	we_vec_fini(&t.calls);
	if (rc == WE_E_NOMEM)
		return we_error_set(err, rc, module->file_offset + def->body.at, "out of memory");
	if (rc == WE_E_UNSUPPORTED)
		return we_error_set(err, rc, module->file_offset + def->body.at,
			"a frame of more than %u slots", WE_FRAME_MAX_SLOTS - WE_FRAME_BIAS);
	if (rc == 0)
		*ret_code = code;
	return rc;
}

void we_code_destroy(void *code)
{
	free(code);
}
