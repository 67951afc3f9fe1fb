// SPDX-License-Identifier: BSD-3-Clause
// Tests of memories and tables: growth, limits, bounds, and a machine that is short of address
// space.
#include "runtime.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <sys/mman.h>

#include <cmocka.h>

enum {
	PAGE = WE_PAGE_BYTES
};

// mmap and mprotect as memory.c sees them (large files are on everywhere).
void *__real_mmap64(void *addr, size_t len, int prot, int flags, int fd, off_t offset);
void *__wrap_mmap64(void *addr, size_t len, int prot, int flags, int fd, off_t offset);
int __real_mprotect(void *addr, size_t len, int prot);
int __wrap_mprotect(void *addr, size_t len, int prot);
int __real_mincore(void *addr, size_t len, unsigned char *vec);
int __wrap_mincore(void *addr, size_t len, unsigned char *vec);
int __real_madvise(void *addr, size_t len, int advice);
int __wrap_madvise(void *addr, size_t len, int advice);

static size_t mmap_limit = SIZE_MAX; // bytes of one mapping
static unsigned n_mprotects;
static unsigned n_mincores;
static enum kernel {
	KERNEL_ALL_THERE,
	KERNEL_SWAPPED,       // no page is there
	KERNEL_SWAPPED_PARTS, // every other 100 KiB
	KERNEL_NO_MINCORE,
	KERNEL_NO_MADVISE, // and every other 100 KiB is not there
	N_KERNELS
} kernel;

void *__wrap_mmap64(void *addr, size_t len, int prot, int flags, int fd, off_t offset)
{
	return len > mmap_limit ? MAP_FAILED : __real_mmap64(addr, len, prot, flags, fd, offset);
}

int __wrap_mprotect(void *addr, size_t len, int prot)
{
	n_mprotects++;
	return __real_mprotect(addr, len, prot);
}

// What is called not to be there may hold bytes all the same, as a page in swap space does.
int __wrap_mincore(void *addr, size_t len, unsigned char *vec)
{
	n_mincores++;
	if (kernel == KERNEL_NO_MINCORE)
		return -1;
	if (kernel == KERNEL_ALL_THERE)
		return __real_mincore(addr, len, vec);
	for (size_t i = 0; i < len / 4096; i++)
		vec[i] = kernel == KERNEL_SWAPPED ? 0 : i / 25 % 2;
	return 0;
}

int __wrap_madvise(void *addr, size_t len, int advice)
{
	return kernel == KERNEL_NO_MADVISE ? -1 : __real_madvise(addr, len, advice);
}

// clang-format off
// (module
//   (memory (export "m") 17)
//   (func (export "put") (param i32) (i32.store8 (local.get 0) (i32.const -1)))
//   (data (i32.const 100) "abc")
//   (data (i32.const 0x100000) "xy"))
static const uint8_t putter_module[] = {0x00, 0x61, 0x73, 0x6d, 0x01, 0x00, 0x00, 0x00, 0x01, 0x05, 0x01, 0x60, 0x01, 0x7f, 0x00, 0x03, 0x02, 0x01, 0x00, 0x05, 0x03, 0x01, 0x00, 0x11, 0x07, 0x0b, 0x02, 0x01, 0x6d, 0x02, 0x00, 0x03, 0x70, 0x75, 0x74, 0x00, 0x00, 0x0a, 0x0b, 0x01, 0x09, 0x00, 0x20, 0x00, 0x41, 0x7f, 0x3a, 0x00, 0x00, 0x0b, 0x0b, 0x14, 0x02, 0x00, 0x41, 0xe4, 0x00, 0x0b, 0x03, 0x61, 0x62, 0x63, 0x00, 0x41, 0x80, 0x80, 0xc0, 0x00, 0x0b, 0x02, 0x78, 0x79};

// clang-format on

static struct we_engine *engine;
static struct we_store *store;
static struct we_error err;

static int make_engine(void **state)
{
	(void)state;
	return we_engine_create(NULL, &engine, NULL);
}

static int end_engine(void **state)
{
	(void)state;
	we_engine_destroy(engine);
	return 0;
}

static void make_store(const struct we_store_limits *limits)
{
	mmap_limit = SIZE_MAX;
	kernel = KERNEL_ALL_THERE;
	assert_int_equal(we_store_create(engine, limits, &store, &err), 0);
}

static void memory_grows_to_its_maximum_and_no_further(void **state)
{
	struct we_memory *memory;
	uint64_t old = 0;
	uint8_t *span;

	(void)state;
	make_store(NULL);
	assert_int_equal(we_memory_create(store, WE_I32, 1, 3, &memory, &err), 0);
	assert_int_equal(we_memory_size(memory), PAGE);
	assert_int_equal(we_memory_grow(memory, 3, &old), 1);
	assert_int_equal(we_memory_grow(memory, UINT64_MAX, &old), 1);
	assert_int_equal(we_memory_grow(memory, 2, &old), 0);
	assert_int_equal(old, 1);
	assert_int_equal(we_memory_grow(memory, 0, &old), 0);
	assert_int_equal(old, 3);
	assert_int_equal(we_memory_grow(memory, 1, &old), 1);
	assert_int_equal(we_memory_span(memory, 3 * PAGE - 1, 1, &span), 0);
	*span = 7; // accessible
	assert_int_equal(we_store_memory_bytes(store), 3 * PAGE);
	we_store_destroy(store);
}

static void memory_span_is_checked_without_wrapping(void **state)
{
	struct we_memory *memory;
	uint8_t *span;

	(void)state;
	make_store(NULL);
	assert_int_equal(we_memory_create(store, WE_I32, 1, UINT64_MAX, &memory, &err), 0);
	assert_int_equal(we_memory_span(memory, 0, PAGE, &span), 0);
	assert_int_equal(we_memory_span(memory, PAGE, 0, &span), 0);
	assert_int_equal(we_memory_span(memory, PAGE + 1, 0, &span), 1);
	assert_int_equal(we_memory_span(memory, 1, PAGE, &span), 1);
	assert_int_equal(we_memory_span(memory, UINT64_MAX, 2, &span), 1);
	assert_int_equal(we_memory_span(memory, 2, UINT64_MAX, &span), 1);
	we_store_destroy(store);
}

static void limits_of_the_store_hold(void **state)
{
	const struct we_store_limits limits = {
		.memory_pages = 4, .total_memory_pages = 6, .table_elements = 10};
	struct we_memory *first;
	struct we_memory *second;
	struct we_table *table;
	uint64_t old;

	(void)state;
	make_store(&limits);
	assert_int_equal(we_memory_create(store, WE_I32, 5, 9, &first, &err), WE_E_EXHAUSTED);
	assert_int_equal(we_memory_create(store, WE_I32, 4, 9, &first, &err), 0);
	assert_int_equal(we_memory_grow(first, 1, &old), 1);
	assert_int_equal(we_memory_create(store, WE_I32, 3, 9, &second, &err), WE_E_EXHAUSTED);
	assert_int_equal(we_memory_create(store, WE_I32, 1, 9, &second, &err), 0);
	assert_int_equal(we_memory_grow(second, 2, &old), 1);
	assert_int_equal(we_memory_grow(second, 1, &old), 0);
	assert_int_equal(we_table_create(store, WE_FUNCREF, WE_I32, 11, UINT64_MAX, &table, &err),
		WE_E_EXHAUSTED);
	assert_int_equal(
		we_table_create(store, WE_FUNCREF, WE_I32, 9, UINT64_MAX, &table, &err), 0);
	assert_int_equal(we_table_grow(table, 2, NULL), UINT64_MAX);
	assert_int_equal(we_table_grow(table, UINT64_MAX, NULL), UINT64_MAX);
	assert_int_equal(we_table_grow(table, 1, NULL), 9);
	we_store_destroy(store);
}

static void growth_inside_the_precommitted_pages_is_no_system_call(void **state)
{
	const struct we_store_limits limits = {.memory_pages_precommit = 8};
	struct we_memory *memory;
	uint64_t old;

	(void)state;
	make_store(&limits);
	assert_int_equal(we_memory_create(store, WE_I32, 1, 100, &memory, &err), 0);
	n_mprotects = 0;
	for (int i = 0; i < 7; i++)
		assert_int_equal(we_memory_grow(memory, 1, &old), 0);
	assert_int_equal(n_mprotects, 0);
	assert_int_equal(we_memory_grow(memory, 1, &old), 0);
	assert_int_equal(n_mprotects, 1);
	we_store_destroy(store);
}

static void memory_lives_with_little_address_space(void **state)
{
	struct we_memory *memory;
	uint64_t old;
	uint8_t *span;

	(void)state;
	make_store(NULL);
	mmap_limit = 64u * PAGE;
	assert_int_equal(we_memory_create(store, WE_I32, 2, UINT64_MAX, &memory, &err), 0);
	assert_int_equal(we_memory_grow(memory, 4, &old), 0);
	assert_int_equal(we_memory_span(memory, 0, 6 * PAGE, &span), 0);
	memset(span, 1, 6 * PAGE);
	assert_int_equal(we_memory_grow(memory, 64, &old), 1);
	assert_int_equal(
		we_memory_create(store, WE_I32, 65, UINT64_MAX, &memory, &err), WE_E_NOMEM);
	mmap_limit = 0;
	assert_int_equal(we_memory_create(store, WE_I32, 0, 0, &memory, &err), WE_E_NOMEM);
	assert_int_equal(we_store_memory_bytes(store), 6 * PAGE);
	we_store_destroy(store);
}

static void memory_fill_writes_all_chunks_and_no_more(void **state)
{
	static const uint64_t lengths[] = {0, 1, WE_FILL_CHUNK_BYTES - 1, WE_FILL_CHUNK_BYTES,
		WE_FILL_CHUNK_BYTES + 1, 3 * WE_FILL_CHUNK_BYTES + 5};
	struct we_memory *memory;
	uint8_t *span;

	(void)state;
	make_store(NULL);
	assert_int_equal(we_memory_create(store, WE_I32, 1, 1, &memory, &err), 0);
	assert_int_equal(we_memory_span(memory, 0, PAGE, &span), 0);
	for (size_t i = 0; i < sizeof(lengths) / sizeof(*lengths); i++) {
		const uint64_t begin = 7;
		const uint64_t end = begin + lengths[i];

		memset(span, 1, PAGE);
		assert_int_equal(we_memory_fill(memory, begin, 0xa5, lengths[i]), WE_TRAP_NONE);
		for (uint64_t at = 0; at < PAGE; at++)
			if (span[at] != (at >= begin && at < end ? 0xa5 : 1))
				fail_msg("%llu bytes: byte %llu", (unsigned long long)lengths[i],
					(unsigned long long)at);
	}
	we_store_destroy(store);
}

static void memory_copy_goes_the_right_way_over_chunks(void **state)
{
	const uint64_t n = 3 * WE_BULK_CHUNK_BYTES + 5;
	struct we_memory *memory;
	uint8_t *span;

	(void)state;
	make_store(NULL);
	assert_int_equal(we_memory_create(store, WE_I32, 8, 8, &memory, &err), 0);
	assert_int_equal(we_memory_span(memory, 0, 8 * PAGE, &span), 0);
	for (int pass = 0; pass < 2; pass++) {
		const uint64_t d = pass == 0 ? 1000 : 0;
		const uint64_t s = pass == 0 ? 0 : 1000;

		for (uint64_t i = 0; i < 8 * PAGE; i++)
			span[i] = (uint8_t)(i * 7 + (i >> 8));
		assert_int_equal(we_memory_copy(memory, memory, d, s, n), WE_TRAP_NONE);
		for (uint64_t i = 0; i < n; i++) {
			const uint64_t from = s + i;

			if (span[d + i] != (uint8_t)(from * 7 + (from >> 8)))
				fail_msg("pass %d byte %llu", pass, (unsigned long long)i);
		}
	}
	assert_int_equal(we_memory_copy(memory, memory, 8 * PAGE, 0, 0), WE_TRAP_NONE);
	assert_int_equal(
		we_memory_copy(memory, memory, 8 * PAGE + 1, 0, 0), WE_TRAP_MEMORY_OUT_OF_BOUNDS);
	assert_int_equal(we_memory_fill(memory, 1, 0, 8 * PAGE), WE_TRAP_MEMORY_OUT_OF_BOUNDS);
	we_store_destroy(store);
}

static void table_copy_goes_the_right_way_over_chunks(void **state)
{
	enum {
		N = 3 * WE_BULK_CHUNK_ELEMENTS
	};
	struct we_table *table;
	void *ref;

	(void)state;
	make_store(NULL);
	assert_int_equal(
		we_table_create(store, WE_EXTERNREF, WE_I32, N + 8, N + 8, &table, &err), 0);
	for (uintptr_t i = 0; i < N; i++)
		assert_int_equal(we_table_set(table, i, (void *)(i + 1)), 0);
	assert_int_equal(we_table_copy(table, table, 8, 0, N), WE_TRAP_NONE);
	for (uintptr_t i = 0; i < N; i++) {
		assert_int_equal(we_table_get(table, i + 8, &ref), 0);
		assert_int_equal((uintptr_t)ref, i + 1);
	}
	assert_int_equal(we_table_copy(table, table, 9, 0, N), WE_TRAP_TABLE_OUT_OF_BOUNDS);
	assert_int_equal(we_table_fill(table, N + 8, NULL, 0), WE_TRAP_NONE);
	assert_int_equal(we_table_fill(table, N + 8, NULL, 1), WE_TRAP_TABLE_OUT_OF_BOUNDS);
	assert_int_equal(we_table_get(table, N + 8, &ref), 1);
	assert_int_equal(we_table_set(table, UINT64_MAX, NULL), 1);
	we_store_destroy(store);
}

static void reset_store_makes_memories_of_zeros_where_the_old_ones_were(void **state)
{
	static const uint64_t pages[] = {2, 17, WE_MEMORY_ZERO_BYTES / PAGE + 1};
	struct we_memory *memory;
	uint8_t *span;

	(void)state;
	for (size_t i = 0; i < sizeof(pages) / sizeof(pages[0]); i++) {
		const uint64_t bytes = pages[i] * PAGE;
		const uint8_t *base;

		make_store(NULL);
		assert_int_equal(
			we_memory_create(store, WE_I32, pages[i], UINT64_MAX, &memory, &err), 0);
		assert_int_equal(we_memory_span(memory, 0, bytes, &span), 0);
		memset(span, 0xff, bytes);
		base = span;
		we_store_reset(store);
		assert_int_equal(we_store_memory_bytes(store), 0);
		n_mprotects = 0;
		mmap_limit = 0;
		assert_int_equal(
			we_memory_create(store, WE_I32, pages[i], UINT64_MAX, &memory, &err), 0);
		assert_int_equal(n_mprotects, 0);
		assert_int_equal(we_memory_span(memory, 0, bytes, &span), 0);
		assert_ptr_equal(span, base);
		for (uint64_t k = 0; k < bytes; k++)
			if (span[k] != 0)
				fail_msg("byte %llu of %llu pages", (unsigned long long)k,
					(unsigned long long)pages[i]);
		we_store_destroy(store);
	}
}

// Make an instance of putter_module and look at its memory, which is lent.
static struct we_instance *make_putter(struct we_module *module, const uint8_t **ret_bytes)
{
	struct we_instance *inst;
	struct we_extern ext;
	uint8_t *bytes;

	assert_int_equal(we_instance_create(store, module, NULL, 0, &inst, &err), 0);
	assert_int_equal(we_instance_export(inst, "m", 1, &ext), 0);
	assert_int_equal(we_memory_span(ext.of.memory, 0, 17 * PAGE, &bytes), 0);
	*ret_bytes = bytes;
	return inst;
}

static uint8_t expected_byte(uint32_t at)
{
	static const uint8_t low[] = {'a', 'b', 'c'};
	static const uint8_t high[] = {'x', 'y'};

	return at - 100 < 3 ? low[at - 100] : at - 0x100000 < 2 ? high[at - 0x100000] : 0;
}

static void guest_after_reset_sees_zeros_and_its_data_only(void **state)
{
	static const uint32_t steps[] = {17 * PAGE, 5 * PAGE + 4095, PAGE + 4096, 8192, 4096};
	struct we_module *module;
	const uint8_t *bytes;

	(void)state;
	assert_int_equal(
		we_module_create(engine, (struct we_bytes){putter_module, sizeof(putter_module)}, 0,
			&module, &err),
		0);
	for (uint32_t i = 0; i < N_KERNELS * sizeof(steps) / sizeof(steps[0]); i++) {
		const uint32_t step = steps[i / N_KERNELS];
		struct we_instance *inst;
		struct we_extern put;

		make_store(NULL);
		inst = make_putter(module, &bytes);
		assert_int_equal(we_instance_export(inst, "put", 3, &put), 0);
		for (uint32_t at = step - 1; at < 17 * PAGE; at += step)
			assert_int_equal(we_func_call(put.of.func, (uint64_t[]){at}, &err), 0);
		kernel = i % N_KERNELS;
		we_store_reset(store);
		(void)make_putter(module, &bytes);
		for (uint32_t at = 0; at < 17 * PAGE; at++)
			if (bytes[at] != expected_byte(at))
				fail_msg("round %u: byte %u is %u", i, at, bytes[at]);
		we_store_destroy(store);
	}
	we_module_unref(module);
}

static void filled_memory_is_zeroed_without_asking_until_it_is_large(void **state)
{
	static const uint64_t pages[] = {17, 17, 5, 33, 17, 17};
	static const unsigned asks[] = {1, 0, 0, 0, 1, 0}; // 33 pages go back to the kernel whole
	struct we_memory *memory;
	uint8_t *span;

	(void)state;
	make_store(NULL);
	for (size_t i = 0; i < sizeof(pages) / sizeof(pages[0]); i++) {
		const uint64_t bytes = pages[i] * PAGE;

		assert_int_equal(
			we_memory_create(store, WE_I32, pages[i], UINT64_MAX, &memory, &err), 0);
		assert_int_equal(we_memory_span(memory, 0, bytes, &span), 0);
		for (uint64_t k = 0; k < bytes; k++)
			if (span[k] != 0)
				fail_msg("%zu: byte %llu", i, (unsigned long long)k);
		memset(span, 0xff, bytes);
		n_mincores = 0;
		we_store_reset(store);
		assert_int_equal(n_mincores, asks[i]);
	}
	we_store_destroy(store);
}

static void memory_that_had_grown_is_small_again_after_reset(void **state)
{
	struct we_memory *memory;
	uint8_t *span;
	uint64_t old;

	(void)state;
	make_store(NULL);
	assert_int_equal(we_memory_create(store, WE_I32, 1, UINT64_MAX, &memory, &err), 0);
	assert_int_equal(we_memory_grow(memory, 2, &old), 0);
	assert_int_equal(we_memory_span(memory, 0, 3 * PAGE, &span), 0);
	memset(span, 0xff, 3 * PAGE);
	we_store_reset(store);
	assert_int_equal(we_memory_create(store, WE_I32, 1, 2, &memory, &err), 0);
	assert_int_equal(memory->committed_bytes, PAGE); // the rest is out of reach
	assert_int_equal(we_memory_grow(memory, 2, &old), 1);
	assert_int_equal(we_memory_grow(memory, 1, &old), 0);
	assert_int_equal(we_memory_span(memory, PAGE, PAGE, &span), 0);
	for (uint64_t k = 0; k < PAGE; k++)
		assert_int_equal(span[k], 0);
	we_store_destroy(store);
}

static void reset_store_takes_the_space_of_a_memory_of_the_same_kind(void **state)
{
	struct we_memory *wide;
	struct we_memory *other;
	const uint8_t *base;

	(void)state;
	make_store(NULL);
	assert_int_equal(we_memory_create(store, WE_I64, 1, 2, &wide, &err), 0);
	assert_int_equal(we_memory_create(store, WE_I32, 1, 2, &other, &err), 0);
	base = other->base;
	we_store_reset(store);
	assert_int_equal(we_memory_create(store, WE_I64, 1, 4, &wide, &err), 0);
	assert_true(wide->base != base && wide->reserved_bytes >= 4 * PAGE);
	assert_int_equal(we_memory_create(store, WE_I32, 1, 4, &other, &err), 0);
	assert_ptr_equal(other->base, base);
	we_store_destroy(store);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(memory_grows_to_its_maximum_and_no_further),
		cmocka_unit_test(memory_span_is_checked_without_wrapping),
		cmocka_unit_test(limits_of_the_store_hold),
		cmocka_unit_test(growth_inside_the_precommitted_pages_is_no_system_call),
		cmocka_unit_test(memory_lives_with_little_address_space),
		cmocka_unit_test(reset_store_makes_memories_of_zeros_where_the_old_ones_were),
		cmocka_unit_test(guest_after_reset_sees_zeros_and_its_data_only),
		cmocka_unit_test(filled_memory_is_zeroed_without_asking_until_it_is_large),
		cmocka_unit_test(memory_that_had_grown_is_small_again_after_reset),
		cmocka_unit_test(reset_store_takes_the_space_of_a_memory_of_the_same_kind),
		cmocka_unit_test(memory_fill_writes_all_chunks_and_no_more),
		cmocka_unit_test(memory_copy_goes_the_right_way_over_chunks),
		cmocka_unit_test(table_copy_goes_the_right_way_over_chunks),
	};

	return cmocka_run_group_tests_name("we_memory", tests, make_engine, end_engine);
}
