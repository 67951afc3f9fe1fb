// SPDX-License-Identifier: BSD-3-Clause
// rte_bpf: what filters/macswap does.
#include "packet.h"

u64 entry(void *packet)
{
	u16 *address = packet;

	for (int i = 0; i < 3; i++) {
		const u16 word = address[i];

		address[i] = address[i + 3];
		address[i + 3] = word;
	}
	return BPF_KEEP;
}
