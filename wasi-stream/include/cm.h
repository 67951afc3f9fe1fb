// SPDX-License-Identifier: BSD-3-Clause
// cm: the Component Model: decode and validate components, instantiate them, call them, and be the
// host end of their streams and futures.
//
// What it does not do: packets (ws.h), system interfaces beyond the linker that offers them, threads.
//
//	cm_component_create(engine, bytes, &component, &err);
//	cm_linker_create(engine, &linker, &err);
//	cm_linker_define(linker, "wasi:random/random@0.3.0", wit, funcs, n_funcs, &err);
//	cm_store_create(engine, NULL, &store, &err);
//	cm_instance_create(store, component, linker, env_of, env, &inst, &err);
//	cm_instance_func(inst, "weir:packet/filter@0.1.0", "process", &func);
//	cm_func_start(func, args, 1, &on_return, &err);   // runs until the guest blocks
//	cm_store_run(store, &err);                        // delivers events until none is ready
//	cm_store_destroy(store); cm_linker_destroy(linker); cm_component_unref(component);
//
// Lifetimes: a component is immutable, ref-counted (atomically) and shared by all threads; so is a
// linker once it is complete. A store and all in it (instances, tasks, handles, streams, futures)
// belongs to one thread at a time and dies with the store. After a failure with TRAP or EXHAUSTED
// the store is dead: every later call answers the same failure; only cm_store_destroy is left.
//
// Spec: CanonicalABI.md, Binary.md. Returns and failures: as in we.h.
#pragma once

#include "we.h"

#ifdef __cplusplus
extern "C" {
#endif

// ---- components ---------------------------------------------------------------------------------

struct cm_component;

// Decode and validate, nested core modules too. Borrows: bytes for the call.
// Returns: 0; MALFORMED, INVALID, UNSUPPORTED (by the feature's name), NOMEM.
WE_PUBLIC WE_MUST_USE int cm_component_create(struct we_engine *engine, struct we_bytes bytes,
	struct cm_component **ret_component, struct we_error *err);
WE_PUBLIC struct cm_component *cm_component_ref(struct cm_component *component);
WE_PUBLIC void cm_component_unref(struct cm_component *component); // NULL is fine
// Do the first 8 bytes announce a component? (else: a core module, or neither)
WE_PUBLIC bool cm_is_component(struct we_bytes bytes);

struct cm_component_stats {
	uint32_t n_core_modules; // nested ones included, and of nested components
	uint32_t n_components;   // nested
	uint32_t n_imports;
	uint32_t n_exports;
	uint64_t core_code_bytes;
	uint64_t features;         // of all core modules, as we_module_features
	uint64_t min_memory_pages; // the sum of what its memories start with
};
WE_PUBLIC void cm_component_stats(
	const struct cm_component *component, struct cm_component_stats *ret_stats);
// Native code for all its core modules, nested ones too, as we_module_compile makes it: for control threads.
// Returns: 0 all functions have native code; 1 some stay in the interpreter. Fails: as we_module_compile; modules after that one
// are not tried.
WE_PUBLIC WE_MUST_USE int cm_component_compile(
	struct cm_component *component, struct we_error *err);
// The sum over its core modules, and the last failure of the last module that had one. Any thread.
WE_PUBLIC void cm_component_jit_stats(
	const struct cm_component *component, struct we_jit_stats *ret_stats);
// Its core modules, nested ones too, in the order of the file. Borrowed; NULL beyond the last.
WE_PUBLIC struct we_module *cm_component_core_module(
	const struct cm_component *component, uint32_t i);
// The component's imports and exports as a WIT world. emit is called with pieces of UTF-8 text.
typedef void (*cm_emit_fn)(void *env, const char *text, size_t len);
WE_PUBLIC void cm_component_print_wit(
	const struct cm_component *component, cm_emit_fn emit, void *env);
// Name of import or export i ("wasi:config/store@0.2.0-rc.1"), borrowed; NULL beyond the last.
WE_PUBLIC const char *cm_component_import_name(const struct cm_component *component, uint32_t i);
WE_PUBLIC const char *cm_component_export_name(const struct cm_component *component, uint32_t i);

// ---- component values ---------------------------------------------------------------------------

enum cm_kind {
	CM_BOOL,
	CM_S8,
	CM_U8,
	CM_S16,
	CM_U16,
	CM_S32,
	CM_U32,
	CM_S64,
	CM_U64,
	CM_F32,
	CM_F64,
	CM_CHAR,
	CM_STRING,
	CM_LIST,
	CM_RECORD, // fields in order
	CM_TUPLE,
	CM_VARIANT, // also option (0 none, 1 some), result (0 ok, 1 error), enum
	CM_FLAGS,
	CM_OWN,
	CM_BORROW,
	CM_STREAM,
	CM_FUTURE,
	CM_ERROR_CONTEXT,
	CM_MAP, // a list of two-field tuples
};

struct cm_stream; // a readable end in the host's hands
struct cm_future;

// A value. What it points to is borrowed: from the caller for arguments, from the call for results.
struct cm_val {
	enum cm_kind kind;
	uint32_t n; // STRING bytes, LIST/RECORD/TUPLE/MAP elements, VARIANT case number
	union {
		uint64_t
			bits; // BOOL .. CHAR: integers zero-extended, floats by their bits; FLAGS: label i is bit i
		const char *string;           // UTF-8, n bytes, not terminated
		const struct cm_val *elems;   // LIST, RECORD, TUPLE, MAP
		const struct cm_val *payload; // VARIANT; NULL: none
		struct cm_stream *stream;     // STREAM: the readable end; giving it away takes it
		struct cm_future *future;     // FUTURE: the readable end
		void *resource;               // OWN, BORROW
	} of;
};

// ---- what the host offers: linker ---------------------------------------------------------------

struct cm_call; // a call of a host function that is under way

// Memory that lives as long as the call's result is needed; NULL when there is none left.
WE_PUBLIC void *cm_call_alloc(struct cm_call *call, size_t len);
// For results that come later. After this the host function returns CM_PENDING and its call is
// finished by cm_call_resolve, or by the guest's cancellation (cancelled is called, then the call is over).
WE_PUBLIC void cm_call_defer(struct cm_call *call, void (*cancelled)(void *env), void *env);
// Borrows: result for the call. Not inside the host function. NULL for functions without result.
WE_PUBLIC WE_MUST_USE int cm_call_resolve(
	struct cm_call *call, const struct cm_val *result, struct we_error *err);

enum {
	CM_PENDING = 1
};

// A function of the host. env: what env_of answered for this interface at instantiation.
// Returns: 0 with *result filled (memory: cm_call_alloc or static); CM_PENDING after cm_call_defer
// (async functions only); < 0 traps the guest.
typedef int (*cm_host_fn)(void *env, struct cm_call *call, const struct cm_val *args,
	uint32_t n_args, struct cm_val *result, struct we_error *err);

struct cm_host_func {
	const char *name; // "get", as in the interface's WIT
	cm_host_fn fn;
};

struct cm_linker;

WE_PUBLIC WE_MUST_USE int cm_linker_create(
	struct we_engine *engine, struct cm_linker **ret_linker, struct we_error *err);
WE_PUBLIC void cm_linker_destroy(struct cm_linker *linker); // NULL is fine
// Offer an interface. wit: the body of the WIT interface as text, types and functions:
//	"variant error { upstream(string), io(string) }
//	 get: func(key: string) -> result<option<string>, error>;"
// Every function must have a row in funcs. An import is satisfied by name and by structurally equal types.
WE_PUBLIC WE_MUST_USE int cm_linker_define(struct cm_linker *linker, const char *interface_name,
	const char *wit, const struct cm_host_func *funcs, uint32_t n_funcs, struct we_error *err);

// ---- stores and instances -----------------------------------------------------------------------

struct cm_store;
struct cm_instance;
struct cm_func;

// 0 means the default.
struct cm_limits {
	struct we_store_limits core;
	uint32_t handles;     // per component instance: waitables, sets, resources
	uint32_t tasks;       // tasks and subtasks at one time
	uint32_t turns;       // callbacks in one cm_store_run
	uint64_t value_bytes; // of the values of calls under way, in host memory
};

WE_PUBLIC WE_MUST_USE int cm_store_create(struct we_engine *engine, const struct cm_limits *limits,
	struct cm_store **ret_store, struct we_error *err);
WE_PUBLIC void cm_store_destroy(struct cm_store *store); // NULL is fine
WE_PUBLIC struct we_store *cm_store_core(struct cm_store *store);

// Which env the functions of an offered interface get in this instance.
typedef void *(*cm_env_fn)(void *ctx, const char *interface_name);

// Instantiate, all nested components and core modules too. linker may be NULL: nothing is offered.
// Returns: 0; UNLINKABLE naming the import and what is offered; UNSUPPORTED; TRAP; NOMEM.
WE_PUBLIC WE_MUST_USE int cm_instance_create(struct cm_store *store, struct cm_component *component,
	const struct cm_linker *linker, cm_env_fn env_of, void *ctx,
	struct cm_instance **ret_instance, struct we_error *err);
// A function of an exported interface (interface_name NULL: exported by the component itself).
// Returns: 0, or 1 when there is none.
WE_PUBLIC int cm_instance_func(struct cm_instance *inst, const char *interface_name,
	const char *name, struct cm_func **ret_func);

// ---- calls --------------------------------------------------------------------------------------

// Called once: with the result when the callee returns (task.return), or with NULL when it was cancelled.
// Borrows: result for the call; streams and futures in it now belong to the host.
typedef int (*cm_return_fn)(void *env, const struct cm_val *result, struct we_error *err);

struct cm_task; // the callee's task; valid until the task exits, then reported by exited

struct cm_on_return {
	cm_return_fn returned;     // Returns 0, or a failure that kills the store
	void (*exited)(void *env); // the task has exited (may be NULL)
	void *env;
};

// Start a call, sync or async, and run it until it blocks. Takes: streams and futures among args.
// Returns: 0 (returned, or under way); TRAP, EXHAUSTED, UNSUPPORTED, INVALID for arguments of other types.
WE_PUBLIC WE_MUST_USE int cm_func_start(struct cm_func *func, const struct cm_val *args,
	uint32_t n_args, const struct cm_on_return *on_return, struct cm_task **ret_task,
	struct we_error *err);
WE_PUBLIC WE_MUST_USE int cm_task_cancel(struct cm_task *task, struct we_error *err);
// Deliver events and run what became ready, until nothing is ready. No allocation, no syscall on the
// way of streams. Not inside a host function. Spec: CanonicalABI.md "Store.tick".
// Returns: 0 (idle); CM_MORE: limits.turns is used up and something is still ready (a guest that yields
// for ever must not keep the worker); TRAP, EXHAUSTED, UNSUPPORTED.
enum {
	CM_MORE = 1
};
WE_PUBLIC WE_MUST_USE int cm_store_run(struct cm_store *store, struct we_error *err);
// Host calls (cm_call_defer) that guests still wait for: 0, and no host stream end that will move, means
// that nothing is left that could wake a waiting guest.
WE_PUBLIC uint32_t cm_store_n_deferred(const struct cm_store *store);

// ---- the host's end of a stream -----------------------------------------------------------------

enum {
	CM_BLOCKED = 1
};

// The host's end. Which direction it has is fixed at creation: a source gives bytes to a guest that reads,
// a sink takes bytes from a guest that writes.
struct cm_stream_ops {
	// The guest reads into (source) or writes from (sink) [buf, buf + n) of its memory; n may be 0: a
	// readiness probe. *ret_n: elements moved now, <= n. buf is valid for this call only.
	// Returns: 0 done; CM_BLOCKED: nothing moved, the buffer stays posted; < 0 traps the guest.
	int (*copy)(void *env, uint8_t *buf, uint32_t n, uint32_t *ret_n, struct we_error *err);
	// The guest took its posted buffer back (stream.cancel-read, cancel-write). May be NULL.
	void (*cancelled)(void *env);
	// The guest dropped its end; no more calls follow. May be NULL.
	void (*dropped)(void *env);
};

// A new stream<u8> whose writable end is the host's. Returns the readable end, to be given to a guest.
WE_PUBLIC WE_MUST_USE int cm_stream_create_source(struct cm_store *store,
	const struct cm_stream_ops *ops, void *env, struct cm_stream **ret_stream,
	struct we_error *err);
// Become the reader of a stream<u8> that a guest gave away; a write already posted is offered at once, and
// ops.dropped is called inside when the guest has dropped its end already.
// Returns: 0; CM_OWN_SOURCE: it is a source of this host, handed back (its env in *ret_source_env): the
// readable end is gone, and what is left is to cm_stream_close the source; failures of copy; INVALID for other elements.
enum {
	CM_OWN_SOURCE = 1
};
WE_PUBLIC WE_MUST_USE int cm_stream_attach_sink(struct cm_stream *stream,
	const struct cm_stream_ops *ops, void *env, void **ret_source_env, struct we_error *err);
// The guest's posted buffer: re-derived from its memory at each call, valid until guest code runs.
// Returns: 0, or 1 when none is posted. *ret_n may be 0 (a probe).
WE_PUBLIC int cm_stream_posted(struct cm_stream *stream, uint8_t **ret_buf, uint32_t *ret_n);
// n elements of the posted buffer were filled or taken, 0 <= n <= posted (0 completes a probe): the guest's
// event is set. The rest stays posted until the event is delivered. Needs: a posted buffer.
WE_PUBLIC void cm_stream_progress(struct cm_stream *stream, uint32_t n);
// Drop the host's end: the guest sees DROPPED. The pointer is dead after it; needed after ops.dropped too.
WE_PUBLIC void cm_stream_close(struct cm_stream *stream);

// ---- the host's end of a future -----------------------------------------------------------------

// Called once with the value (borrowed for the call). A guest cannot give its end up without writing, so
// there is no call without value; after a failure, and after cm_store_destroy, there is none at all.
typedef int (*cm_future_fn)(void *env, const struct cm_val *value, struct we_error *err);
// Become the reader of a future that a guest gave away; a value already written arrives inside the call.
WE_PUBLIC WE_MUST_USE int cm_future_attach(
	struct cm_future *future, cm_future_fn fn, void *env, struct we_error *err);
// Drop the host's readable end. The pointer is dead after it; needed after the value too.
WE_PUBLIC void cm_future_close(struct cm_future *future);

#ifdef __cplusplus
}
#endif
