// SPDX-License-Identifier: BSD-3-Clause
// A filter that gives its own input back as its output: every packet passes as preset, and no byte of it is copied
// in or out by the guest. For ../packet/component_test.c; build.sh makes own.wasm.

#include "weir_abi.h"
#include "weir_slot.h"

WEIR_EXPORT(WEIR_PROCESS) uint32_t process(uint32_t rx)
{
	static const struct weir_status_value ok = {.is_err = 0};
	const uint64_t done = weir_status_new();

	weir_return(rx, (uint32_t)done);
	weir_status_write((uint32_t)(done >> 32), &ok);
	weir_status_drop((uint32_t)(done >> 32));
	return WEIR_CALLBACK_EXIT;
}

WEIR_EXPORT(WEIR_CALLBACK)
uint32_t callback(uint32_t event, uint32_t waitable, uint32_t code)
{
	(void)event;
	(void)waitable;
	(void)code;
	return WEIR_CALLBACK_EXIT;
}
