// SPDX-License-Identifier: BSD-3-Clause
// Calls of host functions: at once, later, cancelled, and with bad answers. Spec: CanonicalABI.md "canon lower",
// "Subtask State".
#include "canon_lower.h"
#include "rig.h"
#include "subtask.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

enum {
	EVENT = 64, // where polled events are written
	OUT = 128,  // where results go
	STARTED = 1,
	RETURNED = 2,
	CANCELLED_BEFORE_RETURNED = 4,
};

// A host function that answers at once or defers.
struct host {
	bool defers;
	int rc; // when != 0
	struct cm_val result;
	struct cm_call *call;
	uint32_t n_cancelled;
	uint64_t arg; // bits of the first argument
};

static void cancelled(void *env)
{
	((struct host *)env)->n_cancelled++;
}

static int answer(void *env, struct cm_call *call, const struct cm_val *args, uint32_t n_args,
	struct cm_val *result, struct we_error *err)
{
	struct host *host = env;

	host->call = call;
	if (n_args > 0)
		host->arg = args[0].of.bits;
	if (host->rc < 0)
		return we_error_set(err, host->rc, 0, "the host says no");
	if (host->defers) {
		cm_call_defer(call, cancelled, host);
		return CM_PENDING;
	}
	*result = host->result;
	return host->rc;
}

struct import {
	struct rig *rig;
	struct cm_func func;
	struct cm_lowered lowered;
	const struct cm_builtin *b;
	uint32_t set;
};

static void import(
	struct import *im, struct rig *rig, const char *wit, struct host *host, bool is_async)
{
	uint64_t slots[1];

	*im = (struct import){.rig = rig, .b = rig_builtin(rig, "", true)};
	im->func.type = rig_functype(rig, wit);
	im->func.host = answer;
	im->func.host_env = host;
	im->lowered.inst = rig->inst;
	im->lowered.func = &im->func;
	im->lowered.opts = rig_options(rig, CM_ENCODING_UTF8, is_async);
	cm_functype_flatten(im->func.type, CM_ABI_LOWER, is_async, false, &im->lowered.sig);
	assert_int_equal(rig_call(rig, CM_CANON_WAITABLE_SET_NEW, im->b, slots), 0);
	im->set = (uint32_t)slots[0];
}

static int call(struct import *im, uint64_t *slots)
{
	return cm_canon_lower(&im->lowered, slots, &im->rig->err);
}

static uint32_t op(struct import *im, enum cm_canon canon, uint32_t a, uint32_t b)
{
	uint64_t result = 0;

	if (rig_call3(im->rig, canon, im->b, a, b, 0, &result) != 0)
		fail_msg("%s: %s", cm_canon_name(canon), im->rig->err.msg);
	return (uint32_t)result;
}

static void traps(struct import *im, const char *text, enum cm_canon canon, uint32_t a)
{
	assert_int_equal(rig_call3(im->rig, canon, im->b, a, 0, 0, NULL), WE_E_TRAP);
	assert_string_equal(im->rig->err.msg, text);
}

static uint32_t start_deferred(struct import *im, uint64_t arg)
{
	uint64_t slots[4] = {arg, OUT};

	assert_int_equal(call(im, slots), 0);
	assert_int_equal(slots[0] & 15, STARTED);
	op(im, CM_CANON_WAITABLE_JOIN, (uint32_t)slots[0] >> 4, im->set);
	return (uint32_t)slots[0] >> 4;
}

static void assert_event(struct import *im, uint32_t code, uint32_t idx, uint32_t payload)
{
	assert_int_equal(op(im, CM_CANON_WAITABLE_SET_POLL, im->set, EVENT), code);
	assert_int_equal(rig_u32(im->rig, EVENT), idx);
	assert_int_equal(rig_u32(im->rig, EVENT + 4), payload);
}

static const struct cm_val seven = {.kind = CM_U32, .of.bits = 7};

static void synchronous_call_answers_flat(void **state)
{
	struct host host = {.result = {.kind = CM_U32, .of.bits = 9}};
	struct import im;
	uint64_t slots[2] = {0xffffffff00000005};

	import(&im, *state, "func(x: u32) -> u32", &host, false);
	assert_int_equal(call(&im, slots), 0);
	assert_int_equal(slots[0], 9);
	assert_int_equal(host.arg, 5);
}

static void synchronous_call_answers_through_memory(void **state)
{
	const struct cm_val pair[2] = {
		{.kind = CM_U8, .of.bits = 3}, {.kind = CM_U32, .of.bits = 4}};
	struct host host = {.result = {.kind = CM_TUPLE, .n = 2, .of.elems = pair}};
	struct import im;
	uint64_t slots[2] = {5, OUT};

	import(&im, *state, "func(x: u32) -> tuple<u8, u32>", &host, false);
	assert_int_equal(call(&im, slots), 0);
	assert_int_equal(rig_u32(*state, OUT) & 0xff, 3);
	assert_int_equal(rig_u32(*state, OUT + 4), 4);
}

static void result_pointers_are_checked(void **state)
{
	static const uint32_t bad[] = {
		OUT + 1, OUT + 2, RIG_MEMORY - 4, RIG_MEMORY, UINT32_MAX - 3};
	const struct cm_val pair[2] = {{.kind = CM_U8}, {.kind = CM_U32}};
	struct host host = {.result = {.kind = CM_TUPLE, .n = 2, .of.elems = pair}};
	struct import im;

	import(&im, *state, "func() -> tuple<u8, u32>", &host, false);
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		uint64_t slots[1] = {bad[i]};
		assert_int_equal(call(&im, slots), WE_E_TRAP);
	}
}

static void async_call_that_is_done_at_once_has_no_subtask(void **state)
{
	struct host host = {.result = seven};
	struct import im;
	uint64_t slots[2] = {5, OUT};

	import(&im, *state, "async func(x: u32) -> u32", &host, true);
	assert_int_equal(call(&im, slots), 0);
	assert_int_equal(slots[0], RETURNED);
	assert_int_equal(rig_u32(*state, OUT), 7);
	assert_int_equal(im.rig->store->subtasks.live, 0);
}

static void deferred_call_resolves_into_memory_with_an_event(void **state)
{
	struct host host = {.defers = true};
	struct import im;
	uint32_t idx;

	import(&im, *state, "async func(x: u32) -> u32", &host, true);
	idx = start_deferred(&im, 5);
	assert_int_equal(cm_store_n_deferred(im.rig->store), 1);
	assert_event(&im, CM_EVENT_NONE, 0, 0);
	traps(&im, "cannot drop a subtask which has not yet resolved", CM_CANON_SUBTASK_DROP, idx);
	assert_int_equal(cm_call_resolve(host.call, &seven, &im.rig->err), 0);
	assert_int_equal(cm_store_n_deferred(im.rig->store), 0);
	assert_int_equal(rig_u32(*state, OUT), 7);
	// Resolved, but not told.
	traps(&im, "cannot drop a subtask which has not yet resolved", CM_CANON_SUBTASK_DROP, idx);
	assert_event(&im, CM_EVENT_SUBTASK, idx, RETURNED);
	traps(&im, "subtask already delivered its result", CM_CANON_SUBTASK_CANCEL, idx);
	op(&im, CM_CANON_SUBTASK_DROP, idx, 0);
	assert_int_equal(im.rig->store->subtasks.live, 0);
}

static void deferred_result_may_need_memory_of_host_and_guest(void **state)
{
	struct host host = {.defers = true};
	struct cm_val result = {.kind = CM_STRING};
	struct import im;
	uint64_t slots[1] = {OUT};
	char *text;

	import(&im, *state, "async func() -> string", &host, true);
	assert_int_equal(call(&im, slots), 0);
	text = cm_call_alloc(host.call, 5);
	assert_non_null(text);
	assert_non_null(cm_call_alloc(host.call, 100000));
	assert_null(cm_call_alloc(host.call, SIZE_MAX - 8));
	memcpy(text, "hello", 5);
	result.n = 5;
	result.of.string = text;
	assert_int_equal(cm_call_resolve(host.call, &result, &im.rig->err), 0);
	assert_int_equal(rig_u32(*state, OUT + 4), 5);
	assert_memory_equal(rig_bytes(*state, rig_u32(*state, OUT), 5), "hello", 5);
}

static void cancelled_call_tells_the_host_and_is_over(void **state)
{
	struct host host = {.defers = true};
	struct import im;
	uint32_t idx;

	import(&im, *state, "async func(x: u32) -> u32", &host, true);
	idx = start_deferred(&im, 5);
	assert_int_equal(op(&im, CM_CANON_SUBTASK_CANCEL, idx, 0), CANCELLED_BEFORE_RETURNED);
	assert_int_equal(host.n_cancelled, 1);
	assert_int_equal(cm_store_n_deferred(im.rig->store), 0);
	assert_event(&im, CM_EVENT_NONE, 0, 0);
	traps(&im, "subtask already delivered its result", CM_CANON_SUBTASK_CANCEL, idx);
	op(&im, CM_CANON_SUBTASK_DROP, idx, 0);
}

static void cancel_of_a_resolved_call_answers_that_it_returned(void **state)
{
	struct host host = {.defers = true};
	struct import im;
	uint32_t idx;

	import(&im, *state, "async func(x: u32) -> u32", &host, true);
	idx = start_deferred(&im, 5);
	assert_int_equal(cm_call_resolve(host.call, &seven, &im.rig->err), 0);
	assert_int_equal(op(&im, CM_CANON_SUBTASK_CANCEL, idx, 0), RETURNED);
	assert_int_equal(host.n_cancelled, 0);
	assert_event(&im, CM_EVENT_NONE, 0, 0);
}

static void synchronous_cancel_of_a_subtask_in_a_set_traps(void **state)
{
	struct host host = {.defers = true};
	struct import im;
	uint32_t idx;

	import(&im, *state, "async func(x: u32) -> u32", &host, true);
	idx = start_deferred(&im, 5);
	im.b = rig_builtin(im.rig, "", false);
	traps(&im, "waitable cannot be used synchronously while added to a waitable set",
		CM_CANON_SUBTASK_CANCEL, idx);
}

static void subtask_built_ins_want_a_subtask(void **state)
{
	struct host host = {0};
	struct import im;

	import(&im, *state, "async func(x: u32) -> u32", &host, true);
	traps(&im, "handle index used with the wrong type 1", CM_CANON_SUBTASK_DROP, im.set);
	traps(&im, "handle index used with the wrong type 1", CM_CANON_SUBTASK_CANCEL, im.set);
	traps(&im, "unknown handle index 0", CM_CANON_SUBTASK_DROP, 0);
	traps(&im, "handle index used with the wrong type 1", CM_CANON_WAITABLE_JOIN, im.set);
}

static int call_inside(struct rig *rig, uint64_t *slots, struct we_error *err)
{
	struct import *im = rig->test;

	(void)slots;
	slots[0] = 1;
	return cm_canon_lower(&im->lowered, slots, err);
}

static int never(struct rig *rig, uint64_t *slots, struct we_error *err)
{
	(void)rig;
	(void)slots;
	return we_error_trap(err, WE_TRAP_UNREACHABLE, 0, WE_NO_FUNC, NULL);
}

static void synchronous_call_that_does_not_finish_is_refused_or_traps(void **state)
{
	struct host host = {.defers = true};
	struct import im;
	struct cm_func *func;

	import(&im, *state, "async func() -> u32", &host, false);
	im.rig->test = &im;
	func = rig_async_func(im.rig, "async func() -> u32", call_inside, never);
	assert_int_equal(cm_func_start(func, NULL, 0, NULL, NULL, &im.rig->err), WE_E_UNSUPPORTED);
	assert_string_equal(im.rig->err.msg,
		"synchronous call of an async function that must block inside core code");
	rig_fini(im.rig);
	assert_int_equal(rig_init(*state, NULL), 0);
	import(&im, *state, "async func() -> u32", &host, false);
	im.rig->test = &im;
	func = rig_sync_func(im.rig, "func() -> u32", call_inside);
	assert_int_equal(cm_func_start(func, NULL, 0, NULL, NULL, &im.rig->err), WE_E_TRAP);
	assert_string_equal(im.rig->err.msg, "cannot block a synchronous task before returning");
}

static void synchronous_call_of_an_async_function_that_is_done_goes_on(void **state)
{
	struct host host = {.result = seven};
	struct import im;
	uint64_t slots[1] = {5};

	import(&im, *state, "async func(x: u32) -> u32", &host, false);
	assert_int_equal(call(&im, slots), 0);
	assert_int_equal(slots[0], 7);
}

static void faults_of_the_host_are_the_hosts(void **state)
{
	struct host wrong_type = {.result = {.kind = CM_U64}};
	struct host wrong_bits = {.result = {.kind = CM_U32, .of.bits = UINT64_MAX}};
	struct host pending = {.rc = CM_PENDING};
	struct host trapping = {.rc = WE_E_TRAP};
	struct import im;
	uint64_t slots[2] = {0, OUT};

	import(&im, *state, "func() -> u32", &wrong_type, false);
	assert_int_equal(call(&im, slots), WE_E_HOST);
	import(&im, *state, "func() -> u32", &wrong_bits, false);
	assert_int_equal(call(&im, slots), WE_E_HOST);
	import(&im, *state, "func() -> u32", &pending, false);
	assert_int_equal(call(&im, slots), WE_E_HOST);
	import(&im, *state, "async func() -> u32", &pending, true);
	assert_int_equal(call(&im, slots), WE_E_HOST);
	import(&im, *state, "func() -> u32", &trapping, false);
	assert_int_equal(call(&im, slots), WE_E_TRAP);
}

static void wrong_result_of_a_deferred_call_ends_the_store(void **state)
{
	struct host host = {.defers = true};
	const struct cm_val wrong = {.kind = CM_BOOL};
	struct import im;

	import(&im, *state, "async func(x: u32) -> u32", &host, true);
	start_deferred(&im, 5);
	assert_int_equal(cm_call_resolve(host.call, &wrong, &im.rig->err), WE_E_HOST);
	assert_int_equal(cm_call_resolve(host.call, &seven, &im.rig->err), WE_E_HOST);
	assert_int_equal(cm_store_run(im.rig->store, &im.rig->err), WE_E_HOST);
}

static void limits_of_subtasks_and_handles_exhaust(void **state)
{
	const struct cm_limits limits[] = {{.tasks = 3}, {.handles = 4}};

	(void)state;
	for (size_t i = 0; i < sizeof(limits) / sizeof(limits[0]); i++) {
		struct host host = {.defers = true};
		struct import im;
		struct rig rig;
		uint64_t slots[2] = {5, OUT};

		assert_int_equal(rig_init(&rig, &limits[i]), 0);
		import(&im, &rig, "async func(x: u32) -> u32", &host, true);
		for (int n = 0; n < 3; n++)
			start_deferred(&im, 5);
		assert_int_equal(call(&im, slots), WE_E_EXHAUSTED);
		rig_fini(&rig);
	}
}

static void call_while_the_instance_may_not_be_left_traps(void **state)
{
	struct host host = {.result = seven};
	struct import im;
	uint64_t slots[2] = {5, OUT};

	import(&im, *state, "async func(x: u32) -> u32", &host, true);
	im.rig->inst->may_leave = false;
	assert_int_equal(call(&im, slots), WE_E_TRAP);
	assert_string_equal(im.rig->err.msg, "cannot leave component instance");
	im.rig->inst->may_leave = true;
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, rig_setup, rig_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(synchronous_call_answers_flat),
		TEST(synchronous_call_answers_through_memory),
		TEST(result_pointers_are_checked),
		TEST(async_call_that_is_done_at_once_has_no_subtask),
		TEST(deferred_call_resolves_into_memory_with_an_event),
		TEST(deferred_result_may_need_memory_of_host_and_guest),
		TEST(cancelled_call_tells_the_host_and_is_over),
		TEST(cancel_of_a_resolved_call_answers_that_it_returned),
		TEST(synchronous_cancel_of_a_subtask_in_a_set_traps),
		TEST(subtask_built_ins_want_a_subtask),
		TEST(synchronous_call_that_does_not_finish_is_refused_or_traps),
		TEST(synchronous_call_of_an_async_function_that_is_done_goes_on),
		TEST(faults_of_the_host_are_the_hosts),
		TEST(wrong_result_of_a_deferred_call_ends_the_store),
		TEST(limits_of_subtasks_and_handles_exhaust),
		TEST(call_while_the_instance_may_not_be_left_traps),
	};

	return cmocka_run_group_tests_name("cm_subtask", tests, NULL, NULL);
}
