// SPDX-License-Identifier: BSD-3-Clause
// Signals of native code: see signals.h.
//
// Module path 3/6.
#include "signals.h"

#include "native.h"

int we_process_prepare(struct we_error *err)
{
	(void)err;
	return 0;
}

int we_signal_unblock(struct we_error *err)
{
	(void)err;
	return 0;
}

void we_native_interrupt(struct we_store *store)
{
	(void)store;
}
