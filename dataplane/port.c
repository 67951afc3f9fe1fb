// SPDX-License-Identifier: BSD-3-Clause
// dp_port: a DPDK device.
//
// Data path 1/7 and 7/7: eth_rx and eth_tx.
#include "port.h"

#include "eal.h"
#include "log.h"

#include <rte_dev.h>
#include <rte_errno.h>
#include <rte_ethdev.h>

#include <errno.h>
#include <stdio.h>
#include <string.h>

enum {
	VLAN_TAGS_BYTES = 8,     // two tags
	LONGEST = 65535,         // bytes of a packet that any port takes
	DRAIN_PACKETS = 1 << 16, // at most, per queue: net_null never runs dry
};

static uint16_t eth_rx(void *ctx, struct rte_mbuf **ret_mbufs, uint16_t n)
{
	const struct dp_eth_queue *q = ctx;

	return rte_eth_rx_burst(q->port_id, q->queue_id, ret_mbufs, n);
}

static uint16_t eth_tx(void *ctx, struct rte_mbuf **mbufs, uint16_t n)
{
	const struct dp_eth_queue *q = ctx;

	return rte_eth_tx_burst(q->port_id, q->queue_id, mbufs, n);
}

// For ports that insert VLAN tags: some drivers do so when asked to prepare only.
static uint16_t eth_tx_prepared(void *ctx, struct rte_mbuf **mbufs, uint16_t n)
{
	const struct dp_eth_queue *q = ctx;
	const uint16_t n_ready = rte_eth_tx_prepare(q->port_id, q->queue_id, mbufs, n);

	return rte_eth_tx_burst(q->port_id, q->queue_id, mbufs, n_ready);
}

// What DPDK's return code means and what the driver said, as one failure.
static int refuse(struct we_error *err, const char *what, int rc)
{
	const char *said = dp_eal_error();

	return we_error_set(err, WE_E_HOST, 0, "%s: %s%s%s", what, rte_strerror(rc < 0 ? -rc : rc),
		said[0] ? ": " : "", said);
}

int dp_port_rank(const struct dp_port_config *config)
{
	if (!config->device)
		return 1;
	if (strncmp(config->device, "net_vhost", 9) == 0 ||
		strncmp(config->device, "eth_vhost", 9) == 0)
		return 0;
	return strncmp(config->device, "net_virtio_user", 15) == 0 ||
			       strncmp(config->device, "virtio_user", 11) == 0
		       ? DP_PORT_RANK_LAST
		       : 1;
}

static int probe(struct dp_port *port, struct we_error *err)
{
	const char *device = port->config->device;
	char name[RTE_ETH_NAME_MAX_LEN];

	snprintf(name, sizeof(name), "%.*s", (int)strcspn(device, ","), device);
	if (rte_eth_dev_get_port_by_name(name, &port->id) == 0)
		return 0;
	const int rc = rte_dev_probe(device);
	if (rc < 0)
		return refuse(err, device, rc);
	if (rte_eth_dev_get_port_by_name(name, &port->id) < 0)
		return we_error_set(err, WE_E_HOST, 0, "%s: no Ethernet device", device);
	port->is_probed_here = true;
	return 0;
}

static int configure(const struct dp_port *port, const struct rte_eth_dev_info *info,
	uint64_t tx_offloads, struct we_error *err)
{
	const struct dp_port_config *config = port->config;
	struct rte_eth_conf conf = {
		.rxmode.mtu = config->mtu,
		.txmode.offloads = tx_offloads,
	};

	if (config->n_queues > info->max_rx_queues || config->n_queues > info->max_tx_queues)
		return we_error_set(err, WE_E_INVALID, 0,
			"%u queues, but the device has %u to receive and %u to send",
			config->n_queues, info->max_rx_queues, info->max_tx_queues);
	if (config->n_queues > 1 && info->flow_type_rss_offloads) {
		conf.rxmode.mq_mode = RTE_ETH_MQ_RX_RSS;
		conf.rx_adv_conf.rss_conf.rss_hf =
			info->flow_type_rss_offloads &
			(RTE_ETH_RSS_IP | RTE_ETH_RSS_TCP | RTE_ETH_RSS_UDP);
		conf.rxmode.offloads |= info->rx_offload_capa & RTE_ETH_RX_OFFLOAD_RSS_HASH;
	}
	conf.rxmode.offloads |= info->rx_offload_capa & RTE_ETH_RX_OFFLOAD_SCATTER;
	const int rc = rte_eth_dev_configure(port->id, config->n_queues, config->n_queues, &conf);
	return rc < 0 ? refuse(err, "configuring it", rc) : 0;
}

static int set_up_queues(
	const struct dp_port *port, struct rte_mempool *const *pools, struct we_error *err)
{
	const struct dp_port_config *config = port->config;
	const unsigned socket = (unsigned)rte_eth_dev_socket_id(port->id);
	uint16_t n_rx = config->n_rx_desc;
	uint16_t n_tx = config->n_tx_desc;
	int rc = rte_eth_dev_adjust_nb_rx_tx_desc(port->id, &n_rx, &n_tx);

	if (rc < 0)
		return refuse(err, "descriptors", rc);
	for (uint16_t q = 0; q < config->n_queues; q++) {
		if ((rc = rte_eth_rx_queue_setup(port->id, q, n_rx, socket, NULL, pools[q])) < 0)
			return refuse(err, "receive queue", rc);
		if ((rc = rte_eth_tx_queue_setup(port->id, q, n_tx, socket, NULL)) < 0)
			return refuse(err, "transmit queue", rc);
	}
	return 0;
}

// Many drivers can do only some of this; what was asked for and cannot be had is an error.
static int set_properties(const struct dp_port *port, struct we_error *err)
{
	const struct dp_port_config *config = port->config;
	struct rte_ether_addr mac;
	int rc;

	if (config->mtu != 0 && (rc = rte_eth_dev_set_mtu(port->id, config->mtu)) < 0 &&
		rc != -ENOTSUP)
		return refuse(err, "mtu", rc);
	if (config->has_mac) {
		memcpy(mac.addr_bytes, config->mac, sizeof(mac.addr_bytes));
		if ((rc = rte_eth_dev_default_mac_addr_set(port->id, &mac)) < 0)
			return refuse(err, "mac", rc);
	}
	return 0;
}

// What drivers do not say of themselves, or say wrongly. Found by experiment on DPDK 22.11.
struct quirk {
	const char *driver;
	uint32_t longest;    // bytes of a packet that it sends whole; 0: as it says
	bool sends_segments; // though it does not say so
	uint32_t
		tstamp_unit_ns; // of its time stamps, when they are Unix time; those of NICs are not
};
static const struct quirk quirks[] = {
	{.driver = "net_memif", .longest = LONGEST}, // spreads a packet over buffers
	{.driver = "net_null", .sends_segments = true},
	// Cuts longer ones when they have several segments.
	{.driver = "net_pcap",
		.longest = RTE_ETHER_MAX_JUMBO_FRAME_LEN,
		.sends_segments = true,
		.tstamp_unit_ns = 1000},
};

static const struct quirk *quirk_of(const char *driver)
{
	static const struct quirk none;

	for (size_t i = 0; i < sizeof(quirks) / sizeof(quirks[0]); i++) {
		if (strcmp(quirks[i].driver, driver) == 0)
			return &quirks[i];
	}
	return &none;
}

// Bytes of the longest packet that the port sends. What is longer some drivers drop without a word
// (net_af_packet), and net_tap holds up all that comes after it.
static uint32_t longest_tx(const struct rte_eth_dev_info *info, const struct quirk *quirk,
	uint32_t frame, bool is_given)
{
	if (is_given)
		return frame;
	if (quirk->longest)
		return quirk->longest;
	if (info->max_rx_pktlen > LONGEST)
		return LONGEST;
	return info->max_rx_pktlen > frame ? info->max_rx_pktlen : frame;
}

static void fill_io(struct dp_port *port, const struct rte_eth_dev_info *info, uint64_t tx_offloads,
	struct dp_port_io *io)
{
	const struct quirk *quirk = quirk_of(info->driver_name);
	uint16_t mtu = RTE_ETHER_MTU;

	rte_eth_dev_get_mtu(port->id, &mtu);
	const uint32_t frame = mtu + (uint32_t)RTE_ETHER_HDR_LEN + VLAN_TAGS_BYTES;
	*io = (struct dp_port_io){
		.view_full = frame < WS_VIEW_MAX ? frame : WS_VIEW_MAX,
		.max_tx_len = longest_tx(info, quirk, frame, port->config->mtu != 0),
		.tstamp_unit_ns = quirk->tstamp_unit_ns,
		.can_insert_vlan = tx_offloads & RTE_ETH_TX_OFFLOAD_VLAN_INSERT,
		.can_send_segments =
			quirk->sends_segments || (tx_offloads & RTE_ETH_TX_OFFLOAD_MULTI_SEGS),
	};
	for (uint16_t q = 0; q < port->config->n_queues; q++) {
		port->queues[q] = (struct dp_eth_queue){.port_id = port->id, .queue_id = q};
		io->rx[q] = (struct dp_rx){.burst = eth_rx, .ctx = &port->queues[q]};
		io->tx[q] = (struct dp_tx){.burst = io->can_insert_vlan ? eth_tx_prepared : eth_tx,
			.ctx = &port->queues[q]};
	}
}

int dp_port_open(struct dp_port *port, const struct dp_port_config *config,
	struct rte_mempool *const *pools, struct dp_port_io *ret_io, struct we_error *err)
{
	struct rte_eth_dev_info info;
	int rc;

	*port = (struct dp_port){.config = config};
	dp_eal_clear_error();
	if ((rc = probe(port, err)))
		return rc;
	port->is_open = true;
	dp_eal_clear_error(); // what drivers grumble about while they start is no reason
	if ((rc = rte_eth_dev_info_get(port->id, &info)) < 0)
		return refuse(err, "device information", rc);
	const uint64_t tx_offloads = info.tx_offload_capa & (RTE_ETH_TX_OFFLOAD_MULTI_SEGS |
								    RTE_ETH_TX_OFFLOAD_VLAN_INSERT);
	if ((rc = configure(port, &info, tx_offloads, err)) ||
		(rc = set_up_queues(port, pools, err)) || (rc = set_properties(port, err)))
		return rc;
	fill_io(port, &info, tx_offloads, ret_io);
	dp_log_debug("port %s: driver %s, %u queues, packets of up to %u bytes%s%s", config->name,
		info.driver_name, config->n_queues, ret_io->max_tx_len,
		ret_io->can_send_segments ? ", segments" : "",
		ret_io->can_insert_vlan ? ", VLAN insertion" : "");
	return 0;
}

int dp_port_start(struct dp_port *port, struct we_error *err)
{
	dp_eal_clear_error();
	const int rc = rte_eth_dev_start(port->id);
	if (rc < 0)
		return refuse(err, "starting it", rc);
	port->is_started = true;
	if (port->config->promiscuous && rte_eth_promiscuous_enable(port->id) < 0)
		dp_log_warn("port %s: the device has no promiscuous mode", port->config->name);
	dp_port_watch_link(port);
	port->link_changes = 0; // coming up at the start is none
	return 0;
}

// What still waits in the rings of a net_ring port would be lost with the port.
static void drain(const struct dp_port *port)
{
	struct rte_mbuf *mbufs[WS_BURST_MAX];

	for (uint16_t q = 0; q < port->config->n_queues; q++) {
		for (uint32_t n_freed = 0; n_freed < DRAIN_PACKETS;) {
			const uint16_t n = rte_eth_rx_burst(port->id, q, mbufs, WS_BURST_MAX);

			if (n == 0)
				break;
			rte_pktmbuf_free_bulk(mbufs, n);
			n_freed += n;
		}
	}
}

void dp_port_close(struct dp_port *port)
{
	struct rte_eth_dev_info info = {0};

	if (!port->is_open)
		return;
	rte_eth_dev_info_get(port->id, &info);
	if (port->is_started) {
		drain(port);
		rte_eth_dev_stop(port->id);
	}
	if (port->is_probed_here) {
		rte_eth_dev_close(port->id);
		if (info.device)
			rte_dev_remove(info.device);
	}
	*port = (struct dp_port){.config = port->config};
}

void dp_port_watch_link(struct dp_port *port)
{
	struct rte_eth_link link = {0};

	if (rte_eth_link_get_nowait(port->id, &link) < 0)
		return;
	const bool up = link.link_status == RTE_ETH_LINK_UP;
	if (up == port->link_up)
		return;
	port->link_up = up;
	__atomic_add_fetch(&port->link_changes, 1, __ATOMIC_RELAXED);
	dp_log_info("port %s: link %s", port->config->name, up ? "up" : "down");
}

void dp_port_info(const struct dp_port *port, struct dp_port_stats *ret_stats)
{
	struct rte_eth_link link = {0};
	struct rte_ether_addr mac = {0};
	uint16_t mtu = 0;

	if (!port->is_open)
		return;
	rte_eth_link_get_nowait(port->id, &link);
	rte_eth_macaddr_get(port->id, &mac);
	rte_eth_dev_get_mtu(port->id, &mtu);
	ret_stats->link_up = link.link_status == RTE_ETH_LINK_UP;
	ret_stats->link_mbps = link.link_speed == RTE_ETH_SPEED_NUM_UNKNOWN ? 0 : link.link_speed;
	ret_stats->link_changes = __atomic_load_n(&port->link_changes, __ATOMIC_RELAXED);
	ret_stats->mtu = mtu;
	memcpy(ret_stats->mac, mac.addr_bytes, sizeof(mac.addr_bytes));
}
