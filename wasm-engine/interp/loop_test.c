// SPDX-License-Identifier: BSD-3-Clause
// Calls, tail calls, deadlines, exhaustion and traps of the interpreter.
#include "test_module.h"

#include <pthread.h>

#define TAIL_CALLS 10000000
#define TYPE_I_I   "\x60\x01\x7f\x01\x7f" // (i32) -> i32
#define TYPE_V_V   "\x60\x00\x00"         // () -> ()
#define TYPE_V_I   "\x60\x00\x01\x7f"     // () -> i32

struct fixture {
	struct we_engine *engine;
	struct we_store *store;
	struct we_error err;
};

static int setup_limited(void **state, const struct we_store_limits *limits)
{
	static struct fixture f;

	memset(&f, 0, sizeof(f));
	assert_int_equal(we_engine_create(NULL, &f.engine, &f.err), 0);
	assert_int_equal(we_store_create(f.engine, limits, &f.store, &f.err), 0);
	*state = &f;
	return 0;
}

static int setup(void **state)
{
	return setup_limited(state, NULL);
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	we_store_destroy(f->store);
	we_engine_destroy(f->engine);
	return 0;
}

static struct we_instance *instantiate(
	struct fixture *f, const struct bytes *b, const struct we_extern *imports, uint32_t n)
{
	struct we_module *module = NULL;
	struct we_instance *inst = NULL;
	int rc;

	rc = we_module_create(f->engine, (struct we_bytes){b->data, b->len}, 0, &module, &f->err);
	if (rc != 0)
		fail_msg("module: %s at 0x%llx", f->err.msg, (unsigned long long)f->err.offset);
	rc = we_instance_create(f->store, module, imports, n, &inst, &f->err);
	if (rc != 0)
		fail_msg("instance: %s", f->err.msg);
	we_module_unref(module);
	return inst;
}

static struct we_extern export_of(const struct we_instance *inst, const char *name)
{
	struct we_extern ext;

	assert_int_equal(we_instance_export(inst, name, strlen(name), &ext), 0);
	return ext;
}

static int call(
	struct fixture *f, const struct we_instance *inst, const char *name, uint64_t *slots)
{
	memset(&f->err, 0, sizeof(f->err));
	return we_func_call(export_of(inst, name).of.func, slots, &f->err);
}

// Where the bytes begin in the module; they occur once.
static uint64_t offset_of(const struct bytes *b, const char *pattern, size_t len)
{
	uint64_t found = UINT64_MAX;

	for (size_t i = 0; i + len <= b->len; i++) {
		if (memcmp(b->data + i, pattern, len) == 0) {
			assert_true(found == UINT64_MAX);
			found = i;
		}
	}
	assert_true(found != UINT64_MAX);
	return found;
}

#define OFFSET_OF(b, literal) offset_of((b), (literal), sizeof(literal) - 1)

// ---- calls ---------------------------------------------------------------------------------------

// fac(n) = n == 0 ? 1 : n * fac(n - 1)
static void recursion_keeps_operands_across_calls(void **state)
{
	struct fixture *f = *state;
	uint64_t slots[1] = {10};
	struct bytes b, code = {.len = 0};

	begin_module(&b);
	PUT_SECTION(&b, 1, 1, TYPE_I_I);
	PUT_SECTION(&b, 3, 1, "\0");
	PUT_SECTION(&b, 7, 1, "\3fac\0\0");
	PUT_BODY(&code,
		"\0\x20\0\x45\x04\x7f\x41\x01\x05\x20\0\x20\0\x41\x01\x6b\x10\0\x6c\x0b\x0b");
	put_section(&b, 10, 1, &code);
	assert_int_equal(call(f, instantiate(f, &b, NULL, 0), "fac", slots), 0);
	assert_int_equal((uint32_t)slots[0], 3628800);
}

// f(a) = (local.get a) + (block: local.set a 100 if a is not 0) + a
static void local_read_before_it_changes_keeps_its_value(void **state)
{
	struct fixture *f = *state;
	struct bytes b, code = {.len = 0};
	struct we_instance *inst;
	uint64_t slots[1] = {5};

	begin_module(&b);
	PUT_SECTION(&b, 1, 1, TYPE_I_I);
	PUT_SECTION(&b, 3, 1, "\0");
	PUT_SECTION(&b, 7, 1, "\1f\0\0");
	PUT_BODY(&code, "\0\x20\0\x02\x40\x20\0\x45\x0d\0\x41\xe4\0\x21\0\x0b\x20\0\x6a\x0b");
	put_section(&b, 10, 1, &code);
	inst = instantiate(f, &b, NULL, 0);
	assert_int_equal(call(f, inst, "f", slots), 0);
	assert_int_equal((uint32_t)slots[0], 105);
	slots[0] = 0;
	assert_int_equal(call(f, inst, "f", slots), 0);
	assert_int_equal((uint32_t)slots[0], 0);
}

// f(a) = br_if out of the function with a constant of 64 bits, which stays on the stack if a is 0
static void constant_that_a_branch_may_return_stays_when_it_does_not(void **state)
{
	struct fixture *f = *state;
	struct bytes b, code = {.len = 0};
	struct we_instance *inst;

	begin_module(&b);
	PUT_SECTION(&b, 1, 1, "\x60\x01\x7f\x01\x7e");
	PUT_SECTION(&b, 3, 1, "\0");
	PUT_SECTION(&b, 7, 1, "\1f\0\0");
	PUT_BODY(&code, "\0\x42\x80\x80\x80\x80\x80\x01\x20\0\x0d\0\x0b"); // i64.const 2^35
	put_section(&b, 10, 1, &code);
	inst = instantiate(f, &b, NULL, 0);
	for (uint64_t a = 0; a < 2; a++) {
		uint64_t slots[1] = {a};

		assert_int_equal(call(f, inst, "f", slots), 0);
		assert_int_equal(slots[0], UINT64_C(1) << 35);
	}
}

// swap(a, b) -> (b, a, a + b): more results than parameters, over the parameters' own slots
static void results_may_overlap_the_parameters_they_come_from(void **state)
{
	struct fixture *f = *state;
	struct bytes b, code = {.len = 0};
	uint64_t slots[3] = {3, 4};

	begin_module(&b);
	PUT_SECTION(&b, 1, 1, "\x60\x02\x7f\x7f\x03\x7f\x7f\x7f");
	PUT_SECTION(&b, 3, 1, "\0");
	PUT_SECTION(&b, 7, 1, "\4swap\0\0");
	PUT_BODY(&code, "\0\x20\x01\x20\0\x20\0\x20\x01\x6a\x0b");
	put_section(&b, 10, 1, &code);
	assert_int_equal(call(f, instantiate(f, &b, NULL, 0), "swap", slots), 0);
	assert_int_equal((uint32_t)slots[0], 4);
	assert_int_equal((uint32_t)slots[1], 3);
	assert_int_equal((uint32_t)slots[2], 7);
}

// br_table carries (1, 2) out of nested blocks that have other values below them on the operand stack.
static void br_table_carries_values_to_each_label(void **state)
{
	struct fixture *f = *state;
	struct bytes b, code = {.len = 0};
	struct we_instance *inst;
	static const uint32_t wanted[] = {121, 11, 11}; // 1 + 2 * 10 + 100, and 1 + 2 * 5

	begin_module(&b);
	PUT_SECTION(&b, 1, 2, TYPE_I_I "\x60\0\x02\x7f\x7f");
	PUT_SECTION(&b, 3, 1, "\0");
	PUT_SECTION(&b, 7, 1, "\1f\0\0");
	PUT_BODY(&code, "\0"
			"\x02\x01"                 // outer block (result i32 i32)
			"\x41\x09"                 // below
			"\x02\x01"                 // inner block (result i32 i32)
			"\x41\x08\x41\x01\x41\x02" // below, 1, 2
			"\x20\0\x0e\x02\0\x01\x01" // br_table inner outer outer
			"\x0b"
			"\x41\x0a\x6c\x6a\x41\xe4\0\x6a\x21\0" // inner: 1 + 2 * 10 + 100
			"\x1a\x20\0\x41\0"                     // and 0
			"\x0b"
			"\x41\x05\x6c\x6a" // outer: the first + 5 * the second
			"\x0b");
	put_section(&b, 10, 1, &code);
	inst = instantiate(f, &b, NULL, 0);
	for (uint32_t i = 0; i < 3; i++) {
		uint64_t slots[1] = {i};

		assert_int_equal(call(f, inst, "f", slots), 0);
		assert_int_equal((uint32_t)slots[0], wanted[i]);
	}
}

// Pairs that become one operation, and near misses of them. Type 0: (i32 i32 i32) -> i32.
static void two_instructions_in_one_operation_compute_what_both_do(void **state)
{
	struct fixture *f = *state;
	struct bytes b, code = {.len = 0};
	struct we_instance *inst;
	static const uint32_t x = 0x89abcdefu, y = 77, z = 0xfffffff0u;
	static const struct {
		const char *name;
		uint32_t wanted;
	} cases[] = {
		{"a", x + y - 5},
		{"b", x - 5 + y},
		{"c", x * y + z},
		{"d", z + x * y},
		{"e", (x << 3) + y},
		{"f", y + (x << 3)},
		{"g", (x >> 7 & 0xffff)},
		{"h", (x >> 7 & 0x1ffff)},
		{"i", x + y + 70000},
		{"j", z + x + (z + x)},
		{"k", 10},
		{"l", 55},
		{"m", 45},
	};

	begin_module(&b);
	PUT_SECTION(&b, 1, 1, "\x60\3\x7f\x7f\x7f\1\x7f");
	PUT_SECTION(&b, 3, 13, "\0\0\0\0\0\0\0\0\0\0\0\0\0");
	PUT_SECTION(&b, 7, 13,
		"\1a\0\0\1b\0\1\1c\0\2\1d\0\3\1e\0\4\1f\0\5\1g\0\6\1h\0\7"
		"\1i\0\x8\1j\0\x9\1k\0\xa\1l\0\xb\1m\0\xc");
	PUT_BODY(&code, "\0\x20\0\x20\1\x6a\x41\5\x6b\x0b");
	PUT_BODY(&code, "\0\x20\0\x41\5\x6b\x20\1\x6a\x0b");
	PUT_BODY(&code, "\0\x20\0\x20\1\x6c\x20\2\x6a\x0b");
	PUT_BODY(&code, "\0\x20\2\x20\0\x20\1\x6c\x6a\x0b");
	PUT_BODY(&code, "\0\x20\0\x41\3\x74\x20\1\x6a\x0b");
	PUT_BODY(&code, "\0\x20\1\x20\0\x41\3\x74\x6a\x0b");
	PUT_BODY(&code, "\0\x20\0\x41\7\x76\x41\xff\xff\3\x71\x0b");
	PUT_BODY(&code, "\0\x20\0\x41\7\x76\x41\xff\xff\7\x71\x0b");
	PUT_BODY(&code, "\0\x20\0\x20\1\x6a\x41\xf0\xa2\4\x6a\x0b");
	// z + x is kept in a local and then added to itself
	PUT_BODY(&code, "\0\x20\2\x20\0\x6a\x22\1\x20\1\x6a\x0b");
	// two moves in a row exchange nothing: y = x; x = 10; and 10 is what is returned
	PUT_BODY(&code, "\0\x41\x0a\x21\2\x20\0\x21\1\x20\2\x21\0\x20\0\x0b");
	// the sum of 10, 9, ... 1 by a 64-bit counter
	PUT_BODY(&code, "\2\1\x7e\1\x7f\x42\x0a\x21\3\x03\x40\x20\4\x20\3\xa7\x6a\x21\4"
			"\x20\3\x42\x7f\x7c\x22\3\x42\0\x52\x0d\0\x0b\x20\4\x0b");
	// the sum of 0, 1, ... 9 with a limit in a local
	PUT_BODY(&code, "\2\1\x7f\1\x7f\x41\x0a\x21\0\x03\x40\x20\4\x20\3\x6a\x21\4"
			"\x20\3\x41\1\x6a\x22\3\x20\0\x47\x0d\0\x0b\x20\4\x0b");
	put_section(&b, 10, 13, &code);
	inst = instantiate(f, &b, NULL, 0);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		uint64_t slots[3] = {x, y, z};

		assert_int_equal(call(f, inst, cases[i].name, slots), 0);
		if ((uint32_t)slots[0] != cases[i].wanted)
			fail_msg("%s: 0x%x, wanted 0x%x", cases[i].name, (uint32_t)slots[0],
				cases[i].wanted);
	}
}

// Two modules with a memory each; A calls B: each sees its own memory, also after the return.
static void call_across_instances_switches_the_memory(void **state)
{
	struct fixture *f = *state;
	struct bytes b, code = {.len = 0};
	struct we_instance *inner;
	struct we_instance *outer;
	struct we_extern import;
	uint64_t slots[1];

	begin_module(&b);
	PUT_SECTION(&b, 1, 1, TYPE_V_I);
	PUT_SECTION(&b, 3, 1, "\0");
	PUT_SECTION(&b, 5, 1, "\0\x01");
	PUT_SECTION(&b, 7, 1, "\3get\0\0");
	PUT_BODY(&code, "\0\x41\0\x28\x02\0\x0b");
	put_section(&b, 10, 1, &code);
	PUT_SECTION(&b, 11, 1, "\0\x41\0\x0b\1\x07");
	inner = instantiate(f, &b, NULL, 0);
	import = export_of(inner, "get");

	begin_module(&b);
	code.len = 0;
	PUT_SECTION(&b, 1, 1, TYPE_V_I);
	PUT_SECTION(&b, 2, 1, "\1m\3get\0\0");
	PUT_SECTION(&b, 3, 1, "\0");
	PUT_SECTION(&b, 5, 1, "\0\x01");
	PUT_SECTION(&b, 7, 1, "\1f\0\1");
	PUT_BODY(&code, "\0\x10\0\x41\x0a\x6c\x41\0\x28\x02\0\x6a\x0b"); // get() * 10 + own
	put_section(&b, 10, 1, &code);
	PUT_SECTION(&b, 11, 1, "\0\x41\0\x0b\1\x05");
	outer = instantiate(f, &b, &import, 1);
	assert_int_equal(call(f, outer, "f", slots), 0);
	assert_int_equal((uint32_t)slots[0], 75);
}

// ---- tail calls ----------------------------------------------------------------------------------

static void tail_call_needs_no_stack(void **state)
{
	struct fixture *f = *state;
	struct bytes b, code = {.len = 0};
	uint64_t slots[1] = {TAIL_CALLS};

	begin_module(&b);
	PUT_SECTION(&b, 1, 1, TYPE_I_I);
	PUT_SECTION(&b, 3, 1, "\0");
	PUT_SECTION(&b, 7, 1, "\1f\0\0");
	PUT_BODY(&code, "\0\x20\0\x45\x04\x7f\x41\x07\x05\x20\0\x41\x01\x6b\x12\0\x0b\x0b");
	put_section(&b, 10, 1, &code);
	assert_int_equal(call(f, instantiate(f, &b, NULL, 0), "f", slots), 0);
	assert_int_equal((uint32_t)slots[0], 7);
}

// Two functions of different types take turns: their frames differ in room.
static void tail_call_to_another_type_needs_no_stack(void **state)
{
	struct fixture *f = *state;
	struct bytes b, code = {.len = 0};
	uint64_t slots[1] = {TAIL_CALLS};

	begin_module(&b);
	PUT_SECTION(&b, 1, 2, TYPE_I_I "\x60\x03\x7f\x7e\x7e\x01\x7f");
	PUT_SECTION(&b, 3, 2, "\0\1");
	PUT_SECTION(&b, 7, 1, "\1f\0\0");
	PUT_BODY(&code, "\0\x20\0\x42\x05\x42\x06\x12\1\x0b");
	PUT_BODY(&code,
		"\0\x20\0\x45\x04\x7f\x20\1\x20\2\x7c\xa7\x05\x20\0\x41\x01\x6b\x12\0\x0b\x0b");
	put_section(&b, 10, 2, &code);
	assert_int_equal(call(f, instantiate(f, &b, NULL, 0), "f", slots), 0);
	assert_int_equal((uint32_t)slots[0], 11);
}

// f of one instance and g of another call each other through a shared table.
static void indirect_tail_call_across_instances_needs_no_stack(void **state)
{
	struct fixture *f = *state;
	struct bytes b, code = {.len = 0};
	struct we_instance *first;
	struct we_extern table;
	uint64_t slots[1] = {TAIL_CALLS};

	begin_module(&b);
	PUT_SECTION(&b, 1, 1, TYPE_I_I);
	PUT_SECTION(&b, 3, 2, "\0\0");
	PUT_SECTION(&b, 4, 1, "\x70\0\2");
	PUT_SECTION(&b, 7, 2, "\5table\1\0\1f\0\1");
	PUT_SECTION(&b, 9, 1, "\0\x41\0\x0b\1\0");
	// return_call_indirect table[1](n - 1), or 7
	PUT_BODY(&code, "\0\x20\0\x45\x04\x7f\x41\x07\x05\x20\0\x41\x01\x6b\x41\1\x13\0\0\x0b\x0b");
	// a plain call of it, and then something of this instance
	PUT_BODY(&code, "\0\x20\0\x10\0\x41\1\x6a\x0b");
	put_section(&b, 10, 2, &code);
	first = instantiate(f, &b, NULL, 0);
	table = export_of(first, "table");

	begin_module(&b);
	code.len = 0;
	PUT_SECTION(&b, 1, 1, TYPE_I_I);
	PUT_SECTION(&b, 2, 1, "\1m\5table\1\x70\0\2");
	PUT_SECTION(&b, 3, 1, "\0");
	PUT_SECTION(&b, 9, 1, "\0\x41\1\x0b\1\0");
	PUT_BODY(&code, "\0\x20\0\x45\x04\x7f\x41\x09\x05\x20\0\x41\x01\x6b\x41\0\x13\0\0\x0b\x0b");
	put_section(&b, 10, 1, &code);
	(void)instantiate(f, &b, &table, 1);
	assert_int_equal(call(f, first, "f", slots), 0);
	assert_int_equal(
		(uint32_t)slots[0], 8); // an even number of turns ends in the first instance
	slots[0] = 3;
	assert_int_equal(call(f, first, "f", slots), 0);
	assert_int_equal((uint32_t)slots[0], 10);
}

static int add_one(void *env, uint64_t *slots, struct we_error *err)
{
	(void)env;
	(void)err;
	slots[0] = (uint32_t)slots[0] + 1;
	return 0;
}

static struct we_extern host_func(struct fixture *f, we_host_fn fn, void *env, bool has_value)
{
	static const enum we_kind i32 = WE_I32;
	const struct we_functype *type;
	struct we_extern ext = {.kind = WE_EXTERN_FUNC};

	assert_int_equal(
		we_functype_create(f->engine, &i32, has_value, &i32, has_value, &type, &f->err), 0);
	assert_int_equal(we_func_create_host(f->store, type, fn, env, &ext.of.func, &f->err), 0);
	return ext;
}

// A loop over a function that tail-calls the host; directly and through a table.
static void tail_call_to_the_host_returns_to_the_caller(void **state)
{
	struct fixture *f = *state;
	const struct we_extern import = host_func(f, add_one, NULL, true);
	struct bytes b, code = {.len = 0};
	uint64_t slots[1] = {TAIL_CALLS / 2};

	begin_module(&b);
	PUT_SECTION(&b, 1, 1, TYPE_I_I);
	PUT_SECTION(&b, 2, 1, "\1m\1h\0\0");
	PUT_SECTION(&b, 3, 3, "\0\0\0");
	PUT_SECTION(&b, 4, 1, "\x70\0\1");
	PUT_SECTION(&b, 7, 1, "\1f\0\3");
	PUT_SECTION(&b, 9, 1, "\0\x41\0\x0b\1\0");
	PUT_BODY(&code, "\0\x20\0\x12\0\x0b");
	PUT_BODY(&code, "\0\x20\0\x41\0\x13\0\0\x0b");
	PUT_BODY(&code,
		"\1\1\x7f\x03\x40\x20\1\x10\1\x10\2\x21\1\x20\0\x41\1\x6b\x22\0\x0d\0\x0b\x20\1"
		"\x0b");
	put_section(&b, 10, 3, &code);
	assert_int_equal(call(f, instantiate(f, &b, &import, 1), "f", slots), 0);
	assert_int_equal((uint32_t)slots[0], TAIL_CALLS);
}

// ---- exhaustion ----------------------------------------------------------------------------------

static void endless_recursion_exhausts_the_call_stack(void **state)
{
	struct fixture *f = *state;
	struct bytes b, code = {.len = 0};
	struct we_instance *inst;

	begin_module(&b);
	PUT_SECTION(&b, 1, 1, TYPE_V_V);
	PUT_SECTION(&b, 3, 3, "\0\0\0");
	PUT_SECTION(&b, 7, 3, "\1f\0\0\1g\0\1\1h\0\2");
	PUT_BODY(&code, "\0\x10\0\x0b");
	PUT_BODY(&code, "\1\x90\x4e\x7e\x10\1\x0b"); // 10,000 locals
	PUT_BODY(&code, "\0\x0b");
	put_section(&b, 10, 3, &code);
	inst = instantiate(f, &b, NULL, 0);
	for (int i = 0; i < 2; i++) {
		assert_int_equal(call(f, inst, "f", NULL), WE_E_EXHAUSTED);
		assert_int_equal(f->err.trap, WE_TRAP_STACK_OVERFLOW);
		assert_int_equal(f->err.func, 0);
		assert_int_equal(f->err.offset, OFFSET_OF(&b, "\x10\0\x0b"));
		assert_int_equal(call(f, inst, "g", NULL), WE_E_EXHAUSTED);
		assert_int_equal(call(f, inst, "h", NULL), 0);
	}
}

struct call_back {
	struct fixture *f;
	struct we_func *func;
	uint32_t n;
};

static int calls_back(void *env, uint64_t *slots, struct we_error *err)
{
	struct call_back *back = env;

	(void)slots;
	back->n++;
	return we_func_call(back->func, NULL, err);
}

static void host_function_that_calls_back_is_bounded(void **state)
{
	struct fixture *f = *state;
	struct call_back back = {.f = f};
	const struct we_extern import = host_func(f, calls_back, &back, false);
	struct bytes b, code = {.len = 0};
	struct we_instance *inst;

	begin_module(&b);
	PUT_SECTION(&b, 1, 1, TYPE_V_V);
	PUT_SECTION(&b, 2, 1, "\1m\1h\0\0");
	PUT_SECTION(&b, 3, 1, "\0");
	PUT_SECTION(&b, 7, 1, "\1f\0\1");
	PUT_BODY(&code, "\0\x10\0\x0b");
	put_section(&b, 10, 1, &code);
	inst = instantiate(f, &b, &import, 1);
	back.func = export_of(inst, "f").of.func;
	assert_int_equal(call(f, inst, "f", NULL), WE_E_EXHAUSTED);
	assert_int_equal(f->err.trap, WE_TRAP_STACK_OVERFLOW);
	assert_in_range(back.n, 10, 10000);
	back.n = 0;
	assert_int_equal(call(f, inst, "f", NULL), WE_E_EXHAUSTED);
}

// ---- deadlines -----------------------------------------------------------------------------------

static void *interrupt_when_it_runs(void *arg)
{
	struct we_store *store = arg;

	while (we_store_entry(store) == 0)
		;
	we_store_interrupt(store, we_store_entry(store));
	return NULL;
}

static void deadline_ends(struct fixture *f, const struct we_instance *inst, const char *name)
{
	uint64_t slots[1] = {0};
	pthread_t thread;

	assert_int_equal(pthread_create(&thread, NULL, interrupt_when_it_runs, f->store), 0);
	assert_int_equal(call(f, inst, name, slots), WE_E_EXHAUSTED);
	assert_int_equal(f->err.trap, WE_TRAP_DEADLINE);
	assert_int_equal(pthread_join(thread, NULL), 0);
}

static void deadline_ends_loops_recursion_tail_calls_and_bulk_work(void **state)
{
	struct fixture *f = *state;
	struct bytes b, code = {.len = 0};
	struct we_instance *inst;

	begin_module(&b);
	PUT_SECTION(&b, 1, 1, TYPE_V_V);
	PUT_SECTION(&b, 3, 6, "\0\0\0\0\0\0");
	PUT_SECTION(&b, 5, 1, "\0\x80\x10"); // 128 MiB
	PUT_SECTION(&b, 7, 6, "\1l\0\0\1i\0\1\1r\0\2\1t\0\3\1b\0\4\1n\0\5");
	PUT_BODY(&code, "\0\x03\x40\x0c\0\x0b\x0b");
	PUT_BODY(&code, "\0\x03\x40\x41\1\x0d\0\x0b\x0b");
	PUT_BODY(&code, "\1\1\x7f\x03\x40\x10\5\x20\0\x41\1\x6a\x22\0\x41\0\x4f\x0d\0\x0b\x0b");
	PUT_BODY(&code, "\0\x12\3\x0b");
	PUT_BODY(&code, "\0\x03\x40\x41\0\x41\1\x41\x80\x80\x80\xc0\0\xfc\x0b\0\x0c\0\x0b\x0b");
	PUT_BODY(&code, "\0\x0b");
	put_section(&b, 10, 6, &code);
	inst = instantiate(f, &b, NULL, 0);
	deadline_ends(f, inst, "l");
	deadline_ends(f, inst, "i");
	deadline_ends(f, inst, "r");
	deadline_ends(f, inst, "t");
	deadline_ends(f, inst, "b");
	assert_int_equal(call(f, inst, "n", NULL), 0);
}

static int interrupts(void *env, uint64_t *slots, struct we_error *err)
{
	struct we_store *store = env;

	(void)slots;
	(void)err;
	we_store_interrupt(store, we_store_entry(store));
	return 0;
}

static void deadline_is_seen_when_a_host_call_returns(void **state)
{
	struct fixture *f = *state;
	const struct we_extern import = host_func(f, interrupts, f->store, false);
	struct bytes b, code = {.len = 0};
	struct we_instance *inst;

	begin_module(&b);
	PUT_SECTION(&b, 1, 1, TYPE_V_V);
	PUT_SECTION(&b, 2, 1, "\1m\1h\0\0");
	PUT_SECTION(&b, 3, 2, "\0\0");
	PUT_SECTION(&b, 7, 2, "\1f\0\1\1n\0\2");
	PUT_BODY(&code, "\0\x01\x10\0\0\x0b");
	PUT_BODY(&code, "\0\x03\x40\x0b\x0b");
	put_section(&b, 10, 2, &code);
	inst = instantiate(f, &b, &import, 1);
	assert_int_equal(call(f, inst, "f", NULL), WE_E_EXHAUSTED);
	assert_int_equal(f->err.trap, WE_TRAP_DEADLINE);
	assert_int_equal(f->err.offset, OFFSET_OF(&b, "\x01\x10\0\0\x0b") + 1);
	we_store_interrupt(f->store, 12345); // an entry that is not running
	assert_int_equal(call(f, inst, "n", NULL), 0);
}

// ---- traps ---------------------------------------------------------------------------------------

static void trap_names_function_and_offset_and_leaves_a_backtrace(void **state)
{
	struct fixture *f = *state;
	struct bytes b, code = {.len = 0};
	struct we_instance *inst;
	struct we_frame frames[8];
	uint64_t slots[1] = {0};

	begin_module(&b);
	PUT_SECTION(&b, 1, 1, TYPE_I_I);
	PUT_SECTION(&b, 3, 3, "\0\0\0");
	PUT_SECTION(&b, 7, 1, "\1f\0\2");
	PUT_BODY(&code, "\0\x41\x0d\x20\0\x6e\x0b"); // 13 / n
	PUT_BODY(&code, "\0\x20\0\x10\0\x41\x03\x6c\x0b");
	PUT_BODY(&code, "\0\x20\0\x10\1\x41\x05\x6c\x0b");
	put_section(&b, 10, 3, &code);
	inst = instantiate(f, &b, NULL, 0);
	assert_int_equal(call(f, inst, "f", slots), WE_E_TRAP);
	assert_int_equal(f->err.trap, WE_TRAP_INTEGER_DIVIDE_BY_ZERO);
	assert_int_equal(f->err.func, 0);
	assert_int_equal(f->err.offset, OFFSET_OF(&b, "\x6e\x0b"));
	assert_int_equal(we_store_backtrace(f->store, frames, 8), 3);
	assert_int_equal(frames[0].func, 0);
	assert_int_equal(frames[1].func, 1);
	assert_int_equal(frames[1].offset, OFFSET_OF(&b, "\x10\0\x41\x03"));
	assert_int_equal(frames[2].func, 2);
	assert_int_equal(frames[2].offset, OFFSET_OF(&b, "\x10\1\x41\x05"));
}

// i32.load offset=0xffffffff, i64.store, v128.load at the end of a page and far beyond it
static void addresses_do_not_wrap(void **state)
{
	struct fixture *f = *state;
	struct bytes b, code = {.len = 0};
	struct we_instance *inst;
	static const struct {
		const char *name;
		uint32_t address;
		bool is_in;
	} cases[] = {
		{"far", 0, false},
		{"far", 1, false},
		{"far", UINT32_MAX, false},
		{"near", 65532, true},
		{"near", 65533, false},
		{"near", 0x80000000u, false},
		{"near", UINT32_MAX, false},
		{"wide", 65520, true},
		{"wide", 65521, false},
		{"wide", 0xfffffff0u, false},
		{"write", 65528, true},
		{"write", 65529, false},
		{"write", 0xfffffff8u, false},
	};

	begin_module(&b);
	PUT_SECTION(&b, 1, 1, TYPE_I_I);
	PUT_SECTION(&b, 3, 4, "\0\0\0\0");
	PUT_SECTION(&b, 5, 1, "\0\x01");
	PUT_SECTION(&b, 7, 4, "\3far\0\0\4near\0\1\4wide\0\2\5write\0\3");
	PUT_BODY(&code, "\0\x20\0\x28\0\xff\xff\xff\xff\x0f\x0b");
	PUT_BODY(&code, "\0\x20\0\x28\0\0\x0b");
	PUT_BODY(&code, "\0\x20\0\xfd\0\0\0\xfd\x1b\0\x0b");
	PUT_BODY(&code, "\0\x20\0\x42\x7f\x37\0\0\x41\0\x0b");
	put_section(&b, 10, 4, &code);
	inst = instantiate(f, &b, NULL, 0);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		uint64_t slots[1] = {cases[i].address};
		const int rc = call(f, inst, cases[i].name, slots);

		if (rc != (cases[i].is_in ? 0 : WE_E_TRAP))
			fail_msg("%s(0x%x): %d", cases[i].name, cases[i].address, rc);
		if (rc != 0)
			assert_int_equal(f->err.trap, WE_TRAP_MEMORY_OUT_OF_BOUNDS);
	}
}

static int fails(void *env, uint64_t *slots, struct we_error *err)
{
	(void)env;
	(void)slots;
	return we_error_trap(err, WE_TRAP_HOST, 77, WE_NO_FUNC, "on purpose");
}

static void failure_of_a_host_function_is_the_callers(void **state)
{
	struct fixture *f = *state;
	const struct we_extern import = host_func(f, fails, NULL, false);
	struct bytes b, code = {.len = 0};
	struct we_frame frames[2];
	struct we_instance *inst;

	begin_module(&b);
	PUT_SECTION(&b, 1, 1, TYPE_V_V);
	PUT_SECTION(&b, 2, 1, "\1m\1h\0\0");
	PUT_SECTION(&b, 3, 1, "\0");
	PUT_SECTION(&b, 7, 1, "\1f\0\1");
	PUT_BODY(&code, "\0\x10\0\x0b");
	put_section(&b, 10, 1, &code);
	inst = instantiate(f, &b, &import, 1);
	assert_int_equal(call(f, inst, "f", NULL), WE_E_TRAP);
	assert_int_equal(f->err.offset, 77);
	assert_int_equal(we_store_backtrace(f->store, frames, 2), 1);
	assert_int_equal(frames[0].func, 1);
}

// 30,000 v128 locals: no frame holds them.
static void frame_beyond_the_implementation_limit_is_refused(void **state)
{
	struct fixture *f = *state;
	struct bytes b, code = {.len = 0};
	struct we_module *module = NULL;

	begin_module(&b);
	PUT_SECTION(&b, 1, 1, TYPE_V_V);
	PUT_SECTION(&b, 3, 1, "\0");
	PUT_BODY(&code, "\1\xb0\xea\1\x7b\x0b");
	put_section(&b, 10, 1, &code);
	assert_int_equal(
		we_module_create(f->engine, (struct we_bytes){b.data, b.len}, 0, &module, &f->err),
		WE_E_INVALID);
	assert_non_null(strstr(f->err.msg, "implementation limit"));
	assert_null(module);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(recursion_keeps_operands_across_calls),
		cmocka_unit_test(local_read_before_it_changes_keeps_its_value),
		cmocka_unit_test(constant_that_a_branch_may_return_stays_when_it_does_not),
		cmocka_unit_test(results_may_overlap_the_parameters_they_come_from),
		cmocka_unit_test(br_table_carries_values_to_each_label),
		cmocka_unit_test(two_instructions_in_one_operation_compute_what_both_do),
		cmocka_unit_test(call_across_instances_switches_the_memory),
		cmocka_unit_test(tail_call_needs_no_stack),
		cmocka_unit_test(tail_call_to_another_type_needs_no_stack),
		cmocka_unit_test(indirect_tail_call_across_instances_needs_no_stack),
		cmocka_unit_test(tail_call_to_the_host_returns_to_the_caller),
		cmocka_unit_test(endless_recursion_exhausts_the_call_stack),
		cmocka_unit_test(host_function_that_calls_back_is_bounded),
		cmocka_unit_test(deadline_ends_loops_recursion_tail_calls_and_bulk_work),
		cmocka_unit_test(deadline_is_seen_when_a_host_call_returns),
		cmocka_unit_test(trap_names_function_and_offset_and_leaves_a_backtrace),
		cmocka_unit_test(addresses_do_not_wrap),
		cmocka_unit_test(failure_of_a_host_function_is_the_callers),
		cmocka_unit_test(frame_beyond_the_implementation_limit_is_refused),
	};

	return cmocka_run_group_tests_name("we_loop", tests, setup, teardown);
}
