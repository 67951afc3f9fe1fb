// SPDX-License-Identifier: BSD-3-Clause
// fake_port: ports made of arrays, put in the place of devices by dp_hooks.open_port. A test fills in
// what is received; the run ends when all of it was; what was sent and dropped stays to be looked at.
#pragma once

#include "plane_rig.h"

#include "mbuf_fields.h"

enum {
	FAKE_PORTS = 3,
	FAKE_PACKETS = 4096,
};

struct fake_packet {
	uint32_t len;
	uint32_t wire_len;
	uint64_t flags;    // ol_flags
	uint8_t bytes[96]; // the first ones
};

struct fake_port {
	struct rte_mbuf *in[FAKE_PACKETS]; // taken by the run
	uint32_t n_in;
	uint32_t n_taken;
	struct fake_packet out[FAKE_PACKETS];
	uint32_t n_out;
	uint32_t room; // packets that may be sent; then the port is full
};

struct fake {
	struct dp_hooks hooks;
	struct fake_port ports[FAKE_PORTS];
	struct dp_mbuf_fields fields;
	struct dp_port_io io; // what open_port says of every port, functions apart
	uint32_t burst;       // packets that one receive call gives at most
	long pause_ms;        // between two of them
	uint32_t n_dropped;
	struct fake_packet last_dropped;
	void (*fill)(struct fake *fake, uint16_t port, struct rte_mempool *pool); // makes in
};

// Is this thread between the return of a receive call that gave packets and the call that sends?
extern _Thread_local bool fake_is_on_path;

// Every port receives the packets that fill makes, sends into out, and never ends but by fill's packets.
void fake_init(struct fake *fake,
	void (*fill)(struct fake *fake, uint16_t port, struct rte_mempool *pool));
// One more packet to be received.
void fake_receive(struct fake *fake, uint16_t port, struct rte_mbuf *m);
// For tests that call rig_run themselves: whose ports the next run has.
void fake_use(struct fake *fake);
// Run to the end and check what every run must hold. ret_stats may be NULL.
void fake_run(struct rig *rig, struct fake *fake, struct dp_stats **ret_stats);
