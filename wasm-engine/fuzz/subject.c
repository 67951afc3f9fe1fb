// SPDX-License-Identifier: BSD-3-Clause
// fuzz_subject: see subject.h.
//
// Thread: the fuzzer's, and one that watches: a call that it finds running twice is told to end.
#include "subject.h"

#include "type.h" // which parameters may be null is not in we.h

#include <pthread.h>
#include <stdlib.h>
#include <time.h>

enum {
	TICK_MS = 1,
	CALLS = 200,  // of one module
	DEADLINES = 3 // of one input: what does not end says little more when called again
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
// Under the lock.
static struct we_store *watched;
static uint64_t seen; // the entry that ran in it at the last tick

static void *watch(void *arg)
{
	const struct timespec tick = {.tv_nsec = TICK_MS * 1000000};

	(void)arg;
	for (;;) {
		nanosleep(&tick, NULL);
		pthread_mutex_lock(&lock);
		if (watched != NULL) {
			const uint64_t entry = we_store_entry(watched);

			if (entry == seen)
				we_store_interrupt(watched, entry);
			seen = entry;
		}
		pthread_mutex_unlock(&lock);
	}
	return NULL;
}

static void start_watching(void)
{
	pthread_t thread;

	if (pthread_create(&thread, NULL, watch, NULL) != 0)
		abort();
	pthread_detach(thread);
}

static void set_watched(struct we_store *store)
{
	pthread_mutex_lock(&lock);
	watched = store;
	seen = 0;
	pthread_mutex_unlock(&lock);
}

void fuzz_subject_watch(const struct fuzz_subject *subject)
{
	set_watched(subject->store);
}

static uint8_t last_byte(const struct fuzz_subject *subject)
{
	return subject->len > 0 ? subject->data[subject->len - 1] : 0;
}

static void make_store(struct fuzz_subject *subject)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;
	const struct we_store_limits limits = {.memory_pages = 16,
		.total_memory_pages = 64,
		.table_elements = 10000,
		.instances = 4,
		.stack_bytes = 1u << 16,
		.call_depth = 200,
		.heap_bytes = 1u << 20,
		.heap_entry_bytes = 4u << 20};
	struct we_error err;

	if (we_store_create(subject->engine, &limits, &subject->store, &err) < 0)
		abort();
	pthread_once(&once, start_watching);
	set_watched(subject->store);
	if (last_byte(subject) % 8 == 1)
		we_store_interrupt(subject->store, 1); // the first entry is over at once
}

void fuzz_subject_init(struct fuzz_subject *subject, const uint8_t *data, size_t len)
{
	struct we_engine_config config = {0};
	struct we_error err;

	*subject = (struct fuzz_subject){.data = data, .len = len};
	config.gc_stress = last_byte(subject) % 4 == 2;
	config.deterministic = last_byte(subject) / 8 % 4 != 0;
	if (we_engine_create(&config, &subject->engine, &err) < 0)
		abort();
	make_store(subject);
}

void fuzz_subject_init_beside(struct fuzz_subject *subject, const struct fuzz_subject *other)
{
	*subject = (struct fuzz_subject){
		.engine = other->engine, .data = other->data, .len = other->len, .is_beside = true};
	make_store(subject);
}

void fuzz_subject_fini(struct fuzz_subject *subject)
{
	set_watched(NULL);
	we_store_destroy(subject->store);
	if (!subject->is_beside)
		we_engine_destroy(subject->engine);
}

void fuzz_subject_check(int rc, const struct we_error *err)
{
	if (rc >= 0)
		return;
	switch (rc) {
	case WE_E_TRAP:
		if (err->trap == WE_TRAP_NONE || err->trap >= WE_TRAP_N)
			abort();
		return;
	case WE_E_EXHAUSTED: // a trap or a limit of the store
	case WE_E_UNLINKABLE:
	case WE_E_NOMEM:
		return;
	default:
		abort();
	}
}

// The next 8 bytes of the input, from its end on, round and round.
static uint64_t next_slot(struct fuzz_subject *subject)
{
	uint64_t slot = 0;

	for (int i = 0; i < 8 && subject->len > 0; i++)
		slot = slot << 8 | subject->data[subject->len - 1 - subject->at++ % subject->len];
	return slot;
}

// May the host leave references null here? An externref it can always give.
static bool can_answer(const we_valtype *types, uint32_t n)
{
	for (uint32_t i = 0; i < n; i++) {
		if (we_valtype_is_ref(types[i]) && !(types[i] & WE_T_NULL))
			return false;
	}
	return true;
}

static uint64_t argument(struct fuzz_subject *subject, enum we_kind kind)
{
	switch (kind) {
	case WE_FUNCREF:
	case WE_ANYREF:
	case WE_EXNREF:
		return 0;
	case WE_EXTERNREF:
		return next_slot(subject) >> 1;
	case WE_I32:
	case WE_I64:
	case WE_F32:
	case WE_F64:
	case WE_V128:
		return next_slot(subject);
	}
	abort();
}

// env: the function's type, which says how many results to clear.
static int answer(void *env, uint64_t *slots, struct we_error *err)
{
	const struct we_functype *type = env;
	uint32_t at = 0;

	for (uint32_t i = 0; i < we_functype_n_results(type); i++) {
		slots[at++] = 0;
		if (we_functype_result(type, i) == WE_V128)
			slots[at++] = 0;
	}
	(void)err;
	return 0;
}

int fuzz_subject_supply(struct fuzz_subject *subject, const struct we_externtype *type,
	struct we_extern *ret_extern)
{
	struct we_store *store = subject->store;
	const uint64_t slots[2] = {0, 0};
	const enum we_kind address = type->is_64 ? WE_I64 : WE_I32;
	struct we_error err;
	int rc = -1;

	ret_extern->kind = type->kind;
	switch (type->kind) {
	case WE_EXTERN_FUNC:
		if (can_answer(we_functype_results(type->func), type->func->n_results))
			rc = we_func_create_host(store, type->func, answer,
				(void *)(uintptr_t)type->func, &ret_extern->of.func, &err);
		break;
	case WE_EXTERN_TABLE:
		rc = we_table_create(store, we_externtype_val_kind(type), address, type->min,
			type->has_max ? type->max : UINT64_MAX, &ret_extern->of.table, &err);
		break;
	case WE_EXTERN_MEMORY:
		rc = we_memory_create(store, address, type->min,
			type->has_max ? type->max : UINT64_MAX, &ret_extern->of.memory, &err);
		break;
	case WE_EXTERN_GLOBAL:
		rc = we_global_create(store, we_externtype_val_kind(type), type->mut, slots,
			&ret_extern->of.global, &err);
		break;
	case WE_EXTERN_TAG:
		rc = we_tag_create(store, type->func, &ret_extern->of.tag, &err);
		break;
	}
	return rc < 0 ? 1 : 0;
}

uint64_t fuzz_subject_catch(struct fuzz_subject *subject, uint64_t *slots)
{
	const uint64_t exn = we_catch(subject->store);

	if (exn == 0 || we_ref_kind(subject->store, WE_EXNREF, exn) != WE_REFKIND_EXN)
		abort();
	if (we_functype_n_slots(we_tag_type(we_exn_tag(subject->store, exn))) <= FUZZ_SLOTS)
		we_exn_args(subject->store, exn, slots);
	return exn;
}

int fuzz_subject_call(
	struct fuzz_subject *subject, struct we_func *func, uint64_t *slots, struct we_error *err)
{
	const struct we_functype *type = we_func_type(func);
	struct we_frame frames[4];
	uint32_t at = 0;
	int rc;

	if (we_functype_n_slots(type) > FUZZ_SLOTS ||
		!can_answer(we_functype_params(type), type->n_params))
		return 1;
	for (uint32_t i = 0; i < we_functype_n_params(type); i++) {
		slots[at++] = argument(subject, we_functype_param(type, i));
		if (we_functype_param(type, i) == WE_V128)
			slots[at++] = next_slot(subject);
	}
	rc = we_func_call(func, slots, err);
	fuzz_subject_check(rc, err);
	if (rc < 0)
		(void)we_store_backtrace(subject->store, frames, 4);
	if (rc == WE_E_EXHAUSTED && err->trap == WE_TRAP_DEADLINE)
		subject->n_deadlines++;
	return rc;
}

static void call(struct fuzz_subject *subject, struct we_func *func)
{
	uint64_t slots[FUZZ_SLOTS];
	struct we_error err;

	if (fuzz_subject_call(subject, func, slots, &err) == WE_E_TRAP &&
		err.trap == WE_TRAP_UNCAUGHT_EXCEPTION)
		(void)fuzz_subject_catch(subject, slots);
}

// A reference is what its type says, or null.
static void look_at_ref(const struct we_store *store, enum we_kind kind, uint64_t slot)
{
	const enum we_refkind is = we_ref_kind(store, kind, slot);

	if ((slot == 0) != (is == WE_REFKIND_NULL) || (kind == WE_FUNCREF && is > WE_REFKIND_FUNC))
		abort();
}

static void look(const struct we_store *store, const struct we_extern *ext)
{
	struct we_externtype type;
	uint64_t slots[2];
	uint64_t size;
	uint8_t *span;
	void *ref;

	we_extern_type(ext, &type);
	switch (ext->kind) {
	case WE_EXTERN_TABLE:
		size = we_table_size(ext->of.table);
		if (we_table_get(ext->of.table, size, &ref) == 0)
			abort();
		for (uint64_t i = 0; i < size && i < 20; i++) {
			if (we_table_get(ext->of.table, i, &ref) != 0)
				abort();
			look_at_ref(store, we_externtype_val_kind(&type), (uintptr_t)ref);
		}
		break;
	case WE_EXTERN_MEMORY:
		size = we_memory_size(ext->of.memory);
		if (we_memory_span(ext->of.memory, size, 0, &span) != 0 ||
			we_memory_span(ext->of.memory, size, 1, &span) == 0)
			abort();
		break;
	case WE_EXTERN_GLOBAL:
		we_global_get(ext->of.global, slots);
		if (we_externtype_val_kind(&type) >= WE_FUNCREF)
			look_at_ref(store, we_externtype_val_kind(&type), slots[0]);
		break;
	case WE_EXTERN_FUNC:
	case WE_EXTERN_TAG:
		break;
	}
}

void fuzz_subject_use(struct fuzz_subject *subject, const struct we_module *module,
	const struct we_instance *inst)
{
	for (uint32_t i = 0;
		i < we_module_n_exports(module) && i < CALLS && subject->n_deadlines < DEADLINES;
		i++) {
		struct we_export export;
		struct we_extern ext;

		we_module_export(module, i, &export);
		if (we_instance_export(
			    inst, (const char *)export.name.data, export.name.len, &ext) != 0)
			abort();
		if (ext.kind == WE_EXTERN_FUNC)
			call(subject, ext.of.func);
		else
			look(subject->store, &ext);
	}
	we_store_collect(subject->store);
}
