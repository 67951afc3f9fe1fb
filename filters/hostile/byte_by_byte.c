// SPDX-License-Identifier: BSD-3-Clause
// Gives its packets back one byte a write. Slow, and within the rules.

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
	for (uint32_t i = 0; i < copied >> 4; i++)
		weir_tx_write(raw.tx, raw.buf + i, 1);
	if ((copied & 15) != 0)
		return raw_end();
	weir_rx_read(raw.rx, raw.buf, sizeof(raw.buf));
	return raw_wait();
}
