// SPDX-License-Identifier: BSD-3-Clause
// The weir side of bench/interp: times the interpreter inside one process and prints nanoseconds.
//
//	interp_weir run FILE ARGUMENT WARM CALLS   one instance; WARM calls of `run`, then CALLS timed ones
//	    result VALUE                           of the last call: integers unsigned
//	    call NS...
//	interp_weir compile FILE COUNT             decoded, validated and translated
//	    engine NS
//	    first NS                               the first module of this process
//	    compile NS...                          the COUNT that follow
//	interp_weir instantiate FILE COUNT         made and let go
//	    untouched NS...
//	    untouched-quiet NS...                  of these the ones before and after which nobody shared the core
//	    touched NS...                          the guest's `touch` wrote to each 4 KiB page of its memory between
//	    touched-quiet NS...
//	    touch NS...                            what those writes took: here the kernel's part shows
//	interp_weir entry CALLS
//	    enter NS                               a call from the host to an empty function
//	    leave NS                               a call from a guest to the host, its loop's turn taken off
//
// ARGUMENT is i32:N, i64:N or - for none. Modules may import env.clock_ms: () -> i32. The programs in bench/peers take the
// same commands.
#include "guest.h"
#include "quiet.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
	BATCH = 8, // instances between two looks at the core
};

static int nothing(void *env, uint64_t *slots, struct we_error *err)
{
	(void)env;
	(void)slots;
	(void)err;
	return 0;
}

static void compile(const char *path, uint32_t count)
{
	const struct we_bytes bytes = read_file(path);
	uint64_t *ns = must_alloc((size_t)count + 1, sizeof(*ns));
	struct we_engine *engine;
	struct we_module *module;
	struct we_error err;
	uint64_t begin_ns = now_ns();

	must(we_engine_create(NULL, &engine, &err), &err, "engine");
	begin_ns = now_ns() - begin_ns;
	print_ns("engine", &begin_ns, 1);
	for (uint32_t i = 0; i <= count; i++) {
		begin_ns = now_ns();
		must(we_module_create(engine, bytes, 0, &module, &err), &err, path);
		ns[i] = now_ns() - begin_ns;
		we_module_unref(module);
	}
	print_ns("first", ns, 1);
	print_ns("compile", ns + 1, count);
	we_engine_destroy(engine);
	free(ns);
	bytes_free(bytes);
}

// Returns the nanoseconds of making and letting go; *ret_touch_ns: of the guest's writes between, where it shall.
static uint64_t instantiate_once(struct guest *g, bool touch, uint64_t *ret_touch_ns)
{
	uint64_t begin_ns = now_ns();
	uint64_t ns;

	guest_instantiate(g);
	ns = now_ns() - begin_ns;
	*ret_touch_ns = touch ? guest_time_call(guest_export(g, "touch"), NULL) : 0;
	begin_ns = now_ns();
	guest_let_go(g);
	return ns + now_ns() - begin_ns;
}

// One after the other, all into ns, those of quiet batches into quiet_ns, too. Returns: how many these are.
static uint32_t instantiate_many(struct guest *g, bool touch, uint32_t count, uint64_t *ns,
	uint64_t *touch_ns, uint64_t *quiet_ns)
{
	bool was_quiet = quiet_moment();
	uint32_t n_quiet = 0;

	for (uint32_t begin = 0; begin < count; begin += BATCH) {
		const uint32_t n = count - begin < BATCH ? count - begin : BATCH;
		bool is_quiet;

		for (uint32_t i = begin; i < begin + n; i++)
			ns[i] = instantiate_once(g, touch, &touch_ns[i]);
		is_quiet = quiet_moment();
		if (was_quiet && is_quiet) {
			memcpy(quiet_ns + n_quiet, ns + begin, n * sizeof(*ns));
			n_quiet += n;
		}
		was_quiet = is_quiet;
	}
	return n_quiet;
}

static void instantiate(const char *path, uint32_t count)
{
	const struct we_bytes bytes = read_file(path);
	uint64_t *ns = must_alloc(count, sizeof(*ns));
	uint64_t *touch_ns = must_alloc(count, sizeof(*touch_ns));
	uint64_t *quiet_ns = must_alloc(count, sizeof(*quiet_ns));
	struct guest g = {.import = nothing, .gives_i32 = true};

	guest_load(&g, bytes);
	for (uint32_t touch = 0; touch < 2; touch++) {
		uint64_t warm_ns;
		uint32_t n_quiet;

		(void)instantiate_once(&g, touch, &warm_ns);
		n_quiet = instantiate_many(&g, touch, count, ns, touch_ns, quiet_ns);
		print_ns(touch ? "touched" : "untouched", ns, count);
		print_ns(touch ? "touched-quiet" : "untouched-quiet", quiet_ns, n_quiet);
	}
	print_ns("touch", touch_ns, count);
	guest_unload(&g);
	free(quiet_ns);
	free(touch_ns);
	free(ns);
	bytes_free(bytes);
}

// (import "m" "h" (func)) (func (export "nop")) (func (export "empty") (param i32) loop n times)
// (func (export "calls") (param i32) loop n times: call the import)
static const uint8_t entry_wasm[] = "\0asm\1\0\0\0"
				    "\1\x08\2\x60\0\0\x60\1\x7f\0"
				    "\2\x07\1\1m\1h\0\0"
				    "\3\4\3\0\1\1"
				    "\7\x17\3\3nop\0\1\5empty\0\2\5calls\0\3"
				    "\x0a\x24\3\2\0\x0b"
				    "\x0e\0\3\x40\x20\0\x41\1\x6b\x22\0\x0d\0\x0b\x0b"
				    "\x10\0\3\x40\x10\0\x20\0\x41\1\x6b\x22\0\x0d\0\x0b\x0b";

static void entry(uint32_t calls)
{
	struct guest g = {.import = nothing};
	struct we_func *nop;
	struct we_error err;
	uint64_t slots[1];
	uint64_t begin_ns;
	uint64_t empty_ns;
	uint64_t calls_ns;

	guest_load(&g, (struct we_bytes){entry_wasm, sizeof(entry_wasm) - 1});
	guest_instantiate(&g);
	nop = guest_export(&g, "nop");
	begin_ns = now_ns();
	for (uint32_t i = 0; i < calls; i++)
		must(we_func_call(nop, slots, &err), &err, "nop");
	printf("enter %.3f\n", (double)(now_ns() - begin_ns) / calls);
	slots[0] = calls;
	empty_ns = guest_time_call(guest_export(&g, "empty"), slots);
	slots[0] = calls;
	calls_ns = guest_time_call(guest_export(&g, "calls"), slots);
	printf("leave %.3f\n", ((double)calls_ns - (double)empty_ns) / calls);
	guest_let_go(&g);
	guest_unload(&g);
}

int main(int argc, char **argv)
{
	if (argc == 6 && strcmp(argv[1], "run") == 0) {
		guest_run(
			(struct guest_tier){0}, argv[2], argv[3], number(argv[4]), number(argv[5]));
	} else if (argc == 4 && strcmp(argv[1], "compile") == 0) {
		compile(argv[2], number(argv[3]));
	} else if (argc == 4 && strcmp(argv[1], "instantiate") == 0) {
		instantiate(argv[2], number(argv[3]));
	} else if (argc == 3 && strcmp(argv[1], "entry") == 0 && number(argv[2]) > 0) {
		entry(number(argv[2]));
	} else {
		fputs("usage: interp_weir run FILE ARGUMENT WARM CALLS | compile FILE COUNT | "
		      "instantiate FILE COUNT | entry CALLS\n",
			stderr);
		return 2;
	}
	return 0;
}
