// SPDX-License-Identifier: BSD-3-Clause
// decode_core: core types inside a component.
//
// Module path 5/6. Core types are not decoded here: wasm-engine does that when a module type is checked.
// Only where they end is found.
// Spec: Binary.md "Type Definitions" (core:deftype).
#include "decoder.h"
#include "limits.h"

static int skip_core_heaptype(struct we_reader *r)
{
	int64_t type = 0;

	return we_reader_s33(r, &type);
}

static int skip_core_valtype(struct we_reader *r)
{
	uint8_t byte = 0;
	int rc;

	rc = we_reader_u8(r, &byte);
	if (rc < 0)
		return rc;
	if (byte == 0x63 || byte == 0x64)
		return skip_core_heaptype(r);
	if ((byte >= 0x7b && byte <= 0x7f) || (byte >= 0x69 && byte <= 0x74))
		return 0;
	return cm_decode_bad_byte(r, byte, "core value type");
}

static int skip_core_fieldtype(struct we_reader *r)
{
	bool is_mut;
	int rc;

	if (!we_reader_at_end(r) && (*r->at == 0x77 || *r->at == 0x78)) {
		uint8_t packed;

		rc = we_reader_u8(r, &packed);
	} else {
		rc = skip_core_valtype(r);
	}
	return rc < 0 ? rc : cm_decode_bool(r, "core mutability", &is_mut);
}

static int skip_core_comptype(struct we_reader *r)
{
	uint8_t byte = 0;
	uint32_t n = 0;
	int rc;

	rc = we_reader_u8(r, &byte);
	if (rc < 0)
		return rc;
	switch (byte) {
	case 0x60:
		for (int list = 0; list < 2; list++) { // parameters, results
			rc = cm_decode_count(r, 1, CM_MAX_ITEMS, "core value types", &n);
			for (uint32_t i = 0; rc == 0 && i < n; i++)
				rc = skip_core_valtype(r);
			if (rc < 0)
				return rc;
		}
		return 0;
	case 0x5f:
		rc = cm_decode_count(r, 2, CM_MAX_ITEMS, "core fields", &n);
		for (uint32_t i = 0; rc == 0 && i < n; i++)
			rc = skip_core_fieldtype(r);
		return rc;
	case 0x5e:
		return skip_core_fieldtype(r);
	default:
		return cm_decode_bad_byte(r, byte, "type definition");
	}
}

static int skip_core_subtype(struct we_reader *r)
{
	uint32_t n = 0;
	uint32_t super = 0;
	uint8_t prefix;
	int rc;

	if (we_reader_at_end(r) || (*r->at != 0x50 && *r->at != 0x4f))
		return skip_core_comptype(r);
	rc = we_reader_u8(r, &prefix);
	if (rc == 0)
		rc = cm_decode_count(r, 1, CM_MAX_ITEMS, "core supertypes", &n);
	for (uint32_t i = 0; rc == 0 && i < n; i++)
		rc = we_reader_u32(r, &super);
	return rc < 0 ? rc : skip_core_comptype(r);
}

static int skip_core_rectype(struct we_reader *r)
{
	uint32_t n = 0;
	uint8_t prefix;
	int rc;

	if (we_reader_at_end(r) || *r->at != 0x4e)
		return skip_core_subtype(r);
	rc = we_reader_u8(r, &prefix);
	if (rc == 0)
		rc = cm_decode_count(r, 3, CM_MAX_ITEMS, "core types", &n);
	for (uint32_t i = 0; rc == 0 && i < n; i++)
		rc = skip_core_subtype(r);
	return rc;
}

static int skip_core_limits(struct we_reader *r)
{
	uint8_t flags = 0;
	uint64_t bound = 0;
	int rc;

	rc = we_reader_u8(r, &flags);
	if (rc < 0)
		return rc;
	if (flags > 0x07)
		return cm_decode_bad_byte(r, flags, "core limits");
	rc = we_reader_u64(r, &bound);
	if (rc == 0 && (flags & 1) != 0)
		rc = we_reader_u64(r, &bound);
	return rc;
}

static int skip_core_externtype(struct we_reader *r)
{
	uint8_t byte = 0;
	uint32_t idx = 0;
	bool is_mut;
	int rc;

	rc = we_reader_u8(r, &byte);
	if (rc < 0)
		return rc;
	switch (byte) {
	case 0x00:
		return we_reader_u32(r, &idx);
	case 0x01:
		rc = skip_core_valtype(r);
		return rc < 0 ? rc : skip_core_limits(r);
	case 0x02:
		return skip_core_limits(r);
	case 0x03:
		rc = skip_core_valtype(r);
		return rc < 0 ? rc : cm_decode_bool(r, "core mutability", &is_mut);
	case 0x04:
		rc = cm_decode_zero(r, "core tag attribute");
		return rc < 0 ? rc : we_reader_u32(r, &idx);
	default:
		return cm_decode_bad_byte(r, byte, "core external kind");
	}
}

static struct we_bytes bytes_between(const uint8_t *from, const struct we_reader *r)
{
	return (struct we_bytes){from, (size_t)(r->at - from)};
}

static int decode_core_moduledecl(
	struct decoder *d, struct we_reader *r, struct cm_syntax_moduledecl *ret)
{
	uint8_t byte = 0;
	const uint8_t *from;
	int rc;

	ret->offset = we_reader_offset(r);
	rc = we_reader_u8(r, &byte);
	if (rc < 0)
		return rc;
	switch (byte) {
	case 0x00:
		ret->kind = CM_MODULEDECL_IMPORT;
		rc = cm_decode_name(d, r, &ret->module);
		break;
	case 0x01: {
		struct cm_syntax_coretype type = {0};

		ret->kind = CM_MODULEDECL_TYPE;
		rc = cm_decode_core_type(d, r, &type);
		ret->is_module = type.is_module;
		ret->type = type.rectype;
		return rc;
	}
	case 0x02:
		ret->kind = CM_MODULEDECL_ALIAS;
		rc = we_reader_u8(r, &byte);
		if (rc == 0 && byte != 0x10)
			rc = cm_decode_bad_byte(r, byte, "outer alias kind");
		if (rc == 0)
			rc = we_reader_u8(r, &byte);
		if (rc == 0 && byte != 0x01)
			rc = cm_decode_bad_byte(r, byte, "outer alias target");
		if (rc == 0)
			rc = we_reader_u32(r, &ret->n_out);
		return rc < 0 ? rc : we_reader_u32(r, &ret->idx);
	case 0x03:
		ret->kind = CM_MODULEDECL_EXPORT;
		break;
	default:
		return cm_decode_bad_byte(r, byte, "type definition");
	}
	if (rc == 0)
		rc = cm_decode_name(d, r, &ret->name);
	if (rc < 0)
		return rc;
	from = r->at;
	rc = skip_core_externtype(r);
	ret->type = bytes_between(from, r);
	return rc;
}

// core:deftype
int cm_decode_core_type(struct decoder *d, struct we_reader *r, struct cm_syntax_coretype *ret)
{
	struct cm_syntax_moduledecl *decls = NULL;
	const uint8_t *from = r->at;
	uint8_t prefix;
	uint32_t n = 0;
	int rc;

	if (we_reader_at_end(r) || *r->at != 0x50) {
		// 0x00 0x50 stands for a non-final sub, since 0x50 alone opens a module type.
		if (we_reader_left(r) >= 2 && r->at[0] == 0x00 && r->at[1] == 0x50) {
			rc = we_reader_u8(r, &prefix);
			if (rc < 0)
				return rc;
			from = r->at;
		}
		rc = skip_core_rectype(r);
		ret->rectype = bytes_between(from, r);
		return rc;
	}
	if (d->nesting == CM_MAX_NESTING)
		return we_error_set(d->err, WE_E_INVALID, we_reader_offset(r),
			"types are nested more than %d deep", CM_MAX_NESTING);
	rc = we_reader_u8(r, &prefix);
	if (rc == 0)
		rc = cm_decode_array(d, r, 2, sizeof(*decls), "module declarations", &decls, &n);
	if (rc < 0)
		return rc;
	d->nesting++;
	for (uint32_t i = 0; rc == 0 && i < n; i++)
		rc = decode_core_moduledecl(d, r, &decls[i]);
	d->nesting--;
	ret->is_module = true;
	ret->decls = decls;
	ret->n_decls = n;
	return rc;
}
