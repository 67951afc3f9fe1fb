// SPDX-License-Identifier: BSD-3-Clause
// The weir side of bench/jit: a tier inside one process. First the tier's options (guest.h), then
//
//	jit_weir run FILE ARGUMENT WARM CALLS      as interp_weir.c says
//	jit_weir module FILE                       writes the module that `calls` runs, for the peers
//	jit_weir calls COUNT                       nanoseconds each, of COUNT; many such, and again under the name and
//	                                           `-quiet` those before and after which the core was ours
//	    enter NS...                            the host calls (i32, i32) -> i32
//	    import NS...                           a turn of a loop that calls the host: (i32) -> i32
//	    same NS...                             a turn of a loop with a call_indirect, always of the same function
//	    turns NS...                            the same loop, of two functions in turn
//	    open-same NS..., open-turns NS...      both by a table that the module writes, so that no compiler knows its elements
//	jit_weir compile FILE                      all of a module; give no cache to it
//	    cpu NS                                 what the compiler's process took, from its start to its end
//	    wall NS                                what the caller waited
//	jit_weir load FILE COUNT                   COUNT times an engine that finds the code in the cache; once more before, to fill it
//	    module NS...                           we_module_create
//	    code NS...                             its code from the cache
#include "guest.h"
#include "quiet.h"

#include "../wasm-engine/interp/test_draft.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

enum {
	SLICES = 201,
};

static int next(void *env, uint64_t *slots, struct we_error *err)
{
	(void)env;
	(void)err;
	slots[0] = (uint32_t)slots[0] + 1;
	return 0;
}

// ---- calls --------------------------------------------------------------------------------------

#define TURN_ENDS " local.get 0 i32.const 1 i32.sub local.tee 0 br_if 0 end "

// Turns, and two elements, of which each turn calls the first and swaps both.
#define INDIRECT(table)                                                                            \
	"loop void local.get 3 local.get 1 call_indirect 0 " table                                 \
	" local.set 3 local.get 1 local.get 2 local.set 1 local.set 2" TURN_ENDS "local.get 3"

static struct we_bytes calls_module(void)
{
	static struct bytes b;
	static struct draft d;
	uint32_t step;

	draft_begin(&d);
	draft_type(&d, "func i32 -> i32");
	draft_type(&d, "func i32 i32 -> i32");
	draft_type(&d, "func i32 i32 i32 -> i32");
	draft_import_func(&d, 0);
	draft_table(&d, "funcref", 2);
	draft_table(&d, "funcref", 2);
	step = draft_func(&d, 0, "", "local.get 0 i32.const 1 i32.add", NULL);
	// Longer by more than a constant's byte: Zen's predictor of targets knows a way by how long its pieces are, in words
	// of 4 bytes, and takes two functions of equal length for one.
	draft_func(&d, 0, "", "local.get 0 i32.const 0x12345 i32.xor", NULL);
	draft_elem_funcs(&d, true, step, 2);
	draft_func(&d, 1, "", "local.get 0 local.get 1 i32.add", "add");
	// Calls that do not wait for each other's results.
	draft_func(&d, 0, "i32",
		"loop void local.get 0 call 0 local.get 1 i32.add local.set 1" TURN_ENDS
		"local.get 1",
		"import");
	draft_func(&d, 2, "i32", INDIRECT("0"), "indirect");
	draft_func(&d, 2, "i32",
		"i32.const 0 i32.const 0 i32.const 2 table.copy 1 0 " INDIRECT("1"), "open");
	draft_end(&d, &b);
	return (struct we_bytes){b.data, b.len};
}

static void write_module(const char *path)
{
	const struct we_bytes bytes = calls_module();
	FILE *file = fopen(path, "wb");

	if (file == NULL || fwrite(bytes.data, 1, bytes.len, file) != bytes.len ||
		fclose(file) != 0) {
		perror(path);
		exit(1);
	}
}

// The nanoseconds of each of count calls or turns.
typedef double slice_fn(struct we_func *func, uint32_t count, uint32_t second);

static double time_enter(struct we_func *add, uint32_t count, uint32_t second)
{
	uint64_t slots[2] = {0, second};
	const uint64_t begin_ns = now_ns();
	struct we_error err;

	// Each call adds to the result of the one before, which stays where it is.
	for (uint32_t i = 0; i < count; i++)
		if (we_func_call(add, slots, &err) != 0)
			must(1, &err, "add");
	if ((uint32_t)slots[0] != count * second)
		exit(1);
	return (double)(now_ns() - begin_ns) / count;
}

static double time_turns(struct we_func *func, uint32_t count, uint32_t second)
{
	uint64_t slots[3] = {count, 0, second};

	return (double)guest_time_call(func, slots) / count;
}

static void print_slices(
	const char *key, slice_fn *time, struct we_func *func, uint32_t count, uint32_t second)
{
	double ns[SLICES];
	bool is_quiet[SLICES + 1];

	is_quiet[0] = quiet_moment();
	for (uint32_t i = 0; i < SLICES; i++) {
		ns[i] = time(func, count, second);
		is_quiet[i + 1] = quiet_moment();
	}
	printf("%s", key);
	for (uint32_t i = 0; i < SLICES; i++)
		printf(" %.3f", ns[i]);
	printf("\n%s-quiet", key);
	for (uint32_t i = 0; i < SLICES; i++)
		if (is_quiet[i] && is_quiet[i + 1])
			printf(" %.3f", ns[i]);
	putchar('\n');
}

static void calls(struct guest_tier tier, uint32_t count)
{
	struct guest g = {.tier = tier, .import = next, .takes_i32 = true, .gives_i32 = true};

	guest_load(&g, calls_module());
	guest_instantiate(&g);
	print_slices("enter", time_enter, guest_export(&g, "add"), count, 1);
	print_slices("import", time_turns, guest_export(&g, "import"), count, 0);
	print_slices("same", time_turns, guest_export(&g, "indirect"), count, 0);
	print_slices("turns", time_turns, guest_export(&g, "indirect"), count, 1);
	print_slices("open-same", time_turns, guest_export(&g, "open"), count, 0);
	print_slices("open-turns", time_turns, guest_export(&g, "open"), count, 1);
	guest_unload(&g);
}

// ---- code ---------------------------------------------------------------------------------------

static uint64_t children_ns(void)
{
	struct rusage usage;

	getrusage(RUSAGE_CHILDREN, &usage);
	return (uint64_t)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) * 1000000000u +
	       (uint64_t)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) * 1000u;
}

static void compile(struct guest_tier tier, const char *path)
{
	const struct we_bytes bytes = read_file(path);
	struct guest g = {.tier = tier};
	uint64_t ns;

	guest_load(&g, bytes);
	guest_unload(&g); // which waits for the compiler's process
	ns = children_ns();
	print_ns("cpu", &ns, 1);
	print_ns("wall", &g.compile_ns, 1);
	bytes_free(bytes);
}

static void load(struct guest_tier tier, const char *path, uint32_t count)
{
	const struct we_bytes bytes = read_file(path);
	uint64_t *module_ns = must_alloc(count, sizeof(*module_ns));
	uint64_t *code_ns = must_alloc(count, sizeof(*code_ns));

	for (uint32_t i = 0; i <= count; i++) {
		struct guest g = {.tier = tier};
		struct we_error err;
		uint64_t begin_ns;

		guest_engine(&g);
		begin_ns = now_ns();
		must(we_module_create(g.engine, bytes, 0, &g.module, &err), &err, path);
		if (i > 0)
			module_ns[i - 1] = now_ns() - begin_ns;
		guest_compile(&g);
		if (i > 0) {
			struct we_jit_stats stats;

			code_ns[i - 1] = g.compile_ns;
			we_module_jit_stats(g.module, &stats);
			if (stats.n_funcs_cached != stats.n_funcs_native) {
				fputs("jit_weir: the cache has no such code\n", stderr);
				exit(1);
			}
		}
		guest_unload(&g);
	}
	print_ns("module", module_ns, count);
	print_ns("code", code_ns, count);
	free(code_ns);
	free(module_ns);
	bytes_free(bytes);
}

int main(int argc, char **argv)
{
	struct guest_tier tier = {0};
	const int taken = guest_tier_parse(&tier, argc - 1, argv + 1);
	const int n = argc - 1 - taken;
	char **words = argv + 1 + taken;

	if (n == 5 && strcmp(words[0], "run") == 0) {
		guest_run(tier, words[1], words[2], number(words[3]), number(words[4]));
	} else if (n == 2 && strcmp(words[0], "module") == 0) {
		write_module(words[1]);
	} else if (n == 2 && strcmp(words[0], "calls") == 0 && number(words[1]) > 0) {
		calls(tier, number(words[1]));
	} else if (n == 2 && strcmp(words[0], "compile") == 0) {
		compile(tier, words[1]);
	} else if (n == 3 && strcmp(words[0], "load") == 0) {
		load(tier, words[1], number(words[2]));
	} else {
		fputs("usage: jit_weir [--tier interp|jit] [--jit-program FILE] [--jit-cache DIR]\n"
		      "       run FILE ARGUMENT WARM CALLS | module FILE | calls COUNT | "
		      "compile FILE | load FILE COUNT\n",
			stderr);
		return 2;
	}
	return 0;
}
