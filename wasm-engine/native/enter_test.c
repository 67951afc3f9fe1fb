// SPDX-License-Identifier: BSD-3-Clause
// Tests of calls into native code and out of it, with code by hand.
#include "aggregate.h"
#include "test_rig.h"

static void call_of_native_function_returns_its_result(void **state)
{
	assert_int_equal((uint32_t)rig_ask(*state, TEST_TWICE, 21), 42);
}

static void results_come_from_all_registers_and_the_buffer(void **state)
{
	uint64_t slots[17];
	float f7;

	for (uint64_t i = 0; i < 17; i++)
		slots[i] = 0x1111111111111111 * (i + 1) % 0xfedcba9876543211;
	f7 = 1.5f;
	memcpy(&slots[6], &f7, sizeof(f7));
	{
		const uint64_t expected[] = {slots[1], slots[7], slots[5], slots[15], slots[16],
			(uint32_t)slots[0], slots[4], (uint32_t)slots[6]};

		assert_int_equal(rig_call(*state, TEST_MANY, slots), 0);
		slots[5] = (uint32_t)slots[5];
		slots[7] = (uint32_t)slots[7];
		assert_memory_equal(slots, expected, sizeof(expected));
	}
}

static int twice_the_argument(struct rig *rig, uint64_t *slots, struct we_error *err)
{
	(void)rig;
	(void)err;
	slots[0] *= 2;
	return 0;
}

static void host_function_is_called_directly_and_by_reference(void **state)
{
	struct rig *rig = *state;

	rig->host = twice_the_argument;
	assert_int_equal(rig_ask(rig, TEST_HOST, 4), 8);
	assert_int_equal(rig_ask(rig, TEST_BYREF, 5), 10);
	assert_int_equal(rig->n_host, 2);
}

static void function_without_native_code_runs_in_the_interpreter(void **state)
{
	struct rig *rig = *state;

	rig->host = twice_the_argument;
	assert_int_equal(rig_ask(rig, TEST_PLAIN, 4), 9);
	assert_int_equal(rig_ask(rig, TEST_CALL_PLAIN, 4), 109);
}

// ---- traps --------------------------------------------------------------------------------------

struct place {
	enum test_func func;
	uint32_t at; // bytes from the start of its body
};

// The last failure is the trap, and its frames are these.
static void expect_trap(
	const struct rig *rig, enum we_trap trap, const struct place *places, uint32_t n)
{
	struct we_frame frames[WE_BACKTRACE_FRAMES];

	assert_string_equal(we_trap_text((enum we_trap)rig->g.err.trap), we_trap_text(trap));
	assert_int_equal(we_store_backtrace(rig->g.store, frames, WE_BACKTRACE_FRAMES), n);
	for (uint32_t i = 0; i < n; i++) {
		assert_int_equal(frames[i].func, TEST_IMPORTS + places[i].func);
		assert_int_equal(
			frames[i].offset, test_body(rig->module, places[i].func) + places[i].at);
	}
	assert_int_equal(rig->g.err.func, frames[0].func);
	assert_int_equal(rig->g.err.offset, frames[0].offset);
	assert_ptr_equal(we_thread.activation, NULL);
	assert_ptr_equal(rig->g.store->calls.sp, rig->g.store->calls.stack);
	assert_int_equal(rig->g.store->calls.n_entered, 0);
}

static void load_out_of_bounds_traps_at_its_place(void **state)
{
	struct rig *rig = *state;
	uint64_t slots[1] = {65536 - 3};
	const struct place places[] = {{TEST_LOAD, 3}};

	assert_int_equal((uint32_t)rig_ask(rig, TEST_LOAD, 65536 - 4), 0);
	assert_int_equal(rig_call(rig, TEST_LOAD, slots), WE_E_TRAP);
	expect_trap(rig, WE_TRAP_MEMORY_OUT_OF_BOUNDS, places, 1);
	slots[0] = UINT32_MAX;
	assert_int_equal(rig_call(rig, TEST_LOAD, slots), WE_E_TRAP);
	assert_int_equal((uint32_t)rig_ask(rig, TEST_TWICE, 4), 8);
}

static void what_was_stored_before_a_trap_stays(void **state)
{
	struct rig *rig = *state;
	uint64_t slots[1] = {1u << 31};
	const struct place places[] = {{TEST_LOAD, 3}, {TEST_OUTER, 5}};

	assert_int_equal(rig_call(rig, TEST_OUTER, slots), WE_E_TRAP);
	expect_trap(rig, WE_TRAP_MEMORY_OUT_OF_BOUNDS, places, 2);
	assert_int_equal(rig->inst->mem0->base[0], 7);
}

static void trap_in_an_inlined_body_names_both_functions(void **state)
{
	struct rig *rig = *state;
	uint64_t slots[1] = {1u << 31};
	const struct place places[] = {{TEST_LOAD, 2}, {TEST_INLINED, 0}};

	assert_int_equal(rig_call(rig, TEST_INLINED, slots), WE_E_TRAP);
	expect_trap(rig, WE_TRAP_MEMORY_OUT_OF_BOUNDS, places, 2);
}

static void explicit_trap_names_its_instruction(void **state)
{
	struct rig *rig = *state;
	const struct place places[] = {{TEST_TRAP, 3}};

	assert_int_equal(rig_call(rig, TEST_TRAP, NULL), WE_E_TRAP);
	expect_trap(rig, WE_TRAP_UNREACHABLE, places, 1);
}

static void endless_recursion_is_a_stack_overflow(void **state)
{
	struct rig *rig = *state;
	uint64_t slots[1] = {UINT32_MAX};

	assert_int_equal((uint32_t)rig_ask(rig, TEST_RECURSE, 10000), 5);
	assert_int_equal(rig_call(rig, TEST_RECURSE, slots), WE_E_EXHAUSTED);
	assert_int_equal(rig->g.err.trap, WE_TRAP_STACK_OVERFLOW);
	assert_int_equal(we_store_backtrace(rig->g.store, NULL, 0), 0);
	assert_int_equal(rig->g.store->n_frames, WE_BACKTRACE_FRAMES);
	assert_int_equal((uint32_t)rig_ask(rig, TEST_RECURSE, 10000), 5);
}

// How far down a guest gets that is called from bytes below here.
static __attribute__((noinline)) uintptr_t limit_below(struct rig *rig, size_t bytes)
{
	volatile char *room = __builtin_alloca(bytes);

	room[0] = 0;
	assert_int_equal((uint32_t)rig_ask(rig, TEST_RECURSE, 1), 5);
	room[bytes - 1] = 0;
	return rig->g.store->native.stack_limit;
}

static void guest_gets_its_stack_wherever_it_is_called_from(void **state)
{
	struct rig *rig = *state;
	uintptr_t near[3];
	uintptr_t far[3];

	for (size_t i = 0; i < 3; i++) {
		near[i] = limit_below(rig, 64);
		far[i] = limit_below(rig, 128 * 1024);
	}
	assert_in_range(near[0] - far[0], 127 * 1024, 129 * 1024);
	for (size_t i = 1; i < 3; i++) { // the first call of a store goes another way
		assert_in_range(near[i] - near[0] + 1024, 0, 2048);
		assert_int_equal(near[1], near[i]);
		assert_int_equal(far[1], far[i]);
	}
}

static int expect_an_error(struct rig *rig, uint64_t *slots, struct we_error *err)
{
	(void)rig;
	(void)slots;
	assert_non_null(err);
	return we_error_set(err, WE_E_HOST, 0, "no");
}

static __attribute__((noinline)) void call_without_error_below(struct rig *rig, size_t bytes)
{
	struct we_func *func = guest_export(rig->inst, "h").of.func;
	volatile char *room = __builtin_alloca(bytes);
	uint64_t slots[1] = {1};

	room[0] = 0;
	assert_int_equal(we_func_call(func, slots, NULL), WE_E_HOST);
	room[bytes - 1] = 0;
}

static void host_is_given_an_error_by_a_call_without_one(void **state)
{
	struct rig *rig = *state;

	rig->host = NULL;
	assert_int_equal(rig_ask(rig, TEST_HOST, 3), 3); // the thread and the store are ready
	rig->host = expect_an_error;
	call_without_error_below(rig, 64);
	call_without_error_below(rig, 32 * 1024);
	call_without_error_below(rig, 64);
}

static int load_far(struct rig *rig, uint64_t *slots, struct we_error *err)
{
	struct we_extern ext = guest_export(rig->inst, "d"); // outer

	slots[0] = 1u << 31;
	return we_func_call(ext.of.func, slots, err);
}

static void backtrace_goes_through_the_host(void **state)
{
	struct rig *rig = *state;
	uint64_t slots[1] = {0};
	const struct place direct[] = {{TEST_LOAD, 3}, {TEST_OUTER, 5}, {TEST_HOST, 4}};
	const struct place by_ref[] = {{TEST_LOAD, 3}, {TEST_OUTER, 5}, {TEST_BYREF, 1}};
	const struct place plain[] = {
		{TEST_LOAD, 3}, {TEST_OUTER, 5}, {TEST_PLAIN, 2}, {TEST_CALL_PLAIN, 2}};

	rig->host = load_far;
	assert_int_equal(rig_call(rig, TEST_HOST, slots), WE_E_TRAP);
	expect_trap(rig, WE_TRAP_MEMORY_OUT_OF_BOUNDS, direct, 3);
	assert_int_equal(rig_call(rig, TEST_BYREF, slots), WE_E_TRAP);
	expect_trap(rig, WE_TRAP_MEMORY_OUT_OF_BOUNDS, by_ref, 3);
	assert_int_equal(rig_call(rig, TEST_CALL_PLAIN, slots), WE_E_TRAP);
	expect_trap(rig, WE_TRAP_MEMORY_OUT_OF_BOUNDS, plain, 4);
}

static int swallow(struct rig *rig, uint64_t *slots, struct we_error *err)
{
	uint64_t far[1] = {1u << 31};

	(void)err;
	assert_int_equal(we_func_call(guest_export(rig->inst, "d").of.func, far, NULL), WE_E_TRAP);
	slots[0]++;
	return 0;
}

static void trap_that_the_host_swallows_is_over(void **state)
{
	struct rig *rig = *state;
	uint64_t slots[1] = {1u << 31};
	const struct place places[] = {{TEST_LOAD, 3}};

	rig->host = swallow;
	assert_int_equal(rig_ask(rig, TEST_HOST, 3), 4);
	assert_int_equal(rig_ask(rig, TEST_BYREF, 3), 4);
	assert_int_equal(rig_call(rig, TEST_LOAD, slots), WE_E_TRAP);
	expect_trap(rig, WE_TRAP_MEMORY_OUT_OF_BOUNDS, places, 1);
}

static int throw_below(struct rig *rig, uint64_t *slots, struct we_error *err);
static uint64_t make_exception(struct rig *rig, uint64_t arg);

// Calls that come from one place of the stack go a short way: nothing of one is in the next.
static void calls_from_one_place_do_not_see_each_other(void **state)
{
	struct rig *rig = *state;
	const struct place load[] = {{TEST_LOAD, 3}};
	const struct place thrown[] = {{TEST_THROW, 6}};
	static const struct {
		enum test_func func;
		uint64_t arg;
		int (*host)(struct rig *rig, uint64_t *slots, struct we_error *err);
		int rc;
	} calls[] = {
		{TEST_TWICE, 1, NULL, 0},
		{TEST_TWICE, 2, NULL, 0},
		{TEST_LOAD, 1u << 31, NULL, WE_E_TRAP},
		{TEST_THROW, 0, NULL, WE_E_TRAP},
		{TEST_TWICE, 3, NULL, 0},
		{TEST_TWICE, 4, NULL, 0},
		{TEST_HOST, 5, swallow, 0},
		{TEST_LOAD, 1u << 31, NULL, WE_E_TRAP},
		{TEST_TWICE, 6, NULL, 0},
		{TEST_BYREF, 7, swallow, 0},
		{TEST_THROW, 0, NULL, WE_E_TRAP},
		{TEST_TWICE, 8, NULL, 0},
		{TEST_HOST, 9, throw_below, 0},
		{TEST_THROW, 0, NULL, WE_E_TRAP},
		{TEST_TWICE, 10, NULL, 0},
	};

	for (size_t i = 0; i < sizeof(calls) / sizeof(*calls); i++) {
		uint64_t slots[1] = {calls[i].arg};

		rig->host = calls[i].host;
		if (calls[i].func == TEST_THROW)
			slots[0] = make_exception(rig, i);
		assert_int_equal(rig_call(rig, calls[i].func, slots), calls[i].rc);
		if (calls[i].func == TEST_THROW)
			expect_trap(rig, WE_TRAP_UNCAUGHT_EXCEPTION, thrown, 1);
		if (calls[i].func == TEST_LOAD)
			expect_trap(rig, WE_TRAP_MEMORY_OUT_OF_BOUNDS, load, 1);
		if (calls[i].func == TEST_TWICE)
			assert_int_equal((uint32_t)slots[0], 2 * calls[i].arg);
		if (i == 1) // they have gone that way
			assert_int_not_equal(rig->g.store->native.first_sp, 0);
	}
}

static int expect_no_short_way(struct rig *rig, uint64_t *slots, struct we_error *err)
{
	assert_int_equal(rig->g.store->native.first_sp, 0);
	slots[0] = 4;
	return we_func_call(guest_export(rig->inst, "a").of.func, slots, err);
}

// A call back may come from the same place as one before.
static void call_back_is_never_taken_for_a_first_call(void **state)
{
	struct rig *rig = *state;

	for (unsigned i = 0; i < 3; i++)
		assert_int_equal((uint32_t)rig_ask(rig, TEST_TWICE, i), 2 * i);
	rig->host = expect_no_short_way;
	assert_int_equal((uint32_t)rig_ask(rig, TEST_PLAIN, 1), 9); // begun in the interpreter
}

static int refuse(struct rig *rig, uint64_t *slots, struct we_error *err)
{
	(void)rig;
	(void)slots;
	return we_error_set(err, WE_E_HOST, 0, "no");
}

static void failure_of_the_host_comes_back_as_it_is(void **state)
{
	struct rig *rig = *state;
	uint64_t slots[1] = {0};

	rig->host = refuse;
	assert_int_equal(rig_call(rig, TEST_HOST, slots), WE_E_HOST);
	assert_string_equal(rig->g.err.msg, "no");
	assert_int_equal(rig_call(rig, TEST_BYREF, slots), WE_E_HOST);
	assert_int_equal(rig_call(rig, TEST_CALL_PLAIN, slots), WE_E_HOST);
}

static int deeper(struct rig *rig, uint64_t *slots, struct we_error *err)
{
	return we_func_call(guest_export(rig->inst, "h").of.func, slots, err);
}

static void host_that_calls_back_for_ever_is_a_stack_overflow(void **state)
{
	struct rig *rig = *state;
	uint64_t slots[1] = {0};

	rig->host = deeper;
	assert_int_equal(rig_call(rig, TEST_HOST, slots), WE_E_EXHAUSTED);
	assert_int_equal(rig->g.err.trap, WE_TRAP_STACK_OVERFLOW);
	assert_int_equal(rig->n_host, WE_LIMIT_ENTERED);
	rig->host = NULL;
	assert_int_equal(rig_ask(rig, TEST_HOST, 3), 3);
}

// ---- exceptions ---------------------------------------------------------------------------------

// An exception of tag 0 with that argument.
static uint64_t make_exception(struct rig *rig, uint64_t arg)
{
	we_ref exn = 0;

	assert_int_equal(we_exn_new(rig->g.store, rig->g.store->instances->tags[0], &arg, &exn),
		WE_TRAP_NONE);
	return exn;
}

static void exception_is_caught_by_a_caller(void **state)
{
	struct rig *rig = *state;

	assert_int_equal(rig_ask(rig, TEST_CATCH, make_exception(rig, 5)), 1);
	assert_int_equal(rig->g.store->exception, 0);
}

static void exception_that_nobody_catches_is_told_with_its_place(void **state)
{
	struct rig *rig = *state;
	uint64_t slots[1] = {make_exception(rig, 0x1234)};
	struct we_value arg;
	uint64_t exn;

	assert_int_equal(rig_call(rig, TEST_THROW, slots), WE_E_TRAP);
	assert_int_equal(rig->g.err.trap, WE_TRAP_UNCAUGHT_EXCEPTION);
	assert_int_equal(rig->g.err.offset, test_body(rig->module, TEST_THROW) + 6);
	exn = we_catch(rig->g.store);
	assert_int_not_equal(exn, 0);
	assert_int_equal(we_exn_arg(rig->g.store, exn, 0, &arg), 0);
	assert_int_equal(arg.of.i64, 0x1234);
}

static int throw_it(struct rig *rig, uint64_t *slots, struct we_error *err)
{
	return we_throw(rig->g.store, rig->inst->tags[0], slots, err);
}

static void exception_of_the_host_is_caught_or_goes_on(void **state)
{
	struct rig *rig = *state;
	uint64_t slots[1] = {9};

	rig->host = throw_it;
	assert_int_equal(rig_ask(rig, TEST_HOST, 9), 77);
	assert_int_equal(rig_call(rig, TEST_BYREF, slots), WE_E_TRAP);
	assert_int_equal(rig->g.err.trap, WE_TRAP_UNCAUGHT_EXCEPTION);
	assert_int_equal(rig->g.err.offset, test_body(rig->module, TEST_BYREF) + 1);
	assert_int_equal(rig_call(rig, TEST_CALL_PLAIN, slots), WE_E_TRAP);
	assert_int_equal(rig->g.err.trap, WE_TRAP_UNCAUGHT_EXCEPTION);
}

static int throw_below(struct rig *rig, uint64_t *slots, struct we_error *err)
{
	uint64_t exn[1] = {make_exception(rig, 3)};

	(void)slots;
	(void)err;
	assert_int_equal(we_func_call(guest_export(rig->inst, "n").of.func, exn, NULL), WE_E_TRAP);
	assert_int_not_equal(we_catch(rig->g.store), 0);
	return 0;
}

// Thrown while nothing runs, it is nobody's.
static void exception_thrown_between_calls_is_not_of_the_next(void **state)
{
	struct rig *rig = *state;
	uint64_t arg[1] = {3};
	struct we_error err;

	for (unsigned i = 0; i < 6; i++) {
		uint64_t slots[1] = {i};

		assert_int_equal(rig_call(rig, TEST_TWICE, slots), 0);
		if (i == 3)
			assert_int_equal(
				we_throw(rig->g.store, rig->inst->tags[0], arg, &err), WE_E_TRAP);
	}
}

static int call_while_throwing(struct rig *rig, uint64_t *slots, struct we_error *err)
{
	uint64_t two[1] = {2};
	const int rc = we_throw(rig->g.store, rig->inst->tags[0], slots, err);

	if (rig->n_host > 1)
		return rc;
	// The call back is another matter, and may throw and catch itself.
	assert_int_equal(we_func_call(guest_export(rig->inst, "a").of.func, two, NULL), 0);
	assert_int_equal((uint32_t)two[0], 4);
	assert_int_equal(we_func_call(guest_export(rig->inst, "o").of.func, two, NULL), 0);
	assert_int_equal(two[0], 1);
	return rc;
}

static void exception_under_way_survives_a_call_back(void **state)
{
	struct rig *rig = *state;

	rig->host = call_while_throwing;
	assert_int_equal(rig_ask(rig, TEST_HOST, 9), 77);
}

// ---- the collector ------------------------------------------------------------------------------

static int collect(struct rig *rig, uint64_t *slots, struct we_error *err)
{
	(void)slots;
	(void)err;
	we_store_collect(rig->g.store);
	return 0;
}

static void shadow_stack_is_seen_by_the_collector(void **state)
{
	struct rig *rig = *state;
	uint64_t garbage = 0;
	uint64_t box = 0;
	uint64_t slots[1];

	assert_int_equal(we_ref_from_host(rig->g.store, 11, &garbage, &rig->g.err), 0);
	assert_int_equal(we_ref_from_host(rig->g.store, 22, &box, &rig->g.err), 0);
	rig->host = collect;
	slots[0] = WE_EXTERN_INTERNAL | box;
	assert_int_equal(rig_call(rig, TEST_SHADOW, slots), 0);
	assert_int_not_equal(slots[0], WE_EXTERN_INTERNAL | box); // it has moved
	assert_int_equal(we_ref_host(rig->g.store, WE_ANYREF, slots[0] & ~WE_EXTERN_INTERNAL), 22);
}

static int collect_deep(struct rig *rig, uint64_t *slots, struct we_error *err)
{
	uint64_t box = 0;
	uint64_t inner[1];

	if (rig->n_host >= 3)
		return collect(rig, slots, err);
	assert_int_equal(we_ref_from_host(rig->g.store, rig->n_host, &box, err), 0);
	inner[0] = WE_EXTERN_INTERNAL | box;
	// Through the interpreter the second time.
	if (rig->n_host == 2) {
		assert_int_equal(we_func_call(guest_export(rig->inst, "q").of.func, slots, err), 0);
		return 0;
	}
	assert_int_equal(we_func_call(guest_export(rig->inst, "m").of.func, inner, err), 0);
	assert_int_equal(we_ref_host(rig->g.store, WE_ANYREF, inner[0] & ~WE_EXTERN_INTERNAL), 1);
	return 0;
}

static void shadow_stacks_of_all_entries_are_seen(void **state)
{
	struct rig *rig = *state;
	uint64_t box = 0;
	uint64_t slots[1];

	assert_int_equal(we_ref_from_host(rig->g.store, 9, &box, &rig->g.err), 0);
	assert_int_equal(we_ref_from_host(rig->g.store, 33, &box, &rig->g.err), 0);
	rig->host = collect_deep;
	slots[0] = WE_EXTERN_INTERNAL | box;
	assert_int_equal(rig_call(rig, TEST_SHADOW, slots), 0);
	assert_int_equal(rig->n_host, 3);
	assert_int_equal(we_ref_host(rig->g.store, WE_ANYREF, slots[0] & ~WE_EXTERN_INTERNAL), 33);
}

// ---- binding ------------------------------------------------------------------------------------

static void store_set_to_the_interpreter_runs_no_native_code(void **state)
{
	struct rig *rig = *state;
	uint64_t slots[1] = {4};

	we_store_set_interp(rig->g.store, true);
	assert_int_equal(rig_call(rig, TEST_TWICE, slots), WE_E_TRAP);
	assert_int_equal(rig->g.err.trap, WE_TRAP_UNREACHABLE);
	assert_int_equal(guest_call(&rig->g, rig_instance(rig), "a", slots), WE_E_TRAP);
	we_store_set_interp(rig->g.store, false);
	assert_int_equal((uint32_t)rig_ask(rig, TEST_TWICE, 4), 8);
}

static void code_published_later_is_taken_up_at_the_next_call(void **state)
{
	struct rig *rig = *state;
	struct we_module *module;
	struct we_instance *inst;
	struct bytes b;
	uint64_t slots[1] = {4};

	put_test_module(&b);
	module = guest_module(&rig->g, &b);
	we_module_unref(rig->module);
	rig->module = module;
	inst = rig_instance(rig);
	assert_int_equal(guest_call(&rig->g, inst, "a", slots), WE_E_TRAP);
	publish_test_image(module);
	assert_int_equal(guest_call(&rig->g, inst, "a", slots), 0);
	assert_int_equal((uint32_t)slots[0], 8);
}

// What is published for others: an entry that has native code itself asks at every eighth.
static void native_entry_takes_up_what_is_published_within_eight_calls(void **state)
{
	struct rig *rig = *state;
	const struct we_store *store = rig->g.store;

	for (uint32_t turn = 0; turn < 20; turn++) {
		const uint64_t now = atomic_fetch_add(&store->engine->native_generation, 1) + 1;

		for (uint32_t i = 0; i < 8; i++)
			assert_int_equal((uint32_t)rig_ask(rig, TEST_TWICE, i), 2 * i);
		assert_int_equal(store->native.generation, now);
		assert_int_equal((uint32_t)rig_ask(rig, TEST_TWICE, 4), 8);
	}
}

static void code_without_checks_needs_the_whole_reservation(void **state)
{
	struct rig *rig = *state;
	uint64_t slots[1] = {4};
	struct we_instance *inst;

	rig->inst->mem0->mapped_bytes -= 65536;
	we_native_unbind(rig->inst);
	we_native_bind(rig->inst);
	rig->inst->mem0->mapped_bytes += 65536;
	assert_int_equal(rig_call(rig, TEST_TWICE, slots), WE_E_TRAP);
	inst = rig_instance(rig);
	assert_int_equal(guest_call(&rig->g, inst, "a", slots), 0);
}

static void image_of_other_functions_is_refused(void **state)
{
	struct rig *rig = *state;
	struct test_image *bytes = malloc(sizeof(*bytes));
	struct we_image_header *header = (void *)bytes->bytes;
	struct we_image *image = NULL;

	make_test_image(rig->module, bytes);
	header->first_func = 0; // an import
	header->n_ranges = 0;
	header->n_places = 0;
	seal_test_image(bytes);
	assert_int_equal(we_image_map(bytes->bytes, bytes->size_bytes, &image, &rig->g.err), 0);
	assert_int_equal(we_native_publish(rig->module, image, &rig->g.err), WE_E_INVALID);
	we_image_release(image);
	free(bytes);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, rig_set_up, rig_tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(call_of_native_function_returns_its_result),
		TEST(results_come_from_all_registers_and_the_buffer),
		TEST(host_function_is_called_directly_and_by_reference),
		TEST(function_without_native_code_runs_in_the_interpreter),
		TEST(load_out_of_bounds_traps_at_its_place),
		TEST(what_was_stored_before_a_trap_stays),
		TEST(trap_in_an_inlined_body_names_both_functions),
		TEST(explicit_trap_names_its_instruction),
		TEST(endless_recursion_is_a_stack_overflow),
		TEST(guest_gets_its_stack_wherever_it_is_called_from),
		TEST(host_is_given_an_error_by_a_call_without_one),
		TEST(backtrace_goes_through_the_host),
		TEST(trap_that_the_host_swallows_is_over),
		TEST(calls_from_one_place_do_not_see_each_other),
		TEST(call_back_is_never_taken_for_a_first_call),
		TEST(failure_of_the_host_comes_back_as_it_is),
		TEST(host_that_calls_back_for_ever_is_a_stack_overflow),
		TEST(exception_is_caught_by_a_caller),
		TEST(exception_that_nobody_catches_is_told_with_its_place),
		TEST(exception_of_the_host_is_caught_or_goes_on),
		TEST(exception_thrown_between_calls_is_not_of_the_next),
		TEST(exception_under_way_survives_a_call_back),
		TEST(shadow_stack_is_seen_by_the_collector),
		TEST(shadow_stacks_of_all_entries_are_seen),
		TEST(store_set_to_the_interpreter_runs_no_native_code),
		TEST(code_published_later_is_taken_up_at_the_next_call),
		TEST(native_entry_takes_up_what_is_published_within_eight_calls),
		TEST(code_without_checks_needs_the_whole_reservation),
		TEST(image_of_other_functions_is_refused),
	};

	return cmocka_run_group_tests_name("native_enter", tests, NULL, NULL);
}
