// SPDX-License-Identifier: BSD-3-Clause
// Calls from the host by slots: signatures of up to seven integers, and what else there is, do what they do in the
// interpreter, the first time and later, with slots that end where the memory ends.
#include "test_native.h"

#include <sys/mman.h>

enum {
	MAX_INTS = 7,
	TIMES = 4, // the first calls of a store go other ways
	PAGE_BYTES = 4096,
};

struct page {
	uint8_t *map; // the second half is no memory
};

static void page_open(struct page *page)
{
	page->map = mmap(
		NULL, 2 * PAGE_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	assert_true(page->map != MAP_FAILED);
	assert_int_equal(mprotect(page->map + PAGE_BYTES, PAGE_BYTES, PROT_NONE), 0);
}

static void page_close(struct page *page)
{
	munmap(page->map, 2 * PAGE_BYTES);
}

// Slots of which there are as many as the type has, and not a byte more.
static uint64_t *page_slots(const struct page *page, const struct we_functype *type)
{
	return (uint64_t *)(void *)(page->map + PAGE_BYTES) - we_functype_n_slots(type);
}

struct calls {
	struct pair pair;
	struct twins twins;
	struct page page;
};

static void calls_open(struct calls *c, struct draft *d)
{
	static struct bytes b;
	const struct we_jit_options opt = test_options();

	draft_end(d, &b);
	pair_open(&c->pair, NULL, NULL);
	c->twins = pair_instance(&c->pair, &b, &opt);
	page_open(&c->page);
}

static void calls_close(struct calls *c)
{
	page_close(&c->page);
	pair_close(&c->pair);
}

// Both sides do the same with slots that count up, each time.
static void compare(struct calls *c, const char *name)
{
	struct we_func *native = twin_func(&c->twins, NATIVE, name);
	const struct we_functype *type = we_func_type(native);
	const uint32_t n = we_functype_n_slots(type);
	uint64_t *slots = page_slots(&c->page, type);
	uint64_t expected[32];

	assert_true(is_native(&c->twins, name));
	for (uint64_t i = 0; i < n; i++)
		expected[i] = (i + 1) * 0x0102030405060708;
	memcpy(slots, expected, n * sizeof(*slots));
	for (unsigned i = 0; i < TIMES; i++) {
		struct we_error err;

		if (we_func_call(twin_func(&c->twins, INTERP, name), expected, &err) != 0 ||
			we_func_call(native, slots, &err) != 0)
			fail_msg("%s: %s", name, err.msg);
		for (uint32_t k = 0, at = 0; k < type->n_results; k++) {
			const we_valtype result = we_functype_results(type)[k];
			const bool is_half = result == WE_T_I32 || result == WE_T_F32;
			const uint32_t n_slots = we_valtype_n_slots(result);

			if (memcmp(&slots[at], &expected[at], is_half ? 4 : 8 * n_slots) != 0)
				fail_msg("%s, call %u, result %u: %llx instead of %llx", name, i, k,
					(unsigned long long)slots[at],
					(unsigned long long)expected[at]);
			at += n_slots;
		}
		memcpy(expected, slots, n * sizeof(*slots)); // halves that are undefined
	}
}

// The kinds: bit i of `longs` says that parameter i, or the result behind them, is an i64.
static void put_signature(struct draft *d, unsigned n, unsigned longs, unsigned n_results)
{
	struct writer w = {.random = 1};
	const char *result = longs >> n & 1 ? "i64" : "i32";
	uint32_t type;
	char name[32];

	put_text(&w, "func");
	for (unsigned i = 0; i < n; i++)
		put_text(&w, longs >> i & 1 ? " i64" : " i32");
	put_text(&w, " ->");
	for (unsigned i = 0; i < n_results; i++)
		put_text(&w, " %s", result);
	type = draft_type(d, w.text);
	w.len = 0;
	w.text[0] = '\0';
	for (unsigned k = 0; k < n_results; k++) {
		put_text(&w, "%s.const %u ", result, k + 100);
		for (unsigned i = 0; i < n; i++) {
			const char *own = longs >> i & 1 ? "i64" : "i32";
			const char *as = strcmp(own, result) == 0 ? ""
					 : result[1] == '6'       ? "i64.extend_i32_s"
								  : "i32.wrap_i64";

			put_text(&w, "local.get %u %s %s.const %u %s.mul %s.sub ", i, as, result,
				2 * i + 3, result, result);
		}
	}
	snprintf(name, sizeof(name), "%u.%u.%u", n, longs, n_results);
	draft_func(d, type, "", w.text, name);
}

static void integers_go_in_and_come_out(void **state)
{
	static struct draft d;

	(void)state;
	for (unsigned n = 0; n <= MAX_INTS; n++) {
		struct calls c;

		draft_begin(&d);
		for (unsigned results = 0; results <= 2; results++)
			for (unsigned longs = 0; longs < 2u << n; longs += n < 4 ? 1 : 5)
				put_signature(&d, n, longs, results);
		calls_open(&c, &d);
		for (unsigned results = 0; results <= 2; results++)
			for (unsigned longs = 0; longs < 2u << n; longs += n < 4 ? 1 : 5) {
				char name[32];

				snprintf(name, sizeof(name), "%u.%u.%u", n, longs, results);
				compare(&c, name);
			}
		calls_close(&c);
	}
}

static void other_kinds_go_in_and_come_out(void **state)
{
	static struct draft d;
	struct calls c;

	(void)state;
	draft_begin(&d);
	draft_func(&d, draft_type(&d, "func i32 f64 -> f64"), "", "local.get 1 f64.neg", "f64");
	draft_func(&d, draft_type(&d, "func v128 i64 -> v128"), "",
		"local.get 0 local.get 1 i64x2.splat i64x2.add", "v128");
	draft_func(&d, draft_type(&d, "func i64 -> f32 i64"), "",
		"local.get 0 f32.convert_i64_u local.get 0", "mixed");
	calls_open(&c, &d);
	compare(&c, "f64");
	compare(&c, "v128");
	compare(&c, "mixed");
	calls_close(&c);
}

// What a function without results was given is there after the call.
static void call_without_results_leaves_its_slots(void **state)
{
	static struct draft d;
	struct calls c;
	struct we_error err;

	(void)state;
	draft_begin(&d);
	draft_func(&d, draft_type(&d, "func i64 i64 ->"), "", "nop", "nop");
	calls_open(&c, &d);
	for (unsigned i = 0; i < TIMES; i++) {
		uint64_t slots[2] = {UINT64_MAX - i, i};

		assert_int_equal(we_func_call(twin_func(&c.twins, NATIVE, "nop"), slots, &err), 0);
		assert_int_equal(slots[0], UINT64_MAX - i);
		assert_int_equal(slots[1], i);
	}
	calls_close(&c);
}

// A function without parameters and results needs no slots.
static void call_of_nothing_takes_no_slots(void **state)
{
	static struct draft d;
	struct calls c;
	struct we_error err;

	(void)state;
	draft_begin(&d);
	draft_func(&d, draft_type(&d, "func ->"), "", "nop", "nop");
	draft_func(&d, draft_type(&d, "func ->"), "", "unreachable", "trap");
	calls_open(&c, &d);
	for (unsigned i = 0; i < TIMES; i++) {
		assert_int_equal(we_func_call(twin_func(&c.twins, NATIVE, "nop"), NULL, &err), 0);
		assert_int_equal(we_func_call(twin_func(&c.twins, NATIVE, "nop"), NULL, NULL), 0);
		if (i % 2 == 1)
			assert_int_equal(
				we_func_call(twin_func(&c.twins, NATIVE, "trap"), NULL, &err),
				WE_E_TRAP);
	}
	calls_close(&c);
}

static int throw_nothing(void *env, uint64_t *slots, struct we_error *err)
{
	struct we_store *store = *(struct we_store **)env;

	(void)slots;
	return we_throw(store, store->instances->tags[0], NULL, err);
}

// Also of a function that is inlined in the one that is called.
static void exception_of_the_host_has_a_frame_for_each_function(void **state)
{
	static struct draft d;
	static struct bytes b;
	const struct we_jit_options opt = test_options();
	const struct we_functype *type;
	struct we_extern of[SIDES] = {{.kind = WE_EXTERN_FUNC}, {.kind = WE_EXTERN_FUNC}};
	const struct we_extern *const imports[] = {&of[INTERP], &of[NATIVE]};
	struct pair pair;
	struct twins twins;
	struct outcome is[SIDES];

	(void)state;
	draft_begin(&d);
	draft_import_func(&d, draft_type(&d, "func ->"));
	draft_tag(&d, 0);
	draft_func(&d, 0, "", "call 0", "inner");
	draft_func(&d, 0, "", "call 1", "outer");
	draft_end(&d, &b);
	pair_open(&pair, NULL, NULL);
	assert_int_equal(we_functype_create(pair.engine, NULL, 0, NULL, 0, &type, NULL), 0);
	for (unsigned i = 0; i < SIDES; i++)
		assert_int_equal(we_func_create_host(pair.store[i], type, throw_nothing,
					 &pair.store[i], &of[i].of.func, NULL),
			0);
	twins = pair_link(&pair, &b, &opt, imports, 1);
	for (unsigned i = 0; i < TIMES; i++) {
		const char *name = i % 2 == 0 ? "inner" : "outer";

		call_side(&twins, INTERP, name, NULL, &is[INTERP]);
		call_side(&twins, NATIVE, name, NULL, &is[NATIVE]);
		assert_int_equal(is[NATIVE].rc, WE_E_TRAP);
		assert_string_equal(is[NATIVE].err.msg, is[INTERP].err.msg);
		assert_int_equal(is[NATIVE].n_frames, is[INTERP].n_frames);
		assert_memory_equal(is[NATIVE].frames, is[INTERP].frames,
			is[INTERP].n_frames * sizeof(is[INTERP].frames[0]));
	}
	pair_close(&pair);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(integers_go_in_and_come_out),
		cmocka_unit_test(other_kinds_go_in_and_come_out),
		cmocka_unit_test(call_without_results_leaves_its_slots),
		cmocka_unit_test(call_of_nothing_takes_no_slots),
		cmocka_unit_test(exception_of_the_host_has_a_frame_for_each_function),
	};

	return cmocka_run_group_tests_name("jit_host_call", tests, NULL, NULL);
}
