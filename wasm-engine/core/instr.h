// SPDX-License-Identifier: BSD-3-Clause
// we_instr: one instruction of a body, read from its bytes.
//
// Module path 1/6. The decoder (constant expressions) and the validator (bodies, whose instructions it hands on to the
// tier) read through we_instr_read. It refuses what the binary format does not allow; whether indices and types are
// right is for the validator.
// Spec: core "Instructions" (binary format), "Expressions".
#pragma once

#include "opcode.h"
#include "reader.h"
#include "type.h"

// Spec: core "Block Types".
struct we_blocktype {
	enum {
		WE_BLOCK_EMPTY,
		WE_BLOCK_VAL,
		WE_BLOCK_TYPE
	} kind;
	we_valtype val;  // VAL: the one result
	we_typeidx type; // TYPE
};

struct we_memarg {
	uint32_t align; // log2 of bytes
	we_memidx mem;
	uint64_t offset; // bytes
};

// A clause of try_table. Spec: core "Control Instructions".
struct we_catch {
	bool has_tag; // else any tag
	bool has_ref; // the label also gets the exception
	we_tagidx tag;
	we_labelidx label;
};

// Invariant: `of` holds the member that op's immediate kind names.
struct we_instr {
	enum we_op op;
	uint32_t at; // of the opcode's first byte, we_reader_pos
	union {
		uint32_t idx; // LABEL FUNC TYPE TAG LOCAL GLOBAL TABLE MEMORY DATA ELEM
		struct {
			uint32_t a; // in the order of the bytes
			uint32_t b;
		} pair; // TYPE_TABLE DATA_MEM ELEM_TABLE MEM_MEM TABLE_TABLE TYPE_FIELD TYPE_N TYPE_DATA TYPE_ELEM
		// TYPE_TYPE
		struct we_blocktype block; // BLOCK
		struct {
			struct we_reader
				targets; // n labels and then the default: read with we_reader_u32
			uint32_t n;
		} labels; // LABELS
		we_valtype
			select; // SELECT of one type; WE_T_BOT when it lists another number of types
		struct {
			struct we_blocktype block;
			struct we_reader catches; // n clauses: read with we_catch_read
			uint32_t n;
		} try_table; // TRY_TABLE
		struct {
			struct we_memarg arg;
			uint8_t lane; // MEMARG_LANE
		} mem;                // MEMARG MEMARG_LANE
		int32_t i32;          // I32
		int64_t i64;          // I64
		uint32_t f32;         // F32, bits
		uint64_t f64;         // F64, bits
		uint8_t v128[16];     // V128, SHUFFLE
		uint8_t lane;         // LANE
		we_valtype heap; // HEAPTYPE, as a reference type; nullable for ref.null, *_null
		struct {
			we_labelidx label;
			we_valtype from;
			we_valtype to;
		} cast; // CAST
	} of;
};

// Those with a prefix or with longer immediates; we_instr_read is what one calls.
WE_MUST_USE int we_instr_read_long(struct we_reader *r, const uint8_t *start, struct we_instr *ret);

// Read the next instruction. Fails: MALFORMED at the offending byte.
__attribute__((always_inline)) static inline WE_MUST_USE int we_instr_read(
	struct we_reader *r, struct we_instr *ret)
{
	const uint8_t *start = r->at;
	enum we_imm imm;
	uint8_t first;
	const int rc = we_reader_u8(r, &first);

	if (rc < 0)
		return rc;
	ret->at = (uint32_t)(start - r->base);
	ret->op = (enum we_op)we_op_of_code[first]; // NONE for a prefix
	imm = (enum we_imm)we_op_info[ret->op].imm;
	if (imm == WE_IMM_NONE)
		return ret->op == WE_OP_NONE ? we_instr_read_long(r, start, ret) : 0;
	if (imm <= WE_IMM_LAST_INDEX) // most of what compilers write
		return we_reader_u32(r, &ret->of.idx);
	if (imm == WE_IMM_I32)
		return we_reader_s32(r, &ret->of.i32);
	if (imm == WE_IMM_MEMARG && we_reader_left(r) >= 2 && r->at[0] < 0x40 && r->at[1] < 0x80) {
		ret->of.mem.arg =
			(struct we_memarg){.align = r->at[0], .mem = 0, .offset = r->at[1]};
		r->at += 2;
		return 0;
	}
	return we_instr_read_long(r, start, ret);
}

// The next clause of try_table.
WE_MUST_USE int we_catch_read(struct we_reader *r, struct we_catch *ret);

// The shared readers of types: also used by the sections. As reference types are decoded, a type
// index is not checked here.
WE_MUST_USE int we_valtype_read(struct we_reader *r, we_valtype *ret);
WE_MUST_USE int we_reftype_read(struct we_reader *r, we_valtype *ret);
WE_MUST_USE int we_heaptype_read(struct we_reader *r, bool is_nullable, we_valtype *ret);
