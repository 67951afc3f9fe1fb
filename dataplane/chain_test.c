// SPDX-License-Identifier: BSD-3-Clause
// Tests of dp_chain, dp_stage, dp_verdict and dp_supervise, with filters that are C (ws_fake.h) and
// ports that are arrays (fake_port.h): every packet that goes in is seen to come out.
#include "chain.h"

#include "fake_port.h"
#include "ws_fake.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static struct fake fake;
static struct rig rig;

enum {
	N = 1000, // packets of 60 bytes that arrive on port 0
};

static void fill_many(struct fake *f, uint16_t port, struct rte_mempool *pool)
{
	for (uint32_t i = 0; port == 0 && i < N; i++)
		fake_receive(f, 0, rig_packet(pool, (uint8_t)i, 60, 0));
}

// Port 0 -> port 1, port 2 for exceptions; one worker, one chain of the given filters.
static void set_up(void (*fill)(struct fake *, uint16_t, struct rte_mempool *))
{
	fake_init(&fake, fill);
	rig_config(&rig);
	rig_port(&rig, NULL, 1, 0, 1);
	rig_port(&rig, NULL, 1, 0, DP_NO_INDEX);
	rig_port(&rig, NULL, 1, 0, DP_NO_INDEX);
	ws_fake_seen = (struct ws_fake_seen){0};
}

static int every_instance_was_destroyed(void **state)
{
	(void)state;
	assert_int_equal(ws_fake_seen.n_created, ws_fake_seen.n_destroyed);
	return 0;
}

static void chain_without_filters_forwards(void **state)
{
	(void)state;
	set_up(fill_many);
	fake_run(&rig, &fake, NULL);
	assert_int_equal(fake.ports[1].n_out, N);
	for (uint32_t i = 0; i < N; i++)
		assert_int_equal(fake.ports[1].out[i].bytes[0], (uint8_t)i);
}

static void chain_passes_packets_in_order(void **state)
{
	struct dp_stats *stats;

	(void)state;
	set_up(fill_many);
	rig_filter(&rig, 0, "pass");
	rig_filter(&rig, 0, "pass");
	fake_run(&rig, &fake, &stats);
	assert_int_equal(fake.ports[1].n_out, N);
	for (uint32_t i = 0; i < N; i++)
		assert_int_equal(fake.ports[1].out[i].bytes[0], (uint8_t)i);
	for (uint32_t f = 0; f < 2; f++) {
		assert_int_equal(stats->filters[0][f].in.packets, N);
		assert_int_equal(stats->filters[0][f].in.bytes, 60 * N);
		assert_int_equal(stats->filters[0][f].out[WS_VERDICT_PRESET], N);
		assert_true(stats->filters[0][f].cycles > 0);
	}
	dp_stats_destroy(stats);
}

static void filter_drops_are_counted_by_its_reason(void **state)
{
	struct dp_stats *stats;

	(void)state;
	set_up(fill_many);
	rig_filter(&rig, 0, "drop 1, odd");
	rig_filter(&rig, 0, "drop 0");
	fake_run(&rig, &fake, &stats);
	assert_int_equal(fake.ports[1].n_out, 0);
	assert_int_equal(stats->filters[0][0].reasons[1], N / 2);
	assert_int_equal(stats->filters[0][1].reasons[0], N / 2);
	assert_int_equal(stats->law.drops_by[DP_DROP_FILTER], N);
	assert_int_equal(fake.n_dropped, N);
	dp_stats_destroy(stats);
}

static void mark_and_port_pass_along_the_chain(void **state)
{
	(void)state;
	set_up(fill_many);
	rig_filter(&rig, 0, "mark 40, port 2");
	rig_filter(&rig, 0, "mark 2");
	rig_filter(&rig, 0, "pass");
	fake_run(&rig, &fake, NULL);
	assert_int_equal(ws_fake_seen.last.mark, 42);
	assert_int_equal(ws_fake_seen.last.port_out, 2);
	assert_int_equal(fake.ports[2].n_out, N);
}

static void changed_bytes_are_seen_by_the_next_filter_and_sent(void **state)
{
	struct dp_stats *stats;

	(void)state;
	set_up(fill_many);
	rig_filter(&rig, 0, "len 14")->view = 10;
	rig_filter(&rig, 0, "pass");
	fake_run(&rig, &fake, &stats);
	assert_int_equal(ws_fake_seen.last.total_len, 64);
	assert_int_equal(ws_fake_seen.bytes[13], 0xee);
	assert_int_equal(fake.ports[1].n_out, N);
	assert_int_equal(fake.ports[1].out[7].len, 64);
	assert_int_equal(fake.ports[1].out[7].bytes[0], 0xee);
	assert_int_equal(fake.ports[1].out[7].bytes[14], 7 + 10); // the hidden rest follows
	assert_int_equal(stats->filters[0][0].changed, N);
	dp_stats_destroy(stats);
}

static void exception_goes_to_the_exception_port_or_drops_by_name(void **state)
{
	struct dp_stats *stats;

	(void)state;
	set_up(fill_many);
	rig_filter(&rig, 0, "except");
	rig.config.exception_port_idx = 2;
	fake_run(&rig, &fake, &stats);
	assert_int_equal(fake.ports[2].n_out, N);
	assert_int_equal(stats->law.tx, N);
	dp_stats_destroy(stats);

	set_up(fill_many);
	rig_filter(&rig, 0, "except");
	fake_run(&rig, &fake, &stats);
	assert_int_equal(stats->law.drops_by[DP_DROP_NO_EXCEPTION_PORT], N);
	dp_stats_destroy(stats);
}

static void port_none_drops_as_no_route(void **state)
{
	struct dp_stats *stats;

	(void)state;
	set_up(fill_many);
	rig_filter(&rig, 0, "port 65535");
	fake_run(&rig, &fake, &stats);
	assert_int_equal(stats->law.drops_by[DP_DROP_NO_ROUTE], N);
	dp_stats_destroy(stats);
}

static void held_packets_come_out_at_the_end(void **state)
{
	(void)state;
	set_up(fill_many);
	rig_filter(&rig, 0, "hold 1500")->limits.held = 2000;
	rig_filter(&rig, 0, "hold 7")->limits.held = 8; // far less room than what comes at once
	rig_filter(&rig, 0, "pass")->limits.held = 3;
	fake_run(&rig, &fake, NULL);
	assert_int_equal(fake.ports[1].n_out, N);
	for (uint32_t i = 0; i < N; i++)
		assert_int_equal(fake.ports[1].out[i].bytes[0], (uint8_t)i);
}

static void a_full_filter_stops_the_polling_of_its_queue(void **state)
{
	struct dp_stats *stats;

	(void)state;
	set_up(fill_many);
	rig_filter(&rig, 0, "hold 3")->limits.held = 4;
	fake_run(&rig, &fake, &stats);
	assert_int_equal(fake.ports[1].n_out, N);
	assert_int_equal(stats->law.drops, 0);
	dp_stats_destroy(stats);
}

static void originated_packets_go_on_and_are_counted(void **state)
{
	struct dp_stats *stats;

	(void)state;
	set_up(fill_many);
	rig_filter(&rig, 0, "originate 2, drop 1");
	rig_filter(&rig, 0, "port 2");
	fake_run(&rig, &fake, &stats);
	assert_int_equal(stats->law.originated, stats->filters[0][0].originated);
	assert_int_equal(stats->law.originated, 2 * stats->filters[0][0].runs);
	assert_int_equal(fake.ports[2].n_out, stats->law.originated);
	assert_int_equal(fake.ports[2].out[0].len, 60);
	assert_int_equal(fake.ports[2].out[0].bytes[59], 0x77);
	dp_stats_destroy(stats);
}

static void originating_without_buffers_drops_as_no_memory(void **state)
{
	struct dp_stats *stats;

	(void)state;
	set_up(fill_many);
	rig_filter(&rig, 0, "originate 60, hold 900")->limits.held = 2000;
	rig.config.n_mbufs = N + 20;
	fake_run(&rig, &fake, &stats);
	assert_true(stats->law.drops_by[DP_DROP_NO_MEMORY] > 0);
	dp_stats_destroy(stats);
}

// ---- faults -----------------------------------------------------------------------------------------

// The first run gets 32 packets, hands 16 back and faults.
static void fault_under_policy_closed_drops_what_was_lent(void **state)
{
	struct dp_stats *stats;

	(void)state;
	set_up(fill_many);
	struct dp_filter_config *filter = rig_filter(&rig, 0, "trap 1");
	filter->restart_min_ns = filter->restart_max_ns = 60000000000;
	fake_run(&rig, &fake, &stats);
	assert_int_equal(fake.ports[1].n_out, 16);
	assert_int_equal(stats->law.drops_by[DP_DROP_FILTER_FAULT], 16);
	assert_int_equal(stats->law.drops_by[DP_DROP_NO_INSTANCE], N - 32);
	assert_int_equal(stats->filters[0][0].faulted, 16);
	assert_int_equal(stats->filters[0][0].missed, N - 32);
	assert_int_equal(stats->filters[0][0].traps, 1);
	assert_int_equal(stats->filters[0][0].restarts, 0);
	assert_int_equal(stats->filters[0][0].instances, 0);
	dp_stats_destroy(stats);
}

static void fault_under_policy_open_forwards_past_the_chain(void **state)
{
	struct dp_stats *stats;

	(void)state;
	set_up(fill_many);
	rig_filter(&rig, 0, "pass");
	struct dp_filter_config *filter = rig_filter(&rig, 0, "trap 1");
	rig_filter(&rig, 0, "drop 1");
	filter->on_fault = DP_ON_FAULT_OPEN;
	filter->restart_min_ns = filter->restart_max_ns = 60000000000;
	fake_run(&rig, &fake, &stats);
	assert_int_equal(fake.ports[1].n_out, N - 16);
	assert_int_equal(stats->law.drops_by[DP_DROP_FILTER], 16); // those that it had judged
	dp_stats_destroy(stats);
}

static void fault_under_policy_bypass_goes_on_to_the_next_filter(void **state)
{
	struct dp_stats *stats;

	(void)state;
	set_up(fill_many);
	rig_filter(&rig, 0, "mark 5, port 2")->limits.held = 2000;
	struct dp_filter_config *filter = rig_filter(&rig, 0, "trap 1");
	rig_filter(&rig, 0, "mark 1")->limits.held = 5;
	filter->on_fault = DP_ON_FAULT_BYPASS;
	filter->restart_min_ns = filter->restart_max_ns = 60000000000;
	fake_run(&rig, &fake, &stats);
	assert_int_equal(fake.ports[2].n_out, N);
	assert_int_equal(ws_fake_seen.last.mark, 5); // as it came to the filter that faulted
	assert_int_equal(stats->filters[0][2].in.packets, N);
	dp_stats_destroy(stats);
}

static void fault_of_a_single_filter_bypassed_forwards_to_the_preset_port(void **state)
{
	(void)state;
	set_up(fill_many);
	struct dp_filter_config *filter = rig_filter(&rig, 0, "trap 1");
	filter->on_fault = DP_ON_FAULT_BYPASS;
	filter->restart_min_ns = filter->restart_max_ns = 60000000000;
	fake_run(&rig, &fake, NULL);
	assert_int_equal(fake.ports[1].n_out, N);
}

static void every_lost_instance_is_replaced(void **state)
{
	struct dp_stats *stats;

	(void)state;
	set_up(fill_many);
	rig_filter(&rig, 0, "trap 2");
	rig_filter(&rig, 0, "pass");
	fake.pause_ms = 1;
	fake.burst = 8;
	fake_run(&rig, &fake, &stats);
	assert_true(stats->filters[0][0].traps > 2);
	assert_in_range(stats->filters[0][0].restarts, stats->filters[0][0].traps - 1,
		stats->filters[0][0].traps);
	assert_int_equal(stats->filters[0][1].traps, 0);
	dp_stats_destroy(stats);
}

static void a_replacement_with_less_room_than_a_burst_loses_nothing(void **state)
{
	struct dp_stats *stats;

	(void)state;
	set_up(fill_many);
	struct dp_filter_config *filter = rig_filter(&rig, 0, "trap 2");
	filter->limits.held = 4;
	filter->on_fault = DP_ON_FAULT_OPEN;
	fake.pause_ms = 1;
	fake_run(&rig, &fake, &stats);
	assert_true(stats->filters[0][0].restarts > 0);
	assert_int_equal(fake.ports[1].n_out, N);
	dp_stats_destroy(stats);
}

static void fill_burst(struct fake *f, uint16_t port, struct rte_mempool *pool)
{
	for (uint32_t i = 0; port == 0 && i < 32; i++)
		fake_receive(f, 0, rig_packet(pool, (uint8_t)i, 60, 0));
}

static void a_run_that_is_to_stop_waits_for_no_filter(void **state)
{
	struct dp_stats *stats;

	(void)state;
	set_up(fill_burst);
	rig_filter(&rig, 0, "loop 1")->deadline_ns = 3600000000000; // an hour
	fake_use(&fake);
	struct dp_run *run = rig_run(&rig, &fake.hooks);
	rig_wait_rx(&rig, run, 0, 32);
	rig_end(&rig, run, &stats); // within seconds
	assert_int_equal(stats->filters[0][0].deadlines, 1);
	dp_stats_destroy(stats);
}

static void a_filter_that_loops_is_interrupted_and_the_run_goes_on(void **state)
{
	struct dp_stats *stats;

	(void)state;
	set_up(fill_many);
	struct dp_filter_config *filter = rig_filter(&rig, 0, "loop 1");
	filter->deadline_ns = 2000000;
	filter->on_fault = DP_ON_FAULT_OPEN;
	filter->restart_min_ns = filter->restart_max_ns = 60000000000;
	fake_run(&rig, &fake, &stats);
	assert_int_equal(ws_fake_seen.n_interrupted, 1);
	assert_int_equal(stats->filters[0][0].deadlines, 1);
	assert_int_equal(fake.ports[1].n_out, N);
	dp_stats_destroy(stats);
}

static void a_filter_that_ends_by_itself_is_replaced(void **state)
{
	struct dp_stats *stats;

	(void)state;
	set_up(fill_many);
	rig_filter(&rig, 0, "end 3");
	fake.pause_ms = 1;
	fake.burst = 8;
	fake_run(&rig, &fake, &stats);
	assert_true(stats->filters[0][0].ended > 1);
	assert_int_equal(stats->filters[0][0].traps, 0);
	assert_true(stats->filters[0][0].restarts > 0);
	dp_stats_destroy(stats);
}

static void a_filter_that_gives_up_at_its_start_is_refused(void **state)
{
	struct dp_run *run = NULL;
	char *message = NULL;

	(void)state;
	set_up(NULL);
	rig_filter(&rig, 0, "refuse")->place = (struct dp_place){.line = 7, .column = 3};
	rig.config.file = "c.yaml";
	assert_int_equal(dp_run_create(&rig.config, &fake.hooks, &run), 0);
	assert_int_equal(dp_run_open(run, &message), WE_E_INVALID);
	assert_string_equal(message,
		"c.yaml:7:3: filter f0: invalid: it ended at its start: internal: as it was told");
	free(message);
	dp_run_destroy(run);
}

static void a_run_asked_to_end_before_it_opened_starts_no_filter(void **state)
{
	struct dp_run *run = NULL;
	char *message = NULL;

	(void)state;
	set_up(NULL);
	rig_filter(&rig, 0, "pass");
	assert_int_equal(dp_run_create(&rig.config, &fake.hooks, &run), 0);
	dp_run_request_stop(run);
	assert_int_equal(dp_run_open(run, &message), WE_E_HOST);
	assert_string_equal(message, "asked to end before it started");
	free(message);
	dp_run_destroy(run);
}

static void reasons_have_the_names_that_the_filter_gave(void **state)
{
	char *message = NULL;
	struct dp_run *run;

	(void)state;
	set_up(NULL);
	rig_filter(&rig, 0, "pass");
	assert_int_equal(dp_run_create(&rig.config, &fake.hooks, &run), 0);
	assert_int_equal(dp_run_open(run, &message), 0);
	assert_string_equal(dp_run_reason(run, 0, 1), "fake");
	assert_null(dp_run_reason(run, 0, 2));
	dp_run_destroy(run);
}

// ---- what a filter is shown, and what is sent -------------------------------------------------------

static void fill_one_with_metadata(struct fake *f, uint16_t port, struct rte_mempool *pool)
{
	if (port != 0)
		return;
	struct rte_mbuf *m = rig_packet(pool, 0, 100, 9); // twelve segments
	m->packet_type = RTE_PTYPE_L2_ETHER | RTE_PTYPE_L3_IPV4;
	m->hash.rss = 0x12345678;
	m->ol_flags = RTE_MBUF_F_RX_RSS_HASH | RTE_MBUF_F_RX_IP_CKSUM_GOOD |
		      RTE_MBUF_F_RX_L4_CKSUM_BAD | f->fields.tstamp_flag;
	*dp_mbuf_tstamp(m, &f->fields) = 1234567890123456789;
	dp_mbuf_set_short(m, &f->fields, 1500);
	fake_receive(f, 0, m);
}

static void a_descriptor_says_what_the_receiver_said(void **state)
{
	struct dp_stats *stats;

	(void)state;
	set_up(fill_one_with_metadata);
	rig_filter(&rig, 0, "pass")->view = 64;
	fake_run(&rig, &fake, &stats);
	const struct ws_slot *slot = &ws_fake_seen.last;
	assert_int_equal(slot->ptype, RTE_PTYPE_L2_ETHER | RTE_PTYPE_L3_IPV4);
	assert_int_equal(slot->total_len, 100);
	assert_int_equal(slot->hash, 0x12345678);
	assert_int_equal(slot->rx_flags, RTE_MBUF_F_RX_RSS_HASH | RTE_MBUF_F_RX_IP_CKSUM_GOOD |
						 RTE_MBUF_F_RX_L4_CKSUM_BAD | WS_RX_MULTI_SEG |
						 WS_RX_SHORT);
	assert_int_equal(slot->tstamp_ns, 1234567890123456789);
	assert_int_equal(slot->port_in, 0);
	assert_int_equal(slot->port_out, 1);
	for (uint8_t i = 0; i < 64; i++) // gathered over segments
		assert_int_equal(ws_fake_seen.bytes[i], i);
	assert_int_equal(fake.ports[1].out[0].wire_len, 1500);
	dp_stats_destroy(stats);
}

static void a_change_ends_the_trust_in_received_checksums(void **state)
{
	(void)state;
	set_up(fill_one_with_metadata);
	rig_filter(&rig, 0, "len 20")->view = 10;
	rig_filter(&rig, 0, "pass");
	fake_run(&rig, &fake, NULL);
	assert_int_equal(
		ws_fake_seen.last.rx_flags, RTE_MBUF_F_RX_RSS_HASH | WS_RX_MULTI_SEG | WS_RX_SHORT);
	assert_int_equal(fake.ports[1].out[0].len, 110);
	assert_int_equal(fake.ports[1].out[0].wire_len, 1510);
}

static void fill_stripped(struct fake *f, uint16_t port, struct rte_mempool *pool)
{
	if (port != 0)
		return;
	struct rte_mbuf *one = rig_packet(pool, 0, 60, 0);
	one->ol_flags = RTE_MBUF_F_RX_VLAN | RTE_MBUF_F_RX_VLAN_STRIPPED;
	one->vlan_tci = 0x2064;
	fake_receive(f, 0, one);
	struct rte_mbuf *two = rig_packet(pool, 0, 60, 5); // no headroom would do: many segments
	two->ol_flags = RTE_MBUF_F_RX_VLAN | RTE_MBUF_F_RX_VLAN_STRIPPED | RTE_MBUF_F_RX_QINQ |
			RTE_MBUF_F_RX_QINQ_STRIPPED;
	two->vlan_tci = 1;
	two->vlan_tci_outer = 0xfff;
	fake_receive(f, 0, two);
}

static void stripped_tags_are_shown_and_put_back_when_sent(void **state)
{
	static const uint8_t one[] = {11, 0x81, 0x00, 0x20, 0x64, 12};
	static const uint8_t two[] = {11, 0x88, 0xa8, 0x0f, 0xff, 0x81, 0x00, 0x00, 0x01, 12};

	(void)state;
	set_up(fill_stripped);
	rig_filter(&rig, 0, "pass");
	fake_run(&rig, &fake, NULL);
	assert_int_equal(ws_fake_seen.last.vlan, 1);
	assert_int_equal(ws_fake_seen.last.vlan_outer, 0xfff);
	assert_int_equal(ws_fake_seen.last.total_len, 60);
	assert_int_equal(fake.ports[1].out[0].len, 64);
	assert_memory_equal(fake.ports[1].out[0].bytes + 11, one, sizeof(one));
	assert_int_equal(fake.ports[1].out[1].len, 68);
	assert_memory_equal(fake.ports[1].out[1].bytes + 11, two, sizeof(two));
}

static void a_port_that_inserts_tags_is_asked_to(void **state)
{
	(void)state;
	set_up(fill_stripped);
	fake.io.can_insert_vlan = true;
	fake_run(&rig, &fake, NULL);
	assert_int_equal(fake.ports[1].out[0].len, 60);
	assert_true(fake.ports[1].out[0].flags & RTE_MBUF_F_TX_VLAN);
	assert_int_equal(fake.ports[1].out[1].len, 68); // two tags: in software
}

static void fill_malformed(struct fake *f, uint16_t port, struct rte_mempool *pool)
{
	if (port != 0)
		return;
	struct rte_mbuf *m = rig_packet(pool, 0, 100, 30);
	m->pkt_len = 70000;
	fake_receive(f, 0, m);
	m = rig_packet(pool, 0, 100, 30);
	m->nb_segs = 3;
	fake_receive(f, 0, m);
	m = rig_packet(pool, 0, 100, 30);
	m->nb_segs = 9;
	fake_receive(f, 0, m);
	m = rig_packet(pool, 0, 100, 0);
	m->pkt_len = 99;
	fake_receive(f, 0, m);
	m = rig_packet(pool, 0, 100, 0);
	m->data_off = m->buf_len;
	fake_receive(f, 0, m);
	fake_receive(f, 0, rig_packet(pool, 42, 100, 30));
	fake_receive(f, 0, rig_packet(pool, 43, 0, 0));
}

static void packets_that_do_not_add_up_drop_as_rx_malformed(void **state)
{
	struct dp_stats *stats;

	(void)state;
	set_up(fill_malformed);
	rig_filter(&rig, 0, "pass");
	fake_run(&rig, &fake, &stats);
	assert_int_equal(stats->law.drops_by[DP_DROP_RX_MALFORMED], 5);
	assert_int_equal(fake.ports[1].n_out, 2);
	assert_int_equal(fake.ports[1].out[0].bytes[0], 42);
	assert_int_equal(fake.ports[1].out[1].len, 0);
	dp_stats_destroy(stats);
}

static void fill_jumbo(struct fake *f, uint16_t port, struct rte_mempool *pool)
{
	for (uint32_t i = 0; port == 0 && i < 40; i++)
		fake_receive(f, 0, rig_packet(pool, (uint8_t)i, 9000 + i, 2000));
}

static void jumbo_packets_go_through_a_full_view(void **state)
{
	struct dp_stats *stats;

	(void)state;
	set_up(fill_jumbo);
	fake.io.view_full = 9022;
	rig_filter(&rig, 0, "pass")->view = WS_VIEW_FULL;
	fake_run(&rig, &fake, &stats);
	assert_int_equal(fake.ports[1].n_out, 40);
	assert_int_equal(fake.ports[1].out[39].len, 9039);
	assert_int_equal(stats->filters[0][0].in.bytes, 40 * 9000 + 39 * 20);
	dp_stats_destroy(stats);
}

static void what_a_port_cannot_send_drops_as_tx_too_long(void **state)
{
	struct dp_stats *stats;

	(void)state;
	set_up(fill_jumbo);
	fake.io.max_tx_len = 9019;
	fake_run(&rig, &fake, &stats);
	assert_int_equal(fake.ports[1].n_out, 20);
	assert_int_equal(stats->ports[1].drops[DP_DROP_TX_TOO_LONG], 20);
	dp_stats_destroy(stats);

	set_up(fill_jumbo); // more segments than the port sends, and no single buffer holds them
	fake.io.can_send_segments = false;
	fake_run(&rig, &fake, &stats);
	assert_int_equal(stats->ports[1].drops[DP_DROP_TX_TOO_LONG], 40);
	dp_stats_destroy(stats);

	set_up(fill_stripped); // the second has twelve segments, which fit one buffer
	fake.io.can_send_segments = false;
	fake_run(&rig, &fake, NULL);
	assert_int_equal(fake.ports[1].n_out, 2);
	assert_int_equal(fake.ports[1].out[1].len, 68);
}

static void a_full_port_drops_as_tx_full(void **state)
{
	struct dp_stats *stats;

	(void)state;
	set_up(fill_many);
	fake.ports[1].room = 77;
	fake_run(&rig, &fake, &stats);
	assert_int_equal(fake.ports[1].n_out, 77);
	assert_int_equal(stats->ports[1].tx.packets, 77);
	assert_int_equal(stats->ports[1].tx.bytes, 77 * 60);
	assert_int_equal(stats->ports[1].drops[DP_DROP_TX_FULL], N - 77);
	dp_stats_destroy(stats);
}

// UDP over IPv4 whose checksum field holds the pseudo header's sum, as a virtual machine sends it.
static void fill_partial_checksum(struct fake *f, uint16_t port, struct rte_mempool *pool)
{
	static const uint8_t packet[] = {2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2, 0x08, 0x00, // Ethernet
		0x45, 0, 0, 32, 0, 0, 0, 0, 64, 17, 0x66, 0xcb, 10, 0, 0, 1, 10, 0, 0, 2, 0x04,
		0xd2, 0x00, 0x35, 0, 12, 0xff, 0xff, 'w', 'e', 'i', 'r'};

	if (port != 0)
		return;
	struct rte_mbuf *m = rig_packet(pool, 0, sizeof(packet), 0);
	memcpy(rte_pktmbuf_mtod(m, uint8_t *), packet, sizeof(packet));
	m->ol_flags = RTE_MBUF_F_RX_L4_CKSUM_NONE;
	fake_receive(f, 0, m);
}

static void a_checksum_left_to_an_offload_is_finished_when_sent(void **state)
{
	uint32_t sum = 0;

	(void)state;
	set_up(fill_partial_checksum);
	rig_filter(&rig, 0, "pass");
	fake_run(&rig, &fake, NULL);
	assert_int_equal(ws_fake_seen.last.rx_flags, RTE_MBUF_F_RX_L4_CKSUM_NONE);
	// Over pseudo header and datagram, a right checksum sums up to all ones.
	const uint8_t *bytes = fake.ports[1].out[0].bytes;
	for (uint32_t i = 26; i < 46; i += 2)
		sum += (uint32_t)bytes[i] << 8 | bytes[i + 1];
	sum += 17 + 12;
	sum = (sum & 0xffff) + (sum >> 16);
	assert_int_equal(sum, 0xffff);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(chain_without_filters_forwards),
#define CHAIN_TEST(name) cmocka_unit_test_teardown(name, every_instance_was_destroyed)
		CHAIN_TEST(chain_passes_packets_in_order),
		CHAIN_TEST(filter_drops_are_counted_by_its_reason),
		CHAIN_TEST(mark_and_port_pass_along_the_chain),
		CHAIN_TEST(changed_bytes_are_seen_by_the_next_filter_and_sent),
		CHAIN_TEST(exception_goes_to_the_exception_port_or_drops_by_name),
		CHAIN_TEST(port_none_drops_as_no_route),
		CHAIN_TEST(held_packets_come_out_at_the_end),
		CHAIN_TEST(a_full_filter_stops_the_polling_of_its_queue),
		CHAIN_TEST(originated_packets_go_on_and_are_counted),
		CHAIN_TEST(originating_without_buffers_drops_as_no_memory),
		CHAIN_TEST(fault_under_policy_closed_drops_what_was_lent),
		CHAIN_TEST(fault_under_policy_open_forwards_past_the_chain),
		CHAIN_TEST(fault_under_policy_bypass_goes_on_to_the_next_filter),
		CHAIN_TEST(fault_of_a_single_filter_bypassed_forwards_to_the_preset_port),
		CHAIN_TEST(every_lost_instance_is_replaced),
		CHAIN_TEST(a_replacement_with_less_room_than_a_burst_loses_nothing),
		CHAIN_TEST(a_run_that_is_to_stop_waits_for_no_filter),
		CHAIN_TEST(a_filter_that_loops_is_interrupted_and_the_run_goes_on),
		CHAIN_TEST(a_filter_that_ends_by_itself_is_replaced),
		CHAIN_TEST(a_filter_that_gives_up_at_its_start_is_refused),
		CHAIN_TEST(a_run_asked_to_end_before_it_opened_starts_no_filter),
		CHAIN_TEST(reasons_have_the_names_that_the_filter_gave),
		CHAIN_TEST(a_descriptor_says_what_the_receiver_said),
		CHAIN_TEST(a_change_ends_the_trust_in_received_checksums),
		CHAIN_TEST(stripped_tags_are_shown_and_put_back_when_sent),
		CHAIN_TEST(a_port_that_inserts_tags_is_asked_to),
		CHAIN_TEST(packets_that_do_not_add_up_drop_as_rx_malformed),
		CHAIN_TEST(jumbo_packets_go_through_a_full_view),
		CHAIN_TEST(what_a_port_cannot_send_drops_as_tx_too_long),
		CHAIN_TEST(a_full_port_drops_as_tx_full),
		CHAIN_TEST(a_checksum_left_to_an_offload_is_finished_when_sent),
	};

	if (rig_start_eal())
		return 1;
	const int n_failed = cmocka_run_group_tests_name("dp_chain", tests, NULL, NULL);
	rig_stop_eal();
	return n_failed;
}
