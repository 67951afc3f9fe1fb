// SPDX-License-Identifier: BSD-3-Clause
// type: see type.h. What is known of a type when it is made: traits, weight, layout, flattening.
#include "type.h"

#include "arena.h"
#include "limits.h"

#include <assert.h>
#include <string.h>

const char *cm_sort_name(enum cm_sort sort)
{
	static const char *const names[CM_SORT_N] = {
		[CM_SORT_CORE_FUNC] = "core func",
		[CM_SORT_CORE_TABLE] = "core table",
		[CM_SORT_CORE_MEMORY] = "core memory",
		[CM_SORT_CORE_GLOBAL] = "core global",
		[CM_SORT_CORE_TAG] = "core tag",
		[CM_SORT_CORE_TYPE] = "core type",
		[CM_SORT_CORE_INSTANCE] = "core instance",
		[CM_SORT_CORE_MODULE] = "core module",
		[CM_SORT_FUNC] = "func",
		[CM_SORT_VALUE] = "value",
		[CM_SORT_TYPE] = "type",
		[CM_SORT_COMPONENT] = "component",
		[CM_SORT_INSTANCE] = "instance",
	};

	return names[sort];
}

const struct cm_type *cm_type_primitive(enum cm_typekind kind)
{
#define PRIMITIVE(bytes, core)                                                                     \
	.n_flat = 1, .flat = {core}, .layout32 = {bytes, bytes}, .layout64 = {bytes, bytes},       \
	.weight = 1, .depth = 1
	static const struct cm_type primitives[CM_TYPE_N_PRIMITIVE] = {
		[CM_TYPE_BOOL] = {.kind = CM_TYPE_BOOL, PRIMITIVE(1, WE_I32)},
		[CM_TYPE_S8] = {.kind = CM_TYPE_S8, PRIMITIVE(1, WE_I32)},
		[CM_TYPE_U8] = {.kind = CM_TYPE_U8, PRIMITIVE(1, WE_I32)},
		[CM_TYPE_S16] = {.kind = CM_TYPE_S16, PRIMITIVE(2, WE_I32)},
		[CM_TYPE_U16] = {.kind = CM_TYPE_U16, PRIMITIVE(2, WE_I32)},
		[CM_TYPE_S32] = {.kind = CM_TYPE_S32, PRIMITIVE(4, WE_I32)},
		[CM_TYPE_U32] = {.kind = CM_TYPE_U32, PRIMITIVE(4, WE_I32)},
		[CM_TYPE_S64] = {.kind = CM_TYPE_S64, PRIMITIVE(8, WE_I64)},
		[CM_TYPE_U64] = {.kind = CM_TYPE_U64, PRIMITIVE(8, WE_I64)},
		[CM_TYPE_F32] = {.kind = CM_TYPE_F32, PRIMITIVE(4, WE_F32)},
		[CM_TYPE_F64] = {.kind = CM_TYPE_F64, PRIMITIVE(8, WE_F64)},
		[CM_TYPE_CHAR] = {.kind = CM_TYPE_CHAR, PRIMITIVE(4, WE_I32)},
		[CM_TYPE_STRING] = {.kind = CM_TYPE_STRING,
			.traits = CM_TRAIT_POINTERS,
			.n_flat = 2,
			.flat = {WE_I32, WE_I32},
			.layout32 = {8, 4},
			.layout64 = {16, 8},
			.weight = 1,
			.depth = 1},
		[CM_TYPE_ERROR_CONTEXT] = {.kind = CM_TYPE_ERROR_CONTEXT, PRIMITIVE(4, WE_I32)},
	};
#undef PRIMITIVE

	assert(kind < CM_TYPE_N_PRIMITIVE);
	return &primitives[kind];
}

// ---- layout -------------------------------------------------------------------------------------
//
// Sizes are at most CM_MAX_VALUE_BYTES each, so that sums of two of them stay far below 2^32.

static uint32_t align_to(uint32_t at, uint32_t align)
{
	return (at + align - 1) / align * align;
}

// Append a value of that layout to a record that so far has the layout *at. Returns where it lies.
static uint32_t layout_append(struct cm_layout *at, struct cm_layout value)
{
	const uint32_t offset = align_to(at->size, value.align);

	at->size = offset + value.size;
	if (value.align > at->align)
		at->align = value.align;
	return offset;
}

static uint8_t discriminant_bytes(uint32_t n_cases)
{
	return n_cases <= 1 << 8 ? 1 : n_cases <= 1 << 16 ? 2 : 4;
}

// ---- flattening ---------------------------------------------------------------------------------

static void flat_append(struct cm_type *type, const struct cm_type *part)
{
	for (uint32_t i = 0; i < part->n_flat; i++) {
		if (type->n_flat >= CM_MAX_FLAT_PARAMS) {
			type->n_flat = CM_FLAT_SPILLED;
			return;
		}
		type->flat[type->n_flat++] = part->flat[i];
	}
}

static uint8_t flat_join(uint8_t a, uint8_t b)
{
	if (a == b)
		return a;
	if ((a == WE_I32 && b == WE_F32) || (a == WE_F32 && b == WE_I32))
		return WE_I32;
	return WE_I64;
}

// Join the flattening of a case to that of a variant whose first value is the discriminant.
static void flat_join_case(struct cm_type *type, const struct cm_type *payload)
{
	for (uint32_t i = 0; i < payload->n_flat; i++) {
		const uint32_t at = i + 1;

		if (at >= CM_MAX_FLAT_PARAMS) {
			type->n_flat = CM_FLAT_SPILLED;
			return;
		}
		if (at < type->n_flat) {
			type->flat[at] = flat_join(type->flat[at], payload->flat[i]);
		} else {
			type->flat[at] = payload->flat[i];
			type->n_flat++;
		}
	}
}

// ---- making -------------------------------------------------------------------------------------

static struct cm_type *type_new(struct we_arena *arena, enum cm_typekind kind)
{
	struct cm_type *type = we_arena_alloc(arena, sizeof(*type));

	if (type == NULL)
		return NULL;
	type->kind = kind;
	type->weight = 1;
	type->depth = 1;
	return type;
}

// Count part as a part of type.
static void type_hold(struct cm_type *type, const struct cm_type *part)
{
	if (part == NULL)
		return;
	type->traits |= part->traits;
	type->weight =
		type->weight > CM_MAX_TYPE_WEIGHT ? type->weight : type->weight + part->weight;
	if (part->depth >= type->depth)
		type->depth = part->depth + 1;
}

const char *cm_type_excess(const struct cm_type *type)
{
	if (type->layout64.size > CM_MAX_VALUE_BYTES)
		return "exceeds maximum byte size: a value takes 2^28 bytes or more";
	if (type->weight > CM_MAX_TYPE_WEIGHT)
		return "exceeds the limit of 1000000 types in one type";
	if (type->depth > CM_MAX_TYPE_DEPTH)
		return "exceeds the limit of 100 types inside each other";
	return NULL;
}

static int type_check(const struct cm_type *type)
{
	return cm_type_excess(type) == NULL ? 0 : WE_E_INVALID;
}

static void type_one_handle(struct cm_type *type)
{
	type->n_flat = 1;
	type->flat[0] = WE_I32;
	type->layout32 = (struct cm_layout){4, 4};
	type->layout64 = (struct cm_layout){4, 4};
}

static void type_two_pointers(struct cm_type *type)
{
	type->traits |= CM_TRAIT_POINTERS;
	type->n_flat = 2;
	type->flat[0] = WE_I32;
	type->flat[1] = WE_I32;
	type->layout32 = (struct cm_layout){8, 4};
	type->layout64 = (struct cm_layout){16, 8};
}

// Stops where the size gets out of hand; type_check refuses the type then.
static void layout_record(struct cm_type *type, struct cm_field *fields)
{
	struct cm_layout at32 = {0, 1};
	struct cm_layout at64 = {0, 1};

	for (uint32_t i = 0; i < type->n_fields && at64.size <= CM_MAX_VALUE_BYTES; i++) {
		fields[i].offset = layout_append(&at32, fields[i].type->layout32);
		(void)layout_append(&at64, fields[i].type->layout64);
		flat_append(type, fields[i].type);
	}
	type->layout32 = (struct cm_layout){align_to(at32.size, at32.align), at32.align};
	type->layout64 = (struct cm_layout){align_to(at64.size, at64.align), at64.align};
}

static struct cm_layout layout_of(const struct cm_type *type, bool is_64)
{
	return is_64 ? type->layout64 : type->layout32;
}

// Returns the layout of a variant; where its payload begins in *ret_payload.
static struct cm_layout layout_cases(const struct cm_type *type, bool is_64, uint32_t *ret_payload)
{
	struct cm_layout payload = {0, 1};
	struct cm_layout whole = {type->disc_bytes, type->disc_bytes};

	for (uint32_t i = 0; i < type->n_fields; i++) {
		if (type->fields[i].type == NULL)
			continue;
		const struct cm_layout one = layout_of(type->fields[i].type, is_64);

		payload.size = one.size > payload.size ? one.size : payload.size;
		payload.align = one.align > payload.align ? one.align : payload.align;
	}
	*ret_payload = layout_append(&whole, payload);
	whole.size = align_to(whole.size, whole.align);
	return whole;
}

static void layout_variant(struct cm_type *type)
{
	uint32_t payload64;

	type->disc_bytes = discriminant_bytes(type->n_fields);
	type->layout32 = layout_cases(type, false, &type->payload_offset);
	type->layout64 = layout_cases(type, true, &payload64);
	type->n_flat = 1;
	type->flat[0] = WE_I32;
	for (uint32_t i = 0; i < type->n_fields; i++)
		if (type->fields[i].type != NULL)
			flat_join_case(type, type->fields[i].type);
}

static void layout_flags(struct cm_type *type)
{
	const uint32_t bytes = type->n_fields <= 8 ? 1 : type->n_fields <= 16 ? 2 : 4;

	type_one_handle(type);
	type->layout32 = (struct cm_layout){bytes, bytes};
	type->layout64 = type->layout32;
}

int cm_type_create_fields(struct we_arena *arena, enum cm_typekind kind, struct cm_field *fields,
	uint32_t n_fields, const struct cm_type **ret_type)
{
	struct cm_type *type = type_new(arena, kind);

	if (type == NULL)
		return WE_E_NOMEM;
	type->fields = fields;
	type->n_fields = n_fields;
	for (uint32_t i = 0; i < n_fields; i++)
		type_hold(type, fields[i].type);
	if (kind == CM_TYPE_FLAGS)
		layout_flags(type);
	else if (cm_type_is_variant(type))
		layout_variant(type);
	else
		layout_record(type, fields);
	*ret_type = type;
	return type_check(type);
}

static int create_two_cases(struct we_arena *arena, enum cm_typekind kind,
	const char *const names[2], const struct cm_type *const types[2],
	const struct cm_type **ret_type)
{
	struct cm_field *cases = we_arena_array(arena, 2, sizeof(*cases));

	if (cases == NULL)
		return WE_E_NOMEM;
	for (int i = 0; i < 2; i++) {
		cases[i].name = (struct cm_name){names[i], (uint32_t)strlen(names[i])};
		cases[i].type = types[i];
	}
	return cm_type_create_fields(arena, kind, cases, 2, ret_type);
}

int cm_type_create_option(
	struct we_arena *arena, const struct cm_type *some, const struct cm_type **ret_type)
{
	static const char *const names[2] = {"none", "some"};

	return create_two_cases(arena, CM_TYPE_OPTION, names,
		(const struct cm_type *const[2]){NULL, some}, ret_type);
}

int cm_type_create_result(struct we_arena *arena, const struct cm_type *ok,
	const struct cm_type *error, const struct cm_type **ret_type)
{
	static const char *const names[2] = {"ok", "error"};

	return create_two_cases(arena, CM_TYPE_RESULT, names,
		(const struct cm_type *const[2]){ok, error}, ret_type);
}

// A list of known length lies in place, like a tuple of as many elements.
static void layout_fixed_list(struct cm_type *type)
{
	const struct cm_type *elem = type->elem;

	type->layout32 = elem->layout32;
	type->layout64 = elem->layout64;
	if (__builtin_mul_overflow(elem->layout64.size, type->length, &type->layout64.size))
		type->layout64.size = UINT32_MAX; // type_check refuses it
	type->layout32.size *= type->length;
	for (uint32_t i = 0; i < type->length && type->n_flat < CM_FLAT_SPILLED; i++)
		flat_append(type, elem);
}

int cm_type_create_elem(struct we_arena *arena, enum cm_typekind kind, const struct cm_type *elem,
	uint32_t length, const struct cm_type **ret_type)
{
	struct cm_type *type = type_new(arena, kind);

	if (type == NULL)
		return WE_E_NOMEM;
	type->elem = elem;
	type->length = length;
	type_hold(type, elem);
	switch (kind) {
	case CM_TYPE_LIST:
	case CM_TYPE_MAP:
		type_two_pointers(type);
		break;
	case CM_TYPE_FIXED_LIST:
		layout_fixed_list(type);
		break;
	default:
		type_one_handle(type);
		break;
	}
	if (kind == CM_TYPE_BORROW)
		type->traits |= CM_TRAIT_BORROW;
	if (kind == CM_TYPE_STREAM || kind == CM_TYPE_FUTURE) {
		type->traits |= CM_TRAIT_ASYNC;
		type->traits &= ~(uint32_t)CM_TRAIT_POINTERS; // only its handle travels
	}
	*ret_type = type;
	return type_check(type);
}

int cm_type_create_map(struct we_arena *arena, const struct cm_type *key,
	const struct cm_type *value, const struct cm_type **ret_type)
{
	struct cm_field *pair = we_arena_array(arena, 2, sizeof(*pair));
	const struct cm_type *elem = NULL;
	int rc;

	if (pair == NULL)
		return WE_E_NOMEM;
	pair[0].type = key;
	pair[1].type = value;
	// The pair alone may be too large: the limit is on types that are written down.
	rc = cm_type_create_fields(arena, CM_TYPE_TUPLE, pair, 2, &elem);
	return rc == WE_E_NOMEM ? rc : cm_type_create_elem(arena, CM_TYPE_MAP, elem, 0, ret_type);
}

int cm_type_create_func(struct we_arena *arena, bool is_async, struct cm_field *params,
	uint32_t n_params, const struct cm_type *result, const struct cm_type **ret_type)
{
	struct cm_type *type = type_new(arena, CM_TYPE_FUNC);

	if (type == NULL)
		return WE_E_NOMEM;
	type->is_async = is_async;
	type->fields = params;
	type->n_fields = n_params;
	type->elem = result;
	for (uint32_t i = 0; i < n_params; i++)
		type_hold(type, params[i].type);
	type_hold(type, result);
	layout_record(type, params);
	*ret_type = type;
	return type_check(type);
}

static void hold_extern(struct cm_type *type, const struct cm_extern *ext)
{
	type_hold(type, ext->type);
	if (type->weight <= CM_MAX_TYPE_WEIGHT)
		type->weight++;
}

int cm_type_create_interface(struct we_arena *arena, enum cm_typekind kind,
	const struct cm_interface *face, const struct cm_type **ret_type)
{
	struct cm_type *type = type_new(arena, kind);

	if (type == NULL)
		return WE_E_NOMEM;
	type->face = face;
	for (uint32_t i = 0; i < face->n_imports; i++)
		hold_extern(type, &face->imports[i]);
	for (uint32_t i = 0; i < face->n_exports; i++)
		hold_extern(type, &face->exports[i]);
	*ret_type = type;
	return type_check(type);
}

int cm_type_create_resource(
	struct we_arena *arena, struct cm_name name, const struct cm_type **ret_type)
{
	struct cm_type *type = type_new(arena, CM_TYPE_RESOURCE);

	if (type == NULL)
		return WE_E_NOMEM;
	type->traits = CM_TRAIT_RESOURCE;
	type->name = name;
	*ret_type = type;
	return 0;
}

int cm_type_create_named(struct we_arena *arena, const struct cm_type *type, struct cm_name name,
	const struct cm_type **ret_type)
{
	struct cm_type *copy = we_arena_alloc(arena, sizeof(*copy));

	if (copy == NULL)
		return WE_E_NOMEM;
	*copy = *type;
	copy->name = name;
	copy->named = type;
	copy->root = cm_type_root(type);
	copy->traits |= CM_TRAIT_NAMED;
	*ret_type = copy;
	return 0;
}

const struct cm_extern *cm_interface_export(
	const struct cm_interface *face, const char *name, size_t name_len)
{
	for (uint32_t i = 0; i < face->n_exports; i++)
		if (face->exports[i].name.len == name_len &&
			memcmp(face->exports[i].name.text, name, name_len) == 0)
			return &face->exports[i];
	return NULL;
}

// ---- the core side ------------------------------------------------------------------------------

static void sig_one_pointer(struct cm_coresig *sig)
{
	sig->params[0] = WE_I32;
	sig->n_params = 1;
	sig->params_in_memory = true;
}

static void sig_params(struct cm_coresig *sig, const struct cm_type *tuple, uint32_t max)
{
	if (tuple->n_flat > max) {
		sig_one_pointer(sig);
		return;
	}
	memcpy(sig->params, tuple->flat, tuple->n_flat);
	sig->n_params = tuple->n_flat;
}

static void sig_result_pointer(struct cm_coresig *sig)
{
	sig->params[sig->n_params++] = WE_I32;
	sig->result_in_memory = true;
}

static void sig_result(struct cm_coresig *sig, uint8_t kind)
{
	sig->results[0] = kind;
	sig->n_results = 1;
}

void cm_functype_flatten(const struct cm_type *func, enum cm_abi abi, bool is_async,
	bool has_callback, struct cm_coresig *ret_sig)
{
	const uint32_t n_results = func->elem == NULL ? 0 : func->elem->n_flat;

	assert(func->kind == CM_TYPE_FUNC);
	*ret_sig = (struct cm_coresig){0};
	if (is_async && abi == CM_ABI_LOWER) {
		sig_params(ret_sig, func, CM_MAX_FLAT_ASYNC_PARAMS);
		if (n_results > 0)
			sig_result_pointer(ret_sig);
		sig_result(ret_sig, WE_I32);
		return;
	}
	sig_params(ret_sig, func, CM_MAX_FLAT_PARAMS);
	if (is_async) {
		if (has_callback)
			sig_result(ret_sig, WE_I32);
	} else if (n_results > CM_MAX_FLAT_RESULTS && abi == CM_ABI_LIFT) {
		sig_result(ret_sig, WE_I32);
		ret_sig->result_in_memory = true;
	} else if (n_results > CM_MAX_FLAT_RESULTS) {
		sig_result_pointer(ret_sig);
	} else if (n_results == 1) {
		sig_result(ret_sig, func->elem->flat[0]);
	}
}

void cm_task_return_flatten(const struct cm_type *result, struct cm_coresig *ret_sig)
{
	*ret_sig = (struct cm_coresig){0};
	if (result != NULL)
		sig_params(ret_sig, result, CM_MAX_FLAT_PARAMS);
}
