// SPDX-License-Identifier: BSD-3-Clause
// we: core WebAssembly for a packet loop: decode, validate, instantiate, call.
//
// What it does not do: components (cm.h), system interfaces, threads. It never logs, never aborts on
// bad input, and never touches the process (no signals) before an instance asks for it.
//
//	struct we_value args[] = {we_value_i32(20), we_value_i32(22)}, result;
//	struct we_error err;
//	we_engine_create(NULL, &engine, &err);
//	we_module_create(engine, bytes, 0, &module, &err);              // decode, validate, translate
//	we_store_create(engine, NULL, &store, &err);
//	we_linker_create(store, &linker, &err);
//	we_functype_create(engine, (enum we_kind[]){WE_I32}, 1, NULL, 0, &type, &err);
//	we_linker_define_func(linker, "env", "print", type, print, env, &err);
//	we_linker_instantiate(linker, module, &inst, &err);
//	we_instance_export(inst, "add", 3, &ext);
//	rc = we_func_call_values(ext.of.func, args, 2, &result, 1, &err);
//	we_linker_destroy(linker); we_store_destroy(store); we_module_unref(module); we_engine_destroy(engine);
//
// docs/embedding.md goes through a whole program.
//
// Lifetimes: an engine outlives its modules and stores. A module is immutable after creation,
// ref-counted (atomically) and shared by all threads. A store and all that lives in it (instances,
// functions, memories, tables, globals, tags, held references) dies with the store.
//
// Threads: engines and modules any. A store, what lives in it and its linkers belong to one thread at a
// time; from others, only we_store_entry and we_store_interrupt.
//
// Pointers: what a function is given is borrowed for the call, unless it says more. Strings are UTF-8.
//
// Returns: 0 done; < 0 a failure of failure.def, with detail in *err (NULL is fine; never read when rc >= 0);
// > 0 an outcome, documented at the function. Every function that takes an err may fail with NOMEM. A mistake of
// the embedder that is found out is INVALID. Out-parameters are written only when the call returns 0.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define WE_MUST_USE     __attribute__((warn_unused_result))
#define WE_PUBLIC       __attribute__((visibility("default")))
#define WE_PRINTF(f, a) __attribute__((format(printf, f, a)))

// ---- failures -----------------------------------------------------------------------------------

enum we_failure {
#define WE_FAILURE(NAME, code, word, doc) WE_E_##NAME = (code),
#include "failure.def"
#undef WE_FAILURE
};

enum we_trap {
	WE_TRAP_NONE,
#define WE_TRAP(NAME, rc, text) WE_TRAP_##NAME,
#include "trap.def"
#undef WE_TRAP
	WE_TRAP_N
};

#define WE_NO_FUNC UINT32_MAX // we_error.func: no function is to blame

// Detail of a failure. Caller-owned, never allocated; holds the last one that was set.
struct we_error {
	int32_t rc;      // the failure that was returned
	uint32_t trap;   // enum we_trap, when rc is TRAP or EXHAUSTED; else WE_TRAP_NONE
	uint64_t offset; // bytes from the start of the file, 0 when it is about no place in one
	uint32_t func;   // function index in its module, or WE_NO_FUNC
	char msg[236];   // UTF-8, terminated; without the class word and the offset
};

#define WE_ERROR_TEXT 280 // bytes that hold what we_error_print writes

// Fill *err (NULL is fine) and return rc, < 0.
WE_PUBLIC int we_error_set(struct we_error *err, int rc, uint64_t offset, const char *fmt, ...)
	WE_PRINTF(4, 5);
// The same for a trap: rc and the start of the text come from trap.def; fmt adds ": detail" (NULL: none).
WE_PUBLIC int we_error_trap(struct we_error *err, enum we_trap trap, uint64_t offset, uint32_t func,
	const char *fmt, ...) WE_PRINTF(5, 6);
// Add to the message of a failure that was set (NULL is fine).
WE_PUBLIC void we_error_add(struct we_error *err, const char *fmt, ...) WE_PRINTF(2, 3);
// "0x1c: malformed: unexpected end, ...", cut to cap bytes with the terminator; "FILE:" goes before it.
WE_PUBLIC void we_error_print(const struct we_error *err, char *buf, size_t cap);
WE_PUBLIC const char *we_failure_word(int rc);         // "malformed", ...
WE_PUBLIC const char *we_trap_text(enum we_trap trap); // "unreachable", ...

// Borrowed bytes.
struct we_bytes {
	const uint8_t *data;
	size_t len;
};

// ---- engine -------------------------------------------------------------------------------------

struct we_engine; // canonical types, compile options; thread-safe

struct we_engine_config {
	bool deterministic;      // relaxed SIMD gives the same results on every machine
	bool gc_stress;          // collect at every allocation, poison what is freed: for tests
	uint64_t max_func_bytes; // of one body; 0: the implementation limit (limits.h)

	// Of native code, see there. 0: the default of limits.h.
	bool jit_at_once; // we_module_create ends with we_module_compile, and is fine without: for tools and tests
	const char *
		jit_program; // the compiler; NULL: $WEIR_JIT, or we-jit where it is installed or was built
	const char *jit_cache; // directory that keeps native code, made if need be; NULL: none
	const char
		*jit_perf; // who is told of it: "map", "dump", "gdb", with commas; NULL: $WEIR_PERF
	const char *
		jit_cpu; // what it may use: "native", "v2", "v3", "v4" of x86-64; NULL: native, all that the machine has
	bool explicit_checks;      // compare every address: for hosts that own SIGSEGV
	uint32_t jit_cpu_ms;       // of one compilation: processor time
	uint32_t jit_wall_ms;      // and time on the wall
	uint64_t jit_memory_bytes; // and memory
	uint64_t jit_cache_bytes;  // what the directory may hold; the oldest goes first
};

// config: copied, its strings too; NULL: all defaults. Returns: 0 and an engine, owned; NOMEM; INVALID: a word in jit_perf.
WE_PUBLIC WE_MUST_USE int we_engine_create(
	const struct we_engine_config *config, struct we_engine **ret_engine, struct we_error *err);
WE_PUBLIC void we_engine_destroy(struct we_engine *engine); // NULL is fine

// ---- types --------------------------------------------------------------------------------------

// Value types as the embedder sees them. References are told apart by hierarchy: WE_FUNCREF is any reference to
// a function, also a typed or non-null one; as the type of a host's thing it is the nullable top type.
enum we_kind {
	WE_I32,
	WE_I64,
	WE_F32,
	WE_F64,
	WE_V128,
	WE_FUNCREF,
	WE_EXTERNREF,
	WE_ANYREF, // any, eq, i31, struct, array, defined types
	WE_EXNREF
};

struct we_functype; // interned: equal types of one engine are the same pointer, and live as long as it
struct we_deftype; // a defined type: of structures, arrays or functions; the same holds

// params [n_params], results [n_results]. Fails: INVALID beyond 1000 of either.
WE_PUBLIC WE_MUST_USE int we_functype_create(struct we_engine *engine, const enum we_kind *params,
	uint32_t n_params, const enum we_kind *results, uint32_t n_results,
	const struct we_functype **ret_type, struct we_error *err);
WE_PUBLIC uint32_t we_functype_n_params(const struct we_functype *type);
WE_PUBLIC uint32_t we_functype_n_results(const struct we_functype *type);
// i < n_params, i < n_results.
WE_PUBLIC enum we_kind we_functype_param(const struct we_functype *type, uint32_t i);
WE_PUBLIC enum we_kind we_functype_result(const struct we_functype *type, uint32_t i);
// The defined type that a parameter's or result's reference type names; NULL: an abstract one, or no reference.
WE_PUBLIC const struct we_deftype *we_functype_param_deftype(
	const struct we_functype *type, uint32_t i);
WE_PUBLIC const struct we_deftype *we_functype_result_deftype(
	const struct we_functype *type, uint32_t i);

enum we_externkind {
	WE_EXTERN_FUNC = 0, // the numbers of the binary format
	WE_EXTERN_TABLE = 1,
	WE_EXTERN_MEMORY = 2,
	WE_EXTERN_GLOBAL = 3,
	WE_EXTERN_TAG = 4,
};

// The type of an import or export. Spec: core "External Types".
struct we_externtype {
	enum we_externkind kind;
	const struct we_engine *engine; // whose types func and val are
	const struct we_functype *func; // FUNC, TAG
	uint32_t val; // TABLE element type or GLOBAL value type; opaque, compare by _matches
	bool mut;     // GLOBAL
	bool is_64;   // TABLE, MEMORY: 64-bit index type
	bool has_max; // TABLE, MEMORY
	uint64_t min; // TABLE elements, MEMORY pages of 64 KiB
	uint64_t max;
};

// Does a thing of type `have` satisfy an import of type `want`? Spec: core "Import Matching".
WE_PUBLIC bool we_externtype_matches(
	const struct we_externtype *have, const struct we_externtype *want);
// The kind of a TABLE's elements or a GLOBAL's value, and the defined type that it names or NULL.
WE_PUBLIC enum we_kind we_externtype_val_kind(const struct we_externtype *type);
WE_PUBLIC const struct we_deftype *we_externtype_val_deftype(const struct we_externtype *type);
// "(func (param i32) (result i32))", ... cut to cap bytes with the terminator.
WE_PUBLIC void we_externtype_print(const struct we_externtype *type, char *buf, size_t cap);

// ---- modules ------------------------------------------------------------------------------------

struct we_module; // valid, immutable

// Decode, validate and translate. file_offset is added to every offset in messages (a module nested in
// a component). Borrows: bytes for the call (the module keeps a copy of what it needs). Returns owned: one reference.
// Fails: MALFORMED, INVALID, UNSUPPORTED (by the feature's name).
WE_PUBLIC WE_MUST_USE int we_module_create(struct we_engine *engine, struct we_bytes bytes,
	uint64_t file_offset, struct we_module **ret_module, struct we_error *err);
WE_PUBLIC struct we_module *we_module_ref(struct we_module *module);
WE_PUBLIC void we_module_unref(struct we_module *module); // NULL is fine; instances hold one, too

struct we_import {
	struct we_bytes module; // lent by the module, like all names
	struct we_bytes name;
	struct we_externtype type;
};
struct we_export {
	struct we_bytes name;
	struct we_externtype type;
};
// i < n, in the order of the file.
WE_PUBLIC uint32_t we_module_n_imports(const struct we_module *module);
WE_PUBLIC void we_module_import(const struct we_module *module, uint32_t i, struct we_import *ret);
WE_PUBLIC uint32_t we_module_n_exports(const struct we_module *module);
WE_PUBLIC void we_module_export(const struct we_module *module, uint32_t i, struct we_export *ret);
// Features of the specification that the module uses, as bits.
WE_PUBLIC uint64_t we_module_features(const struct we_module *module);
WE_PUBLIC const char *we_feature_name(uint32_t bit); // NULL beyond the last
// The i-th custom section called name. Lent by the module. Returns: 0, or 1 when there is none.
WE_PUBLIC int we_module_custom(
	const struct we_module *module, const char *name, uint32_t i, struct we_bytes *ret_payload);

// ---- native code --------------------------------------------------------------------------------
//
// Made by a process of its own, we-jit, which an engine starts when it needs it and keeps. Whatever happens to that
// process, and whatever it sends back, a function without native code runs in the interpreter.

enum we_jit_failure {
	WE_JIT_REFUSED,   // the compiler said no
	WE_JIT_ABORTED,   // it died: signal, exit
	WE_JIT_TIMED_OUT, // processor time or time on the wall
	WE_JIT_NO_MEMORY,
	WE_JIT_DAMAGED, // what it made is no image, or not the one that was asked for
	WE_JIT_LOST,    // the process that starts compilers died, or does not answer
	WE_JIT_FAILURES
};

struct we_jit_stats {
	uint32_t n_funcs;          // that were to be compiled
	uint32_t n_funcs_native;   // have native code
	uint32_t n_funcs_cached;   // of these, from the cache
	uint32_t n_funcs_given_up; // stay in the interpreter
	uint32_t n_requests;       // to the compiler
	uint32_t n_starts;         // of its process; of an engine only
	uint32_t n_cache_ignored; // files in the cache that were damaged, foreign or of another key
	uint32_t n_failures
		[WE_JIT_FAILURES]; // of requests; a batch of functions that failed is tried again in parts
	uint64_t code_bytes;
	uint64_t compile_ns;    // in requests
	char last_failure[240]; // of the compiler or the cache; empty: none
};

// Make native code for all functions of a module, from the cache or the compiler. Takes seconds: for control threads, any number
// of them, not for one that forwards packets. The compiler inherits the calling thread's processors. The module and its
// engine stay alive meanwhile. What is there is kept: a call after the first tries only what the machine prevented.
// Returns: 0 all have native code; 1 some stay in the interpreter: see the stats.
// Fails: UNSUPPORTED when this build or this machine has no native code, and the cache not either; HOST when the
// compiler is not found, or dies each time. Functions that had got native code before keep it.
WE_PUBLIC WE_MUST_USE int we_module_compile(struct we_module *module, struct we_error *err);
// The module's own functions, those that it does not import: [first, first + n) of its index space. Returns: n.
WE_PUBLIC uint32_t we_module_own_funcs(const struct we_module *module, uint32_t *ret_first);
// One of these: by its index, its name, or the name of an export. Returns: false when there is none.
WE_PUBLIC bool we_module_find_func(
	const struct we_module *module, const char *text, uint32_t *ret_func);
// Its machine code beside its wasm, as we_module_compile has it made; nothing is kept. Returns: 0 and text, owned (free).
// Fails: INVALID when it has no machine code of its own; UNSUPPORTED and HOST as above.
WE_PUBLIC WE_MUST_USE int we_module_listing(
	struct we_module *module, uint32_t func, char **ret_text, struct we_error *err);
// For good: a compilation that is under way fails soon, as HOST, and so does each that comes later. What has native code
// keeps it. For a program that ends. Any thread.
WE_PUBLIC void we_engine_stop_compiling(struct we_engine *engine);
// Any thread, also during we_module_compile.
WE_PUBLIC void we_module_jit_stats(const struct we_module *module, struct we_jit_stats *ret);
// The sum over all modules, those that are gone included.
WE_PUBLIC void we_engine_jit_stats(const struct we_engine *engine, struct we_jit_stats *ret);
// May it be jit_cpu?
WE_PUBLIC bool we_cpu_is_known(const char *name);
// "v1" to "v4": the level of x86-64 that this machine has.
WE_PUBLIC const char *we_machine_level(void);
// Add the counts of another module; the last failure is that one's, if it has one.
WE_PUBLIC void we_jit_stats_add(struct we_jit_stats *sum, const struct we_jit_stats *more);
WE_PUBLIC const char *we_jit_failure_word(enum we_jit_failure failure); // "timed out", ...

// ---- stores -------------------------------------------------------------------------------------

struct we_store;

// 0 means the default of limits.h. What a guest may not go beyond is EXHAUSTED, or a growth that fails as the
// specification allows.
struct we_store_limits {
	uint64_t memory_pages; // of 64 KiB, per memory
	// Accessible from instantiation on, so that growth up to here costs no syscall. Native code without explicit_checks is not
	// used with such a memory, which would not stop it.
	uint64_t memory_pages_precommit;
	uint64_t total_memory_pages; // of all memories of the store
	uint64_t table_elements;     // per table
	uint32_t instances;          // per store
	uint32_t stack_bytes;        // value stack of guest calls
	uint32_t
		call_depth; // nested guest calls, in the interpreter: native code has stack_bytes alone
	uint64_t heap_bytes;       // garbage-collected objects and the collector's tables
	uint64_t heap_entry_bytes; // that one call from the host may allocate; 0: no limit
	uint64_t
		heap_entry_us; // that collections within one call from the host may take, microseconds; 0: no limit
};

// limits: copied; NULL: all defaults. Returns owned.
WE_PUBLIC WE_MUST_USE int we_store_create(struct we_engine *engine,
	const struct we_store_limits *limits, struct we_store **ret_store, struct we_error *err);
WE_PUBLIC void we_store_destroy(struct we_store *store); // NULL is fine; frees all that lives in it
// Let go of all that lives in the store, host functions included; no call is under way. The store is as new, but its value
// stack and its memories' address space stay for what is made next: another instance of a module then costs no system
// call, and little more than zeroing its memory. No pointer of before is valid after it, those in linkers included:
// destroy these.
WE_PUBLIC void we_store_reset(struct we_store *store);
// Is native code not to be used? At first it is. No call is under way.
WE_PUBLIC void we_store_set_interp(struct we_store *store, bool is_interp);
WE_PUBLIC struct we_engine *we_store_engine(const struct we_store *store);
// Bytes of linear memory now accessible to guests of this store.
WE_PUBLIC uint64_t we_store_memory_bytes(const struct we_store *store);

// ---- values -------------------------------------------------------------------------------------

struct we_func;

// A value with its kind. References: see "references".
struct we_value {
	enum we_kind kind;
	union {
		int32_t i32;
		int64_t i64;
		float f32;
		double f64;
		uint8_t v128[16];     // in the order of memory
		struct we_func *func; // FUNCREF; NULL: null
		uint64_t ref;         // EXTERNREF, ANYREF, EXNREF: as in a slot
	} of;
};

static inline struct we_value we_value_i32(int32_t x)
{
	struct we_value value;

	value.kind = WE_I32;
	value.of.i32 = x;
	return value;
}

static inline struct we_value we_value_i64(int64_t x)
{
	struct we_value value;

	value.kind = WE_I64;
	value.of.i64 = x;
	return value;
}

static inline struct we_value we_value_f32(float x)
{
	struct we_value value;

	value.kind = WE_F32;
	value.of.f32 = x;
	return value;
}

static inline struct we_value we_value_f64(double x)
{
	struct we_value value;

	value.kind = WE_F64;
	value.of.f64 = x;
	return value;
}

static inline struct we_value we_value_func(struct we_func *func)
{
	struct we_value value;

	value.kind = WE_FUNCREF;
	value.of.func = func;
	return value;
}

// kind: WE_EXTERNREF, WE_ANYREF or WE_EXNREF. ref 0: null.
static inline struct we_value we_value_ref(enum we_kind kind, uint64_t ref)
{
	struct we_value value;

	value.kind = kind;
	value.of.ref = ref;
	return value;
}

// ---- functions ----------------------------------------------------------------------------------
//
// Two ways in and out. By values: everything is checked, and a mistake is INVALID: the count, the kinds, and each
// reference against the exact type, so that no null reaches a (ref func) and no structure a place of another type. By
// slots: the fast way, for those who know the type; nothing is checked, and a wrong reference breaks the engine.
//
// Slots have 8 bytes: i32 and f32 in the low half (upper half undefined), v128 in two slots, a reference in one: see
// "references". Parameters from slots[0] on, results too.

// A function of the host, by slots. It may call back into the store, which makes references among its arguments stale.
// slots has room for max(params, results). It may not leave by longjmp.
// Returns: 0, or a failure with *err filled (it becomes the caller's trap).
typedef int (*we_host_fn)(void *env, uint64_t *slots, struct we_error *err);
// The same by values: args [params], results [results], which come with their kinds, zero or null.
typedef int (*we_host_values_fn)(
	void *env, const struct we_value *args, struct we_value *results, struct we_error *err);

// Borrows: env until the store's end.
WE_PUBLIC WE_MUST_USE int we_func_create_host(struct we_store *store,
	const struct we_functype *type, we_host_fn fn, void *env, struct we_func **ret_func,
	struct we_error *err);
WE_PUBLIC WE_MUST_USE int we_func_create_host_values(struct we_store *store,
	const struct we_functype *type, we_host_values_fn fn, void *env, struct we_func **ret_func,
	struct we_error *err);
WE_PUBLIC const struct we_functype *we_func_type(const struct we_func *func);

// Call, by values. n_args and n_results are those of the type. Allocates only when they take more than 64 slots.
// Returns: 0; INVALID; TRAP or EXHAUSTED; what a host function returned.
WE_PUBLIC WE_MUST_USE int we_func_call_values(struct we_func *func, const struct we_value *args,
	uint32_t n_args, struct we_value *results, uint32_t n_results, struct we_error *err);

// Slots that a call of this type needs: max(params, results), v128 counting two.
WE_PUBLIC uint32_t we_functype_n_slots(const struct we_functype *type);
// Call, by slots: room for we_functype_n_slots. No allocation, no syscall.
// Returns: 0; TRAP or EXHAUSTED; what a host function returned.
WE_PUBLIC WE_MUST_USE int we_func_call(struct we_func *func, uint64_t *slots, struct we_error *err);

// ---- linking ------------------------------------------------------------------------------------

struct we_table;
struct we_memory;
struct we_global;
struct we_tag;
struct we_instance;

// Something that can be imported or was exported. Lives in its store.
struct we_extern {
	enum we_externkind kind;
	union {
		struct we_func *func;
		struct we_table *table;
		struct we_memory *memory;
		struct we_global *global;
		struct we_tag *tag;
	} of;
};
WE_PUBLIC void we_extern_type(const struct we_extern *ext, struct we_externtype *ret_type);

struct we_linker; // what modules of a store may import, by module and name

// Returns owned; it may go before or after the store.
WE_PUBLIC WE_MUST_USE int we_linker_create(
	struct we_store *store, struct we_linker **ret_linker, struct we_error *err);
WE_PUBLIC void we_linker_destroy(struct we_linker *linker); // NULL is fine; what it named stays
// Offer a thing of the linker's store. module, name: terminated, copied.
// Fails: INVALID when that name is taken, or the thing is of another store.
WE_PUBLIC WE_MUST_USE int we_linker_define(struct we_linker *linker, const char *module,
	const char *name, const struct we_extern *ext, struct we_error *err);
// Make a host function and offer it. Fails: INVALID when that name is taken; nothing is made then.
WE_PUBLIC WE_MUST_USE int we_linker_define_func(struct we_linker *linker, const char *module,
	const char *name, const struct we_functype *type, we_host_fn fn, void *env,
	struct we_error *err);
// Offer all exports of an instance, or none. Fails: INVALID when a name is taken.
WE_PUBLIC WE_MUST_USE int we_linker_define_instance(struct we_linker *linker, const char *module,
	const struct we_instance *inst, struct we_error *err);
// Instantiate with what the linker offers; more than the module needs is fine. As we_instance_create.
WE_PUBLIC WE_MUST_USE int we_linker_instantiate(struct we_linker *linker, struct we_module *module,
	struct we_instance **ret_instance, struct we_error *err);

// ---- instances ----------------------------------------------------------------------------------

// Instantiate: imports stand in the order of we_module_import, all of this store. Runs the start function.
// The instance lives in the store.
// Returns: 0; UNLINKABLE, TRAP, EXHAUSTED. What a failed one left in tables stays, as the specification says.
WE_PUBLIC WE_MUST_USE int we_instance_create(struct we_store *store, struct we_module *module,
	const struct we_extern *imports, uint32_t n_imports, struct we_instance **ret_instance,
	struct we_error *err);
// Returns: 0, or 1 when nothing is exported under that name.
WE_PUBLIC int we_instance_export(const struct we_instance *inst, const char *name, size_t name_len,
	struct we_extern *ret_extern);

// ---- traps --------------------------------------------------------------------------------------

// A frame of the wasm backtrace of the store's last trap, innermost first.
struct we_frame {
	const struct we_module *module; // of an instance of the store
	uint32_t func;                  // function index
	uint64_t offset;                // bytes from the start of the file
	struct we_bytes name;           // from the name section, or empty; lent by the module
};
// Good until the next call. Native code leaves out callers that are inlined, and an outer frame that others are inlined in
// stands at the start of its body. Returns the number of frames written, at most cap; 32 are kept.
WE_PUBLIC uint32_t we_store_backtrace(
	const struct we_store *store, struct we_frame *frames, uint32_t cap);
// "at function 3 name (0x1c)", cut to cap bytes with the terminator.
WE_PUBLIC void we_frame_print(const struct we_frame *frame, char *buf, size_t cap);

// ---- native code: what it asks of the process and its threads -----------------------------------

// Install the handlers that native code needs: of SIGSEGV, which goes on to the handler that was there when it is not a
// guest's fault, and of the highest realtime signal that is free. Done by itself whenever native code is loaded; call it
// before that where others choose signals, too, and again when somebody has replaced the handler of SIGSEGV. Fails: HOST.
WE_PUBLIC WE_MUST_USE int we_process_prepare(struct we_error *err);
// Make the calling thread ready to run native code: a stack for signals, unless it has one, and those two signals not blocked. Done
// by itself at the first call; afterwards calls make no system call. It goes with the thread. Fails: HOST when the thread's
// stack is too small, or the machine refuses; guests then run in the interpreter.
WE_PUBLIC WE_MUST_USE int we_thread_prepare(struct we_error *err);

// ---- deadlines: from another thread -------------------------------------------------------------

// The entry number of the guest call that now runs in the store, 0 when none does. Any thread.
WE_PUBLIC uint64_t we_store_entry(const struct we_store *store);
// End that entry with WE_TRAP_DEADLINE at its next back edge, call or chunk of bulk work; ignored when
// that entry is over. What the guest was doing stays half done: the embedder decides whether its instances are
// of further use. Any thread, async-signal-safe.
WE_PUBLIC void we_store_interrupt(struct we_store *store, uint64_t entry);

// ---- memories, tables, globals ------------------------------------------------------------------
//
// What is made here lives in the store.

// address: WE_I32 or WE_I64, the type of its addresses. max_pages: UINT64_MAX for none.
// Fails: EXHAUSTED beyond the store's limits.
WE_PUBLIC WE_MUST_USE int we_memory_create(struct we_store *store, enum we_kind address,
	uint64_t min_pages, uint64_t max_pages, struct we_memory **ret_memory,
	struct we_error *err);
WE_PUBLIC uint64_t we_memory_size(const struct we_memory *memory); // bytes
// Grow by delta pages. Returns: 0 and the old size in pages; 1 when it cannot grow.
WE_PUBLIC int we_memory_grow(struct we_memory *memory, uint64_t delta, uint64_t *ret_old_pages);
// A host pointer to [offset, offset + len). Valid until guest code runs or memory grows.
// Returns: 0, or 1 when that is not wholly inside the memory.
WE_PUBLIC WE_MUST_USE int we_memory_span(
	const struct we_memory *memory, uint64_t offset, uint64_t len, uint8_t **ret_span);

// elem: a reference's kind. address: WE_I32 or WE_I64. min, max: elements; max UINT64_MAX for none. All null.
// Fails: EXHAUSTED beyond the store's limits.
WE_PUBLIC WE_MUST_USE int we_table_create(struct we_store *store, enum we_kind elem,
	enum we_kind address, uint64_t min, uint64_t max, struct we_table **ret_table,
	struct we_error *err);
WE_PUBLIC uint64_t we_table_size(const struct we_table *table); // elements
// Returns: 0, or 1 when i is out of bounds.
WE_PUBLIC WE_MUST_USE int we_table_get_value(
	const struct we_table *table, uint64_t i, struct we_value *ret_value);
// Returns: 0; 1 when i is out of bounds; INVALID when the value is not of the elements' type.
WE_PUBLIC WE_MUST_USE int we_table_set_value(
	struct we_table *table, uint64_t i, const struct we_value *value, struct we_error *err);
// Grow by delta elements, all of the value. Returns: 0 and the old size; 1 when it cannot grow; INVALID.
WE_PUBLIC WE_MUST_USE int we_table_grow_value(struct we_table *table, uint64_t delta,
	const struct we_value *value, uint64_t *ret_old_size, struct we_error *err);
// The same by slots, unchecked: a reference in the form of a pointer.
WE_PUBLIC WE_MUST_USE int we_table_get(const struct we_table *table, uint64_t i, void **ret_ref);
WE_PUBLIC WE_MUST_USE int we_table_set(struct we_table *table, uint64_t i, void *ref);

// slots: one, two for v128: what it holds at first, of the kind.
WE_PUBLIC WE_MUST_USE int we_global_create(struct we_store *store, enum we_kind kind, bool mut,
	const uint64_t *slots, struct we_global **ret_global, struct we_error *err);
WE_PUBLIC void we_global_get_value(const struct we_global *global, struct we_value *ret_value);
// Fails: INVALID when it is immutable, or the value is not of its type.
WE_PUBLIC WE_MUST_USE int we_global_set_value(
	struct we_global *global, const struct we_value *value, struct we_error *err);
// The same by slots, unchecked.
WE_PUBLIC void we_global_get(const struct we_global *global, uint64_t *slots);
WE_PUBLIC void we_global_set(struct we_global *global, const uint64_t *slots);

// ---- references ---------------------------------------------------------------------------------
//
// In a slot: 0 is null. WE_FUNCREF: a struct we_func *. WE_EXTERNREF: a host's own value, any number below 2^63,
// or something of the store's heap. WE_ANYREF, WE_EXNREF: of the store's heap. What is of the heap moves: a slot, or a
// value, is good until guest code runs, something is allocated in the store, or it is collected; to keep a reference
// longer, hold it. No check finds out a stale one.

enum we_refkind {
	WE_REFKIND_NULL,
	WE_REFKIND_FUNC,
	WE_REFKIND_HOST, // a host's own value, as extern or converted to any
	WE_REFKIND_I31,
	WE_REFKIND_STRUCT,
	WE_REFKIND_ARRAY,
	WE_REFKIND_EXN
};

struct we_ref_root; // a reference that the host holds

// What is in a slot of that kind.
WE_PUBLIC enum we_refkind we_ref_kind(
	const struct we_store *store, enum we_kind kind, uint64_t slot);
// Hold a reference: the collector keeps it. Returns owned: drop it; the store's end drops it, too.
WE_PUBLIC WE_MUST_USE int we_ref_hold(struct we_store *store, enum we_kind kind, uint64_t slot,
	struct we_ref_root **ret_root, struct we_error *err);
// The reference as it is now in a slot.
WE_PUBLIC uint64_t we_ref_held(const struct we_ref_root *root);
WE_PUBLIC void we_ref_drop(struct we_ref_root *root); // NULL is fine
// The host's value in a slot of refkind HOST.
WE_PUBLIC uint64_t we_ref_host(const struct we_store *store, enum we_kind kind, uint64_t slot);
// A host's value as WE_ANYREF. Fails: EXHAUSTED.
WE_PUBLIC WE_MUST_USE int we_ref_from_host(
	struct we_store *store, uint64_t host, uint64_t *ret_slot, struct we_error *err);

// ---- structures and arrays ----------------------------------------------------------------------
//
// ref is a value of the store, WE_ANYREF, or WE_EXTERNREF that was converted from one. Packed fields and elements are
// WE_I32: read without sign, written by their low bits.

// The low 31 bits of x as WE_ANYREF.
WE_PUBLIC struct we_value we_value_i31(int32_t x);
// With sign. Returns: 0, or 1 when ref is no i31.
WE_PUBLIC WE_MUST_USE int we_i31_get(const struct we_value *ref, int32_t *ret_x);

// The type that a structure or array was made with; NULL: ref is neither.
WE_PUBLIC const struct we_deftype *we_ref_deftype(
	const struct we_store *store, const struct we_value *ref);
// The defined type that the i-th field of a structure, or an array's elements (i 0), refer to, or NULL.
WE_PUBLIC const struct we_deftype *we_deftype_field(const struct we_deftype *type, uint32_t i);
WE_PUBLIC uint32_t we_deftype_n_fields(const struct we_deftype *type); // array: 1; function: 0

// Make a structure of its fields' values. Makes references stale, but those in fields count.
// Fails: INVALID when type is no structure's or the fields are not of it; EXHAUSTED.
WE_PUBLIC WE_MUST_USE int we_struct_create(struct we_store *store, const struct we_deftype *type,
	const struct we_value *fields, uint32_t n_fields, struct we_value *ret_ref,
	struct we_error *err);
// Returns: 0, or 1 when ref is no structure or has no such field.
WE_PUBLIC WE_MUST_USE int we_struct_get(const struct we_store *store, const struct we_value *ref,
	uint32_t field, struct we_value *ret_value);
// Returns: 0; 1 as before; INVALID when the field is immutable, or the value is not of its type.
WE_PUBLIC WE_MUST_USE int we_struct_set(struct we_store *store, const struct we_value *ref,
	uint32_t field, const struct we_value *value, struct we_error *err);

// The same for arrays.
WE_PUBLIC WE_MUST_USE int we_array_create(struct we_store *store, const struct we_deftype *type,
	const struct we_value *elems, uint32_t len, struct we_value *ret_ref, struct we_error *err);
// Returns: 0 and its elements, or 1 when ref is no array.
WE_PUBLIC WE_MUST_USE int we_array_len(
	const struct we_store *store, const struct we_value *ref, uint32_t *ret_len);
WE_PUBLIC WE_MUST_USE int we_array_get(const struct we_store *store, const struct we_value *ref,
	uint32_t i, struct we_value *ret_value);
WE_PUBLIC WE_MUST_USE int we_array_set(struct we_store *store, const struct we_value *ref,
	uint32_t i, const struct we_value *value, struct we_error *err);

// ---- exceptions ---------------------------------------------------------------------------------
//
// A host function raises one by `return we_throw_values(...)`. A call that ends with one returns TRAP, its err->trap is
// WE_TRAP_UNCAUGHT_EXCEPTION, and the exception is under way until we_catch takes it; a host function that returns such a
// failure lets it go on.

// A tag; type without results. Lives in the store.
WE_PUBLIC WE_MUST_USE int we_tag_create(struct we_store *store, const struct we_functype *type,
	struct we_tag **ret_tag, struct we_error *err);
WE_PUBLIC const struct we_functype *we_tag_type(const struct we_tag *tag);
// Make an exception of arguments, and put it under way. Returns: TRAP; INVALID when they are not of the tag's
// type; EXHAUSTED or NOMEM when there is no room.
WE_PUBLIC WE_MUST_USE int we_throw_values(struct we_store *store, const struct we_tag *tag,
	const struct we_value *args, uint32_t n_args, struct we_error *err);
// The same by slots, unchecked.
WE_PUBLIC WE_MUST_USE int we_throw(
	struct we_store *store, const struct we_tag *tag, uint64_t *slots, struct we_error *err);
// Put a caught exception (WE_EXNREF) under way again. Returns: TRAP.
WE_PUBLIC WE_MUST_USE int we_throw_ref(struct we_store *store, uint64_t exn, struct we_error *err);
// Take the exception that is under way. Returns: it, as WE_EXNREF; 0 when there is none.
WE_PUBLIC uint64_t we_catch(struct we_store *store);
// exn: not null.
WE_PUBLIC const struct we_tag *we_exn_tag(const struct we_store *store, uint64_t exn);
// The i-th argument. Returns: 0, or 1 when there is no such.
WE_PUBLIC WE_MUST_USE int we_exn_arg(
	const struct we_store *store, uint64_t exn, uint32_t i, struct we_value *ret_value);
// All of them: room for the slots of the tag's parameters.
WE_PUBLIC void we_exn_args(const struct we_store *store, uint64_t exn, uint64_t *slots);

// ---- the garbage-collected heap -----------------------------------------------------------------

struct we_heap_stats {
	uint64_t live_bytes;      // after the last collection
	uint64_t used_bytes;      // now
	uint64_t limit_bytes;     // of everything, the collector's tables included
	uint64_t allocated_bytes; // since the store was made
	uint64_t n_collections;
	uint64_t total_ns;   // of all collections
	uint64_t longest_ns; // of one
};

// All zero while nothing of the store needed a heap.
WE_PUBLIC void we_store_heap_stats(const struct we_store *store, struct we_heap_stats *ret);
// Collect now, outside every budget. Makes references stale that are not held.
WE_PUBLIC void we_store_collect(struct we_store *store);

#ifdef __cplusplus
}
#endif
