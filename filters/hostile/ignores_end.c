// SPDX-License-Identifier: BSD-3-Clause
// Goes on after the end of its input.

#include "raw.h"

WEIR_EXPORT(WEIR_PROCESS) uint32_t process(uint32_t rx)
{
	return raw_begin(rx);
}

WEIR_EXPORT(WEIR_CALLBACK)
uint32_t callback(uint32_t event, uint32_t waitable, uint32_t copied)
{
	(void)waitable;
	if (event == WEIR_EVENT_STREAM_READ && (copied & 15) == 0)
		raw_pass(copied);
	return raw_wait();
}
