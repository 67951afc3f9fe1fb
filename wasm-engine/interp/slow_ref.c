// SPDX-License-Identifier: BSD-3-Clause
// Slow paths of references, structures, arrays and exceptions: see slow_ref.h.
//
// Module path 3/6. The work is done by core; here are the operands.
#include "slow_ref.h"

#include "aggregate.h"
#include "frames.h"

// The operation is done, or traps.
static int done(struct we_regs *regs, enum we_trap trap, enum we_form form)
{
	const struct we_iop *ip = regs->ip;

	if (UNLIKELY(trap != WE_TRAP_NONE))
		return we_frames_trap(regs, trap);
	regs->ip = AFTER(WE_FORM_WORDS(form));
	return 0;
}

// The operation has made an object for slot a.
static int made(struct we_regs *regs, enum we_trap trap, we_ref ref, enum we_form form)
{
	const struct we_iop *ip = regs->ip;
	uint64_t *fp = regs->fp;

	if (LIKELY(trap == WE_TRAP_NONE))
		PUT(uint64_t, ip->a, ref);
	return done(regs, trap, form);
}

static const uint64_t *slots_at(const struct we_regs *regs, uint32_t slot)
{
	const uint64_t *fp = regs->fp;

	return SLOT(slot);
}

static uint32_t get_u32(const struct we_regs *regs, uint32_t slot)
{
	return (uint32_t)*slots_at(regs, slot);
}

static const struct we_deftype *def_of(const struct we_regs *regs)
{
	return (const struct we_deftype *)(uintptr_t)regs->ip->x[0];
}

// ---- conversions ---------------------------------------------------------------------------------

int we_slow_any_convert_extern(struct we_regs *regs)
{
	const struct we_iop *ip = regs->ip;
	uint64_t *fp = regs->fp;
	uint64_t any = 0;
	enum we_trap trap;

	we_frames_leave(regs);
	trap = we_any_convert_extern(regs->store, GET(uint64_t, ip->b), &any);
	if (trap == WE_TRAP_NONE)
		PUT(uint64_t, ip->a, any);
	return done(regs, trap, WE_FORM_AB);
}

int we_slow_extern_convert_any(struct we_regs *regs)
{
	const struct we_iop *ip = regs->ip;
	uint64_t *fp = regs->fp;

	PUT(uint64_t, ip->a, we_extern_convert_any(regs->store, GET(uint64_t, ip->b)));
	return done(regs, WE_TRAP_NONE, WE_FORM_AB);
}

// ---- new objects ---------------------------------------------------------------------------------

int we_slow_struct_new(struct we_regs *regs)
{
	enum we_trap trap;
	we_ref ref = 0;

	we_frames_leave(regs);
	trap = we_struct_new(regs->store, def_of(regs), slots_at(regs, regs->ip->b), &ref);
	return made(regs, trap, ref, WE_FORM_ABIX);
}

int we_slow_struct_new_default(struct we_regs *regs)
{
	enum we_trap trap;
	we_ref ref = 0;

	we_frames_leave(regs);
	trap = we_struct_new(regs->store, def_of(regs), NULL, &ref);
	return made(regs, trap, ref, WE_FORM_AX);
}

int we_slow_array_new(struct we_regs *regs)
{
	enum we_trap trap;
	we_ref ref = 0;

	we_frames_leave(regs);
	trap = we_array_new(regs->store, def_of(regs), slots_at(regs, regs->ip->b),
		get_u32(regs, regs->ip->c), &ref);
	return made(regs, trap, ref, WE_FORM_ABCX);
}

int we_slow_array_new_default(struct we_regs *regs)
{
	enum we_trap trap;
	we_ref ref = 0;

	we_frames_leave(regs);
	trap = we_array_new(regs->store, def_of(regs), NULL, get_u32(regs, regs->ip->b), &ref);
	return made(regs, trap, ref, WE_FORM_ABIX);
}

int we_slow_array_new_fixed(struct we_regs *regs)
{
	enum we_trap trap;
	we_ref ref = 0;

	we_frames_leave(regs);
	trap = we_array_new_fixed(
		regs->store, def_of(regs), slots_at(regs, regs->ip->b), regs->ip->imm, &ref);
	return made(regs, trap, ref, WE_FORM_ABIX);
}

// The array type of an operation on a segment; the word has its index and that of the segment.
static const struct we_deftype *segment_type(const struct we_regs *regs)
{
	return regs->inst->module->is.types[regs->ip->x[0] >> 32].def;
}

int we_slow_array_new_data(struct we_regs *regs)
{
	enum we_trap trap;
	we_ref ref = 0;

	we_frames_leave(regs);
	trap = we_array_new_data(regs->inst, segment_type(regs), (we_dataidx)regs->ip->x[0],
		get_u32(regs, regs->ip->b), get_u32(regs, regs->ip->c), &ref);
	return made(regs, trap, ref, WE_FORM_ABCX);
}

int we_slow_array_new_elem(struct we_regs *regs)
{
	enum we_trap trap;
	we_ref ref = 0;

	we_frames_leave(regs);
	trap = we_array_new_elem(regs->inst, segment_type(regs), (we_elemidx)regs->ip->x[0],
		get_u32(regs, regs->ip->b), get_u32(regs, regs->ip->c), &ref);
	return made(regs, trap, ref, WE_FORM_ABCX);
}

// ---- bulk ----------------------------------------------------------------------------------------

int we_slow_array_fill(struct we_regs *regs)
{
	const struct we_iop *ip = regs->ip;
	const enum we_storage storage = (enum we_storage)ip->x[0];

	return done(regs,
		we_array_fill(regs->store, storage, *slots_at(regs, ip->a), get_u32(regs, ip->b),
			slots_at(regs, ip->c), get_u32(regs, ip->d)),
		WE_FORM_ABCDX);
}

int we_slow_array_copy(struct we_regs *regs)
{
	const struct we_iop *ip = regs->ip;
	const uint64_t *operand = slots_at(regs, ip->a); // dst, d, src, s, n

	return done(regs,
		we_array_copy(regs->store, (enum we_storage)ip->imm, operand[0],
			(uint32_t)operand[1], operand[2], (uint32_t)operand[3],
			(uint32_t)operand[4]),
		WE_FORM_AI);
}

int we_slow_array_init_data(struct we_regs *regs)
{
	const struct we_iop *ip = regs->ip;
	const enum we_storage storage = (enum we_storage)(ip->x[0] >> 32);

	return done(regs,
		we_array_init_data(regs->inst, storage, *slots_at(regs, ip->a),
			get_u32(regs, ip->b), (we_dataidx)ip->x[0], get_u32(regs, ip->c),
			get_u32(regs, ip->d)),
		WE_FORM_ABCDX);
}

int we_slow_array_init_elem(struct we_regs *regs)
{
	const struct we_iop *ip = regs->ip;
	const enum we_storage storage = (enum we_storage)(ip->x[0] >> 32);

	return done(regs,
		we_array_init_elem(regs->inst, storage, *slots_at(regs, ip->a),
			get_u32(regs, ip->b), (we_elemidx)ip->x[0], get_u32(regs, ip->c),
			get_u32(regs, ip->d)),
		WE_FORM_ABCDX);
}

// ---- exceptions ----------------------------------------------------------------------------------

int we_slow_throw(struct we_regs *regs)
{
	enum we_trap trap;
	we_ref ref = 0;

	we_frames_leave(regs);
	trap = we_exn_new(
		regs->store, regs->inst->tags[regs->ip->imm], slots_at(regs, regs->ip->a), &ref);
	if (trap != WE_TRAP_NONE)
		return we_frames_trap(regs, trap);
	regs->store->exception = ref;
	return we_frames_unwind(regs);
}

int we_slow_throw_ref(struct we_regs *regs)
{
	const uint64_t exn = *slots_at(regs, regs->ip->a);

	if (exn == 0)
		return we_frames_trap(regs, WE_TRAP_NULL_EXCEPTION_REFERENCE);
	regs->store->exception = exn;
	return we_frames_unwind(regs);
}
