// SPDX-License-Identifier: BSD-3-Clause
// component: creating and sharing components; what can be asked of one without instantiating it.
//
// Module path 5/6.
// Owns: the root of each component.
#include "component.h"

#include "component_root.h"
#include "decode.h"
#include "validate.h"

#include <stdlib.h>
#include <string.h>

static void root_destroy(struct cm_component_root *root)
{
	struct we_module **modules = root->modules.data;

	for (size_t i = 0; i < root->modules.len; i++)
		we_module_unref(modules[i]);
	we_vec_fini(&root->modules);
	we_arena_fini(&root->arena);
	free(root);
}

int cm_component_create(struct we_engine *engine, struct we_bytes bytes,
	struct cm_component **ret_component, struct we_error *err)
{
	struct we_error detail = {0}; // the caller's may be NULL, or hold an earlier failure
	struct cm_syntax_items body = {0};
	struct cm_component_root *root;
	int rc;

	root = calloc(1, sizeof(*root));
	if (root == NULL)
		return we_error_set(err, WE_E_NOMEM, 0, "out of memory");
	atomic_init(&root->n_refs, 1);
	root->refused = CM_FEATURE_BASE;
	root->component.len_bytes = bytes.len;
	rc = cm_decode(&root->arena, bytes, &body, &detail);
	if (rc == 0)
		rc = cm_validate(engine, root, &body, &detail);
	if (rc < 0) {
		root_destroy(root);
		if (err != NULL)
			*err = detail;
		return rc;
	}
	root->stats.n_imports = root->component.type->face->n_imports;
	root->stats.n_exports = root->component.type->face->n_exports;
	*ret_component = &root->component;
	return 0;
}

struct cm_component *cm_component_ref(struct cm_component *component)
{
	atomic_fetch_add_explicit(&component->root->n_refs, 1, memory_order_relaxed);
	return component;
}

void cm_component_unref(struct cm_component *component)
{
	if (component == NULL)
		return;
	if (atomic_fetch_sub_explicit(&component->root->n_refs, 1, memory_order_acq_rel) == 1)
		root_destroy(component->root);
}

void cm_component_stats(const struct cm_component *component, struct cm_component_stats *ret_stats)
{
	*ret_stats = component->root->stats;
}

struct we_module *cm_component_core_module(const struct cm_component *component, uint32_t i)
{
	struct we_module *const *modules = component->root->modules.data;

	return i < component->root->modules.len ? modules[i] : NULL;
}

int cm_component_compile(struct cm_component *component, struct we_error *err)
{
	struct we_module *const *modules = component->root->modules.data;
	bool is_whole = true;

	for (size_t i = 0; i < component->root->modules.len; i++) {
		const int rc = we_module_compile(modules[i], err);

		if (rc < 0)
			return rc;
		is_whole = is_whole && rc == 0;
	}
	return is_whole ? 0 : 1;
}

void cm_component_jit_stats(const struct cm_component *component, struct we_jit_stats *ret_stats)
{
	struct we_module *const *modules = component->root->modules.data;

	*ret_stats = (struct we_jit_stats){0};
	for (size_t i = 0; i < component->root->modules.len; i++) {
		struct we_jit_stats stats;

		we_module_jit_stats(modules[i], &stats);
		we_jit_stats_add(ret_stats, &stats);
	}
}

const char *cm_component_import_name(const struct cm_component *component, uint32_t i)
{
	const struct cm_interface *face = component->type->face;

	return i < face->n_imports ? face->imports[i].name.text : NULL;
}

const char *cm_component_export_name(const struct cm_component *component, uint32_t i)
{
	const struct cm_interface *face = component->type->face;

	return i < face->n_exports ? face->exports[i].name.text : NULL;
}

enum cm_feature cm_component_refused(const struct cm_component *component, uint64_t *ret_offset)
{
	*ret_offset = component->root->refused_offset;
	return component->root->refused;
}
