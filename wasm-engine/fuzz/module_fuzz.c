// SPDX-License-Identifier: BSD-3-Clause
// we-fuzz-module: any bytes into decoder, validator and translation. A libFuzzer target.
//
//	we-fuzz-module [-runs=N] CORPUS [SEEDS...]
//
// What is accepted is instantiated when it imports nothing, within small limits, and its start
// function is run against an interrupt that comes at once.
#include <stdlib.h>

#include "we.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static void instantiate(struct we_engine *engine, struct we_module *module)
{
	const struct we_store_limits limits = {.memory_pages = 16,
		.total_memory_pages = 32,
		.table_elements = 1000,
		.stack_bytes = 1u << 14,
		.call_depth = 16};
	struct we_instance *inst;
	struct we_store *store;
	struct we_error err;

	if (we_store_create(engine, &limits, &store, &err) < 0)
		abort();
	we_store_interrupt(store, 1); // the first entry is over when it begins to loop
	(void)!we_instance_create(store, module, NULL, 0, &inst, &err);
	we_store_destroy(store);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct we_engine *engine;
	struct we_module *module;
	struct we_error err;
	int rc;

	if (we_engine_create(NULL, &engine, &err) < 0)
		abort();
	rc = we_module_create(engine, (struct we_bytes){data, len}, 0, &module, &err);
	if (rc == 0) {
		if (we_module_n_imports(module) == 0)
			instantiate(engine, module);
		we_module_unref(module);
	} else if (rc != WE_E_MALFORMED && rc != WE_E_INVALID && rc != WE_E_UNSUPPORTED) {
		abort(); // no other answer is right while memory lasts
	}
	we_engine_destroy(engine);
	return 0;
}
