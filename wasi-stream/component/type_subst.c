// SPDX-License-Identifier: BSD-3-Clause
// type_subst: see type_subst.h.
#include "type_subst.h"

#include "arena.h"

#include <string.h>

void cm_subst_init(struct cm_subst *s, struct we_arena *arena, uint32_t *nodes_left)
{
	*s = (struct cm_subst){.arena = arena, .nodes_left = nodes_left};
}

void cm_subst_fini(struct cm_subst *s)
{
	cm_ptr_map_fini(&s->images);
}

int cm_subst_replace(struct cm_subst *s, const struct cm_type *from, const struct cm_type *to)
{
	return cm_ptr_map_put(&s->images, from, to);
}

int cm_subst_refresh(
	struct cm_subst *s, const struct cm_type *from, const struct cm_type **ret_fresh)
{
	struct cm_type *fresh = we_arena_alloc(s->arena, sizeof(*fresh));

	if (fresh == NULL)
		return WE_E_NOMEM;
	*fresh = *from;
	*ret_fresh = fresh;
	return cm_subst_replace(s, from, fresh);
}

// n nodes, fields or externs more.
static int spend(struct cm_subst *s, uint32_t n)
{
	if (n >= *s->nodes_left)
		return WE_E_INVALID;
	*s->nodes_left -= n;
	return 0;
}

static int image_of(struct cm_subst *s, const struct cm_type **type, bool *is_changed)
{
	const struct cm_type *before = *type;
	int rc;

	if (before == NULL)
		return 0;
	rc = cm_subst_type(s, before, type);
	*is_changed |= *type != before;
	return rc;
}

static int subst_fields(struct cm_subst *s, struct cm_type *copy, bool *is_changed)
{
	struct cm_field *fields = NULL;
	int rc = spend(s, copy->n_fields);

	for (uint32_t i = 0; rc == 0 && i < copy->n_fields; i++) {
		const struct cm_type *image = copy->fields[i].type;
		bool is_field_changed = false;

		rc = image_of(s, &image, &is_field_changed);
		if (rc < 0 || !is_field_changed)
			continue;
		if (fields == NULL) { // the first that changes
			fields = we_arena_array(s->arena, copy->n_fields, sizeof(*fields));
			if (fields == NULL)
				return WE_E_NOMEM;
			memcpy(fields, copy->fields, copy->n_fields * sizeof(*fields));
			copy->fields = fields;
			*is_changed = true;
		}
		fields[i].type = image;
	}
	return rc;
}

static int subst_externs(
	struct cm_subst *s, const struct cm_extern **externs, uint32_t n, bool *is_changed)
{
	struct cm_extern *copy = NULL;
	int rc = spend(s, n);

	for (uint32_t i = 0; rc == 0 && i < n; i++) {
		const struct cm_type *image = (*externs)[i].type;
		bool is_extern_changed = false;

		rc = image_of(s, &image, &is_extern_changed);
		if (rc < 0 || !is_extern_changed)
			continue;
		if (copy == NULL) {
			copy = we_arena_array(s->arena, n, sizeof(*copy));
			if (copy == NULL)
				return WE_E_NOMEM;
			memcpy(copy, *externs, n * sizeof(*copy));
			*externs = copy;
			*is_changed = true;
		}
		copy[i].type = image;
	}
	return rc;
}

int cm_subst_externs(struct cm_subst *s, const struct cm_extern *externs, uint32_t n,
	const struct cm_extern **ret_externs)
{
	bool is_changed = false;

	*ret_externs = externs;
	return subst_externs(s, ret_externs, n, &is_changed);
}

static int subst_face(struct cm_subst *s, struct cm_type *copy, bool *is_changed)
{
	struct cm_interface face = *copy->face;
	struct cm_interface *kept;
	bool is_face_changed = false;
	int rc;

	rc = subst_externs(s, &face.imports, face.n_imports, &is_face_changed);
	if (rc == 0)
		rc = subst_externs(s, &face.exports, face.n_exports, &is_face_changed);
	if (rc < 0 || !is_face_changed)
		return rc;
	kept = we_arena_alloc(s->arena, sizeof(*kept));
	if (kept == NULL)
		return WE_E_NOMEM;
	*kept = face;
	copy->face = kept;
	*is_changed = true;
	return 0;
}

// Layout and flattening stay as they are: what replaces a type is equal to it but for resources.
static int subst_parts(struct cm_subst *s, struct cm_type *copy, bool *is_changed)
{
	int rc;

	rc = subst_fields(s, copy, is_changed);
	if (rc == 0)
		rc = image_of(s, &copy->elem, is_changed);
	if (rc == 0 && copy->face != NULL)
		rc = subst_face(s, copy, is_changed);
	if (rc == 0 && copy->named != NULL) {
		rc = image_of(s, &copy->named, is_changed);
		copy->root = cm_type_root(copy->named);
	}
	return rc;
}

int cm_subst_type(struct cm_subst *s, const struct cm_type *type, const struct cm_type **ret_type)
{
	struct cm_type parts = *type;
	const struct cm_type *image;
	bool is_changed = false;
	struct cm_type *copy;
	int rc;

	*ret_type = type;
	if ((type->traits & (CM_TRAIT_RESOURCE | CM_TRAIT_NAMED)) == 0)
		return 0;
	image = cm_ptr_map_get(&s->images, type);
	if (image != NULL) {
		*ret_type = image;
		return 0;
	}
	rc = spend(s, 1);
	if (rc == 0)
		rc = subst_parts(s, &parts, &is_changed);
	if (rc < 0)
		return rc;
	if (is_changed) {
		copy = we_arena_alloc(s->arena, sizeof(*copy));
		if (copy == NULL)
			return WE_E_NOMEM;
		*copy = parts;
		*ret_type = copy;
	}
	return cm_ptr_map_put(&s->images, type, *ret_type);
}

// ---- free resources -----------------------------------------------------------------------------

struct free_walk {
	struct cm_ptr_map *mentioned;
	struct cm_ptr_map *bound;
	struct cm_ptr_map *seen;
};

static int walk(const struct free_walk *w, const struct cm_type *type);

static int walk_externs(const struct free_walk *w, const struct cm_extern *externs, uint32_t n)
{
	int rc = 0;

	for (uint32_t i = 0; rc == 0 && i < n; i++)
		rc = walk(w, externs[i].type);
	return rc;
}

static int walk_bound(const struct free_walk *w, const struct cm_type *const *bound, uint32_t n)
{
	int rc = 0;

	for (uint32_t i = 0; rc == 0 && i < n; i++)
		rc = cm_ptr_map_put(w->bound, bound[i], bound[i]);
	return rc;
}

static int walk(const struct free_walk *w, const struct cm_type *type)
{
	const struct cm_interface *face;
	int rc;

	if (type == NULL || (type->traits & CM_TRAIT_RESOURCE) == 0 ||
		cm_ptr_map_get(w->seen, type) != NULL)
		return 0;
	rc = cm_ptr_map_put(w->seen, type, type);
	if (rc < 0)
		return rc;
	if (type->kind == CM_TYPE_RESOURCE)
		return cm_ptr_map_put(w->mentioned, cm_type_root(type), type);
	for (uint32_t i = 0; rc == 0 && i < type->n_fields; i++)
		rc = walk(w, type->fields[i].type);
	if (rc == 0)
		rc = walk(w, type->elem);
	face = type->face;
	if (rc < 0 || face == NULL)
		return rc;
	rc = walk_externs(w, face->imports, face->n_imports);
	if (rc == 0)
		rc = walk_externs(w, face->exports, face->n_exports);
	if (rc == 0)
		rc = walk_bound(w, face->bound_imports, face->n_bound_imports);
	return rc < 0 ? rc : walk_bound(w, face->bound_exports, face->n_bound_exports);
}

int cm_type_free_resources(const struct cm_type *type, struct cm_ptr_map *mentioned,
	struct cm_ptr_map *bound, struct cm_ptr_map *seen)
{
	const struct free_walk w = {mentioned, bound, seen};

	return walk(&w, type);
}
