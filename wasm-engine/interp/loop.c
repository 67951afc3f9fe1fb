// SPDX-License-Identifier: BSD-3-Clause
// The handlers of the interpreter, one for each operation of icode.def, and the call from the host.
//
// Module path 3/6. No handler recurses: a guest's calls live on the store's value stack, also across instances. Only
// a host function that calls back in nests on the C stack, and that is bounded (WE_LIMIT_ENTERED).
// Owns:   nothing.
// Thread: the store's worker.
// Spec:   core "Instructions" (execution).
#include "loop.h"

#include "aggregate.h"
#include "dispatch.h"
#include "frames.h"
#include "num.h"
#include "relaxed.h"
#include "simd.h"
#include "slow_ref.h"

// ---- leaving the guest ---------------------------------------------------------------------------

static int slow_trap(struct we_regs *regs)
{
	return we_frames_trap(regs, (enum we_trap)regs->mem_size);
}

// The interrupt word is set: for this entry, or for one that is over and then the word is cleared.
static int slow_due(struct we_regs *regs)
{
	struct we_store *store = regs->store;
	uint64_t asked = atomic_load_explicit(&store->interrupt, memory_order_relaxed);

	if (we_store_is_interrupted(store))
		return we_frames_trap(regs, WE_TRAP_DEADLINE);
	atomic_compare_exchange_strong_explicit(
		&store->interrupt, &asked, UINT64_MAX, memory_order_relaxed, memory_order_relaxed);
	return 0;
}

// ---- calls ---------------------------------------------------------------------------------------

// A call that was not entered: no room, or the interrupt word is set.
static int slow_call(struct we_regs *regs)
{
	const uint64_t asked = atomic_load_explicit(&regs->store->interrupt, memory_order_relaxed);

	return asked == UINT64_MAX ? we_frames_trap(regs, WE_TRAP_STACK_OVERFLOW) : slow_due(regs);
}

// Return to a frame of another instance.
static int slow_return(struct we_regs *regs)
{
	const uint64_t *fp = regs->fp;

	regs->ip = (const void *)(uintptr_t)fp[WE_FRAME_RETURN];
	regs->inst = (struct we_instance *)(uintptr_t)fp[WE_FRAME_INSTANCE];
	regs->fp = (uint64_t *)(uintptr_t)fp[WE_FRAME_CALLER];
	regs->mem = regs->inst->mem0->base;
	regs->mem_size = regs->inst->mem0->size_bytes;
	regs->depth++;
	return 0;
}

enum {
	HOST_THREW = 1 // what call_host returns when an exception is under way
};

// Call a function of the host whose arguments end where a callee's frame would begin. mem and mem_size are stale after it.
static int call_host(struct we_regs *regs, const struct we_func *func, uint64_t *callee)
{
	struct we_calls *calls = &regs->store->calls;
	int rc;

	calls->sp = callee;
	calls->depth = calls->max_depth - (uint32_t)regs->depth;
	we_frames_leave(regs);
	rc = func->host(func->env, callee - we_functype_room(func->type), calls->err);
	regs->mem = regs->inst->mem0->base;
	regs->mem_size = regs->inst->mem0->size_bytes;
	if (LIKELY(rc >= 0)) {
		regs->store->n_frames = 0; // of a trap that it has swallowed
		return 0;
	}
	if (we_store_has_thrown(regs->store, rc))
		return HOST_THREW;
	(void)we_frames_note(regs);
	return rc;
}

// After a host call: the operation that called is done.
static int host_call_done(struct we_regs *regs)
{
	const uint64_t asked = atomic_load_explicit(&regs->store->interrupt, memory_order_relaxed);

	return UNLIKELY(asked != UINT64_MAX) ? slow_due(regs) : 0;
}

// The function that a call of another function's form names: the operation has passed its checks.
static const struct we_func *indirect_callee(const struct we_regs *regs)
{
	const struct we_iop *ip = regs->ip;
	uint64_t *fp = regs->fp;
	const struct we_table *table = regs->inst->tables[ip->imm];

	return table->elems[GET(u32, ip->b)];
}

static const struct we_func *ref_callee(const struct we_regs *regs)
{
	uint64_t *fp = regs->fp;

	return GET(const struct we_func *, regs->ip->b);
}

static const struct we_func *import_callee(const struct we_regs *regs)
{
	return regs->inst->funcs[regs->ip->imm];
}

static inline int host_call(struct we_regs *regs, const struct we_func *func, uint32_t n_words)
{
	const struct we_iop *ip = regs->ip;
	uint64_t *fp = regs->fp;
	int rc;

	rc = call_host(regs, func, SLOT(ip->a));
	if (UNLIKELY(rc != 0))
		return rc == HOST_THREW ? we_frames_unwind(regs) : rc;
	rc = host_call_done(regs);
	regs->ip = AFTER(n_words);
	return rc;
}

static int slow_host_import(struct we_regs *regs)
{
	return host_call(regs, import_callee(regs), WE_FORM_WORDS(WE_FORM_AI));
}

static int slow_host_ref(struct we_regs *regs)
{
	return host_call(regs, ref_callee(regs), WE_FORM_WORDS(WE_FORM_AB));
}

static int slow_host_indirect(struct we_regs *regs)
{
	return host_call(regs, indirect_callee(regs), WE_FORM_WORDS(WE_FORM_ABIX));
}

// The exception under way comes out of the call that made this frame.
static int leave_throwing(struct we_regs *regs)
{
	const struct we_iop *back = (const void *)(uintptr_t)regs->fp[WE_FRAME_RETURN];

	if (back->handler == we_loop_handlers()[WE_I_EXIT])
		return we_frames_trap(regs, WE_TRAP_UNCAUGHT_EXCEPTION);
	(void)slow_return(regs);
	regs->ip = (const void *)((const uint64_t *)(const void *)back - 1); // inside the call
	return we_frames_unwind(regs);
}

// A tail call of a host function: call it, move its results to where this frame's belong, return.
static int host_tail(struct we_regs *regs, const struct we_func *func)
{
	const struct we_iop *ip = regs->ip;
	uint64_t *fp = regs->fp;
	uint64_t *const base = fp - we_frame_code(fp)->room;
	uint64_t *const callee = SLOT(ip->a);
	int rc;

	rc = call_host(regs, func, callee);
	if (UNLIKELY(rc == HOST_THREW)) // out of the caller: this frame is over
		return leave_throwing(regs);
	if (UNLIKELY(rc != 0))
		return rc;
	rc = host_call_done(regs);
	if (UNLIKELY(rc != 0))
		return rc;
	memmove(base, callee - we_functype_room(func->type),
		func->type->n_result_slots * sizeof(uint64_t));
	return slow_return(regs);
}

static int slow_host_tail_import(struct we_regs *regs)
{
	return host_tail(regs, import_callee(regs));
}

static int slow_host_tail_indirect(struct we_regs *regs)
{
	return host_tail(regs, indirect_callee(regs));
}

static int slow_host_tail_ref(struct we_regs *regs)
{
	return host_tail(regs, ref_callee(regs));
}

// ---- memories and tables -------------------------------------------------------------------------

// Bulk work is done by core, which looks at the interrupt word between chunks.
static int bulk_done(struct we_regs *regs, enum we_trap found, enum we_form form)
{
	const struct we_iop *ip = regs->ip;

	if (UNLIKELY(found != WE_TRAP_NONE))
		return we_frames_trap(regs, found);
	regs->ip = AFTER(WE_FORM_WORDS(form));
	return 0;
}

// An operand that is an address or a length: of 64 bits, or zero-extended.
static u64 get_address(const struct we_regs *regs, uint16_t slot, bool is_64)
{
	uint64_t *fp = regs->fp;

	return is_64 ? GET(u64, slot) : GET(u32, slot);
}

static bool has_64(const struct we_memory *memory)
{
	return memory->type.limits.is_64;
}

static int slow_memory_grow(struct we_regs *regs)
{
	const struct we_iop *ip = regs->ip;
	uint64_t *fp = regs->fp;
	struct we_memory *memory = regs->inst->mems[ip->imm];
	uint64_t old = 0;

	if (we_memory_grow(memory, get_address(regs, ip->b, has_64(memory)), &old) != 0)
		old = UINT64_MAX;
	if (has_64(memory))
		PUT(u64, ip->a, old);
	else
		PUT(u32, ip->a, (u32)old);
	regs->mem = regs->inst->mem0->base;
	regs->mem_size = regs->inst->mem0->size_bytes;
	return bulk_done(regs, WE_TRAP_NONE, WE_FORM_ABI);
}

static int slow_memory_init(struct we_regs *regs)
{
	const struct we_iop *ip = regs->ip;
	uint64_t *fp = regs->fp;
	const we_memidx mem = (we_memidx)(ip->x[0] >> 32);

	return bulk_done(regs,
		we_memory_init(regs->inst, mem, (we_dataidx)ip->x[0],
			get_address(regs, ip->a, has_64(regs->inst->mems[mem])), GET(u32, ip->b),
			GET(u32, ip->c)),
		WE_FORM_ABCX);
}

static int slow_memory_copy(struct we_regs *regs)
{
	const struct we_iop *ip = regs->ip;
	struct we_memory *dst = regs->inst->mems[ip->x[0] >> 32];
	const struct we_memory *src = regs->inst->mems[(u32)ip->x[0]];

	return bulk_done(regs,
		we_memory_copy(dst, src, get_address(regs, ip->a, has_64(dst)),
			get_address(regs, ip->b, has_64(src)),
			get_address(regs, ip->c, has_64(dst) && has_64(src))),
		WE_FORM_ABCX);
}

static int slow_memory_fill(struct we_regs *regs)
{
	const struct we_iop *ip = regs->ip;
	uint64_t *fp = regs->fp;

	struct we_memory *memory = regs->inst->mems[ip->x[0]];

	return bulk_done(regs,
		we_memory_fill(memory, get_address(regs, ip->a, has_64(memory)), GET(u8, ip->b),
			get_address(regs, ip->c, has_64(memory))),
		WE_FORM_ABCX);
}

static int slow_data_drop(struct we_regs *regs)
{
	we_data_drop(regs->inst, regs->ip->imm);
	return bulk_done(regs, WE_TRAP_NONE, WE_FORM_I);
}

static int slow_table_grow(struct we_regs *regs)
{
	const struct we_iop *ip = regs->ip;
	uint64_t *fp = regs->fp;
	const uint64_t old =
		we_table_grow(regs->inst->tables[ip->x[0]], GET(u32, ip->c), GET(void *, ip->b));

	PUT(u32, ip->a, (u32)old);
	return bulk_done(regs, WE_TRAP_NONE, WE_FORM_ABCX);
}

static int slow_table_init(struct we_regs *regs)
{
	const struct we_iop *ip = regs->ip;
	uint64_t *fp = regs->fp;

	return bulk_done(regs,
		we_table_init(regs->inst, (we_tableidx)(ip->x[0] >> 32), (we_elemidx)ip->x[0],
			GET(u32, ip->a), GET(u32, ip->b), GET(u32, ip->c)),
		WE_FORM_ABCX);
}

static int slow_table_copy(struct we_regs *regs)
{
	const struct we_iop *ip = regs->ip;
	uint64_t *fp = regs->fp;
	struct we_table *const *tables = regs->inst->tables;

	return bulk_done(regs,
		we_table_copy(tables[ip->x[0] >> 32], tables[(u32)ip->x[0]], GET(u32, ip->a),
			GET(u32, ip->b), GET(u32, ip->c)),
		WE_FORM_ABCX);
}

static int slow_table_fill(struct we_regs *regs)
{
	const struct we_iop *ip = regs->ip;
	uint64_t *fp = regs->fp;

	return bulk_done(regs,
		we_table_fill(regs->inst->tables[ip->x[0]], GET(u32, ip->a), GET(void *, ip->b),
			GET(u32, ip->c)),
		WE_FORM_ABCX);
}

static int slow_elem_drop(struct we_regs *regs)
{
	we_elem_drop(regs->inst, regs->ip->imm);
	return bulk_done(regs, WE_TRAP_NONE, WE_FORM_I);
}

// A constant of 16 bits as one of 32.
static inline u32 sign_extended(u16 x)
{
	const i32 value = (i16)x;

	return (u32)value;
}

// ---- handlers ------------------------------------------------------------------------------------

// clang-format off
#define I_NAME(NAME, FORM) DECLARE(NAME)
#include "icode.def"
#undef I_NAME

SLOW_PATH(slow_trap)
SLOW_PATH(slow_due)
SLOW_PATH(slow_call)
SLOW_PATH(slow_return)
SLOW_PATH(slow_host_import)
SLOW_PATH(slow_host_indirect)
SLOW_PATH(slow_host_ref)
SLOW_PATH(slow_host_tail_ref)
SLOW_PATH(slow_host_tail_import)
SLOW_PATH(slow_host_tail_indirect)
SLOW_PATH(slow_memory_grow)
SLOW_PATH(slow_memory_init)
SLOW_PATH(slow_memory_copy)
SLOW_PATH(slow_memory_fill)
SLOW_PATH(slow_data_drop)
SLOW_PATH(slow_table_grow)
SLOW_PATH(slow_table_init)
SLOW_PATH(slow_table_copy)
SLOW_PATH(slow_table_fill)
SLOW_PATH(slow_elem_drop)
SLOW_PATH(we_slow_any_convert_extern)
SLOW_PATH(we_slow_extern_convert_any)
SLOW_PATH(we_slow_struct_new)
SLOW_PATH(we_slow_struct_new_default)
SLOW_PATH(we_slow_array_new)
SLOW_PATH(we_slow_array_new_default)
SLOW_PATH(we_slow_array_new_fixed)
SLOW_PATH(we_slow_array_new_data)
SLOW_PATH(we_slow_array_new_elem)
SLOW_PATH(we_slow_array_fill)
SLOW_PATH(we_slow_array_copy)
SLOW_PATH(we_slow_array_init_data)
SLOW_PATH(we_slow_array_init_elem)
SLOW_PATH(we_slow_throw)
SLOW_PATH(we_slow_throw_ref)

HANDLERS_BEGIN
static const void *const handlers[WE_I_N] = {
#define I_NAME(NAME, FORM) HANDLER(NAME)
#include "icode.def"
#undef I_NAME
};
HANDLERS_FIRST

// A jump to the distance in the operation, if cond; a backward one looks at the interrupt word first.
#define BRANCH(cond) do { if (cond) NEXT(ip->simm); NEXT(2); } while (0)
#define BRANCH_3(cond) do { if (cond) NEXT(ip->simm); NEXT(3); } while (0)
#define BRANCH_BACK(cond) do { if (IS_DUE()) SLOW(slow_due); BRANCH(cond); } while (0)

// The two constants in the word after the operands, sign-extended.
#define LOW()  ((i64)(i32)(u32)ip->x[0])
#define HIGH() ((i64)ip->x[0] >> 32)
// A sum in an integer type that may be signed.
#define ADD(x, y) ((u64)(x) + (u64)(i64)(y))

#define I_OP(NAME, FORM)
#define I_UN(NAME, R, T, expr) \
OP(NAME) { const T x = GET(T, ip->b); PUT(R, ip->a, expr); NEXT(2); }
#define I_BIN(NAME, R, T, U, expr) \
OP(NAME) { const T x = GET(T, ip->b); const U y = GET(U, ip->c); PUT(R, ip->a, expr); NEXT(2); }
#define I_TER(NAME, R, T, expr) \
OP(NAME) { \
	const T x = GET(T, ip->b); const T y = GET(T, ip->c); const T z = GET(T, ip->d); \
	PUT(R, ip->a, expr); NEXT(2); \
}
#define I_ALU(NAME, T, COMM, expr) \
OP(NAME) { const T x = GET(T, ip->b); const T y = GET(T, ip->c); PUT(T, ip->a, expr); NEXT(2); } \
OP(NAME##_I) { const T x = GET(T, ip->b); const T y = (T)(i64)ip->simm; PUT(T, ip->a, expr); NEXT(2); }
#define I_CMP(NAME, INVERSE, T, expr) \
OP(NAME) { const T x = GET(T, ip->b); const T y = GET(T, ip->c); PUT(u32, ip->a, expr); NEXT(2); } \
OP(NAME##_I) { const T x = GET(T, ip->b); const T y = (T)(i64)ip->simm; PUT(u32, ip->a, expr); NEXT(2); } \
OP(BR_##NAME) { const T x = GET(T, ip->a); const T y = GET(T, ip->b); BRANCH(expr); } \
OP(LOOP_##NAME) { const T x = GET(T, ip->a); const T y = GET(T, ip->b); BRANCH_BACK(expr); } \
OP(BR_##NAME##_I) { const T x = GET(T, ip->a); const T y = (T)(i16)ip->b; BRANCH(expr); } \
OP(LOOP_##NAME##_I) { const T x = GET(T, ip->a); const T y = (T)(i16)ip->b; BRANCH_BACK(expr); } \
OP(BR_ADD_##NAME##_I) { \
	const T x = (T)ADD(GET(T, ip->b), LOW()); const T y = (T)HIGH(); \
	PUT(T, ip->a, x); BRANCH_3(expr); \
} \
OP(LOOP_ADD_##NAME##_I) { \
	if (IS_DUE()) SLOW(slow_due); \
	const T x = (T)ADD(GET(T, ip->b), LOW()); const T y = (T)HIGH(); \
	PUT(T, ip->a, x); BRANCH_3(expr); \
} \
OP(LOOP_ADD_##NAME) { \
	if (IS_DUE()) SLOW(slow_due); \
	const T x = (T)ADD(GET(T, ip->a), LOW()); const T y = GET(T, ip->b); \
	PUT(T, ip->a, x); BRANCH_3(expr); \
} \
OP(BR_AND_##NAME##_I) { \
	const T x = (T)(ADD(GET(T, ip->b), (i16)ip->x[0]) & (u16)(ip->x[0] >> 16)); const T y = (T)HIGH(); \
	PUT(T, ip->a, x); BRANCH_3(expr); \
} \
OP(LOOP_AND_##NAME##_I) { \
	if (IS_DUE()) SLOW(slow_due); \
	const T x = (T)(ADD(GET(T, ip->b), (i16)ip->x[0]) & (u16)(ip->x[0] >> 16)); const T y = (T)HIGH(); \
	PUT(T, ip->a, x); BRANCH_3(expr); \
} \
OP(SELECT_##NAME) { \
	const T x = GET(T, ip->d); const T y = GET(T, (u16)ip->x[0]); \
	PUT(u32, ip->a, (expr) ? GET(u32, ip->b) : GET(u32, ip->c)); NEXT(3); \
} \
OP(SELECT_##NAME##_I) { \
	const T x = GET(T, ip->d); const T y = (T)LOW(); \
	PUT(u32, ip->a, (expr) ? GET(u32, ip->b) : GET(u32, ip->c)); NEXT(3); \
}
// The rest of a load and branch: the next word holds the offset and what is compared.
#define LOAD_CMP(R, M, T, load, expr, other, offset) \
	const u64 ea = (u64)GET(u32, ip->b) + (offset); \
	M m; \
	BOUNDS(ea, sizeof(M), mem_size); \
	memcpy(&m, mem + ea, sizeof(M)); \
	const R loaded = load; \
	const T x = (T)loaded; const T y = (other); \
	PUT(R, ip->a, loaded); BRANCH_3(expr)
#define I_LOAD_ALU(LOAD, ALU, R, M, load, expr) \
OP(LOAD##__##ALU) { \
	const u64 ea = (u64)GET(u32, ip->b) + ip->x[0]; \
	M m; \
	BOUNDS(ea, sizeof(M), mem_size); \
	memcpy(&m, mem + ea, sizeof(M)); \
	const R x = GET(R, ip->c); const R y = load; \
	PUT(R, ip->a, expr); NEXT(3); \
}
#define I_LOAD_CMP(LOAD, CMP, R, M, T, load, expr) \
OP(BR_##LOAD##__##CMP) { LOAD_CMP(R, M, T, load, expr, GET(T, (u16)ip->x[0]), ip->x[0] >> 32); } \
OP(LOOP_##LOAD##__##CMP) { \
	if (IS_DUE()) SLOW(slow_due); \
	LOAD_CMP(R, M, T, load, expr, GET(T, (u16)ip->x[0]), ip->x[0] >> 32); \
} \
OP(BR_##LOAD##__##CMP##_I) { LOAD_CMP(R, M, T, load, expr, (T)HIGH(), (u32)ip->x[0]); } \
OP(LOOP_##LOAD##__##CMP##_I) { \
	if (IS_DUE()) SLOW(slow_due); \
	LOAD_CMP(R, M, T, load, expr, (T)HIGH(), (u32)ip->x[0]); \
}
// The operands of a pair: slots, or the constants in the word after them.
#define I_COPY(NAME, LOAD, STORE, M) \
OP(NAME) { \
	const u64 from = (u64)GET(u32, ip->b) + (u32)ip->x[0]; \
	const u64 to = (u64)GET(u32, ip->a) + (ip->x[0] >> 32); \
	M m; \
	BOUNDS(from, sizeof(M), mem_size); \
	memcpy(&m, mem + from, sizeof(M)); \
	BOUNDS_2(to, sizeof(M), mem_size); \
	memcpy(mem + to, &m, sizeof(M)); \
	NEXT(3); \
}
#define PAIR_Y_S(T) GET(T, ip->c)
#define PAIR_Y_I(T) ((T)LOW())
#define PAIR_Z_S(T) GET(T, ip->d)
#define PAIR_Z_I(T) ((T)HIGH())
#define SHR_S_32(x, y) ((u32)((i32)(x) >> ((y) & 31)))
#define SHR_S_64(x, y) ((u64)((i64)(x) >> ((y) & 63)))
#define I_PAIR(FIRST, SECOND, T, Y, Z, e1, e2) \
OP(FIRST##__##SECOND) { \
	T x = GET(T, ip->b); const T y = PAIR_Y_##Y(T); const T z = PAIR_Z_##Z(T); \
	x = e1; PUT(T, ip->a, e2); NEXT(3); \
}
#define I_FCMP(NAME, T, expr) \
OP(NAME) { const T x = GET(T, ip->b); const T y = GET(T, ip->c); PUT(u32, ip->a, expr); NEXT(2); } \
OP(BR_##NAME) { const T x = GET(T, ip->a); const T y = GET(T, ip->b); BRANCH(expr); } \
OP(LOOP_##NAME) { const T x = GET(T, ip->a); const T y = GET(T, ip->b); BRANCH_BACK(expr); } \
OP(BRN_##NAME) { const T x = GET(T, ip->a); const T y = GET(T, ip->b); BRANCH(!(expr)); }
#define I_TRY1(NAME, R, T, fn) \
OP(NAME) { \
	R r; const enum we_trap found = fn(GET(T, ip->b), &r); \
	if (UNLIKELY(found != WE_TRAP_NONE)) TRAP(found); \
	PUT(R, ip->a, r); NEXT(2); \
}
#define I_TRY2(NAME, T, fn) \
OP(NAME) { \
	T r; const enum we_trap found = fn(GET(T, ip->b), GET(T, ip->c), &r); \
	if (UNLIKELY(found != WE_TRAP_NONE)) TRAP(found); \
	PUT(T, ip->a, r); NEXT(2); \
}
#define I_LANE(NAME, R, V, expr) \
OP(NAME) { const V v = GET(V, ip->b); const __typeof__(v[0]) x = v[ip->imm]; PUT(R, ip->a, expr); NEXT(2); }
#define I_REPLACE(NAME, V, S) \
OP(NAME) { V v = GET(V, ip->b); v[ip->d] = (__typeof__(v[0]))GET(S, ip->c); PUT(V, ip->a, v); NEXT(2); }

// The address of n bytes is at most 2^33: it cannot wrap.
#define BOUNDS(ea, n, size) \
	do { if (UNLIKELY((ea) + (n) > (size))) TRAP(WE_TRAP_MEMORY_OUT_OF_BOUNDS); } while (0)
// Any memory, `of`, with addresses of either width: at = address in the slot + offset, or a trap.
#define WIDE(at, slot, offset, n) \
	do { \
		const u64 address = of->type.limits.is_64 ? GET(u64, slot) : GET(u32, slot); \
		if (UNLIKELY(__builtin_add_overflow(address, (offset), &(at)) || \
			(at) > of->size_bytes || (n) > of->size_bytes - (at))) \
			TRAP(WE_TRAP_MEMORY_OUT_OF_BOUNDS); \
	} while (0)
// The same for the second access of an operation: its trap is the instruction's that belongs to the next word.
#define BOUNDS_2(ea, n, size) \
	do { \
		if (UNLIKELY((ea) + (n) > (size))) { \
			ip = AFTER(1); \
			TRAP(WE_TRAP_MEMORY_OUT_OF_BOUNDS); \
		} \
	} while (0)
// An address that is a sum in 32 bits, and the offset: the halves of a word.
#define SUM_AND_OFFSET(sum) ((u64)((sum) + (u32)ip->x[0]) + (ip->x[0] >> 32))
#define LOAD(R, M, expr, base, size, address, n_words) { \
	const u64 ea = (address); \
	M m; \
	BOUNDS(ea, sizeof(M), size); \
	memcpy(&m, (base) + ea, sizeof(M)); \
	PUT(R, ip->a, expr); \
	NEXT(n_words); \
}
#define STORE(M, value, base, size, address, n_words) { \
	const u64 ea = (address); \
	const M m = (value); \
	BOUNDS(ea, sizeof(M), size); \
	memcpy((base) + ea, &m, sizeof(M)); \
	NEXT(n_words); \
}
#define I_LOAD(NAME, R, M, expr) \
OP(NAME) LOAD(R, M, expr, mem, mem_size, (u64)GET(u32, ip->b) + ip->imm, 2) \
OP(NAME##_K) LOAD(R, M, expr, mem, mem_size, ip->imm, 2) \
OP(NAME##_M) { \
	const struct we_memory *of = inst->mems[ip->imm]; \
	u64 at; \
	M m; \
	WIDE(at, ip->b, ip->x[0], sizeof(M)); \
	memcpy(&m, of->base + at, sizeof(M)); \
	PUT(R, ip->a, expr); \
	NEXT(3); \
} \
OP(NAME##_W) LOAD(R, M, expr, mem, mem_size, (u64)(u32)(GET(u32, ip->b) + ip->imm), 2) \
OP(NAME##_X) LOAD(R, M, expr, mem, mem_size, SUM_AND_OFFSET(GET(u32, ip->b) + GET(u32, ip->c)), 3) \
OP(NAME##_S) LOAD(R, M, expr, mem, mem_size, SUM_AND_OFFSET(GET(u32, ip->b) << (ip->c & 31)), 3) \
OP(NAME##_SX) LOAD(R, M, expr, mem, mem_size, \
	SUM_AND_OFFSET((GET(u32, ip->b) << (ip->d & 31)) + GET(u32, ip->c)), 3) \
OP(NAME##_L) { \
	const u64 at = (u64)GET(u32, ip->b) + ip->c; \
	u32 pointer; \
	BOUNDS(at, sizeof(pointer), mem_size); \
	memcpy(&pointer, mem + at, sizeof(pointer)); \
	const u64 ea = (u64)pointer + ip->d; \
	M m; \
	BOUNDS_2(ea, sizeof(M), mem_size); \
	memcpy(&m, mem + ea, sizeof(M)); \
	PUT(R, ip->a, expr); \
	NEXT(2); \
}
#define I_STORE(NAME, M, T, expr) \
OP(NAME) { \
	const T x = GET(T, ip->b); \
	STORE(M, expr, mem, mem_size, (u64)GET(u32, ip->a) + ip->imm, 2) \
} \
OP(NAME##_K) { const T x = GET(T, ip->a); STORE(M, expr, mem, mem_size, ip->imm, 2) } \
OP(NAME##_M) { \
	const struct we_memory *of = inst->mems[ip->imm]; \
	const T x = GET(T, ip->b); \
	const M m = (expr); \
	u64 at; \
	WIDE(at, ip->a, ip->x[0], sizeof(M)); \
	memcpy(of->base + at, &m, sizeof(M)); \
	NEXT(3); \
} \
OP(NAME##_W) { \
	const T x = GET(T, ip->b); \
	STORE(M, expr, mem, mem_size, (u64)(u32)(GET(u32, ip->a) + ip->imm), 2) \
} \
OP(NAME##_X) { \
	const T x = GET(T, ip->b); \
	STORE(M, expr, mem, mem_size, SUM_AND_OFFSET(GET(u32, ip->a) + GET(u32, ip->c)), 3) \
}
#define I_ISTORE(NAME, M, T, expr) \
I_STORE(NAME, M, T, expr) \
OP(NAME##_C) { \
	const T x = (T)(i64)(i16)ip->b; \
	STORE(M, expr, mem, mem_size, (u64)GET(u32, ip->a) + ip->imm, 2) \
} \
OP(NAME##_CW) { \
	const T x = (T)(i64)(i16)ip->b; \
	STORE(M, expr, mem, mem_size, (u64)(u32)(GET(u32, ip->a) + ip->imm), 2) \
}
#define I_LOAD_LANE(NAME, V, M) \
OP(NAME) { \
	const struct we_memory *of = inst->mems[ip->x[1]]; \
	V v = GET(V, ip->c); \
	u64 at; \
	M m; \
	WIDE(at, ip->b, ip->x[0], sizeof(M)); \
	memcpy(&m, of->base + at, sizeof(M)); \
	v[ip->d] = m; \
	PUT(V, ip->a, v); \
	NEXT(4); \
}
#define I_STORE_LANE(NAME, V, M) \
OP(NAME) { \
	const struct we_memory *of = inst->mems[ip->x[1]]; \
	const V v = GET(V, ip->b); \
	const M m = v[ip->c]; \
	u64 at; \
	WIDE(at, ip->a, ip->x[0], sizeof(M)); \
	memcpy(of->base + at, &m, sizeof(M)); \
	NEXT(4); \
}
#include "icode.def"

// ---- control

OP(UNREACHABLE) { TRAP(WE_TRAP_UNREACHABLE); }
OP(EXIT) { STOP(); }

OP(ENTER) {
	u64 *to = SLOT(ip->a);
	const u64 *pool = (const u64 *)(uintptr_t)ip->x[0];

	for (u32 n = ip->b; n > 0; n--)
		*to++ = 0;
	for (u32 n = ip->imm; n > 0; n--)
		*to++ = *pool++;
	NEXT(3);
}

OP(BR) { NEXT(ip->simm); }
OP(LOOP_BR) { BRANCH_BACK(true); }
OP(BR_NZ) { BRANCH(GET(u32, ip->a) != 0); }
OP(LOOP_NZ) { BRANCH_BACK(GET(u32, ip->a) != 0); }
OP(BR_Z) { BRANCH(GET(u32, ip->a) == 0); }
OP(LOOP_Z) { BRANCH_BACK(GET(u32, ip->a) == 0); }

// What BR_TEST and its like look at.
#define TEST() (GET(u32, ip->a) & sign_extended(ip->b))

OP(BR_TEST) { BRANCH(TEST() != 0); }
OP(BR_TEST_Z) { BRANCH(TEST() == 0); }
OP(LOOP_TEST) { BRANCH_BACK(TEST() != 0); }
OP(LOOP_TEST_Z) { BRANCH_BACK(TEST() == 0); }

OP(LOOP_I32_ADD_NZ) {
	if (IS_DUE())
		SLOW(slow_due);
	const u32 sum = GET(u32, ip->a) + sign_extended(ip->b);
	PUT(u32, ip->a, sum);
	BRANCH(sum != 0);
}

OP(LOOP_I64_ADD_NZ) {
	if (IS_DUE())
		SLOW(slow_due);
	const i64 step = (i16)ip->b;
	const u64 sum = GET(u64, ip->a) + (u64)step;
	PUT(u64, ip->a, sum);
	BRANCH(sum != 0);
}

// Two pointers and a counter, or one of each: what compilers make of indices.
#define ADD_2() \
	do { \
		PUT(u32, ip->a, GET(u32, ip->a) + sign_extended(ip->b)); \
		PUT(u32, ip->c, GET(u32, ip->c) + sign_extended(ip->d)); \
	} while (0)
OP(LOOP_I32_ADD2_NZ) {
	if (IS_DUE())
		SLOW(slow_due);
	ADD_2();
	if (GET(u32, ip->c) != 0)
		NEXT((i64)ip->x[0] >> 32);
	NEXT(3);
}
OP(LOOP_I32_ADD3_NZ) {
	if (IS_DUE())
		SLOW(slow_due);
	ADD_2();
	const u32 left = GET(u32, (u16)ip->x[0]) + sign_extended((u16)(ip->x[0] >> 16));
	PUT(u32, (u16)ip->x[0], left);
	if (left != 0)
		NEXT((i64)ip->x[0] >> 32);
	NEXT(3);
}
#define LOOP_MOV2(T, N) \
	do { \
		if (IS_DUE()) \
			SLOW(slow_due); \
		PUT(T, ip->a, GET(T, ip->b)); \
		PUT(T, ip->c, GET(T, ip->d)); \
		const N left = (N)ADD(GET(N, (u16)ip->x[0]), (i16)(ip->x[0] >> 16)); \
		PUT(N, (u16)ip->x[0], left); \
		if (left != 0) \
			NEXT((i64)ip->x[0] >> 32); \
		NEXT(3); \
	} while (0)
OP(LOOP_MOV2_32_ADD32_NZ) { LOOP_MOV2(u32, u32); }
OP(LOOP_MOV2_32_ADD64_NZ) { LOOP_MOV2(u32, u64); }
OP(LOOP_MOV2_64_ADD32_NZ) { LOOP_MOV2(u64, u32); }
OP(LOOP_MOV2_64_ADD64_NZ) { LOOP_MOV2(u64, u64); }
OP(BR_MOV_32) { PUT(u32, ip->a, GET(u32, ip->b)); NEXT(ip->simm); }
OP(BR_MOV_64) { PUT(u64, ip->a, GET(u64, ip->b)); NEXT(ip->simm); }
OP(LOOP_MOV_32) {
	if (IS_DUE())
		SLOW(slow_due);
	PUT(u32, ip->a, GET(u32, ip->b));
	NEXT(ip->simm);
}
OP(LOOP_MOV_64) {
	if (IS_DUE())
		SLOW(slow_due);
	PUT(u64, ip->a, GET(u64, ip->b));
	NEXT(ip->simm);
}
OP(LOOP_MOV_32_NZ) {
	if (IS_DUE())
		SLOW(slow_due);
	PUT(u32, ip->a, GET(u32, ip->b));
	BRANCH_3(GET(u32, (u16)ip->x[0]) != 0);
}
OP(LOOP_I32_ADD_MOV_NZ) {
	if (IS_DUE())
		SLOW(slow_due);
	const u32 sum = GET(u32, ip->b) + sign_extended((u16)(ip->x[0] >> 16));
	PUT(u32, (u16)ip->x[0], sum);
	PUT(u32, ip->a, sum);
	BRANCH_3(sum != 0);
}
OP(BR_CONST_32) { PUT(u32, ip->a, (u32)ip->x[0]); NEXT(ip->simm); }

OP(BR_TABLE) {
	const u32 i = GET(u32, ip->a);
	const i32 *distances = (const i32 *)(const void *)ip->x;

	NEXT(distances[i < ip->imm ? i : ip->imm]);
}

// Back to the caller, whose instance is another one if the call or a tail call crossed.
#define RETURN() \
	do { \
		if (UNLIKELY((uintptr_t)fp[WE_FRAME_INSTANCE] != (uintptr_t)inst)) \
			SLOW(slow_return); \
		ip = (const struct we_iop *)(uintptr_t)fp[WE_FRAME_RETURN]; \
		fp = (u64 *)(uintptr_t)fp[WE_FRAME_CALLER]; \
		depth++; \
		JUMP(ip); \
	} while (0)
OP(RET) { RETURN(); }
OP(RET_32) { PUT(u32, ip->a, GET(u32, ip->b)); RETURN(); }
OP(RET_64) { PUT(u64, ip->a, GET(u64, ip->b)); RETURN(); }
OP(RET_128) { PUT(u64x2, ip->a, GET(u64x2, ip->b)); RETURN(); }
OP(RET_ADD_32) { PUT(u32, ip->a, GET(u32, ip->b) + GET(u32, ip->c)); RETURN(); }
OP(RET_ADD_64) { PUT(u64, ip->a, GET(u64, ip->b) + GET(u64, ip->c)); RETURN(); }
OP(RET_I) { PUT(u64, ip->a, (u64)(i64)ip->simm); RETURN(); }

// Enter code in a frame at callee; the caller goes on after the n words of its operation.
#define CALL(code, callee, n_words) \
	do { \
		if (UNLIKELY((callee) + (code)->n_frame > store->calls.stack_end || depth == 0) || IS_DUE()) \
			SLOW(slow_call); \
		depth--; \
		(callee)[WE_FRAME_RETURN] = (uintptr_t)AFTER(n_words); \
		(callee)[WE_FRAME_CALLER] = (uintptr_t)fp; \
		(callee)[WE_FRAME_INSTANCE] = (uintptr_t)inst; \
		(callee)[WE_FRAME_CODE] = (uintptr_t)(code); \
		fp = (callee); \
		ip = (const struct we_iop *)(const void *)(code)->words; \
	} while (0)
// Enter code in the place of this frame: arguments down to where its parameters began, the way back kept.
#define TAIL_CALL(code) \
	do { \
		u64 *const base = fp - we_frame_code(fp)->room; \
		const u64 *const args = SLOT(ip->a) - (code)->room; \
		u64 *const callee = base + (code)->room; \
		const u64 back = fp[WE_FRAME_RETURN]; \
		const u64 caller = fp[WE_FRAME_CALLER]; \
		const u64 instance = fp[WE_FRAME_INSTANCE]; \
		if (UNLIKELY(callee + (code)->n_frame > store->calls.stack_end) || IS_DUE()) \
			SLOW(slow_call); \
		for (u32 i = 0; i < (code)->n_param_slots; i++) \
			base[i] = args[i]; \
		callee[WE_FRAME_RETURN] = back; \
		callee[WE_FRAME_CALLER] = caller; \
		callee[WE_FRAME_INSTANCE] = instance; \
		callee[WE_FRAME_CODE] = (uintptr_t)(code); \
		fp = callee; \
		ip = (const struct we_iop *)(const void *)(code)->words; \
	} while (0)
// The memory in the registers is that of the instance.
#define SWITCH(to) \
	do { \
		if ((to) != inst) { \
			inst = (to); \
			RELOAD(); \
		} \
	} while (0)

OP(CALL) {
	const struct we_code *code = (const struct we_code *)(uintptr_t)ip->x[0];
	u64 *const callee = SLOT(ip->a);

	CALL(code, callee, 3);
	JUMP(ip);
}

OP(CALL_MOV_32) {
	const struct we_code *code = (const struct we_code *)(uintptr_t)ip->x[0];
	u64 *const callee = SLOT(ip->a);
	u64 *const to = SLOT(ip->c);
	const u32 value = GET(u32, ip->b);

	CALL(code, callee, 3);
	memcpy(to, &value, sizeof(value));
	JUMP(ip);
}

OP(CALL_MOV_64) {
	const struct we_code *code = (const struct we_code *)(uintptr_t)ip->x[0];
	u64 *const callee = SLOT(ip->a);
	u64 *const to = SLOT(ip->c);
	const u64 value = GET(u64, ip->b);

	CALL(code, callee, 3);
	*to = value;
	JUMP(ip);
}

OP(CALL_ADD_32) {
	const struct we_code *code = (const struct we_code *)(uintptr_t)ip->x[0];
	u64 *const callee = SLOT(ip->a);
	u64 *const to = SLOT(ip->c);
	const u32 value = GET(u32, ip->b) + sign_extended(ip->d);

	CALL(code, callee, 3);
	memcpy(to, &value, sizeof(value));
	JUMP(ip);
}

OP(CALL_ADD_64) {
	const struct we_code *code = (const struct we_code *)(uintptr_t)ip->x[0];
	u64 *const callee = SLOT(ip->a);
	u64 *const to = SLOT(ip->c);
	const u64 value = ADD(GET(u64, ip->b), (i16)ip->d);

	CALL(code, callee, 3);
	*to = value;
	JUMP(ip);
}

OP(CALL_IMPORT) {
	const struct we_func *func = inst->funcs[ip->imm];
	const struct we_code *code = func->code;
	u64 *const callee = SLOT(ip->a);

	if (func->kind == WE_FUNC_HOST)
		SLOW(slow_host_import);
	CALL(code, callee, 2);
	SWITCH(func->instance);
	JUMP(ip);
}

// The function of an indirect call, or a trap.
#define INDIRECT(func) \
	do { \
		const struct we_table *table = inst->tables[ip->imm]; \
		const u32 i = GET(u32, ip->b); \
		if (UNLIKELY(i >= table->size)) TRAP(WE_TRAP_UNDEFINED_ELEMENT); \
		func = table->elems[i]; \
		if (UNLIKELY(func == NULL)) TRAP(WE_TRAP_INDIRECT_CALL_TO_NULL); \
		if (UNLIKELY((uintptr_t)func->type != ip->x[0]) && \
			!we_deftype_matches(func->type->def, \
				((const struct we_functype *)(uintptr_t)ip->x[0])->def)) \
			TRAP(WE_TRAP_BAD_SIGNATURE); \
	} while (0)

OP(CALL_INDIRECT) {
	const struct we_func *func;
	INDIRECT(func);
	const struct we_code *code = func->code;
	u64 *const callee = SLOT(ip->a);

	if (func->kind == WE_FUNC_HOST)
		SLOW(slow_host_indirect);
	CALL(code, callee, 3);
	SWITCH(func->instance);
	JUMP(ip);
}

OP(CALL_REF) {
	const struct we_func *func = GET(const struct we_func *, ip->b);
	u64 *const callee = SLOT(ip->a);

	if (UNLIKELY(func == NULL))
		TRAP(WE_TRAP_NULL_FUNCTION_REFERENCE);
	if (func->kind == WE_FUNC_HOST)
		SLOW(slow_host_ref);
	const struct we_code *code = func->code;
	CALL(code, callee, 2);
	SWITCH(func->instance);
	JUMP(ip);
}

OP(TAIL_REF) {
	const struct we_func *func = GET(const struct we_func *, ip->b);

	if (UNLIKELY(func == NULL))
		TRAP(WE_TRAP_NULL_FUNCTION_REFERENCE);
	if (func->kind == WE_FUNC_HOST)
		SLOW(slow_host_tail_ref);
	const struct we_code *code = func->code;
	TAIL_CALL(code);
	SWITCH(func->instance);
	JUMP(ip);
}

OP(TAIL_CALL) {
	const struct we_code *code = (const struct we_code *)(uintptr_t)ip->x[0];

	TAIL_CALL(code);
	JUMP(ip);
}

OP(TAIL_SELF) {
	const u64 *from = SLOT(ip->a);
	u64 *to = SLOT(ip->b);

	if (IS_DUE())
		SLOW(slow_due);
	for (u32 n = ip->imm; n > 0; n--) {
		*to++ = *from++;
		__asm__("" : "+r"(to)); // few: not worth vectors
	}
	ip = (const struct we_iop *)(const void *)we_frame_code(fp)->words;
	JUMP(ip);
}

// The same with the arguments where they were made, each a slot.
#define TAIL_SELF(n) \
	do { \
		const u64 x = GET(u64, ip->a); \
		const u64 y = (n) > 1 ? GET(u64, ip->b) : 0; \
		const u64 z = (n) > 2 ? GET(u64, ip->c) : 0; \
		u64 *to = SLOT(ip->d); \
		if (IS_DUE()) \
			SLOW(slow_due); \
		to[0] = x; \
		if ((n) > 1) \
			to[1] = y; \
		if ((n) > 2) \
			to[2] = z; \
		ip = (const struct we_iop *)(const void *)we_frame_code(fp)->words; \
		JUMP(ip); \
	} while (0)
OP(TAIL_SELF_1) { TAIL_SELF(1); }
OP(TAIL_SELF_2) { TAIL_SELF(2); }
OP(TAIL_SELF_3) { TAIL_SELF(3); }

OP(TAIL_IMPORT) {
	const struct we_func *func = inst->funcs[ip->imm];
	const struct we_code *code = func->code;

	if (func->kind == WE_FUNC_HOST)
		SLOW(slow_host_tail_import);
	TAIL_CALL(code);
	SWITCH(func->instance);
	JUMP(ip);
}

OP(TAIL_INDIRECT) {
	const struct we_func *func;
	INDIRECT(func);
	const struct we_code *code = func->code;

	if (func->kind == WE_FUNC_HOST)
		SLOW(slow_host_tail_indirect);
	TAIL_CALL(code);
	SWITCH(func->instance);
	JUMP(ip);
}

// ---- moves

OP(MOV_32) { PUT(u32, ip->a, GET(u32, ip->b)); NEXT(2); }
OP(MOV_64) { PUT(u64, ip->a, GET(u64, ip->b)); NEXT(2); }
OP(MOV_128) { PUT(u64x2, ip->a, GET(u64x2, ip->b)); NEXT(2); }
OP(MOV2_32) { PUT(u32, ip->a, GET(u32, ip->b)); PUT(u32, ip->c, GET(u32, ip->d)); NEXT(2); }
OP(MOV2_64) { PUT(u64, ip->a, GET(u64, ip->b)); PUT(u64, ip->c, GET(u64, ip->d)); NEXT(2); }
OP(MOV_N) { memmove(SLOT(ip->a), SLOT(ip->b), ip->imm * sizeof(u64)); NEXT(2); }
OP(CONST_32) { PUT(u32, ip->a, ip->imm); NEXT(2); }
OP(CONST_64I) { PUT(u64, ip->a, (u64)(i64)ip->simm); NEXT(2); }
OP(CONST_64) { PUT(u64, ip->a, ip->x[0]); NEXT(3); }
OP(CONST_128) { memcpy(SLOT(ip->a), ip->x, 16); NEXT(4); }
OP(SELECT_32) { PUT(u32, ip->a, GET(u32, ip->d) != 0 ? GET(u32, ip->b) : GET(u32, ip->c)); NEXT(2); }
OP(SELECT_64) { PUT(u64, ip->a, GET(u32, ip->d) != 0 ? GET(u64, ip->b) : GET(u64, ip->c)); NEXT(2); }
OP(SELECT_128) {
	PUT(u64x2, ip->a, GET(u32, ip->d) != 0 ? GET(u64x2, ip->b) : GET(u64x2, ip->c));
	NEXT(2);
}
OP(SELECT_TEST) {
	PUT(u32, ip->a, (GET(u32, ip->d) & (u32)ip->x[0]) != 0 ? GET(u32, ip->b) : GET(u32, ip->c));
	NEXT(3);
}
OP(GLOBAL_GET_32) { memcpy(SLOT(ip->a), inst->globals[ip->imm]->cell, 4); NEXT(2); }
OP(GLOBAL_GET_64) { memcpy(SLOT(ip->a), inst->globals[ip->imm]->cell, 8); NEXT(2); }
OP(GLOBAL_GET_128) { memcpy(SLOT(ip->a), inst->globals[ip->imm]->cell, 16); NEXT(2); }
OP(GLOBAL_SET_32) { memcpy(inst->globals[ip->imm]->cell, SLOT(ip->a), 4); NEXT(2); }
OP(GLOBAL_SET_64) { memcpy(inst->globals[ip->imm]->cell, SLOT(ip->a), 8); NEXT(2); }
OP(GLOBAL_SET_128) { memcpy(inst->globals[ip->imm]->cell, SLOT(ip->a), 16); NEXT(2); }
OP(I8X16_SHUFFLE) {
	__m128i lanes;

	memcpy(&lanes, ip->x, sizeof(lanes));
	PUT(__m128i, ip->a, v_shuffle(GET(__m128i, ip->b), GET(__m128i, ip->c), lanes));
	NEXT(4);
}

OP(I32_ADD_ADD_I) {
	PUT(u32, ip->a, GET(u32, ip->b) + GET(u32, ip->c) + sign_extended(ip->d));
	NEXT(2);
}
OP(I32_MUL_ADD) { PUT(u32, ip->a, GET(u32, ip->b) * GET(u32, ip->c) + GET(u32, ip->d)); NEXT(2); }
OP(I32_SHL_I_ADD) { PUT(u32, ip->a, (GET(u32, ip->b) << (ip->d & 31)) + GET(u32, ip->c)); NEXT(2); }
OP(F32_MUL_ADD) { PUT(f32, ip->a, GET(f32, ip->b) * GET(f32, ip->c) + GET(f32, ip->d)); NEXT(2); }
OP(F32_ADD_MUL) { PUT(f32, ip->a, GET(f32, ip->d) + GET(f32, ip->b) * GET(f32, ip->c)); NEXT(2); }
OP(F64_MUL_ADD) { PUT(f64, ip->a, GET(f64, ip->b) * GET(f64, ip->c) + GET(f64, ip->d)); NEXT(2); }
OP(F64_ADD_MUL) { PUT(f64, ip->a, GET(f64, ip->d) + GET(f64, ip->b) * GET(f64, ip->c)); NEXT(2); }
OP(I32_ADD_I_TWICE) { ADD_2(); NEXT(2); }
// What is stored lies where it was read: one check.
#define RMW(value) \
	do { \
		const u64 ea = (u64)GET(u32, ip->a) + ip->imm; \
		u32 x; \
		BOUNDS(ea, sizeof(x), mem_size); \
		memcpy(&x, mem + ea, sizeof(x)); \
		x += value; \
		memcpy(mem + ea, &x, sizeof(x)); \
		NEXT(2); \
	} while (0)
OP(I32_RMW_ADD) { RMW(GET(u32, ip->b)); }
OP(I32_RMW_ADD_I) { RMW(sign_extended(ip->b)); }
OP(GLOBAL_ADD_32) {
	uint64_t *const cell = inst->globals[ip->imm]->cell;
	u32 x;

	memcpy(&x, cell, sizeof(x));
	x += sign_extended(ip->b);
	memcpy(cell, &x, sizeof(x));
	PUT(u32, ip->a, x);
	NEXT(2);
}
OP(I32_SHR_U_I_AND) { PUT(u32, ip->a, GET(u32, ip->b) >> (ip->c & 31) & ip->d); NEXT(2); }

// ---- memories, tables, references

OP(MEMORY_SIZE) {
	PUT(u32, ip->a, (u32)(inst->mems[ip->imm]->size_bytes / WE_PAGE_BYTES));
	NEXT(2);
}
OP(MEMORY_GROW) { SLOW(slow_memory_grow); }
OP(MEMORY_INIT) { SLOW(slow_memory_init); }
OP(MEMORY_COPY) { SLOW(slow_memory_copy); }
OP(MEMORY_FILL) { SLOW(slow_memory_fill); }
OP(DATA_DROP) { SLOW(slow_data_drop); }

OP(TABLE_GET) {
	const struct we_table *table = inst->tables[ip->imm];
	const u32 i = GET(u32, ip->b);

	if (UNLIKELY(i >= table->size))
		TRAP(WE_TRAP_TABLE_OUT_OF_BOUNDS);
	PUT(void *, ip->a, table->elems[i]);
	NEXT(2);
}

OP(TABLE_SET) {
	const struct we_table *table = inst->tables[ip->imm];
	const u32 i = GET(u32, ip->a);

	if (UNLIKELY(i >= table->size))
		TRAP(WE_TRAP_TABLE_OUT_OF_BOUNDS);
	table->elems[i] = GET(void *, ip->b);
	NEXT(2);
}

OP(TABLE_SIZE) { PUT(u32, ip->a, (u32)inst->tables[ip->imm]->size); NEXT(2); }
OP(TABLE_GROW) { SLOW(slow_table_grow); }
OP(TABLE_INIT) { SLOW(slow_table_init); }
OP(TABLE_COPY) { SLOW(slow_table_copy); }
OP(TABLE_FILL) { SLOW(slow_table_fill); }
OP(ELEM_DROP) { SLOW(slow_elem_drop); }
OP(REF_FUNC) { PUT(void *, ip->a, inst->funcs[ip->imm]); NEXT(2); }
OP(CLAMP_64) {
	const u64 x = GET(u64, ip->b);

	PUT(u32, ip->a, x > UINT32_MAX ? UINT32_MAX : (u32)x);
	NEXT(2);
}
OP(MEMORY_SIZE_64) {
	PUT(u64, ip->a, inst->mems[ip->imm]->size_bytes / WE_PAGE_BYTES);
	NEXT(2);
}

// ---- references, structures, arrays, exceptions

OP(TRAP_NULL) {
	if (UNLIKELY(GET(u64, ip->a) == 0))
		TRAP(ip->imm);
	NEXT(2);
}
OP(REF_I31) { PUT(u64, ip->a, (u32)(GET(u32, ip->b) << 1 | 1)); NEXT(2); }
OP(I31_GET_S) {
	const u64 x = GET(u64, ip->b);

	if (UNLIKELY(x == 0))
		TRAP(WE_TRAP_NULL_I31_REFERENCE);
	PUT(i32, ip->a, (i32)(u32)x >> 1);
	NEXT(2);
}
OP(I31_GET_U) {
	const u64 x = GET(u64, ip->b);

	if (UNLIKELY(x == 0))
		TRAP(WE_TRAP_NULL_I31_REFERENCE);
	PUT(u32, ip->a, (u32)x >> 1);
	NEXT(2);
}
OP(REF_TEST) {
	PUT(u32, ip->a, we_ref_test(store, GET(u64, ip->b), ip->imm, (const void *)(uintptr_t)ip->x[0]));
	NEXT(3);
}
OP(REF_CAST) {
	if (UNLIKELY(!we_ref_test(store, GET(u64, ip->a), ip->imm, (const void *)(uintptr_t)ip->x[0])))
		TRAP(WE_TRAP_CAST_FAILURE);
	NEXT(3);
}
OP(ANY_CONVERT_EXTERN) { SLOW(we_slow_any_convert_extern); }
OP(EXTERN_CONVERT_ANY) { SLOW(we_slow_extern_convert_any); }

OP(STRUCT_NEW) {
	const struct we_deftype *def = (const struct we_deftype *)(uintptr_t)ip->x[0];
	struct we_heap *heap = store->heap;
	const u64 at = heap->top;

	if (UNLIKELY(at + def->size_bytes > heap->end))
		SLOW(we_slow_struct_new);
	heap->top = at + def->size_bytes;
	we_struct_init(heap, (we_ref)at, def, SLOT(ip->b));
	PUT(u64, ip->a, at);
	NEXT(3);
}
OP(STRUCT_NEW_DEFAULT) { SLOW(we_slow_struct_new_default); }

// The object in the slot, or a trap; p: its first byte.
#define OBJECT(p, slot, null) \
	const u64 ref_ = GET(u64, slot); \
	if (UNLIKELY(ref_ == 0)) TRAP(null); \
	u8 *const p = store->heap->base + ref_
#define STRUCT_GET(NAME, R, M, expr) \
OP(STRUCT_GET_##NAME) { \
	OBJECT(p, ip->b, WE_TRAP_NULL_STRUCT_REFERENCE); \
	M m; \
	memcpy(&m, p + ip->imm, sizeof(M)); \
	PUT(R, ip->a, expr); \
	NEXT(2); \
}
#define STRUCT_SET(NAME, M) \
OP(STRUCT_SET_##NAME) { \
	OBJECT(p, ip->a, WE_TRAP_NULL_STRUCT_REFERENCE); \
	const M m = GET(M, ip->b); \
	memcpy(p + ip->imm, &m, sizeof(M)); \
	NEXT(2); \
}
STRUCT_GET(8_S, i32, i8, m)
STRUCT_GET(8_U, u32, u8, m)
STRUCT_GET(16_S, i32, i16, m)
STRUCT_GET(16_U, u32, u16, m)
STRUCT_GET(32, u64, u32, m)
STRUCT_GET(64, u64, u64, m)
STRUCT_GET(128, u64x2, u64x2, m)
STRUCT_SET(8, u8)
STRUCT_SET(16, u16)
STRUCT_SET(32, u32)
STRUCT_SET(64, u64)
STRUCT_SET(128, u64x2)

// The element in slot i of the array in slot a, or a trap; p: its first byte.
#define ELEMENT(p, a, i, M) \
	OBJECT(array_, a, WE_TRAP_NULL_ARRAY_REFERENCE); \
	const u32 i_ = GET(u32, i); \
	if (UNLIKELY(i_ >= ((const struct we_object *)(void *)array_)->len)) \
		TRAP(WE_TRAP_ARRAY_OUT_OF_BOUNDS); \
	u8 *const p = array_ + WE_OBJECT_HEADER_BYTES + (u64)i_ * sizeof(M)
#define ARRAY_GET(NAME, R, M, expr) \
OP(ARRAY_GET_##NAME) { \
	ELEMENT(p, ip->b, ip->c, M); \
	M m; \
	memcpy(&m, p, sizeof(M)); \
	PUT(R, ip->a, expr); \
	NEXT(2); \
}
#define ARRAY_SET(NAME, M) \
OP(ARRAY_SET_##NAME) { \
	ELEMENT(p, ip->a, ip->b, M); \
	const M m = GET(M, ip->c); \
	memcpy(p, &m, sizeof(M)); \
	NEXT(2); \
}
ARRAY_GET(8_S, i32, i8, m)
ARRAY_GET(8_U, u32, u8, m)
ARRAY_GET(16_S, i32, i16, m)
ARRAY_GET(16_U, u32, u16, m)
ARRAY_GET(32, u64, u32, m)
ARRAY_GET(64, u64, u64, m)
ARRAY_GET(128, u64x2, u64x2, m)
ARRAY_SET(8, u8)
ARRAY_SET(16, u16)
ARRAY_SET(32, u32)
ARRAY_SET(64, u64)
ARRAY_SET(128, u64x2)
OP(ARRAY_LEN) {
	OBJECT(p, ip->b, WE_TRAP_NULL_ARRAY_REFERENCE);
	PUT(u32, ip->a, ((const struct we_object *)(void *)p)->len);
	NEXT(2);
}
OP(ARRAY_NEW) { SLOW(we_slow_array_new); }
OP(ARRAY_NEW_DEFAULT) { SLOW(we_slow_array_new_default); }
OP(ARRAY_NEW_FIXED) { SLOW(we_slow_array_new_fixed); }
OP(ARRAY_NEW_DATA) { SLOW(we_slow_array_new_data); }
OP(ARRAY_NEW_ELEM) { SLOW(we_slow_array_new_elem); }
OP(ARRAY_FILL) { SLOW(we_slow_array_fill); }
OP(ARRAY_COPY) { SLOW(we_slow_array_copy); }
OP(ARRAY_INIT_DATA) { SLOW(we_slow_array_init_data); }
OP(ARRAY_INIT_ELEM) { SLOW(we_slow_array_init_elem); }
OP(THROW) { SLOW(we_slow_throw); }
OP(THROW_REF) { SLOW(we_slow_throw_ref); }

HANDLERS_END
// clang-format on

const uint16_t we_icode_forms[WE_I_N] = {
#define I_NAME(NAME, FORM) [WE_I_##NAME] = WE_FORM_##FORM,
#include "icode.def"
#undef I_NAME
};

// ---- from the host -------------------------------------------------------------------------------

int we_loop_call(struct we_func *func, uint64_t *slots, struct we_error *err)
{
	const struct we_code *code = func->code;
	struct we_store *store = func->store;
	struct we_calls *calls = &store->calls;
	const struct we_calls saved = *calls;
	uint64_t *const base = calls->sp;
	uint64_t *const fp = base + code->room;
	struct we_error local; // an exception is told from other traps by its number
	struct we_regs regs;
	int rc;

	if (err == NULL)
		err = &local;
	if (calls->depth >= calls->max_depth || calls->n_entered >= WE_LIMIT_ENTERED ||
		code->room + code->n_frame > (size_t)(calls->stack_end - base))
		return we_error_trap(err, WE_TRAP_STACK_OVERFLOW,
			code->module->file_offset + code->module->is.funcs[code->func].body.at,
			code->func, NULL);
	for (uint32_t i = 0; i < code->n_param_slots; i++)
		base[i] = slots[i];
	fp[WE_FRAME_RETURN] = (uintptr_t)code->exit;
	fp[WE_FRAME_CALLER] = (uintptr_t)fp;
	fp[WE_FRAME_INSTANCE] = (uintptr_t)func->instance;
	fp[WE_FRAME_CODE] = (uintptr_t)code;
	calls->n_entered++;
	calls->err = err;
	calls->fp = NULL;
	calls->floor = NULL;
	calls->outer = &saved;
	regs = (struct we_regs){
		.ip = (const struct we_iop *)(const void *)code->words,
		.fp = fp,
		.mem = func->instance->mem0->base,
		.mem_size = func->instance->mem0->size_bytes,
		.inst = func->instance,
		.store = store,
		.depth = calls->max_depth - calls->depth - 1,
	};
	rc = run(&regs);
	*calls = saved;
	if (UNLIKELY(rc != 0))
		return rc;
	for (uint32_t i = 0; i < func->type->n_result_slots; i++)
		slots[i] = base[i];
	return 0;
}
