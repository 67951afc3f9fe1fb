// SPDX-License-Identifier: BSD-3-Clause
// Body -> threaded code: one pass over a valid body, then its words, constants and offsets as one piece.
//
// Module path 3/6. Owns: the state of the translation. Thread: any.
// Spec:   core "Instructions".
#include "code.h"

#include "engine.h"
#include "reader.h"
#include "xlate.h"

#include <stdlib.h>
#include <string.h>

static bool opens_block(enum we_op op)
{
	return op == WE_OP_BLOCK || op == WE_OP_LOOP || op == WE_OP_IF || op == WE_OP_TRY_TABLE;
}

// Is the instruction in code that cannot be reached? Keeps count of the blocks there. What has failed waits for the end.
static bool is_skipped(struct we_xlate *t, enum we_op op)
{
	if (t->rc != 0)
		return true;
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

// The collector looks at the local whenever the frame is there: ENTER makes it null.
static void note_ref_local(struct we_xlate *t, we_localidx local)
{
	const enum we_trace trace = we_valtype_is_ref(t->types[local])
					    ? we_valtype_trace(t->module->engine, t->types[local])
					    : WE_TRACE_NONE;
	uint32_t *ref;

	if (trace == WE_TRACE_NONE)
		return;
	ref = we_vec_add(&t->refs, sizeof(*ref));
	if (ref == NULL) {
		we_x_fail(t, WE_E_NOMEM);
		return;
	}
	*ref = WE_REF(t->slots[local], trace);
	t->n_ref_locals++;
}

// Slots of the locals: parameters before the header, the others after it.
static int place_locals(struct we_xlate *t)
{
	const struct we_func_def *def = t->def;
	const struct we_functype *type = def->type;
	const size_t n = def->n_locals;
	uint32_t slot = WE_FRAME_BIAS - t->room;
	uint32_t i = 0;

	if (we_vec_reserve(&t->locals,
		    n * (sizeof(*t->types) + sizeof(*t->uses) + sizeof(*t->slots)), 1) < 0)
		return WE_E_NOMEM;
	t->types = t->locals.data;
	t->uses = t->types + n;
	t->slots = (uint16_t *)(void *)(t->uses + n);
	if (n > 0)
		memset(t->uses, 0xff, n * sizeof(*t->uses));
	for (; i < type->n_params; i++) {
		t->types[i] = we_functype_params(type)[i];
		t->slots[i] = (uint16_t)slot;
		note_ref_local(t, i);
		slot += we_valtype_n_slots(t->types[i]);
	}
	slot = WE_FRAME_BIAS + WE_FRAME_HEADER;
	for (uint32_t run = 0; run < def->n_runs; run++) {
		for (uint32_t j = 0; j < def->runs[run].n; j++, i++) {
			if (slot > WE_FRAME_MAX_SLOTS)
				return WE_E_INVALID;
			t->types[i] = def->runs[run].type;
			t->slots[i] = (uint16_t)slot;
			note_ref_local(t, i);
			slot += we_valtype_n_slots(t->types[i]);
		}
	}
	t->stack = slot;
	t->top = slot;
	we_x_need_slots(t, slot);
	return t->rc;
}

// Where a slot comes to lie: those of the stack step over the constants.
static uint16_t final_slot(const struct we_xlate *t, uint16_t slot)
{
	if (slot < t->stack)
		return slot;
	return (uint16_t)(slot >= WE_X_POOL ? slot - WE_X_POOL + t->stack : slot + t->pool.len);
}

static inline void place_slots(const struct we_xlate *t, struct we_iop *op, uint32_t form)
{
	for (uint32_t i = 0; i < 4; i++)
		if ((WE_FORM_SLOTS(form) >> i & 1) != 0)
			op->slots[i] = final_slot(t, op->slots[i]);
	if (WE_FORM_IS_Y(form))
		op->x[0] = (op->x[0] & ~(uint64_t)UINT16_MAX) | final_slot(t, (uint16_t)op->x[0]);
}

// Operation numbers become handlers, and slots are final.
static void link_words(const struct we_xlate *t, uint64_t *words, uint32_t n_words)
{
	const void *const *handlers = we_loop_handlers();
	const bool has_pool = t->pool.len > 0; // without constants slots are final already
	uint32_t n;

	for (uint32_t w = 0; w < n_words; w += n) {
		struct we_iop *op = (struct we_iop *)(void *)(words + w);
		const enum we_icode icode = (enum we_icode)words[w];
		const uint32_t form = we_icode_forms[icode];

		n = WE_FORM_WORDS(form);
		if (form == WE_FORM_TABLE)
			n += (op->imm + 2) / 2;
		if (has_pool)
			place_slots(t, op, form);
		op->handler = handlers[icode];
	}
}

static size_t side_tables_bytes(const struct we_xlate *t)
{
	return t->maps.len * sizeof(struct we_code_map) +
	       t->catches.len * sizeof(struct we_code_catch) + t->refs.len * sizeof(uint32_t);
}

// What the collector and exceptions need, from `at` on; all of it is made of 32-bit words. The code begins `skipped`
// words later than it was emitted.
static void put_side_tables(
	const struct we_xlate *t, struct we_code *code, uint32_t *at, uint32_t skipped)
{
	code->maps = (struct we_code_map *)(void *)at;
	code->n_maps = (uint32_t)t->maps.len;
	for (uint32_t i = 0; i < code->n_maps; i++) {
		code->maps[i] = ((const struct we_code_map *)t->maps.data)[i];
		code->maps[i].word -= skipped;
	}
	code->catches = (struct we_code_catch *)(void *)(code->maps + code->n_maps);
	code->n_catches = (uint32_t)t->catches.len;
	for (uint32_t i = 0; i < code->n_catches; i++) {
		struct we_code_catch *clause = &code->catches[i];

		*clause = ((const struct we_code_catch *)t->catches.data)[i];
		clause->begin -= skipped;
		clause->end -= skipped;
		clause->target -= skipped;
		clause->slot = final_slot(t, (uint16_t)clause->slot);
	}
	code->refs = (uint32_t *)(void *)(code->catches + code->n_catches);
	code->n_ref_locals = t->n_ref_locals;
	for (size_t i = 0; i < t->refs.len; i++) {
		const uint32_t ref = ((const uint32_t *)t->refs.data)[i];

		code->refs[i] =
			WE_REF(final_slot(t, (uint16_t)WE_REF_SLOT(ref)), WE_REF_TRACE(ref));
	}
}

// The translation as one piece of memory, without the ENTER at its start if there is nothing for it to do.
static struct we_code *finish(const struct we_xlate *t)
{
	const uint32_t n_zero = t->stack - WE_FRAME_BIAS - WE_FRAME_HEADER;
	const uint32_t n_pool = (uint32_t)t->pool.len;
	const uint32_t skipped = n_zero + n_pool > 0 ? 0 : WE_FORM_WORDS(WE_FORM_ENTER);
	const uint32_t n_words = here(t) - skipped;
	const uint32_t n_offsets = (uint32_t)t->offsets.len;
	const uint32_t n_calls = (uint32_t)t->calls.len;
	struct we_code *code = malloc(sizeof(*code) + (n_words + n_pool) * sizeof(uint64_t) +
				      n_offsets * sizeof(struct we_code_offset) +
				      n_calls * sizeof(uint32_t) + side_tables_bytes(t));
	uint64_t *pool;

	if (code == NULL)
		return NULL;
	*code = (struct we_code){
		.n_frame = t->max + n_pool - WE_FRAME_BIAS,
		.room = t->room,
		.n_param_slots = t->def->type->n_param_slots,
		.n_offsets = n_offsets,
		.n_calls = n_calls,
		.func = t->func,
		.module = t->module,
	};
	memcpy(code->words, (uint64_t *)t->words.data + skipped, n_words * sizeof(uint64_t));
	link_words(t, code->words, n_words);
	pool = code->words + n_words;
	for (uint32_t i = 0; i < n_pool; i++)
		pool[i] = ((uint64_t *)t->pool.data)[i];
	code->offsets = (struct we_code_offset *)(void *)(pool + n_pool);
	memcpy(code->offsets, t->offsets.data, n_offsets * sizeof(*code->offsets));
	for (uint32_t i = 1; i < n_offsets; i++)
		code->offsets[i].word -= skipped;
	code->calls = (uint32_t *)(code->offsets + n_offsets);
	for (uint32_t i = 0; i < n_calls; i++)
		code->calls[i] = ((uint32_t *)t->calls.data)[i] - skipped;
	put_side_tables(t, code, code->calls + n_calls, skipped);
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

int we_code_open(const struct we_module *module, void **ret_translation, struct we_error *err)
{
	struct we_xlate *t = calloc(1, sizeof(*t));

	if (t == NULL)
		return we_error_set(err, WE_E_NOMEM, module->file_offset, "out of memory");
	t->module = module;
	t->deterministic = module->engine->config.deterministic;
	*ret_translation = t;
	return 0;
}

void we_code_close(void *translation)
{
	struct we_xlate *t = translation;

	if (t == NULL)
		return;
	we_vec_fini(&t->words);
	we_vec_fini(&t->offsets);
	we_vec_fini(&t->operands);
	we_vec_fini(&t->labels);
	we_vec_fini(&t->patches);
	we_vec_fini(&t->pool);
	we_vec_fini(&t->calls);
	we_vec_fini(&t->maps);
	we_vec_fini(&t->refs);
	we_vec_fini(&t->catches);
	we_vec_fini(&t->locals);
	free(t);
}

// What has failed, in words.
static int report(const struct we_xlate *t, int rc, struct we_error *err)
{
	const uint64_t offset = t->module->file_offset + t->def->body.at;

	if (rc == WE_E_INVALID)
		return we_error_set(err, rc, offset,
			"more than the implementation limit of %u frame slots",
			WE_LIMIT_CODE_SLOTS);
	return we_error_set(err, rc, offset, "out of memory");
}

static struct we_vec emptied(struct we_vec vec)
{
	vec.len = 0;
	return vec;
}

int we_code_begin(void *translation, we_funcidx func, struct we_error *err)
{
	struct we_xlate *t = translation;
	const struct we_func_def *def = &t->module->is.funcs[func];
	struct we_x_label *function;
	int rc;

	*t = (struct we_xlate){
		.module = t->module,
		.def = def,
		.func = func,
		.deterministic = t->deterministic,
		.at = def->body.at,
		.room = we_functype_room(def->type),
		.newest = WE_X_NONE,
		.before = {WE_X_NONE, WE_X_NONE},
		.last = WE_X_NONE,
		.earlier = WE_X_NONE,
		.words = emptied(t->words),
		.offsets = emptied(t->offsets),
		.operands = emptied(t->operands),
		.labels = emptied(t->labels),
		.patches = emptied(t->patches),
		.pool = emptied(t->pool),
		.calls = emptied(t->calls),
		.maps = emptied(t->maps),
		.refs = emptied(t->refs),
		.catches = emptied(t->catches),
		.locals = t->locals,
	};
	rc = place_locals(t);
	function = rc != 0 ? NULL : we_vec_add(&t->labels, sizeof(*function));
	if (function == NULL)
		return report(t, rc != 0 ? rc : WE_E_NOMEM, err);
	*function = (struct we_x_label){
		.kind = WE_OP_NONE,
		.slot = WE_FRAME_BIAS - t->room,
		.results = we_functype_results(def->type),
		.n_results = def->type->n_results,
		.patches = WE_X_NONE,
		.otherwise = WE_X_NONE,
		.stub = WE_X_NONE,
	};
	we_x_start(t);
	we_x_emit(t, WE_I_ENTER, 0, 0, 0, 0);
	return t->rc == 0 ? 0 : report(t, t->rc, err);
}

__attribute__((noinline)) static void lower_with_room(struct we_xlate *t, const struct we_instr *in)
{
	if (we_vec_reserve(&t->operands, WE_X_PUSHES, sizeof(struct we_x_operand)) < 0)
		we_x_fail(t, WE_E_NOMEM);
	else
		we_code_lower(t, in);
}

void we_code_lower(void *translation, const struct we_instr *in)
{
	struct we_xlate *t = translation;
	const struct we_lowering *how = we_lowerings[in->op];

	if (t->is_dead && is_skipped(t, in->op))
		return;
	if (t->operands.cap - t->operands.len < WE_X_PUSHES) {
		lower_with_room(t, in);
		return;
	}
	t->at = in->at;
	how->lower(t, in, how);
}

int we_code_end(void *translation, void **ret_code, struct we_error *err)
{
	struct we_xlate *t = translation;
	struct we_code *code;

	we_x_emit(t, WE_I_EXIT, 0, 0, 0, 0);
	if (t->max > WE_FRAME_MAX_SLOTS)
		we_x_fail(t, WE_E_INVALID);
	if (t->rc != 0)
		return report(t, t->rc, err);
	code = finish(t);
	if (code == NULL)
		return report(t, WE_E_NOMEM, err);
	*ret_code = code;
	return 0;
}

void we_code_destroy(void *code)
{
	free(code);
}
