// SPDX-License-Identifier: BSD-3-Clause
// we_body_validate: see validate_body.h.
//
// Module path 2/6. The algorithm of the specification's appendix, with its names: a value stack, a
// control stack, and push and pop on both. Instructions whose operands opcode.def knows go by
// its rows; the others have a rule of their own below.
// Spec: core "Validation Algorithm", "Instructions" (validation).
#include "checker.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h> // snprintf
#include <string.h>

#include "engine.h"
#include "limits.h"
#include "tier.h"

void we_body_scratch_fini(struct we_body_scratch *scratch)
{
	we_vec_fini(&scratch->vals);
	we_vec_fini(&scratch->ctrls);
	we_vec_fini(&scratch->locals);
	we_vec_fini(&scratch->unset);
	we_vec_fini(&scratch->inits);
}

int we_checker_invalid(const struct we_checker *c, const char *fmt, ...)
{
	char msg[sizeof(c->err->msg)];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(msg, sizeof(msg), fmt, ap);
	va_end(ap);
	(void)we_error_set(c->err, WE_E_INVALID, c->module->file_offset + c->in->at, "%s: %s",
		we_op_info[c->in->op].mnemonic, msg);
	if (c->err != NULL)
		c->err->func = c->func;
	return WE_E_INVALID;
}

static int no_memory(const struct we_checker *c)
{
	return we_error_set(
		c->err, WE_E_NOMEM, c->module->file_offset + c->in->at, "no memory to validate");
}

int we_checker_unknown(const struct we_checker *c, const char *what, uint32_t idx, uint32_t n)
{
	return we_checker_invalid(c, "unknown %s %u: there are %u", what, idx, n);
}

static struct we_ctrl_frame *frame_at(const struct we_checker *c, uint32_t depth)
{
	assert(depth < c->ctrls->len);
	return (struct we_ctrl_frame *)c->ctrls->data + (c->ctrls->len - 1 - depth);
}

// ---- the two stacks -----------------------------------------------------------------------------

// The value stack lies where the scratch has room for it.
static void use_vals(struct we_checker *c)
{
	const size_t cap = c->scratch->vals.cap;

	c->vals = c->scratch->vals.data;
	c->max_vals = cap < WE_LIMIT_OPERANDS ? (uint32_t)cap : WE_LIMIT_OPERANDS;
}

// Make room on the value stack for n more.
static int reserve_vals(struct we_checker *c, uint32_t n)
{
	struct we_vec *vals = &c->scratch->vals;

	if (n > WE_LIMIT_OPERANDS - c->n_vals)
		return we_checker_invalid(
			c, "more than the implementation limit of %u operands", WE_LIMIT_OPERANDS);
	vals->len = c->n_vals;
	if (we_vec_reserve(vals, n, sizeof(*c->vals)) < 0)
		return no_memory(c);
	use_vals(c);
	return 0;
}

int we_checker_push_n(struct we_checker *c, const we_valtype *types, uint32_t n)
{
	int rc = 0;

	if (n == 0)
		return 0;
	if (n > c->max_vals - c->n_vals)
		rc = reserve_vals(c, n);
	if (rc < 0)
		return rc;
	memcpy(c->vals + c->n_vals, types, n * sizeof(*types));
	c->n_vals += n;
	return 0;
}

int we_checker_push(struct we_checker *c, we_valtype type)
{
	if (c->n_vals == c->max_vals)
		return we_checker_push_n(c, &type, 1);
	c->vals[c->n_vals++] = type;
	return 0;
}

// Pop `type` if exactly that is on top, as nearly always.
static bool pops(struct we_checker *c, we_valtype type)
{
	if (c->n_vals == c->frame->height || c->vals[c->n_vals - 1] != type)
		return false;
	c->n_vals--;
	return true;
}

// Pop whatever is there. expected is for the message.
int we_checker_pop_any(struct we_checker *c, we_valtype expected, we_valtype *ret)
{
	const struct we_ctrl_frame *frame = c->frame;
	char want[32];

	if (c->n_vals == frame->height) {
		if (!frame->is_unreachable)
			return we_checker_invalid(c,
				"type mismatch: expected %s, found an empty stack",
				we_valtype_print(expected, want, sizeof(want)));
		*ret = WE_T_BOT;
		return 0;
	}
	*ret = c->vals[--c->n_vals];
	return 0;
}

int we_checker_pop(struct we_checker *c, we_valtype expected)
{
	char want[32];
	char have[32];
	we_valtype actual;
	int rc;

	if (pops(c, expected))
		return 0;
	rc = we_checker_pop_any(c, expected, &actual);
	if (rc < 0)
		return rc;
	if (!we_valtype_matches(c->engine, actual, expected))
		return we_checker_invalid(c, "type mismatch: expected %s, found %s",
			we_valtype_print(expected, want, sizeof(want)),
			we_valtype_print(actual, have, sizeof(have)));
	return 0;
}

// Exactly the types that are there, as nearly always, go at once: a block may have a thousand
// results, and a body a million branches to it.
int we_checker_pop_n(struct we_checker *c, const we_valtype *types, uint32_t n)
{
	int rc = 0;

	if (n == 0)
		return 0;
	if (c->n_vals - c->frame->height >= n &&
		memcmp(c->vals + (c->n_vals - n), types, n * sizeof(*types)) == 0) {
		c->n_vals -= n;
		return 0;
	}

	while (rc == 0 && n-- > 0)
		rc = we_checker_pop(c, types[n]);
	return rc;
}

static int check_label(const struct we_checker *c, we_labelidx label)
{
	return label < c->ctrls->len
		       ? 0
		       : we_checker_unknown(c, "label", label, (uint32_t)c->ctrls->len);
}

static void frame_types(const struct we_checker *c, const struct we_ctrl_frame *frame,
	const we_valtype **ret_start, uint32_t *ret_n_start, const we_valtype **ret_end,
	uint32_t *ret_n_end)
{
	we_blocktype_types(c->module, &frame->block, ret_start, ret_n_start, ret_end, ret_n_end);
}

// What a branch to the frame carries.
static void label_types(const struct we_checker *c, const struct we_ctrl_frame *frame,
	const we_valtype **ret_types, uint32_t *ret_n)
{
	const we_valtype *other;
	uint32_t n_other;

	if (frame->op == WE_OP_LOOP)
		frame_types(c, frame, ret_types, ret_n, &other, &n_other);
	else
		frame_types(c, frame, &other, &n_other, ret_types, ret_n);
}

int we_checker_label(const struct we_checker *c, we_labelidx label, const we_valtype **ret_types,
	uint32_t *ret_n)
{
	const int rc = check_label(c, label);

	if (rc == 0)
		label_types(c, frame_at(c, label), ret_types, ret_n);
	return rc;
}

static int push_ctrl(struct we_checker *c, enum we_op op, const struct we_blocktype *block)
{
	struct we_ctrl_frame *frame = we_vec_add(c->ctrls, sizeof(*frame));
	const we_valtype *start;
	const we_valtype *end;
	uint32_t n_start;
	uint32_t n_end;

	if (frame == NULL)
		return no_memory(c);
	c->frame = frame;
	if (c->ctrls->len > WE_LIMIT_CONTROL_DEPTH + 1) // the body itself is one
		return we_checker_invalid(c,
			"more than the implementation limit of %u nested blocks",
			WE_LIMIT_CONTROL_DEPTH);
	frame->op = op;
	frame->block = *block;
	frame->height = c->n_vals;
	frame->n_inits = c->scratch->inits.len;
	if (op == WE_OP_NONE) // the parameters of a function are locals
		return 0;
	frame_types(c, frame, &start, &n_start, &end, &n_end);
	return we_checker_push_n(c, start, n_start);
}

// Locals without a default value that were set since there were n of them are unset again.
static void forget_inits(struct we_checker *c, size_t n)
{
	const we_localidx *inits = c->scratch->inits.data;

	while (c->scratch->inits.len > n)
		c->unset[inits[--c->scratch->inits.len]] = true;
}

// Close the innermost block; *ret is a copy of its frame.
static int pop_ctrl(struct we_checker *c, struct we_ctrl_frame *ret)
{
	const struct we_ctrl_frame *frame = c->frame;
	const we_valtype *start;
	const we_valtype *end;
	uint32_t n_start;
	uint32_t n_end;
	int rc;

	frame_types(c, frame, &start, &n_start, &end, &n_end);
	rc = we_checker_pop_n(c, end, n_end);
	if (rc < 0)
		return rc;
	if (c->n_vals != frame->height)
		return we_checker_invalid(c,
			"type mismatch: %u values left at the end of the block",
			c->n_vals - frame->height);
	*ret = *frame;
	c->ctrls->len--;
	c->frame = c->ctrls->len > 0 ? frame_at(c, 0) : NULL;
	forget_inits(c, ret->n_inits);
	return 0;
}

void we_checker_set_unreachable(struct we_checker *c)
{
	struct we_ctrl_frame *frame = c->frame;

	c->n_vals = frame->height;
	frame->is_unreachable = true;
}

// ---- indices ------------------------------------------------------------------------------------

int we_checker_functype(const struct we_checker *c, we_typeidx idx)
{
	if (idx >= c->is->n_types)
		return we_checker_unknown(c, "type", idx, c->is->n_types);
	if (c->is->types[idx].kind != WE_COMP_FUNC)
		return we_checker_invalid(c, "type mismatch: type %u is not a function", idx);
	return 0;
}

static int check_func(const struct we_checker *c, we_funcidx idx)
{
	return idx < c->is->n_funcs ? 0 : we_checker_unknown(c, "function", idx, c->is->n_funcs);
}

static int check_table(const struct we_checker *c, we_tableidx idx)
{
	return idx < c->is->n_tables ? 0 : we_checker_unknown(c, "table", idx, c->is->n_tables);
}

static int check_memory(struct we_checker *c, we_memidx idx)
{
	if (idx > 0)
		c->features |= UINT64_C(1) << WE_FEATURE_MULTI_MEMORY;
	return idx < c->is->n_mems ? 0 : we_checker_unknown(c, "memory", idx, c->is->n_mems);
}

int we_checker_elem(const struct we_checker *c, we_elemidx idx)
{
	return idx < c->is->n_elems ? 0
				    : we_checker_unknown(c, "elem segment", idx, c->is->n_elems);
}

int we_checker_data(const struct we_checker *c, we_dataidx idx)
{
	const uint32_t n = c->module->has_data_count ? c->module->data_count : 0;

	return idx < n ? 0 : we_checker_unknown(c, "data segment", idx, n);
}

static int check_global(const struct we_checker *c, we_globalidx idx, uint32_t n)
{
	return idx < n ? 0 : we_checker_unknown(c, "global", idx, n);
}

static we_valtype memory_address(const struct we_checker *c, we_memidx idx)
{
	return c->is->mems[idx].type.limits.is_64 ? WE_T_I64 : WE_T_I32;
}

static we_valtype table_address(const struct we_checker *c, we_tableidx idx)
{
	return c->is->tables[idx].type.limits.is_64 ? WE_T_I64 : WE_T_I32;
}

// ---- control ------------------------------------------------------------------------------------

static int check_block(struct we_checker *c)
{
	const struct we_blocktype *block =
		c->in->op == WE_OP_TRY_TABLE ? &c->in->of.try_table.block : &c->in->of.block;
	const we_valtype *start;
	const we_valtype *end;
	uint32_t n_start;
	uint32_t n_end;
	int rc = block->kind == WE_BLOCK_TYPE ? we_checker_functype(c, block->type) : 0;

	if (rc == 0 && c->in->op == WE_OP_IF)
		rc = we_checker_pop(c, WE_T_I32);
	if (rc < 0)
		return rc;
	we_blocktype_types(c->module, block, &start, &n_start, &end, &n_end);
	rc = we_checker_pop_n(c, start, n_start);
	if (rc == 0 && c->in->op == WE_OP_TRY_TABLE)
		rc = we_checker_catches(c);
	return rc < 0 ? rc : push_ctrl(c, c->in->op, block);
}

static int check_else(struct we_checker *c)
{
	struct we_ctrl_frame frame;
	int rc = 0;

	if (c->frame->op != WE_OP_IF)
		return we_error_set(c->err, WE_E_MALFORMED, c->module->file_offset + c->in->at,
			"misplaced else");
	rc = pop_ctrl(c, &frame);
	return rc < 0 ? rc : push_ctrl(c, WE_OP_ELSE, &frame.block);
}

static int check_end(struct we_checker *c)
{
	struct we_ctrl_frame frame;
	const we_valtype *start;
	const we_valtype *end;
	uint32_t n_start;
	uint32_t n_end;
	int rc = pop_ctrl(c, &frame);

	if (rc < 0)
		return rc;
	frame_types(c, &frame, &start, &n_start, &end, &n_end);
	if (frame.op == WE_OP_IF) { // the missing else hands the parameters on
		bool same = n_start == n_end;

		for (uint32_t i = 0; same && i < n_start; i++)
			same = we_valtype_matches(c->engine, start[i], end[i]);
		if (!same)
			return we_checker_invalid(
				c, "type mismatch: if without else must give what it takes");
	}
	return we_checker_push_n(c, end, n_end);
}

static int check_br(struct we_checker *c, we_labelidx label)
{
	const we_valtype *types;
	uint32_t n;
	int rc = check_label(c, label);

	if (rc < 0)
		return rc;
	label_types(c, frame_at(c, label), &types, &n);
	rc = we_checker_pop_n(c, types, n);
	if (rc == 0)
		we_checker_set_unreachable(c);
	return rc;
}

static int check_br_if(struct we_checker *c)
{
	const we_valtype *types;
	uint32_t n;
	int rc = check_label(c, c->in->of.idx);

	if (rc == 0)
		rc = we_checker_pop(c, WE_T_I32);
	if (rc < 0)
		return rc;
	label_types(c, frame_at(c, c->in->of.idx), &types, &n);
	rc = we_checker_pop_n(c, types, n);
	return rc < 0 ? rc : we_checker_push_n(c, types, n);
}

// The operands must suit every label: look at the stack without popping, as often as there are
// labels.
static int check_br_table_label(struct we_checker *c, we_labelidx label, uint32_t arity)
{
	const struct we_ctrl_frame *frame = c->frame;
	const uint32_t n_here = c->n_vals - frame->height;
	const we_valtype *top = c->vals + c->n_vals;
	const we_valtype *types;
	uint32_t n;
	int rc = check_label(c, label);
	char want[32];
	char have[32];

	if (rc < 0)
		return rc;
	label_types(c, frame_at(c, label), &types, &n);
	if (n != arity)
		return we_checker_invalid(c,
			"type mismatch: label %u takes %u values, the default %u", label, n, arity);
	if (n > n_here && !frame->is_unreachable)
		return we_checker_invalid(
			c, "type mismatch: label %u takes %u values, found %u", label, n, n_here);
	if (n == 0 || (n <= n_here && memcmp(top - n, types, n * sizeof(*types)) == 0))
		return 0; // as in we_checker_pop_n: a million labels may take a thousand values each
	for (uint32_t i = 0; i < n && i < n_here; i++) { // from the top
		const we_valtype actual = top[-1 - (int64_t)i];
		const we_valtype expected = types[n - 1 - i];

		if (!we_valtype_matches(c->engine, actual, expected))
			return we_checker_invalid(c, "type mismatch: expected %s, found %s",
				we_valtype_print(expected, want, sizeof(want)),
				we_valtype_print(actual, have, sizeof(have)));
	}
	return 0;
}

static int check_br_table(struct we_checker *c)
{
	struct we_reader targets = c->in->of.labels.targets;
	const uint32_t n = c->in->of.labels.n;
	const we_valtype *types;
	we_labelidx label = 0;
	uint32_t arity;
	int rc = we_checker_pop(c, WE_T_I32);

	for (uint32_t i = 0; rc == 0 && i <= n; i++) // the last one is the default
		rc = we_reader_u32(&targets, &label);
	if (rc == 0)
		rc = check_label(c, label);
	if (rc < 0)
		return rc;
	label_types(c, frame_at(c, label), &types, &arity);
	targets = c->in->of.labels.targets;
	for (uint32_t i = 0; rc == 0 && i <= n; i++) {
		const we_labelidx last = label;

		rc = we_reader_u32(&targets, &label);
		if (rc == 0 && (i == 0 || label != last))
			rc = check_br_table_label(c, label, arity);
	}
	if (rc == 0)
		we_checker_set_unreachable(c);
	return rc;
}

static int check_return_call(struct we_checker *c, const struct we_functype *type)
{
	const struct we_ctrl_frame *body = frame_at(c, (uint32_t)c->ctrls->len - 1);
	const we_valtype *results;
	uint32_t n;
	bool same;
	int rc;

	label_types(c, body, &results, &n);
	same = n == type->n_results;
	for (uint32_t i = 0; same && i < n; i++)
		same = we_valtype_matches(c->engine, we_functype_results(type)[i], results[i]);
	if (!same)
		return we_checker_invalid(
			c, "type mismatch: results of the callee are not those of the caller");
	rc = we_checker_pop_n(c, we_functype_params(type), type->n_params);
	if (rc == 0)
		we_checker_set_unreachable(c);
	return rc;
}

int we_checker_call(struct we_checker *c, const struct we_functype *type, bool is_tail)
{
	int rc;

	if (is_tail)
		return check_return_call(c, type);
	rc = we_checker_pop_n(c, we_functype_params(type), type->n_params);
	return rc < 0 ? rc : we_checker_push_n(c, we_functype_results(type), type->n_results);
}

// The type of an indirect callee, its table checked and the index popped.
static int check_indirect(struct we_checker *c, const struct we_functype **ret_type)
{
	const we_typeidx type = c->in->of.pair.a;
	const we_tableidx table = c->in->of.pair.b;
	int rc = check_table(c, table);

	if (rc == 0 && !we_valtype_matches(c->engine, c->is->tables[table].type.elem, WE_T_FUNCREF))
		rc = we_checker_invalid(
			c, "type mismatch: table %u does not hold functions", table);
	if (rc == 0)
		rc = we_checker_functype(c, type);
	if (rc < 0)
		return rc;
	*ret_type = c->is->types[type].def->func;
	return we_checker_pop(c, table_address(c, table));
}

static int check_call_of(struct we_checker *c)
{
	const enum we_op op = c->in->op;
	const bool is_tail = op == WE_OP_RETURN_CALL || op == WE_OP_RETURN_CALL_INDIRECT;
	const struct we_functype *type = NULL;
	int rc;

	if (op == WE_OP_CALL || op == WE_OP_RETURN_CALL) {
		rc = check_func(c, c->in->of.idx);
		if (rc == 0)
			type = c->is->funcs[c->in->of.idx].type;
	} else {
		rc = check_indirect(c, &type);
	}
	if (rc < 0)
		return rc;
	return we_checker_call(c, type, is_tail);
}

// ---- values, variables, tables ------------------------------------------------------------------

static int check_select(struct we_checker *c)
{
	we_valtype first;
	we_valtype second;
	int rc = we_checker_pop(c, WE_T_I32);

	if (rc == 0)
		rc = we_checker_pop_any(c, WE_T_BOT, &first);
	if (rc == 0)
		rc = we_checker_pop_any(c, WE_T_BOT, &second);
	if (rc < 0)
		return rc;
	if (we_valtype_is_ref(first) || we_valtype_is_ref(second))
		return we_checker_invalid(c, "type mismatch: select of references needs a type");
	if (first != second && first != WE_T_BOT && second != WE_T_BOT)
		return we_checker_invalid(c, "type mismatch: operands of two types");
	return we_checker_push(c, first == WE_T_BOT ? second : first);
}

static int check_select_t(struct we_checker *c)
{
	const we_valtype type = c->in->of.select;
	int rc;

	if (type == WE_T_BOT)
		return we_checker_invalid(c, "invalid result arity");
	rc = we_checker_pop(c, WE_T_I32);
	if (rc == 0)
		rc = we_checker_pop(c, type);
	if (rc == 0)
		rc = we_checker_pop(c, type);
	return rc < 0 ? rc : we_checker_push(c, type);
}

// The local, which has no default value, is set from here to the end of the block.
static int note_init(struct we_checker *c, we_localidx idx)
{
	we_localidx *init = we_vec_add(&c->scratch->inits, sizeof(*init));

	if (init == NULL)
		return no_memory(c);
	*init = idx;
	c->unset[idx] = false;
	return 0;
}

static int check_local_get(struct we_checker *c, we_localidx idx)
{
	if (idx >= c->n_locals)
		return we_checker_unknown(c, "local", idx, c->n_locals);
	if (c->unset[idx])
		return we_checker_invalid(c, "uninitialized local %u", idx);
	return we_checker_push(c, c->locals[idx]);
}

static int check_local_set(struct we_checker *c, we_localidx idx)
{
	int rc = 0;

	if (idx >= c->n_locals)
		return we_checker_unknown(c, "local", idx, c->n_locals);
	if (!pops(c, c->locals[idx]))
		rc = we_checker_pop(c, c->locals[idx]);
	return rc == 0 && c->unset[idx] ? note_init(c, idx) : rc;
}

static int check_local_tee(struct we_checker *c, we_localidx idx)
{
	const int rc = check_local_set(c, idx);

	return rc < 0 ? rc : we_checker_push(c, c->locals[idx]);
}

static int check_global_op(struct we_checker *c)
{
	const we_globalidx idx = c->in->of.idx;
	const int rc = check_global(c, idx, c->is->n_globals);

	if (rc < 0)
		return rc;
	if (c->in->op == WE_OP_GLOBAL_GET)
		return we_checker_push(c, c->is->globals[idx].type.val);
	if (!c->is->globals[idx].type.mut)
		return we_checker_invalid(c, "immutable global %u", idx);
	return we_checker_pop(c, c->is->globals[idx].type.val);
}

// Operands in the order of the stack, the top last; then the result.
static int check_table_op(struct we_checker *c)
{
	const we_tableidx idx = c->in->of.idx;
	const int rc = check_table(c, idx);
	we_valtype elem;
	we_valtype address;

	if (rc < 0)
		return rc;
	elem = c->is->tables[idx].type.elem;
	address = table_address(c, idx);
	switch (c->in->op) {
	case WE_OP_TABLE_GET: {
		const int popped = we_checker_pop(c, address);

		return popped < 0 ? popped : we_checker_push(c, elem);
	}
	case WE_OP_TABLE_SET:
		return we_checker_pop_n(c, (const we_valtype[]){address, elem}, 2);
	case WE_OP_TABLE_SIZE:
		return we_checker_push(c, address);
	case WE_OP_TABLE_GROW: {
		const int popped = we_checker_pop_n(c, (const we_valtype[]){elem, address}, 2);

		return popped < 0 ? popped : we_checker_push(c, address);
	}
	default:
		assert(c->in->op == WE_OP_TABLE_FILL);
		return we_checker_pop_n(c, (const we_valtype[]){address, elem, address}, 3);
	}
}

static int check_elem_matches(const struct we_checker *c, we_valtype elem, we_tableidx table)
{
	const we_valtype want = c->is->tables[table].type.elem;
	char have_text[32];
	char want_text[32];

	if (we_valtype_matches(c->engine, elem, want))
		return 0;
	return we_checker_invalid(c, "type mismatch: elements of %s for a table of %s",
		we_valtype_print(elem, have_text, sizeof(have_text)),
		we_valtype_print(want, want_text, sizeof(want_text)));
}

static int check_table_init(struct we_checker *c)
{
	const we_elemidx elem = c->in->of.pair.a;
	const we_tableidx table = c->in->of.pair.b;
	int rc = check_table(c, table);

	if (rc == 0)
		rc = we_checker_elem(c, elem);
	if (rc == 0)
		rc = check_elem_matches(c, c->is->elems[elem].type, table);
	if (rc < 0)
		return rc;
	return we_checker_pop_n(
		c, (const we_valtype[]){table_address(c, table), WE_T_I32, WE_T_I32}, 3);
}

// The length of a copy has the smaller of the two address types.
static we_valtype smaller_address(we_valtype a, we_valtype b)
{
	return a == WE_T_I32 || b == WE_T_I32 ? WE_T_I32 : WE_T_I64;
}

static int check_table_copy(struct we_checker *c)
{
	const we_tableidx dst = c->in->of.pair.a;
	const we_tableidx src = c->in->of.pair.b;
	we_valtype d;
	we_valtype s;
	int rc = check_table(c, dst);

	if (rc == 0)
		rc = check_table(c, src);
	if (rc == 0)
		rc = check_elem_matches(c, c->is->tables[src].type.elem, dst);
	if (rc < 0)
		return rc;
	d = table_address(c, dst);
	s = table_address(c, src);
	return we_checker_pop_n(c, (const we_valtype[]){d, s, smaller_address(d, s)}, 3);
}

static int check_memory_copy(struct we_checker *c)
{
	const we_memidx dst = c->in->of.pair.a;
	const we_memidx src = c->in->of.pair.b;
	we_valtype d;
	we_valtype s;
	int rc = check_memory(c, dst);

	if (rc == 0)
		rc = check_memory(c, src);
	if (rc < 0)
		return rc;
	d = memory_address(c, dst);
	s = memory_address(c, src);
	return we_checker_pop_n(c, (const we_valtype[]){d, s, smaller_address(d, s)}, 3);
}

// ---- instructions with a row that says it all ---------------------------------------------------

// *ret_address: as of check_immediates.
static int check_memarg(struct we_checker *c, const struct we_memarg *arg, we_valtype *ret_address)
{
	const int rc = check_memory(c, arg->mem);

	if (rc < 0)
		return rc;
	*ret_address = memory_address(c, arg->mem);
	if (UINT64_C(1) << arg->align > we_op_width(c->in->op))
		return we_checker_invalid(
			c, "alignment must not be larger than natural: 2^%u", arg->align);
	if (arg->offset > UINT32_MAX && *ret_address == WE_T_I32)
		return we_checker_invalid(
			c, "offset out of range: %llu", (unsigned long long)arg->offset);
	return 0;
}

static int check_lane(const struct we_checker *c, uint8_t lane)
{
	return lane < 16 / we_op_width(c->in->op)
		       ? 0
		       : we_checker_invalid(c, "invalid lane index %u", lane);
}

static int check_shuffle(const struct we_checker *c)
{
	for (uint32_t i = 0; i < 16; i++) {
		if (c->in->of.v128[i] >= 32)
			return we_checker_invalid(c, "invalid lane index %u", c->in->of.v128[i]);
	}
	return 0;
}

static int need_data_count(const struct we_checker *c)
{
	return c->module->has_data_count
		       ? 0
		       : we_error_set(c->err, WE_E_MALFORMED, c->module->file_offset + c->in->at,
				 "data count section required");
}

// The immediates of a row that says it all; *ret_address is the type of its operands that are addresses.
static int check_immediates(struct we_checker *c, we_valtype *ret_address)
{
	const struct we_instr *in = c->in;
	we_memidx mem;
	int rc = 0;

	switch ((enum we_imm)we_op_info[in->op].imm) {
	case WE_IMM_MEMARG_LANE:
		rc = check_memarg(c, &in->of.mem.arg, ret_address);
		return rc < 0 ? rc : check_lane(c, in->of.mem.lane);
	case WE_IMM_MEMORY:
		mem = in->of.idx;
		break;
	case WE_IMM_DATA_MEM:
		mem = in->of.pair.b;
		rc = need_data_count(c);
		break;
	case WE_IMM_DATA:
		rc = need_data_count(c);
		return rc < 0 ? rc : we_checker_data(c, in->of.idx);
	case WE_IMM_ELEM:
		return we_checker_elem(c, in->of.idx);
	case WE_IMM_LANE:
		return check_lane(c, in->of.lane);
	case WE_IMM_SHUFFLE:
		return check_shuffle(c);
	default: // constants
		return 0;
	}
	if (rc == 0)
		rc = check_memory(c, mem);
	if (rc < 0)
		return rc;
	*ret_address = memory_address(c, mem);
	return we_op_info[in->op].imm == WE_IMM_DATA_MEM ? we_checker_data(c, in->of.pair.a) : 0;
}

// A type of a row, of which 0 is an address's.
static we_valtype row_type(uint8_t type, we_valtype address)
{
	return type == 0 ? address : type;
}

// Pop the operands of a row if they are on the stack exactly, as nearly always. Returns: false when they are not.
static bool pop_exactly(struct we_checker *c, const struct we_op_info *info, we_valtype address)
{
	const uint32_t n = info->n_params;
	const uint32_t n_left = c->n_vals - n;

	if (c->n_vals - c->frame->height < n)
		return false;
	for (uint32_t i = 0; i < n; i++)
		if (c->vals[n_left + i] != row_type(info->param_types[i], address))
			return false;
	c->n_vals = n_left;
	return true;
}

static int check_row(struct we_checker *c, const struct we_op_info *info)
{
	we_valtype address = WE_T_I32;
	int rc = 0;

	if (info->imm == WE_IMM_MEMARG)
		rc = check_memarg(c, &c->in->of.mem.arg, &address);
	else if (info->imm != WE_IMM_NONE)
		rc = check_immediates(c, &address);
	if (rc < 0)
		return rc;
	if (!pop_exactly(c, info, address))
		for (uint32_t i = info->n_params; rc == 0 && i > 0; i--)
			rc = we_checker_pop(c, row_type(info->param_types[i - 1], address));
	if (rc < 0 || info->n_results == 0)
		return rc;
	return we_checker_push(c, row_type(info->result_type, address));
}

// A type that an instruction names becomes one of the engine.
static int take_type(struct we_checker *c, we_valtype *type)
{
	if (!we_module_resolve_type(c->module, type))
		return we_checker_unknown(c, "type", *type & WE_T_INDEX_MASK, c->is->n_types);
	c->features |= we_valtype_features(*type);
	return 0;
}

static int take_blocktype(struct we_checker *c, struct we_blocktype *block)
{
	if (block->kind == WE_BLOCK_TYPE)
		c->features |= UINT64_C(1) << WE_FEATURE_MULTI_VALUE;
	return block->kind == WE_BLOCK_VAL ? take_type(c, &block->val) : 0;
}

// What the immediates of an instruction need before its own rule is asked: types, features.
static int take_immediates(struct we_checker *c, struct we_instr *in)
{
	int rc;

	switch ((enum we_imm)we_op_info[in->op].imm) {
	case WE_IMM_BLOCK:
		return take_blocktype(c, &in->of.block);
	case WE_IMM_TRY_TABLE:
		return take_blocktype(c, &in->of.try_table.block);
	case WE_IMM_SELECT:
		return take_type(c, &in->of.select);
	case WE_IMM_HEAPTYPE:
		return take_type(c, &in->of.heap);
	case WE_IMM_CAST:
		rc = take_type(c, &in->of.cast.from);
		return rc < 0 ? rc : take_type(c, &in->of.cast.to);
	case WE_IMM_TYPE_DATA:
		return need_data_count(c);
	default: // nothing more to learn
		return 0;
	}
}

// The instruction's own rule, or what its row says.
static int check_rule(struct we_checker *c, struct we_instr *in)
{
	const struct we_op_info *info = &we_op_info[in->op];
	int rc;

	switch (in->op) {
	case WE_OP_LOCAL_GET: // these three are a third of what compilers write
		return check_local_get(c, in->of.idx);
	case WE_OP_LOCAL_SET:
		return check_local_set(c, in->of.idx);
	case WE_OP_LOCAL_TEE:
		return check_local_tee(c, in->of.idx);
	case WE_OP_UNREACHABLE:
		we_checker_set_unreachable(c);
		return 0;
	case WE_OP_BLOCK:
	case WE_OP_LOOP:
	case WE_OP_IF:
	case WE_OP_TRY_TABLE:
		rc = take_immediates(c, in);
		return rc < 0 ? rc : check_block(c);
	case WE_OP_ELSE:
		return check_else(c);
	case WE_OP_END:
		return check_end(c);
	case WE_OP_BR:
		return check_br(c, in->of.idx);
	case WE_OP_BR_IF:
		return check_br_if(c);
	case WE_OP_BR_TABLE:
		return check_br_table(c);
	case WE_OP_RETURN:
		return check_br(c, (we_labelidx)c->ctrls->len - 1);
	case WE_OP_CALL:
	case WE_OP_CALL_INDIRECT:
	case WE_OP_RETURN_CALL:
	case WE_OP_RETURN_CALL_INDIRECT:
		return check_call_of(c);
	case WE_OP_DROP: {
		we_valtype dropped;

		return we_checker_pop_any(c, WE_T_BOT, &dropped);
	}
	case WE_OP_SELECT:
		return check_select(c);
	case WE_OP_SELECT_T:
		rc = take_immediates(c, in);
		return rc < 0 ? rc : check_select_t(c);
	case WE_OP_GLOBAL_GET:
	case WE_OP_GLOBAL_SET:
		return check_global_op(c);
	case WE_OP_TABLE_GET:
	case WE_OP_TABLE_SET:
	case WE_OP_TABLE_SIZE:
	case WE_OP_TABLE_GROW:
	case WE_OP_TABLE_FILL:
		return check_table_op(c);
	case WE_OP_TABLE_INIT:
		return check_table_init(c);
	case WE_OP_TABLE_COPY:
		return check_table_copy(c);
	case WE_OP_MEMORY_COPY:
		return check_memory_copy(c);
	default: // rows that say it all; references, structures, arrays, exceptions
		if (!info->has_own_rule)
			return check_row(c, info);
		rc = take_immediates(c, in);
		return rc < 0 ? rc : we_checker_ref_rule(c);
	}
}

static int check_instr(struct we_checker *c, struct we_instr *in)
{
	c->features |= UINT64_C(1) << we_op_info[in->op].feature;
	return check_rule(c, in);
}

// Check the instructions of a sequence whose outermost frame is already open.
static int check_sequence(struct we_checker *c, struct we_span span)
{
	void *const translation = c->translation;
	void (*const lower)(void *, const struct we_instr *) = c->engine->tier->lower;
	struct we_instr in;
	struct we_reader r;

	we_module_reader(c->module, span, &r, c->err);
	c->in = &in;
	while (c->frame != NULL) {
		int rc = we_instr_read(&r, &in);

		if (rc < 0)
			return rc;
		rc = check_instr(c, &in);
		if (rc < 0)
			return rc;
		if (translation != NULL)
			lower(translation, &in);
	}
	return we_reader_at_end(&r)
		       ? 0
		       : we_reader_fail(&r, "END opcode expected: section size mismatch");
}

static struct we_checker start_checker(const struct we_module *module, we_funcidx func,
	struct we_body_scratch *scratch, struct we_error *err)
{
	static const struct we_instr before = {.op = WE_OP_NONE};
	struct we_checker c;

	scratch->ctrls.len = 0;
	scratch->inits.len = 0;
	c = (struct we_checker){.module = module,
		.engine = module->engine,
		.is = &module->is,
		.scratch = scratch,
		.ctrls = &scratch->ctrls,
		.err = err,
		.in = &before,
		.func = func};
	use_vals(&c);
	return c;
}

static int expand_locals(struct we_checker *c, const struct we_func_def *func)
{
	struct we_vec *locals = &c->scratch->locals;
	we_valtype *types;

	locals->len = 0;
	if (we_vec_reserve(locals, func->n_locals, sizeof(*types)) < 0 ||
		we_vec_reserve(&c->scratch->unset, func->n_locals, sizeof(bool)) < 0)
		return no_memory(c);
	if (func->n_locals > 0)
		memset(c->scratch->unset.data, false, func->n_locals * sizeof(bool));
	types = locals->data;
	for (uint32_t i = 0; i < func->type->n_params; i++)
		types[locals->len++] = we_functype_params(func->type)[i];
	for (uint32_t k = 0; k < func->n_runs; k++) {
		const we_valtype type = func->runs[k].type;

		if (we_valtype_is_ref(type) && !(type & WE_T_NULL) && func->runs[k].n > 0)
			memset((bool *)c->scratch->unset.data + locals->len, true, func->runs[k].n);
		for (uint32_t i = 0; i < func->runs[k].n; i++)
			types[locals->len++] = type;
	}
	c->n_locals = func->n_locals;
	c->locals = types;
	c->unset = c->scratch->unset.data;
	return 0;
}

int we_body_validate(struct we_module *module, we_funcidx func, struct we_body_scratch *scratch,
	void *translation, struct we_error *err)
{
	const struct we_tier *tier = module->engine->tier;
	struct we_func_def *def = &module->is.funcs[func];
	const struct we_blocktype block = {.kind = WE_BLOCK_TYPE, .type = def->type_idx};
	struct we_checker c = start_checker(module, func, scratch, err);
	int rc = expand_locals(&c, def);

	c.translation = translation;
	if (rc == 0)
		rc = tier->begin(translation, func, err);
	if (rc == 0)
		rc = push_ctrl(&c, WE_OP_NONE, &block);
	if (rc == 0)
		rc = check_sequence(&c, def->body);
	if (rc == 0)
		rc = tier->end(translation, &def->code, err);
	module->features |= c.features;
	if (rc < 0 && err != NULL)
		err->func = func;
	return rc;
}

// What a constant expression may not do, and the functions that it declares. Spec: core "Constant
// Expressions".
static int check_const_instr(struct we_module *module, struct we_checker *c,
	const struct we_instr *in, uint32_t n_globals)
{
	int rc;

	c->in = in;
	if (!(we_op_info[in->op].flags & WE_OP_FLAG_CONST))
		return we_checker_invalid(c, "constant expression required");
	if (in->op == WE_OP_GLOBAL_GET) {
		rc = check_global(c, in->of.idx, n_globals);
		if (rc < 0)
			return rc;
		if (module->is.globals[in->of.idx].type.mut)
			return we_checker_invalid(c,
				"constant expression required: global %u is mutable", in->of.idx);
	}
	if (in->op == WE_OP_REF_FUNC) {
		rc = check_func(c, in->of.idx);
		if (rc < 0)
			return rc;
		module->is.funcs[in->of.idx].is_declared = true;
	}
	return 0;
}

int we_const_validate(struct we_module *module, const struct we_const_expr *expr, we_valtype type,
	uint32_t n_globals, struct we_body_scratch *scratch, struct we_error *err)
{
	const struct we_blocktype block = {.kind = WE_BLOCK_VAL, .val = type};
	struct we_checker c = start_checker(module, WE_NO_FUNC, scratch, err);
	struct we_instr in = {.op = WE_OP_NONE};
	struct we_reader r;
	int rc = 0;

	we_module_reader(module, expr->body, &r, err);
	while (rc == 0 && !we_reader_at_end(&r)) {
		rc = we_instr_read(&r, &in);
		if (rc == 0)
			rc = check_const_instr(module, &c, &in, n_globals);
	}
	if (rc == 0)
		rc = push_ctrl(&c, WE_OP_NONE, &block);
	if (rc == 0)
		rc = check_sequence(&c, expr->body);
	module->features |= c.features;
	return rc;
}
