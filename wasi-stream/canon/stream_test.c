// SPDX-License-Identifier: BSD-3-Clause
// Streams between guests, and between a guest and the host. Spec: CanonicalABI.md "Stream State".
#include "lift.h"
#include "lower.h"
#include "rig.h"
#include "stream.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

enum {
	EVENT = 64,    // where events are written
	SRC = 1024,    // bytes to be written
	DST = 2048,    // where they are read to
	COMPLETED = 0, // results
	DROPPED = 1,
	CANCELLED = 2,
};
#define BLOCKED 0xffffffffu

// The built-ins of one stream type in one instance.
struct guest {
	struct rig *rig;
	const struct cm_builtin *b;
	uint32_t r; // readable end
	uint32_t w; // writable end
	uint32_t set;
};

static uint32_t op(struct guest *g, enum cm_canon canon, uint32_t a, uint32_t b, uint32_t c)
{
	uint64_t result = 0;

	if (rig_call3(g->rig, canon, g->b, a, b, c, &result) != 0)
		fail_msg("%s: %s", cm_canon_name(canon), g->rig->err.msg);
	return (uint32_t)result;
}

static void traps(
	struct guest *g, const char *text, enum cm_canon canon, uint32_t a, uint32_t b, uint32_t c)
{
	assert_int_equal(rig_call3(g->rig, canon, g->b, a, b, c, NULL), WE_E_TRAP);
	assert_memory_equal(g->rig->err.msg, text, strlen(text));
	assert_int_equal(g->rig->err.trap, WE_TRAP_HOST);
}

static uint32_t read(struct guest *g, uint32_t ptr, uint32_t n)
{
	return op(g, CM_CANON_STREAM_READ, g->r, ptr, n);
}

static uint32_t write(struct guest *g, uint32_t ptr, uint32_t n)
{
	return op(g, CM_CANON_STREAM_WRITE, g->w, ptr, n);
}

static uint32_t result(uint32_t code, uint32_t n)
{
	return code | n << 4;
}

static void new_stream(struct guest *g)
{
	uint64_t slots[1] = {0};

	assert_int_equal(rig_call(g->rig, CM_CANON_STREAM_NEW, g->b, slots), 0);
	g->r = (uint32_t)slots[0];
	g->w = (uint32_t)(slots[0] >> 32);
}

static struct guest guest_of(struct rig *rig, const char *type)
{
	struct guest g = {.rig = rig, .b = rig_builtin(rig, type, true)};

	new_stream(&g);
	g.set = op(&g, CM_CANON_WAITABLE_SET_NEW, 0, 0, 0);
	op(&g, CM_CANON_WAITABLE_JOIN, g.r, g.set, 0);
	op(&g, CM_CANON_WAITABLE_JOIN, g.w, g.set, 0);
	memcpy(rig_bytes(rig, SRC, 26), "abcdefghijklmnopqrstuvwxyz", 26);
	return g;
}

// The next event of the guest's set is this one.
static void assert_event(struct guest *g, uint32_t code, uint32_t end, uint32_t payload)
{
	assert_int_equal(op(g, CM_CANON_WAITABLE_SET_POLL, g->set, EVENT, 0), code);
	assert_int_equal(rig_u32(g->rig, EVENT), end);
	assert_int_equal(rig_u32(g->rig, EVENT + 4), payload);
}

static void assert_no_event(struct guest *g)
{
	assert_event(g, CM_EVENT_NONE, 0, 0);
}

// ---- guest to guest -----------------------------------------------------------------------------

static void posted_write_serves_reads_until_its_event_is_delivered(void **state)
{
	struct guest g = guest_of(*state, "stream<u8>");

	assert_int_equal(write(&g, SRC, 6), BLOCKED);
	assert_no_event(&g);
	assert_int_equal(read(&g, DST, 4), result(COMPLETED, 4));
	assert_int_equal(read(&g, DST + 4, 1), result(COMPLETED, 1));
	assert_memory_equal(rig_bytes(*state, DST, 5), "abcde", 5);
	assert_event(&g, CM_EVENT_STREAM_WRITE, g.w, result(COMPLETED, 5));
	assert_no_event(&g);
	assert_int_equal(read(&g, DST, 4), BLOCKED); // the rest was taken back with the event
	assert_int_equal(write(&g, SRC + 5, 2), result(COMPLETED, 2));
	assert_event(&g, CM_EVENT_STREAM_READ, g.r, result(COMPLETED, 2));
	assert_memory_equal(rig_bytes(*state, DST, 2), "fg", 2);
}

static void full_buffer_is_replaced_by_the_next_operation(void **state)
{
	struct guest g = guest_of(*state, "stream<u8>");

	assert_int_equal(read(&g, DST, 3), BLOCKED);
	assert_int_equal(write(&g, SRC, 5), result(COMPLETED, 3));
	assert_int_equal(write(&g, SRC + 3, 2), BLOCKED); // the reader is full and not yet told
	assert_event(&g, CM_EVENT_STREAM_READ, g.r, result(COMPLETED, 3));
	assert_int_equal(read(&g, DST, 8), result(COMPLETED, 2));
	assert_event(&g, CM_EVENT_STREAM_WRITE, g.w, result(COMPLETED, 2));
}

static void zero_length_write_waits_for_a_reader(void **state)
{
	struct guest g = guest_of(*state, "stream<u8>");

	assert_int_equal(write(&g, SRC, 0), BLOCKED);
	assert_int_equal(read(&g, DST, 4), BLOCKED); // it ends the probe and stays posted
	assert_event(&g, CM_EVENT_STREAM_WRITE, g.w, result(COMPLETED, 0));
	assert_int_equal(write(&g, SRC, 4), result(COMPLETED, 4));
	assert_event(&g, CM_EVENT_STREAM_READ, g.r, result(COMPLETED, 4));
}

static void zero_length_read_waits_for_a_writer(void **state)
{
	struct guest g = guest_of(*state, "stream<u8>");

	assert_int_equal(read(&g, DST, 0), BLOCKED);
	assert_int_equal(write(&g, SRC, 4), BLOCKED);
	assert_event(&g, CM_EVENT_STREAM_READ, g.r, result(COMPLETED, 0));
	assert_int_equal(read(&g, DST, 0), result(COMPLETED, 0));
	assert_no_event(&g);
	assert_int_equal(read(&g, DST, 4), result(COMPLETED, 4));
}

static void probes_of_both_sides_meet_at_the_writer(void **state)
{
	struct guest g = guest_of(*state, "stream<u8>");

	assert_int_equal(read(&g, DST, 0), BLOCKED);
	assert_int_equal(write(&g, SRC, 0), result(COMPLETED, 0)); // the reader's probe stays
	assert_no_event(&g);
	assert_int_equal(write(&g, SRC, 2), BLOCKED);
	assert_event(&g, CM_EVENT_STREAM_READ, g.r, result(COMPLETED, 0));
}

static void drop_of_one_end_ends_the_other_with_what_was_moved(void **state)
{
	struct guest g = guest_of(*state, "stream<u8>");

	assert_int_equal(read(&g, DST, 8), BLOCKED);
	assert_int_equal(write(&g, SRC, 3), result(COMPLETED, 3));
	op(&g, CM_CANON_STREAM_DROP_WRITABLE, g.w, 0, 0);
	assert_event(&g, CM_EVENT_STREAM_READ, g.r, result(DROPPED, 3));
	traps(&g, "cannot read from stream after", CM_CANON_STREAM_READ, g.r, DST, 1);
	op(&g, CM_CANON_STREAM_DROP_READABLE, g.r, 0, 0);
	op(&g, CM_CANON_WAITABLE_SET_DROP, g.set, 0, 0);
}

static void operation_on_a_dropped_stream_answers_dropped_at_once(void **state)
{
	struct guest g = guest_of(*state, "stream<u8>");

	op(&g, CM_CANON_STREAM_DROP_READABLE, g.r, 0, 0);
	assert_int_equal(write(&g, SRC, 3), result(DROPPED, 0));
	traps(&g, "cannot write to stream after", CM_CANON_STREAM_WRITE, g.w, SRC, 1);
	traps(&g, "stream or future has no operation", CM_CANON_STREAM_CANCEL_WRITE, g.w, 0, 0);
}

static void cancelled_write_answers_how_far_it_came(void **state)
{
	struct guest g = guest_of(*state, "stream<u8>");

	assert_int_equal(write(&g, SRC, 6), BLOCKED);
	assert_int_equal(op(&g, CM_CANON_STREAM_CANCEL_WRITE, g.w, 0, 0), result(CANCELLED, 0));
	assert_int_equal(write(&g, SRC, 6), BLOCKED);
	assert_int_equal(read(&g, DST, 2), result(COMPLETED, 2));
	assert_int_equal(op(&g, CM_CANON_STREAM_CANCEL_WRITE, g.w, 0, 0), result(COMPLETED, 2));
	assert_no_event(&g);
	assert_int_equal(read(&g, DST, 2), BLOCKED);
	assert_int_equal(op(&g, CM_CANON_STREAM_CANCEL_READ, g.r, 0, 0), result(CANCELLED, 0));
	traps(&g, "stream or future has no operation", CM_CANON_STREAM_CANCEL_READ, g.r, 0, 0);
}

static void cancel_after_the_peer_dropped_answers_dropped(void **state)
{
	struct guest g = guest_of(*state, "stream<u8>");

	assert_int_equal(read(&g, DST, 6), BLOCKED);
	op(&g, CM_CANON_STREAM_DROP_WRITABLE, g.w, 0, 0);
	assert_int_equal(op(&g, CM_CANON_STREAM_CANCEL_READ, g.r, 0, 0), result(DROPPED, 0));
	assert_no_event(&g);
}

static void second_operation_on_a_busy_end_traps(void **state)
{
	struct guest g = guest_of(*state, "stream<u8>");

	assert_int_equal(write(&g, SRC, 6), BLOCKED);
	traps(&g, "cannot have concurrent operations", CM_CANON_STREAM_WRITE, g.w, SRC, 1);
	traps(&g, "cannot drop busy stream", CM_CANON_STREAM_DROP_WRITABLE, g.w, 0, 0);
	assert_int_equal(read(&g, DST, 6), result(COMPLETED, 6));
	// The event is there, but not delivered: the end is still busy.
	traps(&g, "cannot have concurrent operations", CM_CANON_STREAM_WRITE, g.w, SRC, 1);
	traps(&g, "cannot drop busy stream", CM_CANON_STREAM_DROP_WRITABLE, g.w, 0, 0);
}

static void wrong_end_wrong_element_and_wrong_handle_trap(void **state)
{
	struct guest g = guest_of(*state, "stream<u8>");
	struct guest other = guest_of(*state, "stream<u16>");

	traps(&g, "handle index used with the wrong type", CM_CANON_STREAM_READ, g.w, DST, 1);
	traps(&g, "handle index used with the wrong type", CM_CANON_STREAM_WRITE, g.r, DST, 1);
	traps(&g, "handle index used with the wrong type", CM_CANON_STREAM_READ, g.set, DST, 1);
	traps(&g, "unknown handle index 0", CM_CANON_STREAM_READ, 0, DST, 1);
	traps(&g, "unknown handle index 99", CM_CANON_STREAM_DROP_READABLE, 99, 0, 0);
	traps(&other, "stream or future used with another element type", CM_CANON_STREAM_READ, g.r,
		DST, 1);
	traps(&other, "stream or future used with another element type",
		CM_CANON_STREAM_DROP_WRITABLE, g.w, 0, 0);
}

static void pointers_and_lengths_are_checked(void **state)
{
	static const struct {
		uint32_t ptr;
		uint32_t n;
		const char *text; // NULL: fine
	} cases[] = {
		{RIG_MEMORY, 0, NULL},
		{UINT32_MAX, 0, NULL}, // a probe has no buffer
		{RIG_MEMORY - 4, 1, NULL},
		{RIG_MEMORY - 3, 1, "unaligned pointer"},
		{RIG_MEMORY - 4, 2, "pointer or length out of bounds of memory"},
		{RIG_MEMORY, 1, "pointer or length out of bounds of memory"},
		{UINT32_MAX - 3, 1, "pointer or length out of bounds of memory"},
		{0, (1 << 28) - 1, "pointer or length out of bounds of memory"},
		{0, 1 << 28, "stream read or write of more than"},
		{0, UINT32_MAX, "stream read or write of more than"},
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct guest g = guest_of(*state, "stream<u32>");

		if (cases[i].text)
			traps(&g, cases[i].text, CM_CANON_STREAM_READ, g.r, cases[i].ptr,
				cases[i].n);
		else
			assert_int_equal(read(&g, cases[i].ptr, cases[i].n), BLOCKED);
	}
}

static void elements_without_content_need_no_memory(void **state)
{
	struct guest g = guest_of(*state, "stream");

	assert_int_equal(write(&g, 0xdeadbeef, 1000), BLOCKED);
	assert_int_equal(read(&g, 0xdeadbeef, 600), result(COMPLETED, 600));
	assert_event(&g, CM_EVENT_STREAM_WRITE, g.w, result(COMPLETED, 600));
}

static void numbers_pass_inside_an_instance_and_other_values_trap(void **state)
{
	struct guest g = guest_of(*state, "stream<u32>");
	struct guest s = guest_of(*state, "stream<string>");

	assert_int_equal(write(&g, SRC, 2), BLOCKED);
	assert_int_equal(read(&g, DST, 2), result(COMPLETED, 2));
	assert_memory_equal(rig_bytes(*state, DST, 8), "abcdefgh", 8);
	assert_int_equal(write(&s, SRC, 2), BLOCKED);
	traps(&s, "cannot read from and write to intra-component stream", CM_CANON_STREAM_READ, s.r,
		DST, 1);
}

static void synchronous_operation_in_a_set_traps(void **state)
{
	struct guest g = guest_of(*state, "stream<u8>");

	g.b = rig_builtin(g.rig, "stream<u8>", false);
	traps(&g, "waitable cannot be used synchronously", CM_CANON_STREAM_READ, g.r, DST, 1);
	traps(&g, "waitable cannot be used synchronously", CM_CANON_STREAM_WRITE, g.w, SRC, 1);
}

static void nothing_works_while_the_instance_may_not_be_left(void **state)
{
	static const enum cm_canon ops[] = {CM_CANON_STREAM_NEW, CM_CANON_STREAM_READ,
		CM_CANON_STREAM_WRITE, CM_CANON_STREAM_CANCEL_READ, CM_CANON_STREAM_DROP_WRITABLE,
		CM_CANON_WAITABLE_SET_NEW, CM_CANON_WAITABLE_SET_WAIT, CM_CANON_WAITABLE_SET_POLL,
		CM_CANON_WAITABLE_SET_DROP, CM_CANON_WAITABLE_JOIN, CM_CANON_SUBTASK_DROP,
		CM_CANON_SUBTASK_CANCEL, CM_CANON_TASK_RETURN, CM_CANON_TASK_CANCEL,
		CM_CANON_THREAD_YIELD};
	struct guest g = guest_of(*state, "stream<u8>");

	g.rig->inst->may_leave = false;
	for (size_t i = 0; i < sizeof(ops) / sizeof(ops[0]); i++)
		traps(&g, "cannot leave component instance", ops[i], g.r, DST, 1);
	g.rig->inst->may_leave = true;
}

// ---- guest and host -----------------------------------------------------------------------------

// A host's end that moves at most `ready` bytes and remembers what it was told.
struct host {
	struct cm_stream *stream;
	uint32_t ready; // bytes that it gives or takes
	bool is_probe_ready;
	bool closes; // inside copy
	int rc;      // of copy, when < 0
	uint8_t taken[64];
	uint32_t n_taken;
	uint32_t n_cancelled;
	uint32_t n_dropped;
};

static int host_copy(void *env, uint8_t *buf, uint32_t n, uint32_t *ret_n, struct we_error *err)
{
	struct host *host = env;
	const uint32_t take = n < host->ready ? n : host->ready;

	if (host->rc < 0)
		return we_error_set(err, host->rc, 0, "the host says no");
	if (host->closes)
		cm_stream_close(host->stream);
	if (n == 0 && host->is_probe_ready) {
		*ret_n = 0;
		return 0;
	}
	if (take == 0)
		return CM_BLOCKED;
	memset(host->taken, 0, sizeof(host->taken));
	memcpy(host->taken, buf, take);
	memset(buf, 'H', take);
	host->n_taken += take;
	host->ready -= take;
	*ret_n = take;
	return 0;
}

static void host_cancelled(void *env)
{
	((struct host *)env)->n_cancelled++;
}

static void host_dropped(void *env)
{
	((struct host *)env)->n_dropped++;
}

static const struct cm_stream_ops host_ops = {host_copy, host_cancelled, host_dropped};

// The guest's end leaves its table, as task.return would take it.
static void give_away(struct rig *rig, const char *wit, uint32_t handle, struct cm_val *ret_val)
{
	const struct cm_options opts = rig_options(rig, CM_ENCODING_UTF8, true);
	const struct cm_cx cx = {.inst = rig->inst, .opts = &opts};
	const uint64_t slots[1] = {handle};

	assert_int_equal(
		cm_lift_flat_params(&cx, 4, slots, rig_functype(rig, wit), ret_val, &rig->err), 0);
}

// The guest's readable end in the host's hands.
static struct cm_stream *take_readable(struct guest *g)
{
	struct cm_val val;

	op(g, CM_CANON_WAITABLE_JOIN, g->r, 0, 0);
	give_away(g->rig, "func(s: stream<u8>)", g->r, &val);
	return val.of.stream;
}

// A guest whose r is the readable end of a source of the host.
static struct guest reader_of_source(struct rig *rig, struct host *host)
{
	struct guest g = guest_of(rig, "stream<u8>");
	const struct cm_options opts = rig_options(rig, CM_ENCODING_UTF8, true);
	const struct cm_cx cx = {.inst = rig->inst, .opts = &opts};
	struct cm_val val = {.kind = CM_STREAM};
	uint64_t slots[1];

	assert_int_equal(
		cm_stream_create_source(rig->store, &host_ops, host, &host->stream, &rig->err), 0);
	val.of.stream = host->stream;
	assert_int_equal(cm_lower_flat_params(&cx, &val, rig_functype(rig, "func(s: stream<u8>)"),
				 slots, &rig->err),
		0);
	g.r = (uint32_t)slots[0];
	op(&g, CM_CANON_WAITABLE_JOIN, g.r, g.set, 0);
	return g;
}

static void source_gives_what_it_has_at_once(void **state)
{
	struct host host = {.ready = 5};
	struct guest g = reader_of_source(*state, &host);

	assert_int_equal(read(&g, DST, 3), result(COMPLETED, 3));
	assert_int_equal(read(&g, DST + 3, 3), result(COMPLETED, 2));
	assert_memory_equal(rig_bytes(*state, DST, 5), "HHHHH", 5);
	assert_int_equal(read(&g, DST, 3), BLOCKED);
	assert_no_event(&g);
	cm_stream_close(host.stream);
	assert_event(&g, CM_EVENT_STREAM_READ, g.r, result(DROPPED, 0));
	assert_int_equal(host.n_dropped, 0);
}

static void progress_fills_the_posted_read_in_steps_until_delivery(void **state)
{
	struct host host = {0};
	struct guest g = reader_of_source(*state, &host);
	uint8_t *buf;
	uint32_t n;

	assert_int_equal(cm_stream_posted(host.stream, &buf, &n), 1);
	assert_int_equal(read(&g, DST, 8), BLOCKED);
	assert_int_equal(cm_stream_posted(host.stream, &buf, &n), 0);
	assert_int_equal(n, 8);
	assert_ptr_equal(buf, rig_bytes(*state, DST, 8));
	memcpy(buf, "123", 3);
	cm_stream_progress(host.stream, 3);
	assert_int_equal(cm_stream_posted(host.stream, &buf, &n), 0);
	assert_int_equal(n, 5);
	assert_ptr_equal(buf, rig_bytes(*state, DST + 3, 5));
	cm_stream_progress(host.stream, 5);
	assert_int_equal(cm_stream_posted(host.stream, &buf, &n), 1); // full
	assert_event(&g, CM_EVENT_STREAM_READ, g.r, result(COMPLETED, 8));
	assert_int_equal(cm_stream_posted(host.stream, &buf, &n), 1);
}

static void delivery_takes_the_rest_of_the_posted_read_back(void **state)
{
	struct host host = {0};
	struct guest g = reader_of_source(*state, &host);
	uint8_t *buf;
	uint32_t n;

	assert_int_equal(read(&g, DST, 8), BLOCKED);
	cm_stream_progress(host.stream, 1);
	assert_event(&g, CM_EVENT_STREAM_READ, g.r, result(COMPLETED, 1));
	assert_int_equal(cm_stream_posted(host.stream, &buf, &n), 1);
}

static void probe_of_a_source_completes_with_nothing(void **state)
{
	struct host host = {0};
	struct guest g = reader_of_source(*state, &host);
	uint8_t *buf;
	uint32_t n = 7;

	assert_int_equal(read(&g, UINT32_MAX, 0), BLOCKED);
	assert_int_equal(cm_stream_posted(host.stream, &buf, &n), 0);
	assert_int_equal(n, 0);
	cm_stream_progress(host.stream, 0);
	assert_int_equal(cm_stream_posted(host.stream, &buf, &n), 1);
	assert_event(&g, CM_EVENT_STREAM_READ, g.r, result(COMPLETED, 0));
	host.is_probe_ready = true;
	assert_int_equal(read(&g, UINT32_MAX, 0), result(COMPLETED, 0));
}

static void cancelled_read_tells_the_host(void **state)
{
	struct host host = {0};
	struct guest g = reader_of_source(*state, &host);
	uint8_t *buf;
	uint32_t n;

	assert_int_equal(read(&g, DST, 8), BLOCKED);
	assert_int_equal(op(&g, CM_CANON_STREAM_CANCEL_READ, g.r, 0, 0), result(CANCELLED, 0));
	assert_int_equal(host.n_cancelled, 1);
	assert_int_equal(cm_stream_posted(host.stream, &buf, &n), 1);
	assert_int_equal(read(&g, DST, 8), BLOCKED);
	cm_stream_progress(host.stream, 2);
	assert_int_equal(op(&g, CM_CANON_STREAM_CANCEL_READ, g.r, 0, 0), result(COMPLETED, 2));
	assert_int_equal(host.n_cancelled, 1); // it was over before
	assert_int_equal(cm_stream_posted(host.stream, &buf, &n), 1);
}

static void dropped_reader_tells_the_host_once(void **state)
{
	struct host host = {0};
	struct guest g = reader_of_source(*state, &host);
	uint8_t *buf;
	uint32_t n;

	op(&g, CM_CANON_STREAM_DROP_READABLE, g.r, 0, 0);
	assert_int_equal(host.n_dropped, 1);
	assert_int_equal(cm_stream_posted(host.stream, &buf, &n), 1);
	cm_stream_close(host.stream);
	assert_int_equal(host.n_dropped, 1);
}

static void host_that_closes_inside_copy_still_answers_this_read(void **state)
{
	struct host host = {.ready = 2, .closes = true};
	struct guest g = reader_of_source(*state, &host);

	assert_int_equal(read(&g, DST, 8), result(COMPLETED, 2));
	assert_int_equal(read(&g, DST, 8), result(DROPPED, 0));
	assert_no_event(&g);
}

static void host_that_closes_inside_copy_without_data_drops(void **state)
{
	struct host host = {.closes = true};
	struct guest g = reader_of_source(*state, &host);

	assert_int_equal(read(&g, DST, 8), result(DROPPED, 0));
	assert_no_event(&g);
}

static void failure_of_the_host_ends_the_call(void **state)
{
	struct host host = {.rc = WE_E_TRAP};
	struct guest g = reader_of_source(*state, &host);

	assert_int_equal(rig_call3(g.rig, CM_CANON_STREAM_READ, g.b, g.r, DST, 8, NULL), WE_E_TRAP);
	assert_string_equal(g.rig->err.msg, "the host says no");
}

static void sink_takes_writes_in_parts(void **state)
{
	struct host host = {.ready = 4};
	struct guest g = guest_of(*state, "stream<u8>");
	void *source;
	uint8_t *buf;
	uint32_t n;

	host.stream = take_readable(&g);
	assert_int_equal(
		cm_stream_attach_sink(host.stream, &host_ops, &host, &source, &g.rig->err), 0);
	assert_int_equal(write(&g, SRC, 3), result(COMPLETED, 3));
	assert_memory_equal(host.taken, "abc", 3);
	assert_int_equal(write(&g, SRC, 3), result(COMPLETED, 1));
	memcpy(rig_bytes(*state, SRC, 3), "xyz", 3);
	assert_int_equal(write(&g, SRC, 3), BLOCKED);
	assert_int_equal(cm_stream_posted(host.stream, &buf, &n), 0);
	assert_int_equal(n, 3);
	assert_memory_equal(buf, "xyz", 3);
	cm_stream_progress(host.stream, 2);
	assert_event(&g, CM_EVENT_STREAM_WRITE, g.w, result(COMPLETED, 2));
	op(&g, CM_CANON_STREAM_DROP_WRITABLE, g.w, 0, 0);
	assert_int_equal(host.n_dropped, 1);
	cm_stream_close(host.stream);
}

static void write_posted_before_the_sink_came_is_offered_to_it(void **state)
{
	struct host host = {.ready = 4};
	struct guest g = guest_of(*state, "stream<u8>");
	void *source;

	assert_int_equal(write(&g, SRC, 6), BLOCKED);
	host.stream = take_readable(&g);
	assert_int_equal(
		cm_stream_attach_sink(host.stream, &host_ops, &host, &source, &g.rig->err), 0);
	assert_memory_equal(host.taken, "abcd", 4);
	assert_event(&g, CM_EVENT_STREAM_WRITE, g.w, result(COMPLETED, 4));
	cm_stream_close(host.stream);
	assert_int_equal(write(&g, SRC, 6), result(DROPPED, 0));
}

static void sink_that_comes_after_the_writer_dropped_is_told_at_once(void **state)
{
	struct host host = {0};
	struct guest g = guest_of(*state, "stream<u8>");
	void *source;

	host.stream = take_readable(&g);
	op(&g, CM_CANON_STREAM_DROP_WRITABLE, g.w, 0, 0);
	assert_int_equal(
		cm_stream_attach_sink(host.stream, &host_ops, &host, &source, &g.rig->err), 0);
	assert_int_equal(host.n_dropped, 1);
	cm_stream_close(host.stream);
	assert_int_equal(g.rig->store->streams.live, 0);
}

static void closed_sink_ends_a_posted_write(void **state)
{
	struct host host = {0};
	struct guest g = guest_of(*state, "stream<u8>");
	void *source;

	host.stream = take_readable(&g);
	assert_int_equal(
		cm_stream_attach_sink(host.stream, &host_ops, &host, &source, &g.rig->err), 0);
	assert_int_equal(write(&g, SRC, 6), BLOCKED);
	cm_stream_progress(host.stream, 1);
	cm_stream_close(host.stream);
	assert_event(&g, CM_EVENT_STREAM_WRITE, g.w, result(DROPPED, 1));
	op(&g, CM_CANON_STREAM_DROP_WRITABLE, g.w, 0, 0);
}

static void readable_end_that_the_host_does_not_want_drops(void **state)
{
	struct guest g = guest_of(*state, "stream<u8>");

	assert_int_equal(write(&g, SRC, 6), BLOCKED);
	cm_stream_close(take_readable(&g));
	assert_event(&g, CM_EVENT_STREAM_WRITE, g.w, result(DROPPED, 0));
}

static void own_source_comes_back_with_its_environment(void **state)
{
	struct host host = {0};
	struct host other = {0};
	struct guest g = reader_of_source(*state, &host);
	void *source = NULL;
	struct cm_stream *back = take_readable(&g);

	assert_ptr_equal(back, host.stream);
	assert_int_equal(cm_stream_attach_sink(back, &host_ops, &other, &source, &g.rig->err),
		CM_OWN_SOURCE);
	assert_ptr_equal(source, &host);
	assert_int_equal(host.n_dropped, 0);
	cm_stream_close(host.stream);
}

static void sink_of_other_elements_is_refused(void **state)
{
	struct guest g = guest_of(*state, "stream<u16>");
	struct host host = {0};
	struct cm_val val;
	void *source;

	op(&g, CM_CANON_WAITABLE_JOIN, g.r, 0, 0);
	give_away(g.rig, "func(s: stream<u16>)", g.r, &val);
	assert_int_equal(
		cm_stream_attach_sink(val.of.stream, &host_ops, &host, &source, &g.rig->err),
		WE_E_INVALID);
}

static void source_that_nobody_got_can_be_closed(void **state)
{
	struct rig *rig = *state;
	struct host host = {0};

	assert_int_equal(
		cm_stream_create_source(rig->store, &host_ops, &host, &host.stream, &rig->err), 0);
	cm_stream_close(host.stream);
	assert_int_equal(rig->store->streams.live, 0);
}

// ---- transfer -----------------------------------------------------------------------------------

static void lifting_a_stream_checks_its_state(void **state)
{
	struct rig *rig = *state;
	const struct cm_options opts = rig_options(rig, CM_ENCODING_UTF8, true);
	const struct cm_cx cx = {.inst = rig->inst, .opts = &opts};
	const struct cm_type *type = rig_functype(rig, "func(s: stream<u8>)");
	struct guest g = guest_of(rig, "stream<u8>");
	struct guest wide = guest_of(rig, "stream<u16>");
	struct cm_val val;
	uint64_t slots[1];

#define LIFT_TRAPS(handle, text)                                                                   \
	slots[0] = (handle);                                                                       \
	assert_int_equal(cm_lift_flat_params(&cx, 4, slots, type, &val, &rig->err), WE_E_TRAP);    \
	assert_memory_equal(rig->err.msg, text, strlen(text))

	LIFT_TRAPS(g.w, "handle index used with the wrong type");
	LIFT_TRAPS(77, "unknown handle index 77");
	LIFT_TRAPS(wide.r, "stream or future used with another element type");
	LIFT_TRAPS(g.r, "cannot lift stream while it's in a waitable set");
	op(&g, CM_CANON_WAITABLE_JOIN, g.r, 0, 0);
	assert_int_equal(read(&g, DST, 1), BLOCKED);
	LIFT_TRAPS(g.r, "cannot remove busy stream");
	op(&g, CM_CANON_STREAM_CANCEL_READ, g.r, 0, 0);
	op(&g, CM_CANON_STREAM_DROP_WRITABLE, g.w, 0, 0);
	assert_int_equal(read(&g, DST, 1), result(DROPPED, 0));
	LIFT_TRAPS(g.r, "cannot lift stream after being notified");
#undef LIFT_TRAPS
}

static void strings_pass_between_instances(void **state)
{
	struct rig *rig = *state;
	struct guest g = guest_of(rig, "stream<string>");
	struct cm_instance *other = rig_instance(rig);
	struct guest h = {.rig = rig, .b = rig_builtin(rig, "stream<string>", true)};
	const struct cm_type *type = rig_functype(rig, "func(s: stream<string>)");
	struct cm_builtin *moved = rig_builtin(rig, "stream<string>", true);
	const uint32_t strings[4] = {SRC, 3, SRC + 3, 2};
	struct cm_val val;
	uint64_t slots[1] = {g.r};

	moved->cx.inst = other;
	h.b = moved;
	op(&g, CM_CANON_WAITABLE_JOIN, g.r, 0, 0);
	assert_int_equal(cm_lift_flat_params(&g.b->cx, 4, slots, type, &val, &rig->err), 0);
	assert_int_equal(cm_lower_flat_params(&moved->cx, &val, type, slots, &rig->err), 0);
	h.r = (uint32_t)slots[0];
	memcpy(rig_bytes(rig, 512, sizeof(strings)), strings, sizeof(strings));
	assert_int_equal(write(&g, 512, 2), BLOCKED);
	assert_int_equal(read(&h, DST, 5), result(COMPLETED, 2));
	assert_event(&g, CM_EVENT_STREAM_WRITE, g.w, result(COMPLETED, 2));
	assert_int_equal(rig_u32(rig, DST + 4), 3);
	assert_memory_equal(rig_bytes(rig, rig_u32(rig, DST), 3), "abc", 3);
	assert_int_equal(rig_u32(rig, DST + 12), 2);
	assert_memory_equal(rig_bytes(rig, rig_u32(rig, DST + 8), 2), "de", 2);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, rig_setup, rig_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(posted_write_serves_reads_until_its_event_is_delivered),
		TEST(full_buffer_is_replaced_by_the_next_operation),
		TEST(zero_length_write_waits_for_a_reader),
		TEST(zero_length_read_waits_for_a_writer),
		TEST(probes_of_both_sides_meet_at_the_writer),
		TEST(drop_of_one_end_ends_the_other_with_what_was_moved),
		TEST(operation_on_a_dropped_stream_answers_dropped_at_once),
		TEST(cancelled_write_answers_how_far_it_came),
		TEST(cancel_after_the_peer_dropped_answers_dropped),
		TEST(second_operation_on_a_busy_end_traps),
		TEST(wrong_end_wrong_element_and_wrong_handle_trap),
		TEST(pointers_and_lengths_are_checked),
		TEST(elements_without_content_need_no_memory),
		TEST(numbers_pass_inside_an_instance_and_other_values_trap),
		TEST(synchronous_operation_in_a_set_traps),
		TEST(nothing_works_while_the_instance_may_not_be_left),
		TEST(source_gives_what_it_has_at_once),
		TEST(progress_fills_the_posted_read_in_steps_until_delivery),
		TEST(delivery_takes_the_rest_of_the_posted_read_back),
		TEST(probe_of_a_source_completes_with_nothing),
		TEST(cancelled_read_tells_the_host),
		TEST(dropped_reader_tells_the_host_once),
		TEST(host_that_closes_inside_copy_still_answers_this_read),
		TEST(host_that_closes_inside_copy_without_data_drops),
		TEST(failure_of_the_host_ends_the_call),
		TEST(sink_takes_writes_in_parts),
		TEST(write_posted_before_the_sink_came_is_offered_to_it),
		TEST(sink_that_comes_after_the_writer_dropped_is_told_at_once),
		TEST(closed_sink_ends_a_posted_write),
		TEST(readable_end_that_the_host_does_not_want_drops),
		TEST(own_source_comes_back_with_its_environment),
		TEST(sink_of_other_elements_is_refused),
		TEST(source_that_nobody_got_can_be_closed),
		TEST(lifting_a_stream_checks_its_state),
		TEST(strings_pass_between_instances),
	};

	return cmocka_run_group_tests_name("cm_stream", tests, NULL, NULL);
}
