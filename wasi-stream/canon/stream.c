// SPDX-License-Identifier: BSD-3-Clause
// A stream between two ends, of which either may be the host's. Module path 6, data path 3/7 and 5/7.
// Spec: CanonicalABI.md "Stream State".
#include "stream.h"

#include "future.h"

static void end_init(struct cm_copy_end *end, struct cm_shared *shared, enum cm_handle_kind kind)
{
	cm_waitable_init(&end->waitable, kind);
	end->shared = shared;
	end->state = CM_COPY_IDLE;
	end->holder = CM_HELD_NOBODY;
	end->result = CM_COPY_COMPLETED;
	end->reclaims = false;
	end->buffer = (struct cm_buffer){0};
}

void cm_shared_init(struct cm_shared *shared, struct cm_store *store, const struct cm_type *elem,
	bool is_future)
{
	cm_link_append(&store->live_shared, &shared->all);
	shared->store = store;
	shared->elem = elem;
	end_init(&shared->readable, shared,
		is_future ? CM_HANDLE_FUTURE_READABLE : CM_HANDLE_STREAM_READABLE);
	end_init(&shared->writable, shared,
		is_future ? CM_HANDLE_FUTURE_WRITABLE : CM_HANDLE_STREAM_WRITABLE);
	shared->pending = NULL;
	shared->is_future = is_future;
	shared->dropped = false;
}

void cm_shared_destroy(struct cm_shared *shared)
{
	cm_link_remove(&shared->all);
	if (shared->is_future)
		cm_pool_give(&shared->store->futures, cm_future_of(shared));
	else
		cm_pool_give(&shared->store->streams, cm_stream_of(shared));
}

int cm_stream_create(struct cm_store *store, const struct cm_type *elem,
	struct cm_stream **ret_stream, struct we_error *err)
{
	struct cm_stream *stream = cm_pool_take(&store->streams, sizeof(*stream));

	if (!stream)
		return cm_nomem(err);
	cm_shared_init(&stream->shared, store, elem, false);
	stream->ops = NULL;
	stream->env = NULL;
	*ret_stream = stream;
	return 0;
}

void cm_copy_end_done(struct cm_copy_end *end, enum cm_copy_result result)
{
	end->result = result;
	end->reclaims = false;
	cm_waitable_set_pending_event(&end->waitable);
}

void cm_shared_notify_pending(struct cm_shared *shared, enum cm_copy_result result)
{
	struct cm_copy_end *end = shared->pending;

	shared->pending = NULL;
	cm_copy_end_done(end, result);
}

// The host may close its end inside: the stream is gone then.
static void tell_dropped(struct cm_stream *stream)
{
	if (stream->ops->dropped)
		stream->ops->dropped(stream->env);
}

void cm_copy_end_drop(struct cm_copy_end *end)
{
	struct cm_shared *shared = end->shared;
	struct cm_copy_end *peer = cm_copy_end_peer(end);

	if (end->holder == CM_HELD_GUEST)
		cm_waitable_drop(&end->waitable);
	end->holder = CM_HELD_NOBODY;
	if (!shared->dropped) {
		shared->dropped = true;
		if (shared->pending)
			cm_shared_notify_pending(shared, CM_COPY_DROPPED);
	}
	if (peer->holder == CM_HELD_NOBODY)
		cm_shared_destroy(shared);
	else if (peer->holder == CM_HELD_HOST_PEER && !shared->is_future)
		tell_dropped(cm_stream_of(shared));
}

bool cm_is_none_or_number(const struct cm_type *type)
{
	return !type || (type->kind >= CM_TYPE_S8 && type->kind <= CM_TYPE_F64);
}

struct cm_event cm_stream_event(struct cm_waitable *w)
{
	struct cm_copy_end *end = (struct cm_copy_end *)w;

	assert(cm_copy_end_is_copying(end));
	if (end->reclaims) {
		assert(end->shared->pending == end);
		end->shared->pending = NULL;
	}
	end->state = end->result == CM_COPY_DROPPED ? CM_COPY_DONE : CM_COPY_IDLE;
	return (struct cm_event){
		.code = w->kind == CM_HANDLE_STREAM_READABLE ? CM_EVENT_STREAM_READ
							     : CM_EVENT_STREAM_WRITE,
		.p1 = w->idx,
		.p2 = (uint32_t)end->result | end->buffer.progress << 4,
	};
}

// Some of the posted buffer was used: its owner may be told, and more may follow until it is.
// Spec: on_copy.
static void end_progressed(struct cm_copy_end *end)
{
	end->result = CM_COPY_COMPLETED;
	end->reclaims = true;
	cm_waitable_set_pending_event(&end->waitable);
}

// The other side has posted its buffer.
static int rendezvous(struct cm_copy_end *end, struct we_error *err)
{
	struct cm_shared *shared = end->shared;
	struct cm_copy_end *pending = shared->pending;
	const bool is_write = end == &shared->writable;
	const uint32_t remain = cm_buffer_remain(&end->buffer);
	const uint32_t pending_remain = cm_buffer_remain(&pending->buffer);

	assert(pending == cm_copy_end_peer(end));
	if (end->buffer.cx->inst == pending->buffer.cx->inst && !cm_is_none_or_number(shared->elem))
		return cm_trap(err, CM_TRAP_INTRA_STREAM);
	if (pending_remain > 0) {
		if (remain > 0) {
			const uint32_t n = remain < pending_remain ? remain : pending_remain;
			struct cm_buffer *dst = &shared->readable.buffer;
			const int rc =
				cm_buffer_copy(dst, &shared->writable.buffer, shared->elem, n, err);

			if (rc < 0)
				return rc;
			end_progressed(pending);
		}
		cm_copy_end_done(end, CM_COPY_COMPLETED);
	} else if (is_write && end->buffer.length == 0 && pending->buffer.length == 0) {
		cm_copy_end_done(end, CM_COPY_COMPLETED);
	} else {
		cm_shared_notify_pending(shared, CM_COPY_COMPLETED);
		shared->pending = end;
	}
	return 0;
}

int cm_stream_copy(struct cm_copy_end *end, struct we_error *err)
{
	struct cm_shared *shared = end->shared;

	if (shared->dropped) {
		cm_copy_end_done(end, CM_COPY_DROPPED);
		return 0;
	}
	if (shared->pending)
		return rendezvous(end, err);
	shared->pending = end;
	return 0;
}

int cm_stream_copy_with_host(
	struct cm_copy_end *end, uint8_t *span, uint32_t *ret_payload, struct we_error *err)
{
	struct cm_stream *stream = cm_stream_of(end->shared);
	const uint32_t length = end->buffer.length;
	uint32_t n = 0;
	int rc;

	end->state = CM_COPY_COPYING;
	end->shared->pending = end;
	rc = stream->ops->copy(stream->env, span, length, &n, err);
	if (rc < 0)
		return rc;
	if (rc == 0) {
		assert(n <= length && (n > 0 || length == 0));
		cm_buffer_advance(&end->buffer, end->shared->elem, n);
		if (!end->waitable.has_event) { // done at once, without an event
			end->shared->pending = NULL;
			end->state = CM_COPY_IDLE;
			*ret_payload = CM_COPY_COMPLETED | n << 4;
			return 0;
		}
		end->result = CM_COPY_COMPLETED;
	}
	if (!end->waitable.has_event)
		return CM_BLOCKED;
	// The host closed its end inside, or said cm_stream_progress.
	*ret_payload = cm_waitable_get_pending_event(&end->waitable).p2;
	return 0;
}

// ---- the host's end -----------------------------------------------------------------------------

int cm_stream_create_source(struct cm_store *store, const struct cm_stream_ops *ops, void *env,
	struct cm_stream **ret_stream, struct we_error *err)
{
	struct cm_stream *stream;
	const int rc = cm_stream_create(store, cm_type_primitive(CM_TYPE_U8), &stream, err);

	if (rc != 0)
		return rc;
	stream->ops = ops;
	stream->env = env;
	stream->shared.writable.holder = CM_HELD_HOST_PEER;
	stream->shared.readable.holder = CM_HELD_HOST;
	*ret_stream = stream;
	return 0;
}

// A write that stood before the host came.
static int offer_posted(struct cm_stream *stream, struct we_error *err)
{
	uint8_t *span;
	uint32_t remain;
	uint32_t n = 0;
	int rc;

	if (cm_stream_posted(stream, &span, &remain) != 0)
		return 0;
	rc = stream->ops->copy(stream->env, span, remain, &n, err);
	if (rc < 0)
		return rc;
	if (rc == 0 && stream->shared.pending)
		cm_stream_progress(stream, n);
	return 0;
}

int cm_stream_attach_sink(struct cm_stream *stream, const struct cm_stream_ops *ops, void *env,
	void **ret_source_env, struct we_error *err)
{
	struct cm_shared *shared = &stream->shared;

	assert(shared->readable.holder == CM_HELD_HOST);
	if (shared->elem != cm_type_primitive(CM_TYPE_U8))
		return we_error_set(
			err, WE_E_INVALID, 0, "sink of a stream that is not stream<u8>");
	if (shared->writable.holder == CM_HELD_HOST_PEER) {
		*ret_source_env = stream->env;
		shared->readable.holder = CM_HELD_NOBODY;
		shared->dropped = true;
		return CM_OWN_SOURCE;
	}
	shared->readable.holder = CM_HELD_HOST_PEER;
	stream->ops = ops;
	stream->env = env;
	if (shared->dropped) {
		tell_dropped(stream);
		return 0;
	}
	return offer_posted(stream, err);
}

int cm_stream_posted(struct cm_stream *stream, uint8_t **ret_buf, uint32_t *ret_n)
{
	const struct cm_copy_end *end = stream->shared.pending;
	uint32_t remain;

	if (!end)
		return 1;
	remain = cm_buffer_remain(&end->buffer);
	if (remain == 0 && end->buffer.length > 0) // full, and its owner not yet told
		return 1;
	*ret_buf = remain > 0 ? cm_cx_span(end->buffer.cx, end->buffer.ptr, remain) : NULL;
	*ret_n = remain;
	return 0;
}

void cm_stream_progress(struct cm_stream *stream, uint32_t n)
{
	struct cm_copy_end *end = stream->shared.pending;

	assert(end);
	if (n == 0) {
		cm_shared_notify_pending(&stream->shared, CM_COPY_COMPLETED);
		return;
	}
	cm_buffer_advance(&end->buffer, stream->shared.elem, n);
	end_progressed(end);
}

void cm_stream_close(struct cm_stream *stream)
{
	struct cm_shared *shared = &stream->shared;
	// The readable end while it is unused; otherwise the end that has the ops.
	struct cm_copy_end *end = shared->writable.holder == CM_HELD_HOST_PEER ? &shared->writable
									       : &shared->readable;

	assert(end->holder == CM_HELD_HOST_PEER || end->holder == CM_HELD_HOST);
	if (end == &shared->writable && shared->readable.holder == CM_HELD_HOST)
		shared->readable.holder = CM_HELD_NOBODY; // a source that was never given away
	cm_copy_end_drop(end);
}
