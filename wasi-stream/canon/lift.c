// SPDX-License-Identifier: BSD-3-Clause
// Core values and guest memory -> component values. Module path 6.
// Spec: CanonicalABI.md "Loading", "Flat Lifting", "Lifting and Lowering Values".
#include "lift.h"

#include "future.h"
#include "layout.h"
#include "stream.h"
#include "task.h"
#include "transcode.h"
#include "value.h"

#include <string.h>

enum {
	PTR_BYTES = 4, // of an address
};

static struct cm_scratch *scratch_of(const struct cm_cx *cx)
{
	return &cx->inst->store->scratch;
}

static uint64_t load_int(const struct cm_cx *cx, uint32_t ptr, uint32_t n_bytes)
{
	uint64_t bits = 0; // little-endian, like the machines that this runs on

	memcpy(&bits, cm_cx_span(cx, ptr, n_bytes), n_bytes);
	return bits;
}

static uint64_t canonicalize_nan32(uint32_t bits)
{
	return (bits & 0x7fffffff) > 0x7f800000 ? 0x7fc00000 : bits;
}

static uint64_t canonicalize_nan64(uint64_t bits)
{
	return (bits & INT64_MAX) > 0x7ff0000000000000 ? 0x7ff8000000000000 : bits;
}

// bits: what memory or a core value holds; more than the type has is cut off.
static int lift_scalar(
	const struct cm_type *type, uint64_t bits, struct cm_val *ret_val, struct we_error *err)
{
	const uint32_t n_bits =
		type->kind == CM_TYPE_FLAGS ? type->n_fields : 8 * type->layout32.size;

	if (type->kind == CM_TYPE_BOOL) {
		bits = (uint32_t)bits != 0;
	} else if (type->kind == CM_TYPE_CHAR) {
		bits = (uint32_t)bits;
		if (!cm_is_char(bits))
			return cm_trap_at(err, CM_TRAP_CHAR, (uint32_t)bits);
	} else if (n_bits < 64) {
		bits &= ((uint64_t)1 << n_bits) - 1;
	}
	if (type->kind == CM_TYPE_F32)
		bits = canonicalize_nan32((uint32_t)bits);
	else if (type->kind == CM_TYPE_F64)
		bits = canonicalize_nan64(bits);
	*ret_val = (struct cm_val){.kind = cm_kind_of(type), .of.bits = bits};
	return 0;
}

// Spec: lift_async_value, its checks in its order.
static int lift_async_value(const struct cm_cx *cx, uint32_t i, const struct cm_type *type,
	struct cm_val *ret_val, struct we_error *err)
{
	const bool is_future = type->kind == CM_TYPE_FUTURE;
	struct cm_handles *handles = &cx->inst->handles;
	struct cm_copy_end *end = cm_handles_get(
		handles, i, is_future ? CM_HANDLE_FUTURE_READABLE : CM_HANDLE_STREAM_READABLE);

	if (!end)
		return cm_handles_blame(handles, i, err);
	if (!cm_elem_equal(end->shared->elem, type->elem))
		return cm_trap_at(err, CM_TRAP_ELEMENT_TYPE, i);
	if (end->state == CM_COPY_DONE)
		return cm_trap_at(
			err, is_future ? CM_TRAP_LIFT_DONE_FUTURE : CM_TRAP_LIFT_DONE_STREAM, i);
	if (end->state != CM_COPY_IDLE)
		return cm_trap_at(
			err, is_future ? CM_TRAP_LIFT_BUSY_FUTURE : CM_TRAP_LIFT_BUSY_STREAM, i);
	if (end->waitable.wset)
		return cm_trap_at(err,
			is_future ? CM_TRAP_LIFT_FUTURE_IN_SET : CM_TRAP_LIFT_STREAM_IN_SET, i);
	cm_handles_remove(handles, i);
	end->holder = CM_HELD_HOST;
	*ret_val = (struct cm_val){.kind = cm_kind_of(type)};
	if (is_future)
		ret_val->of.future = cm_future_of(end->shared);
	else
		ret_val->of.stream = cm_stream_of(end->shared);
	return 0;
}

static int load_elems(const struct cm_cx *cx, uint32_t ptr, uint32_t n, const struct cm_type *elem,
	struct cm_val *vals, struct we_error *err)
{
	const uint32_t size = elem->layout32.size;
	int rc = 0;

	if (elem->kind == CM_TYPE_U8 && n > 0) { // the list that matters
		const uint8_t *bytes = cm_cx_span(cx, ptr, n);

		for (uint32_t i = 0; i < n; i++)
			vals[i] = (struct cm_val){.kind = CM_U8, .of.bits = bytes[i]};
		return 0;
	}
	for (uint32_t i = 0; i < n && rc == 0; i++)
		rc = cm_load(cx, ptr + i * size, elem, &vals[i], err);
	return rc;
}

static int load_list_from_range(const struct cm_cx *cx, uint32_t ptr, uint32_t length,
	const struct cm_type *type, struct cm_val *ret_val, struct we_error *err)
{
	const struct cm_layout layout = type->elem->layout32;
	struct cm_val *elems;
	int rc;

	if ((uint64_t)length * layout.size > CM_LIST_BYTES_MAX)
		return cm_trap(err, CM_TRAP_LIST_LENGTH);
	if (!cm_is_aligned(ptr, layout.align))
		return cm_trap(err, CM_TRAP_UNALIGNED);
	if (!cm_cx_has(cx, ptr, (uint64_t)length * layout.size))
		return cm_trap(err, CM_TRAP_LIST_BOUNDS);
	rc = cm_scratch_take(scratch_of(cx), length, sizeof(*elems), &elems, err);
	if (rc < 0)
		return rc;
	*ret_val = (struct cm_val){.kind = cm_kind_of(type), .n = length, .of.elems = elems};
	return load_elems(cx, ptr, length, type->elem, elems, err);
}

static int load_record(const struct cm_cx *cx, uint32_t ptr, const struct cm_type *type,
	struct cm_val *ret_val, struct we_error *err)
{
	struct cm_val *elems;
	int rc = cm_scratch_take(scratch_of(cx), type->n_fields, sizeof(*elems), &elems, err);

	if (rc < 0)
		return rc;
	*ret_val =
		(struct cm_val){.kind = cm_kind_of(type), .n = type->n_fields, .of.elems = elems};
	for (uint32_t i = 0; i < type->n_fields && rc == 0; i++)
		rc = cm_load(
			cx, ptr + type->fields[i].offset, type->fields[i].type, &elems[i], err);
	return rc;
}

// A variant of that case; its payload, if it has one, is in *ret_payload and still to be filled.
static int make_variant(const struct cm_cx *cx, uint64_t case_idx, const struct cm_type *type,
	struct cm_val *ret_val, struct cm_val **ret_payload, struct we_error *err)
{
	int rc = 0;

	*ret_payload = NULL;
	if (case_idx >= type->n_fields)
		return cm_trap_at(err, CM_TRAP_DISCRIMINANT, (uint32_t)case_idx);
	if (type->fields[case_idx].type)
		rc = cm_scratch_take(scratch_of(cx), 1, sizeof(**ret_payload), ret_payload, err);
	*ret_val = (struct cm_val){
		.kind = CM_VARIANT, .n = (uint32_t)case_idx, .of.payload = *ret_payload};
	return rc;
}

static int load_variant(const struct cm_cx *cx, uint32_t ptr, const struct cm_type *type,
	struct cm_val *ret_val, struct we_error *err)
{
	struct cm_val *payload;
	const int rc =
		make_variant(cx, load_int(cx, ptr, type->disc_bytes), type, ret_val, &payload, err);

	if (rc < 0 || !payload)
		return rc;
	return cm_load(cx, ptr + type->payload_offset, type->fields[ret_val->n].type, payload, err);
}

int cm_load(const struct cm_cx *cx, uint32_t ptr, const struct cm_type *type,
	struct cm_val *ret_val, struct we_error *err)
{
	if (cm_type_is_scalar(type))
		return lift_scalar(type, load_int(cx, ptr, type->layout32.size), ret_val, err);
	if (cm_type_is_variant(type))
		return load_variant(cx, ptr, type, ret_val, err);
	switch (type->kind) {
	case CM_TYPE_STRING:
		return cm_load_string_from_range(cx, (uint32_t)load_int(cx, ptr, PTR_BYTES),
			(uint32_t)load_int(cx, ptr + PTR_BYTES, PTR_BYTES), ret_val, err);
	case CM_TYPE_LIST:
	case CM_TYPE_MAP:
		return load_list_from_range(cx, (uint32_t)load_int(cx, ptr, PTR_BYTES),
			(uint32_t)load_int(cx, ptr + PTR_BYTES, PTR_BYTES), type, ret_val, err);
	case CM_TYPE_RECORD:
	case CM_TYPE_TUPLE:
		return load_record(cx, ptr, type, ret_val, err);
	case CM_TYPE_STREAM:
	case CM_TYPE_FUTURE:
		return lift_async_value(
			cx, (uint32_t)load_int(cx, ptr, PTR_BYTES), type, ret_val, err);
	default:
		return cm_unsupported(
			err, "resources, error-context and fixed-length lists as values");
	}
}

// ---- flat ---------------------------------------------------------------------------------------
//
// A core value stands in the low bits of its slot, so that the coercions between the cases of a variant
// (i64 to i32, i32 to f32, ...) are done by reading no more bits than the type has.

static int lift_flat(const struct cm_cx *cx, const uint64_t *slots, const struct cm_type *type,
	struct cm_val *ret_val, struct we_error *err);

static int lift_flat_record(const struct cm_cx *cx, const uint64_t *slots,
	const struct cm_type *type, struct cm_val *ret_val, struct we_error *err)
{
	struct cm_val *elems;
	int rc = cm_scratch_take(scratch_of(cx), type->n_fields, sizeof(*elems), &elems, err);

	if (rc < 0)
		return rc;
	*ret_val =
		(struct cm_val){.kind = cm_kind_of(type), .n = type->n_fields, .of.elems = elems};
	for (uint32_t i = 0; i < type->n_fields && rc == 0; i++) {
		rc = lift_flat(cx, slots, type->fields[i].type, &elems[i], err);
		slots += type->fields[i].type->n_flat;
	}
	return rc;
}

static int lift_flat_variant(const struct cm_cx *cx, const uint64_t *slots,
	const struct cm_type *type, struct cm_val *ret_val, struct we_error *err)
{
	struct cm_val *payload;
	const int rc = make_variant(cx, (uint32_t)slots[0], type, ret_val, &payload, err);

	if (rc < 0 || !payload)
		return rc;
	return lift_flat(cx, slots + 1, type->fields[ret_val->n].type, payload, err);
}

static int lift_flat(const struct cm_cx *cx, const uint64_t *slots, const struct cm_type *type,
	struct cm_val *ret_val, struct we_error *err)
{
	if (cm_type_is_scalar(type))
		return lift_scalar(type, slots[0], ret_val, err);
	if (cm_type_is_variant(type))
		return lift_flat_variant(cx, slots, type, ret_val, err);
	switch (type->kind) {
	case CM_TYPE_STRING:
		return cm_load_string_from_range(
			cx, (uint32_t)slots[0], (uint32_t)slots[1], ret_val, err);
	case CM_TYPE_LIST:
	case CM_TYPE_MAP:
		return load_list_from_range(
			cx, (uint32_t)slots[0], (uint32_t)slots[1], type, ret_val, err);
	case CM_TYPE_RECORD:
	case CM_TYPE_TUPLE:
		return lift_flat_record(cx, slots, type, ret_val, err);
	case CM_TYPE_STREAM:
	case CM_TYPE_FUTURE:
		return lift_async_value(cx, (uint32_t)slots[0], type, ret_val, err);
	default:
		return cm_unsupported(
			err, "resources, error-context and fixed-length lists as values");
	}
}

// Values that did not fit are in memory at ptr, where a tuple of size and align must fit.
static int check_range(
	const struct cm_cx *cx, uint32_t ptr, uint64_t size, uint32_t align, struct we_error *err)
{
	if (!cm_is_aligned(ptr, align))
		return cm_trap(err, CM_TRAP_UNALIGNED);
	if (!cm_cx_has(cx, ptr, cm_align_to(size, align)))
		return cm_trap(err, CM_TRAP_OUT_OF_BOUNDS);
	return 0;
}

static int load_params(const struct cm_cx *cx, uint32_t ptr, const struct cm_type *func,
	struct cm_val *vals, struct we_error *err)
{
	uint64_t at = ptr;
	uint32_t align;
	const uint64_t size = cm_params_size(func, func->n_fields, &align);
	int rc = check_range(cx, ptr, size, align, err);

	for (uint32_t i = 0; i < func->n_fields && rc == 0; i++) {
		const struct cm_type *type = func->fields[i].type;

		at = cm_align_to(at, type->layout32.align);
		rc = cm_load(cx, (uint32_t)at, type, &vals[i], err);
		at += type->layout32.size;
	}
	return rc;
}

int cm_lift_flat_params(const struct cm_cx *cx, uint32_t max_flat, const uint64_t *slots,
	const struct cm_type *func, struct cm_val *vals, struct we_error *err)
{
	int rc = 0;

	if (cm_params_n_flat(func) > max_flat)
		return load_params(cx, (uint32_t)slots[0], func, vals, err);
	for (uint32_t i = 0; i < func->n_fields && rc == 0; i++) {
		rc = lift_flat(cx, slots, func->fields[i].type, &vals[i], err);
		slots += func->fields[i].type->n_flat;
	}
	return rc;
}

int cm_lift_flat_result(const struct cm_cx *cx, uint32_t max_flat, const uint64_t *slots,
	const struct cm_type *type, struct cm_val *ret_val, struct we_error *err)
{
	int rc;

	if (type->n_flat <= max_flat)
		return lift_flat(cx, slots, type, ret_val, err);
	rc = check_range(cx, (uint32_t)slots[0], type->layout32.size, type->layout32.align, err);
	if (rc < 0)
		return rc;
	return cm_load(cx, (uint32_t)slots[0], type, ret_val, err);
}
