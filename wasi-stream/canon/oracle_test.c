// SPDX-License-Identifier: BSD-3-Clause
// Random uses of the built-ins of streams, futures and waitable sets must answer what the executable specification
// answers. Argument: oracle_test.txt, which oracle_make.py makes and describes.
#include "rig.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum {
	N_ELEMENTS = 3,
	SEEN = 48, // bytes of memory that are compared
	LINE_CAP = 256,
};

static const char *path;

// One script's instance, and its built-ins by element type.
struct script {
	struct rig rig;
	const struct cm_builtin *streams[N_ELEMENTS];
	const struct cm_builtin *futures[N_ELEMENTS];
};

static void begin(struct script *s)
{
	static const char *const streams[] = {"stream<u8>", "stream<u16>", "stream"};
	static const char *const futures[] = {"future<u8>", "future<u16>", "future"};
	uint8_t *bytes;

	assert_int_equal(rig_init(&s->rig, NULL), 0);
	for (int i = 0; i < N_ELEMENTS; i++) {
		s->streams[i] = rig_builtin(&s->rig, streams[i], true);
		s->futures[i] = rig_builtin(&s->rig, futures[i], true);
	}
	bytes = rig_bytes(&s->rig, 0, 64);
	for (int i = 0; i < 64; i++)
		bytes[i] = (uint8_t)(i * 5 + 1);
}

static enum cm_canon canon_named(const char *name)
{
	uint32_t op = 0;

	while (op < CM_CANON_N && strcmp(cm_canon_name((enum cm_canon)op), name) != 0)
		op++;
	assert_true(op < CM_CANON_N);
	return (enum cm_canon)op;
}

// Run one use and say what came of it, in the words of the file.
static void run(
	struct script *s, const char *name, uint32_t element, const uint32_t *args, char *said)
{
	const bool is_future = strncmp(name, "future", strlen("future")) == 0;
	const enum cm_canon op = canon_named(name);
	uint64_t result = 0;
	const int rc = rig_call3(&s->rig, op, is_future ? s->futures[element] : s->streams[element],
		args[0], args[1], args[2], &result);

	if (rc == WE_E_TRAP)
		snprintf(said, LINE_CAP, "T");
	else if (rc != 0)
		snprintf(said, LINE_CAP, "%s", s->rig.err.msg);
	else if (op == CM_CANON_WAITABLE_SET_POLL)
		snprintf(said, LINE_CAP, "%llu %u %u", (unsigned long long)result,
			rig_u32(&s->rig, args[1]), rig_u32(&s->rig, args[1] + 4));
	else if (op == CM_CANON_WAITABLE_JOIN || strstr(name, ".drop"))
		snprintf(said, LINE_CAP, "ok");
	else
		snprintf(said, LINE_CAP, "%llu", (unsigned long long)result);
}

static void assert_memory(struct script *s, const char *hex)
{
	const uint8_t *bytes = rig_bytes(&s->rig, 0, SEEN);
	char found[2 * SEEN + 1];

	for (int i = 0; i < SEEN; i++)
		snprintf(found + 2 * i, 3, "%02x", bytes[i]);
	assert_string_equal(found, hex);
}

static void built_ins_answer_what_the_specification_answers(void **state)
{
	FILE *file = fopen(path, "r");
	char line[LINE_CAP];
	char said[LINE_CAP];
	struct script s;
	bool is_open = false;

	(void)state;
	assert_non_null(file);
	for (int number = 1; fgets(line, sizeof(line), file); number++) {
		char name[40];
		uint32_t element;
		uint32_t args[3];
		int at = 0;

		line[strcspn(line, "\n")] = '\0';
		if (line[0] == 'S') {
			if (is_open)
				rig_fini(&s.rig);
			begin(&s);
			is_open = true;
			continue;
		}
		if (line[0] == 'M') {
			assert_memory(&s, line + 2);
			continue;
		}
		assert_int_equal(sscanf(line, "%39s %u %u %u %u > %n", name, &element, &args[0],
					 &args[1], &args[2], &at),
			5);
		assert_true(at > 0 && element < N_ELEMENTS);
		run(&s, name, element, args, said);
		if (strcmp(said, line + at) != 0)
			fail_msg("line %d: %s: found %s", number, line, said);
	}
	rig_fini(&s.rig);
	fclose(file);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(built_ins_answer_what_the_specification_answers),
	};

	if (argc != 2)
		return 2;
	path = argv[1];
	return cmocka_run_group_tests_name("cm_oracle", tests, NULL, NULL);
}
