// SPDX-License-Identifier: BSD-3-Clause
// we_tag: what exceptions are told apart by.
//
// Module path 4/6. Thread: the store's worker. Spec: core "Tag Instances".
#include <stdlib.h>

#include "runtime.h"

int we_tag_create(struct we_store *store, const struct we_functype *type, struct we_tag **ret_tag,
	struct we_error *err)
{
	struct we_tag *tag = calloc(1, sizeof(*tag));

	if (tag == NULL)
		return we_error_set(err, WE_E_NOMEM, 0, "no memory for a tag");
	tag->type = type;
	tag->store = store;
	tag->next = store->tags;
	store->tags = tag;
	*ret_tag = tag;
	return 0;
}

void we_tag_delete_newest(struct we_store *store)
{
	struct we_tag *tag = store->tags;

	store->tags = tag->next;
	free(tag);
}

const struct we_functype *we_tag_type(const struct we_tag *tag)
{
	return tag->type;
}
