// SPDX-License-Identifier: BSD-3-Clause
// Instructions -> operations: blocks, branches and calls.
//
// Module path 3/6. Code that cannot be reached is not translated. A comparison that stands right before the branch that
// looks at it becomes part of the branch.
// Owns:   nothing. Thread: any.
// Spec:   core "Instructions" (control), "Validation Algorithm" (the shape of the stacks).
#include "xlate.h"

#include <assert.h>

// clang-format off
const struct we_branch_forms we_branch_forms[WE_I_N] = {
#define I_NAME(NAME, FORM)
#define I_CMP(NAME, INVERSE, T, expr) \
	[WE_I_##NAME] = {WE_I_##INVERSE, WE_I_BR_##NAME, WE_I_BR_##INVERSE, WE_I_LOOP_##NAME, 0}, \
	[WE_I_##NAME##_I] = {WE_I_##INVERSE##_I, WE_I_BR_##NAME##_I, WE_I_BR_##INVERSE##_I, \
		WE_I_LOOP_##NAME##_I, 0},
#define I_FCMP(NAME, T, expr) \
	[WE_I_##NAME] = {0, WE_I_BR_##NAME, WE_I_BRN_##NAME, WE_I_LOOP_##NAME, 0},
#include "icode.def"
#undef I_NAME
	[WE_I_I32_AND_I] = {0, WE_I_BR_TEST, WE_I_BR_TEST_Z, WE_I_LOOP_TEST, WE_I_LOOP_TEST_Z},
};
// clang-format on

// ---- control -------------------------------------------------------------------------------------

// What a branch to the label carries.
static uint32_t label_arity(const struct we_x_label *label)
{
	return label->kind == WE_OP_LOOP ? label->n_params : label->n_results;
}

static void bind_here(struct we_xlate *t, uint32_t at32, uint32_t op)
{
	((int32_t *)t->words.data)[at32] = (int32_t)(here(t) - op);
	we_x_forget_last(t);
}

// The distance of operation op is known when the list is bound.
static void add_patch(struct we_xlate *t, uint32_t *list, uint32_t at32, uint32_t op)
{
	struct we_x_patch *patch = t->rc == 0 ? we_vec_add(&t->patches, sizeof(*patch)) : NULL;

	if (patch == NULL) {
		we_x_fail(t, WE_E_NOMEM);
		return;
	}
	*patch = (struct we_x_patch){.next = *list, .at32 = at32, .op = op};
	*list = (uint32_t)t->patches.len - 1;
}

static void bind_patches(struct we_xlate *t, uint32_t list)
{
	for (; list != WE_X_NONE && t->rc == 0;
		list = ((struct we_x_patch *)t->patches.data)[list].next) {
		const struct we_x_patch *patch = (struct we_x_patch *)t->patches.data + list;

		bind_here(t, patch->at32, patch->op);
	}
}

// The place of a jump's distance, in units of 32 bits.
static uint32_t distance_of(const struct we_xlate *t, uint32_t op)
{
	const enum we_icode icode = t->rc == 0 ? icode_at(t, op) : WE_I_BR;
	const bool is_in_x = icode >= WE_I_LOOP_I32_ADD2_NZ && icode <= WE_I_LOOP_MOV2_64_ADD64_NZ;

	return 2 * op + (is_in_x ? 5 : 3);
}

static void open_label(struct we_xlate *t, enum we_op kind, const struct we_blocktype *block)
{
	struct we_x_label *label = t->rc == 0 ? we_vec_add(&t->labels, sizeof(*label)) : NULL;

	if (label == NULL) {
		we_x_fail(t, WE_E_NOMEM);
		return;
	}
	label->kind = kind;
	label->patches = WE_X_NONE;
	label->otherwise = WE_X_NONE;
	label->stub = WE_X_NONE;
	label->val = block->val;
	// A block of one result lends its type from the block type; kept here, re-read when needed.
	we_blocktype_types(t->module, block, &label->params, &label->n_params, &label->results,
		&label->n_results);
	if (block->kind == WE_BLOCK_VAL)
		label->results = NULL;
	we_x_top_home(t, label->n_params);
	label->height = n_operands(t) - label->n_params;
	label->slot = label->n_params == 0 ? t->top : operand_at(t, label->height)->home;
}

static const we_valtype *results_of(const struct we_x_label *label)
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

// Take the comparison or test that stands last out of the code. Returns: false when none does.
static bool take_back(struct we_xlate *t, struct condition *c)
{
	const struct we_iop *op;
	enum we_icode icode;

	if (t->last == WE_X_NONE)
		return false;
	op = op_at(t, t->last);
	icode = icode_at(t, t->last);
	if (we_branch_forms[icode].br == 0)
		return false;
	if (icode == WE_I_I32_AND_I && !fits_16(op->simm))
		return false;
	c->compare = icode;
	c->has_imm = is_imm_form(icode);
	c->a = op->b;
	c->b = c->has_imm ? 0 : op->c;
	c->imm = c->has_imm ? op->simm : 0;
	(void)we_x_take_back(t);
	return true;
}

// Does slot a hold nothing but the result of the last operation, a test?
static bool is_test_result(const struct we_xlate *t, uint32_t a)
{
	return t->last != WE_X_NONE && icode_at(t, t->last) == WE_I_I32_AND_I &&
	       op_at(t, t->last)->a == a && a >= t->stack;
}

// Pop the condition of a branch.
static struct condition pop_condition(struct we_xlate *t)
{
	const struct we_x_operand o = we_x_pop(t);
	struct condition c = {0};

	if (t->rc != 0)
		return c;
	if (!we_x_is_last_result(t, &o) || !take_back(t, &c)) {
		c.a = (uint16_t)we_x_slot_of(t, &o);
		return c;
	}
	if (c.imm == 0 && (c.compare == WE_I_I32_EQ_I || c.compare == WE_I_I32_NE_I)) {
		c.is_not = c.compare == WE_I_I32_EQ_I;
		c.compare = 0;
		if (is_test_result(t, c.a))
			(void)take_back(t, &c);
	}
	return c;
}

static_assert(WE_I_I32_EQ_I == WE_I_I32_EQ + WE_X_CMP_I &&
		      WE_I_BR_ADD_I32_EQ_I == WE_I_I32_EQ + WE_X_BR_ADD_I &&
		      WE_I_LOOP_ADD_I32_EQ_I == WE_I_I32_EQ + WE_X_LOOP_ADD_I &&
		      WE_I_LOOP_ADD_I32_EQ == WE_I_I32_EQ + WE_X_LOOP_ADD &&
		      WE_I_BR_AND_I32_EQ_I == WE_I_I32_EQ + WE_X_BR_AND_I &&
		      WE_I_LOOP_AND_I32_EQ_I == WE_I_I32_EQ + WE_X_LOOP_AND_I &&
		      WE_I_SELECT_I32_EQ == WE_I_I32_EQ + WE_X_SELECT &&
		      WE_I_SELECT_I32_EQ_I == WE_I_I32_EQ + WE_X_SELECT_I,
	"forms of a comparison");

// The comparison that holds of (y, x) when one holds of (x, y).
// clang-format off
static const enum we_icode swapped[WE_I_N] = {
#define SAME(NAME) [WE_I_##NAME] = WE_I_##NAME,
#define SWAP(X, Y) [WE_I_##X] = WE_I_##Y, [WE_I_##Y] = WE_I_##X,
	SAME(I32_EQ) SAME(I32_NE) SAME(I64_EQ) SAME(I64_NE)
	SWAP(I32_LT_S, I32_GT_S) SWAP(I32_LT_U, I32_GT_U) SWAP(I32_LE_S, I32_GE_S) SWAP(I32_LE_U, I32_GE_U)
	SWAP(I64_LT_S, I64_GT_S) SWAP(I64_LT_U, I64_GT_U) SWAP(I64_LE_S, I64_GE_S) SWAP(I64_LE_U, I64_GE_U)
#undef SAME
#undef SWAP
};

// The branch that a load and a comparison with a slot become; its other forms follow it.
static const struct load_branch {
	enum we_icode load;
	enum we_icode compare;
	enum we_icode br;
} load_branches[] = {
#define I_NAME(NAME, FORM)
#define I_LOAD_CMP(LOAD, CMP, R, M, T, load, expr) {WE_I_##LOAD, WE_I_##CMP, WE_I_BR_##LOAD##__##CMP},
#include "icode.def"
#undef I_NAME
};
// clang-format on
static_assert(WE_I_LOOP_I32_LOAD__I32_EQ == WE_I_BR_I32_LOAD__I32_EQ + 1 &&
		      WE_I_BR_I32_LOAD__I32_EQ_I == WE_I_BR_I32_LOAD__I32_EQ + 2 &&
		      WE_I_LOOP_I32_LOAD__I32_EQ_I == WE_I_BR_I32_LOAD__I32_EQ + 3,
	"load branches");

static enum we_icode load_branch(enum we_icode load, enum we_icode compare)
{
	for (uint32_t i = 0; i < sizeof(load_branches) / sizeof(load_branches[0]); i++)
		if (load_branches[i].load == load && load_branches[i].compare == compare)
			return load_branches[i].br;
	return WE_I_N;
}

// The integer comparison that decides a branch, so that the branch is taken if it holds. Returns: false for another
// kind of condition.
static bool is_comparison(struct condition *c, bool negate)
{
	if (c->compare == 0) {
		c->compare = WE_I_I32_NE;
		c->has_imm = true;
		c->imm = 0;
	} else if (we_branch_forms[c->compare].inverse == 0) {
		return false;
	} else if (c->has_imm) {
		c->compare = (enum we_icode)(c->compare - WE_X_CMP_I);
	}
	if (negate)
		c->compare = we_branch_forms[c->compare].inverse;
	return true;
}

static uint64_t halves(uint32_t high, uint32_t low)
{
	return (uint64_t)high << 32 | low;
}

static bool is_last_twice(const struct we_xlate *t)
{
	return t->last != WE_X_NONE && icode_at(t, t->last) == WE_I_I32_ADD_I_TWICE;
}

// The last operation, two increments, goes into the backward branch.
static void emit_increments(struct we_xlate *t, enum we_icode icode, uint32_t x)
{
	const struct we_iop op = *op_at(t, t->last);

	(void)we_x_take_back(t);
	we_x_emit(t, icode, op.a, op.b, op.c, op.d);
	if (t->rc == 0)
		op_at(t, t->newest)->x[0] = x;
}

// The last operation moves values, before a counter of this kind that is compared with 0: what a loop's next turn begins
// with. x: the counter and its step.
static bool fuse_moves(struct we_xlate *t, enum we_icode add, uint32_t x)
{
	struct we_iop op;
	enum we_icode icode;
	bool is_one;

	if (t->newest == WE_X_NONE)
		return false;
	op = *op_at(t, t->newest);
	icode = icode_at(t, t->newest);
	is_one = icode == WE_I_MOV_32 || icode == WE_I_MOV_64;
	if (is_one || icode == WE_I_MOV2_32 || icode == WE_I_MOV2_64)
		icode = icode == WE_I_MOV_32 || icode == WE_I_MOV2_32 ? WE_I_LOOP_MOV2_32_ADD32_NZ
								      : WE_I_LOOP_MOV2_64_ADD32_NZ;
	else
		return false;
	t->last = t->newest;
	(void)we_x_take_back(t);
	we_x_emit(t, (enum we_icode)(icode + (add == WE_I_I64_ADD_I ? 1 : 0)), op.a, op.b,
		is_one ? op.a : op.c, is_one ? op.b : op.d);
	if (t->rc == 0)
		op_at(t, t->newest)->x[0] = x;
	return true;
}
static_assert(WE_I_LOOP_MOV2_32_ADD64_NZ == WE_I_LOOP_MOV2_32_ADD32_NZ + 1 &&
		      WE_I_LOOP_MOV2_64_ADD64_NZ == WE_I_LOOP_MOV2_64_ADD32_NZ + 1,
	"kinds of counters");

// The last operation adds a constant to a slot, and its result is compared.
static bool fuse_add(struct we_xlate *t, struct condition *c, bool is_back)
{
	const struct we_iop op = *op_at(t, t->last);
	const enum we_icode icode = icode_at(t, t->last);
	const uint32_t step = op.imm;

	// The low half of an i64 may be compared.
	if ((icode == WE_I_I32_ADD_I) != (c->compare < WE_I_I64_EQ))
		return false;
	if (is_back && !c->has_imm && c->b == op.a && c->a != op.a) {
		c->b = c->a; // the counter stands first
		c->a = op.a;
		c->compare = swapped[c->compare];
	}
	if (c->a != op.a)
		return false;
	if (c->has_imm && is_back && op.a == op.b && c->imm == 0 && fits_16(op.simm) &&
		(c->compare == WE_I_I32_NE || c->compare == WE_I_I64_NE)) {
		(void)we_x_take_back(t);
		if (fuse_moves(t, icode, step << 16 | op.a))
			return true;
		if (icode == WE_I_I32_ADD_I && is_last_twice(t))
			emit_increments(t, WE_I_LOOP_I32_ADD3_NZ, step << 16 | op.a);
		else
			we_x_emit(t,
				icode == WE_I_I32_ADD_I ? WE_I_LOOP_I32_ADD_NZ
							: WE_I_LOOP_I64_ADD_NZ,
				op.a, (uint16_t)step, 0, 0);
		return true;
	}
	if (c->has_imm) {
		(void)we_x_take_back(t);
		we_x_emit_imm(t,
			(enum we_icode)(c->compare + (is_back ? WE_X_LOOP_ADD_I : WE_X_BR_ADD_I)),
			op.a, op.b, 0, halves((uint32_t)c->imm, step));
		return true;
	}
	if (!is_back || op.a != op.b || c->b == op.a)
		return false;
	(void)we_x_take_back(t);
	we_x_emit_imm(t, (enum we_icode)(c->compare + WE_X_LOOP_ADD), op.a, c->b, 0, step);
	return true;
}

// The last operation is an i32.and with a constant, perhaps of a sum with one, and its result is compared.
static bool fuse_and(struct we_xlate *t, struct condition *c, bool is_back)
{
	const struct we_iop *op = op_at(t, t->last);
	const bool has_sum = icode_at(t, t->last) == WE_I_I32_ADD_I__I32_AND_I;
	const uint32_t mask = has_sum ? (uint32_t)(op->x[0] >> 32) : op->imm;
	const uint32_t addend = has_sum ? (uint32_t)op->x[0] : 0;
	const uint32_t a = op->a;
	const uint32_t b = op->b;

	if (c->a != a || !c->has_imm || mask > UINT16_MAX || !fits_16((int32_t)addend))
		return false;
	(void)we_x_take_back(t);
	we_x_emit_imm(t, (enum we_icode)(c->compare + (is_back ? WE_X_LOOP_AND_I : WE_X_BR_AND_I)),
		a, b, 0, halves((uint32_t)c->imm, mask << 16 | (uint16_t)addend));
	return true;
}

// The last operation loads what is compared.
static bool load_into_branch(struct we_xlate *t, struct condition *c, bool is_back)
{
	const struct we_iop op = *op_at(t, t->last);
	const enum we_icode icode = icode_at(t, t->last);
	enum we_icode br;

	if (!c->has_imm && c->b == op.a && c->a != op.a) {
		c->b = c->a; // what is loaded stands first
		c->a = op.a;
		c->compare = swapped[c->compare];
	}
	br = load_branch(icode, c->compare);
	if (br == WE_I_N || c->a != op.a || (!c->has_imm && c->b == op.a))
		return false;
	br = (enum we_icode)(br + (c->has_imm ? 2 : 0) + (is_back ? 1 : 0));
	we_x_emit_at(t, br, op.a, op.b, 0,
		c->has_imm ? halves((uint32_t)c->imm, op.imm) : halves(op.imm, c->b),
		we_x_take_back(t));
	return true;
}

// The last operation adds a constant; its sum is moved and tested: a counter that is a parameter of the loop.
static bool fuse_add_and_move(struct we_xlate *t, uint32_t counter, const struct we_iop *move)
{
	struct we_iop op;

	if (t->last == WE_X_NONE || icode_at(t, t->last) != WE_I_I32_ADD_I)
		return false;
	op = *op_at(t, t->last);
	if (op.a != counter || move->b != counter || !fits_16(op.simm))
		return false;
	(void)we_x_take_back(t);
	we_x_emit_imm(t, WE_I_LOOP_I32_ADD_MOV_NZ, move->a, op.b, 0, op.imm << 16 | counter);
	return true;
}

// Take the operation before a branch into it. Returns: false when there is no such pair.
static bool fuse_branch(struct we_xlate *t, struct condition *c, bool negate, bool is_back)
{
	struct condition compared = *c;

	if (t->last == WE_X_NONE || t->rc != 0)
		return false;
	if (is_back && c->compare == 0 && !negate && icode_at(t, t->last) == WE_I_MOV_32) {
		const struct we_iop op = *op_at(t, t->last);

		(void)we_x_take_back(t);
		if (!fuse_add_and_move(t, c->a, &op))
			we_x_emit_imm(t, WE_I_LOOP_MOV_32_NZ, op.a, op.b, 0, c->a);
		return true;
	}
	if (!is_comparison(&compared, negate))
		return false;
	switch (icode_at(t, t->last)) {
	case WE_I_I32_ADD_I:
	case WE_I_I64_ADD_I:
		return fuse_add(t, &compared, is_back);
	case WE_I_I32_ADD_I_TWICE:
		if (!is_back || compared.compare != WE_I_I32_NE || !compared.has_imm ||
			compared.imm != 0 || compared.a != op_at(t, t->last)->c)
			return false;
		emit_increments(t, WE_I_LOOP_I32_ADD2_NZ, 0);
		return true;
	case WE_I_I32_AND_I:
	case WE_I_I32_ADD_I__I32_AND_I:
		return fuse_and(t, &compared, is_back);
	case WE_I_I32_LOAD:
	case WE_I_I32_LOAD8_U:
	case WE_I_I32_LOAD8_S:
	case WE_I_I32_LOAD16_U:
	case WE_I_I64_LOAD:
		return load_into_branch(t, &compared, is_back);
	default: // another one: the branch follows it
		return false;
	}
}

// Emit the branch, its distance still open, backwards or not. Returns: its word.
static uint32_t emit_condition(struct we_xlate *t, struct condition *c, bool is_not, bool is_back)
{
	const bool negate = c->is_not != is_not;
	const struct we_branch_forms *forms = &we_branch_forms[c->compare];
	enum we_icode icode;
	uint32_t word;

	if (fuse_branch(t, c, negate, is_back))
		return t->newest;
	if (c->has_imm &&
		!fits_16(c->imm)) { // written back as it is: only that form has 32 bits for it
		(void)is_comparison(c, negate);
		we_x_emit_imm(t,
			(enum we_icode)(c->compare + (is_back ? WE_X_LOOP_ADD_I : WE_X_BR_ADD_I)),
			c->a, c->a, 0, halves((uint32_t)c->imm, 0));
		return t->newest;
	}
	word = here(t);
	if (c->compare == 0)
		icode = negate ? (is_back ? WE_I_LOOP_Z : WE_I_BR_Z)
			       : (is_back ? WE_I_LOOP_NZ : WE_I_BR_NZ);
	else
		icode = negate ? (is_back ? forms->loop_not : forms->br_not)
			       : (is_back ? forms->loop : forms->br);
	we_x_emit(t, icode, c->a, c->has_imm ? (uint16_t)c->imm : c->b, 0, 0);
	return word;
}

// The distance of operation op leads to the label.
static void aim(struct we_xlate *t, struct we_x_label *label, uint32_t at32, uint32_t op)
{
	if (t->rc != 0)
		return;
	if (label->kind == WE_OP_LOOP)
		((int32_t *)t->words.data)[at32] = (int32_t)label->start - (int32_t)op;
	else
		add_patch(t, &label->patches, at32, op);
}

// Would a branch to the label have to move what it carries? Several values are at home: one of them says it for all.
static bool has_moves(const struct we_xlate *t, const struct we_x_label *label)
{
	const uint32_t n = label_arity(label);
	const struct we_x_operand *first;

	if (n == 0 || t->rc != 0)
		return false;
	first = operand_at(t, n_operands(t) - n);
	return first->where != AT_HOME || first->home != label->slot || first->addend != 0;
}

// Before the branch: several values are at home, so that they move as one block.
static void gather(struct we_xlate *t, const struct we_x_label *label)
{
	if (label_arity(label) > 1 && t->rc == 0)
		we_x_top_home(t, label_arity(label));
}

// Move what a branch to the label carries from the top of the operand stack to where the label wants it; the
// operand stack stays.
static void carry(struct we_xlate *t, const struct we_x_label *label, uint32_t slot)
{
	const uint32_t n = label_arity(label);
	const struct we_x_operand *o;

	if (n == 0 || t->rc != 0)
		return;
	o = operand_at(t, n_operands(t) - n);
	if (n > 1)
		we_x_emit_imm(t, WE_I_MOV_N, slot, o->home, t->top - o->home, 0);
	else if (o->where == CONSTANT)
		we_x_emit_constant(t, slot, o);
	else if (o->addend != 0)
		we_x_emit_sum(t, slot, o);
	else
		we_x_emit_move(t, o->type, slot, we_x_base_of(t, o));
}

// Return what lies on top of the operand stack, which stays.
static void emit_return(struct we_xlate *t, const struct we_x_label *function)
{
	const struct we_x_operand *o;

	if (t->rc != 0)
		return;
	if (function->n_results == 1) {
		o = operand_at(t, n_operands(t) - 1);
		if (o->where == CONSTANT && o->type != WE_T_V128 && fits_32(constant(o))) {
			we_x_emit_imm(t, WE_I_RET_I, function->slot, 0, (uint32_t)o->bits[0], 0);
			return;
		}
		if (we_x_is_last_result(t, o) && (icode_at(t, t->last) == WE_I_I32_ADD ||
							 icode_at(t, t->last) == WE_I_I64_ADD)) {
			op_at(t, t->last)->a = (uint16_t)function->slot;
			we_x_set_icode(t, t->last,
				icode_at(t, t->last) == WE_I_I32_ADD ? WE_I_RET_ADD_32
								     : WE_I_RET_ADD_64);
			t->last = WE_X_NONE;
			return;
		}
		if (o->where != CONSTANT && o->addend == 0) {
			we_x_emit(t, we_x_by_width(WE_I_RET_32, o->type), function->slot,
				we_x_base_of(t, o), 0, 0);
			return;
		}
	}
	carry(t, function, function->slot);
	we_x_emit(t, WE_I_RET, 0, 0, 0, 0);
}

// Emit a jump, its distance still open; the last operation goes into it if it moves a value. Returns: its word.
static uint32_t emit_br(struct we_xlate *t, bool is_back)
{
	const enum we_icode last =
		t->last == WE_X_NONE || t->rc != 0 ? WE_I_BR : icode_at(t, t->last);
	struct we_iop op;

	if (last != WE_I_MOV_32 && last != WE_I_MOV_64 && (last != WE_I_CONST_32 || is_back)) {
		we_x_emit(t, is_back ? WE_I_LOOP_BR : WE_I_BR, 0, 0, 0, 0);
		return t->newest;
	}
	op = *op_at(t, t->last);
	(void)we_x_take_back(t);
	if (last == WE_I_CONST_32)
		we_x_emit_imm(t, WE_I_BR_CONST_32, op.a, 0, 0, op.imm);
	else if (last == WE_I_MOV_32)
		we_x_emit(t, is_back ? WE_I_LOOP_MOV_32 : WE_I_BR_MOV_32, op.a, op.b, 0, 0);
	else
		we_x_emit(t, is_back ? WE_I_LOOP_MOV_64 : WE_I_BR_MOV_64, op.a, op.b, 0, 0);
	return t->newest;
}

// The way to a label whose values may have to move: moves and a jump, or a return.
static void emit_jump(struct we_xlate *t, struct we_x_label *label)
{
	uint32_t word;

	if (label->kind == WE_OP_NONE) {
		emit_return(t, label);
		return;
	}
	if (has_moves(t, label))
		carry(t, label, label->slot);
	word = emit_br(t, label->kind == WE_OP_LOOP);
	aim(t, label, distance_of(t, word), word);
}

void we_x_die(struct we_xlate *t)
{
	struct we_x_label *label = label_at(t, 0);

	t->is_dead = true;
	if (t->rc == 0 && n_operands(t) > label->height)
		we_x_pop_n(t, n_operands(t) - label->height);
}

void we_lower_unreachable(
	struct we_xlate *t, const struct we_instr *in, const struct we_lowering *how)
{
	(void)in;
	we_x_emit(t, how->icode, 0, 0, 0, 0);
	we_x_die(t);
}

void we_lower_block(struct we_xlate *t, const struct we_instr *in, const struct we_lowering *how)
{
	(void)how;
	we_x_leave_locals(t);
	open_label(t, WE_OP_BLOCK, &in->of.block);
}

void we_lower_loop(struct we_xlate *t, const struct we_instr *in, const struct we_lowering *how)
{
	(void)how;
	we_x_leave_locals(t);
	open_label(t, WE_OP_LOOP, &in->of.block);
	label_at(t, 0)->start = here(t);
	we_x_forget_last(t);
	t->n_loops++;
}

void we_lower_if(struct we_xlate *t, const struct we_instr *in, const struct we_lowering *how)
{
	struct condition c = pop_condition(t);
	uint32_t word;

	(void)how;
	we_x_leave_locals(t);
	open_label(t, WE_OP_IF, &in->of.block);
	word = emit_condition(t, &c, true, false);
	if (t->rc == 0)
		add_patch(t, &label_at(t, 0)->otherwise, distance_of(t, word), word);
}

void we_lower_else(struct we_xlate *t, const struct we_instr *in, const struct we_lowering *how)
{
	struct we_x_label *label = label_at(t, 0);

	(void)in;
	(void)how;
	if (!t->is_dead) {
		uint32_t word;

		we_x_top_home(t, label->n_results);
		word = emit_br(t, false);
		if (t->rc == 0)
			add_patch(t, &label->patches, distance_of(t, word), word);
	}
	bind_patches(t, label->otherwise);
	label->otherwise = WE_X_NONE;
	label->kind = WE_OP_ELSE;
	if (t->rc != 0)
		return;
	t->is_dead = false;
	we_x_pop_n(t, n_operands(t) - label->height);
	we_x_push_types(t, label->params, label->n_params);
}

void we_lower_try_table(
	struct we_xlate *t, const struct we_instr *in, const struct we_lowering *how)
{
	struct we_x_label *label;

	(void)how;
	we_x_leave_locals(t);
	open_label(t, WE_OP_TRY_TABLE, &in->of.try_table.block);
	if (t->rc != 0)
		return;
	label = label_at(t, 0);
	label->begin = here(t);
	label->catches = in->of.try_table.catches;
	label->n_catches = in->of.try_table.n;
	we_x_forget_last(t); // nothing of before may grow into the block
}

// Where a clause goes on: its values are laid at the homes above what lies below the block, and go on to its label.
static void emit_catch(struct we_xlate *t, const struct we_catch *clause, uint32_t end)
{
	const struct we_x_label *block = label_at(t, 0);
	const struct we_functype *type =
		clause->has_tag ? t->module->is.tags[clause->tag].type : NULL;
	struct we_x_label *label = label_at(t, clause->label + 1);
	struct we_code_catch *row = we_vec_add(&t->catches, sizeof(*row));

	if (row == NULL) {
		we_x_fail(t, WE_E_NOMEM);
		return;
	}
	we_x_forget_last(t);
	*row = (struct we_code_catch){.begin = block->begin,
		.end = end,
		.target = here(t),
		.slot = t->top,
		.tag = clause->tag,
		.has_tag = clause->has_tag,
		.has_ref = clause->has_ref};
	if (type != NULL)
		we_x_push_types(t, we_functype_params(type), type->n_params);
	if (clause->has_ref)
		(void)we_x_push(t, WE_T_REF | WE_HEAP_EXN);
	emit_jump(t, label);
	if (t->rc == 0)
		we_x_pop_n(t, n_operands(t) - block->height);
}

// The end of a try_table's block: its clauses, which those that come through the block jump over.
static void end_try(struct we_xlate *t)
{
	struct we_x_label *block = label_at(t, 0);
	struct we_reader catches = block->catches;
	const uint32_t end = here(t);
	const uint32_t word = end;

	if (block->n_catches == 0 || t->rc != 0)
		return;
	if (!t->is_dead) {
		we_x_emit(t, WE_I_BR, 0, 0, 0, 0);
		if (t->rc == 0)
			add_patch(t, &block->patches, distance_of(t, word), word);
	}
	we_x_pop_n(t, n_operands(t) - block->height);
	for (uint32_t i = 0; i < block->n_catches && t->rc == 0; i++) {
		struct we_catch clause;

		if (we_catch_read(&catches, &clause) == 0) // it has been read before
			emit_catch(t, &clause, end);
	}
}

void we_lower_end(struct we_xlate *t, const struct we_instr *in, const struct we_lowering *how)
{
	const struct we_x_label *label = label_at(t, 0); // it stays until the next is opened
	bool is_reached;

	(void)in;
	(void)how;
	if (label->kind == WE_OP_NONE) {
		if (!t->is_dead) {
			gather(t, label);
			emit_return(t, label);
		}
		t->labels.len--;
		return;
	}
	if (!t->is_dead)
		we_x_top_home(t, label->n_results);
	if (label->kind == WE_OP_LOOP)
		t->n_loops--;
	if (label->kind == WE_OP_TRY_TABLE)
		end_try(t);
	bind_patches(t, label->otherwise);
	bind_patches(t, label->patches);
	is_reached = !t->is_dead || label->patches != WE_X_NONE || label->otherwise != WE_X_NONE;
	t->labels.len--;
	if (t->rc != 0)
		return;
	t->is_dead = false;
	we_x_pop_n(t, n_operands(t) - label->height);
	if (is_reached)
		we_x_push_types(t, results_of(label), label->n_results);
	else
		we_x_die(t);
}

void we_lower_br(struct we_xlate *t, const struct we_instr *in, const struct we_lowering *how)
{
	struct we_x_label *label = label_at(t, in->of.idx);

	(void)how;
	gather(t, label);
	emit_jump(t, label);
	we_x_die(t);
}

// A loop's only parameter, of 32 bits, is moved whether or not the branch is taken, where it changes nothing else (its home is
// the parameter's): mostly the move goes into the branch.
static void send_parameter_home(
	struct we_xlate *t, const struct we_x_label *label, const struct condition *c)
{
	const struct we_x_operand *o;

	if (label->kind != WE_OP_LOOP || label->n_params != 1 || c->compare != 0 || c->is_not ||
		t->rc != 0)
		return;
	o = operand_at(t, n_operands(t) - 1);
	if (o->where == IN_LOCAL && o->addend == 0 && o->home == label->slot &&
		we_x_by_width(WE_I_MOV_32, o->type) == WE_I_MOV_32)
		we_x_top_home(t, 1);
}

static void branch_if(struct we_xlate *t, struct condition c, we_labelidx to)
{
	struct we_x_label *label = label_at(t, to);
	const uint32_t before = here(t);
	uint32_t word;

	gather(t, label);
	if (here(t) != before)
		t->last = WE_X_NONE;
	send_parameter_home(t, label, &c);
	if (label->kind != WE_OP_NONE && !has_moves(t, label)) {
		word = emit_condition(t, &c, false, label->kind == WE_OP_LOOP);
		aim(t, label, distance_of(t, word), word);
		return;
	}
	word = emit_condition(t, &c, true, false);
	emit_jump(t, label);
	if (t->rc == 0)
		bind_here(t, distance_of(t, word), word);
}

void we_lower_br_if(struct we_xlate *t, const struct we_instr *in, const struct we_lowering *how)
{
	(void)how;
	branch_if(t, pop_condition(t), in->of.idx);
}

void we_x_branch_if(struct we_xlate *t, we_labelidx label, uint32_t a)
{
	branch_if(t, (struct condition){.a = (uint16_t)a}, label);
}

void we_lower_br_table(struct we_xlate *t, const struct we_instr *in, const struct we_lowering *how)
{
	const struct we_x_operand o = we_x_pop(t);
	const uint32_t slot = we_x_slot_of(t, &o);
	const uint32_t n = in->of.labels.n;
	struct we_reader targets = in->of.labels.targets;
	uint32_t depth = 0;
	uint32_t word;

	// All labels have the same arity. The list has been read before: reading it cannot fail.
	if (we_reader_u32(&targets, &depth) == 0 && t->rc == 0)
		we_x_top_home(t, label_arity(label_at(t, depth)));
	word = here(t);
	if (we_x_emit_words(t, how->icode, 2 + (n + 2) / 2) == NULL)
		return;
	op_at(t, word)->a = (uint16_t)slot;
	op_at(t, word)->imm = n;
	targets = in->of.labels.targets;
	for (uint32_t i = 0; i <= n && t->rc == 0; i++) {
		const uint32_t at32 = 2 * (word + 2) + i;
		struct we_x_label *label;

		if (we_reader_u32(&targets, &depth) != 0)
			break;
		label = label_at(t, depth);
		if (label->kind != WE_OP_NONE && label->kind != WE_OP_LOOP &&
			!has_moves(t, label)) {
			aim(t, label, at32, word);
			continue;
		}
		if (label->stub == WE_X_NONE ||
			label->stub < word) { // none, or of an earlier table
			label->stub = here(t);
			emit_jump(t, label);
		}
		if (t->rc == 0)
			((int32_t *)t->words.data)[at32] = (int32_t)(label->stub - word);
	}
	we_x_die(t);
}

void we_lower_return(struct we_xlate *t, const struct we_instr *in, const struct we_lowering *how)
{
	struct we_x_label *function = label_at(t, (uint32_t)t->labels.len - 1);

	(void)in;
	(void)how;
	gather(t, function);
	emit_return(t, function);
	we_x_die(t);
}

uint32_t we_x_pop_arguments(struct we_xlate *t, const struct we_functype *type)
{
	uint32_t callee;

	if (t->rc != 0)
		return 0;
	we_x_top_home(t, type->n_params);
	we_x_pop_n(t, type->n_params);
	callee = t->top + we_functype_room(type);
	we_x_need_slots(t, callee);
	we_x_note_map(t);
	return callee;
}

// A call that does the last operation, a move or a sum, too. Returns: false when the last one is another.
static bool emit_call_with_argument(struct we_xlate *t, uint32_t callee)
{
	struct we_iop op;
	enum we_icode icode;

	if (t->last == WE_X_NONE)
		return false;
	op = *op_at(t, t->last);
	switch (icode_at(t, t->last)) {
	case WE_I_MOV_32:
		icode = WE_I_CALL_MOV_32;
		break;
	case WE_I_MOV_64:
		icode = WE_I_CALL_MOV_64;
		break;
	case WE_I_I32_ADD_I:
		icode = WE_I_CALL_ADD_32;
		break;
	case WE_I_I64_ADD_I:
		icode = WE_I_CALL_ADD_64;
		break;
	default:
		return false;
	}
	if ((icode == WE_I_CALL_ADD_32 || icode == WE_I_CALL_ADD_64) && !fits_16(op.simm))
		return false;
	// It is done after the callee's frame is written: a result that was dropped may lie there.
	if (op.a >= callee)
		return false;
	(void)we_x_take_back(t);
	we_x_emit(t, icode, callee, op.b, op.a, (uint16_t)op.imm);
	return t->rc == 0;
}

// A call of a function of this module, whose code may not stand yet.
static void emit_call(
	struct we_xlate *t, enum we_icode icode, uint32_t callee, const struct we_func_def *def)
{
	uint32_t *word = t->rc == 0 ? we_vec_add(&t->calls, sizeof(*word)) : NULL;

	if (word == NULL) {
		we_x_fail(t, WE_E_NOMEM);
		return;
	}
	if (icode == WE_I_CALL && emit_call_with_argument(t, callee)) {
		*word = t->newest;
		op_at(t, t->newest)->x[0] = (uintptr_t)&def->code;
		return;
	}
	*word = here(t);
	we_x_emit_imm(t, icode, callee, 0, 0, (uintptr_t)&def->code);
}

// A tail call of this function itself with up to three arguments, each taken from where it was made.
static void lower_tail_self(struct we_xlate *t)
{
	const uint32_t n = t->def->type->n_params;
	uint32_t from[3] = {0};

	for (uint32_t i = n; i-- > 0;) {
		const struct we_x_operand o = we_x_pop(t);

		from[i] = we_x_slot_of(t, &o);
	}
	we_x_emit(t, (enum we_icode)(WE_I_TAIL_SELF + n), from[0], from[1], from[2],
		WE_FRAME_BIAS - t->room);
	we_x_die(t);
}
static_assert(WE_I_TAIL_SELF_3 == WE_I_TAIL_SELF + 3, "n arguments");

// arg: a tail call.
void we_lower_call(struct we_xlate *t, const struct we_instr *in, const struct we_lowering *how)
{
	const struct we_func_def *def = &t->module->is.funcs[in->of.idx];
	const struct we_functype *type = def->type;
	const bool is_tail = how->arg != 0;
	uint32_t callee;

	if (is_tail && def == t->def && type->n_params > 0 && type->n_params <= 3 &&
		type->n_params == type->n_param_slots) {
		lower_tail_self(t);
		return;
	}
	callee = we_x_pop_arguments(t, type);
	if (in->of.idx < t->module->is.n_imported_funcs)
		we_x_emit_imm(
			t, is_tail ? WE_I_TAIL_IMPORT : WE_I_CALL_IMPORT, callee, 0, in->of.idx, 0);
	else if (is_tail && def == t->def)
		we_x_emit_imm(t, WE_I_TAIL_SELF, callee - t->room, WE_FRAME_BIAS - t->room,
			type->n_param_slots, 0);
	else
		emit_call(t, how->icode, callee, def);
	if (is_tail)
		we_x_die(t);
	else
		we_x_push_types(t, we_functype_results(type), type->n_results);
}

// The slot of a popped 64-bit index as one of 32 bits: no table reaches what is cut off.
static uint32_t clamped(struct we_xlate *t, const struct we_x_operand *o)
{
	const uint32_t slot = we_x_slot_of(t, o);

	we_x_emit(t, WE_I_CLAMP_64, o->home, slot, 0, 0);
	return o->home;
}

void we_lower_call_indirect(
	struct we_xlate *t, const struct we_instr *in, const struct we_lowering *how)
{
	const struct we_functype *type = t->module->is.types[in->of.pair.a].def->func;
	const struct we_x_operand index = we_x_pop(t);
	const bool is_wide = t->module->is.tables[in->of.pair.b].type.limits.is_64;
	const uint32_t b = is_wide ? clamped(t, &index) : we_x_slot_of(t, &index);
	const uint32_t callee = we_x_pop_arguments(t, type);

	we_x_emit_imm(t, how->icode, callee, b, in->of.pair.b, (uintptr_t)type);
	if (how->arg != 0)
		we_x_die(t);
	else
		we_x_push_types(t, we_functype_results(type), type->n_results);
}
