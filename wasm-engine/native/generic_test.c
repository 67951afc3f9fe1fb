// SPDX-License-Identifier: BSD-3-Clause
// Tests of the entry of functions without native code: every kind of signature, from registers to slots and back.
#include "test_rig.h"

enum {
	N_SIGNATURES = 2000,
	MAX_VALUES = 40
};

// A function of a random type, and the values that go into and out of it.
struct call {
	struct we_store *store;
	const struct we_functype *type;
	uint64_t params[2 * MAX_VALUES];  // as in slots
	uint64_t results[2 * MAX_VALUES]; // as in slots
	uint32_t n_called;
};

static uint64_t seed;

static uint64_t random_u64(void)
{
	seed = seed * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
	return (seed >> 33) ^ seed << 20;
}

static bool is_float(enum we_kind kind)
{
	return kind == WE_F32 || kind == WE_F64 || kind == WE_V128;
}

// Bits of a slot that count.
static uint64_t mask_of(enum we_kind kind)
{
	switch (kind) {
	case WE_I32:
	case WE_F32:
	case WE_ANYREF:
	case WE_EXNREF:
		return UINT32_MAX;
	default:
		return UINT64_MAX;
	}
}

static int host(void *env, uint64_t *slots, struct we_error *err)
{
	struct call *call = env;
	uint32_t slot = 0;

	(void)err;
	call->n_called++;
	for (uint32_t i = 0; i < we_functype_n_params(call->type); i++) {
		const enum we_kind kind = we_functype_param(call->type, i);
		// A reference of the heap fills its slot.
		const uint64_t mask =
			kind == WE_ANYREF || kind == WE_EXNREF ? UINT64_MAX : mask_of(kind);

		assert_int_equal(slots[slot] & mask, call->params[slot] & mask_of(kind));
		if (kind == WE_V128)
			assert_int_equal(slots[slot + 1], call->params[slot + 1]);
		slot += kind == WE_V128 ? 2 : 1;
	}
	memcpy(slots, call->results, call->type->n_result_slots * sizeof(*slots));
	return 0;
}

// Lay out the parameters as native code does.
static void give(struct call *call, struct we_native_regs *regs)
{
	uint32_t n_ints = 1;
	uint32_t n_floats = 0;
	uint32_t slot = 0;

	for (uint32_t i = 0; i < we_functype_n_params(call->type); i++) {
		const enum we_kind kind = we_functype_param(call->type, i);
		const uint32_t n = kind == WE_V128 ? 2 : 1;
		uint64_t *to = &call->store->native.buf[slot];

		if (is_float(kind) && n_floats < 8)
			to = regs->floats[n_floats++];
		else if (!is_float(kind) && n_ints < 6)
			to = &regs->ints[n_ints++];
		memcpy(to, &call->params[slot], n * sizeof(*to));
		slot += n;
	}
}

static void expect_results(const struct call *call, const struct we_native_regs *regs)
{
	uint32_t n_ints = 0;
	uint32_t n_floats = 0;
	uint32_t slot = 0;

	for (uint32_t i = 0; i < we_functype_n_results(call->type); i++) {
		const enum we_kind kind = we_functype_result(call->type, i);
		const uint64_t *from = &call->store->native.buf[slot];

		if (is_float(kind) && n_floats < 2)
			from = regs->floats[n_floats++];
		else if (!is_float(kind) && n_ints < 3)
			from = &regs->ints[n_ints++];
		assert_int_equal(from[0] & mask_of(kind), call->results[slot] & mask_of(kind));
		if (kind == WE_V128)
			assert_int_equal(from[1], call->results[slot + 1]);
		slot += kind == WE_V128 ? 2 : 1;
	}
}

static uint32_t random_kinds(enum we_kind *kinds)
{
	const uint32_t n = (uint32_t)(random_u64() % (random_u64() % 2 == 0 ? 6 : MAX_VALUES + 1));

	for (uint32_t i = 0; i < n; i++)
		kinds[i] = (enum we_kind)(random_u64() % (WE_EXNREF + 1));
	return n;
}

static void random_signatures_keep_their_values(void **state)
{
	struct rig *rig = *state;
	struct we_error *err = &rig->g.err;

	seed = 1;
	for (int i = 0; i < N_SIGNATURES; i++) {
		enum we_kind params[MAX_VALUES];
		enum we_kind results[MAX_VALUES];
		const uint32_t n_params = random_kinds(params);
		const uint32_t n_results = random_kinds(results);
		struct call call = {.store = rig->g.store};
		struct we_native_regs regs;
		struct we_func *func;

		for (int k = 0; k < 2 * MAX_VALUES; k++) {
			call.params[k] = random_u64();
			call.results[k] = random_u64();
		}
		memset(&regs, 0x5a, sizeof(regs));
		assert_int_equal(we_functype_create(rig->g.engine, params, n_params, results,
					 n_results, &call.type, err),
			0);
		assert_int_equal(
			we_func_create_host(rig->g.store, call.type, host, &call, &func, err), 0);
		give(&call, &regs);
		test_jump(func->entry, func, &regs);
		assert_int_equal(call.n_called, 1);
		expect_results(&call, &regs);
	}
}

static void thousand_vectors_go_in_and_out(void **state)
{
	static enum we_kind kinds[WE_LIMIT_PARAMS];
	struct rig *rig = *state;
	struct we_native_regs regs = {0};
	uint64_t *buf = rig->g.store->native.buf;
	const struct we_functype *type;
	struct we_func *func;

	for (uint32_t i = 0; i < WE_LIMIT_PARAMS; i++)
		kinds[i] = WE_V128;
	assert_int_equal(we_functype_create(rig->g.engine, kinds, WE_LIMIT_PARAMS, kinds,
				 WE_LIMIT_RESULTS, &type, &rig->g.err),
		0);
	assert_int_equal(
		we_func_create_host(rig->g.store, type, rig_import, rig, &func, &rig->g.err), 0);
	for (uint32_t i = 0; i < 2 * WE_LIMIT_PARAMS; i++)
		buf[i] = i;
	for (uint32_t i = 0; i < 8; i++)
		memcpy(regs.floats[i], &buf[2 * (size_t)i], 16);
	test_jump(func->entry, func, &regs); // gives back what it got
	memcpy(&buf[0], regs.floats[0], 16);
	memcpy(&buf[2], regs.floats[1], 16);
	for (uint32_t i = 0; i < 2 * WE_LIMIT_PARAMS; i++)
		assert_int_equal(buf[i], i);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, rig_set_up, rig_tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(random_signatures_keep_their_values),
		TEST(thousand_vectors_go_in_and_out),
	};

	return cmocka_run_group_tests_name("native_generic", tests, NULL, NULL);
}
