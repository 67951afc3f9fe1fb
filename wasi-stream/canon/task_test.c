// SPDX-License-Identifier: BSD-3-Clause
// Calls of lifted functions: callback codes, events, backpressure, cancellation, re-entrance, misuse of
// task.return. Spec: CanonicalABI.md "Tasks", "canon lift".
#include "rig.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

enum {
	EXIT = 0,
	YIELD = 1,
	WAIT = 2,
	EVENT = 64, // where polled events are written
};
#define BLOCKED 0xffffffffu

// What the guest does and what the host sees of it.
struct story {
	const struct cm_builtin *none;   // for built-ins without type
	const struct cm_builtin *u32;    // task.return of a u32
	const struct cm_builtin *future; // future<u32>
	uint32_t set;
	uint32_t r; // ends of a future
	uint32_t w;
	uint32_t n_callbacks;
	struct cm_event last; // event of the last callback
	uint32_t answer;      // what the core function answers
	uint32_t callback_answer;
	bool returns; // task.return(42) in the core function
	bool cancels; // task.cancel in the callback
	uint32_t value;
	uint32_t n_returned;
	uint32_t n_cancelled;
	uint32_t n_exited;
	struct cm_task *task;
	struct cm_func *func;
	int rc; // of something tried inside
};

static struct story *story_of(struct rig *rig)
{
	return rig->test;
}

static int on_return(void *env, const struct cm_val *result, struct we_error *err)
{
	struct story *s = env;

	(void)err;
	if (!result) {
		s->n_cancelled++;
		return 0;
	}
	s->n_returned++;
	if (result->kind == CM_U32)
		s->value = (uint32_t)result->of.bits;
	return 0;
}

static void on_exited(void *env)
{
	((struct story *)env)->n_exited++;
}

static int builtin(enum cm_canon op, const struct cm_builtin *b, uint32_t x, uint32_t y,
	uint64_t *ret, struct we_error *err)
{
	uint64_t slots[3] = {x, y};
	const int rc = cm_builtin_fn(op)((void *)(uintptr_t)b, slots, err);

	if (ret)
		*ret = slots[0];
	return rc;
}

static int guest_return(struct rig *rig, uint32_t value, struct we_error *err)
{
	return builtin(CM_CANON_TASK_RETURN, story_of(rig)->u32, value, 0, NULL, err);
}

// The core function: returns if the story says so, and answers.
static int start(struct rig *rig, uint64_t *slots, struct we_error *err)
{
	struct story *s = story_of(rig);
	int rc = 0;

	if (s->returns)
		rc = guest_return(rig, 42, err);
	slots[0] = s->answer;
	return rc;
}

static int callback(struct rig *rig, uint64_t *slots, struct we_error *err)
{
	struct story *s = story_of(rig);
	int rc = 0;

	s->n_callbacks++;
	s->last = (struct cm_event){(uint32_t)slots[0], (uint32_t)slots[1], (uint32_t)slots[2]};
	if (s->cancels)
		rc = builtin(CM_CANON_TASK_CANCEL, s->none, 0, 0, NULL, err);
	slots[0] = s->callback_answer;
	return rc;
}

static int return_and_exit(struct rig *rig, uint64_t *slots, struct we_error *err)
{
	struct story *s = story_of(rig);

	s->n_callbacks++;
	s->last = (struct cm_event){(uint32_t)slots[0], (uint32_t)slots[1], (uint32_t)slots[2]};
	slots[0] = EXIT;
	return guest_return(rig, s->n_callbacks, err);
}

static uint64_t outside(
	struct rig *rig, enum cm_canon op, const struct cm_builtin *b, uint32_t x, uint32_t y)
{
	uint64_t result = 0;

	if (builtin(op, b, x, y, &result, &rig->err) != 0)
		fail_msg("%s: %s", cm_canon_name(op), rig->err.msg);
	return result;
}

static struct story begin(struct rig *rig)
{
	struct story s = {.none = rig_builtin(rig, "", true),
		.u32 = rig_builtin(rig, "u32", true),
		.future = rig_builtin(rig, "future<u32>", true)};
	uint64_t ends;

	s.set = (uint32_t)outside(rig, CM_CANON_WAITABLE_SET_NEW, s.none, 0, 0);
	ends = outside(rig, CM_CANON_FUTURE_NEW, s.future, 0, 0);
	s.r = (uint32_t)ends;
	s.w = (uint32_t)(ends >> 32);
	outside(rig, CM_CANON_WAITABLE_JOIN, s.none, s.r, s.set);
	return s;
}

static int call(struct rig *rig, struct story *s, rig_guest_fn fn, rig_guest_fn cb)
{
	const struct cm_on_return ret = {.returned = on_return, .exited = on_exited, .env = s};

	rig->test = s;
	s->func = rig_async_func(rig, "async func() -> u32", fn, cb);
	return cm_func_start(s->func, NULL, 0, &ret, &s->task, &rig->err);
}

static void assert_dead(struct rig *rig, int rc)
{
	struct we_error err;

	assert_int_equal(cm_store_run(rig->store, &err), rc);
	assert_string_equal(err.msg, rig->err.msg);
}

// ---- codes --------------------------------------------------------------------------------------

static void task_that_returns_and_exits_is_over(void **state)
{
	struct rig *rig = *state;
	struct story s = begin(rig);

	s.returns = true;
	s.answer = EXIT;
	assert_int_equal(call(rig, &s, start, callback), 0);
	assert_int_equal(s.n_returned, 1);
	assert_int_equal(s.value, 42);
	assert_int_equal(s.n_exited, 1);
	assert_int_equal(rig->store->tasks.live, 0);
	assert_true(rig->inst->may_enter);
}

static void exit_without_return_traps(void **state)
{
	struct rig *rig = *state;
	struct story s = begin(rig);

	s.answer = EXIT;
	assert_int_equal(call(rig, &s, start, callback), WE_E_TRAP);
	assert_memory_equal(rig->err.msg, "async-lifted export exited without", 34);
	assert_int_equal(s.n_exited, 0);
	assert_dead(rig, WE_E_TRAP);
}

static void unknown_callback_codes_trap(void **state)
{
	(void)state;
	for (uint32_t code = 3; code < 16; code++) {
		struct rig rig;
		struct story s;

		assert_int_equal(rig_init(&rig, NULL), 0);
		s = begin(&rig);
		s.answer = code | s.set << 4;
		assert_int_equal(call(&rig, &s, start, callback), WE_E_TRAP);
		assert_memory_equal(rig.err.msg, "unsupported callback code", 25);
		rig_fini(&rig);
	}
}

static void waiting_for_what_is_no_set_traps(void **state)
{
	struct rig *rig = *state;
	struct story s = begin(rig);

	s.answer = WAIT | s.r << 4;
	assert_int_equal(call(rig, &s, start, callback), WE_E_TRAP);
	assert_memory_equal(rig->err.msg, "handle index used with the wrong type", 37);
}

static void waiting_for_an_unknown_set_traps(void **state)
{
	struct rig *rig = *state;
	struct story s = begin(rig);

	s.answer = WAIT | 0xfffffff0;
	assert_int_equal(call(rig, &s, start, callback), WE_E_TRAP);
	assert_string_equal(rig->err.msg, "unknown handle index 268435455");
}

static void yielded_task_runs_again_with_no_event(void **state)
{
	struct rig *rig = *state;
	struct story s = begin(rig);

	s.answer = YIELD | 0xdead0; // the rest is ignored
	assert_int_equal(call(rig, &s, start, return_and_exit), 0);
	assert_int_equal(s.n_callbacks, 0);
	assert_int_equal(cm_store_run(rig->store, &rig->err), 0);
	assert_int_equal(s.last.code, CM_EVENT_NONE);
	assert_int_equal(s.value, 1);
	assert_int_equal(s.n_exited, 1);
}

static void task_that_yields_for_ever_uses_its_turns_only(void **state)
{
	const struct cm_limits limits = {.turns = 10};
	struct rig rig;
	struct story s;

	(void)state;
	assert_int_equal(rig_init(&rig, &limits), 0);
	s = begin(&rig);
	s.answer = YIELD;
	s.callback_answer = YIELD;
	assert_int_equal(call(&rig, &s, start, callback), 0);
	assert_int_equal(cm_store_run(rig.store, &rig.err), CM_MORE);
	assert_int_equal(s.n_callbacks, 10);
	assert_int_equal(cm_store_run(rig.store, &rig.err), CM_MORE);
	assert_int_equal(s.n_callbacks, 20);
	rig_fini(&rig);
}

static void waiting_task_gets_the_event_of_its_set(void **state)
{
	struct rig *rig = *state;
	struct story s = begin(rig);

	s.answer = WAIT | s.set << 4;
	assert_int_equal(outside(rig, CM_CANON_FUTURE_READ, s.future, s.r, 256), BLOCKED);
	assert_int_equal(call(rig, &s, start, return_and_exit), 0);
	assert_int_equal(cm_store_run(rig->store, &rig->err), 0);
	assert_int_equal(s.n_callbacks, 0);
	assert_int_equal(outside(rig, CM_CANON_FUTURE_WRITE, s.future, s.w, 512), 0);
	assert_int_equal(cm_store_run(rig->store, &rig->err), 0);
	assert_int_equal(s.last.code, CM_EVENT_FUTURE_READ);
	assert_int_equal(s.last.p1, s.r);
	assert_int_equal(s.last.p2, 0);
	assert_int_equal(s.n_exited, 1);
}

static void two_tasks_at_one_set_get_one_event_each(void **state)
{
	struct rig *rig = *state;
	struct story s = begin(rig);
	uint64_t ends = outside(rig, CM_CANON_FUTURE_NEW, s.future, 0, 0);

	s.answer = WAIT | s.set << 4;
	s.callback_answer = WAIT | s.set << 4;
	outside(rig, CM_CANON_WAITABLE_JOIN, s.none, (uint32_t)ends, s.set);
	outside(rig, CM_CANON_FUTURE_READ, s.future, s.r, 256);
	outside(rig, CM_CANON_FUTURE_READ, s.future, (uint32_t)ends, 260);
	assert_int_equal(call(rig, &s, start, return_and_exit), 0);
	assert_int_equal(call(rig, &s, start, return_and_exit), 0);
	outside(rig, CM_CANON_FUTURE_WRITE, s.future, s.w, 512);
	outside(rig, CM_CANON_FUTURE_WRITE, s.future, (uint32_t)(ends >> 32), 512);
	assert_int_equal(cm_store_run(rig->store, &rig->err), 0);
	assert_int_equal(s.n_callbacks, 2);
	assert_int_equal(s.n_exited, 2);
}

static void set_with_a_waiting_task_cannot_be_dropped(void **state)
{
	struct rig *rig = *state;
	struct story s = begin(rig);

	s.answer = WAIT | s.set << 4;
	outside(rig, CM_CANON_WAITABLE_JOIN, s.none, s.r, 0);
	assert_int_equal(call(rig, &s, start, callback), 0);
	assert_int_equal(
		builtin(CM_CANON_WAITABLE_SET_DROP, s.none, s.set, 0, NULL, &rig->err), WE_E_TRAP);
	assert_string_equal(rig->err.msg, "cannot drop waitable set with waiters");
}

static void set_with_a_waitable_cannot_be_dropped(void **state)
{
	struct rig *rig = *state;
	struct story s = begin(rig);

	assert_int_equal(
		builtin(CM_CANON_WAITABLE_SET_DROP, s.none, s.set, 0, NULL, &rig->err), WE_E_TRAP);
	assert_string_equal(rig->err.msg, "cannot drop waitable set with waitables");
}

// An event moves with its waitable from set to set, and a task that no longer has one is not woken.
static void event_follows_its_waitable_to_another_set(void **state)
{
	struct rig *rig = *state;
	struct story s = begin(rig);
	const uint32_t other = (uint32_t)outside(rig, CM_CANON_WAITABLE_SET_NEW, s.none, 0, 0);

	s.answer = WAIT | s.set << 4;
	outside(rig, CM_CANON_FUTURE_READ, s.future, s.r, 256);
	assert_int_equal(call(rig, &s, start, return_and_exit), 0);
	outside(rig, CM_CANON_FUTURE_WRITE, s.future, s.w, 512);
	outside(rig, CM_CANON_WAITABLE_JOIN, s.none, s.r, other);
	assert_int_equal(cm_store_run(rig->store, &rig->err), 0);
	assert_int_equal(s.n_callbacks, 0);
	assert_int_equal(outside(rig, CM_CANON_WAITABLE_SET_POLL, s.none, s.set, EVENT), 0);
	outside(rig, CM_CANON_WAITABLE_JOIN, s.none, s.r, s.set);
	assert_int_equal(cm_store_run(rig->store, &rig->err), 0);
	assert_int_equal(s.n_callbacks, 1);
}

static void polled_event_needs_a_good_place(void **state)
{
	struct rig *rig = *state;
	struct story s = begin(rig);
	static const uint32_t ptrs[] = {2, RIG_MEMORY - 4, RIG_MEMORY, UINT32_MAX - 3};

	for (size_t i = 0; i < sizeof(ptrs) / sizeof(ptrs[0]); i++)
		assert_int_equal(builtin(CM_CANON_WAITABLE_SET_POLL, s.none, s.set, ptrs[i], NULL,
					 &rig->err),
			WE_E_TRAP);
	assert_int_equal(
		outside(rig, CM_CANON_WAITABLE_SET_POLL, s.none, s.set, RIG_MEMORY - 8), 0);
}

// ---- task.return and task.cancel ----------------------------------------------------------------

static int return_twice(struct rig *rig, uint64_t *slots, struct we_error *err)
{
	const int rc = guest_return(rig, 1, err);

	slots[0] = EXIT;
	return rc < 0 ? rc : guest_return(rig, 2, err);
}

static void second_return_traps(void **state)
{
	struct rig *rig = *state;
	struct story s = begin(rig);

	assert_int_equal(call(rig, &s, return_twice, callback), WE_E_TRAP);
	assert_int_equal(s.n_returned, 1);
}

static int return_other_type(struct rig *rig, uint64_t *slots, struct we_error *err)
{
	return builtin(CM_CANON_TASK_RETURN, rig_builtin(rig, "u64", true), (uint32_t)slots[0], 0,
		NULL, err);
}

static int return_other_encoding(struct rig *rig, uint64_t *slots, struct we_error *err)
{
	struct cm_builtin *b = rig_builtin(rig, "u32", true);

	b->opts.encoding = CM_ENCODING_UTF16;
	return builtin(CM_CANON_TASK_RETURN, b, (uint32_t)slots[0], 0, NULL, err);
}

static int cancel_unasked(struct rig *rig, uint64_t *slots, struct we_error *err)
{
	slots[0] = EXIT;
	return builtin(CM_CANON_TASK_CANCEL, story_of(rig)->none, 0, 0, NULL, err);
}

static void return_that_does_not_fit_the_task_traps(void **state)
{
	static const rig_guest_fn guests[] = {
		return_other_type, return_other_encoding, cancel_unasked};

	(void)state;
	for (size_t i = 0; i < sizeof(guests) / sizeof(guests[0]); i++) {
		struct rig rig;
		struct story s;

		assert_int_equal(rig_init(&rig, NULL), 0);
		s = begin(&rig);
		assert_int_equal(call(&rig, &s, guests[i], callback), WE_E_TRAP);
		assert_int_equal(s.n_returned + s.n_cancelled, 0);
		rig_fini(&rig);
	}
}

static int sync_task_return(struct rig *rig, uint64_t *slots, struct we_error *err)
{
	struct story *s = story_of(rig);

	slots[0] = 7;
	s->rc = guest_return(rig, 1, err);
	return s->rc;
}

static void task_return_in_a_synchronous_task_traps(void **state)
{
	struct rig *rig = *state;
	struct story s = begin(rig);
	struct cm_func *func = rig_sync_func(rig, "func() -> u32", sync_task_return);

	rig->test = &s;
	assert_int_equal(cm_func_start(func, NULL, 0, NULL, NULL, &rig->err), WE_E_TRAP);
	assert_memory_equal(rig->err.msg, "task.return or task.cancel called in a task", 43);
}

// ---- synchronous functions ----------------------------------------------------------------------

static int add_one(struct rig *rig, uint64_t *slots, struct we_error *err)
{
	(void)rig;
	(void)err;
	slots[0] = (uint32_t)slots[0] + 1;
	return 0;
}

static int post_return(struct rig *rig, uint64_t *slots, struct we_error *err)
{
	struct story *s = story_of(rig);
	struct we_error inner;

	(void)err;
	s->answer = (uint32_t)slots[0];
	s->rc = builtin(CM_CANON_WAITABLE_SET_NEW, s->none, 0, 0, NULL, &inner);
	return 0;
}

static void synchronous_function_returns_and_frees_by_post_return(void **state)
{
	struct rig *rig = *state;
	struct story s = begin(rig);
	const struct cm_on_return ret = {.returned = on_return, .exited = on_exited, .env = &s};
	struct cm_func *func = rig_sync_func(rig, "func(x: u32) -> u32", add_one);
	const struct cm_val arg = {.kind = CM_U32, .of.bits = 6};

	rig->test = &s;
	func->opts.post_return = rig_guest(rig, post_return, 1, 0);
	assert_int_equal(cm_func_start(func, &arg, 1, &ret, NULL, &rig->err), 0);
	assert_int_equal(s.value, 7);
	assert_int_equal(s.answer, 7);     // post-return gets the same flat result
	assert_int_equal(s.rc, WE_E_TRAP); // and may not leave
	assert_int_equal(s.n_exited, 1);
	assert_true(rig->inst->may_leave && rig->inst->may_enter);
}

static void arguments_of_other_types_leave_the_store_alive(void **state)
{
	struct rig *rig = *state;
	struct cm_func *func = rig_sync_func(rig, "func(x: u8) -> u32", add_one);
	static const struct cm_val args[] = {
		{.kind = CM_U32, .of.bits = 1},
		{.kind = CM_U8, .of.bits = 256},
		{.kind = CM_STRING, .n = 0},
	};
	const struct cm_val good = {.kind = CM_U8, .of.bits = 255};

	for (size_t i = 0; i < sizeof(args) / sizeof(args[0]); i++)
		assert_int_equal(
			cm_func_start(func, &args[i], 1, NULL, NULL, &rig->err), WE_E_INVALID);
	assert_int_equal(cm_func_start(func, NULL, 0, NULL, NULL, &rig->err), WE_E_INVALID);
	assert_int_equal(cm_func_start(func, &good, 1, NULL, NULL, &rig->err), 0);
}

static int trap_in_the_middle(struct rig *rig, uint64_t *slots, struct we_error *err)
{
	(void)rig;
	(void)slots;
	return we_error_trap(err, WE_TRAP_UNREACHABLE, 0, WE_NO_FUNC, NULL);
}

static void trap_kills_the_store_with_its_own_words(void **state)
{
	struct rig *rig = *state;
	struct story s = begin(rig);
	struct cm_func *func = rig_sync_func(rig, "func() -> u32", trap_in_the_middle);
	struct we_error err;

	s.answer = WAIT | s.set << 4;
	assert_int_equal(call(rig, &s, start, callback), 0);
	assert_int_equal(cm_func_start(func, NULL, 0, NULL, NULL, &rig->err), WE_E_TRAP);
	assert_int_equal(rig->err.trap, WE_TRAP_UNREACHABLE);
	assert_int_equal(cm_func_start(func, NULL, 0, NULL, NULL, &err), WE_E_TRAP);
	assert_string_equal(err.msg, rig->err.msg);
	assert_int_equal(cm_task_cancel(s.task, &err), WE_E_TRAP);
	assert_dead(rig, WE_E_TRAP);
}

static int host_says_no(void *env, const struct cm_val *result, struct we_error *err)
{
	(void)env;
	(void)result;
	return we_error_set(err, WE_E_HOST, 0, "no");
}

static void failure_of_the_host_at_the_return_ends_the_store(void **state)
{
	struct rig *rig = *state;
	const struct cm_on_return ret = {.returned = host_says_no};
	struct cm_func *func = rig_sync_func(rig, "func(x: u32) -> u32", add_one);
	const struct cm_val arg = {.kind = CM_U32};

	assert_int_equal(cm_func_start(func, &arg, 1, &ret, NULL, &rig->err), WE_E_HOST);
	assert_dead(rig, WE_E_HOST);
}

// ---- re-entrance --------------------------------------------------------------------------------

static int call_myself(struct rig *rig, uint64_t *slots, struct we_error *err)
{
	(void)slots;
	return cm_func_start(story_of(rig)->func, NULL, 0, NULL, NULL, err);
}

static void host_that_calls_back_into_a_running_instance_traps(void **state)
{
	struct rig *rig = *state;
	struct story s = begin(rig);

	rig->test = &s;
	s.func = rig_sync_func(rig, "func() -> u32", call_myself);
	assert_int_equal(cm_func_start(s.func, NULL, 0, NULL, NULL, &rig->err), WE_E_TRAP);
	assert_string_equal(rig->err.msg, "cannot enter component instance");
}

static int call_another(struct rig *rig, uint64_t *slots, struct we_error *err)
{
	const struct cm_val arg = {.kind = CM_U32, .of.bits = 4};
	const struct cm_on_return ret = {.returned = on_return, .env = rig->test};
	const int rc = cm_func_start(story_of(rig)->func, &arg, 1, &ret, NULL, err);

	slots[0] = story_of(rig)->value * 10;
	return rc;
}

static void host_may_call_another_instance_meanwhile(void **state)
{
	struct rig *rig = *state;
	struct story s = begin(rig);
	struct story outer = {0};
	const struct cm_on_return ret = {.returned = on_return, .env = &outer};
	struct cm_func *func = rig_sync_func(rig, "func() -> u32", call_another);

	rig->test = &s;
	s.func = rig_sync_func(rig, "func(x: u32) -> u32", add_one);
	s.func->inst = rig_instance(rig);
	assert_int_equal(cm_func_start(func, NULL, 0, &ret, NULL, &rig->err), 0);
	assert_int_equal(outer.value, 50);
}

static int run_the_store(struct rig *rig, uint64_t *slots, struct we_error *err)
{
	(void)err;
	slots[0] = 0;
	story_of(rig)->rc = cm_store_run(rig->store, &rig->err);
	return 0;
}

static void store_does_not_run_inside_a_host_function(void **state)
{
	struct rig *rig = *state;
	struct story s = begin(rig);
	struct cm_func *func = rig_sync_func(rig, "func() -> u32", run_the_store);

	rig->test = &s;
	assert_int_equal(cm_func_start(func, NULL, 0, NULL, NULL, &rig->err), 0);
	assert_int_equal(s.rc, WE_E_HOST);
}

// ---- blocking inside core code ------------------------------------------------------------------

static int wait_inside(struct rig *rig, uint64_t *slots, struct we_error *err)
{
	struct story *s = story_of(rig);

	slots[0] = EXIT;
	return builtin(CM_CANON_WAITABLE_SET_WAIT, s->none, s->set, EVENT, &slots[0], err);
}

static void wait_in_a_synchronous_task_that_nothing_can_wake_traps(void **state)
{
	struct rig *rig = *state;
	struct story s = begin(rig);
	struct cm_func *func = rig_sync_func(rig, "func() -> u32", wait_inside);

	rig->test = &s;
	assert_int_equal(cm_func_start(func, NULL, 0, NULL, NULL, &rig->err), WE_E_TRAP);
	assert_string_equal(rig->err.msg, "cannot block a synchronous task before returning");
}

static void wait_in_a_synchronous_task_beside_a_ready_one_is_refused(void **state)
{
	struct rig *rig = *state;
	struct story s = begin(rig);
	struct cm_func *func = rig_sync_func(rig, "func() -> u32", wait_inside);

	s.answer = YIELD;
	assert_int_equal(call(rig, &s, start, callback), 0);
	assert_int_equal(cm_func_start(func, NULL, 0, NULL, NULL, &rig->err), WE_E_UNSUPPORTED);
	assert_string_equal(rig->err.msg, "waitable-set.wait that must block inside core code");
}

static void wait_in_an_async_task_without_event_is_refused(void **state)
{
	struct rig *rig = *state;
	struct story s = begin(rig);

	assert_int_equal(call(rig, &s, wait_inside, callback), WE_E_UNSUPPORTED);
	assert_dead(rig, WE_E_UNSUPPORTED);
}

static int wait_then_return(struct rig *rig, uint64_t *slots, struct we_error *err)
{
	const int rc = wait_inside(rig, slots, err);
	const uint32_t code = (uint32_t)slots[0];

	slots[0] = EXIT;
	return rc < 0 ? rc : guest_return(rig, code, err);
}

static void wait_with_an_event_goes_on(void **state)
{
	struct rig *rig = *state;
	struct story s = begin(rig);

	outside(rig, CM_CANON_FUTURE_READ, s.future, s.r, 256);
	outside(rig, CM_CANON_FUTURE_WRITE, s.future, s.w, 512);
	assert_int_equal(call(rig, &s, wait_then_return, callback), 0);
	assert_int_equal(s.value, CM_EVENT_FUTURE_READ);
	assert_int_equal(rig_u32(rig, EVENT), s.r);
}

// ---- backpressure -------------------------------------------------------------------------------

static void task_waits_for_backpressure_to_end(void **state)
{
	struct rig *rig = *state;
	struct story s = begin(rig);

	s.returns = true;
	outside(rig, CM_CANON_BACKPRESSURE_INC, s.none, 0, 0);
	outside(rig, CM_CANON_BACKPRESSURE_INC, s.none, 0, 0);
	assert_int_equal(call(rig, &s, start, callback), 0);
	assert_int_equal(call(rig, &s, start, callback), 0);
	outside(rig, CM_CANON_BACKPRESSURE_DEC, s.none, 0, 0);
	assert_int_equal(cm_store_run(rig->store, &rig->err), 0);
	assert_int_equal(s.n_returned, 0);
	outside(rig, CM_CANON_BACKPRESSURE_DEC, s.none, 0, 0);
	outside(rig, CM_CANON_BACKPRESSURE_INC, s.none, 0, 0); // it comes back before anybody ran
	assert_int_equal(cm_store_run(rig->store, &rig->err), 0);
	assert_int_equal(s.n_returned, 0);
	outside(rig, CM_CANON_BACKPRESSURE_DEC, s.none, 0, 0);
	assert_int_equal(cm_store_run(rig->store, &rig->err), 0);
	assert_int_equal(s.n_returned, 2);
	assert_int_equal(s.n_exited, 2);
}

static int keep_text(struct rig *rig, uint64_t *slots, struct we_error *err)
{
	const uint32_t ptr = (uint32_t)slots[0];
	const uint32_t len = (uint32_t)slots[1];

	(void)err;
	memcpy(rig_bytes(rig, 0, len), rig_bytes(rig, ptr, len), len);
	slots[0] = EXIT;
	return guest_return(rig, len, err);
}

static void arguments_are_kept_while_a_task_waits_to_enter(void **state)
{
	struct rig *rig = *state;
	struct story s = begin(rig);
	const struct cm_on_return ret = {.returned = on_return, .env = &s};
	struct cm_func *func =
		rig_async_func(rig, "async func(x: string) -> u32", keep_text, callback);
	char text[] = "kept";
	const struct cm_val string = {.kind = CM_STRING, .n = 4, .of.string = text};

	rig->test = &s;
	outside(rig, CM_CANON_BACKPRESSURE_INC, s.none, 0, 0);
	assert_int_equal(cm_func_start(func, &string, 1, &ret, NULL, &rig->err), 0);
	memset(text, 'x', 4);
	outside(rig, CM_CANON_BACKPRESSURE_DEC, s.none, 0, 0);
	assert_int_equal(cm_store_run(rig->store, &rig->err), 0);
	assert_int_equal(s.value, 4);
	assert_memory_equal(rig_bytes(rig, 0, 4), "kept", 4);
}

static void backpressure_out_of_range_traps(void **state)
{
	struct rig *rig = *state;
	struct story s = begin(rig);

	assert_int_equal(
		builtin(CM_CANON_BACKPRESSURE_DEC, s.none, 0, 0, NULL, &rig->err), WE_E_TRAP);
	for (uint32_t i = 0; i < 65535; i++)
		outside(rig, CM_CANON_BACKPRESSURE_INC, s.none, 0, 0);
	assert_int_equal(
		builtin(CM_CANON_BACKPRESSURE_INC, s.none, 0, 0, NULL, &rig->err), WE_E_TRAP);
}

static void synchronous_function_ignores_backpressure(void **state)
{
	struct rig *rig = *state;
	struct story s = begin(rig);
	struct cm_func *func = rig_sync_func(rig, "func(x: u32) -> u32", add_one);
	const struct cm_on_return ret = {.returned = on_return, .env = &s};
	const struct cm_val arg = {.kind = CM_U32, .of.bits = 1};

	outside(rig, CM_CANON_BACKPRESSURE_INC, s.none, 0, 0);
	assert_int_equal(cm_func_start(func, &arg, 1, &ret, NULL, &rig->err), 0);
	assert_int_equal(s.value, 2);
}

// ---- cancellation -------------------------------------------------------------------------------

static void cancel_before_the_start_never_calls_the_guest(void **state)
{
	struct rig *rig = *state;
	struct story s = begin(rig);

	outside(rig, CM_CANON_BACKPRESSURE_INC, s.none, 0, 0);
	assert_int_equal(call(rig, &s, trap_in_the_middle, callback), 0);
	assert_int_equal(cm_task_cancel(s.task, &rig->err), 0);
	assert_int_equal(s.n_cancelled, 1);
	assert_int_equal(s.n_exited, 1);
	outside(rig, CM_CANON_BACKPRESSURE_DEC, s.none, 0, 0);
	assert_int_equal(cm_store_run(rig->store, &rig->err), 0);
	assert_int_equal(rig->store->tasks.live, 0);
}

static void cancel_wakes_a_waiting_task_that_cancels(void **state)
{
	struct rig *rig = *state;
	struct story s = begin(rig);

	s.answer = WAIT | s.set << 4;
	s.cancels = true;
	assert_int_equal(call(rig, &s, start, callback), 0);
	assert_int_equal(cm_task_cancel(s.task, &rig->err), 0);
	assert_int_equal(s.last.code, CM_EVENT_TASK_CANCELLED);
	assert_int_equal(s.n_cancelled, 1);
	assert_int_equal(s.n_exited, 1);
	outside(rig, CM_CANON_WAITABLE_JOIN, s.none, s.r, 0);
	outside(rig, CM_CANON_WAITABLE_SET_DROP, s.none, s.set, 0); // nobody waits there any more
}

static void cancel_wakes_a_yielded_task_that_returns_all_the_same(void **state)
{
	struct rig *rig = *state;
	struct story s = begin(rig);

	s.answer = YIELD;
	assert_int_equal(call(rig, &s, start, return_and_exit), 0);
	assert_int_equal(cm_task_cancel(s.task, &rig->err), 0);
	assert_int_equal(s.last.code, CM_EVENT_TASK_CANCELLED);
	assert_int_equal(s.n_returned, 1);
	assert_int_equal(s.n_cancelled, 0);
	assert_int_equal(cm_store_run(rig->store, &rig->err), 0);
	assert_int_equal(s.n_callbacks, 1);
}

static void second_cancel_does_nothing(void **state)
{
	struct rig *rig = *state;
	struct story s = begin(rig);

	s.answer = WAIT | s.set << 4;
	s.callback_answer = s.answer;
	assert_int_equal(call(rig, &s, start, callback), 0);
	assert_int_equal(cm_task_cancel(s.task, &rig->err), 0);
	assert_int_equal(cm_task_cancel(s.task, &rig->err), 0);
	assert_int_equal(s.n_callbacks, 1);
}

static void cancel_of_a_resolved_task_does_nothing(void **state)
{
	struct rig *rig = *state;
	struct story s = begin(rig);

	s.returns = true;
	s.answer = WAIT | s.set << 4;
	assert_int_equal(call(rig, &s, start, callback), 0);
	assert_int_equal(s.n_returned, 1);
	assert_int_equal(s.n_exited, 0);
	assert_int_equal(cm_task_cancel(s.task, &rig->err), 0);
	assert_int_equal(s.n_callbacks, 0);
}

static int cancel_me_then_yield(struct rig *rig, uint64_t *slots, struct we_error *err)
{
	struct story *s = story_of(rig);

	slots[0] = s->answer;
	return cm_task_cancel(rig->store->current, err);
}

static void cancel_of_a_running_task_is_its_next_event(void **state)
{
	struct rig *rig = *state;
	struct story s = begin(rig);

	s.answer = WAIT | s.set << 4;
	s.cancels = true;
	assert_int_equal(call(rig, &s, cancel_me_then_yield, callback), 0);
	assert_int_equal(s.last.code, CM_EVENT_TASK_CANCELLED);
	assert_int_equal(s.n_cancelled, 1);
	assert_int_equal(s.n_exited, 1);
}

static int cancel_me_then_look(struct rig *rig, uint64_t *slots, struct we_error *err)
{
	struct story *s = story_of(rig);
	struct cm_builtin cancellable = *s->none;
	int rc = cm_task_cancel(rig->store->current, err);

	cancellable.is_cancellable = true;
	if (rc == 0) // not cancellable: not told
		rc = builtin(CM_CANON_THREAD_YIELD, s->none, 0, 0, &slots[0], err);
	assert_int_equal(slots[0], 0);
	if (rc == 0)
		rc = builtin(
			CM_CANON_WAITABLE_SET_POLL, &cancellable, s->set, EVENT, &slots[0], err);
	assert_int_equal(slots[0], CM_EVENT_TASK_CANCELLED);
	if (rc == 0)
		rc = builtin(CM_CANON_TASK_CANCEL, s->none, 0, 0, NULL, err);
	slots[0] = EXIT;
	return rc;
}

static void cancellable_poll_tells_of_the_cancellation(void **state)
{
	struct rig *rig = *state;
	struct story s = begin(rig);

	assert_int_equal(call(rig, &s, cancel_me_then_look, callback), 0);
	assert_int_equal(s.n_cancelled, 1);
}

// ---- context, limits ----------------------------------------------------------------------------

static int look_at_context(struct rig *rig, uint64_t *slots, struct we_error *err)
{
	struct story *s = story_of(rig);

	(void)err;
	slots[0] = 0;
	outside(rig, CM_CANON_CONTEXT_GET, s->none, 0, 0);
	s->n_callbacks += (uint32_t)outside(rig, CM_CANON_CONTEXT_GET, s->none, 0, 0);
	return 0;
}

static int use_context(struct rig *rig, uint64_t *slots, struct we_error *err)
{
	struct story *s = story_of(rig);
	uint32_t ptr;
	const struct cm_cx cx = {.inst = rig->inst, .opts = &s->none->opts};

	outside(rig, CM_CANON_CONTEXT_SET, s->none, 17, 0);
	rig->in_realloc = look_at_context; // has a task of its own, with a context of its own
	if (cm_cx_allocate(&cx, 1, 1, &ptr, err) < 0)
		return WE_E_TRAP;
	s->answer = (uint32_t)outside(rig, CM_CANON_CONTEXT_GET, s->none, 0, 0);
	slots[0] = EXIT;
	return guest_return(rig, s->answer, err);
}

static void context_belongs_to_the_task(void **state)
{
	struct rig *rig = *state;
	struct story s = begin(rig);

	assert_int_equal(call(rig, &s, use_context, callback), 0);
	assert_int_equal(s.value, 17);
	assert_int_equal(s.n_callbacks, 0);
}

static void tasks_beyond_the_limit_exhaust(void **state)
{
	const struct cm_limits limits = {.tasks = 2};
	struct rig rig;
	struct story s;

	(void)state;
	assert_int_equal(rig_init(&rig, &limits), 0);
	s = begin(&rig);
	s.answer = WAIT | s.set << 4;
	assert_int_equal(call(&rig, &s, start, callback), 0);
	assert_int_equal(call(&rig, &s, start, callback), 0);
	assert_int_equal(call(&rig, &s, start, callback), WE_E_EXHAUSTED);
	assert_dead(&rig, WE_E_EXHAUSTED);
	rig_fini(&rig);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, rig_setup, rig_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(task_that_returns_and_exits_is_over),
		TEST(exit_without_return_traps),
		TEST(unknown_callback_codes_trap),
		TEST(waiting_for_what_is_no_set_traps),
		TEST(waiting_for_an_unknown_set_traps),
		TEST(yielded_task_runs_again_with_no_event),
		TEST(task_that_yields_for_ever_uses_its_turns_only),
		TEST(waiting_task_gets_the_event_of_its_set),
		TEST(two_tasks_at_one_set_get_one_event_each),
		TEST(set_with_a_waiting_task_cannot_be_dropped),
		TEST(set_with_a_waitable_cannot_be_dropped),
		TEST(event_follows_its_waitable_to_another_set),
		TEST(polled_event_needs_a_good_place),
		TEST(second_return_traps),
		TEST(return_that_does_not_fit_the_task_traps),
		TEST(task_return_in_a_synchronous_task_traps),
		TEST(synchronous_function_returns_and_frees_by_post_return),
		TEST(arguments_of_other_types_leave_the_store_alive),
		TEST(trap_kills_the_store_with_its_own_words),
		TEST(failure_of_the_host_at_the_return_ends_the_store),
		TEST(host_that_calls_back_into_a_running_instance_traps),
		TEST(host_may_call_another_instance_meanwhile),
		TEST(store_does_not_run_inside_a_host_function),
		TEST(wait_in_a_synchronous_task_that_nothing_can_wake_traps),
		TEST(wait_in_a_synchronous_task_beside_a_ready_one_is_refused),
		TEST(wait_in_an_async_task_without_event_is_refused),
		TEST(wait_with_an_event_goes_on),
		TEST(task_waits_for_backpressure_to_end),
		TEST(arguments_are_kept_while_a_task_waits_to_enter),
		TEST(backpressure_out_of_range_traps),
		TEST(synchronous_function_ignores_backpressure),
		TEST(cancel_before_the_start_never_calls_the_guest),
		TEST(cancel_wakes_a_waiting_task_that_cancels),
		TEST(cancel_wakes_a_yielded_task_that_returns_all_the_same),
		TEST(second_cancel_does_nothing),
		TEST(cancel_of_a_resolved_task_does_nothing),
		TEST(cancel_of_a_running_task_is_its_next_event),
		TEST(cancellable_poll_tells_of_the_cancellation),
		TEST(context_belongs_to_the_task),
		TEST(tasks_beyond_the_limit_exhaust),
	};

	return cmocka_run_group_tests_name("cm_task", tests, NULL, NULL);
}
