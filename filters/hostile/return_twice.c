// SPDX-License-Identifier: BSD-3-Clause
// Returns twice.

#include "raw.h"

WEIR_EXPORT(WEIR_PROCESS) uint32_t process(uint32_t rx)
{
	const uint64_t ends = raw_open(rx);

	raw_return(ends);
	raw_return(ends);
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
