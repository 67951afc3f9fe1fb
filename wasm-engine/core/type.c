// SPDX-License-Identifier: BSD-3-Clause
// Types: matching, names, and what the public API shows of them.
//
// Module path 2/6. Spec: core "Matching".
#include "type.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h> // snprintf
#include <string.h>

#include "engine.h"
#include "feature.h"

static bool is_index(uint32_t heap)
{
	return (heap & WE_T_INDEX) != 0;
}

static const struct we_deftype *type_of(const struct we_engine *engine, uint32_t heap)
{
	return we_engine_type(engine, heap & WE_T_INDEX_MASK);
}

// The abstract heap type right above those of a kind.
static uint32_t heap_of_kind(enum we_comp kind)
{
	return kind == WE_COMP_FUNC     ? WE_HEAP_FUNC
	       : kind == WE_COMP_STRUCT ? WE_HEAP_STRUCT
					: WE_HEAP_ARRAY;
}

// Spec: core "Heap Types" (matching).
static bool heap_matches(const struct we_engine *engine, uint32_t sub, uint32_t super)
{
	if (sub == super || sub == WE_T_HEAP_BOT)
		return true;
	if (is_index(super)) {
		const struct we_deftype *want = type_of(engine, super);

		if (is_index(sub))
			return we_deftype_matches(type_of(engine, sub), want);
		return sub == (want->kind == WE_COMP_FUNC ? WE_HEAP_NOFUNC : WE_HEAP_NONE);
	}
	if (is_index(sub))
		return heap_matches(engine, heap_of_kind(type_of(engine, sub)->kind), super);
	switch (super) {
	case WE_HEAP_ANY:
		if (sub == WE_HEAP_EQ)
			return true;
		// fall through
	case WE_HEAP_EQ:
		if (sub == WE_HEAP_I31 || sub == WE_HEAP_STRUCT || sub == WE_HEAP_ARRAY)
			return true;
		// fall through
	case WE_HEAP_I31:
	case WE_HEAP_STRUCT:
	case WE_HEAP_ARRAY:
		return sub == WE_HEAP_NONE;
	case WE_HEAP_FUNC:
		return sub == WE_HEAP_NOFUNC;
	case WE_HEAP_EXTERN:
		return sub == WE_HEAP_NOEXTERN;
	case WE_HEAP_EXN:
		return sub == WE_HEAP_NOEXN;
	default:
		return false;
	}
}

bool we_valtype_matches(const struct we_engine *engine, we_valtype sub, we_valtype super)
{
	const uint32_t flags = WE_T_REF | WE_T_NULL;

	if (sub == super || sub == WE_T_BOT)
		return true;
	if (!we_valtype_is_ref(sub) || !we_valtype_is_ref(super))
		return false;
	if ((sub & WE_T_NULL) && !(super & WE_T_NULL))
		return false;
	return heap_matches(engine, sub & ~flags, super & ~flags);
}

uint64_t we_valtype_features(we_valtype type)
{
	const uint64_t one = 1;

	if (type == WE_T_V128)
		return one << WE_FEATURE_SIMD;
	if (!we_valtype_is_ref(type))
		return 0;
	if (type & WE_T_INDEX)
		return one << WE_FEATURE_FUNC_REFS;
	switch (type & WE_T_INDEX_MASK) {
	case WE_HEAP_FUNC:
	case WE_HEAP_EXTERN:
		return one << (type & WE_T_NULL ? WE_FEATURE_REF_TYPES : WE_FEATURE_FUNC_REFS);
	case WE_HEAP_EXN:
	case WE_HEAP_NOEXN:
		return one << WE_FEATURE_EXCEPTIONS;
	default:
		return one << WE_FEATURE_GC;
	}
}

uint32_t we_valtype_top(const struct we_engine *engine, we_valtype type)
{
	if (!we_valtype_is_ref(type))
		return 0;
	if (is_index(type))
		return type_of(engine, type)->kind == WE_COMP_FUNC ? WE_HEAP_FUNC : WE_HEAP_ANY;
	switch (type & WE_T_INDEX_MASK) {
	case WE_HEAP_FUNC:
	case WE_HEAP_NOFUNC:
		return WE_HEAP_FUNC;
	case WE_HEAP_EXTERN:
	case WE_HEAP_NOEXTERN:
		return WE_HEAP_EXTERN;
	case WE_HEAP_EXN:
	case WE_HEAP_NOEXN:
		return WE_HEAP_EXN;
	case WE_T_HEAP_BOT:
		return 0;
	default:
		return WE_HEAP_ANY;
	}
}

enum we_trace we_valtype_trace(const struct we_engine *engine, we_valtype type)
{
	switch (we_valtype_top(engine, type)) {
	case WE_HEAP_ANY:
	case WE_HEAP_EXN:
		return WE_TRACE_ANY;
	case WE_HEAP_EXTERN:
		return WE_TRACE_EXTERN;
	default:
		return WE_TRACE_NONE;
	}
}

static const char *heap_name(uint32_t heap)
{
	switch (heap) {
	case WE_HEAP_NOEXN:
		return "noexn";
	case WE_HEAP_NOFUNC:
		return "nofunc";
	case WE_HEAP_NOEXTERN:
		return "noextern";
	case WE_HEAP_NONE:
		return "none";
	case WE_HEAP_FUNC:
		return "func";
	case WE_HEAP_EXTERN:
		return "extern";
	case WE_HEAP_ANY:
		return "any";
	case WE_HEAP_EQ:
		return "eq";
	case WE_HEAP_I31:
		return "i31";
	case WE_HEAP_STRUCT:
		return "struct";
	case WE_HEAP_ARRAY:
		return "array";
	case WE_HEAP_EXN:
		return "exn";
	default:
		return "?";
	}
}

static const char *number_name(we_valtype type)
{
	switch (type) {
	case WE_T_BOT:
		return "anything";
	case WE_T_I32:
		return "i32";
	case WE_T_I64:
		return "i64";
	case WE_T_F32:
		return "f32";
	case WE_T_F64:
		return "f64";
	case WE_T_V128:
		return "v128";
	case WE_T_I8:
		return "i8";
	case WE_T_I16:
		return "i16";
	default:
		return "?";
	}
}

// What stands before "ref" in the name of the nullable type, or NULL.
static const char *null_name(we_valtype type)
{
	switch (type & WE_T_INDEX_MASK) {
	case WE_HEAP_NOEXN:
		return "nullexn";
	case WE_HEAP_NOFUNC:
		return "nullfunc";
	case WE_HEAP_NOEXTERN:
		return "nullextern";
	case WE_HEAP_NONE:
		return "null";
	default:
		return heap_name(type & WE_T_INDEX_MASK);
	}
}

const char *we_valtype_print(we_valtype type, char *buf, size_t cap)
{
	const char *null = type & WE_T_NULL ? "null " : "";

	if (!we_valtype_is_ref(type))
		snprintf(buf, cap, "%s", number_name(type));
	else if ((type & WE_T_INDEX_MASK) == WE_T_HEAP_BOT && !(type & WE_T_INDEX))
		snprintf(buf, cap, "any reference");
	else if ((type & WE_T_NULL) && !(type & WE_T_INDEX) && null_name(type) != NULL)
		snprintf(buf, cap, "%sref", null_name(type));
	else if (type & WE_T_INDEX)
		snprintf(buf, cap, "(ref %s%u)", null, type & WE_T_INDEX_MASK);
	else
		snprintf(buf, cap, "(ref %s%s)", null, heap_name(type & WE_T_INDEX_MASK));
	return buf;
}

enum we_kind we_valtype_kind(const struct we_engine *engine, we_valtype type)
{
	switch (type) {
	case WE_T_I32:
		return WE_I32;
	case WE_T_I64:
		return WE_I64;
	case WE_T_F32:
		return WE_F32;
	case WE_T_F64:
		return WE_F64;
	case WE_T_V128:
		return WE_V128;
	default:
		break;
	}
	switch (we_valtype_top(engine, type)) {
	case WE_HEAP_FUNC:
		return WE_FUNCREF;
	case WE_HEAP_EXTERN:
		return WE_EXTERNREF;
	case WE_HEAP_EXN:
		return WE_EXNREF;
	default:
		return WE_ANYREF;
	}
}

we_valtype we_kind_valtype(enum we_kind kind)
{
	switch (kind) {
	case WE_I32:
		return WE_T_I32;
	case WE_I64:
		return WE_T_I64;
	case WE_F32:
		return WE_T_F32;
	case WE_F64:
		return WE_T_F64;
	case WE_V128:
		return WE_T_V128;
	case WE_FUNCREF:
		return WE_T_FUNCREF;
	case WE_EXTERNREF:
		return WE_T_EXTERNREF;
	case WE_ANYREF:
		return WE_T_REF | WE_T_NULL | WE_HEAP_ANY;
	case WE_EXNREF:
		return WE_T_REF | WE_T_NULL | WE_HEAP_EXN;
	}
	return WE_T_BOT;
}

uint32_t we_functype_n_params(const struct we_functype *type)
{
	return type->n_params;
}

uint32_t we_functype_n_results(const struct we_functype *type)
{
	return type->n_results;
}

enum we_kind we_functype_param(const struct we_functype *type, uint32_t i)
{
	assert(i < type->n_params);
	return we_valtype_kind(type->def->engine, we_functype_params(type)[i]);
}

enum we_kind we_functype_result(const struct we_functype *type, uint32_t i)
{
	assert(i < type->n_results);
	return we_valtype_kind(type->def->engine, we_functype_results(type)[i]);
}

const struct we_deftype *we_valtype_deftype(const struct we_engine *engine, we_valtype type)
{
	return we_valtype_is_ref(type) && is_index(type) ? type_of(engine, type) : NULL;
}

const struct we_deftype *we_functype_param_deftype(const struct we_functype *type, uint32_t i)
{
	assert(i < type->n_params);
	return we_valtype_deftype(type->def->engine, we_functype_params(type)[i]);
}

const struct we_deftype *we_functype_result_deftype(const struct we_functype *type, uint32_t i)
{
	assert(i < type->n_results);
	return we_valtype_deftype(type->def->engine, we_functype_results(type)[i]);
}

uint32_t we_functype_n_slots(const struct we_functype *type)
{
	return type->n_param_slots > type->n_result_slots ? type->n_param_slots
							  : type->n_result_slots;
}

// Spec: core "Limits" (matching).
static bool limits_match(const struct we_externtype *have, const struct we_externtype *want)
{
	return have->is_64 == want->is_64 && have->min >= want->min &&
	       (!want->has_max || (have->has_max && have->max <= want->max));
}

bool we_externtype_matches(const struct we_externtype *have, const struct we_externtype *want)
{
	if (have->kind != want->kind)
		return false;
	switch (want->kind) {
	case WE_EXTERN_FUNC:
		return we_deftype_matches(have->func->def, want->func->def);
	case WE_EXTERN_TAG:
		return have->func == want->func;
	case WE_EXTERN_TABLE:
		return have->val == want->val && limits_match(have, want);
	case WE_EXTERN_MEMORY:
		return limits_match(have, want);
	case WE_EXTERN_GLOBAL:
		if (have->mut != want->mut)
			return false;
		return want->mut ? have->val == want->val
				 : we_valtype_matches(want->engine, have->val, want->val);
	}
	return false;
}

enum we_kind we_externtype_val_kind(const struct we_externtype *type)
{
	return we_valtype_kind(type->engine, type->val);
}

const struct we_deftype *we_externtype_val_deftype(const struct we_externtype *type)
{
	return we_valtype_deftype(type->engine, type->val);
}

// Text that is cut to its buffer.
struct printer {
	char *buf;
	size_t cap;
	size_t len; // bytes written, terminator not included
};

static void WE_PRINTF(2, 3) put(struct printer *p, const char *fmt, ...)
{
	va_list ap;
	int n;

	if (p->len + 1 >= p->cap)
		return;
	va_start(ap, fmt);
	n = vsnprintf(p->buf + p->len, p->cap - p->len, fmt, ap);
	va_end(ap);
	p->len += n < 0 ? 0 : (size_t)n;
	if (p->len >= p->cap)
		p->len = p->cap - 1;
}

static void put_valtypes(struct printer *p, const char *what, const we_valtype *types, uint32_t n)
{
	char text[32];

	if (n == 0)
		return;
	put(p, " (%s", what);
	for (uint32_t i = 0; i < n; i++)
		put(p, " %s", we_valtype_print(types[i], text, sizeof(text)));
	put(p, ")");
}

static void put_functype(struct printer *p, const char *what, const struct we_functype *type)
{
	put(p, "(%s", what);
	put_valtypes(p, "param", we_functype_params(type), type->n_params);
	put_valtypes(p, "result", we_functype_results(type), type->n_results);
	put(p, ")");
}

static void put_limits(struct printer *p, const struct we_externtype *type)
{
	put(p, "%s %llu", type->is_64 ? " i64" : "", (unsigned long long)type->min);
	if (type->has_max)
		put(p, " %llu", (unsigned long long)type->max);
}

void we_functype_print(const struct we_functype *type, char *buf, size_t cap)
{
	struct printer p = {buf, cap, 0};

	if (cap > 0)
		buf[0] = '\0';
	put_functype(&p, "func", type);
}

void we_externtype_print(const struct we_externtype *type, char *buf, size_t cap)
{
	struct printer p = {buf, cap, 0};
	char text[32];

	if (cap > 0)
		buf[0] = '\0';
	switch (type->kind) {
	case WE_EXTERN_FUNC:
		put_functype(&p, "func", type->func);
		break;
	case WE_EXTERN_TAG:
		put_functype(&p, "tag", type->func);
		break;
	case WE_EXTERN_TABLE:
		put(&p, "(table");
		put_limits(&p, type);
		put(&p, " %s)", we_valtype_print(type->val, text, sizeof(text)));
		break;
	case WE_EXTERN_MEMORY:
		put(&p, "(memory");
		put_limits(&p, type);
		put(&p, ")");
		break;
	case WE_EXTERN_GLOBAL:
		put(&p, type->mut ? "(global (mut %s))" : "(global %s)",
			we_valtype_print(type->val, text, sizeof(text)));
		break;
	}
}
