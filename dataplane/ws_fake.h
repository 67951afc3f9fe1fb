// SPDX-License-Identifier: BSD-3-Clause
// ws_fake: a stand-in for wasi-stream/packet, so that the data path is tested without a guest.
//
// A filter does what its configuration entry "do" says, a comma between steps of one run:
//	pass, drop N (reason), except, mark N, port N, poke N (first byte), len N (new length of what was
//	shown, filled with 0xee), hold N (keep everything until N are lent), originate N (packets of 60 bytes),
//	trap N (fault in run N, after half of the burst), end N (end in run N), loop N (in run N, until
//	interrupted), refuse (end at the start)
#pragma once

#include "ws.h"

// Sum over all filters of this process.
struct ws_fake_seen {
	uint32_t n_created;
	uint32_t n_destroyed;
	struct ws_slot last; // descriptor of the packet offered last
	uint8_t bytes[256];  // its first bytes
	uint32_t n_interrupted;
	void (*destroying)(void); // called before one is destroyed; NULL: nothing
	int compile_rc; // to be answered by ws_program_compile: 1: one function of two stays in the interpreter
};
extern struct ws_fake_seen ws_fake_seen;
