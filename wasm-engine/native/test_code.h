// SPDX-License-Identifier: BSD-3-Clause
// test_code: a module whose functions have native code by hand (test_code.S), and images of it.
//
// Functions in the interpreter are unreachable, all but the last: what returns ran natively.
#pragma once

#include "../interp/test_guest.h"
#include "enter.h"
#include "publish.h"
#include "runtime.h"
#include "test_offsets.h"

#include <assert.h>
#include <stdlib.h>

#define AT_OFFSET(type, field, number) static_assert(offsetof(type, field) == (number), #number)
AT_OFFSET(struct we_instance, mem0_base, INST_MEM0_BASE);
AT_OFFSET(struct we_instance, funcs, INST_FUNCS);
AT_OFFSET(struct we_instance, store, INST_STORE);
AT_OFFSET(struct we_func, instance, FUNC_INSTANCE);
AT_OFFSET(struct we_func, host, FUNC_HOST);
AT_OFFSET(struct we_func, env, FUNC_ENV);
AT_OFFSET(struct we_store, calls.sp, STORE_CALLS_SP);
AT_OFFSET(struct we_store, calls.err, STORE_CALLS_ERR);
AT_OFFSET(struct we_store, exception, STORE_EXCEPTION);
AT_OFFSET(struct we_store, native.stack_limit, STORE_STACK_LIMIT);
AT_OFFSET(struct we_store, native.rt, STORE_RT);
AT_OFFSET(struct we_store, native.buf, STORE_BUF);
AT_OFFSET(struct we_native_rt, trap, RT_TRAP);
AT_OFFSET(struct we_native_rt, due, RT_DUE);
AT_OFFSET(struct we_native_rt, host_failed, RT_HOST_FAILED);
AT_OFFSET(struct we_error, trap, ERROR_TRAP);
static_assert(WE_TRAP_UNCAUGHT_EXCEPTION == 18 && WE_E_TRAP == -4, "as test_code.S has them");

// Functions of the module, in the order of the file; the imports before them.
enum test_func {
	TEST_TWICE,
	TEST_MANY,
	TEST_LOAD,
	TEST_OUTER,
	TEST_INLINED,
	TEST_TRAP,
	TEST_RECURSE,
	TEST_HOST,
	TEST_BYREF,
	TEST_SPIN,
	TEST_SPIN_HOST,
	TEST_SPIN_BYREF,
	TEST_SHADOW,
	TEST_THROW,
	TEST_CATCH,
	TEST_CALL_PLAIN,
	TEST_PLAIN, // no native code: x + 1 of the import of x
	TEST_FUNCS,
	TEST_IMPORTS = 1,
	TEST_IMAGE_BYTES = 4096 * 4
};

struct test_range {
	uint32_t begin;
	uint32_t end;
};

struct test_place {
	uint32_t begin;
	uint32_t end;
	uint32_t func; // enum test_func
	uint32_t at;   // bytes from the start of its body
};

extern const uint8_t test_code[];
extern const uint8_t test_code_end[];
extern const uint8_t test_trap_at[];
extern const uint8_t test_recurse_at[];
extern const uint8_t test_plain_idx[];
extern const struct we_image_func test_funcs[]; // [TEST_FUNCS]
extern const struct test_range test_ranges[];   // [TEST_FUNCS - 1]
extern const struct test_place test_places[];
extern const struct test_place test_places_end[];
void test_jump(void *entry, struct we_func *func, struct we_native_regs *regs);

static inline void put_test_module(struct bytes *b)
{
	static const uint8_t types[TEST_FUNCS] = {
		0, 3, 0, 0, 0, 2, 0, 1, 1, 2, 1, 1, 4, 1, 1, 1, 1};
	struct bytes items = {.len = 0};

	begin_module(b);
	PUT_SECTION(b, 1, 6,
		"\x60\x01\x7f\x01\x7f"
		"\x60\x01\x7e\x01\x7e"
		"\x60\x00\x00"
		"\x60\x0f\x7f\x7e\x7e\x7e\x7e\x7e\x7d\x7c\x7b\x7c\x7c\x7c\x7c\x7c\x7b\x07\x7e\x7c"
		"\x7e\x7b\x7f\x7e\x7d"
		"\x60\x01\x6f\x01\x6f"
		"\x60\x01\x7e\x00");
	PUT_SECTION(b, 2, 1, "\x01h\x01g\x00\x01");
	put_bytes(&items, types, sizeof(types));
	put_section(b, 3, TEST_FUNCS, &items);
	PUT_SECTION(b, 5, 1, "\x01\x01\x02");
	PUT_SECTION(b, 13, 1, "\x00\x05");
	items.len = 0;
	for (uint32_t i = 0; i < TEST_FUNCS; i++) {
		const char name[] = {(char)('a' + i), '\0'};

		put_export(&items, name, TEST_IMPORTS + i);
	}
	put_section(b, 7, TEST_FUNCS, &items);
	items.len = 0;
	for (uint32_t i = 0; i < TEST_PLAIN; i++)
		PUT_BODY(&items, "\x00\x01\x01\x01\x01\x01\x01\x01\x01\x00\x0b");
	PUT_BODY(&items, "\x00\x20\x00\x10\x00\x42\x01\x7c\x0b");
	put_section(b, 10, TEST_FUNCS, &items);
}

// Where the body of a function begins in the module, bytes.
static inline uint32_t test_body(const struct we_module *module, enum test_func func)
{
	return module->is.funcs[TEST_IMPORTS + func].body.at;
}

struct test_image {
	_Alignas(8) uint8_t bytes[TEST_IMAGE_BYTES];
	uint64_t size_bytes;
};

// Put right what follows from the rest.
static inline void seal_test_image(struct test_image *image)
{
	const size_t begin = offsetof(struct we_image_header, size_bytes);
	struct we_image_header *header = (void *)image->bytes;

	header->checksum = we_image_sum(image->bytes + begin, image->size_bytes - begin);
}

static inline void put_u32_at(struct test_image *image, const uint8_t *symbol, uint32_t x)
{
	const struct we_image_header *header = (void *)image->bytes;

	memcpy(image->bytes + header->code_at + (symbol - test_code), &x, sizeof(x));
}

static inline void make_test_image(const struct we_module *module, struct test_image *ret)
{
	const uint32_t code_bytes = (uint32_t)(test_code_end - test_code);
	const uint32_t n_places = (uint32_t)(test_places_end - test_places);
	struct we_image_header *header = (void *)ret->bytes;
	struct we_image_func *funcs = (void *)(header + 1);
	struct we_image_range *ranges = (void *)(funcs + TEST_FUNCS);
	struct we_image_place *places = (void *)(ranges + TEST_FUNCS - 1);

	memset(ret, 0, sizeof(*ret));
	*header = (struct we_image_header){.first_func = TEST_IMPORTS,
		.n_funcs = TEST_FUNCS,
		.n_ranges = TEST_FUNCS - 1,
		.n_places = 2 * n_places,
		.code_at = 4096,
		.code_bytes = code_bytes,
		.n_exec_bytes = code_bytes,
		.needs_reach = 1,
		.size_bytes = 4096 + code_bytes};
	memcpy(header->magic, WE_IMAGE_MAGIC, sizeof(header->magic));
	memcpy(funcs, test_funcs, TEST_FUNCS * sizeof(*funcs));
	for (uint32_t i = 0; i < TEST_FUNCS - 1; i++)
		ranges[i] = (struct we_image_range){
			test_ranges[i].begin, test_ranges[i].end, TEST_IMPORTS + i};
	for (uint32_t i = 0; i < n_places; i++) {
		const struct test_place *from = &test_places[i];

		places[2 * i] = (struct we_image_place){
			from->begin, test_body(module, (enum test_func)from->func) + from->at};
		places[2 * i + 1] = (struct we_image_place){from->end, 0};
	}
	ret->size_bytes = header->size_bytes;
	assert_true(ret->size_bytes <= sizeof(ret->bytes));
	assert_true((uint8_t *)(places + 2 * n_places) <= ret->bytes + header->code_at);
	memcpy(ret->bytes + header->code_at, test_code, code_bytes);
	put_u32_at(ret, test_trap_at, test_body(module, TEST_TRAP) + 3);
	put_u32_at(ret, test_recurse_at, test_body(module, TEST_RECURSE));
	put_u32_at(ret, test_plain_idx, TEST_IMPORTS + TEST_PLAIN);
	seal_test_image(ret);
}

// Map and publish the image of the module.
static inline void publish_test_image(struct we_module *module)
{
	struct test_image *bytes = malloc(sizeof(*bytes));
	struct we_image *image = NULL;
	struct we_error err;

	assert_non_null(bytes);
	make_test_image(module, bytes);
	if (we_image_map(bytes->bytes, bytes->size_bytes, &image, &err) != 0 ||
		we_native_publish(module, image, &err) != 0)
		fail_msg("image: %s at %llu", err.msg, (unsigned long long)err.offset);
	free(bytes);
}
