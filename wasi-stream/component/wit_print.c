// SPDX-License-Identifier: BSD-3-Clause
// wit_print: the imports and exports of a component as a WIT world, with the interfaces it speaks of.
//
// The packages are those that the names tell; the world itself has none and is called root:component.
// Owns:   its lists while it prints. Thread: one.
// Spec:   WIT.md.
#include "component.h"
#include "name.h"
#include "ptr_map.h"
#include "text.h"

#include <stdlib.h>
#include <string.h>

// An interface to be printed, once.
struct interface {
	const struct cm_type *type; // INSTANCE
	struct cm_name full;        // "wasi:config/store@0.2.0-rc.1"
	struct cm_externname parts;
	size_t order;   // of its import or export
	size_t package; // order of the first interface of its package
};

// A function that is named after a resource, of the externs that are being printed.
struct member {
	struct cm_name resource;
	uint32_t i; // which of the externs
};

struct printer {
	struct cm_text text;
	const struct cm_interface *world;
	struct interface *interfaces; // [n_interfaces]
	size_t n_interfaces;
	struct cm_ptr_map owners; // named type -> struct interface that exports it
	struct member *members;   // [n_members] sorted by resource, then as they came
	size_t n_members;
};

static void put(struct printer *p, const char *piece)
{
	cm_text_put(&p->text, piece);
}

static void put_indent(struct printer *p, uint32_t depth)
{
	for (uint32_t i = 0; i < depth; i++)
		put(p, "  ");
}

static bool equal(struct cm_name a, struct cm_name b)
{
	return a.len == b.len && (a.len == 0 || memcmp(a.text, b.text, a.len) == 0);
}

static int compare(struct cm_name a, struct cm_name b)
{
	const uint32_t len = a.len < b.len ? a.len : b.len;
	const int order = len == 0 ? 0 : memcmp(a.text, b.text, len);

	return order != 0 ? order : a.len < b.len ? -1 : a.len > b.len;
}

// ---- which interfaces there are -----------------------------------------------------------------

// The interface name behind an import or export: its own, or the one that it implements.
static bool interface_name(
	const struct cm_extern *ext, struct cm_name *ret_full, struct cm_externname *ret_parts)
{
	char why[16];

	if (ext->sort != CM_SORT_INSTANCE)
		return false;
	*ret_full = ext->implements.len > 0 ? ext->implements : ext->name;
	return cm_name_parse(*ret_full, ret_parts, why, sizeof(why)) == 0 &&
	       ret_parts->kind == CM_NAME_INTERFACE;
}

static void add_interface(struct printer *p, const struct cm_extern *ext)
{
	struct interface *interface = &p->interfaces[p->n_interfaces];

	if (!interface_name(ext, &interface->full, &interface->parts))
		return;
	interface->type = ext->type;
	interface->order = p->n_interfaces++;
}

static int compare_packages(const struct interface *a, const struct interface *b)
{
	const int order = compare(a->parts.package, b->parts.package);

	return order != 0 ? order : compare(a->parts.version, b->parts.version);
}

static int by_package(const void *left, const void *right)
{
	const struct interface *a = left;
	const struct interface *b = right;
	int order = compare_packages(a, b);

	if (order == 0)
		order = compare(a->parts.interface, b->parts.interface);
	return order != 0 ? order : a->order < b->order ? -1 : a->order > b->order;
}

static int by_order(const void *left, const void *right)
{
	const struct interface *a = left;
	const struct interface *b = right;

	if (a->package != b->package)
		return a->package < b->package ? -1 : 1;
	return a->order < b->order ? -1 : a->order > b->order;
}

// Keep each interface once, packages together, both in the order in which they first appear.
static void sort_interfaces(struct printer *p)
{
	struct interface *list = p->interfaces;
	size_t n = 0;

	if (p->n_interfaces == 0)
		return;
	qsort(list, p->n_interfaces, sizeof(*list), by_package);
	for (size_t i = 0; i < p->n_interfaces; i++)
		if (n == 0 || !equal(list[n - 1].full, list[i].full))
			list[n++] = list[i];
	p->n_interfaces = n;
	for (size_t first = 0, i = 0; first < n; first = i) {
		size_t earliest = list[first].order;

		for (i = first; i < n && compare_packages(&list[first], &list[i]) == 0; i++)
			earliest = list[i].order < earliest ? list[i].order : earliest;
		for (size_t k = first; k < i; k++)
			list[k].package = earliest;
	}
	qsort(list, n, sizeof(*list), by_order);
}

// Whose a named type is. Without memory fewer types are found: they are then spelled out again.
static void find_owners(struct printer *p)
{
	for (size_t i = 0; i < p->n_interfaces; i++) {
		const struct cm_interface *face = p->interfaces[i].type->face;

		for (uint32_t k = 0; k < face->n_exports; k++)
			if (face->exports[k].sort == CM_SORT_TYPE &&
				cm_ptr_map_get(&p->owners, face->exports[k].type) == NULL &&
				cm_ptr_map_put(
					&p->owners, face->exports[k].type, &p->interfaces[i]) < 0)
				return;
	}
}

// ---- types --------------------------------------------------------------------------------------

static void put_members(struct printer *p, const struct cm_type *type, const char *keyword,
	struct cm_name name, uint32_t depth)
{
	put_indent(p, depth);
	put(p, keyword);
	put(p, " ");
	cm_text_put_id(&p->text, name);
	put(p, " {\n");
	for (uint32_t i = 0; i < type->n_fields; i++) {
		put_indent(p, depth + 1);
		cm_text_put_id(&p->text, type->fields[i].name);
		if (type->fields[i].type != NULL) {
			put(p, type->kind == CM_TYPE_RECORD ? ": " : "(");
			cm_text_put_type(&p->text, type->fields[i].type);
			put(p, type->kind == CM_TYPE_RECORD ? "" : ")");
		}
		put(p, ",\n");
	}
	put_indent(p, depth);
	put(p, "}\n");
}

static void put_alias(
	struct printer *p, const struct cm_type *type, struct cm_name name, uint32_t depth)
{
	put_indent(p, depth);
	put(p, "type ");
	cm_text_put_id(&p->text, name);
	put(p, " = ");
	cm_text_put_type(&p->text, type);
	put(p, ";\n");
}

// The other interface whose type the i-th extern names again; NULL: none.
static const struct interface *used_owner(
	const struct printer *p, const struct cm_extern *ext, const struct interface *user)
{
	const struct interface *owner = ext->sort != CM_SORT_TYPE || ext->type->named == NULL
						? NULL
						: cm_ptr_map_get(&p->owners, ext->type->named);

	return owner == user ? NULL : owner;
}

// The types from the i-th on that are all of one other interface. Returns the first that is not.
static uint32_t put_uses(struct printer *p, const struct cm_extern *externs, uint32_t n, uint32_t i,
	const struct interface *user, uint32_t depth)
{
	const struct interface *owner = used_owner(p, &externs[i], user);
	const uint32_t first = i;

	put_indent(p, depth);
	put(p, "use ");
	if (user != NULL && compare_packages(owner, user) == 0)
		cm_text_put_id(&p->text, owner->parts.interface);
	else
		cm_text_put_name(&p->text, owner->full);
	put(p, ".{");
	for (; i < n && used_owner(p, &externs[i], user) == owner; i++) {
		const struct cm_name name = externs[i].type->named->name;

		put(p, i > first ? ", " : "");
		cm_text_put_id(&p->text, name);
		if (equal(name, externs[i].name))
			continue;
		put(p, " as ");
		cm_text_put_id(&p->text, externs[i].name);
	}
	put(p, "};\n");
	return i;
}

static void put_signature(struct printer *p, const struct cm_type *func, bool is_method)
{
	put(p, func->is_async ? "async func(" : "func(");
	for (uint32_t i = is_method ? 1 : 0; i < func->n_fields; i++) {
		put(p, i > (is_method ? 1U : 0U) ? ", " : "");
		cm_text_put_id(&p->text, func->fields[i].name);
		put(p, ": ");
		cm_text_put_type(&p->text, func->fields[i].type);
	}
	put(p, ")");
	if (func->elem != NULL) {
		put(p, " -> ");
		cm_text_put_type(&p->text, func->elem);
	}
	put(p, ";\n");
}

// "constructor(...);": what it returns goes without saying, unless it may fail.
static void put_constructor(struct printer *p, const struct cm_type *func)
{
	put(p, "constructor(");
	for (uint32_t i = 0; i < func->n_fields; i++) {
		put(p, i > 0 ? ", " : "");
		cm_text_put_id(&p->text, func->fields[i].name);
		put(p, ": ");
		cm_text_put_type(&p->text, func->fields[i].type);
	}
	put(p, ")");
	if (func->elem->kind == CM_TYPE_RESULT) {
		put(p, " -> ");
		cm_text_put_type(&p->text, func->elem);
	}
	put(p, ";\n");
}

static int by_resource(const void *left, const void *right)
{
	const struct member *a = left;
	const struct member *b = right;
	const int order = compare(a->resource, b->resource);

	return order != 0 ? order : a->i < b->i ? -1 : a->i > b->i;
}

// Find the functions that belong to resources. Without memory: they are not printed.
static void find_members(struct printer *p, const struct cm_extern *externs, uint32_t n)
{
	p->n_members = 0;
	p->members = calloc((size_t)n + 1, sizeof(*p->members));
	for (uint32_t i = 0; p->members != NULL && i < n; i++) {
		struct cm_externname name;
		char why[16];

		if (externs[i].sort == CM_SORT_FUNC &&
			cm_name_parse(externs[i].name, &name, why, sizeof(why)) == 0 &&
			name.kind != CM_NAME_LABEL)
			p->members[p->n_members++] = (struct member){name.resource, i};
	}
	if (p->n_members > 0)
		qsort(p->members, p->n_members, sizeof(*p->members), by_resource);
}

// The first member whose resource is not below the name.
static size_t first_member(const struct printer *p, struct cm_name resource)
{
	size_t from = 0;
	size_t to = p->n_members;

	while (from < to) {
		const size_t middle = from + (to - from) / 2;

		if (compare(p->members[middle].resource, resource) < 0)
			from = middle + 1;
		else
			to = middle;
	}
	return from;
}

// The functions that are named after a resource. Returns: was there one?
static bool put_resource_funcs(
	struct printer *p, const struct cm_extern *externs, struct cm_name resource, uint32_t depth)
{
	const size_t first = first_member(p, resource);
	size_t k;

	for (k = first; k < p->n_members && equal(p->members[k].resource, resource); k++) {
		const struct cm_extern *ext = &externs[p->members[k].i];
		struct cm_externname name;
		char why[16];

		(void)cm_name_parse(ext->name, &name, why, sizeof(why));
		put(p, k == first ? " {\n" : "");
		put_indent(p, depth + 1);
		if (name.kind == CM_NAME_CONSTRUCTOR) {
			put_constructor(p, ext->type);
			continue;
		}
		cm_text_put_id(&p->text, name.label);
		put(p, name.kind == CM_NAME_STATIC ? ": static " : ": ");
		put_signature(p, ext->type, name.kind == CM_NAME_METHOD);
	}
	return k > first;
}

static void put_resource(
	struct printer *p, const struct cm_extern *externs, struct cm_name name, uint32_t depth)
{
	put_indent(p, depth);
	put(p, "resource ");
	cm_text_put_id(&p->text, name);
	if (put_resource_funcs(p, externs, name, depth)) {
		put_indent(p, depth);
		put(p, "}\n");
	} else {
		put(p, ";\n");
	}
}

// Define the i-th of externs, a type, and those after it that are used from the same other interface.
// Returns the first that is left.
static uint32_t put_typedef(struct printer *p, const struct cm_extern *externs, uint32_t n,
	uint32_t i, const struct interface *user, uint32_t depth)
{
	const struct cm_extern *ext = &externs[i];
	const struct cm_type *given = ext->type->named;

	if (used_owner(p, ext, user) != NULL)
		return put_uses(p, externs, n, i, user, depth);
	if (given != NULL && given->name.len > 0 && cm_ptr_map_get(&p->owners, given) == user) {
		put_alias(p, given, ext->name, depth);
		return i + 1;
	}
	switch (ext->type->kind) {
	case CM_TYPE_RECORD:
		put_members(p, ext->type, "record", ext->name, depth);
		break;
	case CM_TYPE_VARIANT:
		put_members(p, ext->type, "variant", ext->name, depth);
		break;
	case CM_TYPE_ENUM:
		put_members(p, ext->type, "enum", ext->name, depth);
		break;
	case CM_TYPE_FLAGS:
		put_members(p, ext->type, "flags", ext->name, depth);
		break;
	case CM_TYPE_RESOURCE:
		put_resource(p, externs, ext->name, depth);
		break;
	default:
		put_alias(p, given == NULL ? ext->type : cm_type_root(given), ext->name, depth);
		break;
	}
	return i + 1;
}

// ---- interfaces and the world -------------------------------------------------------------------

static bool is_plain_func(const struct cm_extern *ext)
{
	return ext->sort == CM_SORT_FUNC && (ext->name.len == 0 || ext->name.text[0] != '[');
}

static void put_func(struct printer *p, const struct cm_extern *ext, uint32_t depth)
{
	put_indent(p, depth);
	cm_text_put_id(&p->text, ext->name);
	put(p, ": ");
	put_signature(p, ext->type, false);
}

// Types, an empty line after each that takes several lines; then functions, an empty line between.
static void put_interface_body(struct printer *p, const struct cm_interface *face,
	const struct interface *user, uint32_t depth)
{
	struct member *outer_members = p->members; // of the world around an inline interface
	const size_t n_outer_members = p->n_members;
	bool is_first = true;

	find_members(p, face->exports, face->n_exports);
	for (uint32_t i = 0; i < face->n_exports;) {
		if (face->exports[i].sort != CM_SORT_TYPE) {
			i++;
			continue;
		}
		put(p, is_first ? "" : "\n");
		is_first = false;
		i = put_typedef(p, face->exports, face->n_exports, i, user, depth);
	}
	for (uint32_t i = 0; i < face->n_exports; i++) {
		if (!is_plain_func(&face->exports[i]))
			continue;
		put(p, is_first ? "" : "\n");
		is_first = false;
		put_func(p, &face->exports[i], depth);
	}
	free(p->members);
	p->members = outer_members;
	p->n_members = n_outer_members;
}

static void put_packages(struct printer *p)
{
	for (size_t i = 0; i < p->n_interfaces; i++) {
		const struct interface *interface = &p->interfaces[i];
		const bool is_first = i == 0 || p->interfaces[i - 1].package != interface->package;
		const bool is_last = i + 1 == p->n_interfaces ||
				     p->interfaces[i + 1].package != interface->package;

		if (is_first) {
			put(p, "\npackage ");
			cm_text_put_name(&p->text, interface->parts.package);
			put(p, interface->parts.version.len > 0 ? "@" : "");
			cm_text_put_name(&p->text, interface->parts.version);
			put(p, " {\n");
		}
		put(p, "  interface ");
		cm_text_put_id(&p->text, interface->parts.interface);
		put(p, " {\n");
		put_interface_body(p, interface->type->face, interface, 2);
		put(p, is_last ? "  }\n}\n" : "  }\n");
	}
}

static void put_world_item(struct printer *p, const struct cm_extern *ext, const char *word)
{
	struct cm_externname parts;
	struct cm_name full;

	put(p, "  ");
	put(p, word);
	if (ext->sort == CM_SORT_INSTANCE && interface_name(ext, &full, &parts)) {
		if (ext->implements.len > 0) {
			cm_text_put_id(&p->text, ext->name);
			put(p, ": ");
		}
		cm_text_put_name(&p->text, full);
		put(p, ";\n");
		return;
	}
	cm_text_put_id(&p->text, ext->name);
	put(p, ": ");
	switch (ext->sort) {
	case CM_SORT_INSTANCE:
		put(p, "interface {\n");
		put_interface_body(p, ext->type->face, NULL, 2);
		put(p, "  }\n");
		break;
	case CM_SORT_FUNC:
		put_signature(p, ext->type, false);
		break;
	default: // WIT has no words for these
		put(p, cm_sort_name(ext->sort));
		put(p, ";\n");
		break;
	}
}

// Returns: was there anything?
static bool put_world_items(
	struct printer *p, const struct cm_extern *externs, uint32_t n, const char *word)
{
	find_members(p, externs, n);
	for (uint32_t i = 0; i < n;) {
		if (externs[i].sort == CM_SORT_TYPE)
			i = put_typedef(p, externs, n, i, NULL, 1);
		else if (externs[i].sort == CM_SORT_FUNC && !is_plain_func(&externs[i]))
			i++; // stands with its resource
		else
			put_world_item(p, &externs[i++], word);
	}
	free(p->members);
	p->members = NULL;
	return n > 0;
}

void cm_component_print_wit(const struct cm_component *component, cm_emit_fn emit, void *env)
{
	const struct cm_interface *world = component->type->face;
	struct printer p = {.text = {.emit = emit, .env = env}, .world = world};

	p.interfaces =
		calloc((size_t)world->n_imports + world->n_exports + 1, sizeof(*p.interfaces));
	if (p.interfaces != NULL) { // without memory: the world alone
		for (uint32_t i = 0; i < world->n_imports; i++)
			add_interface(&p, &world->imports[i]);
		for (uint32_t i = 0; i < world->n_exports; i++)
			add_interface(&p, &world->exports[i]);
		sort_interfaces(&p);
		find_owners(&p);
	}
	put(&p, "package root:component;\n\nworld root {\n");
	if (put_world_items(&p, world->imports, world->n_imports, "import ") &&
		world->n_exports > 0)
		put(&p, "\n");
	(void)put_world_items(&p, world->exports, world->n_exports, "export ");
	put(&p, "}\n");
	put_packages(&p);
	cm_ptr_map_fini(&p.owners);
	free(p.interfaces);
}
