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
//	    touched NS...                          the guest's `touch` wrote to each 4 KiB page of its memory between
//	    touch NS...                            what those writes took: here the kernel's part shows
//	interp_weir entry CALLS
//	    enter NS                               a call from the host to an empty function
//	    leave NS                               a call from a guest to the host, its loop's turn taken off
//
// ARGUMENT is i32:N, i64:N or - for none. Modules may import env.clock_ms: () -> i32. The programs in bench/peers take the
// same commands.
#include "we.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static uint64_t now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec;
}

static int clock_ms(void *env, uint64_t *slots, struct we_error *err)
{
	(void)env;
	(void)err;
	slots[0] = (uint32_t)(now_ns() / 1000000u);
	return 0;
}

static int nothing(void *env, uint64_t *slots, struct we_error *err)
{
	(void)env;
	(void)slots;
	(void)err;
	return 0;
}

// Exits on a failure: this is a benchmark.
static void must(int rc, const struct we_error *err, const char *what)
{
	if (rc == 0)
		return;
	fprintf(stderr, "interp_weir: %s: %s: %s\n", what, we_failure_word(err->rc), err->msg);
	exit(1);
}

static void *must_alloc(size_t n, size_t size)
{
	void *at = calloc(n > 0 ? n : 1, size);

	if (at == NULL)
		exit(3);
	return at;
}

// Returns owned.
static struct we_bytes read_file(const char *path)
{
	enum {
		CAP = 1 << 20
	}; // bytes
	uint8_t *bytes = must_alloc(CAP, 1);
	FILE *file = fopen(path, "rb");
	size_t len;

	if (file == NULL) {
		perror(path);
		exit(2);
	}
	len = fread(bytes, 1, CAP, file);
	fclose(file);
	return (struct we_bytes){bytes, len};
}

static void print_ns(const char *name, const uint64_t *ns, uint32_t n)
{
	fputs(name, stdout);
	for (uint32_t i = 0; i < n; i++)
		printf(" %" PRIu64, ns[i]);
	putchar('\n');
}

// A module, and its instance in a store of its own once it has one.
struct guest {
	struct we_engine *engine;
	struct we_module *module;
	struct we_store *store;
	struct we_instance *inst;
	we_host_fn import; // the one function that it may import, without parameters
	bool gives_i32;    // that function does
};

static void guest_load(struct guest *g, struct we_bytes bytes)
{
	struct we_error err;

	must(we_engine_create(NULL, &g->engine, &err), &err, "engine");
	must(we_module_create(g->engine, bytes, 0, &g->module, &err), &err, "module");
}

static void guest_make_import(struct guest *g, struct we_func **ret_func)
{
	static const enum we_kind i32 = WE_I32;
	const struct we_functype *type;
	struct we_error err;

	must(we_functype_create(g->engine, NULL, 0, &i32, g->gives_i32, &type, &err), &err, "type");
	must(we_func_create_host(g->store, type, g->import, NULL, ret_func, &err), &err, "import");
}

// Make an instance, and let it go: all that "instantiate" times. A store that is used again belongs here.
static void guest_instantiate(struct guest *g)
{
	struct we_extern ext = {.kind = WE_EXTERN_FUNC};
	const uint32_t n_imports = we_module_n_imports(g->module);
	struct we_error err;

	if (g->store == NULL)
		must(we_store_create(g->engine, NULL, &g->store, &err), &err, "store");
	if (n_imports > 0)
		guest_make_import(g, &ext.of.func);
	must(we_instance_create(g->store, g->module, &ext, n_imports, &g->inst, &err), &err,
		"instance");
}

static void guest_let_go(struct guest *g)
{
	we_store_reset(g->store);
}

static void guest_unload(struct guest *g)
{
	we_store_destroy(g->store);
	we_module_unref(g->module);
	we_engine_destroy(g->engine);
}

static struct we_func *guest_export(const struct guest *g, const char *name)
{
	struct we_extern ext;

	if (we_instance_export(g->inst, name, strlen(name), &ext) != 0 ||
		ext.kind != WE_EXTERN_FUNC) {
		fprintf(stderr, "interp_weir: no export %s\n", name);
		exit(1);
	}
	return ext.of.func;
}

static uint64_t time_call(struct we_func *func, uint64_t *slots)
{
	const uint64_t begin_ns = now_ns();
	struct we_error err;

	must(we_func_call(func, slots, &err), &err, "call");
	return now_ns() - begin_ns;
}

static void print_result(const struct we_func *func, uint64_t slot)
{
	const uint32_t low = (uint32_t)slot;
	float f32;

	switch (we_functype_result(we_func_type(func), 0)) {
	case WE_I32:
		printf("result %" PRIu32 "\n", low);
		break;
	case WE_I64:
		printf("result %" PRIu64 "\n", slot);
		break;
	case WE_F32:
		memcpy(&f32, &low, sizeof(f32));
		printf("result %.9g\n", (double)f32);
		break;
	default:
		fputs("interp_weir: a result that no kernel has\n", stderr);
		exit(1);
	}
}

static void run(const char *path, const char *argument, uint32_t warm, uint32_t calls)
{
	const char *colon = strchr(argument, ':');
	const uint64_t value = colon != NULL ? strtoull(colon + 1, NULL, 10) : 0;
	const struct we_bytes bytes = read_file(path);
	struct guest g = {.import = clock_ms, .gives_i32 = true};
	uint64_t *ns = must_alloc(calls, sizeof(*ns));
	uint64_t slots[1] = {0};
	struct we_func *func;

	guest_load(&g, bytes);
	guest_instantiate(&g);
	func = guest_export(&g, "run");
	for (uint32_t i = 0; i < warm + calls; i++) {
		uint64_t took_ns;

		slots[0] = value;
		took_ns = time_call(func, slots);
		if (i >= warm)
			ns[i - warm] = took_ns;
	}
	print_result(func, slots[0]);
	print_ns("call", ns, calls);
	guest_let_go(&g);
	guest_unload(&g);
	free(ns);
	free((uint8_t *)(uintptr_t)bytes.data);
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
	free((uint8_t *)(uintptr_t)bytes.data);
}

// Returns the nanoseconds of making and letting go; *ret_touch_ns: of the guest's writes between, where it shall.
static uint64_t instantiate_once(struct guest *g, bool touch, uint64_t *ret_touch_ns)
{
	uint64_t begin_ns = now_ns();
	uint64_t ns;

	guest_instantiate(g);
	ns = now_ns() - begin_ns;
	*ret_touch_ns = touch ? time_call(guest_export(g, "touch"), NULL) : 0;
	begin_ns = now_ns();
	guest_let_go(g);
	return ns + now_ns() - begin_ns;
}

static void instantiate(const char *path, uint32_t count)
{
	const struct we_bytes bytes = read_file(path);
	uint64_t *ns = must_alloc(count, sizeof(*ns));
	uint64_t *touch_ns = must_alloc(count, sizeof(*touch_ns));
	struct guest g = {.import = clock_ms, .gives_i32 = true};

	guest_load(&g, bytes);
	for (uint32_t touch = 0; touch < 2; touch++) {
		uint64_t warm_ns;

		(void)instantiate_once(&g, touch, &warm_ns);
		for (uint32_t i = 0; i < count; i++)
			ns[i] = instantiate_once(&g, touch, &touch_ns[i]);
		print_ns(touch ? "touched" : "untouched", ns, count);
	}
	print_ns("touch", touch_ns, count);
	guest_unload(&g);
	free(touch_ns);
	free(ns);
	free((uint8_t *)(uintptr_t)bytes.data);
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
	empty_ns = time_call(guest_export(&g, "empty"), slots);
	slots[0] = calls;
	calls_ns = time_call(guest_export(&g, "calls"), slots);
	printf("leave %.3f\n", ((double)calls_ns - (double)empty_ns) / calls);
	guest_let_go(&g);
	guest_unload(&g);
}

static uint32_t number(const char *text)
{
	char *end;
	const unsigned long value = strtoul(text, &end, 10);

	if (end == text || *end != '\0' || value >= UINT32_MAX) {
		fprintf(stderr, "interp_weir: %s: a number is wanted\n", text);
		exit(2);
	}
	return (uint32_t)value;
}

int main(int argc, char **argv)
{
	if (argc == 6 && strcmp(argv[1], "run") == 0) {
		run(argv[2], argv[3], number(argv[4]), number(argv[5]));
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
