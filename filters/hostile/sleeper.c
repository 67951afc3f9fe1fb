// SPDX-License-Identifier: BSD-3-Clause
// Starts a timer of an hour for every burst and keeps the packets until then.

#include "raw.h"

WEIR_EXPORT(WEIR_PROCESS) uint32_t process(uint32_t rx)
{
	return raw_begin(rx);
}

WEIR_EXPORT(WEIR_CALLBACK)
uint32_t callback(uint32_t event, uint32_t waitable, uint32_t copied)
{
	(void)waitable;
	(void)copied;
	if (event == WEIR_EVENT_STREAM_READ)
		weir_join(weir_wait_for(UINT64_C(3600000000000)) >> 4, raw.set);
	return raw_wait();
}
