// SPDX-License-Identifier: BSD-3-Clause
// Every implementation limit of limits.h: a module just at it is accepted, one beyond it is INVALID with a message that
// says so; and what happens when a guest reaches a limit of its store. With the path of we-run as its argument the test
// also gives it each module as a file: exit code, message, and resident memory that stays bounded.
#include "limits.h"
#include "we.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#define N(a) (sizeof(a) / sizeof((a)[0]))

// ---- modules of any size -------------------------------------------------------------------------

struct bytes {
	uint8_t *data;
	size_t len;
	size_t cap;
};

static uint8_t *add_room(struct bytes *b, size_t len)
{
	if (b->cap - b->len < len) {
		b->cap = 2 * b->cap + len;
		b->data = realloc(b->data, b->cap);
		assert_non_null(b->data);
	}
	b->len += len;
	return b->data + b->len - len;
}

static void put(struct bytes *b, const void *data, size_t len)
{
	if (len > 0)
		memcpy(add_room(b, len), data, len);
}

#define PUT(b, literal) put((b), (literal), sizeof(literal) - 1)

static void put_u(struct bytes *b, uint64_t x)
{
	uint8_t byte;

	for (; x >= 0x80; x >>= 7) {
		byte = (uint8_t)(x | 0x80);
		put(b, &byte, 1);
	}
	byte = (uint8_t)x;
	put(b, &byte, 1);
}

static void put_times(struct bytes *b, uint32_t n, const void *data, size_t len)
{
	uint8_t *to = add_room(b, n * len);

	for (uint32_t i = 0; i < n; i++)
		memcpy(to + i * len, data, len);
}

#define TIMES(b, n, literal) put_times((b), (n), (literal), sizeof(literal) - 1)

// Ends with the section; frees its content.
static void put_section(struct bytes *b, uint8_t id, struct bytes *content)
{
	put(b, &id, 1);
	put_u(b, content->len);
	put(b, content->data, content->len);
	free(content->data);
	*content = (struct bytes){0};
}

// Section id: a list of n times the same.
#define LIST(b, id, n, literal)                                                                    \
	do {                                                                                       \
		struct bytes content_ = {0};                                                       \
		put_u(&content_, (n));                                                             \
		TIMES(&content_, (n), (literal));                                                  \
		put_section((b), (id), &content_);                                                 \
	} while (0)

// One function of type 0, () -> (), with that body; frees it.
static void put_only_func(struct bytes *b, struct bytes *body)
{
	struct bytes content = {0};

	LIST(b, 3, 1, "\0");
	put_u(&content, 1);
	put_u(&content, body->len);
	put(&content, body->data, body->len);
	put_section(b, 10, &content);
	free(body->data);
	*body = (struct bytes){0};
}

// ---- a module for each limit ---------------------------------------------------------------------

static void make_types(struct bytes *b, uint32_t n)
{
	LIST(b, 1, n, "\x60\0\0");
}

static void make_group(struct bytes *b, uint32_t n)
{
	struct bytes content = {0};

	PUT(&content, "\1\x4e");
	put_u(&content, n);
	TIMES(&content, n, "\x60\0\0");
	put_section(b, 1, &content);
}

static void make_params(struct bytes *b, uint32_t n)
{
	struct bytes content = {0};

	PUT(&content, "\1\x60");
	put_u(&content, n);
	TIMES(&content, n, "\x7b");
	PUT(&content, "\0");
	put_section(b, 1, &content);
}

static void make_results(struct bytes *b, uint32_t n)
{
	struct bytes content = {0};

	PUT(&content, "\1\x60\0");
	put_u(&content, n);
	TIMES(&content, n, "\x7b");
	put_section(b, 1, &content);
}

static void make_fields(struct bytes *b, uint32_t n)
{
	struct bytes content = {0};

	PUT(&content, "\1\x5f");
	put_u(&content, n);
	TIMES(&content, n, "\x7b\1");
	put_section(b, 1, &content);
}

// Type i is below type i - 1.
static void make_subtypes(struct bytes *b, uint32_t n)
{
	struct bytes content = {0};

	put_u(&content, n + 1);
	PUT(&content, "\x50\0\x5f\0");
	for (uint32_t i = 0; i < n; i++) {
		PUT(&content, "\x50\1");
		put_u(&content, i);
		PUT(&content, "\x5f\0");
	}
	put_section(b, 1, &content);
}

static void make_funcs(struct bytes *b, uint32_t n)
{
	LIST(b, 1, 1, "\x60\0\0");
	LIST(b, 3, n, "\0");
	LIST(b, 10, n, "\2\0\x0b");
}

static void make_imports(struct bytes *b, uint32_t n)
{
	LIST(b, 1, 1, "\x60\0\0");
	LIST(b, 2, n, "\0\0\0\0");
}

static void make_exports(struct bytes *b, uint32_t n)
{
	struct bytes content = {0};

	LIST(b, 6, 1, "\x7f\0\x41\0\x0b");
	put_u(&content, n);
	for (uint32_t i = 0; i < n; i++) {
		const char item[7] = {4, (char)('0' + (i & 63)), (char)('0' + (i >> 6 & 63)),
			(char)('0' + (i >> 12 & 63)), (char)('0' + (i >> 18)), 3, 0};

		put(&content, item, sizeof(item));
	}
	put_section(b, 7, &content);
}

static void make_globals(struct bytes *b, uint32_t n)
{
	LIST(b, 6, n, "\x7f\0\x41\0\x0b");
}

static void make_tags(struct bytes *b, uint32_t n)
{
	LIST(b, 1, 1, "\x60\0\0");
	LIST(b, 13, n, "\0\0");
}

static void make_datas(struct bytes *b, uint32_t n)
{
	LIST(b, 11, n, "\1\0");
}

static void make_elems(struct bytes *b, uint32_t n)
{
	LIST(b, 9, n, "\1\0\0");
}

static void make_items(struct bytes *b, uint32_t n)
{
	struct bytes content = {0};

	LIST(b, 1, 1, "\x60\0\0");
	LIST(b, 3, 1, "\0");
	PUT(&content, "\1\1\0");
	put_u(&content, n);
	TIMES(&content, n, "\0");
	put_section(b, 9, &content);
	LIST(b, 10, 1, "\2\0\x0b");
}

static void make_tables(struct bytes *b, uint32_t n)
{
	LIST(b, 4, n, "\x70\0\0");
}

static void make_memories(struct bytes *b, uint32_t n)
{
	LIST(b, 5, n, "\0\0");
}

static void make_body(struct bytes *b, uint32_t n)
{
	struct bytes body = {0};

	LIST(b, 1, 1, "\x60\0\0");
	PUT(&body, "\0");
	TIMES(&body, n - 2, "\1");
	PUT(&body, "\x0b");
	put_only_func(b, &body);
}

static void make_locals(struct bytes *b, uint32_t n)
{
	struct bytes body = {0};

	LIST(b, 1, 1, "\x60\0\0");
	PUT(&body, "\1");
	put_u(&body, n);
	PUT(&body, "\x7f\x0b");
	put_only_func(b, &body);
}

static void make_locals_and_params(struct bytes *b, uint32_t n)
{
	struct bytes body = {0};

	LIST(b, 1, 1, "\x60\3\x7f\x7f\x7f\0");
	PUT(&body, "\1");
	put_u(&body, n - 3);
	PUT(&body, "\x7f\x0b");
	put_only_func(b, &body);
}

static void make_declarations(struct bytes *b, uint32_t n)
{
	struct bytes body = {0};

	LIST(b, 1, 1, "\x60\0\0");
	put_u(&body, n);
	TIMES(&body, n, "\0\x7f");
	PUT(&body, "\x0b");
	put_only_func(b, &body);
}

static void make_blocks(struct bytes *b, uint32_t n)
{
	struct bytes body = {0};

	LIST(b, 1, 1, "\x60\0\0");
	PUT(&body, "\0");
	TIMES(&body, n, "\x02\x40");
	TIMES(&body, n + 1, "\x0b");
	put_only_func(b, &body);
}

static void make_labels(struct bytes *b, uint32_t n)
{
	struct bytes body = {0};

	LIST(b, 1, 1, "\x60\0\0");
	PUT(&body, "\0\x41\0\x0e");
	put_u(&body, n);
	TIMES(&body, n + 1, "\0");
	PUT(&body, "\x0b");
	put_only_func(b, &body);
}

static void make_clauses(struct bytes *b, uint32_t n)
{
	struct bytes body = {0};

	LIST(b, 1, 1, "\x60\0\0");
	PUT(&body, "\0\x1f\x40");
	put_u(&body, n);
	TIMES(&body, n, "\2\0");
	PUT(&body, "\x0b\x0b");
	put_only_func(b, &body);
}

// Operands of a function that cannot end.
static void make_operands(struct bytes *b, uint32_t n)
{
	struct bytes body = {0};

	LIST(b, 1, 1, "\x60\0\0");
	PUT(&body, "\0");
	TIMES(&body, n, "\x41\0");
	PUT(&body, "\0\x0b");
	put_only_func(b, &body);
}

// The interpreter's frame: 4 slots more than its operands.
static void make_frame(struct bytes *b, uint32_t n)
{
	make_operands(b, n - 4);
}

static void make_fixed(struct bytes *b, uint32_t n)
{
	struct bytes body = {0};

	LIST(b, 1, 1, "\x60\0\0\x5e\x7f\0");
	b->data[b->len - 9 + 2] = 2; // two types
	PUT(&body, "\0");
	TIMES(&body, n, "\x41\0");
	PUT(&body, "\xfb\x08\1");
	put_u(&body, n);
	PUT(&body, "\x1a\x0b");
	put_only_func(b, &body);
}

static const struct row {
	uint32_t limit;
	const char *what;
	void (*make)(struct bytes *b, uint32_t n);
	bool is_huge; // at the limit only in a run of we-run, where nothing watches every access
} rows[] = {
	{WE_LIMIT_TYPES, "types", make_types, true},
	{WE_LIMIT_RECURSION_GROUP, "types of a group", make_group, true},
	{WE_LIMIT_PARAMS, "parameters", make_params, false},
	{WE_LIMIT_RESULTS, "results", make_results, false},
	{WE_LIMIT_FIELDS, "fields", make_fields, false},
	{WE_LIMIT_SUBTYPE_DEPTH, "supertypes above a type", make_subtypes, false},
	{WE_LIMIT_FUNCS, "functions", make_funcs, true},
	{WE_LIMIT_IMPORTS, "imports", make_imports, false},
	{WE_LIMIT_EXPORTS, "exports", make_exports, true},
	{WE_LIMIT_GLOBALS, "globals", make_globals, true},
	{WE_LIMIT_TAGS, "tags", make_tags, true},
	{WE_LIMIT_DATAS, "data segments", make_datas, false},
	{WE_LIMIT_ELEMS, "element segments", make_elems, false},
	{WE_LIMIT_ELEM_ITEMS, "element items", make_items, true},
	{WE_LIMIT_TABLES, "tables", make_tables, false},
	{WE_LIMIT_MEMORIES, "memories", make_memories, false},
	{WE_LIMIT_FUNC_BYTES, "bytes of one function", make_body, true},
	{WE_LIMIT_LOCALS, "locals", make_locals, false},
	{WE_LIMIT_LOCALS, "locals", make_locals_and_params, false},
	{WE_LIMIT_LOCALS, "local declarations", make_declarations, false},
	{WE_LIMIT_CONTROL_DEPTH, "nested blocks", make_blocks, false},
	{WE_LIMIT_BR_TABLE, "labels", make_labels, true},
	{WE_LIMIT_CATCHES, "catch clauses", make_clauses, false},
	{WE_LIMIT_CODE_SLOTS, "frame slots", make_frame, false},
	{WE_LIMIT_ARRAY_FIXED, "elements", make_fixed, false},
};

static struct bytes make_module(const struct row *row, uint32_t n)
{
	struct bytes b = {0};

	PUT(&b, "\0asm\1\0\0\0");
	row->make(&b, n);
	return b;
}

static struct we_engine *engine;
static struct we_error err;

static int make_engine(void **state)
{
	(void)state;
	return we_engine_create(NULL, &engine, &err);
}

static int end_engine(void **state)
{
	(void)state;
	we_engine_destroy(engine);
	return 0;
}

static int load(const struct bytes *b)
{
	struct we_module *module = NULL;
	const int rc =
		we_module_create(engine, (struct we_bytes){b->data, b->len}, 0, &module, &err);

	we_module_unref(module);
	return rc;
}

static void one_beyond_a_limit_is_invalid_and_says_so(void **state)
{
	(void)state;
	for (size_t i = 0; i < N(rows); i++) {
		struct bytes b = make_module(&rows[i], rows[i].limit + 1);
		const int rc = load(&b);
		char wanted[128];

		snprintf(wanted, sizeof(wanted), "more than the implementation limit of %u %s",
			rows[i].limit, rows[i].what);
		if (rc != WE_E_INVALID || strstr(err.msg, wanted) == NULL)
			fail_msg("%s: %d %s", rows[i].what, rc, rc < 0 ? err.msg : "");
		free(b.data);
	}
}

static void just_at_a_limit_is_valid(void **state)
{
	(void)state;
	for (size_t i = 0; i < N(rows); i++) {
		struct bytes b;

		if (rows[i].is_huge)
			continue;
		b = make_module(&rows[i], rows[i].limit);
		if (load(&b) != 0)
			fail_msg("%s: %s", rows[i].what, err.msg);
		free(b.data);
	}
}

// Nothing of it is read.
static void a_module_of_more_than_a_gibibyte_is_invalid(void **state)
{
	const size_t len = (size_t)WE_LIMIT_MODULE_BYTES + 1;
	uint8_t *data =
		mmap(NULL, len, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	const struct bytes b = {data, len, len};

	(void)state;
	assert_ptr_not_equal(data, MAP_FAILED);
	assert_int_equal(load(&b), WE_E_INVALID);
	assert_string_equal(
		err.msg, "module of 1073741825 bytes: the implementation limit is 1073741824");
	munmap(data, len);
}

// ---- limits of a store ---------------------------------------------------------------------------

// Module bytes that reach a limit of the store when they are instantiated, or when the function exported as "f" is called.
static const struct reach {
	struct we_bytes module;
	const char *wanted;
} reaches[] = {
#define MODULE(literal) {(const uint8_t *)"\0asm\1\0\0\0" literal, sizeof(literal) - 1 + 8}
	{MODULE("\5\3\1\0\5"), "memory of 5 pages: the limit is 4"},
	{MODULE("\5\3\1\4\5"), "memory of 5 pages: the limit is 4"},
	{MODULE("\5\6\1\4\x80\x80\x80\x02"), "memory of 4194304 pages: the limit is 4"},
	{MODULE("\5\5\2\0\4\0\3"), "memory of 3 pages: all memories together are limited to 6"},
	{MODULE("\4\4\1\x70\0\x0b"), "table of 11 elements: the limit is 10"},
	{MODULE("\4\x0d\1\x70\4\xff\xff\xff\xff\xff\xff\xff\xff\xff\1"),
		"table of 18446744073709551615 elements: the limit is 10"},
	// grows by one page or element more than there may be: -1, and then it traps on purpose
	{MODULE("\1\4\1\x60\0\0\3\2\1\0\5\3\1\0\1\7\5\1\1\x66\0\0\x0a\x0f\1\x0d\0\x41\4\x40\0\x41"
		"\x7f"
		"\x46\x04\x40\0\x0b\x0b"),
		"unreachable, in function 0"},
	{MODULE("\1\4\1\x60\0\0\3\2\1\0\4\4\1\x70\0\2\7\5\1\1\x66\0\0\x0a\x12\1\x10\0\xd0\x70\x41"
		"\x09"
		"\xfc\x0f\0\x41\x7f\x46\x04\x40\0\x0b\x0b"),
		"unreachable, in function 0"},
	// f calls itself
	{MODULE("\1\4\1\x60\0\0\3\2\1\0\7\5\1\1\x66\0\0\x0a\6\1\4\0\x10\0\x0b"),
		"call stack exhausted, in function 0"},
	// an array of 2^24 bytes, in a heap of 1 MiB
	{MODULE("\1\7\2\x60\0\0\x5e\x78\1\3\2\1\0\7\5\1\1\x66\0\0\x0a\x0d\1\x0b\0\x41\x80\x80\x80"
		"\x08\xfb"
		"\x07\1\x1a\x0b"),
		"heap exhausted, in function 0"},
#undef MODULE
};

static int reach(struct we_store *store, const struct we_bytes bytes)
{
	struct we_module *module;
	struct we_instance *inst;
	struct we_extern f;
	uint64_t none[1];
	int rc;

	if (we_module_create(engine, bytes, 0, &module, &err) != 0)
		fail_msg("%s at 0x%llx", err.msg, (unsigned long long)err.offset);
	rc = we_instance_create(store, module, NULL, 0, &inst, &err);
	we_module_unref(module);
	if (rc == 0 && we_instance_export(inst, "f", 1, &f) == 0)
		rc = we_func_call(f.of.func, none, &err);
	return rc;
}

static void a_guest_that_reaches_a_limit_of_its_store_is_told_which(void **state)
{
	const struct we_store_limits limits = {.memory_pages = 4,
		.total_memory_pages = 6,
		.table_elements = 10,
		.call_depth = 100,
		.instances = 1,
		.heap_bytes = 1 << 20};
	static const uint8_t empty[] = "\0asm\1\0\0\0";
	struct we_store *store;

	(void)state;
	for (size_t i = 0; i < N(reaches); i++) {
		int rc;

		assert_int_equal(we_store_create(engine, &limits, &store, &err), 0);
		rc = reach(store, reaches[i].module);
		if (rc >= 0 || strcmp(err.msg, reaches[i].wanted) != 0 ||
			(rc != WE_E_EXHAUSTED && err.trap != WE_TRAP_UNREACHABLE))
			fail_msg("row %zu: %d %s", i, rc, rc < 0 ? err.msg : "");
		we_store_destroy(store);
	}
	assert_int_equal(we_store_create(engine, &limits, &store, &err), 0);
	assert_int_equal(reach(store, (struct we_bytes){empty, 8}), 0);
	assert_int_equal(reach(store, (struct we_bytes){empty, 8}), WE_E_EXHAUSTED);
	assert_string_equal(err.msg, "more than 1 instances in a store");
	we_store_destroy(store);
}

// ---- we-run --------------------------------------------------------------------------------------

static const char *program; // NULL: no such runs
static char path[] = "/tmp/we_limits_test_XXXXXX";

enum {
	MAX_RESIDENT_MIB = 512 // of we-run, watched or not; modules are 10 MB at most
};

// Returns: the exit code; *out holds stderr.
static int run_file(const struct bytes *b, char *out, size_t cap, long *ret_mib)
{
	FILE *file = fopen(path, "wb");
	struct rusage usage;
	int ends[2];
	int status;
	size_t len = 0;
	ssize_t n;
	pid_t child;

	assert_non_null(file);
	assert_int_equal(fwrite(b->data, 1, b->len, file), b->len);
	assert_int_equal(fclose(file), 0);
	assert_int_equal(pipe(ends), 0);
	child = fork();
	if (child == 0) {
		dup2(ends[1], STDERR_FILENO);
		close(ends[0]);
		execl(program, program, path, (char *)NULL);
		_exit(127);
	}
	assert_true(child > 0);
	close(ends[1]);
	while ((n = read(ends[0], out + len, cap - 1 - len)) > 0)
		len += (size_t)n;
	out[len] = '\0';
	close(ends[0]);
	assert_int_equal(wait4(child, &status, 0, &usage), child);
	if (!WIFEXITED(status))
		fail_msg("we-run ended by signal %d", WTERMSIG(status));
	*ret_mib = usage.ru_maxrss / 1024;
	return WEXITSTATUS(status);
}

// A valid module at a limit runs; but so many imports have nothing to link to, and so many memories do not fit the machine.
static bool is_as_it_should_at_its_limit(const struct row *row, int code)
{
	return code == 0 || (row->make == make_imports && code == 1) ||
	       (row->make == make_memories && (code == 1 || code == 3));
}

static void a_file_at_or_beyond_a_limit_leaves_we_run_whole(void **state)
{
	char out[4096];
	char wanted[128];
	long mib;
	int code;

	(void)state;
	if (program == NULL)
		skip();
	close(mkstemp(path));
	for (size_t i = 0; i < N(rows); i++) {
		for (uint32_t beyond = 0; beyond < 2; beyond++) {
			struct bytes b = make_module(&rows[i], rows[i].limit + beyond);

			code = run_file(&b, out, sizeof(out), &mib);
			free(b.data);
			snprintf(wanted, sizeof(wanted),
				"more than the implementation limit of %u %s", rows[i].limit,
				rows[i].what);
			if (beyond != 0 && (code != 1 || strstr(out, ": invalid: ") == NULL ||
						   strstr(out, wanted) == NULL))
				fail_msg("one beyond, %s: %d %s", rows[i].what, code, out);
			if (beyond == 0 && !is_as_it_should_at_its_limit(&rows[i], code))
				fail_msg("just at, %s: %d %s", rows[i].what, code, out);
			if (mib > MAX_RESIDENT_MIB)
				fail_msg("%s: %ld MiB", rows[i].what, mib);
			print_message(
				"%-24s %u: exit %d, %ld MiB\n", rows[i].what, beyond, code, mib);
		}
	}
	unlink(path);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(
			one_beyond_a_limit_is_invalid_and_says_so, make_engine, end_engine),
		cmocka_unit_test_setup_teardown(just_at_a_limit_is_valid, make_engine, end_engine),
		cmocka_unit_test_setup_teardown(
			a_module_of_more_than_a_gibibyte_is_invalid, make_engine, end_engine),
		cmocka_unit_test_setup_teardown(
			a_guest_that_reaches_a_limit_of_its_store_is_told_which, make_engine,
			end_engine),
		cmocka_unit_test(a_file_at_or_beyond_a_limit_leaves_we_run_whole),
	};

	program = argc > 1 ? argv[1] : NULL;
	return cmocka_run_group_tests_name("we_limits", tests, NULL, NULL);
}
