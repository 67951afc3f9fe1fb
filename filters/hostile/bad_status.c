// SPDX-License-Identifier: BSD-3-Clause
// Resolves its status with a case that there is not.

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
	static const struct weir_status_value odd = {.is_err = 77};

	raw_pass(copied);
	weir_status_write(raw.status, &odd);
	return raw_wait();
}
