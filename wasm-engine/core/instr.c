// SPDX-License-Identifier: BSD-3-Clause
// we_instr: see instr.h.
//
// Module path 1/6. Spec: core "Instructions", "Types" (binary format).
#include "instr.h"

#include <string.h>

#include "limits.h"

enum {
	MULTI_BYTE_FIRST = 0xfb,
	MULTI_BYTE_LAST = 0xfd
}; // prefixes
enum {
	BLOCK_EMPTY = 0x40
};
enum {
	REF_NULL_PREFIX = 0x63,
	REF_PREFIX = 0x64
};
enum {
	MEMARG_HAS_MEMORY = 0x40
};
enum {
	CAST_FROM_NULL = 1,
	CAST_TO_NULL = 2
};
enum {
	CATCH_TAG = 0,
	CATCH_TAG_REF = 1,
	CATCH_ALL = 2,
	CATCH_ALL_REF = 3
};

static bool is_abstract_heap(uint8_t byte)
{
	return byte >= WE_HEAP_EXN && byte <= WE_HEAP_NOEXN;
}

int we_heaptype_read(struct we_reader *r, bool is_nullable, we_valtype *ret)
{
	const we_valtype ref = WE_T_REF | (is_nullable ? WE_T_NULL : 0);
	const uint8_t *start = r->at;
	int64_t code;
	int rc;

	if (!we_reader_at_end(r) && is_abstract_heap(*r->at)) {
		*ret = ref | *r->at++;
		return 0;
	}
	rc = we_reader_s33(r, &code);
	if (rc < 0)
		return rc;
	if (code < 0)
		return we_reader_fail_at(r, start, "malformed heap type 0x%02x", *start);
	if (code > WE_T_INDEX_MASK)
		return we_reader_fail_at(r, start, "type index %lld too large", (long long)code);
	*ret = ref | WE_T_INDEX | (we_valtype)code;
	return 0;
}

int we_reftype_read(struct we_reader *r, we_valtype *ret)
{
	const uint8_t *start = r->at;
	uint8_t byte;
	const int rc = we_reader_u8(r, &byte);

	if (rc < 0)
		return rc;
	if (byte == REF_NULL_PREFIX || byte == REF_PREFIX)
		return we_heaptype_read(r, byte == REF_NULL_PREFIX, ret);
	if (!is_abstract_heap(byte))
		return we_reader_fail_at(r, start, "malformed reference type 0x%02x", byte);
	*ret = WE_T_REF | WE_T_NULL | byte;
	return 0;
}

int we_valtype_read(struct we_reader *r, we_valtype *ret)
{
	if (!we_reader_at_end(r)) {
		const uint8_t byte = *r->at;

		if (byte <= WE_T_I32 && byte >= WE_T_V128) {
			r->at++;
			*ret = byte;
			return 0;
		}
		if (byte != REF_NULL_PREFIX && byte != REF_PREFIX && !is_abstract_heap(byte))
			return we_reader_fail(r, "malformed value type 0x%02x", byte);
	}
	return we_reftype_read(r, ret);
}

static int read_blocktype(struct we_reader *r, struct we_blocktype *ret)
{
	const uint8_t *start = r->at;
	int64_t code;
	int rc;

	if (we_reader_at_end(r))
		return we_reader_fail(r, "unexpected end");
	if (*r->at == BLOCK_EMPTY) {
		r->at++;
		ret->kind = WE_BLOCK_EMPTY;
		return 0;
	}
	if ((*r->at & 0xc0) == 0x40) { // a negative number of one byte
		ret->kind = WE_BLOCK_VAL;
		return we_valtype_read(r, &ret->val);
	}
	rc = we_reader_s33(r, &code);
	if (rc < 0)
		return rc;
	if (code < 0)
		return we_reader_fail_at(r, start, "malformed block type 0x%02x", *start);
	ret->kind = WE_BLOCK_TYPE;
	ret->type = (we_typeidx)code;
	return 0;
}

static int read_memarg(struct we_reader *r, struct we_memarg *ret)
{
	const uint8_t *start = r->at;
	uint32_t flags;
	int rc = we_reader_u32(r, &flags);

	if (rc < 0)
		return rc;
	if (flags >= 2 * MEMARG_HAS_MEMORY)
		return we_reader_fail_at(r, start, "malformed memop flags 0x%x", flags);
	ret->align = flags & (MEMARG_HAS_MEMORY - 1);
	ret->mem = 0;
	if (flags & MEMARG_HAS_MEMORY)
		rc = we_reader_u32(r, &ret->mem);
	if (rc == 0)
		rc = we_reader_u64(r, &ret->offset);
	return rc;
}

// The length of a list whose items have at least one byte each.
static int read_count(struct we_reader *r, const char *what, uint32_t limit, uint32_t *ret)
{
	const uint8_t *start = r->at;
	uint32_t n;
	const int rc = we_reader_u32(r, &n);

	if (rc < 0)
		return rc;
	if (n > we_reader_left(r))
		return we_reader_fail_at(r, start, "length out of bounds: list of %u", n);
	if (n > limit)
		return we_error_set(r->err, WE_E_INVALID,
			r->file_offset + (uint64_t)(start - r->base),
			"more than the implementation limit of %u %s", limit, what);
	*ret = n;
	return 0;
}

static int read_labels(struct we_reader *r, struct we_instr *ret)
{
	uint32_t label;
	int rc = read_count(r, "labels", WE_LIMIT_BR_TABLE, &ret->of.labels.n);

	if (rc < 0)
		return rc;
	ret->of.labels.targets = *r;
	for (uint32_t i = 0; rc == 0 && i <= ret->of.labels.n; i++)
		rc = we_reader_u32(r, &label);
	ret->of.labels.targets.end = r->at;
	return rc;
}

static int read_select(struct we_reader *r, we_valtype *ret)
{
	uint32_t n;
	int rc = read_count(r, "types", UINT32_MAX, &n);

	*ret = WE_T_BOT;
	for (uint32_t i = 0; rc == 0 && i < n; i++)
		rc = we_valtype_read(r, ret);
	if (n != 1)
		*ret = WE_T_BOT;
	return rc;
}

int we_catch_read(struct we_reader *r, struct we_catch *ret)
{
	const uint8_t *start = r->at;
	uint8_t kind;
	int rc = we_reader_u8(r, &kind);

	if (rc < 0)
		return rc;
	if (kind > CATCH_ALL_REF)
		return we_reader_fail_at(r, start, "malformed catch clause 0x%02x", kind);
	ret->has_tag = kind == CATCH_TAG || kind == CATCH_TAG_REF;
	ret->has_ref = kind == CATCH_TAG_REF || kind == CATCH_ALL_REF;
	if (ret->has_tag)
		rc = we_reader_u32(r, &ret->tag);
	if (rc == 0)
		rc = we_reader_u32(r, &ret->label);
	return rc;
}

static int read_try_table(struct we_reader *r, struct we_instr *ret)
{
	struct we_catch clause;
	int rc = read_blocktype(r, &ret->of.try_table.block);

	if (rc == 0)
		rc = read_count(r, "catch clauses", WE_LIMIT_CATCHES, &ret->of.try_table.n);
	if (rc < 0)
		return rc;
	ret->of.try_table.catches = *r;
	for (uint32_t i = 0; rc == 0 && i < ret->of.try_table.n; i++)
		rc = we_catch_read(r, &clause);
	ret->of.try_table.catches.end = r->at;
	return rc;
}

static int read_cast(struct we_reader *r, struct we_instr *ret)
{
	const uint8_t *start = r->at;
	uint8_t flags;
	int rc = we_reader_u8(r, &flags);

	if (rc == 0 && flags > (CAST_FROM_NULL | CAST_TO_NULL))
		rc = we_reader_fail_at(r, start, "malformed cast flags 0x%02x", flags);
	if (rc == 0)
		rc = we_reader_u32(r, &ret->of.cast.label);
	if (rc == 0)
		rc = we_heaptype_read(r, (flags & CAST_FROM_NULL) != 0, &ret->of.cast.from);
	if (rc == 0)
		rc = we_heaptype_read(r, (flags & CAST_TO_NULL) != 0, &ret->of.cast.to);
	return rc;
}

static int read_pair(struct we_reader *r, struct we_instr *ret)
{
	int rc = we_reader_u32(r, &ret->of.pair.a);

	if (rc == 0)
		rc = we_reader_u32(r, &ret->of.pair.b);
	return rc;
}

static int read_raw16(struct we_reader *r, uint8_t *ret)
{
	struct we_bytes raw;
	const int rc = we_reader_bytes(r, 16, &raw);

	if (rc == 0)
		memcpy(ret, raw.data, 16);
	return rc;
}

static int read_immediates(struct we_reader *r, struct we_instr *ret)
{
	int rc;

	switch ((enum we_imm)we_op_info[ret->op].imm) {
	case WE_IMM_NONE:
		return 0;
	case WE_IMM_LABEL:
	case WE_IMM_FUNC:
	case WE_IMM_TYPE:
	case WE_IMM_TAG:
	case WE_IMM_LOCAL:
	case WE_IMM_GLOBAL:
	case WE_IMM_TABLE:
	case WE_IMM_MEMORY:
	case WE_IMM_DATA:
	case WE_IMM_ELEM:
		return we_reader_u32(r, &ret->of.idx);
	case WE_IMM_BLOCK:
		return read_blocktype(r, &ret->of.block);
	case WE_IMM_LABELS:
		return read_labels(r, ret);
	case WE_IMM_SELECT:
		return read_select(r, &ret->of.select);
	case WE_IMM_TRY_TABLE:
		return read_try_table(r, ret);
	case WE_IMM_MEMARG:
		return read_memarg(r, &ret->of.mem.arg);
	case WE_IMM_MEMARG_LANE:
		rc = read_memarg(r, &ret->of.mem.arg);
		return rc < 0 ? rc : we_reader_u8(r, &ret->of.mem.lane);
	case WE_IMM_I32:
		return we_reader_s32(r, &ret->of.i32);
	case WE_IMM_I64:
		return we_reader_s64(r, &ret->of.i64);
	case WE_IMM_F32:
		return we_reader_fixed32(r, &ret->of.f32);
	case WE_IMM_F64:
		return we_reader_fixed64(r, &ret->of.f64);
	case WE_IMM_V128:
	case WE_IMM_SHUFFLE:
		return read_raw16(r, ret->of.v128);
	case WE_IMM_LANE:
		return we_reader_u8(r, &ret->of.lane);
	case WE_IMM_HEAPTYPE:
		return we_heaptype_read(r,
			ret->op == WE_OP_REF_NULL || ret->op == WE_OP_REF_TEST_NULL ||
				ret->op == WE_OP_REF_CAST_NULL,
			&ret->of.heap);
	case WE_IMM_TYPE_TABLE:
	case WE_IMM_DATA_MEM:
	case WE_IMM_ELEM_TABLE:
	case WE_IMM_MEM_MEM:
	case WE_IMM_TABLE_TABLE:
	case WE_IMM_TYPE_FIELD:
	case WE_IMM_TYPE_N:
	case WE_IMM_TYPE_DATA:
	case WE_IMM_TYPE_ELEM:
	case WE_IMM_TYPE_TYPE:
		return read_pair(r, ret);
	case WE_IMM_CAST:
		return read_cast(r, ret);
	}
	__builtin_unreachable();
}

int we_instr_read_long(struct we_reader *r, const uint8_t *start, struct we_instr *ret)
{
	const uint8_t first = *start;
	uint32_t code;
	int rc;

	if (first < MULTI_BYTE_FIRST || first > MULTI_BYTE_LAST) {
		if (ret->op == WE_OP_NONE)
			return we_reader_fail_at(r, start, "illegal opcode %02x", first);
		return read_immediates(r, ret);
	}
	rc = we_reader_u32(r, &code);
	if (rc < 0)
		return rc;
	ret->op = we_op_find(first, code);
	if (ret->op == WE_OP_NONE)
		return we_reader_fail_at(r, start, "illegal opcode %02x %02x", first, code);
	return read_immediates(r, ret);
}
