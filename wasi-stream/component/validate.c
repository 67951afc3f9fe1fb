// SPDX-License-Identifier: BSD-3-Clause
// validate: see validate.h. Scopes, aliases, instances, components.
#include "validate.h"

#include "limits.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

// ---- failures and features ----------------------------------------------------------------------

int cm_invalid(const struct cm_validator *v, uint64_t offset, const char *fmt, ...)
{
	char msg[sizeof(v->err->msg)];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(msg, sizeof(msg), fmt, ap);
	va_end(ap);
	for (char *c = msg; *c != '\0'; c++) // names may hold anything: nothing reaches a terminal
		if ((unsigned char)*c < 0x20 || *c == 0x7f)
			*c = '?';
	return we_error_set(v->err, WE_E_INVALID, offset, "%s", msg);
}

int cm_nomem(const struct cm_validator *v, uint64_t offset)
{
	return we_error_set(v->err, WE_E_NOMEM, offset, "out of memory");
}

int cm_type_failed(
	const struct cm_validator *v, int rc, const struct cm_type *type, uint64_t offset)
{
	const char *excess = NULL;

	if (rc >= 0 || (v->err != NULL && v->err->rc == rc))
		return rc; // done, or told already
	if (rc == WE_E_NOMEM)
		return cm_nomem(v, offset);
	if (type != NULL)
		excess = cm_type_excess(type);
	return we_error_set(v->err, rc, offset, "type %s",
		excess != NULL ? excess : "checking takes more steps than the limit allows");
}

static const struct {
	const char *text;
	bool is_refused_here;
} features[CM_FEATURE_N] = {
#define VALIDATION                      true
#define INSTANTIATION                   false
#define CM_FEATURE(NAME, text, refused) {text, refused},
#include "feature.def"
#undef CM_FEATURE
#undef INSTANTIATION
#undef VALIDATION
};

const char *cm_feature_name(enum cm_feature feature)
{
	return features[feature].text;
}

void cm_use(struct cm_validator *v, enum cm_feature feature, uint64_t offset)
{
	if (features[feature].is_refused_here && v->refused == CM_FEATURE_BASE) {
		v->refused = feature;
		v->refused_offset = offset;
	}
	if (!features[feature].is_refused_here && v->root->refused == CM_FEATURE_BASE) {
		v->root->refused = feature;
		v->root->refused_offset = offset;
	}
}

int cm_spend_steps(struct cm_validator *v, uint64_t n, uint64_t offset)
{
	if (n >= v->steps_left)
		return cm_invalid(
			v, offset, "checking types takes more than %d steps", CM_MAX_TYPE_STEPS);
	v->steps_left -= (uint32_t)n;
	return 0;
}

int cm_name_dup(
	struct cm_validator *v, struct we_bytes bytes, uint64_t offset, struct cm_name *ret_name)
{
	char *text = we_arena_alloc(v->arena, bytes.len + 1);

	if (text == NULL)
		return cm_nomem(v, offset);
	if (bytes.len > 0)
		memcpy(text, bytes.data, bytes.len);
	*ret_name = (struct cm_name){text, (uint32_t)bytes.len};
	return 0;
}

// ---- scopes -------------------------------------------------------------------------------------

void cm_scope_fini(struct cm_scope *scope)
{
	for (int sort = 0; sort < CM_SORT_N; sort++)
		we_vec_fini(&scope->spaces[sort]);
	we_vec_fini(&scope->defs);
	we_vec_fini(&scope->imports);
	we_vec_fini(&scope->exports);
	cm_namespace_fini(&scope->import_names);
	cm_namespace_fini(&scope->export_names);
	cm_ptr_map_fini(&scope->import_visible);
	cm_ptr_map_fini(&scope->export_visible);
	we_vec_fini(&scope->bound_imports);
	we_vec_fini(&scope->bound_exports);
	cm_ptr_map_fini(&scope->local_resources);
}

struct cm_scope *cm_scope_out(struct cm_scope *scope, uint32_t n_out)
{
	while (n_out > 0 && scope != NULL) {
		scope = scope->parent;
		n_out--;
	}
	return scope;
}

int cm_scope_item(const struct cm_validator *v, const struct cm_scope *scope, enum cm_sort sort,
	uint32_t idx, uint64_t offset, const struct cm_item **ret_item)
{
	const struct we_vec *space = &scope->spaces[sort];

	if (idx >= space->len)
		return cm_invalid(v, offset, "unknown %s %u: %s index out of bounds, there are %zu",
			cm_sort_name(sort), idx, cm_sort_name(sort), space->len);
	*ret_item = (const struct cm_item *)space->data + idx;
	return 0;
}

int cm_scope_push(struct cm_validator *v, struct cm_scope *scope, enum cm_sort sort,
	const struct cm_item *item, uint64_t offset)
{
	struct cm_item *slot = we_vec_add(&scope->spaces[sort], sizeof(*slot));

	if (slot == NULL)
		return cm_nomem(v, offset);
	*slot = *item;
	return 0;
}

int cm_scope_define(struct cm_validator *v, struct cm_scope *scope, enum cm_defkind kind,
	enum cm_sort sort, uint64_t offset, struct cm_def **ret_def)
{
	struct cm_def *def;

	*ret_def = NULL;
	if (scope->component == NULL)
		return 0;
	def = we_vec_add(&scope->defs, sizeof(*def));
	if (def == NULL)
		return cm_nomem(v, offset);
	def->kind = kind;
	def->sort = sort;
	def->idx = (uint32_t)scope->spaces[sort].len;
	def->offset = offset;
	*ret_def = def;
	return 0;
}

// ---- the type of a scope ------------------------------------------------------------------------

static int keep(struct cm_validator *v, const struct we_vec *vec, size_t elem_bytes,
	uint64_t offset, const void **ret_copy)
{
	void *copy = we_arena_array(v->arena, vec->len, elem_bytes);

	if (copy == NULL)
		return cm_nomem(v, offset);
	if (vec->len > 0)
		memcpy(copy, vec->data, vec->len * elem_bytes);
	*ret_copy = copy;
	return 0;
}

struct free_resources {
	struct cm_ptr_map mentioned;
	struct cm_ptr_map bound;
	struct cm_ptr_map seen;
};

static void free_resources_fini(struct free_resources *f)
{
	cm_ptr_map_fini(&f->mentioned);
	cm_ptr_map_fini(&f->bound);
	cm_ptr_map_fini(&f->seen);
}

static int collect_free(struct free_resources *f, const struct cm_extern *externs, size_t n)
{
	int rc = 0;

	for (size_t i = 0; rc == 0 && i < n; i++)
		rc = cm_type_free_resources(externs[i].type, &f->mentioned, &f->bound, &f->seen);
	return rc;
}

static bool mentions(const struct free_resources *f, const struct cm_type *resource)
{
	return cm_ptr_map_get(&f->mentioned, resource) != NULL &&
	       cm_ptr_map_get(&f->bound, resource) == NULL;
}

// Collect the resources that are exported as such, also by instances among the exports; the instances
// themselves are collected, too, so that each is walked once.
static int collect_exported(struct cm_ptr_map *exported, const struct cm_extern *externs, size_t n)
{
	int rc = 0;

	for (size_t i = 0; rc == 0 && i < n; i++) {
		const struct cm_type *type = externs[i].type;

		if (externs[i].sort == CM_SORT_INSTANCE && cm_ptr_map_get(exported, type) == NULL) {
			rc = cm_ptr_map_put(exported, type, type);
			if (rc == 0)
				rc = collect_exported(
					exported, type->face->exports, type->face->n_exports);
		} else if (externs[i].sort == CM_SORT_TYPE && type->kind == CM_TYPE_RESOURCE) {
			rc = cm_ptr_map_put(exported, cm_type_root(type), type);
		}
	}
	return rc;
}

// Imports come first for whoever instantiates: they must not mention a resource that is introduced after them.
static int check_imports(struct cm_validator *v, const struct cm_scope *scope, uint64_t offset)
{
	const struct cm_type *const *bound = scope->bound_exports.data;
	struct free_resources f = {0};
	int rc;

	if (scope->bound_exports.len == 0)
		return 0;
	rc = collect_free(&f, scope->imports.data, scope->imports.len);
	if (rc < 0)
		rc = cm_nomem(v, offset);
	for (size_t i = 0; rc == 0 && i < scope->bound_exports.len; i++)
		if (mentions(&f, bound[i]))
			rc = cm_invalid(v, offset, "%s resource type found in imports",
				scope->component == NULL ? "exported" : "local");
	free_resources_fini(&f);
	return rc;
}

// What a component defines may be mentioned by its exports only together with a name. Of the resources it
// defines, keep those that its exports mention.
static int close_component(struct cm_validator *v, struct cm_scope *scope, uint64_t offset)
{
	const struct cm_type **bound = scope->bound_exports.data;
	struct cm_ptr_map exported = {0};
	struct free_resources f = {0};
	size_t n_kept = 0;
	int rc;

	rc = collect_free(&f, scope->exports.data, scope->exports.len);
	if (rc == 0)
		rc = collect_exported(&exported, scope->exports.data, scope->exports.len);
	if (rc < 0)
		rc = cm_nomem(v, offset);
	for (size_t i = 0; rc == 0 && i < scope->bound_exports.len; i++) {
		if (!mentions(&f, bound[i]))
			continue;
		if (cm_ptr_map_get(&exported, bound[i]) == NULL)
			rc = cm_invalid(v, offset,
				"local resource type found in export but not exported itself");
		bound[n_kept++] = bound[i];
	}
	scope->bound_exports.len = n_kept;
	free_resources_fini(&f);
	cm_ptr_map_fini(&exported);
	return rc;
}

int cm_scope_type(struct cm_validator *v, struct cm_scope *scope, uint64_t offset,
	const struct cm_type **ret_type)
{
	struct cm_interface *face = we_arena_alloc(v->arena, sizeof(*face));
	int rc;

	if (face == NULL)
		return cm_nomem(v, offset);
	rc = check_imports(v, scope, offset);
	if (rc == 0 && scope->component != NULL)
		rc = close_component(v, scope, offset);
	if (rc < 0)
		return rc;
	face->n_imports = (uint32_t)scope->imports.len;
	face->n_exports = (uint32_t)scope->exports.len;
	face->n_bound_imports = (uint32_t)scope->bound_imports.len;
	face->n_bound_exports = (uint32_t)scope->bound_exports.len;
	rc = keep(v, &scope->imports, sizeof(struct cm_extern), offset,
		(const void **)&face->imports);
	if (rc == 0)
		rc = keep(v, &scope->exports, sizeof(struct cm_extern), offset,
			(const void **)&face->exports);
	if (rc == 0)
		rc = keep(v, &scope->bound_imports, sizeof(struct cm_type *), offset,
			(const void **)&face->bound_imports);
	if (rc == 0)
		rc = keep(v, &scope->bound_exports, sizeof(struct cm_type *), offset,
			(const void **)&face->bound_exports);
	if (rc < 0)
		return rc;
	rc = cm_type_create_interface(v->arena, scope->kind, face, ret_type);
	return cm_type_failed(v, rc, *ret_type, offset);
}

// ---- aliases ------------------------------------------------------------------------------------

static int validate_alias_export(
	struct cm_validator *v, struct cm_scope *scope, const struct cm_syntax_item *item)
{
	const enum cm_sort sort = item->of.alias.sort;
	const struct cm_name name = item->of.alias.name;
	const struct cm_item *instance = NULL;
	const struct cm_extern *export;
	struct cm_item aliased = {0};
	struct cm_def *def = NULL;
	int rc;

	if (scope->component == NULL && sort != CM_SORT_TYPE && sort != CM_SORT_INSTANCE)
		return cm_invalid(v, item->offset,
			"export aliases in a type may only refer to types or instances, found %s",
			cm_sort_name(sort));
	rc = cm_scope_item(v, scope, CM_SORT_INSTANCE, item->of.alias.idx, item->offset, &instance);
	if (rc == 0)
		rc = cm_spend_steps(v, instance->type->face->n_exports / 16 + 1, item->offset);
	if (rc < 0)
		return rc;
	export = cm_interface_export(instance->type->face, name.text, name.len);
	if (export == NULL)
		return cm_invalid(v, item->offset, "instance %u has no export named `%s`",
			item->of.alias.idx, name.text);
	if (export->sort != sort)
		return cm_invalid(v, item->offset,
			"export `%s` for instance %u is not a %s, but a %s", name.text,
			item->of.alias.idx, cm_sort_name(sort), cm_sort_name(export->sort));
	aliased.type = export->type;
	aliased.module = export->module;
	rc = cm_scope_define(v, scope, CM_DEF_ALIAS_EXPORT, sort, item->offset, &def);
	if (rc < 0)
		return rc;
	if (def != NULL) {
		def->of.alias.idx = item->of.alias.idx;
		def->of.alias.name = name;
	}
	return cm_scope_push(v, scope, sort, &aliased, item->offset);
}

static bool is_sort_of(enum cm_sort sort, enum we_externkind kind)
{
	switch (kind) {
	case WE_EXTERN_FUNC:
		return sort == CM_SORT_CORE_FUNC;
	case WE_EXTERN_TABLE:
		return sort == CM_SORT_CORE_TABLE;
	case WE_EXTERN_MEMORY:
		return sort == CM_SORT_CORE_MEMORY;
	case WE_EXTERN_GLOBAL:
		return sort == CM_SORT_CORE_GLOBAL;
	case WE_EXTERN_TAG:
		return sort == CM_SORT_CORE_TAG;
	}
	return false;
}

static int validate_alias_core_export(
	struct cm_validator *v, struct cm_scope *scope, const struct cm_syntax_item *item)
{
	const enum cm_sort sort = item->of.alias.sort;
	const struct cm_name name = item->of.alias.name;
	const struct cm_item *instance = NULL;
	const struct cm_coreextern *export;
	struct cm_item aliased = {0};
	struct cm_def *def = NULL;
	int rc;

	if (scope->component == NULL)
		return cm_invalid(v, item->offset,
			"export aliases in a type may only refer to types or instances, found a "
			"core export");
	rc = cm_scope_item(
		v, scope, CM_SORT_CORE_INSTANCE, item->of.alias.idx, item->offset, &instance);
	if (rc == 0)
		rc = cm_spend_steps(v, instance->module->n_exports / 16 + 1, item->offset);
	if (rc < 0)
		return rc;
	export = cm_core_export(instance, name);
	if (export == NULL)
		return cm_invalid(v, item->offset, "core instance %u has no export named `%s`",
			item->of.alias.idx, name.text);
	if (!is_sort_of(sort, export->type.kind))
		return cm_invalid(v, item->offset, "export `%s` for core instance %u is not a %s",
			name.text, item->of.alias.idx, cm_sort_name(sort) + strlen("core "));
	aliased.core = export->type;
	rc = cm_scope_define(v, scope, CM_DEF_ALIAS_CORE_EXPORT, sort, item->offset, &def);
	if (rc < 0)
		return rc;
	def->of.alias.idx = item->of.alias.idx;
	def->of.alias.name = name;
	return cm_scope_push(v, scope, sort, &aliased, item->offset);
}

// A type that crosses the boundary of a component must not mention that component's resources.
static int check_crossing(struct cm_validator *v, const struct cm_scope *scope, uint32_t n_out,
	const struct cm_item *outer, uint64_t offset)
{
	struct free_resources f = {0};
	const struct cm_extern ext = {.type = outer->type};
	bool is_crossing = false;
	bool is_refused = false;
	int rc;

	for (; n_out > 0; n_out--, scope = scope->parent)
		is_crossing |= scope->component != NULL;
	if (!is_crossing || (outer->type->traits & CM_TRAIT_RESOURCE) == 0)
		return 0;
	rc = cm_spend_steps(v, outer->type->weight, offset);
	if (rc < 0)
		return rc;
	rc = collect_free(&f, &ext, 1);
	for (size_t i = 0; rc == 0 && i < f.mentioned.cap; i++) {
		const void *resource = cm_ptr_map_key(&f.mentioned, i);

		is_refused |= resource != NULL && cm_ptr_map_get(&f.bound, resource) == NULL;
	}
	free_resources_fini(&f);
	if (rc < 0)
		return cm_nomem(v, offset);
	return is_refused ? cm_invalid(v, offset,
				    "cannot alias outer type which transitively refers to "
				    "resources not defined in the current component")
			  : 0;
}

static int validate_alias_outer(
	struct cm_validator *v, struct cm_scope *scope, const struct cm_syntax_item *item)
{
	const enum cm_sort sort = item->of.alias.sort;
	const struct cm_item *outer = NULL;
	const struct cm_scope *target;
	struct cm_item aliased;
	struct cm_def *def = NULL;
	int rc;

	if (scope->component == NULL && sort != CM_SORT_TYPE && sort != CM_SORT_CORE_TYPE)
		return cm_invalid(v, item->offset,
			"outer aliases in a type may only refer to types or instances, found %s",
			cm_sort_name(sort));
	target = cm_scope_out(scope, item->of.alias.n_out);
	if (target == NULL)
		return cm_invalid(
			v, item->offset, "invalid outer alias count of %u", item->of.alias.n_out);
	rc = cm_scope_item(v, target, sort, item->of.alias.idx, item->offset, &outer);
	if (rc == 0 && sort == CM_SORT_TYPE)
		rc = check_crossing(v, scope, item->of.alias.n_out, outer, item->offset);
	if (rc == 0)
		rc = cm_scope_define(v, scope, CM_DEF_ALIAS_OUTER, sort, item->offset, &def);
	if (rc < 0)
		return rc;
	if (def != NULL) {
		def->of.outer.n_out = item->of.alias.n_out;
		def->of.outer.idx = item->of.alias.idx;
	}
	aliased = *outer; // pushing may move the space that outer lies in
	return cm_scope_push(v, scope, sort, &aliased, item->offset);
}

// ---- instances ----------------------------------------------------------------------------------

static int check_args(struct cm_validator *v, const struct cm_scope *scope,
	const struct cm_syntax_item *item, struct cm_extern *ret_given)
{
	struct cm_name_set names = {0};
	int rc = 0;

	for (uint32_t i = 0; rc == 0 && i < item->of.instance.n_args; i++) {
		const struct cm_arg *arg = &item->of.instance.args[i];
		struct cm_name earlier;

		rc = cm_name_set_add_exact(&names, arg->name, &earlier);
		if (rc == CM_NAME_TAKEN)
			rc = cm_invalid(v, item->offset,
				"instantiation argument `%s` conflicts with previous argument `%s`",
				arg->name.text, earlier.text);
		else if (rc < 0)
			rc = cm_nomem(v, item->offset);
		ret_given[i].name = arg->name;
		if (rc == 0)
			rc = cm_extern_of_item(
				v, scope, arg->sort, arg->idx, item->offset, &ret_given[i]);
	}
	cm_name_set_fini(&names);
	return rc;
}

static const struct cm_extern *find_given(
	const struct cm_extern *given, uint32_t n, struct cm_name name)
{
	for (uint32_t i = 0; i < n; i++)
		if (given[i].name.len == name.len &&
			memcmp(given[i].name.text, name.text, name.len) == 0)
			return &given[i];
	return NULL;
}

// Each import of the component must be given, and given what it asks for.
static int match_imports(struct cm_validator *v, struct cm_matcher *m,
	const struct cm_syntax_item *item, const struct cm_interface *face,
	const struct cm_extern *given)
{
	int rc = cm_matcher_introduce(m, face->bound_imports, face->n_bound_imports);

	for (uint32_t i = 0; rc == 0 && i < face->n_imports; i++) {
		const struct cm_extern *import = &face->imports[i];
		const struct cm_extern *found =
			find_given(given, item->of.instance.n_args, import->name);

		if (found == NULL)
			return cm_invalid(
				v, item->offset, "missing import named `%s`", import->name.text);
		rc = cm_matcher_extern(m, found, import);
		if (rc == CM_TYPE_DIFFERS)
			return cm_invalid(v, item->offset, "type mismatch for import `%s`: %s",
				import->name.text, m->detail);
	}
	return rc;
}

// A type that is imported, or exported by an imported instance, becomes the type that is given for it.
static int replace_given(
	struct cm_subst *s, const struct cm_extern *given, const struct cm_extern *import)
{
	int rc = 0;

	if (import->sort == CM_SORT_TYPE)
		return cm_subst_replace(s, import->type, given->type);
	if (import->sort != CM_SORT_INSTANCE)
		return 0;
	for (uint32_t i = 0; rc == 0 && i < import->type->face->n_exports; i++) {
		const struct cm_extern *inner = &import->type->face->exports[i];

		rc = replace_given(s,
			cm_interface_export(given->type->face, inner->name.text, inner->name.len),
			inner);
	}
	return rc;
}

// The type of the new instance: what was imported is what was given, what it defines is fresh.
static int type_of_instantiation(struct cm_validator *v, struct cm_scope *scope,
	const struct cm_syntax_item *item, const struct cm_extern *given,
	const struct cm_interface *face, const struct cm_type **ret_type)
{
	struct cm_interface *exports = we_arena_alloc(v->arena, sizeof(*exports));
	struct cm_subst subst;
	int rc = 0;

	if (exports == NULL)
		return WE_E_NOMEM;
	cm_subst_init(&subst, v->arena, &v->nodes_left);
	for (uint32_t i = 0; rc == 0 && i < face->n_imports; i++)
		rc = replace_given(&subst,
			find_given(given, item->of.instance.n_args, face->imports[i].name),
			&face->imports[i]);
	for (uint32_t i = 0; rc == 0 && i < face->n_bound_exports; i++) {
		const struct cm_type **bound =
			we_vec_add(&scope->bound_exports, sizeof(struct cm_type *));

		rc = bound == NULL ? WE_E_NOMEM
				   : cm_subst_refresh(&subst, face->bound_exports[i], bound);
	}
	exports->n_exports = face->n_exports;
	if (rc == 0)
		rc = cm_subst_externs(&subst, face->exports, face->n_exports, &exports->exports);
	cm_subst_fini(&subst);
	return rc < 0 ? rc
		      : cm_type_create_interface(v->arena, CM_TYPE_INSTANCE, exports, ret_type);
}

static int instantiate_component(struct cm_validator *v, struct cm_scope *scope,
	const struct cm_syntax_item *item, const struct cm_type **ret_type)
{
	const uint32_t n_args = item->of.instance.n_args;
	const struct cm_item *component = NULL;
	const struct cm_interface *face;
	struct cm_extern *given;
	struct cm_matcher m;
	char detail[100];
	int rc;

	rc = cm_scope_item(
		v, scope, CM_SORT_COMPONENT, item->of.instance.idx, item->offset, &component);
	if (rc < 0)
		return rc;
	face = component->type->face;
	rc = cm_spend_steps(v, (n_args / 16 + UINT64_C(1)) * face->n_imports, item->offset);
	given = we_arena_array(v->arena, n_args, sizeof(*given));
	if (given == NULL)
		return cm_nomem(v, item->offset);
	if (rc == 0)
		rc = check_args(v, scope, item, given);
	if (rc < 0)
		return rc;
	cm_matcher_init(&m, v->steps_left, detail, sizeof(detail));
	rc = match_imports(v, &m, item, face, given);
	v->steps_left = m.steps;
	if (rc == 0)
		rc = type_of_instantiation(v, scope, item, given, face, ret_type);
	cm_matcher_fini(&m);
	return cm_type_failed(v, rc, *ret_type, item->offset);
}

static int bundle_exports(struct cm_validator *v, struct cm_scope *scope,
	const struct cm_syntax_item *item, const struct cm_type **ret_type)
{
	const uint32_t n = item->of.instance.n_args;
	struct cm_interface *face = we_arena_alloc(v->arena, sizeof(*face));
	struct cm_extern *exports = we_arena_array(v->arena, n, sizeof(*exports));
	struct cm_namespace names = {0};
	int rc = 0;

	if (face == NULL || exports == NULL)
		return cm_nomem(v, item->offset);
	for (uint32_t i = 0; rc == 0 && i < n; i++) {
		const struct cm_arg *arg = &item->of.instance.args[i];
		exports[i].name = arg->name;
		exports[i].decl_offset = item->offset;
		rc = cm_extern_of_item(v, scope, arg->sort, arg->idx, item->offset, &exports[i]);
		exports[i].implements = item->of.instance.names[i].implements;
		if (rc == 0)
			rc = cm_validate_extern_name(v, &item->of.instance.names[i], &exports[i],
				"export", &names, item->offset);
	}
	cm_namespace_fini(&names);
	face->exports = exports;
	face->n_exports = n;
	if (rc == 0)
		rc = cm_type_create_interface(v->arena, CM_TYPE_INSTANCE, face, ret_type);
	return cm_type_failed(v, rc, *ret_type, item->offset);
}

static int validate_instance(
	struct cm_validator *v, struct cm_scope *scope, const struct cm_syntax_item *item)
{
	const bool is_inline = item->of.instance.is_inline;
	struct cm_item instance = {0};
	struct cm_def *def = NULL;
	int rc;

	rc = is_inline ? bundle_exports(v, scope, item, &instance.type)
		       : instantiate_component(v, scope, item, &instance.type);
	if (rc == 0)
		rc = cm_scope_define(v, scope, is_inline ? CM_DEF_INSTANCE : CM_DEF_INSTANTIATE,
			CM_SORT_INSTANCE, item->offset, &def);
	if (rc < 0)
		return rc;
	def->of.instantiate.idx = item->of.instance.idx;
	def->of.instantiate.args = item->of.instance.args;
	def->of.instantiate.n_args = item->of.instance.n_args;
	return cm_scope_push(v, scope, CM_SORT_INSTANCE, &instance, item->offset);
}

// ---- components ---------------------------------------------------------------------------------

static int validate_body(struct cm_validator *v, struct cm_scope *parent,
	struct cm_component *component, const struct cm_syntax_items *body)
{
	struct cm_scope scope = {
		.parent = parent, .kind = CM_TYPE_COMPONENT, .component = component};
	int rc;

	component->parent = parent == NULL ? NULL : parent->component;
	component->root = v->root;
	rc = cm_validate_items(v, &scope, body);
	if (rc == 0)
		rc = cm_scope_type(v, &scope, component->offset, &component->type);
	if (rc == 0)
		rc = keep(v, &scope.defs, sizeof(struct cm_def), component->offset,
			(const void **)&component->defs);
	component->n_defs = (uint32_t)scope.defs.len;
	for (int sort = 0; sort < CM_SORT_N; sort++)
		component->n_items[sort] = (uint32_t)scope.spaces[sort].len;
	cm_scope_fini(&scope);
	return rc;
}

static int validate_component(
	struct cm_validator *v, struct cm_scope *scope, const struct cm_syntax_item *item)
{
	struct cm_component *component = we_arena_alloc(v->arena, sizeof(*component));
	struct cm_item component_item = {0};
	struct cm_def *def = NULL;
	int rc;

	if (component == NULL)
		return cm_nomem(v, item->offset);
	component->offset = item->offset;
	component->len_bytes = item->of.component.bytes.len;
	v->root->stats.n_components++;
	rc = validate_body(v, scope, component, &item->of.component.body);
	if (rc == 0)
		rc = cm_scope_define(
			v, scope, CM_DEF_COMPONENT, CM_SORT_COMPONENT, item->offset, &def);
	if (rc < 0)
		return rc;
	def->of.component = component;
	component_item.type = component->type;
	return cm_scope_push(v, scope, CM_SORT_COMPONENT, &component_item, item->offset);
}

static int validate_item(
	struct cm_validator *v, struct cm_scope *scope, const struct cm_syntax_item *item)
{
	static const struct cm_item none;

	switch (item->kind) {
	case CM_ITEM_CORE_MODULE:
		return cm_validate_core_module(v, scope, item);
	case CM_ITEM_CORE_INSTANCE:
		return cm_validate_core_instance(v, scope, item);
	case CM_ITEM_CORE_TYPE:
		return cm_validate_core_type(v, scope, item);
	case CM_ITEM_COMPONENT:
		return validate_component(v, scope, item);
	case CM_ITEM_INSTANCE:
		return validate_instance(v, scope, item);
	case CM_ITEM_ALIAS_EXPORT:
		return validate_alias_export(v, scope, item);
	case CM_ITEM_ALIAS_CORE_EXPORT:
		return validate_alias_core_export(v, scope, item);
	case CM_ITEM_ALIAS_OUTER:
		return validate_alias_outer(v, scope, item);
	case CM_ITEM_TYPE:
		return cm_validate_type(v, scope, item);
	case CM_ITEM_LIFT:
	case CM_ITEM_LOWER:
	case CM_ITEM_CANON:
		return cm_validate_canon(v, scope, item);
	case CM_ITEM_START:
		cm_use(v, CM_FEATURE_VALUES, item->offset);
		return 0;
	case CM_ITEM_VALUE:
		cm_use(v, CM_FEATURE_VALUES, item->offset);
		return cm_scope_push(v, scope, CM_SORT_VALUE, &none, item->offset);
	case CM_ITEM_IMPORT:
		return cm_validate_import(v, scope, item);
	case CM_ITEM_EXPORT:
		return cm_validate_export(v, scope, item);
	case CM_ITEM_EXPORT_DECL:
		return cm_validate_export_decl(v, scope, item);
	}
	return 0;
}

int cm_validate_items(
	struct cm_validator *v, struct cm_scope *scope, const struct cm_syntax_items *body)
{
	int rc = 0;

	for (uint32_t i = 0; rc == 0 && i < body->n; i++)
		rc = validate_item(v, scope, &body->items[i]);
	return rc;
}

int cm_validate(struct we_engine *engine, struct cm_component_root *root,
	const struct cm_syntax_items *body, struct we_error *err)
{
	struct cm_validator v = {
		.engine = engine,
		.arena = &root->arena,
		.root = root,
		.err = err,
		.nodes_left = CM_MAX_TYPE_NODES,
		.steps_left = CM_MAX_TYPE_STEPS,
		.refused = CM_FEATURE_BASE,
	};
	int rc;

	rc = validate_body(&v, NULL, &root->component, body);
	if (rc == 0 && v.refused != CM_FEATURE_BASE)
		rc = we_error_set(
			err, WE_E_UNSUPPORTED, v.refused_offset, "%s", cm_feature_name(v.refused));
	return rc;
}
