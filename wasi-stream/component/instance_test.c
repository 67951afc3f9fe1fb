// SPDX-License-Identifier: BSD-3-Clause
// Instantiation, linking and calls through a component's own nested instances. Arguments: the binaries of
// instance_test/, in the order of enum binary.
#include "instance.h"

#include "alloc_trial.h"
#include "cm.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum binary {
	CROSS,
	GUEST,
	MANY,
	TRAP,
	N_BINARIES
};

enum {
	BINARY_CAP = 16384, // bytes
};

static struct we_engine *engine;
static struct cm_component *components[N_BINARIES];

// ---- the host -----------------------------------------------------------------------------------

#define API "test:host/api@1.0.0"
#define RUN "test:guest/run@1.0.0"

struct host {
	struct cm_linker *linker;
	struct cm_store *store;
	struct cm_instance *inst;
	struct cm_call *later; // not yet resolved
	bool defers;
	char text[32]; // of the last string returned
	uint64_t value;
	uint32_t n_returned;
	uint32_t n_exited;
	struct we_error err;
};

static int shout(void *env, struct cm_call *call, const struct cm_val *args, uint32_t n_args,
	struct cm_val *result, struct we_error *err)
{
	const uint32_t n = args[0].n;
	char *text = cm_call_alloc(call, n + 1);

	(void)env;
	(void)n_args;
	if (!text)
		return we_error_set(err, WE_E_NOMEM, 0, "out of memory");
	memcpy(text, args[0].of.string, n);
	text[n] = '!';
	*result = (struct cm_val){.kind = CM_STRING, .n = n + 1, .of.string = text};
	return 0;
}

static int later(void *env, struct cm_call *call, const struct cm_val *args, uint32_t n_args,
	struct cm_val *result, struct we_error *err)
{
	struct host *host = env;

	(void)n_args;
	(void)err;
	if (host->defers) {
		host->later = call;
		cm_call_defer(call, NULL, NULL);
		return CM_PENDING;
	}
	*result = (struct cm_val){.kind = CM_U32, .of.bits = args[0].of.bits + 1};
	return 0;
}

static const struct cm_host_func api_funcs[] = {{"shout", shout}, {"later", later}};
static const char api_wit[] = "shout: func(text: string) -> string;\n"
			      "later: async func(x: u32) -> u32;";

static void *env_of(void *ctx, const char *interface_name)
{
	return strcmp(interface_name, API) == 0 ? ctx : NULL;
}

static int returned(void *env, const struct cm_val *result, struct we_error *err)
{
	struct host *host = env;

	(void)err;
	host->n_returned++;
	if (result->kind == CM_STRING && result->n < sizeof(host->text)) {
		memcpy(host->text, result->of.string, result->n);
		host->text[result->n] = '\0';
	} else if (result->kind == CM_U32) {
		host->value = result->of.bits;
	}
	return 0;
}

static void exited(void *env)
{
	((struct host *)env)->n_exited++;
}

static int host_init(struct host *host, enum binary binary, const char *wit)
{
	int rc;

	*host = (struct host){0};
	rc = cm_linker_create(engine, &host->linker, &host->err);
	if (rc == 0 && wit)
		rc = cm_linker_define(host->linker, API, wit, api_funcs, 2, &host->err);
	if (rc == 0)
		rc = cm_store_create(engine, NULL, &host->store, &host->err);
	if (rc == 0)
		rc = cm_instance_create(host->store, components[binary], host->linker, env_of, host,
			&host->inst, &host->err);
	return rc;
}

static void host_fini(struct host *host)
{
	cm_store_destroy(host->store);
	cm_linker_destroy(host->linker);
}

static int start(struct host *host, const char *name, const struct cm_val *arg)
{
	const struct cm_on_return ret = {.returned = returned, .exited = exited, .env = host};
	struct cm_func *func = NULL;

	if (cm_instance_func(host->inst, RUN, name, &func) != 0)
		return WE_E_UNLINKABLE;
	return cm_func_start(func, arg, 1, &ret, NULL, &host->err);
}

// ---- instances ----------------------------------------------------------------------------------

static void lifted_function_is_called_through_a_nested_instance(void **state)
{
	const struct cm_val arg = {.kind = CM_STRING, .n = 5, .of.string = "hello"};
	struct host host;

	(void)state;
	assert_int_equal(host_init(&host, GUEST, api_wit), 0);
	for (uint32_t i = 1; i < 4; i++) { // post-return makes room each time
		assert_int_equal(start(&host, "greet", &arg), 0);
		assert_string_equal(host.text, "hello!");
		assert_int_equal(host.n_exited, i);
	}
	host_fini(&host);
}

static void async_import_through_a_shim_finishes_at_once_or_later(void **state)
{
	const struct cm_val arg = {.kind = CM_U32, .of.bits = 41};
	const struct cm_val answer = {.kind = CM_U32, .of.bits = 99};
	struct host host;

	(void)state;
	assert_int_equal(host_init(&host, GUEST, api_wit), 0);
	assert_int_equal(start(&host, "wait", &arg), 0);
	assert_int_equal(host.value, 42);
	host.defers = true;
	assert_int_equal(start(&host, "wait", &arg), 0);
	assert_int_equal(cm_store_n_deferred(host.store), 1);
	assert_int_equal(cm_store_run(host.store, &host.err), 0);
	assert_int_equal(host.n_returned, 1);
	assert_int_equal(cm_call_resolve(host.later, &answer, &host.err), 0);
	assert_int_equal(cm_store_run(host.store, &host.err), 0);
	assert_int_equal(host.value, 99);
	assert_int_equal(host.n_exited, 2);
	host_fini(&host);
}

static void instances_of_one_store_are_apart(void **state)
{
	const struct cm_val arg = {.kind = CM_U32, .of.bits = 1};
	const struct cm_val answer = {.kind = CM_U32, .of.bits = 5};
	struct cm_instance *first;
	struct host host;

	(void)state;
	assert_int_equal(host_init(&host, GUEST, api_wit), 0);
	first = host.inst;
	assert_int_equal(cm_instance_create(host.store, components[GUEST], host.linker, env_of,
				 &host, &host.inst, &host.err),
		0);
	host.defers = true;
	assert_int_equal(start(&host, "wait", &arg), 0);
	host.inst = first;
	host.defers = false;
	assert_int_equal(start(&host, "wait", &arg), 0);
	assert_int_equal(host.value, 2);
	assert_int_equal(cm_call_resolve(host.later, &answer, &host.err), 0);
	assert_int_equal(cm_store_run(host.store, &host.err), 0);
	assert_int_equal(host.value, 5);
	host_fini(&host);
}

static void names_that_are_not_exported_are_not_found(void **state)
{
	struct cm_func *func;
	struct host host;

	(void)state;
	assert_int_equal(host_init(&host, GUEST, api_wit), 0);
	assert_int_equal(cm_instance_func(host.inst, RUN, "nothing", &func), 1);
	assert_int_equal(cm_instance_func(host.inst, "test:guest/run@1.0.1", "greet", &func), 1);
	assert_int_equal(cm_instance_func(host.inst, NULL, "greet", &func), 1);
	assert_int_equal(cm_instance_func(host.inst, NULL, RUN, &func), 1);
	assert_int_equal(cm_instance_func(host.inst, "shout-again", "shout-again", &func), 1);
	assert_int_equal(cm_instance_func(host.inst, RUN, "", &func), 1);
	host_fini(&host);
}

static void import_that_is_exported_again_is_refused_when_called(void **state)
{
	const struct cm_val arg = {.kind = CM_STRING, .of.string = ""};
	struct cm_func *func;
	struct host host;

	(void)state;
	assert_int_equal(host_init(&host, GUEST, api_wit), 0);
	assert_int_equal(cm_instance_func(host.inst, NULL, "shout-again", &func), 0);
	assert_int_equal(cm_func_start(func, &arg, 1, NULL, NULL, &host.err), WE_E_UNSUPPORTED);
	host_fini(&host);
}

static void call_from_component_to_component_is_refused_by_name(void **state)
{
	struct host host;

	(void)state;
	assert_int_equal(host_init(&host, CROSS, NULL), WE_E_UNSUPPORTED);
	assert_string_equal(host.err.msg, "calls from component to component");
	assert_true(host.err.offset > 0);
	host_fini(&host);
}

static void instances_that_multiply_are_limited(void **state)
{
	struct host host;

	(void)state;
	assert_int_equal(host_init(&host, MANY, NULL), WE_E_EXHAUSTED);
	assert_string_equal(host.err.msg, "component instances: limit of 10000 reached");
	host_fini(&host);
}

static void trap_of_a_start_function_ends_the_store(void **state)
{
	struct host host;
	struct cm_instance *inst;

	(void)state;
	assert_int_equal(host_init(&host, TRAP, NULL), WE_E_TRAP);
	assert_int_equal(host.err.trap, WE_TRAP_UNREACHABLE);
	assert_int_equal(cm_instance_create(host.store, components[GUEST], host.linker, env_of,
				 &host, &inst, &host.err),
		WE_E_TRAP);
	host_fini(&host);
}

// ---- linking ------------------------------------------------------------------------------------

static void import_that_is_not_offered_names_what_is(void **state)
{
	struct cm_instance *inst;
	struct host host;

	(void)state;
	assert_int_equal(host_init(&host, GUEST, NULL), WE_E_UNLINKABLE);
	assert_string_equal(host.err.msg, "import " API " is not offered; offered: nothing");
	assert_int_equal(
		cm_linker_define(host.linker, "test:host/api@1.0.1", "", NULL, 0, &host.err), 0);
	assert_int_equal(cm_linker_define(host.linker, "a:b/c", "", NULL, 0, &host.err), 0);
	assert_int_equal(cm_instance_create(host.store, components[GUEST], host.linker, env_of,
				 &host, &inst, &host.err),
		WE_E_UNLINKABLE);
	assert_string_equal(
		host.err.msg, "import " API " is not offered; offered: test:host/api@1.0.1, a:b/c");
	assert_int_equal(cm_instance_create(
				 host.store, components[GUEST], NULL, NULL, NULL, &inst, &host.err),
		WE_E_UNLINKABLE);
	host_fini(&host);
}

static void import_of_another_type_says_where_it_differs(void **state)
{
	static const char *const wits[] = {
		"shout: func(text: string) -> string; later: func(x: u32) -> u32;",
		"shout: func(text: string) -> string; later: async func(x: u64) -> u32;",
		"shout: func(text: list<u8>) -> string; later: async func(x: u32) -> u32;",
		"shout: func(txt: string) -> string; later: async func(x: u32) -> u32;",
	};

	(void)state;
	for (size_t i = 0; i < sizeof(wits) / sizeof(wits[0]); i++) {
		struct host host;

		assert_int_equal(host_init(&host, GUEST, wits[i]), WE_E_UNLINKABLE);
		assert_non_null(strstr(host.err.msg, "import " API ": "));
		assert_non_null(strstr(host.err.msg, i < 2 ? "later" : "shout"));
		host_fini(&host);
	}
}

static void rows_and_functions_of_an_offer_belong_together(void **state)
{
	struct cm_linker *linker;
	struct we_error err;

	(void)state;
	assert_int_equal(cm_linker_create(engine, &linker, &err), 0);
	assert_int_equal(cm_linker_define(linker, API, api_wit, api_funcs, 1, &err), WE_E_INVALID);
	assert_string_equal(err.msg, API ": function later has no row");
	assert_int_equal(
		cm_linker_define(linker, API, "shout: func();", api_funcs, 2, &err), WE_E_INVALID);
	assert_string_equal(err.msg, API ": no function later");
	assert_int_equal(
		cm_linker_define(linker, API, "shout func();", api_funcs, 1, &err), WE_E_INVALID);
	assert_int_equal(cm_linker_define(linker, API, api_wit, api_funcs, 2, &err), 0);
	assert_int_equal(cm_linker_define(linker, API, api_wit, api_funcs, 2, &err), WE_E_INVALID);
	assert_string_equal(err.msg, API ": defined twice");
	cm_linker_destroy(linker);
	cm_linker_destroy(NULL);
}

// ---- memory that runs out -----------------------------------------------------------------------

// Everything from the linker to the end of a call that was deferred. Returns the first failure.
static int whole_life(struct host *host)
{
	const struct cm_val text = {.kind = CM_STRING, .n = 5, .of.string = "hello"};
	const struct cm_val arg = {.kind = CM_U32, .of.bits = 1};
	const struct cm_val answer = {.kind = CM_U32, .of.bits = 2};
	int rc = host_init(host, GUEST, api_wit);

	if (rc == 0)
		rc = start(host, "greet", &text);
	host->defers = true;
	if (rc == 0)
		rc = start(host, "wait", &arg);
	if (rc == 0)
		rc = cm_call_resolve(host->later, &answer, &host->err);
	if (rc == 0)
		rc = cm_store_run(host->store, &host->err);
	return rc;
}

static void every_failed_allocation_answers_nomem_and_leaks_nothing(void **state)
{
	unsigned long n;
	struct host host;

	(void)state;
	alloc_trial.n = 0;
	assert_int_equal(whole_life(&host), 0);
	host_fini(&host);
	n = alloc_trial.n;
	for (unsigned long i = 1; i <= n; i++) {
		int rc;

		alloc_trial.n = 0;
		alloc_trial.fail_at = i;
		rc = whole_life(&host);
		alloc_trial.fail_at = 0;
		if (rc != WE_E_NOMEM)
			fail_msg("allocation %lu of %lu: %d %s", i, n, rc, host.err.msg);
		host_fini(&host);
	}
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(lifted_function_is_called_through_a_nested_instance),
		cmocka_unit_test(async_import_through_a_shim_finishes_at_once_or_later),
		cmocka_unit_test(instances_of_one_store_are_apart),
		cmocka_unit_test(names_that_are_not_exported_are_not_found),
		cmocka_unit_test(import_that_is_exported_again_is_refused_when_called),
		cmocka_unit_test(call_from_component_to_component_is_refused_by_name),
		cmocka_unit_test(instances_that_multiply_are_limited),
		cmocka_unit_test(trap_of_a_start_function_ends_the_store),
		cmocka_unit_test(import_that_is_not_offered_names_what_is),
		cmocka_unit_test(import_of_another_type_says_where_it_differs),
		cmocka_unit_test(rows_and_functions_of_an_offer_belong_together),
		cmocka_unit_test(every_failed_allocation_answers_nomem_and_leaks_nothing),
	};
	static uint8_t bytes[BINARY_CAP];
	struct we_error err;
	int failed;

	if (argc != N_BINARIES + 1 || we_engine_create(NULL, &engine, &err) < 0)
		return 2;
	for (int i = 0; i < N_BINARIES; i++) {
		FILE *file = fopen(argv[i + 1], "rb");
		const size_t len = file ? fread(bytes, 1, sizeof(bytes), file) : 0;

		if (file)
			fclose(file);
		if (cm_component_create(
			    engine, (struct we_bytes){bytes, len}, &components[i], &err) < 0) {
			fprintf(stderr, "%s: %s\n", argv[i + 1], err.msg);
			return 2;
		}
	}
	failed = cmocka_run_group_tests_name("cm_instance", tests, NULL, NULL);
	for (int i = 0; i < N_BINARIES; i++)
		cm_component_unref(components[i]);
	we_engine_destroy(engine);
	return failed;
}
