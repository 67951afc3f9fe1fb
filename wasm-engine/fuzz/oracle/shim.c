// SPDX-License-Identifier: BSD-3-Clause
// oracle_shim: the layout of we.h as C sees it, for engine.rs to compare with its mirror, and what is awkward to mirror.
#include <stddef.h>

#include "we.h"

extern const size_t oracle_pins[];
int oracle_store_create(
	struct we_engine *engine, struct we_store **ret_store, struct we_error *err);

const size_t oracle_pins[] = {
	sizeof(struct we_bytes),
	sizeof(struct we_error),
	offsetof(struct we_error, msg),
	sizeof(struct we_engine_config),
	sizeof(struct we_extern),
	offsetof(struct we_extern, of),
};

int oracle_store_create(struct we_engine *engine, struct we_store **ret_store, struct we_error *err)
{
	const struct we_store_limits limits = {
		.stack_bytes = 16u << 20,
		.call_depth = 4000,
	};

	return we_store_create(engine, &limits, ret_store, err);
}
