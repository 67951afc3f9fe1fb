// SPDX-License-Identifier: BSD-3-Clause
// spec_host: the module "spectest" that every script may import.
//
// Spec: interpreter "Scripts" (spectest host module).
#pragma once

#include "we.h"

#define SPEC_HOST_N 16

// What is exported under names[i] is things[i].
struct spec_host {
	const char *names[SPEC_HOST_N];
	struct we_extern things[SPEC_HOST_N];
	uint32_t n;
};

// Returns: 0, or a failure. What it makes belongs to the store.
WE_MUST_USE int spec_host_init(struct spec_host *host, struct we_engine *engine,
	struct we_store *store, struct we_error *err);
// Returns: the thing of that name, or NULL.
const struct we_extern *spec_host_find(const struct spec_host *host, struct we_bytes name);
