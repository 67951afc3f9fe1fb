// SPDX-License-Identifier: BSD-3-Clause
// cm_link: intrusive rings: a thing stands in a list without anything being allocated.
//
// Module path 6. A head is a link too; a link that stands in no list points to itself.
// Thread:  one worker; no locks.
#pragma once

#include <stdbool.h>
#include <stddef.h>

struct cm_link {
	struct cm_link *next;
	struct cm_link *prev;
};

// The struct of type that has link as its member.
#define cm_of_link(link, type, member) ((type *)((char *)(link) - offsetof(type, member)))

static inline void cm_link_init(struct cm_link *link)
{
	link->next = link;
	link->prev = link;
}

// A head without links; a link without list.
static inline bool cm_link_is_alone(const struct cm_link *link)
{
	return link->next == link;
}

static inline void cm_link_append(struct cm_link *head, struct cm_link *link)
{
	link->next = head;
	link->prev = head->prev;
	head->prev->next = link;
	head->prev = link;
}

static inline void cm_link_remove(struct cm_link *link)
{
	link->prev->next = link->next;
	link->next->prev = link->prev;
	cm_link_init(link);
}
