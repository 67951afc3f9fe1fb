// SPDX-License-Identifier: BSD-3-Clause
// Waits on its input stream, which is no waitable set.

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
	raw_pass(copied);
	return WEIR_CALLBACK_WAIT | raw.rx << 4;
}
