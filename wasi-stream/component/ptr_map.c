// SPDX-License-Identifier: BSD-3-Clause
// ptr_map: see ptr_map.h. Open addressing, linear probing, at most half full.
#include "ptr_map.h"

#include <stdlib.h>

struct cm_ptr_slot {
	const void *key; // NULL: free
	const void *value;
};

void cm_ptr_map_fini(struct cm_ptr_map *map)
{
	free(map->slots);
	*map = (struct cm_ptr_map){0};
}

static struct cm_ptr_slot *slot_of(struct cm_ptr_slot *slots, size_t cap, const void *key)
{
	size_t at =
		(size_t)(((uintptr_t)key >> 4) * UINT64_C(0x9e3779b97f4a7c15) >> 20) & (cap - 1);

	while (slots[at].key != NULL && slots[at].key != key)
		at = (at + 1) & (cap - 1);
	return &slots[at];
}

static int grow(struct cm_ptr_map *map)
{
	const size_t cap = map->cap == 0 ? 16 : map->cap * 2;
	struct cm_ptr_slot *slots = calloc(cap, sizeof(*slots));

	if (slots == NULL)
		return WE_E_NOMEM;
	for (size_t i = 0; i < map->cap; i++)
		if (map->slots[i].key != NULL)
			*slot_of(slots, cap, map->slots[i].key) = map->slots[i];
	free(map->slots);
	map->slots = slots;
	map->cap = cap;
	return 0;
}

int cm_ptr_map_put(struct cm_ptr_map *map, const void *key, const void *value)
{
	struct cm_ptr_slot *slot;

	if (map->n >= map->cap / 2 && grow(map) < 0)
		return WE_E_NOMEM;
	slot = slot_of(map->slots, map->cap, key);
	if (slot->key == NULL)
		map->n++;
	*slot = (struct cm_ptr_slot){key, value};
	return 0;
}

const void *cm_ptr_map_get(const struct cm_ptr_map *map, const void *key)
{
	return map->cap == 0 ? NULL : slot_of(map->slots, map->cap, key)->value;
}

const void *cm_ptr_map_key(const struct cm_ptr_map *map, size_t i)
{
	return map->slots[i].key;
}
