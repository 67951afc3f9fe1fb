// SPDX-License-Identifier: BSD-3-Clause
// cm_stream: a stream between two ends, of which either may be the host's.
//
// Module path 6, data path 3/7 and 5/7. At most one buffer is posted; nothing is stored in between.
// Owns:    nothing but its state; buffers are places in guest memory, found anew at each use.
// Thread:  one worker; no locks.
// Spec:    CanonicalABI.md "Stream State".
#pragma once

#include "buffer.h"
#include "waitable.h"

enum cm_copy_result {
	CM_COPY_COMPLETED = 0,
	CM_COPY_DROPPED = 1,
	CM_COPY_CANCELLED = 2,
};

enum cm_copy_state {
	CM_COPY_IDLE,
	CM_COPY_COPYING,
	CM_COPY_CANCELLING,
	CM_COPY_DONE,
};

// Who has an end.
enum cm_holder {
	CM_HELD_GUEST,     // in a handle table
	CM_HELD_HOST,      // in the host's hands, unused
	CM_HELD_HOST_PEER, // the host's, which reads or writes by its ops
	CM_HELD_NOBODY,    // dropped
};

struct cm_shared;

// CopyEnd. waitable, state and buffer mean something while a guest holds the end.
struct cm_copy_end {
	struct cm_waitable waitable; // first: a handle leads here
	struct cm_shared *shared;
	enum cm_copy_state state;
	enum cm_holder holder;
	enum cm_copy_result result; // of the pending event
	bool reclaims;              // delivering the event takes the posted buffer back
	struct cm_buffer buffer;
};

// SharedBase: what a stream and a future have in common.
// Invariant: pending is NULL or an end whose holder is a guest and that is copying.
struct cm_shared {
	struct cm_link all; // in the store's streams and futures
	struct cm_store *store;
	const struct cm_type *elem; // NULL: elements without content
	struct cm_copy_end readable;
	struct cm_copy_end writable;
	struct cm_copy_end *pending; // the end whose buffer is posted
	bool is_future;
	bool dropped;
};

struct cm_stream {
	struct cm_shared shared;
	const struct cm_stream_ops *ops; // of the end that is HOST_PEER
	void *env;
};

void cm_shared_destroy(struct cm_shared *shared);
// Both ends IDLE and held by nobody yet.
void cm_shared_init(struct cm_shared *shared, struct cm_store *store, const struct cm_type *elem,
	bool is_future);
static inline struct cm_copy_end *cm_copy_end_peer(const struct cm_copy_end *end)
{
	return end == &end->shared->readable ? &end->shared->writable : &end->shared->readable;
}
static inline bool cm_copy_end_is_copying(const struct cm_copy_end *end)
{
	return end->state == CM_COPY_COPYING || end->state == CM_COPY_CANCELLING;
}
// The result will be the end's next event. Spec: on_copy_done.
void cm_copy_end_done(struct cm_copy_end *end, enum cm_copy_result result);
// Spec: reset_and_notify_pending.
void cm_shared_notify_pending(struct cm_shared *shared, enum cm_copy_result result);
// Spec: SharedStreamImpl.drop. The holder of the end is nobody then; frees what both ends gave up.
void cm_copy_end_drop(struct cm_copy_end *end);

// May elements of this type be copied within one instance? Spec: none_or_number_type.
bool cm_is_none_or_number(const struct cm_type *type);
static inline bool cm_elem_equal(const struct cm_type *a, const struct cm_type *b)
{
	return a == b || (a && b && cm_type_equal(a, b));
}

WE_MUST_USE int cm_stream_create(struct cm_store *store, const struct cm_type *elem,
	struct cm_stream **ret_stream, struct we_error *err);
static inline struct cm_stream *cm_stream_of(struct cm_shared *shared)
{
	assert(!shared->is_future);
	return cm_of_link(shared, struct cm_stream, shared);
}
struct cm_event cm_stream_event(struct cm_waitable *w);
// Move elements between the end's buffer and the other side, or post the buffer. Afterwards the end has
// an event, or waits. Spec: SharedStreamImpl.read, write.
WE_MUST_USE int cm_stream_copy(struct cm_copy_end *end, struct we_error *err);
// The same when the other side is the host: it moves elements to or from span, the buffer's place, at once;
// or the buffer is posted. Returns: 0 with what the operation answers; CM_BLOCKED; a failure of the host.
WE_MUST_USE int cm_stream_copy_with_host(
	struct cm_copy_end *end, uint8_t *span, uint32_t *ret_payload, struct we_error *err);
