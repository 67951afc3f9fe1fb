// SPDX-License-Identifier: BSD-3-Clause
// sink: the bytes that a filter writes, gathered into slots, checked, and answered as verdicts.
//
// Data path 5/7. What a guest may not do with a slot is refused here and faults it; a slot that came back
// whole is read where it stands. It never calls the engine: what the guest writes is an argument.
// Owns:    the verdicts and the bytes of a slot that came in pieces.
// Thread:  the filter's.
// Spec:    ARCHITECTURE.md section 4
#pragma once

#include "lent.h"
#include "slot.h"

// Invariant: n_part < stride.
struct ws_sink {
	struct ws_layout layout;
	struct ws_lent *lent;    // borrowed from the filter
	uint32_t n_ports;        // port_out must be below, or WS_PORT_NONE
	uint32_t n_reasons;      // a reason above it counts as 0
	uint32_t originated;     // packets in this run
	uint32_t originated_max; // in one run
	uint32_t n_part;         // bytes gathered of the next slot
	uint8_t *part;           // [stride]
	struct ws_verdict out[WS_BURST_MAX];
};

// Where verdicts go; see ws_filter_ops.
struct ws_sink_ops {
	void (*verdicts)(void *env, const struct ws_verdict *v, uint32_t n);
	void *env;
};

// Sets layout, lent and part; the caller sets the bounds. Returns: 0, NOMEM.
WE_MUST_USE int ws_sink_init(struct ws_sink *sink, const struct ws_layout *layout,
	struct ws_lent *lent, struct we_error *err);
void ws_sink_fini(struct ws_sink *sink); // zeroed is fine

// Take the n bytes at buf, which may begin and end inside a slot. ops is called for the slots completed.
// Borrows: buf for the call.
// Returns: 0; TRAP naming slot, field, found and expected; EXHAUSTED: too many originated. The verdicts of the slots
// before the bad one have been given.
WE_MUST_USE int ws_sink_write(struct ws_sink *sink, const struct ws_sink_ops *ops,
	const uint8_t *buf, uint32_t n, struct we_error *err);
// No more bytes come. Returns: 0; TRAP inside a slot.
WE_MUST_USE int ws_sink_end(const struct ws_sink *sink, struct we_error *err);
