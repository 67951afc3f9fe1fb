// SPDX-License-Identifier: BSD-3-Clause
#include "sink.h"

#include <stdlib.h>

int ws_sink_init(struct ws_sink *sink, const struct ws_layout *layout, struct ws_lent *lent,
	struct we_error *err)
{
	sink->layout = *layout;
	sink->lent = lent;
	sink->part = malloc(layout->stride);
	if (sink->part == NULL)
		return we_error_set(
			err, WE_E_NOMEM, 0, "no memory for a slot of %u bytes", layout->stride);
	return 0;
}

void ws_sink_fini(struct ws_sink *sink)
{
	free(sink->part);
	sink->part = NULL;
}

// Say what is wrong with a slot that was refused; the checks stand in the order of the descriptor.
static int refuse(
	const struct ws_sink *sink, const uint8_t *bytes, uint32_t nth, struct we_error *err)
{
	const slot_at *slot = (const slot_at *)bytes;

	if (slot->rx_flags & WS_RX_ORIGINATED && sink->originated >= sink->originated_max)
		return we_error_set(err, WE_E_EXHAUSTED, 0,
			"slot %u of a write: originated packet %u of one run, expected at most %u",
			nth, sink->originated + 1, sink->originated_max);
	if (slot->data_off < WS_SLOT_BYTES || slot->data_off > sink->layout.stride)
		return we_error_set(err, WE_E_TRAP, 0,
			"slot %u of a write: data_off %u, expected %u to %u", nth, slot->data_off,
			WS_SLOT_BYTES, sink->layout.stride);
	if (slot->len > sink->layout.stride - slot->data_off)
		return we_error_set(err, WE_E_TRAP, 0,
			"slot %u of a write: len %u at data_off %u, expected at most %u", nth,
			slot->len, slot->data_off, sink->layout.stride - slot->data_off);
	if (slot->port_out >= sink->n_ports && slot->port_out != WS_PORT_NONE)
		return we_error_set(err, WE_E_TRAP, 0,
			"slot %u of a write: port_out %u, expected below %u", nth, slot->port_out,
			sink->n_ports);
	if (slot->verdict & WS_VERDICT_UNDEFINED ||
		(slot->verdict & WS_VERDICT_MASK) > WS_VERDICT_EXCEPTION)
		return we_error_set(err, WE_E_TRAP, 0,
			"slot %u of a write: verdict 0x%02x, expected 0 to 3, or that with 0x80",
			nth, slot->verdict);
	return we_error_set(err, WE_E_TRAP, 0,
		"slot %u of a write: id 0x%x, expected one that is outstanding", nth, slot->id);
}

// Everything that can be wrong but the id, without a branch a rule.
static inline bool is_sound(const struct ws_sink *sink, const slot_at *slot)
{
	const uint32_t stride = sink->layout.stride;

	return (slot->data_off >= WS_SLOT_BYTES) &
	       ((uint32_t)slot->data_off + slot->len <= stride) &
	       ((slot->port_out < sink->n_ports) | (slot->port_out == WS_PORT_NONE)) &
	       ((slot->verdict & (WS_VERDICT_MASK | WS_VERDICT_UNDEFINED)) <= WS_VERDICT_EXCEPTION);
}

// One slot -> *v. Returns: is it good?
static inline bool take(struct ws_sink *sink, struct ws_lent_cursor *cursor, const uint8_t *bytes,
	struct ws_verdict *v)
{
	const slot_at *slot = (const slot_at *)bytes;
	const uint32_t originated = slot->rx_flags & WS_RX_ORIGINATED;
	uint16_t shown = 0;

	v->token = NULL;
	if (__builtin_expect(originated != 0, 0)) {
		if (sink->originated >= sink->originated_max || !is_sound(sink, slot))
			return false;
		sink->originated++;
	} else {
		const uint32_t id = slot->id;

		if (!is_sound(sink, slot) || !ws_lent_take(sink->lent, cursor, id))
			return false;
		const uint32_t at = ws_lent_at(sink->lent, id);

		v->token = sink->lent->tokens[at];
		shown = sink->lent->shown[at];
	}
	v->data = bytes + slot->data_off;
	v->len = slot->len;
	v->shown = shown;
	v->port_out = slot->port_out;
	v->code = slot->verdict & WS_VERDICT_MASK;
	v->reason = slot->reason <= sink->n_reasons ? slot->reason : 0;
	v->changed = (originated != 0) | (slot->verdict >> 7) | (slot->len != shown) |
		     (slot->data_off != sink->layout.data_off);
	v->mark = slot->mark;
	memcpy(v->scratch, bytes + offsetof(struct ws_slot, scratch), sizeof(v->scratch));
	return true;
}

// Take the whole slots that stand one after the other at bytes; nth: of the first, in the guest's write.
// What is left of the bytes begins the slot that the next write ends.
static int take_slots(struct ws_sink *sink, const struct ws_sink_ops *ops, const uint8_t *bytes,
	uint32_t n_bytes, uint32_t nth, struct we_error *err)
{
	const uint32_t stride = sink->layout.stride;

	while (n_bytes >= stride) {
		struct ws_lent_cursor cursor = ws_lent_begin(sink->lent);
		bool good = true;
		uint32_t n = 0;

		while (n_bytes >= stride && n < WS_BURST_MAX) {
			good = take(sink, &cursor, bytes, &sink->out[n]);
			if (!good)
				break;
			n++;
			bytes += stride;
			n_bytes -= stride;
		}
		ws_lent_end(sink->lent, &cursor);
		if (n > 0)
			ops->verdicts(ops->env, sink->out, n);
		nth += n;
		if (!good)
			return refuse(sink, bytes, nth, err);
	}
	if (n_bytes > 0)
		memcpy(sink->part, bytes, n_bytes);
	sink->n_part = n_bytes;
	return 0;
}

int ws_sink_write(struct ws_sink *sink, const struct ws_sink_ops *ops, const uint8_t *buf,
	uint32_t n, struct we_error *err)
{
	const uint32_t stride = sink->layout.stride;
	uint32_t nth = 0;

	if (sink->n_part > 0) { // the rest of a slot that an earlier write began
		const uint32_t left = stride - sink->n_part;
		const uint32_t more = n < left ? n : left;

		memcpy(sink->part + sink->n_part, buf, more);
		sink->n_part += more;
		buf += more;
		n -= more;
		if (sink->n_part < stride)
			return 0;
		const int rc = take_slots(sink, ops, sink->part, stride, nth++, err);

		if (rc < 0)
			return rc;
	}
	return take_slots(sink, ops, buf, n, nth, err);
}

int ws_sink_end(const struct ws_sink *sink, struct we_error *err)
{
	if (sink->n_part == 0)
		return 0;
	return we_error_set(err, WE_E_TRAP, 0,
		"the stream ends inside a slot: %u bytes, expected a multiple of %u", sink->n_part,
		sink->layout.stride);
}
