// SPDX-License-Identifier: BSD-3-Clause
// source: packets -> slots in guest memory or in the ring. Data path 3/7.
// Spec: ARCHITECTURE.md section 4
#include "source.h"

#include <stdlib.h>

int ws_source_init(struct ws_source *source, const struct ws_layout *layout, uint32_t burst,
	struct we_error *err)
{
	*source = (struct ws_source){
		.layout = *layout,
		.ring = calloc(burst, layout->stride),
		.cap = burst,
	};
	if (source->ring == NULL)
		return we_error_set(err, WE_E_NOMEM, 0, "no memory for %u slots of %u bytes", burst,
			layout->stride);
	return 0;
}

void ws_source_fini(struct ws_source *source)
{
	free(source->ring);
	source->ring = NULL;
}

static uint8_t *ring_slot(const struct ws_source *source, uint32_t i)
{
	const uint32_t at = source->head + i;

	return source->ring +
	       (size_t)(at < source->cap ? at : at - source->cap) * source->layout.stride;
}

static void ring_pop(struct ws_source *source)
{
	source->n--;
	source->off = 0;
	source->head = source->head + 1 == source->cap ? 0 : source->head + 1;
}

// Copy bytes [from, to) of a slot of the ring to dst, which stands for byte `from`, without the gaps that
// the packet leaves: those would show what an earlier packet left in the ring.
static void copy_range(const struct ws_layout *layout, uint8_t *dst, const uint8_t *slot,
	uint32_t from, uint32_t to)
{
	const uint32_t shown = ((const slot_at *)slot)->len;

	if (from == 0 && to == layout->stride) {
		slot_copy(dst, slot, WS_SLOT_BYTES);
		slot_copy(dst + layout->data_off, slot + layout->data_off, shown);
		return;
	}
	const uint32_t used[2][2] = {
		{0, WS_SLOT_BYTES}, {layout->data_off, layout->data_off + shown}};

	for (uint32_t i = 0; i < 2; i++) {
		const uint32_t first = from > used[i][0] ? from : used[i][0];
		const uint32_t last = to < used[i][1] ? to : used[i][1];

		if (first < last)
			memcpy(dst + (first - from), slot + first, last - first);
	}
}

uint32_t ws_source_read(struct ws_source *source, uint8_t *buf, uint32_t n)
{
	const struct ws_layout *layout = &source->layout;
	uint32_t done = 0; // bytes

	while (source->n > 0) {
		const uint32_t left = layout->stride - source->off;
		const uint32_t take = left < n - done ? left : n - done;

		// A large read ends with a whole slot, after the rest of one that smaller reads began.
		if (take == 0 || (source->takes_whole && take < left))
			break;
		copy_range(
			layout, buf + done, ring_slot(source, 0), source->off, source->off + take);
		done += take;
		source->off += take;
		if (source->off == layout->stride)
			ring_pop(source);
	}
	return done;
}

// Packets [from, n) wait in the ring; what the posted read can still take of them goes out.
static uint32_t queue(struct ws_source *source, struct ws_lent *lent, uint32_t first_id,
	const struct ws_packet *packets, uint32_t from, uint32_t n, uint8_t *buf, uint32_t n_buf)
{
	for (uint32_t i = from; i < n; i++, source->n++) {
		const uint32_t at = ws_lent_at(lent, first_id) + i;

		lent->tokens[at] = packets[i].token;
		lent->shown[at] = slot_lay(
			ring_slot(source, source->n), &source->layout, &packets[i], first_id + i);
	}
	return ws_source_read(source, buf, n_buf);
}

uint32_t ws_source_offer(struct ws_source *source, struct ws_lent *lent, uint32_t first_id,
	const struct ws_packet *packets, uint32_t n, uint8_t *buf, uint32_t n_buf)
{
	assert(n <= ws_source_room(source));
	const struct ws_layout layout = source->layout;
	const bool is_direct = source->n == 0 && source->takes_whole;
	void **tokens = &lent->tokens[ws_lent_at(lent, first_id)];
	uint16_t *shown = &lent->shown[ws_lent_at(lent, first_id)];
	uint32_t left = is_direct ? n_buf : 0;
	uint8_t *at = buf;
	uint32_t i = 0;

	for (; i < n && left >= layout.stride; i++, left -= layout.stride) {
		tokens[i] = packets[i].token;
		shown[i] = slot_lay(at, &layout, &packets[i], first_id + i);
		at += layout.stride;
	}
	const uint32_t n_direct = (uint32_t)(at - buf);

	if (i == n)
		return n_direct;
	return n_direct + queue(source, lent, first_id, packets, i, n, at, n_buf - n_direct);
}

uint32_t ws_source_peek(const struct ws_source *source, const uint8_t **ret_slots)
{
	const uint32_t to_end = source->cap - source->head;

	assert(source->off == 0);
	*ret_slots = ring_slot(source, 0);
	return source->n < to_end ? source->n : to_end;
}

void ws_source_skip(struct ws_source *source, uint32_t n)
{
	for (uint32_t i = 0; i < n; i++)
		ring_pop(source);
}

void ws_source_clear(struct ws_source *source)
{
	source->head = 0;
	source->n = 0;
	source->off = 0;
}
