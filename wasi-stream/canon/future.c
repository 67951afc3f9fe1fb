// SPDX-License-Identifier: BSD-3-Clause
// A value that one end writes once and the other reads. Module path 6.
// Spec: CanonicalABI.md "Future State".
#include "future.h"

#include "lift.h"

int cm_future_create(struct cm_store *store, const struct cm_type *elem,
	struct cm_future **ret_future, struct we_error *err)
{
	struct cm_future *future = cm_pool_take(&store->futures, sizeof(*future));

	if (!future)
		return cm_nomem(err);
	cm_shared_init(&future->shared, store, elem, true);
	future->fn = NULL;
	future->env = NULL;
	*ret_future = future;
	return 0;
}

struct cm_event cm_future_event(struct cm_waitable *w)
{
	struct cm_copy_end *end = (struct cm_copy_end *)w;

	assert(cm_copy_end_is_copying(end));
	assert((cm_buffer_remain(&end->buffer) == 0) == (end->result == CM_COPY_COMPLETED));
	end->state = end->result == CM_COPY_CANCELLED ? CM_COPY_IDLE : CM_COPY_DONE;
	return (struct cm_event){
		.code = w->kind == CM_HANDLE_FUTURE_READABLE ? CM_EVENT_FUTURE_READ
							     : CM_EVENT_FUTURE_WRITE,
		.p1 = w->idx,
		.p2 = (uint32_t)end->result,
	};
}

// Lift what the guest has written and hand it to the host.
static int give_to_host(struct cm_future *future, struct we_error *err)
{
	struct cm_buffer *src = &future->shared.writable.buffer;
	struct cm_scratch *scratch = &future->shared.store->scratch;
	const struct cm_scratch_mark mark = cm_scratch_mark(scratch);
	const struct cm_type *elem = future->shared.elem;
	struct cm_val val = {.kind = CM_TUPLE}; // of a future without content
	int rc = 0;

	if (elem)
		rc = cm_load(src->cx, src->ptr, elem, &val, err);
	if (rc == 0) {
		cm_buffer_advance(src, elem, 1);
		cm_copy_end_done(&future->shared.writable, CM_COPY_COMPLETED);
		rc = future->fn(future->env, &val, err);
	}
	cm_scratch_release(scratch, mark);
	return rc;
}

static int rendezvous(struct cm_copy_end *end, struct we_error *err)
{
	struct cm_shared *shared = end->shared;
	int rc;

	assert(shared->pending == cm_copy_end_peer(end));
	if (end->buffer.cx->inst == shared->pending->buffer.cx->inst &&
		!cm_is_none_or_number(shared->elem))
		return cm_trap(err, CM_TRAP_INTRA_FUTURE);
	rc = cm_buffer_copy(
		&shared->readable.buffer, &shared->writable.buffer, shared->elem, 1, err);
	if (rc < 0)
		return rc;
	cm_shared_notify_pending(shared, CM_COPY_COMPLETED);
	cm_copy_end_done(end, CM_COPY_COMPLETED);
	return 0;
}

int cm_future_copy(struct cm_copy_end *end, struct we_error *err)
{
	struct cm_shared *shared = end->shared;

	assert(cm_buffer_remain(&end->buffer) == 1);
	if (shared->dropped) {
		assert(end == &shared->writable); // a writable end is dropped only after it wrote
		cm_copy_end_done(end, CM_COPY_DROPPED);
		return 0;
	}
	if (end == &shared->writable && shared->readable.holder == CM_HELD_HOST_PEER)
		return give_to_host(cm_future_of(shared), err);
	if (shared->pending)
		return rendezvous(end, err);
	shared->pending = end;
	return 0;
}

// ---- the host's end -----------------------------------------------------------------------------

int cm_future_attach(struct cm_future *future, cm_future_fn fn, void *env, struct we_error *err)
{
	assert(future->shared.readable.holder == CM_HELD_HOST);
	future->fn = fn;
	future->env = env;
	future->shared.readable.holder = CM_HELD_HOST_PEER;
	if (!future->shared.pending)
		return 0;
	future->shared.pending = NULL;
	return give_to_host(future, err);
}

void cm_future_close(struct cm_future *future)
{
	assert(future->shared.readable.holder == CM_HELD_HOST_PEER ||
		future->shared.readable.holder == CM_HELD_HOST);
	cm_copy_end_drop(&future->shared.readable);
}
