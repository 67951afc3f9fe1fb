// SPDX-License-Identifier: BSD-3-Clause
// The life of a filter after its start: offers, runs, the stop, and what is known of it.
//
// Data path 3/7, 4/7 and 5/7. No allocation, no system call, no log.
// Spec: ARCHITECTURE.md section 4
#include "filter.h"
#include "program.h"

int ws_filter_fault(struct ws_filter *filter, struct we_error *err)
{
	assert(filter->error.rc < 0);
	filter->state = WS_FILTER_FAULTED;
	filter->is_pending = false;
	filter->rx = NULL;
	ws_source_clear(&filter->source);
	if (filter->status == WS_STATUS_OPEN)
		filter->status = WS_STATUS_TRAPPED;
	ws_logging_flush(&filter->hosts.logging);
	if (err != NULL)
		*err = filter->error;
	return filter->error.rc;
}

static int stalled(struct ws_filter *filter, const char *why, struct we_error *err)
{
	we_error_set(&filter->error, WE_E_EXHAUSTED, 0, "stalled: %s, %u slots held", why,
		filter->lent.n_lent);
	return ws_filter_fault(filter, err);
}

static uint64_t add_ns(uint64_t t_ns, uint64_t more_ns)
{
	uint64_t sum_ns;

	return __builtin_add_overflow(t_ns, more_ns, &sum_ns) ? UINT64_MAX : sum_ns;
}

// When the oldest slot will have been held for too long, UINT64_MAX: none is lent.
static uint64_t late_ns(const struct ws_filter *filter)
{
	return filter->lent.n_lent == 0 ? UINT64_MAX
					: add_ns(ws_lent_oldest_ns(&filter->lent), filter->hold_ns);
}

// Can anything but a new offer make the guest run again, or an offer?
static bool can_wake(const struct ws_filter *filter)
{
	uint8_t *buf;
	uint32_t n;

	if (filter->ends.has_exited)
		return false;
	if (filter->is_pending || cm_store_n_deferred(filter->store) > 0)
		return true;
	return filter->rx != NULL && cm_stream_posted(filter->rx, &buf, &n) == 0;
}

// Is the guest done? Its output is closed or its status has come; but with its own rx as the output, only an
// error or a stop is the end.
static bool is_over(const struct ws_filter *filter)
{
	const bool is_resolved = filter->status != WS_STATUS_OPEN;

	if (filter->ends.is_own_rx)
		return filter->ends.is_stopping || (is_resolved && filter->status != WS_STATUS_OK);
	return filter->ends.tx_dropped || is_resolved;
}

static void end(struct ws_filter *filter)
{
	const bool is_stopped = filter->ends.is_stopping;

	filter->state = is_stopped ? WS_FILTER_STOPPED : WS_FILTER_ENDED;
	ws_source_clear(&filter->source);
	ws_logging_flush(&filter->hosts.logging);
	if (filter->rx != NULL) { // it may still wait for the end of its input: one more run
		cm_stream_close(filter->rx);
		filter->rx = NULL;
		filter->is_pending = true;
	} else if (filter->status == WS_STATUS_OPEN && !can_wake(filter)) {
		filter->status = is_stopped ? WS_STATUS_STOPPED : WS_STATUS_DROPPED;
	}
}

int ws_filter_settle(struct ws_filter *filter, struct we_error *err)
{
	const struct ws_filter_ends *ends = &filter->ends;

	if (ends->tx_dropped && ws_sink_end(&filter->sink, &filter->error) < 0)
		return ws_filter_fault(filter, err);
	if (is_over(filter)) {
		end(filter);
		return 0;
	}
	if (late_ns(filter) <= filter->owner.now_ns)
		return stalled(filter, "a slot was held for too long", err);
	if (ends->is_own_rx) // the host alone moves the slots
		return 0;
	if (!can_wake(filter) || filter->drained_ns <= filter->owner.now_ns)
		return stalled(filter,
			ends->is_stopping ? "it goes on after the end of its input"
					  : "it waits for nothing that can happen",
			err);
	return 0;
}

// ---- data path ----------------------------------------------------------------------------------

uint32_t ws_filter_room(const struct ws_filter *filter)
{
	if (filter->state != WS_FILTER_READY || filter->ends.is_stopping || filter->ends.rx_dropped)
		return 0;
	const uint32_t room = ws_source_room(&filter->source);
	const uint32_t held = filter->lent.held - filter->lent.n_lent;

	return room < held ? room : held;
}

int ws_filter_offer(struct ws_filter *filter, const struct ws_packet *packets, uint32_t n,
	uint64_t now_ns, struct we_error *err)
{
	uint8_t *buf = NULL;
	uint32_t n_buf = 0;
	uint32_t n_used;

	if (filter->state == WS_FILTER_FAULTED)
		return ws_filter_fault(filter, err);
	assert(n > 0 && n <= ws_filter_room(filter));
	const uint32_t first_id = ws_lent_lend(&filter->lent, n, now_ns);
	const bool is_posted =
		filter->rx != NULL && cm_stream_posted(filter->rx, &buf, &n_buf) == 0;

	n_used = ws_source_offer(&filter->source, &filter->lent, first_id, packets, n, buf, n_buf);
	if (n_used > 0 || (is_posted && n_buf == 0))
		cm_stream_progress(filter->rx, n_used);
	filter->is_pending = true;
	return 0;
}

// The guest gave its rx back as the result: what was offered comes back as it went.
static int pass_own(struct ws_filter *filter, struct we_error *err)
{
	const struct ws_sink_ops ops = {filter->owner.ops.verdicts, filter->owner.env};
	const uint8_t *slots;
	uint32_t n;

	while ((n = ws_source_peek(&filter->source, &slots)) > 0) {
		const int rc = ws_sink_write(
			&filter->sink, &ops, slots, n * filter->source.layout.stride, err);

		if (rc < 0)
			return rc;
		ws_source_skip(&filter->source, n);
	}
	return 0;
}

int ws_filter_run(struct ws_filter *filter, uint64_t now_ns, struct we_error *err)
{
	int rc;

	if (filter->state == WS_FILTER_FAULTED)
		return ws_filter_fault(filter, err);
	if (now_ns > filter->owner.now_ns)
		filter->owner.now_ns = now_ns;
	filter->sink.originated = 0;
	if (filter->hosts.clock.next_ns <= now_ns) {
		rc = ws_clock_fire(&filter->hosts.clock, now_ns, &filter->error);
		if (rc < 0)
			return ws_filter_fault(filter, err);
	}
	rc = cm_store_run(filter->store, &filter->error);
	if (rc < 0)
		return ws_filter_fault(filter, err);
	filter->is_pending = rc == CM_MORE;
	if (filter->ends.is_own_rx && pass_own(filter, &filter->error) < 0)
		return ws_filter_fault(filter, err);
	if (filter->ends.is_stopping && filter->rx != NULL && filter->source.n == 0) {
		cm_stream_close(filter->rx);
		filter->rx = NULL;
		rc = cm_store_run(filter->store, &filter->error);
		if (rc < 0)
			return ws_filter_fault(filter, err);
		filter->is_pending = rc == CM_MORE;
	}
	return ws_filter_settle(filter, err);
}

bool ws_filter_wants_run(const struct ws_filter *filter, uint64_t now_ns)
{
	if (filter->state != WS_FILTER_READY && filter->status != WS_STATUS_OPEN)
		return false; // it has said all; what it would do now can only turn its end into a fault
	return filter->is_pending || ws_filter_next_ns(filter) <= now_ns;
}

uint64_t ws_filter_next_ns(const struct ws_filter *filter)
{
	uint64_t next_ns = filter->hosts.clock.next_ns;

	if (filter->state == WS_FILTER_FAULTED)
		return UINT64_MAX;
	if (filter->state == WS_FILTER_READY) {
		if (late_ns(filter) < next_ns)
			next_ns = late_ns(filter);
		if (filter->drained_ns < next_ns)
			next_ns = filter->drained_ns;
	}
	return next_ns;
}

int ws_filter_stop(struct ws_filter *filter, uint64_t now_ns, struct we_error *err)
{
	if (filter->state == WS_FILTER_READY && !filter->ends.is_stopping) {
		filter->ends.is_stopping = true;
		filter->drained_ns = add_ns(now_ns, filter->hold_ns);
	}
	return ws_filter_run(filter, now_ns, err);
}

uint32_t ws_filter_n_lent(const struct ws_filter *filter)
{
	return filter->lent.n_lent;
}

void ws_filter_reclaim(
	struct ws_filter *filter, void (*give_back)(void *env, void *token), void *env)
{
	ws_source_clear(&filter->source);
	ws_lent_reclaim(&filter->lent, give_back, env);
}

// ---- inspection ---------------------------------------------------------------------------------

void ws_filter_set_env(struct ws_filter *filter, void *env)
{
	filter->owner.env = env;
}

struct ws_shape ws_filter_shape(const struct ws_filter *filter)
{
	return filter->hosts.setup.shape;
}

uint32_t ws_filter_n_reasons(const struct ws_filter *filter)
{
	return filter->hosts.setup.n_reasons;
}

const char *ws_filter_reason(const struct ws_filter *filter, uint32_t i)
{
	const struct ws_setup *setup = &filter->hosts.setup;

	return i > 0 && i <= setup->n_reasons ? setup->reasons[i - 1] : NULL;
}

enum ws_filter_state ws_filter_state(const struct ws_filter *filter)
{
	return filter->state;
}

enum ws_status ws_filter_status(const struct ws_filter *filter)
{
	return filter->status;
}

const char *ws_status_name(enum ws_status status)
{
	static const char *const names[] = {
		[WS_STATUS_OPEN] = "open",
		[WS_STATUS_OK] = "ok",
		[WS_STATUS_MALFORMED] = "malformed",
		[WS_STATUS_INTERNAL] = "internal",
		[WS_STATUS_DROPPED] = "dropped",
		[WS_STATUS_TRAPPED] = "trapped",
		[WS_STATUS_STOPPED] = "stopped",
	};

	return status < sizeof(names) / sizeof(names[0]) ? names[status] : "unknown";
}

const char *ws_filter_status_text(const struct ws_filter *filter)
{
	return filter->state == WS_FILTER_FAULTED ? filter->error.msg : filter->text;
}

struct we_store *ws_filter_core(struct ws_filter *filter)
{
	return cm_store_core(filter->store);
}
