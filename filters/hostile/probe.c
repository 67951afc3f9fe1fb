// SPDX-License-Identifier: BSD-3-Clause
// Asks again and again whether it could read, without reading.

#include "raw.h"

WEIR_EXPORT(WEIR_PROCESS) uint32_t process(uint32_t rx)
{
	raw_return(raw_open(rx));
	weir_rx_read(raw.rx, raw.buf, 0);
	return raw_wait();
}

WEIR_EXPORT(WEIR_CALLBACK)
uint32_t callback(uint32_t event, uint32_t waitable, uint32_t copied)
{
	(void)event;
	(void)waitable;
	(void)copied;
	weir_rx_read(raw.rx, raw.buf, 0);
	return raw_wait();
}
