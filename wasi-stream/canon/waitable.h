// SPDX-License-Identifier: BSD-3-Clause
// cm_waitable: what a guest can wait for, and the sets in which it waits.
//
// Module path 6. Everything is O(1): a waitable with an event stands in its set's list, a set with an
// event and a waiter stands in the store's.
// Owns:    nothing; waitables are members of subtasks and of stream and future ends.
// Thread:  one worker; no locks.
// Spec:    CanonicalABI.md "Waitable State".
#pragma once

#include "handle.h"
#include "store.h"

enum cm_event_code {
	CM_EVENT_NONE = 0,
	CM_EVENT_SUBTASK = 1,
	CM_EVENT_STREAM_READ = 2,
	CM_EVENT_STREAM_WRITE = 3,
	CM_EVENT_FUTURE_READ = 4,
	CM_EVENT_FUTURE_WRITE = 5,
	CM_EVENT_TASK_CANCELLED = 6,
};

struct cm_event {
	uint32_t code; // enum cm_event_code
	uint32_t p1;   // handle index of the waitable
	uint32_t p2;   // what happened
};

// Invariant: n_elems waitables have this set as theirs; those of them with an event are in pending.
struct cm_waitable_set {
	struct cm_ready ready;  // in the store's list while pending and waiters are not empty
	struct cm_link all;     // in the store's sets, for the end
	struct cm_link pending; // waitables with an event, oldest first
	struct cm_link waiters; // tasks in WAIT, oldest first
	struct cm_store *store;
	uint32_t n_elems; // waitables joined
};

// Invariant: in wset->pending if and only if has_event and wset.
struct cm_waitable {
	struct cm_link pending;
	struct cm_waitable_set *wset; // NULL: in none
	enum cm_handle_kind kind;
	uint32_t idx; // in the handle table of its instance
	bool has_event;
};

// Put the set into the store's ready list, or take it out, as its lists now say.
static inline void cm_waitable_set_update(struct cm_waitable_set *wset)
{
	if (!cm_link_is_alone(&wset->pending) && !cm_link_is_alone(&wset->waiters))
		cm_store_make_ready(wset->store, &wset->ready);
	else
		cm_link_remove(&wset->ready.link);
}

void cm_waitable_init(struct cm_waitable *w, enum cm_handle_kind kind);

static inline void cm_waitable_set_pending_event(struct cm_waitable *w)
{
	if (w->has_event)
		return;
	w->has_event = true;
	if (w->wset) {
		cm_link_append(&w->wset->pending, &w->pending);
		cm_waitable_set_update(w->wset);
	}
}

// Take the event. Needs: has_event.
struct cm_event cm_waitable_get_pending_event(struct cm_waitable *w);
void cm_waitable_join(struct cm_waitable *w, struct cm_waitable_set *wset); // NULL: leave
// Needs: no event.
void cm_waitable_drop(struct cm_waitable *w);

WE_MUST_USE int cm_waitable_set_create(
	struct cm_store *store, struct cm_waitable_set **ret_wset, struct we_error *err);
void cm_waitable_set_destroy(struct cm_waitable_set *wset);
static inline bool cm_waitable_set_has_pending_event(const struct cm_waitable_set *wset)
{
	return !cm_link_is_alone(&wset->pending);
}
// Needs: a pending event.
struct cm_event cm_waitable_set_get_pending_event(struct cm_waitable_set *wset);
