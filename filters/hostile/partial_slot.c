// SPDX-License-Identifier: BSD-3-Clause
// Ends its output in the middle of a slot.

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
	weir_tx_write(raw.tx, raw.buf, (copied >> 4) - 1);
	weir_tx_drop(raw.tx);
	return raw_wait();
}
