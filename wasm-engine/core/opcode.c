// SPDX-License-Identifier: BSD-3-Clause
// we_op: tables made from opcode.def and feature.def.
//
// Module path 1/6. Owns: constant tables.
#include "opcode.h"

#include <assert.h>
#include <stddef.h>

#include "we.h"

// Short names of the flags, as opcode.def writes them.
enum {
	CTRL = WE_OP_FLAG_CTRL,
	PURE = WE_OP_FLAG_PURE,
	MAY_TRAP = WE_OP_FLAG_MAY_TRAP,
	CALL = WE_OP_FLAG_CALL,
	MEM = WE_OP_FLAG_MEM,
	CONST = WE_OP_FLAG_CONST,
	W1 = WE_OP_FLAG_W1,
	W2 = WE_OP_FLAG_W2,
	W4 = WE_OP_FLAG_W4,
	W8 = WE_OP_FLAG_W8,
	W16 = WE_OP_FLAG_W16,
};

const struct we_op_info we_op_info[WE_OP_N] = {
	[WE_OP_NONE] = {"?", "", "", 0, WE_FEATURE_MVP, WE_IMM_NONE, 0, 0},
#define WE_OP(feature, prefix, code, NAME, mnemonic, imm, params, results, flags)                  \
	[WE_OP_##NAME] = {mnemonic, params, results, flags, WE_FEATURE_##feature, WE_IMM_##imm,    \
		sizeof(params) - 1, sizeof(results) - 1},
#include "opcode.def"
#undef WE_OP
};

// One table for all prefixes: codes of each prefix follow those of the one before.
enum {
	N_PLAIN = 0x100,
	N_FB = 0x20,
	N_FC = 0x20,
	N_FD = 0x120,
	N_CODES = N_PLAIN + N_FB + N_FC + N_FD,
};
#define SLOT(prefix, code)                                                                         \
	((prefix) == 0x00          ? (code)                                                        \
		: (prefix) == 0xfb ? N_PLAIN + (code)                                              \
		: (prefix) == 0xfc ? N_PLAIN + N_FB + (code)                                       \
				   : N_PLAIN + N_FB + N_FC + (code))

const uint16_t we_op_of_code[N_CODES] = {
#define WE_OP(feature, prefix, code, NAME, mnemonic, imm, params, results, flags)                  \
	[SLOT(prefix, code)] = WE_OP_##NAME,
#include "opcode.def"
#undef WE_OP
};

enum we_op we_op_find(uint8_t prefix, uint32_t code)
{
	const uint32_t n = prefix == 0x00   ? N_PLAIN
			   : prefix == 0xfb ? N_FB
			   : prefix == 0xfc ? N_FC
			   : prefix == 0xfd ? N_FD
					    : 0;

	return code < n ? (enum we_op)we_op_of_code[SLOT(prefix, code)] : WE_OP_NONE;
}

static_assert(WE_OP_FLAG_W16 == 16 * WE_OP_FLAG_W1, "the width flags are the width, shifted");

uint32_t we_op_width(enum we_op op)
{
	return (we_op_info[op].flags / WE_OP_FLAG_W1) & 31u;
}

static const char *const features[WE_FEATURE_N] = {
#define WE_FEATURE(NAME, text) [WE_FEATURE_##NAME] = (text),
#include "feature.def"
#undef WE_FEATURE
};

const char *we_feature_name(uint32_t bit)
{
	return bit < WE_FEATURE_N ? features[bit] : NULL;
}
