// SPDX-License-Identifier: BSD-3-Clause
// we_native_call: calls from the host into native code, and from native code to what has none.
//
// Module path 3/6.
#include "enter.h"

#include <assert.h>
#include <stddef.h>
#include <string.h>

#include "backtrace.h"
#include "engine.h"
#include "offsets.h"
#include "thread.h"
#include "tier.h"

#define LIKELY(x) __builtin_expect(!!(x), 1)

#define AT(type, member, offset)                                                                   \
	static_assert(offsetof(struct type, member) == (offset), "offsets.h")
AT(we_store, interrupt, WE_STORE_INTERRUPT);
AT(we_store, entry, WE_STORE_ENTRY);
AT(we_store, n_entries, WE_STORE_N_ENTRIES);
AT(we_store, calls.err, WE_STORE_ERR);
AT(we_store, engine, WE_STORE_ENGINE);
AT(we_store, native.generation, WE_STORE_GENERATION);
AT(we_store, limits.stack_bytes, WE_STORE_STACK_BYTES);
AT(we_store, has_heap_budget, WE_STORE_HAS_HEAP_BUDGET);
AT(we_store, exception, WE_STORE_EXCEPTION);
AT(we_store, native.stack_limit, WE_STORE_STACK_LIMIT);
AT(we_store, native.first_sp, WE_STORE_FIRST_SP);
AT(we_store, native.tid, WE_STORE_TID);
AT(we_store, n_frames, WE_STORE_N_FRAMES);
AT(we_instance, store, WE_INSTANCE_STORE);
AT(we_func, store, WE_FUNC_STORE);
AT(we_func, entry, WE_FUNC_ENTRY);
AT(we_func, enter, WE_FUNC_ENTER);
AT(we_func, direct_end, WE_FUNC_DIRECT_END);
AT(we_func, direct_more, WE_FUNC_DIRECT_MORE);
AT(we_func, direct_result, WE_FUNC_DIRECT_RESULT);
AT(we_engine, native_generation, WE_ENGINE_GENERATION);
AT(we_thread, activation, WE_THREAD_ACTIVATION);
AT(we_thread, stack_high, WE_THREAD_STACK_HIGH);
AT(we_thread, stack_limit, WE_THREAD_STACK_LIMIT);
AT(we_thread, tid, WE_THREAD_TID);
AT(we_activation, outer, WE_ACT_OUTER);
AT(we_activation, func, WE_ACT_FUNC);
AT(we_activation, trap, WE_ACT_TRAP);
AT(we_activation, pc, WE_ACT_PC);
AT(we_activation, fp, WE_ACT_FP);
AT(we_native_regs, ints, WE_REGS_INTS);
AT(we_native_regs, floats, WE_REGS_FLOATS);
static_assert(sizeof(((struct we_store *)NULL)->limits.stack_bytes) == 4 &&
		      sizeof(((struct we_store *)NULL)->n_frames) == 4 &&
		      sizeof(((struct we_store *)NULL)->has_heap_budget) == 1 &&
		      sizeof(((struct we_func *)NULL)->direct_end) == 2 &&
		      sizeof(((struct we_func *)NULL)->direct_more) == 1 &&
		      sizeof(((struct we_func *)NULL)->direct_result) == 1,
	"as enter.S loads them");
static_assert(WE_ABI_INTS == 6, "we_func_call fills all but the context");
static_assert(sizeof(struct we_activation) == WE_ACT_BYTES, "offsets.h");
static_assert(sizeof(struct we_native_regs) == WE_REGS_BYTES, "offsets.h");
static_assert(WE_TRAP_DEADLINE == WE_TRAP_DEADLINE_NUMBER, "offsets.h");
static_assert(WE_ABI_BUF_SLOTS >= 2 * WE_LIMIT_PARAMS && WE_ABI_BUF_SLOTS >= 2 * WE_LIMIT_RESULTS,
	"a parameter or result finds its slot in the buffer");

// ---- from the host ------------------------------------------------------------------------------

// What was thrown has not been caught: the place where it was is noted, and a function that it was inlined in.
static int uncaught(const struct we_func *func, struct we_error *err)
{
	struct we_store *store = func->store;
	const struct we_trap_frame *frame = &store->frames[0];
	const struct we_module *module = func->instance->module;
	const struct we_trap_frame *last = store->n_frames > 0 ? &frame[store->n_frames - 1] : NULL;

	if (last == NULL || last->func != func->idx || last->module != module)
		we_store_add_frame(store, module, func->idx, module->is.funcs[func->idx].body.at);
	return we_error_trap(err, WE_TRAP_UNCAUGHT_EXCEPTION,
		frame->module->file_offset + frame->at, frame->func, NULL);
}

// Guests stay above this: the end of the thread's stack, or of what the store allows.
static uintptr_t stack_limit(const struct we_store *store, uintptr_t sp)
{
	const uintptr_t low = we_thread.stack_limit;
	const uintptr_t most = store->limits.stack_bytes;

	return sp - low > most ? sp - most : low;
}

// Is there room for a guest?
static bool is_on_stack(uintptr_t sp)
{
	return sp - we_thread.stack_limit < we_thread.stack_high - we_thread.stack_limit;
}

// On a stack that somebody has made, of which we know no end?
static bool is_elsewhere(uintptr_t sp)
{
	return sp < we_thread.stack_low || sp >= we_thread.stack_high;
}

// An exception that is under way while the host calls back in: put aside, so that nobody takes it for his own, and
// still a root.
struct aside {
	struct we_cell cell;
	struct we_const_stack root;
};

static void put_aside(struct we_store *store, struct aside *ret)
{
	ret->cell = (struct we_cell){{store->exception, 0}, WE_TRACE_ANY};
	ret->root =
		(struct we_const_stack){.cells = &ret->cell, .n = 1, .outer = store->const_stack};
	store->const_stack = &ret->root;
	store->exception = 0;
}

static void take_back(struct we_store *store, const struct aside *aside, int rc)
{
	store->const_stack = aside->root.outer;
	if (!we_store_has_thrown(store, rc)) // or else that one is under way
		store->exception = aside->cell.slot[0];
}

static int overflow(const struct we_func *func, struct we_error *err)
{
	const struct we_module *module = func->instance->module;

	return we_error_trap(err, WE_TRAP_STACK_OVERFLOW,
		module->file_offset + module->is.funcs[func->idx].body.at, func->idx, NULL);
}

// The store runs in this thread from now on. A thread that interrupts it sees the new number here, or this thread
// sees the interrupt word that it has written before: both have a fence between the two.
static void take_store(struct we_store *store)
{
	if (atomic_load_explicit(&store->native.tid, memory_order_relaxed) == we_thread.tid)
		return;
	atomic_store_explicit(&store->native.tid, we_thread.tid, memory_order_relaxed);
	atomic_thread_fence(memory_order_seq_cst);
}

// Does native code of the store run further out?
static bool is_inside(const struct we_store *store)
{
	const struct we_activation *a = we_thread.activation;

	while (a != NULL && a->func->store != store)
		a = a->outer;
	return a != NULL;
}

// Any call, also one that nests or is the first of the store in this thread.
int we_native_call(struct we_func *func, uint64_t *slots, struct we_error *err)
{
	struct we_store *store = func->store;
	struct we_calls *calls = &store->calls;
	const struct we_calls saved = *calls;
	const uintptr_t sp = (uintptr_t)__builtin_frame_address(0);
	struct we_error local; // an exception is told from other traps by its number
	struct aside aside;
	int rc;

	if (err == NULL)
		err = &local;
	if ((we_thread.tid == WE_THREAD_NEW && we_thread_prepare(NULL) < 0) ||
		we_thread.tid == WE_THREAD_UNFIT || is_elsewhere(sp))
		return store->tier->call(func, slots, err);
	if (calls->n_entered >= WE_LIMIT_ENTERED || !is_on_stack(sp))
		return overflow(func, err);
	take_store(store);
	put_aside(store, &aside);
	calls->n_entered++;
	calls->err = err;
	calls->fp = NULL;
	calls->floor = calls->sp;
	calls->outer = &saved;
	if (!is_inside(store)) {
		store->native.stack_limit = stack_limit(store, sp);
		we_store_look_again(store);
	}
	rc = we_native_enter(func, slots);
	if (rc == 0 && store->exception != 0)
		rc = uncaught(func, err);
	take_back(store, &aside, rc);
	*calls = saved;
	return rc;
}

// While nothing runs in a store, its calls have sp and floor at the bottom of the stack, depth and n_entered 0, and no
// frame. we_func_call changes nothing of that but sp, which a trap or an exception leaves anywhere.
int we_native_first_failed(const struct we_func *func, int rc)
{
	struct we_store *store = func->store;

	store->calls.sp = store->calls.stack;
	if (!we_store_has_thrown(store, rc))
		store->exception = 0; // one that the host has thrown and swallowed before
	we_store_look_again(store);
	we_store_name_func(store, store->calls.err);
	we_store_end(store);
	return rc;
}

int we_native_first_threw(const struct we_func *func)
{
	return we_native_first_failed(func, uncaught(func, func->store->calls.err));
}

noreturn void we_native_landed(void)
{
	we_native_raise_interrupted(we_thread.activation);
}

// ---- from native code to what has none ----------------------------------------------------------

static bool is_float(we_valtype type)
{
	return type == WE_T_F32 || type == WE_T_F64 || type == WE_T_V128;
}

static void take_params(
	const struct we_func *func, const struct we_native_regs *regs, uint64_t *slots)
{
	const struct we_functype *type = func->type;
	const struct we_store *store = func->store;
	uint32_t n_ints = 1; // the context is one
	uint32_t n_floats = 0;
	uint32_t slot = 0;

	for (uint32_t i = 0; i < type->n_params; i++) {
		const we_valtype param = we_functype_params(type)[i];
		const uint32_t n = we_valtype_n_slots(param);
		const uint64_t *from = &store->native.buf[slot];

		if (is_float(param) && n_floats < WE_ABI_FLOATS)
			from = regs->floats[n_floats++];
		else if (!is_float(param) && n_ints < WE_ABI_INTS)
			from = &regs->ints[n_ints++];
		memcpy(slots + slot, from, n * sizeof(*slots));
		if (we_valtype_trace(store->engine, param) == WE_TRACE_ANY)
			slots[slot] = (uint32_t)slots[slot];
		slot += n;
	}
}

static void give_results(struct we_func *func, const uint64_t *slots, struct we_native_regs *regs)
{
	const struct we_functype *type = func->type;
	uint32_t n_ints = 0;
	uint32_t n_floats = 0;
	uint32_t slot = 0;

	for (uint32_t i = 0; i < type->n_results; i++) {
		const we_valtype result = we_functype_results(type)[i];
		const uint32_t n = we_valtype_n_slots(result);
		uint64_t *to = &func->store->native.buf[slot];

		if (is_float(result) && n_floats < WE_ABI_RET_FLOATS)
			to = regs->floats[n_floats++];
		else if (!is_float(result) && n_ints < WE_ABI_RET_INTS)
			to = &regs->ints[n_ints++];
		memcpy(to, slots + slot, n * sizeof(*slots));
		slot += n;
	}
}

static void serve(struct we_func *func, struct we_native_regs *regs, uint64_t *slots)
{
	struct we_store *store = func->store;
	int rc;

	take_params(func, regs, slots);
	store->n_frames = 0; // of a trap that somebody has swallowed
	rc = func->kind == WE_FUNC_HOST ? func->host(func->env, slots, store->calls.err)
					: store->tier->call(func, slots, store->calls.err);
	if (LIKELY(rc >= 0)) {
		store->exception = 0; // if there is one, it was swallowed
		give_results(func, slots, regs);
		return;
	}
	if (!we_store_has_thrown(store, rc))
		we_native_fail(store, rc);
	if (store->n_frames == 0)
		we_native_note_place(store);
}

static __attribute__((noinline)) void serve_many(struct we_func *func, struct we_native_regs *regs)
{
	uint64_t slots[WE_ABI_BUF_SLOTS];

	serve(func, regs, slots);
}

const struct we_store *we_native_generic_call(struct we_func *func, struct we_native_regs *regs)
{
	const struct we_functype *type = func->type;
	uint64_t few[16];

	if ((uintptr_t)__builtin_frame_address(0) < func->store->native.stack_limit)
		we_native_raise(func->store, WE_TRAP_STACK_OVERFLOW, 0);
	if (type->n_param_slots <= 16 && type->n_result_slots <= 16)
		serve(func, regs, few);
	else
		serve_many(func, regs);
	return func->store;
}

// The word may be about an entry that is over.
struct we_store *we_native_due_call(struct we_instance *inst)
{
	struct we_store *store = inst->store;
	uint64_t asked = atomic_load_explicit(&store->interrupt, memory_order_relaxed);

	if (asked != atomic_load_explicit(&store->entry, memory_order_relaxed))
		atomic_compare_exchange_strong_explicit(&store->interrupt, &asked, UINT64_MAX,
			memory_order_relaxed, memory_order_relaxed);
	return store;
}

noreturn void we_native_overdue(struct we_store *store)
{
	we_native_raise(store, WE_TRAP_DEADLINE, 0);
}

// ---- roots --------------------------------------------------------------------------------------

void we_native_visit_roots(struct we_store *store, struct we_root_visitor *v)
{
	for (const struct we_calls *calls = &store->calls; calls != NULL; calls = calls->outer) {
		if (calls->floor != NULL && calls->sp > calls->floor)
			v->visit(v, calls->floor, (size_t)(calls->sp - calls->floor),
				WE_TRACE_EXTERN);
	}
}
