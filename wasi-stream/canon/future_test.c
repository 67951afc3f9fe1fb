// SPDX-License-Identifier: BSD-3-Clause
// Futures between guests and to the host. Spec: CanonicalABI.md "Future State".
#include "future.h"
#include "lift.h"
#include "rig.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

enum {
	EVENT = 64, // where polled events are written
	SRC = 256,
	DST = 512,
	COMPLETED = 0, // results
	DROPPED = 1,
	CANCELLED = 2,
};
#define BLOCKED 0xffffffffu

struct guest {
	struct rig *rig;
	const struct cm_builtin *b;
	uint32_t r;
	uint32_t w;
	uint32_t set;
};

static uint32_t op(struct guest *g, enum cm_canon canon, uint32_t a, uint32_t b)
{
	uint64_t result = 0;

	if (rig_call3(g->rig, canon, g->b, a, b, 0, &result) != 0)
		fail_msg("%s: %s", cm_canon_name(canon), g->rig->err.msg);
	return (uint32_t)result;
}

static void traps(struct guest *g, const char *text, enum cm_canon canon, uint32_t a, uint32_t b)
{
	assert_int_equal(rig_call3(g->rig, canon, g->b, a, b, 0, NULL), WE_E_TRAP);
	assert_memory_equal(g->rig->err.msg, text, strlen(text));
}

static struct guest guest_of(struct rig *rig, const char *type)
{
	struct guest g = {.rig = rig, .b = rig_builtin(rig, type, true)};
	uint64_t slots[1] = {0};

	assert_int_equal(rig_call(rig, CM_CANON_FUTURE_NEW, g.b, slots), 0);
	g.r = (uint32_t)slots[0];
	g.w = (uint32_t)(slots[0] >> 32);
	g.set = op(&g, CM_CANON_WAITABLE_SET_NEW, 0, 0);
	op(&g, CM_CANON_WAITABLE_JOIN, g.r, g.set);
	op(&g, CM_CANON_WAITABLE_JOIN, g.w, g.set);
	memcpy(rig_bytes(rig, SRC, 8), "abcdefgh", 8);
	return g;
}

static void assert_event(struct guest *g, uint32_t code, uint32_t end, uint32_t payload)
{
	assert_int_equal(op(g, CM_CANON_WAITABLE_SET_POLL, g->set, EVENT), code);
	assert_int_equal(rig_u32(g->rig, EVENT), end);
	assert_int_equal(rig_u32(g->rig, EVENT + 4), payload);
}

// ---- guest to guest -----------------------------------------------------------------------------

static void value_passes_whoever_comes_first(void **state)
{
	struct guest g = guest_of(*state, "future<u32>");
	struct guest h = guest_of(*state, "future<u32>");

	assert_int_equal(op(&g, CM_CANON_FUTURE_WRITE, g.w, SRC), BLOCKED);
	assert_int_equal(op(&g, CM_CANON_FUTURE_READ, g.r, DST), COMPLETED);
	assert_event(&g, CM_EVENT_FUTURE_WRITE, g.w, COMPLETED);
	assert_memory_equal(rig_bytes(*state, DST, 4), "abcd", 4);
	assert_int_equal(op(&h, CM_CANON_FUTURE_READ, h.r, DST), BLOCKED);
	assert_int_equal(op(&h, CM_CANON_FUTURE_WRITE, h.w, SRC + 4), COMPLETED);
	assert_event(&h, CM_EVENT_FUTURE_READ, h.r, COMPLETED);
	assert_memory_equal(rig_bytes(*state, DST, 4), "efgh", 4);
}

static void future_that_is_done_traps_when_used_again(void **state)
{
	struct guest g = guest_of(*state, "future<u32>");

	op(&g, CM_CANON_FUTURE_WRITE, g.w, SRC);
	traps(&g, "cannot have concurrent operations", CM_CANON_FUTURE_WRITE, g.w, SRC);
	op(&g, CM_CANON_FUTURE_READ, g.r, DST);
	assert_event(&g, CM_EVENT_FUTURE_WRITE, g.w, COMPLETED);
	traps(&g, "cannot write to future after", CM_CANON_FUTURE_WRITE, g.w, SRC);
	traps(&g, "cannot read from future after", CM_CANON_FUTURE_READ, g.r, DST);
	traps(&g, "stream or future has no operation", CM_CANON_FUTURE_CANCEL_READ, g.r, 0);
	op(&g, CM_CANON_FUTURE_DROP_WRITABLE, g.w, 0);
	op(&g, CM_CANON_FUTURE_DROP_READABLE, g.r, 0);
}

static void writable_end_must_write_before_it_is_dropped(void **state)
{
	struct guest g = guest_of(*state, "future<u32>");

	traps(&g, "cannot drop future write end", CM_CANON_FUTURE_DROP_WRITABLE, g.w, 0);
	op(&g, CM_CANON_FUTURE_WRITE, g.w, SRC);
	traps(&g, "cannot drop future write end", CM_CANON_FUTURE_DROP_WRITABLE, g.w, 0);
	op(&g, CM_CANON_FUTURE_DROP_READABLE, g.r, 0);
	assert_event(&g, CM_EVENT_FUTURE_WRITE, g.w, DROPPED);
	op(&g, CM_CANON_FUTURE_DROP_WRITABLE, g.w, 0);
}

static void write_after_the_reader_dropped_answers_dropped(void **state)
{
	struct guest g = guest_of(*state, "future<u32>");

	op(&g, CM_CANON_FUTURE_DROP_READABLE, g.r, 0);
	assert_int_equal(op(&g, CM_CANON_FUTURE_WRITE, g.w, SRC), DROPPED);
	traps(&g, "cannot write to future after", CM_CANON_FUTURE_WRITE, g.w, SRC);
	op(&g, CM_CANON_FUTURE_DROP_WRITABLE, g.w, 0);
}

static void cancelled_operation_may_be_tried_again(void **state)
{
	struct guest g = guest_of(*state, "future<u32>");

	op(&g, CM_CANON_FUTURE_READ, g.r, DST);
	traps(&g, "cannot drop busy future", CM_CANON_FUTURE_DROP_READABLE, g.r, 0);
	assert_int_equal(op(&g, CM_CANON_FUTURE_CANCEL_READ, g.r, 0), CANCELLED);
	op(&g, CM_CANON_FUTURE_WRITE, g.w, SRC);
	assert_int_equal(op(&g, CM_CANON_FUTURE_CANCEL_WRITE, g.w, 0), CANCELLED);
	op(&g, CM_CANON_FUTURE_WRITE, g.w, SRC);
	assert_int_equal(op(&g, CM_CANON_FUTURE_READ, g.r, DST), COMPLETED);
	// The write is done, though its event is not delivered.
	assert_int_equal(op(&g, CM_CANON_FUTURE_CANCEL_WRITE, g.w, 0), COMPLETED);
}

static void pointers_are_checked(void **state)
{
	struct guest g = guest_of(*state, "future<u32>");
	struct guest none = guest_of(*state, "future");

	traps(&g, "unaligned pointer", CM_CANON_FUTURE_READ, g.r, DST + 1);
	traps(&g, "pointer or length out of bounds", CM_CANON_FUTURE_READ, g.r, RIG_MEMORY);
	traps(&g, "pointer or length out of bounds", CM_CANON_FUTURE_WRITE, g.w, UINT32_MAX - 3);
	assert_int_equal(op(&none, CM_CANON_FUTURE_READ, none.r, 0xdeadbeef), BLOCKED);
	assert_int_equal(op(&none, CM_CANON_FUTURE_WRITE, none.w, 0xdeadbeef), COMPLETED);
}

static void values_other_than_numbers_trap_inside_an_instance(void **state)
{
	struct guest g = guest_of(*state, "future<string>");

	op(&g, CM_CANON_FUTURE_READ, g.r, DST);
	traps(&g, "cannot read from and write to intra-component future", CM_CANON_FUTURE_WRITE,
		g.w, SRC);
}

static void stream_built_ins_do_not_take_futures(void **state)
{
	struct guest g = guest_of(*state, "future<u32>");

	traps(&g, "handle index used with the wrong type", CM_CANON_STREAM_READ, g.r, DST);
	traps(&g, "handle index used with the wrong type", CM_CANON_FUTURE_READ, g.w, DST);
	g.b = rig_builtin(*state, "future<u64>", true);
	traps(&g, "stream or future used with another element type", CM_CANON_FUTURE_READ, g.r,
		DST);
}

// ---- to the host --------------------------------------------------------------------------------

struct reader {
	struct cm_future *future;
	uint32_t n;
	uint32_t n_case; // of a result
	char text[16];
	bool closes; // inside
	int rc;
};

static int on_value(void *env, const struct cm_val *val, struct we_error *err)
{
	struct reader *reader = env;

	reader->n++;
	if (val->kind == CM_VARIANT) {
		reader->n_case = val->n;
		if (val->of.payload)
			memcpy(reader->text, val->of.payload->of.string, val->of.payload->n);
	}
	if (reader->closes)
		cm_future_close(reader->future);
	return reader->rc < 0 ? we_error_set(err, reader->rc, 0, "no") : 0;
}

static struct cm_future *take_readable(struct guest *g)
{
	uint64_t slots[1] = {g->r};
	struct cm_val val;

	op(g, CM_CANON_WAITABLE_JOIN, g->r, 0);
	assert_int_equal(
		cm_lift_flat_result(&g->b->cx, 4, slots, g->b->type, &val, &g->rig->err), 0);
	return val.of.future;
}

static void put_error(struct rig *rig)
{
	const uint32_t value[3] = {1, SRC + 32, 5}; // error, pointer, length

	memcpy(rig_bytes(rig, SRC, sizeof(value)), value, sizeof(value));
	memcpy(rig_bytes(rig, SRC + 32, 5), "wrong", 5);
}

static void host_gets_the_value_that_is_written_later(void **state)
{
	struct guest g = guest_of(*state, "future<result<_, string>>");
	struct reader reader = {.future = take_readable(&g)};

	put_error(*state);
	assert_int_equal(cm_future_attach(reader.future, on_value, &reader, &g.rig->err), 0);
	assert_int_equal(reader.n, 0);
	assert_int_equal(op(&g, CM_CANON_FUTURE_WRITE, g.w, SRC), COMPLETED);
	assert_int_equal(reader.n, 1);
	assert_int_equal(reader.n_case, 1);
	assert_string_equal(reader.text, "wrong");
	op(&g, CM_CANON_FUTURE_DROP_WRITABLE, g.w, 0);
	cm_future_close(reader.future);
	assert_int_equal(g.rig->store->futures.live, 0);
}

static void host_gets_the_value_that_was_written_before(void **state)
{
	struct guest g = guest_of(*state, "future<result<_, string>>");
	struct reader reader = {0};

	put_error(*state);
	assert_int_equal(op(&g, CM_CANON_FUTURE_WRITE, g.w, SRC), BLOCKED);
	reader.future = take_readable(&g);
	assert_int_equal(cm_future_attach(reader.future, on_value, &reader, &g.rig->err), 0);
	assert_int_equal(reader.n, 1);
	assert_string_equal(reader.text, "wrong");
	assert_event(&g, CM_EVENT_FUTURE_WRITE, g.w, COMPLETED);
}

static void host_that_closes_drops_the_future(void **state)
{
	struct guest g = guest_of(*state, "future<u32>");

	assert_int_equal(op(&g, CM_CANON_FUTURE_WRITE, g.w, SRC), BLOCKED);
	cm_future_close(take_readable(&g));
	assert_event(&g, CM_EVENT_FUTURE_WRITE, g.w, DROPPED);
}

static void host_may_close_inside(void **state)
{
	struct guest g = guest_of(*state, "future<u32>");
	struct reader reader = {.future = take_readable(&g), .closes = true};

	assert_int_equal(cm_future_attach(reader.future, on_value, &reader, &g.rig->err), 0);
	assert_int_equal(op(&g, CM_CANON_FUTURE_WRITE, g.w, SRC), COMPLETED);
	op(&g, CM_CANON_FUTURE_DROP_WRITABLE, g.w, 0);
	assert_int_equal(g.rig->store->futures.live, 0);
}

static void bad_values_and_unhappy_hosts_end_the_write(void **state)
{
	struct guest g = guest_of(*state, "future<result<_, string>>");
	struct guest h = guest_of(*state, "future<u32>");
	struct reader reader = {.future = take_readable(&g)};
	struct reader unhappy = {.future = take_readable(&h), .rc = WE_E_TRAP};

	assert_int_equal(cm_future_attach(reader.future, on_value, &reader, &g.rig->err), 0);
	assert_int_equal(cm_future_attach(unhappy.future, on_value, &unhappy, &g.rig->err), 0);
	traps(&g, "invalid variant discriminant 97", CM_CANON_FUTURE_WRITE, g.w, SRC); // 'a'
	traps(&h, "no", CM_CANON_FUTURE_WRITE, h.w, SRC);
	assert_int_equal(reader.n, 0);
}

static void lifting_a_future_checks_its_state(void **state)
{
	struct guest g = guest_of(*state, "future<u32>");
	uint64_t slots[1] = {g.r};
	struct cm_val val;

#define LIFT_TRAPS(text)                                                                           \
	assert_int_equal(                                                                          \
		cm_lift_flat_result(&g.b->cx, 4, slots, g.b->type, &val, &g.rig->err), WE_E_TRAP); \
	assert_memory_equal(g.rig->err.msg, text, strlen(text))

	LIFT_TRAPS("cannot lift future while it's in a waitable set");
	op(&g, CM_CANON_WAITABLE_JOIN, g.r, 0);
	op(&g, CM_CANON_FUTURE_READ, g.r, DST);
	LIFT_TRAPS("cannot remove busy future");
	op(&g, CM_CANON_FUTURE_WRITE, g.w, SRC);
	assert_int_equal(op(&g, CM_CANON_FUTURE_CANCEL_READ, g.r, 0), COMPLETED);
	LIFT_TRAPS("cannot lift future after previous read succeeded");
#undef LIFT_TRAPS
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, rig_setup, rig_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(value_passes_whoever_comes_first),
		TEST(future_that_is_done_traps_when_used_again),
		TEST(writable_end_must_write_before_it_is_dropped),
		TEST(write_after_the_reader_dropped_answers_dropped),
		TEST(cancelled_operation_may_be_tried_again),
		TEST(pointers_are_checked),
		TEST(values_other_than_numbers_trap_inside_an_instance),
		TEST(stream_built_ins_do_not_take_futures),
		TEST(host_gets_the_value_that_is_written_later),
		TEST(host_gets_the_value_that_was_written_before),
		TEST(host_that_closes_drops_the_future),
		TEST(host_may_close_inside),
		TEST(bad_values_and_unhappy_hosts_end_the_write),
		TEST(lifting_a_future_checks_its_state),
	};

	return cmocka_run_group_tests_name("cm_future", tests, NULL, NULL);
}
