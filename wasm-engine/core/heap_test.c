// SPDX-License-Identifier: BSD-3-Clause
// Tests of the heap: what lives survives with its shape, what does not is free again, limits and budgets hold.
//
// The store is made by hand; its roots are the arrays below (-Wl,--wrap).
#include "heap.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include <cmocka.h>

#include "engine.h"
#include "module.h"
#include "runtime.h"

enum {
	N_ROOTS = 24,
	MIB = 1 << 20
};

#define ANYREF    (WE_T_REF | WE_T_NULL | WE_HEAP_ANY)
#define EXNREF    (WE_T_REF | WE_T_NULL | WE_HEAP_EXN)
#define EXTERNREF WE_T_EXTERNREF

enum shape {
	PAIR,    // anyref, anyref, i64
	EMPTY,   // no field
	MIXED,   // i8, externref, anyref, i16, v128, externref
	LIST,    // array of anyref
	EXTERNS, // array of externref
	BYTES,   // array of i8
	VECTORS, // array of v128
	EXN,     // anyref, v128, externref, i32, exnref
	BOX,
	N_SHAPES
};

static const struct we_fieldtype pair_fields[] = {{ANYREF, true}, {ANYREF, true}, {WE_T_I64, true}};
static const struct we_fieldtype mixed_fields[] = {{WE_T_I8, true}, {EXTERNREF, true},
	{ANYREF, true}, {WE_T_I16, true}, {WE_T_V128, true}, {EXTERNREF, true}};
static const struct we_fieldtype list_fields[] = {{ANYREF, true}};
static const struct we_fieldtype externs_fields[] = {{EXTERNREF, true}};
static const struct we_fieldtype bytes_fields[] = {{WE_T_I8, true}};
static const struct we_fieldtype vectors_fields[] = {{WE_T_V128, true}};
static const we_valtype exn_params[] = {ANYREF, WE_T_V128, EXTERNREF, WE_T_I32, EXNREF};

static struct we_engine *engine;
static const struct we_deftype *defs[N_SHAPES];
static struct we_tag tag;
static struct we_store store;
static struct we_error err;
static uint64_t any_roots[N_ROOTS];
static uint64_t extern_roots[N_ROOTS];
static uint64_t *many_roots; // [n_many_roots], WE_TRACE_ANY
static size_t n_many_roots;
static size_t mmap_limit = SIZE_MAX; // bytes of one mapping

void __wrap_we_store_visit_roots(struct we_store *of, struct we_root_visitor *v);
void *__real_mmap64(void *addr, size_t len, int prot, int flags, int fd, off_t offset);
void *__wrap_mmap64(void *addr, size_t len, int prot, int flags, int fd, off_t offset);

void __wrap_we_store_visit_roots(struct we_store *of, struct we_root_visitor *v)
{
	assert_ptr_equal(of, &store);
	v->visit(v, any_roots, N_ROOTS, WE_TRACE_ANY);
	v->visit(v, extern_roots, N_ROOTS, WE_TRACE_EXTERN);
	v->visit(v, many_roots, n_many_roots, WE_TRACE_ANY);
}

void *__wrap_mmap64(void *addr, size_t len, int prot, int flags, int fd, off_t offset)
{
	return len > mmap_limit ? MAP_FAILED : __real_mmap64(addr, len, prot, flags, fd, offset);
}

// ---- scaffold -----------------------------------------------------------------------------------

static void define(
	enum shape shape, enum we_comp kind, const struct we_fieldtype *fields, uint32_t n)
{
	struct we_subtype type = {.kind = kind, .is_final = true, .fields = fields, .n_fields = n};

	assert_int_equal(we_rectype_intern(engine, &type, 0, 1, &err), 0);
	defs[shape] = type.def;
}

static int make_types(void **state)
{
	struct we_subtype type = {
		.kind = WE_COMP_FUNC, .is_final = true, .params = exn_params, .n_params = 5};

	(void)state;
	if (we_engine_create(NULL, &engine, &err) < 0)
		return -1;
	define(PAIR, WE_COMP_STRUCT, pair_fields, 3);
	define(EMPTY, WE_COMP_STRUCT, NULL, 0);
	define(MIXED, WE_COMP_STRUCT, mixed_fields, 6);
	define(LIST, WE_COMP_ARRAY, list_fields, 1);
	define(EXTERNS, WE_COMP_ARRAY, externs_fields, 1);
	define(BYTES, WE_COMP_ARRAY, bytes_fields, 1);
	define(VECTORS, WE_COMP_ARRAY, vectors_fields, 1);
	if (we_rectype_intern(engine, &type, 0, 1, &err) < 0)
		return -1;
	tag.type = type.def->func;
	return 0;
}

static int end_types(void **state)
{
	(void)state;
	we_engine_destroy(engine);
	return 0;
}

static void make_store_of(const struct we_store_limits *limits, bool is_stress)
{
	memset(any_roots, 0, sizeof(any_roots));
	memset(extern_roots, 0, sizeof(extern_roots));
	n_many_roots = 0;
	store = (struct we_store){.interrupt = UINT64_MAX, .engine = engine, .limits = *limits};
	assert_int_equal(we_heap_create(limits, is_stress, &store.heap, &err), 0);
}

static void make_store(uint64_t heap_bytes)
{
	const struct we_store_limits limits = {.heap_bytes = heap_bytes};

	make_store_of(&limits, false);
}

static void end_store(void)
{
	we_heap_destroy(store.heap);
	store.heap = NULL;
}

static uint64_t bytes_of(enum shape shape, uint32_t len)
{
	if (shape == BOX)
		return sizeof(struct we_box);
	if (shape == EXN)
		return we_exn_bytes(tag.type->n_param_slots);
	return defs[shape]->kind == WE_COMP_ARRAY ? we_array_bytes(defs[shape], len)
						  : defs[shape]->size_bytes;
}

static uint8_t *at(we_ref ref)
{
	return (uint8_t *)we_heap_object(store.heap, ref);
}

static enum we_trap try_new(enum shape shape, uint32_t len, we_ref *ret)
{
	const uint64_t n = bytes_of(shape, len);
	const enum we_trap trap = we_heap_alloc(&store, store.heap, n, ret);
	const struct we_tag *of = &tag;
	struct we_object *object;

	if (trap != WE_TRAP_NONE)
		return trap;
	object = we_heap_object(store.heap, *ret);
	memset(object, 0, n);
	object->type = shape == BOX   ? WE_OBJECT_BOX
		       : shape == EXN ? WE_OBJECT_EXN
				      : defs[shape]->id;
	object->len = shape == EXN ? tag.type->n_param_slots : len;
	if (shape == EXN)
		memcpy(at(*ret) + offsetof(struct we_exn, tag), &of, sizeof(of));
	return trap;
}

static we_ref new_object(enum shape shape, uint32_t len)
{
	we_ref ref = 0;

	assert_int_equal(try_new(shape, len, &ref), WE_TRAP_NONE);
	return ref;
}

static uint32_t get32(we_ref ref, uint64_t offset)
{
	uint32_t value;

	memcpy(&value, at(ref) + offset, sizeof(value));
	return value;
}

static void set32(we_ref ref, uint64_t offset, uint32_t value)
{
	memcpy(at(ref) + offset, &value, sizeof(value));
}

static uint64_t get64(we_ref ref, uint64_t offset)
{
	uint64_t value;

	memcpy(&value, at(ref) + offset, sizeof(value));
	return value;
}

static void set64(we_ref ref, uint64_t offset, uint64_t value)
{
	memcpy(at(ref) + offset, &value, sizeof(value));
}

enum { // of PAIR
	LEFT = 8,
	RIGHT = 12,
	NUMBER = 16
};

// A pair of the references in two roots.
static we_ref new_pair(const uint64_t *left, const uint64_t *right, uint64_t number)
{
	const we_ref pair = new_object(PAIR, 0);

	set32(pair, LEFT, left != NULL ? (uint32_t)*left : 0);
	set32(pair, RIGHT, right != NULL ? (uint32_t)*right : 0);
	set64(pair, NUMBER, number);
	return pair;
}

static uint64_t random_state;

static uint32_t random_below(uint32_t n)
{
	random_state = random_state * UINT64_C(6364136223846793005) + 1442695040888963407u;
	return (uint32_t)((random_state >> 33) % n);
}

static uint64_t live_bytes(void)
{
	return store.heap->top - WE_HEAP_FIRST;
}

// ---- what survives ------------------------------------------------------------------------------

static void list_of_a_million_keeps_order_and_contents(void **state)
{
	const uint32_t n = 1000000;
	we_ref ref;

	(void)state;
	make_store(64 * MIB);
	for (uint32_t i = 0; i < n; i++) {
		new_object(BYTES, i % 16);
		any_roots[0] = new_pair(NULL, &any_roots[0], i);
	}
	assert_true(store.heap->n_collections > 0);
	we_heap_collect(&store);
	ref = (we_ref)any_roots[0];
	for (uint32_t i = n; i-- > 0; ref = get32(ref, RIGHT))
		assert_int_equal(get64(ref, NUMBER), i);
	assert_int_equal(ref, 0);
	assert_int_equal(live_bytes(), (uint64_t)n * defs[PAIR]->size_bytes);
	end_store();
}

// A tree of the depth, its numbers from first on in preorder; left in the root.
static uint64_t grow_tree(uint64_t *root, uint32_t depth, uint64_t first)
{
	uint64_t next = first + 1;

	*root = new_pair(NULL, NULL, first);
	new_object(BYTES, random_below(200)); // garbage
	if (depth == 0)
		return next;
	next = grow_tree(root + 1, depth - 1, next);
	set32((we_ref)root[0], LEFT, (we_ref)root[1]);
	next = grow_tree(root + 1, depth - 1, next);
	set32((we_ref)root[0], RIGHT, (we_ref)root[1]);
	root[1] = 0;
	return next;
}

static uint64_t check_tree(we_ref ref, uint32_t depth, uint64_t first)
{
	assert_int_equal(get64(ref, NUMBER), first++);
	if (depth == 0) {
		assert_int_equal(get32(ref, LEFT), 0);
		assert_int_equal(get32(ref, RIGHT), 0);
		return first;
	}
	first = check_tree(get32(ref, LEFT), depth - 1, first);
	return check_tree(get32(ref, RIGHT), depth - 1, first);
}

static void tree_among_garbage_is_slid_together(void **state)
{
	(void)state;
	make_store(16 * MIB);
	grow_tree(any_roots, 15, 0);
	assert_true(store.heap->n_collections > 0);
	check_tree((we_ref)any_roots[0], 15, 0);
	we_heap_collect(&store);
	check_tree((we_ref)any_roots[0], 15, 0);
	assert_int_equal(live_bytes(), ((UINT64_C(1) << 16) - 1) * 24);
	end_store();
}

static void garbage_in_cycles_is_freed(void **state)
{
	(void)state;
	make_store(MIB);
	for (int i = 0; i < 200000; i++) {
		any_roots[0] = new_pair(NULL, NULL, 0);
		any_roots[1] = new_pair(&any_roots[0], NULL, 0);
		set32((we_ref)any_roots[0], LEFT, (we_ref)any_roots[1]);
		set32((we_ref)any_roots[0], RIGHT, (we_ref)any_roots[0]);
	}
	any_roots[0] = 0;
	any_roots[1] = 0;
	we_heap_collect(&store);
	assert_int_equal(live_bytes(), 0);
	assert_int_equal(we_heap_allocated_bytes(store.heap), 400000 * 24);
	end_store();
}

static void wide_array_keeps_every_element(void **state)
{
	const uint32_t n = 300000;

	(void)state;
	make_store(32 * MIB);
	any_roots[0] = new_object(LIST, n);
	for (uint32_t i = 0; i < n; i++) {
		new_object(EMPTY, 0);
		const we_ref ref = new_pair(NULL, NULL, i);

		set32((we_ref)any_roots[0], 8 + 4 * (uint64_t)i, ref);
	}
	we_heap_collect(&store);
	for (uint32_t i = 0; i < n; i++)
		assert_int_equal(
			get64(get32((we_ref)any_roots[0], 8 + 4 * (uint64_t)i), NUMBER), i);
	end_store();
}

static void roots_by_the_hundred_thousand_are_renewed(void **state)
{
	const size_t n = 100000;

	(void)state;
	make_store(16 * MIB);
	many_roots = calloc(n, sizeof(*many_roots));
	assert_non_null(many_roots);
	n_many_roots = n;
	for (size_t i = 0; i < n; i++) {
		new_object(BYTES, 24);
		many_roots[i] = UINT64_C(0xabcd) << 32; // the upper half is not ours
		many_roots[i] |= new_pair(NULL, NULL, i);
	}
	we_heap_collect(&store);
	for (size_t i = 0; i < n; i++) {
		assert_int_equal(get64((we_ref)many_roots[i], NUMBER), i);
		assert_int_equal(many_roots[i] >> 32, 0xabcd);
	}
	end_store();
	free(many_roots);
}

static void external_values_of_the_host_are_left_alone(void **state)
{
	const uint64_t host = 0x7fffdadadada0010;
	we_ref ref;

	(void)state;
	make_store(MIB);
	new_object(BYTES, 100);
	any_roots[0] = new_object(EXTERNS, 4);
	new_object(BYTES, 100);
	extern_roots[0] = WE_EXTERN_INTERNAL | new_pair(NULL, NULL, 77);
	extern_roots[1] = host;
	extern_roots[2] = WE_EXTERN_INTERNAL | 0x8000001b; // an i31
	ref = (we_ref)any_roots[0];
	for (uint64_t i = 0; i < 3; i++)
		set64(ref, 8 + 8 * i, extern_roots[i]);
	for (int i = 0; i < 3; i++) {
		we_heap_collect(&store);
		ref = (we_ref)any_roots[0];
		assert_int_equal(get64(ref, 8), extern_roots[0]);
		assert_int_equal(extern_roots[0] >> 32, 0x80000000);
		assert_int_equal(get64((we_ref)extern_roots[0], NUMBER), 77);
		assert_int_equal(get64(ref, 16), host);
		assert_int_equal(extern_roots[1], host);
		assert_int_equal(get64(ref, 24), WE_EXTERN_INTERNAL | 0x8000001b);
		assert_int_equal(get64(ref, 32), 0);
		extern_roots[0] = get64(ref, 8);
	}
	assert_int_equal(live_bytes(), 8 + 4 * 8 + 24);
	end_store();
}

static void exception_keeps_its_arguments(void **state)
{
	we_ref exn;

	(void)state;
	make_store(MIB);
	new_object(BYTES, 40);
	any_roots[0] = new_object(EXN, 0);
	new_object(BYTES, 40);
	any_roots[1] = new_pair(NULL, NULL, 5);
	any_roots[2] = new_object(EXN, 0);
	exn = (we_ref)any_roots[0];
	set32(exn, offsetof(struct we_exn, args), (we_ref)any_roots[1]);
	set64(exn, offsetof(struct we_exn, args) + 8,
		any_roots[1]); // a vector that looks like a reference
	set64(exn, offsetof(struct we_exn, args) + 16, any_roots[1]);
	set64(exn, offsetof(struct we_exn, args) + 24, WE_EXTERN_INTERNAL | any_roots[1]);
	set64(exn, offsetof(struct we_exn, args) + 32, any_roots[1]); // a number that does
	set32(exn, offsetof(struct we_exn, args) + 40, (we_ref)any_roots[2]);
	const uint64_t number = any_roots[1];

	any_roots[1] = 0;
	any_roots[2] = 0;
	we_heap_collect(&store);
	exn = (we_ref)any_roots[0];
	assert_int_equal(exn, WE_HEAP_FIRST);
	assert_int_equal(get64(get32(exn, offsetof(struct we_exn, args)), NUMBER), 5);
	assert_int_equal(get64(exn, offsetof(struct we_exn, args) + 8), number);
	assert_int_equal(get64(exn, offsetof(struct we_exn, args) + 16), number);
	assert_int_equal(get64(exn, offsetof(struct we_exn, args) + 24),
		WE_EXTERN_INTERNAL | get32(exn, offsetof(struct we_exn, args)));
	assert_int_equal(get64(exn, offsetof(struct we_exn, args) + 32), number);
	assert_int_equal(get32(get32(exn, offsetof(struct we_exn, args) + 40), 0), WE_OBJECT_EXN);
	assert_int_equal(live_bytes(), 2 * we_exn_bytes(6) + 24);
	end_store();
}

static void i31_is_left_alone(void **state)
{
	(void)state;
	make_store(MIB);
	new_object(BYTES, 40);
	any_roots[0] = new_pair(NULL, NULL, 0);
	any_roots[1] = 0xffffffff;
	any_roots[2] = 0x11;
	set32((we_ref)any_roots[0], LEFT, 0xfffffff1);
	set32((we_ref)any_roots[0], RIGHT, 0x19);
	we_heap_collect(&store);
	assert_int_equal(any_roots[1], 0xffffffff);
	assert_int_equal(any_roots[2], 0x11);
	assert_int_equal(get32((we_ref)any_roots[0], LEFT), 0xfffffff1);
	assert_int_equal(get32((we_ref)any_roots[0], RIGHT), 0x19);
	end_store();
}

static void objects_of_every_size_keep_their_bytes(void **state)
{
	(void)state;
	make_store(4 * MIB);
	any_roots[0] = new_object(LIST, 1600);
	for (uint32_t i = 0; i < 1600; i++) {
		const enum shape shape = i % 8 == 7 ? EMPTY : i % 8 == 5 ? VECTORS : BYTES;
		const uint32_t len = shape == EMPTY ? 0 : i;
		we_ref ref;

		new_object(i % 3 == 0 ? EMPTY : BYTES, i % 5 * 8);
		ref = new_object(shape, len);
		memset(at(ref) + WE_OBJECT_HEADER_BYTES, (int)i, bytes_of(shape, len) - 8);
		set32((we_ref)any_roots[0], 8 + 4 * (uint64_t)i, ref);
	}
	we_heap_collect(&store);
	for (uint32_t i = 0; i < 1600; i++) {
		const we_ref ref = get32((we_ref)any_roots[0], 8 + 4 * (uint64_t)i);
		const struct we_object *object = we_heap_object(store.heap, ref);
		const enum shape shape = i % 8 == 7 ? EMPTY : i % 8 == 5 ? VECTORS : BYTES;

		assert_int_equal(object->type, defs[shape]->id);
		assert_int_equal(object->len, shape == EMPTY ? 0 : i);
		for (uint64_t b = 8; b < bytes_of(shape, object->len); b++)
			assert_int_equal(at(ref)[b], (uint8_t)i);
	}
	end_store();
}

// What a stack of objects to trace would have to hold, were it not for its limit: every left one waits while
// the right ones are gone down. Both ways through memory, for the sweep goes only one.
static void comb_that_overflows_the_mark_stack_survives(bool is_backward)
{
	uint32_t n = 0;
	we_ref ref;
	we_ref tooth;

	make_store(WE_HEAP_MIN_BYTES);
	while (live_bytes() + 64 < 52 * 1024) {
		any_roots[2] = new_pair(NULL, NULL, n);
		if (is_backward || n == 0) {
			any_roots[0] = new_pair(&any_roots[2], &any_roots[0], n++);
			any_roots[1] = n == 1 ? any_roots[0] : any_roots[1];
			continue;
		}
		any_roots[3] = new_pair(&any_roots[2], NULL, n++);
		set32((we_ref)any_roots[1], RIGHT, (we_ref)any_roots[3]);
		any_roots[1] = any_roots[3];
	}
	assert_true(n > 1000);
	any_roots[1] = 0;
	any_roots[2] = 0;
	any_roots[3] = 0;
	we_heap_collect(&store);
	assert_int_equal(live_bytes(), n * 2 * 24);
	ref = (we_ref)any_roots[0];
	for (uint32_t i = 0; i < n; i++, ref = get32(ref, RIGHT)) {
		tooth = get32(ref, LEFT);
		assert_int_equal(get64(ref, NUMBER), is_backward ? n - 1 - i : i);
		assert_int_equal(get64(tooth, NUMBER), get64(ref, NUMBER));
	}
	assert_int_equal(ref, 0);
	end_store();
}

static void comb_that_overflows_the_mark_stack_survives_both_ways(void **state)
{
	(void)state;
	comb_that_overflows_the_mark_stack_survives(true);
	comb_that_overflows_the_mark_stack_survives(false);
}

// Arrays of arrays, all of which lie behind the one that names them.
static void arrays_that_overflow_the_mark_stack_survive(void **state)
{
	const uint32_t n_leaves = 1900;
	const uint32_t n_arrays = 3;

	(void)state;
	make_store(WE_HEAP_MIN_BYTES);
	many_roots = calloc(n_leaves, sizeof(*many_roots));
	assert_non_null(many_roots);
	n_many_roots = n_leaves;
	for (uint32_t i = 0; i < n_leaves; i++) {
		many_roots[i] = new_object(BYTES, 8);
		set64((we_ref)many_roots[i], 8, i);
	}
	for (uint32_t a = 0; a < n_arrays; a++) {
		any_roots[a] = new_object(LIST, n_leaves);
		for (uint32_t i = 0; i < n_leaves; i++)
			set32((we_ref)any_roots[a], 8 + 4 * (uint64_t)i, (we_ref)many_roots[i]);
	}
	n_many_roots = 0;
	free(many_roots);
	// Only the last array is left, behind it all.
	any_roots[0] = 0;
	any_roots[1] = 0;
	we_heap_collect(&store);
	assert_int_equal(live_bytes(), n_leaves * 16 + bytes_of(LIST, n_leaves));
	for (uint32_t i = 0; i < n_leaves; i++)
		assert_int_equal(get64(get32((we_ref)any_roots[2], 8 + 4 * (uint64_t)i), 8), i);
	end_store();
}

// A wide array whose rest finds no room among the objects to trace: at some place among pairs with children,
// behind the array that names them all.
static void wide_array_amid_an_overflow_is_traced_to_its_end(void **state)
{
	const uint32_t n = 520;
	const uint32_t n_wide = 1100; // elements
	uint64_t offset;

	(void)state;
	make_store(WE_HEAP_MIN_BYTES);
	any_roots[1] = new_object(LIST, n_wide);
	any_roots[2] = new_pair(NULL, NULL, 99);
	set32((we_ref)any_roots[1], 8 + 4 * (n_wide - 1), (we_ref)any_roots[2]);
	any_roots[0] = new_object(LIST, n);
	for (uint32_t i = 0; i < n; i++) {
		any_roots[2] = new_pair(NULL, NULL, 2 * i);
		any_roots[3] = new_pair(NULL, NULL, 2 * i + 1);
		any_roots[4] = new_pair(&any_roots[2], &any_roots[3], i);
		set32((we_ref)any_roots[0], 8 + 4 * (uint64_t)i, (we_ref)any_roots[4]);
	}
	any_roots[2] = new_object(LIST, n); // behind all
	memcpy(at((we_ref)any_roots[2]) + 8, at((we_ref)any_roots[0]) + 8, n * sizeof(we_ref));
	any_roots[0] = any_roots[2];
	memset(&any_roots[2], 0, 3 * sizeof(any_roots[0]));
	for (uint32_t i = 440; i < n; i++) {
		offset = 8 + 4 * (uint64_t)i;
		set32((we_ref)any_roots[0], offset, (we_ref)any_roots[1]);
		any_roots[1] = 0;
		we_heap_collect(&store);
		any_roots[1] = get32((we_ref)any_roots[0], offset);
		assert_int_equal(
			get64(get32((we_ref)any_roots[1], 8 + 4 * (n_wide - 1)), NUMBER), 99);
		set32((we_ref)any_roots[0], offset, 0);
	}
	end_store();
}

// ---- limits -------------------------------------------------------------------------------------

static void heap_that_is_full_traps_and_works_again_when_roots_are_dropped(void **state)
{
	enum we_trap trap = WE_TRAP_NONE;
	uint64_t n = 0;
	we_ref ref;

	(void)state;
	make_store(MIB);
	for (int round = 0; round < 3; round++) {
		for (n = 0;; n++) {
			trap = try_new(PAIR, 0, &ref);
			if (trap != WE_TRAP_NONE)
				break;
			set32(ref, LEFT, (we_ref)any_roots[0]);
			any_roots[0] = ref;
		}
		assert_int_equal(trap, WE_TRAP_HEAP_EXHAUSTED);
		assert_true(n * 24 > MIB * UINT64_C(95) / 100);
		assert_true(n * 24 < MIB);
		for (ref = (we_ref)any_roots[0]; ref != 0; ref = get32(ref, LEFT))
			n--;
		assert_int_equal(n, 0);
		any_roots[0] = 0;
	}
	end_store();
}

static void object_larger_than_the_limit_traps_without_a_collection(void **state)
{
	we_ref ref;

	(void)state;
	make_store(MIB);
	assert_int_equal(try_new(BYTES, MIB, &ref), WE_TRAP_HEAP_EXHAUSTED);
	assert_int_equal(try_new(VECTORS, UINT32_MAX, &ref), WE_TRAP_HEAP_EXHAUSTED);
	assert_int_equal(store.heap->n_collections, 0);
	new_object(BYTES, MIB * 9 / 10);
	new_object(BYTES, MIB * 9 / 10);
	assert_int_equal(store.heap->n_collections, 1);
	end_store();
}

// Else it would collect for every few objects from then on.
static void heap_that_stays_almost_full_traps(void **state)
{
	enum we_trap trap = WE_TRAP_NONE;
	we_ref ref;

	(void)state;
	make_store(MIB);
	while (try_new(PAIR, 0, &ref) == WE_TRAP_NONE) {
		set32(ref, LEFT, (we_ref)any_roots[0]);
		any_roots[0] = ref;
	}
	for (int i = 0; i < 20; i++)
		any_roots[0] = get32((we_ref)any_roots[0], LEFT);
	for (int i = 0; i < 10000 && trap == WE_TRAP_NONE; i++)
		trap = try_new(PAIR, 0, &ref);
	assert_int_equal(trap, WE_TRAP_HEAP_EXHAUSTED);
	end_store();
}

static void small_heap_stays_small(void **state)
{
	(void)state;
	make_store(256 * MIB);
	for (int i = 0; i < 1000000; i++) {
		any_roots[i % 8] = new_pair(NULL, NULL, 0);
		assert_true(store.heap->top < 2 * MIB);
	}
	end_store();
}

static void large_object_leaves_room_for_small_ones(void **state)
{
	(void)state;
	make_store(64 * MIB);
	any_roots[0] = new_object(BYTES, 10 * MIB);
	for (int i = 0; i < 100000; i++) {
		new_pair(NULL, NULL, 0);
		assert_true(store.heap->top <= store.heap->end);
	}
	assert_int_equal(store.heap->n_collections, 1);
	end_store();
}

static void limits_beyond_what_is_possible_are_moved(void **state)
{
	(void)state;
	make_store(1);
	assert_int_equal(store.heap->mapped_bytes, WE_HEAP_MIN_BYTES);
	end_store();
	make_store(UINT64_MAX);
	assert_true(store.heap->mapped_bytes == WE_HEAP_MAX_BYTES);
	new_object(BYTES, 64 * MIB);
	any_roots[0] = new_object(LIST, 10000000);
	we_heap_collect(&store);
	assert_int_equal(get32((we_ref)any_roots[0], 0), defs[LIST]->id);
	end_store();
}

static void heap_without_address_space_is_refused(void **state)
{
	const struct we_store_limits limits = {.heap_bytes = MIB};
	struct we_heap *heap = NULL;

	(void)state;
	mmap_limit = 0;
	assert_int_equal(we_heap_create(&limits, false, &heap, &err), WE_E_NOMEM);
	mmap_limit = SIZE_MAX;
	assert_null(heap);
	we_heap_destroy(NULL);
}

static void store_without_heap_has_nothing_to_collect(void **state)
{
	(void)state;
	store = (struct we_store){.interrupt = UINT64_MAX, .engine = engine};
	we_heap_collect(&store);
}

// ---- budgets ------------------------------------------------------------------------------------

static void enter(uint64_t entry)
{
	atomic_store(&store.entry, entry);
	we_heap_enter(store.heap, entry);
}

static void budget_of_bytes_is_exact(void **state)
{
	const struct we_store_limits limits = {.heap_bytes = 4 * MIB, .heap_entry_bytes = 240000};
	we_ref ref;

	(void)state;
	make_store_of(&limits, false);
	for (uint64_t entry = 1; entry < 40; entry++) {
		enter(entry);
		for (int i = 0; i < 10000; i++)
			new_pair(NULL, NULL, 0);
		assert_int_equal(try_new(PAIR, 0, &ref), WE_TRAP_HEAP_EXHAUSTED);
		assert_int_equal(try_new(EMPTY, 0, &ref), WE_TRAP_HEAP_EXHAUSTED);
	}
	assert_true(store.heap->n_collections > 0);
	// The host itself, between two entries, has none.
	atomic_store(&store.entry, 0);
	for (int i = 0; i < 20000; i++)
		new_pair(NULL, NULL, 0);
	end_store();
}

static void budget_begins_anew_in_an_entry_that_was_not_announced(void **state)
{
	const struct we_store_limits limits = {.heap_bytes = 4 * MIB, .heap_entry_bytes = 2400};
	we_ref ref;

	(void)state;
	make_store_of(&limits, false);
	enter(1);
	for (int i = 0; i < 100; i++)
		new_pair(NULL, NULL, 0);
	assert_int_equal(try_new(PAIR, 0, &ref), WE_TRAP_HEAP_EXHAUSTED);
	atomic_store(&store.entry, 2);
	assert_int_equal(try_new(PAIR, 0, &ref), WE_TRAP_NONE);
	end_store();
}

static void budget_of_time_traps_after_a_collection_that_is_whole(void **state)
{
	const struct we_store_limits limits = {.heap_bytes = 8 * MIB, .heap_entry_us = 1};
	enum we_trap trap = WE_TRAP_NONE;
	uint64_t n = 0;
	we_ref ref;

	(void)state;
	make_store_of(&limits, false);
	enter(1);
	for (;; n++) {
		trap = try_new(PAIR, 0, &ref);
		if (trap != WE_TRAP_NONE)
			break;
		set32(ref, LEFT, (we_ref)any_roots[0]);
		any_roots[0] = ref;
	}
	assert_int_equal(trap, WE_TRAP_HEAP_EXHAUSTED);
	assert_int_equal(store.heap->n_collections, 1);
	assert_int_equal(live_bytes(), n * 24);
	enter(2);
	assert_int_equal(try_new(PAIR, 0, &ref), WE_TRAP_NONE);
	we_heap_collect(&store); // on nobody's time
	assert_int_equal(store.heap->entry_ns, 0);
	assert_true(store.heap->longest_ns <= store.heap->total_ns);
	end_store();
}

static void interrupt_is_seen_after_a_collection(void **state)
{
	enum we_trap trap = WE_TRAP_NONE;
	we_ref ref;

	(void)state;
	make_store(MIB);
	atomic_store(&store.entry, 7);
	atomic_store(&store.interrupt, 7);
	while (trap == WE_TRAP_NONE)
		trap = try_new(PAIR, 0, &ref);
	assert_int_equal(trap, WE_TRAP_DEADLINE);
	assert_int_equal(store.heap->n_collections, 1);
	end_store();
}

static void abandon_a_collection(bool is_stress)
{
	const struct we_store_limits limits = {.heap_bytes = 16 * MIB};
	enum we_trap trap;
	uint64_t n_collections;
	uint64_t top;
	we_ref ref;

	make_store_of(&limits, false);
	grow_tree(any_roots, 13, 0); // several looks long
	store.heap->is_stress = is_stress;
	n_collections = store.heap->n_collections;
	atomic_store(&store.entry, 7);
	atomic_store(&store.interrupt, 7);
	do {
		top = store.heap->top;
		trap = try_new(PAIR, 0, &ref);
	} while (trap == WE_TRAP_NONE);
	assert_int_equal(trap, WE_TRAP_DEADLINE);
	assert_int_equal(store.heap->n_collections, n_collections);
	assert_int_equal(store.heap->top, top);
	check_tree((we_ref)any_roots[0], 13, 0);
	atomic_store(&store.interrupt, UINT64_MAX);
	we_heap_collect(&store);
	assert_int_equal(store.heap->n_collections, n_collections + 1);
	check_tree((we_ref)any_roots[0], 13, 0);
	end_store();
}

static void interrupt_ends_a_collection_before_it_moves_anything(void **state)
{
	(void)state;
	abandon_a_collection(false);
	abandon_a_collection(true);
}

// ---- stress -------------------------------------------------------------------------------------

static void stress_moves_every_object_and_poisons_what_it_frees(void **state)
{
	const struct we_store_limits limits = {.heap_bytes = MIB};
	we_ref before[2];
	we_ref garbage;

	(void)state;
	make_store_of(&limits, true);
	any_roots[0] = new_pair(NULL, NULL, 10);
	any_roots[1] = new_pair(&any_roots[0], NULL, 11);
	for (uint64_t i = 0; i < 10; i++) {
		before[0] = (we_ref)any_roots[0];
		before[1] = (we_ref)any_roots[1];
		garbage = new_object(BYTES, 64);
		assert_int_equal(store.heap->n_collections, 2 * i + 3);
		assert_int_not_equal(before[0], any_roots[0]);
		assert_int_not_equal(before[1], any_roots[1]);
		assert_int_equal(get32((we_ref)any_roots[1], LEFT), any_roots[0]);
		assert_int_equal(get64((we_ref)any_roots[0], NUMBER), 10);
		we_heap_collect(&store);
		assert_int_equal(get32(garbage + 24, 0), 0xdadadada);
	}
	end_store();
}

// ---- against a model ----------------------------------------------------------------------------

enum {
	MAX_PLACES = 24,
	MAX_SHADOWS = 12000
};

// What an object should hold. A value of a traced place: null 0, an i31 or host value as it is, else the index of
// a shadow.
struct shadow {
	enum shape shape;
	uint32_t len; // LIST and the other arrays
	uint32_t n_places;
	bool is_shadow[MAX_PLACES];
	uint64_t values[MAX_PLACES];
	we_ref ref; // where it was seen in this comparison, or 0
};

static struct shadow *shadows; // [n_shadows], 0 unused
static uint32_t n_shadows;
static uint32_t root_shadows[N_ROOTS];        // of any_roots, 0 null
static uint32_t extern_root_shadows[N_ROOTS]; // of extern_roots

// A field, element or argument.
struct place {
	uint64_t offset;
	uint64_t n_bytes;
	enum we_trace trace;
};

static struct place exn_place(uint32_t i)
{
	struct place place = {
		offsetof(struct we_exn, args), 8, we_valtype_trace(engine, exn_params[i])};

	for (uint32_t k = 0; k < i; k++)
		place.offset += 8 * (uint64_t)we_valtype_n_slots(exn_params[k]);
	if (place.trace == WE_TRACE_ANY)
		place.n_bytes = 4;
	return place;
}

static struct place place_of(const struct shadow *shadow, uint32_t i)
{
	const struct we_field *field;
	struct place place;

	if (shadow->shape == EXN)
		return exn_place(i);
	if (shadow->shape == BOX)
		return (struct place){8, 8, WE_TRACE_NONE};
	field = &defs[shadow->shape]->fields[shadow->len > 0 ? 0 : i];
	place.n_bytes = UINT64_C(1) << field->storage;
	place.offset = field->offset + (shadow->len > 0 ? i * place.n_bytes : 0);
	place.n_bytes = place.n_bytes > 8 ? 8 : place.n_bytes; // half of a vector
	place.trace = (enum we_trace)field->trace;
	return place;
}

static uint32_t new_shadow(we_ref *ret_ref)
{
	struct shadow *shadow = &shadows[++n_shadows];

	shadow->shape = (enum shape)random_below(N_SHAPES);
	switch (shadow->shape) {
	case EMPTY:
		break;
	case PAIR:
	case MIXED:
		shadow->n_places = defs[shadow->shape]->n_fields;
		break;
	case EXN:
		shadow->n_places = tag.type->n_params;
		break;
	case BOX:
		shadow->n_places = 1;
		break;
	default:
		shadow->len = random_below(MAX_PLACES);
		shadow->n_places = shadow->len;
		break;
	}
	*ret_ref = new_object(shadow->shape, shadow->len);
	return n_shadows;
}

// Somewhere in the graph, by a walk from a root that has one.
static uint32_t walk(we_ref *ret_ref)
{
	const uint32_t root = random_below(N_ROOTS);
	uint32_t s = root_shadows[root];

	*ret_ref = (we_ref)any_roots[root];
	for (uint32_t steps = s == 0 ? 0 : random_below(20); steps > 0; steps--) {
		const struct shadow *shadow = &shadows[s];
		const uint32_t i = shadow->n_places > 0 ? random_below(shadow->n_places) : 0;

		if (shadow->n_places > 0 && shadow->is_shadow[i]) {
			*ret_ref = get32(*ret_ref, place_of(shadow, i).offset);
			s = (uint32_t)shadow->values[i];
		}
	}
	return s;
}

static void set_place(uint32_t to, we_ref to_ref, uint32_t i, uint32_t s, we_ref ref)
{
	struct shadow *shadow = &shadows[to];
	const struct place place = place_of(shadow, i);
	uint64_t bits = (uint64_t)random_below(UINT32_MAX) << 20;

	shadow->is_shadow[i] = place.trace != WE_TRACE_NONE && s != 0;
	if (shadow->is_shadow[i])
		bits = ref;
	else if (place.trace == WE_TRACE_ANY)
		bits = bits % 7 == 0 ? 0 : bits | 1;
	if (place.trace == WE_TRACE_EXTERN && (bits % 3 == 0 || shadow->is_shadow[i]))
		bits |= WE_EXTERN_INTERNAL | (shadow->is_shadow[i] ? 0 : 1);
	memcpy(at(to_ref) + place.offset, &bits, place.n_bytes);
	if (place.n_bytes < 8)
		bits &= (UINT64_C(1) << 8 * place.n_bytes) - 1;
	shadow->values[i] = shadow->is_shadow[i] ? s : bits;
}

static void mutate(void)
{
	we_ref to_ref;
	we_ref ref;
	const uint32_t to = walk(&to_ref);
	const uint32_t s = random_below(5) == 0 ? 0 : walk(&ref);

	if (to != 0 && shadows[to].n_places > 0)
		set_place(to, to_ref, random_below(shadows[to].n_places), s, s == 0 ? 0 : ref);
}

static void set_root(uint32_t s, we_ref ref)
{
	const uint32_t i = random_below(N_ROOTS);

	if (random_below(4) == 0) {
		extern_root_shadows[i] = s;
		extern_roots[i] = s == 0 ? 0x7eadbeef0 : WE_EXTERN_INTERNAL | ref;
	} else {
		root_shadows[i] = s;
		any_roots[i] = ref;
	}
}

static void compare(uint32_t s, we_ref ref, uint32_t *todo, uint32_t *n_todo)
{
	struct shadow *shadow = &shadows[s];

	if (shadow->ref != 0) {
		assert_int_equal(shadow->ref, ref);
		return;
	}
	shadow->ref = ref;
	todo[(*n_todo)++] = s;
}

static void compare_object(const struct shadow *shadow, uint32_t *todo, uint32_t *n_todo)
{
	const struct we_object *object = we_heap_object(store.heap, shadow->ref);

	assert_int_equal(object->type, shadow->shape == BOX   ? WE_OBJECT_BOX
				       : shadow->shape == EXN ? WE_OBJECT_EXN
							      : defs[shadow->shape]->id);
	if (shadow->shape != EXN)
		assert_int_equal(object->len, shadow->len);
	for (uint32_t i = 0; i < shadow->n_places; i++) {
		const struct place place = place_of(shadow, i);
		uint64_t bits = 0;

		memcpy(&bits, at(shadow->ref) + place.offset, place.n_bytes);
		if (!shadow->is_shadow[i]) {
			assert_int_equal(bits, shadow->values[i]);
			continue;
		}
		if (place.trace == WE_TRACE_EXTERN)
			assert_int_equal(bits >> 32, WE_EXTERN_INTERNAL >> 32);
		compare((uint32_t)shadow->values[i], (we_ref)bits, todo, n_todo);
	}
}

// Walk the heap and the model side by side. Returns: bytes of all that can be reached.
static uint64_t compare_all(uint32_t *todo)
{
	uint32_t n_todo = 0;
	uint64_t bytes = 0;

	for (uint32_t s = 1; s <= n_shadows; s++)
		shadows[s].ref = 0;
	for (uint32_t i = 0; i < N_ROOTS; i++) {
		if (root_shadows[i] != 0)
			compare(root_shadows[i], (we_ref)any_roots[i], todo, &n_todo);
		if (extern_root_shadows[i] != 0)
			compare(extern_root_shadows[i], (we_ref)extern_roots[i], todo, &n_todo);
	}
	while (n_todo > 0) {
		const struct shadow *shadow = &shadows[todo[--n_todo]];

		bytes += bytes_of(shadow->shape, shadow->len);
		compare_object(shadow, todo, &n_todo);
	}
	return bytes;
}

static void run_against_model(uint64_t seed, bool is_stress, uint32_t n_objects)
{
	const struct we_store_limits limits = {.heap_bytes = WE_HEAP_MIN_BYTES};
	uint32_t *todo = calloc(MAX_SHADOWS + 1, sizeof(*todo));
	uint64_t n_asked = 0; // collections

	random_state = seed;
	make_store_of(&limits, is_stress);
	shadows = calloc(MAX_SHADOWS + 1, sizeof(*shadows));
	assert_non_null(shadows);
	assert_non_null(todo);
	n_shadows = 0;
	memset(root_shadows, 0, sizeof(root_shadows));
	memset(extern_root_shadows, 0, sizeof(extern_root_shadows));
	for (uint64_t n = 0; n_shadows < n_objects; n = store.heap->n_collections) {
		we_ref ref;
		const uint32_t s = new_shadow(&ref);

		for (uint32_t i = 0; i < shadows[s].n_places; i++) {
			we_ref to;
			const uint32_t t = walk(&to);

			set_place(s, ref, i, t, to);
		}
		if (random_below(3) > 0)
			set_root(s, ref);
		if (random_below(40) == 0)
			set_root(0, 0);
		for (uint32_t i = random_below(8); i > 0; i--)
			mutate();
		if (!is_stress && store.heap->n_collections != n)
			compare_all(todo);
		if (random_below(2500) == 0) {
			uint64_t bytes;

			n_asked++;
			we_heap_collect(&store);
			bytes = compare_all(todo);
			assert_in_range(live_bytes() - bytes, 0, is_stress ? 16 : 0);
		}
	}
	assert_true(store.heap->n_collections > n_asked + 5);
	end_store();
	free(todo);
	free(shadows);
}

static void random_graphs_stay_what_their_model_says(void **state)
{
	(void)state;
	for (uint64_t seed = 1; seed <= 5; seed++)
		run_against_model(seed, false, MAX_SHADOWS);
}

static void random_graphs_stay_what_their_model_says_under_stress(void **state)
{
	(void)state;
	for (uint64_t seed = 1; seed <= 2; seed++)
		run_against_model(seed, true, 2000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(list_of_a_million_keeps_order_and_contents),
		cmocka_unit_test(tree_among_garbage_is_slid_together),
		cmocka_unit_test(garbage_in_cycles_is_freed),
		cmocka_unit_test(wide_array_keeps_every_element),
		cmocka_unit_test(roots_by_the_hundred_thousand_are_renewed),
		cmocka_unit_test(external_values_of_the_host_are_left_alone),
		cmocka_unit_test(exception_keeps_its_arguments),
		cmocka_unit_test(i31_is_left_alone),
		cmocka_unit_test(objects_of_every_size_keep_their_bytes),
		cmocka_unit_test(comb_that_overflows_the_mark_stack_survives_both_ways),
		cmocka_unit_test(arrays_that_overflow_the_mark_stack_survive),
		cmocka_unit_test(wide_array_amid_an_overflow_is_traced_to_its_end),
		cmocka_unit_test(large_object_leaves_room_for_small_ones),
		cmocka_unit_test(heap_that_is_full_traps_and_works_again_when_roots_are_dropped),
		cmocka_unit_test(object_larger_than_the_limit_traps_without_a_collection),
		cmocka_unit_test(heap_that_stays_almost_full_traps),
		cmocka_unit_test(small_heap_stays_small),
		cmocka_unit_test(limits_beyond_what_is_possible_are_moved),
		cmocka_unit_test(heap_without_address_space_is_refused),
		cmocka_unit_test(store_without_heap_has_nothing_to_collect),
		cmocka_unit_test(budget_of_bytes_is_exact),
		cmocka_unit_test(budget_begins_anew_in_an_entry_that_was_not_announced),
		cmocka_unit_test(budget_of_time_traps_after_a_collection_that_is_whole),
		cmocka_unit_test(interrupt_is_seen_after_a_collection),
		cmocka_unit_test(interrupt_ends_a_collection_before_it_moves_anything),
		cmocka_unit_test(stress_moves_every_object_and_poisons_what_it_frees),
		cmocka_unit_test(random_graphs_stay_what_their_model_says),
		cmocka_unit_test(random_graphs_stay_what_their_model_says_under_stress),
	};

	return cmocka_run_group_tests_name("we_heap", tests, make_types, end_types);
}
