// SPDX-License-Identifier: BSD-3-Clause
// Tests of dp_port with the kernel on the other side: net_tap and net_af_packet, in a network namespace
// of this process's own. Needs root; skips otherwise.
#include "port.h"

#include "plane_rig.h"

#include <arpa/inet.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include <cmocka.h>

#include <sched.h>

enum {
	ETHERTYPE = 0x88b5, // local experiments
	N = 50,
	FRAME = 200,
};

static bool has_namespace;

static void shell(const char *command)
{
	if (system(command) != 0)
		fail_msg("%s", command);
}

// A packet socket on an interface of the kernel's.
static int open_socket(const char *iface)
{
	const struct timeval patience = {.tv_sec = 2};
	const struct sockaddr_ll addr = {
		.sll_family = AF_PACKET,
		.sll_protocol = htons(ETH_P_ALL), // others do not see VLAN tags
		.sll_ifindex = (int)if_nametoindex(iface),
	};
	const int one = 1;
	const int s = socket(AF_PACKET, SOCK_RAW, htons(ETH_P_ALL));

	assert_true(s >= 0);
	assert_int_equal(bind(s, (const struct sockaddr *)&addr, sizeof(addr)), 0);
	setsockopt(s, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
	setsockopt(s, SOL_PACKET, PACKET_AUXDATA, &one, sizeof(one));
	setsockopt(s, SOL_PACKET, PACKET_IGNORE_OUTGOING, &one, sizeof(one));
	return s;
}

// Frame i, with a VLAN tag or without. Returns its length.
static size_t make_frame(uint8_t *frame, uint8_t i, uint16_t tag)
{
	size_t at = 12;

	memset(frame, i, FRAME);
	memset(frame, 0xff, 6);
	frame[6] = 2;
	if (tag) {
		const uint8_t bytes[] = {0x81, 0x00, (uint8_t)(tag >> 8), (uint8_t)tag};

		memcpy(frame + at, bytes, sizeof(bytes));
		at += sizeof(bytes);
	}
	frame[at] = ETHERTYPE >> 8;
	frame[at + 1] = ETHERTYPE & 0xff;
	return FRAME;
}

static void send_frames(int s, uint16_t tag)
{
	uint8_t frame[FRAME];

	for (uint8_t i = 0; i < N; i++) {
		const size_t len = make_frame(frame, i, tag);

		assert_int_equal(send(s, frame, len, 0), (ssize_t)len);
	}
}

// The kernel takes a tag out and says so beside the packet.
static uint16_t tag_of(struct msghdr *msg)
{
	for (struct cmsghdr *c = CMSG_FIRSTHDR(msg); c; c = CMSG_NXTHDR(msg, c)) {
		struct tpacket_auxdata aux;

		if (c->cmsg_level != SOL_PACKET || c->cmsg_type != PACKET_AUXDATA)
			continue;
		memcpy(&aux, CMSG_DATA(c), sizeof(aux));
		if (aux.tp_status & TP_STATUS_VLAN_VALID)
			return aux.tp_vlan_tci;
	}
	return 0;
}

static void receive_frames(int s, uint16_t tag)
{
	uint8_t frame[FRAME + 64];
	uint8_t control[256];

	for (uint8_t i = 0; i < N; i++) {
		struct iovec iov = {.iov_base = frame, .iov_len = sizeof(frame)};
		struct msghdr msg = {
			.msg_iov = &iov,
			.msg_iovlen = 1,
			.msg_control = control,
			.msg_controllen = sizeof(control),
		};
		const ssize_t n = recvmsg(s, &msg, 0);

		assert_int_equal(n, tag ? FRAME - 4 : FRAME);
		assert_int_equal(tag_of(&msg), tag);
		assert_int_equal(frame[100], i);
	}
}

static void net_tap_carries_packets_also_after_its_link_was_down(void **state)
{
	struct dp_stats *stats;
	struct rig rig;

	(void)state;
	if (!has_namespace)
		skip();
	rig_config(&rig);
	rig_port(&rig, "net_tap0,iface=wt0", 1, 0, 1);
	rig_port(&rig, "net_tap1,iface=wt1", 1, 1, 0);
	rig.ports[0].mtu = 1400;
	rig.ports[0].has_mac = true;
	memcpy(rig.ports[0].mac, "\x02\x11\x22\x33\x44\x55", 6);
	struct dp_run *run = rig_run(&rig, NULL);
	shell("ip link show wt0 | grep -q 'mtu 1400'");
	shell("ip link show wt0 | grep -q '02:11:22:33:44:55'");
	const int in = open_socket("wt0");
	const int out = open_socket("wt1");
	send_frames(in, 0);
	receive_frames(out, 0);
	send_frames(out, 0); // the other way
	receive_frames(in, 0);
	shell("ip link set wt1 down");
	send_frames(in, 0); // goes nowhere, and ends nothing
	rig_wait_rx(&rig, run, 0, 2 * N);
	shell("ip link set wt1 up");
	close(out);
	const int again = open_socket("wt1");
	send_frames(in, 0);
	receive_frames(again, 0);
	rig_end(&rig, run, &stats);
	assert_true(stats->ports[0].rx.packets >= 3 * N);
	dp_stats_destroy(stats);
	close(in);
	close(again);
}

static void net_af_packet_carries_packets_and_their_vlan_tags(void **state)
{
	struct dp_stats *stats;
	struct rig rig;

	(void)state;
	if (!has_namespace)
		skip();
	shell("ip link add wv0 type veth peer name wv1 && ip link set wv0 up && ip link set wv1 "
	      "up");
	shell("ip link add ww0 type veth peer name ww1 && ip link set ww0 up && ip link set ww1 "
	      "up");
	rig_config(&rig);
	rig_port(&rig, "net_af_packet0,iface=wv1", 1, 0, 1);
	rig_port(&rig, "net_af_packet1,iface=ww1", 1, 0, 0);
	struct dp_run *run = rig_run(&rig, NULL);
	const int in = open_socket("wv0");
	const int out = open_socket("ww0");
	send_frames(in, 0);
	receive_frames(out, 0);
	send_frames(in, 0x2064); // stripped by the kernel, put back by us or the driver
	receive_frames(out, 0x2064);
	rig_end(&rig, run, &stats);
	assert_true(stats->ports[0].rx.packets >= 2 * N);
	dp_stats_destroy(stats);
	close(in);
	close(out);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(net_tap_carries_packets_also_after_its_link_was_down),
		cmocka_unit_test(net_af_packet_carries_packets_and_their_vlan_tags),
	};

	has_namespace = access("/dev/net/tun", R_OK | W_OK) == 0 && unshare(CLONE_NEWNET) == 0 &&
			system("sysctl -qw net.ipv6.conf.all.disable_ipv6=1 "
			       "net.ipv6.conf.default.disable_ipv6=1") == 0;
	if (!has_namespace)
		print_message("# no network namespace of our own (not root?): skipped\n");
	if (rig_start_eal())
		return 1;
	const int n_failed = cmocka_run_group_tests_name("dp_kernel_port", tests, NULL, NULL);
	rig_stop_eal();
	return n_failed;
}
