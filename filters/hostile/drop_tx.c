// SPDX-License-Identifier: BSD-3-Clause
// Drops its output with packets in its hands, and waits.

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
	(void)copied;
	weir_tx_drop(raw.tx);
	return raw_wait();
}
