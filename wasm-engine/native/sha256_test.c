// SPDX-License-Identifier: BSD-3-Clause
// Tests of we_sha256 with the examples of the standard.
#include "sha256.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static const struct {
	const char *text;
	unsigned n_times;
	const char *digest;
} cases[] = {
	{"", 1, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"},
	{"abc", 1, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"},
	{"abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq", 1,
		"248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1"},
	{"abcdefghbcdefghicdefghijdefghijkefghijklfghijklmghijklmnhijklmnoijklmnopjklmnopqklmnopqr"
	 "lmnopqrsmnopqrstnopqrstu",
		1, "cf5b16a778af8380036ce59e7b0492370b249b11e8f07a51afac45037afee9d1"},
	{"a", 1000000, "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0"},
	{"0123456701234567012345670123456701234567012345670123456701234567", 10,
		"594847328451bdfa85056225462cc1d867d877fb388df0ce35f25ab5562bfbb5"},
};

static void expect(struct we_sha256 *sha, const char *digest)
{
	uint8_t bytes[WE_SHA256_BYTES];
	char text[2 * WE_SHA256_BYTES + 1];

	we_sha256_end(sha, bytes);
	for (size_t i = 0; i < sizeof(bytes); i++)
		snprintf(text + 2 * i, 3, "%02x", bytes[i]);
	assert_string_equal(text, digest);
}

static void sha256_of_the_examples_is_as_in_the_standard(void **state)
{
	struct we_sha256 sha;

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		we_sha256_init(&sha);
		for (unsigned k = 0; k < cases[i].n_times; k++)
			we_sha256_add(&sha, cases[i].text, strlen(cases[i].text));
		expect(&sha, cases[i].digest);
	}
}

static void sha256_in_pieces_of_any_size_is_the_same(void **state)
{
	static const char *const text =
		"abcdefghbcdefghicdefghijdefghijkefghijklfghijklmghijklmnhijklmno"
		"ijklmnopjklmnopqklmnopqrlmnopqrsmnopqrstnopqrstu";
	struct we_sha256 sha;

	(void)state;
	for (size_t size = 1; size <= strlen(text); size++) {
		we_sha256_init(&sha);
		for (size_t at = 0; at < strlen(text); at += size)
			we_sha256_add(&sha, text + at,
				size < strlen(text) - at ? size : strlen(text) - at);
		expect(&sha, cases[3].digest);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(sha256_of_the_examples_is_as_in_the_standard),
		cmocka_unit_test(sha256_in_pieces_of_any_size_is_the_same),
	};

	return cmocka_run_group_tests_name("we_sha256", tests, NULL, NULL);
}
