// SPDX-License-Identifier: BSD-3-Clause
// What a guest can wait for, and the sets in which it waits. Module path 6.
// Spec: CanonicalABI.md "Waitable State".
#include "waitable.h"

#include "future.h"
#include "stream.h"
#include "subtask.h"

void cm_waitable_init(struct cm_waitable *w, enum cm_handle_kind kind)
{
	cm_link_init(&w->pending);
	w->wset = NULL;
	w->kind = kind;
	w->idx = 0;
	w->has_event = false;
}

static void take_out(struct cm_waitable *w)
{
	cm_link_remove(&w->pending);
	if (w->wset)
		cm_waitable_set_update(w->wset);
}

struct cm_event cm_waitable_get_pending_event(struct cm_waitable *w)
{
	assert(w->has_event);
	w->has_event = false;
	take_out(w);
	switch (w->kind) {
	case CM_HANDLE_SUBTASK:
		return cm_subtask_event(w);
	case CM_HANDLE_STREAM_READABLE:
	case CM_HANDLE_STREAM_WRITABLE:
		return cm_stream_event(w);
	case CM_HANDLE_FUTURE_READABLE:
	case CM_HANDLE_FUTURE_WRITABLE:
		return cm_future_event(w);
	case CM_HANDLE_NONE:
	case CM_HANDLE_WAITABLE_SET:
		break;
	}
	assert(false); // a waitable is of one of the kinds above
	return (struct cm_event){0};
}

void cm_waitable_join(struct cm_waitable *w, struct cm_waitable_set *wset)
{
	if (w->wset) {
		take_out(w);
		w->wset->n_elems--;
	}
	w->wset = wset;
	if (wset) {
		wset->n_elems++;
		if (w->has_event)
			cm_link_append(&wset->pending, &w->pending);
		cm_waitable_set_update(wset);
	}
}

void cm_waitable_drop(struct cm_waitable *w)
{
	assert(!w->has_event);
	cm_waitable_join(w, NULL);
}

int cm_waitable_set_create(
	struct cm_store *store, struct cm_waitable_set **ret_wset, struct we_error *err)
{
	struct cm_waitable_set *wset = cm_pool_take(&store->sets, sizeof(*wset));

	if (!wset)
		return cm_nomem(err);
	cm_ready_init(&wset->ready, CM_READY_SET);
	cm_link_init(&wset->pending);
	cm_link_init(&wset->waiters);
	cm_link_append(&store->live_sets, &wset->all);
	wset->store = store;
	wset->n_elems = 0;
	*ret_wset = wset;
	return 0;
}

void cm_waitable_set_destroy(struct cm_waitable_set *wset)
{
	cm_link_remove(&wset->ready.link);
	cm_link_remove(&wset->all);
	cm_pool_give(&wset->store->sets, wset);
}

struct cm_event cm_waitable_set_get_pending_event(struct cm_waitable_set *wset)
{
	assert(cm_waitable_set_has_pending_event(wset));
	return cm_waitable_get_pending_event(
		cm_of_link(wset->pending.next, struct cm_waitable, pending));
}
