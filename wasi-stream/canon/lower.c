// SPDX-License-Identifier: BSD-3-Clause
// Component values -> core values and guest memory. Module path 6.
// Spec: CanonicalABI.md "Storing", "Flat Lowering", "Lifting and Lowering Values".
#include "lower.h"

#include "future.h"
#include "layout.h"
#include "stream.h"
#include "task.h"
#include "transcode.h"

#include <string.h>

enum {
	PTR_BYTES = 4, // of an address
};

static void store_int(const struct cm_cx *cx, uint64_t bits, uint32_t ptr, uint32_t n_bytes)
{
	memcpy(cm_cx_span(cx, ptr, n_bytes), &bits, n_bytes); // little-endian
}

// A readable end for the guest. Spec: lower_stream, lower_future.
static int lower_async_value(
	const struct cm_cx *cx, const struct cm_val *val, uint32_t *ret_idx, struct we_error *err)
{
	struct cm_shared *shared =
		val->kind == CM_STREAM ? &val->of.stream->shared : &val->of.future->shared;
	struct cm_copy_end *end = &shared->readable;
	int rc;

	if (end->holder != CM_HELD_HOST)
		return we_error_set(err, WE_E_INVALID, 0, "a stream or future given away twice");
	rc = cm_handles_add(&cx->inst->handles, end->waitable.kind, end, ret_idx, err);
	if (rc < 0)
		return rc;
	end->waitable.idx = *ret_idx;
	end->holder = CM_HELD_GUEST;
	return 0;
}

static int store_elems(const struct cm_cx *cx, const struct cm_val *elems, uint32_t n,
	const struct cm_type *elem, uint32_t ptr, struct we_error *err)
{
	const uint32_t size = elem->layout32.size;
	int rc = 0;

	if (elem->kind == CM_TYPE_U8 && n > 0) { // the list that matters
		uint8_t *bytes = cm_cx_span(cx, ptr, n);

		for (uint32_t i = 0; i < n; i++)
			bytes[i] = (uint8_t)elems[i].of.bits;
		return 0;
	}
	for (uint32_t i = 0; i < n && rc == 0; i++)
		rc = cm_store_val(cx, &elems[i], elem, ptr + i * size, err);
	return rc;
}

static int store_list_into_range(const struct cm_cx *cx, const struct cm_val *val,
	const struct cm_type *type, uint32_t *ret_ptr, struct we_error *err)
{
	const struct cm_layout layout = type->elem->layout32;
	const int rc = cm_cx_allocate(cx, layout.align, val->n * layout.size, ret_ptr, err);

	if (rc < 0)
		return rc;
	return store_elems(cx, val->of.elems, val->n, type->elem, *ret_ptr, err);
}

// Strings and lists: a pointer and a length.
static int lower_range(const struct cm_cx *cx, const struct cm_val *val, const struct cm_type *type,
	uint32_t *ret_ptr, uint32_t *ret_length, struct we_error *err)
{
	if (type->kind == CM_TYPE_STRING)
		return cm_store_string_into_range(cx, val, ret_ptr, ret_length, err);
	*ret_length = val->n;
	return store_list_into_range(cx, val, type, ret_ptr, err);
}

static int store_range(const struct cm_cx *cx, const struct cm_val *val, const struct cm_type *type,
	uint32_t ptr, struct we_error *err)
{
	uint32_t begin;
	uint32_t length;
	const int rc = lower_range(cx, val, type, &begin, &length, err);

	if (rc < 0)
		return rc;
	store_int(cx, begin, ptr, PTR_BYTES);
	store_int(cx, length, ptr + PTR_BYTES, PTR_BYTES);
	return 0;
}

static int store_record(const struct cm_cx *cx, const struct cm_val *val,
	const struct cm_type *type, uint32_t ptr, struct we_error *err)
{
	int rc = 0;

	for (uint32_t i = 0; i < type->n_fields && rc == 0; i++) {
		const struct cm_field *field = &type->fields[i];

		rc = cm_store_val(cx, &val->of.elems[i], field->type, ptr + field->offset, err);
	}
	return rc;
}

static int store_variant(const struct cm_cx *cx, const struct cm_val *val,
	const struct cm_type *type, uint32_t ptr, struct we_error *err)
{
	const struct cm_type *payload = type->fields[val->n].type;

	store_int(cx, val->n, ptr, type->disc_bytes);
	if (!payload)
		return 0;
	return cm_store_val(cx, val->of.payload, payload, ptr + type->payload_offset, err);
}

int cm_store_val(const struct cm_cx *cx, const struct cm_val *val, const struct cm_type *type,
	uint32_t ptr, struct we_error *err)
{
	uint32_t idx;
	int rc;

	if (cm_type_is_scalar(type)) {
		store_int(cx, val->of.bits, ptr, type->layout32.size);
		return 0;
	}
	if (cm_type_is_variant(type))
		return store_variant(cx, val, type, ptr, err);
	switch (type->kind) {
	case CM_TYPE_STRING:
	case CM_TYPE_LIST:
	case CM_TYPE_MAP:
		return store_range(cx, val, type, ptr, err);
	case CM_TYPE_RECORD:
	case CM_TYPE_TUPLE:
		return store_record(cx, val, type, ptr, err);
	case CM_TYPE_STREAM:
	case CM_TYPE_FUTURE:
		rc = lower_async_value(cx, val, &idx, err);
		if (rc == 0)
			store_int(cx, idx, ptr, PTR_BYTES);
		return rc;
	default:
		return cm_unsupported(
			err, "resources, error-context and fixed-length lists as values");
	}
}

// ---- flat ---------------------------------------------------------------------------------------

static uint64_t sign_extended(const struct cm_type *type, uint64_t bits)
{
	int32_t wide;

	if (type->kind == CM_TYPE_S8)
		wide = (int8_t)bits;
	else if (type->kind == CM_TYPE_S16)
		wide = (int16_t)bits;
	else
		return bits;
	return (uint32_t)wide;
}

static int lower_flat(const struct cm_cx *cx, const struct cm_val *val, const struct cm_type *type,
	uint64_t *slots, struct we_error *err);

static int lower_flat_record(const struct cm_cx *cx, const struct cm_val *val,
	const struct cm_type *type, uint64_t *slots, struct we_error *err)
{
	int rc = 0;

	for (uint32_t i = 0; i < type->n_fields && rc == 0; i++) {
		rc = lower_flat(cx, &val->of.elems[i], type->fields[i].type, slots, err);
		slots += type->fields[i].type->n_flat;
	}
	return rc;
}

// What the case does not use is zero; its values stand in the low bits of wider slots.
static int lower_flat_variant(const struct cm_cx *cx, const struct cm_val *val,
	const struct cm_type *type, uint64_t *slots, struct we_error *err)
{
	const struct cm_type *payload = type->fields[val->n].type;

	slots[0] = val->n;
	for (uint32_t i = 1; i < type->n_flat; i++)
		slots[i] = 0;
	return payload ? lower_flat(cx, val->of.payload, payload, slots + 1, err) : 0;
}

static int lower_flat(const struct cm_cx *cx, const struct cm_val *val, const struct cm_type *type,
	uint64_t *slots, struct we_error *err)
{
	uint32_t first = 0;
	uint32_t second = 0;
	int rc;

	if (cm_type_is_scalar(type)) {
		slots[0] = sign_extended(type, val->of.bits);
		return 0;
	}
	if (cm_type_is_variant(type))
		return lower_flat_variant(cx, val, type, slots, err);
	switch (type->kind) {
	case CM_TYPE_STRING:
	case CM_TYPE_LIST:
	case CM_TYPE_MAP:
		rc = lower_range(cx, val, type, &first, &second, err);
		slots[0] = first;
		slots[1] = second;
		return rc;
	case CM_TYPE_RECORD:
	case CM_TYPE_TUPLE:
		return lower_flat_record(cx, val, type, slots, err);
	case CM_TYPE_STREAM:
	case CM_TYPE_FUTURE:
		rc = lower_async_value(cx, val, &first, err);
		slots[0] = first;
		return rc;
	default:
		return cm_unsupported(
			err, "resources, error-context and fixed-length lists as values");
	}
}

static int store_params(const struct cm_cx *cx, const struct cm_val *args,
	const struct cm_type *func, uint64_t *slots, struct we_error *err)
{
	uint32_t align;
	uint64_t size = cm_params_size(func, func->n_fields, &align);
	uint64_t at;
	uint32_t ptr;
	int rc;

	size = cm_align_to(size, align);
	if (size > UINT32_MAX)
		return cm_trap(err, CM_TRAP_OUT_OF_BOUNDS);
	rc = cm_cx_allocate(cx, align, (uint32_t)size, &ptr, err);
	if (rc < 0)
		return rc;
	at = ptr;
	for (uint32_t i = 0; i < func->n_fields && rc == 0; i++) {
		const struct cm_type *type = func->fields[i].type;

		at = cm_align_to(at, type->layout32.align);
		rc = cm_store_val(cx, &args[i], type, (uint32_t)at, err);
		at += type->layout32.size;
	}
	slots[0] = ptr;
	return rc;
}

int cm_lower_flat_params(const struct cm_cx *cx, const struct cm_val *args,
	const struct cm_type *func, uint64_t *slots, struct we_error *err)
{
	int rc = 0;

	if (cm_params_n_flat(func) > CM_MAX_FLAT_PARAMS)
		return store_params(cx, args, func, slots, err);
	for (uint32_t i = 0; i < func->n_fields && rc == 0; i++) {
		rc = lower_flat(cx, &args[i], func->fields[i].type, slots, err);
		slots += func->fields[i].type->n_flat;
	}
	return rc;
}

int cm_lower_flat_result(const struct cm_cx *cx, uint32_t max_flat, const struct cm_val *val,
	const struct cm_type *type, uint32_t out_ptr, uint64_t *slots, struct we_error *err)
{
	if (type->n_flat <= max_flat)
		return lower_flat(cx, val, type, slots, err);
	if (!cm_is_aligned(out_ptr, type->layout32.align))
		return cm_trap(err, CM_TRAP_UNALIGNED);
	if (!cm_cx_has(cx, out_ptr, type->layout32.size))
		return cm_trap(err, CM_TRAP_OUT_OF_BOUNDS);
	return cm_store_val(cx, val, type, out_ptr, err);
}
