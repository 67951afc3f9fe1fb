// SPDX-License-Identifier: BSD-3-Clause
// sink: bytes that a guest writes -> checked verdicts. Data path 5/7.
// Spec: ARCHITECTURE.md section 4
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

// What the loops over slots need, in registers: the stores of verdicts could change the sink's fields.
struct rules {
	uint32_t stride;
	uint32_t data_off;
	uint32_t n_ports;
	uint32_t n_reasons;
};

// port_out, verdict and reason of a slot as one word, and where they stand in it.
enum {
	WORD_VERDICT = 16,
	WORD_REASON = 24,
};
static_assert(offsetof(struct ws_slot, verdict) == offsetof(struct ws_slot, port_out) + 2 &&
		      offsetof(struct ws_slot, reason) == offsetof(struct ws_slot, port_out) + 3,
	"one word");
static_assert(
	offsetof(struct ws_verdict, code) == offsetof(struct ws_verdict, port_out) + 2 &&
		offsetof(struct ws_verdict, reason) == offsetof(struct ws_verdict, port_out) + 3,
	"the same word");
static_assert(offsetof(struct ws_verdict, scratch) == offsetof(struct ws_verdict, mark) + 4 &&
		      offsetof(struct ws_slot, scratch) == offsetof(struct ws_slot, mark) + 4,
	"both pass along in one piece");

static inline uint32_t word_of(const uint8_t *bytes)
{
	uint32_t word;

	memcpy(&word, bytes + offsetof(struct ws_slot, port_out), sizeof(word));
	return word;
}

// Everything that can be wrong but the id, without a branch a rule. A port of none plus one is 0; a verdict
// above 3 has one of the bits between 3 and CHANGED.
static inline bool is_sound(const struct rules *rules, const uint8_t *bytes)
{
	const slot_at *slot = (const slot_at *)bytes;
	const uint32_t word = word_of(bytes);
	const uint32_t undefined = (uint8_t)~(WS_VERDICT_EXCEPTION | WS_CHANGED);

	return (slot->data_off >= WS_SLOT_BYTES) &
	       ((uint32_t)slot->data_off + slot->len <= rules->stride) &
	       ((uint16_t)(word + 1) <= rules->n_ports) & ((word & undefined << WORD_VERDICT) == 0);
}

static inline void answer(const struct rules *rules, const uint8_t *bytes, void *token,
	uint32_t shown, bool is_new, struct ws_verdict *v)
{
	const slot_at *slot = (const slot_at *)bytes;
	const uint32_t word = word_of(bytes);
	const uint32_t keep =
		word >> WORD_REASON <= rules->n_reasons
			? ~((uint32_t)WS_CHANGED << WORD_VERDICT)
			: ~((uint32_t)WS_CHANGED << WORD_VERDICT) & ~(UINT32_MAX << WORD_REASON);
	const uint32_t said = word & keep;

	v->token = token;
	v->data = bytes + slot->data_off;
	v->len = slot->len;
	v->shown = (uint16_t)shown;
	memcpy((uint8_t *)v + offsetof(struct ws_verdict, port_out), &said, sizeof(said));
	v->changed = is_new | ((word >> WORD_VERDICT & WS_CHANGED) != 0) | (slot->len != shown) |
		     (slot->data_off != rules->data_off);
	memcpy((uint8_t *)v + offsetof(struct ws_verdict, mark),
		bytes + offsetof(struct ws_slot, mark), 4 + sizeof(v->scratch));
}

static inline bool is_originated(const uint8_t *bytes)
{
	return (((const slot_at *)bytes)->rx_flags & WS_RX_ORIGINATED) != 0;
}

// The slot at bytes, and those behind it while their ids go on by one as they went out: within n_bytes, at most
// `room` slots. A burst that comes back as it went is one such sweep. Returns: slots answered in out; 0: the first
// is refused.
static uint32_t sweep(struct ws_sink *sink, const struct rules *rules, const uint8_t *bytes,
	uint32_t n_bytes, uint32_t room, struct ws_verdict *out)
{
	const struct rules r = *rules;
	const uint32_t id = ((const slot_at *)bytes)->id;
	const uint32_t run = ws_lent_run(sink->lent, id);
	void *const *tokens = &sink->lent->tokens[ws_lent_at(sink->lent, id)];
	const uint16_t *shown = &sink->lent->shown[ws_lent_at(sink->lent, id)];
	const uint32_t most = run < room ? run : room;
	uint32_t i = 0;

	for (; i < most && n_bytes >= r.stride; i++, bytes += r.stride, n_bytes -= r.stride) {
		if (((const slot_at *)bytes)->id != id + i || !is_sound(&r, bytes) ||
			is_originated(bytes))
			break;
		answer(&r, bytes, tokens[i], shown[i], false, &out[i]);
	}
	if (i > 0)
		ws_lent_take(sink->lent, id, i);
	return i;
}

// Returns: 1 slot answered in out; 0: it is refused.
static uint32_t take_originated(struct ws_sink *sink, const struct rules *rules,
	const uint8_t *bytes, struct ws_verdict *out)
{
	if (!is_sound(rules, bytes) || sink->originated >= sink->originated_max)
		return 0;
	sink->originated++;
	answer(rules, bytes, NULL, 0, true, out);
	return 1;
}

// Take the whole slots that stand one after the other at bytes; nth: of the first, in the guest's write.
// What is left of the bytes begins the slot that the next write ends.
static int take_slots(struct ws_sink *sink, const struct ws_sink_ops *ops, const uint8_t *bytes,
	uint32_t n_bytes, uint32_t nth, struct we_error *err)
{
	const struct rules rules = {
		.stride = sink->layout.stride,
		.data_off = sink->layout.data_off,
		.n_ports = sink->n_ports,
		.n_reasons = sink->n_reasons,
	};

	while (n_bytes >= rules.stride) {
		uint32_t n = 0; // answered, not yet given
		uint32_t taken = 1;

		while (taken > 0 && n_bytes >= rules.stride && n < WS_BURST_MAX) {
			taken = is_originated(bytes)
					? take_originated(sink, &rules, bytes, &sink->out[n])
					: sweep(sink, &rules, bytes, n_bytes, WS_BURST_MAX - n,
						  &sink->out[n]);
			n += taken;
			bytes += (size_t)taken * rules.stride;
			n_bytes -= taken * rules.stride;
		}
		if (n > 0)
			ops->verdicts(ops->env, sink->out, n);
		nth += n;
		if (taken == 0)
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
