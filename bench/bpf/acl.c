// SPDX-License-Identifier: BSD-3-Clause
// rte_bpf: the rules of bench/forward one after the other, as such programs are written: it has no tables.
//
// RULES: lines of RULE(source network, its mask, destination port), numbers as in the packet; UDP to there is dropped.
#include "packet.h"

enum {
	ETHERTYPE_IPV4 = 0x0008, // as it lies in the packet
	PROTO_UDP = 17,
	AT_ETHERTYPE = 12,
	AT_PROTO = 23,
	AT_SOURCE = 26,
	AT_DEST_PORT = 36, // behind a header without options
};

u64 entry(void *packet)
{
	const u8 *at = packet;
	const u32 source = *(const u32 *)(const void *)(at + AT_SOURCE);
	const u16 port = *(const u16 *)(const void *)(at + AT_DEST_PORT);

	if (*(const u16 *)(const void *)(at + AT_ETHERTYPE) != ETHERTYPE_IPV4 ||
		at[AT_PROTO] != PROTO_UDP)
		return BPF_KEEP;
#define RULE(network, mask, dest_port)                                                             \
	if ((source & (mask)) == (network) && port == (dest_port))                                 \
		return BPF_DROP;
#include "rules.h"
#undef RULE
	return BPF_KEEP;
}
