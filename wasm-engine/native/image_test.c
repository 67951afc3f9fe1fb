// SPDX-License-Identifier: BSD-3-Clause
// Tests of images: what is refused, where the code lies, and what is found in it.
#include "test_code.h"

#include "space.h"

#include <stdio.h>

struct rig {
	struct guest g;
	struct we_module *module;
	struct test_image image;
};

static int set_up(void **state)
{
	struct rig *rig = calloc(1, sizeof(*rig));
	struct bytes b;

	assert_non_null(rig);
	guest_open(&rig->g, NULL, NULL);
	put_test_module(&b);
	rig->module = guest_module(&rig->g, &b);
	make_test_image(rig->module, &rig->image);
	*state = rig;
	return 0;
}

static int tear_down(void **state)
{
	struct rig *rig = *state;

	we_module_unref(rig->module);
	guest_close(&rig->g);
	free(rig);
	return 0;
}

static struct we_image *map(struct rig *rig)
{
	struct we_image *image = NULL;

	if (we_image_map(rig->image.bytes, rig->image.size_bytes, &image, &rig->g.err) != 0)
		fail_msg("%s at %llu", rig->g.err.msg, (unsigned long long)rig->g.err.offset);
	return image;
}

static void sound_image_passes(void **state)
{
	struct rig *rig = *state;

	assert_int_equal(we_image_check(rig->image.bytes, rig->image.size_bytes, &rig->g.err), 0);
}

#define HEADER(field) offsetof(struct we_image_header, field)
#define FUNC(i, field)                                                                             \
	(sizeof(struct we_image_header) + (i) * 12u + offsetof(struct we_image_func, field))
#define RANGE(i, field)                                                                            \
	(FUNC(TEST_FUNCS, body) + (i) * 12u + offsetof(struct we_image_range, field))
#define PLACE(i, field)                                                                            \
	(RANGE(TEST_FUNCS - 1, begin) + (i) * 8u + offsetof(struct we_image_place, field))

// A word of the image is changed, its checksum put right, and the check says this.
static const struct {
	uint64_t at;
	uint32_t to;
	uint64_t offset;
	const char *msg;
} mutations[] = {
	{HEADER(magic), 0, HEADER(magic), "image: not an image"},
	{HEADER(n_funcs), 1000001, HEADER(n_funcs),
		"image: functions: expected at most 1000000, found 1000001"},
	{HEADER(n_funcs), 500000, HEADER(code_at),
		"image: code: expected at a multiple of 4096 from "},
	{HEADER(first_func), UINT32_MAX, HEADER(first_func),
		"image: first function: expected at most 999983, found 4294967295"},
	{HEADER(first_func), 2, RANGE(0, func),
		"image: function of a range: expected 2 to 19, found 1"},
	{HEADER(n_ranges), UINT32_MAX, HEADER(code_at),
		"image: code: expected at a multiple of 4096 from "},
	{HEADER(n_places), UINT32_MAX, HEADER(code_at),
		"image: code: expected at a multiple of 4096 from "},
	{HEADER(code_at), 4095, HEADER(code_at),
		"image: code: expected at a multiple of 4096 from "},
	{HEADER(code_at), 0, HEADER(code_at), "image: code: expected at a multiple of 4096 from "},
	{HEADER(code_at), 8192, HEADER(code_bytes), "image: end of the code: expected "},
	{HEADER(code_bytes), 0, HEADER(code_bytes),
		"image: code bytes: expected 1 to 268435456, found 0"},
	{HEADER(code_bytes), UINT32_MAX, HEADER(code_bytes),
		"image: code bytes: expected 1 to 268435456, found 4294967295"},
	{HEADER(code_bytes), 4096, HEADER(code_bytes), "image: end of the code: expected "},
	{HEADER(n_exec_bytes), UINT32_MAX, HEADER(n_exec_bytes),
		"image: bytes of instructions: expected at most "},
	{HEADER(n_exec_bytes), 0, FUNC(0, body), "image: body: expected at most "},
	{HEADER(needs_reach), 2, HEADER(needs_reach), "image: reach: expected at most 1, found 2"},
	{FUNC(1, body), 0x7fffffff, FUNC(1, body), "image: body: expected at most "},
	{FUNC(1, body), 0, FUNC(1, entry), "image: entry of no body: expected 0, found "},
	{FUNC(1, entry), 0x7fffffff, FUNC(1, entry), "image: entry: expected at most "},
	{FUNC(1, entry), 0, FUNC(1, enter), "image: wrapper of no entry: expected 0, found "},
	{FUNC(1, enter), UINT32_MAX, FUNC(1, enter), "image: wrapper: expected at most "},
	{RANGE(1, begin), 1, RANGE(1, begin), "image: range: expected within "},
	{RANGE(1, end), 1, RANGE(1, begin), "image: range: expected within "},
	{RANGE(1, end), UINT32_MAX, RANGE(1, begin), "image: range: expected within "},
	{RANGE(1, func), TEST_IMPORTS + TEST_FUNCS, RANGE(1, func),
		"image: function of a range: expected 1 to 18, found 18"},
	{RANGE(1, func), 0, RANGE(1, func),
		"image: function of a range: expected 1 to 18, found 0"},
	{PLACE(1, pc), 0, PLACE(1, pc), "image: place: expected "},
	{PLACE(1, pc), UINT32_MAX, PLACE(1, pc), "image: place: expected "},
};

static void each_broken_word_is_named(void **state)
{
	struct rig *rig = *state;

	for (size_t i = 0; i < sizeof(mutations) / sizeof(mutations[0]); i++) {
		struct test_image *image = malloc(sizeof(*image));

		assert_non_null(image);
		*image = rig->image;
		memcpy(image->bytes + mutations[i].at, &mutations[i].to, sizeof(uint32_t));
		seal_test_image(image);
		if (we_image_check(image->bytes, image->size_bytes, &rig->g.err) != WE_E_INVALID)
			fail_msg("mutation %zu passes", i);
		if (rig->g.err.offset != mutations[i].offset ||
			strncmp(rig->g.err.msg, mutations[i].msg, strlen(mutations[i].msg)) != 0)
			fail_msg("mutation %zu: %llu: %s", i, (unsigned long long)rig->g.err.offset,
				rig->g.err.msg);
		free(image);
	}
}

static void image_that_was_cut_or_changed_is_refused(void **state)
{
	struct rig *rig = *state;
	uint8_t *bytes = rig->image.bytes;

	for (uint64_t n = 0; n < rig->image.size_bytes; n += n < 128 ? 1 : 97) {
		uint8_t *cut = malloc(n > 0 ? n : 1); // so that a read beyond it is seen

		assert_non_null(cut);
		memcpy(cut, bytes, n);
		assert_int_equal(we_image_check(cut, n, &rig->g.err), WE_E_INVALID);
		free(cut);
	}
	for (uint64_t at = HEADER(size_bytes); at < rig->image.size_bytes; at += 61) {
		bytes[at] ^= 0x10;
		assert_int_equal(
			we_image_check(bytes, rig->image.size_bytes, &rig->g.err), WE_E_INVALID);
		bytes[at] ^= 0x10;
	}
}

// How /proc has the mapping of the address: "r-xp".
static void find_mapping(const void *address, char ret[5])
{
	FILE *maps = fopen("/proc/self/maps", "r");
	unsigned long begin;
	unsigned long end;
	char line[512];

	assert_non_null(maps);
	strcpy(ret, "none");
	while (fgets(line, sizeof(line), maps) != NULL) {
		char flags[5];

		if (sscanf(line, "%lx-%lx %4s", &begin, &end, flags) == 3 &&
			(uintptr_t)address >= begin && (uintptr_t)address < end)
			memcpy(ret, flags, sizeof(flags));
	}
	fclose(maps);
}

static void code_is_mapped_for_execution_and_never_writable(void **state)
{
	struct rig *rig = *state;
	struct we_image *image = map(rig);
	const uint8_t *code = image->code;
	char flags[5];

	find_mapping(code, flags);
	assert_string_equal(flags, "r-xp");
	assert_memory_equal(code, rig->image.bytes + image->header.code_at, 64);
	assert_ptr_equal(we_space_find((uintptr_t)code), image);
	assert_ptr_equal(we_space_find((uintptr_t)code + image->header.code_bytes - 1), image);
	assert_null(we_space_find((uintptr_t)code - 1));
	// Near the engine's own code, where a program finds room for it.
	assert_true((uintptr_t)code - (uintptr_t)we_space_find + (UINT64_C(1) << 31) <
		    UINT64_C(1) << 32);
	assert_null(we_space_find((uintptr_t)&flags));
	we_image_release(image);
	find_mapping(code, flags);
	assert_string_equal(flags, "---p");
	assert_null(we_space_find((uintptr_t)code));
}

static void constants_behind_whole_pages_are_not_executable(void **state)
{
	struct rig *rig = *state;
	struct we_image_header *header = (void *)rig->image.bytes;
	struct we_image *image;
	char flags[5];

	memset(rig->image.bytes + rig->image.size_bytes, 0x77, 4096 * 3 - rig->image.size_bytes);
	header->n_exec_bytes = 4096;
	header->code_bytes = 4096 * 2;
	header->size_bytes = rig->image.size_bytes = 4096 * 3;
	seal_test_image(&rig->image);
	image = map(rig);
	find_mapping(image->code + 4095, flags);
	assert_string_equal(flags, "r-xp");
	find_mapping(image->code + 4096, flags);
	assert_string_equal(flags, "r--p");
	assert_int_equal(image->code[4096], 0x77);
	we_image_release(image);
}

static void space_is_used_again(void **state)
{
	enum {
		N = 100
	};
	struct rig *rig = *state;
	struct we_image *images[N];

	for (int turn = 0; turn < 3; turn++) {
		for (int i = 0; i < N; i++)
			images[i] = map(rig);
		for (int i = 0; i < N; i++) {
			assert_ptr_equal(we_space_find((uintptr_t)images[i]->code), images[i]);
			we_image_release(images[i]);
		}
	}
}

static void instructions_are_found_by_their_place(void **state)
{
	struct rig *rig = *state;
	struct we_image *image = map(rig);

	for (uint32_t i = 0; i < image->header.n_ranges; i++) {
		const struct we_image_range *range = &image->ranges[i];

		assert_int_equal(we_image_func_at(image, range->begin), range->func);
		assert_int_equal(we_image_func_at(image, range->end - 1), range->func);
	}
	assert_int_equal(we_image_func_at(image, 0), WE_NO_FUNC);
	assert_int_equal(we_image_func_at(image, image->header.code_bytes), WE_NO_FUNC);
	assert_int_equal(we_image_at(image, 0), 0);
	for (uint32_t i = 0; i < image->header.n_places; i++)
		assert_int_equal(we_image_at(image, image->places[i].pc), image->places[i].at);
	assert_int_equal(we_image_at(image, image->places[0].pc - 1), 0);
	we_image_release(image);
}

static void broken_image_is_not_mapped(void **state)
{
	struct rig *rig = *state;
	struct we_image *image = NULL;

	rig->image.bytes[5000] ^= 1;
	assert_int_equal(we_image_map(rig->image.bytes, rig->image.size_bytes, &image, &rig->g.err),
		WE_E_INVALID);
	assert_null(image);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(sound_image_passes),
		TEST(each_broken_word_is_named),
		TEST(image_that_was_cut_or_changed_is_refused),
		TEST(code_is_mapped_for_execution_and_never_writable),
		TEST(constants_behind_whole_pages_are_not_executable),
		TEST(space_is_used_again),
		TEST(instructions_are_found_by_their_place),
		TEST(broken_image_is_not_mapped),
	};

	return cmocka_run_group_tests_name("native_image", tests, NULL, NULL);
}
