// SPDX-License-Identifier: BSD-3-Clause
// Component values in the host's hands. Module path 6.
#include "value.h"

#include "future.h"
#include "reader.h"
#include "stream.h"
#include "trap.h"

#include <stdlib.h>
#include <string.h>

static_assert((int)CM_BOOL == (int)CM_TYPE_BOOL && (int)CM_STRING == (int)CM_TYPE_STRING,
	"primitives stand in the same order in both enums");

enum cm_kind cm_kind_of(const struct cm_type *type)
{
	switch (type->kind) {
	case CM_TYPE_RECORD:
		return CM_RECORD;
	case CM_TYPE_TUPLE:
		return CM_TUPLE;
	case CM_TYPE_VARIANT:
	case CM_TYPE_ENUM:
	case CM_TYPE_OPTION:
	case CM_TYPE_RESULT:
		return CM_VARIANT;
	case CM_TYPE_FLAGS:
		return CM_FLAGS;
	case CM_TYPE_LIST:
	case CM_TYPE_FIXED_LIST:
		return CM_LIST;
	case CM_TYPE_MAP:
		return CM_MAP;
	case CM_TYPE_OWN:
		return CM_OWN;
	case CM_TYPE_BORROW:
		return CM_BORROW;
	case CM_TYPE_STREAM:
		return CM_STREAM;
	case CM_TYPE_FUTURE:
		return CM_FUTURE;
	case CM_TYPE_ERROR_CONTEXT:
		return CM_ERROR_CONTEXT;
	default:
		assert(type->kind <= CM_TYPE_STRING);
		return (enum cm_kind)type->kind;
	}
}

// Do bits hold a value of a primitive with that many bits?
static bool fits(uint64_t bits, uint32_t n_bits)
{
	return n_bits == 64 || bits >> n_bits == 0;
}

static bool is_scalar(const struct cm_val *val, const struct cm_type *type)
{
	if (type->kind == CM_TYPE_BOOL)
		return val->of.bits <= 1;
	if (type->kind == CM_TYPE_CHAR)
		return cm_is_char(val->of.bits);
	if (type->kind == CM_TYPE_FLAGS)
		return fits(val->of.bits, type->n_fields);
	return fits(val->of.bits, 8 * type->layout32.size);
}

static int expected(const struct cm_type *type, struct we_error *err)
{
	char text[64];

	return we_error_set(err, WE_E_INVALID, 0, "expected a value of type %s",
		cm_type_print(type, text, sizeof(text)));
}

static int check_elems(const struct cm_store *store, const struct cm_val *val,
	const struct cm_type *type, struct we_error *err)
{
	const bool is_fields = type->kind == CM_TYPE_RECORD || type->kind == CM_TYPE_TUPLE;

	if (is_fields && val->n != type->n_fields)
		return expected(type, err);
	if (type->kind == CM_TYPE_FIXED_LIST && val->n != type->length)
		return expected(type, err);
	if (!is_fields && (uint64_t)val->n * type->elem->layout32.size > CM_LIST_BYTES_MAX)
		return expected(type, err);
	for (uint32_t i = 0; i < val->n; i++) {
		const struct cm_type *elem = is_fields ? type->fields[i].type : type->elem;
		const int rc = cm_val_check(store, &val->of.elems[i], elem, err);

		if (rc < 0)
			return rc;
	}
	return 0;
}

static int check_variant(const struct cm_store *store, const struct cm_val *val,
	const struct cm_type *type, struct we_error *err)
{
	const struct cm_type *payload;

	if (val->n >= type->n_fields)
		return expected(type, err);
	payload = type->fields[val->n].type;
	if (!payload)
		return 0;
	if (!val->of.payload)
		return expected(type, err);
	return cm_val_check(store, val->of.payload, payload, err);
}

static bool is_shared(
	const struct cm_store *store, const struct cm_shared *shared, const struct cm_type *type)
{
	return shared && shared->store == store && shared->readable.holder == CM_HELD_HOST &&
	       cm_elem_equal(shared->elem, type->elem);
}

int cm_val_check(const struct cm_store *store, const struct cm_val *val, const struct cm_type *type,
	struct we_error *err)
{
	bool is_good = true;

	if (val->kind != cm_kind_of(type))
		return expected(type, err);
	switch (val->kind) {
	case CM_STRING:
		is_good = val->n <= CM_STRING_BYTES_MAX &&
			  we_utf8_is_valid((const uint8_t *)val->of.string, val->n);
		break;
	case CM_LIST:
	case CM_RECORD:
	case CM_TUPLE:
	case CM_MAP:
		return check_elems(store, val, type, err);
	case CM_VARIANT:
		return check_variant(store, val, type, err);
	case CM_STREAM:
		is_good = is_shared(store, val->of.stream ? &val->of.stream->shared : NULL, type);
		break;
	case CM_FUTURE:
		is_good = is_shared(store, val->of.future ? &val->of.future->shared : NULL, type);
		break;
	case CM_OWN:
	case CM_BORROW:
	case CM_ERROR_CONTEXT:
		return cm_unsupported(err, "resources and error-context as values");
	default:
		is_good = is_scalar(val, type);
		break;
	}
	return is_good ? 0 : expected(type, err);
}

bool cm_val_equal(const struct cm_val *a, const struct cm_val *b)
{
	if (a->kind != b->kind || a->n != b->n)
		return false;
	switch (a->kind) {
	case CM_STRING:
		return a->n == 0 || memcmp(a->of.string, b->of.string, a->n) == 0;
	case CM_LIST:
	case CM_RECORD:
	case CM_TUPLE:
	case CM_MAP:
		for (uint32_t i = 0; i < a->n; i++) {
			if (!cm_val_equal(&a->of.elems[i], &b->of.elems[i]))
				return false;
		}
		return true;
	case CM_VARIANT:
		if (!a->of.payload || !b->of.payload)
			return !a->of.payload && !b->of.payload;
		return cm_val_equal(a->of.payload, b->of.payload);
	default:
		return a->of.bits == b->of.bits;
	}
}

// ---- copies -------------------------------------------------------------------------------------

static bool has_elems(const struct cm_val *val)
{
	return val->kind == CM_LIST || val->kind == CM_RECORD || val->kind == CM_TUPLE ||
	       val->kind == CM_MAP;
}

// Bytes for what stands below the values, strings rounded up so that all stays aligned.
static uint64_t bytes_below(const struct cm_val *vals, uint32_t n)
{
	uint64_t bytes = 0;

	for (uint32_t i = 0; i < n; i++) {
		const struct cm_val *val = &vals[i];

		if (val->kind == CM_STRING)
			bytes +=
				((uint64_t)val->n + sizeof(*val) - 1) / sizeof(*val) * sizeof(*val);
		else if (has_elems(val))
			bytes += val->n * sizeof(*val) + bytes_below(val->of.elems, val->n);
		else if (val->kind == CM_VARIANT && val->of.payload)
			bytes += sizeof(*val) + bytes_below(val->of.payload, 1);
	}
	return bytes;
}

// Copy n values to dst, and what is below them to *at on.
static void copy_to(struct cm_val *dst, const struct cm_val *vals, uint32_t n, struct cm_val **at)
{
	for (uint32_t i = 0; i < n; i++) {
		const struct cm_val *val = &vals[i];
		struct cm_val *below = *at;

		dst[i] = *val;
		if (val->kind == CM_STRING) {
			memcpy(below, val->of.string, val->n);
			dst[i].of.string = (const char *)below;
			*at += (val->n + sizeof(*val) - 1) / sizeof(*val);
		} else if (has_elems(val)) {
			*at += val->n;
			copy_to(below, val->of.elems, val->n, at);
			dst[i].of.elems = below;
		} else if (val->kind == CM_VARIANT && val->of.payload) {
			*at += 1;
			copy_to(below, val->of.payload, 1, at);
			dst[i].of.payload = below;
		}
	}
}

int cm_vals_copy(const struct cm_val *vals, uint32_t n, uint64_t max_bytes,
	struct cm_val **ret_vals, struct we_error *err)
{
	const uint64_t bytes = n * sizeof(*vals) + bytes_below(vals, n);
	struct cm_val *copy;
	struct cm_val *at;

	*ret_vals = NULL;
	if (n == 0)
		return 0;
	if (bytes > max_bytes)
		return cm_exhausted(err, "bytes of values", max_bytes);
	copy = malloc(bytes);
	if (!copy)
		return cm_nomem(err);
	at = copy + n;
	copy_to(copy, vals, n, &at);
	*ret_vals = copy;
	return 0;
}
