// SPDX-License-Identifier: BSD-3-Clause
// Yields for ever before its first read.

#include "raw.h"

WEIR_EXPORT(WEIR_PROCESS) uint32_t process(uint32_t rx)
{
	raw_return(raw_open(rx));
	return WEIR_CALLBACK_YIELD;
}

WEIR_EXPORT(WEIR_CALLBACK)
uint32_t callback(uint32_t event, uint32_t waitable, uint32_t copied)
{
	(void)event;
	(void)waitable;
	(void)copied;
	return WEIR_CALLBACK_YIELD;
}
