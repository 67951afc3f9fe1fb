// SPDX-License-Identifier: BSD-3-Clause
// Tests of dp_port and dp_run: every kind of DPDK port carries packets, without a filter.
#include "port.h"

#include "mbuf_fields.h"
#include "plane_rig.h"
#include "pool.h"

#include <rte_eth_ring.h>
#include <rte_ethdev.h>

#include <pcap/pcap.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

enum {
	CAPTURE_PACKETS = 100,
	MANY = 1000,
};

static void net_null_carries_packets_over_two_workers(void **state)
{
	struct dp_stats *stats;
	struct rig rig;

	(void)state;
	rig_config(&rig);
	rig_port(&rig, "net_null0,size=64", 1, 0, 1);
	rig_port(&rig, "net_null1,size=64", 1, 1, 0);
	struct dp_run *run = rig_run(&rig, NULL);
	rig_wait_rx(&rig, run, 0, MANY);
	rig_wait_rx(&rig, run, 1, MANY);
	rig_end(&rig, run, &stats);
	// Each worker sends through the other's queue.
	assert_true(stats->ports[0].tx.packets > 0);
	assert_true(stats->ports[1].tx.packets > 0);
	assert_int_equal(stats->ports[0].tx.bytes, 64 * stats->ports[0].tx.packets);
	dp_stats_destroy(stats);
}

static void queues_of_one_port_spread_over_workers(void **state)
{
	struct dp_stats *stats;
	struct rig rig;

	(void)state;
	rig_config(&rig);
	rig_port(&rig, "net_null0,size=64", 2, 0, 0);
	rig.queues[1][0] = rig.queues[0][1]; // queue 1 is worker 1's
	rig.workers[0].n_queues = 1;
	rig.workers[1].n_queues = 1;
	rig.config.n_workers = 2;
	struct dp_run *run = rig_run(&rig, NULL);
	rig_wait_rx(&rig, run, 0, MANY);
	rig_end(&rig, run, &stats);
	for (uint32_t q = 0; q < 2; q++) // each sends through the queue that it polls
		assert_int_equal(stats->queues[0][q].rx.packets, stats->queues[0][q].tx.packets);
	dp_stats_destroy(stats);
}

static void net_null_without_an_output_drops_as_no_route(void **state)
{
	struct dp_stats *stats;
	struct rig rig;

	(void)state;
	rig_config(&rig);
	rig_port(&rig, "net_null0", 2, 0, DP_NO_INDEX);
	struct dp_run *run = rig_run(&rig, NULL);
	rig_wait_rx(&rig, run, 0, MANY);
	rig_end(&rig, run, &stats);
	assert_int_equal(stats->law.drops_by[DP_DROP_NO_ROUTE], stats->law.rx);
	assert_true(stats->queues[0][0].rx.packets > 0);
	assert_true(stats->queues[0][1].rx.packets > 0);
	dp_stats_destroy(stats);
}

// net_ring loops back: what port 1 sends, port 1 receives, and sends again.
static void net_ring_carries_packets(void **state)
{
	struct dp_stats *stats;
	struct rig rig;

	(void)state;
	rig_config(&rig);
	rig_port(&rig, "net_null0", 1, 0, 1);
	rig_port(&rig, "net_ring0", 1, 0, 1);
	struct dp_run *run = rig_run(&rig, NULL);
	rig_wait_rx(&rig, run, 1, MANY);
	rig_end(&rig, run, &stats);
	assert_true(stats->ports[1].rx.packets > 0);
	dp_stats_destroy(stats);
}

static void write_capture(const char *path)
{
	pcap_t *pcap = pcap_open_dead(DLT_EN10MB, 65535);
	pcap_dumper_t *dumper = pcap_dump_open(pcap, path);
	uint8_t bytes[200];

	assert_non_null(dumper);
	for (uint32_t i = 0; i < CAPTURE_PACKETS; i++) {
		const struct pcap_pkthdr header = {.caplen = 60 + i, .len = 60 + i};

		memset(bytes, (int)i, sizeof(bytes));
		pcap_dump((u_char *)dumper, &header, bytes);
	}
	pcap_dump_close(dumper);
	pcap_close(pcap);
}

static void net_pcap_carries_a_capture_unchanged(void **state)
{
	char in[64], out[64], device_in[128], device_out[128], errbuf[PCAP_ERRBUF_SIZE];
	struct pcap_pkthdr header;
	struct rig rig;
	uint32_t n = 0;

	(void)state;
	snprintf(in, sizeof(in), "/tmp/weir-port-test-%d-in.pcap", (int)getpid());
	snprintf(out, sizeof(out), "/tmp/weir-port-test-%d-out.pcap", (int)getpid());
	snprintf(device_in, sizeof(device_in), "net_pcap0,rx_pcap=%s", in);
	snprintf(device_out, sizeof(device_out), "net_pcap1,tx_pcap=%s", out);
	write_capture(in);
	rig_config(&rig);
	rig_port(&rig, device_in, 1, 0, 1);
	rig_port(&rig, device_out, 1, 0, DP_NO_INDEX);
	struct dp_run *run = rig_run(&rig, NULL);
	rig_wait_rx(&rig, run, 0, CAPTURE_PACKETS);
	rig_end(&rig, run, NULL);

	pcap_t *pcap = pcap_open_offline(out, errbuf);
	assert_non_null(pcap);
	for (const uint8_t *bytes; (bytes = pcap_next(pcap, &header)); n++) {
		assert_int_equal(header.caplen, 60 + n);
		assert_int_equal(bytes[0], n);
		assert_int_equal(bytes[header.caplen - 1], n);
	}
	assert_int_equal(n, CAPTURE_PACKETS);
	pcap_close(pcap);
	unlink(in);
	unlink(out);
}

// net_pcap receives 65,536 + n bytes as segments that do not add up, and cuts what it sends at 16,128.
static void records_too_long_for_net_pcap_drop_by_name(void **state)
{
	static uint8_t bytes[70000];
	const uint32_t lens[] = {60, 70000, 65535, 16129, 16128, 61};
	char in[64], device[128];
	struct dp_stats *stats;
	struct rig rig;

	(void)state;
	snprintf(in, sizeof(in), "/tmp/weir-port-test-%d-long.pcap", (int)getpid());
	snprintf(device, sizeof(device), "net_pcap0,rx_pcap=%s,tx_pcap=/dev/null", in);
	pcap_t *pcap = pcap_open_dead(DLT_EN10MB, 262144);
	pcap_dumper_t *dumper = pcap_dump_open(pcap, in);
	assert_non_null(dumper);
	for (size_t i = 0; i < sizeof(lens) / sizeof(lens[0]); i++) {
		const struct pcap_pkthdr header = {.caplen = lens[i], .len = lens[i]};

		pcap_dump((u_char *)dumper, &header, bytes);
	}
	pcap_dump_close(dumper);
	pcap_close(pcap);
	rig_config(&rig);
	rig_port(&rig, device, 1, 0, 0);
	struct dp_run *run = rig_run(&rig, NULL);
	rig_wait_rx(&rig, run, 0, sizeof(lens) / sizeof(lens[0]));
	rig_end(&rig, run, &stats);
	assert_int_equal(stats->law.drops_by[DP_DROP_RX_MALFORMED], 1);
	assert_int_equal(stats->law.drops_by[DP_DROP_TX_TOO_LONG], 2);
	assert_int_equal(stats->law.tx, 3);
	dp_stats_destroy(stats);
	unlink(in);
}

// net_null -> one memif | the other memif -> dropped, in one process.
static void net_memif_carries_packets(void **state)
{
	char server[128], client[128];
	struct dp_stats *stats;
	struct rig rig;

	(void)state;
	snprintf(server, sizeof(server),
		"net_memif0,role=server,id=1,socket-abstract=no,socket=/tmp/weir-memif-%d.sock",
		(int)getpid());
	snprintf(client, sizeof(client),
		"net_memif1,role=client,id=1,socket-abstract=no,socket=/tmp/weir-memif-%d.sock",
		(int)getpid());
	rig_config(&rig);
	rig_port(&rig, server, 1, 0, DP_NO_INDEX);
	rig_port(&rig, client, 1, 0, DP_NO_INDEX);
	rig_port(&rig, "net_null0,size=100", 1, 0, 1);
	struct dp_run *run = rig_run(&rig, NULL);
	rig_wait_rx(&rig, run, 0, MANY);
	rig_end(&rig, run, &stats);
	assert_true(stats->ports[0].rx.packets >= MANY);
	assert_int_equal(stats->ports[0].rx.bytes, 100 * stats->ports[0].rx.packets);
	dp_stats_destroy(stats);
}

// The device string of net_vhost comes second: it is opened first all the same.
static void net_virtio_user_and_net_vhost_carry_packets(void **state)
{
	char vhost[128], user[128];
	struct dp_stats *stats;
	struct rig rig;

	(void)state;
	snprintf(vhost, sizeof(vhost), "net_vhost0,iface=/tmp/weir-vhost-%d.sock", (int)getpid());
	snprintf(
		user, sizeof(user), "net_virtio_user0,path=/tmp/weir-vhost-%d.sock", (int)getpid());
	rig_config(&rig);
	rig_port(&rig, user, 1, 0, DP_NO_INDEX);
	rig_port(&rig, vhost, 1, 0, DP_NO_INDEX);
	rig_port(&rig, "net_null0,size=100", 1, 0, 0);
	struct dp_run *run = rig_run(&rig, NULL);
	rig_wait_rx(&rig, run, 1, MANY);
	rig_end(&rig, run, &stats);
	assert_true(stats->ports[1].rx.packets >= MANY);
	dp_stats_destroy(stats);
}

static void a_device_that_is_not_there_is_refused_by_name(void **state)
{
	struct dp_run *run = NULL;
	char *message = NULL;
	struct rig rig;

	(void)state;
	rig_config(&rig);
	rig_port(&rig, "net_nosuch0", 1, 0, DP_NO_INDEX);
	rig.config.file = "some.yaml";
	rig.ports[0].place = (struct dp_place){.line = 3, .column = 9};
	assert_int_equal(dp_run_create(&rig.config, NULL, &run), 0);
	assert_int_equal(dp_run_open(run, &message), WE_E_HOST);
	assert_non_null(strstr(message, "some.yaml:3:9: port p0: net_nosuch0: "));
	free(message);
	dp_run_destroy(run);
}

static void more_queues_than_the_device_has_are_refused(void **state)
{
	struct dp_run *run = NULL;
	char *message = NULL;
	struct rig rig;

	(void)state;
	rig_config(&rig);
	rig_port(&rig, "net_af_packet0,iface=lo,qpairs=1", 4, 0, DP_NO_INDEX);
	if (geteuid() != 0)
		skip();
	assert_int_equal(dp_run_create(&rig.config, NULL, &run), 0);
	assert_int_equal(dp_run_open(run, &message), WE_E_INVALID);
	assert_non_null(strstr(message, "4 queues, but the device has 1 to receive and 1 to send"));
	free(message);
	dp_run_destroy(run);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(net_null_carries_packets_over_two_workers),
		cmocka_unit_test(queues_of_one_port_spread_over_workers),
		cmocka_unit_test(net_null_without_an_output_drops_as_no_route),
		cmocka_unit_test(net_ring_carries_packets),
		cmocka_unit_test(net_pcap_carries_a_capture_unchanged),
		cmocka_unit_test(records_too_long_for_net_pcap_drop_by_name),
		cmocka_unit_test(net_memif_carries_packets),
		cmocka_unit_test(net_virtio_user_and_net_vhost_carry_packets),
		cmocka_unit_test(a_device_that_is_not_there_is_refused_by_name),
		cmocka_unit_test(more_queues_than_the_device_has_are_refused),
	};

	if (rig_start_eal())
		return 1;
	const int n_failed = cmocka_run_group_tests_name("dp_port", tests, NULL, NULL);
	rig_stop_eal();
	return n_failed;
}
