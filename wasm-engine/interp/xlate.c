// SPDX-License-Identifier: BSD-3-Clause
// Operations and operands of a translation.
//
// Module path 3/6. Owns: nothing of its own. Thread: any.
#include "xlate.h"

#include <assert.h>
#include <string.h>

static_assert(WE_FRAME_MAX_SLOTS <= WE_X_POOL, "a stack slot is not taken for a constant");
static_assert(WE_FRAME_MAX_SLOTS + WE_FRAME_POOL_MAX <= UINT16_MAX, "slots fit their 16 bits");

enum {
	OP_MAX_WORDS = 4 // of any form; behind a TABLE there are distances
};

void we_x_fail(struct we_xlate *t, int rc)
{
	if (t->rc == 0)
		t->rc = rc;
	t->is_dead = true;
}

// ---- emission ------------------------------------------------------------------------------------

void we_x_set_icode(struct we_xlate *t, uint32_t word, enum we_icode icode)
{
	((uint64_t *)t->words.data)[word] = icode;
}

// The operation that comes next is of the instruction at t->at. There is room for it, and an entry before it.
static inline void note_offset(struct we_xlate *t)
{
	struct we_code_offset *offset =
		(struct we_code_offset *)t->offsets.data + t->offsets.len - 1;

	assert(t->offsets.len > 0 && offset->word <= here(t));
	if (offset->at == t->at)
		return;
	if (offset->word != here(t)) {
		t->offsets.len++;
		offset++;
	}
	*offset = (struct we_code_offset){.word = here(t), .at = t->at};
}

// Is there room for n more words, and for an operation of any form? Each word may have an offset of its own.
static inline bool has_room(const struct we_xlate *t, uint32_t n_words)
{
	return t->rc == 0 && t->words.cap - t->words.len >= n_words + OP_MAX_WORDS;
}

static bool make_room(struct we_xlate *t, uint32_t n_words)
{
	if (t->rc == 0 &&
		(we_vec_reserve(&t->words, n_words + OP_MAX_WORDS, sizeof(uint64_t)) < 0 ||
			we_vec_reserve(&t->offsets, t->words.cap - t->offsets.len,
				sizeof(struct we_code_offset)) < 0))
		we_x_fail(t, WE_E_NOMEM);
	return t->rc == 0;
}

void we_x_start(struct we_xlate *t)
{
	if (!make_room(t, 0))
		return;
	*(struct we_code_offset *)t->offsets.data = (struct we_code_offset){.word = 0, .at = t->at};
	t->offsets.len = 1;
}

// Append an operation whose words are zero up to OP_MAX_WORDS. There is room.
static inline struct we_iop *emit_words(struct we_xlate *t, enum we_icode icode, uint32_t n_words)
{
	const uint32_t word = here(t);
	uint64_t *data = (uint64_t *)t->words.data + word;

	note_offset(t);
	data[0] = icode;
	for (uint32_t i = 1; i < OP_MAX_WORDS; i++)
		data[i] = 0;
	t->words.len += n_words;
	t->before[1] = t->before[0];
	t->before[0] = t->newest;
	t->newest = word;
	t->earlier = t->last;
	t->last = WE_X_NONE;
	return (struct we_iop *)(void *)data;
}

struct we_iop *we_x_emit_words(struct we_xlate *t, enum we_icode icode, uint32_t n_words)
{
	struct we_iop *op;

	if (!has_room(t, n_words) && !make_room(t, n_words))
		return NULL;
	op = emit_words(t, icode, n_words);
	memset(op, 0, n_words * sizeof(uint64_t));
	we_x_set_icode(t, t->newest, icode);
	return op;
}

// The two that emit nearly all. Without room they begin again once there is some: so they have nothing to save.
__attribute__((noinline)) static void emit_with_room(
	struct we_xlate *t, enum we_icode icode, uint32_t a, uint32_t b, uint32_t c, uint32_t d)
{
	if (make_room(t, 0))
		we_x_emit(t, icode, a, b, c, d);
}

void we_x_emit(
	struct we_xlate *t, enum we_icode icode, uint32_t a, uint32_t b, uint32_t c, uint32_t d)
{
	struct we_iop *op;

	if (!has_room(t, 0)) {
		emit_with_room(t, icode, a, b, c, d);
		return;
	}
	op = emit_words(t, icode, WE_FORM_WORDS(we_icode_forms[icode]));
	op->a = (uint16_t)a; // beyond the operation when its form has no such word
	op->b = (uint16_t)b;
	op->c = (uint16_t)c;
	op->d = (uint16_t)d;
}

__attribute__((noinline)) static void emit_imm_with_room(
	struct we_xlate *t, enum we_icode icode, uint32_t a, uint32_t b, uint32_t imm, uint64_t x)
{
	if (make_room(t, 0))
		we_x_emit_imm(t, icode, a, b, imm, x);
}

void we_x_emit_imm(
	struct we_xlate *t, enum we_icode icode, uint32_t a, uint32_t b, uint32_t imm, uint64_t x)
{
	struct we_iop *op;

	if (!has_room(t, 0)) {
		emit_imm_with_room(t, icode, a, b, imm, x);
		return;
	}
	op = emit_words(t, icode, WE_FORM_WORDS(we_icode_forms[icode]));
	op->a = (uint16_t)a;
	op->b = (uint16_t)b;
	op->imm = imm;
	op->x[0] = x;
}

void we_x_emit_at(struct we_xlate *t, enum we_icode icode, uint32_t a, uint32_t b, uint32_t imm,
	uint64_t x, uint32_t at)
{
	const uint32_t now = t->at;

	t->at = at;
	we_x_emit_imm(t, icode, a, b, imm, x);
	t->at = now;
}

void we_x_mark_two(struct we_xlate *t)
{
	if (t->rc == 0)
		((struct we_code_offset *)t->offsets.data)[t->offsets.len++] =
			(struct we_code_offset){.word = t->newest + 1, .at = t->at};
}

void we_x_emit_two(struct we_xlate *t, enum we_icode icode, uint32_t a, uint32_t b, uint32_t c,
	uint32_t d, uint32_t first)
{
	const uint32_t second = t->at;

	t->at = first;
	we_x_emit(t, icode, a, b, c, d);
	t->at = second;
	we_x_mark_two(t);
}

uint32_t we_x_take_back(struct we_xlate *t)
{
	const struct we_code_offset *offsets = t->offsets.data;
	struct we_code_map *maps = t->maps.data;

	t->words.len = t->last;
	while (offsets[t->offsets.len - 1].word > t->last)
		t->offsets.len--;
	if (t->maps.len > 0 && maps[t->maps.len - 1].word > t->last)
		maps[t->maps.len - 1].word = t->last; // of the operation that comes next
	t->newest = t->before[0];
	t->before[0] = t->before[1];
	t->before[1] = WE_X_NONE;
	t->last = t->earlier;
	t->earlier = WE_X_NONE;
	return offsets[t->offsets.len - 1].at;
}

enum we_icode we_x_by_width(enum we_icode icode_32, we_valtype type)
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

void we_x_emit_constant(struct we_xlate *t, uint32_t slot, const struct we_x_operand *o)
{
	const uint32_t word = here(t);

	if (o->type == WE_T_V128) {
		we_x_emit(t, WE_I_CONST_128, slot, 0, 0, 0);
		if (t->rc == 0)
			memcpy(op_at(t, word)->x, o->bits, sizeof(o->bits));
	} else if (o->type == WE_T_I32 || o->type == WE_T_F32) {
		we_x_emit_imm(t, WE_I_CONST_32, slot, 0, (uint32_t)o->bits[0], 0);
	} else if (fits_32(constant(o))) {
		we_x_emit_imm(t, WE_I_CONST_64I, slot, 0, (uint32_t)o->bits[0], 0);
	} else {
		we_x_emit_imm(t, WE_I_CONST_64, slot, 0, 0, o->bits[0]);
	}
	we_x_mark_result(t, word);
}

void we_x_emit_move(struct we_xlate *t, we_valtype type, uint32_t to, uint32_t from)
{
	const uint32_t word = here(t);

	const enum we_icode icode = we_x_by_width(WE_I_MOV_32, type);

	if (to == from)
		return;
	if (t->last != WE_X_NONE && icode_at(t, t->last) == icode && icode != WE_I_MOV_128) {
		struct we_iop *op = op_at(t, t->last);

		we_x_set_icode(t, t->last, icode == WE_I_MOV_32 ? WE_I_MOV2_32 : WE_I_MOV2_64);
		op->c = (uint16_t)to;
		op->d = (uint16_t)from;
		t->last = WE_X_NONE;
		return;
	}
	we_x_emit(t, icode, to, from, 0, 0);
	we_x_mark_result(t, word);
}

// ---- the operand stack ---------------------------------------------------------------------------

// Is the last operation the addition of a small constant to a local?
static bool is_last_increment(const struct we_xlate *t)
{
	const struct we_iop *op;

	if (t->last == WE_X_NONE || icode_at(t, t->last) != WE_I_I32_ADD_I)
		return false;
	op = op_at(t, t->last);
	return op->a == op->b && op->a < t->stack && fits_16(op->simm);
}

void we_x_emit_sum(struct we_xlate *t, uint32_t to, const struct we_x_operand *o)
{
	uint32_t word = here(t);

	if (we_x_is_last_base(t, o) && icode_at(t, t->last) == WE_I_I32_ADD &&
		fits_16((int32_t)o->addend)) {
		struct we_iop *op = op_at(t, t->last);

		we_x_set_icode(t, t->last, WE_I_I32_ADD_ADD_I);
		op->a = (uint16_t)to;
		op->d = (uint16_t)o->addend;
		return;
	}
	if (to == we_x_base_of(t, o) && fits_16((int32_t)o->addend) && is_last_increment(t) &&
		to < t->stack) {
		struct we_iop *op = op_at(t, t->last);

		we_x_set_icode(t, t->last, WE_I_I32_ADD_I_TWICE);
		op->b = (uint16_t)op->imm;
		op->c = (uint16_t)to;
		op->d = (uint16_t)o->addend;
		return;
	}
	we_x_emit_imm(t, WE_I_I32_ADD_I, to, we_x_base_of(t, o), o->addend, 0);
	we_x_mark_result(t, word);
}

uint32_t we_x_slot_of(struct we_xlate *t, const struct we_x_operand *o)
{
	const uint32_t n = we_valtype_n_slots(o->type);

	if (o->addend != 0) {
		we_x_emit_sum(t, o->home, o);
		return o->home;
	}
	if (o->where == AT_HOME)
		return o->home;
	if (o->where == IN_LOCAL)
		return t->slots[o->local];
	if (t->n_loops == 0 || t->pool.len + n > WE_FRAME_POOL_MAX) {
		we_x_emit_constant(t, o->home, o);
		return o->home;
	}
	for (uint32_t i = 0; i + n <= t->pool.len && i < 64; i++) // the first ones are shared
		if (memcmp((uint64_t *)t->pool.data + i, o->bits, n * sizeof(uint64_t)) == 0)
			return WE_X_POOL + i;
	for (uint32_t i = 0; i < n; i++) {
		uint64_t *word = we_vec_add(&t->pool, sizeof(*word));

		if (word == NULL) {
			we_x_fail(t, WE_E_NOMEM);
			return o->home;
		}
		*word = o->bits[i];
	}
	return WE_X_POOL + (uint32_t)t->pool.len - n;
}

void we_x_send_home(struct we_xlate *t, uint32_t i)
{
	struct we_x_operand *o = operand_at(t, i);

	if (o->addend != 0)
		we_x_emit_sum(t, o->home, o);
	else if (o->where == IN_LOCAL)
		we_x_emit_move(t, o->type, o->home, t->slots[o->local]);
	else if (o->where == CONSTANT)
		we_x_emit_constant(t, o->home, o);
	o->where = AT_HOME;
	o->addend = 0;
}

void we_x_preserve(struct we_xlate *t, we_localidx local)
{
	for (uint32_t i = t->uses[local]; i != WE_X_NONE; i = operand_at(t, i)->prev)
		we_x_send_home(t, i);
	t->uses[local] = WE_X_NONE;
}

void we_x_leave_locals(struct we_xlate *t)
{
	for (uint32_t i = t->homely; i < n_operands(t) && t->rc == 0; i++)
		if (operand_at(t, i)->where == IN_LOCAL)
			we_x_preserve(t, operand_at(t, i)->local);
	t->homely = n_operands(t);
}

void we_x_top_home(struct we_xlate *t, uint32_t n)
{
	for (uint32_t i = n_operands(t); n > 0 && t->rc == 0; n--) {
		const struct we_x_operand *o = operand_at(t, --i);

		if (o->where == IN_LOCAL)
			t->uses[o->local] = o->prev;
		we_x_send_home(t, i);
	}
}

void we_x_note_map(struct we_xlate *t)
{
	struct we_code_map *map;

	// Before the first reference there is nothing to say; after it, silence would mean the map before.
	if (t->rc != 0 || (t->n_ref_operands == 0 && !t->has_maps))
		return;
	t->has_maps = true;
	map = we_vec_add(&t->maps, sizeof(*map));
	if (map == NULL) {
		we_x_fail(t, WE_E_NOMEM);
		return;
	}
	map->word = here(t);
	map->first = (uint32_t)t->refs.len;
	for (uint32_t i = 0; t->n_ref_operands > 0 && i < n_operands(t); i++) {
		const struct we_x_operand *o = operand_at(t, i);
		const enum we_trace trace = we_valtype_trace(t->module->engine, o->type);
		uint32_t *ref;

		if (o->where != AT_HOME || trace == WE_TRACE_NONE)
			continue;
		ref = we_vec_add(&t->refs, sizeof(*ref));
		if (ref == NULL) {
			we_x_fail(t, WE_E_NOMEM);
			return;
		}
		*ref = WE_REF(o->home, trace);
	}
	map->n = (uint32_t)t->refs.len - map->first;
}

void we_x_push_types(struct we_xlate *t, const we_valtype *types, uint32_t n)
{
	if (we_vec_reserve(&t->operands, (size_t)n + WE_X_PUSHES, sizeof(struct we_x_operand)) <
		0) {
		we_x_fail(t, WE_E_NOMEM);
		return;
	}
	for (uint32_t i = 0; i < n; i++)
		(void)we_x_push(t, types[i]);
}

void we_x_pop_n(struct we_xlate *t, uint32_t n)
{
	for (uint32_t i = 0; i < n; i++)
		(void)we_x_pop(t);
}
