// SPDX-License-Identifier: BSD-3-Clause
// test_rig: an instance of the module of test_code.h in a store of its own, and calls of its functions.
#pragma once

#include "test_code.h"

struct rig {
	struct guest g;
	struct we_module *module;
	struct we_instance *inst;
	int (*host)(struct rig *rig, uint64_t *slots, struct we_error *err); // what the import does
	uint32_t n_host;
};

static inline int rig_import(void *env, uint64_t *slots, struct we_error *err)
{
	struct rig *rig = env;

	rig->n_host++;
	return rig->host != NULL ? rig->host(rig, slots, err) : 0;
}

static inline struct we_instance *rig_instance(struct rig *rig)
{
	const enum we_kind i64[] = {WE_I64};
	const struct we_functype *type;
	struct we_extern ext = {.kind = WE_EXTERN_FUNC};
	struct we_instance *inst = NULL;

	assert_int_equal(we_functype_create(rig->g.engine, i64, 1, i64, 1, &type, &rig->g.err), 0);
	assert_int_equal(
		we_func_create_host(rig->g.store, type, rig_import, rig, &ext.of.func, &rig->g.err),
		0);
	if (we_instance_create(rig->g.store, rig->module, &ext, 1, &inst, &rig->g.err) != 0)
		fail_msg("%s", rig->g.err.msg);
	return inst;
}

static inline int rig_set_up(void **state)
{
	struct rig *rig = calloc(1, sizeof(*rig));
	struct bytes b;

	assert_non_null(rig);
	guest_open(&rig->g, NULL, NULL);
	put_test_module(&b);
	rig->module = guest_module(&rig->g, &b);
	publish_test_image(rig->module);
	rig->inst = rig_instance(rig);
	*state = rig;
	return 0;
}

static inline int rig_tear_down(void **state)
{
	struct rig *rig = *state;

	we_module_unref(rig->module);
	guest_close(&rig->g);
	free(rig);
	return 0;
}

static inline int rig_call(struct rig *rig, enum test_func func, uint64_t *slots)
{
	const char name[] = {(char)('a' + func), '\0'};

	assert_int_equal(we_process_prepare(&rig->g.err), 0); // cmocka has a handler, too
	return guest_call(&rig->g, rig->inst, name, slots);
}

static inline uint64_t rig_ask(struct rig *rig, enum test_func func, uint64_t x)
{
	uint64_t slots[1] = {x};

	if (rig_call(rig, func, slots) != 0)
		fail_msg("%s", rig->g.err.msg);
	return slots[0];
}
