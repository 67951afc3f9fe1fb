// SPDX-License-Identifier: BSD-3-Clause
// Tests of every constructor against a machine without memory: the k-th allocation fails, for every
// k.
//
// All allocations of the engine go through the counters below (-Wl,--wrap), so that what a failed
// constructor leaves behind is seen.
#include "we.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include <cmocka.h>

// clang-format off
// (module $rich
//   (type $sig (func (param i32 v128) (result i32 i64)))
//   (import "env" "f" (func $f (param i32) (result i32)))
//   (memory (export "mem") 1 4)
//   (memory 1)
//   (table $t 4 funcref)
//   (table $e 2 externref)
//   (global $g (export "g") (mut i32) (i32.add (i32.const 1) (i32.const 2)))
//   (global v128 (v128.const i64x2 1 2))
//   (func $many (export "many") (type $sig) (local i64 f32 f64)
//     (block (block (block (br_table 0 1 2 (local.get 0)))))
//     (loop $l (br_if $l (i32.eqz (call $f (i32.const 1)))))
//     (if (result i32) (local.get 0) (then (i32.const 1)) (else (i32.const 2)))
//     (i64.const 3))
//   (func $start (global.set $g (i32.const 5)))
//   (start $start)
//   (elem (table $t) (i32.const 0) func $many $f)
//   (elem $p funcref (ref.func $f) (ref.null func))
//   (elem declare func $start)
//   (data (i32.const 16) "active")
//   (data $d "passive")
//   (func (export "bulk") (memory.init $d (i32.const 0) (i32.const 0) (i32.const 4)) (table.init $t $p (i32.const 0) (i32.const 0) (i32.const 1)))
//   (@custom "note" "text"))
static const uint8_t rich_module[] = {0x00, 0x61, 0x73, 0x6d, 0x01, 0x00, 0x00, 0x00, 0x01, 0x10, 0x03, 0x60, 0x02, 0x7f, 0x7b, 0x02, 0x7f, 0x7e, 0x60, 0x01, 0x7f, 0x01, 0x7f, 0x60, 0x00, 0x00, 0x02, 0x09, 0x01, 0x03, 0x65, 0x6e, 0x76, 0x01, 0x66, 0x00, 0x01, 0x03, 0x04, 0x03, 0x00, 0x02, 0x02, 0x04, 0x07, 0x02, 0x70, 0x00, 0x04, 0x6f, 0x00, 0x02, 0x05, 0x06, 0x02, 0x01, 0x01, 0x04, 0x00, 0x01, 0x06, 0x1e, 0x02, 0x7f, 0x01, 0x41, 0x01, 0x41, 0x02, 0x6a, 0x0b, 0x7b, 0x00, 0xfd, 0x0c, 0x01, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x02, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x0b, 0x07, 0x19, 0x04, 0x03, 0x6d, 0x65, 0x6d, 0x02, 0x00, 0x01, 0x67, 0x03, 0x00, 0x04, 0x6d, 0x61, 0x6e, 0x79, 0x00, 0x01, 0x04, 0x62, 0x75, 0x6c, 0x6b, 0x00, 0x03, 0x08, 0x01, 0x02, 0x09, 0x17, 0x03, 0x02, 0x00, 0x41, 0x00, 0x0b, 0x00, 0x02, 0x01, 0x00, 0x05, 0x70, 0x02, 0xd2, 0x00, 0x0b, 0xd0, 0x70, 0x0b, 0x03, 0x00, 0x01, 0x02, 0x0c, 0x01, 0x02, 0x0a, 0x4e, 0x03, 0x2e, 0x03, 0x01, 0x7e, 0x01, 0x7d, 0x01, 0x7c, 0x02, 0x40, 0x02, 0x40, 0x02, 0x40, 0x20, 0x00, 0x0e, 0x02, 0x00, 0x01, 0x02, 0x0b, 0x0b, 0x0b, 0x03, 0x40, 0x41, 0x01, 0x10, 0x00, 0x45, 0x0d, 0x00, 0x0b, 0x20, 0x00, 0x04, 0x7f, 0x41, 0x01, 0x05, 0x41, 0x02, 0x0b, 0x42, 0x03, 0x0b, 0x06, 0x00, 0x41, 0x05, 0x24, 0x00, 0x0b, 0x16, 0x00, 0x41, 0x00, 0x41, 0x00, 0x41, 0x04, 0xfc, 0x08, 0x01, 0x00, 0x41, 0x00, 0x41, 0x00, 0x41, 0x01, 0xfc, 0x0c, 0x01, 0x00, 0x0b, 0x0b, 0x15, 0x02, 0x00, 0x41, 0x10, 0x0b, 0x06, 0x61, 0x63, 0x74, 0x69, 0x76, 0x65, 0x01, 0x07, 0x70, 0x61, 0x73, 0x73, 0x69, 0x76, 0x65, 0x00, 0x09, 0x04, 0x6e, 0x6f, 0x74, 0x65, 0x74, 0x65, 0x78, 0x74, 0x00, 0x4a, 0x04, 0x6e, 0x61, 0x6d, 0x65, 0x00, 0x05, 0x04, 0x72, 0x69, 0x63, 0x68, 0x01, 0x11, 0x03, 0x00, 0x01, 0x66, 0x01, 0x04, 0x6d, 0x61, 0x6e, 0x79, 0x02, 0x05, 0x73, 0x74, 0x61, 0x72, 0x74, 0x03, 0x06, 0x01, 0x01, 0x01, 0x03, 0x01, 0x6c, 0x04, 0x06, 0x01, 0x00, 0x03, 0x73, 0x69, 0x67, 0x05, 0x07, 0x02, 0x00, 0x01, 0x74, 0x01, 0x01, 0x65, 0x07, 0x04, 0x01, 0x00, 0x01, 0x67, 0x08, 0x04, 0x01, 0x01, 0x01, 0x70, 0x09, 0x04, 0x01, 0x01, 0x01, 0x64};

// clang-format on

static long countdown = -1; // the allocation that fails, 0 the next; negative: none
static bool has_failed;
static long n_live; // allocations and mappings

static bool must_fail(void)
{
	if (countdown != 0) {
		countdown -= countdown > 0;
		return false;
	}
	countdown = -1;
	has_failed = true;
	return true;
}

static void *counted(void *memory)
{
	n_live += memory != NULL;
	return memory;
}

void *__real_malloc(size_t len);
void *__wrap_malloc(size_t len);
void *__real_calloc(size_t n, size_t len);
void *__wrap_calloc(size_t n, size_t len);
void *__real_realloc(void *old, size_t len);
void *__wrap_realloc(void *old, size_t len);
void *__real_aligned_alloc(size_t align, size_t len);
void *__wrap_aligned_alloc(size_t align, size_t len);
void __real_free(void *memory);
void __wrap_free(void *memory);
void *__real_mmap64(void *addr, size_t len, int prot, int flags, int fd, off_t offset);
void *__wrap_mmap64(void *addr, size_t len, int prot, int flags, int fd, off_t offset);
int __real_munmap(void *addr, size_t len);
int __wrap_munmap(void *addr, size_t len);
int __real_mprotect(void *addr, size_t len, int prot);
int __wrap_mprotect(void *addr, size_t len, int prot);

void *__wrap_malloc(size_t len)
{
	return must_fail() ? NULL : counted(__real_malloc(len));
}

void *__wrap_calloc(size_t n, size_t len)
{
	return must_fail() ? NULL : counted(__real_calloc(n, len));
}

void *__wrap_realloc(void *old, size_t len)
{
	void *memory = must_fail() ? NULL : __real_realloc(old, len);

	n_live += memory != NULL && old == NULL;
	return memory;
}

void *__wrap_aligned_alloc(size_t align, size_t len)
{
	return must_fail() ? NULL : counted(__real_aligned_alloc(align, len));
}

void __wrap_free(void *memory)
{
	n_live -= memory != NULL;
	__real_free(memory);
}

// A machine that has no address space has none for a smaller reservation either.
static bool is_out_of_space;

void *__wrap_mmap64(void *addr, size_t len, int prot, int flags, int fd, off_t offset)
{
	void *map;

	is_out_of_space = is_out_of_space || must_fail();
	map = is_out_of_space ? MAP_FAILED : __real_mmap64(addr, len, prot, flags, fd, offset);
	n_live += map != MAP_FAILED;
	return map;
}

int __wrap_munmap(void *addr, size_t len)
{
	n_live--;
	return __real_munmap(addr, len);
}

int __wrap_mprotect(void *addr, size_t len, int prot)
{
	return must_fail() ? -1 : __real_mprotect(addr, len, prot);
}

// What stands while a constructor is tried.
static struct we_engine *engine;
static struct we_module *module;
static struct we_store *store;
static struct we_extern import;
static struct we_instance *instance;
static struct we_func *many; // of 100 parameters and results, by values
static struct we_error err;

static int host_function(void *env, uint64_t *slots, struct we_error *host_err)
{
	(void)env;
	(void)slots;
	(void)host_err;
	return 0;
}

static int host_values_function(
	void *env, const struct we_value *args, struct we_value *results, struct we_error *host_err)
{
	(void)env;
	(void)args;
	(void)results;
	(void)host_err;
	return 0;
}

static int make_engine(void)
{
	struct we_engine *made;
	const int rc = we_engine_create(NULL, &made, &err);

	if (rc == 0)
		we_engine_destroy(made);
	return rc;
}

static int make_functype(void)
{
	static const enum we_kind kinds[] = {WE_I32, WE_F32, WE_FUNCREF};
	const struct we_functype *type;

	return we_functype_create(engine, kinds, 3, kinds, 3, &type, &err);
}

static int make_module(void)
{
	struct we_module *made;
	const int rc = we_module_create(
		engine, (struct we_bytes){rich_module, sizeof(rich_module)}, 0, &made, &err);

	if (rc == 0)
		we_module_unref(made);
	return rc;
}

static int make_store(void)
{
	struct we_store *made;
	const int rc = we_store_create(engine, NULL, &made, &err);

	if (rc == 0)
		we_store_destroy(made);
	return rc;
}

static int make_instance(void)
{
	struct we_instance *inst;

	return we_instance_create(store, module, &import, 1, &inst, &err);
}

static int make_host_func(void)
{
	struct we_func *func;

	return we_func_create_host(
		store, we_func_type(import.of.func), host_function, NULL, &func, &err);
}

static int make_memory(void)
{
	struct we_memory *memory;

	return we_memory_create(store, WE_I32, 1, 2, &memory, &err);
}

static int make_table(void)
{
	struct we_table *table;

	return we_table_create(store, WE_EXTERNREF, WE_I32, 3, 9, &table, &err);
}

static int make_global(void)
{
	const uint64_t slots[2] = {1, 2};
	struct we_global *global;

	return we_global_create(store, WE_V128, true, slots, &global, &err);
}

static int make_host_values_func(void)
{
	struct we_func *func;

	return we_func_create_host_values(
		store, we_func_type(import.of.func), host_values_function, NULL, &func, &err);
}

static int make_linker(void)
{
	struct we_linker *made;
	const int rc = we_linker_create(store, &made, &err);

	if (rc == 0)
		we_linker_destroy(made);
	return rc;
}

// What is defined stays with the linker, so that each attempt has its own.
static int define(int (*define_in)(struct we_linker *linker))
{
	struct we_linker *made;
	int rc = we_linker_create(store, &made, &err);

	if (rc < 0)
		return rc;
	rc = define_in(made);
	we_linker_destroy(made);
	return rc;
}

static int define_things(struct we_linker *made)
{
	char name[8] = "a";
	int rc = 0;

	for (; rc == 0 && name[0] < 'a' + 20; name[0]++)
		rc = we_linker_define(made, "env", name, &import, &err);
	return rc;
}

static int define_func(struct we_linker *made)
{
	return we_linker_define_func(
		made, "env", "f", we_func_type(import.of.func), host_function, NULL, &err);
}

static int define_instance(struct we_linker *made)
{
	return we_linker_define_instance(made, "rich", instance, &err);
}

static int link_instance(struct we_linker *made)
{
	struct we_instance *inst;
	const int rc = we_linker_define(made, "env", "f", &import, &err);

	return rc < 0 ? rc : we_linker_instantiate(made, module, &inst, &err);
}

static int make_things_defined(void)
{
	return define(define_things);
}

static int make_func_defined(void)
{
	return define(define_func);
}

static int make_instance_defined(void)
{
	return define(define_instance);
}

static int make_instance_linked(void)
{
	return define(link_instance);
}

// 100 arguments take more than what a call has at hand.
static int call_by_many_values(void)
{
	static struct we_value values[100];

	return we_func_call_values(many, values, 100, values, 100, &err);
}

static int set_up(void **state)
{
	static const enum we_kind i32[] = {WE_I32};
	static const enum we_kind kinds[100]; // all i32
	const struct we_functype *type;

	(void)state;
	import.kind = WE_EXTERN_FUNC;
	if (we_engine_create(NULL, &engine, &err) < 0 ||
		we_store_create(engine, NULL, &store, &err) < 0)
		return -1;
	if (we_module_create(engine, (struct we_bytes){rich_module, sizeof(rich_module)}, 0,
		    &module, &err) < 0)
		return -1;
	if (we_functype_create(engine, i32, 1, i32, 1, &type, &err) < 0 ||
		we_func_create_host(store, type, host_function, NULL, &import.of.func, &err) < 0 ||
		we_instance_create(store, module, &import, 1, &instance, &err) < 0)
		return -1;
	return we_functype_create(engine, kinds, 100, kinds, 100, &type, &err) < 0
		       ? -1
		       : we_func_create_host_values(
				 store, type, host_values_function, NULL, &many, &err);
}

static int tear_down(void **state)
{
	(void)state;
	we_store_destroy(store);
	we_module_unref(module);
	we_engine_destroy(engine);
	return n_live == 0 ? 0 : -1;
}

static void check(int (*make)(void))
{
	for (long k = 0;; k++) {
		const long n_before = n_live;
		int rc;

		countdown = k;
		has_failed = false;
		is_out_of_space = false;
		rc = make();
		countdown = -1;
		is_out_of_space = false;
		if (!has_failed) {
			assert_int_equal(rc, 0);
			assert_true(k > 0);
			return;
		}
		if (rc != WE_E_NOMEM || n_live != n_before)
			fail_msg("allocation %ld: rc %d, %ld left", k, rc, n_live - n_before);
	}
}

static void engine_without_memory_is_refused_whole(void **state)
{
	(void)state;
	check(make_engine);
}

static void functype_without_memory_is_refused_whole(void **state)
{
	(void)state;
	check(make_functype);
}

static void module_without_memory_is_refused_whole(void **state)
{
	(void)state;
	check(make_module);
}

static void store_without_memory_is_refused_whole(void **state)
{
	(void)state;
	check(make_store);
}

static void instance_without_memory_is_refused_whole(void **state)
{
	(void)state;
	check(make_instance);
}

static void host_function_without_memory_is_refused_whole(void **state)
{
	(void)state;
	check(make_host_func);
}

static void memory_without_memory_is_refused_whole(void **state)
{
	(void)state;
	check(make_memory);
}

static void table_without_memory_is_refused_whole(void **state)
{
	(void)state;
	check(make_table);
}

static void global_without_memory_is_refused_whole(void **state)
{
	(void)state;
	check(make_global);
}

static void host_function_by_values_without_memory_is_refused_whole(void **state)
{
	(void)state;
	check(make_host_values_func);
}

static void linker_without_memory_is_refused_whole(void **state)
{
	(void)state;
	check(make_linker);
}

static void definitions_without_memory_is_refused_whole(void **state)
{
	(void)state;
	check(make_things_defined);
}

static void defined_function_without_memory_is_refused_whole(void **state)
{
	(void)state;
	check(make_func_defined);
}

static void defined_instance_without_memory_is_refused_whole(void **state)
{
	(void)state;
	check(make_instance_defined);
}

static void linked_instance_without_memory_is_refused_whole(void **state)
{
	(void)state;
	check(make_instance_linked);
}

static void call_by_values_without_memory_is_refused_whole(void **state)
{
	(void)state;
	check(call_by_many_values);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(engine_without_memory_is_refused_whole),
		cmocka_unit_test(functype_without_memory_is_refused_whole),
		cmocka_unit_test(module_without_memory_is_refused_whole),
		cmocka_unit_test(store_without_memory_is_refused_whole),
		cmocka_unit_test(instance_without_memory_is_refused_whole),
		cmocka_unit_test(host_function_without_memory_is_refused_whole),
		cmocka_unit_test(memory_without_memory_is_refused_whole),
		cmocka_unit_test(table_without_memory_is_refused_whole),
		cmocka_unit_test(global_without_memory_is_refused_whole),
		cmocka_unit_test(host_function_by_values_without_memory_is_refused_whole),
		cmocka_unit_test(linker_without_memory_is_refused_whole),
		cmocka_unit_test(definitions_without_memory_is_refused_whole),
		cmocka_unit_test(defined_function_without_memory_is_refused_whole),
		cmocka_unit_test(defined_instance_without_memory_is_refused_whole),
		cmocka_unit_test(linked_instance_without_memory_is_refused_whole),
		cmocka_unit_test(call_by_values_without_memory_is_refused_whole),
	};

	return cmocka_run_group_tests_name("we_no_memory", tests, set_up, tear_down);
}
