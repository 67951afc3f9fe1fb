// SPDX-License-Identifier: BSD-3-Clause
// dp_checksum: finishes checksums that somebody left to an offload.
//
// Two kinds come in: packets of a virtual machine, whose checksum is only the pseudo header's because
// they never saw a wire (RTE_MBUF_F_RX_L4_CKSUM_NONE), and mbufs that still ask for transmit offload.
#pragma once

#include <rte_mbuf.h>

#include <stdbool.h>

bool dp_checksum_is_open(const struct rte_mbuf *m);
// Compute in software what the packet's flags leave open. Packets that are not IPv4 or IPv6 with TCP or
// UDP, are fragments, cut short, or do not have their headers in the first segment stay as they are.
void dp_checksum_complete(struct rte_mbuf *m);
