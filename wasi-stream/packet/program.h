// SPDX-License-Identifier: BSD-3-Clause
// program: a filter component that was checked against what is offered, and the linker for its instances.
//
// Owns:    component and linker. Immutable, ref-counted, shared by all threads.
#pragma once

#include "ws.h"

#include <stdatomic.h>

#define WS_FILTER_INTERFACE "weir:packet/filter@0.1.0"

struct ws_program {
	atomic_uint n_refs;
	struct we_engine *engine; // borrowed
	struct cm_component *component;
	struct cm_linker *linker;
	bool has_setup;
	char *name;
};
