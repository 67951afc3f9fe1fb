// SPDX-License-Identifier: BSD-3-Clause
// validate_extern: imports and exports: their names, their types, and which types they may mention.
//
// Module path 5/6.
// Spec: Binary.md "Import and Export Definitions"; Explainer.md "Name Uniqueness", "External Visibility of Types".
#include "validate.h"

#include "arena.h"

#include <string.h>

static bool names_equal(struct cm_name a, struct cm_name b)
{
	return a.len == b.len && memcmp(a.text, b.text, a.len) == 0;
}

// ---- names --------------------------------------------------------------------------------------

// The function named after a resource must use that one.
static int check_named_resource(struct cm_validator *v, const struct cm_externname *name,
	const struct cm_type *resource, const struct cm_namespace *space, uint64_t offset)
{
	const char *found = cm_ptr_map_get(&space->resources, resource);

	if (found == NULL)
		return cm_invalid(v, offset,
			"resource used in function does not have a name in this context");
	if (!names_equal((struct cm_name){found, (uint32_t)strlen(found)}, name->resource))
		return cm_invalid(v, offset,
			"function does not match expected resource name `%s`, found `%.*s`", found,
			(int)name->resource.len, name->resource.text);
	return 0;
}

static int check_constructor(struct cm_validator *v, const struct cm_externname *name,
	const struct cm_type *func, const struct cm_namespace *space, uint64_t offset)
{
	const struct cm_type *result = func->elem;

	if (result == NULL)
		return cm_invalid(v, offset, "function should return one value");
	if (result->kind == CM_TYPE_RESULT)
		result = result->fields[0].type;
	if (result == NULL || result->kind != CM_TYPE_OWN)
		return cm_invalid(
			v, offset, "function should return `(own $T)` or `(result (own $T))`");
	return check_named_resource(v, name, result->elem, space, offset);
}

static int check_method(struct cm_validator *v, const struct cm_externname *name,
	const struct cm_type *func, const struct cm_namespace *space, uint64_t offset)
{
	static const struct cm_name self = {"self", 4};

	if (func->n_fields == 0)
		return cm_invalid(v, offset, "function should have at least one argument");
	if (!names_equal(func->fields[0].name, self))
		return cm_invalid(v, offset, "function should have a first argument called `self`");
	if (func->fields[0].type->kind != CM_TYPE_BORROW)
		return cm_invalid(
			v, offset, "function should take a first argument of `(borrow $T)`");
	return check_named_resource(v, name, func->fields[0].type->elem, space, offset);
}

static int check_static(struct cm_validator *v, const struct cm_externname *name,
	const struct cm_namespace *space, uint64_t offset)
{
	if (cm_name_set_has_exact(&space->resource_names, name->resource))
		return 0;
	return cm_invalid(v, offset, "static resource name is not known in this context");
}

static int check_annotation(struct cm_validator *v, const struct cm_externname *name,
	const struct cm_extern *ext, const struct cm_namespace *space, uint64_t offset)
{
	if (name->kind == CM_NAME_LABEL || name->kind == CM_NAME_INTERFACE)
		return 0;
	if (ext->sort != CM_SORT_FUNC)
		return cm_invalid(
			v, offset, "item with annotated name `%s` is not a func", ext->name.text);
	switch (name->kind) {
	case CM_NAME_CONSTRUCTOR:
		return check_constructor(v, name, ext->type, space, offset);
	case CM_NAME_METHOD:
		return check_method(v, name, ext->type, space, offset);
	default:
		return check_static(v, name, space, offset);
	}
}

static int check_implements(struct cm_validator *v, const struct cm_syntax_name *name,
	const struct cm_externname *parsed, const struct cm_extern *ext, uint64_t offset)
{
	struct cm_externname implemented;
	char why[100];

	if (!name->has_implements)
		return 0;
	if (cm_name_parse(name->implements, &implemented, why, sizeof(why)) != 0)
		return cm_invalid(v, offset, "implements `%s` is not a valid name: %s",
			name->implements.text, why);
	if (implemented.kind != CM_NAME_INTERFACE)
		return cm_invalid(v, offset, "implements `%s`: it must be an interface",
			name->implements.text);
	if (ext->sort != CM_SORT_INSTANCE)
		return cm_invalid(v, offset, "only instances can have an `implements`");
	if (parsed->kind != CM_NAME_LABEL)
		return cm_invalid(
			v, offset, "name `%s` is not valid with `implements`", name->name.text);
	return 0;
}

void cm_namespace_fini(struct cm_namespace *space)
{
	cm_name_set_fini(&space->names);
	cm_ptr_map_fini(&space->resources);
	cm_name_set_fini(&space->resource_names);
}

static int name_resource(struct cm_namespace *space, const struct cm_extern *ext)
{
	struct cm_name earlier;
	const int rc = cm_name_set_add_exact(&space->resource_names, ext->name, &earlier);

	return rc < 0 ? rc : cm_ptr_map_put(&space->resources, ext->type, ext->name.text);
}

int cm_validate_extern_name(struct cm_validator *v, const struct cm_syntax_name *name,
	const struct cm_extern *ext, const char *what, struct cm_namespace *space, uint64_t offset)
{
	struct cm_externname parsed;
	struct cm_name earlier;
	char why[100];
	int rc;

	if (cm_name_parse(name->name, &parsed, why, sizeof(why)) != 0)
		return cm_invalid(v, offset, "%s name `%s` is not a valid extern name: %s", what,
			name->name.text, why);
	if (name->has_duplicate)
		return cm_invalid(v, offset, "duplicate option in name `%s`", name->name.text);
	if (parsed.is_nested)
		cm_use(v, CM_FEATURE_NESTED_NAMES, offset);
	if (parsed.has_canonical_version || name->has_version_suffix)
		cm_use(v, CM_FEATURE_CANONICAL_NAMES, offset);
	rc = check_implements(v, name, &parsed, ext, offset);
	if (rc == 0)
		rc = check_annotation(v, &parsed, ext, space, offset);
	if (rc < 0)
		return rc;
	rc = cm_name_set_add(&space->names, name->name, &earlier);
	if (rc == CM_NAME_TAKEN)
		return cm_invalid(v, offset, "%s name `%s` conflicts with previous name `%s`", what,
			name->name.text, earlier.text);
	return rc < 0 ? cm_nomem(v, offset) : 0;
}

// ---- which types may be mentioned ---------------------------------------------------------------
//
// Records, variants, flags, enums and resources must have been imported or exported under a name before
// something outside can be told of them.

enum {
	HIDDEN = 1
};

static int is_visible(
	struct cm_validator *v, const struct cm_type *type, const struct cm_ptr_map *visible);

static int parts_visible(
	struct cm_validator *v, const struct cm_type *type, const struct cm_ptr_map *visible)
{
	const struct cm_interface *face = type->face;
	const uint32_t n_parts = 1 + type->n_fields + (face == NULL ? 0 : face->n_exports);
	int rc = 0;

	if (type->kind == CM_TYPE_COMPONENT || type->kind == CM_TYPE_RESOURCE)
		return 0; // closed; or introduced by this very name
	if (n_parts >= v->steps_left)
		return WE_E_INVALID;
	v->steps_left -= n_parts;
	for (uint32_t i = 0; rc == 0 && i < type->n_fields; i++)
		if (type->fields[i].type != NULL)
			rc = is_visible(v, type->fields[i].type, visible);
	if (rc == 0 && type->elem != NULL)
		rc = is_visible(v, type->elem, visible);
	for (uint32_t i = 0; rc == 0 && face != NULL && i < face->n_exports; i++)
		if (face->exports[i].type != NULL)
			rc = parts_visible(v, face->exports[i].type, visible);
	return rc;
}

// Returns: 0; HIDDEN; a failure.
static int is_visible(
	struct cm_validator *v, const struct cm_type *type, const struct cm_ptr_map *visible)
{
	if (type->kind < CM_TYPE_N_PRIMITIVE)
		return 0;
	switch (type->kind) {
	case CM_TYPE_RECORD:
	case CM_TYPE_VARIANT:
	case CM_TYPE_ENUM:
	case CM_TYPE_FLAGS:
	case CM_TYPE_RESOURCE:
		return cm_ptr_map_get(visible, type) != NULL ? 0 : HIDDEN;
	default:
		return parts_visible(v, type, visible);
	}
}

// Check what ext mentions, then make visible what it names.
static int publish(
	struct cm_validator *v, struct cm_scope *scope, const struct cm_extern *ext, bool is_import)
{
	struct cm_ptr_map *visible = is_import ? &scope->import_visible : &scope->export_visible;
	int rc = cm_spend_steps(v, 1, ext->decl_offset);

	if (rc < 0)
		return rc;
	switch (ext->sort) {
	case CM_SORT_TYPE:
		rc = parts_visible(v, ext->type, visible);
		if (rc == 0)
			rc = cm_ptr_map_put(&scope->export_visible, ext->type, ext->type);
		if (rc == 0 && is_import)
			rc = cm_ptr_map_put(&scope->import_visible, ext->type, ext->type);
		return rc;
	case CM_SORT_INSTANCE:
		for (uint32_t i = 0; rc == 0 && i < ext->type->face->n_exports; i++)
			rc = publish(v, scope, &ext->type->face->exports[i], is_import);
		return rc;
	case CM_SORT_FUNC:
		return parts_visible(v, ext->type, visible);
	default:
		return 0;
	}
}

// ---- types of imports and exports ---------------------------------------------------------------

static int wrong_kind(struct cm_validator *v, const struct cm_syntax_extern *syntax,
	const char *expected, uint64_t offset)
{
	return cm_invalid(v, offset, "type index %u is not %s", syntax->idx, expected);
}

// externtype. The type of an abstract type, a fresh resource, is made later.
static int resolve_extern(struct cm_validator *v, const struct cm_scope *scope,
	const struct cm_syntax_extern *syntax, uint64_t offset, struct cm_extern *ret)
{
	const bool is_module = syntax->sort == CM_SORT_CORE_MODULE;
	const struct cm_item *item = NULL;
	int rc;

	ret->sort = syntax->sort;
	ret->is_abstract = syntax->is_abstract;
	if (syntax->sort == CM_SORT_VALUE) {
		cm_use(v, CM_FEATURE_VALUES, offset);
		return 0;
	}
	if (syntax->is_abstract)
		return 0;
	rc = cm_scope_item(
		v, scope, is_module ? CM_SORT_CORE_TYPE : CM_SORT_TYPE, syntax->idx, offset, &item);
	if (rc < 0)
		return rc;
	ret->type = item->type;
	ret->module = item->module;
	switch (syntax->sort) {
	case CM_SORT_CORE_MODULE:
		if (item->module == NULL)
			return cm_invalid(
				v, offset, "core type index %u is not a module type", syntax->idx);
		return 0;
	case CM_SORT_FUNC:
		return item->type->kind == CM_TYPE_FUNC
			       ? 0
			       : wrong_kind(v, syntax, "a function type", offset);
	case CM_SORT_INSTANCE:
		return item->type->kind == CM_TYPE_INSTANCE
			       ? 0
			       : wrong_kind(v, syntax, "an instance type", offset);
	case CM_SORT_COMPONENT:
		return item->type->kind == CM_TYPE_COMPONENT
			       ? 0
			       : wrong_kind(v, syntax, "a component type", offset);
	default:
		return 0;
	}
}

static int bind(struct cm_validator *v, struct we_vec *bound, const struct cm_type *resource,
	uint64_t offset)
{
	const struct cm_type **slot = we_vec_add(bound, sizeof(struct cm_type *));

	if (slot == NULL)
		return cm_nomem(v, offset);
	*slot = resource;
	return 0;
}

// An instance brings resources of its own: here they are fresh, and bound by the scope.
static int open_instance(
	struct cm_validator *v, struct we_vec *bound, struct cm_extern *ext, uint64_t offset)
{
	const struct cm_interface *face = ext->type->face;
	const struct cm_type *opened = NULL;
	struct cm_interface *face_opened;
	struct cm_subst subst;
	int rc = 0;

	if (face->n_bound_exports == 0)
		return 0;
	face_opened = we_arena_alloc(v->arena, sizeof(*face_opened));
	if (face_opened == NULL)
		return cm_nomem(v, offset);
	cm_subst_init(&subst, v->arena, &v->nodes_left);
	for (uint32_t i = 0; rc == 0 && i < face->n_bound_exports; i++) {
		const struct cm_type *fresh = NULL;

		rc = cm_subst_refresh(&subst, face->bound_exports[i], &fresh);
		if (rc == 0)
			rc = bind(v, bound, fresh, offset);
	}
	if (rc == 0) {
		*face_opened = *face;
		face_opened->bound_exports = NULL;
		face_opened->n_bound_exports = 0;
		rc = cm_subst_externs(
			&subst, face->exports, face->n_exports, &face_opened->exports);
	}
	cm_subst_fini(&subst);
	if (rc == 0)
		rc = cm_type_create_interface(v->arena, CM_TYPE_INSTANCE, face_opened, &opened);
	ext->type = opened;
	return cm_type_failed(v, rc, opened, offset);
}

// Give the extern's type the identity that it has from here on.
static int open_extern(
	struct cm_validator *v, struct we_vec *bound, struct cm_extern *ext, uint64_t offset)
{
	int rc;

	if (ext->sort == CM_SORT_INSTANCE)
		return open_instance(v, bound, ext, offset);
	if (ext->sort != CM_SORT_TYPE)
		return 0;
	if (!ext->is_abstract)
		return cm_type_failed(v,
			cm_type_create_named(v->arena, ext->type, ext->name, &ext->type), NULL,
			offset);
	cm_use(v, CM_FEATURE_RESOURCES, offset);
	rc = cm_type_create_resource(v->arena, ext->name, &ext->type);
	if (rc < 0)
		return cm_type_failed(v, rc, NULL, offset);
	return bind(v, bound, ext->type, offset);
}

static int push_extern(struct cm_validator *v, struct cm_scope *scope, const struct cm_extern *ext,
	uint64_t offset)
{
	const struct cm_item item = {.type = ext->type, .module = ext->module};

	return cm_scope_push(v, scope, ext->sort, &item, offset);
}

static struct cm_extern extern_of_name(const struct cm_syntax_item *item)
{
	return (struct cm_extern){
		.name = item->of.extrn.name.name,
		.implements = item->of.extrn.name.implements,
		.decl_offset = item->offset,
	};
}

// Name, visibility, index space: what imports and exports have in common.
static int admit(struct cm_validator *v, struct cm_scope *scope, const struct cm_syntax_item *item,
	const struct cm_extern *ext, bool is_import)
{
	struct cm_namespace *space = is_import ? &scope->import_names : &scope->export_names;
	const char *what = is_import ? "import" : "export";
	struct cm_extern *list;
	int rc;

	rc = cm_validate_extern_name(v, &item->of.extrn.name, ext, what, space, item->offset);
	if (rc < 0)
		return rc;
	if (ext->sort == CM_SORT_TYPE && ext->type->kind == CM_TYPE_RESOURCE &&
		name_resource(space, ext) < 0)
		return cm_nomem(v, item->offset);
	if (scope->kind != CM_TYPE_INSTANCE) {
		rc = publish(v, scope, ext, is_import);
		if (rc == HIDDEN)
			return cm_invalid(v, item->offset,
				"%s not valid to be used as %s: `%s` mentions a type without a "
				"name",
				cm_sort_name(ext->sort), what, ext->name.text);
		if (rc < 0)
			return cm_type_failed(v, rc, NULL, item->offset);
	}
	list = we_vec_add(is_import ? &scope->imports : &scope->exports, sizeof(*list));
	if (list == NULL)
		return cm_nomem(v, item->offset);
	*list = *ext;
	return push_extern(v, scope, ext, item->offset);
}

static int extern_dup(
	struct cm_validator *v, const struct cm_extern *ext, const struct cm_extern **ret_ext)
{
	struct cm_extern *copy = we_arena_alloc(v->arena, sizeof(*copy));

	if (copy == NULL)
		return cm_nomem(v, ext->decl_offset);
	*copy = *ext;
	*ret_ext = copy;
	return 0;
}

int cm_validate_import(
	struct cm_validator *v, struct cm_scope *scope, const struct cm_syntax_item *item)
{
	struct cm_extern ext = extern_of_name(item);
	const struct cm_extern *kept = NULL;
	struct cm_def *def = NULL;
	int rc;

	rc = resolve_extern(v, scope, &item->of.extrn.type, item->offset, &ext);
	if (rc == 0)
		rc = open_extern(v, &scope->bound_imports, &ext, item->offset);
	if (rc == 0)
		rc = extern_dup(v, &ext, &kept);
	if (rc == 0)
		rc = cm_scope_define(v, scope, CM_DEF_IMPORT, ext.sort, item->offset, &def);
	if (rc < 0)
		return rc;
	if (def != NULL)
		def->of.import = kept;
	return admit(v, scope, item, &ext, true);
}

int cm_validate_export_decl(
	struct cm_validator *v, struct cm_scope *scope, const struct cm_syntax_item *item)
{
	struct cm_extern ext = extern_of_name(item);
	int rc;

	rc = resolve_extern(v, scope, &item->of.extrn.type, item->offset, &ext);
	if (rc == 0)
		rc = open_extern(v, &scope->bound_exports, &ext, item->offset);
	return rc < 0 ? rc : admit(v, scope, item, &ext, false);
}

int cm_extern_of_item(struct cm_validator *v, const struct cm_scope *scope, enum cm_sort sort,
	uint32_t idx, uint64_t offset, struct cm_extern *ret_ext)
{
	const struct cm_item *item = NULL;
	int rc;

	if (sort < CM_SORT_CORE_MODULE)
		return cm_invalid(v, offset,
			"a %s is not valid here: expected a core module, func, "
			"type, component or instance",
			cm_sort_name(sort));
	rc = cm_scope_item(v, scope, sort, idx, offset, &item);
	if (rc < 0)
		return rc;
	ret_ext->sort = sort;
	ret_ext->type = item->type;
	ret_ext->module = item->module;
	return 0;
}

// The exported thing must be what it is declared to be.
static int ascribe(struct cm_validator *v, struct cm_scope *scope,
	const struct cm_syntax_item *item, struct cm_extern *ext)
{
	struct cm_extern want = *ext;
	struct cm_matcher m;
	char detail[100];
	int rc;

	rc = resolve_extern(v, scope, &item->of.extrn.type, item->offset, &want);
	if (rc < 0)
		return rc;
	if (want.sort == CM_SORT_VALUE && ext->sort == CM_SORT_VALUE)
		return 0;
	if (want.is_abstract) {
		if (ext->sort != CM_SORT_TYPE || ext->type->kind != CM_TYPE_RESOURCE)
			return cm_invalid(v, item->offset,
				"ascribed type of export is not compatible: expected resource");
		*ext = want;
		return 0;
	}
	cm_matcher_init(&m, v->steps_left, detail, sizeof(detail));
	rc = cm_matcher_extern(&m, ext, &want);
	v->steps_left = m.steps;
	cm_matcher_fini(&m);
	if (rc == CM_TYPE_DIFFERS)
		return cm_invalid(v, item->offset,
			"ascribed type of export is not compatible: %s: %s", ext->name.text,
			detail);
	*ext = want;
	return cm_type_failed(v, rc, NULL, item->offset);
}

int cm_validate_export(
	struct cm_validator *v, struct cm_scope *scope, const struct cm_syntax_item *item)
{
	struct cm_extern ext = extern_of_name(item);
	const struct cm_extern *kept = NULL;
	struct cm_def *def = NULL;
	int rc;

	rc = cm_extern_of_item(
		v, scope, item->of.extrn.sort, item->of.extrn.idx, item->offset, &ext);
	if (rc == 0 && ext.sort == CM_SORT_VALUE)
		cm_use(v, CM_FEATURE_VALUES, item->offset);
	if (rc == 0 && item->of.extrn.has_type)
		rc = ascribe(v, scope, item, &ext);
	if (rc == 0)
		rc = open_extern(v, &scope->bound_exports, &ext, item->offset);
	if (rc == 0)
		rc = extern_dup(v, &ext, &kept);
	if (rc == 0)
		rc = cm_scope_define(v, scope, CM_DEF_EXPORT, ext.sort, item->offset, &def);
	if (rc < 0)
		return rc;
	if (def != NULL) {
		def->of.export.decl = kept;
		def->of.export.idx = item->of.extrn.idx;
	}
	return admit(v, scope, item, &ext, false);
}
