// SPDX-License-Identifier: BSD-3-Clause
// Tests of calls into native code and out of it, with code by hand.
#include "test_code.h"

struct rig {
	struct guest g;
	struct we_module *module;
	struct we_instance *inst;
	int (*host)(struct rig *rig, uint64_t *slots, struct we_error *err); // what the import does
	uint32_t n_host;
};

static int import(void *env, uint64_t *slots, struct we_error *err)
{
	struct rig *rig = env;

	rig->n_host++;
	return rig->host != NULL ? rig->host(rig, slots, err) : 0;
}

static struct we_instance *make_instance(struct rig *rig)
{
	const enum we_kind i64[] = {WE_I64};
	const struct we_functype *type;
	struct we_extern ext = {.kind = WE_EXTERN_FUNC};
	struct we_instance *inst = NULL;

	assert_int_equal(we_functype_create(rig->g.engine, i64, 1, i64, 1, &type, &rig->g.err), 0);
	assert_int_equal(
		we_func_create_host(rig->g.store, type, import, rig, &ext.of.func, &rig->g.err), 0);
	if (we_instance_create(rig->g.store, rig->module, &ext, 1, &inst, &rig->g.err) != 0)
		fail_msg("%s", rig->g.err.msg);
	return inst;
}

static int set_up(void **state)
{
	struct rig *rig = calloc(1, sizeof(*rig));
	struct bytes b;

	assert_non_null(rig);
	guest_open(&rig->g, NULL, NULL);
	put_test_module(&b);
	rig->module = guest_module(&rig->g, &b);
	publish_test_image(rig->module);
	rig->inst = make_instance(rig);
	*state = rig;
	return 0;
}

static int tear_down(void **state)
{
	struct rig *rig = *state;

	we_module_unref(rig->module);
	guest_close(&rig->g);
	free(rig);
	return 0;
}

static int call(struct rig *rig, enum test_func func, uint64_t *slots)
{
	const char name[] = {(char)('a' + func), '\0'};

	return guest_call(&rig->g, rig->inst, name, slots);
}

static uint64_t ask(struct rig *rig, enum test_func func, uint64_t x)
{
	uint64_t slots[1] = {x};

	if (call(rig, func, slots) != 0)
		fail_msg("%s", rig->g.err.msg);
	return slots[0];
}

static void call_of_native_function_returns_its_result(void **state)
{
	assert_int_equal((uint32_t)ask(*state, TEST_TWICE, 21), 42);
}

static void results_come_from_all_registers_and_the_buffer(void **state)
{
	uint64_t slots[17];
	float f7;

	for (uint64_t i = 0; i < 17; i++)
		slots[i] = 0x1111111111111111 * (i + 1) % 0xfedcba9876543211;
	f7 = 1.5f;
	memcpy(&slots[6], &f7, sizeof(f7));
	{
		const uint64_t expected[] = {slots[1], slots[7], slots[5], slots[15], slots[16],
			(uint32_t)slots[0], slots[4], (uint32_t)slots[6]};

		assert_int_equal(call(*state, TEST_MANY, slots), 0);
		slots[5] = (uint32_t)slots[5];
		slots[7] = (uint32_t)slots[7];
		assert_memory_equal(slots, expected, sizeof(expected));
	}
}

static int twice_the_argument(struct rig *rig, uint64_t *slots, struct we_error *err)
{
	(void)rig;
	(void)err;
	slots[0] *= 2;
	return 0;
}

static void host_function_is_called_directly_and_by_reference(void **state)
{
	struct rig *rig = *state;

	rig->host = twice_the_argument;
	assert_int_equal(ask(rig, TEST_HOST, 4), 8);
	assert_int_equal(ask(rig, TEST_BYREF, 5), 10);
	assert_int_equal(rig->n_host, 2);
}

static void function_without_native_code_runs_in_the_interpreter(void **state)
{
	struct rig *rig = *state;

	rig->host = twice_the_argument;
	assert_int_equal(ask(rig, TEST_PLAIN, 4), 9);
	assert_int_equal(ask(rig, TEST_CALL_PLAIN, 4), 109);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(
			call_of_native_function_returns_its_result, set_up, tear_down),
		cmocka_unit_test_setup_teardown(
			results_come_from_all_registers_and_the_buffer, set_up, tear_down),
		cmocka_unit_test_setup_teardown(
			host_function_is_called_directly_and_by_reference, set_up, tear_down),
		cmocka_unit_test_setup_teardown(
			function_without_native_code_runs_in_the_interpreter, set_up, tear_down),
	};

	return cmocka_run_group_tests_name("native_enter", tests, NULL, NULL);
}
