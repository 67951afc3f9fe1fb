// SPDX-License-Identifier: BSD-3-Clause
// Tests of labels, import and export names, and their uniqueness.
#include "name.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static struct cm_name name_of(const char *text)
{
	return (struct cm_name){text, (uint32_t)strlen(text)};
}

static void label_grammar(void **state)
{
	static const struct {
		const char *text;
		bool is_label;
	} cases[] = {
		{"a", true},
		{"a-b-c", true},
		{"a1-2-3", true},
		{"A", true},
		{"A-B-C", true},
		{"is-XML", true},
		{"m1x3d-4CR0NYMS", true},
		{"", false},
		{"1-2-3", false},
		{"-a", false},
		{"a-", false},
		{"a--b", false},
		{"aB", false},
		{"a_b", false},
		{"a b", false},
		{"caf\xc3\xa9", false},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		if (cm_name_is_label(name_of(cases[i].text)) != cases[i].is_label)
			fail_msg("case %zu: %s", i, cases[i].text);
}

static void semver_grammar(void **state)
{
	static const struct {
		const char *text;
		bool is_semver;
	} cases[] = {
		{"0.0.0", true},
		{"1.2.3", true},
		{"0.2.0-rc.1", true},
		{"1.0.0-alpha+001", true},
		{"1.0.0+exp.sha.5114f85", true},
		{"1.0.0--", true},
		{"1.2", false},
		{"01.2.3", false},
		{"1.2.3-", false},
		{"1.2.3-01", false},
		{"1.2.3-a..b", false},
		{"1.2.3 ", false},
		{"18446744073709551616.0.0", false},
		{"", false},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		if (cm_name_is_semver(name_of(cases[i].text)) != cases[i].is_semver)
			fail_msg("case %zu: %s", i, cases[i].text);
}

static void extern_name_grammar(void **state)
{
	static const struct {
		const char *text;
		int rc;
		enum cm_namekind kind;
	} cases[] = {
		{"run", 0, CM_NAME_LABEL},
		{"[constructor]file", 0, CM_NAME_CONSTRUCTOR},
		{"[method]file.read", 0, CM_NAME_METHOD},
		{"[static]file.open", 0, CM_NAME_STATIC},
		{"wasi:config/store@0.2.0-rc.1", 0, CM_NAME_INTERFACE},
		{"wasi:http/handler", 0, CM_NAME_INTERFACE},
		{"a:b:c/d", 0, CM_NAME_INTERFACE},
		{"a:b/c@0.2", 0, CM_NAME_INTERFACE},
		{"wasi/http", 1, 0},
		{"wasi:http", 1, 0},
		{"wasi:http/", 1, 0},
		{":http/x", 1, 0},
		{"wasi:http/x@", 1, 0},
		{"wasi:http/x@1.0.x", 1, 0},
		{"WASI:http/x", 1, 0},
		{"[method]file", 1, 0},
		{"[method]file.", 1, 0},
		{"[other]file", 1, 0},
		{"", 1, 0},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct cm_externname name;
		char why[80] = "";
		const int rc = cm_name_parse(name_of(cases[i].text), &name, why, sizeof(why));

		if (rc != cases[i].rc || (rc == 0 && name.kind != cases[i].kind))
			fail_msg("case %zu: %s: %s", i, cases[i].text, why);
	}
}

static void interface_name_is_told_in_parts(void **state)
{
	struct cm_externname name;
	char why[80];

	(void)state;
	assert_int_equal(
		cm_name_parse(name_of("wasi:config/store@0.2.0-rc.1"), &name, why, sizeof(why)), 0);
	assert_int_equal(name.package.len, strlen("wasi:config"));
	assert_memory_equal(name.package.text, "wasi:config", name.package.len);
	assert_int_equal(name.interface.len, strlen("store"));
	assert_memory_equal(name.interface.text, "store", name.interface.len);
	assert_int_equal(name.version.len, strlen("0.2.0-rc.1"));
	assert_false(name.is_nested);
	assert_false(name.has_canonical_version);
	assert_int_equal(cm_name_parse(name_of("a:b:c/d@0.2"), &name, why, sizeof(why)), 0);
	assert_true(name.is_nested);
	assert_true(name.has_canonical_version);
}

// Spec: Explainer.md "Name Uniqueness", its own examples.
static void names_are_strongly_unique(void **state)
{
	static const char *const distinct[] = {"foo", "foo-bar", "[constructor]foo",
		"[method]foo.bar", "[static]foo.baz", "foo:bar/baz"};
	static const char *const taken[] = {"foo", "FOO", "foo-BAR", "[constructor]FOO",
		"[method]foo.BAR", "[static]foo.bar", "[method]foo.baz", "[method]foo.foo",
		"[static]foo-BAR.FOO-bar", "foo:bar/BAZ"};
	struct cm_name_set set = {0};
	struct cm_name earlier;

	(void)state;
	for (size_t i = 0; i < sizeof(distinct) / sizeof(distinct[0]); i++)
		assert_int_equal(cm_name_set_add(&set, name_of(distinct[i]), &earlier), 0);
	for (size_t i = 0; i < sizeof(taken) / sizeof(taken[0]); i++)
		if (cm_name_set_add(&set, name_of(taken[i]), &earlier) != CM_NAME_TAKEN)
			fail_msg("case %zu: %s", i, taken[i]);
	cm_name_set_fini(&set);
}

static void name_set_finds_each_of_many(void **state)
{
	static char texts[3000][8];
	struct cm_name_set set = {0};
	struct cm_name earlier;

	(void)state;
	for (int i = 0; i < 3000; i++) {
		snprintf(texts[i], sizeof(texts[i]), "n%d", i);
		assert_int_equal(cm_name_set_add_exact(&set, name_of(texts[i]), &earlier), 0);
	}
	for (int i = 0; i < 3000; i++) {
		assert_true(cm_name_set_has_exact(&set, name_of(texts[i])));
		assert_int_equal(
			cm_name_set_add_exact(&set, name_of(texts[i]), &earlier), CM_NAME_TAKEN);
	}
	assert_false(cm_name_set_has_exact(&set, name_of("n3000")));
	assert_false(cm_name_set_has_exact(&set, name_of("N1")));
	cm_name_set_fini(&set);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(label_grammar),
		cmocka_unit_test(semver_grammar),
		cmocka_unit_test(extern_name_grammar),
		cmocka_unit_test(interface_name_is_told_in_parts),
		cmocka_unit_test(names_are_strongly_unique),
		cmocka_unit_test(name_set_finds_each_of_many),
	};

	return cmocka_run_group_tests_name("cm_name", tests, NULL, NULL);
}
