// SPDX-License-Identifier: BSD-3-Clause
// Lowering of memories, tables and globals: see lower.h.
//
// Module path 3/6. A 32-bit memory lies in a reservation that holds whatever index and offset can reach, so that an access needs no
// compare; where a compare is needed (64-bit memories, explicit checks) a trap is a branch and nothing needs a pin. An access within
// what one before it has reached, or within the memory's declared minimum, cannot fault.
// Spec: core "Memory Instructions", "Table Instructions", "Variable Instructions".
#include <stddef.h>

#include "abi.h"

// ---- addresses ----------------------------------------------------------------------------------

static bool is_explicit(const struct func *f, we_memidx mem)
{
	return f->u->opt->explicit_checks || f->u->module->is.mems[mem].type.limits.is_64;
}

// How far memory accesses from base on have been.
static uint64_t proved_end(const struct func *f, LLVMValueRef base, we_memidx mem)
{
	const struct proof *proofs = f->proofs.data;
	uint64_t end = 0;

	for (size_t n = 0; n < f->proofs.len && n < JIT_PROOFS_LOOK; n++) {
		const struct proof *proof = &proofs[f->proofs.len - 1 - n];

		if (proof->base == base && proof->mem == mem && proof->end > end)
			end = proof->end;
	}
	return end;
}

static uint64_t min_bytes(const struct func *f, we_memidx mem)
{
	const uint64_t pages = f->u->module->is.mems[mem].type.limits.min;

	return pages < WE_MEMORY64_HOST_PAGES ? pages * WE_PAGE_BYTES : 0;
}

static bool is_inside(const struct func *f, LLVMValueRef index, we_memidx mem, uint64_t end)
{
	uint64_t at;

	if (end <= proved_end(f, index, mem))
		return true;
	if (!LLVMIsAConstantInt(index) || end > min_bytes(f, mem))
		return false;
	at = LLVMConstIntGetZExtValue(index);
	return at <= min_bytes(f, mem) - end;
}

static void prove(struct func *f, LLVMValueRef index, we_memidx mem, uint64_t end)
{
	struct proof *proof = func_add(&f->proofs, sizeof(*proof));

	*proof = (struct proof){.base = index, .mem = mem, .end = end};
}

// Trap unless index + end <= size.
static void check(struct func *f, LLVMValueRef index, we_memidx mem, uint64_t end)
{
	struct unit *u = f->u;
	LLVMValueRef size = unit_load(u, u->t_i64,
		unit_at(u, func_mem(f, mem), offsetof(struct we_memory, size_bytes)),
		PLACE_RUNTIME);
	LLVMValueRef bad;

	if (end <= min_bytes(f, mem)) {
		bad = LLVMBuildICmp(u->b, LLVMIntUGT, index,
			LLVMBuildSub(u->b, size, unit_i64(u, end), ""), "");
	} else {
		LLVMValueRef args[] = {size, unit_i64(u, end)};
		LLVMValueRef small = LLVMBuildICmp(u->b, LLVMIntULT, size, args[1], "");
		LLVMValueRef beyond = LLVMBuildICmp(
			u->b, LLVMIntUGT, index, LLVMBuildSub(u->b, size, args[1], ""), "");

		bad = LLVMBuildOr(u->b, small, beyond, "");
	}
	func_trap_if(f, bad, WE_TRAP_MEMORY_OUT_OF_BOUNDS);
}

struct access {
	LLVMValueRef at;
	bool may_fault;
};

// Where an access of `width` bytes goes; what it needs in front is there.
static struct access access_of(
	struct func *f, LLVMValueRef index, const struct we_memarg *arg, uint32_t width)
{
	struct unit *u = f->u;
	const bool is_64 = u->module->is.mems[arg->mem].type.limits.is_64;
	LLVMValueRef base = func_mem_base(f, arg->mem);
	LLVMValueRef wide = is_64 ? index : LLVMBuildZExt(u->b, index, u->t_i64, "");
	struct access access = {.may_fault = false};
	uint64_t end;

	if (__builtin_add_overflow(arg->offset, width, &end)) {
		func_trap_if(f, LLVMConstInt(u->t_i1, 1, false), WE_TRAP_MEMORY_OUT_OF_BOUNDS);
		end = width;
	} else if (!is_inside(f, index, arg->mem, end)) {
		if (is_explicit(f, arg->mem))
			check(f, wide, arg->mem, end);
		else
			access.may_fault = true;
		prove(f, index, arg->mem, end);
	}
	access.at = LLVMBuildInBoundsGEP2(u->b, u->t_i8, base, &wide, 1, "");
	if (arg->offset > 0 && arg->offset <= INT64_MAX)
		access.at = unit_at(u, access.at, arg->offset);
	return access;
}

static LLVMValueRef load(struct func *f, LLVMTypeRef type, LLVMValueRef index,
	const struct we_memarg *arg, uint32_t width, struct access *ret)
{
	LLVMValueRef v;

	*ret = access_of(f, index, arg, width);
	if (ret->may_fault)
		func_before_fault(f);
	v = unit_load(f->u, type, ret->at, PLACE_MEMORY);
	LLVMSetAlignment(v, 1);
	return v;
}

static void store(struct func *f, LLVMValueRef v, LLVMValueRef index, const struct we_memarg *arg,
	uint32_t width)
{
	const struct access access = access_of(f, index, arg, width);

	func_before_store(f, access.may_fault);
	unit_store(f->u, v, access.at, PLACE_MEMORY);
	LLVMSetAlignment(LLVMGetLastInstruction(LLVMGetInsertBlock(f->u->b)), 1);
}

// ---- loads and stores ---------------------------------------------------------------------------

static LLVMTypeRef int_type(struct unit *u, uint32_t width)
{
	return LLVMIntTypeInContext(u->cx, width * 8);
}

enum extension {
	EXT_NONE,
	EXT_SIGNED,
	EXT_UNSIGNED,
};

// What was loaded, in its final form, is an operand.
static void push_loaded(
	struct func *f, LLVMValueRef v, enum we_kind kind, const struct access *access)
{
	if (kind == WE_V128)
		v = LLVMBuildBitCast(f->u->b, v, f->u->t_v128, "");
	if (access->may_fault)
		func_pin(f, v);
	func_push(f, v, kind);
}

static void lower_load(
	struct func *f, const struct we_instr *in, enum we_kind kind, enum extension ext)
{
	struct unit *u = f->u;
	const uint32_t width = we_op_width(in->op);
	LLVMTypeRef type = unit_type(u, kind);
	LLVMValueRef index = func_pop(f);
	struct access access;
	LLVMValueRef v = load(f, ext == EXT_NONE ? type : int_type(u, width), index,
		&in->of.mem.arg, width, &access);

	if (ext == EXT_SIGNED)
		v = LLVMBuildSExt(u->b, v, type, "");
	else if (ext == EXT_UNSIGNED)
		v = LLVMBuildZExt(u->b, v, type, "");
	push_loaded(f, v, kind, &access);
}

static void lower_store(struct func *f, const struct we_instr *in)
{
	const uint32_t width = we_op_width(in->op);
	struct value v = func_pop_value(f);
	LLVMValueRef index = func_pop(f);

	if ((v.kind == WE_I32 && width < 4) || (v.kind == WE_I64 && width < 8))
		v.v = LLVMBuildTrunc(f->u->b, v.v, int_type(f->u, width), "");
	store(f, v.v, index, &in->of.mem.arg, width);
}

// n elements of half the width, extended.
static void load_extend(struct func *f, const struct we_instr *in, unsigned n, bool is_signed)
{
	struct unit *u = f->u;
	LLVMTypeRef half = LLVMVectorType(int_type(u, 8 / n), n);
	LLVMTypeRef whole = LLVMVectorType(int_type(u, 16 / n), n);
	LLVMValueRef index = func_pop(f);
	struct access access;
	LLVMValueRef v = load(f, half, index, &in->of.mem.arg, 8, &access);

	v = is_signed ? LLVMBuildSExt(u->b, v, whole, "") : LLVMBuildZExt(u->b, v, whole, "");
	push_loaded(f, v, WE_V128, &access);
}

static LLVMTypeRef lanes_of(struct unit *u, uint32_t width)
{
	return LLVMVectorType(int_type(u, width), 16 / width);
}

// One lane, put into those of `to`.
static LLVMValueRef load_into(struct func *f, const struct we_instr *in, LLVMValueRef to,
	uint32_t lane, struct access *ret)
{
	struct unit *u = f->u;
	const uint32_t width = we_op_width(in->op);
	LLVMValueRef index = func_pop(f);
	LLVMValueRef v = load(f, int_type(u, width), index, &in->of.mem.arg, width, ret);

	return LLVMBuildInsertElement(u->b, to, v, unit_i32(u, lane), "");
}

static void load_splat(struct func *f, const struct we_instr *in)
{
	struct unit *u = f->u;
	const uint32_t width = we_op_width(in->op);
	LLVMValueRef none = LLVMGetPoison(lanes_of(u, width));
	LLVMValueRef zeros = LLVMConstNull(LLVMVectorType(u->t_i32, 16 / width));
	struct access access;
	LLVMValueRef v = load_into(f, in, none, 0, &access);

	push_loaded(f, LLVMBuildShuffleVector(u->b, v, none, zeros, ""), WE_V128, &access);
}

static void load_zero(struct func *f, const struct we_instr *in)
{
	LLVMValueRef zeros = LLVMConstNull(lanes_of(f->u, we_op_width(in->op)));
	struct access access;

	push_loaded(f, load_into(f, in, zeros, 0, &access), WE_V128, &access);
}

static void load_lane(struct func *f, const struct we_instr *in)
{
	LLVMTypeRef type = lanes_of(f->u, we_op_width(in->op));
	LLVMValueRef to = LLVMBuildBitCast(f->u->b, func_pop(f), type, "");
	struct access access;

	push_loaded(f, load_into(f, in, to, in->of.mem.lane, &access), WE_V128, &access);
}

static void store_lane(struct func *f, const struct we_instr *in)
{
	struct unit *u = f->u;
	const uint32_t width = we_op_width(in->op);
	LLVMValueRef from = LLVMBuildBitCast(u->b, func_pop(f), lanes_of(u, width), "");
	LLVMValueRef index = func_pop(f);

	store(f, LLVMBuildExtractElement(u->b, from, unit_i32(u, in->of.mem.lane), ""), index,
		&in->of.mem.arg, width);
}

// ---- memories as a whole ------------------------------------------------------------------------

// An operand of the address type of a memory or table, as u64.
static LLVMValueRef pop_address(struct func *f)
{
	const struct value v = func_pop_value(f);

	return v.kind == WE_I64 ? v.v : LLVMBuildZExt(f->u->b, v.v, f->u->t_i64, "");
}

static void push_address(struct func *f, LLVMValueRef v, bool is_64)
{
	if (is_64)
		func_push(f, v, WE_I64);
	else
		func_push(f, LLVMBuildTrunc(f->u->b, v, f->u->t_i32, ""), WE_I32);
}

static void memory_size(struct func *f, we_memidx mem)
{
	struct unit *u = f->u;
	LLVMValueRef size = unit_load(u, u->t_i64,
		unit_at(u, func_mem(f, mem), offsetof(struct we_memory, size_bytes)),
		PLACE_RUNTIME);

	push_address(f, LLVMBuildLShr(u->b, size, unit_i64(u, 16), ""),
		u->module->is.mems[mem].type.limits.is_64);
}

static void memory_grow(struct func *f, we_memidx mem)
{
	LLVMValueRef args[] = {unit_i32(f->u, mem), pop_address(f)};

	push_address(f, func_rt(f, RT_memory_grow, args, 2),
		f->u->module->is.mems[mem].type.limits.is_64);
}

static void bulk(struct func *f, enum rt fn, uint32_t a, uint32_t b)
{
	LLVMValueRef args[5];

	args[0] = unit_i32(f->u, a);
	args[1] = unit_i32(f->u, b);
	args[4] = pop_address(f);
	args[3] = pop_address(f);
	args[2] = pop_address(f);
	(void)func_rt(f, fn, args, 5);
}

// Is it a constant so small that instructions in line are better than a call? C compilers write many of these.
static bool is_small(LLVMValueRef n, uint64_t most)
{
	return LLVMIsAConstantInt(n) != NULL && LLVMConstIntGetZExtValue(n) <= most;
}

// Address of n bytes from the index on, all of them checked before any is touched.
static LLVMValueRef checked_span(
	struct func *f, LLVMValueRef index, we_memidx mem, LLVMValueRef n_bytes)
{
	struct unit *u = f->u;
	const uint64_t n = LLVMConstIntGetZExtValue(n_bytes);
	LLVMValueRef wide = index;

	if (LLVMTypeOf(index) == u->t_i32)
		wide = LLVMBuildZExt(u->b, index, u->t_i64, "");
	if (n == 0 || !is_inside(f, index, mem, n)) {
		check(f, wide, mem, n);
		prove(f, index, mem, n);
	}
	return LLVMBuildInBoundsGEP2(u->b, u->t_i8, func_mem_base(f, mem), &wide, 1, "");
}

static void fill_inline(struct func *f, LLVMValueRef at, LLVMValueRef value, uint64_t n)
{
	struct unit *u = f->u;
	LLVMTypeRef types[] = {u->t_ptr, u->t_i64};
	LLVMValueRef args[] = {at, LLVMBuildTrunc(u->b, value, u->t_i8, ""), unit_i64(u, n),
		LLVMConstInt(u->t_i1, 0, false)};

	LLVMSetMetadata(unit_intrinsic(u, "llvm.memset.inline", types, 2, args, 4), u->md_tbaa,
		u->tbaa[PLACE_MEMORY]);
}

static void memory_fill(struct func *f, we_memidx mem)
{
	struct unit *u = f->u;
	struct value n = func_pop_value(f);
	LLVMValueRef value = func_pop(f);
	LLVMValueRef args[4];

	if (is_small(n.v, JIT_INLINE_FILL)) {
		LLVMValueRef at = checked_span(f, func_pop(f), mem, n.v);

		func_before_store(f, false);
		fill_inline(f, at, value, LLVMConstIntGetZExtValue(n.v));
		return;
	}
	args[0] = unit_i32(u, mem);
	args[1] = pop_address(f);
	args[2] = value;
	args[3] = n.kind == WE_I64 ? n.v : LLVMBuildZExt(u->b, n.v, u->t_i64, "");
	(void)func_rt(f, RT_memory_fill, args, 4);
}

// All is loaded before anything is stored: the places may overlap.
static void copy_inline(struct func *f, LLVMValueRef to, LLVMValueRef from, uint64_t n)
{
	struct unit *u = f->u;
	static const uint32_t widths[] = {16, 8, 4, 2, 1};
	LLVMValueRef parts[JIT_INLINE_COPY / 16 + 8];
	uint64_t offsets[JIT_INLINE_COPY / 16 + 8];
	uint32_t n_parts = 0;

	for (uint64_t at = 0; at < n;) {
		unsigned k = 0;

		while (widths[k] > n - at)
			k++;
		parts[n_parts] = unit_load(u, widths[k] == 16 ? u->t_v128 : int_type(u, widths[k]),
			unit_at(u, from, at), PLACE_MEMORY);
		LLVMSetAlignment(parts[n_parts], 1);
		offsets[n_parts++] = at;
		at += widths[k];
	}
	for (uint32_t i = 0; i < n_parts; i++) {
		unit_store(u, parts[i], unit_at(u, to, offsets[i]), PLACE_MEMORY);
		LLVMSetAlignment(LLVMGetLastInstruction(LLVMGetInsertBlock(u->b)), 1);
	}
}

static void memory_copy(struct func *f, we_memidx dst, we_memidx src)
{
	LLVMValueRef n = func_top(f, 0)->v;
	LLVMValueRef from;
	LLVMValueRef to;

	if (!is_small(n, JIT_INLINE_COPY)) {
		bulk(f, RT_memory_copy, dst, src);
		return;
	}
	(void)func_pop(f);
	from = func_pop(f);
	to = func_pop(f);
	from = checked_span(f, from, src, n);
	to = checked_span(f, to, dst, n);
	func_before_store(f, false);
	copy_inline(f, to, from, LLVMConstIntGetZExtValue(n));
}

// ---- tables -------------------------------------------------------------------------------------

static bool table_is_64(const struct func *f, we_tableidx table)
{
	return f->u->module->is.tables[table].type.limits.is_64;
}

// Address of an element, checked.
static LLVMValueRef element_at(struct func *f, we_tableidx table, LLVMValueRef i)
{
	struct unit *u = f->u;
	LLVMValueRef at = func_table(f, table);
	LLVMValueRef size = unit_load(
		u, u->t_i64, unit_at(u, at, offsetof(struct we_table, size)), PLACE_TABLE);
	LLVMValueRef elems;

	func_trap_if(f, LLVMBuildICmp(u->b, LLVMIntUGE, i, size, ""), WE_TRAP_TABLE_OUT_OF_BOUNDS);
	elems = unit_load(
		u, u->t_ptr, unit_at(u, at, offsetof(struct we_table, elems)), PLACE_TABLE);
	return LLVMBuildInBoundsGEP2(u->b, u->t_i64, elems, &i, 1, "");
}

static void table_get(struct func *f, we_tableidx table)
{
	struct unit *u = f->u;
	const enum we_kind kind = func_kind(f, u->module->is.tables[table].type.elem);
	LLVMValueRef at = element_at(f, table, pop_address(f));

	func_push(f, unit_load(u, unit_type(u, kind), at, PLACE_TABLE), kind);
}

static void table_set(struct func *f, we_tableidx table)
{
	const struct value v = func_pop_value(f);
	LLVMValueRef at = element_at(f, table, pop_address(f));

	func_before_store(f, false);
	unit_store(f->u, func_to_slot(f, v), at, PLACE_TABLE);
}

static void table_size(struct func *f, we_tableidx table)
{
	struct unit *u = f->u;

	push_address(f,
		unit_load(u, u->t_i64,
			unit_at(u, func_table(f, table), offsetof(struct we_table, size)),
			PLACE_TABLE),
		table_is_64(f, table));
}

static void table_grow(struct func *f, we_tableidx table)
{
	LLVMValueRef args[3];

	args[0] = unit_i32(f->u, table);
	args[1] = pop_address(f);
	args[2] = func_to_slot(f, func_pop_value(f));
	push_address(f, func_rt(f, RT_table_grow, args, 3), table_is_64(f, table));
}

static void table_fill(struct func *f, we_tableidx table)
{
	LLVMValueRef args[4];

	args[0] = unit_i32(f->u, table);
	args[3] = pop_address(f);
	args[2] = func_to_slot(f, func_pop_value(f));
	args[1] = pop_address(f);
	(void)func_rt(f, RT_table_fill, args, 4);
}

// ---- globals ------------------------------------------------------------------------------------

static LLVMValueRef global_at(struct func *f, we_globalidx global)
{
	_Static_assert(offsetof(struct we_global, cell) == 0, "a global is where its cell is");
	return func_part(
		f, offsetof(struct we_instance, globals), global, sizeof(struct we_global));
}

static void global_get(struct func *f, we_globalidx global)
{
	struct unit *u = f->u;
	const struct we_globaltype *type = &u->module->is.globals[global].type;
	const enum we_kind kind = func_kind(f, type->val);

	func_push(f, unit_load(u, unit_type(u, kind), global_at(f, global), PLACE_GLOBAL), kind);
}

static void global_set(struct func *f, we_globalidx global)
{
	struct value v = func_pop_value(f);
	LLVMValueRef at = global_at(f, global);

	func_before_store(f, false);
	if (v.kind == WE_ANYREF || v.kind == WE_EXNREF)
		v.v = LLVMBuildZExt(f->u->b, v.v, f->u->t_i64, "");
	unit_store(f->u, v.v, at, PLACE_GLOBAL);
}

// ---- the instructions ---------------------------------------------------------------------------

static bool lower_access(struct func *f, const struct we_instr *in)
{
	switch (in->op) {
	case WE_OP_I32_LOAD:
		lower_load(f, in, WE_I32, EXT_NONE);
		return true;
	case WE_OP_I64_LOAD:
		lower_load(f, in, WE_I64, EXT_NONE);
		return true;
	case WE_OP_F32_LOAD:
		lower_load(f, in, WE_F32, EXT_NONE);
		return true;
	case WE_OP_F64_LOAD:
		lower_load(f, in, WE_F64, EXT_NONE);
		return true;
	case WE_OP_V128_LOAD:
		lower_load(f, in, WE_V128, EXT_NONE);
		return true;
	case WE_OP_I32_LOAD8_S:
	case WE_OP_I32_LOAD16_S:
		lower_load(f, in, WE_I32, EXT_SIGNED);
		return true;
	case WE_OP_I32_LOAD8_U:
	case WE_OP_I32_LOAD16_U:
		lower_load(f, in, WE_I32, EXT_UNSIGNED);
		return true;
	case WE_OP_I64_LOAD8_S:
	case WE_OP_I64_LOAD16_S:
	case WE_OP_I64_LOAD32_S:
		lower_load(f, in, WE_I64, EXT_SIGNED);
		return true;
	case WE_OP_I64_LOAD8_U:
	case WE_OP_I64_LOAD16_U:
	case WE_OP_I64_LOAD32_U:
		lower_load(f, in, WE_I64, EXT_UNSIGNED);
		return true;
	case WE_OP_I32_STORE:
	case WE_OP_I64_STORE:
	case WE_OP_F32_STORE:
	case WE_OP_F64_STORE:
	case WE_OP_I32_STORE8:
	case WE_OP_I32_STORE16:
	case WE_OP_I64_STORE8:
	case WE_OP_I64_STORE16:
	case WE_OP_I64_STORE32:
	case WE_OP_V128_STORE:
		lower_store(f, in);
		return true;
	case WE_OP_V128_LOAD8X8_S:
	case WE_OP_V128_LOAD8X8_U:
		load_extend(f, in, 8, in->op == WE_OP_V128_LOAD8X8_S);
		return true;
	case WE_OP_V128_LOAD16X4_S:
	case WE_OP_V128_LOAD16X4_U:
		load_extend(f, in, 4, in->op == WE_OP_V128_LOAD16X4_S);
		return true;
	case WE_OP_V128_LOAD32X2_S:
	case WE_OP_V128_LOAD32X2_U:
		load_extend(f, in, 2, in->op == WE_OP_V128_LOAD32X2_S);
		return true;
	case WE_OP_V128_LOAD8_SPLAT:
	case WE_OP_V128_LOAD16_SPLAT:
	case WE_OP_V128_LOAD32_SPLAT:
	case WE_OP_V128_LOAD64_SPLAT:
		load_splat(f, in);
		return true;
	case WE_OP_V128_LOAD32_ZERO:
	case WE_OP_V128_LOAD64_ZERO:
		load_zero(f, in);
		return true;
	case WE_OP_V128_LOAD8_LANE:
	case WE_OP_V128_LOAD16_LANE:
	case WE_OP_V128_LOAD32_LANE:
	case WE_OP_V128_LOAD64_LANE:
		load_lane(f, in);
		return true;
	case WE_OP_V128_STORE8_LANE:
	case WE_OP_V128_STORE16_LANE:
	case WE_OP_V128_STORE32_LANE:
	case WE_OP_V128_STORE64_LANE:
		store_lane(f, in);
		return true;
	default:
		return false;
	}
}

bool lower_memory(struct func *f, const struct we_instr *in)
{
	LLVMValueRef segment;

	if (we_op_info[in->op].flags & WE_OP_FLAG_MEM && lower_access(f, in))
		return true;
	switch (in->op) {
	case WE_OP_MEMORY_SIZE:
		memory_size(f, in->of.idx);
		return true;
	case WE_OP_MEMORY_GROW:
		memory_grow(f, in->of.idx);
		return true;
	case WE_OP_MEMORY_FILL:
		memory_fill(f, in->of.idx);
		return true;
	case WE_OP_MEMORY_COPY:
		memory_copy(f, in->of.pair.a, in->of.pair.b);
		return true;
	case WE_OP_MEMORY_INIT:
		bulk(f, RT_memory_init, in->of.pair.b, in->of.pair.a);
		return true;
	case WE_OP_DATA_DROP:
		segment = unit_i32(f->u, in->of.idx);
		(void)func_rt(f, RT_data_drop, &segment, 1);
		return true;
	case WE_OP_ELEM_DROP:
		segment = unit_i32(f->u, in->of.idx);
		(void)func_rt(f, RT_elem_drop, &segment, 1);
		return true;
	case WE_OP_TABLE_GET:
		table_get(f, in->of.idx);
		return true;
	case WE_OP_TABLE_SET:
		table_set(f, in->of.idx);
		return true;
	case WE_OP_TABLE_SIZE:
		table_size(f, in->of.idx);
		return true;
	case WE_OP_TABLE_GROW:
		table_grow(f, in->of.idx);
		return true;
	case WE_OP_TABLE_FILL:
		table_fill(f, in->of.idx);
		return true;
	case WE_OP_TABLE_COPY:
		bulk(f, RT_table_copy, in->of.pair.a, in->of.pair.b);
		return true;
	case WE_OP_TABLE_INIT:
		bulk(f, RT_table_init, in->of.pair.b, in->of.pair.a);
		return true;
	case WE_OP_GLOBAL_GET:
		global_get(f, in->of.idx);
		return true;
	case WE_OP_GLOBAL_SET:
		global_set(f, in->of.idx);
		return true;
	default:
		return false;
	}
}
