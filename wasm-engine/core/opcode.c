// SPDX-License-Identifier: BSD-3-Clause
// we_op: tables made from opcode.def and feature.def.
//
// Module path 1/6. Owns: constant tables.
#include "opcode.h"

#include <assert.h>
#include <stddef.h>

#include "type.h"

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

// Of the letters of a row: the i-th or 0, whether it is `is`, and its type, 0 for those that depend on the instruction.
#define LETTER(letters, i) ((i) < sizeof(letters) ? (letters)[(i) < sizeof(letters) ? (i) : 0] : 0)
#define IS(letters, i, is) (LETTER(letters, i) == (is))
#define TYPE_OF(letters, i)                                                                        \
	(IS(letters, i, 'i')          ? WE_T_I32                                                   \
		: IS(letters, i, 'l') ? WE_T_I64                                                   \
		: IS(letters, i, 'f') ? WE_T_F32                                                   \
		: IS(letters, i, 'd') ? WE_T_F64                                                   \
		: IS(letters, i, 'v') ? WE_T_V128                                                  \
				      : 0)
#define N_LETTERS(letters) (sizeof(letters) - 1)

const struct we_op_info we_op_info[WE_OP_N] = {
	[WE_OP_NONE] = {.mnemonic = "?", .params = "", .results = ""},
#define WE_OP(feat, prefix, code, NAME, name, immediates, takes, gives, bits)                      \
	[WE_OP_##NAME] = {.mnemonic = (name),                                                      \
		.params = (takes),                                                                 \
		.results = (gives),                                                                \
		.flags = (bits),                                                                   \
		.feature = WE_FEATURE_##feat,                                                      \
		.imm = WE_IMM_##immediates,                                                        \
		.has_own_rule = IS(takes, 0, '*') || IS(gives, 0, '*'),                            \
		.n_params = N_LETTERS(takes),                                                      \
		.n_results = N_LETTERS(gives),                                                     \
		.param_types = {TYPE_OF(takes, 0), TYPE_OF(takes, 1), TYPE_OF(takes, 2)},          \
		.result_type = TYPE_OF(gives, 0)},
#include "opcode.def"
#undef WE_OP
};

#define WE_OP(feature, prefix, code, NAME, mnemonic, imm, params, results, flags)                  \
	static_assert(N_LETTERS(params) <= WE_OP_MAX_PARAMS && N_LETTERS(results) <= 1, mnemonic);
#include "opcode.def"
#undef WE_OP

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

static const char *const features[WE_FEATURE_N] = {
#define WE_FEATURE(NAME, text) [WE_FEATURE_##NAME] = (text),
#include "feature.def"
#undef WE_FEATURE
};

const char *we_feature_name(uint32_t bit)
{
	return bit < WE_FEATURE_N ? features[bit] : NULL;
}
