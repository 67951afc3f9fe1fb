// SPDX-License-Identifier: BSD-3-Clause
// Posts its read over the packets that it gives back in the same moment.

#include "raw.h"

WEIR_EXPORT(WEIR_PROCESS) uint32_t process(uint32_t rx)
{
	return raw_begin(rx);
}

WEIR_EXPORT(WEIR_CALLBACK)
uint32_t callback(uint32_t event, uint32_t waitable, uint32_t copied)
{
	(void)waitable;
	if (event == WEIR_EVENT_STREAM_READ) {
		weir_rx_read(raw.rx, raw.buf, sizeof(raw.buf));
		weir_tx_write(raw.tx, raw.buf, copied >> 4);
	}
	return raw_wait();
}
