// SPDX-License-Identifier: BSD-3-Clause
// decode_canon: canonical definitions, the built-ins by canon.def.
//
// Module path 5/6.
// Spec: Binary.md "Canonical Definitions".
#include "decoder.h"
#include "limits.h"

static void count(uint8_t *n)
{
	if (*n < UINT8_MAX)
		(*n)++;
}

static int decode_canonopts(struct we_reader *r, struct cm_syntax_item *ret)
{
	struct cm_canon_opts *opts = &ret->of.canon.opts;
	uint8_t byte = 0;
	uint32_t n = 0;
	int rc;

	rc = cm_decode_count(r, 1, CM_MAX_ITEMS, "canonical options", &n);
	for (uint32_t i = 0; rc == 0 && i < n; i++) {
		rc = we_reader_u8(r, &byte);
		if (rc < 0)
			return rc;
		switch (byte) {
		case 0x00:
		case 0x01:
		case 0x02:
			count(&ret->of.canon.n_encoding);
			opts->encoding = (enum cm_encoding)byte;
			break;
		case 0x03:
			count(&ret->of.canon.n_memory);
			rc = we_reader_u32(r, &opts->memory_idx);
			break;
		case 0x04:
			count(&ret->of.canon.n_realloc);
			rc = we_reader_u32(r, &opts->realloc_idx);
			break;
		case 0x05:
			count(&ret->of.canon.n_post_return);
			rc = we_reader_u32(r, &opts->post_return_idx);
			break;
		case 0x06:
			count(&ret->of.canon.n_async);
			opts->is_async = true;
			break;
		case 0x07:
			count(&ret->of.canon.n_callback);
			rc = we_reader_u32(r, &opts->callback_idx);
			break;
		default:
			return cm_decode_bad_byte(r, byte, "canonical option");
		}
	}
	return rc;
}

static int decode_flag(struct we_reader *r, bool *ret_is)
{
	uint8_t byte = 0;
	int rc;

	rc = we_reader_u8(r, &byte);
	if (rc < 0)
		return rc;
	if (byte > 1)
		return we_error_set(r->err, WE_E_MALFORMED, we_reader_offset(r) - 1,
			"invalid boolean value (0x%x)", byte);
	*ret_is = byte == 1;
	return 0;
}

static int decode_slot(struct we_reader *r, struct cm_syntax_item *ret)
{
	uint8_t type = 0;
	int rc;

	rc = we_reader_u8(r, &type);
	if (rc == 0 && type != 0x7f && type != 0x7e)
		rc = cm_decode_bad_byte(r, type, "core value type of a context slot");
	ret->of.canon.is_slot_i32 = type == 0x7f;
	return rc < 0 ? rc : we_reader_u32(r, &ret->of.canon.slot);
}

// The immediates of canon.def, one function each, so that a new word there does not compile without one.
#define IMMEDIATES(NAME)                                                                           \
	static int immediates_##NAME(struct we_reader *r, struct cm_syntax_item *ret)

IMMEDIATES(NONE)
{
	(void)r;
	(void)ret;
	return 0;
}

IMMEDIATES(OPTS)
{
	return decode_canonopts(r, ret);
}

IMMEDIATES(RESULT_OPTS)
{
	const int rc = cm_decode_resultlist(r, &ret->of.canon.result);

	return rc < 0 ? rc : decode_canonopts(r, ret);
}

IMMEDIATES(SLOT)
{
	return decode_slot(r, ret);
}

IMMEDIATES(ASYNC)
{
	return decode_flag(r, &ret->of.canon.is_async);
}

IMMEDIATES(CANCEL)
{
	return decode_flag(r, &ret->of.canon.is_cancellable);
}

IMMEDIATES(CANCEL_MEMORY)
{
	const int rc = decode_flag(r, &ret->of.canon.is_cancellable);

	count(&ret->of.canon.n_memory);
	return rc < 0 ? rc : we_reader_u32(r, &ret->of.canon.opts.memory_idx);
}

IMMEDIATES(STREAM)
{
	return we_reader_u32(r, &ret->of.canon.idx);
}

IMMEDIATES(STREAM_OPTS)
{
	const int rc = we_reader_u32(r, &ret->of.canon.idx);

	return rc < 0 ? rc : decode_canonopts(r, ret);
}

IMMEDIATES(STREAM_ASYNC)
{
	const int rc = we_reader_u32(r, &ret->of.canon.idx);

	return rc < 0 ? rc : decode_flag(r, &ret->of.canon.is_async);
}

IMMEDIATES(START)
{
	const int rc = we_reader_u32(r, &ret->of.canon.core_type_idx);

	return rc < 0 ? rc : we_reader_u32(r, &ret->of.canon.core_table_idx);
}

IMMEDIATES(SHARED)
{
	return decode_flag(r, &ret->of.canon.is_shared);
}

IMMEDIATES(SHARED_TYPE)
{
	const int rc = decode_flag(r, &ret->of.canon.is_shared);

	return rc < 0 ? rc : we_reader_u32(r, &ret->of.canon.core_type_idx);
}

IMMEDIATES(SHARED_START)
{
	const int rc = decode_flag(r, &ret->of.canon.is_shared);

	return rc < 0 ? rc : immediates_START(r, ret);
}

#undef IMMEDIATES
#define immediates_RESOURCE     immediates_STREAM
#define immediates_FUTURE       immediates_STREAM
#define immediates_FUTURE_OPTS  immediates_STREAM_OPTS
#define immediates_FUTURE_ASYNC immediates_STREAM_ASYNC

typedef int (*immediates_fn)(struct we_reader *r, struct cm_syntax_item *ret);

static const struct {
	uint8_t code;
	immediates_fn immediates;
} builtins[CM_CANON_N] = {
#define CM_CANON(code, NAME, text, gate, immediates, params, results, handler)                     \
	{code, immediates_##immediates},
#include "../canon/canon.def"
#undef CM_CANON
};

int cm_decode_canon(struct decoder *d, struct we_reader *r, struct cm_syntax_item *ret)
{
	uint8_t byte = 0;
	int rc;

	(void)d;
	ret->of.canon.opts = (struct cm_canon_opts){
		.memory_idx = CM_NO_IDX,
		.realloc_idx = CM_NO_IDX,
		.post_return_idx = CM_NO_IDX,
		.callback_idx = CM_NO_IDX,
	};
	rc = we_reader_u8(r, &byte);
	if (rc < 0)
		return rc;
	if (byte <= 0x01) {
		ret->kind = byte == 0x00 ? CM_ITEM_LIFT : CM_ITEM_LOWER;
		rc = cm_decode_zero(
			r, byte == 0x00 ? "canonical function lift" : "canonical function lower");
		if (rc == 0)
			rc = we_reader_u32(r, &ret->of.canon.idx);
		if (rc == 0)
			rc = decode_canonopts(r, ret);
		return rc < 0 || byte == 0x01 ? rc : we_reader_u32(r, &ret->of.canon.type_idx);
	}
	ret->kind = CM_ITEM_CANON;
	for (uint32_t op = 0; op < CM_CANON_N; op++) {
		if (builtins[op].code != byte)
			continue;
		ret->of.canon.op = (enum cm_canon)op;
		return builtins[op].immediates(r, ret);
	}
	return cm_decode_bad_byte(r, byte, "canonical function");
}
