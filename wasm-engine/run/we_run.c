// SPDX-License-Identifier: BSD-3-Clause
// we-run: runs a core module.
//
//	we-run [OPTION...] [--invoke NAME [ARG...]] FILE.wasm
//
// Results go to stdout, one a line; messages to stderr. Exit: 0 done; 1 the module or the guest was at fault;
// 2 wrong use; 3 the machine refused.
// Owns:   all it makes. Thread: the main one; --deadline-us has a thread that only interrupts.
#include "we.h"

#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum {
	EXIT_DONE = 0,
	EXIT_GUEST = 1,
	EXIT_USAGE = 2,
	EXIT_MACHINE = 3
};

#define BACKTRACE_FRAMES 16

struct options {
	const char *file;
	const char *invoke; // NULL: nothing but the start function and an exported _start
	char **args;        // [n_args]
	uint32_t n_args;
	uint64_t deadline_us; // 0: none
	uint64_t call_depth;  // goes into limits, as the next one
	uint64_t stack_bytes;
	struct we_store_limits limits; // 0: the engine's defaults
	struct we_engine_config config;
	bool is_timed;
	bool is_jit;
};

static uint64_t now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec;
}

// ---- values as text ------------------------------------------------------------------------------

static void print_f32(uint64_t slot)
{
	const uint32_t bits = (uint32_t)slot;
	char text[32];
	float x;

	memcpy(&x, &bits, sizeof(x));
	if (x != x) {
		printf("f32:nan:0x%" PRIx32 "\n", bits & 0x7fffffu);
		return;
	}
	for (int digits = 1; digits <= 9; digits++) {
		snprintf(text, sizeof(text), "%.*g", digits, (double)x);
		if (isinf(x) || strtof(text, NULL) == x)
			break;
	}
	printf("f32:%s\n", text);
}

static void print_f64(uint64_t bits)
{
	char text[32];
	double x;

	memcpy(&x, &bits, sizeof(x));
	if (x != x) {
		printf("f64:nan:0x%" PRIx64 "\n", bits & 0xfffffffffffffu);
		return;
	}
	for (int digits = 1; digits <= 17; digits++) {
		snprintf(text, sizeof(text), "%.*g", digits, x);
		if (isinf(x) || strtod(text, NULL) == x)
			break;
	}
	printf("f64:%s\n", text);
}

static void print_v128(const uint64_t *slots)
{
	uint8_t bytes[16];

	memcpy(bytes, slots, sizeof(bytes));
	printf("v128:");
	for (size_t i = 0; i < sizeof(bytes); i++)
		printf("%02x", bytes[i]);
	printf("\n");
}

static void print_value(enum we_kind kind, const uint64_t *slots)
{
	switch (kind) {
	case WE_I32:
		printf("i32:%" PRId32 "\n", (int32_t)slots[0]);
		break;
	case WE_I64:
		printf("i64:%" PRId64 "\n", (int64_t)slots[0]);
		break;
	case WE_F32:
		print_f32(slots[0]);
		break;
	case WE_F64:
		print_f64(slots[0]);
		break;
	case WE_V128:
		print_v128(slots);
		break;
	case WE_FUNCREF:
		printf("ref:%s\n", slots[0] == 0 ? "null" : "func");
		break;
	case WE_EXTERNREF:
		printf("ref:%s\n", slots[0] == 0 ? "null" : "extern");
		break;
	case WE_ANYREF:
		printf("ref:%s\n", slots[0] == 0 ? "null" : "any");
		break;
	case WE_EXNREF:
		printf("ref:%s\n", slots[0] == 0 ? "null" : "exn");
		break;
	}
}

// Signed or unsigned, decimal or 0x; of at most the given width. Returns: true when text is one.
static bool parse_int(const char *text, uint32_t width, uint64_t *ret)
{
	const bool is_negative = text[0] == '-';
	const uint64_t most = is_negative ? 1ull << (width - 1) : UINT64_MAX >> (64 - width);
	const char *digits = is_negative ? text + 1 : text;
	const bool is_hex = digits[0] == '0' && (digits[1] == 'x' || digits[1] == 'X');
	unsigned long long x;
	char *end;

	if (digits[0] < '0' || digits[0] > '9')
		return false;
	errno = 0;
	x = strtoull(digits, &end, is_hex ? 16 : 10);
	if (*end != '\0' || errno != 0 || x > most)
		return false;
	*ret = is_negative ? 0 - (uint64_t)x : (uint64_t)x;
	return true;
}

static bool parse_v128(const char *text, uint64_t *slots)
{
	uint8_t bytes[16];

	if (strlen(text) != 32)
		return false;
	for (size_t i = 0; i < sizeof(bytes); i++) {
		const char pair[3] = {text[2 * i], text[2 * i + 1], '\0'};
		char *end;

		bytes[i] = (uint8_t)strtoul(pair, &end, 16);
		if (end != pair + 2 || pair[0] == '-' || pair[0] == '+' || pair[0] == ' ')
			return false;
	}
	memcpy(slots, bytes, sizeof(bytes));
	return true;
}

static bool parse_value(const char *text, enum we_kind kind, uint64_t *slots)
{
	uint32_t bits;
	float f;
	double d;
	char *end;

	switch (kind) {
	case WE_I32:
		return parse_int(text, 32, slots);
	case WE_I64:
		return parse_int(text, 64, slots);
	case WE_F32:
		f = strtof(text, &end);
		memcpy(&bits, &f, sizeof(bits));
		slots[0] = bits;
		return *end == '\0' && end != text;
	case WE_F64:
		d = strtod(text, &end);
		memcpy(slots, &d, sizeof(d));
		return *end == '\0' && end != text;
	case WE_V128:
		return parse_v128(text, slots);
	case WE_FUNCREF:
	case WE_EXTERNREF:
	case WE_ANYREF:
	case WE_EXNREF:
		slots[0] = 0;
		return strcmp(text, "null") == 0;
	}
	return false;
}

// ---- the command line ----------------------------------------------------------------------------

static const char usage_text[] =
	"usage: we-run [--tier interp|jit] [--cpu v1|v2|v3|v4|native] [--explicit-checks] "
	"[--time]\n"
	"              [--deadline-us N] [--max-memory-pages N]\n"
	"              [--max-heap-bytes N] [--call-depth N] [--stack-bytes N]\n"
	"              [--deterministic] [--gc-stress] [--invoke NAME [ARG...]] FILE.wasm\n";

// Returns: 0.
static int usage(const char *what, const char *text)
{
	fprintf(stderr, "we-run: %s%s\n%s", what, text, usage_text);
	return 0;
}

static void help(void)
{
	printf("%s\n"
	       "Runs a core WebAssembly module: its start function, then _start or the function "
	       "NAME.\n"
	       "Results go to stdout, one a line. It may import env.clock_ms: () -> i32.\n\n"
	       "  --invoke NAME [ARG...]  call the exported function: numbers, decimal or 0x; v128 "
	       "as\n"
	       "                          32 hexadecimal digits, byte 0 first; null\n"
	       "  --time                  compile_ns=N run_ns=N to stderr\n"
	       "  --deadline-us N         end a call that takes longer\n"
	       "  --max-memory-pages N    64 KiB pages of each memory\n"
	       "  --max-heap-bytes N      garbage-collected objects and the collector's tables\n"
	       "  --call-depth N          calls in each other, in the interpreter\n"
	       "  --stack-bytes N         stack of the guest's calls\n"
	       "  --deterministic         relaxed SIMD gives the same results on every machine\n"
	       "  --gc-stress             collect at every allocation, poison what is freed\n"
	       "  --tier interp|jit       interpreter, or machine code made before the first call\n"
	       "  --cpu LEVEL             what machine code may use: x86-64 v2, v3, v4, native; v1 "
	       "is\n"
	       "                          below the floor and means the interpreter\n"
	       "  --explicit-checks       compare every address: no signal handler is needed\n\n"
	       "Exit: 0 done; 1 the module or the guest was at fault; 2 wrong use; 3 the machine "
	       "refused.\n",
		usage_text);
}

// The number after an option. Returns: false when there is none above 0.
static bool parse_number(const char *text, uint64_t *ret)
{
	return text != NULL && text[0] != '-' && parse_int(text, 64, ret) && *ret > 0;
}

// Does the option take a number? Where it goes, its unit in *ret_unit; NULL when it is another option.
static uint64_t *find_number(struct options *o, const char *flag, const char **ret_unit)
{
	const struct {
		const char *flag;
		const char *unit;
		uint64_t *to;
	} numbers[] = {
		{"--deadline-us", "microseconds", &o->deadline_us},
		{"--max-memory-pages", "pages", &o->limits.memory_pages},
		{"--max-heap-bytes", "bytes", &o->limits.heap_bytes},
		{"--call-depth", "calls", &o->call_depth},
		{"--stack-bytes", "bytes", &o->stack_bytes},
	};

	for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++) {
		if (strcmp(flag, numbers[i].flag) == 0) {
			*ret_unit = numbers[i].unit;
			return numbers[i].to;
		}
	}
	return NULL;
}

// One option at argv[i]. Returns: how many words it took, 0 after a message.
static int parse_option(int argc, char **argv, int i, struct options *o)
{
	const char *flag = argv[i];
	const char *value = i + 1 < argc ? argv[i + 1] : NULL;
	const char *unit = NULL;
	uint64_t *number = find_number(o, flag, &unit);
	char what[64];

	if (number != NULL) {
		if (parse_number(value, number))
			return 2;
		snprintf(what, sizeof(what), "a number of %s must follow ", unit);
		return usage(what, flag);
	}
	if (strcmp(flag, "--time") == 0) {
		o->is_timed = true;
		return 1;
	}
	if (strcmp(flag, "--deterministic") == 0) {
		o->config.deterministic = true;
		return 1;
	}
	if (strcmp(flag, "--gc-stress") == 0) {
		o->config.gc_stress = true;
		return 1;
	}
	if (strcmp(flag, "--explicit-checks") == 0) {
		o->config.explicit_checks = true;
		return 1;
	}
	if (strcmp(flag, "--cpu") == 0) {
		o->config.jit_cpu = value;
		if (value != NULL && we_cpu_is_known(value))
			return 2;
		return usage("v1, v2, v3, v4 or native must follow ", flag);
	}
	if (strcmp(flag, "--tier") == 0) {
		o->is_jit = value != NULL && strcmp(value, "jit") == 0;
		if (o->is_jit || (value != NULL && strcmp(value, "interp") == 0))
			return 2;
		return usage("interp or jit must follow ", flag);
	}
	if (strcmp(flag, "--invoke") == 0) {
		o->invoke = value;
		return value != NULL ? 2 : usage("a name must follow ", flag);
	}
	return usage("unknown option ", flag);
}

// Options stand anywhere; of the other words the last is the file, those before it are arguments.
static int parse_options(int argc, char **argv, struct options *o)
{
	uint32_t n_words = 0;

	o->args = argv;
	for (int i = 1; i < argc;) {
		if (strncmp(argv[i], "--", 2) == 0) {
			const int n = parse_option(argc, argv, i, o);

			if (n == 0)
				return EXIT_USAGE;
			i += n;
		} else {
			argv[n_words++] = argv[i++];
		}
	}
	if (n_words == 0) {
		usage("no file", "");
		return EXIT_USAGE;
	}
	if (o->call_depth > UINT32_MAX || o->stack_bytes > UINT32_MAX) {
		usage("--call-depth and --stack-bytes are below 4294967296", "");
		return EXIT_USAGE;
	}
	o->limits.call_depth = (uint32_t)o->call_depth;
	o->limits.stack_bytes = (uint32_t)o->stack_bytes;
	o->file = argv[n_words - 1];
	o->n_args = n_words - 1;
	if (o->invoke == NULL && o->n_args > 0) {
		usage("more than one file: ", argv[1]);
		return EXIT_USAGE;
	}
	return EXIT_DONE;
}

// ---- running -------------------------------------------------------------------------------------

// What a run holds; destroyed in one place.
struct run {
	struct options options;
	struct we_engine *engine;
	struct we_module *module;
	struct we_store *store;
	uint8_t *bytes;
	size_t n_bytes;
	uint64_t compile_ns;
	uint64_t run_ns;
	struct we_error err;
	pthread_mutex_t lock; // of is_over
	pthread_cond_t over;
	bool is_over;
	uint64_t start_ns;
};

static int report(const struct run *run)
{
	const struct we_error *err = &run->err;
	struct we_frame frames[BACKTRACE_FRAMES];
	char text[WE_ERROR_TEXT];
	uint32_t n = 0;

	we_error_print(err, text, sizeof(text));
	fprintf(stderr, "we-run: %s:%s\n", run->options.file, text);
	if (run->store != NULL && (err->rc == WE_E_TRAP || err->rc == WE_E_EXHAUSTED))
		n = we_store_backtrace(run->store, frames, BACKTRACE_FRAMES);
	for (uint32_t i = 0; i < n; i++) {
		we_frame_print(&frames[i], text, sizeof(text));
		fprintf(stderr, "  %s\n", text);
	}
	return err->rc == WE_E_NOMEM || err->rc == WE_E_HOST ? EXIT_MACHINE : EXIT_GUEST;
}

static int report_nomem(struct run *run)
{
	(void)we_error_set(&run->err, WE_E_NOMEM, 0, "out of memory");
	return report(run);
}

static int read_file(struct run *run)
{
	FILE *file = fopen(run->options.file, "rb");
	size_t cap = 0;
	int failed = errno;

	while (file != NULL && !feof(file) && !ferror(file)) {
		uint8_t *bytes;

		if (run->n_bytes == cap) {
			cap = cap == 0 ? 65536 : 2 * cap;
			bytes = realloc(run->bytes, cap);
			if (bytes == NULL)
				break;
			run->bytes = bytes;
		}
		run->n_bytes += fread(run->bytes + run->n_bytes, 1, cap - run->n_bytes, file);
		failed = errno;
	}
	if (file != NULL && feof(file)) {
		fclose(file);
		return EXIT_DONE;
	}
	if (file != NULL)
		fclose(file);
	fprintf(stderr, "we-run: %s: host: %s\n", run->options.file, strerror(failed));
	return failed == EACCES || failed == EPERM || failed == ENOMEM ? EXIT_MACHINE : EXIT_GUEST;
}

// env.clock_ms: () -> i32, milliseconds since the start; wraps.
static int clock_ms(void *env, uint64_t *slots, struct we_error *err)
{
	const struct run *run = env;

	(void)err;
	slots[0] = (uint32_t)((now_ns() - run->start_ns) / 1000000u);
	return 0;
}

// Instantiate with what this program has: env.clock_ms.
static int instantiate(struct run *run, struct we_instance **ret)
{
	const enum we_kind result = WE_I32;
	const struct we_functype *type;
	struct we_linker *linker;
	int rc;

	rc = we_linker_create(run->store, &linker, &run->err);
	if (rc != 0)
		return rc;
	rc = we_functype_create(run->engine, NULL, 0, &result, 1, &type, &run->err);
	if (rc == 0)
		rc = we_linker_define_func(
			linker, "env", "clock_ms", type, clock_ms, run, &run->err);
	if (rc == 0)
		rc = we_linker_instantiate(linker, run->module, ret, &run->err);
	we_linker_destroy(linker);
	return rc;
}

// Interrupt whatever entry runs once the time is up.
static void *watch(void *arg)
{
	struct run *run = arg;
	uint64_t due_ns = now_ns() + run->options.deadline_us * 1000u;

	pthread_mutex_lock(&run->lock);
	while (!run->is_over) {
		const struct timespec at = {
			.tv_sec = (time_t)(due_ns / 1000000000u),
			.tv_nsec = (long)(due_ns % 1000000000u),
		};

		if (pthread_cond_timedwait(&run->over, &run->lock, &at) == 0)
			continue;
		if (we_store_entry(run->store) != 0)
			we_store_interrupt(run->store, we_store_entry(run->store));
		due_ns = now_ns() + 100000u; // between two entries: look again
	}
	pthread_mutex_unlock(&run->lock);
	return NULL;
}

// Parse the arguments, call, and print the results.
static int invoke(struct run *run, const char *name, struct we_func *func)
{
	const struct we_functype *type = we_func_type(func);
	const uint32_t n_params = we_functype_n_params(type);
	uint64_t *slots = calloc(we_functype_n_slots(type) + 2, sizeof(*slots));
	uint64_t *at = slots;
	uint64_t begin_ns;
	int code = EXIT_DONE;

	if (slots == NULL)
		return report_nomem(run);
	if (run->options.invoke != NULL && run->options.n_args != n_params) {
		fprintf(stderr, "we-run: %s takes %" PRIu32 " arguments, not %" PRIu32 "\n", name,
			n_params, run->options.n_args);
		code = EXIT_USAGE;
	}
	for (uint32_t i = 0; i < n_params && code == EXIT_DONE; i++) {
		const enum we_kind kind = we_functype_param(type, i);

		if (!parse_value(run->options.args[i], kind, at)) {
			fprintf(stderr, "we-run: argument %" PRIu32 " of %s: %s is no such value\n",
				i + 1, name, run->options.args[i]);
			code = EXIT_USAGE;
		}
		at += kind == WE_V128 ? 2 : 1;
	}
	if (code == EXIT_DONE) {
		begin_ns = now_ns();
		if (we_func_call(func, slots, &run->err) != 0)
			code = report(run);
		run->run_ns = now_ns() - begin_ns;
	}
	at = slots;
	for (uint32_t i = 0; i < we_functype_n_results(type) && code == EXIT_DONE; i++) {
		const enum we_kind kind = we_functype_result(type, i);

		print_value(kind, at);
		at += kind == WE_V128 ? 2 : 1;
	}
	free(slots);
	return code;
}

static int run_instance(struct run *run)
{
	const char *name = run->options.invoke != NULL ? run->options.invoke : "_start";
	struct we_instance *inst;
	struct we_extern ext;

	run->start_ns = now_ns();
	if (instantiate(run, &inst) != 0)
		return report(run);
	if (we_instance_export(inst, name, strlen(name), &ext) == 0 && ext.kind == WE_EXTERN_FUNC)
		return invoke(run, name, ext.of.func);
	if (run->options.invoke == NULL)
		return EXIT_DONE;
	fprintf(stderr, "we-run: %s: no function is exported as \"%s\"\n", run->options.file, name);
	return EXIT_GUEST;
}

static int run_watched(struct run *run)
{
	pthread_condattr_t attr;
	pthread_t thread;
	int code;

	if (run->options.deadline_us == 0)
		return run_instance(run);
	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_mutex_init(&run->lock, NULL);
	pthread_cond_init(&run->over, &attr);
	if (pthread_create(&thread, NULL, watch, run) != 0) {
		fprintf(stderr, "we-run: host: no thread for the deadline\n");
		return EXIT_MACHINE;
	}
	code = run_instance(run);
	pthread_mutex_lock(&run->lock);
	run->is_over = true;
	pthread_cond_signal(&run->over);
	pthread_mutex_unlock(&run->lock);
	pthread_join(thread, NULL);
	return code;
}

// Native code was asked for: say once if some of it is not.
static void compile(struct run *run)
{
	const int rc = we_module_compile(run->module, &run->err);
	struct we_jit_stats stats;

	we_module_jit_stats(run->module, &stats);
	if (rc < 0)
		fprintf(stderr, "we-run: %s: %s: the interpreter runs it\n", run->options.file,
			run->err.msg);
	else if (rc > 0)
		fprintf(stderr, "we-run: %s: %u of %u functions stay in the interpreter: %s\n",
			run->options.file, stats.n_funcs - stats.n_funcs_native, stats.n_funcs,
			stats.last_failure);
}

static int run_file(struct run *run)
{
	const uint64_t begin_ns = now_ns();
	int code;

	if (we_engine_create(&run->options.config, &run->engine, &run->err) != 0 ||
		we_module_create(run->engine, (struct we_bytes){run->bytes, run->n_bytes}, 0,
			&run->module, &run->err) != 0)
		return report(run);
	if (run->options.is_jit)
		compile(run);
	run->compile_ns = now_ns() - begin_ns;
	if (we_store_create(run->engine, &run->options.limits, &run->store, &run->err) != 0)
		return report(run);
	code = run_watched(run);
	if (run->options.is_timed)
		fprintf(stderr, "compile_ns=%" PRIu64 " run_ns=%" PRIu64 "\n", run->compile_ns,
			run->run_ns);
	return code;
}

int main(int argc, char **argv)
{
	static struct run run;
	int code;

	if (argc == 2 && strcmp(argv[1], "--help") == 0) {
		help();
		return EXIT_DONE;
	}
	code = parse_options(argc, argv, &run.options);
	if (code != EXIT_DONE)
		return code;
	code = read_file(&run);
	if (code == EXIT_DONE)
		code = run_file(&run);
	we_store_destroy(run.store);
	we_module_unref(run.module);
	we_engine_destroy(run.engine);
	free(run.bytes);
	return code;
}
