// SPDX-License-Identifier: BSD-3-Clause
// The interfaces that a host offers. Module path 5.
#include "linker.h"

#include <stdlib.h>
#include <string.h>

int cm_linker_create(struct we_engine *engine, struct cm_linker **ret_linker, struct we_error *err)
{
	struct cm_linker *linker = calloc(1, sizeof(*linker));

	if (!linker)
		return we_error_set(err, WE_E_NOMEM, 0, "out of memory");
	linker->engine = engine;
	linker->last = &linker->offers;
	*ret_linker = linker;
	return 0;
}

void cm_linker_destroy(struct cm_linker *linker)
{
	if (!linker)
		return;
	we_arena_fini(&linker->arena);
	free(linker);
}

static bool name_is(struct cm_name name, const char *text)
{
	return strlen(text) == name.len && memcmp(name.text, text, name.len) == 0;
}

static int copy_name(struct cm_linker *linker, const char *text, struct cm_name *ret_name)
{
	const size_t len = strlen(text);
	char *copy = we_arena_alloc(&linker->arena, len + 1);

	if (!copy)
		return WE_E_NOMEM;
	memcpy(copy, text, len);
	*ret_name = (struct cm_name){.text = copy, .len = (uint32_t)len};
	return 0;
}

static int copy_funcs(struct cm_linker *linker, struct cm_offer *offer,
	const struct cm_host_func *funcs, uint32_t n_funcs)
{
	struct cm_host_func *copies = we_arena_array(&linker->arena, n_funcs, sizeof(*copies));
	int rc = copies ? 0 : WE_E_NOMEM;

	for (uint32_t i = 0; i < n_funcs && rc == 0; i++) {
		struct cm_name name;

		rc = copy_name(linker, funcs[i].name, &name);
		if (rc == 0)
			copies[i] = (struct cm_host_func){.name = name.text, .fn = funcs[i].fn};
	}
	offer->funcs = copies;
	offer->n_funcs = n_funcs;
	return rc;
}

// Functions of the interface and rows belong together one to one.
static int check_rows(const struct cm_offer *offer, struct we_error *err)
{
	const struct cm_interface *face = offer->type->face;

	for (uint32_t i = 0; i < face->n_exports; i++) {
		const struct cm_extern *decl = &face->exports[i];

		if (decl->sort == CM_SORT_FUNC && !cm_offer_func(offer, decl->name))
			return we_error_set(err, WE_E_INVALID, 0, "%s: function %s has no row",
				offer->name.text, decl->name.text);
	}
	for (uint32_t i = 0; i < offer->n_funcs; i++) {
		const char *name = offer->funcs[i].name;
		const struct cm_extern *decl = cm_interface_export(face, name, strlen(name));

		if (!decl || decl->sort != CM_SORT_FUNC)
			return we_error_set(
				err, WE_E_INVALID, 0, "%s: no function %s", offer->name.text, name);
	}
	return 0;
}

int cm_linker_define(struct cm_linker *linker, const char *interface_name, const char *wit,
	const struct cm_host_func *funcs, uint32_t n_funcs, struct we_error *err)
{
	struct cm_offer *offer = we_arena_alloc(&linker->arena, sizeof(*offer));
	int rc;

	if (!offer)
		return we_error_set(err, WE_E_NOMEM, 0, "out of memory");
	rc = copy_name(linker, interface_name, &offer->name);
	if (rc == 0)
		rc = copy_funcs(linker, offer, funcs, n_funcs);
	if (rc < 0)
		return we_error_set(err, rc, 0, "out of memory");
	if (cm_linker_find(linker, offer->name))
		return we_error_set(err, WE_E_INVALID, 0, "%s: defined twice", interface_name);
	rc = cm_wit_parse(&linker->arena, wit, &offer->type, err);
	if (rc == 0)
		rc = check_rows(offer, err);
	if (rc < 0)
		return rc;
	*linker->last = offer;
	linker->last = &offer->next;
	return 0;
}

const struct cm_offer *cm_linker_find(const struct cm_linker *linker, struct cm_name name)
{
	const struct cm_offer *offer = linker ? linker->offers : NULL;

	while (offer && !name_is(name, offer->name.text))
		offer = offer->next;
	return offer;
}

const struct cm_host_func *cm_offer_func(const struct cm_offer *offer, struct cm_name name)
{
	for (uint32_t i = 0; i < offer->n_funcs; i++) {
		if (name_is(name, offer->funcs[i].name))
			return &offer->funcs[i];
	}
	return NULL;
}

int cm_linker_blame(
	const struct cm_linker *linker, struct cm_name name, uint64_t offset, struct we_error *err)
{
	const struct cm_offer *offer = linker ? linker->offers : NULL;
	char offered[256] = "nothing";
	size_t len = 0;

	for (; offer && len + offer->name.len + 3 < sizeof(offered); offer = offer->next) {
		if (len > 0) {
			memcpy(offered + len, ", ", 2);
			len += 2;
		}
		memcpy(offered + len, offer->name.text, offer->name.len + 1);
		len += offer->name.len;
	}
	return we_error_set(err, WE_E_UNLINKABLE, offset, "import %s is not offered; offered: %s",
		name.text, offered);
}
