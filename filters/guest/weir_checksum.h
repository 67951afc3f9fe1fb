// SPDX-License-Identifier: BSD-3-Clause
// Internet checksums: whole sums over bytes, and the change of a sum when a field changes.
//
// A descriptor carries no wish for transmit offload: a filter that rewrites a packet leaves a valid checksum behind,
// made here in software. What the driver found about checksums (rx_flags) holds for the bytes that came in, so
// weir_l4_state and weir_ip_state answer UNKNOWN once the filter has changed the packet.
// All checksum fields are taken and given as they lie in the packet (network order, read by a plain load).
//
// Spec: RFC 1071; RFC 1624 eqn. 3.
#pragma once

#include "weir_slot.h"

enum weir_checksum_state {
	WEIR_CHECKSUM_UNKNOWN, // the driver did not look, or the packet is not what it saw
	WEIR_CHECKSUM_BAD,
	WEIR_CHECKSUM_GOOD,
	WEIR_CHECKSUM_NONE, // the field holds no checksum yet, the data is known to be whole (virtio)
};

static inline enum weir_checksum_state weir_checksum_state(
	const struct weir_slot *slot, uint32_t bad, uint32_t good)
{
	const uint32_t found = slot->rx_flags & (bad | good);

	if ((slot->verdict & WEIR_CHANGED) != 0 || found == 0)
		return WEIR_CHECKSUM_UNKNOWN;
	if (found == (bad | good))
		return WEIR_CHECKSUM_NONE;
	return found == good ? WEIR_CHECKSUM_GOOD : WEIR_CHECKSUM_BAD;
}

static inline enum weir_checksum_state weir_ip_state(const struct weir_slot *slot)
{
	return weir_checksum_state(slot, WEIR_RX_IP_BAD, WEIR_RX_IP_GOOD);
}

static inline enum weir_checksum_state weir_l4_state(const struct weir_slot *slot)
{
	return weir_checksum_state(slot, WEIR_RX_L4_BAD, WEIR_RX_L4_GOOD);
}

static inline uint32_t weir_load16(const uint8_t *at)
{
	uint16_t value;

	__builtin_memcpy(&value, at, sizeof(value));
	return value;
}

static inline void weir_store16(uint8_t *at, uint16_t value)
{
	__builtin_memcpy(at, &value, sizeof(value));
}

// Ones' complement sum of 16-bit words, not folded; len bytes, an odd last one padded with zero. Add sums of parts
// that begin at even places with +.
static inline uint64_t weir_sum(const uint8_t *data, uint32_t len)
{
	uint64_t sum = 0;
	uint32_t i = 0;

	for (; i + 4 <= len; i += 4) {
		uint32_t word;

		__builtin_memcpy(&word, data + i, sizeof(word));
		sum += word;
	}
	if (i + 2 <= len) {
		sum += weir_load16(data + i);
		i += 2;
	}
	if (i < len)
		sum += data[i];
	return sum;
}

static inline uint16_t weir_sum_fold(uint64_t sum)
{
	sum = (sum >> 32) + (sum & 0xffffffff);
	sum = (sum >> 32) + (sum & 0xffffffff);
	sum = (sum >> 16) + (sum & 0xffff);
	sum = (sum >> 16) + (sum & 0xffff);
	sum = (sum >> 16) + (sum & 0xffff);
	return (uint16_t)sum;
}

// The checksum field for bytes whose sum this is.
static inline uint16_t weir_checksum(uint64_t sum)
{
	return (uint16_t)~weir_sum_fold(sum);
}

// The checksum field after one 16-bit word of what it covers went from old to new: HC' = ~(~HC + ~m + m').
static inline uint16_t weir_checksum_update16(uint16_t checksum, uint16_t old, uint16_t new)
{
	return weir_checksum((uint64_t)(uint16_t)~checksum + (uint16_t)~old + new);
}

// The same for a 32-bit word, an IPv4 address for instance.
static inline uint16_t weir_checksum_update32(uint16_t checksum, uint32_t old, uint32_t new)
{
	return weir_checksum((uint64_t)(uint16_t)~checksum + (uint32_t)~old + new);
}

// The same for len bytes, len even, at an even place; an IPv6 address for instance.
static inline uint16_t weir_checksum_update(
	uint16_t checksum, const uint8_t *old, const uint8_t *new, uint32_t len)
{
	uint64_t sum = (uint16_t)~checksum;

	for (uint32_t i = 0; i + 2 <= len; i += 2)
		sum += (uint64_t)(uint16_t)~weir_load16(old + i) + weir_load16(new + i);
	return weir_checksum(sum);
}

// A UDP checksum of 0 means that there is none: what was computed as 0 is sent as 0xffff.
static inline uint16_t weir_checksum_udp(uint16_t checksum)
{
	return checksum == 0 ? 0xffff : checksum;
}
