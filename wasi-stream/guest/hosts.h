// SPDX-License-Identifier: BSD-3-Clause
// What a packet's mark asks hosts.c to call. Shared by that guest and the test on the host's side.
#pragma once

enum ask {
	ASK_NOW = 1,
	ASK_RESOLUTION,
	ASK_U64,
	ASK_BYTES,
	ASK_LOG,
	ASK_GET,
	ASK_GET_ALL,
	ASK_WAIT_FOR,        // 1 us; the packets come back when the wait is over
	ASK_WAIT_UNTIL,      // mark 5000; the same
	ASK_WAIT_UNTIL_PAST, // the mark is the answer of the call
};
