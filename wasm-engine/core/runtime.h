// SPDX-License-Identifier: BSD-3-Clause
// Runtime structures: what a store holds, laid out for the execution tiers.
//
// Module path 4/6. Plain structures: a tier reads them directly. The hot path is one load from the
// instance to memory 0's structure and one more to its base or size; a global is one load to its
// cell.
// Owns:   the store owns everything here; things die with it and not before.
// Thread: the store's worker; only entry and interrupt are touched by others.
// Spec:   core "Runtime Structure".
#pragma once

#include <stdalign.h>
#include <stdatomic.h>

#include "heap.h"
#include "limits.h"
#include "module.h"
#include "native_abi.h"

// Invariant: size_bytes <= reserved_bytes; [base, base + committed_bytes) is accessible.
struct we_memory {
	uint8_t *base;       // never moves while it lives
	uint64_t size_bytes; // a multiple of the page size; what guests may touch
	uint64_t committed_bytes;
	uint64_t filled_bytes;   // the kernel was seen to have all pages of as many from base on
	uint64_t reserved_bytes; // address space from base on, guard not included
	uint64_t mapped_bytes;   // guards included
	uint64_t max_pages;      // growth ends here: the smaller of type and store limit
	struct we_memtype type;  // limits.min is that of the declaration
	struct we_store *store;
	struct we_memory *next; // of the store
};

// Invariant: size <= cap.
struct we_table {
	void **elems;  // references, NULL for null; moves when it grows
	uint64_t size; // elements
	uint64_t cap;  // elements
	uint64_t max;  // growth ends here: the smaller of type and store limit
	struct we_tabletype type;
	enum we_trace trace;
	struct we_store *store;
	struct we_table *next; // of the store
};

struct we_global {
	alignas(16) uint64_t cell[2]; // as in slots; v128 takes both
	struct we_globaltype type;
	enum we_trace trace;
	struct we_store *store;
	struct we_global *next; // of the store
};

struct we_tag {
	const struct we_functype *type;
	struct we_store *store;
	struct we_tag *next; // of the store
};

// A function reference is a pointer to one of these.
struct we_func {
	enum {
		WE_FUNC_WASM,
		WE_FUNC_HOST
	} kind;
	we_funcidx idx; // WASM: in its module
	const struct we_functype *type;
	void *code;                   // WASM: of the execution tier, from we_func_def
	struct we_instance *instance; // WASM
	struct we_store *store;
	void *entry; // native code that takes this function, by the convention of wasm functions; never NULL
	void *enter; // native code for callers in C; NULL: none, the interpreter runs it
	// A call from C may load integer registers from slots that begin below this byte of a page, and go to entry. The
	// three are read at once.
	uint16_t direct_end;  // 0: it goes by enter
	bool direct_more;     // five registers, else two
	bool direct_result;   // what comes back goes to slots[0]
	we_host_fn host;      // HOST
	void *env;            // HOST
	struct we_func *next; // HOST: of the store
};

struct we_image; // wasm-engine/native/image.h

// A segment as bulk instructions see it; dropped: n is 0.
struct we_elem_inst {
	void **refs; // [n]
	uint32_t n;
};

struct we_data_inst {
	const uint8_t *data; // lent from the module, [len]
	uint32_t len;        // bytes
};

struct we_instance {
	struct we_memory *mem0; // mems[0]; a memory of size 0 when the module has none
	uint8_t *mem0_base;     // mem0->base
	const struct we_deftype *const *defs; // types of the module, lent from it
	struct we_memory **mems;
	struct we_global **globals; // cell is the first field of each
	struct we_func **funcs;
	struct we_table **tables;
	struct we_tag **tags;
	struct we_elem_inst *elems;
	struct we_data_inst *datas;
	struct we_store *store;
	struct we_module *module;  // holds a reference
	struct we_func *own_funcs; // [n_funcs - n_imported_funcs]
	const struct we_image
		*image;           // the last of the module that functions were bound to, or NULL
	struct we_arena arena;    // of all arrays above
	struct we_instance *next; // of the store
};

// Where a guest call stands; the tiers keep this up to date around calls that leave them.
//
// Invariant: stack <= sp <= stack_end.
struct we_calls {
	uint64_t *sp;        // first free slot: the next call from the host starts its frames here
	uint64_t *stack_end; // slots end here
	uint64_t *stack;
	uint32_t depth; // nested guest calls
	uint32_t max_depth;
	uint32_t n_entered;   // calls from the host that nest: each takes C stack
	struct we_error *err; // of the innermost of them
	// Where its guest stands while it is left: in a host function or an allocation. For the collector.
	const void *ip;
	uint64_t *fp;    // NULL: no frame yet
	uint64_t *floor; // native code: its shadow stack is [floor, sp); in the interpreter NULL
	const struct we_calls *outer; // the same of the call around it
};

// A reference that the host holds.
struct we_ref_root {
	uint64_t cell;
	enum we_trace trace;
	struct we_store *store;
	struct we_ref_root *next; // of the store
	struct we_ref_root **at;  // the pointer that points here
};

// A value as in slots, of a constant expression under way.
struct we_cell {
	uint64_t slot[2];
	enum we_trace trace;
};

struct we_const_stack {
	struct we_cell *cells; // [n]
	size_t n;
	struct we_const_stack *outer;
};

struct we_trap_frame {
	const struct we_module *module;
	we_funcidx func;
	uint32_t at; // of the instruction, bytes from the start of the module
};

struct we_store {
	// One cache line that another thread touches: a tier looks at it at every back edge.
	alignas(64) _Atomic uint64_t
		interrupt;      // entry that shall end, UINT64_MAX none; written by any thread
	_Atomic uint64_t entry; // entry that runs, 0 none; written by the worker
	uint64_t n_entries;     // numbers given out

	alignas(64) struct we_calls calls;
	const struct we_tier *tier;
	struct we_engine *engine;
	struct we_heap *heap;          // NULL until a module needs it
	struct we_store_limits limits; // defaults filled in
	bool has_heap_budget;          // limits.heap_entry_bytes or _us
	uint64_t total_pages;          // of all memories, 64 KiB each
	uint32_t n_instances;
	struct we_instance *instances;
	struct we_func *host_funcs;
	struct we_memory *memories;
	struct we_memory
		*spare; // address space of memories that are gone, what is accessible all zeros
	struct we_table *tables;
	struct we_global *globals;
	struct we_tag *tags;
	struct we_ref_root *roots;
	struct we_const_stack *const_stack;
	const struct we_functype *throw_type; // of the host's exception being made, or NULL
	uint64_t *throw_args;                 // as in slots
	uint64_t exception;                   // under way, a we_ref; 0: none
	bool is_interp;                       // native code is not to be used
	uint32_t n_frames;                    // of the last trap
	struct we_native native;
	struct we_trap_frame frames[WE_BACKTRACE_FRAMES];
};

// Has this store's running entry been told to end? For back edges and chunks of bulk work.
static inline bool we_store_is_interrupted(const struct we_store *store)
{
	return __builtin_expect(atomic_load_explicit(&store->interrupt, memory_order_relaxed) ==
					atomic_load_explicit(&store->entry, memory_order_relaxed),
		0);
}

// Does the failure rc of a call mean that the exception in store->exception is under way?
static inline bool we_store_has_thrown(const struct we_store *store, int rc)
{
	return rc == WE_E_TRAP && store->exception != 0 && store->calls.err != NULL &&
	       store->calls.err->trap == WE_TRAP_UNCAUGHT_EXCEPTION;
}

// The next call from the host looks at everything: something may be left over, an exception or frames of a trap.
static inline void we_store_look_again(struct we_store *store)
{
	store->native.first_sp = 0;
}

// A call from the host begins that is not within another one, and ends.
static inline void we_store_begin(struct we_store *store)
{
	we_store_look_again(store);
	store->n_frames = 0;
	atomic_store_explicit(&store->entry, ++store->n_entries, memory_order_relaxed);
	store->exception = 0;
	if (store->has_heap_budget && store->heap != NULL)
		we_heap_enter(store->heap, store->n_entries);
}

static inline void we_store_end(struct we_store *store)
{
	atomic_store_explicit(&store->entry, 0, memory_order_relaxed);
}

// A trap names the function that the innermost frame belongs to. err: NULL is fine.
void we_store_name_func(const struct we_store *store, struct we_error *err);

// ---- making things: each goes to the head of a list of the store ---------------------------------

WE_MUST_USE int we_memory_new(struct we_store *store, const struct we_memtype *type,
	struct we_memory **ret_memory, struct we_error *err);
// func: zeroed, from malloc, at the start of what it is part of; the store owns it from here on.
void we_func_init_host(struct we_func *func, struct we_store *store, const struct we_functype *type,
	we_host_fn fn, void *env);
// init: every element at first; in a root.
WE_MUST_USE int we_table_new(struct we_store *store, const struct we_tabletype *type, void *init,
	struct we_table **ret_table, struct we_error *err);
// The store has a heap from here on. Returns: 0; NOMEM.
WE_MUST_USE int we_store_make_heap(struct we_store *store, struct we_error *err);
WE_MUST_USE int we_global_new(struct we_store *store, const struct we_globaltype *type,
	const uint64_t cell[2], struct we_global **ret_global, struct we_error *err);
// Take the newest one back; it is not in use.
void we_memory_delete_newest(struct we_store *store);
// The same, but its address space goes to store->spare, zeroed.
void we_memory_spare_newest(struct we_store *store);
void we_memory_delete_spare(struct we_store *store);
// Does every address that a 32-bit index plus a 32-bit offset can form lie in its mapping, or at most 16 bytes beyond? Then
// native code does not compare.
bool we_memory_has_reach(const struct we_memory *memory);
// Is an address in its mapping, guards included, or so close behind that an access that begins in it may have ended there?
// Async-signal-safe.
bool we_memory_covers(const struct we_memory *memory, uintptr_t address);
void we_table_delete_newest(struct we_store *store);
void we_global_delete_newest(struct we_store *store);
void we_tag_delete_newest(struct we_store *store);

// Note a frame of the trap that now unwinds, innermost first; more than WE_BACKTRACE_FRAMES are
// dropped.
void we_store_add_frame(
	struct we_store *store, const struct we_module *module, we_funcidx func, uint32_t at);

// Slow instructions. d, s, n and i are operands, zero-extended. Long work looks at the interrupt
// word after every chunk of limits.h. Return the trap, WE_TRAP_NONE when done.
enum we_trap we_memory_init(struct we_instance *inst, we_memidx mem, we_dataidx data, uint64_t d,
	uint64_t s, uint64_t n);
enum we_trap we_memory_copy(
	struct we_memory *dst, const struct we_memory *src, uint64_t d, uint64_t s, uint64_t n);
enum we_trap we_memory_fill(struct we_memory *mem, uint64_t d, uint8_t value, uint64_t n);
void we_data_drop(struct we_instance *inst, we_dataidx data);
enum we_trap we_table_init(struct we_instance *inst, we_tableidx table, we_elemidx elem, uint64_t d,
	uint64_t s, uint64_t n);
enum we_trap we_table_copy(
	struct we_table *dst, const struct we_table *src, uint64_t d, uint64_t s, uint64_t n);
enum we_trap we_table_fill(struct we_table *table, uint64_t i, void *ref, uint64_t n);
void we_elem_drop(struct we_instance *inst, we_elemidx elem);
// Returns: the old size in elements, or UINT64_MAX when it cannot grow.
uint64_t we_table_grow(struct we_table *table, uint64_t delta, void *ref);

// The memory of an instance that has none: size 0.
extern struct we_memory we_memory_none;
