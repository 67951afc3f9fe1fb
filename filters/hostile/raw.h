// SPDX-License-Identifier: BSD-3-Clause
// A process without the SDK's state machine, for filters that break the rules between guest and host: streams made and
// returned, one read posted. What comes then is the file's own.
#pragma once

#include "weir_abi.h"
#include "weir_slot.h"

enum {
	RAW_SLOTS = 64,
	RAW_STRIDE = 256
};

static struct {
	uint32_t rx;
	uint32_t tx;
	uint32_t status;
	uint32_t set;
	_Alignas(64) uint8_t buf[RAW_SLOTS * RAW_STRIDE];
} raw;

static inline uint32_t raw_wait(void)
{
	return WEIR_CALLBACK_WAIT | raw.set << 4;
}

// Streams, future and waitable set; process has not returned yet. Returns the readable ends for weir_return.
static inline uint64_t raw_open(uint32_t rx)
{
	const uint64_t tx = weir_tx_new();
	const uint64_t status = weir_status_new();

	raw.rx = rx;
	raw.tx = (uint32_t)(tx >> 32);
	raw.status = (uint32_t)(status >> 32);
	raw.set = weir_set_new();
	weir_join(raw.rx, raw.set);
	weir_join(raw.tx, raw.set);
	weir_join(raw.status, raw.set);
	return (status & 0xffffffff) << 32 | (tx & 0xffffffff);
}

static inline void raw_return(uint64_t ends)
{
	weir_return((uint32_t)ends, (uint32_t)(ends >> 32));
}

// All of process: open, return, post a read, wait.
static inline uint32_t raw_begin(uint32_t rx)
{
	raw_return(raw_open(rx));
	weir_rx_read(raw.rx, raw.buf, sizeof(raw.buf));
	return raw_wait();
}

// Give back what a read brought, and post the next one.
static inline void raw_pass(uint32_t copied)
{
	weir_tx_write(raw.tx, raw.buf, copied >> 4);
	weir_rx_read(raw.rx, raw.buf, sizeof(raw.buf));
}

// The input has ended: end well.
static inline uint32_t raw_end(void)
{
	static const struct weir_status_value ok;

	weir_rx_drop(raw.rx);
	weir_tx_drop(raw.tx);
	weir_status_write(raw.status, &ok);
	weir_status_drop(raw.status);
	weir_set_drop(raw.set);
	return WEIR_CALLBACK_EXIT;
}
