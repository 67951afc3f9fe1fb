// SPDX-License-Identifier: BSD-3-Clause
// cm_linker: the interfaces that a host offers, with their types.
//
// Module path 5.
// Owns:    an arena with types and names; borrows nothing after cm_linker_define.
// Thread:  shared once complete.
#pragma once

#include "arena.h"
#include "cm.h"
#include "type.h"

struct cm_offer {
	struct cm_offer *next;
	struct cm_name name;              // "wasi:random/random@0.3.0"
	const struct cm_type *type;       // INSTANCE
	const struct cm_host_func *funcs; // [n_funcs]
	uint32_t n_funcs;
};

struct cm_linker {
	struct we_engine *engine;
	struct we_arena arena;
	struct cm_offer *offers; // in the order of definition
	struct cm_offer **last;
};

// The offer of that name, or NULL.
const struct cm_offer *cm_linker_find(const struct cm_linker *linker, struct cm_name name);
// Its function of that name, or NULL.
const struct cm_host_func *cm_offer_func(const struct cm_offer *offer, struct cm_name name);
// Fail with UNLINKABLE: the import and what is offered.
int cm_linker_blame(
	const struct cm_linker *linker, struct cm_name name, uint64_t offset, struct we_error *err);
