// SPDX-License-Identifier: BSD-3-Clause
// we_tier: how core reaches an execution tier without knowing it.
//
// Module path 3/6. A tier is a constant table of functions; core links against the names below and
// includes nothing of the tier's folder.
#pragma once

#include "instr.h"
#include "runtime.h"

struct we_tier {
	const char *name; // "interp"

	// Translate bodies while they are validated, one after the other. The index spaces of
	// the module are complete; is.funcs[i].code may not be set yet.
	//	open    -> *ret_translation, owned by the caller. Returns: 0; NOMEM.
	//	begin   the body of a function; what was begun and not ended is forgotten
	//	lower   its next instruction, valid, its types those of the engine
	//	end     after its last `end`: *ret_code, owned by the caller; tells what failed since begin
	//	close   NULL is fine
	// Fail: INVALID beyond an implementation limit; NOMEM.
	int (*open)(const struct we_module *module, void **ret_translation, struct we_error *err);
	int (*begin)(void *translation, we_funcidx func, struct we_error *err);
	void (*lower)(void *translation, const struct we_instr *in);
	int (*end)(void *translation, void **ret_code, struct we_error *err);
	void (*close)(void *translation);
	// Called for each function once all of the module are translated: its code may now name
	// theirs.
	void (*link)(void *code);
	void (*release)(void *code); // NULL is fine

	// Call a WASM function: slots as in we_func_call. calls.sp and calls.depth of the store are
	// as the caller found them when it returns, also after a failure. On a trap: the frames
	// from innermost to this entry have gone to we_store_add_frame, and err names the trap, the
	// function and the offset in the file. Core has set the entry number before, and calls host
	// functions itself when they are called from the host. A host function called from the
	// guest is called by the tier: calls.sp set beyond its frames, fn(env, slots, err), a
	// negative result unwinds; after it the tier looks at the interrupt word.
	int (*call)(struct we_func *func, uint64_t *slots, struct we_error *err);
	// Show the collector the references in the frames of all entries of the store. Those
	// that the innermost guest holds stand where calls.fp and calls.ip say.
	void (*visit_roots)(struct we_store *store, struct we_root_visitor *v);
};

extern const struct we_tier we_interp_tier; // wasm-engine/interp
