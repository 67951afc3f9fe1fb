// SPDX-License-Identifier: BSD-3-Clause
// The world that `weir wrap` makes components of: which names a core module may import, and what they stand for.
//
// Thread: any; it has no state.
// Spec:   CanonicalABI.md "Canonical Definitions"; names as wit-component's.
#pragma once

#include "bytes.h"
#include "we.h"

#define WRAP_FILTER   "weir:packet/filter@0.1.0"
#define WRAP_PROCESS  "[async-lift]" WRAP_FILTER "#process"
#define WRAP_CALLBACK "[callback]" WRAP_PROCESS
#define WRAP_BUILTINS "[export]" WRAP_FILTER // built-ins that process gives their types
#define WRAP_ROOT     "$root"                // built-ins of the instance

enum wrap_iface {
#define WRAP_IFACE(NAME, name) WRAP_IFACE_##NAME,
#define WRAP_FUNC(IFACE, name, params, results, options)
#include "host.def"
#undef WRAP_IFACE
#undef WRAP_FUNC
	WRAP_IFACES
};

enum wrap_option {
	WRAP_MEMORY = 1,
	WRAP_REALLOC = 2,
	WRAP_ASYNC = 4,
};

// What one import of a core module is.
struct wrap_import {
	bool is_builtin;
	const char *params; // i = i32, l = i64
	const char *results;
	uint32_t options;  // enum wrap_option
	uint32_t host_idx; // row of host.def, of a host function
	uint8_t code;      // of the canonical definition, of a built-in
	enum wrap_immediates {
		WRAP_NONE,
		WRAP_RESULT_OPTS,
		WRAP_SLOT,
		WRAP_ASYNC_FLAG,
		WRAP_CANCEL,
		WRAP_CANCEL_MEMORY,
		WRAP_STREAM,
		WRAP_STREAM_OPTS,
		WRAP_STREAM_ASYNC,
		WRAP_FUTURE,
		WRAP_FUTURE_OPTS,
		WRAP_FUTURE_ASYNC,
		WRAP_OTHER, // of what this world does not have
	} immediates;
	uint32_t slot; // of context.get and context.set
};

// Returns: 0; 1 when the world has no such import.
int wrap_import_resolve(
	struct we_bytes module, struct we_bytes name, struct wrap_import *ret_import);

const char *wrap_iface_name(enum wrap_iface iface);
enum wrap_iface wrap_host_iface(uint32_t host_idx);
// The name of the component function, without [async-lower].
const char *wrap_host_name(uint32_t host_idx);

// Append the instance type of an interface with those of its functions that `used` says (bit: row of host.def).
void wrap_iface_type(struct ws_bytes *out, enum wrap_iface iface, uint64_t used);
