// SPDX-License-Identifier: BSD-3-Clause
// name: see name.h.
#include "name.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static bool is_lower(char c)
{
	return c >= 'a' && c <= 'z';
}

static bool is_upper(char c)
{
	return c >= 'A' && c <= 'Z';
}

static char to_lower(char c)
{
	return is_upper(c) ? (char)(c - 'A' + 'a') : c;
}

// word, acronym: no letter of the other case. The first fragment begins with a letter.
static bool is_fragment(const char *text, size_t len, bool is_first, bool may_be_acronym)
{
	bool has_lower = false;
	bool has_upper = false;

	if (len == 0 || (is_first && is_digit(text[0])))
		return false;
	for (size_t i = 0; i < len; i++) {
		has_lower |= is_lower(text[i]);
		has_upper |= is_upper(text[i]);
		if (!is_lower(text[i]) && !is_upper(text[i]) && !is_digit(text[i]))
			return false;
	}
	return !(has_lower && has_upper) && (may_be_acronym || !has_upper);
}

static bool is_fragments(struct cm_name name, bool may_be_acronym)
{
	size_t from = 0;

	for (size_t at = 0; at <= name.len; at++) {
		if (at < name.len && name.text[at] != '-')
			continue;
		if (!is_fragment(name.text + from, at - from, from == 0, may_be_acronym))
			return false;
		from = at + 1;
	}
	return true;
}

bool cm_name_is_label(struct cm_name name)
{
	return is_fragments(name, true);
}

// ---- versions -----------------------------------------------------------------------------------

// A number without leading zeros that fits into 64 bits. Returns its length, 0 when there is none.
static size_t semver_number(const char *text, size_t len)
{
	uint64_t value = 0;
	size_t n = 0;

	while (n < len && is_digit(text[n])) {
		if (__builtin_mul_overflow(value, (uint64_t)10, &value) ||
			__builtin_add_overflow(value, (uint64_t)(text[n] - '0'), &value))
			return 0;
		n++;
	}
	return n > 1 && text[0] == '0' ? 0 : n;
}

// Identifiers joined by dots, as after '-' and '+'. Returns how much of text they take, 0 when they are wrong.
static size_t semver_identifiers(const char *text, size_t len, bool is_pre)
{
	size_t from = 0;
	size_t at = 0;

	for (;; at++) {
		bool is_number = true;

		if (at < len &&
			(is_digit(text[at]) || is_lower(to_lower(text[at])) || text[at] == '-'))
			continue;
		for (size_t i = from; i < at; i++)
			is_number &= is_digit(text[i]);
		if (at == from || (is_pre && is_number && at - from > 1 && text[from] == '0'))
			return 0;
		if (at == len || text[at] != '.')
			return at;
		from = at + 1;
	}
}

// major[.minor[.patch]]. Returns how many numbers there are; 0 when they are wrong.
static int semver_core(struct cm_name version, size_t *ret_len)
{
	size_t at = 0;

	for (int n = 1; n <= 3; n++) {
		const size_t len = semver_number(version.text + at, version.len - at);

		if (len == 0)
			return 0;
		at += len;
		*ret_len = at;
		if (n == 3 || at == version.len || version.text[at] != '.')
			return n;
		at++;
	}
	return 0;
}

bool cm_name_is_semver(struct cm_name version)
{
	size_t at = 0;

	if (semver_core(version, &at) != 3)
		return false;
	for (int part = 0; part < 2; part++) {
		size_t len;

		if (at == version.len || version.text[at] != (part == 0 ? '-' : '+'))
			continue;
		len = semver_identifiers(version.text + at + 1, version.len - at - 1, part == 0);
		if (len == 0)
			return false;
		at += 1 + len;
	}
	return at == version.len;
}

// canonversion: up to the first number that is not zero.
static bool is_canonical_version(struct cm_name version)
{
	static const struct cm_name zero = {"0.0.0", 5};
	size_t at = 0;
	const int n = semver_core(version, &at);

	if (n == 0 || at != version.len)
		return false;
	if (version.len == zero.len && memcmp(version.text, zero.text, zero.len) == 0)
		return true;
	for (int i = 0; i < n - 1; i++)
		if (version.text[2 * i] != '0' || version.text[2 * i + 1] != '.')
			return false;
	return version.text[2 * (n - 1)] != '0';
}

// ---- import and export names --------------------------------------------------------------------

static int refuse(char *why, size_t cap, const char *fmt, ...) WE_PRINTF(3, 4);

static int refuse(char *why, size_t cap, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(why, cap, fmt, ap);
	va_end(ap);
	return 1;
}

static int refuse_label(struct cm_name label, char *why, size_t cap)
{
	return refuse(why, cap, "`%.*s` is not in kebab case", (int)label.len, label.text);
}

// The part of name before the first c, and what follows c. Returns: is there one?
static bool split(struct cm_name name, char c, struct cm_name *ret_head, struct cm_name *ret_tail)
{
	const char *at = name.len == 0 ? NULL : memchr(name.text, c, name.len);
	const uint32_t len = at == NULL ? name.len : (uint32_t)(at - name.text);

	*ret_head = (struct cm_name){name.text, len};
	*ret_tail = at == NULL ? (struct cm_name){name.text + name.len, 0}
			       : (struct cm_name){at + 1, name.len - len - 1};
	return at != NULL;
}

static int parse_version(struct cm_name version, struct cm_externname *ret, char *why, size_t cap)
{
	ret->version = version;
	if (cm_name_is_semver(version))
		return 0;
	ret->has_canonical_version = is_canonical_version(version);
	if (ret->has_canonical_version)
		return 0;
	if (version.len == 0)
		return refuse(why, cap, "empty string is not a version");
	return refuse(why, cap, "`%.*s` is not a version: unexpected character or end of input",
		(int)version.len, version.text);
}

// namespace+ words projection+ version?
static int parse_interface(struct cm_name name, struct cm_externname *ret, char *why, size_t cap)
{
	struct cm_name rest = name;
	struct cm_name head = {0};
	struct cm_name tail = {0};
	struct cm_name path;
	uint32_t n = 0;

	ret->kind = CM_NAME_INTERFACE;
	if (split(name, '@', &rest, &tail) && parse_version(tail, ret, why, cap) != 0)
		return 1;
	if (!split(rest, '/', &ret->package, &path))
		return refuse(why, cap, "expected `/` after package name");
	for (bool more = true; more; n++) { // namespaces and the package
		more = split(n == 0 ? ret->package : tail, ':', &head, &tail);
		if (!is_fragments(head, false))
			return refuse_label(head, why, cap);
	}
	ret->is_nested = n > 2;
	tail = path;
	for (bool more = true; more;) { // projections
		more = split(tail, '/', &ret->interface, &tail);
		ret->is_nested |= more;
		if (!cm_name_is_label(ret->interface))
			return refuse_label(ret->interface, why, cap);
	}
	return 0;
}

static bool begins_with(struct cm_name name, const char *prefix, struct cm_name *ret_rest)
{
	const uint32_t len = (uint32_t)strlen(prefix);

	if (name.len < len || memcmp(name.text, prefix, len) != 0)
		return false;
	*ret_rest = (struct cm_name){name.text + len, name.len - len};
	return true;
}

static int parse_member(struct cm_name rest, struct cm_externname *ret, char *why, size_t cap)
{
	if (!split(rest, '.', &ret->resource, &ret->label))
		return refuse(why, cap, "failed to find `.` character");
	if (!cm_name_is_label(ret->resource))
		return refuse_label(ret->resource, why, cap);
	return cm_name_is_label(ret->label) ? 0 : refuse_label(ret->label, why, cap);
}

int cm_name_parse(struct cm_name name, struct cm_externname *ret, char *why, size_t cap)
{
	struct cm_name rest = {0};

	*ret = (struct cm_externname){.kind = CM_NAME_LABEL};
	if (begins_with(name, "[constructor]", &ret->resource)) {
		ret->kind = CM_NAME_CONSTRUCTOR;
		return cm_name_is_label(ret->resource) ? 0 : refuse_label(ret->resource, why, cap);
	}
	if (begins_with(name, "[method]", &rest)) {
		ret->kind = CM_NAME_METHOD;
		return parse_member(rest, ret, why, cap);
	}
	if (begins_with(name, "[static]", &rest)) {
		ret->kind = CM_NAME_STATIC;
		return parse_member(rest, ret, why, cap);
	}
	if (name.len > 0 && memchr(name.text, ':', name.len) != NULL)
		return parse_interface(name, ret, why, cap);
	return cm_name_is_label(name) ? 0 : refuse_label(name, why, cap);
}

// ---- uniqueness ---------------------------------------------------------------------------------

// What remains of a name when only that counts which makes it unique; still in the letters it came with.
// Spec: Explainer.md "Name Uniqueness", steps 1.2 and 1.3.
static struct cm_name canonical(struct cm_name name)
{
	struct cm_name rest = name;
	struct cm_name resource;
	struct cm_name label;

	if (!begins_with(name, "[method]", &rest) && !begins_with(name, "[static]", &rest))
		return name;
	if (!split(rest, '.', &resource, &label) || resource.len != label.len)
		return rest;
	for (uint32_t i = 0; i < label.len; i++)
		if (to_lower(resource.text[i]) != to_lower(label.text[i]))
			return rest;
	return label;
}

// FNV-1a, begun with where the set lies: nobody can prepare names that collide.
static uint32_t hash_of(const struct cm_name_set *set, struct cm_name name)
{
	uint32_t hash = 2166136261 ^ (uint32_t)((uintptr_t)set >> 4);

	for (uint32_t i = 0; i < name.len; i++)
		hash = (hash ^ (uint8_t)to_lower(name.text[i])) * 16777619;
	return hash ^ hash >> 15;
}

static bool equal(struct cm_name a, struct cm_name b, bool is_exact)
{
	if (a.len != b.len)
		return false;
	for (uint32_t i = 0; i < a.len; i++)
		if (is_exact ? a.text[i] != b.text[i] : to_lower(a.text[i]) != to_lower(b.text[i]))
			return false;
	return true;
}

void cm_name_set_fini(struct cm_name_set *set)
{
	we_vec_fini(&set->names);
	free(set->slots);
	*set = (struct cm_name_set){0};
}

static int set_grow(struct cm_name_set *set, bool is_exact)
{
	const uint32_t cap = set->cap == 0 ? 16 : set->cap * 2;
	uint32_t *slots = calloc(cap, sizeof(*slots));
	const struct cm_name *names = set->names.data;

	if (slots == NULL)
		return WE_E_NOMEM;
	for (uint32_t i = 0; i < set->names.len; i++) {
		uint32_t at = hash_of(set, is_exact ? names[i] : canonical(names[i])) & (cap - 1);

		while (slots[at] != 0)
			at = (at + 1) & (cap - 1);
		slots[at] = i + 1;
	}
	free(set->slots);
	set->slots = slots;
	set->cap = cap;
	return 0;
}

static int set_add(
	struct cm_name_set *set, struct cm_name name, bool is_exact, struct cm_name *ret_earlier)
{
	const struct cm_name key = is_exact ? name : canonical(name);
	struct cm_name *names;
	uint32_t at;

	if (set->names.len >= set->cap / 2 && set_grow(set, is_exact) < 0)
		return WE_E_NOMEM;
	names = set->names.data;
	for (at = hash_of(set, key) & (set->cap - 1); set->slots[at] != 0;
		at = (at + 1) & (set->cap - 1)) {
		const struct cm_name earlier = names[set->slots[at] - 1];

		if (equal(is_exact ? earlier : canonical(earlier), key, is_exact)) {
			*ret_earlier = earlier;
			return CM_NAME_TAKEN;
		}
	}
	names = we_vec_add(&set->names, sizeof(*names));
	if (names == NULL)
		return WE_E_NOMEM;
	*names = name;
	set->slots[at] = (uint32_t)set->names.len;
	return 0;
}

int cm_name_set_add(struct cm_name_set *set, struct cm_name name, struct cm_name *ret_earlier)
{
	return set_add(set, name, false, ret_earlier);
}

int cm_name_set_add_exact(struct cm_name_set *set, struct cm_name name, struct cm_name *ret_earlier)
{
	return set_add(set, name, true, ret_earlier);
}

bool cm_name_set_has_exact(const struct cm_name_set *set, struct cm_name name)
{
	const struct cm_name *names = set->names.data;

	if (set->cap == 0)
		return false;
	for (uint32_t at = hash_of(set, name) & (set->cap - 1); set->slots[at] != 0;
		at = (at + 1) & (set->cap - 1))
		if (equal(names[set->slots[at] - 1], name, true))
			return true;
	return false;
}
