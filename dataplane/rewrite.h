// SPDX-License-Identifier: BSD-3-Clause
// dp_rewrite: replaces the first bytes of a packet.
//
// Data path 6/7. What a filter was shown is replaced by what it wrote; the hidden rest follows.
// Owns:    nothing. The mbuf that stands for the packet stays the same one, but where it is shared
//          with somebody: then a copy takes its place.
// Thread:  the mbuf's owner.
#pragma once

#include "mbuf_fields.h"

// Replace the first `shown` bytes of the packet by data [len]. Needs: shown <= the packet's length.
// Takes: *m; gives it back, or its replacement. pool: where more buffers come from.
// Returns: 0; 1 when no buffer was left or the packet would have too many segments: unchanged then.
WE_MUST_USE int dp_rewrite(struct rte_mbuf **m, struct rte_mempool *pool, const uint8_t *data,
	uint16_t len, uint16_t shown);
// A new packet of data [len]. Returns owned: the mbuf, all metadata zero; NULL when no buffer was left.
struct rte_mbuf *dp_originate(struct rte_mempool *pool, const uint8_t *data, uint16_t len);
// Copy the packet's first n bytes to dst. Needs: n <= its length.
void dp_gather(const struct rte_mbuf *m, uint8_t *dst, uint32_t n);
