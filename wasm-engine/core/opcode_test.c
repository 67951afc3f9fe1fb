// SPDX-License-Identifier: BSD-3-Clause
// Tests of the opcode table: every row is found by its code and says something sensible.
#include "opcode.h"
#include "we.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

static void every_row_is_found_by_its_code(void **state)
{
	(void)state;
#define WE_OP(feature, prefix, code, NAME, mnemonic, imm, params, results, flags)                  \
	assert_int_equal(we_op_find(prefix, code), WE_OP_##NAME);
#include "opcode.def"
#undef WE_OP
}

static void codes_between_the_rows_are_no_instruction(void **state)
{
	uint32_t n = 0;

	(void)state;
	for (uint32_t code = 0; code < 0x400; code++) {
		n += we_op_find(0x00, code) != WE_OP_NONE;
		n += we_op_find(0xfb, code) != WE_OP_NONE;
		n += we_op_find(0xfc, code) != WE_OP_NONE;
		n += we_op_find(0xfd, code) != WE_OP_NONE;
		assert_int_equal(we_op_find(0xfe, code), WE_OP_NONE);
	}
	assert_int_equal(n, WE_OP_N - 1);
	assert_int_equal(we_op_find(0x00, 0xff), WE_OP_NONE);
	assert_int_equal(we_op_find(0xfd, UINT32_MAX), WE_OP_NONE);
}

static void memory_accesses_and_lanes_have_a_width(void **state)
{
	(void)state;
	for (enum we_op op = WE_OP_NONE + 1; op < WE_OP_N; op++) {
		const struct we_op_info *info = &we_op_info[op];
		const bool needs = info->imm == WE_IMM_MEMARG || info->imm == WE_IMM_MEMARG_LANE ||
				   info->imm == WE_IMM_LANE;
		const uint32_t width = we_op_width(op);

		if (needs != (width != 0) || (width & (width - 1)) != 0)
			fail_msg("%s: width %u", info->mnemonic, width);
	}
	assert_int_equal(we_op_width(WE_OP_I64_LOAD32_U), 4);
	assert_int_equal(we_op_width(WE_OP_V128_STORE64_LANE), 8);
}

static void operand_letters_are_known(void **state)
{
	(void)state;
	for (enum we_op op = WE_OP_NONE + 1; op < WE_OP_N; op++) {
		const struct we_op_info *info = &we_op_info[op];

		if (strcmp(info->params, "*") != 0)
			assert_int_equal(strspn(info->params, "ilfdva"), strlen(info->params));
		if (strcmp(info->results, "*") != 0)
			assert_int_equal(strspn(info->results, "ilfdva"), strlen(info->results));
	}
}

static void features_have_names(void **state)
{
	(void)state;
	for (uint32_t i = 0; i < WE_FEATURE_N; i++)
		assert_non_null(we_feature_name(i));
	assert_null(we_feature_name(WE_FEATURE_N));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_row_is_found_by_its_code),
		cmocka_unit_test(codes_between_the_rows_are_no_instruction),
		cmocka_unit_test(memory_accesses_and_lanes_have_a_width),
		cmocka_unit_test(operand_letters_are_known),
		cmocka_unit_test(features_have_names),
	};

	return cmocka_run_group_tests_name("we_opcode", tests, NULL, NULL);
}
