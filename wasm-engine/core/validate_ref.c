// SPDX-License-Identifier: BSD-3-Clause
// we_checker_ref_rule: references, structures, arrays and exceptions.
//
// Module path 2/6. Owns: nothing. Thread: any.
// Spec: core "Reference Instructions", "Aggregate Instructions", "Control Instructions" (validation).
#include <assert.h>

#include "checker.h"
#include "engine.h"
#include "limits.h"

static const we_valtype exn_ref = WE_T_REF | WE_HEAP_EXN;
static const we_valtype eq_ref = WE_T_REF | WE_T_NULL | WE_HEAP_EQ;
static const we_valtype i31_ref = WE_T_REF | WE_HEAP_I31;
static const we_valtype array_ref = WE_T_REF | WE_T_NULL | WE_HEAP_ARRAY;

static we_valtype ref_to(const struct we_deftype *def, we_valtype null)
{
	return WE_T_REF | null | WE_T_INDEX | def->id;
}

// ---- references ---------------------------------------------------------------------------------

// Pop a reference of any type. Returns also what it is; unreachable code gives a reference to nothing.
static int pop_ref(struct we_checker *c, we_valtype *ret)
{
	char have[32];
	const int rc = we_checker_pop_any(c, WE_T_REF | WE_T_NULL | WE_HEAP_ANY, ret);

	if (rc < 0)
		return rc;
	if (*ret == WE_T_BOT)
		*ret = WE_T_REF | WE_T_HEAP_BOT;
	if (!we_valtype_is_ref(*ret))
		return we_checker_invalid(c, "type mismatch: expected a reference, found %s",
			we_valtype_print(*ret, have, sizeof(have)));
	return 0;
}

static int check_ref_is_null(struct we_checker *c)
{
	we_valtype actual;
	const int rc = pop_ref(c, &actual);

	return rc < 0 ? rc : we_checker_push(c, WE_T_I32);
}

static int check_ref_func(struct we_checker *c)
{
	const we_funcidx idx = c->in->of.idx;

	if (idx >= c->is->n_funcs)
		return we_checker_unknown(c, "function", idx, c->is->n_funcs);
	if (!c->is->funcs[idx].is_declared)
		return we_checker_invalid(c, "undeclared function reference %u", idx);
	return we_checker_push(c, ref_to(c->is->funcs[idx].type->def, 0));
}

static int check_ref_as_non_null(struct we_checker *c)
{
	we_valtype actual;
	const int rc = pop_ref(c, &actual);

	return rc < 0 ? rc : we_checker_push(c, actual & ~WE_T_NULL);
}

static int check_br_on_null(struct we_checker *c)
{
	const we_valtype *types;
	we_valtype actual;
	uint32_t n;
	int rc = we_checker_label(c, c->in->of.idx, &types, &n);

	if (rc == 0)
		rc = pop_ref(c, &actual);
	if (rc == 0)
		rc = we_checker_pop_n(c, types, n);
	if (rc == 0)
		rc = we_checker_push_n(c, types, n);
	return rc < 0 ? rc : we_checker_push(c, actual & ~WE_T_NULL);
}

// The label of a branch that carries a reference last: its other types, and the last one.
static int label_with_ref(struct we_checker *c, we_labelidx label, const we_valtype **ret_types,
	uint32_t *ret_n, we_valtype *ret_last)
{
	char have[32];
	const int rc = we_checker_label(c, label, ret_types, ret_n);

	if (rc < 0)
		return rc;
	if (*ret_n == 0)
		return we_checker_invalid(c, "type mismatch: label %u takes no reference", label);
	*ret_last = (*ret_types)[--*ret_n];
	if (!we_valtype_is_ref(*ret_last))
		return we_checker_invalid(c, "type mismatch: label %u takes %s, not a reference",
			label, we_valtype_print(*ret_last, have, sizeof(have)));
	return 0;
}

static int check_br_on_non_null(struct we_checker *c)
{
	const we_valtype *types;
	we_valtype last;
	uint32_t n;
	int rc = label_with_ref(c, c->in->of.idx, &types, &n, &last);

	if (rc == 0)
		rc = we_checker_pop(c, last | WE_T_NULL);
	if (rc == 0)
		rc = we_checker_pop_n(c, types, n);
	return rc < 0 ? rc : we_checker_push_n(c, types, n);
}

static int check_matches(const struct we_checker *c, we_valtype sub, we_valtype super)
{
	char sub_text[32];
	char super_text[32];

	if (we_valtype_matches(c->engine, sub, super))
		return 0;
	return we_checker_invalid(c, "type mismatch: expected %s, found %s",
		we_valtype_print(super, super_text, sizeof(super_text)),
		we_valtype_print(sub, sub_text, sizeof(sub_text)));
}

static int check_br_on_cast(struct we_checker *c)
{
	const we_valtype from = c->in->of.cast.from;
	const we_valtype to = c->in->of.cast.to;
	// What is left of `from` when the cast has not taken it.
	const we_valtype rest = to & WE_T_NULL ? from & ~WE_T_NULL : from;
	const bool is_fail = c->in->op == WE_OP_BR_ON_CAST_FAIL;
	const we_valtype *types;
	we_valtype last;
	uint32_t n;
	int rc = label_with_ref(c, c->in->of.cast.label, &types, &n, &last);

	if (rc == 0)
		rc = check_matches(c, to, from);
	if (rc == 0)
		rc = check_matches(c, is_fail ? rest : to, last);
	if (rc == 0)
		rc = we_checker_pop(c, from);
	if (rc == 0)
		rc = we_checker_pop_n(c, types, n);
	if (rc == 0)
		rc = we_checker_push_n(c, types, n);
	return rc < 0 ? rc : we_checker_push(c, is_fail ? to : rest);
}

static int check_cast(struct we_checker *c, bool is_test)
{
	const we_valtype to = c->in->of.heap;
	const we_valtype top = WE_T_REF | WE_T_NULL | we_valtype_top(c->engine, to);
	const int rc = we_checker_pop(c, top);

	return rc < 0 ? rc : we_checker_push(c, is_test ? WE_T_I32 : to);
}

// Null stays null, and what is not null stays so.
static int check_convert(struct we_checker *c, uint32_t from, uint32_t to)
{
	we_valtype actual;
	int rc = pop_ref(c, &actual);

	if (rc == 0)
		rc = check_matches(c, actual, WE_T_REF | WE_T_NULL | from);
	return rc < 0 ? rc : we_checker_push(c, WE_T_REF | (actual & WE_T_NULL) | to);
}

static int check_call_ref(struct we_checker *c)
{
	const we_typeidx idx = c->in->of.idx;
	const struct we_deftype *def;
	int rc = we_checker_functype(c, idx);

	if (rc < 0)
		return rc;
	def = c->is->types[idx].def;
	rc = we_checker_pop(c, ref_to(def, WE_T_NULL));
	return rc < 0 ? rc : we_checker_call(c, def->func, c->in->op == WE_OP_RETURN_CALL_REF);
}

// ---- structures ---------------------------------------------------------------------------------

// The defined type of that index and kind.
static int find_type(const struct we_checker *c, we_typeidx idx, enum we_comp kind,
	const struct we_deftype **ret)
{
	if (idx >= c->is->n_types)
		return we_checker_unknown(c, "type", idx, c->is->n_types);
	if (c->is->types[idx].kind != kind)
		return we_checker_invalid(c, "type mismatch: type %u is not %s", idx,
			kind == WE_COMP_STRUCT ? "a structure" : "an array");
	*ret = c->is->types[idx].def;
	return 0;
}

static bool is_packed(we_valtype type)
{
	return type == WE_T_I8 || type == WE_T_I16;
}

// The type on the stack of a field.
static we_valtype unpacked(we_valtype type)
{
	return is_packed(type) ? WE_T_I32 : type;
}

static bool is_defaultable(we_valtype type)
{
	return !we_valtype_is_ref(type) || (type & WE_T_NULL);
}

static int check_struct_new(struct we_checker *c)
{
	const struct we_deftype *def;
	int rc = find_type(c, c->in->of.idx, WE_COMP_STRUCT, &def);

	if (rc < 0)
		return rc;
	for (uint32_t i = def->n_fields; rc == 0 && i > 0; i--) {
		const we_valtype type = def->fields[i - 1].type;

		if (c->in->op == WE_OP_STRUCT_NEW)
			rc = we_checker_pop(c, unpacked(type));
		else if (!is_defaultable(type))
			rc = we_checker_invalid(
				c, "type mismatch: field %u has no default value", i - 1);
	}
	return rc < 0 ? rc : we_checker_push(c, ref_to(def, 0));
}

// A packed field is read with a sign, another without.
static int check_signedness(const struct we_checker *c, we_valtype type, bool has_sign)
{
	char text[32];

	if (is_packed(type) == has_sign)
		return 0;
	return we_checker_invalid(c, "type mismatch: the field is %s, which is %s",
		we_valtype_print(type, text, sizeof(text)),
		has_sign ? "not packed" : "packed: a sign must be given");
}

static int check_struct_access(struct we_checker *c)
{
	const uint32_t i = c->in->of.pair.b;
	const struct we_deftype *def;
	const struct we_field *field;
	int rc = find_type(c, c->in->of.pair.a, WE_COMP_STRUCT, &def);

	if (rc < 0)
		return rc;
	if (i >= def->n_fields)
		return we_checker_unknown(c, "field", i, def->n_fields);
	field = &def->fields[i];
	if (c->in->op == WE_OP_STRUCT_SET) {
		if (!field->mut)
			return we_checker_invalid(c, "immutable field %u", i);
		return we_checker_pop_n(
			c, (const we_valtype[]){ref_to(def, WE_T_NULL), unpacked(field->type)}, 2);
	}
	rc = check_signedness(c, field->type, c->in->op != WE_OP_STRUCT_GET);
	if (rc == 0)
		rc = we_checker_pop(c, ref_to(def, WE_T_NULL));
	return rc < 0 ? rc : we_checker_push(c, unpacked(field->type));
}

// ---- arrays -------------------------------------------------------------------------------------

static int check_mutable(const struct we_checker *c, const struct we_deftype *array)
{
	return array->fields[0].mut ? 0 : we_checker_invalid(c, "immutable array");
}

// Data segments hold numbers and vectors.
static int check_numeric(const struct we_checker *c, const struct we_deftype *array)
{
	if (!we_valtype_is_ref(array->fields[0].type))
		return 0;
	return we_checker_invalid(c, "array type is not numeric or vector");
}

static int check_array_new(struct we_checker *c, const struct we_deftype *array)
{
	const we_valtype elem = array->fields[0].type;
	int rc = 0;

	switch (c->in->op) {
	case WE_OP_ARRAY_NEW:
		rc = we_checker_pop_n(c, (const we_valtype[]){unpacked(elem), WE_T_I32}, 2);
		break;
	case WE_OP_ARRAY_NEW_DEFAULT:
		if (!is_defaultable(elem))
			return we_checker_invalid(
				c, "type mismatch: the elements have no default value");
		rc = we_checker_pop(c, WE_T_I32);
		break;
	case WE_OP_ARRAY_NEW_FIXED:
		if (c->in->of.pair.b > WE_LIMIT_ARRAY_FIXED)
			return we_checker_invalid(c,
				"more than the implementation limit of %u elements",
				WE_LIMIT_ARRAY_FIXED);
		for (uint32_t i = 0; rc == 0 && i < c->in->of.pair.b; i++)
			rc = we_checker_pop(c, unpacked(elem));
		break;
	case WE_OP_ARRAY_NEW_DATA:
		rc = check_numeric(c, array);
		if (rc == 0)
			rc = we_checker_data(c, c->in->of.pair.b);
		if (rc == 0)
			rc = we_checker_pop_n(c, (const we_valtype[]){WE_T_I32, WE_T_I32}, 2);
		break;
	default:
		assert(c->in->op == WE_OP_ARRAY_NEW_ELEM);
		rc = we_checker_elem(c, c->in->of.pair.b);
		if (rc == 0)
			rc = check_matches(c, c->is->elems[c->in->of.pair.b].type, elem);
		if (rc == 0)
			rc = we_checker_pop_n(c, (const we_valtype[]){WE_T_I32, WE_T_I32}, 2);
		break;
	}
	return rc < 0 ? rc : we_checker_push(c, ref_to(array, 0));
}

static int check_array_get(struct we_checker *c, const struct we_deftype *array)
{
	const we_valtype elem = array->fields[0].type;
	int rc = check_signedness(c, elem, c->in->op != WE_OP_ARRAY_GET);

	if (rc == 0)
		rc = we_checker_pop_n(
			c, (const we_valtype[]){ref_to(array, WE_T_NULL), WE_T_I32}, 2);
	return rc < 0 ? rc : we_checker_push(c, unpacked(elem));
}

static int check_array_copy(struct we_checker *c, const struct we_deftype *dst)
{
	const struct we_deftype *src;
	int rc = find_type(c, c->in->of.pair.b, WE_COMP_ARRAY, &src);

	if (rc == 0)
		rc = check_mutable(c, dst);
	if (rc < 0)
		return rc;
	if (is_packed(dst->fields[0].type)
			? dst->fields[0].type != src->fields[0].type
			: check_matches(c, src->fields[0].type, dst->fields[0].type) < 0)
		return we_checker_invalid(c, "array types do not match");
	return we_checker_pop_n(c,
		(const we_valtype[]){ref_to(dst, WE_T_NULL), WE_T_I32, ref_to(src, WE_T_NULL),
			WE_T_I32, WE_T_I32},
		5);
}

static int check_array_init(struct we_checker *c, const struct we_deftype *array)
{
	int rc = check_mutable(c, array);

	if (rc == 0 && c->in->op == WE_OP_ARRAY_INIT_DATA) {
		rc = check_numeric(c, array);
		if (rc == 0)
			rc = we_checker_data(c, c->in->of.pair.b);
	} else if (rc == 0) {
		rc = we_checker_elem(c, c->in->of.pair.b);
		if (rc == 0)
			rc = check_matches(
				c, c->is->elems[c->in->of.pair.b].type, array->fields[0].type);
	}
	if (rc < 0)
		return rc;
	return we_checker_pop_n(
		c, (const we_valtype[]){ref_to(array, WE_T_NULL), WE_T_I32, WE_T_I32, WE_T_I32}, 4);
}

static int check_array_op(struct we_checker *c)
{
	const struct we_deftype *array;
	// A pair's first index lies where a single one does not.
	const bool is_single = c->in->op == WE_OP_ARRAY_NEW ||
			       c->in->op == WE_OP_ARRAY_NEW_DEFAULT ||
			       c->in->op == WE_OP_ARRAY_GET || c->in->op == WE_OP_ARRAY_GET_S ||
			       c->in->op == WE_OP_ARRAY_GET_U || c->in->op == WE_OP_ARRAY_SET ||
			       c->in->op == WE_OP_ARRAY_FILL;
	const we_typeidx idx = is_single ? c->in->of.idx : c->in->of.pair.a;
	int rc = find_type(c, idx, WE_COMP_ARRAY, &array);
	we_valtype elem;

	if (rc < 0)
		return rc;
	elem = unpacked(array->fields[0].type);
	switch (c->in->op) {
	case WE_OP_ARRAY_GET:
	case WE_OP_ARRAY_GET_S:
	case WE_OP_ARRAY_GET_U:
		return check_array_get(c, array);
	case WE_OP_ARRAY_SET:
		rc = check_mutable(c, array);
		return rc < 0 ? rc
			      : we_checker_pop_n(c,
					(const we_valtype[]){
						ref_to(array, WE_T_NULL), WE_T_I32, elem},
					3);
	case WE_OP_ARRAY_FILL:
		rc = check_mutable(c, array);
		return rc < 0 ? rc
			      : we_checker_pop_n(c,
					(const we_valtype[]){
						ref_to(array, WE_T_NULL), WE_T_I32, elem, WE_T_I32},
					4);
	case WE_OP_ARRAY_COPY:
		return check_array_copy(c, array);
	case WE_OP_ARRAY_INIT_DATA:
	case WE_OP_ARRAY_INIT_ELEM:
		return check_array_init(c, array);
	default:
		return check_array_new(c, array);
	}
}

// ---- exceptions ---------------------------------------------------------------------------------

static int find_tag(const struct we_checker *c, we_tagidx idx, const struct we_functype **ret)
{
	if (idx >= c->is->n_tags)
		return we_checker_unknown(c, "tag", idx, c->is->n_tags);
	*ret = c->is->tags[idx].type;
	return 0;
}

static int check_throw(struct we_checker *c)
{
	const struct we_functype *type = NULL;
	int rc = find_tag(c, c->in->of.idx, &type);

	if (rc == 0)
		rc = we_checker_pop_n(c, we_functype_params(type), type->n_params);
	if (rc == 0)
		we_checker_set_unreachable(c);
	return rc;
}

static int check_throw_ref(struct we_checker *c)
{
	const int rc = we_checker_pop(c, exn_ref | WE_T_NULL);

	if (rc == 0)
		we_checker_set_unreachable(c);
	return rc;
}

static int check_catch(struct we_checker *c, const struct we_catch *clause)
{
	const struct we_functype *type = NULL;
	const we_valtype *types;
	uint32_t n_args = 0;
	uint32_t n;
	int rc = clause->has_tag ? find_tag(c, clause->tag, &type) : 0;

	if (rc == 0)
		rc = we_checker_label(c, clause->label, &types, &n);
	if (rc < 0)
		return rc;
	if (type != NULL)
		n_args = type->n_params;
	if (n != n_args + clause->has_ref)
		return we_checker_invalid(c,
			"type mismatch: label %u takes %u values, the clause gives %u",
			clause->label, n, n_args + clause->has_ref);
	for (uint32_t i = 0; rc == 0 && i < n_args; i++)
		rc = check_matches(c, we_functype_params(type)[i], types[i]);
	if (rc == 0 && clause->has_ref)
		rc = check_matches(c, exn_ref, types[n_args]);
	return rc;
}

int we_checker_catches(struct we_checker *c)
{
	struct we_reader catches = c->in->of.try_table.catches;
	int rc = 0;

	for (uint32_t i = 0; rc == 0 && i < c->in->of.try_table.n; i++) {
		struct we_catch clause;

		rc = we_catch_read(&catches, &clause);
		if (rc == 0)
			rc = check_catch(c, &clause);
	}
	return rc;
}

// ---- all ----------------------------------------------------------------------------------------

static int give_and_take(struct we_checker *c, we_valtype taken, uint32_t n, we_valtype given)
{
	int rc = 0;

	for (uint32_t i = 0; rc == 0 && i < n; i++)
		rc = we_checker_pop(c, taken);
	return rc < 0 ? rc : we_checker_push(c, given);
}

int we_checker_ref_rule(struct we_checker *c)
{
	switch (c->in->op) {
	case WE_OP_REF_NULL:
		return we_checker_push(c, c->in->of.heap);
	case WE_OP_REF_IS_NULL:
		return check_ref_is_null(c);
	case WE_OP_REF_FUNC:
		return check_ref_func(c);
	case WE_OP_REF_AS_NON_NULL:
		return check_ref_as_non_null(c);
	case WE_OP_REF_EQ:
		return give_and_take(c, eq_ref, 2, WE_T_I32);
	case WE_OP_REF_I31:
		return give_and_take(c, WE_T_I32, 1, i31_ref);
	case WE_OP_I31_GET_S:
	case WE_OP_I31_GET_U:
		return give_and_take(c, i31_ref | WE_T_NULL, 1, WE_T_I32);
	case WE_OP_ARRAY_LEN:
		return give_and_take(c, array_ref, 1, WE_T_I32);
	case WE_OP_REF_TEST:
	case WE_OP_REF_TEST_NULL:
		return check_cast(c, true);
	case WE_OP_REF_CAST:
	case WE_OP_REF_CAST_NULL:
		return check_cast(c, false);
	case WE_OP_ANY_CONVERT_EXTERN:
		return check_convert(c, WE_HEAP_EXTERN, WE_HEAP_ANY);
	case WE_OP_EXTERN_CONVERT_ANY:
		return check_convert(c, WE_HEAP_ANY, WE_HEAP_EXTERN);
	case WE_OP_BR_ON_NULL:
		return check_br_on_null(c);
	case WE_OP_BR_ON_NON_NULL:
		return check_br_on_non_null(c);
	case WE_OP_BR_ON_CAST:
	case WE_OP_BR_ON_CAST_FAIL:
		return check_br_on_cast(c);
	case WE_OP_CALL_REF:
	case WE_OP_RETURN_CALL_REF:
		return check_call_ref(c);
	case WE_OP_STRUCT_NEW:
	case WE_OP_STRUCT_NEW_DEFAULT:
		return check_struct_new(c);
	case WE_OP_STRUCT_GET:
	case WE_OP_STRUCT_GET_S:
	case WE_OP_STRUCT_GET_U:
	case WE_OP_STRUCT_SET:
		return check_struct_access(c);
	case WE_OP_THROW:
		return check_throw(c);
	case WE_OP_THROW_REF:
		return check_throw_ref(c);
	default: // the others are all array.*
		return check_array_op(c);
	}
}
