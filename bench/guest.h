// SPDX-License-Identifier: BSD-3-Clause
// guest: a module in a tier of weir, and its instance, for the programs that measure.
//
// Whatever fails ends the process with a message: these are benchmarks.
// Owns:   what a struct guest names, from guest_load to guest_unload.
// Thread: one for each guest.
#pragma once

#include "we.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

// How modules shall run. All zero: interpreted.
struct guest_tier {
	bool is_jit;
	const char *program; // the compiler's; NULL: as the library finds it
	const char *cache;   // folder of compiled code, or NULL for none
};

// A module, and its instance in a store of its own once it has one.
struct guest {
	struct guest_tier tier;
	const struct we_store_limits *limits; // NULL: the defaults
	struct we_engine *engine;
	struct we_module *module;
	struct we_store *store;
	struct we_instance *inst;
	we_host_fn import;   // the one function that it may import
	bool takes_i32;      // that function does
	bool gives_i32;      // it does
	uint64_t compile_ns; // what its machine code took to come
};

uint64_t now_ns(void);
// Returns: a number below 2^32 - 1 that the text is; else ends the process.
uint32_t number(const char *text);
// Returns owned, zeroed.
void *must_alloc(size_t n, size_t size);
// Returns owned: the whole file.
struct we_bytes read_file(const char *path);
void bytes_free(struct we_bytes bytes);
// Ends the process when rc is not 0.
void must(int rc, const struct we_error *err, const char *what);
// A line: the name and n numbers.
void print_ns(const char *name, const uint64_t *ns, uint32_t n);

// Take the tier's options off the front of the arguments: --tier interp|jit, --jit-program FILE, --jit-cache DIR.
// Returns: how many words they were.
int guest_tier_parse(struct guest_tier *tier, int argc, char **argv);

void guest_engine(struct guest *g);  // make the engine
void guest_compile(struct guest *g); // machine code for g->module, when the tier is jit; prints
				     // `interpreted N` when N functions have none
void guest_load(struct guest *g, struct we_bytes bytes); // all three: engine, module, code
void guest_instantiate(struct guest *g);
void guest_let_go(struct guest *g); // of the instance; the store stays, for the next
void guest_unload(struct guest *g);
struct we_func *guest_export(const struct guest *g, const char *name);
// Returns: nanoseconds of a call.
uint64_t guest_time_call(struct we_func *func, uint64_t *slots);
// `run FILE ARGUMENT WARM CALLS`, as interp_weir.c says.
void guest_run(struct guest_tier tier, const char *path, const char *argument, uint32_t warm,
	uint32_t calls);
