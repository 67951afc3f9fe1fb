// SPDX-License-Identifier: BSD-3-Clause
// dp_replay: see replay.h.
#include "replay.h"

#include "mbuf_fields.h"
#include "rewrite.h"

#include <rte_mbuf.h>
#include <rte_mbuf_dyn.h>

#include <assert.h>
#include <stdlib.h>
#include <string.h>

enum {
	WINDOW = 65536, // packets read and not yet all written or dropped; beyond it reading waits
};

// A packet that is known but may not be written yet.
struct waiting {
	struct waiting *next;
	struct dp_capture_out *to; // borrowed
	struct dp_capture_record record;
	uint8_t bytes[];
};

// A packet that was read. Its number is its place in the window.
struct slot {
	struct dp_capture_record record; // without data: what goes with it into the output
	struct waiting *first;           // itself when it is settled, then packets made after it
	struct waiting *last;
	bool is_settled; // sent or dropped
};

// Invariant: n_done <= n_read <= n_done + WINDOW; slots of [n_done, n_read) are in use; that of n_done is not settled.
struct dp_replay {
	struct dp_capture_in *in;
	struct dp_capture_out *out;
	struct dp_capture_out *drops; // NULL: none
	struct dp_replay_counts counts;
	struct dp_capture_record next; // read from the input, not yet in an mbuf
	bool has_next;
	bool has_ended;
	struct we_error broken; // rc < 0: the input broke off
	uint32_t view_full;
	struct rte_mempool *pool; // borrowed: where mbufs come from
	struct dp_mbuf_fields fields;
	int number_offset;    // in an mbuf: its packet's number
	uint64_t number_flag; // in ol_flags: it was read here
	uint64_t n_read;
	uint64_t n_done; // written, or known to go nowhere
	struct slot slots[WINDOW];
	uint8_t gathered[DP_CAPTURE_LEN_MAX];
};

static struct slot *slot_of(struct dp_replay *r, uint64_t number)
{
	return &r->slots[number % WINDOW];
}

static uint64_t *number_of(const struct dp_replay *r, struct rte_mbuf *m)
{
	return RTE_MBUF_DYNFIELD(m, (uintptr_t)r->number_offset, uint64_t *);
}

// ---- step 1: capture -> mbufs -------------------------------------------------------------------

// A chain of mbufs with the packet's bytes. NULL: no buffer is left, try again later.
static struct rte_mbuf *fill_mbufs(struct rte_mempool *pool, const uint8_t *data, uint32_t len)
{
	struct rte_mbuf *head = rte_pktmbuf_alloc(pool);
	struct rte_mbuf *seg = head;
	uint32_t at = 0;

	while (seg != NULL) {
		const uint32_t room = rte_pktmbuf_tailroom(seg);
		const uint32_t take = len - at < room ? len - at : room;

		if (take > 0)
			memcpy(rte_pktmbuf_mtod(seg, uint8_t *), data + at, take);
		seg->data_len = (uint16_t)take;
		head->pkt_len += take;
		at += take;
		if (at == len)
			return head;
		seg->next = rte_pktmbuf_alloc(pool);
		seg = seg->next;
		if (seg != NULL)
			head->nb_segs++;
	}
	rte_pktmbuf_free(head);
	return NULL;
}

static bool read_next(struct dp_replay *r)
{
	if (r->has_next)
		return true;
	const int rc = dp_capture_next(r->in, &r->next, &r->broken);
	r->has_next = rc == 0;
	r->has_ended = rc != 0 && rc != DP_CAPTURE_STOPPED;
	if (rc >= 0)
		r->broken.rc = 0;
	return r->has_next;
}

static struct rte_mbuf *next_mbuf(struct dp_replay *r)
{
	struct rte_mbuf *m = fill_mbufs(r->pool, r->next.data, r->next.len);
	const uint64_t unit_ns = dp_capture_is_nano(r->in) ? 1 : 1000;

	if (m == NULL)
		return NULL;
	m->ol_flags |= r->number_flag | r->fields.tstamp_flag;
	*number_of(r, m) = r->n_read;
	// Times that make no sense wrap around: they are the file's.
	*dp_mbuf_tstamp(m, &r->fields) =
		(uint64_t)r->next.seconds * 1000000000 + (uint64_t)r->next.fraction * unit_ns;
	if (r->next.wire_len > r->next.len)
		dp_mbuf_set_short(m, &r->fields, r->next.wire_len);
	*slot_of(r, r->n_read++) = (struct slot){.record = r->next};
	r->has_next = false;
	r->counts.in.packets++;
	r->counts.in.bytes += r->next.len;
	return m;
}

static uint16_t receive(void *ctx, struct rte_mbuf **ret_mbufs, uint16_t n)
{
	struct dp_replay *r = ctx;
	uint16_t n_received = 0;

	while (n_received < n && r->n_read - r->n_done < WINDOW && !r->has_ended && read_next(r)) {
		ret_mbufs[n_received] = next_mbuf(r);
		if (ret_mbufs[n_received] == NULL)
			break;
		n_received++;
	}
	return n_received == 0 && r->has_ended ? DP_RX_END : n_received;
}

// The other ports only send.
static uint16_t receive_nothing(void *ctx, struct rte_mbuf **ret_mbufs, uint16_t n)
{
	(void)ctx;
	(void)ret_mbufs;
	(void)n;
	return DP_RX_END;
}

// ---- step 7: mbufs -> captures ------------------------------------------------------------------

static const uint8_t *bytes_of(struct dp_replay *r, const struct rte_mbuf *m)
{
	assert(m->pkt_len <= sizeof(r->gathered));
	if (m->data_len == m->pkt_len)
		return rte_pktmbuf_mtod(m, const uint8_t *);
	dp_gather(m, r->gathered, m->pkt_len);
	return r->gathered;
}

// Write the packets of settled slots, as far as none before them is open.
static void write_settled(struct dp_replay *r)
{
	while (r->n_done < r->n_read && slot_of(r, r->n_done)->is_settled) {
		struct slot *slot = slot_of(r, r->n_done++);

		while (slot->first != NULL) {
			struct waiting *w = slot->first;

			slot->first = w->next;
			dp_capture_write(w->to, &w->record);
			free(w);
		}
	}
}

// A copy of a packet that waits. NULL: no memory.
static struct waiting *wait_copy(struct dp_capture_out *to, const struct dp_capture_record *record)
{
	struct waiting *w = malloc(sizeof(*w) + record->len);

	if (w == NULL)
		return NULL;
	w->next = NULL;
	w->to = to;
	w->record = *record;
	w->record.data = w->bytes;
	if (record->len > 0)
		memcpy(w->bytes, record->data, record->len);
	return w;
}

// A packet that was read is sent into a capture, or dropped (to NULL: into none).
static void settle(struct dp_replay *r, uint64_t number, struct dp_capture_out *to,
	const uint8_t *data, uint32_t len)
{
	struct slot *slot = slot_of(r, number);
	struct dp_capture_record *record = &slot->record;
	// What it lost or gained here, it lost or gained on the wire.
	const int64_t wire_len = (int64_t)record->wire_len - record->len + len;

	assert(number >= r->n_done && number < r->n_read && !slot->is_settled);
	slot->is_settled = true;
	record->data = data;
	record->len = len;
	record->wire_len = wire_len < 0 ? 0 : (uint32_t)wire_len;
	struct waiting *w = to != NULL && number != r->n_done ? wait_copy(to, record) : NULL;
	if (w != NULL) {
		w->next = slot->first;
		slot->first = w;
		if (slot->last == NULL)
			slot->last = w;
	} else if (to != NULL) { // its turn; or no memory to keep the order with
		dp_capture_write(to, record);
	}
	write_settled(r);
}

// A packet that a filter made.
static void place(struct dp_replay *r, struct dp_capture_out *to, const uint8_t *data, uint32_t len)
{
	struct slot *slot = r->n_read > 0 ? slot_of(r, r->n_read - 1) : NULL;
	const struct dp_capture_record record = {
		.data = data,
		.len = len,
		.wire_len = len,
		.seconds = slot != NULL ? slot->record.seconds : 0,
		.fraction = slot != NULL ? slot->record.fraction : 0,
	};
	struct waiting *w = to != NULL && r->n_done < r->n_read ? wait_copy(to, &record) : NULL;

	if (w != NULL) {
		if (slot->last != NULL)
			slot->last->next = w;
		else
			slot->first = w;
		slot->last = w;
	} else if (to != NULL) {
		dp_capture_write(to, &record);
	}
}

static void deliver(struct dp_replay *r, struct rte_mbuf *m, struct dp_capture_out *to,
	struct dp_traffic *count)
{
	const uint8_t *data = bytes_of(r, m);

	if ((m->ol_flags & r->number_flag) != 0)
		settle(r, *number_of(r, m), to, data, m->pkt_len);
	else
		place(r, to, data, m->pkt_len);
	count->packets++;
	count->bytes += m->pkt_len;
	rte_pktmbuf_free(m);
}

static uint16_t transmit(void *ctx, struct rte_mbuf **mbufs, uint16_t n)
{
	struct dp_replay *r = ctx;

	for (uint16_t i = 0; i < n; i++)
		deliver(r, mbufs[i], r->out, &r->counts.out);
	return n;
}

static void take_dropped(void *ctx, struct rte_mbuf **mbufs, uint32_t n)
{
	struct dp_replay *r = ctx;

	for (uint32_t i = 0; i < n; i++)
		deliver(r, mbufs[i], r->drops, &r->counts.dropped);
}

// ---- the run's side -----------------------------------------------------------------------------

static int register_number(struct dp_replay *r, struct we_error *err)
{
	static const struct rte_mbuf_dynfield field = {
		.name = "weir_dynfield_replay_number",
		.size = sizeof(uint64_t),
		.align = __alignof__(uint64_t),
	};
	static const struct rte_mbuf_dynflag flag = {.name = "weir_dynflag_replay_number"};
	const int bit = rte_mbuf_dynflag_register(&flag);

	r->number_offset = rte_mbuf_dynfield_register(&field);
	if (r->number_offset < 0 || bit < 0)
		return we_error_set(err, WE_E_HOST, 0, "no room is left in the packet buffers");
	r->number_flag = UINT64_C(1) << bit;
	return dp_mbuf_fields_register(&r->fields, err);
}

static int open_port(void *env, uint16_t port_idx, struct rte_mempool *pool,
	struct dp_port_io *ret_io, struct we_error *err)
{
	struct dp_replay *r = env;

	r->pool = pool;
	*ret_io = (struct dp_port_io){
		.rx = {{port_idx == 0 ? receive : receive_nothing, r}},
		.tx = {{transmit, r}},
		.view_full = r->view_full,
		.max_tx_len = DP_CAPTURE_LEN_MAX,
		.tstamp_unit_ns = 1,
		.can_send_segments = true,
	};
	return register_number(r, err);
}

int dp_replay_create(struct dp_capture_in *in, struct dp_capture_out *out,
	struct dp_capture_out *drops, uint32_t view_full, struct dp_replay **ret_replay)
{
	struct dp_replay *r = calloc(1, sizeof(*r));

	if (r == NULL)
		return WE_E_NOMEM;
	r->in = in;
	r->out = out;
	r->drops = drops;
	r->view_full = view_full;
	*ret_replay = r;
	return 0;
}

struct dp_hooks dp_replay_hooks(struct dp_replay *replay)
{
	return (struct dp_hooks){.env = replay, .open_port = open_port, .drop = take_dropped};
}

struct dp_replay_counts dp_replay_counts(const struct dp_replay *replay)
{
	return replay->counts;
}

int dp_replay_input(const struct dp_replay *replay, struct we_error *ret_err)
{
	if (replay->broken.rc >= 0)
		return 0;
	*ret_err = replay->broken;
	return ret_err->rc;
}

bool dp_replay_has_ended(const struct dp_replay *replay)
{
	return replay->has_ended;
}

// What is still open was lost with the run: what waits behind it may go.
static void settle_all(struct dp_replay *r)
{
	for (uint64_t number = r->n_done; number < r->n_read; number++)
		slot_of(r, number)->is_settled = true;
	write_settled(r);
}

int dp_replay_commit(struct dp_replay *replay, uint32_t *ret_path_idx, struct we_error *err)
{
	settle_all(replay);
	*ret_path_idx = 0;
	int rc = dp_capture_commit(replay->out, err);
	replay->out = NULL;
	if (rc == 0 && replay->drops != NULL) {
		*ret_path_idx = 1;
		rc = dp_capture_commit(replay->drops, err);
		replay->drops = NULL;
	}
	return rc;
}

void dp_replay_destroy(struct dp_replay *replay)
{
	if (replay == NULL)
		return;
	settle_all(replay);
	dp_capture_close(replay->in);
	dp_capture_abort(replay->out);
	dp_capture_abort(replay->drops);
	free(replay);
}
