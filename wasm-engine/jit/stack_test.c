// SPDX-License-Identifier: BSD-3-Clause
// Recursion without end, of every kind, traps: on the main thread, and on stacks whose last bytes, seen from outside,
// nobody touches. Functions whose frame is too large stay in the interpreter.
#include "test_native.h"

#include <sys/mman.h>

enum {
	UNTOUCHED_BYTES = 32 * 1024, // at the end of the stack, whatever a guest does
	N_VALUES = 1000,             // of v128: what a function may return
	N_LOCALS = 150,
};

// In this order in the module; function 0 is the host's, and elements of the table are these from VALUES on.
enum {
	VALUES = 1,
	DIRECT,
	MUTUAL,
	MUTUAL_TOO,
	INDIRECT,
	REFERENCE,
	HOST,
	VECTORS,
	LARGE,
	HUGE_FRAME,
	CALLS_HUGE,
	END
};

struct rig {
	struct pair pair;
	struct twins twins;
	const char *name; // of the function that runs next
	struct outcome got;
	uint32_t n_host; // calls of the host's function
};

// Calls what the guest has given.
static int call_back(void *env, uint64_t *slots, struct we_error *err)
{
	struct rig *rig = env;

	rig->n_host++;
	return we_func_call((struct we_func *)(uintptr_t)slots[1], slots, err);
}

static struct we_extern make_host(struct rig *rig, enum side side)
{
	const enum we_kind params[] = {WE_I32, WE_FUNCREF};
	const enum we_kind results[] = {WE_I32};
	const struct we_functype *type = NULL;
	struct we_extern ext = {.kind = WE_EXTERN_FUNC};

	assert_int_equal(
		we_functype_create(rig->pair.engine, params, 2, results, 1, &type, NULL), 0);
	assert_int_equal(we_func_create_host(
				 rig->pair.store[side], type, call_back, rig, &ext.of.func, NULL),
		0);
	return ext;
}

static void put_many(struct writer *w, uint32_t n, const char *words)
{
	while (n-- > 0)
		put_text(w, "%s ", words);
}

// Several times 1000 v128, as calls that nobody sees through return them, and one number of them all, the words before it.
static const char *hold(struct writer *w, uint32_t n_calls, const char *words)
{
	w->len = 0;
	for (uint32_t i = 0; i < n_calls; i++)
		put_text(w,
			"local.get 0 i32.const %u i32.add i32x4.splat i32.const 0 "
			"call_indirect 2 0 ",
			i);
	put_text(w, "%s ", words);
	put_many(w, n_calls * N_VALUES - 1, "v128.xor");
	put_text(w, "i32x4.extract_lane 1");
	return w->text;
}

static const char *hold_locals(struct writer *w)
{
	w->len = 0;
	for (uint32_t i = 1; i <= N_LOCALS; i++)
		put_text(w, "local.get 0 i32.const %u i32.mul i32x4.splat local.set %u ", i, i);
	put_text(w, "local.get 0 i32.const 1 i32.add call %d i32x4.splat ", VECTORS);
	for (uint32_t i = 1; i <= N_LOCALS; i++)
		put_text(w, "local.get %u v128.xor ", i);
	put_text(w, "i32x4.extract_lane 1");
	return w->text;
}

static void add(struct draft *d, uint32_t idx, const char *name, const char *call)
{
	char text[200];

	snprintf(
		text, sizeof(text), "local.get 0 i32.const 1 i32.add %s i32.const 1 i32.add", call);
	assert_int_equal(draft_func(d, 0, "", text, name), idx);
}

static void put_module(struct bytes *b, bool has_huge)
{
	static struct draft d;
	static struct writer w;
	static char locals[N_LOCALS * 5 + 1];

	draft_begin(&d);
	draft_type(&d, "func i32 -> i32");
	draft_type(&d, "func i32 funcref -> i32");
	w.len = 0;
	put_text(&w, "func v128 -> ");
	put_many(&w, N_VALUES, "v128");
	draft_type(&d, w.text);
	draft_import_func(&d, 1);
	draft_table(&d, "funcref", END);
	w.len = 0;
	put_many(&w, N_VALUES, "local.get 0");
	assert_int_equal(draft_func(&d, 2, "", w.text, NULL), VALUES);
	add(&d, DIRECT, "direct", "call 2");
	add(&d, MUTUAL, "mutual", "call 4");
	add(&d, MUTUAL_TOO, NULL, "call 3");
	add(&d, INDIRECT, "indirect", "i32.const 4 call_indirect 0 0");
	add(&d, REFERENCE, "reference", "ref.func 6 call_ref 0");
	add(&d, HOST, "host", "ref.func 7 call 0");
	locals[0] = '\0';
	for (uint32_t i = 0; i < N_LOCALS; i++)
		strcat(locals, "v128 ");
	assert_int_equal(draft_func(&d, 0, locals, hold_locals(&w), "vectors"), VECTORS);
	assert_int_equal(
		draft_func(&d, 0, "", hold(&w, 1, "local.get 0 call 9 drop"), "large"), LARGE);
	assert_int_equal(draft_func(&d, 0, "", has_huge ? hold(&w, 4, "") : "local.get 0", "huge"),
		HUGE_FRAME);
	add(&d, CALLS_HUGE, "calls_huge", "call 10");
	draft_elem_funcs(&d, true, VALUES, END - VALUES);
	draft_end(&d, b);
}

static void open_rig(struct rig *rig, const struct we_store_limits *limits, bool has_huge)
{
	static struct bytes b;
	const struct we_jit_options opt = test_options();
	struct we_extern host[SIDES];
	const struct we_extern *const imports[] = {&host[INTERP], &host[NATIVE]};

	memset(rig, 0, sizeof(*rig));
	pair_open(&rig->pair, NULL, limits);
	for (unsigned side = 0; side < SIDES; side++)
		host[side] = make_host(rig, (enum side)side);
	put_module(&b, has_huge);
	rig->twins = pair_link(&rig->pair, &b, &opt, imports, 1);
}

static void *run_natively(void *env)
{
	struct rig *rig = env;
	uint64_t slots[2] = {1};

	call_side(&rig->twins, NATIVE, rig->name, slots, &rig->got);
	return NULL;
}

static const char *const recursions[] = {
	"direct", "mutual", "indirect", "reference", "host", "vectors", "large"};

enum {
	N_RECURSIONS = sizeof(recursions) / sizeof(recursions[0])
};

static void check_overflow(const struct rig *rig)
{
	if (!is_native(&rig->twins, rig->name))
		fail_msg("%s: has no native code", rig->name);
	if (rig->got.rc != WE_E_EXHAUSTED || rig->got.err.trap != WE_TRAP_STACK_OVERFLOW)
		fail_msg("%s: ends as %d: %s", rig->name, rig->got.rc, rig->got.err.msg);
}

// ---- tests ---------------------------------------------------------------------------------------

static void recursion_of_every_kind_traps_on_the_main_thread(void **state)
{
	const struct we_store_limits limits = {.stack_bytes = 4 * 1024 * 1024};
	struct rig rig;

	(void)state;
	for (unsigned k = 0; k < 2; k++) {
		open_rig(&rig, k == 0 ? NULL : &limits, false);
		for (uint32_t i = 0; i < N_RECURSIONS; i++) {
			rig.name = recursions[i];
			(void)run_natively(&rig);
			check_overflow(&rig);
		}
		assert_true(rig.n_host > 10);
		pair_close(&rig.pair);
	}
}

// In a thread on that stack. Returns: how many bytes at its end are as they were.
static size_t run_measured(struct rig *rig, uint8_t *stack, size_t bytes)
{
	pthread_attr_t attr;
	pthread_t thread;
	size_t n = 0;

	memset(stack, 0xa5, bytes);
	assert_int_equal(pthread_attr_init(&attr), 0);
	assert_int_equal(pthread_attr_setstack(&attr, stack, bytes), 0);
	assert_int_equal(pthread_create(&thread, &attr, run_natively, rig), 0);
	assert_int_equal(pthread_join(thread, NULL), 0);
	pthread_attr_destroy(&attr);
	while (n < bytes && stack[n] == 0xa5)
		n++;
	return n;
}

static void recursion_leaves_the_end_of_a_small_stack_alone(void **state)
{
	static const size_t sizes[] = {256 * 1024, 512 * 1024, 2 * 1024 * 1024};
	const struct we_store_limits limits = {.stack_bytes = 8 * 1024 * 1024};
	struct rig rig;

	(void)state;
	open_rig(&rig, &limits, false);
	for (size_t k = 0; k < sizeof(sizes) / sizeof(sizes[0]); k++) {
		uint8_t *stack = mmap(
			NULL, sizes[k], PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

		assert_true(stack != MAP_FAILED);
		for (uint32_t i = 0; i < N_RECURSIONS; i++) {
			size_t left;

			rig.name = recursions[i];
			left = run_measured(&rig, stack, sizes[k]);
			check_overflow(&rig);
			if (left < UNTOUCHED_BYTES)
				fail_msg("%s on %zu bytes: %zu are left", rig.name, sizes[k], left);
		}
		munmap(stack, sizes[k]);
	}
	pair_close(&rig.pair);
}

static void functions_with_too_large_a_frame_stay_in_the_interpreter(void **state)
{
	struct rig rig;
	uint64_t slots[SIDES][2];
	struct outcome got;

	(void)state;
	open_rig(&rig, NULL, true);
	assert_false(is_native(&rig.twins, "huge"));
	assert_true(is_native(&rig.twins, "calls_huge"));
	for (uint32_t x = 1; x < 1000; x *= 3) {
		for (unsigned side = 0; side < SIDES; side++) {
			slots[side][0] = x;
			call_side(&rig.twins, (enum side)side, "calls_huge", slots[side], &got);
			assert_int_equal(got.rc, 0);
		}
		assert_int_equal((uint32_t)slots[NATIVE][0], (uint32_t)slots[INTERP][0]);
	}
	pair_close(&rig.pair);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(recursion_of_every_kind_traps_on_the_main_thread),
		cmocka_unit_test(recursion_leaves_the_end_of_a_small_stack_alone),
		cmocka_unit_test(functions_with_too_large_a_frame_stay_in_the_interpreter),
	};

	return cmocka_run_group_tests_name("jit_stack", tests, NULL, NULL);
}
