// SPDX-License-Identifier: BSD-3-Clause
// Writes to the stream that it reads from.

#include "raw.h"

WEIR_EXPORT(WEIR_PROCESS) uint32_t process(uint32_t rx)
{
	return raw_begin(rx);
}

WEIR_EXPORT(WEIR_CALLBACK)
uint32_t callback(uint32_t event, uint32_t waitable, uint32_t copied)
{
	(void)event;
	(void)waitable;
	weir_tx_write(raw.rx, raw.buf, copied >> 4);
	return raw_wait();
}
