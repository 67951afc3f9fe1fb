// SPDX-License-Identifier: BSD-3-Clause
// Returns writable ends where readable ones belong.

#include "raw.h"

WEIR_EXPORT(WEIR_PROCESS) uint32_t process(uint32_t rx)
{
	raw_open(rx);
	weir_return(raw.tx, raw.status);
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
