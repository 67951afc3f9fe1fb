// SPDX-License-Identifier: BSD-3-Clause
// rte_bpf: what filters/pass does.
#include "packet.h"

u64 entry(void *packet)
{
	(void)packet;
	return BPF_KEEP;
}
