// SPDX-License-Identifier: BSD-3-Clause
// we-run as a user sees it: results, messages, exit codes. The program's path is the first argument.
#include "../interp/test_module.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

static const char *program;
static char module_path[] = "/tmp/we_run_test_XXXXXX";

// Run with the arguments, FILE standing for the module. Returns: the exit code; *out holds stdout and stderr.
static int run(const char *arguments, char *out, size_t cap)
{
	char command[1024];
	size_t len;
	FILE *pipe;
	int status;

	assert_true(snprintf(command, sizeof(command), "FILE=%s; %s %s 2>&1", module_path, program,
			    arguments) < (int)sizeof(command));
	pipe = popen(command, "r");
	assert_non_null(pipe);
	len = fread(out, 1, cap - 1, pipe);
	out[len] = '\0';
	status = pclose(pipe);
	assert_true(WIFEXITED(status));
	return WEXITSTATUS(status);
}

static void write_module(const struct bytes *b)
{
	FILE *file = fopen(module_path, "wb");

	assert_non_null(file);
	assert_int_equal(fwrite(b->data, 1, b->len, file), b->len);
	assert_int_equal(fclose(file), 0);
}

static int setup(void **state)
{
	const int fd = mkstemp(module_path);
	struct bytes b, code = {.len = 0};

	(void)state;
	assert_true(fd >= 0);
	close(fd);
	begin_module(&b);
	// 0: (i32 i64 f32 f64 v128) -> the same; 1: () -> (); 2: (i32) -> i32; 3: () -> (funcref funcref externref)
	PUT_SECTION(&b, 1, 5,
		"\x60\5\x7f\x7e\x7d\x7c\x7b\5\x7f\x7e\x7d\x7c\x7b"
		"\x60\0\0"
		"\x60\1\x7f\1\x7f"
		"\x60\0\3\x70\x70\x6f"
		"\x5e\x78\1"); // an array of bytes
	PUT_SECTION(&b, 3, 7, "\0\1\2\3\1\2\2");
	PUT_SECTION(&b, 5, 1, "\0\1");
	PUT_SECTION(&b, 7, 7,
		"\4echo\0\0\4trap\0\1\4grow\0\2\4refs\0\3\4spin\0\4"
		"\4nest\0\5\5array\0\6");
	PUT_BODY(&code, "\0\x20\0\x20\1\x20\2\x20\3\x20\4\x0b");
	PUT_BODY(&code, "\0\1\0\x0b");
	PUT_BODY(&code, "\0\x20\0\x40\0\x0b");
	PUT_BODY(&code, "\0\xd0\x70\xd2\0\xd0\x6f\x0b");
	PUT_BODY(&code, "\0\3\x40\x0c\0\x0b\x0b");
	PUT_BODY(&code, "\0\x20\0\x04\x7f\x20\0\x41\1\x6b\x10\5\x41\1\x6a\x05\x41\0\x0b\x0b");
	PUT_BODY(&code, "\0\x20\0\xfb\x07\4\xfb\x0f\x0b");
	put_section(&b, 10, 7, &code);
	write_module(&b);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	return unlink(module_path);
}

static void results_print_one_a_line(void **state)
{
	char out[1024];

	(void)state;
	assert_int_equal(run("--invoke echo -1 0xffffffffffffffff 0.1 -inf "
			     "000102030405060708090a0b0c0d0eff $FILE",
				 out, sizeof(out)),
		0);
	assert_string_equal(out, "i32:-1\ni64:-1\nf32:0.1\nf64:-inf\n"
				 "v128:000102030405060708090a0b0c0d0eff\n");
	assert_int_equal(
		run("--tier interp --invoke echo 4294967295 -9223372036854775808 nan 1e300 "
		    "00000000000000000000000000000000 $FILE",
			out, sizeof(out)),
		0);
	assert_string_equal(out, "i32:-1\ni64:-9223372036854775808\nf32:nan:0x400000\nf64:1e+300\n"
				 "v128:00000000000000000000000000000000\n");
	assert_int_equal(run("--invoke refs $FILE", out, sizeof(out)), 0);
	assert_string_equal(out, "ref:null\nref:func\nref:null\n");
}

static void trap_names_file_offset_and_class(void **state)
{
	char out[1024];
	char wanted[256];

	(void)state;
	assert_int_equal(run("--invoke trap $FILE", out, sizeof(out)), 1);
	snprintf(wanted, sizeof(wanted), "we-run: %s:0x", module_path);
	assert_memory_equal(out, wanted, strlen(wanted));
	assert_non_null(strstr(out, ": trap: unreachable, in function 1\n"));
	assert_non_null(strstr(out, "\n  at function 1 (0x"));
}

static void limits_and_deadline_are_kept(void **state)
{
	char out[1024];

	(void)state;
	assert_int_equal(run("--max-memory-pages 3 --invoke grow 2 $FILE", out, sizeof(out)), 0);
	assert_string_equal(out, "i32:1\n");
	assert_int_equal(run("--max-memory-pages 3 --invoke grow 3 $FILE", out, sizeof(out)), 0);
	assert_string_equal(out, "i32:-1\n");
	assert_int_equal(run("--deadline-us 1000 --invoke spin $FILE", out, sizeof(out)), 1);
	assert_non_null(strstr(out, ": exhausted: deadline exceeded, in function 4\n"));
}

// nest(n) calls itself n times, array(n) makes one of n bytes.
static void limits_of_calls_stack_and_heap_are_kept(void **state)
{
	static const struct {
		const char *arguments;
		const char *out; // NULL: exhausted, by the stack or the heap
	} rows[] = {
		{"--call-depth 100 --invoke nest 99", "i32:99\n"},
		{"--call-depth 100 --invoke nest 100", NULL},
		{"--invoke nest 9999", "i32:9999\n"},
		{"--invoke nest 10000", NULL},
		{"--call-depth 100001 --stack-bytes 16000000 --invoke nest 100000", "i32:100000\n"},
		{"--call-depth 100001 --invoke nest 100000", NULL},
		{"--stack-bytes 4096 --invoke nest 1000", NULL},
		{"--gc-stress --invoke array 50000", "i32:50000\n"},
		{"--max-heap-bytes 100000 --invoke array 50000", "i32:50000\n"},
		{"--max-heap-bytes 100000 --invoke array 100000", NULL},
	};
	char out[4096];

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		char arguments[128];
		int code;

		snprintf(arguments, sizeof(arguments), "%s $FILE", rows[i].arguments);
		code = run(arguments, out, sizeof(out));
		if (code != (rows[i].out == NULL) ||
			(rows[i].out != NULL ? strcmp(out, rows[i].out) != 0
					     : strstr(out, ": exhausted: ") == NULL))
			fail_msg("we-run %s: %d, %s", rows[i].arguments, code, out);
	}
}

static void time_is_one_line(void **state)
{
	char out[1024];
	unsigned long long compile_ns;
	unsigned long long run_ns;
	int end = 0;

	(void)state;
	assert_int_equal(run("--time --invoke grow 0 $FILE", out, sizeof(out)), 0);
	assert_int_equal(sscanf(strchr(out, 'c'), "compile_ns=%llu run_ns=%llu\n%n", &compile_ns,
				 &run_ns, &end),
		2);
	assert_true(end > 0);
}

static void wrong_use_exits_with_2(void **state)
{
	static const char *const uses[] = {
		"",
		"--no-such-option $FILE",
		"--tier fast $FILE",
		"--tier",
		"--cpu",
		"--cpu v9 $FILE",
		"--deadline-us x $FILE",
		"--max-memory-pages 0 $FILE",
		"--max-heap-bytes 0 $FILE",
		"--call-depth -1 $FILE",
		"--call-depth 4294967296 $FILE",
		"--stack-bytes",
		"--invoke",
		"$FILE $FILE",
		"--invoke grow $FILE",
		"--invoke grow 1 2 $FILE",
		"--invoke grow 32abc $FILE",
		"--invoke grow 4294967296 $FILE",
		"--invoke grow -2147483649 $FILE",
	};
	char out[2048];

	(void)state;
	for (size_t i = 0; i < sizeof(uses) / sizeof(uses[0]); i++)
		if (run(uses[i], out, sizeof(out)) != 2 || strncmp(out, "we-run: ", 8) != 0)
			fail_msg("we-run %s: %s", uses[i], out);
}

static void bad_files_exit_with_1(void **state)
{
	char out[1024];

	(void)state;
	assert_int_equal(run("/nonexistent.wasm", out, sizeof(out)), 1);
	assert_non_null(strstr(out, "No such file"));
	assert_int_equal(run("/dev/null", out, sizeof(out)), 1);
	assert_non_null(strstr(out, "/dev/null:0x0: malformed: "));
	assert_int_equal(run("--invoke nothing $FILE", out, sizeof(out)), 1);
	assert_non_null(strstr(out, "no function is exported as \"nothing\""));
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(results_print_one_a_line),
		cmocka_unit_test(trap_names_file_offset_and_class),
		cmocka_unit_test(limits_and_deadline_are_kept),
		cmocka_unit_test(limits_of_calls_stack_and_heap_are_kept),
		cmocka_unit_test(time_is_one_line),
		cmocka_unit_test(wrong_use_exits_with_2),
		cmocka_unit_test(bad_files_exit_with_1),
	};

	program = argc > 1 ? argv[1] : "we-run";
	return cmocka_run_group_tests_name("we_run", tests, setup, teardown);
}
