// SPDX-License-Identifier: BSD-3-Clause
// Posts a read whose buffer ends beyond its memory.

#include "raw.h"

WEIR_EXPORT(WEIR_PROCESS) uint32_t process(uint32_t rx)
{
	raw_return(raw_open(rx));
	weir_rx_read(raw.rx, (void *)(uintptr_t)0xffffff00, 65536);
	return raw_wait();
}

WEIR_EXPORT(WEIR_CALLBACK)
uint32_t callback(uint32_t event, uint32_t waitable, uint32_t copied)
{
	(void)event;
	(void)waitable;
	(void)copied;
	return raw_wait();
}
