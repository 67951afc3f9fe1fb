// SPDX-License-Identifier: BSD-3-Clause
// fake_port: ports made of arrays.
#include "fake_port.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

static struct fake *the_fake; // of the run; ports are its contexts
_Thread_local bool fake_is_on_path;

static struct fake_packet look_at(struct rte_mbuf *m)
{
	struct fake_packet p = {
		.len = m->pkt_len,
		.wire_len = dp_mbuf_wire_len(m, &the_fake->fields),
		.flags = m->ol_flags,
	};

	memcpy(p.bytes, rig_bytes(m), sizeof(p.bytes));
	return p;
}

static uint16_t fake_rx(void *ctx, struct rte_mbuf **ret_mbufs, uint16_t n)
{
	const struct timespec pause = {.tv_nsec = the_fake->pause_ms * 1000000};
	struct fake_port *port = ctx;
	uint16_t k = 0;

	fake_is_on_path = false;
	if (port->n_taken == port->n_in)
		return DP_RX_END;
	if (the_fake->pause_ms)
		nanosleep(&pause, NULL);
	while (k < n && k < the_fake->burst && port->n_taken < port->n_in)
		ret_mbufs[k++] = port->in[port->n_taken++];
	fake_is_on_path = k > 0;
	return k;
}

static uint16_t fake_tx(void *ctx, struct rte_mbuf **mbufs, uint16_t n)
{
	struct fake_port *port = ctx;
	uint16_t k = 0;

	fake_is_on_path = false;
	for (; k < n && port->room > 0 && port->n_out < FAKE_PACKETS; k++, port->room--) {
		port->out[port->n_out++] = look_at(mbufs[k]);
		rte_pktmbuf_free(mbufs[k]);
	}
	return k;
}

static void fake_drop(void *ctx, struct rte_mbuf **mbufs, uint32_t n)
{
	struct fake *fake = ctx;

	for (uint32_t i = 0; i < n; i++) {
		fake->last_dropped = look_at(mbufs[i]);
		fake->n_dropped++;
		rte_pktmbuf_free(mbufs[i]);
	}
}

static int fake_open(void *env, uint16_t port_idx, struct rte_mempool *pool,
	struct dp_port_io *ret_io, struct we_error *err)
{
	struct fake *fake = env;
	struct fake_port *port = &fake->ports[port_idx];

	(void)err;
	*ret_io = fake->io;
	ret_io->rx[0] = (struct dp_rx){.burst = fake_rx, .ctx = port};
	ret_io->tx[0] = (struct dp_tx){.burst = fake_tx, .ctx = port};
	if (fake->fill)
		fake->fill(fake, port_idx, pool);
	return 0;
}

void fake_init(
	struct fake *fake, void (*fill)(struct fake *fake, uint16_t port, struct rte_mempool *pool))
{
	memset(fake, 0, sizeof(*fake));
	fake->hooks = (struct dp_hooks){.env = fake, .open_port = fake_open, .drop = fake_drop};
	fake->io = (struct dp_port_io){.view_full = 1522,
		.max_tx_len = 65535,
		.tstamp_unit_ns = 1,
		.can_send_segments = true};
	fake->burst = 32;
	fake->fill = fill;
	for (uint32_t p = 0; p < FAKE_PORTS; p++)
		fake->ports[p].room = FAKE_PACKETS;
	assert_int_equal(dp_mbuf_fields_register(&fake->fields, NULL), 0);
}

void fake_receive(struct fake *fake, uint16_t port, struct rte_mbuf *m)
{
	struct fake_port *p = &fake->ports[port];

	assert_true(p->n_in < FAKE_PACKETS);
	p->in[p->n_in++] = m;
}

void fake_use(struct fake *fake)
{
	the_fake = fake;
}

void fake_run(struct rig *rig, struct fake *fake, struct dp_stats **ret_stats)
{
	fake_use(fake);
	struct dp_run *run = rig_run(rig, &fake->hooks);
	rig_end_by_itself(rig, run, ret_stats);
}
