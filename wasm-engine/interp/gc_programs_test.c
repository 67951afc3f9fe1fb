// SPDX-License-Identifier: BSD-3-Clause
// Random programs on structures, arrays and references, beside a model that runs the same trees: what the guest can
// reach has the same shape and the same numbers, whatever the collector moves on the way.
//
// References are kept in locals, on the operand stack, in globals, tables, fields, elements and exceptions while calls,
// loops, branches and allocations go on. The engine collects at every allocation, or its heap is as small as can be.
#include "test_draft.h"
#include "test_guest.h"

#include <stdio.h>

enum {
	N_GLOBALS = 4,
	N_ELEMENTS = 6, // of the table
	N_FUNCS = 3,    // that call those before them; the last one is run
	N_REFS = 6,     // locals of every function that hold references: 1 and 2 are parameters
	N_STATEMENTS = 12,
	MAX_NODES = 260,       // of a function
	MAX_LOCALS = 400,      // of a function
	MAX_OBJECTS = 1 << 16, // of a run, in the model
	MAX_LEN = 4,           // of an array
	HASH_DEPTH = 4,
};

// ---- trees ---------------------------------------------------------------------------------------

// What a node says is written at its emission and its meaning, below; kids are references unless they are called i or s.
enum op {
	R_NULL,
	R_I31,     // i
	R_LOCAL,   // imm
	R_GLOBAL,  // imm
	R_TABLE,   // i
	R_NODE,    // i, a, b: b null unless a node
	R_FIXED,   // an array of three
	R_REPEAT,  // an array of imm times the kid
	R_FIELD,   // a of a node, else the kid itself
	R_ELEMENT, // kid, i: an element of an array, else the kid itself
	R_SELECT,  // x, y, i
	R_TEE,     // imm: local
	R_IF,      // i, x, y
	R_SWITCH,  // i, x, y
	R_CALL,    // imm: function and how; i, x, y
	R_TRY,     // the kid's value, or what it throws
	R_AGAIN,   // thrown, kept as an exception, thrown again
	R_THROW,   // i, kid: thrown if i is even
	R_LOOP,    // imm: rounds; the first value, the body, which sees the value before in a local
	R_EXTERN,  // to extern and back
	R_HOST,    // a host's value
	R_SEQ,     // s, kid
	I_CONST,   // imm
	I_LOCAL,
	I_ADD,     // i, i
	I_PEEK,    // a number that says what the kid is
	I_SAME,    // x, y
	S_LOCAL,   // imm, kid
	S_NUMBER,  // i, into the local of numbers
	S_GLOBAL,  // imm, kid
	S_TABLE,   // i, kid
	S_FIELD,   // of a node: kid, value
	S_NEXT,    // of a node: kid, value, null unless a node
	S_VALUE,   // of a node: kid, i
	S_ELEMENT, // of an array: kid, i, value
	S_FILL,    // an array: kid, value
	S_COPY,    // from the start of an array to the end of another
};

struct node {
	enum op op;
	uint32_t imm;
	uint32_t temp; // a local of its own
	const struct node *kid[3];
};

static struct node nodes[N_FUNCS * MAX_NODES * 8];
static uint32_t n_nodes;
static uint64_t seed;

static uint32_t random_below(uint32_t n)
{
	seed = seed * 6364136223846793005u + 1442695040888963407u;
	return (uint32_t)(seed >> 33) % n;
}

// A function under construction.
struct func {
	uint32_t idx;
	uint32_t n_nodes;
	uint32_t n_locals; // parameters included
	char types[MAX_LOCALS * 8];
	uint32_t loops[8]; // locals of the loops that are open
	uint32_t n_loops;
	const struct node *statements[N_STATEMENTS];
	const struct node *result;
};

static uint32_t add_local(struct func *f, const char *type)
{
	assert_in_range(f->n_locals, 0, MAX_LOCALS - 1);
	strcat(f->types, type);
	strcat(f->types, " ");
	return f->n_locals++;
}

static struct node *new_node(struct func *f, enum op op)
{
	struct node *node = &nodes[n_nodes++];

	assert_in_range(n_nodes, 1, sizeof(nodes) / sizeof(nodes[0]));
	f->n_nodes++;
	*node = (struct node){.op = op};
	return node;
}

static const struct node *grow_ref(struct func *f, uint32_t depth);
static const struct node *grow_statement(struct func *f, uint32_t depth);

static const struct node *grow_number(struct func *f, uint32_t depth)
{
	const bool is_leaf = depth == 0 || f->n_nodes > MAX_NODES;
	struct node *node =
		new_node(f, is_leaf ? I_CONST + random_below(2) : I_CONST + random_below(5));

	switch (node->op) {
	case I_CONST:
		node->imm = random_below(100000);
		break;
	case I_ADD:
		node->kid[0] = grow_number(f, depth - 1);
		node->kid[1] = grow_number(f, depth - 1);
		break;
	case I_PEEK:
		node->kid[0] = grow_ref(f, depth - 1);
		break;
	case I_SAME:
		node->kid[0] = grow_ref(f, depth - 1);
		node->kid[1] = grow_ref(f, depth - 1);
		break;
	default:
		break;
	}
	return node;
}

static uint32_t any_ref_local(const struct func *f)
{
	const uint32_t i = random_below(N_REFS + f->n_loops);

	return i < N_REFS ? 1 + i : f->loops[i - N_REFS];
}

static void grow_loop(struct func *f, struct node *node, uint32_t depth)
{
	node->imm = 1 + random_below(3);
	node->temp = add_local(f, "anyref");
	(void)add_local(f, "i32"); // the counter is the local after it
	node->kid[0] = grow_ref(f, depth - 1);
	f->loops[f->n_loops++] = node->temp;
	node->kid[1] = grow_ref(f, depth - 1);
	f->n_loops--;
}

static enum op any_ref_op(const struct func *f)
{
	const enum op op = (enum op)random_below(R_SEQ + 1);

	if ((op == R_CALL && f->idx == 0) || (op == R_LOOP && f->n_loops == 2))
		return R_NODE;
	return op;
}

static const struct node *grow_ref(struct func *f, uint32_t depth)
{
	static const enum op leaves[] = {R_LOCAL, R_GLOBAL, R_NULL, R_HOST, R_LOCAL, R_GLOBAL};
	const bool is_leaf = depth == 0 || f->n_nodes > MAX_NODES;
	struct node *node = new_node(f, is_leaf ? leaves[random_below(6)] : any_ref_op(f));
	uint32_t n_refs = 0;
	uint32_t at = 0;

	switch (node->op) {
	case R_LOCAL:
		node->imm = any_ref_local(f);
		return node;
	case R_GLOBAL:
		node->imm = random_below(N_GLOBALS);
		return node;
	case R_LOOP:
		grow_loop(f, node, depth);
		return node;
	case R_I31:
	case R_TABLE:
		node->kid[0] = grow_number(f, depth - 1);
		return node;
	case R_ELEMENT:
		node->temp = add_local(f, "ref?:1");
		node->kid[0] = grow_ref(f, depth - 1);
		node->kid[1] = grow_number(f, depth - 1);
		return node;
	case R_SELECT:
		node->kid[2] = grow_number(f, depth - 1);
		n_refs = 2;
		break;
	case R_NODE:
	case R_IF:
	case R_SWITCH:
	case R_CALL:
		node->imm = random_below(4 * (f->idx > 0 ? f->idx : 1));
		node->kid[at++] = grow_number(f, depth - 1);
		n_refs = 2;
		break;
	case R_THROW:
		node->kid[at++] = grow_number(f, depth - 1);
		n_refs = 1;
		break;
	case R_FIXED:
		n_refs = 3;
		break;
	case R_AGAIN:
		node->temp = add_local(f, "exnref");
		n_refs = 1;
		break;
	case R_TEE:
		node->imm = 1 + random_below(N_REFS);
		n_refs = 1;
		break;
	case R_SEQ:
		node->kid[at++] = grow_statement(f, depth - 1);
		n_refs = 1;
		break;
	case R_REPEAT:
		node->imm = 1 + random_below(MAX_LEN);
		n_refs = 1;
		break;
	case R_FIELD:
	case R_TRY:
	case R_EXTERN:
		n_refs = 1;
		break;
	default:
		break;
	}
	while (n_refs-- > 0)
		node->kid[at++] = grow_ref(f, depth - 1);
	return node;
}

static const struct node *grow_statement(struct func *f, uint32_t depth)
{
	struct node *node = new_node(f, (enum op)(S_LOCAL + random_below(S_COPY - S_LOCAL + 1)));
	uint32_t at = 0;

	if (depth == 0)
		depth = 1;
	switch (node->op) {
	case S_LOCAL:
		node->imm = 1 + random_below(N_REFS);
		break;
	case S_GLOBAL:
		node->imm = random_below(N_GLOBALS);
		break;
	case S_NUMBER:
		node->kid[0] = grow_number(f, depth);
		return node;
	case S_TABLE:
		node->kid[at++] = grow_number(f, depth - 1);
		break;
	case S_VALUE:
		node->kid[0] = grow_ref(f, depth - 1);
		node->kid[1] = grow_number(f, depth - 1);
		return node;
	case S_ELEMENT:
		node->temp = add_local(f, "ref?:1");
		node->kid[at++] = grow_ref(f, depth - 1);
		node->kid[at++] = grow_number(f, depth - 1);
		break;
	case S_COPY:
	case S_FILL:
		node->temp = add_local(f, "ref?:1");
		(void)add_local(f, "ref?:1");
		node->kid[at++] = grow_ref(f, depth - 1);
		break;
	default:
		node->kid[at++] = grow_ref(f, depth - 1);
		break;
	}
	node->kid[at] = grow_ref(f, depth - 1);
	return node;
}

static void grow_func(struct func *f, uint32_t idx)
{
	*f = (struct func){.idx = idx, .n_locals = 3};
	while (f->n_locals <= N_REFS)
		(void)add_local(f, "anyref");
	(void)add_local(f, "i32"); // the local of numbers is N_REFS + 1
	for (uint32_t i = 0; i < N_STATEMENTS; i++) {
		f->n_nodes = 0;
		f->statements[i] = grow_statement(f, 5);
	}
	f->n_nodes = 0;
	f->result = grow_ref(f, 4);
}

// ---- as code -------------------------------------------------------------------------------------

// Types of the module.
enum {
	T_NODE,
	T_ARRAY,
	T_FUNC,   // i32 anyref anyref -> anyref
	T_TAG,    // anyref i32 ->
	T_PASS,   // anyref -> anyref
	T_CAUGHT, // -> anyref i32
	T_EXN,    // -> anyref i32 exnref
	T_HASH,   // anyref i32 -> i32
	T_PEEK,   // anyref -> i32
	T_SAME,   // anyref anyref -> i32
	T_MAIN,   // externref -> i32
};

// Functions of the module.
enum {
	F_HASH,
	F_PEEK,
	F_SAME,
	F_FIRST
};

static void put(struct bytes *b, const char *fmt, ...) WE_PRINTF(2, 3);

static void put(struct bytes *b, const char *fmt, ...)
{
	char text[256];
	va_list args;

	va_start(args, fmt);
	assert_in_range(vsnprintf(text, sizeof(text), fmt, args), 0, sizeof(text) - 1);
	va_end(args);
	draft_put_code(b, text);
}

static void emit(struct bytes *b, const struct node *node);

static void emit_kids(struct bytes *b, const struct node *node)
{
	for (uint32_t i = 0; i < 3 && node->kid[i] != NULL; i++)
		emit(b, node->kid[i]);
}

// What lies on the stack as a node, null if it is none.
#define AS_NODE "br_on_cast 3 0 any 0 drop ref.null 0"

static void emit_call(struct bytes *b, const struct node *node)
{
	const uint32_t func = F_FIRST + node->imm / 4;

	emit_kids(b, node);
	switch (node->imm % 4) {
	case 0:
		put(b, "ref.func %u call_ref 2", func);
		break;
	case 1:
		put(b, "i32.const %u call_indirect 2 1", func);
		break;
	default:
		put(b, "call %u", func);
		break;
	}
}

static void emit_loop(struct bytes *b, const struct node *node)
{
	const uint32_t counter = node->temp + 1;

	put(b, "i32.const %u local.set %u", node->imm, counter);
	emit(b, node->kid[0]);
	put(b, "loop 4 local.set %u", node->temp);
	emit(b, node->kid[1]);
	put(b, "local.get %u i32.const 1 i32.sub local.tee %u br_if 0 end", counter, counter);
}

static void emit_control(struct bytes *b, const struct node *node)
{
	switch (node->op) {
	case R_IF:
		emit(b, node->kid[0]);
		put(b, "i32.const 1 i32.and if anyref");
		emit(b, node->kid[1]);
		put(b, "else");
		emit(b, node->kid[2]);
		put(b, "end");
		break;
	case R_SWITCH:
		put(b, "block anyref block anyref");
		emit(b, node->kid[1]);
		emit(b, node->kid[0]);
		put(b, "i32.const 3 i32.and br_table 2 0 1 0 end drop");
		emit(b, node->kid[2]);
		put(b, "end");
		break;
	case R_TRY:
		put(b, "block 5 try_table anyref 1 catch 0 0");
		emit(b, node->kid[0]);
		put(b, "end i32.const 0 end drop");
		break;
	case R_AGAIN:
		put(b, "block 5 block 6 try_table void 1 catch_ref 0 0");
		emit(b, node->kid[0]);
		put(b,
			"i32.const 3 throw 0 end unreachable end local.set %u drop drop"
			" try_table void 1 catch 0 0 local.get %u throw_ref end unreachable end "
			"drop",
			node->temp, node->temp);
		break;
	case R_THROW:
		emit(b, node->kid[1]);
		emit(b, node->kid[0]);
		put(b, "i32.const 1 i32.and if 4 else i32.const 5 throw 0 end");
		break;
	case R_LOOP:
		emit_loop(b, node);
		break;
	default:
		emit_call(b, node);
		break;
	}
}

// Statements on an object: nothing happens when it is of the other kind.
static void emit_change(struct bytes *b, const struct node *node)
{
	const uint32_t t = node->temp;

	put(b, "block anyref");
	emit(b, node->kid[0]);
	put(b, "br_on_cast_fail 1 0 any %u",
		node->op == S_FIELD || node->op == S_NEXT || node->op == S_VALUE ? 0 : 1);
	switch (node->op) {
	case S_FIELD:
		emit(b, node->kid[1]);
		put(b, "struct.set 0 1");
		break;
	case S_NEXT:
		put(b, "block ref?:0");
		emit(b, node->kid[1]);
		put(b, AS_NODE " end struct.set 0 2");
		break;
	case S_VALUE:
		emit(b, node->kid[1]);
		put(b, "struct.set 0 0");
		break;
	case S_ELEMENT:
		put(b, "local.tee %u", t);
		emit(b, node->kid[1]);
		put(b, "local.get %u array.len i32.rem_u", t);
		emit(b, node->kid[2]);
		put(b, "array.set 1");
		break;
	case S_FILL:
		put(b, "local.tee %u i32.const 0", t);
		emit(b, node->kid[1]);
		put(b, "local.get %u array.len array.fill 1", t);
		break;
	default: // S_COPY
		put(b, "local.set %u", t);
		emit(b, node->kid[1]);
		put(b,
			"br_on_cast_fail 1 0 any 1 local.set %u local.get %u local.get %u array.len"
			" i32.const 1 i32.sub local.get %u i32.const 0 i32.const 1 array.copy 1 1",
			t + 1, t, t, t + 1);
		break;
	}
	put(b, "ref.null any end drop");
}

static void emit(struct bytes *b, const struct node *node)
{
	switch (node->op) {
	case R_NULL:
		put(b, "ref.null none");
		break;
	case R_I31:
		emit_kids(b, node);
		put(b, "ref.i31");
		break;
	case R_LOCAL:
		put(b, "local.get %u", node->imm);
		break;
	case R_GLOBAL:
		put(b, "global.get %u", node->imm);
		break;
	case R_TABLE:
		emit_kids(b, node);
		put(b, "i32.const %u i32.rem_u table.get 0", N_ELEMENTS);
		break;
	case R_NODE:
		emit(b, node->kid[0]);
		emit(b, node->kid[1]);
		put(b, "block ref?:0");
		emit(b, node->kid[2]);
		put(b, AS_NODE " end struct.new 0");
		break;
	case R_FIXED:
		emit_kids(b, node);
		put(b, "array.new_fixed 1 3");
		break;
	case R_REPEAT:
		emit_kids(b, node);
		put(b, "i32.const %u array.new 1", node->imm);
		break;
	case R_FIELD:
		put(b, "block anyref");
		emit_kids(b, node);
		put(b, "br_on_cast_fail 1 0 any 0 struct.get 0 1 end");
		break;
	case R_ELEMENT:
		put(b, "block anyref");
		emit(b, node->kid[0]);
		put(b, "br_on_cast_fail 1 0 any 1 local.tee %u", node->temp);
		emit(b, node->kid[1]);
		put(b, "local.get %u array.len i32.rem_u array.get 1 end", node->temp);
		break;
	case R_SELECT:
		emit_kids(b, node);
		put(b, "i32.const 1 i32.and select_t anyref");
		break;
	case R_TEE:
		emit_kids(b, node);
		put(b, "local.tee %u", node->imm);
		break;
	case R_IF:
	case R_SWITCH:
	case R_CALL:
	case R_TRY:
	case R_AGAIN:
	case R_THROW:
	case R_LOOP:
		emit_control(b, node);
		break;
	case R_EXTERN:
		emit_kids(b, node);
		put(b, "extern.convert_any any.convert_extern");
		break;
	case R_HOST:
		put(b, "global.get %u any.convert_extern", N_GLOBALS);
		break;
	case R_SEQ:
		emit_kids(b, node);
		break;
	case I_CONST:
		put(b, "i32.const %u", node->imm);
		break;
	case I_LOCAL:
		put(b, "local.get %u", N_REFS + 1);
		break;
	case I_ADD:
		emit_kids(b, node);
		put(b, "i32.add");
		break;
	case I_PEEK:
		emit_kids(b, node);
		put(b, "call %u", F_PEEK);
		break;
	case I_SAME:
		emit_kids(b, node);
		put(b, "call %u", F_SAME);
		break;
	case S_LOCAL:
		emit_kids(b, node);
		put(b, "local.set %u", node->imm);
		break;
	case S_NUMBER:
		emit_kids(b, node);
		put(b, "local.set %u", N_REFS + 1);
		break;
	case S_GLOBAL:
		emit_kids(b, node);
		put(b, "global.set %u", node->imm);
		break;
	case S_TABLE:
		emit(b, node->kid[0]);
		put(b, "i32.const %u i32.rem_u", N_ELEMENTS);
		emit(b, node->kid[1]);
		put(b, "table.set 0");
		break;
	case S_FIELD:
	case S_NEXT:
	case S_VALUE:
	case S_ELEMENT:
	case S_FILL:
	case S_COPY:
		emit_change(b, node);
		break;
	}
}

// Statements one after another, each with what it throws dropped.
static void emit_func(struct draft *d, const struct func *f)
{
	static struct bytes body;
	const char *types = f->types;
	struct bytes locals = {.len = 0};
	uint32_t n = 0;
	char word[48];

	body.len = 0;
	for (; draft_word(&types, word); n++) {
		put_byte(&locals, 1);
		draft_put_type(&locals, word);
	}
	put_u(&body, n);
	put_bytes(&body, locals.data, locals.len);
	for (uint32_t i = 0; i < N_STATEMENTS; i++) {
		put(&body, "block 5 try_table void 1 catch 0 0");
		emit(&body, f->statements[i]);
		put(&body, "end ref.null any i32.const 0 end drop drop");
	}
	emit(&body, f->result);
	put_byte(&body, 0x0b);
	put_body(&d->items[DRAFT_CODE], &body);
	put_u(&d->items[DRAFT_FUNCS], T_FUNC);
	d->n[DRAFT_CODE]++;
	d->n[DRAFT_FUNCS]++;
}

static void draft_helpers(struct draft *d)
{
	draft_func(d, T_HASH, "i32 i32 ref?:0 ref?:1",
		"local.get 1 i32.eqz if void i32.const 7 return end"
		" local.get 0 ref.is_null if void i32.const 1 return end"
		" local.get 0 ref.test i31 if void"
		"  local.get 0 ref.cast i31 i31.get_s i32.const 3 i32.mul return end"
		" local.get 0 ref.test 0 if void"
		"  local.get 0 ref.cast 0 local.tee 4 struct.get 0 0"
		"  local.get 4 struct.get 0 1 local.get 1 i32.const 1 i32.sub call 0"
		"  i32.const 31 i32.mul i32.add"
		"  local.get 4 struct.get 0 2 local.get 1 i32.const 1 i32.sub call 0"
		"  i32.const 17 i32.mul i32.add return end"
		" local.get 0 ref.test 1 if void"
		"  local.get 0 ref.cast 1 local.set 5"
		"  loop void"
		"   local.get 2 i32.const 13 i32.mul"
		"   local.get 5 local.get 3 array.get 1 local.get 1 i32.const 1 i32.sub call 0"
		"   i32.add local.set 2"
		"   local.get 3 i32.const 1 i32.add local.tee 3"
		"   local.get 5 array.len i32.lt_u br_if 0"
		"  end"
		"  local.get 2 return end"
		" i32.const 5",
		NULL);
	draft_func(d, T_PEEK, "",
		"local.get 0 ref.is_null if void i32.const -1 return end"
		" local.get 0 ref.test i31 if void local.get 0 ref.cast i31 i31.get_s return end"
		" local.get 0 ref.test 0 if void local.get 0 ref.cast 0 struct.get 0 0 return end"
		" local.get 0 ref.test 1 if void local.get 0 ref.cast 1 array.len return end"
		" i32.const -2",
		NULL);
	draft_func(d, T_SAME, "",
		"local.get 0 ref.test null eq local.get 1 ref.test null eq i32.and if i32"
		" local.get 0 ref.cast null eq local.get 1 ref.cast null eq ref.eq"
		" else i32.const 0 end",
		NULL);
}

// Run the last function on what the globals hold; the answer is the hash of all that can be reached.
static void draft_main(struct draft *d)
{
	char text[2048];
	size_t len;

	len = (size_t)snprintf(text, sizeof(text),
		"local.get 0 global.set %u block 5 try_table anyref 1 catch 0 0"
		" i32.const 12 global.get 0 i32.const 4 ref.i31 call %u end i32.const 0 end drop"
		" i32.const %u call 0",
		N_GLOBALS, F_FIRST + N_FUNCS - 1, HASH_DEPTH);
	for (uint32_t i = 0; i < N_GLOBALS + N_ELEMENTS; i++) {
		len += (size_t)snprintf(
			text + len, sizeof(text) - len, " i32.const 1000003 i32.mul ");
		len += (size_t)snprintf(text + len, sizeof(text) - len,
			i < N_GLOBALS ? "global.get %u" : "i32.const %u table.get 0",
			i < N_GLOBALS ? i : i - N_GLOBALS);
		len += (size_t)snprintf(
			text + len, sizeof(text) - len, " i32.const %u call 0 i32.add", HASH_DEPTH);
	}
	draft_func(d, T_MAIN, "", text, "main");
}

static void draft_program(struct draft *d, const struct func *funcs)
{
	draft_begin(d);
	draft_type(d, "struct mut:i32 mut:anyref mut:ref?:0");
	draft_type(d, "array mut:anyref");
	draft_type(d, "func i32 anyref anyref -> anyref");
	draft_type(d, "func anyref i32 ->");
	draft_type(d, "func anyref -> anyref");
	draft_type(d, "func -> anyref i32");
	draft_type(d, "func -> anyref i32 exnref");
	draft_type(d, "func anyref i32 -> i32");
	draft_type(d, "func anyref -> i32");
	draft_type(d, "func anyref anyref -> i32");
	draft_type(d, "func externref -> i32");
	draft_table(d, "anyref", N_ELEMENTS);
	draft_table(d, "funcref", F_FIRST + N_FUNCS);
	draft_tag(d, T_TAG);
	for (uint32_t i = 0; i < N_GLOBALS; i++)
		draft_global(d, "mut:anyref", "ref.null any");
	draft_global(d, "mut:externref", "ref.null extern");
	put_bytes(&d->items[DRAFT_ELEMS], "\2\1\x41\0\x0b\0", 6); // active, in table 1
	put_u(&d->items[DRAFT_ELEMS], F_FIRST + N_FUNCS);
	for (uint32_t i = 0; i < F_FIRST + N_FUNCS; i++)
		put_u(&d->items[DRAFT_ELEMS], i);
	d->n[DRAFT_ELEMS]++;
	draft_helpers(d);
	for (uint32_t i = 0; i < N_FUNCS; i++)
		emit_func(d, &funcs[i]);
	draft_main(d);
}

// ---- as a model ----------------------------------------------------------------------------------

struct object;

struct value {
	enum {
		V_NULL,
		V_I31,
		V_NODE,
		V_ARRAY,
		V_HOST
	} kind;
	int32_t i31;
	struct object *object;
};

struct object {
	int32_t number;
	uint32_t len;
	struct value refs[MAX_LEN]; // NODE: a and b
};

// A handler in force.
struct handler {
	jmp_buf jump;
	struct value thrown;
	struct handler *outer;
};

struct model {
	const struct func *funcs;
	struct object *objects; // [MAX_OBJECTS]
	uint32_t n_objects;
	struct value globals[N_GLOBALS];
	struct value elements[N_ELEMENTS];
	struct handler *handler;
};

struct frame {
	struct model *m;
	int32_t number; // the parameter
	int32_t local;  // the local of numbers
	struct value refs[MAX_LOCALS];
};

static const struct value null_value;

static struct value ref_of(struct frame *f, const struct node *node);
static void perform(struct frame *f, const struct node *node);

static int32_t wrap(int64_t x)
{
	return (int32_t)(uint32_t)(uint64_t)x;
}

static struct value i31_of(int32_t x)
{
	return (struct value){.kind = V_I31, .i31 = wrap((int64_t)((uint64_t)x << 1)) >> 1};
}

static bool is_same(struct value x, struct value y)
{
	if (x.kind == V_HOST || x.kind != y.kind)
		return false;
	return x.kind == V_I31 ? x.i31 == y.i31 : x.object == y.object;
}

static int32_t peek(struct value x)
{
	switch (x.kind) {
	case V_NULL:
		return -1;
	case V_I31:
		return x.i31;
	case V_NODE:
		return x.object->number;
	case V_ARRAY:
		return (int32_t)x.object->len;
	default:
		return -2;
	}
}

static int32_t number_of(struct frame *f, const struct node *node)
{
	int32_t x;
	struct value ref;

	switch (node->op) {
	case I_CONST:
		return (int32_t)node->imm;
	case I_LOCAL:
		return f->local;
	case I_ADD:
		x = number_of(f, node->kid[0]);
		return wrap((int64_t)x + number_of(f, node->kid[1]));
	case I_PEEK:
		return peek(ref_of(f, node->kid[0]));
	default: // I_SAME
		ref = ref_of(f, node->kid[0]);
		return is_same(ref, ref_of(f, node->kid[1]));
	}
}

static struct value new_object(struct frame *f, bool is_array)
{
	struct object *object = &f->m->objects[f->m->n_objects++];

	assert_in_range(f->m->n_objects, 1, MAX_OBJECTS);
	*object = (struct object){0};
	return (struct value){.kind = is_array ? V_ARRAY : V_NODE, .object = object};
}

static struct value node_or_null(struct value x)
{
	return x.kind == V_NODE ? x : null_value;
}

static struct value array_of(struct frame *f, const struct node *node)
{
	struct value refs[MAX_LEN];
	struct value array;
	uint32_t len = 3;

	refs[0] = ref_of(f, node->kid[0]);
	if (node->op == R_REPEAT) {
		len = node->imm;
		for (uint32_t i = 1; i < len; i++)
			refs[i] = refs[0];
	} else {
		refs[1] = ref_of(f, node->kid[1]);
		refs[2] = ref_of(f, node->kid[2]);
	}
	array = new_object(f, true);
	array.object->len = len;
	memcpy(array.object->refs, refs, len * sizeof(refs[0]));
	return array;
}

static uint32_t modulo(int32_t x, uint32_t n)
{
	return (uint32_t)x % n;
}

_Noreturn static void raise(struct model *m, struct value thrown)
{
	struct handler *handler = m->handler;

	m->handler = handler->outer;
	handler->thrown = thrown;
	longjmp(handler->jump, 1);
}

// The kid's value, or what it throws.
static struct value try_ref(struct frame *f, const struct node *node)
{
	struct handler handler = {.outer = f->m->handler};
	struct value result;

	f->m->handler = &handler;
	if (setjmp(handler.jump) != 0)
		return handler.thrown;
	result = ref_of(f, node);
	f->m->handler = handler.outer;
	return result;
}

static void try_statement(struct frame *f, const struct node *node)
{
	struct handler handler = {.outer = f->m->handler};

	f->m->handler = &handler;
	if (setjmp(handler.jump) != 0)
		return;
	perform(f, node);
	f->m->handler = handler.outer;
}

static struct value call_func(
	struct model *m, uint32_t idx, int32_t number, struct value x, struct value y)
{
	const struct func *func = &m->funcs[idx];
	struct frame f = {.m = m, .number = number};

	f.refs[1] = x;
	f.refs[2] = y;
	for (uint32_t i = 0; i < N_STATEMENTS; i++)
		try_statement(&f, func->statements[i]);
	return ref_of(&f, func->result);
}

static struct value control_of(struct frame *f, const struct node *node)
{
	struct value x;
	struct value y;
	int32_t number;

	switch (node->op) {
	case R_IF:
		return ref_of(f, node->kid[number_of(f, node->kid[0]) & 1 ? 1 : 2]);
	case R_SWITCH:
		x = ref_of(f, node->kid[1]);
		number = number_of(f, node->kid[0]) & 3;
		return number == 1 ? x : ref_of(f, node->kid[2]);
	case R_TRY:
	case R_AGAIN:
		return try_ref(f, node->kid[0]);
	case R_THROW:
		x = ref_of(f, node->kid[1]);
		if (number_of(f, node->kid[0]) & 1)
			return x;
		raise(f->m, x);
	case R_LOOP:
		x = ref_of(f, node->kid[0]);
		for (uint32_t i = 0; i < node->imm; i++) {
			f->refs[node->temp] = x;
			x = ref_of(f, node->kid[1]);
		}
		return x;
	default: // R_CALL
		number = number_of(f, node->kid[0]);
		x = ref_of(f, node->kid[1]);
		y = ref_of(f, node->kid[2]);
		return call_func(f->m, node->imm / 4, number, x, y);
	}
}

static struct value ref_of(struct frame *f, const struct node *node)
{
	struct value x;
	struct value y;
	int32_t number;

	switch (node->op) {
	case R_NULL:
		return null_value;
	case R_I31:
		return i31_of(number_of(f, node->kid[0]));
	case R_LOCAL:
		return f->refs[node->imm];
	case R_GLOBAL:
		return f->m->globals[node->imm];
	case R_TABLE:
		return f->m->elements[modulo(number_of(f, node->kid[0]), N_ELEMENTS)];
	case R_NODE:
		number = number_of(f, node->kid[0]);
		x = ref_of(f, node->kid[1]);
		y = node_or_null(ref_of(f, node->kid[2]));
		return (struct value){.kind = V_NODE,
			.object = memcpy(new_object(f, false).object,
				&(struct object){.number = number, .refs = {x, y}},
				sizeof(struct object))};
	case R_FIXED:
	case R_REPEAT:
		return array_of(f, node);
	case R_FIELD:
		x = ref_of(f, node->kid[0]);
		return x.kind == V_NODE ? x.object->refs[0] : x;
	case R_ELEMENT:
		x = ref_of(f, node->kid[0]);
		if (x.kind != V_ARRAY)
			return x;
		return x.object->refs[modulo(number_of(f, node->kid[1]), x.object->len)];
	case R_SELECT:
		x = ref_of(f, node->kid[0]);
		y = ref_of(f, node->kid[1]);
		return number_of(f, node->kid[2]) & 1 ? x : y;
	case R_TEE:
		return f->refs[node->imm] = ref_of(f, node->kid[0]);
	case R_EXTERN:
		return ref_of(f, node->kid[0]);
	case R_HOST:
		return (struct value){.kind = V_HOST};
	case R_SEQ:
		perform(f, node->kid[0]);
		return ref_of(f, node->kid[1]);
	default:
		return control_of(f, node);
	}
}

static void change_array(struct frame *f, const struct node *node, struct object *array)
{
	struct value x;
	uint32_t i;

	switch (node->op) {
	case S_ELEMENT:
		i = modulo(number_of(f, node->kid[1]), array->len);
		array->refs[i] = ref_of(f, node->kid[2]);
		break;
	case S_FILL:
		x = ref_of(f, node->kid[1]);
		for (i = 0; i < array->len; i++)
			array->refs[i] = x;
		break;
	default: // S_COPY
		x = ref_of(f, node->kid[1]);
		if (x.kind == V_ARRAY)
			array->refs[array->len - 1] = x.object->refs[0];
		break;
	}
}

static void change_node(struct frame *f, const struct node *node, struct object *object)
{
	if (node->op == S_FIELD)
		object->refs[0] = ref_of(f, node->kid[1]);
	else if (node->op == S_NEXT)
		object->refs[1] = node_or_null(ref_of(f, node->kid[1]));
	else
		object->number = number_of(f, node->kid[1]);
}

static void perform(struct frame *f, const struct node *node)
{
	const bool is_node = node->op == S_FIELD || node->op == S_NEXT || node->op == S_VALUE;
	struct value x;
	uint32_t i;

	switch (node->op) {
	case S_LOCAL:
		f->refs[node->imm] = ref_of(f, node->kid[0]);
		break;
	case S_NUMBER:
		f->local = number_of(f, node->kid[0]);
		break;
	case S_GLOBAL:
		x = ref_of(f, node->kid[0]);
		f->m->globals[node->imm] = x;
		break;
	case S_TABLE:
		i = modulo(number_of(f, node->kid[0]), N_ELEMENTS);
		x = ref_of(f, node->kid[1]);
		f->m->elements[i] = x;
		break;
	default:
		x = ref_of(f, node->kid[0]);
		if (is_node && x.kind == V_NODE)
			change_node(f, node, x.object);
		else if (!is_node && x.kind == V_ARRAY)
			change_array(f, node, x.object);
		break;
	}
}

static uint32_t hash(struct value x, uint32_t depth)
{
	uint32_t h = 0;

	if (depth == 0)
		return 7;
	switch (x.kind) {
	case V_NULL:
		return 1;
	case V_I31:
		return 3 * (uint32_t)x.i31;
	case V_HOST:
		return 5;
	case V_NODE:
		return (uint32_t)x.object->number + 31 * hash(x.object->refs[0], depth - 1) +
		       17 * hash(x.object->refs[1], depth - 1);
	default:
		for (uint32_t i = 0; i < x.object->len; i++)
			h = 13 * h + hash(x.object->refs[i], depth - 1);
		return h;
	}
}

static uint32_t run_model(struct model *m)
{
	struct handler handler = {0};
	uint32_t h;

	m->handler = &handler;
	if (setjmp(handler.jump) == 0)
		handler.thrown = call_func(m, N_FUNCS - 1, 12, m->globals[0], i31_of(4));
	h = hash(handler.thrown, HASH_DEPTH);
	for (uint32_t i = 0; i < N_GLOBALS; i++)
		h = 1000003 * h + hash(m->globals[i], HASH_DEPTH);
	for (uint32_t i = 0; i < N_ELEMENTS; i++)
		h = 1000003 * h + hash(m->elements[i], HASH_DEPTH);
	return h;
}

// ---- both ----------------------------------------------------------------------------------------

static void check_program(const struct we_engine_config *config,
	const struct we_store_limits *limits, uint64_t number, uint32_t n_rounds)
{
	static struct draft d;
	static struct bytes b;
	static struct func funcs[N_FUNCS];
	static struct object objects[MAX_OBJECTS];
	struct model m = {.funcs = funcs, .objects = objects};
	struct we_instance *inst;
	struct guest g;

	seed = number;
	n_nodes = 0;
	for (uint32_t i = 0; i < N_FUNCS; i++)
		grow_func(&funcs[i], i);
	draft_program(&d, funcs);
	draft_end(&d, &b);
	guest_open(&g, config, limits);
	inst = guest_instance(&g, &b);
	for (uint32_t round = 0; round < n_rounds && m.n_objects < MAX_OBJECTS / 2; round++) {
		const uint32_t wanted = run_model(&m);
		uint64_t slots[2] = {77};
		const int rc = guest_call(&g, inst, "main", slots);

		if (rc == WE_E_EXHAUSTED && limits != NULL && round > 0)
			break; // a program may keep more and more
		if (rc != 0 || (uint32_t)slots[0] != wanted)
			fail_msg("program %llu, round %u: %s 0x%x, not 0x%x",
				(unsigned long long)number, round, rc != 0 ? g.err.msg : "",
				(uint32_t)slots[0], wanted);
	}
	guest_close(&g);
}

// Programs of the unit test; more by hand: gc_programs_test FIRST N
static uint64_t first_program = 1;
static uint64_t n_programs = 12;

static void programs_under_gc_stress_do_what_the_model_does(void **state)
{
	const struct we_engine_config config = {.gc_stress = true};

	(void)state;
	for (uint64_t i = 0; i < n_programs; i++)
		check_program(&config, NULL, first_program + i, 3);
}

static void programs_in_the_smallest_heap_do_what_the_model_does(void **state)
{
	const struct we_store_limits limits = {.heap_bytes = 1};

	(void)state;
	for (uint64_t i = 0; i < n_programs; i++)
		check_program(NULL, &limits, first_program + i, 60);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(programs_under_gc_stress_do_what_the_model_does),
		cmocka_unit_test(programs_in_the_smallest_heap_do_what_the_model_does),
	};

	if (argc == 3) {
		first_program = strtoull(argv[1], NULL, 10);
		n_programs = strtoull(argv[2], NULL, 10);
	}
	return cmocka_run_group_tests_name("we_gc_programs", tests, NULL, NULL);
}
