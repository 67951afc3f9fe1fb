// SPDX-License-Identifier: BSD-3-Clause
// The built-ins of streams and futures. Module path 6, data path 3/7 and 5/7.
// Spec: CanonicalABI.md "canon {stream,future}.new" and the headings after it.
#include "copy.h"

#include "builtins.h"
#include "future.h"

// The end at index i. Returns NULL with the trap in *err. Spec: the first checks of stream_copy,
// future_copy, cancel_copy and drop.
static inline struct cm_copy_end *get_end(
	const struct cm_builtin *b, enum cm_handle_kind kind, uint32_t i, struct we_error *err)
{
	struct cm_copy_end *end;

	if (!b->cx.inst->may_leave) {
		(void)cm_trap(err, CM_TRAP_CANNOT_LEAVE);
		return NULL;
	}
	end = cm_handles_get(&b->cx.inst->handles, i, kind);
	if (!end)
		(void)cm_handles_blame(&b->cx.inst->handles, i, err);
	else if (!cm_elem_equal(end->shared->elem, b->type->elem))
		(void)cm_trap_at(err, CM_TRAP_ELEMENT_TYPE, i);
	else
		return end;
	return NULL;
}

// ---- new ----------------------------------------------------------------------------------------

static int add_end(const struct cm_builtin *b, struct cm_copy_end *end, struct we_error *err)
{
	const int rc = cm_handles_add(
		&b->cx.inst->handles, end->waitable.kind, end, &end->waitable.idx, err);

	if (rc == 0)
		end->holder = CM_HELD_GUEST;
	return rc;
}

static int add_ends(
	const struct cm_builtin *b, struct cm_shared *shared, uint64_t *slots, struct we_error *err)
{
	int rc = add_end(b, &shared->readable, err);

	if (rc == 0)
		rc = add_end(b, &shared->writable, err);
	slots[0] = shared->readable.waitable.idx | (uint64_t)shared->writable.waitable.idx << 32;
	return rc; // after a failure the store is dead, and frees what there is
}

int canon_stream_new(void *env, uint64_t *slots, struct we_error *err)
{
	const struct cm_builtin *b = env;
	struct cm_stream *stream;
	int rc;

	if (!b->cx.inst->may_leave)
		return cm_trap(err, CM_TRAP_CANNOT_LEAVE);
	rc = cm_stream_create(b->cx.inst->store, b->type->elem, &stream, err);
	return rc < 0 ? rc : add_ends(b, &stream->shared, slots, err);
}

int canon_future_new(void *env, uint64_t *slots, struct we_error *err)
{
	const struct cm_builtin *b = env;
	struct cm_future *future;
	int rc;

	if (!b->cx.inst->may_leave)
		return cm_trap(err, CM_TRAP_CANNOT_LEAVE);
	rc = cm_future_create(b->cx.inst->store, b->type->elem, &future, err);
	return rc < 0 ? rc : add_ends(b, &future->shared, slots, err);
}

// ---- read, write --------------------------------------------------------------------------------

static int blame_state(const struct cm_copy_end *end, struct we_error *err)
{
	const bool is_read = end == &end->shared->readable;
	enum cm_trap trap = CM_TRAP_BUSY;

	if (end->state == CM_COPY_DONE && end->shared->is_future)
		trap = is_read ? CM_TRAP_READ_DONE_FUTURE : CM_TRAP_WRITE_DONE_FUTURE;
	else if (end->state == CM_COPY_DONE)
		trap = is_read ? CM_TRAP_READ_DONE_STREAM : CM_TRAP_WRITE_DONE_STREAM;
	return cm_trap(err, trap);
}

static int copy_with_host(const struct cm_builtin *b, struct cm_copy_end *end, uint8_t *span,
	uint64_t *slots, const char *what, struct we_error *err)
{
	uint32_t payload = CM_CORE_BLOCKED;
	const int rc = cm_stream_copy_with_host(end, span, &payload, err);

	if (rc < 0)
		return rc;
	if (rc == CM_BLOCKED && !b->is_async)
		return cm_task_block(b->cx.inst->store, what, err);
	slots[0] = payload;
	return 0;
}

// Spec: stream_copy and future_copy; n is 1 for a future.
static inline int copy(const struct cm_builtin *b, enum cm_handle_kind kind, uint64_t *slots,
	uint32_t n, const char *what, struct we_error *err)
{
	struct cm_copy_end *end = get_end(b, kind, (uint32_t)slots[0], err);
	uint8_t *span;
	int rc;

	if (!end)
		return WE_E_TRAP;
	if (end->state != CM_COPY_IDLE)
		return blame_state(end, err);
	if (end->waitable.wset && !b->is_async)
		return cm_trap(err, CM_TRAP_SYNC_IN_SET);
	rc = cm_buffer_init(&end->buffer, &b->cx, b->type->elem, (uint32_t)slots[1], n, &span, err);
	if (rc < 0)
		return rc;
	if (cm_copy_end_peer(end)->holder == CM_HELD_HOST_PEER && !end->shared->is_future)
		return copy_with_host(b, end, span, slots, what, err);
	end->state = CM_COPY_COPYING;
	rc = end->shared->is_future ? cm_future_copy(end, err) : cm_stream_copy(end, err);
	if (rc < 0)
		return rc;
	if (!end->waitable.has_event) {
		if (!b->is_async)
			return cm_task_block(b->cx.inst->store, what, err);
		slots[0] = CM_CORE_BLOCKED;
		return 0;
	}
	slots[0] = cm_waitable_get_pending_event(&end->waitable).p2;
	return 0;
}

int canon_stream_read(void *env, uint64_t *slots, struct we_error *err)
{
	return copy(env, CM_HANDLE_STREAM_READABLE, slots, (uint32_t)slots[2], "stream.read", err);
}

int canon_stream_write(void *env, uint64_t *slots, struct we_error *err)
{
	return copy(env, CM_HANDLE_STREAM_WRITABLE, slots, (uint32_t)slots[2], "stream.write", err);
}

int canon_future_read(void *env, uint64_t *slots, struct we_error *err)
{
	return copy(env, CM_HANDLE_FUTURE_READABLE, slots, 1, "future.read", err);
}

int canon_future_write(void *env, uint64_t *slots, struct we_error *err)
{
	return copy(env, CM_HANDLE_FUTURE_WRITABLE, slots, 1, "future.write", err);
}

// ---- cancel -------------------------------------------------------------------------------------

// The posted buffer goes back to its owner. Spec: SharedBase.cancel.
static void shared_cancel(struct cm_copy_end *end)
{
	struct cm_shared *shared = end->shared;

	assert(shared->pending == end);
	cm_shared_notify_pending(shared, CM_COPY_CANCELLED);
	if (!shared->is_future && cm_copy_end_peer(end)->holder == CM_HELD_HOST_PEER) {
		const struct cm_stream *stream = cm_stream_of(shared);

		if (stream->ops->cancelled)
			stream->ops->cancelled(stream->env);
	}
}

// Spec: cancel_copy. Cancelling takes effect at once, so it never blocks.
static int cancel_copy(
	const struct cm_builtin *b, enum cm_handle_kind kind, uint64_t *slots, struct we_error *err)
{
	struct cm_copy_end *end = get_end(b, kind, (uint32_t)slots[0], err);

	if (!end)
		return WE_E_TRAP;
	if (end->state != CM_COPY_COPYING)
		return cm_trap(err, CM_TRAP_NOT_COPYING);
	if (end->waitable.wset && !b->is_async)
		return cm_trap(err, CM_TRAP_SYNC_IN_SET);
	end->state = CM_COPY_CANCELLING;
	if (!end->waitable.has_event)
		shared_cancel(end);
	slots[0] = cm_waitable_get_pending_event(&end->waitable).p2;
	return 0;
}

int canon_stream_cancel_read(void *env, uint64_t *slots, struct we_error *err)
{
	return cancel_copy(env, CM_HANDLE_STREAM_READABLE, slots, err);
}

int canon_stream_cancel_write(void *env, uint64_t *slots, struct we_error *err)
{
	return cancel_copy(env, CM_HANDLE_STREAM_WRITABLE, slots, err);
}

int canon_future_cancel_read(void *env, uint64_t *slots, struct we_error *err)
{
	return cancel_copy(env, CM_HANDLE_FUTURE_READABLE, slots, err);
}

int canon_future_cancel_write(void *env, uint64_t *slots, struct we_error *err)
{
	return cancel_copy(env, CM_HANDLE_FUTURE_WRITABLE, slots, err);
}

// ---- drop ---------------------------------------------------------------------------------------

static int drop(const struct cm_builtin *b, enum cm_handle_kind kind, const uint64_t *slots,
	struct we_error *err)
{
	struct cm_copy_end *end = get_end(b, kind, (uint32_t)slots[0], err);

	if (!end)
		return WE_E_TRAP;
	if (kind == CM_HANDLE_FUTURE_WRITABLE && end->state != CM_COPY_DONE)
		return cm_trap(err, CM_TRAP_FUTURE_UNWRITTEN);
	if (cm_copy_end_is_copying(end))
		return cm_trap(err, end->shared->is_future ? CM_TRAP_DROP_BUSY_FUTURE
							   : CM_TRAP_DROP_BUSY_STREAM);
	cm_handles_remove(&b->cx.inst->handles, (uint32_t)slots[0]);
	cm_copy_end_drop(end);
	return 0;
}

int canon_stream_drop_readable(void *env, uint64_t *slots, struct we_error *err)
{
	return drop(env, CM_HANDLE_STREAM_READABLE, slots, err);
}

int canon_stream_drop_writable(void *env, uint64_t *slots, struct we_error *err)
{
	return drop(env, CM_HANDLE_STREAM_WRITABLE, slots, err);
}

int canon_future_drop_readable(void *env, uint64_t *slots, struct we_error *err)
{
	return drop(env, CM_HANDLE_FUTURE_READABLE, slots, err);
}

int canon_future_drop_writable(void *env, uint64_t *slots, struct we_error *err)
{
	return drop(env, CM_HANDLE_FUTURE_WRITABLE, slots, err);
}
