// SPDX-License-Identifier: BSD-3-Clause
#include "guest.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

uint64_t now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec;
}

uint32_t number(const char *text)
{
	char *end;
	const unsigned long value = strtoul(text, &end, 10);

	if (end == text || *end != '\0' || value >= UINT32_MAX) {
		fprintf(stderr, "%s: a number is wanted\n", text);
		exit(2);
	}
	return (uint32_t)value;
}

void *must_alloc(size_t n, size_t size)
{
	void *at = calloc(n > 0 ? n : 1, size);

	if (at == NULL)
		exit(3);
	return at;
}

struct we_bytes read_file(const char *path)
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

void bytes_free(struct we_bytes bytes)
{
	free((uint8_t *)(uintptr_t)bytes.data);
}

void must(int rc, const struct we_error *err, const char *what)
{
	if (rc == 0)
		return;
	fprintf(stderr, "weir: %s: %s: %s\n", what, we_failure_word(err->rc), err->msg);
	exit(1);
}

void print_ns(const char *name, const uint64_t *ns, uint32_t n)
{
	fputs(name, stdout);
	for (uint32_t i = 0; i < n; i++)
		printf(" %" PRIu64, ns[i]);
	putchar('\n');
}

// ---- tiers --------------------------------------------------------------------------------------

int guest_tier_parse(struct guest_tier *tier, int argc, char **argv)
{
	int i = 0;

	for (; i + 1 < argc; i += 2) {
		if (strcmp(argv[i], "--tier") == 0)
			tier->is_jit = strcmp(argv[i + 1], "jit") == 0;
		else if (strcmp(argv[i], "--jit-program") == 0)
			tier->program = argv[i + 1];
		else if (strcmp(argv[i], "--jit-cache") == 0)
			tier->cache = argv[i + 1];
		else
			break;
	}
	return i;
}

void guest_engine(struct guest *g)
{
	const struct we_engine_config config = {
		.jit_program = g->tier.program,
		.jit_cache = g->tier.cache,
	};
	struct we_error err;

	must(we_engine_create(&config, &g->engine, &err), &err, "engine");
}

void guest_compile(struct guest *g)
{
	const uint64_t begin_ns = now_ns();
	struct we_jit_stats stats;
	struct we_error err;
	int rc;

	if (!g->tier.is_jit)
		return;
	rc = we_module_compile(g->module, &err);
	g->compile_ns = now_ns() - begin_ns;
	if (rc != 1)
		must(rc, &err, "compile");
	we_module_jit_stats(g->module, &stats);
	if (stats.n_funcs_given_up > 0)
		printf("interpreted %" PRIu32 "\n", stats.n_funcs_given_up);
}

// ---- guests -------------------------------------------------------------------------------------

void guest_load(struct guest *g, struct we_bytes bytes)
{
	struct we_error err;

	guest_engine(g);
	must(we_module_create(g->engine, bytes, 0, &g->module, &err), &err, "module");
	guest_compile(g);
}

static void guest_make_import(struct guest *g, struct we_func **ret_func)
{
	static const enum we_kind i32 = WE_I32;
	const struct we_functype *type;
	struct we_error err;

	must(we_functype_create(g->engine, &i32, g->takes_i32, &i32, g->gives_i32, &type, &err),
		&err, "type");
	must(we_func_create_host(g->store, type, g->import, NULL, ret_func, &err), &err, "import");
}

// Make an instance, and let it go: all that "instantiate" times. A store that is used again belongs here.
void guest_instantiate(struct guest *g)
{
	struct we_extern ext = {.kind = WE_EXTERN_FUNC};
	const uint32_t n_imports = we_module_n_imports(g->module);
	struct we_error err;

	if (g->store == NULL)
		must(we_store_create(g->engine, g->limits, &g->store, &err), &err, "store");
	if (n_imports > 0)
		guest_make_import(g, &ext.of.func);
	must(we_instance_create(g->store, g->module, &ext, n_imports, &g->inst, &err), &err,
		"instance");
}

void guest_let_go(struct guest *g)
{
	we_store_reset(g->store);
}

void guest_unload(struct guest *g)
{
	we_store_destroy(g->store);
	we_module_unref(g->module);
	we_engine_destroy(g->engine);
}

struct we_func *guest_export(const struct guest *g, const char *name)
{
	struct we_extern ext;

	if (we_instance_export(g->inst, name, strlen(name), &ext) != 0 ||
		ext.kind != WE_EXTERN_FUNC) {
		fprintf(stderr, "weir: no export %s\n", name);
		exit(1);
	}
	return ext.of.func;
}

uint64_t guest_time_call(struct we_func *func, uint64_t *slots)
{
	const uint64_t begin_ns = now_ns();
	struct we_error err;

	must(we_func_call(func, slots, &err), &err, "call");
	return now_ns() - begin_ns;
}

// ---- run ----------------------------------------------------------------------------------------

static int clock_ms(void *env, uint64_t *slots, struct we_error *err)
{
	(void)env;
	(void)err;
	slots[0] = (uint32_t)(now_ns() / 1000000u);
	return 0;
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
		fputs("weir: a result that no kernel has\n", stderr);
		exit(1);
	}
}

void guest_run(struct guest_tier tier, const char *path, const char *argument, uint32_t warm,
	uint32_t calls)
{
	const char *colon = strchr(argument, ':');
	const uint64_t value = colon != NULL ? strtoull(colon + 1, NULL, 10) : 0;
	const struct we_bytes bytes = read_file(path);
	struct guest g = {.tier = tier, .import = clock_ms, .gives_i32 = true};
	uint64_t *ns = must_alloc(calls, sizeof(*ns));
	uint64_t slots[1] = {0};
	struct we_func *func;

	guest_load(&g, bytes);
	guest_instantiate(&g);
	func = guest_export(&g, "run");
	for (uint32_t i = 0; i < warm + calls; i++) {
		uint64_t took_ns;

		slots[0] = value;
		took_ns = guest_time_call(func, slots);
		if (i >= warm)
			ns[i - warm] = took_ns;
	}
	print_result(func, slots[0]);
	print_ns("call", ns, calls);
	guest_let_go(&g);
	guest_unload(&g);
	free(ns);
	bytes_free(bytes);
}
