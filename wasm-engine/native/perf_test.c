// SPDX-License-Identifier: BSD-3-Clause
// Tests of we_perf: what profilers and debuggers read of an image.
#include "perf.h"

#include "engine.h"

#include <elf.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

// clang-format off
// (module (func $first (export "f")) (func) (@custom "name" ... $first is "first one"))
static const uint8_t named_module[] = {0x00, 0x61, 0x73, 0x6d, 0x01, 0x00, 0x00, 0x00, 0x01, 0x04, 0x01, 0x60, 0x00, 0x00,
	0x03, 0x03, 0x02, 0x00, 0x00, 0x07, 0x05, 0x01, 0x01, 0x66, 0x00, 0x00, 0x0a, 0x07, 0x02, 0x02, 0x00, 0x0b, 0x02, 0x00, 0x0b,
	0x00, 0x13, 0x04, 'n', 'a', 'm', 'e', 0x01, 0x0c, 0x01, 0x00, 0x09, 'f', 'i', 'r', 's', 't', ' ', 'o', 'n', 'e'};
// clang-format on

// What gdb looks at.
struct entry {
	struct entry *next;
	struct entry *prev;
	const uint8_t *file;
	uint64_t bytes;
};
extern struct {
	uint32_t version;
	uint32_t action;
	struct entry *relevant;
	struct entry *first;
} __jit_debug_descriptor;

static const uint8_t code[64] = {0x55, 0xc3, [16] = 0x55, 0x90, 0xc3, [32] = 0xc3};
static const struct we_image_range ranges[] = {{0, 2, 0}, {16, 19, 1}, {32, 33, WE_NO_FUNC}};
static const struct we_image_place places[] = {{0, 31}, {16, 34}, {17, 35}};
static const struct we_image image = {
	.header = {.n_ranges = 3, .n_places = 3, .code_bytes = 64, .n_exec_bytes = 64},
	.code = code,
	.ranges = ranges,
	.places = places};

static char folder[] = "/tmp/we-perf-test-XXXXXX";
static struct we_engine *engine;
static struct we_module *module;

static void start(const char *wanted)
{
	const struct we_engine_config config = {.jit_perf = wanted};

	assert_int_equal(we_engine_create(&config, &engine, NULL), 0);
	assert_int_equal(
		we_module_create(engine, (struct we_bytes){named_module, sizeof(named_module)}, 0,
			&module, NULL),
		0);
}

static int end(void **state)
{
	(void)state;
	we_module_unref(module);
	we_engine_destroy(engine);
	return 0;
}

static size_t read_file(const char *path, uint8_t *bytes, size_t cap)
{
	const int fd = open(path, O_RDONLY | O_NOFOLLOW);
	ssize_t n;

	assert_true(fd >= 0);
	n = read(fd, bytes, cap);
	assert_true(n >= 0);
	close(fd);
	return (size_t)n;
}

static const char *map_path(void)
{
	static char path[64];

	snprintf(path, sizeof(path), "/tmp/perf-%d.map", (int)getpid());
	return path;
}

static const char *dump_path(void)
{
	static char path[64];

	snprintf(path, sizeof(path), "%s/jit-%d.dump", folder, (int)getpid());
	return path;
}

static void perf_that_nobody_wants_writes_nothing(void **state)
{
	(void)state;
	start("");
	we_perf_add(module, &image);
	assert_int_equal(access(map_path(), F_OK), -1);
	assert_int_equal(access(dump_path(), F_OK), -1);
	assert_null(__jit_debug_descriptor.first);
	we_perf_remove(&image);
}

static void perf_list_has_no_other_words(void **state)
{
	static const struct {
		const char *list;
		const char *refused; // NULL: nothing
	} lists[] = {
		{"map,dump,gdb", NULL},
		{",,gdb,", NULL},
		{"", NULL},
		{"maps", "\"maps\""},
		{"gdb,ma", "\"ma\""},
		{"gdb map", "\"gdb map\""},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(lists) / sizeof(*lists); i++) {
		const struct we_engine_config config = {.jit_perf = lists[i].list};
		struct we_engine *any = NULL;
		struct we_error err;
		const int rc = we_engine_create(&config, &any, &err);

		assert_int_equal(rc, lists[i].refused != NULL ? WE_E_INVALID : 0);
		if (rc != 0)
			assert_non_null(strstr(err.msg, lists[i].refused));
		we_engine_destroy(any);
	}
}

static void perf_of_the_environment_is_checked_too(void **state)
{
	struct we_engine *any = NULL;
	struct we_error err;

	(void)state;
	setenv("WEIR_PERF", "perf", 1);
	assert_int_equal(we_engine_create(NULL, &any, &err), WE_E_INVALID);
	assert_string_equal(err.msg,
		"$WEIR_PERF: \"perf\", expected map, dump or gdb, with commas between them");
	unsetenv("WEIR_PERF");
}

static void perf_map_has_a_line_for_each_function(void **state)
{
	char expected[256];
	uint8_t text[512];
	struct stat st;
	size_t n;
	const uintptr_t at = (uintptr_t)code;

	(void)state;
	start("map");
	// A link that somebody else put there is not followed.
	assert_int_equal(symlink("/dev/full", map_path()), 0);
	we_perf_add(module, &image);
	n = read_file(map_path(), text, sizeof(text) - 1);
	text[n] = '\0';
	snprintf(expected, sizeof(expected),
		"%lx 2 wasm[0]::first_one\n%lx 3 wasm[1]\n%lx 1 wasm::thunk\n", at, at + 16,
		at + 32);
	assert_string_equal((const char *)text, expected);
	assert_int_equal(lstat(map_path(), &st), 0);
	assert_int_equal(st.st_mode & 07777, 0600);
	unlink(map_path());
}

static uint64_t get(const uint8_t *bytes, size_t at, size_t n)
{
	uint64_t x = 0;

	memcpy(&x, bytes + at, n);
	return x;
}

// Is the file mapped executable, as perf record looks for it?
static bool is_mapped(const char *path)
{
	static uint8_t text[1 << 16];
	const int fd = open("/proc/self/maps", O_RDONLY);
	const char *line;
	size_t n = 0;
	ssize_t got;

	while ((got = read(fd, text + n, sizeof(text) - 1 - n)) > 0)
		n += (size_t)got;
	close(fd);
	text[n] = '\0';
	line = strstr((const char *)text, path);
	while (line != NULL && line > (const char *)text && line[-1] != '\n')
		line--;
	return line != NULL && strstr(line, "r-xp") != NULL;
}

static void perf_dump_has_the_code_and_the_places_of_each_function(void **state)
{
	static const char *const names[] = {"wasm[0]::first_one", "wasm[1]", "wasm::thunk"};
	static const uint32_t n_places[] = {1, 2, 0};
	uint8_t bytes[2048];
	size_t n;
	size_t at = 40;
	uint64_t index = 0;

	(void)state;
	setenv("JITDUMPDIR", folder, 1);
	start("gdb,dump");
	we_perf_add(module, &image);
	we_perf_remove(&image);
	assert_true(is_mapped(dump_path()));
	n = read_file(dump_path(), bytes, sizeof(bytes));
	assert_int_equal(get(bytes, 0, 4), 0x4A695444);
	assert_int_equal(get(bytes, 4, 4), 1);
	assert_int_equal(get(bytes, 8, 4), 40);
	assert_int_equal(get(bytes, 12, 4), EM_X86_64);
	assert_int_equal(get(bytes, 16, 4), 0);
	assert_int_equal(get(bytes, 20, 4), getpid());
	assert_int_equal(get(bytes, 32, 8), 0); // flags
	while (at < n) {
		const struct we_image_range *range = &ranges[index];
		const size_t size = range->end - range->begin;

		assert_true(index < 3);
		if (n_places[index] > 0) {
			assert_int_equal(get(bytes, at, 4), 2);
			assert_int_equal(get(bytes, at + 16, 8), (uintptr_t)code + range->begin);
			assert_int_equal(get(bytes, at + 24, 8), n_places[index]);
			assert_int_equal(get(bytes, at + 32, 8), (uintptr_t)code + range->begin);
			assert_int_equal(get(bytes, at + 40, 4), index == 0 ? 31 : 34);
			assert_string_equal((const char *)bytes + at + 48, "module.wasm");
			at += get(bytes, at + 4, 4);
		}
		assert_int_equal(get(bytes, at, 4), 0);
		assert_int_equal(get(bytes, at + 16, 4), getpid());
		assert_int_equal(get(bytes, at + 32, 8), (uintptr_t)code + range->begin);
		assert_int_equal(get(bytes, at + 40, 8), size);
		assert_int_equal(get(bytes, at + 48, 8), index);
		assert_string_equal((const char *)bytes + at + 56, names[index]);
		assert_memory_equal(
			bytes + at + 56 + strlen(names[index]) + 1, code + range->begin, size);
		at += get(bytes, at + 4, 4);
		index++;
	}
	assert_int_equal(at, n);
	assert_int_equal(index, 3);
	unlink(dump_path());
}

static void perf_gdb_reads_a_file_with_a_symbol_for_each_function(void **state)
{
	static const char *const names[] = {"wasm[0]::first_one", "wasm[1]", "wasm::thunk"};
	const struct entry *entry;
	const Elf64_Shdr *sections;
	const char *strings;
	Elf64_Ehdr header;
	unsigned n_symbols = 0;

	(void)state;
	start("gdb");
	we_perf_add(module, &image);
	entry = __jit_debug_descriptor.first;
	assert_non_null(entry);
	assert_int_equal(__jit_debug_descriptor.version, 1);
	assert_int_equal(__jit_debug_descriptor.action, 0);
	memcpy(&header, entry->file, sizeof(header));
	assert_memory_equal(header.e_ident, ELFMAG, SELFMAG);
	assert_int_equal(header.e_machine, EM_X86_64);
	sections = (const void *)(entry->file + header.e_shoff);
	strings = (const char *)entry->file + sections[header.e_shstrndx].sh_offset;
	for (unsigned i = 1; i < header.e_shnum; i++) {
		const Elf64_Shdr *section = &sections[i];

		assert_true(section->sh_type == SHT_NOBITS ||
			    section->sh_offset + section->sh_size <= entry->bytes);
		if (strcmp(strings + section->sh_name, ".text") == 0) {
			assert_int_equal(section->sh_addr, (uintptr_t)code);
			assert_int_equal(section->sh_size, sizeof(code));
		}
		if (section->sh_type == SHT_SYMTAB) {
			const Elf64_Sym *symbols = (const void *)(entry->file + section->sh_offset);

			n_symbols = (unsigned)(section->sh_size / section->sh_entsize);
			for (unsigned k = 1; k < n_symbols; k++) {
				assert_string_equal(strings + symbols[k].st_name, names[k - 1]);
				assert_int_equal(symbols[k].st_value, ranges[k - 1].begin);
			}
		}
	}
	assert_int_equal(n_symbols, 4);
	we_perf_remove(&image);
	assert_null(__jit_debug_descriptor.first);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_teardown(perf_that_nobody_wants_writes_nothing, end),
		cmocka_unit_test(perf_list_has_no_other_words),
		cmocka_unit_test(perf_of_the_environment_is_checked_too),
		cmocka_unit_test_teardown(perf_map_has_a_line_for_each_function, end),
		cmocka_unit_test_teardown(
			perf_dump_has_the_code_and_the_places_of_each_function, end),
		cmocka_unit_test_teardown(
			perf_gdb_reads_a_file_with_a_symbol_for_each_function, end),
	};
	int failed;

	if (mkdtemp(folder) == NULL)
		return 1;
	failed = cmocka_run_group_tests_name("we_perf", tests, NULL, NULL);
	rmdir(folder);
	return failed;
}
