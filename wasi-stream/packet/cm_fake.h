// SPDX-License-Identifier: BSD-3-Clause
// cm_fake: what of cm.h a filter needs, with a guest written in C, for tests of the life of a filter.
//
// One guest at a time. It does what its three functions do, when the canonical ABI would call it: at the start
// of process, at an event of its read, at the end of a wait. A verb that traps makes cm_store_run fail.
#pragma once

#include "ws.h"

enum {
	FAKE_BLOCKED = -1,
	FAKE_MEMORY = 1 << 20, // bytes of guest memory
	FAKE_TIMERS = 8,
};

struct fake_guest {
	void (*process)(void);
	void (*on_read)(uint32_t n, bool is_dropped); // a posted read has ended with n bytes
	void (*on_timer)(uint32_t i);
	void (*on_yield)(void); // in the next run
	const char *imports[8];
	const char *exports[4];
};

// The next filter is this guest; everything else is forgotten. The guest's memory stands in fake_memory.
void fake_begin(const struct fake_guest *guest);
extern uint8_t fake_memory[FAKE_MEMORY];
extern uint32_t fake_n_events; // delivered since fake_begin
extern int fake_instance_rc;   // of the next cm_instance_create

// Verbs of the guest. Bytes at once, or FAKE_BLOCKED.
int64_t fake_read(uint32_t at, uint32_t n);
int64_t fake_write(uint32_t at, uint32_t n);
void fake_drop_rx(void);
void fake_drop_tx(void);
// process returns: a new stream, or its own rx; and the future.
void fake_return(bool is_own_rx);
// The status: case of result, and of error; text for internal. 0, 0: ok.
void fake_resolve(uint32_t result_case, uint32_t error_case, const char *text);
void fake_drop_status(void);
void fake_exit(void);
void fake_yield(void);
// Calls of the host.
void fake_configure(uint32_t view, uint32_t room, const char *reason);
void fake_wait_for(uint32_t i, uint64_t duration_ns);
void fake_trap(void);
