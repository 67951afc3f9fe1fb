// SPDX-License-Identifier: BSD-3-Clause
// we_frames: see frames.h.
//
// Module path 3/6.
#include "frames.h"

// Byte in the module of the instruction that the word belongs to.
static uint32_t offset_of_word(const struct we_code *code, uint32_t word)
{
	uint32_t lo = 0;
	uint32_t hi = code->n_offsets;

	while (hi - lo > 1) {
		const uint32_t mid = lo + (hi - lo) / 2;

		if (code->offsets[mid].word <= word)
			lo = mid;
		else
			hi = mid;
	}
	return hi == 0 ? 0 : code->offsets[lo].at;
}

// A place in a frame on the way outwards.
struct place {
	const uint64_t *fp;
	const struct we_code *code;
	uint32_t word; // of the operation that stands there, or of one of its operands
};

static struct place innermost(const void *ip, const uint64_t *fp)
{
	const struct we_code *code = we_frame_code(fp);
	const uint64_t *word = ip;

	return (struct place){.fp = fp, .code = code, .word = (uint32_t)(word - code->words)};
}

// Returns: false when the frame was entered from the host.
static bool go_out(struct place *p)
{
	const void *const exit = we_loop_handlers()[WE_I_EXIT];
	const struct we_iop *back = (const void *)(uintptr_t)p->fp[WE_FRAME_RETURN];

	if (back->handler == exit)
		return false;
	// Inside the call.
	*p = innermost((const uint64_t *)(const void *)back - 1,
		(const uint64_t *)(uintptr_t)p->fp[WE_FRAME_CALLER]);
	return true;
}

uint32_t we_frames_note(const struct we_regs *regs)
{
	struct place p = innermost(regs->ip, regs->fp);
	const uint32_t at = offset_of_word(p.code, p.word);

	for (uint32_t n = 0; n < WE_BACKTRACE_FRAMES; n++) {
		we_store_add_frame(
			regs->store, p.code->module, p.code->func, offset_of_word(p.code, p.word));
		if (!go_out(&p))
			break;
	}
	return at;
}

int we_frames_trap(const struct we_regs *regs, enum we_trap trap)
{
	const struct we_code *code = we_frame_code(regs->fp);
	const uint32_t at = we_frames_note(regs);

	return we_error_trap(
		regs->store->calls.err, trap, code->module->file_offset + at, code->func, NULL);
}

// ---- exceptions ----------------------------------------------------------------------------------

// The clause that catches the tag at that place, or NULL. Inner blocks come first.
static const struct we_code_catch *find_catch(
	const struct place *p, const struct we_instance *inst, const struct we_tag *tag)
{
	for (uint32_t i = 0; i < p->code->n_catches; i++) {
		const struct we_code_catch *clause = &p->code->catches[i];

		if (p->word >= clause->begin && p->word < clause->end &&
			(!clause->has_tag || inst->tags[clause->tag] == tag))
			return clause;
	}
	return NULL;
}

static const struct we_exn *exception_of(const struct we_store *store)
{
	return (const struct we_exn *)(const void *)we_heap_object(
		store->heap, (we_ref)store->exception);
}

static void deliver(struct we_regs *regs, const struct place *p, struct we_instance *inst,
	const struct we_code_catch *clause)
{
	const struct we_exn *exn = exception_of(regs->store);
	uint64_t *fp = (uint64_t *)(uintptr_t)p->fp;
	uint64_t *slot = SLOT(clause->slot);

	if (clause->has_tag) {
		memcpy(slot, exn->args, exn->object.len * sizeof(*slot));
		slot += exn->object.len;
	}
	if (clause->has_ref)
		*slot = regs->store->exception;
	regs->store->exception = 0;
	regs->store->n_frames = 0; // those noted on the way were not of a trap
	regs->fp = fp;
	regs->inst = inst;
	regs->ip = (const struct we_iop *)(const void *)(p->code->words + clause->target);
	regs->mem = inst->mem0->base;
	regs->mem_size = inst->mem0->size_bytes;
}

int we_frames_unwind(struct we_regs *regs)
{
	const struct we_tag *tag = exception_of(regs->store)->tag;
	struct place p = innermost(regs->ip, regs->fp);
	struct we_instance *inst = regs->inst;
	uint64_t depth = regs->depth;

	for (;;) {
		const struct we_code_catch *clause = find_catch(&p, inst, tag);

		if (clause != NULL) {
			deliver(regs, &p, inst, clause);
			regs->depth = depth;
			return 0;
		}
		inst = (struct we_instance *)(uintptr_t)p.fp[WE_FRAME_INSTANCE];
		if (!go_out(&p))
			return we_frames_trap(regs, WE_TRAP_UNCAUGHT_EXCEPTION);
		depth++;
	}
}

// ---- roots ---------------------------------------------------------------------------------------

static void visit_slot(struct we_root_visitor *v, const uint64_t *frame, uint32_t ref)
{
	uint64_t *fp = (uint64_t *)(uintptr_t)frame;

	v->visit(v, SLOT(WE_REF_SLOT(ref)), 1, (enum we_trace)WE_REF_TRACE(ref));
}

// The map of the operation that the word belongs to: the last one that begins before it.
static const struct we_code_map *find_map(const struct we_code *code, uint32_t word)
{
	uint32_t lo = 0;
	uint32_t hi = code->n_maps;

	while (lo < hi) {
		const uint32_t mid = lo + (hi - lo) / 2;

		if (code->maps[mid].word <= word)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo == 0 ? NULL : &code->maps[lo - 1];
}

static void visit_frame(struct we_root_visitor *v, const struct place *p)
{
	const struct we_code_map *map = find_map(p->code, p->word);

	for (uint32_t i = 0; i < p->code->n_ref_locals; i++)
		visit_slot(v, p->fp, p->code->refs[i]);
	for (uint32_t i = 0; map != NULL && i < map->n; i++)
		visit_slot(v, p->fp, p->code->refs[map->first + i]);
}

void we_frames_visit(struct we_store *store, struct we_root_visitor *v)
{
	for (const struct we_calls *calls = &store->calls; calls != NULL; calls = calls->outer) {
		struct place p;

		if (calls->fp == NULL)
			continue;
		p = innermost(calls->ip, calls->fp);
		do
			visit_frame(v, &p);
		while (go_out(&p));
	}
}
