// SPDX-License-Identifier: BSD-3-Clause
// quiet: does anybody else use this core at the moment?
//
// On a shared machine the other thread of the core, or the host's scheduler, halves its speed for microseconds or
// minutes, which a load average does not show. A loop whose turn takes one cycle does: a core that is ours makes a turn in a tick of
// the time stamp counter, which counts at the core's base clock, or in less; one that is shared mostly takes 1.5 to 2.
//
// Thread: any.
#pragma once

#include <stdbool.h>

// Look for some six microseconds. Returns: false also where there is no such counter.
bool quiet_moment(void);
