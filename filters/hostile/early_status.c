// SPDX-License-Identifier: BSD-3-Clause
// Says that all went well at the first burst, gives it back, and goes on.

#include "raw.h"

WEIR_EXPORT(WEIR_PROCESS) uint32_t process(uint32_t rx)
{
	return raw_begin(rx);
}

WEIR_EXPORT(WEIR_CALLBACK)
uint32_t callback(uint32_t event, uint32_t waitable, uint32_t copied)
{
	(void)waitable;
	static const struct weir_status_value ok;

	if (event == WEIR_EVENT_STREAM_READ) {
		weir_status_write(raw.status, &ok);
		raw_pass(copied);
	}
	return raw_wait();
}
