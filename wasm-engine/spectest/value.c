// SPDX-License-Identifier: BSD-3-Clause
// spec_value: see value.h.
#include "value.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CANONICAL_F32 UINT32_C(0x7fc00000)
#define CANONICAL_F64 UINT64_C(0x7ff8000000000000)

static const char *string_of(const json_t *value, const char *key)
{
	const char *text = json_string_value(json_object_get(value, key));

	return text != NULL ? text : "";
}

uint32_t spec_kind_n_slots(enum we_kind kind)
{
	return kind == WE_V128 ? 2 : 1;
}

// A reference of the script is a number; null is something else than number 0.
static uint64_t ref_of(const char *text)
{
	return strtoull(text, NULL, 10) + 1;
}

static void parse_u128(const char *text, uint64_t ret[2])
{
	uint64_t low = 0;
	uint64_t high = 0;

	for (; *text >= '0' && *text <= '9'; text++) { // high:low = high:low * 10 + digit
		const uint64_t low_part = (low & UINT32_MAX) * 10 + (uint64_t)(*text - '0');
		const uint64_t mid_part = (low >> 32) * 10 + (low_part >> 32);

		low = mid_part << 32 | (low_part & UINT32_MAX);
		high = high * 10 + (mid_part >> 32);
	}
	ret[0] = low;
	ret[1] = high;
}

// Bits of a lane; 0 for words. Number of lanes: bytes are 16 / that.
static uint32_t lane_bytes(const char *lane)
{
	const char *x = strchr(lane, 'x');

	return x == NULL ? 16 : 16u / (uint32_t)strtoul(x + 1, NULL, 10);
}

static bool float_matches(const char *pattern, uint32_t bytes, uint64_t bits)
{
	const uint64_t canonical = bytes == 4 ? CANONICAL_F32 : CANONICAL_F64;
	const uint64_t sign = UINT64_C(1) << (bytes * 8 - 1);

	if (strcmp(pattern, "nan:canonical") == 0)
		return (bits & ~sign) == canonical;
	if (strcmp(pattern, "nan:arithmetic") == 0)
		return (bits & canonical) == canonical;
	return strtoull(pattern, NULL, 10) == bits;
}

static bool lanes_match(const json_t *pattern, const uint64_t *slots)
{
	const json_t *lanes = json_object_get(pattern, "value");
	const uint32_t bytes = lane_bytes(string_of(pattern, "lane"));

	if (json_array_size(lanes) * bytes != 16)
		return false;
	for (size_t i = 0; i < json_array_size(lanes); i++) {
		const char *lane = json_string_value(json_array_get(lanes, i));
		uint64_t bits = 0;

		memcpy(&bits, (const uint8_t *)slots + i * bytes, bytes);
		if (lane == NULL || !float_matches(lane, bytes, bits))
			return false;
	}
	return true;
}

static bool v128_matches(const json_t *pattern, const uint64_t *slots)
{
	uint64_t want[2];

	if (json_is_array(json_object_get(pattern, "value")))
		return lanes_match(pattern, slots);
	parse_u128(string_of(pattern, "value"), want);
	return want[0] == slots[0] && want[1] == slots[1];
}

static bool is_ref(enum we_kind kind)
{
	return kind == WE_FUNCREF || kind == WE_EXTERNREF || kind == WE_ANYREF || kind == WE_EXNREF;
}

static bool ref_matches(const struct we_store *store, const json_t *pattern, const char *type,
	enum we_kind kind, uint64_t ref)
{
	static const struct {
		const char *type;
		enum we_refkind kind;
	} rows[] = {
		{"ref.null", WE_REFKIND_NULL},
		{"ref.func", WE_REFKIND_FUNC},
		{"ref.i31", WE_REFKIND_I31},
		{"ref.struct", WE_REFKIND_STRUCT},
		{"ref.array", WE_REFKIND_ARRAY},
		{"ref.exn", WE_REFKIND_EXN},
	};
	const char *number = json_string_value(json_object_get(pattern, "value"));
	enum we_refkind is;

	if (!is_ref(kind))
		return false;
	is = we_ref_kind(store, kind, ref);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		if (strcmp(type, rows[i].type) == 0)
			return is == rows[i].kind;
	}
	if (strcmp(type, "ref.any") == 0)
		return kind == WE_ANYREF && is != WE_REFKIND_NULL;
	if (strcmp(type, "ref.eq") == 0)
		return kind == WE_ANYREF && is != WE_REFKIND_NULL && is != WE_REFKIND_HOST;
	if (strcmp(type, "ref.extern") == 0 && number == NULL)
		return kind == WE_EXTERNREF && is != WE_REFKIND_NULL;
	if (strcmp(type, "ref.extern") == 0 || strcmp(type, "ref.host") == 0)
		return is == WE_REFKIND_HOST && we_ref_host(store, kind, ref) == ref_of(number);
	return false;
}

static bool either_matches(const struct we_store *store, const json_t *patterns, enum we_kind kind,
	const uint64_t *slots)
{
	for (size_t i = 0; i < json_array_size(patterns); i++) {
		if (spec_value_matches(store, json_array_get(patterns, i), kind, slots))
			return true;
	}
	return false;
}

bool spec_value_matches(const struct we_store *store, const json_t *pattern, enum we_kind kind,
	const uint64_t *slots)
{
	const json_t *either = json_object_get(pattern, "either");
	const char *type = string_of(pattern, "type");
	const char *value = string_of(pattern, "value");

	if (either != NULL)
		return either_matches(store, either, kind, slots);
	if (strcmp(type, "i32") == 0)
		return kind == WE_I32 && strtoull(value, NULL, 10) == (uint32_t)slots[0];
	if (strcmp(type, "i64") == 0)
		return kind == WE_I64 && strtoull(value, NULL, 10) == slots[0];
	if (strcmp(type, "f32") == 0)
		return kind == WE_F32 && float_matches(value, 4, (uint32_t)slots[0]);
	if (strcmp(type, "f64") == 0)
		return kind == WE_F64 && float_matches(value, 8, slots[0]);
	if (strcmp(type, "v128") == 0)
		return kind == WE_V128 && v128_matches(pattern, slots);
	return ref_matches(store, pattern, type, kind, slots[0]);
}

uint32_t spec_value_arg(
	struct we_store *store, const json_t *arg, enum we_kind kind, uint64_t *slots)
{
	static const char *const kind_types[] = {
		[WE_I32] = "i32", [WE_I64] = "i64", [WE_F32] = "f32", [WE_F64] = "f64"};
	const char *type = string_of(arg, "type");
	const char *value = string_of(arg, "value");
	struct we_error err;

	if (kind == WE_V128) {
		parse_u128(value, slots);
		return strcmp(type, "v128") == 0 ? 2 : 0;
	}
	if (!is_ref(kind)) {
		slots[0] = strtoull(value, NULL, 10);
		return strcmp(type, kind_types[kind]) == 0 ? 1 : 0;
	}
	if (strcmp(type, "ref.null") == 0)
		slots[0] = 0;
	else if (strcmp(type, "ref.extern") == 0 && kind == WE_EXTERNREF)
		slots[0] = ref_of(value);
	else if (strcmp(type, "ref.host") == 0 && kind == WE_ANYREF)
		return we_ref_from_host(store, ref_of(value), slots, &err) == 0 ? 1 : 0;
	else
		return 0;
	return 1;
}

void spec_value_print(const struct we_store *store, enum we_kind kind, const uint64_t *slots,
	char *buf, size_t cap)
{
	static const char *const ref_names[] = {
		[WE_REFKIND_NULL] = "null",
		[WE_REFKIND_FUNC] = "func",
		[WE_REFKIND_HOST] = "host",
		[WE_REFKIND_I31] = "i31",
		[WE_REFKIND_STRUCT] = "struct",
		[WE_REFKIND_ARRAY] = "array",
		[WE_REFKIND_EXN] = "exn",
	};

	switch (kind) {
	case WE_I32:
		snprintf(buf, cap, "i32:%" PRIu32, (uint32_t)slots[0]);
		return;
	case WE_I64:
		snprintf(buf, cap, "i64:%" PRIu64, slots[0]);
		return;
	case WE_F32:
		snprintf(buf, cap, "f32:0x%08" PRIx32, (uint32_t)slots[0]);
		return;
	case WE_F64:
		snprintf(buf, cap, "f64:0x%016" PRIx64, slots[0]);
		return;
	case WE_V128:
		snprintf(buf, cap, "v128:0x%016" PRIx64 "%016" PRIx64, slots[1], slots[0]);
		return;
	case WE_FUNCREF:
	case WE_EXTERNREF:
	case WE_ANYREF:
	case WE_EXNREF:
		snprintf(buf, cap, "ref.%s", ref_names[we_ref_kind(store, kind, slots[0])]);
		return;
	}
}

void spec_pattern_print(const json_t *pattern, char *buf, size_t cap)
{
	char *text = json_dumps(pattern, JSON_COMPACT);

	snprintf(buf, cap, "%s", text != NULL ? text : "?");
	free(text);
}
