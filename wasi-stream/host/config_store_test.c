// SPDX-License-Identifier: BSD-3-Clause
// Tests of wasi:config/store.
#include "config_store.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static const struct ws_config_entry entries[] = {
	{"rules", "default deny", 12},
	{"empty", "", 0},
	{"nul", "a\0b", 3},
	{"schl\xc3\xbcssel", "\xe2\x82\xac", 3},
};
enum {
	N_ENTRIES = sizeof(entries) / sizeof(entries[0])
};

static struct ws_config_store store;
static struct we_error err;

// The payload of the option in get(key)'s answer, or NULL for none.
static const struct cm_val *get(const char *key)
{
	const struct cm_val arg = {.kind = CM_STRING, .n = (uint32_t)strlen(key), .of.string = key};
	struct cm_val result;

	assert_int_equal(ws_config_store_get(&store, NULL, &arg, 1, &result, &err), 0);
	assert_int_equal(result.kind, CM_VARIANT);
	assert_int_equal(result.n, 0); // ok
	const struct cm_val *option = result.of.payload;

	assert_int_equal(option->kind, CM_VARIANT);
	if (option->n == 0)
		return NULL;
	assert_int_equal(option->of.payload->kind, CM_STRING);
	return option->of.payload;
}

static void config_store_get_answers_the_value_or_none(void **state)
{
	(void)state;
	assert_int_equal(ws_config_store_init(&store, entries, N_ENTRIES, &err), 0);
	for (uint32_t i = 0; i < N_ENTRIES; i++) {
		const struct cm_val *value = get(entries[i].key);

		assert_non_null(value);
		assert_int_equal(value->n, entries[i].value_len);
		assert_memory_equal(value->of.string, entries[i].value, value->n);
	}
	assert_null(get("rule"));
	assert_null(get("rules "));
	assert_null(get(""));
	ws_config_store_fini(&store);
}

static void config_store_get_all_lists_pairs_in_order(void **state)
{
	struct cm_val result;

	(void)state;
	assert_int_equal(ws_config_store_init(&store, entries, N_ENTRIES, &err), 0);
	assert_int_equal(ws_config_store_get_all(&store, NULL, NULL, 0, &result, &err), 0);
	assert_int_equal(result.n, 0); // ok
	const struct cm_val *list = result.of.payload;

	assert_int_equal(list->kind, CM_LIST);
	assert_int_equal(list->n, N_ENTRIES);
	for (uint32_t i = 0; i < N_ENTRIES; i++) {
		const struct cm_val *pair = &list->of.elems[i];

		assert_int_equal(pair->kind, CM_TUPLE);
		assert_int_equal(pair->n, 2);
		assert_memory_equal(
			pair->of.elems[0].of.string, entries[i].key, strlen(entries[i].key));
		assert_int_equal(pair->of.elems[1].n, entries[i].value_len);
	}
	ws_config_store_fini(&store);
}

static void config_store_without_entries_answers_none(void **state)
{
	struct cm_val result;

	(void)state;
	assert_int_equal(ws_config_store_init(&store, NULL, 0, &err), 0);
	assert_null(get("rules"));
	assert_int_equal(ws_config_store_get_all(&store, NULL, NULL, 0, &result, &err), 0);
	assert_int_equal(result.of.payload->n, 0);
	ws_config_store_fini(&store);
}

static void config_store_value_that_is_not_utf8_is_invalid(void **state)
{
	static const struct ws_config_entry bad[] = {
		{"rules", "\xff", 1},
		{"rules", "\xc3", 1},
		{"k\x80", "x", 1},
	};

	(void)state;
	for (uint32_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_int_equal(ws_config_store_init(&store, &bad[i], 1, &err), WE_E_INVALID);
	assert_int_equal(ws_config_store_init(&store, &bad[0], 1, &err), WE_E_INVALID);
	assert_string_equal(err.msg, "config: value of 'rules' is not UTF-8");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(config_store_get_answers_the_value_or_none),
		cmocka_unit_test(config_store_get_all_lists_pairs_in_order),
		cmocka_unit_test(config_store_without_entries_answers_none),
		cmocka_unit_test(config_store_value_that_is_not_utf8_is_invalid),
	};

	return cmocka_run_group_tests_name("ws_config_store", tests, NULL, NULL);
}
