// SPDX-License-Identifier: BSD-3-Clause
// we_op: the instructions of WebAssembly as numbers, with what opcode.def says about each.
//
// Module path 1/6. Spec: core "Instructions".
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "feature.h"

// In the order of opcode.def; 0 is no instruction.
enum we_op {
	WE_OP_NONE,
#define WE_OP(feature, prefix, code, NAME, mnemonic, imm, params, results, flags) WE_OP_##NAME,
#include "opcode.def"
#undef WE_OP
	WE_OP_N
};

// What follows the opcode; instr.h says how each is represented.
enum we_imm {
	WE_IMM_NONE,
	WE_IMM_LABEL,                    // label
	WE_IMM_FUNC,                     // function
	WE_IMM_TYPE,                     // type
	WE_IMM_TAG,                      // tag
	WE_IMM_LOCAL,                    // local
	WE_IMM_GLOBAL,                   // global
	WE_IMM_TABLE,                    // table
	WE_IMM_MEMORY,                   // memory
	WE_IMM_DATA,                     // data segment
	WE_IMM_ELEM,                     // element segment
	WE_IMM_LAST_INDEX = WE_IMM_ELEM, // those above, after NONE, are one u32
	WE_IMM_BLOCK,                    // block type
	WE_IMM_LABELS,                   // list of labels, default label
	WE_IMM_TYPE_TABLE,               // type, table
	WE_IMM_SELECT,                   // list of value types
	WE_IMM_TRY_TABLE,                // block type, list of catch clauses
	WE_IMM_MEMARG,                   // alignment, memory, offset
	WE_IMM_MEMARG_LANE,              // the same, lane
	WE_IMM_I32,
	WE_IMM_I64,
	WE_IMM_F32,
	WE_IMM_F64,
	WE_IMM_V128,
	WE_IMM_SHUFFLE,     // 16 lanes of 32
	WE_IMM_LANE,        // lane
	WE_IMM_HEAPTYPE,    // heap type
	WE_IMM_DATA_MEM,    // data segment, memory
	WE_IMM_ELEM_TABLE,  // element segment, table
	WE_IMM_MEM_MEM,     // memory written, memory read
	WE_IMM_TABLE_TABLE, // table written, table read
	WE_IMM_TYPE_FIELD,  // type, field
	WE_IMM_TYPE_N,      // type, number of elements
	WE_IMM_TYPE_DATA,   // type, data segment
	WE_IMM_TYPE_ELEM,   // type, element segment
	WE_IMM_TYPE_TYPE,   // type written, type read
	WE_IMM_CAST,        // nullability of both, label, heap type, heap type
};

enum we_op_flag {
	WE_OP_FLAG_CTRL = 1 << 0,     // changes the control stack or the flow
	WE_OP_FLAG_PURE = 1 << 1,     // result depends on operands only
	WE_OP_FLAG_MAY_TRAP = 1 << 2, // here, or in what it calls
	WE_OP_FLAG_CALL = 1 << 3,
	WE_OP_FLAG_MEM = 1 << 4,   // touches a memory
	WE_OP_FLAG_CONST = 1 << 5, // allowed in constant expressions
	WE_OP_FLAG_W1 = 1 << 6,    // width of the access or lane, bytes
	WE_OP_FLAG_W2 = 1 << 7,
	WE_OP_FLAG_W4 = 1 << 8,
	WE_OP_FLAG_W8 = 1 << 9,
	WE_OP_FLAG_W16 = 1 << 10,
};

enum {
	WE_OP_MAX_PARAMS = 3 // of a row that says it all
};

struct we_op_info {
	const char *mnemonic;
	const char *params;  // as in opcode.def
	const char *results; // as in opcode.def
	uint16_t flags;      // enum we_op_flag
	uint8_t feature;     // enum we_feature
	uint8_t imm;         // enum we_imm
	bool has_own_rule;   // params or results are "*"; else the row says it all:
	uint8_t n_params;
	uint8_t n_results;                     // 0 or 1
	uint8_t param_types[WE_OP_MAX_PARAMS]; // we_valtype, 0: of an address
	uint8_t result_type; // the same; also set of some that have an own rule for their operands
};

extern const struct we_op_info we_op_info[WE_OP_N];

// enum we_op of each opcode: the 256 of one byte, then those behind prefixes; WE_OP_NONE where there is no instruction.
extern const uint16_t we_op_of_code[];
// The instruction of (prefix, code), prefix 0 for one-byte opcodes; WE_OP_NONE when there is none.
enum we_op we_op_find(uint8_t prefix, uint32_t code);

// Width of the access or lane in bytes: 1, 2, 4, 8 or 16; 0 for other instructions.
static inline uint32_t we_op_width(enum we_op op)
{
	return (we_op_info[op].flags / WE_OP_FLAG_W1) & 31u;
}

// Does it touch a memory where that may be out of bounds?
static inline bool we_op_is_access(enum we_op op)
{
	const uint32_t flags = we_op_info[op].flags;

	return (flags & WE_OP_FLAG_MEM) != 0 && (flags & WE_OP_FLAG_MAY_TRAP) != 0;
}
