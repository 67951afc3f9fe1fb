// SPDX-License-Identifier: BSD-3-Clause
// we-fuzz-jit: a module is compiled, instantiated and run as code of the interpreter and as native code. A libFuzzer target.
//
//	we-fuzz-jit [-runs=N] CORPUS [SEEDS...]
//
// What both answer must be the same, and all that they leave behind; so must the place of a trap. A module is compared up to
// the first call that ran out of something: time, stack, memory, heap. Where the specification leaves a choice (the bits of a
// NaN, relaxed instructions that need not be deterministic), a difference ends the comparison, too.
#include "native_draw.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "engine.h"
#include "instr.h"
#include "mutator.h"
#include "runtime.h"
#include "subject.h"

enum {
	IMPORTS = 64,
	EXPORTS = 40,  // that are called
	DEADLINES = 3, // of one input
};

struct pair {
	struct fuzz_subject interp;
	struct fuzz_subject native;
	struct we_module *module;
	const struct we_instance *x; // in interp
	const struct we_instance *y; // in native
	bool has_choice;             // the module may answer in more than one way
	bool is_over;                // nothing more is compared
};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);
size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t len, size_t cap, unsigned int seed);
size_t LLVMFuzzerCustomCrossOver(const uint8_t *a, size_t len_a, const uint8_t *b, size_t len_b,
	uint8_t *out, size_t cap, unsigned int seed);

size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t len, size_t cap, unsigned int seed)
{
	return we_mutator_module(data, len, cap, seed);
}

size_t LLVMFuzzerCustomCrossOver(const uint8_t *a, size_t len_a, const uint8_t *b, size_t len_b,
	uint8_t *out, size_t cap, unsigned int seed)
{
	return we_mutator_cross(a, len_a, b, len_b, out, cap, seed);
}

// ---- choices ------------------------------------------------------------------------------------

// May its result be a NaN with bits of the machine's choice?
static bool is_arithmetic(const char *mnemonic)
{
	static const char *const verbs[] = {"add", "sub", "mul", "div", "sqrt", "min", "max",
		"ceil", "floor", "trunc", "nearest", "demote", "promote", "relaxed"};

	if (mnemonic[0] != 'f')
		return false;
	for (size_t i = 0; i < sizeof(verbs) / sizeof(verbs[0]); i++) {
		if (strncmp(strchr(mnemonic, '.') + 1, verbs[i], strlen(verbs[i])) == 0)
			return true;
	}
	return false;
}

static bool has_choice(const struct we_module *module, bool is_deterministic)
{
	for (we_funcidx i = module->is.n_imported_funcs; i < module->is.n_funcs; i++) {
		struct we_reader r;
		struct we_instr in;

		we_module_reader(module, module->is.funcs[i].body, &r, NULL);
		while (we_reader_left(&r) > 0) {
			if (we_instr_read(&r, &in) < 0)
				abort(); // it was valid
			if (is_arithmetic(we_op_info[in.op].mnemonic) ||
				(!is_deterministic &&
					strstr(we_op_info[in.op].mnemonic, "relaxed") != NULL))
				return true;
		}
	}
	return false;
}

// ---- comparison ---------------------------------------------------------------------------------

static void differ(struct pair *p, const char *what, uint64_t at)
{
	p->is_over = true;
	if (p->has_choice)
		return;
	fprintf(stderr, "%s %llu: the interpreter and native code differ\n", what,
		(unsigned long long)at);
	abort();
}

static bool same_ref(const struct pair *p, enum we_kind kind, uint64_t x, uint64_t y)
{
	const struct we_store *a = p->interp.store;
	const struct we_store *b = p->native.store;
	const enum we_refkind is = we_ref_kind(a, kind, x);

	if (we_ref_kind(b, kind, y) != is)
		return false;
	if (is == WE_REFKIND_HOST)
		return we_ref_host(a, kind, x) == we_ref_host(b, kind, y);
	return is != WE_REFKIND_I31 || (uint32_t)x == (uint32_t)y;
}

static bool same_value(
	const struct pair *p, enum we_kind kind, const uint64_t *x, const uint64_t *y)
{
	switch (kind) {
	case WE_I32:
	case WE_F32:
		return (uint32_t)x[0] == (uint32_t)y[0];
	case WE_I64:
	case WE_F64:
		return x[0] == y[0];
	case WE_V128:
		return x[0] == y[0] && x[1] == y[1];
	case WE_FUNCREF:
	case WE_EXTERNREF:
	case WE_ANYREF:
	case WE_EXNREF:
		return same_ref(p, kind, x[0], y[0]);
	}
	abort();
}

static void compare_results(
	struct pair *p, const struct we_functype *type, const uint64_t *x, const uint64_t *y)
{
	for (uint32_t i = 0; i < we_functype_n_results(type); i++) {
		const enum we_kind kind = we_functype_result(type, i);

		if (!same_value(p, kind, x, y))
			differ(p, "result", i);
		x += kind == WE_V128 ? 2 : 1;
		y += kind == WE_V128 ? 2 : 1;
	}
}

static void compare_exceptions(struct pair *p)
{
	static uint64_t x[FUZZ_SLOTS], y[FUZZ_SLOTS];
	const uint64_t a = fuzz_subject_catch(&p->interp, x);
	const uint64_t b = fuzz_subject_catch(&p->native, y);
	const struct we_functype *type = we_tag_type(we_exn_tag(p->interp.store, a));
	uint32_t at = 0;

	if (we_tag_type(we_exn_tag(p->native.store, b)) != type) {
		differ(p, "tag", 0);
		return;
	}
	if (we_functype_n_slots(type) > FUZZ_SLOTS)
		return;
	for (uint32_t i = 0; i < we_functype_n_params(type); i++) {
		const enum we_kind kind = we_functype_param(type, i);

		if (!same_value(p, kind, &x[at], &y[at]))
			differ(p, "argument", i);
		at += kind == WE_V128 ? 2 : 1;
	}
}

static bool ran_out(int rc)
{
	return rc == WE_E_EXHAUSTED || rc == WE_E_NOMEM;
}

// How something ended in both. Returns: whether it came to its end, alike.
static bool compare_ends(struct pair *p, int a, const struct we_error *x, int b,
	const struct we_error *y, uint64_t which)
{
	if (ran_out(a) || ran_out(b))
		p->is_over = true;
	if (p->is_over)
		return false;
	if (a != b || (a == WE_E_TRAP && x->trap != y->trap)) {
		fprintf(stderr, "%s %s, %s %s\n", we_failure_word(a), a < 0 ? x->msg : "",
			we_failure_word(b), b < 0 ? y->msg : "");
		differ(p, "the end of call", which);
	} else if (a == WE_E_TRAP && (x->offset != y->offset || x->func != y->func)) {
		fprintf(stderr, "function %u at 0x%llx, function %u at 0x%llx: %s\n", x->func,
			(unsigned long long)x->offset, y->func, (unsigned long long)y->offset,
			x->msg);
		differ(p, "the trap's place in call", which);
	}
	return a == 0 && !p->is_over;
}

static void compare_memories(struct pair *p)
{
	for (we_memidx i = 0; i < p->module->is.n_mems && !p->is_over; i++) {
		const struct we_memory *a = p->x->mems[i];
		const struct we_memory *b = p->y->mems[i];

		if (a->size_bytes != b->size_bytes ||
			(a->size_bytes > 0 && memcmp(a->base, b->base, a->size_bytes) != 0))
			differ(p, "memory", i);
	}
}

static void compare_globals(struct pair *p)
{
	for (we_globalidx i = 0; i < p->module->is.n_globals && !p->is_over; i++) {
		struct we_extern ext = {.kind = WE_EXTERN_GLOBAL, .of.global = p->x->globals[i]};
		struct we_externtype type;

		we_extern_type(&ext, &type);
		if (!same_value(p, we_externtype_val_kind(&type), p->x->globals[i]->cell,
			    p->y->globals[i]->cell))
			differ(p, "global", i);
	}
}

static void compare_tables(struct pair *p)
{
	for (we_tableidx i = 0; i < p->module->is.n_tables && !p->is_over; i++) {
		struct we_extern ext = {.kind = WE_EXTERN_TABLE, .of.table = p->x->tables[i]};
		const uint64_t size = we_table_size(p->x->tables[i]);
		struct we_externtype type;

		we_extern_type(&ext, &type);
		if (we_table_size(p->y->tables[i]) != size)
			differ(p, "the size of table", i);
		for (uint64_t k = 0; k < size && !p->is_over; k++) {
			if (!same_ref(p, we_externtype_val_kind(&type),
				    (uintptr_t)p->x->tables[i]->elems[k],
				    (uintptr_t)p->y->tables[i]->elems[k]))
				differ(p, "table", i);
		}
	}
}

// ---- running ------------------------------------------------------------------------------------

static void call(struct pair *p, uint32_t which, struct we_func *a, struct we_func *b)
{
	static uint64_t x[FUZZ_SLOTS], y[FUZZ_SLOTS];
	struct we_error err_a, err_b;
	int rc_a, rc_b;

	fuzz_subject_watch(&p->interp);
	rc_a = fuzz_subject_call(&p->interp, a, x, &err_a);
	fuzz_subject_watch(&p->native);
	rc_b = fuzz_subject_call(&p->native, b, y, &err_b);
	if (compare_ends(p, rc_a, &err_a, rc_b, &err_b, which))
		compare_results(p, we_func_type(a), x, y);
	else if (!p->is_over && rc_a == WE_E_TRAP && err_a.trap == WE_TRAP_UNCAUGHT_EXCEPTION)
		compare_exceptions(p);
}

static void call_all(struct pair *p)
{
	for (uint32_t i = 0; i < we_module_n_exports(p->module) && i < EXPORTS; i++) {
		struct we_export export;
		struct we_extern a, b;

		we_module_export(p->module, i, &export);
		if (we_instance_export(p->x, (const char *)export.name.data, export.name.len, &a) !=
				0 ||
			we_instance_export(
				p->y, (const char *)export.name.data, export.name.len, &b) != 0)
			abort();
		if (p->interp.n_deadlines + p->native.n_deadlines >= DEADLINES)
			break;
		if (a.kind == WE_EXTERN_FUNC)
			call(p, i, a.of.func, b.of.func);
	}
	compare_memories(p);
	compare_globals(p);
	compare_tables(p);
	we_store_collect(p->interp.store);
	we_store_collect(p->native.store);
}

// Returns: as we_instance_create; 1 when the host has no such imports.
static int instantiate(struct fuzz_subject *subject, struct we_module *module,
	struct we_instance **ret_inst, struct we_error *err)
{
	const uint32_t n = we_module_n_imports(module);
	struct we_extern externs[IMPORTS];
	struct we_import import;
	int rc;

	if (n > IMPORTS)
		return 1;
	for (uint32_t i = 0; i < n; i++) {
		we_module_import(module, i, &import);
		if (fuzz_subject_supply(subject, &import.type, &externs[i]) != 0)
			return 1;
	}
	fuzz_subject_watch(subject);
	rc = we_instance_create(subject->store, module, externs, n, ret_inst, err);
	fuzz_subject_check(rc, err);
	return rc;
}

static void run(struct pair *p)
{
	struct we_error err_a, err_b;
	struct we_instance *x, *y;
	const int a = instantiate(&p->interp, p->module, &x, &err_a);
	const int b = instantiate(&p->native, p->module, &y, &err_b);

	(void)compare_ends(p, a, &err_a, b, &err_b, UINT64_MAX);
	if (a != 0 || b != 0)
		return;
	p->x = x;
	p->y = y;
	call_all(p);
}

static uint64_t hash(const uint8_t *data, size_t len)
{
	uint64_t x = 0xcbf29ce484222325;

	for (size_t i = 0; i < len; i++)
		x = (x ^ data[i]) * 0x100000001b3;
	return x >> 8;
}

// Native code for the module. Returns false when it has none.
static bool compile(struct pair *p, const uint8_t *data, size_t len)
{
	const struct fuzz_native how = fuzz_native_draw(hash(data, len));
	struct we_error err;
	const int rc = fuzz_native_publish(p->module, &how, &err);

	if (rc < 0 && rc != WE_E_UNSUPPORTED) {
		fprintf(stderr, "compiler: %s\n", err.msg);
		abort();
	}
	p->has_choice =
		has_choice(p->module, how.deterministic && p->interp.engine->config.deterministic);
	return rc == 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct pair p = {0};
	struct we_error err;

	fuzz_subject_init(&p.interp, data, len);
	fuzz_subject_init_beside(&p.native, &p.interp);
	we_store_set_interp(p.interp.store, true);
	if (we_module_create(p.interp.engine, (struct we_bytes){data, len}, 0, &p.module, &err) ==
		0) {
		if (compile(&p, data, len))
			run(&p);
		we_module_unref(p.module);
	}
	fuzz_subject_fini(&p.native);
	fuzz_subject_fini(&p.interp);
	return 0;
}
