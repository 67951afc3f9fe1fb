// SPDX-License-Identifier: BSD-3-Clause
// Exits without returning anything.

#include "raw.h"

WEIR_EXPORT(WEIR_PROCESS) uint32_t process(uint32_t rx)
{
	(void)rx;
	return WEIR_CALLBACK_EXIT;
}

WEIR_EXPORT(WEIR_CALLBACK)
uint32_t callback(uint32_t event, uint32_t waitable, uint32_t copied)
{
	(void)event;
	(void)waitable;
	(void)copied;
	return raw_wait();
}
