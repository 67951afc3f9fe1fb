// SPDX-License-Identifier: BSD-3-Clause
// type_match: see type_match.h.
#include "type_match.h"

#include "limits.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

enum {
	DIFFERS = CM_TYPE_DIFFERS
};

void cm_matcher_init(struct cm_matcher *m, uint32_t steps, char *detail, size_t cap)
{
	*m = (struct cm_matcher){.steps = steps, .detail = detail, .cap = cap};
	if (cap > 0)
		detail[0] = '\0';
}

void cm_matcher_fini(struct cm_matcher *m)
{
	we_vec_fini(&m->bindings);
}

// ---- what differs -------------------------------------------------------------------------------

static int differs(struct cm_matcher *m, const char *fmt, ...) WE_PRINTF(2, 3);

static int differs(struct cm_matcher *m, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	if (m->cap > 0)
		vsnprintf(m->detail, m->cap, fmt, ap);
	va_end(ap);
	return DIFFERS;
}

// Say in front of the detail where it was found.
static int differs_at(struct cm_matcher *m, int rc, const char *what, struct cm_name name)
{
	char place[80];
	size_t used;
	size_t rest;

	if (rc != DIFFERS || m->cap == 0)
		return rc;
	snprintf(place, sizeof(place), "%s%.*s: ", what, (int)(name.len < 60 ? name.len : 60),
		name.text == NULL ? "" : name.text);
	used = strlen(place);
	if (used >= m->cap)
		return rc;
	rest = strnlen(m->detail, m->cap - 1 - used);
	memmove(m->detail + used, m->detail, rest);
	memcpy(m->detail, place, used);
	m->detail[used + rest] = '\0';
	return rc;
}

static int differs_types(
	struct cm_matcher *m, const struct cm_type *have, const struct cm_type *want)
{
	char have_text[200];
	char want_text[200];

	if (m->cap == 0)
		return DIFFERS;
	return differs(m, "expected %s, found %s",
		cm_type_print(want, want_text, sizeof(want_text)),
		cm_type_print(have, have_text, sizeof(have_text)));
}

// One step of work. Returns: 0; INVALID when there have been too many.
static int step(struct cm_matcher *m)
{
	if (m->steps == 0)
		return WE_E_INVALID;
	m->steps--;
	return 0;
}

static bool names_equal(struct cm_name a, struct cm_name b)
{
	return a.len == b.len && (a.len == 0 || memcmp(a.text, b.text, a.len) == 0);
}

// ---- bindings -----------------------------------------------------------------------------------

static struct cm_binding *find_binding(const struct cm_matcher *m, const struct cm_type *root)
{
	struct cm_binding *bindings = m->bindings.data;

	for (size_t i = m->bindings.len; i > 0; i--)
		if (bindings[i - 1].variable == root)
			return &bindings[i - 1];
	return NULL;
}

int cm_matcher_introduce(struct cm_matcher *m, const struct cm_type *const *variables, uint32_t n)
{
	for (uint32_t i = 0; i < n; i++) {
		struct cm_binding *binding = we_vec_add(&m->bindings, sizeof(*binding));

		if (binding == NULL)
			return WE_E_NOMEM;
		binding->variable = variables[i];
	}
	return 0;
}

// Introduce variables that stand for themselves: what a nested component is generic in.
static int introduce_opaque(
	struct cm_matcher *m, const struct cm_type *const *variables, uint32_t n)
{
	const size_t first = m->bindings.len;
	const int rc = cm_matcher_introduce(m, variables, n);
	struct cm_binding *bindings = m->bindings.data;

	if (rc < 0)
		return rc;
	for (uint32_t i = 0; i < n; i++)
		bindings[first + i].to = variables[i];
	return 0;
}

const struct cm_type *cm_matcher_bound(const struct cm_matcher *m, const struct cm_type *variable)
{
	const struct cm_binding *binding = find_binding(m, cm_type_root(variable));

	return binding == NULL ? NULL : binding->to;
}

static const struct cm_type *resolve(const struct cm_matcher *m, const struct cm_type *resource)
{
	const struct cm_type *root = cm_type_root(resource);
	const struct cm_binding *binding = find_binding(m, root);

	return binding == NULL || binding->to == NULL ? root : cm_type_root(binding->to);
}

static int match_resource(
	struct cm_matcher *m, const struct cm_type *have, const struct cm_type *want)
{
	if (m->bindings.len / 8 >= m->steps) // the search below is work, too
		return WE_E_INVALID;
	m->steps -= (uint32_t)(m->bindings.len / 8);
	if (resolve(m, have) != resolve(m, want))
		return differs(m, "resource types are not the same");
	return 0;
}

// ---- value and function types -------------------------------------------------------------------

static int match_opt(struct cm_matcher *m, const struct cm_type *have, const struct cm_type *want)
{
	if (have == NULL && want == NULL)
		return 0;
	if (have == NULL)
		return differs(m, "expected a type, found none");
	if (want == NULL)
		return differs(m, "expected no type, found one");
	return cm_matcher_type(m, have, want);
}

static int match_fields(
	struct cm_matcher *m, const struct cm_type *have, const struct cm_type *want)
{
	static const struct cm_name none = {"", 0};

	if (have->n_fields != want->n_fields)
		return differs_types(m, have, want);
	for (uint32_t i = 0; i < want->n_fields; i++) {
		const struct cm_field *a = &have->fields[i];
		const struct cm_field *b = &want->fields[i];
		int rc = step(m);

		if (rc < 0)
			return rc;
		if (!names_equal(a->name, b->name))
			return differs(m, "expected %.*s, found %.*s", (int)b->name.len,
				b->name.text, (int)a->name.len, a->name.text);
		rc = match_opt(m, a->type, b->type);
		if (rc != 0)
			return differs_at(m, rc, b->name.text == NULL ? "element" : "",
				b->name.text == NULL ? none : b->name);
	}
	return 0;
}

static int match_func(struct cm_matcher *m, const struct cm_type *have, const struct cm_type *want)
{
	static const struct cm_name none = {"", 0};
	int rc;

	if (have->is_async != want->is_async || have->n_fields != want->n_fields)
		return differs_types(m, have, want);
	rc = match_fields(m, have, want);
	if (rc == 0) {
		rc = match_opt(m, have->elem, want->elem);
		rc = differs_at(m, rc, "result", none);
	}
	// A function's whole type tells more than the place inside it, unless it mentions resources.
	if (rc == DIFFERS && ((have->traits | want->traits) & CM_TRAIT_RESOURCE) == 0)
		return differs_types(m, have, want);
	return rc;
}

// ---- core modules -------------------------------------------------------------------------------

int cm_matcher_core(
	struct cm_matcher *m, const struct we_externtype *have, const struct we_externtype *want)
{
	char have_text[100];
	char want_text[100];

	if (we_externtype_matches(have, want))
		return 0;
	we_externtype_print(have, have_text, sizeof(have_text));
	we_externtype_print(want, want_text, sizeof(want_text));
	return differs(m, "expected %s, found %s", want_text, have_text);
}

static const struct cm_coreextern *find_core(
	const struct cm_coreextern *list, uint32_t n, const struct cm_coreextern *like)
{
	for (uint32_t i = 0; i < n; i++)
		if (names_equal(list[i].module, like->module) &&
			names_equal(list[i].name, like->name))
			return &list[i];
	return NULL;
}

static int match_module(
	struct cm_matcher *m, const struct cm_moduletype *have, const struct cm_moduletype *want)
{
	const uint64_t work = (uint64_t)have->n_imports * want->n_imports +
			      (uint64_t)have->n_exports * want->n_exports;

	if (work >= m->steps)
		return WE_E_INVALID;
	m->steps -= (uint32_t)work;
	for (uint32_t i = 0; i < have->n_imports; i++) { // have must import no more
		const struct cm_coreextern *a = &have->imports[i];
		const struct cm_coreextern *b = find_core(want->imports, want->n_imports, a);

		if (b == NULL)
			return differs(m, "missing expected import %.*s::%.*s", (int)a->module.len,
				a->module.text, (int)a->name.len, a->name.text);
		if (cm_matcher_core(m, &b->type, &a->type) != 0)
			return differs_at(m, DIFFERS, "import ", a->name);
	}
	for (uint32_t i = 0; i < want->n_exports; i++) { // and export no less
		const struct cm_coreextern *b = &want->exports[i];
		const struct cm_coreextern *a = find_core(have->exports, have->n_exports, b);

		if (a == NULL)
			return differs(
				m, "missing expected export %.*s", (int)b->name.len, b->name.text);
		if (cm_matcher_core(m, &a->type, &b->type) != 0)
			return differs_at(m, DIFFERS, "export ", b->name);
	}
	return 0;
}

// ---- instances and components -------------------------------------------------------------------

static const struct cm_extern *find_extern(
	struct cm_matcher *m, const struct cm_extern *list, uint32_t n, struct cm_name name)
{
	for (uint32_t i = 0; i < n; i++) {
		if (m->steps > 0)
			m->steps--;
		if (names_equal(list[i].name, name))
			return &list[i];
	}
	return NULL;
}

// have exports all that want exports. The variables of want have been introduced.
static int match_exports(
	struct cm_matcher *m, const struct cm_interface *have, const struct cm_interface *want)
{
	for (uint32_t i = 0; i < want->n_exports; i++) {
		const struct cm_extern *b = &want->exports[i];
		const struct cm_extern *a = find_extern(m, have->exports, have->n_exports, b->name);
		int rc;

		if (a == NULL)
			return differs(
				m, "missing expected export %.*s", (int)b->name.len, b->name.text);
		rc = cm_matcher_extern(m, a, b);
		if (rc != 0)
			return differs_at(m, rc, "", b->name);
	}
	return 0;
}

static int match_instance(
	struct cm_matcher *m, const struct cm_interface *have, const struct cm_interface *want)
{
	const int rc = cm_matcher_introduce(m, want->bound_exports, want->n_bound_exports);

	return rc < 0 ? rc : match_exports(m, have, want);
}

// What want is asked with must satisfy have's imports; what have then exports must satisfy want.
static int match_component(
	struct cm_matcher *m, const struct cm_interface *have, const struct cm_interface *want)
{
	const size_t outside = m->bindings.len;
	int rc;

	rc = introduce_opaque(m, want->bound_imports, want->n_bound_imports);
	if (rc == 0)
		rc = cm_matcher_introduce(m, have->bound_imports, have->n_bound_imports);
	for (uint32_t i = 0; rc == 0 && i < have->n_imports; i++) {
		const struct cm_extern *need = &have->imports[i];
		const struct cm_extern *given =
			find_extern(m, want->imports, want->n_imports, need->name);

		if (given == NULL)
			return differs(m, "missing expected import %.*s", (int)need->name.len,
				need->name.text);
		rc = cm_matcher_extern(m, given, need);
		rc = differs_at(m, rc, "import ", need->name);
	}
	if (rc == 0)
		rc = introduce_opaque(m, have->bound_exports, have->n_bound_exports);
	if (rc == 0)
		rc = cm_matcher_introduce(m, want->bound_exports, want->n_bound_exports);
	if (rc == 0)
		rc = match_exports(m, have, want);
	m->bindings.len = outside;
	return rc;
}

// ---- any type -----------------------------------------------------------------------------------

static const char *class_of(const struct cm_type *type)
{
	switch (type->kind) {
	case CM_TYPE_RESOURCE:
		return "resource";
	case CM_TYPE_FUNC:
		return "func";
	case CM_TYPE_INSTANCE:
		return "instance";
	case CM_TYPE_COMPONENT:
		return "component";
	default:
		return "defined type";
	}
}

int cm_matcher_type(struct cm_matcher *m, const struct cm_type *have, const struct cm_type *want)
{
	const int rc = step(m);

	if (rc < 0)
		return rc;
	if (cm_type_root(have) == cm_type_root(want) && (want->traits & CM_TRAIT_RESOURCE) == 0)
		return 0;
	if (have->kind != want->kind) {
		if (cm_type_is_value(have) && cm_type_is_value(want))
			return differs_types(m, have, want);
		return differs(m, "expected %s, found %s", class_of(want), class_of(have));
	}
	switch (want->kind) {
	case CM_TYPE_RECORD:
	case CM_TYPE_TUPLE:
	case CM_TYPE_VARIANT:
	case CM_TYPE_ENUM:
	case CM_TYPE_OPTION:
	case CM_TYPE_RESULT:
	case CM_TYPE_FLAGS:
		return match_fields(m, have, want);
	case CM_TYPE_FIXED_LIST:
		if (have->length != want->length)
			return differs_types(m, have, want);
		return cm_matcher_type(m, have->elem, want->elem);
	case CM_TYPE_LIST:
	case CM_TYPE_MAP:
	case CM_TYPE_STREAM:
	case CM_TYPE_FUTURE:
		return match_opt(m, have->elem, want->elem);
	case CM_TYPE_OWN:
	case CM_TYPE_BORROW:
		return match_resource(m, have->elem, want->elem);
	case CM_TYPE_FUNC:
		return match_func(m, have, want);
	case CM_TYPE_INSTANCE:
		return match_instance(m, have->face, want->face);
	case CM_TYPE_COMPONENT:
		return match_component(m, have->face, want->face);
	case CM_TYPE_RESOURCE:
		return match_resource(m, have, want);
	default: // primitives of one kind
		return 0;
	}
}

int cm_matcher_extern(
	struct cm_matcher *m, const struct cm_extern *have, const struct cm_extern *want)
{
	struct cm_binding *binding;

	if (have->sort != want->sort)
		return differs(m, "expected %s, found %s", cm_sort_name(want->sort),
			cm_sort_name(have->sort));
	if (want->sort == CM_SORT_CORE_MODULE)
		return match_module(m, have->module, want->module);
	if (want->sort == CM_SORT_VALUE)
		return 0; // refused as a feature
	if (want->sort == CM_SORT_TYPE && want->type->kind == CM_TYPE_RESOURCE &&
		have->type->kind == CM_TYPE_RESOURCE) {
		binding = find_binding(m, cm_type_root(want->type));
		if (binding != NULL && binding->to == NULL) {
			binding->to = cm_matcher_bound(m, have->type);
			if (binding->to == NULL)
				binding->to = have->type;
			return 0;
		}
	}
	return cm_matcher_type(m, have->type, want->type);
}

// ---- without variables of one's own -------------------------------------------------------------

int cm_type_matches(
	const struct cm_type *have, const struct cm_type *want, char *detail, size_t cap)
{
	struct cm_matcher m;
	int rc;

	cm_matcher_init(&m, CM_MAX_TYPE_STEPS, detail, cap);
	rc = cm_matcher_type(&m, have, want);
	cm_matcher_fini(&m);
	return rc;
}

bool cm_type_equal(const struct cm_type *a, const struct cm_type *b)
{
	return a == b || cm_type_matches(a, b, NULL, 0) == 0;
}
