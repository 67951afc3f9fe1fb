// SPDX-License-Identifier: BSD-3-Clause
// What ws_wrap refuses, by name, and that what it makes is a component that the decoder accepts.

#include "bytes.h"
#include "cm.h"
#include "world.h"
#include "ws.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define NAMES(X)                                                                                   \
	X(WRAP_ROOT, "[waitable-set-new]", "", "i")                                                \
	X(WRAP_ROOT, "[waitable-set-wait]", "ii", "i")                                             \
	X(WRAP_ROOT, "[waitable-set-poll]", "ii", "i")                                             \
	X(WRAP_ROOT, "[waitable-set-drop]", "i", "")                                               \
	X(WRAP_ROOT, "[waitable-join]", "ii", "")                                                  \
	X(WRAP_ROOT, "[subtask-drop]", "i", "")                                                    \
	X(WRAP_ROOT, "[async-lower][subtask-cancel]", "i", "i")                                    \
	X(WRAP_ROOT, "[context-get-0]", "", "i")                                                   \
	X(WRAP_ROOT, "[context-set-1]", "i", "")                                                   \
	X(WRAP_ROOT, "[backpressure-inc]", "", "")                                                 \
	X(WRAP_ROOT, "[thread-yield]", "", "i")                                                    \
	X(WRAP_BUILTINS, "[task-return]process", "ii", "")                                         \
	X(WRAP_BUILTINS, "[task-cancel]", "", "")                                                  \
	X(WRAP_BUILTINS, "[stream-new-0]process", "", "l")                                         \
	X(WRAP_BUILTINS, "[async-lower][stream-read-0]process", "iii", "i")                        \
	X(WRAP_BUILTINS, "[async-lower][stream-write-1]process", "iii", "i")                       \
	X(WRAP_BUILTINS, "[stream-cancel-read-0]process", "i", "i")                                \
	X(WRAP_BUILTINS, "[async-lower][stream-cancel-write-1]process", "i", "i")                  \
	X(WRAP_BUILTINS, "[stream-drop-readable-0]process", "i", "")                               \
	X(WRAP_BUILTINS, "[stream-drop-writable-1]process", "i", "")                               \
	X(WRAP_BUILTINS, "[future-new-2]process", "", "l")                                         \
	X(WRAP_BUILTINS, "[async-lower][future-read-2]process", "ii", "i")                         \
	X(WRAP_BUILTINS, "[async-lower][future-write-2]process", "ii", "i")                        \
	X(WRAP_BUILTINS, "[future-cancel-read-2]process", "i", "i")                                \
	X(WRAP_BUILTINS, "[future-cancel-write-2]process", "i", "i")                               \
	X(WRAP_BUILTINS, "[future-drop-readable-2]process", "i", "")                               \
	X(WRAP_BUILTINS, "[future-drop-writable-2]process", "i", "")

struct import {
	const char *module;
	const char *name;
	const char *params;
	const char *results;
};

static const struct import all_imports[] = {
#define NAME(module, name, params, results) {module, name, params, results},
	NAMES(NAME)
#undef NAME
#define WRAP_IFACE(NAME, text)
#define WRAP_FUNC(IFACE, name, params, results, options) {#IFACE, name, params, results},
#include "host.def"
#undef WRAP_IFACE
#undef WRAP_FUNC
};

enum {
	ALL_IMPORTS = sizeof(all_imports) / sizeof(all_imports[0])
};

static const struct {
	const char *token;
	const char *name;
} ifaces[] = {
#define WRAP_IFACE(NAME, text) {#NAME, text},
#define WRAP_FUNC(IFACE, name, params, results, options)
#include "host.def"
#undef WRAP_IFACE
#undef WRAP_FUNC
};

// Rows of host.def name their interface by its token.
static const char *module_name(const char *module)
{
	for (size_t i = 0; i < sizeof(ifaces) / sizeof(ifaces[0]); i++)
		if (strcmp(module, ifaces[i].token) == 0)
			return ifaces[i].name;
	return module;
}

// ---- core modules -------------------------------------------------------------------------------

// A guest: what it has beside an empty process.
struct guest {
	const struct import *imports; // [n_imports]
	uint32_t n_imports;
	const char *memory_import; // bytes of limits, as in the binary; NULL: {0, 1}
	uint32_t memory_import_len;
	bool has_no_memory;
	bool exports_memory;
	const char *process; // exported name; NULL: the right one
	const char *callback;
	const char *process_params; // NULL: "i"
	bool has_initialize;
};

static void put_functype(struct ws_bytes *b, const char *params, const char *results)
{
	ws_bytes_u8(b, 0x60);
	for (int side = 0; side < 2; side++) {
		const char *kinds = side == 0 ? params : results;

		ws_bytes_u32(b, (uint32_t)strlen(kinds));
		for (; *kinds != '\0'; kinds++)
			ws_bytes_u8(b, *kinds == 'l' ? 0x7e : 0x7f);
	}
}

static void put_func_export(struct ws_bytes *b, const char *name, uint32_t func)
{
	ws_bytes_str(b, name);
	ws_bytes_u8(b, 0);
	ws_bytes_u32(b, func);
}

static void put_custom(struct ws_bytes *out, const char *name, const char *payload)
{
	struct ws_bytes body = {0};

	ws_bytes_str(&body, name);
	ws_bytes_put(&body, payload, strlen(payload));
	ws_bytes_section(out, 0, &body);
	ws_bytes_fini(&body);
}

static void guest_build(const struct guest *g, struct ws_bytes *out)
{
	const char *limits = g->memory_import != NULL ? g->memory_import : "\0\1";
	const uint32_t limits_len = g->memory_import != NULL ? g->memory_import_len : 2;
	struct ws_bytes body = {0};

	ws_bytes_put(out, "\0asm\1\0\0\0", 8);
	put_custom(out, "component-type:weir", "types for wit-component");
	ws_bytes_u32(&body, g->n_imports + 3);
	for (uint32_t i = 0; i < g->n_imports; i++)
		put_functype(&body, g->imports[i].params, g->imports[i].results);
	put_functype(&body, g->process_params != NULL ? g->process_params : "i", "i");
	put_functype(&body, "iii", "i");
	put_functype(&body, "", "");
	ws_bytes_section(out, 1, &body);
	ws_bytes_u32(&body, g->n_imports + !g->has_no_memory);
	for (uint32_t i = 0; i < g->n_imports; i++) {
		ws_bytes_str(&body, module_name(g->imports[i].module));
		ws_bytes_str(&body, g->imports[i].name);
		ws_bytes_u8(&body, 0);
		ws_bytes_u32(&body, i);
	}
	if (!g->has_no_memory) {
		ws_bytes_str(&body, "env");
		ws_bytes_str(&body, "memory");
		ws_bytes_u8(&body, 2);
		ws_bytes_put(&body, limits, limits_len);
	}
	ws_bytes_section(out, 2, &body);
	ws_bytes_u32(&body, 3);
	for (uint32_t i = 0; i < 3; i++)
		ws_bytes_u32(&body, g->n_imports + i);
	ws_bytes_section(out, 3, &body);
	if (g->has_no_memory && g->exports_memory) {
		ws_bytes_put(&body, "\1\0\1", 3);
		ws_bytes_section(out, 5, &body);
	}
	ws_bytes_u32(&body, 2U + g->exports_memory + g->has_initialize);
	put_func_export(&body, g->process != NULL ? g->process : WRAP_PROCESS, g->n_imports);
	put_func_export(&body, g->callback != NULL ? g->callback : WRAP_CALLBACK, g->n_imports + 1);
	if (g->exports_memory) {
		ws_bytes_str(&body, "memory");
		ws_bytes_put(&body, "\2\0", 2);
	}
	if (g->has_initialize)
		put_func_export(&body, "_initialize", g->n_imports + 2);
	ws_bytes_section(out, 7, &body);
	ws_bytes_put(&body, "\3\4\0\x41\0\x0b\4\0\x41\0\x0b\2\0\x0b", 14);
	ws_bytes_section(out, 10, &body);
	put_custom(out, "target_features", "for the linker");
	put_custom(out, "kept", "by whoever reads it");
	ws_bytes_fini(&body);
	assert_false(out->has_failed);
}

struct fixture {
	struct we_engine *engine;
	struct we_error err;
};

static int setup(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));

	*state = f;
	return f == NULL ? -1 : we_engine_create(NULL, &f->engine, &f->err);
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	we_engine_destroy(f->engine);
	free(f);
	return 0;
}

static int wrap(struct fixture *f, const struct guest *g, uint8_t **ret_data, size_t *ret_len)
{
	struct ws_bytes core = {0};
	int rc;

	guest_build(g, &core);
	f->err = (struct we_error){0};
	rc = ws_wrap(f->engine, (struct we_bytes){core.data, core.len}, ret_data, ret_len, &f->err);
	ws_bytes_fini(&core);
	return rc;
}

// ---- refusals -----------------------------------------------------------------------------------

static void guests_out_of_the_world_are_refused_by_name(void **state)
{
	static const struct import unknown[] = {{"env", "puts", "i", "i"}};
	static const struct import other_version[] = {
		{"wasi:config/store@0.2.0", "get", "iii", ""}};
	static const struct import wrong_type[] = {{"SETUP", "configure", "iiii", ""}};
	static const struct import wrong_result[] = {{"RANDOM", "get-random-u64", "", "i"}};
	static const struct import twice[] = {{WRAP_ROOT, "[waitable-set-new]", "", "i"},
		{WRAP_ROOT, "[waitable-set-new]", "", "i"}};
	static const struct import sync_read[] = {
		{WRAP_BUILTINS, "[stream-read-0]process", "iii", "i"}};
	static const struct import stream_2[] = {{WRAP_BUILTINS, "[stream-new-2]process", "", "l"}};
	static const struct import future_0[] = {{WRAP_BUILTINS, "[future-new-0]process", "", "l"}};
	static const struct import threads[] = {{WRAP_ROOT, "[thread-index]", "", "i"}};
	static const struct import other_func[] = {{WRAP_BUILTINS, "[task-return]run", "ii", ""}};
	static const struct {
		struct guest guest;
		const char *want;
	} cases[] = {
		{{.imports = unknown, .n_imports = 1},
			"import \"env\" \"puts\" is not in the world"},
		{{.imports = other_version, .n_imports = 1},
			"import \"wasi:config/store@0.2.0\" \"get\" is not in"},
		{{.imports = sync_read, .n_imports = 1},
			"\"[stream-read-0]process\" is not in the world"},
		{{.imports = stream_2, .n_imports = 1},
			"\"[stream-new-2]process\" is not in the world"},
		{{.imports = future_0, .n_imports = 1},
			"\"[future-new-0]process\" is not in the world"},
		{{.imports = threads, .n_imports = 1}, "\"[thread-index]\" is not in the world"},
		{{.imports = other_func, .n_imports = 1},
			"\"[task-return]run\" is not in the world"},
		{{.imports = wrong_type, .n_imports = 1},
			"expected (func (param i32 i32 i32 i32 i32))"},
		{{.imports = wrong_result, .n_imports = 1}, "expected (func (result i64))"},
		{{.imports = twice, .n_imports = 2}, "stands there twice"},
		{{.has_no_memory = true}, "no import \"env\" \"memory\", expected it"},
		{{.has_no_memory = true, .exports_memory = true}, "no import \"env\" \"memory\""},
		{{.exports_memory = true}, "export \"memory\" is a memory, expected import \"env\" "
					   "\"memory\" instead"},
		{{.process = "process"}, "no export \"" WRAP_PROCESS "\""},
		{{.callback = "callback"}, "no export \"" WRAP_CALLBACK "\""},
		{{.process_params = "ii"}, "expected (func (param i32) (result i32))"},
		{{.has_initialize = true}, "export \"_initialize\""},
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct fixture *f = *state;
		uint8_t *data = NULL;
		size_t len;
		const int rc = wrap(f, &cases[i].guest, &data, &len);

		if (rc != WE_E_UNLINKABLE || strstr(f->err.msg, cases[i].want) == NULL)
			fail_msg("%s: %d %s", cases[i].want, rc, f->err.msg);
		assert_null(data);
	}
}

static void bytes_that_are_no_module_are_refused(void **state)
{
	struct fixture *f = *state;
	uint8_t *data = NULL;
	size_t len;

	assert_int_equal(
		ws_wrap(f->engine, (struct we_bytes){(const uint8_t *)"\0asm\x0d\0\1\0", 8}, &data,
			&len, &f->err),
		WE_E_INVALID);
	assert_string_equal(f->err.msg, "a component, expected a core module");
	assert_int_equal(ws_wrap(f->engine, (struct we_bytes){NULL, 0}, &data, &len, &f->err),
		WE_E_MALFORMED);
	assert_null(data);
}

// ---- components ---------------------------------------------------------------------------------

struct text {
	char buf[8192];
	size_t len;
};

static void text_emit(void *env, const char *text, size_t len)
{
	struct text *t = env;

	assert_true(len < sizeof(t->buf) - t->len);
	memcpy(t->buf + t->len, text, len);
	t->len += len;
	t->buf[t->len] = '\0';
}

// Wrap, decode, validate. The caller unrefs.
static struct cm_component *wrap_component(struct fixture *f, const struct guest *g)
{
	struct cm_component *component = NULL;
	uint8_t *data = NULL;
	size_t len = 0;

	if (wrap(f, g, &data, &len) != 0 ||
		cm_component_create(f->engine, (struct we_bytes){data, len}, &component, &f->err) !=
			0)
		fail_msg("%s", f->err.msg);
	free(data);
	return component;
}

static void guest_without_imports_becomes_a_component(void **state)
{
	struct fixture *f = *state;
	struct cm_component *component = wrap_component(f, &(struct guest){0});
	struct cm_component_stats stats;

	cm_component_stats(component, &stats);
	assert_int_equal(stats.n_core_modules, 2);
	assert_int_equal(stats.n_components, 1);
	assert_int_equal(stats.n_imports, 0);
	assert_int_equal(stats.n_exports, 1);
	assert_string_equal(cm_component_export_name(component, 0), WRAP_FILTER);
	cm_component_unref(component);
}

static void every_import_of_the_world_can_be_used(void **state)
{
	struct fixture *f = *state;
	struct cm_component *component;
	struct text text = {0};

	for (uint32_t i = 0; i < ALL_IMPORTS; i++) {
		component = wrap_component(
			f, &(struct guest){.imports = &all_imports[i], .n_imports = 1});
		cm_component_unref(component);
	}
	component = wrap_component(
		f, &(struct guest){.imports = all_imports, .n_imports = ALL_IMPORTS});
	cm_component_print_wit(component, text_emit, &text);
	for (size_t i = 0; i < sizeof(ifaces) / sizeof(ifaces[0]); i++)
		assert_non_null(strstr(text.buf, ifaces[i].name));
	assert_non_null(strstr(text.buf, "wait-until: async func"));
	cm_component_unref(component);
}

static void only_what_the_guest_uses_is_imported(void **state)
{
	static const struct import imports[] = {
		{WRAP_ROOT, "[waitable-set-new]", "", "i"},
		{"CLOCK", "now", "", "l"},
	};
	struct fixture *f = *state;
	struct cm_component *component =
		wrap_component(f, &(struct guest){.imports = imports, .n_imports = 2});
	struct text text = {0};

	assert_string_equal(
		cm_component_import_name(component, 0), "wasi:clocks/monotonic-clock@0.3.0");
	assert_null(cm_component_import_name(component, 1));
	cm_component_print_wit(component, text_emit, &text);
	assert_null(strstr(text.buf, "wait-for"));
	cm_component_unref(component);
}

static void memory_keeps_the_bounds_of_the_guest(void **state)
{
	static const struct {
		const char *limits;
		uint32_t len;
		const char *want; // section 5 of the module with the memory
		size_t want_len;
	} cases[] = {
		{"\0\0", 2, "\5\3\1\0\1", 5},
		{"\0\x11", 2, "\5\3\1\0\x12", 5},
		{"\1\1\1", 3, "\5\4\1\1\1\1", 6}, // no page to spare
		{"\1\1\3", 3, "\5\4\1\1\2\3", 6},
		{"\0\x80\x80\4", 4, "\5\5\1\0\x80\x80\4", 7},
	};
	struct fixture *f = *state;

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		const struct guest g = {
			.memory_import = cases[i].limits, .memory_import_len = cases[i].len};
		uint8_t *data = NULL;
		size_t len = 0;

		cm_component_unref(wrap_component(f, &g));
		assert_int_equal(wrap(f, &g, &data, &len), 0);
		assert_non_null(memmem(data, len, cases[i].want, cases[i].want_len));
		free(data);
	}
}

static bool contains(const uint8_t *data, size_t len, const char *text)
{
	return memmem(data, len, text, strlen(text)) != NULL;
}

static void sections_for_other_tools_are_left_out(void **state)
{
	struct fixture *f = *state;
	uint8_t *data = NULL;
	size_t len = 0;

	assert_int_equal(wrap(f, &(struct guest){0}, &data, &len), 0);
	assert_false(contains(data, len, "types for wit-component"));
	assert_false(contains(data, len, "for the linker"));
	assert_true(contains(data, len, "by whoever reads it"));
	free(data);
}

// ---- allocations that fail ----------------------------------------------------------------------

static uint32_t allocations_left = UINT32_MAX;

void *__real_malloc(size_t len);
void *__real_calloc(size_t n, size_t len);
void *__real_realloc(void *old, size_t len);
void *__wrap_malloc(size_t len);
void *__wrap_calloc(size_t n, size_t len);
void *__wrap_realloc(void *old, size_t len);

static bool may_allocate(void)
{
	if (allocations_left == UINT32_MAX)
		return true;
	if (allocations_left == 0)
		return false;
	allocations_left--;
	return true;
}

void *__wrap_malloc(size_t len)
{
	return may_allocate() ? __real_malloc(len) : NULL;
}

void *__wrap_calloc(size_t n, size_t len)
{
	return may_allocate() ? __real_calloc(n, len) : NULL;
}

void *__wrap_realloc(void *old, size_t len)
{
	return may_allocate() ? __real_realloc(old, len) : NULL;
}

static void any_allocation_may_fail(void **state)
{
	struct fixture *f = *state;
	const struct guest g = {.imports = all_imports, .n_imports = ALL_IMPORTS};
	struct ws_bytes core = {0};
	uint8_t *data = NULL;
	size_t len = 0;
	int rc = WE_E_NOMEM;

	guest_build(&g, &core);
	for (uint32_t n = 0; rc != 0; n++) {
		assert_int_equal(rc, WE_E_NOMEM);
		assert_true(n < 10000);
		allocations_left = n;
		rc = ws_wrap(
			f->engine, (struct we_bytes){core.data, core.len}, &data, &len, &f->err);
		allocations_left = UINT32_MAX;
	}
	free(data);
	ws_bytes_fini(&core);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(guests_out_of_the_world_are_refused_by_name),
		cmocka_unit_test(bytes_that_are_no_module_are_refused),
		cmocka_unit_test(guest_without_imports_becomes_a_component),
		cmocka_unit_test(every_import_of_the_world_can_be_used),
		cmocka_unit_test(only_what_the_guest_uses_is_imported),
		cmocka_unit_test(memory_keeps_the_bounds_of_the_guest),
		cmocka_unit_test(sections_for_other_tools_are_left_out),
		cmocka_unit_test(any_allocation_may_fail),
	};

	return cmocka_run_group_tests_name("ws_wrap", tests, setup, teardown);
}
