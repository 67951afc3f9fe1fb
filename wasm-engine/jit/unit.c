// SPDX-License-Identifier: BSD-3-Clause
// The types and declarations of one LLVM module, and what is the same for all functions: see lower.h.
//
// Module path 3/6.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lower.h"

static LLVMTypeRef vector(LLVMTypeRef of, unsigned n)
{
	return LLVMVectorType(of, n);
}

void unit_init_types(struct unit *u)
{
	LLVMTypeRef params[1 + (WE_ABI_INTS - 1) + WE_ABI_FLOATS];
	LLVMTypeRef results[WE_ABI_RET_INTS + WE_ABI_RET_FLOATS];
	unsigned n = 0;

	u->t_void = LLVMVoidTypeInContext(u->cx);
	u->t_i1 = LLVMInt1TypeInContext(u->cx);
	u->t_i8 = LLVMInt8TypeInContext(u->cx);
	u->t_i16 = LLVMInt16TypeInContext(u->cx);
	u->t_i32 = LLVMInt32TypeInContext(u->cx);
	u->t_i64 = LLVMInt64TypeInContext(u->cx);
	u->t_f32 = LLVMFloatTypeInContext(u->cx);
	u->t_f64 = LLVMDoubleTypeInContext(u->cx);
	u->t_ptr = LLVMPointerTypeInContext(u->cx, 0);
	u->t_v128 = vector(u->t_i64, 2);
	u->t_i8x16 = vector(u->t_i8, 16);
	u->t_i16x8 = vector(u->t_i16, 8);
	u->t_i32x4 = vector(u->t_i32, 4);
	u->t_i64x2 = vector(u->t_i64, 2);
	u->t_f32x4 = vector(u->t_f32, 4);
	u->t_f64x2 = vector(u->t_f64, 2);
	params[n++] = u->t_ptr;
	for (unsigned i = 1; i < WE_ABI_INTS; i++)
		params[n++] = u->t_i64;
	for (unsigned i = 0; i < WE_ABI_FLOATS; i++)
		params[n++] = u->t_v128;
	for (unsigned i = 0; i < WE_ABI_RET_INTS; i++)
		results[i] = u->t_i64;
	for (unsigned i = 0; i < WE_ABI_RET_FLOATS; i++)
		results[WE_ABI_RET_INTS + i] = u->t_v128;
	u->t_ret =
		LLVMStructTypeInContext(u->cx, results, WE_ABI_RET_INTS + WE_ABI_RET_FLOATS, false);
	u->t_wasm = LLVMFunctionType(u->t_ret, params, n, false);
	u->t_enter = LLVMFunctionType(
		LLVMVoidTypeInContext(u->cx), (LLVMTypeRef[]){u->t_ptr, u->t_ptr}, 2, false);
}

// The LLVM type of a parameter as a row of native_rt.def writes it.
static LLVMTypeRef rt_type(struct unit *u, const char *text, size_t len)
{
	const char *star = memchr(text, '*', len);

	if (star != NULL)
		return u->t_ptr;
	while (len > 0 && *text == ' ') {
		text++;
		len--;
	}
	if (len >= 8 && memcmp(text, "uint64_t", 8) == 0)
		return u->t_i64;
	if (len >= 8 && memcmp(text, "uint32_t", 8) == 0)
		return u->t_i32;
	return u->t_void;
}

static LLVMTypeRef rt_function(struct unit *u, const char *ret, const char *params)
{
	LLVMTypeRef types[10];
	unsigned n = 0;

	while (*params != '\0') {
		const char *comma = strchr(params, ',');
		const size_t len = comma != NULL ? (size_t)(comma - params) : strlen(params);

		types[n++] = rt_type(u, params, len);
		params += len + (comma != NULL);
	}
	return LLVMFunctionType(rt_type(u, ret, strlen(ret)), types, n, false);
}

static void init_rt(struct unit *u)
{
	static const struct {
		const char *ret;
		const char *params;
	} rows[] = {
#define WE_RT(name, ret, ...) {#ret, #__VA_ARGS__},
#include "native_rt.def"
#undef WE_RT
	};

	_Static_assert((int)RT_N <= (int)JIT_MAX_RT, "t_rt has a type for each");
	for (unsigned i = 0; i < RT_N; i++)
		u->t_rt[i] = rt_function(u, rows[i].ret, rows[i].params);
}

static LLVMAttributeRef attribute(struct unit *u, const char *name, uint64_t value)
{
	return LLVMCreateEnumAttribute(
		u->cx, LLVMGetEnumAttributeKindForName(name, strlen(name)), value);
}

static void init_pins(struct unit *u)
{
	LLVMTypeRef none = LLVMFunctionType(u->t_void, NULL, 0, false);

	u->pin_none =
		LLVMGetInlineAsm(none, "", 0, "", 0, true, false, LLVMInlineAsmDialectATT, true);
	u->a_pin = attribute(u, "memory", 3 << 2); // inaccessible memory: read and write
	u->a_cold = attribute(u, "cold", 0);
	u->a_noreturn = attribute(u, "noreturn", 0);
	u->a_noinline = attribute(u, "noinline", 0);
	u->a_alwaysinline = attribute(u, "alwaysinline", 0);
	u->a_instance = attribute(u, "dereferenceable", sizeof(struct we_instance));
	u->a_aligned = attribute(u, "align", 8);
}

static LLVMMetadataRef text(struct unit *u, const char *s)
{
	return LLVMMDStringInContext2(u->cx, s, strlen(s));
}

static LLVMMetadataRef number(struct unit *u, uint64_t x)
{
	return LLVMValueAsMetadata(LLVMConstInt(u->t_i64, x, false));
}

static LLVMValueRef node(struct unit *u, LLVMMetadataRef part)
{
	return LLVMMetadataAsValue(u->cx, LLVMMDNodeInContext2(u->cx, &part, 1));
}

static void init_metadata(struct unit *u)
{
	static const char *const names[PLACE_N] = {
		"memory", "global", "table", "heap", "runtime", "cells"};
	LLVMMetadataRef root_parts[] = {text(u, "weir")};
	LLVMMetadataRef root = LLVMMDNodeInContext2(u->cx, root_parts, 1);
	LLVMMetadataRef weights[3];

	u->md_tbaa = LLVMGetMDKindIDInContext(u->cx, "tbaa", 4);
	u->md_invariant = LLVMGetMDKindIDInContext(u->cx, "invariant.load", 14);
	u->md_dereferenceable = LLVMGetMDKindIDInContext(u->cx, "dereferenceable", 15);
	u->md_align = LLVMGetMDKindIDInContext(u->cx, "align", 5);
	u->md_prof = LLVMGetMDKindIDInContext(u->cx, "prof", 4);
	for (unsigned i = 0; i < PLACE_N; i++) {
		LLVMMetadataRef type_parts[] = {text(u, names[i]), root, number(u, 0)};
		LLVMMetadataRef type = LLVMMDNodeInContext2(u->cx, type_parts, 3);
		LLVMMetadataRef tag_parts[] = {type, type, number(u, 0)};

		u->tbaa[i] = LLVMMetadataAsValue(u->cx, LLVMMDNodeInContext2(u->cx, tag_parts, 3));
	}
	u->invariant = LLVMMetadataAsValue(u->cx, LLVMMDNodeInContext2(u->cx, NULL, 0));
	u->align_8 = node(u, number(u, 8));
	weights[0] = text(u, "branch_weights");
	weights[1] = LLVMValueAsMetadata(LLVMConstInt(u->t_i32, 1, false));
	weights[2] = LLVMValueAsMetadata(LLVMConstInt(u->t_i32, 1u << 20, false));
	u->unlikely = LLVMMetadataAsValue(u->cx, LLVMMDNodeInContext2(u->cx, weights, 3));
}

// Line tables alone: the line is the wasm instruction's place in the module.
static void init_debug(struct unit *u)
{
	LLVMAddModuleFlag(u->m, LLVMModuleFlagBehaviorWarning, "Debug Info Version", 18,
		LLVMValueAsMetadata(LLVMConstInt(u->t_i32, LLVMDebugMetadataVersion(), false)));
	LLVMAddModuleFlag(u->m, LLVMModuleFlagBehaviorWarning, "Dwarf Version", 13,
		LLVMValueAsMetadata(LLVMConstInt(u->t_i32, 4, false)));
	u->di = LLVMCreateDIBuilder(u->m);
	u->di_file = LLVMDIBuilderCreateFile(u->di, "wasm", 4, ".", 1);
	LLVMDIBuilderCreateCompileUnit(u->di, LLVMDWARFSourceLanguageC, u->di_file, "weir", 4, true,
		"", 0, 0, "", 0, LLVMDWARFEmissionLineTablesOnly, 0, false, false, "", 0, "", 0);
	u->di_subroutine =
		LLVMDIBuilderCreateSubroutineType(u->di, u->di_file, NULL, 0, LLVMDIFlagZero);
}

LLVMValueRef unit_turn(const struct unit *u, we_funcidx idx, uint32_t turn)
{
	return turn == 0 ? u->bodies[idx] : u->turns[idx][turn - 1];
}

void unit_name(char name[UNIT_NAME_BYTES], we_funcidx idx, uint32_t turn)
{
	if (turn == 0)
		snprintf(name, UNIT_NAME_BYTES, "f%u", idx);
	else
		snprintf(name, UNIT_NAME_BYTES, "f%u.%u", idx, turn);
}

// Digits, without what strtoul takes too. Returns: their end, or NULL when there are none or they are too many.
static const char *read_number(const char *text, uint32_t *ret)
{
	uint64_t x = 0;
	const char *p = text;

	for (; *p >= '0' && *p <= '9' && x <= UINT32_MAX; p++)
		x = 10 * x + (uint64_t)(*p - '0');
	*ret = (uint32_t)x;
	return p == text || x > UINT32_MAX ? NULL : p;
}

const char *unit_name_read(const char *name, we_funcidx *ret_idx, uint32_t *ret_turn)
{
	const char *end = *name == 'f' ? read_number(name + 1, ret_idx) : NULL;

	*ret_turn = 0;
	return end != NULL && *end == '.' ? read_number(end + 1, ret_turn) : end;
}

void unit_init(struct unit *u, const struct we_module *module, const struct we_jit_options *opt)
{
	const size_t n = module->is.n_funcs + 1;

	*u = (struct unit){.module = module, .opt = opt};
	u->cx = LLVMContextCreate();
	u->m = LLVMModuleCreateWithNameInContext("weir", u->cx);
	u->b = LLVMCreateBuilderInContext(u->cx);
	u->bodies = calloc(n, sizeof(*u->bodies));
	u->turns = calloc(n, sizeof(*u->turns));
	u->n_turns = calloc(n, sizeof(*u->n_turns));
	u->is_called_outside = calloc(n, sizeof(*u->is_called_outside));
	u->may_throw = calloc(n + module->is.n_tables, sizeof(*u->may_throw));
	u->elements = calloc((size_t)module->is.n_tables + 1, sizeof(*u->elements));
	u->uses_cells = calloc(n, sizeof(*u->uses_cells));
	u->is_skipped = calloc(n, sizeof(*u->is_skipped));
	u->sigs = calloc(module->is.n_types + 1, sizeof(*u->sigs));
	if (u->bodies == NULL || u->turns == NULL || u->n_turns == NULL ||
		u->is_called_outside == NULL || u->may_throw == NULL || u->elements == NULL ||
		u->uses_cells == NULL || u->is_skipped == NULL || u->sigs == NULL)
		abort(); // the process is for this alone
	unit_init_types(u);
	init_rt(u);
	init_pins(u);
	init_metadata(u);
	init_debug(u);
}

void unit_fini(struct unit *u)
{
	LLVMDisposeDIBuilder(u->di);
	LLVMDisposeBuilder(u->b);
	LLVMDisposeModule(u->m);
	LLVMContextDispose(u->cx);
	free(u->bodies);
	free(u->turns);
	free(u->n_turns);
	free(u->is_called_outside);
	free(u->may_throw);
	for (we_tableidx i = 0; i < u->module->is.n_tables; i++)
		we_vec_fini(&u->elements[i].funcs);
	free(u->elements);
	free(u->uses_cells);
	free(u->is_skipped);
	free(u->sigs);
}

LLVMTypeRef unit_type(struct unit *u, enum we_kind kind)
{
	switch (kind) {
	case WE_I32:
	case WE_ANYREF:
	case WE_EXNREF:
		return u->t_i32;
	case WE_I64:
	case WE_EXTERNREF:
		return u->t_i64;
	case WE_F32:
		return u->t_f32;
	case WE_F64:
		return u->t_f64;
	case WE_V128:
		return u->t_v128;
	case WE_FUNCREF:
		return u->t_ptr;
	}
	return u->t_void;
}

LLVMValueRef unit_intrinsic(struct unit *u, const char *name, LLVMTypeRef *types, unsigned n_types,
	LLVMValueRef *args, unsigned n_args)
{
	const unsigned id = LLVMLookupIntrinsicID(name, strlen(name));
	LLVMValueRef fn = LLVMGetIntrinsicDeclaration(u->m, id, types, n_types);

	return LLVMBuildCall2(u->b, LLVMGlobalGetValueType(fn), fn, args, n_args, "");
}

LLVMValueRef unit_i32(struct unit *u, uint32_t x)
{
	return LLVMConstInt(u->t_i32, x, false);
}

LLVMValueRef unit_i64(struct unit *u, uint64_t x)
{
	return LLVMConstInt(u->t_i64, x, false);
}

LLVMValueRef unit_at(struct unit *u, LLVMValueRef base, uint64_t offset)
{
	LLVMValueRef by = unit_i64(u, offset);

	return offset == 0 ? base : LLVMBuildInBoundsGEP2(u->b, u->t_i8, base, &by, 1, "");
}

LLVMValueRef unit_load(struct unit *u, LLVMTypeRef type, LLVMValueRef at, enum place place)
{
	LLVMValueRef v = LLVMBuildLoad2(u->b, type, at, "");

	LLVMSetMetadata(v, u->md_tbaa, u->tbaa[place]);
	return v;
}

LLVMValueRef unit_load_invariant(
	struct unit *u, LLVMTypeRef type, LLVMValueRef base, uint64_t offset)
{
	LLVMValueRef v = unit_load(u, type, unit_at(u, base, offset), PLACE_RUNTIME);

	LLVMSetMetadata(v, u->md_invariant, u->invariant);
	return v;
}

LLVMValueRef unit_load_pointer(
	struct unit *u, LLVMValueRef base, uint64_t offset, uint64_t points_to)
{
	LLVMValueRef v = unit_load_invariant(u, u->t_ptr, base, offset);

	LLVMSetMetadata(v, u->md_dereferenceable, node(u, number(u, points_to)));
	LLVMSetMetadata(v, u->md_align, u->align_8);
	return v;
}

void unit_store(struct unit *u, LLVMValueRef v, LLVMValueRef at, enum place place)
{
	LLVMSetMetadata(LLVMBuildStore(u->b, v, at), u->md_tbaa, u->tbaa[place]);
}

// ---- wrappers for callers in C ------------------------------------------------------------------

struct sig *unit_sig(struct unit *u, const struct we_functype *type)
{
	char name[16];

	for (uint32_t i = 0; i < u->n_sigs; i++) {
		if (u->sigs[i].type == type)
			return &u->sigs[i];
	}
	snprintf(name, sizeof(name), "w%u", u->n_sigs);
	u->sigs[u->n_sigs] =
		(struct sig){.type = type, .enter = LLVMAddFunction(u->m, name, u->t_enter)};
	return &u->sigs[u->n_sigs++];
}
