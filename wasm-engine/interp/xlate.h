// SPDX-License-Identifier: BSD-3-Clause
// we_xlate: the state of one translation, and what emits operations and simulates the operand stack.
//
// Module path 3/6. An operand is a value in its home (the slot that its place on the operand stack has in the frame), a
// local not yet read, or a constant. Reading the latter two where they are is what saves most moves; they go
// to their homes when the local is about to change, at the start of a block, and where homes are wanted: arguments,
// and what a branch or the end of a block carries. An i32 that is a sum with a constant stays one: loads and stores
// take the constant into their address, comparisons into theirs.
//
// A failure stays in t->rc: functions called after it do nothing that matters, and the rest of the body is not translated.
// Owns:   its vectors and arrays, which code.c frees.
// Thread: any; one translation touches only its own.
#pragma once

#include "icode.h"
#include "instr.h"
#include "vec.h"

#include <assert.h>

#define WE_X_NONE UINT32_MAX
#define WE_X_POOL 0xf000u // slots from here on stand for constants until the stack's start is known

// Invariant: a LOCAL operand is linked in t->uses[local]; `prev` is a lower operand of the same local.
struct we_x_operand {
	enum {
		AT_HOME,
		IN_LOCAL,
		CONSTANT
	} where;
	we_valtype type;
	uint32_t home; // slot
	uint32_t
		addend; // AT_HOME, IN_LOCAL: the value is what the slot holds and this, an i32; CONSTANT: 0
	union {
		struct { // IN_LOCAL
			we_localidx local;
			uint32_t prev;
		};
		uint64_t bits[2]; // CONSTANT; an i32 or f32 is zero-extended
	};
};

// A jump that waits for its target: the distance is the 32-bit word at32 of the code, from operation op on.
struct we_x_patch {
	uint32_t next; // index, WE_X_NONE ends the list
	uint32_t at32;
	uint32_t op; // word
};

struct we_x_label {
	enum we_op kind; // BLOCK LOOP IF ELSE TRY_TABLE, or WE_OP_NONE for the function
	uint32_t height; // operands below the parameters
	uint32_t slot;   // home of the first of them
	const we_valtype *params;
	const we_valtype *results;
	uint32_t n_params;
	uint32_t n_results;
	uint32_t start;           // LOOP: word
	uint32_t patches;         // to the end
	uint32_t otherwise;       // IF: patch to the else branch
	uint32_t stub;            // of the br_table being translated
	uint32_t begin;           // TRY_TABLE: word
	uint32_t n_catches;       // TRY_TABLE
	struct we_reader catches; // TRY_TABLE: read with we_catch_read
	we_valtype val;           // storage of a block type's one result
};

// The vectors are used again for every function of a module.
struct we_xlate {
	const struct we_module *module;
	const struct we_func_def *def;
	we_funcidx func;
	bool deterministic;
	bool is_dead; // the code that follows cannot be reached, or the translation has failed
	int rc;       // first failure
	uint32_t dead_blocks; // blocks opened in dead code
	uint32_t n_loops;     // that enclose the instruction
	uint32_t at;          // of the instruction, bytes from the start of the module
	uint32_t room;
	uint32_t stack;     // slot where the operand stack begins
	uint32_t top;       // slot after the top of the operand stack
	uint32_t max;       // highest slot + 1 that a frame needs
	uint32_t newest;    // word of the last operation, WE_X_NONE when a jump leads after it
	uint32_t before[2]; // the same of the one before it, and of that
	uint32_t last;    // word of the last operation if its slot a is its result, else WE_X_NONE
	uint32_t earlier; // the same of the one before it
	uint32_t homely;  // operands below this one are not IN_LOCAL
	struct we_vec words;    // uint64_t
	struct we_vec offsets;  // struct we_code_offset
	struct we_vec operands; // struct we_x_operand
	struct we_vec labels;   // struct we_x_label
	struct we_vec patches;  // struct we_x_patch
	struct we_vec pool;     // uint64_t
	struct we_vec calls;    // uint32_t, words
	struct we_vec maps;     // struct we_code_map
	struct we_vec refs;     // uint32_t, WE_REF: of the locals, then of the maps
	struct we_vec catches;  // struct we_code_catch
	struct we_vec locals;   // bytes: the three arrays below
	uint32_t n_ref_locals;
	uint32_t n_ref_operands; // on the operand stack
	bool has_maps;     // an operation that can collect may see references on the operand stack
	uint16_t *slots;   // [n_locals]
	we_valtype *types; // [n_locals]
	uint32_t *uses;    // [n_locals] topmost operand IN_LOCAL, or WE_X_NONE
};

// The forms of an integer comparison follow it in the table.
enum {
	WE_X_CMP_I = 1,
	WE_X_BR_ADD_I = 6,
	WE_X_LOOP_ADD_I = 7,
	WE_X_LOOP_ADD = 8,
	WE_X_BR_AND_I = 9,
	WE_X_LOOP_AND_I = 10,
	WE_X_SELECT = 11,
	WE_X_SELECT_I = 12,
};

struct we_lowering {
	void (*lower)(struct we_xlate *t, const struct we_instr *in, const struct we_lowering *how);
	enum we_icode icode;
	uint32_t arg; // what the function says
};

// What a comparison or test that stands last in the code becomes in a branch; 0: nothing. A backward branch is never
// taken for a comparison that does not hold: lower_eqz has turned it round.
struct we_branch_forms {
	enum we_icode inverse; // a comparison
	enum we_icode br;
	enum we_icode br_not;
	enum we_icode loop;     // backwards
	enum we_icode loop_not; // a test's
};

extern const struct we_branch_forms we_branch_forms[WE_I_N];

static inline uint32_t here(const struct we_xlate *t)
{
	return (uint32_t)t->words.len;
}

static inline struct we_iop *op_at(const struct we_xlate *t, uint32_t word)
{
	return (struct we_iop *)(void *)((uint64_t *)t->words.data + word);
}

static inline enum we_icode icode_at(const struct we_xlate *t, uint32_t word)
{
	return (enum we_icode)((uint64_t *)t->words.data)[word];
}

static inline bool fits_16(int64_t x)
{
	return x >= INT16_MIN && x <= INT16_MAX;
}

static inline bool fits_32(int64_t x)
{
	return x >= INT32_MIN && x <= INT32_MAX;
}

// The constant as a signed number of its type.
static inline int64_t constant(const struct we_x_operand *o)
{
	return o->type == WE_T_I32 || o->type == WE_T_F32 ? (int32_t)o->bits[0]
							  : (int64_t)o->bits[0];
}

static inline struct we_x_operand *operand_at(const struct we_xlate *t, uint32_t i)
{
	return (struct we_x_operand *)t->operands.data + i;
}

static inline uint32_t n_operands(const struct we_xlate *t)
{
	return (uint32_t)t->operands.len;
}

static inline struct we_x_label *label_at(const struct we_xlate *t, uint32_t depth)
{
	return (struct we_x_label *)t->labels.data + (t->labels.len - 1 - depth);
}

// Two 32-bit operands in a word.
static inline uint64_t we_x_pair(uint32_t high, uint32_t low)
{
	return (uint64_t)high << 32 | low;
}

// The type that opcode.def gives the instruction's result.
static inline we_valtype we_x_result_type(const struct we_instr *in)
{
	assert(we_op_info[in->op].result_type != 0);
	return we_op_info[in->op].result_type;
}

// How the two indices of a bulk instruction make the word of its operation.
enum {
	WE_X_BULK_ONE,
	WE_X_BULK_TARGET_FIRST, // memory.copy, table.copy: written, read
	WE_X_BULK_SEGMENT_FIRST // memory.init, table.init: segment, written
};

// ---- operations ----------------------------------------------------------------------------------

void we_x_fail(struct we_xlate *t, int rc);
// Make ready for the first operation of a body, which belongs to t->at.
void we_x_start(struct we_xlate *t);
// Append an operation of n words, all but the first zero. Returns: it, NULL when t has failed.
struct we_iop *we_x_emit_words(struct we_xlate *t, enum we_icode icode, uint32_t n_words);
// Append an operation with four slots, or a constant and a word more; its form says which of them it has.
void we_x_emit(
	struct we_xlate *t, enum we_icode icode, uint32_t a, uint32_t b, uint32_t c, uint32_t d);
void we_x_emit_imm(
	struct we_xlate *t, enum we_icode icode, uint32_t a, uint32_t b, uint32_t imm, uint64_t x);
// Write a constant to a slot; move a value of a type from slot to slot.
void we_x_emit_constant(struct we_xlate *t, uint32_t slot, const struct we_x_operand *o);
void we_x_emit_move(struct we_xlate *t, we_valtype type, uint32_t to, uint32_t from);
// Append an operation that belongs to the instruction at `at` in the module.
void we_x_emit_at(struct we_xlate *t, enum we_icode icode, uint32_t a, uint32_t b, uint32_t imm,
	uint64_t x, uint32_t at);
// The operation just emitted does what stands at `first` in the module, too, and before: `first` is where it was
// emitted for. What its second half does belongs to its second word.
void we_x_mark_two(struct we_xlate *t);
// Append an operation of two words that does what stands at `first` in the module, too, and before.
void we_x_emit_two(struct we_xlate *t, enum we_icode icode, uint32_t a, uint32_t b, uint32_t c,
	uint32_t d, uint32_t first);
// Take the last operation out of the code: it becomes part of the next. Returns: where it stands in the module.
uint32_t we_x_take_back(struct we_xlate *t);
// A jump leads to where the next operation will be: it stands on its own.
static inline void we_x_forget_last(struct we_xlate *t)
{
	t->newest = WE_X_NONE;
	t->before[0] = WE_X_NONE;
	t->before[1] = WE_X_NONE;
	t->last = WE_X_NONE;
	t->earlier = WE_X_NONE;
}
// The operation just emitted, at word, has its result in slot a.
static inline void we_x_mark_result(struct we_xlate *t, uint32_t word)
{
	t->last = t->rc == 0 ? word : WE_X_NONE;
}
// Make the operation at word another one of the same length.
void we_x_set_icode(struct we_xlate *t, uint32_t word, enum we_icode icode);
// One of three operations by the width of a type: those for 32, 64 and 128 bits stand in this order.
enum we_icode we_x_by_width(enum we_icode icode_32, we_valtype type);
// A frame reaches up to slot end. Beyond WE_FRAME_MAX_SLOTS the body fails at its end.
static inline void we_x_need_slots(struct we_xlate *t, uint32_t end)
{
	if (end > t->max)
		t->max = end;
}

// ---- the operand stack ---------------------------------------------------------------------------

// Before each instruction there is room for as many operands more; we_x_push_types keeps it.
enum {
	WE_X_PUSHES = 4
};
// Push an operand at home. Returns: it, lent until the next push.
static inline struct we_x_operand *we_x_push(struct we_xlate *t, we_valtype type)
{
	struct we_x_operand *o = operand_at(t, n_operands(t));

	assert(t->operands.len < t->operands.cap);
	t->operands.len++;
	o->where = AT_HOME; // the other fields belong to other places
	o->type = type;
	o->home = t->top;
	o->addend = 0;
	t->n_ref_operands += we_valtype_is_ref(type);
	t->top += we_valtype_n_slots(type);
	we_x_need_slots(t, t->top);
	return o;
}
static inline void we_x_push_constant(struct we_xlate *t, we_valtype type, uint64_t bits)
{
	struct we_x_operand *o = we_x_push(t, type);

	o->where = CONSTANT;
	o->bits[0] = bits;
}
static inline void we_x_push_local(struct we_xlate *t, we_localidx local)
{
	struct we_x_operand *o = we_x_push(t, t->types[local]);

	o->where = IN_LOCAL;
	o->local = local;
	o->prev = t->uses[local];
	t->uses[local] = n_operands(t) - 1;
}
void we_x_push_types(struct we_xlate *t, const we_valtype *types, uint32_t n);
// Push the result of the operation that comes next. Returns: its slot.
static inline uint32_t we_x_push_result(struct we_xlate *t, we_valtype type)
{
	return we_x_push(t, type)->home;
}
// Pop an operand; its home keeps what it holds until something is pushed and written.
static inline struct we_x_operand we_x_pop(struct we_xlate *t)
{
	const struct we_x_operand *o;

	if (t->rc != 0)
		return (struct we_x_operand){.where = CONSTANT, .type = WE_T_I32};
	assert(t->operands.len > 0); // the body is valid
	t->operands.len--;
	o = operand_at(t, n_operands(t));
	t->n_ref_operands -= we_valtype_is_ref(o->type);
	t->top = o->home;
	if (o->where == IN_LOCAL)
		t->uses[o->local] = o->prev;
	if (t->homely > n_operands(t))
		t->homely = n_operands(t);
	return *o;
}
void we_x_pop_n(struct we_xlate *t, uint32_t n);
// The slot that o's addend is added to; o is no constant.
static inline uint32_t we_x_base_of(const struct we_xlate *t, const struct we_x_operand *o)
{
	return o->where == AT_HOME ? o->home : t->slots[o->local];
}
// Emit the sum that o is, to a slot.
void we_x_emit_sum(struct we_xlate *t, uint32_t to, const struct we_x_operand *o);
// Give the slot where o can be read; o has just been popped, so that its home is free.
uint32_t we_x_slot_of(struct we_xlate *t, const struct we_x_operand *o);
// Is o, its addend aside, the result of the last operation?
static inline bool we_x_is_last_base(const struct we_xlate *t, const struct we_x_operand *o)
{
	return t->last != WE_X_NONE && o->where == AT_HOME && op_at(t, t->last)->a == o->home;
}
// Is o the result of the last operation?
static inline bool we_x_is_last_result(const struct we_xlate *t, const struct we_x_operand *o)
{
	return o->addend == 0 && we_x_is_last_base(t, o);
}
// Move operand i, which stays on the stack, to its home; the caller takes it out of its local's list.
void we_x_send_home(struct we_xlate *t, uint32_t i);
// The topmost n operands are at home.
void we_x_top_home(struct we_xlate *t, uint32_t n);
// The local is about to change: who still means its old value takes it home.
void we_x_preserve(struct we_xlate *t, we_localidx local);
// The operation that comes next may collect: note which operands on the stack hold references. Those that it takes are to
// be on it still if it needs them after a collection.
void we_x_note_map(struct we_xlate *t);
// No operand is IN_LOCAL: a block may change locals on one way and not on another.
void we_x_leave_locals(struct we_xlate *t);

// ---- lower_control.c ------------------------------------------------------------------------------

void we_lower_unreachable(
	struct we_xlate *t, const struct we_instr *in, const struct we_lowering *how);
void we_lower_block(struct we_xlate *t, const struct we_instr *in, const struct we_lowering *how);
void we_lower_loop(struct we_xlate *t, const struct we_instr *in, const struct we_lowering *how);
void we_lower_if(struct we_xlate *t, const struct we_instr *in, const struct we_lowering *how);
void we_lower_else(struct we_xlate *t, const struct we_instr *in, const struct we_lowering *how);
void we_lower_end(struct we_xlate *t, const struct we_instr *in, const struct we_lowering *how);
void we_lower_br(struct we_xlate *t, const struct we_instr *in, const struct we_lowering *how);
void we_lower_br_if(struct we_xlate *t, const struct we_instr *in, const struct we_lowering *how);
void we_lower_br_table(
	struct we_xlate *t, const struct we_instr *in, const struct we_lowering *how);
void we_lower_return(struct we_xlate *t, const struct we_instr *in, const struct we_lowering *how);
void we_lower_call(struct we_xlate *t, const struct we_instr *in, const struct we_lowering *how);
void we_lower_call_indirect(
	struct we_xlate *t, const struct we_instr *in, const struct we_lowering *how);
// What follows until the end of the block cannot be reached.
void we_x_die(struct we_xlate *t);
// The arguments on top of the operand stack go home and are popped; a call may collect. Returns: the slot where the
// callee's frame has its header.
uint32_t we_x_pop_arguments(struct we_xlate *t, const struct we_functype *type);

void we_lower_try_table(
	struct we_xlate *t, const struct we_instr *in, const struct we_lowering *how);
// Branch to the label if slot a holds an i32 other than 0.
void we_x_branch_if(struct we_xlate *t, we_labelidx label, uint32_t a);

// ---- lower_memory.c --------------------------------------------------------------------------------

void we_lower_bulk(struct we_xlate *t, const struct we_instr *in, const struct we_lowering *how);
void we_lower_drop_segment(
	struct we_xlate *t, const struct we_instr *in, const struct we_lowering *how);
void we_lower_load(struct we_xlate *t, const struct we_instr *in, const struct we_lowering *how);
void we_lower_load_lane(
	struct we_xlate *t, const struct we_instr *in, const struct we_lowering *how);
void we_lower_memory_size(
	struct we_xlate *t, const struct we_instr *in, const struct we_lowering *how);
void we_lower_ref_func(
	struct we_xlate *t, const struct we_instr *in, const struct we_lowering *how);
void we_lower_store(struct we_xlate *t, const struct we_instr *in, const struct we_lowering *how);
void we_lower_store_lane(
	struct we_xlate *t, const struct we_instr *in, const struct we_lowering *how);
void we_lower_table_get(
	struct we_xlate *t, const struct we_instr *in, const struct we_lowering *how);
void we_lower_table_grow(
	struct we_xlate *t, const struct we_instr *in, const struct we_lowering *how);
void we_lower_table_set(
	struct we_xlate *t, const struct we_instr *in, const struct we_lowering *how);
void we_lower_table_size(
	struct we_xlate *t, const struct we_instr *in, const struct we_lowering *how);

// ---- lower_ref.c -----------------------------------------------------------------------------------

void we_lower_ref_check(
	struct we_xlate *t, const struct we_instr *in, const struct we_lowering *how);
void we_lower_br_on_null(
	struct we_xlate *t, const struct we_instr *in, const struct we_lowering *how);
void we_lower_br_on_cast(
	struct we_xlate *t, const struct we_instr *in, const struct we_lowering *how);
void we_lower_ref_test(
	struct we_xlate *t, const struct we_instr *in, const struct we_lowering *how);
void we_lower_i31_get(struct we_xlate *t, const struct we_instr *in, const struct we_lowering *how);
void we_lower_ref_unary(
	struct we_xlate *t, const struct we_instr *in, const struct we_lowering *how);
void we_lower_struct_new(
	struct we_xlate *t, const struct we_instr *in, const struct we_lowering *how);
void we_lower_struct_get(
	struct we_xlate *t, const struct we_instr *in, const struct we_lowering *how);
void we_lower_struct_set(
	struct we_xlate *t, const struct we_instr *in, const struct we_lowering *how);
void we_lower_array_new(
	struct we_xlate *t, const struct we_instr *in, const struct we_lowering *how);
void we_lower_array_get(
	struct we_xlate *t, const struct we_instr *in, const struct we_lowering *how);
void we_lower_array_set(
	struct we_xlate *t, const struct we_instr *in, const struct we_lowering *how);
void we_lower_array_bulk(
	struct we_xlate *t, const struct we_instr *in, const struct we_lowering *how);
void we_lower_array_copy(
	struct we_xlate *t, const struct we_instr *in, const struct we_lowering *how);
void we_lower_throw(struct we_xlate *t, const struct we_instr *in, const struct we_lowering *how);
void we_lower_call_ref(
	struct we_xlate *t, const struct we_instr *in, const struct we_lowering *how);

// ---- lower.c ---------------------------------------------------------------------------------------

// How each instruction becomes operations.
extern const struct we_lowering *const we_lowerings[WE_OP_N];
