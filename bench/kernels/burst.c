// SPDX-License-Identifier: BSD-3-Clause
// Kernel: a filter's bursts. The filter is linked in as it is; the host's half of its component stands here, so that every
// engine runs the same core module: `process` once, then its callback for each burst of 32 slots of 128 bytes, which the
// filter sees, writes and reads the next of.
//
// The slots stay as the filter left them, since laying them is the host's work.
#include "kernel.h"

#include "weir_abi.h"
#include "weir_slot.h"

#include <stddef.h>

enum {
	SLOTS = 32,
	STRIDE = 128, // bytes
	PACKET_LEN = 60,
	BURST_LEN = SLOTS * STRIDE,
	RX = 1, // handles
	TX = 2,
	STATUS = 3,
	SET = 4,
};

static const struct weir_str rules = WEIR_STR("deny udp from 10.0.0.0/24 to any port 1024\n"
					      "deny udp from 10.0.1.0/24 to any port 1025\n"
					      "deny tcp from 10.0.2.0/24 to any\n"
					      "deny udp from any port 5000-5010 to any\n"
					      "allow udp from 192.0.2.0/25 to 198.51.100.0/24\n"
					      "deny udp from 192.0.2.128/25 to any port 53\n"
					      "allow tcp from any to 198.51.100.7 port 80\n"
					      "allow tcp from any to 198.51.100.7 port 443\n"
					      "deny udp from 10.0.4.0/24 to any port 1028\n"
					      "deny udp from 10.0.5.0/24 to any port 1029\n"
					      "deny udp from 10.0.6.0/24 to any port 1030\n"
					      "deny icmp from any to any\n"
					      "allow udp from any to 203.0.113.0/24 port 0-1023\n"
					      "deny udp from 10.0.7.0/24 to any port 1031\n"
					      "allow udp from any to any port 4789\n"
					      "allow udp from any to 198.51.100.0/26 port 53\n"
					      "default deny\n");

static uint8_t *slots;    // where the filter reads a burst to
static uint64_t n_bytes;  // that it wrote
static uint32_t n_called; // copies since the last event

uint32_t weir_process(uint32_t rx);
uint32_t weir_process_callback(uint32_t event, uint32_t waitable, uint32_t copied);

// ---- what a filter imports ----------------------------------------------------------------------

void weir_config_get(const char *key, uint32_t key_len, struct weir_config_result *ret)
{
	(void)key;
	(void)key_len;
	*ret = (struct weir_config_result){.is_some = 1, .text = rules};
}

void weir_configure(uint32_t view, uint32_t room, const struct weir_str *reasons,
	uint32_t n_reasons, struct weir_shape *ret)
{
	(void)view;
	(void)reasons;
	(void)n_reasons;
	*ret = (struct weir_shape){STRIDE, STRIDE - sizeof(struct weir_slot), room, SLOTS};
}

uint32_t weir_rx_read(uint32_t rx, void *data, uint32_t len)
{
	if (rx != RX || len < BURST_LEN)
		__builtin_trap();
	slots = data;
	n_called++;
	return WEIR_BLOCKED;
}

uint32_t weir_tx_write(uint32_t tx, const void *data, uint32_t len)
{
	if (tx != TX || data != slots)
		__builtin_trap();
	n_bytes += len;
	n_called++;
	return len << 4;
}

uint64_t weir_tx_new(void)
{
	return (uint64_t)TX << 32;
}

uint64_t weir_status_new(void)
{
	return (uint64_t)STATUS << 32;
}

uint32_t weir_set_new(void)
{
	return SET;
}

void weir_join(uint32_t waitable, uint32_t set)
{
	(void)waitable;
	(void)set;
}

static uint32_t context;

uint32_t weir_context_get(void)
{
	return context;
}

void weir_context_set(uint32_t value)
{
	context = value;
}

void weir_return(uint32_t rx, uint32_t status)
{
	(void)rx;
	(void)status;
}

// Nothing here ends, so none of these is called.
void weir_set_drop(uint32_t set)
{
	(void)set;
	__builtin_trap();
}

void weir_rx_drop(uint32_t rx)
{
	(void)rx;
	__builtin_trap();
}

void weir_tx_drop(uint32_t tx)
{
	(void)tx;
	__builtin_trap();
}

uint32_t weir_status_write(uint32_t status, const void *value)
{
	(void)status;
	(void)value;
	__builtin_trap();
}

void weir_status_drop(uint32_t status)
{
	(void)status;
	__builtin_trap();
}

// ---- bursts -------------------------------------------------------------------------------------

static void put_be16(uint8_t *at, uint32_t value)
{
	at[0] = (uint8_t)(value >> 8);
	at[1] = (uint8_t)value;
}

// A 60-byte UDP packet; what acl looks at differs from slot to slot.
static void lay_packet(uint8_t *packet, uint32_t i)
{
	static const uint8_t headers[] = {2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2, 8, 0, 0x45, 0, 0, 46,
		0, 0, 0, 0, 64, 17, 0, 0, 192, 0, 2, 1, 198, 51, 100, 1};
	static const uint16_t ports[] = {53, 443, 4789, 1024, 5353, 123, 5005, 8080};

	__builtin_memset(packet, 0, PACKET_LEN);
	__builtin_memcpy(packet, headers, sizeof(headers));
	packet[29] = (uint8_t)(i * 37);
	packet[33] = (uint8_t)(i * 11);
	if (i % 4 == 3) { // from 10.0.i.1, which some rules know
		packet[26] = 10;
		packet[28] = (uint8_t)(i / 4);
	}
	put_be16(packet + 34, 5000 + i * 3);
	put_be16(packet + 36, ports[i % (sizeof(ports) / sizeof(ports[0]))]);
	put_be16(packet + 38, 26);
}

static void lay_slots(void)
{
	for (uint32_t i = 0; i < SLOTS; i++) {
		struct weir_slot *slot = (struct weir_slot *)(slots + (size_t)i * STRIDE);

		*slot = (struct weir_slot){
			.total_len = PACKET_LEN,
			.len = PACKET_LEN,
			.data_off = sizeof(*slot),
			.id = i,
		};
		lay_packet(weir_data(slot), i);
	}
}

KERNEL_EXPORT("run") int64_t run(int64_t n)
{
	uint64_t sum;

	if (slots == NULL) {
		(void)weir_process(RX);
		if (slots == NULL)
			__builtin_trap();
	}
	lay_slots();
	n_bytes = 0;
	for (int64_t i = 0; i < n; i++) {
		n_called = 0;
		if (weir_process_callback(WEIR_EVENT_STREAM_READ, RX, BURST_LEN << 4) !=
				(WEIR_CALLBACK_WAIT | SET << 4) ||
			n_called != 2)
			__builtin_trap();
	}
	sum = n_bytes;
	for (uint32_t i = 0; i < BURST_LEN; i++)
		sum = sum * 31 + slots[i];
	return (int64_t)sum;
}
