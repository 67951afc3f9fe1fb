// SPDX-License-Identifier: BSD-3-Clause
// Lowering of blocks, branches and exceptions: see lower.h.
//
// Module path 3/6. Spec: core "Control Instructions".
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "abi.h"
#include "heap.h"

static struct label *label_at(struct func *f, uint32_t n)
{
	return &((struct label *)f->labels.data)[f->labels.len - 1 - n];
}

static LLVMValueRef *arena_values(struct func *f, uint32_t n)
{
	LLVMValueRef *values = we_arena_array(&f->arena, n, sizeof(*values));

	if (values == NULL)
		abort();
	return values;
}

static LLVMValueRef *make_phis(
	struct func *f, LLVMBasicBlockRef block, const we_valtype *types, uint32_t n)
{
	LLVMBasicBlockRef back = LLVMGetInsertBlock(f->u->b);
	LLVMValueRef *phis = arena_values(f, n);

	func_go_on(f, block);
	for (uint32_t i = 0; i < n; i++)
		phis[i] = LLVMBuildPhi(f->u->b, unit_type(f->u, func_kind(f, types[i])), "");
	func_go_on(f, back);
	return phis;
}

void lower_make_label(struct func *f, struct label *label)
{
	label->end = func_block(f);
	label->phis = make_phis(f, label->end, label->results, label->n_results);
	label->to = label->end;
	label->to_phis = label->phis;
	label->n_proofs = (uint32_t)f->proofs.len;
	if (label->op == WE_OP_LOOP) {
		label->to = func_block(f);
		label->to_phis = make_phis(f, label->to, label->params, label->n_params);
	}
}

// The top n operands come into phis from the block being filled.
static void feed(struct func *f, LLVMValueRef *phis, uint32_t n)
{
	LLVMBasicBlockRef from = LLVMGetInsertBlock(f->u->b);

	for (uint32_t i = 0; i < n; i++)
		LLVMAddIncoming(phis[i], &func_top(f, n - 1 - i)->v, &from, 1);
}

// How many values a branch to it takes along.
static uint32_t n_fed(const struct label *label)
{
	return label->op == WE_OP_LOOP ? label->n_params : label->n_results;
}

static void feed_label(struct func *f, struct label *label)
{
	feed(f, label->to_phis, n_fed(label));
	if (label->op != WE_OP_LOOP)
		label->is_reached = true;
}

void lower_branch(struct func *f, uint32_t n)
{
	struct label *label = label_at(f, n);

	feed_label(f, label);
	LLVMBuildBr(f->u->b, label->to);
}

void lower_branch_if(struct func *f, LLVMValueRef cond, uint32_t n)
{
	struct label *label = label_at(f, n);
	LLVMBasicBlockRef next = func_block(f);

	feed_label(f, label);
	LLVMBuildCondBr(f->u->b, cond, label->to, next);
	func_go_on(f, next);
}

static LLVMValueRef is_true(struct func *f, LLVMValueRef v)
{
	return LLVMBuildICmp(f->u->b, LLVMIntNE, v, unit_i32(f->u, 0), "");
}

// ---- blocks -------------------------------------------------------------------------------------

static void cut_values(struct func *f, uint32_t height)
{
	f->values.len = height;
}

static void cut_proofs(struct func *f, const struct label *label)
{
	if (f->proofs.len > label->n_proofs)
		f->proofs.len = label->n_proofs;
}

static const we_valtype *keep_types(struct func *f, const we_valtype *types, uint32_t n)
{
	we_valtype *kept = we_arena_array(&f->arena, n, sizeof(*kept));

	if (kept == NULL)
		abort();
	if (n > 0)
		memcpy(kept, types, n * sizeof(*kept));
	return kept;
}

static struct label *push_label(struct func *f, enum we_op op, const struct we_blocktype *block)
{
	struct label *label = func_add(&f->labels, sizeof(*label));
	struct we_blocktype resolved = *block;
	const we_valtype *params;
	const we_valtype *results;

	(void)we_module_resolve_type(f->u->module, &resolved.val);
	we_blocktype_types(
		f->u->module, &resolved, &params, &label->n_params, &results, &label->n_results);
	label->op = op;
	label->params = keep_types(f, params, label->n_params);
	label->results = keep_types(f, results, label->n_results);
	label->height = func_height(f) - label->n_params;
	func_settle(f, label->height);
	lower_make_label(f, label);
	return label;
}

static void begin_loop(struct func *f, const struct we_instr *in)
{
	struct label *label = push_label(f, WE_OP_LOOP, &in->of.block);

	feed(f, label->to_phis, label->n_params);
	LLVMBuildBr(f->u->b, label->to);
	func_go_on(f, label->to);
	for (uint32_t i = 0; i < label->n_params; i++) {
		struct value *param = func_top(f, label->n_params - 1 - i);

		*param = (struct value){.v = label->to_phis[i], .kind = param->kind};
	}
	func_forget(f);
}

static void begin_if(struct func *f, const struct we_instr *in)
{
	LLVMValueRef cond = is_true(f, func_pop(f));
	struct label *label = push_label(f, WE_OP_IF, &in->of.block);
	LLVMBasicBlockRef then = func_block(f);

	label->other = func_block(f);
	label->if_params = arena_values(f, label->n_params);
	for (uint32_t i = 0; i < label->n_params; i++)
		label->if_params[i] = func_top(f, label->n_params - 1 - i)->v;
	LLVMBuildCondBr(f->u->b, cond, then, label->other);
	func_go_on(f, then);
	f->generation++; // what the then branch learns is not known in the other
}

static void begin_else(struct func *f)
{
	struct label *label = label_at(f, 0);

	if (!f->is_dead) {
		feed(f, label->phis, label->n_results);
		label->is_reached = true;
		LLVMBuildBr(f->u->b, label->end);
	}
	f->is_dead = false;
	cut_values(f, label->height);
	cut_proofs(f, label);
	for (uint32_t i = 0; i < label->n_params; i++)
		func_push(f, label->if_params[i], func_kind(f, label->params[i]));
	func_go_on(f, label->other);
	label->op = WE_OP_ELSE;
	label->other = NULL;
	func_forget(f);
}

static void begin_try(struct func *f, const struct we_instr *in)
{
	struct label *label = push_label(f, WE_OP_TRY_TABLE, &in->of.try_table.block);
	struct we_reader r = in->of.try_table.catches;
	struct we_catch *catches = we_arena_array(&f->arena, in->of.try_table.n, sizeof(*catches));

	if (catches == NULL)
		abort();
	for (uint32_t i = 0; i < in->of.try_table.n; i++) {
		if (we_catch_read(&r, &catches[i]) < 0)
			abort(); // it was valid
	}
	label->catches = catches;
	label->n_catches = in->of.try_table.n;
}

static void return_results(struct func *f, const struct label *body)
{
	func_go_on(f, body->end);
	func_leave(f);
	abi_return(f->u, abi_needs_buf(f->u, f->def->type) ? func_store(f) : NULL, f->def->type,
		body->phis);
}

static void dispatch(struct func *f, const struct label *label);

static void end_block(struct func *f)
{
	struct label label = *label_at(f, 0);

	if (!f->is_dead) {
		feed(f, label.phis, label.n_results);
		label.is_reached = true;
		LLVMBuildBr(f->u->b, label.end);
	}
	if (label.op == WE_OP_IF) { // no else: its parameters are its results
		func_go_on(f, label.other);
		for (uint32_t i = 0; i < label.n_params; i++)
			LLVMAddIncoming(label.phis[i], &label.if_params[i], &label.other, 1);
		LLVMBuildBr(f->u->b, label.end);
		label.is_reached = true;
	}
	cut_values(f, label.height);
	cut_proofs(f, &label);
	f->labels.len--;
	if (label.dispatch != NULL)
		dispatch(f, &label);
	f->is_dead = false;
	func_forget(f);
	if (!label.is_reached) {
		LLVMDeleteBasicBlock(label.end);
		func_end_block(f);
		return;
	}
	if (label.op == WE_OP_NONE) {
		return_results(f, &label);
		return;
	}
	func_go_on(f, label.end);
	for (uint32_t i = 0; i < label.n_results; i++)
		func_push(f, label.phis[i], func_kind(f, label.results[i]));
}

// ---- branches -----------------------------------------------------------------------------------

static void branch_table(struct func *f, const struct we_instr *in)
{
	LLVMValueRef i = func_pop(f);
	struct we_reader r = in->of.labels.targets;
	const uint32_t n = in->of.labels.n;
	uint32_t *targets = malloc((n + 1) * sizeof(*targets));
	LLVMValueRef sw;

	if (targets == NULL)
		abort();
	for (uint32_t k = 0; k <= n; k++) {
		if (we_reader_u32(&r, &targets[k]) < 0)
			abort();
	}
	// All places get the same values, also one that is named twice; the code goes on with none of them.
	for (uint32_t k = 0; k < n_fed(label_at(f, targets[n])); k++)
		func_top(f, k)->home = NULL;
	for (uint32_t k = 0; k <= n; k++) {
		if (k == n || targets[k] != targets[n]) // the default does it
			feed_label(f, label_at(f, targets[k]));
	}
	sw = LLVMBuildSwitch(f->u->b, i, label_at(f, targets[n])->to, n);
	for (uint32_t k = 0; k < n; k++) {
		if (targets[k] != targets[n])
			LLVMAddCase(sw, unit_i32(f->u, k), label_at(f, targets[k])->to);
	}
	free(targets);
	func_end_block(f);
}

// ---- exceptions ---------------------------------------------------------------------------------

void lower_exception(struct func *f)
{
	for (uint32_t n = 0; n < f->labels.len; n++) {
		struct label *label = label_at(f, n);

		if (label->op != WE_OP_TRY_TABLE || label->n_catches == 0)
			continue;
		if (label->dispatch == NULL)
			label->dispatch = func_block(f);
		LLVMBuildBr(f->u->b, label->dispatch);
		return;
	}
	func_leave(f);
	LLVMBuildRet(f->u->b, LLVMGetPoison(f->u->t_ret));
}

LLVMValueRef lower_has_exception(struct func *f)
{
	struct unit *u = f->u;
	LLVMValueRef exn = unit_load(u, u->t_i64, func_exception_at(f), PLACE_RUNTIME);

	return LLVMBuildICmp(u->b, LLVMIntNE, exn, unit_i64(u, 0), "");
}

void lower_check_exception(struct func *f)
{
	LLVMBasicBlockRef next = func_cold_if(f, lower_has_exception(f));

	lower_exception(f);
	func_go_on(f, next);
}

// The values of a clause, and the branch.
static void catch_it(struct func *f, const struct we_catch *clause, LLVMValueRef exn)
{
	struct unit *u = f->u;
	const uint32_t height = func_height(f);
	LLVMValueRef at = LLVMBuildInBoundsGEP2(u->b, u->t_i8, func_heap_base(f), &exn, 1, "");

	if (clause->has_tag) {
		const struct we_functype *type = u->module->is.tags[clause->tag].type;
		uint64_t offset = offsetof(struct we_exn, args);

		for (uint32_t i = 0; i < type->n_params; i++) {
			const we_valtype param = we_functype_params(type)[i];
			const enum we_kind kind = func_kind(f, param);
			LLVMValueRef v = unit_load(
				u, unit_type(u, kind), unit_at(u, at, offset), PLACE_HEAP);

			LLVMSetAlignment(v, 8);
			func_push(f, v, kind);
			offset += 8 * we_valtype_n_slots(param);
		}
	}
	if (clause->has_ref)
		func_push(f, LLVMBuildTrunc(u->b, exn, u->t_i32, ""), WE_EXNREF);
	unit_store(u, unit_i64(u, 0), func_exception_at(f), PLACE_RUNTIME);
	unit_store(u, unit_i32(u, 0),
		unit_at(u, func_store(f), offsetof(struct we_store, n_frames)), PLACE_RUNTIME);
	lower_branch(f, clause->label);
	cut_values(f, height);
}

// Where exceptions thrown inside a try_table go. It is no label any more.
static void dispatch(struct func *f, const struct label *label)
{
	struct unit *u = f->u;
	LLVMValueRef exn;
	LLVMValueRef at;
	LLVMValueRef tag;

	func_go_on(f, label->dispatch);
	func_forget(f);
	exn = unit_load(u, u->t_i64, func_exception_at(f), PLACE_RUNTIME);
	at = LLVMBuildInBoundsGEP2(u->b, u->t_i8, func_heap_base(f), &exn, 1, "");
	tag = unit_load(u, u->t_ptr, unit_at(u, at, offsetof(struct we_exn, tag)), PLACE_HEAP);
	for (uint32_t i = 0; i < label->n_catches; i++) {
		const struct we_catch *clause = &label->catches[i];
		LLVMBasicBlockRef hit;
		LLVMBasicBlockRef next;
		LLVMValueRef want;

		if (!clause->has_tag) {
			catch_it(f, clause, exn);
			return;
		}
		hit = func_block(f);
		next = func_block(f);
		want = func_tag(f, clause->tag);
		LLVMBuildCondBr(u->b, LLVMBuildICmp(u->b, LLVMIntEQ, tag, want, ""), hit, next);
		func_go_on(f, hit);
		catch_it(f, clause, exn);
		func_go_on(f, next);
	}
	lower_exception(f);
}

// ---- the instructions ---------------------------------------------------------------------------

static void lower_select(struct func *f)
{
	LLVMValueRef cond = is_true(f, func_pop(f));
	struct value b = func_pop_value(f);
	struct value a = func_pop_value(f);

	func_push(f, LLVMBuildSelect(f->u->b, cond, a.v, b.v, ""), a.kind);
}

bool lower_control(struct func *f, const struct we_instr *in)
{
	LLVMValueRef cond;

	switch (in->op) {
	case WE_OP_UNREACHABLE:
		func_trap(f, WE_TRAP_UNREACHABLE);
		func_end_block(f);
		return true;
	case WE_OP_NOP:
		return true;
	case WE_OP_BLOCK:
		push_label(f, WE_OP_BLOCK, &in->of.block);
		return true;
	case WE_OP_LOOP:
		begin_loop(f, in);
		return true;
	case WE_OP_IF:
		begin_if(f, in);
		return true;
	case WE_OP_ELSE:
		begin_else(f);
		return true;
	case WE_OP_TRY_TABLE:
		begin_try(f, in);
		return true;
	case WE_OP_END:
		end_block(f);
		return true;
	case WE_OP_BR:
		lower_branch(f, in->of.idx);
		func_end_block(f);
		return true;
	case WE_OP_BR_IF:
		cond = is_true(f, func_pop(f));
		lower_branch_if(f, cond, in->of.idx);
		return true;
	case WE_OP_BR_TABLE:
		branch_table(f, in);
		return true;
	case WE_OP_RETURN:
		lower_branch(f, (uint32_t)f->labels.len - 1);
		func_end_block(f);
		return true;
	case WE_OP_DROP:
		(void)func_pop(f);
		return true;
	case WE_OP_SELECT:
	case WE_OP_SELECT_T:
		lower_select(f);
		return true;
	case WE_OP_LOCAL_GET:
		func_push(f, func_local_get(f, in->of.idx), f->locals[in->of.idx].kind);
		return true;
	case WE_OP_LOCAL_SET:
		func_local_set(f, in->of.idx, func_pop(f));
		return true;
	case WE_OP_LOCAL_TEE:
		func_local_set(f, in->of.idx, func_top(f, 0)->v);
		return true;
	default:
		return false;
	}
}

// What has letters in opcode.def and touches no memory.
static void lower_plain(struct func *f, const struct we_instr *in)
{
	const struct we_op_info *info = &we_op_info[in->op];
	bool is_vector = info->result_type == WE_T_V128;
	LLVMValueRef v[3];
	LLVMValueRef result;

	for (uint32_t i = info->n_params; i-- > 0;) {
		v[i] = func_pop(f);
		is_vector = is_vector || info->param_types[i] == WE_T_V128;
	}
	result = is_vector ? lower_simd(f->u, f, in, v) : lower_num(f->u, f, in, v);
	func_push(f, result, func_kind(f, info->result_type));
}

// Unreachable code: only its nesting counts.
static bool skip_dead(struct func *f, const struct we_instr *in)
{
	if (!f->is_dead)
		return false;
	switch (in->op) {
	case WE_OP_BLOCK:
	case WE_OP_LOOP:
	case WE_OP_IF:
	case WE_OP_TRY_TABLE:
		f->dead++;
		return true;
	case WE_OP_END:
		if (f->dead == 0)
			return false;
		f->dead--;
		return true;
	case WE_OP_ELSE:
		return f->dead > 0;
	default:
		return true;
	}
}

void lower_instr(struct func *f, const struct we_instr *in)
{
	if (skip_dead(f, in))
		return;
	if (!lower_control(f, in) && !lower_call(f, in) && !lower_memory(f, in) &&
		!lower_ref(f, in))
		lower_plain(f, in);
}
