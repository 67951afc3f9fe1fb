// SPDX-License-Identifier: BSD-3-Clause
// we-fuzz-module: any bytes into decoder, validator and translation. A libFuzzer target.
//
//	we-fuzz-module [-runs=N] CORPUS [SEEDS...]
#include <stdlib.h>

#include "mutator.h"
#include "we.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);
size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t len, size_t cap, unsigned int seed);
size_t LLVMFuzzerCustomCrossOver(const uint8_t *a, size_t len_a, const uint8_t *b, size_t len_b,
	uint8_t *out, size_t cap, unsigned int seed);

size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t len, size_t cap, unsigned int seed)
{
	return we_mutator_module(data, len, cap, seed);
}

size_t LLVMFuzzerCustomCrossOver(const uint8_t *a, size_t len_a, const uint8_t *b, size_t len_b,
	uint8_t *out, size_t cap, unsigned int seed)
{
	return we_mutator_cross(a, len_a, b, len_b, out, cap, seed);
}

// What can be asked of a module, asked.
static void inspect(const struct we_module *module)
{
	struct we_bytes payload;
	struct we_import import;
	struct we_export export;
	char text[64];

	for (uint32_t i = 0; i < we_module_n_imports(module); i++) {
		we_module_import(module, i, &import);
		we_externtype_print(&import.type, text, sizeof(text));
		if (!we_externtype_matches(&import.type, &import.type))
			abort();
	}
	for (uint32_t i = 0; i < we_module_n_exports(module); i++) {
		we_module_export(module, i, &export);
		we_externtype_print(&export.type, text, sizeof(text));
	}
	(void)we_module_custom(module, "name", 0, &payload);
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
		inspect(module);
		we_module_unref(module);
	} else if (rc != WE_E_MALFORMED && rc != WE_E_INVALID && rc != WE_E_UNSUPPORTED) {
		abort(); // no other answer is right while memory lasts
	}
	we_engine_destroy(engine);
	return 0;
}
